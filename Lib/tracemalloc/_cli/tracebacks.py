"""traceback: the call paths that hold most memory.

Of two snapshots: those that grew or shrank most.
"""

import json
import sys
from heapq import nlargest
from itertools import count

from tracemalloc._cli import UsageError, rows
from tracemalloc._cli.files import both_of, load_one_or_two
from tracemalloc._cli.names import fold_imports, folded_text, names_of
from tracemalloc._cli.options import Parser, checked
from tracemalloc._cli.programs import tell_changes
from tracemalloc._cli.screen import Screen, cut, cut_location, source
from tracemalloc._cli.top import Top, begin
from tracemalloc._cli.tree import Location
from tracemalloc._cli.units import number
from tracemalloc._stacks import Stacks


def _parser():
    parser = Parser(
        "traceback", "Show the call paths that hold most memory; of two "
        "snapshots, what changed.",
        "traceback --limit 3 --include '*/json/*' app.tmz")
    parser.add_one_or_two()
    parser.add_limit(5, "call paths to show")
    parser.add_argument("--frames", type=checked(number), metavar="N",
                        help="show the N most recent frames only")
    parser.add_argument("--import-frames", action="store_true",
                        help="show the calls by which import statements run "
                             "modules, too")
    parser.add_figure()
    parser.add_full_paths()
    parser.add_filters()
    parser.add_mine()
    return parser


class Path:
    """A call path of two snapshots, with what it has in each of them.

    frames -- Location of each frame, the oldest first
    size, count, size_diff, count_diff, state
    """

    def __init__(self, frames, size, count, old_size, old_count):
        self.frames = frames
        self.size, self.count = size, count
        self.size_diff, self.count_diff = size - old_size, count - old_count
        self.state = rows.state_of((size, count), (old_size, old_count))

    def to_json(self):
        found = rows.group_json(self.frames, "traceback") | {
            name: getattr(self, name)
            for name in ("size", "size_diff", "count", "count_diff")}
        return found | {"state": self.state} if self.state else found


class Growth:
    """The call paths that changed most from one snapshot to another.

    O(call paths of both).
    """

    def __init__(self, both, limit, sort):
        self.sort = sort
        figures = rows.both_columns(both, sort)
        self._stacks = Stacks(both.data, both.limit, ("file", "line"))
        own = list(map(self._stacks.own, figures))
        sums = list(map(sum, own))
        self.total = Path([], *sums)
        self.number, first = self._rank(own, limit)
        self._afford(first)
        self.paths = [Path(self._frames(node), *(each[node] for each in own))
                      for node in first]

    def _rank(self, own, limit):
        """Return (how many paths changed, nodes of the first ones).

        The biggest change comes first; of equal ones, the bigger one, then
        the one whose frames come first when sorted.
        """
        names, _ = self._stacks.frames(("file", "line"))
        ranks = self._stacks.ranks(names)
        changed = [
            (abs(size - old_size), abs(blocks - old_blocks), size, blocks,
             -rank, node)
            for size, blocks, old_size, old_blocks, rank, node in zip(
                *own, ranks, count())
            if size != old_size or blocks != old_blocks]
        if rows.is_count(self.sort):
            changed = [(key[1], key[0], *key[2:]) for key in changed]
        return len(changed), [key[-1] for key in nlargest(limit, changed)]

    def _afford(self, nodes):
        """Refuse what frames of a hostile file take as objects."""
        frames = sum(1 for node in nodes for _ in self._above(node))
        try:
            # Some 40 times the item of a tuple that each takes.
            self._stacks.data.afford(40 * frames)
        except ValueError as error:
            raise UsageError(f"{error}, or show fewer: --limit") from None

    def _above(self, node):
        parents = self._stacks.parents
        while node:
            yield node
            node = parents[node]

    def _frames(self, node):
        found = [Location(*self._stacks.frame(each)[:2],
                          self._stacks.frame(each)[2] or None,
                          lambda: (None, None, None))
                 for each in self._above(node)]
        found[:1] = [Location(found[0].filename, found[0].lineno,
                              found[0].function,
                              lambda: self._stacks.details([node]))]
        found.reverse()
        return found[rows.launcher_end(frame.filename for frame in found):]

    def to_json(self):
        total = {name: getattr(self.total, name)
                 for name in ("size", "size_diff", "count", "count_diff")}
        return {"group_by": "traceback", "cumulative": False,
                "sort": self.sort, "total": total,
                "groups": [path.to_json() for path in self.paths],
                "more": {"groups": self.number - len(self.paths)}}

    def title(self):
        if not self.number:
            return "nothing changed"
        net = rows.change_text(self.total.size_diff, self.total.count_diff)
        shown = len(self.paths)
        text = rows.plural(self.number, "call path") + " changed"
        if shown < self.number:
            text += f", {shown:,} shown"
        return f"net {net}; {text}, by {rows.figure_text(self.sort)}"

    def write(self, screen, options, names):
        for rank, path in enumerate(self.paths, 1):
            screen.write()
            change = rows.change_text(path.size_diff, path.count_diff)
            now = (f"now {rows.bytes_text(path.size)} in "
                   f"{rows.plural(path.count, 'block')}")
            screen.title(f"#{rank}: {change}, " + {
                "new": "new", "gone": "gone"}.get(path.state, now))
            _write_newest(screen, path.frames, options, names)


