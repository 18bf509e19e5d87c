"""python -m tracemalloc view: what it answers, to whom, and until when.

What is asked is what the page asks; Tools/report tries that in a browser.
Rows G01 to G09 of the requirements are of the viewer of 2013, whose place this
one has taken.
"""
import contextlib
import http.client
import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import tracemalloc
import unittest
from array import array
from email.message import Message
from test import support
from test.support import os_helper, socket_helper, threading_helper
from test.test_tracemalloc_report import random_snapshot, true_sums
from test.tracemalloc_commands import CommandTests, full_snapshot, snapshot_of
from test.tracemalloc_pages import Page, PageData
from test.tracemalloc_records import Records

from tracemalloc import _format
from tracemalloc._cli import view
from tracemalloc._columns import SnapshotData
from tracemalloc._record import reader
from tracemalloc._report import Limits, below
from tracemalloc._report.page import Whole
from tracemalloc._viewer import entries, listing, requests, shown

TOKEN = "token-of-the-tests"
HOST = "127.0.0.1:4042"


class Asking(unittest.TestCase):
    """Base: a folder that is viewed, asked without sockets."""

    limits = Limits()

    def setUp(self):
        self.folder = os.path.realpath(self.enterContext(
            os_helper.temp_dir()))
        self.time = 1_000_000_000

    def path(self, name):
        return os.path.join(self.folder, name)

    def dump(self, name, *traces, snapshot=None):
        """Write a snapshot that is newer than those before; return the path.
        """
        path = self.path(name)
        (snapshot or snapshot_of(*traces or [(100, 1, 5, 6)])).dump(path)
        self.time += 1
        os.utime(path, (self.time, self.time))
        return path

    def view(self, *places, **options):
        self.listing = listing.Listing(entries.Entries(places))
        # Finds out what snapshots hold when it is told to.
        self.requests = requests.Requests(self.listing, shown.Shown(
            self.listing, limits=self.limits, **options), TOKEN)

    def find_out(self):
        """Have the thread do all of its work."""
        self.ask("list")
        while self.listing._wanted:
            self.listing._find_next()

    def answer(self, target, method="GET", **fields):
        headers = Message()
        for name, text in ({"Host": HOST} | {
                name.replace("_", "-"): text
                for name, text in fields.items()}).items():
            if text is not None:
                headers[name] = text
        return self.requests.answer(method, target, headers)

    def ask(self, target):
        found = self.answer(f"/{TOKEN}/{target}")
        self.assertEqual(found.status, 200, found.body)
        return json.loads(found.body)

    def refused(self, status, target, **options):
        found = self.answer(target, **options)
        self.assertEqual(found.status, status, found.body)
        self.assertTrue(found.headers["Content-Type"].startswith("text/pl"))
        text, end = found.body.decode().split("\n")
        self.assertEqual(end, "")
        return text

    def entries(self):
        return {each["name"]: each for each in self.ask("list")["entries"]}

    def data(self, *names, together=0):
        known = self.entries()
        numbers = ".".join(known[name]["number"] for name in names)
        return self.ask(f"data?files={numbers}&together={together}")

    def totals(self, *names, **options):
        data = PageData(self.data(*names, **options))
        return [data.total("size", number)
                for number in range(len(data.rows_of))]


