"""_tracemalloc._get_counts(): how many of each kind the tracer has."""
import _tracemalloc
import sysconfig
import tracemalloc
import types
import unittest
from test import support


def make_list():
    return [None]


def double(number):
    number + number                     # a float that nobody keeps


def renamed(name, function=make_list, *arguments):
    """A function whose code is new, and has run once: code that has not may
    allocate something of its own, if sys.monitoring was ever used."""
    made = types.FunctionType(function.__code__.replace(co_filename=name), {})
    made(*arguments)
    return made


def make_objects(kept):
    for index in range(len(kept)):
        kept[index] = object()


class CountsTest(unittest.TestCase):
    def setUp(self):
        tracemalloc.stop()
        self.addCleanup(tracemalloc.stop)
        # It would empty free lists, and frees what is garbage by now.
        self.enterContext(support.disable_gc())

    def test_empty_when_not_tracing(self):
        self.assertEqual(_tracemalloc._get_counts(), {})

    def changes(self, number):
        """What is added to the counts while so many objects are made."""
        kept = [None] * number
        before = _tracemalloc._get_counts()
        make_objects(kept)
        after = _tracemalloc._get_counts()
        return {name: after[name] - before[name] for name in after}

    def test_live_blocks_and_allocations(self):
        tracemalloc.start(5)
        # The first call makes contexts and caches.
        _, few, many = [self.changes(number) for number in (100, 100, 200)]
        self.assertEqual(many["blocks"] - few["blocks"], 100)
        self.assertEqual(many["blocks_made"] - few["blocks_made"], 100)
        self.assertEqual(many["contexts_made"], few["contexts_made"])

    def test_live_blocks_are_those_of_the_traces(self):
        tracemalloc.start(5)
        kept = [None] * 1000
        make_objects(kept)
        counted = _tracemalloc._get_counts()["blocks"]
        traces = _tracemalloc._get_traces()
        # Between the two, the dict and its numbers were made.
        self.assertAlmostEqual(counted, len(traces), delta=12)

    def test_new_code_has_a_number_a_name_and_contexts(self):
        functions = [renamed(f"counted {number}") for number in range(10)]
        tracemalloc.start(5)
        # The functions that have called this one are counted now.
        make_objects([None])
        before = _tracemalloc._get_counts()
        kept = [function() for function in functions]
        after = _tracemalloc._get_counts()
        self.assertEqual(len(kept), 10)
        for name in "codes", "names", "contexts_made":
            # This very method may be new as well.
            self.assertIn(after[name] - before[name], range(10, 14), name)
        self.assertGreaterEqual(after["paths_made"], after["paths"])
        self.assertGreaterEqual(after["contexts_made"], after["contexts"])

    def test_objects_from_before_make_no_contexts(self):
        # In the free list of floats, and back there.
        functions = [renamed(f"double {number}", double, 0.5)
                     for number in range(100)]
        waiting = [number / 2 for number in range(1, 50)]
        del waiting
        tracemalloc.start(5)
        before = _tracemalloc._get_counts()
        for function in functions:
            function(0.5)
        after = _tracemalloc._get_counts()
        self.assertLess(after["contexts_made"] - before["contexts_made"], 10)

    def test_everything_begins_anew(self):
        tracemalloc.start(5)
        kept = [None] * 1000
        make_objects(kept)
        _tracemalloc.clear_traces()
        counts = _tracemalloc._get_counts()
        for name in "blocks", "blocks_made", "contexts", "contexts_made":
            self.assertLess(counts[name], 100, name)

    def made_by(self, rounds, walk):
        """How many contexts and nodes there are after so many rounds, and how
        many were made in the last one."""
        for number in range(rounds):
            before = _tracemalloc._get_counts()
            walk(number)
        after = _tracemalloc._get_counts()
        there = made = 0
        for name in "contexts", "paths":
            there += after[name]
            made += after[name + "_made"] - before[name + "_made"]
        return there, made

    @unittest.skipIf(
        "TRACEMALLOC_STRESS" in (sysconfig.get_config_var("PY_CORE_CFLAGS")
                                 or ""),
        "so many contexts do not fit into the tiny tables of this build")
    def test_paths_that_come_again_stay(self):
        # 32,768 paths, each with a dozen lines that allocate: with the nodes
        # above, more than stay if none of them comes again.
        lines = ["def leaf():", *["    [None]"] * 12, "def walk(depth):",
                 "    if depth == 0:", "        return leaf()",
                 "    walk(depth - 1)", "    walk(depth - 1)"]
        scope = {}
        exec("\n".join(lines), scope)
        tracemalloc.start(100)
        there, made = self.made_by(4, lambda number: scope["walk"](15))
        self.assertGreater(there, 300_000)
        self.assertLess(made, 1000)
        # Of new ones, four millions in all, a million stays at most, and what
        # is made until the next reclaim.
        there, made = self.made_by(
            8, lambda number: exec("\n" * number + "walk(15)", scope))
        self.assertGreater(made, 300_000)
        self.assertLess(there, 1_500_000)


if __name__ == "__main__":
    unittest.main()
