"""Figures of single calls, their limits and their baselines.

What tracemalloc.pytest is made of, without pytest.
"""
import os
import unittest
from textwrap import dedent
from test.support.os_helper import temp_dir
from test.support.script_helper import assert_python_ok

from tracemalloc import _baseline, _limits
from tracemalloc._baseline import BaselineError, Tolerance

# Each script runs in a child, whose caches and garbage are its own.
PRELUDE = """
import gc, sys, tracemalloc
from tracemalloc._measure import Measure, full_collections, growth
from tracemalloc import _measure

def measured(function, **options):
    measure = Measure(**options)
    measure.call(function)
    return measure

def nothing():
    pass

def block(size):
    # Just one, and nothing to call.
    return b"x" * size

SIZE = sys.getsizeof(block(1000))

tracemalloc.start(25)
# What the first call of anything leaves behind is not what is tested.
measured(nothing, snapshots=True)
"""


class MeasureTests(unittest.TestCase):

    def run_script(self, script, *arguments):
        _, out, err = assert_python_ok("-c", PRELUDE + dedent(script),
                                       *arguments)
        self.assertEqual(err, b"")
        return out.decode()

    def test_nothing_is_nothing(self):
        self.run_script("""
            for snapshots in False, True:
                for collections in None, full_collections():
                    for _ in range(3):
                        measure = measured(nothing, snapshots=snapshots,
                                           collections=full_collections())
                        found = measure.peak, measure.leaked, measure.fault
                        assert found == (0, 0, None), found
        """)

    def test_peak_and_leak_are_the_bytes_that_were_asked_for(self):
        self.run_script("""
            kept = [None]
            def call():
                kept[0] = block(1000)
                block(5000)
            measure = measured(call)
            assert measure.leaked == SIZE, measure.leaked
            assert measure.peak == SIZE + SIZE + 4000, measure.peak
            # It takes the place of an equal one.
            measure = measured(call)
            assert measure.leaked == 0, measure.leaked
            kept[0] = None
        """)

    def test_what_is_freed_counts_less(self):
        self.run_script("""
            kept = [bytearray(1000)]
            measure = measured(kept.clear)
            assert measure.leaked < -1000, measure.leaked
            assert measure.peak == 0, measure.peak
        """)

    def test_every_run_tells_the_same(self):
        self.run_script("""
            def call():
                words = {str(n): [n] for n in range(2000)}
                words["self"] = words
                sorted(words)
            call()
            found = {(measure.peak, measure.leaked) for measure in
                     (measured(call, snapshots=n % 2 == 0,
                               collections=full_collections())
                      for n in range(5))}
            assert len(found) == 1, found
            (peak, leaked), = found
            assert leaked == 0 and peak > 100_000, found
        """)

    def test_garbage_is_no_leak_however_old(self):
        self.run_script("""
            class Node:
                pass
            def cycle():
                node = Node()
                node.self, node.data = node, bytearray(1000)
                return node
            def make_garbage():
                cycle()
            gc.disable()
            make_garbage()
            measure = measured(make_garbage, collections=full_collections())
            assert measure.leaked == 0, measure.leaked
            # New memory that is held by an old cycle only.
            old = cycle()
            def let_go():
                global old
                old.more = bytearray(1000)
                del old
            gc.collect()
            before = full_collections()
            measure = measured(let_go, collections=before)
            assert measure.leaked < 0, measure.leaked
            # Without a GIL, any collection finds all garbage.
            gil = sys._is_gil_enabled()
            assert full_collections() == before + gil
            # Old garbage is gone before, where there may be some.
            old = cycle()
            gc.collect()
            del old
            measure = measured(nothing)
            assert measure.leaked == 0, measure.leaked
        """)

    def test_what_free_lists_hold_is_no_leak(self):
        self.run_script("""
            def call():
                [(n, n) for n in range(1000)]
                [float(n) for n in range(1000)]
            call()
            measure = measured(call, collections=full_collections())
            assert measure.leaked == 0, measure.leaked
        """)

    def test_the_measure_itself_takes_nothing_from_free_lists(self):
        self.run_script("""
            measure = None
            def call():
                [({}, [], ()) for _ in range(100)]
                if measure is not None:
                    measure.begin_peak()
                [({}, [None], (n,)) for n in range(100)]
                if measure is not None:
                    measure.end_peak()
                [({}, [None], (n,)) for n in range(100)]
            call()
            for snapshots in False, True:
                measure = Measure(snapshots)
                measure.call(call)
                assert measure.leaked == 0, (snapshots, measure.leaked)
            measure = None
            assert measured(call, snapshots=True).leaked == 0
        """)

    def test_other_threads_count(self):
        self.run_script("""
            import threading
            kept = []
            def work():
                kept.append(bytearray(100_000))
            def call():
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()
            call()
            # What the interpreter has for objects of other threads stays.
            measured(call)
            measure = measured(call)
            assert 100_000 < measure.leaked < 101_000, measure.leaked
            assert measure.peak > 100_000, measure.peak
        """)

    def test_regions_inside_do_not_hide_the_peak(self):
        self.run_script("""
            def call():
                block(99999)
                with tracemalloc.trace() as region:
                    block(999)
                assert region.peak_size < 99999
            with tracemalloc.trace(): pass
            measure = measured(call, snapshots=True)
            assert 99999 < measure.peak < 110000, measure.peak
            rows, _, _ = growth(measure.before_peak, measure.at_peak, "")
            assert max(row.size for row in rows) == SIZE + 98999, [
                (row.size, row.frame) for row in rows]
        """)

    def test_a_measure_inside_a_region_does_not_hide_the_regions_peak(self):
        self.run_script("""
            with tracemalloc.trace() as region:
                bytearray(9999)
                measured(nothing)
            assert region.peak_size > 9999, region.peak_size
        """)

    def test_the_peak_may_be_that_of_a_part(self):
        self.run_script("""
            kept = []
            measure = Measure(snapshots=True)
            def call():
                block(100_000)
                kept.append(block(1000))
                measure.begin_peak()
                block(5000)
                measure.end_peak()
                block(100_000)
            measure.call(call)
            assert measure.peak == SIZE + 4000, measure.peak
            assert measure.leaked > SIZE, measure.leaked
            rows, _, _ = growth(measure.before_peak, measure.at_peak, "")
            assert sum(row.size for row in rows) == measure.peak, rows
            # Elsewhere they do nothing.
            measure.begin_peak()
            measure.end_peak()
            assert measure.peak == SIZE + 4000, measure.peak
        """)

    def test_an_exception_goes_through_and_leaves_the_peak(self):
        self.run_script("""
            def call():
                bytearray(5000)
                raise KeyError
            measure = Measure(snapshots=True)
            try:
                measure.call(call)
            except KeyError:
                pass
            else:
                raise AssertionError
            assert measure.peak >= 5000 and measure.leaked is None
        """)

    def test_why_there_are_no_figures(self):
        self.run_script("""
            def restart():
                tracemalloc.stop()
                tracemalloc.start()
            for function, fault in (
                    (tracemalloc.clear_traces, _measure.CLEARED),
                    (restart, _measure.CLEARED),
                    (tracemalloc.stop, _measure.OFF)):
                for snapshots in False, True:
                    tracemalloc.start(25)
                    measure = measured(function, snapshots=snapshots)
                    found = measure.peak, measure.leaked, measure.fault
                    assert found == (None, None, fault), found
            tracemalloc.start(25, sample_interval=1000)
            measure = measured(nothing)
            assert measure.fault == _measure.SAMPLED and measure.peak is None
        """)

    def test_names_in_the_cache_of_attributes_are_no_leak(self):
        self.run_script("""
            class Thing:
                pass
            def look_up(prefix):
                for number in range(300):
                    # A name that nothing else holds.
                    getattr(Thing, "%s%d" % (prefix, number), None)
            look_up("first")
            look_up("second")
            for prefix in "third", "fourth":
                # Of those before it frees none, and leaves none.
                measure = measured(lambda: look_up(prefix), snapshots=True)
                assert measure.leaked == 0, measure.leaked
                rows, rest, number = growth(measure.before, measure.after,
                                            "home.py")
                assert not rows, rows
        """)

    def test_lines_are_named_with_their_callers(self):
        with temp_dir() as folder:
            other = os.path.join(folder, "other.py")
            with open(other, "w") as stream:
                stream.write("def make(kept):\n"
                             "    kept.append(bytearray(3000))\n")
            self.run_script("""
                sys.path.insert(0, sys.argv[1])
                import other
                kept = [None] * 100
                kept.clear()
                # As a test, in a file whose other lines do not call it.
                exec(compile("def call():\\n"
                             "    other.make(kept)\\n"
                             "    kept.append(bytearray(1000))\\n"
                             "    other.make(kept)\\n", "home.py", "exec"))
                measure = measured(call, snapshots=True)
                rows, rest, number = growth(measure.before, measure.after,
                                            "home.py", 2)
                first, second = rows
                assert first.frame.filename == other.__file__, first.frame
                assert first.frame.lineno == 2
                assert first.via.function == "call", first.via
                assert first.size >= SIZE + 2000, first.size
                assert {first.via.lineno, second.via.lineno} == {2, 4}
                assert number == 1 and rest[0] >= SIZE, (number, rest)
                total = rest[0] + first.size + second.size
                assert total == measure.leaked, (total, measure.leaked)
            """, folder)