class AdmissionTests(Asking):

    def setUp(self):
        super().setUp()
        self.dump("a.tmz")
        self.view(self.folder)

    def test_who_does_not_know_the_token_gets_nothing(self):
        for path in ("/", "", "/list", "/data?files=1", "//list",
                     f"/{TOKEN[:-1]}/", f"/{TOKEN}x/", f"/{TOKEN.upper()}/",
                     f"/x/{TOKEN}/", f"/?token={TOKEN}", f"/{TOKEN}",
                     "/\u20ac/", f"/../{TOKEN}/", f"/%74{TOKEN[1:]}/",
                     "http://[/", "*"):
            with self.subTest(path=path):
                found = self.answer(path)
                self.assertIn(found.status, (400, 403))
                self.assertNotIn(TOKEN.encode(), found.body)
        self.assertIn("has a token, which is needed",
                      self.refused(403, "/list"))

    def test_only_by_names_of_this_machine(self):
        for host in "localhost:4042", "[::1]:4042", "127.0.0.1":
            self.assertEqual(self.answer(f"/{TOKEN}/", Host=host).status, 200)
        for host in ("example.org", "localhost.example.org:4042", "",
                     "10.0.0.1:4042", None):
            self.assertIn("ask by the name localhost", self.refused(
                421, f"/{TOKEN}/list", Host=host))

    def test_pages_of_other_sites_may_not_ask(self):
        page, data = f"/{TOKEN}/", f"/{TOKEN}/list"
        for site in "cross-site", "same-site", "nonsense":
            for path in page, data:
                self.refused(403, path, Sec_Fetch_Site=site,
                             Sec_Fetch_Mode="cors", Sec_Fetch_Dest="empty")
                # Within a page of somebody else.
                self.refused(403, path, Sec_Fetch_Site=site,
                             Sec_Fetch_Mode="navigate",
                             Sec_Fetch_Dest="iframe")
            link = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "navigate",
                    "Sec_Fetch_Dest": "document"}
            self.assertEqual(self.answer(page, **link).status, 200)
            self.refused(403, data, **link)
        for site in "same-origin", "none":
            self.assertEqual(self.answer(data, Sec_Fetch_Site=site).status,
                             200)
        for origin in "http://example.org", "null", f"https://{HOST}":
            self.refused(403, data, Origin=origin)
        self.assertEqual(self.answer(data, Origin=f"http://{HOST}").status,
                         200)

    def test_only_reading(self):
        for method in "POST", "PUT", "DELETE", "OPTIONS", "TRACE":
            found = self.answer(f"/{TOKEN}/list", method)
            self.assertEqual(found.status, 405)
            self.assertEqual(found.headers["Allow"], "GET, HEAD")
        self.assertEqual(self.answer(f"/{TOKEN}/list", "HEAD").status, 200)

    def test_what_there_is_not(self):
        for status, target in [
                (404, "x"), (404, "list/"), (404, "../list"),
                (404, "data/1"), (400, "list?x=1"), (400, "data?x=1"),
                (400, "data"), (400, "data?files="), (400, "data?files=a"),
                (400, "data?files=1.1"), (404, "data?files=2"),
                (404, "data?files=1.2"), (400, "data?files=1&together=yes"),
                (400, "data?files=../../etc/passwd"),
                (400, "data?files=-1"), (400, "data?files=\u0661"),
                (400, "data?files=" + ".".join(map(str, range(201)))),
                (400, "data?" + "files=1&" * 99),
                (410, "below?key=1&at=1.0"), (410, "below"),
                (410, "source?key=1&file=1"), (410, "source"),
                (400, "source?path=/etc/passwd")]:
            with self.subTest(target=target):
                self.refused(status, f"/{TOKEN}/{target}")

    def test_nothing_is_kept_or_taken_for_something_else(self):
        for target in "", "list", "data?files=1", "nothing":
            headers = self.answer(f"/{TOKEN}/{target}").headers
            self.assertEqual(headers["Cache-Control"], "no-store")
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")
        self.assertEqual(self.answer(f"/{TOKEN}/list").headers[
            "Content-Type"], "application/json")

    def test_G01_the_page_is_one_script_that_may_ask_this_server_only(self):
        found = self.answer(f"/{TOKEN}/")
        text = found.body.decode()
        page = _Document(text)
        script, = page.texts("script")
        style, = page.texts("style")
        for policy in page.policy(), {
                name: sources for name, *sources in map(
                    str.split, found.headers["Content-Security-Policy"]
                    .split(";"))}:
            self.assertEqual(policy["default-src"], ["'none'"])
            self.assertEqual(policy["script-src"], [page.source_of(script)])
            self.assertEqual(policy["style-src"], [page.source_of(style)])
            self.assertEqual(policy["connect-src"], ["'self'"])
        self.assertEqual(policy["frame-ancestors"], ["'none'"])
        self.assertNotIn(TOKEN, text)
        self.assertNotRegex(text, r"https?://(?!www\.w3\.org)|innerHTML|\beval"
                            r"\(|new Function")


