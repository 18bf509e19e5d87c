"""What optimised builds learn from: Python/tracemalloc/training.py.

What it does must not change from run to run, or neither would the profile, and
what is counted of such a build, be the same.
"""
import os
import subprocess
import sys
import sysconfig
import unittest
from test.support import LONG_TIMEOUT

NAME = os.path.join("Python", "tracemalloc", "training.py")
PROGRAM = os.path.join(sysconfig.get_config_var("srcdir") or "", NAME)


@unittest.skipUnless(sysconfig.is_python_build(),
                     "it is in the sources, and not installed")
class TrainingTests(unittest.TestCase):

    def answer(self, *options, seed):
        env = {name: value for name, value in os.environ.items()
               if not name.startswith("PYTHON")}
        process = subprocess.run(
            [sys.executable, "-s", "-B", *options, PROGRAM, "1"],
            env=env | {"PYTHONHASHSEED": seed}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=LONG_TIMEOUT)
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        return int(process.stdout)

    def test_each_run_does_the_same(self):
        first = self.answer(seed="1")
        self.assertEqual(self.answer(seed="2"), first)
        self.assertEqual(self.answer("-X", "tracemalloc=25", seed="3"), first)
        self.assertEqual(
            self.answer("-X", "tracemalloc=25,sample=512KiB", seed="4"), first)

    def test_the_makefile_runs_it_traced_and_with_samples(self):
        with open(sysconfig.get_makefile_filename(),
                  encoding="utf-8") as stream:
            lines = stream.read().splitlines()
        self.assertIn("TRACED_PROFILE_PROGRAM= $(srcdir)/" + NAME, lines)
        runs = [line for line in lines
                if line.endswith("$(TRACED_PROFILE_PROGRAM)")]
        self.assertEqual([line.split(" -X ")[1].split()[0] for line in runs],
                         ["tracemalloc=25", "tracemalloc=25,sample=512KiB"])


if __name__ == "__main__":
    unittest.main()
