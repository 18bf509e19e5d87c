"""What the command line says: help, notes, units, and names of any bytes."""

import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tracemalloc
import unittest
from test import support
from test.support.os_helper import TESTFN_UNDECODABLE
from test.tracemalloc_commands import CommandTests, full_snapshot, snapshot_of
from unittest import mock

from tracemalloc import _cli
from tracemalloc._cli import run, units

COMMANDS = list(_cli.COMMANDS)


class HelpTests(CommandTests):
    def help_of(self, *command):
        with mock.patch.dict(os.environ, COLUMNS="80"):
            if command == ("run",):
                return run.HELP
            return self.call(*command, "--help")[1]

    def test_help_fits_into_80_columns(self):
        for command in (), *((name,) for name in COMMANDS):
            with self.subTest(command):
                text = self.help_of(*command)
                self.assertIn("usage: ", text)
                self.assertEqual(
                    [line for line in text.splitlines() if len(line) > 80],
                    [])

    def test_f_means_files_only(self):
        for command in COMMANDS:
            meanings = re.findall(r"(?m)^ +-f, (--\S+)", self.help_of(command))
            with self.subTest(command):
                self.assertEqual(meanings,
                                 ["--file"] if command == "show" else [])

    def test_older_spellings_work(self):
        self.write("program.py", "")
        for spelling in ["-f", "7"], ["-f7"], ["--frames=7"]:
            options, _ = run.parse([*spelling, "program.py"])
            self.assertEqual(options.frames, 7)
        self.assertEqual(self.output("export", "-f", "csv", "a.tmz"),
                         self.output("export", "--format", "csv", "a.tmz"))

    def test_rows_to_show_are_a_limit_everywhere(self):
        self.assertEqual(self.output("show", "-n1", "a.tmz"),
                         self.output("show", "--limit", "1", "a.tmz"))


class ShowTests(CommandTests):
    def test_where_call_paths_are_shown(self):
        for option in "-t", "-a":
            self.assertIn("but the commands top, tree and traceback show call "
                          "paths", self.fails(option, "full.tmz"))


class PatternTests(CommandTests):
    def notes(self, *arguments):
        status, _, err = self.call(*arguments)
        self.assertEqual(status, 0)
        return err

    def test_what_matches_nothing(self):
        note = "python -m tracemalloc: note: a.tmz: "
        for arguments, text in (
                (["--include", "pp.py"],
                 "--include pp.py matches nothing: a pattern has to match "
                 "the whole file name; try '*pp.py'"),
                (["--exclude", "ap:4"],
                 "--exclude ap:4 matches nothing: a pattern has to match the "
                 "whole file name; try '*ap*:4'"),
                (["--include-traceback", "app.py:9"],
                 "--include-traceback app.py:9 matches nothing, but the file "
                 "is there, with other lines"),
                (["--exclude-traceback", "a b"],
                 "--exclude-traceback 'a b' matches nothing: a pattern has to "
                 "match the whole file name, and none has that in it")):
            for command in ["top"], ["tree"], ["top", "--json"], ["show"]:
                with self.subTest([*command, *arguments]):
                    self.assertEqual(
                        self.notes(*command, *arguments, "a.tmz"),
                        f"{note}{text}\n")

    def test_frames_that_blocks_share_are_asked_about_once(self):
        frames = ("a.py", 1), ("b.py", 2)
        tracemalloc.Snapshot([(0, size, frames, 2) for size in range(100)],
                             9).dump("many.pickle")
        real = tracemalloc.Filter._match
        with mock.patch.object(tracemalloc.Filter, "_match", autospec=True,
                               side_effect=real) as match:
            self.assertIn("matches nothing", self.notes(
                "top", "--exclude-traceback", "c.py", "many.pickle"))
        self.assertLess(match.call_count, 10)

    def test_what_matches_something(self):
        for arguments in (["--include", "*pp.py"], ["--exclude", "app.py:5"],
                          ["--include-traceback", "*:2"]):
            self.assertEqual(self.notes("top", *arguments, "full.tmz"), "")

    def test_freed_blocks_count(self):
        # Nothing is live in line 4, where all that was allocated is freed.
        self.assertEqual(self.notes("top", "--allocated", "--include",
                                    "app.py:4", "full.tmz"), "")

    def test_an_empty_snapshot(self):
        snapshot_of().dump("empty.tmz")
        self.assertEqual(
            self.notes("top", "--include", "x", "empty.tmz"),
            "python -m tracemalloc: note: empty.tmz: --include x matches "
            "nothing: the snapshot is empty\n")

    def test_each_of_several_patterns(self):
        found = self.notes("diff", "--include", "x", "--include", "app.py",
                           "a.tmz", "b.tmz")
        self.assertEqual(re.findall(r"note: (\S+) --include (\S+)", found),
                         [("a.tmz:", "x"), ("b.tmz:", "x")])


