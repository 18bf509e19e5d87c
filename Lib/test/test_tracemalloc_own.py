"""What the library does to take, compare and write snapshots shows nowhere.

It is noted all the same, under a context that nobody sees: so what it leaves
in free lists is the program's as soon as the program takes it from there.
"""
import unittest
from textwrap import dedent
from test import support
from test.support.import_helper import import_module
from test.support.os_helper import temp_dir
from test.support.script_helper import assert_python_ok
from test.support.threading_helper import requires_working_threading
from test.tracemalloc_scripts import allocators

# Each script runs in a child of its own, where no cache is filled yet.
PRELUDE = r"""
import _tracemalloc, gc, signal, sys, threading, tracemalloc
from _tracemalloc import _quietly
from tracemalloc import get_object_traceback, take_snapshot

# What was in free lists before tracing began is not traced.
gc.collect()

KEYS = "lineno", "filename", "traceback", "function", "module", "thread", "domain"

def columns(snapshot):
    data = snapshot.traces._data
    return {name: list(column) for name, column in data.columns().items()}

def line_of(kept):
    found = get_object_traceback(kept)
    return None if found is None else found[-1].lineno

def check_equal(*snapshots):
    first = snapshots[0]
    for other in snapshots[1:]:
        for key in KEYS:
            assert first.statistics(key) == other.statistics(key), key
            for diff in other.compare_to(first, key):
                assert diff.size_diff == diff.count_diff == 0, diff
                assert diff.allocated_count == diff.freed_count == 0, diff
        for key in KEYS[:2]:
            assert (first.statistics(key, cumulative=True)
                    == other.statistics(key, cumulative=True)), key
        theirs, mine = columns(other), columns(first)
        for name in mine:
            assert theirs[name] == mine[name], name
        assert first.traces._data.names == other.traces._data.names
        for name in "traced_memory", "traced_memory_peak":
            assert first.metadata[name] == other.metadata[name], name

def check_totals():
    _tracemalloc._check()
    if tracemalloc.get_sample_interval() is not None:
        # Each figure is rounded by itself.
        return
    snapshot = take_snapshot()
    traced = sum(stat.size for stat in snapshot.statistics("filename"))
    assert traced == snapshot.metadata["traced_memory"], (traced, snapshot.metadata)
    peak = tracemalloc.take_peak_snapshot()
    at_peak = sum(stat.size for stat in peak.statistics("filename"))
    assert at_peak == peak.metadata["traced_memory_peak"], (at_peak, peak.metadata)
"""


