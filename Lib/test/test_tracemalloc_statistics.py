"""Statistics of snapshots in columns: the results of raw traces, and more.

Most tests write the columns by hand, so that every number in them is known.
"""
import copy
import math
import os
import pickle
import random
import textwrap
import tracemalloc
import unittest
import weakref
from array import array
from collections import Counter
from test import support
from test.support import os_helper
from tracemalloc import _columns, _groups
from tracemalloc._columns import SnapshotData

OLD_KEYS = ("filename", "lineno", "traceback")
ALL_KEYS = (*OLD_KEYS, "function", "module", "thread", "domain")


def columnar(raw, limit=65535, **metadata):
    """Return a snapshot of the same traces that works with columns."""
    return tracemalloc.Snapshot._of(SnapshotData.from_raw(raw), limit,
                                    metadata)


class Hand:
    """Data written by hand, with names instead of their numbers."""

    def __init__(self):
        self.names = [""]
        self.columns = {
            name: array(code) for name, code in _columns.COLUMNS.items()
            if name not in _columns.ACCOUNTS}
        self.path(0, "", "", 0)

    def number(self, name):
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)

    def append(self, **numbers):
        for name, number in numbers.items():
            self.columns[name].append(number)

    def path(self, parent, file, function, line):
        self.append(path_parent=parent, path_file=self.number(file),
                    path_function=self.number(function), path_line=line)
        return len(self.columns["path_parent"]) - 1

    def context(self, path, file, function, line, blocks, *,
                columns=(-1, -1, -1), freed=(), peak=(0, 0), domain=0,
                thread="MainThread", depth=None):
        """Add a context with live *blocks* of these sizes, and *freed* ones.
        """
        number = len(self.columns["context_path"])
        if depth is None:
            depth, at = 1, path
            while at:
                depth, at = depth + 1, self.columns["path_parent"][at]
        self.append(
            context_path=path, context_file=self.number(file),
            context_function=self.number(function), context_line=line,
            context_end_line=columns[0], context_column=columns[1],
            context_end_column=columns[2], context_domain=domain,
            context_thread=self.number(thread), context_depth=depth,
            context_allocated_blocks=len(blocks) + len(freed),
            context_allocated_bytes=sum(blocks) + sum(freed),
            context_freed_blocks=len(freed), context_freed_bytes=sum(freed),
            context_peak_blocks=peak[0], context_peak_bytes=peak[1])
        for size, count in sorted(Counter(blocks).items()):
            self.append(row_context=number, row_size=size, row_count=count)
        return number

    def snapshot(self, limit=25, **metadata):
        data = SnapshotData(self.names, **self.columns)
        data.check()
        return tracemalloc.Snapshot._of(data, limit, metadata)


def example():
    """Return a Hand with churn, recursion, threads, domains and columns.

    main calls load (line 2), which calls parse (line 11) that calls itself
    (line 21); each of them allocates.
    """
    hand = Hand()
    main = hand.path(0, "/app/main.py", "<module>", 2)
    load = hand.path(main, "/app/pkg/load.py", "load", 11)
    parse = hand.path(load, "/app/pkg/load.py", "Parser.parse", 21)
    again = hand.path(parse, "/app/pkg/load.py", "Parser.parse", 21)
    hand.context(0, "/app/main.py", "<module>", 3, [100, 100, 50],
                 columns=(3, 4, 10), peak=(3, 250))
    hand.context(main, "/app/pkg/load.py", "load", 12, [7], freed=[1000, 2000],
                 columns=(12, 8, 20), peak=(2, 2007), thread="worker")
    hand.context(main, "/app/pkg/load.py", "load", 12, [9], freed=[],
                 columns=(12, 23, 40), peak=(0, 0), thread="worker")
    hand.context(again, "/app/pkg/load.py", "Parser.parse", 22, [30] * 4,
                 freed=[30] * 6, peak=(10, 300))
    hand.context(parse, "/lib/python3.13/json/decoder.py", "decode", 5, [],
                 freed=[500], peak=(1, 500))
    hand.context(load, "/app/pkg/load.py", "Parser.parse", 22, [64], domain=7,
                 peak=(1, 64))
    hand.context(0, "<unknown>", "", 0, [8], thread="", peak=(1, 8))
    return hand


def figures(statistics, *names):
    """Return {text of the traceback: the named attributes}."""
    return {str(each.traceback): tuple(getattr(each, name) for name in names)
            for each in statistics}


def random_raw(choice, blocks=300):
    names = ["a.py", "b/c.py", "<unknown>", "d.pyc", ""]
    paths = [tuple((choice.choice(names), choice.randrange(5))
                   for _ in range(choice.randrange(1, 7))) for _ in range(40)]
    return [(choice.choice((0, 0, 1, 389047)),
             choice.choice((0, 1, 8, 512, 10 ** 12)),
             path, len(path) + choice.randrange(3))
            for path in choice.choices(paths, k=choice.randrange(blocks))]


