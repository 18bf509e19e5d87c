"""Reads pickles as data.  Nothing that a pickle names is run.

The pickle module looks up what a file names and calls it.  The reader here
carries out the same instructions on plain values only.  The few names that it
knows stand for small values of the standard library (see _plain_values) and
for the classes of snapshots, which a subclass knows (see _pickles); any other
name ends the reading.  So do instructions that no snapshot needs, texts longer
than the file, and objects that would take more memory than allowed.

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

import re
import struct
from itertools import repeat

import _tracemalloc

from tracemalloc._errors import SnapshotFormatError, too_large, truncated
from tracemalloc._plain_values import MAKERS, check_key

_MAX_NESTING = 50
_MAX_NUMBER_BYTES = 1024
# How far a file may leave indexes of the memo unused: Python 2 begins with 1.
_MAX_MEMO_GAP = 256

_NO_VALUE = object()

# Bytes of the cache of _tracemalloc._read_tuples(), at most, as a power of 2.
_CACHE_BITS = 22

_GET_AGAIN = {
    2: re.compile(rb"(h.)\1*+", re.DOTALL),
    5: re.compile(rb"(j....)\1*+", re.DOTALL),
}

_DOUBLE = struct.Struct(">d")
_OLD_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class _Name:
    """What a name that a pickle gave stands for here."""

    __slots__ = ("kind", "value")

    def __init__(self, kind, value=None):
        self.kind, self.value = kind, value


class Reader:
    """Reads the pickles in *data*, using at most about *limit* bytes.

    *spent* of these are used already, among them those of *data*.
    """

    def __init__(self, data, limit, spent):
        self.data = data
        self.pos = 0
        self._limit = limit
        self._spent_before = spent
        self._names = {}

    # What a subclass knows

    def find_class(self, module, name):
        """Return the class that a name stands for, or None."""
        return None

    def fill(self, made, attributes):
        """Give an object of such a class the attributes that a pickle has.

        Raises what load() makes an error of the file, if they are wrong.
        """
        raise NotImplementedError

    # Instruction by instruction

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

    def _find(self, module, name):
        text = f"{module}.{name}"
        if (module, name) in MAKERS:
            return _Name("maker", MAKERS[module, name])
        if text in ("copyreg._reconstructor", "builtins.object"):
            return _Name(text)
        class_ = self.find_class(module, name)
        if class_ is not None:
            return _Name("class", class_)
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
        self.fill(made, attributes)

    def _finished(self, value, class_):
        return type(value) is class_ and id(value) not in self._empty


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
