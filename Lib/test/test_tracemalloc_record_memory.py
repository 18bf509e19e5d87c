"""Records of processes that end because memory is short.

OOM_KILLS in the environment is how often the kernel is made to kill, and how
often an allocation fails; `make test-kills` does each 100 times.
"""
import contextlib
import io
import os
import random
import signal
import subprocess
import sys
import unittest
from test.support import (LONG_TIMEOUT, check_sanitizer, import_helper,
                          sleeping_retry)
from test.tracemalloc_records import PRELUDE, Records, environment

import_helper.import_module("_tracemalloc")

from tracemalloc import _cli

OOM_KILLS = int(os.environ.get("OOM_KILLS", 1))
MIB = 1 << 20

# Allocates in threads and forks, until it cannot.  All that it is told is a
# seed, and how many processes there may be.
GROW = """
import random, threading, warnings
warnings.simplefilter("ignore")
seed, processes = map(int, sys.argv[1:3])
turns = random.Random(seed).randrange(100, 300)

def deep(depth, numbers):
    if depth:
        return deep(depth - 1, numbers)
    return [str(number) * 3 for number in numbers]

def grow(seed):
    rng = random.Random(seed)
    kept = []
    for turn in range(1 << 40):
        kept.append(deep(rng.randrange(30), range(rng.randrange(300))))
        if turn % 10 == 0:
            kept.append(bytearray(rng.randrange(1 << 17)))
        if turn % 100 == 0:
            kept.append(compile("a = [1.5]", f"file {turn}", "exec"))
            temporary = [bytes(1000) for _ in range(100)]

def begin():
    threads = [threading.Thread(target=guarded, args=(seed + number,))
               for number in range(2)]
    for thread in threads:
        thread.start()
    kept = [deep(turn % 30, range(100)) for turn in range(turns)]
    global processes
    processes -= 1
    if processes and not os.fork():
        begin()
    guarded(seed + 7)
"""
KILLED = GROW + """
guarded = grow
begin()
"""
ABORTING = GROW + """
import resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

def guarded(seed):
    try:
        grow(seed)
    except MemoryError:
        os.abort()

with open("/proc/self/statm") as stream:
    size = int(stream.read().split()[0]) * resource.getpagesize()
# A thread needs a stack, and room for an allocator of its own.
size += int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_AS, (size, size))
begin()
"""


class MemoryGroup:
    """A control group for memory, of either version of them.

    OSError, or LookupError if there are none: the reason not to go on.
    """

    def __init__(self):
        self.folder = None
        faults = []
        for parent, self.is_old in self._parents():
            folder = os.path.join(parent, f"tracemalloc-{os.getpid()}")
            try:
                os.mkdir(folder)
            except OSError as error:
                faults.append(f"{parent}: {error.strerror}")
                continue
            if os.path.exists(os.path.join(folder, self._limit_name)):
                self.folder = folder
                return
            os.rmdir(folder)
            faults.append(f"{parent}: no limit for memory there")
        raise LookupError("; ".join(faults) or "no control groups")

    @staticmethod
    def _parents():
        """Yield (folder, whether it is of version 1), the likeliest first."""
        own = {}
        with open("/proc/self/cgroup", encoding="utf-8") as stream:
            for line in stream:
                _, names, path = line.rstrip("\n").split(":", 2)
                for name in names.split(","):
                    own[name] = path.lstrip("/")
        with open("/proc/self/mounts", encoding="utf-8") as stream:
            for line in stream:
                _, point, kind, flags, *_ = line.split()
                if kind == "cgroup" and "memory" in flags.split(","):
                    key, is_old = "memory", True
                elif kind == "cgroup2":
                    key, is_old = "", False
                else:
                    continue
                for folder in os.path.join(point, own.get(key, "")), point:
                    if os.path.isdir(folder):
                        yield folder, is_old

    @property
    def _limit_name(self):
        return "memory.limit_in_bytes" if self.is_old else "memory.max"

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as stream:
            stream.write(str(text))

    def limit(self, size):
        # What goes to a swap is not short.  The limit for both together may
        # never be the lower one.
        for name, number in (("memory.memsw.limit_in_bytes", -1),
                             (self._limit_name, size),
                             ("memory.memsw.limit_in_bytes", size),
                             ("memory.swap.max", 0)):
            if os.path.exists(self.path(name)):
                self.write(name, number)

    def kills(self):
        """Return how many processes the kernel has killed in it."""
        name = "memory.oom_control" if self.is_old else "memory.events"
        with open(self.path(name), encoding="ascii") as stream:
            return dict(map(str.split, stream)).get("oom_kill")

    def processes(self):
        with open(self.path("cgroup.procs"), encoding="ascii") as stream:
            return [int(line) for line in stream]

    def close(self):
        for _ in sleeping_retry(LONG_TIMEOUT, error=False):
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            try:
                os.rmdir(self.folder)
            except OSError:
                continue
            break


