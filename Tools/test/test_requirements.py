"""Tests of the list of requirements, on made-up ones with made-up programs."""
import io
import json
import pathlib
import re
import stat
import sys
import tempfile
import unittest
from unittest import mock

import known
import requirements
import results
import runner

TABLE = """\
# A remark.
S01  the first

S02  the second
     contract: test_x
P12  the third
I02  the fourth
"""

# An interpreter that knows tests and their ends from a file beside it.
FORK = '''#!%(python)s -B
import json, pathlib, sys
here = pathlib.Path(__file__).resolve().parent
arguments = sys.argv[1:]
ends = json.loads((here / "ends.json").read_text())
if arguments[:1] == ["-I"]:
    print(here / "Lib/test")
elif "--list-cases" in arguments:
    if "test_tracemalloc_broken" in arguments:
        sys.exit("cannot be imported")
    print(*ends, sep="\\n")
else:
    module = arguments[-1]
    wanted = [arguments[at + 1] for at, word in enumerate(arguments) if word == "-m"][1:]
    with open(here / "calls.txt", "a") as stream:
        print(module, *wanted, file=stream)
    elements = []
    for name, end in ends.items():
        if end == "absent" or name not in (wanted or [f"test.{module}.A.a"]):
            continue
        inside = "" if end == "pass" else f"<{end}>the reason</{end}>"
        elements.append(f'<testcase name="{name}">{inside}</testcase>')
    junit = arguments[arguments.index("--junit-xml") + 1]
    text = "".join(elements)
    pathlib.Path(junit).write_text(f"<testsuites><testsuite>{text}</testsuite></testsuites>")
    sys.exit("<failure>" in text)
'''

SHELL = "#!/bin/sh\necho '%s'\nexit %d\n"
MAKEFILE = "check:\n\t@echo '%s'; exit %d\n"


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


class IdTests(unittest.TestCase):

    def test_ids_begin_the_name(self):
        for name, ids in (("test_S01_something", ["S01"]),
                          ("test_S51_S54_more", ["S51", "S54"]),
                          ("test_S106_K1_more", ["S106", "K1"]),
                          ("P12 nodes", ["P12"]), ("test_other_S01", []),
                          ("test_S01x_other", []), ("test_s01_x", []),
                          ("test_S1234_x", []), ("test_I02", ["I02"])):
            with self.subTest(name=name):
                self.assertEqual(requirements.ids_of(name), ids)


class TableTests(unittest.TestCase):

    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "table")
            path.write_text(text)
            return requirements.read_table(path)

    def test_ids_texts_and_contract(self):
        table = self.read(TABLE)
        self.assertEqual(list(table), ["S01", "S02", "P12", "I02"])
        self.assertEqual(table["S01"], ("S01", "the first", ()))
        self.assertEqual(table["S02"], ("S02", "the second", ("test_x",)))

    def test_bad_lines_are_named(self):
        for text, line in (("S01", 1), ("S01 a\nS01 b", 2), ("s01 a", 1),
                           ("S01 a\n  by: b", 2),
                           ("S01 a\n  contract:", 2), ("  contract: b", 1)):
            with self.subTest(text=text):
                with self.assertRaisesRegex(known.BadList, rf"table:{line}: "):
                    self.read(text)
        with self.assertRaisesRegex(known.BadList, "lists no requirement"):
            self.read("# nothing\n")

    def test_the_projects_own_table_is_whole(self):
        table = requirements.read_table(requirements.HERE / "requirements.txt")
        numbers = {}
        for name in table:
            numbers.setdefault(name[0], []).append(int(name[1:]))
        # Each letter's numbers are in order, without gaps.
        self.assertEqual(
            {letter: len(found) for letter, found in numbers.items()},
            {"S": 108, "E": 12, "T": 13, "P": 15, "I": 15, "D": 70, "C": 19,
             "G": 9, "K": 18})
        for letter, found in numbers.items():
            self.assertEqual(found, list(range(1, len(found) + 1)), letter)
        modules = {row.module for row in runner.read_contract(
            requirements.HERE / "contract.txt")}
        for row in table.values():
            for module in row.contract:
                self.assertIn(module.partition(".")[0], modules)


