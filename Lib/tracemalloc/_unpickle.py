"""Read pickles of snapshots as data.  Nothing that a pickle names is run.

The pickle module looks up what a file names and calls it.  The reader here
carries out the same instructions on plain values only.  The few names that it
knows stand for the classes of snapshots and for small values of the standard
library; any other name ends the reading.  So do instructions that no snapshot
needs, texts longer than the file, and objects that would take more memory
than allowed.

    bytes ──▶ Reader.load() ──▶ a plain value, or a snapshot's object

A stock snapshot has one instruction sequence per block.  The instructions that
make tuples are carried out in C, and blocks alike in size and call path share
one raw trace.

Always true:

    I1  objects of our classes are filled in once, with values that were
        checked, and none is handed out that was not filled in
    I2  a list that became part of a snapshot is not changed afterwards
    I3  keys of dictionaries and members of sets are scalars, or short tuples
        of scalars: hashing them is cheap and does not recurse
    I4  tuples nest at most _MAX_NESTING deep, since hash() of a tuple
        recurses without limit
"""

import pickle
import re
import struct
from itertools import repeat
from operator import is_, itemgetter

import _tracemalloc

_MAX_NESTING = 50
_MAX_KEY_ITEMS = 16
_MAX_NUMBER_BYTES = 1024
# How far a file may leave indexes of the memo unused: Python 2 begins with 1.
_MAX_MEMO_GAP = 256

_NO_VALUE = object()
_SCALARS = (str, int, float, bool, type(None), bytes)


class SnapshotFormatError(ValueError, pickle.UnpicklingError):
    """A file is no snapshot, or is damaged, too large, or of a newer format.

    The text is one line that says what the file is and what can be done.
    Files that cannot be read at all raise OSError.  For programs that catch
    what pickle raises, this is a pickle.UnpicklingError as well, and also an
    EOFError if the end of the file is missing.
    """


class _TruncatedError(SnapshotFormatError, EOFError):
    """The end of the file is missing."""


def truncated(what):
    return _TruncatedError(f"is {what}: it was cut off while it was written "
                           "or copied; get it again")


# What the command line says in its own words.
LARGER = "pass a larger max_size to Snapshot.load()"


def too_large(limit):
    return SnapshotFormatError(
        f"needs more than the {limit} bytes of memory that loading may take; "
        f"if you trust the file, {LARGER}")


class DraftMetric:
    """A metric in a file of the 2013 interface."""

    __slots__ = ("name", "value", "format")


class DraftSnapshot:
    """A whole snapshot object of the 2013 interface, as a pickle has it."""

    __slots__ = ("timestamp", "pid", "traceback_limit", "stats", "traces",
                 "metrics")


# Bytes of the cache of _tracemalloc._read_tuples(), at most, as a power of 2.
_CACHE_BITS = 22

_GET_AGAIN = {
    2: re.compile(rb"(h.)\1*+", re.DOTALL),
    5: re.compile(rb"(j....)\1*+", re.DOTALL),
}

_DOUBLE = struct.Struct(">d")


class _Name:
    """A name that a pickle gave, and what it stands for here."""

    __slots__ = ("text", "kind", "value")

    def __init__(self, text, kind, value):
        self.text, self.kind, self.value = text, kind, value


def _plain(value, *types):
    return type(value) in types


def _make_bytes(text, encoding="latin1"):
    # How protocols 0 to 2 write bytes.
    if encoding not in ("latin1", "latin-1"):
        raise ValueError
    return text.encode("latin-1")


def _make_time(kind):
    """Return a maker of what module datetime calls *kind*."""
    def make(*args):
        import datetime

        # State in bytes; Python 2 has it in a str.
        if args and type(args[0]) is str and kind != "timezone":
            args = (args[0].encode("utf-8", "surrogateescape"), *args[1:])
        simple = (bytes, int, datetime.timedelta, datetime.timezone)
        if kind == "timezone":
            simple += (str,)
        if not all(_plain(arg, *simple) for arg in args):
            raise ValueError
        return getattr(datetime, kind)(*args)
    return make


def _make_bytearray(data=b"", encoding="latin1"):
    if type(data) is str:
        data = _make_bytes(data, encoding)
    if type(data) is not bytes:
        raise ValueError
    return bytearray(data)


def _make_set(kind):
    def make(items=()):
        if not _plain(items, list, tuple):
            raise ValueError
        for item in items:
            check_key(item)
        return kind(items)
    return make


