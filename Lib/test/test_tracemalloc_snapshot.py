"""Snapshots and what is read off them: frames, traces, statistics, filters.

More rows of the requirements that test_tracemalloc_api begins with.
"""
import os
import pickle
import subprocess
import sys
import tracemalloc
import unittest
from test.support import import_helper, os_helper
from unittest import mock
from test.test_tracemalloc_api import (STOCK_PYTHON, needs_stock,
                                       python_output, here, Tracing)

import _tracemalloc

RAW = [
    (0, 10, (("a.py", 2), ("b.py", 4)), 3),
    (0, 30, (("a.py", 2), ("b.py", 4)), 3),
    (1, 2, (("a.py", 5), ("b.py", 4)), 3),
    (2, 66, (("b.py", 1),), 1),
    (3, 7, (("<unknown>", 0),), 1),
]


class FrameTests(unittest.TestCase):

    def test_S37_frame_is_a_read_only_value(self):
        frame = tracemalloc.Frame(("a.py", 3))
        self.assertEqual((frame.filename, frame.lineno), ("a.py", 3))
        for name in "filename", "lineno":
            with self.assertRaises(AttributeError):
                setattr(frame, name, "x")
        with self.assertRaises(AttributeError):
            frame.other = 1
        self.assertEqual(frame, tracemalloc.Frame(("a.py", 3)))
        self.assertNotEqual(frame, tracemalloc.Frame(("a.py", 4)))
        self.assertNotEqual(frame, ("a.py", 3))
        self.assertEqual(hash(frame), hash(tracemalloc.Frame(("a.py", 3))))

    def test_S37_frames_are_ordered_by_file_then_line(self):
        frames = [tracemalloc.Frame(each) for each in
                  [("b.py", 1), ("a.py", 10), ("a.py", 9)]]
        self.assertEqual([str(frame) for frame in sorted(frames)],
                         ["a.py:9", "a.py:10", "b.py:1"])
        self.assertLess(frames[2], frames[1])
        self.assertGreaterEqual(frames[0], frames[1])
        with self.assertRaises(TypeError):
            frames[0] < ("b.py", 2)

    def test_S38_frame_as_text(self):
        frame = tracemalloc.Frame(("it's.py", 3))
        self.assertEqual(str(frame), "it's.py:3")
        self.assertEqual(repr(frame), '<Frame filename="it\'s.py" lineno=3>')


class TracebackTests(unittest.TestCase):

    frames = ("c.py", 3), ("b.py", 2), ("a.py", 1)

    def setUp(self):
        self.traceback = tracemalloc.Traceback(self.frames, 7)

    def test_S39_traceback_is_an_immutable_sequence_of_frames(self):
        self.assertEqual(len(self.traceback), 3)
        for frame in self.traceback:
            self.assertIsInstance(frame, tracemalloc.Frame)
        with self.assertRaises(TypeError):
            self.traceback[0] = self.traceback[1]
        with self.assertRaises(IndexError):
            self.traceback[3]
        self.assertEqual(self.traceback.index(tracemalloc.Frame(("b.py", 2))),
                         1)
        self.assertEqual(self.traceback.count(tracemalloc.Frame(("b.py", 2))),
                         1)
        self.assertEqual([str(frame) for frame in reversed(self.traceback)],
                         ["c.py:3", "b.py:2", "a.py:1"])

    def test_S39_equality_and_order_come_from_the_frames(self):
        same = tracemalloc.Traceback(list(self.frames))
        self.assertEqual(self.traceback, same)
        self.assertEqual(hash(self.traceback), hash(same))
        later = tracemalloc.Traceback([("b.py", 9)])
        self.assertLess(self.traceback, later)
        self.assertGreater(later, self.traceback)
        self.assertNotEqual(self.traceback, self.frames)
        with self.assertRaises(TypeError):
            self.traceback < self.frames

    def test_S40_the_allocating_line_is_last(self):
        self.assertEqual(str(self.traceback[-1]), "c.py:3")
        self.assertEqual(self.traceback._frames, self.frames[::-1])

    def test_S41_total_number_of_frames(self):
        self.assertEqual(self.traceback.total_nframe, 7)
        self.assertIsNone(tracemalloc.Traceback(self.frames).total_nframe)
        with self.assertRaises(AttributeError):
            self.traceback.total_nframe = 8

    def test_S42_slices_and_membership(self):
        self.assertEqual(self.traceback[:2],
                         (self.traceback[0], self.traceback[1]))
        self.assertEqual(self.traceback[::-1], tuple(reversed(self.traceback)))
        self.assertIn(tracemalloc.Frame(("b.py", 2)), self.traceback)
        self.assertNotIn(tracemalloc.Frame(("b.py", 3)), self.traceback)

    def test_S43_traceback_as_text(self):
        self.assertEqual(str(self.traceback), "a.py:1")
        short = tracemalloc.Traceback([("a.py", 1)])
        self.assertEqual(repr(short),
                         "<Traceback (<Frame filename='a.py' lineno=1>,)>")
        self.assertEqual(repr(tracemalloc.Traceback(self.frames[1:], 9)),
                         "<Traceback (<Frame filename='a.py' lineno=1>, "
                         "<Frame filename='b.py' lineno=2>) total_nframe=9>")

    def formatted(self, *args, **kwargs):
        with mock.patch("tracemalloc.linecache.getline",
                        side_effect=lambda name, line: f"\t{name} {line} \n"):
            return self.traceback.format(*args, **kwargs)

    def test_S44_format_gives_file_lines_and_source_lines(self):
        self.assertEqual(self.formatted(), [
            '  File "a.py", line 1', "    a.py 1", '  File "b.py", line 2',
            "    b.py 2", '  File "c.py", line 3', "    c.py 3"])
        self.assertEqual(self.formatted(most_recent_first=True), [
            '  File "c.py", line 3', "    c.py 3", '  File "b.py", line 2',
            "    b.py 2", '  File "a.py", line 1', "    a.py 1"])

    def test_S44_format_leaves_out_sources_that_are_not_known(self):
        traceback = tracemalloc.Traceback([("<unknown>", 0)])
        self.assertEqual(traceback.format(), ['  File "<unknown>", line 0'])

    def test_S44_format_reads_the_source(self):
        traceback = tracemalloc.Traceback([(__file__, here()[1])])
        self.assertEqual(
            traceback.format()[1],
            "    traceback = tracemalloc.Traceback([(__file__, here()[1])])")

    def test_S45_limits_of_format_are_slices(self):
        def names(limit, **kwargs):
            return [line.split('"')[1]
                    for line in self.formatted(limit, **kwargs)[::2]]
        self.assertEqual(names(1), ["c.py"])
        self.assertEqual(names(2), ["b.py", "c.py"])
        self.assertEqual(names(9), ["a.py", "b.py", "c.py"])
        self.assertEqual(names(0), [])
        self.assertEqual(names(-1), ["a.py", "b.py"])
        self.assertEqual(names(-2), ["a.py"])
        self.assertEqual(names(2, most_recent_first=True), ["c.py", "b.py"])


