"""python -m tracemalloc: what grew, whose it is, and chains of calls.

tree and traceback of two snapshots are compared with what is counted from the
blocks themselves.
"""

import os
import random
import tracemalloc
import unittest
from test.tracemalloc_commands import (
    CommandTests, full_snapshot, snapshot_of)

from tracemalloc import _mine
from tracemalloc._cli import programs
from tracemalloc._cli.mine import with_values
from tracemalloc._installed import is_installed

PACKAGE = "/venv/lib/python3.13/site-packages/web/core.py"
OTHER = "/venv/lib/python3.13/site-packages/wsgi.py"
OTHERS = "<no frame is mine>"


def blocks_of(snapshot):
    """Return [(frames, the oldest first; size)] of all blocks."""
    return [([(frame.filename, frame.lineno) for frame in trace.traceback],
             trace.size) for trace in snapshot.traces]


def sums_below(snapshot):
    """Return {call path: [bytes, blocks]} of all paths and their callers."""
    sums = {}
    for frames, size in blocks_of(snapshot):
        for end in range(len(frames) + 1):
            entry = sums.setdefault(tuple(frames[:end]), [0, 0])
            entry[0] += size
            entry[1] += 1
    return sums


def random_snapshot(seed, paths):
    generator = random.Random(seed)
    traces = [(generator.randrange(1, 2000), generator.randrange(1, 4), *path)
              for path in paths if generator.random() < 0.7]
    return snapshot_of(*traces, limit=12)


def random_paths(seed):
    """Return call paths with stems in common, the newest frame first."""
    generator = random.Random(seed)
    paths = [()]
    for _ in range(120):
        paths.append((generator.randrange(1, 9),
                      *generator.choice(paths))[-12:])
    return sorted(set(paths[1:]))


def flattened(tree, path=()):
    """Yield (call path, node) of a tree as JSON."""
    yield path, tree
    for node in tree["children"]:
        yield from flattened(
            node, (*path, (node["filename"], node["lineno"])))


