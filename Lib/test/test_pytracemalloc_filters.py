"""pytracemalloc: filters, by themselves and while tracing.

Names of tests have the numbers of the requirements (D rows) in them.
"""
import _tracemalloc
import ctypes
import gc
import ntpath
import pytracemalloc
import random
import unittest
from pytracemalloc import Filter
from test import support
from test.support import threading_helper
from test.test_pytracemalloc_tracing import (
    BYTES_HEAD, TracingTestCase, allocate, run_at)
from unittest import mock

THIS_FILE = __file__.removesuffix("c")


class FilterTests(unittest.TestCase):
    def test_D38_attributes(self):
        trace_filter = Filter(True, "*.py")
        self.assertEqual((trace_filter.include, trace_filter.pattern,
                          trace_filter.lineno, trace_filter.traceback),
                         (True, "*.py", None, False))
        trace_filter = Filter(include=0, pattern="a", lineno=7, traceback=1)
        self.assertEqual((trace_filter.include, trace_filter.pattern,
                          trace_filter.lineno, trace_filter.traceback),
                         (False, "a", 7, True))
        with self.assertRaises(AttributeError):
            trace_filter.include = True
        self.assertEqual(trace_filter, Filter(False, "a", 7, True))
        self.assertEqual(len({trace_filter, Filter(False, "a", 7, True),
                              Filter(False, "a", 8, True)}), 2)
        self.assertEqual(repr(trace_filter), "<Filter include=False "
                         "pattern='a' lineno=7 traceback=True>")

    def test_D38_wrong_arguments(self):
        with self.assertRaisesRegex(TypeError, "pattern of a filter"):
            Filter(True, b"a")
        with self.assertRaises(TypeError):
            Filter(True, "a", "7")
        with self.assertRaisesRegex(ValueError, "no line has the number"):
            Filter(True, "a", 2 ** 31)

    def test_D39_match_filename(self):
        trace_filter = Filter(True, "abc")
        self.assertTrue(trace_filter.match_filename("abc"))
        self.assertFalse(trace_filter.match_filename("abcd"))
        self.assertFalse(trace_filter.match_filename(None))
        self.assertTrue(Filter(True, "").match_filename(None))
        self.assertTrue(Filter(True, "*").match_filename(None))
        # Whether it matches does not depend on what happens then.
        self.assertTrue(Filter(False, "abc").match_filename("abc"))

    def test_D39_match_lineno(self):
        for anything in (None, 0, -5):
            trace_filter = Filter(True, "a", anything)
            self.assertTrue(trace_filter.match_lineno(7))
            self.assertTrue(trace_filter.match_lineno(None))
        trace_filter = Filter(True, "a", 7)
        self.assertTrue(trace_filter.match_lineno(7))
        self.assertFalse(trace_filter.match_lineno(8))
        self.assertFalse(trace_filter.match_lineno(None))

    def test_D39_match(self):
        trace_filter = Filter(False, "a*", 7)
        self.assertTrue(trace_filter.match("abc", 7))
        self.assertFalse(trace_filter.match("abc", 8))
        self.assertFalse(trace_filter.match("bc", 7))

    def test_D39_match_traceback(self):
        traceback = (("a", 1), ("b", 2))
        self.assertTrue(Filter(True, "a").match_traceback(traceback))
        self.assertFalse(Filter(True, "b").match_traceback(traceback))
        deep = Filter(True, "b", None, True)
        self.assertTrue(deep.match_traceback(traceback))
        self.assertTrue(deep.match_traceback([["b", 2]]))
        self.assertFalse(deep.match_traceback((("c", 2),)))
        self.assertFalse(Filter(True, "b", 1, True).match_traceback(traceback))
        for empty in ((), None):
            self.assertFalse(deep.match_traceback(empty))
            self.assertTrue(Filter(True, "*").match_traceback(empty))
            self.assertTrue(Filter(True, "", None, True)
                            .match_traceback(empty))

    def test_D40_patterns(self):
        for pattern, matching, other in (
                ("*.py", ["a.py", ".py", "a.pyc", "a.pyo"],
                 ["a.pyx", "a.p", "apy"]),
                ("a.pyc", ["a.py", "a.pyc", "a.pyo"], ["a.pycc"]),
                ("a.pyo", ["a.py", "a.pyc"], ["a"]),
                ("a*b*c", ["abc", "aXbYc", "abbcc", "abcbc"],
                 ["abcd", "acb", "xabc"]),
                ("**", ["", "x"], []),
                ("a?[b]", ["a?[b]"], ["axb", "a?b"]),
                ("*a*a*", ["aa", "xaxax"], ["a", "xax"]),
                ("ab*ba", ["abba", "abxba"], ["aba"])):
            with self.subTest(pattern=pattern):
                trace_filter = Filter(True, pattern)
                for name in matching:
                    self.assertTrue(trace_filter.match_filename(name), name)
                for name in other:
                    self.assertFalse(trace_filter.match_filename(name), name)
        self.assertFalse(Filter(True, "A").match_filename("a"))

    def test_D40_on_windows(self):
        with mock.patch("pytracemalloc._filter.os.path.normcase",
                        ntpath.normcase):
            trace_filter = Filter(True, "C:/Lib\\*.PYC")
            for name in (r"c:\lib\a.py", "C:/LIB/A.Py", "c:/lib/sub/a.PYO"):
                self.assertTrue(trace_filter.match_filename(name), name)
            self.assertFalse(trace_filter.match_filename(r"d:\lib\a.py"))

    def test_D40_many_jokers_take_no_time(self):
        trace_filter = Filter(True, "*a" * 500 + "*b")
        self.assertFalse(trace_filter.match_filename("a" * 5000))


