"""Single operations of the tracer, whose instructions have budgets.

Each program repeats what its name says as often as its size says, and its loop
itself makes no object, so that what it takes above untraced stock is the
operation.  ../budgets.py tells which programs an operation is counted by.

The garbage collector is off: when it runs depends on what start-up allocated,
and a single full collection would be more than all that is counted.
"""
import functools
import gc
import itertools

from . import case


def operation(prepare, size=10_000):
    @functools.wraps(prepare)
    def without_collector(size):
        gc.disable()
        return prepare(size)
    return case(size=(size, size), loops=(8, 4))(without_collector)


@operation
def small_object(size):
    """object(): a small block, of a type without a free list."""
    def step():
        for _ in itertools.repeat(None, size):
            object()
        return size, None
    return step


@operation
def small_number(size):
    """The sum of two integers: a small block that the interpreter's loop
    itself asks for.
    """
    def step():
        number = 123_456
        for _ in itertools.repeat(None, size):
            number + number
        return size, None
    return step


@operation
def small_bytes(size):
    """Two strings of twelve bytes put together: a small block."""
    def step():
        text = b"twelve bytes"
        for _ in itertools.repeat(None, size):
            text + text
        return size, None
    return step


@operation
def listed_float(size):
    """The product of two floats, from a free list."""
    def step():
        half = 0.5
        for _ in itertools.repeat(None, size):
            half * half
        return size, None
    return step


@operation
def listed_tuple(size):
    """A pair, from a free list."""
    def step():
        for _ in itertools.repeat(None, size):
            (size, size)
        return size, None
    return step


@operation
def listed_list(size):
    """An empty list, from a free list."""
    def step():
        for _ in itertools.repeat(None, size):
            []
        return size, None
    return step


@operation
def listed_dict(size):
    """An empty dict, from a free list."""
    def step():
        for _ in itertools.repeat(None, size):
            {}
        return size, None
    return step


@operation
def traded_float(size):
    """A product or a sum of floats, from a free list, where the other one
    put it.
    """
    def step():
        half = 0.5
        for _ in itertools.repeat(None, size // 2):
            half * half
            half + half
        return size, None
    return step


def fresh():
    object()


@operation
def framed_object(size):
    """object() in a function of its own: the frame is new each time."""
    def step():
        for _ in itertools.repeat(None, size):
            fresh()
        return size, None
    return step


@operation
def no_bytes(size):
    """bytes(0), which makes a tuple of its arguments and no block."""
    def step():
        for _ in itertools.repeat(None, size):
            bytes(0)
        return size, None
    return step


@operation
def large_bytes(size):
    """bytes(1000): the same tuple, and a large block."""
    # Holes of just this size, between blocks that stay: what the C library
    # does to find one and to take it back does not depend on what else it has.
    fence = [bytes(1000) for _ in range(512)]
    del fence[128:384:2]

    def step():
        for _ in itertools.repeat(None, size):
            bytes(1000)
        return size, fence
    return step


@functools.partial(operation, size=32_000)
def chained_value(size):
    """A value through one of 32 asynchronous generators, as the case
    async_chain_32 hands it on.
    """
    from .concurrency import async_chain_32
    return async_chain_32.prepare(size)


@operation
def churned_objects(size):
    """A turn of the loop of the case small_objects."""
    from .churn import small_objects
    return small_objects.prepare(size)
