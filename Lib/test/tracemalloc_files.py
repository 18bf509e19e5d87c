"""What the tests of snapshot files share: snapshots, files,
and ways to damage them.
"""
import datetime
import io
import json
import os
import pickle
import struct
import tracemalloc
import unittest
import zlib
from array import array
from test.support import os_helper
from tracemalloc import SnapshotFormatError, _format
from tracemalloc._columns import COLUMNS, SnapshotData
from tracemalloc._export import FORMATS
from unittest import mock

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
    "text": "x", "number": 2**70,
    "nested": [1, 2.5, None, True, (b"x", {"a": {1, 2}})],
    "names": frozenset({("a", 1), None}), "bytes": bytearray(b"abc"),
    "when": datetime.datetime(2013, 10, 3, 11, 34, 39,
                              tzinfo=datetime.timezone.utc),
    "complex": 1 + 2j, "took": datetime.timedelta(days=3, microseconds=1),
}


def made_by_hand():
    snapshot = tracemalloc.Snapshot(list(RAW), 25)
    vars(snapshot).update(PLAIN)
    return snapshot


def full_data(**changes):
    """Return data with something in every column."""
    columns = {
        "path_parent": [0, 0, 1], "path_file": [0, 1, 2],
        "path_function": [0, 4, 5], "path_line": [0, 7, 8],
        "context_path": [2, 1, 0], "context_file": [1, 3, 6],
        "context_function": [4, 0, 0], "context_line": [3, 4, 0],
        "context_end_line": [3, 5, -1], "context_column": [4, 0, -1],
        "context_end_column": [9, 80, -1], "context_domain": [0, 389047, 0],
        "context_thread": [7, 7, 0], "context_depth": [3, 65535, 1],
        "context_account": [8, 0, 0],
        "context_allocated_blocks": [10, 7, 3],
        "context_allocated_bytes": [170, 700, 3],
        "context_freed_blocks": [7, 0, 3], "context_freed_bytes": [126, 0, 3],
        "context_peak_blocks": [5, 7, 1], "context_peak_bytes": [100, 700, 1],
        "row_context": [0, 0, 1], "row_size": [10, 24, 100],
        "row_count": [2, 1, 7],
    } | changes
    names = ["", "a.py", "b.py", "c\udc80.py", "f", "C.m\xe9", "<unknown>",
             "MainThread", "GET /cart"]
    return SnapshotData(names, **{name: array(COLUMNS[name], column)
                             for name, column in columns.items()
                             if column is not None})


METADATA = {"time": "2026-11-20T11:00:00", "pid": 7,
            "command_line": ["python", "x.py"], "sample_interval": None}


def full_snapshot(data=None):
    snapshot = tracemalloc.Snapshot._of(data or full_data(), 2,
                                        dict(METADATA))
    vars(snapshot).update(PLAIN)
    return snapshot


def columns_of(snapshot):
    data = snapshot.traces._data
    return (data.names,
            {name: list(column) for name, column in data.columns().items()})


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
        """Check that loading *data* is refused in one line; return the error.
        """
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
        kind, encoding, count, size, stored = struct.unpack_from(
            "<ccQQQ", data, at)
        at += 26
        assert (struct.unpack_from("<I", data, at)[0]
                == zlib.crc32(data[head:at]))
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
    """Return a compact file; *heads* are changes to the numbers of sections.
    """
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
DRAFT_STATS = {"a.py": {3: (92, 2)}, "c.py": {None: (3, 1)},
               None: {None: (3, 2)}}


def draft_file(traces=DRAFT_TRACES, protocol=pickle.HIGHEST_PROTOCOL,
               with_metrics=True, **changes):
    """Return a file as Snapshot.write() of 2013 wrote it."""
    head = {"format_version": (3, 4), "timestamp": WHEN, "pid": 17,
            "traceback_limit": 2, "stats": DRAFT_STATS}
    if with_metrics:
        head["metrics"] = {"gc.objects": Metric("gc.objects", 5, "int"),
                           "part": Metric("part", 0.5, "percent")}
    with mock.patch.object(tracemalloc, "Metric", Metric, create=True):
        return (pickle.dumps(head | changes, protocol)
                + pickle.dumps(traces, protocol))

