"""What C code relies on: Track and Untrack, allocators, hooks, lack of memory.

Rows S07, S14, S26, S90 to S93, S96 to S98 and I09, I12 of the requirements.
Nearly all of it runs in child processes: see test/tracemalloc_children.py.

Tests of class ForkOnlyTests promise what stock does not: they fail there.
"""
import unittest
from test.tracemalloc_children import ChildTests
from test.tracemalloc_scripts import allocators, needs_pymalloc
from test import support

needs_gil_without_memory = unittest.skipIf(
    support.Py_GIL_DISABLED, "the base, built without the GIL, crashes as "
    "well when there is no memory for the items of a list")


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
                assert moved - size in (0, NUMBER), moved
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
                        sys._clear_internal_caches()
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

    @unittest.skipIf(support.Py_GIL_DISABLED, "objects have no such header "
                     "without a GIL")
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
        for malloc in allocators("malloc", "debug", "malloc_debug", "pymalloc",
                                 "pymalloc_debug", "mimalloc",
                                 "mimalloc_debug", "default"):
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

    @needs_pymalloc
    def test_S97_what_pymalloc_passes_on_comes_by_raw_hooks(self):
        # They fail on purpose: then there is no block, and an old one stays.
        self.child("""
            def passes_by(hook):
                kept = held.PyMem_Malloc(5000)
                _testcapi.set_nomemory(0)       # all domains, and the hook
                _testcapi.remove_mem_hooks()
                results = (held.PyMem_Malloc(5000), held.PyMem_Calloc(50, 100),
                           held.PyMem_Realloc(kept, 9000))
                _testcapi.set_nomemory(2 ** 31 - 1)
                _testcapi.remove_mem_hooks()
                assert traced(kept)
                kept = held.PyMem_Realloc(kept, 9000)
                assert kept is not None
                held.PyMem_Free(kept)
                assert not blocks(5000), blocks(5000)
                _tracemalloc._check()
                return results == (None, None, None)
            below = Hook(RAW)
            tracemalloc.start()
            assert passes_by(below)
            above = Hook(RAW)
            assert passes_by(above)
            above.remove()
            tracemalloc.stop()
            below.remove()
            tracemalloc.start()
            check_exact()
            above = Hook(RAW)
            assert passes_by(above)
            above.remove()
            check_exact()
            """)

    def test_S97_blocks_of_all_sizes_on_top_of_every_allocator(self):
        for malloc in allocators("pymalloc", "malloc", "pymalloc_debug",
                                 "mimalloc"):
            with self.subTest(malloc=malloc):
                self.child("""
                    import random
                    draw = random.Random(5)
                    sizes = 16, 511, 512, 513, 600, 850, 5000, 200000
                    tracemalloc.start()
                    live = {}
                    def note(size):
                        address = held.PyMem_Malloc(size)
                        assert address is not None and address not in live
                        live[address] = size
                    if "debug" not in os.environ["PYTHONMALLOC"]:
                        note(2 ** 30 + 1)               # is not touched
                    huge = set(live)
                    for step in range(3000):
                        size = draw.choice(sizes)
                        if draw.randrange(5) < 2 or live.keys() == huge:
                            note(size)
                            continue
                        address = draw.choice([*live.keys() - huge])
                        del live[address]
                        if draw.randrange(3):
                            held.PyMem_Free(address)
                            assert traced(address) is None
                        else:
                            moved = held.PyMem_Realloc(address, size)
                            assert moved is not None and moved not in live
                            live[moved] = size
                        if step % 500 == 0:
                            _tracemalloc._check()
                    for address in live:
                        assert traced(address) is not None
                        assert traced(address + 1) is None
                    for size in 600, 850, 200000, 2 ** 30 + 1:
                        found = [trace for trace in blocks(size) if trace[1] == size]
                        assert len(found) == list(live.values()).count(size), size
                    for address in live:
                        held.PyMem_Free(address)
                        assert traced(address) is None
                    _tracemalloc._check()
                    """, PYTHONMALLOC=malloc)

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
    @needs_pymalloc
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

    @needs_gil_without_memory
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

    @needs_gil_without_memory
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


if __name__ == "__main__":
    unittest.main()