def _make_complex(real, imaginary):
    if not (_plain(real, float) and _plain(imaginary, float)):
        raise ValueError
    return complex(real, imaginary)


# Callables that a pickle may use; each is handed plain values only.
_MAKERS = {
    ("_codecs", "encode"): _make_bytes,
    ("builtins", "bytes"): lambda: b"",
    ("builtins", "bytearray"): _make_bytearray,
    ("builtins", "complex"): _make_complex,
    ("builtins", "frozenset"): _make_set(frozenset),
    ("builtins", "set"): _make_set(set),
    ("datetime", "date"): _make_time("date"),
    ("datetime", "datetime"): _make_time("datetime"),
    ("datetime", "time"): _make_time("time"),
    ("datetime", "timedelta"): _make_time("timedelta"),
    ("datetime", "timezone"): _make_time("timezone"),
}
_OLD_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


def check_key(key):
    """Raise SnapshotFormatError unless hashing *key* is cheap."""
    if type(key) in _SCALARS:
        return
    if (type(key) is tuple and len(key) <= _MAX_KEY_ITEMS
            and all(type(item) in _SCALARS for item in key)):
        return
    raise SnapshotFormatError("holds a dictionary or set with keys that no "
                              "snapshot has")


def _is_frame(frame):
    return (type(frame) is tuple and len(frame) == 2
            and type(frame[0]) is str and type(frame[1]) is int
            and -0x80000000 <= frame[1] < 0x80000000)


def _is_group(frame):
    # Statistics by function and the like have a third item, a text.
    if type(frame) is tuple and len(frame) == 3:
        return type(frame[2]) is str and _is_frame(frame[:2])
    return _is_frame(frame)


