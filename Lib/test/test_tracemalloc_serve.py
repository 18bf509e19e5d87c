"""python -m tracemalloc serve: what it answers, to whom, and for how long."""
import contextlib
import html.parser
import http.client
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import unittest
from email.message import Message
from test import support
from test.support import os_helper, threading_helper
from test.tracemalloc_commands import CommandTests, full_snapshot
from test.tracemalloc_processes import FakeProcess, FakeSource, damaged
from test.tracemalloc_profiles import Profile
from unittest import mock

from tracemalloc import SnapshotFormatError
from tracemalloc._cli import serve
from tracemalloc._agent import (
    answers, deadline, metrics, page, requests, server, sources)

A = (5, "read", (2, 2000), (5, 5000))
B = (7, "load", (1, 100), (9, 900))
LOCAL = {"Host": "127.0.0.1:4041"}


def headers(fields):
    found = Message()
    for name, text in fields.items():
        found[name] = text
    return found


class Asking(unittest.TestCase):
    """Base: asks without sockets."""

    def setUp(self):
        self.source = FakeSource(FakeProcess(7, A), FakeProcess(8, A, B))
        self.options = {"wait": self.wait}
        self.waits = []
        self.meanwhile = lambda: False

    def wait(self, seconds):
        self.waits.append(seconds)
        return self.meanwhile()

    def ask(self, target, fields=LOCAL, method="GET"):
        asked = requests.Requests(self.source, **self.options)
        return asked.answer(method, target, headers(fields))

    def profile(self, target):
        answer = self.ask(target)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["Content-Type"],
                         "application/octet-stream")
        return Profile(answer.body)

    def refused(self, status, target, *arguments, **options):
        """Return the one line of a refusal."""
        answer = self.ask(target, *arguments, **options)
        self.assertEqual(answer.status, status)
        self.assertTrue(answer.headers["Content-Type"].startswith("text/pl"))
        text, end = answer.body.decode().split("\n")
        self.assertEqual(end, "")
        return text


