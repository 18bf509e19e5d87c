"""Tests of the test runner, with scripts that pretend to be interpreters.

A fake reads what to do from a JSON file beside it: for "MODULE.MODE", or for
"MODULE.MODE.PATTERN" when it is asked for some tests only, which junit text,
log and exit status regrtest is to leave.
"""
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import known
import packages
import regrtest_compare
import results
import runner

FAKE = '''#!%(python)s -EB
import json, os, pathlib, signal, sys
here = pathlib.Path(__file__).resolve().parent
arguments = sys.argv[1:]
if arguments[0] == "-I":
    print(here / "Lib/test")
    sys.exit()
mode = "traced" if arguments[0] == "-X" else "off"
mode += "." + os.environ["PYTHONMALLOC"] if "PYTHONMALLOC" in os.environ else ""
patterns = [arguments[at + 1] for at, word in enumerate(arguments) if word == "-m"][1:]
acts = json.loads((here / "acts.json").read_text())
name = "probe" if arguments[0] == "-c" else ".".join([arguments[-1], mode, *patterns])
with open(here / "calls.txt", "a") as stream:
    print(name, file=stream)
act = acts[name]
print(act.get("log", ""), flush=True)
if "echo" in act:
    print(os.environ.get(act["echo"]))
for kind, text in act.get("reports", {}).items():
    path = os.environ[kind].removeprefix("log_path=").partition(":")[0]
    pathlib.Path(f"{path}.{os.getpid()}").write_text(text)
if act.get("hang"):
    (here / "pid.txt").write_text(str(os.getpid()))
    signal.pause()
if act.get("signal"):
    os.kill(os.getpid(), act["signal"])
if "xml" in act:
    junit = arguments[arguments.index("--junit-xml") + 1]
    pathlib.Path(junit).write_text(act["xml"])
sys.exit(act.get("exit", 0))
'''


ADDRESS = """==7==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x6
    #0 0x1 in memory_find Objects/memoryobject.c:5
"""
OVERFLOW = ("Objects/memoryobject.c:5:1: runtime error: signed integer "
            "overflow: 1 + 2\n")


def suite(*cases, failures=0, errors=0):
    return (
        f'<testsuites><testsuite tests="{len(cases)}" failures="{failures}"'
        f' errors="{errors}">{"".join(cases)}</testsuite></testsuites>')


def good(name):
    return (f'<testcase name="{name}" status="run" result="completed" '
            'time="0.1" />')


def bad(name, tag="failure"):
    return (f'<testcase name="{name}"><{tag} type="x" message="y">traceback '
            f'of {name}</{tag}></testcase>')


def skip(name):
    return f'<testcase name="{name}"><skipped>not here</skipped></testcase>'


def header(kind, name, owner, rest=""):
    return (f"{results.RULE}\n{kind}: {name} ({owner}){rest}\n{'-' * 70}\n"
            f"Traceback of {name}{rest}\n\n")


