"""python -m tracemalloc: the commands that read files.

They are called in this process, except where it matters how it was started.
See test_tracemalloc_run and test_tracemalloc_show for the two others.
"""

import contextlib
import csv
import io
import itertools
import json
import os
import pickle
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import time
import tracemalloc
import unittest
from importlib import import_module
from test.tracemalloc_commands import (
    CommandTests, full_snapshot, snapshot_of)
from unittest import mock

from tracemalloc import _cli
from tracemalloc._cli import files, run, screen, units

SOURCE = os.environ.get("TRACEMALLOC_SOURCE")

COMMANDS = ("run", *(name for name in _cli.COMMANDS if name != "run"))


def parser_of(command):
    module = _cli.COMMANDS[command][0]
    return import_module(f"tracemalloc._cli.{module}")._parser()


class TopTests(CommandTests):
    def test_lines(self):
        self.check_output(["top", "a.tmz"], """\
            a.tmz: 3 lines by size
              size   share  blocks  average  line
            3000 B   96.5%       3   1000 B  app.py:5
                                               return data.split()
             100 B    3.2%       2     50 B  app.py:4
                                               data = open(path).read()
              10 B    0.3%       1     10 B  app.py:2
                                               return read(path) + [1]
            3110 B  100.0%       6    518 B  total
            """)

    def test_limit(self):
        self.check_output(["top", "-n", "1", "a.tmz"], """\
            a.tmz: 1 of 3 lines by size
              size   share  blocks  average  line
            3000 B   96.5%       3   1000 B  app.py:5
                                               return data.split()
             110 B    3.5%       3     37 B  2 more
            3110 B  100.0%       6    518 B  total
            """)

    def test_limit_0(self):
        self.check_output(["top", "--limit=0", "a.tmz"], """\
            a.tmz: 0 of 3 lines by size
              size   share  blocks  average  line
            3110 B  100.0%       6    518 B  3 more
            3110 B  100.0%       6    518 B  total
            """)

    def test_nothing(self):
        snapshot_of().dump("none.pickle")
        self.check_output(["top", "none.pickle"], """\
            none.pickle: no blocks
            """)
        self.assertEqual(self.output("tree", "none.pickle"),
                         "none.pickle: no blocks\n")

    def test_callers_of_nothing(self):
        for kind in "lineno", "filename", "function", "module":
            with self.subTest(kind):
                status, out, _ = self.call("top", "-c", "-g", kind,
                                           "--include", "nothing", "full.tmz")
                self.assertEqual((status, out), (0, "full.tmz: no blocks\n"))

    def test_function(self):
        self.check_output(["top", "-g", "function", "full.tmz"], """\
            full.tmz: 2 functions by size
              size   share  blocks  average  function
            2000 B   96.9%       2   1000 B  app.py:read
              64 B    3.1%       1     64 B  app.py:load
            2064 B  100.0%       3    688 B  total
            """)

    def test_lines_with_functions(self):
        self.check_output(["top", "full.tmz"], """\
            full.tmz: 2 lines by size
              size   share  blocks  average  line
            2000 B   96.9%       2   1000 B  app.py:5 read()
                                               return data.split()
              64 B    3.1%       1     64 B  app.py:2 load()
                                               return read(path) + [1]
            2064 B  100.0%       3    688 B  total
            """)

    def test_cumulative(self):
        self.check_output(["top", "--cumulative", "-n2", "a.tmz"], """\
            a.tmz: 2 of 4 lines by size, callers included
              size   share  blocks  average  line
            3110 B  100.0%       6    518 B  app.py:6
                                               cache = load("words")
            3110 B  100.0%       6    518 B  app.py:2
                                               return read(path) + [1]
            """)

    def test_at_peak(self):
        self.check_output(["top", "--at-peak", "full.tmz"], """\
            full.tmz: 2 lines by peak size
            at peak   share  blocks  average     now  line
             4000 B   57.1%       4   1000 B  2000 B  app.py:5 read()
                                                        return data.split()
             3000 B   42.9%       1   3000 B     0 B  app.py:4 read()
                                                        data = open(path).read()
             7000 B  100.0%       5   1400 B  2064 B  total
            """)

    def test_allocated(self):
        self.check_output(["top", "--allocated", "-n", "1", "full.tmz"], """\
            full.tmz: 1 of 3 lines by allocated size
            allocated   share  blocks  average     now  line
             29.3 KiB   85.6%      10   3000 B     0 B  app.py:4 read()
                                                          data = open(path).read()
               5064 B   14.4%       6    844 B  2064 B  2 more
             34.2 KiB  100.0%      16   2192 B  2064 B  total
            """)

    def test_no_row_is_lost_behind_those_that_are_left_out(self):
        full_snapshot(
            (1, "gone", (0, 0), (9, 900), (0, 0)),
            (2, "load", (1, 64), (1, 64), (0, 0)),
            (3, "empty", (0, 0), (7, 0), (0, 0)),
            (4, "read", (0, 0), (2, 5000), (2, 5000)),
            (5, "split", (1, 10), (3, 30), (3, 30)),
        ).dump("more.tmz")
        data = tracemalloc.Snapshot.load("more.tmz").traces._data
        for figure in ("size", "count", "peak_size", "peak_count",
                       "allocated_size", "allocated_count", "freed_size",
                       "freed_count"):
            family = figure.partition("_")[0]
            if family in ("size", "count"):
                sizes, counts = data.live()
                size, count = "size", "count"
            else:
                size, count = f"{family}_size", f"{family}_count"
                sizes = getattr(data, f"context_{family}_bytes")
                counts = getattr(data, f"context_{family}_blocks")
            expected = {line: pair for line, *pair in zip(
                data.context_line, sizes, counts) if any(pair)}
            with self.subTest(figure=figure):
                found = self.json("top", "--sort", figure, "more.tmz")
                self.assertEqual({row["lineno"]: [row[size], row[count]]
                                  for row in found["groups"]}, expected)
                self.assertEqual(
                    [found["total"][size], found["total"][count]],
                    [sum(sizes), sum(counts)])

    def test_temporary(self):
        found = self.json("top", "--sort", "temporary", "full.tmz")
        self.assertEqual(
            [(each["lineno"], each["freed_count"], each["freed_size"])
             for each in found["groups"]], [(4, 10, 30000), (5, 3, 3000)])

    def test_share_of_blocks(self):
        text = self.output("top", "--sort", "count", "-n", "1", "b.tmz")
        self.assertIn("     4   57.1%  4000 B   1000 B  app.py:5", text)

    def test_traceback(self):
        text = self.output("top", "-g", "traceback", "-n", "1", "a.tmz")
        self.assertIn("  app.py:5 and 2 callers\n", text)

    def test_other_groups(self):
        for group, name in (("file", "app.py"), ("module", "app"),
                            ("thread", "MainThread"), ("domain", "domain 0")):
            with self.subTest(group):
                text = self.output("top", "--group-by", group, "full.tmz")
                self.assertIn(f"2064 B  100.0%       3    688 B  {name}\n",
                              text)

    def test_filters(self):
        for arguments, lines in (
                (["--include", "*.py:5"], [5]),
                (["--exclude", "*.py:5"], [4, 2]),
                (["--include", "app.py:4", "--include", "app.py:2"], [4, 2]),
                (["--include-traceback", "app.py:2", "--exclude", "*:4"],
                 [5, 2]),
                (["--exclude-traceback", "app.py:6"], [])):
            with self.subTest(arguments):
                found = self.json("top", *arguments, "a.tmz")
                self.assertEqual(
                    [each["lineno"] for each in found["groups"]], lines)

    def test_json(self):
        found = self.json("top", "-n", "1", "full.tmz")
        self.assertEqual(found, {
            "file": "full.tmz", "group_by": "lineno", "cumulative": False,
            "sort": "size", "metadata": {
                "time": 0, "pid": 7, "traced_memory_peak": 7000,
                "command": ["python", "a b.py"]},
            "total": {"size": 2064, "count": 3},
            "groups": [{"filename": "app.py", "lineno": 5, "function": "read",
                        "source": "return data.split()",
                        "size": 2000, "count": 2}],
            "more": {"groups": 1, "size": 64, "count": 1}})

    def test_json_of_each_group(self):
        for group in ("lineno", "filename", "function", "module",
                      "traceback", "thread", "domain"):
            with self.subTest(group):
                found = self.json("top", "-g", group, "full.tmz")
                self.assertEqual(
                    sum(each["size"] for each in found["groups"]), 2064)
                self.assertIn(group, found["groups"][0])

    def test_pickles_of_any_interpreter(self):
        stock = os.environ.get("TRACEMALLOC_STOCK_PYTHON")
        snapshot_of((1000, 3, 5, 2, 6)).dump("new.pickle")
        with open("new.pickle", "rb") as stream:
            data = stream.read()
        self.assertNotIn(b"metadata", data)
        self.assertIn("3000 B  100.0%       3   1000 B  app.py:5\n",
                      self.output("top", "new.pickle"))
        if stock:
            subprocess.run([stock, "-c", textwrap.dedent("""
                import tracemalloc
                tracemalloc.start()
                kept = [bytearray(5000) for _ in range(3)]
                tracemalloc.take_snapshot().dump("stock.pickle")
                """)], check=True)
            found = self.json("top", "stock.pickle")
            self.assertEqual(found["groups"][0]["filename"], "<string>")
            self.assertGreater(found["groups"][0]["size"], 15000)

    def test_unknown_figures(self):
        self.assertRegex(self.fails("top", "--at-peak", "a.tmz"),
                         "^top: the file tells what is live only, and no "
                         "peak size: write one whose name ends in .tmz")
        self.assertRegex(self.fails("top", "--sort=temporary", "a.tmz"),
                         "and no temporary blocks: write")

    def test_figures_that_contradict_each_other(self):
        for command in "top", "tree", "traceback", "export":
            with self.subTest(command):
                self.assertRegex(
                    self.fails(command, "--at-peak", "--sort", "count",
                               "full.tmz"),
                    "--sort: not allowed with argument --at-peak")
                self.assertRegex(
                    self.fails(command, "--allocated", "--at-peak",
                               "full.tmz"),
                    "--at-peak: not allowed with argument --allocated")

    def test_cumulative_nonsense(self):
        self.assertEqual(self.fails("top", "-c", "-g", "thread", "a.tmz"),
                         "top: --cumulative makes no sense with --group-by "
                         "thread")

    def test_launcher_is_no_caller(self):
        launcher = [(f"/lib/tracemalloc/{name}", 1) for name in (
            "_cli/run.py", "_cli/__init__.py", "__main__.py")]
        snapshot_of((8, 1, 6, *launcher, ("<frozen runpy>", 88)),
                    limit=9).dump("run.tmz")
        found = self.json("top", "--cumulative", "run.tmz")
        self.assertEqual([each["filename"] for each in found["groups"]],
                         ["app.py"])
        self.assertEqual(self.output("tree", "run.tmz").splitlines()[2:],
                         [" 8 B  100.0%       1  total",
                          " 8 B  100.0%       1  app.py:6"])


