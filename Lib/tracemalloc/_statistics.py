"""Rows of statistics: what one group of blocks holds, and how that changed.

to_statistic() and to_difference() make them of what was added up in columns.
"""

from _tracemalloc import _quietly

from tracemalloc._text import average_text, format_size
from tracemalloc._values import Traceback, _Value

# What is defined here is the package's own, for programs, pickles and help().
__name__ = "tracemalloc"


class _Figures(_Value):
    """What statistics in columns know besides size and count."""

    __slots__ = ()

    def _figure(self, name):
        origin = getattr(self, "_origin", None)
        if origin is None:
            return None
        groups, number = origin
        figures = _quietly(groups.figure, name)
        return None if figures is None else figures[number]

    def _about(self):
        """Return what marks an estimate, or nothing."""
        origin = getattr(self, "_origin", None)
        return "" if origin is None or origin[0].interval is None else "~"


def _figure(name, text):
    return property(lambda self: self._figure(name), doc=text)


class Statistic(_Figures):
    """Live memory of one group of blocks.

    traceback -- the group's name: a Traceback; of one frame when grouped by
                 line, of one frame at line 0 when grouped by file
    size      -- bytes in use by the group
    count     -- number of blocks

    The other figures are None if the snapshot does not tell them, as one that
    was pickled.  Looking at one of them first takes O(contexts), for the whole
    list of statistics.
    """

    __slots__ = ("traceback", "size", "count")

    # Not f-strings: whatever number a program stores prints as an integer.
    _REPR = "<Statistic traceback=%r size=%i count=%i>"

    def __init__(self, traceback, size, count):
        self.traceback, self.size, self.count = traceback, size, count

    def _key(self):
        return self.traceback, self.size, self.count

    allocated_size = _figure(
        "allocated_size", "Bytes allocated since tracing began, or None.")
    allocated_count = _figure(
        "allocated_count", "Blocks allocated since tracing began, or None.")
    freed_size = _figure(
        "freed_size", "Bytes of these that were freed again, or None.")
    freed_count = _figure(
        "freed_count", "Blocks of these that were freed again, or None.")
    peak_size = _figure(
        "peak_size", "Bytes in use when traced memory was highest, or None.")
    peak_count = _figure(
        "peak_count", "Blocks in use when traced memory was highest, or None.")
    size_error = _figure(
        "size_error", "Standard error of size if it is estimated, or None.")
    count_error = _figure(
        "count_error", "Standard error of count if it is estimated, or None.")

    def __str__(self):
        about = self._about()
        size = format_size(self.size, False)
        count = "%i%s" % (self.count, average_text(self.size, self.count))
        return f"{self.traceback}: size={about}{size}, count={about}{count}"

    def __repr__(self):
        return self._REPR % self._key()


class StatisticDiff(_Figures):
    """What became of one group of blocks between two snapshots.

    traceback  -- the group's name, as in Statistic
    size       -- bytes in the newer snapshot; 0 if the group has gone
    size_diff  -- bytes gained, negative if lost; all of them for a new group
    count      -- number of blocks in the newer snapshot
    count_diff -- number of blocks gained or, if negative, lost
    """

    __slots__ = ("traceback", "size", "size_diff", "count", "count_diff")

    _REPR = "<StatisticDiff traceback=%r size=%i (%+i) count=%i (%+i)>"

    def __init__(self, traceback, size, size_diff, count, count_diff):
        self.size, self.size_diff = size, size_diff
        self.count, self.count_diff = count, count_diff
        self.traceback = traceback

    def _key(self):
        now = self.size, self.count
        change = self.size_diff, self.count_diff
        return self.traceback, now[0], change[0], now[1], change[1]

    # Known of snapshots that the same process took in this order, with tracing
    # on all the time.
    allocated_size = _figure(
        "allocated_size", "Bytes allocated between the snapshots, or None.")
    allocated_count = _figure(
        "allocated_count", "Blocks allocated between the snapshots, or None.")
    freed_size = _figure(
        "freed_size", "Bytes freed between the snapshots, or None.")
    freed_count = _figure(
        "freed_count", "Blocks freed between the snapshots, or None.")

    def __str__(self):
        about = self._about()
        size = format_size(self.size, False)
        size_diff = format_size(self.size_diff, True)
        count = "%i (%+i)%s" % (self.count, self.count_diff,
                                average_text(self.size, self.count))
        return (f"{self.traceback}: size={about}{size} ({size_diff}), "
                f"count={about}{count}")

    def __repr__(self):
        return self._REPR % self._key()


def _name_of(groups, number):
    """Return the Traceback that names a group."""
    name = groups.names[number]
    if groups.call_paths is None:
        return Traceback(name)
    return Traceback._of(groups.call_paths, name)


def to_statistic(groups, size, count, number):
    """Return the Statistic of a group; see _ranking.ranking()."""
    stat = Statistic(_name_of(groups, number), size, count)
    if groups.tells_more:
        stat._origin = stat.traceback._origin = groups, number
    return stat


def to_difference(changes, *row):
    """Return the StatisticDiff of a group; see _ranking.Changes.ranking()."""
    *figures, number = row
    diff = StatisticDiff(_name_of(changes, number), *figures)
    if changes.tells_more:
        diff._origin = diff.traceback._origin = changes, number
    return diff
