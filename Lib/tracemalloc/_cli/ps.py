"""ps: the processes that keep records, and those that did."""

import json
import os
import shlex
import sys
import time

from tracemalloc import SnapshotFormatError
from tracemalloc._cli import UsageError, note, rows
from tracemalloc._cli.files import reading
from tracemalloc._cli.options import Parser, checked
from tracemalloc._cli.programs import words_after_run
from tracemalloc._cli.screen import Screen, cut, printable
from tracemalloc._cli.units import number
from tracemalloc._record import places
from tracemalloc._record.reader import read_about

_STYLES = {"running": "less", "gone": "more"}
# Columns in front of a command that tell whose child it is.
_MOST_INDENT = 12


def _parser():
    parser = Parser(
        "ps", "List the records of processes; by default this user's, in "
        "the private folder.\nsince is how long ago a process began, age how "
        "old its figures are.", "ps --clean --keep 10", snapshots=False)
    parser.add_argument("place", metavar="PLACE", nargs="?",
                        help="a folder of records, a record, or the number "
                             "of a process")
    parser.add_argument("--clean", action="store_true",
                        help="remove the records of processes that have "
                             "ended, and list what is left")
    parser.add_argument("--keep", type=checked(number), metavar="N",
                        help="leave the newest N of them (default: 0)")
    return parser


def main(arguments):
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.keep is not None and not options.clean:
        parser.error("--keep is for --clean")
    place = options.place or places.default_folder()
    if options.clean:
        _clean(place, options)
    found = _found(place, options)
    if options.json:
        json.dump([_as_json(picture) for picture in found], sys.stdout,
                  indent=1)
        print()
    else:
        _show(place, found, options)
        if options.place is not None and not options.children:
            _tell_children(place, len(found))
    return 0


def _clean(place, options):
    if not os.path.isdir(place):
        if options.place is None:
            return
        raise UsageError(f"{place}: --clean needs a folder")
    removed = reading(place, lambda: places.clean(place, options.keep or 0))
    if not options.json:
        note(f"removed {rows.plural(len(removed), 'record')} in "
             f"{place}")


def _found(place, options):
    """Return what the records tell, without their tables; oldest first."""
    if options.place is None and not os.path.isdir(place):
        return []
    if options.place is not None:
        from tracemalloc._cli.records import find

        paths = (reading(place, lambda: places.find(place))
                 if os.path.isdir(place)
                 else find(place, options.children))
    else:
        paths = reading(place, lambda: places.find(place))
    found = []
    for path in paths:
        try:
            found.append(read_about(path))
        except FileNotFoundError:
            # Removed just now.
            continue
        except OSError as error:
            note(f"{path}: {error.strerror or error}")
        except SnapshotFormatError as error:
            if path == options.place:
                raise UsageError(error) from None
            note(error)
    return sorted(found, key=lambda picture: (picture.started, picture.path))


def _tell_children(place, shown):
    """Tell that a process has children, if a folder does not list all."""
    if not os.path.isdir(place):
        from tracemalloc._cli.records import find

        others = len(find(place, children=True)) - shown
        if others > 0:
            note(f"{rows.plural(others, 'record')} more of its family: "
                 "--children lists all")


def _as_json(picture):
    return {
        "pid": picture.pid, "parent": picture.parent,
        "family": picture.family, "program": picture.program,
        "state": picture.state, "current": picture.current,
        "peak": picture.peak, "blocks": picture.blocks, "rss": picture.rss,
        "lost_bytes": picture.lost_bytes, "dropped": picture.dropped,
        "sample_interval": picture.sample_interval,
        "started": picture.started / 1e9, "written": picture.written / 1e9,
        "file": os.fsdecode(picture.path),
    }


