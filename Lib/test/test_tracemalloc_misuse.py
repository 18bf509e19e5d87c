"""What C code may get wrong without harm: addresses that are nobody's, objects
without their headers, sizes that are made up.

Each test runs with every block traced and with samples, in a child process.
With an interval of one byte any block that a test asks for is a sample: of 48
bytes or more, all but one in e**48.
"""
import os
import subprocess
import sys
import textwrap
import unittest
from test.support import import_helper
from test import support
from test.tracemalloc_scripts import allocators, needs_pymalloc

import_helper.import_module("ctypes")
import_helper.import_module("_testinternalcapi")
_tracemalloc = import_helper.import_module("_tracemalloc")

# What the children begin with.
PRELUDE = """
import ctypes, gc, os, sys, tracemalloc, _tracemalloc
from _testinternalcapi import _PyTraceMalloc_GetTraceback as traced
check = _tracemalloc._check

api, size_t, pointer = ctypes.pythonapi, ctypes.c_size_t, ctypes.c_void_p
track, untrack = api.PyTraceMalloc_Track, api.PyTraceMalloc_Untrack
track.argtypes = ctypes.c_uint, size_t, size_t
untrack.argtypes = ctypes.c_uint, size_t
api.PyObject_Malloc.restype, api.PyObject_Malloc.argtypes = pointer, [size_t]
api.PyObject_Init.restype, api.PyObject_Init.argtypes = pointer, [pointer] * 2

POOL, HEADER, ARENA = 1 << 14, 48, 1 << 20

def line():
    return sys._getframe(1).f_lineno

def lines(address):
    "The line of the script that a block belongs to."
    frames = traced(0, address)
    return frames and frames[0][1]

# A size that nothing else has.
SIZE = 123_457

def reported():
    return sum(trace[1] == SIZE for trace in _tracemalloc._get_traces())
"""


