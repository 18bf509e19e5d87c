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
from tracemalloc._cli.screen import Screen, cut, printable
from tracemalloc._cli.units import number
from tracemalloc._record import places
from tracemalloc._record.reader import read_about

_STYLES = {"running": "less", "gone": "more"}


def _parser():
    parser = Parser(
        "ps", "List the records of processes; by default this user's, in "
        "the private folder.", "ps --clean --keep 10", snapshots=False)
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


def _ago(moment, now):
    """Return how long ago a time in nanoseconds was, as text."""
    seconds = max(now - moment / 1e9, 0)
    for unit, size in ("d", 86400), ("h", 3600), ("min", 60):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


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
    return program[at:]


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
    for picture in found:
        cells = [
            str(picture.pid), picture.state,
            rows.bytes_text(picture.current), rows.bytes_text(picture.peak),
            rows.bytes_text(picture.rss), _ago(picture.started, now),
            _ago(picture.written, now), command_text(picture.program)]
        styles = [None, _STYLES.get(picture.state), "size", "size", "size",
                  None, None, "location"]
        lines.append((cells, styles, []))
    head = ["pid", "state", "traced", "peak", "resident", "since", "seen",
            "command"]
    if screen.width is not None:
        left = screen.width - sum(
            2 + max(len(texts[at]) for texts in (head, *(
                line[0] for line in lines))) for at in range(len(head) - 1))
        for (texts, _, _), picture in zip(lines, found):
            texts[-1] = _short_command(picture.program, max(left, 20))
    screen.table(head, lines)
