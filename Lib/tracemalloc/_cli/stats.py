"""stats: the sums of a snapshot, and the process it is of."""

import json
import sys

from tracemalloc._checked import metadata_json
from tracemalloc._cli import rows
from tracemalloc._cli.files import load
from tracemalloc._cli.options import A_FILE, Parser
from tracemalloc._cli.screen import Screen, printable, wrapped
from tracemalloc._mine import OTHERS

_LEFT = 26


def _parser():
    parser = Parser(
        "stats", "Show the sums of a snapshot, and the process it is of.",
        "stats snapshot.tmz")
    parser.add_argument("file", metavar="FILE", help=A_FILE)
    parser.add_filters()
    parser.add_mine()
    return parser


def figures(snapshot):
    """Return what a snapshot adds up to, as JSON; None is not known."""
    found = dict(zip(("size", "count"), rows.total(snapshot)))
    for family in "peak", "allocated", "freed":
        names = rows.FAMILIES[family][:2]
        # A snapshot in which nothing is live may be one that tells nothing.
        known = found["count"] and rows.is_known(snapshot, names[0])
        sums = rows.total(snapshot, names[0]) if known else (None, None)
        found |= zip(names, sums)
    for group in "lineno", "filename", "traceback":
        found[f"{group}s"] = rows.number_of_groups(snapshot, group)
    found["domains"] = {
        stat.traceback[-1].filename: {"size": stat.size, "count": stat.count}
        for stat in rows.statistics(snapshot, "domain")}
    found["traceback_limit"] = snapshot.traceback_limit
    return found


def shares(snapshot):
    """Return what is mine in a snapshot of --mine, and the rest, as JSON."""
    whole = rows.total(snapshot)
    others = next(((stat.size, stat.count) for stat
                   in rows.statistics(snapshot, "filename")
                   if stat.traceback[-1].filename == OTHERS), (0, 0))
    mine = (part - other for part, other in zip(whole, others))
    return {name: dict(zip(("size", "count"), sums))
            for name, sums in (("mine", mine), ("others", others))}


def _command_text(value):
    if isinstance(value, list):
        import shlex

        return shlex.join(map(str, value))
    return str(value)


def _as_size(value):
    return rows.bytes_text(value) if isinstance(value, int) else str(value)


# Metadata -> what it is called here, and how it is shown.
_METADATA = {
    "time": ("taken", rows.time_text),
    "pid": ("process", str),
    "command": ("command", _command_text),
    "python": ("interpreter", lambda value: str(value).split("\n")[0]),
    "fork": ("version of the fork", str),
    "rss": ("resident memory", _as_size),
    "vms": ("virtual memory", _as_size),
    "traced_memory": ("traced when taken", _as_size),
    "traced_memory_peak": ("traced at the peak", _as_size),
    "tracer_memory": ("memory of the tracer", _as_size),
    "dropped": ("blocks not traced", str),
}

# Metadata that tells again what a figure tells, unless there are filters.
_SAME = {"traced_memory": "size", "traced_memory_peak": "peak_size"}


def main(arguments):
    options = _parser().parse_args(arguments)
    snapshot = load(options.file, options)
    found = figures(snapshot)
    parts = {} if options.mine is None else shares(snapshot)
    if options.json:
        found["metadata"] = metadata_json(snapshot.metadata)
        json.dump({"file": options.file, **found, **parts}, sys.stdout,
                  indent=1)
        print()
        return 0
    screen = Screen(options.color)
    width = None if screen.width is None else screen.width - _LEFT

    def line(name, text):
        for part in wrapped(printable(text), width):
            screen.write(f"  {name:{_LEFT - 2}}{part}")
            name = ""

    def pair(name, size, count):
        if size is not None:
            line(name, f"{rows.bytes_text(size)} in "
                       f"{rows.plural(count, 'block')}")

    screen.title(options.file)
    rows.write_notes(screen, options, snapshot)
    pair("held", found["size"], found["count"])
    for name, sums in parts.items():
        line(f"held, {name}", f"{rows.bytes_text(sums['size'])} in "
             f"{rows.plural(sums['count'], 'block')}, "
             + rows.share_text(sums["size"], found["size"]))
    if found["count"]:
        line("average block", rows.average_text(found["size"],
                                                found["count"]))
    pair("held at the peak", found["peak_size"], found["peak_count"])
    pair("allocated in all", found["allocated_size"],
         found["allocated_count"])
    pair("freed again", found["freed_size"], found["freed_count"])
    if len(found["domains"]) > 1:
        for name, sums in found["domains"].items():
            pair(name, sums["size"], sums["count"])
    line("places", f"{rows.plural(found['tracebacks'], 'call path')}, "
                   f"{rows.plural(found['linenos'], 'line')}, "
                   f"{rows.plural(found['filenames'], 'file')}")
    line("frames kept", str(snapshot.traceback_limit))
    for name, (text, show) in _METADATA.items():
        value = snapshot.metadata.get(name)
        if value is not None and value != found.get(_SAME.get(name)):
            line(text, show(value))
    return 0
