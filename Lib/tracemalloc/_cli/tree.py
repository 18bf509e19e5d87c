"""tree: who called whom, and what share of the memory that was.

Of two snapshots: which calls lead to what grew.
"""

import json
import sys
from functools import partial, reduce
from itertools import islice
from operator import add, or_

import _tracemalloc

from tracemalloc._cli import mine, rows
from tracemalloc._cli.branches import Branches, Chain
from tracemalloc._cli.files import Progress, both_of, load_one_or_two
from tracemalloc._cli.names import names_of
from tracemalloc._cli.options import Parser, checked
from tracemalloc._cli.programs import tell_changes
from tracemalloc._cli.screen import Screen, printable
from tracemalloc._cli.units import number, percent
from tracemalloc._columns import Members
from tracemalloc._groups import module_of
from tracemalloc._installed import is_import
from tracemalloc._stacks import Stacks, data_of

_GROUPS = ("lineno", "function", "filename")


def _parser():
    parser = Parser(
        "tree", "Show who called whom to allocate memory; of two snapshots, "
        "what grew.",
        "tree --min 5% --depth 12 snapshot.tmz")
    parser.add_one_or_two()
    parser.add_group_by(choices=_GROUPS)
    parser.add_argument("--inverted", action="store_true",
                        help="begin with the lines that allocate, and show "
                             "their callers below")
    parser.add_argument("--import-frames", action="store_true",
                        help="show the calls by which import statements run "
                             "modules, too")
    parser.add_argument("--unfold", action="store_true",
                        help="show each call of the chains through libraries "
                             "that one line stands for")
    parser.add_argument("--depth", type=checked(number), default=0,
                        metavar="N", help="show N levels (default: all)")
    parser.add_argument("--min", type=checked(percent), default=1.0,
                        metavar="PERCENT",
                        help="leave out what is less than that share of the "
                             "total, or of all that changed (default: 1)")
    parser.add_figure()
    parser.add_full_paths()
    parser.add_filters()
    parser.add_mine()
    return parser


