"""pytracemalloc: tasks, the alarm that drives them, and whole programs.

Names of tests have the numbers of the requirements (D rows) in them.  Tasks
run between two instructions after the allocation that was due, so calling any
function is enough to see them run; no test waits for a time to pass, save for
allocating until a delay of a second has run out.
"""
import _tracemalloc
import io
import os
import pytracemalloc
import sys
import tracemalloc
import unittest
from pytracemalloc import DisplayTopTask, Snapshot, TakeSnapshotTask, Task
from test import support
from test.support import os_helper, threading_helper
from test.test_pytracemalloc_tracing import TracingTestCase
from unittest import mock

SOURCE = os.environ.get("TRACEMALLOC_SOURCE")
NEVER = 10 ** 6     # seconds


def pause():
    """Reach an instruction where an alarm can ring."""


class AlarmTests(TracingTestCase):
    """_tracemalloc._set_alarm(), on which tasks stand."""

    def setUp(self):
        super().setUp()
        self.addCleanup(_tracemalloc._set_alarm, None)
        self.rung = []
        pytracemalloc.enable()
        pause()

    def set_window(self, below, above):
        # Names that nothing else holds go when others take their place there.
        sys._clear_internal_caches()
        traced = _tracemalloc.get_traced_memory()[0]
        _tracemalloc._set_alarm(self.rung.append, traced - below,
                                traced + above)
        return traced

    def test_D56_rings_once_when_memory_grew(self):
        traced = self.set_window(50_000, 100_000)
        kept = [bytes(60_000)]
        pause()
        self.assertEqual(self.rung, [])
        kept.append(bytes(60_000))
        pause()
        self.assertEqual(len(self.rung), 1)
        self.assertTrue(120_000 <= self.rung[0] - traced < 125_000)
        kept.append(bytes(60_000))
        pause()
        self.assertEqual(len(self.rung), 1)

    def test_D56_small_blocks_ring_too(self):
        self.set_window(50_000, 100_000)
        kept = [str(n) for n in range(10_000)]
        pause()
        self.assertEqual(len(self.rung), 1)
        self.assertEqual(len(kept), 10_000)

    def test_D56_rings_when_memory_fell(self):
        kept = bytes(200_000)
        traced = self.set_window(100_000, 50_000)
        del kept
        text = str(self)
        pause()
        self.assertEqual(len(self.rung), 1)
        self.assertTrue(190_000 <= traced - self.rung[0] <= 200_100, text)

    def test_D56_a_short_fall_or_rise_does_not_escape(self):
        kept = bytearray(200_000)
        self.set_window(100_000, 50_000)
        del kept
        kept = bytearray(200_000)
        pause()
        self.assertEqual(len(self.rung), 1)
        self.set_window(50_000, 100_000)
        bytearray(200_000)
        pause()
        self.assertEqual(len(self.rung), 2)
        del kept

    def test_D55_rings_when_it_is_time(self):
        _tracemalloc._set_alarm(self.rung.append, 0, sys.maxsize, 1)
        text = str(self)
        pause()
        self.assertEqual(len(self.rung), 1, text)
        _tracemalloc._set_alarm(self.rung.append, 0, sys.maxsize, 2 ** 62)
        text = str(self)
        pause()
        self.assertEqual(len(self.rung), 1, text)

    def test_D54_cancelled(self):
        self.set_window(10, 10)
        _tracemalloc._set_alarm(None)
        text = str(self)
        pause()
        self.assertEqual(self.rung, [], text)

    def test_D53_nothing_rings_without_tracing(self):
        pytracemalloc.disable()
        _tracemalloc._set_alarm(self.rung.append, 10, 0)
        pytracemalloc.enable()
        text = str(self)
        pause()
        self.assertEqual(self.rung, [], text)

    def test_D54_what_the_callback_raises_is_reported(self):
        def callback(traced):
            raise ZeroDivisionError

        with support.catch_unraisable_exception() as caught:
            _tracemalloc._set_alarm(callback, 0, 0)
            text = str(self)
            pause()
            self.assertIs(caught.unraisable.exc_type, ZeroDivisionError, text)
            self.assertIs(caught.unraisable.object, callback)

    def test_D53_wrong_arguments(self):
        with self.assertRaisesRegex(TypeError, "must be callable, or None"):
            _tracemalloc._set_alarm(1)
        for wrong in ((print, "a"), (print, 0, 2 ** 100), ()):
            with self.assertRaises((TypeError, OverflowError)):
                _tracemalloc._set_alarm(*wrong)

    @threading_helper.requires_working_threading()
    def test_D56_the_thread_that_allocates_calls(self):
        import threading

        def work():
            kept.append(bytes(500_000))
            pause()

        kept, seen = [], []
        traced = _tracemalloc.get_traced_memory()[0]
        thread = threading.Thread(target=work)
        _tracemalloc._set_alarm(
            lambda traced: seen.append(threading.current_thread()),
            0, traced + 400_000)
        thread.start()
        thread.join()
        self.assertEqual(seen, [thread])

    def test_D56_other_interpreters_do_not_ring(self):
        try:
            import _interpreters
        except ImportError:
            self.skipTest("needs subinterpreters")
        other = _interpreters.create("legacy")
        self.addCleanup(_interpreters.destroy, other)
        traced = _tracemalloc.get_traced_memory()[0]
        _tracemalloc._set_alarm(
            lambda traced: self.rung.append(_interpreters.get_current()),
            0, traced + 3_000_000)
        self.assertIsNone(_interpreters.exec(
            other, "kept = bytes(20_000_000)\nlen(kept)\n"))
        text = str(self)
        pause()
        # The next allocation here did it.
        self.assertEqual(self.rung, [_interpreters.get_main()], text)


