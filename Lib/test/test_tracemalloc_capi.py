"""What C code relies on: Track and Untrack, allocator hooks, threads, fork.

Rows S07, S12, S25, S26, S32, S90 to S103, S107 and I09, I12 of the
requirements.  Nearly all of it runs in child processes, because it changes
allocators, runs out of memory on purpose, or could hang.

Tests of class ForkOnlyTests promise what stock does not: they fail there.
"""
import os
import subprocess
import sys
import textwrap
import unittest
from test.support import import_helper, threading_helper
from test import support

import_helper.import_module("ctypes")
import_helper.import_module("_testcapi")
import_helper.import_module("_testinternalcapi")

# What the children begin with.
PRELUDE = r"""
import ctypes, gc, os, sys, threading
import _testcapi, _testinternalcapi, _tracemalloc, tracemalloc
from _testinternalcapi import _PyTraceMalloc_GetTraceback

held = ctypes.pythonapi                     # functions called with the GIL held
free = ctypes.CDLL(None)                    # and with the GIL released
RAW, MEM, OBJ = DOMAINS = range(3)
NAMES = "PyMem_Raw", "PyMem_", "PyObject_"
size_t, pointer = ctypes.c_size_t, ctypes.c_void_p

for library in held, free:
    for name in NAMES:
        for function, result, arguments in [
                ("Malloc", pointer, [size_t]), ("Calloc", pointer, [size_t] * 2),
                ("Realloc", pointer, [pointer, size_t]), ("Free", None, [pointer])]:
            function = getattr(library, name + function)
            function.restype, function.argtypes = result, arguments
    library.PyTraceMalloc_Track.argtypes = [ctypes.c_uint, size_t, size_t]
    library.PyTraceMalloc_Untrack.argtypes = [ctypes.c_uint, size_t]

def api(domain, function, library=held):
    return getattr(library, NAMES[domain] + function)

def blocks(at_least=0, domain=0):
    return [trace for trace in _tracemalloc._get_traces()
            if trace[0] == domain and trace[1] >= at_least]

def traced(address, domain=0):
    return _PyTraceMalloc_GetTraceback(domain, address)

def grown(call):
    # Bytes by which `call` moves the counter, and its result.
    def measure(call):
        before = _tracemalloc.get_traced_memory()[0]
        result = call()
        return _tracemalloc.get_traced_memory()[0] - before, result
    # Fills the free lists that measuring itself takes objects from.
    for _ in range(5):
        nothing, _ = measure(lambda: None)
    assert nothing in (0, 32), nothing      # the number `before`
    moved, result = measure(call)
    return moved - nothing, result

def line():
    return sys._getframe(1).f_lineno

class Allocator(ctypes.Structure):
    _fields_ = [(name, pointer) for name in ("ctx", "malloc", "calloc", "realloc", "free")]
    def __eq__(self, other):
        return bytes(self) == bytes(other)

def installed(domain):
    found = Allocator()
    held.PyMem_GetAllocator(domain, ctypes.byref(found))
    return found

class Hook:
    # A hook that hands every call on to the allocator that was installed
    # before: set_nomemory() has such functions, and they take the address of
    # that allocator as their context.
    functions = None

    def __init__(self, domain):
        if Hook.functions is None:
            _testcapi.set_nomemory(2 ** 31 - 1)
            Hook.functions = installed(RAW)
            _testcapi.remove_mem_hooks()
        self.domain = domain
        self.below = installed(domain)
        self.own = Allocator.from_buffer_copy(Hook.functions)
        self.own.ctx = ctypes.addressof(self.below)
        held.PyMem_SetAllocator(domain, ctypes.byref(self.own))
        # Its owner lets go of a hook at exit, the interpreter does not.
        held.Py_IncRef(ctypes.py_object(self.below))

    def remove(self):
        held.PyMem_SetAllocator(self.domain, ctypes.byref(self.below))

def check_exact(note=""):
    # One block per domain of the API, counted once, with its size and line.
    for domain in DOMAINS:
        for size in 1, 100, 512, 513, 5000, 200000:
            malloc, release = api(domain, "Malloc"), api(domain, "Free")
            release(malloc(size))       # fills free lists of ctypes
            moved, address = grown(lambda: malloc(size))
            # The address is an int, made after the block.
            assert moved - size in (0, 32), (note, domain, size, moved)
            frames = traced(address)
            assert frames is not None, (note, domain, size)
            same = [trace for trace in blocks(size) if trace[2] == frames and trace[1] == size]
            assert len(same) == 1, (note, domain, size, same)
            release(address)
            assert traced(address) is None, (note, domain, size)

def check_sum():
    # The counter is the sum of the traces, but for what this makes itself.
    current = _tracemalloc.get_traced_memory()[0]
    total = sum(trace[1] for trace in _tracemalloc._get_traces())
    assert 0 <= total - current < 300, (current, total)
"""