class SameAsRawTests(unittest.TestCase):
    """The columns give what the list of traces gives, which is stock's."""

    def setUp(self):
        self.random = random.Random(self.id())

    def pairs(self):
        for _ in range(30):
            raw = random_raw(self.random)
            yield tracemalloc.Snapshot(raw, 25), columnar(raw)

    def test_S51_S54_statistics(self):
        for raw, columns in self.pairs():
            for key in OLD_KEYS:
                for cumulative in {False, key != "traceback"}:
                    self.assertEqual(columns.statistics(key, cumulative),
                                     raw.statistics(key, cumulative))

    def test_S55_S56_compare_to(self):
        older = None
        for raw, columns in self.pairs():
            if older:
                for key in OLD_KEYS:
                    expected = raw.compare_to(older[0], key)
                    for old in older:
                        self.assertEqual(columns.compare_to(old, key),
                                         expected)
                        self.assertEqual(raw.compare_to(old, key), expected)
            older = raw, columns

    def test_S51_S54_S55_of_nothing(self):
        raw = random_raw(self.random, 20)
        columns = columnar(raw)
        none = [tracemalloc.Filter(True, "no such file")]
        for kept in columnar([]), columns.filter_traces(none):
            for key in _groups.KEY_TYPES:
                for cumulative in {False, key in _groups.CUMULATIVE}:
                    with self.subTest(key, cumulative=cumulative):
                        self.assertEqual(kept.statistics(key, cumulative), [])
                        self.assertEqual(
                            kept.compare_to(kept, key, cumulative), [])
                        self.assertEqual(
                            [(row.traceback, row.size_diff) for row
                             in columns.compare_to(kept, key, cumulative)],
                            [(row.traceback, row.size) for row
                             in columns.statistics(key, cumulative)])

    def some_filter(self):
        choice = self.random
        if choice.random() < 0.2:
            return tracemalloc.DomainFilter(choice.random() < 0.5,
                                            choice.choice((0, 1, 7)))
        return tracemalloc.Filter(
            choice.random() < 0.5,
            choice.choice(["a.py", "*.py", "<*", "d.pyc", "*", ""]),
            choice.choice((None, None, 0, 3)), choice.random() < 0.6,
            choice.choice((None, None, 0, 1)))

    def test_S57_S58_filter_traces(self):
        for raw, columns in self.pairs():
            for number in range(4):
                filters = [self.some_filter() for _ in range(number)]
                expected = raw.filter_traces(filters)
                kept = columns.filter_traces(filters)
                self.assertIsNotNone(kept.traces._blocks)
                kept.traces._blocks.data.check()
                self.assertEqual(Counter(kept.traces),
                                 Counter(expected.traces))
                self.assertEqual(kept.statistics("traceback"),
                                 expected.statistics("traceback"))

    def test_S71_frames_beyond_the_limit_are_not_looked_at(self):
        raw = [(0, 1, (("a.py", 1), ("b.py", 1), ("c.py", 1)), 3),
               (0, 2, (("c.py", 1), ("b.py", 1)), 2),
               (0, 4, (("a.py", 1), ("a.py", 1), ("c.py", 1), ("c.py", 1)), 4)]
        for limit in range(1, 5):
            cut = tracemalloc.Snapshot(
                [(domain, size, frames[:limit], total)
                 for domain, size, frames, total in raw],
                limit)
            whole = columnar(raw, limit)
            self.assertEqual(list(whole.traces), list(cut.traces))
            for name in "abc":
                filters = [tracemalloc.Filter(True, name + ".py",
                                              all_frames=True)]
                self.assertEqual(list(whole.filter_traces(filters).traces),
                                 list(cut.filter_traces(filters).traces))
            for key in OLD_KEYS:
                for cumulative in {False, key != "traceback"}:
                    self.assertEqual(whole.statistics(key, cumulative),
                                     cut.statistics(key, cumulative))

    def test_S58_a_filter_class_of_ones_own_is_asked_for_every_trace(self):
        asked = []

        class Big(tracemalloc.BaseFilter):
            def _match(self, trace):
                asked.append(trace)
                return trace[1] > 8

        raw = random_raw(self.random, 1000)
        kept = columnar(raw, sample=1).filter_traces([Big(True)])
        self.assertEqual(Counter(asked), Counter(raw))
        self.assertEqual(Counter(kept.traces._traces),
                         Counter(trace for trace in raw if trace[1] > 8))
        self.assertEqual(kept.metadata, {"sample": 1})

    def test_S57_a_filtered_snapshot_keeps_what_the_whole_one_knows(self):
        snapshot = example().snapshot(pid=5)
        kept = snapshot.filter_traces([tracemalloc.Filter(True, "*/load.py")])
        self.assertEqual(kept.metadata, {"pid": 5})
        self.assertIsNot(kept.metadata, snapshot.metadata)
        self.assertEqual(
            figures(kept.statistics("filename"), "size", "freed_size",
                    "peak_count"),
            {"/app/pkg/load.py:0": (7 + 9 + 120 + 64, 3180, 13)})
        copied = snapshot.filter_traces([])
        self.assertEqual(copied.traces, snapshot.traces)
        self.assertIsNot(copied.traces, snapshot.traces)


