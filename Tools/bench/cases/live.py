"""Many blocks alive at once: what the tracer keeps for each,
and what a snapshot takes.
"""
from . import case


class Slotted:
    __slots__ = ("name", "value")

    def __init__(self, name, value):
        self.name = name
        self.value = value


def make_slotted(number):
    return Slotted(f"name {number}", number * 0.25)


def make_list(number):
    return [f"entry {number}", number + 100_000]


def make_pairs(number):
    return ((number + 100_000, f"left {number}"), number * 1.5)


def make_bytes(number):
    return [b"%d" % number, (number + 0.5,)]


@case(size=(5_000_000, 300_000), loops=(2, 2), live=True)
def live_blocks(size):
    """Five million small live blocks (quick: 300,000) from a dozen lines."""
    makers = (make_slotted, make_list, make_pairs, make_bytes)
    blocks_per_round = 17               # 3, 4, 5 and 5 in a record of a kind

    def step():
        kept = []
        for number in range(size // blocks_per_round):
            for make in makers:
                kept.append(make(number))
        return len(kept), kept
    return step


BLOCKS_PER_CONTEXT = 16
DEPTH = 12                              # calls above the one that allocates
WAYS = 10                               # lines that call the next function
FILES = 200


def make_walkers():
    """Functions of as many files; each calls one of the others, or allocates.
    """
    lines = ["def walk(path, at, kept):", "    way = path[at]"]
    for way in range(WAYS):
        lines += [f"    if way == {way}:",
                  "        return walkers[path[at + 1]](path, at + 2, kept)"]
    lines += [f"    for number in range({BLOCKS_PER_CONTEXT}):",
              "        kept.append(bytes(8 * number + 8))"]
    source = "\n".join(lines)
    walkers = []
    for file in range(FILES):
        namespace = {"walkers": walkers}
        exec(compile(source, f"/app/package{file // 20}/module{file}.py",
                     "exec"),
             namespace)
        walkers.append(namespace["walk"])
    return walkers


@case(size=(3_200_000, 160_000), loops=(1, 1), live=True, reports=True)
def many_contexts(size):
    """3.2 million blocks in 200,000 contexts (quick: 10,000), sixteen in each.
    """
    walkers = make_walkers()

    def step():
        kept = []
        for number in range(size // BLOCKS_PER_CONTEXT):
            path, place = [], number % 3
            for level in range(DEPTH):
                way = number // 3 ** (DEPTH - 1 - level) % 3
                place = (place * 31 + way * 7 + 1) % FILES
                path += [way * 3 + place % 3, place]
            walkers[0]([*path, WAYS], 0, kept)
        return len(kept), kept
    return step