class Reader:
    """Reads the pickles in *data*, using at most about *limit* bytes.

    *spent* of these are used already, among them those of *data*.
    *classes* are the classes of snapshots by name.  Objects of Snapshot are
    given to `build_snapshot(snapshot, raw_traces, limit, attributes)`.
    """

    def __init__(self, data, limit, spent, classes, build_snapshot):
        self.data = data
        self.pos = 0
        self._limit = limit
        self._spent_before = spent
        self._build_snapshot = build_snapshot
        self._names = {("tracemalloc", name): _Name(name, "class", class_)
                       for name, class_ in classes.items()}
        fillers = {
            "Frame": self._fill_frame,
            "Snapshot": self._fill_snapshot,
            "Statistic": self._fill_numbers(("size", "count")),
            "StatisticDiff": self._fill_numbers(
                ("size", "size_diff", "count", "count_diff")),
            "Trace": self._fill_trace,
            "Traceback": self._fill_traceback,
            "_Traces": self._fill_traces,
        }
        self._fillers = {class_: fillers[name]
                         for name, class_ in classes.items()}
        self._fillers[DraftMetric] = self._fill_draft
        self._fillers[DraftSnapshot] = self._fill_draft
        self._checked_frames = {}

    def load(self):
        """Return the next pickle's value, and go to its end."""
        self._memo = []
        self._cache = bytearray(
            1 << min(_CACHE_BITS, len(self.data).bit_length()))
        self._marks = []
        self._stack = []
        self._spent = self._spent_before
        self._empty = {}        # I1: id -> object that is not filled in yet
        self._part_of = {}      # I2: id -> list that belongs to a snapshot
        self._nesting = {}      # I4: id -> (tuple of tuples, nesting)
        self._checked_frames.clear()
        data, handlers = self.data, _HANDLERS
        try:
            while True:
                op = data[self.pos]
                self.pos += 1
                if op == 0x2e:  # STOP
                    break
                self._spent += 48
                if self._spent > self._limit:
                    raise too_large(self._limit)
                handler = handlers.get(op)
                if handler is None:
                    raise SnapshotFormatError(
                        "is no pickle of a snapshot: it has the instruction "
                        f"0x{op:02x} at byte {self.pos - 1}, which none has")
                handler(self)
            value, = self._stack
        except SnapshotFormatError:
            raise
        except IndexError:
            if self.pos >= len(data):
                raise truncated("a pickle that ends too early") from None
            raise self._damaged() from None
        except (ValueError, TypeError, AttributeError, KeyError,
                OverflowError, struct.error):
            raise self._damaged() from None
        if self._marks or self._empty:
            raise self._damaged()
        return value

    def _damaged(self):
        return SnapshotFormatError(
            f"is a damaged pickle: what stands before byte {self.pos} makes "
            "no sense; get the file again")

    def _spend(self, size):
        self._spent += size
        if self._spent > self._limit:
            raise too_large(self._limit)

    # Reading the file

    def _take(self, size):
        start = self.pos
        end = start + size
        if end > len(self.data):
            raise truncated("a pickle that ends too early")
        self.pos = end
        return self.data[start:end]

    def _number(self, size, signed=False):
        return int.from_bytes(self._take(size), "little", signed=signed)

    def _line(self):
        end = self.data.find(b"\n", self.pos)
        if end < 0:
            raise truncated("a pickle that ends too early")
        line = self.data[self.pos:end]
        self.pos = end + 1
        return line

    def _number_in_line(self):
        line = self._line()
        if len(line) > _MAX_NUMBER_BYTES:
            raise self._damaged()
        return int(line.removesuffix(b"L"))

    def _index_in_line(self):
        index = self._number_in_line()
        if index < 0:
            raise self._damaged()
        return index

    def _push_sized(self, size_bytes, convert):
        size = self._number(size_bytes)
        if size > len(self.data) - self.pos:
            raise truncated("a pickle that ends too early")
        self._spend(2 * size)
        self._stack.append(convert(self._take(size)))

    def _push_long(self, size):
        if size > _MAX_NUMBER_BYTES:
            raise self._damaged()
        self._stack.append(self._number(size, signed=True))

    # The memo

    def _in_memo(self, index):
        value = self._memo[index] if index < len(self._memo) else _NO_VALUE
        if value is _NO_VALUE:
            raise self._damaged()
        return value

    def _get(self, index, width):
        value = self._in_memo(index)
        self._stack.append(value)
        self._get_again(value, width)

    def _get_again(self, value, width):
        # The same instruction over and over: blocks that are alike.
        pos = self.pos
        if self.data[pos - width:pos] == self.data[pos:pos + width]:
            end = _GET_AGAIN[width].match(self.data, pos).end()
            number = (end - pos) // width
            self._spend(8 * number)
            self._stack.extend(repeat(value, number))
            self.pos = end

    def _put(self, index):
        self._put_value(index, self._stack[-1])

    def _put_value(self, index, value):
        memo = self._memo
        if index == len(memo):
            memo.append(value)
        elif index < len(memo):
            memo[index] = value
            # What was made of what stood there, is not what is made of this.
            self._cache = bytearray()
        elif index < len(memo) + _MAX_MEMO_GAP:
            memo.extend(repeat(_NO_VALUE, index - len(memo)))
            memo.append(value)
        else:
            raise self._damaged()

    # Containers

    def _mark(self):
        # Tuples are what most of a snapshot is made of.
        self.pos -= 1
        before = self.pos
        self.pos, self._stack, left = _tracemalloc._read_tuples(
            self.data, self.pos, self._stack, self._marks, self._memo,
            self._nesting, _NO_VALUE, self._cache, self._limit - self._spent)
        self._spent = self._limit - left
        if self.pos == before:
            raise too_large(self._limit)

    def _pop_mark(self):
        items = self._stack
        self._stack = self._marks.pop()
        return items

    def _push_tuple(self, items):
        self._spend(8 * len(items))
        self._note_nesting(items)
        self._stack.append(items)

    def _nesting_of(self, item):
        if type(item) is not tuple:
            return 0
        known = self._nesting.get(id(item))
        if known is not None:
            return known[1]
        # Of tuples that are read in C, raw traces are not noted.
        is_trace = len(item) <= 4 and any(type(each) is tuple for each in item)
        return 3 if is_trace else 1

    def _note_nesting(self, items):
        nesting = max(map(self._nesting_of, items), default=0)
        if nesting:
            if nesting >= _MAX_NESTING:
                raise SnapshotFormatError(
                    "holds tuples in tuples, deeper than any snapshot has")
            # With the tuple itself, so that its id stays its own.
            self._nesting[id(items)] = items, nesting + 1
            self._spend(150)

    def _push_short_tuple(self, size):
        items = tuple(self._stack[-size:])
        if len(items) < size:
            raise self._damaged()
        del self._stack[-size:]
        self._push_tuple(items)

    def _extend(self, items):
        target = self._stack[-1]
        if type(target) is not list or id(target) in self._part_of:
            raise self._damaged()
        self._spend(8 * len(items))
        target += items

    def _update(self, items):
        target = self._stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise self._damaged()
        self._spend(60 * len(items))
        for key in items[::2]:
            check_key(key)
        target.update(zip(items[::2], items[1::2]))

    def _add(self, items):
        target = self._stack[-1]
        if type(target) is not set:
            raise self._damaged()
        self._push_set(set, items)
        target |= self._stack.pop()

    def _push_set(self, kind, items):
        self._spend(80 * len(items))
        for item in items:
            check_key(item)
        self._stack.append(kind(items))

    def _set_one(self):
        value = self._stack.pop()
        key = self._stack.pop()
        self._update([key, value])

    # Names and what is made of them

    def _push_name(self, module, name):
        if not (type(module) is str and type(name) is str):
            raise self._damaged()
        module = _OLD_MODULES.get(module, module)
        key = module, name
        if key not in self._names:
            self._names[key] = self._find(module, name)
        self._stack.append(self._names[key])

    @staticmethod
    def _find(module, name):
        text = f"{module}.{name}"
        if (module, name) in _MAKERS:
            return _Name(text, "maker", _MAKERS[module, name])
        if text in ("copyreg._reconstructor", "builtins.object"):
            return _Name(text, text, None)
        if module.partition(".")[0] in ("pytracemalloc", "tracemalloc"):
            draft = {"Metric": DraftMetric, "Snapshot": DraftSnapshot}
            if name in draft:
                return _Name(text, "class", draft[name])
        shown = text if text.isprintable() and len(text) < 80 else ascii(text)
        raise SnapshotFormatError(
            f"is a pickle that asks for {shown[:80]}, which is not part of a "
            "snapshot and was not run; if you trust the file, use "
            "pickle.load()")

    def _reduce(self):
        args = self._stack.pop()
        name = self._stack.pop()
        if type(args) is not tuple or type(name) is not _Name:
            raise self._damaged()
        if name.kind == "maker":
            # Each time, what it makes may be as large as what it is given.
            self._spend(100 + 80 * sum(len(arg) for arg in args
                                       if hasattr(arg, "__len__")))
            self._stack.append(name.value(*args))
        elif name.kind == "copyreg._reconstructor":
            # How protocols 0 and 1 begin an object.
            class_, base, state = args
            if state is not None or base.kind != "builtins.object":
                raise self._damaged()
            self._new(class_, ())
        else:
            raise self._damaged()

    def _new(self, name, args):
        if type(name) is not _Name or name.kind != "class" or args != ():
            raise self._damaged()
        self._spend(100)
        made = object.__new__(name.value)
        self._empty[id(made)] = made
        self._stack.append(made)

    def _build(self):
        state = self._stack.pop()
        made = self._stack[-1]
        if self._empty.pop(id(made), None) is None:
            raise self._damaged()
        # A dictionary, or a pair of one and of what __slots__ name.
        parts = state if type(state) is tuple else (state,)
        attributes = {}
        for part in parts:
            if part is not None:
                if type(part) is not dict:
                    raise self._damaged()
                self._spend(100 * len(part))
                attributes |= part
        for name in attributes:
            if type(name) is not str:
                raise self._damaged()
        self._fillers[type(made)](made, attributes)

    def _finished(self, value, class_):
        return type(value) is class_ and id(value) not in self._empty

    def _class(self, name):
        return self._names["tracemalloc", name].value

    # What is in the objects of snapshots

    def _check_frames(self, frames):
        if id(frames) not in self._checked_frames:
            if type(frames) is not tuple or not all(map(_is_frame, frames)):
                raise self._damaged()
            self._checked_frames[id(frames)] = frames

    def _check_trace(self, trace):
        """Return the raw trace in today's form."""
        if type(trace) is not tuple or not 2 <= len(trace) <= 4:
            raise self._damaged()
        if len(trace) == 2:     # Python 3.4 and 3.5 know no domains.
            trace = 0, *trace
        if trace[2] == ():
            trace = *trace[:2], (("<unknown>", 0),), *trace[3:]
        domain, size, frames, *total = trace
        self._check_frames(frames)
        total = total[0] if total else None
        if not (type(domain) is int and 0 <= domain < 1 << 32
                and type(size) is int and 0 <= size < 1 << 64
                and (total is None
                     or type(total) is int and 0 <= total < 1 << 32)):
            raise self._damaged()
        return trace

    def _are_plain(self, traces):
        """Whether all traces are of today's form; else look at each."""
        found = _tracemalloc._sum_traces(traces)
        return found is not None and found[3]

    def _spend_contexts(self, traces):
        """Count the frames that contexts share with others.

        Whatever shows contexts one by one takes all frames of each.
        """
        longest = max(map(len, map(itemgetter(2), traces)), default=0)
        if 8 * longest * len(traces) <= self._limit - self._spent:
            return
        contexts = {(trace[0], id(trace[2]), trace[3:]): len(trace[2])
                    for trace in traces}
        shared = {id(trace[2]): len(trace[2]) for trace in traces}
        self._spend(8 * (sum(contexts.values()) - sum(shared.values())))

    def _fill_traces(self, made, attributes):
        traces = attributes.pop("_traces")
        # A snapshot that was made by hand may have a tuple.
        if attributes or not _plain(traces, list, tuple):
            raise self._damaged()
        self._part_of[id(traces)] = traces
        self._spend(8 * len(traces))
        if self._are_plain(traces):
            self._spend_contexts(traces)
            made.__init__(traces)
            return
        by_id = dict(zip(map(id, traces), traces))
        checked = list(map(self._check_trace, by_id.values()))
        self._spend_contexts(checked)
        if not all(map(is_, checked, by_id.values())):
            checked = dict(zip(by_id, checked))
            traces = [checked[id(trace)] for trace in traces]
        made.__init__(traces)

    def _fill_snapshot(self, made, attributes):
        if "stats" in attributes:
            # The draft's class had the same name.
            raise SnapshotFormatError(
                "is a snapshot object of the 2013 interface; load it with "
                "pytracemalloc.Snapshot.load()")
        traces = attributes.pop("traces")
        limit = attributes.pop("traceback_limit")
        if (not self._finished(traces, self._class("_Traces"))
                or type(limit) is not int):
            raise self._damaged()
        self._spend(8 * len(traces))
        self._build_snapshot(made, traces._traces, limit, attributes)

    def _fill_trace(self, made, attributes):
        made.__init__(self._check_trace(attributes.pop("_trace")))
        self._nothing_left(attributes)

    def _fill_traceback(self, made, attributes):
        frames = attributes.pop("_frames")
        total = attributes.pop("_total_nframe", None)
        if (type(frames) is not tuple or not all(map(_is_group, frames))
                or not _plain(total, int, type(None))):
            raise self._damaged()
        made.__init__(frames[::-1], total)
        self._nothing_left(attributes)

    def _fill_frame(self, made, attributes):
        frame = attributes.pop("_frame")
        if not _is_group(frame):
            raise self._damaged()
        made.__init__(frame)
        self._nothing_left(attributes)

    def _fill_numbers(self, names):
        def fill(made, attributes):
            traceback = attributes.pop("traceback")
            if not self._finished(traceback, self._class("Traceback")):
                raise self._damaged()
            numbers = [attributes.pop(name) for name in names]
            for value in [*numbers, *attributes.values()]:
                if not _plain(value, int, float, type(None)):
                    raise self._damaged()
            made.__init__(traceback, *numbers)
            for name, value in attributes.items():
                setattr(made, name, value)
        return fill

    def _fill_draft(self, made, attributes):
        for name, value in attributes.items():
            setattr(made, name, value)

    def _nothing_left(self, attributes):
        if attributes:
            raise self._damaged()


