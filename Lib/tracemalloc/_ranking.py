"""Groups in the order that statistics list them, and changes of groups.

    ranking()   the groups of a snapshot
    Changes     those of two snapshots, and what changed
"""

from itertools import chain, compress, count
from operator import or_, sub

from tracemalloc._groups import NO_DETAILS, TOTALS

# Figures to sort by; one has a second name.
_FIGURES = {name: name for name in ("size", "count", *TOTALS)}
_FIGURES["temporary"] = "freed_count"


def _figure_named(sort_by):
    # `in` on a list, since what was passed need not be hashable.
    if sort_by not in list(_FIGURES):
        raise ValueError(f"unknown sort_by: {sort_by!r}; "
                         f"choose one of {', '.join(_FIGURES)}")
    return _FIGURES[sort_by]


def is_live_figure(sort_by):
    """Whether a figure is about live blocks only."""
    return _figure_named(sort_by) in ("size", "count")


def _known(figures, sort_by, why):
    if figures is None:
        raise ValueError(f"cannot sort by {sort_by!r}: {why}")
    return figures


def _sort_keys(names, call_paths):
    """Return what sorts names of groups as their frames, oldest first, do."""
    if call_paths is None:
        return [frames[::-1] for frames in names]
    return call_paths.sort_keys(names)


LIVE_ONLY = ("this snapshot tells live blocks only, as those do that were "
              "pickled or made of traces")


def figure_columns(data, figures, sort_by):
    """Return columns or lists of figures, by context.

    Raises ValueError, which names *sort_by*, if one is not known.
    """
    live = dict(zip(("size", "count"), data.live()))
    return [live[name] if name in live
            else _known(getattr(data, TOTALS[name]), sort_by, LIVE_ONLY)
            for name in figures]


def rankable(groups, sort_by):
    """Return (groups, the figure to sort by, which of them are listed).

    The groups are the ones to look into for more; None lists all of them.
    """
    figure = _figure_named(sort_by)
    if is_live_figure(sort_by):
        return groups, groups.figure(figure), None
    # What was freed again can be much, where nothing is live.
    groups = groups.whole()
    found = _known(groups.figure(figure), sort_by, LIVE_ONLY)
    return groups, found, list(map(or_, map(bool, found),
                                   map(bool, groups.figure("count"))))


def ranking(groups, sort_by, first=None, selectors=None):
    """Return groups in the order of Snapshot.statistics().

    That is (groups, rows), the groups to look into for more, and rows of
    (size, count, number of the group); of the *first* ones only, if told.
    *selectors*, if any, say which groups are listed, in place of what
    statistics() would list.
    """
    groups, figure, listed = rankable(groups, sort_by)
    rows = zip(figure, groups.figure("size"), groups.figure("count"),
               _sort_keys(groups.names, groups.call_paths), count())
    if selectors is None:
        selectors = listed
    if selectors is not None:
        rows = compress(rows, selectors)
    if first is None:
        rows = sorted(rows, reverse=True)
    else:
        from heapq import nlargest

        rows = nlargest(first, rows)
    return groups, [(size, number, at) for _, size, number, _, at in rows]


class Changes:
    """The groups of two snapshots, and what changed.

    With *everything*, those are among them where nothing was live.
    """

    def __init__(self, new, old, everything):
        if everything:
            new, old = new.whole(), old.whole()
        if new.call_paths is not old.call_paths:
            # Their numbers mean different things.
            new.spell_out()
            old.spell_out()
        self.call_paths = new.call_paths
        self._new, self._old = new, old
        self.interval = new.interval or old.interval
        self.names = list(dict.fromkeys(chain(new.names, old.names)))
        self.tells_more = new.tells_more or old.tells_more
        self._figures = {}

    def _aligned(self, groups, name):
        """Return a figure in the order of our own names, or None."""
        if name not in ("size", "count"):
            groups = groups.whole()
        figures = groups.figure(name)
        if figures is not None:
            figures = dict(zip(groups.names, figures))
            figures = [figures.get(frames, 0) for frames in self.names]
        return figures

    def figure(self, name):
        """Return the list of how much a figure grew; None if not known."""
        if name not in self._figures:
            new, old = (self._aligned(groups, name)
                        for groups in (self._new, self._old))
            grown = None
            if new is not None and old is not None:
                grown = list(map(sub, new, old))
                if name in TOTALS and min(grown, default=0) < 0:
                    # Totals never shrink while tracing goes on.
                    grown = None
            self._figures[name] = grown
        return self._figures[name]

    def ranking(self, sort_by):
        """Return groups in the order of Snapshot.compare_to().

        Rows are (size, size_diff, count, count_diff, number of the group).
        """
        figure = _figure_named(sort_by)
        if figure in ("peak_size", "peak_count"):
            raise ValueError(f"cannot sort differences by {sort_by!r}")
        first = map(abs, _known(
            self.figure(figure), sort_by,
            "only snapshots that one process took while tracing went on, and "
            "that are not pickled, tell what happened between them"))
        size, number = (self._aligned(self._new, name)
                        for name in ("size", "count"))
        size_diff, count_diff = self.figure("size"), self.figure("count")
        rows = zip(first, map(abs, size_diff), size,
                   map(abs, count_diff), number,
                   _sort_keys(self.names, self.call_paths), count())
        rows = sorted(rows, reverse=True)
        return [(size, size_diff[at], number, count_diff[at], at)
                for _, _, size, _, number, _, at in rows]

    def frame_details(self, number, index):
        frames = self.names[number]
        for groups in (self._new, self._old):
            if groups.tells_more and frames in groups.number_of():
                return groups.frame_details(groups.number_of()[frames], index)
        return NO_DETAILS
