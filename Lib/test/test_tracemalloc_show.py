"""python -m tracemalloc show: the command line of 2013."""

import json
import os
import pickle
import pytracemalloc
import re
import subprocess
import sys
import unittest
from datetime import datetime
from test import support
from test.tracemalloc_commands import CommandTests, snapshot_of
from test.tracemalloc_files import Metric, draft_file


class Old(CommandTests):
    """Base: files of 2013."""

    def setUp(self):
        super().setUp()
        self.traces = {
            0x1000: (4096, (("app.py", 5), ("app.py", 2))),
            0x2000: (100, (("/a/b/c/d.py", 3),)),
            0x3000: (50, None),
        }
        self.dump("1.pickle", 1, self.traces, {"gc.objects": (12, "int")})
        self.traces[0x4000] = 8000, (("app.py", 4), ("app.py", 6))
        del self.traces[0x2000]
        self.dump("2.pickle", 2, self.traces)

    def dump(self, name, second, traces, metrics={}, stats=None):
        snapshot = pytracemalloc.Snapshot(
            datetime(2013, 10, 3, 11, 34, second), 7, traces, stats,
            traceback_limit=2)
        for metric, value in metrics.items():
            snapshot.add_metric(metric, *value)
        snapshot.write(name)


class ShowTests(Old):
    """The command line of 2013."""

    def test_C01_C04_one_file(self):
        expected = """\
            2013-10-03 11:34:01: Top 3 allocations per filename and line number
            #1: app.py:5: size=4096 B, count=1
            #2: .../b/c/d.py:3: size=100 B, count=1
            #3: ???:?: size=50 B, count=1
            Traced Python memory: size=4246 B, count=3, average=1415 B

            gc.objects: 12

            """
        self.check_output(["1.pickle"], expected)
        self.check_output(["show", "1.pickle"], expected)

    def test_C01_several_files(self):
        text = self.output("-M", "1.pickle", "2.pickle", "1.pickle")
        first, second, third = text.rstrip("\n").split("\n\n")
        self.assertEqual(second.splitlines(), [
            "2013-10-03 11:34:02: Top 4 allocations per filename and line "
            "number (compared to 2013-10-03 11:34:01)",
            "#1: app.py:4: size=7 KiB (+7 KiB), count=1 (+1)",
            "#2: .../b/c/d.py:3: size=0 B (-100 B), count=0 (-1)",
            "#3: app.py:5: size=4096 B (+0 B), count=1 (+0)",
            "#4: ???:?: size=50 B (+0 B), count=1 (+0)",
            "Traced Python memory: size=11 KiB (+7 KiB), count=3 (+0), "
            "average=4048 B"])
        self.assertIn("(compared to 2013-10-03 11:34:02)", third)

    def test_C02_address(self):
        for option in "-a", "--address":
            self.check_output([option, "2.pickle"], """\
                2013-10-03 11:34:02: Top 3 allocations per address
                #1: memory block 0x4000: size=7 KiB
                #2: memory block 0x1000: size=4096 B
                #3: memory block 0x3000: size=50 B
                Traced Python memory: size=11 KiB, average=4048 B

                """)

    def test_C03_file(self):
        for option in "-f", "--file":
            self.assertIn("Top 2 allocations per filename\n"
                          "#1: app.py: size=11 KiB, count=2, average=5 KiB\n"
                          "#2: ???: size=50 B, count=1\n",
                          self.output(option, "2.pickle"))

    def test_C05_number(self):
        for arguments in ["-n", "1"], ["-n1"], ["--number=1"]:
            self.assertIn("#1: app.py:5: size=4096 B, count=1\n"
                          "2 more: size=150 B, count=2, average=75 B\n",
                          self.output(*arguments, "1.pickle"))
        self.dump("many.pickle", 1, {
            number: (8, (("x.py", number),)) for number in range(1, 12)})
        self.assertIn("Top 10 allocations", self.output("many.pickle"))

    def test_C06_first(self):
        text = self.output("--first", "1.pickle", "2.pickle", "2.pickle")
        self.assertEqual(text.count("(compared to 2013-10-03 11:34:01)"), 2)

    def test_C07_cumulative(self):
        for option in "-c", "--cumulative":
            self.assertIn("Cumulative top 4 allocations per filename and "
                          "line number\n"
                          "#1: app.py:5: size=4096 B, count=1\n"
                          "#2: app.py:2: size=4096 B, count=1\n",
                          self.output(option, "1.pickle"))
        self.dump("stats.pickle", 1, None, stats={"x.py": {3: (8, 2)}})
        self.assertIn(": Top 1 allocations per",
                      self.output("-c", "stats.pickle"))
        self.assertIn("--cumulative has an effect on some of the files only",
                      self.call("-c", "1.pickle", "stats.pickle")[2])

    def test_C08_block(self):
        expected = """\
            memory block 0x1000: size=4096 B
            Traceback (most recent call first):
              File "app.py", line 5
                return data.split()
              File "app.py", line 2
                return read(path) + [1]

            """
        for arguments in (["-b", "0x1000"], ["--block=0x1000"],
                          ["-b", "4096"]):
            self.check_output([*arguments, "1.pickle"], expected)
        self.check_output(["-b", "0x3000", "1.pickle"], """\
            memory block 0x3000: size=50 B
            Traceback (most recent call first):
              File "???", line ?

            """)

    def test_C09_traceback(self):
        for option in "-t", "--traceback":
            text = self.output(option, "-n", "2", "2.pickle")
            self.assertEqual(
                [line for line in text.splitlines() if "block" in line],
                ["memory block 0x4000: size=7 KiB",
                 "memory block 0x1000: size=4096 B"])
            self.assertEqual(text.count('  File "app.py", line '), 4)

    def rows(self, *arguments):
        found, = self.json(*arguments)
        return [(row["filename"], row["lineno"]) for row in found["groups"]]

    def test_C10_include(self):
        for arguments in ["-i", "app.py"], ["--include=app.py:5"]:
            self.assertEqual(self.rows(*arguments, "1.pickle"),
                             [("app.py", 5)])
        self.assertEqual(self.rows("-i", "app.py:5", "-i", "*/d.py",
                                   "1.pickle"),
                         [("app.py", 5), ("/a/b/c/d.py", 3)])
        # It calls, and does not allocate.
        status, out, err = self.call("-i", "app.py:2", "--json", "1.pickle")
        self.assertEqual((status, json.loads(out)[0]["groups"]), (0, []))
        self.assertIn("--include-traceback looks at callers, too\n", err)

    def test_C11_include_traceback(self):
        for arguments in ["-I", "app.py:2"], ["--include-traceback=app.py:2"]:
            self.assertEqual(self.rows(*arguments, "1.pickle"),
                             [("app.py", 5)])

    def test_C12_exclude(self):
        for arguments in ["-x", "app.py"], ["--exclude=app.py:5"]:
            self.assertEqual(self.rows(*arguments, "1.pickle"),
                             [("/a/b/c/d.py", 3), ("", 0)])
        self.assertEqual(self.rows("-x", "app.py", "-x", "*d.py:3",
                                   "1.pickle"), [("", 0)])
        status, out, err = self.call("-x", "app.py:2", "--json", "1.pickle")
        self.assertEqual((status, len(json.loads(out)[0]["groups"])), (0, 3))
        self.assertIn("--exclude-traceback looks at callers, too\n", err)

    def test_C13_exclude_traceback(self):
        for arguments in ["-X", "app.py:2"], ["--exclude-traceback=app.py:2"]:
            self.assertEqual(self.rows(*arguments, "1.pickle"),
                             [("/a/b/c/d.py", 3), ("", 0)])

    def test_C14_hide(self):
        for options, row in (
                (["-S"], "#1: app.py: count=2, average=5 KiB"),
                (["--hide-count"], "#1: app.py: size=11 KiB, average=5 KiB"),
                (["-A"], "#1: app.py: size=11 KiB, count=2"),
                (["-C", "--hide-average"], "#1: app.py: 11 KiB")):
            with self.subTest(options):
                self.assertIn(f"{row}\n",
                              self.output("-f", *options, "2.pickle"))
        self.assertIn("gc.objects", self.output("1.pickle"))
        for option in "-M", "--hide-metrics":
            self.assertNotIn("gc.objects", self.output(option, "1.pickle"))

    def test_C15_filename_parts(self):
        for arguments, name in ((["-P", "1"], ".../d.py"),
                                (["--filename-parts=2"], ".../c/d.py"),
                                (["-P9"], "/a/b/c/d.py")):
            self.assertIn(f"#2: {name}:3:",
                          self.output(*arguments, "1.pickle"))
        self.assertIn("must be 1 or more", self.fails("-P0", "1.pickle"))

    def test_C16_color(self):
        plain = self.output("1.pickle")
        self.assertNotIn("\033", plain)
        self.assertEqual(self.output("--no-color", "1.pickle"), plain)
        for arguments in (["--color", "1.pickle"], ["1.pickle", "--color"],
                          ["--color=always", "1.pickle"]):
            text = self.output(*arguments)
            self.assertIn("\033[", text)
            self.assertEqual(re.sub("\033\\[[\\d;]*m", "", text), plain)

    def test_C17_errors(self):
        self.dump("stats.pickle", 1, None, stats={"x.py": {3: (8, 2)}})
        for arguments, text in (
                (["no.pickle"], "there is no such command or file"),
                (["show", "no.pickle"], "No such file or directory"),
                (["-b", "0x1000", "stats.pickle"],
                 "stats.pickle: the file has no addresses of blocks"),
                (["-t", "stats.pickle"], "has no addresses"),
                (["-a", "stats.pickle"], "has no addresses"),
                (["-b", "nowhere", "1.pickle"],
                 "'nowhere' is no address such as"),
                (["-b", "-1", "1.pickle"], "'-1' is no address"),
                (["-b", "0x1001", "1.pickle"],
                 "1.pickle: there is no block at 0x1001"),
                (["-a", "-f", "1.pickle"], "not allowed with"),
                (["app.py"], "'app.py' is no snapshot file")):
            with self.subTest(arguments):
                self.assertIn(text, self.fails(*arguments))

    def test_C18_colons_in_patterns(self):
        self.dump("colons.pickle", 1, {
            1: (8, (("c:/x.py", 3),)), 2: (4, (("c:x", 5),))})
        for pattern, rows in (("c:/x.py", [("c:/x.py", 3)]),
                              ("c:/x.py:3", [("c:/x.py", 3)]),
                              ("c:x", [("c:x", 5)])):
            with self.subTest(pattern):
                self.assertEqual(self.rows("-i", pattern, "colons.pickle"),
                                 rows)

    def test_C19_files_of_the_new_interface(self):
        snapshot_of((1000, 3, 5, 2, 6), (50, 2, 4, 2, 6)).dump("new.pickle")
        os.utime("new.pickle", (86400, 86400))
        for name in "new.pickle", "a.tmz":
            os.utime(name, (86400, 86400))
            self.assertRegex(
                self.output("-n1", name),
                r"\A1970-01-0\d \d\d:\d\d:00: Top 1 allocations per filename "
                r"and line number\n"
                r"#1: app.py:5: size=3000 B, count=3, average=1000 B\n")
            self.assertIn("Cumulative top 4 ", self.output("-c", name))
            self.assertEqual(self.rows("-X", "app.py:4", "-n", "1", name),
                             [("app.py", 5)])
            for option in ["-a"], ["-t"], ["-b", "1"]:
                self.assertIn("the file has no addresses of blocks: "
                              "tracemalloc.Snapshot has none",
                              self.fails(*option, name))
        self.assertIn("tracemalloc.traced.max_size: 6 KiB\n",
                      self.output("full.tmz"))

    def test_blocks_as_json(self):
        self.assertEqual(self.json("-b", "0x1000", "1.pickle"), [
            {"file": "1.pickle", "blocks": [
                {"address": 4096, "size": 4096, "traceback": [
                    {"filename": "app.py", "lineno": 5},
                    {"filename": "app.py", "lineno": 2}]}]}])

    def test_comparison_as_json(self):
        first, second = self.json("-n1", "1.pickle", "2.pickle")
        self.assertNotIn("size_diff", first["groups"][0])
        self.assertEqual(first["metrics"], {"gc.objects": 12})
        self.assertEqual(second["groups"], [
            {"filename": "app.py", "lineno": 4, "size": 8000, "count": 1,
             "size_diff": 8000, "count_diff": 1}])

    def test_names_that_control_terminals(self):
        self.dump("names.pickle", 1, {
            1: (8, (("a\033[2J\nb.py", 3),))}, {"\033x": (1, "int")})
        for option in [], ["-f"], ["-t"], ["-b", "1"]:
            text = self.output(*option, "names.pickle")
            self.assertTrue(text.replace("\n", "").isprintable())
            self.assertIn(r"a\x1b[2J\nb.py", text)

    def test_times_that_control_terminals(self):
        for stamp in "\033[2J2013-10-03", "2013\n\033]0;x\a":
            with open("time.pickle", "wb") as stream:
                pickle.dump({"format_version": 1, "timestamp": stamp,
                             "pid": 1, "stats": {"a.py": {1: (8, 1)}}},
                            stream, 2)
            for arguments in ["time.pickle"], ["time.pickle", "time.pickle"]:
                text = self.output(*arguments)
                self.assertTrue(text.replace("\n", "").isprintable(), text)
                self.assertIn(r"\x1b", text)

    def test_2013_values_that_make_no_sense_to_show(self):
        for change in ({"timestamp": [1]}, {"timestamp": 5},
                       {"pid": 2 ** 70}, {"traceback_limit": 2 ** 70}):
            with open("odd.pickle", "wb") as stream:
                pickle.dump({"format_version": 1, "timestamp": "2013",
                             "pid": 1, "stats": {"a.py": {1: (8, 1)}}}
                            | change, stream, 2)
            with self.subTest(change=change):
                self.assertIn("values make no sense", self.fails("odd.pickle"))
        for value, format in ((float("nan"), "int"), (float("inf"), "size"),
                              (2 ** 2000, "size"), (1, "x")):
            with (self.subTest(value=value, format=format),
                  open("odd.pickle", "wb") as stream):
                stream.write(draft_file(
                    metrics={"a": Metric("a", value, format)}))
                stream.flush()
                self.assertIn("values make no sense", self.fails("odd.pickle"))


