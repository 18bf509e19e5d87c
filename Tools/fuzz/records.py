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
import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import time
import traceback
import tracemalloc
from test.tracemalloc_records import change, repair, try_record
from tracemalloc._record import places

# What reading may take, as a multiple of the file's size.
MAX_PEAK = 40

PROGRAM = """
import json, threading, tracemalloc
kept = [str(i) for i in range(5000)]
for name in "GET /cart", "GET /stock", "caf\u00e9":
    with tracemalloc.account(name):
        kept += map(str, range(500))
thread = threading.Thread(target=kept.extend, args=(map(str, range(99)),))
thread.start()
thread.join()
"""


def seed(folder):
    """Return the bytes of a record."""
    subprocess.run([sys.executable, "-X", f"tracemalloc=25,record={folder}",
                    "-c", PROGRAM], check=True)
    path, = places.list_folder(folder)
    with open(path, "rb") as stream:
        data = stream.read()
    os.unlink(path)
    return data


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60,
                        help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="number of the "
                        "first file; one is printed at the end to go on with")
    parser.add_argument(
        "--keep", metavar="FOLDER", default="build/fuzz-records",
        help="where files are kept that show a bug (default: "
             "build/fuzz-records)")
    options = parser.parse_args()
    os.makedirs(options.keep, exist_ok=True)
    # So that what takes too much fails here and not the machine.
    resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
    whole = seed(options.keep)
    current = os.path.join(options.keep, "current")
    end = time.monotonic() + options.seconds
    loaded = bugs = slowest = largest = 0
    number = options.seed
    tracemalloc.start()
    while time.monotonic() < end:
        rng = random.Random(number)
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
            kept = os.path.join(options.keep, str(number))
            shutil.copyfile(current, kept)
            print(f"file {number}, kept as {kept}:", flush=True)
            traceback.print_exc(file=sys.stdout)
        number += 1
    print(f"{number - options.seed} files of {len(whole)} bytes, {loaded} "
          f"read, {bugs} bugs; {slowest:.2f} s and {largest} bytes at most; "
          f"go on with --seed {number}")
    return 1 if bugs else 0


if __name__ == "__main__":
    sys.exit(main())