class ReadRunTests(unittest.TestCase):
    """What one regrtest run left behind, read as cases."""

    def read(self, status=0, xml=None, log=""):
        cases = results.read_run("test_x", status, xml, log)
        return {case.id: case.outcome for case in cases}

    def test_named_cases(self):
        xml = suite(good("test.test_x.A.a"), bad("test.test_x.A.b"),
                    bad("test.test_x.A.c", "error"), skip("test.test_x.A.d"),
                    failures=1, errors=1)
        self.assertEqual(self.read(2, xml), {
            "test.test_x.A.a": "passed", "test.test_x.A.b": "failed",
            "test.test_x.A.c": "error", "test.test_x.A.d": "skipped"})

    def test_detail_is_the_traceback(self):
        case, = results.read_run("test_x", 2, suite(bad("a.b"), failures=1),
                                 "")
        self.assertEqual(case.detail, "traceback of a.b")

    def test_expected_failure_passes_and_unexpected_success_fails(self):
        xml = suite(
            '<testcase name="a"><output type="x">expected</output></testcase>',
            '<testcase name="b" outcome="UNEXPECTED_SUCCESS" />')
        self.assertEqual(self.read(2, xml), {"a": "passed", "b": "failed"})

    def test_several_suites(self):
        xml = suite(good("a")).replace("</testsuites>",
                                       suite(good("b"))[len("<testsuites>"):])
        self.assertEqual(self.read(0, xml), {"a": "passed", "b": "passed"})

    def test_failing_subtests_are_named_from_the_log_once(self):
        log = (header("FAIL", "test_s", "test.test_x.A.test_s", " (i=1)")
               + header("FAIL", "test_s", "test.test_x.A.test_s", " (i=2)")
               + "\n\nRan 2 tests")
        cases = results.read_run("test_x", 2,
                                 suite(good("a"), "<testcase />", failures=2),
                                 log)
        failed = [case for case in cases if results.is_failure(case)]
        self.assertEqual([case.id for case in failed],
                         ["test.test_x.A.test_s"])
        self.assertIn("(i=1)", failed[0].detail)
        self.assertIn("(i=2)", failed[0].detail)

    def test_nameless_failure_without_a_log_is_not_lost(self):
        cases = self.read(2, suite("<testcase />", failures=1))
        self.assertEqual(list(cases.values()), ["failed"])

    def test_failed_fixture_is_named_from_the_log(self):
        log = header("ERROR", "setUpClass", "test.test_x.A")
        self.assertEqual(self.read(2, suite(good("a"), errors=1), log),
                         {"a": "passed",
                          "setUpClass (test.test_x.A)": "error"})

    def test_failed_doctest_has_one_id_in_xml_and_log(self):
        log = header("FAIL", "email", "test.test_x.__test__")
        xml = suite(bad("test.test_x.__test__.email"), failures=1)
        self.assertEqual(self.read(2, xml, log),
                         {"test.test_x.__test__.email": "failed"})

    def test_counted_failure_that_nothing_names(self):
        self.assertEqual(self.read(2, suite(good("a"), errors=1)),
                         {"a": "passed", "test_x": "error"})

    def test_crashed_worker(self):
        log = ("0:00:01 load avg: 0.1 [1/1/1] test_x worker non-zero exit "
               "code (Exit code -11 (SIGSEGV))\nFatal Python error: "
               "Segmentation fault")
        case, = results.read_run("test_x", 2, None, log)
        self.assertEqual((case.id, case.outcome), ("test_x", "error"))
        self.assertIn("Segmentation fault", case.detail)

    def test_crash_in_one_part_of_a_package(self):
        log = ("0:00:01 [2/2/1] test.test_x.test_b worker non-zero exit code "
               "(Exit code -6)")
        self.assertEqual(self.read(2, suite(good("a")), log),
                         {"a": "passed", "test.test_x.test_b": "error"})

    def test_timed_out_worker(self):
        self.assertEqual(
            self.read(2, None, "0:20:00 [1/1/1] test_x timed out (20 min)"),
            {"test_x": "error"})

    def test_module_that_cannot_be_imported(self):
        self.assertEqual(self.read(2, None, "0:00:00 [1/1/1] test_x failed "
                                   "(uncaught exception)"),
                         {"test_x": "error"})

    def test_killed_for_its_time(self):
        self.assertEqual(self.read(None), {"test_x": "error"})

    def test_regrtest_itself_crashed(self):
        self.assertEqual(self.read(-6, suite(good("a"))),
                         {"a": "passed", "test_x": "error"})

    def test_regrtest_itself_crashed_after_a_failure(self):
        xml = suite(bad("a"), failures=1)
        self.assertEqual(self.read(-6, xml),
                         {"a": "failed", "test_x": "error"})

    def test_counted_failure_is_believed_more_than_the_exit_status(self):
        self.assertEqual(self.read(0, suite(good("a"), errors=1)),
                         {"a": "passed", "test_x": "error"})

    def test_exit_status_without_a_failure(self):
        self.assertEqual(self.read(3, suite(good("a"))),
                         {"a": "passed", "test_x": "error"})

    def test_no_tests_at_all(self):
        self.assertEqual(self.read(0), {"test_x": "error"})
        self.assertEqual(self.read(4), {"test_x": "error"})

    def test_unreadable_xml(self):
        self.assertEqual(self.read(0, "<testsuites><testsu"),
                         {"test_x": "error"})

    def test_skipped_module(self):
        log = "0:00:00 [1/1] test_x skipped\ntest_x skipped -- no such device"
        case, = results.read_run("test_x", 0, None, log)
        self.assertEqual(case,
                         results.Case("test_x", "skipped", "no such device"))

    def test_progress_is_no_result(self):
        log = ("0:00:30 [0/1] running (1): test_x (30.0 sec)\n0:00:31 [1/1] "
               "test_x passed")
        self.assertEqual(self.read(0, suite(good("a")), log), {"a": "passed"})


