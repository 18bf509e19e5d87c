"""Generators, coroutines and asynchronous generators, resumed by anybody.

What is suspended waits in a pool; each resumption is a letter of a script:

    n  next                       t  throw Oops
    s  send a value               k  throw KeyError
    c  close                      f  clear its frame
    r  look at its frame          x  throw GeneratorExit
"""
import operator
import types
from functools import partial

from kit import state
from kit.state import Oops

__all__ = ["Managed", "calls_of", "delegating", "drive", "drive_from_c",
           "limited", "park", "pause", "pooled", "resume", "resume_from_c",
           "unpark"]

POOL = 8
_pool = [None] * POOL


def park(number, thing):
    """Keep something suspended; what was there goes, suspended as it is."""
    _pool[number % POOL] = thing


def pooled(number):
    return _pool[number % POOL]


def unpark(number):
    thing, _pool[number % POOL] = _pool[number % POOL], None
    return thing


@types.coroutine
def pause():
    """Suspend whoever awaits this."""
    return (yield 1)


def delegating(thing, depth=3):
    """A few generators around another one."""
    if depth:
        yield from delegating(thing, depth - 1)
    else:
        yield from thing


def limited(things, most=4):
    """The first few items of an asynchronous iterator."""
    class Limited:
        left = most

        def __aiter__(self):
            return self

        async def __anext__(self):
            self.left -= 1
            if self.left < 0:
                raise StopAsyncIteration
            return await things.__anext__()

    return Limited()


class Managed:
    """An asynchronous context manager that awaits what a function returns."""

    def __init__(self, function):
        self.function = function

    async def __aenter__(self):
        return await self.function()

    async def __aexit__(self, *error):
        await self.function()
        return True


def frame_of(thing):
    for name in "gi_frame", "cr_frame", "ag_frame":
        if hasattr(thing, name):
            return getattr(thing, name)
    return None


def look_at_frame(frame):
    """Ask a frame and its callers for everything.

    No callers once there are greenlets: between those of one that is put aside
    lie frames of the C stack, which others use meanwhile, with and without a
    tracer.  Nor in a child of fork, where the stacks of threads that are not
    there any more are those of new ones.
    """
    while frame is not None:
        frame.f_lineno, frame.f_lasti, len(frame.f_locals), frame.f_trace
        frame = None if state.shares_stacks else frame.f_back


def call_of(thing, letter):
    """What a letter of a script means for some suspended thing."""
    if letter == "f":
        return getattr(frame_of(thing), "clear", int)
    if letter == "r":
        return partial(look_at_frame, frame_of(thing))
    if hasattr(thing, "__anext__") and not hasattr(thing, "send"):
        makers = {"n": thing.__anext__, "s": partial(thing.asend, None),
                  "c": thing.aclose, "t": partial(thing.athrow, Oops),
                  "k": partial(thing.athrow, KeyError),
                  "x": partial(thing.athrow, GeneratorExit)}
        return partial(step_through, makers[letter]())
    return {"n": getattr(thing, "__next__", partial(thing.send, None)),
            "s": partial(thing.send, None), "c": thing.close,
            "t": partial(thing.throw, Oops),
            "k": partial(thing.throw, KeyError),
            "x": partial(thing.throw, GeneratorExit)}[letter]


def step_through(awaitable, most=3):
    """Send into what an asynchronous generator gave; it may stay suspended."""
    try:
        for _ in range(most):
            awaitable.send(None)
    except (StopIteration, StopAsyncIteration):
        pass


def calls_of(thing, script):
    return ([call_of(thing, letter) for letter in script] if thing is not None
            else [])


def drive(thing, script):
    """Resume something as a script says; what it raises ends nothing."""
    for letter in script:
        try:
            call_of(thing, letter)()
        except (StopIteration, StopAsyncIteration, Oops, KeyError,
                GeneratorExit, RuntimeError,
                ValueError, TypeError, AttributeError, RecursionError):
            pass
    return thing


def drive_from_c(thing, script):
    """The same by map(), without a Python frame in between."""
    return list(map(operator.call, calls_of(thing, script)))


def resume(number, script):
    thing = pooled(number)
    return None if thing is None else drive(thing, script)


def resume_from_c(number, script):
    return drive_from_c(pooled(number), script)
