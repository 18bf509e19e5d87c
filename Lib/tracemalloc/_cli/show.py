"""show: the command line of 2013.

Reads what pytracemalloc wrote, with addresses of blocks and metrics, and all
that Snapshot.load() reads, without addresses.
"""

import json
import os
import sys
from datetime import datetime
from operator import itemgetter

import pytracemalloc
import tracemalloc
from pytracemalloc._display import format_size
from tracemalloc import _format
from tracemalloc._cli import ONLY, UsageError
from tracemalloc._cli.files import by_filters, reading, tell_unmatched
from tracemalloc._cli.options import WHEN, Parser, checked, split_location
from tracemalloc._cli.programs import program_of, tell_programs
from tracemalloc._cli.rows import without_launcher
from tracemalloc._cli.screen import Screen, printable, source
from tracemalloc._cli.units import number

_FILTERS = (
    ("-i", "--include", "keep only what matches in its newest frame"),
    ("-I", "--include-traceback", "keep only what matches in any frame"),
    ("-x", "--exclude", "leave out what matches in its newest frame"),
    ("-X", "--exclude-traceback", "leave out what matches in any frame"),
)


def _address(text):
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if value < 0:
        raise ValueError(f"{text!r} is no address such as 0x7f32a4c0e010")
    return value


class _AddFilter(Parser.Action):
    def __call__(self, parser, namespace, value, option=None):
        names = {short: name for short, name, _ in _FILTERS}
        option = names.get(option, option)
        pattern, lineno = split_location(value)
        made = pytracemalloc.Filter(option.startswith("--include"), pattern,
                                    lineno, option.endswith("-traceback"))
        namespace.filters = [*namespace.filters, made]


def _parser():
    parser = Parser(
        "show", "Show a snapshot, or several, each compared with the one "
                "before." + ("" if ONLY else "\n'show' may be left out."),
        "show --file --number 5 snapshot.pickle")
    parser.add_argument("files", nargs="+", metavar="FILE",
                        help="snapshot file")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-a", "--address", dest="group_by", default="line",
                       action="store_const", const="address",
                       help="group by address, not by line")
    group.add_argument("-f", "--file", dest="group_by",
                       action="store_const", const="filename",
                       help="group by file, not by line")
    group.add_argument("-b", "--block", type=checked(_address),
                       metavar="ADDRESS",
                       help="show the size and the traceback of one block")
    group.add_argument("-t", "--traceback", action="store_true",
                       help="show the biggest blocks with their tracebacks")
    parser.add_argument("-n", "--number", "--limit", type=checked(number),
                        default=10, metavar="N",
                        help="rows of each top (default: 10)")
    parser.add_argument("--first", action="store_true",
                        help="compare with the first file, not with the "
                             "previous one")
    parser.add_argument("-c", "--cumulative", action="store_true",
                        help="count blocks for all frames; has an effect if "
                             "the snapshot has more than one")
    parser.set_defaults(filters=[])
    for short, name, text in _FILTERS:
        parser.add_argument(short, name, action=_AddFilter, dest="filters",
                            metavar="FILE[:LINE]", help=text)
    for short, what in ("-S", "size"), ("-C", "count"), ("-A", "average"), (
            "-M", "metrics"):
        parser.add_argument(short, f"--hide-{what}", dest=what,
                            action="store_false", help=f"leave out {what}")
    parser.add_argument("-P", "--filename-parts", type=checked(number),
                        default=3, metavar="PARTS",
                        help="last parts of file names to show (default: 3)")
    parser.add_argument("--no-color", dest="color", action="store_const",
                        const="never", help="no colours; a bare --color: "
                                            "always colours")
    return parser


def _with_color_values(arguments):
    """Return arguments where --color always has a value.

    In 2013 it had none.
    """
    following = [*arguments[1:], ""]
    return ["--color=always" if argument == "--color" and after not in WHEN
            else argument for argument, after in zip(arguments, following)]


# Files


