"""series: what grew over many snapshots.

Two passes over the files, with one of them in memory at a time: the first
reads when they were taken, the second adds them up in that order.  What can be
read once only, as pipes can, stays in memory from the first pass on.  See
tracemalloc._series for how growth is told.
"""

import json
import math
import os
import sys
import time
from itertools import compress

from tracemalloc import _format, _ranking
from tracemalloc._cli import UsageError, note, rows
from tracemalloc._cli.files import Progress, is_of_records, load, reading
from tracemalloc._cli.names import Names, full_names
from tracemalloc._cli.options import FIGURES, Parser
from tracemalloc._cli.programs import (
    processes_of, program_of, tell_families, tell_programs)
from tracemalloc._cli.screen import Screen, printable
from tracemalloc._series import CURVE, FALLS, STEADY, Series
from tracemalloc._statistics import to_statistic
from tracemalloc._values import Traceback

# Snapshots whose totals are listed: so many from both ends.
_ENDS = 10

_BLOCKS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_ASCII = "_.-~=+*#"

# Columns from which on curves have all their points.
_WIDE = 110

# The unit of time that slopes are told in: that up to such spans of seconds.
_UNITS = ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h"),
          (math.inf, 86400, "day"))


def _parser():
    parser = Parser(
        "series", "Show what grew over many snapshots, steady growth first.",
        "series --group-by function app-*.tmz")
    parser.add_argument("files", metavar="FILE", nargs="+",
                        help="snapshot files, or numbers of processes with "
                             "records, two or more; they are sorted by the "
                             "time when they were taken")
    parser.add_group_by()
    parser.add_cumulative()
    parser.add_limit(10, "groups to show")
    parser.add_argument("--ascii", action="store_true",
                        help="draw curves of ASCII characters")
    parser.add_figure([name for name in FIGURES if name != "temporary"])
    parser.add_full_paths()
    parser.add_filters()
    parser.add_mine()
    return parser


class File:
    """A snapshot file: when it was taken, and its totals once it was read.

    *snapshot* is what is in it if it cannot be read again, and None else.
    """

    def __init__(self, name, metadata, snapshot=None):
        self.name, self.snapshot = name, snapshot
        self.time = _time_in(metadata)
        self.program = program_of(metadata)
        self.processes = processes_of(metadata)
        self.size = self.count = None

    def to_json(self):
        return {"file": self.name, "time": self.time, "size": self.size,
                "count": self.count}


def _time_in(metadata):
    """Return the seconds that metadata tell, None if they make no sense."""
    value = metadata.get("time")
    if type(value) in (int, float) and abs(value) < 1e12:
        return float(value)
    return None


def _file_of(name, options):
    """Return the File of a name."""
    if is_of_records(name, options):
        from tracemalloc._cli import records

        return File(name, records.snapshot_of(
            name, records.pictures(name, options.children)).metadata)
    if os.path.exists(name) and not os.path.isfile(name):
        snapshot = load(name, options)
        return File(name, snapshot.metadata, snapshot)
    return File(name, reading(
        name, lambda: _format.read_metadata(name, options.max_size)))


def files_in_order(options):
    """Return the Files, the oldest first, and whether times are known."""
    found = []
    with Progress("reading when snapshots were taken") as progress:
        for number, name in enumerate(options.files):
            progress.step(number, len(options.files))
            found.append(_file_of(name, options))
    unknown = [file.name for file in found if file.time is None]
    if unknown:
        if len(unknown) < len(found):
            note(f"{unknown[0]} does not tell when it was taken: snapshots "
                 "stay in the order in which they are named, and slopes are "
                 "per snapshot")
        return found, False
    return sorted(found, key=lambda file: file.time), True


