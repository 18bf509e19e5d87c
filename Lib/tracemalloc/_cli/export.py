"""export: a snapshot as text that other programs read."""

import os
import sys

from tracemalloc import _export
from tracemalloc._cli import UsageError, rows
from tracemalloc._cli.files import Progress, load
from tracemalloc._cli.options import FIGURES, Parser

_WITH_VALUE = "collapsed", "speedscope"


def _parser():
    parser = Parser(
        "export", "Write a snapshot as JSON, as a table, or for flame graphs.",
        "export --format collapsed --at-peak -o peak.txt snapshot.tmz")
    parser.add_argument("file", metavar="FILE", help="snapshot file")
    parser.add_argument("-f", "--format", choices=_export.FORMATS,
                        help=f"{', '.join(_export.FORMATS)}; --json is short "
                             "for the first")
    parser.add_argument("-o", "--output", metavar="FILE",
                        help="file to write (default: standard output)")
    parser.add_figure()
    parser.add_filters()
    return parser


def _write(options, snapshot, stream):
    arguments = []
    if options.format in _WITH_VALUE:
        arguments.append(rows.figure_of(options.sort))
    elif options.sort != "size":
        raise UsageError(f"--format {options.format} has all figures: leave "
                         "out --sort, --at-peak and --allocated")
    try:
        _export.FORMATS[options.format](snapshot, stream, *arguments)
    except BrokenPipeError:
        raise
    except ValueError as error:
        raise UsageError(error) from None


def main(arguments):
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.json:
        if options.format not in (None, "json"):
            parser.error(f"--json and --format {options.format} are two "
                         "different things")
        options.format = "json"
    if options.format is None:
        parser.error("--format is missing")
    snapshot = load(options.file, options)
    if options.output is None:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(
                encoding="utf-8", errors="backslashreplace", newline="\n")
        _write(options, snapshot, sys.stdout)
        return 0
    try:
        # A file is there only when it is complete.
        beside = f"{options.output}.{os.getpid()}.tmp"
        with open(beside, "x", encoding="utf-8", newline="\n",
                  errors="backslashreplace") as stream:
            try:
                with Progress(f"writing {options.output}"):
                    _write(options, snapshot, stream)
                stream.close()
                os.replace(beside, options.output)
            except BaseException:
                os.unlink(beside)
                raise
    except OSError as error:
        raise UsageError(f"{options.output}: {error.strerror}") from None
    return 0
