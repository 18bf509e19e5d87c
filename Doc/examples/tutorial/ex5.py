"""Tutorial 5: keep or drop traces by domain and by file.  Needs numpy.

The file name of a script is an absolute path, so a pattern that names it has
to begin with a star.
"""
import sys
import tracemalloc

try:
    from numpy import random
except ImportError:
    sys.exit("ex5.py: this example needs numpy (python -m pip install numpy)")

tracemalloc.start(10)

squares = [n * n for n in range(10000)]
numbers = [n for n in range(10000)]
cubes = [n * n * n for n in range(10000)]
doubles = [n * 2 for n in range(10000)]
array = random.randint(1, 100, (1000,))

snapshot = tracemalloc.take_snapshot()


def show(title, *filters):
    """Print the statistics of what *filters* leave."""
    print(f"\n========= {title} =============")
    filtered = snapshot.filter_traces(filters=list(filters))
    for statistic in filtered.statistics("lineno"):
        print(statistic)


show("Original Snapshot")
show("Filtered Snapshot 1",
     tracemalloc.DomainFilter(inclusive=True, domain=0))
show("Filtered Snapshot 2",
     tracemalloc.DomainFilter(inclusive=False, domain=0))
show("Filtered Snapshot 3",
     tracemalloc.Filter(inclusive=True, filename_pattern="*ex5.py"))
show("Filtered Snapshot 4",
     tracemalloc.Filter(inclusive=False, filename_pattern="*ex5.py"))

tracemalloc.stop()
