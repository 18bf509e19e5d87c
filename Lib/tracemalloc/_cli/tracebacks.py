"""traceback: the call paths that hold most memory."""

from tracemalloc._cli import rows
from tracemalloc._cli.files import load
from tracemalloc._cli.options import Parser, checked
from tracemalloc._cli.screen import cut, cut_location, source
from tracemalloc._cli.top import Top, begin
from tracemalloc._cli.units import number


def _parser():
    parser = Parser(
        "traceback", "Show the call paths that hold most memory, in full.",
        "traceback --limit 3 --include '*/json/*' app.tmz")
    parser.add_argument("file", metavar="FILE", help="snapshot file")
    parser.add_limit(5, "call paths to show")
    parser.add_argument("--frames", type=checked(number), metavar="N",
                        help="show the N most recent frames only")
    parser.add_figure()
    parser.add_filters()
    return parser


def _write_path(screen, frames):
    """Write frames, the oldest first."""
    width = screen.width
    for frame in frames:
        text = cut_location(rows.frame_text(frame),
                            None if width is None else width - 2)
        screen.write("  " + screen.paint(text, "location"))
        text = source(frame)
        if text:
            text = cut(text, None if width is None else width - 6)
            screen.write(" " * 6 + screen.paint(text, "source"))


def main(arguments):
    options = _parser().parse_args(arguments)
    snapshot = load(options.file, options)
    top = Top(snapshot, "traceback", False, options.limit, options.sort)
    screen = begin(options, snapshot, top)
    if screen is None:
        return 0
    for rank, stat in enumerate(top.stats, 1):
        size, count = top.figures_of(stat)
        screen.write()
        screen.title(
            f"#{rank}: {rows.bytes_text(size)} in "
            f"{rows.plural(count, 'block')}, "
            f"{rows.share_of((size, count), top.total, options.sort)} of "
            + (rows.plural(top.total[1], "block")
               if rows.is_count(options.sort)
               else rows.bytes_text(top.total[0])))
        frames = rows.program_frames(stat.traceback)
        if options.frames:
            left_out = len(frames) - options.frames
            frames = frames[-options.frames:]
            if left_out > 0:
                screen.write(f"  ({rows.plural(left_out, 'older call')})",
                             "head")
        _write_path(screen, frames)
    return 0
