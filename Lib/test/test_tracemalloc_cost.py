"""What tracing costs, compared with stock: row S108 of the requirements.

Nothing here looks at a clock.  Memory is what the tracers count themselves;
work is the number of instructions that valgrind counts, the same on a busy
machine.  The benchmarks measure time.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
from test import support
from test.tracemalloc_scripts import needs_pymalloc

STOCK_PYTHON = os.environ.get("TRACEMALLOC_STOCK_PYTHON")

# Many blocks that live, below stacks of several frames, and many that do not.
PROGRAM = textwrap.dedent("""
    import sys, tracemalloc

    def grow(number):
        return [{"key": index, "value": [index]} for index in range(number)]

    def below(depth, number):
        return grow(number) if not depth else below(depth - 1, number)

    def churn(number):
        for index in range(number):
            list((index, str(index)))

    if len(sys.argv) > 2:
        tracemalloc.start(int(sys.argv[2]))
    size = int(sys.argv[1])
    kept = [below(depth, size) for depth in range(12)]
    churn(10 * size)
    print(tracemalloc.get_tracemalloc_memory())
""")


def run(python, *arguments, before=()):
    env = {name: value for name, value in os.environ.items()
           if not name.startswith("PYTHON")}
    env["PYTHONHASHSEED"] = "0"
    process = subprocess.run([*before, python, "-S", "-s", "-E", "-B",
                              "-c", PROGRAM, *map(str, arguments)],
                             env=env, stdin=subprocess.DEVNULL,
                             capture_output=True, text=True,
                             timeout=support.LONG_TIMEOUT)
    if process.returncode:
        raise AssertionError(f"{python}: status {process.returncode}\n"
                             f"{process.stderr}")
    return process


@unittest.skipUnless(
    STOCK_PYTHON,
    "TRACEMALLOC_STOCK_PYTHON does not name an interpreter to compare with")
class CostTests(unittest.TestCase):

    @needs_pymalloc
    def test_S108_the_tracer_needs_less_memory(self):
        for limit in 1, 25, 1000:
            with self.subTest(limit=limit):
                ours, stocks = (int(run(python, 4000, limit).stdout)
                                for python in (sys.executable, STOCK_PYTHON))
                self.assertGreater(ours, 0)
                self.assertLess(ours, stocks)

    def instructions(self, python, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            profile = os.path.join(folder, "profile")
            run(python, *arguments,
                before=["valgrind", "--tool=callgrind", "-q",
                        "--callgrind-out-file=" + profile])
            with open(profile, encoding="utf-8", errors="replace") as stream:
                return int(re.search(r"(?m)^(?:summary|totals): (\d+)",
                                     stream.read())[1])

    @unittest.skipUnless(shutil.which("valgrind"), "needs valgrind")
    @unittest.skipIf(support.check_sanitizer(address=True),
                     "valgrind and the sanitizer both want to come first")
    def test_S108_tracing_takes_less_work(self):
        # What the start takes falls out, and so does the work itself.
        work = {}
        for python in sys.executable, STOCK_PYTHON:
            off = self.instructions(python, 200) - self.instructions(python, 0)
            traced = (self.instructions(python, 200, 25)
                      - self.instructions(python, 0, 25))
            self.assertGreater(traced, off)
            work[python] = traced - off
        self.assertLess(work[sys.executable], work[STOCK_PYTHON])


if __name__ == "__main__":
    unittest.main()
