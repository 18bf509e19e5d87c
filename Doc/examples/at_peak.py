"""Show which functions held the memory when there was most of it."""
import tracemalloc


def load(count):
    return [str(number) for number in range(count)]


def index(records):
    return {record: place for place, record in enumerate(records)}


def main():
    tracemalloc.start()
    found = index(load(50_000))
    kept = len(found)
    del found

    size, peak = tracemalloc.get_traced_memory()
    print(f"{size // 1024} KiB now, {peak // 1024} KiB at the peak")
    snapshot = tracemalloc.take_peak_snapshot()
    for stat in snapshot.statistics("function")[:2]:
        print(f"{stat.traceback[0].function}: {stat.size // 1024} KiB")
    return kept


if __name__ == "__main__":
    main()
