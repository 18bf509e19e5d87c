"""Make the pages about tracing plain text, which help() can point to.

    text_pages.py FOLDER

Writes one .txt file for each of PAGES.  Only the markup is known that these
pages use; what is left of any other is an error.  `make install` runs this,
so that it needs nothing but the interpreter that is being installed.
"""

import os
import re
import sys
import textwrap
from functools import cache

DOC = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

PAGES = ("library/tracemalloc", "library/tracemalloc-cli",
         "library/tracemalloc-format", "library/tracemalloc-record",
         "library/pytracemalloc",
         "c-api/allocators-and-tracing")

# Directives that say nothing in a text, and have nothing but options below.
_SILENT = {"contents", "module", "highlight", "c:namespace"}
# Those whose body stands by itself, with what to put before it.
_BODIES = {"code-block": None, "list-table": None, "seealso": "See also:",
           "versionadded": "New in version {}", "versionchanged":
           "Changed in version {}", "note": "Note:", "warning": "Warning:"}
# Those that describe something: their signature is kept.
_NAMES = {"function", "method", "classmethod", "staticmethod", "attribute",
          "class", "exception", "data", "c:function", "c:struct", "c:type",
          "c:macro"}
_SHOWN = {"class", "exception", "classmethod", "staticmethod"}

_DIRECTIVE = re.compile(r"( *)\.\. ([a-z:-]+)::(?: +(.*))?")
_OPTION = re.compile(r" *:[a-z-]+:(?: |$)")
_ROLE = re.compile(r":([a-z:]+):`([^`]+)`")
_CALLED = {"func", "meth", "c:func"}
_RULE = re.compile(r" *={3,}(?: +={3,})+")
_UNDERLINE = re.compile(r"([=\-^~\"])\1{2,}")


@cache
def _titles():
    """Return {label: title of its section} of all pages."""
    found = {}
    for name in PAGES:
        for label, title in re.findall(
                r"(?m)^\.\. _([^:\n]+):\n\n(.+)\n[=-]{3}", _source(name)):
            found[label] = f"'{_inline(title)}' in {_file_of(name)}"
    return found


def _file_of(name):
    return f"{os.path.basename(name)}.txt"


def _role(found):
    name, text = found.groups()
    title = re.fullmatch(r"(.*\S)\s*<[^<>]*>", text, re.S)
    if title:
        return title[1]
    text = re.sub(r"^!", "", text)
    if text.startswith("~"):
        text = text.rpartition(".")[2]
    if name == "pep":
        return f"PEP {text}"
    if name == "doc":
        if text.startswith("/") and text[1:] not in PAGES:
            return f"Doc{text}.rst"     # not installed: a file of the sources
        return _file_of(text)
    if name == "ref":
        return _titles().get(text, f"'{text}' in CPython's documentation")
    if name in _CALLED and not text.endswith(")"):
        return f"{text}()"
    return text


def _inline(text):
    """Return text without markup inside of lines."""
    # What is literal is put aside, since nothing in it is markup.
    kept = []

    def keep(found):
        kept.append(found[1])
        return f"\0{len(kept) - 1}\0"

    text = re.sub(r"``(.+?)``", keep, text, flags=re.S)
    text = _ROLE.sub(_role, text)
    text = re.sub(r"`([^`<]+?)\s*<([^`>]+)>`__?", r"\1 (\2)", text)
    text = re.sub(r"`([^`]+)`__?", r"\1", text)
    text = re.sub(r"\*\*(\S.*?)\*\*", r"\1", text)
    if "`" in text:
        raise ValueError(f"there is unknown markup in {text!r}")

    def give_back(found):
        literal = kept[int(found[1])]
        # One would not see where several words end.
        return f"`{literal}`" if " " in literal else literal

    return re.sub(r"\0(\d+)\0", give_back, text)


def _table(lines):
    """Return the lines of a table, its columns where they were."""
    rule = next(line for line in lines if _RULE.fullmatch(line))
    starts = [found.start() for found in re.finditer("=+", rule)]
    ends = [*starts[1:], None]
    result = []
    for line in lines:
        if _RULE.fullmatch(line) or not line.strip():
            result.append(line)
            continue
        cells = [_inline(line[start:end]).ljust((end or 0) - start)
                 for start, end in zip(starts, ends)]
        result.append((line[:starts[0]] + "".join(cells)).rstrip())
    return result


