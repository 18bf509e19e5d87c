"""tracemalloc.watch(): snapshots in files, written by a thread."""
import contextlib
import gc
import os
import re
import signal
import stat
import tempfile
import textwrap
import threading
import time
import tracemalloc
import unittest
import warnings
from test import support
from test.support import os_helper, threading_helper
from test.support.script_helper import assert_python_ok
from tracemalloc import Snapshot, _watch
from unittest import mock

# How long a test waits for a thread: for ever, as far as tests go.
TIMEOUT = support.LONG_TIMEOUT


class TemplateTests(unittest.TestCase):

    def test_E09_variables(self):
        clock = time.struct_time((2013, 9, 2, 8, 3, 5, 0, 245, 0))
        with (mock.patch.object(os, "getpid", return_value=77),
              mock.patch.object(time, "strftime",
                                lambda form: time.asctime(clock) + form)):
            self.assertEqual(_watch.expand_template("a-$pid-${counter}.x", 3),
                             "a-77-0003.x")
            self.assertEqual(_watch.expand_template("$counter$$", 12345),
                             "12345$")
            self.assertEqual(_watch.expand_template("$timestamp", 1),
                             "Mon Sep  2 08:03:05 2013%Y-%m-%d_%H-%M-%S")
        self.assertRegex(_watch.expand_template("$timestamp", 1),
                         r"^\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d$")

    def test_unknown_variables_are_refused(self):
        for template in ("$pid-$counter", "${timestamp}$$", "plain"):
            _watch.check_template(template)
        for template, error in (("$PID", "unknown variable"),
                                ("$name.x", "unknown variable"),
                                ("$", "begins no name"),
                                ("$ x", "begins no name")):
            with self.subTest(template=template):
                with self.assertRaisesRegex(ValueError, error):
                    _watch.check_template(template)


class ForkTests(unittest.TestCase):

    def test_the_thread_imports_nothing(self):
        # A child of os.fork() would have half a module for ever.
        for name in "a.tmz", "a.pickle":
            with self.subTest(name=name), os_helper.temp_dir() as folder:
                _, out, _ = assert_python_ok("-X", "tracemalloc=5", "-c", """
if True:
    import sys, tracemalloc
    watch = tracemalloc.watch(sys.argv[1], interval=1e6)
    before = {*sys.modules}
    watch.write()
    print(sorted({*sys.modules} - before))
    watch.stop()
""", os.path.join(folder, name))
                self.assertEqual(out.strip(), b"[]")


