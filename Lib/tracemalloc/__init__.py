"""Where the memory of this process was allocated, and what changed since.

start() makes the interpreter remember, for every block that Python allocates
from then on, its size and the lines of code that asked for it.  A snapshot
freezes that record; its statistics rank files, lines or whole call paths, and
two snapshots can be compared.

All sizes are exact numbers of bytes as the caller requested them; what the
allocator adds for alignment is not in them.  The functions of this module may
be called from any thread.  Value objects (Frame, Traceback, Trace, Statistic,
StatisticDiff) are read from any thread once built.

Tuples that come from the C module `_tracemalloc` and that snapshots store:

    frame      (filename, line number)
    frames     (frame, ...), most recent call first
    raw trace  (domain, size, frames, total number of frames)

Classes keep raw tuples as their only state, under fixed attribute names:
snapshots pickled by CPython 3.13 and by this module are interchangeable.
"""

# Imported here and not on first use: an import that happens while tracing
# would show up in the program's own statistics.
import fnmatch
import linecache
import os.path
import pickle
from collections import _count_elements
from collections.abc import Iterable, Sequence
from functools import total_ordering
from operator import itemgetter

from _tracemalloc import (
    _get_object_traceback, _get_traces, clear_traces, get_traceback_limit,
    get_traced_memory, get_tracemalloc_memory, is_tracing, reset_peak, start,
    stop)

__all__ = [
    "BaseFilter", "DomainFilter", "Filter", "Frame", "Snapshot", "Statistic",
    "StatisticDiff", "Trace", "Traceback", "clear_traces",
    "get_object_traceback", "get_traceback_limit", "get_traced_memory",
    "get_tracemalloc_memory", "is_tracing", "reset_peak", "start", "stop",
    "take_snapshot",
]


# Text of sizes


def _format_size(size, sign):
    """Return *size* bytes as text: '512 B', '9.8 KiB', '1536 KiB', '20.0 MiB'.

    The unit is the smallest that needs fewer than 10240 of it; below 100 of a
    unit other than the byte, one decimal is shown.  A true *sign* prints '+'
    before amounts that are not negative.
    """
    plus = "+" if sign else ""
    for unit in ("B", "KiB", "MiB", "GiB"):
        amount = abs(size)
        if amount < 100 and unit != "B":
            return f"{size:{plus}.1f} {unit}"
        if amount < 10240:
            return f"{size:{plus}.0f} {unit}"
        size /= 1024
    digits = 1 if abs(size) < 100 else 0
    return f"{size:{plus}.{digits}f} TiB"


def _average_text(size, count):
    """Return the ', average=...' end of a statistic, empty for no block."""
    return f", average={_format_size(size / count, False)}" if count else ""


# Values


class _Value:
    """Compares and hashes by what _key() returns.

    Values are equal to values of the same family only: of the class that is
    derived from this one directly, or of its subclasses.
    """

    __slots__ = ()

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if _Value in cls.__bases__:
            cls._family = cls

    def __eq__(self, other):
        if not isinstance(other, self._family):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self):
        return hash(self._key())


@total_ordering
class Frame(_Value):
    """One line of code in a call path.

    Frames are hashable; they are equal and ordered by file name, then line.
    """

    __slots__ = ("_frame",)

    def __init__(self, frame):
        self._frame = frame

    def _key(self):
        return self._frame

    @property
    def filename(self):
        """File name of the code (str); '<unknown>' if there was no frame."""
        return self._frame[0]

    @property
    def lineno(self):
        """Line number (int), 0 when it is not known."""
        return self._frame[1]

    def __lt__(self, other):
        if isinstance(other, Frame):
            return self._frame < other._frame
        return NotImplemented

    def __str__(self):
        return f"{self.filename}:{self.lineno}"

    def __repr__(self):
        return f"<Frame filename={self.filename!r} lineno={self.lineno!r}>"


