"""The interfaces of 2013 and of today in one process: rows K5 to K8."""
import os
import pickle
import subprocess
import sys
import tempfile
import textwrap
import tracemalloc
import unittest
import pytracemalloc
from test import support


def say(code):
    """Return what a fresh interpreter prints that runs *code*."""
    env = {name: value for name, value in os.environ.items()
           if name != "PYTHONTRACEMALLOC"}
    process = subprocess.run([sys.executable, "-c", textwrap.dedent(code)],
                             env=env, capture_output=True, text=True,
                             timeout=support.LONG_TIMEOUT)
    if process.returncode:
        raise AssertionError(f"status {process.returncode}\n{process.stderr}")
    return process.stdout.splitlines()


class TogetherTests(unittest.TestCase):

    def test_K5_both_tell_of_the_same_tracer(self):
        self.assertEqual(say("""
            import pytracemalloc, tracemalloc
            pytracemalloc.enable()
            print(tracemalloc.is_tracing(), pytracemalloc.is_enabled())
            kept = bytes(5000)
            address = pytracemalloc.get_object_address(kept)
            print(pytracemalloc.get_trace(address)[1][0][1],
                  tracemalloc.get_object_traceback(kept)[-1].lineno)
            pytracemalloc.disable()
            print(tracemalloc.is_tracing(), tracemalloc.get_traced_memory())
        """), ["True True", "5 5", "False (0, 0)"])

    @unittest.skipUnless(hasattr(os, "fork"), "needs os.fork()")
    def test_K6_who_began_to_trace_decides_about_the_child(self):
        for begin, tracing in (("tracemalloc.start()", True),
                               ("pytracemalloc.enable()", False)):
            with self.subTest(begin=begin):
                self.assertEqual(say(f"""
                    import os, pytracemalloc, tracemalloc
                    {begin}
                    child = os.fork()
                    if not child:
                        os._exit(tracemalloc.is_tracing())
                    print(bool(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])),
                          tracemalloc.is_tracing())
                """), [f"{tracing} True"])

    def snapshot(self):
        return tracemalloc.Snapshot([
            (0, 100, (("a.py", 1), ("main.py", 9)), 2),
            (0, 20, (("a.py", 1), ("main.py", 9)), 2),
            (0, 3, (("b.py", 2),), 1)], 2)

    def test_K7_two_classes_and_a_way_between_them(self):
        self.assertIsNot(pytracemalloc.Snapshot, tracemalloc.Snapshot)
        old = pytracemalloc.Snapshot.from_stdlib(self.snapshot())
        self.assertEqual(old.stats,
                         {"a.py": {1: (120, 2)}, "b.py": {2: (3, 1)}})
        self.assertEqual(old.traceback_limit, 2)
        traced = pytracemalloc.Snapshot(None, 1, traces={
            0x10: (100, (("a.py", 1), ("main.py", 9))),
            0x20: (3, (("b.py", 2),))}, stats={}, traceback_limit=2)
        new = traced.to_stdlib()
        self.assertIsInstance(new, tracemalloc.Snapshot)
        self.assertEqual([str(each) for each in new.statistics("lineno")],
                         ["a.py:1: size=100 B, count=1, average=100 B",
                          "b.py:2: size=3 B, count=1, average=3 B"])

    def test_K8_each_module_reads_the_files_of_both(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "new.pickle")
            self.snapshot().dump(path)
            self.assertEqual(pytracemalloc.Snapshot.load(path).stats["a.py"],
                             {1: (120, 2)})
            with open(path, "wb") as stream:
                pickle.dump(self.snapshot(), stream, 2)
            self.assertEqual(pytracemalloc.Snapshot.load(path).stats["b.py"],
                             {2: (3, 1)})
            path = os.path.join(folder, "old.pickle")
            pytracemalloc.Snapshot(None, 1,
                                   traces={0x10: (100, (("a.py", 1),))},
                                   stats={"a.py": {1: (100, 1)}}).write(path)
            loaded = tracemalloc.Snapshot.load(path)
            self.assertEqual([str(trace) for trace in loaded.traces],
                             ["a.py:1: 100 B"])


if __name__ == "__main__":
    unittest.main()