class Growth:
    """The groups of many snapshots, added up.

    series -- Series; its names are raw frames, the newest first
    files  -- Files, in order
    """

    def __init__(self, files, are_timed, options):
        self.files, self.options = files, options
        self.series = Series(
            len(files), [file.time for file in files] if are_timed else None)
        self._last = None       # the groups of the last snapshot
        self.estimates = {}
        with Progress("adding up snapshots") as progress:
            for number, file in enumerate(files):
                progress.step(number, len(files))
                snapshot, file.snapshot = file.snapshot, None
                self._add(file, load(file.name, options)
                          if snapshot is None else snapshot)

    def _add(self, file, snapshot):
        options, sort = self.options, self.options.sort
        groups = rows.groups_of(snapshot, options.group_by,
                                options.cumulative)
        try:
            if options.group_by == "traceback":
                # Numbers of call paths mean something else in each file.
                groups.spell_out()
            groups, figure, _ = _ranking.rankable(groups, sort)
        except ValueError as error:
            raise UsageError(
                f"{file.name}: {rows.not_known(error, sort)}") from None
        file.size, file.count = rows.total(snapshot, sort)
        total = file.count if rows.is_count(sort) else file.size
        found = zip(groups.names, figure)
        if options.cumulative:
            found = compress(found, rows.is_of_program(groups.names))
        self.series.add(found, total)
        self._last = groups
        self.estimates[rows.estimate_text(snapshot)] = None

    def traceback_of(self, name):
        """Return the Traceback for the name of a group."""
        groups = self._last
        number = groups.number_of().get(name) if groups.tells_more else None
        if number is None:
            return Traceback(name)
        return to_statistic(groups, 0, 0, number).traceback


def _json_of(growth, ranking):
    options, series = growth.options, growth.series
    shown = ranking[:options.limit]

    def numbers(line):
        return {"slope": series.slope(line), "trend": series.trend(line),
                "first": line.first, "last": line.last, "rises": line.rises,
                "falls": line.falls, "curve": series.curve(line)}

    return {
        "group_by": options.group_by, "cumulative": options.cumulative,
        "sort": options.sort,
        "slope_per": "second" if series.per_second else "snapshot",
        "files": [file.to_json() for file in growth.files],
        "total": numbers(series.total),
        "groups": [rows.group_json(growth.traceback_of(name),
                                   options.group_by) | numbers(line)
                   for _, _, name, line in shown],
        "more": {"groups": len(ranking) - len(shown)},
    }


