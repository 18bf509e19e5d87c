"""tracemalloc.pytest in the real pytest, alone and with xdist.

Run by Tools/test/places, with an interpreter that has both.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
from textwrap import dedent

# A block of this many bytes holds that many characters.
HEAD = sys.getsizeof(b"")

TESTS = """
import pytest

kept = []

def block(size):
    return b"x" * size

def test_nothing():
    pass

def test_peak():
    block(1_000_000)

@pytest.mark.limit_memory("1 MB")
def test_within():
    block(500_000)

@pytest.mark.limit_memory("24 MB")
def test_too_much():
    [block(1_000_000) for _ in range(30)]

@pytest.mark.limit_leaks("1 KB")
def test_leak():
    for _ in range(10):
        kept.append(block(1000))
"""


DOC = pathlib.Path(__file__).resolve().parents[3] / "Doc"


def without_numbers(text):
    """Return lines without what depends on versions, machines and widths."""
    return [re.sub(r"[\s\d.,]+|KiB|\bB\b|=+|_{2,}", " ", line).strip()
            for line in text.splitlines() if line.strip()]


class PluginTests(unittest.TestCase):

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(
            tempfile.TemporaryDirectory()))

    def write(self, name, text):
        (self.folder / name).write_text(dedent(text), encoding="utf-8")

    def run_pytest(self, *arguments, status=0, plugin=True, **variables):
        """Run it in the folder; return what it prints."""
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("PYTHON", "PYTEST"))}
        environment |= {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "100",
                        "PYTHONPATH": str(self.folder)} | variables
        words = ["-p", "tracemalloc.pytest"] if plugin else []
        process = subprocess.run(
            [sys.executable, "-s", "-m", "pytest", *words, "-W", "ignore",
             "-p", "no:cacheprovider", "-o", "asyncio_mode=strict",
             "--rootdir", self.folder, *arguments],
            cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=300)
        self.assertEqual(process.returncode, status, process.stdout)
        self.assertNotIn("INTERNALERROR", process.stdout)
        return process.stdout

    def outcomes(self, output):
        found = re.findall(r"(\d+) (passed|failed|errors?|xfailed)",
                           output.splitlines()[-1])
        return {word: int(number) for number, word in found}

    def figures(self, *arguments, status=0, **variables):
        """Return the figures of all tests that passed, to the byte."""
        self.run_pytest("--memory-save-baseline", "figures.json", *arguments,
                        status=status, **variables)
        return json.loads((self.folder / "figures.json").read_text())["tests"]

    # Figures

    def test_figures_are_the_bytes_that_were_asked_for(self):
        self.write("test_a.py", """
            kept = []
            def block(size):
                return b"x" * size
            def test_warm():
                pass
            def test_nothing():
                pass
            def test_peak():
                block(1_000_000)
            def test_leak():
                global kept
                kept = block(5000)
            def test_both(tmp_path):
                global kept
                kept = block(6000)
                block(1_000_000)
        """)
        found = self.figures()
        nothing = found["test_a.py::test_nothing"]
        self.assertEqual(nothing["leaked"], 0)
        # What it takes to call a test function.
        self.assertLess(nothing["peak"], 1024)
        peak = found["test_a.py::test_peak"]
        self.assertEqual(peak["leaked"], 0)
        self.assertIn(peak["peak"] - HEAD - 1_000_000,
                      range(nothing["peak"] + 1))
        self.assertEqual(found["test_a.py::test_leak"]["leaked"],
                         HEAD + 5000)
        # A new one takes the place of the old, which was traced by another
        # test and is nobody's by now.
        self.assertEqual(found["test_a.py::test_both"]["leaked"], HEAD + 6000)

    def test_figures_are_the_same_whenever_and_wherever(self):
        self.write("test_a.py", TESTS)
        self.write("test_b.py", TESTS)
        runs = [self.figures(status=1),
                self.figures("-n", "2", status=1),
                self.figures("test_b.py", "test_a.py", status=1),
                self.figures("test_a.py::test_peak", PYTHONHASHSEED="1")]
        self.assertEqual(len(runs[0]), 6)
        for other in runs[1:]:
            self.assertEqual(
                {name: figures["peak"] for name, figures in other.items()},
                {name: figures["peak"] for name, figures in runs[0].items()})
        # The first test of a process may fill a cache of pytest's own.
        self.assertEqual(runs[0]["test_b.py::test_peak"]["leaked"], 0)

    def test_fixtures_are_not_the_test(self):
        self.write("test_a.py", """
            import pytest
            def block(size):
                return b"x" * size
            @pytest.fixture
            def large():
                block(3_000_000)
                yield [block(1_000_000)]
                block(4_000_000)
            def test_warm(large):
                pass
            def test_uses(large):
                pass
            def test_frees(large):
                large.clear()
        """)
        found = self.figures()
        uses = found["test_a.py::test_uses"]
        self.assertEqual(uses["leaked"], 0)
        self.assertLess(uses["peak"], 1024)
        frees = found["test_a.py::test_frees"]["leaked"]
        self.assertLess(frees, -1_000_000)

    def test_garbage_is_no_leak(self):
        self.write("test_a.py", """
            import gc, pytest
            class Node: pass
            @pytest.mark.limit_leaks("0")
            def test_cycles():
                for _ in range(50):
                    node = Node()
                    node.self, node.data = node, bytes(1000)
            @pytest.mark.limit_leaks("0")
            def test_old_cycles():
                node = Node()
                node.self, node.data = node, bytes(1000)
                gc.collect()
        """)
        self.run_pytest()

    def test_unittest_and_asyncio_are_measured(self):
        self.write("test_a.py", """
            import asyncio, unittest, pytest
            class Tests(unittest.TestCase):
                @pytest.mark.limit_memory("1 MB")
                def test_u(self):
                    b"x" * int(2e6)
                @pytest.mark.limit_memory("1 MB")
                def test_fails(self):
                    b"x" * int(2e6)
                    self.fail("by itself")
            @pytest.mark.asyncio
            @pytest.mark.limit_memory("1 MB")
            async def test_a():
                await asyncio.sleep(0)
                b"x" * int(2e6)
            @pytest.mark.asyncio
            @pytest.mark.limit_leaks("0", warmups=2)
            async def test_w():
                await asyncio.sleep(0)
        """)
        output = self.run_pytest(status=1)
        self.assertEqual(self.outcomes(output), {"failed": 3, "passed": 1})
        self.assertIn("test_u - TooMuchMemory: peaked at 1955 KiB", output)
        self.assertIn("test_fails - AssertionError: by itself", output)
        self.assertRegex(output, "test_a - TooMuchMemory: peaked at 19.. KiB")

    # Limits

    def test_limits_fail_tests_and_name_the_lines(self):
        self.write("test_a.py", TESTS)
        output = self.run_pytest(status=1)
        self.assertEqual(self.outcomes(output), {"failed": 2, "passed": 3})
        self.assertIn("test_too_much - TooMuchMemory: peaked at 28.6 MiB, "
                      "limit 24.0 MiB", output)
        self.assertIn("test_leak - TooMuchMemory: leaked 10.", output)
        size = TESTS[:TESTS.index("    return b")].count("\n") + 1
        caller = TESTS[:TESTS.index("[block(1_000_000)")].count("\n") + 1
        self.assertRegex(output, r"28\.6 MiB +30  test_a\.py:"
                         rf"{size} block\(\)")
        self.assertRegex(output, rf"test_a\.py:{size} block\(\)\n +return "
                         rf"b.*\n +called from test_a\.py:{caller} "
                         r"test_too_much\(\)")
        self.assertNotIn("tracemalloc/pytest.py", output)
        self.assertNotIn("memory of tests", output)

    def test_a_leak_that_a_first_run_explains_is_none(self):
        self.write("test_a.py", """
            import functools, pytest
            @functools.cache
            def cached(n):
                return b"x" * n
            @pytest.mark.limit_leaks("1 KB", warmups=1)
            def test_warm():
                cached(5000)
            @pytest.mark.limit_leaks("1 KB")
            def test_cold():
                cached(6000)
        """)
        output = self.run_pytest(status=1)
        self.assertEqual(self.outcomes(output), {"failed": 1, "passed": 1})
        self.assertIn("FAILED test_a.py::test_cold", output)

    def test_markers_of_classes_and_strict_markers(self):
        self.write("test_a.py", """
            import pytest
            @pytest.mark.limit_memory("1 KB")
            class TestAll:
                def test_one(self):
                    b"x" * int(1e4)
                @pytest.mark.limit_memory("1 MB")
                def test_nearer(self):
                    b"x" * int(1e4)
            @pytest.mark.xfail(strict=True)
            @pytest.mark.limit_memory("1 KB")
            def test_expected():
                b"x" * int(1e4)
        """)
        output = self.run_pytest("--strict-markers", status=1)
        self.assertEqual(self.outcomes(output),
                         {"failed": 1, "passed": 1, "xfailed": 1})
        self.assertIn("limit_leaks(size, warmups=0)",
                      self.run_pytest("--markers"))

    def test_wrong_markers_are_errors_of_their_tests(self):
        self.write("test_a.py", """
            import pytest
            @pytest.mark.limit_memory(100)
            def test_number(): pass
            @pytest.mark.limit_leaks("1 XB")
            def test_unit(): pass
            def test_good(): pass
        """)
        output = self.run_pytest(status=1)
        self.assertEqual(self.outcomes(output), {"passed": 1, "errors": 2})
        self.assertIn('limit_memory takes a size: limit_memory("24 MB")',
                      output)
        self.assertIn("limit_leaks: '1 XB' is no size", output)
        self.assertNotIn("Traceback", output)

    # Tracing

    def test_tracing_is_on_for_measured_tests_only(self):
        self.write("test_a.py", """
            import pytest, tracemalloc
            @pytest.fixture(autouse=True)
            def around():
                before = tracemalloc.is_tracing()
                yield
                assert tracemalloc.is_tracing() == before
            def test_before():
                assert not tracemalloc.is_tracing()
            @pytest.mark.limit_memory("1 MB")
            def test_marked():
                assert tracemalloc.is_tracing()
                assert tracemalloc.get_traceback_limit() == 25
            def test_after():
                assert not tracemalloc.is_tracing()
        """)
        self.run_pytest()
        self.run_pytest("-n", "2")

    def test_tracing_that_was_on_stays_on(self):
        self.write("test_a.py", """
            import pytest, tracemalloc
            @pytest.mark.limit_leaks("1 KB", warmups=1)
            def test_marked():
                assert tracemalloc.get_traceback_limit() == 3
            def test_after():
                assert tracemalloc.is_tracing()
        """)
        self.run_pytest(PYTHONTRACEMALLOC="3")

    def test_a_test_that_stops_tracing_is_told_and_harms_no_other(self):
        self.write("test_a.py", """
            import pytest, tracemalloc
            def test_stop():
                tracemalloc.stop()
            @pytest.mark.limit_memory("1 MB")
            def test_limited_stop():
                tracemalloc.stop()
            @pytest.mark.limit_memory("1 KB")
            def test_after():
                b"x" * int(1e4)
            def test_clear():
                tracemalloc.clear_traces()
        """)
        output = self.run_pytest("--memory", status=1)
        self.assertEqual(self.outcomes(output), {"failed": 2, "passed": 2})
        self.assertIn("test_a.py::test_stop: no figures, tracing was stopped",
                      output)
        self.assertIn("test_a.py::test_clear: no figures, traces were cleared",
                      output)
        self.assertIn("test_limited_stop - TooMuchMemory: the memory of the "
                      "test cannot be told", output)

    def test_samples_are_refused(self):
        self.write("test_a.py", TESTS)
        output = self.run_pytest("-k", "within", status=1,
                                 PYTHONTRACEMALLOC="1,sample=512KiB")
        self.assertIn("samples are taken, which tell no exact figures",
                      output)

    # Reports

    def test_the_list_of_tests(self):
        self.write("test_a.py", TESTS + dedent("""
            @pytest.mark.parametrize("text", ["\\x1b[31m", "\\u202e"])
            def test_names(text):
                pass
        """))
        for arguments in (), ("-n", "2"):
            with self.subTest(arguments=arguments):
                output = self.run_pytest("--memory", "--memory-top=2",
                                         *arguments, status=1)
                report = output.partition("memory of tests")[2]
                self.assertRegex(
                    report, r"(?s)2 of 7 tests that peaked most\n"
                    r" *peak +leaked +test\n"
                    r"28\.6 MiB +0 B  test_a\.py::test_too_much\n"
                    r" *977 KiB +0 B  test_a\.py::test_peak\n")
                self.assertRegex(
                    report, r"1 of 7 tests that leaked most\n"
                    r" *leaked +peak +test\n"
                    r" *10\.\d KiB +10\.\d KiB  test_a\.py::test_leak\n"
                    if not arguments else r"that leaked most\n")
                self.assertNotIn("\x1b", output)
        output = self.run_pytest("--memory", "--memory-top=0", "-k",
                                 "nothing or peak")
        self.assertIn("2 tests by what they peaked", output)

    # Baselines

    def test_growth_fails(self):
        body = """
            kept = []
            def test_one():
                global kept
                kept = b"x" * int({leak})
                b"x" * int({peak})
            def test_two():
                pass
        """
        self.write("test_a.py", body.format(leak=1e5, peak=1e6))
        output = self.run_pytest("--memory-save-baseline", "base.json")
        self.assertIn("baseline: 2 tests written\n", output)
        base = self.folder / "base.json"
        written = base.read_bytes()
        same = self.run_pytest("--memory-baseline", "base.json",
                               "--memory-tolerance=0")
        self.assertIn("baseline: 2 tests compared, nothing more allowed\n",
                      same)
        self.write("test_a.py", body.format(leak=1e5, peak=1.04e6))
        self.run_pytest("--memory-baseline", "base.json")
        self.write("test_a.py", body.format(leak=2e5, peak=2e6))
        for arguments in (), ("-n", "1"):
            output = self.run_pytest("--memory-baseline", "base.json",
                                     *arguments, status=1)
            self.assertEqual(self.outcomes(output),
                             {"failed": 1, "passed": 1})
            self.assertRegex(output, r"peaked at 2149 KiB, baseline 107. KiB")
            self.assertRegex(output, r"leaked 195 KiB, baseline 97\.7 KiB")
            self.assertIn("the tolerance is 5% or 4096 B", output)
        self.assertEqual(base.read_bytes(), written)
        self.write("test_a.py", body.format(leak=10, peak=10))
        self.write("test_b.py", "def test_new(): pass")
        output = self.run_pytest("--memory-baseline", "base.json")
        self.assertIn("2 tests compared, 5% or 4096 B more allowed; "
                      "1 not in it; 1 take less now\n", output)

    def test_names_of_a_baseline_that_no_encoding_has(self):
        # As of a test in a file whose name cannot be decoded.
        self.write("test_a.py", "def test_a(): pass")
        self.run_pytest("--memory-save-baseline", "base.json")
        path = self.folder / "base.json"
        path.write_text(path.read_text().replace(
            '"tests": {', '"tests": {"b\\udcff.py::b": {"peak": 5},'))
        for arguments in (), ("-n", "1"):
            output = self.run_pytest("--memory-baseline", "base.json",
                                     *arguments)
            self.assertIn("baseline: 1 test compared", output)

    def test_writing_keeps_other_tests_and_leaves_out_failures(self):
        self.write("test_a.py", "def test_a(): pass")
        self.write("test_b.py", "def test_b(): pass\n"
                                "def test_f(): assert False")
        self.run_pytest("--memory-save-baseline", "base.json", "test_a.py")
        output = self.run_pytest("--memory-save-baseline", "base.json",
                                 "test_b.py", status=1)
        self.assertIn("baseline: 1 test written, 1 kept\n", output)
        tests = json.loads((self.folder / "base.json").read_text())["tests"]
        self.assertEqual(list(tests), ["test_a.py::test_a",
                                       "test_b.py::test_b"])

    def test_a_run_that_is_broken_off_writes_nothing(self):
        self.write("test_a.py", "def test_a(): pass\n"
                                "def test_b(): raise KeyboardInterrupt")
        output = self.run_pytest("--memory-save-baseline", "base.json",
                                 status=2)
        self.assertIn("the baseline is not written", output)
        self.assertFalse((self.folder / "base.json").exists())

    def test_unusable_files_and_options_are_one_line(self):
        self.write("test_a.py", "def test_a(): pass")
        self.write("bad.json", "{}")
        for arguments, text in (
                (["--memory-baseline", "none.json"],
                 "none.json: No such file or directory; "
                 "--memory-save-baseline writes one"),
                (["--memory-baseline", "bad.json"],
                 'bad.json: has no "format"'),
                (["--memory-save-baseline", "bad.json"],
                 'bad.json: has no "format"'),
                (["--memory-save-baseline", "none/base.json"],
                 "there is no such folder"),
                (["--memory-baseline", "."], "Is a directory"),
                (["--memory-tolerance", "-1"], "no tolerance"),
                (["--memory-top", "x"], "'x' is no number"),
                (["--memory-frames", "0"], "no number from 1 to")):
            with self.subTest(arguments=arguments):
                output = self.run_pytest(*arguments, status=4).strip()
                self.assertTrue(output.startswith("ERROR: --memory-"), output)
                self.assertIn(text, output)
                self.assertEqual(len(output.splitlines()), 1, output)
        self.assertEqual((self.folder / "bad.json").read_text(), "{}")

    def test_the_plugin_may_be_named_by_the_project(self):
        self.write("test_a.py", TESTS)
        self.write("pytest.ini", "[pytest]\naddopts = -p tracemalloc.pytest")
        output = self.run_pytest("--memory", "-n", "2", plugin=False,
                                 status=1)
        self.assertIn("5 tests by what they peaked", output)

    def test_the_manual_shows_what_is_printed(self):
        page = (DOC / "using" / "pytest.rst").read_text(encoding="utf-8")
        example = DOC / "examples" / "limits" / "test_basket.py"
        self.write("test_basket.py", example.read_text(encoding="utf-8"))
        _, _, shown = page.partition("    $ python3.13 -m pytest ")
        command, _, shown = shown.partition("\n")
        shown = dedent(shown[:re.search(r"\n(?=\S)", shown).start()])
        output = self.run_pytest(*command.replace(
            "-p tracemalloc.pytest", "-p no:asyncio -p no:xdist").split(),
            status=1, COLUMNS="80")
        self.assertEqual(without_numbers(output), without_numbers(shown))


if __name__ == "__main__":
    unittest.main()
