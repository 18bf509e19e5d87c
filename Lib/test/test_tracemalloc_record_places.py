"""Records: options, and where the files are.
"""
import os
import pathlib
import stat
import subprocess
import sys
import tracemalloc
import unittest
from test.support import import_helper, os_helper
from test.tracemalloc_records import Records, environment
from tracemalloc._record import layout, places, reader

_tracemalloc = import_helper.import_module("_tracemalloc")

CANNOT = "the record cannot be written: "
MIB = 1 << 20


class Places(Records):

    def refused(self, options, *texts, env=None, fatal=True, **kwargs):
        """Check that a program does not begin, and is told why."""
        process = self.run_program("print('reached')", options=options,
                                   env=env, status=None, **kwargs)
        self.assertEqual((process.returncode, process.stdout), (1, ""),
                         process.stderr)
        for text in texts:
            self.assertIn(text, process.stderr)
        self.assertEqual(os.listdir(self.folder), self.before)

    def setUp(self):
        super().setUp()
        self.before = []


class OptionTests(Places):

    def test_wrong_options(self):
        for options, text in [
                ("25,record=", "needs a file or a folder"),
                ("25,record,record", "'record' is given twice"),
                ("25,record_size=1MiB", "record_size without record"),
                ("25,record,record_size=1K", "'1K' is no size of a record"),
                ("25,record,record_size=1G", "'1G' is no size of a record"),
                ("25,record,record_size=", "'' is no size of a record"),
                ("25,record,record_size=x", "'x' is no size of a record"),
                ("25,records", "unknown key 'records'")]:
            with self.subTest(options=options):
                self.refused(options, "Fatal Python error: "
                             "config_init_tracemalloc: -X tracemalloc", text)

    def test_the_variable(self):
        env = environment(PYTHONTRACEMALLOC=f"25,record={self.folder}")
        subprocess.run([sys.executable, "-c", ""], env=env, check=True)
        self.record()

    def test_no_frames_no_record(self):
        self.run_program("", options="0,record={}")
        self.assertEqual(self.records(), [])

    def test_sizes(self):
        for text, size in ("512KiB", 1 << 19), ("1M", MIB), ("3000000",
                                                             2998272):
            with self.subTest(text=text):
                # Trimmed at the end, so it is killed.
                self.run_program("os.kill(os.getpid(), 9)", status=-9,
                                 options="25,record={},record_size=" + text)
                picture = self.records()[-1]
                self.assertEqual(os.stat(picture.path).st_size, size)
                self.assertEqual(picture._head.size, size)
                # Its space is taken.
                self.assertGreaterEqual(os.stat(picture.path).st_blocks * 512,
                                        size)

    def test_names_that_are_not_ascii(self):
        folder = os.path.join(self.folder, "caf\xe9 \u20ac")
        os.mkdir(folder)
        for env in ({"PYTHONUTF8": "1"}, {"LC_ALL": "C.UTF-8"},
                    {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}):
            self.run_program("", place=folder, env=environment(**env))
        self.assertEqual(len(self.records(folder)), 4)

    def test_isolated_children_of_multiprocessing_have_the_option(self):
        self.run_program("""
            import subprocess
            args = subprocess._args_from_interpreter_flags()
            subprocess.run([sys.executable, *args, "-c", ""], check=True)
            """)
        self.assertEqual(len(self.records()), 2)


class ArgumentTests(Places):

    def test_start(self):
        self.run_program("""
            import pathlib
            folder = sys.argv[1]
            for place in (folder, os.fsencode(folder), pathlib.Path(folder),
                          os.path.join(folder, "x.tmrec")):
                tracemalloc.start(2, record=place, record_size=1 << 19)
                path = _tracemalloc._get_record()
                assert path.startswith(folder), path
                assert os.stat(path).st_size == 1 << 19
                tracemalloc.stop()
            for nothing in None, False:
                tracemalloc.start(2, record=nothing)
                assert _tracemalloc._get_record() is None
                tracemalloc.stop()
            """, self.folder, options="0")
        self.assertEqual(
            [path for path in places.list_folder(self.folder)
             if path.endswith("x.tmrec")],
            [os.path.join(self.folder, "x.tmrec")])

    def test_wrong_arguments(self):
        for arguments, error in [
                ({"record": ""}, ValueError), ({"record": 3}, TypeError),
                ({"record": "a\0b"}, ValueError),
                ({"record": True, "record_size": 10}, ValueError),
                ({"record": True, "record_size": 1 << 70}, ValueError),
                ({"record": True, "record_size": 1.5}, TypeError),
                ({"records": True}, TypeError)]:
            with self.subTest(arguments=arguments):
                self.assertRaises(error, tracemalloc.start, **arguments)
                self.assertFalse(tracemalloc.is_tracing())

    def test_a_bad_place_is_an_error_and_nothing_is_traced(self):
        missing = os.path.join(self.folder, "missing", "x")
        with self.assertRaisesRegex(OSError, CANNOT + ".*missing.*No such "):
            tracemalloc.start(record=missing)
        self.assertFalse(tracemalloc.is_tracing())


