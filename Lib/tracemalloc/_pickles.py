"""Snapshots as pickles: writing them, and what is read out of them.

    write()         what any CPython can load
    read()          a Snapshot, or the Draft of the 2013 interface
    add_attributes(), attributes_of()
                    what a program has added to a snapshot; compact files hold
                    a pickle of that

_unpickle carries out the instructions of a pickle.  Here is which classes it
may have, and that their objects are filled in with what a snapshot can hold.
"""

import io
import pickle
from operator import is_, itemgetter

import _tracemalloc

from tracemalloc._checked import is_metadata
from tracemalloc._draft import Draft, DraftMetric, DraftSnapshot
from tracemalloc._errors import SnapshotFormatError
from tracemalloc._plain_values import has_type
from tracemalloc._snapshot import Snapshot
from tracemalloc._statistics import Statistic, StatisticDiff
from tracemalloc._unpickle import Reader
from tracemalloc._values import Frame, Trace, Traceback, _Traces

# How many blocks that are alike are written at once.
_ALIKE = 1 << 18


def attributes_of(snapshot):
    """Return what a program added to a snapshot: {name: value}."""
    return {name: value for name, value in vars(snapshot).items()
            if name not in ("traces", "traceback_limit", "metadata")}


def add_attributes(snapshot, attributes, limit):
    """Set what a file has besides traces: attributes, and traceback limit."""
    for name in attributes:
        if type(name) is not str or name != "metadata" and (
                name in ("traces", "traceback_limit")
                or hasattr(type(snapshot), name)):
            raise SnapshotFormatError(
                f"is no good snapshot: its attribute {ascii(name)[:40]} would "
                "hide one that every snapshot has; load it with the program "
                "that wrote it, and give it another name")
    if abs(limit) >= 1 << 63:
        raise SnapshotFormatError("is a damaged snapshot: its traceback limit "
                                  "makes no sense; get the file again")
    vars(snapshot).update(attributes)
    snapshot.traceback_limit = limit


# Writing
#
# The file is what stock's dump() would write for the same blocks, in another
# order: first the added attributes, then the snapshot.  Only the first block
# of a row is spelled out; the others are that object out of the memo, so that
# writing takes time by row and little more than a memset by block.


class _PickleWriter:
    """Writes the pickle of the blocks in columns."""

    def __init__(self, stream, used):
        self._write = stream.write
        self._used = used           # indexes of the memo
        self._memo = {}

    def _remember(self, key):
        self._memo[key] = self._used
        self._used += 1
        return b"\x94"

    @staticmethod
    def number(number):
        if 0 <= number < 1 << 8:
            return b"K%c" % number
        if 0 <= number < 1 << 16:
            return b"M" + number.to_bytes(2, "little")
        if -1 << 31 <= number < 1 << 31:
            return b"J" + number.to_bytes(4, "little", signed=True)
        size = number.bit_length() // 8 + 1
        return b"\x8a%c" % size + number.to_bytes(size, "little", signed=True)

    def get(self, index):
        if index < 1 << 8:
            return b"h%c" % index
        return b"j" + index.to_bytes(4, "little")

    @staticmethod
    def text(text):
        data = text.encode("utf-8", "surrogatepass")
        return b"X" + len(data).to_bytes(4, "little") + data

    def _name(self, name):
        if name in self._memo:
            return self.get(self._memo[name])
        return self.text(name) + self._remember(name)

    def _frame(self, frame):
        if frame in self._memo:
            return self.get(self._memo[frame])
        name, line = frame
        return (self._name(name) + self.number(line) + b"\x86"
                + self._remember(frame))

    def _frames(self, frames):
        # Frames of one and more items cannot be taken for a frame: that one
        # has a str in it.
        if frames in self._memo:
            return self.get(self._memo[frames])
        return (b"(" + b"".join(map(self._frame, frames)) + b"t"
                + self._remember(frames))

    def rows(self, data, limit):
        data.afford_contexts({*data.row_context}, limit)
        last = frames = depth = None
        for context, size, count in zip(
                data.row_context, data.row_size, data.row_count):
            if not count:
                continue
            if context != last:
                last = context
                frames = data.frames(context, limit)
                depth = data.context_depth[context]
                depth = self.number(depth) if depth else b"N"
                domain = self.number(data.context_domain[context])
            self._write(b"((" + domain + self.number(size)
                        + self._frames(frames) + depth + b"t\x94")
            again = self.get(self._used)
            self._used += 1
            count -= 1
            while count > 0:
                part = min(count, _ALIKE)
                self._write(again * part)
                count -= part
            self._write(b"e")


