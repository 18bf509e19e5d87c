"""What a page shows of call paths: columns of numbers, small enough.

A page has so many nodes at most.  Nodes are kept by the highest share that
they have of any figure's total; callers have no less than what they call, so
what is kept is a tree.  What is left out below a node is one node there,
'(other)', which has the sums.  Spots are few in comparison, and have what all
contexts allocated, also those of other nodes.
"""

from array import array
from itertools import compress
from operator import add, or_, sub

import _tracemalloc

from tracemalloc._cli.screen import printable
from tracemalloc._groups import NO_ACCOUNT
from tracemalloc._report.places import Places
from tracemalloc._stacks import in_order

OTHER = -1
OTHER_ACCOUNTS = "(other accounts)"

# Figures, and others that are subtracted from them on the page: what remains
# is nothing, mostly.
LIKE = {
    "peak_size": ("size",), "peak_count": ("count",),
    "allocated_size": ("size", "freed_size"),
    "allocated_count": ("count", "freed_count"),
}

# Names longer than this are cut: some are 64 kB.
_LONG_NAME, _LONG_END = 300, 80


class Limits:
    """How much there may be on a page.

    page_size   -- bytes of the file
    share       -- fraction of a total below which call paths are summed up
    nodes       -- call paths of all
    spots       -- expressions
    threads     -- threads that are told apart
    accounts    -- accounts that are told apart
    modules     -- modules that are told apart in filters
    source      -- bytes of source; 0 for none
    """

    def __init__(self, page_size=5_000_000, share=0.0, nodes=50_000,
                 spots=30_000, threads=60, modules=200, source=3_000_000,
                 accounts=200):
        self.page_size, self.share, self.nodes = page_size, share, nodes
        self.spots, self.threads, self.modules = spots, threads, modules
        self.source, self.accounts = source, accounts

    def for_sets(self, sets):
        """Return the limits of a page with more numbers per node."""
        return self.scaled(1 if sets < 3 else 2 / sets, self.source)

    def scaled(self, factor, source=None):
        """Return smaller limits, of the same size of the file."""
        return Limits(
            self.page_size, self.share, max(int(self.nodes * factor), 50),
            max(int(self.spots * factor), 50), self.threads, self.modules,
            int(self.source * factor) if source is None else source,
            self.accounts)


def shown_name(text):
    """Return a name as a page shows it: nothing that hides or turns text."""
    if len(text) > _LONG_NAME:
        text = (f"{text[:_LONG_NAME - _LONG_END]}... "
                f"({len(text):,} characters) ...{text[-_LONG_END:]}")
    return printable(text)


def shares(joined):
    """Return the highest share of each node of any figure's total."""
    found = [0.0] * len(joined.parents)
    for number in range(len(joined.spans)):
        for figure in joined.figures[number]:
            if figure.endswith("variance"):
                continue
            sums = joined.with_callees(number, figure)
            if total := sums[0]:
                found = list(map(max, found, [part / total
                                              for part in sums]))
    found[0] = 2.0
    return found


class Kept:
    """The nodes that a page shows.

    parents, frames     columns of the page's nodes; a frame may be OTHER
    number_of           node of the joined contexts -> node of the page
    share               what nodes have at least that are kept
    left_out            how many nodes are not
    cut                 frames that are in those, too
    """

    def __init__(self, joined, shares, limits):
        parents = joined.parents
        self.share = limits.share
        highest = sorted(filter(bool, shares), reverse=True)
        most = limits.nodes
        while True:
            keep = self._chosen(shares, highest, most)
            # Contexts that tell of nothing are neither shown nor left out.
            out = [share > 0 and not kept
                   for share, kept in zip(shares, keep)]
            # Those below which something is left out have one more.
            others = sum(map(keep.__getitem__, {*compress(parents, out)}))
            nodes = sum(keep) + others
            if nodes <= limits.nodes or most < 2:
                break
            most = int(most * max(0.5, 0.98 * limits.nodes / nodes))
        self.left_out = sum(map(bool, out))
        self.cut = {*compress(joined.frame_of, out)}
        self._number(joined, keep, out)

    def _chosen(self, shares, highest, most):
        if most < len(highest):
            # All of one share are kept, or none of them.
            self.share = max(self.share, highest[most])
            return list(map(self.share.__lt__, shares))
        return [share >= self.share and share > 0 for share in shares]

    def _number(self, joined, keep, out):
        self.parents = parents = array("I", (0,))
        self.frames = frames = array("i", (OTHER,))
        self.number_of = number_of = array("I", bytes(4 * len(keep)))
        others = {}
        of_parents, of_frames = joined.parents, joined.frame_of
        # Those that are not counted anywhere need no number.
        for node in compress(range(len(keep)), map(or_, keep, out)):
            if not node:
                continue
            parent = of_parents[node]
            above = number_of[parent]
            if keep[node]:
                number_of[node] = len(parents)
                parents.append(above)
                frames.append(of_frames[node])
            elif not keep[parent]:
                number_of[node] = above
            elif above in others:
                number_of[node] = others[above]
            else:
                number_of[node] = others[above] = len(parents)
                parents.append(above)
                frames.append(OTHER)


