"""Tutorial 4: write a snapshot to a file and load it again.

usage: ex4.py [FILE]    (default: snap.out in a temporary folder)
"""
import os
import sys
import tempfile
import tracemalloc

tracemalloc.start()

numbers = [n for n in range(10000)]
squares = [n * n for n in range(10000)]
cubes = [n * n * n for n in range(10000)]

snapshot = tracemalloc.take_snapshot()
tracemalloc.stop()

for statistic in snapshot.statistics("lineno"):
    print(statistic)

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "snap.out")
    if len(sys.argv) > 1:
        path = sys.argv[1]
    snapshot.dump(path)
    loaded = tracemalloc.Snapshot.load(path)

print("\nLoaded Snapshot From File :")
for statistic in loaded.statistics("lineno"):
    print(statistic)
