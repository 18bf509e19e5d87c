"""Snapshots to try the report with: as many contexts as one likes.

They look like those of a program of some hundred files: what is called often
is in many call paths, sizes differ by orders of magnitude, and the same
number gives the same snapshot.

    made.py CONTEXTS FILE [GROWN]

writes one; GROWN is a fraction of its contexts that have grown by half, for
a second snapshot to compare with.
"""

import random
import sys
import tracemalloc
from array import array

from tracemalloc._columns import ACCOUNTS, COLUMNS, SnapshotData

PACKAGES = ("shop", "orders", "billing", "search", "accounts", "mail")
LIBRARIES = ("flask", "werkzeug", "sqlalchemy", "jinja2", "requests")
STANDARD = ("json/decoder", "json/scanner", "re/_parser", "socketserver",
            "threading", "collections/__init__", "functools", "enum")


def _files():
    files = [f"/srv/app/{package}/part{number}.py"
             for package in PACKAGES for number in range(24)]
    files += [f"/srv/env/lib/python3.13/site-packages/{library}/m{number}.py"
              for library in LIBRARIES for number in range(20)]
    files += [f"/usr/lib/python3.13/{name}.py" for name in STANDARD]
    return [*files, "<frozen importlib._bootstrap>"]


class Maker:
    """Makes the columns of a snapshot."""

    def __init__(self, seed=1):
        self.random = random.Random(seed)
        self.names = ["", "MainThread", "worker-1", "worker-2"]
        self.columns = {name: [] for name in COLUMNS
                        if name not in ACCOUNTS}
        self.places = []
        for file in _files():
            self.names.append(file)
            number = len(self.names) - 1
            for each in range(12):
                self.names.append(f"Thing{each % 4}.method_{each}")
                self.places += [(number, len(self.names) - 1, each * 20 + line)
                                for line in (3, 7, 11)]
        self._add(path_parent=0, path_file=0, path_function=0, path_line=0)

    def _add(self, **numbers):
        for name, number in numbers.items():
            self.columns[name].append(number)

    def make(self, contexts):
        """Add call paths and contexts; return how many there are."""
        chance, places = self.random, self.places
        depths = [0]
        for place in range(contexts):
            # A new path for most contexts, below one that is there.
            if not place or chance.random() < 0.8:
                parent = int(len(depths) * chance.random() ** 1.3)
                if depths[parent] > 40:
                    parent = depths[parent] % 7
                file, function, line = places[
                    int(len(places) * chance.random() ** 2)]
                self._add(path_parent=parent, path_file=file,
                          path_function=function, path_line=line)
                depths.append(depths[parent] + 1)
            file, function, line = places[
                int(len(places) * chance.random() ** 2)]
            size = int(16 * chance.paretovariate(0.9))
            size = min(size, 1 << 26)
            count = 1 + int(chance.paretovariate(1.2))
            freed = int(chance.paretovariate(0.8)) % 100_000
            self._add(
                context_path=len(depths) - 1, context_file=file,
                context_function=function, context_line=line,
                context_end_line=line, context_column=8,
                context_end_column=30, context_domain=0,
                context_thread=1 + place % 3,
                context_depth=depths[-1] + 1,
                context_allocated_blocks=count + freed,
                context_allocated_bytes=size * (count + freed),
                context_freed_blocks=freed, context_freed_bytes=size * freed,
                context_peak_blocks=count, context_peak_bytes=size * count,
                row_context=place, row_size=size, row_count=count)
        return contexts

    def grow(self, fraction):
        """Have some contexts hold half as much again."""
        columns = self.columns
        for place in range(len(columns["row_count"])):
            if self.random.random() < fraction:
                more = columns["row_count"][place] // 2 + 1
                columns["row_count"][place] += more
                columns["context_allocated_blocks"][place] += more
                columns["context_allocated_bytes"][place] += (
                    more * columns["row_size"][place])

    def snapshot(self):
        columns = self.columns
        data = SnapshotData(self.names, **{
            name: array(COLUMNS[name], column)
            for name, column in columns.items()})
        traced = sum(size * count for size, count in zip(
            columns["row_size"], columns["row_count"]))
        return tracemalloc.Snapshot._of(data, 50, {
            "time": 1_700_000_000.0, "pid": 4711, "traced_memory": traced,
            "traced_memory_peak": traced, "rss": 2 * traced,
            "command": ["python", "-m", "shop"], "python": "3.13.5",
            "path": ["/srv/app", "/usr/lib/python3.13",
                     "/srv/env/lib/python3.13/site-packages"]})


def main():
    maker = Maker()
    maker.make(int(sys.argv[1]))
    if len(sys.argv) > 3:
        maker.grow(float(sys.argv[3]))
    maker.snapshot().dump(sys.argv[2])


if __name__ == "__main__":
    main()
