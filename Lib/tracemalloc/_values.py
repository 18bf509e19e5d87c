"""What snapshots are made of: frames, tracebacks and traces.

Their classes hold tuples that come from the C module _tracemalloc, and that
snapshots store:

    frame      (filename, line number)
    frames     (frame, ...), most recent call first
    raw trace  (domain, size, frames, total number of frames)

They pickle these as their only state, under fixed attribute names: snapshots
pickled by CPython 3.13 and by this module are interchangeable.  What a value
of a snapshot knows beyond that, it knows from the snapshot's columns.
"""

from collections.abc import Sequence
from functools import total_ordering
from itertools import repeat
from operator import eq

from tracemalloc._text import format_size, frame_lines

# What is defined here is the package's own, for programs, pickles and help().
__name__ = "tracemalloc"


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
                         range(len(self))[index], repeat(origin)))

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
            lines += frame_lines(frame, details)
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
        return f"{self.traceback}: {format_size(self.size, False)}"

    def __repr__(self):
        return (f"<Trace domain={self.domain} "
                f"size={format_size(self.size, False)}, "
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
            self._traces = self._blocks.as_list()
            return self._traces
        return super().__getattribute__(name)

    def __getstate__(self):
        state = dict(vars(self))
        if state.pop("_blocks", None) is not None:
            state["_traces"] = self._blocks.as_list()
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
        return len(mine) == len(others) and all(map(eq, mine, others))

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
