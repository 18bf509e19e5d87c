#!/usr/bin/env python3
"""Read damaged records until something else than an error comes of it.

usage: build/fork/python Tools/fuzz/records.py [--seconds N] [--seed N]
                                               [--keep FOLDER]

Damages a record, makes its checksums right again, and reads it.  It must give
a picture and a snapshot that is good for statistics, or SnapshotFormatError,
within memory and time in proportion to its size.  Anything else is printed
with the number that makes it again, and the file is kept in FOLDER.  Exit
status: 0, or 1 if there was such a file.
"""
import os
import random
import subprocess
import sys
import time
import tracemalloc
from test.tracemalloc_records import change, repair, try_record
from tracemalloc._record import places

from damaging import begin, keep_file

# What reading may take, as a multiple of the file's size.
MAX_PEAK = 40

# Many files are of a record that is small, and few of one that is not, since
# these take most of the time.
SMALL = """
import _thread, tracemalloc
kept = [str(i) for i in range(500)]
with tracemalloc.account("GET /cart"):
    kept += map(str, range(50))
ended = _thread.allocate_lock()
ended.acquire()
def work():
    kept.extend(map(str, range(99)))
    ended.release()
_thread.start_new_thread(work, ())
ended.acquire()
"""
LARGE = """
import json, threading, tracemalloc
kept = [str(i) for i in range(5000)]
for name in "GET /cart", "GET /stock", "caf\u00e9":
    with tracemalloc.account(name):
        kept += map(str, range(500))
thread = threading.Thread(target=kept.extend, args=(map(str, range(99)),))
thread.start()
thread.join()
"""
SHARE_OF_LARGE = 0.02


def seed(folder, *arguments, frames=25):
    """Return the bytes of a record."""
    subprocess.run([sys.executable, "-X",
                    f"tracemalloc={frames},record={folder}", *arguments],
                   check=True)
    path, = places.list_folder(folder)
    with open(path, "rb") as stream:
        data = stream.read()
    os.unlink(path)
    return data


def main():
    options = begin(__doc__, "build/fuzz-records")
    small = seed(options.keep, "-I", "-S", "-c", SMALL, frames=3)
    large = seed(options.keep, "-c", LARGE)
    current = os.path.join(options.keep, "current")
    end = time.monotonic() + options.seconds
    loaded = bugs = slowest = largest = 0
    number = options.seed
    tracemalloc.start()
    while time.monotonic() < end:
        rng = random.Random(number)
        whole = large if rng.random() < SHARE_OF_LARGE else small
        data = change(whole, rng)
        if rng.random() < 0.95:
            data = repair(data)
        with open(current, "wb") as stream:
            stream.write(data)
        tracemalloc.reset_peak()
        before, begun = tracemalloc.get_traced_memory()[0], time.monotonic()
        try:
            loaded += try_record(current)
            peak = tracemalloc.get_traced_memory()[1] - before
            slowest = max(slowest, time.monotonic() - begun)
            largest = max(largest, peak)
            if peak > MAX_PEAK * len(whole):
                raise MemoryError(f"reading took {peak} bytes")
        except Exception:
            bugs += 1
            keep_file(options, number, current)
        number += 1
    print(f"{number - options.seed} files of {len(small)} and {len(large)} "
          f"bytes, {loaded} read, {bugs} bugs; {slowest:.2f} s and {largest} "
          f"bytes at most; go on with --seed {number}")
    return 1 if bugs else 0


if __name__ == "__main__":
    sys.exit(main())
