"""Files of snapshots: tracemalloc._format and what it calls.

Rows S59 to S61, E09, E10, T06, P11, D49, D60, C01, C19 and G09 of the
requirements.  Where TRACEMALLOC_STOCK_PYTHON names an untouched interpreter,
files are exchanged with it.  test_tracemalloc_damage has files that are no
good.
"""
import contextlib
import datetime
import io
import os
import pickle
import random
import stat
import struct
import subprocess
import sys
import textwrap
import tracemalloc
import unittest
from collections import Counter
from test.support import LONG_TIMEOUT, os_helper
from test.tracemalloc_files import (
    A, DRAFT_STATS, DRAFT_TRACES, METADATA, OLD_FILE, PLAIN, RAW, WHEN, Files,
    build, columns_of, draft_file, full_data, made_by_hand, full_snapshot,
    parse)
from tracemalloc import SnapshotFormatError, _compact, _draft, _format
from tracemalloc._columns import COLUMNS, ROWS, TOTALS, SnapshotData
from unittest import mock

STOCK_PYTHON = os.environ.get("TRACEMALLOC_STOCK_PYTHON")
needs_stock = unittest.skipUnless(
    STOCK_PYTHON,
    "TRACEMALLOC_STOCK_PYTHON does not name an interpreter to compare with")


class Subclass(tracemalloc.Snapshot):
    """What a program may derive."""