class ProfileTests(Asking):

    def test_all_processes_in_one(self):
        for name, shown in ("heap", "inuse_space"), ("allocs", "alloc_space"):
            found = self.profile(f"/debug/pprof/{name}")
            self.assertEqual(found.shown, shown)
            self.assertEqual(
                found.by(lambda frame, labels: labels["pid"], "inuse_space"),
                {"7": 2000, "8": 2100})
            self.assertEqual(found.by_line("alloc_space"),
                             {("app.py", 5): 10000, ("app.py", 7): 900})
            self.assertEqual(found.duration, 0)
            self.assertEqual(found.time, 2000 * 10**9)
            self.assertEqual(found.programs, ["app.py"])

    def test_one_process(self):
        for query in "pid=8", "record=app.py.8.tmrec":
            found = self.profile(f"/debug/pprof/heap?{query}")
            self.assertEqual(found.by_line("inuse_space"),
                             {("app.py", 5): 2000, ("app.py", 7): 100})
        self.assertIn("there is no such process",
                      self.refused(404, "/debug/pprof/heap?pid=9"))

    def test_numbers_of_processes_are_used_again(self):
        self.source.processes.append(FakeProcess(7, B, state="gone",
                                                 name="/records/old.tmrec"))
        self.assertEqual(self.profile("/debug/pprof/heap?pid=7").total(
            "inuse_space"), 2000)
        self.source.processes.append(FakeProcess(7, B, name="/records/other"))
        self.assertIn("2 records are of processes with that number: name one",
                      self.refused(409, "/debug/pprof/heap?pid=7"))

    def test_labels(self):
        found = self.profile("/debug/pprof/heap?labels=none")
        self.assertEqual({labels for _, labels in found.samples}, {()})
        self.assertEqual((len(found.samples), found.repeated), (2, 0))
        self.assertEqual(found.by_line("inuse_space"),
                         {("app.py", 5): 4000, ("app.py", 7): 100})
        self.options["labels"] = ["pid"]
        found = self.profile("/debug/pprof/heap")
        self.assertEqual({labels for _, labels in found.samples},
                         {(("pid", "7"),), (("pid", "8"),)})
        self.assertIn("there is no label 'x'",
                      self.refused(400, "/debug/pprof/heap?labels=x"))

    def test_accounts_are_labels(self):
        self.source.processes = [FakeProcess(
            7, (*A, "GET /cart"), (*A, "GET /stock"), (*B, ""))]
        found = self.profile("/debug/pprof/heap")
        self.assertEqual(found.by(lambda frame, labels: labels.get("account"),
                                  "inuse_space"),
                         {"GET /cart": 2000, "GET /stock": 2000, None: 100})
        found = self.profile("/debug/pprof/heap?labels=pid")
        self.assertEqual(found.by(lambda frame, labels: (*labels,),
                                  "inuse_space"), {("pid",): 4100})
        self.assertEqual(found.repeated, 0)

    def test_call_paths_that_hold_little_are_one(self):
        for name in "heap", "allocs":
            found = self.profile(f"/debug/pprof/{name}?least=1KiB")
            self.assertEqual(found.types, (("inuse_objects", "count"),
                                           ("inuse_space", "bytes")))
            self.assertEqual(found.shown, "inuse_space")
            self.assertEqual(found.by_line("inuse_space"),
                             {("app.py", 5): 4000, ("<small>", 0): 100})
            self.assertEqual(found.total("inuse_objects"), 5)
        found = self.profile("/debug/pprof/heap?least=5000&labels=none")
        self.assertEqual(list(found.samples.values()), [[5, 4100]])
        # What is not told needs no names.
        self.assertEqual(list(found.addresses.values()),
                         [("<small>", "<small>", 0)])
        self.options["least"] = 5000
        self.assertEqual(len(self.profile("/debug/pprof/heap?pid=8").samples),
                         1)
        self.assertEqual(len(self.profile(
            "/debug/pprof/heap?pid=8&least=0").types), 4)
        self.assertIn("least=: 'x' is no size",
                      self.refused(400, "/debug/pprof/heap?least=x"))

    def test_ended_processes_hold_nothing(self):
        self.source.processes[0].state = "gone"
        found = self.profile("/debug/pprof/heap")
        self.assertEqual(found.total("inuse_space"), 2100)
        found = self.profile("/debug/pprof/heap?ended=1")
        self.assertEqual(found.total("inuse_space"), 4100)
        # Who asks for it by its file or number knows.
        self.assertEqual(self.profile("/debug/pprof/heap?pid=7").total(
            "inuse_space"), 2000)
        self.source.is_folder = False
        self.assertEqual(self.profile("/debug/pprof/heap").total(
            "inuse_space"), 4100)

    def test_nobody_is_there(self):
        for process in self.source.processes:
            process.state = "exited"
        self.assertIn("2 have ended: ask with ended=1",
                      self.refused(404, "/debug/pprof/heap"))
        self.source.processes.clear()
        self.assertEqual(self.refused(404, "/debug/pprof/heap"),
                         "no process that is traced leaves a record in "
                         "/records")
        self.source.faults.append("'x' is a damaged record")
        self.assertIn("no record can be read: 'x' is a damaged record",
                      self.refused(503, "/debug/pprof/heap"))

    def test_records_that_cannot_be_read_are_named(self):
        self.source.processes[0].fault = damaged()
        found = self.profile("/debug/pprof/heap")
        self.assertEqual(found.total("inuse_space"), 2100)
        self.assertIn("left out: 'x.tmrec' is a damaged record",
                      found.comments)
        self.source.processes[1].fault = FileNotFoundError()
        self.assertIn("no process can be read; 'x.tmrec' is a damaged record",
                      self.refused(422, "/debug/pprof/heap"))

    def test_estimates(self):
        self.source.processes[0].sample_interval = 4096
        found = self.profile("/debug/pprof/heap")
        self.assertEqual(found.period[2], 4096)
        self.assertIn("not all processes were sampled: the numbers of the "
                      "others are exact", found.comments)

    def test_what_go_has_and_we_have_not(self):
        for name in "goroutine", "mutex", "block", "profile":
            self.assertIn(f"no profile '{name}' of memory: switch it off",
                          self.refused(404, f"/debug/pprof/{name}"))
        self.assertIn("as protobuf only",
                      self.refused(400, "/debug/pprof/heap?debug=1"))
        self.profile("/debug/pprof/heap?debug=0&gc=1")

    def test_too_large(self):
        with mock.patch.object(requests, "MOST_BYTES", 100):
            self.assertIn("larger than 100 bytes: ask for one process",
                          self.refused(503, "/debug/pprof/heap"))