def write(snapshot, stream):
    """Write a snapshot to a binary stream.

    Raises ValueError if single blocks are not known, SnapshotFormatError if
    there are more than a reader of the pickle could hold within the max_size
    that the snapshot was loaded with.
    """
    data = snapshot.traces._data
    if data is None or type(snapshot) is not Snapshot:
        pickle.dump(snapshot, stream, pickle.HIGHEST_PROTOCOL)
        return
    if data.row_count is None:
        raise ValueError("a pickle holds single blocks, which are not known "
                         "at the peak; use format='compact'")
    data.afford(sum(data.row_count), "single blocks")
    body = io.BytesIO()
    # Protocol 3 has neither frames nor implicit indexes of the memo: such a
    # pickle can be part of another one.
    pickler = pickle.Pickler(body, 3)
    state = attributes_of(snapshot)
    if snapshot.metadata:
        state["metadata"] = snapshot.metadata
    pickler.dump(state)
    writer = _PickleWriter(stream, len(pickler.memo.copy()))
    stream.write(b"\x80\x05" + body.getbuffer()[2:-1] + b"0")
    stream.write(b"ctracemalloc\nSnapshot\n)\x81" + writer.get(0) + b"("
                 + writer.text("traceback_limit")
                 + writer.number(snapshot.traceback_limit)
                 + writer.text("traces")
                 + b"ctracemalloc\n_Traces\n)\x81}"
                 + writer.text("_traces") + b"]")
    writer.rows(data, snapshot.traces._limit)
    stream.write(b"sbub.")


# Reading


def _is_frame(frame):
    return (type(frame) is tuple and len(frame) == 2
            and type(frame[0]) is str and type(frame[1]) is int
            and -0x80000000 <= frame[1] < 0x80000000)


def _is_group(frame):
    # Statistics by function and the like have a third item, a text.
    if type(frame) is tuple and len(frame) == 3:
        return type(frame[2]) is str and _is_frame(frame[:2])
    return _is_frame(frame)


_CLASSES = {"Frame": Frame, "Snapshot": Snapshot, "Statistic": Statistic,
            "StatisticDiff": StatisticDiff, "Trace": Trace,
            "Traceback": Traceback, "_Traces": _Traces}
# Both names were in use for the module then.
_DRAFT_MODULES = "pytracemalloc", "tracemalloc"
_DRAFT_CLASSES = {"Metric": DraftMetric, "Snapshot": DraftSnapshot}


class SnapshotReader(Reader):
    """Reads pickles of snapshots; see Reader."""

    def __init__(self, data, limit, spent):
        super().__init__(data, limit, spent)
        self._fillers = {
            Frame: self._fill_frame,
            Snapshot: self._fill_snapshot,
            Statistic: self._fill_numbers(("size", "count")),
            StatisticDiff: self._fill_numbers(
                ("size", "size_diff", "count", "count_diff")),
            Trace: self._fill_trace,
            Traceback: self._fill_traceback,
            _Traces: self._fill_traces,
            DraftMetric: self._fill_draft,
            DraftSnapshot: self._fill_draft,
        }
        self._checked_frames = {}

    def load(self):
        self._checked_frames.clear()
        return super().load()

    def find_class(self, module, name):
        if module == "tracemalloc" and name in _CLASSES:
            return _CLASSES[name]
        if module.partition(".")[0] in _DRAFT_MODULES:
            return _DRAFT_CLASSES.get(name)
        return None

    def fill(self, made, attributes):
        self._fillers[type(made)](made, attributes)

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

    def _are_raw_traces(self, traces):
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
        if attributes or not has_type(traces, list, tuple):
            raise self._damaged()
        self._part_of[id(traces)] = traces
        self._spend(8 * len(traces))
        if self._are_raw_traces(traces):
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
        if not self._finished(traces, _Traces) or type(limit) is not int:
            raise self._damaged()
        self._spend(8 * len(traces))
        made.__init__(traces._traces, limit)
        metadata = attributes.get("metadata", {})
        if not is_metadata(metadata):
            # A program's own attribute, in a file of CPython's.
            attributes["metadata"] = {"metadata": metadata}
        add_attributes(made, attributes, limit)

    def _fill_trace(self, made, attributes):
        made.__init__(self._check_trace(attributes.pop("_trace")))
        self._nothing_left(attributes)

    def _fill_traceback(self, made, attributes):
        frames = attributes.pop("_frames")
        total = attributes.pop("_total_nframe", None)
        if (type(frames) is not tuple or not all(map(_is_group, frames))
                or not has_type(total, int, type(None))):
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
            if not self._finished(traceback, Traceback):
                raise self._damaged()
            numbers = [attributes.pop(name) for name in names]
            for value in [*numbers, *attributes.values()]:
                if not has_type(value, int, float, type(None)):
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


def read(data, limit, traces):
    """Return what the pickle in *data* holds; see _format.read()."""
    reader = SnapshotReader(data, limit, len(data))
    found = reader.load()
    if type(found) is Snapshot:
        return found
    if type(found) is DraftSnapshot:
        return Draft({name: getattr(found, name, None)
                      for name in DraftSnapshot.__slots__})
    if type(found) is dict and "format_version" in found:
        version = found.pop("format_version")
        if version == 1:
            return Draft(found)
        if version == (3, 4):
            if traces:
                found["traces"] = reader.load()
            return Draft(found)
        raise SnapshotFormatError(
            "has a format of the 2013 interface that is not known here "
            f"(version {ascii(version)[:20]}); load it with the Python that "
            "wrote it")
    if type(found).__module__ == "tracemalloc":
        what = f"a {type(found).__name__}"
    else:
        what = f"a {type(found).__name__}, not a snapshot"
    raise SnapshotFormatError(
        f"is a pickle of {what}; files that Snapshot.dump() wrote can be "
        "loaded")
