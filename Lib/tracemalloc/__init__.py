"""Where the memory of this process was allocated, and what changed since.

start() makes the interpreter remember, for every block that Python allocates
from then on, its size and the lines of code that asked for it.  A snapshot
freezes that record; its statistics rank files, lines or whole call paths, and
two snapshots can be compared:

    import tracemalloc

    tracemalloc.start(25)           # or: python -X tracemalloc=25 program.py
    ...
    snapshot = tracemalloc.take_snapshot()
    for stat in snapshot.statistics("lineno")[:10]:
        print(stat)
    snapshot.dump("app.tmz")        # for python -m tracemalloc top app.tmz

trace() measures the body of a with statement, watch() writes snapshots from a
thread, and `python -m tracemalloc run` traces a program as it is.

All sizes are exact numbers of bytes as the caller requested them, unless
samples are taken; what the allocator adds for alignment is not in them.  The
functions of this module may be called from any thread.  Value objects (Frame,
Traceback, Trace, Statistic, StatisticDiff) are read from any thread once
built.
"""

# Tuples that come from the C module _tracemalloc and that snapshots store:
#
#   frame      (filename, line number)
#   frames     (frame, ...), most recent call first
#   raw trace  (domain, size, frames, total number of frames)
#
# Classes pickle raw tuples as their only state, under fixed attribute names:
# snapshots pickled by CPython 3.13 and by this module are interchangeable.
# What a snapshot knows beyond that, it knows from its columns: see _columns.
#
# What takes, compares and writes snapshots is called by _quietly(), so that
# its memory is not the program's.  What the program gets, other than
# snapshots, is made outside of that; so are calls of code that may be the
# program's.

# Imported here and not on first use: an import that happens while tracing
# would show up in the program's own statistics.
import fnmatch
import linecache
import os.path
from collections.abc import Iterable, Sequence
from functools import total_ordering
from itertools import repeat as _repeat
from operator import eq as _eq

import _tracemalloc
from _tracemalloc import (
    _get_object_details, _get_object_traceback, _get_traces, _quietly,
    clear_traces, get_sample_interval, get_traceback_limit, get_traced_memory,
    get_tracemalloc_memory, is_tracing, reset_peak, start, stop)

# Under names that completion does not offer, like all that is not public and
# that CPython's module does not have.
from tracemalloc import _columns, _groups, _metadata
from tracemalloc._text import (
    average_text as _average_text, format_size as _format_size,
    frame_lines as _frame_lines)
from tracemalloc._version import VERSION as __version__

__all__ = [
    "BaseFilter", "DomainFilter", "Filter", "Frame", "Snapshot",
    "SnapshotFormatError", "Statistic", "StatisticDiff", "Trace", "Traceback",
    "clear_traces", "get_object_traceback", "get_sample_interval",
    "get_traceback_limit", "get_traced_memory", "get_tracemalloc_memory",
    "is_tracing", "reset_peak", "start", "stop", "take_peak_snapshot",
    "take_snapshot", "trace", "watch",
]


# Values


class _Value:
    """Compares and hashes by what _key() returns.

    Values are equal to values of the same family only: of the class that is
    derived from this one directly, or of its subclasses.

    _origin says where a value of a snapshot can look up more about itself,
    _source where it gets its frames from when they are asked for.  Both take
    no part in comparison and pickles.
    """

    __slots__ = ("_origin", "_source")

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

    def __getstate__(self):
        state = super().__getstate__()
        if isinstance(state, tuple):
            state[1].pop("_origin", None)
            state[1].pop("_source", None)
        return state


