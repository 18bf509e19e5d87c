"""How long a loop that does nothing but store waits: run by pauses.py.

usage: pause_loop.py SECONDS ALLOCATES [FILE]

A turn stores into one place of 16 MiB, a file that is mapped or private
memory, and with ALLOCATES, 1 or 0, makes a list in place of another.  A dict
is printed at the end, as JSON: how many turns there were, the 99.9th
percentile of their times and the longest, in nanoseconds, how many took more
than a millisecond; and of the turns in which the loop slept, that is, waited
for something else than a processor, how many there were and the longest, 0 if
there was none.
"""
import gc
import json
import mmap
import os
import resource
import sys
import time

SIZE = 16 << 20                         # of a record, unless told otherwise
STEP = 128                              # nanoseconds, of the percentile
MILLISECOND = 1_000_000
COUNTED = 10 * MILLISECOND              # what is longer is kept by itself
NOBODY_SLEEPS = 20_000                  # as short as that


def open_memory(name):
    if name is None:
        return mmap.mmap(-1, SIZE)
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
    os.posix_fallocate(descriptor, 0, SIZE)
    return mmap.mmap(descriptor, SIZE)


def times_slept():
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def measure(memory, allocates, seconds):
    """(numbers of turns by STEP, times of those that took longest, of those
    that slept).
    """
    counts, longest, asleep = [0] * (COUNTED // STEP + 1), [], []
    kept = [[] for _ in range(1000)]
    clock, place = time.perf_counter_ns, 1
    slept = times_slept()
    before = clock()
    end = before + int(seconds * 1e9)
    while before < end:
        place = (place * 1_103_515_245 + 12_345) & (SIZE - 1)
        memory[place] = 1
        if allocates:
            kept[place % 1000] = [place]
        now = clock()
        took = now - before
        if took < COUNTED:
            counts[took // STEP] += 1
        else:
            longest.append(took)
        if took > NOBODY_SLEEPS:
            more = times_slept()
            if more != slept:
                asleep.append(took)
            slept = more
        # What it takes to note the time is in no turn.
        before = clock()
    return counts, longest, asleep


def summarise(counts, longest, asleep):
    turns = sum(counts) + len(longest)
    left = turns // 1000                # turns above the percentile
    above = sorted(longest)
    steps = len(counts) - 1
    while len(above) <= left:
        # The upper end of the step, since where in it is not known.
        above[:0] = [(steps + 1) * STEP] * counts[steps]
        steps -= 1
    return {"turns": turns, "percentile": above[-1 - left],
            "longest": above[-1],
            "over": sum(counts[MILLISECOND // STEP:]) + len(longest),
            "asleep": len(asleep), "longest_asleep": max(asleep, default=0)}


def main():
    seconds, allocates = float(sys.argv[1]), bool(int(sys.argv[2]))
    memory = open_memory(sys.argv[3] if len(sys.argv) > 3 else None)
    gc.disable()
    print(json.dumps(summarise(*measure(memory, allocates, seconds))),
          flush=True)


if __name__ == "__main__":
    main()