class ListTests(unittest.TestCase):
    """The data files."""

    def write(self, text):
        handle, name = tempfile.mkstemp(text=True)
        self.addCleanup(os.unlink, name)
        with open(handle, "w") as stream:
            stream.write(text)
        return name

    def test_known_failures(self):
        path = self.write("# remark\n\n"
                          "test.test_x.A.a  any  the reason, in words\n")
        self.assertEqual(
            known.read_known(path),
            [known.Known("test.test_x.A.a", "any", "the reason, in words")])

    def test_known_failure_without_mode_or_reason(self):
        for line in ("test.test_x.A.a off",
                     "test.test_x.A.a sometimes reason"):
            with self.assertRaisesRegex(known.BadList,
                                        ":1: expected: TEST-ID"):
                known.read_known(self.write(line))

    def test_contract(self):
        path = self.write("test_a 25 quick\ntest_b -\n")
        self.assertEqual(runner.read_contract(path),
                         [runner.Row("test_a", 25, True),
                          runner.Row("test_b", None, False)])
        path = self.write("test_a 25 malloc\ntest_b 5 quick malloc\n")
        self.assertEqual(runner.read_contract(path), [
            runner.Row("test_a", 25, False, True),
            runner.Row("test_b", 5, True, True)])

    def test_bad_contract_line(self):
        for line in ("test_a", "test_a many", "test_a 25 slow"):
            with self.assertRaisesRegex(known.BadList,
                                        "expected: MODULE FRAMES"):
                runner.read_contract(self.write(line))

    def test_the_lists_of_the_repository_can_be_read(self):
        rows = runner.read_contract(runner.HERE / "contract.txt")
        self.assertIn("test_tracemalloc", {row.module for row in rows})
        rows = runner.read_contract(runner.HERE / "sanitize.txt")
        self.assertIn("test_tracemalloc",
                      {row.module for row in rows if row.malloc})
        rows = runner.read_contract(runner.HERE / "nogil.txt")
        self.assertIn("test_free_threading", {row.module for row in rows})
        known.read_known(runner.HERE / "known-failures.txt")

    def test_plan(self):
        rows = [runner.Row("test_a", 25, True), runner.Row("test_b", 5, False),
                runner.Row("test_c", None, False)]
        full = [(job.module, runner.label(job))
                for job in runner.plan(["own"], rows)]
        self.assertEqual(full,
                         [("own", "off"), ("test_a", "off"), ("test_b", "off"),
                          ("test_c", "off"), ("test_a", "traced 25"),
                          ("test_b", "traced 5")])
        quick = runner.plan(["own"], rows, quick=True)
        self.assertEqual([job.module for job in quick if job.mode == "traced"],
                         ["test_a"])
        only = runner.plan(["own"], rows, only=["test_b"])
        self.assertEqual([job.mode for job in only], ["off", "traced"])

    def test_plan_of_a_special_build(self):
        rows = [runner.Row("test_a", 25, False, True),
                runner.Row("test_b", 5, False),
                runner.Row("own", None, False, True)]
        plan = [(job.module, runner.label(job))
                for job in runner.plan_special(["own", "other"], rows)]
        self.assertEqual(
            plan, [("own", "off"), ("other", "off"), ("test_a", "traced 25"),
                   ("test_b", "traced 5"), ("test_a", "traced 25 malloc"),
                   ("own", "off malloc")])
        only = runner.plan_special(["own"], rows, only=["own"])
        self.assertEqual([runner.label(job) for job in only],
                         ["off", "off malloc"])

    def test_plan_of_an_unknown_module(self):
        with self.assertRaisesRegex(runner.WrongUse,
                                    "no such test module: test_zz"):
            runner.plan(["own"], [], only=["test_zz"])