@total_ordering
class Frame(_Value):
    """One line of code in a call path.

    Frames are hashable; they are equal and ordered by file name, then line.

    In statistics by function, module, thread or domain, a frame stands for
    such a thing as a whole: its name is the file name, and the line 0.
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

    def _detail(self, item):
        origin = getattr(self, "_origin", None)
        if origin is None:
            return None
        owner, *key = origin
        return owner.frame_details(*key)[item]

    @property
    def function(self):
        """Qualified name of the function (str), or None if not known."""
        name = self._frame[2:]
        return (name[0] or None) if name else self._detail(0)

    @property
    def end_lineno(self):
        """Line where the allocating expression ends (int), or None.

        Known, like the columns, of the frame that allocated only.
        """
        return self._detail(1)

    @property
    def column(self):
        """Where the allocating expression begins in its line, or None.

        In bytes of UTF-8, the first being 0, as co_positions() counts.
        """
        return self._detail(2)

    @property
    def end_column(self):
        """Behind the end of the expression in line end_lineno, or None."""
        return self._detail(3)

    def __lt__(self, other):
        if isinstance(other, Frame):
            return self._frame < other._frame
        return NotImplemented

    def __str__(self):
        name = self._frame[2:]
        if name:
            return f"{self.filename}:{name[0]}" if name[0] else self.filename
        return f"{self.filename}:{self.lineno}"

    def __repr__(self):
        name = "".join(f" function={name!r}" for name in self._frame[2:])
        return (f"<Frame filename={self.filename!r} lineno={self.lineno!r}"
                f"{name}>")


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

    @classmethod
    def _of(cls, owner, number, total_nframe=None):
        """Return one whose frames *owner* has under a number.

        They are not kept here: thousands of call paths can be long.
        """
        self = cls.__new__(cls)
        self._source = owner, number
        self._total_nframe = total_nframe
        return self

    def __getattr__(self, name):
        if name == "_frames":
            owner, number = self._source
            return owner.frames_of(number)
        return super().__getattribute__(name)

    def _key(self):
        return self._frames

    def __contains__(self, frame):
        return frame._frame in self._frames

    def __getitem__(self, index):
        found = self._frames[index]
        origin = getattr(self, "_origin", None)
        if not isinstance(index, slice):
            return self._make_frame(found, index, origin)
        return tuple(map(self._make_frame, found,
                         range(len(self))[index], _repeat(origin)))

    def _make_frame(self, raw, index, origin):
        frame = Frame(raw)
        if origin is not None:
            # Details are counted from the newest frame.
            newest = len(self) - 1
            frame._origin = (
                *origin, newest - index if index >= 0 else -1 - index)
        return frame

    def __len__(self):
        source = getattr(self, "_source", None)
        if source is not None:
            owner, number = source
            return owner.length(number)
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

    def format(self, limit=None, most_recent_first=False, *, details=False):
        """Return the call path as a list of lines without line ends.

        A frame gives '  File "NAME", line N' and, where linecache finds the
        source, the line itself, stripped and indented by four blanks.

        A positive *limit* keeps that many of the most recent frames; any
        other number is taken as the end of a slice, so that -1 leaves out the
        most recent frame and 0 everything.  Frames are listed from the oldest
        to the most recent unless *most_recent_first* is true.

        With *details*, ', in FUNCTION' is added where it is known, and a line
        of '^' under the part of the source line that allocated, unless that
        is the whole line.

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
            lines += _frame_lines(frame, details)
        return lines


class Trace(_Value):
    """One live block: its size and the call path that allocated it.

    Traces are hashable; they are equal when all they store is equal.
    """

    __slots__ = ("_trace",)

    def __init__(self, trace):
        self._trace = trace

    @classmethod
    def _of(cls, blocks, context, size):
        """Return that of a block in columns."""
        self = cls.__new__(cls)
        self._source = blocks, context, size
        return self

    def __getattr__(self, name):
        if name == "_trace":
            blocks, *block = self._source
            return blocks.raw(*block)
        return super().__getattribute__(name)

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
        source = getattr(self, "_source", None)
        return self._trace[1] if source is None else source[2]

    @property
    def traceback(self):
        """The call path, a Traceback made anew each time."""
        source = getattr(self, "_source", None)
        if source is None:
            return Traceback(*self._trace[2:])
        blocks, context, _ = source
        data = blocks.data
        traceback = Traceback._of(blocks, context,
                                  data.context_depth[context] or None)
        traceback._origin = data, context
        return traceback

    def __str__(self):
        return f"{self.traceback}: {_format_size(self.size, False)}"

    def __repr__(self):
        return (f"<Trace domain={self.domain} "
                f"size={_format_size(self.size, False)}, "
                f"traceback={self.traceback!r}>")


