"""The same in threads, greenlets and interpreters, and over a session's life.

With them, what is reclaimed of contexts, and what must not be.
"""
import _tracemalloc
import gc
import os
import pytracemalloc
import subprocess
import sys
import textwrap
import threading
import tracemalloc
import types
import unittest
from test.support import import_helper, script_helper, threading_helper
from test.tracemalloc_recorder import (ALL_FRAMES, CaptureTest, Recorder,
                                       stack_of)
from test import support


class ThreadTests(CaptureTest):
    @threading_helper.requires_working_threading()
    def test_threads_have_stacks_of_their_own(self):
        barrier = threading.Barrier(4)
        recorders = [Recorder() for _ in range(4)]

        def descend(seen, depth):
            seen(bytearray(depth))
            if depth:
                descend(seen, depth - 1)
            seen(bytearray(depth))

        def work(number):
            barrier.wait()
            for depth in range(20):
                descend(recorders[number], depth)
                (descend)(recorders[number],
                          number)

        with threading_helper.start_threads(
                [threading.Thread(target=work, args=(number,))
                 for number in range(4)]):
            pass
        for recorder in recorders:
            self.assertGreater(len(recorder.records), 100)
            self.seen.records += recorder.records

    @threading_helper.requires_working_threading()
    def test_a_new_thread_in_the_place_of_an_old_one(self):
        def descend(depth):
            self.seen(bytearray(depth))
            if depth:
                descend(depth - 1)

        for depth in range(10):
            thread = threading.Thread(target=descend, args=(depth,))
            thread.start()
            thread.join()

    @threading_helper.requires_working_threading()
    def test_allocations_without_the_gil(self):
        testcapi = import_helper.import_module("_testcapi")
        internal = import_helper.import_module("_testinternalcapi")
        note, domain = testcapi.tracemalloc_track, 77
        released = []

        def track(address, depth):
            if depth:
                return track(address, depth - 1)
            note(domain, address, 10, True); stack = stack_of(sys._getframe())
            released.append((address, stack))

        def work(first):
            for number in range(40):
                track(first + number, number % 7)
                self.seen(bytearray(number))

        threads = [threading.Thread(target=work, args=(1000 * (number + 1),))
                   for number in range(3)]
        with threading_helper.start_threads(threads):
            work(0x10)
        self.assertEqual(len(released), 160)
        for address, stack in released:
            traceback = internal._PyTraceMalloc_GetTraceback(domain, address)
            self.assertEqual(list(traceback), stack)
            testcapi.tracemalloc_untrack(domain, address)

    @support.requires_fork()
    @unittest.skipUnless(hasattr(os, "waitpid"), "needs waitpid()")
    def test_fork_deep_in_a_stack(self):
        def descend(depth):
            self.seen(bytearray(depth))
            if depth:
                result = descend(depth - 1)
            else:
                result = os.fork()
            self.seen(bytearray(depth))
            return result

        child = descend(12)
        if child == 0:
            status = 1
            try:
                descend_again = [self.seen(bytearray(number))
                                 for number in range(9)]
                self.check()
                status = 0
            finally:
                os._exit(status)
        support.wait_process(child, exitcode=0)


@support.requires_fork()
class ForkTests(unittest.TestCase):

    @threading_helper.requires_working_threading()
    def test_a_child_waits_for_no_import_that_nobody_ends(self):
        # A thread is importing a module of the package when another forks.
        code = f"""
            import importlib.machinery, os, signal, sys, threading
            import tracemalloc

            begun, go_on = threading.Event(), threading.Event()

            class Finder:
                def find_spec(self, name, path=None, target=None):
                    if name != "tracemalloc._stacks":
                        return None
                    spec = importlib.machinery.PathFinder.find_spec(name, path)
                    execute = spec.loader.exec_module
                    def exec_module(module):
                        begun.set()
                        go_on.wait()
                        execute(module)
                    spec.loader.exec_module = exec_module
                    return spec

            sys.meta_path.insert(0, Finder())
            thread = threading.Thread(target=__import__,
                                      args=("tracemalloc._stacks",))
            thread.start()
            begun.wait()
            # What is registered last is called first.
            os.register_at_fork(before=go_on.set)
            pid = os.fork()
            if pid == 0:
                signal.alarm({int(support.SHORT_TIMEOUT)})
                from tracemalloc._stacks import CallPaths
                os._exit(0)
            thread.join()
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            """
        result = script_helper.assert_python_ok("-W", "ignore", "-c",
                                                textwrap.dedent(code))
        self.assertEqual(result.out.strip(), b"0")


