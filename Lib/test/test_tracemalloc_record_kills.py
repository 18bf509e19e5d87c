"""Records of processes that fork, are killed, or have their file damaged.

KILLS in the environment is how many processes are killed at random; `make
test-kills` kills 1,000.
"""
import os
import random
import signal
import subprocess
import time
import unittest
from test.support import (
    LONG_TIMEOUT, import_helper, os_helper, sleeping_retry)
from test.tracemalloc_records import Records, change, repair, try_record
from tracemalloc import SnapshotFormatError
from tracemalloc._record import family, places, reader

_tracemalloc = import_helper.import_module("_tracemalloc")

KILLS = int(os.environ.get("KILLS", 12))


@unittest.skipUnless(hasattr(os, "fork"), "needs os.fork()")
class ForkTests(Records):

    def test_children_have_records_of_their_own(self):
        self.run_program("""
            kept = [str(i) * 10 for i in range(5000)]
            for number in range(3):
                pid = os.fork()
                if not pid:
                    more = [str(i) * 10 for i in range(1000)]
                    _tracemalloc._write_record()
                    _tracemalloc._check()
                    os.kill(os.getpid(), 9)
                os.waitpid(pid, 0)
            _tracemalloc._write_record()
            """)
        parent, *children = self.records()
        self.assertEqual(len(children), 3)
        self.assertEqual(parent.state, "exited")
        for child in children:
            self.check(child)
            self.assertEqual(child.state, "gone")
            self.assertEqual((child.family, child.parent),
                             (parent.family, parent.pid))
            self.assertEqual(child.program, parent.program)
            self.assertGreater(child.current, parent.current)
        self.check(parent)

    def test_children_of_every_kind_are_found(self):
        self.run_program("""
            import multiprocessing, subprocess
            if __name__ == "__main__":
                for method in "fork", "spawn", "forkserver":
                    context = multiprocessing.get_context(method)
                    process = context.Process(target=print, args=("run",))
                    process.start()
                    process.join()
                subprocess.run(
                    [sys.executable, "-c", "pass"], check=True, env=dict(
                        os.environ, PYTHONTRACEMALLOC="1,record="
                                                      + sys.argv[1]))
            """, self.folder)
        pictures = self.records()
        # The server and its child, and the tracker of resources.
        self.assertGreaterEqual(len(pictures), 6)
        self.assertEqual(len({picture.family for picture in pictures}), 1)
        for picture in pictures:
            self.check(picture)
        first = pictures[0]
        found = places.find(first.path, children=True)
        self.assertEqual(found[0], first.path)
        self.assertCountEqual(found, [each.path for each in pictures])
        merged = family.merge(pictures)
        self.assertEqual(sum(stat.size for stat in
                             merged.statistics("filename")),
                         sum(picture.current for picture in pictures))
        self.assertEqual(merged.metadata["processes"][0], first.pid)

    def test_no_warning_of_threads(self):
        self.run_program("""
            import warnings
            warnings.simplefilter("error")
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)
            """)

    def test_a_fork_that_python_does_not_know_of(self):
        import_helper.import_module("ctypes")
        self.run_program("""
            import ctypes
            library = ctypes.PyDLL(None)
            for name in "fork", "_Fork":
                fork = getattr(library, name, None)
                if fork is None:
                    continue
                _tracemalloc._write_record()
                pid = fork()
                if not pid:
                    kept = [str(i) * 30 for i in range(100_000)]
                    tracemalloc.stop()
                    kept = [str(i) * 30 for i in range(1000)]
                    os._exit(3)
                assert os.waitpid(pid, 0)[1] == 3 << 8
            print(os.getpid())
            os.kill(os.getpid(), 9)
            """, status=-9)
        picture = self.record()
        self.assertLess(picture.current, 5_000_000)

    def test_threads_fork_and_allocate(self):
        self.run_program("""
            import threading
            stop = False
            def work():
                while not stop:
                    kept = [str(i) for i in range(500)]
            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            import warnings
            warnings.simplefilter("ignore")
            for _ in range(20):
                pid = os.fork()
                if not pid:
                    _tracemalloc._write_record()
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
                _tracemalloc._write_record()
            stop = True
            """)
        pictures = self.records()
        self.assertEqual(len(pictures), 21)
        for picture in pictures:
            self.check(picture)


