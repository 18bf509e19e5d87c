"""Records of programs that do what nobody expects, and among hostile files.
"""
import contextlib
import os
import subprocess
import sys
import unittest
import unittest.mock
from binascii import crc32
from test.support import import_helper, os_helper
from test.tracemalloc_records import Records, environment

from tracemalloc import SnapshotFormatError
from tracemalloc._record import layout, places, reader

# All descriptors that a program may take for its own, as daemons do.
CLOSE = "os.closerange(3, 5000)\n"


class DescriptorTests(Records):
    """The program closes all descriptors, also that of the record."""

    def test_files_of_the_program_are_not_written_to(self):
        self.run_program(CLOSE + """if True:
            path = os.path.join(sys.argv[1], "precious")
            file = os.open(path, os.O_RDWR | os.O_CREAT)
            # Under each number that the record may have had.
            others = [os.open(path, os.O_RDWR) for _ in range(20)]
            for number in range(990, 1010):
                try:
                    os.fstat(number)
                except OSError:
                    os.dup2(file, number)
            os.write(file, b"precious")
            blocks = [bytearray(1 << 21) for _ in range(8)]
            _tracemalloc._write_record()
            with open(path, "rb") as stream:
                assert stream.read() == b"precious"
            pid = os.fork()
            if not pid:
                for number in (file, *others):
                    os.fstat(number)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            tracemalloc.stop()
            for number in (file, *others):
                os.fstat(number)
            with open(path, "rb") as stream:
                assert stream.read() == b"precious"
            """, self.make_folder())

    def test_the_record_goes_on(self):
        self.run_program(CLOSE + """if True:
            blocks = [bytearray(1 << 21) for _ in range(8)]
            _tracemalloc._write_record()
            from tracemalloc._record import reader
            found = reader.read(_tracemalloc._get_record())
            assert found.state == "running", found.state
            assert found.current > 8 << 21, found
            """)
        picture = self.record()
        self.assertEqual(picture.state, "exited")

    def test_numbers_that_programs_expect_are_free(self):
        # As they would be without a record.
        process = self.run_program("print(os.open('/', os.O_RDONLY))")
        self.assertEqual(process.stdout, "3\n")

    @unittest.skipUnless(os.path.exists("/proc/self/statm"), "needs /proc")
    def test_what_tells_resident_memory_is_opened_once(self):
        # Opening it for each moment would take low numbers meanwhile.
        process = self.run_program("""if True:
            def opened():
                found = {}
                for number in map(int, os.listdir("/proc/self/fd")):
                    try:
                        name = os.readlink(f"/proc/self/fd/{number}")
                    except OSError:
                        continue
                    if name.endswith("/statm"):
                        found[number] = name
                return found
            def told():
                _tracemalloc._write_record()
                from tracemalloc._record import reader
                found = reader.read(_tracemalloc._get_record())
                return found.timeline[-1][3] > 1 << 20
            assert told()
            before = opened()
            assert len(before) == 1 and min(before) > 700, before
            keep = [bytearray(1 << 20)]
            assert told() and opened() == before, opened()
            # Somebody else's has its number.
            number, = before
            file = os.open(sys.executable, os.O_RDONLY)
            os.dup2(file, number)
            keep.append(bytearray(1 << 20))
            assert told()
            assert os.path.samestat(os.fstat(file), os.fstat(number))
            os.close(number)
            pid = os.fork()
            if not pid:
                assert told()
                found, = opened().values()
                assert found == f"/proc/{os.getpid()}/statm", found
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            tracemalloc.stop()
            assert not opened(), opened()
            print("end")
            """)
        self.assertEqual(process.stdout, "end\n")

    def make_folder(self):
        return self.enterContext(os_helper.temp_dir())


class TextTests(Records):

    def test_faults_do_not_control_the_terminal(self):
        place = os.path.join(self.folder, "a\x1b[31m\x7f\x9bb\n", "x")
        for source, options in [
                ("", "1,record={}"),
                ("tracemalloc.start(record=sys.argv[1])", "0")]:
            process = self.run_program(source, place, options=options,
                                       place=place, status=None)
            self.assertEqual(process.returncode, 1)
            self.assertIn("a?[31m???b?: No such file", process.stderr)
            self.assertFalse(set(process.stderr) & set("\x1b\x7f\x9b"))


