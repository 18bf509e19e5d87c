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
from test import support
from test.support import socket_helper, threading_helper
from test.test_tracemalloc_report import random_snapshot
from test.tracemalloc_commands import CommandTests, full_snapshot
from test.tracemalloc_pages import Page, PageData
from test.tracemalloc_records import Records
from test.tracemalloc_viewers import HOST, TOKEN, Asking

from tracemalloc import _format
from tracemalloc._record import reader
from tracemalloc._viewer import entries, listing, shown


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


class RecordTests(Records, Asking):
    """Records of programs that run."""

    def setUp(self):
        Records.setUp(self)
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

    def set_hangup(self, action):
        """What SIGHUP does in children that begin from now on."""
        self.addCleanup(signal.signal, signal.SIGHUP,
                        signal.signal(signal.SIGHUP, action))

    @unittest.skipUnless(hasattr(signal, "SIGHUP"), "needs SIGHUP")
    def test_nohup(self):
        self.set_hangup(signal.SIG_IGN)
        process, address = self.start_view("a.tmz")
        process.send_signal(signal.SIGHUP)
        self.assertEqual(self.get(address)[0], 200)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(support.LONG_TIMEOUT), 0)

    def test_G01_G08_a_session(self):
        endings = [signal.SIGTERM, signal.SIGINT]
        if hasattr(signal, "SIGHUP"):
            self.set_hangup(signal.SIG_DFL)
            endings.append(signal.SIGHUP)
        for number in endings:
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