class BeginningTests(unittest.TestCase):
    @threading_helper.requires_working_threading()
    def test_sampling_begins_while_threads_ask(self):
        # Whoever begins must not give the GIL away with a lock in hand that a
        # thread with the GIL waits for.
        script = textwrap.dedent("""
            import _tracemalloc, sys, threading

            def ask():
                while going:
                    _tracemalloc.reset_peak()

            sys.setswitchinterval(1e-6)
            going = True
            threads = [threading.Thread(target=ask) for _ in range(2)]
            for thread in threads:
                thread.start()
            for number in range(300):
                _tracemalloc.start(1, sample_interval=512)
                _tracemalloc.stop()
            going = False
            for thread in threads:
                thread.join()
            print("done")
        """)
        said = subprocess.run([sys.executable, "-c", script], text=True,
                              capture_output=True,
                              timeout=support.LONG_TIMEOUT)
        self.assertEqual((said.returncode, said.stdout, said.stderr),
                         (0, "done\n", ""))


class LifeCycleTests(CaptureTest):
    def descend(self, depth, change):
        self.seen(bytearray(depth))
        if depth:
            self.descend(depth - 1, change)
        else:
            self.seen.records.clear()
            change()
        self.seen(bytearray(depth))
        self.seen.records.append((bytearray(depth), stack_of(sys._getframe())))

    def test_cleared_deep_in_a_stack(self):
        for depth in 0, 1, 30:
            self.descend(depth, tracemalloc.clear_traces)
            self.check()

    def test_stopped_and_started_deep_in_a_stack(self):
        def again():
            tracemalloc.stop()
            tracemalloc.start(ALL_FRAMES)

        for depth in 0, 1, 30:
            self.descend(depth, again)
            self.check()

    def test_started_deep_in_a_stack(self):
        def start():
            # Without marks in any frame, and without numbers in any code.
            tracemalloc.start(ALL_FRAMES)

        def descend(depth):
            if depth:
                descend(depth - 1)
            else:
                start()
            self.seen(bytearray(depth))

        for depth in 0, 1, 30:
            tracemalloc.stop()
            descend(depth)
            self.check()

    def test_cleared_while_a_generator_is_suspended(self):
        def generate(depth):
            self.seen(bytearray(1))
            if depth:
                yield from generate(depth - 1)
            yield
            self.seen(bytearray(2))
            self.seen.records.append((bytearray(3), stack_of(sys._getframe())))

        for change in tracemalloc.clear_traces, tracemalloc.stop:
            generator = generate(5)
            next(generator)
            self.check()
            change()
            tracemalloc.start(ALL_FRAMES)
            list(generator)
            self.check()

    def test_reset_peak_deep_in_a_stack(self):
        def descend(depth):
            big = bytearray(10_000 * depth)
            tracemalloc.reset_peak()
            self.seen(bytearray(depth))
            if depth:
                descend(depth - 1)
            _tracemalloc._check()
            del big
            _tracemalloc._check()
            self.seen(bytearray(depth))

        descend(20)


class ReclaimTests(CaptureTest):
    def tracers_use(self):
        """Return what the tracer uses, and what it has."""
        if not support.Py_GIL_DISABLED:
            size, free = pytracemalloc.get_tracemalloc_memory()
            return size - free, size
        # There, names of files stay for ever, and their blocks take room.
        counts = _tracemalloc._get_counts()
        number = sum(counts[what] for what in ("contexts", "paths", "codes",
                                               "names"))
        return number, number

    def test_memory_reaches_a_plateau(self):
        def outer(inner):
            return [inner()]

        def inner():
            return bytearray(2)

        def keep(seen):
            return [seen(bytearray(5)), (lambda: seen(bytearray(6)))()]

        def churn(first, number):
            # A file name, code objects, contexts and paths that
            # never come back.
            for index in range(first, first + number, 2):
                name = f"fresh {index}"
                types.FunctionType(
                    outer.__code__.replace(co_filename=name), {})(
                        types.FunctionType(
                            inner.__code__.replace(co_filename=name),
                            {"bytearray": bytearray}))
                if index % 5000 == 0:
                    kept = keep.__code__.replace(co_filename=f"kept {index}")
                    types.FunctionType(kept, {"bytearray": bytearray})(
                        self.seen)

        batch, batches, warming = 10_000, 20, 8
        used = []
        for number in range(batches):
            churn(number * batch, batch)
            if support.Py_GIL_DISABLED:
                gc.collect()        # which is what frees code there
            used.append(self.tracers_use())
            _tracemalloc._check()
        # By the end of the first part numbers have been taken back.  The
        # sanitizer for addresses keeps freed memory from being used again, so
        # that more and more of the address space is in use for a while.
        allowed = 2 if support.check_sanitizer(address=True) else 1.25
        # Tables of pools come in chunks of 256 KiB, of which one more is
        # needed now and then, and two in a run out of fifty.
        chunks = 0 if support.Py_GIL_DISABLED else 2 * 256 << 10
        for column, more in zip(zip(*used, strict=True), (0, chunks)):
            self.assertLess(max(column[warming:]),
                            allowed * max(column[:warming]) + more, used)
        self.at_least = 2 * batch * batches // 5000

    def test_paths_that_never_come_back(self):
        def descend(bits, depth):
            # Two lines that call: as many paths as there are numbers.
            if depth == 0:
                return [bits]
            if bits & 1:
                return descend(bits >> 1, depth - 1)
            return descend(bits >> 1, depth - 1)

        for number in range(1 << 12):
            descend(number, 12)
            if number % 256 == 0:
                self.seen(bytearray(1))
                self.assertEqual(self.seen.wrong(), [])
        _tracemalloc._check()