# What tells the nodes below another one apart.
_COLUMNS = {
    "lineno": ("file", "line"),
    "filename": ("file",),
    "function": ("file", "function"),
}


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
    the stacks is below, [(node of the stacks, *figures)], and `sums` are the
    sums of these figures, the size and the count first.
    """

    __slots__ = ("_source", "parent", "key", "sums", "entries", "_below")

    def __init__(self, source, parent, key, entries, sums=None):
        self._source, self.parent = source, parent
        self.key, self.entries = key, entries
        self.sums = _added(entries) if sums is None else sums
        self._below = None

    size = property(lambda self: self.sums[0])
    count = property(lambda self: self.sums[1])
    # What a --min is compared with, in bytes or blocks.
    weight = property(lambda self: self.sums[:2])

    @property
    def folded(self):
        """How many frames of import machinery are shown nowhere."""
        own = self._source.own
        return sum(not any(column[at] for column in own)
                   for at in self._source.imports)

    @property
    def frame(self):
        """The Location; None at the root."""
        return None if self.parent is None else self._source.location(self)

    def below(self):
        """Return the nodes below, in no particular order."""
        if self._below is None:
            self._below = [
                type(self)(self._source, self, key, entries)
                for key, entries in self._source.below(self).items()]
        return self._below

    def holds_itself(self):
        """Whether something of it is not below: its own.

        Of two snapshots, that is what changed.
        """
        below = self.below()
        return not below or self._source.allocates_first(self) or any(
            whole != sum(each) for whole, *each in zip(
                self.sums[-2:], *(node.sums[-2:] for node in below)))

    def figures(self, by_count=False):
        """Return bytes and blocks, the figure to sort by first."""
        return ((self.count, self.size) if by_count
                else (self.size, self.count))

    def sort_key(self):
        """Return what tells nodes of equal figures apart."""
        return self._source.sort_key(self.entries[0])

    def to_json(self):
        return {"size": self.size, "count": self.count}


class Change(Node):
    """A frame in a tree of two snapshots.

    Its figures are those of the newer one, then those of the older one, and
    by how much contexts below it have changed, one way or the other.
    """

    __slots__ = ()

    size_diff = property(lambda self: self.sums[0] - self.sums[2])
    count_diff = property(lambda self: self.sums[1] - self.sums[3])
    weight = property(lambda self: self.sums[4:])

    @property
    def state(self):
        """'new' or 'gone' if it is in one of the snapshots only, or ''."""
        return rows.state_of(self.sums[:2], self.sums[2:4])

    def figures(self, by_count=False):
        size, count = abs(self.size_diff), abs(self.count_diff)
        return (count, size) if by_count else (size, count)

    def to_json(self):
        found = {"size": self.size, "size_diff": self.size_diff,
                 "count": self.count, "count_diff": self.count_diff}
        return found | {"state": self.state} if self.state else found


def _added(entries):
    """Return the sums of the figures of entries, of which there are some."""
    if len(entries) == 1:
        return entries[0][1:]
    return tuple(map(sum, islice(zip(*entries), 1, None)))


class _Source:
    """What nodes are made of; either way up.

    figures -- lists of numbers by context: sizes and counts, and for two
               snapshots those of the older one behind them
    """

    def __init__(self, stacks, group_by, figures, import_frames):
        self.stacks = stacks
        self.node = Node if len(figures) == 2 else Change
        self.group_by = group_by
        numbers, _ = _tracemalloc._number_rows(
            *map(stacks.column, _COLUMNS[group_by]))
        self.keys = memoryview(numbers).cast("I")
        self.launchers = self._in_files(rows.is_launcher)
        self.imports = (frozenset() if import_frames
                        else self._in_files(is_import))
        self.own = list(map(stacks.own, figures))
        if self.node is Change:
            # What grows here must not hide what shrinks there.
            self.own += [[abs(now - then) for now, then in zip(*pair)]
                         for pair in zip(self.own[:2], self.own[2:])]

    def _in_files(self, is_wanted):
        """Return the nodes whose frames are in such files."""
        names, files = self.stacks.data.names, self.stacks.column("file")
        wanted = [file for file in {*files} if is_wanted(names[file])]
        nodes = Members(files, len(names)) if wanted else ()
        # The root has no file, whatever its number.
        return {node for file in wanted for node in nodes[file] if node}

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
        self._all = [stacks.above(own, parents) for own in self.own]
        self._callees = Members(stacks.parents, len(stacks))

    def root(self):
        sums = tuple(column[0] for column in self._all)
        return self.node(self, None, None, [(0, *sums)], sums)

    def allocates_first(self, node):
        return False

    def allocates(self, node):
        """Whether the node is a line and all of it was allocated there."""
        if self.group_by != "lineno":
            return False
        return all(whole == sum(own[entry[0]] for entry in node.entries)
                   for whole, own in zip(node.sums, self.own))

    def below(self, node):
        """Return {key: entries} of what is below a node."""
        found = {}
        keys = self.keys
        # What is not in them is not there: of what changed, it did not.
        sizes, counts = self._all[-2:]
        if node.parent is None:
            within = [0, *self.launchers]
            for launcher in self.launchers:
                self._add_own(found, launcher)
        else:
            # Of the others, what they allocate themselves is shown alone.
            within = [at for at, *_ in node.entries
                      if at not in self.imports and at not in self.launchers]
        while within:
            for child in self._callees[within.pop()]:
                if child in self.launchers or not child:
                    # The root is its own parent, but nobody's callee.
                    pass
                elif child in self.imports:
                    self._add_own(found, child)
                    within.append(child)
                elif keys[child] == node.key and self.group_by != "lineno":
                    # Calls inside of a file or function are no level.
                    within.append(child)
                elif sizes[child] or counts[child]:
                    self._add(found, child, self._all)
        return found

    def _add_own(self, found, node):
        if self.own[-2][node] or self.own[-1][node]:
            self._add(found, node, self.own)

    def _add(self, found, node, columns):
        found.setdefault(self.keys[node], []).append(
            (node, *[column[node] for column in columns]))


class _Callers(_Source):
    """What allocates stands above its callers.

    An entry of a node is a frame of it, and what came to it from above.
    """

    def root(self):
        entries = [(node, *sums) for node, sums in enumerate(zip(*self.own))
                   if sums[-2] or sums[-1]]
        return self.node(self, None, None, entries,
                         tuple(map(sum, self.own)))

    def allocates(self, node):
        return self.group_by == "lineno" and node.parent.parent is None

    def allocates_first(self, node):
        return node.parent.parent is None

    def below(self, node):
        if node.parent is None:
            found = {}
            for entry in node.entries:
                found.setdefault(self.keys[entry[0]], []).append(entry)
            return found
        sums = {}
        parents = self.stacks.parents
        passed = self.imports
        for at, *figures in node.entries:
            if at in self.launchers:
                continue
            at = parents[at]
            while at in passed or (
                    at and self.keys[at] == node.key
                    and self.group_by != "lineno"):
                at = parents[at]
            if at and at not in self.launchers:
                known = sums.get(at)
                sums[at] = figures if known is None else list(
                    map(add, known, figures))
        found = {}
        for at, figures in sums.items():
            found.setdefault(self.keys[at], []).append((at, *figures))
        return found


def build(snapshot, group_by="lineno", inverted=False, sort="size",
          import_frames=True):
    """Return the root of the tree.  O(call paths)."""
    data, limit = data_of(snapshot)
    figures = rows.columns(data, sort, *rows.figures_of(sort))
    return _build(data, limit, figures, group_by, inverted, import_frames)


def build_growth(both, group_by="lineno", inverted=False, sort="size",
                 import_frames=True):
    """Return the root of the tree of what changed: a Change.

    both -- Together of tracemalloc._growth.  O(call paths of both).
    """
    return _build(both.data, both.limit, rows.both_columns(both, sort),
                  group_by, inverted, import_frames)


def _build(data, limit, figures, group_by, inverted, import_frames):
    stacks = Stacks(data, limit, _COLUMNS[group_by],
                    reduce(partial(map, or_), figures))
    source = (_Callers if inverted else _Callees)(
        stacks, group_by, figures, import_frames)
    return source.root()


class _Table:
    """How the nodes of a tree are shown as rows."""

    def __init__(self, options, snapshots):
        self._by_count = rows.is_count(options.sort)
        self._group_by = options.group_by
        self._sort = options.sort
        self._heads = rows.FAMILIES[rows.family_of(options.sort)][2:]
        self._module_of = partial(
            module_of, folders=mine.folders_of(*snapshots))
        self._names = names_of(*snapshots, full=options.full_paths)

    def _in_order(self, size, share, count, call):
        return [count, share, size, call] if self._by_count else [
            size, share, count, call]

    def rows(self, root, lines):
        """Return the head, and rows for (text before a node, node)."""
        return self.head(), [self.row(*line, root) for line in lines]

    def head(self):
        return self._in_order(self._heads[0], "share", self._heads[1], "call")

    def row(self, mark, node, root):
        label = self.label(node)
        return (self._in_order(
            rows.bytes_text(node.size),
            rows.share_of(node.figures(), root.figures(), self._sort),
            rows.blocks_text(node.count), (mark, label)),
            ["size", None, None, self._style(node)], [])

    @staticmethod
    def _style(node):
        return "location" if isinstance(node, Node) and node.parent is not \
            None else "head"

    def label(self, node):
        if isinstance(node, Chain):
            return node.text(self._module_of)
        if node.frame is None:
            return "total"
        if self._group_by == "filename":
            return printable(self._names(node.frame.filename))
        if self._group_by == "function":
            name = node.frame.function
            text = printable(self._names(node.frame.filename))
            return f"{text}:{printable(name)}" if name else text
        return rows.frame_text(node.frame, self._names)


class _ChangeTable(_Table):
    """How what changed is shown as rows."""

    def rows(self, root, lines):
        head, found = super().rows(root, lines)
        at = head.index("")
        if any(cells[at] for cells, *_ in found):
            return head, found
        # There is neither what is new nor what is gone.
        for each in head, *(part for row in found for part in row[:2]):
            del each[at]
        return head, found

    def head(self):
        size, count = self._heads
        if self._by_count:
            return ["change", count, "change", size, "", "call"]
        return ["change", size, "change", count, "", "call"]

    def row(self, mark, node, root):
        sizes = [rows.bytes_text(node.size_diff, True),
                 rows.bytes_text(node.size)]
        counts = [rows.blocks_text(node.count_diff, True),
                  rows.blocks_text(node.count)]
        state = node.state if node.parent is not None else ""
        first = node.count_diff if self._by_count else node.size_diff
        change = "more" if first > 0 else "less" if first else None
        numbers = counts + sizes if self._by_count else sizes + counts
        return ([*numbers, state, (mark, self.label(node))],
                [change, None, None, None,
                 {"new": "more", "gone": "less"}.get(state),
                 self._style(node)], [])


def _write_json(options, tree):
    if options.new is None:
        head = {"file": options.file}
    else:
        head = {"old": options.file, "new": options.new}
    head |= {"group_by": options.group_by, "inverted": options.inverted,
             "sort": options.sort}
    sys.stdout.write(json.dumps(head)[:-1] + ', "tree": ')
    tree.write_json(options.group_by, sys.stdout.write)
    print("}")


def _title(options, root):
    by = f"by {rows.figure_text(options.sort)}"
    if options.new is None:
        if not any(root.figures()):
            return f"{options.file}: no blocks"
        what = ("callers of the lines that allocate" if options.inverted
                else "calls that lead to memory")
        return f"{options.file}: {what}, {by}"
    names = f"{options.file} -> {options.new}"
    if not any(root.weight):
        return f"{names}: nothing changed"
    what = ("callers of the lines that changed" if options.inverted
            else "calls that lead to what changed")
    net = rows.change_text(root.size_diff, root.count_diff)
    return f"{names}: net {net}; {what}, {by}"


def main(arguments):
    options = _parser().parse_args(arguments)
    snapshots = load_one_or_two(options)
    with Progress("building the tree"):
        how = (options.group_by, options.inverted, options.sort,
               options.import_frames)
        if options.new is None:
            root = build(*snapshots, *how)
        else:
            root = build_growth(both_of(options, *snapshots), *how)
    installed = (None if options.unfold or options.json else
                 mine.installed(snapshots, options.mine))
    tree = Branches(root, options.depth, options.min,
                    rows.is_count(options.sort), installed)
    if options.json:
        _write_json(options, tree)
        return 0
    screen = Screen(options.color)
    screen.title(_title(options, root))
    if not any(root.weight):
        return 0
    rows.write_notes(screen, options, *snapshots)
    table = (_Table if options.new is None else _ChangeTable)(options,
                                                              snapshots)
    lines = list(tree.lines())
    screen.table(*table.rows(root, lines))
    if root.folded:
        screen.write(f"({rows.plural(root.folded, 'frame')} of import folded; "
                     "--import-frames shows them)", "head")
    if tree.left_out:
        screen.write(f"({rows.plural(tree.left_out, 'branch', 'branches')} "
                     f"below {options.min:g}% left out; --min 0 shows all)",
                     "head")
    rows.write_cut(screen, snapshots[-1])
    if options.new is not None and options.group_by == "lineno":
        tell_changes((node.frame for _, node in lines
                      if getattr(node, "frame", None) is not None),
                     *zip((options.file, options.new), snapshots))
    return 0