class PickleFileTests(Files):

    def test_S59_blocks_come_back_in_their_order_with_added_attributes(self):
        snapshot = made_by_hand()
        snapshot.dump(self.filename)
        loaded = tracemalloc.Snapshot.load(self.filename)
        self.assertEqual(loaded.traces, snapshot.traces)
        self.assertEqual(loaded.traces._traces, RAW)
        self.assertEqual(loaded.traceback_limit, 25)
        self.assert_plain_kept(loaded)

    def test_S59_pickle_of_columns_is_that_of_their_blocks(self):
        snapshot = full_snapshot()
        data = self.dumped(snapshot, "pickle")
        self.assertEqual(data[:2], b"\x80%c" % pickle.HIGHEST_PROTOCOL)
        unpickled = pickle.loads(data)
        loaded = self.load(data)
        for other in unpickled, loaded:
            self.assertEqual(list(other.traces), list(snapshot.traces))
            self.assertEqual(other.traceback_limit, 2)
            self.assertEqual(other.metadata, METADATA)
            self.assert_plain_kept(other)
        self.assertEqual(loaded.traces._traces[0],
                         (0, 10, (("a.py", 3), ("b.py", 8)), 3))

    def test_S59_pickle_of_large_numbers_in_columns(self):
        count = 300
        data = SnapshotData.from_raw([
            (2**32 - 1 - number % 3, 2**64 - 1 - number * 2**40,
             ((f"{number}.py", -number), A), number)
            for number in range(count)])
        loaded = self.load(self.dumped(full_snapshot(data), "pickle"))
        self.assertEqual(list(loaded.traces), list(full_snapshot(data).traces))

    def test_S59_alike_blocks_take_a_few_bytes_each_and_no_memory_to_write(
            self):
        data = full_data(row_count=[1, 1, 1])
        few = len(self.dumped(full_snapshot(data), "pickle"))
        data = full_data(row_count=[1, 5_000_000, 1])
        snapshot = full_snapshot(data)
        with self.traced_peak() as peak:
            snapshot.dump(self.filename, format="pickle")
        self.assertLess(peak(), 5_000_000)
        self.assertEqual(os.path.getsize(self.filename), few + 2 * 4_999_999)
        loaded = tracemalloc.Snapshot.load(self.filename)
        self.assertEqual(len(loaded.traces), 5_000_002)
        self.assertEqual(
            sum(stat.size for stat in loaded.statistics("lineno")),
            10 + 5_000_000 * 24 + 100)

    @contextlib.contextmanager
    def traced_peak(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the test would end it")
        tracemalloc.start()
        try:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            peak = []
            yield lambda: peak[0]
            peak.append(tracemalloc.get_traced_memory()[1] - before)
        finally:
            tracemalloc.stop()

    def test_S60_load_works_while_tracing_is_off(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on")
        for format in "pickle", "compact":
            with self.subTest(format=format):
                made_by_hand().dump(self.filename, format=format)
                self.assertEqual(
                    len(tracemalloc.Snapshot.load(self.filename).traces), 7)

    def test_S60_files_that_cannot_be_read_raise_what_open_raises(self):
        with self.assertRaises(FileNotFoundError):
            tracemalloc.Snapshot.load(self.filename)
        with self.assertRaises(IsADirectoryError):
            tracemalloc.Snapshot.load(self.folder)

    def test_S61_every_protocol_can_be_loaded(self):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            for dumps in pickle.dumps, pickle._dumps:
                with self.subTest(protocol=protocol, dumps=dumps):
                    loaded = self.load(dumps(made_by_hand(), protocol))
                    self.assertEqual(loaded.traces._traces, RAW)
                    self.assert_plain_kept(loaded)

    def test_P11_E09_G09_protocol_2_as_the_thread_example_writes_it(self):
        snapshot = tracemalloc.Snapshot([RAW[n % 4] for n in range(3000)], 25)
        with open(self.filename, "wb") as stream:
            pickle.dump(snapshot, stream, 2)
        self.assertEqual(tracemalloc.Snapshot.load(self.filename).traces,
                         snapshot.traces)

    def test_P11_traces_of_older_pythons_are_loaded(self):
        # 3.4 and 3.5 and pytracemalloc 1.x: no domain; before 3.9: no depth.
        for old in [trace[1:3] for trace in RAW], [trace[:3] for trace in RAW]:
            for protocol in 2, 3, 4:
                with self.subTest(items=len(old[0]), protocol=protocol):
                    data = pickle.dumps(tracemalloc.Snapshot(old, 25),
                                        protocol)
                    loaded = self.load(data)
                    wanted = [trace[:3] for trace in RAW]
                    if len(old[0]) == 2:
                        wanted = [(0, *trace[1:3]) for trace in RAW]
                    self.assertEqual(
                        [trace[:3] for trace in loaded.traces._traces], wanted)
                    self.assertIsNone(loaded.traces[0].traceback.total_nframe)
                    self.assertEqual(sum(
                        stat.count for stat in loaded.statistics("lineno")), 7)

    def test_S61_objects_of_the_snapshot_classes_may_be_attributes(self):
        snapshot = made_by_hand()
        snapshot.trace = snapshot.traces[1]
        snapshot.path = snapshot.traces[1].traceback
        snapshot.line = snapshot.traces[1].traceback[0]
        snapshot.top = snapshot.statistics("lineno")[:2]
        snapshot.changes = snapshot.compare_to(tracemalloc.Snapshot([], 1),
                                               "filename")
        snapshot.previous = tracemalloc.Snapshot(RAW[:2], 3)
        snapshot.itself = snapshot
        for format in "pickle", "compact":
            with self.subTest(format=format):
                if format == "compact":
                    del snapshot.itself
                loaded = self.load(self.dumped(snapshot, format))
                for name in "trace", "path", "line", "top", "changes":
                    self.assertEqual(getattr(loaded, name),
                                     getattr(snapshot, name))
                self.assertEqual(loaded.previous.traces,
                                 snapshot.previous.traces)
                if format == "pickle":
                    self.assertIs(loaded.itself, loaded)

    def test_S61_statistics_of_all_kinds_may_be_attributes(self):
        snapshot = full_snapshot()
        for key in ("filename", "lineno", "traceback", "function", "module",
                    "thread", "domain"):
            snapshot.top = snapshot.statistics(key)
            snapshot.changes = snapshot.compare_to(tracemalloc.Snapshot([], 1),
                                                   key)
            snapshot.frame = snapshot.top[0].traceback[0]
            for format in "pickle", "compact":
                with self.subTest(key=key, format=format):
                    loaded = self.load(self.dumped(snapshot, format))
                    self.assertEqual(loaded.top, snapshot.top)
                    self.assertEqual(loaded.changes, snapshot.changes)
                    self.assertEqual(loaded.frame, snapshot.frame)

    def test_S61_objects_of_other_classes_are_refused_and_said_how_to_load(
            self):
        snapshot = made_by_hand()
        snapshot.note = io.StringIO("text")
        error = self.refused(self.dumped(snapshot, "pickle"),
                             "asks for _io.StringIO")
        self.assertIn("pickle.load()", str(error))
        with open(self.filename, "rb") as stream:
            self.assertEqual(pickle.load(stream).note.getvalue(), "text")

    def test_S59_a_metadata_attribute_of_a_program_is_kept_in_ours(self):
        snapshot = made_by_hand()
        for mine in "mine", [1], 5:
            with self.subTest(mine=mine):
                snapshot.metadata = mine
                loaded = self.load(self.dumped(snapshot, "pickle"))
                self.assertEqual(loaded.metadata, {"metadata": mine})
                self.assertEqual(loaded.filter_traces([]).metadata,
                                 {"metadata": mine})

    def test_S59_objects_of_subclasses_are_pickled_as_such(self):
        snapshot = Subclass._of(full_data(), 2, {})
        data = self.dumped(snapshot, "pickle")
        self.assertIs(type(pickle.loads(data)), Subclass)
        self.assertEqual(list(pickle.loads(data).traces),
                         list(snapshot.traces))
        self.refused(data, f"asks for {__name__}.Subclass")

    WRITE = """
        import sys, tracemalloc
        tracemalloc.start(5)
        kept = [bytes(n % 50) for n in range(5000)]
        snapshot = tracemalloc.take_snapshot()
        tracemalloc.stop()
        snapshot.note = {"note": [1, (2, 3)]}
        snapshot.dump(sys.argv[1])
        """ + (SHOW := """
        def show(snapshot):
            print(snapshot.note, snapshot.traceback_limit, len(snapshot.traces))
            for key in "lineno", "filename", "traceback":
                for stat in snapshot.statistics(key):
                    print(repr(stat), stat)
            print(*sorted(map(repr, snapshot.traces)), sep="\\n")
        """) + """
        show(snapshot)
        """
    READ = """
        import sys, tracemalloc
        """ + SHOW + """
        show(tracemalloc.Snapshot.load(sys.argv[1]))
        """
    CONVERT = """
        import sys, tracemalloc
        """ + SHOW + """
        snapshot = tracemalloc.Snapshot.load(sys.argv[1])
        snapshot.dump(sys.argv[1] + ".tmz")
        snapshot = tracemalloc.Snapshot.load(sys.argv[1] + ".tmz")
        snapshot.dump(sys.argv[1])
        show(snapshot)
        """

    def run_python(self, python, code):
        env = dict(os.environ, PYTHONHASHSEED="0")
        if python == STOCK_PYTHON:
            env.pop("PYTHONPATH", None)
            env.pop("PYTHONHOME", None)
        return subprocess.run(
            [python, "-c", textwrap.dedent(code), self.filename], env=env,
            check=True, stdout=subprocess.PIPE, text=True,
            timeout=LONG_TIMEOUT).stdout

    @needs_stock
    def test_S61_stock_loads_what_is_dumped_here(self):
        written = self.run_python(sys.executable, self.WRITE)
        self.assertEqual(self.run_python(STOCK_PYTHON, self.READ), written)

    @needs_stock
    def test_S61_what_stock_dumps_is_loaded_here(self):
        written = self.run_python(STOCK_PYTHON, self.WRITE)
        self.assertEqual(self.run_python(sys.executable, self.READ), written)

    @needs_stock
    def test_S61_E10_a_file_of_stock_goes_through_the_compact_format_and_back(
            self):
        written = self.run_python(STOCK_PYTHON, self.WRITE)
        self.assertEqual(self.run_python(sys.executable, self.CONVERT),
                         written)
        self.assertEqual(self.run_python(STOCK_PYTHON, self.READ), written)


def values(seed, depth=3):
    """Return plain values that a program might add to a snapshot."""
    rng = random.Random(seed)

    def scalar():
        return rng.choice([
            None, True, False, rng.randrange(-2**rng.randrange(1, 90), 2**70),
            rng.random(), "t" * rng.randrange(300), "\xe9\u20ac\U0001f600",
            b"b" * rng.randrange(300), "", float("inf"), 0, -1, 255, 256,
            65535, 65536, 2**31, -2**31])

    def value(depth):
        if depth == 0 or rng.random() < 0.3:
            return scalar()
        items = [value(depth - 1) for _ in range(rng.randrange(6))]
        match rng.randrange(5):
            case 0:
                return items + items
            case 1:
                return tuple(items)
            case 2:
                return {scalar(): item for item in items}
            case 3:
                return {scalar() for _ in range(3)}
            case _:
                return frozenset(scalar() for _ in range(3))
    return [value(depth) for _ in range(5)]


class PlainValueTests(Files):

    def test_S59_plain_values_come_back_as_pickle_itself_returns_them(self):
        for seed in range(60):
            snapshot = tracemalloc.Snapshot([], 1)
            snapshot.values = values(seed)
            for protocol in range(6):
                data = pickle.dumps(snapshot, protocol)
                with self.subTest(seed=seed, protocol=protocol):
                    self.assertEqual(repr(self.load(data).values),
                                     repr(pickle.loads(data).values))

    def test_S59_the_same_in_the_compact_format(self):
        for seed in range(60, 90):
            with self.subTest(seed=seed):
                snapshot = tracemalloc.Snapshot([], 1)
                snapshot.values = values(seed)
                loaded = self.load(self.dumped(snapshot, "compact"))
                self.assertEqual(repr(loaded.values), repr(pickle.loads(
                    pickle.dumps(snapshot.values))))

    def test_other_values_cannot_be_kept_in_a_compact_file(self):
        for value in (object(), lambda: None, [io.StringIO()], Counter("a"),
                      {((1,),): 2}):
            with self.subTest(value=value):
                snapshot = made_by_hand()
                snapshot.strange = value
                with self.assertRaisesRegex(TypeError,
                                            "attribute 'strange'.*'pickle'"):
                    snapshot.dump(self.filename, format="compact")
                self.assertEqual(os.listdir(self.folder), [])


class CompactFileTests(Files):

    def test_metadata_that_are_no_json_cannot_be_kept(self):
        for value in object(), {(1, 2): 3}, b"x":
            with self.subTest(value=value):
                snapshot = full_snapshot()
                snapshot.metadata["mine"] = value
                with self.assertRaisesRegex(
                        TypeError, "metadata cannot be written as JSON"):
                    snapshot.dump(self.filename, format="compact")
                self.assertEqual(os.listdir(self.folder), [])

    def test_every_column_name_and_attribute_comes_back(self):
        snapshot = full_snapshot()
        loaded = self.load(self.dumped(snapshot, "compact"))
        self.assertEqual(columns_of(loaded), columns_of(snapshot))
        self.assertEqual(loaded.traces, snapshot.traces)
        self.assertEqual(loaded.metadata, METADATA)
        self.assertEqual(loaded.traceback_limit, 2)
        self.assertEqual(vars(loaded).keys(), vars(snapshot).keys())
        self.assert_plain_kept(loaded)

    def test_T06_statistics_of_a_loaded_snapshot_are_the_same(self):
        for snapshot in full_snapshot(), made_by_hand():
            loaded = self.load(self.dumped(snapshot, "compact"))
            for key in ("lineno", "filename", "traceback", "function",
                        "thread", "domain"):
                with self.subTest(key=key):
                    self.assertEqual(loaded.statistics(key),
                                     snapshot.statistics(key))
            self.assertEqual(Counter(loaded.traces), Counter(snapshot.traces))

    def test_a_snapshot_of_the_peak_can_be_kept_in_a_compact_file_only(self):
        snapshot = full_snapshot(full_data(**dict.fromkeys(ROWS)))
        loaded = self.load(self.dumped(snapshot, "compact"))
        self.assertEqual(columns_of(loaded), columns_of(snapshot))
        self.assertEqual(loaded.statistics("lineno"),
                         snapshot.statistics("lineno"))
        with self.assertRaisesRegex(ValueError,
                                    "at the peak; use format='compact'"):
            snapshot.dump(self.filename, format="pickle")

    def test_data_without_totals(self):
        snapshot = full_snapshot(full_data(**dict.fromkeys(TOTALS)))
        loaded = self.load(self.dumped(snapshot, "compact"))
        self.assertEqual(columns_of(loaded), columns_of(snapshot))

    def test_no_blocks_at_all(self):
        loaded = self.load(self.dumped(tracemalloc.Snapshot([], 1), "compact"))
        self.assertEqual(len(loaded.traces), 0)
        self.assertEqual(loaded.statistics("lineno"), [])

    def test_suffix_and_keyword_choose_the_format(self):
        magic = b"\x89TMZ"
        for name, format, compact in [
                ("a.tmz", None, True), ("a.TMZ", None, True),
                ("a.pickle", None, False), ("tmz", None, False),
                ("a.tmz", "pickle", False), ("a", "compact", True),
                (b"b.tmz", None, True),
                (os_helper.FakePath("c.tmz"), None, True)]:
            with (self.subTest(name=name, format=format),
                  os_helper.change_cwd(self.folder)):
                made_by_hand().dump(name, format=format)
                with open(name, "rb") as stream:
                    self.assertEqual(stream.read(4) == magic, compact)
                self.assertEqual(len(tracemalloc.Snapshot.load(name).traces),
                                 7)
        with self.assertRaisesRegex(ValueError,
                                    "'pickle' or 'compact', not 'zip'"):
            made_by_hand().dump(self.filename, format="zip")

    def test_layout_is_as_documented(self):
        version, sections = parse(self.dumped(full_snapshot(), "compact"))
        self.assertEqual(version, (1, 0))
        names, columns = columns_of(full_snapshot())
        self.assertEqual([section[0] for section in sections],
                         ["snapshot", "attributes", "names", *columns, "end"])
        by_name = {section[0]: section for section in sections}
        self.assertEqual(by_name["end"][1:],
                         (b"E", b"\0", len(sections) - 1, b""))
        for name, column in columns.items():
            _, kind, _, count, content = by_name[name]
            self.assertEqual(kind.decode(), COLUMNS[name])
            self.assertEqual(count, len(column))
            self.assertEqual(
                list(struct.unpack(f"<{count}{kind.decode()}", content)),
                column)
        _, kind, _, count, content = by_name["names"]
        self.assertEqual(kind, b"S")
        lengths = struct.unpack_from(f"<{count}I", content)
        at, found = 4 * count, []
        for length in lengths:
            found.append(
                content[at:at + length].decode("utf-8", "surrogatepass"))
            at += length
        self.assertEqual((found, at), (names, len(content)))
        self.assertEqual(pickle.loads(by_name["attributes"][4]), PLAIN)

    def test_what_the_description_gives_is_loaded(self):
        # Written from the description, uncompressed, in another order, with a
        # section and a key of a later minor version.
        _, sections = parse(self.dumped(full_snapshot(), "compact"))
        sections = [(name, kind, b"\0", count, content)
                    for name, kind, _, count, content in sections[:-1]][::-1]
        sections.insert(3, ("later", b"?", b"\7", 5, b"whatever"))
        loaded = self.load(build(sections, (1, 7)))
        self.assertEqual(columns_of(loaded), columns_of(full_snapshot()))

    def test_without_zlib_files_are_not_compressed_and_packed_ones_refused(
            self):
        packed = self.dumped(full_snapshot(), "compact")
        with mock.patch.dict(sys.modules, zlib=None):
            data = self.dumped(full_snapshot(), "compact")
            self.assertEqual(columns_of(self.load(data)),
                             columns_of(full_snapshot()))
            self.refused(packed, "this interpreter was built without")
        self.assertEqual({section[2] for section in parse(data)[1]}, {b"\0"})

    def test_size_does_not_grow_with_the_number_of_blocks(self):
        sizes = {len(self.dumped(full_snapshot(full_data(
            **dict.fromkeys(TOTALS), row_count=[1, count, 1])), "compact"))
            for count in (3, 5_000_000, 2**40)}
        self.assertLess(max(sizes) - min(sizes), 16)

    def test_loading_takes_no_memory_for_blocks(self):
        self.dumped(full_snapshot(full_data(row_count=[1, 2**40, 1])),
                    "compact")
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the test would end it")
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        loaded = tracemalloc.Snapshot.load(self.filename)
        self.assertEqual(len(loaded.traces), 2**40 + 2)
        self.assertEqual(len(loaded.statistics("lineno")), 2)
        self.assertLess(tracemalloc.get_traced_memory()[1] - before, 2_000_000)


class AtomicTests(Files):

    def fail_in_the_middle(self):
        snapshot = made_by_hand()
        with (mock.patch.object(_compact, "_write_section",
                                side_effect=OSError("disk full")),
              self.assertRaisesRegex(OSError, "disk full")):
            snapshot.dump(self.filename, format="compact")

    def test_a_file_appears_when_it_is_complete(self):
        self.fail_in_the_middle()
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_file_stays_as_it_was_when_writing_fails(self):
        self.write(b"old")
        self.fail_in_the_middle()
        self.assertEqual(os.listdir(self.folder), ["snapshot"])
        with open(self.filename, "rb") as stream:
            self.assertEqual(stream.read(), b"old")
        unpicklable = made_by_hand()
        unpicklable.note = lambda: None
        with self.assertRaises(Exception):
            unpicklable.dump(self.filename)
        self.assertEqual(os.listdir(self.folder), ["snapshot"])

    @unittest.skipUnless(os.name == "posix", "permissions of POSIX")
    def test_permissions_are_those_of_open_or_of_the_file_that_was_there(self):
        with os_helper.temp_umask(0o027):
            made_by_hand().dump(self.filename)
        self.assertEqual(stat.S_IMODE(os.stat(self.filename).st_mode), 0o640)
        os.chmod(self.filename, 0o604)
        made_by_hand().dump(self.filename)
        self.assertEqual(stat.S_IMODE(os.stat(self.filename).st_mode), 0o604)

    @os_helper.skip_unless_symlink
    def test_a_link_stays_a_link(self):
        os.symlink("target", self.filename)
        made_by_hand().dump(self.filename)
        self.assertEqual(sorted(os.listdir(self.folder)),
                         ["snapshot", "target"])
        self.assertTrue(os.path.islink(self.filename))
        self.assertEqual(len(tracemalloc.Snapshot.load(self.filename).traces),
                         7)

    def test_a_file_that_may_not_be_written_to_is_not_replaced(self):
        self.write(b"old")
        with (mock.patch.object(os, "access", return_value=False) as access,
              self.assertRaises(PermissionError)):
            made_by_hand().dump(self.filename)
        access.assert_called_once_with(os.path.realpath(self.filename),
                                       os.W_OK)
        with open(self.filename, "rb") as stream:
            self.assertEqual(stream.read(), b"old")
        self.assertEqual(os.listdir(self.folder), ["snapshot"])

    @unittest.skipUnless(hasattr(os, "pipe"), "needs pipes")
    def test_a_descriptor_is_written_to_and_read_from_as_it_is(self):
        for format in "pickle", "compact":
            with self.subTest(format=format):
                reading, writing = os.pipe()
                made_by_hand().dump(writing, format=format)
                loaded = tracemalloc.Snapshot.load(reading)
                self.assertEqual(Counter(loaded.traces),
                                 Counter(made_by_hand().traces))

    @unittest.skipUnless(hasattr(os, "pathconf"), "needs os.pathconf()")
    def test_a_name_may_be_as_long_as_the_system_allows(self):
        length = os.pathconf(self.folder, "PC_NAME_MAX")
        name = os.path.join(self.folder, "n" * (length - 4) + ".tmz")
        made_by_hand().dump(name)
        self.assertEqual(len(tracemalloc.Snapshot.load(name).traces), 7)

    def test_dump_reports_files_it_cannot_write(self):
        with self.assertRaises(FileNotFoundError):
            made_by_hand().dump(os.path.join(self.folder, "no", "such"))
        with self.assertRaises(IsADirectoryError):
            made_by_hand().dump(self.folder)


class DraftFileTests(Files):

    def test_C01_D60_traces_of_a_2013_file_become_a_snapshot(self):
        for protocol in range(2, 6):
            with self.subTest(protocol=protocol):
                loaded = self.load(draft_file(protocol=protocol))
                path = (("a.py", 3), ("b.py", 4))
                unknown = (("<unknown>", 0),)
                self.assertEqual(loaded.traces._traces, [
                    (0, 80, path, None),
                    (0, 12, path, None), (0, 1, unknown, None),
                    (0, 2, unknown, None), (0, 3, (("c.py", 0),), None)])
                self.assertEqual(loaded.traceback_limit, 2)
                self.assertEqual(loaded.metadata, {
                    "time": WHEN.timestamp(), "pid": 17, "sizes": "exact",
                    "metrics": {"gc.objects": 5, "part": 0.5}})
                self.assertEqual([(stat.size, stat.count)
                                  for stat in loaded.statistics("filename")],
                                 [(92, 2), (3, 2), (3, 1)])

    def test_C01_stats_alone_have_exact_sums_by_line_and_average_sizes(self):
        loaded = self.load(draft_file(None, stats=DRAFT_STATS | {
            "d.py": {1: (100, 3), 2: (0, 0)}, "<unknown>": {0: (4, 2)}}))
        self.assertEqual(loaded.metadata["sizes"], "average")
        self.assertEqual(
            [(str(stat.traceback), stat.size, stat.count)
             for stat in loaded.statistics("lineno")],
            [("d.py:1", 100, 3), ("a.py:3", 92, 2), ("<unknown>:0", 7, 4),
             ("c.py:0", 3, 1)])
        self.assertEqual(sorted(trace.size for trace in loaded.traces),
                         [1, 2, 2, 2, 3, 33, 33, 34, 46, 46])

    def test_C01_many_blocks_in_stats_alone_take_no_memory_each(self):
        loaded = self.load(draft_file(None,
                                      stats={"a.py": {1: (2**50 + 1, 2**40)}}))
        stat, = loaded.statistics("lineno")
        self.assertEqual((stat.size, stat.count), (2**50 + 1, 2**40))

    def test_D49_a_2013_file_is_read_as_it_is_with_or_without_traces(self):
        self.write(draft_file())
        draft = _format.read(self.filename)
        self.assertEqual(draft.timestamp, WHEN)
        self.assertEqual((draft.pid, draft.traceback_limit), (17, 2))
        self.assertEqual(draft.stats, DRAFT_STATS)
        self.assertEqual(draft.traces, DRAFT_TRACES)
        self.assertEqual(draft.metrics,
                         {"gc.objects": (5, "int"), "part": (0.5, "percent")})
        draft = _format.read(self.filename, traces=False)
        self.assertIsNone(draft.traces)
        self.assertEqual(draft.stats, DRAFT_STATS)

    def test_C01_files_of_0_9_1_are_loaded(self):
        loaded = self.load(OLD_FILE)
        stat, = loaded.statistics("lineno")
        self.assertEqual((stat.size, stat.count), (100, 2))
        self.assertEqual(stat.traceback[0].filename, "\udcffa.p")
        self.assertEqual(loaded.metadata["time"],
                         datetime.datetime(2013, 6, 1, 10, 20, 30).timestamp())
        draft = _format.read(self.filename)
        self.assertEqual(draft.timestamp, "2013-06-01 10:20:30")
        self.assertEqual(draft.extra, {"process_memory": (5, 6)})

    def test_C19_both_kinds_are_told_apart_by_what_they_hold(self):
        self.write(draft_file())
        self.assertIs(type(_format.read(self.filename)), _format.Draft)
        made_by_hand().dump(self.filename)
        self.assertIs(type(_format.read(self.filename)), tracemalloc.Snapshot)

    def test_frames_that_blocks_share_are_looked_at_once(self):
        frames = (("a.py", 1),) * 3
        data = draft_file({number: (number, frames) for number in range(100)})
        with mock.patch.object(_draft, "_raw_frames",
                               wraps=_draft._raw_frames) as raw:
            self.assertEqual(len(self.load(data).traces), 100)
        self.assertEqual(raw.call_count, 1)

    def test_2013_files_that_make_no_sense_are_refused(self):
        for change in (
                {"stats": {"a": 1}}, {"stats": {"a": {1: (1,)}}},
                {"stats": {"a": {1: (1, -1)}}}, {"stats": {3: {}}},
                {"pid": "x"}, {"traceback_limit": None}, {"stats": None},
                {"metrics": {"x": 1}}, {"metrics": 5},
                {"stats": {"a": {2**31: (1, 1)}}}):
            with self.subTest(change=change):
                self.refused(draft_file(None, **change), "2013")
        for change in ({"stats": {"a": {1: {5: 0, 6: 0}}}},
                       {"stats": {"a": {1: {5, 6}}}}):
            with self.subTest(change=change):
                self.refused(draft_file(None, **change), "2013")
        for traces in ({"x": (1, ())}, {1: 2}, {1: (1, 5)},
                       {1: (1, ((1, 2),))}, [1], {1: (1, {("a", 1)})},
                       {1: (1, {("a", 1): 0})}, {1: {5: 0, None: 0}},
                       {1: (1, [{"a": 0, 1: 0}])}, {1: (1, "")}, {1: (1, 0)}):
            with self.subTest(traces=traces):
                self.refused(draft_file(traces), "2013")
        for time in (None, "no time", datetime.date(1, 1, 1),
                     datetime.datetime(1, 1, 1)):
            with self.subTest(time=time):
                self.assertIsNone(
                    self.load(draft_file(timestamp=time)).metadata["time"])
        self.refused(draft_file(format_version=(4, 0)), "(4, 0)")
        self.assertIsInstance(self.refused(draft_file()[:-20]), EOFError)


class ForeignFileTests(Files):

    def test_what_the_file_is_and_what_to_do_is_said(self):
        for data, words in [
                (b"", "empty file"),
                (b"\x1f\x8b\x08xxxx", "compressed by gzip; decompress"),
                (b"memray\x00", "a file of memray, which memray's own"),
                (b"\x04\x22\x4d\x18", "by LZ4, as memray's files are"),
                (b"BZh91AY", "compressed by bzip2"),
                (b"\xfd7zXZ\0\0", "compressed by xz"),
                (b"PK\3\4xxxxxxxx", "a ZIP archive"),
                (b"\x89TMZ\n\x1a\nxxx", "copied as text"),
                (b"TMZ\r\n\x1a\n", "first byte is missing"),
                (b"<!DOCTYPE html>\n", "begins with b'<!DOCTYPE ht'"),
                (b"\x7fELF" + bytes(100), "no snapshot file"),
                (b"hello\n", "files that Snapshot.dump() wrote can be loaded"),
                (bytes(1000), "no snapshot file"),
                (pickle.dumps([1, 2]), "a pickle of a list, not a snapshot"),
                (pickle.dumps({"a": 1}), "a pickle of a dict, not a snapshot"),
                (pickle.dumps(made_by_hand().traces[0]),
                 "a pickle of a Trace"),
                (b"\x80\x06N.", "protocol 6"),
                (b"\x80\x04N", "ends too early"),
        ]:
            with self.subTest(data=data):
                self.refused(data, words)

    def test_stock_programs_can_catch_what_pickle_raises(self):
        self.assertIsInstance(self.refused(b"hello"), pickle.UnpicklingError)
        self.assertIsInstance(self.refused(b"hello"), ValueError)
        self.assertNotIsInstance(self.refused(b"hello"), EOFError)
        self.assertIsInstance(self.refused(b""), EOFError)

    def test_newer_versions_of_the_compact_format(self):
        data = self.dumped(full_snapshot(), "compact")
        for version in (2, 0), (0, 9), (65535, 3):
            with self.subTest(version=version):
                _, sections = parse(data)
                self.refused(build(sections[:-1], version),
                             "format %d.%d" % version)

    def test_files_larger_than_allowed(self):
        for format in "pickle", "compact":
            data = self.dumped(full_snapshot(), format)
            with self.subTest(format=format):
                self.refused(data, "the 1000 B of memory", max_size=1000)
                self.assertEqual(len(self.load(data, max_size=200_000).traces),
                                 10)

    @unittest.skipUnless(os.path.exists("/dev/zero"), "needs /dev/zero")
    def test_a_file_without_end(self):
        with self.assertRaisesRegex(SnapshotFormatError,
                                    "memory that loading may take"):
            tracemalloc.Snapshot.load("/dev/zero", max_size=10**6)


if __name__ == "__main__":
    unittest.main()