class DifferenceTests(Asking):

    def difference(self, meanwhile, target="/debug/pprof/heap?seconds=30"):
        self.meanwhile = meanwhile
        found = self.profile(target)
        self.assertEqual(self.waits.pop(), 30)
        self.assertEqual(found.duration, 30 * 10**9)
        return found

    def test_what_changed(self):
        def meanwhile():
            self.source.processes[1] = FakeProcess(
                8, (5, "read", (1, 1000), (6, 6000)), B,
                (9, "new", (3, 30), (3, 30)))

        found = self.difference(meanwhile)
        self.assertEqual(found.by_line("inuse_space"),
                         {("app.py", 5): -1000, ("app.py", 9): 30})
        self.assertEqual(found.by_line("alloc_space"),
                         {("app.py", 5): 1000, ("app.py", 9): 30})
        self.assertEqual({dict(labels)["pid"] for _, labels in found.samples},
                         {"8"})

    def test_nothing_changed(self):
        self.assertEqual(self.difference(lambda: None).samples, {})

    def test_processes_that_begin_and_end(self):
        self.source.processes.append(FakeProcess(3, B, state="gone"))

        def meanwhile():
            self.source.processes[0].state = "gone"
            self.source.processes.append(FakeProcess(9, B, started=1e11))
            self.source.processes.append(FakeProcess(
                10, B, started=1e11, state="exited"))

        found = self.difference(meanwhile)
        by_pid = found.by(lambda frame, labels: labels["pid"], "inuse_space")
        self.assertEqual(by_pid, {"7": -2000, "9": 100})
        by_pid = found.by(lambda frame, labels: labels["pid"], "alloc_space")
        self.assertEqual(by_pid, {"9": 900, "10": 900})

    def test_tracing_that_began_anew(self):
        def meanwhile():
            self.source.processes[0] = FakeProcess(7, (5, "read", (0, 0),
                                                       (1, 10)))

        self.meanwhile = meanwhile
        self.assertIn("tracing began anew in process 7 meanwhile: ask again",
                      self.refused(422, "/debug/pprof/heap?seconds=1"))

    def test_the_end_of_the_agent(self):
        self.meanwhile = lambda: True
        self.assertEqual(self.refused(503, "/debug/pprof/heap?seconds=1"),
                         "the agent ends")

    def test_too_many_at_once(self):
        asked = requests.Requests(self.source, wait=lambda seconds: False)
        for _ in range(8):
            asked._waiting.acquire()
        answer = asked.answer("GET", "/debug/pprof/heap?seconds=1",
                              headers(LOCAL))
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.headers["Retry-After"], "10")

    def test_seconds(self):
        for text in "-1", "601", "1.5", "x", "", "\u0661":
            self.refused(400, f"/debug/pprof/heap?seconds={text}")
        self.assertEqual(self.profile("/debug/pprof/heap?seconds=0").duration,
                         0)


class AdmissionTests(Asking):

    def test_other_names_of_this_machine_are_refused(self):
        for host in ("127.0.0.1", "localhost:4041", "[::1]:80", "[::1]",
                     "LOCALHOST", "127.8.0.1:3"):
            self.assertEqual(self.ask("/", {"Host": host}).status, 200, host)
        for host in ("example.org", "localhost.example.org:4041", "", ":80",
                     "10.0.0.1", "127.0.0.1.example.org", "[::2]:1"):
            self.assertIn("ask by the name localhost",
                          self.refused(421, "/", {"Host": host}), host)
        self.refused(421, "/", {})
        # Sockets in the file system have no such names.
        self.options["is_local"] = False
        self.assertEqual(self.ask("/", {}).status, 200)

    def test_tokens(self):
        self.options["token"] = b"0123456789abcdef"
        for fields in ({}, {"Authorization": "Bearer x"},
                       {"Authorization": "Basic 0123456789abcdef"},
                       {"Authorization": "0123456789abcdef"},
                       {"Authorization": "Bearer \u20ac"}):
            answer = self.ask("/", fields | LOCAL)
            self.assertEqual(answer.status, 401)
            self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
        for target in "/metrics", "/nothing", "/debug/pprof/heap":
            self.refused(401, target)
        answer = self.ask("/", {"Authorization": "bearer 0123456789abcdef",
                                "Host": "example.org"})
        self.assertEqual(answer.status, 200)

    def test_only_reading(self):
        for method in "POST", "PUT", "DELETE", "OPTIONS", "TRACE":
            answer = self.ask("/", method=method)
            self.assertEqual(answer.status, 405)
            self.assertEqual(answer.headers["Allow"], "GET, HEAD")

    def test_what_is_no_address(self):
        for target in "http://[::1", "//[", "http://[x]/metrics":
            self.assertIn(self.ask(target).status, (400, 404))

    def test_parameters_that_there_are_not(self):
        self.assertIn("there is no parameter 'x'; there are pid, record, ",
                      self.refused(400, "/debug/pprof/heap?x=1"))
        self.assertIn("too many parameters",
                      self.refused(400, "/debug/pprof/heap?" + "pid=1&" * 99))
        self.assertIn("ended= is 0 or 1",
                      self.refused(400, "/metrics?ended=yes"))
        self.assertIn("there are /, /metrics, ", self.refused(404, "/x"))
        self.assertIn("there are /, /metrics, ",
                      self.refused(404, "/debug/pprof/../../etc/passwd"))


