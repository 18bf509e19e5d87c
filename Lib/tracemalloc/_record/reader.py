"""Reading records: read() makes a Picture, whoever writes meanwhile.

The writer never changes a page that the newest checkpoint refers to, and each
page's checksum is in what refers to it.  So a reader takes the newer of the
two checkpoints that is whole, reads its pages, and compares; if the writer
has gone on meanwhile and used pages again, it begins anew.  That happens a
bounded number of times, and nothing here waits for the writer, which may be
dead.

Nothing in the file is taken at its word: numbers are compared with the size of
the file before memory is asked for, and so a record takes a few times as much
memory as it is large.
"""

import os
import stat
from binascii import crc32
from types import SimpleNamespace

from tracemalloc._errors import (
    SnapshotFormatError, too_large, truncated)
from tracemalloc._record import layout

# How often reading begins anew because the writer was faster.
_ATTEMPTS = 50

_DAMAGED = "is a damaged record: {}; the process that wrote it is not at fault"


def open_file(path):
    """Open a file; what is named like a record may be a pipe.

    That would wait for somebody who writes.
    """
    return open(path, "rb", opener=_open_at_once)


def _open_at_once(path, flags):
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def is_record(path):
    """Whether a file begins as a record does.  Raises OSError."""
    with open_file(path) as stream:
        # None from a pipe that has nothing yet.
        return stream.read(len(layout.MAGIC)) == layout.MAGIC


def read(path):
    """Return the Picture of the newest checkpoint in a record.

    Consistent, or an error: a picture that the writer has changed meanwhile is
    read again.  Takes time and memory in proportion to what the record holds.
    May be called from any thread.  Raises OSError when the file cannot be
    read, and SnapshotFormatError when it is no record, damaged, or of a newer
    format.
    """
    from tracemalloc._record.picture import Picture

    with open_file(path) as stream:
        return _named(path, read_stream, stream, Picture)


def read_about(path):
    """Return the Picture of a record without its tables.

    That is a fast look, for lists of many records: it has no timeline and no
    snapshot().  Raises what read() raises.
    """
    from tracemalloc._record.picture import Picture

    with open_file(path) as stream:
        return _named(path, read_stream, stream, Picture, False)


def read_snapshot(stream, limit):
    """Return the Snapshot in a record that is open; see Snapshot.load()."""
    return _read_bounded(stream, None, limit).snapshot()


def read_bounded(path, limit):
    """Return what read() does, whose snapshot may take so much memory.

    Raises what read() and Snapshot.load() do.
    """
    with open_file(path) as stream:
        return _named(path, _read_bounded, stream, limit)


def _read_bounded(stream, path, limit):
    from tracemalloc._record.picture import Picture

    try:
        size = os.fstat(stream.fileno()).st_size
    except OSError:
        # Such as a stream in memory.
        raise SnapshotFormatError("is no regular file, as records are"
                                  ) from None
    if size > limit:
        raise too_large(limit)
    picture = read_stream(stream, path, Picture)
    picture.snapshot().traces._data.max_size = limit
    return picture


def _named(path, function, stream, *arguments):
    try:
        return function(stream, path, *arguments)
    except SnapshotFormatError as error:
        raise type(error)(f"{os.fsdecode(path)!r} {error}") from None


def read_stream(stream, path, make, tables=True):
    """Return make(path, head, checkpoint, tables, state) for a binary file.

    That is a file opened for reading, from its beginning on.
    """
    # Not through a buffer: it would keep what the writer has replaced.
    descriptor = stream.fileno()
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise SnapshotFormatError("is no regular file, as records are")
    size = status.st_size
    head = _read_head(descriptor, size)
    first = None
    for _ in range(_ATTEMPTS):
        # Whether it runs is asked before: who ends then has written all.
        running = _is_running(descriptor, head)
        checkpoint, whole = _read_checkpoint(descriptor, size)
        if not tables:
            return make(path, head, checkpoint, None,
                        _state(checkpoint, running))
        found, fault = _read_tables(descriptor, size, checkpoint, whole)
        if found is not None:
            return make(path, head, checkpoint, found,
                        _state(checkpoint, running))
        if checkpoint.sequence == first:
            # Nobody is writing.
            break
        first = checkpoint.sequence
    raise SnapshotFormatError(_DAMAGED.format(fault))


def _read_page(descriptor, number):
    return os.pread(descriptor, layout.PAGE, number * layout.PAGE)


def _is_whole(page):
    return (len(page) == layout.PAGE and layout.CRC.unpack_from(
        page, layout.CHECKED)[0] == crc32(page[:layout.CHECKED]))


def _read_head(descriptor, size):
    page = _read_page(descriptor, 0)
    if not page.startswith(layout.MAGIC):
        if not page:
            raise truncated("an empty file")
        raise SnapshotFormatError(
            f"is no record: it begins with {page[:8]!r}")
    if len(page) < layout.PAGE:
        raise truncated("a record that ends too early")
    head = SimpleNamespace(**dict(zip(
        layout.HEAD_FIELDS, layout.HEAD.unpack_from(page))))
    if head.major != layout.VERSION:
        raise SnapshotFormatError(
            f"is a record of version {head.major}.{head.minor}; this reader "
            f"knows version {layout.VERSION}: read it with the Python that "
            "wrote it, or a newer one")
    if not _is_whole(page):
        raise SnapshotFormatError(_DAMAGED.format("its head is not whole"))
    texts = layout.HEAD.size
    if (head.order != layout.ORDER or head.page_size != layout.PAGE
            or head.head_size != layout.PAGE
            or head.command_size > layout.CHECKED - texts
            or head.version_size > layout.CHECKED - texts - head.command_size):
        raise SnapshotFormatError(_DAMAGED.format("its head makes no sense"))
    end = texts + head.command_size
    command = page[texts:end].split(b"\0")[:-1]
    head.command = [each.decode(errors="surrogateescape") for each in command]
    head.version = page[end:end + head.version_size].decode(errors="replace")
    return head


