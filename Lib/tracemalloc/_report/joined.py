"""Contexts of one or more snapshots in one tree of call paths.

What _growth puts together is folded into a trie by the C module: a call path
has the same node in whatever snapshot it is.  All work is per path or per
context.

    sets    one per moment; a set has one snapshot, or several, of different
            processes

Making it raises SnapshotFormatError if what limits cut off call paths takes
more memory than loading was allowed.
"""

from array import array
from bisect import bisect_left
from functools import reduce
from itertools import chain, repeat
from operator import or_

import _tracemalloc

from tracemalloc._columns import as_array, summed
from tracemalloc._groups import TOTALS, interval_in
from tracemalloc._growth import Together
from tracemalloc._report.places import launching
from tracemalloc._stacks import data_of, folded

# Figures of a page, and the columns that they come from besides live().
FIGURES = ("size", "count", "peak_size", "peak_count", "allocated_size",
           "allocated_count", "freed_size", "freed_count")


class Part:
    """One snapshot in what is joined.

    *process* is what the process is called, if several are told apart.
    """

    def __init__(self, snapshot, set_number, process=""):
        self.set_number, self.process = set_number, process
        self.metadata = snapshot.metadata
        self.snapshot = snapshot
        self.data, self.limit = data_of(snapshot)
        self.interval = interval_in(snapshot.metadata)
        self.figures = dict(zip(FIGURES, self.data.live()))
        for figure in FIGURES[2:]:
            column = getattr(self.data, TOTALS[figure])
            if column is not None:
                self.figures[figure] = column
        if self.interval is not None:
            variances = self.data.variances(self.interval)
            if variances is not None:
                self.figures |= zip(("size_variance", "count_variance"),
                                    variances)

    def __len__(self):
        return len(self.data)


class Joined:
    """See the head of this file.

    parts       -- Part of each snapshot
    names       -- texts; the numbers below are indexes
    parents     -- node -> node of the caller; node 0 is the root
    frames      -- [(file, line, function)] of numbers of names
    frame_of    -- node -> index of frames; the root's means nothing
    nodes       -- context -> node
    figures     -- for each set {figure: list, by context of the set}
    columns     -- {name: column by context}: thread, account, domain,
                   process, end_line, column, end_column
    processes   -- titles of processes, told apart by those of parts
    spans       -- for each set (first context, end)
    """

    def __init__(self, parts):
        # A set's contexts come together.
        self.parts = sorted(parts, key=lambda part: part.set_number)
        self._together = Together(
            [part.snapshot for part in self.parts],
            [(part.data, part.limit) for part in self.parts])
        self.limit = self._together.limit
        data = self._together.data
        self.names = data.names
        self._place()
        self._fold(data)
        self.columns = {name: getattr(data, f"context_{name}") for name in (
            "domain", "end_line", "column", "end_column", "thread",
            "account")}
        if data.context_account is None:
            # Nobody was in one.
            self.columns["account"] = array("I", bytes(4 * len(data)))
        self.processes = list(dict.fromkeys(
            part.process for part in self.parts))
        self.columns["process"] = array("I", chain.from_iterable(
            repeat(self.processes.index(part.process), len(part))
            for part in self.parts))
        self.figures = [self._figures_of(number)
                        for number in range(len(self.spans))]

    def _place(self):
        """Find where the contexts of each set are; parts come by sets."""
        self.spans = []
        starts = self._together.starts
        for part, start, end in zip(self.parts, starts, starts[1:]):
            if part.set_number == len(self.spans):
                self.spans.append((start, end))
            self.spans[-1] = self.spans[-1][0], end

    def _fold(self, data):
        """Make the trie."""
        rows = {name: as_array(code, getattr(data, f"path_{name}"))
                + as_array(code, getattr(data, f"context_{name}"))
                for name, code in (("file", "I"), ("line", "i"),
                                   ("function", "I"))}
        # The root is no frame, whatever its row has.
        for column in rows.values():
            column[0] = 0
        parents = data.path_parent + data.context_path
        launchers = launching(self.names, parents, rows["file"])
        if launchers:
            parents = array("I", [
                0 if parent in launchers or row in launchers else parent
                for row, parent in enumerate(parents)])
        columns = list(rows.values())
        found = folded(parents, len(data.path_parent), self.limit, *columns)
        self.parents, sources, self.nodes = (
            array("I", column) for column in found)
        by_node = [array(column.typecode, map(column.__getitem__, sources))
                   for column in columns]
        numbers, firsts = _tracemalloc._number_rows(*by_node)
        self.frame_of = array("I", numbers)
        self.frames = [tuple(column[node] for column in by_node)
                       for node in array("I", firsts)]

    def _figures_of(self, number):
        parts = [part for part in self.parts if part.set_number == number]
        known = [name for name in (*FIGURES, "size_variance",
                                   "count_variance")
                 if all(name in part.figures for part in parts)]
        if len(parts) == 1:
            return {name: parts[0].figures[name] for name in known}
        return {name: list(chain.from_iterable(
            part.figures[name] for part in parts)) for name in known}

    def leaves(self):
        """Return by context the index of the frame that allocates."""
        return array("I", map(self.frame_of.__getitem__, self.nodes))

    # Sums

    def known(self):
        """Return the names of figures that some set has."""
        names = reduce(or_, (figures.keys() for figures in self.figures))
        return [name for name in (*FIGURES, "size_variance",
                                  "count_variance") if name in names]

    def values(self, number, figure):
        """Return a figure by context of a set, as the C module takes it."""
        column = self.figures[number][figure]
        return column if hasattr(column, "itemsize") else list(column)

    def with_callees(self, number, figure):
        """Return the sums of a set by node, what is below included."""
        start, end = self.spans[number]
        nodes = self.nodes[start:end]
        return summed(lambda values: _tracemalloc._sum_paths(
            self.parents, nodes, values), self.values(number, figure))

    def sums_of(self, contexts, keys):
        """Return the keys that differ, and [{figure: sums by key}] of sets.

        contexts -- some contexts, in order
        keys     -- what each of them counts for
        """
        known = {}
        rows = [known.setdefault(key, len(known)) for key in keys]
        sets = []
        for number, (start, end) in enumerate(self.spans):
            first, last = bisect_left(contexts, start), bisect_left(contexts,
                                                                    end)
            found = {}
            for figure, values in self.figures[number].items():
                column = [0] * len(known)
                for at in range(first, last):
                    column[rows[at]] += values[contexts[at] - start]
                found[figure] = list(map(round, column))
            sets.append(found)
        return list(known), sets

    def sums(self, numbers, count, number, figure):
        """Return a set's sums by a number that each context has."""
        start, end = self.spans[number]
        numbers = numbers[start:end]
        return summed(lambda values: _tracemalloc._sum_rows(
            numbers, count, values), self.values(number, figure))
