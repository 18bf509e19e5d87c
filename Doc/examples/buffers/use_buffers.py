"""Show what the extension module buffers allocates."""
import tracemalloc
import buffers

tracemalloc.start()
kept = [buffers.new(1 << 20) for _ in range(3)]
snapshot = tracemalloc.take_snapshot().filter_traces(
    [tracemalloc.DomainFilter(True, 742)])
print(snapshot.statistics('lineno')[0])    # ...: size=3072 KiB, count=3, ...

del kept
print(len(tracemalloc.take_snapshot().filter_traces(
    [tracemalloc.DomainFilter(True, 742)]).traces))    # 0
