"""Files of snapshots: what is in them, and reading none blindly.

    dump()   a pickle that any CPython can load, or the compact format
    load()   either of them, and files of the 2013 interface

The compact format keeps a snapshot's data (see _columns) column by column;
Doc/library/tracemalloc-format.rst describes it byte by byte.  The reader takes
no number of a file at its word: sizes are compared with the size of the file
and with max_size before memory is asked for, and row numbers are checked
by SnapshotData.check() before they are used.

Everything here is loaded on first use and can be called from any thread.
"""

import io
import os
import pickle
import stat
import struct
from array import array
from binascii import crc32
from operator import add
from sys import byteorder

from tracemalloc._checked import is_metadata
from tracemalloc._columns import COLUMNS, MAX_DEPTH, SnapshotData
from tracemalloc._unpickle import (
    DraftMetric, DraftSnapshot, Reader, SnapshotFormatError, too_large,
    truncated)
from tracemalloc._writing import write_file

# What loading may use, in bytes, unless the caller says otherwise.
MAX_SIZE = 1 << 30

SUFFIX = ".tmz"

# As in PNG: a byte above 127, line ends of both kinds, and the character that
# ends a text file, so that damage by a transfer as text is seen at once.
_MAGIC = b"\x89TMZ\r\n\x1a\n"
_VERSION = 1, 0
_HEAD = struct.Struct("<8sHH")
_CRC = struct.Struct("<I")
_SECTION = struct.Struct("<ccQQQ")      # after the name

_AS_IS, _ZLIB = b"\0", b"\1"
# No zlib stream decodes to more than this many times its size.
_ZLIB_RATIO = 1032
_CHUNK = 1 << 18

_JSON, _STRINGS, _PICKLE, _END = b"J", b"S", b"P", b"E"
_MAX_JSON = 1 << 24
_MAX_NAME = 64

_ITEM_SIZES = {"I": 4, "i": 4, "Q": 8}

# No address space holds more blocks than this.
_MAX_BLOCKS = 1 << 48


# Writing


def dump(snapshot, filename, format=None):
    """Write *snapshot* to a file; see Snapshot.dump()."""
    if format is None:
        compact = (not isinstance(filename, int)
                   and os.fsdecode(filename).lower().endswith(SUFFIX))
        format = "compact" if compact else "pickle"
    if format == "compact":
        write = _write_compact
    elif format == "pickle":
        write = _write_pickle
    else:
        raise ValueError("format must be 'pickle' or 'compact', "
                         f"not {format!r}")
    write_file(filename, lambda stream: write(snapshot, stream))


def _attributes(snapshot):
    """Return what a program added to a snapshot: {name: value}."""
    return {name: value for name, value in vars(snapshot).items()
            if name not in ("traces", "traceback_limit", "metadata")}


def _add_attributes(snapshot, attributes, limit):
    """Set what a file has besides traces."""
    for name in attributes:
        if type(name) is not str or name != "metadata" and (
                name in ("traces", "traceback_limit")
                or hasattr(type(snapshot), name)):
            raise SnapshotFormatError(
                f"is no good snapshot: its attribute {ascii(name)[:40]} would "
                "hide one that every snapshot has; load it with the program "
                "that wrote it, and give it another name")
    if abs(limit) >= 1 << 63:
        raise SnapshotFormatError("is a damaged snapshot: its traceback limit "
                                  "makes no sense; get the file again")
    vars(snapshot).update(attributes)
    snapshot.traceback_limit = limit


# Writing pickles
#
# The file is what stock's dump() would write for the same blocks, in another
# order: first the added attributes, then the snapshot.  Only the first block
# of a row is spelled out; the others are that object out of the memo, so that
# writing takes time by row and little more than a memset by block.


