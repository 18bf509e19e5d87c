"""tree: who called whom, and what share of the memory that was."""

import json
import sys
from array import array
from operator import itemgetter, or_

import _tracemalloc

from tracemalloc._cli import rows
from tracemalloc._cli.files import Progress, load
from tracemalloc._cli.options import Parser, checked
from tracemalloc._cli.screen import Screen, printable
from tracemalloc._cli.units import number
from tracemalloc._stacks import Stacks, data_of

_GROUPS = ("lineno", "function", "filename")


def _percent(text):
    try:
        share = float(text.removesuffix("%"))
    except ValueError:
        share = -1.0
    if not 0 <= share <= 100:
        raise ValueError(f"{text!r} is no percentage from 0 to 100")
    return share


def _parser():
    parser = Parser(
        "tree", "Show who called whom to allocate memory, the biggest first.",
        "tree --min 5% --depth 12 snapshot.tmz")
    parser.add_argument("file", metavar="FILE", help="snapshot file")
    parser.add_group_by(choices=_GROUPS)
    parser.add_argument("--inverted", action="store_true",
                        help="begin with the lines that allocate, and show "
                             "their callers below")
    parser.add_argument("--import-frames", action="store_true",
                        help="show the calls by which import statements run "
                             "modules, too")
    parser.add_argument("--depth", type=checked(number), default=0,
                        metavar="N", help="show N levels (default: all)")
    parser.add_argument("--min", type=checked(_percent), default=1.0,
                        metavar="PERCENT",
                        help="leave out what is less than that share of the "
                             "total (default: 1)")
    parser.add_figure()
    parser.add_filters()
    return parser


# What tells the nodes below another one apart.
_COLUMNS = {
    "lineno": ("file", "line"),
    "filename": ("file",),
    "function": ("file", "function"),
}

# What stands between an import statement and the module's code.
_IMPORT = ("<frozen importlib._bootstrap>",
           "<frozen importlib._bootstrap_external>")


class Location:
    """Where a node is, as far as it is the same for all that is in it."""

    __slots__ = ("filename", "lineno", "function", "_details")

    def __init__(self, filename, lineno, function, details):
        self.filename, self.lineno = filename, lineno
        self.function = function
        self._details = details

    end_lineno = property(lambda self: self._details()[0])
    column = property(lambda self: self._details()[1])
    end_column = property(lambda self: self._details()[2])

    def __str__(self):
        return f"{self.filename}:{self.lineno}"


class Node:
    """A frame in the tree: bytes and blocks of it and of all below it.

    There is an object for what somebody looks at only: `entries` says what of
    the stacks is below, [(node of the stacks, size, count)].
    """

    __slots__ = ("_source", "parent", "key", "size", "count", "entries",
                 "_below")

    def __init__(self, source, parent, key, size, count, entries):
        self._source, self.parent = source, parent
        self.key, self.size, self.count = key, size, count
        self.entries = entries
        self._below = None

    @property
    def frame(self):
        """The Location; None at the root."""
        return None if self.parent is None else self._source.location(self)

    def below(self):
        """Return the nodes below, in no particular order."""
        if self._below is None:
            self._below = [
                Node(self._source, self, key,
                     sum(map(itemgetter(1), entries)),
                     sum(map(itemgetter(2), entries)), entries)
                for key, entries in self._source.below(self).items()]
        return self._below

    def figures(self, by_count=False):
        """Return bytes and blocks, the figure to sort by first."""
        return ((self.count, self.size) if by_count
                else (self.size, self.count))

    def sort_key(self):
        """Return what tells nodes of equal figures apart."""
        return self._source.sort_key(self.entries[0])


class _Source:
    """What nodes are made of; either way up."""

    def __init__(self, stacks, group_by, figures, import_frames):
        self.stacks = stacks
        self.group_by = group_by
        numbers, _ = _tracemalloc._number_rows(
            *map(stacks.column, _COLUMNS[group_by]))
        self.keys = memoryview(numbers).cast("I")
        names = stacks.data.names
        files = stacks.column("file")
        # The root has no file, whatever its number.
        self.launchers = self._of_files(files, filter(
            lambda file: rows.is_launcher(names[file]), {*files[1:]}))
        self.imports = self._of_files(files, () if import_frames else filter(
            lambda file: names[file] in _IMPORT, {*files[1:]}))
        size, count = figures
        self.own = [stacks.own(size), stacks.own(count)]

    @staticmethod
    def _of_files(files, wanted):
        wanted = {*wanted}
        if not wanted:
            return frozenset()
        return {node for node, file in enumerate(files) if file in wanted}

    def sort_key(self, entry):
        file, line, function = self.stacks.frame(entry[0])
        return {"lineno": (file, line), "filename": (file,),
                "function": (file, function)}[self.group_by]

    def location(self, node):
        """Return the Location of a node."""
        nodes = [entry[0] for entry in node.entries]
        file, line, function = self.stacks.frame(nodes[0])
        if len(nodes) > 1 and function and any(
                self.stacks.frame(node)[2] != function for node in nodes):
            function = None
        return Location(file, line, function or None,
                        lambda: self.stacks.details(nodes)
                        if self.allocates(node) else (None, None, None))


