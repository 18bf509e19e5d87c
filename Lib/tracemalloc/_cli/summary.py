"""What `run` prints when the program has ended."""

import json
import os

from tracemalloc._cli import PROGRAM, rows
from tracemalloc._cli.screen import Screen
from tracemalloc._cli.top import Top


def summarize(snapshot, sizes, files, options, stream):
    """Write the summary.

    sizes -- traced memory: (at exit, at the peak)
    files -- {what: name of the file or None}
    """
    top = Top(snapshot, options.group_by, False, options.limit, "size")
    current, peak = sizes
    if options.json:
        found = {"traced_memory": current, "traced_memory_peak": peak,
                 "files": files, **top.to_json()}
        stream.write(json.dumps(found) + "\n")
        return
    screen = Screen(options.color, stream)
    screen.title(f"Traced memory at exit: {rows.bytes_text(current)} in "
                 f"{rows.plural(top.total[1], 'block')}; at the peak: "
                 f"{rows.bytes_text(peak)}")
    estimate = rows.estimate_text(snapshot)
    if estimate:
        screen.write(estimate, "more")
    if options.limit:
        top.write(screen)
    for what, name in files.items():
        if name is not None:
            screen.write(f"Snapshot at {'the ' * (what == 'peak')}{what}: "
                         f"{PROGRAM} top {_short(name)}")


def _short(name):
    """Return a file name as one would type it here."""
    try:
        relative = os.path.relpath(name)
    except (OSError, ValueError):
        return name
    return min(relative, name, key=len)
