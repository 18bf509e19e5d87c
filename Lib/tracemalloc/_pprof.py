"""Snapshots as profiles that Go's pprof, Parca and Pyroscope read.

A profile is one message of protobuf, compressed by gzip: samples, each a call
path with four numbers and some labels, and tables of what call paths are made
of.  SCHEMA has the fields that are written here; others may be left out.
Protobuf lets fields come in any order, so a profile is written in one pass,
as it is made: names, functions and locations stand before the first sample
that needs them, and only these are in memory.

    sample      a call path, the newest frame first, its thread, its domain
                (address space), and its account if it is in one.  Contexts
                that have all that in common are one sample.
    location    a line of a function
    function    named as one says it, with its module: json.decoder.loads.
                Viewers take functions of one name for one.
    mapping     the program; says that all names are there, so that nobody
                looks for them in a file

The numbers are those of Go's memory profiles, in its order:

    alloc_objects  count    blocks that were allocated since tracing began
    alloc_space    bytes
    inuse_objects  count    blocks that are held
    inuse_space    bytes

Of sampled snapshots they are estimates of all blocks, not of the samples, as
they are everywhere else; a comment in the profile says so.

Who makes differences of profiles may tell locations apart by their addresses
alone, and ids change from one profile to the next.  A location has an address
for that, which is made of its names and line: equal in all profiles of all
processes.

Loaded on first use.
"""

from functools import cache, partial, reduce
from hashlib import blake2b
from itertools import groupby
from operator import add, or_

from tracemalloc._columns import account_of
from tracemalloc._groups import folders_in, interval_in, module_parts
from tracemalloc._stacks import Stacks, data_of

# Message -> field -> (number, what it is).  Text is the number of a string in
# string_table; 'packed' are many integers one after the other.
SCHEMA = {
    "Profile": {
        "sample_type": (1, "ValueType"), "sample": (2, "Sample"),
        "mapping": (3, "Mapping"), "location": (4, "Location"),
        "function": (5, "Function"), "string_table": (6, "string"),
        "time_nanos": (9, "integer"), "duration_nanos": (10, "integer"),
        "period_type": (11, "ValueType"), "period": (12, "integer"),
        "comment": (13, "text"), "default_sample_type": (14, "text"),
    },
    "ValueType": {"type": (1, "text"), "unit": (2, "text")},
    "Sample": {"location_id": (1, "packed"), "value": (2, "packed"),
               "label": (3, "Label")},
    "Label": {"key": (1, "text"), "str": (2, "text")},
    "Mapping": {"id": (1, "integer"), "filename": (5, "text"),
                "has_functions": (7, "integer"),
                "has_filenames": (8, "integer"),
                "has_line_numbers": (9, "integer")},
    "Location": {"id": (1, "integer"), "mapping_id": (2, "integer"),
                 "address": (3, "integer"), "line": (4, "Line")},
    "Line": {"function_id": (1, "integer"), "line": (2, "integer")},
    "Function": {"id": (1, "integer"), "name": (2, "text"),
                 "system_name": (3, "text"), "filename": (4, "text")},
}

ALLOCATED = (("alloc_objects", "count"), ("alloc_space", "bytes"))
HELD = (("inuse_objects", "count"), ("inuse_space", "bytes"))

# Figure of the command line -> (type that viewers show first, whether what is
# held is that of the peak).
_SHOWN = {
    "size": ("inuse_space", False), "count": ("inuse_objects", False),
    "allocated_size": ("alloc_space", False),
    "allocated_count": ("alloc_objects", False),
    "peak_size": ("inuse_space", True), "peak_count": ("inuse_objects", True),
}

# What all call paths are called that hold too little to be told.
REST = "<small>"

# Labels that a sample can have; others are those of all samples of a part.
LABELS = ("thread", "domain", "account")

_VARINT, _DELIMITED = 0, 2
# Bytes that are collected before they are compressed.
_CHUNK = 1 << 18
# With less, files are a fifth larger, with more they take twice as long.
_LEVEL = 4
_MOST = (1 << 63) - 1


def _varint(number):
    """Return an integer of 64 bits as protobuf has it."""
    number &= (1 << 64) - 1
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


# Most numbers are small.
_SMALL = 1 << 12
_small = [_varint(number) for number in range(_SMALL)]


def _integer(number):
    if 0 <= number < _SMALL:
        return _small[number]
    if 0 < number < 1 << 21:
        return bytes((number & 127 | 128, number >> 7 & 127 | 128,
                      number >> 14)) if number >> 14 else bytes(
                          (number & 127 | 128, number >> 7))
    return _varint(number)


