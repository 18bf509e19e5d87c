"""What surrounds C code: unknown threads, forks, interpreters, sessions, exit.

Rows S25, S32, S99 to S103 and S107 of the requirements.  Nearly all of it runs
in child processes: see test/tracemalloc_children.py.

Tests of class ForkOnlyTests promise what stock does not: they fail there.
"""
import os
import subprocess
import sys
import textwrap
import unittest
from test.support import threading_helper
from test.tracemalloc_children import FOREIGN, PRELUDE, ChildTests
from test import support


class ThreadTests(ChildTests):

    def foreign(self, code, *options):
        self.child(FOREIGN + textwrap.dedent(code), *options)

    def test_S32_a_block_from_an_unknown_thread_has_no_traceback(self):
        self.foreign("""
            for nframe in 1, 25:
                tracemalloc.start(nframe)
                address = in_foreign_thread(free.PyMem_RawMalloc, 7777)
                assert traced(address) == (("<unknown>", 0),), traced(address)
                assert [t for t in blocks() if t[1] == 7777] == [(0, 7777, (("<unknown>", 0),), 1)]
                in_foreign_thread(free.PyMem_RawFree, address)
                assert traced(address) is None
                tracemalloc.stop()
            """)

    def test_S25_a_block_freed_by_an_unknown_thread_is_forgotten(self):
        self.foreign("""
            tracemalloc.start()
            address = held.PyMem_RawMalloc(8888)
            assert traced(address)
            moved, _ = grown(lambda: in_foreign_thread(free.PyMem_RawFree, address))
            assert traced(address) is None
            assert not [t for t in blocks() if t[1] == 8888]
            check_sum()
            """)

    def test_S25_raw_blocks_are_forgotten_without_the_gil(self):
        self.child("""
            tracemalloc.start()
            address = free.PyMem_RawMalloc(9999)
            assert traced(address)[0] == ("<string>", line() - 1)
            address = free.PyMem_RawRealloc(address, 19999)
            assert traced(address)[0] == ("<string>", line() - 1)
            free.PyMem_RawFree(address)
            assert traced(address) is None
            """)

    @threading_helper.requires_working_threading()
    def test_S101_threads_allocate_and_free_at_the_same_time(self):
        self.child("""
            sys.setswitchinterval(1e-6)
            tracemalloc.start(5)
            shared = []
            def work(number):
                for index in range(3000):
                    shared.append(bytes(200 + number))
                    if index % 3 == 0:
                        shared.pop(0)
                    if index % 100 == 0:
                        free.PyMem_RawFree(free.PyMem_RawMalloc(1000))
            threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            expected = sum(map(sys.getsizeof, shared))
            mine = [t for t in blocks() if t[2][0][1] == work.__code__.co_firstlineno + 2
                    and t[1] - sys.getsizeof(bytes()) in range(200, 204)]
            assert len(mine) == len(shared) == 8000, (len(mine), len(shared))
            assert sum(t[1] for t in mine) == expected
            check_sum()
            """)

    @threading_helper.requires_working_threading()
    def test_S102_stop_races_with_track_without_the_gil(self):
        self.child("""
            for _ in range(30):
                _testcapi.tracemalloc_track_race()
            """)

    @threading_helper.requires_working_threading()
    def test_S102_sessions_race_with_raw_allocations_and_track(self):
        self.child("""
            sys.setswitchinterval(1e-6)
            end = threading.Event()
            def raw(number):
                while not end.is_set():
                    address = free.PyMem_RawMalloc(100 + number)
                    address = free.PyMem_RawRealloc(address, 3000)
                    free.PyTraceMalloc_Track(5, number, 10)
                    free.PyMem_RawFree(address)
                    free.PyTraceMalloc_Untrack(5, number)
            def build():
                while not end.is_set():
                    [bytes(300), [1], {2: 3}]
            threads = [threading.Thread(target=raw, args=(n,)) for n in range(2)]
            threads.append(threading.Thread(target=build))
            for thread in threads: thread.start()
            for session in range(60):
                tracemalloc.start(session % 9 + 1)
                tracemalloc.take_snapshot()
                if session % 3 == 0:
                    tracemalloc.clear_traces()
                tracemalloc.stop()
                assert tracemalloc.get_traced_memory() == (0, 0)
            end.set()
            for thread in threads: thread.join()
            tracemalloc.start()
            check_exact()
            """)

    def test_S102_calls_in_the_very_last_finalizers_fail_softly(self):
        code = textwrap.dedent("""
            from test.support import late_deletion
            class Last:
                def __del__(self, track=_testcapi.tracemalloc_track, write=os.write,
                            untrack=_testcapi.tracemalloc_untrack, error=RuntimeError):
                    try:
                        track(5, 4096, 100)
                        untrack(5, 4096)
                    except error:
                        pass
                    write(1, b"reached\\n")
            tracemalloc.start()
            late_deletion(Last())
            """)
        process = subprocess.run([sys.executable, "-c", PRELUDE + code],
                                 capture_output=True, text=True)
        self.assertEqual((process.returncode, process.stdout, process.stderr),
                         (0, "reached\n", ""))


