"""python -m tracemalloc run: programs that a signal ends leave their files.

Programs say on their standard output how far they are, and signals are sent
when they are there.  What waits for one of another process does so in short
sleeps: one that comes just before signal.pause() would not end that.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import unittest
from test.support import LONG_TIMEOUT, import_helper
from test.tracemalloc_commands import CommandTests

# Holds something that is gone when a function has returned.
SERVE = """\
    import os, signal, sys, time
    def serve():
        kept = bytearray(3_000_000)
        try:
            print("ready", flush=True)
            while True:
                time.sleep(0.1)
        finally:
            print("finally", flush=True)
    serve()
    """


def default_actions():
    """Take signals as they are: tests may run under nohup, or behind an &."""
    for number in signal.SIGTERM, signal.SIGHUP, signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)


@unittest.skipUnless(os.name == "posix", "needs signals of POSIX")
class EndingTests(CommandTests):

    def begin(self, program, *options, **how):
        """Start a program, and return the process when it says something."""
        self.write("program.py", program)
        how.setdefault("preexec_fn", default_actions)
        process = subprocess.Popen(
            [sys.executable, "-m", "tracemalloc", "run", "-n", "3",
             "-o", "end.tmz", *options, "program.py"],
            # Nothing is read that is not asked for.
            bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def wait(self, process):
        """Return how a process ended, and what it said."""
        out, err = process.communicate(timeout=LONG_TIMEOUT)
        return process.returncode, out.decode(), err.decode()

    def end(self, process, number=signal.SIGTERM):
        """Send a signal; return how the process ended, and what it said."""
        process.send_signal(number)
        return self.wait(process)

    def held(self, pattern, name="end.tmz"):
        """Return the bytes of lines that match, in a file that is whole."""
        return self.json("top", name, "--include", pattern)["total"]["size"]

    def check_ended(self, found, number=signal.SIGTERM, out=""):
        name = signal.Signals(number).name
        self.assertEqual(found[:2], (-number, out), found[2])
        self.assertRegex(found[2], rf"\ATraced memory at {name}: 2\d\d\d KiB ")
        self.assertIn(f"\nSnapshot at {name}: ", found[2])
        self.assertGreater(self.held("*program.py:3"), 3_000_000)
        self.assertEqual([name for name in os.listdir()
                          if name.startswith(".")], [])

    def test_signals_without_a_handler(self):
        for number in signal.SIGTERM, signal.SIGHUP:
            with self.subTest(number):
                process = self.begin(SERVE)
                # Nothing of the program runs any more, as without us.
                self.check_ended(self.end(process, number), number)

    def test_handler_that_exits(self):
        process = self.begin(
            "import signal, sys\n"
            "signal.signal(signal.SIGTERM, lambda *args: sys.exit(7))\n"
            + textwrap.dedent(SERVE))
        status, out, err = self.end(process)
        self.assertEqual((status, out), (7, "finally\n"))
        self.assertIn("Snapshot at exit: ", err)

    def test_handler_that_goes_on(self):
        process = self.begin("""\
            import os, signal
            read, write = os.pipe()
            def handle(number, frame):
                print("no")
                os.write(write, b".")
            signal.signal(signal.SIGTERM, handle)
            print("ready", flush=True)
            os.read(read, 1)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.kill(os.getpid(), signal.SIGTERM)
            print("end")
            """)
        self.assertEqual(self.end(process)[:2], (0, "no\nend\n"))

    def test_handler_that_gives_back_the_default_and_sends_the_signal_on(self):
        # As servers do that put handlers of their own in between.
        # The handler may run in the middle of print(), which then refuses
        # to be called once more.
        process = self.begin("""\
            import os, signal, time
            kept = []
            def handle(number, frame):
                kept.append(bytearray(3_000_000))
                signal.signal(number, before)
                os.write(1, b"handled\\n")
                signal.raise_signal(number)
            before = signal.signal(signal.SIGTERM, handle)
            print("ready", flush=True)
            while True:
                time.sleep(0.1)
            """)
        status, out, err = self.end(process)
        self.assertEqual((status, out), (-signal.SIGTERM, "handled\n"))
        self.assertGreater(self.held("*program.py:4"), 3_000_000)

    def test_event_loop(self):
        import_helper.import_module("asyncio")
        serve = """\
            import asyncio, signal
            kept = bytearray(3_000_000)
            async def main():
                {}
                print("ready", flush=True)
                await asyncio.Event().wait()
            asyncio.run(main())
            """
        process = self.begin(serve.format("pass"))
        self.assertEqual(self.end(process)[:2], (-signal.SIGTERM, ""))
        self.assertGreater(self.held("*program.py:2"), 3_000_000)
        os.remove("end.tmz")
        process = self.begin(serve.format(
            "asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, "
            "asyncio.current_task().cancel)"))
        status, out, err = self.end(process)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("CancelledError", err)
        self.assertGreater(self.held("*program.py:2"), 3_000_000)

    def test_the_program_sees_the_default_action(self):
        code = textwrap.dedent("""\
            import signal
            for number in signal.SIGTERM, signal.SIGHUP, signal.SIGINT:
                print(signal.getsignal(number),
                      signal.signal(number, print),
                      signal.signal(number, signal.SIG_IGN) is print,
                      signal.signal(number, signal.SIG_DFL),
                      signal.signal(number, signal.SIG_DFL),
                      signal.getsignal(number))
            for wrong in ([], 1), (signal.SIGTERM, None), (99999, print):
                try:
                    signal.signal(*wrong)
                except Exception as error:
                    print(repr(error))
            """)
        direct = subprocess.run([sys.executable, "-c", code], text=True,
                                capture_output=True)
        traced = self.start("run", "-q", "--no-file", "-c", code)
        self.assertEqual((traced.stdout, traced.stderr),
                         (direct.stdout, direct.stderr))

    def test_what_is_ignored_stays_ignored(self):
        process = self.begin("""\
            import os, signal
            os.kill(os.getpid(), signal.SIGHUP)
            print("ready", flush=True)
            print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)
            """, preexec_fn=lambda: signal.signal(signal.SIGHUP,
                                                  signal.SIG_IGN))
        self.assertEqual(self.wait(process)[:2], (0, "True\n"))

    def test_threads_that_do_not_end(self):
        process = self.begin("""\
            import os, threading
            kept = bytearray(3_000_000)
            # No thread of ours ever ends.
            read, _ = os.pipe()
            threading.Thread(target=os.read, args=(read, 1)).start()
            print("ready", flush=True)
            """)
        self.assertEqual(self.end(process)[:2], (-signal.SIGTERM, ""))
        self.assertGreater(self.held("*program.py:2"), 3_000_000)

    def test_a_second_signal_ends_what_does_not_come_back_to_python(self):
        import_helper.import_module("ctypes")
        process = self.begin("""\
            import ctypes, os, signal, sys, threading
            # Tells at once, and not when Python runs again.
            os.set_blocking(1, False)
            signal.set_wakeup_fd(1)
            library = ctypes.CDLL(None)
            mutex = ctypes.create_string_buffer(256)
            library.pthread_mutex_lock(mutex)
            # The thread runs on when this one leaves Python, and not before.
            begin = threading.Lock()
            begin.acquire()
            def tell():
                begin.acquire()
                os.write(1, b"ready\\n")
            threading.Thread(target=tell).start()
            sys.setswitchinterval(1000)
            begin.release()
            library.pthread_mutex_lock(mutex)
            """)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.stdout.read(1), bytes([signal.SIGTERM]))
        self.assertIsNone(process.poll())
        self.assertEqual(self.end(process), (-signal.SIGTERM, "", ""))
        # There is none that is not whole.
        self.assertEqual(sorted(os.listdir()),
                         ["a.tmz", "app.py", "b.tmz", "full.tmz",
                          "program.py"])

    # A hook that sends SIGTERM when a file of ours is about to be written.
    IN_THE_MIDDLE = """\
        import os, signal, sys
        kept = bytearray(3_000_000)
        # Either it has no name yet, or one of its own.
        nameless = getattr(os, "O_TMPFILE", -1)
        def hook(event, arguments):
            if (event == "open" and not sent
                    and (arguments[2] & nameless == nameless
                         or ".tracemalloc-" in str(arguments[0]))
                    and not str(arguments[0]).endswith(".family")):
                sent.append(arguments[0])
                os.kill(os.getpid(), signal.SIGTERM)
        sent = []
        sys.addaudithook(hook)
        print("ready", flush=True)
        """

    def test_what_is_written_meanwhile_is_completed(self):
        process = self.begin(
            textwrap.dedent(self.IN_THE_MIDDLE)
            + "os.kill(os.getpid(), signal.SIGUSR2)\nsignal.pause()\n",
            "--on-signal", "-o", "end-$counter.tmz")
        status, out, err = self.wait(process)
        self.assertEqual((status, out), (-signal.SIGTERM, ""))
        self.assertIn("1 snapshot before: end-0001.tmz\nSnapshot at SIGTERM: ",
                      err)
        for name in "end-0001.tmz", "end-0002.tmz":
            self.assertGreater(self.held("*program.py:2", name), 3_000_000)

    def test_what_is_written_at_exit_is_completed(self):
        process = self.begin(self.IN_THE_MIDDLE)
        status, out, err = self.wait(process)
        self.assertEqual((status, out), (-signal.SIGTERM, ""))
        self.assertIn("Snapshot at SIGTERM: ", err)
        self.assertGreater(self.held("*program.py:2"), 3_000_000)

    def test_a_thread_that_writes_is_waited_for(self):
        process = self.begin("""\
            import os, signal
            print("ready", flush=True)
            while not os.path.exists("end-0002.tmz"):
                pass
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
            """, "--every", "1ms", "-o", "end-$counter.tmz")
        status, out, err = self.wait(process)
        self.assertEqual((status, out), (-signal.SIGTERM, ""))
        self.assertIn("Snapshot at SIGTERM: ", err)
        for name in os.listdir():
            self.assertFalse(name.startswith("."), name)
            if name.startswith("end-"):
                self.json("stats", name)

    def test_standard_error_in_the_middle_of_a_line(self):
        process = self.begin("""\
            import os, signal, sys
            class Raw:
                def isatty(self): return False
                encoding = "utf-8"
                def write(self, text): raise RuntimeError("reentrant call")
                def flush(self): pass
            sys.stderr = Raw()
            print("ready", flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
            """)
        _, _, err = self.wait(process)
        self.assertIn("Snapshot at SIGTERM: ", err)

    def test_standard_error_is_closed(self):
        # Its number may be that of another file by now.
        process = self.begin("""\
            import os, signal, sys
            sys.stderr.close()
            os.close(2)
            with open("other", "wb") as stream:
                print("ready", flush=True)
                os.kill(os.getpid(), signal.SIGTERM)
            """)
        self.assertEqual(self.wait(process), (-signal.SIGTERM, "", ""))
        self.assertEqual(os.path.getsize("other"), 0)
        self.json("stats", "end.tmz")

    @unittest.skipUnless(shutil.which("unshare"), "needs unshare")
    def test_first_process_of_a_container(self):
        place = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
        if subprocess.run([*place, "true"], capture_output=True).returncode:
            self.skipTest("no namespaces of processes can be made here")
        self.write("program.py", """\
            import os, signal
            print(os.getpid(), flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
            """)
        process = subprocess.run(
            [*place, sys.executable, "-m", "tracemalloc", "run", "-o",
             "end.tmz", "program.py"], capture_output=True, text=True,
            timeout=LONG_TIMEOUT)
        self.assertEqual((process.returncode, process.stdout),
                         (128 + signal.SIGTERM, "1\n"), process.stderr)
        self.assertIn("Snapshot at SIGTERM: ", process.stderr)
        self.json("stats", "end.tmz")

    def test_json(self):
        process = self.begin(SERVE, "--json")
        found = json.loads(self.end(process)[2])
        self.assertEqual(found["signal"], "SIGTERM")
        self.assertEqual(os.path.basename(found["files"]["exit"]), "end.tmz")

    def test_program_that_has_stopped_tracing(self):
        process = self.begin("import tracemalloc\ntracemalloc.stop()\n"
                             + textwrap.dedent(SERVE))
        self.assertEqual(
            self.end(process),
            (-signal.SIGTERM, "", "python -m tracemalloc run: the program "
             "has stopped tracing: there is no snapshot\n"))


class PeakTests(CommandTests):
    """What was held at the peak is shown first if that was much more."""

    PROGRAM = """\
        def main():
            index = [bytearray(100_000) for _ in range(50)]
        main()
        """

    def summary(self, *options, program=PROGRAM):
        self.write("program.py", program)
        process = self.start("run", "-n", "1", "-o", "out.tmz", *options,
                             "program.py")
        self.assertEqual(process.returncode, 0, process.stderr)
        return process.stderr

    def test_peak_first(self):
        lines = self.summary().splitlines()
        self.assertEqual(lines[1], "The peak was much higher than what is "
                                   "left; first what was held then:")
        self.assertEqual(lines[2].split()[:2], ["at", "peak"])
        self.assertRegex(lines[3], r" program\.py:2 main\(\)$")
        self.assertEqual(lines[4].strip(), "index = [bytearray(100_000) for "
                                           "_ in range(50)]")
        at_exit = lines.index("Held at exit:")
        self.assertEqual(lines[at_exit + 1].split()[0], "size")
        # What the last line tells one to do shows the same.
        self.assertRegex(lines[-1], r" top --at-peak out\.tmz$")
        shown = self.output("top", "--at-peak", "-n", "1", "out.tmz")
        self.assertEqual(shown.splitlines()[2], lines[3])

    def test_peak_that_is_not_much_higher(self):
        for program in ("kept = [bytearray(100_000) for _ in range(50)]\n"
                        "del kept[40:]\n",
                        # Twice as much, but less than a MiB more.
                        "kept = [bytearray(10_000) for _ in range(50)]\n"
                        "del kept[5:]\n"):
            text = self.summary(program=program)
            self.assertNotIn("much higher", text)
            self.assertRegex(text, r"top out\.tmz\n\Z")

    def test_json(self):
        found = json.loads(self.summary("--json"))
        self.assertEqual(found["at_peak"]["sort"], "peak_size")
        self.assertEqual(found["at_peak"]["groups"][0]["lineno"], 2)
        self.assertEqual(found["at_peak"]["groups"][0]["filename"],
                         os.path.join(self.folder, "program.py"))
        self.assertIsNone(json.loads(self.summary(
            "--json", program="kept = 1\n"))["at_peak"])

    def test_nothing_is_shown(self):
        self.assertRegex(self.summary("-n", "0"),
                         r"\ATraced memory at exit: [^\n]*\n"
                         r"Snapshot at exit: [^\n]*\n\Z")

    def test_names_are_from_where_the_program_began(self):
        text = self.summary(program="import os\nos.mkdir('new')\n"
                                    "os.chdir('new')\nkept = 'x' * 100_000\n")
        self.assertRegex(text, r"\btop out\.tmz\n\Z")
        self.assertIn("  program.py:4 <module>\n", text)
        self.assertIn(f"  {self.folder}/program.py:4 <module>\n",
                      self.summary("--full-paths",
                                   program="\n\n\nkept = 'x' * 100_000\n"))


if __name__ == "__main__":
    unittest.main()