class TaskTests(TracingTestCase):
    def setUp(self):
        super().setUp()
        self.calls = []
        self.kept = []

    def task(self, threshold=100_000, delay=None):
        task = Task(self.calls.append, None)
        task.set_memory_threshold(threshold)
        task.set_delay(delay)
        return task

    def allocate(self, size=200_000):
        self.kept.append(bytes(size))
        pause()

    def test_D52_attributes_and_call(self):
        def func(*args, **kw):
            return args, kw

        task = Task(func, 1, 2, key=3)
        self.assertEqual((task.func, task.func_args, task.func_kwargs),
                         (func, (1, 2), {"key": 3}))
        self.assertEqual(task.call(), ((1, 2), {"key": 3}))
        task = Task(func)
        self.assertEqual((task.func_args, task.func_kwargs), ((), None))
        self.assertEqual(task.call(), ((), {}))
        self.assertEqual(Task(dict, func=1, self=2).call(),
                         {"func": 1, "self": 2})
        with self.assertRaisesRegex(TypeError, "something to call, not int"):
            Task(3)
        with self.assertRaises(ZeroDivisionError):
            Task(lambda: 1 / 0).call()

    def test_D53_what_scheduling_needs(self):
        task = self.task()
        with self.assertRaisesRegex(RuntimeError, "call enable"):
            task.schedule()
        pytracemalloc.enable()
        with self.assertRaisesRegex(ValueError, "never be called"):
            Task(print).schedule()
        for wrong in (0, -1):
            with self.assertRaisesRegex(ValueError, "once or more"):
                task.schedule(wrong)
        with self.assertRaises(TypeError):
            task.schedule("2")
        self.assertEqual(pytracemalloc.get_tasks(), [])

    def test_D53_D11_scheduled_until_cancelled(self):
        pytracemalloc.enable()
        task = self.task()
        self.assertIsNone(task.schedule())
        self.assertEqual(pytracemalloc.get_tasks(), [task])
        for count in range(1, 6):
            self.allocate()
            self.assertEqual(len(self.calls), count)
            self.assertEqual(pytracemalloc.get_tasks(), [task])
        task.cancel()
        self.assertEqual(pytracemalloc.get_tasks(), [])
        self.allocate()
        self.assertEqual(len(self.calls), 5)

    def test_D53_scheduled_a_number_of_times(self):
        pytracemalloc.enable()
        task = self.task()
        task.schedule(2)
        for count in (1, 2, 2, 2):
            self.allocate()
            self.assertEqual(len(self.calls), count)
        self.assertEqual(pytracemalloc.get_tasks(), [])
        task.schedule(repeat=1)
        self.allocate()
        self.allocate()
        self.assertEqual(len(self.calls), 3)

    def test_D53_scheduling_again_starts_again(self):
        pytracemalloc.enable()
        task = self.task()
        task.schedule(1)
        self.allocate(60_000)
        task.schedule(3)
        self.assertEqual(pytracemalloc.get_tasks(), [task])
        # What was allocated before does not count any more.
        self.allocate(60_000)
        self.assertEqual(len(self.calls), 0)
        for count in (1, 2, 3, 3):
            self.allocate()
            self.assertEqual(len(self.calls), count)

    def test_D53_a_task_can_schedule_itself(self):
        def call():
            self.calls.append(None)
            if len(self.calls) < 3:
                task.schedule(1)

        pytracemalloc.enable()
        task = Task(call)
        task.set_memory_threshold(100_000)
        task.schedule(1)
        for count in (1, 2, 3, 3):
            self.allocate()
            self.assertEqual(len(self.calls), count)

    def test_D54_cancel(self):
        pytracemalloc.enable()
        task = self.task()
        self.assertIsNone(task.cancel())
        task.schedule()
        task.cancel()
        task.cancel()
        self.allocate()
        self.assertEqual(self.calls, [])

    def test_D54_an_exception_cancels(self):
        def call():
            self.calls.append(None)
            raise ZeroDivisionError("in the task")

        pytracemalloc.enable()
        failing, other = Task(call), self.task()
        failing.set_memory_threshold(100_000)
        failing.schedule()
        other.schedule()
        with support.catch_unraisable_exception() as caught:
            self.allocate()
            self.assertEqual(str(caught.unraisable.exc_value), "in the task")
        self.assertEqual(pytracemalloc.get_tasks(), [other])
        self.assertEqual(len(self.calls), 2)
        self.allocate()
        self.assertEqual(len(self.calls), 3)

    def test_D54_exceptions_of_several_tasks(self):
        pytracemalloc.enable()
        for divisor in (0, 0):
            task = Task(divmod, 1, divisor)
            task.set_memory_threshold(100_000)
            task.schedule()
        with support.catch_unraisable_exception() as caught:
            self.allocate()
            self.assertEqual(len(caught.unraisable.exc_value.exceptions), 2)
        self.assertEqual(pytracemalloc.get_tasks(), [])

    def test_D11_cancel_tasks(self):
        pytracemalloc.enable()
        tasks = [self.task(), self.task(), self.task(None, NEVER)]
        for task in tasks:
            task.schedule()
        self.assertEqual(pytracemalloc.get_tasks(), tasks)
        pytracemalloc.get_tasks().clear()
        self.assertEqual(pytracemalloc.get_tasks(), tasks)
        self.assertIsNone(pytracemalloc.cancel_tasks())
        self.assertEqual(pytracemalloc.get_tasks(), [])
        self.allocate()
        self.assertEqual(self.calls, [])

    def test_D11_no_task_outlives_its_tracing(self):
        pytracemalloc.enable()
        self.task().schedule()
        tracemalloc.stop()
        self.assertEqual(pytracemalloc.get_tasks(), [])
        tracemalloc.start()
        self.allocate()
        self.assertEqual(pytracemalloc.get_tasks(), [])
        self.assertEqual(self.calls, [])

    def test_D55_delay(self):
        task = Task(print)
        self.assertIsNone(task.get_delay())
        self.assertIsNone(task.set_delay(60))
        self.assertEqual(task.get_delay(), 60)
        for wrong in (0, -1):
            with self.assertRaisesRegex(ValueError, "1 second or more"):
                task.set_delay(wrong)
        with self.assertRaises(TypeError):
            task.set_delay("1")
        self.assertEqual(task.get_delay(), 60)
        task.set_delay(seconds=None)
        self.assertIsNone(task.get_delay())

    def test_D55_called_after_the_delay_not_before(self):
        from time import monotonic

        pytracemalloc.enable()
        task = Task(lambda: self.calls.append(monotonic()))
        task.set_delay(1)
        begin = monotonic()
        task.schedule(2)
        # Allocations drive it; how late they are does not matter.
        for _ in support.busy_retry(support.LONG_TIMEOUT):
            text = str(len(self.calls))
            if text == "2":
                break
        self.assertGreaterEqual(self.calls[0] - begin, 1)
        self.assertGreaterEqual(self.calls[1] - self.calls[0], 1)

    def clock(self):
        """Let tasks see self.seconds as the time.

        It is so long ago that the tracer always finds it is time, also where
        the machine has begun just now.
        """
        self.seconds = 1
        self.enterContext(mock.patch(
            "pytracemalloc._task.monotonic_ns",
            side_effect=lambda: (self.seconds - NEVER) * 10 ** 9))

    def test_D55_the_earliest_task_is_called_first(self):
        self.clock()
        pytracemalloc.enable()
        early, late = self.task(None, 10), self.task(None, 100)
        late.schedule()
        early.schedule()
        self.seconds = 10
        self.allocate(10)
        self.assertEqual(len(self.calls), 0)
        self.seconds = 50
        self.allocate(10)
        self.assertEqual(len(self.calls), 1)
        self.seconds = 1000
        self.allocate(10)
        self.assertEqual(len(self.calls), 3)
        self.assertEqual(pytracemalloc.get_tasks(), [late, early])

    def test_D55_setting_the_delay_starts_again(self):
        self.clock()
        pytracemalloc.enable()
        task = self.task(None, 10)
        task.schedule()
        self.seconds = 9
        task.set_delay(10)
        self.seconds = 18
        self.allocate(10)
        self.assertEqual(self.calls, [])
        self.seconds = 19
        self.allocate(10)
        self.assertEqual(len(self.calls), 1)

    def test_D55_D56_a_scheduled_task_keeps_one_of_both(self):
        pytracemalloc.enable()
        task = self.task(100_000, NEVER)
        task.schedule()
        task.set_memory_threshold(None)
        with self.assertRaisesRegex(ValueError, "never be called"):
            task.set_delay(None)
        self.assertEqual(task.get_delay(), NEVER)
        task.cancel()
        task.set_delay(None)

    def test_D56_threshold(self):
        task = Task(print)
        self.assertIsNone(task.get_memory_threshold())
        self.assertIsNone(task.set_memory_threshold(5 * 1024 * 1024))
        self.assertEqual(task.get_memory_threshold(), 5 * 1024 * 1024)
        for wrong in (0, -1):
            with self.assertRaisesRegex(ValueError, "1 byte or more"):
                task.set_memory_threshold(wrong)
        with self.assertRaises(TypeError):
            task.set_memory_threshold(1.5)
        task.set_memory_threshold(size=None)
        self.assertIsNone(task.get_memory_threshold())

    def test_D56_up_and_down(self):
        pytracemalloc.enable()
        task = self.task(150_000, NEVER)
        task.schedule()
        self.allocate(100_000)
        self.assertEqual(len(self.calls), 0)
        self.allocate(100_000)
        self.assertEqual(len(self.calls), 1)
        # Measured from the call on.
        del self.kept[0]
        self.allocate(1000)
        self.assertEqual(len(self.calls), 1)
        self.kept.clear()
        self.allocate(1000)
        self.assertEqual(len(self.calls), 2)

    def test_D56_setting_the_threshold_starts_again(self):
        pytracemalloc.enable()
        task = self.task(150_000)
        task.schedule()
        self.allocate(100_000)
        task.set_memory_threshold(50_000)
        self.allocate(10_000)
        self.assertEqual(len(self.calls), 0)
        self.allocate(60_000)
        self.assertEqual(len(self.calls), 1)

    def test_D56_several_thresholds(self):
        pytracemalloc.enable()
        small, big = self.task(100_000), self.task(350_000)
        small.func_args, big.func_args = ("small",), ("big",)
        small.schedule()
        big.schedule()
        for _ in range(4):
            self.allocate(110_000)
        self.assertEqual(self.calls, ["small"] * 4 + ["big"])

    def test_D56_clear_traces_is_no_change(self):
        pytracemalloc.enable()
        task = self.task()
        self.allocate()
        task.schedule()
        pytracemalloc.clear_traces()
        self.allocate(1000)
        self.assertEqual(self.calls, [])
        self.allocate()
        self.assertEqual(len(self.calls), 1)

    def test_D68_tasks_do_not_recurse(self):
        depths = []

        def call():
            depths.append(0)
            depths[-1] += 1
            kept = [bytes(1_000_000) for _ in range(5)]
            pause()
            self.assertEqual(depths[-1], 1)
            self.kept += kept
            depths[-1] -= 1

        pytracemalloc.enable()
        tasks = [Task(call), Task(call)]
        for task in tasks:
            task.set_memory_threshold(100_000)
            task.schedule(3)
        self.allocate()
        # What the tasks allocated themselves starts no new round.
        self.allocate(1000)
        self.assertEqual(depths, [0, 0])
        self.allocate()
        self.assertEqual(depths, [0, 0, 0, 0])

    def test_D68_a_task_that_is_cancelled_by_another_is_not_called(self):
        pytracemalloc.enable()
        first, second = Task(lambda: second.cancel()), self.task()
        first.set_memory_threshold(100_000)
        first.schedule()
        second.schedule()
        self.allocate()
        self.assertEqual(self.calls, [])
        self.assertEqual(pytracemalloc.get_tasks(), [first])

    @threading_helper.requires_working_threading()
    def test_D68_threads_change_tasks_while_they_run(self):
        import threading

        def work():
            for number in range(200):
                task = Task(pause)
                task.set_memory_threshold(1 + number % 7 * 1000)
                task.set_delay(NEVER)
                task.schedule(1 + number % 3)
                text = str(number) * 5000
                if number % 2:
                    task.cancel()
            self.calls.append(text)

        pytracemalloc.enable()
        threads = [threading.Thread(target=work) for _ in range(4)]
        with threading_helper.start_threads(threads):
            pass
        self.assertEqual(len(self.calls), 4)
        pytracemalloc.cancel_tasks()
        task = self.task()
        task.schedule(1)
        self.allocate()
        self.assertEqual(len(self.calls), 5)
        _tracemalloc._check()