class RunTests(unittest.TestCase):
    """Whole runs: a planted gap, a planted failure."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        for tree in "fork", "stock":
            program(self.folder / tree / "python",
                    FORK % {"python": sys.executable})
            (self.folder / tree / "Lib/test").mkdir(parents=True)
            (self.folder / tree / "Lib/test/test_x.py").write_text("contract")
        own = self.folder / "source/Lib/test/test_tracemalloc_own.py"
        own.parent.mkdir(parents=True)
        own.write_text("")
        self.ends = {"test.test_tracemalloc_own.A.test_S01_works": "pass",
                     "test.test_tracemalloc_own.A.test_without_id": "failure",
                     "test.test_x.A.a": "pass"}
        self.shell("ok    test_I02_one_patch",
                   "ok     plain       memory: P12 aligned")
        self.table(TABLE)

    def table(self, text):
        (self.folder / "table").write_text(text)

    def shell(self, driver, core, driver_status=0, core_status=0):
        source = self.folder / "source"
        program(source / "Tools/base/test/run",
                SHELL % ("  " + driver, driver_status))
        (source / "Tools/core").mkdir(parents=True, exist_ok=True)
        (source / "Tools/core/Makefile").write_text(
            MAKEFILE % (core, core_status))
        (source / "Tools/base/test/test_all.sh").write_text(
            "test_I02_one_patch() {\n}\n")
        (source / "Tools/core/test_memory.c").write_text(
            '    {"P12 aligned", test_aligned},\n    {"another", '
            'test_another},\n')

    def main(self, *arguments):
        """Run; return (exit status, lines, report)."""
        for tree in "fork", "stock":
            (self.folder / tree / "ends.json").write_text(
                json.dumps(self.ends))
        (self.folder / "contract").write_text("test_x 25\n")
        (self.folder / "known").write_text("")
        stream, errors = io.StringIO(), io.StringIO()
        report = self.folder / "out/report.json"
        with mock.patch.object(requirements.signal, "signal"), \
                mock.patch.object(sys, "stderr", errors):
            status = requirements.main(
                ["--fork", str(self.folder / "fork/python"),
                 "--stock", str(self.folder / "stock/python"), "--source",
                 str(self.folder / "source"), "--report", str(report),
                 *(f"--{name}={self.folder / name}"
                   for name in ("table", "contract", "known")),
                 *arguments],
                stream, io.StringIO())
        self.errors = errors.getvalue()
        lines = stream.getvalue().splitlines()
        return (status, lines,
                json.loads(report.read_text()) if report.exists() else None)

    def test_every_test_of_an_id_is_run_and_no_other(self):
        status, lines, report = self.main()
        self.assertEqual(lines[:4], [
            "S01   pass    test_tracemalloc_own.A.test_S01_works",
            "S02   pass    test_x (CPython's own)",
            "P12   pass    core/memory: P12 aligned",
            "I02   pass    driver/test_all.sh: test_I02_one_patch"])
        self.assertEqual(lines[-1],
                         "4 requirements, 4 tests: 4 passed, 0 failed")
        self.assertEqual(status, 0)
        self.assertEqual([row["result"] for row in report], ["pass"] * 4)
        calls = (self.folder / "fork/calls.txt").read_text().splitlines()
        # The contract runs with tracing off and on, ours once.
        self.assertEqual(sorted(calls), [
            "test_tracemalloc_own test.test_tracemalloc_own.A.test_S01_works",
            "test_x", "test_x"])

    def test_an_id_without_test_is_an_error(self):
        self.table(TABLE + "D01  nobody tests this\n")
        status, lines, report = self.main()
        self.assertEqual(status, 1)
        self.assertIn("D01   NO TEST nobody tests this", lines)
        self.assertIn("1 have no test: D01", lines)
        self.assertEqual(lines[-1],
                         "5 requirements, 4 tests: 4 passed, 1 failed")
        self.assertEqual(self.main("--list")[0], 1)

    def test_a_test_that_fails_is_an_error_with_its_reason(self):
        self.ends["test.test_tracemalloc_own.A.test_S01_S02_fails"] = "failure"
        status, lines, report = self.main()
        self.assertEqual(status, 1)
        self.assertIn(
            "S01   FAIL    test_tracemalloc_own.A.test_S01_S02_fails", lines)
        self.assertIn("S01   pass    test_tracemalloc_own.A.test_S01_works",
                      lines)
        self.assertIn("2 have a test that fails: S01 S02", lines)
        self.assertEqual(lines.count("the reason"), 1)
        self.assertEqual(lines[-1],
                         "4 requirements, 5 tests: 2 passed, 2 failed")

    def test_a_test_that_did_not_run_fails(self):
        self.ends["test.test_tracemalloc_own.A.test_S01_works"] = "absent"
        status, lines, report = self.main()
        self.assertEqual(status, 1)
        self.assertIn("S01   FAIL    test_tracemalloc_own.A.test_S01_works",
                      lines)
        self.assertIn("was not run", lines)

    def test_what_was_only_skipped_is_not_proved(self):
        self.ends["test.test_tracemalloc_own.A.test_S01_works"] = "skipped"
        status, lines, report = self.main()
        self.assertEqual(status, 1)
        self.assertIn("1 are not proved, their tests were skipped: S01", lines)
        self.ends["test.test_tracemalloc_own.A.test_S01_also"] = "pass"
        self.assertEqual(self.main()[0], 0)

    def test_failures_of_the_other_programs(self):
        for driver, core, failing in (
                ("FAIL  test_I02_one_patch",
                 "ok     plain       memory: P12 aligned", "I02"),
                ("ok    test_I02_one_patch",
                 "FAILED plain       memory: P12 aligned", "P12"),
                ("ok    test_I02_one_patch",
                 "FAILED plain       memory: P12 aligned (signal 6: Aborted)",
                 "P12"),
                ("ok    test_I02_one_patch", "nothing", "P12"),
                ("skip  test_I02_one_patch: no patch",
                 "ok     plain       memory: P12 aligned", None)):
            with self.subTest(driver=driver, core=core):
                self.shell(driver, core)
                status, lines, report = self.main()
                self.assertEqual(status, 1)
                if failing:
                    self.assertIn(f"1 have a test that fails: {failing}",
                                  lines)
                else:
                    self.assertIn(
                        "1 are not proved, their tests were skipped: I02",
                        lines)

    def test_a_program_that_stopped_early_has_proved_nothing(self):
        self.shell("ok    test_I02_one_patch",
                   "ok     plain       memory: P12 aligned", 1, 0)
        status, lines, report = self.main()
        self.assertEqual(status, 1)
        self.assertIn("1 have a test that fails: I02", lines)

    def test_a_changed_test_of_the_contract_fails(self):
        (self.folder / "fork/Lib/test/test_x.py").write_text("edited")
        status, lines, report = self.main()
        self.assertEqual(status, 1)
        self.assertIn("1 have a test that fails: S02", lines)
        self.assertTrue(any("differs from" in line for line in lines))

    def test_an_id_that_no_requirement_has_is_an_error(self):
        self.ends["test.test_tracemalloc_own.A.test_Z99_works"] = "pass"
        status, lines, report = self.main()
        self.assertEqual(status, 1)
        self.assertIn("test_tracemalloc_own.A.test_Z99_works: carries Z99,"
                      " which no requirement has", lines)

    def test_only_some(self):
        status, lines, report = self.main("--only", "P12", "--texts")
        self.assertEqual(lines,
                         ["P12           the third",
                          "P12   pass    core/memory: P12 aligned",
                          "", "1 requirements, 1 tests: 1 passed, 0 failed"])
        self.assertEqual(status, 0)
        self.assertFalse((self.folder / "fork/calls.txt").exists())

    def test_list_runs_nothing(self):
        status, lines, report = self.main("--list")
        self.assertEqual((status, lines[-1]),
                         (0, "4 requirements, 4 tests; none was run"))
        self.assertFalse((self.folder / "fork/calls.txt").exists())

    def test_wrong_use_is_one_line_and_status_2(self):
        status, lines, report = self.main("--only", "Z01")
        self.assertEqual((status, lines), (2, []))
        self.assertEqual(
            self.errors,
            "make requirements: --only: no such requirement: Z01\n")
        (self.folder
         / "source/Lib/test/test_tracemalloc_broken.py").write_text("")
        self.assertEqual(self.main()[0], 2)
        self.assertRegex(self.errors, re.compile(
            r"\Amake requirements: .*cannot list the tests, it said: cannot "
            r"be imported\n\Z"))
        self.table("nonsense\n")
        self.assertEqual(self.main()[0], 2)


class ResultTests(unittest.TestCase):

    def test_a_failed_fixture_says_why_tests_are_missing(self):
        test = requirements.Test(requirements.PYTHON, "test_x",
                                 "test.test_x.A.test_S01_a")
        fixture = results.Case("setUpClass (test.test_x.A)", results.ERROR,
                               "no memory")
        outcome = runner.Outcome(None, [fixture], 0.0, 2, None)
        self.assertEqual(requirements.python_results([test], outcome),
                         {test: (requirements.FAIL, "was not run\nno memory")})

    def test_a_module_that_was_skipped(self):
        test = requirements.Test(requirements.PYTHON, "test_x",
                                 "test.test_x.A.test_S01_a")
        outcome = runner.Outcome(
            None, [results.Case("test_x", results.SKIPPED, "not here")],
            0.0, 4, None)
        self.assertEqual(requirements.python_results([test], outcome),
                         {test: (requirements.SKIP, "not here")})

    def test_known_failures_of_the_contract_are_excused(self):
        test = requirements.Test(requirements.CONTRACT, "test_x", "test_x")
        failed = results.Case("test.test_x.A.a", results.FAILED,
                              "as in the base")
        passed = results.Case("test.test_x.A.b", results.PASSED, "")
        outcome = runner.Outcome(None, [failed, passed], 0.0, 2, None)
        self.assertEqual(
            requirements.contract_result(test, [(outcome, [failed])], []),
            (requirements.PASS, ""))
        self.assertEqual(
            requirements.contract_result(test, [(outcome, [])], [])[0],
            requirements.FAIL)


if __name__ == "__main__":
    unittest.main()
