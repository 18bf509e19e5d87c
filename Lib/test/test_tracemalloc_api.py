"""The modern API of tracemalloc, requirement by requirement (rows S01 to S77).

Where the environment variable TRACEMALLOC_STOCK_PYTHON names an untouched
interpreter, programs are run by both and must print the same.
"""
import contextlib
import inspect
import os
import pickle
import subprocess
import sys
import textwrap
import tracemalloc
import unittest
import weakref
from test import support
from test.support import import_helper, os_helper, threading_helper
from unittest import mock

import _tracemalloc

_testinternalcapi = import_helper.import_module("_testinternalcapi")

STOCK_PYTHON = os.environ.get("TRACEMALLOC_STOCK_PYTHON")
needs_stock = unittest.skipUnless(
    STOCK_PYTHON, "TRACEMALLOC_STOCK_PYTHON does not name an interpreter to compare with")

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
        raise AssertionError(f"{python}: status {process.returncode}\n{process.stderr}")
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
        self.assertEqual(len(tracemalloc.__all__), len(set(tracemalloc.__all__)))
        for name in tracemalloc.__all__:
            self.assertTrue(hasattr(tracemalloc, name), name)

    @needs_stock
    def test_S01_names_of_stock_are_all_there(self):
        names = python_output(STOCK_PYTHON, "import tracemalloc; print(*dir(tracemalloc))")
        # What stock needs inside and nothing of ours has to have.
        private = {"_compare_grouped_stats", "__cached__"}
        self.assertLessEqual(set(names.split()) - private, set(dir(tracemalloc)))

    @needs_stock
    def test_S01_import_loads_no_more_modules_than_stock(self):
        code = ("import sys; before = set(sys.modules); import tracemalloc; "
                "print(*sorted(set(sys.modules) - before))")
        ours = set(python_output(sys.executable, code).split())
        # The parts of the package that every snapshot and its statistics need.
        ours -= {"tracemalloc._columns", "tracemalloc._groups"}
        self.assertLessEqual(ours, set(python_output(STOCK_PYTHON, code).split()))

    def test_S02_tracing_is_off_by_default(self):
        env = {name: value for name, value in os.environ.items()
               if name != "PYTHONTRACEMALLOC"}
        process = subprocess.run(
            [sys.executable, "-c",
             "import tracemalloc as t; print(t.is_tracing(), t.get_traced_memory(), "
             "t._get_traces(), t.get_traceback_limit())"],
            env=env, capture_output=True, text=True)
        self.assertEqual(process.stdout, "False (0, 0) [] 1\n")

    def test_S35_every_function_has_a_signature(self):
        expected = {
            "start": "(nframe=1, /)", "stop": "()", "is_tracing": "()",
            "clear_traces": "()", "reset_peak": "()", "take_snapshot": "()",
            "get_traceback_limit": "()", "get_traced_memory": "()",
            "get_tracemalloc_memory": "()", "get_object_traceback": "(obj)",
            "_get_traces": "()", "_get_object_traceback": "(obj, /)",
            "Snapshot": "(traces, traceback_limit)",
            "Snapshot.statistics": "(self, key_type, cumulative=False, *, sort_by='size')",
            "Snapshot.compare_to": "(self, old_snapshot, key_type, cumulative=False, *, "
                                   "sort_by='size')",
            "Snapshot.filter_traces": "(self, filters)",
            "Snapshot.dump": "(self, filename, *, format=None)",
            "Snapshot.load": "(filename, *, max_size=None)",
            "Filter": "(inclusive, filename_pattern, lineno=None, "
                      "all_frames=False, domain=None)",
            "DomainFilter": "(inclusive, domain)",
            "BaseFilter": "(inclusive)",
            "Statistic": "(traceback, size, count)",
            "StatisticDiff": "(traceback, size, size_diff, count, count_diff)",
            "Traceback": "(frames, total_nframe=None)",
            "Traceback.format": "(self, limit=None, most_recent_first=False, *, "
                                "details=False)",
            "Trace": "(trace)", "Frame": "(frame)",
        }
        for name, signature in expected.items():
            with self.subTest(name=name):
                found = tracemalloc
                for part in name.split("."):
                    found = getattr(found, part)
                self.assertEqual(str(inspect.signature(found)), signature)

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
                      [(trace.size, trace.traceback[0]._frame) for trace in snapshot.traces])
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
                (tracemalloc.clear_traces, (1,)), (tracemalloc.reset_peak, (1,)),
                (tracemalloc.get_object_traceback, ()),
                (tracemalloc.is_tracing, (1,)), (tracemalloc._get_traces, (1,))]:
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
        # A hang is the fault that is looked for, so wait no longer than it
        # takes to be sure.
        process = subprocess.run([sys.executable, "-c", textwrap.dedent(code)],
                                 capture_output=True, text=True,
                                 timeout=support.SHORT_TIMEOUT)
        self.assertEqual((process.returncode, process.stdout), (0, "done\n"),
                         process.stderr)

    def test_S12_clear_traces_ends_if_it_drops_the_last_reference_to_a_name(self):
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

    def test_S12_clear_traces_ends_if_the_name_is_an_object_with_a_finalizer(self):
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
        support.gc_collect()    # a recycled object would lie in an untraced block
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

    def test_S24_an_object_from_a_free_list_belongs_to_the_line_that_takes_it(self):
        for make in (lambda: [], lambda: {}, lambda: 1.5 * len("ab"),
                     lambda: (len("a"), None)):
            support.gc_collect()            # empties the free lists
            first = make()
            address = id(first)
            del first
            second, line = make(), here()
            self.assertEqual(id(second), address, "the object should be recycled")
            traceback = tracemalloc.get_object_traceback(second)
            self.assertEqual(traceback[-2]._frame, line)
            self.assertEqual(traceback[-1].filename, __file__)
            self.assertIn(traceback[-1].lineno - make.__code__.co_firstlineno, (0, 1))
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
                self.assertEqual(len(tracemalloc.get_object_traceback(obj)), nframe)
                snapshot = tracemalloc.take_snapshot()
                tracemalloc.stop()
                self.assertEqual(snapshot.traceback_limit, nframe)
                self.assertEqual(max(len(trace.traceback) for trace in snapshot.traces),
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
        totals = [total for domain, size, frames, total in tracemalloc._get_traces()
                  if size == sys.getsizeof(obj)]
        self.assertEqual(totals, [base + 31])

    def test_S31_file_and_line_are_those_of_the_time_of_the_allocation(self):
        tracemalloc.start()
        scope = {}
        exec(compile("\n\nkept = bytes(4321)", "no such file.py", "exec"), scope)
        kept = scope.pop("kept")
        scope.clear()
        support.gc_collect()
        frame = tracemalloc.get_object_traceback(kept)[0]
        self.assertEqual((frame.filename, frame.lineno), ("no such file.py", 3))


class CounterTests(Tracing):

    def test_S17_traced_memory_is_the_sum_of_the_traces(self):
        kept = [bytes(size) for size in range(0, 5000, 7)]
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
            for name, value in [("is_tracing", True), ("get_traceback_limit", 4),
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
        self.assertFalse([size for size in sizes.get(gone_line, []) if size >= 4000])
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
        second = tracemalloc.take_snapshot()
        def own(snapshot):
            return [trace for trace in snapshot.traces
                    if trace.traceback[-1].filename == tracemalloc.__file__]
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
            self.assertEqual([type(value) for value in (domain, size, frames, total)],
                             [int, int, tuple, int])
            self.assertTrue(1 <= len(frames) <= min(2, total))
            for filename, lineno in frames:
                self.assertIs(type(filename), str)
                self.assertIs(type(lineno), int)
        mine = [trace for trace in traces if trace[1] == sys.getsizeof(kept[0])]
        self.assertEqual(len(mine), 20)
        self.assertEqual({id(trace[2]) for trace in mine}, {id(mine[0][2])})
        self.assertEqual(mine[0][2][0], (__file__, make.__code__.co_firstlineno + 1))

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
                old = (sys.gettrace if install is sys.settrace else sys.getprofile)()
                install(lambda *args: None)
                try:
                    kept, line = target()
                finally:
                    install(old)
                self.assertEqual(tracemalloc.get_object_traceback(kept)[-1]._frame, line)

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
            self.assertEqual(traceback[-1].lineno, produce.__code__.co_firstlineno + 2)
            self.assertEqual(traceback[-2]._frame, line)


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
        self.assertEqual(self.traceback.index(tracemalloc.Frame(("b.py", 2))), 1)
        self.assertEqual(self.traceback.count(tracemalloc.Frame(("b.py", 2))), 1)
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
        self.assertEqual(self.traceback[:2], (self.traceback[0], self.traceback[1]))
        self.assertEqual(self.traceback[::-1], tuple(reversed(self.traceback)))
        self.assertIn(tracemalloc.Frame(("b.py", 2)), self.traceback)
        self.assertNotIn(tracemalloc.Frame(("b.py", 3)), self.traceback)

    def test_S43_traceback_as_text(self):
        self.assertEqual(str(self.traceback), "a.py:1")
        short = tracemalloc.Traceback([("a.py", 1)])
        self.assertEqual(repr(short), "<Traceback (<Frame filename='a.py' lineno=1>,)>")
        self.assertEqual(repr(tracemalloc.Traceback(self.frames[1:], 9)),
                         "<Traceback (<Frame filename='a.py' lineno=1>, "
                         "<Frame filename='b.py' lineno=2>) total_nframe=9>")

    def formatted(self, *args, **kwargs):
        with mock.patch("tracemalloc.linecache.getline",
                        side_effect=lambda name, line: f"\t{name} {line} \n"):
            return self.traceback.format(*args, **kwargs)

    def test_S44_format_gives_file_lines_and_source_lines(self):
        self.assertEqual(self.formatted(), [
            '  File "a.py", line 1', "    a.py 1", '  File "b.py", line 2', "    b.py 2",
            '  File "c.py", line 3', "    c.py 3"])
        self.assertEqual(self.formatted(most_recent_first=True), [
            '  File "c.py", line 3', "    c.py 3", '  File "b.py", line 2', "    b.py 2",
            '  File "a.py", line 1', "    a.py 1"])

    def test_S44_format_leaves_out_sources_that_are_not_known(self):
        traceback = tracemalloc.Traceback([("<unknown>", 0)])
        self.assertEqual(traceback.format(), ['  File "<unknown>", line 0'])

    def test_S44_format_reads_the_source(self):
        traceback = tracemalloc.Traceback([(__file__, here()[1])])
        self.assertEqual(traceback.format()[1],
                         "    traceback = tracemalloc.Traceback([(__file__, here()[1])])")

    def test_S45_limits_of_format_are_slices(self):
        def names(limit, **kwargs):
            return [line.split('"')[1] for line in self.formatted(limit, **kwargs)[::2]]
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
        self.assertEqual(repr(trace), "<Trace domain=0 size=2048 KiB, traceback="
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
        self.assertEqual([trace.size for trace in reversed(traces)], [7, 66, 2, 30, 10])
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
        return [([frame._frame for frame in stat.traceback], stat.size, stat.count)
                for stat in self.snapshot.statistics(*args, **kwargs)]

    def test_S51_statistics_are_sorted_the_biggest_first(self):
        self.assertEqual(self.rows("lineno"), [
            ([("b.py", 1)], 66, 1), ([("a.py", 2)], 40, 2), ([("<unknown>", 0)], 7, 1),
            ([("a.py", 5)], 2, 1)])
        self.assertEqual(self.rows(key_type="lineno", cumulative=False), self.rows("lineno"))

    def test_S51_ties_are_sorted_by_count_then_traceback(self):
        self.snapshot = tracemalloc.Snapshot([
            (0, 4, (("m.py", 1),), 1), (0, 4, (("z.py", 1),), 1), (0, 4, (("a.py", 1),), 1),
            (0, 2, (("n.py", 1),), 1), (0, 2, (("n.py", 1),), 1)], 1)
        self.assertEqual([row[0][0][0] for row in self.rows("lineno")],
                         ["n.py", "z.py", "m.py", "a.py"])

    def test_S52_key_types(self):
        self.assertEqual(self.rows("filename"), [
            ([("b.py", 0)], 66, 1), ([("a.py", 0)], 42, 3), ([("<unknown>", 0)], 7, 1)])
        self.assertEqual(self.rows("traceback"), [
            ([("b.py", 1)], 66, 1), ([("b.py", 4), ("a.py", 2)], 40, 2),
            ([("<unknown>", 0)], 7, 1), ([("b.py", 4), ("a.py", 5)], 2, 1)])

    def test_S52_other_key_types_are_refused(self):
        for key in "line", "", None, 5, ["lineno"]:
            with self.subTest(key=key):
                for call in (self.snapshot.statistics,
                             lambda key: self.snapshot.compare_to(self.snapshot, key)):
                    with self.assertRaises(ValueError) as caught:
                        call(key)
                    self.assertEqual(str(caught.exception), f"unknown key_type: {key!r}")

    def test_S53_cumulative_goes_with_files_and_lines_only(self):
        self.assertEqual(self.rows("filename", True), [
            ([("b.py", 0)], 108, 4), ([("a.py", 0)], 42, 3), ([("<unknown>", 0)], 7, 1)])
        self.assertEqual(self.rows("lineno", cumulative=True), [
            ([("b.py", 1)], 66, 1), ([("b.py", 4)], 42, 3), ([("a.py", 2)], 40, 2),
            ([("<unknown>", 0)], 7, 1), ([("a.py", 5)], 2, 1)])
        with self.assertRaises(ValueError) as caught:
            self.snapshot.statistics("traceback", cumulative=True)
        self.assertEqual(str(caught.exception),
                         "cumulative mode cannot by used with key type 'traceback'")

    def test_S54_cumulative_counts_every_occurrence_of_a_frame(self):
        loop = ("r.py", 3)
        self.snapshot = tracemalloc.Snapshot([(0, 10, (loop, loop, loop), 3)], 3)
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
            (0, 10, (("a.py", 2), ("b.py", 4)), 3), (0, 30, (("a.py", 2), ("b.py", 4)), 3),
            (0, 500, (("a.py", 5), ("b.py", 4)), 3), (0, 400, (("n.py", 1),), 1),
            (3, 7, (("<unknown>", 0),), 1)], 2)
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
        self.assertEqual([(diff.size, diff.count) for diff in gone], [(0, 0)] * 3)
        self.assertEqual([(diff.size_diff, diff.count_diff) for diff in gone],
                         [(-66, -1), (-42, -3), (-7, -1)])
        same = self.snapshot.compare_to(self.snapshot, "lineno")
        self.assertEqual([(diff.size_diff, diff.count_diff) for diff in same], [(0, 0)] * 4)

    def test_S66_a_new_group_has_gained_its_whole_size(self):
        new = self.snapshot.compare_to(tracemalloc.Snapshot([], 2), "filename")
        for diff in new:
            self.assertEqual((diff.size_diff, diff.count_diff), (diff.size, diff.count))

    def test_S55_compare_to_changes_neither_snapshot(self):
        other = tracemalloc.Snapshot(RAW[2:], 2)
        self.snapshot.compare_to(other, "lineno")
        self.assertEqual(self.snapshot.traces._traces, RAW)
        self.assertEqual(other.traces._traces, RAW[2:])


class StatisticTests(unittest.TestCase):

    traceback = tracemalloc.Traceback([("a.py", 1)])

    def test_S62_statistic_is_a_value(self):
        stat = tracemalloc.Statistic(self.traceback, 10, 2)
        self.assertEqual((stat.traceback, stat.size, stat.count), (self.traceback, 10, 2))
        self.assertEqual(stat, tracemalloc.Statistic(self.traceback, 10, 2))
        self.assertEqual(hash(stat), hash(tracemalloc.Statistic(self.traceback, 10, 2)))
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
        self.assertEqual((diff.traceback, diff.size, diff.size_diff, diff.count,
                          diff.count_diff), values)
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
                (10240, "10.0 KiB"), (102399, "100.0 KiB"), (102400, "100 KiB"),
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
        self.assertEqual(repr(tracemalloc.StatisticDiff(self.traceback, 10, -3, 2, 0)),
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
        filtered = self.snapshot.filter_traces((tracemalloc.Filter(True, "b.py"),))
        self.assertEqual(len(filtered.traces), 1)
        self.assertEqual(self.snapshot.traces._traces, RAW)

    def test_S57_filters_have_to_be_iterable(self):
        for value, name in (tracemalloc.Filter(True, "a"), "Filter"), (None, "NoneType"):
            with self.assertRaises(TypeError) as caught:
                self.snapshot.filter_traces(value)
            self.assertEqual(str(caught.exception),
                             f"filters must be a list of filters, not {name}")

    def test_S57_filters_may_come_from_an_iterator(self):
        self.assertEqual(self.kept(*iter([tracemalloc.Filter(True, "b.py")])), [66])
        lazily = (each for each in [tracemalloc.Filter(True, "b.py")])
        self.assertEqual(len(self.snapshot.filter_traces(filters=lazily).traces), 1)

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
        self.assertEqual(self.kept(Big(True), tracemalloc.Filter(False, "b.py")), [30])

    def test_S69_filter_takes_keywords(self):
        each = tracemalloc.Filter(inclusive=False, filename_pattern="x.py", lineno=3,
                                  all_frames=True, domain=9)
        self.assertEqual((each.inclusive, each.filename_pattern, each.lineno,
                          each.all_frames, each.domain), (False, "x.py", 3, True, 9))
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
            return bool(tracemalloc.Filter(True, pattern)._match_frame(filename, 1))
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
            self.kept(tracemalloc.Filter(True, "b.py", 4, all_frames=True)), [10, 30, 2])
        self.assertEqual(
            self.kept(tracemalloc.Filter(False, "b.py", 4, all_frames=True)), [66, 7])

    def test_S72_domain_of_a_filter(self):
        self.assertEqual(self.kept(tracemalloc.Filter(True, "a.py", domain=1)), [2])
        self.assertEqual(self.kept(tracemalloc.Filter(True, "*", domain=2)), [66])
        self.assertEqual(self.kept(tracemalloc.Filter(True, "b.py", domain=1)), [])

    def test_S73_exclusive_filter_with_a_domain_spares_the_others(self):
        self.assertEqual(self.kept(tracemalloc.Filter(False, "a.py", domain=1)),
                         [10, 30, 66, 7])
        self.assertEqual(self.kept(tracemalloc.Filter(False, "a.py", domain=8)),
                         [10, 30, 2, 66, 7])

    def test_S74_examples_of_the_documentation(self):
        self.assertEqual(self.kept(tracemalloc.Filter(False, "<unknown>")),
                         [10, 30, 2, 66])
        self.snapshot = tracemalloc.Snapshot([
            (0, 1, ((subprocess.__file__, 9),), 1), (0, 2, ((tracemalloc.__file__, 9),), 1),
            (0, 3, (("x.py", 9),), 1)], 1)
        self.assertEqual(self.kept(tracemalloc.Filter(True, subprocess.__file__)), [1])
        self.assertEqual(self.kept(tracemalloc.Filter(False, tracemalloc.__file__)), [1, 3])

    def test_S75_domain_filter(self):
        each = tracemalloc.DomainFilter(inclusive=True, domain=0)
        self.assertEqual(self.kept(each), [10, 30])
        each.inclusive = False
        self.assertEqual(self.kept(each), [2, 66, 7])
        self.assertEqual(each.domain, 0)
        with self.assertRaises(AttributeError):
            each.domain = 1
        self.assertEqual(self.kept(each, tracemalloc.DomainFilter(False, 3)), [2, 66])

    def test_S76_common_base_of_filters(self):
        base = tracemalloc.BaseFilter(True)
        self.assertTrue(base.inclusive)
        self.assertTrue(issubclass(tracemalloc.Filter, tracemalloc.BaseFilter))
        self.assertTrue(issubclass(tracemalloc.DomainFilter, tracemalloc.BaseFilter))
        with self.assertRaises(NotImplementedError):
            self.kept(base)


class DomainTests(Tracing):

    def test_S77_python_memory_is_domain_zero(self):
        kept = bytes(5003)
        domains = {domain for domain, size, frames, total
                   in _tracemalloc._get_traces() if size == sys.getsizeof(kept)}
        self.assertEqual(domains, {0})

    def test_S77_other_domains_are_apart(self):
        _testcapi = import_helper.import_module("_testcapi")
        _testcapi.tracemalloc_track(389047, 4096, 8000)
        snapshot = tracemalloc.take_snapshot()
        theirs = snapshot.filter_traces([tracemalloc.DomainFilter(False, 0)])
        self.assertEqual([(trace.domain, trace.size) for trace in theirs.traces],
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
            self.assertEqual(stream.read(2), b"\x80%c" % pickle.HIGHEST_PROTOCOL)
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
        self.assertEqual(len(tracemalloc.Snapshot.load(self.filename).traces), 5)
        with self.assertRaises(FileNotFoundError):
            tracemalloc.Snapshot.load(self.filename + "x")

    def test_S61_every_protocol_restores_every_class(self):
        values = [self.snapshot, self.snapshot.traces, self.snapshot.traces[0],
                  self.snapshot.traces[0].traceback, self.snapshot.traces[0].traceback[0],
                  self.snapshot.statistics("traceback"),
                  self.snapshot.compare_to(tracemalloc.Snapshot([], 1), "lineno")]
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            with self.subTest(protocol=protocol):
                for value in values:
                    copy = pickle.loads(pickle.dumps(value, protocol))
                    if value is self.snapshot:
                        value, copy = value.traces, copy.traces
                    self.assertEqual(copy, value)

    # Prints the same pickles in every interpreter, if the classes are the same.
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
