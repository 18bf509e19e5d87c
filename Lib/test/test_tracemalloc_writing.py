"""How files are written: snapshots of all kinds, exports,
whatever `run` and watch() write.
"""
import contextlib
import errno
import io
import os
import pytracemalloc
import stat
import struct
import subprocess
import sys
import threading
import tracemalloc
import unittest
from datetime import datetime
from test import support
from test.support import os_helper, threading_helper
from test.tracemalloc_commands import CommandTests
from tracemalloc import _cli, _watch, _writing
from types import SimpleNamespace
from unittest import mock


def dump(name):
    tracemalloc.Snapshot(
        [(0, 7, (("a.py", 1),), 1)], 1).dump(name, format="pickle")


def dump_compact(name):
    tracemalloc.Snapshot(
        [(0, 7, (("a.py", 1),), 1)], 1).dump(name, format="compact")


def write(name):
    pytracemalloc.Snapshot(datetime(2013, 5, 21), 1,
                           {1: (7, (("a.py", 1),))}).write(name)


def export(name):
    if _cli._main(["export", "--format", "collapsed", "-o", name, "a.tmz"]):
        raise AssertionError("export failed")


def watch(name):
    """Have a watch write once; it is not started."""
    tracemalloc.start()
    try:
        _watch.Watch(name, interval=1, threshold=None, collect=False).write()
    finally:
        tracemalloc.stop()


WRITERS = [dump, dump_compact, write, export, watch]


def content(name):
    with open(name, "rb") as stream:
        return stream.read()