class Table:
    """How groups of a Growth are shown."""

    def __init__(self, growth, ranking, ascii, width=None):
        # Of narrow screens, the curve leaves some columns for names.
        is_narrow = width is not None and width < _WIDE
        self._every = 3 if is_narrow and len(growth.files) > CURVE // 3 else 1
        self._growth, self._ranking = growth, ranking
        self._sort = growth.options.sort
        self._ramp = _ASCII if ascii else _BLOCKS
        self._seconds, self.unit = 1, "snapshot"
        if growth.series.per_second:
            span = growth.files[-1].time - growth.files[0].time
            self._seconds, self.unit = next(
                unit for most, *unit in _UNITS if span <= most)

    def _text(self, number, sign=False):
        if not rows.is_count(self._sort):
            return rows.bytes_text(number, sign)
        if isinstance(number, float):
            return f"{number:+,.1f}"
        return rows.blocks_text(number, sign)

    def _slope_text(self, line):
        slope = self._growth.series.slope(line) * self._seconds
        if not rows.is_count(self._sort):
            slope = round(slope)
        return self._text(slope, True)

    def curve(self, line):
        """Return a line as text, from its lowest to its highest value."""
        values = self._growth.series.curve(line)
        # The last one is always there.
        values = values[(len(values) - 1) % self._every::self._every]
        least, most = min(values), max(values)
        if least == most:
            return self._ramp[0] * len(values)
        top = len(self._ramp) - 1
        # In integers: numbers of a hostile file are of any size.
        return "".join(self._ramp[(value - least) * top // (most - least)]
                       for value in values)

    def _row(self, line, text, style, lines=()):
        series = self._growth.series
        trend = series.trend(line)
        steps = len(self._growth.files) - 1
        change = line.last - line.first
        mark = ("more" if trend == STEADY else
                "less" if trend == FALLS else None)
        return ([self._slope_text(line), self._text(change, True),
                 self._text(line.last), f"{line.rises}/{steps}",
                 self.curve(line), trend, text],
                [mark, None, "size", None, None, mark, style], list(lines))

    def write(self, screen):
        options, growth = self._growth.options, self._growth
        size, count = rows.FAMILIES[rows.family_of(self._sort)][2:]
        head = [f"per {self.unit}", "change",
                count if rows.is_count(self._sort) else size, "rose", "shape",
                "trend", rows.head_of(options.group_by)]
        table = []
        shown = [(growth.traceback_of(name), line)
                 for _, _, name, line in self._ranking[:options.limit]]
        names = full_names if options.full_paths else Names(
            traceback[-1].filename for traceback, _ in shown)
        for traceback, line in shown:
            table.append(self._row(
                line, rows.label(traceback, options.group_by, names),
                "location", rows.lines_below(traceback, options.group_by)))
        table.append(self._row(growth.series.total, "total", "head"))
        screen.table(head, table)
        others = self._ranking[options.limit:]
        if others:
            grow = sum(slope > 0 for _, slope, *_ in others)
            screen.write(f"({len(others):,} more, {grow:,} of them growing; "
                         "--limit shows more)", "head")

    def write_totals(self, screen):
        files = self._growth.files
        screen.table(["taken", "change", "size", "change", "blocks",
                      "snapshot"], [
            self._total_row(files, at) if at is not None else
            (["", "", "", "", "", f"({len(files) - 2 * _ENDS:,} more)"],
             ["head"] * 6, []) for at in _shown(len(files))])

    @staticmethod
    def _total_row(files, at):
        file = files[at]
        size, count = "", ""
        if at:
            before = files[at - 1]
            size = rows.bytes_text(file.size - before.size, True)
            count = rows.blocks_text(file.count - before.count, True)
        return ([_taken(file.time), size, rows.bytes_text(file.size), count,
                 rows.blocks_text(file.count), printable(file.name)],
                [None, None, "size", None, None, "location"], [])


def _shown(number):
    """Return the indexes of those that are listed; None stands for more."""
    if number <= 2 * _ENDS + 1:
        return range(number)
    return [*range(_ENDS), None, *range(number - _ENDS, number)]


def _taken(seconds):
    if seconds is None:
        return "?"
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "?"


def _span_text(files):
    span = files[-1].time - files[0].time
    for most, seconds, unit in _UNITS:
        if span <= most:
            return f"{span / seconds:.3g} {unit}"


def _title(growth, ranking):
    options, files = growth.options, growth.files
    text = f"{len(files):,} snapshots"
    if growth.series.per_second:
        text += f" in {_span_text(files)}"
    if not ranking:
        return f"{text}: nothing changed"
    steady = sum(trend == STEADY for trend, *_ in ranking)
    one = rows.GROUP_TEXTS[options.group_by][:-1]
    text += (f": {rows.plural(steady, one)} "
             f"{'grows' if steady == 1 else 'grow'} steadily, of "
             f"{len(ranking):,} that changed, by "
             f"{rows.figure_text(options.sort)}")
    return text + (", callers included" if options.cumulative else "")


def _is_ascii(stream):
    """Whether a stream has no characters to draw with."""
    try:
        _BLOCKS.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def main(arguments):
    parser = _parser()
    options = parser.parse_args(arguments)
    if len(options.files) < 2:
        name = options.files[0]
        parser.error("name two or more snapshot files, such as " + (
            f"those in {printable(os.path.join(name, ''))}"
            if os.path.isdir(name) else "those of run --every"))
    files, are_timed = files_in_order(options)
    tell_programs([(file.name, file.program) for file in files])
    tell_families([(file.name, file.processes) for file in files])
    growth = Growth(files, are_timed, options)
    ranking = growth.series.ranking()
    if options.json:
        json.dump(_json_of(growth, ranking), sys.stdout, indent=1)
        print()
        return 0
    # Before the screen allows for what the encoding has not.
    ascii = options.ascii or _is_ascii(sys.stdout)
    screen = Screen(options.color)
    table = Table(growth, ranking, ascii, screen.width)
    screen.title(_title(growth, ranking))
    rows.write_notes(screen, options, estimates=growth.estimates)
    if ranking:
        table.write(screen)
        screen.write()
    table.write_totals(screen)
    return 0
