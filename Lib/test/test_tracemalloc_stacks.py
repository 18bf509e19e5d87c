"""Snapshots of many contexts: numbers for all, objects for what is shown."""
import _tracemalloc
import contextlib
import io
import os
import pickle
import random
import sys
import tempfile
import tracemalloc
import unittest
from array import array
from collections import Counter

from tracemalloc import _cli
from tracemalloc._columns import Members, SnapshotData


def made(contexts):
    """Return a Snapshot of so many contexts; each has a stack of its own."""
    raw = []
    for number in range(contexts):
        frames = [("leaf.py", number % 40)]
        while number:
            number, way = divmod(number, 7)
            frames.append((f"m{way}.py", way))
        raw.append((0, 64, (*frames, ("main.py", 1)), None))
    return tracemalloc.Snapshot._of(SnapshotData.from_raw(raw), 100, {})


def calls_of(function, *args):
    """Return how many calls of Python functions a call makes."""
    calls = 0

    def count(frame, event, arg):
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        function(*args)
    finally:
        sys.setprofile(None)
    return calls


class WorkTests(unittest.TestCase):
    """What Python does for one more context."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.few, self.many = map(self.path, ("few.tmz", "many.tmz"))
        made(200).dump(self.few)
        made(2200).dump(self.many)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_command(self, *arguments):
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(_cli._main([*arguments]), 0)

    def check(self, command, *options, most=0.2):
        self.run_command(command, self.few, *options)   # so that all is loaded
        few, many = (calls_of(self.run_command, command, name, *options)
                     for name in (self.few, self.many))
        self.assertLess(many - few, most * 2000)

    def test_top_and_traceback(self):
        self.check("top")
        self.check("top", "-g", "traceback")
        self.check("top", "--cumulative")
        self.check("traceback", "-n", "1")

    def test_stats_and_check(self):
        self.check("stats")
        self.check("check", "--max-held", "1GiB")

    def test_tree(self):
        self.check("tree", "--min", "90")
        self.check("tree", "--min", "90", "--inverted")
        self.check("tree", "--min", "90", "-g", "filename")

    def test_two_files(self):
        self.check("tree", "--min", "90", self.few)
        self.check("tree", "--min", "90", "--inverted", self.few)
        self.check("traceback", "-n", "1", self.few)

    def test_mine(self):
        self.check("top", "--mine=m3")
        self.check("tree", "--min", "90", "--mine=m3")
        self.check("stats", "--mine=m3")

    def test_a_pickle_whose_blocks_all_differ(self):
        frames = ("app.py", 1),
        for name, number in (self.few, 200), (self.many, 2200):
            snapshot = tracemalloc.Snapshot(
                [(0, size, frames, 1) for size in range(1, 1 + number)], 1)
            with open(name, "wb") as stream:
                pickle.dump(snapshot, stream, 4)
        few, many = (calls_of(tracemalloc.Snapshot.load, name)
                     for name in (self.few, self.many))
        self.assertLess(many - few, 0.2 * 2000)


class Naive:
    """A tree of paths, and what the functions of the C module say of it."""

    def __init__(self, seed, paths=60, groups=6):
        self.random = random.Random(seed)
        self.parents = array("I", [0] + [self.random.randrange(number)
                                         for number in range(1, paths)])
        self.keys = array("I", [self.random.randrange(groups)
                                for _ in self.parents])

    def stack(self, path, limit=1000):
        """Return the keys of a path, the oldest first, cut to the newest."""
        found = []
        while path and len(found) < limit:
            found.append(self.keys[path])
            path = self.parents[path]
        return tuple(reversed(found))


class FunctionTests(unittest.TestCase):

    def naive(self):
        for seed in range(40):
            with self.subTest(seed=seed):
                yield Naive(seed)

    def test_paths_are_folded(self):
        for naive in self.naive():
            for limit in 1, 2, 3, 1000:
                parents, sources, places = (
                    array("I", column) for column in _tracemalloc._fold_paths(
                        naive.parents, 20, limit, naive.keys))
                folded = Naive(0)
                folded.parents = parents
                folded.keys = array("I", map(naive.keys.__getitem__, sources))
                for place, path in zip(places, range(20, 60), strict=True):
                    self.assertEqual(folded.stack(place),
                                     naive.stack(path, limit))
                stacks = list(map(folded.stack, range(len(parents))))
                self.assertEqual(len(stacks), len({*stacks}))

    def test_rows_are_numbered_as_they_are_met(self):
        numbers, firsts = _tracemalloc._number_rows(
            array("I", [5, 5, 7, 5]), array("i", [1, -1, 1, 1]))
        self.assertEqual(list(array("I", numbers)), [0, 1, 2, 0])
        self.assertEqual(list(array("I", firsts)), [0, 1, 2])

    def test_ranks_are_those_of_sorted_stacks(self):
        for naive in self.naive():
            parents, sources, _ = (
                array("I", column) for column in _tracemalloc._fold_paths(
                    naive.parents, 1, 1000, naive.keys))
            keys = array("I", map(naive.keys.__getitem__, sources))
            naive.parents, naive.keys = parents, keys
            ranks = array("I", _tracemalloc._rank_paths(parents, keys))
            order = sorted(range(len(parents)), key=naive.stack)
            self.assertEqual([order.index(node) for node in range(len(order))],
                             list(ranks))

    def test_sums(self):
        for naive in self.naive():
            nodes = array("I", naive.random.choices(range(60), k=100))
            values = [naive.random.randrange(1 << 63) for _ in nodes]
            below = [0] * 60
            expected = [[0] * 6 for _ in range(3)]
            for node, value in zip(nodes, values):
                for key, times in Counter(naive.stack(node)).items():
                    for weight, factor in enumerate((times, 1, times ** 2)):
                        expected[weight][key] += value * factor
                while node:
                    below[node] += value
                    node = naive.parents[node]
                below[0] += value
            self.assertEqual(_tracemalloc._sum_paths(
                naive.parents, nodes, values), below)
            for weight in range(3):
                self.assertEqual(_tracemalloc._sum_callers(
                    naive.parents, naive.keys, 6, nodes, values, weight),
                    expected[weight])
                self.assertEqual(_tracemalloc._sum_callers(
                    naive.parents, naive.keys, 6, nodes,
                    [float(value % 1000) for value in values], weight),
                    _tracemalloc._sum_callers(
                        naive.parents, naive.keys, 6, nodes,
                        [value % 1000 for value in values], weight))

    def test_sums_of_rows_beyond_64_bits(self):
        most = (1 << 64) - 1
        self.assertEqual(_tracemalloc._sum_rows(
            array("I", [1, 1, 0]), 2, array("Q", [most] * 3),
            array("Q", [most, 2, 3])), [3 * most, most * most + 2 * most])

    def test_depths(self):
        for naive in self.naive():
            depths = array("I", _tracemalloc._path_depths(naive.parents))
            self.assertEqual(list(depths), [
                len(naive.stack(path)) for path in range(60)])

    def test_stacks_are_listed(self):
        items = [object() for _ in range(6)]
        for naive in self.naive():
            for path in range(60):
                self.assertEqual(
                    _tracemalloc._list_stack(naive.parents, naive.keys, items,
                                             path),
                    [items[key] for key in naive.stack(path)])

    def test_numbers_are_picked(self):
        for code, most in ("I", 1 << 32), ("i", 1 << 31), ("Q", 1 << 64):
            for naive in self.naive():
                column = array(code, [naive.random.randrange(most)
                                      for _ in range(20)])
                places = naive.random.choices(range(20), k=50)
                found = array(code, _tracemalloc._pick_rows(
                    column, array("I", places)))
                self.assertEqual(list(found), [column[at] for at in places])
        self.assertEqual(_tracemalloc._pick_rows(b"abcdefgh",
                                                 array("I", [1, 0, 1])),
                         b"efghabcdefgh")
        self.assertEqual(_tracemalloc._pick_rows(b"", b""), b"")

    def test_rows_of_groups(self):
        for naive in self.naive():
            members = Members(naive.keys, 8)
            for group in range(8):
                self.assertEqual(list(members[group]), [
                    row for row, key in enumerate(naive.keys) if key == group])
        self.assertEqual(list(Members([], 1)[0]), [])

    def test_parents_are_told_from_others(self):
        for column in [0], [0, 0, 1]:
            _tracemalloc._path_depths(array("I", column))
        for column in [], [0, 1], [0, 0, 2], [0, 0, 0, 4]:
            with self.assertRaises(ValueError):
                _tracemalloc._path_depths(array("I", column))

    def test_columns_of_64_bits(self):
        most = (1 << 64) - 1
        many, few = array("Q", [0, 5, most]), array("Q", [0, 3, most - 1])
        self.assertIs(_tracemalloc._never_above(few, many), True)
        self.assertIs(_tracemalloc._never_above(many, few), False)
        self.assertEqual(
            list(array("Q", _tracemalloc._differences(many, few))), [0, 2, 1])
        with self.assertRaises(OverflowError):
            _tracemalloc._differences(few, many)
        self.assertEqual(_tracemalloc._sum_column(array("Q", [most] * 9)),
                         9 * most)
        self.assertEqual(_tracemalloc._sum_column([most] * 9), 9 * most)
        self.assertEqual(_tracemalloc._sum_column([]), 0)

    def test_wrong_columns_are_refused(self):
        column = array("I", [0, 0, 1])
        for function, *wrong in (
                (_tracemalloc._number_rows,),
                (_tracemalloc._number_rows, array("Q", [1])),
                (_tracemalloc._number_rows, b"abc"),
                (_tracemalloc._number_rows, column, column[:2]),
                (_tracemalloc._fold_paths, array("I", [0, 2, 1]), 1, 9,
                 column),
                (_tracemalloc._fold_paths, array("I"), 1, 9, array("I")),
                (_tracemalloc._fold_paths, column, 0, 9, column),
                (_tracemalloc._fold_paths, column, 4, 9, column),
                (_tracemalloc._fold_paths, column, 1, 9, column[:2]),
                (_tracemalloc._rank_paths, column, array("I", [0, 1, 99])),
                (_tracemalloc._rank_paths, array("I", [0, 1, 1]), column),
                (_tracemalloc._path_depths, array("I", [0, 1])),
                (_tracemalloc._path_depths, array("I")),
                (_tracemalloc._pick_rows, column, array("I", [3])),
                (_tracemalloc._pick_rows, column, array("Q", [0])),
                (_tracemalloc._pick_rows, b"abc", column),
                (_tracemalloc._pick_rows, array("H", [1, 2]), column),
                (_tracemalloc._pick_rows, array("Q"), column),
                (_tracemalloc._group_rows, column, 1),
                (_tracemalloc._group_rows, column, -1),
                (_tracemalloc._group_rows, column, 2**32),
                (_tracemalloc._group_rows, column, 2**64),
                (_tracemalloc._list_stack, column, column, [1, 2], 3),
                (_tracemalloc._list_stack, column, column, [1, 2], -1),
                (_tracemalloc._list_stack, column, column, (1, 2), 1),
                (_tracemalloc._list_stack, column, column[:2], [1, 2], 1),
                (_tracemalloc._list_stack, array("I", [0, 1]),
                 array("I", [0, 0]), [1], 1),
                (_tracemalloc._path_depths, array("Q", [0])),
                (_tracemalloc._never_above, column, column),
                (_tracemalloc._never_above, array("Q", [1]), array("Q")),
                (_tracemalloc._differences, array("Q", [1]), array("Q")),
                (_tracemalloc._differences, array("Q", [1]), [1]),
                (_tracemalloc._sum_column, array("I", [1])),
                (_tracemalloc._sum_column, [1, -1]),
                (_tracemalloc._sum_rows, column, 1, [1, 1, 1]),
                (_tracemalloc._sum_rows, column, 2, [1, 1]),
                (_tracemalloc._sum_rows, column, 2, [1, 1, -1]),
                (_tracemalloc._sum_rows, column, 2, [1, 1, "x"]),
                (_tracemalloc._sum_paths, column, array("I", [3]), [1]),
                (_tracemalloc._sum_callers, column, column, 1, column,
                 [1, 1, 1], 0)):
            with self.subTest(function=function.__name__, wrong=wrong):
                with self.assertRaises((ValueError, TypeError, OverflowError)):
                    function(*wrong)


if __name__ == "__main__":
    unittest.main()