class UnitTests(CommandTests):
    def test_one_way_to_read_sizes(self):
        for text, size in (
                ("7", 7), ("7B", 7), ("512k", 1 << 19), ("512KB", 1 << 19),
                ("512KiB", 1 << 19), ("512kib", 1 << 19), ("3m", 3 << 20),
                ("3MB", 3 << 20), ("2G", 2 << 30), ("2GB", 2 << 30),
                ("2GiB", 2 << 30), ("1T", 1 << 40), ("1TiB", 1 << 40)):
            with self.subTest(text):
                self.assertEqual(units.size(text), size)
                options, _ = run.parse(
                    ["--threshold", text, "--sample-interval", text, "-c", ""])
                self.assertEqual((options.threshold, options.sample_interval),
                                 (size, size))

    def test_nothing_is_no_interval(self):
        for option, text in (("--sample-interval", "no sampling interval"),
                             ("--threshold", "must be 1 byte or more"),
                             ("--every", "no time such as 30s")):
            with self.subTest(option), \
                    self.assertRaisesRegex(_cli.UsageError, text):
                run.parse([option, "0", "-c", ""])

    def test_numbers_beyond_reason(self):
        huge = "9" * 400
        for function in units.size, units.interval, units.seconds:
            for text in huge, f"{huge}.5", huge * 20, f"1.{huge}":
                with self.assertRaises(ValueError) as caught:
                    function(text)
                self.assertIn(" no ", str(caught.exception))
        with self.assertRaisesRegex(ValueError, "from 1 to 1024GiB"):
            units.interval("1025GiB")
        for option in "--max-growth", "--max-held":
            self.assertIn(" no", self.fails(
                "check", option, f"{huge}.5%", "--baseline", "a.tmz", "b.tmz"))

    def test_files_that_are_too_large_name_the_option(self):
        self.assertIn("give a larger --max-size",
                      self.fails("top", "--max-size", "9", "a.tmz"))


