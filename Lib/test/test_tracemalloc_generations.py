"""Three interfaces in twelve years: what tracemalloc keeps,
and what it does not.

Rows P01 to P15 are about pytracemalloc 1.0 to 1.2, rows K1 to K18 about what
the generations say differently.  The interface of 2013 is a package of its own
and has tests of its own.
"""
import inspect
import os
import pickle
import pickletools
import re
import subprocess
import sys
import tracemalloc
import unittest
from test.support import import_helper
from test.support.script_helper import assert_python_ok

SOURCE = os.environ.get("TRACEMALLOC_SOURCE")
STOCK_PYTHON = os.environ.get("TRACEMALLOC_STOCK_PYTHON")

RAW = [(0, 10, (("a.py", 2), ("b.py", 4)), 2), (0, 5, (("b.py", 9),), 1)]


class OldInterfaceTests(unittest.TestCase):

    def setUp(self):
        self.snapshot = tracemalloc.Snapshot(list(RAW), 2)

    def test_P01_K16_its_version_is_the_forks(self):
        self.assertIn(f"tracemalloc-fork {tracemalloc.__version__} ",
                      sys.version)
        if STOCK_PYTHON:
            asked = subprocess.run(
                [STOCK_PYTHON, "-c",
                 "import tracemalloc; print(hasattr(tracemalloc, "
                 "'__version__'))"],
                capture_output=True, text=True, check=True)
            self.assertEqual(asked.stdout, "False\n")

    def test_P02_K2_the_grouping_is_called_key_type(self):
        for method in (self.snapshot.statistics,
                       lambda **options: self.snapshot.compare_to(
                           self.snapshot, **options)):
            with self.assertRaisesRegex(TypeError, "group_by"):
                method(group_by="lineno")
            self.assertEqual(len(method(key_type="lineno")), 2)
        # By position it works with all.
        self.assertEqual(len(self.snapshot.statistics("lineno", True)), 3)

    def test_P02_the_interface_of_1_2_is_there(self):
        names = ("clear_traces get_object_traceback get_traceback_limit "
                 "get_traced_memory get_tracemalloc_memory is_tracing start "
                 "stop take_snapshot Filter Frame Snapshot Statistic "
                 "StatisticDiff Trace Traceback")
        self.assertLessEqual(set(names.split()), set(tracemalloc.__all__))

    def test_P03_K4_a_filter_has_four_parameters_and_a_domain_behind(self):
        parameters = list(inspect.signature(tracemalloc.Filter).parameters)
        self.assertEqual(parameters, ["inclusive", "filename_pattern",
                                      "lineno", "all_frames", "domain"])
        each = tracemalloc.Filter(True, "*.py", 3, True)
        self.assertEqual((each.inclusive, each.filename_pattern, each.lineno,
                          each.all_frames, each.domain),
                         (True, "*.py", 3, True, None))
        for name in ("include", "pattern", "traceback", "match_filename"):
            self.assertFalse(hasattr(each, name))

    def test_P04_K18_pyc_is_py_and_pyo_is_no_more(self):
        for suffix, kept in ((".py", 1), (".pyc", 1), (".pyo", 0)):
            snapshot = tracemalloc.Snapshot([(0, 1, (("a" + suffix, 1),), 1)],
                                            1)
            for pattern in ("a.py", "a.pyc"):
                filtered = snapshot.filter_traces(
                    [tracemalloc.Filter(True, pattern)])
                self.assertEqual(len(filtered.traces), kept)

    def test_P05_K1_tracebacks_begin_with_the_oldest_frame_raw_with_the_newest(
            self):
        trace = self.snapshot.traces[0]
        self.assertEqual([str(frame) for frame in trace.traceback],
                         ["b.py:4", "a.py:2"])
        self.assertEqual(trace._trace[2], (("a.py", 2), ("b.py", 4)))

    def test_P06_K9_memory_is_a_pair_and_a_number(self):
        pair = tracemalloc.get_traced_memory()
        self.assertEqual((type(pair), list(map(type, pair))),
                         (tuple, [int, int]))
        self.assertIs(type(tracemalloc.get_tracemalloc_memory()), int)

    def test_P07_start_has_a_default_and_takes_at_least_one_frame(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the test would end it")
        self.addCleanup(tracemalloc.stop)
        tracemalloc.start()
        self.assertEqual(tracemalloc.get_traceback_limit(), 1)
        tracemalloc.stop()
        for nframe in (0, -1):
            with self.assertRaises(ValueError):
                tracemalloc.start(nframe)

    def test_P08_K12_one_variable_starts_tracing_and_its_old_name_does_not(
            self):
        code = "import tracemalloc; print(tracemalloc.is_tracing())"
        for name, expected in (("PYTHONTRACEMALLOC", b"True"),
                               ("PYTRACEMALLOC", b"False")):
            result = assert_python_ok("-c", code, __isolated=False,
                                      **{name: "1"})
            self.assertEqual(result.out.strip(), expected)

    def test_P09_filters_must_be_iterable(self):
        for wrong in (None, 5, tracemalloc.Filter(True, "*")):
            with self.assertRaisesRegex(
                    TypeError, "^filters must be a list of filters, not "
                    f"{type(wrong).__name__}$"):
                self.snapshot.filter_traces(wrong)

    def test_P10_format_and_slices(self):
        traceback = self.snapshot.traces[0].traceback
        self.assertEqual(traceback.format(),
                         ['  File "b.py", line 4', '  File "a.py", line 2'])
        self.assertEqual(traceback[:1], (traceback[0],))
        self.assertEqual(self.snapshot.traces[1:], (self.snapshot.traces[1],))

    def test_P11_protocol_2_is_protocol_2(self):
        data = pickle.dumps(self.snapshot, 2)
        protocols = {opcode.proto for opcode, _, _ in pickletools.genops(data)}
        self.assertEqual(max(protocols), 2)
        self.assertEqual(pickle.loads(data).traces, self.snapshot.traces)

    def test_P12_columns_lie_where_the_processor_wants_them(self):
        ctypes = import_helper.import_module("ctypes")

        class Buffer(ctypes.Structure):
            _fields_ = [("buf", ctypes.c_void_p), ("obj", ctypes.py_object),
                        ("len", ctypes.c_ssize_t),
                        ("itemsize", ctypes.c_ssize_t),
                        ("rest", ctypes.c_void_p * 8)]

        if not tracemalloc.is_tracing():
            self.addCleanup(tracemalloc.stop)
            tracemalloc.start()
        kept = [bytes(size) for size in range(1000)]
        columns = tracemalloc.take_snapshot().traces._data.columns()
        sizes = set()
        for column in columns.values():
            buffer = Buffer()
            simple = 0
            ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(column),
                                                ctypes.byref(buffer), simple)
            self.assertEqual(buffer.itemsize, column.itemsize)
            self.assertEqual(buffer.buf % buffer.itemsize, 0)
            sizes.add(buffer.itemsize)
            ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))
        self.assertEqual(sizes, {4, 8})
        self.assertEqual(len(kept), 1000)

    @unittest.skipUnless(os.path.exists("/proc/self/maps"), "needs /proc")
    def test_P13_no_library_but_those_of_the_base(self):
        def libraries(python):
            code = ("import re, tracemalloc; tracemalloc.start(); "
                    "tracemalloc.take_snapshot(); "
                    "print(*set(re.findall(r'/(lib[^/ ]*?)[-.0-9]*[.]so', "
                    "open('/proc/self/maps').read())))")
            return set(subprocess.run([python, "-I", "-c", code], check=True,
                                      text=True,
                                      capture_output=True).stdout.split())

        ours = libraries(sys.executable)
        self.assertFalse({name for name in ours if "glib" in name})
        if STOCK_PYTHON:
            self.assertEqual(ours, libraries(STOCK_PYTHON))

    def test_K3_names_of_groups_are_those_of_today(self):
        for key_type in ("line", "address"):
            with self.assertRaisesRegex(ValueError,
                                        f"^unknown key_type: '{key_type}'$"):
                self.snapshot.statistics(key_type)

    def test_K5_K17_what_2013_had_is_not_in_this_module(self):
        for name in ("enable", "disable", "is_enabled", "set_traceback_limit",
                     "get_stats", "add_filter", "Task", "TakeSnapshotTask",
                     "DisplayTop", "DisplayTopTask",
                     "GroupedStats", "Metric", "get_source"):
            self.assertFalse(hasattr(tracemalloc, name), name)

    def test_K10_sizes_have_a_decimal_below_a_hundred_units(self):
        self.assertEqual([tracemalloc._format_size(size, False) for size in
                          (92, 10240, 1536 * 1024, 151 * 1024 ** 2)],
                         ["92 B", "10.0 KiB", "1536 KiB", "151 MiB"])

    def test_K13_where_code_and_old_manual_disagree_the_code_is_right(self):
        new = self.snapshot.compare_to(tracemalloc.Snapshot([], 1), "lineno")
        self.assertEqual([(each.size_diff, each.count_diff) for each in new],
                         [(10, 1), (5, 1)])
        traceback = self.snapshot.traces[0].traceback
        self.assertEqual(traceback.format(-1), ['  File "b.py", line 4'])
        self.assertEqual(traceback.format(0), [])
        with self.assertRaises(TypeError):
            tracemalloc.start(nframe=1)
        if not tracemalloc.is_tracing():
            self.assertIs(type(tracemalloc.get_traceback_limit()), int)

    def test_K14_with_one_frame_first_and_last_are_the_same(self):
        for each in self.snapshot.statistics("lineno"):
            self.assertEqual(each.traceback[0], each.traceback[-1])


