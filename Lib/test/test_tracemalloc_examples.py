"""The programs of Doc/examples and Tools/demo run and print what they promise.

Rows E01 to E12 and T01 to T13 of the requirements.  TRACEMALLOC_SOURCE names
the folder that has Doc and Tools in it.
"""
import importlib.util
import io
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import tracemalloc
import unittest
from test import support

SOURCE = os.environ.get("TRACEMALLOC_SOURCE")

SIZE = r"-?\d+(?:\.\d)? (?:B|KiB|MiB)"
CHANGE = r"[+-]\d+(?:\.\d)? (?:B|KiB|MiB)"
STATISTIC = re.compile(rf"(.+):(\d+): size={SIZE}, count=(\d+), "
                       rf"average={SIZE}")
DIFFERENCE = re.compile(
    rf"(.+):(\d+): size={SIZE} \(({CHANGE})\), count=(\d+) \(([+-]\d+)\)"
    rf"(?:, average={SIZE})?")


@unittest.skipUnless(SOURCE,
                     "TRACEMALLOC_SOURCE does not name the source folder")
class ProgramTests(unittest.TestCase):
    """Base: runs programs of the source folder."""

    def path(self, *parts):
        return os.path.join(SOURCE, *parts)

    def start(self, path, *arguments, **variables):
        env = {name: value for name, value in os.environ.items()
               if name not in ("PYTHONTRACEMALLOC", "PYTHONWARNINGS")}
        env.update(variables)
        return subprocess.run([sys.executable, path, *arguments], env=env,
                              capture_output=True, text=True,
                              timeout=support.LONG_TIMEOUT)

    def run_program(self, path, *arguments, **variables):
        process = self.start(path, *arguments, **variables)
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        return process.stdout.splitlines()

    def match(self, pattern, line):
        found = re.fullmatch(pattern, line)
        self.assertIsNotNone(found, f"{line!r} is not like {pattern}")
        return found

    def line_of(self, path, text):
        """Return the number of the only line of a file that
        begins with *text*.
        """
        with open(path, encoding="utf-8") as stream:
            found = [number for number, line in enumerate(stream, 1)
                     if line.lstrip().startswith(text)]
        self.assertEqual(len(found), 1, text)
        return found[0]