class ChildTests(unittest.TestCase):
    """Base: runs code in a child, which has to print 'done' and nothing else.
    """

    def child(self, code, *options, timeout=support.LONG_TIMEOUT, **variables):
        env = {name: value for name, value in os.environ.items()
               if name not in ("PYTHONTRACEMALLOC", "PYTHONMALLOC")}
        env.update(variables)
        with support.SuppressCrashReport():
            process = subprocess.run(
                [sys.executable, *options, "-c",
                 PRELUDE + textwrap.dedent(code) + "\nprint('done')\n"],
                env=env, capture_output=True, text=True, timeout=timeout)
        self.assertEqual((process.returncode, process.stdout), (0, "done\n"),
                         process.stderr[-4000:])
        self.assertEqual(process.stderr, "")


class TrackTests(ChildTests):

    def test_S07_all_domains_of_the_allocator_api_are_traced(self):
        self.child("""
            tracemalloc.start()
            check_exact()
            """)

    def test_S07_every_function_of_every_domain_is_traced(self):
        self.child("""
            tracemalloc.start(2)
            for domain in DOMAINS:
                calloc, realloc, release = (api(domain, name)
                                            for name in ("Calloc", "Realloc", "Free"))
                address = calloc(10, 77); where = line()
                assert traced(address)[0] == ("<string>", where)
                assert [t[1] for t in blocks(770) if t[2][0] == ("<string>", where)] == [770]
                address = realloc(address, 9000); where = line()
                assert traced(address)[0] == ("<string>", where)
                assert [t[1] for t in blocks(770) if t[2][0] == ("<string>", where)] == [9000]
                address = realloc(address, 1200); where = line()
                assert [t[1] for t in blocks(770) if t[2][0] == ("<string>", where)] == [1200]
                address = realloc(address, 300); where = line()
                assert [t[1] for t in blocks(300) if t[2][0] == ("<string>", where)] == [300]
                release(address)
                assert traced(address) is None
                address = realloc(None, 60); where = line()
                assert traced(address)[0] == ("<string>", where)
                release(address)
                release(None)
            check_sum()
            """)

    def test_S07_requests_of_no_bytes_are_blocks_of_no_bytes(self):
        self.child("""
            tracemalloc.start()
            for domain in DOMAINS:
                address = api(domain, "Malloc")(0); where = line()
                assert 0 in [t[1] for t in blocks() if t[2][0] == ("<string>", where)]
                assert traced(address)
                api(domain, "Free")(address)
                assert traced(address) is None
            """)

    def test_S26_blocks_that_one_domain_gets_from_another_count_once(self):
        self.child("""
            tracemalloc.start()
            malloc = held.PyObject_Malloc
            held.PyObject_Free(malloc(100))     # fills free lists of ctypes
            for size in 512, 513, 1 << 16, 1 << 22:
                moved, address = grown(lambda: malloc(size))
                assert moved - size in (0, 32), moved
                held.PyObject_Free(address)
            # Arenas that pymalloc fetches while it serves small requests are
            # not blocks of the program.
            count = 60000
            def fill():
                for index in range(count):
                    kept[index] = malloc(500)
            kept = [None] * count
            moved, _ = grown(fill)
            numbers = sum(sys.getsizeof(address) for address in kept)
            assert 0 <= moved - count * 500 - numbers < 500, (moved, numbers)
            """)

    def test_S90_track_returns_its_status(self):
        self.child("""
            for library in held, free:
                assert library.PyTraceMalloc_Track(7, 4096, 100) == -2
                tracemalloc.start(3)
                assert library.PyTraceMalloc_Track(7, 4096, 100) == 0; where = line()
                assert [t[:2] for t in blocks(domain=7)] == [(7, 100)]
                assert blocks(domain=7)[0][2][0] == ("<string>", where)
                moved, _ = grown(lambda: library.PyTraceMalloc_Track(7, 4096, 1000))
                assert moved == 900, moved
                assert [t[:2] for t in blocks(domain=7)] == [(7, 1000)]
                assert blocks(domain=7)[0][2][0] == ("<string>", where + 3)
                tracemalloc.stop()
                assert library.PyTraceMalloc_Track(7, 4096, 100) == -2
            """)

    def test_S91_untrack_returns_its_status(self):
        self.child("""
            for library in held, free:
                assert library.PyTraceMalloc_Untrack(7, 4096) == -2
                tracemalloc.start()
                assert library.PyTraceMalloc_Untrack(7, 4096) == 0
                library.PyTraceMalloc_Track(7, 4096, 100)
                moved, status = grown(lambda: library.PyTraceMalloc_Untrack(7, 4096))
                assert (moved, status) == (-100, 0), moved
                assert blocks(domain=7) == []
                assert library.PyTraceMalloc_Untrack(7, 4096) == 0
                assert library.PyTraceMalloc_Untrack(8, 4096) == 0
                tracemalloc.stop()
            """)

    def test_S92_any_pointer_size_and_domain_can_be_tracked(self):
        self.child("""
            tracemalloc.start()
            top = 2 ** 64 - 1
            addresses = [0, 1, 8, 15, 16, 4095, 2 ** 32 - 1, 2 ** 47, 2 ** 63, top - 1, top]
            domains = [1, 5, 389047, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1]
            expected = {}
            for index, domain in enumerate(domains):
                for address in addresses:
                    size = (address % 1009 + index) * 3
                    assert held.PyTraceMalloc_Track(domain, address, size) == 0
                    expected[domain, address] = size
            for domain in domains:
                assert (sorted(t[1] for t in blocks(domain=domain))
                        == sorted(size for key, size in expected.items() if key[0] == domain))
                for address in addresses:
                    assert traced(address, domain)
            for (domain, address), size in expected.items():
                assert held.PyTraceMalloc_Untrack(domain, address) == 0
                assert traced(address, domain) is None
            # Sizes as large as the counter holds, in Python's own domain too.
            for domain in 0, 1:
                for address in 3, top:
                    for size in 2 ** 31, 2 ** 32 + 1, 2 ** 48, 2 ** 62:
                        before = _tracemalloc.get_traced_memory()[0]
                        assert held.PyTraceMalloc_Track(domain, address, size) == 0
                        assert size <= _tracemalloc.get_traced_memory()[0] - before < size + 500
                        assert size in [t[1] for t in blocks(domain=domain)]
                        assert held.PyTraceMalloc_Untrack(domain, address) == 0
            assert traced(3) is None
            check_sum()
            """)

    def test_S92_untracking_and_tracking_again_a_block_of_python(self):
        self.child("""
            tracemalloc.start()
            kept = bytes(3000)
            small = bytes(50)
            for number, obj in enumerate([kept, small], 1):
                address, size = id(obj), sys.getsizeof(obj)
                moved, _ = grown(lambda: held.PyTraceMalloc_Untrack(0, address))
                assert moved == -size, moved
                assert tracemalloc.get_object_traceback(obj) is None
                held.PyTraceMalloc_Track(0, address, 7); where = line()
                assert tracemalloc.get_object_traceback(obj)[0].lineno == where
                sizes = [t[1] for t in blocks() if t[2][0] == ("<string>", where)]
                assert sizes.count(7) == number and size not in sizes, sizes
            del obj, kept, small
            assert not [t for t in blocks() if t[1] == 7]
            check_sum()
            """)

    def test_S93_traceback_of_an_address(self):
        self.child("""
            assert _PyTraceMalloc_GetTraceback(9, 4096) is None
            tracemalloc.start(4)
            def inner():
                held.PyTraceMalloc_Track(9, 4096, 1)
            inner(); where = line()
            frames = _PyTraceMalloc_GetTraceback(9, 4096)
            assert frames == (("<string>", inner.__code__.co_firstlineno + 1),
                              ("<string>", where)), frames
            assert _PyTraceMalloc_GetTraceback(9, 4097) is None
            assert _PyTraceMalloc_GetTraceback(8, 4096) is None
            """)

    def test_S14_the_collectors_header_is_part_of_the_block(self):
        self.child("""
            tracemalloc.start()
            gc.collect()
            def check():
                where = line() + 1
                obj = [1, 2, 3]
                sizes = [t[1] for t in blocks() if t[2][0] == ("<string>", where)]
                header = sys.getsizeof(obj) - obj.__sizeof__()
                assert header > 0
                assert list.__basicsize__ + header in sizes, sizes
                assert sum(sizes) == sys.getsizeof(obj), sizes
            check()
            """)

    def test_I12_the_counter_of_allocated_blocks_is_not_disturbed(self):
        # With 65535 frames, the tracer holds much more than the program.
        self.child("""
            def build():
                return [bytes(100) for _ in range(20000)]
            def counted():
                before = sys.getallocatedblocks()
                kept = build()
                return sys.getallocatedblocks() - before
            untraced = counted()
            tracemalloc.start(65535)
            assert abs(counted() - untraced) < 50
            tracemalloc.stop()
            """)


