"""Regions: what a part of a program does with memory.

A region is two raw snapshots, which is what the C module takes, and the peak
between them.  Peaks are the hard part, since the tracer knows one at a time:
the highest since the last reset_peak().

    outer  |-------------------------------------|
    inner         |--------|    |------|
    reset  ^      ^             ^

A region that begins asks for the peak of those that are under way, for each
of them to remember if it is their highest so far, and resets it.  A region
that ends takes the higher of what it remembers and what it sees.

Regions begin and end in any thread, and also where the program is interrupted:
in handlers of signals and in finalizers, which may run in the middle of what
stands here.  So there is no lock that such code could wait for.  The C module
counts the regions that want tracing to be on, and what remains are single
operations on lists.  What a region holds ends with the region, so that one
that an exception keeps from its end leaves nothing behind.

Nothing is allocated between the first snapshot and the second other than by
the program: raw snapshots are not in traced memory, and all that they are put
into exists before.
"""

from _weakref import ref
from contextlib import suppress
from time import time

import tracemalloc
from _tracemalloc import _claim, _take_snapshot
from tracemalloc._columns import ROWS, SnapshotData
from tracemalloc._metadata import describe
from tracemalloc._text import amount_text

# References to the _Peaks of regions under way.
_active = []


def _forget(reference):
    with suppress(ValueError):
        _active.remove(reference)


class Peaks:
    """Finds the raw snapshot of the highest peak among those noted."""

    __slots__ = ("_noted", "__weakref__")

    def __init__(self):
        self._noted = []

    def note(self, raw):
        self._noted.append(raw)
        # Only what one has seen to be lower than another goes away: others
        # may do the same meanwhile.
        seen = self._noted[:]
        highest = max(seen, key=_peak_of)
        for each in seen:
            if each is not highest:
                with suppress(ValueError):
                    self._noted.remove(each)

    def highest(self):
        """Return it, or None if there is none."""
        return max(self._noted[:], key=_peak_of, default=None)

    def begin(self):
        """Be told from now on when the peak is about to be reset.

        Those who are under way already are told now: call reset_peak() next.
        """
        if _active:
            raw = _take_snapshot(peak=True)
            for reference in _active[:]:
                peaks = reference()
                if peaks is None:
                    _forget(reference)
                else:
                    peaks.note(raw)
            peaks = None
        _active.append(ref(self, _forget))


def _peak_of(raw):
    return raw.traced_memory[1]


class _Entrance:
    """A method of a region that is not made when it is looked up.

    The with statement lets go of a bound method just inside, where that would
    count.  This object exists before, and lives as long as the region.
    """

    __slots__ = ("_region", "_held")

    def __init__(self, region):
        self._region = ref(region)
        self._held = None

    def __call__(self):
        # Not held any longer than a bound method would: a region that nobody
        # has is to go away.
        region, self._held = self._held or self._region(), None
        return region._enter()


class _Enter:
    """What gives a region's entrance."""

    def __get__(self, region, kind=None):
        if region is None:
            return Region._enter
        region._entrance._held = region
        return region._entrance


