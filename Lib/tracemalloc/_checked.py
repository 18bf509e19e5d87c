"""Columns from elsewhere: made of raw traces, or read from files.

Loaded on first use: snapshots of this process need neither.
"""

from array import array
from collections import _count_elements
from itertools import repeat
from math import isfinite
from operator import itemgetter

import _tracemalloc

from tracemalloc._columns import (
    ACCOUNTS, CONTEXTS, MAX_DEPTH, NAMED, PATHS, ROWS, TOTALS, SnapshotData,
    as_buffer)


class Builder:
    """Columns from raw traces."""

    def __init__(self, traces):
        self._tables = {name: array(code) for name, code in
                        (PATHS | CONTEXTS | ROWS).items()}
        self._numbers = {"": 0}
        self._paths = {}
        self._known = {}        # id of frames -> their index in _stacks
        self._indexes = {}      # frames -> the same
        self._stacks = []       # (path of the callers, file, line)
        for name in PATHS:
            self._tables[name].append(0)
        try:
            self._fill(traces)
        except (TypeError, IndexError, OverflowError, ValueError) as exc:
            raise ValueError("a raw trace must be a tuple (domain, size, "
                             f"frames, total number of frames): {exc}"
                             ) from None

    def data(self):
        return SnapshotData(list(self._numbers), **self._tables)

    def _fill(self, traces):
        # Blocks are few when counted by context and size; O(blocks) is
        # counting only, in C.
        contexts = {}
        for (domain, size, frames, *total), number in _tally(traces):
            depth, = total or (None,)
            if type(size) is not int or size < 0:
                raise ValueError(f"the size is {size!r}")
            key = domain, self._stack(frames), depth
            sizes = contexts.setdefault(key, {})
            sizes[size] = sizes.get(size, 0) + number

        rows = self._tables
        for number, (context, sizes) in enumerate(contexts.items()):
            self._add_context(*context)
            rows["row_context"].extend(repeat(number, len(sizes)))
            rows["row_size"].extend(sorted(sizes))
            rows["row_count"].extend(map(sizes.get, sorted(sizes)))

    def _stack(self, frames):
        """Return the index of frames, which are walked and hashed once.

        A file of some kilobytes can have very long ones in many contexts.
        """
        index = self._known.get(id(frames))
        if index is None:
            index = self._indexes.setdefault(frames, len(self._stacks))
            # Whoever has the raw traces keeps the frames alive.
            self._known[id(frames)] = index
            if index == len(self._stacks):
                path = 0
                for filename, line in reversed(frames[1:]):
                    path = self._path(path, self._name(filename), line)
                filename, line = frames[0]
                self._stacks.append((path, self._name(filename), line))
        return index

    def _add_context(self, domain, stack, depth):
        path, file, line = self._stacks[stack]
        self._append(
            "context", path=path, file=file, function=0, line=line,
            end_line=-1, column=-1, end_column=-1, domain=domain, thread=0,
            depth=0 if depth is None else depth)

    def _name(self, name):
        if type(name) is not str:
            raise ValueError(f"the file name is {name!r}")
        return self._numbers.setdefault(name, len(self._numbers))

    def _path(self, *key):
        if key not in self._paths:
            parent, file, line = key
            self._append("path", parent=parent, file=file, function=0,
                         line=line)
            self._paths[key] = len(self._tables["path_parent"]) - 1
        return self._paths[key]

    def _append(self, table, **numbers):
        for name, number in numbers.items():
            self._tables[f"{table}_{name}"].append(number)


def _tally(traces):
    """Return pairs (raw trace, number of traces equal to it).

    Traces that are equal but do not share their frames may come apart.
    """
    counts, by_key = {}, {}
    for length in set(map(len, traces)):
        if length not in (3, 4):
            raise ValueError(f"there are {length} items")
        alike = [trace for trace in traces if len(trace) == length]
        by_key.update(zip(_keys(alike, length), alike))
        _count_elements(counts, _keys(alike, length))
    return [(by_key[key], number) for key, number in counts.items()]


