"""Snapshots in columns: tracemalloc._columns."""
import unittest
from array import array
from collections import Counter
from tracemalloc import _columns
from tracemalloc._columns import Blocks, SnapshotData

# Two contexts in one line; a call path that others begin with; equal frames
# in different domains and of different depth.
RAW = [
    (0, 10, (("a.py", 2), ("b.py", 4), ("c.py", 1)), 3),
    (0, 10, (("a.py", 2), ("b.py", 4), ("c.py", 1)), 3),
    (0, 30, (("a.py", 2), ("b.py", 4), ("c.py", 1)), 3),
    (0, 7, (("a.py", 2), ("c.py", 1)), 9),
    (5, 10, (("a.py", 2), ("b.py", 4), ("c.py", 1)), 3),
    (0, 0, (("<unknown>", 0),), 1),
    (0, 2**63, (("b.py", 4), ("b.py", 4), ("b.py", 4)), 65535),
]


def raw_again(data, limit=65535):
    """Return the raw traces that a snapshot's data stand for."""
    traces = []
    for context, size, count in zip(data.row_context, data.row_size,
                                    data.row_count):
        traces += [(data.context_domain[context], size,
                    data.frames(context, limit),
                    data.context_depth[context])] * count
    return traces


def column_values(data):
    return {name: list(column) for name, column in data.columns().items()}


