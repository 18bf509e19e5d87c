"""What a record tells, and the snapshot that is in it."""

import os
from array import array
from collections.abc import Sequence
from itertools import compress, count, repeat
from operator import sub
from sys import byteorder

from tracemalloc._columns import MAX_DEPTH, SnapshotData
from tracemalloc._errors import SnapshotFormatError
from tracemalloc._record import layout


class Picture:
    """A record at the moment of its newest checkpoint.

    path            -- the file
    pid, parent     -- numbers of the process and of its parent, as these saw
                       them
    family          -- text that the records of a process and of those that it
                       started have in common
    program         -- list of str: the command line, as far as there was room
    version         -- str: the version of its Python
    state           -- 'running', 'exited' (the interpreter was finalized),
                       'stopped' (tracing was), or 'gone': killed, crashed, or
                       ended by os._exit() or by replacing itself
    started, written
                    -- Unix time in nanoseconds: when the record began, and
                       of its newest checkpoint
    current, peak   -- traced bytes then, and the highest value so far
    blocks          -- traced blocks
    accounts        -- number of accounts that have a name in the record
    rss             -- resident bytes, or None if that is not known
    dropped         -- traces that there was no memory for
    lost            -- contexts that had no room in the record
    lost_bytes, lost_blocks
                    -- what those hold; in `current` and `blocks`, and not in
                       the snapshot
    sample_interval -- bytes from sample to sample if figures are estimates,
                       or None
    timeline        -- sequence of (time in ns, current, peak, rss), the oldest
                       first
    longest_pause   -- nanoseconds that other threads waited at most
    bytes_written   -- into the file so far

    It is independent of the file and of the process.
    """

    def __init__(self, path, head, checkpoint, tables, state):
        self.path = path
        self.pid, self.parent = head.pid, head.parent
        self.family = head.family.hex()
        self.program, self.version = head.command, head.version
        self.state = state
        self.started, self.written = head.started, checkpoint.written
        for name in ("current", "peak", "blocks", "dropped", "lost",
                     "lost_bytes", "lost_blocks", "longest_pause",
                     "bytes_written", "accounts"):
            setattr(self, name, getattr(checkpoint, name))
        self.rss = checkpoint.rss or None
        self.sample_interval = head.sample_interval or None
        self._head, self._checkpoint, self._tables = head, checkpoint, tables
        self._snapshot = None
        self.timeline = _Timeline(tables["timeline"] if tables else b"")

    def __repr__(self):
        return (f"<Picture {self.path!r}: pid {self.pid} "
                f"{self.state}, {self.current} bytes>")

    def snapshot(self):
        """Return the Snapshot; always the same one.

        It has call paths, contexts and their totals, now and at the peak.  Of
        blocks only the number and the sum of the sizes are known for each
        context, so they have average sizes; metadata["sizes"] says so.
        O(contexts).  Raises SnapshotFormatError if the tables make no sense.
        """
        if self._snapshot is None:
            self._snapshot = _snapshot(self)
        return self._snapshot


class _Timeline(Sequence):
    """Tuples (time, current, peak, rss) in the bytes of a table."""

    def __init__(self, data):
        self._data = data

    def __len__(self):
        return len(self._data) // layout.TIMELINE.size

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError("the timeline has no such moment")
        at = index % len(self) * layout.TIMELINE.size
        return layout.TIMELINE.unpack_from(self._data, at)[:4]


def _snapshot(picture):
    from tracemalloc._record.imported import folders_of
    from tracemalloc._snapshot import Snapshot

    head, checkpoint = picture._head, picture._checkpoint
    try:
        data = _data(picture._tables)
        data.check()
    except (ValueError, IndexError, OverflowError) as error:
        # A file that is being loaded is named by who loads it.
        name = ("" if picture.path is None
                else f"{os.fsdecode(picture.path)!r} ")
        raise SnapshotFormatError(f"{name}is a damaged record: {error}"
                                  ) from None
    limit = min(max(head.limit, 1), MAX_DEPTH)
    metadata = {
        "time": picture.written / 1e9, "pid": picture.pid,
        "command": picture.program,
        "path": folders_of(picture.program, data.names),
        "python": picture.version, "limit": limit,
        "sample_interval": picture.sample_interval,
        "traced_memory": picture.current, "traced_memory_peak": picture.peak,
        "tracer_memory": checkpoint.tracer_memory,
        "dropped": picture.dropped, "rss": picture.rss, "sizes": "average",
        "record": {"state": picture.state, "parent": picture.parent,
                   "family": picture.family, "started": picture.started / 1e9,
                   "lost": picture.lost, "lost_bytes": picture.lost_bytes,
                   "lost_blocks": picture.lost_blocks},
    }
    return Snapshot._of(data, limit, metadata)


