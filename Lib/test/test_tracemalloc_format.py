"""Files of snapshots: tracemalloc._format and tracemalloc._unpickle.

Rows S59 to S61, E09, E10, T06, P11, D49, D60, C01, C19 and G09 of the
requirements.  Where TRACEMALLOC_STOCK_PYTHON names an untouched interpreter,
files are exchanged with it.

The fuzzing here is short and always the same; Tools/fuzz/snapshot_files.py goes on
with other seeds for as long as one likes.
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
import zlib
from array import array
from collections import Counter
from test import support
from test.support import os_helper
from tracemalloc import SnapshotFormatError, _format
from tracemalloc._columns import COLUMNS, ROWS, TOTALS, Picture
from tracemalloc._unpickle import DraftMetric
from unittest import mock

STOCK_PYTHON = os.environ.get("TRACEMALLOC_STOCK_PYTHON")
needs_stock = unittest.skipUnless(
    STOCK_PYTHON, "TRACEMALLOC_STOCK_PYTHON does not name an interpreter to compare with")

A, B, C = ("a.py", 2), ("b.py", 40), ("c\udc80.py", 70_000)
RAW = [
    (0, 10, (A, B, C), 3),
    (0, 10, (A, B, C), 3),
    (0, 300, (A, B, C), 3),
    (0, 70_000, (A, C), 300),
    (5, 10, (A, B, C), 3),
    (2**32 - 1, 2**63, (B,), None),
    (0, 0, (("<unknown>", 0),), 1),
]
PLAIN = {
    "text": "x", "number": 2**70, "nested": [1, 2.5, None, True, (b"x", {"a": {1, 2}})],
    "names": frozenset({("a", 1), None}), "bytes": bytearray(b"abc"),
    "when": datetime.datetime(2013, 10, 3, 11, 34, 39, tzinfo=datetime.timezone.utc),
    "complex": 1 + 2j, "took": datetime.timedelta(days=3, microseconds=1),
}


def made_by_hand():
    snapshot = tracemalloc.Snapshot(list(RAW), 25)
    vars(snapshot).update(PLAIN)
    return snapshot


def full_picture(**changes):
    """Return a picture with something in every column."""
    columns = {
        "path_parent": [0, 0, 1], "path_file": [0, 1, 2], "path_function": [0, 4, 5],
        "path_line": [0, 7, 8], "context_path": [2, 1, 0], "context_file": [1, 3, 6],
        "context_function": [4, 0, 0], "context_line": [3, 4, 0],
        "context_end_line": [3, 5, -1], "context_column": [4, 0, -1],
        "context_end_column": [9, 80, -1], "context_domain": [0, 389047, 0],
        "context_thread": [7, 7, 0], "context_depth": [3, 65535, 1],
        "context_allocated_blocks": [10, 7, 3], "context_allocated_bytes": [170, 700, 3],
        "context_freed_blocks": [7, 0, 3], "context_freed_bytes": [126, 0, 3],
        "context_peak_blocks": [5, 7, 1], "context_peak_bytes": [100, 700, 1],
        "row_context": [0, 0, 1], "row_size": [10, 24, 100], "row_count": [2, 1, 7],
    } | changes
    names = ["", "a.py", "b.py", "c\udc80.py", "f", "C.m\xe9", "<unknown>", "MainThread"]
    return Picture(names, **{name: array(COLUMNS[name], column)
                             for name, column in columns.items()
                             if column is not None})


METADATA = {"time": "2026-11-20T11:00:00", "pid": 7, "command_line": ["python", "x.py"],
            "sample_interval": None}


def of_picture(picture=None):
    snapshot = tracemalloc.Snapshot._of(picture or full_picture(), 2, dict(METADATA))
    vars(snapshot).update(PLAIN)
    return snapshot


def columns_of(snapshot):
    picture = snapshot.traces._picture
    return picture.names, {name: list(column) for name, column in picture.columns().items()}


class Files(unittest.TestCase):

    def setUp(self):
        self.folder = self.enterContext(os_helper.temp_dir())
        self.filename = os.path.join(self.folder, "snapshot")

    def write(self, data):
        with open(self.filename, "wb") as stream:
            stream.write(data)
        return self.filename

    def load(self, data, **options):
        return tracemalloc.Snapshot.load(self.write(data), **options)

    def dumped(self, snapshot, format):
        snapshot.dump(self.filename, format=format)
        with open(self.filename, "rb") as stream:
            return stream.read()

    def refused(self, data, words="", **options):
        """Check that loading *data* is refused in one line; return the error."""
        with self.assertRaises(SnapshotFormatError) as caught:
            self.load(data, **options)
        text = str(caught.exception)
        self.assertTrue(text.startswith(repr(self.filename)), text)
        self.assertNotIn("\n", text)
        self.assertIn(words, text)
        return caught.exception

    def assert_plain_kept(self, snapshot):
        self.assertEqual({name: value for name, value in vars(snapshot).items()
                          if name in PLAIN}, PLAIN)


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

    def test_S59_pickle_of_a_picture_is_that_of_its_blocks(self):
        snapshot = of_picture()
        data = self.dumped(snapshot, "pickle")
        self.assertEqual(data[:2], b"\x80%c" % pickle.HIGHEST_PROTOCOL)
        unpickled = pickle.loads(data)
        loaded = self.load(data)
        for other in unpickled, loaded:
            self.assertEqual(list(other.traces), list(snapshot.traces))
            self.assertEqual(other.traceback_limit, 2)
            self.assertEqual(other.metadata, METADATA)
            self.assert_plain_kept(other)
        self.assertEqual(loaded.traces._traces[0], (0, 10, (("a.py", 3), ("b.py", 8)), 3))

    def test_S59_pickle_of_large_numbers_in_a_picture(self):
        count = 300
        picture = Picture.from_raw([
            (2**32 - 1 - number % 3, 2**64 - 1 - number * 2**40,
             ((f"{number}.py", -number), A), number) for number in range(count)])
        loaded = self.load(self.dumped(of_picture(picture), "pickle"))
        self.assertEqual(list(loaded.traces), list(of_picture(picture).traces))

    def test_S59_alike_blocks_take_a_few_bytes_each_and_no_memory_to_write(self):
        picture = full_picture(row_count=[1, 1, 1])
        few = len(self.dumped(of_picture(picture), "pickle"))
        picture = full_picture(row_count=[1, 5_000_000, 1])
        snapshot = of_picture(picture)
        with self.traced_peak() as peak:
            snapshot.dump(self.filename, format="pickle")
        self.assertLess(peak(), 5_000_000)
        self.assertEqual(os.path.getsize(self.filename), few + 2 * 4_999_999)
        loaded = tracemalloc.Snapshot.load(self.filename)
        self.assertEqual(len(loaded.traces), 5_000_002)
        self.assertEqual(sum(stat.size for stat in loaded.statistics("lineno")),
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
                self.assertEqual(len(tracemalloc.Snapshot.load(self.filename).traces), 7)

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
        self.assertEqual(tracemalloc.Snapshot.load(self.filename).traces, snapshot.traces)

    def test_P11_traces_of_older_pythons_are_loaded(self):
        # 3.4 and 3.5 and pytracemalloc 1.x: no domain; before 3.9: no depth.
        for old in [trace[1:3] for trace in RAW], [trace[:3] for trace in RAW]:
            for protocol in 2, 3, 4:
                with self.subTest(items=len(old[0]), protocol=protocol):
                    data = pickle.dumps(tracemalloc.Snapshot(old, 25), protocol)
                    loaded = self.load(data)
                    wanted = [trace[:3] for trace in RAW]
                    if len(old[0]) == 2:
                        wanted = [(0, *trace[1:3]) for trace in RAW]
                    self.assertEqual([trace[:3] for trace in loaded.traces._traces], wanted)
                    self.assertIsNone(loaded.traces[0].traceback.total_nframe)
                    self.assertEqual(sum(stat.count for stat in loaded.statistics("lineno")), 7)

    def test_S61_objects_of_the_snapshot_classes_may_be_attributes(self):
        snapshot = made_by_hand()
        snapshot.trace = snapshot.traces[1]
        snapshot.path = snapshot.traces[1].traceback
        snapshot.line = snapshot.traces[1].traceback[0]
        snapshot.top = snapshot.statistics("lineno")[:2]
        snapshot.changes = snapshot.compare_to(tracemalloc.Snapshot([], 1), "filename")
        snapshot.previous = tracemalloc.Snapshot(RAW[:2], 3)
        snapshot.itself = snapshot
        for format in "pickle", "compact":
            with self.subTest(format=format):
                if format == "compact":
                    del snapshot.itself
                loaded = self.load(self.dumped(snapshot, format))
                for name in "trace", "path", "line", "top", "changes":
                    self.assertEqual(getattr(loaded, name), getattr(snapshot, name))
                self.assertEqual(loaded.previous.traces, snapshot.previous.traces)
                if format == "pickle":
                    self.assertIs(loaded.itself, loaded)

    def test_S61_statistics_of_all_kinds_may_be_attributes(self):
        snapshot = of_picture()
        for key in "filename", "lineno", "traceback", "function", "module", "thread", "domain":
            snapshot.top = snapshot.statistics(key)
            snapshot.changes = snapshot.compare_to(tracemalloc.Snapshot([], 1), key)
            snapshot.frame = snapshot.top[0].traceback[0]
            for format in "pickle", "compact":
                with self.subTest(key=key, format=format):
                    loaded = self.load(self.dumped(snapshot, format))
                    self.assertEqual(loaded.top, snapshot.top)
                    self.assertEqual(loaded.changes, snapshot.changes)
                    self.assertEqual(loaded.frame, snapshot.frame)

    def test_S61_objects_of_other_classes_are_refused_and_said_how_to_load(self):
        snapshot = made_by_hand()
        snapshot.note = io.StringIO("text")
        error = self.refused(self.dumped(snapshot, "pickle"), "asks for _io.StringIO")
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
                self.assertEqual(loaded.filter_traces([]).metadata, {"metadata": mine})

    def test_S59_objects_of_subclasses_are_pickled_as_such(self):
        snapshot = Subclass._of(full_picture(), 2, {})
        data = self.dumped(snapshot, "pickle")
        self.assertIs(type(pickle.loads(data)), Subclass)
        self.assertEqual(list(pickle.loads(data).traces), list(snapshot.traces))
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
            [python, "-c", textwrap.dedent(code), self.filename], env=env, check=True,
            stdout=subprocess.PIPE, text=True, timeout=support.LONG_TIMEOUT).stdout

    @needs_stock
    def test_S61_stock_loads_what_is_dumped_here(self):
        written = self.run_python(sys.executable, self.WRITE)
        self.assertEqual(self.run_python(STOCK_PYTHON, self.READ), written)

    @needs_stock
    def test_S61_what_stock_dumps_is_loaded_here(self):
        written = self.run_python(STOCK_PYTHON, self.WRITE)
        self.assertEqual(self.run_python(sys.executable, self.READ), written)

    @needs_stock
    def test_S61_E10_a_file_of_stock_goes_through_the_compact_format_and_back(self):
        written = self.run_python(STOCK_PYTHON, self.WRITE)
        self.assertEqual(self.run_python(sys.executable, self.CONVERT), written)
        self.assertEqual(self.run_python(STOCK_PYTHON, self.READ), written)


def values(seed, depth=3):
    """Return plain values that a program might add to a snapshot."""
    rng = random.Random(seed)

    def scalar():
        return rng.choice([
            None, True, False, rng.randrange(-2**rng.randrange(1, 90), 2**70), rng.random(),
            "t" * rng.randrange(300), "\xe9\u20ac\U0001f600", b"b" * rng.randrange(300), "",
            float("inf"), 0, -1, 255, 256, 65535, 65536, 2**31, -2**31])

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
        for value in object(), lambda: None, [io.StringIO()], Counter("a"), {((1,),): 2}:
            with self.subTest(value=value):
                snapshot = made_by_hand()
                snapshot.strange = value
                with self.assertRaisesRegex(TypeError, "attribute 'strange'.*'pickle'"):
                    snapshot.dump(self.filename, format="compact")
                self.assertEqual(os.listdir(self.folder), [])


# What a compact file looks like, from its description alone.

def parse(data):
    """Return the version and the sections of a compact file."""
    magic, *version, check = struct.unpack_from("<8sHHI", data)
    assert magic == b"\x89TMZ\r\n\x1a\n" and check == zlib.crc32(data[:12])
    sections, at = [], 16
    while at < len(data):
        head = at
        name = data[at + 1:at + 1 + data[at]]
        at += 1 + data[at]
        kind, encoding, count, size, stored = struct.unpack_from("<ccQQQ", data, at)
        at += 26
        assert struct.unpack_from("<I", data, at)[0] == zlib.crc32(data[head:at])
        content = data[at + 4:at + 4 + stored]
        at += 4 + stored
        assert struct.unpack_from("<I", data, at)[0] == zlib.crc32(content)
        at += 4
        if encoding == b"\1":
            content = zlib.decompress(content)
        assert len(content) == size
        sections.append((name.decode(), kind, encoding, count, content))
    return tuple(version), sections


def build(sections, version=(1, 0), end=True, **heads):
    """Return a compact file; *heads* are changes to the numbers of sections."""
    data = struct.pack("<8sHH", b"\x89TMZ\r\n\x1a\n", *version)
    data += struct.pack("<I", zlib.crc32(data))
    if end:
        sections = [*sections, ("end", b"E", b"\0", len(sections), b"")]
    for name, kind, encoding, count, content in sections:
        numbers = {"count": count, "size": len(content)}
        if encoding == b"\1":
            content = zlib.compress(content)
        numbers["stored"] = len(content)
        numbers |= heads.get(name, {})
        content = numbers.pop("content", content)
        head = bytes([len(name)]) + name.encode()
        head += struct.pack("<ccQQQ", kind, encoding, *numbers.values())
        data += head + struct.pack("<I", zlib.crc32(head))
        data += content + struct.pack("<I", zlib.crc32(content))
    return data


class CompactFileTests(Files):

    def test_every_column_name_and_attribute_comes_back(self):
        snapshot = of_picture()
        loaded = self.load(self.dumped(snapshot, "compact"))
        self.assertEqual(columns_of(loaded), columns_of(snapshot))
        self.assertEqual(loaded.traces, snapshot.traces)
        self.assertEqual(loaded.metadata, METADATA)
        self.assertEqual(loaded.traceback_limit, 2)
        self.assertEqual(vars(loaded).keys(), vars(snapshot).keys())
        self.assert_plain_kept(loaded)

    def test_T06_statistics_of_a_loaded_snapshot_are_the_same(self):
        for snapshot in of_picture(), made_by_hand():
            loaded = self.load(self.dumped(snapshot, "compact"))
            for key in "lineno", "filename", "traceback", "function", "thread", "domain":
                with self.subTest(key=key):
                    self.assertEqual(loaded.statistics(key), snapshot.statistics(key))
            self.assertEqual(Counter(loaded.traces), Counter(snapshot.traces))

    def test_a_snapshot_of_the_peak_can_be_kept_in_a_compact_file_only(self):
        snapshot = of_picture(full_picture(**dict.fromkeys(ROWS)))
        loaded = self.load(self.dumped(snapshot, "compact"))
        self.assertEqual(columns_of(loaded), columns_of(snapshot))
        self.assertEqual(loaded.statistics("lineno"), snapshot.statistics("lineno"))
        with self.assertRaisesRegex(ValueError, "at the peak; use format='compact'"):
            snapshot.dump(self.filename, format="pickle")

    def test_a_picture_without_totals(self):
        snapshot = of_picture(full_picture(**dict.fromkeys(TOTALS)))
        loaded = self.load(self.dumped(snapshot, "compact"))
        self.assertEqual(columns_of(loaded), columns_of(snapshot))

    def test_no_blocks_at_all(self):
        loaded = self.load(self.dumped(tracemalloc.Snapshot([], 1), "compact"))
        self.assertEqual(len(loaded.traces), 0)
        self.assertEqual(loaded.statistics("lineno"), [])

    def test_suffix_and_keyword_choose_the_format(self):
        magic = b"\x89TMZ"
        for name, format, compact in [
                ("a.tmz", None, True), ("a.TMZ", None, True), ("a.pickle", None, False),
                ("tmz", None, False), ("a.tmz", "pickle", False), ("a", "compact", True),
                (b"b.tmz", None, True), (os_helper.FakePath("c.tmz"), None, True)]:
            with self.subTest(name=name, format=format), os_helper.change_cwd(self.folder):
                made_by_hand().dump(name, format=format)
                with open(name, "rb") as stream:
                    self.assertEqual(stream.read(4) == magic, compact)
                self.assertEqual(len(tracemalloc.Snapshot.load(name).traces), 7)
        with self.assertRaisesRegex(ValueError, "'pickle' or 'compact', not 'zip'"):
            made_by_hand().dump(self.filename, format="zip")

    def test_layout_is_as_documented(self):
        version, sections = parse(self.dumped(of_picture(), "compact"))
        self.assertEqual(version, (1, 0))
        names, columns = columns_of(of_picture())
        self.assertEqual([section[0] for section in sections],
                         ["snapshot", "attributes", "names", *columns, "end"])
        by_name = {section[0]: section for section in sections}
        self.assertEqual(by_name["end"][1:], (b"E", b"\0", len(sections) - 1, b""))
        for name, column in columns.items():
            _, kind, _, count, content = by_name[name]
            self.assertEqual(kind.decode(), COLUMNS[name])
            self.assertEqual(count, len(column))
            self.assertEqual(list(struct.unpack(f"<{count}{kind.decode()}", content)), column)
        _, kind, _, count, content = by_name["names"]
        self.assertEqual(kind, b"S")
        lengths = struct.unpack_from(f"<{count}I", content)
        at, found = 4 * count, []
        for length in lengths:
            found.append(content[at:at + length].decode("utf-8", "surrogatepass"))
            at += length
        self.assertEqual((found, at), (names, len(content)))
        self.assertEqual(pickle.loads(by_name["attributes"][4]), PLAIN)

    def test_what_the_description_gives_is_loaded(self):
        # Written from the description, uncompressed, in another order, with a
        # section and a key of a later minor version.
        _, sections = parse(self.dumped(of_picture(), "compact"))
        sections = [(name, kind, b"\0", count, content)
                    for name, kind, _, count, content in sections[:-1]][::-1]
        sections.insert(3, ("later", b"?", b"\7", 5, b"whatever"))
        loaded = self.load(build(sections, (1, 7)))
        self.assertEqual(columns_of(loaded), columns_of(of_picture()))

    def test_without_zlib_files_are_not_compressed_and_packed_ones_refused(self):
        packed = self.dumped(of_picture(), "compact")
        with mock.patch.dict(sys.modules, zlib=None):
            data = self.dumped(of_picture(), "compact")
            self.assertEqual(columns_of(self.load(data)), columns_of(of_picture()))
            self.refused(packed, "this interpreter was built without")
        self.assertEqual({section[2] for section in parse(data)[1]}, {b"\0"})

    def test_size_does_not_grow_with_the_number_of_blocks(self):
        sizes = {len(self.dumped(of_picture(full_picture(
            **dict.fromkeys(TOTALS), row_count=[1, count, 1])), "compact"))
            for count in (3, 5_000_000, 2**40)}
        self.assertLess(max(sizes) - min(sizes), 16)

    def test_loading_takes_no_memory_for_blocks(self):
        self.dumped(of_picture(full_picture(row_count=[1, 2**40, 1])), "compact")
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
        with (mock.patch.object(_format, "_write_section", side_effect=OSError("disk full")),
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
        self.assertEqual(sorted(os.listdir(self.folder)), ["snapshot", "target"])
        self.assertTrue(os.path.islink(self.filename))
        self.assertEqual(len(tracemalloc.Snapshot.load(self.filename).traces), 7)

    def test_a_file_is_written_in_place_where_no_other_can_be_made(self):
        self.write(b"old")
        with mock.patch.object(os, "open", side_effect=PermissionError):
            made_by_hand().dump(self.filename)
        self.assertEqual(len(tracemalloc.Snapshot.load(self.filename).traces), 7)

    @unittest.skipUnless(hasattr(os, "pipe"), "needs pipes")
    def test_a_descriptor_is_written_to_and_read_from_as_it_is(self):
        for format in "pickle", "compact":
            with self.subTest(format=format):
                reading, writing = os.pipe()
                made_by_hand().dump(writing, format=format)
                loaded = tracemalloc.Snapshot.load(reading)
                self.assertEqual(Counter(loaded.traces), Counter(made_by_hand().traces))

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


class Metric:
    """Stands for the class of that name of 2013 in the pickles below."""
    __slots__ = ("name", "value", "format")

    def __init__(self, *items):
        self.name, self.value, self.format = items


Metric.__module__ = "tracemalloc"

WHEN = datetime.datetime(2013, 10, 3, 11, 34, 39, 5)
DRAFT_TRACES = {
    0x805e7010: (80, (("a.py", 3), ("b.py", 4))),
    0x9b531010: (12, (("a.py", 3), ("b.py", 4))),
    0x1a9b2838: (1, ()),
    0x19dbfd88: (2, ((None, None),)),
    0x00a9fdcf: (3, (("c.py", None),)),
}
DRAFT_STATS = {"a.py": {3: (92, 2)}, "c.py": {None: (3, 1)}, None: {None: (3, 2)}}


def draft_file(traces=DRAFT_TRACES, protocol=pickle.HIGHEST_PROTOCOL, with_metrics=True, **changes):
    """Return a file as Snapshot.write() of 2013 wrote it."""
    head = {"format_version": (3, 4), "timestamp": WHEN, "pid": 17, "traceback_limit": 2,
            "stats": DRAFT_STATS}
    if with_metrics:
        head["metrics"] = {"gc.objects": Metric("gc.objects", 5, "int"),
                           "part": Metric("part", 0.5, "percent")}
    with mock.patch.object(tracemalloc, "Metric", Metric, create=True):
        return pickle.dumps(head | changes, protocol) + pickle.dumps(traces, protocol)


class DraftFileTests(Files):

    def test_C01_D60_traces_of_a_2013_file_become_a_snapshot(self):
        for protocol in range(2, 6):
            with self.subTest(protocol=protocol):
                loaded = self.load(draft_file(protocol=protocol))
                path = (("a.py", 3), ("b.py", 4))
                unknown = (("<unknown>", 0),)
                self.assertEqual(loaded.traces._traces, [
                    (0, 80, path, None), (0, 12, path, None), (0, 1, unknown, None),
                    (0, 2, unknown, None), (0, 3, (("c.py", 0),), None)])
                self.assertEqual(loaded.traceback_limit, 2)
                self.assertEqual(loaded.metadata, {
                    "time": WHEN.timestamp(), "pid": 17, "sizes": "exact",
                    "metrics": {"gc.objects": 5, "part": 0.5}})
                self.assertEqual([(stat.size, stat.count) for stat in
                                  loaded.statistics("filename")], [(92, 2), (3, 2), (3, 1)])

    def test_C01_stats_alone_have_exact_sums_by_line_and_average_sizes(self):
        loaded = self.load(draft_file(None, stats=DRAFT_STATS | {
            "d.py": {1: (100, 3), 2: (0, 0)}, "<unknown>": {0: (4, 2)}}))
        self.assertEqual(loaded.metadata["sizes"], "average")
        self.assertEqual(
            [(str(stat.traceback), stat.size, stat.count) for stat in
             loaded.statistics("lineno")],
            [("d.py:1", 100, 3), ("a.py:3", 92, 2), ("<unknown>:0", 7, 4), ("c.py:0", 3, 1)])
        self.assertEqual(sorted(trace.size for trace in loaded.traces),
                         [1, 2, 2, 2, 3, 33, 33, 34, 46, 46])

    def test_C01_many_blocks_in_stats_alone_take_no_memory_each(self):
        loaded = self.load(draft_file(None, stats={"a.py": {1: (2**50 + 1, 2**40)}}))
        stat, = loaded.statistics("lineno")
        self.assertEqual((stat.size, stat.count), (2**50 + 1, 2**40))

    def test_D49_a_2013_file_is_read_as_it_is_with_or_without_traces(self):
        self.write(draft_file())
        draft = _format.read(self.filename)
        self.assertEqual(draft.timestamp, WHEN)
        self.assertEqual((draft.pid, draft.traceback_limit), (17, 2))
        self.assertEqual(draft.stats, DRAFT_STATS)
        self.assertEqual(draft.traces, DRAFT_TRACES)
        self.assertEqual(draft.metrics, {"gc.objects": (5, "int"), "part": (0.5, "percent")})
        draft = _format.read(self.filename, traces=False)
        self.assertIsNone(draft.traces)
        self.assertEqual(draft.stats, DRAFT_STATS)

    # By Python 2.7: what 0.9.1 wrote, with a file name that is no UTF-8.
    OLD_FILE = (
        b"\x80\x02}q\x01(U\x0eformat_versionq\x02K\x01U\ttimestampq\x03U\x13"
        b"2013-06-01 10:20:30q\x04U\x05statsq\x05}q\x06U\x04\xffa.pq\x07}q\x08"
        b"K\x03K\x64K\x02\x86q\x09ssU\x03pidq\x0aK\x11U\x0eprocess_memoryq\x0b"
        b"K\x05K\x06\x86q\x0cu.")

    def test_C01_files_of_0_9_1_are_loaded(self):
        loaded = self.load(self.OLD_FILE)
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

    def test_2013_files_that_make_no_sense_are_refused(self):
        for change in (
                {"stats": {"a": 1}}, {"stats": {"a": {1: (1,)}}}, {"stats": {"a": {1: (1, -1)}}},
                {"stats": {3: {}}}, {"pid": "x"}, {"traceback_limit": None}, {"stats": None},
                {"metrics": {"x": 1}}, {"metrics": 5}, {"stats": {"a": {2**31: (1, 1)}}}):
            with self.subTest(change=change):
                self.refused(draft_file(None, **change), "2013")
        for traces in ({"x": (1, ())}, {1: 2}, {1: (1, 5)}, {1: (1, ((1, 2),))}, [1]):
            with self.subTest(traces=traces):
                self.refused(draft_file(traces), "2013")
        for time in None, "no time", datetime.date(1, 1, 1), datetime.datetime(1, 1, 1):
            with self.subTest(time=time):
                self.assertIsNone(self.load(draft_file(timestamp=time)).metadata["time"])
        self.refused(draft_file(format_version=(4, 0)), "(4, 0)")
        self.assertIsInstance(self.refused(draft_file()[:-20]), EOFError)


class ForeignFileTests(Files):

    def test_what_the_file_is_and_what_to_do_is_said(self):
        for data, words in [
                (b"", "empty file"),
                (b"\x1f\x8b\x08xxxx", "compressed by gzip; decompress"),
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
                (pickle.dumps(made_by_hand().traces[0]), "a pickle of a Trace"),
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
        data = self.dumped(of_picture(), "compact")
        for version in (2, 0), (0, 9), (65535, 3):
            with self.subTest(version=version):
                _, sections = parse(data)
                self.refused(build(sections[:-1], version), "format %d.%d" % version)

    def test_files_larger_than_allowed(self):
        for format in "pickle", "compact":
            data = self.dumped(of_picture(), format)
            with self.subTest(format=format):
                self.refused(data, "the 1000 bytes of memory", max_size=1000)
                self.assertEqual(len(self.load(data, max_size=200_000).traces), 10)

    @unittest.skipUnless(os.path.exists("/dev/zero"), "needs /dev/zero")
    def test_a_file_without_end(self):
        with self.assertRaisesRegex(SnapshotFormatError, "memory that loading may take"):
            tracemalloc.Snapshot.load("/dev/zero", max_size=10**6)


# Hostile pickles.  Whatever they hold is in the place of an attribute too, so
# that it is not refused just for being no snapshot.

ran = []


def canary(*args):
    ran.append(args)
    return "ran"


class Runs:
    def __reduce__(self):
        return canary, ("reduce",)


def state(body):
    """Return a pickled snapshot that has *body* as an attribute."""
    return (b"\x80\x04ctracemalloc\nSnapshot\n)\x81}(X\x06\0\0\0tracesctracemalloc\n_Traces\n"
            b")\x81}X\x07\0\0\0_traces]sbX\x0f\0\0\0traceback_limitK\x01X\1\0\0\0x"
            + body + b"ub.")


def short(text):
    return b"\x8c%c" % len(text) + text.encode()


def nested(number, wrap=b"\x85"):
    return b")" + wrap * number


HERE = __name__.encode()
CALLS = {
    "GLOBAL and REDUCE": b"cos\nsystem\nX\4\0\0\0true\x85R",
    "STACK_GLOBAL": short("os") + short("system") + b"\x93" + short("true") + b"\x85R",
    "posix": b"cposix\nsystem\n" + short("true") + b"\x85R",
    "eval": b"cbuiltins\neval\nX\4\0\0\0true\x85R",
    "Python 2": b"c__builtin__\neval\nX\4\0\0\0true\x85R",
    "getattr": b"cbuiltins\ngetattr\n)R",
    "canary": b"c" + HERE + b"\ncanary\n)R",
    "dotted name": short("tracemalloc") + short("os.system") + b"\x93)R",
    "module in ours": b"ctracemalloc\nlinecache\n)R",
    "function of ours": b"ctracemalloc\nstart\n)R",
    "submodule": b"ctracemalloc._format\ndump\n)R",
    "class as function": b"ctracemalloc\nSnapshot\n)R",
    "class with arguments": b"ctracemalloc\nFrame\nK\1\x85\x81",
    "INST": b"(X\4\0\0\0trueios\nsystem\n",
    "OBJ": b"(cos\nsystem\nX\4\0\0\0trueo",
    "OBJ of ours": b"(ctracemalloc\nSnapshot\no",
    "NEWOBJ": b"c" + HERE + b"\nRuns\n)\x81",
    "NEWOBJ_EX": b"ctracemalloc\nSnapshot\n)}\x92",
    "BUILD": b"c" + HERE + b"\nRuns\n)\x81}b",
    "EXT1": b"\x82\1", "EXT2": b"\x83\1\0", "EXT4": b"\x84\1\0\0\0",
    "PERSID": b"P1\n", "BINPERSID": b"K\1Q",
    "NEXT_BUFFER": b"\x97", "READONLY_BUFFER": b"C\1a\x98",
    "import": b"cantigravity\nfly\n",
    "codecs": b"c_codecs\ndecode\nC\1aX\4\0\0\0zlib\x86R",
    "encode with another codec": b"c_codecs\nencode\nX\1\0\0\0aX\4\0\0\0zlib\x86R",
    "copyreg": b"ccopyreg\n_reconstructor\nc" + HERE + b"\nRuns\ncbuiltins\nobject\nN\x87R",
    "copyreg with a base": b"ccopyreg\n_reconstructor\nctracemalloc\nSnapshot\n"
                           b"cbuiltins\nint\nK\1\x87R",
    "__newobj__": b"ccopyreg\n__newobj__\ncos\nsystem\n\x85R",
    "a value is called": b"K\1)R", "a value is a class": b"K\1)\x81",
    "a value is built": b"K\1}b",
}
BOMBS = {
    "FRAME": b"\x95" + b"\xff" * 8,
    "LONG1": b"\x8a\xff", "LONG4": b"\x8b\xff\xff\xff\x7f", "LONG4 < 0": b"\x8b\0\0\0\x80",
    "BINUNICODE": b"X\xff\xff\xff\xff", "BINUNICODE8": b"\x8d" + b"\xff" * 8,
    "BINBYTES": b"B\xff\xff\xff\x7f", "BINBYTES8": b"\x8e" + b"\0" * 6 + b"\xff\0",
    "BYTEARRAY8": b"\x96" + b"\0" * 4 + b"\xff\0\0\0", "BINSTRING": b"T\xff\xff\xff\x7f",
    "LONG_BINPUT": b"Kar\xff\xff\xff\x7f", "PUT": b"Kap99999999999\n", "PUT < 0": b"Kap-1\n",
    "BINGET": b"h\xff", "LONG_BINGET": b"j\xff\xff\xff\xff", "GET < 0": b"g-1\n",
    "INT": b"I" + b"9" * 100_000 + b"\n", "LONG": b"L" + b"9" * 5000 + b"L\n",
}
DAMAGE = {
    "tuples as key": b"}" + nested(100_000) + b"Ns",
    "tuples in a set": b"\x8f(" + nested(100_000) + b"\x90",
    "tuples in a frozen set": b"(" + nested(100_000) + b"\x91",
    "tuples": nested(100_000),
    "tuples by MARK": b"(" * 100 + b"t" * 100,
    "tuples by memo": b")\x94" + b"".join(b"(K\1K\1h%cK\1t\x94" % n for n in range(60)),
    "a list as key": b"}]Ns", "a dictionary as key": b"}}Ns",
    "odd dictionary": b"}(NNNu", "odd DICT": b"(NNNd",
    "append to a tuple": b")Na", "set items of a list": b"]NNs", "add to a list": b"](N\x90",
    "no mark": b"t", "unfinished mark": b"(", "nothing to pop": b"000000000000",
    "no object": b"ctracemalloc\nFrame\n)\x81",
    "half an object": b"ctracemalloc\nFrame\n)\x81}b",
    "an object twice": b"ctracemalloc\nFrame\n)\x81}X\6\0\0\0_frameX\1\0\0\0aK\1\x86s\x94bh\0b",
    "wrong state": b"ctracemalloc\nFrame\n)\x81]b",
    "wrong key": b"ctracemalloc\nFrame\n)\x81}K\1K\1sb",
    "wrong function": b"ctracemalloc\nFrame\n)\x81}X\6\0\0\0_frame"
                      b"X\0\0\0\0K\1N\x87sb",
    "wrong frame": b"ctracemalloc\nFrame\n)\x81}X\6\0\0\0_frameNsb",
    "line too large": b"ctracemalloc\nFrame\n)\x81}X\6\0\0\0_frame"
                      b"X\0\0\0\0\x8a\5\0\0\0\0\1\x86sb",
    "another attribute": b"ctracemalloc\nFrame\n)\x81}(X\6\0\0\0_frameX\1\0\0\0aK\1\x86"
                         b"X\1\0\0\0bNub",
    "statistic of nothing": b"ctracemalloc\nStatistic\n)\x81}(X\x09\0\0\0tracebackN"
                            b"X\4\0\0\0sizeK\1X\5\0\0\0countK\1ub",
    "class as value of a name": b"(ctracemalloc\nFrame\nN\x93",
    "date": b"cdatetime\ndatetime\nC\1a\x85R", "date of lists": b"cdatetime\ndate\n]\x85R",
    "text that is none": b"\x8c\1\xff", "quotes": b"S'a\n", "number": b"Iten\n",
    "float": b"Fx\n", "bytes of a number": b"cbuiltins\nbytearray\nK\7\x85R",
}


def traces_pickle(items, after=b""):
    """Return a pickled snapshot whose list of traces is given by instructions."""
    return (b"\x80\x04ctracemalloc\nSnapshot\n)\x81}(X\x06\0\0\0tracesctracemalloc\n_Traces\n"
            b")\x81}X\x07\0\0\0_traces" + items + b"sbX\x0f\0\0\0traceback_limitK\x01"
            + after + b"ub.")


FRAMES = b"X\1\0\0\0aK\1\x86\x85"


class HostilePickleTests(Files):

    def setUp(self):
        super().setUp()
        ran.clear()
        self.addCleanup(lambda: self.assertEqual(ran, []))

    def test_nothing_is_run_whatever_a_pickle_asks_for(self):
        for name, body in CALLS.items():
            for data in state(body), b"\x80\x04" + body + b".", b"\x80\x02" + body + b"0N.":
                with (self.subTest(name=name),
                      mock.patch("os.system", canary), mock.patch("builtins.eval", canary)):
                    self.refused(data)
                self.assertNotIn("antigravity", sys.modules)
        with mock.patch("os.system", canary):
            pickle.loads(b"\x80\x04" + CALLS["GLOBAL and REDUCE"] + b".")
        self.assertEqual(ran.pop(), ("true",))      # The canary sings.

    def test_reduce_of_an_attribute_is_not_run(self):
        snapshot = made_by_hand()
        snapshot.note = Runs()
        for protocol in range(6):
            with self.subTest(protocol=protocol):
                self.refused(pickle.dumps(snapshot, protocol),
                             f"asks for {__name__}.canary, which is not part of a snapshot "
                             "and was not run")

    def test_names_are_shown_on_one_line(self):
        self.refused(state(short("a\nb") + short("\x1b[31mc" * 30) + b"\x93"),
                     r"'a\nb.\x1b[31mc")

    def test_sizes_beyond_the_file_take_no_memory(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the test would end it")
        for name, body in BOMBS.items():
            with self.subTest(name=name):
                self.refused(state(body))
                self.write(state(body))
                tracemalloc.start()
                try:
                    with self.assertRaises(SnapshotFormatError):
                        tracemalloc.Snapshot.load(self.filename)
                    peak = tracemalloc.get_traced_memory()[1]
                finally:
                    tracemalloc.stop()
                self.assertLess(peak, 1_000_000)

    def test_instructions_that_make_no_sense(self):
        for name, body in DAMAGE.items():
            with self.subTest(name=name):
                self.refused(state(body))

    def test_small_files_that_grow_in_memory(self):
        members = b"](" + b"J\1\2\3\4" * 20_000 + b"e\x94"
        for name, body in {
            "dictionaries": b"(" + b"}" * 100_000 + b"l",
            "sets": b"(" + b"\x8f" * 100_000 + b"l",
            "marks": b"(" * 200_000,
            "sets of one list": members + b"cbuiltins\nset\nh\0\x85R" * 500,
            "texts of one text": b"X\x40\x9c\0\0" + b"a" * 40_000 + b"\x94"
                                 b"c_codecs\nencode\nh\0X\6\0\0\0latin1\x86R" * 500,
            "snapshots of one list": members + b"ctracemalloc\nSnapshot\n)\x81}h\0sb" * 500,
        }.items():
            with self.subTest(name=name):
                self.refused(state(body), max_size=1_000_000)
        self.refused(state(b"(" + b"}" * 100_000 + b"l"), "pass a larger max_size",
                     max_size=5_000_000)
        self.assertEqual(len(self.load(state(b"(" + b"}" * 100_000 + b"l")).x), 100_000)

    def test_lists_in_lists_of_any_depth(self):
        loaded = self.load(state(b"]" * 50_000 + b"a" * 49_999))
        depth, value = 1, loaded.x
        while value:
            value, = value
            depth += 1
        self.assertEqual(depth, 50_000)

    def test_traces_that_are_none(self):
        good = b"(K\0K\1" + FRAMES + b"K\1t"
        self.assertEqual(self.load(traces_pickle(b"](" + good + b"e")).traces._traces,
                         [(0, 1, (("a", 1),), 1)])
        for name, bad in {
            "number": b"K\1", "nothing": b")", "one item": b"K\1\x85",
            "five items": b"(K\0K\1" + FRAMES + b"K\1K\1t",
            "size": b"(K\0J\xff\xff\xff\xff" + FRAMES + b"K\1t",
            "size of 65 bits": b"(K\0\x8a\x09" + bytes(8) + b"\1" + FRAMES + b"K\1t",
            "domain": b"(\x8a\5\0\0\0\0\1K\1" + FRAMES + b"K\1t",
            "truth": b"(K\0\x88" + FRAMES + b"K\1t",
            "depth": b"(K\0K\1" + FRAMES + b"X\0\0\0\0t",
            "frames": b"(K\0K\1]K\1t", "frame": b"(K\0K\1)\x85K\1t",
            "file name": b"(K\0K\1K\1K\1\x86\x85K\1t",
            "line": b"(K\0K\1X\0\0\0\0N\x86\x85K\1t",
            "memo": b"K\1\x94(K\0K\1h\0K\1t",
        }.items():
            with self.subTest(name=name):
                self.refused(traces_pickle(b"](" + good + bad + b"e"))
        for name, items in {"no list": b"}", "text": b"X\0\0\0\0"}.items():
            with self.subTest(name=name):
                self.refused(traces_pickle(items))

    def test_traces_do_not_change_once_they_are_a_snapshot(self):
        self.refused(traces_pickle(b"]\x94", b"X\1\0\0\0xh\0K\1aNu(X\1\0\0\0yN"))

    def test_a_snapshot_needs_both_of_its_parts(self):
        data = pickle.dumps(made_by_hand(), 4)
        for name in b"traces", b"traceback_limit", b"_traces":
            with self.subTest(name=name):
                self.refused(data.replace(short(name.decode()), short("x" * len(name))))

    def test_many_blocks_by_one_instruction_are_counted(self):
        one = b"(K\0K\1" + FRAMES + b"K\1t\x94"
        data = traces_pickle(b"](" + one + b"h\0" * 500_000 + b"e")
        self.assertEqual(len(self.load(data).traces), 500_001)
        self.refused(data, max_size=4_000_000)


class DamagedCompactFileTests(Files):

    def setUp(self):
        super().setUp()
        self.data = self.dumped(of_picture(), "compact")
        self.sections = parse(self.data)[1][:-1]

    def test_numbers_set_to_extremes_take_no_memory(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the test would end it")
        extremes = [0, 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
        for name, kind, _, count, content in self.sections:
            for field, real in ("count", count), ("size", len(content)), ("stored", None):
                # The number of items means nothing for these.
                if field == "count" and kind in (b"J", b"P"):
                    continue
                for number in extremes:
                    if number == real:
                        continue
                    data = build(self.sections, **{name: {field: number}})
                    with self.subTest(name=name, field=field, number=number):
                        self.refused(data)
                        tracemalloc.start()
                        try:
                            with self.assertRaises(SnapshotFormatError):
                                tracemalloc.Snapshot.load(self.filename)
                            peak = tracemalloc.get_traced_memory()[1]
                        finally:
                            tracemalloc.stop()
                        self.assertLess(peak, 1_000_000)

    def test_a_section_that_decompresses_to_more_than_it_says(self):
        bomb = zlib.compress(bytes(50_000_000), 9)
        sections = [(*section[:2], b"\1", *section[3:]) for section in self.sections]
        for size in 12, 1000, 40_000_000, 50_000_000:
            with self.subTest(size=size):
                data = build(sections, row_count={"size": size, "count": size // 8,
                                                  "stored": len(bomb), "content": bomb})
                self.refused(data, max_size=30_000_000)
        data = build(sections, row_count={"size": 2**40, "count": 2**37,
                                          "stored": len(bomb), "content": bomb})
        self.refused(data, "cannot be that large")

    def test_streams_that_are_none_or_end_elsewhere(self):
        content = dict((section[0], section[4]) for section in self.sections)["row_size"]
        stream = zlib.compress(content)
        sections = [(*section[:2], b"\1", *section[3:]) for section in self.sections]
        for bad in b"", b"x", stream[:-1], stream[:-5], stream + b"x", stream + stream, bytes(30):
            with self.subTest(bad=bad):
                self.refused(build(sections, row_size={
                    "stored": len(bad), "content": bad}), "")

    def test_missing_repeated_and_wrong_sections(self):
        for number, (name, *_) in enumerate(self.sections):
            with self.subTest(name=name):
                rest = self.sections[:number] + self.sections[number + 1:]
                if name != "attributes":
                    self.refused(build(rest), "damaged")
                self.refused(build([*self.sections, self.sections[number]]), "twice")
                wrong = (name, b"?", *self.sections[number][2:])
                self.refused(build([*rest, wrong]), "another type")
        self.refused(build(self.sections, end=False), "ends too early")
        self.refused(self.data + b"x", "more after its end")
        self.refused(self.data + self.data, "more after its end")
        strange = [(name, kind, b"\2", *rest) for name, kind, _, *rest in self.sections]
        self.refused(build(strange), "packed in a way")

    def replaced(self, **contents):
        return build([(name, kind, encoding, *contents.get(name, (count, content)))
                      for name, kind, encoding, count, content in self.sections])

    def column(self, name, *numbers):
        code = COLUMNS[name]
        return self.replaced(**{name: (len(numbers), struct.pack(
            f"<{len(numbers)}{code}", *numbers))})

    def test_numbers_that_point_nowhere(self):
        for name, numbers in [
                ("path_parent", (0, 1, 1)), ("path_parent", (1, 0, 1)), ("path_file", (0, 1, 8)),
                ("path_function", (0, 2**32 - 1, 0)), ("context_path", (3, 0, 0)),
                ("context_file", (8, 0, 0)), ("context_thread", (0, 0, 9)),
                ("context_depth", (65536, 1, 1)), ("row_context", (0, 3, 3)),
                ("row_context", (1, 0, 2)), ("row_size", (1, 2)), ("context_line", (1, 2)),
                ("row_count", (2**48, 1, 1)), ("context_freed_blocks", (11, 0, 3)),
                ("context_path", ()), ("path_parent", ())]:
            with self.subTest(name=name, numbers=numbers):
                self.refused(self.column(name, *numbers), "damaged snapshot file")

    def test_descriptions_and_names_that_make_no_sense(self):
        for about in (b"", b"[]", b"{}", b"{", b"\xff", b"[" * 100_000, b"1" * 5000,
                      b'{"traceback_limit": "1", "frame_limit": 1, "metadata": {}}',
                      b'{"traceback_limit": 1, "frame_limit": 0, "metadata": {}}',
                      b'{"traceback_limit": 1, "frame_limit": 65536, "metadata": {}}',
                      b'{"traceback_limit": 1, "frame_limit": 1, "metadata": []}'):
            with self.subTest(about=about[:70]):
                self.refused(self.replaced(snapshot=(1, about)), "damaged")
        for names in (0, b""), (1, b"\0\0\0\0"), (1, b"\5\0\0\0abc"), (2, b"\0\0\0\0"), (
                8, struct.pack("<8I", 0, 2, 0, 0, 0, 0, 0, 0) + b"\xff\xff"), (
                8, struct.pack("<8I", 1, 0, 0, 0, 0, 0, 0, 0) + b"x"):
            with self.subTest(names=names):
                self.refused(self.replaced(names=names), "damaged")
        for attributes in b"", pickle.dumps([]), pickle.dumps({"a": Runs()}):
            with self.subTest(attributes=attributes):
                self.refused(self.replaced(attributes=(1, attributes)))
        self.assertEqual(ran, [])


# Fuzzing

def seeds():
    """Return files of every kind to begin with: {name: bytes}."""
    result = {}
    with os_helper.temp_dir() as folder:
        filename = os.path.join(folder, "seed")
        small = tracemalloc.Snapshot(RAW[:5], 3)
        small.note = {"a": [1, (2, None)], "when": WHEN}
        for name, snapshot in ("hand", small), ("picture", of_picture()):
            for format in "pickle", "compact":
                snapshot.dump(filename, format=format)
                with open(filename, "rb") as stream:
                    result[f"{name} {format}"] = stream.read()
    for protocol in range(6):
        result[f"protocol {protocol}"] = pickle.dumps(small, protocol)
    result["2013"] = draft_file()
    result["0.9.1"] = DraftFileTests.OLD_FILE
    result["long"] = pickle.dumps(tracemalloc.Snapshot(RAW * 3, 3), 4)
    return result


def mutate(data, rng):
    """Return *data* with some damage done to it."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(data) + 1)
        length = rng.choice((1, 1, 2, 4, 8, 30))
        match rng.randrange(8):
            case 0:
                data[at:at + 1] = bytes([rng.randrange(256)])
            case 1:
                if at < len(data):
                    data[at] ^= 1 << rng.randrange(8)
            case 2:
                del data[at:at + length]
            case 3:
                data[at:at] = rng.randbytes(length)
            case 4:
                other = rng.randrange(len(data) + 1)
                data[at:at] = data[other:other + length]
            case 5:
                data[at:at + length] = rng.choice((b"\xff", b"\0", b"\x7f", b"\x80")) * length
            case 6:
                # An instruction of pickles.
                data[at:at] = rng.choice(b"(.012FIJKLMNRSTUVXabcdeghijlpqrstu}])\x81\x85\x86"
                                         b"\x87\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x93\x94\x95"
                                         b"\x96").to_bytes()
            case 7:
                del data[at + 1:]
        if not data:
            data = bytearray(b"\x80")
    return bytes(data)