class TreeTests(CommandTests):
    def test_what_grew(self):
        self.check_output(["tree", "a.tmz", "b.tmz"], """\
            a.tmz -> b.tmz: net +1014 B in +1 block; calls that lead to what \
changed, by size
             change    size  change  blocks  call
            +1014 B  4124 B      +1       7  total
            +1014 B  4124 B      +1       7  app.py:6
             +990 B  4100 B       0       6  app.py:2
            +1000 B  4000 B      +1       4  app.py:5
            """)

    def test_what_shrank_and_what_is_gone(self):
        self.check_output(["tree", "--min", "0", "b.tmz", "a.tmz"], """\
            b.tmz -> a.tmz: net -1014 B in -1 block; calls that lead to what \
changed, by size
             change    size  change  blocks  call
            -1014 B  3110 B      -1       6  total
            -1014 B  3110 B      -1       6  app.py:6
             -990 B  3110 B       0       6  app.py:2
            -1000 B  3000 B      -1       3  app.py:5
            """)
        snapshot_of((10, 1, 3, 6), (40, 1, 4, 6)).dump("one.tmz")
        snapshot_of((10, 1, 3, 6), (70, 2, 5, 6)).dump("two.tmz")
        self.check_output(["tree", "one.tmz", "two.tmz"], """\
            one.tmz -> two.tmz: net +100 B in +1 block; calls that lead to \
what changed, by size
            change   size  change  blocks        call
            +100 B  150 B      +1       3        total
            +100 B  150 B      +1       3        app.py:6
            +140 B  140 B      +2       2   new  |- app.py:5
             -40 B    0 B      -1       0  gone  `- app.py:4
            """)

    def test_growth_does_not_hide_what_shrinks_as_much(self):
        snapshot_of((900, 1, 4, 2, 6), (9, 1, 3, 6)).dump("one.tmz")
        snapshot_of((900, 1, 5, 2, 6), (9, 1, 3, 6)).dump("two.tmz")
        text = self.output("tree", "one.tmz", "two.tmz")
        self.assertIn("net 0 B in 0 blocks", text)
        self.assertEqual([line.split(" app.py:")[1] for line
                          in text.splitlines() if " app.py:" in line],
                         ["6", "2", "5", "4"])

    def test_nothing_changed(self):
        for arguments in ["tree"], ["tree", "--inverted"], ["traceback"]:
            self.assertEqual(self.output(*arguments, "a.tmz", "a.tmz"),
                             "a.tmz -> a.tmz: nothing changed\n")
            snapshot_of().dump("none.tmz")
            self.assertEqual(self.output(*arguments, "none.tmz", "none.tmz"),
                             "none.tmz -> none.tmz: nothing changed\n")

    def test_each_node_has_the_sums_of_its_blocks(self):
        for seed in range(8):
            paths = random_paths(seed)
            old, new = (random_snapshot(1000 + 2 * seed + at, paths)
                        for at in range(2))
            old.dump("old.tmz")
            new.dump("new.tmz")
            tree = self.json("tree", "--min=0", "old.tmz", "new.tmz")["tree"]
            before, after = sums_below(old), sums_below(new)
            own = self.changed_paths(old, new)
            seen = set()
            for path, node in flattened(tree):
                was, now = before.get(path, [0, 0]), after.get(path, [0, 0])
                self.assertEqual(
                    (node["size"], node["count"], node["size_diff"],
                     node["count_diff"]),
                    (*now, now[0] - was[0], now[1] - was[1]))
                expected = ("new" if was == [0, 0] else
                            "gone" if now == [0, 0] else None)
                self.assertEqual(node.get("state"), expected)
                seen.add(path)
                changes = [abs(each["size_diff"])
                           for each in node["children"]]
                self.assertEqual(changes, sorted(changes, reverse=True))
            # All that changed, and their callers; nothing else.
            self.assertEqual(seen, {path[:end] for path in own
                                    for end in range(len(path) + 1)} | {()})

    @staticmethod
    def changed_paths(old, new):
        sums = {}
        for snapshot, sign in (old, -1), (new, 1):
            for frames, size in blocks_of(snapshot):
                entry = sums.setdefault(tuple(frames), [0, 0])
                entry[0] += sign * size
                entry[1] += sign
        return {path: entry for path, entry in sums.items() if any(entry)}

    def test_callers_of_what_changed(self):
        self.check_output(["tree", "--inverted", "a.tmz", "b.tmz"], """\
            a.tmz -> b.tmz: net +1014 B in +1 block; callers of the lines \
that changed, by size
             change    size  change  blocks       call
            +1014 B  4124 B      +1       7       total
            +1000 B  4000 B      +1       4       |- app.py:5
            +1000 B  4000 B      +1       4       |  app.py:2
            +1000 B  4000 B      +1       4       |  app.py:6
              +24 B    24 B      +1       1  new  `- app.py:6
            (1 branch below 1% left out; --min 0 shows all)
            """)

    def test_other_groups_figures_and_filters(self):
        snapshot_of((10, 9, 3, 6), (4000, 1, 4, 6)).dump("more.tmz")
        tree = self.json("tree", "--sort", "count", "-g", "filename",
                         "a.tmz", "more.tmz")
        self.assertEqual((tree["old"], tree["new"], tree["sort"]),
                         ("a.tmz", "more.tmz", "count"))
        self.assertEqual(tree["tree"]["children"][0] | {"children": 0}, {
            "filename": "app.py", "size": 4090, "count": 10, "size_diff": 980,
            "count_diff": 4, "children": 0})
        text = self.output("tree", "--sort", "count", "a.tmz", "more.tmz")
        self.assertIn("\nchange  blocks   change    size        call\n", text)
        tree = self.json("tree", "--include", "app.py:4", "a.tmz",
                         "more.tmz")["tree"]
        self.assertEqual((tree["size"], tree["size_diff"]), (4000, 3900))

    def test_figures_of_the_peak_and_of_what_was_allocated(self):
        full_snapshot((5, "read", (2, 2000), (9, 9000), (4, 4500)),
                      (2, "load", (1, 64), (1, 64), (0, 0)),
                      ).dump("later.tmz")
        for option, change in (("--at-peak", 4500 - 7000),
                               ("--allocated", 9064 - 35064)):
            tree = self.json("tree", option, "full.tmz", "later.tmz")["tree"]
            self.assertEqual(tree["size_diff"], change)
        self.assertIn("the file tells what is live only", self.fails(
            "tree", "--at-peak", "a.tmz", "full.tmz"))

    def test_limits_that_differ(self):
        snapshot_of((10, 1, 3, 2, 6), limit=3).dump("deep.tmz")
        snapshot_of((10, 1, 3, 2), limit=2).dump("flat.tmz")
        status, out, err = self.call("tree", "deep.tmz", "flat.tmz")
        self.assertEqual((status, out),
                         (0, "deep.tmz -> flat.tmz: nothing changed\n"))
        self.assertIn("deep.tmz keeps 3 frames of a call path, flat.tmz 2: "
                      "the newest 2 are compared", err)

    def test_paths_that_are_too_many_and_too_deep(self):
        # Some kilobytes, in which each of many paths is cut elsewhere.
        frames = [("deep.py", line) for line in range(1, 3001)]
        snapshot_of(*((8, 1, *frames[at:]) for at in range(400)),
                    limit=5000).dump("deep.tmz")
        snapshot_of((8, 1, *frames), limit=1500).dump("flat.tmz")
        for command in "tree", "traceback":
            status, _, err = self.call(command, "--max-size", "4MiB",
                                       "deep.tmz", "flat.tmz")
            self.assertEqual(status, 2)
            self.assertRegex(err, r"deep.tmz and flat.tmz: the snapshot's "
                             r"call paths take [^\n]+ of memory, and "
                             r"4096 KiB are allowed; [^\n]+ --max-size\n\Z")

    def test_pickles_and_compact_files(self):
        snapshot_of((1000, 3, 5, 2, 6), limit=5).dump("old.pickle")
        text = self.output("tree", "old.pickle", "b.tmz")
        self.assertIn("net +1124 B in +4 blocks", text)

    def test_options_between_the_files(self):
        self.assertEqual(self.output("tree", "a.tmz", "--min", "0", "b.tmz"),
                         self.output("tree", "--min", "0", "a.tmz", "b.tmz"))


