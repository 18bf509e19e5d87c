"""What the tracer counts per context: totals, domains, the state at the peak.

Each test runs in a child, and has the tracer check all of its data.
"""
import sysconfig
import textwrap
import unittest

from test.support import threading_helper
from test import tracemalloc_children

PRELUDE = """
    DOMAIN, TRACEBACK, TOTAL, ALLOCATED, ALLOCATED_BYTES, FREED, FREED_BYTES, PEAK, \\
        PEAK_BYTES = range(9)
    MiB = 1 << 20

    def contexts(domain=0, at_least=0):
        return [context for context in _tracemalloc._get_contexts()
                if context[DOMAIN] == domain and context[ALLOCATED_BYTES] >= at_least]

    # That the state at the peak adds up to the peak is one of its checks.
    check = _tracemalloc._check
    """


class ChildTests(tracemalloc_children.ChildTests):

    def child(self, code, *options, **variables):
        super().child(textwrap.dedent(PRELUDE) + textwrap.dedent(code),
                      *options, **variables)


class PeakTests(ChildTests):
    """The state at the peak, when the peak is made without the GIL."""

    def test_block_reported_without_the_gil_is_in_the_state_at_the_peak(self):
        self.child("""
            tracemalloc.start()
            assert free.PyTraceMalloc_Track(7, 4096, 50 * MiB) == 0
            peak = _tracemalloc.get_traced_memory()[1]
            assert 50 * MiB < peak < 51 * MiB
            assert [context[ALLOCATED:] for context in contexts(7)] == [
                (1, 50 * MiB, 0, 0, 1, 50 * MiB)]
            check()
            assert free.PyTraceMalloc_Untrack(7, 4096) == 0
            assert [context[ALLOCATED:] for context in contexts(7)] == [
                (1, 50 * MiB, 1, 50 * MiB, 1, 50 * MiB)]
            # The lists above may have made a new maximum, while the block was
            # there.
            assert peak <= _tracemalloc.get_traced_memory()[1] < peak + MiB
            check()
            """)

    def test_raw_block_that_grows_and_shrinks_without_the_gil(self):
        self.child("""
            tracemalloc.start()
            address = free.PyMem_RawMalloc(20 * MiB)
            check()
            address = free.PyMem_RawRealloc(address, 60 * MiB)
            check()
            address = free.PyMem_RawRealloc(address, 30 * MiB)
            check()
            # The calls allocate a few small objects at the same places.
            at_peak = [context[PEAK_BYTES] // MiB for context in contexts(0, 20 * MiB)]
            assert sorted(at_peak) == [0, 0, 60], at_peak
            free.PyMem_RawFree(address)
            check()
            tracemalloc.reset_peak()
            assert max(context[PEAK_BYTES] for context in contexts(0, 20 * MiB)) < MiB
            check()
            """)

    def test_peak_of_others_is_not_disturbed(self):
        self.child("""
            tracemalloc.start()
            kept = bytes(40 * MiB); where = line()
            del kept
            assert free.PyTraceMalloc_Track(7, 4096, 30 * MiB) == 0
            assert free.PyTraceMalloc_Track(7, 8192, 5 * MiB) == 0
            assert free.PyTraceMalloc_Untrack(7, 4096) == 0
            (context,) = contexts(0, 40 * MiB)
            assert context[TRACEBACK][0] == ("<string>", where)
            assert context[PEAK_BYTES] // MiB == 40, context
            assert {context[PEAK_BYTES] for context in contexts(7)} == {0}
            check()
            """)

    @threading_helper.requires_working_threading()
    def test_threads_without_the_gil_push_the_peak_together(self):
        self.child(tracemalloc_children.FOREIGN
                   + textwrap.dedent("""
            tracemalloc.start()
            def work(n):
                for i in range(200):
                    assert free.PyTraceMalloc_Track(n, i, (i * n % 37 + 1) * 10000) == 0
                    address = free.PyMem_RawMalloc(i * 1000)
                    address = free.PyMem_RawRealloc(address, n * 777)
                    if i % 3:
                        assert free.PyTraceMalloc_Untrack(n, i) == 0
                    free.PyMem_RawFree(address)
                    if i % 50 == 0:
                        tracemalloc.reset_peak()
                        address = in_foreign_thread(free.PyMem_RawMalloc, 100 * MiB)
                        in_foreign_thread(free.PyMem_RawFree, address)
            threads = [threading.Thread(target=work, args=(n,)) for n in (1, 2, 3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for n in 1, 2, 3:
                expected = sum((i * n % 37 + 1) * 10000 for i in range(0, 200, 3))
                rows = contexts(n)
                assert sum(row[ALLOCATED] for row in rows) == 200
                assert sum(row[ALLOCATED] - row[FREED] for row in rows) == 67
                assert sum(row[ALLOCATED_BYTES] - row[FREED_BYTES] for row in rows) == expected
            check()
            """))


