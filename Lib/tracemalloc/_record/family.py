"""The records of several processes as one snapshot."""

from array import array
from itertools import chain, repeat

from tracemalloc._columns import (
    ACCOUNTS, CONTEXTS, NAMED, PATHS, ROWS, TOTALS, SnapshotData)
from tracemalloc._snapshot import Snapshot


def merge(pictures):
    """Return one Snapshot of several Pictures; the first one tells the rest.

    Contexts stay apart; names and call paths that are equal become one.  What
    was live at the peak is that of each process, whose peaks were at other
    moments: the sum is what all together held at most, if they met.
    O(contexts) of all.
    """
    merged = Merged()
    for picture in pictures:
        merged.add(picture.snapshot().traces._data)
    first = pictures[0].snapshot()
    metadata = dict(first.metadata)
    for name, values in (
            ("traced_memory", [each.current for each in pictures]),
            ("traced_memory_peak", [each.peak for each in pictures]),
            ("dropped", [each.dropped for each in pictures]),
            ("rss", [each.rss or 0 for each in pictures]),
            ("tracer_memory", [each.snapshot().metadata["tracer_memory"]
                               for each in pictures])):
        metadata[name] = sum(values)
    metadata["time"] = max(each.written for each in pictures) / 1e9
    metadata["path"] = list(dict.fromkeys(chain.from_iterable(
        each.snapshot().metadata["path"] for each in pictures)))
    metadata["processes"] = [each.pid for each in pictures]
    metadata["record"] = metadata["record"] | {
        "states": [each.state for each in pictures],
        "oldest": min(each.written for each in pictures) / 1e9}
    limit = max(each.snapshot().traceback_limit for each in pictures)
    return Snapshot._of(merged.data(), limit, metadata)


class Merged:
    """Columns of several snapshots, one behind the other."""

    def __init__(self):
        self._names = {"": 0}
        self._paths = {}
        self._unknown = False
        self._columns = {name: array(code) for name, code in
                         (PATHS | CONTEXTS | ACCOUNTS | TOTALS
                          | ROWS).items()}
        for name in PATHS:
            self._columns[name].append(0)

    def data(self):
        columns = {name: column for name, column in self._columns.items()
                   if not (self._unknown and name in TOTALS)}
        if not any(columns["context_account"]):
            del columns["context_account"]
        return SnapshotData(list(self._names), **columns)

    def add(self, data):
        names = [self._names.setdefault(name, len(self._names))
                 for name in data.names]
        paths = self._add_paths(data, names)
        columns, first = self._columns, len(self._columns["context_path"])
        for name in (*CONTEXTS, *ACCOUNTS, *TOTALS):
            column = getattr(data, name)
            if column is None:
                # No process was in an account, or what is no record tells
                # what is live only.
                self._unknown |= name in TOTALS
                column = repeat(0, len(data))
            elif name in NAMED:
                column = map(names.__getitem__, column)
            elif name == "context_path":
                column = map(paths.__getitem__, column)
            columns[name].extend(column)
        columns["row_context"].extend(map(first.__add__, data.row_context))
        columns["row_size"].extend(data.row_size)
        columns["row_count"].extend(data.row_count)

    def _add_paths(self, data, names):
        """Return the numbers that the paths of some data have here."""
        numbers, columns = [0], self._columns
        rows = zip(data.path_parent, data.path_file, data.path_function,
                   data.path_line)
        next(rows)
        for parent, file, function, line in rows:
            key = numbers[parent], names[file], names[function], line
            number = self._paths.get(key)
            if number is None:
                number = self._paths[key] = len(columns["path_parent"])
                for name, value in zip(PATHS, key):
                    columns[name].append(value)
            numbers.append(number)
        return numbers