class QuietTests(unittest.TestCase):

    def run_script(self, script, *arguments, **environment):
        _, out, err = assert_python_ok(
            "-c", PRELUDE + dedent(script), *arguments, **environment)
        self.assertEqual(err, b"")
        return out.decode()

    # Nothing of the library shows

    EQUAL = """
        def main():
            first = take_snapshot()
            second = take_snapshot()
            third = take_snapshot()
            check_equal(first, second, third)
            check_totals()

        interval = int(sys.argv[2]) or None
        tracemalloc.start(int(sys.argv[1]), sample_interval=interval)
        main()
        main()
    """

    def test_snapshots_in_a_row_are_equal(self):
        for limit in 1, 25, 65535:
            with self.subTest(limit=limit):
                self.run_script(self.EQUAL, str(limit), "0")

    def test_snapshots_of_samples_in_a_row_are_equal(self):
        # Every block is a sample, with a probability of 1 - exp(-16) at least;
        # whichever are, nothing happens in between.
        self.run_script(self.EQUAL, "25", "1")
        self.run_script(self.EQUAL, "25", "1000")

    def test_equal_above_other_allocators(self):
        for allocator in allocators("malloc", "pymalloc_debug", "debug"):
            with self.subTest(allocator=allocator):
                self.run_script(self.EQUAL, "25", "0", PYTHONMALLOC=allocator)

    def test_equal_in_an_interpreter_of_its_own(self):
        import_module("_interpreters")
        self.run_script(f"""
            import _interpreters

            code = {PRELUDE + dedent(self.EQUAL)!r}
            for kind in "isolated", "legacy":
                other = _interpreters.create(kind)
                fault = _interpreters.exec(
                    other, "import sys; sys.argv[:] = ['', '25', '0']; "
                    f"exec({{code!r}}, {{{{'__name__': 'other'}}}})")
                assert fault is None, fault
                _interpreters.destroy(other)
                assert tracemalloc.is_tracing()
                tracemalloc.stop()
        """)

    def test_comparing_and_writing_show_nothing(self):
        with temp_dir() as folder:
            self.run_script("""
                def main():
                    kept = take_snapshot(), take_snapshot()
                    for name in "a.tmz", "a.pickle":
                        before = take_snapshot()
                        kept[0].dump(sys.argv[1] + "/" + name)
                        after = take_snapshot()
                        found = [diff for diff in after.compare_to(before, "lineno")
                                 if diff.size_diff or diff.count_diff]
                        # The name of the file is a string of this line.
                        assert not any("tracemalloc" in diff.traceback[0].filename
                                       for diff in found), found
                    for key in KEYS:
                        kept[0].statistics(key)
                        kept[1].compare_to(kept[0], key)
                    before = take_snapshot()
                    size = _quietly(sum_of, kept)
                    check_equal(before, take_snapshot())
                    check_totals()

                def sum_of(snapshots):
                    for key in KEYS:
                        snapshots[1].compare_to(snapshots[0], key)
                    return sum(stat.size for stat in snapshots[0].statistics("lineno"))

                tracemalloc.start(25)
                main()
            """, folder)

    @unittest.skipIf(support.Py_GIL_DISABLED, "what others freed is given "
                     "back, and queued, by whoever runs")
    @requires_working_threading()
    def test_a_watch_shows_nothing(self):
        with temp_dir() as folder:
            self.run_script("""
                import os

                def wait(watch, number):
                    while len(watch.filenames) < number:
                        os.sched_yield()

                def main():
                    watch = tracemalloc.watch(sys.argv[1] + "/$counter.tmz",
                                              interval=1e-6)
                    wait(watch, 2)
                    # Names of what was imported until here may be kept by the
                    # cache of attributes alone, and go when the watch looks
                    # something up.
                    sys._clear_internal_caches()
                    before = take_snapshot()
                    wait(watch, 5)
                    after = take_snapshot()
                    watch.stop()
                    for diff in after.compare_to(before, "lineno"):
                        assert diff.size_diff == diff.count_diff == 0, diff
                    assert watch.error is None

                tracemalloc.start(25)
                main()
            """, folder)

    def test_results_are_the_programs(self):
        self.run_script("""
            tracemalloc.start(25)
            blocks = [bytearray(n) for n in range(9)]
            first, second = take_snapshot(), take_snapshot()
            stats = second.statistics("lineno")
            diffs = second.compare_to(first, "lineno")
            for kept in stats, stats[0], diffs, diffs[0], diffs[0].traceback:
                assert get_object_traceback(kept) is not None
            assert get_object_traceback(first) is None
        """)

    def test_snapshots_of_the_2013_interface(self):
        self.run_script("""
            import pytracemalloc

            def main():
                first = pytracemalloc.Snapshot.create()
                second = pytracemalloc.Snapshot.create()
                assert first.stats == second.stats

            pytracemalloc.enable()
            main()
        """)

    # Figures

    def test_traced_memory_and_its_peak_do_not_count_it(self):
        self.run_script("""
            def main():
                kept = bytearray(50_000)
                gone = bytearray(1_000_000)
                del gone
                expect(50_000, 1_050_000)
                _quietly(bytearray, 10_000_000)
                held = _quietly(bytearray, 3_000_000)
                expect(50_000, 1_050_000)
                _tracemalloc._check()
                held = None
                expect(50_000, 1_050_000)
                higher = bytearray(1_100_000)
                expect(1_150_000, 1_150_000)
                higher = None
                expect(50_000, 1_150_000)
                held = _quietly(bytearray, 3_000_000)
                expect(50_000, 1_150_000)
                tracemalloc.reset_peak()
                expect(50_000, 50_000)
                check_totals()

            def expect(*figures):
                # There are a few objects besides.
                for is_now, expected in zip(tracemalloc.get_traced_memory(), figures):
                    assert expected <= is_now < expected + 5_000, is_now

            tracemalloc.start()
            main()
            tracemalloc.clear_traces()
            assert tracemalloc.get_traced_memory()[0] < 1000
            main()
        """)

    # Everything of the program does

    def test_what_was_left_in_free_lists_is_traced(self):
        script = """
            def fill():
                # All kinds that have free lists, and more than these hold.
                lists = [[n] for n in range(300)]
                dicts = [{n: n} for n in range(300)]
                floats = [n / 7 for n in range(300)]
                tuples = [(n,) * (n % 21) for n in range(3000)]
                slices = [slice(n) for n in range(10)]

            def main():
                take_snapshot()
                _quietly(fill)
                for _ in range(300):
                    kept.append([1])
                    kept.append({1: _})
                    kept.append(_ / 7)
                    kept.append((_,))
                    kept.append((_, _, _))
                    kept.append(slice(_))
                lost = [type(each) for each in kept if line_of(each) is None]
                assert not lost, lost
                _tracemalloc._check()

            kept = []
            interval = int(sys.argv[1]) or None
            tracemalloc.start(sample_interval=interval)
            main()
        """
        self.run_script(script, "0")
        for allocator in allocators("malloc", "debug"):
            self.run_script(script, "0", PYTHONMALLOC=allocator)

    def test_what_the_program_has_is_left_alone(self):
        self.run_script("""
            def main():
                kept = [[n] for n in range(100)]
                lines = list(map(line_of, kept))
                spare = [[n] for n in range(100)]
                del spare
                _quietly(lambda: [[n] for n in range(100)])
                assert list(map(line_of, kept)) == lines
                _tracemalloc._check()

            tracemalloc.start()
            main()
        """)

    # What runs in the middle of a snapshot: describe() is called by the
    # library. What it hides is of a kind that has no free list: from there, an
    # object stays whose it was.
    MIDDLE = """
        from tracemalloc import _metadata

        kept, hidden = [], []
        describe = _metadata.describe

        def middle(*arguments):
            hidden.append(object())
            interrupt()
            hidden.append(object())
            return describe(*arguments)

        def check():
            _metadata.describe = middle
            take_snapshot()
            assert kept
            assert all(line_of(each) is not None for each in kept), kept
            assert len(hidden) == 2
            assert all(line_of(each) is None for each in hidden), hidden
            kept.append([3])
            assert line_of(kept[-1]) is not None
            _tracemalloc._check()

        tracemalloc.start(25)
    """

    def run_in_the_middle(self, script):
        self.run_script(dedent(self.MIDDLE) + dedent(script))

    def test_handlers_of_signals_are_traced(self):
        self.run_in_the_middle("""
            def handle(number, frame):
                kept.append([bytearray(1000)])

            def interrupt():
                signal.raise_signal(signal.SIGINT)

            signal.signal(signal.SIGINT, handle)
            check()
        """)

    def test_pending_calls_are_traced(self):
        import_module("_testcapi")
        self.run_in_the_middle("""
            import _testcapi

            def interrupt():
                _testcapi._pending_threadfunc(
                    lambda: kept.append(bytearray(1000)))

            check()
        """)

    def test_handlers_may_take_snapshots(self):
        self.run_in_the_middle("""
            def handle(number, frame):
                _metadata.describe = describe
                kept.append([1])
                take_snapshot()
                kept.append([2])

            def interrupt():
                signal.raise_signal(signal.SIGINT)

            signal.signal(signal.SIGINT, handle)
            check()
        """)

    def test_handlers_may_raise(self):
        self.run_script(dedent(self.MIDDLE) + dedent("""
            def handle(number, frame):
                raise KeyError

            def interrupt():
                signal.raise_signal(signal.SIGINT)

            signal.signal(signal.SIGINT, handle)
            _metadata.describe = middle
            try:
                take_snapshot()
            except KeyError:
                kept.append([1])
            assert line_of(kept[0]) is not None
            _tracemalloc._check()
        """))

    def test_finalizers_are_traced(self):
        self.run_in_the_middle("""
            import weakref

            class Cycle:
                def __init__(self):
                    self.own = self

                def __del__(self):
                    kept.append([1])

            class Plain:
                pass

            def interrupt():
                gc.collect()

            one = Plain()
            one.own = one
            reference = weakref.ref(one, lambda _: kept.append([2]))
            del one
            Cycle()
            gc.callbacks.append(lambda *_: kept.append([3]))
            check()
            assert {each[0] for each in kept} == {1, 2, 3}
        """)

    def test_trace_functions_and_audit_hooks_are_traced(self):
        self.run_in_the_middle("""
            def trace(frame, event, argument):
                frame.f_trace_opcodes = True
                if len(kept) < 100:
                    kept.append([event])
                return trace

            def audit(*_):
                if len(kept) < 200:
                    kept.append(["audit"])

            def interrupt():
                sys.settrace(trace)
                len_of(())
                sys.settrace(None)
                sys.addaudithook(audit)
                sys.audit("some.event")

            def len_of(values):
                return len(values)

            check()
            events = {each[0] for each in kept}
            assert events >= {"call", "line", "opcode", "return", "audit"}
        """)

    def test_exceptions_end_it(self):
        self.run_script("""
            def fail():
                raise KeyError

            tracemalloc.start()
            for bad in fail, int:
                try:
                    _quietly(bad, "x")
                except (KeyError, ValueError, TypeError):
                    pass
                kept = [1]
                assert line_of(kept) is not None
            try:
                _quietly()
            except TypeError as error:
                print(error)
        """)

    @requires_working_threading()
    def test_other_threads_are_traced(self):
        self.run_script("""
            kept, hidden = [], []

            def work():
                kept.append([bytearray(100)])

            def main():
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()
                hidden.append(object())

            tracemalloc.start()
            _quietly(main)
            assert line_of(kept[0]) is not None
            assert line_of(hidden[0]) is None

            # A thread may end, or tracing, while one is quiet.
            threading.Thread(target=_quietly, args=(sys.exit,)).start()

            def restart(function):
                function()
                hidden.append(object())

            for function in tracemalloc.clear_traces, tracemalloc.stop:
                _quietly(restart, function)
                tracemalloc.start()
                # Of a kind without free list: what is there is not traced.
                kept.append(object())
                assert line_of(kept[-1]) is not None
                _tracemalloc._check()
            check_totals()
        """)

    @support.requires_fork()
    def test_a_child_of_a_fork_is_as_quiet(self):
        self.run_script("""
            import os

            kept, hidden = [], []

            def main():
                child = os.fork()
                hidden.append(object())
                return child

            tracemalloc.start()
            child = _quietly(main)
            kept.append([1])
            good = line_of(kept[0]) is not None and line_of(hidden[0]) is None
            _tracemalloc._check()
            if child == 0:
                os._exit(not good)
            assert good
            assert os.waitpid(child, 0)[1] == 0
        """)

    def test_many_contexts_come_and_go(self):
        # In the build with tiny tables, contexts are reclaimed all the time.
        self.run_script("""
            def call(depth, function):
                return function() if depth == 0 else call(depth - 1, function)

            def main():
                for number in range(60):
                    scope = {}
                    exec(f"def f(): return [[{number}] for _ in range(3)]", scope)
                    call(number % 40, scope["f"])
                    _quietly(call, number % 40, scope["f"])
                    tracemalloc.reset_peak()
                _tracemalloc._check()
                check_equal(take_snapshot(), take_snapshot())

            tracemalloc.start(65535)
            main()
        """)


if __name__ == "__main__":
    unittest.main()
