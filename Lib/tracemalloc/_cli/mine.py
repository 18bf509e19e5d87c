"""--mine: blocks named by the nearest frame that is one's own.

See tracemalloc._mine, which does it.
"""

import os
import shlex
from functools import cache

from tracemalloc import _mine
from tracemalloc._cli import note
from tracemalloc._cli.screen import printable
from tracemalloc._groups import folders_in
from tracemalloc._installed import is_installed

OPTION = "--mine"


def with_values(arguments):
    """Return arguments where --mine always has a value, '' for its default.

    A word behind it is the pattern, unless it is an option, the number of a
    process, or names a file that is there and is no source file: that is a
    snapshot.
    """
    waiting, found = list(arguments), []
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            return [*found, argument, *waiting]
        if argument == OPTION:
            is_pattern = (waiting and not waiting[0].startswith("-")
                          and not _is_snapshot(waiting[0]))
            argument = f"{OPTION}={waiting.pop(0) if is_pattern else ''}"
        found.append(argument)
    return found


def _is_snapshot(name):
    if name.isascii() and name.isdigit():
        return True
    try:
        return (os.path.exists(name) and not os.path.isdir(name)
                and not name.endswith(".py"))
    except ValueError:
        # A null character.
        return False


def applied(filename, snapshot, patterns):
    """Return a snapshot named by frames that are mine; tell if none is."""
    mine = _mine.mine_of(snapshot, patterns)
    if not _mine.is_found(snapshot, mine):
        note(f"{filename}: {_nothing_found(snapshot, patterns)}")
    return _mine.attributed(snapshot, mine)


def _nothing_found(snapshot, patterns):
    if all(patterns):
        return (f"{OPTION} {' '.join(map(shlex.quote, patterns))} matches no "
                "frame: a pattern is a glob of whole file names such as "
                "'*/shop/*', a module or a folder")
    text = (f"{OPTION} finds no file below {os.getcwd()} that is not "
            f"installed: name what is yours, as in {OPTION}='*/shop/*'")
    for folder in snapshot.metadata.get("path") or ():
        if isinstance(folder, str) and _mine.is_found(
                snapshot, _mine.below(folder)):
            return f"{text}, or here {OPTION}={shlex.quote(folder + '/*')}"
    return text


def folders_of(*snapshots):
    """Return the folders that modules of snapshots were imported from."""
    return [folder for snapshot in snapshots
            for folder in folders_in(snapshot.metadata)]


def installed(snapshots, patterns):
    """Return a function of a file name: whether it is of somebody else."""
    folders = folders_of(*snapshots)
    if patterns is None:
        return cache(lambda filename: is_installed(filename, folders))
    is_mine = _mine.Mine(patterns, folders)
    return lambda filename: filename != _mine.OTHERS and not is_mine(filename)


def text_of(patterns):
    """Return what blocks are named by, '' if by what allocated them."""
    if patterns is None:
        return ""
    told = [*map(printable, filter(None, patterns))]
    if not all(patterns) or not patterns:
        told.append(f"below {printable(os.getcwd())}, but for what is "
                    "installed")
    return f"by the nearest frame that is mine: {', '.join(told)}"
