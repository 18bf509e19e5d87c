"""python -m tracemalloc run: children of the program write files, too."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest
from test.support import LONG_TIMEOUT, has_fork_support, import_helper
from test.tracemalloc_commands import CommandTests

from tracemalloc._cli import family

import_helper.import_module("_multiprocessing")
import_helper.import_module("multiprocessing.synchronize")

# What processes of multiprocessing keep; its name is the first argument.
WORKERS = """\
    import multiprocessing, os, sys, time
    from concurrent.futures import ProcessPoolExecutor
    kept = []
    at_import = bytearray(1_000_000)
    def work(number):
        kept.append(bytearray(2_000_000))
        return os.getpid()
    def fail(number):
        kept.append(bytearray(2_000_000))
        sys.exit(number)
    def wait_for_files():
        while not os.path.exists(f"x-0002.{os.getpid()}.tmz"):
            pass
    def begin(barrier_of_all):
        global barrier
        barrier = barrier_of_all
    def together(number):
        barrier.wait()
        return work(number)
    def stay(number):
        barrier.wait()
        while True:
            time.sleep(0.1)
    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
    """


def in_main(code):
    """Return the program that runs code where __name__ is '__main__'."""
    return textwrap.dedent(WORKERS) + textwrap.indent(
        textwrap.dedent(code), "    ")


class FamilyTests(CommandTests):

    def family(self, *arguments, options=(), status=0, **how):
        """Run program.py; return its output, its children, and errors."""
        process = self.start("run", "--json", "-o", "out.tmz", *options,
                             "program.py", *arguments, **how)
        self.assertEqual(process.returncode, status, process.stderr)
        *errors, summary = process.stderr.splitlines()
        found = json.loads(summary)
        self.assertEqual([name for name in os.listdir()
                          if name.startswith(".")], [])
        return process.stdout, found["children"], errors

    def check_child(self, child, line, size=2_000_000):
        """Check the file of a child: what it has from a line of program.py."""
        self.assertEqual(child["state"], "ended")
        self.assertEqual(child["file"],
                         os.path.join(self.folder, f"out.{child['pid']}.tmz"))
        found = self.json("top", child["file"], "--include",
                          f"*program.py:{line}")
        self.assertGreater(found["total"]["size"], size)
        stats = self.json("stats", child["file"])
        self.assertEqual(stats["metadata"]["pid"], child["pid"])
        self.assertEqual((stats["size"], stats["metadata"]
                          ["traced_memory_peak"]),
                         (child["size"], child["peak_size"]))

    def check_workers(self, children, pids, name):
        """Check children that have called work(), or begun at least."""
        self.assertLessEqual(pids, {child["pid"] for child in children})
        for child in children:
            if child["pid"] in pids:
                self.assertRegex(child["name"], name)
                self.check_child(child, 6)
                self.check_child(child, 4, 1_000_000)


class MultiprocessingTests(FamilyTests):
    method = "fork"
    name = "Fork"

    def test_processes(self):
        self.write("program.py", in_main("""\
            for number in range(2):
                process = context.Process(target=fail, args=(number,),
                                          name=f"worker {number}")
                process.start()
                process.join()
                print(process.pid, process.exitcode)
            """))
        out, children, errors = self.family(self.method)
        self.assertEqual(errors, [])
        pids = [int(line.split()[0]) for line in out.splitlines()]
        self.assertEqual(out, f"{pids[0]} 0\n{pids[1]} 1\n")
        self.assertEqual({child["pid"]: child["name"] for child in children},
                         {pids[0]: "worker 0", pids[1]: "worker 1"})
        for child in children:
            self.check_child(child, 9)
            self.check_child(child, 4, 1_000_000)

    def test_pool_that_is_terminated(self):
        self.write("program.py", in_main("""\
            # Two workers, and the program.
            barrier = context.Barrier(3)
            with context.Pool(2, begin, (barrier,)) as pool:
                pids = pool.map_async(together, range(2), chunksize=1)
                barrier.wait()
                print(*pids.get())
                # A worker without work would be told to end, and might have
                # done so before the signal comes.
                pool.map_async(stay, range(2), chunksize=1)
                barrier.wait()
                processes = pool._pool
            for process in processes:
                assert process.exitcode == -15, process.exitcode
            """))
        out, children, errors = self.family(self.method)
        self.assertEqual(errors, [])
        pids = {*map(int, out.split())}
        self.assertEqual(len(pids), 2)
        self.check_workers(children, pids, self.name + "PoolWorker-")
        self.assertEqual({child["pid"] for child in children}, pids)

    def test_executor(self):
        self.write("program.py", in_main("""\
            with ProcessPoolExecutor(1, context) as executor:
                print(*executor.map(work, range(3)))
            """))
        out, children, errors = self.family(self.method)
        self.assertEqual(errors, [])
        self.check_workers(children, {*map(int, out.split())},
                           self.name + "Process-")
        self.assertEqual(len(children), 1)

    def test_killed(self):
        self.write("program.py", in_main("""\
            import signal
            read, write = context.Pipe(False)
            process = context.Process(target=read.recv, name="poor")
            process.start()
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            print(process.exitcode)
            """))
        out, children, errors = self.family(self.method)
        self.assertEqual((out, errors), ("-9\n", []))
        # One that has not begun yet is not known.
        for child in children:
            self.assertEqual((child["state"], child["file"], child["size"]),
                             ("lost", None, None))

    def test_options_are_the_same(self):
        self.write("program.py", in_main("""\
            import tracemalloc
            with ProcessPoolExecutor(1, context) as executor:
                for what in (tracemalloc.get_traceback_limit,
                             tracemalloc._tracemalloc.get_sample_interval):
                    print(executor.submit(what).result())
            """))
        out, *_ = self.family(self.method, options=[
            "--frames", "7", "--sample-interval", "1000"])
        self.assertEqual(out, "7\n1000\n")

    def test_files_at_intervals_and_of_the_peak(self):
        self.write("program.py", in_main("""\
            process = context.Process(target=wait_for_files)
            process.start()
            process.join()
            """))
        _, children, errors = self.family(
            self.method, options=["--every", "1ms", "--at-peak",
                                  "-o", "x-$counter.tmz"])
        self.assertEqual(errors, [])
        child, = children
        names = sorted(name for name in os.listdir()
                       if name.endswith(f".{child['pid']}.tmz"))
        self.assertEqual(names, [f"x-{number:04}.{child['pid']}.tmz"
                                 for number in range(1, len(names) + 1)])
        self.assertGreaterEqual(len(names), 4)
        self.assertEqual(os.path.basename(child["file"]), names[-2])
        for name in names:
            self.json("stats", name)

    def test_none(self):
        self.write("program.py", in_main("""\
            with ProcessPoolExecutor(1, context) as executor:
                print(*executor.map(work, range(3)))
            """))
        _, children, errors = self.family(self.method, options=[
            "--children", "none", "-o", "$pid.tmz"])
        self.assertEqual((children, errors), ([], []))
        self.assertEqual(len([name for name in os.listdir()
                              if re.fullmatch(r"\d+\.tmz", name)]), 1)


@unittest.skipUnless(has_fork_support, "needs fork")
class ForkTests(MultiprocessingTests):
    pass


class SpawnTests(MultiprocessingTests):
    method = "spawn"
    name = "Spawn"


@unittest.skipUnless(has_fork_support and hasattr(signal, "SIGCHLD"),
                     "needs fork")
class ForkserverTests(MultiprocessingTests):
    method = "forkserver"
    name = "ForkServer"

    def setUp(self):
        super().setUp()
        # In there is the server's socket, in a folder of its own.
        if len(os.fsencode(tempfile.gettempdir())) > 70:
            self.skipTest("sockets cannot have such long names as they would "
                          "have in the folder for temporary files")


del MultiprocessingTests


@unittest.skipUnless(has_fork_support, "needs fork")
class OtherChildrenTests(FamilyTests):

    def test_forked_children_that_end_in_each_way(self):
        self.write("program.py", """\
            import os, signal, sys
            for end in (lambda: os._exit(3), lambda: os._exit(status=4),
                        lambda: sys.exit(5), lambda: 1 / 0,
                        lambda: signal.raise_signal(signal.SIGTERM)):
                child = os.fork()
                if not child:
                    kept = bytearray(2_000_000)
                    end()
                print(child, os.waitstatus_to_exitcode(os.wait()[1]),
                      flush=True)
            """)
        out, children, errors = self.family()
        self.assertEqual(errors[-1:],
                         ["ZeroDivisionError: division by zero"])
        lines = [line.split() for line in out.splitlines()]
        self.assertEqual([status for _, status in lines],
                         ["3", "4", "5", "1", "-15"])
        self.assertEqual([child["pid"] for child in sorted(
            children, key=lambda child: child["pid"])],
            sorted(int(pid) for pid, _ in lines))
        for child in children:
            self.assertEqual(child["name"], "program.py")
            self.check_child(child, 7)

    def test_the_peak_is_that_of_the_child(self):
        self.write("program.py", """\
            import os
            held = bytearray(50_000_000)
            del held
            if not os.fork():
                os._exit(0)
            os.wait()
            """)
        _, (child,), _ = self.family()
        self.assertLess(child["peak_size"], 1_000_000)

    def test_server_that_forks_before_it_listens(self):
        # In the manner of those whose workers set all handlers to the default
        # first, and then some of their own.
        self.write("program.py", """\
            import os, signal, sys, time
            def worker(ready):
                for number in signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1:
                    signal.signal(number, signal.SIG_DFL)
                signal.signal(signal.SIGTERM, lambda *args: sys.exit(0))
                kept = bytearray(2_000_000)
                os.write(ready, b".")
                while True:
                    time.sleep(0.1)
            def stop(number, frame):
                for worker in workers:
                    os.kill(worker, signal.SIGTERM)
                for _ in workers:
                    print(os.wait()[1], flush=True)
                sys.exit(0)
            signal.signal(signal.SIGTERM, stop)
            workers = []
            for _ in range(3):
                read, ready = os.pipe()
                workers.append(os.fork())
                if not workers[-1]:
                    try:
                        worker(ready)
                    except SystemExit:
                        raise
                    finally:
                        sys.stdout.flush()
                os.read(read, 1)
            os.kill(os.getpid(), signal.SIGTERM)
            """)
        out, children, errors = self.family()
        self.assertEqual((out, errors), ("0\n" * 3, []))
        self.assertEqual(len(children), 3)
        for child in children:
            self.assertEqual(child["state"], "ended")

    def test_children_that_go_on(self):
        self.write("program.py", """\
            import multiprocessing, os, signal, sys
            def wait(begun, end):
                os.write(begun, b".")
                os.read(end, 1)
            if __name__ == "__main__":
                read, begun = os.pipe()
                process = multiprocessing.get_context("fork").Process(
                    target=wait, args=(begun, int(sys.argv[1])), name="slow")
                process.start()
                os.read(read, 1)
                os.kill(os.getpid(), signal.SIGTERM)
            """)
        read, write = os.pipe()
        # Closed at the end of the child, and not before.
        ended, ends = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-m", "tracemalloc", "run", "-n", "0", "-o",
             "out.tmz", "program.py", str(read)], pass_fds=(read, ends),
            stderr=subprocess.PIPE, text=True)
        os.close(ends)
        lines = [process.stderr.readline() for _ in range(5)]
        process.wait(LONG_TIMEOUT)
        self.assertEqual(process.returncode, -signal.SIGTERM)
        self.assertEqual(lines[1], "1 child of the program:\n")
        self.assertRegex(lines[3], r"^ *\d+ +\? +\? +slow +still running$")
        self.assertRegex(lines[4], r"^Snapshot at SIGTERM: ")
        os.write(write, b".")
        os.read(ended, 1)
        for descriptor in read, write, ended:
            os.close(descriptor)
        process.stderr.close()
        # It has written its file, and tells nobody.
        name, = (name for name in os.listdir()
                 if re.fullmatch(r"out\.\d+\.tmz", name))
        self.json("stats", name)
        self.assertEqual([name for name in os.listdir()
                          if name.startswith(".")], [])

    KILLED = """\
        import os, signal, sys
        read, write = os.pipe()
        child = os.fork()
        if not child:
            kept = bytearray(3_000_000)
            if "record" in sys.argv:
                import _tracemalloc
                _tracemalloc._write_record()
                _tracemalloc._write_record()
            os.write(write, b".")
            signal.pause()
        os.read(read, 1)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        """

    def test_a_forked_child_that_is_killed(self):
        self.write("program.py", self.KILLED)
        _, (child,), errors = self.family()
        self.assertEqual(errors, [])
        self.assertEqual(
            [child[name] for name in ("state", "name", "size", "peak_size",
                                      "file", "record")],
            ["lost", "program.py", None, None, None, None])
        process = self.start("run", "-n", "1", "-o", "out.tmz", "program.py")
        self.assertRegex(
            process.stderr, r"(?m)^ *\d+ +\? +\? +program\.py +killed or "
                            "crashed; nothing is left of it$")

    def start_recorded(self, *arguments, options="25,record=."):
        process = subprocess.run(
            [sys.executable, "-X", f"tracemalloc={options}", "-m",
             "tracemalloc", "run", *arguments], capture_output=True,
            text=True)
        return process, process.stderr.splitlines()

    def test_the_record_of_a_child_that_is_killed(self):
        self.write("program.py", self.KILLED)
        process, lines = self.start_recorded(
            "--json", "-o", "out.tmz", "program.py", "record")
        self.assertEqual(process.returncode, 0, process.stderr)
        child, = json.loads(lines[-1])["children"]
        self.assertEqual((child["state"], child["file"]), ("lost", None))
        self.assertGreater(child["size"], 3_000_000)
        found = self.json("stats", child["record"])
        self.assertEqual(
            (found["metadata"]["pid"], found["size"],
             found["metadata"]["traced_memory_peak"]),
            (child["pid"], child["size"], child["peak_size"]))
        process, lines = self.start_recorded(
            "-n", "1", "-o", "out.tmz", "program.py", "record")
        self.assertRegex(
            process.stderr, r"(?m)^ *\d+ .* program\.py +killed or crashed, "
                            r"tracemalloc\.\d+\.tmrec$")

    def test_a_record_goes_on(self):
        # It is of the program alone, as the file is.
        process, lines = self.start_recorded(
            "-q", "-o", "out.tmz", "-c", "kept = bytearray(3_000_000)")
        self.assertEqual((process.returncode, lines), (0, []))
        record, = (name for name in os.listdir() if name.endswith(".tmrec"))
        for name in record, "out.tmz":
            found = self.json("top", name)
            self.assertGreater(found["total"]["size"], 3_000_000)
            self.assertLess(found["total"]["size"], 4_000_000)
        for arguments, options, text in (
                (["--frames", "3"], "25,record=.",
                 "leave --frames out, or give -X tracemalloc=3,record"),
                (["--sample-interval", "1MiB"], "25,record=.",
                 "give it sample=1048576, too")):
            process, lines = self.start_recorded(
                *arguments, "-c", "print(1)", options=options)
            self.assertEqual((process.returncode, process.stdout, len(lines)),
                             (2, "", 1))
            self.assertIn(text, lines[0])
        process, lines = self.start_recorded(
            "-q", "-o", "7.tmz", "-c",
            "import tracemalloc; print(tracemalloc.get_traceback_limit())",
            options="7,sample=64KiB,record=.")
        self.assertEqual((process.stdout, lines), ("7\n", []))

    def test_children_that_become_other_programs_are_none(self):
        self.write("program.py", """\
            import os, signal, subprocess, sys
            for path in "/no/such/program", sys.executable:
                child = os.fork()
                if not child:
                    try:
                        os.execv(path, [path, "-c", "pass"])
                    except OSError:
                        os.kill(os.getpid(), signal.SIGKILL)
                print(os.waitpid(child, 0)[1])
            child = os.fork()
            if not child:
                os.execlp(sys.executable, sys.executable, "-c", "pass")
            os.wait()
            os.spawnv(os.P_WAIT, sys.executable,
                      [sys.executable, "-c", "pass"])
            subprocess.run([sys.executable, "-c", "pass"],
                           preexec_fn=os.getpid)
            """)
        out, children, _ = self.family()
        self.assertEqual(out, "9\n0\n")
        # The first one stayed what it was.
        self.assertEqual([child["state"] for child in children], ["lost"])

    OTHER = """\
        import os, subprocess, sys
        print(subprocess.run([sys.executable, "-c",
            "import os, sys; kept = bytearray(2_000_000); "
            "print('tracemalloc' in sys.modules and "
            "sys.modules['tracemalloc'].is_tracing(), "
            "[name for name in os.environ if name[0] == '_' != name])"],
            env=dict(os.environ) if sys.argv[1:] else None,
            capture_output=True, text=True))
        print([name for name in os.environ if name[0] == "_" != name])
        """

    def test_other_programs_are_not_traced(self):
        self.write("program.py", self.OTHER)
        for arguments in (), ("environment",):
            out, children, errors = self.family(*arguments)
            self.assertIn(r"stdout='False []\n', stderr=''", out)
            self.assertIn("\n[]\n", out)
            self.assertEqual((children, errors), ([], []))

    def test_all(self):
        self.write("program.py", self.OTHER)
        for arguments in (), ("environment",):
            out, children, errors = self.family(
                *arguments, options=["--children", "all"])
            self.assertIn("True ['_PYTHON_TRACEMALLOC_RUN']", out)
            self.assertIn("stderr=''", out)
            self.assertEqual(errors, [])
            child, = children
            self.assertEqual((child["state"], child["name"]), ("ended", "-c"))
            self.assertGreater(child["size"], 2_000_000)

    def test_programs_that_only_look_like_workers(self):
        self.write("program.py", """\
            import subprocess, sys
            print(subprocess.run([sys.executable, "-c",
                "from multiprocessing.pool import Pool; import os, sys; "
                "print('_PYTHON_TRACEMALLOC_RUN' in os.environ, "
                "'_tracemalloc' in sys.modules and "
                "sys.modules['_tracemalloc'].is_tracing())"],
                capture_output=True, text=True).stdout)
            """)
        out, children, errors = self.family()
        self.assertEqual((out, children, errors),
                         ("False False\n\n", [], []))

    def test_other_programs_have_the_modules_that_they_have(self):
        code = "import sys; print(*sys.modules)"
        self.write("program.py", f"""\
            import subprocess, sys
            subprocess.run([sys.executable, "-c", {code!r}])
            """)
        direct = subprocess.run([sys.executable, "-c", code], text=True,
                                capture_output=True)
        self.assertEqual(self.family()[0], direct.stdout)

    def test_run_below_run(self):
        self.write("program.py", """\
            import subprocess, sys
            print(subprocess.run([sys.executable, "-m", "tracemalloc", "run",
                "-q", "-o", "in.tmz", "-c",
                "import os; os.fork() and os.wait()"],
                capture_output=True, text=True).stderr)
            """)
        out, children, errors = self.family(options=["--children", "all"])
        self.assertEqual((out, errors), ("\n", []))
        self.assertEqual({name.split(".")[0] for name in os.listdir()
                          if name.endswith(".tmz")},
                         {"a", "b", "full", "in", "out"})
        self.assertEqual(len([name for name in os.listdir()
                              if re.fullmatch(r"in\.\d+\.tmz", name)]), 1)
        # It has a summary of its own.
        self.assertEqual([child["state"] for child in children], ["lost"])

    def test_no_file(self):
        self.write("program.py", """\
            import os, sys
            if os.fork():
                os.wait()
            """)
        before = os.listdir()
        _, children, errors = self.family(options=["--no-file"])
        self.assertEqual((children, errors), ([], []))
        self.assertEqual(sorted(before), sorted(os.listdir()))

    def test_output_that_is_no_file(self):
        self.write("program.py", """\
            import os, sys
            if os.fork():
                os.wait()
            """)
        _, children, errors = self.family(options=["-o", os.devnull])
        self.assertEqual((children, errors), ([], []))
        self.assertEqual([name for name in os.listdir(os.path.dirname(
            os.devnull)) if name.startswith(os.path.basename(os.devnull)
                                            + ".")], [])

    def test_summary(self):
        self.write("program.py", """\
            import multiprocessing, os
            def work():
                kept.append(bytearray(3_000_000))
            kept = []
            for number in range(3):
                process = multiprocessing.get_context("fork").Process(
                    target=work, name=f"w\\x1b{number}")
                process.start()
                process.join()
            """)
        process = self.start("run", "-n", "2", "-o", "sub.tmz", "program.py")
        lines = process.stderr.splitlines()
        at = lines.index("3 children of the program:")
        self.assertEqual(lines[at + 1].split(),
                         ["pid", "held", "at", "peak", "name,", "file"])
        for line in lines[at + 2:at + 4]:
            self.assertRegex(line, r"^ *\d+ +\d+ KiB +\d+ KiB  w\\x1b\d  "
                                   r"sub\.\d+\.tmz$")
        self.assertEqual(lines[at + 4].strip(), "1 more")

    def test_a_wrong_variable(self):
        for value, text in (
                ("all", "is not what run has put into it"),
                ("all\nx\ny", "is not what run has put into it"),
                ("all\n1\ny\n--frames=0", "--frames: '0' is no number"),
                ("all\n1\ny\n--output=/no/such/x.tmz", "no such folder")):
            process = subprocess.run(
                [sys.executable, "-c", "print(1)"], capture_output=True,
                text=True, env=os.environ | {family.VARIABLE: value})
            self.assertEqual((process.returncode, process.stdout), (0, "1\n"))
            self.assertRegex(process.stderr,
                             r"\Apython -m tracemalloc run: a child is not "
                             r"traced: [^\n]+\n\Z")
            self.assertIn(text, process.stderr)
        for options, value in ((["-E"], "all"), ([], "own\n1\ny"), ([], "")):
            process = subprocess.run(
                [sys.executable, *options, "-c", "print(1)"], text=True,
                capture_output=True,
                env=os.environ | {family.VARIABLE: value})
            self.assertEqual((process.stdout, process.stderr), ("1\n", ""))

    def test_a_register_that_somebody_has_written_into(self):
        register = family.Register("register", os.getpid())
        self.assertEqual(register.children(), [])
        self.write("register", """\
            begin\t1\t2
            end\t1\t2\tx\ty\tz\tfile
            begin\tx\ty\tz
            \x00\t\udcff
            end\t7\t1\ta%09b%0Ac%25\t5\t6\tf
            """.replace("\udcff", "?"))
        child, = register.children()
        self.assertEqual(
            (child.pid, child.parent, child.name, child.held, child.peak,
             child.filename), (7, 1, "a\tb\nc%", 5, 6, "f"))
        register.begin()
        register.end(1, 2, "a\tb\n%0A")
        self.assertEqual(register.children()[-1].filename, "a\tb\n%0A")
        register.leave()
        self.assertEqual(len(register.children()), 1)


if __name__ == "__main__":
    unittest.main()
