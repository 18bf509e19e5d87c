#!/usr/bin/env python3
"""Load damaged snapshot files until something else than an error comes of it.

usage: build/fork/python Tools/fuzz/snapshot_files.py [--seconds N] [--seed N]
                                                      [--keep FOLDER]

Damages files of every kind that tracemalloc.Snapshot.load() knows, compact
files with checksums made right again, and loads them.  A file must give a
snapshot that is good for statistics, exports and the command line, or
SnapshotFormatError; within the memory that it may take.  Anything else is
printed with the number that makes it again, and the file is kept in FOLDER.
Exit status: 0, or 1 if there was such a file.

A crash of the interpreter is found too: the file that is being tried is in
FOLDER as long as it is tried.
"""
import os
import random
import sys
import time
import tracemalloc
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from test.tracemalloc_files import change, mutate, repair, seeds, try_file
from tracemalloc import _cli

from damaging import begin, keep_file

MAX_SIZE = 1 << 22
# What loading may take beyond max_size, and what statistics of that take.
MAX_PEAK = 16 * MAX_SIZE


def one(files, number):
    """Return the name and the bytes of damaged file *number*."""
    rng = random.Random(number)
    name = rng.choice(sorted(files))
    data = files[name]
    if "compact" in name and rng.random() < 0.5:
        for _ in range(rng.choice((1, 1, 2, 5))):
            data = change(data, rng)
        return name, data
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = mutate(data, rng)
    if "compact" in name and rng.random() < 0.9:
        data = repair(data)
    return name, data


# Stands for the file in commands that take two.
FILE = "FILE"
COMMANDS = [
    ["top"], ["top", "--json"], ["top", "-c"], ["top", "-g", "module"],
    ["top", "--at-peak"], ["top", "--sort", "temporary"], ["tree"],
    ["tree", "--json"], ["stats"], ["stats", "--json"], ["traceback"],
    ["traceback", "--json"], ["check", "--max-peak", "1"], ["show"],
    ["show", "-t"], ["show", "-c"], ["show", "--json"], ["export", "--json"],
    ["export", "--format", "csv"], ["export", "--format", "gecko"],
    ["top", "--mine=a"], ["stats", "--mine"], ["series", FILE],
    ["tree", FILE], ["tree", "--inverted", "--mine=a", FILE],
    ["traceback", FILE], ["diff", FILE],
    ["report", "-o", os.devnull], ["report", "-o", os.devnull, FILE],
    ["export", "--format", "speedscope"],
]


def try_command(filename, number):
    """Have one of the commands read a file.

    Raises AssertionError if what it prints could control a terminal, and
    whatever else comes out of it.
    """
    command = [filename if word is FILE else word
               for word in COMMANDS[number % len(COMMANDS)]]
    with redirect_stdout(StringIO()) as out, redirect_stderr(out):
        try:
            _cli._main([*command, "--max-size", str(MAX_SIZE), filename])
        except SystemExit:
            pass
    text = out.getvalue().replace("\n", "")
    if command[0] != "export" and not text.isprintable():
        raise AssertionError(f"{command} prints {ascii(text)[:500]}")


def main():
    options = begin(__doc__, "build/fuzz")
    current = os.path.join(options.keep, "current")
    descriptor = os.open(current, os.O_RDWR | os.O_CREAT, 0o666)
    files = seeds()
    end = time.monotonic() + options.seconds
    taken, bugs, number = Counter(), 0, options.seed
    tracemalloc.start()
    while time.monotonic() < end:
        name, data = one(files, number)
        os.pwrite(descriptor, data, 0)
        os.ftruncate(descriptor, len(data))
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            loaded = try_file(data, MAX_SIZE)
            taken[name, loaded] += 1
            if loaded:
                try_command(current, number)
            peak = tracemalloc.get_traced_memory()[1] - before
            if peak > MAX_PEAK:
                raise MemoryError(f"loading took {peak} bytes")
        except Exception:
            bugs += 1
            keep_file(options, number, current, f", from {name!r}")
        number += 1
    for name in sorted(files):
        print(f"{name:<16} {taken[name, True]:>8} loaded "
              f"{taken[name, False]:>8} refused")
    print(f"{number - options.seed} files, {bugs} bugs; go on with --seed "
          f"{number}")
    return 1 if bugs else 0


if __name__ == "__main__":
    sys.exit(main())
