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


@case(size=(400_000, 40_000), loops=(2, 4), live=True)
def large_replaced(size):
    """400,000 live blocks of 600 to 850 bytes (quick: 40,000), of which half
    are replaced again and again, out of order.
    """
    kept = [bytes(600 + number % 251) for number in range(size)]
    half = size // 2
    turn = 0

    def step():
        nonlocal turn
        # Every other block, once; another place for each size than before.
        place = turn = (turn + 1) % half
        total = 0
        for number in range(half):
            place = (place + 76_543) % half
            kept[2 * place] = fresh = bytes(600 + number % 251)
            total += len(fresh)
        return total, kept
    return step
