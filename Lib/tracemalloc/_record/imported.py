"""The folders that a recorded program imports from, as far as they show.

A record does not tell sys.path: it begins before there is one, and what
writes it touches no objects of Python.  What is known instead:

    the script          its folder is the first entry of sys.path
    -m NAME             the folder in which NAME is
    names of files      a package's folder has an __init__.py, and the folder
                        above the topmost package is one to import from; that
                        is looked up in the record, and else on this machine
    the library, site-packages and dist-packages
                        by their names

A folder that none of these shows is missing; what is in it is named by its
file, as where no folder is known at all.
"""

import os

from tracemalloc._groups import PACKAGES
from tracemalloc._installed import last, library_end


def folders_of(command, names):
    """Return folders, in order; texts that a hostile file may have chosen.

    command -- arguments of the interpreter, itself included
    names   -- those of all files, and others
    """
    known = {name for name in names if name.startswith("/")}
    found, own = {}, set()
    is_package = _Packages(known)
    for folder in sorted(set(map(os.path.dirname, known))):
        parts = [*folder.split("/"), ""]
        end = last(parts, PACKAGES.__contains__) or library_end(parts)
        if end:
            found["/".join(parts[:end])] = None
            continue
        own.add(folder)
        if is_package(folder):
            while is_package(folder):
                folder = os.path.dirname(folder)
            found[folder] = None
    of_program = _of_program(command, {name for name in known
                                       if os.path.dirname(name) in own})
    return list(dict.fromkeys((*of_program, *found)))


def _of_program(command, known):
    """Return a list of the folder that the program itself is imported from.

    It may be empty.  The command need not have a name in full; the record
    has, but other files may be called alike.
    """
    from tracemalloc._cli.programs import run_by

    kind, name = run_by(command) or ("", "")
    if kind == "script" and os.path.isabs(name):
        return [os.path.dirname(name)]
    if kind == "script":
        ends = [os.path.basename(name)]
    elif kind == "-m":
        path = name.replace(".", "/")
        ends = [f"{path}.py", f"{path}/__main__.py", f"{path}/__init__.py"]
    else:
        return []
    found = {each.removesuffix(end) for end in ends for each in known
             if each.endswith("/" + end)}
    return [(found.pop().rstrip("/") or "/")] if len(found) == 1 else []


class _Packages:
    """Whether a folder is a package; each is looked at once."""

    # So many that are not in the record are looked up.
    _MOST = 10_000

    def __init__(self, known):
        self._known = {
            os.path.dirname(name): True for name in known
            if os.path.basename(name) == "__init__.py"}
        self._left = self._MOST

    def __call__(self, folder):
        found = self._known.get(folder)
        if found is None:
            found = folder != "/" and self._left > 0 and self._look(folder)
            self._known[folder] = found
        return found

    def _look(self, folder):
        self._left -= 1
        try:
            return os.path.isfile(os.path.join(folder, "__init__.py"))
        except ValueError:
            # A null character.
            return False
