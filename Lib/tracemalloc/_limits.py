"""Limits of what tests may take: arguments of markers, verdicts, their texts.

Used by tracemalloc.pytest; nothing here needs pytest.
"""

import io
from functools import partial

from tracemalloc._baseline import FIGURES
from tracemalloc._cli.names import short_name
from tracemalloc._cli.rows import (
    blocks_text, bytes_text, frame_text, lines_below, plural)
from tracemalloc._cli.screen import Screen
from tracemalloc._cli.units import size
from tracemalloc._measure import growth

# Figures are called so in texts.
_WORDS = {"peak": "peaked at", "leaked": "leaked"}
_HEADS = {"peak": "Lines that held more at the peak than before the test",
          "leaked": "Lines that hold more than before the test"}
_WIDTH = 80


def limit_of(name, args, kwargs):
    """Return (bytes, warm-ups) of a marker's arguments.

    Raises ValueError that names the marker and says what it takes.
    """
    usage = f'{name} takes a size: {name}("24 MB")'
    if name == "limit_leaks":
        usage = ('limit_leaks takes a size, and how often the test is to run '
                 'before: limit_leaks("1 KB", warmups=1)')
    unknown = kwargs.keys() - ({"warmups"} if name == "limit_leaks" else set())
    if unknown:
        raise ValueError(f"{name} has no argument {min(unknown)}; {usage}")
    if len(args) != 1 or not isinstance(args[0], str):
        raise ValueError(f"{usage}; sizes are text")
    try:
        limit = size(args[0])
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    warmups = kwargs.get("warmups", 0)
    if type(warmups) is not int or not 0 <= warmups <= 1000:
        raise ValueError(f"limit_leaks: warmups is {warmups!r}, and must be "
                         "a number from 0 to 1000")
    return limit, warmups


class Verdict:
    """A figure that is too much: which, and by what rule, in two lines."""

    __slots__ = ("figure", "text", "details")

    def __init__(self, figure, value, base, rule, details):
        self.figure = figure
        value_text, base_text = bytes_text(value), bytes_text(base)
        if value_text == base_text:
            value_text, base_text = f"{value:,} B", f"{base:,} B"
        self.text = f"{_WORDS[figure]} {value_text}, {rule} {base_text}"
        self.details = (f"{value:,} bytes are {value - base:,} more than "
                        f"{base:,}{details}")


def judge(figures, limits, base, tolerance):
    """Return the list of Verdicts about {"peak": bytes, "leaked": bytes}.

    *limits* has most bytes by figure, *base* the figures of the baseline; a
    figure that is not in these is not judged.
    """
    found = []
    for figure in FIGURES:
        value = figures[figure]
        if figure in limits and value > limits[figure]:
            found.append(Verdict(figure, value, limits[figure], "limit", ""))
        if figure in base and value > tolerance.most(base[figure]):
            found.append(Verdict(figure, value, base[figure], "baseline",
                                 f"; the tolerance is {tolerance}"))
    return found


def explain(verdicts, measure, home, root):
    """Return the text of a failure: what was too much, and which lines it was.

    *home* is the file of the test, *root* the folder that names of files are
    shortened by.
    """
    stream = io.StringIO()
    screen = Screen("never", stream)
    screen.width = screen.width or _WIDTH
    for verdict in verdicts:
        screen.write(verdict.text)
    for verdict in verdicts:
        screen.write(verdict.details)
    for figure in dict.fromkeys(verdict.figure for verdict in verdicts):
        screen.write()
        screen.write(f"{_HEADS[figure]}:")
        old, new = ((measure.before_peak, measure.at_peak)
                    if figure == "peak" else (measure.before, measure.after))
        _write_growth(screen, old, new, getattr(measure, figure), home, root)
    return stream.getvalue().rstrip("\n")


def _write_growth(screen, old, new, total, home, root):
    rows, (size, count), number = growth(old, new, home)
    names = partial(short_name, folder=root)
    table = []
    for row in rows:
        below = lines_below([row.frame], "lineno")
        if row.via is not None:
            below.append("called from "
                         + frame_text(row.via, names))
        table.append(([bytes_text(row.size), blocks_text(row.count),
                       frame_text(row.frame, names)],
                      ["size", None, "location"], below))
    rest = total - size - sum(row.size for row in rows)
    if number:
        table.append(([bytes_text(size), blocks_text(count),
                       plural(number, "more line")], [None] * 3, []))
    if rest:
        table.append(([bytes_text(rest), "", "lines that hold less"],
                      [None] * 3, []))
    table.append(([bytes_text(total), "", "total"], [None] * 3, []))
    screen.table(["size", "blocks", "line"], table)