class _PickleWriter:
    """Writes the pickle of the blocks in columns."""

    def __init__(self, stream, used):
        self._write = stream.write
        self._used = used           # indexes of the memo
        self._memo = {}

    def _remember(self, key):
        self._memo[key] = self._used
        self._used += 1
        return b"\x94"

    @staticmethod
    def number(number):
        if 0 <= number < 1 << 8:
            return b"K%c" % number
        if 0 <= number < 1 << 16:
            return b"M" + number.to_bytes(2, "little")
        if -1 << 31 <= number < 1 << 31:
            return b"J" + number.to_bytes(4, "little", signed=True)
        size = number.bit_length() // 8 + 1
        return b"\x8a%c" % size + number.to_bytes(size, "little", signed=True)

    def get(self, index):
        if index < 1 << 8:
            return b"h%c" % index
        return b"j" + index.to_bytes(4, "little")

    @staticmethod
    def text(text):
        data = text.encode("utf-8", "surrogatepass")
        return b"X" + len(data).to_bytes(4, "little") + data

    def _name(self, name):
        if name in self._memo:
            return self.get(self._memo[name])
        return self.text(name) + self._remember(name)

    def _frame(self, frame):
        if frame in self._memo:
            return self.get(self._memo[frame])
        name, line = frame
        return (self._name(name) + self.number(line) + b"\x86"
                + self._remember(frame))

    def _frames(self, frames):
        # Frames of one and more items cannot be taken for a frame: that one
        # has a str in it.
        if frames in self._memo:
            return self.get(self._memo[frames])
        return (b"(" + b"".join(map(self._frame, frames)) + b"t"
                + self._remember(frames))

    def rows(self, data, limit):
        data.afford_contexts({*data.row_context}, limit)
        last = frames = depth = None
        for context, size, count in zip(
                data.row_context, data.row_size, data.row_count):
            if not count:
                continue
            if context != last:
                last = context
                frames = data.frames(context, limit)
                depth = data.context_depth[context]
                depth = self.number(depth) if depth else b"N"
                domain = self.number(data.context_domain[context])
            self._write(b"((" + domain + self.number(size)
                        + self._frames(frames) + depth + b"t\x94")
            again = self.get(self._used)
            self._used += 1
            count -= 1
            while count > 0:
                part = min(count, _CHUNK)
                self._write(again * part)
                count -= part
            self._write(b"e")


def _write_pickle(snapshot, stream):
    from tracemalloc import Snapshot

    data = snapshot.traces._data
    if data is None or type(snapshot) is not Snapshot:
        pickle.dump(snapshot, stream, pickle.HIGHEST_PROTOCOL)
        return
    if data.row_count is None:
        raise ValueError("a pickle holds single blocks, which are not known "
                         "at the peak; use format='compact'")
    body = io.BytesIO()
    # Protocol 3 has neither frames nor implicit indexes of the memo: such a
    # pickle can be part of another one.
    pickler = pickle.Pickler(body, 3)
    state = _attributes(snapshot)
    if snapshot.metadata:
        state["metadata"] = snapshot.metadata
    pickler.dump(state)
    writer = _PickleWriter(stream, len(pickler.memo.copy()))
    stream.write(b"\x80\x05" + body.getbuffer()[2:-1] + b"0")
    stream.write(b"ctracemalloc\nSnapshot\n)\x81" + writer.get(0) + b"("
                 + writer.text("traceback_limit")
                 + writer.number(snapshot.traceback_limit)
                 + writer.text("traces")
                 + b"ctracemalloc\n_Traces\n)\x81}"
                 + writer.text("_traces") + b"]")
    writer.rows(data, snapshot.traces._limit)
    stream.write(b"sbub.")


# Writing the compact format


def _write_compact(snapshot, stream):
    import json

    traces = snapshot.traces
    data = traces._data
    if data is not None:
        frame_limit = traces._limit
    else:
        # All frames of traces made by hand count, whatever the limit says.
        data, frame_limit = SnapshotData.from_raw(traces._traces), MAX_DEPTH
    head = _HEAD.pack(_MAGIC, *_VERSION)
    stream.write(head + _CRC.pack(crc32(head)))
    about = {"traceback_limit": snapshot.traceback_limit,
             "frame_limit": frame_limit, "metadata": snapshot.metadata}
    number = 0

    def section(name, kind, count, *parts):
        nonlocal number
        number += 1
        _write_section(stream, name, kind, count, parts)

    try:
        about = json.dumps(about).encode()
    except (TypeError, ValueError, RecursionError) as exc:
        raise TypeError("the snapshot's metadata cannot be written as JSON "
                        f"({exc}); use format='pickle'") from None
    section("snapshot", _JSON, 1, about)
    section("attributes", _PICKLE, 1, _pickle_plain(_attributes(snapshot)))
    names = [name.encode("utf-8", "surrogatepass") for name in data.names]
    section("names", _STRINGS, len(names),
            _column_bytes("I", list(map(len, names))), b"".join(names))
    for name, column in data.columns().items():
        section(name, COLUMNS[name].encode(), len(column),
                _column_bytes(COLUMNS[name], column))
    _write_section(stream, "end", _END, number, ())