class _Document(Page):
    """A page that has no data in it."""

    def _data(self):
        names = ("name", "module", "kind")
        return {"like": {}, "tree": {
            "names": [], "files": dict.fromkeys(names, ()),
            "frames": dict.fromkeys(("file", "line", "function"), ()),
            "nodes": {"parent": (), "frame": ()},
            "rows": {"node": (), "group": (), "sets": ()},
            "spots": dict.fromkeys(("frame", "endLine", "column", "endColumn",
                                    "group", "sets"), ()),
            "groups": dict.fromkeys(("thread", "domain", "process",
                                     "module", "account"), ())}}


class ListTests(Asking):

    def test_G05_files_are_in_the_order_of_their_time(self):
        for name in "b.pickle", "c.tmz", "a.pickle":
            self.dump(name)
        self.view(self.folder)
        found = self.ask("list")
        self.assertEqual([each["name"] for each in found["entries"]],
                         ["a.pickle", "c.tmz", "b.pickle"])
        self.assertEqual([each["changed"] for each in found["entries"]],
                         [1_000_000_003, 1_000_000_002, 1_000_000_001])
        self.assertEqual(found["chosen"], [found["entries"][0]["number"]])

    def test_what_snapshots_hold_is_found_out(self):
        self.dump("a.pickle", (100, 3, 5), (7, 1, 6))
        self.dump("b.tmz", snapshot=full_snapshot(
            (5, "read", (2, 2000), (5, 5000), (4, 4000)),
            metadata={"time": 1e9, "pid": 7, "traced_memory": 2000,
                      "traced_memory_peak": 7000,
                      "command": ["python", "a b.py"]}))
        self.view(self.folder)
        self.assertNotIn("traced", self.entries()["a.pickle"])
        self.find_out()
        found = self.entries()
        self.assertEqual(found["a.pickle"]["traced"], 307)
        self.assertEqual({name: found["b.tmz"][name] for name in (
            "traced", "peak", "pid", "program", "state", "taken")},
            {"traced": 2000, "peak": 7000, "pid": 7, "program": "a b.py",
             "state": "snapshot", "taken": 1e9})

    def test_new_files_appear_and_others_vanish(self):
        self.dump("a.tmz")
        self.view(self.folder)
        first = self.entries()["a.tmz"]
        self.dump("new.pickle")
        found = self.entries()
        self.assertEqual([*found], ["new.pickle", "a.tmz"])
        self.assertEqual(found["a.tmz"], first)
        os.unlink(self.path("a.tmz"))
        self.assertEqual([*self.entries()], ["new.pickle"])
        # What comes back has its number again.
        self.dump("a.tmz")
        self.assertEqual(self.entries()["a.tmz"]["number"], first["number"])
        self.assertNotEqual(self.entries()["a.tmz"]["version"],
                            first["version"])

    def test_only_snapshots_and_records_of_a_folder_are_listed(self):
        self.dump("a")
        # A pickle has its metadata in front, and these can be long.
        self.dump("b", snapshot=full_snapshot(
            (5, "read", (1, 8), (1, 8), (1, 8)),
            metadata={"command": ["x" * 5000]}))
        for name, text in [("notes.txt", b"tracemalloc"), (".b.tmz", b""),
                           ("other.pickle", pickle.dumps([1, 2])),
                           ("empty", b""), ("no.tmz", b"nothing")]:
            with open(self.path(name), "wb") as stream:
                stream.write(text)
        os.mkdir(self.path("c.tmz"))
        if hasattr(os, "mkfifo"):
            os.mkfifo(self.path("d.tmz"))
        self.view(self.folder)
        self.assertEqual({*self.entries()}, {"a", "b", "no.tmz"})

    def test_of_a_folder_of_very_many_files_names_tell(self):
        for name in "a", "b.tmz":
            self.dump(name)
        with support.swap_attr(entries, "MOST_TRIED", 0):
            self.view(self.folder)
        self.assertEqual({*self.entries()}, {"b.tmz"})

    def test_a_file_that_is_named_stays_when_it_is_gone(self):
        path = self.dump("a.tmz")
        self.view(path)
        os.unlink(path)
        found = self.entries()["a.tmz"]
        self.assertIn("No such file", found["fault"])
        self.assertIsNone(found["size"])
        self.assertIn("a.tmz: No such file", self.refused(
            410, f"/{TOKEN}/data?files={found['number']}"))

    def test_damaged_files_are_told_and_harm_nothing(self):
        self.dump("good.tmz")
        with open(self.path("good.tmz"), "rb") as stream:
            whole = stream.read()
        damaged = {"cut.tmz": whole[:40], "empty.tmz": b"",
                   "text.tmz": b"no snapshot\x1b[2J",
                   "evil.pickle": b"\x80\x04cos\nsystem\ntracemalloc."}
        for name, data in damaged.items():
            with open(self.path(name), "wb") as stream:
                stream.write(data)
        self.view(self.folder)
        self.find_out()
        found = self.entries()
        self.assertIsNone(found["good.tmz"]["fault"])
        for name in damaged:
            with self.subTest(name=name):
                self.assertTrue(found[name]["fault"])
                self.assertNotIn("\x1b", found[name]["fault"])
                self.refused(422, f"/{TOKEN}/data?files="
                             + found[name]["number"])
        self.assertEqual(self.ask("list")["chosen"],
                         [found["good.tmz"]["number"]])
        self.assertEqual(self.totals("good.tmz"), [100])

    def test_too_large_a_file_is_told(self):
        self.dump("a.tmz", snapshot=random_snapshot(3))
        self.view(self.folder, max_size=1000)
        number = self.entries()["a.tmz"]["number"]
        self.assertIn("of memory that loading may take", self.refused(
            422, f"/{TOKEN}/data?files={number}"))

    def test_names_of_files_are_told_without_what_hides_or_turns_text(self):
        for name in "\u202egnp\x1b[2J\n.tmz", os.fsdecode(b"\xff\n.tmz"):
            try:
                self.dump(name)
            except OSError:
                self.skipTest("the file system has no such names")
        self.view(self.folder)
        for entry in self.ask("list")["entries"]:
            for text in entry["name"], entry["path"]:
                self.assertTrue(text.isprintable(), ascii(text))
            title = self.ask(f"data?files={entry['number']}")["title"]
            self.assertTrue(title.isprintable())

    def test_a_folder_that_vanishes_is_told(self):
        inner = self.path("inner")
        os.mkdir(inner)
        self.view(inner)
        self.assertEqual(self.ask("list")["faults"], [])
        os.rmdir(inner)
        found = self.ask("list")
        self.assertEqual(found["entries"][0]["fault"],
                         os.strerror(2))

    def test_the_newest_of_many_are_listed(self):
        for number in range(5):
            self.dump(f"{number}.tmz")
        self.view(self.folder)
        with support.swap_attr(listing, "MOST", 3):
            found = self.ask("list")
        self.assertEqual([each["name"] for each in found["entries"]],
                         ["4.tmz", "3.tmz", "2.tmz"])
        self.assertEqual(found["more"], 2)

    def test_of_more_files_than_are_looked_at_the_newest_are(self):
        for number in range(6):
            self.dump(f"{number}.tmz")
        # Whatever the order in which the folder has them.
        for newest in ([5, 4, 3], [0, 1, 2]):
            for age, number in enumerate(newest):
                os.utime(self.path(f"{number}.tmz"), (2e9 - age, 2e9 - age))
            with support.swap_attr(entries, "MOST", 3):
                self.view(self.folder)
                found = self.ask("list")
            self.assertEqual([each["name"] for each in found["entries"]],
                             [f"{number}.tmz" for number in newest])
            self.assertEqual(found["more"], 3)
            for number in newest:
                os.utime(self.path(f"{number}.tmz"), (1, 1))

    def test_files_that_come_and_go_are_not_remembered_for_ever(self):
        stays = self.dump("stays.tmz")
        self.view(self.folder)
        numbers = []
        with support.swap_attr(entries, "MOST_GONE", 2):
            for number in range(9):
                path = self.dump(f"{number}.tmz")
                self.find_out()
                numbers.append(self.entries()[f"{number}.tmz"]["number"])
                os.unlink(path)
            self.find_out()
        self.assertEqual(len({*numbers}), 9)
        for number in numbers[:-2]:
            self.assertIn("choose again", self.refused(
                404, f"/{TOKEN}/data?files={number}"))
        for number in numbers[-2:]:
            self.refused(410, f"/{TOKEN}/data?files={number}")
        for known in (self.listing._kinds, self.listing._snapshots,
                      self.listing._entries._entries,
                      self.listing._entries._by_number):
            self.assertEqual(len(known), 3)
        self.assertEqual(self.ask("list")["entries"][0]["path"], stays)

    def test_G03_G04_the_first_and_the_last_that_are_named_are_chosen(self):
        paths = [self.dump(f"{number}.tmz") for number in range(3)]
        for named, wanted in ((paths[:1], ["0.tmz"]),
                              (paths[1::-1], ["0.tmz", "1.tmz"]),
                              (paths, ["0.tmz", "2.tmz"])):
            self.view(*named)
            found = self.ask("list")
            names = {each["number"]: each["name"]
                     for each in found["entries"]}
            self.assertEqual([names[number] for number in found["chosen"]],
                             wanted)


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


