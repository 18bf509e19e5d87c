"""pytracemalloc: snapshots, statistics, files, and what is displayed.

Names of tests have the numbers of the requirements (D rows) in them.
"""
import datetime
import gc
import io
import os
import pickle
import re
import tracemalloc
import unittest
from test.support import os_helper, script_helper
from test.test_pytracemalloc_tracing import (
    BYTES_HEAD, TracingTestCase, allocate, run_at)
from unittest import mock

import pytracemalloc
from pytracemalloc import (
    DisplayTop, Filter, GroupedStats, Metric, Snapshot, StatsDiff)

KIB, MIB, GIB, TIB = 2 ** 10, 2 ** 20, 2 ** 30, 2 ** 40
TIME = datetime.datetime(2013, 5, 21, 9, 34, 39, 123456)
LATER = datetime.datetime(2013, 5, 21, 9, 35, 39)

TRACES = {
    0x100: (10, (("a.py", 1), ("main.py", 7))),
    0x200: (20, (("a.py", 2), ("main.py", 7))),
    0x300: (300, (("b.py", 1),)),
    0x400: (4000, ()),
    0x500: (50, (("a.py", 1), ("main.py", 8))),
}
STATS = {
    "a.py": {1: (60, 2), 2: (20, 1)},
    "b.py": {1: (300, 1)},
    None: {None: (4000, 1)},
}


def group(stats, group_by="line", **kwargs):
    return GroupedStats(TIME, stats, group_by, **kwargs)


class ImportTests(unittest.TestCase):
    """The package stands alone, in what it takes and under whatever name."""

    def test_the_other_interface_is_not_imported(self):
        answer = script_helper.assert_python_ok(
            "-c", "import sys, pytracemalloc as module\n"
            "module.get_process_memory()\n"
            "print('tracemalloc' in sys.modules)")
        self.assertEqual(answer.out.strip(), b"False")

    def test_a_program_may_have_a_module_of_that_name(self):
        with os_helper.temp_dir() as folder:
            for name, text in (
                    ("tracemalloc", "from pytracemalloc import *"),
                    ("script", "import tracemalloc\n"
                     "print(len(tracemalloc.get_process_memory()))")):
                with open(os.path.join(folder, f"{name}.py"), "w",
                          encoding="ascii") as stream:
                    stream.write(text)
            answer = script_helper.assert_python_ok(
                os.path.join(folder, "script.py"), __isolated=False)
        self.assertEqual(answer.out.strip(), b"2")


