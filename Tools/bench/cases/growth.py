"""Blocks that grow: realloc(), in place and moving,
across the limit of pymalloc.
"""
import io

from . import case


def grow_list(count):
    items = []
    for number in range(count):
        items.append(number)
    return len(items)


def grow_bytearray(count):
    data = bytearray()
    for _ in range(count):
        data += b"twelve bytes"
    return len(data)


def grow_stream(count):
    stream = io.BytesIO()
    for _ in range(count):
        stream.write(b"twelve bytes")
    return stream.tell()


def grow_text(count):
    text = ""
    for _ in range(count):
        text += "seven.."
    return len(text)


def shrink_list(count):
    items = list(range(count))
    while items:
        items.pop()
    return count


@case(size=(60, 60), loops=(90, 22))
def realloc_growth(size):
    """append(), bytearray +=, BytesIO.write(), str +=,
    and pop() down to nothing.
    """
    def step():
        total = 0
        for number in range(size):
            for grow in (grow_list, grow_bytearray, grow_stream, grow_text,
                         shrink_list):
                total += grow(4) + grow(40) + grow(20 * number)
        return total, None
    return step
