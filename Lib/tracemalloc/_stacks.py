"""The call stacks of a snapshot as a trie: what reports of many contexts need.

Contexts are many, frames that differ are few, and most of a stack is shared
with others.  So stacks are told apart, sorted and added up as numbers, by
functions of the C module; a frame becomes an object where it is shown.

    node        a stack that is that of a context, or of callers of some;
                0 is the empty one
    parents     node -> node of the callers
    nodes       context -> node of its stack, its own frame included

Parents have smaller numbers than what is below them.

A call path of statistics is such a number, too: see CallPaths.  A file of some
kilobytes can hold thousands of contexts that share one path of 65,534 frames:
spelled out one by one, its call paths take gigabytes.  So the frames of a
number are put together when they are asked for, and kept for a while only;
whatever needs all frames at once asks SnapshotData.afford() first.

Loaded on first use.
"""

from array import array
from itertools import compress, islice

import _tracemalloc

from tracemalloc._columns import (
    MAX_DEPTH, Members, SnapshotData, as_buffer, numbered, picked, summed,
    values_of)
from tracemalloc._paths import Recent


def data_of(snapshot):
    """Return the data of a snapshot, and how many of their frames count."""
    traces = snapshot.traces
    if traces._data is not None:
        return traces._data, traces._limit
    # All frames of traces count that there are.
    return SnapshotData.from_raw(traces._traces), MAX_DEPTH


def folded(parents, first, limit, *columns):
    """Return what _tracemalloc._fold_paths() does of the paths of a file.

    Raises SnapshotFormatError if they are more than can be folded.
    """
    try:
        return _tracemalloc._fold_paths(parents, first, limit, *columns)
    except ValueError as error:
        from tracemalloc._errors import SnapshotFormatError

        raise SnapshotFormatError(str(error)) from None


def in_order(numbers, values):
    """Return numbers of values so that they sort as these do, and the values.

    *numbers* are what _number_rows() returns, *values* those that differ.
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    rank = array("I", bytes(4 * len(values)))
    for position, number in enumerate(order):
        rank[number] = position
    return (picked("I", rank, numbers), list(map(values.__getitem__, order)))


def _joined(first, second):
    """Return the numbers of two columns as one column."""
    both = array("I")
    both.frombytes(memoryview(first).cast("B"))
    both.frombytes(memoryview(second).cast("B"))
    return both


class Stacks:
    """The stacks of a snapshot's contexts.

    limit    -- frames of a stack that count, the newest ones
    columns  -- what tells frames apart: 'file', and 'line' or 'function' or
                both
    chosen   -- contexts that count, as an iterable of what is true for these;
                None for all

    contexts -- numbers of the contexts, in the order of nodes
    """

    def __init__(self, data, limit, columns, chosen=None):
        self.data = data
        contexts = range(len(data))
        self.contexts = (contexts if chosen is None
                         else array("I", compress(contexts, chosen)))
        self._first = len(data.path_parent)
        self._columns = {}
        self._by_node = {}
        self._contexts_of = None
        found = folded(self._rows("parent"), self._first, limit,
                       *map(self._rows, columns))
        self.parents, self.sources, self.nodes = (
            array("I", column) for column in found)

    def __len__(self):
        return len(self.parents)

    def _rows(self, name):
        """Return a column of all paths, and of the chosen contexts behind."""
        if name not in self._columns:
            data = self.data
            code = "i" if name == "line" else "I"
            of_paths = as_buffer(code, getattr(data, f"path_{name}"))
            of_contexts = as_buffer(code, getattr(
                data,
                "context_path" if name == "parent" else f"context_{name}"))
            if len(self.contexts) < len(data):
                of_contexts = picked(code, of_contexts, self.contexts)
            rows = _joined(of_paths, of_contexts)
            if name != "line" and name != "parent":
                rows = self._with_one_number(rows)
            self._columns[name] = rows
        return self._columns[name]

    def _with_one_number(self, rows):
        """Return names by number so that equal names have one number."""
        names = self.data.names
        first = dict(zip(reversed(names), range(len(names) - 1, -1, -1)))
        if len(first) == len(names):
            return rows
        return picked("I", list(map(first.__getitem__, names)), rows)

    def column(self, name):
        """Return the numbers of 'file', 'line' or 'function' by node.

        Those of a context or path that ends in the node; lines are as
        unsigned numbers.
        """
        if name not in self._by_node:
            rows = self._rows(name)
            self._by_node[name] = picked("I", rows, self.sources)
        return self._by_node[name]

    def frames(self, columns=("file", "line", "function")):
        """Return (number of its frame by node, [(file, line, function)]).

        Names are text, and frames are numbered in their order.  The root has
        the number of some frame.  Frames are equal if *columns* are.
        """
        numbers, first = numbered(*map(self.column, columns))
        return in_order(numbers, list(map(self.frame, first)))

    def frame(self, node):
        """Return (file, line, function) of a node's newest frame."""
        names = self.data.names
        line = self.column("line")[node]
        return (names[self.column("file")[node]],
                line - (1 << 32) if line >> 31 else line,
                names[self.column("function")[node]])

    def merged(self, labels, numbers):
        """Return a number by node: equal if the labels of all frames are.

        *labels* are those of frames, *numbers* the indexes of theirs by node.
        """
        first = {}
        for index, label in enumerate(labels):
            first.setdefault(label, index)
        keys = picked("I", [first[label] for label in labels], numbers)
        _, _, merged = _tracemalloc._fold_paths(self.parents, 1, MAX_DEPTH,
                                                keys)
        return array("I", (0,)) + array("I", merged)

    def details(self, nodes):
        """Return (end line, column, end column) of what allocates there.

        Each is None if it is not known, or not the same in all contexts.
        """
        if self._contexts_of is None:
            self._contexts_of = Members(self.nodes, len(self))
        contexts = [self.contexts[place] for node in nodes
                    for place in self._contexts_of[node]]
        return self.data.details_in_common(contexts)[1:]

    def ranks(self, keys):
        """Return the rank of each node when stacks are sorted.

        The oldest frame counts most; *keys* are numbers that sort frames.
        """
        return array("I", _tracemalloc._rank_paths(self.parents, keys))

    # Sums

    def values(self, column):
        """Return the numbers of a column for the contexts that count."""
        return values_of(column, self.contexts, len(self.data))

    def own(self, column):
        """Return the list of the sums of a column by node."""
        return summed(lambda values: _tracemalloc._sum_rows(
            self.nodes, len(self), values), self.values(column))

    def with_callees(self, column, parents=None):
        """Return the sums by node, what is below it included.

        *parents* may name other callers of the nodes than there are.
        """
        if parents is None:
            parents = self.parents
        return summed(lambda values: _tracemalloc._sum_paths(
            parents, self.nodes, values), self.values(column))

    def above(self, own, parents=None):
        """Return the sums of what nodes have themselves and below them.

        *own* is a list of numbers by node.
        """
        if parents is None:
            parents = self.parents
        nodes = array("I", range(len(self)))
        return summed(lambda values: _tracemalloc._sum_paths(
            parents, nodes, values), own)


