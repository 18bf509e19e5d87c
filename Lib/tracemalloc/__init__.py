"""Where the memory of this process was allocated, and what changed since.

start() makes the interpreter remember, for every block that Python allocates
from then on, its size and the lines of code that asked for it.  A snapshot
copies that record; its statistics rank files, lines or whole call paths, and
two snapshots can be compared:

    import tracemalloc

    tracemalloc.start(25)           # or: python -X tracemalloc=25 program.py
    ...
    snapshot = tracemalloc.take_snapshot()
    for stat in snapshot.statistics("lineno")[:10]:
        print(stat)
    snapshot.dump("app.tmz")        # for python -m tracemalloc top app.tmz

trace() measures the body of a with statement, watch() writes snapshots from a
thread, and `python -m tracemalloc run` traces a program as it is.

All sizes are exact numbers of bytes as the caller requested them, unless
samples are taken; what the allocator adds for alignment is not in them.  The
functions of this module may be called from any thread.  Value objects (Frame,
Traceback, Trace, Statistic, StatisticDiff) are read from any thread once
built.
"""

# Programs reach these through this module, as through CPython's.
import fnmatch
import linecache
import os
import sys as _sys
from collections.abc import Iterable, Sequence
from functools import total_ordering

import _tracemalloc
from _tracemalloc import (
    _get_object_details, _get_object_traceback, _get_traces, _quietly,
    clear_traces, get_sample_interval, get_traceback_limit, get_traced_memory,
    get_tracemalloc_memory, is_tracing, reset_peak, start, stop)

# What snapshots and statistics need is imported here and not on first use: an
# import that happens while tracing would show up in the program's own
# statistics.  Completion does not offer names with an underscore, which all
# have that are neither public nor in CPython's module; of these, help() looks
# for base classes here, and pickles for _Traces.
from tracemalloc import _metadata
from tracemalloc._columns import SnapshotData as _SnapshotData
from tracemalloc._filters import (
    BaseFilter, DomainFilter, Filter, _normalize_filename)
from tracemalloc._snapshot import Snapshot
from tracemalloc._statistics import Statistic, StatisticDiff, _Figures
from tracemalloc._text import format_size as _format_size
from tracemalloc._values import Frame, Trace, Traceback, _Traces, _Value
from tracemalloc._version import VERSION as __version__

__all__ = [
    "AccountLimitWarning", "BaseFilter", "DomainFilter", "Filter", "Frame",
    "Snapshot", "SnapshotFormatError", "Statistic", "StatisticDiff", "Trace",
    "Traceback", "account", "accounts", "clear_traces",
    "get_object_traceback", "get_sample_interval",
    "get_traceback_limit", "get_traced_memory", "get_tracemalloc_memory",
    "is_tracing", "reset_peak", "start", "stop", "take_peak_snapshot",
    "take_snapshot", "trace", "watch",
]

# For module inspect, a class stands at a line of its module's file, which for
# these is another file: who asks for their source is told that there is none,
# rather than shown what is here at that line.
for _class in (BaseFilter, DomainFilter, Filter, Frame, Snapshot, Statistic,
               StatisticDiff, Trace, Traceback, _Figures, _Traces, _Value):
    del _class.__firstlineno__
del _class


def get_object_traceback(obj):
    """Return the Traceback of the memory block of *obj*.

    None if tracing is off, or if the block was allocated before it began or
    is not a block of its own (static objects).  Only the block that holds the
    object itself counts, not what the object refers to.  O(frames).
    """
    frames = _get_object_traceback(obj)
    if frames is None:
        return None
    traceback = Traceback(frames)
    details = _get_object_details(obj)
    if details is not None and len(details) == len(frames):
        traceback._origin = _Details, details
    return traceback


class _Details:
    """Stands for the data where details were looked up already."""

    @staticmethod
    def frame_details(details, index):
        return details[index]


def take_snapshot():
    """Return a Snapshot of all blocks allocated since start() and still alive.

    Time: O(contexts + blocks), in C, so that millions of blocks take
    milliseconds; the memory, which depends on the number of different sizes
    and call paths, is no part of traced memory, and in no other snapshot: two
    that are taken one after the other are equal.  Other threads wait for a
    part of that time.  Raises RuntimeError if tracing is off.
    """
    _require_tracing()
    if _get_traces is not _tracemalloc._get_traces:
        # Somebody supplies the traces, as tests do.
        return Snapshot(_get_traces(), get_traceback_limit())
    return _quietly(_take, False)


def take_peak_snapshot():
    """Return a Snapshot of the moment when traced memory was highest.

    That is since start(), clear_traces() or reset_peak(), whichever was last.
    Sizes and counts of its statistics are those of that moment, and exact.
    Single blocks are not known: `traces` raises ValueError when it is used,
    and the snapshot cannot be pickled.

    Time: O(contexts).  Raises RuntimeError if tracing is off.
    """
    _require_tracing()
    return _quietly(_take, True)