class ExampleTests(ProgramTests):

    def example(self, name, *arguments):
        return self.run_program(self.path("Doc", "examples", name), *arguments)

    def test_E01_top_ten(self):
        title, *rows = self.example("top10.py")
        self.assertEqual(title, "[ Top 10 ]")
        self.assertEqual(len(rows), 10)
        for row in rows:
            self.match(STATISTIC, row)

    def test_E02_differences(self):
        title, *rows = self.example("differences.py")
        self.assertEqual(title, "[ Top 10 differences ]")
        self.assertTrue(1 <= len(rows) <= 10)
        for row in rows:
            self.match(DIFFERENCE, row)
        # The leak that was planted comes first.
        first = self.match(DIFFERENCE, rows[0])
        self.assertTrue(first[1].endswith("textwrap.py"))
        self.assertEqual(first[5], "+900")

    def test_E03_biggest_traceback(self):
        title, *rows = self.example("biggest_traceback.py")
        self.match(r"[1-9]\d* memory blocks: \d+\.\d KiB", title)
        frames = [row for row in rows if row.startswith('  File "')]
        self.assertTrue(1 < len(frames) <= 25)
        for row in rows:
            self.match(r'  File ".+", line \d+|    \S.*', row)

    def load(self, name):
        spec = importlib.util.spec_from_file_location(
            name, self.path("Doc", "examples", name + ".py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def test_E04_pretty_top(self):
        title, *rows = self.example("pretty_top.py")
        self.assertEqual(title, "Top 10 lines")
        *rows, other, total = rows
        self.match(r"\d+ other: \d+\.\d KiB", other)
        self.match(r"Total allocated size: \d+\.\d KiB", total)
        ranks = [row for row in rows if row.startswith("#")]
        self.assertEqual(len(ranks), 10)
        for rank, row in enumerate(ranks, 1):
            self.match(rf"#{rank}: [^:]+:\d+: \d+\.\d KiB", row)

    def test_E04_pretty_top_shortens_file_names_and_adds_up(self):
        snapshot = tracemalloc.Snapshot([
            (0, 1024 * (number + 1),
             ((f"/long/path/to/file{number}.py", number),), 1)
            for number in range(12)], 1)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.load("pretty_top").display_top(snapshot)
        lines = output.getvalue().splitlines()
        self.assertEqual(lines[:2],
                         ["Top 10 lines", "#1: to/file11.py:11: 12.0 KiB"])
        self.assertEqual(lines[-3:],
                         ["#10: to/file2.py:2: 3.0 KiB", "2 other: 3.0 KiB",
                          "Total allocated size: 78.0 KiB"])

    def test_E05_pretty_top_takes_its_arguments_by_position(self):
        snapshot = tracemalloc.Snapshot([(0, 2048, (("a/b.py", 5),), 1)], 1)
        module = self.load("pretty_top")
        for arguments in ("filename", 3), ("lineno", 3):
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                module.display_top(snapshot, *arguments)
            line = 0 if arguments[0] == "filename" else 5
            self.assertEqual(output.getvalue(),
                             f"Top 3 lines\n#1: a/b.py:{line}: 2.0 KiB\n"
                             "Total allocated size: 2.0 KiB\n")
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            module.display_top(snapshot, key_type="lineno", limit=1)
        self.assertIn("#1: a/b.py:5", output.getvalue())

    def test_E06_pretty_top_leaves_out_the_import_system_and_the_unknown(self):
        snapshot = tracemalloc.Snapshot([
            (0, 9999, (("<frozen importlib._bootstrap>", 5),), 1),
            (0, 9999, (("<unknown>", 0),), 1),
            (0, 1024, (("a/b.py", 5),), 1)], 1)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.load("pretty_top").display_top(snapshot)
        self.assertEqual(output.getvalue().splitlines()[1:], [
            "#1: a/b.py:5: 1.0 KiB", "Total allocated size: 1.0 KiB"])

    def test_E07_with_one_frame_first_and_last_are_the_same(self):
        snapshot = tracemalloc.Snapshot(
            [(0, 1, (("a.py", 5), ("b.py", 6)), 2)], 2)
        for key in "lineno", "filename":
            (statistic,) = snapshot.statistics(key)
            self.assertEqual(statistic.traceback[0], statistic.traceback[-1])
        (statistic,) = snapshot.statistics("traceback")
        self.assertEqual(str(statistic.traceback[-1]), "a.py:5")

    def test_E08_pretty_top_shows_source_lines(self):
        rows = self.example("pretty_top.py")
        sources = [row for row in rows if row.startswith("    ")]
        self.assertIn("    squares = {number: number * number for number in "
                      "range(20000)}", sources)

    def check_files(self, folder, rows, count):
        names = sorted(os.listdir(folder))
        self.assertEqual(len(names), count)
        processes = set()
        for number, name in enumerate(names, 1):
            processes.add(
                self.match(rf"tracemalloc-(\d+)-{number:04}\.pickle", name)[1])
            path = os.path.join(folder, name)
            self.assertEqual(rows[2 * number - 2:2 * number],
                             [f"Write snapshot into {path}...",
                              f"Snapshot written into {path}"])
            with open(path, "rb") as stream:
                self.assertEqual(stream.read(2), b"\x80\x02")
            snapshot = tracemalloc.Snapshot.load(path)
            self.assertEqual(snapshot.traceback_limit, 25)
            # As many are there before the program does anything.
            self.assertGreater(len(snapshot.traces), 10)
        self.assertEqual(len(processes), 1)

    def test_E09_thread_writes_numbered_snapshots(self):
        with tempfile.TemporaryDirectory() as folder:
            rows = self.example("snapshot_thread.py", "--period", "0.05",
                                "--folder", folder, "--count", "2")
            self.check_files(folder, rows, 2)

    def test_E09_thread_is_a_daemon_that_leaves_signals_to_others(self):
        module = self.load("snapshot_thread")
        with tempfile.TemporaryDirectory() as folder:
            thread = module.SnapshotThread(folder, 0.01, 1)
            self.assertTrue(thread.daemon)
            self.assertEqual(module.SnapshotThread(folder).period, 60)
            blocked = []
            thread.write = lambda number: blocked.append(
                signal.pthread_sigmask(signal.SIG_BLOCK, []))
            thread.start()
            thread.join()
        self.assertIn(signal.SIGINT, blocked[0])
        self.assertIn(signal.SIGUSR1, blocked[0])
        self.assertNotIn(signal.SIGINT,
                         signal.pthread_sigmask(signal.SIG_BLOCK, []))

    def test_E09_wrong_use_of_the_thread_example(self):
        path = self.path("Doc", "examples", "snapshot_thread.py")
        self.assertEqual(self.start(path, "--period", "0").returncode, 2)
        process = self.start(path, "--folder", "/no/such/folder")
        self.assertEqual((process.returncode, process.stdout), (1, ""))
        self.assertEqual(
            process.stderr,
            "snapshot_thread.py: /no/such/folder: no such folder\n")

    def test_E10_snapshots_are_compared_offline(self):
        with tempfile.TemporaryDirectory() as folder:
            rows = self.example("offline.py", "record", folder)
            files = [os.path.join(folder, name)
                     for name in ("first.pickle", "second.pickle")]
            self.assertEqual([row.rpartition(" ")[2] for row in rows], files)
            title, *rows = self.example("offline.py", "compare", *files)
        self.assertEqual(title, "[ Top 10 differences ]")
        first = self.match(DIFFERENCE, rows[0])
        self.assertTrue(first[3].startswith("+"))
        process = self.start(self.path("Doc", "examples", "offline.py"))
        self.assertEqual(process.returncode, 2)
        self.assertEqual(process.stderr.count("\n"), 1)

    def test_E11_peak(self):
        first, second = self.example("peak.py")
        first = self.match(r"first_size=(\d+), first_peak=(\d+)", first)
        second = self.match(r"second_size=(\d+), second_peak=(\d+)", second)
        self.assertGreater(int(first[2]), 2_000_000)
        self.assertLess(int(first[1]), 10_000)
        self.assertLess(int(second[2]), 100_000)
        self.assertGreaterEqual(int(second[2]), int(second[1]))

    def test_E12_formatted_traceback(self):
        path = self.path("Doc", "examples", "format_traceback.py")
        made = self.line_of(path, "return Object()")
        called = self.line_of(path, "traceback = ")
        self.assertEqual(self.example("format_traceback.py"), [
            "Traceback (most recent call first):",
            f'  File "{path}", line {made}', "    return Object()",
            f'  File "{path}", line {called}',
            "    traceback = tracemalloc.get_object_traceback(f())"])


    def test_region(self):
        rows = self.example("region.py")
        at_once = self.match(
            r"join_at_once: allocated (.*) \(1 block\), freed 0 B \(0 "
            r"blocks\), kept (.*) \(1 block\), peak (.*)", rows[0])
        by_and_by = self.match(
            r"join_by_and_by: allocated \d+ MiB \((\d+) blocks\), freed \d+ "
            r"MiB \((\d+) blocks\), kept (.*) \(1 block\), peak .* KiB",
            rows[2])
        self.assertEqual({at_once[1], at_once[2], at_once[3]}, {by_and_by[3]})
        self.assertEqual(int(by_and_by[1]), int(by_and_by[2]) + 1)
        line = self.line_of(self.path("Doc", "examples", "region.py"),
                            "lines.append(")
        self.match(rf"    line {line}: (\d+) blocks, \1 freed", rows[3])

    def test_at_peak(self):
        totals, *rows = self.example("at_peak.py")
        now, peak = self.match(r"(\d+) KiB now, (\d+) KiB at the peak",
                               totals).groups()
        self.assertLess(int(now) * 100, int(peak))
        sizes = [int(self.match(rf"{name}: (\d+) KiB", row)[1])
                 for name, row in zip(("index", "load"), rows, strict=True)]
        self.assertLessEqual(abs(sum(sizes) - int(peak)), int(peak) // 100)

    def test_shop(self):
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.run(
                [sys.executable, "-X", "tracemalloc=25",
                 self.path("Doc", "examples", "shop.py"), "2"],
                cwd=folder, capture_output=True, text=True,
                timeout=support.LONG_TIMEOUT)
            self.assertEqual(
                (process.returncode, process.stdout, process.stderr),
                (0, "2 rounds of 40 visitors\n", ""))
            old, new = (tracemalloc.Snapshot.load(
                os.path.join(folder, f"shop-{number}.tmz"))
                for number in (1, 2))
        grown, *_ = new.compare_to(old, "function", cumulative=True)
        self.assertGreater(grown.count_diff, 40 * 200)
        functions = {diff.traceback[0].function: diff.count_diff for diff
                     in new.compare_to(old, "function", cumulative=True)}
        self.assertGreater(functions["Shop.cart"], 40 * 200)
        self.assertLess(functions.get("Shop.help", 0), 10)

    def check_accounts(self, name):
        rows = [self.match(rf"(.+): holds ({SIZE}) .*", row)
                for row in self.example(name, "30")]
        held = {row[1]: row[2] for row in rows}
        self.assertEqual(held.keys(), {
            "no account", "route /cart", "route /stock", "other routes"})
        # Ten of 100,000 bytes, and small things.
        self.assertIn(held["route /cart"].split(".")[0].split()[0],
                      map(str, range(977, 990)))
        for route in "route /stock", "other routes":
            self.match(r"\d+(\.\d)? (B|KiB)", held[route])

    def test_accounts_of_a_wsgi_application(self):
        self.check_accounts("account_wsgi.py")

    def test_accounts_of_an_asgi_application(self):
        self.check_accounts("account_asgi.py")

    def test_watch(self):
        row, = self.example("watch.py")
        size = sys.getsizeof(bytes(1000))
        total = round(2000 * size / 1024)
        self.match(rf"{re.escape(self.path('Doc', 'examples', 'watch.py'))}:"
                   rf"main\.<locals>\.<genexpr>: size={total} KiB "
                   rf"\(\+{total} KiB\), count=2000 \(\+2000\), "
                   rf"average={size} B", row)


class TutorialTests(ProgramTests):

    OFF_ERROR = "the tracemalloc module must be tracing memory "
    OFF_ERROR += "allocations to take a snapshot"

    def script(self, number):
        return self.path("Doc", "examples", "tutorial", f"ex{number}.py")

    def tutorial(self, number, *arguments, **variables):
        return self.run_program(self.script(number), *arguments, **variables)

    def lines(self, number, *names):
        """Return the numbers of the lines that assign to *names*."""
        return [self.line_of(self.script(number), name + " =")
                for name in names]

    def own(self, number, rows, pattern=STATISTIC):
        """Return the (line, count) of the rows about the script itself."""
        found = [self.match(pattern, row) for row in rows]
        return [(int(each[2]), int(each[4 if pattern is DIFFERENCE else 3]))
                for each in found if each[1] == self.script(number)]

    def test_T01_T02_three_lists_are_sorted_by_size(self):
        rows = self.tutorial(1)
        own = self.own(1, rows)
        self.assertEqual(sorted(line for line, count in own),
                         sorted(self.lines(1, "numbers", "squares", "cubes")))
        self.assertEqual([line for line, count in own],
                         self.lines(1, "cubes", "squares", "numbers"))
        for line, count in own:
            self.assertTrue(9700 < count < 10000, count)

    # A stand-in for numpy: what the examples use of it, and nothing else.
    # The real one is tried where it is installed.
    STAND_IN = (
        "import _testcapi\n"
        "class Array(list):\n"
        "    pass\n"
        "class random:\n"
        "    @staticmethod\n"
        "    def randint(low, high, shape):\n"
        "        array = Array([low])\n"
        "        _testcapi.tracemalloc_track(389047, 4096, 8 * shape[0])\n"
        "        return array\n")

    def numpy(self, number):
        """Run a script with numpy, and with the stand-in for it."""
        outputs = []
        if importlib.util.find_spec("numpy"):
            outputs.append(self.tutorial(number))
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "numpy.py"), "w",
                      encoding="utf-8") as stream:
                stream.write(self.STAND_IN)
            path = os.pathsep.join(
                filter(None, [folder, os.environ.get("PYTHONPATH")]))
            outputs.append(self.tutorial(number, PYTHONPATH=path))
        return outputs

    def test_T03_T12_useful_methods(self):
        for rows in self.numpy(2):
            end = rows.index("=========== USEFUL METHODS ===========")
            self.assertEqual(rows[0], "========== SNAPSHOT =============")
            block = rows[1:end - 1]
            for statistic, traceback in zip(block[::2], block[1::2]):
                self.match(STATISTIC, statistic)
                self.match(r"\['  File \".+\", line \d+'.*\]|\[\"  File .*\]",
                           traceback)
            self.assertIn("    cubes = [n * n * n for n in range(10000)]",
                          "\n".join(block))
            rest = [row for row in rows[end + 1:] if row]
            self.assertEqual(rest[0], "Traceback Limit :  25  Frames")
            self.match(r"Allocation Location for Array :  .+:\d+", rest[1])
            memory = self.match(
                r"Traced Memory \(Current, Peak\):  \((\d+), (\d+)\)", rest[2])
            self.assertGreaterEqual(int(memory[2]), int(memory[1]))
            own = self.match(
                r"Memory Usage by tracemalloc Module :  (\d+)  bytes", rest[3])
            self.assertGreater(int(own[1]), 0)
            self.assertEqual(rest[4:], ["Tracing Status :  True"])

    def test_T04_examples_say_so_if_numpy_is_missing(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "numpy.py"), "w",
                      encoding="utf-8") as stream:
                stream.write("raise ImportError\n")
            path = os.pathsep.join(
                filter(None, [folder, os.environ.get("PYTHONPATH")]))
            for number in 2, 5:
                process = self.start(self.script(number), PYTHONPATH=path)
                self.assertEqual((process.returncode, process.stdout), (1, ""))
                self.match(rf"ex{number}\.py: this example needs numpy .*\n",
                           process.stderr)

    def test_T05_clear_traces_and_stop(self):
        rows = self.tutorial(3)
        titles = [
            rows.index(f"================ SNAPSHOT {number} =================")
            for number in (1, 2, 3)]
        end = next(index for index, row in enumerate(rows)
                   if row.startswith("The first snapshot still has"))
        bounds = [*titles, end]
        shown = [[line for line, count in self.own(3, [
                    row for row in rows[start + 1:stop] if row])]
                 for start, stop in zip(bounds, bounds[1:])]
        numbers, squares, cubes, fourth, doubles = self.lines(
            3, "numbers", "squares", "cubes", "fourth", "doubles")
        self.assertEqual(shown[0][:3], [numbers, cubes, squares])
        self.assertEqual(shown[1][:4], [numbers, fourth, cubes, squares])
        self.assertEqual(shown[2], [doubles])
        self.assertGreater(int(rows[end].split()[-2]), 1_000_000)
        self.assertEqual([row for row in rows[end + 1:] if row], [
            "Tracing Status :  True", "Tracing Status :  False",
            "Trying to Take Snapshot After Tracing is Stopped.",
            "Exception :  " + self.OFF_ERROR])

    def test_T06_a_loaded_snapshot_has_the_same_statistics(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "snap.out")
            rows = self.tutorial(4, path)
            snapshot = tracemalloc.Snapshot.load(path)
        middle = rows.index("Loaded Snapshot From File :")
        self.assertEqual(rows[:middle - 1], rows[middle + 1:])
        self.assertEqual(rows[:middle - 1],
                         [str(each) for each in snapshot.statistics("lineno")])

    def test_T07_filters(self):
        for rows in self.numpy(5):
            parts = {}
            for row in filter(None, rows):
                if row.startswith("="):
                    part = parts.setdefault(row.strip("= "), [])
                else:
                    part.append(row)
            self.assertEqual(list(parts), ["Original Snapshot"] + [
                f"Filtered Snapshot {number}" for number in (1, 2, 3, 4)])
            original, python, foreign, own, other = parts.values()
            self.assertTrue(original and python and own)
            # The array of a thousand numbers of eight bytes.
            self.assertEqual(len(foreign), 1)
            self.assertIn("size=8000 B, count=1, average=8000 B", foreign[0])
            names = [{self.match(STATISTIC, row)[1] for row in part}
                     for part in (own, other)]
            self.assertEqual(names[0], {self.script(5)})
            self.assertNotIn(self.script(5), names[1])
            self.assertEqual(sorted(original), sorted(own + other))

    def test_T08_K15_a_bare_script_name_matches_no_absolute_path(self):
        snapshot = tracemalloc.Snapshot([(0, 1, ((self.script(8), 5),), 1)], 1)
        for pattern, expected in ("ex8.py", 0), ("*ex8.py", 1):
            kept = snapshot.filter_traces([tracemalloc.Filter(True, pattern)])
            self.assertEqual(len(kept.traces), expected)

    def comparison(self, number):
        """Return the rows of SNAPSHOT 1, SNAPSHOT 2 and DIFFERENCE."""
        rows = self.tutorial(number)
        first, second, third = map(
            rows.index, ("SNAPSHOT - 1", "SNAPSHOT - 2", "DIFFERENCE"))
        return (rows[first + 1:second - 1], rows[second + 1:third - 1],
                rows[third + 1:])

    def check_comparison(self, number, differences):
        new = self.lines(number, "fifth", "fourth")
        unchanged = self.lines(number, "cubes", "squares", "numbers")
        own = [line for line, count in self.own(number, differences,
                                                DIFFERENCE)]
        self.assertEqual(own[:2], new)
        self.assertEqual([line for line in own if line in unchanged],
                         unchanged)
        for row in differences[-3:]:
            self.assertRegex(row, r"\(\+0 B\), count=\d+ \(\+0\)")

    def test_T09_new_lines_come_first_and_unchanged_ones_last(self):
        first, second, differences = self.comparison(6)
        self.assertEqual(len(self.own(6, first)), 3)
        self.assertGreaterEqual(len(self.own(6, second)), 5)
        self.check_comparison(6, differences)

    def test_T10_lines_of_the_module_are_left_out(self):
        first, second, differences = self.comparison(7)
        self.check_comparison(7, differences)
        for row in second + differences:
            self.assertNotIn(tracemalloc.__file__, row)

    def test_T11_lines_of_the_script_only(self):
        first, second, differences = self.comparison(8)
        self.check_comparison(8, differences)
        for row in second + differences:
            self.assertTrue(row.startswith(self.script(8)), row)

    def test_T13_shapes_of_all_outputs(self):
        for number in 1, 4, 6, 7, 8:
            for row in self.tutorial(number):
                if row.startswith(("/", "<")):
                    self.assertTrue(STATISTIC.fullmatch(row)
                                    or DIFFERENCE.fullmatch(row), row)


