"""python -m tracemalloc push: what is sent, when, and what is not."""
import http.server
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import unittest
from test import support
from test.support import threading_helper
from test.tracemalloc_commands import CommandTests
from test.tracemalloc_processes import FakeProcess, FakeSource, damaged
from test.tracemalloc_profiles import Profile
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from tracemalloc._agent import ingest, pusher
from tracemalloc._agent.ending import Ending
from tracemalloc._agent.ingest import NotDelivered
from tracemalloc._agent.sources import SourceError

A = (5, "read", (2, 2000), (5, 5000))
A2 = (5, "read", (3, 3000), (9, 9000))
B = (7, "load", (1, 100), (9, 900))


class Time:
    """Goes on when somebody waits, or when a request takes long."""

    def __init__(self):
        self.now = 5000.0
        self.asked = False
        self.left = None
        self.waits = []

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.waits.append(seconds)
        self.now += seconds
        if self.left is not None:
            self.left -= 1
            self.asked = self.left <= 0
        return self.asked


class Pushing(unittest.TestCase):
    """Base: without sockets."""

    def setUp(self):
        self.time = Time()
        self.source = FakeSource(FakeProcess(7, A))
        self.sent = []
        self.told = []
        self.faults = []
        self.enterContext(mock.patch.object(pusher.random, "uniform",
                                            lambda low, high: high))

    def send(self, name, start, end, profile, limit):
        if self.faults:
            fault = self.faults.pop(0)
            if fault is not None:
                raise fault
        self.sent.append((name, start, end, Profile(profile)))

    def pusher(self, **options):
        return pusher.Pusher(self.source, self.send, tell=self.told.append,
                             clock=self.time, timer=self.time, **options)

    def step(self, found, seconds=15):
        """Take and deliver; return the profile."""
        before = len(self.sent)
        found.take()
        found.deliver()
        self.time.now += seconds
        self.assertEqual(len(self.sent), before + 1)
        return self.sent[-1][3]


class TakingTests(Pushing):

    def test_held_now_and_allocated_since(self):
        found = self.pusher()
        first = self.step(found)
        self.assertEqual(first.by_line("inuse_space"), {("app.py", 5): 2000})
        # Nobody knows when that was.
        self.assertEqual(first.total("alloc_space"), 0)
        self.source.processes[0].contexts = (A2, B)
        second = self.step(found)
        self.assertEqual(second.by_line("inuse_space"),
                         {("app.py", 5): 3000, ("app.py", 7): 100})
        self.assertEqual(second.by_line("alloc_space"),
                         {("app.py", 5): 4000, ("app.py", 7): 900})
        third = self.step(found)
        self.assertEqual(third.total("alloc_space"), 0)
        self.assertEqual(third.total("inuse_space"), 3100)
        self.assertEqual([each[:3] for each in self.sent], [
            ("app", 4985, 5000), ("app", 5000, 5015), ("app", 5015, 5030)])
        self.assertEqual(third.duration, 15 * 10**9)
        self.assertEqual(third.time, 5030 * 10**9)

    def test_new_processes_count_whole(self):
        found = self.pusher()
        self.step(found)
        self.source.processes.append(FakeProcess(8, B, started=5001.0))
        profile = self.step(found)
        self.assertEqual(profile.by_line("alloc_space"), {("app.py", 7): 900})
        self.assertEqual(profile.total("inuse_space"), 2100)

    def test_ended_processes_count_once_more(self):
        found = self.pusher()
        self.step(found)
        self.source.processes[0].contexts = (A2,)
        self.source.processes[0].state = "gone"
        profile = self.step(found)
        self.assertEqual(profile.total("alloc_space"), 4000)
        self.assertEqual(profile.total("inuse_space"), 0)
        found.take()
        self.assertEqual(found.waiting, 0)
        self.assertFalse(found.is_over)

    def test_what_had_ended_before_is_left_alone(self):
        self.source.processes[0].state = "gone"
        found = self.pusher()
        found.take()
        self.assertEqual(found.waiting, 0)

    def test_a_file_of_a_dead_process_is_sent_as_it_is(self):
        self.source = FakeSource(FakeProcess(7, A, state="gone"),
                                 is_folder=False)
        found = self.pusher()
        profile = self.step(found)
        self.assertEqual(profile.total("inuse_space"), 2000)
        self.assertEqual(profile.total("alloc_space"), 5000)
        self.assertTrue(found.is_over)

    def test_tracing_that_began_anew(self):
        found = self.pusher()
        self.step(found)
        self.source.processes[0].contexts = (B,)
        profile = self.step(found)
        self.assertEqual(profile.by_line("alloc_space"), {("app.py", 7): 900})

    def test_one_profile_for_each_program(self):
        self.source.processes += [
            FakeProcess(8, B), FakeProcess(9, B, program="/srv/my app.py"),
            FakeProcess(10, B, program="")]
        found = self.pusher()
        found.take()
        found.deliver()
        self.assertEqual(
            {name: profile.total("inuse_space")
             for name, _, _, profile in self.sent},
            {"app": 2100, "my_app": 100, "python": 100})
        self.sent.clear()
        found = self.pusher(name="shop", labels=[("zone", "a"), ("z", "b")])
        found.take()
        found.deliver()
        (name, _, _, profile), = self.sent
        self.assertEqual(name, "shop{zone=a,z=b}")
        self.assertEqual(profile.total("inuse_space"), 2300)

    def test_labels_of_samples(self):
        self.source.processes.append(FakeProcess(8, B))
        profile = self.step(self.pusher())
        self.assertEqual({labels for _, labels in profile.samples}, {()})
        profile = self.step(self.pusher(own_labels=["pid"]))
        self.assertEqual({labels for _, labels in profile.samples},
                         {(("pid", "7"),), (("pid", "8"),)})
        profile = self.step(self.pusher(own_labels=["thread"]))
        self.assertEqual({labels for _, labels in profile.samples},
                         {(("thread", "MainThread"),)})

    def test_call_paths_that_hold_little_are_one(self):
        self.source.processes.append(FakeProcess(8, B))
        found = self.pusher(least=1000)
        for _ in range(2):
            profile = self.step(found)
            self.assertEqual(profile.by_line("inuse_space"),
                             {("app.py", 5): 2000, ("<small>", 0): 100})
            self.assertEqual(len(profile.types), 2)

    def test_faults_are_told_once(self):
        self.source.processes.append(FakeProcess(8, B))
        self.source.processes[1].fault = damaged()
        found = self.pusher()
        for _ in range(3):
            self.assertEqual(self.step(found).total("inuse_space"), 2000)
        self.assertEqual(self.told, ["'x.tmrec' is a damaged record"])
        self.source.look = mock.Mock(side_effect=SourceError("gone"))
        found.take()
        self.assertEqual(self.told[1:], ["gone"])