class FileTests(Places):

    def test_a_folder(self):
        path, = self.run_program("print(_tracemalloc._get_record())"
                                 ).stdout.splitlines()
        pid = self.record().pid
        self.assertEqual(path,
                         os.path.join(self.folder, f"command.{pid}.tmrec"))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_names_of_programs(self):
        script = os.path.join(self.folder, "my pro gram.py")
        package = os.path.join(self.folder, "package")
        os.mkdir(package)
        for name in script, os.path.join(package, "__main__.py"):
            with open(name, "w") as stream:
                stream.write("")
        for arguments, name in [([script], "my_pro_gram"),
                                ([package], "package"),
                                (["-m", "this"], "this")]:
            with self.subTest(name=name), os_helper.temp_dir() as folder:
                subprocess.run(
                    [sys.executable, "-X", f"tracemalloc=1,record={folder}",
                     *arguments], env=environment(), check=True,
                    stdout=subprocess.DEVNULL)
                found, = os.listdir(folder)
                self.assertEqual(found.split(".")[0], name)

    def test_a_file(self):
        place = os.path.join(self.folder, "here.tmrec")
        self.run_program("", place=place)
        self.assertEqual(os.listdir(self.folder), ["here.tmrec"])
        first = self.record()
        # Another one takes its place, and it is kept, until the next one.
        previous = os.path.join(self.folder, "here.previous.tmrec")
        self.run_program("", place=place)
        second = reader.read(place)
        self.assertEqual(reader.read(previous).pid, first.pid)
        self.run_program("", place=place)
        self.assertEqual(reader.read(previous).pid, second.pid)
        self.assertNotIn(reader.read(place).pid, (first.pid, second.pid))
        self.assertEqual(sorted(os.listdir(self.folder)),
                         ["here.previous.tmrec", "here.tmrec"])

    def test_a_file_of_a_process_that_was_killed(self):
        place = os.path.join(self.folder, "service")
        self.run_program("os.kill(os.getpid(), 9)", place=place, status=-9)
        killed = reader.read(place)
        self.run_program("", place=place)
        kept = reader.read(place + ".previous.tmrec")
        self.assertEqual((kept.pid, kept.state), (killed.pid, "gone"))

    def test_what_is_kept_overwrites_records_only(self):
        place = os.path.join(self.folder, "here.tmrec")
        previous = os.path.join(self.folder, "here.previous.tmrec")
        for make in (lambda: pathlib.Path(previous).write_text("precious"),
                     lambda: os.mkdir(previous),
                     lambda: os.symlink("nowhere", previous)):
            with self.subTest(make=make):
                self.run_program("", place=place)
                first = reader.read(place)
                make()
                self.run_program("", place=place)
                self.assertEqual(reader.read(place).pid, first.pid)
                other, = {*os.listdir(self.folder)} - {
                    "here.tmrec", "here.previous.tmrec"}
                self.assertRegex(other, r"^here\.\d+\.tmrec$")
                os.unlink(os.path.join(self.folder, other))
                os.unlink(place)
                (os.rmdir if os.path.isdir(previous) else os.unlink)(previous)

    def test_a_file_relative_to_the_folder_that_one_is_in(self):
        self.run_program("os.chdir('/')", place="here", cwd=self.folder)
        self.assertEqual(os.listdir(self.folder), ["here"])

    def test_a_file_that_a_running_process_has(self):
        place = os.path.join(self.folder, "here.tmrec")
        self.run_program("""
            import subprocess
            env = dict(os.environ, PYTHONTRACEMALLOC="1,record=" + sys.argv[1])
            del env["PYTHONTRACEMALLOC_FAMILY"]
            subprocess.run([sys.executable, "-c", ""], env=env, check=True)
            """, place, place=place)
        first, second = self.records()
        self.assertEqual(first.path, place)
        self.assertEqual(os.path.basename(second.path),
                         f"here.{second.pid}.tmrec")
        self.assertNotEqual(first.family, second.family)

    def test_other_files_are_not_overwritten(self):
        place = os.path.join(self.folder, "precious.txt")
        with open(place, "w") as stream:
            stream.write("precious")
        self.before = ["precious.txt"]
        self.refused("25,record={}", CANNOT, "the file is no record",
                     place=place)
        with open(place) as stream:
            self.assertEqual(stream.read(), "precious")

    def test_an_empty_file_is_nobodys(self):
        # As mktemp makes them.
        place = os.path.join(self.folder, "empty")
        open(place, "w").close()
        self.run_program("", place=place)
        self.assertEqual(reader.read(place).state, "exited")

    def test_links_are_not_followed(self):
        target = os.path.join(self.folder, "target")
        place = os.path.join(self.folder, "link")
        with open(target, "wb") as stream:
            stream.write(layout.MAGIC)
        os.symlink(target, place)
        self.before = ["target", "link"]
        process = self.run_program("", place=place, status=None)
        self.assertEqual(process.returncode, 1)
        self.assertIn("it is a link", process.stderr)
        self.assertEqual(os.stat(target).st_size, len(layout.MAGIC))
        self.assertCountEqual(os.listdir(self.folder), self.before)

    def test_a_number_of_a_process_that_comes_again(self):
        # As after each start of a container.
        self.run_program("", options="1,record={}")
        old, = os.listdir(self.folder)
        self.run_program("""
            old, folder = sys.argv[1:]
            os.rename(old, os.path.join(folder,
                                        f"command.{os.getpid()}.tmrec"))
            tracemalloc.start(record=folder)
            """, os.path.join(self.folder, old), self.folder, options="0")
        first, second = self.records()
        self.assertEqual(os.path.basename(second.path),
                         f"command.{second.pid}-2.tmrec")
        self.assertEqual(places._of_process(second.pid), [])

    def test_no_folder(self):
        missing = os.path.join(self.folder, "missing")
        self.refused("25,record={}/x", CANNOT, "make the folder first",
                     place=missing)
        self.refused("25,record={}/", CANNOT, "make the folder first",
                     place=missing)

    @unittest.skipIf(hasattr(os, "geteuid") and os.geteuid() == 0,
                     "root may write anywhere")
    def test_a_folder_that_cannot_be_written_to(self):
        os.chmod(self.folder, 0o500)
        self.addCleanup(os.chmod, self.folder, 0o700)
        self.refused("25,record={}", CANNOT, "Permission denied")

    def test_who_has_inherited_it_goes_on_without(self):
        missing = os.path.join(self.folder, "missing", "x")
        variables = {"PYTHONTRACEMALLOC": f"25,record={missing}"}
        code = ("import _tracemalloc, os; "
                "print(_tracemalloc.get_traceback_limit(), "
                "_tracemalloc.is_tracing(), _tracemalloc._get_record())")

        def run(env, *options):
            return subprocess.run([sys.executable, *options, "-c", code],
                                  env=env, text=True, capture_output=True)

        # Who gives it gets an error, also by the variable.
        process = run(environment(**variables))
        self.assertEqual((process.returncode, process.stdout), (1, ""))
        self.assertIn(f"OSError: {CANNOT}", process.stderr)
        env = environment(**variables,
                          PYTHONTRACEMALLOC_FAMILY="0123456789abcdef" * 2)
        for options in (), ("-X", f"tracemalloc=25,record={missing}"):
            process = run(env, *options)
            self.assertEqual((process.returncode, process.stdout),
                             (0, "25 True None\n"), process.stderr)
            self.assertRegex(
                process.stderr, rf"\Atracemalloc: {CANNOT}.*missing.*; "
                r"process \d+, which another one has started, goes on "
                r"without\n\Z")
        # Only so far as that is what is wrong.
        env["PYTHONTRACEMALLOC"] = "70000,record=" + self.folder
        self.assertEqual(run(env).returncode, 1)
        env["PYTHONTRACEMALLOC"] = "25,record=" + self.folder
        self.assertIn("tmrec", run(env).stdout)

    def test_a_device(self):
        # Who may make no file there is told so.
        what = "/dev/null" if os.access("/dev", os.W_OK) else "/dev: "
        self.refused("25,record=/dev/null", CANNOT, what)

    def test_no_room(self):
        resource = import_helper.import_module("resource")

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))

        self.refused("25,record={},record_size=2MiB", CANNOT,
                     "File too large", "record_size", preexec_fn=limit)

    def test_a_full_disk(self):
        self.mount("1m")
        self.refused("25,record={},record_size=2MiB", CANNOT,
                     "No space left on device")
        self.run_program("x = [0] * 1000", options="25,record={},"
                         "record_size=512KiB")
        self.record()