class _Traces(_Value, Sequence):
    """Sequence of Trace over a list of raw traces; a slice is a tuple.

    The list is made of a snapshot's blocks when somebody wants it as such;
    what can be had without it is.
    """

    # No __slots__: the list has to stay in __dict__, where the pickles of
    # other interpreters have it.

    __hash__ = None

    _blocks = None

    def __init__(self, traces):
        self._traces = traces

    @classmethod
    def _of(cls, blocks):
        self = cls.__new__(cls)
        self._blocks = blocks
        return self

    def __getattr__(self, name):
        if name == "_traces" and self._blocks is not None:
            self._traces = list(self._blocks)
            return self._traces
        return super().__getattribute__(name)

    def __getstate__(self):
        state = dict(vars(self))
        if state.pop("_blocks", None) is not None:
            state["_traces"] = list(self._blocks)
        return state

    def __deepcopy__(self, memo):
        from copy import deepcopy

        if self._blocks is None:
            return _Traces(deepcopy(self._traces, memo))
        # Nobody can change columns, so that copies can share them.
        return _Traces._of(self._blocks)

    @property
    def _data(self):
        return None if self._blocks is None else self._blocks.data

    @property
    def _limit(self):
        return self._blocks.limit

    def _raw(self):
        """Return an iterable of raw traces."""
        return self._traces if self._blocks is None else self._blocks

    def _trace_at(self, index):
        return Trace._of(self._blocks, *self._blocks.at(index))

    def __eq__(self, other):
        if not isinstance(other, _Traces):
            return NotImplemented
        mine, others = self._raw(), other._raw()
        if self._blocks is None and other._blocks is None:
            return mine == others
        return len(mine) == len(others) and all(map(_eq, mine, others))

    def __contains__(self, trace):
        return trace._trace in self._raw()

    def __getitem__(self, index):
        if self._blocks is None:
            found = self._traces[index]
            if isinstance(index, slice):
                return tuple(map(Trace, found))
            return Trace(found)
        try:
            indexes = range(len(self))[index]
        except IndexError:
            raise IndexError("list index out of range") from None
        if isinstance(index, slice):
            return tuple(map(self._trace_at, indexes))
        return self._trace_at(indexes)

    def __iter__(self):
        if self._blocks is None:
            yield from map(Trace, self._traces)
            return
        for context, size, number in zip(*self._blocks.columns()):
            for _ in range(number):
                yield Trace._of(self._blocks, context, size)

    def __len__(self):
        return len(self._raw())

    def __repr__(self):
        if self._blocks is not None and not self._blocks.known():
            return "<Traces at the peak>"
        return f"<Traces len={len(self)}>"


# Statistics


class _Figures(_Value):
    """What statistics in columns know besides size and count."""

    __slots__ = ()

    def _figure(self, name):
        origin = getattr(self, "_origin", None)
        if origin is None:
            return None
        groups, number = origin
        figures = _quietly(groups.figure, name)
        return None if figures is None else figures[number]

    def _about(self):
        """Return what marks an estimate, or nothing."""
        origin = getattr(self, "_origin", None)
        return "" if origin is None or origin[0].interval is None else "~"


def _figure(name, text):
    return property(lambda self: self._figure(name), doc=text)


class Statistic(_Figures):
    """Live memory of one group of blocks.

    traceback -- the group's name: a Traceback; of one frame when grouped by
                 line, of one frame at line 0 when grouped by file
    size      -- bytes in use by the group
    count     -- number of blocks

    The other figures are None if the snapshot does not tell them, as one that
    was pickled.  Looking at one of them first takes O(contexts), for the whole
    list of statistics.
    """

    __slots__ = ("traceback", "size", "count")

    # Not f-strings: whatever number a program stores prints as an integer.
    _REPR = "<Statistic traceback=%r size=%i count=%i>"

    def __init__(self, traceback, size, count):
        self.traceback, self.size, self.count = traceback, size, count

    def _key(self):
        return self.traceback, self.size, self.count

    allocated_size = _figure(
        "allocated_size", "Bytes allocated since tracing began, or None.")
    allocated_count = _figure(
        "allocated_count", "Blocks allocated since tracing began, or None.")
    freed_size = _figure(
        "freed_size", "Bytes of these that were freed again, or None.")
    freed_count = _figure(
        "freed_count", "Blocks of these that were freed again, or None.")
    peak_size = _figure(
        "peak_size", "Bytes in use when traced memory was highest, or None.")
    peak_count = _figure(
        "peak_count", "Blocks in use when traced memory was highest, or None.")
    size_error = _figure(
        "size_error", "Standard error of size if it is estimated, or None.")
    count_error = _figure(
        "count_error", "Standard error of count if it is estimated, or None.")

    def __str__(self):
        about = self._about()
        size = _format_size(self.size, False)
        count = "%i%s" % (self.count, _average_text(self.size, self.count))
        return f"{self.traceback}: size={about}{size}, count={about}{count}"

    def __repr__(self):
        return self._REPR % self._key()


