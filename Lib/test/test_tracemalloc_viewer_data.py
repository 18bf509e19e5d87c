"""What the viewer sends of snapshots: data of pages, subtrees and source.

What is asked is what the page asks; Tools/report tries that in a browser.
"""
import os
import pickle
import tracemalloc
import unittest
from array import array
from test import support
from test.test_tracemalloc_report import random_snapshot, true_sums
from test.tracemalloc_commands import full_snapshot, snapshot_of
from test.tracemalloc_pages import PageData
from test.tracemalloc_viewers import TOKEN, Asking

from tracemalloc._columns import SnapshotData
from tracemalloc._report import Limits, below
from tracemalloc._report.page import Whole
from tracemalloc._viewer import shown


class DataTests(Asking):

    def setUp(self):
        super().setUp()
        self.sizes = 100, 150, 250
        for name, size in zip(("b.pickle", "c.tmz", "a.tmz"), self.sizes):
            self.dump(name, (size, 1, 10, 3), (64, 1, 20, 4), (36, 1, 10, 5))
        self.view(self.folder)

    def test_G02_one_file_shows_what_it_holds(self):
        data = self.data("b.pickle")
        self.assertEqual(data["title"], "b.pickle")
        self.assertEqual(self.totals("b.pickle"), [200])

    def test_G03_two_files_are_compared_the_older_first(self):
        for names in ("a.tmz", "b.pickle"), ("b.pickle", "a.tmz"):
            data = self.data(*names)
            self.assertEqual(data["title"], "b.pickle -> a.tmz")
            self.assertEqual(self.totals(*names), [200, 350])

    def test_G04_any_number_is_a_row_of_moments(self):
        self.assertEqual(self.totals("c.tmz", "a.tmz"), [250, 350])
        self.assertEqual(self.totals("c.tmz", "a.tmz", "b.pickle"),
                         [200, 250, 350])

    def test_snapshots_that_know_when_they_were_taken_go_by_that(self):
        for name, when in ("d.tmz", 2e9 - 5), ("e.tmz", 2e9 - 6):
            self.dump(name, snapshot=full_snapshot(
                (5, "read", (1, int(2e9 - when)), (1, 9), (1, 9)),
                metadata={"time": when}))
        self.assertEqual(self.totals("d.tmz", "e.tmz"), [6, 5])

    def test_processes_are_added_up(self):
        data = self.data("a.tmz", "b.pickle", together=1)
        page = PageData(data)
        self.assertEqual(data["title"], "a.tmz + b.pickle")
        self.assertEqual(page.total("size"), 550)
        self.assertEqual({group[2] for group in page.groups},
                         {"a.tmz", "b.pickle"})

    def test_G06_G07_lines_and_tracebacks_have_what_statistics_say(self):
        page = PageData(self.data("b.pickle"))
        snapshot = tracemalloc.Snapshot.load(self.path("b.pickle"))
        lines, paths = page.by_line("size"), page.by_path("size")
        for stat in snapshot.statistics("lineno"):
            frame = stat.traceback[0]
            self.assertEqual(lines[frame.filename, frame.lineno], stat.size)
        for stat in snapshot.statistics("traceback"):
            self.assertEqual(paths[tuple(
                (frame.filename, frame.lineno, "")
                for frame in stat.traceback)], stat.size)

    def test_G09_files_of_protocol_2(self):
        with open(self.path("old"), "wb") as stream:
            pickle.dump(snapshot_of((11, 3, 5)), stream, 2)
        self.assertEqual(self.totals("old"), [33])

    def test_a_file_that_changes_is_read_again(self):
        self.assertEqual(self.totals("a.tmz"), [350])
        self.dump("a.tmz", (7, 1, 5))
        self.assertEqual(self.totals("a.tmz"), [7])

    def test_filters(self):
        self.view(self.folder, filters=[
            tracemalloc.Filter(True, "*", 10, all_frames=False)])
        self.assertEqual(self.totals("b.pickle"), [136])

    def test_only_some_accounts(self):
        snapshot = random_snapshot(5, accounts=3)
        self.dump("d.tmz", snapshot=snapshot)
        sizes = {stat.traceback[0].filename: stat.size
                 for stat in snapshot.statistics("account")}
        for names in ["account 1"], ["account 0", "<no account>"], ["x"]:
            self.view(self.folder, accounts=names)
            self.assertEqual(self.totals("d.tmz"), [
                sum(sizes.get(name, 0) for name in names)])

    def test_files_of_one_name_are_told_apart(self):
        os.mkdir(self.path("other"))
        other = self.dump("other/a.tmz")
        self.view(self.path("a.tmz"), other)
        data = self.ask("data?files=1.2")
        self.assertEqual({each["name"] for each in data["snapshots"]},
                         {self.path("a.tmz"), other})

    def test_different_programs_are_told(self):
        for name in "x", "y":
            self.dump(f"{name}.tmz", snapshot=full_snapshot(
                (5, "read", (1, 9), (1, 9), (1, 9)),
                metadata={"command": ["python", f"{name}.py"]}))
        note, = self.data("x.tmz", "y.tmz")["notes"]
        self.assertIn("x.tmz is of the program x.py, y.tmz of y.py", note)
        self.assertEqual(self.data("x.tmz")["notes"], [])


