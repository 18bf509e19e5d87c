"""Filters on file name and line, while tracing and on snapshots."""

import os
import os.path
from _thread import RLock
from operator import index

import _tracemalloc

_PACKAGE = os.path.dirname(__file__)
_PACKAGE_FILE = os.path.join(_PACKAGE, "__init__.py")
_MAX_LINENO = 2 ** 31 - 1


def _normal(name):
    """Return a file name or pattern in the form in which they are compared."""
    name = os.path.normcase(name or "")
    if name.endswith((".pyc", ".pyo")):
        name = name[:-1]
    return name


class Filter:
    """Which blocks to trace, or keep in a snapshot, by where they come from.

    include   -- true to keep what matches, false to drop it
    pattern   -- file name (str); each '*' stands for any text, also for none.
                 '.pyc' and '.pyo' at the end mean '.py'; on Windows, case does
                 not matter, nor which slash is used.  The file name of this
                 package (pytracemalloc.__file__) stands for all its files
    lineno    -- line number; None or less than 1 for any
    traceback -- true to look at all frames that a traceback shows, false for
                 the most recent one

    Filters cannot be changed.  A file name or line that is not known (None)
    is compared as "" and 0.
    """

    __slots__ = ("_include", "_pattern", "_lineno", "_traceback", "_parts")

    def __init__(self, include, pattern, lineno=None, traceback=False):
        if not isinstance(pattern, str):
            raise TypeError("the pattern of a filter must be a str, not "
                            f"{type(pattern).__name__}")
        if lineno is not None:
            lineno = index(lineno)
            if lineno > _MAX_LINENO:
                raise ValueError(f"no line has the number {lineno}: give one "
                                 f"up to {_MAX_LINENO}, or None for any")
        self._include = bool(include)
        self._pattern = pattern
        self._lineno = lineno
        self._traceback = bool(traceback)
        self._parts = self._normal_pattern().split("*")

    def _normal_pattern(self):
        if self._pattern == _PACKAGE_FILE:
            return _normal(os.path.join(_PACKAGE, "*"))
        return _normal(self._pattern)

    @property
    def include(self):
        """Whether what matches is kept, not dropped (bool)."""
        return self._include

    @property
    def pattern(self):
        """The pattern of file names (str), as it was given."""
        return self._pattern

    @property
    def lineno(self):
        """The line number; None or less than 1 for any."""
        return self._lineno

    @property
    def traceback(self):
        """Whether all frames are looked at, not only the newest (bool)."""
        return self._traceback

    def match_filename(self, filename):
        """Return whether the pattern covers the whole file name.

        Time is proportional to the length of the name.
        """
        name = _normal(filename)
        first, *rest = self._parts
        if not rest:
            return name == first
        *middle, last = rest
        end = len(name) - len(last)
        at = len(first)
        if at > end or not (name.startswith(first) and name.endswith(last)):
            return False
        for part in middle:
            found = name.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    def match_lineno(self, lineno):
        """Return whether the line number is the filter's, or that is any."""
        if self._lineno is None or self._lineno < 1:
            return True
        return lineno == self._lineno

    def match(self, filename, lineno):
        """Return whether both the file name and the line number match."""
        return self.match_lineno(lineno) and self.match_filename(filename)

    def match_traceback(self, traceback):
        """Return whether a traceback matches, newest frame first.

        *traceback* is a sequence of (filename, lineno), and may be empty.
        Like the other methods, this tells whether the pattern fits: it does
        not depend on *include*.
        """
        if not traceback:
            return self.match(None, None)
        if self._traceback:
            return any(self.match(*frame) for frame in traceback)
        return self.match(*traceback[0])

    def _for_tracer(self):
        return (self._include, self._normal_pattern(),
                max(self._lineno or 0, 0), self._traceback)

    def _key(self):
        return self._include, self._pattern, self._lineno, self._traceback

    def __eq__(self, other):
        if not isinstance(other, Filter):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def __repr__(self):
        return (f"<Filter include={self._include!r} "
                f"pattern={self._pattern!r} lineno={self._lineno!r} "
                f"traceback={self._traceback!r}>")

    def __reduce__(self):
        return type(self), self._key()


def check_filters(filters):
    """Return the filters as a list; TypeError if one is something else."""
    filters = list(filters)
    for item in filters:
        if not isinstance(item, Filter):
            raise TypeError(f"a Filter is needed, not {type(item).__name__}")
    return filters


class FilterSet:
    """Several filters, asked at once."""

    def __init__(self, filters):
        self._inclusive = [item for item in filters if item.include]
        self._exclusive = [item for item in filters if not item.include]

    def admits_frame(self, filename, lineno):
        """Return whether a block is kept of which one frame is known."""
        return self._admits("match", filename, lineno)

    def admits(self, traceback):
        """Return whether a block with the traceback is kept."""
        return self._admits("match_traceback", traceback)

    def _admits(self, method, *args):
        if self._inclusive and not any(getattr(item, method)(*args)
                                       for item in self._inclusive):
            return False
        return not any(getattr(item, method)(*args)
                       for item in self._exclusive)


# Filters while tracing.  The tracer has the same list, in its own form.

_filters = []
_lock = RLock()         # to change them; one may be in a task meanwhile


def _replace_filters(filters):
    global _filters
    _tracemalloc._set_filters([item._for_tracer() for item in filters])
    _filters = filters


def forget_threads():
    """Free the lock in a child process, where no other thread goes on."""
    _lock._at_fork_reinit()


def add_filter(filter):
    """Apply a Filter to all blocks that are allocated from now on.

    Blocks are traced if one of the inclusive filters matches, or if there is
    none, and if no exclusive filter matches.  Blocks that are traced already
    stay: call clear_traces() to be rid of them.  A block that is resized, or
    an object that Python uses again, counts as allocated at that moment.

    Filters cost one look at a table for each block that is allocated, however
    many they are; without filters there is no cost.
    """
    with _lock:
        _replace_filters(check_filters([*_filters, filter]))


def add_include_filter(filename, lineno=None, traceback=False):
    """Trace only blocks that come from the file, like add_filter()."""
    add_filter(Filter(True, filename, lineno, traceback))


def add_exclude_filter(filename, lineno=None, traceback=False):
    """Trace no blocks that come from the file, like add_filter()."""
    add_filter(Filter(False, filename, lineno, traceback))


def clear_filters():
    """Take all filters away: everything allocated from now on is traced."""
    with _lock:
        _replace_filters([])


def get_filters():
    """Return the filters that apply while tracing, as a new list."""
    return list(_filters)
