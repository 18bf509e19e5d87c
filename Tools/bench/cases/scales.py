"""What the cost of tracing might grow with, for curves of it.

The size is the number of things that are there: live blocks, contexts,
threads, frames, code objects.  They are there before the first loop, unless
they come and go with it.  A loop does about the same work whatever the size,
and its answer is how many operations that is.  The garbage collector is off:
its work grows, whoever traces.
"""
import functools
import gc
import itertools
import sys
import threading
import types

from . import case

OPERATIONS = 20_000


def scale(full, quick):
    """A case of so many things."""
    def decorate(prepare):
        @functools.wraps(prepare)
        def without_collector(size):
            gc.disable()
            return prepare(size)
        return case(size=(full, quick), loops=(1, 1))(without_collector)
    return decorate


def scattered(size, count=OPERATIONS):
    """`count` places below `size`, far from each other."""
    return [number * 2_654_435_761 % size for number in range(count)]


@scale(10_000_000, 10_000)
def live_small(size):
    """A small block is replaced among so many."""
    kept = [object() for _ in itertools.repeat(None, size)]
    places = scattered(size)

    def step():
        for place in places:
            kept[place] = object()
        return len(places), kept
    return step


@scale(1_000_000, 10_000)
def live_large(size):
    """A block of 633 bytes is replaced among so many."""
    half = bytes(300)
    kept = [half + half for _ in itertools.repeat(None, size)]
    places = scattered(size)

    def step():
        for place in places:
            kept[place] = half + half
        return len(places), kept
    return step


LEVELS = 7                              # calls above the one that allocates
WAYS = 10                               # places that call the next one


def make_walker():
    """A function that calls itself from one of its lines after the other, as
    the numbers say that it is given, and allocates in the end.
    """
    lines = ["def walk(ways):", "    for way in ways:"]
    for way in range(WAYS):
        lines += [f"        if way == {way}:", "            return walk(ways)"]
    lines.append("    return object()")
    space = {}
    exec(compile("\n".join(lines), "/app/walker.py", "exec"), space)
    return space["walk"]


@scale(10_000_000, 1000)
def contexts(size):
    """An object made seven calls deep, by one of so many paths, each of which
    holds one.
    """
    walk = make_walker()
    # What all paths have in common when they are few takes as many comparisons
    # as ways do on average.
    order = [(way + WAYS // 2) % WAYS for way in range(WAYS)]
    every = itertools.product(order, repeat=LEVELS)
    kept = [walk(iter(ways)) for ways in itertools.islice(every, size)]
    chosen = [(place, tuple(order[int(digit)]
                            for digit in f"{place:0{LEVELS}}"))
              for place in scattered(size, OPERATIONS // 4)]

    def step():
        for place, ways in chosen:
            kept[place] = walk(iter(ways))
        return len(chosen), kept
    return step


TURNS = 64                              # of all threads together
BLOCKS = 500                            # of a turn


@scale(64, 2)
def turns_of_threads(size):
    """A small block made and dropped by one of so many threads, each of which
    makes 500 before the next one goes on.
    """
    done = threading.Lock()
    done.acquire()
    begin = [threading.Lock() for _ in range(size)]

    def work(mine):
        while mine.acquire():
            for _ in itertools.repeat(None, BLOCKS):
                object()
            done.release()

    for lock in begin:
        lock.acquire()
        threading.Thread(target=work, args=(lock,), daemon=True).start()

    def step():
        for turn in range(TURNS):
            begin[turn % size].release()
            done.acquire()
        return TURNS * BLOCKS, begin
    return step


def descend(cell):
    """Put an object into each cell, each from a call further down."""
    cell[0] = object()
    following = cell[1]
    if following is not None:
        descend(following)


@scale(70_000, 10)
def depth(size):
    """A call further down and an object there, so many below each other."""
    sys.setrecursionlimit(size + 1000)
    first = None
    for _ in range(size):
        first = [None, first]
    times = max(1, OPERATIONS // size)

    def step():
        for _ in itertools.repeat(None, times):
            descend(first)
        return times * size, first
    return step


def make_object():
    return object()


@scale(1_000_000, 100)
def code_objects(size):
    """An object made by one of so many functions, each of which holds one."""
    code = make_object.__code__
    functions = [
        types.FunctionType(code.replace(co_firstlineno=number + 1), globals())
        for number in range(size)]
    kept = [function() for function in functions]
    chosen = [(place, functions[place]) for place in scattered(size)]

    def step():
        for place, function in chosen:
            kept[place] = function()
        return len(chosen), (kept, functions)
    return step