def _write_section(stream, name, kind, count, parts):
    size = sum(map(len, parts))
    encoding, stored = _compress(parts, size)
    head = bytes([len(name)]) + name.encode()
    head += _SECTION.pack(kind, encoding, count, size, sum(map(len, stored)))
    stream.write(head + _CRC.pack(crc32(head)))
    check = 0
    for chunk in stored:
        stream.write(chunk)
        check = crc32(chunk, check)
    stream.write(_CRC.pack(check))


def _compress(parts, size):
    """Return the encoding and the chunks of a section."""
    try:
        import zlib
    except ImportError:     # Python was built without it.
        return _AS_IS, parts
    compressor = zlib.compressobj(6)
    chunks = []
    for part in parts:
        view = memoryview(part)
        for start in range(0, len(view), _CHUNK):
            chunks.append(compressor.compress(view[start:start + _CHUNK]))
    chunks.append(compressor.flush())
    if sum(map(len, chunks)) >= size:
        return _AS_IS, parts
    return _ZLIB, chunks


def _column_bytes(code, column):
    """Return the little-endian bytes of a column."""
    if byteorder == "big" or getattr(column, "itemsize", 0) != (
            _ITEM_SIZES[code]):
        column = array(code, column)
        if byteorder == "big":
            column.byteswap()
    return memoryview(column).cast("B")


def _pickle_plain(attributes):
    """Return the pickle of attributes that the reader will accept."""
    try:
        data = pickle.dumps(attributes, 4)
        _reader(data, 1 << 62, 0).load()
        return data
    except Exception as exc:
        if len(attributes) > 1:
            for name, value in attributes.items():
                _pickle_plain({name: value})
        reason = str(exc)
    raise TypeError(
        f"attribute {'/'.join(attributes)!r} of the snapshot is no plain "
        f"value and cannot be kept in a {SUFFIX} file ({reason}); delete it, "
        "or use format='pickle'")


# Reading


def load(filename, max_size=None):
    """Return the snapshot in a file; see Snapshot.load()."""
    return _open(filename, max_size, True, to_snapshot)


def read(filename, max_size=None, traces=True):
    """Return the Snapshot, or the Draft of the 2013 interface, in a file.

    Without *traces*, those of a Draft are left out if they can be.
    Raises OSError and SnapshotFormatError.
    """
    return _open(filename, max_size, traces, lambda found: found)


def to_snapshot(found):
    """Return the Snapshot for what read() found."""
    return found.to_snapshot() if isinstance(found, Draft) else found


def _open(filename, max_size, traces, convert):
    limit = MAX_SIZE if max_size is None else max_size
    with open(filename, "rb") as stream:
        status = os.fstat(stream.fileno())
        size = status.st_size if stat.S_ISREG(status.st_mode) else None
        try:
            return convert(read_stream(stream, size, limit, traces))
        except SnapshotFormatError as exc:
            raise _named(exc, filename) from None


def read_stream(stream, size, limit=MAX_SIZE, traces=True):
    """Do what read() does for a binary stream of *size* bytes.

    *size* is None if it is not known, as for a pipe.
    """
    head = stream.read(len(_MAGIC))
    if head == _MAGIC:
        return _Compact(stream, size, limit).snapshot()
    data = _rest(stream, head, size, limit)
    _recognize(data)
    return _read_pickle(data, limit, traces)