class TreeTests(CommandTests):
    def test_tree(self):
        self.check_output(["tree", "b.tmz"], """\
            b.tmz: calls that lead to memory, by size
              size   share  blocks  call
            4124 B  100.0%       7  total
            4124 B  100.0%       7  app.py:6
            4100 B   99.4%       6  app.py:2
            4000 B   97.0%       4  |- app.py:5
             100 B    2.4%       2  `- app.py:4
            """)

    def test_imports(self):
        bootstrap = ("<frozen importlib._bootstrap>", 7)
        snapshot_of((8, 1, 2, bootstrap, 6), (8, 2, bootstrap, 6),
                    ).dump("import.tmz")
        self.assertEqual(
            [line.split("  ")[-1] for line in
             self.output("tree", "import.tmz").splitlines()[2:]],
            ["total", "app.py:6", "|- <frozen importlib._bootstrap>:7",
             "`- app.py:2"])
        self.assertEqual(
            [line.split("  ")[-1] for line in
             self.output("tree", "--import-frames",
                         "import.tmz").splitlines()[2:]],
            ["total", "app.py:6", "<frozen importlib._bootstrap>:7",
             "app.py:2"])

    def test_marks_stay(self):
        os.environ["COLUMNS"] = "60"
        name = "/" + "folder/" * 9 + "file.py"
        snapshot_of((8, 1, (name, 7), 6), (4, 1, (name, 8), 6),
                    ).dump("wide.tmz")
        self.assertEqual(self.output("tree", "wide.tmz").splitlines()[-2:], [
            " 8 B   66.7%       1  |- .../folder/folder/folder/file.py:7",
            " 4 B   33.3%       1  `- .../folder/folder/folder/file.py:8"])

    def test_least_share(self):
        self.check_output(["tree", "--min", "3%", "a.tmz"], """\
            a.tmz: calls that lead to memory, by size
              size   share  blocks  call
            3110 B  100.0%       6  total
            3110 B  100.0%       6  app.py:6
            3110 B  100.0%       6  app.py:2
            3000 B   96.5%       3  |- app.py:5
             100 B    3.2%       2  `- app.py:4
            """)
        text = self.output("tree", "--min", "50", "a.tmz")
        self.assertEqual(text.splitlines()[-1],
                         "(1 branch below 50% left out; --min 0 shows all)")

    def test_inverted(self):
        self.check_output(["tree", "--inverted", "b.tmz"], """\
            b.tmz: callers of the lines that allocate, by size
              size   share  blocks  call
            4124 B  100.0%       7  total
            4000 B   97.0%       4  |- app.py:5
            4000 B   97.0%       4  |  app.py:2
            4000 B   97.0%       4  |  app.py:6
             100 B    2.4%       2  `- app.py:4
             100 B    2.4%       2     app.py:2
             100 B    2.4%       2     app.py:6
            (1 branch below 1% left out; --min 0 shows all)
            """)

    def test_depth(self):
        self.assertEqual(len(self.output("tree", "--depth", "1",
                                         "a.tmz").splitlines()), 4)

    def test_functions(self):
        self.check_output(["tree", "-g", "function", "--min", "0",
                           "full.tmz"], """\
            full.tmz: calls that lead to memory, by size
              size   share  blocks  call
            2064 B  100.0%       3  total
            2064 B  100.0%       3  app.py:<module>
            2000 B   96.9%       2  |- app.py:read
              64 B    3.1%       1  `- app.py:load
            """)

    def test_functions_are_told_where_there_is_little_room(self):
        os.environ["COLUMNS"] = "60"
        folder = "/" + "folder/" * 12
        full_snapshot((5, "Reader.read", (2, 2000), (2, 2000), (2, 2000)),
                      filename=folder + "file.py").dump("wide.tmz")
        text = self.output("tree", "-g", "function", "wide.tmz")
        self.assertIn("  .../folder/file.py:Reader.read\n", text)
        self.assertTrue(all(len(line) <= 60 for line in text.splitlines()))

    def test_at_peak(self):
        text = self.output("tree", "--at-peak", "full.tmz")
        self.assertIn("7000 B  100.0%       5  app.py:6 <module>\n"
                      , text.replace("at peak", "size").replace(" 7", "7"))

    def test_json(self):
        found = self.json("tree", "b.tmz")["tree"]
        self.assertEqual((found["size"], found["count"]), (4124, 7))
        line_6, = found["children"]
        line_2, = line_6.pop("children")
        self.assertEqual(line_6, {"filename": "app.py", "lineno": 6,
                                  "size": 4124, "count": 7})
        self.assertEqual([each["lineno"] for each in line_2["children"]],
                         [5, 4])

    def test_deep(self):
        frames = [("deep.py", line) for line in range(1, 3001)]
        snapshot_of((8, 1, *frames), limit=5000).dump("deep.tmz")
        self.assertEqual(len(self.output("tree", "deep.tmz").splitlines()),
                         3003)
        text = self.output("tree", "--json", "deep.tmz")
        self.assertEqual(text.count('"children": ['), 3001)
        self.assertTrue(text.endswith('"children": []' + "}]" * 3000
                                      + "}}\n"))

    def test_wrong_share(self):
        self.assertIn("'101' is no percentage from 0 to 100",
                      self.fails("tree", "--min", "101", "a.tmz"))


