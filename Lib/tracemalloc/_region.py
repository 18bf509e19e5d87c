"""Regions: what a part of a program does with memory.

A region is two pictures and the peak between them.  Peaks are the hard part,
since the tracer knows one at a time: the highest since the last reset_peak().

    outer  |-------------------------------------|
    inner         |--------|    |------|
    reset  ^      ^             ^

A region that begins asks for the peak of those that are under way, for each
of them to remember if it is their highest so far, and resets it.  A region
that ends takes the higher of what it remembers and what it sees.

Nothing is allocated between the first picture and the second other than by
the program: pictures are not in traced memory, and all that they are put into
exists before.
"""

import os
from _thread import allocate_lock
from time import time

import tracemalloc
from _tracemalloc import _take_picture
from tracemalloc._columns import ROWS, Picture
from tracemalloc._metadata import describe

# Guards the list of regions under way, and whether the tracer was started for
# them.
_lock = allocate_lock()
if hasattr(os, "register_at_fork"):
    # The thread that has it may not exist in the child.
    os.register_at_fork(after_in_child=_lock._at_fork_reinit)
_active = []
_started = False


class _KeptMethod:
    """A method of a region whose bound object lives as long as the block.

    The with statement lets go of it just inside, where it would count.
    """

    def __init__(self, function):
        self._function = function

    def __get__(self, region, kind=None):
        method = self._function.__get__(region, kind)
        if region is not None:
            region._kept = method
        return method


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

    __slots__ = ("_nframe", "_limit", "_first", "_last", "_peak", "_entered",
                 "_snapshots", "_began", "_metadata", "_kept")

    def __init__(self, nframe):
        self._nframe = nframe
        self._entered = False
        self._limit = self._last = None

    # The block

    @_KeptMethod
    def __enter__(self):
        with _lock:
            self._begin()
        try:
            tracemalloc.reset_peak()
            self._first = _take_picture()
        except BaseException:
            with _lock:
                self._end()
            raise
        return self

    def __exit__(self, kind, error, traceback):
        last = None
        if tracemalloc.is_tracing():
            last = _take_picture()
            self._metadata = describe(self._limit, last)
        with _lock:
            self._end()
        self._last, self._kept = last, None
        if last is not None:
            self._note_peak(last)
        elif kind is None:
            raise RuntimeError(self._why_not())

    def _begin(self):
        global _started

        if self._entered:
            raise RuntimeError("this region has begun already: "
                               "call tracemalloc.trace() again")
        was_tracing = tracemalloc.is_tracing()
        # Checks its argument also if there is nothing to start.
        tracemalloc.start(self._nframe)
        _started = _started or not was_tracing
        if _active:
            picture = _take_picture(peak=True)
            for region in _active:
                region._note_peak(picture)
        self._limit = tracemalloc.get_traceback_limit()
        self._last = self._peak = None
        self._snapshots = {}
        self._began = time()
        self._entered = True
        _active.append(self)

    def _end(self):
        global _started

        self._entered = False
        _active.remove(self)
        if _started and not _active:
            _started = False
            tracemalloc.stop()

    def _note_peak(self, picture):
        if (self._peak is None
                or picture.traced_memory[1] > self._peak.traced_memory[1]):
            self._peak = picture

    def _why_not(self):
        if self._entered:
            return "the region has not ended yet"
        if self._limit is None:
            return "the region has not begun: use it in a with statement"
        return "tracing was stopped inside of the region"

    # Results

    def _pictures(self):
        if self._last is None:
            raise RuntimeError(self._why_not())
        return self._first, self._last

    def _change(self, figure):
        # What was freed in places that the tracer has let go of counts too.
        item = 1 if figure.endswith("_bytes") else 0
        first, last = (
            sum(getattr(picture, f"context_{figure}"), picture.reclaimed[item])
            for picture in self._pictures())
        return last - first

    allocated_size = property(lambda self: self._change("allocated_bytes"))
    allocated_count = property(lambda self: self._change("allocated_blocks"))
    freed_size = property(lambda self: self._change("freed_bytes"))
    freed_count = property(lambda self: self._change("freed_blocks"))
    size = property(lambda self: self.allocated_size - self.freed_size)
    count = property(lambda self: self.allocated_count - self.freed_count)

    @property
    def peak_size(self):
        first, _ = self._pictures()
        return self._peak.traced_memory[1] - first.traced_memory[0]

    def _snapshot(self, name):
        self._pictures()
        if name not in self._snapshots:
            picture = {"before": self._first, "after": self._last,
                       "at_peak": self._peak}[name]
            columns = Picture.wrap(picture)
            if name == "at_peak":
                for column in ROWS:
                    setattr(columns, column, None)
            self._snapshots[name] = tracemalloc.Snapshot._of(
                columns, self._limit, self._describe(name, picture))
        return self._snapshots[name]

    def _describe(self, name, picture):
        current, peak = picture.traced_memory
        return self._metadata | {
            "time": {"before": self._began, "at_peak": None}.get(
                name, self._metadata["time"]),
            "traced_memory": current, "traced_memory_peak": peak,
            "dropped": picture.dropped}

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
        parts = [f"{name} {about}{tracemalloc._format_size(size, False)} "
                 f"({about}{count} block{'s' * (abs(count) != 1)})"
                 for name, size, count in (
                     ("allocated", self.allocated_size, self.allocated_count),
                     ("freed", self.freed_size, self.freed_count),
                     ("kept", self.size, self.count))]
        peak = tracemalloc._format_size(self.peak_size, False)
        return f"{', '.join(parts)}, peak {about}{peak}"

    def __repr__(self):
        return f"<Region: {self}>"