class AllocatorTests(ChildTests):

    def test_S96_on_top_of_every_allocator(self):
        for malloc in ("malloc", "debug", "malloc_debug", "pymalloc",
                       "pymalloc_debug", "mimalloc", "mimalloc_debug",
                       "default"):
            with self.subTest(malloc=malloc):
                self.child("""
                    for session in range(3):
                        tracemalloc.start(session + 1)
                        check_exact()
                        tracemalloc.stop()
                    """, PYTHONMALLOC=malloc)
                self.child("check_exact()", "-X", "tracemalloc=5",
                           PYTHONMALLOC=malloc)

    def test_S97_a_hook_installed_before_stays_below(self):
        self.child("""
            hooks = [Hook(domain) for domain in DOMAINS]
            for session in range(3):
                tracemalloc.start()
                check_exact()
                tracemalloc.stop()
                for hook in hooks:
                    assert installed(hook.domain) == hook.own
            for hook in reversed(hooks):
                hook.remove()
            tracemalloc.start()
            check_exact()
            """)

    def test_S97_a_hook_installed_and_removed_while_tracing(self):
        self.child("""
            tracemalloc.start()
            before = [installed(domain) for domain in DOMAINS]
            hooks = [Hook(domain) for domain in DOMAINS]
            check_exact("hooked")
            kept = bytes(4000)
            for hook in hooks:
                hook.remove()
            assert [installed(domain) for domain in DOMAINS] == before
            assert tracemalloc.get_object_traceback(kept)
            check_exact("removed")
            tracemalloc.stop()
            """)

    def test_S97_sandwiched_between_hooks(self):
        self.child("""
            below = [Hook(domain) for domain in DOMAINS]
            tracemalloc.start(3)
            above = [Hook(domain) for domain in DOMAINS]
            check_exact("sandwich")
            for hook in above:
                hook.remove()
            check_exact("open")
            tracemalloc.stop()
            for hook in below:
                assert installed(hook.domain) == hook.own
            """)

    def test_S97_upstreams_own_checks_of_hooks_pass_while_tracing(self):
        self.child("""
            tracemalloc.start(10)
            for name in ("test_pymem_setallocators", "test_pymem_setrawallocators",
                         "test_pyobject_setallocators", "test_pymem_alloc0",
                         "test_pyobject_new"):
                getattr(_testcapi, name)()
            check_exact()
            """)

    @unittest.skipIf(
        support.check_sanitizer(address=True),
        "the sanitizer's malloc() is not the one that mallinfo2() tells of")
    def test_I09_arenas_from_an_allocator_of_the_program(self):
        # calloc() stands for a function with a context, and the context for
        # its first argument; arenas are not given back.
        self.child("""
            class Arena(ctypes.Structure):
                _fields_ = [(name, pointer) for name in ("ctx", "alloc", "free")]
            calloc = ctypes.cast(free.calloc, pointer)
            nothing = ctypes.cast(free.labs, pointer)
            arena = Arena(1, calloc, nothing)
            class Info(ctypes.Structure):
                _fields_ = [(name, size_t) for name in (
                    "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
                    "uordblks", "fordblks", "keepcost")]
            free.mallinfo2.restype = Info
            def fetched():
                info = free.mallinfo2()
                return info.hblkhd + info.uordblks
            original = Arena()
            held.PyObject_GetArenaAllocator(ctypes.byref(original))
            tracemalloc.start()
            held.PyObject_SetArenaAllocator(ctypes.byref(arena))
            found = Arena()
            held.PyObject_GetArenaAllocator(ctypes.byref(found))
            assert bytes(found) == bytes(arena)
            before = fetched()
            kept = [bytes(400) for _ in range(50000)]
            assert fetched() - before > 10 << 20, fetched() - before
            assert all(tracemalloc.get_object_traceback(each) for each in kept[::1000])
            check_sum()
            check_exact()
            del kept[::2]
            tracemalloc.stop()
            kept += [bytes(300) for _ in range(50000)]
            tracemalloc.start()
            del kept
            check_exact()
            """)

    def test_S98_failed_allocations_leave_no_trace(self):
        self.child("""
            def build(size):
                return [bytearray(size), {size: size}, (size, [size])]
            failures = 0
            def sweep():
                global failures
                for number in range(150):
                    kept = None
                    try:
                        _testcapi.set_nomemory(number, number + 1)
                        kept = build(6000)
                    except MemoryError:
                        failures += 1
                    finally:
                        _testcapi.remove_mem_hooks()
                    alive = [t for t in blocks(6000) if t[1] < 6100]
                    assert len(alive) == (kept is not None), (number, alive)
                    check_sum()
            for nframe in 1, 5, 100:
                tracemalloc.start(nframe)
                sweep()
                tracemalloc.stop()
            assert failures >= 9, failures
            """)

    def test_S98_failed_realloc_keeps_the_old_trace(self):
        self.child("""
            tracemalloc.start()
            for domain in DOMAINS:
                for size in 64, 700, 5000:
                    malloc, realloc, release = (
                        api(domain, name) for name in ("Malloc", "Realloc", "Free"))
                    address = malloc(size); where = line()
                    # No allocator has that much.
                    moved, result = grown(lambda: realloc(address, 2 ** 62))
                    assert result is None
                    assert moved == 0, moved
                    assert traced(address)[0] == ("<string>", where)
                    assert [t[1] for t in blocks(size) if t[2][0] == ("<string>", where)] == [size]
                    release(address)
                    assert malloc(2 ** 62) is None
            check_sum()
            """)

    def test_S98_running_out_of_memory_while_asking(self):
        self.child("""
            import _tracemalloc as T
            asked = (T._get_traces, T._get_contexts, T._take_snapshot,
                     T._get_estimates, T._get_counts, T.get_traced_memory,
                     T._get_address_traces,
                     lambda: T._get_object_trace(kept),
                     lambda: T._get_object_traceback(kept),
                     lambda: T._get_object_details(kept))
            for interval in None, 1:
                tracemalloc.start(5, sample_interval=interval)
                kept = [eval(compile("\\n" * n + "bytes(500)", "<eval>", "eval"))
                        for n in range(60)]
                for ask in asked:
                    number = failures = 0
                    while True:
                        try:
                            _testcapi.set_nomemory(number, number + 1)
                            ask()
                            break
                        except MemoryError:
                            failures += 1
                        finally:
                            _testcapi.remove_mem_hooks()
                        number += 1
                    assert failures == number
                    T._check()
                tracemalloc.stop()
            """)

    def test_S98_running_out_of_memory_while_growing_keeps_the_old_trace(self):
        self.child("""
            tracemalloc.start()
            failures = 0
            for number in range(60):
                grown = bytearray(5000)
                where = line() - 1
                more = bytes(90000)
                try:
                    _testcapi.set_nomemory(number, number + 1)
                    grown.extend(more)
                except MemoryError:
                    _testcapi.remove_mem_hooks()
                    failures += 1
                    mine = [t[1] for t in blocks(5000) if t[2][0] == ("<string>", where)]
                    assert mine == [5001], (number, mine)
                finally:
                    _testcapi.remove_mem_hooks()
                check_sum()
            assert failures
            """)