class Region:
    """What happened between the beginning and the end of a with block.

    All figures are exact, unless samples are taken, and about all threads of
    the process.  They can be read after the block only.

    allocated_size, allocated_count -- bytes and blocks allocated inside
    freed_size, freed_count         -- bytes and blocks freed inside, older
                                       ones among them
    size, count                     -- what is kept: allocated less freed, so
                                       negative if more was freed
    peak_size                       -- highest traced memory inside, less what
                                       was traced at the beginning
    before, after, at_peak          -- snapshots; the last one of that moment
                                       inside when traced memory was highest
    """

    __slots__ = ("_nframe", "_limit", "_first", "_last", "_peaks", "_peak",
                 "_entered", "_snapshots", "_began", "_metadata", "_entrance",
                 "_claim", "__weakref__")

    def __init__(self, nframe):
        self._nframe = nframe
        self._entered = False
        self._limit = self._last = self._peaks = self._claim = None
        self._entrance = _Entrance(self)

    # The block

    __enter__ = _Enter()

    def _enter(self):
        if self._entered:
            raise RuntimeError("this region has begun already: "
                               "call tracemalloc.trace() again")
        self._entered = True
        try:
            self._begin()
            tracemalloc.reset_peak()
            self._first = _take_snapshot()
        except BaseException:
            self._limit = None
            self._end()
            raise
        return self

    def __exit__(self, kind, error, traceback):
        last = None
        try:
            if tracemalloc.is_tracing():
                last = _take_snapshot()
                self._metadata = describe(self._limit, last)
                self._peaks.note(last)
                # What is noted from now on is later.
                self._peak = self._peaks.highest()
        finally:
            self._end()
        self._last = last
        if last is None and kind is None:
            raise RuntimeError(self._why_not())

    def _begin(self):
        self._last = None
        self._peaks, self._snapshots = Peaks(), {}
        # Checks its argument also if there is nothing to start.
        self._claim = _claim(self._nframe)
        self._limit = tracemalloc.get_traceback_limit()
        self._began = time()
        self._peaks.begin()

    def _end(self):
        self._entered = False
        self._peaks = None
        # Tracing stops if this was the last one, and a region has started it.
        self._claim = None

    def _why_not(self):
        if self._entered:
            return "the region has not ended yet"
        if self._limit is None:
            return "the region has not begun: use it in a with statement"
        return "tracing was stopped inside of the region"

    # Results

    def _first_and_last(self):
        if self._last is None:
            raise RuntimeError(self._why_not())
        return self._first, self._last

    def _change(self, column, item):
        # What was freed in contexts that the tracer has let go of counts too.
        first, last = (
            sum(getattr(raw, column), raw.reclaimed[item])
            for raw in self._first_and_last())
        return last - first

    # Names of columns that are put together would stay in the cache of
    # attributes, and go in the middle of a later region.
    allocated_size = property(
        lambda self: self._change("context_allocated_bytes", 1))
    allocated_count = property(
        lambda self: self._change("context_allocated_blocks", 0))
    freed_size = property(
        lambda self: self._change("context_freed_bytes", 1))
    freed_count = property(
        lambda self: self._change("context_freed_blocks", 0))
    size = property(lambda self: self.allocated_size - self.freed_size)
    count = property(lambda self: self.allocated_count - self.freed_count)

    @property
    def peak_size(self):
        first, _ = self._first_and_last()
        return _peak_of(self._peak) - first.traced_memory[0]

    def _snapshot(self, name):
        self._first_and_last()
        if name not in self._snapshots:
            raw = {"before": self._first, "after": self._last,
                   "at_peak": self._peak}[name]
            data = SnapshotData.wrap(raw)
            if name == "at_peak":
                for column in ROWS:
                    setattr(data, column, None)
            self._snapshots[name] = tracemalloc.Snapshot._of(
                data, self._limit, self._describe(name, raw))
        return self._snapshots[name]

    def _describe(self, name, raw):
        current, peak = raw.traced_memory
        return self._metadata | {
            "time": {"before": self._began, "at_peak": None}.get(
                name, self._metadata["time"]),
            "traced_memory": current, "traced_memory_peak": peak,
            "dropped": raw.dropped}

    before = property(lambda self: self._snapshot("before"))
    after = property(lambda self: self._snapshot("after"))
    at_peak = property(lambda self: self._snapshot("at_peak"))

    def statistics(self, key_type, cumulative=False, *, sort_by="size"):
        """Return a list of StatisticDiff: who allocated or freed what.

        The arguments and errors are those of Snapshot.compare_to().  Groups
        where nothing happened are left out.
        """
        diffs = self.after._differences(self.before, key_type, cumulative,
                                        sort_by, everything=True)
        return [diff for diff in diffs
                if diff.allocated_count or diff.freed_count]

    def __str__(self):
        if self._last is None:
            return self._why_not()
        about = "" if self._metadata["sample_interval"] is None else "~"
        parts = [amount_text(name, size, count, about)
                 for name, size, count in (
                     ("allocated", self.allocated_size, self.allocated_count),
                     ("freed", self.freed_size, self.freed_count),
                     ("kept", self.size, self.count))]
        peak = tracemalloc._format_size(self.peak_size, False)
        return f"{', '.join(parts)}, peak {about}{peak}"

    def __repr__(self):
        return f"<Region: {self}>"