def _numbers(code, data):
    """Return an array of the little-endian numbers in some bytes."""
    numbers = array(code, data)
    if byteorder == "big":
        numbers.byteswap()
    return numbers


def _columns(table, code, data):
    """Return the columns of a table whose items are numbers of one kind."""
    width = layout.ITEMS[table] // array(code).itemsize
    numbers = _numbers(code, data)
    return [numbers[column::width] for column in range(width)]


def _signed(numbers):
    return array("i", numbers.tobytes())


def _names(data):
    """Return the list of names, the empty one in front."""
    names, at, end = [""], 0, len(data)
    empty = 0
    view = memoryview(data)
    while at < end:
        length = int.from_bytes(view[at:at + 4], "little")
        at += 4
        if at + length > end:
            raise ValueError("its names are cut off")
        if not length:
            # As in the holes of a file; there is one empty name at most.
            empty += 1
            if empty > 1:
                raise ValueError("its names are empty")
        names.append(str(view[at:at + length], "utf-8", "surrogatepass"))
        at += length
    return names


class _Codes:
    """The names of file and function, by number of the code."""

    def __init__(self, data, names):
        self.file, self.function = _columns("codes", "I", data)
        for column in self.file, self.function:
            column.insert(0, 0)
            if max(column) >= names:
                raise ValueError("a code has no such name")

    def columns(self, codes):
        if max(codes, default=0) >= len(self.file):
            raise ValueError("there is no such code")
        return {"file": array("I", map(self.file.__getitem__, codes)),
                "function": array("I", map(self.function.__getitem__,
                                           codes))}


# What can be in the line of a root beside the thread: core.h.
MAX_ACCOUNTS = 65535