class StatisticDiff(_Figures):
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

    # Known of snapshots that the same process took in this order, with tracing
    # on all the time.
    allocated_size = _figure(
        "allocated_size", "Bytes allocated between the snapshots, or None.")
    allocated_count = _figure(
        "allocated_count", "Blocks allocated between the snapshots, or None.")
    freed_size = _figure(
        "freed_size", "Bytes freed between the snapshots, or None.")
    freed_count = _figure(
        "freed_count", "Blocks freed between the snapshots, or None.")

    def __str__(self):
        about = self._about()
        size = _format_size(self.size, False)
        size_diff = _format_size(self.size_diff, True)
        count = "%i (%+i)%s" % (self.count, self.count_diff,
                                _average_text(self.size, self.count))
        return (f"{self.traceback}: size={about}{size} ({size_diff}), "
                f"count={about}{count}")

    def __repr__(self):
        return self._REPR % self._key()


# Filters


def _normalize_filename(filename):
    """Return the name as filters compare it: system's case, .pyc as .py."""
    filename = os.path.normcase(filename)
    return filename[:-1] if filename.endswith(".pyc") else filename


# The name of this module stands for all files of the package in filters.
_OWN_FILE = _normalize_filename(__file__)
_OWN_FOLDER = os.path.join(os.path.dirname(_OWN_FILE), "")


class BaseFilter:
    """What filters have in common.

    inclusive -- true to keep only the traces that match, false to drop them

    A class of one's own defines _match(raw_trace), which says whether the
    trace may stay as far as this filter is concerned.
    """

    def __init__(self, inclusive):
        self.inclusive = inclusive

    def _result(self, matches):
        """Return whether a trace may stay that matches, or does not."""
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

    _by_context = True

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

    def _names_file(self, filename):
        pattern = self._filename_pattern
        filename = _normalize_filename(filename)
        return (fnmatch.fnmatch(filename, pattern)
                or pattern == _OWN_FILE and filename.startswith(_OWN_FOLDER))

    def _names(self, filename, lineno):
        if not self._names_file(filename):
            return False
        return self.lineno is None or lineno == self.lineno

    def _names_any(self, frames):
        looked_at = frames if self.all_frames else (frames[0],)
        return any(self._names(*frame) for frame in looked_at)

    def _match_contexts(self, data, limit):
        matches = _groups.matching(data, self._names_file, self.lineno,
                                   self.all_frames, limit)
        if self.domain is not None:
            matches = [match and domain == self.domain for match, domain
                       in zip(matches, data.context_domain)]
        return list(map(self._result, matches))

    def _match_frame(self, filename, lineno):
        return self._result(self._names(filename, lineno))

    def _match_traceback(self, traceback):
        return self._result(self._names_any(traceback))

    def _match(self, trace):
        matches = self._names_any(trace[2])
        if self.domain is not None:
            matches = matches and trace[0] == self.domain
        return self._result(matches)


class DomainFilter(BaseFilter):
    """Select traces by address space.

    domain -- number of the address space; read-only
    """

    _by_context = True

    @property
    def domain(self):
        """Number of the address space (int)."""
        return self._domain

    def _match(self, trace):
        return self._result(trace[0] == self._domain)

    def _match_contexts(self, data, limit):
        return [self._result(domain == self._domain)
                for domain in data.context_domain]

    def __init__(self, inclusive, domain):
        BaseFilter.__init__(self, inclusive)
        self._domain = domain


# Snapshots


def _unknown_key_type(key_type):
    """Return the error; its text is CPython's, the choices are a note."""
    error = ValueError(f"unknown key_type: {key_type!r}")
    choices = ", ".join(map(repr, _groups.KEY_TYPES))
    # What the command line calls so, and what 2013 did.
    meant = {"line": "lineno", "file": "filename"}.get(
        key_type if isinstance(key_type, str) else None)
    hint = f" (did you mean {meant!r}?)" if meant else ""
    error.add_note(f"key_type is one of {choices}{hint}")
    return error


def _named(groups, number):
    """Return the Traceback that names a group."""
    name = groups.names[number]
    if groups.call_paths is None:
        return Traceback(name)
    return Traceback._of(groups.call_paths, name)