class LimitTests(unittest.TestCase):

    def test_sizes_of_markers(self):
        for text, size in (("24 MB", 24 << 20), ("1 KB", 1024), ("0", 0),
                           ("1.5MiB", 3 << 19), ("512", 512)):
            self.assertEqual(_limits.limit_of("limit_memory", (text,), {}),
                             (size, 0))
        self.assertEqual(
            _limits.limit_of("limit_leaks", ("1 KB",), {"warmups": 2}),
            (1024, 2))

    def test_wrong_arguments_of_markers_say_what_is_right(self):
        for name, args, kwargs, text in (
                ("limit_memory", (), {}, 'limit_memory("24 MB")'),
                ("limit_memory", (1024,), {}, 'limit_memory("24 MB")'),
                ("limit_memory", ("1", "2"), {}, 'limit_memory("24 MB")'),
                ("limit_memory", ("1",), {"warmups": 1},
                 'limit_memory has no argument warmups; limit_memory takes a '
                 'size: limit_memory("24 MB")'),
                ("limit_memory", ("x",), {}, "limit_memory: 'x' is no size"),
                ("limit_leaks", ("1",), {"filter_fn": None}, "warmups=1"),
                ("limit_leaks", ("1",), {"warmups": -1}, "from 0 to"),
                ("limit_leaks", ("1",), {"warmups": True}, "from 0 to"),
                ("limit_leaks", ("1",), {"warmups": "2"}, "from 0 to")):
            with self.subTest(name=name, args=args, kwargs=kwargs):
                with self.assertRaises(ValueError) as caught:
                    _limits.limit_of(name, args, kwargs)
                self.assertIn(text, str(caught.exception))
                self.assertNotIn("\n", str(caught.exception))

    def judge(self, peak, leaked, limits, base=(), tolerance="0"):
        return [(verdict.figure, verdict.text, verdict.details)
                for verdict in _limits.judge(
                    {"peak": peak, "leaked": leaked}, limits, dict(base),
                    Tolerance.parse(tolerance))]

    def test_a_limit_may_be_reached_and_not_exceeded(self):
        self.assertEqual(self.judge(100, 0, {"peak": 100, "leaked": 0}), [])
        self.assertEqual(self.judge(101, 0, {"peak": 100}), [
            ("peak", "peaked at 101 B, limit 100 B",
             "101 bytes are 1 more than 100")])

    def test_sizes_that_look_alike_are_told_to_the_byte(self):
        (_, text, _), = self.judge(0, (1 << 20) + 1, {"leaked": 1 << 20})
        self.assertEqual(text, "leaked 1,048,577 B, limit 1,048,576 B")

    def test_limits_and_baselines_are_judged_apart(self):
        found = self.judge(2000, 2000, {"peak": 1000},
                           {"peak": 1500, "leaked": 1999}, "10%")
        self.assertEqual([text for _, text, _ in found], [
            "peaked at 2000 B, limit 1000 B",
            "peaked at 2000 B, baseline 1500 B"])

    def test_tolerances(self):
        for text, base, most, shown in (
                ("0", 1000, 1000, "nothing"), ("5%", 1000, 1050, "5%"),
                ("5%", -1000, -950, "5%"), ("0%", 7, 7, "nothing"),
                ("4KiB", 1000, 5096, "4096 B"),
                ("5%,4KiB", 1000, 5096, "5% or 4096 B"),
                ("4 KB, 2.5 %", 1 << 20, 1074790, "2.5% or 4096 B")):
            with self.subTest(text=text):
                tolerance = Tolerance.parse(text)
                self.assertEqual(tolerance.most(base), most)
                self.assertEqual(str(tolerance), shown)
        for text in ("", "x", "5%,5%", "1,2", "-5%", "5%,4KiB,1", "nan%"):
            with self.subTest(text=text):
                self.assertRaises(ValueError, Tolerance.parse, text)