class PipeTests(Asking):

    @unittest.skipUnless(hasattr(os, "mkfifo"), "needs named pipes")
    def test_files_that_become_pipes_are_not_waited_for(self):
        # Between looking at it and reading it, which a folder that others
        # may write to allows.
        for name in "a.tmz", "b.pickle":
            path = self.dump(name)
            self.view(path)
            entry = self.listing._entries.get("1")
            os.unlink(path)
            os.mkfifo(path)
            for read in (self.requests._shown._read_snapshot,
                         lambda path: listing.about_snapshot(path, None)):
                found, fault = listing.read_safely(lambda: read(entry.path))
                self.assertIsNone(found)
                self.assertIn("is no regular file", fault)


class KeptTests(Asking):

    def loaded(self, *names):
        """Return which files are loaded when they are asked for."""
        found = []
        load = _format.load_at_once

        def loading(path, max_size):
            found.append(os.path.basename(path))
            return load(path, max_size)

        with support.swap_attr(_format, "load_at_once", loading):
            for name in names:
                self.data(name)
        return found

    def test_snapshots_weigh_what_they_take_and_not_their_files(self):
        lines = [(5, 1, number) for number in range(1, 2000)]
        for name in "a.tmz", "b.tmz", "c.pickle":
            self.dump(name, *lines)
        size = os.path.getsize(self.path("a.tmz"))
        self.view(self.folder)
        for name in "a.tmz", "c.pickle":
            self.assertEqual(self.loaded(name, name), [name])
        with support.swap_attr(shown, "_LOADED_BYTES", 4 * size):
            self.view(self.folder)
        for name in "a.tmz", "c.pickle":
            self.assertEqual(self.loaded(name, name), [name, name])


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