class Groups:
    """What tells apart what allocates, but for the call path, as one number.

    group_of    context -> number
    groups      [(thread, domain, process, module, account)]; a thread and an
                account is a name's number or -1, a module an index of modules
    """

    def __init__(self, joined, limits):
        self._joined = joined
        columns = joined.columns
        self.places = Places([part.metadata for part in joined.parts])
        told = [self._biggest("thread", limits.threads), columns["domain"],
                columns["process"], self._modules(limits.modules),
                self._biggest("account", limits.accounts)]
        # It takes four columns at once.
        first, _ = _tracemalloc._number_rows(*told[:2])
        numbers, firsts = _tracemalloc._number_rows(
            array("I", first), *told[2:])
        self.group_of = array("I", numbers)
        self.groups = [tuple(column[context] for column in told)
                       for context in array("I", firsts)]

    def _sizes(self, numbers, count):
        """Return the live bytes of all sets, by a number of contexts."""
        sums = [0] * count
        for each in range(len(self._joined.spans)):
            sums = list(map(add, sums, self._joined.sums(
                numbers, count, each, "size")))
        return sums

    def _biggest(self, name, most):
        """Return a column of names by context; -1 for those of the rest.

        What has no name, such as what is in no account, is not of the rest.
        """
        column = self._joined.columns[name]
        sums = self._sizes(column, len(self._joined.names))
        order = sorted({*column}, key=lambda number: (
            number != 0, -sums[number], number))
        told = {number: number if place < most else -1
                for place, number in enumerate(order)}
        return array("i", map(told.__getitem__, column))

    def _modules(self, most):
        """Return by context the number of its module."""
        joined = self._joined
        leaves = joined.leaves()
        of_file = {file: self.places.module(joined.names[file])
                   for file, _, _ in joined.frames}
        known = {module: number for number, module
                 in enumerate(dict.fromkeys(of_file.values()))}
        of_frame = [known[of_file[file]] for file, _, _ in joined.frames]
        numbers = array("I", map(of_frame.__getitem__, leaves))
        sums = self._sizes(numbers, len(known))
        order = sorted(known, key=lambda module: (-sums[known[module]],
                                                  module))
        place = [0] * len(known)
        for index, module in enumerate(order):
            place[known[module]] = min(index, most)
        self.modules = [*order[:most], "(other modules)"]
        return array("I", map(place.__getitem__, numbers))


