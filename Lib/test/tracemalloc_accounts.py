"""Blocks in accounts, which tests tell by their size."""
import concurrent.futures.thread
import tracemalloc
import unittest
from test import support
from types import coroutine

import _tracemalloc
from tracemalloc import _account, account

SIZE = 1_000_003        # nothing else has this size


def make(kept, number=1):
    kept.extend(bytearray(SIZE) for _ in range(number))


@coroutine
def sleep():
    yield


def big(name):
    """Return blocks of SIZE that an account allocated, freed and holds.

    They are far larger than all else, so bytes tell how many there were.
    """
    figures = account(name).figures()
    return tuple(round(size / SIZE) for size in (
        figures.allocated_size, figures.freed_size, figures.size))


class AccountTests(unittest.TestCase):
    """Base: traces; names that no other test has; blocks that are kept."""

    sample_interval = None
    _count = 0

    def setUp(self):
        if tracemalloc.is_tracing():
            # As in the build that verifies captures.
            self.addCleanup(tracemalloc.start,
                            tracemalloc.get_traceback_limit())
            tracemalloc.stop()
        # What the collector has finalizers do is in the account of whoever it
        # interrupts.
        self.enterContext(support.disable_gc())
        # What is loaded on first use is no test's.
        account("first")
        self.assertTrue(concurrent.futures.thread)
        tracemalloc.start(5, sample_interval=self.sample_interval)
        self.addCleanup(tracemalloc.stop)
        self.addCleanup(_account._limits.clear)
        self.kept = []

    def names(self, number):
        for _ in range(number):
            AccountTests._count += 1
            yield f"test {AccountTests._count}"

    def current(self):
        """Return the number of the account that is current."""
        context, number = _tracemalloc._enter_account(0)
        _tracemalloc._leave_account(context, number)
        return number
