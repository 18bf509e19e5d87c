"""Drawing a model: the head, the curve, the rows, the line of source."""

import datetime
from collections import namedtuple
from pathlib import PurePath

from tracemalloc import _format_size
from tracemalloc._cli.programs import program_of
from tracemalloc._cli.screen import (
    cells, cut, cut_location, printable, source)
from tracemalloc._live import curve
from tracemalloc._live.model import KEYS

LEAST_LINES, LEAST_COLUMNS = 12, 60

# Figures that have a column, how wide a terminal must be for it, and its
# head; those to sort by have one in any case.
_COLUMNS = (
    ("live", 0, "in use"), ("growth", 0, "growth"), ("share", 70, "share"),
    ("rate", 80, "alloc/s"), ("blocks", 100, "blocks"),
    ("peak", 120, "at peak"), ("allocated", 140, "allocated"),
    ("temporary_blocks", 140, "freed blocks"),
)
_HEADS = {name: head for name, _, head in _COLUMNS}

_GROUP_TEXTS = {"lineno": "line", "function": "function", "filename": "file",
                "module": "module", "thread": "thread",
                "account": "account"}

# Above the rows: three of text and the heads; below: source and keys.
_FIXED = 6
_SourceFrame = namedtuple("_SourceFrame", "filename lineno")


def size_text(size, sign=False):
    if size is None:
        return "?"
    return _format_size(size, sign and size != 0)


def duration_text(nanoseconds):
    """Return a time as '59 s', '12:34' or '1:02:03'."""
    seconds = max(nanoseconds, 0) // 1_000_000_000
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}:{minutes:02}:{seconds:02}" if hours
            else f"{minutes}:{seconds:02}")


def figure_text(name, value):
    """Return a figure as a cell of the table."""
    if value is None:
        return "-"
    if name == "share":
        return f"{value:.1%}"
    if name in ("blocks", "temporary_blocks"):
        return f"{value:,}"
    if name == "growth":
        return size_text(value, True) if value else "0 B"
    return size_text(value)


def columns_of(width, sort, is_tree):
    """Return the names of the figures that are shown."""
    shown = [name for name, least, _ in _COLUMNS
             if width >= least or name == sort]
    if not is_tree:
        return shown
    # A tree tells one figure, and blocks.
    main = sort if sort in ("peak", "allocated") else "live"
    return [main, "growth", *[name for name in shown
                              if name in ("share", "blocks")]]


def program_text(pictures):
    """Return what programs are called, and how many processes there are."""
    command = pictures[0].program
    name = printable(program_of({"command": command})
                     or PurePath(" ".join(command[:1])).name or "?")
    if len(pictures) > 1:
        return f"{name} and {len(pictures) - 1} more"
    return f"{name}, pid {pictures[0].pid}"


def _states(pictures):
    states = [picture.state for picture in pictures]
    if len({*states}) == 1:
        return states[0]
    return f"{states.count('running')} of {len(states)} running"


def _clock(time):
    moment = datetime.datetime.fromtimestamp(time / 1e9)
    return f"{moment:%H:%M:%S}"