def _write_path(screen, frames, names):
    """Write frames, the oldest first, or numbers of those that import."""
    width = screen.width
    for frame in frames:
        if isinstance(frame, int):
            screen.write("  " + screen.paint(folded_text(frame), "head"))
            continue
        text = cut_location(rows.frame_text(frame, names),
                            None if width is None else width - 2)
        screen.write("  " + screen.paint(text, "location"))
        text = source(frame)
        if text:
            text = cut(text, None if width is None else width - 6)
            screen.write(" " * 6 + screen.paint(text, "source"))


def _write_newest(screen, frames, options, names):
    """Write frames, or those only that the options ask for."""
    if options.frames:
        left_out = len(frames) - options.frames
        frames = frames[-options.frames:]
        if left_out > 0:
            screen.write(f"  ({rows.plural(left_out, 'older call')})", "head")
    _write_path(screen, frames if options.import_frames
                else fold_imports(frames), names)


def _show_growth(options, old, new):
    growth = Growth(both_of(options, old, new), options.limit, options.sort)
    if options.json:
        json.dump({"old": options.file, "new": options.new,
                   **growth.to_json()}, sys.stdout, indent=1)
        print()
        return
    screen = Screen(options.color)
    screen.title(f"{options.file} -> {options.new}: {growth.title()}")
    rows.write_notes(screen, options, old, new)
    growth.write(screen, options,
                 names_of(old, new, full=options.full_paths))
    rows.write_cut(screen, new)
    tell_changes((frame for path in growth.paths for frame in path.frames),
                 (options.file, old), (options.new, new),
                 by_function="diff -g function")


def main(arguments):
    options = _parser().parse_args(arguments)
    snapshots = load_one_or_two(options)
    if options.new is not None:
        _show_growth(options, *snapshots)
        return 0
    snapshot, = snapshots
    top = Top(snapshot, "traceback", False, options.limit, options.sort)
    screen = begin(options, snapshot, top)
    if screen is None:
        return 0
    names = names_of(snapshot, full=options.full_paths)
    for rank, stat in enumerate(top.stats, 1):
        size, count = top.figures_of(stat)
        screen.write()
        screen.title(
            f"#{rank}: {rows.bytes_text(size)} in "
            f"{rows.plural(count, 'block')}, "
            f"{rows.share_of((size, count), top.total, options.sort)} of "
            + (rows.plural(top.total[1], "block")
               if rows.is_count(options.sort)
               else rows.bytes_text(top.total[0])))
        _write_newest(screen, rows.program_frames(stat.traceback), options,
                      names)
    rows.write_cut(screen, snapshot)
    tell_changes((frame for stat in top.stats for frame in stat.traceback),
                 (options.file, snapshot))
    return 0