class BaselineTests(unittest.TestCase):

    def setUp(self):
        self.folder = self.enterContext(temp_dir())
        self.path = os.path.join(self.folder, "baseline.json")

    def read(self, content):
        with open(self.path, "wb") as stream:
            stream.write(content)
        return _baseline.read(self.path)

    def test_what_is_written_is_read(self):
        for tests in ({}, {"a.py::b": {"peak": 1, "leaked": -1}},
                      {"\udcff\0\"": {"peak": 1 << 40, "leaked": 0},
                       "b[\n]": {"leaked": 0, "peak": 5}}):
            with self.subTest(tests=tests):
                _baseline.write(self.path, tests)
                self.assertEqual(_baseline.read(self.path), tests)

    def test_files_can_be_compared_by_line(self):
        _baseline.write(self.path, {"b": {"peak": 1, "leaked": 2},
                                    "a": {"peak": 3, "leaked": 4}})
        with open(self.path) as stream:
            lines = stream.read().splitlines()
        self.assertEqual(lines[-4:], ['  "a": {"leaked": 4, "peak": 3},',
                                      '  "b": {"leaked": 2, "peak": 1}',
                                      ' }', '}'])

    def test_files_that_are_something_else(self):
        good = ('{"format": "tracemalloc baseline of tests", "version": %s, '
                '"tests": %s}')
        for content, reason in (
                ("", "no JSON"), ("{", "no JSON"), ("\xff", "no JSON"),
                ("[" * 100_000, "no JSON"), ("[]", "format"),
                ('{"format": "x"}', "format"), ("1" * 5000, "no JSON"),
                (good % ("true", "{}"), "version"),
                (good % ("0", "{}"), "version"),
                (good % ("2", "{}"), "version 2"),
                (good % ("1", "[]"), "tests"),
                (good % ("1", '{"a": 1}'), "no figures for 'a'"),
                (good % ("1", '{"a": {"peak": 1.5}}'), "figures"),
                (good % ("1", '{"a": {"peak": true}}'), "figures"),
                (good % ("1", '{"a\\u001b[1m": {"peak": %d}}' % (1 << 62)),
                 r"'a\x1b[1m'")):
            with self.subTest(content=content[:80]):
                with self.assertRaises(BaselineError) as caught:
                    self.read(content.encode("latin-1"))
                self.assertIn(reason, str(caught.exception))
                self.assertTrue(str(caught.exception).isprintable())

    def test_a_file_may_lack_a_figure_and_have_others(self):
        found = self.read(b'{"format": "tracemalloc baseline of tests", '
                          b'"version": 1, '
                          b'"tests": {"a": {"peak": 1, "x": 2}}}')
        self.assertEqual(found, {"a": {"peak": 1}})

    def test_a_file_that_is_too_large_is_not_read(self):
        with open(self.path, "wb") as stream:
            stream.truncate(1 << 30)
        with self.assertRaisesRegex(BaselineError, "larger"):
            _baseline.read(self.path)


if __name__ == "__main__":
    unittest.main()