class TracebackTests(CommandTests):
    def test_traceback(self):
        self.check_output(["traceback", "-n", "2", "a.tmz"], """\
            a.tmz: 2 of 3 call paths by size

            #1: 3000 B in 3 blocks, 96.5% of 3110 B
              app.py:6
                  cache = load("words")
              app.py:2
                  return read(path) + [1]
              app.py:5
                  return data.split()

            #2: 100 B in 2 blocks, 3.2% of 3110 B
              app.py:6
                  cache = load("words")
              app.py:2
                  return read(path) + [1]
              app.py:4
                  data = open(path).read()
            """)

    def test_frames(self):
        self.check_output(["traceback", "-n1", "--frames", "1", "a.tmz"], """\
            a.tmz: 1 of 3 call paths by size

            #1: 3000 B in 3 blocks, 96.5% of 3110 B
              (2 older calls)
              app.py:5
                  return data.split()
            """)

    def test_json(self):
        found = self.json("traceback", "-n1", "a.tmz")
        self.assertEqual(found["groups"], [{
            "traceback": [{"filename": "app.py", "lineno": line}
                          for line in (6, 2, 5)],
            "source": "return data.split()", "size": 3000, "count": 3}])


class DiffTests(CommandTests):
    def test_diff(self):
        self.check_output(["diff", "a.tmz", "b.tmz"], """\
            a.tmz -> b.tmz: 3 lines changed, by size
             change    size  change  blocks  line
            +1000 B  4000 B      +1       4  app.py:5
                                               return data.split()
              +24 B    24 B      +1       1  app.py:6
                                               cache = load("words")
              -10 B     0 B      -1       0  app.py:2
                                               return read(path) + [1]
            +1014 B  4124 B      +1       7  total
            """)

    def test_limit(self):
        self.check_output(["diff", "-n1", "-g", "traceback", "a.tmz",
                           "b.tmz"], """\
            a.tmz -> b.tmz: 3 call paths changed, 1 shown, by size
             change    size  change  blocks  call path
            +1000 B  4000 B      +1       4  app.py:5 and 2 callers
                                               return data.split()
              +14 B    24 B       0       1  2 more
            +1014 B  4124 B      +1       7  total
            """)

    def test_nothing_changed(self):
        self.check_output(["diff", "a.tmz", "a.tmz"], """\
            a.tmz -> a.tmz: nothing changed
            """)

    def test_between_snapshots(self):
        full_snapshot(
            (5, "read", (2, 2000), (5, 5000), (4, 4000)),
            (2, "load", (1, 64), (1, 64), (0, 0)),
            (4, "read", (0, 0), (14, 42000), (1, 3000))).dump("later.tmz")
        self.check_output(["diff", "--sort", "temporary", "full.tmz",
                           "later.tmz"], """\
            full.tmz -> later.tmz: 1 line changed, by temporary blocks
            change    size  change  blocks     freed  blocks  line
               0 B     0 B       0       0  11.7 KiB       4  app.py:4 read()
                                                                data = open(path).read()
               0 B  2064 B       0       3                    total
            """)

    def test_json(self):
        found = self.json("diff", "-n1", "a.tmz", "b.tmz")
        self.assertEqual(found["groups"], [{
            "filename": "app.py", "lineno": 5,
            "source": "return data.split()", "size": 4000,
            "size_diff": 1000, "count": 4, "count_diff": 1}])
        self.assertEqual(found["more"], {
            "groups": 2, "size": 24, "size_diff": 14, "count": 1,
            "count_diff": 0})
        self.assertEqual(found["total"], {
            "size": 4124, "size_diff": 1014, "count": 7, "count_diff": 1})

    def test_unknown_figures(self):
        self.assertRegex(
            self.fails("diff", "--sort", "temporary", "a.tmz", "b.tmz"),
            "^diff: cannot sort by 'temporary'")


    def test_estimates_are_said_to_be(self):
        for name, blocks in ("old", 1), ("new", 2):
            full_snapshot((1, "f", (blocks, 5000 * blocks), (2, 10000),
                           (2, 10000)), metadata={"sample_interval": 4096}
                          ).dump(f"{name}.tmz")
        snapshot_of((100, 1, 5)).dump("exact.tmz")
        told = "\nestimated from samples, one per 4096 B\n"
        for arguments in (("old.tmz", "new.tmz"), ("exact.tmz", "new.tmz"),
                          ("old.tmz", "exact.tmz")):
            with self.subTest(arguments):
                text = self.output("diff", *arguments)
                self.assertEqual(text.count(told), 1)
                text = self.output("check", "--max-growth=1000GiB",
                                   "--baseline", *arguments)
                self.assertEqual(text.count(told), 1)
        text = self.output("check", "--max-held=1", "new.tmz", status=1)
        self.assertEqual(text.count(told), 1)
        self.assertNotIn("estimated", self.output("diff", "a.tmz", "b.tmz"))