def _statistic(groups, size, count, number):
    """Return a row of _groups.ranking() as an object."""
    stat = Statistic(_named(groups, number), size, count)
    if groups.tells_more:
        stat._origin = stat.traceback._origin = groups, number
    return stat


class Snapshot:
    """The blocks that were alive, and traced, at one moment.

    traces          -- sequence of Trace, in no particular order
    traceback_limit -- number of frames kept per trace at that moment
    metadata        -- dict that tells of the process and the moment; empty if
                       that was not recorded

    Attributes that a program adds travel with the snapshot when it is dumped.
    A snapshot is independent of the tracer: it stays as it is when traces are
    cleared or tracing stops.  The constructor takes a list of raw traces.
    """

    def __init__(self, traces, traceback_limit):
        self.traces = _Traces(traces)
        self.traceback_limit = traceback_limit
        self.metadata = {}

    @classmethod
    def _of(cls, data, limit, metadata):
        """Return the snapshot with these data."""
        self = cls([], limit)
        self.traces = _Traces._of(_columns.Blocks(data, limit))
        self.metadata = metadata
        return self

    def __getstate__(self):
        # Not if there is nothing to tell: such a pickle is that of CPython.
        return {name: value for name, value in vars(self).items()
                if name != "metadata" or value}

    def __setstate__(self, state):
        self.metadata = {}
        vars(self).update(state)

    def filter_traces(self, filters):
        """Return a new Snapshot with the traces that *filters* let through.

        *filters* is an iterable of Filter and DomainFilter.  If there are
        inclusive ones, a trace has to match at least one of them; it must
        match none of the others.  No filter at all gives a copy.

        Time: O(contexts), matching names once per line.  O(blocks) if there
        are filters of other classes, or if the snapshot was pickled.
        Raises TypeError if *filters* cannot be iterated over.
        """
        if not isinstance(filters, Iterable):
            kind = type(filters).__name__
            raise TypeError(f"filters must be a list of filters, not {kind}")
        filter_set = _groups.FilterSet(filters)
        blocks = self.traces._blocks
        if blocks is not None and filter_set.by_context:
            selectors = filter_set.selectors(blocks.data, blocks.limit)
            result = Snapshot._of(blocks.data.keep(selectors),
                                  blocks.limit, {})
            result.traceback_limit = self.traceback_limit
        else:
            kept = list(filter(filter_set.keeps, self.traces._raw()))
            result = Snapshot(kept, self.traceback_limit)
        result.metadata = dict(self.metadata)
        return result

    def _group_by(self, key_type, cumulative, like=None):
        """Return the groups; named as those in *like*, if possible."""
        # `in` on a list and not on a set, since a wrong key type need not be
        # hashable.
        if key_type not in list(_groups.KEY_TYPES):
            raise _unknown_key_type(key_type)
        if cumulative and key_type not in _groups.CUMULATIVE:
            raise ValueError("cumulative mode cannot by used "
                             f"with key type {key_type!r}")
        blocks = self.traces._blocks
        if blocks is None:
            raw = self.traces._traces
            if (key_type in _groups.RAW_KEY_TYPES
                    and self.metadata.get("sample_interval") is None):
                return _groups.RawGroups(raw, key_type, cumulative)
            # All the frames count that there are.
            blocks = _columns.Blocks(_columns.SnapshotData.from_raw(raw),
                                     _columns.MAX_DEPTH)
        paths = getattr(like, "call_paths", None)
        if paths is not None and paths.limit != blocks.limit:
            paths = None
        return _groups.Groups(blocks.data, key_type, cumulative,
                              blocks.limit, self.metadata, paths)

    def statistics(self, key_type, cumulative=False, *, sort_by="size"):
        """Return a list of Statistic, one per group, the biggest first.

        *key_type* is one of

            'filename'
            'lineno'      file name and line number
            'traceback'
            'function'    file name and qualified name; just the file name if
                          the snapshot does not tell functions
            'module'      top-level package, told from the file name
            'thread'      name of the thread that allocated
            'domain'      address space

        Blocks are named by the line that allocated them; with *cumulative*,
        for the key types where it makes sense ('filename', 'lineno',
        'function', 'module'), by every line on the call path, so that sums
        exceed the total.  By file and line a block counts once per occurrence
        on its path, by function and module once at most.

        *sort_by* is 'size', 'count' or another figure of Statistic, or
        'temporary', which is the number of blocks freed again.  With one of
        the latter, groups without live blocks are listed too, as far as the
        figure is not 0.  Ties are sorted by size, then count, then traceback;
        all descending.

        Time: O(contexts).  For snapshots that were pickled it is O(blocks),
        most of it in C.  Raises ValueError for other key types, for
        cumulative ones that make no sense, and for figures that the snapshot
        does not tell.
        """
        groups, rows = _quietly(self._rank, key_type, cumulative, sort_by)
        return [_statistic(groups, *row) for row in rows]

    def _rank(self, key_type, cumulative, sort_by):
        return _groups.ranking(self._group_by(key_type, cumulative), sort_by)

    def compare_to(self, old_snapshot, key_type, cumulative=False, *,
                   sort_by="size"):
        """Return a list of StatisticDiff, the biggest change first.

        Groups are those of statistics(); groups of either snapshot are listed,
        the unchanged ones too.  *sort_by* is 'size' or 'count', for the
        absolute difference, or 'allocated_size', 'allocated_count',
        'freed_size', 'freed_count' or 'temporary', for what happened between
        the snapshots.  Ties are sorted by the absolute size_diff, then size,
        absolute count_diff, count and traceback; all descending.

        With one of the latter, groups that never had live blocks are listed
        too, as far as anything was allocated there in between.  Time and
        errors are those of statistics(), for both snapshots.
        """
        everything = not _groups.is_live_figure(sort_by)
        diffs = self._differences(old_snapshot, key_type, cumulative, sort_by,
                                  everything)
        if everything:
            diffs = [diff for diff in diffs if diff.count or diff.count_diff
                     or diff.allocated_count]
        return diffs

    def _differences(self, old_snapshot, key_type, cumulative, sort_by,
                     everything):
        changes, rows = _quietly(self._rank_changes, old_snapshot, key_type,
                                 cumulative, sort_by, everything)
        result = []
        for *figures, number in rows:
            diff = StatisticDiff(_named(changes, number), *figures)
            if changes.tells_more:
                diff._origin = diff.traceback._origin = changes, number
            result.append(diff)
        return result

    def _rank_changes(self, old_snapshot, key_type, cumulative, sort_by,
                      everything):
        groups = self._group_by(key_type, cumulative)
        changes = _groups.Changes(
            groups, old_snapshot._group_by(key_type, cumulative, groups),
            everything)
        return changes, changes.ranking(sort_by)

    def dump(self, filename, *, format=None):
        """Write the snapshot to a file, which appears only when complete.

        *format* is 'pickle', which any CPython from 3.9 on can load, or
        'compact', a smaller file that keeps all that this module knows, but
        of added attributes plain values only.  By default it is 'compact' if
        the name ends in '.tmz', else 'pickle'.

        Time: O(call paths and sizes that differ) for snapshots that
        take_snapshot() made.  Raises OSError when the file cannot be written,
        ValueError for other formats, and TypeError or what pickle raises for
        attributes that cannot be kept.
        """
        if not isinstance(filename, int):
            filename = os.fspath(filename)
        if _quietly(_is_plain, self):
            _quietly(_dump, self, filename, format)
        else:
            # The program's own code may have to be asked for what it added.
            _dump(self, filename, format)

    @staticmethod
    def load(filename, *, max_size=None):
        """Return the snapshot that a file holds; tracing need not be on.

        Knows what dump() writes, the pickles of other CPythons from 3.4 on,
        and files of the 2013 interface.  Nothing that a file names is run.
        Loading uses about *max_size* bytes of memory at most, 1 GiB unless
        told otherwise; a file that needs more is refused.

        Raises OSError when the file cannot be read, and SnapshotFormatError
        when it is no snapshot, damaged, too large or of a newer format.
        """
        from tracemalloc import _format

        return _format.load(filename, max_size)


