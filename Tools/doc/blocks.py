"""Find the code blocks of a page.

A block is a literal block (`::`), what `code-block` has in it, what
`literalinclude` names, or the lines of an interactive session (`>>>`).  A
comment of one line above it, or above the text that announces it, may say who
looks at it:

    .. tested: test_tracemalloc_book.CTests.test_extension
    .. not run: why it cannot be run here

The second, with `below` behind `not run`, is for the rest of the page.
"""

import os
import re
from typing import NamedTuple

_MARK = re.compile(r" *\.\. (tested|not run)( below)?: (.+)")
_DIRECTIVE = re.compile(r" *\.\. (code-block|literalinclude|highlight)::"
                        r" *(\S*)")
_OPTION = re.compile(r" +:[\w-]+:")


class Block(NamedTuple):
    line: int               # where it is announced, from 1
    language: str           # "python" unless the page says something else
    text: str               # without its margin
    announcement: str       # the line before it
    included: str | None    # the file that it is, as the page names it
    marks: dict             # {"tested" or "not run": what is said}

    @property
    def commands(self):
        """Lines of a shell session that begin with a prompt."""
        return re.findall(r"(?m)^\$ (.+)", self.text)


def _indent(line):
    return len(line) - len(line.lstrip())


def _without_margin(lines):
    margin = min((_indent(line) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines).strip("\n") + "\n"


class _Reader:
    def __init__(self, text):
        self._lines = text.expandtabs().split("\n")
        self._language = "python"
        self._marks = {}
        self._marks_below = {}

    def blocks(self):
        at = 0
        while at < len(self._lines):
            line = self._lines[at]
            mark = _MARK.fullmatch(line)
            directive = _DIRECTIVE.match(line)
            end = at + 1
            if mark:
                marks = self._marks_below if mark[2] else self._marks
                marks[mark[1]] = mark[3]
            elif directive and directive[1] == "highlight":
                self._language = directive[2]
            elif directive and directive[1] == "literalinclude":
                yield self._block(at, at + 1, at + 1, included=directive[2])
            elif directive or (line.rstrip().endswith("::")
                               and not line.strip().startswith("..")):
                first, end = self._body(at)
                language = directive[2] if directive else None
                yield self._block(at, first, end, language=language)
            elif line.lstrip().startswith(">>> "):
                while self._lines[end].strip():
                    end += 1
                yield self._block(at, at, end, language="pycon")
            at = end

    def _body(self, at):
        """Return where what is indented below a line begins and ends."""
        end = at + 1
        while end < len(self._lines) and (
                not self._lines[end].strip()
                or _indent(self._lines[end]) > _indent(self._lines[at])):
            end += 1
        first = at + 1
        while first < end and _OPTION.match(self._lines[first]):
            first += 1
        return first, end

    def _block(self, at, first, end, language=None, included=None):
        marks, self._marks = self._marks, {}
        return Block(at + 1, language or self._language,
                     _without_margin(self._lines[first:end]),
                     self._lines[at].strip(), included,
                     self._marks_below | marks)


def blocks_of(path):
    """Return the blocks of a page."""
    with open(path, encoding="utf-8") as stream:
        return list(_Reader(stream.read()).blocks())


def pages_of(root):
    """Return the paths of all pages below a repository's root."""
    found = ["README.rst", "CONTRIBUTING.rst"]
    for folder, folders, names in os.walk(os.path.join(root, "Doc")):
        folders.sort()
        found += (os.path.relpath(os.path.join(folder, name), root)
                  for name in sorted(names) if name.endswith(".rst"))
    return found
