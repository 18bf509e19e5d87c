"""Programs that keep a record, and what their records tell."""
import os
import subprocess
import sys
import textwrap
import unittest
from test import support
from test.support import os_helper

from tracemalloc._record import places, reader

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
        command = [sys.executable, "-X", f"tracemalloc=25,record={self.folder}",
                   "-c", PRELUDE + textwrap.dedent(source)]
        process = subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE,
            stdin=subprocess.PIPE, text=True, **kwargs)

        def end():
            process.kill()
            process.communicate()

        self.addCleanup(end)
        self.assertTrue(process.stdout.readline())
        return process

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
