"""Fuel, kept objects, and how a program says that something is wrong."""
import faulthandler
import os
import signal
import sys
from _thread import _local
from functools import partial

__all__ = ["Oops", "begin", "calmly", "drop", "grow", "keep", "quiet",
           "refuel", "run", "spent", "wrong"]

# The status of a program that has found something wrong.
WRONG = 97
# The signal that asks a program what its threads are doing.
ASK = signal.SIGUSR2
# Calls of the program's functions in one step, and threads that it starts;
# calls of those that have a share of their own.
FUEL = 30
STARTS = 4
SHARE = 8
KEPT = 64


class Oops(Exception):
    """What programs raise on purpose."""


# The program's file.
program = None
# Whether frames may lie on stacks that others use now.
shares_stacks = False
_fuel = 0
_starts = 0
_mine = _local()
_kept = [None] * KEPT
_cursor = 0


def begin(path, modules=()):
    """Called first, with the program's file and what it is going to import."""
    global program
    program = path
    for name in modules:
        try:
            __import__(name)
        except ImportError:
            pass                        # not there, or not in this interpreter
    faulthandler.register(ASK, all_threads=True)
    sys.unraisablehook = quiet
    sys.setswitchinterval(0.0001)


def quiet(*unused):
    """Unraisable exceptions are what programs are made for."""


def wrong(text):
    """Say what is wrong, and end the process at once."""
    os.write(2, f"torture: wrong: {text}\n".encode(errors="replace"))
    faulthandler.dump_traceback(all_threads=True)
    os._exit(WRONG)


def refuel(calls=FUEL):
    global _fuel, _starts
    _fuel, _starts = calls, STARTS


def spent(calls=1):
    """Whether a function should return at once: each asks when it begins."""
    global _fuel
    share = getattr(_mine, "fuel", None)
    if share is not None:
        _mine.fuel = share - calls
        return share < calls
    _fuel -= calls
    return _fuel < 0


def may_start():
    """Whether this step has a thread left to start."""
    global _starts
    _starts -= 1
    return _starts >= 0


# What a thread calls first, without a Python frame, to have fuel of its own:
# by the time that it runs, others have spent what there was.
take_share = partial(setattr, _mine, "fuel", SHARE)


def run(steps, finish):
    """Take the steps, one after the other; what one raises ends with it.

    What is called at moments that nobody chose (signals, pending calls) must
    not raise: it might be here.
    """
    for step in [*steps, _untrace]:
        try:
            refuel()
            step()
        except SystemExit:
            raise
        except BaseException:
            pass
    finish()


def _untrace():
    """Greenlets that went away may have left a tracing function here."""
    sys.settrace(None)
    sys.setprofile(None)


def calmly(f):
    """A function that raises nothing, for callers who may be anywhere."""
    def calm(*args):
        if not spent():
            try:
                f()
            except BaseException:
                pass
        return 0

    return calm


def keep(thing):
    """Keep the last few things; what was kept longest goes."""
    global _cursor
    _cursor += 1
    _kept[_cursor % KEPT] = thing
    return thing


def drop(number):
    """Let go of some of what is kept."""
    for at in range(number % 7, KEPT, 7):
        _kept[at] = None


def grow(number):
    """Let blocks that are kept move: larger, then smaller."""
    for at in range(number % 5, KEPT, 5):
        thing = _kept[at]
        if type(thing) is bytearray:
            thing.extend(bytes(number))
            del thing[number % 17:]
        elif type(thing) is list and len(thing) < 1000:
            thing.extend(range(number % 50))
        elif type(thing) is dict and len(thing) < 1000:
            thing.update(zip(range(number % 50), "abcdefghijklmnop"))
