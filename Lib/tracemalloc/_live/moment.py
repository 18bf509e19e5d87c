"""What processes held at one moment, in groups or as a tree."""

from tracemalloc._cli import rows, tree
from tracemalloc._cli.files import named_part

# Of a group or a node of the tree; bytes, or blocks where the name says so.
#   live        in use
#   growth      what that grew since the mark
#   rate        allocated each second, since the moment before
#   share       of all that is in use, from 0 to 1
FIGURES = ("live", "growth", "rate", "share", "blocks", "peak", "allocated",
           "temporary_blocks")

_STATISTICS = {"live": "size", "blocks": "count", "peak": "peak_size",
               "allocated": "allocated_size",
               "temporary_blocks": "freed_count"}


class Moment:
    """Figures of one moment.

    time     -- Unix time in ns
    current, peak, blocks, rss
             -- sums over the processes, rss None if one is not known; the
                peaks of several processes need not have been at one time
    processes
             -- the Pictures of the single ones
    snapshot -- the Snapshot of all of them
    """

    def __init__(self, pictures, snapshot=None):
        self.processes = pictures
        self.time = max(picture.written for picture in pictures)
        for name in "current", "peak", "blocks", "dropped", "lost":
            setattr(self, name, sum(getattr(picture, name)
                                    for picture in pictures))
        known = [picture.rss for picture in pictures]
        self.rss = None if None in known else sum(known)
        self.sampled = any(picture.sample_interval for picture in pictures)
        self._snapshot = snapshot
        self._parts = {}
        self._grouped = {}
        self._tables = {}
        self._trees = {}

    @property
    def snapshot(self):
        if self._snapshot is None:
            self._snapshot = _merged(self.processes)
        return self._snapshot

    def parts(self, kind):
        """Return what was allocated in: names of threads, or of accounts.

        *kind* is 'thread' or 'account'; with a name, that is a *part*.
        """
        data = self.snapshot.traces._data
        numbers = getattr(data, f"context_{kind}") or ()
        return sorted({data.names[number] for number in {*numbers}} - {""})

    def _part(self, part):
        """Return the snapshot of a part, of all if that is None."""
        if part not in self._parts:
            snapshot = self.snapshot
            if part is not None:
                kind, name = part
                snapshot = named_part(snapshot, kind, {name})
            self._parts[part] = snapshot
        return self._parts[part]

    def _groups(self, group_by, cumulative, part):
        key = group_by, cumulative, part
        if key not in self._grouped:
            groups = self._part(part)._group_by(group_by, cumulative)
            self._grouped[key] = groups.whole()
        return self._grouped[key]

    def table(self, group_by, cumulative=False, part=None):
        """Return {raw frame: {figure: value}} of the groups."""
        key = group_by, cumulative, part
        if key not in self._tables:
            groups = self._groups(*key)
            columns = [groups.figure(name) for name in _STATISTICS.values()]
            self._tables[key] = {
                frames[-1]: dict(zip(_STATISTICS, figures))
                for frames, *figures in zip(groups.names, *columns)
                if not (cumulative and rows.is_launcher(frames[-1][0]))}
        return self._tables[key]

    def function_of(self, frame, group_by, cumulative=False, part=None):
        """Return the function that a group's line is in, '' if unknown."""
        groups = self._groups(group_by, cumulative, part)
        number = groups.number_of().get((frame,))
        if number is None:
            return ""
        return groups.frame_details(number, 0)[0] or ""

    def total(self, part=None):
        """Return the bytes in use of a part, or of all."""
        return sum(self._part(part).traces._data.live()[0])

    def tree(self, group_by, inverted, figure, part=None):
        """Return the root of the tree of calls, as `tree` shows it."""
        key = group_by, inverted, figure, part
        if key not in self._trees:
            self._trees[key] = tree.build(
                self._part(part), group_by, inverted,
                _STATISTICS[figure], import_frames=False)
        return self._trees[key]


def _merged(pictures):
    if len(pictures) == 1:
        return pictures[0].snapshot()
    from tracemalloc._record.family import merge

    return merge(pictures)