@cache
def _tag(message, field):
    number, kind = SCHEMA[message][field]
    wire = _VARINT if kind in ("integer", "text") else _DELIMITED
    return _varint(number << 3 | wire)


def _field(message, field, value):
    """Return a field: an integer, or what is bytes already."""
    if isinstance(value, bytes):
        return _tag(message, field) + _integer(len(value)) + value
    return _tag(message, field) + _integer(value)


def _message(message, **fields):
    """Return a message; what is 0 is left out, as readers expect."""
    return b"".join([_field(message, field, value)
                     for field, value in fields.items() if value])


_SAMPLE, _VALUE = _tag("Profile", "sample"), _tag("Sample", "value")


def _text(text):
    # No encoding has lone surrogates, and protobuf takes UTF-8 only.
    return text.encode("utf-8", "backslashreplace")


def function_name(filename, function, folders):
    """Return a function's name with that of its module before it.

    *folders* are those that modules were imported from.  The module's name
    alone is what is left if the function is not known.
    """
    module = ".".join(module_parts(filename, folders)) or filename
    return f"{module}.{function}" if function else module


def has_totals(snapshot):
    """Return whether a snapshot tells what was allocated."""
    return data_of(snapshot)[0].context_allocated_bytes is not None


def seconds_of(snapshot):
    """Return when a snapshot was taken, 0 if that is not known."""
    # Metadata may come from a file.
    when = snapshot.metadata.get("time")
    return when if type(when) in (int, float) and 0 < when < 9e9 else 0


def program_of(command):
    """Return the name of the program in a command line of Python, or ''.

    Command lines may come from a file: what is none has no program.
    """
    if (not isinstance(command, (list, tuple))
            or not all(isinstance(part, str) for part in command)):
        return ""
    arguments = iter(command[1:])
    under_us = False
    for argument in arguments:
        if argument.startswith("-m"):
            name = argument[2:] or next(arguments, "")
            if name != "tracemalloc":
                return name
            under_us = True
        elif argument == "-c":
            return argument
        elif argument in ("-X", "-W"):
            next(arguments, None)
        elif under_us:
            # The options of `run` have values that are no programs.
            if argument.endswith((".py", ".pyz")):
                return argument
        elif not argument.startswith("-"):
            return argument
    return "tracemalloc" if under_us else ""


