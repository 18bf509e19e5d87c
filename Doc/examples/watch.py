"""Write snapshots while a program grows, and compare the last with the first.
"""
import tempfile
import tracemalloc

FOLDER = tempfile.TemporaryDirectory()


def main():
    tracemalloc.start()
    template = f"{FOLDER.name}/$counter.tmz"
    kept = []
    # A thread would write one each time that memory has grown by a MiB; this
    # program is over too soon for it, and asks for two.
    with FOLDER, tracemalloc.watch(template, threshold=2**20) as watch:
        first = tracemalloc.Snapshot.load(watch.write())
        kept.extend(bytes(1000) for number in range(2000))
        last = tracemalloc.Snapshot.load(watch.write())
    for stat in last.compare_to(first, "function")[:1]:
        print(stat)
    return kept


if __name__ == "__main__":
    main()
