"""Tutorial 2: tracebacks, and what else the module can tell.  Needs numpy."""
import sys
import tracemalloc

try:
    from numpy import random
except ImportError:
    sys.exit("ex2.py: this example needs numpy (python -m pip install numpy)")

tracemalloc.start(25)

numbers = [n for n in range(10000)]
squares = [n * n for n in range(10000)]
cubes = [n * n * n for n in range(10000)]
array = random.randint(1, 100, (1000,))

snapshot = tracemalloc.take_snapshot()

print("========== SNAPSHOT =============")
for statistic in snapshot.statistics("lineno"):
    print(statistic)
    print(statistic.traceback.format())

print("\n=========== USEFUL METHODS ===========")
print("\nTraceback Limit : ", tracemalloc.get_traceback_limit(), " Frames")
print("\nAllocation Location for Array : ",
      tracemalloc.get_object_traceback(array))
print("\nTraced Memory (Current, Peak): ", tracemalloc.get_traced_memory())
print("\nMemory Usage by tracemalloc Module : ",
      tracemalloc.get_tracemalloc_memory(), " bytes")
print("\nTracing Status : ", tracemalloc.is_tracing())

tracemalloc.stop()