class TraceTests(unittest.TestCase):

    def test_S46_trace_is_a_read_only_value(self):
        trace = tracemalloc.Trace(RAW[2])
        self.assertEqual((trace.domain, trace.size), (1, 2))
        self.assertEqual(trace.traceback, tracemalloc.Traceback(RAW[2][2]))
        self.assertEqual(trace.traceback.total_nframe, 3)
        for name in "domain", "size", "traceback":
            with self.assertRaises(AttributeError):
                setattr(trace, name, 1)
        self.assertEqual(trace, tracemalloc.Trace(RAW[2]))
        self.assertEqual(hash(trace), hash(tracemalloc.Trace(RAW[2])))
        self.assertNotEqual(trace, tracemalloc.Trace(RAW[1]))
        self.assertNotEqual(trace, RAW[2])

    def test_S47_trace_as_text(self):
        trace = tracemalloc.Trace((0, 2048 * 1024, (("a.py", 5),), 1))
        self.assertEqual(str(trace), "a.py:5: 2048 KiB")
        self.assertEqual(
            repr(trace),
            "<Trace domain=0 size=2048 KiB, traceback="
            "<Traceback (<Frame filename='a.py' lineno=5>,) total_nframe=1>>")

    def test_S48_snapshots_can_be_made_by_hand(self):
        snapshot = tracemalloc.Snapshot(list(RAW), 2)
        self.assertEqual(len(snapshot.traces), 5)
        self.assertEqual(snapshot.traceback_limit, 2)

    def test_S49_traces_are_a_sequence(self):
        traces = tracemalloc.Snapshot(list(RAW), 2).traces
        self.assertEqual(traces[0], tracemalloc.Trace(RAW[0]))
        self.assertEqual(traces[-1].size, 7)
        self.assertEqual(traces[1:3], (traces[1], traces[2]))
        self.assertEqual([trace.size for trace in traces], [10, 30, 2, 66, 7])
        self.assertEqual([trace.size for trace in reversed(traces)],
                         [7, 66, 2, 30, 10])
        self.assertIn(tracemalloc.Trace(RAW[3]), traces)
        self.assertNotIn(tracemalloc.Trace((9, 9, (("x", 1),), 1)), traces)
        self.assertEqual(traces, tracemalloc.Snapshot(list(RAW), 9).traces)
        self.assertNotEqual(traces, tracemalloc.Snapshot(RAW[1:], 2).traces)
        self.assertNotEqual(traces, list(RAW))
        self.assertEqual(repr(traces), "<Traces len=5>")
        with self.assertRaises(TypeError):
            hash(traces)
        with self.assertRaises(IndexError):
            traces[5]