class StatsTests(CommandTests):
    def test_what_was_traced_when_it_was_taken(self):
        full_snapshot((1, "f", (1, 1), (1, 1), (1, 1)),
                      metadata={"traced_memory": 10}).dump("peak.tmz")
        self.assertIn("  traced when taken       10 B\n",
                      self.output("stats", "peak.tmz"))

    def test_long_values_are_shown_whole(self):
        os.environ["COLUMNS"] = "60"
        snapshot = full_snapshot((1, "f", (1, 1), (1, 1), (1, 1)), metadata={
            "command": ["python", "-m", "tracemalloc", "run", "service.py",
                        "--port", "8080"]})
        snapshot.dump("long.tmz")
        self.assertIn("""
  command                 python -m tracemalloc run
                          service.py --port 8080
""", self.output("stats", "long.tmz"))

    def test_stats(self):
        with mock.patch.dict(os.environ, TZ="UTC"), \
                mock.patch("time.localtime", time.gmtime):
            self.check_output(["stats", "full.tmz"], """\
                full.tmz
                  held                    2064 B in 3 blocks
                  average block           688 B
                  held at the peak        7000 B in 5 blocks
                  allocated in all        34.2 KiB in 16 blocks
                  freed again             32.2 KiB in 13 blocks
                  places                  2 call paths, 2 lines, 1 file
                  frames kept             5
                  taken                   1970-01-01 00:00:00
                  process                 7
                  command                 python 'a b.py'
                """)

    def test_old_files(self):
        text = self.output("stats", "a.tmz")
        self.assertIn("  held                    3110 B in 6 blocks\n", text)
        self.assertNotIn("peak", text)

    def test_json(self):
        found = self.json("stats", "full.tmz")
        self.assertEqual(found["allocated_size"], 35064)
        self.assertEqual(found["freed_count"], 13)
        self.assertEqual(found["domains"],
                         {"domain 0": {"size": 2064, "count": 3}})
        self.assertEqual(found["metadata"]["pid"], 7)
        self.assertIsNone(self.json("stats", "a.tmz")["peak_size"])


