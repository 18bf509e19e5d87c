"""Count the words of packages, each in a process of its own.

    python -m tracemalloc run word_pool.py json email
"""
import multiprocessing
import sys

from word_index import build


def count(package):
    index = build(package)
    print(len(index.files), "words in", package, flush=True)


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    for package in sys.argv[1:]:
        process = context.Process(target=count, args=(package,), name=package)
        process.start()
        process.join()
