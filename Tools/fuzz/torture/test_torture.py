"""Tests of the generator of hostile programs, and of what runs them."""
import io
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import command
import execute
from generate import COMPOUND, SIMPLE, WAYS, Program, digest
from reduce import reduced

# The interpreter under test; whoever loads this module sets it.
python = pathlib.Path(sys.executable)

SEEDS = range(1, 61)
LIMIT = 60.0


class ProgramTests(unittest.TestCase):
    def test_a_seed_makes_the_same_program_in_every_process(self):
        code = ("import sys; sys.path.insert(0, sys.argv[1])\n"
                "from generate import Program, digest\n"
                "print(*(digest(Program(seed).render()) for seed in "
                "range(1, 61)))")
        expected = [digest(Program(seed).render()) for seed in SEEDS]
        self.assertEqual(len(set(expected)), len(SEEDS))
        for hash_seed in "0", "1":
            said = subprocess.run([sys.executable, "-B", "-c",
                                   code, str(execute.HERE)],
                                  text=True, env={"PYTHONHASHSEED": hash_seed},
                                  capture_output=True, check=True).stdout
            self.assertEqual(said.split(), expected)

    def test_programs_compile_whatever_is_left_out(self):
        for seed in SEEDS:
            program, draw = Program(seed), random.Random(seed)
            numbers = list(program.numbers())
            self.assertEqual(len(set(numbers)), len(numbers))
            for share in 0, 0.3, 0.8, 1:
                without = [number for number in numbers
                           if draw.random() < share]
                compile(program.render(without), "program", "exec")
            self.assertNotIn("keep(", program.render(numbers))

    def test_every_word_is_used(self):
        text = "".join(Program(seed).render() for seed in range(1, 400))
        rows = [text for _, _, text in SIMPLE]
        rows += [line for _, _, lines in COMPOUND for line in lines]
        for row in rows:
            self.assertIn(row.replace("{{", "{").split("{")[0], text)
        for way in WAYS:
            self.assertIn(way + "(", text)

    def test_what_is_kept_is_a_program(self):
        for path in command.KEPT.glob("*.py"):
            text = path.read_text(encoding="utf-8")
            compile(text, str(path), "exec")
            self.assertRegex(text, r"(?m)^# what it showed: .")


