"""The processes that an agent looks at.

What is asked for is the number of a process, a file, or a folder of records.
It is looked up each time anew: processes come and go.  A file may also be a
snapshot; it stands for a process then that is as the snapshot has it.
"""

import os
import stat

import tracemalloc
from tracemalloc import _format
from tracemalloc._errors import LARGER
from tracemalloc._pprof import program_of, seconds_of

# States of processes that are no more.
ENDED = "exited", "gone"
# More records than these are not looked at, and it is said that there are
# more.
MOST = 10_000


def said(error):
    """Return what an error says, in the words of the command line."""
    text = getattr(error, "strerror", None) or str(error)
    return text.replace(LARGER, "give a larger --max-size")


class SourceError(Exception):
    """Nothing can be read where it was to be; the text says why."""


class Process:
    """One process, as its record or its snapshot tells of it.

    name    -- what it is asked for by: the name of its file
    program -- the program's name, '' if that is not known
    state   -- 'running', 'stopped', 'exited' or 'gone', as in records;
               'snapshot' for a snapshot
    started, written
            -- seconds since the epoch; 0 if not known
    accounts -- whether it tells what was allocated in accounts
    The other attributes are those of pictures of records.
    """

    def __init__(self, path, picture, max_size=None):
        self.path = path
        self._max_size = max_size
        self.name = os.path.basename(path)
        self.pid = picture.pid
        self.program = program_of(picture.program)
        self.state = picture.state
        self.started = picture.started / 1e9
        self.written = picture.written / 1e9
        self.accounts = bool(picture.accounts)
        for name in ("parent", "family", "current", "peak", "blocks", "rss",
                     "dropped", "lost", "sample_interval"):
            setattr(self, name, getattr(picture, name))

    @property
    def ended(self):
        return self.state in ENDED

    def load(self):
        """Return the process as it is now, and its Snapshot.

        Raises OSError and SnapshotFormatError.
        """
        picture = _read(self.path, self._max_size)
        return (Process(self.path, picture, self._max_size),
                picture.snapshot())


class _SnapshotPicture:
    """What a picture of a record has, of a snapshot."""

    state = "snapshot"
    parent = family = None
    started = lost = 0

    def __init__(self, snapshot):
        metadata = snapshot.metadata
        size, count = _totals(snapshot)
        self.pid = _number(metadata.get("pid"))
        self.program = metadata.get("command")
        self.written = int(seconds_of(snapshot) * 1e9)
        self.current, self.blocks = size, count
        self.peak = max(_number(metadata.get("traced_memory_peak")), size)
        self.rss = _number(metadata.get("rss")) or None
        self.dropped = _number(metadata.get("dropped"))
        self.sample_interval = _number(metadata.get("sample_interval")) or None
        self.accounts = _has_accounts(snapshot)
        self._snapshot = snapshot

    def snapshot(self):
        return self._snapshot


def _totals(snapshot):
    from tracemalloc._stacks import data_of

    data, _ = data_of(snapshot)
    return tuple(map(sum, data.live()))


def _has_accounts(snapshot):
    from tracemalloc._stacks import data_of

    return data_of(snapshot)[0].context_account is not None


def _number(value):
    # Metadata may come from a file.
    return value if type(value) is int and value > 0 else 0


def _read(path, max_size, about=False):
    """Return the picture of a record or of a snapshot."""
    from tracemalloc._record import reader

    # Others may write in the folder: opening a pipe would wait for ever.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise tracemalloc.SnapshotFormatError(
            f"{path!r} is no regular file, as records are")
    if reader.is_record(path):
        if about:
            return reader.read_about(path)
        return (reader.read(path) if max_size is None
                else reader.read_bounded(path, max_size))
    # By now, something else may be there.
    return _SnapshotPicture(_format.load_at_once(path, max_size))


class Source:
    """What an agent was told to look at.

    what -- a file, a folder, or the number of a process as text; None for
            the folder where this user's records are
    children -- with the processes that these started
    max_size -- bytes of memory that loading a file may take, as for
            Snapshot.load(); without, records may be of any size
    Raises SourceError if there is no such file or folder now; that a process
    has no record may change.
    """

    def __init__(self, what, children=False, max_size=None):
        from tracemalloc._record import places

        self.is_default = what is None
        self._children = children
        self._max_size = max_size
        self.what = places.default_folder() if what is None else what
        # (path, size, time) -> what a snapshot says about its process
        self._snapshots = {}
        # The folder is made by the first program that leaves a record.
        if not self.is_default:
            self._find()

    @property
    def is_folder(self):
        return self.is_default or os.path.isdir(self.what)

    def _find(self):
        from tracemalloc._record import places

        try:
            found = places.find(self.what, children=self._children)
            if os.path.isdir(self.what):
                # Snapshots lie in folders as well.
                found += sorted(
                    os.path.join(self.what, name)
                    for name in os.listdir(self.what)
                    if name.endswith(".tmz") and not name.startswith("."))
            return found
        except (OSError, ValueError) as error:
            if self.is_default and isinstance(error, FileNotFoundError):
                return []
            reason = getattr(error, "strerror", None) or error
            raise SourceError(f"{self.what}: {reason}") from None

    def look(self):
        """Return (processes, faults, how many more there are).

        Processes come in the order of what they hold, the most first; faults
        are texts about records that cannot be read.
        """
        paths = self._find()
        processes, faults = [], []
        for path in paths[:MOST]:
            try:
                processes.append(self._about(path))
            except FileNotFoundError:
                # Cleaned up meanwhile.
                continue
            except OSError as error:
                faults.append(f"{path!r}: {said(error)}")
            except ValueError as error:
                faults.append(said(error))
        processes.sort(key=lambda each: (-each.current, each.name))
        return processes, faults, max(len(paths) - MOST, 0)

    def _about(self, path):
        """Return a Process; snapshots, which stay as they are, once."""
        status = os.stat(path)
        key = path, status.st_size, status.st_mtime_ns, status.st_ino
        known = self._snapshots.get(key)
        if known is None:
            known = Process(path, _read(path, self._max_size, about=True),
                            self._max_size)
            if known.state == _SnapshotPicture.state:
                if len(self._snapshots) >= MOST:
                    self._snapshots.clear()
                self._snapshots[key] = known
        return known
