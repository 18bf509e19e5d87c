"""Print the lines that hold most memory, with their source, without clutter.

display_top() can be copied into a program of one's own.
"""
import linecache
import os
import tracemalloc

UNWANTED = "<frozen importlib._bootstrap>", "<unknown>"


def display_top(snapshot, key_type="lineno", limit=10):
    """Print the *limit* biggest groups of *snapshot*, the rest and the total.

    Blocks of the import system and blocks without a call path are left out.
    """
    snapshot = snapshot.filter_traces(
        tuple(tracemalloc.Filter(False, name) for name in UNWANTED))
    ranking = snapshot.statistics(key_type)

    print(f"Top {limit} lines")
    for rank, statistic in enumerate(ranking[:limit], 1):
        frame = statistic.traceback[-1]         # the line that allocated
        tail = os.sep.join(frame.filename.split(os.sep)[-2:])
        size = statistic.size / 1024
        print(f"#{rank}: {tail}:{frame.lineno}: {size:.1f} KiB")
        source = linecache.getline(frame.filename, frame.lineno).strip()
        if source:
            print(f"    {source}")

    rest = ranking[limit:]
    if rest:
        size = sum(each.size for each in rest) / 1024
        print(f"{len(rest)} other: {size:.1f} KiB")
    total = sum(each.size for each in ranking) / 1024
    print(f"Total allocated size: {total:.1f} KiB")


def work():
    """Import modules and build tables, so that there is something to show."""
    import base64
    import decimal
    import email.parser
    import logging.config
    import tomllib
    squares = {number: number * number for number in range(20000)}
    encoded = [base64.b85encode(bytes([number] * 60)) for number in range(256)]
    return squares, encoded, decimal, email, logging, tomllib


def main():
    tracemalloc.start()
    kept = work()
    display_top(tracemalloc.take_snapshot())
    return kept


if __name__ == "__main__":
    main()