def _keys(traces, length):
    """Iterate over what tells traces apart: blocks share their frames."""
    items = [map(itemgetter(item), traces) for item in range(length)]
    items[2] = map(id, items[2])
    return zip(*items)


def check(data):
    def require(true, what):
        if not true:
            raise ValueError(f"damaged snapshot: {what}")

    def check_numbers(name, length, of):
        column = as_buffer("I", getattr(data, name))
        require(_tracemalloc._highest(column) < length,
                f"{name} has no such {of}")

    names = data.names
    require(names and names[0] == "" and set(map(type, names)) == {str},
            "the first name must be empty, and all must be text")
    for table in (PATHS, CONTEXTS | ACCOUNTS | TOTALS, ROWS):
        lengths = {len(getattr(data, name)) for name in table
                   if getattr(data, name) is not None}
        require(len(lengths) <= 1, f"{min(table)} differs in length")
    for name in NAMED:
        if getattr(data, name) is not None:
            check_numbers(name, len(names), "name")

    parents = as_buffer("I", data.path_parent)
    require(len(parents) and parents[0] == 0, "there is no root")
    try:
        data.path_depths()
    except ValueError as exc:
        raise ValueError(f"damaged snapshot: {exc}") from None
    check_numbers("context_path", len(parents), "path")
    require(_tracemalloc._highest(as_buffer("I", data.context_depth))
            <= MAX_DEPTH,
            "context_depth is too large")
    if data.row_context is not None:
        check_numbers("row_context", len(data), "context")
        require(_tracemalloc._ascends(as_buffer("I", data.row_context)),
                "row_context is not in order")
    if data.context_allocated_blocks is not None:
        for unit in ("blocks", "bytes"):
            freed, allocated = (
                as_buffer("Q", getattr(data, f"context_{what}_{unit}"))
                for what in ("freed", "allocated"))
            require(_tracemalloc._never_above(freed, allocated),
                    f"context_freed_{unit} is too large")


# Metadata of files.  JSON that is deeper or has larger numbers is valid, but
# not what a snapshot has, and ends what shows it: repr() and the encoder of
# JSON recurse, and sizes are divided as floats.
_MAX_DEPTH = 50
_MAX_VALUES = 1 << 20
_MAX_NUMBER = 1 << 64
_MAX_INTERVAL = 1 << 40


def is_json(value, finite=False):
    """Whether *value* can be written as JSON, and is no monster.

    Infinite numbers, and what is no number, are only if not *finite*.
    """
    waiting, left = [(value, 0)], _MAX_VALUES
    while waiting:
        each, depth = waiting.pop()
        left -= 1
        if left < 0 or depth > _MAX_DEPTH:
            return False
        if type(each) is int:
            if abs(each) >= _MAX_NUMBER:
                return False
        elif type(each) is dict:
            if not all(type(key) is str for key in each):
                return False
            waiting += [(item, depth + 1) for item in each.values()]
        elif type(each) in (list, tuple):
            waiting += [(item, depth + 1) for item in each]
        elif type(each) is float:
            if finite and not isfinite(each):
                return False
        elif type(each) not in (str, bool, type(None)):
            return False
    return True


def is_metadata(value):
    """Whether *value* is a dict that can be the metadata of a snapshot.

    What is only shown may be anything.
    """
    if type(value) is not dict or not is_json(value):
        return False
    interval = value.get("sample_interval")
    if interval is not None and (
            type(interval) is not int or not 0 < interval <= _MAX_INTERVAL):
        return False
    return all(
        value.get(name) is None
        or type(value[name]) is int and value[name] >= 0
        for name in ("traced_memory", "traced_memory_peak"))


def metadata_json(metadata):
    """Return what of a snapshot's metadata can be written as JSON.

    What is no number is left out: Python writes and reads it, and who else
    reads JSON refuses all of it for that.
    """
    return {name: value for name, value in metadata.items()
            if type(name) is str and is_json(value, finite=True)}
