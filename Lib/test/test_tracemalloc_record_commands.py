"""Records on the command line: ps, dump, and all commands that read files.
"""
import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tracemalloc
import unittest
from types import SimpleNamespace
from unittest import mock
from test.support import import_helper, os_helper
from test.tracemalloc_records import Records, environment

import_helper.import_module("_tracemalloc")

from tracemalloc import _cli
from tracemalloc._cli import ps, rows, screen
from tracemalloc._record import imported, places, reader


class CommandTests(Records):

    def command(self, *arguments, status=0):
        """Run a command here; return what it printed, and its notes."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                found = _cli._main(list(arguments))
            except SystemExit as error:
                found = error.code
        self.assertEqual(found, status, err.getvalue())
        return out.getvalue(), err.getvalue()

    def fails(self, *arguments):
        out, err = self.command(*arguments, status=2)
        self.assertEqual((out, err.count("\n")), ("", 1))
        return err.removeprefix("python -m tracemalloc ").rstrip()

    def test_all_commands_read_records(self):
        self.run_program("kept = [str(i) for i in range(9999)]")
        path = self.record().path
        for arguments in (["top"], ["top", "--at-peak", "--json"], ["tree"],
                          ["traceback"], ["stats"], ["stats", "--json"],
                          ["check", "--max-peak", "1GiB"], ["show"],
                          ["export", "--format", "collapsed"]):
            with self.subTest(arguments=arguments):
                out, _ = self.command(*arguments, path)
                self.assertTrue(out)
        out, _ = self.command("diff", path, path)
        self.assertTrue(out)
        self.assertIn("sizes of single blocks are averages",
                      self.command("top", path)[0])

    def test_how_a_process_ended(self):
        source = """
            kept = [str(i) for i in range(9999)]
            _tracemalloc._write_record()
            """
        ends = "figures of 20[-0-9: ]{17}, [0-9]+ s ago$"
        for more, status, said in (
                ("", 0, "has exited"), ("os._exit(0)", 0, "has exited"),
                ("tracemalloc.stop()", 0, "is no longer traced"),
                ("os.kill(os.getpid(), 9)", -9,
                 "is gone (killed, crashed, exec)")):
            with self.subTest(more=more), os_helper.temp_dir() as folder:
                self.run_program(source + more, place=folder, status=status)
                picture = self.record(folder)
                expected = (f"(?m)^process {picture.pid} {re.escape(said)}; "
                            f"{ends}")
                for command in "top", "tree", "traceback", "stats":
                    self.assertRegex(self.command(command, picture.path)[0],
                                     expected)
                # Also when it is a snapshot file.
                file = os.path.join(folder, "dump.tmz")
                self.command("dump", picture.path, "-o", file)
                self.assertRegex(self.command("top", file)[0], expected)
        process = self.start_program("print(1, flush=True); input()")
        path, = places.list_folder(self.folder)
        self.assertRegex(self.command("top", path)[0],
                         f"(?m)^process {process.pid} was running; {ends}")

    def test_a_narrow_list_of_records_tells_programs_apart(self):
        for words, shown in (
                ("python -X tracemalloc=25,record app.py 80", "app.py 80"),
                ("python -Im app 80", "-Im app 80"),
                ("python -W error -O -c pass", "-c pass"),
                ("python --check-hash-based-pycs never app.py", "app.py"),
                ("python -Xdev -Wmodule -u app.py -m", "app.py -m"),
                ("python -m tracemalloc run -n 3 app.py -n 4", "app.py -n 4"),
                ("python -m tracemalloc run -q -m app 1", "-m app 1"),
                ("python -m tracemalloc run -q", "-m tracemalloc run -q"),
                ("python - x", "- x"), ("python", "python"),
                ("python -X tracemalloc", "python -X tracemalloc"),
                ("", "'?'")):
            with self.subTest(words):
                words = words.split()
                self.assertEqual(ps._short_command(words, 5)[:2], shown[:2])
                narrow = max(len(ps.command_text(words)) - 1, 1)
                self.assertEqual(ps._short_command(words, narrow),
                                 screen.cut(shown, narrow))
                self.assertEqual(ps._short_command(words, 99),
                                 ps.command_text(words))

    def test_how_a_family_ended(self):
        self.run_program("""
            for number in range(3):
                pid = os.fork()
                if not pid:
                    _tracemalloc._write_record()
                    os.kill(os.getpid(), 9)
                os.waitpid(pid, 0)
            """)
        first = self.records()[0]
        shown = self.command("top", "--children", first.path)[0]
        self.assertRegex(shown, "(?m)^4 processes: 1 exited, 3 gone; figures "
                                "of 20.*[0-9] s ago$")

    def test_how_long_ago_figures_were(self):
        snapshot = self.snapshot_of_nothing()
        now = 1_800_000_000.5

        def shown(moment, oldest=None):
            record = {"state": "gone"} if oldest is None else {
                "states": ["gone", "gone"], "oldest": oldest}
            snapshot.metadata = {"record": record, "time": moment}
            with mock.patch("time.time", return_value=now):
                text = rows.record_text(snapshot)
            return text.partition("figures of ")[2][19:].partition(", ")[2]

        for seconds, text in (
                (0, "0 s"), (-5, "0 s"), (119, "119 s"), (120, "2 min"),
                (7199, "120 min"), (7200, "2 h"), (172_800, "2 d")):
            self.assertEqual(shown(now - seconds), f"{text} ago")
        self.assertEqual(shown(now - 1, now - 300), "5 min to 1 s ago")
        self.assertEqual(shown(now - 1, now - 1), "1 s ago")
        # A clock that was far ahead, and texts of who knows whom.
        for moment in now + 61, 0.0:
            self.assertEqual(shown(moment), "" if moment else "20833 d ago")
        for oldest in "long", -1e300, float("nan"):
            self.assertEqual(shown(now, oldest), "")

    def test_what_a_file_says_of_an_end_is_not_believed(self):
        snapshot = self.snapshot_of_nothing()
        for record in ("gone", {"state": "\x1b[2J"}, {"state": ["gone"]},
                       {"states": "gone"}, {"states": [["gone"]]}, {}):
            snapshot.metadata = {"record": record, "time": 1.0, "pid": 1}
            self.assertEqual(rows.record_text(snapshot), "")
        for moment, text in ((None, ""), ("now", ""), (
                1e300, "the process is gone (killed, crashed, exec); figures "
                       "of 1e+300")):
            snapshot.metadata = {"record": {"state": "gone"}, "time": moment,
                                 "pid": "\x1b"}
            self.assertEqual(rows.record_text(snapshot), text)
        snapshot.metadata = {"time": 1, "record": {
            "states": ["gone", "gone"], "oldest": "\x1b[2J"}}
        self.assertTrue(rows.record_text(snapshot).isprintable())

    @staticmethod
    def snapshot_of_nothing():
        return tracemalloc.Snapshot((), 1)

    def test_a_process_instead_of_a_file(self):
        with os_helper.EnvironmentVarGuard() as env:
            env["XDG_RUNTIME_DIR"] = self.folder
            self.run_program("""
                pid = os.fork()
                if not pid:
                    kept = [str(i) for i in range(20_000)]
                    os._exit(0)
                os.waitpid(pid, 0)
                """, options="25,record",
                env=environment(XDG_RUNTIME_DIR=self.folder))
            folder = os.path.join(self.folder, "tracemalloc")
            parent, child = self.records(folder)
            whole = parent.current + child.current
            early = os.path.join(self.folder, "early.tmz")
            snapshot = child.snapshot()
            snapshot.metadata["time"] = 1
            snapshot.dump(early)
            for arguments, size in [
                    ([str(parent.pid)], parent.current),
                    ([str(child.pid)], child.current),
                    (["--children", str(child.pid)], child.current),
                    (["--children", str(parent.pid)], whole),
                    (["--children", parent.path], whole),
                    ([folder], whole)]:
                with self.subTest(arguments=arguments):
                    out, _ = self.command("stats", "--json", *arguments)
                    self.assertEqual(json.loads(out)["size"], size)
                    if "--children" not in arguments:
                        out, _ = self.command("series", "--json", early,
                                              *arguments)
                        self.assertEqual(
                            [each["size"]
                             for each in json.loads(out)["files"]],
                            [child.current, size])
            for arguments, told in [
                    ([str(parent.pid)], True), ([parent.path], True),
                    (["--children", parent.path], False),
                    ([child.path], False), ([folder], False)]:
                self.assertEqual(
                    "note: 1 record more of its family: --children lists all"
                    in self.command("ps", *arguments)[1], told, arguments)
            for command in "top", "live", "ps":
                self.assertIn(
                    f"process 999999999 has no record in {folder}, and does "
                    "not run; ", self.fails(command, "999999999"))
                self.assertIn(
                    f"process {os.getpid()} has no record in {folder}, and "
                    "none open: start it with -X tracemalloc=25,record",
                    self.fails(command, str(os.getpid())))
            # Here a number is no pattern.
            self.assertIn("process 999999999 has no record",
                          self.fails("top", "--mine", "999999999"))
            self.assertIn("is a folder, and has no record in it",
                          self.fails("top", self.folder))

            out, _ = self.command("ps")
            title, head, *lines = out.splitlines()
            self.assertEqual(title, f"{folder}: 2 records")
            self.assertEqual(head.split()[:4],
                             ["pid", "state", "traced", "peak"])
            self.assertEqual([line.split()[:2] for line in lines],
                             [[str(parent.pid), "exited"],
                              [str(child.pid), "exited"]])
            found = json.loads(self.command("ps", "--json")[0])
            self.assertEqual(
                [(each["pid"], each["current"], each["state"])
                 for each in found],
                [(each.pid, each.current, each.state)
                 for each in (parent, child)])
            out, err = self.command("ps", "--clean", "--keep", "1")
            self.assertIn("removed 1 record", err)
            # The newest is the one that was written last.
            self.assertEqual(places.list_folder(folder), [parent.path])

    def test_ps_of_places(self):
        self.run_program("")
        path = self.record().path
        for arguments in [path], [self.folder]:
            found = json.loads(self.command("ps", "--json", *arguments)[0])
            self.assertEqual([each["file"] for each in found], [path])
        damaged = os.path.join(self.folder, "x.tmrec")
        with open(damaged, "w") as stream:
            stream.write("\x1b[2Jnothing")
        out, err = self.command("ps", self.folder)
        self.assertEqual(out.count("\n"), 3)
        self.assertIn("is no record", err)
        self.assertTrue(err.rstrip().isprintable())
        self.assertIn("is no record", self.fails("ps", damaged))
        self.assertIn("--keep is for --clean", self.fails("ps", "--keep", "1"))
        self.assertIn("No such file", self.fails("ps", damaged + "x"))
        self.assertIn("needs a folder", self.fails("ps", "--clean", path))

    @unittest.skipUnless(hasattr(os, "mkfifo"), "needs pipes with names")
    def test_pipes_that_are_named_as_records(self):
        # Whoever opened one would wait for a writer.
        self.run_program("kept = [bytes(100)]")
        os.mkfifo(os.path.join(self.folder, "pipe.1.tmrec"))
        out, _ = self.command("ps", self.folder)
        self.assertIn("1 record", out)
        self.assertIn("regular file", self.fails(
            "live", os.path.join(self.folder, "pipe.1.tmrec")))

    def test_names_do_not_control_the_terminal(self):
        self.run_program("", "\x1b[2J\n\u202e")
        out, _ = self.command("ps", self.folder)
        self.assertTrue(out.replace("\n", "").isprintable())
        self.assertEqual(out.count("\n"), 3)

    def test_dump(self):
        self.run_program("kept = [str(i) for i in range(9999)]")
        picture = self.record()
        for name in "x.tmz", "x.pickle":
            name = os.path.join(self.folder, name)
            out, err = self.command("dump", picture.path, "-o", name)
            self.assertEqual(out, "")
            self.assertIn("of 1 process, exited", err)
            snapshot = tracemalloc.Snapshot.load(name)
            self.assertEqual(sum(stat.size for stat in
                                 snapshot.statistics("filename")),
                             picture.current)
        self.assertEqual(snapshot.metadata["pid"], picture.pid)
        self.assertIn("x/y.tmz: No such file",
                      self.fails("dump", picture.path, "-o", "x/y.tmz"))
        self.assertIn("needs a file name",
                      self.fails("dump", picture.path, "-o", ""))

    def test_dump_without_a_name_writes_over_nothing(self):
        self.run_program("")
        picture = self.record()
        self.enterContext(os_helper.change_cwd(self.folder))
        for ending in "", "-2", "-3":
            name = f"tracemalloc.{picture.pid}{ending}.tmz"
            self.assertFalse(os.path.exists(name))
            _, err = self.command("dump", picture.path)
            self.assertIn(f" {name}: ", err)
            self.assertEqual(
                tracemalloc.Snapshot.load(name).metadata["pid"], picture.pid)

    def test_modules_are_named_as_they_are_imported(self):
        folder = os.path.join(self.folder, "srv")
        files = {
            "main.py": "import json, flat, shop.views, outer.inner.deep; "
                       "import shop.cli",
            "flat.py": "", "shop/__init__.py": "", "shop/views.py": "",
            # No __init__.py: only the folder of the program names it.
            "outer/inner/deep.py": "", "shop/cli.py": ""}
        for name, text in files.items():
            name = os.path.join(folder, *name.split("/"))
            os.makedirs(os.path.dirname(name), exist_ok=True)
            with open(name, "w") as stream:
                stream.write(f"{text}\n"
                             "kept = [str(i) for i in range(999)]\n")
        for number, (command, also) in enumerate((
                (["main.py"], "main outer"), (["./main.py"], "main outer"),
                ([os.path.join(folder, "main.py")], "main outer"),
                # The folder above a package that has an __init__.py.
                (["-m", "shop.cli"], ""),
                (["-m", "tracemalloc", "run", "-q", "--no-file", "main.py"],
                 "main outer"),
                (["-c", "import main"], "main"))):
            with self.subTest(command):
                place = os.path.join(self.folder, str(number))
                os.mkdir(place)
                subprocess.run(
                    [sys.executable, "-X", f"tracemalloc=25,record={place}",
                     *command], cwd=folder, check=True, env=environment())
                path, = places.list_folder(place)
                found = json.loads(self.command(
                    "top", "--json", "-n", "99", "-g", "module", path)[0])
                modules = {group["module"] for group in found["groups"]}
                wanted = {"shop", *also.split()}
                if "main" in wanted:
                    wanted |= {"json", "flat"}
                self.assertLessEqual(wanted, modules)
                self.assertFalse(modules & {"views", "cli", "decoder"})

    def test_programs_under_run_have_exited_when_they_have(self):
        for code in "pass", "import os; os.kill(os.getpid(), 15)":
            with self.subTest(code):
                subprocess.run(
                    [sys.executable, "-X", f"tracemalloc=25,record="
                     f"{self.folder}", "-m", "tracemalloc", "run", "-q",
                     "--no-file", "-c", code], env=environment())
                path, = places.list_folder(self.folder)
                self.assertEqual(reader.read(path).state, "exited")
                os.unlink(path)

    def test_folders_to_import_from(self):
        library = "/usr/lib/python3.13"
        for command, names, folders in (
                (["python", "app.py"], ["/srv/app.py", "/srv/x/y.py"],
                 ["/srv"]),
                (["python", "app.py"],
                 ["/srv/app.py", "/v/site-packages/x/app.py"],
                 ["/srv", "/v/site-packages"]),
                # Which of them it is, nobody knows.
                (["python", "app.py"], ["/srv/app.py", "/srv/x/app.py"], []),
                (["python", "/app.py"], [], ["/"]),
                (["python", "-m", "a.b"], ["/srv/a/b/__main__.py"], ["/srv"]),
                (["python", "-m", "a"], ["/srv/a.py", "/srv/c.py"], ["/srv"]),
                (["python", "-m", ""], ["/srv/a.py"], []),
                (["python"], [library + "/json/decoder.py", "<string>"],
                 [library]),
                # What a record without sense says does no harm.
                (["python", "-c", ""],
                 ["/no\0/x.py", "//", "/", "/a/../b", "/no/a/__init__.py"],
                 ["/no"])):
            with self.subTest(command=command, names=names):
                self.assertEqual(imported.folders_of(command, names), folders)

    def test_processes_one_by_one_and_together(self):
        self.run_program("""
            for number in range(1, 4):
                if not os.fork():
                    kept = [bytes(1000) for _ in range(1000 * number)]
                    os._exit(0)
                os.wait()
            """)
        first, *others = pictures = self.records()
        dumped = os.path.join(self.folder, "dumped.tmz")
        self.command("dump", others[2].path, "-o", dumped)
        whole = sum(picture.current for picture in pictures)
        for arguments in ([self.folder], ["--children", first.path],
                          [first.path, *(each.path for each in others[:2]),
                           dumped]):
            with self.subTest(arguments):
                found = json.loads(self.command(
                    "top", "--json", "--processes", *arguments)[0])
                self.assertEqual(found["total"]["size"], whole)
                self.assertEqual(
                    [(each["pid"], each["size"], each["count"])
                     for each in found["processes"]],
                    [(each.pid, each.current, each.blocks)
                     for each in (*others[::-1], first)])
                self.assertEqual(found["metadata"]["traced_memory"], whole)
        out, err = self.command("top", "--processes", "-n", "2", first.path,
                                others[0].path, dumped)
        self.assertEqual(err, "")
        title, _, head, *lines = out.splitlines()
        self.assertRegex(title, r"/command\.\d+\.tmrec and 2 more: 2 of ")
        self.assertEqual(head.split(),
                         ["pid", "size", "share", "blocks", "process"])
        self.assertRegex(lines[0], rf"^ *{others[2].pid} .*dumped\.tmz$")
        self.assertRegex(lines[1], rf"^ *{others[0].pid} .* exited$")
        self.assertRegex(lines[2], r" 1 more$")
        self.assertRegex(lines[3], r" 100\.0% .* total$")
        # What a filter lets through, of each; it may match nothing in one.
        found = json.loads(self.command(
            "top", "--json", "--processes", "--include", "<string>:7",
            "--sort", "count", self.folder)[0])
        self.assertEqual([each["count"] for each in found["processes"]],
                         sorted((each["count"] for each
                                 in found["processes"]), reverse=True))
        self.assertEqual(found["processes"][-1]["count"], 0)
        self.assertEqual(sum(each["count"] for each in found["processes"]),
                         found["total"]["count"])

    def test_what_cannot_be_added_up(self):
        snapshot = self.snapshot_of_nothing()
        names = [os.path.join(self.folder, name) for name in (
            "one.tmz", "two.tmz", "peak.tmz")]
        for name, interval in zip(names, (None, 1000)):
            snapshot.metadata = {"sample_interval": interval}
            snapshot.dump(name)
        self.assertIn("samples at different intervals",
                      self.fails("top", "--processes", *names[:2]))
        self.run_program("""
            kept = [bytes(1000)]
            tracemalloc.take_peak_snapshot().dump(sys.argv[1])
            """, names[2])
        self.assertIn("peak.tmz: is of the peak alone",
                      self.fails("top", "--processes", names[0], names[2]))
        self.assertIn("too many files: diff, ",
                      self.fails("top", names[0], names[1]))
        # What tells live memory only, beside what tells more.
        path = self.record().path
        known = tracemalloc.Snapshot.load(path)
        known.dump(names[0] + ".pickle", format="pickle")
        found = json.loads(self.command(
            "top", "--json", "--processes", path, names[0] + ".pickle")[0])
        self.assertEqual(found["total"]["count"],
                         2 * self.record().blocks)
        self.assertIn("tells what is live only", self.fails(
            "top", "--at-peak", "--processes", path, names[0] + ".pickle"))

    def test_a_snapshot_and_a_family(self):
        self.run_program("""
            if os.fork():
                os.wait()
            """)
        parent, child = self.records()
        old = os.path.join(self.folder, "old.tmz")
        self.command("dump", parent.path, "-o", old)
        out, err = self.command("diff", "--children", old, parent.path)
        self.assertIn("old.tmz is a snapshot, to which --children adds "
                      "nothing: to have all of a family in one, write it "
                      "with dump --children PID", err)
        self.assertIn(" lines changed", out)
        self.command("dump", "--children", parent.path, "-o", old)
        out, err = self.command("diff", "--children", old, parent.path)
        self.assertEqual(err, "")
        self.assertIn("nothing changed", out)
        self.assertIn("No such file",
                      self.fails("top", "--children", old + "x"))

    def test_ps_shows_whose_child_it_is(self):
        def about(number, parent, family="a", pid=None):
            return SimpleNamespace(pid=pid or number, parent=parent,
                                   family=family, number=number)

        for found, shown in (
                ([], []),
                ([about(1, 0), about(2, 1), about(3, 2), about(4, 1)],
                 ["1", "|- 2", "|  `- 3", "`- 4"]),
                # Families stay together, and a parent without a record is
                # passed over.
                ([about(1, 0), about(5, 0, "b"), about(2, 7),
                  about(6, 5, "b")], ["1", "`- 2", "5", "`- 6"]),
                # The same number in another family, and one that is used
                # again.
                ([about(1, 0), about(2, 1), about(3, 1, "b"), about(4, 2),
                  about(5, 1, pid=2), about(6, 2)],
                 ["1", "|- 2", "|  `- 4", "`- 5", "   `- 6", "3"]),
                # Who began a second record.
                ([about(1, 0), about(2, 0, pid=1), about(3, 1)],
                 ["1", "2", "`- 3"]),
                # A forked child begins its record later than one of its own.
                ([about(1, 0), about(3, 2), about(2, 1)],
                 ["1", "`- 2", "   `- 3"]),
                # Numbers in a file can be anything.
                ([about(1, 1), about(2, 2)], ["1", "`- 2"]),
                ([about(1, 2), about(2, 1)], ["2", "`- 1"]),
                ([about(1, 0), about(2, 3), about(3, 2)],
                 ["1", "`- 3", "   `- 2"])):
            self.assertEqual(
                [f"{mark}{each.number}" for mark, each in ps._trees(found)],
                shown)
        chain = [about(number, number - 1) for number in range(1, 9999)]
        trees = ps._trees(chain)
        self.assertEqual(len(trees), len(chain))
        self.assertEqual(max(len(mark) for mark, _ in trees),
                         ps._MOST_INDENT + 3)
        self.run_program("""
            for _ in range(2):
                if not os.fork():
                    if not os.fork():
                        os._exit(0)
                    os.wait()
                    os._exit(0)
                os.wait()
            """)
        out, _ = self.command("ps", self.folder)
        title, head, *lines = out.splitlines()
        self.assertEqual(head.split()[-3:], ["since", "age", "command"])
        commands = [line[head.index("command"):].partition("python")[0]
                    for line in lines]
        self.assertEqual(commands, ["", "|- ", "|  `- ", "`- ", "   `- "])


if __name__ == "__main__":
    unittest.main()
