"""live: what a program holds, while it runs."""

import os
import sys
import time

from tracemalloc._cli import UsageError, note, rows
from tracemalloc._cli.files import Progress
from tracemalloc._cli.options import Parser, checked
from tracemalloc._cli.screen import Screen, is_terminal
from tracemalloc._cli.units import number, seconds
from tracemalloc._live.model import GROUPS, SORTS, Model
from tracemalloc._live.source import Records
from tracemalloc._live.view import (
    columns_of, duration_text, figure_text, program_text, size_text)


def _parser():
    parser = Parser(
        "live", "Watch what a program holds, where it came from, and what "
        "grows.", "live --every 0.5s 4711")
    parser.add_argument("record", metavar="PID|FILE|FOLDER",
                        help="process with a record, record file, or folder "
                             "of them")
    parser.add_group_by(choices=GROUPS)
    parser.add_argument("-s", "--sort", choices=SORTS, default="live",
                        metavar="FIGURE",
                        help=f"{', '.join(SORTS)} (default: live)")
    parser.add_argument("--every", type=checked(seconds), default=1.0,
                        metavar="TIME",
                        help="time from one look to the next (default: 1s)")
    parser.add_argument("--plain", action="store_true",
                        help="write a table each time, as it is without a "
                             "terminal")
    parser.add_argument("--count", type=checked(number), default=0,
                        metavar="N",
                        help="with --plain: end after N tables (default: when "
                             "the program ends)")
    parser.add_limit(10, "with --plain: rows of a table")
    parser.add_full_paths()
    return parser


def _can_draw():
    """Return whether there is a terminal to draw on.

    Tells why not, if there is one.
    """
    if not (is_terminal(sys.stdout) and is_terminal(sys.stdin)):
        return False
    name = os.environ.get("TERM") or "unknown"
    try:
        import curses

        curses.setupterm(name)
    except ImportError:
        reason = "this Python has no module curses"
    except curses.error:
        reason = (f"nothing is known here of a terminal called {name}: "
                  "TERM=xterm may do")
    else:
        if curses.tigetstr("cup"):
            return True
        reason = f"a terminal called {name} cannot be drawn on"
    note(f"{reason}; here are tables, which Ctrl-C ends")
    return False


def main(arguments):
    options = _parser().parse_args(arguments)
    if options.json:
        raise UsageError("live has no JSON; `dump` writes a snapshot of a "
                         "record, and `top --json` reads it")
    source = Records(options.record, options.children)
    model = Model(options.group_by, options.sort, options.every,
                  options.full_paths)
    # To read many records takes seconds.
    with Progress(f"reading {options.record}") as progress:
        model.take(source.read(progress.step))
        model.rows()
    if options.plain or not _can_draw():
        return _write_tables(options, source, model)
    from tracemalloc._live.display import Terminal
    from tracemalloc._live.loop import run

    with Terminal() as display:
        run(source, model, display)
    return 0


def _write_tables(options, source, model):
    screen = Screen(options.color)
    written = 0
    while True:
        _write_table(screen, model, options.limit)
        written += 1
        if options.count and written >= options.count:
            return 0
        if not options.count and all(
                picture.state != "running" for picture in model.pictures):
            return 0
        sys.stdout.flush()
        time.sleep(model.every)
        model.take(source.read())


def _write_table(screen, model, limit):
    now = model.now
    states = ", ".join(sorted({each.state for each in now.processes}))
    screen.title(f"{program_text(now.processes)}: {states}, "
                 f"traced {size_text(now.current)}, "
                 f"peak {size_text(now.peak)}, RSS {size_text(now.rss)}")
    elapsed, grown = model.growth()
    if elapsed:
        screen.write(f"{size_text(grown, True)} in {duration_text(elapsed)}")
    names = columns_of(screen.width or 80, model.sort, False)
    table = [([*(figure_text(name, row.figures.get(name)) for name in names),
               row.label], [*[None] * len(names), "location"], [])
             for row in model.rows()[:limit]]
    heads = {"live": "in use", "temporary_blocks": "freed blocks",
             "rate": "alloc/s", "peak": "at peak"}
    screen.table([*(heads.get(name, name) for name in names),
                  rows.head_of(model.group_by)], table)
    screen.write()
