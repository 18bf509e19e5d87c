"""The compact format: a snapshot's data (see _columns) column by column.

    write()     a snapshot into a binary stream
    read()      the snapshot in a stream

Doc/library/tracemalloc-format.rst describes the format byte by byte.  The
reader takes no number of a file at its word: sizes are compared with the size
of the file and with what loading may take before memory is asked for, and row
numbers are checked by SnapshotData.check() before they are used.
"""

import pickle
import struct
from array import array
from binascii import crc32
from sys import byteorder

import _tracemalloc

from tracemalloc._checked import is_metadata
from tracemalloc._columns import COLUMNS, MAX_DEPTH, SnapshotData
from tracemalloc._errors import SnapshotFormatError, too_large, truncated
from tracemalloc._pickles import SnapshotReader, add_attributes, attributes_of
from tracemalloc._snapshot import Snapshot

SUFFIX = ".tmz"

# As in PNG: a byte above 127, line ends of both kinds, and the character that
# ends a text file, so that damage by a transfer as text is seen at once.
MAGIC = b"\x89TMZ\r\n\x1a\n"
_VERSION = 1, 0
_HEAD = struct.Struct("<8sHH")
_CRC = struct.Struct("<I")
_SECTION = struct.Struct("<ccQQQ")      # after the name

_AS_IS, _ZLIB = b"\0", b"\1"
# No zlib stream decodes to more than this many times its size.
_ZLIB_RATIO = 1032
_CHUNK = 1 << 18
# What of compressed data is given to the decompressor at once: what it leaves
# it copies each time.
_BITE = 1 << 14

_JSON, _STRINGS, _PICKLE, _END = b"J", b"S", b"P", b"E"
_MAX_JSON = 1 << 24
_MAX_NAME = 64

_ITEM_SIZES = {"I": 4, "i": 4, "Q": 8}

# No address space holds more blocks than this.
_MAX_BLOCKS = 1 << 48


# Writing


def write(snapshot, stream):
    """Write a snapshot to a binary stream.

    Raises TypeError if what a program has added to it cannot be kept.
    """
    import json

    traces = snapshot.traces
    data = traces._data
    if data is not None:
        frame_limit = traces._limit
    else:
        # All frames of traces made by hand count, whatever the limit says.
        data, frame_limit = SnapshotData.from_raw(traces._traces), MAX_DEPTH
    head = _HEAD.pack(MAGIC, *_VERSION)
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
    section("attributes", _PICKLE, 1, _pickle_plain(attributes_of(snapshot)))
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
        SnapshotReader(data, 1 << 62, 0).load()
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


def read(stream, size, limit):
    """Return the snapshot in a stream that is behind MAGIC.

    *size* is that of the whole file, None if it is not known; *limit* is how
    many bytes loading may take.  Raises SnapshotFormatError.
    """
    return _FileReader(stream, size, limit).snapshot()


def read_metadata(stream, limit):
    """Return the metadata of a snapshot in a stream that is behind MAGIC.

    What follows them is not read.  Raises SnapshotFormatError.
    """
    return _FileReader(stream, None, limit, "snapshot").description()[2]


def _empty_array(kind):
    """Return an array for the numbers of a section of that type."""
    code = kind.decode()
    numbers = array(code)
    if numbers.itemsize != _ITEM_SIZES[code]:
        raise SnapshotFormatError(
            "cannot be read on this machine, whose numbers have other "
            "sizes; dump it as a pickle elsewhere")
    return numbers


