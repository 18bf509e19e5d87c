"""What the tests of the commands of python -m tracemalloc share."""

import contextlib
import io
import json
import linecache
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import tracemalloc
import unittest
from array import array
from test import support
from unittest import mock

from tracemalloc import _cli
from tracemalloc._columns import ACCOUNTS, COLUMNS, SnapshotData

APP = """\
def load(path):
    return read(path) + [1]
def read(path):
    data = open(path).read()
    return data.split()
cache = load("words")
"""


def snapshot_of(*traces, limit=5):
    """Return a Snapshot of (size, number of blocks, (line, ...) of app.py)."""
    raw = []
    for size, count, *frames in traces:
        frames = tuple(("app.py", frame) if isinstance(frame, int) else frame
                       for frame in frames)
        raw += [(0, size, frames, len(frames))] * count
    return tracemalloc.Snapshot(raw, limit)


def full_snapshot(*contexts, metadata=None, filename="app.py"):
    """Return a Snapshot with functions, totals and the peak.

    A context is (line, function, live, allocated, peak), where the last three
    are (blocks, bytes); all are in app.py and called from line 6.  A sixth
    item is the name of an account, '' for none; all have one then, or none.
    """
    names = ["", filename, "<module>", "MainThread"]
    columns = {name: [] for name in COLUMNS if name not in ACCOUNTS}

    def add(**numbers):
        for name, number in numbers.items():
            columns[name].append(number)

    add(path_parent=0, path_file=0, path_function=0, path_line=0)
    add(path_parent=0, path_file=1, path_function=2, path_line=6)
    for place, context in enumerate(contexts):
        line, function, live, allocated, peak, *accounts = context
        for account in accounts:
            names.append(account)
            columns.setdefault("context_account", []).append(
                len(names) - 1 if account else 0)
        names.append(function)
        add(context_path=1, context_file=1, context_function=len(names) - 1,
            context_line=line, context_end_line=-1, context_column=-1,
            context_end_column=-1, context_domain=0, context_thread=3,
            context_depth=2, context_allocated_blocks=allocated[0],
            context_allocated_bytes=allocated[1],
            context_freed_blocks=allocated[0] - live[0],
            context_freed_bytes=allocated[1] - live[1],
            context_peak_blocks=peak[0], context_peak_bytes=peak[1])
        if live[0]:
            add(row_context=place, row_size=live[1] // live[0],
                row_count=live[0])
    data = SnapshotData(names, **{name: array(COLUMNS[name], column)
                                for name, column in columns.items()})
    return tracemalloc.Snapshot._of(data, 5, metadata or {})


class CommandTests(unittest.TestCase):
    """Base: an empty folder with app.py in it, and snapshot files."""

    maxDiff = None

    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = os.path.realpath(folder)
        self.enterContext(contextlib.chdir(self.folder))
        self.enterContext(mock.patch.dict(os.environ))
        for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR",
                     "PYTHONTRACEMALLOC", "PYTHONWARNINGS"):
            os.environ.pop(name, None)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # Shells have jobs in the background ignore it, with what these
            # start.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.addCleanup(signal.signal, signal.SIGINT, signal.SIG_IGN)
        linecache.clearcache()
        self.addCleanup(linecache.clearcache)
        self.write("app.py", APP)
        snapshot_of((1000, 3, 5, 2, 6), (50, 2, 4, 2, 6), (10, 1, 2, 6),
                    ).dump("a.tmz")
        snapshot_of((1000, 4, 5, 2, 6), (50, 2, 4, 2, 6), (24, 1, 6),
                    ).dump("b.tmz")
        full_snapshot(
            (5, "read", (2, 2000), (5, 5000), (4, 4000)),
            (2, "load", (1, 64), (1, 64), (0, 0)),
            (4, "read", (0, 0), (10, 30000), (1, 3000)),
            metadata={"time": 0, "pid": 7, "traced_memory_peak": 7000,
                      "command": ["python", "a b.py"]},
        ).dump("full.tmz")

    def write(self, name, text):
        with open(name, "w", encoding="utf-8") as stream:
            stream.write(textwrap.dedent(text))

    def call(self, *arguments):
        """Return (status, output, errors) of a command in this process."""
        out, err = io.StringIO(), io.StringIO()
        with (contextlib.redirect_stdout(out),
              contextlib.redirect_stderr(err)):
            try:
                status = _cli._main(list(arguments))
            except SystemExit as exit:
                status = exit.code or 0
        return status, out.getvalue(), err.getvalue()

    def output(self, *arguments, status=0):
        found = self.call(*arguments)
        self.assertEqual((found[0], found[2]), (status, ""))
        return found[1]

    def check_output(self, arguments, expected, status=0):
        self.assertEqual(self.output(*arguments, status=status),
                         textwrap.dedent(expected))

    def json(self, *arguments, status=0):
        return json.loads(self.output(*arguments, "--json", status=status))

    def fails(self, *arguments):
        """Return the one line that wrong use or a wrong file gives."""
        status, out, err = self.call(*arguments)
        self.assertEqual((status, out), (2, ""))
        self.assertRegex(err, r"\Apython -m tracemalloc[^\n]*: [^\n]+\n\Z")
        return err.removeprefix("python -m tracemalloc").strip()

    def start(self, *arguments, **options):
        """Run python -m tracemalloc in a process."""
        return subprocess.run(
            [sys.executable, "-m", "tracemalloc", *arguments],
            capture_output=True, text=True, timeout=support.LONG_TIMEOUT,
            **options)