class ThreadTests(ChildTests):

    # pthread_create() with an allocator function as the start of a thread:
    # a thread that Python has never heard of.
    FOREIGN = """
        def in_foreign_thread(function, argument):
            thread, result = ctypes.c_ulong(), pointer()
            start = ctypes.cast(function, pointer)
            assert free.pthread_create(ctypes.byref(thread), None, start, pointer(argument)) == 0
            assert free.pthread_join(thread, ctypes.byref(result)) == 0
            return result.value
        """

    def foreign(self, code, *options):
        self.child(textwrap.dedent(self.FOREIGN) + textwrap.dedent(code),
                   *options)

    def test_S32_a_block_from_an_unknown_thread_has_no_traceback(self):
        self.foreign("""
            for nframe in 1, 25:
                tracemalloc.start(nframe)
                address = in_foreign_thread(free.PyMem_RawMalloc, 7777)
                assert traced(address) == (("<unknown>", 0),), traced(address)
                assert [t for t in blocks() if t[1] == 7777] == [(0, 7777, (("<unknown>", 0),), 1)]
                in_foreign_thread(free.PyMem_RawFree, address)
                assert traced(address) is None
                tracemalloc.stop()
            """)

    def test_S25_a_block_freed_by_an_unknown_thread_is_forgotten(self):
        self.foreign("""
            tracemalloc.start()
            address = held.PyMem_RawMalloc(8888)
            assert traced(address)
            moved, _ = grown(lambda: in_foreign_thread(free.PyMem_RawFree, address))
            assert traced(address) is None
            assert not [t for t in blocks() if t[1] == 8888]
            check_sum()
            """)

    def test_S25_raw_blocks_are_forgotten_without_the_gil(self):
        self.child("""
            tracemalloc.start()
            address = free.PyMem_RawMalloc(9999)
            assert traced(address)[0] == ("<string>", line() - 1)
            address = free.PyMem_RawRealloc(address, 19999)
            assert traced(address)[0] == ("<string>", line() - 1)
            free.PyMem_RawFree(address)
            assert traced(address) is None
            """)

    @threading_helper.requires_working_threading()
    def test_S101_threads_allocate_and_free_at_the_same_time(self):
        self.child("""
            sys.setswitchinterval(1e-6)
            tracemalloc.start(5)
            shared = []
            def work(number):
                for index in range(3000):
                    shared.append(bytes(200 + number))
                    if index % 3 == 0:
                        shared.pop(0)
                    if index % 100 == 0:
                        free.PyMem_RawFree(free.PyMem_RawMalloc(1000))
            threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            expected = sum(map(sys.getsizeof, shared))
            mine = [t for t in blocks() if t[2][0][1] == work.__code__.co_firstlineno + 2
                    and 230 < t[1] < 240]
            assert len(mine) == len(shared) == 8000, (len(mine), len(shared))
            assert sum(t[1] for t in mine) == expected
            check_sum()
            """)

    @threading_helper.requires_working_threading()
    def test_S102_stop_races_with_track_without_the_gil(self):
        self.child("""
            for _ in range(30):
                _testcapi.tracemalloc_track_race()
            """)

    @threading_helper.requires_working_threading()
    def test_S102_sessions_race_with_raw_allocations_and_track(self):
        self.child("""
            sys.setswitchinterval(1e-6)
            end = threading.Event()
            def raw(number):
                while not end.is_set():
                    address = free.PyMem_RawMalloc(100 + number)
                    address = free.PyMem_RawRealloc(address, 3000)
                    free.PyTraceMalloc_Track(5, number, 10)
                    free.PyMem_RawFree(address)
                    free.PyTraceMalloc_Untrack(5, number)
            def build():
                while not end.is_set():
                    [bytes(300), [1], {2: 3}]
            threads = [threading.Thread(target=raw, args=(n,)) for n in range(2)]
            threads.append(threading.Thread(target=build))
            for thread in threads: thread.start()
            for session in range(60):
                tracemalloc.start(session % 9 + 1)
                tracemalloc.take_snapshot()
                if session % 3 == 0:
                    tracemalloc.clear_traces()
                tracemalloc.stop()
                assert tracemalloc.get_traced_memory() == (0, 0)
            end.set()
            for thread in threads: thread.join()
            tracemalloc.start()
            check_exact()
            """)

    def test_S102_calls_in_the_very_last_finalizers_fail_softly(self):
        code = textwrap.dedent("""
            from test.support import late_deletion
            class Last:
                def __del__(self, track=_testcapi.tracemalloc_track, write=os.write,
                            untrack=_testcapi.tracemalloc_untrack, error=RuntimeError):
                    try:
                        track(5, 4096, 100)
                        untrack(5, 4096)
                    except error:
                        pass
                    write(1, b"reached\\n")
            tracemalloc.start()
            late_deletion(Last())
            """)
        process = subprocess.run([sys.executable, "-c", PRELUDE + code],
                                 capture_output=True, text=True)
        self.assertEqual((process.returncode, process.stdout, process.stderr),
                         (0, "reached\n", ""))