class KnownFailureTests(unittest.TestCase):
    """What may be excused, and what may not."""

    entries = [known.Known("test.test_x.A.a", "off", "why")]
    failure = results.Case("test.test_x.A.a", "failed", "log")

    def confirm(self, mode, *on_stock):
        return known.confirm([self.failure], self.entries, mode,
                             lambda ids: list(on_stock))

    def test_excused_when_the_base_fails_too(self):
        self.assertEqual(self.confirm("off", self.failure),
                         ([self.failure], []))

    def test_failed_when_the_base_passes(self):
        excused, failed = self.confirm("off",
                                       self.failure._replace(outcome="passed"))
        self.assertEqual(excused, [])
        self.assertIn("untouched base passes it", failed[0].detail)

    def test_failed_when_the_base_skips_it(self):
        self.assertEqual(
            self.confirm("off", self.failure._replace(outcome="skipped"))[0],
            [])

    def test_other_mode_is_not_listed(self):
        self.assertEqual(self.confirm("traced", self.failure),
                         ([], [self.failure]))

    def test_base_is_not_asked_about_unlisted_tests(self):
        other = self.failure._replace(id="test.test_x.A.other")
        ask = mock.Mock()
        self.assertEqual(known.confirm([other], self.entries, "off", ask),
                         ([], [other]))
        ask.assert_not_called()

    def stale(self, *cases, module="test_x", mode="off"):
        return known.stale(self.entries, module, mode, cases)

    def test_stale_when_it_passes(self):
        self.assertEqual(
            len(self.stale(self.failure._replace(outcome="passed"))), 1)

    def test_stale_when_there_is_no_such_test(self):
        self.assertEqual(
            len(self.stale(results.Case("test.test_x.A.z", "passed", ""))), 1)

    def test_not_stale_when_it_fails_or_is_skipped(self):
        self.assertEqual(self.stale(self.failure), [])
        self.assertEqual(self.stale(self.failure._replace(outcome="skipped")),
                         [])
        self.assertEqual(self.stale(results.Case("test_x", "skipped", "")), [])

    def test_not_stale_for_another_module_or_mode(self):
        passed = results.Case("test.test_xy.A.a", "passed", "")
        self.assertEqual(self.stale(passed, module="test_xy"), [])
        self.assertEqual(self.stale(passed, mode="traced"), [])

    def test_fixture_belongs_to_its_module(self):
        self.assertTrue(known.belongs("setUpClass (test.test_x.A)", "test_x"))
        self.assertFalse(known.belongs("setUpClass (test.test_xy.A)",
                                       "test_x"))