def _data(tables):
    names = _names(tables["names"])
    codes = _Codes(tables["codes"], len(names))
    paths, path_of_node, thread_of_node = _paths(tables["nodes"], codes)
    node, code, line, end, start, last, domain = _columns(
        "contexts", "I", tables["contexts"])
    if max(node, default=0) >= len(path_of_node):
        raise ValueError("a context has no such caller")
    nowhere = [index for index, of in enumerate(code) if not of] \
        if 0 in code else []
    if not all(end[index] for index in nowhere):
        raise ValueError("a context is nowhere")
    labels = _thread_names(tables["threads"], names)
    first_label = len(names)
    names += labels
    roots = array("I", map(thread_of_node.__getitem__, node))
    if max(roots, default=0) // len(labels) > MAX_ACCOUNTS:
        raise ValueError("there is no such thread")
    # There are few roots, and many contexts.
    known = {*roots}
    label_of = {root: first_label + root % len(labels) for root in known}
    account_of = {root: root // len(labels) for root in known}
    accounts = None
    if any(account_of.values()):
        accounts = _accounts(list(map(account_of.__getitem__, roots)),
                             tables["accounts"], names, first_label)
    unknown = len(names)
    names.append("<unknown>")
    columns = {f"context_{name}": column
               for name, column in codes.columns(code).items()}
    if accounts is not None:
        columns["context_account"] = accounts
    columns["context_thread"] = array("I", map(label_of.__getitem__, roots))
    for index in nowhere:
        columns["context_thread"][index] = 0
        columns["context_file"][index] = unknown
    path = array("I", map(path_of_node.__getitem__, node))
    data = SnapshotData(
        names, **paths, **columns, **_totals(tables, len(path)),
        context_path=path, context_line=_signed(line),
        context_end_line=_signed(end), context_column=_signed(start),
        context_end_column=_signed(last), context_domain=domain,
        context_depth=array("I", repeat(0, len(path))))
    depths = [min(depth + 1, MAX_DEPTH) for depth in data.path_depths()]
    data.context_depth = array("I", map(depths.__getitem__, path))
    return data


def _paths(data, codes):
    """Return columns of paths, and path and thread of each node.

    The nodes right below the root that have no code are roots of threads.
    """
    parents, code, line = _columns("nodes", "I", data)
    path_of_node, thread_of_node = array("I", [0]), array("I", [0])
    parent_column = array("I", [0])
    kept, roots = [], set()
    for number, (parent, of, at) in enumerate(zip(parents, code, line), 1):
        if parent >= number:
            raise ValueError("a call is its own caller")
        if of:
            path_of_node.append(len(parent_column))
            thread_of_node.append(thread_of_node[parent])
            parent_column.append(path_of_node[parent])
            kept.append(number - 1)
        elif parent:
            raise ValueError("a thread has callers")
        elif at in roots:
            raise ValueError("a thread has two roots")
        else:
            roots.add(at)
            path_of_node.append(0)
            thread_of_node.append(at)
    named = codes.columns(chain_of(code, kept))
    paths = {f"path_{name}": array("I", [0]) + column
             for name, column in named.items()}
    paths["path_parent"] = parent_column
    paths["path_line"] = array("i", [0]) + _signed(chain_of(line, kept))
    return paths, path_of_node, thread_of_node


def chain_of(column, kept):
    """Return the items of a column at some places."""
    if len(kept) == len(column):
        return column
    return array("I", map(column.__getitem__, kept))


def _thread_names(data, names):
    """Return what the threads are called, by number, as snapshots do."""
    found = []
    threads = list(layout.THREAD.iter_unpack(data))
    for number, thread in enumerate(threads):
        native, _, interpreter, before, name, _ = thread
        if name >= len(names):
            raise ValueError("a thread has no such name")
        if number and number == len(threads) - 1:
            found.append("other threads")
            continue
        text = names[name] or ("MainThread" if number == 0
                               else f"thread {native}")
        if interpreter:
            text += f" of interpreter {interpreter}"
        if before > 1:
            text += f" and {before - 1} before"
        found.append(text)
    return found or ["MainThread"]


def _accounts(numbers, data, names, known):
    """Return the column of accounts, None if there was none; add to names.

    The first *known* of those are the record's own.  What there was no room
    for is called by its number, as threads are.
    """
    found = {0: 0}
    name_of = _numbers("I", data)
    for account in sorted({*numbers} - {0}):
        name = name_of[account - 1] if account <= len(name_of) else 0
        if name >= known:
            raise ValueError("an account has no such name")
        if not name:
            name = len(names)
            names.append(f"account {account}")
        found[account] = name
    if len(found) == 1:
        return None
    return array("I", map(found.__getitem__, numbers))


def _totals(tables, length):
    """Return the columns of totals and of rows, by name."""
    few, counters = tables["few"], _columns("counters", "Q",
                                            tables["counters"])
    if len(few) != length * layout.ITEMS["few"]:
        raise ValueError("contexts and counts differ in number")
    halves = [_numbers("H", few)[column::6] for column in range(3)]
    numbers = _numbers("I", few)[::3]
    totals = [few[6::12], few[7::12], halves[0], halves[1], few[8::12],
              halves[2]]
    totals = [array("Q", list(column)) for column in totals]
    known = len(counters[0])
    for index in compress(count(), few[11::12]):
        number = numbers[index]
        if not 0 < number <= known:
            raise ValueError("a context has no such counts")
        for column, counted in zip(totals, counters):
            column[index] = counted[number - 1]
    names = ("allocated_blocks", "freed_blocks", "allocated_bytes",
             "freed_bytes", "peak_blocks", "peak_bytes")
    found = {f"context_{name}": column
             for name, column in zip(names, totals)}
    return found | _rows(*totals[:4])


# What 64 bits hold, and what all memory together cannot be more than.
_MASK = (1 << 64) - 1
_MOST_BLOCKS = 1 << 48


def _rows(allocated_blocks, freed_blocks, allocated_bytes, freed_bytes):
    """Return columns of rows: two sizes per context, one byte apart."""
    context, sizes, counts = array("I"), array("Q"), array("Q")
    live = list(map(sub, allocated_blocks, freed_blocks))
    if live and not (0 <= min(live) and max(live) < _MOST_BLOCKS):
        raise ValueError("more blocks were freed than allocated")
    for number in compress(count(), live):
        blocks = live[number]
        held = allocated_bytes[number] - freed_bytes[number] & _MASK
        least, rest = divmod(held, blocks)
        context.append(number)
        sizes.append(least)
        counts.append(blocks - rest)
        if rest:
            context.append(number)
            sizes.append(least + 1)
            counts.append(rest)
    return {"row_context": context, "row_size": sizes, "row_count": counts}