def _parents(found):
    """Return for each Picture the number of the one above it, or None.

    Above it is its parent, or if that has no record the first process of the
    family, from which all others come.  *found* begins with the oldest record,
    which need not be that of the oldest process: forked ones begin theirs
    later.
    """
    known, firsts = {}, {}
    for number, picture in enumerate(found):
        known.setdefault((picture.family, picture.pid), []).append(number)
        firsts.setdefault(picture.family, number)
    parents = [None] * len(found)
    for number, picture in enumerate(found):
        family = picture.family
        again = [each for each in known[family, picture.pid]
                 if each < number and found[each].parent == picture.parent]
        if again:
            # It has begun a record for the second time.
            parents[number] = parents[again[0]]
            continue
        places = known.get((family, picture.parent), ())
        # A number may have been used again: the newest that is older.
        earlier = [each for each in places if each < number]
        for above in (*earlier[-1:], *places, firsts[family]):
            if not _is_below(above, number, parents):
                parents[number] = above
                break
    return parents


# Nobody has so many processes above him.
_MOST_ABOVE = 100


def _is_below(number, above, parents):
    """Whether one is below another, or is it; or so deep that it is odd."""
    for _ in range(_MOST_ABOVE):
        if number is None:
            return False
        if number == above:
            return True
        number = parents[number]
    return True


def _trees(found):
    """Return [(mark, Picture)]: children stand below who started them."""
    below = {}
    for number, parent in enumerate(_parents(found)):
        below.setdefault(parent, []).append(number)
    lines = []
    waiting = [("", "", number) for number in reversed(below.get(None, ()))]
    while waiting:
        indent, mark, number = waiting.pop()
        lines.append((indent + mark, found[number]))
        if mark:
            indent += "   " if mark == "`- " else "|  "
        # What is deeper would have no room.
        indent = indent[:_MOST_INDENT]
        children = below.get(number, ())
        waiting += [(indent, "|- " if child != children[-1] else "`- ", child)
                    for child in reversed(children)]
    return lines


def command_text(program):
    """Return a command line as one that a shell would take, to be shown."""
    # The folder of the interpreter tells nothing.
    first = os.path.basename(program[0]) if program else "?"
    return printable(shlex.join([first, *program[1:]]))


# Options of the interpreter whose value is a word of its own.
_WITH_VALUE = "-X", "-W", "--check-hash-based-pycs"


def _without_interpreter(program):
    """Return the words of a command from the script, -m or -c on."""
    at = 1
    while at < len(program) and program[at].startswith("-"):
        word = program[at]
        if word in _WITH_VALUE:
            at += 1
        elif not word.startswith(("--", "-X", "-W")) and (
                {*word} & {"c", "m"} or word == "-"):
            break
        at += 1
    words = program[at:]
    if words[:3] == ["-m", "tracemalloc", "run"]:
        return words_after_run(words[3:]) or words
    return words


def _short_command(program, width):
    """Return a command line in a column: where it is short of room, what all
    programs have in common goes, which is how the interpreter is started.
    """
    text = command_text(program)
    words = _without_interpreter(program)
    if len(text) > width and words:
        text = printable(shlex.join(words))
    return cut(text, width)


def _show(place, found, options):
    screen = Screen(options.color)
    screen.title(f"{place}: {rows.plural(len(found), 'record')}")
    if not found:
        if options.place is None:
            screen.write("a program writes one if it runs with "
                         "-X tracemalloc=25,record")
        return
    now = time.time()
    lines = []
    trees = _trees(found)
    for mark, picture in trees:
        cells = [
            str(picture.pid), picture.state,
            rows.bytes_text(picture.current), rows.bytes_text(picture.peak),
            rows.bytes_text(picture.rss),
            *(rows.age_text(now - moment / 1e9)
              for moment in (picture.started, picture.written)),
            (mark, command_text(picture.program))]
        styles = [None, _STYLES.get(picture.state), "size", "size", "size",
                  None, None, "location"]
        lines.append((cells, styles, []))
    head = ["pid", "state", "traced", "peak", "resident", "since", "age",
            "command"]
    if screen.width is not None:
        left = screen.width - sum(
            2 + max(len(texts[at]) for texts in (head, *(
                line[0] for line in lines))) for at in range(len(head) - 1))
        for (texts, _, _), (mark, picture) in zip(lines, trees):
            texts[-1] = mark, _short_command(
                picture.program, max(left - len(mark), 20))
    screen.table(head, lines)