class CheckTests(CommandTests):
    def test_kept(self):
        self.check_output(["check", "--max-peak", "7000", "full.tmz"], """\
            full.tmz: the limit is kept
             value   limit  baseline  over  limit of
            7000 B  7000 B         -     -  peak: ok
            """)

    def test_broken(self):
        self.check_output(
            ["check", "--max-peak", "6999", "--max-held", "3KiB",
             "full.tmz"], """\
            full.tmz: 1 of 2 limits is broken
             value   limit  baseline  over  limit of
            7000 B  6999 B         -  +1 B  peak: too much
            2064 B  3072 B         -     -  held: ok

            2 lines by peak size
            at peak   share  blocks  average     now  line
             4000 B   57.1%       4   1000 B  2000 B  app.py:5 read()
                                                        return data.split()
             3000 B   42.9%       1   3000 B     0 B  app.py:4 read()
                                                        data = open(path).read()
             7000 B  100.0%       5   1400 B  2064 B  total
            """, status=1)

    def test_growth(self):
        arguments = ["check", "--baseline", "a.tmz", "b.tmz", "--max-growth"]
        self.check_output([*arguments, "32%", "-n", "1"], """\
            b.tmz against a.tmz: the limit is broken
             value   limit  baseline   over  limit of
            4124 B  4105 B    3110 B  +19 B  growth of held: too much

            3 lines changed, 1 shown, by size
             change    size  change  blocks  line
            +1000 B  4000 B      +1       4  app.py:5
                                               return data.split()
              +14 B    24 B       0       1  2 more
            +1014 B  4124 B      +1       7  total
            """, status=1)
        self.output(*arguments, "33%")
        self.output(*arguments, "1014")
        self.output(*arguments, "1013", status=1)

    def test_growth_of_the_peak(self):
        full_snapshot((5, "read", (2, 2000), (9, 9000), (8, 8000)),
                      ).dump("more.tmz")
        found = self.json("check", "--max-growth", "10%", "--baseline",
                          "full.tmz", "more.tmz", status=1)
        self.assertEqual(found["limits"], [
            {"what": "growth of held", "value": 2000, "limit": 2270,
             "baseline": 2064, "unit": "bytes", "broken": False},
            {"what": "growth of peak", "value": 8000, "limit": 7700,
             "baseline": 7000, "unit": "bytes", "broken": True}])
        self.assertIs(found["ok"], False)

    def test_blocks(self):
        self.output("check", "--max-blocks", "6", "a.tmz")
        found = self.json("check", "--max-blocks", "5", "a.tmz", status=1)
        self.assertEqual(found["cause"]["sort"], "count")

    def test_quiet_cause(self):
        text = self.output("check", "--max-held", "1", "-n0", "a.tmz",
                           status=1)
        self.assertEqual(len(text.splitlines()), 3)

    def test_wrong_use(self):
        for arguments, text in (
                (["a.tmz"], "there is no limit"),
                (["--max-growth", "5%", "a.tmz"], "need each other"),
                (["--baseline", "a.tmz", "a.tmz"], "need each other"),
                (["--max-growth", "5x", "--baseline", "a.tmz", "a.tmz"],
                 "'5x' is neither a percentage"),
                (["--max-peak", "much", "a.tmz"],
                 "'much' is no size such as"),
                (["--max-peak", "1", "a.tmz"],
                 "a.tmz: the file does not tell the peak")):
            with self.subTest(arguments):
                self.assertIn(text, self.fails("check", *arguments))


class ExportTests(CommandTests):
    def test_collapsed(self):
        self.check_output(["export", "-f", "collapsed", "a.tmz"], """\
            app.py:6;app.py:2;app.py:5 3000
            app.py:6;app.py:2;app.py:4 100
            app.py:6;app.py:2 10
            """)

    def test_at_peak(self):
        self.check_output(["export", "-f", "collapsed", "--at-peak",
                           "full.tmz"], """\
            <module> (app.py:6);read (app.py:5) 4000
            <module> (app.py:6);read (app.py:4) 3000
            """)

    def test_formats(self):
        found = json.loads(self.output("export", "--json", "full.tmz"))
        self.assertEqual(found["total_size"], 2064)
        rows = list(csv.DictReader(
            self.output("export", "--format", "csv", "full.tmz")
            .splitlines()))
        self.assertEqual([row["size"] for row in rows], ["2000", "64", "0"])
        found = json.loads(self.output("export", "-f", "speedscope",
                                       "a.tmz"))
        self.assertEqual(found["profiles"][0]["endValue"], 3110)

    def test_to_a_file(self):
        before = os.listdir()
        self.assertEqual(self.output("export", "-f", "collapsed", "-o",
                                     "out.txt", "a.tmz"), "")
        self.assertEqual({*os.listdir()} - {*before}, {"out.txt"})
        with open("out.txt", encoding="utf-8") as stream:
            self.assertEqual(len(stream.readlines()), 3)

    def test_failure_leaves_no_file(self):
        before = os.listdir()
        self.assertIn("does not tell 'peak_size'",
                      self.fails("export", "-f", "collapsed", "--at-peak",
                                 "-o", "out.txt", "a.tmz"))
        self.assertEqual(os.listdir(), before)
        self.assertIn("No such file or directory",
                      self.fails("export", "--json", "-o", "no/out.json",
                                 "a.tmz"))

    def test_wrong_use(self):
        self.assertIn("name a --format, one of json, csv, collapsed, ",
                      self.fails("export", "a.tmz"))
        self.assertIn("two different things",
                      self.fails("export", "--json", "-f", "csv", "a.tmz"))
        self.assertIn("has all figures",
                      self.fails("export", "-f", "csv", "--at-peak",
                                 "full.tmz"))


