"""Files that tell what tests needed, to notice when they need more.

    {
     "format": "tracemalloc baseline of tests",
     "version": 1,
     "fork": "1.0",
     "python": "3.13.5",
     "tests": {
      "tests/test_cart.py::test_add": {"leaked": 0, "peak": 24188}
     }
    }

Sizes are bytes, tests are sorted by name: so that changes can be read.
"""

import json
import platform
import re

from tracemalloc._cli.units import NUMBER, size
from tracemalloc._text import format_size
from tracemalloc._version import VERSION
from tracemalloc._writing import write_file

FORMAT = "tracemalloc baseline of tests"
NEWEST = 1
FIGURES = ("peak", "leaked")

# Some hundred bytes a test: enough for any tests that there are.
_MAX_FILE = 1 << 26
# What no process can hold.
_MAX_FIGURE = 1 << 62


class BaselineError(ValueError):
    """A file is no baseline; the text says in one line what it is."""


class Tolerance:
    """How much more than its baseline a figure may be.

    A part of the baseline or a number of bytes, whichever is more.
    """

    __slots__ = ("percent", "size")

    def __init__(self, percent=0.0, size=0):
        self.percent, self.size = percent, size

    @classmethod
    def parse(cls, text):
        """Return that of '5%', '4KiB', '5%,4KiB' or '0'.

        Raises ValueError for others.
        """
        percent = bytes_ = None
        for part in text.split(","):
            part = part.strip()
            found = re.fullmatch(NUMBER + r"\s*%", part, re.A)
            if found and percent is None:
                percent = float(found[1])
            elif not found and bytes_ is None:
                try:
                    bytes_ = size(part)
                except ValueError:
                    break
            else:
                break
        else:
            return cls(percent or 0.0, bytes_ or 0)
        raise ValueError(f"{text!r} is no tolerance such as 5%, 4KiB or "
                         "5%,4KiB")

    def most(self, base):
        """Return the highest figure that is not too much."""
        return base + max(int(abs(base) * self.percent / 100), self.size)

    def __str__(self):
        percent = f"{self.percent:g}%"
        if not self.size:
            return percent if self.percent else "nothing"
        text = format_size(self.size, False)
        return f"{percent} or {text}" if self.percent else text


def read(path):
    """Return {test: {"peak": bytes, "leaked": bytes}} of a file.

    A figure that the file lacks is not in it.  Raises OSError, and
    BaselineError if the file is something else.
    """
    with open(path, "rb") as stream:
        content = stream.read(_MAX_FILE + 1)
    if len(content) > _MAX_FILE:
        raise BaselineError(f"is larger than {_MAX_FILE} bytes")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise BaselineError("is no JSON") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BaselineError(f"has no \"format\": \"{FORMAT}\"")
    version = found.get("version")
    if type(version) is not int or version < 1:
        raise BaselineError("has no version")
    if version > NEWEST:
        raise BaselineError(f"has version {version}, and this Python knows "
                            f"{NEWEST}: write it anew, or use a newer one")
    tests = found.get("tests")
    if not isinstance(tests, dict):
        raise BaselineError('has no object "tests"')
    return {name: _figures(name, each) for name, each in tests.items()}


def _figures(name, each):
    if isinstance(each, dict):
        figures = {key: each[key] for key in FIGURES if key in each}
        if all(type(value) is int and abs(value) < _MAX_FIGURE
               for value in figures.values()):
            return figures
    raise BaselineError(f"has no figures for {name[:200]!r}")


def write(path, tests):
    """Write a file with these figures, which appears only when complete.

    Raises OSError.
    """
    head = json.dumps({"format": FORMAT, "version": NEWEST, "fork": VERSION,
                       "python": platform.python_version()}, indent=1)
    # A test is one line: so a comparison of two files names it.
    lines = [f"  {json.dumps(name)}: {json.dumps(tests[name], sort_keys=True)}"
             for name in sorted(tests)]
    text = (head.removesuffix("\n}") + ',\n "tests": {\n'
            + ",\n".join(lines) + "\n }\n}\n")
    write_file(path, lambda stream: stream.write(text.encode()))