class ProfileWriter:
    """Writes one profile to a binary stream.

    allocated -- whether the numbers of what was allocated are there, too
    merged    -- whether equal call paths of several snapshots are one sample:
                 their numbers are added, and what comes to nothing is left
                 out.  The samples are in memory then, some 250 bytes each.
                 Without, samples are written at once, and are told apart by
                 the labels of their part.
    labels    -- those of LABELS that samples have
    least     -- bytes that a call path has to hold to be a sample of its own;
                 the others are one together.  Only without *allocated*: who
                 compares profiles would take what was allocated for new when
                 a call path becomes a sample.

    width is how many numbers a sample has.

    Add snapshots, then call close(), which leaves the stream open.
    """

    def __init__(self, stream, *, allocated=True, merged=False,
                 labels=LABELS, least=0):
        import zlib

        if least and allocated:
            raise ValueError("what was allocated cannot be told of some "
                             "call paths only")

        self._stream = stream
        # The form of gzip, without a time: equal profiles are equal files.
        self._compressor = zlib.compressobj(_LEVEL, wbits=16 + zlib.MAX_WBITS)
        self._waiting = []
        self._size = 0
        self._allocated = allocated
        self._labels = labels
        self._least = least
        self._sums = {} if merged else None
        self._columns = None
        self._strings = {}
        self._functions = {}
        self._locations = {}
        # (number of a name of a thread, domain, number of a name of an
        # account) -> labels, of one snapshot
        self._own = {}
        self._string("")
        types = (*ALLOCATED, *HELD) if allocated else HELD
        for each in types:
            self._write("sample_type", self._type(each))
        self.width = len(types)

    def describe(self, *, shown, program="", when=0, seconds=0, interval=None,
                 comments=()):
        """Write what concerns all samples.

        shown    -- type that viewers show first
        when     -- seconds since the epoch
        seconds  -- how long what is counted took; 0 if it is a state
        interval -- bytes per sample if numbers are estimates, else None
        """
        if interval is None:
            how = "exact: every block was traced"
        else:
            how = ("estimates of all blocks, scaled already: one block in "
                   f"{interval} bytes was traced")
        for comment in (how, *comments):
            self._write("comment", self._string(comment))
        self._write("period_type", self._type(("space", "bytes")))
        self._write("period", interval or 1)
        self._write("time_nanos", int(when * 1e9))
        if seconds:
            self._write("duration_nanos", int(seconds * 1e9))
        self._write("default_sample_type", self._string(shown))
        # Viewers show the last part of its path.
        self._write("mapping", _message(
            "Mapping", id=1, filename=self._string(program or "python"),
            has_functions=1, has_filenames=1, has_line_numbers=1))

    def add(self, snapshot, *, at_peak=False, signs=None, labels=(),
            progress=None):
        """Write the samples of a snapshot.

        at_peak -- what was held when most memory was, instead of now
        signs   -- what to multiply each number with, as many as there are
                   types
        labels  -- (name, text) of all samples
        Time: O(contexts times frames).  Raises ValueError if the snapshot
        does not tell what is asked for, or has numbers that no profile has
        room for, and SnapshotFormatError as other reports do.
        """
        samples = self._samples(snapshot, at_peak, self._label(labels),
                                progress)
        if self._sums is None:
            for head, values in samples:
                self._sample(head, self._signed(values, signs))
            return
        if self._columns is None:
            from array import array

            self._columns = [array("q") for _ in range(self.width)]
        for head, values in samples:
            self._sum(head, self._signed(values, signs))

    def close(self):
        """Write what is left, the end of the profile."""
        if self._sums:
            for head, number in self._sums.items():
                values = [column[number] for column in self._columns]
                if any(values):
                    self._sample(head, values)
        self._flush()
        self._stream.write(self._compressor.flush())

    # What is written

    def _put(self, data):
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= _CHUNK:
            self._flush()

    def _flush(self):
        self._stream.write(self._compressor.compress(b"".join(self._waiting)))
        self._waiting.clear()
        self._size = 0

    def _write(self, field, value):
        if value:
            self._put(_field("Profile", field, value))

    def _type(self, pair):
        kind, unit = map(self._string, pair)
        return _message("ValueType", type=kind, unit=unit)

    def _string(self, text):
        number = self._strings.get(text)
        if number is None:
            number = self._strings[text] = len(self._strings)
            # The first one, which is empty, has to be there.
            self._put(_field("Profile", "string_table", _text(text)))
        return number

    def _function(self, filename, function, folders):
        key = filename, function
        number = self._functions.get(key)
        if number is None:
            number = self._functions[key] = len(self._functions) + 1
            self._write("function", _message(
                "Function", id=number,
                name=self._string(function_name(filename, function, folders)),
                system_name=self._string(function),
                filename=self._string(filename)))
        return number

    def _location(self, frame, folders):
        """Return the id of a frame's location, as bytes."""
        found = self._locations.get(frame)
        if found is None:
            filename, line, function = frame
            address = blake2b(_text(f"{filename}\0{line}\0{function}"),
                              digest_size=8).digest()
            number = len(self._locations) + 1
            found = self._locations[frame] = _integer(number)
            self._write("location", _message(
                "Location", id=number, mapping_id=1,
                address=int.from_bytes(address) >> 2 or 1,
                line=_message("Line", function_id=self._function(
                    filename, function, folders), line=line)))
        return found

    def _label(self, labels):
        return b"".join([
            _field("Sample", "label", _message(
                "Label", key=self._string(name), str=self._string(text)))
            for name, text in labels if text])

    def _sample(self, head, values):
        # There are many: this is what _field() would do.
        numbers = b"".join(map(_integer, values))
        length = len(head) + len(_VALUE) + 1 + len(numbers)
        self._put(b"".join((_SAMPLE, _integer(length), head, _VALUE,
                            _small[len(numbers)], numbers)))

    # The samples of one snapshot

    def _values(self, data, at_peak):
        """Return the columns of numbers by context."""
        if at_peak:
            if data.context_peak_bytes is None:
                raise ValueError("the snapshot does not tell 'peak_size'")
            held = [data.context_peak_blocks, data.context_peak_bytes]
        else:
            held = list(data.live())[::-1]
        if not self._allocated:
            return held
        if data.context_allocated_bytes is None:
            raise ValueError("the snapshot does not tell 'allocated_size'")
        return [data.context_allocated_blocks, data.context_allocated_bytes,
                *held]

    def _samples(self, snapshot, at_peak, labels, progress):
        """Yield (call path and labels, numbers), each of them once."""
        data, limit = data_of(snapshot)
        columns = self._values(data, at_peak)
        if any(column and max(column) > _MOST for column in columns):
            raise ValueError("a number of the snapshot has more than the 63 "
                             "bits that there are in a profile")
        data.afford_contexts(range(len(data)), limit)
        stacks = Stacks(data, limit, ("file", "line", "function"),
                        reduce(partial(map, or_), columns))
        newest, frames = stacks.frames()
        folders = folders_in(snapshot.metadata)
        paths = _Paths(stacks.parents, newest, len(frames), lambda frame: (
            self._location(frames[frame], folders)))
        self._own.clear()
        by_index = list(map(stacks.ranks(newest).__getitem__, stacks.nodes))
        order = sorted(range(len(by_index)), key=by_index.__getitem__)
        number, rest = 0, {}
        for node, indexes in groupby(order, stacks.nodes.__getitem__):
            if progress is not None and not number % 512:
                progress(number, len(order))
            contexts = [stacks.contexts[index] for index in indexes]
            number += len(contexts)
            for own, values in self._by_label(data, contexts, columns):
                if values[-1] >= self._least:
                    yield paths.encoded(node) + own + labels, values
                else:
                    rest[own] = list(map(add, values, rest.get(own, (0, 0))))
        for own, values in sorted(rest.items()):
            path = self._location((REST, 0, ""), ())
            yield _field("Sample", "location_id", path) + own + labels, values

    def _by_label(self, data, contexts, columns):
        """Yield (labels, numbers) of contexts of one call path."""
        sums = {}
        for context in contexts:
            key = (data.context_thread[context], data.context_domain[context],
                   account_of(data, context))
            labels = self._own.get(key)
            if labels is None:
                labels = self._own[key] = self._own_labels(data.names, *key)
            values = [column[context] for column in columns]
            known = sums.get(labels)
            sums[labels] = values if known is None else [
                one + other for one, other in zip(known, values)]
        return sorted(sums.items()) if len(sums) > 1 else sums.items()

    def _own_labels(self, names, thread, domain, account):
        """Return the labels that contexts tell, as far as they are wanted."""
        known = {"thread": names[thread], "domain": str(domain),
                 "account": names[account]}
        return self._label((name, known[name]) for name in self._labels)

    @staticmethod
    def _signed(values, signs):
        if signs is None:
            return values
        return [value * sign for value, sign in zip(values, signs)]

    def _sum(self, head, values):
        """Add the numbers of one sample to those that are known."""
        number = self._sums.setdefault(head, len(self._sums))
        try:
            for column, value in zip(self._columns, values):
                if number == len(column):
                    column.append(value)
                else:
                    column[number] += value
        except OverflowError:
            raise ValueError("the sums have more than the 63 bits that there "
                             "are in a profile") from None


