"""Tutorial 3: forget the traces and go on, or stop."""
import tracemalloc


def show(number, snapshot):
    """Print the statistics of a snapshot under a title."""
    print(f"\n================ SNAPSHOT {number} =================")
    for statistic in snapshot.statistics("lineno"):
        print(statistic)


tracemalloc.start()

numbers = [n for n in range(1000000)]
squares = [n * n for n in range(10000)]
cubes = [n * n * n for n in range(10000)]
first = tracemalloc.take_snapshot()
show(1, first)

fourth = [n * n * n * n for n in range(10000)]
show(2, tracemalloc.take_snapshot())

tracemalloc.clear_traces()

doubles = [n * 2 for n in range(10000)]
show(3, tracemalloc.take_snapshot())

print("\nThe first snapshot still has", len(first.traces), "traces")

print("\nTracing Status : ", tracemalloc.is_tracing())
tracemalloc.stop()
print("\nTracing Status : ", tracemalloc.is_tracing())

try:
    print("\nTrying to Take Snapshot After Tracing is Stopped.")
    tracemalloc.take_snapshot()
except RuntimeError as error:
    print("Exception : ", error)
