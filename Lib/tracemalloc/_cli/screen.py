"""Writing tables: alignment, colours, widths and lines of source code."""

import linecache
import os
import re
import stat
import sys
from unicodedata import east_asian_width

from tracemalloc._text import is_number

STYLES = {
    "title": "1",
    "head": "2",
    "size": "33",
    "more": "31",
    "less": "32",
    "location": "36",
    "source": "2",
}

_IN_FUNCTION = re.compile(r"(.*:\d+) .+")

# Longer files are no source that one wants to read a line of.
_MAX_SOURCE = 1 << 24
# On a terminal of fewer columns, lines are broken by it and not cut.
_MIN_WIDTH = 40


def printable(text):
    """Return *text* without characters that control terminals."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable()
        else character.encode("unicode_escape").decode()
        for character in text)


def cells(text):
    """Return how many columns of a terminal *text* takes."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(character) in "WF" else 1
               for character in text)


def cut(text, width):
    """Return *text*, its end cut off if it is wider than *width*."""
    if width is None or cells(text) <= width:
        return text
    # No character takes less than a column; names and lines can be very long.
    text = text[:width]
    while text and cells(text) > width - 3:
        text = text[:-1]
    return text + "..."


def cut_location(text, width):
    """Return 'FILE:LINE FUNCTION' so that it is not too wide.

    Folders at the begin go first, then the end of the function's name; but
    __init__.py keeps the folder that it is called after.  What stands for
    several calls, '... 7 frames of MODULES', loses its end.
    """
    if width is None or cells(text) <= width:
        return text
    if text.startswith("... "):
        return cut(text, width)
    rest = text
    slash = text.find("/", max(0, len(text) - width))
    while slash >= 0:
        rest = text[slash + 1:]
        if cells(rest) + 4 <= width:
            return _of_package(text[:slash], rest, width) or ".../" + rest
        slash = text.find("/", slash + 1)
    above, _, rest = text.rpartition("/")
    named = _of_package(above, rest, width)
    if named:
        return named
    folders = ".../" * (rest != text)
    found = _IN_FUNCTION.fullmatch(rest)
    if found:
        rest = found[1]
        if cells(rest) + 8 <= width:
            return cut(folders + found[0], width)
        if cells(folders + rest) <= width:
            return folders + rest
    rest = rest[-width:]
    while rest and cells(rest) > width - 3:
        rest = rest[1:]
    return "..." + rest


def _of_package(folders, rest, width):
    """Return a location with the folder above a file of a package.

    '' if the file has a name of its own, or there is no room.
    """
    if not rest.startswith(("__init__.py:", "__main__.py:")):
        return ""
    above, slash, folder = folders.rpartition("/")
    text = ".../" * bool(slash) + f"{folder}/{rest}"
    found = _IN_FUNCTION.fullmatch(text)
    # The function's name gives way, the number of the line does not.
    if not folder or not found or cells(found[1]) + 8 > width:
        return ""
    return cut(text, width)


def wrapped(text, width):
    """Return *text* as lines that are not too wide, parted at spaces.

    What would fill a screen is cut.
    """
    if width is None:
        return [text]
    lines = []
    text = cut(text, 8 * width)
    while cells(text) > width:
        line = text[:width]
        while cells(line) > width:
            line = line[:-1]
        if text[len(line)] != " " and " " in line.strip():
            line = line[:line.rindex(" ")]
        lines.append(line.rstrip())
        text = text[len(line):].lstrip()
    return [*lines, text]


def source(frame):
    """Return the stripped line of source of a Frame, or ''."""
    name = frame.filename
    if not frame.lineno or name.startswith("<"):
        return ""
    if name not in linecache.cache:
        # Snapshots come from elsewhere: a name may be that of a device.
        try:
            status = os.stat(name)
        except (OSError, ValueError):
            return ""
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_SOURCE:
            return ""
    return printable(linecache.getline(name, frame.lineno).strip())


def is_terminal(file):
    """Return whether a stream, or what stands in for one, is a terminal."""
    return getattr(file, "isatty", bool)()


def _may_color(file, when):
    if when != "auto":
        return when == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(file) and os.environ.get("TERM") != "dumb"


def _width(file):
    """Return columns to keep to, None for as many as it takes."""
    columns = os.environ.get("COLUMNS", "")
    if is_number(columns) and int(columns):
        return max(int(columns), _MIN_WIDTH)
    try:
        if is_terminal(file):
            columns = os.get_terminal_size(file.fileno()).columns
            return max(columns, _MIN_WIDTH) if columns else 80
    except (OSError, ValueError):
        pass
    return None


class Screen:
    """Where a command writes to.

    color -- whether there are colours
    width -- columns, or None if lines may be as long as they like
    """

    def __init__(self, when="auto", file=None):
        self._file = sys.stdout if file is None else file
        self.color = _may_color(self._file, when)
        self.width = _width(self._file)
        if hasattr(self._file, "reconfigure"):
            # File names may have what the terminal has not.
            self._file.reconfigure(errors="backslashreplace")

    def paint(self, text, style):
        if not (self.color and style and text):
            return text
        return f"\033[{STYLES[style]}m{text}\033[0m"

    def write(self, text="", style=None):
        self._file.write(self.paint(text.rstrip(), style) + "\n")

    def title(self, text):
        # Names of files, and not only those in snapshots.
        for line in wrapped(printable(text), self.width):
            self.write(line, "title")

    def table(self, head, rows):
        """Write rows of cells under their heads.

        All columns but the last hold numbers as text and are aligned at the
        right; the last is for locations, and gets what is left of the width.
        It may be a pair, of what stands before the location and is not cut,
        and the location.  A row is (cells, styles, lines), where lines are
        further ones below the last column; styles has one style or None for
        each cell.
        """
        widths = [max(cells(row[at]) for row in [head, *(r[0] for r in rows)])
                  for at in range(len(head) - 1)]
        indent = sum(widths) + 2 * len(widths)
        left = self.width
        if left is not None:
            left = max(left - indent, 20)

        def line(texts, styles):
            parts = [" " * (width - cells(text)) + self.paint(text, style)
                     for text, width, style in zip(texts, widths, styles)]
            last = texts[-1]
            before, last = last if isinstance(last, tuple) else ("", last)
            last = cut_location(last, left and max(left - len(before), 20))
            parts.append(before + self.paint(last, styles[-1]))
            self._file.write("  ".join(parts).rstrip() + "\n")

        line(head, ["head"] * len(head))
        for texts, styles, lines in rows:
            line(texts, styles)
            for text in lines:
                text = cut(text, None if left is None else left - 2)
                self.write(" " * (indent + 2) + self.paint(text, "source"))
