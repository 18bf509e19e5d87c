"""diff: what changed between two snapshots."""

import json
import sys

from tracemalloc._cli import UsageError, mine, rows
from tracemalloc._cli.files import load_two
from tracemalloc._cli.names import names_of
from tracemalloc._cli.options import Parser
from tracemalloc._cli.programs import tell_changes
from tracemalloc._cli.screen import Screen, wrapped

FIGURES = ("size", "count", "allocated_size", "allocated_count",
           "freed_size", "freed_count", "temporary")

_NUMBERS = "size", "size_diff", "count", "count_diff"


def _parser():
    parser = Parser(
        "diff", "Show what changed from one snapshot to another.",
        "diff --group-by filename before.tmz after.tmz")
    parser.add_two()
    parser.add_group_by()
    parser.add_cumulative()
    parser.add_limit(10, "groups to show")
    parser.add_argument("--sort", choices=FIGURES, default="size",
                        metavar="FIGURE",
                        help=", ".join(FIGURES) + " (default: size)")
    parser.add_full_paths()
    parser.add_filters()
    parser.add_mine()
    return parser


class Diff:
    """The biggest changes from one snapshot to another, and the others."""

    def __init__(self, old, new, group_by, cumulative=False, limit=10,
                 sort="size"):
        self.group_by, self.cumulative, self.sort = group_by, cumulative, sort
        # What happened between the snapshots, if one asks for that.
        self.family = rows.family_of(sort)
        self._extra = (() if self.family == "live"
                       else rows.FAMILIES[self.family][:2])
        try:
            stats = new.compare_to(old, group_by, cumulative, sort_by=sort)
        except ValueError as error:
            if cumulative and "cumulative" in str(error):
                raise UsageError("--cumulative makes no sense with --group-by "
                                 f"{group_by}") from None
            raise UsageError(error) from None
        stats = [stat for stat in stats if any(
            getattr(stat, name)
            for name in ("size_diff", "count_diff", *self._extra))]
        self.stats, self.others = stats[:limit], stats[limit:]
        before, after = rows.total(old), rows.total(new)
        self.total = (after[0], after[0] - before[0],
                      after[1], after[1] - before[1])

    def _sums(self, names):
        return [sum(getattr(stat, name) for stat in self.others)
                for name in names]

    def to_json(self):
        names = *_NUMBERS, *self._extra
        more = {"groups": len(self.others)}
        if not self.cumulative:
            more |= zip(names, self._sums(names))
        return {
            "group_by": self.group_by, "cumulative": self.cumulative,
            "sort": self.sort, "total": dict(zip(_NUMBERS, self.total)),
            "groups": [
                rows.group_json(stat.traceback, self.group_by)
                | {name: getattr(stat, name) for name in names}
                for stat in self.stats],
            "more": more,
        }

    def title(self):
        if not self.stats and not self.others:
            return "nothing changed"
        groups = rows.GROUP_TEXTS[self.group_by]
        number = len(self.stats) + len(self.others)
        if number == 1:
            groups = groups[:-1]
        text = f"{number:,} {groups} changed"
        if self.others:
            text += f", {len(self.stats):,} shown"
        text += f", by {rows.figure_text(self.sort)}"
        return text + (", callers included" if self.cumulative else "")

    def write(self, screen, names):
        """Write the table; nothing if nothing changed.

        names -- what gives a file its name: see names.py
        """
        if not self.stats and not self.others:
            return
        extra = list(rows.FAMILIES[self.family][2:]) if self._extra else []
        head = ["change", "size", "change", "blocks", *extra,
                rows.head_of(self.group_by)]
        table = [self._row(
            [getattr(stat, name) for name in (*_NUMBERS, *self._extra)],
            rows.label(stat.traceback, self.group_by, names), "location",
            rows.lines_below(stat.traceback, self.group_by))
            for stat in self.stats]
        if not self.cumulative:
            if self.others:
                table.append(self._row(
                    self._sums((*_NUMBERS, *self._extra)),
                    f"{len(self.others):,} more", "head"))
            table.append(self._row(
                [*self.total, *[None] * len(self._extra)], "total", "head"))
        screen.table(head, table)

    @staticmethod
    def _row(numbers, text, style, lines=()):
        size, size_diff, count, count_diff, *extra = numbers
        texts = [rows.bytes_text(size_diff, True), rows.bytes_text(size),
                 rows.blocks_text(count_diff, True), rows.blocks_text(count)]
        if extra:
            texts += ["", ""] if extra[0] is None else [
                rows.bytes_text(extra[0]), rows.blocks_text(extra[1])]
        change = "more" if size_diff > 0 else "less" if size_diff else None
        styles = [change, *[None] * (len(texts) - 1), style]
        return [*texts, text], styles, list(lines)


def main(arguments):
    options = _parser().parse_args(arguments)
    old, new = load_two(options.old, options.new, options)
    diff = Diff(old, new, options.group_by, options.cumulative, options.limit,
                options.sort)
    if options.json:
        json.dump({"old": options.old, "new": options.new, **diff.to_json()},
                  sys.stdout, indent=1)
        print()
        return 0
    screen = Screen(options.color)
    screen.title(f"{options.old} -> {options.new}: {diff.title()}")
    rows.write_notes(screen, options, old, new)
    diff.write(screen, names_of(old, new, full=options.full_paths))
    text = mine.hint(options, new, (
        (stat.traceback[-1].filename, stat.size_diff) for stat in diff.stats))
    for line in wrapped(text, screen.width) if text else ():
        screen.write(line, "head")
    tell_changes(rows.line_frames(diff.stats, options.group_by),
                 (options.old, old), (options.new, new))
    return 0