class RunTests(unittest.TestCase):
    """Whole runs with fake interpreters."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        for name in ("fork", "stock", "source"):
            self.make_tree(self.folder / name)
        (self.folder / "contract").write_text("test_x 25\n")
        (self.folder / "known").write_text("")
        own = "Lib/test/test_tracemalloc_own.py"
        for name in ("fork", "source"):
            (self.folder / name / own).write_text("own")
        self.acts = {name: {"xml": suite(good(f"test.{name}.A.a"))}
                     for name in ("test_tracemalloc_own.off", "test_x.off",
                                  "test_x.traced")}
        self.stock_acts = {}

    def make_tree(self, tree):
        for name in ("support", "libregrtest"):
            (tree / "Lib/test" / name).mkdir(parents=True)
            (tree / "Lib/test" / name / "__init__.py").write_text("helper")
        (tree / "Lib/test/test_x.py").write_text("contract")
        python = tree / "python"
        python.write_text(FAKE % {"python": sys.executable})
        python.chmod(0o755)

    def main(self, *arguments):
        """Run the runner; return (exit status, lines it printed, report)."""
        (self.folder / "fork/acts.json").write_text(json.dumps(self.acts))
        (self.folder / "stock/acts.json").write_text(
            json.dumps(self.stock_acts))
        stream = io.StringIO()
        report = self.folder / "out/report.json"
        with mock.patch.object(runner.signal, "signal"):
            status = runner.main([
                "--fork", str(self.folder / "fork/python"),
                "--stock", str(self.folder / "stock/python"),
                "--source", str(self.folder / "source"), "--report",
                str(report), "--contract", str(self.folder / "contract"),
                "--known", str(self.folder / "known"),
                "--no-self-test", "--jobs", "2", *arguments], stream)
        lines = stream.getvalue().splitlines()
        return (status, lines,
                json.loads(report.read_text()) if report.exists() else None)

    def calls(self, tree):
        path = self.folder / tree / "calls.txt"
        return sorted(path.read_text().split()) if path.exists() else []

    def test_all_pass(self):
        status, lines, report = self.main()
        # Three runs, and four checks of files: two helpers, contract,
        # own test.
        self.assertEqual((status, lines[-1]), (0, "7 passed, 0 failed"))
        self.assertEqual(lines[-2], "0 skipped, 0 known failures")
        self.assertEqual(report["passed"], 7)
        self.assertEqual(self.calls("fork"), ["test_tracemalloc_own.off",
                                              "test_x.off", "test_x.traced"])
        self.assertEqual(self.calls("stock"), [])

    def test_failure_is_shown_and_sets_the_status(self):
        self.acts["test_x.off"] = {
            "xml": suite(bad("test.test_x.A.a"), failures=1), "exit": 2}
        status, lines, report = self.main()
        self.assertEqual((status, lines[-1]), (1, "6 passed, 1 failed"))
        self.assertIn("FAILED test.test_x.A.a [off]", lines)
        self.assertIn("traceback of test.test_x.A.a", lines)
        self.assertEqual(report["failures"][0]["where"], "off")

    def test_known_failure_is_asked_of_the_base_in_its_mode(self):
        (self.folder / "known").write_text("test.test_x.A.a traced the "
                                           "reason\n")
        failing = {"xml": suite(bad("test.test_x.A.a"), failures=1), "exit": 2}
        self.acts["test_x.traced"] = failing
        self.stock_acts["test_x.traced.test.test_x.A.a"] = failing
        status, lines, report = self.main()
        self.assertEqual((status, lines[-1]), (0, "6 passed, 0 failed"))
        self.assertIn("  test.test_x.A.a [traced 25]: the reason", lines)
        self.assertEqual(self.calls("stock"),
                         ["test_x.traced.test.test_x.A.a"])
        self.assertEqual(report["known"][0]["reason"], "the reason")

    def test_listed_failure_that_the_base_passes_fails(self):
        (self.folder / "known").write_text("test.test_x.A.a off the reason\n")
        self.acts["test_x.off"] = {
            "xml": suite(bad("test.test_x.A.a"), failures=1), "exit": 2}
        self.stock_acts["test_x.off.test.test_x.A.a"] = {
            "xml": suite(good("test.test_x.A.a"))}
        status, lines, _ = self.main()
        self.assertEqual((status, lines[-1]), (1, "6 passed, 1 failed"))

    def test_stale_entry_fails(self):
        self.acts["test_x.off"] = {"xml": suite(good("test.test_x.A.a"))}
        (self.folder / "known").write_text("test.test_x.A.a off the reason\n")
        status, lines, _ = self.main()
        self.assertEqual((status, lines[-1]), (1, "7 passed, 1 failed"))

    def test_killed_interpreter(self):
        self.acts["test_x.traced"] = {"signal": 6, "log": "last words"}
        status, lines, _ = self.main()
        self.assertEqual(status, 1)
        self.assertIn("last words", lines)

    def sanitized(self, *arguments):
        """As main(), where both interpreters say what sanitizers would."""
        (self.folder / "excused").write_text(
            "undefined:* Objects/longobject.c:* it is so\n")
        (self.folder / "contract").write_text("test_x 25 malloc\n")
        self.acts |= {
            "probe": {"reports": {"ASAN_OPTIONS": ADDRESS,
                                  "UNDEFINED_REPORTS": OVERFLOW}},
            "test_x.traced.malloc": self.acts["test_x.off"]}
        return self.main("--sanitizers", str(self.folder / "excused"),
                         *arguments)

    def test_sanitizers_have_nothing_to_say(self):
        status, lines, _ = self.sanitized()
        # Three runs and what was said in each,
        # the mistake made on purpose, files.
        self.assertEqual((status, lines[-1]), (0, "11 passed, 0 failed"))
        self.assertEqual(self.calls("fork"),
                         ["probe", "test_tracemalloc_own.off",
                          "test_x.traced", "test_x.traced.malloc"])

    def test_our_tests_are_not_excused_by_a_base_that_lacks_them(self):
        self.acts["test_tracemalloc_own.off"] = {"signal": 6, "log": "last"}
        self.stock_acts["test_tracemalloc_own.off"] = {"exit": 1}
        status, lines, _ = self.sanitized("--only", "test_tracemalloc_own")
        self.assertEqual((status, lines[-2]),
                         (1, "0 skipped, 0 known failures"))
        self.assertEqual(self.calls("stock"), [])

    def test_an_interpreter_with_a_gil_is_not_free_threaded(self):
        status, lines, _ = self.main("--free-threaded")
        self.assertEqual(status, 1)
        self.assertIn("FAILED no GIL [free-threaded]", lines)
        # Once each, the contract traced.
        self.assertEqual(self.calls("fork"),
                         ["probe", "test_tracemalloc_own.off",
                          "test_x.traced"])

    def test_sanitizers_that_are_not_there(self):
        self.acts["probe"] = {}
        (self.folder / "excused").write_text("")
        status, lines, _ = self.main("--sanitizers",
                                     str(self.folder / "excused"),
                                     "--only", "test_tracemalloc_own")
        self.assertEqual(status, 1)
        self.assertIn("FAILED sanitizers report [sanitizers]", lines)

    def test_a_report_fails_unless_it_is_excused_or_the_bases(self):
        ours = {"reports": {
            "ASAN_OPTIONS": ADDRESS,
            "UNDEFINED_REPORTS": OVERFLOW.replace("memory", "long")}}
        self.acts["test_x.traced"] |= ours
        self.stock_acts["test_x.traced"] = self.acts["test_x.off"]
        status, lines, _ = self.sanitized("--only", "test_x")
        self.assertEqual((status, lines[-2:]),
                         (1, ["1 skipped, 0 known failures",
                              "7 passed, 1 failed"]))
        self.assertIn("built alike, the untouched base passes it", lines)
        self.stock_acts["test_x.traced"] = self.acts["test_x.off"] | ours
        status, lines, _ = self.sanitized("--only", "test_x")
        self.assertEqual((status, lines[-2:]),
                         (0, ["1 skipped, 1 known failures",
                              "7 passed, 0 failed"]))
        self.assertEqual(self.calls("stock"), ["test_x.traced"] * 2)

    def test_modified_contract_file(self):
        (self.folder / "fork/Lib/test/test_x.py").write_text("loosened")
        status, lines, _ = self.main()
        self.assertEqual(status, 1)
        self.assertIn("FAILED unmodified: test_x [files]", lines)

    def test_modified_helper_and_added_file(self):
        (self.folder / "fork/Lib/test/support/extra.py").write_text("")
        self.assertEqual(self.main()[0], 1)

    def add_fixes(self):
        """A base with fixes beside the fork: of the helpers,
        test_x and test_y.
        """
        tests = self.folder / "fixed/Python-3.13.5/Lib/test"
        for name in ("fork", "stock"):
            (self.folder / name / "Lib/test/test_y").mkdir()
            for file in ("test_y/test_part.py", "test_z.py"):
                (self.folder / name / "Lib/test" / file).write_text("released")
        shutil.copytree(self.folder / "stock/Lib/test", tests)
        lines = []
        for name in ("support/__init__.py", "test_x.py",
                     "test_y/test_part.py"):
            for folder in (tests, self.folder / "fork/Lib/test"):
                (folder / name).write_text("fixed, and longer")
            lines.append(f"CVE-2031-1.patch Lib/test/{name}\n")
        lines.append("CVE-2031-1.patch Lib/y.py\n")
        (self.folder / "fixed/touched").write_text("".join(lines))
        self.acts["test_y.test_part.off"] = {
            "xml": suite(good("test.test_y.test_part.A.a"))}
        return tests

    def test_the_tests_of_fixes_are_run_as_the_fixes_leave_them(self):
        self.add_fixes()
        status, lines, report = self.main()
        self.assertEqual((status, lines[-1]), (0, "10 passed, 0 failed"))
        self.assertEqual(self.calls("fork"),
                         ["test_tracemalloc_own.off", "test_x.off",
                          "test_x.traced", "test_y.test_part.off"])
        (self.folder / "fork/Lib/test/test_y/test_part.py").write_text(
            "loosened")
        status, lines, _ = self.main()
        self.assertIn("FAILED unmodified: test_y.test_part [files]", lines)

    def test_modules_that_need_localhost_are_left_out_where_it_is_unknown(
            self):
        base = self.folder / "base-tests"
        base.mkdir()
        for name, text in (("test_a", "import os\n"),
                           ("test_b", "HOST = 'localhost'\n"),
                           ("test_c",
                            "from test.support import socket_helper\n")):
            (base / f"{name}.py").write_text(text)
        rows = [runner.Row(f"test_{letter}", None, False) for letter in "abc"]
        self.assertEqual(runner.without_localhost(rows, base),
                         (rows[:1], ["test_b", "test_c"]))
        with mock.patch("socket.getaddrinfo", side_effect=OSError):
            self.assertFalse(runner.knows_localhost())

    def test_what_no_fix_touches_is_as_it_was_released(self):
        tests = self.add_fixes()
        for folder in (tests, self.folder / "fork/Lib/test"):
            (folder / "test_z.py").write_text("loosened")
        status, lines, _ = self.main()
        self.assertEqual(status, 1)
        self.assertIn(
            "FAILED unmodified: all that no security fix touches [files]",
            lines)

    def test_own_test_that_was_not_laid(self):
        (self.folder / "fork/Lib/test/test_tracemalloc_own.py").unlink()
        status, lines, _ = self.main()
        self.assertEqual(status, 1)
        self.assertIn("FAILED laid: test_tracemalloc_own [files]", lines)

    def test_environment(self):
        self.acts["test_tracemalloc_own.off"]["echo"] = (
            "TRACEMALLOC_STOCK_PYTHON")
        self.acts["test_x.off"]["echo"] = "PYTHONUNBUFFERED"
        with mock.patch.dict(os.environ, PYTHONUNBUFFERED="1"):
            self.main()
        logs = self.folder / "out/report.logs/fork"
        self.assertIn("stock/python",
                      (logs / "test_tracemalloc_own.off.log").read_text())
        self.assertIn("None", (logs / "test_x.off.log").read_text())

    def test_wrong_use(self):
        for arguments in (["--only", "test_zz"], ["--jobs", "0"],
                          ["--no-such-option"],
                          ["--fork", str(self.folder / "nowhere")],
                          ["--source", str(self.folder)]):
            with mock.patch("sys.stderr", new_callable=io.StringIO) as stderr:
                try:
                    status = self.main(*arguments)[0]
                except SystemExit as error:
                    status = error.code
            self.assertEqual(status, 2, arguments)
            self.assertEqual(stderr.getvalue().count("\n"), 1,
                             stderr.getvalue())

    def test_hanging_interpreter_is_ended(self):
        (self.folder / "fork/acts.json").write_text(
            json.dumps({"test_x.off": {"hang": True}}))
        pid = self.folder / "fork/pid.txt"

        class Hanging(subprocess.Popen):
            """Its time is up once it hangs, however long it took to get there.
            """

            def wait(self, timeout=None):
                if timeout is None:
                    return super().wait()
                while self.poll() is None and not (pid.exists()
                                                   and pid.read_text()):
                    os.sched_yield()
                raise subprocess.TimeoutExpired(self.args, timeout)

        fork = runner.Regrtest(self.folder / "fork/python", self.folder,
                               dict(os.environ), timeout=1, grace=1)
        with mock.patch.object(subprocess, "Popen", Hanging):
            outcome = fork.run(runner.Job("test_x", "off", None))
        self.assertIsNone(outcome.status)
        self.assertEqual([case.outcome for case in outcome.cases], ["error"])
        with self.assertRaises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)


SHELL = """#!/bin/sh
echo "$*" >>"${0%%/*}/said"
case $* in
    *"import greenlet") %s ;;
    *"-m venv"*) %s ;;
    *"-m pip"*) %s ;;
    *greenlet_check.py) %s ;;