class TracesTests(unittest.TestCase):

    def setUp(self):
        self.raw = random_raw(random.Random(1), 2000)
        self.assertGreater(len(self.raw), 50)
        self.snapshot = columnar(self.raw)
        self.list = tracemalloc.Snapshot(
            self.snapshot.traces._traces, 25).traces

    def fresh(self):
        """Return traces of which no list was made yet."""
        return columnar(self.raw).traces

    def test_S49_traces_are_the_sequence_that_a_list_of_them_is(self):
        self.assertEqual(Counter(self.fresh()),
                         Counter(map(tracemalloc.Trace, self.raw)))
        self.assertEqual(len(self.fresh()), len(self.raw))
        self.assertEqual(repr(self.fresh()), repr(self.list))
        self.assertEqual(list(self.fresh()), list(self.list))
        self.assertEqual(list(reversed(self.fresh())),
                         list(reversed(self.list)))
        traces = self.fresh()
        for index in range(-len(self.raw), len(self.raw)):
            self.assertEqual(traces[index], self.list[index])
        for index in (len(self.raw), -len(self.raw) - 1):
            with self.assertRaisesRegex(IndexError,
                                        "^list index out of range$"):
                traces[index]
        for index in (slice(3), slice(None, None, -7), slice(5, 2),
                      slice(-4, None)):
            self.assertEqual(traces[index], self.list[index])
            self.assertIs(type(traces[index]), tuple)
        self.assertNotIn("_traces", vars(traces))

    def test_S49_membership_equality_and_hash(self):
        traces = self.fresh()
        for trace in self.list:
            self.assertIn(trace, traces)
        self.assertNotIn(tracemalloc.Trace((0, 99, (("a.py", 1),), 1)), traces)
        self.assertEqual(traces, self.list)
        self.assertEqual(self.list, traces)
        self.assertEqual(traces, self.fresh())
        self.assertNotEqual(traces, columnar(self.raw[1:]).traces)
        self.assertNotEqual(
            traces, columnar([(9, *self.raw[0][1:]), *self.raw[1:]]).traces)
        self.assertNotEqual(traces, list(traces))
        with self.assertRaises(TypeError):
            hash(traces)

    def test_S33_equal_tracebacks_of_the_list_are_one_tuple(self):
        found = {}
        for _, _, frames, _ in self.fresh()._traces:
            self.assertIs(found.setdefault(frames, frames), frames)
        self.assertLess(len(found), len(self.raw) / 2)

    def test_S49_the_list_is_made_once(self):
        traces = self.fresh()
        self.assertIs(traces._traces, traces._traces)
        self.assertRaises(AttributeError, getattr, traces, "_nothing")
        self.assertRaises(AttributeError, getattr,
                          tracemalloc._Traces.__new__(tracemalloc._Traces),
                          "_traces")

    def test_copies_know_all_that_the_original_knows(self):
        raw = tracemalloc.Snapshot(list(self.raw), 25)
        for make in copy.copy, copy.deepcopy:
            hand = example().snapshot(pid=1)
            copied = make(hand)
            self.assertEqual(copied.traces, hand.traces)
            self.assertEqual(copied.metadata, {"pid": 1})
            self.assertEqual(copied.statistics("lineno")[0].allocated_size,
                             250)
            self.assertEqual(copied.statistics("function"),
                             hand.statistics("function"))
            self.assertEqual(make(raw).traces, raw.traces)
        self.assertIsNot(copy.deepcopy(raw).traces._traces, raw.traces._traces)
        self.assertIsNot(copy.deepcopy(hand).metadata, hand.metadata)

    def test_S61_pickles_hold_the_list_and_nothing_else_of_ours(self):
        for snapshot in (self.snapshot, example().snapshot()):
            for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
                copied = pickle.loads(pickle.dumps(snapshot, protocol))
                self.assertIsNone(copied.traces._blocks)
                self.assertEqual(set(vars(copied.traces)), {"_traces"})
                self.assertEqual(copied.traces, snapshot.traces)
                for key in OLD_KEYS:
                    self.assertEqual(copied.statistics(key),
                                     snapshot.statistics(key))
                for values in (snapshot.statistics("lineno"),
                               list(snapshot.traces[:3]),
                               list(snapshot.traces[0].traceback),
                               snapshot.compare_to(columnar([]), "function")):
                    copies = pickle.loads(pickle.dumps(values, protocol))
                    self.assertEqual(copies, values)
                    self.assertFalse(any(hasattr(each, "_origin")
                                         for each in copies))


