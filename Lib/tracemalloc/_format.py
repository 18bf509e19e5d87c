"""Files of snapshots: which format one has, or is to have.

    dump()   a pickle that any CPython can load, or the compact format
    load()   either of them, files of the 2013 interface, and records

    _pickles    pickles; _unpickle reads them without running anything
    _compact    the compact format
    _draft      files of the 2013 interface
    _record     what a running process leaves for others to read

Everything here is loaded on first use and can be called from any thread.
"""

import os
import stat

from tracemalloc import _compact, _pickles
from tracemalloc._compact import MAGIC, SUFFIX
from tracemalloc._draft import Draft
from tracemalloc._errors import SnapshotFormatError, too_large, truncated
from tracemalloc._writing import write_file

# What loading may use, in bytes, unless the caller says otherwise.
MAX_SIZE = 1 << 30

# A record is loaded by what few processes need.
_RECORD_MAGIC = b"\x89TMR\r\n\x1a\n"

# How much of a pipe is read at once.
_CHUNK = 1 << 18


# Writing


def dump(snapshot, filename, format=None):
    """Write *snapshot* to a file; see Snapshot.dump()."""
    write = _writer(filename, format)
    write_file(filename, lambda stream: write(snapshot, stream))


def prepare(filename):
    """Import all that dump() to a file of such a name needs.

    For threads: a child of os.fork() has half a module for ever if another
    thread was importing it.
    """
    from io import BytesIO

    from tracemalloc._snapshot import Snapshot

    _writer(filename, None)(Snapshot((), 1), BytesIO())


def _writer(filename, format):
    if format is None:
        compact = (not isinstance(filename, int)
                   and os.fsdecode(filename).lower().endswith(SUFFIX))
        format = "compact" if compact else "pickle"
    if format == "compact":
        return _compact.write
    if format == "pickle":
        return _pickles.write
    raise ValueError("format must be 'pickle' or 'compact', "
                     f"not {format!r}")


# Reading


def load(filename, max_size=None):
    """Return the snapshot in a file; see Snapshot.load()."""
    return _open(filename, max_size, True, to_snapshot)


def load_at_once(filename, max_size=None):
    """Do what load() does, but refuse what is no regular file.

    Opening a pipe would wait for somebody who writes; and a file that was
    looked at may be one by now.
    """
    return _open(filename, max_size, True, to_snapshot, _open_regular)


def _open_regular(filename, mode):
    from tracemalloc._record.reader import open_file

    stream = open_file(filename)
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return stream
    stream.close()
    raise SnapshotFormatError(
        f"{os.fsdecode(filename)!r} is no regular file, as snapshots and "
        "records are")


def read(filename, max_size=None, traces=True):
    """Return the Snapshot, or the Draft of the 2013 interface, in a file.

    Without *traces*, those of a Draft are left out if they can be.
    Raises OSError and SnapshotFormatError.
    """
    return _open(filename, max_size, traces, lambda found: found)


def read_metadata(filename, max_size=None, at_once=False):
    """Return the metadata of a snapshot file, a dict.

    Of a compact file, no more is read than what describes it; of others,
    which have them among the rest or none, all.  Errors are those of read(),
    or of load_at_once().
    """
    with (_open_regular if at_once else open)(filename, "rb") as stream:
        if stream.read(len(MAGIC)) == MAGIC:
            limit = MAX_SIZE if max_size is None else max_size
            try:
                return _compact.read_metadata(stream, limit)
            except SnapshotFormatError as exc:
                raise _named(exc, filename) from None
    return (load_at_once if at_once else load)(filename, max_size).metadata


def to_snapshot(found):
    """Return the Snapshot for what read() found."""
    return found.to_snapshot() if isinstance(found, Draft) else found


def _open(filename, max_size, traces, convert, opened=open):
    limit = MAX_SIZE if max_size is None else max_size
    with opened(filename, "rb") as stream:
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
    head = stream.read(len(MAGIC))
    if head == MAGIC:
        return _compact.read(stream, size, limit)
    if head == _RECORD_MAGIC:
        from tracemalloc._record.reader import read_snapshot

        return read_snapshot(stream, limit)
    data = _rest(stream, head, size, limit)
    _recognize(data)
    return _pickles.read(data, limit, traces)


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
    b"memray": "is a file of memray, which memray's own commands read",
    b"\x04\x22\x4d\x18": "is compressed by LZ4, as memray's files are; those "
                         "are read by memray's own commands",
    b"\x89TMZ": "is a damaged snapshot file: it seems to have been copied as "
                "text; copy it again, as binary",
    b"TMZ": "is a damaged snapshot file: its first byte is missing; get it "
            "again",
}


def _recognize(data):
    """Raise SnapshotFormatError unless *data* may be a pickle."""
    if not data:
        raise truncated("an empty file")
    if MAGIC.startswith(data):
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
