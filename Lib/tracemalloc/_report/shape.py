"""What a page shows of call paths: columns of numbers, small enough.

A page has so many nodes at most.  Nodes are kept by the highest share that
they have of any figure's total; callers have no less than what they call, so
what is kept is a tree.  What is left out below a node is one node there,
'(other)', which has the sums.  Spots are few in comparison, and have what all
contexts allocated, also those of other nodes.
"""

from array import array
from operator import gt

import _tracemalloc

from tracemalloc._cli.screen import printable
from tracemalloc._report.places import Places

OTHER = -1

# Names longer than this are cut: some are 64 kB.
_LONG_NAME, _LONG_END = 300, 80


class Limits:
    """How much there may be on a page.

    page_size   -- bytes of the file
    share       -- fraction of a total below which call paths are summed up
    nodes       -- call paths of all
    spots       -- expressions
    threads     -- threads that are told apart
    modules     -- modules that are told apart in filters
    source      -- bytes of source; 0 for none
    """

    def __init__(self, page_size=5_000_000, share=0.0, nodes=50_000,
                 spots=30_000, threads=60, modules=200, source=3_000_000):
        self.page_size, self.share, self.nodes = page_size, share, nodes
        self.spots, self.threads, self.modules = spots, threads, modules
        self.source = source

    def for_sets(self, sets):
        """Return the limits of a page with more numbers per node."""
        return self.scaled(1 if sets < 3 else 2 / sets, self.source)

    def scaled(self, factor, source=None):
        """Return smaller limits, of the same size of the file."""
        return Limits(
            self.page_size, self.share, max(int(self.nodes * factor), 50),
            max(int(self.spots * factor), 50), self.threads, self.modules,
            int(self.source * factor) if source is None else source)


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
        most = limits.nodes
        self.share = limits.share
        highest = sorted(filter(bool, shares), reverse=True)
        while True:
            if most < len(highest):
                self.share = max(self.share, highest[most])
                keep = list(map(gt, shares, [self.share] * len(shares)))
            else:
                keep = [share >= self.share and share > 0
                        for share in shares]
            self._select(joined, keep, shares)
            if len(self.parents) <= limits.nodes or most < 50:
                return
            most = int(most * max(
                0.5, 0.95 * limits.nodes / len(self.parents)))

    def _select(self, joined, keep, shares):
        parents, frames = array("I", (0,)), array("i", (OTHER,))
        number_of = array("I", bytes(4 * len(keep)))
        others = {}
        left_out = 0
        cut = set()
        of_frames = joined.frame_of
        for node, (parent, kept) in enumerate(zip(joined.parents, keep)):
            if not node:
                continue
            if kept:
                number_of[node] = len(parents)
                parents.append(number_of[parent])
                frames.append(of_frames[node])
                continue
            if not shares[node]:
                # Nothing was ever counted there.
                continue
            left_out += 1
            cut.add(of_frames[node])
            if not keep[parent]:
                number_of[node] = number_of[parent]
                continue
            above = number_of[parent]
            other = others.get(above)
            if other is None:
                other = others[above] = len(parents)
                parents.append(above)
                frames.append(OTHER)
            number_of[node] = other
        self.parents, self.frames, self.number_of = parents, frames, number_of
        self.left_out, self.cut = left_out, cut


