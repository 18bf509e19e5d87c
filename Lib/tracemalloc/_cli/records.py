"""Records in the place of snapshot files."""

import os

from tracemalloc._cli import UsageError, note
from tracemalloc._cli.files import is_process, reading
from tracemalloc._record import places
from tracemalloc._record.reader import read


def find(what, children=False):
    """Return the records that an argument stands for, one at least.

    UsageError if there is none, with what can be done about it.
    """
    found = reading(what, lambda: places.find(what, children=children))
    if not found and is_process(what):
        raise UsageError(nothing_of(what))
    if not found:
        raise UsageError(f"{what}: is a folder, and has no record in it")
    return found


def nothing_of(pid):
    """Return why there is no record of a process, and what can be done."""
    from tracemalloc._cli.family import is_there

    text = f"process {pid} has no record in {places.default_folder()}, and "
    if not is_there(int(pid)):
        return (f"{text}does not run; ps lists what has one; of another "
                "folder, name the file")
    opened = f"/proc/{pid}/fd"
    if os.path.isdir(opened) and not os.access(opened, os.R_OK):
        return (f"{text}is of another user: ask as that one or as root, or "
                "name the file")
    return (f"{text}none open: start it with -X tracemalloc=25,record, or "
            "name the file or folder")


def pictures(what, children=False):
    """Return the Pictures of the records that an argument stands for."""
    found = []
    for path in find(what, children):
        try:
            found.append(reading(path, lambda: read(path)))
        except UsageError as error:
            if path == what:
                raise
            # One of many, of a writer who had no room for it.
            note(error)
    if not found:
        raise UsageError(f"{what}: none of its records can be read")
    return found


def snapshot_of(what, found):
    """Return one Snapshot of all Pictures that an argument stands for."""
    if len(found) == 1:
        return reading(what, found[0].snapshot)
    from tracemalloc._record.family import merge

    return reading(what, lambda: merge(found))