_OWN_ATTRIBUTES = {"traces", "traceback_limit", "metadata"}


def _is_plain(snapshot):
    """Return whether a program has added nothing to a snapshot."""
    return (type(snapshot) is Snapshot
            and vars(snapshot).keys() <= _OWN_ATTRIBUTES)


def _dump(snapshot, filename, format):
    from tracemalloc import _format

    _format.dump(snapshot, filename, format)


def get_object_traceback(obj):
    """Return the Traceback of the memory block of *obj*.

    None if tracing is off, or if the block was allocated before it began or
    is not a block of its own (static objects).  Only the block that holds the
    object itself counts, not what the object refers to.  O(frames).
    """
    frames = _get_object_traceback(obj)
    if frames is None:
        return None
    traceback = Traceback(frames)
    details = _get_object_details(obj)
    if details is not None and len(details) == len(frames):
        traceback._origin = _Details, details
    return traceback


class _Details:
    """Stands for the data where details were looked up already."""

    @staticmethod
    def frame_details(details, index):
        return details[index]


def take_snapshot():
    """Return a Snapshot of all blocks allocated since start() and still alive.

    Time: O(contexts + blocks), in C, so that millions of blocks take
    milliseconds; the memory, which depends on the number of different sizes
    and call paths, is no part of traced memory, and in no other snapshot: two
    that are taken one after the other are equal.  Other threads wait for a
    part of that time.  Raises RuntimeError if tracing is off.
    """
    _require_tracing()
    if _get_traces is not _tracemalloc._get_traces:
        # Somebody supplies the traces, as tests do.
        return Snapshot(_get_traces(), get_traceback_limit())
    return _quietly(_snapshot, False)