@unittest.skipUnless(support.has_fork_support, "needs os.fork()")
class ForkTests(ChildTests):

    def test_S99_a_forked_child_keeps_tracing(self):
        self.child("""
            from test.support import wait_process
            tracemalloc.start(3)
            kept, where = bytes(5005), line()
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    assert tracemalloc.is_tracing()
                    assert tracemalloc.get_traceback_limit() == 3
                    assert tracemalloc.get_object_traceback(kept)[-1].lineno == where
                    more = bytes(6006)
                    assert tracemalloc.get_object_traceback(more)[-1].lineno == line() - 1
                    check_sum()
                    check_exact()
                    kept = None
                    tracemalloc.take_snapshot()
                    tracemalloc.stop()
                    tracemalloc.start()
                    check_exact()
                    status = 0
                except BaseException:
                    import traceback
                    traceback.print_exc()
                finally:
                    os._exit(status)
            wait_process(pid, exitcode=0)
            assert tracemalloc.get_object_traceback(kept)[-1].lineno == where
            check_exact()
            """)

    @threading_helper.requires_working_threading()
    def test_S100_fork_while_other_threads_allocate(self):
        self.child("""
            from test.support import wait_process
            sys.setswitchinterval(1e-5)
            tracemalloc.start(5)
            end = threading.Event()
            def build():
                while not end.is_set():
                    [bytes(700), [1], {2: 3}, bytearray(40)]
            def raw():
                while not end.is_set():
                    address = free.PyMem_RawMalloc(100)
                    free.PyMem_RawFree(free.PyMem_RawRealloc(address, 5000))
                    free.PyTraceMalloc_Track(5, 1, 1)
            threads = [threading.Thread(target=target) for target in (build, raw, raw)]
            for thread in threads: thread.start()
            for number in range(40):
                pid = os.fork()
                if pid == 0:
                    status = 1
                    try:
                        kept = [bytes(size) for size in range(200, 900, 5)]
                        address = free.PyMem_RawMalloc(3000)
                        assert traced(address)
                        assert tracemalloc.get_object_traceback(kept[0])
                        tracemalloc.clear_traces()
                        free.PyMem_RawFree(address)
                        tracemalloc.stop()
                        status = 0
                    finally:
                        os._exit(status)
                wait_process(pid, exitcode=0, timeout=60)
            end.set()
            for thread in threads: thread.join()
            check_sum()
            """, "-W", "ignore::DeprecationWarning")


class InterpreterTests(ChildTests):

    def test_S103_an_interpreter_that_shares_the_lock_shares_the_tracer(self):
        self.child("""
            tracemalloc.start(2)
            assert _testcapi.run_in_subinterp('''if True:
                import sys, tracemalloc, _tracemalloc
                assert tracemalloc.is_tracing()
                assert tracemalloc.get_traceback_limit() == 2
                kept = bytes(11011)
                assert tracemalloc.get_object_traceback(kept)
                assert [t for t in _tracemalloc._get_traces() if t[1] == sys.getsizeof(kept)]
                tracemalloc.clear_traces()
                assert tracemalloc.is_tracing()
                ''') == 0
            assert tracemalloc.is_tracing()
            check_exact()
            """)

    def test_S103_tracing_survives_the_interpreter_that_began_it(self):
        self.child("""
            assert _testcapi.run_in_subinterp("import tracemalloc; tracemalloc.start(4)") == 0
            assert tracemalloc.is_tracing()
            assert tracemalloc.get_traceback_limit() == 4
            check_exact()
            tracemalloc.stop()
            """)