class StatisticsTests(unittest.TestCase):

    def setUp(self):
        self.snapshot = tracemalloc.Snapshot(list(RAW), 2)

    def rows(self, *args, **kwargs):
        return [([frame._frame for frame in stat.traceback], stat.size,
                 stat.count)
                for stat in self.snapshot.statistics(*args, **kwargs)]

    def test_S51_statistics_are_sorted_the_biggest_first(self):
        self.assertEqual(self.rows("lineno"), [
            ([("b.py", 1)], 66, 1), ([("a.py", 2)], 40, 2),
            ([("<unknown>", 0)], 7, 1), ([("a.py", 5)], 2, 1)])
        self.assertEqual(self.rows(key_type="lineno", cumulative=False),
                         self.rows("lineno"))

    def test_S51_ties_are_sorted_by_count_then_traceback(self):
        self.snapshot = tracemalloc.Snapshot([
            (0, 4, (("m.py", 1),), 1), (0, 4, (("z.py", 1),), 1),
            (0, 4, (("a.py", 1),), 1),
            (0, 2, (("n.py", 1),), 1), (0, 2, (("n.py", 1),), 1)], 1)
        self.assertEqual([row[0][0][0] for row in self.rows("lineno")],
                         ["n.py", "z.py", "m.py", "a.py"])

    def test_S52_key_types(self):
        self.assertEqual(self.rows("filename"), [
            ([("b.py", 0)], 66, 1), ([("a.py", 0)], 42, 3),
            ([("<unknown>", 0)], 7, 1)])
        self.assertEqual(self.rows("traceback"), [
            ([("b.py", 1)], 66, 1), ([("b.py", 4), ("a.py", 2)], 40, 2),
            ([("<unknown>", 0)], 7, 1), ([("b.py", 4), ("a.py", 5)], 2, 1)])

    def test_S52_other_key_types_are_refused(self):
        for key in "line", "", None, 5, ["lineno"]:
            with self.subTest(key=key):
                for call in (self.snapshot.statistics,
                             lambda key: self.snapshot.compare_to(
                                 self.snapshot, key)):
                    with self.assertRaises(ValueError) as caught:
                        call(key)
                    self.assertEqual(str(caught.exception),
                                     f"unknown key_type: {key!r}")
                    # The text is stock's; the choices stand below it.
                    note, = caught.exception.__notes__
                    for choice in ("traceback", "lineno", "filename",
                                   "function", "module", "thread", "domain"):
                        self.assertIn(repr(choice), note)
                    self.assertEqual("did you mean 'lineno'?" in note,
                                     key == "line")

    def test_S53_cumulative_goes_with_files_and_lines_only(self):
        self.assertEqual(self.rows("filename", True), [
            ([("b.py", 0)], 108, 4), ([("a.py", 0)], 42, 3),
            ([("<unknown>", 0)], 7, 1)])
        self.assertEqual(self.rows("lineno", cumulative=True), [
            ([("b.py", 1)], 66, 1), ([("b.py", 4)], 42, 3),
            ([("a.py", 2)], 40, 2),
            ([("<unknown>", 0)], 7, 1), ([("a.py", 5)], 2, 1)])
        with self.assertRaises(ValueError) as caught:
            self.snapshot.statistics("traceback", cumulative=True)
        self.assertEqual(
            str(caught.exception),
            "cumulative mode cannot by used with key type 'traceback'")

    def test_S54_cumulative_counts_every_occurrence_of_a_frame(self):
        loop = ("r.py", 3)
        self.snapshot = tracemalloc.Snapshot([(0, 10, (loop, loop, loop), 3)],
                                             3)
        self.assertEqual(self.rows("lineno", True), [([loop], 30, 3)])
        self.assertEqual(self.rows("filename", True), [([("r.py", 0)], 30, 3)])

    def test_S51_traces_equal_but_not_identical_fall_into_one_group(self):
        self.snapshot = tracemalloc.Snapshot(
            [(0, 5, (("".join(["a", ".py"]), 1),), 1) for _ in range(100)], 1)
        self.assertEqual(self.rows("traceback"), [([("a.py", 1)], 500, 100)])

    def test_S51_statistics_of_nothing(self):
        empty = tracemalloc.Snapshot([], 1)
        self.assertEqual(empty.statistics("lineno"), [])
        self.assertEqual(empty.compare_to(empty, "lineno", True), [])

    def test_S55_differences_are_sorted_by_change(self):
        newer = tracemalloc.Snapshot([
            (0, 10, (("a.py", 2), ("b.py", 4)), 3),
            (0, 30, (("a.py", 2), ("b.py", 4)), 3),
            (0, 500, (("a.py", 5), ("b.py", 4)), 3),
            (0, 400, (("n.py", 1),), 1), (3, 7, (("<unknown>", 0),), 1)], 2)
        self.assertEqual(
            [str(diff) for diff in newer.compare_to(self.snapshot, "lineno")],
            ["a.py:5: size=500 B (+498 B), count=1 (+0), average=500 B",
             "n.py:1: size=400 B (+400 B), count=1 (+1), average=400 B",
             "b.py:1: size=0 B (-66 B), count=0 (-1)",
             "a.py:2: size=40 B (+0 B), count=2 (+0), average=20 B",
             "<unknown>:0: size=7 B (+0 B), count=1 (+0), average=7 B"])

    def test_S56_vanished_and_unchanged_groups_are_listed(self):
        empty = tracemalloc.Snapshot([], 2)
        gone = empty.compare_to(self.snapshot, "filename")
        self.assertEqual([(diff.size, diff.count) for diff in gone],
                         [(0, 0)] * 3)
        self.assertEqual([(diff.size_diff, diff.count_diff) for diff in gone],
                         [(-66, -1), (-42, -3), (-7, -1)])
        same = self.snapshot.compare_to(self.snapshot, "lineno")
        self.assertEqual([(diff.size_diff, diff.count_diff) for diff in same],
                         [(0, 0)] * 4)

    def test_S66_a_new_group_has_gained_its_whole_size(self):
        new = self.snapshot.compare_to(tracemalloc.Snapshot([], 2), "filename")
        for diff in new:
            self.assertEqual((diff.size_diff, diff.count_diff),
                             (diff.size, diff.count))

    def test_S55_compare_to_changes_neither_snapshot(self):
        other = tracemalloc.Snapshot(RAW[2:], 2)
        self.snapshot.compare_to(other, "lineno")
        self.assertEqual(self.snapshot.traces._traces, RAW)
        self.assertEqual(other.traces._traces, RAW[2:])