class SnapshotTests(TracingTestCase):
    def test_D44_attributes(self):
        snapshot = Snapshot(TIME, 123, TRACES)
        self.assertEqual(
            (snapshot.timestamp, snapshot.pid, snapshot.traces,
             snapshot.stats, snapshot.metrics, snapshot.traceback_limit),
            (TIME, 123, TRACES, STATS, {}, 2))
        metrics = {"m": Metric("m", 1, "int")}
        snapshot = Snapshot(timestamp=TIME, pid=123, traces=None, stats=STATS,
                            metrics=metrics)
        self.assertIsNone(snapshot.traces)
        self.assertEqual(snapshot.stats, STATS)
        self.assertEqual(snapshot.metrics, metrics)
        self.assertEqual(snapshot.traceback_limit, 1)
        with self.assertRaisesRegex(ValueError, "traces or statistics"):
            Snapshot(TIME, 123)

    def test_D45_create_needs_tracing(self):
        with self.assertRaisesRegex(RuntimeError, "call enable"):
            Snapshot.create()

    def test_D45_create_with_statistics_only(self):
        pytracemalloc.set_traceback_limit(3)
        pytracemalloc.enable()
        kept = allocate("a.py", 4, 500)
        with mock.patch("pytracemalloc._snapshot.datetime") as clock:
            clock.now.return_value = TIME
            snapshot = Snapshot.create()
        clock.now.assert_called_once_with()
        self.assertEqual(snapshot.timestamp, TIME)
        self.assertEqual(snapshot.pid, os.getpid())
        self.assertEqual(snapshot.traceback_limit, 3)
        self.assertIsNone(snapshot.traces)
        self.assertEqual(snapshot.stats["a.py"],
                         {4: (500 + BYTES_HEAD, 1)})
        self.assertNotIn("tracemalloc.traces", snapshot.metrics)
        del kept

    def test_D45_create_with_traces_of_the_same_moment(self):
        pytracemalloc.set_traceback_limit(3)
        pytracemalloc.enable()
        kept = allocate("a.py", 4, 500)
        snapshot = Snapshot.create(traces=True)
        size, traceback = snapshot.traces[id(kept)]
        self.assertEqual(size, 500 + BYTES_HEAD)
        self.assertEqual(traceback[0], ("a.py", 4))
        self.assertEqual(len(traceback), 3)
        self.assertEqual(
            sum(size for size, _ in snapshot.traces.values()),
            sum(size for lines in snapshot.stats.values()
                for size, _ in lines.values()))
        self.assertEqual(snapshot.get_metric("tracemalloc.traces"),
                         len(snapshot.traces))

    def test_D45_D66_create_without_metrics(self):
        pytracemalloc.enable()
        self.assertEqual(Snapshot.create(metrics=False).metrics, {})

    def test_D46_metrics(self):
        pytracemalloc.enable()
        with mock.patch("pytracemalloc._metric.get_process_memory",
                        return_value=(12, 34)):
            snapshot = Snapshot.create(traces=True)
        formats = {metric.name: metric.format
                   for metric in snapshot.metrics.values()}
        self.assertEqual(formats, {
            "gc.objects": "int",
            "process_memory.rss": "size",
            "process_memory.vms": "size",
            "tracemalloc.arena_size": "size",
            "tracemalloc.module.fragmentation": "percent",
            "tracemalloc.module.free": "size",
            "tracemalloc.module.size": "size",
            "tracemalloc.traced.max_size": "size",
            "tracemalloc.traced.size": "size",
            "tracemalloc.traces": "int",
        })
        value = snapshot.get_metric
        self.assertEqual((value("process_memory.rss"),
                          value("process_memory.vms")), (12, 34))
        self.assertGreater(value("gc.objects"), 1000)
        self.assertLessEqual(value("gc.objects"), len(gc.get_objects()) + 100)
        self.assertEqual(value("tracemalloc.module.fragmentation"),
                         value("tracemalloc.module.free")
                         / value("tracemalloc.module.size"))
        self.assertTrue(0 < value("tracemalloc.traced.size")
                        <= value("tracemalloc.traced.max_size"))
        self.assertEqual(value("tracemalloc.arena_size") % MIB, 0)

    def test_D46_one_kind_at_a_time(self):
        snapshot = Snapshot(TIME, 1, TRACES)
        snapshot.add_gc_metrics()
        self.assertEqual(list(snapshot.metrics), ["gc.objects"])
        with mock.patch("pytracemalloc._metric.get_process_memory",
                        return_value=None):
            snapshot.add_process_memory_metrics()
        self.assertEqual(list(snapshot.metrics), ["gc.objects"])
        snapshot.add_tracemalloc_metrics()
        self.assertEqual(snapshot.get_metric("tracemalloc.traces"),
                         len(TRACES))
        # Tracing is off.
        self.assertEqual(snapshot.get_metric("tracemalloc.module.size"), 0)
        self.assertEqual(
            snapshot.get_metric("tracemalloc.module.fragmentation"), 0)
        snapshot = Snapshot(TIME, 1, stats=STATS)
        snapshot.add_tracemalloc_metrics()
        self.assertNotIn("tracemalloc.traces", snapshot.metrics)

    def test_D47_add_and_get_metric(self):
        snapshot = Snapshot(TIME, 1, stats=STATS)
        metric = snapshot.add_metric("app.users", 3, "int")
        self.assertIs(type(metric), Metric)
        self.assertIs(snapshot.metrics["app.users"], metric)
        self.assertEqual(snapshot.get_metric("app.users"), 3)
        with self.assertRaisesRegex(ValueError, "'app.users' already"):
            snapshot.add_metric("app.users", 4, "int")
        self.assertEqual(snapshot.get_metric("app.users"), 3)
        self.assertIsNone(snapshot.get_metric("other"))
        self.assertEqual(snapshot.get_metric("other", 5), 5)

    def test_D43_metric(self):
        metric = Metric("name", 0.5, "percent")
        self.assertEqual((metric.name, metric.value, metric.format),
                         ("name", 0.5, "percent"))
        self.assertEqual(metric, Metric("name", 0.5, "percent"))
        self.assertNotEqual(metric, Metric("name", 0.6, "percent"))
        self.assertNotEqual(metric, Metric("other", 0.5, "percent"))
        self.assertEqual(
            repr(metric),
            "<Metric name='name' value=0.5 format='percent'>")
        with self.assertRaisesRegex(ValueError, "'float'; it is one of"):
            Metric("name", 0.5, "float")

    def test_D48_filters_on_traces(self):
        for filters, left in (
                ([], TRACES),
                ([Filter(True, "a.py")], [0x100, 0x200, 0x500]),
                ([Filter(True, "a.py", 1)], [0x100, 0x500]),
                ([Filter(True, "a.py"), Filter(True, "b.py")],
                 [0x100, 0x200, 0x300, 0x500]),
                ([Filter(False, "a.py")], [0x300, 0x400]),
                ([Filter(True, "*.py"), Filter(False, "b*")],
                 [0x100, 0x200, 0x500]),
                ([Filter(True, "main.py")], []),
                ([Filter(True, "main.py", None, True)],
                 [0x100, 0x200, 0x500]),
                ([Filter(False, "main.py", 8, True)],
                 [0x100, 0x200, 0x300, 0x400]),
                ([Filter(False, "")], [0x100, 0x200, 0x300, 0x500])):
            with self.subTest(filters=filters):
                snapshot = Snapshot(TIME, 1, dict(TRACES))
                self.assertIsNone(snapshot.apply_filters(filters))
                self.assertEqual(list(snapshot.traces), list(left))
                self.assertEqual(
                    sum(size for size, _ in snapshot.traces.values()),
                    sum(size for lines in snapshot.stats.values()
                        for size, _ in lines.values()))

    def test_D48_filters_on_statistics(self):
        snapshot = Snapshot(TIME, 1, stats=STATS)
        snapshot.apply_filters([Filter(False, "a.py", 2),
                                Filter(False, "b.py")])
        self.assertEqual(snapshot.stats, {"a.py": {1: (60, 2)},
                                          None: {None: (4000, 1)}})
        self.assertIsNone(snapshot.traces)
        self.assertEqual(set(STATS), {"a.py", "b.py", None})
        with self.assertRaisesRegex(TypeError, "a Filter is needed, not str"):
            snapshot.apply_filters(["a.py"])

    def test_D50_top_by_filename(self):
        top = Snapshot(TIME, 1, TRACES).top_by("filename")
        self.assertIs(type(top), GroupedStats)
        self.assertEqual(top.stats, {"a.py": (80, 3), "b.py": (300, 1),
                                     None: (4000, 1)})
        self.assertEqual((top.group_by, top.cumulative, top.timestamp),
                         ("filename", False, TIME))

    def test_D50_top_by_line(self):
        top = Snapshot(TIME, 1, stats=STATS).top_by("line")
        self.assertEqual(top.stats, {
            ("a.py", 1): (60, 2), ("a.py", 2): (20, 1),
            ("b.py", 1): (300, 1), (None, None): (4000, 1)})

    def test_D50_top_by_address(self):
        for cumulative in (False, True):
            top = Snapshot(TIME, 1, TRACES).top_by("address", cumulative)
            self.assertEqual(top.stats, {
                0x100: (10, 1), 0x200: (20, 1), 0x300: (300, 1),
                0x400: (4000, 1), 0x500: (50, 1)})
            self.assertIs(top.cumulative, False)
        with self.assertRaisesRegex(ValueError, "no traces, which addresses"):
            Snapshot(TIME, 1, stats=STATS).top_by("address")

    def test_D50_cumulative(self):
        snapshot = Snapshot(TIME, 1, TRACES)
        top = snapshot.top_by("filename", cumulative=True)
        self.assertIs(top.cumulative, True)
        self.assertEqual(top.stats, {
            "a.py": (80, 3), "b.py": (300, 1), None: (4000, 1),
            "main.py": (80, 3)})
        self.assertEqual(snapshot.top_by("line", True).stats, {
            ("a.py", 1): (60, 2), ("a.py", 2): (20, 1), ("b.py", 1): (300, 1),
            (None, None): (4000, 1), ("main.py", 7): (30, 2),
            ("main.py", 8): (50, 1)})

    def test_D50_cumulative_is_ignored_below_two_frames(self):
        snapshot = Snapshot(TIME, 1, stats=STATS)
        top = snapshot.top_by("line", cumulative=True)
        self.assertIs(top.cumulative, False)
        self.assertEqual(top.stats, snapshot.top_by("line").stats)
        snapshot = Snapshot(TIME, 1, stats=STATS, traceback_limit=2)
        with self.assertRaisesRegex(ValueError, "cumulative statistics need"):
            snapshot.top_by("line", cumulative=True)

    def test_D50_K2_K3_unknown_group(self):
        # The names that the module tracemalloc has mean nothing here.
        for wrong in ("lineno", "traceback", None):
            with self.assertRaisesRegex(ValueError, "unknown group_by"):
                Snapshot(TIME, 1, TRACES).top_by(wrong)
            with self.assertRaisesRegex(ValueError, "unknown group_by"):
                GroupedStats(TIME, {}, wrong)
        # Nor the other way round.
        stdlib = Snapshot(TIME, 1, TRACES).to_stdlib()
        with self.assertRaises(ValueError):
            stdlib.statistics("line")
        with self.assertRaises(TypeError):
            stdlib.statistics(group_by="lineno")