class SessionTests(ChildTests):

    def test_S107_sessions_are_independent(self):
        self.child("""
            for session in range(100):
                tracemalloc.start(session % 30 + 1)
                assert tracemalloc.get_traceback_limit() == session % 30 + 1
                kept = [bytes(number) for number in range(500)]
                assert len([t for t in blocks() if t[2][0] == ("<string>", line() - 1)]) >= 499
                tracemalloc.stop()
                assert tracemalloc.get_traced_memory() == (0, 0)
                del kept
            """)

    @unittest.skipUnless(os.path.exists("/proc/self/statm"), "needs /proc")
    @unittest.skipIf(support.check_sanitizer(address=True),
                     "the sanitizer keeps freed memory for a while")
    def test_S107_many_sessions_do_not_leak(self):
        # Address space, not resident memory: it does not depend on what the
        # system pages.
        self.child("""
            def space():
                with open("/proc/self/statm") as stream:
                    return int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            def deep(number):
                return deep(number - 1) if number else [bytes(n) for n in range(600)]
            def session(number):
                tracemalloc.start(40)
                kept = [deep(depth % 60) for depth in range(number, number + 60)]
                scope = {}
                for each in range(20):
                    exec(compile(f"def f{number}(): return bytes({each})",
                                 f"file {number} {each}", "exec"), scope)
                    kept.append(scope[f"f{number}"]())
                tracemalloc.stop()
            for number in range(10):
                session(number)
            gc.collect()
            before = space(), tracemalloc.get_tracemalloc_memory()
            for number in range(10, 90):
                session(number)
            gc.collect()
            after = space(), tracemalloc.get_tracemalloc_memory()
            assert after[1] <= before[1], (before, after)
            assert after[0] - before[0] < 4 << 20, (before, after)
            """)

    def test_S107_clearing_gives_the_memory_of_the_tracer_back(self):
        self.child("""
            tracemalloc.start(10)
            kept = [bytes(600) for _ in range(100000)]
            full = tracemalloc.get_tracemalloc_memory()
            tracemalloc.clear_traces()
            assert tracemalloc.get_tracemalloc_memory() < full / 2
            del kept
            check_sum()
            """)


class ForkOnlyTests(ChildTests):
    """Promises of this fork beyond stock."""

    def test_S103_fork_only_module_imports_in_an_interpreter_with_its_own_lock(
            self):
        self.child("""
            from test.support import interpreters
            tracemalloc.start(2)
            interpreter = interpreters.create()
            interpreter.exec('''if True:
                import sys, tracemalloc, _tracemalloc
                assert tracemalloc.is_tracing()
                kept = bytes(11011)
                assert tracemalloc.get_object_traceback(kept)
                assert [t for t in _tracemalloc._get_traces() if t[1] == sys.getsizeof(kept)]
                assert tracemalloc.take_snapshot().statistics("lineno")
                ''')
            assert [t for t in blocks() if t[1] == sys.getsizeof(bytes(11011))]
            interpreter.close()
            del interpreter
            check_exact()
            tracemalloc.stop()
            """)

    def test_S103_fork_only_file_names_outlive_their_interpreter(self):
        self.child("""
            from test.support import interpreters
            tracemalloc.start(3)
            for number in range(5):
                interpreter = interpreters.create()
                interpreter.exec(f'''if True:
                    import ctypes
                    raw = ctypes.pythonapi.PyMem_RawMalloc
                    raw.restype, raw.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
                    exec(compile("address = raw(70007 + {number})",
                                 "gone in {number}", "exec"))
                    ''')
                interpreter.close()
            del interpreter
            found = {t[1] - 70007: t[2][0] for t in blocks(70007) if t[1] < 70107}
            assert found == {n: (f"gone in {n}", 1) for n in range(5)}, found
            tracemalloc.take_snapshot().statistics("traceback")
            tracemalloc.clear_traces()
            """)

    def test_S107_fork_only_no_memory_is_held_after_stop(self):
        self.child("""
            for session in range(20):
                tracemalloc.start(session * 3 + 1)
                kept = [bytes(n) for n in range(3000)]
                assert tracemalloc.get_tracemalloc_memory() > 0
                tracemalloc.stop()
                assert tracemalloc.get_tracemalloc_memory() == 0, session
            """)


if __name__ == "__main__":
    unittest.main()