class WritingTests(CommandTests):
    """The same for all that writes; the current folder is empty but
    for some files.
    """

    def setUp(self):
        super().setUp()
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the tests would end it")
        os.mkdir("here")

    @contextlib.contextmanager
    def fresh(self, writer):
        """A subtest with an empty folder "here"."""
        for name in os.listdir("here"):
            os.unlink(f"here/{name}")
        with self.subTest(writer=writer.__name__):
            yield

    def ways(self):
        """Subtests: files begin without a name, or with another, or get
        one by being copied.
        """
        refused = OSError(errno.EPERM, os.strerror(errno.EPERM))
        for way in (contextlib.nullcontext(),
                    # Then it is a folder that cannot be opened for writing.
                    mock.patch.object(os, "O_TMPFILE", 0, create=True),
                    # Without /proc, and with one that is none.
                    mock.patch.object(_writing, "_link_to", "nowhere/{}"
                                      .format),
                    mock.patch.object(_writing, "_link_to",
                                      lambda descriptor: os.devnull),
                    mock.patch.object(os, "link", side_effect=refused)):
            with way:
                yield

    def need_unnamed_files(self):
        try:
            os.close(os.open("here", os.O_RDWR | os.O_TMPFILE))
        except OSError as error:
            self.skipTest(f"no files without names here: {error}")

    @unittest.skipUnless(hasattr(os, "O_TMPFILE"), "needs O_TMPFILE")
    def test_a_file_is_copied_only_if_it_may_not_get_a_name(self):
        self.need_unnamed_files()
        ways = self.ways()
        for copies in 0, 0, 0, 0, 1:
            next(ways)
            with (self.subTest(copies=copies),
                  mock.patch.object(_writing, "_copy",
                                    wraps=_writing._copy) as copy):
                dump("here/new")
                self.assertEqual(copy.call_count, copies)
            os.unlink("here/new")
        next(ways, None)

    def test_what_is_written_to_closed_streams_gets_into_no_file(self):
        for replaced in "", "good":
            process = subprocess.run(
                [sys.executable, "-c", "if 1:"
                 """
                import os, sys
                from tracemalloc import _writing

                if sys.argv[2]:
                    _writing._open_beside = lambda *args, **names: None
                    with open(sys.argv[1], "w") as stream:
                        stream.write(sys.argv[2])
                for descriptor in range(3):
                    os.close(descriptor)

                def write(stream):
                    stream.write(b"first ")
                    stream.flush()
                    for descriptor in range(3):
                        try:
                            os.write(descriptor, b"of others")
                        except OSError:
                            pass
                    stream.write(b"second")

                _writing.write_file(sys.argv[1], write)
                """, "here/new", replaced])
            self.assertEqual(process.returncode, 0)
            self.assertEqual(content("here/new"), b"first second")

    @contextlib.contextmanager
    def looking(self):
        """Collect modes of files that are opened for writing, and which
        names are in "here" then.
        """
        modes, names = set(), set()
        real = open

        def look(file, mode="r", *args, **options):
            stream = real(file, mode, *args, **options)
            if isinstance(file, int):
                modes.add(stat.S_IMODE(os.fstat(file).st_mode))
                names.update(os.listdir("here"))
            return stream

        with mock.patch("builtins.open", look):
            yield modes, names

    @unittest.skipUnless(os.name == "posix", "modes of POSIX")
    def test_a_file_is_private_until_it_is_complete_and_then_as_others(self):
        with os_helper.temp_umask(0o022):
            for _ in self.ways():
                for writer in WRITERS:
                    with self.fresh(writer):
                        with self.looking() as (modes, names):
                            writer("here/new")
                        self.assertEqual(modes, {0o600})
                        self.assertNotIn("new", names)
                        self.assertEqual(os.listdir("here"), ["new"])
                        self.assertEqual(
                            stat.S_IMODE(os.stat("here/new").st_mode), 0o644)

    def test_a_file_in_whose_place_another_one_was_made_meanwhile(self):
        def slow(stream):
            self.write("here/new", "theirs")
            stream.write(b"ours")

        for _ in self.ways():
            _writing.write_file("here/new", slow)
            self.assertEqual(content("here/new"), b"ours")
            self.assertEqual(os.listdir("here"), ["new"])
            os.unlink("here/new")

    @unittest.skipUnless(hasattr(os, "O_TMPFILE"), "needs O_TMPFILE")
    def test_who_is_killed_while_writing_leaves_nothing(self):
        self.need_unnamed_files()
        self.write("here/old", "good")
        for name in "new", "old":
            process = subprocess.run(
                [sys.executable, "-c", "if 1:"
                 """
                import os, signal, sys
                from tracemalloc._writing import write_file

                def write(stream):
                    stream.write(bytes(100_000))
                    stream.flush()
                    os.kill(os.getpid(), signal.SIGKILL)

                write_file(sys.argv[1], write)
                """, f"here/{name}"])
            self.assertEqual(process.returncode, -9)
            self.assertEqual(os.listdir("here"), ["old"])
            self.assertEqual(content("here/old"), b"good")

    @unittest.skipUnless(os.name == "posix", "modes of POSIX")
    def test_a_file_that_was_there_keeps_its_mode(self):
        for writer in WRITERS:
            with self.fresh(writer):
                os_helper.create_empty_file("here/old")
                os.chmod("here/old", 0o604)
                writer("here/old")
                self.assertEqual(stat.S_IMODE(os.stat("here/old").st_mode),
                                 0o604)
                self.assertGreater(os.path.getsize("here/old"), 0)

    @unittest.skipUnless(hasattr(os, "geteuid") and os.geteuid() == 0,
                         "only root can give files")
    def test_a_file_that_was_there_keeps_its_owner(self):
        for writer in WRITERS:
            with self.fresh(writer):
                os_helper.create_empty_file("here/old")
                os.chown("here/old", 12345, 54321)
                os.chmod("here/old", 0o6640)
                writer("here/old")
                status = os.stat("here/old")
                self.assertEqual((status.st_uid, status.st_gid,
                                  stat.S_IMODE(status.st_mode)),
                                 (12345, 54321, 0o6640))

    def test_the_old_file_stays_when_writing_fails(self):
        for writer in WRITERS:
            with self.fresh(writer):
                self.write("here/old", "good")
                with (mock.patch.object(
                          os, "replace",
                          side_effect=OSError(errno.ENOSPC, "full")),
                      self.assertRaises((OSError, _cli.UsageError,
                                         SystemExit)),
                      contextlib.redirect_stderr(io.StringIO())):
                    writer("here/old")
                self.assertEqual(content("here/old"), b"good")
                self.assertEqual(os.listdir("here"), ["old"])

    def test_the_old_file_stays_when_it_cannot_be_opened(self):
        real = open

        def refuse(file, mode="r", *args, **options):
            if "w" in mode:
                raise PermissionError(errno.EACCES, "refused")
            return real(file, mode, *args, **options)

        for writer in WRITERS[:3]:
            self.write("here/old", "good")
            with (self.subTest(writer=writer.__name__),
                  mock.patch("builtins.open", refuse),
                  self.assertRaises(PermissionError)):
                writer("here/old")
            self.assertEqual(content("here/old"), b"good")

    def test_the_old_file_stays_when_the_snapshot_cannot_be_pickled(self):
        snapshot = pytracemalloc.Snapshot(datetime(2013, 5, 21), 1,
                                          {1: (7, (("a.py", 1),))})
        snapshot.write("here/old")
        good = content("here/old")
        snapshot.traces[2] = 3, lambda: None
        with self.assertRaises(Exception):
            snapshot.write("here/old")
        self.assertEqual(content("here/old"), good)
        self.assertEqual(os.listdir("here"), ["old"])

    @os_helper.skip_unless_symlink
    def test_a_link_stays_and_what_it_points_to_is_replaced(self):
        for writer in WRITERS:
            with self.fresh(writer):
                self.write("here/target", "good")
                os.symlink("target", "here/link")
                os.symlink(os.path.abspath("here/link"), "here/absolute")
                os.symlink("../here/./new", "here/dangling")
                for name, target in (("link", "target"),
                                     ("absolute", "target"),
                                     ("dangling", "new")):
                    writer(f"here/{name}")
                    self.assertTrue(os.path.islink(f"here/{name}"))
                    self.assertGreater(os.path.getsize(f"here/{target}"), 4)
                self.assertEqual(sorted(os.listdir("here")),
                                 ["absolute", "dangling", "link", "new",
                                  "target"])
                os.symlink("loop", "here/loop")
                with (self.assertRaises((OSError, _cli.UsageError,
                                         SystemExit)),
                      contextlib.redirect_stderr(io.StringIO())):
                    writer("here/loop")

    @unittest.skipUnless(hasattr(os, "mkfifo"), "needs FIFOs")
    @threading_helper.requires_working_threading()
    def test_a_fifo_is_written_to(self):
        for writer in WRITERS:
            with self.fresh(writer):
                os.mkfifo("here/fifo")
                found = []
                thread = threading.Thread(
                    target=lambda: found.append(content("here/fifo")))
                thread.start()
                writer("here/fifo")
                # Where it was replaced, it is gone,
                # and nobody ends the reading.
                self.assertTrue(stat.S_ISFIFO(os.stat("here/fifo").st_mode))
                thread.join(support.LONG_TIMEOUT)
                self.assertGreater(len(found[0]), 4)
                self.assertEqual(os.listdir("here"), ["fifo"])

    @unittest.skipUnless(hasattr(os, "mkfifo"), "needs FIFOs")
    def test_a_file_that_takes_the_place_of_a_fifo_is_left_alone(self):
        def replace(target):
            with open("here/new", "w") as stream:
                stream.write("of somebody else")
            os.replace("here/new", target)

        os.mkfifo("here/fifo")
        with (mock.patch.object(_writing, "tell_wait", replace),
              self.assertRaisesRegex(FileExistsError, "place of the pipe")):
            _writing.write_file("here/fifo", lambda stream: stream.write(b"x"))
        self.assertEqual(content("here/fifo"), b"of somebody else")

    @unittest.skipUnless(hasattr(os, "mknod"), "needs os.mknod()")
    def test_a_device_is_written_to(self):
        for writer in WRITERS:
            with self.fresh(writer):
                try:
                    os.mknod("here/null", stat.S_IFCHR | 0o666,
                             os.stat(os.devnull).st_rdev)
                    content("here/null")
                except OSError:
                    self.skipTest("devices cannot be made here")
                writer("here/null")
                self.assertTrue(stat.S_ISCHR(os.stat("here/null").st_mode))
                self.assertEqual(os.listdir("here"), ["null"])

    @unittest.skipUnless(os.path.exists("/proc/self/fd/1"), "needs /proc")
    def test_standard_output_by_its_name(self):
        dump_compact("a.tmz")
        # As /dev/stdout is.
        os.symlink("/proc/self/fd/1", "here/stdout")
        process = self.start("export", "-f", "collapsed", "-o", "here/stdout",
                             "a.tmz")
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        self.assertEqual(process.stdout, "a.py:1 7\n")

    def test_a_file_is_copied_over_where_no_other_can_be_made_beside(self):
        with mock.patch.object(_writing, "_open_beside", return_value=None):
            for writer in WRITERS:
                with self.fresh(writer):
                    self.write("here/old", "good" * 10_000)
                    before = os.stat("here/old").st_ino
                    writer("here/old")
                    self.assertEqual(os.stat("here/old").st_ino, before)
                    self.assertLess(os.path.getsize("here/old"), 40_000)
            # It is touched when there is all of the new.
            self.write("here/old", "good")
            unpicklable = tracemalloc.Snapshot([], 1)
            unpicklable.note = lambda: None
            with self.assertRaises(Exception):
                unpicklable.dump("here/old")
            self.assertEqual(content("here/old"), b"good")

    def test_what_is_mounted_is_copied_over(self):
        # As rename() says where a container has a single file mounted.
        busy = OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        with mock.patch.object(os, "replace", side_effect=busy):
            for writer in WRITERS:
                with self.fresh(writer):
                    self.write("here/old", "good" * 10_000)
                    before = os.stat("here/old").st_ino
                    writer("here/old")
                    self.assertEqual(os.stat("here/old").st_ino, before)
                    self.assertLess(os.path.getsize("here/old"), 40_000)
                    self.assertEqual(os.listdir("here"), ["old"])

    def test_what_is_mounted_in_a_folder_that_cannot_be_written_to(self):
        # As containers have it that are read-only, without a folder for
        # temporary files.
        def refuse(name, flags, *arguments, **options):
            if flags & os.O_CREAT or "new" not in os.fsdecode(name):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return real(name, flags, *arguments, **options)

        real = os.open
        self.write("here/new", "good")
        before = os.stat("here/new").st_ino
        for folder in (contextlib.nullcontext(), mock.patch(
                "tempfile.TemporaryFile", side_effect=FileNotFoundError)):
            with folder, mock.patch.object(os, "open", refuse):
                _writing.write_file("here/new",
                                    lambda stream: stream.write(b"better"))
                with self.assertRaises(OSError) as caught:
                    _writing.write_file("here/other", bytes)
            self.assertEqual(caught.exception.errno, errno.EROFS)
            self.assertEqual(content("here/new"), b"better")
            self.assertEqual(os.stat("here/new").st_ino, before)
            self.assertEqual(os.listdir("here"), ["new"])

    def test_what_may_be_written_to_and_not_replaced(self):
        # As rename() says of the file of another user in a sticky folder.
        refused = OSError(errno.EPERM, os.strerror(errno.EPERM))
        self.write("here/old", "good" * 100)
        before = os.stat("here/old").st_ino
        with mock.patch.object(os, "replace", side_effect=refused):
            _writing.write_file("here/old",
                                lambda stream: stream.write(b"better"))
        self.assertEqual(content("here/old"), b"better")
        self.assertEqual(os.stat("here/old").st_ino, before)
        self.assertEqual(os.listdir("here"), ["old"])

    @os_helper.skip_unless_symlink
    def test_nothing_that_takes_the_place_of_a_file_is_copied_over(self):
        def trap(name, target):
            os.unlink(target)
            trapped(target)
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        def file(target):
            self.write(target, "theirs")
            os.chmod(target, 0o666)

        sticky = mock.patch.object(
            _writing, "check_owner", lambda path, status:
            real(path, SimpleNamespace(st_mode=status.st_mode,
                                       st_uid=status.st_uid + 1)))
        real = _writing.check_owner
        self.write("mine", "mine")
        os.mkdir("sticky")
        os.chmod("sticky", 0o1777)
        for trapped, way in (
                (lambda target: os.symlink("../mine", target),
                 contextlib.nullcontext()),
                (file, sticky)):
            self.write("sticky/file", "good")
            with mock.patch.object(os, "replace", trap):
                def write(stream):
                    stream.write(b"secret")
                    self.enterContext(way)

                with self.assertRaises(OSError):
                    _writing.write_file("sticky/file", write)
            self.assertIn(content("sticky/file"), (b"mine", b"theirs"))
            self.assertEqual(os.listdir("sticky"), ["file"])
            os.unlink("sticky/file")

    @unittest.skipUnless(hasattr(os, "posix_fallocate"),
                         "needs os.posix_fallocate()")
    def test_nothing_is_copied_over_where_there_is_no_room(self):
        def grow(descriptor, offset, length):
            os.ftruncate(descriptor, offset + length - 1)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.write("here/old", "good")
        with (mock.patch.object(_writing, "_open_beside", return_value=None),
              mock.patch.object(os, "posix_fallocate", grow)):
            for writer in WRITERS[:3]:
                with (self.subTest(writer=writer.__name__),
                      self.assertRaises(OSError)):
                    writer("here/old")
                self.assertEqual(content("here/old"), b"good")
        cannot = mock.patch.object(os, "posix_fallocate",
                                   side_effect=OSError(errno.EOPNOTSUPP,
                                                       "cannot tell"))
        with (mock.patch.object(_writing, "_open_beside", return_value=None),
              cannot):
            dump("here/old")
        tracemalloc.Snapshot.load("here/old")

    @unittest.skipUnless(hasattr(os, "fsync"), "needs os.fsync()")
    def test_the_old_file_stays_when_the_disk_fails(self):
        for writer in WRITERS[:3]:
            with self.fresh(writer):
                self.write("here/old", "good")
                failing = OSError(errno.EIO, os.strerror(errno.EIO))
                with (mock.patch.object(os, "fsync", side_effect=failing),
                      self.assertRaises(OSError)):
                    writer("here/old")
                self.assertEqual(content("here/old"), b"good")
                self.assertEqual(os.listdir("here"), ["old"])

    def test_an_error_names_the_file_that_was_asked_for(self):
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "another")
        for writer in WRITERS[:3]:
            with (self.fresh(writer),
                  mock.patch.object(os, "open", side_effect=full),
                  self.assertRaises(OSError) as caught):
                writer("here/new")
            self.assertEqual(caught.exception.filename, "here/new")

    @unittest.skipUnless(os.path.exists("/proc/self/cwd"), "needs /proc")
    def test_names_through_what_a_process_has_open(self):
        descriptor = os.open("here", os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        for writer in WRITERS:
            for start in ("/proc/self/cwd/here", f"/proc/self/fd/{descriptor}",
                          f"/proc/self/fd/{descriptor}/../here",
                          f"/proc/self/root{os.getcwd()}/here"):
                with self.fresh(writer):
                    writer(f"{start}/new")
                    self.assertEqual(os.listdir("here"), ["new"])
                    writer(f"{start}/new")
                    self.assertEqual(os.listdir("here"), ["new"])

    @unittest.skipUnless(os.name == "posix", "lengths of names as in POSIX")
    def test_a_folder_whose_whole_name_cannot_be_used(self):
        name = "d" * 200
        for _ in range(25):
            os.mkdir(name)
            os.chdir(name)
        try:
            for writer in WRITERS[:3]:
                for target in "new", "./new", "../new", f"../{name}/new":
                    with self.subTest(writer=writer.__name__, target=target):
                        writer(target)
                        self.assertGreater(os.path.getsize(target), 0)
        finally:
            for _ in range(25):
                os.chdir("..")

    def test_names_that_are_none(self):
        for name in ("", "here", "here/", "a.tmz/x", "here/no/x", "x/",
                     "here/..", "."):
            with self.subTest(name=name), self.assertRaises(OSError):
                dump(name)
        with self.assertRaises(ValueError):
            dump("a\0b")
        self.assertIn("null",
                      self.fails("export", "--json", "-o", "a\0b", "a.tmz"))


@unittest.skipUnless(hasattr(os, "geteuid") and os.geteuid() == 0,
                     "only root can give files")
class RightsTests(CommandTests):
    """Nobody may read the new file who could not read the old one."""

    def test_a_group_that_cannot_be_given(self):
        def refuse(*arguments):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        for mode, expected in ((0o640, 0o600), (0o664, 0o644), (0o6751, 0o711),
                               (0o600, 0o600)):
            for writer in WRITERS:
                with self.subTest(mode=oct(mode), writer=writer.__name__):
                    os_helper.create_empty_file("old")
                    os.chown("old", 12345, 54321)
                    os.chmod("old", mode)
                    with mock.patch.object(os, "fchown", refuse):
                        writer("old")
                    self.assertEqual(oct(stat.S_IMODE(os.stat("old").st_mode)),
                                     oct(expected))
                os.unlink("old")

    def test_a_group_that_can_be_given_without_the_owner(self):
        real = os.fchown

        def refuse(descriptor, owner, group):
            if owner != -1:
                raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
            real(descriptor, owner, group)

        os_helper.create_empty_file("old")
        os.chown("old", 12345, 54321)
        os.chmod("old", 0o6750)
        with mock.patch.object(os, "fchown", refuse):
            dump("old")
        status = os.stat("old")
        self.assertEqual((status.st_uid,
                          status.st_gid, oct(stat.S_IMODE(status.st_mode))),
                         (0, 54321, oct(0o2750)))

    @unittest.skipUnless(hasattr(os, "setxattr"), "needs os.setxattr()")
    def test_lists_of_who_may_what(self):
        def entries(*found):
            # As <linux/posix_acl_xattr.h> has it: tag, rights, user.
            return struct.pack("<I", 2) + b"".join(
                struct.pack("<HHI", tag, rights, user)
                for tag, rights, user in found)

        nobody = 0xFFFFFFFF
        # The group has no rights; its bits of the mode are those of user 777.
        rights = entries((1, 6, nobody), (2, 4, 777), (4, 0, nobody),
                         (16, 4, nobody), (32, 0, nobody))
        for writer in WRITERS:
            with self.subTest(writer=writer.__name__):
                os_helper.create_empty_file("old")
                try:
                    os.setxattr("old", "system.posix_acl_access", rights)
                except OSError:
                    self.skipTest("the file system has none")
                writer("old")
                self.assertEqual(os.getxattr("old", "system.posix_acl_access"),
                                 rights)
                # Where the list cannot be kept, the group gets nothing.
                with mock.patch.object(os, "setxattr",
                                       side_effect=OSError(errno.EPERM, "no")):
                    writer("old")
                self.assertEqual(stat.S_IMODE(os.stat("old").st_mode), 0o600)
            os.unlink("old")
        # What new files get by themselves is not for those that replace one.
        os.mkdir("folder")
        self.write("folder/old", "")
        os.chmod("folder/old", 0o640)
        os.setxattr("folder", "system.posix_acl_default", rights)
        dump("folder/old")
        dump("folder/new")
        self.assertIn("system.posix_acl_access", os.listxattr("folder/new"))
        self.assertNotIn("system.posix_acl_access", os.listxattr("folder/old"))


class UmaskTests(unittest.TestCase):

    @unittest.skipUnless(os.name == "posix", "modes of POSIX")
    def test_the_mask_is_found_and_stays(self):
        for mask in 0o022, 0o077, 0, 0o027:
            with os_helper.temp_umask(mask):
                self.assertEqual(_writing._umask(), mask)
                with mock.patch("builtins.open",
                                side_effect=FileNotFoundError):
                    self.assertEqual(_writing._umask(), mask)
                self.assertEqual(_writing._umask(), mask)


@unittest.skipUnless(hasattr(os, "geteuid"), "needs users")
class TrapTests(CommandTests):
    """What others have put where everybody may."""

    def setUp(self):
        super().setUp()
        os.mkdir("sticky")
        os.chmod("sticky", 0o1777)

    @unittest.skipUnless(hasattr(os, "geteuid") and os.geteuid() == 0,
                         "only root can give files")
    def test_links_and_files_of_others_are_refused(self):
        os.mkdir("mine")
        os.mkdir("sticky/folder")
        os.symlink("../mine/file", "sticky/link")
        os.symlink("../mine", "sticky/to_folder")
        self.write("sticky/file", "theirs")
        for name in "link", "to_folder", "file":
            os.lchown(f"sticky/{name}", 12345, 12345)
        for writer in WRITERS:
            for name, what in (("link", "link"), ("to_folder/x", "link"),
                               ("file", "file")):
                with self.subTest(writer=writer.__name__, name=name):
                    if writer is export:
                        self.assertIn(f"the {what} belongs to another user",
                                      self.fails(
                                          "export", "--json", "-o",
                                          f"sticky/{name}", "a.tmz"))
                        continue
                    with self.assertRaisesRegex(
                            PermissionError,
                            f"{what} belongs to another user, in a folder"):
                        writer(f"sticky/{name}")
        self.assertEqual(os.listdir("mine"), [])
        self.assertEqual(content("sticky/file"), b"theirs")
        # What is mine is no trap, nor what the folder's owner has made.
        for owner, folder in (0, 54321), (12345, 12345):
            os.lchown("sticky/link", owner, owner)
            os.chown("sticky", folder, folder)
            dump("sticky/link")
        self.assertEqual(os.listdir("mine"), ["file"])
        # In other folders everybody who may make a file is trusted.
        os.lchown("sticky/link", 12345, 12345)
        os.chown("sticky", 0, 0)
        for mode in 0o777, 0o1775:
            os.chmod("sticky", mode)
            dump("sticky/link")

    def test_who_is_trusted(self):
        for mode, folder_owner, owner, refused in [
                (0o41777, 0, 1000, False), (0o41777, 0, 1001, True),
                (0o41777, 0, 0, False),
                (0o41777, 1001, 1001, False), (0o40777, 0, 1001, False),
                (0o41775, 0, 1001, False), (0o40700, 0, 1001, False)]:
            for kind in stat.S_IFLNK, stat.S_IFREG, stat.S_IFIFO:
                folder = SimpleNamespace(st_mode=mode, st_uid=folder_owner)
                status = SimpleNamespace(st_mode=kind | 0o777, st_uid=owner)
                with (self.subTest(mode=oct(mode), folder=folder_owner,
                                   owner=owner),
                      mock.patch.object(os, "stat", return_value=folder),
                      mock.patch.object(os, "geteuid", return_value=1000),
                      self.assertRaises(PermissionError) if refused
                      else contextlib.nullcontext()):
                    _writing.check_owner("/folder/name", status)


if __name__ == "__main__":
    unittest.main()
