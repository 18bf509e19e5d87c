"""Programs that keep a record, and what their records tell."""
import os
import subprocess
import sys
import textwrap
import unittest
from binascii import crc32
from test import support
from test.support import os_helper
from unittest import mock

from tracemalloc import SnapshotFormatError
from tracemalloc._record import layout, places, reader

# What the programs begin with.
PRELUDE = """\
import _tracemalloc, gc, os, sys, tracemalloc
"""


def environment(**variables):
    env = {key: value for key, value in os.environ.items()
           if not key.startswith(("PYTHONTRACEMALLOC", "XDG_RUNTIME_DIR",
                                  "TMPDIR"))}
    return env | variables


class Records(unittest.TestCase):
    """Base: a folder for records, and programs that write some there."""

    def setUp(self):
        self.folder = os.path.realpath(self.enterContext(
            os_helper.temp_dir()))
        # Processes are looked for by their numbers, which those of records
        # that lie in the user's own folder may have had.
        self.enterContext(mock.patch.dict(os.environ,
                                          XDG_RUNTIME_DIR=self.folder))

    def run_program(self, source, *arguments, options="25,record={}", status=0,
                    place=None, env=None, **kwargs):
        """Run a program; return what it printed and the process."""
        option = options.format(self.folder if place is None else place)
        command = [sys.executable, "-X", f"tracemalloc={option}", "-c",
                   PRELUDE + textwrap.dedent(source), *arguments]
        process = subprocess.run(
            command, env=environment() if env is None else env,
            capture_output=True, text=True, timeout=support.LONG_TIMEOUT,
            **kwargs)
        if status is not None:
            self.assertEqual((process.returncode, process.stderr),
                             (status, ""))
        return process

    def start_program(self, source, **kwargs):
        """Start a program that is killed at the end of the test.

        It is given back when it has printed a line.
        """
        option = f"tracemalloc=25,record={self.folder}"
        command = [sys.executable, "-X", option, "-c",
                   PRELUDE + textwrap.dedent(source)]
        process = subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE,
            stdin=subprocess.PIPE, text=True, **kwargs)

        def end():
            process.kill()
            process.communicate()

        self.addCleanup(end)
        self.assertTrue(process.stdout.readline())
        return process

    def mount(self, size):
        """Let the folder be a file system of its own, of *size*."""
        if not hasattr(os, "geteuid") or os.geteuid():
            self.skipTest("needs to mount")
        try:
            mounted = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size}", "none",
                 self.folder], capture_output=True)
        except FileNotFoundError:
            self.skipTest("needs mount")
        if mounted.returncode:
            self.skipTest("no tmpfs can be mounted")
        self.addCleanup(subprocess.run, ["umount", self.folder], check=True)

    def records(self, folder=None):
        """Return the Pictures in a folder, the oldest first."""
        found = map(reader.read, places.list_folder(folder or self.folder))
        return sorted(found, key=lambda picture: picture.started)

    def record(self, folder=None):
        """Return the only Picture in a folder, after it was checked."""
        picture, = self.records(folder)
        self.check(picture)
        return picture

    def check(self, picture):
        """Compare the totals of a Picture with the sums over contexts."""
        data = picture.snapshot().traces._data
        sizes, counts = data.live()
        if picture.sample_interval is None:
            self.assertEqual(sum(sizes) + picture.lost_bytes, picture.current)
            self.assertEqual(
                sum(data.context_peak_bytes)
                + picture._checkpoint.lost_peak_bytes, picture.peak)
        self.assertEqual(sum(counts) + picture.lost_blocks, picture.blocks)
        self.assertEqual(
            sum(map(int.__mul__, data.row_size, data.row_count)), sum(sizes))
        self.assertLessEqual(picture.current, picture.peak)


def repair(data):
    """Make the checksums of a damaged record right again, as far as they lie.

    So what is damaged is read, and not refused at once.
    """
    data = bytearray(data)
    pages = len(data) // layout.PAGE

    def check_of(number):
        at = number * layout.PAGE
        return crc32(data[at:at + layout.PAGE])

    def repair_places(at, count, limit):
        """Repair places; return the pages."""
        found = []
        for place in range(at, min(at + count * layout.PLACE.size, limit),
                           layout.PLACE.size):
            page, _ = layout.PLACE.unpack_from(data, place)
            if 2 < page < pages:
                layout.PLACE.pack_into(data, place, page, check_of(page))
                found.append(page)
        return found

    for number in 1, 2:
        at = number * layout.PAGE
        if len(data) < at + layout.PAGE:
            continue
        count, _ = layout.LIST_SIZE.unpack_from(data, at + layout.LIST_AT)
        begin = at + layout.LIST_AT + layout.LIST_SIZE.size
        lists, end = [], at + layout.CHECKED
        for page in repair_places(begin, min(count, 1000), end):
            lists.append(page)
        # Lists first, then those that name them.
        for page in lists:
            repair_places(page * layout.PAGE, layout.PER_LIST,
                          (page + 1) * layout.PAGE)
        repair_places(begin, min(count, 1000), end)
    for number in 0, 1, 2:
        end = number * layout.PAGE + layout.CHECKED
        if len(data) >= end + 4:
            layout.CRC.pack_into(data, end, crc32(
                data[end - layout.CHECKED:end]))
    return bytes(data)


def change(data, rng):
    """Return a record of which some bytes are others."""
    data = bytearray(data)
    pages = len(data) // layout.PAGE
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        # The head and the checkpoints are where most is decided.
        page = rng.choice((0, 1, 2, *(rng.randrange(pages),) * 4))
        at = page * layout.PAGE
        within = rng.choice((rng.randrange(layout.PAGE),
                             rng.randrange(0, 400)))
        kind = rng.randrange(4)
        if kind == 0:
            data[at + within] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at + within] = rng.choice((0, 1, 127, 128, 255))
        elif kind == 2:
            within &= ~3
            data[at + within:at + within + 4] = rng.choice((
                0, 1, pages, 2 ** 31, 2 ** 32 - 1,
                rng.randrange(1 << 16))).to_bytes(4, "little")
        else:
            other = rng.randrange(pages) * layout.PAGE
            size = rng.choice((4, 12, 28, 48, layout.PAGE))
            data[at:at + size] = data[other:other + size]
    if rng.random() < 0.05:
        del data[rng.randrange(len(data)):]
    return bytes(data)


def try_record(path):
    """Read a record, and ask for all that is in it: whether it could be.

    Raises whatever else comes of it.
    """
    try:
        picture = reader.read(path)
        snapshot = picture.snapshot()
    except SnapshotFormatError as error:
        if "\n" in str(error):
            raise AssertionError(f"not one line: {error}") from None
        return False
    list(picture.timeline)
    for key in ("lineno", "traceback", "function", "thread", "account",
                "domain"):
        for stat in snapshot.statistics(key)[:20]:
            str(stat)
    snapshot.statistics("lineno", cumulative=True)
    return True