class RecordTests(Records, Asking):
    """Records of programs that run."""

    def setUp(self):
        Asking.setUp(self)

    def total_above(self, number, size):
        """Ask until a record holds more; the program writes it in time."""
        for _ in support.sleeping_retry(support.LONG_TIMEOUT):
            data = self.ask(f"data?files={number}")
            total = PageData(data).total("size")
            if total > size:
                return data

    def test_a_record_is_read_as_it_is_now(self):
        process = self.start_program("""
            kept = []
            print(flush=True)
            for line in sys.stdin:
                kept.append(bytearray(int(line)))
                print(line.strip(), flush=True)
        """)
        self.view(self.folder)
        entry, = self.ask("list")["entries"]
        self.assertEqual((entry["state"], entry["pid"]),
                         ("running", process.pid))
        process.stdin.write("5000000\n")
        process.stdin.flush()
        data = self.total_above(entry["number"], 5_000_000)
        self.assertEqual(data["history"]["state"], "was running")
        later, = self.ask("list")["entries"]
        self.assertEqual(later["number"], entry["number"])
        self.assertNotEqual(later["version"], entry["version"])
        self.assertGreater(later["traced"], 5_000_000)
        self.assertGreaterEqual(later["taken"], entry["taken"])
        process.kill()
        process.wait()
        gone, = self.ask("list")["entries"]
        self.assertEqual(gone["state"], "gone")
        self.assertNotEqual(gone["version"], later["version"])
        data = self.ask(f"data?files={gone['number']}")
        self.assertTrue(data["history"]["state"].startswith("gone: killed"))
        self.assertGreater(PageData(data).total("size"), 5_000_000)

    def test_a_record_has_accounts_and_what_its_ring_remembers(self):
        for number in range(2):
            self.run_program("""
                kept = []
                for number in range(6):
                    with tracemalloc.account(f"GET /{number % 2}"):
                        kept.append(bytes(100_000))
                    _tracemalloc._write_record()
                os.kill(os.getpid(), 9)
                """, status=-9)
        self.view(self.folder)
        paths = {each["path"]: each["number"]
                 for each in self.ask("list")["entries"]}
        pictures = [reader.read(path) for path in paths]
        for path, picture in zip(paths, pictures):
            data = self.ask(f"data?files={paths[path]}")
            found = data["history"]
            self.assertGreater(len(found["time"]), 1)
            self.assertEqual(found["traced"][-1], picture.current)
            self.assertEqual(found["peak"][-1], picture.peak)
            page = PageData(data)
            sizes = {}
            for (_, group), size in zip(page.rows, page.rows_of[0]["size"]):
                name = page.groups[group][4]
                sizes[name] = sizes.get(name, 0) + size
            self.assertEqual(sizes, {
                stat.traceback[0].filename: stat.size for stat
                in tracemalloc.Snapshot.load(path).statistics("account")})
            self.assertGreater(sizes["GET /1"], 300_000)
        numbers = ".".join(paths.values())
        found = self.ask(f"data?files={numbers}&together=1")["history"]
        self.assertEqual(found["state"], "2 processes: 2 gone")
        self.assertEqual(max(found["peak"]),
                         sum(picture.peak for picture in pictures))
        # They are of two processes: one is not the other's past.
        self.assertIsNone(self.ask(f"data?files={numbers}")["history"])

    def test_a_process_by_its_number(self):
        process = self.start_program("""
            print(flush=True)
            sys.stdin.read()
        """)
        self.view(str(process.pid))
        found = self.ask("list")
        self.assertEqual([each["pid"] for each in found["entries"]],
                         [process.pid])
        self.assertEqual(found["chosen"], [found["entries"][0]["number"]])
        process.communicate("")
        gone, = self.ask("list")["entries"]
        # A record that lies elsewhere cannot be told to be its any more.
        self.assertEqual(gone["number"], found["entries"][0]["number"])
        self.assertEqual(gone["state"], "exited")

    def test_the_page_of_report_tells_how_the_process_is(self):
        process = self.start_program("""
            print(flush=True)
            sys.stdin.read()
        """)
        page = os.path.join(self.folder, "page.html")
        for state in "was running", "exited":
            subprocess.run(
                [sys.executable, "-m", "tracemalloc", "report", "-o", page,
                 str(process.pid) if state == "was running"
                 else self.record().path], check=True,
                stdout=subprocess.DEVNULL, timeout=support.LONG_TIMEOUT)
            with open(page, encoding="utf-8") as stream:
                data = Page(stream.read()).data
            self.assertEqual(data["history"]["state"], state)
            snapshot, = data["snapshots"]
            self.assertEqual(snapshot["pid"], process.pid)
            self.assertIsNotNone(snapshot["time"])
            if state == "was running":
                process.communicate("")


