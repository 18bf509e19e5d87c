"""The source of a file that a page does not have, or not all of it.

A page has source for what it shows, as far as there is room.  A viewer shows
call paths that come later, and asks for the source of their files when a
reader wants to see it.  With it comes all that is allocated in the file, by
expression: what there was no room for is part of a sum on the page.
"""

import re

from tracemalloc._report.below import tell_frame
from tracemalloc._report.sources import EXPRESSION_LINES, SUFFIXES

# The first of all names is that of no file.
_NUMBER = re.compile(r"[1-9]\d{0,8}", re.A)


class NoSuchFile(ValueError):
    """The snapshots name no such file; the text says why."""


class Asked:
    """One file that snapshots name.

    whole -- Whole that the page was made of
    text  -- number of the file's name, as tell_frame() and the page have it
    room  -- bytes of source at most

    Time and memory: O(contexts).
    """

    def __init__(self, whole, text, room):
        self._whole, self._room = whole, room
        if _NUMBER.fullmatch(text) is None:
            raise NoSuchFile(f"{text!r} is no number of a file")
        self._file = int(text)
        self._lines = {line for file, line, _ in whole.joined.frames
                       if file == self._file}
        if not self._lines:
            raise NoSuchFile("there is no such file in the snapshots")
        self._find_spots()

    def _find_spots(self):
        joined = self._whole.joined
        of_file = [file == self._file for file, *_ in joined.frames]
        leaves = joined.leaves()
        contexts = [context for context, frame in enumerate(leaves)
                    if of_file[frame]]
        columns = (leaves, *(joined.columns[name] for name in (
            "end_line", "column", "end_column")), self._whole.groups.group_of)
        self._spots, self._sets = joined.sums_of(contexts, (
            tuple(column[context] for column in columns)
            for context in contexts))
        for frame, end_line, *_ in self._spots:
            line = joined.frames[frame][1]
            if line < end_line < line + EXPRESSION_LINES:
                self._lines.update(range(line, end_line + 1))

    def to_json(self):
        """Return the answer, as a dict for JSON.

        source -- what a page has of a file; None if it cannot be had
        reason -- why it cannot be had, or None
        spots  -- those of the file, of all snapshots; numbers are sums
        frames -- those of the spots, as tell_frame() tells them
        """
        joined = self._whole.joined
        name = joined.names[self._file]
        sources = self._whole.sources([(0, name, self._lines)], self._room)
        source = sources.files.get(0)
        used = dict.fromkeys(spot[0] for spot in self._spots)
        number = {frame: index for index, frame in enumerate(used)}
        spots = {"frame": [], "endLine": [], "column": [], "endColumn": [],
                 "group": [], "sets": self._sets}
        for frame, end_line, column, end_column, group in self._spots:
            if source is not None:
                column = source.column(joined.frames[frame][1], column)
                end_column = source.column(end_line, end_column)
            for values, value in zip(spots.values(), (
                    number[frame], end_line, column, end_column, group)):
                values.append(value)
        return {
            "source": sources.found[0] if source else None,
            "reason": None if source else self._reason(name, sources),
            "frames": [tell_frame(joined, self._whole.groups.places, frame)
                       for frame in used],
            "spots": spots,
        }

    def _reason(self, name, sources):
        if sources.left_out:
            return (f"It has more than the {self._room:,} bytes of source "
                    "that are shown of a file.")
        if not name.endswith(SUFFIXES):
            return "Only files of Python are shown, by their names."
        return "It cannot be read where the viewer runs."
