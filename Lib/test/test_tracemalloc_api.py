"""The modern API of tracemalloc, requirement by requirement (rows S01 to S77).

Where the environment variable TRACEMALLOC_STOCK_PYTHON names an untouched
interpreter, programs are run by both and must print the same.
"""
import contextlib
import inspect
import os
import re
import subprocess
import sys
import textwrap
import tracemalloc
import unittest
import weakref
from test import support
from test.support import import_helper, threading_helper
from unittest import mock

import _tracemalloc

_testinternalcapi = import_helper.import_module("_testinternalcapi")

STOCK_PYTHON = os.environ.get("TRACEMALLOC_STOCK_PYTHON")
needs_stock = unittest.skipUnless(
    STOCK_PYTHON,
    "TRACEMALLOC_STOCK_PYTHON does not name an interpreter to compare with")

RANGE_ERROR = r"^the number of frames must be in range \[1; 65535\]$"
OFF_ERROR = "the tracemalloc module must be tracing memory "
OFF_ERROR += "allocations to take a snapshot"


def python_output(python, code, *arguments, **variables):
    """Return what *code* prints when the interpreter *python* runs it."""
    env = dict(os.environ, PYTHONHASHSEED="0", **variables)
    if python == STOCK_PYTHON:
        # What leads to the modules of the interpreter under test.
        for name in "PYTHONPATH", "PYTHONHOME":
            env.pop(name, None)
    process = subprocess.run([python, "-c", textwrap.dedent(code), *arguments],
                             env=env, capture_output=True, text=True,
                             timeout=support.LONG_TIMEOUT)
    if process.returncode:
        raise AssertionError(f"{python}: status {process.returncode}\n"
                             f"{process.stderr}")
    return process.stdout


def here(offset=0):
    """Return the caller's (file name, line number + offset)."""
    frame = sys._getframe(1)
    return frame.f_code.co_filename, frame.f_lineno + offset