class ThreadTests(Asking):

    def test_a_thread_finds_out_and_ends(self):
        self.addCleanup(threading_helper.threading_cleanup,
                        *threading_helper.threading_setup())
        for number in range(3):
            self.dump(f"{number}.pickle", (10 + number, 1, 5))
        self.view(self.folder)
        self.listing.start()
        for _ in support.sleeping_retry(support.LONG_TIMEOUT):
            found = self.entries()
            if all("traced" in each for each in found.values()):
                break
        self.assertEqual([each["traced"] for each in found.values()],
                         [12, 11, 10])
        self.listing.stop()


class CommandLineTests(CommandTests):

    def start_view(self, *arguments, **variables):
        """Return a running viewer, and its address."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tracemalloc", "view", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | variables)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        line = process.stdout.readline()
        found = re.fullmatch(r"Viewing (.*) at (http://\S+/[\w-]{32}/) "
                             r"\(Ctrl-C ends it\)\n", line)
        self.assertIsNotNone(found, line or process.stderr.read())
        return process, found[2]

    def get(self, address, target="list"):
        _, _, place, token, _ = address.split("/")
        connection = http.client.HTTPConnection(
            place, timeout=support.LONG_TIMEOUT)
        with contextlib.closing(connection):
            connection.request("GET", f"/{token}/{target}")
            answer = connection.getresponse()
            return answer.status, answer.read()

    def test_G01_G08_a_session(self):
        for number in signal.SIGTERM, signal.SIGINT:
            process, address = self.start_view("a.tmz", "b.tmz")
            status, body = self.get(address)
            self.assertEqual(status, 200)
            self.assertEqual(len(json.loads(body)["entries"]), 2)
            status, body = self.get(address, "data?files=1.2")
            self.assertEqual(PageData(json.loads(body)).total("size"), 4124)
            self.assertIn(b"<!DOCTYPE html>", self.get(address, "")[1])
            process.send_signal(number)
            self.assertEqual(process.wait(support.LONG_TIMEOUT), 0)
            self.assertEqual(process.stderr.read(), "")

    def test_only_an_account_that_is_asked_for(self):
        whole = sum(stat.size for stat in tracemalloc.Snapshot.load(
            "a.tmz").statistics("account"))
        for name, size in ("<no account>", whole), ("shop", 0):
            _, address = self.start_view("--account", name, "a.tmz")
            _, body = self.get(address, "data?files=1")
            self.assertEqual(PageData(json.loads(body)).total("size"), size)

    def test_each_viewer_has_a_token_of_its_own(self):
        _, one = self.start_view("a.tmz")
        _, other = self.start_view("a.tmz")
        place = one.split("/")[2]
        self.assertNotEqual(one.split("/")[3], other.split("/")[3])
        status, body = self.get(f"http://{place}/{other.split('/')[3]}/")
        self.assertEqual(status, 403)

    def test_an_end_while_somebody_asks(self):
        process, address = self.start_view("a.tmz")
        host, port = address.split("/")[2].split(":")
        with socket.create_connection((host, int(port)),
                                      support.LONG_TIMEOUT) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n")
            self.assertEqual(self.get(address)[0], 200)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(support.LONG_TIMEOUT), 0)

    def test_without_arguments_the_current_folder(self):
        empty = os.path.join(self.folder, "run")
        os.mkdir(empty, 0o700)
        _, address = self.start_view(XDG_RUNTIME_DIR=empty)
        found = json.loads(self.get(address)[1])
        self.assertEqual({each["name"] for each in found["entries"]},
                         {"a.tmz", "b.tmz", "full.tmz"})
        self.assertEqual(found["faults"], [])

    def test_a_port_and_an_address(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.assertIn("in use", self.fails("view", "a.tmz", "--port",
                                               str(port)))
        hosts = ["127.0.0.1"] + ["[::1]"] * socket_helper.IPV6_ENABLED
        for host in hosts:
            _, address = self.start_view("a.tmz", "--listen", f"{host}:0")
            self.assertTrue(address.startswith(f"http://{host}:"), address)
            self.assertEqual(self.get(address)[0], 200)

    def test_a_browser_is_not_told_the_token_where_others_see_it(self):
        script = os.path.join(self.folder, "browser")
        self.write("browser", f"""\
            #!{sys.executable}
            import os, sys, urllib.request
            page = urllib.request.url2pathname(sys.argv[1][7:])
            with open(page) as stream:
                text = stream.read()
            mode = os.stat(os.path.dirname(page)).st_mode & 0o777
            with open("opened.new", "w") as stream:
                print(sys.argv[1], oct(mode), text, sep="\\n", file=stream)
            os.rename("opened.new", "opened")
            """)
        os.chmod(script, 0o700)
        process, address = self.start_view("a.tmz", "--browser",
                                           BROWSER=script)
        for _ in support.sleeping_retry(support.LONG_TIMEOUT):
            if os.path.exists("opened"):
                break
        with open("opened") as stream:
            url, mode, text = stream.read().split("\n", 2)
        self.assertTrue(url.startswith("file:///"))
        self.assertNotIn(address.split("/")[3], url)
        self.assertEqual(mode, "0o700")
        self.assertIn(f'content="0; url={address}"', text)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(support.LONG_TIMEOUT), 0)
        self.assertFalse(os.path.exists(os.path.dirname(url[7:])))

    def test_G08_wrong_use(self):
        for text, arguments in [
                ("missing.tmz: No such file", ["missing.tmz"]),
                ("process 999999999 has no record", ["999999999"]),
                ("other machines could connect there",
                 ["--listen", "0.0.0.0:0"]),
                ("other machines could connect there", ["--listen", "[::]:0"]),
                ("no browser connects to unix:", ["--listen", "unix:s"]),
                ("'x' is no port", ["--port", "x"]),
                ("'70000' is no port", ["--port", "70000"]),
                ("is no address such as", ["--listen", "127.0.0.1"]),
                ("not allowed with", ["--port", "1", "--listen", "[::1]:1"]),
                ("unrecognized arguments", ["a.tmz", "--nonsense"])]:
            with self.subTest(arguments=arguments):
                self.assertIn(text, self.fails("view", *arguments))

    def test_help(self):
        text = self.output("view", "--help")
        self.assertIn("example: python -m tracemalloc view before.tmz", text)
        self.assertTrue(all(len(line) <= 80 for line in text.split("\n")))

    @unittest.skipUnless("TRACEMALLOC_SOURCE" in os.environ,
                         "TRACEMALLOC_SOURCE does not name the repository")
    def test_G01_G08_the_program_of_2013_runs_from_where_it_is(self):
        program = os.path.join(os.environ["TRACEMALLOC_SOURCE"], "Tools",
                               "tracemallocqt")
        process = subprocess.Popen(
            [sys.executable, program, "a.tmz", "b.tmz"], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with process:
            line = process.stdout.readline()
            process.terminate()
            _, errors = process.communicate()
        self.assertIn("Viewing a.tmz, b.tmz at http://127.0.0.1:", line)
        self.assertEqual(errors, "tracemallocqt: note: this is now "
                         "python -m tracemalloc view\n")


if __name__ == "__main__":
    unittest.main()