class DisplayTopTaskTests(TracingTestCase):
    def test_D36_attributes(self):
        task = DisplayTopTask()
        self.assertIsInstance(task, Task)
        self.assertEqual((task.count, task.group_by, task.cumulative,
                          task.callback), (10, "line", False, None))
        self.assertIs(task.file, sys.stdout)
        self.assertIs(type(task.display_top), pytracemalloc.DisplayTop)
        file = io.StringIO()
        task = DisplayTopTask(5, "filename", True, file, print)
        self.assertEqual((task.count, task.group_by, task.cumulative,
                          task.callback, task.file),
                         (5, "filename", True, print, file))
        task = DisplayTopTask(count=5, group_by="filename", cumulative=True,
                              file=file, callback=print)
        self.assertEqual((task.count, task.file), (5, file))

    def test_D36_display(self):
        pytracemalloc.enable()
        file = io.StringIO()
        task = DisplayTopTask(2, file=file)
        task.callback = lambda snapshot: snapshot.add_metric("m", 1, "int")
        snapshot = task.display()
        self.assertIs(type(snapshot), Snapshot)
        self.assertIn(": Top 2 allocations per filename and line number\n",
                      file.getvalue())
        self.assertIn("\nm: 1\n", file.getvalue())
        self.assertIs(type(task.call()), Snapshot)
        self.assertIn("(compared to ", file.getvalue())

    def test_D37_cumulative_is_ignored_below_two_frames(self):
        pytracemalloc.enable()
        for limit in (1, 2):
            pytracemalloc.set_traceback_limit(limit)
            file = io.StringIO()
            DisplayTopTask(2, cumulative=True, file=file).display()
            self.assertEqual("Cumulative" in file.getvalue(), limit == 2)

    def test_D59_compact_display_when_memory_moves(self):
        file = io.StringIO()
        task = DisplayTopTask(25, group_by="filename", file=file)
        task.display_top.count = False
        task.display_top.average = False
        task.display_top.metrics = False
        task.set_memory_threshold(5 * 1024 * 1024)
        task.set_delay(60)
        pytracemalloc.enable()
        task.schedule()
        kept = [bytes(6 * 1024 * 1024)]
        pause()
        first, empty = file.getvalue().split("\n\n")
        self.assertEqual(empty, "")
        lines = first.splitlines()
        self.assertRegex(lines[0], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: "
                         r"Top \d+ allocations per filename$")
        self.assertRegex(lines[1], r"^#1: .*test_pytracemalloc_tasks\.py: "
                         r"6 MiB$")
        for line in lines[2:-1]:
            self.assertRegex(line, r"^#\d+: .+: \d+ (B|KiB)$")
        self.assertEqual(lines[-1], "Traced Python memory: 6 MiB")
        kept.append(bytes(6 * 1024 * 1024))
        pause()
        second = file.getvalue().split("\n\n")[1].splitlines()
        self.assertIn(" (compared to ", second[0])
        self.assertRegex(second[1], r"^#1: .*_tasks\.py: 12 MiB \(\+6 MiB\)$")


