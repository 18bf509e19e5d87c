"""Many blocks alive at once: what the tracer keeps for each, and what a snapshot takes."""
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
    blocks_per_round = 17               # 3, 4, 5 and 5 in one record of each kind

    def step():
        kept = []
        for number in range(size // blocks_per_round):
            for make in makers:
                kept.append(make(number))
        return len(kept), kept
    return step