class FileTests(TracingTestCase):
    def setUp(self):
        super().setUp()
        self.enterContext(os_helper.temp_cwd())

    def test_D49_write_and_load(self):
        snapshot = Snapshot(TIME, 123, TRACES)
        snapshot.add_metric("app.users", 3, "int")
        self.assertIsNone(snapshot.write("snapshot.pickle"))
        loaded = Snapshot.load("snapshot.pickle")
        for name in Snapshot.__slots__:
            self.assertEqual(getattr(loaded, name), getattr(snapshot, name),
                             name)

    def test_D49_load_without_traces(self):
        Snapshot(TIME, 123, TRACES).write("snapshot.pickle")
        loaded = Snapshot.load("snapshot.pickle", traces=False)
        self.assertIsNone(loaded.traces)
        self.assertEqual(loaded.stats, STATS)
        self.assertEqual(loaded.traceback_limit, 2)

    def test_D49_write_and_load_statistics_only(self):
        Snapshot(TIME, 123, stats=STATS).write("snapshot.pickle")
        loaded = Snapshot.load("snapshot.pickle")
        self.assertIsNone(loaded.traces)
        self.assertEqual((loaded.stats, loaded.metrics), (STATS, {}))

    def test_D49_real_snapshot(self):
        pytracemalloc.set_traceback_limit(10)
        pytracemalloc.enable()
        snapshot = Snapshot.create(traces=True)
        pytracemalloc.disable()
        snapshot.write("snapshot.pickle")
        loaded = Snapshot.load("snapshot.pickle")
        self.assertEqual(loaded.traces, snapshot.traces)
        self.assertEqual(loaded.metrics, snapshot.metrics)

    def test_D49_what_is_in_a_file(self):
        snapshot = Snapshot(TIME, 123, TRACES)
        snapshot.add_metric("app.users", 3, "int")
        snapshot.write("snapshot.pickle")
        with open("snapshot.pickle", "rb") as file:
            head = pickle.load(file)
            self.assertEqual(pickle.load(file), TRACES)
            self.assertEqual(file.read(), b"")
        self.assertEqual(head, {
            "format_version": (3, 4), "timestamp": TIME, "pid": 123,
            "traceback_limit": 2, "stats": STATS,
            "metrics": {"app.users": Metric("app.users", 3, "int")}})

    def test_D49_a_file_cannot_run_code(self):
        class Evil:
            def __reduce__(self):
                return os.mkdir, ("made",)

        for wrong in (Evil(), {"format_version": (3, 4), "stats": Evil()}):
            with open("snapshot.pickle", "wb") as file:
                pickle.dump(wrong, file)
            with self.assertRaises(ValueError):
                Snapshot.load("snapshot.pickle")
        self.assertEqual(os.listdir(), ["snapshot.pickle"])

    def test_D49_damaged_files(self):
        Snapshot(TIME, 123, TRACES).write("snapshot.pickle")
        with open("snapshot.pickle", "rb") as file:
            data = file.read()
        for wrong in (b"", b"text", data[:-10], data[:20],
                      pickle.dumps([1, 2]), pickle.dumps(
                          {"format_version": (9, 9)})):
            with open("snapshot.pickle", "wb") as file:
                file.write(wrong)
            with self.assertRaises(ValueError) as caught:
                Snapshot.load("snapshot.pickle")
            self.assertNotIn("\n", str(caught.exception))
        with self.assertRaises(FileNotFoundError):
            Snapshot.load("missing.pickle")

    def test_D49_memory_for_loading_is_limited(self):
        Snapshot(TIME, 123, TRACES).write("snapshot.pickle")
        with self.assertRaisesRegex(ValueError, "larger max_size"):
            Snapshot.load("snapshot.pickle", max_size=100)
        self.assertEqual(
            Snapshot.load("snapshot.pickle", max_size=10 ** 6).traces, TRACES)

    def test_a_traceback_that_blocks_share_is_gone_through_once(self):
        class Frames(list):
            seen = 0

            def __iter__(self):
                Frames.seen += 1
                return super().__iter__()

        frames = Frames([("a.py", 1), ("b.py", 2)])
        snapshot = Snapshot(TIME, 123, {number: (number, frames)
                                        for number in range(100)})
        Frames.seen = 0
        self.assertEqual(snapshot.top_by("filename", cumulative=True).stats,
                         {"a.py": (4950, 100), "b.py": (4950, 100)})
        self.assertEqual(Frames.seen, 1)
        self.assertEqual(len(snapshot.to_stdlib().traces), 100)
        self.assertEqual(Frames.seen, 2)
        snapshot.apply_filters([Filter(False, "c.py", traceback=True)])
        self.assertEqual(len(snapshot.traces), 100)
        self.assertEqual(Frames.seen, 3)

    def test_D49_files_of_the_releases(self):
        with open("old.pickle", "wb") as file:
            pickle.dump({"format_version": 1, "timestamp":
                         "2013-06-01 12:00:00", "pid": 5,
                         "stats": {"a.py": {1: (60, 2)}}}, file, 2)
        loaded = Snapshot.load("old.pickle")
        self.assertEqual((loaded.stats, loaded.traces, loaded.pid,
                          loaded.traceback_limit),
                         ({"a.py": {1: (60, 2)}}, None, 5, 1))
        file = io.StringIO()
        DisplayTop().display_snapshot(loaded, file=file)
        self.assertEqual(file.getvalue(), (
            "2013-06-01 12:00:00: "
            "Top 1 allocations per filename and line number\n"
            "#1: a.py:1: size=60 B, count=2, average=30 B\n"
            "Traced Python memory: size=60 B, count=2, average=30 B\n\n"))

    def test_D49_no_file_is_left_if_writing_fails(self):
        snapshot = Snapshot(TIME, 123, TRACES)
        snapshot.traces = {1: (2, lambda: None)}
        with self.assertRaises((pickle.PicklingError, AttributeError)):
            snapshot.write("snapshot.pickle")
        self.assertEqual(os.listdir(), [])
        with self.assertRaises(FileNotFoundError):
            snapshot.write(os.path.join("missing", "snapshot.pickle"))

    def test_D49_K8_files_of_tracemalloc(self):
        tracemalloc.start(2)
        kept = allocate("a.py", 4, 500)
        tracemalloc.take_snapshot().dump("stock.pickle")
        loaded = Snapshot.load("stock.pickle")
        self.assertIsNone(loaded.traces)
        self.assertEqual(loaded.traceback_limit, 2)
        self.assertEqual(loaded.stats["a.py"], {4: (500 + BYTES_HEAD, 1)})
        del kept

    def test_D44_K7_K1_to_and_from_tracemalloc(self):
        snapshot = Snapshot(TIME, 123, TRACES)
        stdlib = snapshot.to_stdlib()
        self.assertIs(type(stdlib), tracemalloc.Snapshot)
        self.assertEqual(stdlib.traceback_limit, 2)
        # There, the oldest frame is the first.
        self.assertEqual(list(map(str, stdlib.traces[0].traceback)),
                         ["main.py:7", "a.py:1"])
        self.assertEqual(
            {str(stat) for stat in stdlib.statistics("lineno")},
            {"a.py:1: size=60 B, count=2, average=30 B",
             "a.py:2: size=20 B, count=1, average=20 B",
             "b.py:1: size=300 B, count=1, average=300 B",
             "<unknown>:0: size=4000 B, count=1, average=4000 B"})
        back = Snapshot.from_stdlib(stdlib)
        self.assertEqual((back.stats, back.traces, back.traceback_limit),
                         (STATS, None, 2))
        with self.assertRaisesRegex(ValueError, "no traces"):
            back.to_stdlib()