class FromRawTests(unittest.TestCase):

    def test_data_hold_what_the_raw_traces_hold(self):
        data = SnapshotData.from_raw(RAW)
        data.check()
        self.assertEqual(Counter(raw_again(data)), Counter(RAW))

    def test_blocks_of_one_size_and_context_share_a_row(self):
        data = SnapshotData.from_raw(RAW)
        self.assertEqual(len(data), 5)
        self.assertEqual(list(data.row_count), [2, 1, 1, 1, 1, 1])
        self.assertEqual(list(data.row_size), [10, 30, 7, 10, 0, 2**63])

    def test_callers_in_common_share_a_path(self):
        data = SnapshotData.from_raw(RAW)
        # The root; c; c, b; b; b, b.
        self.assertEqual(list(data.path_parent), [0, 0, 1, 0, 3])
        self.assertEqual([data.names[file] for file in data.path_file],
                         ["", "c.py", "b.py", "b.py", "b.py"])

    def test_what_raw_traces_do_not_tell_is_marked_as_unknown(self):
        data = SnapshotData.from_raw(RAW)
        for name in ("context_function", "context_thread", "path_function"):
            self.assertEqual(set(getattr(data, name)), {0}, name)
        for name in ("context_end_line", "context_column",
                     "context_end_column"):
            self.assertEqual(set(getattr(data, name)), {-1}, name)
        for name in _columns.TOTALS:
            self.assertIsNone(getattr(data, name))

    def test_frames_that_are_equal_but_not_identical_are_one_context(self):
        copies = [(0, 8, tuple((str(name), line) for name, line in
                               (["x.py", n // n], ["y.py", 2])), 2)
                  for n in range(1, 4)]
        self.assertIsNot(copies[0][2], copies[1][2])
        data = SnapshotData.from_raw(copies)
        self.assertEqual(list(data.row_count), [3])

    def test_traces_without_total_are_read(self):
        data = SnapshotData.from_raw([(0, 8, (("x.py", 1),)),
                                    (0, 8, (("x.py", 1),), 1)])
        self.assertEqual(sorted(data.context_depth), [0, 1])

    def test_no_traces_at_all(self):
        data = SnapshotData.from_raw([])
        data.check()
        self.assertEqual(len(data), 0)
        self.assertEqual(data.live(), ([], []))

    def test_malformed_traces_are_refused(self):
        good = (0, 1, (("x.py", 1),), 1)
        for bad in [(), (0, 1), (0, 1, (), 1), (-1, 1, good[2], 1),
                    (0, -1, good[2], 1), (0, 1.5, good[2], 1),
                    (0, 2**64, good[2], 1), (0, 1, ((b"x.py", 1),), 1),
                    (0, 1, (("x.py", "1"),), 1), (0, 1, 5, 1),
                    (0, 1, (("x.py",),), 1), (0, 1, good[2], -1), None,
                    (0, 1, [["x.py", 1]], 1)]:
            with self.subTest(bad=bad):
                with self.assertRaisesRegex(ValueError,
                                            "^a raw trace must be"):
                    SnapshotData.from_raw([good, bad])


class SnapshotDataTests(unittest.TestCase):

    def test_frames_are_cut_to_the_limit_the_newest_kept(self):
        data = SnapshotData.from_raw(RAW)
        whole = (("a.py", 2), ("b.py", 4), ("c.py", 1))
        for limit in range(1, 5):
            self.assertEqual(data.frames(0, limit), whole[:limit])

    def test_blocks_are_numbered_through_all_rows(self):
        blocks = Blocks(SnapshotData.from_raw(RAW), 65535)
        self.assertEqual([blocks.raw(*blocks.at(number))
                          for number in range(len(blocks))],
                         list(blocks))
        self.assertEqual(Counter(blocks), Counter(RAW))
        self.assertEqual([blocks.at(number)[0] for number in range(7)],
                         [0, 0, 0, 1, 2, 3, 4])
        self.assertRaises(IndexError, blocks.at, 7)
        self.assertIn(RAW[0], blocks)
        self.assertNotIn((0, 11, *RAW[0][2:]), blocks)

    def test_live_adds_up_rows(self):
        size, count = SnapshotData.from_raw(RAW).live()
        self.assertEqual(size, [50, 7, 10, 0, 2**63])
        self.assertEqual(count, [3, 1, 1, 1, 1])

    def test_data_without_rows_are_those_of_the_peak(self):
        columns = SnapshotData.from_raw(RAW).columns()
        for name in _columns.ROWS:
            del columns[name]
        with self.assertRaisesRegex(TypeError, "needs rows or totals"):
            SnapshotData([""], **columns)
        for number, name in enumerate(_columns.TOTALS):
            columns[name] = array("Q", range(number, number + 5))
        peak = SnapshotData([""], **columns)
        self.assertEqual(list(map(list, peak.live())),
                         [[5, 6, 7, 8, 9], [4, 5, 6, 7, 8]])

    def test_keep_leaves_the_contexts_that_are_selected(self):
        data = SnapshotData.from_raw(RAW)
        for wanted in range(2 ** len(data)):
            selectors = [wanted >> n & 1 for n in range(len(data))]
            kept = data.keep(selectors)
            kept.check()
            expected = [
                trace for trace, context in zip(
                    raw_again(data), [0, 0, 0, 1, 2, 3, 4])
                if selectors[context]]
            self.assertEqual(raw_again(kept), expected)
        self.assertEqual(len(raw_again(data)), len(RAW))

    def test_columns_are_told_by_name_and_must_be_complete(self):
        columns = SnapshotData.from_raw(RAW).columns()
        self.assertEqual(
            set(columns),
            set(_columns.PATHS) | set(_columns.CONTEXTS) | set(_columns.ROWS))
        for name in columns:
            with self.subTest(missing=name):
                rest = {key: columns[key] for key in columns if key != name}
                with self.assertRaisesRegex(TypeError, name):
                    SnapshotData([""], **rest)
        with self.assertRaisesRegex(TypeError, "no column 'extra'"):
            SnapshotData([""], extra=[], **columns)
        with self.assertRaisesRegex(TypeError, "is missing"):
            SnapshotData([""], context_freed_blocks=[], **columns)

    def test_wrapped_data_fetch_names_when_they_are_needed(self):
        inner = SnapshotData.from_raw(RAW)

        class Source:
            asked = 0
            context_allocated_blocks = None

            def __getattr__(self, name):
                return getattr(inner, name)

            @property
            def names(self):
                self.asked += 1
                return inner.names

        source = Source()
        data = SnapshotData.wrap(source)
        self.assertEqual(data.live(), inner.live())
        self.assertEqual(source.asked, 0)
        self.assertEqual(raw_again(data), raw_again(inner))
        self.assertEqual(source.asked, 1)


class CheckTests(unittest.TestCase):

    def setUp(self):
        data = SnapshotData.from_raw(RAW)
        self.names = data.names
        self.columns = column_values(data)
        for name in _columns.TOTALS:
            self.columns[name] = [1] * len(data)

    def check_refused(self, what):
        with self.assertRaisesRegex(ValueError,
                                    f"^damaged snapshot: .*{what}"):
            SnapshotData(self.names, **self.columns).check()

    def test_sound_data_pass(self):
        SnapshotData(self.names, **self.columns).check()

    def test_names(self):
        for names in ([], ["x", "y"], [*self.names, b"z"]):
            with self.subTest(names=names):
                self.names = names
                self.check_refused("name")

    def test_every_place_must_exist(self):
        self.columns["context_account"] = [0] * len(
            self.columns["context_path"])
        places = {name: len(self.names) for name in _columns.NAMED}
        places |= {"context_path": len(self.columns["path_parent"]),
                   "row_context": len(self.columns["context_path"])}
        for name, length in places.items():
            with self.subTest(name=name):
                good = self.columns[name][-1]
                self.columns[name][-1] = length - 1
                SnapshotData(self.names, **self.columns).check()
                self.columns[name][-1] = length
                self.check_refused(name)
                self.columns[name][-1] = good

    def test_every_column_must_be_of_the_tables_length(self):
        for name, column in self.columns.items():
            with self.subTest(name=name):
                column.append(0)
                self.check_refused("differs in length")
                column.pop()

    def test_paths_must_be_a_tree(self):
        for place, parent in [(0, 1), (1, 1), (2, 2), (3, 4), (4, 4)]:
            with self.subTest(place=place):
                good = self.columns["path_parent"][place]
                self.columns["path_parent"][place] = parent
                self.check_refused("root|its own caller")
                self.columns["path_parent"][place] = good
        for name in _columns.PATHS:
            self.columns[name] = []
        self.columns["context_path"] = [0] * 5
        self.check_refused("root")

    def test_rows_must_be_in_order(self):
        self.columns["row_context"][:2] = [1, 0]
        self.check_refused("order")

    def test_no_more_is_freed_than_was_allocated(self):
        for unit in ("blocks", "bytes"):
            self.columns[f"context_freed_{unit}"][2] = 2
            self.check_refused("too large")
            self.columns[f"context_freed_{unit}"][2] = 1

    def test_depth_has_a_limit(self):
        self.columns["context_depth"][0] = 65536
        self.check_refused("context_depth")


if __name__ == "__main__":
    unittest.main()