class TracebackTests(CommandTests):
    def test_call_paths_that_grew(self):
        self.check_output(["traceback", "a.tmz", "b.tmz", "-n", "2"], """\
            a.tmz -> b.tmz: net +1014 B in +1 block; 3 call paths changed, \
2 shown, by size

            #1: +1000 B in +1 block, now 4000 B in 4 blocks
              app.py:6
                  cache = load("words")
              app.py:2
                  return read(path) + [1]
              app.py:5
                  return data.split()

            #2: +24 B in +1 block, new
              app.py:6
                  cache = load("words")
            """)

    def test_json_and_order(self):
        found = self.json("traceback", "a.tmz", "b.tmz", "--sort", "count")
        self.assertEqual(
            [([frame["lineno"] for frame in group["traceback"]],
              group["size_diff"], group["count_diff"], group.get("state"))
             for group in found["groups"]],
            [([6, 2, 5], 1000, 1, None), ([6], 24, 1, "new"),
             ([6, 2], -10, -1, "gone")])
        self.assertEqual(found["total"], {
            "size": 4124, "size_diff": 1014, "count": 7, "count_diff": 1})
        self.assertEqual(found["more"], {"groups": 0})

    def test_changes_are_those_of_compare_to(self):
        for seed in range(5):
            paths = random_paths(seed)
            old, new = (random_snapshot(seed * 7 + at, paths)
                        for at in range(2))
            old.dump("old.tmz")
            new.dump("new.tmz")
            found = self.json("traceback", "-n", "999", "old.tmz", "new.tmz")
            expected = {
                tuple(frame.lineno for frame in diff.traceback):
                (diff.size, diff.size_diff, diff.count, diff.count_diff)
                for diff in new.compare_to(old, "traceback")
                if diff.size_diff or diff.count_diff}
            self.assertEqual({
                tuple(frame["lineno"] for frame in group["traceback"]):
                (group["size"], group["size_diff"], group["count"],
                 group["count_diff"]) for group in found["groups"]}, expected)

    def test_most_recent_frames(self):
        text = self.output("traceback", "--frames=1", "-n1", "a.tmz", "b.tmz")
        self.assertIn("(2 older calls)\n  app.py:5\n", text)


