"""What files and calls are called in tables: short names, folded imports.

    /usr/lib/python3.13/json/decoder.py             json/decoder.py
    /srv/venv/lib/python3.13/site-packages/a/b.py   a/b.py
    C:\\Python313\\Lib\\json\\decoder.py                json\\decoder.py
    /usr/lib/python313.zip/json/decoder.py          json/decoder.py
    /srv/app/views/list.py, seen from /srv/app      views/list.py
    <frozen importlib._bootstrap>, /etc/job.py      as they are

Names are text: a snapshot may come from another machine, with other folders
and another system.  Two files that would get the same short name keep their
full ones.  What programs read, as JSON, has full names.
"""

import os

from tracemalloc._installed import (
    PACKAGES, is_import, last, library_end, own_library)

_PACKED = (".egg", ".whl")


def _is_of_windows(filename):
    return "\\" in filename and (filename[1:2] == ":" or "/" not in filename)


def short_name(filename, folder=None):
    """Return what a file is called, as far as it alone can tell.

    folder -- the current one: what is below it is called from there
    """
    if filename.startswith("<"):
        return filename
    separator = "\\" if _is_of_windows(filename) else "/"
    parts = filename.replace("\\", "/").split("/") if separator == "\\" \
        else filename.split("/")
    if len(parts) == 1 or ".." in parts:
        return filename
    own = own_library() + os.sep
    end = last(parts, PACKAGES.__contains__)
    packed = last(parts, lambda part: part.endswith(_PACKED))
    if packed and (not end or packed == end + 1):
        end = packed
    if not end and filename.startswith(own):
        end = own.count(os.sep)
    end = end or library_end(parts)
    if end and parts[end] == "lib-dynload" and end + 1 < len(parts):
        end += 1
    if end:
        return separator.join(parts[end:])
    if folder:
        below = folder.rstrip(separator) + separator
        if filename.startswith(below) and len(filename) > len(below) > 1:
            return filename[len(below):]
    return filename


class Names:
    """Short names of all files of a table: called with the full one.

    filenames -- all names that may have to be told apart; others, too, do no
                 harm
    folder    -- the current one, if None
    """

    def __init__(self, filenames, folder=None):
        if folder is None:
            try:
                folder = os.getcwd()
            except OSError:
                # It has been removed.
                folder = ""
        self._folder = folder
        meant = {}
        for filename in {*filenames}:
            meant.setdefault(short_name(filename, folder), []).append(filename)
        self._short = {
            alike[0]: short for short, alike in meant.items()
            if len(alike) == 1 and short and short != alike[0]}

    def __call__(self, filename):
        return self._short.get(filename, filename)


def full_names(filename):
    """Stands for Names where all are to be told in full."""
    return filename


def names_of(*snapshots, full=False, folder=None):
    """Return what gives the files of snapshots their names.

    O(names) of files and functions.
    """
    if full:
        return full_names
    from tracemalloc._stacks import data_of

    return Names({name for snapshot in snapshots
                  for name in data_of(snapshot)[0].names}, folder)


def fold_imports(frames):
    """Return frames, and numbers of frames in place of those that import.

    frames -- the oldest first.  The newest is where memory was allocated, and
              stays; so does one that stands alone.
    """
    found, run = [], []
    for at, frame in enumerate(frames, 1):
        if is_import(frame.filename) and at < len(frames):
            run.append(frame)
            continue
        found += [len(run)] if len(run) > 1 else run
        found.append(frame)
        run = []
    return found


def folded_text(number):
    """Return the line that stands for so many frames."""
    return f"({number} frames of import)"
