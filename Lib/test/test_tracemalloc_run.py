"""python -m tracemalloc run: what the program sees, and what is written."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import unittest
from test.support import LONG_TIMEOUT, os_helper
from test.tracemalloc_commands import CommandTests

from tracemalloc._cli.summary import _interpreter

SOURCE = os.environ.get("TRACEMALLOC_SOURCE")


class RunTests(CommandTests):
    """run: the program sees what it sees when started directly."""

    PROGRAM = """\
        import atexit, os, sys
        atexit.register(print, "exit 1")
        atexit.register(print, "exit 2")
        kept = [bytearray(100_000) for _ in range(7)]
        del kept[5:]
        print(sys.argv, sys.path[0], sorted(globals()), __file__, __spec__,
              __name__, type(__loader__).__name__, __doc__, __cached__,
              __package__, __annotations__)
        print(sys.modules["__main__"].kept is kept)
        print(sys.stdin.read())
        sys.exit(3)
        """

    def compare(self, *arguments, options=(), stdin="input",
                prepare=lambda text: text):
        """Check that a program does the same; return how `run` ended."""
        direct = subprocess.run([sys.executable, *arguments], input=stdin,
                                capture_output=True, text=True,
                                timeout=LONG_TIMEOUT)
        traced = self.start("run", "--quiet", *options, *arguments,
                            input=stdin)
        self.assertEqual(traced.returncode, direct.returncode)
        self.assertEqual(prepare(traced.stdout), prepare(direct.stdout))
        self.assertEqual(prepare(traced.stderr), prepare(direct.stderr))
        return traced

    def test_script(self):
        self.write("program.py", self.PROGRAM)
        process = self.compare("program.py", "-n", "--color", "x y")
        self.assertEqual(process.returncode, 3)
        self.assertIn("input\nexit 2\nexit 1\n", process.stdout)

    def test_script_in_a_folder(self):
        os.mkdir("folder")
        self.write("folder/program.py", self.PROGRAM)
        self.compare("./folder/program.py")

    @os_helper.skip_unless_symlink
    def test_symbolic_link(self):
        os.mkdir("folder")
        self.write("folder/program.py", self.PROGRAM)
        os.symlink("folder/program.py", "link.py")
        self.compare("link.py")

    def test_module(self):
        def without_addresses(text):
            return re.sub(" at 0x[0-9a-f]+", "", text)

        os.mkdir("package")
        self.write("package/__init__.py", "")
        self.write("package/__main__.py", self.PROGRAM)
        self.compare("-m", "package", "a", prepare=without_addresses)
        self.compare("-mpackage.__main__", prepare=without_addresses)
        # A folder is a program, too.
        self.compare("package", "b", prepare=without_addresses)

    def test_module_that_is_missing(self):
        process = self.compare("-m", "no_such_module")
        self.assertEqual(process.returncode, 1)

    def test_archive(self):
        import zipfile
        with zipfile.ZipFile("program.zip", "w") as archive:
            archive.writestr("__main__.py", textwrap.dedent(self.PROGRAM))
        self.compare("program.zip", "b")

    def test_compiled(self):
        import py_compile
        self.write("program.py", "import sys\nprint(__file__, sys.argv)\n")
        py_compile.compile("program.py", "program.pyc")
        self.compare("program.pyc", "b")

    def test_code(self):
        self.compare("-c", "import sys; print(sys.argv, sys.path[0], "
                           "sorted(globals()), __loader__)", "-c", "x")

    def test_isolated(self):
        self.write("program.py", "import sys; print(sys.path, sys.flags)")
        for flag in "-I", "-P":
            with self.subTest(flag):
                direct = subprocess.run(
                    [sys.executable, flag, "program.py"],
                    capture_output=True, text=True)
                traced = subprocess.run(
                    [sys.executable, flag, "-m", "tracemalloc", "run", "-q",
                     "--no-file", "program.py"],
                    capture_output=True, text=True)
                self.assertEqual(traced.stdout, direct.stdout)
                self.assertEqual(traced.stderr, "")

    def test_exceptions(self):
        self.write("program.py", """\
            def f():
                try:
                    1 / 0
                except ZeroDivisionError:
                    raise ValueError("no")
            f()
            """)
        process = self.compare("program.py")
        self.assertEqual(process.returncode, 1)
        self.compare("-m", "program")
        self.compare("-c", "def f():\n  raise KeyError(1)\nf()")

    def test_syntax_error(self):
        self.write("program.py", "def (\n")
        self.compare("program.py")
        self.compare("-c", "def (")

    def test_exits(self):
        for code in ("sys.exit()", "sys.exit(None)", "sys.exit(0)",
                     "sys.exit('bye')", "sys.exit((1, 2))",
                     "raise SystemExit(300)", "os._exit(5)",
                     "sys.stdout.close(); sys.exit(4)",
                     "sys.excepthook = lambda *a: print(a[0]); 1 / 0",
                     "sys.excepthook = lambda *a: sys.exit(6); 1 / 0",
                     "sys.excepthook = lambda *a: [][1]; {}['x']",
                     "del sys.modules['__main__']; 1 / 0"):
            with self.subTest(code):
                self.compare("-c", "import os, sys; " + code)

    @unittest.skipUnless(os.name == "posix", "needs signals of POSIX")
    def test_signals(self):
        for name, code in (
                ("SIGINT", "import os, signal\n"
                           "os.kill(os.getpid(), signal.SIGINT)\n"
                           "signal.pause()\n"),
                ("SIGTERM", "import os, signal\n"
                            "os.kill(os.getpid(), signal.SIGTERM)\n"
                            "signal.pause()\n")):
            with self.subTest(name):
                process = self.compare("-c", code)
                self.assertEqual(process.returncode,
                                 -getattr(signal, name))
        self.compare("-c", "import signal\nfor number in "
                           "sorted(signal.valid_signals()):\n"
                           "    print(number, signal.getsignal(number))")

    def test_threads_end_first(self):
        self.write("program.py", """\
            import threading
            kept = []
            def work():
                threading.main_thread().join()
                kept.append(bytearray(1_000_000))
                print("thread")
            threading.Thread(target=work).start()
            """)
        self.compare("program.py", options=("-o", "end.tmz"))
        found = self.json("top", "end.tmz", "--include", "*program.py:5")
        self.assertGreaterEqual(found["total"]["size"], 1_000_000)

    def test_main_can_be_pickled_and_inspected(self):
        self.compare("-c", textwrap.dedent("""\
            import pickle
            class A: pass
            print(type(pickle.loads(pickle.dumps(A()))) is A)
            """))
        self.write("program.py", """\
            import inspect, multiprocessing
            def double(number):
                return 2 * number
            if __name__ == "__main__":
                print(inspect.getsource(double))
                context = multiprocessing.get_context("spawn")
                with context.Pool(1) as pool:
                    print(pool.map(double, [1, 2]))
            """)
        self.compare("program.py")

    # What is written

    def run_program(self, *arguments, status=0):
        process = self.start("run", *arguments)
        self.assertEqual(process.returncode, status, process.stderr)
        return process

    def test_summary(self):
        self.write("program.py", self.PROGRAM)
        process = self.run_program("--output", "out.tmz", "-n", "1",
                                   "program.py", status=3)
        lines = process.stderr.splitlines()
        self.assertRegex(
            lines[0], r"^Traced memory at exit: 4\d\d KiB in [\d,]+ blocks; "
                      r"at the peak: 6\d\d KiB$")
        self.assertEqual(lines[1].split(),
                         ["size", "share", "blocks", "average", "line"])
        self.assertRegex(lines[2], rf"^ *489 KiB +\d\d\.\d% +\d+ +[\d.]+ KiB  "
                                   r"program.py:4 <module>$")
        self.assertEqual(lines[3].strip(),
                         "kept = [bytearray(100_000) for _ in range(7)]")
        self.assertRegex(lines[4], r" more$")
        self.assertRegex(lines[5], r" total$")
        self.assertEqual(lines[6:], [f"Snapshot at exit: {_interpreter()} -m "
                                     "tracemalloc top out.tmz"])
        found = self.json("top", "out.tmz", "-n", "1")
        self.assertEqual(found["groups"][0]["lineno"], 4)

    def test_the_summary_adds_up_and_has_no_row_of_the_runner(self):
        self.write("program.py", "kept = [str(n) * 50 for n in range(40)]\n")
        for program in ["program.py"], ["-m", "program"]:
            process = self.run_program("--no-file", "--json", "-n", "1000",
                                       *program)
            found = json.loads(process.stderr)
            self.assertEqual(found["traced_memory"], found["total"]["size"])
            self.assertEqual(
                sum(group["size"] for group in found["groups"]),
                found["traced_memory"])
            self.assertNotIn("_cli", process.stderr)
        # The code itself is that of a module.
        found = json.loads(self.run_program("--no-file", "--json",
                                            "program.py").stderr)
        self.assertLessEqual(
            {group["filename"] for group in found["groups"]},
            {f"{self.folder}/program.py", "<frozen importlib._bootstrap>"})

    def test_summary_as_json(self):
        process = self.run_program("--no-file", "--json", "-n1", "-g",
                                   "function", "-c", "kept = 'x' * 10_000_000")
        found = json.loads(process.stderr)
        self.assertEqual(found["files"], {})
        self.assertGreater(found["traced_memory"], 10_000_000)
        self.assertGreaterEqual(found["traced_memory_peak"],
                                found["traced_memory"])
        self.assertEqual(len(found["groups"]), 1)

    def test_quiet(self):
        process = self.run_program("-q", "-c", "print(1)")
        self.assertEqual((process.stdout, process.stderr), ("1\n", ""))
        name, = (name for name in os.listdir() if "tracemalloc-" in name)
        self.assertRegex(name, r"^tracemalloc-\d+-0001\.tmz$")

    def test_no_file(self):
        before = os.listdir()
        self.run_program("--no-file", "-c", "pass")
        self.assertEqual(os.listdir(), before)

    def test_template(self):
        self.run_program("-q", "-o", "$pid$$${counter}_$timestamp.pickle",
                         "-c", "import os; os.mkdir('x'); os.chdir('x')")
        name, = (name for name in os.listdir() if name.endswith(".pickle"))
        self.assertRegex(
            name, r"^\d+\$0001_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.pickle$")
        self.assertEqual(os.listdir("x"), [])

    def test_frames(self):
        self.write("program.py", """\
            def f(depth):
                return f(depth - 1) if depth else bytearray(5_000_000)
            kept = f(60)
            """)
        for arguments, frames in (([], 25), (["--frames", "3"], 3),
                                  (["-f60"], 60)):
            with self.subTest(frames):
                self.run_program("-q", "-o", "out.tmz", *arguments,
                                 "program.py")
                found = self.json("traceback", "-n", "1", "out.tmz")
                self.assertEqual(len(found["groups"][0]["traceback"]), frames)

    def test_tracing_was_on(self):
        process = subprocess.run(
            [sys.executable, "-X", "tracemalloc=7", "-m", "tracemalloc",
             "run", "-f", "2", "--no-file", "-q", "-c",
             "import tracemalloc; print(tracemalloc.get_traceback_limit())"],
            capture_output=True, text=True)
        self.assertEqual((process.stdout, process.stderr), ("2\n", ""))

    def test_program_stops_tracing(self):
        process = self.run_program("-c", "import tracemalloc\n"
                                         "tracemalloc.stop()")
        self.assertEqual(process.stderr,
                         "python -m tracemalloc run: the program has stopped "
                         "tracing: there is no snapshot\n")

    def test_no_more_is_imported_than_for_tracemalloc(self):
        process = self.run_program("-q", "--no-file", "-c",
                                   "import sys; print(*sys.modules)")
        direct = subprocess.run(
            [sys.executable, "-c", "import sys, runpy, tracemalloc; "
                                   "print(*sys.modules)"],
            capture_output=True, text=True, check=True)
        self.assertEqual(
            {*process.stdout.split()} - {*direct.stdout.split()},
            {"atexit", "tracemalloc._cli", "tracemalloc._cli.endings",
             "tracemalloc._cli.family", "tracemalloc._cli.run",
             "tracemalloc._cli.units", "tracemalloc._writing"})

    @unittest.skipUnless(hasattr(os, "fork"), "needs fork")
    def test_fork(self):
        code = ("import os, sys\n"
                "if child := os.fork():\n"
                "    os.waitpid(child, 0)\n"
                "sys.exit()")
        self.run_program("-q", "-o", "pid.tmz", "-c", code)
        self.run_program("-q", "-o", "each-$pid.tmz", "-c", code)
        self.assertEqual(
            [re.sub(r"\d+", "N", name) for name in sorted(os.listdir())
             if name.startswith(("pid", "each"))],
            ["each-N.tmz", "each-N.tmz", "pid.N.tmz", "pid.tmz"])
        os.remove("pid.tmz")
        self.run_program("-q", "-o", "pid.tmz", "-c",
                         "import os\nif not os.fork():\n    raise SystemExit"
                         "\nos.wait()\nos._exit(0)")
        # The child has ended as programs do, the parent has not.
        self.assertFalse(os.path.exists("pid.tmz"))

    def test_standard_error_is_closed(self):
        process = self.run_program("-c", "import sys; sys.stderr.close()")
        self.assertEqual(process.stderr, "")
        self.run_program("-o", "x.tmz", "-c", "import sys; sys.stderr = None;"
                                              "sys.stdout = None")
        self.assertTrue(os.path.exists("x.tmz"))

    def test_standard_error_is_something_else(self):
        process = self.run_program("--no-file", "-n0", "-c", """if True:
            import sys
            class Stream:
                def write(self, text):
                    sys.__stdout__.write(text)
                def flush(self):
                    pass
            sys.stdout = sys.stderr = Stream()
            """)
        self.assertRegex(process.stdout,
                         r"\ATraced memory at exit: [^\n]+\n\Z")
        self.assertEqual(process.stderr, "")

    def test_summary_fails(self):
        process = self.run_program("--no-file", "-c", "import sys\n"
                                   "sys.path[:] = []\n"
                                   "sys.path_hooks[:] = []\n"
                                   "sys.path_importer_cache.clear()")
        self.assertRegex(process.stderr,
                         r"\Apython -m tracemalloc run: there is no summary: "
                         r"ModuleNotFoundError[^\n]+\n\Z")

    def test_dollar_in_the_name_of_the_folder(self):
        os.mkdir("a$b")
        process = self.start("run", "-q", "-o", "x.tmz", "-c", "pass",
                             cwd="a$b")
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        self.assertEqual(os.listdir("a$b"), ["x.tmz"])

    def test_file_cannot_be_written(self):
        process = self.run_program("-o", "gone/x.tmz", "-q", "-c", "pass",
                                   status=2)
        self.assertIn("gone: there is no such folder", process.stderr)
        os.mkdir("gone")
        process = self.run_program(
            "-o", "gone/x.tmz", "-q", "-c", "import os; os.rmdir('gone'); "
                                            "print(1)")
        self.assertEqual(process.stdout, "1\n")
        self.assertEqual(process.stderr,
                         f"python -m tracemalloc run: {self.folder}/gone/"
                         "x.tmz: No such file or directory\n")

    @unittest.skipUnless(hasattr(os, "mkfifo"), "needs pipes with names")
    def test_a_pipe_that_nobody_reads_yet(self):
        os.mkfifo("pipe")
        process = subprocess.Popen(
            [sys.executable, "-m", "tracemalloc", "run", "-q", "-o", "pipe",
             "-c", "kept = bytearray(3_000_000)"], stderr=subprocess.PIPE,
            text=True)
        self.assertRegex(process.stderr.readline(),
                         "run: .*pipe is a pipe, and this waits until "
                         "somebody reads it")
        with open("pipe", "rb") as stream, open("read.tmz", "wb") as read:
            read.write(stream.read())
        self.assertEqual(process.communicate(), (None, ""))
        self.assertEqual(process.returncode, 0)
        self.assertGreater(self.json("stats", "read.tmz")["size"], 3_000_000)
        process = subprocess.Popen(
            [sys.executable, "-m", "tracemalloc", "run", "-n", "0", "-o",
             "pipe", "-c", "import sys; sys.exit(3)"],
            stderr=subprocess.PIPE, text=True)
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.communicate()[1]
        self.assertRegex(rest, r"\A[^\n]* run: \S*pipe: interrupted\nTraced "
                               r"memory at exit: [^\n]*\n\Z")
        self.assertEqual(process.returncode, 3)
        # With a reader, there is nothing to say; other commands say it, too.
        reader = subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE)
        descriptor = os.open("pipe", os.O_WRONLY)
        found = self.start("export", "--format", "json", "-o", "pipe",
                           "read.tmz")
        self.assertEqual((found.returncode, found.stderr), (0, ""))
        os.close(descriptor)
        self.assertTrue(json.loads(reader.communicate()[0]))
        process = subprocess.Popen(
            [sys.executable, "-m", "tracemalloc", "export", "--format",
             "json", "-o", "pipe", "read.tmz"], stderr=subprocess.PIPE,
            text=True)
        self.assertIn("note: pipe is a pipe, and this waits",
                      process.stderr.readline())
        process.send_signal(signal.SIGINT)
        process.communicate()
        self.assertEqual(process.returncode, -signal.SIGINT)

    def test_what_can_be_no_file_is_said_before_the_program_runs(self):
        os.mkdir("folder")
        for name, what in (("folder", "Is a directory"),
                           ("x" * 300, "File name too long"),
                           (__file__ + "/x", "Not a directory")):
            process = self.run_program("-o", name, "-q", "-c", "print(1)",
                                       status=2)
            self.assertEqual(process.stdout, "")
            self.assertEqual(len(process.stderr.splitlines()), 1)
            self.assertIn(f": {what}\n", process.stderr)
            # Nothing is to be written there.
            self.run_program("-o", name, "-q", "--no-file", "-c", "print(1)")

    def test_snapshots_before_the_end_cannot_be_written(self):
        os.mkdir("0001.tmz")
        process = self.run_program("--every", "1h", "-o", "$counter.tmz",
                                   "-c", "print(1)", status=2)
        self.assertEqual((process.stdout, process.stderr), (
            "", f"python -m tracemalloc run: {self.folder}/0001.tmz: "
                "Is a directory\n"))

    @unittest.skipUnless(hasattr(signal, "SIGUSR2"), "needs SIGUSR2")
    def test_on_signal(self):
        process = self.run_program(
            "-q", "--on-signal", "-o", "s-$counter.tmz", "-c",
            "import os, signal\n"
            "kept = bytearray(1_000_000)\n"
            "os.kill(os.getpid(), signal.SIGUSR2)\n"
            "del kept\n")
        self.assertEqual(process.stderr, "")
        sizes = [self.json("top", f"s-000{number}.tmz")["total"]["size"]
                 for number in (1, 2)]
        self.assertGreater(sizes[0], 1_000_000)
        self.assertLess(sizes[1], 1_000_000)
        self.assertFalse(os.path.exists("s-0003.tmz"))

    @unittest.skipUnless(hasattr(signal, "SIGUSR2")
                         and hasattr(os, "fork"), "needs SIGUSR2 and fork")
    def test_children_write_over_no_file_when_a_signal_comes(self):
        code = textwrap.dedent("""\
            import os, signal, sys
            os.kill(os.getpid(), signal.SIGUSR2)
            child = os.fork()
            if not child:
                kept = bytearray(1_000_000)
                os.kill(os.getpid(), signal.SIGUSR2)
                os._exit(0)
            os.waitpid(child, 0)
            print(os.getpid(), child)
            """)
        process = self.run_program("-q", "--on-signal", "-o", "c-$counter.tmz",
                                   "--children", "none", "-c", code)
        self.assertEqual(process.stderr,
                         "python -m tracemalloc run: a child of the program "
                         "writes no snapshots with --children none\n")
        self.assertEqual([str(self.json("stats", name)["metadata"]["pid"])
                          for name in ("c-0001.tmz", "c-0002.tmz")],
                         process.stdout.split()[:1] * 2)
        process = self.run_program("-q", "--on-signal", "-o",
                                   "p-$pid-$counter.tmz", "-c", code)
        self.assertEqual(process.stderr, "")
        parent, child = process.stdout.split()
        self.assertEqual(sorted(name for name in os.listdir()
                                if name.startswith("p-")),
                         sorted([f"p-{parent}-0001.tmz",
                                 f"p-{parent}-0002.tmz",
                                 f"p-{child}-0001.tmz",
                                 f"p-{child}-0002.tmz"]))

    def test_every(self):
        # The program goes on until there are two files.
        process = self.run_program(
            "-n0", "--every", "0.01s", "--at-peak", "-o", "w-$counter.tmz",
            "-c", "import os\n"
                  "while not os.path.exists('w-0002.tmz'):\n"
                  "    pass\n")
        names = sorted(name for name in os.listdir() if name[:2] == "w-")
        self.assertGreaterEqual(len(names), 4)
        self.assertEqual(process.stderr.splitlines()[1:], [
            f"{len(names) - 2} snapshots before: w-0001.tmz to {names[-3]}",
            f"Snapshot at exit: {_interpreter()} -m tracemalloc top "
            f"{names[-2]}",
            f"Snapshot at the peak: {_interpreter()} -m tracemalloc top "
            f"{names[-1]}"])
        self.assertEqual(names, [f"w-{number:04}.tmz" for number
                                 in range(1, len(names) + 1)])
        self.assertEqual(self.json("stats", names[-1])["peak_size"],
                         self.json("stats", names[-1])["size"])

    def test_threshold(self):
        process = self.run_program(
            "-q", "--threshold", "1MiB", "-o", "w-$counter.tmz",
            "-c", "import os\n"
                  "kept = bytearray(2_000_000)\n"
                  "while not os.path.exists('w-0001.tmz'):\n"
                  "    pass\n")
        self.assertEqual(process.stderr, "")
        self.assertGreater(self.json("stats", "w-0001.tmz")["size"],
                           2_000_000)

    @unittest.skipUnless(SOURCE, "TRACEMALLOC_SOURCE names no folder")
    def test_example(self):
        process = self.run_program(
            "-n", "2", "-o", "out.tmz",
            os.path.join(SOURCE, "Doc", "examples", "word_index.py"), "json")
        self.assertRegex(process.stdout, r"^\d+ words in \d+ files$")
        self.assertIn("word_index.py:26 Index.add()\n", process.stderr)
        tree = self.output("tree", "--min", "2", "out.tmz")
        self.assertRegex(tree, r"\|- .*word_index.py:26 Index.add\(\)\n")
        self.assertRegex(tree, r"`- .*word_index.py:21 Index.add\(\)\n")

    def test_samples(self):
        process = self.run_program(
            "--sample-interval", "64KiB", "-n", "1", "-o", "out.tmz",
            "-c", "kept = bytearray(64_000_000)")
        self.assertIn("\nestimated from samples, one per 64.0 KiB\n",
                      process.stderr)
        head = self.output("top", "out.tmz").splitlines()[2]
        self.assertEqual(head.split(), ["size", "error", "share", "blocks",
                                        "average", "line"])
        found = self.json("top", "out.tmz")
        self.assertEqual(found["metadata"]["sample_interval"], 65536)
        # A block of so many intervals is missed with a
        # probability of exp(-976).
        self.assertGreaterEqual(found["groups"][0]["size"], 64_000_000)
        self.assertIn("size_error", found["groups"][0])

    def test_wrong_use(self):
        for arguments, text in (
                ([], "name a script"),
                (["--frob", "app.py"], "there is no option --frob ("),
                (["--fram=3", "app.py"], "there is no option --fram=3; did "
                 "you mean --frames? (--help"),
                (["-o", "x.html", "app.py"], "files of run are snapshots, "
                 "such as app.tmz; make a page with the command report"),
                (["-o", "there/", "app.py"], "--output needs the name of a "
                 "file in it: there/app-$pid.tmz"),
                (["no.py"], "no.py: there is no such file"),
                (["-"], "cannot be read from standard input"),
                (["-m"], "-m needs a module"), (["-c"], "-c needs code"),
                (["-n"], "--limit needs a value"),
                (["--frames", "0", "app.py"],
                 "--frames: '0' is no number from 1 to 65535"),
                (["--quiet=1", "app.py"], "--quiet takes no value"),
                (["--group-by=age", "app.py"], "--group-by: 'age' is none of"),
                (["--every", "never", "app.py"],
                 "--every: 'never' is no time such as"),
                (["-o", "", "app.py"], "--output needs a file name"),
                (["-o", "$name", "app.py"], "after $ there has to be pid"),
                (["--on-signal", "-o", "x.tmz", "app.py"],
                 "put $counter into --output"),
                (["--every", "1s", "-o", "$timestamp.tmz", "app.py"],
                 "put $counter into --output"),
                (["--at-peak", "-o", "$counter.pickle", "app.py"],
                 "names end in .tmz")):
            with self.subTest(arguments):
                process = self.run_program(*arguments, status=2)
                self.assertEqual(process.stdout, "")
                self.assertRegex(process.stderr,
                                 r"\Apython -m tracemalloc run: [^\n]+\n\Z")
                self.assertIn(text, process.stderr)


if __name__ == "__main__":
    unittest.main()