class DomainTests(ChildTests):

    def test_any_number_of_domains_comes_out_exactly(self):
        self.child("""
            tracemalloc.start(3)
            sizes = {}
            for i in range(1500):
                domain = (0xffffffff, 1, 0x80000000, 256)[i] if i < 4 else 1000 + i * 7919
                sizes[domain] = 100 + i
            def report(domain, size):
                assert held.PyTraceMalloc_Track(domain, 4096, size) == 0
                assert held.PyTraceMalloc_Track(domain, 8192, 2 * size) == 0; return line()
            for domain, size in sizes.items():
                where = report(domain, size)
            traces = {}
            for domain, size, frames, total in _tracemalloc._get_traces():
                if domain:
                    assert frames[0][1] in (where, where - 1) and total == 2
                    traces.setdefault(domain, []).append(size)
            assert {domain: sorted(found) for domain, found in traces.items()} == {
                domain: [size, 2 * size] for domain, size in sizes.items()}

            found = {}
            for row in _tracemalloc._get_contexts():
                if row[DOMAIN]:
                    assert row[ALLOCATED] == 1 and row[FREED] == 0
                    found.setdefault(row[DOMAIN], []).append(row[ALLOCATED_BYTES])
            assert {domain: sorted(bytes) for domain, bytes in found.items()} == {
                domain: [size, 2 * size] for domain, size in sizes.items()}
            check()

            for domain in sizes:
                assert held.PyTraceMalloc_Untrack(domain, 4096) == 0
                assert held.PyTraceMalloc_Untrack(domain, 8192) == 0
            live = {row[DOMAIN] for row in _tracemalloc._get_contexts()
                    if row[ALLOCATED] != row[FREED]}
            assert live == {0}, live
            check()

            # Numbers begin anew with the next session, and after clearing.
            tracemalloc.clear_traces()
            for domain in reversed(sizes):
                assert held.PyTraceMalloc_Track(domain, 4096, sizes[domain]) == 0
            assert {row[DOMAIN]: row[ALLOCATED_BYTES] for row in _tracemalloc._get_contexts()
                    if row[DOMAIN]} == sizes
            check()
            """)

    def test_sizes_whose_sum_no_number_holds(self):
        # Only differences mean anything then: nothing is broken by it.
        self.child("""
            tracemalloc.start()
            kept = bytes(1000)
            for library in held, free:
                for address in range(5):
                    assert library.PyTraceMalloc_Track(7, address, 2 ** 64 - 1) == 0
                    check()
                for address in range(4):
                    assert library.PyTraceMalloc_Untrack(7, address) == 0
                    check()
                assert sum(row[ALLOCATED] - row[FREED] for row in contexts(7)) == 1
                assert sum(row[ALLOCATED_BYTES] - row[FREED_BYTES]
                           for row in contexts(7)) % 2 ** 64 == 2 ** 64 - 1
                assert library.PyTraceMalloc_Untrack(7, 4) == 0
            current = _tracemalloc.get_traced_memory()[0]
            assert 1000 < current < 10 * MiB, current
            """)


@unittest.skipUnless(
    "TRACEMALLOC_STRESS" in (sysconfig.get_config_var("PY_CORE_CFLAGS") or ""),
    "numbers do not run out but in a build with --enable-tracemalloc-stress")
class ExhaustionTests(ChildTests):
    """More places than have numbers; then nobody needs them any more."""

    EXHAUST = """
        tracemalloc.start()
        dropped = _tracemalloc._get_dropped
        def allocate(number, kept):
            # As many places as lines.
            lines = "kept.append([])\\n" * number
            exec(compile(lines, "places", "exec"), {"kept": kept})
        def recovers():
            kept = []
            allocate(100, kept)
            before = dropped()
            allocate(1000, kept)
            assert dropped() == before, (before, dropped())
            assert len(kept) == 1100
            check()
        """

    def test_contexts_that_ran_out_come_back_when_their_blocks_are_freed(self):
        self.child(textwrap.dedent(self.EXHAUST) + textwrap.dedent("""
            for round in range(3):
                kept = []
                before = dropped()
                while dropped() < before + 5000:
                    allocate(1000, kept)
                check()
                del kept
                tracemalloc.reset_peak()
                recovers()
            """))

    def test_paths_that_ran_out_come_back_when_the_calls_have_returned(self):
        self.child(textwrap.dedent(self.EXHAUST) + textwrap.dedent("""
            sys.setrecursionlimit(100_000)
            def descend(depth):
                return descend(depth - 1) if depth else [[]]
            for round in range(3):
                before = dropped()
                kept = descend(40_000)
                assert dropped() > before
                check()
                del kept
                tracemalloc.reset_peak()
                recovers()
            """))

    def test_objects_of_free_lists_do_not_keep_their_last_owner(self):
        code = textwrap.dedent(self.EXHAUST) + textwrap.dedent("""
            def make():
                return [1]
            for interval in None, 1:
                tracemalloc.stop()
                tracemalloc.start(sample_interval=interval)
                # The first ones come from free lists, and are not traced.
                given_back = [[number] for number in range(200)]
                del given_back[:150]
                for one in given_back:
                    assert tracemalloc.get_object_traceback(one)
                kept = []
                before = dropped()
                while dropped() == before:
                    allocate(1000, kept)
                before = dropped()
                # None of these lines has a number yet.
                del given_back[:]
                taken = [make() for _ in range(40)]
                for one in taken:
                    found = tracemalloc.get_object_traceback(one)
                    assert found is None, found
                assert dropped() >= before + 40
                check()
            """)
        # In cells, and in a table.
        for allocator in "pymalloc", "pymalloc_debug":
            with self.subTest(allocator=allocator):
                self.child(code, PYTHONMALLOC=allocator)

    def test_domains_ask_for_reclaims_as_well(self):
        self.child(textwrap.dedent(self.EXHAUST) + textwrap.dedent("""
            for domain in range(1, 100_000):
                assert held.PyTraceMalloc_Track(domain, 4096, 100) == 0
                assert held.PyTraceMalloc_Untrack(domain, 4096) == 0
            assert dropped() == 0
            recovers()
            """))


if __name__ == "__main__":
    unittest.main()