@unittest.skipUnless(support.has_fork_support, "needs os.fork()")
class ForkTests(ChildTests):

    def test_S99_a_forked_child_keeps_tracing(self):
        self.child("""
            from test.support import wait_process
            tracemalloc.start(3)
            kept, where = bytes(5005), line()
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    assert tracemalloc.is_tracing()
                    assert tracemalloc.get_traceback_limit() == 3
                    assert tracemalloc.get_object_traceback(kept)[-1].lineno == where
                    more = bytes(6006)
                    assert tracemalloc.get_object_traceback(more)[-1].lineno == line() - 1
                    check_sum()
                    check_exact()
                    kept = None
                    tracemalloc.take_snapshot()
                    tracemalloc.stop()
                    tracemalloc.start()
                    check_exact()
                    status = 0
                except BaseException:
                    import traceback
                    traceback.print_exc()
                finally:
                    os._exit(status)
            wait_process(pid, exitcode=0)
            assert tracemalloc.get_object_traceback(kept)[-1].lineno == where
            check_exact()
            """)

    @threading_helper.requires_working_threading()
    def test_S100_fork_while_other_threads_allocate(self):
        self.child("""
            from test.support import wait_process
            sys.setswitchinterval(1e-5)
            tracemalloc.start(5)
            end = threading.Event()
            def build():
                while not end.is_set():
                    [bytes(700), [1], {2: 3}, bytearray(40)]
            def raw():
                while not end.is_set():
                    address = free.PyMem_RawMalloc(100)
                    free.PyMem_RawFree(free.PyMem_RawRealloc(address, 5000))
                    free.PyTraceMalloc_Track(5, 1, 1)
            threads = [threading.Thread(target=target) for target in (build, raw, raw)]
            for thread in threads: thread.start()
            for number in range(40):
                pid = os.fork()
                if pid == 0:
                    status = 1
                    try:
                        kept = [bytes(size) for size in range(200, 900, 5)]
                        address = free.PyMem_RawMalloc(3000)
                        assert traced(address)
                        assert tracemalloc.get_object_traceback(kept[0])
                        tracemalloc.clear_traces()
                        free.PyMem_RawFree(address)
                        tracemalloc.stop()
                        status = 0
                    finally:
                        os._exit(status)
                wait_process(pid, exitcode=0, timeout=60)
            end.set()
            for thread in threads: thread.join()
            check_sum()
            """, "-W", "ignore::DeprecationWarning")