class PlantedTests(unittest.TestCase):
    """Programs whose end is known, run as all others are."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="torture-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def outcome(self, text, limit=LIMIT, **words):
        program = self.folder / "planted.py"
        program.write_text(f"from kit import *\nbegin(__file__)\n{text}\n",
                           encoding="utf-8")
        return execute.run(execute.Setup(python, limit, **words), program)

    def test_a_program_that_ends_well(self):
        outcome = self.outcome("finish(True)")
        self.assertEqual((outcome.kind, outcome.signature), (execute.FINE, ""),
                         outcome.said)

    def test_frames_are_evaluated_by_another_function(self):
        execute.compile_evaluator(python, self.folder)
        outcome = self.outcome(
            "from _testinternalcapi import get_rare_event_counters\n"
            "def changed():\n"
            "    return get_rare_event_counters()['set_eval_frame_func']\n"
            "print(changed(), by_eval_frame(changed), changed())\n"
            "finish(True)", evaluator=self.folder)
        self.assertEqual(outcome.kind, execute.FINE, outcome.said)
        self.assertIn("0 1 2\n", outcome.said)

    def test_an_exception_is_thrown_past_another_evaluator(self):
        # CPython's assertions are in; the types' cache is new, so a look-up
        # of an attribute would meet one.
        execute.compile_evaluator(python, self.folder)
        outcome = self.outcome(
            "import sys\n"
            "def numbers():\n"
            "    yield 1\n"
            "def throw():\n"
            "    generator = numbers()\n"
            "    next(generator)\n"
            "    sys._clear_type_cache()\n"
            "    try:\n"
            "        generator.throw(KeyError)\n"
            "    except KeyError:\n"
            "        finish(True)\n"
            "by_eval_frame(throw)", evaluator=self.folder)
        self.assertEqual(outcome.kind, execute.FINE, outcome.said)

    def test_an_evaluator_that_does_not_compile(self):
        with self.assertRaisesRegex(execute.NoEvaluator, "does not compile"):
            execute.compile_evaluator(python, self.folder / "none")

    def test_a_crash_is_found(self):
        outcome = self.outcome("import ctypes\nctypes.string_at(0)")
        self.assertEqual(outcome.kind, execute.CRASH)
        self.assertTrue(outcome.signature.startswith("SIGSEGV"),
                        outcome.signature)
        self.assertIn("in string_at", outcome.said)

    def test_an_abort_at_a_wrong_capture_is_found(self):
        outcome = self.outcome(
            "import os\n"
            "os.write(2, b'tracemalloc: capture 7 is wrong\\n')\nos.abort()")
        self.assertEqual(outcome.kind, execute.DIFFERENCE)

    def test_a_hang_is_found_and_ended_with_all_it_started(self):
        outcome = self.outcome(
            "import os, time\nos.fork()\n"
            "print('started', os.getpid(), flush=True)\n"
            "def hanging():\n  while True: time.sleep(1)\nhanging()",
            limit=5.0)
        self.assertEqual(outcome.kind, execute.HANG)
        # Each of the two says its own whole, whatever the other writes.
        self.assertEqual(len(re.findall(r'(?m)^  File ".*", line \d+ in '
                                        r'hanging$', outcome.said)),
                         2, outcome.said)
        started = [int(found)
                   for found in re.findall(r"started (\d+)", outcome.said)]
        self.assertEqual(len(started), 2)
        for process in started:
            # They were sent a signal that ends them; it comes when it comes.
            until = time.monotonic() + LIMIT
            while self.is_running(process) and time.monotonic() < until:
                time.sleep(0.01)
            self.assertFalse(self.is_running(process))

    def is_running(self, process):
        try:
            text = pathlib.Path(f"/proc/{process}/stat").read_text()
        except OSError:
            return False
        # Whoever inherits it may never ask how it ended.
        return text.rpartition(") ")[2][0] != "Z"

    def test_a_broken_program_is_found(self):
        self.assertEqual(self.outcome("raise KeyError").kind, execute.BROKEN)
        self.assertEqual(self.outcome("import os; os._exit(0)").kind,
                         execute.BROKEN)

    def test_a_fault_of_a_forked_child_is_found(self):
        outcome = self.outcome("import os\nrefuel()\nforked(os.abort)")
        self.assertEqual(outcome.kind, execute.INVARIANT)
        self.assertIn("a child that was forked", outcome.signature)

    def test_threads_from_c_run_whoever_has_ended_or_spent_the_fuel(self):
        outcome = self.outcome(
            "from kit import parallel\nran = []\n"
            "def resumed():\n  ran.append(not spent())\n  yield\n"
            "for _ in range(9):\n  refuel(0)\n"
            "  spawn_calls(resumed(), 's')\n"
            "  for thread in parallel._threads: thread.join()\n"
            "if ran != [True] * 9: wrong(str(ran))\nfinish(True)")
        self.assertEqual(outcome.kind, execute.FINE, outcome.said)

    def test_a_wrong_traceback_is_found(self):
        outcome = self.outcome(
            "trace_start(3)\nblock = bytearray(9)\nlook(bytearray(9))\n"
            "look(block)")
        self.assertEqual(outcome.kind, execute.INVARIANT, outcome.said)
        self.assertIn("traceback of bytearray", outcome.signature)
        untraced = self.outcome(
            "trace_start(3)\nblock = bytearray(9)\nlook(block)\nfinish(True)",
            untraced=True)
        self.assertEqual(untraced.kind, execute.FINE, untraced.said)

    def test_sums_that_differ_are_found(self):
        outcome = self.outcome(
            "import _tracemalloc\n_tracemalloc.start()\n"
            "kept = []\nclass Late:\n  def __getattr__(self, name):\n"
            "    value = getattr(_tracemalloc, name)\n"
            "    if name == 'get_traced_memory': return lambda: (1, 1)\n"
            "    return value\n"
            "import kit.parallel\nkit.parallel.tracer = Late()\nfinish(True)")
        self.assertEqual(outcome.kind, execute.INVARIANT, outcome.said)
        self.assertIn("after clear_traces()", outcome.signature)

    def findings(self):
        setups = (execute.Setup(python, LIMIT),
                  [execute.Setup(python, LIMIT, untraced=True)])
        return command.Findings(setups, self.folder / "found", io.StringIO())

    def test_a_fault_is_reported_with_its_program(self):
        findings = self.findings()
        text = ("from kit import *\nbegin(__file__)\ntrace_check()\n"
                "from kit.tracer import UNTRACED\nif not UNTRACED: "
                "wrong('planted')\n"
                "finish(True)\n")
        findings.run("17", text)
        self.assertEqual([name for name, _ in findings.found], ["17"])
        self.assertEqual(findings.base, [])
        self.assertIn("seed 17: invariant: planted",
                      findings.stream.getvalue())
        self.assertEqual((self.folder / "found/17.py").read_text(), text)
        self.assertIn("torture: wrong: planted",
                      (self.folder / "found/17.txt").read_text())

    def test_a_fault_of_the_base_is_told_apart(self):
        findings = self.findings()
        findings.run("18", "import os\nos.kill(os.getpid(), 11)\n")
        self.assertEqual(findings.found, [])
        self.assertEqual([name for name, _ in findings.base], ["18"])
        self.assertIn("WITHOUT TRACING AS WELL", findings.stream.getvalue())


class ReduceTests(unittest.TestCase):
    def test_what_is_needed_is_left(self):
        numbers = list(range(1, 101))
        for needed in ({37}, {1, 100}, {13, 14, 60}, set()):
            without = reduced(numbers, lambda tried: not needed & tried)
            self.assertEqual(set(numbers) - without, needed)

    def test_a_reduced_program_has_the_statements_that_are_needed(self):
        program = Program(5)
        numbers = list(program.numbers())
        text = program.render()
        line = next(line for line in text.splitlines()
                    if line.startswith("    look("))
        without = reduced(numbers, lambda tried: line in program.render(tried))
        left = [number for number in numbers if number not in without]
        self.assertEqual(len(left), 1)
        self.assertIn(line, program.render(without))

    def test_a_seed_is_reduced_by_running_it(self):
        with tempfile.TemporaryDirectory(prefix="torture-test-") as name:
            # An interpreter that cannot stand one word.
            folder = pathlib.Path(name)
            crashing = folder / "python"
            crashing.write_text("#!/bin/sh\nfor program; do :; done\n"
                                "grep -q 'look(' \"$program\" && kill -SEGV "
                                "$$\necho finished\n")
            crashing.chmod(0o755)
            findings = command.Findings((execute.Setup(crashing, LIMIT), []),
                                        folder / "found", io.StringIO())
            self.assertEqual(command.make_smaller(findings, 5), 1)
            self.assertIn("seed 5: crash: SIGSEGV", findings.stream.getvalue())
            text = (folder / "found/5-reduced.py").read_text()
            self.assertEqual(text.count("look("), 1)
            self.assertLess(len(text), len(Program(5).render()) / 3)


class EndTests(unittest.TestCase):

    def test_who_interrupts_is_told_what_there_was_until_then(self):
        with tempfile.TemporaryDirectory(prefix="torture-test-") as name:
            folder = pathlib.Path(name)
            ends, waits, ready = (folder / each for each in (
                "ends.py", "waits.py", "ready"))
            ends.write_text("from kit import *\nbegin(__file__)\n"
                            "kept = [object()]\nfinish(True)\n")
            waits.write_text(
                "from kit import *\nbegin(__file__)\nimport time\n"
                f"open({str(ready)!r}, 'w').close()\ntime.sleep(3600)\n")
            process = subprocess.Popen(
                [sys.executable, "-I", "-B", os.path.dirname(command.__file__),
                 "--python", python, "--output", folder / "found", ends,
                 waits], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True)
            self.addCleanup(process.communicate)
            while not ready.exists() and process.poll() is None:
                time.sleep(.01)
            process.send_signal(signal.SIGINT)
            said, errors = process.communicate()
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn("interrupted", errors)
        self.assertRegex(said, r"(?m)^1 programs in \d+ s")
        self.assertRegex(said, r"(?m)^[1-9]\d* captures verified in [12] proc")
        self.assertRegex(said, r"(?m)^0 faults found")


class TinyTablesTests(unittest.TestCase):
    def test_numbers_that_run_out(self):
        # Tests of the fork that only an interpreter with tiny tables can run.
        name = "test.test_tracemalloc_contexts.ExhaustionTests"
        said = subprocess.run([python, "-m", "unittest", name],
                              capture_output=True, text=True)
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertRegex(said.stderr, r"Ran [1-9]\d* tests?")
        self.assertNotIn("skipped", said.stderr)


if __name__ == "__main__":
    unittest.main()
