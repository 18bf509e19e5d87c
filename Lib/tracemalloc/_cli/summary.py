"""What `run` prints when the program has ended."""

import json
import os
import shlex
import shutil
import sys
from contextlib import suppress

from tracemalloc._cli import rows
from tracemalloc._cli.names import names_of
from tracemalloc._cli.screen import Screen, cells, printable
from tracemalloc._cli.top import Top


# The peak comes first if it is that many times of what is left, and so many
# bytes more.
_TIMES, _MORE = 1.5, 1 << 20


class Summary:
    """What is told of a program that has ended.

    files    -- {'exit', 'peak' and 'report': name of the file, None if it
                could not be written; 'before': list of names}
    children -- list of family.Child
    folder   -- where the program began, and where the user still is; None if
                that is not known
    ended_by -- number of a signal, or None
    record   -- name of the program's own record, or None
    """

    def __init__(self, snapshot, files, children, options, folder, ended_by,
                 record=None):
        self._snapshot, self._files = snapshot, files
        self._options = options
        self._folder = folder
        # Of the same moment as the table: what is asked later is something
        # else.
        self._current, self._peak = (snapshot.metadata[name] for name in (
            "traced_memory", "traced_memory_peak"))
        if record is not None:
            _look_into_records(children, record)
        self._children = sorted(
            children, key=lambda child: (-(child.peak or 0), child.pid))
        self._signal = ended_by and _signal_name(ended_by)
        self._top = self._ranking("size")
        self._is_peak_first = (
            self._peak >= self._current * _TIMES
            and self._peak - self._current > _MORE)
        self._top_at_peak = (self._ranking("peak_size")
                             if self._is_peak_first else None)

    def _ranking(self, sort):
        options = self._options
        return Top(self._snapshot, options.group_by, False, options.limit,
                   sort)

    def write(self, stream):
        if self._options.json:
            stream.write(json.dumps(self.to_json()) + "\n")
            return
        screen = Screen(self._options.color, stream)
        moment = self._signal or "exit"
        screen.title(
            f"Traced memory at {moment}: {rows.bytes_text(self._current)} in "
            f"{rows.plural(self._top.total[1], 'block')}; at the peak: "
            f"{rows.bytes_text(self._peak)}")
        rows.write_estimate(screen, rows.estimate_text(self._snapshot))
        if self._options.limit:
            self._write_tables(screen, moment)
        self._write_children(screen)
        self._write_files(screen, stream, moment)

    def to_json(self):
        peak = self._top_at_peak
        return {"traced_memory": self._current,
                "traced_memory_peak": self._peak, "files": self._files,
                "signal": self._signal,
                "children": [child.to_json() for child in self._children],
                **self._top.to_json(),
                "at_peak": peak and peak.to_json()}

    def _write_tables(self, screen, moment):
        names = names_of(self._snapshot, full=self._options.full_paths,
                         folder=self._folder)
        if self._is_peak_first:
            screen.title("The peak was much higher than what is left; first "
                         "what was held then:")
            self._top_at_peak.write(screen, names)
            screen.title(f"Held at {moment}:")
        self._top.write(screen, names)

    def _write_children(self, screen):
        if not self._children:
            return
        number = len(self._children)
        screen.title(rows.plural(number, "child", "children")
                     + " of the program:")
        shown = self._children[:self._options.limit or number]
        width = max(cells(printable(child.name)) for child in shown)
        table = []
        for child in shown:
            name = printable(child.name)
            name += " " * (width - cells(name) + 2)
            if child.record is not None:
                name += _STATES[child.state] + ", "
            table.append((
                [str(child.pid), rows.bytes_text(child.held),
                 rows.bytes_text(child.peak), (name, self._file_of(child))],
                [None, "size", None, "location"], []))
        if len(shown) < number:
            table.append(([*[""] * 3, f"{number - len(shown):,} more"],
                          ["head"] * 4, []))
        screen.table(["pid", "held", "at peak", "name, file"], table)

    def _file_of(self, child):
        filename = child.filename or child.record
        if filename:
            return printable(self._short(filename))
        if child.state == "lost":
            return f"{_STATES['lost']}; nothing is left of it"
        return _STATES[child.state]

    def _write_files(self, screen, stream, moment):
        before = self._files.get("before")
        if before:
            names = " to ".join(map(self._short, before[:1] + before[1:][-1:]))
            screen.write(f"{rows.plural(len(before), 'snapshot')} before: "
                         + printable(names))
        for what, text in ("exit", moment), ("peak", "the peak"):
            name = self._files.get(what)
            if name is None:
                continue
            options = ""
            if (what == "exit" and self._is_peak_first
                    and name.lower().endswith(".tmz")):
                options = "--at-peak "
            name = _typed(self._short(name), stream)
            screen.write(f"Snapshot at {text}: {_interpreter()} -m "
                         f"tracemalloc top {options}{name}")
        name = self._files.get("report")
        if name is not None:
            screen.write("Report, for a browser: "
                         + printable(self._short(name)))

    def _short(self, name):
        """Return a file name as one would type it where the program began."""
        try:
            relative = os.path.relpath(name, self._folder)
        except (OSError, ValueError):
            return name
        return min(relative, name, key=len)


# How a child is that has no file.
_STATES = {"ended": "no file", "running": "still running",
           "lost": "killed or crashed"}


def _look_into_records(children, record):
    """Find what the records of a family tell of children that have no file.

    *record* is that of the program, which lies where theirs do.
    """
    from tracemalloc import SnapshotFormatError
    from tracemalloc._record import places, reader

    wanted = {child.pid: child for child in children if not child.filename}
    if not wanted:
        return
    try:
        own = reader.read_about(record)
        paths = places.list_folder(os.path.dirname(record))
    except (OSError, SnapshotFormatError):
        # It has been removed.
        return
    found = []
    for path in paths:
        with suppress(OSError, SnapshotFormatError):
            found.append(reader.read_about(path))
    # Of one number the newest.
    for about in sorted(found, key=lambda about: about.started):
        child = wanted.get(about.pid)
        if child is not None and about.family == own.family:
            child.record = about.path
            child.held, child.peak = about.current, about.peak


def _signal_name(number):
    import signal

    return signal.Signals(number).name


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