class StatisticTests(unittest.TestCase):

    traceback = tracemalloc.Traceback([("a.py", 1)])

    def test_S62_statistic_is_a_value(self):
        stat = tracemalloc.Statistic(self.traceback, 10, 2)
        self.assertEqual((stat.traceback, stat.size, stat.count),
                         (self.traceback, 10, 2))
        self.assertEqual(stat, tracemalloc.Statistic(self.traceback, 10, 2))
        self.assertEqual(hash(stat),
                         hash(tracemalloc.Statistic(self.traceback, 10, 2)))
        for other in [(self.traceback, 10, 3), (self.traceback, 11, 2),
                      (tracemalloc.Traceback([("b.py", 1)]), 10, 2)]:
            self.assertNotEqual(stat, tracemalloc.Statistic(*other))
        self.assertNotEqual(stat, (self.traceback, 10, 2))
        with self.assertRaises(AttributeError):
            stat.other = 1

    def test_S63_statistic_as_text(self):
        self.assertEqual(str(tracemalloc.Statistic(self.traceback, 300000, 7)),
                         "a.py:1: size=293 KiB, count=7, average=41.9 KiB")
        self.assertEqual(str(tracemalloc.Statistic(self.traceback, 5, 0)),
                         "a.py:1: size=5 B, count=0")

    def test_S64_difference_is_a_value(self):
        values = self.traceback, 10, -5, 2, 1
        diff = tracemalloc.StatisticDiff(*values)
        self.assertEqual((diff.traceback, diff.size,
                          diff.size_diff, diff.count, diff.count_diff),
                         values)
        self.assertEqual(diff, tracemalloc.StatisticDiff(*values))
        self.assertEqual(hash(diff), hash(tracemalloc.StatisticDiff(*values)))
        for index in range(1, 5):
            changed = list(values)
            changed[index] += 1
            self.assertNotEqual(diff, tracemalloc.StatisticDiff(*changed))
        self.assertNotEqual(diff, values)
        with self.assertRaises(AttributeError):
            diff.other = 1

    def test_S65_difference_as_text(self):
        self.assertEqual(
            str(tracemalloc.StatisticDiff(self.traceback, 5002, 5000, 2, 1)),
            "a.py:1: size=5002 B (+5000 B), count=2 (+1), average=2501 B")
        self.assertEqual(
            str(tracemalloc.StatisticDiff(self.traceback, 0, -20480, 0, -3)),
            "a.py:1: size=0 B (-20.0 KiB), count=0 (-3)")

    def test_S67_format_of_sizes(self):
        for size, text in [
                (0, "0 B"), (99, "99 B"), (100, "100 B"), (10239, "10239 B"),
                (10240, "10.0 KiB"), (102399, "100.0 KiB"),
                (102400, "100 KiB"),
                (10 * 2 ** 20 - 1, "10240 KiB"), (10 * 2 ** 20, "10.0 MiB"),
                (2 ** 30, "1024 MiB"), (20 * 2 ** 30, "20.0 GiB"),
                (20 * 2 ** 40, "20.0 TiB"), (2 ** 60, "1048576 TiB"),
                (-5, "-5 B"), (-20480, "-20.0 KiB"), (1.5, "2 B")]:
            with self.subTest(size=size):
                self.assertEqual(tracemalloc._format_size(size, False), text)
                signed = text if size < 0 else "+" + text
                self.assertEqual(tracemalloc._format_size(size, True), signed)

    def test_S68_repr(self):
        name = "<Traceback (<Frame filename='a.py' lineno=1>,)>"
        self.assertEqual(repr(tracemalloc.Statistic(self.traceback, 10, 2)),
                         f"<Statistic traceback={name} size=10 count=2>")
        self.assertEqual(
            repr(tracemalloc.StatisticDiff(self.traceback, 10, -3, 2, 0)),
            f"<StatisticDiff traceback={name} size=10 (-3) count=2 (+0)>")