class CallPaths:
    """The call paths of one snapshot or of several, of at most *limit* frames.

    The numbers of snapshots that were added to one object can be compared.
    """

    def __init__(self, limit):
        self.limit = limit
        self._callers = array("I", (0,))
        self._frame_of = array("I", (0,))
        self._frames = [None]   # those that differ
        self._numbers = None    # (callers, frame) -> number
        self._lengths = None
        self._recent = Recent()
        self._order = None
        self._strictest = None  # the data with the least max_size

    def add(self, data, selectors=None):
        """Return the numbers of contexts; of all whose selector is true."""
        if data.max_size is not None:
            if (self._strictest is None
                    or data.max_size < self._strictest.max_size):
                self._strictest = data
            data.afford_cut(self.limit)
        stacks = Stacks(data, self.limit, ("file", "line"), selectors)
        numbers, frames = stacks.frames(("file", "line"))
        self._lengths = self._order = None
        if len(self._callers) == 1:
            self._callers, self._frame_of = stacks.parents, numbers
            self._frames = [frame[:2] for frame in frames]
            return stacks.nodes
        return self._add_more(stacks, numbers, frames)

    def _add_more(self, stacks, frame_of, frames):
        """Return the numbers of what may be among the call paths already."""
        known = {frame: index for index, frame in enumerate(self._frames)}
        indexes = [known.setdefault(frame[:2], len(known)) for frame in frames]
        self._frames = list(known)
        if self._numbers is None:
            keys = zip(self._callers, self._frame_of)
            self._numbers = {key: number for number, key in enumerate(keys)
                             if number}
        numbers = [0]
        for parent, frame in islice(zip(stacks.parents, frame_of), 1, None):
            key = numbers[parent], indexes[frame]
            number = self._numbers.setdefault(key, len(self._callers))
            if number == len(self._callers):
                self._callers.append(key[0])
                self._frame_of.append(key[1])
            numbers.append(number)
        return picked("I", numbers, stacks.nodes)

    def length(self, number):
        """Return how many frames a call path has."""
        if self._lengths is None:
            self._lengths = array(
                "I", _tracemalloc._path_depths(self._callers))
        return self._lengths[number]

    def frames_of(self, number):
        """Return the raw frames of a call path, the oldest first."""
        return self._recent.get(number, self._frames_of)

    def _frames_of(self, number):
        found = []
        while number:
            found.append(self._frames[self._frame_of[number]])
            number = self._callers[number]
        return tuple(reversed(found))

    def spell_out(self, numbers):
        """Return a list of frames_of() call paths."""
        if self._strictest is not None:
            self._strictest.afford(sum(map(self.length, numbers)))
        return list(map(self._frames_of, numbers))

    def sort_keys(self, numbers):
        """Return what sorts call paths as their frames do, oldest first."""
        if self._order is None:
            order = sorted(range(len(self._frames)),
                           key=self._frames.__getitem__)
            rank = array("I", bytes(4 * len(order)))
            for position, frame in enumerate(order):
                rank[frame] = position
            self._order = array("I", _tracemalloc._rank_paths(
                self._callers, picked("I", rank, self._frame_of)))
        return picked("I", self._order, as_buffer("I", numbers))