class RoomTests(Records):

    # What is made after a function with a certain name.
    PROGRAM = """
        import time
        names = {}
        exec(compile("def f(): return bytearray(1000)", eval(sys.argv[1]),
                     "exec"), names)
        first = names["f"]()
        while _tracemalloc._write_record():
            pass
        exec(compile("def after(): return bytearray(50000)", "after.py",
                     "exec"), names)
        second = names["after"]()
        while _tracemalloc._write_record():
            pass
        os.kill(os.getpid(), 9)
        """

    def after(self, name, size):
        self.run_program(self.PROGRAM, name, status=-9,
                         options="25,record={},record_size=" + size)
        picture = self.records()[-1]
        self.check(picture)
        sizes = {group.traceback[0].filename: group.size
                 for group in picture.snapshot().statistics("filename")}
        os.unlink(picture.path)
        return picture, sizes

    def test_long_names(self):
        for name in "'x' * 40_000_000", "'\xe9' * 9_000_000":
            with self.subTest(name=name):
                picture, sizes = self.after(name, "16MiB")
                self.assertEqual(picture.lost, 0)
                self.assertGreaterEqual(sizes["after.py"], 50000)
                letter = eval(name)[0]
                # Cut off.
                self.assertGreaterEqual(sizes[letter * 65536], 1000)

    def test_long_names_in_small_records(self):
        for name in "'x' * 100_000", "'\xe9' * 200_000", "'\u20ac' * 90_000":
            with self.subTest(name=name):
                picture, sizes = self.after(name, "1MiB")
                self.assertIn("after.py", sizes)

    def test_the_smallest_record_holds_something(self):
        self.run_program("""
            while _tracemalloc._write_record():
                pass
            """, options="25,record={},record_size=512KiB")
        picture = self.record()
        self.assertGreater(len(picture._tables["contexts"])
                           // layout.ITEMS["contexts"], 300)
        self.assertGreater(picture.current, picture.lost_bytes)


class MemoryTests(Records):
    """There is none left, which is when a record is needed most."""

    def test_what_cannot_be_copied_is_not_written(self):
        import_helper.import_module("resource")
        self.run_program("""
            import resource
            code = compile("[" + "[],\\n" * 9000 + "]", "many", "eval")
            while _tracemalloc._write_record():
                pass
            kept = eval(code)
            with open("/proc/self/statm") as stream:
                used = int(stream.read().split()[0])
            used *= resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used, used))
            try:
                _tracemalloc._write_record()
            except OSError:
                pass
            os.kill(os.getpid(), 9)
            """, status=-9)
        self.record()


class FullDiskTests(Records):

    def test_a_file_cut_off_on_a_full_disk(self):
        self.mount("2m")
        self.run_program("""
            path = _tracemalloc._get_record()
            os.truncate(path, 0)
            fill = os.path.join(os.path.dirname(path), "fill")
            with open(fill, "wb", buffering=0) as stream:
                try:
                    while stream.write(bytes(4096)) == 4096:
                        pass
                except OSError:
                    pass
            for _ in range(3):
                try:
                    _tracemalloc._write_record()
                except OSError:
                    pass
            os.unlink(fill)
            # The first begins anew.
            for _ in range(3):
                try:
                    while _tracemalloc._write_record():
                        pass
                except OSError:
                    pass
            os.kill(os.getpid(), 9)
            """, options="25,record={},record_size=1MiB", status=-9)
        self.assertGreater(self.record().blocks, 0)


class RaceTests(Records):

    def slow_strace(self, *calls):
        """Return a command that lets system calls take long, or skip."""
        command = ["strace", "-f", "-o", os.devnull, "-e",
                   "trace=" + ",".join(calls), "-e",
                   f"inject={','.join(calls)}:delay_enter=500000"]
        try:
            subprocess.run([*command, sys.executable, "-c", ""], check=True,
                           capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            self.skipTest("needs strace")
        return command

    def test_programs_that_begin_at_once_with_one_place(self):
        command = self.slow_strace("rename", "renameat", "renameat2")
        for is_there in False, True:
            place = os.path.join(self.folder, f"{is_there}.tmrec")
            if is_there:
                self.run_program("", place=place)
            processes = [subprocess.Popen(
                [*command, sys.executable, "-X", "tracemalloc=1,record_size="
                 f"512KiB,record={place}", "-c",
                 "input('ready\\n'); input()"],
                env=environment(), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True) for _ in range(3)]
            with contextlib.ExitStack() as stack:
                for process in processes:
                    stack.enter_context(process)
                for text in "begin\n", "end\n":
                    for process in processes:
                        process.stdin.write(text)
                        process.stdin.flush()
                        if text == "begin\n":
                            process.stdout.readline()
            self.assertEqual([process.returncode for process in processes],
                             [0, 0, 0])
            found = {picture.pid for picture in self.records()
                     if os.path.basename(picture.path).startswith(
                         str(is_there))}
            # One more is kept: the record of the process before.
            self.assertEqual(len(found), 3 + is_there)

    def test_a_record_that_came_while_others_were_cleaned_up(self):
        self.run_program("")
        path, = places.list_folder(self.folder)
        read = reader.read_about

        def replaced(name):
            found = read(name)
            os.unlink(name)
            self.run_program("os.kill(os.getpid(), 9)", place=name,
                             status=-9)
            self.held = self.enterContext(open(name, "rb"))
            fcntl.flock(self.held, fcntl.LOCK_EX)
            return found

        fcntl = import_helper.import_module("fcntl")
        with unittest.mock.patch.object(reader, "read_about", replaced):
            self.assertEqual(places.clean(self.folder), [])
        self.assertEqual(places.list_folder(self.folder), [path])

    def test_interpreters_that_write_while_others_end_it(self):
        import_helper.import_module("_interpreters")
        self.run_program("""
            import _interpreters, threading
            from tracemalloc._record import reader

            def write():
                fault = _interpreters.exec(interpreter, '''if 1:
                    import _tracemalloc
                    for _ in range(1000):
                        try:
                            _tracemalloc._write_record()
                        except OSError:
                            pass
                    ''')
                assert fault is None, fault

            folder = sys.argv[1]
            interpreter = _interpreters.create("isolated")
            thread = threading.Thread(target=write)
            thread.start()
            while thread.is_alive():
                tracemalloc.start(record=folder, record_size=1 << 19)
                _tracemalloc._end_record()
                for name in os.listdir(folder):
                    path = os.path.join(folder, name)
                    assert reader.read(path).state == "exited"
                    os.unlink(path)
            thread.join()
            _interpreters.destroy(interpreter)
            """, self.folder, options="1")

    @unittest.skipUnless(hasattr(os, "mkfifo"), "needs pipes")
    def test_pipes_are_not_waited_for(self):
        name = os.path.join(self.folder, ".tracemalloc-1-2.tmp")
        os.mkfifo(name)
        self.assertEqual(places.clean(self.folder), [])
        self.assertEqual(os.listdir(self.folder), [os.path.basename(name)])

    def test_links_are_not_cleaned_up(self):
        self.run_program("")
        path, = places.list_folder(self.folder)
        elsewhere = os.path.join(self.folder, "kept")
        os.rename(path, elsewhere)
        os.symlink(elsewhere, path)
        self.assertEqual(places.clean(self.folder), [])
        self.assertTrue(os.path.samefile(path, elsewhere))


class HoleTests(Records):
    """Files that are large, and take no room on the disk."""

    @staticmethod
    def sealed(data):
        data = bytearray(data.ljust(layout.PAGE, b"\0"))
        layout.CRC.pack_into(data, layout.CHECKED,
                             crc32(data[:layout.CHECKED]))
        return bytes(data)

    def write(self, table, count, *, same=False):
        """Write a record with a table of so many pages of zeros."""
        head = dict.fromkeys(layout.HEAD_FIELDS, 0) | {
            "magic": layout.MAGIC, "major": layout.VERSION,
            "order": layout.ORDER, "head_size": layout.PAGE,
            "page_size": layout.PAGE, "boot": bytes(16),
            "family": bytes(16), "limit": 25}
        nlists = -(-count // layout.PER_LIST)
        first = 3 + nlists
        check = crc32(bytes(layout.PAGE))
        places = b"".join(
            layout.PLACE.pack(first + (0 if same else number), check)
            for number in range(count)).ljust(nlists * layout.PAGE, b"\0")
        about = dict.fromkeys(layout.CHECKPOINT_FIELDS, 0) | {
            "magic": layout.CHECKPOINT_MAGIC, "sequence": 1}
        page = bytearray(layout.PAGE)
        layout.CHECKPOINT.pack_into(page, 0, *about.values())
        size = layout.ITEMS.get(table, 1)
        layout.TABLE.pack_into(page, layout.TABLES_AT[table],
                               count * layout.PAGE // size * size, count, 0)
        layout.LIST_SIZE.pack_into(page, layout.LIST_AT, nlists, 0)
        for number in range(nlists):
            at = number * layout.PAGE
            layout.PLACE.pack_into(
                page, layout.LIST_AT + layout.LIST_SIZE.size
                + number * layout.PLACE.size,
                3 + number, crc32(places[at:at + layout.PAGE]))
        path = os.path.join(self.folder, "x.tmrec")
        with open(path, "wb") as stream:
            stream.write(self.sealed(layout.HEAD.pack(*head.values())))
            stream.write(self.sealed(page) * 2 + places)
            stream.truncate((first + count) * layout.PAGE)
        return path

    def test_holes_are_no_items(self):
        for table in ("names", "nodes", "contexts", "few", "threads",
                      "timeline"):
            with (self.subTest(table=table),
                  self.assertRaisesRegex(SnapshotFormatError, "damaged")):
                reader.read(self.write(table, 50)).snapshot()

    def test_a_page_is_at_one_place(self):
        with self.assertRaisesRegex(SnapshotFormatError, "at two places"):
            reader.read(self.write("counters", 100, same=True))


if __name__ == "__main__":
    unittest.main()
