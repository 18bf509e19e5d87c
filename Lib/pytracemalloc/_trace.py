"""Tracing: on, off, how deep, and what was found."""

import atexit
import os

import _tracemalloc
from . import _filter, _task

# The tracer's number for the tracing that enable() began, or 0.
_own_session = 0


def enable():
    """Trace the allocations of Python from now on.

    Does nothing when tracing is on, by whoever; tracebacks then have the limit
    that is set.  What enable() began ends in a child process after fork, and
    when Python exits.
    """
    global _own_session
    if not is_enabled():
        _tracemalloc.start(_tracemalloc.get_traceback_limit())
        _own_session = _tracemalloc._get_session()


def is_enabled():
    """Return whether allocations are being traced."""
    return _tracemalloc.is_tracing()


def disable():
    """Stop tracing, forget all traces, and cancel all tasks.

    Ends the tracing of tracemalloc.start() too: there is one tracer.
    """
    _task.cancel_tasks()
    _tracemalloc.stop()


def clear_traces():
    """Forget all traces and go on tracing.

    Traced memory, its maximum and the size of arenas begin again at 0; tasks
    wait for changes from there.
    """
    _task.clear_traces()


def set_traceback_limit(nframe):
    """Show at most *nframe* frames of a traceback from now on, 1 to 65535.

    The tracer knows all frames: the limit holds at once, for blocks that are
    traced already too, and a high one costs no more than 1 while tracing.
    """
    _tracemalloc._set_traceback_limit(nframe)


def get_object_address(obj):
    """Return the address of the main block of an object (int)."""
    return _tracemalloc._get_object_address(obj)


def get_object_trace(obj):
    """Return the trace of the main block of an object, as get_trace() does."""
    return _tracemalloc._get_object_trace(obj)


def get_trace(address):
    """Return the trace (size, traceback) of a block, or None.

    The traceback is a tuple of (filename, lineno), newest frame first; empty
    if there was no frame.  A line number that is not known is None.
    """
    return _tracemalloc._get_trace(address)


def get_traces():
    """Return {address: trace} of all traced blocks of Python, as get_trace().

    Blocks that extensions report in address spaces of their own are left out.
    Empty when tracing is off.  O(blocks); the result itself is not traced.
    """
    return _tracemalloc._get_address_traces()


def get_stats():
    """Return {file name: {line number: (size, count)}} of the traced blocks.

    By the newest frame; what is not known is None.  Empty when tracing is off.
    Time is proportional to the places that allocate, not to the blocks.
    """
    stats = {}
    for row in _tracemalloc._get_contexts():
        count = row[3] - row[5]
        if row[0] != 0 or count == 0:
            continue
        filename, lineno = row[1][0]
        if filename == "<unknown>" and lineno == 0:
            filename = None
        lines = stats.setdefault(filename, {})
        size, before = lines.get(lineno or None, (0, 0))
        lines[lineno or None] = size + row[4] - row[6], before + count
    return stats


def stats_of_traces(traces):
    """Return what get_stats() would, of what get_traces() returned."""
    stats = {}
    for size, traceback in traces.values():
        filename, lineno = traceback[0] if traceback else (None, None)
        lines = stats.setdefault(filename, {})
        total, count = lines.get(lineno, (0, 0))
        lines[lineno] = total + size, count + 1
    return stats


def by_traceback(traces):
    """Return [(traceback, size, number)] of what get_traces() returned.

    A traceback comes once for all blocks that share the object.
    """
    found = {}
    for size, traceback in traces.values():
        sums = found.setdefault(id(traceback), [traceback, 0, 0])
        sums[1] += size
        sums[2] += 1
    return list(found.values())


def _is_own():
    return _own_session != 0 and _own_session == _tracemalloc._get_session()


def _after_fork_in_child():
    _filter.forget_threads()
    _task.forget_tasks()
    if _is_own():
        _tracemalloc.stop()


def _at_exit():
    _task.cancel_tasks()
    if _is_own():
        _tracemalloc.stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
