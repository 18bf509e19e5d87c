"""Call paths of snapshots in columns: the same as if all frames were there,
which they are not.
"""
import copy
import os
import pickle
import random
import resource
import subprocess
import sys
import textwrap
import tracemalloc
import unittest
from array import array
from test import support
from test.tracemalloc_files import Files
from tracemalloc import SnapshotFormatError
from tracemalloc import _cli
from tracemalloc._cli import tracebacks, tree
from tracemalloc._columns import COLUMNS, SnapshotData


def data_of(parents, contexts, lines=None, counts=None):
    """Return data of paths and of (path, line, size) of contexts.

    A context has one block, or as many as *counts* says.
    """
    number = len(contexts)
    paths, own, sizes = zip(*contexts)
    columns = {
        "path_parent": parents, "path_file": [1] * len(parents),
        "path_line": lines or range(len(parents)),
        "path_function": [2] * len(parents), "context_path": paths,
        "context_line": own, "context_file": [1] * number,
        "context_depth": [1] * number, "row_context": range(number),
        "row_size": sizes, "row_count": counts or [1] * number,
    } | {f"context_{name}": [-1] * number
         for name in ("end_line", "column", "end_column")}
    for name in "context_function", "context_domain", "context_thread":
        columns[name] = [0] * number
    return SnapshotData(["", "a.py", "f"], **{
        name: array(COLUMNS[name], column)
        for name, column in columns.items()})


def random_data(rng):
    """Return small data where many call paths are equal."""
    number = rng.randrange(1, 30)
    parents = [0, *(rng.randrange(max(0, path - 3), path)
                    for path in range(1, number))]
    return data_of(
        parents,
        [(rng.randrange(number), rng.randrange(3), rng.choice((1, 1, 2)))
         for _ in range(rng.randrange(1, 40))],
        [rng.randrange(2) for _ in parents])


def snapshots(data, limit):
    """Return the snapshot of data, and one of the same blocks as tuples.
    """
    snapshot = tracemalloc.Snapshot._of(data, limit, {})
    return snapshot, tracemalloc.Snapshot(list(snapshot.traces._blocks), limit)


class EqualTests(unittest.TestCase):

    def setUp(self):
        self.rng = random.Random(7)

    def test_statistics_are_those_of_the_tuples(self):
        for number in range(300):
            data = random_data(self.rng)
            for limit in 1, 2, 3, 5, 8, 65535:
                with self.subTest(number=number, limit=limit):
                    lazy, plain = snapshots(data, limit)
                    found = lazy.statistics("traceback")
                    self.assertEqual(found, plain.statistics("traceback"))
                    self.assertEqual(
                        [len(stat.traceback) for stat in found],
                        [len(stat.traceback._frames) for stat in found])

    def test_differences_are_those_of_the_tuples(self):
        for number in range(300):
            both = random_data(self.rng), random_data(self.rng)
            limits = (self.rng.choice((1, 2, 3, 5, 65535)),
                      self.rng.choice((2, 3, 5, 65535)))
            for limits in limits, limits[:1] * 2:
                with self.subTest(number=number, limits=limits):
                    new, plain_new = snapshots(both[0], limits[0])
                    old, plain_old = snapshots(both[1], limits[1])
                    wanted = plain_new.compare_to(plain_old, "traceback")
                    for one, other in ((new, old), (plain_new, old),
                                       (new, plain_old)):
                        self.assertEqual(one.compare_to(other, "traceback"),
                                         wanted)

    def test_traces_are_those_of_the_tuples(self):
        for number in range(100):
            data = random_data(self.rng)
            for limit in 1, 2, 5, 65535:
                with self.subTest(number=number, limit=limit):
                    lazy, plain = snapshots(data, limit)
                    self.assertEqual(list(lazy.traces), list(plain.traces))
                    for trace, other in zip(lazy.traces, plain.traces):
                        self.assertEqual((trace.size, trace.domain),
                                         (other.size, other.domain))
                        self.assertEqual(trace.traceback[:],
                                         other.traceback[:])
                        self.assertEqual(len(trace.traceback),
                                         len(other.traceback))
                        self.assertEqual(hash(trace), hash(other))
                        self.assertEqual(repr(trace), repr(other))

    def test_values_can_be_copied_and_pickled(self):
        lazy, plain = snapshots(random_data(self.rng), 5)
        stat, trace = lazy.statistics("traceback")[0], lazy.traces[0]
        for value, other in ((stat, plain.statistics("traceback")[0]),
                             (trace, plain.traces[0]),
                             (stat.traceback,
                              plain.statistics("traceback")[0].traceback)):
            for made in (copy.deepcopy(value),
                         pickle.loads(pickle.dumps(value))):
                self.assertEqual(made, other)
                self.assertFalse(hasattr(made, "_source"))
            self.assertEqual(pickle.dumps(value), pickle.dumps(other))

    def test_what_is_no_attribute_is_none(self):
        for value in (tracemalloc.Traceback(((("a", 1)),)),
                      tracemalloc.Trace((0, 1, (), 1))):
            with self.assertRaises(AttributeError):
                value.missing
            with self.assertRaises(AttributeError):
                type(value).__new__(type(value))._frames