class DemoTests(ProgramTests):
    """Tools/demo/stdlib_index.py, on a few modules."""

    def demo(self, *arguments, **variables):
        return self.start(self.path("Tools", "demo", "stdlib_index.py"),
                          *arguments, **variables)

    def test_report(self):
        with tempfile.TemporaryDirectory() as folder:
            figures, database = (os.path.join(folder, name)
                                 for name in ("f.json", "index.db"))
            process = self.demo("--modules", "12", "--json", figures,
                                "--database", database)
            self.assertEqual((process.returncode, process.stderr), (0, ""))
            with open(figures, encoding="utf-8") as stream:
                figures = json.load(stream)
            self.assertGreater(os.path.getsize(database), 1000)
        text = process.stdout
        for title in ("The standard library, indexed",
                      "What the index answers",
                      "The 10 lines that hold most memory",
                      "The biggest call path: ",
                      "Memory", "Time, with 25 frames per block"):
            self.assertRegex(text, rf"(?m)^{title}")
        self.assertNotIn("\033", text)
        self.assertLessEqual(max(map(len, text.splitlines())), 100)
        self.assertEqual(figures["modules"] + figures["skipped"], 12)
        self.assertGreater(figures["names"], 100)
        memory = figures["memory"]
        self.assertEqual(len(memory["top"]), 10)
        self.assertEqual(memory["frames"], 25)
        self.assertGreaterEqual(memory["peak"], memory["current"])
        self.assertGreater(memory["current"],
                           sum(row["size"] for row in memory["top"]) / 2)
        self.assertGreater(memory["tracer"], 0)
        path = memory["biggest"]["path"]
        if len(path) < 25:
            # Nothing was cut off: the path begins where the program does.
            self.assertIn("stdlib_index.py", path[0]["file"])
        self.assertEqual(len(path[0]), 3)
        for row in figures["time"].values():
            self.assertAlmostEqual(row["ratio"],
                                   row["traced"] / row["untraced"])

    def test_results_do_not_depend_on_the_run(self):
        # Times differ, the rest does not, but for sizes: small differences
        # come from the temporary folder's name.
        def answers():
            process = self.demo("--modules", "5", "--frames", "3")
            self.assertEqual(process.returncode, 0, process.stderr)
            return process.stdout.partition("\nThe 10 lines")[0]
        self.assertEqual(answers(), answers())

    def test_wrong_use_is_one_line_and_status_2(self):
        for arguments in (["--no-such"], ["--frames", "0"],
                          ["--frames", "65536"],
                          ["--modules", "x"], ["surplus"]):
            with self.subTest(arguments=arguments):
                process = self.demo(*arguments)
                self.assertEqual((process.returncode, process.stdout), (2, ""))
                self.match(r"stdlib_index\.py: .+\n", process.stderr)

    def test_work_that_cannot_be_done_is_one_line_and_status_1(self):
        with tempfile.NamedTemporaryFile() as existing:
            for arguments in (["--json", "/no/such/folder/f.json"],
                              ["--database", existing.name],
                              ["--database", os.path.dirname(existing.name)]):
                with self.subTest(arguments=arguments):
                    process = self.demo("--modules", "1", *arguments)
                    self.assertEqual((process.returncode, process.stdout),
                                     (1, ""))
                    self.match(r"stdlib_index\.py: .+\n", process.stderr)


if __name__ == "__main__":
    unittest.main()
