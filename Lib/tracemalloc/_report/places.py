"""What the files of a snapshot are, as far as a reader wants to know."""

import os
import re

from tracemalloc._cli.rows import is_launcher
from tracemalloc._groups import UNKNOWN, _folders_in, module_of

# Kinds of files, by number; the page has the same.
PROGRAM, PACKAGE, STANDARD, IMPORT, NOWHERE = range(5)

# What stands between an import statement and the module's code.
_IMPORT = ("<frozen importlib._bootstrap>",
           "<frozen importlib._bootstrap_external>")
_PACKAGES = ("/site-packages/", "/dist-packages/")
_STANDARD = re.compile(r"/(?:lib|lib64|Lib)/python3\.\d+t?/")
_RUNPY = "<frozen runpy>"


def _slashes(name):
    return name.replace("\\", "/")


class Places:
    """Tells kinds and modules; *metadata* are those of all snapshots."""

    def __init__(self, metadata):
        folders = dict.fromkeys(folder for each in metadata
                                for folder in _folders_in(each))
        self._folders = list(folders)
        # The folder of a library that was not installed; and our own, since
        # most snapshots are read by the interpreter that took them.
        self._standard = tuple(
            _slashes(folder).rstrip("/") + "/" for folder in
            [*(name for name in folders
               if _slashes(name).rstrip("/").endswith("/Lib")),
             os.path.dirname(os.__file__)])

    def kind(self, filename):
        if filename in _IMPORT:
            return IMPORT
        if filename == UNKNOWN:
            return NOWHERE
        if filename.startswith("<frozen "):
            return STANDARD
        name = _slashes(filename)
        if any(folder in name for folder in _PACKAGES):
            return PACKAGE
        if _STANDARD.search(name) or name.startswith(self._standard):
            return STANDARD
        return PROGRAM

    def module(self, filename):
        return module_of(filename, self._folders)


def launching(names, parents, files):
    """Return the set of rows that are of `run`, which no program has called.

    *parents* and *files* are columns of call paths; a parent has a smaller
    number.
    """
    wanted = {number for number, name in enumerate(names)
              if is_launcher(name)}
    if not wanted:
        return frozenset()
    runpy = {number for number, name in enumerate(names) if name == _RUNPY}
    found = set()
    for row, (parent, file) in enumerate(zip(parents, files)):
        if file in wanted or (file in runpy and parent in found):
            found.add(row)
    return found
