"""What the files of a snapshot are, as far as a reader wants to know."""

from tracemalloc._cli.rows import is_launcher
from tracemalloc._groups import UNKNOWN, folders_in, module_of
from tracemalloc._installed import (
    is_import, is_installed, is_of_package)

# Kinds of files, by number; the page has the same.
PROGRAM, PACKAGE, STANDARD, IMPORT, NOWHERE = range(5)

_RUNPY = "<frozen runpy>"


class Places:
    """Tells kinds and modules; *metadata* are those of all snapshots."""

    def __init__(self, metadata):
        self._folders = list(dict.fromkeys(
            folder for each in metadata for folder in folders_in(each)))

    def kind(self, filename):
        if is_import(filename):
            return IMPORT
        if filename == UNKNOWN:
            return NOWHERE
        if not is_installed(filename, self._folders):
            return PROGRAM
        return PACKAGE if is_of_package(filename) else STANDARD

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