class TakeSnapshotTaskTests(TracingTestCase):
    def setUp(self):
        super().setUp()
        self.enterContext(os_helper.temp_cwd())

    def test_D57_D66_attributes(self):
        task = TakeSnapshotTask()
        self.assertIsInstance(task, Task)
        self.assertEqual((task.filename_template, task.traces, task.metrics,
                          task.callback),
                         ("tracemalloc-$counter.pickle", False, True, None))
        task = TakeSnapshotTask(filename_template="x", traces=True,
                                metrics=False, callback=print)
        self.assertEqual((task.filename_template, task.traces, task.metrics,
                          task.callback), ("x", True, False, print))

    def test_D57_take_snapshot(self):
        pytracemalloc.enable()
        task = TakeSnapshotTask()
        for number in (1, 2, 3):
            snapshot, filename = task.take_snapshot()
            self.assertEqual(filename, f"tracemalloc-000{number}.pickle")
            loaded = Snapshot.load(filename)
            self.assertEqual(loaded.stats, snapshot.stats)
            self.assertEqual(loaded.metrics, snapshot.metrics)
            self.assertEqual(loaded.timestamp, snapshot.timestamp)

    def test_D57_variables(self):
        pytracemalloc.enable()
        task = TakeSnapshotTask("a-$pid-$timestamp-$counter-$other")
        snapshot, filename = task.take_snapshot()
        self.assertEqual(
            filename, f"a-{os.getpid()}-"
            f"{str(snapshot.timestamp)[:19].replace(' ', '-')}-0001-$other")
        self.assertEqual(os.listdir(), [filename])

    def test_D66_passed_to_create(self):
        pytracemalloc.enable()
        task = TakeSnapshotTask(traces=True, metrics=False)
        snapshot, _ = task.take_snapshot()
        self.assertIsNotNone(snapshot.traces)
        self.assertEqual(snapshot.metrics, {})

    def test_D57_D69_callback(self):
        def callback(snapshot):
            snapshot.add_metric("app.users", 7, "int")

        pytracemalloc.enable()
        task = TakeSnapshotTask(callback=callback)
        _, filename = task.take_snapshot()
        self.assertEqual(Snapshot.load(filename).get_metric("app.users"), 7)

    def test_D61_snapshots_when_memory_moves(self):
        task = TakeSnapshotTask(traces=True)
        task.set_memory_threshold(5 * 1024 * 1024)
        task.set_delay(60)
        pytracemalloc.enable()
        task.schedule()
        kept = [None, None]
        for number in range(2):
            kept[number] = bytes(6 * 1024 * 1024)
            pause()
        self.assertEqual(sorted(os.listdir()), ["tracemalloc-0001.pickle",
                                                "tracemalloc-0002.pickle"])
        old, new = map(Snapshot.load, sorted(os.listdir()))
        diff = new.top_by("line").compare_to(old.top_by("line"))
        diff.sort()
        size_diff, size, count_diff, count, (filename, _) = diff.differences[0]
        self.assertEqual(os.path.basename(filename),
                         "test_pytracemalloc_tasks.py")
        self.assertEqual((size_diff, size, count_diff, count), (
            len(kept[0]) + sys.getsizeof(b""),
            2 * (len(kept[0]) + sys.getsizeof(b"")), 1, 2))

    def test_D57_a_file_that_cannot_be_written_cancels(self):
        pytracemalloc.enable()
        task = TakeSnapshotTask(os.path.join("missing", "x"))
        task.set_memory_threshold(100_000)
        task.schedule()
        with support.catch_unraisable_exception() as caught:
            kept = bytes(200_000)
            pause()
            self.assertIs(caught.unraisable.exc_type, FileNotFoundError)
        self.assertEqual(pytracemalloc.get_tasks(), [])
        del kept