class FunctionModuleThreadDomainTests(unittest.TestCase):

    def setUp(self):
        self.snapshot = example().snapshot()

    def test_function_is_named_by_file_and_qualified_name(self):
        statistics = self.snapshot.statistics("function")
        self.assertEqual(figures(statistics, "size", "count"), {
            "/app/main.py:<module>": (250, 3),
            "/app/pkg/load.py:Parser.parse": (184, 5),
            "/app/pkg/load.py:load": (16, 2),
            "<unknown>": (8, 1)})
        frame = statistics[1].traceback[0]
        self.assertEqual((frame.filename, frame.lineno, frame.function),
                         ("/app/pkg/load.py", 0, "Parser.parse"))
        self.assertIsNone(statistics[3].traceback[0].function)
        self.assertEqual(statistics[1].traceback.format(),
                         ["  /app/pkg/load.py:Parser.parse"])

    def test_functions_of_one_file_are_different_groups(self):
        tracebacks = {each.traceback
                      for each in self.snapshot.statistics("function")}
        self.assertEqual(len(tracebacks), 4)

    def test_thread(self):
        self.assertEqual(
            figures(self.snapshot.statistics("thread"), "size", "count"),
            {"MainThread": (434, 8), "worker": (16, 2), "<unknown>": (8, 1)})

    def test_S77_domain(self):
        self.assertEqual(figures(self.snapshot.statistics("domain"), "size",
                                 "count"),
                         {"domain 0": (394, 10), "domain 7": (64, 1)})

    def test_module(self):
        statistics = self.snapshot.statistics("module",
                                              sort_by="allocated_size")
        self.assertEqual(figures(statistics, "size", "allocated_count"), {
            "load": (200, 15), "main": (250, 3), "json": (0, 1),
            "<unknown>": (8, 1)})
        snapshot = example().snapshot(path=["/app", "/lib/python3.13"])
        self.assertEqual(figures(snapshot.statistics("module"), "size"),
                         {"pkg": (200,), "main": (250,), "<unknown>": (8,)})

    def test_metadata_that_makes_no_sense_is_ignored(self):
        for path in (5, "/app", [5, None, "/app"], {"/app": 1}, None):
            for interval in ("5", 0, -1, 5.5, True, [1]):
                statistics = example().snapshot(path=path,
                                                sample_interval=interval)
                found = figures(statistics.statistics("module"), "size",
                                "size_error")
                self.assertEqual(
                    found["pkg" if type(path) is list else "load"],
                    (200, None))

    def test_groups_and_data_are_gone_with_the_snapshot(self):
        snapshot = example().snapshot()
        statistics = snapshot.statistics("lineno", sort_by="freed_size")
        self.assertIsNotNone(statistics[0].peak_size)
        alive = weakref.ref(statistics[0]._origin[0])
        with support.disable_gc():
            del snapshot, statistics
            self.assertIsNone(alive())

    def test_cumulative_function_and_module_count_a_block_once(self):
        statistics = self.snapshot.statistics("function", cumulative=True)
        self.assertEqual(figures(statistics, "size", "count"), {
            "/app/main.py:<module>": (450, 10),
            "/app/pkg/load.py:load": (200, 7),
            "/app/pkg/load.py:Parser.parse": (184, 5), "<unknown>": (8, 1)})
        snapshot = example().snapshot(path=["/app"])
        self.assertEqual(figures(snapshot.statistics("module", True), "size"),
                         {"main": (450,), "pkg": (200,), "<unknown>": (8,)})
        # Other than by line, where recursion counts, as it always did.
        lines = figures(self.snapshot.statistics("lineno", True), "size")
        self.assertEqual(lines["/app/pkg/load.py:21"], (240,))

    def test_cumulative_sees_as_many_frames_as_the_limit(self):
        for limit, expected in ((1, (250, 3)), (2, (266, 5)), (3, (330, 6)),
                                (4, (330, 6)), (5, (450, 10))):
            statistics = example().snapshot(limit).statistics("function", True)
            self.assertEqual(
                figures(statistics, "size", "count")["/app/main.py:<module>"],
                expected)

    def test_S53_cumulative_makes_no_sense_for_threads_and_domains(self):
        for key in ("thread", "domain", "traceback"):
            with self.assertRaisesRegex(
                    ValueError,
                    f"^cumulative mode cannot by used with key type '{key}'$"):
                self.snapshot.statistics(key, True)

    def test_S52_hand_made_snapshots_have_the_keys_too(self):
        raw = tracemalloc.Snapshot(self.snapshot.traces._traces, 25)
        self.assertEqual(raw.statistics("domain"),
                         self.snapshot.statistics("domain"))
        self.assertEqual(figures(raw.statistics("thread"), "count"),
                         {"<unknown>": (11,)})
        self.assertEqual(figures(raw.statistics("function"), "size"),
                         {"/app/main.py": (250,), "/app/pkg/load.py": (200,),
                          "<unknown>": (8,)})

    def test_names_that_occur_twice_are_one_group(self):
        hand = example()
        hand.names = ["/app/main.py" if name == "/app/pkg/load.py" else name
                      for name in hand.names]
        statistics = hand.snapshot().statistics("filename", cumulative=True)
        self.assertEqual(figures(statistics, "size")["/app/main.py:0"],
                         (250 + 2 * 16 + 5 * 120 + 3 * 64,))
        self.assertEqual(len(statistics), 2)


