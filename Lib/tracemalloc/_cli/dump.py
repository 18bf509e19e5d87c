"""dump: a snapshot out of a running process, or one that has ended."""

from tracemalloc._cli import UsageError, note, rows
from tracemalloc._cli.files import filtered
from tracemalloc._cli.options import Parser
from tracemalloc._cli.records import pictures
from tracemalloc._record.family import merge


def _parser():
    parser = Parser(
        "dump", "Write what the record of a process has as a snapshot file.",
        "dump 4711 -o app.tmz")
    parser.add_argument("file", metavar="PID|FILE",
                        help="the number of a process, a record, or a folder "
                             "of records")
    parser.add_argument("-o", "--output", metavar="FILE", required=True,
                        help="snapshot file to write; .tmz is compact")
    parser.add_filters()
    return parser


def main(arguments):
    options = _parser().parse_args(arguments)
    if options.json:
        raise UsageError("dump writes snapshots: leave out --json")
    found = pictures(options.file, options.children)
    snapshot = merge(found) if len(found) > 1 else found[0].snapshot()
    snapshot = filtered(options.file, snapshot, options)
    try:
        snapshot.dump(options.output)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{options.output}: {reason}") from None
    states = sorted({picture.state for picture in found})
    size = sum(picture.current for picture in found)
    note(f"{options.output}: {rows.bytes_text(size)} of "
         f"{rows.plural(len(found), 'process', 'processes')}, "
         f"{' and '.join(states)}")
    return 0
