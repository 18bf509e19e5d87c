"""Make contexts that never come back, and say what the tracer holds.

usage: stress.py TURNS SAMPLES

Started by plateau.py in the fork, with tracing on.  A turn is a fixed amount
of work, the same on every machine; after each of SAMPLES equal parts a line of
JSON tells what was made so far and what the tracer holds for it.
"""
import _tracemalloc
import asyncio
import collections
import json
import sys
import threading
import types

# Blocks of turns long gone that are alive: their contexts have to stay.
WINDOW = 20_000

MODULE = """
class Fresh:
    def __init__(self, number):
        self.number = [number]

def inner(kept, number):
    kept.append((number, str(number)))
    return {number: Fresh(number)}

def outer(kept, number):
    some = [inner(kept, number + more) for more in range(2)]
    kept.append((lambda: [some, number])())

outer(kept, number)
"""

CHAINS = 4                      # in every turn
CHAIN_DEPTH = 16
DEEP = 2000


def scramble(number):
    """Another number of 64 bits for each number, with all bits mixed."""
    number = (number + 1) * 0x9E3779B97F4A7C15 % 2**64
    return (number ^ number >> 29) * 0xBF58476D1CE4E5B9 % 2**64


def count_codes(code):
    """A code object and those inside it."""
    return 1 + sum(count_codes(value) for value in code.co_consts
                   if isinstance(value, types.CodeType))


def descend(kept, bits, depth):
    """A chain of calls by two lines: another one for every `bits`."""
    if depth == 0:
        kept.append([bits])
    elif bits & 1:
        descend(kept, bits >> 1, depth - 1)
    else:
        descend(kept, bits >> 1, depth - 1)


def sink(kept, bits, depth):
    """The same, as deep as the bits last again and again,
    with an allocation on the way.
    """
    if depth == 0:
        kept.append([bits])
    elif bits >> depth % 64 & 1:
        sink(kept, bits, depth - 1)
    else:
        note = [depth]
        sink(kept, bits, depth - 1)
        del note


def renamed_function(kept, number):
    kept.append(bytearray(number % 40))
    return [number]


def counting(kept, number):
    kept.append([number])
    yield from ([kept, more] for more in range(number, number + 2))
    yield (number, [kept])


def resume(generator):
    return next(generator, None)


def resume_elsewhere(generator):
    return [next(generator, None)]


async def sleeper(kept, number):
    kept.append([number])
    await asyncio.sleep(0)
    kept.append((number, [number]))


async def waiter(kept, number, function):
    await asyncio.gather(function(kept, number), sleeper(kept, -number))


class Stress:
    """What was made, and how."""

    def __init__(self):
        self.kept = collections.deque(maxlen=WINDOW)
        self.made = collections.Counter()
        self.loop = asyncio.new_event_loop()

    def renamed(self, function, name):
        """The function with a code object and a file name of its own."""
        self.made["code objects"] += count_codes(function.__code__)
        self.made["file names"] += 1
        return types.FunctionType(function.__code__.replace(co_filename=name),
                                  globals())

    def module(self, number):
        name = f"module {number}"
        code = compile(MODULE, name, "exec")
        self.made["code objects"] += count_codes(code)
        self.made["file names"] += 1
        exec(code, {"kept": self.kept, "number": number, "__name__": name})

    def chains(self, number):
        for more in range(CHAINS * number, CHAINS * (number + 1)):
            descend(self.kept, scramble(more), CHAIN_DEPTH)
        self.made["call chains"] += CHAINS

    def generators(self, number):
        """One is run to its end by changing callers, one is left on its way.
        """
        function = self.renamed(counting, f"generator {number}")
        first, second = (function(self.kept, number),
                         function(self.kept, -number))
        while resume(first) is not None:
            resume_elsewhere(first)
        resume(second)
        self.made["generators"] += 2

    def tasks(self, number):
        function = self.renamed(sleeper, f"task {number}")
        self.loop.run_until_complete(waiter(self.kept, number, function))
        self.made["tasks"] += 3

    def thread(self, number):
        function = self.renamed(descend, f"thread {number}")
        worker = threading.Thread(target=function,
                                  args=(self.kept, scramble(number), 12))
        worker.start()
        worker.join()
        self.made["threads"] += 1

    def deep(self, number):
        sink(self.kept, scramble(-number), DEEP)
        self.made["call chains"] += 1

    def turn(self, number):
        self.module(number)
        self.renamed(renamed_function, f"renamed {number}")(self.kept, number)
        self.chains(number)
        for every, kind in ((4, self.generators), (10, self.tasks),
                            (10, self.thread), (100, self.deep)):
            if number % every == 0:
                kind(number)


def resident():
    """Resident memory in bytes, None where there is no /proc."""
    try:
        with open("/proc/self/status", encoding="ascii") as stream:
            for line in stream:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
    except FileNotFoundError:
        pass
    return None


def main():
    turns, samples = int(sys.argv[1]), int(sys.argv[2])
    sys.setrecursionlimit(DEEP + 1000)
    stress = Stress()
    # One of each kind before the first sample: imports and tables are there.
    stress.turn(0)
    done = 1
    for sample in range(1, samples + 1):
        while done < turns * sample // samples:
            stress.turn(done)
            done += 1
        print(json.dumps({
            "turns": done, "made": stress.made,
            "tracer": _tracemalloc.get_tracemalloc_memory(),
            "traced": _tracemalloc.get_traced_memory()[0], "rss": resident(),
            "dropped": _tracemalloc._get_dropped(),
            **_tracemalloc._get_counts()}), flush=True)
    _tracemalloc._check()
    stress.loop.close()


if __name__ == "__main__":
    main()
