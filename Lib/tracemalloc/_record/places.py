"""Where records are, and which file is whose.

A folder of records has one file for each process, PROGRAM.PID.tmrec.  Whoever
writes records makes the private folder and looks after its owner and rights
(Python/tracemalloc/record/place.c); here it is only found and read.
"""

import os
import re
import stat
import time
from contextlib import suppress

from tracemalloc._errors import SnapshotFormatError
from tracemalloc._text import is_number

SUFFIX = ".tmrec"

# A process whose number another file has already gets a number behind.
_NAME = re.compile(r"(?:.*\.)?(\d+)(?:-\d+)?\.tmrec", re.S)


def default_folder():
    """Return the folder of this user's records, which need not exist.

    That is tracemalloc in $XDG_RUNTIME_DIR, if that is a folder of this user,
    and else tracemalloc-UID in $TMPDIR or /tmp.  The C core decides by the
    same rule.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime):
        with suppress(OSError, ValueError):
            status = os.stat(runtime)
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
                return os.path.join(runtime, "tracemalloc")
    temporary = os.environ.get("TMPDIR", "")
    if not os.path.isabs(temporary):
        temporary = "/tmp"
    return os.path.join(temporary, f"tracemalloc-{os.geteuid()}")


def list_folder(folder):
    """Return the files of a folder that are named as records, by name.

    Raises OSError.
    """
    return sorted(os.path.join(folder, name) for name in os.listdir(folder)
                  if name.endswith(SUFFIX) and not name.startswith("."))


def find(what, *, children=False):
    """Return the paths of the records that *what* stands for.

    what     -- the number of a process as text, a file, or a folder
    children -- with those of the processes that it started, as far as their
                records lie in the same folder

    A number stands for the newest record of that process: in the private
    folder of this user, or where the process has its record open.  The list
    is empty if there is none.  A file need not be a record.  With *children*,
    parents come before their children.  Raises OSError if there is no such
    file or folder.
    """
    if is_number(what) and not os.path.lexists(what):
        found = _of_process(int(what))
    elif os.path.isdir(what):
        found = list_folder(what)
    else:
        os.stat(what)
        found = [what]
    if children and found:
        found = _with_children(found)
    return found


def _of_process(pid):
    """Return a list of the newest record of a process; or of none."""
    found = []
    with suppress(FileNotFoundError):
        for path in list_folder(default_folder()):
            name = _NAME.fullmatch(os.path.basename(path))
            if name and int(name[1]) == pid:
                found.append(path)
    if not found:
        found = _open_records(pid)
    return sorted(found, key=_modified)[-1:]


def _open_records(pid):
    """Return the records that a running process has open."""
    folder, found = f"/proc/{pid}/fd", []
    with suppress(OSError):
        for name in os.listdir(folder):
            link = os.path.join(folder, name)
            with suppress(OSError):
                path = os.readlink(link)
                if not path.endswith(SUFFIX):
                    continue
                # In a container it may have another name here, or none.
                if not os.path.exists(path) or not os.path.samefile(path,
                                                                    link):
                    path = link
                found.append(path)
    return found


def _modified(path):
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _with_children(paths):
    """Return the paths, and those of the processes that these started."""
    from tracemalloc._record.reader import read_about

    heads, found = {}, dict.fromkeys(paths)
    for folder in {os.path.dirname(path) or os.curdir for path in paths}:
        for path in [*paths, *list_folder(folder)]:
            with suppress(OSError, SnapshotFormatError):
                head = read_about(path)
                heads.setdefault(os.path.realpath(path), (path, head))
    heads = sorted(heads.values(), key=lambda each: each[1].started)
    names = {path for path, _ in heads}
    firsts = {}
    for _, head in heads:
        firsts.setdefault(head.family, head)
    # Of the first process of a family, all others are children, also those
    # that were started by a program in between that is not traced.
    chosen = [head for path, head in heads if path in found]
    known = {(head.family, head.pid) for head in chosen}
    whole = {head.family for head in chosen if firsts[head.family] is head}
    for path, head in heads:
        if head.family in whole or (head.family, head.parent) in known:
            found[path] = None
            known.add((head.family, head.pid))
    ordered = [path for path, _ in heads if path in found]
    return ordered + [path for path in found if path not in names]


def clean(folder, keep=0):
    """Remove records of processes that are gone; return the paths removed.

    Those that were never finished are removed, too.  The newest *keep* of
    them stay.  Those of processes that run, and files that are no records, are
    left alone.  Raises OSError for a folder that cannot be read; what cannot
    be removed stays.
    """
    from tracemalloc._record.reader import read_about

    gone = []
    for path in list_folder(folder):
        with suppress(OSError, SnapshotFormatError):
            about = read_about(path)
            if about.state != "running":
                gone.append((about.written, path))
    gone.sort(reverse=True)
    removed = [path for _, path in gone[keep:] if _remove(path)]
    for path in _abandoned(folder):
        with suppress(OSError):
            os.unlink(path)
            removed.append(path)
    return removed


def _remove(path):
    """Remove a record if its writer is gone still; return whether it is."""
    from tracemalloc._record.reader import open_file, try_lock

    # Another process may have put its own there since it was read.  With the
    # lock nobody does.
    with suppress(OSError), open_file(path) as stream:
        if try_lock(stream.fileno()) is not False and os.path.samestat(
                os.fstat(stream.fileno()), os.lstat(path)):
            os.unlink(path)
            return True
    return False


# Making a record takes less, in seconds.
_LONG = 60


def _abandoned(folder):
    """Yield records that were being made when their process was killed."""
    from tracemalloc._record.layout import MAGIC
    from tracemalloc._record.reader import is_locked, open_file

    unwritten = bytes(len(MAGIC))
    for name in os.listdir(folder):
        if not (name.startswith(".tracemalloc-") and name.endswith(".tmp")):
            continue
        path = os.path.join(folder, name)
        with suppress(OSError), open_file(path) as stream:
            status = os.fstat(stream.fileno())
            # Snapshots that are being written have such names, too.
            if (stat.S_ISREG(status.st_mode)
                    and stream.read(len(MAGIC)) in (MAGIC, unwritten)
                    and time.time() - status.st_mtime > _LONG
                    and is_locked(stream.fileno()) is False):
                yield path