@unittest.skipUnless(SOURCE,
                     "TRACEMALLOC_SOURCE does not name the source folder")
class ProgramTests(TracingTestCase):
    """The four programs of the documentation, run as they stand."""

    HEADER = (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: (?:Cumulative top|Top) \d+ "
              r"allocations per (?:filename and line number|filename|address)"
              r"(?: \(compared to \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\))?")
    SIZE = r"-?\d+ (?:B|KiB|MiB|GiB|TiB)"

    def setUp(self):
        super().setUp()
        self.enterContext(os_helper.temp_cwd())

    def run_example(self, name):
        path = os.path.join(SOURCE, "Doc", "examples", "pytracemalloc", name)
        with open(path, encoding="utf-8") as file:
            self.assertIn("import pytracemalloc as tracemalloc\n", file)
        return self.run_python(file=path)

    def test_D58_display_once(self):
        lines = self.run_example("display_once.py").splitlines()
        self.assertRegex(lines[0], f"^{self.HEADER}$")
        rows = [line for line in lines if line.startswith("#")]
        self.assertTrue(1 < len(rows) <= 50)
        for row in rows:
            self.assertRegex(
                row, rf"^#\d+: .+:\d+: size={self.SIZE}, count=\d+"
                rf"(?:, average={self.SIZE})?$")
        self.assertIn("tracemalloc.traced.size: ", "\n".join(lines))

    def test_D59_display_task(self):
        text = self.run_example("display_task.py")
        displays = text.removesuffix("\n\n").split("\n\n")
        self.assertEqual(len(displays), 3)
        for number, display in enumerate(displays):
            header, *rows, total = display.splitlines()
            self.assertRegex(header, f"^{self.HEADER}$")
            self.assertEqual(" (compared to " in header, number > 0)
            change = rf" \([+-]{self.SIZE}\)" if number else ""
            for row in rows:
                self.assertRegex(row, rf"^(?:#\d+: .+|\d+ more): "
                                 rf"{self.SIZE}{change}$")
            self.assertRegex(
                total, f"^Traced Python memory: {self.SIZE}{change}$")

    def test_D60_write_a_snapshot(self):
        self.assertEqual(self.run_example("write_snapshot.py"), "")
        snapshot = Snapshot.load("snapshot.pickle")
        self.assertIsNotNone(snapshot.traces)
        file = io.StringIO()
        pytracemalloc.DisplayTop().display_snapshot(snapshot, 3, file=file)
        self.assertRegex(file.getvalue().splitlines()[0], f"^{self.HEADER}$")

    def test_D61_snapshot_task(self):
        self.assertEqual(self.run_example("snapshot_task.py"), "")
        names = sorted(os.listdir())
        self.assertEqual(names, [f"tracemalloc-000{n}.pickle"
                                 for n in (1, 2, 3)])
        file = io.StringIO()
        top = pytracemalloc.DisplayTop()
        for name in names:
            top.display_snapshot(Snapshot.load(name), 3, file=file)
        self.assertEqual(file.getvalue().count(" (compared to "), 2)
        self.assertRegex(file.getvalue(), r"#1: .*snapshot_task\.py:\d+: "
                         r"size=18 MiB \(\+6 MiB\), count=\d+ \(\+\d\)")


