"""Lines of source for a page, and what highlights them.

Only files that programs are written in are read, whatever names a snapshot
has: a page is handed on, and a forged snapshot could ask for any file of the
one who reads it.
"""

import keyword
import os
import stat
import tokenize

# Larger files are generated, and of no use to a reader.
_MAX_FILE = 4 << 20
SUFFIXES = ".py", ".pyw"
# Files of so many lines are whole; of others what is near to memory.
_WHOLE, _NEAR = 300, 5
_LONG_LINE = 500
# An expression of fewer lines is shown whole.
EXPRESSION_LINES = 100

# Classes of tokens, by number; the page has the same.
_KEYWORD, _STRING, _COMMENT, _NUMBER, _NAME = range(1, 6)


class SourceFile:
    """The lines of a file, and where tokens are in them.

    lines   -- text of each line, without its end
    tokens  -- by line: [first character, length, class, ...], flat
    """

    def __init__(self, lines):
        self.lines = lines
        self.tokens = [[] for _ in lines]
        try:
            self._highlight()
        except (tokenize.TokenError, SyntaxError, ValueError):
            # Then there are no colours from there on.  The last is for what
            # no encoding has: files may be in one such as UTF-7, which has
            # lone surrogates.
            pass

    def _highlight(self):
        text = iter([line + "\n" for line in self.lines])
        before = ""
        for token in tokenize.generate_tokens(lambda: next(text, "")):
            kind = self._class_of(token, before)
            if token.type == tokenize.NAME:
                before = token.string
            if kind:
                self._mark(token.start, token.end, kind)

    @staticmethod
    def _class_of(token, before):
        if token.type == tokenize.COMMENT:
            return _COMMENT
        if token.type in (tokenize.STRING, tokenize.FSTRING_START,
                          tokenize.FSTRING_MIDDLE, tokenize.FSTRING_END):
            return _STRING
        if token.type == tokenize.NUMBER:
            return _NUMBER
        if token.type == tokenize.NAME:
            if keyword.iskeyword(token.string):
                return _KEYWORD
            if before in ("def", "class"):
                return _NAME
        return 0

    def _mark(self, start, end, kind):
        for line in range(start[0], end[0] + 1):
            first = start[1] if line == start[0] else 0
            last = end[1] if line == end[0] else len(self.lines[line - 1])
            if first < last and line <= len(self.lines):
                self.tokens[line - 1] += [first, last - first, kind]

    def column(self, line, column):
        """Return the character at a column, which is in bytes of UTF-8."""
        if not 1 <= line <= len(self.lines) or column < 0:
            return -1
        text = self.lines[line - 1]
        if text.isascii():
            return min(column, len(text))
        encoded = text.encode(errors="surrogatepass")[:column]
        return len(encoded.decode(errors="replace"))


def read(filename):
    """Return the SourceFile, or None: it cannot be had, or is no source."""
    if not filename.endswith(SUFFIXES) or "\0" in filename:
        return None
    try:
        descriptor = os.open(filename, os.O_RDONLY
                             | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if (not stat.S_ISREG(status.st_mode)
                    or status.st_size > _MAX_FILE):
                return None
            encoding, _ = tokenize.detect_encoding(stream.readline)
            stream.seek(0)
            text = stream.read().decode(encoding)
    except (OSError, ValueError, SyntaxError, LookupError):
        return None
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    return SourceFile([line[:_LONG_LINE] for line in lines])


def _near(lines, total):
    """Return the numbers of lines that are shown, in order."""
    if total <= _WHOLE:
        return range(1, total + 1)
    shown = set()
    for line in lines:
        shown.update(range(max(1, line - _NEAR),
                           min(total, line + _NEAR) + 1))
    return sorted(shown)


class Sources:
    """The sources of a page: as many files as there is room for.

    *wanted* is [(file's place on the page, its name, lines)], the most
    important first; *taken* is when the first snapshot was taken, or None.
    """

    def __init__(self, wanted, room, taken=None):
        self.files = {}
        self.found = []
        # Places of files for which there was no room.
        self.left_out = []
        for place, name, lines in wanted:
            if room <= 0:
                self.left_out.append(place)
                continue
            file = read(name)
            if file is None:
                continue
            entry = self._entry(place, file, lines)
            size = sum(map(len, entry["text"])) + 8 * len(entry["text"])
            if size > room:
                self.left_out.append(place)
                continue
            room -= size
            entry["newer"] = int(taken is not None
                                 and _changed(name) > taken)
            self.files[place] = file
            self.found.append(entry)

    @staticmethod
    def _entry(place, file, lines):
        shown = _near(lines, len(file.lines))
        return {"file": place, "total": len(file.lines),
                "line": list(shown),
                "text": [file.lines[line - 1] for line in shown],
                "tokens": [file.tokens[line - 1] for line in shown]}


def _changed(name):
    try:
        return os.stat(name).st_mtime
    except OSError:
        return 0


def wanted_files(shape):
    """Return what a page could show of files, for Sources.

    The biggest first, by what is allocated in them, then callers.
    """
    joined = shape.joined
    lines, sizes = {}, {}
    for number in shape.kept.frames:
        if number >= 0:
            file, line, _ = joined.frames[number]
            lines.setdefault(file, set()).add(line)
            sizes.setdefault(file, 0)
    sums = [0] * len(shape.spots)
    for values in shape.spot_sizes():
        sums = list(map(max, sums, values))
    for (frame, end_line, *_), size in zip(shape.spots, sums):
        if frame >= 0:
            file, line, _ = joined.frames[frame]
            lines.setdefault(file, set()).add(line)
            if line < end_line < line + EXPRESSION_LINES:
                lines[file].update(range(line, end_line + 1))
            sizes[file] = sizes.get(file, 0) + size
    places = shape.file_places()
    return [(places[file], joined.names[file], lines[file])
            for file in sorted(sizes, key=lambda file: (
                -sizes[file], joined.names[file]))]
