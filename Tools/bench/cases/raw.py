"""Blocks of PyMem_RawMalloc(), which may be asked for without the GIL."""
import threading
import zlib

from . import case


@case(size=(20_000, 20_000), loops=(340, 85))
def raw_locks(size):
    """Locks: each is an object and a raw block; most are dropped,
    some are kept.
    """
    def step():
        make = threading.Lock
        kept = []
        for number in range(size):
            lock = make()
            if number % 8 == 0:
                kept.append(lock)
        return len(kept), kept
    return step


@case(size=(800, 800), loops=(190, 45))
def raw_zlib(size):
    """Short texts through zlib, whose states and windows are raw blocks.

    Small windows: states of 256 KiB would measure how the C library returns
    memory to the system, which depends on what else is on the heap.
    """
    texts = [(f"line {number} of a short text; " * 4).encode()
             for number in range(size)]

    def step():
        total = 0
        for text in texts:
            packer = zlib.compressobj(1, wbits=9, memLevel=1)
            packed = packer.compress(text) + packer.flush()
            total += len(packed) + len(zlib.decompress(packed, wbits=9))
        return total, None
    return step