@total_ordering
class Traceback(_Value, Sequence):
    """The call path that allocated a block: Frames, the oldest call first.

    The last frame is the line that allocated.  At most as many frames as
    start() was told are kept, the most recent ones.  Two tracebacks are equal
    when their frames are, whatever total_nframe says.

    The constructor takes raw frames, the most recent call first.
    """

    __slots__ = ("_frames", "_total_nframe")

    def __init__(self, frames, total_nframe=None):
        self._total_nframe = total_nframe
        self._frames = tuple(reversed(frames))

    def _key(self):
        return self._frames

    def __contains__(self, frame):
        return frame._frame in self._frames

    def __getitem__(self, index):
        found = self._frames[index]
        if isinstance(index, slice):
            return tuple(map(Frame, found))
        return Frame(found)

    def __len__(self):
        return len(self._frames)

    @property
    def total_nframe(self):
        """How deep the call path was before it was cut, at most 65535.

        None when it was not recorded, as for get_object_traceback().
        """
        return self._total_nframe

    def __lt__(self, other):
        if isinstance(other, Traceback):
            return self._frames < other._frames
        return NotImplemented

    def __str__(self):
        return str(self[0])

    def __repr__(self):
        total = ("" if self._total_nframe is None
                 else f" total_nframe={self._total_nframe}")
        return f"<Traceback {self[:]}{total}>"

    def format(self, limit=None, most_recent_first=False):
        """Return the call path as a list of lines without line ends.

        A frame gives '  File "NAME", line N' and, where linecache finds the
        source, the line itself, stripped and indented by four blanks.

        A positive *limit* keeps that many of the most recent frames; any
        other number is taken as the end of a slice, so that -1 leaves out the
        most recent frame and 0 everything.  Frames are listed from the oldest
        to the most recent unless *most_recent_first* is true.

        Reads source files that linecache has not read yet.
        """
        if limit is None:
            chosen = self[:]
        elif limit > 0:
            chosen = self[-limit:]
        else:
            chosen = self[:limit]

        lines = []
        for frame in chosen[::-1] if most_recent_first else chosen:
            filename, lineno = frame._frame
            lines.append(f'  File "{filename}", line {lineno}')
            source = linecache.getline(filename, lineno).strip()
            if source:
                lines.append(f"    {source}")
        return lines


class Trace(_Value):
    """One live block: its size and the call path that allocated it.

    Traces are hashable; they are equal when all they store is equal.
    """

    __slots__ = ("_trace",)

    def __init__(self, trace):
        self._trace = trace

    def _key(self):
        return self._trace

    @property
    def domain(self):
        """Address space of the block (int): 0 is Python's own memory.

        Extension modules choose other numbers for memory that they manage.
        """
        return self._trace[0]

    @property
    def size(self):
        """Bytes that were requested (int, exact)."""
        return self._trace[1]

    @property
    def traceback(self):
        """The call path, a Traceback made anew each time."""
        return Traceback(*self._trace[2:])

    def __str__(self):
        return f"{self.traceback}: {_format_size(self.size, False)}"

    def __repr__(self):
        return (f"<Trace domain={self.domain} "
                f"size={_format_size(self.size, False)}, "
                f"traceback={self.traceback!r}>")


class _Traces(_Value, Sequence):
    """Sequence of Trace over a list of raw traces; a slice is a tuple."""

    # No __slots__: the attribute has to stay in __dict__, where the pickles
    # of other interpreters have it.

    __hash__ = None

    def __init__(self, traces):
        self._traces = traces

    def _key(self):
        return self._traces

    def __contains__(self, trace):
        return trace._trace in self._traces

    def __getitem__(self, index):
        found = self._traces[index]
        if isinstance(index, slice):
            return tuple(map(Trace, found))
        return Trace(found)

    def __len__(self):
        return len(self._traces)

    def __repr__(self):
        return f"<Traces len={len(self)}>"


# Statistics


