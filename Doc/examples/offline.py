"""Write two snapshots to files, then look at them later.

usage: offline.py record FOLDER      run, and write first.pickle, second.pickle
       offline.py compare OLD NEW    print the ten biggest differences

On a machine that is short of memory, the first half runs there and the second
half elsewhere.
"""
import collections
import os
import sys
import tracemalloc


def record(folder):
    """Count the words of this interpreter's library; snapshot twice."""
    tracemalloc.start()
    words = collections.Counter()
    library = os.path.dirname(os.__file__)
    paths = sorted(os.path.join(library, name) for name in os.listdir(library)
                   if name.endswith(".py"))
    for half, filename in ((paths[::2], "first.pickle"),
                           (paths[1::2], "second.pickle")):
        for path in half:
            with open(path, encoding="utf-8") as stream:
                words.update(stream.read().split())
        path = os.path.join(folder, filename)
        tracemalloc.take_snapshot().dump(path)
        print(f"{len(words)} different words so far, snapshot in {path}")


def compare(old, new):
    """Print what changed between two files."""
    older = tracemalloc.Snapshot.load(old)
    newer = tracemalloc.Snapshot.load(new)
    print("[ Top 10 differences ]")
    for difference in newer.compare_to(older, "lineno")[:10]:
        print(difference)


def main(arguments):
    match arguments:
        case ["record", folder]:
            record(folder)
        case ["compare", old, new]:
            compare(old, new)
        case _:
            sys.stderr.write("offline.py: expected 'record FOLDER' "
                             "or 'compare OLD NEW'\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