class AloneTests(Old):
    """python -m pytracemalloc: what users of 2013 look for."""

    def alone(self, *arguments, status=0):
        process = subprocess.run(
            [sys.executable, "-m", "pytracemalloc", *arguments],
            capture_output=True, text=True, timeout=support.LONG_TIMEOUT)
        self.assertEqual(process.returncode, status)
        return process.stdout, process.stderr

    def test_C01_files_are_shown(self):
        for arguments in (["1.pickle"], ["-n1", "1.pickle", "2.pickle"],
                          ["-t", "1.pickle"], ["a.tmz"]):
            self.assertEqual(self.alone(*arguments),
                             (self.output(*arguments), ""))

    def test_C17_errors_and_help_have_its_name(self):
        for arguments, text in (
                (["none.pickle"], "none.pickle: No such file or directory\n"),
                ([], "the following arguments are required: FILE "
                     "(--help lists the options)\n")):
            self.assertEqual(
                self.alone(*arguments, status=2),
                ("", "python -m pytracemalloc: " + text))
        text, errors = self.alone("--help")
        self.assertEqual(errors, "")
        self.assertTrue(text.startswith("usage: python -m pytracemalloc ["))
        self.assertIn("example: python -m pytracemalloc --file", text)
        self.assertNotIn("may be left out", text)


if __name__ == "__main__":
    unittest.main()
