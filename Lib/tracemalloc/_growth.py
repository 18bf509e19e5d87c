"""Snapshots in one table: what they have in common along the call paths.

Statistics compare groups by their names.  Where callers are looked at, too,
the stacks of all snapshots have to be one trie: then any figure of a node is
known of each, and so is what is below it.

    Together    the contexts of two snapshots or more, one behind the other

All figures are exact, as they are in the snapshots.  Loaded on first use.
"""

from array import array
from itertools import accumulate, repeat

from tracemalloc._columns import (
    ACCOUNTS, COLUMNS, CONTEXTS, NAMED, PATHS, ROWS, SnapshotData, as_array)
from tracemalloc._stacks import data_of


def _frames_kept(snapshot, limit):
    """Return how many frames of a call path can be compared."""
    told = snapshot.traceback_limit
    # Traces of a pickle have no limit but what they were recorded with.
    return told if type(told) is int and 0 < told < limit else limit


class Together:
    """The contexts of snapshots, in the order of these.

    data     -- SnapshotData without blocks, since figures are apart; equal
                names have one number
    limit    -- frames of call paths that count: the lowest of the limits, but
                of one snapshot as many as it has
    limits   -- those of all
    starts   -- where the contexts of each begin, and where the last ends

    *known* are what data_of() returns for the snapshots, if somebody has it.
    O(contexts and paths of all).  Raises SnapshotFormatError if what limits
    cut off call paths takes more memory than loading was allowed.
    """

    def __init__(self, snapshots, known=None):
        self._parts, limits = zip(*(known or map(data_of, snapshots)))
        self.limits = tuple(map(_frames_kept, snapshots, limits))
        self.limit = min(self.limits if len(snapshots) > 1 else limits)
        self.starts = [0, *accumulate(map(len, self._parts))]
        for data in self._parts:
            if data.max_size is not None:
                data.afford_cut(self.limit)
        self.data = self._join()

    def _join(self):
        known = {"": 0}
        numbers = [array("I", [known.setdefault(name, len(known))
                               for name in data.names])
                   for data in self._parts]
        # Paths are numbered behind those of the parts before; there is one
        # root.
        places = [0, *accumulate(len(data.path_parent) - 1
                                 for data in self._parts)]
        columns = {name: array(code) for name, code in ROWS.items()}
        wanted = [*PATHS, *CONTEXTS]
        wanted += [name for name in ACCOUNTS
                   if any(getattr(data, name) is not None
                          for data in self._parts)]
        for name in wanted:
            code = COLUMNS[name]
            joined = array(code)
            for data, number, place in zip(self._parts, numbers, places):
                column = getattr(data, name)
                if column is None:
                    column = array(code, repeat(0, len(data)))
                elif name in NAMED:
                    column = map(number.__getitem__, column)
                elif name in ("path_parent", "context_path"):
                    column = _moved(column, place)
                column = as_array(code, column)
                joined.extend(column[1:] if name in PATHS and joined
                              else column)
            columns[name] = joined
        data = SnapshotData(list(known), **columns)
        data.max_size = min((each.max_size for each in self._parts
                             if each.max_size is not None), default=None)
        return data

    def figures(self, columns_of):
        """Return what contexts have of figures, the last snapshot's first.

        *columns_of* is called with the data of a snapshot, and returns
        columns or lists by context.  For each of them there is a list of what
        contexts have in the last snapshot, and behind those the lists of what
        they have in the one before, and so on; it is 0 in all but their own.
        """
        found, end = [], self.starts[-1]
        for number in range(len(self._parts) - 1, -1, -1):
            before, after = self.starts[number], end - self.starts[number + 1]
            found += [[*repeat(0, before), *column, *repeat(0, after)]
                      for column in columns_of(self._parts[number])]
        return found


def _moved(numbers, by):
    """Return numbers of rows of a table that has moved; the root has not."""
    return [number + by if number else 0 for number in numbers]
