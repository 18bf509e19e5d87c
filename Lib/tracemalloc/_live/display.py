"""What a view draws on: a terminal, or a table of characters.

A display has

    size()              (lines, columns)
    erase()             nothing is on it
    put(line, column, text, style)
                        write; what does not fit is cut off, cells beyond the
                        edges are left alone
    show()              let what was put be seen
    key(seconds)        the next key within that time, None if there is none
    marks               characters of curves, the emptiest first
    arrows              those for more and less

Styles are the names in STYLES, or None.  Keys are characters, or 'UP', 'DOWN',
'LEFT', 'RIGHT', 'PGUP', 'PGDN', 'HOME', 'END', 'ENTER', 'ESC', 'BACKSPACE',
'RESIZE'.
"""

import errno
import os
import sys

from tracemalloc._cli.screen import cells
from tracemalloc._live import curve

# Style -> (colour or None, attribute).
STYLES = {
    "title": (None, "bold"), "head": (None, "reverse"),
    "label": ("cyan", "normal"), "more": ("red", "normal"),
    "less": ("green", "normal"), "curve": ("yellow", "normal"),
    "dim": (None, "dim"), "cursor": (None, "reverse"),
    "alert": ("red", "bold"),
}


def _is_unicode():
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        (curve.BLOCKS + "▲▼").encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True


class Terminal:
    """A display on the terminal, by curses.  To be used in `with`."""

    def __init__(self):
        self.marks, self.arrows = ((curve.BLOCKS, "▲▼") if _is_unicode()
                                   else (curve.ASCII, "+-"))

    def __enter__(self):
        import curses
        import locale

        # For characters beyond ASCII; undone when this process ends.  The one
        # of the environment may be one of another machine.
        for name in "", "C.UTF-8":
            try:
                locale.setlocale(locale.LC_CTYPE, name)
                break
            except locale.Error:
                continue
        # Escape alone is a key, too, and not for a second.
        os.environ.setdefault("ESCDELAY", "25")
        self._curses = curses
        self._window = curses.initscr()
        try:
            curses.noecho()
            curses.cbreak()
            self._window.keypad(True)
            self._hide_cursor()
            self._styles = self._make_styles()
        except BaseException:
            curses.endwin()
            raise
        return self

    def __exit__(self, *exc_info):
        self._window.keypad(False)
        self._curses.nocbreak()
        self._curses.echo()
        self._curses.endwin()

    def _hide_cursor(self):
        try:
            self._curses.curs_set(0)
        except self._curses.error:
            # Not every terminal can.
            pass

    def _make_styles(self):
        curses = self._curses
        attributes = {"bold": curses.A_BOLD, "dim": curses.A_DIM,
                      "reverse": curses.A_REVERSE, "normal": curses.A_NORMAL}
        pairs = {}
        if not os.environ.get("NO_COLOR"):
            try:
                curses.start_color()
                curses.use_default_colors()
                for number, name in enumerate(
                        ("red", "green", "yellow", "cyan"), 1):
                    color = getattr(curses, f"COLOR_{name.upper()}")
                    curses.init_pair(number, color, -1)
                    pairs[name] = curses.color_pair(number)
            except curses.error:
                pairs = {}
        return {name: attributes[attribute] | pairs.get(color, 0)
                for name, (color, attribute) in STYLES.items()}

    def size(self):
        return self._window.getmaxyx()

    def erase(self):
        self._window.erase()

    def put(self, line, column, text, style=None):
        lines, columns = self.size()
        if not (0 <= line < lines and 0 <= column < columns):
            return
        while cells(text) > columns - column:
            text = text[:-1]
        try:
            self._window.addstr(line, column, text,
                                self._styles.get(style, 0))
        except self._curses.error:
            # The last cell of all is written, and then the cursor has no
            # place to go.
            pass

    def show(self):
        self._window.refresh()

    def key(self, seconds):
        self._window.timeout(max(int(seconds * 1000), 0))
        try:
            key = self._window.get_wch()
        except self._curses.error:
            # Nobody has pressed one in time; or nobody can any more.
            if not os.isatty(sys.stdin.fileno()):
                raise OSError(errno.EIO, "the terminal is gone") from None
            return None
        if isinstance(key, str):
            return {"\n": "ENTER", "\r": "ENTER", "\x1b": "ESC",
                    "\x7f": "BACKSPACE", "\b": "BACKSPACE"}.get(key, key)
        return self._names().get(key)

    def _names(self):
        curses = self._curses
        return {curses.KEY_UP: "UP", curses.KEY_DOWN: "DOWN",
                curses.KEY_LEFT: "LEFT", curses.KEY_RIGHT: "RIGHT",
                curses.KEY_PPAGE: "PGUP", curses.KEY_NPAGE: "PGDN",
                curses.KEY_HOME: "HOME", curses.KEY_END: "END",
                curses.KEY_ENTER: "ENTER", curses.KEY_BACKSPACE: "BACKSPACE",
                curses.KEY_RESIZE: "RESIZE"}


class Cells:
    """A display that is a table of characters, for tests.

    keys -- what key() returns, one after the other, and then 'q'; functions
            among them are called, and return one
    """

    marks, arrows = curve.BLOCKS, "▲▼"

    def __init__(self, lines=24, columns=80, keys=()):
        self.lines, self.columns = lines, columns
        self._keys = iter(keys)
        self.styles = {}
        self.pictures = []
        self.erase()

    def size(self):
        return self.lines, self.columns

    def erase(self):
        self._table = [[" "] * self.columns for _ in range(self.lines)]
        self.styles = {}

    def put(self, line, column, text, style=None):
        if not (0 <= line < self.lines and 0 <= column < self.columns):
            return
        for character in text:
            width = cells(character)
            if column + width > self.columns:
                break
            self._table[line][column] = character
            for rest in range(1, width):
                self._table[line][column + rest] = ""
            self.styles[line, column] = style
            column += width

    def show(self):
        self.pictures.append(self.text())

    def key(self, seconds):
        key = next(self._keys, "q")
        return key() if callable(key) else key

    def text(self):
        """Return what is seen, as lines without blanks at their ends."""
        return ["".join(line).rstrip() for line in self._table]
