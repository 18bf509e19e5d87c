"""Threads, interpreters, processes, and the end of a program."""
import _thread
import operator
import os
import sys
from contextlib import suppress
from functools import partial

from kit import state
from kit.calls import eval_frame_reset
from kit.generators import calls_of, drive, pooled
from kit.state import calmly, quiet, wrong
from kit.tracer import UNTRACED, trace_check, tracer

try:
    import _interpreters
except ImportError:
    _interpreters = None

__all__ = ["finish", "forked", "interpreter_end", "interpreter_new",
           "interpreter_run", "interpreter_thread", "join_all", "spawn",
           "spawn_calls", "spawn_drive", "spawn_from_c", "work"]

THREADS = 4
INTERPRETERS = 3
# Shared GIL and allocator; a GIL of its own; a shared GIL with an allocator of
# its own.
KINDS = 3

_threads = []
_interpreters_made = [None] * INTERPRETERS


def _start(function):
    """Run a function in a thread, if there are not enough of them."""
    for thread in _threads[:]:
        if thread.is_done():
            # Another thread may do this at the same time.
            with suppress(ValueError):
                _threads.remove(thread)
    if len(_threads) < THREADS and state.may_start():
        _threads.append(_thread.start_joinable_thread(function, daemon=False))


def _start_from_c(calls):
    """The same, with no Python frame below what is called."""
    _start(partial(list, map(operator.call, [state.take_share, *calls])))


def join_all():
    """For steps only: what waits inside of a callback may hold a lock of an
    import that the thread wants, and the interpreter waits for ever."""
    with suppress(IndexError):
        while True:
            _threads.pop(0).join()


def spawn(f):
    _start(partial(f, 1))


def spawn_drive(number, script):
    """Another thread resumes what is suspended here."""
    thing = pooled(number)
    if thing is not None:
        _start(partial(drive, thing, script))


def spawn_from_c(number, script):
    """The same, with no Python frame below."""
    _start_from_c(calls_of(pooled(number), script))


def spawn_calls(thing, script):
    """The same with something new."""
    _start_from_c(calls_of(thing, script))


def work(number):
    """Allocate without the GIL, in two threads."""
    import zlib

    def press():
        for _ in range(3):
            zlib.decompress(zlib.compress(bytes(20000 + number)))

    _start(press)
    press()


# ------------------------------------------------------------- interpreters

def interpreter_new(number):
    if (_interpreters is None
            or _interpreters_made[number % INTERPRETERS] is not None):
        return
    config = _interpreters.new_config("legacy" if number % KINDS == 0
                                      else "isolated")
    if number % KINDS == 2:
        config.gil = "shared"
    _interpreters_made[number % INTERPRETERS] = _interpreters.create(
        config, reqrefs=False)


def _source(name):
    """What runs the program's function `name` in another interpreter."""
    return (f"import sys; sys.path[:] = {sys.path!r}\n"
            f"names = {{'__name__': 'elsewhere'}}\n"
            f"exec(compile(open({state.program!r}).read(), {state.program!r}, "
            "'exec'), names)\n"
            f"import kit; kit.refuel()\n"
            f"try: names[{name!r}](1)\n"
            f"finally: kit.eval_frame_reset()\n")


def interpreter_run(number, name):
    made = _interpreters_made[number % INTERPRETERS]
    if made is not None:
        _interpreters.run_string(made, _source(name))


def interpreter_thread(number, name):
    """The same, at the same time as everything else."""
    made = _interpreters_made[number % INTERPRETERS]
    if made is not None:
        _start(partial(_interpreters.run_string, made, _source(name)))


def interpreter_end(number):
    made = _interpreters_made[number % INTERPRETERS]
    if made is not None and not _interpreters.is_running(made):
        _interpreters_made[number % INTERPRETERS] = None
        _interpreters.destroy(made)


# ---------------------------------------------------------------- processes

def forked(f):
    """A child goes on from here, checks what it has, and ends.

    Not while there are other interpreters: the child of the untouched CPython
    crashes in PyOS_AfterFork_Child() as it deletes them.
    """
    if any(made is not None for made in _interpreters_made):
        return
    child = os.fork()
    if child == 0:
        state.shares_stacks = True
        calmly(f)()
        trace_check()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        wrong("a child that was forked ended with "
              f"{os.waitstatus_to_exitcode(status)}")


# ------------------------------------------------------------------ the end

def _sums():
    """What must be equal when nothing else runs."""
    import tracemalloc
    if tracer.get_sample_interval() is None:
        snapshot = tracemalloc.take_snapshot()
        sums = [sum(trace.size for trace in snapshot.traces)]
        sums += [sum(row.size for row in snapshot.statistics(key))
                 for key in ("filename", "lineno", "traceback")]
        if len(set(sums)) != 1:
            wrong(f"a snapshot adds up to {sums}")
    clear, memory = tracer.clear_traces, tracer.get_traced_memory
    clear()
    left = memory()
    if left != (0, 0):
        wrong(f"{left} bytes are traced after clear_traces()")


def _quiet_down():
    """End whatever runs beside the program."""
    import gc
    import signal
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    eval_frame_reset()
    join_all()
    for number in range(INTERPRETERS):
        interpreter_end(number)
    gc.collect()
    gc.disable()
    sys.unraisablehook = quiet


def finish(stop):
    """The last step of each program: everything at rest is in order."""
    state.refuel()
    _quiet_down()
    if not UNTRACED:
        import pytracemalloc
        import tracemalloc              # noqa: F401
        pytracemalloc.cancel_tasks()
        pytracemalloc.clear_filters()
        tracer._set_alarm(None, 0, 0, 0)
        trace_check()
        if tracer.is_tracing():
            _sums()
        tracer.stop()
        if tracer._get_traces() or tracer.get_traced_memory() != (0, 0):
            wrong("something is traced after stop()")
        tracer.start(25)
        state.keep([bytearray(number) for number in range(100)])
        trace_check()
        if stop:
            tracer.stop()
    os.write(1, b"finished\n")