class Tracing(unittest.TestCase):
    """Base of tests that trace inside this process."""

    nframe = 1

    def setUp(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the test would end it")
        self.addCleanup(tracemalloc.stop)
        tracemalloc.start(self.nframe)


class ModuleTests(unittest.TestCase):

    def test_S01_core_is_built_in_and_module_needs_no_installation(self):
        self.assertIn("_tracemalloc", sys.builtin_module_names)
        self.assertTrue(os.path.samefile(
            os.path.dirname(os.path.dirname(tracemalloc.__file__)),
            os.path.dirname(os.__file__))
            or "PYTHONPATH" in os.environ)

    def test_S01_every_public_name_is_there_and_listed_once(self):
        expected = {
            "BaseFilter", "DomainFilter", "Filter", "Frame", "Snapshot",
            "Statistic", "StatisticDiff", "Trace", "Traceback", "clear_traces",
            "get_object_traceback", "get_traceback_limit",
            "get_traced_memory", "get_tracemalloc_memory", "is_tracing",
            "reset_peak", "start", "stop", "take_snapshot"}
        self.assertLessEqual(expected, set(tracemalloc.__all__))
        self.assertEqual(len(tracemalloc.__all__),
                         len(set(tracemalloc.__all__)))
        for name in tracemalloc.__all__:
            self.assertTrue(hasattr(tracemalloc, name), name)

    @needs_stock
    def test_S01_names_of_stock_are_all_there(self):
        names = python_output(STOCK_PYTHON,
                              "import tracemalloc; print(*dir(tracemalloc))")
        # What stock needs inside and nothing of ours has to have.
        private = {"_compare_grouped_stats", "__cached__"}
        self.assertLessEqual(set(names.split()) - private,
                             set(dir(tracemalloc)))

    @needs_stock
    def test_what_completion_offers_is_public_or_stocks(self):
        code = """if True:
            import rlcompleter, tracemalloc
            completer = rlcompleter.Completer({"tracemalloc": tracemalloc})
            completer.complete("tracemalloc.", 0)
            print(*(match.partition(".")[2].rstrip("()") for match in completer.matches))
        """
        offered = set(python_output(sys.executable, code).split())
        self.assertLessEqual(set(tracemalloc.__all__), offered)
        stock = set(python_output(STOCK_PYTHON, code).split())
        self.assertEqual(offered - set(tracemalloc.__all__) - stock, set())

    def test_docstring_names_nothing_that_is_private(self):
        self.assertEqual(re.findall(r"\b_\w+|\braw\b", tracemalloc.__doc__),
                         [])
        # But what to begin with.
        for name in ("start(", "take_snapshot(", "-X tracemalloc=25",
                     "-m tracemalloc run"):
            self.assertIn(name, tracemalloc.__doc__)

    @needs_stock
    def test_S01_K11_import_loads_no_more_modules_than_stock(self):
        code = ("import sys; before = set(sys.modules); import tracemalloc; "
                "print(*sorted(set(sys.modules) - before))")
        ours = set(python_output(sys.executable, code).split())
        # The parts of the package that every snapshot and its statistics need.
        ours -= {f"tracemalloc.{part}"
                 for part in ("_columns", "_filters", "_groups", "_metadata",
                              "_paths", "_ranking", "_snapshot",
                              "_statistics", "_text", "_values", "_version")}
        self.assertLessEqual(ours,
                             set(python_output(STOCK_PYTHON, code).split()))

    def test_S01_modules_that_programs_reach_through_this_one(self):
        for name in ("pickle", "linecache", "fnmatch", "os"):
            self.assertIs(getattr(tracemalloc, name), sys.modules[name])
            self.assertIn(name, dir(tracemalloc))
        with self.assertRaisesRegex(
                AttributeError, "^module 'tracemalloc' has no attribute 'x'$"):
            tracemalloc.x

    def test_S02_tracing_is_off_by_default(self):
        env = {name: value for name, value in os.environ.items()
               if name != "PYTHONTRACEMALLOC"}
        process = subprocess.run(
            [sys.executable, "-c", "import tracemalloc as t; "
             "print(t.is_tracing(), t.get_traced_memory(), t._get_traces(), "
             "t.get_traceback_limit())"],
            env=env, capture_output=True, text=True)
        self.assertEqual(process.stdout, "False (0, 0) [] 1\n")

    def test_S35_every_function_has_a_signature(self):
        expected = {
            "start": "(nframe=1, /, *, sample_interval=None, record=None, "
                     "record_size=16777216)",
            "stop": "()", "is_tracing": "()",
            "clear_traces": "()", "reset_peak": "()", "take_snapshot": "()",
            "get_traceback_limit": "()", "get_traced_memory": "()",
            "get_tracemalloc_memory": "()", "get_object_traceback": "(obj)",
            "_get_traces": "()", "_get_object_traceback": "(obj, /)",
            "Snapshot": "(traces, traceback_limit)",
            "Snapshot.statistics": "(self, key_type, cumulative=False, *, "
                                   "sort_by='size')",
            "Snapshot.compare_to": "(self, old_snapshot, key_type, "
                                   "cumulative=False, *, sort_by='size')",
            "Snapshot.filter_traces": "(self, filters)",
            "Snapshot.dump": "(self, filename, *, format=None)",
            "Snapshot.load": "(filename, *, max_size=None)",
            "Filter": "(inclusive, filename_pattern, lineno=None, "
                      "all_frames=False, domain=None)",
            "DomainFilter": "(inclusive, domain)", "BaseFilter": "(inclusive)",
            "Statistic": "(traceback, size, count)",
            "StatisticDiff": "(traceback, size, size_diff, count, count_diff)",
            "Traceback": "(frames, total_nframe=None)",
            "Traceback.format": "(self, limit=None, most_recent_first=False, "
                                "*, details=False)",
            "Trace": "(trace)", "Frame": "(frame)",
        }
        for name, signature in expected.items():
            with self.subTest(name=name):
                found = tracemalloc
                for part in name.split("."):
                    found = getattr(found, part)
                self.assertEqual(str(inspect.signature(found)), signature)

    def test_S01_public_classes_are_the_package_s_own(self):
        for name in tracemalloc.__all__:
            found = getattr(tracemalloc, name)
            if isinstance(found, type):
                with self.subTest(name=name):
                    self.assertEqual(repr(found),
                                     f"<class 'tracemalloc.{name}'>")
                    # Not that of __init__.py, where they are not.
                    with self.assertRaises(OSError):
                        inspect.getsource(found)
        for method in (tracemalloc.Snapshot.dump, tracemalloc.Filter._match,
                       tracemalloc.Frame.__str__,
                       tracemalloc.Statistic.__str__):
            self.assertEqual(method.__module__, "tracemalloc")
            self.assertIn(method.__name__, inspect.getsource(method))

    def test_S01_public_names_are_documented(self):
        for name in tracemalloc.__all__:
            with self.subTest(name=name):
                self.assertTrue(inspect.getdoc(getattr(tracemalloc, name)))


class LifeCycleTests(Tracing):

    def test_S03_start_takes_its_argument_by_position_only(self):
        with self.assertRaises(TypeError):
            tracemalloc.start(nframe=1)
        with self.assertRaises(TypeError):
            tracemalloc.start(1, 2)
        self.assertIsNone(tracemalloc.start())

    def test_S04_start_rejects_less_than_one_frame(self):
        tracemalloc.stop()
        for nframe in 0, -1, -65535, False:
            with self.subTest(nframe=nframe):
                with self.assertRaisesRegex(ValueError, RANGE_ERROR):
                    tracemalloc.start(nframe)
                self.assertFalse(tracemalloc.is_tracing())

    def test_S05_start_rejects_bad_nframe(self):
        tracemalloc.stop()
        cases = [(65536, ValueError), (2 ** 31 - 1, ValueError),
                 (2 ** 31, OverflowError), (-2 ** 31 - 1, OverflowError),
                 (2 ** 200, OverflowError), (1.0, TypeError), ("1", TypeError),
                 (None, TypeError), ([], TypeError)]
        for nframe, error in cases:
            with self.subTest(nframe=nframe):
                with self.assertRaises(error) as caught:
                    tracemalloc.start(nframe)
                if error is ValueError:
                    self.assertRegex(str(caught.exception), RANGE_ERROR)
                self.assertFalse(tracemalloc.is_tracing())

    def test_S05_start_accepts_objects_with_index(self):
        class Index:
            def __index__(self):
                return 7
        tracemalloc.stop()
        tracemalloc.start(Index())
        self.assertEqual(tracemalloc.get_traceback_limit(), 7)

    def test_S05_start_accepts_the_whole_range(self):
        for nframe in 1, 2, 25, 65534, 65535:
            tracemalloc.stop()
            tracemalloc.start(nframe)
            self.assertEqual(tracemalloc.get_traceback_limit(), nframe)

    def test_S06_start_while_tracing_changes_nothing_but_validates(self):
        kept = bytes(5000)
        before = tracemalloc.get_object_traceback(kept)
        self.assertIsNotNone(before)
        tracemalloc.start(9)
        self.assertEqual(tracemalloc.get_traceback_limit(), 1)
        self.assertEqual(tracemalloc.get_object_traceback(kept), before)
        with self.assertRaisesRegex(ValueError, RANGE_ERROR):
            tracemalloc.start(0)
        with self.assertRaises(TypeError):
            tracemalloc.start("9")
        self.assertTrue(tracemalloc.is_tracing())
        self.assertEqual(tracemalloc.get_object_traceback(kept), before)

    def test_S08_stop_may_be_called_when_off(self):
        self.assertIsNone(tracemalloc.stop())
        self.assertIsNone(tracemalloc.stop())
        self.assertFalse(tracemalloc.is_tracing())

    def test_S09_stop_forgets_everything(self):
        kept = bytes(5000)
        tracemalloc.stop()
        self.assertIs(tracemalloc.is_tracing(), False)
        self.assertEqual(tracemalloc.get_traced_memory(), (0, 0))
        self.assertEqual(tracemalloc._get_traces(), [])
        self.assertIsNone(tracemalloc.get_object_traceback(kept))
        tracemalloc.start()
        self.assertIsNone(tracemalloc.get_object_traceback(kept))

    def test_S10_is_tracing_is_a_bool(self):
        self.assertIs(tracemalloc.is_tracing(), True)
        tracemalloc.stop()
        self.assertIs(tracemalloc.is_tracing(), False)

    def test_S11_clear_traces_keeps_tracing_and_snapshots(self):
        kept, line = bytes(5000), here()
        snapshot = tracemalloc.take_snapshot()
        tracemalloc.clear_traces()
        current, peak = tracemalloc.get_traced_memory()
        # The result tuple and its numbers are made after the clear.
        self.assertLess(peak, 1000)
        self.assertTrue(tracemalloc.is_tracing())
        self.assertIsNone(tracemalloc.get_object_traceback(kept))
        self.assertIn((5000 + sys.getsizeof(b""), line),
                      [(trace.size, trace.traceback[0]._frame)
                       for trace in snapshot.traces])
        later = bytes(6000)
        self.assertIsNotNone(tracemalloc.get_object_traceback(later))

    def test_S11_blocks_from_before_the_clear_are_freed_without_effect(self):
        kept = [bytes(5000) for _ in range(100)]
        tracemalloc.clear_traces()
        del kept
        current, peak = tracemalloc.get_traced_memory()
        self.assertLess(current, 1000)
        self.assertGreaterEqual(current, 0)

    def test_S11_clear_traces_when_off_does_nothing(self):
        tracemalloc.stop()
        self.assertIsNone(tracemalloc.clear_traces())
        self.assertFalse(tracemalloc.is_tracing())

    def test_S36_functions_that_raise_leave_the_state_unchanged(self):
        kept = bytes(5000)
        before = tracemalloc.get_object_traceback(kept)
        for function, arguments in [
                (tracemalloc.start, (0,)), (tracemalloc.start, (2 ** 40,)),
                (tracemalloc.start, (1, 2)), (tracemalloc.stop, (1,)),
                (tracemalloc.clear_traces, (1,)),
                (tracemalloc.reset_peak, (1,)),
                (tracemalloc.get_object_traceback, ()),
                (tracemalloc.is_tracing, (1,)),
                (tracemalloc._get_traces, (1,))]:
            with self.assertRaises((ValueError, OverflowError, TypeError)):
                function(*arguments)
        self.assertTrue(tracemalloc.is_tracing())
        self.assertEqual(tracemalloc.get_traceback_limit(), 1)
        self.assertEqual(tracemalloc.get_object_traceback(kept), before)
        tracemalloc.stop()
        with self.assertRaises(RuntimeError):
            tracemalloc.take_snapshot()
        self.assertFalse(tracemalloc.is_tracing())


class ClearTests(unittest.TestCase):

    def check_ends(self, code):
        # A hang is the fault that is looked for; a busy machine is none.
        process = subprocess.run([sys.executable, "-c", textwrap.dedent(code)],
                                 capture_output=True, text=True,
                                 timeout=support.LONG_TIMEOUT)
        self.assertEqual((process.returncode, process.stdout), (0, "done\n"),
                         process.stderr)

    def test_S12_clear_traces_ends_if_it_drops_the_last_reference_to_a_name(
            self):
        self.check_ends("""
            import tracemalloc
            tracemalloc.start()
            kept = []
            for number in range(50):
                scope = {}
                name = "".join(["gone", str(number), ".py"])
                exec(compile("kept = bytes(100)", name, "exec"), scope)
                kept.append(scope["kept"])
                del scope, name
            tracemalloc.clear_traces()
            print("done")
            """)

    def test_S12_stop_ends_if_it_drops_the_last_reference_to_a_name(self):
        self.check_ends("""
            import tracemalloc
            for session in range(3):
                tracemalloc.start(25)
                scope = {}
                exec(compile("kept = bytes(100)", "".join(["gone", ".py"]), "exec"), scope)
                kept = scope.pop("kept")
                del scope
                tracemalloc.stop()
            print("done")
            """)

    def test_S12_clear_traces_ends_if_the_name_is_an_object_with_a_finalizer(
            self):
        self.check_ends("""
            import tracemalloc
            class Name(str):
                def __del__(self):
                    kept.append(bytes(50))
            kept = []
            tracemalloc.start()
            for number in range(20):
                scope = {}
                exec(compile("kept = bytes(100)", Name(f"gone{number}.py"), "exec"), scope)
                kept.append(scope.pop("kept"))
                del scope
            tracemalloc.clear_traces()
            tracemalloc.stop()
            print("done")
            """)


class Plain:
    pass


class Weak:
    __slots__ = "__weakref__", "value"


class Small:
    __slots__ = ("value",)


class Inherits(list):
    pass


class ObjectTracebackTests(Tracing):

    nframe = 3

    def check_line(self, obj, line):
        traceback = tracemalloc.get_object_traceback(obj)
        self.assertIsNotNone(traceback, obj)
        self.assertEqual(traceback[-1]._frame, line)

    def test_S13_an_object_leads_to_its_line(self):
        obj, line = bytes(700), here()
        self.check_line(obj, line)
        traceback = tracemalloc.get_object_traceback(obj)
        self.assertIsInstance(traceback, tracemalloc.Traceback)
        self.assertEqual(len(traceback), 3)

    def test_S13_none_for_objects_not_traced(self):
        self.assertIsNone(tracemalloc.get_object_traceback(None))
        self.assertIsNone(tracemalloc.get_object_traceback(1))
        self.assertIsNone(tracemalloc.get_object_traceback(int))
        self.assertIsNone(tracemalloc.get_object_traceback("")) # static
        tracemalloc.stop()
        early = bytes(700)
        tracemalloc.start()
        self.assertIsNone(tracemalloc.get_object_traceback(early))
        late = bytes(700)
        tracemalloc.stop()
        self.assertIsNone(tracemalloc.get_object_traceback(late))

    def test_S14_blocks_with_headers_before_the_object_are_found(self):
        # A recycled object would lie in an untraced block.
        support.gc_collect()
        # Without header, with a collector's header, with room for a
        # dictionary, for weak references, for both.
        for obj, line in [
                (bytes(50), here()), (3 ** 99, here()), ([1] * 3, here()),
                ({1: 2}, here()), (Plain(), here()), (Weak(), here()),
                (Small(), here()), (Inherits(), here()),
                (lambda: None, here()),
                (ValueError("x"), here()), ((n for n in ()), here())]:
            with self.subTest(kind=type(obj).__name__):
                self.check_line(obj, line)

    def test_S14_instances_keep_their_line_when_their_dictionary_is_made(self):
        obj, line = Plain(), here()
        for number in range(50):
            setattr(obj, f"name{number}", number)
        vars(obj)
        reference = weakref.ref(obj)
        self.check_line(obj, line)
        self.assertIs(reference(), obj)

    def test_S15_total_number_of_frames_is_unknown(self):
        traceback = tracemalloc.get_object_traceback(bytes(700))
        self.assertIsNone(traceback.total_nframe)

    def test_S34_raw_frames_are_newest_first(self):
        def inner():
            return bytes(700), here()
        (obj, inside), outside = inner(), here()
        frames = _tracemalloc._get_object_traceback(obj)
        self.assertIsInstance(frames, tuple)
        self.assertEqual(frames[:2], (inside, outside))
        self.assertIsNone(_tracemalloc._get_object_traceback(None))

    def test_S24_I10_an_object_from_a_free_list_is_of_the_line_that_takes_it(
            self):
        for make in (lambda: [], lambda: {}, lambda: 1.5 * len("ab"),
                     lambda: (len("a"), None)):
            support.gc_collect()            # empties the free lists
            first = make()
            address = id(first)
            del first
            second, line = make(), here()
            self.assertEqual(id(second), address,
                             "the object should be recycled")
            traceback = tracemalloc.get_object_traceback(second)
            self.assertEqual(traceback[-2]._frame, line)
            self.assertEqual(traceback[-1].filename, __file__)
            self.assertIn(traceback[-1].lineno - make.__code__.co_firstlineno,
                          (0, 1))
            del second


class LimitTests(unittest.TestCase):

    def setUp(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the test would end it")
        self.addCleanup(tracemalloc.stop)

    def test_S16_limit_outlives_stop(self):
        tracemalloc.start(12)
        self.assertEqual(tracemalloc.get_traceback_limit(), 12)
        tracemalloc.stop()
        self.assertEqual(tracemalloc.get_traceback_limit(), 12)
        with self.assertRaises(ValueError):
            tracemalloc.start(0)
        self.assertEqual(tracemalloc.get_traceback_limit(), 12)

    def test_S21_tracebacks_are_cut_to_the_limit(self):
        def nest(depth):
            return nest(depth - 1) if depth else bytes(12345)
        for nframe in 1, 2, 8, 9, 25:
            with self.subTest(nframe=nframe):
                tracemalloc.start(nframe)
                obj = nest(40)
                self.assertEqual(len(tracemalloc.get_object_traceback(obj)),
                                 nframe)
                snapshot = tracemalloc.take_snapshot()
                tracemalloc.stop()
                self.assertEqual(snapshot.traceback_limit, nframe)
                self.assertEqual(max(len(trace.traceback)
                                     for trace in snapshot.traces),
                                 nframe)

    def test_S27_default_is_one_frame(self):
        tracemalloc.start()
        self.assertEqual(tracemalloc.get_traceback_limit(), 1)
        self.assertEqual(len(tracemalloc.get_object_traceback(bytes(700))), 1)

    def test_S29_total_number_of_frames_counts_those_that_were_cut(self):
        def nest(depth):
            return nest(depth - 1) if depth else bytes(12345)
        tracemalloc.start(2)
        base = len(inspect.stack(0))
        obj = nest(30)
        totals = [
            total for domain, size, frames, total in tracemalloc._get_traces()
            if size == sys.getsizeof(obj)]
        self.assertEqual(totals, [base + 31])

    def test_S31_file_and_line_are_those_of_the_time_of_the_allocation(self):
        tracemalloc.start()
        scope = {}
        exec(compile("\n\nkept = bytes(4321)", "no such file.py", "exec"),
             scope)
        kept = scope.pop("kept")
        scope.clear()
        support.gc_collect()
        frame = tracemalloc.get_object_traceback(kept)[0]
        self.assertEqual((frame.filename, frame.lineno),
                         ("no such file.py", 3))


class CounterTests(Tracing):

    def test_S17_traced_memory_is_the_sum_of_the_traces(self):
        kept = [bytes(size) for size in range(0, 5000, 7)]
        # Names that nothing else holds go when others take their place there.
        sys._clear_internal_caches()
        before = tracemalloc.get_traced_memory()[0]
        traces = _tracemalloc._get_traces()
        total = sum(size for domain, size, frames, total in traces)
        # Between the two calls, the number `before` and the list were made.
        self.assertGreaterEqual(total, before)
        self.assertLess(total - before, 200)
        self.assertGreater(total, sum(map(sys.getsizeof, kept)))

    def test_S17_peak_is_the_highest_value_of_current(self):
        tracemalloc.clear_traces()
        large = bytes(1 << 20)
        del large
        current, peak = tracemalloc.get_traced_memory()
        self.assertGreaterEqual(peak, 1 << 20)
        self.assertLess(peak, (1 << 20) + 4096)
        self.assertLess(current, 4096)

    def test_S17_both_numbers_are_int(self):
        memory = tracemalloc.get_traced_memory()
        self.assertIs(type(memory), tuple)
        self.assertEqual(list(map(type, memory)), [int, int])

    def test_S18_memory_of_the_tracer_is_counted_apart(self):
        kept = [bytes(1) * number for number in range(20000)]
        own = tracemalloc.get_tracemalloc_memory()
        self.assertIs(type(own), int)
        self.assertGreater(own, 0)
        self.assertTrue(kept)

    def test_S18_memory_of_the_tracer_is_not_traced(self):
        # Fill the tracer's tables: traced memory moves by the payload only.
        tracemalloc.clear_traces()
        kept = [None] * 100000
        before = tracemalloc.get_traced_memory()[0]
        for index in range(100000):
            kept[index] = b"%d" % (index + 10 ** 8)
        grown = tracemalloc.get_traced_memory()[0] - before
        payload = 100000 * sys.getsizeof(kept[0])
        self.assertGreaterEqual(grown, payload)
        self.assertLess(grown, payload + 2000)

    def test_S19_reset_peak_lowers_the_peak_to_the_current_size(self):
        kept = bytes(10000)
        bytes(1 << 20)
        before = len(_tracemalloc._get_traces())
        tracemalloc.reset_peak()
        current, peak = tracemalloc.get_traced_memory()
        self.assertGreaterEqual(peak, current)
        self.assertLess(peak, 1 << 20)
        self.assertGreaterEqual(current, sys.getsizeof(kept))
        self.assertIsNotNone(tracemalloc.get_object_traceback(kept))
        self.assertGreater(before, 0)

    def test_S19_reset_peak_when_off_does_nothing(self):
        tracemalloc.stop()
        self.assertIsNone(tracemalloc.reset_peak())
        self.assertEqual(tracemalloc.get_traced_memory(), (0, 0))


class SnapshotTakenTests(Tracing):

    nframe = 2

    def test_S20_needs_tracing(self):
        tracemalloc.stop()
        with self.assertRaises(RuntimeError) as caught:
            tracemalloc.take_snapshot()
        self.assertEqual(str(caught.exception), OFF_ERROR)

    def test_S20_functions_are_looked_up_in_the_module(self):
        raw = [(0, 5, (("a.py", 2),), 10)]
        tracemalloc.stop()
        with contextlib.ExitStack() as stack:
            for name, value in [("is_tracing", True),
                                ("get_traceback_limit", 4),
                                ("_get_traces", raw)]:
                stack.enter_context(
                    mock.patch.object(tracemalloc, name, return_value=value))
            snapshot = tracemalloc.take_snapshot()
        self.assertEqual(snapshot.traceback_limit, 4)
        self.assertEqual(snapshot.traces._traces, raw)

    def test_S21_a_snapshot_holds_what_is_alive_and_new(self):
        tracemalloc.stop()
        early = [bytes(100) for _ in range(10)]
        tracemalloc.start()
        kept, kept_line = [bytes(3000 + n) for n in range(10)], here()
        gone, gone_line = [bytes(4000 + n) for n in range(10)], here()
        del gone
        snapshot = tracemalloc.take_snapshot()
        sizes = {}
        for trace in snapshot.traces:
            sizes.setdefault(trace.traceback[-1]._frame, []).append(trace.size)
        self.assertLessEqual({sys.getsizeof(each) for each in kept},
                             set(sizes[kept_line]))
        self.assertFalse([size for size in sizes.get(gone_line, [])
                          if size >= 4000])
        self.assertTrue(early)

    def test_S22_a_block_from_before_becomes_traced_when_it_is_resized(self):
        tracemalloc.stop()
        early = bytearray(2000)
        tracemalloc.start()
        line = here(+1)
        early.extend(bytes(50000))
        self.assertIn(line, [frames[0] for domain, size, frames, total
                             in _tracemalloc._get_traces() if size >= 50000])

    def test_S23_a_resized_block_belongs_to_the_last_line(self):
        grown = bytearray(3000)
        lines = []
        for size in 6000, 12000, 24000:
            grown.extend(bytes(size)); lines.append(here())
        last = here(+1)
        grown.extend(bytes(48000))
        owners = [frames[0] for domain, size, frames, total
                  in _tracemalloc._get_traces() if size >= 90000]
        self.assertEqual(owners, [last])

    def test_S28_the_module_itself_is_traced_and_can_be_left_out(self):
        first = tracemalloc.take_snapshot()
        stats = first.statistics("lineno")
        second = tracemalloc.take_snapshot()
        folder = os.path.dirname(tracemalloc.__file__)
        def own(snapshot):
            return [trace for trace in snapshot.traces if folder
                    == os.path.dirname(trace.traceback[-1].filename)]
        self.assertTrue(stats)
        self.assertTrue(own(second))
        self.assertFalse(own(second.filter_traces(
            [tracemalloc.Filter(False, tracemalloc.__file__)])))
        self.assertTrue(first.traces)

    def test_S33_raw_traces_are_tuples_of_four(self):
        def make():
            return bytes(4567)
        kept = [make() for _ in range(20)]
        traces = _tracemalloc._get_traces()
        self.assertIs(type(traces), list)
        for trace in traces:
            self.assertIs(type(trace), tuple)
            domain, size, frames, total = trace
            self.assertEqual([type(value)
                              for value in (domain, size, frames, total)],
                             [int, int, tuple, int])
            self.assertTrue(1 <= len(frames) <= min(2, total))
            for filename, lineno in frames:
                self.assertIs(type(filename), str)
                self.assertIs(type(lineno), int)
        mine = [trace for trace in traces
                if trace[1] == sys.getsizeof(kept[0])]
        self.assertEqual(len(mine), 20)
        self.assertEqual({id(trace[2]) for trace in mine}, {id(mine[0][2])})
        self.assertEqual(mine[0][2][0],
                         (__file__, make.__code__.co_firstlineno + 1))

    def test_S30_frames_that_are_not_complete_yet_are_left_out(self):
        tracemalloc.stop()
        tracemalloc.start(8)
        def outer(value):
            def inner():
                return value
            return inner
        # The cell is made by the first instructions of outer(), before its
        # frame counts as entered: it belongs to the caller.
        cell, line = outer(0).__closure__[0], here()
        traceback = tracemalloc.get_object_traceback(cell)
        self.assertEqual(traceback[-1]._frame, line)

    def test_S50_limit_is_recorded(self):
        self.assertEqual(tracemalloc.take_snapshot().traceback_limit, 2)

    @threading_helper.requires_working_threading()
    def test_S101_every_thread_has_its_own_stack(self):
        import threading
        lines = {}
        kept = []
        def one():
            kept.append(bytes(7001)); lines[1] = here()
        def two():
            kept.append(bytes(7002)); lines[2] = here()
        for target in one, two:
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        for number, obj in enumerate(kept, 1):
            traceback = tracemalloc.get_object_traceback(obj)
            self.assertEqual(traceback[-1]._frame, lines[number])
            self.assertIn("threading", traceback[-2].filename)

    @threading_helper.requires_working_threading()
    def test_S101_functions_may_be_called_from_any_thread(self):
        import threading
        tracemalloc.stop()
        results = []
        def session():
            tracemalloc.start(3)
            kept = bytes(7003)
            results.append(len(tracemalloc.get_object_traceback(kept)))
            results.append(len(tracemalloc.take_snapshot().traces) > 0)
            tracemalloc.clear_traces()
            results.append(tracemalloc.get_object_traceback(kept))
            tracemalloc.stop()
            results.append(tracemalloc.is_tracing())
        thread = threading.Thread(target=session)
        thread.start()
        thread.join()
        self.assertEqual(results, [3, True, None, False])

    def test_S104_a_tracing_function_does_not_disturb_lines(self):
        def target():
            kept = bytes(8001)
            line = here(-1)
            return kept, line
        for install in sys.settrace, sys.setprofile:
            with self.subTest(install=install.__name__):
                old = (sys.gettrace if install is sys.settrace
                       else sys.getprofile)()
                install(lambda *args: None)
                try:
                    kept, line = target()
                finally:
                    install(old)
                self.assertEqual(
                    tracemalloc.get_object_traceback(kept)[-1]._frame, line)

    def test_S105_a_generator_is_called_by_the_one_who_resumes_it(self):
        def produce():
            while True:
                yield bytes(9001)
        def first(generator):
            return next(generator), here()
        def second(generator):
            return next(generator), here()
        generator = produce()
        for resume in first, second, first:
            kept, line = resume(generator)
            traceback = tracemalloc.get_object_traceback(kept)
            self.assertEqual(traceback[-1].lineno,
                             produce.__code__.co_firstlineno + 2)
            self.assertEqual(traceback[-2]._frame, line)


if __name__ == "__main__":
    unittest.main()