class FilterTests(unittest.TestCase):

    def setUp(self):
        self.snapshot = tracemalloc.Snapshot(list(RAW), 2)

    def kept(self, *filters):
        return [size for domain, size, frames, total
                in self.snapshot.filter_traces(filters).traces._traces]

    def test_S57_filtering_makes_a_new_snapshot(self):
        copy = self.snapshot.filter_traces([])
        self.assertIsNot(copy, self.snapshot)
        self.assertIsNot(copy.traces._traces, self.snapshot.traces._traces)
        self.assertEqual(copy.traces, self.snapshot.traces)
        self.assertEqual(copy.traceback_limit, 2)
        filtered = self.snapshot.filter_traces(
            (tracemalloc.Filter(True, "b.py"),))
        self.assertEqual(len(filtered.traces), 1)
        self.assertEqual(self.snapshot.traces._traces, RAW)

    def test_S57_filters_have_to_be_iterable(self):
        for value, name in ((tracemalloc.Filter(True, "a"), "Filter"),
                            (None, "NoneType")):
            with self.assertRaises(TypeError) as caught:
                self.snapshot.filter_traces(value)
            self.assertEqual(str(caught.exception),
                             f"filters must be a list of filters, not {name}")

    def test_S57_filters_may_come_from_an_iterator(self):
        self.assertEqual(self.kept(*iter([tracemalloc.Filter(True, "b.py")])),
                         [66])
        lazily = (each for each in [tracemalloc.Filter(True, "b.py")])
        self.assertEqual(
            len(self.snapshot.filter_traces(filters=lazily).traces), 1)

    def test_S58_inclusive_filters_add_up_and_exclusive_ones_win(self):
        a2 = tracemalloc.Filter(True, "a.py", 2)
        b = tracemalloc.Filter(True, "b.py")
        not_a = tracemalloc.Filter(False, "a.py")
        not_unknown = tracemalloc.Filter(False, "<unknown>")
        self.assertEqual(self.kept(a2), [10, 30])
        self.assertEqual(self.kept(a2, b), [10, 30, 66])
        self.assertEqual(self.kept(not_a), [66, 7])
        self.assertEqual(self.kept(not_a, not_unknown), [66])
        self.assertEqual(self.kept(a2, b, not_a), [66])

    def test_S58_a_filter_class_of_ones_own_is_asked_for_every_trace(self):
        class Big(tracemalloc.BaseFilter):
            def _match(self, trace):
                return (trace[1] >= 30) == self.inclusive
        self.assertEqual(self.kept(Big(True)), [30, 66])
        self.assertEqual(self.kept(Big(False)), [10, 2, 7])
        self.assertEqual(
            self.kept(Big(True), tracemalloc.Filter(False, "b.py")), [30])

    def test_S69_filter_takes_keywords(self):
        each = tracemalloc.Filter(inclusive=False, filename_pattern="x.py",
                                  lineno=3, all_frames=True, domain=9)
        self.assertEqual((each.inclusive, each.filename_pattern, each.lineno,
                          each.all_frames, each.domain),
                         (False, "x.py", 3, True, 9))
        plain = tracemalloc.Filter(True, "x.py")
        self.assertEqual((plain.lineno, plain.all_frames, plain.domain),
                         (None, False, None))
        with self.assertRaises(TypeError):
            tracemalloc.Filter(True)

    def test_S70_pattern_is_read_only_and_normalised(self):
        each = tracemalloc.Filter(True, "module.pyc")
        self.assertEqual(each.filename_pattern, "module.py")
        with self.assertRaises(AttributeError):
            each.filename_pattern = "x"
        def matches(filename, pattern):
            return bool(
                tracemalloc.Filter(True, pattern)._match_frame(filename, 1))
        self.assertTrue(matches("a.pyc", "a.py"))
        self.assertTrue(matches("a.py", "a.pyc"))
        self.assertFalse(matches("a.pyo", "a.py"))
        self.assertTrue(matches("dir/a.py", "*a.py"))
        self.assertTrue(matches("a.py", "[ab].p?"))
        self.assertFalse(matches("A.py", "a.py"))

    def test_S71_line_and_frames(self):
        self.assertEqual(self.kept(tracemalloc.Filter(True, "a.py", 5)), [2])
        self.assertEqual(self.kept(tracemalloc.Filter(True, "a.py", 0)), [])
        self.assertEqual(self.kept(tracemalloc.Filter(True, "b.py", 4)), [])
        self.assertEqual(
            self.kept(tracemalloc.Filter(True, "b.py", 4, all_frames=True)),
            [10, 30, 2])
        self.assertEqual(
            self.kept(tracemalloc.Filter(False, "b.py", 4, all_frames=True)),
            [66, 7])

    def test_S72_domain_of_a_filter(self):
        self.assertEqual(self.kept(tracemalloc.Filter(True, "a.py", domain=1)),
                         [2])
        self.assertEqual(self.kept(tracemalloc.Filter(True, "*", domain=2)),
                         [66])
        self.assertEqual(self.kept(tracemalloc.Filter(True, "b.py", domain=1)),
                         [])

    def test_S73_exclusive_filter_with_a_domain_spares_the_others(self):
        self.assertEqual(
            self.kept(tracemalloc.Filter(False, "a.py", domain=1)),
            [10, 30, 66, 7])
        self.assertEqual(
            self.kept(tracemalloc.Filter(False, "a.py", domain=8)),
            [10, 30, 2, 66, 7])

    def test_S74_examples_of_the_documentation(self):
        self.assertEqual(self.kept(tracemalloc.Filter(False, "<unknown>")),
                         [10, 30, 2, 66])
        self.snapshot = tracemalloc.Snapshot([
            (0, 1, ((subprocess.__file__, 9),), 1),
            (0, 2, ((tracemalloc.__file__, 9),), 1),
            (0, 3, (("x.py", 9),), 1)], 1)
        self.assertEqual(
            self.kept(tracemalloc.Filter(True, subprocess.__file__)), [1])
        self.assertEqual(
            self.kept(tracemalloc.Filter(False, tracemalloc.__file__)), [1, 3])

    def test_S74_the_name_of_the_module_stands_for_the_whole_package(self):
        folder = os.path.dirname(tracemalloc.__file__)
        names = [tracemalloc.__file__, os.path.join(folder, "_groups.py"),
                 os.path.join(folder, "_cli", "show.py"), folder + "_else.py",
                 "other.py"]
        snapshot = tracemalloc.Snapshot(
            [(0, 1, ((name, 1),), 1) for name in names], 1)
        for inclusive, expected in ((True, names[:3]), (False, names[3:])):
            kept = snapshot.filter_traces(
                [tracemalloc.Filter(inclusive, tracemalloc.__file__)])
            self.assertEqual([trace.traceback[0].filename
                              for trace in kept.traces],
                             expected)

    def test_S75_domain_filter(self):
        each = tracemalloc.DomainFilter(inclusive=True, domain=0)
        self.assertEqual(self.kept(each), [10, 30])
        each.inclusive = False
        self.assertEqual(self.kept(each), [2, 66, 7])
        self.assertEqual(each.domain, 0)
        with self.assertRaises(AttributeError):
            each.domain = 1
        self.assertEqual(self.kept(each, tracemalloc.DomainFilter(False, 3)),
                         [2, 66])

    def test_S76_common_base_of_filters(self):
        base = tracemalloc.BaseFilter(True)
        self.assertTrue(base.inclusive)
        self.assertTrue(issubclass(tracemalloc.Filter, tracemalloc.BaseFilter))
        self.assertTrue(issubclass(tracemalloc.DomainFilter,
                                   tracemalloc.BaseFilter))
        with self.assertRaises(NotImplementedError):
            self.kept(base)