class HugeTests(Files):
    """Sizes that no memory has, but a file or a program may tell."""

    def test_sums_beyond_64_bits_are_right(self):
        frames = ("a.py", 1), ("b.py", 2)
        other = ("a.py", 3), ("b.py", 2)
        sizes = [2 ** 64 - 1, 2 ** 63 + 5, 2 ** 64 - 3, 7]
        by_hand = tracemalloc.Snapshot(
            [(0, size, frames, 2) for size in sizes]
            + [(0, size, other, 2) for size in sizes[:3]], 2)
        by_hand.dump(self.filename, format="compact")
        whole, part = sum(sizes), sum(sizes[:3])
        for snapshot in by_hand, tracemalloc.Snapshot.load(self.filename):
            for key, cumulative, wanted in (
                    ("lineno", False, [whole, part]),
                    ("traceback", False, [whole, part]),
                    ("function", False, [whole + part]),
                    ("lineno", True, [whole + part, whole, part]),
                    ("function", True, [whole + part, whole + part])):
                with self.subTest(key=key, cumulative=cumulative):
                    self.assertEqual(
                        [stat.size for stat in
                         snapshot.statistics(key, cumulative)], wanted)
        for command in ["tree"], ["top"], ["stats"], ["traceback"], [
                "export", "--format", "collapsed"]:
            with (self.subTest(command=command),
                  support.captured_stdout() as stream):
                self.assertEqual(_cli._main([*command, self.filename]), 0)
        self.assertEqual(
            stream.getvalue(),
            f"b.py:2;a.py:1 {whole}\nb.py:2;a.py:3 {part}\n")