class _Paths:
    """Call paths of a snapshot as samples have them.

    locate -- function of the number of a frame: the id of its location, as
              bytes; called once for each frame that is needed
    """

    def __init__(self, parents, newest, frames, locate):
        self._parents = parents
        self._newest = newest
        self._locate = locate
        self._ids = [None] * frames
        self._callers, self._above = None, b""

    def encoded(self, node):
        """Return a call path; fast if the last one had the same callers."""
        callers = self._parents[node]
        if callers != self._callers:
            self._callers, self._above = callers, self._joined(callers)
        return _field("Sample", "location_id", self._id(node) + self._above)

    def _id(self, node):
        frame = self._newest[node]
        found = self._ids[frame]
        if found is None:
            found = self._ids[frame] = self._locate(frame)
        return found

    def _joined(self, node):
        newest, parents, ids = self._newest, self._parents, self._ids
        found = []
        while node:
            found.append(ids[newest[node]] or self._id(node))
            node = parents[node]
        return b"".join(found)


def export_pprof(snapshot, stream, value="size", *, progress=None,
                 parts=None):
    """Write a profile for pprof, gzip'ed, to a binary stream.

    *parts* are the snapshots that *snapshot* was merged from, by the number
    of their process, which is a label of the samples then.
    *value* is what viewers show first: 'size', 'count', 'allocated_size' or
    'allocated_count'; 'peak_size' and 'peak_count' make what is held that of
    the peak.  A snapshot that does not tell what was allocated makes a profile
    of what is held only.  Raises ValueError if the snapshot does not tell
    *value*.
    """
    if value not in _SHOWN:
        raise ValueError(f"a profile has no figure {value!r}; it has "
                         + ", ".join(_SHOWN))
    shown, at_peak = _SHOWN[value]
    allocated = has_totals(snapshot)
    if not allocated and (at_peak or shown.startswith("alloc")):
        raise ValueError(f"the snapshot does not tell {value!r}")
    metadata = snapshot.metadata
    comments = ["what is in use is what was held at the peak"] * at_peak
    writer = ProfileWriter(stream, allocated=allocated)
    writer.describe(shown=shown, program=program_of(metadata.get("command")),
                    when=seconds_of(snapshot),
                    interval=interval_in(metadata), comments=comments)
    for pid, part in (parts or {None: snapshot}).items():
        writer.add(part, at_peak=at_peak, progress=progress,
                   labels=() if pid is None else [("pid", str(pid))])
    writer.close()