BUSY = """
import random, threading
print("ready", flush=True)
folder = os.path.dirname(_tracemalloc._get_record())

def deep(depth, numbers):
    if depth:
        return deep(depth - 1, numbers)
    return [str(number) * 3 for number in numbers]

def work(seed):
    rng = random.Random(seed)
    kept = []
    for turn in range(1 << 40):
        # 0: in none
        route = rng.choice((0, 0, rng.randrange(1 << rng.randrange(12))))
        with tracemalloc.account(f"route {route}" if route else None):
            kept.append(deep(rng.randrange(30), range(rng.randrange(300))))
        if len(kept) > 40:
            del kept[:rng.randrange(40)]
        if turn % 50 == 0:
            scope = {}
            source = "\\n".join(f"x{i} = [{i}.5, *()]" for i in range(20))
            exec(compile(source, f"file {rng.randrange(1 << 30)}", "exec"),
                 scope)
            kept.append(scope)
        if seed == 0 and turn % 400 == 399:
            action = rng.randrange(8)
            if action == 0:
                tracemalloc.clear_traces()
            elif action == 1:
                tracemalloc.stop()
                tracemalloc.start(25, record=folder)
            elif action == 2:
                tracemalloc.reset_peak()
            elif action == 3:
                tracemalloc.take_snapshot()
            elif action == 4:
                more = bytearray(rng.randrange(1 << 24))
            elif action == 5 and hasattr(os, "fork"):
                import warnings
                warnings.simplefilter("ignore")
                if not os.fork():
                    work(seed + 1)

threads = [threading.Thread(target=work, args=(number,))
           for number in range(1, 4)]
for thread in threads:
    thread.start()
work(0)
"""


class KillTests(Records):

    def busy(self):
        process = self.start_program(BUSY, start_new_session=True)

        def end():
            # Where a test fails, its children would go on for ever, and the
            # end of what they print would be waited for.
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)

        self.addCleanup(end)
        return process

    def check(self, picture):
        super().check(picture)
        # An account has its name as soon as it has a context.
        data = picture.snapshot().traces._data
        for number in {*(data.context_account or ())}:
            self.assertRegex(data.names[number], r"\A(route \d+)?\Z")

    def test_killed_at_any_moment(self):
        rng = random.Random()
        read = 0
        for number in range(KILLS):
            process = self.busy()
            # From the first allocations to some checkpoints later.
            moment = rng.expovariate(2)
            try:
                process.wait(moment)
                self.fail(f"the program has ended: {process.returncode}")
            except subprocess.TimeoutExpired:
                pass
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            for picture in self.records():
                read += 1
                with self.subTest(number=number, moment=moment):
                    self.check(picture)
                    self.assertIn(picture.state, ("gone", "stopped"))
                os.unlink(picture.path)
            self.assertFalse(places.list_folder(self.folder))
            if number % 100 == 99:
                print(f"{number + 1} killed, {read} records", flush=True)
            for name in os.listdir(self.folder):
                # One that was being made.
                self.assertTrue(name.startswith(".tracemalloc-"), name)
                os.unlink(os.path.join(self.folder, name))

    def test_reading_while_it_is_written(self):
        process = self.busy()
        end = time.monotonic() + 3
        read = 0
        while time.monotonic() < end or read < 20:
            for path in places.list_folder(self.folder):
                try:
                    picture = reader.read(path)
                except FileNotFoundError:
                    # Of an earlier session.
                    continue
                self.check(picture)
                read += 1
            self.assertIsNone(process.poll())
        os.killpg(process.pid, signal.SIGKILL)

    def test_killed_by_signals_and_abort(self):
        for number in signal.SIGTERM, signal.SIGABRT, signal.SIGSEGV:
            with self.subTest(number=number), os_helper.temp_dir() as folder:
                self.run_program(f"""
                    import resource, signal
                    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                    kept = [str(i) for i in range(1000)]
                    signal.signal({int(number)}, signal.SIG_DFL)
                    _tracemalloc._write_record()
                    os.kill(os.getpid(), {int(number)})
                    """, place=folder, status=-number)
                self.assertEqual(self.record(folder).state, "gone")

    def test_a_process_that_sleeps_is_seen_as_it_is(self):
        # The helper copies without anybody who allocates.
        process = self.start_program("""
            import time
            kept = [str(i) * 10 for i in range(100_000)]
            time.sleep(0)
            del kept
            print(tracemalloc.get_traced_memory()[0], flush=True)
            sys.stdin.read()
            """)
        path, = places.list_folder(self.folder)
        for _ in sleeping_retry(LONG_TIMEOUT):
            picture = reader.read(path)
            if picture.peak - picture.current > 5_000_000:
                break
        self.assertEqual(picture.state, "running")
        self.check(picture)

    def test_a_process_that_computes_is_asked(self):
        process = self.start_program("""
            print(1, flush=True)
            kept = []
            while True:
                kept.append(str(len(kept)))
                if len(kept) > 50_000:
                    kept.clear()
            """)
        path, = places.list_folder(self.folder)
        first = reader.read(path)
        for _ in sleeping_retry(LONG_TIMEOUT):
            picture = reader.read(path)
            if picture.written > first.written + 1_000_000_000:
                break
        self.check(picture)


