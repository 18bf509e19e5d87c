"""Tracebacks of blocks that greenlets allocate.

    python Tools/test/greenlet_check.py

Needs the package greenlet; run it with the interpreter under test.  A greenlet
is a stack of frames that is put aside whole and comes back later, in the
middle of which the tracer may have seen others.  Every block's traceback is
compared with the frames that were there when it was allocated.  Prints what it
compared and exits with status 0; 1 if a traceback is wrong, 2 without
greenlet.
"""
import _tracemalloc
import random
import sys
import threading
import tracemalloc

try:
    import greenlet
except ImportError:
    print("greenlet_check.py: install greenlet for this interpreter, then "
          "run again", file=sys.stderr)
    sys.exit(2)


class Record:
    """Blocks and the stacks seen at their allocation."""

    def __init__(self):
        self.blocks = []

    def __call__(self, block):
        """Keep *block*, just allocated by the calling line."""
        frame, stack = sys._getframe(1), []
        while frame is not None:
            stack.append((frame.f_code.co_filename, frame.f_lineno))
            frame = frame.f_back
        self.blocks.append((block, stack))

    def wrong(self):
        """Return [(stack, traceback), ...] of the blocks that differ."""
        found = []
        for block, stack in self.blocks:
            traceback = _tracemalloc._get_object_traceback(block)
            if traceback is None or list(traceback) != stack:
                found.append((stack, traceback))
        return found


def descend(record, depth, bottom):
    """Call *bottom* so many calls deeper, recording on the way down and up."""
    record(bytearray(1))
    if depth:
        descend(record, depth - 1, bottom)
    else:
        bottom()
    record(bytearray(2))


def alternate(record):
    """Two deep stacks take turns, with and without allocations in between."""
    def bottom():
        for number in range(50):
            if number % 3:
                record(bytearray(3))
            main.switch()
            if number % 2:
                record(bytearray(4))

    main = greenlet.getcurrent()
    pair = [greenlet.greenlet(descend) for _ in range(2)]
    for one, depth in zip(pair, (60, 45)):
        one.switch(record, depth, bottom)
    turn = 0
    while not all(one.dead for one in pair):
        pair[turn % 2].switch()
        if turn % 5 == 0:
            record(bytearray(5))
        turn += 1


def wander(record, seed=0):
    """Many greenlets switch to each other in no order, from several depths."""
    order = random.Random(seed)

    def bottom():
        for _ in range(20):
            record(bytearray(6))
            order.choice(everybody).switch()
            for _ in range(order.randrange(3)):
                record(bytearray(7))

    def life():
        descend(record, order.randrange(30), bottom)

    main = greenlet.getcurrent()
    everybody = [greenlet.greenlet(life, main) for _ in range(12)]
    while everybody:
        everybody[0].switch()
        everybody[:] = [one for one in everybody if not one.dead]
        record(bytearray(8))


def inside_generators(record):
    """Switch away in a generator, while its caller is in another greenlet."""
    def generate():
        while True:
            record(bytearray(9))
            main.switch()
            record(bytearray(10))
            yield

    def consume():
        for _, _ in zip(range(20), generate()):
            record(bytearray(11))

    main = greenlet.getcurrent()
    pair = [greenlet.greenlet(consume) for _ in range(2)]
    while not all(one.dead for one in pair):
        for one in pair:
            one.switch()
            record(bytearray(12))


def throw(record):
    """Exceptions thrown into a greenlet unwind its stack, not another's."""
    def bottom():
        try:
            main.switch()
        finally:
            record(bytearray(13))

    main = greenlet.getcurrent()
    for depth in 0, 7, 30:
        one = greenlet.greenlet(descend)
        one.switch(record, depth, bottom)
        record(bytearray(14))
        try:
            one.throw(KeyError)
        except KeyError:
            record(bytearray(15))
        suspended = greenlet.greenlet(descend)
        suspended.switch(record, depth, bottom)
        # It dies here, by GreenletExit.
        del suspended
        record(bytearray(16))


def clear(record):
    """Traces are cleared while other stacks are put aside."""
    def bottom():
        main.switch()
        record(bytearray(17))
        main.switch()

    main = greenlet.getcurrent()
    one = greenlet.greenlet(descend)
    one.switch(record, 40, bottom)
    record.blocks.clear()
    tracemalloc.clear_traces()
    one.switch()
    record(bytearray(18))
    one.switch()


def in_threads(record):
    """Threads with greenlets of their own."""
    def work():
        alternate(record)
        inside_generators(record)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main():
    status = 0
    for check in (alternate, wander, inside_generators, throw, clear,
                  in_threads):
        tracemalloc.stop()
        tracemalloc.start(65535)
        record = Record()
        check(record)
        wrong = record.wrong()
        _tracemalloc._check()
        print(f"{check.__name__}: {len(record.blocks)} blocks, "
              f"{len(wrong)} wrong")
        if wrong or not record.blocks:
            status = 1
            for stack, traceback in wrong[:1]:
                print("seen:", *stack, sep="\n  ")
                print("traced:", *(traceback or ["nothing"]), sep="\n  ")
    return status


if __name__ == "__main__":
    sys.exit(main())
