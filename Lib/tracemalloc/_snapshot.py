"""Snapshots: what they hold, and statistics, comparisons and files of it.

What takes, compares and writes snapshots is called by _quietly(), so that its
memory is not the program's.  What the program gets, other than snapshots, is
made outside of that; so are calls of code that may be the program's.
"""

import os
from collections.abc import Iterable

from _tracemalloc import _quietly

from tracemalloc._columns import MAX_DEPTH, Blocks, SnapshotData
from tracemalloc._filters import FilterSet
from tracemalloc._groups import (
    CUMULATIVE, KEY_TYPES, RAW_KEY_TYPES, Groups, RawGroups)
from tracemalloc._ranking import Changes, is_live_figure, ranking
from tracemalloc._statistics import to_difference, to_statistic
from tracemalloc._values import _Traces

# What is defined here is the package's own, for programs, pickles and help().
__name__ = "tracemalloc"


def _unknown_key_type(key_type):
    """Return the error; its text is CPython's, the choices are a note."""
    error = ValueError(f"unknown key_type: {key_type!r}")
    choices = ", ".join(map(repr, KEY_TYPES))
    # What the command line calls so, and what 2013 did.
    meant = {"line": "lineno", "file": "filename"}.get(
        key_type if isinstance(key_type, str) else None)
    hint = f" (did you mean {meant!r}?)" if meant else ""
    error.add_note(f"key_type is one of {choices}{hint}")
    return error