class MisuseTests(unittest.TestCase):

    def setUp(self):
        if os.environ.get("PYTHONMALLOC") not in (None, "", "pymalloc"):
            self.skipTest("only pymalloc has pools")

    def both(self, code, **variables):
        for interval in None, 1:
            with self.subTest(sample_interval=interval, **variables):
                self.child(f"tracemalloc.start(sample_interval={interval})\n"
                           + textwrap.dedent(code), **variables)

    def child(self, code, **variables):
        env = ({name: value for name, value in os.environ.items()
                if name not in ("PYTHONTRACEMALLOC", "PYTHONMALLOC")}
               | variables)
        with support.SuppressCrashReport():
            process = subprocess.run(
                [sys.executable, "-c",
                 PRELUDE + code + "\ncheck()\nprint('done')\n"],
                env=env, capture_output=True, text=True,
                timeout=support.LONG_TIMEOUT)
        self.assertEqual((process.returncode, process.stdout, process.stderr),
                         (0, "done\n", ""))

    def test_untracking_what_is_inside_of_a_block(self):
        self.both("""
            kept = [bytes(100) for _ in range(1000)]
            size = sys.getsizeof(kept[0])
            for block in kept:
                for address in id(block) - 8, id(block) + 8, id(block) + 16:
                    assert untrack(0, address) == 0
            assert all(lines(id(block)) for block in kept)
            untrack(0, id(kept[500]))
            assert [lines(id(block)) for block in kept].count(None) == 1
            """)

    def test_reporting_what_is_inside_of_a_block(self):
        self.both("""
            kept = [bytes(100) for _ in range(1000)]
            for block in kept:
                for address in id(block) - 8, id(block) + 8, id(block) + 16:
                    assert track(0, address, 7) == 0
            assert all(lines(id(block)) for block in kept)
            check()
            for block in kept:
                for address in id(block) - 8, id(block) + 8, id(block) + 16:
                    assert untrack(0, address) == 0
            assert all(lines(id(block)) for block in kept)
            """)

    @needs_pymalloc
    def test_every_address_of_a_pool(self):
        self.both("""
            # So many that what lies at a wrong distance is another pool's.
            kept = [bytes(100) for _ in range(20_000)]
            pools = {id(block) & -POOL for block in kept}
            for header in pools:
                for address in range(header, header + HEADER):
                    assert untrack(0, address) == track(0, address, 7) == 0
                    assert untrack(0, address) == 0
            check()
            assert all(lines(id(block)) for block in kept)
            pool = id(kept[500]) & -POOL
            # All objects of this pool are forgotten here, and nothing else.
            for address in range(pool + HEADER, pool + POOL):
                assert untrack(0, address) == track(0, address, 7) == 0
                assert untrack(0, address) == 0
            check()
            assert all((lines(id(block)) is None) == (id(block) & -POOL == pool)
                       for block in kept)
            """)

    @needs_pymalloc
    def test_pools_that_were_not_given_out(self):
        self.both("""
            # Some arenas, most of the last one not used yet.
            kept = [bytes(300) for _ in range(10000)]
            for arena in {id(block) & -ARENA for block in kept}:
                for pool in range(arena, arena + ARENA, POOL):
                    for address in pool, pool + HEADER, pool + HEADER + 48, pool + POOL - 1:
                        track(0, address, 7)
            check()
            more = [bytes(n) for n in range(1, 500) for _ in range(200)]
            check()
            del more, kept
            gc.collect()
            check()
            tracemalloc.clear_traces()
            check()
            more = [bytes(n) for n in range(1, 500) for _ in range(200)]
            tracemalloc.stop()
            """)

    @needs_pymalloc
    def test_arenas_that_are_not_aligned(self):
        # What lies before the first pool of an arena has no header above it,
        # and where that would be there may be nothing at all.
        self.both("""
            class Functions(ctypes.Structure):
                _fields_ = [(name, pointer)
                            for name in ("ctx", "malloc", "calloc", "realloc", "free")]
            raw = Functions()
            api.PyMem_GetAllocator(0, ctypes.byref(raw))
            # As far as arenas go: context, alloc() and free().
            own = (pointer * 3)(raw.ctx, raw.malloc, raw.free)
            kept = [bytes(400)]
            api.PyObject_SetArenaAllocator(own)
            for _ in range(20):
                kept += [bytes(400) for _ in range(3000)]
                pools = {id(block) & -POOL for block in kept}
                firsts = [pool for pool in pools if pool - POOL not in pools]
                for pool in firsts:
                    for address in range(pool - POOL, pool, 8):
                        assert track(0, address, 7) == untrack(0, address) == 0
                        assert lines(address) is None or pool - address > POOL // 2
            assert len(firsts) > 2
            check()
            # Before arenas go to another allocator than they came from.
            print("done", flush=True)
            os._exit(0)
            """)

    @needs_pymalloc
    def test_objects_without_the_header_of_their_type(self):
        # An extension that takes memory for just the object.
        self.both("""
            assert list.__flags__ & 1 << 14 and list.__basicsize__ <= 48
            taken = []
            for _ in range(2000):
                taken.append(api.PyObject_Malloc(48)); taken_at = line()
            # The first block of a pool, and one in the middle.
            made = [address for address in taken[:-1]
                    if address % POOL in (HEADER, HEADER + 48 * 100)]
            for address in made:
                api.PyObject_Init(address, id(list)); made_at = line()
            assert len(made) > 5
            for address in taken:
                expected = made_at if address in made else taken_at
                assert lines(address) == expected, (lines(address), expected, address % POOL)
            """)

    def test_objects_that_are_reported_move_as_others(self):
        # As in the base: the trace belongs to the line that has the object.
        self.both("""
            one = 1.5
            def make(value):
                return value + one
            kept = [make(n) for n in range(200)]
            value = make(3)
            where = id(value)
            assert track(0, where, 77) == 0; tracked_at = line()
            assert lines(where) == tracked_at
            del value
            value = one * one; made_at = line()
            assert id(value) == where
            assert lines(where) == made_at, (lines(where), made_at)
            """)

    def test_sizes_that_no_block_has(self):
        sizes = "(2 ** 63 - 1, 2 ** 63, 2 ** 63 + 1, 2 ** 64 - 1)"
        self.both(f"""
            for domain in 0, 5:
                for size in {sizes}:
                    assert track(domain, 16, size) == 0
                    assert traced(domain, 16)
                    check()
                    assert track(domain, 32, size) == 0
                    check()
                    assert untrack(domain, 16) == untrack(domain, 32) == 0
                    check()
            """)
        # A thread goes on taking samples after that: a thousand here, and less
        # than half of them once in e**150 runs.
        self.child(f"""
            tracemalloc.start(sample_interval=1000)
            for size in {sizes}:
                track(5, 16, size)
                kept = [bytes(1000) for _ in range(1000)]
                check()
                found = _tracemalloc._get_contexts()
                assert sum(row[3] - row[5] for row in found if row[0] == 0) > 500, size
                del kept
            """.replace("\n            ", "\n"))

    def test_reporting_a_block_of_python_for_ever(self):
        self.both("""
            kept = [bytes(100) for _ in range(500)]
            for n in range(20000):
                track(0, id(kept[n % 7]), SIZE)
            check()
            assert reported() == 7, reported()
            kept.clear()
            check()
            assert reported() == 0
            """)

    def test_functions_that_are_called_with_the_context_of_those_before(self):
        # As by a thread without the GIL, or with another one, while tracing
        # begins or ends: function and context are read one after the other.
        for allocator in allocators("pymalloc", "malloc", "mimalloc"):
            self.both("""
                class Allocator(ctypes.Structure):
                    _fields_ = [(name, pointer) for name in
                                ("ctx", "malloc", "calloc", "realloc", "free")]

                def function(address, *types):
                    return ctypes.PYFUNCTYPE(*types)(address)

                for domain in range(3):
                    it = Allocator()
                    api.PyMem_GetAllocator(domain, ctypes.byref(it))
                    malloc = function(it.malloc, pointer, pointer, size_t)
                    calloc = function(it.calloc, pointer, pointer, size_t, size_t)
                    realloc = function(it.realloc, pointer, pointer, pointer, size_t)
                    free = function(it.free, None, pointer, pointer)
                    for n in 200, SIZE:
                        blocks = malloc(None, n), calloc(None, 1, n)
                        assert all(map(lines, blocks)), (domain, n)
                        blocks = [realloc(None, block, 2 * n) for block in blocks]
                        assert all(map(lines, blocks)), (domain, n)
                        for block in blocks:
                            free(None, block)
                        assert not any(map(lines, blocks)), (domain, n)
                """, PYTHONMALLOC=allocator)

    def test_functions_before_get_the_context_that_they_need(self):
        # The other way round: the debug hooks look at their context.
        for allocator in allocators("debug", "malloc", "malloc_debug"):
            self.both("""
                def contexts():
                    for domain in range(3):
                        found = (pointer * 5)()
                        api.PyMem_GetAllocator(domain, found)
                        yield found[0]

                traced = list(contexts())
                tracemalloc.stop()
                assert list(contexts()) == traced
                """, PYTHONMALLOC=allocator)

    def test_an_object_that_is_made_without_the_gil(self):
        self.both("""
            without = ctypes.CDLL(None)
            without._Py_NewReference.argtypes = [pointer]
            for wanted in range(2, 1000):
                kept = bytes(wanted)
                made = lines(id(kept))
                without._Py_NewReference(id(kept))
                assert lines(id(kept)) == made
                del kept
            """)


if __name__ == "__main__":
    unittest.main()
