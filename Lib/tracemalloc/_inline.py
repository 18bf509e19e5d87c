"""What notebooks show inline: small tables, as text and as HTML.

Names and source of a snapshot are anybody's text: what controls a terminal or
the direction of text is shown as an escape sequence, and all of it is escaped
for HTML.  There are no scripts, and no styles but those of cells, because
notebooks keep to themselves what a page could share.
"""

import io
import linecache
import os
from html import escape

from _tracemalloc import _quietly

from tracemalloc._cli import rows
from tracemalloc._cli.names import short_name
from tracemalloc._cli.screen import Screen, cut, cut_location, printable
from tracemalloc._text import format_size

LINES = 10
_MAX_NAME = 160
_MAX_SOURCE = 160
_WIDTH = 80

# Lines with less than this part of the largest sum are not told apart.
_LEAST = 0.01
# What calls the cell, and is not what it calls.
_FOLDER = os.path.dirname(__file__)
_OWN = {os.path.join(_FOLDER, name) for name in ("_measure.py", "notebook.py")}

_NUMBER = "text-align:right;white-space:nowrap"
_TEXT = "text-align:left"


def _cell(kind, style, content):
    return f'<{kind} style="{style}">{content}</{kind}>'


def _table(head, lines):
    """Return a table as HTML.

    A line is (texts, source or "", caller or ""): numbers, and a name as the
    last one.
    """
    def row(kind, texts, source="", caller=""):
        *numbers, name = texts
        name = escape(cut_location(name, _MAX_NAME))
        if source:
            name += f"<br><code>{escape(cut(source, _MAX_SOURCE))}</code>"
        if caller:
            name += f"<br>{escape(cut(caller, _MAX_NAME))}"
        return "<tr>" + "".join(
            [_cell(kind, _NUMBER, escape(number)) for number in numbers]
            + [_cell(kind, _TEXT, name)]) + "</tr>"

    return ("<table><thead>" + row("th", head) + "</thead><tbody>"
            + "".join(row("td", *line) for line in lines)
            + "</tbody></table>")


def _paragraph(text):
    return f"<p>{escape(text)}</p>"


def snapshot_html(snapshot):
    """Return the sums of a snapshot and the lines that hold most."""
    stats = snapshot.statistics("lineno")
    size = sum(stat.size for stat in stats)
    count = sum(stat.count for stat in stats)
    text = (f"Snapshot: {format_size(size, False)} in "
            f"{rows.plural(count, 'block')} of "
            f"{rows.plural(len(stats), 'line')}")
    estimate = rows.estimate_text(snapshot)
    if estimate:
        text += f"; {estimate}"
    lines = [([format_size(stat.size, False),
               rows.share_text(stat.size, size), rows.blocks_text(stat.count),
               rows.label(stat.traceback, "lineno", short_name)],
              "".join(rows.lines_below(stat.traceback, "lineno")))
             for stat in stats[:LINES]]
    others = stats[LINES:]
    if others:
        rest = sum(stat.size for stat in others)
        lines.append((
            [format_size(rest, False), rows.share_text(rest, size),
             rows.blocks_text(sum(stat.count for stat in others)),
             rows.plural(len(others), "more line")], ""))
    return _paragraph(text) + _table(["size", "share", "blocks", "line"],
                                     lines)


class CellReport:
    """What a Measure with snapshots tells, for people.

    *name_of(filename)* returns what a file is called; lines of *threads*, by
    name, are summed up; *home* is the file of the cell, whose lines are told
    as callers of others.  All is computed here, so the measure is not needed
    any more.
    """

    _HEAD = ["held", "at peak", "allocated", "line"]

    def __init__(self, measure, name_of=str, limit=LINES, threads=(),
                 home=None):
        self._lines = []
        if measure.fault is not None:
            self._title = f"memory: no figures, {measure.fault}"
            return
        self._title = (
            f"held {format_size(measure.leaked, False)}, "
            f"peak {format_size(measure.peak, False)}, "
            f"allocated {format_size(measure.allocated_size, False)} in "
            + rows.plural(measure.allocated_count, "block"))
        totals = measure.leaked, measure.peak, measure.allocated_size
        found = _figures(measure, {*threads})
        others = [total - sum(sizes) for total, sizes in
                  zip(totals, zip(*found.values(), (0, 0, 0)))]
        least = _LEAST * max(map(abs, totals))
        ranked = sorted(
            (frame for frame, figures in found.items()
             if max(map(abs, figures)) >= least
             and frame.filename not in _OWN),
            key=lambda frame: (*_rank(found[frame], least), frame))
        callers = _callers(measure.ended, ranked[:limit], home, name_of)
        for frame in ranked[:limit]:
            self._lines.append(_line(found.pop(frame), frame,
                                     callers.get(frame, ""), name_of))
        if found:
            self._add_sums(map(sum, zip(*found.values())),
                           rows.plural(len(found), "more line"))
        if any(others):
            self._add_sums(others, "other threads")

    def _add_sums(self, sums, text):
        self._lines.append(
            ([format_size(size, False) for size in sums] + [text], ""))

    def __repr__(self):
        return _quietly(self._text)

    def _text(self):
        stream = io.StringIO()
        screen = Screen("never", stream)
        screen.width = screen.width or _WIDTH
        screen.write(self._title)
        if self._lines:
            screen.table(self._HEAD, [
                (texts, [None] * len(texts), [*filter(None, below)])
                for texts, *below in self._lines])
        return stream.getvalue().rstrip("\n")

    def _repr_html_(self):
        return _quietly(self._html)

    def _html(self):
        text = _paragraph(self._title)
        return text + _table(self._HEAD, self._lines) if self._lines else text