class _Old:
    """A file of the 2013 interface."""

    program = None

    def __init__(self, draft, filename, options):
        metrics = {name: pytracemalloc.Metric(name, *metric)
                   for name, metric in draft.metrics.items()}
        self._snapshot = pytracemalloc.Snapshot(
            draft.timestamp, draft.pid, draft.traces, draft.stats, metrics,
            traceback_limit=draft.traceback_limit)
        for each in options.filters:
            tell_unmatched(filename, each.include, each.pattern, each.lineno,
                           each.traceback, self._matches)
        self._snapshot.apply_filters(options.filters)
        self.traces = self._snapshot.traces

    def _matches(self, pattern, lineno, traceback):
        one = pytracemalloc.Filter(True, pattern, lineno, traceback)
        if self._snapshot.traces is None:
            return any(one.match(name, line)
                       for name, lines in self._snapshot.stats.items()
                       for line in lines)
        # Many blocks may share one long traceback.
        distinct = {id(frames): frames for _, frames
                    in self._snapshot.traces.values()}
        return any(one.match_traceback(frames or ())
                   for frames in distinct.values())

    def top(self, group_by, cumulative):
        return self._snapshot.top_by(
            group_by, cumulative and self.traces is not None)


# Metadata of a snapshot -> metric.
_METRICS = {
    "rss": "process_memory.rss", "vms": "process_memory.vms",
    "traced_memory": "tracemalloc.traced.size",
    "traced_memory_peak": "tracemalloc.traced.max_size",
    "tracer_memory": "tracemalloc.module.size",
}


class _New:
    """A file of a tracemalloc.Snapshot, which has no addresses."""

    traces = None

    def __init__(self, snapshot, filename, options):
        if options.filters:
            snapshot = by_filters(filename, snapshot,
                                  [*map(_same_filter, options.filters)])
        self._snapshot = snapshot
        self.program = program_of(snapshot.metadata)
        try:
            taken = datetime.fromtimestamp(snapshot.metadata["time"])
        except (KeyError, TypeError, ValueError, OverflowError, OSError):
            taken = datetime.fromtimestamp(os.stat(filename).st_mtime)
        self._timestamp = taken
        self._metrics = {}
        for key, name in _METRICS.items():
            value = snapshot.metadata.get(key)
            if isinstance(value, int):
                self._metrics[name] = pytracemalloc.Metric(name, value,
                                                           "size")

    def top(self, group_by, cumulative):
        cumulative = cumulative and self._snapshot.traceback_limit > 1
        key_type = "filename" if group_by == "filename" else "lineno"
        stats = {}
        groups = self._snapshot.statistics(key_type, cumulative)
        if cumulative:
            groups = without_launcher(groups)
        for stat in groups:
            frame = stat.traceback[-1]
            key = (frame.filename if group_by == "filename"
                   else (frame.filename, frame.lineno))
            stats[key] = stat.size, stat.count
        return pytracemalloc.GroupedStats(self._timestamp, stats, group_by,
                                          cumulative, self._metrics)


def _same_filter(old):
    """Return the tracemalloc.Filter for one of pytracemalloc."""
    # There, '*' is the only character that is special.
    pattern = "".join(f"[{each}]" if each in "[?" else each
                      for each in old.pattern)
    if pattern.endswith(".pyo"):
        pattern = pattern[:-1]
    lineno = old.lineno if old.lineno and old.lineno > 0 else None
    return tracemalloc.Filter(old.include, pattern, lineno, old.traceback)


def _load(filename, options):
    needs_traces = (options.group_by == "address" or options.cumulative
                    or options.traceback or options.block is not None
                    or options.filters)

    def read():
        found = _format.read(filename, options.max_size, bool(needs_traces))
        if isinstance(found, _format.Draft):
            return _Old(found, filename, options)
        return _New(found, filename, options)

    file = reading(filename, read)
    if file.traces is None and (options.group_by == "address"
                                or options.traceback
                                or options.block is not None):
        why = ("tracemalloc.Snapshot has none, but the commands top, tree "
               "and traceback show call paths" if isinstance(file, _New) else
               "take it with Snapshot.create(traces=True)")
        raise UsageError(f"{filename}: the file has no addresses of blocks: "
                         f"{why}")
    return file


# Blocks


def _blocks(file, filename, options):
    """Return [(address, size, frames)] of the blocks that were asked for."""
    if options.block is not None:
        if options.block not in file.traces:
            raise UsageError(f"{filename}: there is no block at "
                             f"{options.block:#x}")
        found = [(options.block, *file.traces[options.block])]
    else:
        found = sorted(((address, *trace)
                        for address, trace in file.traces.items()),
                       key=itemgetter(1, 0), reverse=True)
        found = found[:options.number]
    return [(address, size, frames or ((None, None),))
            for address, size, frames in found]