class Statistic(_Value):
    """Live memory of one group of blocks.

    traceback -- the group's name: a Traceback; of one frame when grouped by
                 line, of one frame at line 0 when grouped by file
    size      -- bytes in use by the group
    count     -- number of blocks
    """

    __slots__ = ("traceback", "size", "count")

    # Not f-strings: whatever number a program stores prints as an integer.
    _REPR = "<Statistic traceback=%r size=%i count=%i>"

    def __init__(self, traceback, size, count):
        self.traceback, self.size, self.count = traceback, size, count

    def _key(self):
        return self.traceback, self.size, self.count

    def __str__(self):
        size = _format_size(self.size, False)
        count = "%i%s" % (self.count, _average_text(self.size, self.count))
        return f"{self.traceback}: size={size}, count={count}"

    def __repr__(self):
        return self._REPR % self._key()


class StatisticDiff(_Value):
    """What became of one group of blocks between two snapshots.

    traceback  -- the group's name, as in Statistic
    size       -- bytes in the newer snapshot; 0 if the group has gone
    size_diff  -- bytes gained, negative if lost; all of them for a new group
    count      -- number of blocks in the newer snapshot
    count_diff -- number of blocks gained or, if negative, lost
    """

    __slots__ = ("traceback", "size", "size_diff", "count", "count_diff")

    _REPR = "<StatisticDiff traceback=%r size=%i (%+i) count=%i (%+i)>"

    def __init__(self, traceback, size, size_diff, count, count_diff):
        self.size, self.size_diff = size, size_diff
        self.count, self.count_diff = count, count_diff
        self.traceback = traceback

    def _key(self):
        now = self.size, self.count
        change = self.size_diff, self.count_diff
        return self.traceback, now[0], change[0], now[1], change[1]

    def __str__(self):
        size = _format_size(self.size, False)
        size_diff = _format_size(self.size_diff, True)
        count = "%i (%+i)%s" % (self.count, self.count_diff,
                                _average_text(self.size, self.count))
        return f"{self.traceback}: size={size} ({size_diff}), count={count}"

    def __repr__(self):
        return self._REPR % self._key()


def _rank(stat):
    """Return what statistics are sorted by."""
    return stat.size, stat.count, stat.traceback


def _rank_of_change(diff):
    """Return what differences are sorted by."""
    now = diff.size, diff.count
    change = abs(diff.size_diff), abs(diff.count_diff)
    return change[0], now[0], change[1], now[1], diff.traceback


# How a key type names the group of a block: raw frames -> raw frames.
_GROUP_NAMES = {
    "traceback": lambda frames: frames,
    "lineno": lambda frames: frames[:1],
    "filename": lambda frames: ((frames[0][0], 0),),
}


_SIZE_OF = itemgetter(1)
_FRAMES_OF = itemgetter(2)


def _callers(frames):
    """Yield every frame of a call path as a call path of its own."""
    for frame in frames:
        yield (frame,)


def _add_up(raw_traces, name_group, split):
    """Return {group name: [size, count]} for *raw_traces*.

    Snapshots share one frames tuple among the blocks of a call path, and few
    sizes occur there, so blocks are first counted by the identity of that
    tuple and by size, in C; what is left to do is O(distinct pairs).
    """
    def frames():
        return map(_FRAMES_OF, raw_traces)

    by_id = dict(zip(map(id, frames()), frames()))
    blocks = {}
    _count_elements(blocks, zip(map(id, frames()), map(_SIZE_OF, raw_traces)))

    sums = dict.fromkeys(by_id, (0, 0))
    for (path_id, size), count in blocks.items():
        path_size, path_count = sums[path_id]
        sums[path_id] = path_size + size * count, path_count + count

    groups = {}
    for path_id, (size, count) in sums.items():
        path = by_id[path_id]
        for name in map(name_group, split(path) if split else (path,)):
            total = groups.setdefault(name, [0, 0])
            total[0] += size
            total[1] += count
    return groups


# Filters


def _normalize_filename(filename):
    """Return the name as filters compare it: system's case, .pyc as .py."""
    filename = os.path.normcase(filename)
    return filename[:-1] if filename.endswith(".pyc") else filename