class BombTests(Files):
    """A small file with thousands of contexts on one path, or on parts of it.
    """

    CONTEXTS, DEPTH = 20_000, 65_534

    @classmethod
    def setUpClass(cls):
        parents = [0, *range(cls.DEPTH)]
        cls.data = {
            "one path": data_of(parents, [
                (cls.DEPTH, line, 1) for line in range(cls.CONTEXTS)]),
            "parts": data_of(parents, [
                (cls.DEPTH - line, line, 1) for line in range(cls.CONTEXTS)])}

    def dump(self, name, limit=65535):
        self.filename += ".tmz"
        tracemalloc.Snapshot._of(self.data[name], limit, {}).dump(
            self.filename)
        return self.filename

    def in_little_memory(self, code, *arguments):
        """Run code with half a GiB of address space; return what it prints.

        The sanitizer for addresses has terabytes of it, and no limit.
        """
        limit = (resource.RLIM_INFINITY
                 if support.check_sanitizer(address=True) else 1 << 29)
        code = ("import resource, sys, tracemalloc\n"
                f"resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))\n"
                "snapshot = tracemalloc.Snapshot.load(sys.argv[1])\n"
                + textwrap.dedent(code))
        done = subprocess.run(
            [sys.executable, "-c", code, self.filename, *arguments],
            capture_output=True, text=True, timeout=support.LONG_TIMEOUT)
        self.assertEqual(done.stderr, "")
        return done.stdout

    @unittest.skipIf(support.Py_GIL_DISABLED,
                     "mimalloc takes a GiB of address space at once")
    @unittest.skipUnless(hasattr(resource, "RLIMIT_AS"),
                         "needs a limit of memory")
    def test_statistics_and_differences_take_little_memory(self):
        for name in self.data:
            with self.subTest(name=name):
                self.assertLess(len(open(self.dump(name), "rb").read()),
                                300_000)
                self.assertEqual(
                    self.in_little_memory("""
                    stats = snapshot.statistics("traceback")
                    print(len(stats), min(len(stat.traceback) for stat in stats) > 40_000)
                    print(stats[0].traceback[0], stats[-1].traceback[0], stats[0].traceback[-1])
                    other = tracemalloc.Snapshot.load(sys.argv[1])
                    diffs = snapshot.compare_to(other, "traceback")
                    print(len(diffs), {diff.size_diff for diff in diffs})
                    print(sum(trace.size for trace in snapshot.traces))
                    """), "20000 True\na.py:1 a.py:1 "
                    f"a.py:{19_999 if name == 'one path' else 0}\n"
                    "20000 {0}\n20000\n")

    @unittest.skipIf(support.Py_GIL_DISABLED,
                     "mimalloc takes a GiB of address space at once")
    @unittest.skipUnless(hasattr(resource, "RLIMIT_AS"),
                         "needs a limit of memory")
    def test_what_needs_all_frames_at_once_is_refused_in_one_line(self):
        for name in self.data:
            self.dump(name)
            with self.subTest(name=name):
                out = self.in_little_memory("""
                    import io
                    from tracemalloc import _export
                    for function in (
                            lambda: snapshot.traces._traces,
                            lambda: snapshot.dump(sys.argv[1] + ".pickle"),
                            lambda: _export.export_csv(snapshot, io.StringIO())):
                        try:
                            function()
                        except tracemalloc.SnapshotFormatError as error:
                            print(error)
                    """)
                self.assertRegex(
                    out,
                    r"\A(the snapshot's call paths take [\d.]+ [MG]iB of "
                    r"memory, and 1024 MiB are allowed; [^\n]+\n){3}\Z")

    def test_what_a_limit_cuts_off_is_refused_if_it_is_too_much(self):
        snapshot = tracemalloc.Snapshot.load(self.dump("parts", 30_000))
        with self.assertRaisesRegex(SnapshotFormatError,
                                    "call paths take [^\n]+$"):
            snapshot.statistics("traceback")
        self.assertEqual(len(snapshot.statistics("lineno")), self.CONTEXTS)
        # Where it is one path that is cut off, its frames are there once.
        snapshot = tracemalloc.Snapshot.load(self.dump("one path", 30_000))
        stats = snapshot.statistics("traceback")
        self.assertEqual({len(stat.traceback) for stat in stats}, {30_000})
        self.assertEqual(len(stats), self.CONTEXTS)

    def test_a_larger_max_size_allows_it(self):
        snapshot = tracemalloc.Snapshot._of(
            data_of([0, *range(2000)],
                       [(2000, line, 1) for line in range(200)]),
            65535, {})
        snapshot.dump(self.filename, format="compact")
        small, large = (tracemalloc.Snapshot.load(self.filename, max_size=size)
                        for size in (10 ** 6, 10 ** 7))
        self.assertEqual(len(small.statistics("traceback")), 200)
        with self.assertRaisesRegex(SnapshotFormatError,
                                    "take 3127 KiB .* and 977 KiB are"):
            small.traces._traces
        with self.assertRaisesRegex(SnapshotFormatError, "take 3127 KiB "):
            small.filter_traces([tracemalloc.Filter(True, "*")]).traces._traces
        self.assertEqual(len(large.traces._traces), 200)

    def test_what_has_an_item_for_each_block_is_refused_as_well(self):
        snapshot = tracemalloc.Snapshot._of(
            data_of([0], [(0, 1, 8), (0, 2, 8)], None, [1 << 30, 5]), 1, {})
        snapshot.dump(self.filename, format="compact")
        loaded = tracemalloc.Snapshot.load(self.filename, max_size=10 ** 7)
        self.assertEqual(len(loaded.traces), (1 << 30) + 5)
        wanted = "single blocks take 8192 MiB .* and 9766 KiB are allowed"
        name = self.filename + ".pickle"
        for function in (lambda: loaded.traces._traces,
                         lambda: pickle.dumps(loaded),
                         lambda: loaded.dump(name)):
            with self.assertRaisesRegex(SnapshotFormatError, wanted):
                function()
        self.assertFalse(os.path.exists(name))

    def test_the_command_does_not_make_objects_of_all_frames(self):
        from tracemalloc._cli import UsageError

        name = self.dump("one path")
        with (support.captured_stdout(),
              self.assertRaisesRegex(UsageError, "call paths take .*--limit")):
            tracebacks.main(["-n", "1000", "--json", name])

    def test_commands_refuse_it_in_one_line(self):
        name = self.dump("parts", 30_000)
        with (support.captured_stderr() as stderr,
              self.assertRaises(SystemExit)):
            _cli._main(["tree", name])
        self.assertRegex(
            stderr.getvalue(), r"\Apython -m tracemalloc tree: there are "
            r"too many call paths [^\n]*\n\Z")
        for command in (["stats", name], ["traceback", name],
                        ["diff", "-g", "traceback", name, name],
                        ["report", "-o", name + ".html", name]):
            with (self.subTest(command=command),
                  support.captured_stderr() as stderr,
                  self.assertRaises(SystemExit) as caught):
                _cli._main(command)
            self.assertEqual(caught.exception.code, 2)
            self.assertRegex(
                stderr.getvalue(),
                rf"\Apython -m tracemalloc {command[0]}: [^\n]*call paths "
                r"take [^\n]+; if you trust the file, "
                r"give a larger --max-size\n\Z")

    def test_the_command_shows_the_first_ones(self):
        with support.captured_stdout() as stream:
            tracebacks.main(["-n", "2", "--frames", "3",
                             self.dump("one path")])
        self.assertEqual(stream.getvalue().count("(65,532 older calls)"), 2)
        self.assertNotIn("are kept", stream.getvalue())

    def test_the_command_tells_that_call_paths_were_cut(self):
        name = self.dump("one path", 1000)
        for function in (
                lambda: tracebacks.main(["-n", "1", "--frames", "2", name]),
                lambda: tree.main(["--depth", "2", name])):
            with support.captured_stdout() as stream:
                function()
            self.assertTrue(stream.getvalue().endswith(
                "\n(100.0% has more calls than the 1,000 frames that are "
                "kept: the oldest are not shown; -X tracemalloc=4000 keeps "
                "more)\n"),
                stream.getvalue()[-300:])


if __name__ == "__main__":
    unittest.main()
