"""python -m tracemalloc: the commands that read files.

They are called in this process, except where it matters how it was started.
See test_tracemalloc_run and test_tracemalloc_show for the two others, and
test_tracemalloc_console for what all have in common.
"""

import csv
import json
import os
import subprocess
import textwrap
import time
import tracemalloc
import unittest
from test import tracemalloc_files as files
from test.tracemalloc_commands import (
    CommandTests, full_snapshot, snapshot_of)
from unittest import mock


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

    def test_a_file_whose_root_is_in_a_file(self):
        # As no snapshot has it: the way up from a frame has to end all the
        # same where frames of such files are left out.
        for name in ("<frozen importlib._bootstrap>",
                     "/lib/tracemalloc/_cli/run.py"):
            data = files.full_data(path_file=[1, 1, 2])
            data.names[1] = name
            files.full_snapshot(data).dump("root.tmz")
            for options in [], ["--inverted"], ["-g", "filename"]:
                with self.subTest(name=name, options=options):
                    found = self.output("tree", *options, "root.tmz")
                    self.assertIn("744 B  100.0%      10  total", found)

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

    def test_lines_that_are_no_longer_what_they_were_are_told(self):
        def dump(name, *times):
            snapshot = full_snapshot(
                (5, "read", times, (5, 5000), (4, 4000)),
                metadata={"time": 2e9 + times[0]})
            snapshot.dump(name)

        dump("old.tmz", 2, 2000)
        dump("new.tmz", 4, 4000)
        commands = (["diff", "old.tmz", "new.tmz"],
                    ["tree", "old.tmz", "new.tmz"],
                    ["traceback", "old.tmz", "new.tmz"],
                    ["top", "old.tmz"], ["traceback", "old.tmz"])
        # Before both of them, and between.
        for changed, two, one in ((2e9, False, False), (2e9 + 3, True, True)):
            os.utime("app.py", (changed, changed))
            for command in commands:
                with self.subTest(command=command, changed=changed):
                    status, _, errors = self.call(*command)
                    self.assertEqual(status, 0)
                    if not (two if len(command) > 2 else one):
                        self.assertEqual(errors, "")
                        continue
                    self.assertIn("app.py was changed after old.tmz was "
                                  "taken: its lines may be others", errors)
                    self.assertEqual("-g function compares" in errors,
                                     len(command) > 2)
        self.assertEqual(self.call("diff", "-g", "function", "old.tmz",
                                   "new.tmz")[2], "")
        os.unlink("app.py")
        for command in commands:
            self.assertEqual(self.call(*command)[2], "")

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


    def test_families_and_single_processes(self):
        for name, metadata in ("family", {"processes": [1, 2, 3]}), (
                "one", {"processes": [1]}), ("two", {"processes": [1, 2]}):
            full_snapshot((1, "f", (1, 1), (1, 1), (1, 1)), metadata=metadata
                          ).dump(f"{name}.tmz")
        told = ("note: family.tmz is of 3 processes together, one.tmz of one: "
                "--children adds up those of a running one\n")
        for command in "diff", "series":
            for files in ("one.tmz", "family.tmz"), ("family.tmz", "one.tmz"):
                self.assertIn(told, self.call(command, *files)[2])
            self.assertNotIn("processes together", self.call(
                command, "family.tmz", "two.tmz")[2])

    def test_estimates_are_said_to_be(self):
        for name, blocks in ("old", 1), ("new", 2):
            full_snapshot((1, "f", (blocks, 5000 * blocks), (2, 10000),
                           (2, 10000)), metadata={"sample_interval": 4096}
                          ).dump(f"{name}.tmz")
        snapshot_of((100, 1, 5)).dump("exact.tmz")
        full_snapshot((1, "f", (1, 1), (1, 1), (1, 1)), metadata={
            "sizes": "average"}).dump("record.tmz")
        self.assertIn("\nestimated from samples, one per 4096 B\n",
                      self.output("diff", "record.tmz", "new.tmz"))
        self.assertIn(
            "\nsums are exact; sizes of single blocks are averages\n",
            self.output("diff", "record.tmz", "exact.tmz"))
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

    def test_a_dash_is_standard_output(self):
        before = os.listdir()
        self.assertEqual(
            self.output("export", "-f", "collapsed", "-o", "-", "a.tmz"),
            self.output("export", "-f", "collapsed", "a.tmz"))
        self.assertIn("needs a file", self.fails("report", "-o", "-", "a.tmz"))
        self.assertEqual(os.listdir(), before)

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


if __name__ == "__main__":
    unittest.main()