class Shape:
    """The columns of a page, without what tells of snapshots and sources."""

    def __init__(self, joined, shares, groups, limits):
        self.joined, self.groups = joined, groups
        self.kept = Kept(joined, shares, limits)
        self._number_rows()
        self._number_spots(limits.spots)
        self._number_frames()

    # Rows and spots

    def _number_rows(self):
        joined = self.joined
        nodes = array("I", map(self.kept.number_of.__getitem__, joined.nodes))
        self._row_of, self.rows = _pairs(nodes, self.groups.group_of)

    def _number_spots(self, most):
        joined = self.joined
        leaves = joined.leaves()
        columns = [joined.columns[name]
                   for name in ("end_line", "column", "end_column")]
        numbers, firsts = _tracemalloc._number_rows(leaves, *columns)
        places = array("I", numbers)
        spots = [(leaves[context], *(column[context] for column in columns))
                 for context in array("I", firsts)]
        places, spots = self._fewer_spots(places, spots, most)
        self._spot_of, pairs = _pairs(places, self.groups.group_of)
        self.spots = [(*spots[place], group) for place, group in pairs]

    def _fewer_spots(self, places, spots, most):
        """Merge spots that are too many: into lines, then into the rest."""
        for merge in (lambda spot, size, least: (spot[0], -1, -1, -1),
                      lambda spot, size, least: spot if size > least
                      else (OTHER, -1, -1, -1)):
            if len(spots) <= most:
                break
            sums = [0] * len(spots)
            for number in range(len(self.joined.spans)):
                sums = list(map(max, sums, self.joined.sums(
                    places, len(spots), number, "size")))
            least = sorted(sums, reverse=True)[most]
            merged = [merge(spot, size, least)
                      for spot, size in zip(spots, sums)]
            known = {spot: number for number, spot
                     in enumerate(dict.fromkeys(merged))}
            to = list(map(known.__getitem__, merged))
            places = array("I", map(to.__getitem__, places))
            spots = list(known)
        return places, spots

    def _number_frames(self):
        """Number the frames that are shown, and names."""
        used = dict.fromkeys([*self.kept.frames, *(
            spot[0] for spot in self.spots)])
        used.pop(OTHER, None)
        self.frames = list(used)
        number = {frame: index for index, frame in enumerate(self.frames)}
        number[OTHER] = OTHER
        self.frame_number = number

    def file_places(self):
        """Return {number of the name: place among the page's files}."""
        files = dict.fromkeys(self.joined.frames[frame][0]
                              for frame in self.frames)
        return {file: place for place, file in enumerate(files)}

    def spot_sizes(self):
        """Yield by set the live bytes of spots."""
        for number in range(len(self.joined.spans)):
            yield self.joined.sums(self._spot_of, len(self.spots), number,
                                   "size")

    # What goes to the page

    def _values(self, numbers, count):
        """Return [{figure: numbers}] of each set, as differences.

        Figures are alike, and so are sets: what they differ by is small, and
        compressed well.  The page adds up in the same order.
        """
        found, before = [], {}
        for each in range(len(self.joined.spans)):
            sums = {figure: list(map(round, self.joined.sums(
                        numbers, count, each, figure)))
                    for figure in self.joined.figures[each]}
            for figure, others in LIKE.items():
                if figure in sums:
                    for other in others:
                        if other in sums:
                            sums[figure] = list(map(sub, sums[figure],
                                                    sums[other]))
            found.append({
                figure: list(map(sub, column, before[figure]))
                if figure in before else column
                for figure, column in sums.items()})
            before = sums
        return found

    def to_json(self):
        """Return what the page calls tree, as a dict of lists."""
        joined, kept, number = self.joined, self.kept, self.frame_number
        texts = _Texts(joined.names)
        frames = [joined.frames[frame] for frame in self.frames]
        place_of = files = self.file_places()
        places, groups = self.groups.places, self.groups.groups
        spots = list(zip(*self.spots)) or [()] * 5
        rows = list(zip(*self.rows)) or [()] * 2
        return {
            "share": kept.share, "leftOut": kept.left_out,
            "limit": joined.limit,
            "files": {
                "name": [texts.number(file) for file in files],
                "module": [texts.add(places.module(joined.names[file]))
                           for file in files],
                "kind": [places.kind(joined.names[file]) for file in files],
            },
            "frames": {
                "file": [place_of[file] for file, _, _ in frames],
                "line": [line for _, line, _ in frames],
                "function": [texts.number(name) for _, _, name in frames],
                "cut": [int(frame in kept.cut) for frame in self.frames],
            },
            "groups": {
                "thread": [texts.add("(other threads)") if thread < 0
                           else texts.number(thread)
                           for thread, *_ in groups],
                "domain": [domain for _, domain, *_ in groups],
                "process": [texts.add(joined.processes[process])
                            for _, _, process, *_ in groups],
                "module": [texts.add(self.groups.modules[module])
                           for *_, module, _ in groups],
                "account": [texts.add(OTHER_ACCOUNTS) if account < 0
                            else texts.number(account) if account
                            else texts.add(NO_ACCOUNT)
                            for *_, account in groups],
            },
            "nodes": {"parent": list(map(sub, range(len(kept.parents)),
                                         kept.parents)),
                      "frame": [number[frame] for frame in kept.frames]},
            "rows": {"node": _steps(rows[0]), "group": list(rows[1]),
                     "sets": self._values(self._row_of, len(self.rows))},
            "spots": {"frame": [number[frame] for frame in spots[0]],
                      "endLine": list(spots[1]), "column": list(spots[2]),
                      "endColumn": list(spots[3]), "group": list(spots[4]),
                      "sets": self._values(self._spot_of, len(self.spots))},
            "names": texts.found,
        }


def _steps(numbers):
    """Return how much more each number is than the one before."""
    return list(map(sub, numbers, (0, *numbers)))


class _Texts:
    """The names that a page has, numbered as they are met."""

    def __init__(self, names):
        self._names = names
        self._known = {"": 0}
        self.found = [""]

    def number(self, name):
        return self.add(self._names[name])

    def add(self, text):
        number = self._known.get(text)
        if number is None:
            number = self._known[text] = len(self.found)
            self.found.append(shown_name(text))
        return number


def _pairs(first, second):
    """Return a number by place, and the pairs that differ, sorted."""
    numbers, firsts = _tracemalloc._number_rows(first, second)
    return in_order(numbers, [(first[place], second[place])
                              for place in array("I", firsts)])
