"""Tutorial 1: start, take a snapshot, print its statistics, stop."""
import tracemalloc

tracemalloc.start()

numbers = [n for n in range(10000)]
squares = [n * n for n in range(10000)]
cubes = [n * n * n for n in range(10000)]

snapshot = tracemalloc.take_snapshot()

for statistic in snapshot.statistics("lineno"):
    print(statistic)

tracemalloc.stop()