esac
"""


class PackageTests(unittest.TestCase):
    """Checks with a package, by shells that pretend to be interpreters."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def check(self, have="exit 0", venv="exit 0", pip="exit 0", run="exit 0"):
        self.python = self.folder / "python"
        self.python.write_text(SHELL % (have, venv, pip, run))
        self.python.chmod(0o755)
        return packages.check_greenlet(self.python, self.folder / "env",
                                       dict(os.environ))

    def said(self):
        return (self.folder / "said").read_text()

    def test_what_the_check_prints_is_counted(self):
        cases = self.check(
            run="echo 'one: 5 blocks, 0 wrong'; echo 'two: 7 blocks, 0 wrong'")
        self.assertEqual([(case.id, case.outcome) for case in cases],
                         [("greenlet: one", "passed"),
                          ("greenlet: two", "passed")])
        self.assertNotIn("venv", self.said())

    def test_wrong_tracebacks_and_no_blocks_fail(self):
        cases = self.check(run="echo 'one: 5 blocks, 1 wrong'; echo 'two: 0 "
                           "blocks, 0 wrong'; exit 1")
        self.assertEqual([case.outcome for case in cases],
                         ["failed", "failed"])

    def test_a_check_that_stops_fails(self):
        cases = self.check(
            run="echo 'one: 5 blocks, 0 wrong'; echo crashed; exit 139")
        self.assertEqual([case.outcome for case in cases], ["passed", "error"])
        self.assertIn("status 139\none: 5 blocks, 0 wrong\ncrashed",
                      cases[1].detail)
        self.assertEqual([case.outcome for case in self.check()], ["error"])

    def test_it_is_installed_where_it_is_missing(self):
        ready = self.folder / "ready"
        ready.write_text(SHELL % ("exit 0", "exit 1", "exit 0",
                                  "echo 'one: 5 blocks, 0 wrong'"))
        ready.chmod(0o755)
        make = (f'mkdir -p "{self.folder}/env/bin";'
                f' cp -p "{ready}" "{self.folder}/env/bin/python"')
        cases = self.check(have="exit 1", venv=make, run="exit 1")
        self.assertEqual([case.outcome for case in cases], ["passed"])
        inside = (self.folder / "env/bin/said").read_text().splitlines()
        self.assertIn("-m pip install", inside[0])
        self.assertTrue(inside[1].endswith("greenlet_check.py"))
        # The second time it is there.
        self.assertEqual([case.outcome for case in self.check(
            have="exit 1", venv="exit 1", run="exit 1")], ["passed"])
        self.assertEqual(
            (self.folder / "env/bin/said").read_text().count("-m pip"), 1)

    def test_without_network_it_is_skipped_with_the_reason(self):
        make = (f'mkdir -p "{self.folder}/env/bin";'
                f' cp "$0" "{self.folder}/env/bin/python"')
        cases = self.check(have="exit 1", venv=make,
                           pip="echo retrying; echo no route; exit 1")
        self.assertEqual(cases, [results.Case(
            "greenlet", "skipped", "greenlet cannot be installed: no route")])
        cases = self.check(have="exit 1", venv="echo no ensurepip; exit 1")
        self.assertIn("no ensurepip", cases[0].detail)