def _read_checkpoint(descriptor, size):
    """Return the newer checkpoint that is whole, and its page."""
    newest = None, None
    for number in 1, 2:
        page = _read_page(descriptor, number)
        if not _is_whole(page) or not page.startswith(
                layout.CHECKPOINT_MAGIC):
            continue
        checkpoint = SimpleNamespace(**dict(zip(
            layout.CHECKPOINT_FIELDS, layout.CHECKPOINT.unpack_from(page))))
        length, _, _ = layout.TABLE.unpack_from(
            page, layout.TABLES_AT["accounts"])
        checkpoint.accounts = length // layout.ITEMS["accounts"]
        if (newest[0] is None
                or checkpoint.sequence > newest[0].sequence):
            newest = checkpoint, page
    if newest[0] is None:
        if size < 3 * layout.PAGE:
            raise truncated("a record that ends too early")
        raise SnapshotFormatError(_DAMAGED.format("no checkpoint is whole"))
    if newest[0].state >= len(layout.STATES):
        raise SnapshotFormatError(_DAMAGED.format("its state is unknown"))
    return newest


def _read_tables(descriptor, size, checkpoint, page):
    """Return {table: bytes}, and None; or None, and what is wrong."""
    pages = min(size // layout.PAGE, layout.MOST_PAGES)
    lists, _ = layout.LIST_SIZE.unpack_from(page, layout.LIST_AT)
    if lists > layout.MOST_LISTS:
        return None, "it has too many lists of pages"
    at = layout.LIST_AT + layout.LIST_SIZE.size
    places = layout.PLACE.iter_unpack(
        page[at:at + lists * layout.PLACE.size])
    unread = bytearray(b"\1") * pages
    try:
        places = layout.PLACE.iter_unpack(
            _read_pages(descriptor, places, unread))
        found, total = {}, 0
        for name, at in layout.TABLES_AT.items():
            length, count, _ = layout.TABLE.unpack_from(page, at)
            total += count
            item = layout.ITEMS.get(name, 1)
            if (total > pages or length > count * layout.PAGE or length % item
                    or length > item * layout.MOST_ITEMS.get(name, length)):
                return None, f"the size of its {name} makes no sense"
            data = _read_pages(descriptor, _some(places, count), unread)
            found[name] = data[:length]
    except _Torn as fault:
        return None, str(fault)
    return found, None


class _Torn(Exception):
    """A page is not what its checksum says."""


def _some(places, count):
    from itertools import islice

    found = list(islice(places, count))
    if len(found) < count:
        raise _Torn("its lists of pages are too short")
    return found


def _read_pages(descriptor, places, unread):
    """Return the bytes of the pages at some places, one after the other.

    unread -- for each page of the file whether it was not read yet
    """
    found = []
    for number, check in places:
        if not 2 < number < len(unread):
            raise _Torn("a page lies outside of it")
        # Each page has a place of its own.
        if not unread[number]:
            raise _Torn("a page is at two places")
        unread[number] = 0
        page = _read_page(descriptor, number)
        if len(page) < layout.PAGE or crc32(page) != check:
            raise _Torn("a page is not what was written")
        found.append(page)
    return b"".join(found)


# How the process is


def _state(checkpoint, running):
    state = layout.STATES[checkpoint.state]
    if state == "running" and not running:
        state = "gone"
    return state


def _is_running(descriptor, head):
    """Whether the process that writes a record is there.

    It holds a lock on the file as long as it lives, which can be seen from
    other containers as well.  Where there are no such locks, its number and
    the time when it began tell, if they are those of this machine.
    """
    if head.flags & layout.LOCKED:
        locked = is_locked(descriptor)
        if locked is not None:
            return locked
    return _is_process(head)


def is_locked(descriptor):
    """Whether somebody holds the lock on a file; None if that is unknown."""
    locked = try_lock(descriptor, shared=True)
    if locked:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_UN)
    return None if locked is None else not locked


def try_lock(descriptor, shared=False):
    """Lock a file: whether nobody else has; None if that is unknown."""
    try:
        import fcntl
    except ImportError:
        return None
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_process(head):
    try:
        with open("/proc/sys/kernel/random/boot_id") as stream:
            boot = bytes.fromhex(stream.read().strip().replace("-", ""))
        if head.boot.strip(b"\0") and boot != head.boot:
            return False
        if head.namespace != os.stat("/proc/self/ns/pid").st_ino:
            return True
        with open(f"/proc/{head.pid}/stat", "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
        return int(fields[19]) == head.process_start
    except FileNotFoundError:
        return not os.path.isdir("/proc/self")
    except (OSError, ValueError, IndexError):
        return True