class PrivateFolderTests(Places):

    def private(self, status=0, **variables):
        return self.run_program(
            "print(_tracemalloc._get_record())", options="25,record",
            env=environment(**variables), status=status)

    def default(self, **variables):
        """Return what Python says the folder is."""
        with os_helper.EnvironmentVarGuard() as env:
            for name in "XDG_RUNTIME_DIR", "TMPDIR":
                env.unset(name)
            env.update(variables)
            return places.default_folder()

    def test_the_run_time_folder(self):
        folder = os.path.join(self.folder, "tracemalloc")
        variables = {"XDG_RUNTIME_DIR": self.folder, "TMPDIR": "/"}
        path = self.private(**variables).stdout.rstrip()
        self.assertEqual(os.path.dirname(path), folder)
        self.assertEqual(self.default(**variables), folder)
        self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700)
        self.private(**variables)
        self.assertEqual(len(self.records(folder)), 2)

    def test_the_folder_for_temporary_files(self):
        folder = os.path.join(self.folder, f"tracemalloc-{os.geteuid()}")
        for runtime in "", "relative", os.path.join(self.folder, "missing"):
            variables = {"XDG_RUNTIME_DIR": runtime, "TMPDIR": self.folder}
            path = self.private(**variables).stdout.rstrip()
            self.assertEqual(os.path.dirname(path), folder)
            self.assertEqual(self.default(**variables), folder)

    def test_others_are_kept_out(self):
        folder = os.path.join(self.folder, "tracemalloc")
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        self.private(XDG_RUNTIME_DIR=self.folder)
        self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700)

    def test_a_link_in_its_place(self):
        folder = os.path.join(self.folder, "tracemalloc")
        os.mkdir(os.path.join(self.folder, "elsewhere"))
        os.symlink("elsewhere", folder)
        process = self.private(status=None, XDG_RUNTIME_DIR=self.folder)
        self.assertEqual(process.returncode, 1)
        self.assertIn("it must be a folder, and no link", process.stderr)
        self.assertEqual(os.listdir(folder), [])

    @unittest.skipUnless(hasattr(os, "geteuid") and os.geteuid() == 0,
                         "needs another user")
    def test_a_folder_of_another_user(self):
        folder = os.path.join(self.folder, f"tracemalloc-{os.geteuid()}")
        os.mkdir(folder)
        os.chown(folder, 12345, 12345)
        process = self.private(status=None, TMPDIR=self.folder)
        self.assertEqual(process.returncode, 1)
        self.assertIn("it belongs to another user; name another folder",
                      process.stderr)
        self.assertEqual(os.listdir(folder), [])


