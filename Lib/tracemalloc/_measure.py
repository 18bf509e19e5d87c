"""What one call of a function does with memory, for tests with limits.

A measure is as narrow as it can be: garbage is collected, the figures are
read, the function is called, the peak is read, garbage is collected, the
figures are read.  All but the call is done by _quietly(), so that nothing of
it is in the figures.

A full collection looks at every object there is, which for most functions
takes longer than the call.  So only young garbage is collected, which is all
that the function made, and free lists and the cache of attributes are
emptied.  There is a full collection as well

    before  if older garbage may have been traced: its end would be counted
    after   if anything is left otherwise: so no garbage passes for a leak

The figures are differences of the tracer's own counts, which take no time
whatever the program holds.  Snapshots, to show which lines it was, are taken
only where they were asked for.
"""

import gc
import sys

import _tracemalloc
import tracemalloc
from _tracemalloc import _quietly, _take_snapshot, get_traced_memory

from tracemalloc._columns import SnapshotData
from tracemalloc._metadata import thread_names
from tracemalloc._region import Peaks

OFF = "tracing was stopped meanwhile"
CLEARED = "traces were cleared meanwhile"
SAMPLED = "samples are taken, which tell no exact figures"
FILTERED = "filters keep blocks of its own from being traced"


class Measure:
    """The memory of one call of a function, of the whole process.

    peak    -- bytes: highest traced memory during the call, less what was
               traced before; None if there are no figures
    leaked  -- bytes: traced memory after the call, less what was traced
               before, garbage collected both times; None if there are no
               figures, or the function raised
    fault   -- why there are no figures, or None
    before, before_peak, at_peak, ended, after -- snapshots, if *snapshots* is
               true, before and after garbage is collected the last one; None
               instead of those that there are not
    allocated_size, allocated_count -- bytes and blocks that were allocated,
               if *snapshots* is true; else None

    Exact, as far as tracing is; the peak counts from the last reset_peak(),
    if the function calls it.  Tracing must be on; *collections* is what
    full_collections() told when it began, None if that is not known.  For one
    call, by one thread; what others allocate meanwhile is counted.
    """

    __slots__ = ("peak", "leaked", "fault", "before", "before_peak", "after",
                 "at_peak", "ended", "allocated_size", "allocated_count",
                 "_snapshots", "_collections", "_witness", "_first", "_base",
                 "_peaks", "_highest")

    def __init__(self, snapshots=False, collections=None):
        self._snapshots, self._collections = snapshots, collections
        self.peak = self.leaked = self.fault = None
        self._peaks = self._highest = None
        self.before = self.before_peak = self.at_peak = None
        self.ended = self.after = None
        self.allocated_size = self.allocated_count = None

    # Functions and not methods are called quietly: a bound method would be
    # made by the program, and be there when the figures are read.

    def call(self, function):
        """Return function(), which counts as left behind; or what it raises.
        """
        # Debuggers and reports of pytest and IPython leave this frame out.
        __tracebackhide__ = True
        # As any block of the program's; it tells if traces were cleared.
        self._witness = bytearray(1)
        _quietly(_begin, self)
        returned = False
        try:
            result = function()
            returned = True
            return result
        finally:
            _quietly(_end, self, returned)

    def begin_peak(self):
        """Have the peak count from here on: what led here is not meant.

        Call end_peak() then.  Both do nothing but during call().
        """
        if self._peaks is not None:
            _quietly(_begin_peak, self)

    def end_peak(self):
        _quietly(_end_peak, self)


def full_collections():
    """Return how often all garbage was collected so far."""
    return gc.get_stats()[2]["collections"]


def _collect(generation):
    """Collect garbage, and empty what CPython keeps: what is in there is
    traced.
    """
    gc.collect(generation)
    _empty()


def _empty():
    # Names that only the cache of attributes holds are freed by who looks up
    # what takes their place there.
    sys._clear_internal_caches()
    _tracemalloc._clear_free_lists()


# Until the last figure is read, nothing is made here that stays but what C
# makes: it would be taken from free lists, which have what the call left
# there.