class ArgumentTests(CommandTests):
    def test_help_of_each_command(self):
        for command in COMMANDS:
            with self.subTest(command):
                process = self.start(command, "--help")
                self.assertEqual((process.returncode, process.stderr),
                                 (0, ""))
                self.assertRegex(
                    process.stdout,
                    rf"(?s)\Ausage: python -m tracemalloc {command} .*\n"
                    rf"example: python -m tracemalloc {command} .+\n\Z")

    def test_examples_parse(self):
        for command in COMMANDS[1:]:
            parser = parser_of(command)
            with self.subTest(command):
                words = shlex.split(parser.epilog)
                self.assertEqual(words[4], command)
                parser.parse_args(words[5:])

    @unittest.skipUnless(SOURCE, "TRACEMALLOC_SOURCE names no folder")
    def test_sessions_in_the_manual_parse(self):
        for path in ("Doc", "library", "tracemalloc-cli.rst"), ("README.rst",):
            with open(os.path.join(SOURCE, *path),
                      encoding="utf-8") as stream:
                text = stream.read().replace("\\\n    >", "")
            found = re.findall(
                r"^ +\$ python\S* -m tracemalloc (\S+) (.*)", text, re.M)
            self.assertEqual([command for command, _ in found],
                             ["run", "run", "top", "tree", "diff", "check"])
            for command, arguments in found:
                with self.subTest(command):
                    if command == "run":
                        self.write("word_index.py", "")
                        run.parse(shlex.split(arguments))
                    else:
                        parser_of(command).parse_args(shlex.split(arguments))

    def test_overview(self):
        text = self.output("--help")
        for command in COMMANDS:
            self.assertRegex(text, rf"(?m)^  {command} +\w")
        self.assertEqual(text, self.output("-h"))

    def test_wrong_use(self):
        for arguments, text in (
                ([], "name a command or a snapshot file"),
                (["nothing"], "nothing: there is no such command or file"),
                (["top"], "top: the following arguments are required: FILE"),
                (["top", "--frob", "a.tmz"],
                 "top: unrecognized arguments: --frob"),
                (["top", "a.tmz", "b.tmz"],
                 "top: b.tmz is one file too many: only diff and show take "
                 "several (--help lists the options)"),
                (["diff", "a.tmz"],
                 "diff: the following arguments are required: NEW"),
                (["top", "-n", "-1", "a.tmz"],
                 "top: argument -n/--limit: '-1' is no number"),
                (["top", "--sort", "age", "a.tmz"], "invalid choice: 'age'"),
                (["top", "-g", "age", "a.tmz"], "invalid choice: 'age'"),
                (["top", "--color", "red", "a.tmz"],
                 "invalid choice: 'red'")):
            with self.subTest(arguments):
                self.assertIn(text, self.fails(*arguments))

    def test_units(self):
        for text, number in (("0", 0), ("512", 512), ("512B", 512),
                             ("64k", 65536), ("64KiB", 65536),
                             ("1.5 MiB", 1572864), ("2gb", 1 << 31),
                             ("1T", 1 << 40)):
            self.assertEqual(units.size(text), number)
        for text, number in (("1", 1.0), ("0.5s", 0.5), ("2min", 120.0),
                             ("3m", 180.0), ("1h", 3600.0)):
            self.assertEqual(units.seconds(text), number)
        for function, texts in (
                (units.size, ("", "x", "1 kk", "-1", "1e3", "\u0663")),
                (units.seconds, ("", "0", "-1s", "1d")),
                (units.number, ("-1", "1.0", "\u0663", "1" * 10)),
                (units.frames, ("0", "65536", "x"))):
            for text in texts:
                with self.subTest(text), self.assertRaises(ValueError):
                    function(text)