class ChainTests(CommandTests):
    def chain(self, *newest, own=()):
        """Return frames, the newest first: four of packages, then line 6."""
        return (*newest, (OTHER, 9), (OTHER, 8), (PACKAGE, 7), (PACKAGE, 5),
                6)

    def calls(self, *arguments):
        return [line.split("  ", 3)[-1].strip() for line
                in self.output("tree", *arguments).splitlines()[2:]]

    def test_chains_of_installed_files_are_one_line(self):
        snapshot_of((40, 1, *self.chain(3)), limit=9).dump("one.tmz")
        self.check_output(["tree", "one.tmz"], """\
            one.tmz: calls that lead to memory, by size
            size   share  blocks  call
            40 B  100.0%       1  total
            40 B  100.0%       1  app.py:6
            40 B  100.0%       1  ... 4 frames of web, wsgi
            40 B  100.0%       1  app.py:3
            """)
        self.assertEqual(len(self.output("tree", "--unfold", "one.tmz")
                             .splitlines()), 9)
        # Programs get all of them.
        tree = self.json("tree", "one.tmz")["tree"]
        self.assertEqual(len([*flattened(tree)]), 7)

    def test_no_frame_with_bytes_of_its_own_is_hidden(self):
        stem = self.chain()
        for at in range(4):
            with self.subTest(at):
                snapshot_of((4000, 1, *self.chain(3)), (1, 1, *stem[at:]),
                            limit=9).dump("one.tmz")
                text = self.output("tree", "--full-paths", "one.tmz")
                name, line = stem[at]
                self.assertIn(f"{name}:{line}\n", text)

    def test_no_frame_of_mine_is_hidden(self):
        snapshot_of((40, 1, *self.chain(3)), limit=9).dump("one.tmz")
        text = self.output("tree", "--full-paths", "--mine=web",
                           "one.tmz")
        self.assertIn(f"{PACKAGE}:5\n", text)
        self.assertIn(f"{PACKAGE}:7\n", text)
        self.assertNotIn("frames of", text)

    def test_forks_end_a_chain(self):
        snapshot_of((40, 1, *self.chain(3)),
                    (30, 1, 4, *self.chain()[1:]), limit=9).dump("one.tmz")
        self.check_output(["tree", "one.tmz"], """\
            one.tmz: calls that lead to memory, by size
            size   share  blocks  call
            70 B  100.0%       2  total
            70 B  100.0%       2  app.py:6
            70 B  100.0%       2  web/core.py:5
            70 B  100.0%       2  web/core.py:7
            70 B  100.0%       2  wsgi.py:8
            40 B   57.1%       1  |- wsgi.py:9
            40 B   57.1%       1  |  app.py:3
            30 B   42.9%       1  `- app.py:4
            """)

    def test_many_modules(self):
        frames = [(f"/x/site-packages/p{number}/a.py", 1)
                  for number in range(7)]
        snapshot_of((40, 1, 3, *frames, 6), limit=9).dump("one.tmz")
        self.assertIn("... 7 frames of p6, p5, p4, p3 and 3 more\n",
                      self.output("tree", "one.tmz"))

    def test_upside_down(self):
        snapshot_of((40, 1, *self.chain(3)), limit=9).dump("one.tmz")
        self.assertIn("... 4 frames of wsgi, web\n",
                      self.output("tree", "--inverted", "one.tmz"))
        # The line that allocates is shown, whosever it is.
        snapshot_of((40, 1, *self.chain()), limit=9).dump("one.tmz")
        text = self.output("tree", "--inverted", "one.tmz")
        self.assertIn(" wsgi.py:9\n", text)
        self.assertIn("... 3 frames of wsgi, web\n", text)

    def test_levels_count_a_chain_once(self):
        snapshot_of((40, 1, *self.chain(3)), limit=9).dump("one.tmz")
        text = self.output("tree", "--depth", "2", "one.tmz")
        self.assertTrue(text.endswith("... 4 frames of web, wsgi\n"), text)

    def test_what_grew(self):
        snapshot_of((40, 1, *self.chain(3)), (5, 1, (PACKAGE, 7),
                                             (PACKAGE, 5), 6),
                    limit=9).dump("one.tmz")
        snapshot_of((40, 9, *self.chain(3)), (5, 1, (PACKAGE, 7),
                                             (PACKAGE, 5), 6),
                    limit=9).dump("two.tmz")
        self.assertIn("... 4 frames of web, wsgi\n",
                      self.output("tree", "one.tmz", "two.tmz"))

    def test_modules_cannot_control_a_terminal(self):
        frames = [(f"/x/site-packages/\x1b[2J/{at}.py", 1) for at in range(3)]
        snapshot_of((40, 1, 3, *frames), limit=9).dump("one.tmz")
        self.assertNotIn("\x1b", self.output("tree", "one.tmz"))


