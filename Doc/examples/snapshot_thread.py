"""Write a snapshot to a file every minute, from a thread of its own.

Files are named tracemalloc-PPP-CCCC.pickle: number of the process, and a
counter from 0001.  Around the thread stands a small program that works until
enough files are there.
"""
import argparse
import ast
import gc
import itertools
import os
import pickle
import signal
import sys
import tempfile
import threading
import tracemalloc


class SnapshotThread(threading.Thread):
    """Writes a snapshot every *period* seconds into *folder*.

    *count*, if given, is the number of snapshots after which it ends.
    """

    def __init__(self, folder, period=60.0, count=None):
        super().__init__(name="snapshots", daemon=True)
        self.folder = folder
        self.period = period
        self.count = count
        self.stopped = threading.Event()

    def run(self):
        if hasattr(signal, "pthread_sigmask"):
            # Signals are for the threads of the program.
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        for number in itertools.count(1):
            if self.stopped.wait(self.period):
                break
            self.write(number)
            if number == self.count:
                self.stopped.set()
                break

    def write(self, number):
        """Write snapshot *number* of this process."""
        name = f"tracemalloc-{os.getpid()}-{number:04d}.pickle"
        path = os.path.join(self.folder, name)
        print(f"Write snapshot into {path}...", flush=True)
        gc.collect()            # garbage is not worth a report
        snapshot = tracemalloc.take_snapshot()
        with open(path, "wb") as stream:
            # The oldest format that every Python in use can read.
            pickle.dump(snapshot, stream, 2)
        print(f"Snapshot written into {path}", flush=True)


def read_library(stopped):
    """Parse the standard library, over and over, until *stopped* is set."""
    folder = os.path.dirname(os.__file__)
    names = [name for name in os.listdir(folder) if name.endswith(".py")]
    trees = {}
    for name in itertools.cycle(names):
        if stopped.is_set():
            return len(trees)
        with open(os.path.join(folder, name), encoding="utf-8") as stream:
            trees[name] = ast.parse(stream.read())


def main():
    parser = argparse.ArgumentParser(
        description="Write snapshots from a thread.")
    parser.add_argument("--period", type=float, default=60, metavar="SECONDS",
                        help="time between snapshots (default: %(default)g)")
    parser.add_argument("--folder", default=tempfile.gettempdir(),
                        help="where to write them (default: %(default)s)")
    parser.add_argument("--count", type=int, default=3, metavar="N",
                        help="end after N snapshots (default: %(default)s)")
    options = parser.parse_args()
    if options.period <= 0 or options.count < 1:
        parser.error("--period and --count have to be positive")
    if not os.path.isdir(options.folder):
        sys.stderr.write("snapshot_thread.py: "
                         f"{options.folder}: no such folder\n")
        return 1

    tracemalloc.start(25)
    thread = SnapshotThread(options.folder, options.period, options.count)
    thread.start()
    read_library(thread.stopped)
    thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