def take_peak_snapshot():
    """Return a Snapshot of the moment when traced memory was highest.

    That is since start(), clear_traces() or reset_peak(), whichever was last.
    Sizes and counts of its statistics are those of that moment, and exact.
    Single blocks are not known: `traces` raises ValueError when it is used,
    and the snapshot cannot be pickled.

    Time: O(contexts).  Raises RuntimeError if tracing is off.
    """
    _require_tracing()
    return _quietly(_snapshot, True)


def _require_tracing():
    if not is_tracing():
        # Programs and tests know this text by heart.
        reason = "the tracemalloc module must be tracing memory allocations"
        raise RuntimeError(reason + " to take a snapshot")


def _snapshot(peak):
    # The copy comes first: what it takes to describe it is not in it.
    names = _metadata.thread_names()
    raw = _tracemalloc._take_snapshot(peak=peak, thread_names=names)
    limit = get_traceback_limit()
    return Snapshot._of(_columns.SnapshotData.wrap(raw), limit,
                        _metadata.describe(limit, raw))


def trace(nframe=1):
    """Return a region, to find out what a part of a program allocates.

        with tracemalloc.trace(25) as region:
            work()
        print(region)
        for stat in region.statistics("lineno")[:10]:
            print(stat)

    Begins to trace with *nframe* frames and stops at the end, unless tracing
    is on already: then it just goes on, with the frames that it has.  Regions
    may be nested, and may overlap in threads; each counts for the whole
    process.  The peak is reset when a region begins, see reset_peak().

    See the documentation, or help(type(region)), for what a region tells.
    Raises what start() raises, when the region begins.
    """
    from tracemalloc._region import Region

    return Region(nframe)


def watch(filename=None, *, interval=None, threshold=None, collect=True):
    """Write snapshots to files from a thread in the background.

        tracemalloc.watch("app-$pid-$counter.tmz", interval=60)

    *filename* is a template: $pid stands for the number of the process,
    $timestamp for the time and $counter for 0001, 0002 and so on.  The end of
    the name chooses the format, see Snapshot.dump().  By default the files
    are $pid-$counter.tmz in a new folder below that for temporary files, which
    only this user may look into: see the attributes filename and filenames.

    A snapshot is written every *interval* seconds, or when traced memory has
    grown or shrunk by *threshold* bytes since the last one, which is looked at
    once per second, or both.  If neither is given, the interval is one
    minute.  Garbage is collected first if *collect* is true.

    Returns an object with stop(), write(), filenames and error; see the
    documentation.  The thread never raises into the program.  Raises
    RuntimeError if tracing is off, ValueError for numbers that are not
    positive and for unknown variables, and OSError if there is no such
    folder, or no file can be written there.
    """
    from tracemalloc._watch import watch

    return watch(filename, interval=interval, threshold=threshold,
                 collect=collect)


def __getattr__(name):
    # Loaded on first use, as what reads and writes files is.
    if name == "SnapshotFormatError":
        from tracemalloc._unpickle import SnapshotFormatError as found
    elif name == "pickle":
        # Only those need it who look for it here, where it used to be.
        import pickle as found
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__():
    return sorted({*globals(), "SnapshotFormatError", "pickle"})
