"""Read the files that callgrind writes.

A process that keeps a record has a thread for it, and now and then another
thread helps: makes a copy, and where memory has grown writes it as well.  When
that happens depends on time, which valgrind stretches.  What a program takes
for itself is counted without: a file for each thread, all threads but the
record's own, without the calls of these functions.
"""
import re

from measure import BenchError

HELPER = "helper_run"
CHECKPOINT = ("tm_copy_checkpoint_lock_held", "tm_write_checkpoint")
THREADS = "--separate-threads=yes"

NAME = re.compile(r"c?fn=\((\d+)\)(?: (\S+))?")


def read_total(path):
    """The instructions that callgrind counted, from a file that it wrote."""
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            found = re.match(r"(?:summary|totals): (\d+)", line)
            if found:
                return int(found[1])
    raise BenchError(f"{path} has no total; did the program end early?")


def read_calls(path, functions):
    """(which of these functions it tells of, instructions of calls of them).

    A compiler may append to a name, behind a dot.  No function of these may
    call another one of them.
    """
    names, met, taken = {}, set(), 0
    with open(path, encoding="utf-8", errors="replace") as stream:
        called = None
        for line in stream:
            if found := NAME.match(line):
                if found[2]:
                    names[found[1]] = found[2].partition(".")[0]
                name = names[found[1]]
                if name in functions:
                    met.add(name)
                called = name if line.startswith("c") else None
            elif line.startswith("calls="):
                # The next line has where that was, and what it took.
                cost = next(stream).split()[1]
                if called in functions:
                    taken += int(cost)
    return met, taken


def files_of(profile):
    """The files of a process's threads."""
    return sorted(profile.parent.glob(f"{profile.name}-[0-9]*"))


def remove(profile):
    for path in (profile, *files_of(profile)):
        path.unlink(missing_ok=True)


def read_without_record(profile):
    """The instructions of a process without those of its checkpoints."""
    total, helpers = 0, 0
    for path in files_of(profile):
        met, taken = read_calls(path, (*CHECKPOINT, HELPER))
        if HELPER in met:
            helpers += 1
        else:
            total += read_total(path) - taken
    if helpers != 1 or not total:
        raise BenchError(f"{profile}-*: {helpers} threads of a record; "
                         "was one kept?")
    return total