def printed(*arguments):
    """Return what a command prints, with its notes."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        _cli._main(list(arguments))
    return out.getvalue()


@unittest.skipUnless(sys.platform == "linux", "needs Linux")
@unittest.skipIf(check_sanitizer(address=True),
                 "the sanitizer takes terabytes of address space")
class ShortMemoryTests(Records):

    def run_until_it_ends(self, source, *arguments, before=()):
        """Run a program without patience for its children; its status."""
        process = subprocess.Popen(
            [*before, sys.executable, "-X",
             f"tracemalloc=25,record={self.folder}", "-c", PRELUDE + source,
             *map(str, arguments)],
            env=environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True)
        try:
            # Its children have the stream too: so all have ended.
            _, said = process.communicate(timeout=LONG_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        return process.returncode, said

    def check_ends(self, least_peak):
        """Check all records; return them, and remove their files."""
        found = self.records()
        for picture in found:
            self.check(picture)
            self.assertEqual(picture.state, "gone")
        largest = max(found, key=lambda picture: picture.peak)
        self.assertGreater(largest.peak, least_peak)
        listed = printed("ps", self.folder)
        for picture in found:
            self.assertRegex(listed, rf"(?m)^ *{picture.pid} +gone ")
        shown = printed("top", largest.path)
        self.assertIn(f"process {largest.pid} is gone (killed, crashed, "
                      "exec); figures of 20", shown)
        self.assertIn("deep()", shown)
        for picture in found:
            os.unlink(picture.path)
        for name in os.listdir(self.folder):
            # One that was being made.
            self.assertTrue(name.startswith(".tracemalloc-"), name)
            os.unlink(os.path.join(self.folder, name))
        return found

    def test_killed_by_the_kernel_when_memory_is_short(self):
        try:
            group = MemoryGroup()
        except (OSError, LookupError) as reason:
            self.skipTest(f"no control group for memory: {reason}")
        self.addCleanup(group.close)
        rng, read, killed = random.Random(), 0, 0
        for number in range(OOM_KILLS):
            size = rng.randrange(64, 128) * MIB
            seed, processes = rng.randrange(1 << 30), rng.randrange(1, 4)
            group.limit(size)
            with self.subTest(size=size, seed=seed, processes=processes):
                # Who is killed first is the kernel's choice; the last one
                # has all memory for itself.
                status, said = self.run_until_it_ends(
                    KILLED, seed, processes, before=(
                        "sh", "-c", 'echo $$ >"$0" && exec "$@"',
                        group.path("cgroup.procs")))
                self.assertEqual((status, said), (-signal.SIGKILL, ""))
                found = self.check_ends(size // 4)
                read += len(found)
                if group.kills() is None:
                    killed += len(found)
                    continue
                # Who is killed early has not begun all of them.
                before, killed = killed, int(group.kills())
                self.assertLessEqual(len(found), killed - before)
                self.assertLessEqual(killed - before, processes)
            if number % 10 == 9:
                print(f"{killed} killed for want of memory, {read} records",
                      flush=True)

    def test_aborts_when_memory_is_short(self):
        import_helper.import_module("resource")
        rng, read = random.Random(), 0
        for number in range(OOM_KILLS):
            size = rng.randrange(200, 300) * MIB
            seed, processes = rng.randrange(1 << 30), rng.randrange(1, 4)
            with self.subTest(size=size, seed=seed, processes=processes):
                status, said = self.run_until_it_ends(
                    ABORTING, seed, processes, size)
                self.assertEqual(status, -signal.SIGABRT, said)
                read += len(self.check_ends(10 * MIB))
            if number % 10 == 9:
                print(f"{number + 1} aborted, {read} records", flush=True)


if __name__ == "__main__":
    unittest.main()
