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
from tracemalloc._stacks import data_of
from tracemalloc._text import is_number

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
    if is_number(name):
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
    for folder in folders_in(snapshot.metadata):
        if _mine.is_found(snapshot, _mine.below(folder)):
            return f"{text}, or here {OPTION}={shlex.quote(folder + '/*')}"
    return text


# A table is full of libraries if they have this share of what it shows.
_FULL = 2 / 3


def hint(options, snapshot, shown):
    """Return a text about --mine if a table is full of libraries, or ''.

    shown -- (file name, figure) of each of its rows
    """
    if (options.mine is not None or options.cumulative
            or options.group_by not in ("lineno", "filename", "function")):
        return ""
    try:
        os.getcwd()
    except OSError:
        # It has been removed, and relative names tell nothing.
        return ""
    folders = folders_of(snapshot)
    shown = [(name, abs(figure)) for name, figure in shown]
    whole = sum(figure for _, figure in shown)
    others = sum(figure for name, figure in shown
                 if is_installed(name, folders))
    if not whole or others < _FULL * whole:
        return ""
    option = _of_callers(snapshot, folders)
    return option and (f"(most of this is in libraries; {option} shows which "
                       "of your lines it is for)")


def _of_callers(snapshot, folders):
    """Return the option that finds one's own frames among callers, or ''."""
    data, _ = data_of(snapshot)
    callers = {data.names[file] for file in data.path_file[1:]}
    own = {name for name in callers if not name.startswith("<")
           and not is_installed(name, folders)}
    if any(map(_mine.Mine([""], folders), own)):
        return OPTION
    for folder in folders:
        if any(map(_mine.below(folder), own)):
            return f"{OPTION}={shlex.quote(os.path.join(folder, '*'))}"
    return ""


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