class MetricsTests(Asking):

    def metrics(self, target="/metrics"):
        """Return {name: {labels: number}}, checking the form of the text."""
        answer = self.ask(target)
        self.assertEqual(answer.headers["Content-Type"],
                         "text/plain; version=0.0.4; charset=utf-8")
        found, name = {}, None
        for line in answer.body.decode().split("\n")[:-1]:
            if line.startswith("# HELP "):
                name = line.split()[2]
                self.assertNotIn(name, found)
                found[name] = {}
            elif line.startswith("# TYPE "):
                self.assertEqual(line.split()[2], name)
                self.assertEqual(line.split()[3] == "counter",
                                 name.endswith("_total"))
            else:
                match = re.fullmatch(
                    r'(\w+)(?:\{((?:\w+="(?:[^"\\]|\\["\\n])*",?)*)\})? '
                    r"([\d.]+)", line)
                self.assertIsNotNone(match, line)
                self.assertEqual(match[1], name)
                self.assertNotIn(match[2], found[name])
                found[name][match[2]] = float(match[3])
        return found

    def test_figures(self):
        found = self.metrics()
        labels = 'record="app.py.8.tmrec",pid="8",program="app.py"'
        self.assertEqual(
            {name: numbers[labels] for name, numbers in found.items()
             if labels in numbers},
            {"tracemalloc_traced_bytes": 2100,
             "tracemalloc_traced_blocks": 3,
             "tracemalloc_traced_peak_bytes": 2107,
             "tracemalloc_resident_bytes": 5_000_000,
             "tracemalloc_dropped_traces_total": 2,
             "tracemalloc_record_lost_contexts_total": 3,
             "tracemalloc_record_written_timestamp_seconds": 2000,
             "tracemalloc_start_timestamp_seconds": 1000,
             "tracemalloc_sample_interval_bytes": 0})
        self.assertEqual(found["tracemalloc_processes"],
                         {'state="running"': 2, 'state="stopped"': 0,
                          'state="snapshot"': 0, 'state="exited"': 0,
                          'state="gone"': 0})
        self.assertEqual(found["tracemalloc_unreadable_records"], {None: 0})

    def test_series_end_with_their_process(self):
        self.source.processes[1].state = "gone"
        self.source.processes[0].rss = None
        self.source.faults.append("x")
        found = self.metrics()
        self.assertEqual(len(found["tracemalloc_traced_bytes"]), 1)
        self.assertEqual(found["tracemalloc_resident_bytes"], {})
        self.assertEqual(found["tracemalloc_processes"]['state="gone"'], 1)
        self.assertEqual(found["tracemalloc_unreadable_records"], {None: 1})
        found = self.metrics("/metrics?ended=1")
        self.assertEqual(len(found["tracemalloc_traced_bytes"]), 2)

    def test_accounts_of_those_that_hold_most_and_the_others_as_one(self):
        contexts = [(number, "f", (1, 1000 + number), (1, 2000),
                     f"route {number}") for number in range(1, 80)]
        contexts.append((1, "f", (5, 500), (5, 500), ""))
        self.source.processes.append(FakeProcess(9, *contexts))
        found = self.metrics()
        for name, total in (("bytes", 79 * 1000 + 79 * 40 + 500),
                            ("blocks", 79 + 5)):
            rows = found[f"tracemalloc_account_{name}"]
            self.assertEqual(sum(rows.values()), total)
            self.assertEqual(len(rows), metrics.MOST_ACCOUNTS + 1)
        rows = found["tracemalloc_account_bytes"]
        labels = 'record="app.py.9.tmrec",pid="9",program="app.py",account='
        self.assertEqual(rows[labels + '"route 79"'], 1079)
        self.assertEqual(rows[labels + '"<other accounts>"'],
                         sum(range(1001, 1030)) + 500)
        self.assertNotIn(labels + '"route 29"', rows)

    def test_accounts_of_few_processes_are_read(self):
        self.source.processes = [
            FakeProcess(pid, (1, "f", (1, pid), (1, pid), "a \"}\n"))
            for pid in range(1, 31)]
        self.source.processes.append(FakeProcess(99, B))
        with mock.patch.object(FakeProcess, "load", autospec=True,
                               side_effect=FakeProcess.load) as load:
            rows = self.metrics()["tracemalloc_account_bytes"]
        self.assertEqual(load.call_count, metrics.MOST_PROCESSES)
        self.assertEqual(sorted(rows.values()), [*range(11, 31)])
        self.source.processes[29].fault = OSError("gone")
        rows = self.metrics()["tracemalloc_account_bytes"]
        self.assertEqual(sorted(rows.values()), [*range(11, 30)])

    def test_without_accounts_no_record_is_read(self):
        with mock.patch.object(FakeProcess, "load") as load:
            found = self.metrics()
        self.assertFalse(load.called)
        self.assertEqual(found["tracemalloc_account_bytes"], {})

    def test_names_cannot_break_out(self):
        self.source.processes = [FakeProcess(
            1, A, program='a"} 1\nx{y="\\\udc80')]
        labels, = self.metrics()["tracemalloc_traced_bytes"]
        self.assertIn(r'program="a\"} 1\nx{y=\"\\\\udc80"', labels)


class _Texts(html.parser.HTMLParser):

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [text for name, text in attributes if name == "href"]
        for name, _ in attributes:
            assert name in ("href", "class", "lang", "charset", "name",
                            "content"), name

    def handle_data(self, text):
        self.texts.append(text)