class ModuleOfTests(unittest.TestCase):

    def test_folders_of_imports_decide(self):
        folders = ["/app", "/usr/lib/python3.13",
                   "/usr/lib/python3.13/site-packages",
                   "/zip/lib.zip", "C:\\app"]
        for filename, module in [
                ("/app/main.py", "main"), ("/app/pkg/sub/x.py", "pkg"),
                ("/usr/lib/python3.13/json/decoder.py", "json"),
                ("/usr/lib/python3.13/os.py", "os"),
                ("/usr/lib/python3.13/site-packages/numpy/core/x.py", "numpy"),
                ("/usr/lib/python3.13/site-packages/six.py", "six"),
                ("/zip/lib.zip/inside/x.py", "inside"),
                ("C:\\app\\win\\x.py", "win"), ("/application/x.py", "x")]:
            self.assertEqual(_groups.module_of(filename, folders), module)

    def test_without_folders_the_usual_names_do(self):
        for filename, module in [
                ("/opt/lib/python3.13/json/decoder.py", "json"),
                ("/opt/lib/python3.13/site-packages/numpy/core/x.py", "numpy"),
                ("/usr/lib/python3/dist-packages/apt/cache.py", "apt"),
                ("/home/me/tool.py", "tool"), ("tool.py", "tool"),
                ("/home/me/tool/__init__.py", "tool"),
                ("<frozen importlib._bootstrap>", "importlib"),
                ("<frozen os>", "os"), ("<string>", "<string>"),
                ("<unknown>", "<unknown>"), ("", "")]:
            self.assertEqual(_groups.module_of(filename, ()), module)

    def test_so_many_folders_count_as_an_interpreter_may_have(self):
        folders = [f"/{number}" for number in range(1_000_000)]
        found = _groups.folders_in({"path": folders})
        self.assertTrue(100 < len(found) < 10_000)
        self.assertEqual(found, folders[:len(found)])


class FigureTests(unittest.TestCase):

    ALL = ("size", "count", "allocated_size", "allocated_count", "freed_size",
           "freed_count", "peak_size", "peak_count")

    def test_figures_of_groups(self):
        statistics = example().snapshot().statistics("lineno")
        self.assertEqual(figures(statistics, *self.ALL), {
            "/app/main.py:3": (250, 3, 250, 3, 0, 0, 250, 3),
            "/app/pkg/load.py:12": (16, 2, 3016, 4, 3000, 2, 2007, 2),
            "/app/pkg/load.py:22": (184, 5, 364, 11, 180, 6, 364, 11),
            "<unknown>:0": (8, 1, 8, 1, 0, 0, 8, 1)})

    def test_figures_include_contexts_where_nothing_is_live(self):
        statistics = example().snapshot(path=["/app"]).statistics(
            "module", cumulative=True)
        self.assertEqual(figures(statistics, "size", "freed_size")["main"],
                         (450, 3680))

    def test_groups_without_live_blocks_are_listed_for_other_figures(self):
        snapshot = example().snapshot()
        by_size = [str(each.traceback)
                   for each in snapshot.statistics("lineno")]
        self.assertNotIn("/lib/python3.13/json/decoder.py:5", by_size)
        by_freed = snapshot.statistics("lineno", sort_by="freed_size")
        self.assertEqual(
            [(str(each.traceback), each.freed_size) for each in by_freed], [
                ("/app/pkg/load.py:12", 3000),
                ("/lib/python3.13/json/decoder.py:5", 500),
                ("/app/pkg/load.py:22", 180), ("/app/main.py:3", 0),
                ("<unknown>:0", 0)])

    def test_sort_by(self):
        snapshot = example().snapshot()
        for figure in (*self.ALL, "temporary"):
            name = "freed_count" if figure == "temporary" else figure
            statistics = snapshot.statistics("lineno", sort_by=figure)
            ranks = [(getattr(each, name), each.size,
                      each.count, each.traceback)
                     for each in statistics]
            self.assertEqual(ranks, sorted(ranks, reverse=True))
            self.assertEqual(len(ranks),
                             4 if figure in ("size", "count") else 5)

    def test_unknown_figures(self):
        snapshot = example().snapshot()
        for sort_by in ("sizes", None, [], 5):
            for call in (lambda: snapshot.statistics("lineno",
                                                     sort_by=sort_by),
                         lambda: snapshot.compare_to(snapshot, "lineno",
                                                     sort_by=sort_by)):
                with self.assertRaisesRegex(
                        ValueError, "^unknown sort_by: .*choose one of size"):
                    call()

    def test_snapshots_of_raw_traces_know_live_blocks_only(self):
        raw = example().snapshot().traces._traces
        for snapshot in (tracemalloc.Snapshot(raw, 25), columnar(raw)):
            for key in ALL_KEYS:
                for each in snapshot.statistics(key):
                    self.assertEqual(
                        {getattr(each, name) for name in self.ALL[2:]}, {None})
            for sort_by in ("freed_count", "temporary", "peak_size"):
                with self.assertRaisesRegex(ValueError,
                                            f"^cannot sort by '{sort_by}'"):
                    snapshot.statistics("lineno", sort_by=sort_by)
            self.assertEqual(
                snapshot.statistics("lineno", sort_by="count")[0].count, 5)

    def test_a_statistic_made_by_hand_knows_nothing_more(self):
        traceback = tracemalloc.Traceback((("a.py", 1),))
        for each in (tracemalloc.Statistic(traceback, 1, 1),
                     tracemalloc.StatisticDiff(traceback, 1, 1, 1, 1)):
            self.assertIsNone(each.allocated_size)
            self.assertIsNone(each.freed_count)
            self.assertFalse(hasattr(each, "__dict__"))

    def test_S62_S64_figures_take_no_part_in_equality_and_text(self):
        snapshot = example().snapshot()
        raw = tracemalloc.Snapshot(snapshot.traces._traces, 25)
        for mine, other in [
                (snapshot.statistics("lineno"), raw.statistics("lineno")),
                (snapshot.compare_to(raw, "lineno"),
                 raw.compare_to(raw, "lineno"))]:
            self.assertEqual(mine, other)
            self.assertEqual(list(map(hash, mine)), list(map(hash, other)))
            self.assertEqual(list(map(str, mine)), list(map(str, other)))
            self.assertEqual(list(map(repr, mine)), list(map(repr, other)))