def _named(exc, filename):
    """Return the error with the name of the file in front."""
    if not isinstance(filename, int):
        filename = os.fsdecode(filename)
    return type(exc)(f"{filename!r} {exc}")


def _rest(stream, head, size, limit):
    """Return all that is in a stream, of which *head* has been read."""
    if size is not None:
        if size > limit:
            raise too_large(limit)
        # One more than there is, to see the end without asking twice.
        return head + stream.read(max(size - len(head), 0) + 1)
    parts, size = [head], len(head)
    while part := stream.read(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise too_large(limit)
    return b"".join(parts)


_KNOWN_FILES = {
    b"\x1f\x8b": "is compressed by gzip; decompress it first",
    b"BZh": "is compressed by bzip2; decompress it first",
    b"\xfd7zXZ\0": "is compressed by xz; decompress it first",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd; decompress it first",
    b"PK\3\4": "is a ZIP archive; extract the snapshot first",
    b"\x89TMZ": "is a damaged snapshot file: it seems to have been copied as "
                "text; copy it again, as binary",
    b"TMZ": "is a damaged snapshot file: its first byte is missing; get it "
            "again",
}


def _recognize(data):
    """Raise SnapshotFormatError unless *data* may be a pickle."""
    if not data:
        raise truncated("an empty file")
    if _MAGIC.startswith(data):
        raise truncated("a snapshot file that ends too early")
    for start, what in _KNOWN_FILES.items():
        if data.startswith(start):
            raise SnapshotFormatError(what)
    # How pickles begin: by protocol 2 and later; an object and a dictionary
    # by protocols 0 and 1.
    if not data.startswith((b"\x80", b"ccopy", b"(d", b"}q", b"ctracemalloc")):
        raise SnapshotFormatError(
            f"is no snapshot file: it begins with {data[:12]!r}; files that "
            "Snapshot.dump() wrote can be loaded")


# Reading pickles


def _reader(data, limit, spent):
    import tracemalloc

    classes = {name: getattr(tracemalloc, name) for name in (
        "Frame", "Snapshot", "Statistic", "StatisticDiff", "Trace",
        "Traceback", "_Traces")}

    def build(snapshot, traces, traceback_limit, attributes):
        snapshot.__init__(traces, traceback_limit)
        metadata = attributes.get("metadata", {})
        if not is_metadata(metadata):
            # A program's own attribute, in a file of CPython's.
            attributes["metadata"] = {"metadata": metadata}
        _add_attributes(snapshot, attributes, traceback_limit)

    return Reader(data, limit, spent, classes, build)


def _read_pickle(data, limit, traces):
    import tracemalloc

    reader = _reader(data, limit, len(data))
    found = reader.load()
    if type(found) is tracemalloc.Snapshot:
        return found
    if type(found) is DraftSnapshot:
        return Draft({name: getattr(found, name, None)
                      for name in DraftSnapshot.__slots__})
    if type(found) is dict and "format_version" in found:
        version = found.pop("format_version")
        if version == 1:
            return Draft(found)
        if version == (3, 4):
            if traces:
                found["traces"] = reader.load()
            return Draft(found)
        raise SnapshotFormatError(
            "has a format of the 2013 interface that is not known here "
            f"(version {ascii(version)[:20]}); load it with the Python that "
            "wrote it")
    if type(found).__module__ == "tracemalloc":
        what = f"a {type(found).__name__}"
    else:
        what = f"a {type(found).__name__}, not a snapshot"
    raise SnapshotFormatError(
        f"is a pickle of {what}; files that Snapshot.dump() wrote can be "
        "loaded")


# Files of the 2013 interface


class Draft:
    """What a file of the 2013 interface holds.

    timestamp       -- datetime, or str in files of 0.9.1 and before
    pid             -- int or None
    traceback_limit -- int; 1 in files of 0.9.1 and before
    stats           -- {file name or None: {line or None: (size, count)}}
    traces          -- {address: (size, frames)} or None; a frame is
                       (file name or None, line or None), the newest first
    metrics         -- {name: (value, format)}
    extra           -- what else old files had: process_memory, user_data
    """

    __slots__ = ("timestamp", "pid", "traceback_limit", "stats", "traces",
                 "metrics", "extra")

    def __init__(self, found):
        self.timestamp = found.pop("timestamp", None)
        self.pid = found.pop("pid", None)
        self.traceback_limit = found.pop("traceback_limit", 1)
        self.stats = found.pop("stats", None)
        self.traces = found.pop("traces", None)
        metrics = found.pop("metrics", None) or {}
        self.extra = found
        try:
            self._check(metrics)
        except (TypeError, ValueError, AttributeError):
            raise SnapshotFormatError(
                "is a damaged file of the 2013 interface: its values make no "
                "sense; get the file again") from None

    def _check(self, metrics):
        def require(true):
            if not true:
                raise ValueError

        require(type(self.traceback_limit) is int
                and abs(self.traceback_limit) < 1 << 63)
        require(self.pid is None or _is_number(self.pid, 64))
        import datetime

        require(isinstance(self.timestamp, (str, datetime.date, type(None))))
        require(self.stats is not None or self.traces is not None)
        self.metrics = {}
        for name, metric in metrics.items():
            require(type(metric) is DraftMetric and type(name) is str)
            require(type(metric.value) in (int, float)
                    and abs(metric.value) < 1 << 64)
            require(metric.format in ("int", "percent", "size"))
            self.metrics[name] = metric.value, metric.format
        for name, lines in (self.stats or {}).items():
            require(name is None or type(name) is str)
            for line, sums in lines.items():
                require(line is None or _is_number(line, 31))
                require(type(sums) in (tuple, list))
                size, count = sums
                require(_is_number(size, 64) and _is_number(count, 48))
        checked = {}
        for address, trace in (self.traces or {}).items():
            require(type(trace) in (tuple, list))
            size, frames = trace
            require(type(address) is int and _is_number(size, 64))
            if id(frames) not in checked:
                checked[id(frames)] = frames
                require(type(frames) in (tuple, list, type(None)))
                for frame in frames or ():
                    require(type(frame) in (tuple, list))
                    name, line = frame
                    require(name is None or type(name) is str)
                    require(line is None or _is_number(line, 31))

    def to_snapshot(self):
        """Return the same as a tracemalloc.Snapshot; addresses are lost.

        Without traces, there is one call path per line, and the blocks of a
        line, whose sizes the file does not tell, are given its average.
        """
        from tracemalloc import Snapshot

        limit = max(self.traceback_limit, 1)
        if self.traces is not None:
            known, by_id = {}, {}
            traces = []
            for size, frames in self.traces.values():
                # Each is looked at once, however many blocks share it.
                if id(frames) not in by_id:
                    raw = _raw_frames(frames)
                    by_id[id(frames)] = known.setdefault(raw, raw)
                traces.append((0, size, by_id[id(frames)], None))
            snapshot = Snapshot(traces, limit)
        else:
            snapshot = Snapshot._of(self._average_data(), MAX_DEPTH, {})
            snapshot.traceback_limit = limit
        snapshot.metadata = {
            "time": _seconds(self.timestamp), "pid": self.pid,
            "sizes": "exact" if self.traces is not None else "average",
            "metrics": {name: value for name, (value, _)
                        in self.metrics.items()},
        }
        return snapshot

    def _average_data(self):
        """Return data of stats: two sizes per line, one byte apart."""
        lines = {}
        for name, stats in self.stats.items():
            for line, figures in stats.items():
                frames = _raw_frames([(name, line)])
                known = lines.get(frames, (0, 0))
                lines[frames] = tuple(map(add, known, figures))
        traces, counts = [], array("Q")
        for frames, (size, count) in lines.items():
            if not count:
                continue
            least, more = divmod(size, count)
            for size, number in (least, count - more), (least + 1, more):
                if number:
                    traces.append((0, size, frames, None))
                    counts.append(number)
        data = SnapshotData.from_raw(traces)
        data.row_count = counts
        return data


def _seconds(timestamp):
    """Return a time of day as time.time() has it, or None."""
    import datetime

    try:
        if isinstance(timestamp, str):
            timestamp = datetime.datetime.fromisoformat(timestamp)
        if isinstance(timestamp, datetime.datetime):
            return timestamp.timestamp()
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _is_number(value, bits):
    return type(value) is int and 0 <= value < 1 << bits


def _raw_frames(frames):
    return tuple((name or "<unknown>", line or 0)
                 for name, line in frames or ((None, None),))


# Reading the compact format


class _Compact:
    """Reads a compact file; the magic has been read."""

    def __init__(self, stream, size, limit):
        self._stream = stream
        self._limit = limit
        self._left = limit
        # Of a pipe, nothing is known: as much as allowed.
        self._in_file = (limit if size is None else size) - len(_MAGIC)
        self._found = {}
        self._read_head()
        self._read_sections()

    def _read(self, size):
        if size > self._in_file:
            raise truncated("a snapshot file that ends too early")
        data = self._stream.read(size)
        self._in_file -= size
        if len(data) < size:
            raise truncated("a snapshot file that ends too early")
        return data

    @staticmethod
    def _damaged(what):
        return SnapshotFormatError(
            f"is a damaged snapshot file: {what}; get the file again")

    def _checked(self, data):
        if _CRC.unpack(self._read(_CRC.size))[0] != crc32(data):
            raise self._damaged("a checksum is wrong")
        return data

    def _spend(self, size):
        self._left -= size
        if self._left < 0:
            raise too_large(self._limit)

    def _read_head(self):
        head = self._checked(_MAGIC + self._read(_HEAD.size - len(_MAGIC)))
        _, major, minor = _HEAD.unpack(head)
        if major != _VERSION[0]:
            raise SnapshotFormatError(
                f"is a snapshot file of format {major}.{minor}; this "
                f"interpreter reads format {_VERSION[0]}: load it with the "
                "one that wrote it, and dump it as a pickle")

    def _read_sections(self):
        number = 0
        while True:
            length = self._read(1)
            head = length + self._read(length[0] + _SECTION.size)
            self._checked(head)
            name = head[1:1 + length[0]]
            kind, encoding, count, size, stored = _SECTION.unpack(
                head[1 + length[0]:])
            if kind == _END:
                break
            name = name.decode("ascii", "replace")
            if name in self._found or len(name) > _MAX_NAME:
                raise self._damaged("it has the same section twice")
            number += 1
            self._found[name] = self._read_section(
                name, kind, encoding, count, size, stored)
        self._copy(stored, lambda chunk: None)
        if count != number:
            raise self._damaged("sections are missing")
        if self._stream.read(1):
            raise self._damaged("there is more after its end")

    def _read_section(self, name, kind, encoding, count, size, stored):
        wanted = {"snapshot": _JSON, "attributes": _PICKLE,
                  "names": _STRINGS}.get(name)
        if name in COLUMNS:
            wanted = COLUMNS[name].encode()
        if wanted is None:
            # Of a later minor version.  It takes time, and its name memory.
            self._spend(stored + 200)
            self._copy(stored, lambda chunk: None)
            return None
        if kind != wanted:
            raise self._damaged(f"section {name} is of another type")
        if encoding not in (_AS_IS, _ZLIB):
            raise SnapshotFormatError(
                "is a snapshot file packed in a way that is not known here; "
                "load it with the interpreter that wrote it")
        largest = stored if encoding == _AS_IS else stored * _ZLIB_RATIO
        if size > largest or encoding == _AS_IS and size != stored:
            raise self._damaged(f"section {name} cannot be that large")
        item = _ITEM_SIZES.get(kind.decode("latin-1"))
        if item is not None and size != count * item:
            raise self._damaged(f"section {name} has the wrong size")
        self._spend(size)
        data = self._unpack(encoding, size, stored)
        return self._DECODERS[kind](self, data, count, kind)

    def _copy(self, stored, take):
        if stored > self._in_file:
            raise truncated("a snapshot file that ends too early")
        check = 0
        while stored:
            chunk = self._read(min(stored, _CHUNK))
            check = crc32(chunk, check)
            take(chunk)
            stored -= len(chunk)
        if _CRC.unpack(self._read(_CRC.size))[0] != check:
            raise self._damaged("a checksum is wrong")

    def _unpack(self, encoding, size, stored):
        data = bytearray()
        if encoding == _AS_IS:
            self._copy(stored, data.extend)
            return data
        try:
            import zlib
        except ImportError:
            raise SnapshotFormatError(
                "is compressed by zlib, which this interpreter was built "
                "without; load it with another one") from None
        unpacker = zlib.decompressobj()

        def take(chunk):
            while not unpacker.eof:
                # One byte more than there may be; no byte would mean no limit.
                room = size - len(data) + 1
                part = unpacker.decompress(chunk, min(room, _CHUNK))
                data.extend(part)
                if len(data) > size:
                    raise self._damaged("a section is larger than it says")
                chunk = unpacker.unconsumed_tail
                if not (part or chunk):
                    break

        try:
            self._copy(stored, take)
        except zlib.error:
            raise self._damaged("a section cannot be decompressed") from None
        if not unpacker.eof or len(data) != size or unpacker.unused_data:
            raise self._damaged("a section is not as large as it says")
        return data

    # What is in the sections

    def _numbers(self, data, count, kind):
        code = kind.decode()
        numbers = array(code)
        if numbers.itemsize != _ITEM_SIZES[code]:
            raise SnapshotFormatError(
                "cannot be read on this machine, whose numbers have other "
                "sizes; dump it as a pickle elsewhere")
        numbers.frombytes(data)
        if byteorder == "big":
            numbers.byteswap()
        return numbers

    def _strings(self, data, count, kind):
        if count > len(data) // 4:
            raise self._damaged("it has too few names")
        self._spend(80 * count + len(data))
        lengths = self._numbers(data[:4 * count], count, b"I")
        if sum(lengths) != len(data) - 4 * count:
            raise self._damaged("its names have other lengths")
        strings = []
        at = 4 * count
        try:
            for length in lengths:
                strings.append(str(data[at:at + length], "utf-8",
                                   "surrogatepass"))
                at += length
        except UnicodeDecodeError:
            raise self._damaged("a name is no text") from None
        return strings

    def _json(self, data, count, kind):
        import json

        if len(data) > _MAX_JSON:
            raise self._damaged("its description is too large")
        self._spend(40 * len(data))
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise self._damaged("its description is no JSON") from None

    def _pickled(self, data, count, kind):
        found = _reader(bytes(data), self._limit,
                        self._limit - self._left).load()
        if type(found) is not dict:
            raise self._damaged("its attributes are missing")
        return found

    _DECODERS = {
        b"I": _numbers, b"i": _numbers, b"Q": _numbers,
        _STRINGS: _strings, _JSON: _json, _PICKLE: _pickled,
    }

    def snapshot(self):
        about = self._found.get("snapshot")
        names = self._found.get("names")
        if type(about) is not dict or names is None:
            raise self._damaged("it does not describe itself")
        limit, frame_limit, metadata = map(
            about.get, ("traceback_limit", "frame_limit", "metadata"))
        if (type(limit) is not int or type(frame_limit) is not int
                or not 0 < frame_limit <= MAX_DEPTH):
            raise self._damaged("its description makes no sense")
        if not is_metadata(metadata):
            raise self._damaged("its metadata make no sense")
        columns = {name: column for name, column in self._found.items()
                   if name in COLUMNS}
        try:
            data = SnapshotData(names, **columns)
            data.max_size = self._limit
            data.check()
        except (TypeError, ValueError) as exc:
            text = str(exc).removeprefix("damaged snapshot: ")
            raise self._damaged(text) from None
        if data.row_count is not None and (
                sum(data.row_count) > _MAX_BLOCKS):
            raise self._damaged("it has more blocks than memory has bytes")
        from tracemalloc import Snapshot

        snapshot = Snapshot._of(data, frame_limit, metadata)
        attributes = self._found.get("attributes") or {}
        if "metadata" in attributes:
            raise self._damaged("it has its metadata twice")
        _add_attributes(snapshot, attributes, limit)
        return snapshot