class _Callees(_Source):
    """Callers stand above what they call."""

    def __init__(self, stacks, group_by, figures, import_frames):
        super().__init__(stacks, group_by, figures, import_frames)
        # What `run` did before the program, is not above the program.
        parents = stacks.parents
        if self.launchers:
            parents = parents[:]
            for node in self.launchers:
                parents[node] = 0
        size, count = figures
        self._all = [stacks.with_callees(size, parents),
                     stacks.with_callees(count, parents)]
        self._first, self._next = _children(stacks.parents)

    def root(self):
        size, count = self._all[0][0], self._all[1][0]
        return Node(self, None, None, size, count,
                    [(0, size, count)])

    def allocates(self, node):
        """Whether the node is a line and all of it was allocated there."""
        return self.group_by == "lineno" and node.size == sum(
            self.own[0][entry[0]] for entry in node.entries)

    def below(self, node):
        """Return {key: entries} of what is below a node."""
        found = {}
        keys, after = self.keys, self._next
        size, count = self._all
        if node.parent is None:
            within = [0, *self.launchers]
            for launcher in self.launchers:
                self._add_own(found, launcher)
        else:
            # Of the others, what they allocate themselves is shown alone.
            within = [at for at, *_ in node.entries
                      if at not in self.imports and at not in self.launchers]
        while within:
            child = self._first[within.pop()]
            while child:
                if child in self.launchers:
                    pass
                elif child in self.imports:
                    self._add_own(found, child)
                    within.append(child)
                elif keys[child] == node.key and self.group_by != "lineno":
                    # Calls inside of a file or function are no level.
                    within.append(child)
                elif size[child] or count[child]:
                    found.setdefault(keys[child], []).append(
                        (child, size[child], count[child]))
                child = after[child]
        return found

    def _add_own(self, found, node):
        size, count = self.own[0][node], self.own[1][node]
        if size or count:
            found.setdefault(self.keys[node], []).append((node, size, count))


class _Callers(_Source):
    """What allocates stands above its callers.

    An entry of a node is a frame of it, and what came to it from above.
    """

    def root(self):
        entries = [(node, size, count) for node, (size, count)
                   in enumerate(zip(*self.own)) if size or count]
        return Node(self, None, None, sum(self.own[0]), sum(self.own[1]),
                    entries)

    def allocates(self, node):
        return self.group_by == "lineno" and node.parent.parent is None

    def below(self, node):
        if node.parent is None:
            found = {}
            for entry in node.entries:
                found.setdefault(self.keys[entry[0]], []).append(entry)
            return found
        sums = {}
        parents = self.stacks.parents
        passed = self.imports
        for at, size, count in node.entries:
            if at in self.launchers:
                continue
            at = parents[at]
            while at in passed or (
                    at and self.keys[at] == node.key
                    and self.group_by != "lineno"):
                at = parents[at]
            if at and at not in self.launchers:
                known = sums.get(at, (0, 0))
                sums[at] = known[0] + size, known[1] + count
        found = {}
        for at, figures in sums.items():
            found.setdefault(self.keys[at], []).append((at, *figures))
        return found


def _children(parents):
    """Return (first child by node, next child of the same node); 0: none."""
    first, after = array("I", bytes(4 * len(parents))), array("I", (0,))
    # The root is no child of its own.
    for node in range(1, len(parents)):
        parent = parents[node]
        after.append(first[parent])
        first[parent] = node
    return first, after


def build(snapshot, group_by="lineno", inverted=False, sort="size",
          import_frames=True):
    """Return the root of the tree.  O(call paths)."""
    data, limit = data_of(snapshot)
    size, count, *_ = rows.FAMILIES[rows.family_of(sort)]
    size, count = rows.columns(data, sort, size, count)
    stacks = Stacks(data, limit, _COLUMNS[group_by],
                    map(or_, size, count))
    source = (_Callers if inverted else _Callees)(
        stacks, group_by, (size, count), import_frames)
    return source.root()


