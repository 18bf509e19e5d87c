"""Records: what a process leaves for others, however it ends.

test_tracemalloc_record_places has the options and places, and
test_tracemalloc_record_kills what is left of processes that are killed.
"""
import json
import os
import sys
import textwrap
import tracemalloc
import unittest
from test.support import Py_GIL_DISABLED, check_sanitizer, import_helper
from test.tracemalloc_records import Records, repair

from tracemalloc._record import layout, places

import_helper.import_module("_tracemalloc")


class ContentTests(Records):

    def test_figures_are_those_of_a_snapshot(self):
        out = self.run_program("""
            import gc
            def make(number):
                return [str(i) * 10 for i in range(number)]
            kept = make(500)
            more = [make(100) for _ in range(10)]
            del more
            # What is in free lists would be freed by whoever takes it next.
            gc.collect()
            snapshot = tracemalloc.take_snapshot()
            snapshot.dump(sys.argv[1])
            _tracemalloc._write_record()
            os.kill(os.getpid(), 9)
            """, os.path.join(self.folder, "x.tmz"), status=-9).stdout
        self.assertEqual(out, "")
        found = self.record()
        snapshot = tracemalloc.Snapshot.load(
            os.path.join(self.folder, "x.tmz"))
        recorded = found.snapshot()
        only = [tracemalloc.Filter(True, "<string>")]

        def figures(snapshot, key):
            return {
                (str(stat.traceback), stat.size, stat.count,
                 stat.allocated_size, stat.freed_count)
                for stat in snapshot.filter_traces(only).statistics(key)
                # What has happened since.
                if 0 < stat.traceback[-1].lineno < 11}

        for key in "lineno", "traceback":
            with self.subTest(key=key):
                wanted = figures(snapshot, key)
                self.assertEqual(figures(recorded, key) & wanted, wanted)
                self.assertTrue(wanted)
        frames = {tuple(trace.traceback) for trace in recorded.traces}
        self.assertIn("make", {frame.function for trace in frames
                               for frame in trace})
        columns = {(frame.lineno, frame.column, frame.end_column)
                   for trace in snapshot.filter_traces(only).traces
                   for frame in trace.traceback[-1:]}
        self.assertLessEqual(
            {each for each in columns if each[0] < 11},
            {(frame.lineno, frame.column, frame.end_column)
             for trace in recorded.filter_traces(only).traces
             for frame in trace.traceback[-1:]})

    def test_totals_are_those_that_the_program_sees(self):
        self.run_program("""
            kept = [bytes(1000) for _ in range(5000)]
            _tracemalloc._write_record()
            os.kill(os.getpid(), 9)
            """, status=-9)
        picture = self.record()
        self.assertEqual(picture.state, "gone")
        self.assertGreater(picture.current, 5_000_000)
        self.assertEqual(picture.timeline[-1][0], picture.written)
        self.assertEqual(picture.timeline[-1][1:],
                         (picture.current, picture.peak, picture.rss))
        self.assertEqual(sorted(picture.timeline), picture.timeline[:])

    def test_what_it_tells_of_the_process(self):
        process = self.run_program("print(os.getpid(), os.getppid())", "a b",
                                   "\u00e4")
        pid, parent = map(int, process.stdout.split())
        picture = self.record()
        self.assertEqual((picture.pid, picture.parent), (pid, parent))
        self.assertEqual(picture.program[0], sys.executable)
        self.assertEqual(picture.program[-2:], ["a b", "\u00e4"])
        self.assertEqual(picture.state, "exited")
        self.assertEqual(picture.version, sys.version.split()[0])
        self.assertLessEqual(picture.started, picture.written)
        metadata = picture.snapshot().metadata
        self.assertEqual(metadata["pid"], pid)
        self.assertEqual(metadata["command"], picture.program)
        self.assertEqual(metadata["sizes"], "average")
        json.dumps(metadata)

    def test_threads_have_names(self):
        self.run_program("""
            import threading
            kept = []
            def work():
                kept.append([str(i) for i in range(1000)])
                tracemalloc.take_snapshot()
            thread = threading.Thread(target=work, name="the worker")
            thread.start()
            thread.join()
            _tracemalloc._write_record()
            """)
        stats = self.record().snapshot().statistics("thread")
        self.assertIn("the worker",
                      {stat.traceback[0].filename for stat in stats})

    def test_threads_of_accounts_are_the_threads(self):
        self.run_program("""
            import threading
            kept = []
            def work():
                kept.append(bytes(1_000_000))
                with tracemalloc.account("first"):
                    kept.append(bytes(2_000_000))
                    with tracemalloc.account("second"):
                        kept.append(bytes(4_000_000))
                tracemalloc.take_snapshot()
            work()
            thread = threading.Thread(target=work, name="the worker")
            thread.start()
            thread.join()
            _tracemalloc._write_record()
            """)
        stats = self.record().snapshot().statistics("thread")
        self.assertEqual({stat.traceback[0].filename: stat.size // 7_000_000
                          for stat in stats if stat.size >= 1_000_000},
                         {"MainThread": 1, "the worker": 1})

    def accounts_of(self, picture):
        """Return {account: bytes}, and check that their sums are right."""
        self.check(picture)
        stats = picture.snapshot().statistics("account")
        found = {stat.traceback[0].filename: stat.size for stat in stats}
        self.assertEqual(sum(found.values()) + picture.lost_bytes,
                         picture.current)
        return found

    def test_accounts_have_their_names(self):
        names = ("GET /cart", "caf\xe9", "\u2603" * 1000, "\U0001f40d",
                 "\udc80", "\0")
        self.run_program("""
            kept = []
            for name in eval(sys.argv[1]):
                with tracemalloc.account(name):
                    kept.append(bytes(1_000_000))
            with tracemalloc.account("nothing"):
                pass
            _tracemalloc._write_record()
            """, ascii(names))
        picture = self.record()
        found = self.accounts_of(picture)
        self.assertEqual(picture.accounts, len(names) + 1)
        self.assertEqual({name for name, size in found.items()
                          if name != "<no account>" and size >= 1_000_000},
                         {*names})
        self.assertNotIn("nothing", found)
        self.assertIn("<no account>", found)

    def test_accounts_of_a_process_that_was_killed(self):
        process = self.start_program("""
            kept = []
            for number in range(3):
                with tracemalloc.account(f"route {number}"):
                    kept.append(bytes(1_000_000))
                _tracemalloc._write_record()
            print("ready", flush=True)
            input()
            """)
        process.kill()
        process.wait()
        picture = self.record()
        self.assertEqual(picture.state, "gone")
        found = self.accounts_of(picture)
        self.assertEqual(
            {name: size // 1_000_000 for name, size in found.items()
             if name.startswith("route")},
            {f"route {number}": 1 for number in range(3)})

    def test_accounts_of_children_and_after_a_new_start(self):
        self.run_program("""
            kept = []
            with tracemalloc.account("parent"):
                kept.append(bytes(1_000_000))
            _tracemalloc._write_record()
            pid = os.fork()
            if not pid:
                with tracemalloc.account("child"):
                    kept.append(bytes(1_000_000))
                _tracemalloc._write_record()
                os._exit(0)
            os.waitpid(pid, 0)
            tracemalloc.clear_traces()
            with tracemalloc.account("later"):
                kept.append(bytes(1_000_000))
            _tracemalloc._write_record()
            """)
        parent, child = map(self.accounts_of, self.records())
        self.assertLessEqual({"parent", "child"}, child.keys())
        self.assertIn("later", parent)
        self.assertNotIn("parent", parent)
        self.assertNotIn("child", parent)

    def test_without_accounts_a_record_has_none(self):
        self.run_program("""
            _tracemalloc._write_record()
            """)
        picture = self.record()
        self.assertEqual(picture.accounts, 0)
        self.assertIsNone(picture.snapshot().traces._data.context_account)

    def test_accounts_that_have_no_room_are_called_by_number(self):
        self.run_program("""
            kept = []
            for number in range(2000):
                with tracemalloc.account(f"{number:04d}" * 250):
                    kept.append(bytearray(1000))
                if number % 100 == 0:
                    _tracemalloc._write_record()
            _tracemalloc._write_record()
            """, options="25,record={},record_size=1MiB")
        picture = self.record()
        found = self.accounts_of(picture)
        self.assertTrue(0 < picture.accounts < 2000)
        self.assertIn("0000" * 250, found)
        self.assertTrue({*found} & {f"account {number}" for number
                                    in range(picture.accounts, 2001)})

    def test_records_of_version_1_0_are_read(self):
        self.run_program("""
            with tracemalloc.account("first"):
                kept = bytes(1_000_000)
            _tracemalloc._write_record()
            """)
        path, = places.list_folder(self.folder)
        with open(path, "r+b") as stream:
            data = bytearray(stream.read())
            data[10] = 0
            for number in 1, 2:
                at = number * layout.PAGE + layout.TABLES_AT["accounts"]
                data[at:at + 16] = bytes(16)
            stream.seek(0)
            stream.write(repair(data))
        picture = self.record()
        self.assertEqual(picture.accounts, 0)
        self.assertIn("account 1", self.accounts_of(picture))

    def test_names_of_all_kinds(self):
        self.run_program("""
            kept = []
            for name in "caf\\xe9", "\\u20ac", "\\U0001f600", "\\udc80", "":
                source = "def f(): return [i * 1.5 for i in range(9)]"
                scope = {}
                exec(compile(source, name, "exec"), scope)
                kept.append(scope["f"]())
            """)
        names = {trace.traceback[-1].filename
                 for trace in self.record().snapshot().traces}
        self.assertLessEqual({"caf\xe9", "\u20ac", "\U0001f600", "\udc80"},
                             names)

    def test_code_that_does_not_tell_where_its_instructions_stand(self):
        # The last context that is new is that of an early instruction, when
        # one before is that of a late one, far behind.
        self.run_program("""
            source = ("def late(late):\\n"
                      "  if not late: return [1.5 * late]\\n"
                      "  if late == 2:\\n"
                      + "    x = late + late + late + late\\n" * 100_000
                      + "  return [1.5 * late]\\n")
            scope = {}
            exec(compile(source, "silent", "exec"), scope)
            f = scope["late"]
            f.__code__ = f.__code__.replace(co_linetable=b"")
            _tracemalloc._write_record()
            kept = [f(1), f(0)]
            _tracemalloc._write_record()
            """, options="1,record={}")
        data = self.record().snapshot().traces._data
        where = {data.frame_details(context, 0)[1:]
                 for context in range(len(data))
                 if data.names[data.context_function[context]] == "late"}
        self.assertEqual(where, {(None, None, None)})

    def test_samples(self):
        self.run_program("kept = [str(i) * 10 for i in range(200_000)]",
                         options="25,sample=16KiB,record={}")
        picture = self.record()
        self.assertEqual(picture.sample_interval, 16 << 10)
        snapshot = picture.snapshot()
        self.assertEqual(snapshot.metadata["sample_interval"], 16 << 10)
        # Rounded for each context.
        total = sum(stat.size for stat in snapshot.statistics("filename"))
        self.assertAlmostEqual(total, picture.current, delta=10_000)

    def test_other_domains(self):
        import_helper.import_module("_testcapi")
        self.run_program("""
            import _testcapi
            _testcapi.tracemalloc_track(7, 0x1000, 5 << 20)
            _testcapi.tracemalloc_track(300, 0x2000, 77)
            """)
        domains = {stat.traceback[0].filename: stat.size for stat in
                   self.record().snapshot().statistics("domain")}
        self.assertEqual(domains["domain 7"], 5 << 20)
        self.assertEqual(domains["domain 300"], 77)

    def test_several_interpreters(self):
        import_helper.import_module("_interpreters")
        self.run_program("""
            import _interpreters
            for config in "isolated", "legacy":
                interp = _interpreters.create(config)
                _interpreters.exec(interp, "import builtins;"
                    "builtins.kept = [str(i) for i in range(10_000)]")
            _tracemalloc._write_record()
            os.kill(os.getpid(), 9)
            """, status=-9)
        names = " ".join(
            stat.traceback[0].filename for stat in
            self.record().snapshot().statistics("thread"))
        self.assertIn("of interpreter ", names)