class Shape:
    """The columns of a page, without what tells of snapshots and sources."""

    def __init__(self, joined, shares, limits):
        self.joined = joined
        self._places = Places([part.metadata for part in joined.parts])
        self.kept = Kept(joined, shares, limits)
        self._threads = self._chosen_threads(limits.threads)
        self._number_groups(limits)
        self._number_rows()
        self._number_spots(limits.spots)
        self._number_frames()

    # Groups: thread, domain, process, and module of what allocates

    def _chosen_threads(self, most):
        """Return {thread: what it counts as}; -1 for those of the rest."""
        joined, sums = self.joined, {}
        threads = joined.columns["thread"]
        for number, (start, end) in enumerate(joined.spans):
            for thread, size in zip(threads[start:end],
                                    joined.values(number, "size")):
                sums[thread] = sums.get(thread, 0) + size
        order = sorted(sums, key=lambda thread: (-sums[thread], thread))
        return {thread: thread if place < most else -1
                for place, thread in enumerate(order)}

    def _number_groups(self, limits):
        columns = self.joined.columns
        threads = array("i", map(self._threads.__getitem__,
                                 columns["thread"]))
        modules = self._modules(limits.modules)
        numbers, firsts = _tracemalloc._number_rows(
            threads, columns["domain"], columns["process"], modules)
        self._group_of = array("I", numbers)
        self.groups = [(threads[context], columns["domain"][context],
                        columns["process"][context], modules[context])
                       for context in array("I", firsts)]

    def _modules(self, most):
        """Return by context the number of its module."""
        joined = self.joined
        of_file = {}
        for file, _, _ in joined.frames:
            of_file[file] = self._places.module(joined.names[file])
        leaves = [joined.frames[joined.frame_of[node]][0] if node else 0
                  for node in joined.nodes]
        sums = {}
        for number, (start, end) in enumerate(joined.spans):
            for file, size in zip(leaves[start:end],
                                  joined.values(number, "size")):
                module = of_file.get(file, "")
                sums[module] = sums.get(module, 0) + size
        order = sorted(sums, key=lambda module: (-sums[module], module))
        number = {module: min(place, most)
                  for place, module in enumerate(order)}
        self.modules = [*order[:most], "(other modules)"]
        return array("I", [number[of_file.get(file, "")] for file in leaves])

    # Rows and spots

    def _number_rows(self):
        joined = self.joined
        nodes = array("I", map(self.kept.number_of.__getitem__, joined.nodes))
        self._row_of, self.rows = _pairs(nodes, self._group_of)

    def _number_spots(self, most):
        joined = self.joined
        leaves = array("I", map(joined.frame_of.__getitem__, joined.nodes))
        columns = [joined.columns[name]
                   for name in ("end_line", "column", "end_column")]
        numbers, firsts = _tracemalloc._number_rows(leaves, *columns)
        places = array("I", numbers)
        spots = [(leaves[context], *(column[context] for column in columns))
                 for context in array("I", firsts)]
        places, spots = self._fewer_spots(places, spots, most)
        self._spot_of, pairs = _pairs(places, self._group_of)
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
        """Return [{figure: numbers}] of each set."""
        return [{figure: list(map(round, self.joined.sums(
                    numbers, count, each, figure)))
                 for figure in self.joined.figures[each]}
                for each in range(len(self.joined.spans))]

    def to_json(self):
        """Return what the page calls tree, as a dict of lists."""
        joined, kept, number = self.joined, self.kept, self.frame_number
        texts = _Texts(joined.names)
        frames = [joined.frames[frame] for frame in self.frames]
        place_of = files = self.file_places()
        places = self._places
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
                           for thread, _, _, _ in self.groups],
                "domain": [domain for _, domain, _, _ in self.groups],
                "process": [texts.add(joined.processes[process])
                            for _, _, process, _ in self.groups],
                "module": [texts.add(self.modules[module])
                           for _, _, _, module in self.groups],
            },
            "nodes": {"parent": kept.parents.tolist(),
                      "frame": [number[frame] for frame in kept.frames]},
            "rows": {"node": list(rows[0]), "group": list(rows[1]),
                     "sets": self._values(self._row_of, len(self.rows))},
            "spots": {"frame": [number[frame] for frame in spots[0]],
                      "endLine": list(spots[1]), "column": list(spots[2]),
                      "endColumn": list(spots[3]), "group": list(spots[4]),
                      "sets": self._values(self._spot_of, len(self.spots))},
            "names": texts.found,
        }


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
    """Return a number by place, and the pairs that differ."""
    numbers, firsts = _tracemalloc._number_rows(first, second)
    return array("I", numbers), [(first[place], second[place])
                                 for place in array("I", firsts)]