class TableTests(CommandTests):
    def heads(self, *arguments):
        return self.output(*arguments).splitlines()[1].split()

    def test_the_share_stands_beside_what_it_is_of(self):
        for sort, heads in (
                ("size", "size share blocks average"),
                ("count", "blocks share size average"),
                ("temporary", "blocks share freed average now"),
                ("allocated_size", "allocated share blocks average now"),
                ("peak_count", "blocks share at peak average now")):
            with self.subTest(sort):
                self.assertEqual(
                    self.heads("top", "--sort", sort, "full.tmz"),
                    [*heads.split(), "line"])
                self.assertEqual(
                    self.heads("tree", "--sort", sort, "full.tmz"),
                    [*heads.removesuffix(" now").removesuffix(" average")
                     .split(), "call"])

    def test_shares_of_temporary_blocks(self):
        # 3 of 13 and 10 of 13 blocks were freed again.
        self.check_output(["top", "--sort", "temporary", "full.tmz"], """\
            full.tmz: 2 lines by temporary blocks
            blocks   share     freed  average     now  line
                10   76.9%  29.3 KiB   3000 B     0 B  app.py:4 read()
                                                         data = open(path).read()
                 3   23.1%    3000 B   1000 B  2000 B  app.py:5 read()
                                                         return data.split()
                13  100.0%  32.2 KiB   2538 B  2064 B  total
            """)
        self.assertIn("#1: 29.3 KiB in 10 blocks, 76.9% of 13 blocks\n",
                      self.output("traceback", "--sort", "temporary",
                                  "full.tmz"))

    def test_trees_are_in_the_order_of_the_figure(self):
        # Line 4 has most blocks and line 5 most bytes.
        full_snapshot((5, "a", (1, 9000), (1, 9000), (1, 9000)),
                      (4, "b", (9, 90), (9, 90), (9, 90))).dump("two.tmz")
        for sort, lines in ("count", [4, 5]), ("size", [5, 4]):
            tree = self.json("tree", "--sort", sort, "--min", "0", "two.tmz")
            below = tree["tree"]["children"][0]["children"]
            self.assertEqual([each["lineno"] for each in below], lines)
        text = self.output("tree", "--sort", "count", "--min", "20", "two.tmz")
        self.assertIn("     9   90.0%    90 B  ", text)
        self.assertNotIn("app.py:5", text)

    def test_stats_say_nothing_twice(self):
        code = ("import tracemalloc; tracemalloc.start(); x = bytes(5000); "
                "y = bytes(200); z = bytes(9000); del z; z = bytes(700); "
                "del z; tracemalloc.take_snapshot().dump('now.tmz')")
        subprocess.run([sys.executable, "-c", code], check=True)
        text = self.output("stats", "now.tmz")
        values = re.findall(r"(?m)^  \S.*?  +(\d\S* [KM]?i?B)\b", text)
        self.assertEqual(len(values), len(set(values)), text)
        self.assertNotIn("\n  traced ", text)
        # Of a part of the blocks, it is something else.
        status, text, _ = self.call("stats", "--exclude", "<string>",
                                    "now.tmz")
        self.assertEqual(re.findall("  traced .*?  ", text), [
            "  traced when taken  ", "  traced at the peak  "])

    def test_outcomes_of_checks(self):
        for limits, outcome in (
                (["--max-held", "1MiB"], "the limit is kept"),
                (["--max-held", "1"], "the limit is broken"),
                (["--max-held", "1MiB", "--max-blocks", "9"],
                 "all 2 limits are kept"),
                (["--max-held", "1", "--max-blocks", "9"],
                 "1 of 2 limits is broken"),
                (["--max-held", "1", "--max-blocks", "1"],
                 "2 of 2 limits are broken")):
            with self.subTest(limits):
                found = self.call("check", *limits, "a.tmz")[1]
                self.assertEqual(found.splitlines()[0], f"a.tmz: {outcome}")

    def test_one_block(self):
        with tracemalloc.trace() as region:
            kept = bytes(1000)
        self.assertNotRegex(str(region), r"\b1 blocks")
        del kept


class ExportTests(CommandTests):
    def test_the_name_tells_the_format(self):
        for name, check in (
                ("x.json", lambda text: json.loads(text)["contexts"]),
                ("x.CSV", lambda text: [*csv.DictReader(io.StringIO(text))]),
                ("x.speedscope.json",
                 lambda text: json.loads(text)["profiles"]),
                ("x.collapsed", lambda text: re.findall(r"(?m) \d+$", text)),
                ("x.folded", lambda text: re.findall(r"(?m) \d+$", text))):
            with self.subTest(name):
                self.assertEqual(self.output("export", "-o", name, "a.tmz"),
                                 "")
                with open(name, encoding="utf-8") as stream:
                    self.assertTrue(check(stream.read()))

    def test_options_go_before_names(self):
        self.output("export", "--format", "csv", "-o", "x.json", "a.tmz")
        with open("x.json", encoding="utf-8") as stream:
            self.assertTrue(stream.read().startswith("size,count,"))

    def test_other_names_tell_nothing(self):
        for arguments in [], ["-o", "out"], ["-o", "out.txt"]:
            self.assertIn("an --output that ends in .speedscope.json or ",
                          self.fails("export", *arguments, "a.tmz"))
        self.assertFalse(os.path.exists("out"))


class CommandNameTests(CommandTests):
    def test_what_was_meant(self):
        for word, meant in (("tracebacks", "traceback"), ("tre", "tree"),
                            ("flamegraph", "report"), ("summary", "top"),
                            ("compare", "diff")):
            with self.subTest(word):
                self.assertIn(
                    f"{word}: there is no such command or file; did you mean "
                    f"{meant}? (--help lists the commands)", self.fails(word))
        self.assertIn("such command or file (", self.fails("xylophone"))
        self.assertIn("did you mean live 4711, or top 4711?",
                      self.fails("4711"))
        self.assertIn("nothing has to be attached", self.fails("attach"))

    def test_help_is_a_command(self):
        self.assertEqual(self.output("help"), self.output("--help"))


