"""Two snapshots in one table: what grew along the call paths.

Statistics compare groups by their names.  Where callers are looked at, too,
the stacks of both snapshots have to be one trie: then any figure of a node is
known of both, and so is what is below it.

    Both    the contexts of two snapshots, the older ones first

All figures are exact, as they are in the snapshots.  Loaded on first use.
"""

from array import array
from itertools import chain, repeat

from tracemalloc._columns import (
    COLUMNS, CONTEXTS, NAMED, PATHS, ROWS, SnapshotData, as_array)
from tracemalloc._stacks import data_of


def frames_kept(snapshot):
    """Return (data, how many frames of a call path can be compared)."""
    data, limit = data_of(snapshot)
    told = snapshot.traceback_limit
    # Traces of a pickle have no limit but what they were recorded with.
    if type(told) is int and 0 < told < limit:
        limit = told
    return data, limit


def _moved(numbers, by):
    """Return numbers of rows of a table that has moved; the root has not."""
    return [number + by if number else 0 for number in numbers]


class Both:
    """The contexts of two snapshots, the older ones first.

    data     -- SnapshotData without blocks, since figures are apart
    limit    -- frames of call paths that count: the lower of the limits
    limits   -- those of the older and of the newer snapshot

    O(contexts and paths of both).  Raises SnapshotFormatError if what limits
    cut off call paths takes more memory than loading was allowed.
    """

    def __init__(self, old, new):
        (first, old_limit), (second, new_limit) = map(frames_kept,
                                                      (old, new))
        self.limits = old_limit, new_limit
        self.limit = min(self.limits)
        self._lengths = len(first), len(second)
        self._snapshots = first, second
        self.data = self._join(first, second)
        if self.data.max_size is not None:
            self.data.afford_cut(self.limit)

    @staticmethod
    def _join(first, second):
        more_names = len(first.names)
        more_paths = len(first.path_parent) - 1
        columns = {name: array(code) for name, code in ROWS.items()}
        for name in chain(PATHS, CONTEXTS):
            code = COLUMNS[name]
            column, more = (as_array(code, getattr(data, name))
                            for data in (first, second))
            if name in ("path_parent", "context_path"):
                more = array(code, _moved(more, more_paths))
            elif name in NAMED:
                more = array(code, map(more_names.__add__, more))
            # Both have one root.
            column.extend(more[1:] if name in PATHS else more)
            columns[name] = column
        data = SnapshotData([*first.names, *second.names], **columns)
        sizes = [each.max_size for each in (first, second)
                 if each.max_size is not None]
        data.max_size = min(sizes, default=None)
        return data

    def figures(self, columns_of):
        """Return what the contexts have of figures: new ones, then old ones.

        *columns_of* is called with the data of a snapshot, and returns
        columns or lists by context.  For each of them there is a list of what
        contexts have in the newer snapshot, and behind those the lists of
        what they have in the older one; it is 0 in the other one.
        """
        old, new = map(columns_of, self._snapshots)
        n_old, n_new = self._lengths
        return ([[*repeat(0, n_old), *column] for column in new]
                + [[*column, *repeat(0, n_new)] for column in old])