class EstimateTests(unittest.TestCase):
    """Snapshots of samples: rows say for how many blocks they stand."""

    def setUp(self):
        self.hand = Hand()
        main = self.hand.path(0, "main.py", "<module>", 1)
        again = self.hand.path(main, "main.py", "<module>", 1)
        # What is smaller than the interval stands for more than itself.
        self.hand.context(main, "main.py", "f", 2, [100] * 40)
        self.hand.context(again, "main.py", "f", 2, [100] * 10 + [10 ** 6])
        self.hand.context(0, "main.py", "g", 3, [0] * 1000)
        self.snapshot = self.hand.snapshot(sample_interval=1000)

    def weight(self, size):
        return 1 / (1 - math.exp(-max(size, 1) / 1000))

    def test_standard_errors(self):
        found = {str(each.traceback): each
                 for each in self.snapshot.statistics("lineno")}
        f, g = found["main.py:2"], found["main.py:3"]
        self.assertAlmostEqual(f.count_error,
                               math.sqrt(50 * (self.weight(100) - 1)))
        self.assertAlmostEqual(f.size_error, 100 * f.count_error)
        self.assertAlmostEqual(g.count_error,
                               math.sqrt(1000 * (self.weight(0) - 1)))
        self.assertEqual(g.size_error, 0)
        # One sample of 100 bytes stands for 10.5 blocks; four or five of them
        # are 50 blocks, give or take two samples.
        self.assertAlmostEqual(f.count_error, 21.8, places=1)

    def test_errors_of_what_counts_twice_are_twice_as_large(self):
        found = {str(each.traceback): each
                 for each in self.snapshot.statistics("lineno", True)}
        variance = self.weight(100) - 1
        self.assertAlmostEqual(found["main.py:1"].count_error,
                               math.sqrt(40 * variance
                                         + 2 ** 2 * 10 * variance))
        self.assertEqual(found["main.py:1"].count, 40 + 2 * 11)
        once = {str(each.traceback): each
                for each in self.snapshot.statistics("module", True)}
        self.assertEqual(once["main"].count, 1051)

    def test_text_says_that_it_is_an_estimate(self):
        f, g = self.snapshot.statistics("lineno")
        self.assertEqual(
            str(f), "main.py:2: size=~981 KiB, count=~51, average=19.2 KiB")
        older = tracemalloc.Snapshot([], 1)
        self.assertEqual(
            [str(each)
             for each in self.snapshot.compare_to(older, "lineno")][1],
            "main.py:3: size=~0 B (+0 B), count=~1000 (+1000), average=0 B")
        self.assertIn("~", str(older.compare_to(self.snapshot, "filename")[0]))
        self.assertEqual(f, self.hand.snapshot().statistics("lineno")[0])

    def test_exact_figures_have_no_error(self):
        for each in (
                self.hand.snapshot(sample_interval=None).statistics("lineno")):
            self.assertEqual((each.size_error, each.count_error), (None, None))
            self.assertNotIn("~", str(each))

    def test_a_pickle_of_an_estimate_stays_an_estimate(self):
        copied = pickle.loads(pickle.dumps(self.snapshot))
        for key in OLD_KEYS:
            expected = self.snapshot.statistics(key)
            self.assertEqual(copied.statistics(key), expected)
            self.assertEqual(list(map(str, copied.statistics(key))),
                             list(map(str, expected)))
            self.assertEqual([each.size_error
                              for each in copied.statistics(key)],
                             [each.size_error for each in expected])

    def test_errors_at_the_peak_are_not_known(self):
        for name in _columns.ROWS:
            self.hand.columns[name] = None
        self.hand.columns["context_peak_blocks"][0] = 1
        stat, = self.hand.snapshot(sample_interval=1000).statistics("lineno")
        self.assertEqual((stat.size_error, stat.count_error), (None, None))
        self.assertIn("count=~1", str(stat))