def _indent(line):
    return len(line) - len(line.lstrip())


class _Page:
    """Reads a page line by line; text() returns what became of it."""

    def __init__(self, folder, source):
        self._folder = folder
        self._lines = source.expandtabs().split("\n")
        self._out = []
        self._waiting = []

    def text(self):
        at = 0
        while at < len(self._lines):
            at = self._step(at)
        self._flush()
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(self._out))
        return text.strip("\n") + "\n"

    def _flush(self):
        if self._waiting:
            self._out += _inline("\n".join(self._waiting)).split("\n")
            self._waiting = []

    def _put(self, *lines):
        self._flush()
        self._out += lines

    def _block_end(self, at, indent):
        """Return the place behind the lines indented by more than that."""
        while at < len(self._lines) and (
                not self._lines[at].strip()
                or _indent(self._lines[at]) > indent):
            at += 1
        while at and not self._lines[at - 1].strip():
            at -= 1
        return at

    def _step(self, at):
        """Read what begins in a line; return the place behind it."""
        line = self._lines[at]
        found = _DIRECTIVE.fullmatch(line)
        if found:
            return self._directive(at, *found.groups(""))
        if line.strip().startswith(".. ") or line.startswith(":orphan:"):
            return at + 1
        if _RULE.fullmatch(line):
            end = at + 1
            while self._lines[end].strip():
                end += 1
            self._put(*_table(self._lines[at:end]))
            return end
        if line.rstrip().endswith("::"):
            return self._literal(at)
        if (at and _UNDERLINE.fullmatch(line)
                and self._lines[at - 1].strip()):
            self._flush()
            self._out.append(line[0] * len(self._out[-1]))
            return at + 1
        self._waiting.append(line)
        return at + 1

    def _literal(self, at):
        line = self._lines[at].rstrip()
        if line.strip() != "::":
            self._waiting.append(line.removesuffix("::").rstrip() + ":")
        end = self._block_end(at + 1, _indent(line))
        self._put(*self._lines[at + 1:end])
        return end

    def _directive(self, at, margin, name, argument):
        end = self._block_end(at + 1, len(margin))
        body = at + 1
        while body < end and _OPTION.match(self._lines[body]):
            body += 1
        if name in _SILENT:
            return end
        if name == "image":
            said = " ".join(line.strip() for line in self._lines[at + 1:end])
            words = re.fullmatch(r"(?::class: \w+ )?:alt: (.+)", said)[1]
            self._waiting += textwrap.wrap(f"[{words}]", 79)
            return end
        if name == "literalinclude":
            self._put(*self._included(margin, argument))
            return end
        if name in _NAMES:
            shown = f"{name} " if name in _SHOWN else ""
            self._put(f"{margin}{shown}{argument}")
            # More of the same name, below each other.
            while body < end and self._lines[body].strip():
                self._put(margin + shown + self._lines[body].strip())
                body += 1
            return body
        if name not in _BODIES:
            raise ValueError(f"there is an unknown directive {name!r}")
        if name == "code-block":
            self._put(*self._lines[body:end])
            return end
        if _BODIES[name]:
            version, _, rest = argument.partition(" ")
            if name.startswith("version"):
                self._waiting.append(
                    margin + _BODIES[name].format(version)
                    + (f": {rest}" if rest else "."))
            else:
                self._waiting.append(f"{margin}{_BODIES[name]} {argument}"
                                     .rstrip())
        return body

    def _included(self, margin, name):
        with open(os.path.join(self._folder, name),
                  encoding="utf-8") as stream:
            return ["", *textwrap.indent(stream.read(), margin + "   ")
                    .rstrip().split("\n")]


def _path(name):
    return os.path.join(DOC, f"{name}.rst")


def _source(name):
    with open(_path(name), encoding="utf-8") as stream:
        return stream.read()


def text_of(name):
    """Return a page, such as 'library/tracemalloc', as plain text."""
    try:
        return _Page(os.path.dirname(_path(name)), _source(name)).text()
    except ValueError as error:
        raise ValueError(f"{_path(name)}: {error}") from None


def main(folder):
    os.makedirs(folder, exist_ok=True)
    for name in PAGES:
        target = os.path.join(folder, _file_of(name))
        with open(target, "w", encoding="utf-8") as stream:
            stream.write(text_of(name))


if __name__ == "__main__":
    main(*sys.argv[1:])