def _begin(measure):
    # None is older than tracing, if nothing has grown old since.
    _collect(1 if measure._collections == full_collections() else 2)
    if tracemalloc.get_sample_interval() is not None:
        measure.fault = SAMPLED
    elif _tracemalloc._get_object_traceback(measure._witness) is None:
        measure.fault = FILTERED
    if measure._snapshots:
        measure.before = _take()
    _begin_peak(measure)
    measure._first = measure._base


def _begin_peak(measure):
    if not tracemalloc.is_tracing():
        return
    if measure._snapshots:
        measure.before_peak = _take()
    measure._peaks = Peaks()
    measure._peaks.begin()
    # Blocks that the function would take from there were not its own.
    _empty()
    tracemalloc.reset_peak()
    measure._base, _ = get_traced_memory()


def _end_peak(measure):
    peaks, measure._peaks = measure._peaks, None
    if peaks is not None and tracemalloc.is_tracing():
        peaks.note(_take(peak=True))
        measure._highest = peaks.highest()


def _end(measure, returned):
    # Collecting garbage runs finalizers, and is no part of the call.
    _end_peak(measure)
    if not tracemalloc.is_tracing():
        measure.fault = OFF
    elif _tracemalloc._get_object_traceback(measure._witness) is None:
        measure.fault = measure.fault or CLEARED
    if measure.fault is not None:
        measure.before = measure.before_peak = None
        return
    measure.peak = measure._highest.traced_memory[1] - measure._base
    if measure._snapshots:
        measure.ended = _take()
    _collect(1)
    if get_traced_memory()[0] > measure._first:
        _collect(2)
    if returned:
        measure.leaked = get_traced_memory()[0] - measure._first
    if measure._snapshots:
        measure.at_peak = measure._highest
        measure.after = _take() if returned else None
        _wrap(measure)


def _wrap(measure):
    """Make snapshots of what C has taken."""
    measure.allocated_size, measure.allocated_count = map(
        int.__sub__, _allocated(measure.ended), _allocated(measure.before))
    limit = tracemalloc.get_traceback_limit()
    for name in "before", "before_peak", "at_peak", "ended", "after":
        raw = getattr(measure, name)
        if raw is not None:
            setattr(measure, name, tracemalloc.Snapshot._of(
                SnapshotData.wrap(raw), limit, {}))


def _take(peak=False):
    return _take_snapshot(peak=peak, thread_names=thread_names())


def _allocated(raw):
    """Return (bytes, blocks) that were ever allocated."""
    # Contexts that the tracer has let go of count too.
    blocks, bytes_ = raw.reclaimed
    return (sum(raw.context_allocated_bytes, bytes_),
            sum(raw.context_allocated_blocks, blocks))


class Row:
    """A line of code and what it gained.

    size, count -- bytes and blocks more than before
    frame       -- the Frame that allocated
    via         -- the oldest Frame on the way there that is in the file that
                   was named; None if it is the same one, or not known
    """

    __slots__ = ("size", "count", "frame", "via")

    def __init__(self, size, count, frame, via):
        self.size, self.count, self.frame, self.via = size, count, frame, via


def growth(old, new, home, limit=5):
    """Return the lines that gained most, and what the others gained.

    That is (rows, (bytes, blocks) of other lines that gained, number of
    these).  *home* is the file whose lines are to be named as callers.
    O(contexts of both snapshots).
    """
    sums = {}
    for diff in new.compare_to(old, "traceback"):
        if not diff.size_diff and not diff.count_diff:
            continue
        frames = diff.traceback[:]
        frame = frames[-1]
        via = next((each for each in frames[:-1] if each.filename == home),
                   None)
        row = sums.setdefault((frame, via), Row(0, 0, frame, via))
        row.size += diff.size_diff
        row.count += diff.count_diff
    rows = sorted((row for row in sums.values() if row.size > 0),
                  key=lambda row: (-row.size, -row.count, row.frame,
                                   row.via or row.frame))
    others = rows[limit:]
    return rows[:limit], (sum(row.size for row in others),
                          sum(row.count for row in others)), len(others)