class ChangeTests(unittest.TestCase):

    def setUp(self):
        self.old = example()
        self.new = example()
        self.new.columns["context_allocated_blocks"][1] += 5
        self.new.columns["context_allocated_bytes"][1] += 500
        self.new.columns["context_freed_blocks"][1] += 4
        self.new.columns["context_freed_bytes"][1] += 400
        self.new.columns["row_count"][2] += 1
        self.new.columns["row_size"][2] = 107 // 2
        self.new.context(0, "/app/main.py", "<module>", 9, [1000])

    def snapshots(self):
        return self.new.snapshot(), self.old.snapshot()

    def test_S55_differences_tell_what_was_allocated_and_freed_in_between(
            self):
        new, old = self.snapshots()
        diffs = new.compare_to(old, "lineno")
        names = ("size", "size_diff", "count", "count_diff", "allocated_size",
                 "allocated_count", "freed_size", "freed_count")
        self.assertEqual(figures(diffs, *names), {
            "/app/main.py:9": (1000, 1000, 1, 1, 1000, 1, 0, 0),
            "/app/pkg/load.py:12": (116, 100, 3, 1, 500, 5, 400, 4),
            "/app/main.py:3": (250, 0, 3, 0, 0, 0, 0, 0),
            "/app/pkg/load.py:22": (184, 0, 5, 0, 0, 0, 0, 0),
            "<unknown>:0": (8, 0, 1, 0, 0, 0, 0, 0)})

    def test_differences_can_be_sorted_by_what_happened(self):
        new, old = self.snapshots()
        first = new.compare_to(old, "lineno", sort_by="freed_count")[0]
        self.assertEqual(str(first.traceback), "/app/pkg/load.py:12")
        first = new.compare_to(old, "lineno", sort_by="temporary")[0]
        self.assertEqual(first.freed_count, 4)
        self.assertEqual(
            len(new.compare_to(old, "lineno", sort_by="temporary")), 5)

    def test_groups_that_were_never_live_are_listed_for_other_figures(self):
        self.new.context(0, "/app/main.py", "<module>", 10, [], freed=[10] * 9)
        new, old = self.snapshots()
        self.assertNotIn("/app/main.py:10",
                         figures(new.compare_to(old, "lineno")))
        diffs = new.compare_to(old, "lineno", sort_by="freed_count")
        self.assertEqual((str(diffs[0].traceback), diffs[0].freed_count,
                          diffs[0].size),
                         ("/app/main.py:10", 9, 0))
        self.assertEqual(len(diffs), 6)

    def test_the_peak_is_no_difference(self):
        new, old = self.snapshots()
        with self.assertRaisesRegex(ValueError,
                                    "^cannot sort differences by 'peak_size'"):
            new.compare_to(old, "lineno", sort_by="peak_size")

    def test_totals_that_shrink_are_of_another_time_of_tracing(self):
        new, old = self.snapshots()
        diffs = old.compare_to(new, "lineno")
        self.assertEqual({each.allocated_size for each in diffs}, {None})
        self.assertEqual(diffs[0].size_diff, -1000)
        with self.assertRaisesRegex(ValueError, "while tracing went on"):
            old.compare_to(new, "lineno", sort_by="allocated_size")

    def test_functions_are_known_of_vanished_groups_too(self):
        new, old = self.snapshots()
        diffs = old.compare_to(new, "lineno")
        self.assertEqual([each.traceback[0].function for each in diffs[:2]],
                         ["<module>", "load"])
        raw = tracemalloc.Snapshot([(0, 1, (("x.py", 1),), 1)], 1)
        self.assertEqual(
            {str(each.traceback): each.traceback[0].function
             for each in raw.compare_to(old, "lineno")},
            {"x.py:1": None, "/app/main.py:3": "<module>",
             "/app/pkg/load.py:12": "load",
             "/app/pkg/load.py:22": "Parser.parse", "<unknown>:0": None})


class PeakTests(unittest.TestCase):

    def setUp(self):
        hand = example()
        for name in _columns.ROWS:
            hand.columns[name] = None
        self.snapshot = hand.snapshot()

    def test_statistics_are_those_of_the_peak(self):
        self.assertEqual(
            figures(self.snapshot.statistics("lineno"), "size", "count"), {
                "/app/pkg/load.py:12": (2007, 2),
                "/lib/python3.13/json/decoder.py:5": (500, 1),
                "/app/pkg/load.py:22": (364, 11), "/app/main.py:3": (250, 3),
                "<unknown>:0": (8, 1)})

    def test_other_figures_are_those_of_the_snapshot(self):
        self.assertEqual(
            figures(self.snapshot.statistics("lineno"), "freed_size",
                    "peak_size")["/app/pkg/load.py:12"], (3000, 2007))

    def test_compare_and_filter(self):
        now = example().snapshot()
        diffs = self.snapshot.compare_to(now, "lineno")
        self.assertEqual(figures(diffs, "size_diff")["/app/pkg/load.py:12"],
                         (1991,))
        kept = self.snapshot.filter_traces(
            [tracemalloc.Filter(True, "*/main.py")])
        self.assertEqual(kept.statistics("filename")[0].size, 250)

    def test_there_are_no_traces(self):
        traces = self.snapshot.traces
        self.assertEqual(repr(traces), "<Traces at the peak>")
        for call in (lambda: len(traces), lambda: traces[0],
                     lambda: list(traces), lambda: traces[:1],
                     lambda: traces._traces, lambda: traces == traces,
                     lambda: pickle.dumps(self.snapshot),
                     lambda: tracemalloc.Trace((0, 1, (), 1)) in traces):
            with self.assertRaisesRegex(
                    ValueError, "^single blocks are not known at the peak"):
                call()


