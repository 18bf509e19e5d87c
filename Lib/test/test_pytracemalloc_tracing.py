"""pytracemalloc: tracing, traces, and what is measured.

Names of tests have the numbers of the requirements (D rows) in them.
"""
import _tracemalloc
import ctypes
import os
import pytracemalloc
import subprocess
import sys
import tracemalloc
import unittest
from test import support
from test.support import threading_helper
from test.tracemalloc_scripts import needs_pymalloc
from types import ModuleType, SimpleNamespace
from unittest import mock

BYTES_HEAD = sys.getsizeof(b"")


def run_at(filename, lineno, source, **names):
    """Run one line of code as if it stood in a file, and return its names."""
    exec(compile("\n" * (lineno - 1) + source, filename, "exec"), names)
    return SimpleNamespace(**names)


def allocate(filename, lineno, size=1000):
    """Return a block of *size* bytes that a line of a file has allocated."""
    return run_at(filename, lineno, "value = bytes(size)", size=size).value


class TracingTestCase(unittest.TestCase):
    """Base: no tracing, no filters and a limit of 1 to begin with."""

    def setUp(self):
        limit = pytracemalloc.get_traceback_limit()
        if tracemalloc.is_tracing():
            self.addCleanup(tracemalloc.start, limit)
        self.reset()
        # The collector empties free lists.  Then the arguments of the next
        # call are a block, which stays where they are kept again.
        self.enterContext(support.disable_gc())
        bytes(1)
        self.addCleanup(pytracemalloc.set_traceback_limit, limit)
        self.addCleanup(self.reset)

    def reset(self):
        pytracemalloc.disable()
        pytracemalloc.clear_filters()
        pytracemalloc.set_traceback_limit(1)

    def run_python(self, source=None, *, file=None, env={}):
        clean = {name: value for name, value in os.environ.items()
                 if name not in ("PYTHONTRACEMALLOC", "PYTHONWARNINGS")}
        process = subprocess.run(
            [sys.executable, *([file] if file else ["-c", source])],
            env=clean | env, capture_output=True, text=True,
            timeout=support.LONG_TIMEOUT)
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        return process.stdout