def _write_block(screen, address, size, frames):
    size = format_size(size)
    screen.write(f"memory block {screen.paint(f'{address:#x}', 'title')}: "
                 f"size={screen.paint(size, 'size')}")
    screen.write("Traceback (most recent call first):")
    for filename, lineno in frames:
        name = printable(filename or "???")
        screen.write(f'  File "{screen.paint(name, "location")}", '
                     f"line {lineno or '?'}")
        text = source(tracemalloc.Frame((filename or "<unknown>",
                                         lineno or 0)))
        if text:
            screen.write("    " + screen.paint(text, "source"))
    screen.write()


# Rendering


def _top_json(filename, diff, count):
    stats = diff.new_stats
    diff.sort()
    rows = []
    for size_diff, size, count_diff, blocks, key in diff.differences[:count]:
        if stats.group_by == "line":
            row = {"filename": key[0], "lineno": key[1]}
        else:
            row = {stats.group_by: key}
        row |= {"size": size, "count": blocks}
        if diff.old_stats is not None:
            row |= {"size_diff": size_diff, "count_diff": count_diff}
        rows.append(row)
    return {
        "file": filename, "timestamp": str(stats.timestamp),
        "group_by": stats.group_by, "cumulative": stats.cumulative,
        "compared": diff.old_stats is not None, "groups": rows,
        "more": max(len(diff.differences) - count, 0),
        "metrics": {name: metric.value
                    for name, metric in stats.metrics.items()},
    }


def _block_json(address, size, frames):
    return {"address": address, "size": size, "traceback": [
        {"filename": filename, "lineno": lineno}
        for filename, lineno in frames]}


def _show_blocks(files, options):
    found = [(name, _blocks(file, name, options)) for name, file in files]
    if options.json:
        return [{"file": name,
                 "blocks": [_block_json(*block) for block in blocks]}
                for name, blocks in found]
    screen = Screen(options.color)
    for name, blocks in found:
        if len(found) > 1:
            screen.title(name)
        for block in blocks:
            _write_block(screen, *block)
    return None


def _printable_top(top):
    """Return GroupedStats whose names cannot control a terminal."""
    def shown(key):
        if isinstance(key, tuple):
            return printable(key[0] or ""), key[1]
        return printable(key) if isinstance(key, str) else key

    stats = {}
    for key, (size, count) in top.stats.items():
        known = stats.get(shown(key), (0, 0))
        stats[shown(key)] = known[0] + size, known[1] + count
    metrics = {printable(name): metric
               for name, metric in top.metrics.items()}
    # The time may be text of the file's.
    return pytracemalloc.GroupedStats(
        printable(str(top.timestamp)), stats, top.group_by, top.cumulative,
        metrics)


def _show_tops(files, options):
    screen = Screen(options.color)
    display = pytracemalloc.DisplayTop()
    display.color = screen.color
    display.compare_to_previous = not options.first
    display.filename_parts = options.filename_parts
    for what in "size", "count", "average", "metrics":
        setattr(display, what, getattr(options, what))
    found, programs = [], []
    for name, file in files:
        programs.append((name, file.program))
        top = file.top(options.group_by, options.cumulative)
        previous = display.previous_top_stats
        if previous is not None and previous.cumulative != top.cumulative:
            raise UsageError(f"{name}: --cumulative has an effect on some of "
                             "the files only; show them one by one")
        if options.json:
            found.append(_top_json(name, top.compare_to(previous),
                                   options.number))
            if previous is None or not options.first:
                display.previous_top_stats = top
        else:
            display.display_top_stats(_printable_top(top), options.number,
                                      sys.stdout)
    tell_programs(programs)
    return found if options.json else None


def main(arguments):
    options = _parser().parse_args(_with_color_values(arguments))
    if options.filename_parts < 1:
        raise UsageError("--filename-parts must be 1 or more")
    # One after the other, so that one of many files is in memory only.
    files = ((name, _load(name, options)) for name in options.files)
    show = (_show_blocks if options.traceback or options.block is not None
            else _show_tops)
    found = show(files, options)
    if found is not None:
        json.dump(found, sys.stdout, indent=1)
        print()
    return 0