class BelowTests(Asking):
    """What is loaded when it is opened."""

    limits = Limits(nodes=60)

    def opened(self, data, ask, at_once=200):
        """Open all sums; return nodes as a page has them, and the rows as
        (node, figures, group).
        """
        page = PageData(data)
        nodes = list(page.nodes)
        rows = [(node, {figure: column[at] for figure, column
                        in page.rows_of[-1].items()}, group)
                for at, (node, group) in enumerate(page.rows)]
        places = dict(data["sums"])
        self.assertTrue(places)
        while places:
            some = list(places)[:at_once]
            found = ask([places.pop(node) for node in some])
            first = len(nodes)
            # What was there is now in its parts.
            gone = [row for row in rows if row[0] in some]
            rows = [row for row in rows if row[0] not in some]
            for parent, frame in zip(found["nodes"]["parent"],
                                     found["nodes"]["frame"]):
                if frame >= 0:
                    name, _, _, line, function, _ = found["frames"][frame]
                    frame = name, line, function
                else:
                    frame = None
                nodes.append((nodes[some[-parent - 1]][0] if parent < 0
                              else first + parent, frame))
            sets = found["rows"]["sets"][-1]
            new = [(first + node, {figure: column[at] for figure, column
                                   in sets.items()}, group)
                   for at, (node, group) in enumerate(zip(
                       found["rows"]["node"], found["rows"]["group"]))]
            for figure in sets:
                self.assertEqual(sum(row[1][figure] for row in new),
                                 sum(row[1][figure] for row in gone))
            rows += new
            places |= {first + node: place for node, place in found["sums"]}
        self.assertNotIn(None, [nodes[node][1] for node, *_ in rows])
        return nodes, rows

    def check(self, data, snapshot, ask, **options):
        nodes, rows = self.opened(data, ask, **options)
        for figure in "size", "count", "allocated_size", "peak_count":
            own = [0] * len(nodes)
            for node, figures, _ in rows:
                own[node] += figures[figure]
            for node in range(len(nodes) - 1, 0, -1):
                self.assertLess(nodes[node][0], node)
                own[nodes[node][0]] += own[node]
            found = {}
            for node in range(1, len(nodes)):
                if nodes[node][1] is None:
                    # A sum that was opened.
                    continue
                path, at = [], node
                while at:
                    at, frame = nodes[at]
                    path.append(frame)
                path = tuple(reversed(path))
                self.assertNotIn(path, found)
                found[path] = own[node]
            sums, total = true_sums(snapshot, figure)
            self.assertEqual(own[0], total)
            self.assertEqual({path: size for path, size in found.items()
                              if size},
                             {path: size for path, size in sums.items()
                              if size})
        accounts = PageData(data).data["tree"]["groups"]["account"]
        names = data["tree"]["names"]
        sizes = {}
        for _, figures, group in rows:
            name = names[accounts[group]]
            sizes[name] = sizes.get(name, 0) + figures["size"]
        self.assertEqual(sizes, {
            stat.traceback[0].filename: stat.size
            for stat in snapshot.statistics("account")})

    def test_all_call_paths_are_exact_when_they_are_opened(self):
        for accounts in 0, 4:
            snapshot = random_snapshot(5, accounts=accounts)
            self.dump("a.tmz", snapshot=snapshot)
            self.view(self.folder)
            data = self.data("a.tmz")
            self.check(data, snapshot, lambda places: self.ask(
                f"below?key={data['key']}&at={','.join(places)}"))

    def test_also_if_an_answer_has_room_for_little(self):
        for seed, most in (6, 1), (7, 3), (8, 40):
            snapshot = random_snapshot(seed, contexts=150)
            limits = Limits(nodes=50)
            whole = Whole([snapshot], limits)
            shape = whole.shape(limits)
            data = whole.data(shape, ["a"], limits, "a")
            data["sums"] = list(below.places_of(shape).items())

            def ask(places):
                return below.Below(whole, below.parse(places),
                                   most).to_json()

            self.check(data, snapshot, ask, at_once=1 + seed % 3)

    def test_of_several_snapshots(self):
        one, two = random_snapshot(5), random_snapshot(6)
        self.dump("a.tmz", snapshot=one)
        self.dump("b.tmz", snapshot=two)
        self.view(self.folder)
        data = self.data("a.tmz", "b.tmz")
        place = data["sums"][0][1]
        found = self.ask(f"below?key={data['key']}&at={place}")
        self.assertEqual(len(found["rows"]["sets"]), 2)

    def test_what_is_no_place(self):
        self.dump("a.tmz", snapshot=random_snapshot(5))
        self.view(self.folder)
        key = self.data("a.tmz")["key"]
        for place in ("", "x", "1", "1.", "-1.0", "1.0.0", "999999999.0",
                      "99999999999.0", "1.0,1.0", "1.0," * 300, "\u0661.0"):
            with self.subTest(place=place[:20]):
                self.refused(400, f"/{TOKEN}/below?key={key}&at={place}")
        # A rank that nothing has is below nothing.
        self.assertEqual(self.ask(f"below?key={key}&at=0.9999")["nodes"],
                         {"parent": [], "frame": []})

    def test_pages_that_are_too_old_are_told(self):
        self.dump("a.tmz", snapshot=random_snapshot(5))
        self.view(self.folder)
        old = self.data("a.tmz")["key"]
        for _ in range(6):
            new = self.data("a.tmz")["key"]
        self.assertIn("too old: load it again", self.refused(
            410, f"/{TOKEN}/below?key={old}&at=0.0"))
        self.ask(f"below?key={new}&at=0.0")

    def test_the_newest_page_is_kept_whatever_it_weighs(self):
        self.dump("a.tmz", snapshot=random_snapshot(5))
        with support.swap_attr(shown, "_KEPT_NUMBER", 10):
            self.view(self.folder)
            old = self.data("a.tmz")["key"]
            new = self.data("a.tmz")["key"]
        self.ask(f"below?key={new}&at=0.0")
        self.refused(410, f"/{TOKEN}/below?key={old}&at=0.0")

    def test_pages_of_few_contexts_with_long_call_paths_weigh_much(self):
        path = self.dump("a.tmz", (5, 1, *range(1000)))
        with support.swap_attr(shown, "_KEPT_NUMBER", 1900):
            self.view(path)
            old = self.data("a.tmz")["key"]
            new = self.data("a.tmz")["key"]
        self.ask(f"below?key={new}&at=0.0")
        self.refused(410, f"/{TOKEN}/below?key={old}&at=0.0")