class MineTests(CommandTests):
    def setUp(self):
        super().setUp()
        here = self.here = os.path.join(self.folder, "shop", "cart.py")
        there = os.path.join(self.folder, ".venv", "lib", "python3.13",
                             "site-packages", "web", "core.py")
        self.there = there
        snapshot = snapshot_of(
            # In a package, asked for by the program; called by a package.
            (1000, 2, (there, 4), (there, 3), (here, 7), (PACKAGE, 1)),
            # By the program itself.
            (10, 1, (here, 8), (PACKAGE, 1)),
            # By nobody of the program.
            (300, 3, (there, 4), (PACKAGE, 1)),
            (5, 1, ("<frozen os>", 4)),
        )
        snapshot.metadata = {"path": [
            self.folder, os.path.dirname(os.path.dirname(there))]}
        snapshot.dump("mine.tmz")

    def groups(self, *arguments):
        return [(group["filename"], group["lineno"], group["size"],
                 group["count"])
                for group in self.json("top", *arguments)["groups"]]

    def test_nearest_frame_below_the_current_folder(self):
        expected = [(self.here, 7, 2000, 2), (OTHERS, 0, 905, 4),
                    (self.here, 8, 10, 1)]
        for arguments in (["--mine", "mine.tmz"], ["mine.tmz", "--mine"],
                          ["--mine=", "mine.tmz"], ["--mine", ".", "mine.tmz"],
                          ["--mine", "-n", "9", "mine.tmz"]):
            with self.subTest(arguments):
                self.assertEqual(self.groups(*arguments), expected)
        self.check_output(["top", "--mine", "-g", "module", "mine.tmz"], f"""\
            mine.tmz: 2 modules by size
            by the nearest frame that is mine: below {self.folder}, but for \
what is installed
              size   share  blocks  average  module
            2010 B   69.0%       3    670 B  shop
             905 B   31.0%       4    226 B  {OTHERS}
            2915 B  100.0%       7    416 B  total
            """)

    HINT = "(most of this is in libraries; {} shows which of your lines it " \
           "is for)"

    def test_a_table_full_of_libraries_names_the_option(self):
        snapshot_of().dump("nothing.tmz")
        for arguments in (["top"], ["top", "-g", "file"],
                          ["diff", "-n", "1", "nothing.tmz"]):
            text = self.output(*arguments, "mine.tmz")
            self.assertEqual(text.splitlines()[-1],
                             self.HINT.format("--mine"))
        for arguments in (["top", "--mine"], ["top", "-g", "module"],
                          ["top", "-g", "traceback"], ["top", "-c"],
                          ["top", "--json"],
                          ["top", "--include", self.here],
                          ["diff", "mine.tmz"],
                          ["diff", "--mine", "mine.tmz"]):
            self.assertNotIn("most of this",
                             self.output(*arguments, "mine.tmz"))
        # Seen from elsewhere, the option has to say what is one's own.
        os.mkdir("elsewhere")
        os.chdir("elsewhere")
        self.addCleanup(os.chdir, self.folder)
        text = self.output("top", "../mine.tmz")
        option = f"--mine={self.folder}/*"
        self.assertIn(self.HINT.format(f"--mine='{self.folder}/*'"), text)
        self.assertIn("shop/cart.py", self.output("top", option,
                                                  "../mine.tmz"))
        # No frame is one's own.
        snapshot_of((9, 1, (self.there, 4), (self.there, 3))).dump("no.tmz")
        self.assertNotIn("most of this", self.output("top", "no.tmz"))

    def test_patterns(self):
        for patterns, lines in (
                (["*/web/*"], [(self.there, 4), (PACKAGE, 1),
                               (OTHERS, 0)]),
                (["web"], [(self.there, 4), (PACKAGE, 1), (OTHERS, 0)]),
                (["web.core"], [(self.there, 4), (PACKAGE, 1), (OTHERS, 0)]),
                (["w?b"], [(self.there, 4), (PACKAGE, 1), (OTHERS, 0)]),
                (["shop"], [(self.here, 7), (OTHERS, 0), (self.here, 8)]),
                (["*/cart.py"], [(self.here, 7), (OTHERS, 0),
                                 (self.here, 8)]),
                (["os"], [(OTHERS, 0), ("<frozen os>", 4)]),
                (["*/cart.py", "--mine=os"],
                 [(self.here, 7), (OTHERS, 0), (self.here, 8),
                  ("<frozen os>", 4)])):
            with self.subTest(patterns):
                found = self.groups("mine.tmz", "--mine", *patterns)
                self.assertEqual({each[:2] for each in found}, set(lines))
                self.assertEqual(sum(each[2] for each in found), 2915)
                self.assertEqual(sum(each[3] for each in found), 7)

    def test_sums_are_those_of_the_blocks(self):
        for seed in range(6):
            snapshot = random_snapshot(seed, random_paths(seed))
            snapshot.dump("some.tmz")
            generator = random.Random(seed)
            mine = set(generator.sample(range(1, 9), 3))
            found = _mine.attributed(snapshot, lambda name: name == "app.py")
            self.assertEqual(found.statistics("lineno"),
                             snapshot.statistics("lineno"))
            # By line: a file of its own for each.
            raw = [(0, trace.size, tuple(
                (f"{frame.lineno}.py", 1) for frame
                in reversed(trace.traceback)), None)
                for trace in snapshot.traces]
            by_file = tracemalloc.Snapshot(raw, 12)
            expected = {}
            for _, size, frames, _ in raw:
                name = next((name for name, _ in frames
                             if int(name.removesuffix(".py")) in mine),
                            OTHERS)
                entry = expected.setdefault(name, [0, 0])
                entry[0] += size
                entry[1] += 1
            found = _mine.attributed(by_file, lambda name: (
                name != OTHERS and int(name.removesuffix(".py")) in mine))
            self.assertEqual(
                {stat.traceback[0].filename: [stat.size, stat.count]
                 for stat in found.statistics("filename")}, expected)

    def test_all_commands(self):
        text = self.output("tree", "--full-paths", "--mine", "mine.tmz")
        self.assertIn(f"{self.here}:7\n", text)
        self.assertIn(f"{OTHERS}\n", text)
        self.assertNotIn(self.there, text)
        text = self.output("traceback", "--full-paths", "--mine", "-n1",
                           "mine.tmz")
        self.assertTrue(text.endswith(
            f"  {PACKAGE}:1\n  {self.here}:7\n"), text)
        snapshot_of((8, 1, (self.there, 4), (self.here, 7))).dump("old.tmz")
        for command in "diff", "tree", "traceback":
            text = self.output(command, "--full-paths", "--mine", "old.tmz",
                               "mine.tmz")
            self.assertIn(f"{self.here}:7", text)
            self.assertNotIn(self.there, text)
        found = self.json("stats", "--mine", "mine.tmz")
        self.assertEqual((found["mine"], found["others"], found["size"]),
                         ({"size": 2010, "count": 3},
                          {"size": 905, "count": 4}, 2915))
        self.assertIn("  held, mine              2010 B in 3 blocks, 69.0%\n",
                      self.output("stats", "--mine", "mine.tmz"))

    def test_filters_look_at_what_allocates(self):
        found = self.groups("--mine", "--include", self.there, "mine.tmz")
        self.assertEqual(found, [(self.here, 7, 2000, 2), (OTHERS, 0, 900, 3)])

    def test_nothing_is_mine(self):
        status, out, err = self.call("top", "--mine=blah", "mine.tmz")
        self.assertEqual(status, 0)
        self.assertIn("mine.tmz: --mine blah matches no frame", err)
        self.assertIn(f"2915 B  100.0%       7    416 B  {OTHERS}\n", out)
        snapshot = snapshot_of((8, 1, ("/far/away/app.py", 1)))
        snapshot.metadata = {"path": ["/far/away", "/usr/lib/python3.13"]}
        snapshot.dump("far.tmz")
        _, _, err = self.call("top", "--mine", "far.tmz")
        self.assertIn(f"--mine finds no file below {self.folder} that is not "
                      "installed: name what is yours, as in --mine='*/shop/*'"
                      ", or here --mine='/far/away/*'", err)
        for path in 5, "/far/away", {"/far/away": 1}, [5, None]:
            snapshot.metadata = {"path": path}
            snapshot.dump("odd.tmz")
            _, _, err = self.call("top", "--mine", "odd.tmz")
            self.assertTrue(err.endswith("as in --mine='*/shop/*'\n"), err)

    def test_only_frames_that_the_limit_leaves(self):
        data = tracemalloc.Snapshot.load("mine.tmz").traces._data
        for limit in range(1, 5):
            snapshot = tracemalloc.Snapshot._of(data, limit, {})
            found = _mine.attributed(snapshot, lambda name: name == self.here)
            expected = {}
            for frames, size in blocks_of(snapshot):
                lines = [frame for frame in frames if frame[0] == self.here]
                key = lines[-1] if lines else (OTHERS, 0)
                expected[key] = expected.get(key, 0) + size
            self.assertEqual({
                (stat.traceback[0].filename, stat.traceback[0].lineno):
                stat.size for stat in found.statistics("lineno")}, expected)

    def test_what_is_installed(self):
        folders = ["/srv", "/opt/py/Lib", "/opt/py/Lib/lib-dynload"]
        for name, expected in (
                ("/srv/app.py", False), ("app.py", False), ("<string>", False),
                ("<frozen os>", True), ("<unknown>", True),
                ("/srv/v/lib/python3.13/site-packages/x.py", True),
                ("/usr/lib/python3/dist-packages/x.py", True),
                ("/usr/lib/python3.11/os.py", True),
                ("/opt/py/Lib/json/decoder.py", True), (os.__file__, True),
                ("C:\\Python313\\Lib\\json\\decoder.py", True),
                ("/usr/lib/python313.zip/os.py", True),
                ("/srv/python3/x.py", False),
                ("/srv/python3.13-demo/x.py", False)):
            with self.subTest(name):
                self.assertIs(is_installed(name, folders), expected)

    def test_groups_that_frames_do_not_name(self):
        for group in "thread", "domain":
            self.assertIn(f"--mine makes no sense with --group-by {group}",
                          self.fails("top", "--mine", "-g", group, "mine.tmz"))

    def test_values(self):
        self.write("x.py", "")
        for arguments, expected in (
                (["--mine", "a.tmz"], ["--mine=", "a.tmz"]),
                (["--mine", "x.py", "a.tmz"], ["--mine=x.py", "a.tmz"]),
                (["a.tmz", "--mine"], ["a.tmz", "--mine="]),
                (["--mine", "*/x", "--json"], ["--mine=*/x", "--json"]),
                (["--mine", "--json"], ["--mine=", "--json"]),
                (["--", "--mine", "b"], ["--", "--mine", "b"]),
                (["--mine", "\0"], ["--mine=\0"])):
            with self.subTest(arguments):
                self.assertEqual(with_values(arguments), expected)