def repair(data):
    """Make the checksums right in a damaged compact file, as far as it goes."""
    data = bytearray(data)
    data[12:16] = struct.pack("<I", zlib.crc32(data[:12]))
    at = 16
    while at < len(data):
        end = at + 1 + data[at] + 26
        if end + 4 > len(data):
            break
        data[end:end + 4] = struct.pack("<I", zlib.crc32(data[at:end]))
        stored, = struct.unpack_from("<Q", data, end - 8)
        at = end + 4 + stored
        if at + 4 > len(data):
            break
        data[at:at + 4] = struct.pack("<I", zlib.crc32(data[end + 4:at]))
        at += 4
    return bytes(data)


def try_file(data, max_size=1 << 24):
    """Load *data*; return whether it was taken for a snapshot.

    Raises whatever else comes out of it than SnapshotFormatError.  What is
    loaded must be good for statistics.
    """
    try:
        snapshot = _format.to_snapshot(_format.read_stream(
            io.BytesIO(data), len(data), max_size))
    except SnapshotFormatError:
        return False
    assert type(snapshot) is tracemalloc.Snapshot
    for key in "lineno", "traceback":
        snapshot.statistics(key)
    if len(snapshot.traces) < 1000:
        hash(tuple(snapshot.traces))
    return True


class FuzzTests(Files):

    def test_a_file_cut_off_anywhere_is_refused(self):
        for name, data in seeds().items():
            for length in range(len(data)):
                with self.subTest(name=name, length=length):
                    self.assertFalse(try_file(data[:length]))
            self.assertTrue(try_file(data))

    def test_a_compact_file_cut_off_is_said_to_be(self):
        data = seeds()["picture compact"]
        for length in range(len(data)):
            with self.subTest(length=length):
                with self.assertRaises(EOFError):
                    _format.read_stream(io.BytesIO(data[:length]), length)

    def test_every_changed_bit_of_a_compact_file_is_noticed(self):
        data = seeds()["hand compact"]
        rng = random.Random(1)
        for at in range(len(data)):
            changed = bytearray(data)
            changed[at] ^= 1 << rng.randrange(8)
            with self.subTest(at=at):
                self.assertFalse(try_file(changed))

    def test_damage_of_all_kinds(self):
        taken = Counter()
        for name, data in seeds().items():
            rng = random.Random(name)
            for number in range(150):
                damaged = mutate(data, rng)
                if "compact" in name:
                    damaged = repair(damaged)
                with self.subTest(name=name, number=number):
                    taken[try_file(damaged)] += 1
        # Both happen: the damage goes deeper than the first bytes.
        self.assertGreater(taken[True], 50)
        self.assertGreater(taken[False], 500)


if __name__ == "__main__":
    unittest.main()