class Snapshot:
    """The blocks that were alive, and traced, at one moment.

    traces          -- sequence of Trace, in no particular order
    traceback_limit -- number of frames kept per trace at that moment
    metadata        -- dict that tells of the process and the moment; empty if
                       that was not recorded

    Attributes that a program adds travel with the snapshot when it is dumped.
    A snapshot is independent of the tracer: it stays as it is when traces are
    cleared or tracing stops.  The constructor takes a list of raw traces.
    """

    def __init__(self, traces, traceback_limit):
        self.traces = _Traces(traces)
        self.traceback_limit = traceback_limit
        self.metadata = {}

    @classmethod
    def _of(cls, data, limit, metadata):
        """Return the snapshot with these data."""
        self = cls([], limit)
        self.traces = _Traces._of(Blocks(data, limit))
        self.metadata = metadata
        return self

    def __getstate__(self):
        # Not if there is nothing to tell: such a pickle is that of CPython.
        return {name: value for name, value in vars(self).items()
                if name != "metadata" or value}

    def __setstate__(self, state):
        self.metadata = {}
        vars(self).update(state)

    def filter_traces(self, filters):
        """Return a new Snapshot with the traces that *filters* let through.

        *filters* is an iterable of Filter and DomainFilter.  If there are
        inclusive ones, a trace has to match at least one of them; it must
        match none of the others.  No filter at all gives a copy.

        Time: O(contexts), matching names once per line.  O(blocks) if there
        are filters of other classes, or if the snapshot was pickled.
        Raises TypeError if *filters* cannot be iterated over.
        """
        if not isinstance(filters, Iterable):
            kind = type(filters).__name__
            raise TypeError(f"filters must be a list of filters, not {kind}")
        filter_set = FilterSet(filters)
        blocks = self.traces._blocks
        if blocks is not None and filter_set.by_context:
            selectors = filter_set.selectors(blocks.data, blocks.limit)
            result = Snapshot._of(blocks.data.keep(selectors),
                                  blocks.limit, {})
            result.traceback_limit = self.traceback_limit
        else:
            kept = list(filter(filter_set.keeps, self.traces._raw()))
            result = Snapshot(kept, self.traceback_limit)
        result.metadata = dict(self.metadata)
        return result

    def _group_by(self, key_type, cumulative, like=None):
        """Return the groups; named as those in *like*, if possible."""
        # `in` on a list and not on a set, since a wrong key type need not be
        # hashable.
        if key_type not in list(KEY_TYPES):
            raise _unknown_key_type(key_type)
        if cumulative and key_type not in CUMULATIVE:
            raise ValueError("cumulative mode cannot by used "
                             f"with key type {key_type!r}")
        blocks = self.traces._blocks
        if blocks is None:
            raw = self.traces._traces
            if (key_type in RAW_KEY_TYPES
                    and self.metadata.get("sample_interval") is None):
                return RawGroups(raw, key_type, cumulative)
            # All the frames count that there are.
            blocks = Blocks(SnapshotData.from_raw(raw),
                                     MAX_DEPTH)
        paths = getattr(like, "call_paths", None)
        if paths is not None and paths.limit != blocks.limit:
            paths = None
        return Groups(blocks.data, key_type, cumulative,
                              blocks.limit, self.metadata, paths)

    def statistics(self, key_type, cumulative=False, *, sort_by="size"):
        """Return a list of Statistic, one per group, the biggest first.

        *key_type* is one of

            'filename'
            'lineno'      file name and line number
            'traceback'
            'function'    file name and qualified name; just the file name if
                          the snapshot does not tell functions
            'module'      top-level package, told from the file name
            'thread'      name of the thread that allocated
            'account'     name of the account() that allocated
            'domain'      address space

        Blocks are named by the line that allocated them; with *cumulative*,
        for the key types where it makes sense ('filename', 'lineno',
        'function', 'module'), by every line on the call path, so that sums
        exceed the total.  By file and line a block counts once per occurrence
        on its path, by function and module once at most.

        *sort_by* is 'size', 'count' or another figure of Statistic, or
        'temporary', which is the number of blocks freed again.  With one of
        the latter, groups without live blocks are listed too, as far as the
        figure is not 0.  Ties are sorted by size, then count, then traceback;
        all descending.

        Time: O(contexts).  For snapshots that were pickled it is O(blocks),
        most of it in C.  Raises ValueError for other key types, for
        cumulative ones that make no sense, and for figures that the snapshot
        does not tell.
        """
        groups, rows = _quietly(self._rank, key_type, cumulative, sort_by)
        return [to_statistic(groups, *row) for row in rows]

    def _rank(self, key_type, cumulative, sort_by):
        return ranking(self._group_by(key_type, cumulative), sort_by)

    def compare_to(self, old_snapshot, key_type, cumulative=False, *,
                   sort_by="size"):
        """Return a list of StatisticDiff, the biggest change first.

        Groups are those of statistics(); groups of either snapshot are listed,
        the unchanged ones too.  *sort_by* is 'size' or 'count', for the
        absolute difference, or 'allocated_size', 'allocated_count',
        'freed_size', 'freed_count' or 'temporary', for what happened between
        the snapshots.  Ties are sorted by the absolute size_diff, then size,
        absolute count_diff, count and traceback; all descending.

        With one of the latter, groups that never had live blocks are listed
        too, as far as anything was allocated there in between.  Time and
        errors are those of statistics(), for both snapshots.
        """
        everything = not is_live_figure(sort_by)
        diffs = self._differences(old_snapshot, key_type, cumulative, sort_by,
                                  everything)
        if everything:
            diffs = [diff for diff in diffs if diff.count or diff.count_diff
                     or diff.allocated_count]
        return diffs

    def _differences(self, old_snapshot, key_type, cumulative, sort_by,
                     everything):
        changes, rows = _quietly(self._rank_changes, old_snapshot, key_type,
                                 cumulative, sort_by, everything)
        return [to_difference(changes, *row) for row in rows]

    def _rank_changes(self, old_snapshot, key_type, cumulative, sort_by,
                      everything):
        groups = self._group_by(key_type, cumulative)
        changes = Changes(
            groups, old_snapshot._group_by(key_type, cumulative, groups),
            everything)
        return changes, changes.ranking(sort_by)

    def _repr_html_(self):
        """Return what a notebook shows: sums, and the lines that hold most.

        Text of the snapshot is escaped; it is a few kilobytes whatever the
        snapshot has.  Time: that of statistics().
        """
        from tracemalloc import _inline

        return _quietly(_inline.snapshot_html, self)

    def dump(self, filename, *, format=None):
        """Write the snapshot to a file, which appears only when complete.

        *format* is 'pickle', which any CPython from 3.9 on can load, or
        'compact', a smaller file that keeps all that this module knows, but
        of added attributes plain values only.  By default it is 'compact' if
        the name ends in '.tmz', else 'pickle'.

        Time: O(call paths and sizes that differ) for snapshots that
        take_snapshot() made.  Raises OSError when the file cannot be written,
        ValueError for other formats, and TypeError or what pickle raises for
        attributes that cannot be kept.
        """
        if not isinstance(filename, int):
            filename = os.fspath(filename)
        if _quietly(_is_plain, self):
            _quietly(_dump, self, filename, format)
        else:
            # The program's own code may have to be asked for what it added.
            _dump(self, filename, format)

    @staticmethod
    def load(filename, *, max_size=None):
        """Return the snapshot that a file holds; tracing need not be on.

        Knows what dump() writes, the pickles of other CPythons from 3.4 on,
        and files of the 2013 interface.  Nothing that a file names is run.
        Loading uses about *max_size* bytes of memory at most, 1 GiB unless
        told otherwise; a file that needs more is refused.

        Raises OSError when the file cannot be read, and SnapshotFormatError
        when it is no snapshot, damaged, too large or of a newer format.
        """
        from tracemalloc import _format

        return _format.load(filename, max_size)


_OWN_ATTRIBUTES = {"traces", "traceback_limit", "metadata"}


def _is_plain(snapshot):
    """Return whether a program has added nothing to a snapshot."""
    return (type(snapshot) is Snapshot
            and vars(snapshot).keys() <= _OWN_ATTRIBUTES)


def _dump(snapshot, filename, format):
    from tracemalloc import _format

    _format.dump(snapshot, filename, format)
