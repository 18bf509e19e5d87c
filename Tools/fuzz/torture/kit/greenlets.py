"""Greenlets: stacks of frames that are put aside whole and come back later.

Without the package greenlet these functions do nothing.
"""
from kit import state
from kit.state import Oops, spent

try:
    import greenlet
except ImportError:
    greenlet = None

__all__ = ["greenlet_away", "greenlet_drop", "greenlet_new", "greenlet_switch",
           "greenlet_throw"]

POOL = 4
_pool = [None] * POOL


def in_greenlet():
    """Whether another greenlet than a thread's first one runs."""
    return greenlet is not None and greenlet.getcurrent().parent is not None


def greenlet_new(number, f):
    """Run f in a greenlet of its own until it goes away or ends."""
    if greenlet is not None and not spent():
        state.shares_stacks = True
        one = _pool[number % POOL] = greenlet.greenlet(f)
        one.switch(1)


def greenlet_away():
    """Leave a greenlet in the middle of whatever it does."""
    if greenlet is not None:
        parent = greenlet.getcurrent().parent
        if parent is not None:
            parent.switch()


def _ready(number):
    one = _pool[number % POOL] if greenlet is not None else None
    return one if one and not spent() else None


def greenlet_switch(number):
    one = _ready(number)
    if one is not None:
        one.switch()


def greenlet_throw(number):
    one = _ready(number)
    if one is not None:
        one.throw(Oops)


def greenlet_drop(number):
    """A greenlet that nobody has any more ends by an exception."""
    _pool[number % POOL] = None