class DamageTests(Records):
    """What others do to the file while it is written."""

    def test_it_is_cut_off(self):
        self.run_program("""
            path = _tracemalloc._get_record()
            from tracemalloc._record import reader
            for size in 0, 10, 4096, 5000, 20_000:
                os.truncate(path, size)
                kept = [str(i) * 10 for i in range(5000)]
                for _ in range(3):
                    try:
                        _tracemalloc._write_record()
                    except OSError:
                        pass
                assert reader.read(path).current > 100_000
            """)
        self.record()

    def test_it_is_removed(self):
        self.run_program("""
            path = _tracemalloc._get_record()
            os.unlink(path)
            kept = [str(i) * 10 for i in range(50_000)]
            try:
                _tracemalloc._write_record()
            except OSError:
                pass
            kept = [str(i) * 10 for i in range(50_000)]
            assert not os.path.exists(path)
            tracemalloc.stop()
            """)
        self.assertEqual(self.records(), [])

    def test_it_may_not_be_as_large_any_more(self):
        resource = import_helper.import_module("resource")
        self.run_program("""
            import resource
            _tracemalloc._write_record()
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
            kept = [str(i) * 10 for i in range(500_000)]
            try:
                _tracemalloc._write_record()
            except OSError as error:
                print(error)
            tracemalloc.stop()
            """)
        self.record()

    def test_every_page_that_is_damaged_is_noticed(self):
        self.run_program("kept = [str(i) for i in range(1000)]")
        picture = self.record()
        with open(picture.path, "rb") as stream:
            whole = stream.read()
        rng = random.Random(1)
        refused = 0
        for page in range(len(whole) // 4096):
            data = bytearray(whole)
            data[page * 4096 + rng.randrange(4096)] ^= 1 << rng.randrange(8)
            with open(picture.path, "wb") as stream:
                stream.write(data)
            try:
                found = reader.read(picture.path)
            except SnapshotFormatError:
                refused += 1
            else:
                # A page that is free, or the older checkpoint.
                self.check(found)
        self.assertGreater(refused, len(whole) // 4096 // 3)
        for size in range(0, len(whole), 3001):
            with open(picture.path, "wb") as stream:
                stream.write(whole[:size])
            self.assertRaises(SnapshotFormatError, reader.read, picture.path)

    def test_hostile_records(self):
        # Tools/fuzz/records.py goes on for as long as one likes.
        self.run_program("""
            import json
            kept = [str(i) for i in range(1000)]
            """)
        path, = places.list_folder(self.folder)
        with open(path, "rb") as stream:
            whole = stream.read()
        self.assertEqual(repair(whole), whole)
        loaded = 0
        for number in range(150):
            data = repair(change(whole, random.Random(number)))
            with open(path, "wb") as stream:
                stream.write(data)
            with self.subTest(number=number):
                loaded += try_record(path)
        self.assertGreater(loaded, 10)
        self.assertLess(loaded, 150)


if __name__ == "__main__":
    unittest.main()