class LifeTests(Records):

    def test_stop_and_start(self):
        self.run_program("""
            first = _tracemalloc._get_record()
            tracemalloc.stop()
            from tracemalloc._record import reader
            assert reader.read(first).state == "stopped", reader.read(first)
            assert _tracemalloc._get_record() is None
            tracemalloc.start()
            assert _tracemalloc._get_record() is None
            tracemalloc.stop()
            for _ in range(5):
                tracemalloc.start(9, record=sys.argv[1])
                kept = [str(i) for i in range(1000)]
                tracemalloc.stop()
            """, self.folder)
        pictures = self.records()
        for picture in pictures:
            self.check(picture)
        self.assertEqual({picture.state for picture in pictures}, {"stopped"})
        self.assertEqual(pictures[-1].snapshot().traceback_limit, 9)

    def test_a_record_joins_tracing_that_is_on(self):
        self.run_program("""
            tracemalloc.start(3)
            kept = [str(i) * 3 for i in range(1000)]
            tracemalloc.start(25, record=sys.argv[1])
            path = _tracemalloc._get_record()
            tracemalloc.start(25, record=sys.argv[1])
            assert _tracemalloc._get_record() == path
            """, self.folder, options="3")
        picture = self.record()
        snapshot = picture.snapshot()
        self.assertEqual(snapshot.traceback_limit, 3)
        lines = {stat.traceback[0].lineno: stat for stat in
                 snapshot.filter_traces(
                     [tracemalloc.Filter(True, "<string>")])
                 .statistics("lineno")}
        self.assertGreaterEqual(lines[4].count, 1000)

    def test_traces_are_cleared(self):
        self.run_program("""
            for number in range(20):
                kept = [str(i) for i in range(1000)]
                scope = {}
                exec(compile("x = [i * 2.0 for i in range(99)]",
                             f"file {number}", "exec"), scope)
                _tracemalloc._write_record()
                tracemalloc.clear_traces()
            kept = [str(i) for i in range(1000)]
            _tracemalloc._write_record()
            _tracemalloc._check()
            os.kill(os.getpid(), 9)
            """, status=-9)
        snapshot = self.record().snapshot()
        names = {stat.traceback[0].filename
                 for stat in snapshot.statistics("filename")}
        self.assertFalse([name for name in names if name.startswith("file ")])
        self.assertIn("<string>", names)

    def test_numbers_are_given_again(self):
        # Contexts of dead code are reclaimed, and names with them.
        self.run_program("""
            kept, number = [], 0
            made = -1
            def contexts():
                return _tracemalloc._get_counts()
            for turn in range(60):
                for _ in range(100):
                    source = "".join(f"x{i} = [{i}.5, *()]\\n"
                                     for i in range(10))
                    number += 1
                    scope = {}
                    exec(compile(source, f"file {number}", "exec"), scope)
                    if number % 50 == 0:
                        kept.append(scope)
                _tracemalloc._write_record()
            counts = _tracemalloc._get_counts()
            print(counts["contexts"] < counts["contexts_made"])
            _tracemalloc._check()
            """)
        picture = self.record()
        names = {stat.traceback[0].filename
                 for stat in picture.snapshot().statistics("filename")}
        self.assertLessEqual(
            {f"file {number}" for number in range(50, 6001, 50)}, names)

    def test_contexts_without_room_are_counted(self):
        self.run_program("""
            kept = []
            for number in range(400):
                source = "kept += [" + ",\\n".join(
                    f"[{i}.5, *()]" for i in range(40)) + "]"
                exec(compile(source, "a long name " * 20 + str(number),
                             "exec"))
                if number % 20 == 0:
                    _tracemalloc._write_record()
            _tracemalloc._write_record()
            """, options="25,record={},record_size=512KiB")
        picture = self.record()
        self.assertGreater(picture.lost, 100)
        self.assertGreater(picture.lost_bytes, 10_000)
        self.assertLessEqual(os.stat(picture.path).st_size, 512 << 10)

    def test_a_small_program_has_room_in_the_smallest_record(self):
        # Of the start of the interpreter there is more or less to trace.
        self.run_program("""
            tracemalloc.start(25, record=sys.argv[1], record_size=1 << 19)
            kept = [str(i) for i in range(9999)]
            """, self.folder, options="0")
        picture = self.record()
        self.assertEqual(picture.lost, 0)
        self.assertGreater(picture.current, 500_000)

    def test_os__exit_is_an_end(self):
        process = self.run_program("""
            kept = [str(i) for i in range(10_000)]
            os._exit(7)
            """, status=7)
        self.assertEqual(self.record().state, "exited")

    def test_a_program_that_replaces_itself(self):
        self.run_program("""
            if len(sys.argv) == 1:
                os.execv(sys.executable, [*sys.orig_argv, "again"])
            """)
        first, second = self.records()
        self.assertEqual((first.state, second.state), ("gone", "exited"))
        self.assertEqual(first.family, second.family)
        self.assertEqual(first.pid, second.pid)

    def test_errors_of_programs_do_not_matter(self):
        process = self.run_program("1 / 0", status=None)
        self.assertEqual(process.returncode, 1)
        self.assertEqual(self.record().state, "exited")