class BaseFilter:
    """What filters have in common.

    inclusive -- true to keep only the traces that match, false to drop them

    A class of one's own defines _match(raw_trace), which says whether the
    trace may stay as far as this filter is concerned.
    """

    def __init__(self, inclusive):
        self.inclusive = inclusive

    def _verdict(self, matches):
        return bool(matches) == bool(self.inclusive)

    def _match(self, trace):
        raise NotImplementedError


class Filter(BaseFilter):
    """Select traces by file name, and by line and domain if given.

    filename_pattern -- pattern in the manner of fnmatch.fnmatch(); read-only.
                        '.pyc' at its end stands for '.py'
    lineno           -- line number, or None for every line
    all_frames       -- true to look at all frames of the call path, false to
                        look at the most recent one only
    domain           -- address space, or None for all of them

    Filter(False, '<unknown>') drops the blocks that have no call path, and
    Filter(False, tracemalloc.__file__) those of this module itself.
    """

    def __init__(self, inclusive, filename_pattern,
                 # By default: every line, the newest frame, every domain.
                 lineno=None, all_frames=False, domain=None):
        BaseFilter.__init__(self, inclusive)
        self._filename_pattern = _normalize_filename(filename_pattern)
        self.lineno, self.all_frames = lineno, all_frames
        self.domain = domain

    @property
    def filename_pattern(self):
        """The pattern as it is compared (str)."""
        return self._filename_pattern

    def _names(self, filename, lineno):
        if not fnmatch.fnmatch(_normalize_filename(filename),
                               self._filename_pattern):
            return False
        return self.lineno is None or lineno == self.lineno

    def _names_any(self, frames):
        looked_at = frames if self.all_frames else (frames[0],)
        return any(self._names(*frame) for frame in looked_at)

    def _match_frame(self, filename, lineno):
        return self._verdict(self._names(filename, lineno))

    def _match_traceback(self, traceback):
        return self._verdict(self._names_any(traceback))

    def _match(self, trace):
        matches = self._names_any(trace[2])
        if self.domain is not None:
            matches = matches and trace[0] == self.domain
        return self._verdict(matches)


class DomainFilter(BaseFilter):
    """Select traces by address space.

    domain -- number of the address space; read-only
    """

    @property
    def domain(self):
        """Number of the address space (int)."""
        return self._domain

    def _match(self, trace):
        return self._verdict(trace[0] == self._domain)

    def __init__(self, inclusive, domain):
        BaseFilter.__init__(self, inclusive)
        self._domain = domain


class _Sieve:
    """All filters of one filter_traces() call, asked at once."""

    def __init__(self, filters):
        self._including = []
        self._excluding = []
        # Only our own classes are known to look at nothing but the domain and
        # the frames; then one answer serves all blocks that share both.
        self._answers = {}
        for each in filters:
            if each.inclusive:
                self._including.append(each)
            else:
                self._excluding.append(each)
            if type(each) not in (Filter, DomainFilter):
                self._answers = None

    def _ask(self, trace):
        if self._including:
            if not any(each._match(trace) for each in self._including):
                return False
        return all(each._match(trace) for each in self._excluding)

    def keeps(self, trace):
        if self._answers is None:
            return self._ask(trace)
        key = trace[0], id(trace[2])
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._ask(trace)
        return answer


# Snapshots


