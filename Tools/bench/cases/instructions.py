"""Paths through the allocator one by one, for counting instructions.

Not part of the comparison of times: programs do all of this at once.
"""
from . import case


@case(size=(300, 300), loops=(2000, 50))
def huge_blocks(size):
    """bytes(100_000) in a loop, below the size from which the C
    library maps memory.
    """
    def step():
        total = 0
        for _ in range(size):
            total += len(bytes(100_000))
        return total, None
    return step


@case(size=(10_000, 10_000), loops=(100, 25))
def free_lists(size):
    """Floats, tuples, lists, dicts and slices that come from free lists
    and go back.
    """
    def step():
        total = 0
        text = "x" * 20
        for number in range(size):
            half = number * 0.5
            pair = (half, number)
            some = [pair]
            table = {}
            total += (len(text[number % 20:]) + len(pair) + len(some)
                      + len(table))
        return total, None
    return step


class Node:
    """A node of a list of numbers, whose every use reads
    and writes attributes.
    """

    limit = 1000

    def __init__(self, value, following):
        self.value = value
        self.following = following
        self.seen = 0
        self.changed = 0

    def visit(self, step):
        self.seen += 1
        if self.value + step < self.limit:
            self.value += step
            self.changed += 1
        else:
            self.value = 0
        return self.following


@case(size=(200, 200), loops=(250, 50))
def attributes(size):
    """Methods that read and write attributes of objects,
    and allocate next to nothing.
    """
    first = None
    for number in range(size):
        first = Node(number, first)

    def step():
        node = first
        while node is not None:
            node.value = node.seen = node.changed = 0
            node = node.following
        for turn in range(30):
            node = first
            while node is not None:
                node = node.visit(turn)
        total = 0
        node = first
        while node is not None:
            total += node.value + node.seen * node.changed
            node = node.following
        return total, None
    return step
