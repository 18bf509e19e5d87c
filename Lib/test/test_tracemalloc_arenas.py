"""Arenas of pymalloc lie side by side, reserve nothing,
and are told from others.

Runs in child processes, which fill memory, limit it, or change allocators.
"""
import os
import subprocess
import sys
import sysconfig
import textwrap
import unittest
from test.support import (LONG_TIMEOUT, Py_GIL_DISABLED, SuppressCrashReport,
                          check_sanitizer)
from test.support import import_helper

import_helper.import_module("ctypes")
import_helper.import_module("_testinternalcapi")

# What the children begin with.
PRELUDE = r"""
import ctypes, os, resource, sys, tempfile, tracemalloc
from _testinternalcapi import _PyTraceMalloc_GetTraceback

MIB = 1 << 20
PAGE = resource.getpagesize()
FIRST, LAST = 0x3000 << 32, 0x5000 << 32    # where windows can begin
PER_ARENA = 36 * 64                         # blocks of 448 bytes in 64 pools

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                      ctypes.c_int, ctypes.c_long]

def areas():
    # What is mapped where windows can lie, neighbours in one: (start, end).
    found = []
    with open("/proc/self/maps") as stream:
        for line in stream:
            start, end = (int(word, 16) for word in line.split()[0].split("-"))
            if FIRST <= start < LAST:
                if found and found[-1][1] == start:
                    start = found.pop()[0]
                found.append((start, end))
    return found

def arenas():
    # How many there are: in all, and in the window.
    with tempfile.TemporaryFile() as stream:
        saved = os.dup(2)
        os.dup2(stream.fileno(), 2)
        sys._debugmallocstats()
        os.dup2(saved, 2)
        os.close(saved)
        stream.seek(0)
        lines = dict(line.split("=") for line in stream.read().decode().splitlines()
                     if line.startswith("# arenas"))
    numbers = {name.strip(): int(text.replace(",", "")) for name, text in lines.items()}
    return numbers["# arenas allocated current"], numbers["# arenas in the window"]

def look():
    # The areas, and how many arenas there are at that moment: to ask may take
    # another one.
    while True:
        before, found, after = arenas(), areas(), arenas()
        if before == after:
            return found, *after

def fill(count):
    # Blocks for so many arenas, in the order of their arenas.
    return [[b"%415d" % number for number in range(PER_ARENA)] for _ in range(count)]

def check(rows):
    for row in rows:
        for number, block in enumerate(row):
            assert int(block) == number and len(block) == 415, (number, block)

def occupy(address, size):
    # Be somebody else who has mapped memory there.
    fixed_noreplace = 0x100000
    got = libc.mmap(address, size, 3, 0x22 | fixed_noreplace, -1, 0)
    assert got == address, (got, address, ctypes.get_errno())
    ctypes.memset(got, 0xff, size)
    return address, address + size

def check_foreign(start, end):
    data = ctypes.string_at(start, end - start)
    assert data.count(b"\xff") == len(data)

def within(block, start, end):
    return start <= id(block) < end

def address_space():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[0]) * PAGE
"""


@unittest.skipUnless(
    sys.platform == "linux" and os.uname().machine in ("x86_64", "aarch64"),
    "arenas are placed on Linux, on two kinds of machine")
@unittest.skipUnless(sysconfig.get_config_var("WITH_PYMALLOC"),
                     "needs pymalloc")
@unittest.skipIf(Py_GIL_DISABLED, "free-threaded builds do not use pymalloc")
@unittest.skipIf(check_sanitizer(memory=True, thread=True),
                 "these sanitizers want to know every address")
