"""tracemalloc.trace(): what a part of a program does with memory."""
import _tracemalloc
import contextlib
import gc
import os
import signal
import sys
import textwrap
import threading
import tracemalloc
import unittest
import warnings
from test import support
from test.support import threading_helper
from test.support.script_helper import assert_python_ok
from unittest import mock

# Bytes of a bytes object besides its contents.
EMPTY = sys.getsizeof(b"")


class Blocks:
    """Makes blocks without any other; what they are kept in exists before."""

    def __init__(self):
        self.kept = [None] * 10

    def fill(self, place, length):
        """Allocate a block of length + EMPTY bytes; the number must exist."""
        self.kept[place] = bytes(length)

    def empty(self):
        kept = self.kept
        kept[0] = kept[1] = kept[2] = None


def figures(region):
    return (region.allocated_size, region.allocated_count, region.freed_size,
            region.freed_count, region.size, region.count)


class RegionTests(unittest.TestCase):

    def setUp(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the tests would end it")
        self.addCleanup(tracemalloc.stop)
        self.blocks = Blocks()
        # The interpreter may make something when a function first runs.
        self.blocks.fill(0, 1)
        self.blocks.empty()

    def test_an_empty_block_does_nothing_to_memory(self):
        for tracing in (False, True):
            if tracing:
                tracemalloc.start()
            with tracemalloc.trace() as region:
                pass
            with tracemalloc.trace() as second:
                pass
            self.assertEqual(figures(region), (0,) * 6)
            self.assertEqual(figures(second), (0,) * 6)
            self.assertEqual((region.peak_size, second.peak_size), (0, 0))
            self.assertEqual(second.statistics("lineno"), [])

    def test_allocated_freed_and_kept(self):
        self.blocks.fill(3, 5000)
        with tracemalloc.trace() as region:
            self.blocks.fill(0, 1000)
            self.blocks.fill(1, 2000)
            self.blocks.fill(2, 3000)
            # What was there before tracing began is not known, nor counted.
            self.blocks.kept[3] = None
            self.blocks.empty()
            self.blocks.fill(0, 4000)
        self.assertEqual(figures(region),
                         (10_000 + 4 * EMPTY, 4, 6000 + 3 * EMPTY, 3,
                          4000 + EMPTY, 1))
        self.assertEqual(region.peak_size, 6000 + 3 * EMPTY)

    def test_older_blocks_that_are_freed_count(self):
        tracemalloc.start()
        self.blocks.fill(0, 1000)
        self.blocks.fill(1, 2000)
        with tracemalloc.trace() as region:
            self.blocks.empty()
            self.blocks.fill(0, 500)
        self.assertEqual(figures(region), (500 + EMPTY, 1, 3000 + 2 * EMPTY, 2,
                                           -2500 - EMPTY, -1))
        self.assertEqual(region.peak_size, 0)

    def test_a_region_leaves_nothing_that_a_later_one_frees(self):
        # Names that are made to look something up are kept by the cache of
        # attributes, until something else comes to their place.
        with tracemalloc.trace():
            # Imports what is needed.
            pass
        tracemalloc.start()
        with tracemalloc.trace() as first:
            self.blocks.fill(0, 1000)
        figures(first), first.peak_size
        with tracemalloc.trace() as second:
            sys._clear_internal_caches()
        self.assertEqual(figures(second), (0,) * 6)

    def test_tracing_stops_at_the_end_if_the_region_has_started_it(self):
        with tracemalloc.trace(7):
            self.assertTrue(tracemalloc.is_tracing())
            self.assertEqual(tracemalloc.get_traceback_limit(), 7)
        self.assertFalse(tracemalloc.is_tracing())

    def test_tracing_goes_on_as_it_was_if_it_was_on(self):
        tracemalloc.start(3)
        with tracemalloc.trace(7) as region:
            self.assertEqual(tracemalloc.get_traceback_limit(), 3)
        self.assertTrue(tracemalloc.is_tracing())
        self.assertEqual(region.after.traceback_limit, 3)

    def test_regions_nest(self):
        inner_blocks = Blocks()
        with tracemalloc.trace() as outer:
            self.blocks.fill(0, 20_000)
            self.blocks.empty()
            with tracemalloc.trace() as first:
                inner_blocks.fill(0, 3000)
            with tracemalloc.trace() as second:
                inner_blocks.empty()
        self.assertFalse(tracemalloc.is_tracing())
        size = 3000 + EMPTY
        self.assertEqual(figures(first), (size, 1, 0, 0, size, 1))
        self.assertEqual(figures(second), (0, 0, size, 1, -size, -1))
        self.assertEqual((first.peak_size, second.peak_size), (size, 0))
        # The outer one also sees what regions are made of; its peak was
        # before the inner ones.
        self.assertGreater(outer.allocated_size, 23_000)
        self.assertEqual(outer.peak_size, 20_000 + EMPTY)
        self.assertEqual(
            outer.at_peak.compare_to(outer.before, "lineno")[0].size_diff,
            20_000 + EMPTY)

    def test_the_peak_of_an_outer_region_may_be_in_an_inner_one(self):
        tracemalloc.start()
        with tracemalloc.trace() as outer:
            self.blocks.fill(1, 100)
            with tracemalloc.trace() as inner:
                self.blocks.fill(0, 50_000)
                self.blocks.empty()
        self.assertEqual(inner.peak_size, 50_000 + EMPTY)
        self.assertGreaterEqual(outer.peak_size, 50_100)
        self.assertLess(outer.peak_size, 60_000)

    def test_regions_may_overlap(self):
        first, second = tracemalloc.trace(), tracemalloc.trace()
        first.__enter__()
        second.__enter__()
        self.blocks.fill(0, 10_000)
        first.__exit__(None, None, None)
        self.assertTrue(tracemalloc.is_tracing())
        self.blocks.fill(1, 20_000)
        second.__exit__(None, None, None)
        self.assertFalse(tracemalloc.is_tracing())
        self.assertEqual(second.statistics("lineno")[0].allocated_size,
                         30_000 + 2 * EMPTY)
        self.assertEqual(first.statistics("lineno")[0].allocated_size,
                         10_000 + EMPTY)

    def test_statistics_tell_who_did_it(self):
        tracemalloc.start(5)
        unchanged = bytes(100)
        with tracemalloc.trace() as region:
            self.blocks.fill(0, 1000)
            self.blocks.fill(1, 2000)
            self.blocks.empty()
        size = 3000 + 2 * EMPTY
        stat, = region.statistics("lineno")
        self.assertEqual((stat.allocated_size, stat.allocated_count,
                          stat.freed_size,
                          stat.freed_count, stat.size_diff, stat.size),
                         (size, 2, size, 2, 0, 0))
        self.assertEqual(stat.traceback[0].function, "Blocks.fill")
        stat, = region.statistics("function", sort_by="temporary")
        self.assertEqual(stat.freed_count, 2)
        cumulative = region.statistics("function", cumulative=True,
                                       sort_by="allocated_size")
        self.assertIn(self.id().rpartition(".")[2],
                      {each.traceback[0].function.rpartition(".")[2]
                       for each in cumulative})
        self.assertEqual(len(unchanged), 100)

    def test_snapshots_of_beginning_end_and_peak(self):
        with tracemalloc.trace() as region:
            self.blocks.fill(0, 4000)
            self.blocks.empty()
            self.blocks.fill(0, 1000)

        def of_the_block(snapshot):
            return [(each.size, each.count)
                    for each in snapshot.statistics("function")
                    if each.traceback[0].function == "Blocks.fill"]

        self.assertEqual(of_the_block(region.before), [])
        self.assertEqual(of_the_block(region.after), [(1000 + EMPTY, 1)])
        self.assertEqual(of_the_block(region.at_peak), [(4000 + EMPTY, 1)])
        self.assertIs(region.after, region.after)
        self.assertEqual(region.after.metadata["traced_memory"]
                         - region.before.metadata["traced_memory"],
                         1000 + EMPTY)
        self.assertLessEqual(region.before.metadata["time"],
                             region.after.metadata["time"])
        self.assertIsNone(region.at_peak.metadata["time"])

    def test_totals_include_places_that_the_tracer_has_let_go_of(self):
        with tracemalloc.trace() as region:
            first = _tracemalloc._get_counts()["blocks_made"]
            for number in range(20):
                exec(compile("bytes(300)\n" * 5000, f"code {number}", "exec"))
                if support.Py_GIL_DISABLED:
                    gc.collect()    # which is what frees code there
            last = _tracemalloc._get_counts()["blocks_made"]
            reclaimed = _tracemalloc._take_snapshot().reclaimed
        self.assertGreater(reclaimed[0], 10_000)
        self.assertGreater(reclaimed[1], 3_000_000)
        self.assertLess(region.allocated_count - (last - first), 100)
        self.assertGreaterEqual(region.allocated_count, last - first)
        self.assertLess(abs(region.count), 200)

    def test_text(self):
        with tracemalloc.trace() as region:
            self.assertEqual(str(region), "the region has not ended yet")
            region_text = repr(region)
        self.assertEqual(region_text, "<Region: the region has not ended yet>")
        with tracemalloc.trace() as region:
            self.blocks.fill(0, 4000)
            self.blocks.fill(1, 4000)
            self.blocks.kept[0] = None
        size = sys.getsizeof(bytes(4000))
        self.assertEqual(str(region),
                         f"allocated {2 * size} B (2 blocks), freed {size} B "
                         f"(1 block), kept {size} B (1 block), peak "
                         f"{2 * size} B")
        self.assertEqual(repr(region), f"<Region: {region}>")

    def test_estimates_are_marked(self):
        tracemalloc.start(sample_interval=1)
        with tracemalloc.trace() as region:
            self.blocks.fill(0, 10 ** 6)
        self.assertEqual(str(region),
                         "allocated ~977 KiB (~1 block), freed ~0 B (~0 "
                         "blocks), kept ~977 KiB (~1 block), peak ~977 KiB")

    def test_figures_are_there_after_the_end_only(self):
        region = tracemalloc.trace()
        names = ("allocated_size", "freed_count", "size", "peak_size",
                 "before", "at_peak")
        with region:
            for name in names:
                with self.assertRaisesRegex(RuntimeError,
                                            "^the region has not ended yet$"):
                    getattr(region, name)
        for name in names:
            getattr(region, name)

    def test_a_region_that_was_never_entered_says_so(self):
        region = tracemalloc.trace()
        for name in "size", "peak_size", "after":
            with self.assertRaisesRegex(
                    RuntimeError, "^the region has not begun: use it in a "
                                  "with statement$"):
                getattr(region, name)
        self.assertIn("has not begun", str(region))
        self.assertIn("has not begun", repr(region))
        # Nor was this one.
        with self.assertRaises(ValueError):
            with tracemalloc.trace(0) as region:
                pass
        self.assertIn("has not begun", str(tracemalloc.trace(0)))

    def test_a_region_begins_once_at_a_time(self):
        region = tracemalloc.trace()
        with region:
            with self.assertRaisesRegex(RuntimeError, "begun already"):
                region.__enter__()
        with region:
            self.blocks.fill(0, 1000)
        self.assertEqual(region.allocated_size, 1000 + EMPTY)

    def test_an_exception_in_the_block_passes_and_the_figures_are_there(self):
        with self.assertRaises(ZeroDivisionError):
            with tracemalloc.trace() as region:
                self.blocks.fill(0, 1000)
                1 / 0
        self.assertFalse(tracemalloc.is_tracing())
        self.assertGreaterEqual(region.allocated_size, 1000)

    def test_stop_inside_of_the_block(self):
        with self.assertRaisesRegex(
                RuntimeError, "^tracing was stopped inside of the region$"):
            with tracemalloc.trace() as region:
                tracemalloc.stop()
        with self.assertRaisesRegex(RuntimeError, "stopped inside"):
            region.size
        with self.assertRaises(ZeroDivisionError):
            with tracemalloc.trace():
                tracemalloc.stop()
                1 / 0

    def test_wrong_number_of_frames(self):
        for nframe, error in ((0, ValueError), (65536, ValueError),
                              ("1", TypeError)):
            for _ in range(2):
                with self.assertRaises(error):
                    with tracemalloc.trace(nframe):
                        self.fail("the region has begun")
                tracemalloc.start()
            tracemalloc.stop()
        with tracemalloc.trace() as region:
            pass
        self.assertEqual(region.size, 0)

    def test_a_snapshot_that_cannot_be_taken_leaves_no_region_behind(self):
        def fail():
            raise MemoryError

        from tracemalloc import _region
        with mock.patch.object(_region, "_take_snapshot", fail):
            with self.assertRaises(MemoryError):
                tracemalloc.trace().__enter__()
        self.assertFalse(tracemalloc.is_tracing())
        self.assertEqual(_region._active, [])

    def test_exit_stack(self):
        with contextlib.ExitStack() as stack:
            region = stack.enter_context(tracemalloc.trace())
            self.blocks.fill(0, 1000)
        self.assertGreaterEqual(region.allocated_size, 1000)

    @threading_helper.requires_working_threading()
    def test_what_other_threads_do_counts(self):
        tracemalloc.start()
        go, done = threading.Event(), threading.Event()

        def work():
            go.wait()
            self.blocks.fill(0, 70_000)
            done.set()

        thread = threading.Thread(target=work, name="worker")
        with threading_helper.start_threads([thread]):
            with tracemalloc.trace() as region:
                go.set()
                done.wait()
        stat = region.statistics("lineno")[0]
        self.assertEqual((stat.size_diff, stat.traceback[0].function),
                         (70_000 + EMPTY, "Blocks.fill"))

    @threading_helper.requires_working_threading()
    def test_regions_of_many_threads_end_what_they_began(self):
        barrier = threading.Barrier(4)
        regions = []

        def work():
            for _ in range(50):
                with tracemalloc.trace() as region:
                    barrier.wait()
                    kept = bytes(1000)
                    barrier.wait()
                del kept
                regions.append(region)

        with threading_helper.start_threads([threading.Thread(target=work)
                                             for _ in range(4)]):
            pass
        self.assertEqual(len(regions), 200)
        for region in regions:
            self.assertGreaterEqual(region.allocated_size, 4 * (1000 + EMPTY))
        self.assertFalse(tracemalloc.is_tracing())

    @support.requires_fork()
    @threading_helper.requires_working_threading()
    def test_a_child_of_fork_can_have_regions_whatever_threads_did(self):
        began, end = threading.Event(), threading.Event()

        def work():
            with tracemalloc.trace():
                began.set()
                end.wait()

        with (threading_helper.start_threads(
                  [threading.Thread(target=work)], unlock=end.set),
              warnings.catch_warnings()):
            began.wait()
            # That the process has threads is what is tested.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
            if pid == 0:
                with contextlib.suppress(BaseException):
                    with tracemalloc.trace() as region:
                        self.blocks.fill(0, 1000)
                    os._exit(0 if region.allocated_count else 2)
                os._exit(1)
        support.wait_process(pid, exitcode=0)

    def test_the_module_is_loaded_when_a_region_is_wanted(self):
        code = textwrap.dedent("""\
            import sys, tracemalloc
            print('tracemalloc._region' in sys.modules)
            tracemalloc.trace()
            print('tracemalloc._region' in sys.modules)
            """)
        self.assertEqual(assert_python_ok("-c", code).out.split(),
                         [b"False", b"True"])


class InterruptionTests(unittest.TestCase):
    """Handlers of signals and finalizers run between any two instructions."""

    def setUp(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the tests would end it")
        self.addCleanup(tracemalloc.stop)
        from tracemalloc import _region

        self.region = _region

    @contextlib.contextmanager
    def interrupted(self, number, function):
        """Call a function before instruction *number* of regions.

        Yields a function that tells if there were so many instructions.
        """
        left = number

        def trace(frame, event, arg):
            nonlocal left
            if frame.f_code.co_filename != self.region.__file__:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode" and left >= 0:
                left -= 1
                if left < 0:
                    function()
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            yield lambda: left < 0
        finally:
            sys.settrace(before)

    def everywhere(self, function, done=lambda: None):
        """Have a function interrupt regions at each of their instructions."""
        for number in range(10_000):
            with (self.subTest(number=number),
                  self.interrupted(number, function) as was_called):
                with tracemalloc.trace() as outer:
                    with tracemalloc.trace():
                        pass
                    self.assertTrue(tracemalloc.is_tracing())
                self.assertEqual(outer._entered, False)
                self.assertIsNotNone(outer.peak_size)
                called = was_called()
            done()
            self.assertFalse(tracemalloc.is_tracing())
            self.assertEqual(self.region._active, [])
            if not called:
                break
        self.assertGreater(number, 100)

    def test_a_whole_region_anywhere_in_another(self):
        def use():
            with tracemalloc.trace() as region:
                self.assertTrue(tracemalloc.is_tracing())
            self.assertEqual(region.allocated_size, 0)

        self.everywhere(use)

    def test_a_finalizer_with_a_region_anywhere_in_another(self):
        finalized = []

        class Finalized:
            def __del__(self):
                with tracemalloc.trace() as region:
                    finalized.append(tracemalloc.is_tracing())
                finalized.append(region.allocated_size is not None)

        def use():
            Finalized()                         # by its last reference
            garbage = Finalized()
            garbage.itself = garbage
            del garbage
            gc.collect(0)                       # by the collector

        self.everywhere(use)
        self.assertGreater(len(finalized), 400)
        self.assertEqual(set(finalized), {True})

    def test_a_region_that_begins_anywhere_in_another_and_ends_later(self):
        waiting = []

        def begin():
            region = tracemalloc.trace()
            region.__enter__()
            waiting.append(region)

        def end():
            for region in waiting:
                self.assertTrue(tracemalloc.is_tracing())
                region.__exit__(None, None, None)
                region.peak_size
            waiting.clear()

        self.everywhere(begin, end)

    def test_an_exception_anywhere_leaves_no_tracing_behind(self):
        def fail():
            raise KeyboardInterrupt

        for number in range(10_000):
            called = True
            with (self.subTest(number=number),
                  support.catch_unraisable_exception(),
                  contextlib.suppress(KeyboardInterrupt),
                  self.interrupted(number, fail) as was_called):
                with tracemalloc.trace():
                    pass
                called = was_called()
            self.assertFalse(tracemalloc.is_tracing())
            if not called:
                break
        self.assertGreater(number, 100)
        with tracemalloc.trace(), tracemalloc.trace():
            pass
        self.assertEqual(self.region._active, [])

    @unittest.skipUnless(hasattr(signal, "SIGUSR1"), "needs SIGUSR1")
    def test_handlers_of_signals_can_use_regions(self):
        regions, signals = [], iter([signal.SIGUSR1])

        def handle(number, frame):
            # Names that only the cache of attributes holds may go when the
            # region looks something up.
            sys._clear_internal_caches()
            with tracemalloc.trace() as region:
                pass
            regions.append(region)

        def take(real=self.region._take_snapshot, **options):
            for number in signals:
                signal.raise_signal(number)
            return real(**options)

        before = signal.signal(signal.SIGUSR1, handle)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        with (tracemalloc.trace(),
              mock.patch.object(self.region, "_take_snapshot", take)):
            # The first thing that this one does is to take a snapshot.
            with tracemalloc.trace():
                pass
        self.assertEqual([region.size for region in regions], [0])


if __name__ == "__main__":
    unittest.main()
