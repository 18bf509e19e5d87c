"""Tutorial 7: the same without the lines of tracemalloc itself."""
import tracemalloc


def show(title, rows):
    """Print statistics or differences under a title."""
    print(title)
    for row in rows:
        print(row)


tracemalloc.start()

numbers = [n for n in range(10000)]
squares = [n * n for n in range(10000)]
cubes = [n * n * n for n in range(10000)]
first = tracemalloc.take_snapshot()
show("SNAPSHOT - 1", first.statistics("lineno"))

fourth = [n * n * n * n for n in range(10000)]
fifth = [n * n * n * n * n for n in range(10000)]
second = tracemalloc.take_snapshot()

module = tracemalloc.Filter(inclusive=False,
                            filename_pattern=tracemalloc.__file__)
second = second.filter_traces([module])

show("\nSNAPSHOT - 2", second.statistics("lineno"))
show("\nDIFFERENCE", second.compare_to(first, "lineno"))

tracemalloc.stop()