def _text(data):
    return str(data, "utf-8", "surrogatepass")


def _old_text(data):
    # A str of Python 2: bytes, that can be had back from this.
    return str(data, "utf-8", "surrogateescape")


def _push(value):
    return lambda reader: reader._stack.append(value)


def _push_new(kind):
    def push(reader):
        reader._spend(200)
        reader._stack.append(kind())
    return push


def _proto(reader):
    version = reader._number(1)
    if version > 5:
        raise SnapshotFormatError(
            f"is a pickle of protocol {version}; this interpreter reads up to "
            "5: load it with the Python that wrote it")


def _frame(reader):
    if reader._number(8) > len(reader.data) - reader.pos:
        raise truncated("a pickle that ends too early")


def _pop(reader):
    if reader._stack:
        reader._stack.pop()
    else:
        reader._pop_mark()


def _int_line(reader):
    flag = {b"00\n": False, b"01\n": True}.get(
        reader.data[reader.pos:reader.pos + 3])
    number = reader._number_in_line()
    reader._stack.append(number if flag is None else flag)


def _quoted_line(reader):
    from _codecs import escape_decode

    line = reader._line()
    if len(line) < 2 or line[0] != line[-1] or line[0] not in b"'\"":
        raise reader._damaged()
    reader._spend(2 * len(line))
    reader._stack.append(_old_text(escape_decode(line[1:-1])[0]))