class DeliveringTests(Pushing):

    def wait_for(self, number):
        """Return a Pusher in whose queue so many profiles are."""
        found = self.pusher()
        for _ in range(number):
            found.take()
            self.time.now += 15
        return found

    def test_what_cannot_be_delivered_is_kept(self):
        found = self.wait_for(3)
        self.faults = [NotDelivered("Connection refused")]
        found.deliver()
        self.assertEqual((found.waiting, self.sent), (3, []))
        self.assertEqual(self.told, ["cannot deliver: Connection refused; "
                                     "trying again"])
        # Not before it is time.
        found.deliver()
        self.assertEqual(self.sent, [])
        self.time.now += 1
        found.deliver()
        self.assertEqual([each[1] for each in self.sent], [4985, 5000, 5015])
        self.assertEqual(self.told[1:], ["delivering again"])

    def test_pauses_get_longer(self):
        found = self.wait_for(1)
        self.faults = [NotDelivered("no")] * 12
        pauses = []
        while self.faults:
            before = self.time.now
            found.deliver()
            self.time.now = found._retry_at
            pauses.append(self.time.now - before)
        self.assertEqual(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300,
                                  300])
        self.assertEqual(len(self.told), 1)

    def test_servers_say_when(self):
        found = self.wait_for(1)
        for after, pause in (7, 7), (10**9, 300), (0, 4):
            self.faults = [NotDelivered("busy", after=after)]
            before = self.time.now
            found.deliver()
            self.time.now = found._retry_at
            self.assertEqual(self.time.now - before, pause)

    def test_what_a_server_does_not_want_is_dropped(self):
        found = self.wait_for(3)
        self.faults = [None, NotDelivered("status 400: no", for_good=True)]
        found.deliver()
        self.assertEqual([each[1] for each in self.sent], [4985, 5015])
        self.assertEqual(self.told,
                         ["dropped a profile of app: status 400: no"])
        self.assertEqual((found.delivered, found.dropped), (2, 1))

    def test_the_oldest_are_dropped_if_there_are_too_many(self):
        size = len(self.wait_for(1)._queue[0].profile)
        found = self.pusher(keep=3 * size + size // 2)
        self.faults = [NotDelivered("no")]
        for _ in range(6):
            found.take()
            found.deliver(at_once=not self.told)
            self.time.now += 15
            found._retry_at = self.time.now + 1
        self.assertEqual((found.waiting, found.dropped), (3, 3))
        self.assertEqual(len(self.told), 2)
        self.assertIn("dropping the oldest profiles: those that wait are "
                      "more than ", self.told[1])
        found.deliver(at_once=True)
        self.assertEqual([each[1] for each in self.sent],
                         [5045, 5060, 5075])
        self.assertRegex(self.told[2], r"\Adelivering again; dropped 3 "
                         r"profiles from [-\d]+ [:\d]+ to [-\d]+ [:\d]+\Z")

    def test_one_profile_is_never_too_many(self):
        found = self.pusher(keep=1)
        found.take()
        self.assertEqual(found.waiting, 1)
        found.take()
        self.assertEqual((found.waiting, found.dropped), (1, 1))


    def test_a_server_that_is_away_for_long_costs_no_memory(self):
        found = self.pusher(keep=1)

        def kept():
            return sum(len(each) for each in vars(found).values()
                       if hasattr(each, "__len__"))

        found.take()
        found.take()
        before = kept()
        for _ in range(20):
            found.take()
        self.assertEqual(found.dropped, 21)
        self.assertEqual(kept(), before)


class RunningTests(Pushing):

    def test_at_intervals(self):
        self.time.left = 3
        self.assertTrue(self.pusher().run(self.time))
        self.assertEqual([each[2] for each in self.sent],
                         [5000, 5015, 5030, 5045])
        self.assertEqual(self.time.waits, [15, 15, 15])

    def test_the_end_of_all_processes_is_the_end(self):
        self.source.is_folder = False
        processes = self.source.processes

        def look():
            if self.time.now > 5020:
                processes[0].state = "gone"
            return processes, [], 0

        self.source.look = look
        self.assertTrue(self.pusher().run(self.time))
        self.assertEqual([each[2] for each in self.sent], [5000, 5015, 5030])

    def test_patience_ends(self):
        self.source = FakeSource(FakeProcess(7, A, state="gone"),
                                 is_folder=False)
        self.faults = [NotDelivered("no")] * 1000
        self.assertFalse(self.pusher().run(self.time))
        self.assertEqual(self.told, ["cannot deliver: no; trying again",
                                     "not delivered: 1 profile"])
        self.assertLess(self.time.now, 5000 + 2 * pusher.PATIENCE + 5)

    def test_the_end_is_told_what_was_lost(self):
        self.time.left = 4
        self.faults = [NotDelivered("no")] * 1000
        self.assertFalse(self.pusher(keep=1).run(self.time))
        self.assertEqual(self.told[-2], "not delivered: 1 profile")
        self.assertRegex(self.told[-1], "^ended; dropped [1-4] profiles? ")


class Sink(http.server.BaseHTTPRequestHandler):
    """A server that takes profiles, on this machine."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.found.append((self.path, dict(self.headers), body))
        status, text, fields = self.server.answer
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


class WithSink(CommandTests):

    def setUp(self):
        super().setUp()
        self.addCleanup(threading_helper.threading_cleanup,
                        *threading_helper.threading_setup())
        self.sink = http.server.HTTPServer(("127.0.0.1", 0), Sink)
        self.sink.found = []
        self.sink.answer = 200, b"", {}
        thread = threading.Thread(target=self.sink.serve_forever,
                                  kwargs={"poll_interval": 0.05})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.sink.server_close)
        self.addCleanup(self.sink.shutdown)
        self.url = "http://127.0.0.1:%d" % self.sink.server_address[1]


class IngestTests(WithSink):

    def send(self, url=None, **options):
        ingest.Ingest(url or self.url, {"X-Scope-OrgID": "t"}).send(
            "app{zone=a}", 10.7, 25.9, b"profile", **options)

    def fault(self, *answer):
        self.sink.answer = answer
        with self.assertRaises(NotDelivered) as caught:
            self.send()
        return caught.exception

    def test_a_request(self):
        self.send(self.url + "/some/where/")
        (path, fields, body), = self.sink.found
        parts = urlsplit(path)
        self.assertEqual(parts.path, "/some/where/ingest")
        self.assertEqual(parse_qs(parts.query), {
            "name": ["app{zone=a}"], "from": ["10"], "until": ["25"],
            "format": ["pprof"], "spyName": ["tracemalloc"]})
        self.assertEqual(fields["X-Scope-OrgID"], "t")
        self.assertEqual(body, b"profile")

    def test_statuses(self):
        for status, for_good in ((400, True), (401, True), (404, True),
                                 (413, True), (422, True), (302, True),
                                 (408, False), (429, False), (500, False),
                                 (503, False)):
            fault = self.fault(status, b"some\n text \x1b", {})
            self.assertEqual(fault.for_good, for_good, status)
            self.assertEqual(str(fault), f"status {status}: some text \x1b")

    def test_when_to_come_again(self):
        for text, after in (("7", 7), ("x", None), ("-1", None),
                            ("Wed, 21 Oct 2015 07:28:00 GMT", None)):
            self.assertEqual(self.fault(503, b"", {"Retry-After": text}).after,
                             after)

    def test_nobody_is_there(self):
        # Nobody else gets the port as long as it is bound.
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            port = deaf.getsockname()[1]
            with self.assertRaisesRegex(NotDelivered, "refused") as caught:
                self.send(f"http://127.0.0.1:{port}")
        self.assertFalse(caught.exception.for_good)

    def test_servers_that_never_answer(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = "http://127.0.0.1:%d" % silent.getsockname()[1]
            with self.assertRaises(NotDelivered):
                self.send(url, limit=0.05)

    def test_servers_that_answer_for_ever(self):
        def drip(listening):
            connection, _ = listening.accept()
            with connection:
                try:
                    while True:
                        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                except OSError:
                    pass

        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=drip, args=[listening])
            thread.start()
            url = "http://127.0.0.1:%d" % listening.getsockname()[1]
            with self.assertRaises(NotDelivered):
                self.send(url, limit=0.05)
            thread.join()

    def test_no_server_at_all(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            def answer():
                connection, _ = listening.accept()
                with connection:
                    connection.sendall(b"SSH-2.0-x\r\n")

            thread = threading.Thread(target=answer)
            thread.start()
            with self.assertRaises(NotDelivered):
                self.send("http://127.0.0.1:%d" % listening.getsockname()[1])
            thread.join()

    def test_urls(self):
        for url in ("127.0.0.1:4040", "ftp://x", "http://", "http://x?y=1",
                    "http://x:port", "http://x/#y"):
            with self.subTest(url=url), self.assertRaises(ValueError):
                ingest.Ingest(url)
        with self.assertRaisesRegex(ValueError, "seen by everybody"):
            ingest.Ingest("http://me:secret@x")

    def test_names(self):
        for program, name in [("/srv/app.py", "app"), ("", "python"),
                              ("pkg.tool", "pkg.tool"), ("-c", "-c"),
                              ("C:\\x y.pyz", "x_y"), ("\udc80{}", "_")]:
            self.assertEqual(ingest.as_name(program), name)
            ingest.check_name(name)
        for name in "", "a b", "a{b=c}", "\u00e9":
            with self.assertRaises(ValueError):
                ingest.check_name(name)
        for key, value in [("__name__", "x"), ("1", "x"), ("a", ""),
                           ("a", "b,c"), ("a", "b}"), ("a-b", "x"),
                           ("a", "\n")]:
            with self.assertRaises(ValueError):
                ingest.check_label(key, value)


class EndingTests(unittest.TestCase):

    def test_signals_are_noted(self):
        if threading.current_thread() is not threading.main_thread():
            self.skipTest("signals come to the main thread")
        calls = []
        before = signal.getsignal(signal.SIGTERM)
        with Ending(lambda: calls.append(1)) as ending:
            self.assertFalse(ending.wait(0))
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            self.assertTrue(ending.wait())
            self.assertTrue(ending.wait())
        self.assertEqual(calls, [1])
        self.assertEqual(signal.getsignal(signal.SIGTERM), before)

    @unittest.skipUnless(hasattr(signal, "SIGUSR2"), "needs SIGUSR2")
    def test_signals_that_others_handle_end_no_waiting(self):
        if threading.current_thread() is not threading.main_thread():
            self.skipTest("signals come to the main thread")
        # Of those that come while one waits, the third is the end.
        waiting = [signal.SIGUSR2, signal.SIGUSR2, signal.SIGTERM]
        looked = []

        def look(*arguments):
            looked.append(arguments)
            if waiting:
                signal.raise_signal(waiting.pop(0))
            return real(*arguments)

        real = select.select
        self.addCleanup(signal.signal, signal.SIGUSR2, signal.signal(
            signal.SIGUSR2, lambda number, frame: None))
        with Ending() as ending, mock.patch.object(select, "select", look):
            self.assertTrue(ending.wait())
        self.assertEqual(len(looked), 3)
        waiting[:] = [signal.SIGUSR2]
        with Ending() as ending, mock.patch.object(select, "select", look):
            self.assertFalse(ending.wait(0.01))
            # Nothing is left that would end the next one at once.
            self.assertEqual(real([ending._read], [], [], 0)[0], [])


class CommandLineTests(WithSink):

    def test_a_file_is_sent_once(self):
        process = self.start("push", "--to", self.url, "--label", "zone=a",
                             "full.tmz")
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        self.assertEqual(process.stdout.splitlines(), [
            f"Sending full.tmz to {self.url} every 15 s (Ctrl-C ends it)",
            "1 profile delivered"])
        (path, fields, body), = self.sink.found
        self.assertEqual(parse_qs(urlsplit(path).query)["name"],
                         ["a_b{zone=a}"])
        self.assertNotIn("Authorization", fields)
        self.assertEqual(Profile(body).by_line("inuse_space"),
                         {("app.py", 5): 2000, ("app.py", 2): 64})

    def test_signals_end_it(self):
        for number in signal.SIGTERM, signal.SIGINT:
            process = subprocess.Popen(
                [sys.executable, "-m", "tracemalloc", "push", "--to",
                 self.url, "."], stdout=subprocess.PIPE, text=True)
            with process:
                process.stdout.readline()
                process.send_signal(number)
                out, _ = process.communicate(timeout=support.LONG_TIMEOUT)
            self.assertEqual(process.returncode, 0)
            self.assertIn("delivered", out)

    def test_the_environment(self):
        os.environ.update(
            PYROSCOPE_APPLICATION_NAME="shop",
            PYROSCOPE_LABELS="zone=a,team=b", PYROSCOPE_TENANT_ID="t",
            PYROSCOPE_BASIC_AUTH_USER="me",
            PYROSCOPE_BASIC_AUTH_PASSWORD="secret")
        self.call("push", "--to", self.url, "--label", "zone=z", "full.tmz")
        self.write("token", "0123456789abcdef")
        self.call("push", "--to", self.url, "--tenant", "u", "--name", "x",
                  "--token-file", "token", "full.tmz")
        (path, fields, _), (_, others, _) = self.sink.found
        self.assertEqual(parse_qs(urlsplit(path).query)["name"],
                         ["shop{team=b,zone=z}"])
        self.assertEqual(fields["Authorization"], "Basic bWU6c2VjcmV0")
        self.assertEqual(fields["X-Scope-OrgID"], "t")
        self.assertEqual(others["Authorization"], "Bearer 0123456789abcdef")
        self.assertEqual(others["X-Scope-OrgID"], "u")
        os.environ["PYROSCOPE_LABELS"] = "nonsense"
        self.assertIn("the variable PYROSCOPE_LABELS: 'nonsense' is no label",
                      self.fails("push", "--to", self.url, "full.tmz"))

    def test_what_is_refused_is_told(self):
        self.sink.answer = 401, b"who\x1b[2J are you", {}
        status, out, err = self.call("push", "--to", self.url, "full.tmz")
        self.assertEqual(status, 1)
        self.assertIn("dropped a profile of a_b: status 401: who\\x1b[2J are "
                      "you\n", err)
        self.assertIn("0 profiles delivered", out)

    def test_wrong_use(self):
        for text, arguments in [
                ("arguments are required: --to", []),
                ("--to: 'x' is no URL such as", ["--to", "x"]),
                ("--to: a password in a URL", ["--to", "http://a:b@x"]),
                ("'a..b' is no name of a host", ["--to", "http://a..b"]),
                ("in its path", ["--to", f"{self.url}/\u00fc"]),
                ("in its path", ["--to", f"{self.url}/a b"]),
                ("'0.5s' is too often", ["--to", self.url, "--every",
                                         "0.5s"]),
                ("'a' is no label such as zone=a", ["--to", self.url,
                                                    "--label", "a"]),
                ("'a b' is no name", ["--to", self.url, "--name", "a b"]),
                ("nope: No such file", ["--to", self.url, "nope"]),
                # No system has such a number.
                ("does not run; ps lists", ["--to", self.url, "4194305"])]:
            with self.subTest(arguments=arguments):
                self.assertIn(text, self.fails("push", *arguments))


if __name__ == "__main__":
    unittest.main()