class InterpreterTests(ChildTests):

    def test_S103_an_interpreter_that_shares_the_lock_shares_the_tracer(self):
        self.child("""
            tracemalloc.start(2)
            assert _testcapi.run_in_subinterp('''if True:
                import tracemalloc, _tracemalloc
                assert tracemalloc.is_tracing()
                assert tracemalloc.get_traceback_limit() == 2
                kept = bytes(11011)
                assert tracemalloc.get_object_traceback(kept)
                assert [t for t in _tracemalloc._get_traces() if t[1] == 11011 + 33]
                tracemalloc.clear_traces()
                assert tracemalloc.is_tracing()
                ''') == 0
            assert tracemalloc.is_tracing()
            check_exact()
            """)

    def test_S103_tracing_survives_the_interpreter_that_began_it(self):
        self.child("""
            assert _testcapi.run_in_subinterp("import tracemalloc; tracemalloc.start(4)") == 0
            assert tracemalloc.is_tracing()
            assert tracemalloc.get_traceback_limit() == 4
            check_exact()
            tracemalloc.stop()
            """)


class SessionTests(ChildTests):

    def test_S107_sessions_are_independent(self):
        self.child("""
            for session in range(100):
                tracemalloc.start(session % 30 + 1)
                assert tracemalloc.get_traceback_limit() == session % 30 + 1
                kept = [bytes(number) for number in range(500)]
                assert len([t for t in blocks() if t[2][0] == ("<string>", line() - 1)]) >= 499
                tracemalloc.stop()
                assert tracemalloc.get_traced_memory() == (0, 0)
                del kept
            """)

    @unittest.skipUnless(os.path.exists("/proc/self/statm"), "needs /proc")
    @unittest.skipIf(support.check_sanitizer(address=True),
                     "the sanitizer keeps freed memory for a while")
    def test_S107_many_sessions_do_not_leak(self):
        # Address space, not resident memory: it does not depend on what the
        # system pages.
        self.child("""
            def space():
                with open("/proc/self/statm") as stream:
                    return int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            def deep(number):
                return deep(number - 1) if number else [bytes(n) for n in range(600)]
            def session(number):
                tracemalloc.start(40)
                kept = [deep(depth % 60) for depth in range(number, number + 60)]
                scope = {}
                for each in range(20):
                    exec(compile(f"def f{number}(): return bytes({each})",
                                 f"file {number} {each}", "exec"), scope)
                    kept.append(scope[f"f{number}"]())
                tracemalloc.stop()
            for number in range(10):
                session(number)
            gc.collect()
            before = space(), tracemalloc.get_tracemalloc_memory()
            for number in range(10, 90):
                session(number)
            gc.collect()
            after = space(), tracemalloc.get_tracemalloc_memory()
            assert after[1] <= before[1], (before, after)
            assert after[0] - before[0] < 4 << 20, (before, after)
            """)

    def test_S107_clearing_gives_the_memory_of_the_tracer_back(self):
        self.child("""
            tracemalloc.start(10)
            kept = [bytes(600) for _ in range(100000)]
            full = tracemalloc.get_tracemalloc_memory()
            tracemalloc.clear_traces()
            assert tracemalloc.get_tracemalloc_memory() < full / 2
            del kept
            check_sum()
            """)


