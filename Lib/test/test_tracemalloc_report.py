"""Pages of python -m tracemalloc report: their data, sums and sizes."""

import contextlib
import io
import os
import random
import subprocess
import sys
import tracemalloc
import unittest
from array import array
from test.tracemalloc_commands import (
    CommandTests, full_snapshot, snapshot_of)
from test.tracemalloc_pages import LOADS, Page
from test.tracemalloc_records import Records
from types import SimpleNamespace

from tracemalloc._cli import _main
from tracemalloc._columns import COLUMNS, SnapshotData
from tracemalloc._report import Limits, history, render
from tracemalloc._report.page import MODULES, TooLarge, bundle
from tracemalloc._viewer.requests import MODULES as VIEWER_MODULES

FIGURES = ("size", "count", "peak_size", "peak_count", "allocated_size",
           "allocated_count", "freed_size", "freed_count")


def random_snapshot(seed, contexts=400, threads=3, lines=40, limit=30,
                    metadata=None, accounts=0):
    """Return a snapshot of call paths that share much; all figures differ."""
    chance = random.Random(seed)
    names = ["", "app.py", "lib.py", "<frozen importlib._bootstrap>",
             *(f"f{number}" for number in range(8)),
             *(f"thread {number}" for number in range(threads)),
             *(f"account {number}" for number in range(accounts))]
    first_account = len(names) - accounts
    columns = {name: [] for name in COLUMNS}

    def add(**numbers):
        for name, number in numbers.items():
            columns[name].append(number)

    def place():
        return {"file": chance.randrange(1, 4),
                "function": chance.randrange(4, 12),
                "line": chance.randrange(1, lines)}

    add(path_parent=0, path_file=0, path_function=0, path_line=0)
    for number in range(1, contexts // 2):
        add(path_parent=chance.randrange(max(0, number - 30), number),
            **{f"path_{name}": value for name, value in place().items()})
    for number in range(contexts):
        live, size = chance.randrange(5), int(chance.paretovariate(0.5)) % 9999
        freed = chance.randrange(50)
        add(context_path=chance.randrange(contexts // 2),
            **{f"context_{name}": value for name, value in place().items()},
            context_end_line=-1, context_column=-1, context_end_column=-1,
            context_domain=chance.randrange(2), context_depth=0,
            context_thread=12 + chance.randrange(threads),
            context_allocated_blocks=live + freed,
            context_allocated_bytes=(live + freed) * size,
            context_freed_blocks=freed, context_freed_bytes=freed * size,
            context_peak_blocks=live + chance.randrange(3),
            context_peak_bytes=live * size + chance.randrange(99))
        if live:
            add(row_context=number, row_size=size, row_count=live)
        if accounts:
            account = chance.randrange(-1, accounts)
            add(context_account=first_account + account if account >= 0
                else 0)
    if not accounts:
        del columns["context_account"]
    data = SnapshotData(names, **{name: array(COLUMNS[name], column)
                                for name, column in columns.items()})
    return tracemalloc.Snapshot._of(data, limit, metadata or {})


def page_of(*snapshots, processes=None, **limits):
    return Page(render(snapshots, [f"{number}.tmz" for number
                                   in range(len(snapshots))], "title",
                       Limits(**limits), processes))


def true_sums(snapshot, figure):
    """Return {frames, the oldest first: sum with callees}, and the total."""
    data, limit = snapshot.traces._data, snapshot.traces._limit
    values = (data.live()[FIGURES.index(figure)] if figure in FIGURES[:2]
              else getattr(data, "context_" + figure.replace(
                  "size", "bytes").replace("count", "blocks")))
    sums = {}
    for context, value in enumerate(values):
        frames = []
        for index, (file, line) in enumerate(data.frames(context, limit)):
            function = data.frame_details(context, index)[0]
            frames.append((file, line, function or ""))
        frames.reverse()
        for end in range(1, len(frames) + 1):
            key = tuple(frames[:end])
            sums[key] = sums.get(key, 0) + value
    return sums, sum(values)


class SumTests(unittest.TestCase):
    def assert_exact(self, page, snapshots):
        for number, snapshot in enumerate(snapshots):
            for figure in FIGURES:
                sums, total = true_sums(snapshot, figure)
                with self.subTest(figure=figure, set=number):
                    for table in "rows", "spots":
                        self.assertEqual(page.total(figure, number, table),
                                         total)
                    for path, value in page.by_path(figure, number).items():
                        self.assertEqual(value, sums.get(path, 0), path)

    def test_figures_of_all_call_paths_are_those_of_the_snapshot(self):
        snapshot = random_snapshot(1)
        page = page_of(snapshot)
        self.assert_exact(page, [snapshot])
        self.assertEqual(page.data["tree"]["leftOut"], 0)
        for figure in FIGURES:
            sums, _ = true_sums(snapshot, figure)
            shown = page.by_path(figure)
            self.assertEqual({path: value for path, value in sums.items()
                              if value},
                             {path: value for path, value in shown.items()
                              if value})

    def test_what_is_left_out_is_in_sums_that_are_exact(self):
        for nodes in 50, 100, 150:
            snapshot = random_snapshot(nodes)
            page = page_of(snapshot, nodes=nodes)
            self.assertLessEqual(len(page.nodes), nodes)
            self.assertGreater(page.data["tree"]["leftOut"], 100)
            self.assertTrue(any(frame is None for _, frame
                                in page.nodes[1:]))
            self.assert_exact(page, [snapshot])

    def test_what_is_left_out_is_below_the_share_that_is_told(self):
        snapshot = random_snapshot(2)
        page = page_of(snapshot, nodes=100)
        shown = page.by_path("size").keys()
        share = page.data["tree"]["share"]
        highest = {}
        for figure in FIGURES:
            sums, total = true_sums(snapshot, figure)
            for path, value in sums.items():
                highest[path] = max(highest.get(path, 0), value / total)
        for path, value in highest.items():
            self.assertEqual(path in shown, value > share, path)

    def test_a_share_can_be_asked_for(self):
        page = page_of(random_snapshot(3), share=0.05)
        self.assertEqual(page.data["tree"]["share"], 0.05)
        whole = page_of(random_snapshot(3))
        self.assertLess(len(page.nodes), len(whole.nodes))
        self.assertEqual(page.total("size"), whole.total("size"))

    def test_paths_of_several_snapshots_are_told_apart_together(self):
        snapshots = [random_snapshot(4), random_snapshot(4, contexts=300),
                     random_snapshot(5)]
        for nodes in 10_000, 200:
            page = page_of(*snapshots, nodes=nodes)
            self.assertEqual(len(page.rows_of), 3)
            self.assert_exact(page, snapshots)

    def test_lines_are_those_of_statistics(self):
        snapshot = random_snapshot(6)
        page = page_of(snapshot, nodes=60)
        expected = {
            (stat.traceback[0].filename, stat.traceback[0].lineno):
            (stat.size, stat.count)
            for stat in snapshot.statistics("lineno")}
        sizes, counts = page.by_line("size"), page.by_line("count")
        self.assertEqual({key: (sizes[key], counts[key]) for key in sizes
                          if sizes[key] or counts[key]}, expected)

    def test_what_tells_rows_apart_is_that_of_statistics(self):
        snapshot = random_snapshot(7, accounts=4)
        page = page_of(snapshot, nodes=60)
        for index, key, name in ((0, "thread", str), (4, "account", str),
                                 (1, "domain", "domain {}".format)):
            sums = {}
            for (_, group), size in zip(page.rows, page.rows_of[0]["size"]):
                value = name(page.groups[group][index])
                sums[value] = sums.get(value, 0) + size
            self.assertEqual(sums, {
                stat.traceback[0].filename: stat.size
                for stat in snapshot.statistics(key)})
        sums = {}
        for (_, group), size in zip(page.rows, page.rows_of[0]["size"]):
            value = page.groups[group][3]
            sums[value] = sums.get(value, 0) + size
        self.assertEqual(sums, {stat.traceback[0].filename: stat.size
                                for stat in snapshot.statistics("module")})

    def test_threads_that_are_too_many_are_one(self):
        snapshot = random_snapshot(8, threads=20)
        page = page_of(snapshot, threads=5)
        names = {thread for thread, *_ in page.groups}
        self.assertEqual(len(names), 6)
        self.assertIn("(other threads)", names)
        self.assert_exact(page, [snapshot])

    def test_accounts_that_are_too_many_are_one(self):
        snapshot = random_snapshot(8, accounts=20)
        page = page_of(snapshot, accounts=5)
        names = {account for *_, account in page.groups}
        self.assertEqual(len(names), 6)
        self.assertLess({"<no account>", "(other accounts)"}, names)
        self.assert_exact(page, [snapshot])

    def test_snapshots_with_accounts_are_compared_with_those_before(self):
        snapshots = [random_snapshot(4), random_snapshot(4, accounts=3)]
        page = page_of(*snapshots)
        self.assert_exact(page, snapshots)
        sums = [dict.fromkeys(("<no account>", *(
            f"account {number}" for number in range(3))), 0) for _ in "01"]
        for number, found in enumerate(sums):
            for (_, group), size in zip(page.rows,
                                        page.rows_of[number]["size"]):
                found[page.groups[group][4]] += size
        self.assertEqual([found["account 1"] > 0 for found in sums],
                         [False, True])
        self.assertEqual(sums[0]["<no account>"], page.total("size", 0))

    def test_without_accounts_all_is_in_none(self):
        page = page_of(random_snapshot(4))
        self.assertEqual({account for *_, account in page.groups},
                         {"<no account>"})

    def test_spots_that_are_too_many_are_lines_and_then_the_rest(self):
        snapshot = random_snapshot(9, lines=4000)
        page = page_of(snapshot, spots=50)
        self.assertLessEqual(len({frame for frame, *_ in page.spots}), 51)
        self.assertIn(None, {frame for frame, *_ in page.spots})
        self.assert_exact(page, [snapshot])

    def test_numbers_of_more_than_64_bits_are_exact(self):
        snapshot = random_snapshot(10, contexts=20)
        data = snapshot.traces._data
        columns = data.columns()
        for name in ("context_allocated_bytes", "context_freed_bytes"):
            columns[name] = array("Q", [(1 << 64) - 7] * len(data))
        data = SnapshotData(data.names, **columns)
        snapshot = tracemalloc.Snapshot._of(data, 30, {})
        page = page_of(snapshot)
        self.assertEqual(page.total("allocated_size"), 20 * ((1 << 64) - 7))

    def test_snapshots_of_other_pythons_tell_live_figures(self):
        page = page_of(snapshot_of((1000, 3, 5, 2, 6), (50, 2, 4, 2, 6)))
        self.assertEqual(set(page.rows_of[0]), {"size", "count"})
        self.assertEqual(page.by_line("size"),
                         {("app.py", 5): 3000, ("app.py", 4): 100})
        self.assertEqual(page.by_path("count"), {
            (("app.py", 6, ""),): 5,
            (("app.py", 6, ""), ("app.py", 2, "")): 5,
            (("app.py", 6, ""), ("app.py", 2, ""), ("app.py", 5, "")): 3,
            (("app.py", 6, ""), ("app.py", 2, ""), ("app.py", 4, "")): 2})

    def test_an_empty_snapshot_has_a_page(self):
        page = page_of(tracemalloc.Snapshot([], 1))
        self.assertEqual(page.nodes, [(0, None)])
        self.assertEqual(page.total("size"), 0)

    def test_contexts_that_hold_nothing_are_on_no_page(self):
        snapshot = full_snapshot((1, "f", (1, 10), (1, 10), (1, 10)),
                                 (2, "g", (0, 0), (0, 0), (0, 0)))
        page = page_of(snapshot)
        self.assertEqual([frame and frame[2] for _, frame in page.nodes],
                         [None, "<module>", "f"])
        self.assertEqual(page.data["tree"]["leftOut"], 0)

    def test_a_snapshot_of_the_peak_has_a_page(self):
        snapshot = random_snapshot(11)
        columns = snapshot.traces._data.columns()
        for name in "row_context", "row_size", "row_count":
            del columns[name]
        peak = tracemalloc.Snapshot._of(
            SnapshotData(snapshot.traces._data.names, **columns), 30, {})
        page = page_of(peak)
        self.assertEqual(page.total("size"),
                         sum(columns["context_peak_bytes"]))
        self.assertEqual(page.total("freed_size"),
                         sum(columns["context_freed_bytes"]))

    def test_call_paths_are_compared_at_the_shortest_limit(self):
        one = snapshot_of((10, 1, 5, 2, 6), limit=3)
        other = random_snapshot(1, limit=1)
        one = tracemalloc.Snapshot._of(
            SnapshotData.from_raw([(0, 10, (("app.py", 5), ("app.py", 2)),
                                    2)]), 3, {})
        page = page_of(one, other)
        self.assertEqual(page.data["tree"]["limit"], 1)
        self.assertEqual({len(path) for path in page.by_path("size")}, {1})
        self.assertEqual(page.total("size", 0), 10)

    def test_samples_are_told_with_the_variance_of_each_node(self):
        snapshot = random_snapshot(12, metadata={"sample_interval": 4096})
        page = page_of(snapshot)
        variances, _ = snapshot.traces._data.variances(4096)
        self.assertAlmostEqual(page.total("size_variance"), sum(variances),
                               delta=len(page.rows))
        self.assertEqual(page.data["snapshots"][0]["interval"], 4096)

    def test_processes_of_one_moment_are_added_up_and_told_apart(self):
        one, other = random_snapshot(13), random_snapshot(14)
        page = page_of(one, other, processes=["process 1", "process 2"])
        self.assertEqual(len(page.rows_of), 1)
        sums = dict.fromkeys(("process 1", "process 2"), 0)
        for (_, group), size in zip(page.rows, page.rows_of[0]["size"]):
            sums[page.groups[group][2]] += size
        self.assertEqual(sums, {
            "process 1": true_sums(one, "size")[1],
            "process 2": true_sums(other, "size")[1]})


def picture_of(pid, state, *moments, started=0, written=None):
    """Return what is asked of a Picture; a moment is (second, 3 figures)."""
    second = 1_000_000_000
    timeline = [(at * second, *figures) for at, *figures in moments]
    if written is None:
        written = moments[-1][0] if moments else started
    return SimpleNamespace(pid=pid, state=state, timeline=timeline,
                           started=started * second, written=written * second)


class HistoryTests(unittest.TestCase):

    def history(self, *pictures, now=1000):
        found = history.history_of(pictures, now)
        rows = list(zip(*(found[name] for name in ("time", "traced", "peak",
                                                   "rss"))))
        return found, rows

    def test_of_one_process_it_is_the_ring(self):
        found, rows = self.history(picture_of(
            7, "gone", (10, 100, 150, 900), (20, 300, 300, 0)))
        self.assertEqual(rows, [(10, 100, 150, 900), (20, 300, 300, None)])
        self.assertEqual((found["written"], found["age"]), (20, 980))
        self.assertIn("killed", found["state"])

    def test_of_a_family_it_is_the_sum_of_what_each_told_last(self):
        found, rows = self.history(
            picture_of(7, "running", (10, 100, 100, 1), (40, 200, 300, 2)),
            picture_of(8, "exited", (20, 10, 10, 10), (30, 5, 15, 10)),
            picture_of(9, "gone", (40, 1000, 1000, 100)))
        self.assertEqual(rows, [
            (10, 100, 100, 1), (20, 110, 110, 11), (30, 100, 115, 1),
            (40, 1200, 1315, 102)])
        self.assertEqual(found["state"],
                         "3 processes: 1 running, 1 exited, 1 gone")

    def test_it_is_bounded_and_has_the_newest(self):
        for length in 0, 1, history.MOST, history.MOST + 1, 9999:
            _, rows = self.history(picture_of(7, "running", *(
                (at, at, at, 1) for at in range(length))))
            self.assertLessEqual(len(rows), history.MOST)
            if length:
                self.assertEqual(rows[-1][0], length - 1)

    def test_figures_that_lie_ahead_are_not_older_than_nothing(self):
        found, _ = self.history(picture_of(7, "running", (5, 1, 1, 1)), now=1)
        self.assertEqual(found["age"], 0)

    def test_only_snapshots_of_that_process_are_on_its_line(self):
        picture = picture_of(7, "running", (30, 1, 1, 1), started=10)
        for metadata, expected in (
                ([{"pid": 7, "time": 20}], True), ([], True),
                ([{"pid": 8, "time": 20}], False),
                ([{"pid": 7, "time": 9}], False),
                ([{"pid": 7, "time": 31}], False),
                ([{"pid": 7, "time": "x"}], False), ([{}], False)):
            self.assertEqual(history.belongs([picture], metadata), expected)
        self.assertFalse(history.belongs([picture] * 2, []))
        self.assertFalse(history.belongs([], []))

    def test_pages_without_records_have_none(self):
        self.assertIsNone(page_of(random_snapshot(1)).data["history"])


class RecordTests(Records):

    def report(self, *arguments):
        name = os.path.join(self.folder, "x.html")
        out = io.StringIO()
        with (contextlib.redirect_stdout(out),
              contextlib.redirect_stderr(out)):
            self.assertEqual(_main(["report", *arguments, "-o", name]), 0)
        with open(name, encoding="utf-8") as stream:
            return Page(stream.read())

    def test_a_record_shows_its_ring_and_one_of_its_snapshots(self):
        first = os.path.join(self.folder, "first.tmz")
        self.run_program("""
            kept = []
            for number in range(10):
                kept.append(bytes(100_000))
                _tracemalloc._write_record()
                if number == 5:
                    tracemalloc.take_snapshot().dump(sys.argv[1])
            os.kill(os.getpid(), 9)
            """, first, status=-9)
        picture = self.record()
        for arguments, snapshots in (([picture.path], 1),
                                     ([self.folder], 1),
                                     ([first, picture.path], 2)):
            page = self.report(*arguments)
            self.assertEqual(len(page.data["snapshots"]), snapshots)
            found = page.data["history"]
            self.assertEqual(found["traced"][-1], picture.current)
            self.assertEqual(found["peak"][-1], picture.peak)
            self.assertLessEqual(len(found["time"]), len(picture.timeline))
            self.assertIn("killed", found["state"])
        self.assertIsNone(self.report(first).data["history"])
        self.assertIsNone(self.report(picture.path, first).data["history"])


class SizeTests(unittest.TestCase):
    def test_a_page_is_as_small_as_it_should_be(self):
        snapshot = random_snapshot(20, contexts=8000, lines=3000)
        whole = len(render([snapshot], ["a"], "a", Limits()))
        for size in whole, whole * 3 // 4, 200_000:
            text = render([snapshot], ["a"], "a", Limits(page_size=size))
            self.assertLessEqual(len(text.encode()), size)
            page = Page(text)
            self.assertEqual(page.total("size"),
                             true_sums(snapshot, "size")[1])

    def test_what_cannot_be_as_small_is_said(self):
        with self.assertRaisesRegex(TooLarge, r"takes \d+ bytes at least"):
            render([random_snapshot(21)], ["a"], "a",
                   Limits(page_size=10_000))

    def test_long_names_are_cut_and_say_how_long_they_are(self):
        name = "/app/" + 65_000 * "x" + "/end.py"
        page = page_of(tracemalloc.Snapshot(
            [(0, 5, ((name, 1),), 1)], 1))
        (shown,) = {file for file, _, _ in page.frames}
        self.assertLess(len(shown), 400)
        self.assertIn("65,012 characters", shown)
        self.assertTrue(shown.startswith("/app/xxx"))
        self.assertTrue(shown.endswith("/end.py"))

    def test_names_that_differ_where_they_are_cut_stay_two(self):
        names = [f"/app/{300 * 'x'}{each}{300 * 'x'}.py" for each in "ab"]
        page = page_of(tracemalloc.Snapshot(
            [(0, 5, ((name, 1),), 1) for name in names], 1))
        self.assertEqual(len(page.nodes), 3)


class TextTests(unittest.TestCase):
    HOSTILE = ("</script><script>alert(1)</script>", "<!--<script>",
               "]]>", "a\u2028b\u2029c", "\u202egnp.exe", "\ud800 lone",
               "\0 null", "'\"&amp;<b>", "\u2066\u2067x", "\x1b[31mred",
               "__proto__", "constructor")

    def hostile_page(self):
        raw = [(0, 10, ((name, 1), (name, 2)), 2) for name in self.HOSTILE]
        metadata = {
            "command": list(self.HOSTILE), "python": self.HOSTILE[0],
            "pid": "</script>", "time": float("inf"), "rss": "x",
            "traced_memory": None, "path": [3, self.HOSTILE[0]]}
        data = SnapshotData.from_raw(raw)
        snapshot = tracemalloc.Snapshot._of(data, 5, metadata)
        return render([snapshot], [self.HOSTILE[0]], self.HOSTILE[0],
                      Limits())

    def test_nothing_of_a_snapshot_is_markup(self):
        plain = Page(render([snapshot_of((1, 1, 5))], ["a"], "a", Limits()))
        page = Page(self.hostile_page())
        self.assertEqual([tag for tag, _ in page.elements],
                         [tag for tag, _ in plain.elements])

    def test_names_come_without_what_hides_or_turns_text(self):
        page = Page(self.hostile_page())
        for text in page.data["tree"]["names"]:
            self.assertTrue(text.isprintable(), ascii(text))
        self.assertIn("\\u202egnp.exe", page.data["tree"]["names"])
        self.assertIn("__proto__", page.data["tree"]["names"])

    def test_metadata_that_make_no_sense_are_not_there(self):
        (found,) = Page(self.hostile_page()).data["snapshots"]
        for name in "pid", "rss", "traced", "time":
            self.assertIsNone(found[name])

    def test_the_policy_allows_our_script_and_style_only(self):
        page = page_of(snapshot_of((1, 1, 5)))
        policy = page.policy()
        (style,) = page.texts("style")
        script = page.texts("script")[1]
        self.assertEqual(policy, {
            "default-src": ["'none'"],
            "script-src": [Page.source_of(script)],
            "style-src": [Page.source_of(style)],
            "base-uri": ["'none'"], "form-action": ["'none'"]})

    def test_the_page_loads_nothing_and_parses_no_text(self):
        page = page_of(snapshot_of((1, 1, 5)))
        self.assertIsNone(LOADS.search(page.text))

    def test_modules_are_put_together_in_order(self):
        texts = {
            "one.js": "export const LEFT = 1;\nexport function two() {}\n",
            "two.js": 'import {LEFT as L, two}\n    from "./one.js";\n'
                      "export class Three {}\n"}
        self.assertEqual(
            bundle(texts.get, ("one", "two")),
            '"use strict";\nconst of_one = (() => {\nconst LEFT = 1;\n'
            "function two() {}\nreturn {LEFT, two};\n})();\n"
            "const of_two = (() => {\nconst {LEFT: L, two} = of_one;\n"
            "class Three {}\nreturn {Three};\n})();\n")
        for text in ('export default 3;\n', 'import * as x from "./one.js";\n',
                     'import {two} from "./three.js";\n'):
            with self.assertRaises(ValueError):
                bundle({**texts, "two.js": text}.get, ("one", "two"))

    def test_every_module_is_on_the_page(self):
        import tracemalloc._report

        folder = os.path.dirname(tracemalloc._report.__file__)
        found = {name.removesuffix(".js") for name in os.listdir(folder)
                 if name.endswith(".js")}
        self.assertEqual(found, {*MODULES, *VIEWER_MODULES})


class SourceTests(CommandTests):
    def page_of_file(self, name, positions, **limits):
        """Return the page of lines of a file: (line, end line, columns)."""
        contexts = [(line, "f", (1, 10), (1, 10), (1, 10))
                    for line, *_ in positions]
        snapshot = full_snapshot(*contexts, filename=name)
        columns = snapshot.traces._data.columns()
        for index, column in enumerate(("end_line", "column", "end_column"),
                                       1):
            columns[f"context_{column}"] = array(
                "i", [position[index] for position in positions])
        data = SnapshotData(snapshot.traces._data.names, **columns)
        return page_of(tracemalloc.Snapshot._of(
            data, 5, {"time": 4e9}), **limits)

    def file_of(self, page):
        (found,) = page.data["sources"]["files"]
        return found

    def test_source_comes_with_what_highlights_it(self):
        page = self.page_of_file(os.path.abspath("app.py"),
                                 [(2, 2, 11, 21), (3, 3, 0, 3)])
        found = self.file_of(page)
        self.assertEqual(found["line"], list(range(1, 7)))
        self.assertEqual(found["text"][1], "    return read(path) + [1]")
        self.assertEqual(found["tokens"][1], [4, 6, 1, 25, 1, 4])
        self.assertEqual(found["tokens"][0][:6], [0, 3, 1, 4, 4, 5])
        self.assertEqual(found["newer"], 0)

    def test_columns_count_characters(self):
        self.write("umlaut.py", "x = 'äöü' + call('ß')\n")
        text = "x = 'äöü' + call('ß')"
        start = len(text[:12].encode())
        page = self.page_of_file(os.path.abspath("umlaut.py"),
                                 [(1, 1, start, len(text.encode()))])
        ((_, end_line, column, end_column, _),) = page.spots
        self.assertEqual((end_line, column, end_column), (1, 12, 21))

    def test_of_long_files_there_is_what_is_near_to_memory(self):
        self.write("long.py", "".join(f"x{n} = {n}\n" for n in range(1000)))
        page = self.page_of_file(os.path.abspath("long.py"),
                                 [(500, 500, 0, 1)])
        found = self.file_of(page)
        self.assertEqual(found["line"],
                         [*range(1, 12), *range(495, 506)])
        self.assertEqual(found["text"][-6], "x499 = 499")
        self.assertEqual(found["total"], 1000)

    def test_only_source_files_are_read(self):
        self.write("secret.txt", "password\n")
        os.symlink("/dev/zero", "zero.py")
        os.mkdir("folder.py")
        os.mkfifo("pipe.py")
        self.write("latin.py", "# -*- coding: unheard-of -*-\n")
        for name in ("secret.txt", "zero.py", "folder.py", "pipe.py",
                     "latin.py", "missing.py", "nu\0ll.py"):
            with self.subTest(name):
                page = self.page_of_file(os.path.abspath(name)
                                         if "\0" not in name else name,
                                         [(1, 1, 0, 1)])
                self.assertEqual(page.data["sources"]["files"], [])

    def test_source_that_is_no_python_has_no_colours(self):
        self.write("odd.py", "x = '''never ends\n$ % &\n")
        found = self.file_of(self.page_of_file(os.path.abspath("odd.py"),
                                               [(1, 1, 0, 1)]))
        self.assertEqual(found["text"][1], "$ % &")

    def test_source_with_lone_surrogates_has_no_colours_from_there_on(self):
        self.write("odd.py", "# coding: utf-7\nx = '+2AA-'\n")
        found = self.file_of(self.page_of_file(os.path.abspath("odd.py"),
                                               [(2, 1, 0, 1)]))
        self.assertEqual(found["text"], ["# coding: utf-7", "x = '\ud800'"])
        self.assertEqual(found["tokens"][1], [])

    def test_source_can_be_left_out(self):
        page = self.page_of_file(os.path.abspath("app.py"), [(2, 2, 0, 3)],
                                 source=0)
        self.assertEqual(page.data["sources"],
                         {"files": [], "leftOut": [], "wanted": False})
        self.assertNotIn("return read(path)", page.text)

    def test_a_file_that_was_changed_since_is_marked(self):
        snapshot = full_snapshot(
            (2, "f", (1, 10), (1, 10), (1, 10)), metadata={"time": 5.0},
            filename=os.path.abspath("app.py"))
        self.assertEqual(self.file_of(page_of(snapshot))["newer"], 1)

    def test_files_for_which_there_is_no_room_are_counted(self):
        self.write("other.py", "y = 1\n" * 100)
        names = [os.path.abspath(name) for name in ("app.py", "other.py")]
        snapshot = tracemalloc.Snapshot(
            [(0, 50, ((names[0], 2),), 1), (0, 5, ((names[1], 2),), 1)], 1)
        page = page_of(snapshot, source=300)
        sources = page.data["sources"]
        files = page.data["tree"]["files"]["name"]
        texts = page.data["tree"]["names"]
        self.assertEqual([texts[files[place]] for place
                          in sources["leftOut"]], names[1:])
        self.assertEqual([texts[files[entry["file"]]] for entry
                          in sources["files"]], names[:1])


class CommandLineTests(CommandTests):
    def page(self, *arguments, name="page.html"):
        out = self.output("report", *arguments, "-o", name)
        size = os.path.getsize(name)
        self.assertEqual(out, f"{name}: {size:,} bytes; open it in a "
                              "browser\n")
        with open(name, encoding="utf-8") as stream:
            return Page(stream.read())

    def test_a_snapshot_becomes_a_page(self):
        page = self.page("full.tmz")
        self.assertEqual(page.data["title"], "full.tmz")
        self.assertEqual(page.by_line("size"), {
            ("app.py", 5): 2000, ("app.py", 2): 64, ("app.py", 4): 0})
        self.assertEqual(page.total("peak_size"), 7000)
        (found,) = page.data["snapshots"]
        self.assertEqual((found["pid"], found["command"]),
                         (7, ["python", "a b.py"]))

    def test_two_snapshots_are_compared(self):
        page = self.page("a.tmz", "b.tmz")
        self.assertEqual(page.data["title"], "a.tmz -> b.tmz")
        self.assertEqual([page.total("size", number) for number in (0, 1)],
                         [3110, 4124])
        self.assertEqual(page.by_line("size", 0)["app.py", 2], 10)
        self.assertEqual(page.by_line("size", 1)["app.py", 2], 0)

    def test_the_page_is_named_for_the_process(self):
        self.output("report", "full.tmz")
        self.output("report", "a.tmz")
        self.assertLessEqual({"tracemalloc.7.html", "tracemalloc.html"},
                             {*os.listdir()})

    def test_filters_are_those_of_other_commands(self):
        page = self.page("a.tmz", "--exclude", "app.py:5")
        self.assertEqual(page.total("size"), 110)

    def test_what_is_compared_may_be_younger_and_of_another_program(self):
        for name, time in ("1.tmz", 50.0), ("2.tmz", 40.0), ("3.tmz", 45.0):
            full_snapshot((5, "f", (1, 1), (1, 1), (1, 1)), metadata={
                "time": time, "command": ["python", f"{name}.py"]}).dump(name)
        status, _, err = self.call("report", "1.tmz", "2.tmz", "-o", "x.html")
        self.assertEqual(status, 0)
        self.assertIn("note: 1.tmz was taken after 2.tmz", err)
        self.assertIn("they may have little in common", err)
        status, _, err = self.call("report", "1.tmz", "2.tmz", "3.tmz", "-o",
                                   "x.html")
        with open("x.html") as stream:
            page = Page(stream.read())
        self.assertEqual([each["name"] for each in page.data["snapshots"]],
                         ["2.tmz", "3.tmz", "1.tmz"])

    def test_files_are_of_four_kinds_and_of_nowhere(self):
        library = os.path.dirname(os.__file__)
        kinds = {"/srv/app/a.py": 0, "<string>": 0,
                 "/x/lib/python3.13/site-packages/p/q.py": 1,
                 "/usr/lib/python3.12/json/decoder.py": 2,
                 f"{library}/json/decoder.py": 2, "<frozen os>": 2,
                 "<frozen importlib._bootstrap>": 3, "<unknown>": 4}
        page = page_of(tracemalloc.Snapshot(
            [(0, 1, ((name, 1),), 1) for name in kinds], 1))
        self.assertEqual(page.kinds, kinds)

    def test_paths_that_are_too_many_and_too_deep_are_refused(self):
        # Some kilobytes, in which each of many paths is cut elsewhere.
        frames = [("deep.py", line) for line in range(1, 3001)]
        snapshot_of(*((8, 1, *frames[at:]) for at in range(400)),
                    limit=5000).dump("deep.tmz")
        snapshot_of((8, 1, *frames), limit=1500).dump("flat.tmz")
        status, _, err = self.call("report", "--max-size", "4MiB", "deep.tmz",
                                   "flat.tmz", "-o", "x.html")
        self.assertEqual(status, 2)
        self.assertRegex(err, r"deep.tmz, flat.tmz: the snapshot's call "
                              r"paths take [^\n]+ --max-size\n\Z")
        page = self.page("deep.tmz")
        self.assertEqual(page.total("size"), 3200)

    def test_limits_that_differ_compare_the_newest_frames(self):
        snapshot_of((10, 1, 3, 2, 6), limit=3).dump("deep.tmz")
        snapshot_of((10, 1, 3, 2), limit=2).dump("flat.tmz")
        page = self.page("deep.tmz", "flat.tmz")
        self.assertEqual([page.by_path("size", number)
                          for number in (0, 1)], 2 * [{
            (("app.py", 2, ""),): 10,
            (("app.py", 2, ""), ("app.py", 3, "")): 10}])

    def test_processes_are_named_by_number_or_file(self):
        for name, pid in ("1.tmz", 11), ("2.tmz", 12), ("3.tmz", []):
            full_snapshot((5, "f", (1, 1), (1, 1), (1, 1)),
                          metadata={"pid": pid}).dump(name)
        page = self.page("1.tmz", "2.tmz", "--processes")
        self.assertEqual({process for _, _, process, *_ in page.groups},
                         {"process 11", "process 12"})
        page = self.page("1.tmz", "3.tmz", "--processes")
        self.assertEqual({process for _, _, process, *_ in page.groups},
                         {"1.tmz", "3.tmz"})
        page = self.page("a.tmz", "b.tmz", "--processes")
        self.assertEqual({process for _, _, process, *_ in page.groups},
                         {"a.tmz", "b.tmz"})

    def test_wrong_arguments_are_told_in_one_line(self):
        for arguments, text in (
                ((), "required: FILE"),
                (("none.tmz",), "none.tmz: No such file"),
                (("a.tmz", "-o", ""), "--output needs a file name"),
                (("a.tmz", "-o", "no/folder/x.html"), "No such file"),
                (("a.tmz", "-o", "x\0"), "null"),
                (("a.tmz", "--page-size", "1000"), "has to be 200000"),
                (("a.tmz", "--min", "101"), "percentage"),
                (("a.tmz", "--at-peak"), "choose At peak in it"),
                (("a.tmz", "--json"), "export --json")):
            with self.subTest(arguments):
                status, out, err = self.call("report", *arguments)
                self.assertEqual((status, out), (2, ""))
                self.assertIn(text, err)
                self.assertEqual(err.count("\n"), 1)

    def test_the_browser_is_opened_on_request(self):
        with unittest.mock.patch("webbrowser.open") as opened:
            self.output("report", "a.tmz", "-o", "a page.html", "--browser")
            ((address,), _) = opened.call_args
            self.assertEqual(address, "file://" + os.path.join(
                self.folder, "a%20page.html"))
            opened.return_value = False
            status, _, err = self.call("report", "a.tmz", "-o", "x.html",
                                       "--browser")
        self.assertEqual(status, 2)
        self.assertIn("x.html is written, but no browser", err)

    def test_words_of_others_lead_here(self):
        for word in "flamegraph", "html":
            status, _, err = self.call(word)
            self.assertEqual(status, 2)
            self.assertIn("did you mean report?", err)


class RunTests(CommandTests):
    def run_program(self, *arguments, status=0):
        done = subprocess.run(
            [sys.executable, "-m", "tracemalloc", "run", *arguments],
            capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr

    def snapshots(self):
        return sorted({name for name in os.listdir() if name.endswith(".tmz")}
                      - {"a.tmz", "b.tmz", "full.tmz"})

    def pages(self):
        names = [name for name in os.listdir() if name.endswith(".html")]
        found = []
        for name in names:
            with open(name, encoding="utf-8") as stream:
                found.append((name, Page(stream.read())))
        return found

    def test_run_writes_the_page_of_the_program_without_its_own_frames(self):
        self.write("prog.py", """\
            import os
            def make():
                return [bytearray(1000) for _ in range(50)]
            kept = make()
            os.chdir("/")
            """)
        err = self.run_program("--report", "--no-file", "prog.py")
        ((name, page),) = self.pages()
        self.assertRegex(name, r"tracemalloc\.\d+\.html")
        self.assertIn("Report, for a browser: ", err)
        program = os.path.join(self.folder, "prog.py")
        self.assertIn(((program, 4, "<module>"), (program, 3, "make")),
                      page.by_path("size"))
        self.assertGreater(page.by_line("size")[program, 3], 50_000)
        self.assertNotIn("tracemalloc/_cli/run.py", str([
            path[0] for path in page.by_path("size")
            if len(path) > 1]))
        self.assertEqual(self.snapshots(), [])

    def test_the_page_has_the_snapshots_before(self):
        self.write("prog.py", """\
            import os, signal
            kept = []
            for _ in range(2):
                kept.append(bytearray(3_000_000))
                os.kill(os.getpid(), signal.SIGUSR2)
            """)
        self.run_program("--report", "--on-signal", "-q", "-o",
                         "s$counter.tmz", "prog.py")
        ((_, page),) = self.pages()
        names = self.snapshots()
        self.assertEqual(len(names), 3)
        self.assertEqual([os.path.basename(each["name"])
                          for each in page.data["snapshots"]], names)
        self.assertEqual(len(page.rows_of), len(names))

    def test_no_place_for_the_page_is_told_before_the_program_runs(self):
        if os.geteuid() == 0:
            self.skipTest("root may write everywhere")
        os.chmod(".", 0o500)
        self.addCleanup(os.chmod, ".", 0o700)
        err = self.run_program("--report", "--no-file", "-c", "print(1)",
                               status=2)
        self.assertIn("folder is not writable", err)


if __name__ == "__main__":
    unittest.main()