class RunTests(CommandTests):
    def test_a_folder_that_is_gone(self):
        os.mkdir("gone")
        command = ["sh", "-c", 'cd gone && rmdir ../gone && exec "$@"', "sh",
                   sys.executable, "-m", "tracemalloc", "run"]
        for options, status, text in (
                ([], 2, "python -m tracemalloc run: the current folder has "
                        "been removed: go to another one, or give --output a "
                        "name that begins with /\n"),
                (["-q", "-o", f"{self.folder}/out.tmz"], 0, "")):
            os.makedirs("gone", exist_ok=True)
            process = subprocess.run(
                [*command, *options, "-c", "1"], text=True,
                capture_output=True, timeout=support.LONG_TIMEOUT)
            self.assertEqual((process.returncode, process.stderr),
                             (status, text))
        self.assertIn("out.tmz", os.listdir())

    def test_a_folder_that_is_read_only(self):
        self.write("program.py", "")
        options, _ = run.parse(["program.py"])
        # Whatever rights whoever runs the test has.
        with mock.patch("os.access", return_value=False), \
                self.assertRaisesRegex(
                    _cli.UsageError, f"^{re.escape(self.folder)}: the folder "
                    "is not writable: give --output a name in another one$"):
            run.Recorder(options)

    def test_what_shows_exceptions_is_not_the_programs(self):
        sizes = []
        for code in "x = bytes(9000)", "x = bytes(9000); 1 / 0":
            process = self.start("run", "-q", "-o", "out.tmz", "-c", code)
            self.assertEqual("ZeroDivisionError: " in process.stderr,
                             "1 / 0" in code)
            found = self.json("stats", "out.tmz")
            sizes.append(found["size"])
        # It would be modules of half a megabyte.
        self.assertGreater(min(sizes), 9000)
        self.assertLess(max(sizes) - min(sizes), 9000)

    def test_threads_count_that_outlive_an_exception(self):
        self.write("program.py", """\
            import threading
            def work():
                main.join()
                kept.append(bytes(99_000))
            kept = []
            main = threading.main_thread()
            threading.Thread(target=work).start()
            1 / 0
            """)
        process = self.start("run", "-q", "-o", "out.tmz", "program.py")
        self.assertEqual(process.returncode, 1)
        self.assertGreater(self.json("stats", "out.tmz")["size"], 99_000)

    def test_show_knows_nothing_of_the_runner(self):
        self.write("program.py", """\
            def make():
                return bytes(9000)
            kept = make()
            """)
        self.start("run", "-q", "-o", "out.tmz", "program.py")
        text = self.output("show", "-c", "-n", "2", "out.tmz")
        self.assertRegex(text, r"\n#1: \S*/program\.py:3: size=")
        self.assertNotIn("runpy", text)

    def test_what_watches_is_not_the_programs(self):
        sizes = []
        for options in [], ["--every", "1h"], ["--threshold", "1TiB"]:
            process = self.start("run", "--json", "--no-file", *options,
                                 "-c", "import abc")
            sizes.append(json.loads(process.stderr)["traced_memory"])
        # Its modules would be half a megabyte.
        self.assertLess(max(sizes) - min(sizes), 50_000)

    def test_what_does_not_begin_leaves_nothing(self):
        self.write("wrong.py", "1 +\n")
        self.write("stops.py", "import sys; sys.exit('at once')")
        os.mkdir("empty")
        before = sorted(os.listdir())
        for arguments in (["-m", "nomodule"], ["-m", "json.nomodule"],
                          ["-c", "1 +"], ["wrong.py"], ["empty"], ["."]):
            with self.subTest(arguments):
                process = self.start("run", *arguments)
                direct = subprocess.run(
                    [sys.executable, *arguments], text=True,
                    capture_output=True, timeout=support.LONG_TIMEOUT)
                self.assertEqual((process.returncode, process.stderr),
                                 (direct.returncode, direct.stderr))
                self.assertEqual(sorted(os.listdir()), before)
        # This one has begun.
        process = self.start("run", "-o", "stops.tmz", "stops.py")
        self.assertEqual(process.returncode, 1)
        self.assertIn("at once\nTraced memory", process.stderr)
        self.assertIn("stops.tmz", os.listdir())

    def test_the_line_to_paste(self):
        self.write("program.py", "x = 1")
        for name in "plain.tmz", "two words.tmz", "it's.tmz", "a;b&c.tmz":
            with self.subTest(name):
                process = self.start("run", "-o", name, "program.py")
                line = process.stderr.splitlines()[-1]
                command = line.removeprefix("Snapshot at exit: ")
                again = subprocess.run(
                    command, shell=True, text=True, capture_output=True,
                    timeout=support.LONG_TIMEOUT)
                self.assertEqual((again.returncode, again.stderr), (0, ""))
                self.assertTrue(again.stdout.startswith(f"{name}: "))

    def test_the_line_names_this_interpreter(self):
        self.write("program.py", "x = 1")
        name = os.path.basename(sys.executable)
        folder = os.path.dirname(sys.executable)
        for path, expected in (
                ("", shlex.quote(sys.executable)),
                (folder, name),
                # Another one of the same name comes first.
                (f"{self.folder}:{folder}", shlex.quote(sys.executable))):
            with self.subTest(path):
                if path.startswith(self.folder):
                    shutil.copy(shutil.which("true"), name)
                process = self.start("run", "program.py",
                                     env={**os.environ, "PATH": path})
                self.assertIn(f"Snapshot at exit: {expected} -m tracemalloc "
                              "top tracemalloc-", process.stderr)