class SourceTests(Asking):
    """Source that a page does not have, which is loaded when it is asked for.
    """

    def setUp(self):
        super().setUp()
        self.names = {}
        for name, lines in ("big.py", 400), ("small.py", 3), ("few.py", 2):
            self.names[name] = self.path(name)
            with open(self.path(name), "w", encoding="utf-8") as stream:
                stream.writelines(f"{name[0]}{line} = 'ä' * {line}\n"
                                  for line in range(1, lines + 1))

    def snapshot(self, *places, metadata=None):
        """Return what was allocated at (name, line, columns, size)."""
        files = [self.names.get(name, name) for name, *_ in places]
        snapshot = full_snapshot(*(
            (line, "f", (1, size), (1, size), (1, size))
            for _, line, _, size in places), metadata=metadata)
        data = snapshot.traces._data
        columns = data.columns()
        names = [*data.names, *files]
        columns["context_file"] = array("I", range(
            len(data.names), len(names)))
        columns["context_end_line"] = columns["context_line"]
        for index, column in enumerate(("column", "end_column")):
            columns[f"context_{column}"] = array(
                "i", [between[index] for _, _, between, _ in places])
        return tracemalloc.Snapshot._of(
            SnapshotData(names, **columns), 5, metadata or {})

    def show(self, *places, name="a.tmz", **limits):
        self.limits = Limits(**limits)
        self.dump(name, snapshot=self.snapshot(*places))
        self.view(self.folder)
        return self.data(name)

    def number(self, data, name):
        page = PageData(data)
        files = [page.data["tree"]["names"][number] for number
                 in page.data["tree"]["files"]["name"]]
        return data["fileNumbers"][files.index(self.names.get(name, name))]

    def source(self, data, name):
        return self.ask(f"source?key={data['key']}"
                        f"&file={self.number(data, name)}")

    def test_a_file_that_the_page_had_no_room_for(self):
        data = self.show(("small.py", 2, (0, 2), 900),
                         ("few.py", 1, (5, 9), 100), source=85)
        left_out, = data["sources"]["leftOut"]
        self.assertEqual(data["fileNumbers"][left_out],
                         self.number(data, "few.py"))
        found = self.source(data, "few.py")
        self.assertEqual(found["source"]["text"],
                         ["f1 = 'ä' * 1", "f2 = 'ä' * 2"])
        self.assertEqual(found["source"]["line"], [1, 2])
        # Columns count characters, as those of a page.
        spots = found["spots"]
        self.assertEqual((spots["column"], spots["endColumn"]), ([5], [8]))
        self.assertEqual(spots["sets"][0]["size"], [100])
        self.assertEqual(spots["sets"][0]["peak_size"], [100])
        frame, = found["frames"]
        self.assertEqual(frame[0], self.names["few.py"])
        self.assertEqual(frame[3:5], [1, "f"])
        self.assertEqual(frame[5], self.number(data, "few.py"))

    def test_lines_of_call_paths_that_were_summed_up(self):
        snapshot = self.snapshot(*(
            ("big.py", line, (0, 2), 1000 if line == 50 else 1)
            for line in (50, *range(100, 390))))
        self.dump("a.tmz", snapshot=snapshot)
        self.limits = Limits(share=0.5, spots=60)
        self.view(self.folder)
        data = self.data("a.tmz")
        entry, = data["sources"]["files"]
        self.assertEqual(entry["line"], list(range(45, 56)))
        found = self.source(data, "big.py")["source"]
        self.assertEqual(found["line"],
                         [*range(45, 56), *range(95, 395)])
        self.assertEqual(found["total"], 400)

    def test_expressions_that_the_page_had_no_room_for(self):
        places = [("big.py", line, (0, 2), 1000 + line)
                  for line in range(1, 301)]
        small = [("small.py", line, (0, 2), line) for line in (1, 3)]
        data = self.show(*places, *small, spots=200)
        page = PageData(data)
        self.assertNotIn((self.names["small.py"], 3), page.by_line("size"))
        for name, told in ("big.py", places), ("small.py", small):
            found = self.source(data, name)
            lines = [found["frames"][frame][3]
                     for frame in found["spots"]["frame"]]
            for figure in "size", "allocated_size":
                self.assertEqual(
                    dict(zip(lines, found["spots"]["sets"][0][figure])),
                    {line: size for _, line, _, size in told})

    def test_of_several_snapshots_all_figures_come(self):
        self.dump("b.tmz", snapshot=self.snapshot(
            ("small.py", 2, (0, 2), 7)))
        self.show(("small.py", 2, (0, 2), 900), ("few.py", 1, (5, 9), 100))
        data = self.data("b.tmz", "a.tmz")
        sets = self.source(data, "small.py")["spots"]["sets"]
        self.assertEqual([figures["size"] for figures in sets],
                         [[7], [900]])
        sets = self.source(data, "few.py")["spots"]["sets"]
        self.assertEqual([figures["size"] for figures in sets],
                         [[0], [100]])

    def test_only_source_of_files_that_the_snapshots_name(self):
        for name, text in ("secret.txt", b"x"), ("latin.py", b"\xff"):
            with open(self.path(name), "wb") as stream:
                stream.write(text)
            self.names[name] = self.path(name)
        named = ["secret.txt", "latin.py", "missing.py"]
        if hasattr(os, "mkfifo"):
            os.mkfifo(self.path("pipe.py"))
            self.names["pipe.py"] = self.path("pipe.py")
            named.append("pipe.py")
        data = self.show(("small.py", 1, (0, 2), 9), *(
            (name, 1, (0, 2), 5) for name in named))
        for name in named:
            with self.subTest(name=name):
                found = self.source(data, name)
                self.assertIsNone(found["source"])
                self.assertIn("shown" if name == "secret.txt"
                              else "cannot be read", found["reason"])
                # What is allocated there is told all the same.
                self.assertEqual(found["spots"]["sets"][0]["size"], [5])
        most = max(data["fileNumbers"])
        for file in ("", "x", "-1", "1.0", "999999999", "9999999999",
                     "\u0661", str(most + 1), "0", self.names["few.py"]):
            with self.subTest(file=file):
                self.refused(
                    400, f"/{TOKEN}/source?key={data['key']}&file={file}")

    def test_a_file_of_more_source_than_is_shown(self):
        data = self.show(("small.py", 1, (0, 2), 9), source=10)
        found = self.source(data, "small.py")
        self.assertIsNone(found["source"])
        self.assertIn("more than the 10 bytes", found["reason"])

    def test_a_file_that_was_changed_since_is_marked(self):
        self.dump("a.tmz", snapshot=self.snapshot(
            ("small.py", 1, (0, 2), 9), metadata={"time": 5.0}))
        self.view(self.folder)
        data = self.data("a.tmz")
        self.assertEqual(self.source(data, "small.py")["source"]["newer"], 1)

    def test_nothing_is_read_if_source_is_left_out(self):
        data = self.show(("small.py", 1, (0, 2), 9), source=0)
        self.assertFalse(data["sources"]["wanted"])
        self.assertIn("started with --no-source", self.refused(
            403, f"/{TOKEN}/source?key={data['key']}"
                 f"&file={self.number(data, 'small.py')}"))

    def test_pages_that_are_too_old_are_told(self):
        old = self.show(("small.py", 1, (0, 2), 9))
        for _ in range(6):
            self.data("a.tmz")
        self.assertIn("too old", self.refused(
            410, f"/{TOKEN}/source?key={old['key']}"
                 f"&file={self.number(old, 'small.py')}"))


if __name__ == "__main__":
    unittest.main()