class ProgramTests(CommandTests):
    def test_programs(self):
        for command, expected in (
                ("python app.py -v", "app.py"),
                ("python /srv/app.py", "app.py"),
                ("python -X tracemalloc=25 -W error app.py", "app.py"),
                ("python -I -bb app.py", "app.py"),
                ("python -m shop.serve --port 1", "-m shop.serve"),
                ("python -Im shop", "-m shop"),
                ("python -mshop", "-m shop"),
                ("python -c pass x", "-c pass"),
                ("python -m tracemalloc run -n 3 -o x app.py", "app.py"),
                ("python -m tracemalloc run -n3 --json -m shop x", "-m shop"),
                ("python -m tracemalloc run --output=x -- app.py", "app.py"),
                ("python -m tracemalloc run", None),
                ("python -m tracemalloc top x", None),
                ("python", None), ("python -i", None)):
            with self.subTest(command):
                self.assertEqual(programs.program_of(
                    {"command": command.split()}), expected)
        for command in None, 3, [3, 4], "python app.py", ["python", 4]:
            self.assertIsNone(programs.program_of({"command": command}))
        # Of a file with very many words, no more is looked at.
        for word in "-B", "-X":
            command = ["python", *[word] * 10_000, "app.py"]
            self.assertIsNone(programs.program_of({"command": command}))

    def test_different_programs_are_told(self):
        for name, command in (("one", "python serve.py"),
                              ("same", "python3 /srv/serve.py 8000"),
                              ("other", "python work.py")):
            snapshot = snapshot_of((8, 1, 3))
            snapshot.metadata = {"command": command.split()}
            snapshot.dump(f"{name}.tmz")
        for command in (["diff"], ["tree"], ["traceback"],
                        ["check", "--max-growth=5%", "--baseline"],
                        ["show"]):
            with self.subTest(command):
                status, _, err = self.call(*command, "one.tmz", "same.tmz")
                self.assertEqual((status, err), (0, ""))
                status, _, err = self.call(*command, "one.tmz", "other.tmz")
                self.assertEqual(status, 0)
                self.assertIn("one.tmz is of the program serve.py, other.tmz "
                              "of work.py", err)
        # What is not known is not different.
        self.assertEqual(self.call("diff", "a.tmz", "other.tmz")[2], "")


if __name__ == "__main__":
    unittest.main()
