"""Blocks of more than 512 bytes, which pymalloc hands on to the C library."""
from . import case


@case(size=(20_000, 20_000), loops=(220, 55))
def large_blocks(size):
    """bytes(1000) in a loop."""
    def step():
        total = 0
        for _ in range(size):
            total += len(bytes(1000))
        return total, None
    return step


@case(size=(40_000, 20_000), loops=(4, 2), live=True)
def large_live(size):
    """Many large live blocks of many sizes, replaced out of order."""
    def step():
        kept = [bytes(600 + number % 61 * 40) for number in range(size)]
        place = 1
        for number in range(2 * size):
            place = (place * 1_103_515_245 + 12_345) % 2**31
            kept[place % size] = bytearray(600 + place % 67 * 40)
        return place, kept
    return step
