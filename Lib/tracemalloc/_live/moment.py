"""What processes held at one moment, in groups or as a tree."""

from tracemalloc._cli import rows, tree

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

    def threads(self):
        """Return the names of the threads that allocated."""
        data = self.snapshot.traces._data
        names = data.names
        return sorted({names[number] for number in {*data.context_thread}
                       if names[number]})

    def _part(self, thread):
        """Return the snapshot of one thread, of all if that is None."""
        if thread not in self._parts:
            snapshot = self.snapshot
            if thread is not None:
                data = snapshot.traces._data
                wanted = {number for number, name in enumerate(data.names)
                          if name == thread}
                snapshot = type(snapshot)._of(
                    data.keep([number in wanted
                               for number in data.context_thread]),
                    snapshot.traces._limit, snapshot.metadata)
            self._parts[thread] = snapshot
        return self._parts[thread]

    def _groups(self, group_by, cumulative, thread):
        key = group_by, cumulative, thread
        if key not in self._grouped:
            groups = self._part(thread)._group_by(group_by, cumulative)
            self._grouped[key] = groups.whole()
        return self._grouped[key]

    def table(self, group_by, cumulative=False, thread=None):
        """Return {raw frame: {figure: value}} of the groups."""
        key = group_by, cumulative, thread
        if key not in self._tables:
            groups = self._groups(*key)
            columns = [groups.figure(name) for name in _STATISTICS.values()]
            self._tables[key] = {
                frames[-1]: dict(zip(_STATISTICS, figures))
                for frames, *figures in zip(groups.names, *columns)
                if not (cumulative and rows.is_launcher(frames[-1][0]))}
        return self._tables[key]

    def function_of(self, frame, group_by, cumulative=False, thread=None):
        """Return the function that a group's line is in, '' if unknown."""
        groups = self._groups(group_by, cumulative, thread)
        number = groups.number_of().get((frame,))
        if number is None:
            return ""
        return groups.frame_details(number, 0)[0] or ""

    def total(self, thread=None):
        """Return the bytes in use of one thread, or of all."""
        return sum(self._part(thread).traces._data.live()[0])

    def tree(self, group_by, inverted, figure, thread=None):
        """Return the root of the tree of calls, as `tree` shows it."""
        key = group_by, inverted, figure, thread
        if key not in self._trees:
            self._trees[key] = tree.build(
                self._part(thread), group_by, inverted,
                _STATISTICS[figure], import_frames=False)
        return self._trees[key]


def _merged(pictures):
    if len(pictures) == 1:
        return pictures[0].snapshot()
    from tracemalloc._record.family import merge

    return merge(pictures)