class DomainTests(Tracing):

    def test_S77_python_memory_is_domain_zero(self):
        kept = bytes(5003)
        domains = {
            domain
            for domain, size, frames, total in _tracemalloc._get_traces()
            if size == sys.getsizeof(kept)}
        self.assertEqual(domains, {0})

    def test_S77_other_domains_are_apart(self):
        _testcapi = import_helper.import_module("_testcapi")
        _testcapi.tracemalloc_track(389047, 4096, 8000)
        snapshot = tracemalloc.take_snapshot()
        theirs = snapshot.filter_traces([tracemalloc.DomainFilter(False, 0)])
        self.assertEqual([(trace.domain, trace.size)
                          for trace in theirs.traces],
                         [(389047, 8000)])


class PickleTests(unittest.TestCase):

    def setUp(self):
        self.snapshot = tracemalloc.Snapshot(list(RAW), 2)
        self.filename = os_helper.TESTFN + ".pickle"
        self.addCleanup(os_helper.unlink, self.filename)

    def test_S59_dump_keeps_everything(self):
        self.snapshot.note = {"extra": [1, 2]}
        self.assertIsNone(self.snapshot.dump(self.filename))
        with open(self.filename, "rb") as stream:
            self.assertEqual(stream.read(2),
                             b"\x80%c" % pickle.HIGHEST_PROTOCOL)
        loaded = tracemalloc.Snapshot.load(self.filename)
        self.assertIs(type(loaded), tracemalloc.Snapshot)
        self.assertEqual(loaded.traces, self.snapshot.traces)
        self.assertEqual(loaded.traceback_limit, 2)
        self.assertEqual(loaded.note, {"extra": [1, 2]})

    def test_S59_dump_reports_files_it_cannot_write(self):
        with self.assertRaises(FileNotFoundError):
            self.snapshot.dump(os.path.join(self.filename, "no", "such"))

    def test_S60_load_works_while_tracing_is_off(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on")
        self.snapshot.dump(self.filename)
        self.assertEqual(len(tracemalloc.Snapshot.load(self.filename).traces),
                         5)
        with self.assertRaises(FileNotFoundError):
            tracemalloc.Snapshot.load(self.filename + "x")

    def test_S61_every_protocol_restores_every_class(self):
        values = [self.snapshot, self.snapshot.traces, self.snapshot.traces[0],
                  self.snapshot.traces[0].traceback,
                  self.snapshot.traces[0].traceback[0],
                  self.snapshot.statistics("traceback"),
                  self.snapshot.compare_to(tracemalloc.Snapshot([], 1),
                                           "lineno")]
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            with self.subTest(protocol=protocol):
                for value in values:
                    copy = pickle.loads(pickle.dumps(value, protocol))
                    if value is self.snapshot:
                        value, copy = value.traces, copy.traces
                    self.assertEqual(copy, value)

    # Prints the same pickles in every interpreter,
    # if the classes are the same.
    BYTES = """
        import pickle, tracemalloc
        raw = [(0, 10, (("a.py", 2), ("b.py", 4)), 3), (1, 2, (("a.py", 5),), 1)]
        s = tracemalloc.Snapshot(raw, 2)
        s.extra = "extra"
        values = [s, s.traces[0], s.traces[0].traceback, s.traces[0].traceback[0],
                  s.statistics("lineno"), s.compare_to(s, "traceback"),
                  tracemalloc.Filter(True, "a.pyc", 3, True, 5),
                  tracemalloc.DomainFilter(False, 4), tracemalloc.BaseFilter(True)]
        for value in values:
            for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
                print(pickle.dumps(value, protocol).hex())
        """

    @needs_stock
    def test_S61_pickles_are_byte_for_byte_those_of_stock(self):
        self.assertEqual(python_output(sys.executable, self.BYTES),
                         python_output(STOCK_PYTHON, self.BYTES))

    WRITE = """
        import pickle, sys, tracemalloc
        tracemalloc.start(5)
        kept = [bytes(n) for n in range(500)]
        snapshot = tracemalloc.take_snapshot()
        tracemalloc.stop()
        snapshot.note = "note"
        snapshot.dump(sys.argv[1] + ".new")
        with open(sys.argv[1] + ".old", "wb") as stream:
            pickle.dump(snapshot, stream, 2)
        """ + (SHOW := """
        def show(snapshot):
            print(snapshot.note, snapshot.traceback_limit, snapshot.traces)
            for trace in snapshot.traces:
                print(repr(trace))
            for key in "lineno", "filename", "traceback":
                for stat in snapshot.statistics(key):
                    print(repr(stat), stat)
        """) + """
        show(snapshot)
        """
    READ = """
        import sys, tracemalloc
        """ + SHOW + """
        show(tracemalloc.Snapshot.load(sys.argv[1]))
        """

    def check_exchange(self, writer, reader):
        for suffix in ".new", ".old":
            self.addCleanup(os_helper.unlink, self.filename + suffix)
        written = python_output(writer, self.WRITE, self.filename)
        self.assertIn("note 5 <Traces len=", written)
        for suffix in ".new", ".old":
            with self.subTest(suffix=suffix):
                read = python_output(reader, self.READ, self.filename + suffix)
                self.assertEqual(read, written)

    @needs_stock
    def test_S61_stock_reads_what_we_write(self):
        self.check_exchange(sys.executable, STOCK_PYTHON)

    @needs_stock
    def test_S61_we_read_what_stock_writes(self):
        self.check_exchange(STOCK_PYTHON, sys.executable)


# Much of what the Python side can do with random traces, as text.
REPORT = r"""
import random, sys, tracemalloc as t

random.seed(int(sys.argv[1]))
names = [name + suffix for name in ("a", "b/b", "<unknown>", "C", "d d")
         for suffix in ("", ".py", ".pyc", ".pyo")]
paths = [tuple((random.choice(names), random.randrange(6)) for _ in range(random.randrange(1, 6)))
         for _ in range(40)]

def snapshot():
    return t.Snapshot([(random.choice((0, 0, 1, 389047)),
                        random.choice((1, 8, 512, 10 ** random.randrange(13))),
                        path, len(path) + random.randrange(3))
                       for path in random.choices(paths, k=random.randrange(300))], 5)

def attempt(call):
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"

old, new = snapshot(), snapshot()
for key in "lineno", "filename", "traceback", "nothing":
    for cumulative in False, True:
        for result in (attempt(lambda: old.statistics(key, cumulative)),
                       attempt(lambda: new.compare_to(old, key, cumulative))):
            if isinstance(result, str):
                print(result)
            else:
                for each in result:
                    print(each, repr(each), hash(each) == hash(type(each)(
                        *[getattr(each, slot) for slot in type(each).__slots__])))

def some_filter():
    if random.random() < 0.3:
        return t.DomainFilter(random.random() < 0.5, random.choice((0, 1, 7)))
    return t.Filter(random.random() < 0.5, random.choice(names + ["*", "*.py", "[ab]*", "?"]),
                    random.choice((None, None, 0, 3)), random.random() < 0.5,
                    random.choice((None, None, 0, 1)))

for _ in range(60):
    filters = [some_filter() for _ in range(random.randrange(4))]
    print([sorted(vars(each).items()) for each in filters])
    print(new.filter_traces(filters).traces._traces)
    for each in filters:
        print([bool(each._match(raw)) for raw in new.traces._traces[:20]])

for trace in new.traces[:30]:
    print(trace, repr(trace), trace.domain, trace.size, trace.traceback.total_nframe)
    for limit in None, 0, 1, 2, -1, -2, 9:
        print(trace.traceback.format(limit), trace.traceback.format(limit, True))
    print(trace.traceback[1:], trace.traceback[0] in trace.traceback, sorted(trace.traceback))

for size in [*range(90, 110), *(start * 1024 ** power + more for power in range(6)
                                for start in (1, 9, 10, 99, 100, 10239, 10240)
                                for more in (-1, 0, 1))]:
    print(*[t._format_size(s, sign) for s in (size, -size, size / 3) for sign in (False, True)])

frame, tb = t.Frame(("a", 1)), t.Traceback([("a", 1)])
for call in [
        lambda: frame < 1, lambda: frame <= tb, lambda: tb < 1, lambda: tb >= frame,
        lambda: 5 in tb, lambda: tb[5], lambda: tb["x"], lambda: str(t.Traceback([])),
        lambda: repr(t.Traceback([])), lambda: t.Frame(), lambda: t.Traceback(5),
        lambda: tb.format("x"), lambda: tb.format(1.5), lambda: hash(new.traces),
        lambda: 5 in new.traces, lambda: new.traces["x"], lambda: new.statistics(),
        lambda: new.statistics("lineno", group_by=1), lambda: new.statistics(group_by="lineno"),
        lambda: new.compare_to(5, "lineno"), lambda: new.compare_to(old),
        lambda: new.filter_traces(5),
        lambda: new.filter_traces(), lambda: new.filter_traces([5]), lambda: new.filter_traces("x"),
        lambda: new.filter_traces([t.BaseFilter(True)]), lambda: t.Filter(True, 5),
        lambda: t.Filter(), lambda: t.DomainFilter(True), lambda: t.take_snapshot(),
        lambda: t.start(0), lambda: t.start(65536), lambda: t.start(2 ** 31), lambda: t.start("1"),
        lambda: t.start(1.0), lambda: t.start(nframe=1), lambda: t.start(1, 2), lambda: t.stop(1),
        lambda: t.get_object_traceback(), lambda: t.Snapshot.load("/no/such/file"),
        lambda: setattr(frame, "lineno", 1), lambda: setattr(frame, "x", 1),
        lambda: setattr(tb, "total_nframe", 1), lambda: setattr(t.Trace(1), "size", 1),
        lambda: setattr(t.Filter(True, "x"), "filename_pattern", 1),
        lambda: setattr(t.DomainFilter(True, 1), "domain", 1),
        lambda: frame == 1, lambda: tb == 1, lambda: t.Statistic(tb, 1, 1) == 1,
        lambda: t.Statistic(tb, "x", 1), lambda: str(t.Statistic(tb, 1, 0.5)),
        lambda: repr(t.StatisticDiff(tb, 1.5, 2, 3, -4)),
        lambda: str(t.StatisticDiff(tb, 0, 0, 0, 0)),
        lambda: t.get_traceback_limit(), lambda: t._get_traces(), lambda: t.get_traced_memory()]:
    print(attempt(lambda: str(call())))
"""


class SameAsStockTests(unittest.TestCase):

    maxDiff = 4000

    @needs_stock
    def test_S51_S58_random_traces_give_stocks_results_and_errors(self):
        for seed in range(12):
            with self.subTest(seed=seed):
                ours = python_output(sys.executable, REPORT, str(seed))
                self.assertIn("ValueError: unknown key_type: 'nothing'", ours)
                stock = python_output(STOCK_PYTHON, REPORT, str(seed))
                for mine, theirs in zip(ours.splitlines(), stock.splitlines()):
                    self.assertEqual(mine, theirs)
                self.assertEqual(len(ours), len(stock))


if __name__ == "__main__":
    unittest.main()