class _FileReader:
    """Reads the sections of a file, and makes a snapshot of them.

    Reads no further than to section *last*, if that is told.
    """

    def __init__(self, stream, size, limit, last=None):
        self._stream = stream
        self._limit = limit
        self._left = limit
        # Of a pipe, nothing is known: as much as allowed.
        self._in_file = (limit if size is None else size) - len(MAGIC)
        self._found = {}
        self._last = last
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
        head = self._checked(MAGIC + self._read(_HEAD.size - len(MAGIC)))
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
            if name == self._last:
                return
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
        if item is not None:
            return self._numbers(kind, encoding, size, stored)
        data = bytearray()
        self._unpack(encoding, size, stored, data.extend)
        return self._DECODERS[kind](self, data, count)

    def _copy(self, stored, take, most=_CHUNK):
        if stored > self._in_file:
            raise truncated("a snapshot file that ends too early")
        check = 0
        while stored:
            chunk = self._read(min(stored, most))
            check = crc32(chunk, check)
            take(chunk)
            stored -= len(chunk)
        if _CRC.unpack(self._read(_CRC.size))[0] != check:
            raise self._damaged("a checksum is wrong")

    def _unpack(self, encoding, size, stored, add):
        """Call add() with the bytes of a section, some at a time."""
        if encoding == _AS_IS:
            self._copy(stored, add)
            return
        try:
            import zlib
        except ImportError:
            raise SnapshotFormatError(
                "is compressed by zlib, which this interpreter was built "
                "without; load it with another one") from None
        unpacker = zlib.decompressobj()
        left = size

        def take(chunk):
            nonlocal left
            while not unpacker.eof:
                # One byte more than there may be; no byte would mean no limit.
                part = unpacker.decompress(chunk, min(left + 1, _CHUNK))
                left -= len(part)
                if left < 0:
                    raise self._damaged("a section is larger than it says")
                add(part)
                chunk = unpacker.unconsumed_tail
                if not (part or chunk):
                    break

        try:
            self._copy(stored, take, _BITE)
        except zlib.error:
            raise self._damaged("a section cannot be decompressed") from None
        if not unpacker.eof or left or unpacker.unused_data:
            raise self._damaged("a section is not as large as it says")

    def _numbers(self, kind, encoding, size, stored):
        """Return the array of a section of numbers, *size* bytes of them."""
        numbers = _empty_array(kind)
        rest = b""

        def add(part):
            nonlocal rest
            if rest:
                part = rest + part
            whole = len(part) - len(part) % numbers.itemsize
            numbers.frombytes(memoryview(part)[:whole])
            rest = part[whole:]

        self._unpack(encoding, size, stored, add)
        if byteorder == "big":
            numbers.byteswap()
        return numbers

    # What else is in the sections

    def _strings(self, data, count):
        if count > len(data) // 4:
            raise self._damaged("it has too few names")
        self._spend(80 * count + len(data))
        lengths = _empty_array(b"I")
        lengths.frombytes(data[:4 * count])
        if byteorder == "big":
            lengths.byteswap()
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

    def _json(self, data, count):
        import json

        if len(data) > _MAX_JSON:
            raise self._damaged("its description is too large")
        self._spend(40 * len(data))
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise self._damaged("its description is no JSON") from None

    def _pickled(self, data, count):
        found = SnapshotReader(bytes(data), self._limit,
                               self._limit - self._left).load()
        if type(found) is not dict:
            raise self._damaged("its attributes are missing")
        return found

    _DECODERS = {_STRINGS: _strings, _JSON: _json, _PICKLE: _pickled}

    def description(self):
        """Return the limit of tracebacks, that of frames, and metadata."""
        about = self._found.get("snapshot")
        if type(about) is not dict:
            raise self._damaged("it does not describe itself")
        limit, frame_limit, metadata = map(
            about.get, ("traceback_limit", "frame_limit", "metadata"))
        if (type(limit) is not int or type(frame_limit) is not int
                or not 0 < frame_limit <= MAX_DEPTH):
            raise self._damaged("its description makes no sense")
        if not is_metadata(metadata):
            raise self._damaged("its metadata make no sense")
        return limit, frame_limit, metadata

    def snapshot(self):
        limit, frame_limit, metadata = self.description()
        names = self._found.get("names")
        if names is None:
            raise self._damaged("it does not describe itself")
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
                _tracemalloc._sum_column(data.row_count) > _MAX_BLOCKS):
            raise self._damaged("it has more blocks than memory has bytes")
        snapshot = Snapshot._of(data, frame_limit, metadata)
        attributes = self._found.get("attributes") or {}
        if "metadata" in attributes:
            raise self._damaged("it has its metadata twice")
        add_attributes(snapshot, attributes, limit)
        return snapshot
