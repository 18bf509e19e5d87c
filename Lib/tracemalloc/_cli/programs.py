"""What one has to know of a snapshot's program: before two are compared, and
before lines are taken for those that ran.
"""

import os
import shlex
import stat

from tracemalloc._cli import note
from tracemalloc._cli.names import short_name
from tracemalloc._cli.screen import printable

# What is behind so many words is an argument of the program.
_MOST_WORDS = 1000

# Options of the interpreter whose value is a word of its own.
_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")


def run_by(command):
    """Return what a command ran as (kind, name): ('-m', MODULE), ('-c', CODE)
    or ('script', NAME).

    None if it does not tell, or if it was an interactive session.
    """
    if (not isinstance(command, (list, tuple)) or len(command) < 2
            or not all(isinstance(word, str) for word in command)):
        return None
    # A file may have a million words.
    found = _program_in(list(command[1:_MOST_WORDS]))
    if found is not None and found[:2] == ["-m", "tracemalloc"]:
        if found[2:3] != ["run"]:
            return None
        found = _program_of_run(found[3:])
    if not found:
        return None
    if found[0] in ("-m", "-c"):
        return found[0], " ".join(found[1:2])
    return "script", found[0]


def program_of(metadata):
    """Return what a process ran: '-m MODULE', '-c CODE' or a script's name.

    None if the metadata do not tell, or if it was an interactive session.
    """
    found = run_by(metadata.get("command"))
    if found is None:
        return None
    kind, name = found
    if kind == "script":
        # The same script may be called by several names.
        return os.path.basename(name.rstrip("/")) or name
    return f"{kind} {name}".rstrip()


def _program_in(words):
    """Return what follows the options of the interpreter; None if nothing."""
    while words:
        word = words.pop(0)
        if word in _WITH_VALUE:
            words = words[1:]
        elif word[:2] in ("-m", "-c"):
            return [word[:2], *([word[2:]] if word[2:] else []), *words]
        elif len(word) > 1 and word[0] == "-" and word[1] != "-" and (
                word[-1] in "mc" and word[1:].isalpha()):
            # Such as -Im.
            return ["-" + word[-1], *words]
        elif not word.startswith("-"):
            return [word, *words]
    return None


def words_after_run(words):
    """Return the words of what `run` ran, and its arguments; None if nothing.

    *words* are those behind `run`.
    """
    from tracemalloc._cli.run import value_follows

    words = list(words)
    while words:
        word = words.pop(0)
        if word == "--":
            return words
        if word[:2] in ("-m", "-c") or not word.startswith("-"):
            return [word, *words]
        if value_follows(word):
            words = words[1:]
    return None


def _program_of_run(words):
    """Return what `run` ran."""
    words = words_after_run(words)
    if words and words[0][:2] in ("-m", "-c") and len(words[0]) > 2:
        return [words[0][:2], words[0][2:], *words[1:]]
    return words


def tell_difference(old_name, new_name, old, new):
    """Tell on standard error if two snapshots cannot well be compared."""
    tell_programs([(old_name, program_of(old.metadata)),
                   (new_name, program_of(new.metadata))])
    tell_families([(old_name, processes_of(old.metadata)),
                   (new_name, processes_of(new.metadata))])


def tell_programs(known):
    """Do the same for many: pairs of a file's name and its program."""
    text = different_programs(known)
    if text:
        note(text)


def processes_of(metadata):
    """Return of how many processes a snapshot is."""
    found = metadata.get("processes")
    return len(found) if isinstance(found, list) and found else 1


def tell_families(known):
    """Tell if some snapshots are of one process, and some of several.

    *known* are pairs of a file's name and the number of its processes.
    """
    alone = [name for name, number in known if number == 1]
    families = [pair for pair in known if pair[1] > 1]
    if alone and families:
        name, number = families[0]
        note(f"{name} is of {number:,} processes together, {alone[0]} of one: "
             "--children adds up those of a running one")


def different_programs(known):
    """Return what is to be told of such pairs, or None."""
    known = [(name, program) for name, program in known if program]
    for name, program in known[1:]:
        first_name, first = known[0]
        if program != first:
            return (f"{first_name} is of the program {_shown(first)}, {name} "
                    f"of {_shown(program)}: they may have little in common")
    return None


def tell_limits(old_name, new_name, both):
    """Tell on standard error if one of two call paths tells more."""
    if len({*both.limits}) > 1:
        old, new = both.limits
        note(f"{old_name} keeps {old} frames of a call path, {new_name} {new}:"
             f" the newest {both.limit} are compared")


def tell_changes(frames, *loaded, by_function="-g function"):
    """Tell on standard error if lines may not be those that ran.

    frames      -- those that are shown as lines
    loaded      -- (name of a file, its Snapshot)
    by_function -- option that has functions compared, or None
    """
    known = [(time, name) for name, snapshot in loaded
             if type(time := snapshot.metadata.get("time")) in (int, float)
             and time > 0]
    if not known:
        return
    taken, name = min(known)
    found = [each for each in dict.fromkeys(
        frame.filename for frame in frames) if _was_changed(each, taken)]
    if not found:
        return
    text = printable(short_name(found[0], os.path.realpath(os.curdir)))
    more = len(found) > 1
    if more:
        text += f" and {len(found) - 1:,} more"
    text += (f" {'were' if more else 'was'} changed after {name} was taken: "
             f"{'their' if more else 'its'} lines may be others")
    if len(loaded) > 1 and by_function:
        text += f"; {by_function} compares functions"
    note(text)


def _was_changed(filename, taken):
    if filename.startswith("<"):
        return False
    try:
        status = os.stat(filename)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(status.st_mode) and status.st_mtime > taken


def _shown(program):
    text = printable(program)
    return shlex.quote(text if len(text) < 60 else text[:57] + "...")
