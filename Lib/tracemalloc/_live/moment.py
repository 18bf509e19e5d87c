"""What processes held at one moment, in groups or as a tree."""

from operator import add

from tracemalloc._cli import rows, tree
from tracemalloc._cli.files import named_part
from tracemalloc._groups import Groups
from tracemalloc._stacks import data_of

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


class _One:
    """What one process held: groups are added up once for each Picture."""

    def __init__(self, snapshot):
        self.snapshot = snapshot
        self._parts, self._grouped, self._tables = {None: snapshot}, {}, {}

    def part(self, part):
        """Return the snapshot of a part, of all if that is None."""
        if part not in self._parts:
            kind, name = part
            self._parts[part] = named_part(self.snapshot, kind, {name})
        return self._parts[part]

    def groups(self, group_by, cumulative, part):
        key = group_by, cumulative, part
        if key not in self._grouped:
            snapshot = self.part(part)
            data, limit = data_of(snapshot)
            # What has nothing live may have been allocated and freed.
            self._grouped[key] = Groups(data, group_by, cumulative, limit,
                                        snapshot.metadata, live_only=False)
        return self._grouped[key]

    def table(self, group_by, cumulative, part):
        """Return {raw frame: figures in the order of _STATISTICS}."""
        key = group_by, cumulative, part
        if key not in self._tables:
            groups = self.groups(*key)
            columns = [groups.figure(name) for name in _STATISTICS.values()]
            self._tables[key] = {
                frames[-1]: figures
                for frames, figures in zip(groups.names, zip(*columns))
                if not (cumulative and rows.is_launcher(frames[-1][0]))}
        return self._tables[key]


class Moment:
    """Figures of one moment.

    time     -- Unix time in ns
    current, peak, blocks, rss
             -- sums over the processes, rss None if one is not known; the
                peaks of several processes need not have been at one time
    processes
             -- the Pictures of the single ones
    snapshot -- the Snapshot of all of them

    Pictures that another Moment, *before*, has as well are not looked at
    again.  To add up tables of processes takes as long as they have groups;
    one snapshot of all, which the tree needs, as long as they have contexts.
    """

    def __init__(self, pictures, before=None):
        self.processes = pictures
        self.time = max(picture.written for picture in pictures)
        for name in "current", "peak", "blocks", "dropped", "lost":
            setattr(self, name, sum(getattr(picture, name)
                                    for picture in pictures))
        known = [picture.rss for picture in pictures]
        self.rss = None if None in known else sum(known)
        self.sampled = any(picture.sample_interval for picture in pictures)
        known = before._ones if before is not None else {}
        # By identity: what was read again is another one.  Those of *before*
        # are still there, so nothing else has their numbers.
        self._ones = {id(each): known.get(id(each)) or _One(each.snapshot())
                      for each in pictures}
        self._snapshot = None
        self._tables, self._trees = {}, {}

    @property
    def snapshot(self):
        if self._snapshot is None:
            self._snapshot = _merged(self.processes)
        return self._snapshot

    @property
    def snapshots(self):
        """The Snapshots of the single processes."""
        return [one.snapshot for one in self._ones.values()]

    def parts(self, kind):
        """Return what was allocated in: names of threads, or of accounts.

        *kind* is 'thread' or 'account'; with a name, that is a *part*.
        """
        found = set()
        for snapshot in self.snapshots:
            data = snapshot.traces._data
            numbers = getattr(data, f"context_{kind}") or ()
            found |= {data.names[number] for number in {*numbers}}
        return sorted(found - {""})

    def table(self, group_by, cumulative=False, part=None):
        """Return {raw frame: {figure: value}} of the groups."""
        key = group_by, cumulative, part
        if key not in self._tables:
            sums = _sum_of([one.table(*key) for one in self._ones.values()])
            self._tables[key] = {frame: dict(zip(_STATISTICS, figures))
                                 for frame, figures in sums.items()}
        return self._tables[key]

    def function_of(self, frame, group_by, cumulative=False, part=None):
        """Return the function that a group's line is in, '' if unknown."""
        for one in self._ones.values():
            groups = one.groups(group_by, cumulative, part)
            number = groups.number_of().get((frame,))
            if number is not None:
                return groups.frame_details(number, 0)[0] or ""
        return ""

    def allocated(self):
        """Return the bytes and the blocks that were ever allocated."""
        return [sum(sum(getattr(snapshot.traces._data, name) or ())
                    for snapshot in self.snapshots)
                for name in ("context_allocated_bytes",
                             "context_allocated_blocks")]

    def total(self, part=None):
        """Return the bytes in use of a part, or of all."""
        return sum(sum(one.part(part).traces._data.live()[0])
                   for one in self._ones.values())

    def tree(self, group_by, inverted, figure, part=None):
        """Return the root of the tree of calls, as `tree` shows it."""
        key = group_by, inverted, figure, part
        if key not in self._trees:
            self._trees[key] = tree.build(
                _One(self.snapshot).part(part), group_by, inverted,
                _STATISTICS[figure], import_frames=False)
        return self._trees[key]


def _sum_of(tables):
    """Return what tables of several processes add up to."""
    found = dict(tables[0])
    for table in tables[1:]:
        for frame, figures in table.items():
            known = found.get(frame)
            found[frame] = figures if known is None else tuple(
                map(add, known, figures))
    return found


def _merged(pictures):
    if len(pictures) == 1:
        return pictures[0].snapshot()
    from tracemalloc._record.family import merge

    return merge(pictures)