class SwitchTests(TracingTestCase):
    def test_D01_D03_enable_begins_tracing(self):
        self.assertIs(pytracemalloc.is_enabled(), False)
        self.assertIsNone(pytracemalloc.enable())
        self.assertIs(pytracemalloc.is_enabled(), True)
        self.assertTrue(tracemalloc.is_tracing())
        pytracemalloc.enable()
        self.assertTrue(pytracemalloc.is_enabled())

    def test_D02_disable_stops_and_cancels_tasks(self):
        pytracemalloc.enable()
        kept = allocate("a.py", 1)
        task = pytracemalloc.Task(list)
        task.set_delay(1000)
        task.schedule()
        self.assertEqual(pytracemalloc.get_tasks(), [task])
        self.assertIsNone(pytracemalloc.disable())
        self.assertIs(pytracemalloc.is_enabled(), False)
        self.assertEqual(pytracemalloc.get_tasks(), [])
        self.assertEqual(pytracemalloc.get_traced_memory(), (0, 0))
        self.assertIsNone(pytracemalloc.get_object_trace(kept))
        pytracemalloc.disable()

    def test_D01_enable_joins_tracing_that_is_on(self):
        tracemalloc.start(7)
        kept = allocate("a.py", 1)
        pytracemalloc.enable()
        self.assertEqual(pytracemalloc.get_traceback_limit(), 7)
        self.assertIsNotNone(pytracemalloc.get_object_trace(kept))

    @needs_pymalloc
    def test_D04_clear_traces_resets_counters_and_goes_on(self):
        pytracemalloc.enable()
        kept = [allocate("a.py", line, 100) for line in range(1, 200)]
        self.assertGreater(pytracemalloc.get_arena_size(), 0)
        script = """if True:
            import pytracemalloc
            pytracemalloc.enable()
            kept = [bytes(100) for _ in range(1000)]
            before = pytracemalloc.get_arena_size()
            pytracemalloc.clear_traces()
            # What is left is what these lines themselves allocate.
            print(before > 0, pytracemalloc.get_arena_size() <= before,
                  pytracemalloc.get_traced_memory()[1] < 10_000,
                  pytracemalloc.get_object_trace(kept[0]),
                  pytracemalloc.is_enabled())
        """
        self.assertEqual(self.run_python(script), "True True True None True\n")
        pytracemalloc.clear_traces()
        self.assertIsNone(pytracemalloc.get_object_trace(kept[0]))

    def test_D62_K12_environment_variable_enables_early(self):
        source = ("import pytracemalloc; print(pytracemalloc.is_enabled(),"
                  " pytracemalloc.get_traceback_limit())")
        self.assertEqual(self.run_python(source), "False 1\n")
        self.assertEqual(self.run_python(source,
                                         env={"PYTHONTRACEMALLOC": "3"}),
                         "True 3\n")
        self.assertEqual(self.run_python(source, env={"PYTRACEMALLOC": "1"}),
                         "False 1\n")

    @unittest.skipUnless(hasattr(os, "fork"), "needs os.fork()")
    @threading_helper.reap_threads
    def test_D63_D01_K6_child_of_fork_is_disabled(self):
        script = """if True:
            import os, sys, pytracemalloc, tracemalloc
            def child(say):
                sys.stdout.flush()
                pid = os.fork()
                if pid == 0:
                    print(say, pytracemalloc.is_enabled(),
                          pytracemalloc.get_tasks(), flush=True)
                    os._exit(0)
                os.waitpid(pid, 0)
            pytracemalloc.enable()
            task = pytracemalloc.Task(print)
            task.set_delay(1000)
            task.schedule()
            child("enable")
            print("parent", pytracemalloc.is_enabled(),
                  pytracemalloc.get_tasks() == [task])
            pytracemalloc.disable()
            # What tracemalloc began goes on in the child, as it always did.
            tracemalloc.start()
            pytracemalloc.enable()
            task.schedule()
            child("start")
            # Not what enable() once began.
            tracemalloc.stop()
            pytracemalloc.enable()
            tracemalloc.stop()
            tracemalloc.start()
            child("restart")
        """
        self.assertEqual(self.run_python(script).splitlines(), [
            "enable False []", "parent True True", "start True []",
            "restart True []"])

    @unittest.skipUnless(hasattr(os, "fork"), "needs os.fork()")
    def test_D63_child_of_fork_can_enable_and_run_tasks(self):
        script = """if True:
            import os, sys, pytracemalloc
            pytracemalloc.enable()
            pid = os.fork()
            if pid == 0:
                pytracemalloc.enable()
                task = pytracemalloc.Task(os.write, 1, b"called")
                task.set_memory_threshold(1000)
                task.schedule(1)
                kept = bytes(100_000)
                (lambda: None)()
                os._exit(0)
            os.waitpid(pid, 0)
        """
        self.assertEqual(self.run_python(script), "called")

    def test_D64_disabled_at_exit(self):
        script = """if True:
            import atexit, pytracemalloc, tracemalloc
            class Late:
                def __del__(self, is_tracing=tracemalloc.is_tracing, print=print):
                    print("late", is_tracing())
            late = Late()
            %s
            atexit.register(lambda: print("exit", tracemalloc.is_tracing()))
        """
        self.assertEqual(self.run_python(script % "pytracemalloc.enable()"),
                         "exit True\nlate False\n")
        self.assertEqual(self.run_python(script % "tracemalloc.start()"),
                         "exit True\nlate True\n")

    def test_D22_K16_P01_version(self):
        self.assertEqual(pytracemalloc.__version__, "0.9.1")
        # That of tracemalloc is the fork's.
        self.assertNotEqual(tracemalloc.__version__, pytracemalloc.__version__)

    def test_D70_names_that_were_removed(self):
        for name in ("get_source", "DisplayGarbage", "TakeSnapshot",
                     "DisplayGarbageTask"):
            self.assertFalse(hasattr(pytracemalloc, name), name)

    def test_D70_I07_public_names_are_there_and_described(self):
        for name in pytracemalloc.__all__:
            value = getattr(pytracemalloc, name)
            self.assertTrue(value.__doc__, name)
        exported = {name for name in vars(pytracemalloc) if name[0] != "_"}
        self.assertEqual(exported, set(pytracemalloc.__all__))

    def test_K4_K7_K17_the_two_modules_share_no_class(self):
        both = (set(pytracemalloc.__all__) & set(tracemalloc.__all__))
        self.assertLessEqual({"Filter", "Snapshot"}, both)
        for name in both:
            if isinstance(getattr(tracemalloc, name), type):
                self.assertIsNot(getattr(pytracemalloc, name),
                                 getattr(tracemalloc, name))
        for name in ("DisplayTop", "DisplayTopTask", "GroupedStats", "Metric",
                     "StatsDiff", "TakeSnapshotTask", "Task", "enable"):
            self.assertFalse(hasattr(tracemalloc, name), name)
        with self.assertRaises(AttributeError):
            Snapshot = tracemalloc.Snapshot([], 1)
            Snapshot.filter_traces([pytracemalloc.Filter(True, "*")])

    def test_K5_K9_two_interfaces_on_one_tracer(self):
        pytracemalloc.enable()
        self.assertTrue(tracemalloc.is_tracing())
        kept = allocate("a.py", 3)
        self.assertIsInstance(tracemalloc.get_tracemalloc_memory(), int)
        self.assertIsInstance(pytracemalloc.get_tracemalloc_memory(), tuple)
        self.assertEqual(str(tracemalloc.get_object_traceback(kept)), "a.py:3")
        self.assertEqual(pytracemalloc.get_object_trace(kept)[1],
                         (("a.py", 3),))
        tracemalloc.stop()
        self.assertFalse(pytracemalloc.is_enabled())
        tracemalloc.start()
        pytracemalloc.disable()
        self.assertFalse(tracemalloc.is_tracing())

    def test_tracemalloc_does_not_import_it(self):
        self.assertEqual(
            self.run_python("import sys, tracemalloc; "
                            "print('pytracemalloc' in sys.modules)"),
            "False\n")