class DetailTests(unittest.TestCase):

    def details(self, frame):
        return frame.function, frame.end_lineno, frame.column, frame.end_column

    def test_a_trace_tells_function_and_columns(self):
        snapshot = example().snapshot()
        trace = next(trace for trace in snapshot.traces if trace.size == 7)
        caller, own = trace.traceback
        self.assertEqual(self.details(own), ("load", 12, 8, 20))
        self.assertEqual(self.details(caller), ("<module>", None, None, None))
        self.assertEqual(self.details(trace.traceback[-2]),
                         self.details(caller))
        self.assertEqual([self.details(frame)
                          for frame in trace.traceback[::-1]],
                         [self.details(own), self.details(caller)])

    def test_details_take_no_part_in_comparison(self):
        frame = next(iter(example().snapshot().traces)).traceback[-1]
        plain = tracemalloc.Frame(("/app/main.py", 3))
        self.assertEqual(self.details(frame), ("<module>", 3, 4, 10))
        self.assertEqual(self.details(plain), (None,) * 4)
        self.assertEqual((frame, hash(frame), repr(frame)),
                         (plain, hash(plain), repr(plain)))
        self.assertLessEqual(frame, plain)

    def test_a_frame_without_function(self):
        trace = [trace for trace in example().snapshot().traces
                 if trace.size == 8][0]
        self.assertEqual(self.details(trace.traceback[0]), (None,) * 4)

    def test_statistics_tell_what_all_of_the_group_have_in_common(self):
        found = {str(each.traceback[-1]): self.details(each.traceback[-1])
                 for each in example().snapshot().statistics("traceback")}
        self.assertEqual(found["/app/main.py:3"], ("<module>", 3, 4, 10))
        self.assertEqual(found["/app/pkg/load.py:12"],
                         ("load", 12, None, None))
        found = {str(each.traceback): self.details(each.traceback[0])
                 for each in example().snapshot().statistics(
                     "lineno", cumulative=True)}
        self.assertEqual(found["/app/pkg/load.py:21"],
                         ("Parser.parse", None, None, None))
        self.assertEqual(found["/app/main.py:3"],
                         ("<module>", None, None, None))
        two = example()
        two.context(0, "/app/main.py", "other", 3, [1])
        found = {str(each.traceback): each.traceback[0].function
                 for cumulative in (False, True)
                 for each in two.snapshot().statistics("lineno", cumulative)}
        self.assertIsNone(found["/app/main.py:3"])
        self.assertEqual(found["/app/pkg/load.py:11"], "load")

    def test_callers_in_statistics_by_traceback(self):
        biggest = example().snapshot().statistics("traceback")
        deep = next(each.traceback for each in biggest if each.size == 120)
        self.assertEqual([frame.function for frame in deep],
                         ["<module>", "load", "Parser.parse", "Parser.parse",
                          "Parser.parse"])


class FormatTests(unittest.TestCase):

    SOURCE = textwrap.dedent("""\
        total = first(x) + second(y)
        if total:
            result = "\u00e4\u20ac" + make(1)
            call(1,
                 2)
        """)

    def setUp(self):
        self.filename = os.path.abspath(os_helper.TESTFN + ".py")
        self.addCleanup(os_helper.unlink, self.filename)
        with open(self.filename, "w", encoding="utf-8") as stream:
            stream.write(self.SOURCE)

    def lines(self, line, columns, details=True, function="f"):
        hand = Hand()
        caller = hand.path(0, self.filename, "<module>", 2)
        hand.context(caller, self.filename, function, line, [1],
                     columns=columns)
        traceback = hand.snapshot().traces[0].traceback
        return traceback.format(details=details)

    def test_S44_without_details_nothing_is_added(self):
        self.assertEqual(self.lines(1, (1, 8, 16), details=False), [
            f'  File "{self.filename}", line 2', "    if total:",
            f'  File "{self.filename}", line 1',
            "    total = first(x) + second(y)"])

    def test_details_show_function_and_expression(self):
        self.assertEqual(self.lines(1, (1, 19, 28)), [
            f'  File "{self.filename}", line 2, in <module>', "    if total:",
            f'  File "{self.filename}", line 1, in f',
            "    total = first(x) + second(y)",
            "                       ^^^^^^^^^"])

    def test_columns_are_bytes(self):
        # 4 blanks, 9 characters, a quoted text of 2 + 3 bytes, 3 characters.
        self.assertEqual(self.lines(3, (3, 23, 30))[-2:], [
            '    result = "\u00e4\u20ac" + make(1)',
            "                    ^^^^^^^"])

    def test_an_expression_that_goes_on_is_marked_to_the_end_of_the_line(self):
        self.assertEqual(self.lines(4, (5, 8, 11))[-1], "        ^^^")

    def test_a_whole_line_is_not_marked(self):
        self.assertEqual(self.lines(1, (1, 0, 28))[-1],
                         "    total = first(x) + second(y)")

    def test_what_is_not_known_is_left_out(self):
        self.assertEqual(self.lines(1, (-1, -1, -1), function="")[2:], [
            f'  File "{self.filename}", line 1',
            "    total = first(x) + second(y)"])
        self.assertEqual(self.lines(99, (99, 2, 4))[2:],
                         [f'  File "{self.filename}", line 99, in f'])


if __name__ == "__main__":
    unittest.main()