class PageTests(Asking):

    def page(self):
        answer = self.ask("/")
        self.assertEqual(answer.status, 200)
        return answer, _Texts(answer.body.decode())

    def test_processes_are_listed_with_their_profiles(self):
        self.source.processes[0].state = "gone"
        _, found = self.page()
        self.assertEqual(found.tags.count("tr"), 3)
        for text in "app.py", "8", "gone", "2100 B":
            self.assertIn(text, found.texts)
        for link in found.links:
            with self.subTest(link=link):
                self.assertEqual(self.ask(link).status, 200)
        self.assertIn("/debug/pprof/heap?record=app.py.8.tmrec", found.links)

    def test_what_processes_tell_is_text(self):
        evil = "<script>alert(1)</script>\"'&\x1b[2J\udc80"
        self.source.processes = [FakeProcess(1, A, program=evil,
                                             name=f"/records/{evil}")]
        self.source.faults = [evil]
        self.source.what = evil
        answer, found = self.page()
        self.assertNotIn("script", found.tags)
        self.assertEqual(found.tags.count("td"), 9)
        self.assertNotIn("\x1b", answer.body.decode())
        # The link leads to it all the same.
        link, *_ = [link for link in found.links if "record=" in link]
        self.assertEqual(self.ask(link).status, 200)

    def test_nothing_is_run_or_loaded(self):
        answer, found = self.page()
        policy = answer.headers["Content-Security-Policy"]
        self.assertTrue(policy.startswith("default-src 'none'; style-src "
                                          "'sha256-"))
        self.assertEqual(policy, page.POLICY)
        for tag in "script", "img", "link", "iframe", "form":
            self.assertNotIn(tag, found.tags)
        self.assertTrue(all(link.startswith("/") for link in found.links))
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")

    def test_many_processes(self):
        self.source.processes = [FakeProcess(pid, A) for pid in range(1500)]
        self.source.more = 3
        _, found = self.page()
        self.assertEqual(found.tags.count("tr"), 1001)
        self.assertIn("503 more are not shown.", found.texts)


class SourceTests(CommandTests):

    def test_files_and_folders(self):
        found, faults, more = sources.Source("full.tmz").look()
        self.assertEqual((len(found), faults, more), (1, [], 0))
        process, = found
        self.assertEqual((process.pid, process.current, process.blocks,
                          process.peak, process.state, process.program),
                         (7, 2064, 3, 7000, "snapshot", "a b.py"))
        self.assertFalse(process.ended)
        process, snapshot = process.load()
        self.assertEqual(len(snapshot.traces), 3)
        found, faults, _ = sources.Source(".").look()
        self.assertEqual([each.name for each in found],
                         ["b.tmz", "a.tmz", "full.tmz"])

    def test_what_cannot_be_read_is_told(self):
        self.write("x.tmz", "nonsense")
        self.write("y.tmrec", "nonsense")
        os.symlink("nowhere", "gone.tmz")
        found, faults, _ = sources.Source(".").look()
        self.assertEqual(len(found), 3)
        self.assertEqual(len(faults), 2)
        with self.assertRaisesRegex(sources.SourceError,
                                    "no/such: No such file"):
            sources.Source("no/such")

    def test_what_takes_too_much_memory_is_told(self):
        _, faults, _ = sources.Source("full.tmz", max_size=100).look()
        self.assertRegex(faults[0], r"full\.tmz.* needs more than the 100 B "
                         r"of memory .* give a larger --max-size$")
        process, = sources.Source("full.tmz").look()[0]
        process = sources.Process(process.path, process, 100)
        with self.assertRaisesRegex(SnapshotFormatError, "needs more than"):
            process.load()

    @unittest.skipUnless(hasattr(os, "mkfifo"), "needs pipes")
    def test_pipes_do_not_block(self):
        os.mkfifo("x.tmrec")
        os.mkfifo("x.tmz")
        _, faults, _ = sources.Source(".").look()
        self.assertEqual(len(faults), 2)
        self.assertIn("is no regular file", faults[0])

    def test_what_takes_the_place_of_a_snapshot_is_not_waited_for(self):
        def replace(path):
            os.unlink(path)
            # Which would be waited for if it were a pipe.
            os.symlink(os.devnull, path)
            return False

        with mock.patch("tracemalloc._record.reader.is_record", replace):
            _, (fault,), _ = sources.Source("a.tmz").look()
        self.assertIn("is no regular file", fault)

    def test_snapshots_are_read_anew_when_they_change(self):
        source = sources.Source("a.tmz")
        before = source.look()[0][0]
        self.assertIs(source.look()[0][0], before)
        full_snapshot((1, "f", (1, 1), (1, 1), (1, 1))).dump("a.tmz")
        self.assertEqual(source.look()[0][0].current, 1)

    def test_records_of_a_family(self):
        self.write("family.py", """\
            import os
            kept = [bytes(1000) for _ in range(50)]
            if os.fork() == 0:
                more = [bytes(2000) for _ in range(50)]
                raise SystemExit
            os.wait()
            """)
        subprocess.run([sys.executable, "-X",
                        f"tracemalloc=5,record={self.folder}", "family.py"],
                       check=True)
        files = [name for name in os.listdir() if name.endswith(".tmrec")]
        self.assertEqual(len(files), 2)
        found, _, _ = sources.Source(".").look()
        parent, = [each for each in found if each.pid and each.parent
                   not in {other.pid for other in found}
                   and each.name in files]
        self.assertEqual((parent.state, parent.program),
                         ("exited", "family.py"))
        name = os.path.join(".", parent.name)
        for children, number in (False, 1), (True, 2):
            processes, _, _ = sources.Source(name, children).look()
            self.assertEqual(len(processes), number)
        _, snapshot = parent.load()
        self.assertGreater(sum(each.size for each in
                               snapshot.statistics("filename")), 50_000)
        self.output("export", "--children", "-o", "x.pprof", name)
        with open("x.pprof", "rb") as stream:
            found = Profile(stream.read())
        self.assertEqual({dict(labels)["pid"] for _, labels in found.samples},
                         {str(each.pid) for each in processes})

    def test_there_need_be_no_records_yet(self):
        with mock.patch.dict(os.environ, XDG_RUNTIME_DIR=self.folder):
            source = sources.Source(None)
            self.assertEqual(source.look(), ([], [], 0))
            self.assertTrue(source.is_folder)

    def test_most(self):
        with mock.patch.object(sources, "MOST", 2):
            found, _, more = sources.Source(".").look()
        self.assertEqual((len(found), more), (2, 1))


