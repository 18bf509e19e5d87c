"""What is installed, as far as the name of a file tells it.

    packages        what lies in site-packages or dist-packages
    the library     the standard one, of this interpreter or of another
    imports         what stands between an import statement and the code of
                    the module; it is part of the library

Names may come from another machine, with other folders and another system.
Loaded on first use.
"""

import os
import re
from functools import cache

from tracemalloc._filters import _normalize_filename
from tracemalloc._groups import MACHINERY, PACKAGES

_LIBRARY = re.compile(r"(?:python|pypy)\d+(?:\.\d+)?t?", re.A)
_ARCHIVE = re.compile(r"python\d+t?\.zip", re.A)
_BASES = ("python", "conda", "forge", "pypy")
# What can be run although it has no file: where it came from is not known.
_MADE = re.compile(r"<(?!frozen |unknown>)")


def own_library():
    """Return the folder of the standard library of this interpreter."""
    return os.path.dirname(os.__file__)


def last(parts, wanted):
    """Return the index behind the last part that is wanted; 0: none is.

    The file itself is none.
    """
    return max((at for at, part in enumerate(parts[:-1], 1)
                if wanted(part)), default=0)


def library_end(parts):
    """Return the index behind the folder of a standard library, or 0."""
    for at, part in enumerate(parts[:-1]):
        above = parts[at - 1].lower() if at else ""
        if _LIBRARY.fullmatch(part):
            if above in ("lib", "lib32", "lib64"):
                return at + 1
        elif _ARCHIVE.fullmatch(part):
            return at + 1
        elif part == "Lib" and any(base in above for base in _BASES):
            return at + 1
    return 0


def as_folder(name):
    """Return what the names of files in a folder begin with."""
    return os.path.join(_normalize_filename(os.path.abspath(name)), "")


@cache
def _standard_folders(folders):
    """Return where the standard library is, of this or another interpreter.

    *folders* are those that modules were imported from.
    """
    known = {*folders}
    found = {own_library()}
    found |= {folder for folder in folders
              if os.path.join(folder, "lib-dynload") in known}
    return tuple(map(as_folder, found))


def _parts(filename):
    return filename.replace("\\", "/").split("/")


def is_installed(filename, folders):
    """Whether a file is of the standard library or of an installed package.

    *folders* are those that modules were imported from.
    """
    if filename.startswith("<"):
        return not _MADE.match(filename)
    name = os.path.abspath(filename)
    if _normalize_filename(name).startswith(_standard_folders(
            tuple(folders))):
        return True
    parts = _parts(name)
    return bool(last(parts, PACKAGES.__contains__) or library_end(parts))


def is_of_package(filename):
    """Whether a file that is installed is one of a package."""
    return bool(last(_parts(filename), PACKAGES.__contains__))


# What MACHINERY is called where it is not frozen.
_IMPORT_FILES = ("importlib/_bootstrap.py",
                 "importlib/_bootstrap_external.py",
                 "importlib/__init__.py", "/zipimport.py")


def is_import(filename):
    """Whether a file is one of those that import modules."""
    return filename in MACHINERY or (
        filename.endswith(".py")
        and filename.replace("\\", "/").endswith(_IMPORT_FILES))