class ArenaTests(unittest.TestCase):

    def child(self, code, **variables):
        """What it prints; it may print nothing on stderr."""
        env = {name: value for name, value in os.environ.items()
               if name not in ("PYTHONTRACEMALLOC", "PYTHONMALLOC",
                               "PYTHONMALLOCSTATS")}
        env.update(variables)
        with SuppressCrashReport():
            process = subprocess.run(
                [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
                env=env, capture_output=True, text=True, timeout=LONG_TIMEOUT)
        self.assertEqual((process.returncode, process.stderr[-4000:]), (0, ""))
        return process.stdout

    def test_arenas_lie_side_by_side(self):
        self.child("""
            rows = fill(30)
            ((start, end),), total, in_window = look()
            assert start % MIB == 0
            assert all(within(block, start, end) for row in rows for block in row)
            assert total == in_window == (end - start) // MIB, (total, in_window)
            assert total > 30
            check(rows)
            """)

    def test_every_process_has_another_window(self):
        with open("/proc/sys/kernel/randomize_va_space") as stream:
            randomized = int(stream.read())
        with open("/proc/self/personality") as stream:
            randomized = randomized and not int(stream.read(), 16) & 0x0040000
        starts = {self.child("print(areas()[0][0])") for _ in range(4)}
        if randomized:
            # Four of 2**25 places are all the same one with a probability of
            # 2**-75; that two of them are is too likely, 2e-7, to be taken for
            # a fault.
            self.assertGreater(len(starts), 1)
        else:
            self.assertEqual(len(starts), 1)

    def test_no_window_without_pymalloc(self):
        self.child("""
            kept = [bytes(400) for _ in range(10_000)]
            assert areas() == []
            """, PYTHONMALLOC="malloc")

    def test_under_the_debug_hooks(self):
        self.child("""
            rows = fill(10)
            (start, end), = areas()
            assert all(within(block, start, end) for row in rows for block in row)
            del rows[2:8]
            check(rows)
            rows += fill(10)
            check(rows)
            """, PYTHONMALLOC="debug")

    def test_what_is_freed_goes_back_to_the_kernel(self):
        self.child("""
            rows = fill(40)
            ((start, end),), count, _ = look()
            before = address_space()
            del rows[10:30]
            # What malloc() takes for those who ask is there already.
            after = address_space()
            left, total, in_window = look()
            freed = count - total
            assert freed >= 15, freed
            assert before - after >= freed * MIB
            assert sum(stop - begin for begin, stop in left) == (end - start) - freed * MIB
            assert total == in_window
            # Holes are filled first.
            rows += fill(freed)
            assert areas()[0][0] == start and areas()[-1][1] <= end + 2 * MIB, (areas(), end)
            check(rows)
            """)

    def test_holes_are_nobodys(self):
        # The tracer asks pymalloc whose an address is; with a wrong answer it
        # would read what is not mapped.
        self.child("""
            tracemalloc.start()
            rows = fill(40)
            assert _PyTraceMalloc_GetTraceback(0, id(rows[5][5])) is not None
            del rows[10:30]
            gaps = [(end, start) for (_, end), (start, _) in zip(areas(), areas()[1:])]
            assert sum(end - start for start, end in gaps) >= 15 * MIB, gaps
            outside = areas()[-1][1]
            for start, end in gaps + [(outside, outside + 2 * MIB)]:
                for address in range(start, end, PAGE):
                    assert _PyTraceMalloc_GetTraceback(0, address) is None
            # Neither are they when somebody else is there.
            hole = max(gaps, key=lambda gap: gap[1] - gap[0])
            foreign = occupy(hole[0] + MIB, 2 * MIB)
            for address in range(*foreign, 512):
                assert _PyTraceMalloc_GetTraceback(0, address) is None
            rows += fill(30)
            assert not any(within(block, *foreign) for row in rows for block in row)
            check_foreign(*foreign)
            check(rows)
            """)

    def test_passes_over_what_is_taken(self):
        self.child("""
            rows = fill(3)
            end = areas()[-1][1]
            foreign = occupy(end + MIB + PAGE, 3 * MIB)
            rows += fill(20)
            total, in_window = arenas()
            assert total == in_window
            assert not any(within(block, *foreign) for row in rows for block in row)
            assert any(id(block) >= foreign[1] for block in rows[-1])
            check_foreign(*foreign)
            check(rows)
            """)

    def test_strays_are_arenas_like_others(self):
        # So much is taken that the next arenas go elsewhere, for a while.
        self.child("""
            def strays(rows):
                return [block for row in rows for block in row
                        if not FIRST <= id(block) < LAST]

            rows = fill(3)
            foreign = occupy(areas()[-1][1], 64 * MIB)
            rows += fill(20)
            total, in_window = arenas()
            assert total - in_window == 64 // 16, (total, in_window)
            assert 3 * PER_ARENA < len(strays(rows)) <= 4 * PER_ARENA
            assert any(id(block) >= foreign[1] for block in rows[-1])
            check(rows)
            del rows[2:20]
            total, in_window = arenas()
            assert total - in_window <= 1, (total, in_window)
            rows += fill(20)
            check(rows)
            check_foreign(*foreign)

            # They can be traced.
            tracemalloc.start()
            more = occupy(areas()[-1][1], 64 * MIB)
            traced = fill(20)
            found = strays(traced)
            assert 3 * PER_ARENA < len(found) <= 5 * PER_ARENA, len(found)
            assert all(_PyTraceMalloc_GetTraceback(0, id(block)) for block in found)
            addresses = [id(block) for block in found]
            del traced, found
            assert not any(_PyTraceMalloc_GetTraceback(0, address) for address in addresses)
            check(rows)
            check_foreign(*more)
            """)

    @unittest.skipIf(check_sanitizer(address=True),
                     "the sanitizer takes terabytes of address space")
    def test_address_space_can_be_limited_later(self):
        self.child("""
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            before = arenas()[0]
            resource.setrlimit(resource.RLIMIT_AS, (address_space() + 24 * MIB, hard))
            rows = []
            for _ in range(2):
                try:
                    while True:
                        rows += fill(1)
                except MemoryError:
                    pass
                assert 20 <= arenas()[0] - before <= 24
                check(rows)
                # What was freed is good for anything, not for arenas only.
                del rows[2:]
                other = bytearray(16 * MIB)
                del other
            """)

    def test_fork(self):
        self.child("""
            rows = fill(10)
            pid = os.fork()
            del rows[3:6]
            rows += fill(8 if pid else 20)
            check(rows)
            ((start, end),), total, in_window = look()
            assert all(within(block, start, end) for row in rows for block in row)
            assert total == in_window == (end - start) // MIB
            if pid == 0:
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            """)

    def test_interpreters_with_allocators_of_their_own(self):
        import_helper.import_module("_interpreters")
        self.child("""
            import _interpreters
            rows = fill(5)
            (start, end), = areas()
            code = '''if 1:
                rows = [[bytes(415) for _ in range(36 * 64)] for _ in range(12)]
                places = {id(block) >> 20 for row in rows for block in row}
                del rows[4:8]
                inside = [start <= place << 20 < end for place in places]
                '''
            for config in "isolated", "legacy":
                interpreter = _interpreters.create(config)
                failed = _interpreters.run_string(
                    interpreter, f"start, end = {start}, {end + 64 * MIB}\\n{code}\\n"
                    f"assert all(inside) if {config == 'legacy'} else not any(inside)\\n"
                    "assert all(0x3000 << 32 <= place << 20 < 0x5000 << 32 for place in places)\\n"
                    "assert 12 <= len(places) <= 14")
                assert failed is None, failed
                rows += fill(4)
                _interpreters.destroy(interpreter)
                rows += fill(4)
                check(rows)
            assert start in [area[0] for area in areas()]
            """)

    def test_an_arena_allocator_of_the_user_serves_all(self):
        self.child("""
            class Allocator(ctypes.Structure):
                _fields_ = [(name, ctypes.c_void_p)
                            for name in ("ctx", "malloc", "calloc", "realloc", "free")]
            class ArenaAllocator(ctypes.Structure):
                _fields_ = [(name, ctypes.c_void_p) for name in ("ctx", "alloc", "free")]
            api = ctypes.pythonapi
            raw, before, now = Allocator(), ArenaAllocator(), ArenaAllocator()
            api.PyMem_GetAllocator(0, ctypes.byref(raw))
            api.PyObject_GetArenaAllocator(ctypes.byref(before))
            # These take the same arguments, but for a size that free() ignores.
            own = ArenaAllocator(raw.ctx, raw.malloc, raw.free)

            rows = fill(5)
            window, _, in_window = look()
            api.PyObject_SetArenaAllocator(ctypes.byref(own))
            more = fill(20)
            assert areas() == window
            total, same = arenas()
            assert same == in_window and total - in_window >= 19, (total, same, in_window)
            check(more)
            tracemalloc.start()
            traced = fill(1)
            assert all(_PyTraceMalloc_GetTraceback(0, id(block)) for block in traced[0])
            tracemalloc.stop()
            del more, traced
            assert areas() == window
            assert arenas()[0] - in_window <= 2
            strays = arenas()[0] - in_window

            api.PyObject_SetArenaAllocator(ctypes.byref(before))
            api.PyObject_GetArenaAllocator(ctypes.byref(now))
            assert bytes(now) == bytes(before)
            rows += fill(10)
            total, in_window = arenas()
            assert total - in_window == strays
            assert areas()[0][0] == window[0][0] and areas()[-1][1] > window[-1][1]
            check(rows)
            """)


if __name__ == "__main__":
    unittest.main()