def _unicode_line(reader):
    line = reader._line()
    reader._spend(4 * len(line))
    reader._stack.append(str(line, "raw-unicode-escape"))


def _stack_global(reader):
    name = reader._stack.pop()
    module = reader._stack.pop()
    reader._push_name(module, name)


def _new_object(reader):
    args = reader._stack.pop()
    name = reader._stack.pop()
    reader._new(name, args)


def _list(reader):
    items = reader._pop_mark()
    reader._stack.append(items)


def _dict(reader):
    items = reader._pop_mark()
    _push_new(dict)(reader)
    reader._update(items)


_HANDLERS = {
    # Around everything, and the stack
    0x80: _proto,
    0x95: _frame,
    ord("("): Reader._mark,
    ord("0"): _pop,
    ord("1"): Reader._pop_mark,
    ord("2"): lambda r: r._stack.append(r._stack[-1]),
    # Scalars
    ord("N"): _push(None),
    0x88: _push(True),
    0x89: _push(False),
    ord("I"): _int_line,
    ord("L"): lambda r: r._stack.append(r._number_in_line()),
    ord("F"): lambda r: r._stack.append(float(r._line())),
    ord("J"): lambda r: r._stack.append(r._number(4, True)),
    ord("K"): lambda r: r._stack.append(r._number(1)),
    ord("M"): lambda r: r._stack.append(r._number(2)),
    0x8a: lambda r: r._push_long(r._number(1)),
    0x8b: lambda r: r._push_long(r._number(4)),
    ord("G"): lambda r: r._stack.extend(_DOUBLE.unpack(r._take(8))),
    # Texts and bytes
    ord("S"): _quoted_line,
    ord("T"): lambda r: r._push_sized(4, _old_text),
    ord("U"): lambda r: r._push_sized(1, _old_text),
    ord("V"): _unicode_line,
    ord("X"): lambda r: r._push_sized(4, _text),
    0x8c: lambda r: r._push_sized(1, _text),
    0x8d: lambda r: r._push_sized(8, _text),
    ord("B"): lambda r: r._push_sized(4, bytes),
    ord("C"): lambda r: r._push_sized(1, bytes),
    0x8e: lambda r: r._push_sized(8, bytes),
    0x96: lambda r: r._push_sized(8, bytearray),
    # Containers
    ord(")"): _push(()),
    ord("t"): lambda r: r._push_tuple(tuple(r._pop_mark())),
    0x85: lambda r: r._push_short_tuple(1),
    0x86: lambda r: r._push_short_tuple(2),
    0x87: lambda r: r._push_short_tuple(3),
    ord("]"): _push_new(list),
    ord("a"): lambda r: r._extend([r._stack.pop()]),
    ord("e"): lambda r: r._extend(r._pop_mark()),
    ord("l"): _list,
    ord("}"): _push_new(dict),
    ord("d"): _dict,
    ord("s"): Reader._set_one,
    ord("u"): lambda r: r._update(r._pop_mark()),
    0x8f: _push_new(set),
    0x90: lambda r: r._add(r._pop_mark()),
    0x91: lambda r: r._push_set(frozenset, r._pop_mark()),
    # The memo
    ord("p"): lambda r: r._put(r._index_in_line()),
    ord("q"): lambda r: r._put(r._number(1)),
    ord("r"): lambda r: r._put(r._number(4)),
    0x94: lambda r: r._put(len(r._memo)),
    ord("g"): lambda r: r._stack.append(r._in_memo(r._index_in_line())),
    ord("h"): lambda r: r._get(r._number(1), 2),
    ord("j"): lambda r: r._get(r._number(4), 5),
    # Names and objects
    ord("c"): lambda r: r._push_name(_text(r._line()), _text(r._line())),
    0x93: _stack_global,
    ord("R"): Reader._reduce,
    0x81: _new_object,
    ord("b"): Reader._build,
}