class DifferenceTests(unittest.TestCase):
    def test_D42_attributes(self):
        stats = {"a.py": (10, 1)}
        grouped = GroupedStats(TIME, stats, "filename")
        self.assertEqual((grouped.timestamp, grouped.stats, grouped.group_by,
                          grouped.cumulative, grouped.metrics),
                         (TIME, stats, "filename", False, {}))
        metrics = {"m": Metric("m", 1, "int")}
        grouped = GroupedStats(TIME, stats, group_by="filename",
                               cumulative=True, metrics=metrics)
        self.assertIs(grouped.cumulative, True)
        self.assertEqual(grouped.metrics, metrics)

    def test_D42_compare_to_nothing(self):
        grouped = group({("a.py", 1): (10, 1), (None, None): (20, 2)})
        diff = grouped.compare_to()
        self.assertIs(type(diff), StatsDiff)
        self.assertIs(diff.new_stats, grouped)
        self.assertIsNone(diff.old_stats)
        self.assertEqual(diff.differences, [(0, 10, 0, 1, ("a.py", 1)),
                                            (0, 20, 0, 2, ("", 0))])

    def test_D42_compare_to_older(self):
        old = group({"a.py": (10, 1), "b.py": (5, 5), "c.py": (7, 1),
                     None: (1, 1)}, "filename")
        new = group({"a.py": (30, 2), "b.py": (5, 5), "d.py": (9, 3)},
                    "filename")
        diff = new.compare_to(old)
        self.assertIs(diff.old_stats, old)
        self.assertEqual(sorted(diff.differences), [
            (-7, 0, -1, 0, "c.py"), (-1, 0, -1, 0, ""), (0, 5, 0, 5, "b.py"),
            (9, 9, 3, 3, "d.py"), (20, 30, 1, 2, "a.py")])
        self.assertEqual(len(old.stats), 4)

    def test_D42_different_groups_cannot_be_compared(self):
        by_line = group({("a.py", 1): (1, 1)})
        for other in (group({"a.py": (1, 1)}, "filename"),
                      group({("a.py", 1): (1, 1)}, cumulative=True)):
            with self.assertRaisesRegex(ValueError, "cannot be compared"):
                by_line.compare_to(other)

    def test_D51_sort(self):
        rows = [(0, 5, 0, 1, "b"), (-9, 0, -1, 0, "a"), (0, 5, 0, 1, "c"),
                (9, 9, 1, 1, "a"), (0, 5, -3, 1, "a"), (0, 5, 0, 2, "a"),
                (100, 100, 1, 1, "z")]
        diff = StatsDiff(list(rows), None, None)
        self.assertEqual(diff.differences, rows)
        self.assertIsNone(diff.sort())
        self.assertEqual(diff.differences, [
            (100, 100, 1, 1, "z"), (9, 9, 1, 1, "a"), (-9, 0, -1, 0, "a"),
            (0, 5, -3, 1, "a"), (0, 5, 0, 2, "a"), (0, 5, 0, 1, "c"),
            (0, 5, 0, 1, "b")])