@unittest.skipUnless(SOURCE,
                     "TRACEMALLOC_SOURCE does not name the source folder")
class ManualTests(unittest.TestCase):
    def page(self, name):
        path = os.path.join(SOURCE, "Doc", "library", name)
        with open(path, encoding="utf-8") as file:
            return " ".join(file.read().split())

    def test_D70_describes_every_name(self):
        page = self.page("pytracemalloc.rst")
        for name in pytracemalloc.__all__:
            self.assertRegex(page, rf"[ :]{name}\(", name)
            value = getattr(pytracemalloc, name)
            if isinstance(value, type):
                for part in vars(value):
                    if part[0] != "_":
                        self.assertIn(part, page, name)

    def test_I11_names_the_patched_pythons(self):
        self.assertIn("There were patches for Python 2.5, 2.7 and 3.4 with "
                      "release 0.9.1, and for 2.7 and 3.3 with 1.0",
                      self.page("pytracemalloc.rst"))

    def test_I13_links_proposals_package_and_similar_projects(self):
        page = self.page("tracemalloc.rst")
        for link in (":pep:`445`", ":pep:`454`",
                     "<https://pytracemalloc.readthedocs.io/>",
                     "<https://bloomberg.github.io/memray/>",
                     "<https://objgraph.readthedocs.io/>",
                     ":doc:`pytracemalloc`"):
            self.assertIn(link, page)

    def test_I14_names_the_systems(self):
        self.assertIn("This fork is built and tested on Linux.",
                      self.page("pytracemalloc.rst"))


if __name__ == "__main__":
    unittest.main()
