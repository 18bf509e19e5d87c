"""What `run` prints when the program has ended."""

import json
import os
import shlex
import shutil
import sys

from tracemalloc._cli import rows
from tracemalloc._cli.screen import Screen, printable
from tracemalloc._cli.top import Top


def summarize(snapshot, files, options, stream):
    """Write the summary.

    files -- {'exit' and 'peak': name of the file, None if it could not be
             written; 'before': list of names}
    """
    top = Top(snapshot, options.group_by, False, options.limit, "size")
    # Of the same moment as the table: what is asked later is something else.
    current, peak = (snapshot.metadata[name] for name in (
        "traced_memory", "traced_memory_peak"))
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
    before = files.get("before")
    if before:
        names = " to ".join(map(_short, before[:1] + before[1:][-1:]))
        screen.write(f"{rows.plural(len(before), 'snapshot')} before: "
                     + printable(names))
    for what, text in ("exit", "exit"), ("peak", "the peak"):
        if files.get(what) is not None:
            name = _typed(_short(files[what]), stream)
            screen.write(f"Snapshot at {text}: {_interpreter()} -m "
                         f"tracemalloc top {name}")


def _typed(name, stream):
    """Return a file name as one types it in a shell."""
    try:
        name.encode(getattr(stream, "encoding", None) or "utf-8")
        if name.isprintable():
            return shlex.quote(name)
    except UnicodeEncodeError:
        pass
    return "$'" + "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b"'\\"
        else f"\\x{byte:02x}" for byte in os.fsencode(name)) + "'"


def _interpreter():
    """Return what one types here to start this interpreter."""
    program = sys.executable
    if not program:
        return "python"
    name = os.path.basename(program)
    try:
        if os.path.samefile(shutil.which(name) or os.devnull, program):
            program = name
    except OSError:
        pass
    return shlex.quote(program)


def _short(name):
    """Return a file name as one would type it here."""
    try:
        relative = os.path.relpath(name)
    except (OSError, ValueError):
        return name
    return min(relative, name, key=len)
