"""tree: who called whom, and what share of the memory that was."""

import json
import sys

from tracemalloc._cli import rows
from tracemalloc._cli.files import Progress, load
from tracemalloc._cli.options import Parser, checked
from tracemalloc._cli.screen import Screen, printable
from tracemalloc._cli.units import number

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


class Node:
    """A frame in the tree: bytes and blocks of it and of all below it."""

    __slots__ = ("_traceback", "_place", "size", "count", "children")

    def __init__(self, traceback=None, place=None):
        self._traceback, self._place = traceback, place
        self.size = self.count = 0
        self.children = {}

    @property
    def frame(self):
        """The Frame; None at the root."""
        if self._traceback is None:
            return None
        return self._traceback[self._place]

    def figures(self, by_count=False):
        """Return bytes and blocks, the figure to sort by first."""
        return ((self.count, self.size) if by_count
                else (self.size, self.count))

    def below(self, by_count):
        """Return the children, the biggest first."""
        items = sorted(
            self.children.items(), reverse=True,
            key=lambda item: (item[1].figures(by_count), item[0]))
        return [node for _, node in items]


# What tells the nodes below another one apart.
_KEYS = {
    "lineno": lambda traceback, place: traceback._frames[place],
    "filename": lambda traceback, place: traceback._frames[place][0],
    "function": lambda traceback, place: (
        traceback._frames[place][0], traceback[place].function or ""),
}

# What stands between an import statement and the module's code.
_IMPORT = ("<frozen importlib._bootstrap>",
           "<frozen importlib._bootstrap_external>")


def _places(raw_frames, import_frames):
    """Return the places of the frames that are shown, the oldest first."""
    first = rows.launcher_end(filename for filename, *_ in raw_frames)
    last = len(raw_frames) - 1
    if import_frames:
        return range(first, last + 1)
    return [place for place in range(first, last + 1)
            if place == last or raw_frames[place][0] not in _IMPORT]


def build(snapshot, group_by="lineno", inverted=False, sort="size",
          import_frames=True):
    """Return the root of the tree.  O(call paths times frames)."""
    size, count, *_ = rows.FAMILIES[rows.family_of(sort)]
    key = _KEYS[group_by]
    root = Node()
    for stat in rows.statistics(snapshot, "traceback", False, sort):
        node = root
        stat_size, stat_count = getattr(stat, size), getattr(stat, count)
        node.size += stat_size
        node.count += stat_count
        traceback = stat.traceback
        # Not the frames as objects, most of which are not looked at: to make
        # them would take most of the time.
        places = _places(traceback._frames, import_frames)
        last = None
        for place in reversed(places) if inverted else places:
            name = key(traceback, place)
            # Calls inside of a file or function are no levels of their own.
            if group_by != "lineno" and name == last:
                continue
            last = name
            child = node.children.get(name)
            if child is None:
                child = node.children[name] = Node(traceback, place)
            node = child
            node.size += stat_size
            node.count += stat_count
    return root


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
        below = node.below(self._by_count)
        kept = [each for each in below
                if each.figures(self._by_count)[0] >= self._least]
        self.left_out += len(below) - len(kept)
        return kept

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
        return f"{printable(name)} {text}" if name else text
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
    family = rows.FAMILIES[rows.family_of(options.sort)]
    screen.title(f"{options.file}: "
                 + ("callers of the lines that allocate" if options.inverted
                    else "calls that lead to memory")
                 + f", by {options.sort.replace('_', ' ')}")
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
              ["size", None, None, "place" if node.frame else "head"], [])
             for mark, node in tree.lines()]
    screen.table(in_order(family[2], "share", family[3], "call"), table)
    if tree.left_out:
        screen.write(f"({rows.plural(tree.left_out, 'branch', 'branches')} "
                     f"below {options.min:g}% left out; --min 0 shows all)",
                     "head")
    return 0
