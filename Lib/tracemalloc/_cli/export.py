"""export: a snapshot in a form that other programs read."""

import io
import sys
from argparse import SUPPRESS
from functools import partial

from tracemalloc import _export
from tracemalloc._cli import UsageError, rows
from tracemalloc._cli.files import Progress, check_output, chosen, load
from tracemalloc._cli.options import A_FILE, Parser
from tracemalloc._cli.screen import is_terminal, printable
from tracemalloc._writing import write_file

# Those of text, and the profile for pprof, which is not.
_FORMATS = (*_export.FORMATS, "pprof")
_WITH_VALUE = "collapsed", "speedscope", "gecko", "pprof"

# End of a file name -> format.
_SUFFIXES = {
    ".speedscope.json": "speedscope", ".gecko.json": "gecko",
    ".json": "json", ".csv": "csv",
    ".collapsed": "collapsed", ".folded": "collapsed",
    ".pprof": "pprof", ".pb.gz": "pprof",
}


def _parser():
    parser = Parser(
        "export", "Write a snapshot as JSON, as a table, for flame graphs, or "
        "as a\nprofile for pprof.",
        "export --at-peak -o peak.collapsed app.tmz")
    parser.add_argument("file", metavar="FILE", help=A_FILE)
    parser.add_argument("--format", choices=_FORMATS,
                        metavar="FORMAT",
                        help=f"{', '.join(_FORMATS)} (default: what "
                             "the name of the output ends in); --json is "
                             "short for the first")
    # An older spelling: elsewhere -f means files.
    parser.add_argument("-f", dest="format", choices=_FORMATS,
                        help=SUPPRESS)
    parser.add_argument("-o", "--output", metavar="FILE",
                        help="file to write (default: standard output)")
    parser.add_figure()
    parser.add_filters()
    return parser


def _format_of(filename):
    """Return the format that the end of a file name tells, or None."""
    for suffix, name in _SUFFIXES.items():
        if (filename or "").lower().endswith(suffix):
            return name
    return None


class _Terminal:
    """A stream to a terminal, which what is exported must not control."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        self._stream.write("\n".join(map(printable, text.split("\n"))))


def _write(options, snapshot, stream, progress=None):
    arguments = []
    if options.format in _WITH_VALUE:
        arguments.append(rows.figure_of(options.sort))
    elif options.sort != "size":
        raise UsageError(f"--format {options.format} has all figures: leave "
                         "out --sort, --at-peak and --allocated")
    if options.format == "pprof":
        from tracemalloc._pprof import export_pprof

        export = partial(export_pprof, parts=_parts(options, snapshot))
    else:
        export = _export.FORMATS[options.format]
    try:
        export(snapshot, stream, *arguments, progress=progress)
    except BrokenPipeError:
        raise
    except ValueError as error:
        raise UsageError(error) from None


def _parts(options, snapshot):
    """Return {pid: snapshot} of what a snapshot is merged from, or None."""
    if not isinstance(snapshot.metadata.get("processes"), list):
        return None
    from tracemalloc._cli.records import pictures

    return {each.pid: chosen(options.file, each.snapshot(), options)
            for each in pictures(options.file, options.children)}


def _write_profile(parser, options, snapshot):
    """Write a profile, which is not text, to standard output."""
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None or is_terminal(sys.stdout):
        parser.error("a profile is no text: name an --output, or send it "
                     "through a pipe")
    with Progress(f"exporting {options.file}") as progress:
        _write(options, snapshot, stream, progress.step)
    return 0


def main(arguments):
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.json:
        if options.format not in (None, "json"):
            parser.error(f"--json and --format {options.format} are two "
                         "different things")
        options.format = "json"
    if options.output == "-":
        # As everywhere; a file of that name is ./-.
        options.output = None
    if options.format is None:
        options.format = _format_of(options.output)
        if options.format is None:
            parser.error("name a --format, one of "
                         f"{', '.join(_FORMATS)}, or an --output that "
                         f"ends in {' or '.join(_SUFFIXES)}")
    if options.output is not None:
        check_output(options.output)
    snapshot = load(options.file, options)
    if options.output is None and options.format == "pprof":
        return _write_profile(parser, options, snapshot)
    if options.output is None:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(
                encoding="utf-8", errors="backslashreplace", newline="\n")
        stream = sys.stdout
        if is_terminal(stream):
            # What is written shows how far it is.
            _write(options, snapshot, _Terminal(stream))
            return 0
        with Progress(f"exporting {options.file}") as progress:
            _write(options, snapshot, stream, progress.step)
        return 0

    def write(stream):
        if options.format == "pprof":
            with Progress(f"writing {options.output}") as progress:
                _write(options, snapshot, stream, progress.step)
            return
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="\n",
                                errors="backslashreplace")
        with Progress(f"writing {options.output}") as progress:
            _write(options, snapshot, text, progress.step)
            text.flush()
        text.detach()

    try:
        write_file(options.output, write)
    except (OSError, ValueError) as error:
        # The latter for a null character in the name.
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{options.output}: {reason}") from None
    return 0