class GrowthTests(Records):
    """Memory that grows is in the file before it is used.

    But for what comes while the helper is writing, which takes it some
    milliseconds now and then, and longer while others are busy: that is
    written when it has done.  A program that was killed meanwhile is started
    anew; that so many are, one after the other, is no chance.
    """

    ATTEMPTS = 20

    def held(self, least, source):
        """Kill a program where it is, which must not take a second, until its
        record tells of more than the least.
        """
        for _ in range(self.ATTEMPTS):
            for path in places.list_folder(self.folder):
                os.unlink(path)
            self.run_program("_tracemalloc._write_record()\n"
                             + textwrap.dedent(source), status=-9)
            held = self.record().current
            if held > least:
                break
        self.assertGreater(held, least)

    def test_one_large_block(self):
        self.held(50 << 20, """
            kept = bytes(50 << 20)
            os.kill(os.getpid(), 9)
            """)

    def test_one_large_block_with_several_gils(self):
        import_helper.import_module("_interpreters")
        self.held(50 << 20, """
            import _interpreters
            _interpreters.create("isolated")
            kept = bytes(50 << 20)
            os.kill(os.getpid(), 9)
            """)

    # Gets 30 MiB in a loop in C that never gives the GIL away.
    GROWING = """
        number = (30 << 20) // ({size} + 33 + 8)
        kept = [None] * number
        kept[:] = map(bytes, [{size}] * number)
        os.kill(os.getpid(), 9)
        """

    def test_blocks_of_all_sizes(self):
        for size in 10, 100, 400, 600, 5000, 100_000:
            with self.subTest(size=size):
                # A 16th, or 1 MiB, and what is fragmented; but a third, if
                # a checkpoint took milliseconds while others were busy.
                self.held(26 << 20, self.GROWING.format(size=size))

    def test_growth_above_many_contexts(self):
        # Checkpoints are put off, but not for ever.
        self.held(24 << 20, """
        def tree(depth):
            if depth == 0:
                return []
            left = tree(depth - 1)
            right = tree(depth - 1)
            return [left, right]
        trees = tree(16)
        """ + self.GROWING.format(size=400))

    def test_raw_blocks_and_other_domains(self):
        import_helper.import_module("_testcapi")
        self.held(5 << 20, """
            import _testcapi
            _testcapi.tracemalloc_track(7, 0x1000, 5 << 20)
            os.kill(os.getpid(), 9)
            """)

    @unittest.skipIf(check_sanitizer(address=True),
                     "the sanitizer takes terabytes of address space")
    @unittest.skipIf(Py_GIL_DISABLED,
                     "mimalloc takes a GiB of address space at once")
    def test_out_of_memory(self):
        # As near to what the kernel does as a test may go.
        resource = import_helper.import_module("resource")
        process = self.run_program("""
            import resource
            kept = []
            resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
            try:
                while True:
                    kept.append(bytearray(1 << 18))
            except MemoryError:
                os.kill(os.getpid(), 9)
            """, status=-9)
        picture = self.record()
        stat = picture.snapshot().statistics("lineno")[0]
        self.assertEqual(stat.traceback[0].filename, "<string>")
        self.assertGreater(stat.size, 100 << 20)

    def test_memory_of_samples(self):
        self.run_program("""
            kept = bytes(50 << 20)
            _tracemalloc._write_record()
            os.kill(os.getpid(), 9)
            """, options="25,sample=64KiB,record={}", status=-9)
        self.assertGreater(self.record().current, 40 << 20)


if __name__ == "__main__":
    unittest.main()