class TracingFilterTests(TracingTestCase):
    def is_traced(self, obj):
        return pytracemalloc.get_object_trace(obj) is not None

    def lines_traced(self, filename, linenos):
        kept = [allocate(filename, lineno, 1000) for lineno in linenos]
        return [lineno for lineno, obj in zip(linenos, kept)
                if self.is_traced(obj)]

    def test_D12_applies_to_new_allocations_only(self):
        pytracemalloc.enable()
        before = allocate("a.py", 1)
        pytracemalloc.add_filter(Filter(False, "a.py"))
        self.assertTrue(self.is_traced(before))
        after = [allocate("a.py", 1), allocate("a.py", 1, 10),
                 allocate("a.py", 1, 100_000)]
        self.assertEqual([self.is_traced(obj) for obj in after], [False] * 3)
        self.assertTrue(self.is_traced(allocate("b.py", 1)))
        # What was noted is forgotten when it is freed.
        size = pytracemalloc.get_stats()["a.py"][1]
        self.assertEqual(size, (1000 + BYTES_HEAD, 1))
        del before, after
        self.assertNotIn("a.py", pytracemalloc.get_stats())
        _tracemalloc._check()

    def test_D12_ignored_blocks_do_not_count(self):
        pytracemalloc.enable()
        pytracemalloc.add_filter(Filter(False, "a.py"))
        before = pytracemalloc.get_traced_memory()[0]
        kept = allocate("a.py", 1, 10_000_000)
        current, peak = pytracemalloc.get_traced_memory()
        self.assertLess(current - before, 5000)
        self.assertLess(peak, 5_000_000)
        del kept
        self.assertLess(pytracemalloc.get_traced_memory()[0], before + 5000)
        _tracemalloc._check()

    def test_D12_inclusive_are_ored_and_any_exclusive_ignores(self):
        pytracemalloc.enable()
        pytracemalloc.add_filter(Filter(True, "a.py"))
        self.assertEqual([self.is_traced(allocate(name, 1))
                          for name in ("a.py", "b.py", "c.py")],
                         [True, False, False])
        pytracemalloc.add_filter(Filter(True, "b.py"))
        self.assertEqual([self.is_traced(allocate(name, 1))
                          for name in ("a.py", "b.py", "c.py")],
                         [True, True, False])
        pytracemalloc.add_filter(Filter(False, "*", 7))
        self.assertEqual(self.lines_traced("a.py", range(5, 9)), [5, 6, 8])
        self.assertEqual(self.lines_traced("c.py", range(5, 9)), [])
        _tracemalloc._check()

    def test_D12_only_filters_are_taken(self):
        for wrong in ("a.py", None, (True, "a.py")):
            with self.assertRaisesRegex(TypeError, "a Filter is needed"):
                pytracemalloc.add_filter(wrong)
        self.assertEqual(pytracemalloc.get_filters(), [])

    def test_D13_D14_helpers(self):
        pytracemalloc.add_include_filter("a.py")
        pytracemalloc.add_include_filter("b.py", 3)
        pytracemalloc.add_exclude_filter("c.py", lineno=4, traceback=True)
        self.assertEqual(pytracemalloc.get_filters(), [
            Filter(True, "a.py"), Filter(True, "b.py", 3),
            Filter(False, "c.py", 4, True)])
        pytracemalloc.enable()
        self.assertEqual(self.lines_traced("a.py", [2, 3]), [2, 3])
        self.assertEqual(self.lines_traced("b.py", [2, 3]), [3])
        self.assertEqual(self.lines_traced("c.py", [2, 3]), [])

    def test_D15_get_and_clear(self):
        pytracemalloc.enable()
        self.assertEqual(pytracemalloc.get_filters(), [])
        pytracemalloc.add_exclude_filter("a.py")
        listed = pytracemalloc.get_filters()
        listed.clear()
        self.assertEqual(len(pytracemalloc.get_filters()), 1)
        ignored = allocate("a.py", 1)
        self.assertIsNone(pytracemalloc.clear_filters())
        self.assertEqual(pytracemalloc.get_filters(), [])
        self.assertFalse(self.is_traced(ignored))
        self.assertTrue(self.is_traced(allocate("a.py", 1)))

    def test_D12_filters_outlive_tracing(self):
        pytracemalloc.add_exclude_filter("a.py")
        for _ in range(2):
            pytracemalloc.enable()
            self.assertFalse(self.is_traced(allocate("a.py", 1)))
            self.assertTrue(self.is_traced(allocate("b.py", 1)))
            pytracemalloc.disable()

    def call(self, depth):
        """Allocate *depth* frames below caller.py, line 4."""
        below = run_at("below.py", 1, (
            "def call(n): return call(n - 1) if n else bytes(100)")).call
        return run_at("caller.py", 4, "value = below(depth)", below=below,
                      depth=depth - 1).value

    def test_D14_D67_all_frames_within_the_limit(self):
        pytracemalloc.enable()
        pytracemalloc.add_exclude_filter("caller.py", 4, traceback=True)
        # With one frame shown, there is only the newest to look at.
        self.assertTrue(self.is_traced(self.call(1)))
        pytracemalloc.set_traceback_limit(2)
        self.assertFalse(self.is_traced(self.call(1)))
        self.assertTrue(self.is_traced(self.call(2)))
        pytracemalloc.set_traceback_limit(10)
        self.assertFalse(self.is_traced(self.call(2)))
        self.assertFalse(self.is_traced(self.call(9)))
        self.assertTrue(self.is_traced(self.call(10)))
        pytracemalloc.set_traceback_limit(1)
        self.assertTrue(self.is_traced(self.call(1)))
        _tracemalloc._check()

    def test_D13_all_frames_inclusive(self):
        pytracemalloc.set_traceback_limit(5)
        pytracemalloc.enable()
        pytracemalloc.add_include_filter("caller.py", None, True)
        self.assertTrue(self.is_traced(self.call(3)))
        self.assertFalse(self.is_traced(allocate("other.py", 4)))
        pytracemalloc.clear_filters()
        pytracemalloc.add_include_filter("caller.py")
        self.assertFalse(self.is_traced(self.call(3)))

    def test_D67_clear_traces_leaves_what_obeys(self):
        pytracemalloc.enable()
        kept = [allocate("a.py", 1), allocate("b.py", 1)]
        pytracemalloc.add_include_filter("b.py")
        pytracemalloc.clear_traces()
        kept += [allocate("a.py", 1), allocate("b.py", 1)]
        self.assertEqual([self.is_traced(obj) for obj in kept],
                         [False, False, False, True])
        self.assertEqual(set(pytracemalloc.get_stats()), {"b.py"})

    def test_D12_a_block_that_is_resized_is_new(self):
        pytracemalloc.enable()
        # Its size leaves the small blocks, and comes back.
        for size in (100, 3000):
            kept = run_at("a.py", 1, "value = bytearray(size)",
                          size=size).value
            sizes = pytracemalloc.get_stats()["a.py"][1]
            pytracemalloc.add_exclude_filter("b.py")
            run_at("b.py", 1, "value.extend(bytes(5000))", value=kept)
            stats = pytracemalloc.get_stats()
            # The object's own block was not resized.
            self.assertEqual(stats["a.py"][1],
                             (bytearray.__basicsize__, 1))
            self.assertGreater(sizes[0], bytearray.__basicsize__)
            self.assertNotIn("b.py", stats)
            pytracemalloc.clear_filters()
            run_at("b.py", 2, "value.extend(bytes(9000))", value=kept)
            self.assertIn(2, pytracemalloc.get_stats()["b.py"])
            pytracemalloc.clear_traces()
            _tracemalloc._check()

    def test_D12_I10_an_object_from_a_free_list_is_new(self):
        # Blocks from before would stay unknown: use up the free list.
        kept = [float(number) for number in range(1000)]
        pytracemalloc.enable()
        number = run_at("a.py", 1, "value = float(text)", text="1.5").value
        address = id(number)
        self.assertEqual(pytracemalloc.get_object_trace(number)[1],
                         (("a.py", 1),))
        pytracemalloc.add_exclude_filter("b.py")
        take = run_at("b.py", 1, "def take(a): return a + 1.25").take
        del number
        again = take(2.0)
        self.assertEqual(id(again), address)
        self.assertFalse(self.is_traced(again))
        self.assertEqual(len(kept), 1000)
        _tracemalloc._check()

    def test_D12_blocks_of_extensions(self):
        track = ctypes.pythonapi.PyTraceMalloc_Track
        track.argtypes = [ctypes.c_uint, ctypes.c_size_t, ctypes.c_size_t]
        pytracemalloc.enable()

        def traceback(domain):
            found = ctypes.pythonapi._PyTraceMalloc_GetTraceback
            found.argtypes = [ctypes.c_uint, ctypes.c_size_t]
            found.restype = ctypes.py_object
            return found(domain, 0x1234)

        for domain in (0, 77):
            self.assertEqual(track(domain, 0x1234, 100), 0)
            self.assertIsNotNone(traceback(domain))
            pytracemalloc.add_exclude_filter(THIS_FILE)
            # Reported again, by a line that is ignored.
            self.assertEqual(track(domain, 0x1234, 200), 0)
            self.assertIsNone(traceback(domain))
            pytracemalloc.clear_filters()
            _tracemalloc._check()
        self.assertEqual(_tracemalloc._get_dropped(), 0)

    def test_D41_raw_blocks_without_the_gil(self):
        # ctypes gives the GIL away for functions of a CDLL.
        library = ctypes.CDLL(None)
        library.PyMem_RawMalloc.restype = ctypes.c_void_p
        library.PyMem_RawMalloc.argtypes = [ctypes.c_size_t]
        library.PyMem_RawFree.argtypes = [ctypes.c_void_p]
        pytracemalloc.enable()
        for pattern, expected in ((THIS_FILE, True), ("other.py", False)):
            pytracemalloc.clear_filters()
            pytracemalloc.add_include_filter(pattern)
            address = library.PyMem_RawMalloc(1234)
            self.assertEqual(pytracemalloc.get_trace(address) is not None,
                             expected)
            library.PyMem_RawFree(address)
            self.assertIsNone(pytracemalloc.get_trace(address))
            _tracemalloc._check()

    def test_D41_filters_save_the_tracers_memory(self):
        script = """if True:
            import pytracemalloc
            if %d:
                pytracemalloc.add_include_filter("nothing")
            pytracemalloc.enable()
            kept = [bytes(1000) for _ in range(20_000)]
            print(pytracemalloc.get_tracemalloc_memory()[0])
        """
        without, with_filter = (int(self.run_python(script % switch))
                                for switch in (0, 1))
        # At least 8 bytes for each 512 of each large block.
        self.assertGreater(without - with_filter, 20_000 * 8)

    def test_D41_names_of_every_width(self):
        names = ["ascii.py", "caf\xe9.py", "\u65e5\u672c.py",
                 "\U0001f40d.py", "lone\udc80.py", ""]
        pytracemalloc.enable()
        for name in names:
            with self.subTest(name=ascii(name)):
                pytracemalloc.clear_filters()
                pytracemalloc.add_include_filter(name)
                self.assertEqual(
                    [other for other in names
                     if self.is_traced(allocate(other, 1))], [name])

    def test_D40_D41_core_and_python_agree(self):
        generator = random.Random(2013)

        def text(alphabet, longest):
            return "".join(generator.choices(
                alphabet, k=generator.randrange(longest)))

        pytracemalloc.enable()
        for _ in range(150):
            filters = [
                Filter(generator.random() < 0.5,
                       text("ab*\u0101", 6)
                       + generator.choice(["", ".py", ".pyc", ".pyo"]),
                       generator.choice([None, None, 0, 1, 2]))
                for _ in range(generator.randrange(1, 4))]
            pytracemalloc.clear_filters()
            for trace_filter in filters:
                pytracemalloc.add_filter(trace_filter)
            for _ in range(10):
                name = text("ab\u0101", 6) + generator.choice(
                    ["", ".py", ".pyc", ".pyo", ".pyx"])
                line = generator.randrange(1, 4)
                inclusive = [f for f in filters if f.include]
                expected = (
                    (not inclusive
                     or any(f.match(name, line) for f in inclusive))
                    and not any(f.match(name, line) for f in filters
                                if not f.include))
                self.assertEqual(self.is_traced(allocate(name, line)),
                                 expected, (ascii(name), line, filters))
        pytracemalloc.clear_filters()
        _tracemalloc._check()

    def test_D41_filter_results_follow_contexts_that_are_reclaimed(self):
        pytracemalloc.enable()
        pytracemalloc.add_exclude_filter("odd*.py")
        # Enough code objects to have numbers of contexts given again.
        rounds = 40_000 if support.is_resource_enabled("cpu") else 3_000
        for number in range(rounds):
            name = f"{'odd' if number % 2 else 'even'}{number}.py"
            kept = allocate(name, 1, 20)
            if self.is_traced(kept) != (number % 2 == 0):
                self.fail(f"{name} is filtered wrongly")
        del kept
        _tracemalloc._check()

    @threading_helper.requires_working_threading()
    def test_D41_filters_change_while_threads_allocate(self):
        import threading

        pytracemalloc.enable()
        stop = threading.Event()

        def work(name):
            while not stop.is_set():
                kept = [allocate(f"{name}.py", line, 50)
                        for line in range(1, 20)]
                kept += [allocate(f"{name}.py", 1, 5000)]

        threads = [threading.Thread(target=work, args=(name,))
                   for name in ("a", "b", "c")]
        with threading_helper.start_threads(threads, stop.set):
            for number in range(200):
                pytracemalloc.add_exclude_filter("ab*"[number % 3] + ".py")
                if number % 5 == 0:
                    pytracemalloc.clear_filters()
                if number % 50 == 0:
                    pytracemalloc.clear_traces()
                if number % 20 == 0:
                    _tracemalloc._check()
            stop.set()
        pytracemalloc.clear_filters()
        gc.collect()
        _tracemalloc._check()

    @threading_helper.requires_working_threading()
    def test_D12_threads_add_filters(self):
        import threading

        def work(name):
            for number in range(50):
                pytracemalloc.add_exclude_filter(f"{name}{number}")

        threads = [threading.Thread(target=work, args=(name,))
                   for name in "abcd"]
        with threading_helper.start_threads(threads):
            pass
        self.assertEqual(
            sorted(f.pattern for f in pytracemalloc.get_filters()),
            sorted(f"{name}{number}" for name in "abcd"
                   for number in range(50)))

    def test_D41_private_function_refuses_nonsense(self):
        for wrong in (None, [1], [()], [(True, b"a", 0, 0)],
                      [(True, "a", "b", 0)], [(True, "a", 2 ** 40, 0)]):
            with self.assertRaises((TypeError, OverflowError), msg=wrong):
                _tracemalloc._set_filters(wrong)
        pytracemalloc.enable()
        self.assertTrue(self.is_traced(allocate("a.py", 1)))


if __name__ == "__main__":
    unittest.main()