class DueTests(unittest.TestCase):
    """When a snapshot is due, without any thread or clock."""

    def setUp(self):
        self.now, self.memory = 1000.0, 5_000_000
        for target, name, value in (
                (time, "monotonic", lambda: self.now),
                (tracemalloc, "get_traced_memory",
                 lambda: (self.memory, 10 ** 9))):
            patch = mock.patch.object(target, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def watch(self, interval=None, threshold=None):
        watch = _watch.Watch("x", interval=interval, threshold=threshold,
                             collect=True)
        watch._mark()
        return watch

    def test_interval(self):
        watch = self.watch(interval=60)
        self.assertEqual(watch._pause(), 60)
        self.now += 59
        self.memory *= 100
        self.assertFalse(watch._is_due())
        self.assertEqual(watch._pause(), 1)
        self.now += 1
        self.assertTrue(watch._is_due())
        self.now += 10
        self.assertEqual(watch._pause(), 0)
        watch._mark()
        self.assertFalse(watch._is_due())

    def test_threshold(self):
        watch = self.watch(threshold=1000)
        self.assertEqual(watch._pause(), _watch._POLL)
        self.now += 10 ** 6
        for change, due in ((0, False), (999, False), (1000, True),
                            (-999, False), (-1000, True), (5000, True)):
            self.memory = 5_000_000 + change
            self.assertIs(watch._is_due(), due)
        watch._mark()
        self.assertFalse(watch._is_due())

    def test_interval_and_threshold(self):
        watch = self.watch(interval=60, threshold=1000)
        self.assertEqual(watch._pause(), _watch._POLL)
        self.assertFalse(watch._is_due())
        self.memory += 1000
        self.assertTrue(watch._is_due())
        watch._mark()
        self.assertFalse(watch._is_due())
        self.now += 59.75
        self.assertEqual(watch._pause(), 0.25)
        self.now += 1
        self.assertTrue(watch._is_due())

    def test_E09_a_minute_unless_told_otherwise(self):
        self.assertEqual(self.watch()._pause(), 60)

    def test_numbers_must_be_positive(self):
        for options in ({"interval": 0}, {"interval": -1.5}, {"threshold": 0},
                        {"interval": 1, "threshold": -1},
                        {"interval": float("nan")}):
            with self.assertRaisesRegex(ValueError, "must be positive"):
                self.watch(**options)
        for options in ({"interval": "1"}, {"threshold": [1]}):
            with self.assertRaises(TypeError):
                self.watch(**options)


@threading_helper.requires_working_threading()
class WatchTests(unittest.TestCase):

    def setUp(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the tests would end it")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.template = os.path.join(self.folder, "s-$counter.pickle")
        self.addCleanup(tracemalloc.stop)
        tracemalloc.start(2)

    def files(self):
        return sorted(os.listdir(self.folder))

    @contextlib.contextmanager
    def steps(self, number):
        """Let a watch started inside make so many steps; then stop it."""
        step, done, watches = _watch.Watch._step, threading.Event(), []

        def counting(watch):
            step(watch)
            watches.append(watch)
            if len(watches) == number:
                done.set()
                watch._stopped.set()

        with mock.patch.object(_watch.Watch, "_step", counting):
            yield
            self.assertTrue(done.wait(TIMEOUT), "the thread made no step")
            watches[0].stop()
        self.assertFalse(watches[0].is_running())

    def test_E09_snapshots_are_written_again_and_again(self):
        with self.steps(3):
            watch = tracemalloc.watch(self.template, interval=1e-6)
        self.assertIsNone(watch.error)
        self.assertEqual(self.files(),
                         ["s-0001.pickle", "s-0002.pickle", "s-0003.pickle"])
        self.assertEqual(watch.filenames, [os.path.join(self.folder, name)
                                           for name in self.files()])
        for filename in watch.filenames:
            snapshot = Snapshot.load(filename)
            self.assertEqual(snapshot.traceback_limit, 2)
            self.assertGreater(len(snapshot.traces), 0)

    def test_E09_default_file_name(self):
        with mock.patch.object(tempfile, "tempdir", self.folder):
            with self.steps(1):
                watch = tracemalloc.watch(interval=1e-6)
        folder, = self.files()
        self.assertEqual(watch.filenames, [
            os.path.join(self.folder, folder, f"{os.getpid()}-0001.tmz")])
        # All that a snapshot knows is there.
        stat, *_ = Snapshot.load(watch.filenames[0]).statistics("lineno")
        self.assertIsNotNone(stat.peak_size)

    @unittest.skipUnless(os.name == "posix", "modes of POSIX")
    def test_by_default_others_can_neither_look_nor_know_the_name(self):
        with mock.patch.object(tempfile, "tempdir", self.folder):
            names = []
            for _ in range(2):
                with tracemalloc.watch(interval=10 ** 6) as watch:
                    folder = os.path.dirname(watch.write())
                    status = os.stat(folder)
                    self.assertEqual(stat.S_IMODE(status.st_mode), 0o700)
                    self.assertEqual(status.st_uid, os.geteuid())
                    names.append(folder)
        self.assertNotEqual(*names)

    def test_the_default_folder_goes_away_if_nothing_was_written(self):
        with mock.patch.object(tempfile, "tempdir", self.folder):
            with tracemalloc.watch(interval=10 ** 6):
                self.assertEqual(len(self.files()), 1)
            self.assertEqual(self.files(), [])
            for arguments in {"interval": -1}, {"threshold": "x"}:
                with self.assertRaises((ValueError, TypeError)):
                    tracemalloc.watch(**arguments)
            self.assertEqual(self.files(), [])

    def test_the_name_of_the_default_folder_is_no_template(self):
        folder = os.path.join(self.folder, "a$b")
        os.mkdir(folder)
        with mock.patch.object(tempfile, "tempdir", folder):
            with tracemalloc.watch(interval=10 ** 6) as watch:
                self.assertTrue(watch.write().startswith(folder))

    def test_the_name_of_the_current_folder_is_no_template(self):
        folder = os.path.join(self.folder, "a$b")
        os.mkdir(folder)
        with os_helper.change_cwd(folder), self.steps(1):
            watch = tracemalloc.watch("$counter.tmz", interval=1e-6)
            os.chdir(self.folder)
        self.assertEqual(watch.filenames, [os.path.join(folder, "0001.tmz")])

    def test_a_name_in_bytes(self):
        with tracemalloc.watch(os.fsencode(self.template),
                               interval=10 ** 6) as watch:
            self.assertEqual(watch.write(),
                             os.path.join(self.folder, "s-0001.pickle"))

    def test_no_interval_is_too_long(self):
        for interval in (1e10, 1e300, float("inf"), 10 ** 400):
            with tracemalloc.watch(self.template, interval=interval) as watch:
                self.assertLess(watch._pause(), threading.TIMEOUT_MAX)
                self.assertTrue(watch.is_running())
            self.assertIsNone(watch.error)

    def test_a_folder_that_there_is_not_is_an_error_at_once(self):
        before = threading.active_count()
        missing = os.path.join(self.folder, "missing")
        for name in ("$counter.tmz", "$pid/$counter.tmz", "a/b/x.tmz"):
            with self.subTest(name=name), self.assertRaisesRegex(
                    FileNotFoundError, "there is no such folder: .*missing'"):
                tracemalloc.watch(os.path.join(missing, name))
        open(missing, "w").close()
        with self.assertRaises(NotADirectoryError):
            tracemalloc.watch(os.path.join(missing, "$counter.tmz"))
        with self.assertRaises(IsADirectoryError):
            tracemalloc.watch(self.folder)
        with (mock.patch.object(os, "access", return_value=False),
              self.assertRaisesRegex(PermissionError, "is not writable")):
            tracemalloc.watch(self.template)
        self.assertEqual(threading.active_count(), before)

    @unittest.skipUnless(hasattr(os, "geteuid") and os.geteuid() == 0,
                         "only root can give files")
    def test_a_link_that_somebody_planted_is_an_error_at_once(self):
        os.chmod(self.folder, 0o1777)
        link = os.path.join(self.folder, "s-0001.pickle")
        os.symlink("elsewhere", link)
        os.lchown(link, 12345, 12345)
        with self.assertRaisesRegex(PermissionError, "belongs to another"):
            tracemalloc.watch(self.template)
        self.assertEqual(self.files(), ["s-0001.pickle"])

    def test_threshold_counts_from_the_last_snapshot(self):
        kept = []
        write = _watch.Watch.write
        steps = iter([0, 300_000, 300_000, -700_000, 0])
        sizes = []

        def allocate(change):
            if change > 0:
                kept.append(bytes(change))
            elif change < 0:
                kept.clear()

        def step_aside(watch):
            # In the watch's own thread it would be none of the program's.
            other = threading.Thread(target=allocate, args=(next(steps, 0),))
            other.start()
            other.join()
            return pause(watch) and 0

        def counted(watch):
            sizes.append(sum(map(len, kept)))
            return write(watch)

        pause = _watch.Watch._pause
        with (mock.patch.object(_watch.Watch, "_pause", step_aside),
              mock.patch.object(_watch.Watch, "write", counted),
              self.steps(5)):
            watch = tracemalloc.watch(self.template, threshold=500_000)
        self.assertIsNone(watch.error)
        self.assertEqual(sizes, [600_000, 0])
        self.assertEqual(len(self.files()), 2)

    def test_E09_signals_are_blocked(self):
        found = []

        def look(watch):
            found.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))

        before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        with mock.patch.object(_watch.Watch, "write", look), self.steps(1):
            watch = tracemalloc.watch(self.template, interval=1e-6)
        blockable = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
        self.assertLessEqual(blockable, found[0])
        self.assertEqual(signal.pthread_sigmask(signal.SIG_BLOCK, []), before)
        self.assertTrue(watch._thread.daemon)

    def test_E09_garbage_is_collected_first(self):
        for collect in (True, False):
            with mock.patch.object(gc, "collect") as collector, self.steps(2):
                tracemalloc.watch(self.template, interval=1e-6,
                                  collect=collect)
            self.assertEqual(collector.call_count, 2 * collect)

    def test_what_goes_wrong_is_kept_and_the_thread_goes_on(self):
        folder = os.path.join(self.folder, "missing")
        template = os.path.join(folder, "$counter.pickle")
        os.mkdir(folder)
        step = _watch.Watch._step
        errors = []

        def record(watch):
            if not errors:
                os.rmdir(folder)
            step(watch)
            errors.append(watch.error)
            if len(errors) == 2:
                os.mkdir(folder)

        with (mock.patch.object(threading, "excepthook") as hook,
              mock.patch.object(_watch.Watch, "_step", record), self.steps(3)):
            watch = tracemalloc.watch(template, interval=1e-6)
        self.assertEqual(list(map(type, errors)),
                         [FileNotFoundError, FileNotFoundError, type(None)])
        self.assertEqual(os.listdir(folder), ["0001.pickle"])
        self.assertEqual(len(watch.filenames), 1)
        hook.assert_not_called()

    def test_nothing_escapes_from_the_thread(self):
        class Odd(BaseException):
            pass

        with (mock.patch.object(threading, "excepthook") as hook,
              mock.patch.object(_watch.Watch, "_pause", side_effect=Odd)):
            watch = tracemalloc.watch(self.template, interval=1e-6)
            watch._thread.join(TIMEOUT)
            self.assertFalse(watch.is_running())
            watch.stop()
        self.assertIs(type(watch.error), Odd)
        hook.assert_not_called()

    def test_a_file_that_fails_is_not_counted(self):
        with (mock.patch.object(Snapshot, "dump",
                                side_effect=OSError("disk full")),
              self.steps(2)):
            watch = tracemalloc.watch(self.template, interval=1e-6)
        self.assertEqual(str(watch.error), "disk full")
        self.assertEqual((self.files(), watch.filenames), ([], []))
        with tracemalloc.watch(self.template, interval=10 ** 6) as watch:
            with mock.patch.object(Snapshot, "dump", side_effect=OSError):
                self.assertRaises(OSError, watch.write)
            self.assertTrue(watch.write().endswith("s-0001.pickle"))

    def test_the_end_of_the_name_decides_about_the_format(self):
        with self.steps(1):
            watch = tracemalloc.watch(
                os.path.join(self.folder, "x$counter.tmz"), interval=1e-6)
        with open(watch.filenames[0], "rb") as stream:
            self.assertNotEqual(stream.read(1), b"\x80")
        self.assertEqual(Snapshot.load(watch.filenames[0]).traceback_limit, 2)

    def test_tracing_must_be_on_at_first(self):
        tracemalloc.stop()
        with self.assertRaisesRegex(RuntimeError, "start\\(\\) first$"):
            tracemalloc.watch(self.template, interval=1)

    def test_while_tracing_is_off_it_waits(self):
        pause = _watch.Watch._pause
        states = iter([False, False, True])

        def switch(watch):
            if next(states, True):
                tracemalloc.start()
            else:
                tracemalloc.stop()
            return pause(watch)

        with mock.patch.object(_watch.Watch, "_pause", switch), self.steps(3):
            watch = tracemalloc.watch(self.template, interval=1e-6)
        self.assertIsNone(watch.error)
        self.assertEqual(self.files(), ["s-0001.pickle"])

    def test_it_ends_at_once_when_told(self):
        with tracemalloc.watch(self.template, interval=10 ** 6) as watch:
            self.assertTrue(watch.is_running())
            self.assertIn("running, 0 files", repr(watch))
        self.assertFalse(watch.is_running())
        self.assertFalse(watch._thread.is_alive())
        self.assertIn("stopped", repr(watch))
        watch.stop()

    def test_write_works_at_any_time(self):
        with tracemalloc.watch(self.template, interval=10 ** 6) as watch:
            first = watch.write()
            second = watch.write()
        self.assertEqual([os.path.basename(name) for name in (first, second)],
                         self.files())
        tracemalloc.stop()
        with self.assertRaisesRegex(RuntimeError, "must be tracing"):
            watch.write()
        self.assertEqual(len(self.files()), 2)

    def test_wrong_arguments_start_no_thread(self):
        before = threading.active_count()
        for arguments in ({"interval": -1}, {"threshold": 0},
                          {"filename": "$x"}):
            with self.assertRaises(ValueError):
                tracemalloc.watch(**arguments)
        self.assertRaises(TypeError, tracemalloc.watch, "x", 60)
        self.assertEqual(threading.active_count(), before)

    def test_the_module_is_loaded_when_it_is_wanted(self):
        code = textwrap.dedent("""\
            import sys, tracemalloc
            print(*{'threading', 'tracemalloc._watch', 'string'} & set(sys.modules))
            """)
        self.assertEqual(assert_python_ok("-c", code).out.split(), [])

    def test_at_exit_files_are_complete_and_nothing_is_printed(self):
        code = textwrap.dedent("""\
            import sys, tracemalloc
            tracemalloc.start()
            watch = tracemalloc.watch(sys.argv[1], interval=1e-6)
            while not watch.filenames:
                kept = [bytes(n) for n in range(1000)]
            """)
        for _ in range(3):
            result = assert_python_ok("-c", code, self.template)
            self.assertEqual((result.out, result.err), (b"", b""))
            for name in self.files():
                self.assertTrue(re.fullmatch(r"s-\d{4,}\.pickle", name), name)
                Snapshot.load(os.path.join(self.folder, name))

    @unittest.skipUnless(hasattr(signal, "SIGUSR1"), "needs signals")
    def test_a_handler_of_a_signal_may_write_while_its_thread_does(self):
        def interrupted(snapshot, filename):
            if not inside:
                inside.append(filename)
                signal.raise_signal(signal.SIGUSR1)
            dump(snapshot, filename)

        inside = []
        dump = Snapshot.dump
        with tracemalloc.watch(self.template, interval=10 ** 6) as watch:
            self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(
                signal.SIGUSR1, lambda number, frame: watch.write()))
            with mock.patch.object(Snapshot, "dump", interrupted):
                self.assertEqual(watch.write(), inside[0])
        self.assertEqual(self.files(), ["s-0001.pickle", "s-0002.pickle"])
        self.assertEqual(list(map(os.path.basename, watch.filenames)),
                         self.files()[::-1])

    def run_in_child(self, function):
        """Have a child of fork call a function, and then end as programs do.
        """
        with warnings.catch_warnings():
            # That the process has threads is what is tested.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                function()
                os._exit(0)
            os._exit(1)
        support.wait_process(pid, exitcode=0)

    @support.requires_fork()
    def test_a_child_of_fork_leaves_the_default_folder(self):
        with mock.patch.object(tempfile, "tempdir", self.folder):
            with tracemalloc.watch(interval=10 ** 6) as watch:
                # What is called at exit.
                self.run_in_child(watch.stop)
                self.assertEqual(len(self.files()), 1)
                watch.write()

    @support.requires_fork()
    def test_a_child_of_fork_does_not_wait_for_a_thread_to_write(self):
        def waiting(snapshot, filename):
            if os.getpid() == parent:
                started.set()
                go_on.wait(TIMEOUT)
            dump(snapshot, filename)

        def write():
            signal.alarm(60)
            watch.write()

        parent = os.getpid()
        dump, started, go_on = (Snapshot.dump, threading.Event(),
                                threading.Event())
        template = os.path.join(self.folder, "$pid-$counter.tmz")
        with (tracemalloc.watch(template, interval=10 ** 6) as watch,
              mock.patch.object(Snapshot, "dump", waiting)):
            thread = threading.Thread(target=watch.write)
            thread.start()
            try:
                self.assertTrue(started.wait(TIMEOUT))
                self.run_in_child(write)
            finally:
                go_on.set()
                thread.join()
        self.assertEqual(len(self.files()), 2)

    @support.requires_fork()
    def test_a_child_of_fork_has_no_thread(self):
        with tracemalloc.watch(self.template, interval=10 ** 6) as watch:
            with warnings.catch_warnings():
                # That the process has threads is what is tested.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                with contextlib.suppress(BaseException):
                    if not watch.is_running():
                        watch.stop()
                        os._exit(0)
                os._exit(1)
            support.wait_process(pid, exitcode=0)
            self.assertTrue(watch.is_running())


if __name__ == "__main__":
    unittest.main()