@unittest.skipUnless(TESTFN_UNDECODABLE,
                     "the file system has no such names")
class UndecodableTests(CommandTests):
    """Names of files that are no text in any encoding."""

    def setUp(self):
        super().setUp()
        self.name = os.fsdecode(TESTFN_UNDECODABLE) + ".tmz"
        self.source = self.name[:-4] + ".py"
        tracemalloc.Snapshot([(0, 8, ((self.source, 1),), 1)], 5).dump(
            self.name)
        self.write(self.source, "kept = [bytes(999)]\n")

    def check_process(self, *arguments, status=0):
        for variables in {}, {"LC_ALL": "C", "PYTHONUTF8": "0",
                              "PYTHONCOERCECLOCALE": "0"}:
            with self.subTest(arguments, **variables):
                process = subprocess.run(
                    [sys.executable, "-m", "tracemalloc", *arguments],
                    capture_output=True, timeout=support.LONG_TIMEOUT,
                    env={**os.environ, **variables})
                self.assertEqual(process.returncode, status, process.stderr)
                self.assertNotIn(b"Traceback", process.stderr)
                yield process

    def test_every_command_reads_them(self):
        for command in COMMANDS[1:]:
            if command in ("serve", "push", "view", "ps", "dump", "live"):
                # They go on until somebody stops them, or read records.
                continue
            options = {"check": ["--max-held", "9"], "diff": [self.name],
                       "series": [self.name],
                       "export": ["--format", "json"]}.get(command, [])
            for process in self.check_process(command, *options, self.name):
                self.assertEqual(process.stderr, b"")
                process.stdout.decode("ascii")

    def test_errors_and_notes_name_them(self):
        for _ in self.check_process("top", self.name + "x", status=2):
            pass
        for _ in self.check_process("top", "--include", self.source[1:],
                                    self.name):
            pass

    def test_run_runs_and_writes_them(self):
        for process in self.check_process("run", "-o", self.name,
                                          self.source):
            line = process.stderr.splitlines()[-1]
            command = line.removeprefix(b"Snapshot at exit: ")
            if shutil.which("bash"):
                # What a shell of POSIX of 2024 reads, and dash does not yet.
                again = subprocess.run(
                    ["bash", "-c", command], capture_output=True,
                    timeout=support.LONG_TIMEOUT)
                self.assertEqual((again.returncode, again.stderr), (0, b""))

    def test_exports_to_them(self):
        output = self.source[:-3] + ".json"
        for _ in self.check_process("export", "-o", output, self.name):
            with open(output, encoding="utf-8") as stream:
                self.assertEqual(
                    json.load(stream)["contexts"][0]["traceback"][0]
                    ["filename"], self.source)
            os.unlink(output)


if __name__ == "__main__":
    unittest.main()