# By Python 2.7: what 0.9.1 wrote, with a file name that is no UTF-8.
OLD_FILE = (
    b"\x80\x02}q\x01(U\x0eformat_versionq\x02K\x01U\ttimestampq\x03U\x13"
    b"2013-06-01 10:20:30q\x04U\x05statsq\x05}q\x06U\x04\xffa.pq\x07}q\x08"
    b"K\x03K\x64K\x02\x86q\x09ssU\x03pidq\x0aK\x11U\x0eprocess_memoryq\x0b"
    b"K\x05K\x06\x86q\x0cu.")


# Fuzzing

def seeds():
    """Return files of every kind to begin with: {name: bytes}."""
    result = {}
    with os_helper.temp_dir() as folder:
        filename = os.path.join(folder, "seed")
        small = tracemalloc.Snapshot(RAW[:5], 3)
        small.note = {"a": [1, (2, None)], "when": WHEN}
        for name, snapshot in ("hand", small), ("full", full_snapshot()):
            for format in "pickle", "compact":
                snapshot.dump(filename, format=format)
                with open(filename, "rb") as stream:
                    result[f"{name} {format}"] = stream.read()
    for protocol in range(6):
        result[f"protocol {protocol}"] = pickle.dumps(small, protocol)
    result["2013"] = draft_file()
    result["0.9.1"] = OLD_FILE
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
                data[at:at + length] = (
                    rng.choice((b"\xff", b"\0", b"\x7f", b"\x80")) * length)
            case 6:
                # An instruction of pickles.
                data[at:at] = rng.choice(
                    b"(.012FIJKLMNRSTUVXabcdeghijlpqrstu}])\x81\x85\x86\x87"
                    b"\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x93\x94\x95\x96"
                ).to_bytes()
            case 7:
                del data[at + 1:]
        if not data:
            data = bytearray(b"\x80")
    return bytes(data)


ODD_VALUES = [
    None, True, 0, -1, 1.5, 2 ** 31, 2 ** 63, 2 ** 64, 10 ** 300, "", "x",
    "\x1b[2J\n", "\udc80", [], {}, [[[]]], {"a": {"b": 1}}, float("inf"),
    1e300]


def change(data, rng):
    """Return a compact file in which a value is odd and all else is right."""
    version, sections = parse(data)
    sections = {name: rest for name, *rest in sections[:-1]}
    name = rng.choice([*sections, "snapshot", "snapshot", "attributes"])
    kind, encoding, count, content = sections[name]
    if kind == b"J":
        found = json.loads(content)
        metadata = found.setdefault("metadata", {})
        if type(metadata) is not dict:
            return data
        key = rng.choice([
            *metadata, "sample_interval", "time", "pid", "command", "rss",
            "traced_memory", "traced_memory_peak", "path", "sizes", "python",
            "dropped", "traceback_limit", "frame_limit", "metadata"])
        inside = metadata if rng.random() < 0.8 else found
        inside[key] = rng.choice(ODD_VALUES)
        content = json.dumps(found).encode()
    elif kind == b"P":
        names = ["traces", "metadata", "statistics", "traceback_limit", "note",
                 "__class__", "_group_by", "x\x1b"]
        content = pickle.dumps({rng.choice(names): rng.choice(ODD_VALUES)}, 4)
    elif kind in (b"I", b"i", b"Q") and count:
        form = f"<{count}{kind.decode()}"
        numbers = list(struct.unpack(form, content))
        odd = [0, 1, 2, rng.choice(numbers), 65535, 2 ** 31 - 1]
        odd += {b"I": [2 ** 32 - 1], b"i": [-1, -2 ** 31],
                b"Q": [2 ** 47, 2 ** 63, 2 ** 64 - 1]}[kind]
        numbers[rng.randrange(count)] = rng.choice(odd)
        content = struct.pack(form, *numbers)
    sections[name] = kind, encoding, count, content
    return build([(name, *rest) for name, rest in sections.items()], version)


def repair(data):
    """Make the checksums right in a damaged compact file, as far as it goes.
    """
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
    loaded must be good for statistics and exports.
    """
    try:
        snapshot = _format.to_snapshot(_format.read_stream(
            io.BytesIO(data), len(data), max_size))
    except SnapshotFormatError:
        return False
    assert type(snapshot) is tracemalloc.Snapshot
    for key in "lineno", "traceback":
        snapshot.statistics(key)
    for export in FORMATS.values():
        export(snapshot, io.StringIO())
    if len(snapshot.traces) < 1000:
        hash(tuple(snapshot.traces))
    return True