@unittest.skipUnless(SOURCE, "TRACEMALLOC_SOURCE does not name the sources")
class ManualTests(unittest.TestCase):

    def setUp(self):
        with open(os.path.join(SOURCE, "Doc", "library", "tracemalloc.rst"),
                  encoding="utf-8") as stream:
            self.text = stream.read()

    def test_P15_every_public_name_is_described(self):
        described = re.findall(
            r"(?m)^\.\. (?:function|class|exception):: (\w+)", self.text)
        self.assertEqual(set(described), set(tracemalloc.__all__))
        self.assertEqual(len(described), len(set(described)))
        for name in ("gc.get_referrers", "sys.getsizeof"):
            self.assertIn(f":func:`{name}`", self.text)

    def test_P15_every_public_attribute_is_described(self):
        for name in tracemalloc.__all__:
            found = getattr(tracemalloc, name)
            if isinstance(found, type):
                section = re.search(
                    rf"(?ms)^\.\. (?:class|exception):: {name}\b.*?(?=^\S|\Z)",
                    self.text)[0]
                bases = {attribute for base in found.__mro__[1:]
                         for attribute in vars(base)}
                for attribute in vars(found):
                    if (not attribute.startswith("_")
                            and attribute not in bases):
                        with self.subTest(name=name, attribute=attribute):
                            self.assertRegex(
                                section,
                                r"\.\. (?:attribute|method|classmethod|"
                                rf"staticmethod):: (?:\w+\s+)*{attribute}\b")

    def test_P14_K18_what_has_no_meaning_any_more_is_said(self):
        history = self.text[self.text.index("\nHistory\n"):]
        for word in ("Python 2.7", "3.3", "``ucs4``", "glib", "``.pyo``"):
            self.assertIn(word, history)


if __name__ == "__main__":
    unittest.main()