def _require_tracing():
    if not is_tracing():
        # Programs and tests know this text by heart.
        reason = "the tracemalloc module must be tracing memory allocations"
        raise RuntimeError(reason + " to take a snapshot")


def _take(peak):
    # The copy comes first: what it takes to describe it is not in it.
    names = _metadata.thread_names()
    raw = _tracemalloc._take_snapshot(peak=peak, thread_names=names)
    limit = get_traceback_limit()
    return Snapshot._of(_SnapshotData.wrap(raw), limit,
                        _metadata.describe(limit, raw))


def trace(nframe=1):
    """Return a region, to find out what a part of a program allocates.

        with tracemalloc.trace(25) as region:
            work()
        print(region)
        for stat in region.statistics("lineno")[:10]:
            print(stat)

    Begins to trace with *nframe* frames and stops at the end, unless tracing
    is on already: then it just goes on, with the frames that it has.  Regions
    may be nested, and may overlap in threads; each counts for the whole
    process.  The peak is reset when a region begins, see reset_peak().

    See the documentation, or help(type(region)), for what a region tells.
    Raises what start() raises, when the region begins.
    """
    from tracemalloc._region import Region

    return Region(nframe)


def account(name, *, soft_limit=None, callback=None):
    """Return an account, to find out what is allocated for what.

        with tracemalloc.account("GET /cart", soft_limit="20 MB"):
            answer(request)

        @tracemalloc.account("nightly report")
        async def report(): ...

    What runs inside is for the account: awaits, tasks that begin inside, and
    what asyncio.to_thread() runs, but no other task or thread.  Accounts of
    one name are one account, in all threads and requests.  It has figures: see
    accounts() and help(type(account("..."))).  Snapshots tell it, too:
    statistics("account").  Inside of another one, the inner one counts;
    account(None) is for none.

    When it holds more than *soft_limit*, bytes or a text such as '20 MB',
    *callback* is called with its figures, or there is an AccountLimitWarning.
    Once: then not before it held less again.  That is looked at when an
    account is left, as far as it takes 1 % of the time, and when figures are
    read.

    Works whether tracing is on or not; costs nothing where it is not used.
    Raises TypeError or ValueError for what makes no sense, and ValueError
    when there are 65535 names: name routes, not requests.
    """
    from tracemalloc._account import Account

    return Account(name, soft_limit, callback)


def accounts():
    """Return the figures of all accounts, those that hold most first.

    The one whose name is None is what was allocated in no account.  Exact, or
    estimates if samples are taken.  Empty when tracing is off.  O(contexts),
    whatever the number of blocks; other threads wait for that.
    """
    from tracemalloc._account import accounts

    return accounts()


def watch(filename=None, *, interval=None, threshold=None, collect=True):
    """Write snapshots to files from a thread in the background.

        tracemalloc.watch("app-$pid-$counter.tmz", interval=60)

    *filename* is a template: $pid stands for the number of the process,
    $timestamp for the time and $counter for 0001, 0002 and so on.  The end of
    the name chooses the format, see Snapshot.dump().  By default the files
    are $pid-$counter.tmz in a new folder below that for temporary files, which
    only this user may look into: see the attributes filename and filenames.

    A snapshot is written every *interval* seconds, or when traced memory has
    grown or shrunk by *threshold* bytes since the last one, which is looked at
    once per second, or both.  If neither is given, the interval is one
    minute.  Garbage is collected first if *collect* is true.

    Returns an object with stop(), write(), filenames and error; see the
    documentation.  The thread never raises into the program.  Raises
    RuntimeError if tracing is off, ValueError for numbers that are not
    positive and for unknown variables, and OSError if there is no such
    folder, or no file can be written there.
    """
    from tracemalloc._watch import watch

    return watch(filename, interval=interval, threshold=threshold,
                 collect=collect)


def _end_imports():
    """Wait until other threads have imported what they import of this package.

    A child forked meanwhile could not end the import, and would wait for it
    as soon as it needs the module.
    """
    for name, module in list(_sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        if (name.startswith("tracemalloc.")
                and getattr(spec, "_initializing", False)):
            try:
                __import__(name)
            except Exception:
                # Whoever needs the module will be told.
                pass


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=lambda: _quietly(_end_imports))


def __getattr__(name):
    # Loaded on first use, as what reads and writes files is.
    if name == "SnapshotFormatError":
        from tracemalloc._errors import SnapshotFormatError as found
    elif name == "AccountLimitWarning":
        from tracemalloc._account import AccountLimitWarning as found
    elif name == "pickle":
        # Only those need it who look for it here, where it used to be.
        import pickle as found
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__():
    return sorted({*globals(), "AccountLimitWarning", "SnapshotFormatError",
                   "pickle"})
