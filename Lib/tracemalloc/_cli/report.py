"""report: snapshots as one page for a browser."""

import os
import sys
from argparse import SUPPRESS

from tracemalloc._cli import UsageError, note
from tracemalloc._cli.files import (
    Progress, check_output, load_with_records)
from tracemalloc._cli.options import Parser, checked
from tracemalloc._cli.programs import program_of, tell_programs
from tracemalloc._cli.screen import printable
from tracemalloc._cli.units import percent, some
from tracemalloc._errors import SnapshotFormatError
from tracemalloc._writing import write_file

# A page of less has no room for what draws it.
_LEAST = 200_000


def _parser():
    parser = Parser(
        "report", "Write one page for a browser: flame graph, table, "
        "treemap, source.\nTwo files are compared; of more, the page lets "
        "one choose.",
        "report -o growth.html monday.tmz friday.tmz")
    parser.add_argument("files", metavar="FILE", nargs="+",
                        help="snapshot files; of two, the second is "
                             "compared with the first")
    parser.add_argument("-o", "--output", metavar="FILE",
                        help="page to write (default: tracemalloc.PID.html)")
    parser.add_argument("--browser", action="store_true",
                        help="open the page in a browser")
    parser.add_argument("--processes", action="store_true",
                        help="the files are of processes that work together: "
                             "add them up, and let one choose")
    parser.add_argument("--no-source", action="store_true",
                        help="leave the text of source files out")
    parser.add_argument("--page-size", type=checked(some), metavar="SIZE",
                        default=5_000_000,
                        help="what the page may take: small call paths are "
                             "summed until it fits (default: 5 MB)")
    parser.add_argument("--min", type=checked(percent), metavar="PERCENT",
                        default=0.0,
                        help="sum call paths of less than that share of the "
                             "total (default: those for which there is no "
                             "room)")
    parser.add_filters()
    # Others have it, so somebody looks for it here.
    parser.add_argument("--at-peak", action="store_true", help=SUPPRESS)
    return parser


def default_name(snapshot):
    """Return the name of a page that was not given one."""
    pid = snapshot.metadata.get("pid")
    middle = f".{pid}" if type(pid) is int and pid > 0 else ""
    return f"tracemalloc{middle}.html"


def write_page(filename, text):
    """Write a page; what goes wrong is a UsageError."""
    check_output(filename)
    try:
        write_file(filename, lambda stream: stream.write(text.encode()))
    except (OSError, ValueError) as error:
        # The latter for a null character in the name.
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{filename}: {reason}") from None


def _titles(filenames, snapshots):
    """Return what processes are called: by number, else by their files."""
    pids = [snapshot.metadata.get("pid") for snapshot in snapshots]
    if (all(type(pid) is int for pid in pids)
            and len({*pids}) == len(pids)):
        return [f"process {pid}" for pid in pids]
    return list(filenames)


def _in_order(filenames, snapshots, records):
    """Return all by the times of the snapshots, if these are known.

    Of two, the first is the one to compare with, whatever its time.
    """
    times = [snapshot.metadata.get("time") for snapshot in snapshots]
    if not all(isinstance(time, (int, float)) for time in times):
        return filenames, snapshots, records
    if len(times) < 3:
        if times != sorted(times):
            note(f"{filenames[0]} was taken after {filenames[1]}: what shrank "
                 "is shown as growth")
        return filenames, snapshots, records
    order = sorted(range(len(times)), key=times.__getitem__)
    return tuple([each[place] for place in order]
                 for each in (filenames, snapshots, records))


def title_of(filenames):
    names = [os.path.basename(name) for name in filenames]
    if len(names) < 3:
        return " -> ".join(names)
    return f"{names[0]} ... {names[-1]} ({len(names)} files)"


def render(snapshots, filenames, options=None, records=None):
    """Return the page of snapshots; too large a one is a UsageError."""
    from tracemalloc._report import Limits, render
    from tracemalloc._report.page import TooLarge

    limits = Limits()
    processes = None
    if options is not None:
        limits.page_size, limits.share = options.page_size, options.min / 100
        if options.no_source:
            limits.source = 0
        if options.processes:
            processes = _titles(filenames, snapshots)
    try:
        with Progress("making the page"):
            return render(snapshots, filenames, title_of(filenames), limits,
                          processes, records)
    except SnapshotFormatError as error:
        raise UsageError(f"{', '.join(filenames)}: {error}") from None
    except TooLarge as error:
        raise UsageError(f"{error}: give a larger --page-size, or "
                         "--no-source") from None


def open_page(filename):
    """Open a page in a browser; UsageError if there is none."""
    import webbrowser
    from pathlib import Path

    if not webbrowser.open(Path(os.path.abspath(filename)).as_uri()):
        raise UsageError(f"{filename} is written, but no browser was found "
                         "to open it with")


def main(arguments):
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.json:
        parser.error("a page is no JSON: export --json writes a snapshot so")
    if options.at_peak:
        parser.error("the page shows what was held at the peak as well: "
                     "choose At peak in it")
    if options.page_size < _LEAST:
        parser.error(f"--page-size has to be {_LEAST} or more: scripts and "
                     "style alone take so much")
    if options.output == "":
        parser.error("--output needs a file name")
    if options.output is not None:
        check_output(options.output)
    snapshots, records = zip(*(load_with_records(name, options)
                               for name in options.files))
    filenames = options.files
    if not options.processes:
        filenames, snapshots, records = _in_order(filenames, snapshots,
                                                  records)
        tell_programs([(name, program_of(snapshot.metadata))
                       for name, snapshot in zip(filenames, snapshots)])
    name = options.output or default_name(snapshots[-1])
    text = render(snapshots, filenames, options, records)
    write_page(name, text)
    if sys.stdout is not None:
        print(f"{printable(name)}: {len(text.encode()):,} bytes; open it in "
              "a browser")
    if options.browser:
        open_page(name)
    return 0