class FindTests(Places):

    def test_processes_files_and_folders(self):
        self.run_program("")
        self.run_program("")
        first, second = [picture.path for picture in self.records()]
        self.assertCountEqual(places.find(self.folder), [first, second])
        self.assertEqual(places.find(first), [first])
        self.assertRaises(OSError, places.find, first + "x")
        self.assertEqual(places.find("1"), [])

    def test_a_process_by_its_number(self):
        with os_helper.EnvironmentVarGuard() as env:
            env["XDG_RUNTIME_DIR"] = self.folder
            self.run_program("", options="25,record",
                             env=environment(XDG_RUNTIME_DIR=self.folder))
            picture, = self.records(os.path.join(self.folder, "tracemalloc"))
            self.assertEqual(places.find(str(picture.pid)), [picture.path])

    @unittest.skipUnless(os.path.isdir("/proc/self/fd"), "needs /proc")
    def test_a_process_that_has_its_record_elsewhere(self):
        process = self.start_program("print(1, flush=True); input()")
        path, = places.list_folder(self.folder)
        self.assertEqual(places.find(str(process.pid)), [path])

    def test_cleaning(self):
        running = self.start_program("print(1, flush=True); input()")
        for _ in range(4):
            self.run_program("")
        path = os.path.join(self.folder, "other.tmrec")
        with open(path, "w") as stream:
            stream.write("no record")
        unfinished = os.path.join(self.folder, ".tracemalloc-1-2.tmp")
        for name, content in ((unfinished, bytes(9)),
                              (unfinished + "x.tmp", b"a snapshot")):
            with open(name, "wb") as stream:
                stream.write(content)
            os.utime(name, (1, 1))
        alive, *old = [picture for picture in sorted(
            (reader.read(name) for name in places.list_folder(self.folder)
             if name != path), key=lambda picture: picture.started)]
        removed = places.clean(self.folder, keep=2)
        self.assertCountEqual(removed, [unfinished, *(
            each.path for each in old[:2])])
        self.assertTrue(os.path.exists(unfinished + "x.tmp"))
        places.clean(self.folder)
        self.assertCountEqual(places.list_folder(self.folder),
                              [path, alive.path])
        self.assertEqual(alive.pid, running.pid)


if __name__ == "__main__":
    unittest.main()