class Snapshot:
    """The blocks that were alive, and traced, at one moment.

    traces          -- sequence of Trace, in no particular order
    traceback_limit -- number of frames kept per trace at that moment

    Attributes that a program adds travel with the snapshot when it is dumped.
    A snapshot is independent of the tracer: it stays as it is when traces are
    cleared or tracing stops.  The constructor takes a list of raw traces.
    """

    def __init__(self, traces, traceback_limit):
        self.traces = _Traces(traces)
        self.traceback_limit = traceback_limit

    def filter_traces(self, filters):
        """Return a new Snapshot with the traces that *filters* let through.

        *filters* is an iterable of Filter and DomainFilter.  If there are
        inclusive ones, a trace has to match at least one of them; it must
        match none of the others.  No filter at all gives a copy.

        Time: O(blocks), matching names once per domain and call path.
        Raises TypeError if *filters* cannot be iterated over.
        """
        if not isinstance(filters, Iterable):
            kind = type(filters).__name__
            raise TypeError(f"filters must be a list of filters, not {kind}")
        keeps = _Sieve(filters).keeps
        kept = [trace for trace in self.traces._traces if keeps(trace)]
        return Snapshot(kept, self.traceback_limit)

    def _group_by(self, key_type, cumulative):
        # `in` on a list and not on the table, since a wrong key type need
        # not be hashable.
        if key_type not in list(_GROUP_NAMES):
            raise ValueError(f"unknown key_type: {key_type!r}")
        if cumulative and key_type == "traceback":
            raise ValueError("cumulative mode cannot by used "
                             f"with key type {key_type!r}")
        return _add_up(self.traces._traces, _GROUP_NAMES[key_type],
                       _callers if cumulative else None)

    def statistics(self, key_type, cumulative=False):
        """Return a list of Statistic, one per group, the biggest first.

        *key_type* is 'filename', 'lineno' (file name and line number) or
        'traceback'.  The first two name a block by the line that allocated
        it; with *cumulative*, by every line on its call path, once per
        occurrence, so that sums exceed the total.

        The order is by size, then count, then traceback, all descending.
        Time: O(blocks), most of it in C, plus O(call paths) in Python.
        Raises ValueError for other key types and for cumulative 'traceback'.
        """
        result = [Statistic(Traceback(frames), size, count)
                  for frames, (size, count)
                  in self._group_by(key_type, cumulative).items()]
        result.sort(key=_rank, reverse=True)
        return result

    def compare_to(self, old_snapshot, key_type, cumulative=False):
        """Return a list of StatisticDiff, the biggest change first.

        Groups are those of statistics(); groups of either snapshot are listed,
        the unchanged ones too.  The order is by the absolute size_diff, then
        size, absolute count_diff, count and traceback, all descending.

        Time and errors are those of statistics(), for both snapshots.
        """
        new = self._group_by(key_type, cumulative)
        old = old_snapshot._group_by(key_type, cumulative)
        nothing = 0, 0
        result = []
        for frames in new | old:
            size, count = new.get(frames, nothing)
            old_size, old_count = old.get(frames, nothing)
            result.append(StatisticDiff(Traceback(frames),
                                        size, size - old_size,
                                        count, count - old_count))
        result.sort(key=_rank_of_change, reverse=True)
        return result

    def dump(self, filename):
        """Write the snapshot to a file, as a pickle.

        Raises OSError when the file cannot be written.
        """
        with open(filename, "wb") as stream:
            pickle.dump(self, stream, pickle.HIGHEST_PROTOCOL)

    @staticmethod
    def load(filename):
        """Return the snapshot that dump() wrote; tracing need not be on.

        Raises OSError when the file cannot be read and what pickle raises
        when it is not a pickle.  Loading a pickle can run any code: only load
        files that you trust.
        """
        with open(filename, "rb") as stream:
            return pickle.load(stream)


def get_object_traceback(obj):
    """Return the Traceback of the memory block of *obj*.

    None if tracing is off, or if the block was allocated before it began or
    is not a block of its own (static objects).  Only the block that holds the
    object itself counts, not what the object refers to.  O(frames).
    """
    frames = _get_object_traceback(obj)
    return None if frames is None else Traceback(frames)


def take_snapshot():
    """Return a Snapshot of all blocks allocated since start() and still alive.

    Time and memory: O(blocks).  Raises RuntimeError if tracing is off.
    """
    if not is_tracing():
        # Programs and tests know this text by heart.
        reason = "the tracemalloc module must be tracing memory allocations"
        raise RuntimeError(reason + " to take a snapshot")
    traces = _get_traces()
    return Snapshot(traces, get_traceback_limit())