class ServerTests(unittest.TestCase):
    """Real sockets, of this machine."""

    class Requests:
        """Answers what it is told to."""

        def __init__(self):
            self.result = answers.Answer(200, "text/plain", b"yes\n")
            self.held = None

        def answer(self, method, target, fields):
            if self.held is not None:
                self.held.wait()
            if isinstance(self.result, Exception):
                raise self.result
            return self.result

    def setUp(self):
        self.addCleanup(threading_helper.threading_cleanup,
                        *threading_helper.threading_setup())
        self.requests = self.Requests()
        self.server = server.Server(("127.0.0.1", 0), self.requests)
        self.server.start()
        self.addCleanup(self.server.stop)

    def connect(self):
        found = socket.create_connection(self.server.server_address[:2],
                                         support.LONG_TIMEOUT)
        self.addCleanup(found.close)
        return found

    def ask(self, data=b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        """Return all that is answered."""
        with self.connect() as connection:
            connection.sendall(data)
            return self.rest(connection)

    @staticmethod
    def rest(connection):
        found = b""
        while part := connection.recv(1 << 16):
            found += part
        return found

    def test_an_answer_ends_the_connection(self):
        head, _, body = self.ask().partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"\r\nConnection: close", head)
        self.assertIn(b"\r\nContent-Length: 4\r\n", head)
        self.assertEqual(body, b"yes\n")
        self.assertNotIn(b"Python", head)

    def test_heads_alone(self):
        head, _, body = self.ask(
            b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").partition(b"\r\n\r\n")
        self.assertIn(b"\r\nContent-Length: 4\r\n", head)
        self.assertEqual(body, b"")

    def test_what_is_no_request(self):
        for data, status in [
                (b"nonsense\r\n\r\n", b"400"),
                (b"GET / HTTP/3.0\r\n\r\n", b"505"),
                (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", b"414"),
                (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431"),
                (b"GET / HTTP/1.1\r\na: " + b"x" * 70_000 + b"\r\n\r\n",
                 b"431")]:
            with self.subTest(data=data[:20]):
                # Who sends more than is read may see the connection reset.
                with contextlib.suppress(ConnectionError):
                    self.assertIn(status, self.ask(data)[:200])
        self.assertIn(b"200 OK", self.ask())

    def test_heads_are_small(self):
        # Each line of them is, and their number.
        data = b"GET / HTTP/1.1\r\n" + 20 * (b"a: " + b"x" * 8000 + b"\r\n")
        with contextlib.suppress(ConnectionError):
            self.assertIn(b" 431 ", self.ask(data + b"\r\n")[:20])
        with mock.patch.object(self.requests, "answer") as answer:
            with contextlib.suppress(ConnectionError):
                self.ask(data + b"\r\n")
        answer.assert_not_called()

    def test_faults_are_a_status_and_a_line(self):
        self.requests.result = ValueError("boom\x1b")
        with support.captured_stderr() as stderr:
            answer = self.ask()
        self.assertIn(b" 500 ", answer.partition(b"\r\n")[0])
        self.assertNotIn(b"boom", answer)
        self.assertIn("ValueError: boom\\x1b\n", stderr.getvalue())

    def test_too_many_clients_are_told_to_come_again(self):
        self.requests.held = threading.Event()
        waiting = [self.connect() for _ in range(server.MOST_CLIENTS)]
        for connection in waiting:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = self.rest(self.connect())
        self.assertTrue(answer.startswith(b"HTTP/1.1 503 "))
        self.assertIn(b"Retry-After", answer)
        self.requests.held.set()
        for connection in waiting:
            self.assertIn(b"200 OK", self.rest(connection))
        self.requests.held = None
        # Their places are free again.
        for _ in range(2 * server.MOST_CLIENTS):
            answer = b""
            while not answer.startswith(b"HTTP/1.1 200"):
                # Who is turned away has asked what nobody has read: the
                # connection is reset.
                with contextlib.suppress(ConnectionError):
                    answer = self.ask()
                    self.assertRegex(answer, rb"\AHTTP/1\.1 (200|503) ")

    def test_slow_requests_end(self):
        with mock.patch.object(server, "TO_ASK", 0.05):
            connection = self.connect()
            connection.sendall(b"GET / HTTP/1.1\r\n")
            self.assertEqual(self.rest(connection), b"")
        self.assertIn(b"200 OK", self.ask())

    def test_a_drop_now_and_then_is_too_slow_as_well(self):
        clock = iter(range(1000))
        with mock.patch.object(deadline.time, "monotonic",
                               lambda: next(clock)):
            connection = mock.Mock()
            connection.makefile.return_value.readinto.return_value = 1
            reader = deadline.UntilDeadline(connection, 10)
            with self.assertRaises(TimeoutError):
                for _ in range(12):
                    reader.readinto(bytearray(1))

    def test_slow_readers_end(self):
        self.requests.result = answers.Answer(200, "text/plain",
                                               bytes(1 << 26))
        with mock.patch.object(server, "TO_READ", 0.05):
            connection = self.connect()
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            for _ in range(server.MOST_CLIENTS - 1):
                self.server._free.acquire()
            # Nobody reads, and yet its place is free again.
            self.assertTrue(self.server._free.acquire(
                timeout=support.LONG_TIMEOUT))
        for _ in range(server.MOST_CLIENTS):
            self.server._free.release()


class SocketTests(unittest.TestCase):

    def setUp(self):
        if not hasattr(socket, "AF_UNIX"):
            self.skipTest("needs sockets in the file system")
        self.addCleanup(threading_helper.threading_cleanup,
                        *threading_helper.threading_setup())
        self.folder = self.enterContext(os_helper.temp_dir())
        self.path = os.path.join(self.folder, "s")

    def start(self):
        found = server.Server(self.path, ServerTests.Requests())
        found.start()
        return found

    def test_the_file_is_private_and_goes_away(self):
        running = self.start()
        try:
            status = os.stat(self.path)
            self.assertEqual(stat.S_IMODE(status.st_mode), 0o600)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(self.path)
                connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
                self.assertIn(b"200 OK", ServerTests.rest(connection))
            with self.assertRaisesRegex(OSError, "in use"):
                server.Server(self.path, None)
        finally:
            running.stop()
        self.assertFalse(os.path.exists(self.path))

    def test_the_socket_of_another_server_stays(self):
        first = self.start()
        os.unlink(self.path)
        second = self.start()
        first.stop()
        self.assertTrue(os.path.exists(self.path))
        second.stop()
        self.assertFalse(os.path.exists(self.path))

    def test_what_a_dead_server_left_is_replaced(self):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.path)
        self.start().stop()

    def test_files_are_not_replaced(self):
        with open(self.path, "w"):
            pass
        with self.assertRaises(FileExistsError):
            server.Server(self.path, None)
        self.assertTrue(os.path.exists(self.path))


@unittest.skipUnless("TRACEMALLOC_SOURCE" in os.environ,
                     "TRACEMALLOC_SOURCE does not name the repository")
class ConfigurationTests(Asking):
    """The files that the manual shows say what there is."""

    # What scrapes here -> (what switches a scrape off, those of Go).
    SCRAPERS = {
        "parca.yaml": r"{}:\s+enabled: false\s", "memory.alloy":
        r"profile\.{} \{{\s+enabled = false\s"}

    def read(self, name):
        path = os.path.join(os.environ["TRACEMALLOC_SOURCE"], "Doc",
                            "examples", "fleet", name)
        with open(path, encoding="utf-8") as stream:
            return stream.read()

    def test_scrapers_ask_for_what_is_answered(self):
        for name, off in self.SCRAPERS.items():
            text = self.read(name)
            self.assertIn(f'"{serve.DEFAULT}"', text)
            path, = re.findall(r'path\s*[:=] "?(/[^"\s]*)', text)
            self.profile(path)
            for kind in "process_cpu", "goroutine", "mutex", "block":
                self.assertRegex(text, off.format(kind))

    def test_prometheus_asks_for_what_is_answered(self):
        self.assertIn(f'"{serve.DEFAULT}"', self.read("prometheus.yml"))

    def test_the_manifest_starts_what_there_is(self):
        text = self.read("kubernetes.yaml")
        command, = re.findall(r"(?s)command: (\[.*?\])", text)
        words = json.loads(command)
        self.assertEqual(words[1:4], ["-m", "tracemalloc", "serve"])
        options = serve._parser().parse_args(words[4:])
        self.assertEqual(options.listen, ("0.0.0.0", 4041))
        self.assertEqual(options.token_file, "/token/token")
        self.assertEqual(options.labels, ["pid"])
        self.assertIn(f'"25,record={options.source}"', text)
        token, = re.findall(r"(?m)^  token: (.*)", text)
        with os_helper.temp_dir() as folder:
            name = os.path.join(folder, "token")
            with open(name, "w") as stream:
                stream.write(token)
            self.assertEqual(serve.read_token(name), token.encode())
        for path in re.findall('path: "(.*)"', text):
            self.assertEqual(self.ask(path).status, 200)


class CommandLineTests(CommandTests):

    def serve(self, *arguments):
        """Return a running server, and its address."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tracemalloc", "serve", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        line = process.stdout.readline()
        found = re.fullmatch(
            r"Serving (.*) at (?:http://)?(.*)/ \(Ctrl-C ends it\)\n", line)
        self.assertIsNotNone(found, line or process.stderr.read())
        self.assertTrue(line[:-1].isprintable(), line)
        return process, found[2]

    def get(self, address, target, **fields):
        connection = http.client.HTTPConnection(
            address, timeout=support.LONG_TIMEOUT)
        with contextlib.closing(connection):
            connection.request("GET", target, headers=fields)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def test_a_session(self):
        for number in signal.SIGTERM, signal.SIGINT:
            process, address = self.serve("full.tmz", "--listen",
                                          "127.0.0.1:0")
            status, body = self.get(address, "/debug/pprof/heap")
            self.assertEqual(status, 200)
            self.assertEqual(Profile(body).total("inuse_space"), 2064)
            self.assertEqual(self.get(address, "/metrics")[0], 200)
            self.assertEqual(self.get(address, "/")[0], 200)
            process.send_signal(number)
            self.assertEqual(process.wait(support.LONG_TIMEOUT), 0)
            self.assertEqual(process.stderr.read(), "")

    def test_names_of_folders_do_not_control_the_terminal(self):
        for name in "a\x1b[31m\nb", os.fsdecode(b"a\xff"):
            try:
                os.mkdir(name)
            except (OSError, UnicodeError):
                continue
            self.serve(name, "--listen", "127.0.0.1:0")

    def test_an_end_while_somebody_waits(self):
        process, address = self.serve("full.tmz", "--listen", "127.0.0.1:0")
        host, port = address.split(":")
        with socket.create_connection((host, int(port)),
                                      support.LONG_TIMEOUT) as connection:
            connection.sendall(b"GET /debug/pprof/heap?seconds=600 HTTP/1.1"
                               b"\r\nHost: localhost\r\n\r\n")
            # When others are answered, that one is waiting or about to.
            self.get(address, "/metrics")
            process.send_signal(signal.SIGTERM)
            ServerTests.rest(connection)
        self.assertEqual(process.wait(support.LONG_TIMEOUT), 0)

    def test_tokens(self):
        self.write("token", "0123456789abcdef\n")
        _, address = self.serve("full.tmz", "--listen", "127.0.0.1:0",
                                "--token-file", "token")
        self.assertEqual(self.get(address, "/metrics")[0], 401)
        self.assertEqual(self.get(
            address, "/metrics", Authorization="Bearer 0123456789abcdef")[0],
            200)

    def test_sockets_in_the_file_system(self):
        process, address = self.serve("full.tmz", "--listen", "unix:s")
        self.assertEqual(address, f"unix:{self.folder}/s")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect("s")
            connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            self.assertIn(b"200 OK", ServerTests.rest(connection))
        process.terminate()
        self.assertEqual(process.wait(support.LONG_TIMEOUT), 0)
        self.assertFalse(os.path.exists("s"))

    def test_a_process_that_may_begin_a_record(self):
        from tracemalloc._cli import serve

        options = serve._parser().parse_args([str(os.getpid())])
        with support.captured_stderr() as stderr:
            source = serve.source_of(options)
        self.assertEqual(source.look(), ([], [], 0))
        self.assertIn("-X tracemalloc=25,record, or name the file or folder; "
                      "until then nothing is told of it\n",
                      stderr.getvalue())

    def test_wrong_use(self):
        self.write("short", "abc")
        self.write("two", "0123456789abcdef 0123456789abcdef")
        for text, arguments in [
                ("other machines can connect there: let them know a token",
                 ["--listen", "0.0.0.0:0"]),
                ("other machines can connect there", ["--listen", "[::]:0"]),
                ("is no address such as 127.0.0.1:4041",
                 ["--listen", "4041"]),
                ("is no address", ["--listen", "127.0.0.1:70000"]),
                ("unix: needs the name of a file", ["--listen", "unix:"]),
                ("no/such: No such file", ["no/such"]),
                ("does not run; ps lists", ["4194305"]),
                ("nothing: No such file", ["--token-file", "nothing"]),
                ("a token is one word of 16 to 4096",
                 ["--token-file", "short"]),
                ("a token is one word", ["--token-file", "two"]),
                ("'x' is no label; there are none, or some of thread",
                 ["--labels", "x"])]:
            with self.subTest(arguments=arguments):
                self.assertIn(text, self.fails("serve", *arguments))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.assertIn(f"127.0.0.1:{port}: Address already in use",
                          self.fails("serve", "full.tmz", "--listen",
                                     f"127.0.0.1:{port}"))


if __name__ == "__main__":
    unittest.main()