class CompareTests(unittest.TestCase):
    """Two whole-suite results, the fork's no worse than the base's."""

    def compare(self, stock, fork):
        return regrtest_compare.compare(regrtest_compare.read(stock),
                                        regrtest_compare.read(fork))

    def test_only_new_failures_are_told(self):
        both, new = bad("test.test_x.A.both"), "test.test_x.A.new"
        stock = suite(both, good(new), failures=1)
        self.assertEqual(self.compare(stock,
                                      suite(both, bad(new), failures=2)),
                         [f"{new}: failed"])
        self.assertEqual(self.compare(stock, stock), [])

    def test_module_missing_from_the_fork(self):
        stock = suite(good("test.test_x.A.a"))
        self.assertEqual(
            self.compare(stock, suite(good("test.test_y.A.a"))),
            ["test.test_x: no results; it crashed, timed out or was skipped"])

    def test_nameless_failures_are_counted_by_module(self):
        stock = suite(good("test.test_x.A.a"))
        fork = suite(good("test.test_x.A.a"), "<testcase />", failures=1)
        self.assertEqual(
            self.compare(stock, fork),
            ["test.test_x: 1 failures without a name, 0 on the base"])

    def test_doctests_of_other_modules_are_kept_apart(self):
        one = suite(good("difflib.ndiff"), good("test.test_x.A.a"),
                    good("test.test_x.B.b"))
        two = one.replace("test_x", "test_y").replace("difflib", "bisect")
        both = one.replace("</testsuites>", two[len("<testsuites>"):])
        self.assertEqual(set(regrtest_compare.read(both)),
                         {"test.test_x", "test.test_y"})
        self.assertEqual(
            self.compare(both, one),
            ["test.test_y: no results; it crashed, timed out or was skipped"])

    def test_suites_of_one_module_are_joined(self):
        one = suite(bad("collections.A.a"), failures=1)
        two = suite(bad("collections.B.b"), failures=1)
        both = one.replace("</testsuites>", two[len("<testsuites>"):])
        self.assertEqual(self.compare(suite(good("collections.A.a")), both),
                         ["collections.A.a: failed",
                          "collections.B.b: failed"])

    def test_failed_fixture(self):
        stock = suite(good("test.test_x.A.a"), good("test.test_x.B.b"))
        fork = suite(good("test.test_x.B.b"), errors=1)
        self.assertEqual(
            self.compare(stock, fork),
            ["test.test_x: 1 failures without a name, 0 on the base"])


if __name__ == "__main__":
    unittest.main()