class GreenletTests(CaptureTest):
    def setUp(self):
        self.greenlet = import_helper.import_module("greenlet")
        super().setUp()

    def test_deep_stacks_switched_between(self):
        greenlet = self.greenlet

        def descend(depth, other):
            self.seen(bytearray(1))
            if depth:
                descend(depth - 1, other)
            else:
                for _ in range(10):
                    self.seen(bytearray(2))
                    greenlet.getcurrent().parent.switch()
                    self.seen(bytearray(3))
            self.seen(bytearray(4))

        one, two = greenlet.greenlet(descend), greenlet.greenlet(descend)
        one.switch(50, two)
        two.switch(40, one)
        while not (one.dead and two.dead):
            one.switch()
            self.seen(bytearray(5))
            two.switch()


class SeveralInterpretersTests(unittest.TestCase):
    """In processes of their own: a second GIL changes the tracer for good."""

    def setUp(self):
        import_helper.import_module("_interpreters")

    def test_own_gils_at_the_same_time(self):
        work = textwrap.dedent("""\
            import _tracemalloc, sys
            def stack():
                frame, frames = sys._getframe(1), []
                while frame is not None:
                    frames.append((frame.f_code.co_filename, frame.f_lineno))
                    frame = frame.f_back
                return frames
            def descend(depth, records):
                if depth:
                    descend(depth - 1, records)
                records.append((bytearray(depth), stack()))
            def generate(records):
                while True:
                    yield records.append((bytearray(3), stack()))
            for number in range(60):
                records = []
                generator = generate(records)
                descend(number, records)
                next(generator)
                (next
                 (generator))
                for block, seen in records:
                    assert list(_tracemalloc._get_object_traceback(block)) == seen, (
                        seen, _tracemalloc._get_object_traceback(block))
            """)
        script_helper.assert_python_ok("-X", f"tracemalloc={ALL_FRAMES}", "-c",
                                       textwrap.dedent("""\
            import _interpreters, _tracemalloc, sys, threading
            work = sys.argv[1]
            faults = []
            def run():
                interpreter = _interpreters.create("isolated")
                fault = _interpreters.exec(interpreter, work)
                _interpreters.destroy(interpreter)
                if fault:
                    faults.append(fault.formatted)
            threads = [threading.Thread(target=run) for _ in range(3)]
            for thread in threads:
                thread.start()
            exec(compile(work, "main", "exec"), {})
            for thread in threads:
                thread.join()
            assert not faults, faults
            _tracemalloc._check()
            assert _tracemalloc._get_dropped() == 0
            """), work)

    def test_everything_again_with_two_gils(self):
        result = script_helper.assert_python_ok("-c", textwrap.dedent("""\
            import _interpreters, sys, unittest
            # With a second interpreter alive, fork() aborts, traced or not.
            _interpreters.destroy(_interpreters.create("isolated"))
            from test import test_tracemalloc_capture as capture
            from test import test_tracemalloc_code as code, test_tracemalloc_threads as threads
            del threads.SeveralInterpretersTests, threads.ReclaimTests
            suite = unittest.TestSuite(
                unittest.defaultTestLoader.loadTestsFromModule(module)
                for module in (capture, code, threads))
            result = unittest.TextTestRunner(stream=sys.stdout).run(suite)
            sys.exit(not result.wasSuccessful() or result.testsRun < 40)
            """))
        self.assertIn(b"OK", result.out)


if __name__ == "__main__":
    unittest.main()