class DisplayTests(unittest.TestCase):
    def show(self, stats, count=10, top=None, hide=(), filename_parts=3):
        file = io.StringIO()
        top = top or DisplayTop()
        top.filename_parts = filename_parts
        for name in hide:
            self.assertIs(getattr(top, name), True)
            setattr(top, name, False)
        self.assertIsNone(top.display_top_stats(stats, count, file))
        return file.getvalue()

    def size(self, size):
        stats = group({("a.py", 1): (size, 1)})
        return re.search("size=(.*),", self.show(stats)).group(1)

    def test_D23_defaults(self):
        top = DisplayTop()
        self.assertEqual(vars(top), {
            "average": True, "color": None, "compare_to_previous": True,
            "count": True, "filename_parts": 3, "metrics": True,
            "previous_top_stats": None, "size": True})

    def test_D30_compact_cumulative_output_by_file(self):
        stats = group({
            "/srv/app/shop/main.py": (554 * MIB, 9),
            "/srv/app/shop/cache.py": (499 * MIB, 8),
            "<frozen importlib._bootstrap>": (401 * MIB + 5, 7),
            "/srv/app/shop/pages/__init__.py": (349 * MIB, 6),
            "/srv/app/tools/run.py": (255 * MIB, 5),
            "/one": (200 * MIB, 1), "/two": (100 * MIB, 1),
        }, "filename", cumulative=True)
        self.assertEqual(
            self.show(stats, 5, hide=["average", "count", "metrics"]),
            "2013-05-21 09:34:39: Cumulative top 5 allocations per filename\n"
            "#1: .../app/shop/main.py: 554 MiB\n"
            "#2: .../app/shop/cache.py: 499 MiB\n"
            "#3: <frozen importlib._bootstrap>: 401 MiB\n"
            "#4: .../shop/pages/__init__.py: 349 MiB\n"
            "#5: .../app/tools/run.py: 255 MiB\n"
            "2 more: 300 MiB\n"
            "\n")

    def test_D32_output_by_address(self):
        stats = group({
            0x7f51e8200010: (80 * MIB, 1), 0x7f51f0400010: (12 * MIB, 1),
            0x1a000010: (1536 * KIB, 1), 0x19000010: (253 * KIB, 1),
            0xa000010: (252 * KIB, 1), 0x1: (100, 1), 0x2: (85, 1),
        }, "address")
        self.assertEqual(
            self.show(stats, 5),
            "2013-05-21 09:34:39: Top 5 allocations per address\n"
            "#1: memory block 0x7f51e8200010: size=80 MiB\n"
            "#2: memory block 0x7f51f0400010: size=12 MiB\n"
            "#3: memory block 0x1a000010: size=1536 KiB\n"
            "#4: memory block 0x19000010: size=253 KiB\n"
            "#5: memory block 0xa000010: size=252 KiB\n"
            "2 more: size=185 B, average=92 B\n"
            "Traced Python memory: size=93 MiB, average=13 MiB\n"
            "\n")

    def test_D31_D29_D34_full_output_by_line(self):
        metrics = {name: Metric(name, value, format)
                   for name, value, format in (
            ("tracemalloc.traces", 645849, "int"),
            ("gc.objects", 2688709, "int"),
            ("process_memory.rss", 828 * MIB, "size"),
            ("process_memory.vms", 887 * MIB, "size"),
            ("tracemalloc.arena_size", 294 * MIB, "size"),
            ("tracemalloc.module.fragmentation", 0.19249, "percent"),
            ("tracemalloc.module.free", 14 * MIB + 999, "size"),
            ("tracemalloc.module.size", 77 * MIB, "size"),
            ("tracemalloc.traced.max_size", 182 * MIB, "size"),
            ("tracemalloc.traced.size", 151 * MIB, "size"))}
        stats = group({
            ("/srv/app/shop/cache.py", 120): (93 * MIB, 13),
            ("<frozen importlib._bootstrap>", 704): (26096 * KIB, 357474),
            ("/srv/app/shop/orders.py", 496): (2997 * KIB, 7942),
            ("/srv/app/abc.py", 1): (307 * KIB, 12),
            ("/srv/app/abc.py", 2): (3000, 2),
        }, metrics=metrics)
        self.assertEqual(
            self.show(stats, 4),
            "2013-05-21 09:34:39: "
            "Top 4 allocations per filename and line number\n"
            "#1: .../app/shop/cache.py:120: "
            "size=93 MiB, count=13, average=7 MiB\n"
            "#2: <frozen importlib._bootstrap>:704: "
            "size=25 MiB, count=357474, average=74 B\n"
            "#3: .../app/shop/orders.py:496: "
            "size=2997 KiB, count=7942, average=386 B\n"
            "#4: .../srv/app/abc.py:1: "
            "size=307 KiB, count=12, average=25 KiB\n"
            "1 more: size=3000 B, count=2, average=1500 B\n"
            "Traced Python memory: "
            "size=121 MiB, count=365443, average=349 B\n"
            "\n"
            "gc.objects: 2688709\n"
            "process_memory.rss: 828 MiB\n"
            "process_memory.vms: 887 MiB\n"
            "tracemalloc.arena_size: 294 MiB\n"
            "tracemalloc.module.fragmentation: 19.2%\n"
            "tracemalloc.module.free: 14 MiB\n"
            "tracemalloc.module.size: 77 MiB\n"
            "tracemalloc.traced.max_size: 182 MiB\n"
            "tracemalloc.traced.size: 151 MiB\n"
            "tracemalloc.traces: 645849\n"
            "\n")

    def test_D29_count_in_the_header_is_what_is_shown(self):
        stats = group({("a.py", 1): (10, 1), ("a.py", 2): (10, 1)})
        self.assertIn(": Top 2 allocations per", self.show(stats, 10))
        self.assertIn(": Top 0 allocations per", self.show(stats, 0))
        self.assertIn(": Top 0 allocations per",
                      self.show(group({}), 10))

    def test_D27_D35_K10_sizes_are_whole_numbers(self):
        for size, text in ((0, "0 B"), (1, "1 B"), (5119, "5119 B"),
                           (5120, "5 KiB"), (6143, "5 KiB"), (6144, "6 KiB"),
                           (5120 * KIB - 1, "5119 KiB"), (5120 * KIB, "5 MiB"),
                           (151 * MIB + 900 * KIB, "151 MiB"),
                           (5120 * MIB, "5 GiB"), (5120 * GIB, "5 TiB"),
                           (10 ** 5 * TIB, "100000 TiB")):
            with self.subTest(size=size):
                self.assertEqual(self.size(size), text)

    def test_D33_file_names_are_shortened(self):
        path = os.path.join(os.sep, "usr", "lib", "python", "abc.py")
        for parts, text in ((1, "abc.py"), (2, "python/abc.py"),
                            (3, "lib/python/abc.py"),
                            (4, "usr/lib/python/abc.py")):
            shown = self.show(group({path: (1, 1)}, "filename"),
                              filename_parts=parts)
            self.assertIn(f"#1: .../{text}: ".replace("/", os.sep), shown)
        for name in ("<frozen importlib._bootstrap>", "<string>", "abc.py",
                     os.path.join("lib", "python", "abc.py"), path):
            shown = self.show(group({name: (1, 1)}, "filename"),
                              filename_parts=5 if name == path else 3)
            self.assertIn(f"#1: {name}: ", shown)
        shown = self.show(group({(None, None): (1, 1)}))
        self.assertIn("#1: ???:?: size=1 B", shown)
        shown = self.show(group({None: (1, 1)}, "filename"))
        self.assertIn("#1: ???: size=1 B", shown)

    def test_D33_tracebacks(self):
        top = DisplayTop()
        self.assertEqual(top.format_traceback(()), ["(no traceback)"])
        self.assertEqual(top.format_traceback(None), ["(no traceback)"])
        with os_helper.temp_dir() as folder:
            path = os.path.join(folder, "shown.py")
            with open(path, "w", encoding="utf-8") as file:
                file.write("first = 1\n  second = 2\n")
            lines = top.format_traceback(
                ((path, 2), ("missing.py", 7), (None, None)))
        name = os.sep.join(["...", *path.split(os.sep)[-3:]])
        self.assertEqual(lines, [
            "Traceback (most recent call first):",
            f'  File "{name}", line 2', "    second = 2",
            '  File "missing.py", line 7', '  File "???", line ?'])

    def test_D23_what_is_hidden(self):
        stats = group({("a.py", 1): (300, 3)})
        for hidden, text in (
                ([], "size=300 B, count=3, average=100 B"),
                (["size"], "count=3, average=100 B"),
                (["count"], "size=300 B, average=100 B"),
                (["average"], "size=300 B, count=3"),
                (["size", "average"], "count=3"),
                (["count", "average"], "300 B")):
            self.assertEqual(self.show(stats, hide=hidden), (
                "2013-05-21 09:34:39: "
                "Top 1 allocations per filename and line number\n"
                f"#1: a.py:1: {text}\n"
                f"Traced Python memory: {text}\n\n"))

    def test_D34_metrics_can_be_hidden(self):
        metrics = {"m": Metric("m", 5, "int")}
        stats = group({("a.py", 1): (1, 1)}, metrics=metrics)
        self.assertTrue(self.show(stats).endswith("\n\nm: 5\n\n"))
        self.assertNotIn("m: 5", self.show(stats, hide=["metrics"]))

    def compared(self, top, file):
        old = group({("a.py", 1): (3000, 3), ("b.py", 1): (100, 1)},
                    metrics={"m": Metric("m", 5, "int"),
                             "gone": Metric("gone", 7, "int"),
                             "p": Metric("p", 0.5, "percent"),
                             "s": Metric("s", 10 * MIB, "size")})
        new = GroupedStats(LATER, {("a.py", 1): (1000, 1),
                                   ("c.py", 1): (600, 2)}, "line",
                           metrics={"m": Metric("m", 8, "int"),
                                    "new": Metric("new", 9, "int"),
                                    "p": Metric("p", 0.25, "percent"),
                                    "s": Metric("s", 4 * MIB, "size")})
        top.display_top_stats(old, file=file)
        file.truncate(0)
        file.seek(0)
        top.display_top_stats(new, file=file)
        return new

    def test_D28_D26_comparison(self):
        file = io.StringIO()
        top = DisplayTop()
        new = self.compared(top, file)
        self.assertEqual(
            file.getvalue(),
            "2013-05-21 09:35:39: Top 3 allocations per filename and line "
            "number (compared to 2013-05-21 09:34:39)\n"
            "#1: a.py:1: size=1000 B (-2000 B), count=1 (-2)\n"
            "#2: c.py:1: size=600 B (+600 B), count=2 (+2), average=300 B\n"
            "#3: b.py:1: size=0 B (-100 B), count=0 (-1)\n"
            "Traced Python memory: "
            "size=1600 B (-1500 B), count=3 (-1), average=533 B\n"
            "\n"
            "gone: 0 (-7)\n"
            "m: 8 (+3)\n"
            "new: 9\n"
            "p: 25.0% (-25.0%)\n"
            "s: 4096 KiB (-6 MiB)\n"
            "\n")
        self.assertIs(top.previous_top_stats, new)

    def test_D23_compare_to_first(self):
        top = DisplayTop()
        top.compare_to_previous = False
        first = group({("a.py", 1): (3000, 3)})
        self.show(first, top=top)
        for time in (LATER, LATER + datetime.timedelta(1)):
            text = self.show(GroupedStats(time, {("a.py", 1): (3001, 3)},
                                          "line"), top=top)
            self.assertIn("(compared to 2013-05-21 09:34:39)\n", text)
            self.assertIn("size=3001 B (+1 B), count=3 (+0)", text)
            self.assertIs(top.previous_top_stats, first)

    def test_D26_display_top_diff(self):
        file = io.StringIO()
        top = DisplayTop()
        diff = group({"a.py": (10, 1), "b.py": (30, 1)},
                     "filename").compare_to()
        self.assertIsNone(top.display_top_diff(diff, count=1, file=file))
        self.assertEqual(file.getvalue(), (
            "2013-05-21 09:34:39: Top 1 allocations per filename\n"
            "#1: b.py: size=30 B, count=1\n"
            "1 more: size=10 B, count=1\n"
            "Traced Python memory: size=40 B, count=2, average=20 B\n\n"))
        self.assertEqual([row[4] for row in diff.differences],
                         ["b.py", "a.py"])

    def test_D65_colours(self):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        stats = group({("/x/y/z/a.py", 1): (10, 1)},
                      metrics={"m": Metric("m", 5, "int")})
        for color, kind, expected in (
                (None, io.StringIO, False), (None, Terminal, True),
                (True, io.StringIO, True), (False, Terminal, False)):
            with self.subTest(color=color, kind=kind):
                file = kind()
                top = DisplayTop()
                top.color = color
                top.display_top_stats(stats, file=file)
                text = file.getvalue()
                self.assertEqual("\x1b[" in text, expected)
                plain = re.sub(r"\x1b\[[\d;]*m", "", text)
                self.assertEqual(plain, self.show(stats))
        # Each colour ends where it began.
        file = io.StringIO()
        top = DisplayTop()
        top.color = True
        self.compared(top, file)
        for line in file.getvalue().splitlines():
            codes = re.findall(r"\x1b\[([\d;]*)m", line)
            self.assertEqual(codes[1::2], ["0"] * (len(codes) // 2))
            self.assertEqual(len(codes) % 2, 0)

    def test_D26_a_file_needs_only_write(self):
        written = []

        class Writer:
            write = staticmethod(written.append)

        DisplayTop().display_top_stats(group({"a": (1, 1)}, "filename"),
                                       file=Writer())
        self.assertIn("#1: a: size=1 B", "".join(written))


class LiveDisplayTests(TracingTestCase):
    HEADER = (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: "
              r"Top (\d+) allocations per filename and line number")
    ROW = (r"#\d+: .+:(?:\d+|\?): size=\d+ (?:B|KiB|MiB), count=\d+"
           r"(?:, average=\d+ (?:B|KiB|MiB))?")

    def check(self, text, count):
        lines = text.splitlines()
        self.assertRegex(lines[0], f"^{self.HEADER}$")
        for line in lines[1:count + 1]:
            self.assertRegex(line, f"^{self.ROW}$")
        self.assertRegex(lines[count + 1], r"^\d+ more: size=")
        self.assertRegex(lines[count + 2], "^Traced Python memory: size=")
        self.assertEqual(lines[count + 3], "")
        names = [line.partition(": ")[0] for line in lines[count + 4:-1]]
        self.assertEqual(names, sorted(names))
        self.assertIn("tracemalloc.traced.size", names)

    def test_D24_D58_display(self):
        pytracemalloc.enable()
        kept = [run_at(f"file{n}.py", 3,
                       "one, two = bytes(n * 500), bytes(n * 500)", n=n)
                for n in range(20)]
        with mock.patch("sys.stdout", io.StringIO()) as stdout:
            snapshot = DisplayTop().display(5)
        self.assertIs(type(snapshot), Snapshot)
        self.assertIsNone(snapshot.traces)
        self.check(stdout.getvalue(), 5)
        self.assertIn("\n#1: file19.py:3: size=18 KiB, count=2, average=9",
                      stdout.getvalue())
        del kept

    def test_D24_D69_callback_adds_user_metrics(self):
        pytracemalloc.enable()
        file = io.StringIO()
        seen = []

        def callback(snapshot):
            seen.append(snapshot)
            snapshot.add_metric("app.users", 42, "int")

        snapshot = DisplayTop().display(1, "filename", file=file,
                                        callback=callback)
        self.assertEqual(seen, [snapshot])
        self.assertIn("\napp.users: 42\n", file.getvalue())

    def test_D24_by_address_and_cumulative(self):
        pytracemalloc.set_traceback_limit(5)
        pytracemalloc.enable()
        kept = allocate("a.py", 1, 3_000_000)
        file = io.StringIO()
        snapshot = DisplayTop().display(1, "address", file=file)
        self.assertIn(f"\n#1: memory block {id(kept):#x}: size=2929 KiB\n",
                      file.getvalue())
        self.assertIn("tracemalloc.traces: ", file.getvalue())
        self.assertIn(id(kept), snapshot.traces)
        snapshot = DisplayTop().display(1, "filename", True, file=file)
        self.assertIsNotNone(snapshot.traces)
        self.assertIn(": Cumulative top 1 allocations per filename\n",
                      file.getvalue())
        pytracemalloc.set_traceback_limit(1)
        file = io.StringIO()
        snapshot = DisplayTop().display(1, "filename", True, file=file)
        self.assertIsNone(snapshot.traces)
        self.assertNotIn("Cumulative", file.getvalue())

    def test_D24_metrics_that_are_hidden_are_not_taken(self):
        pytracemalloc.enable()
        top = DisplayTop()
        top.metrics = False
        snapshot = top.display(1, file=io.StringIO())
        self.assertEqual(snapshot.metrics, {})

    def test_D24_needs_tracing(self):
        with self.assertRaisesRegex(RuntimeError, "call enable"):
            DisplayTop().display()

    def test_D25_display_snapshot(self):
        file = io.StringIO()
        self.assertIsNone(DisplayTop().display_snapshot(
            Snapshot(TIME, 1, TRACES), 1, "filename", True, file))
        self.assertEqual(file.getvalue(), (
            "2013-05-21 09:34:39: Cumulative top 1 allocations per filename\n"
            "#1: ???: size=4000 B, count=1\n"
            "3 more: size=460 B, count=7, average=65 B\n\n"))

    def test_D25_another_grouping_is_shown_without_comparison(self):
        for to_previous in True, False:
            top = DisplayTop()
            top.compare_to_previous = to_previous
            snapshot = Snapshot(TIME, 1, TRACES)
            compared = []
            for group_by, cumulative in (
                    ("line", True), ("line", False), ("line", False),
                    ("filename", False), ("address", False),
                    ("address", False)):
                file = io.StringIO()
                top.display_snapshot(snapshot, 3, group_by, cumulative, file)
                compared.append("compared to" in file.getvalue())
            self.assertEqual(compared,
                             [False, False, True, False, False, True])

    def test_D24_cumulative_and_not_one_after_the_other(self):
        pytracemalloc.set_traceback_limit(2)
        pytracemalloc.enable()
        self.addCleanup(pytracemalloc.set_traceback_limit, 1)
        top = DisplayTop()
        for cumulative in True, False, True:
            file = io.StringIO()
            top.display(3, cumulative=cumulative, file=file)
            self.assertNotIn("compared to", file.getvalue())

    def test_names_and_times_do_not_control_terminals(self):
        snapshot = Snapshot("\033[2J2013", 1, {
            1: (7, (("a\033[2J\nb.py", 1),))})
        snapshot.add_metric("x\r\033", 1, "int")
        file = io.StringIO()
        DisplayTop().display_snapshot(snapshot, file=file)
        text = file.getvalue()
        self.assertTrue(text.replace("\n", "").isprintable(), text)
        self.assertIn(r"\x1b[2J2013: Top 1", text)
        self.assertIn(r"a\x1b[2J\nb.py:1", text)


if __name__ == "__main__":
    unittest.main()