class FileTests(CommandTests):
    """Files that cannot be used: one line, and status 2."""

    def test_missing(self):
        self.assertEqual(self.fails("top", "no.tmz"),
                         "top: no.tmz: No such file or directory")
        self.assertEqual(self.fails("diff", "a.tmz", "no.tmz"),
                         "diff: no.tmz: No such file or directory")

    def test_folder(self):
        self.assertEqual(self.fails("top", "."), "top: .: Is a directory")

    @unittest.skipIf(os.name == "nt" or not hasattr(os, "geteuid")
                     or os.geteuid() == 0, "everybody may read all files")
    def test_forbidden(self):
        os.chmod("a.tmz", 0)
        self.assertEqual(self.fails("top", "a.tmz"),
                         "top: a.tmz: Permission denied")

    def test_foreign(self):
        self.assertIn("'app.py' is no snapshot file",
                      self.fails("top", "app.py"))

    def test_empty(self):
        self.write("empty.tmz", "")
        self.assertIn("'empty.tmz'", self.fails("stats", "empty.tmz"))

    def test_truncated(self):
        for name in "full.tmz", "p.pickle":
            if name == "p.pickle":
                snapshot_of((1000, 3, 5, 2, 6)).dump(name)
            with open(name, "rb") as stream:
                data = stream.read()
            for length in range(1, len(data), max(len(data) // 20, 1)):
                with self.subTest(name, length=length):
                    with open("cut", "wb") as stream:
                        stream.write(data[:length])
                    self.assertIn("'cut'", self.fails("top", "cut"))

    def test_hostile_pickle(self):
        class Evil:
            def __reduce__(self):
                return os.mkdir, ("made",)
        with open("evil.pickle", "wb") as stream:
            pickle.dump(Evil(), stream)
        for command in ("top", "tree", "stats", "traceback"):
            self.assertIn("'evil.pickle'", self.fails(command, "evil.pickle"))
        self.assertFalse(os.path.exists("made"))

    def test_too_large(self):
        self.assertIn("'a.tmz'",
                      self.fails("top", "--max-size", "100", "a.tmz"))

    def test_null_in_name(self):
        self.assertIn("embedded null", self.fails("top", "a\0b"))

    def test_names_that_control_terminals(self):
        snapshot_of((8, 1, ("a\033[2J\nb.py", 1), ("c\udc80\u202e.py", 2)),
                    ).dump("names.tmz")
        for command in (["top"], ["tree"], ["traceback"],
                        ["top", "-g", "filename"], ["top", "-g", "module"],
                        ["tree", "-g", "function"],
                        ["diff", "a.tmz"]):
            with self.subTest(command):
                text = self.output(*command, "names.tmz")
                self.assertTrue(text.replace("\n", "").isprintable())
                self.assertIn(r"a\x1b[2J\nb", text)

    def test_file_names_that_control_terminals(self):
        name = "a\033[2J\nb.tmz"
        os.rename("full.tmz", name)
        for command in (["top"], ["tree"], ["traceback"], ["stats"],
                        ["check", "--max-held", "1GiB"],
                        ["check", "--max-held", "1"], ["diff", "a.tmz"],
                        ["show", "-n1"]):
            with self.subTest(command):
                status, text, errors = self.call(*command, name)
                self.assertIn(status, (0, 1))
                self.assertTrue(text.replace("\n", "").isprintable(), text)
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        with (mock.patch.object(files, "_MUCH", 0),
              contextlib.redirect_stderr(Terminal()) as errors,
              contextlib.redirect_stdout(io.StringIO())):
            _cli._main(["top", name])
        self.assertIn(r"reading a\x1b[2J\nb.tmz ...", errors.getvalue())

    def test_exports_to_a_terminal_do_not_control_it(self):
        snapshot_of((8, 1, ("a\033[2J\r\x9bb.py", 1))).dump("names.tmz")

        class Terminal(io.StringIO):
            def isatty(self):
                return True

        for kind in "csv", "collapsed", "json", "speedscope":
            with contextlib.redirect_stdout(Terminal()) as stream:
                _cli._main(["export", "--format", kind, "names.tmz"])
            text = stream.getvalue()
            self.assertTrue(text.replace("\n", "").isprintable(), text)
        # Elsewhere, names are as they are.
        self.assertIn("a\033[2J\r\x9bb.py", self.output(
            "export", "--format", "csv", "names.tmz"))

    @unittest.skipUnless(hasattr(os, "mkfifo"), "needs named pipes")
    def test_source_is_read_from_regular_files_only(self):
        # Opening such a pipe waits for ever.
        os.mkfifo("pipe.py")
        snapshot_of((8, 1, ("pipe.py", 1)), (8, 1, ("/dev/zero", 1)),
                    (8, 1, (self.folder, 1))).dump("names.tmz")
        text = self.output("top", "names.tmz")
        self.assertEqual(len(text.splitlines()), 6)

    def test_metadata_of_strange_types(self):
        full_snapshot((5, "read", (1, 8), (1, 8), (1, 8)), metadata={
            "time": 1e300, "command": 3, "rss": "x", "python": [],
            "path": ["x"], "pid": {"a": "\033"}}).dump("odd.tmz")
        text = self.output("stats", "odd.tmz")
        self.assertIn("  taken                   1e+300\n", text)
        self.assertTrue(text.replace("\n", "").isprintable())


class ScreenTests(CommandTests):
    def test_width(self):
        os.environ["COLUMNS"] = "60"
        name = "/" + "folder/" * 12 + "file.py"
        snapshot_of((8, 1, (name, 7)), (4, 1, 6)).dump("wide.tmz")
        text = self.output("top", "wide.tmz")
        self.assertIn(" 8 B   66.7%       1      8 B  "
                      ".../folder/folder/file.py:7\n", text)
        self.assertTrue(all(len(line) <= 60 for line in text.splitlines()))

    def test_wide_when_piped(self):
        name = "/" + "folder/" * 40 + "file.py"
        snapshot_of((8, 1, (name, 7))).dump("wide.tmz")
        self.assertIn(f"  {name}:7\n", self.output("top", "wide.tmz"))

    def test_cut(self):
        self.assertEqual(screen.cut("abcdef", 5), "ab...")
        self.assertEqual(screen.cut("abcde", 5), "abcde")
        self.assertEqual(screen.cut("\u4e2d\u6587\u4e2d", 5), "\u4e2d...")
        self.assertEqual(screen.cut("a" * 10000000, 5), "aa...")
        self.assertEqual(screen.cut_location("/a/bc/d.py:1", 11),
                         ".../d.py:1")
        for text, width, expected in (
                ("/a/bcdefghijklm", 9, "...hijklm"),
                ("/a/bcdefghijklm:12", 9, "...klm:12"),
                ("/a/b.py:1 function()", 14, ".../b.py:1 ..."),
                ("/a/b.py:1 function()", 17, ".../b.py:1 fun..."),
                ("/a/b.py:1 function()", 9, "...b.py:1"),
                ("x y z.py:3", 9, "...z.py:3"),
                ("<frozen codecs>:325 Decoder.decode()", 30,
                 "<frozen codecs>:325 Decoder..."),
                ("<frozen codecs>:325 decode()", 21, "<frozen codecs>:325"),
                ("<frozen codecs>:325 decode()", 19, "<frozen codecs>:325"),
                ("<frozen codecs>:325 decode()", 12, "...decs>:325"),
                ("/a/b.py:1 function()", 10, ".../b.py:1"),
                ("/a/bc/d.py:f", 10, ".../d.py:f"),
                ("/a/\u4e2d" * 9 + "/d.py:1", 15,
                 ".../a/\u4e2d/d.py:1"),
                ("/a/\u4e2d" * 9 + "/d.py:1", 14, ".../\u4e2d/d.py:1"),
                ("/a" * 1000000 + "/d.py:1", 15, ".../a/a/d.py:1"),
                ("a" * 1000000, 9, "...aaaaaa"),
                ("a" * 1000000 + ":1 function()", 9, "...aaaa:1")):
            with self.subTest(text, width=width):
                found = screen.cut_location(text, width)
                self.assertEqual(found, expected)
                self.assertLessEqual(len(found), width)

    def test_wrapped(self):
        for text, width, expected in (
                ("", 8, [""]), ("a b", 3, ["a b"]), ("a b", None, ["a b"]),
                ("ab cd efg hi", 6, ["ab cd", "efg hi"]),
                ("ab cd  efg", 5, ["ab cd", "efg"]),
                ("ab cdefghijk l", 5, ["ab", "cdefg", "hijk", "l"]),
                ("\u4e2d\u6587 \u4e2d", 5, ["\u4e2d\u6587", "\u4e2d"]),
                ("\u4e2d\u6587\u4e2d", 5, ["\u4e2d\u6587", "\u4e2d"])):
            with self.subTest(text, width=width):
                self.assertEqual(screen.wrapped(text, width), expected)
        lines = screen.wrapped("a" * 10000000, 40)
        self.assertEqual(lines, ["a" * 40] * 7 + ["a" * 37 + "..."])

    def test_titles_are_shown_whole(self):
        os.environ["COLUMNS"] = "40"
        snapshot_of((8, 1, 5)).dump("one-of-a-long-name.tmz")
        snapshot_of((9, 2, 5)).dump("another-of-a-long-name.tmz")
        text = self.output("diff", "one-of-a-long-name.tmz",
                           "another-of-a-long-name.tmz", "-c")
        self.assertEqual(text.partition("change ")[0], textwrap.dedent("""\
            one-of-a-long-name.tmz ->
            another-of-a-long-name.tmz: 1 line
            changed, by size, callers included
            """))

    def test_colors(self):
        plain = self.output("top", "a.tmz")
        for arguments, variables, colored in (
                ([], {}, False), (["--color", "always"], {}, True),
                ([], {"FORCE_COLOR": "1"}, True),
                ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
                (["--color=never"], {"FORCE_COLOR": "1"}, False),
                (["--color=always"], {"NO_COLOR": "1"}, True)):
            with (self.subTest(arguments, **variables),
                  mock.patch.dict(os.environ, variables)):
                text = self.output("top", *arguments, "a.tmz")
                self.assertEqual("\033[33m3000 B\033[0m" in text, colored)
                self.assertEqual(re.sub("\033\\[\\d*m", "", text), plain)

    @unittest.skipUnless(hasattr(os, "openpty"), "needs pseudo-terminals")
    def test_terminal(self):
        import fcntl
        import struct
        import termios
        name = "/" + "folder/" * 12 + "file.py"
        snapshot_of((8, 1, (name, 7))).dump("wide.tmz")
        for variables, colored in (
                ({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False),
                ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
            with self.subTest(**variables):
                ours, theirs = os.openpty()
                with open(ours, "rb", buffering=0) as stream:
                    fcntl.ioctl(theirs, termios.TIOCSWINSZ,
                                struct.pack("4H", 24, 70, 0, 0))
                    process = subprocess.Popen(
                        [sys.executable, "-m", "tracemalloc", "top",
                         "wide.tmz"], stdin=theirs, stdout=theirs,
                        stderr=theirs, env={**os.environ, **variables})
                    os.close(theirs)
                    text = b""
                    with contextlib.suppress(OSError):
                        # EIO when the last of them has closed it.
                        while part := stream.read(4096):
                            text += part
                self.assertEqual(process.wait(), 0)
                text = text.decode()
                self.assertEqual("\033[" in text, colored)
                text = re.sub("\033\\[\\d*m", "", text)
                self.assertIn(" .../folder/folder/folder/file.py:7\r\n", text)
                self.assertTrue(all(len(line) <= 70
                                    for line in text.splitlines()))

    def test_progress(self):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        with mock.patch.object(sys, "stderr", Terminal()) as stream:
            with files.Progress("reading x"):
                self.assertEqual(stream.getvalue(),
                                 "\r\033[Kreading x ...")
            self.assertEqual(stream.getvalue(),
                             "\r\033[Kreading x ...\r\033[K")
        for size, shown in (os.stat("a.tmz").st_size, True), (1 << 30, False):
            with (mock.patch.object(files, "_MUCH", size),
                  contextlib.redirect_stdout(io.StringIO()),
                  mock.patch.object(sys, "stderr", Terminal()) as stream):
                _cli._main(["top", "a.tmz"])
            self.assertEqual("reading a.tmz ..." in stream.getvalue(), shown)
        with (mock.patch.object(files, "_MUCH", 0),
              mock.patch.object(sys, "stderr", io.StringIO()) as stream):
            self.output("top", "a.tmz")
            self.assertEqual(stream.getvalue(), "")

    def test_progress_says_how_far_it_is_after_two_seconds(self):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        # Each look at the clock finds it 0.3 seconds later.
        seconds = map(0.3.__mul__, itertools.count())
        for stream in Terminal(), io.StringIO():
            with mock.patch.object(sys, "stderr", stream):
                with files.Progress("writing x",
                                    lambda: next(seconds)) as line:
                    for done in range(10):
                        line.step(done, 10)
            texts = stream.getvalue().split("\r\033[K")
            self.assertEqual(texts, [
                "", "writing x ...", *(f"writing x ... {percent}%"
                                       for percent in (60, 70, 80, 90)), ""]
                if stream.isatty() else [""])

    def test_exports_tell_how_far_they_are(self):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        for output in [], ["-o", "out.json"]:
            with (mock.patch.object(files, "_PATIENCE", -1),
                  contextlib.redirect_stdout(io.StringIO()),
                  mock.patch.object(sys, "stderr", Terminal()) as stream):
                self.assertEqual(
                    _cli._main(["export", "--json", "a.tmz", *output]), 0)
            self.assertIn("0%", stream.getvalue())
            self.assertTrue(stream.getvalue().endswith("\r\033[K"))

    @unittest.skipUnless(hasattr(os, "mkfifo"), "needs named pipes")
    def test_interrupted(self):
        os.mkfifo("pipe.tmz")
        with subprocess.Popen(
                [sys.executable, "-m", "tracemalloc", "top", "pipe.tmz"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            # Opened when the process opens it, to read what never comes.
            with open("pipe.tmz", "wb"):
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.communicate(), (b"", b""))
        self.assertEqual(process.returncode, -signal.SIGINT)

    def test_output_cannot_be_written(self):
        process = subprocess.run(
            [sys.executable, "-c", "import os, sys; os.close(1); "
             "os.execv(sys.executable, [sys.executable, '-m', 'tracemalloc', "
             "'top', 'a.tmz'])"], stderr=subprocess.PIPE, text=True)
        self.assertEqual((process.returncode, process.stderr), (
            2, "python -m tracemalloc: standard output is closed\n"))
        if not os.path.exists("/dev/full"):
            return
        with open("/dev/full", "wb") as stream:
            process = subprocess.run(
                [sys.executable, "-m", "tracemalloc", "top", "a.tmz"],
                stdout=stream, stderr=subprocess.PIPE, text=True)
        self.assertEqual((process.returncode, process.stderr), (
            1, "python -m tracemalloc top: the output cannot be written: "
               "No space left on device\n"))

    def test_broken_pipe(self):
        snapshot_of(*((8, 1, (f"file{number}.py", 1))
                      for number in range(4000))).dump("many.tmz")
        reading, writing = os.pipe()
        os.close(reading)
        try:
            process = subprocess.run(
                [sys.executable, "-m", "tracemalloc", "top", "-n", "5000",
                 "many.tmz"], stdout=writing, stderr=subprocess.PIPE)
        finally:
            os.close(writing)
        self.assertEqual((process.returncode, process.stderr), (1, b""))

    def test_narrow_encoding(self):
        snapshot_of((8, 1, ("\u4e2d.py", 1))).dump("names.tmz")
        process = self.start("top", "names.tmz",
                             env={**os.environ, "PYTHONIOENCODING": "ascii"})
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        self.assertIn("  \\u4e2d.py:1\n", process.stdout)


if __name__ == "__main__":
    unittest.main()