class ForkOnlyTests(ChildTests):
    """Promises of this fork beyond stock."""

    def test_S97_fork_only_a_hook_above_survives_stop(self):
        # Stock takes the hook out with itself.
        self.child("""
            tracemalloc.start()
            hooks = [Hook(domain) for domain in DOMAINS]
            tracemalloc.stop()
            for hook in hooks:
                assert installed(hook.domain) == hook.own
            kept = [bytes(n) for n in range(2000)]
            assert tracemalloc.get_traced_memory() == (0, 0)
            assert tracemalloc._get_traces() == []
            """)

    def test_S97_fork_only_tracing_begins_again_below_a_hook(self):
        self.child("""
            for session in range(4):
                tracemalloc.start(session + 1)
                if session == 0:
                    hooks = [Hook(domain) for domain in DOMAINS]
                check_exact(session)
                for hook in hooks:
                    assert installed(hook.domain) == hook.own
                tracemalloc.stop()
            for hook in hooks:
                hook.remove()
            kept = [bytes(n) for n in range(2000)]
            tracemalloc.start()
            check_exact("removed")
            check_sum()
            tracemalloc.stop()
            """)

    def test_S97_fork_only_a_hook_taken_out_by_its_owner_after_stop(self):
        # The owner puts back what it found: the tracer, which is off.
        self.child("""
            tracemalloc.start()
            hooks = [Hook(domain) for domain in DOMAINS]
            tracemalloc.stop()
            for hook in hooks:
                hook.remove()
            kept = [bytes(n) for n in range(2000)]
            assert tracemalloc.get_traced_memory() == (0, 0)
            more = [Hook(domain) for domain in DOMAINS]
            tracemalloc.start()
            check_exact()
            tracemalloc.stop()
            """)

    def test_S97_fork_only_reference_tracer_stays_free_for_its_users(self):
        self.child("""
            setter, getter = held.PyRefTracer_SetTracer, held.PyRefTracer_GetTracer
            setter.argtypes = [pointer, pointer]
            getter.restype, getter.argtypes = pointer, [pointer]
            # A function that does nothing, with the arguments of a tracer.
            function = ctypes.cast(free.labs, pointer).value
            def current():
                data = pointer()
                found = getter(ctypes.addressof(data))
                return found, data.value
            assert current() == (None, None)
            tracemalloc.start()
            assert current() == (None, None), "the tracer took the public slot"
            assert setter(function, 4660) == 0
            assert current() == (function, 4660)
            gc.collect()
            first = []; address = id(first); del first
            second = []; where = line()
            assert id(second) == address
            assert tracemalloc.get_object_traceback(second)[-1].lineno == where
            tracemalloc.start()
            assert current() == (function, 4660)
            tracemalloc.stop()
            assert current() == (function, 4660)
            tracemalloc.start()
            assert current() == (function, 4660)
            assert setter(None, None) == 0
            assert current() == (None, None)
            _testcapi.test_reftracer()
            check_exact()
            """)

    def test_S103_fork_only_module_imports_in_an_interpreter_with_its_own_lock(
            self):
        self.child("""
            from test.support import interpreters
            tracemalloc.start(2)
            interpreter = interpreters.create()
            interpreter.exec('''if True:
                import tracemalloc, _tracemalloc
                assert tracemalloc.is_tracing()
                kept = bytes(11011)
                assert tracemalloc.get_object_traceback(kept)
                assert [t for t in _tracemalloc._get_traces() if t[1] == 11011 + 33]
                assert tracemalloc.take_snapshot().statistics("lineno")
                ''')
            assert [t for t in blocks() if t[1] == 11011 + 33]
            interpreter.close()
            check_exact()
            tracemalloc.stop()
            """)

    def test_S103_fork_only_file_names_outlive_their_interpreter(self):
        self.child("""
            from test.support import interpreters
            tracemalloc.start(3)
            for number in range(5):
                interpreter = interpreters.create()
                interpreter.exec(f'''if True:
                    import ctypes
                    raw = ctypes.pythonapi.PyMem_RawMalloc
                    raw.restype, raw.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
                    exec(compile("address = raw(70007 + {number})",
                                 "gone in {number}", "exec"))
                    ''')
                interpreter.close()
            found = {t[1] - 70007: t[2][0] for t in blocks(70007) if t[1] < 70107}
            assert found == {n: (f"gone in {n}", 1) for n in range(5)}, found
            tracemalloc.take_snapshot().statistics("traceback")
            tracemalloc.clear_traces()
            """)

    def test_S98_fork_only_no_memory_for_a_trace_never_fails_the_program(self):
        # The hook lies below the tracer here: what fails is either the block
        # or the trace, and only the block may be noticed.  Stock aborts.
        self.child("""
            for number in range(120):
                tracemalloc.start(3)
                kept = [bytearray(5000)]
                tracemalloc.stop()
                try:
                    _testcapi.set_nomemory(number, number + 3)
                    tracemalloc.start(3)
                    for size in 10000, 20000, 40000:
                        kept[0].extend(bytes(size))
                        kept.append([bytes(size), {size: [size]}])
                except MemoryError:
                    pass
                finally:
                    _testcapi.set_nomemory(2 ** 31 - 1)
                    tracemalloc.stop()
                    _testcapi.remove_mem_hooks()
                tracemalloc.start()
                check_exact(number)
                tracemalloc.stop()
            """)

    def test_S107_fork_only_no_memory_is_held_after_stop(self):
        self.child("""
            for session in range(20):
                tracemalloc.start(session * 3 + 1)
                kept = [bytes(n) for n in range(3000)]
                assert tracemalloc.get_tracemalloc_memory() > 0
                tracemalloc.stop()
                assert tracemalloc.get_tracemalloc_memory() == 0, session
            """)


if __name__ == "__main__":
    unittest.main()