class View:
    """A model on a display."""

    def __init__(self, model, display):
        self._model, self._display = model, display
        self._first = 0

    def draw(self):
        """Draw all of it."""
        display, model = self._display, self._model
        lines, columns = display.size()
        display.erase()
        if lines < LEAST_LINES or columns < LEAST_COLUMNS:
            display.put(0, 0, f"needs {LEAST_COLUMNS}x{LEAST_LINES}, "
                              f"has {columns}x{lines}; q ends")
        elif model.helping:
            self._draw_help(lines)
        else:
            height = self._curve_height(lines)
            self._draw_head(columns)
            self._draw_curve(3, height, columns)
            self._draw_rows(3 + height, lines - _FIXED - height, columns)
            self._draw_foot(lines, columns)
        display.show()

    @staticmethod
    def _curve_height(lines):
        return 1 if lines < 18 else 3 if lines < 40 else 5

    # Above the rows

    def _draw_head(self, columns):
        model, put = self._model, self._display.put
        now = model.now
        chosen = now.processes
        state = "PAUSED" if model.paused else _states(chosen)
        right = f"{state}  {_clock(now.time)}  every {model.every:g} s"
        title = cut(program_text(chosen), max(columns - len(right) - 2, 20))
        put(0, 0, title, "title")
        put(0, max(columns - len(right), 0), right,
            "alert" if model.paused or state not in ("running", "exited")
            else None)

        about = "about " if now.sampled else ""
        texts = [f"traced {about}{size_text(now.current)}",
                 f"peak {size_text(now.peak)}",
                 f"RSS {size_text(now.rss)}",
                 f"{now.blocks:,} blocks"]
        for count, what in ((now.dropped, "dropped"), (now.lost, "lost")):
            if count:
                texts.append(f"{count:,} {what}")
        put(1, 0, cut("   ".join(texts), columns))

        time, grown = model.growth()
        text = f"{size_text(grown, True)} in {duration_text(time)}"
        rate = model.rate()
        if rate is not None:
            text += (f"   allocating {size_text(rate[0])}/s, "
                     f"{rate[1]:,.0f} blocks/s")
        put(2, 0, cut(text, columns),
            "more" if grown > 0 else "less" if grown < 0 else None)

    def _draw_curve(self, line, height, columns):
        history = self._model.history
        if not history:
            return
        display = self._display
        times = [each[0] for each in history]
        traced = [each[1] for each in history]
        label = duration_text(times[-1] - times[0])
        top = max(traced)
        width = max(columns - 11, 10)
        values = curve.resampled(times, traced, times[0], times[-1], width)
        for offset, text in enumerate(curve.drawn(values, top, height,
                                                  display.marks)):
            display.put(line + offset, 0, text, "curve")
        display.put(line, width + 1, size_text(top).rjust(10), "dim")
        if height > 1:
            display.put(line + height - 1, width + 1, label.rjust(10), "dim")

    # Rows

    def _draw_rows(self, line, number, columns):
        model, display = self._model, self._display
        rows = model.rows()
        # One line is for the heads.
        model.page = number = max(number, 1)
        self._scroll(number, len(rows))
        shown = rows[self._first:self._first + number]
        names = columns_of(columns, model.sort, model.is_tree)
        table = [[figure_text(name, row.figures.get(name)) for name in names]
                 for row in shown]
        widths = [max([8, len(_HEADS[name]) + 1,
                       *(len(row[at]) for row in table)])
                  for at, name in enumerate(names)]
        indent = sum(widths) + 2 * len(widths)
        head = "  ".join(
            (_HEADS[name] + ("*" if name == model.sort else "")).rjust(width)
            for name, width in zip(names, widths))
        group = _GROUP_TEXTS[model.group_by]
        if model.is_tree:
            group = "allocating line, callers below" if model.inverted \
                else f"calls, by {group}"
        elif model.cumulative:
            group += ", callers included"
        display.put(line, 0, f"{head}  {group}".ljust(columns), "head")
        for offset, (row, texts) in enumerate(zip(shown, table)):
            self._draw_row(line + 1 + offset, row, names, texts, widths,
                           columns - indent,
                           self._first + offset == model.cursor)
        if not rows:
            display.put(line + 1, 2, "nothing to show"
                        + (" that has the text in it" if model.filter else ""),
                        "dim")

    def _scroll(self, number, count):
        cursor = self._model.cursor
        self._first = min(self._first, max(count - number, 0))
        if cursor < self._first:
            self._first = cursor
        elif cursor >= self._first + number:
            self._first = cursor - number + 1

    def _draw_row(self, line, row, names, texts, widths, left, is_at):
        display, model = self._display, self._model
        column = 0
        for name, text, width in zip(names, texts, widths):
            style = None
            if name == "growth" and row.figures.get(name):
                style = "more" if row.figures[name] > 0 else "less"
            display.put(line, column + width - cells(text), text, style)
            column += width + 2
        if model.trends and row.trend:
            more = row.trend > 0
            display.put(line, column - 2, display.arrows[0 if more else 1],
                        "more" if more else "less")
        mark = ""
        if model.is_tree:
            sign = {None: " ", True: "-", False: "+"}[row.opens]
            mark = "  " * min(row.depth, 12) + sign + " "
        label = mark + cut_location(row.label, max(left - len(mark), 12))
        display.put(line, column, label.ljust(left) if is_at else label,
                    "cursor" if is_at else "label")

    # Below

    def _draw_foot(self, lines, columns):
        model, put = self._model, self._display.put
        row = model.selected()
        if row is not None and row.frame is not None:
            function = printable(model.function_of(row))
            text = source(_SourceFrame(*row.frame)) or row.label
            text = f"{function}: {text}" if function else text
            put(lines - 2, 0, cut(f"  {text}", columns), "dim")
        put(lines - 1, 0, cut(self._hints(), columns - 1), "title")

    def _hints(self):
        model = self._model
        if model.is_filtering:
            return f"show what has in it: {printable(model.filter)}_"
        if model.message:
            return model.message
        hints = ["q end", "h help", f"s sort: {_HEADS[model.sort]}",
                 f"g by: {_GROUP_TEXTS[model.group_by]}", "v tree"
                 if not model.is_tree else "v list"]
        if model.filter:
            hints.append(f"/{printable(model.filter)}")
        if model.part is not None:
            kind, name = model.part
            hints.append(f"{kind[0]} {printable(name)}")
        if len(model.pictures) > 1:
            hints.append("f all processes" if model.process is None
                         else f"f pid {model.process}")
        return "   ".join(hints)

    def _draw_help(self, lines):
        put = self._display.put
        put(0, 0, "Keys", "title")
        for line, (keys, text) in enumerate(KEYS[:lines - 2], 1):
            put(line, 1, keys.ljust(7), "label")
            put(line, 8, text)
        put(lines - 1, 0, "any key goes back", "title")
