"""dump: a snapshot out of a running process, or one that has ended."""

import os

from tracemalloc._cli import UsageError, note, rows
from tracemalloc._cli.files import filtered
from tracemalloc._cli.options import Parser
from tracemalloc._cli.records import pictures
from tracemalloc._record.family import merge


def _parser():
    parser = Parser(
        "dump", "Write what the record of a process has as a snapshot file.",
        "dump 4711")
    parser.add_argument("file", metavar="PID|FILE",
                        help="the number of a process, a record, or a folder "
                             "of records")
    parser.add_argument("-o", "--output", metavar="FILE",
                        help="snapshot file to write; .tmz is compact "
                             "(default: tracemalloc.PID.tmz, or "
                             "tracemalloc.PID-2.tmz and so on if that is "
                             "there)")
    parser.add_filters()
    return parser


def _default_name(pid):
    """Return a name in the current folder that no file has."""
    stem = f"tracemalloc.{pid}"
    name, number = f"{stem}.tmz", 1
    while os.path.lexists(name):
        number += 1
        name = f"{stem}-{number}.tmz"
    return name


def main(arguments):
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.json:
        raise UsageError("dump writes snapshots: leave out --json")
    if options.output == "":
        parser.error("--output needs a file name")
    found = pictures(options.file, options.children)
    snapshot = merge(found) if len(found) > 1 else found[0].snapshot()
    snapshot = filtered(options.file, snapshot, options)
    output = options.output or _default_name(found[0].pid)
    try:
        snapshot.dump(output)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{output}: {reason}") from None
    states = sorted({picture.state for picture in found})
    size = sum(picture.current for picture in found)
    note(f"{output}: {rows.bytes_text(size)} of "
         f"{rows.plural(len(found), 'process', 'processes')}, "
         f"{' and '.join(states)}")
    return 0