class Tree:
    """What is shown of a tree."""

    def __init__(self, root, depth, percent, by_count=False):
        self._root = root
        self._depth = depth
        self._by_count = by_count
        self._least = root.figures(by_count)[0] * percent / 100
        self.left_out = 0

    def below(self, node, level):
        """Return the children of a node that are shown, the biggest first."""
        if self._depth and level >= self._depth:
            return []
        below = node.below()
        kept = [each for each in below
                if each.figures(self._by_count)[0] >= self._least]
        self.left_out += len(below) - len(kept)
        return sorted(kept, reverse=True, key=lambda each: (
            each.figures(self._by_count), each.sort_key()))

    def lines(self):
        """Yield (text before the node, node) from top to bottom.

        An only child stands below its parent without a mark, so that long
        ways without a fork do not leave the screen at the right.
        """
        waiting = [("", "", self._root, 0)]
        while waiting:
            mark, indent, node, level = waiting.pop()
            yield mark, node
            below = self.below(node, level)
            if len(below) == 1:
                waiting.append((indent, indent, below[0], level + 1))
                continue
            for each in reversed(below):
                last = each is below[-1]
                waiting.append((indent + ("`- " if last else "|- "),
                                indent + ("   " if last else "|  "),
                                each, level + 1))

    def write_json(self, group_by, write):
        """Write the tree as nested objects, however deep it is.

        The encoder of module json recurses, and call paths can be deeper than
        it may.
        """
        def text(node):
            found = {}
            if node.frame is not None:
                found = rows.frame_json(node.frame)
                if group_by != "lineno":
                    del found["lineno"]
            found |= {"size": node.size, "count": node.count}
            return json.dumps(found)[:-1] + ', "children": ['

        write(text(self._root))
        open_lists = [iter(self.below(self._root, 0))]
        separator = ""
        while open_lists:
            node = next(open_lists[-1], None)
            if node is None:
                open_lists.pop()
                write("]}")
                separator = ", "
                continue
            write(separator + text(node))
            open_lists.append(iter(self.below(node, len(open_lists))))
            separator = ""


def _label(node, group_by):
    if node.frame is None:
        return "total"
    if group_by == "filename":
        return printable(node.frame.filename)
    if group_by == "function":
        name = node.frame.function
        text = printable(node.frame.filename)
        return f"{text}:{printable(name)}" if name else text
    return rows.frame_text(node.frame)


def _write_json(options, tree):
    head = {"file": options.file, "group_by": options.group_by,
            "inverted": options.inverted, "sort": options.sort}
    sys.stdout.write(json.dumps(head)[:-1] + ', "tree": ')
    tree.write_json(options.group_by, sys.stdout.write)
    print("}")


def main(arguments):
    options = _parser().parse_args(arguments)
    snapshot = load(options.file, options)
    with Progress("building the tree"):
        root = build(snapshot, options.group_by, options.inverted,
                     options.sort, options.import_frames)
    by_count = rows.is_count(options.sort)
    tree = Tree(root, options.depth, options.min, by_count)
    if options.json:
        _write_json(options, tree)
        return 0
    screen = Screen(options.color)
    if not any(root.figures()):
        screen.title(f"{options.file}: no blocks")
        return 0
    family = rows.FAMILIES[rows.family_of(options.sort)]
    screen.title(f"{options.file}: "
                 + ("callers of the lines that allocate" if options.inverted
                    else "calls that lead to memory")
                 + f", by {rows.figure_text(options.sort)}")
    estimate = rows.estimate_text(snapshot)
    if estimate:
        screen.write(estimate, "more")
    def in_order(size, share, count, call):
        return [count, share, size, call] if by_count else [
            size, share, count, call]

    table = [(in_order(rows.bytes_text(node.size),
                       rows.share_of(node.figures(), root.figures(),
                                     options.sort),
                       rows.blocks_text(node.count),
                       (mark, _label(node, options.group_by))),
              ["size", None, None, "location" if node.frame else "head"], [])
             for mark, node in tree.lines()]
    screen.table(in_order(family[2], "share", family[3], "call"), table)
    if tree.left_out:
        screen.write(f"({rows.plural(tree.left_out, 'branch', 'branches')} "
                     f"below {options.min:g}% left out; --min 0 shows all)",
                     "head")
    return 0