def _rank(figures, least):
    """Return what sorts lines: those first that hold much, or let go of it."""
    held = abs(figures[0])
    return (-held if held >= least else 0, -max(map(abs, figures)))


def _without(snapshot, threads):
    """Return a snapshot without the memory of threads of these names."""
    data = snapshot.traces._data
    names = data.names
    kept = data.keep(names[number] not in threads
                     for number in data.context_thread)
    return type(snapshot)._of(kept, snapshot.traces._limit, {})


def _figures(measure, threads):
    """Return {Frame: [bytes held, at the peak, allocated]}; none is all 0."""
    found = {}
    for column, new, old, figure in (
            (0, measure.after, measure.before, "size_diff"),
            (1, measure.at_peak, measure.before_peak, "size_diff"),
            (2, measure.ended, measure.before, "allocated_size")):
        for diff in _without(new, threads)._differences(
                _without(old, threads), "lineno", False, "size",
                everything=True):
            size = getattr(diff, figure)
            if size:
                figures = found.setdefault(diff.traceback[0], [0, 0, 0])
                figures[column] = size
    return found


def _callers(snapshot, frames, home, name_of):
    """Return {frame: which line of *home* calls it, as text}.

    That is the oldest frame in that file, where most was allocated; lines of
    the file itself have none.  O(contexts, and call paths of these lines).
    """
    data = snapshot.traces._data
    numbers = {name: number for number, name in enumerate(data.names)}
    if home not in numbers:
        return {}
    name, home = name_of(home), numbers[home]
    wanted = {(numbers.get(frame.filename), frame.lineno): frame
              for frame in frames}
    sums, oldest = {}, {0: None}
    for context, place in enumerate(zip(data.context_file,
                                        data.context_line)):
        frame = wanted.get(place)
        if frame is None or place[0] == home:
            continue
        caller = _oldest(data, data.context_path[context], home, oldest)
        if caller is not None:
            found = sums.setdefault(frame, {})
            found[caller] = (found.get(caller, 0)
                             + data.context_allocated_bytes[context])
    return {frame: _caller_text(name, *max(found, key=found.get))
            for frame, found in sums.items()}


def _caller_text(name, line, function):
    return (f"called from {printable(name)}:{line} "
            + rows.function_text(function))


def _oldest(data, path, home, known):
    """Return (line, function) of the oldest frame of a path that is in a file.

    None if there is none.  What is known of paths is kept.
    """
    above = []
    while path not in known:
        above.append(path)
        path = data.path_parent[path]
    found = known[path]
    for path in reversed(above):
        if found is None and data.path_file[path] == home:
            found = (data.path_line[path],
                     data.names[data.path_function[path]])
        known[path] = found
    return found


def _line(figures, frame, caller, name_of):
    """Return (texts, source, caller) of a line of the table.

    *caller* is the text that tells who calls it, or "".
    """
    text = rows.frame_text(frame).removeprefix(printable(frame.filename))
    text = printable(name_of(frame.filename)) + text
    source = "".join(rows.lines_below([frame], "lineno"))
    if not source and frame.filename in linecache.cache:
        # A cell of IPython's, whose name is none of a file.
        source = printable(linecache.getline(frame.filename,
                                             frame.lineno).strip())
    return ([format_size(size, False) for size in figures] + [text],
            source, caller)