class TraceTests(TracingTestCase):
    def test_D05_stats_by_file_and_line(self):
        self.assertEqual(pytracemalloc.get_stats(), {})
        pytracemalloc.enable()
        kept = [allocate("a.py", 10, 100), allocate("a.py", 10, 200),
                allocate("a.py", 20, 1000), allocate("b.py", 1, 5)]
        freed = allocate("b.py", 2, 50)
        del freed
        stats = pytracemalloc.get_stats()
        # The name `value` in the namespace takes no block at those lines.
        self.assertEqual(
            {name: stats[name] for name in ("a.py", "b.py")},
            {"a.py": {10: (300 + 2 * BYTES_HEAD, 2),
                      20: (1000 + BYTES_HEAD, 1)},
             "b.py": {1: (5 + BYTES_HEAD, 1)}})
        del kept
        self.assertNotIn("a.py", pytracemalloc.get_stats())

    def test_D05_stats_sum_up_to_traced_memory(self):
        script = """if True:
            import gc, pytracemalloc, tracemalloc
            kept = []
            pytracemalloc.enable()
            for n in range(1000):
                kept.append(bytes(n * 7))
            gc.disable()
            raw = tracemalloc._get_traces()
            before = tracemalloc.get_traced_memory()[0]
            stats = pytracemalloc.get_stats()
            size = sum(size for lines in stats.values()
                       for size, count in lines.values())
            count = sum(count for lines in stats.values()
                        for size, count in lines.values())
            # The second call can differ by what the lines between allocate.
            print(abs(size - before) < 2000, abs(count - len(raw)) < 30)
        """
        self.assertEqual(self.run_python(script), "True True\n")

    def test_D05_D06_what_is_not_known_is_None(self):
        pytracemalloc.enable()
        address = self.allocate_without_frame()
        self.assertEqual(pytracemalloc.get_trace(address), (77, ()))
        self.assertEqual(pytracemalloc.get_traces()[address], (77, ()))
        size, count = pytracemalloc.get_stats()[None][None]
        self.assertGreaterEqual(size, 77)
        self.assertGreaterEqual(count, 1)

    def allocate_without_frame(self):
        """Allocate 77 raw bytes in a thread that Python does not know."""
        libc = ctypes.CDLL(None)
        address = ctypes.c_void_p()
        thread = ctypes.c_ulong()
        malloc = ctypes.cast(ctypes.pythonapi.PyMem_RawMalloc, ctypes.c_void_p)
        self.assertEqual(libc.pthread_create(
            ctypes.byref(thread), None, malloc, ctypes.c_void_p(77)), 0)
        self.assertEqual(libc.pthread_join(thread, ctypes.byref(address)), 0)
        free = ctypes.CDLL(None).PyMem_RawFree
        free.argtypes = [ctypes.c_void_p]
        self.addCleanup(free, address)
        return address.value

    def test_D06_traces_by_address(self):
        self.assertEqual(pytracemalloc.get_traces(), {})
        pytracemalloc.enable()
        kept = allocate("a.py", 12, 300)
        traces = pytracemalloc.get_traces()
        address = pytracemalloc.get_object_address(kept)
        self.assertEqual(traces[address],
                         (300 + BYTES_HEAD, (("a.py", 12),)))
        for address, (size, traceback) in traces.items():
            self.assertIs(type(address), int)
            self.assertIs(type(size), int)
            for filename, lineno in traceback:
                self.assertIsInstance(filename, str | None)
                self.assertTrue(lineno is None or lineno > 0)

    def test_D06_traces_do_not_show_themselves(self):
        pytracemalloc.enable()
        kept = [bytes(10) for _ in range(10_000)]
        before = pytracemalloc.get_traced_memory()[0]
        traces = pytracemalloc.get_traces()
        after = pytracemalloc.get_traced_memory()[0]
        self.assertGreater(len(traces), len(kept))
        # A collector without a GIL keeps some chunks of 2 KiB.
        self.assertLess(after - before,
                        10_000 if support.Py_GIL_DISABLED else 1000)
        self.assertLess(sys.getsizeof(traces) // 100, sys.getsizeof(kept))

    def test_D06_other_domains_are_left_out(self):
        track = ctypes.pythonapi.PyTraceMalloc_Track
        track.argtypes = [ctypes.c_uint, ctypes.c_size_t, ctypes.c_size_t]
        pytracemalloc.enable()
        self.assertEqual(track(77, 0x1234, 100), 0)
        self.assertNotIn(0x1234, pytracemalloc.get_traces())
        self.assertIsNone(pytracemalloc.get_trace(0x1234))
        self.assertEqual(track(0, 0x1234, 100), 0)
        self.assertEqual(pytracemalloc.get_traces()[0x1234][0], 100)
        self.assertEqual(pytracemalloc.get_trace(0x1234)[0], 100)

    def test_D05_D06_samples(self):
        tracemalloc.start(1, sample_interval=5000)
        _tracemalloc._seed_sampling(1)
        kept = [allocate("a.py", 1, 1000) for _ in range(2000)]
        snapshot = pytracemalloc.Snapshot.create(traces=True)
        ours = [trace for trace in snapshot.traces.values()
                if trace[1] == (("a.py", 1),)]
        self.assertEqual(set(ours), {(1000 + BYTES_HEAD, (("a.py", 1),))})
        self.assertTrue(100 < len(ours) < 1000)
        # Samples stand for others: ten standard errors at most.
        size, count = snapshot.stats["a.py"][1]
        self.assertTrue(1000 < count < 3000)
        self.assertEqual(size, pytracemalloc.get_stats()["a.py"][1][0])
        del kept

    def test_D07_trace_of_an_address(self):
        self.assertIsNone(pytracemalloc.get_trace(1234))
        pytracemalloc.enable()
        kept = allocate("a.py", 3, 40)
        address = pytracemalloc.get_object_address(kept)
        self.assertEqual(pytracemalloc.get_trace(address),
                         (40 + BYTES_HEAD, (("a.py", 3),)))
        for other in (0, -1, address + 1, 2 ** 64, 2 ** 200):
            self.assertIsNone(pytracemalloc.get_trace(other))
        with self.assertRaises(TypeError):
            pytracemalloc.get_trace("1234")

    def test_D08_address_of_an_object(self):
        self.assertEqual(pytracemalloc.get_object_address(b"abc"), id(b"abc"))
        # Before it lies the header of the garbage collector.
        kept = [1]
        header = sys.getsizeof(kept) - kept.__sizeof__()
        self.assertEqual(pytracemalloc.get_object_address(kept),
                         id(kept) - header)
        pytracemalloc.enable()
        kept = run_at("a.py", 5, "value = {1, 2}").value
        address = pytracemalloc.get_object_address(kept)
        self.assertEqual(pytracemalloc.get_trace(address)[1], (("a.py", 5),))

    def test_D09_trace_of_an_object_is_of_its_main_block(self):
        before = bytearray(1000)
        pytracemalloc.enable()
        kept = run_at("a.py", 5, "value = bytearray(1000)").value
        size, traceback = pytracemalloc.get_object_trace(kept)
        self.assertEqual(traceback, (("a.py", 5),))
        self.assertEqual(size, bytearray.__basicsize__)
        self.assertIsNone(pytracemalloc.get_object_trace(before))
        self.assertIsNone(pytracemalloc.get_object_trace(None))

    def test_D10_limit_changes_while_enabled(self):
        self.assertEqual(pytracemalloc.get_traceback_limit(), 1)
        pytracemalloc.enable()
        kept = self.call_deep(5)
        pytracemalloc.set_traceback_limit(3)
        self.assertEqual(pytracemalloc.get_traceback_limit(), 3)
        self.assertTrue(pytracemalloc.is_enabled())
        traceback = pytracemalloc.get_object_trace(kept)[1]
        self.assertEqual([name for name, _ in traceback], ["deep.py"] * 3)
        self.assertEqual(
            pytracemalloc.get_traces()[id(kept)][1], traceback)
        pytracemalloc.set_traceback_limit(1)
        self.assertEqual(pytracemalloc.get_object_trace(kept)[1],
                         traceback[:1])
        # It outlives the tracing.
        pytracemalloc.disable()
        pytracemalloc.set_traceback_limit(nframe=20)
        pytracemalloc.enable()
        self.assertEqual(pytracemalloc.get_traceback_limit(), 20)
        self.assertGreater(
            len(pytracemalloc.get_object_trace(self.call_deep(5))[1]), 5)

    def call_deep(self, depth):
        return run_at("deep.py", 1, (
            "def call(n): return call(n - 1) if n else bytes(100)\n"
            "value = call(depth)"), depth=depth).value

    def test_D10_wrong_limits(self):
        for wrong in (0, -1, 65536):
            with self.assertRaisesRegex(ValueError, r"\[1; 65535\]"):
                pytracemalloc.set_traceback_limit(wrong)
        with self.assertRaises(TypeError):
            pytracemalloc.set_traceback_limit("3")
        with self.assertRaises(OverflowError):
            pytracemalloc.set_traceback_limit(2 ** 40)
        self.assertEqual(pytracemalloc.get_traceback_limit(), 1)

    def test_D16_its_own_allocations_are_traced_unless_excluded(self):
        self.assertEqual(os.path.basename(pytracemalloc.__file__),
                         "__init__.py")
        folder = os.path.dirname(pytracemalloc.__file__)

        def own():
            kept = pytracemalloc.get_stats()
            return [name for name in pytracemalloc.get_stats()
                    if name and kept and name.startswith(folder)]

        pytracemalloc.enable()
        others = [allocate(f"{n}.py", 1) for n in range(100)]
        self.assertEqual(own(), [os.path.join(folder, "_trace.py")])
        pytracemalloc.add_exclude_filter(pytracemalloc.__file__)
        pytracemalloc.clear_traces()
        others += [allocate(f"{n}.py", 1) for n in range(100)]
        self.assertEqual(own(), [])


class MeasureTests(TracingTestCase):
    @needs_pymalloc
    def test_D17_arena_size(self):
        self.assertEqual(pytracemalloc.get_arena_size(), 0)
        script = """if True:
            import pytracemalloc, sys
            pytracemalloc.enable()
            first = pytracemalloc.get_arena_size()
            kept = [bytes(200) for _ in range(50_000)]
            second = pytracemalloc.get_arena_size()
            print(first % 2**20, second % 2**20,
                  second >= 50_000 * sys.getsizeof(bytes(200)) > first)
        """
        self.assertEqual(self.run_python(script), "0 0 True\n")
        self.assertEqual(self.run_python(script, env={
            "PYTHONMALLOC": "malloc"}), "0 0 False\n")

    @unittest.skipUnless(os.path.exists("/proc/self/statm"), "needs /proc")
    def test_D18_I15_process_memory_from_proc(self):
        rss, vms = pytracemalloc.get_process_memory()
        self.assertTrue(10 ** 6 < rss < vms)
        kept = bytearray(b"x") * 50_000_000
        more = pytracemalloc.get_process_memory()
        self.assertGreater(more[0] - rss, 40_000_000)
        if not support.Py_GIL_DISABLED:
            # There mimalloc has taken a GiB of address space before.
            self.assertGreater(more[1] - vms, 40_000_000)

    @unittest.skipUnless(os.path.exists("/proc/self/statm"), "needs /proc")
    def test_D18_who_asks_leaves_no_name_behind(self):
        def cleared():
            before = pytracemalloc.get_traced_memory()[0]
            sys._clear_internal_caches()
            return pytracemalloc.get_traced_memory()[0] - before

        pytracemalloc.enable()
        for _ in range(3):
            pytracemalloc.get_process_memory()
            nothing = cleared(), cleared()
        pytracemalloc.get_process_memory()
        self.assertEqual((cleared(), cleared()), (nothing[1], nothing[1]))

    def test_D18_process_memory_from_psutil_or_not_at_all(self):
        info = SimpleNamespace(rss=12, vms=34)
        psutil = ModuleType("psutil")
        psutil.Process = lambda: SimpleNamespace(
            memory_info=lambda: info)
        with mock.patch("builtins.open", side_effect=FileNotFoundError):
            with mock.patch.dict(sys.modules, psutil=psutil):
                self.assertEqual(pytracemalloc.get_process_memory(), (12, 34))
            with mock.patch.dict(sys.modules, psutil=None):
                self.assertIsNone(pytracemalloc.get_process_memory())

    def test_D19_traced_memory(self):
        self.assertEqual(pytracemalloc.get_traced_memory(), (0, 0))
        pytracemalloc.enable()
        size, max_size = pytracemalloc.get_traced_memory()
        kept = bytes(1_000_000)
        more, _ = pytracemalloc.get_traced_memory()
        self.assertTrue(1_000_000 <= more - size < 1_001_000)
        del kept
        less, max_size = pytracemalloc.get_traced_memory()
        self.assertLess(less - size, 1000)
        self.assertGreaterEqual(max_size, more)

    def test_D20_tracemalloc_memory(self):
        self.assertEqual(pytracemalloc.get_tracemalloc_memory(), (0, 0))
        pytracemalloc.enable()
        size, free = pytracemalloc.get_tracemalloc_memory()
        self.assertTrue(0 < free < size)
        # The first two rounds can make room for what these lines allocate:
        # what one has made, the next but one takes the place of.
        for _ in range(3):
            sizes = (tracemalloc.get_tracemalloc_memory(),
                     pytracemalloc.get_tracemalloc_memory()[0],
                     tracemalloc.get_tracemalloc_memory())
        self.assertEqual(len(set(sizes)), 1)
        size, free = pytracemalloc.get_tracemalloc_memory()
        # Tables have room for some more blocks, which fill it.
        kept = []
        for _ in range(1000):
            kept.append(bytes(5000))
            after = pytracemalloc.get_tracemalloc_memory()
            if after[0] == size:
                # Without a GIL, some blocks are freed a moment later.
                self.assertLessEqual(
                    after[1], free + 1000 * support.Py_GIL_DISABLED)
            size, free = after
            self.assertTrue(0 < free < size)

    def test_D20_tracemalloc_memory_of_deep_recursion(self):
        # Most calls are the first ones below their callers: in no index.
        def descend(depth):
            return (descend(depth - 1) if depth
                    else pytracemalloc.get_tracemalloc_memory())

        pytracemalloc.enable()
        with support.infinite_recursion(210_000):
            size, free = descend(200_000)
        self.assertTrue(0 < free < size, (size, free))

    def test_D21_interned_strings(self):
        # No lookup is to free any meanwhile.
        sys._clear_internal_caches()
        size, length = pytracemalloc.get_unicode_interned()
        self.assertGreater(length, 1000)
        self.assertGreater(size, 8 * length)
        kept = [sys.intern(f"interned by {__name__} {n}") for n in range(5)]
        self.assertEqual(pytracemalloc.get_unicode_interned()[1],
                         length + len(kept))


if __name__ == "__main__":
    unittest.main()
