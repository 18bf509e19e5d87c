"""top: the groups that hold most memory."""

import json
import sys

from tracemalloc._checked import metadata_json
from tracemalloc._cli import UsageError, mine, rows
from tracemalloc._cli.files import load
from tracemalloc._cli.names import names_of
from tracemalloc._cli.options import A_FILE, Parser
from tracemalloc._cli.programs import tell_changes
from tracemalloc._cli.screen import Screen, wrapped


def _parser():
    parser = Parser(
        "top", "Show the lines that hold most memory, or other groups.",
        "top --group-by function --limit 20 snapshot.tmz")
    parser.add_argument("files", metavar="FILE", nargs="+", help=A_FILE)
    parser.add_argument("--processes", action="store_true",
                        help="the files are of processes that work together: "
                             "show what each has, and add them up; also of "
                             "a folder of records, and with --children")
    parser.add_group_by()
    parser.add_cumulative()
    parser.add_limit(10, "groups to show")
    parser.add_figure()
    parser.add_full_paths()
    parser.add_filters()
    parser.add_mine()
    return parser


class Top:
    """The first groups of a snapshot, and what is left."""

    def __init__(self, snapshot, group_by, cumulative, limit, sort):
        self.snapshot = snapshot
        self.group_by, self.cumulative = group_by, cumulative
        self.sort = sort
        self.family = rows.family_of(sort)
        self._figures = rows.FAMILIES[self.family][:2]
        ranking = rows.Ranking(snapshot, group_by, cumulative, sort,
                               self._figures)
        self.stats = ranking.first(limit)
        self.number = len(ranking)
        self._live = ranking.live
        sums = tuple(map(ranking.sum, self._figures))
        self._others = tuple(
            whole - sum(getattr(stat, name) for stat in self.stats)
            for name, whole in zip(self._figures, sums))
        self._others_live = ranking.sum("size") - sum(
            stat.size for stat in self.stats)
        # The errors that are known are those of live memory.
        self._is_estimate = self.family == "live" and any(
            stat.size_error is not None for stat in self.stats)
        self.total = rows.total(snapshot, sort) if cumulative else sums

    @property
    def others(self):
        """How many groups are left."""
        return self.number - len(self.stats)

    def figures_of(self, stat):
        """Return the bytes and blocks that the ranking is about."""
        return tuple(getattr(stat, name) for name in self._figures)

    def _afford_json(self):
        """Refuse what frames of a hostile file take as objects of JSON."""
        data = self.snapshot.traces._data
        if self.group_by == "traceback" and data is not None:
            try:
                # Some 40 times the item of a tuple that each takes.
                data.afford(40 * sum(len(stat.traceback)
                                        for stat in self.stats))
            except ValueError as error:
                raise UsageError(f"{error}, or show fewer: --limit") from None

    def to_json(self):
        self._afford_json()
        size, count = self._figures
        found = {
            "group_by": self.group_by, "cumulative": self.cumulative,
            "sort": self.sort,
            "metadata": metadata_json(self.snapshot.metadata),
            "total": dict(zip((size, count), self.total)),
            "groups": [self._group_json(stat) for stat in self.stats],
        }
        more = {"groups": self.others}
        if not self.cumulative:
            more |= zip((size, count), self._others)
        return found | {"more": more}

    def _group_json(self, stat):
        found = rows.group_json(stat.traceback, self.group_by)
        names = "size", "count", *self._figures
        if stat.size_error is not None:
            names += "size_error", "count_error"
        return found | {name: getattr(stat, name) for name in names}

    def write(self, screen, names):
        """Write the table; nothing if there are no blocks.

        names -- what gives a file its name: see names.py
        """
        if not self.stats and not self.others:
            return
        size_head, count_head = rows.FAMILIES[self.family][2:]
        head = self._in_order(size_head, "error", "share", count_head,
                              "average", "now")
        head.append(rows.head_of(self.group_by))
        table = [self._row(stat, names) for stat in self.stats]
        if self.others and not self.cumulative:
            table.append(self._sum_row(
                self._others,
                self._others_live,
                f"{self.others:,} more"))
        if not self.cumulative:
            table.append(self._sum_row(self.total, self._live, "total"))
        screen.table(head, table)

    def _in_order(self, size, error, share, count, average, now):
        """Return columns; the figure that one sorts by, and its share, first.

        The error is that of the size.
        """
        sizes = [size, error] if self._is_estimate else [size]
        last = [now] if self.family != "live" else []
        if rows.is_count(self.sort):
            return [count, share, *sizes, average, *last]
        return [*sizes, share, count, average, *last]

    def _numbers(self, size, count, now, error=None):
        return self._in_order(
            rows.bytes_text(size), rows.error_text(error),
            rows.share_of((size, count), self.total, self.sort),
            rows.blocks_text(count), rows.average_text(size, count),
            rows.bytes_text(now))

    def _row(self, stat, names):
        size, count = self.figures_of(stat)
        numbers = self._numbers(size, count, stat.size, stat.size_error)
        texts = [*numbers, rows.label(stat.traceback, self.group_by, names)]
        return (texts, ["size", *[None] * (len(numbers) - 1), "location"],
                rows.lines_below(stat.traceback, self.group_by))

    def _sum_row(self, sums, live, text):
        numbers = self._numbers(*sums, live)
        return [*numbers, text], ["head"] * (len(numbers) + 1), []

    def title(self):
        """Return what the table shows."""
        groups = rows.GROUP_TEXTS[self.group_by]
        number = self.number
        if not number:
            return "no blocks"
        if number == 1:
            groups = groups[:-1]
        what = f"{number:,} {groups}"
        if self.others:
            what = f"{len(self.stats):,} of {what}"
        what += f" by {rows.figure_text(self.sort)}"
        if self.cumulative:
            what += ", callers included"
        return what


def begin(options, snapshot, top, processes=None):
    """Write all as JSON and return None, or return a screen with the title."""
    if options.json:
        found = {"file": options.file, **top.to_json()}
        if processes is not None:
            found["processes"] = processes.to_json()
        json.dump(found, sys.stdout, indent=1)
        print()
        return None
    screen = Screen(options.color)
    screen.title(f"{options.file}: {top.title()}")
    rows.write_notes(screen, options, snapshot)
    return screen


def _load(parser, options):
    """Return the Snapshot to show, and a table of processes or None."""
    first, *others = options.files
    options.file = first
    if not options.processes:
        if others:
            parser.too_many(others[0])
        return load(first, options), None
    from tracemalloc._cli.processes import Table, processes_of, sum_of

    if others:
        options.file += f" and {len(others)} more"
    found = processes_of(options)
    return sum_of(found, options), Table(found, options)


def main(arguments):
    parser = _parser()
    options = parser.parse_args(arguments)
    snapshot, processes = _load(parser, options)
    top = Top(snapshot, options.group_by, options.cumulative, options.limit,
              options.sort)
    screen = begin(options, snapshot, top, processes)
    if screen is not None:
        if processes is not None:
            processes.write(screen, options.limit)
        top.write(screen, names_of(snapshot, full=options.full_paths))
        text = mine.hint(options, snapshot, (
            (stat.traceback[-1].filename, top.figures_of(stat)[0])
            for stat in top.stats))
        for line in wrapped(text, screen.width) if text else ():
            screen.write(line, "head")
        tell_changes(rows.line_frames(top.stats, options.group_by),
                     (options.file, snapshot))
    return 0
