"""A snapshot's data in columns: what tracemalloc computes with.

There are three tables.  A column of a table is a sequence of numbers, the
same in length as the other columns of that table; a number in a column may be
the number of a row of another table, or of a name in `names`.

    paths       call paths, as a tree.  A path is a call site, and the path
                of its callers, whose number is smaller.  Path 0 is the root:
                it has no frame.
    contexts    what allocates: an instruction, the path of its callers, domain
                and thread, and what was counted for them.
    rows        live blocks: how many of one size there are in one context.

The traceback of a context is its own frame, then those from context_path up to
the root.  A snapshot shows at most as many as its traceback limit says.  A
block without any frame has a context in '<unknown>', line 0, with path 0.

    names                       list of str; '' is the first
    path_parent         'I'     path
    path_file           'I'     name
    path_function       'I'     name, qualified; '' if not known
    path_line           'i'
    context_path        'I'     path of the callers
    context_file        'I'     name
    context_function    'I'     name, qualified; '' if not known
    context_line        'i'
    context_end_line    'i'     -1 if not known, as the two columns are
    context_column      'i'     in bytes of UTF-8, as co_positions() has them
    context_end_column  'i'
    context_domain      'I'
    context_thread      'I'     name; '' if not known
    context_depth       'I'     frames before any was cut, at most 65535;
                                0 if it was not recorded
    context_account     'I'     name; '' for what is in none; None if there was
                                no account
    context_allocated_blocks, context_allocated_bytes,
    context_freed_blocks, context_freed_bytes,
    context_peak_blocks, context_peak_bytes
                        'Q'     totals since tracing began, and what was live
                                when traced memory was highest; each column is
                                None if these are not known
    row_context         'I'     context, ascending
    row_size            'Q'     bytes of each block
    row_count           'Q'     number of blocks; all three columns are None
                                in data of the peak

Columns come from memory of the C module, from a file, or from here; nobody
writes to them once the data are complete, so threads may share them.
"""

from itertools import accumulate, compress, repeat

import _tracemalloc

from tracemalloc._paths import MAX_DEPTH, Recent

PATHS = {
    "path_parent": "I", "path_file": "I", "path_function": "I",
    "path_line": "i",
}
CONTEXTS = {
    "context_path": "I", "context_file": "I", "context_function": "I",
    "context_line": "i", "context_end_line": "i", "context_column": "i",
    "context_end_column": "i", "context_domain": "I", "context_thread": "I",
    "context_depth": "I",
}
# Those that are None if they would tell nothing.
ACCOUNTS = {"context_account": "I"}
TOTALS = {
    "context_allocated_blocks": "Q", "context_allocated_bytes": "Q",
    "context_freed_blocks": "Q", "context_freed_bytes": "Q",
    "context_peak_blocks": "Q", "context_peak_bytes": "Q",
}
ROWS = {"row_context": "I", "row_size": "Q", "row_count": "Q"}

# All columns with their type codes, those of module array.
COLUMNS = PATHS | CONTEXTS | ACCOUNTS | TOTALS | ROWS

# Columns that hold numbers of names.
NAMED = ("path_file", "path_function", "context_file", "context_function",
         "context_thread", "context_account")


def summed(add_up, values):
    """Return add_up(values), a function of the C module that adds up numbers.

    Those have 64 bits there, which is enough for all memory that there is,
    but not for what a file or a program can claim.
    """
    try:
        return add_up(values)
    except OverflowError:
        low = add_up([value & (1 << 63) - 1 for value in values])
        high = add_up([value >> 63 for value in values])
        return [more + (most << 63) for more, most in zip(low, high)]


def account_of(data, context):
    """Return the number of the name of a context's account, 0 for none."""
    accounts = data.context_account
    return 0 if accounts is None else accounts[context]


def as_buffer(code, column):
    """Return a column as one that functions of the C module take."""
    if hasattr(column, "itemsize"):
        return column
    from array import array

    return array(code, column)


def as_array(code, column):
    """Return a copy of a column, as an array."""
    from array import array

    copy = array(code)
    copy.frombytes(memoryview(as_buffer(code, column)).cast("B"))
    return copy


def picked(code, column, places):
    """Return the array of the numbers at these places of a column."""
    from array import array

    return array(code, _tracemalloc._pick_rows(as_buffer(code, column),
                                               places))


def numbers_at(column, rows):
    """Return the numbers of a figure, or of any list, that *rows* have."""
    if hasattr(column, "itemsize"):
        return picked("Q", column, rows)
    return list(map(column.__getitem__, rows))


def values_of(column, rows, n):
    """Return the numbers of a figure of *n* that *rows*, or all, have."""
    if len(rows) == n:
        return column if hasattr(column, "itemsize") else list(column)
    return numbers_at(column, rows)


def numbered(*columns):
    """Return two arrays: numbers of rows, equal ones alike; first rows."""
    from array import array

    return tuple(array("I", column)
                 for column in _tracemalloc._number_rows(*columns))


class Members:
    """The rows of each group: *groups* says for each row of which it is."""

    def __init__(self, groups, n):
        from array import array

        self._starts, self._rows = (
            array("I", column) for column in _tracemalloc._group_rows(
                as_buffer("I", groups), n))

    def __getitem__(self, group):
        """Return the rows of a group, ascending."""
        start, end = self._starts[group:group + 2]
        return self._rows[start:end]


class SnapshotData:
    """The columns of a snapshot; see the head of this file.

    SnapshotData(names, path_parent=..., ...) takes the columns by name.  Those
    of TOTALS may be left out together, and those of ROWS if the totals are
    there; that of ACCOUNTS may be left out.
    """

    # max_size is what loading was allowed to take, None for snapshots of this
    # process: see afford().
    __slots__ = ("_names", "_source", "max_size", "_live", "_path_frames",
                 "_path_depths", "_walked", *COLUMNS)

    def __init__(self, names, **columns):
        self._names = names
        self._source = self.max_size = None
        self._live = self._path_frames = self._path_depths = None
        self._walked = Recent()
        for name in COLUMNS:
            setattr(self, name, columns.pop(name, None))
        if columns:
            raise TypeError(f"there is no column {min(columns)!r}")
        for table in (PATHS, CONTEXTS):
            for name in table:
                if getattr(self, name) is None:
                    raise TypeError(f"column {name!r} is missing")
        for table in (TOTALS, ROWS):
            missing = [name for name in table if getattr(self, name) is None]
            if 0 < len(missing) < len(table):
                raise TypeError(f"column {missing[0]!r} is missing")
        if self.row_context is None and self.context_peak_bytes is None:
            raise TypeError("a snapshot needs rows or totals")

    @classmethod
    def wrap(cls, source):
        """Return data with the columns of any object that has them.

        The names are fetched when they are asked for first.
        """
        self = cls(None, **{name: getattr(source, name) for name in COLUMNS})
        self._source = source
        return self

    @classmethod
    def from_raw(cls, traces):
        """Return the data of raw traces, as _get_traces() lists them.

        Threads, functions, positions and totals are not known then.  A trace
        may lack its last item, the total number of frames.  O(blocks), mostly
        in C.

        Raises ValueError if a trace is not of that form or has no frame.
        """
        from tracemalloc._checked import Builder

        return Builder(traces).data()

    @property
    def names(self):
        if self._names is None:
            self._names = self._source.names
            self._source = None
        return self._names

    def columns(self):
        """Return the columns that there are: {name: sequence}."""
        return {name: column for name in COLUMNS
                if (column := getattr(self, name)) is not None}

    def check(self):
        """Raise ValueError if a number in the columns is impossible.

        Whoever reads columns from a file must call this before using them.
        O(rows of all tables), in C.
        """
        from tracemalloc._checked import check

        check(self)

    # Contexts

    def __len__(self):
        return len(self.context_path)

    def live(self):
        """Return two columns: live bytes and live blocks, by context.

        In data of the peak, those that were live at that moment.  All callers
        share them, so they must not be changed.
        """
        if self._live is None:
            self._live = self._count_live()
        return self._live

    def _count_live(self):
        if self.row_context is None:
            return self.context_peak_bytes, self.context_peak_blocks
        if self.context_allocated_bytes is not None:
            return self._still("bytes"), self._still("blocks")
        contexts, sizes, counts = (
            as_buffer(ROWS[name], getattr(self, name)) for name in ROWS)
        size = _tracemalloc._sum_rows(contexts, len(self), sizes, counts)
        count = _tracemalloc._sum_rows(contexts, len(self), counts)
        return size, count

    def _still(self, unit):
        """Return the column of what was allocated and not freed."""
        from array import array

        return array("Q", _tracemalloc._differences(*(
            as_buffer("Q", getattr(self, f"context_{what}_{unit}"))
            for what in ("allocated", "freed"))))

    def variances(self, interval):
        """Return those of live() as two lists, if it is estimated.

        A block of s bytes is a sample with probability p = 1 - exp(-s / T)
        where T is *interval*, and stands for 1 / p blocks then; so each of
        the n blocks of a row adds 1 / p - 1 to the variance of the count, and
        that times the square of s to the variance of the size (Horvitz and
        Thompson, 1952).  None for data of the peak.
        """
        from math import expm1

        if self.row_context is None:
            return None
        of_size, of_count = [0.0] * len(self), [0.0] * len(self)
        for context, size, number in zip(
                self.row_context, self.row_size, self.row_count):
            variance = number * (-1 / expm1(-(size or 1) / interval) - 1)
            of_count[context] += variance
            of_size[context] += variance * size * size
        return of_size, of_count

    # Call paths

    def path_frames(self):
        """Return the list of the raw frames of all paths, shared by all."""
        if self._path_frames is None:
            names, known = self.names, {}
            frames = zip(map(names.__getitem__, self.path_file),
                         self.path_line)
            self._path_frames = [known.setdefault(frame, frame)
                                 for frame in frames]
        return self._path_frames

    def path_depths(self):
        """Return the array of how many frames each path has."""
        if self._path_depths is None:
            from array import array

            self._path_depths = array("I", _tracemalloc._path_depths(
                as_buffer("I", self.path_parent)))
        return self._path_depths

    def ancestors(self, path, most=MAX_DEPTH):
        """Return a path and the paths above it, the newest first.

        At most *most*; all of them, if these are more than frames may be,
        make no sense.
        """
        parents, found = self.path_parent, []
        while path and len(found) < most:
            found.append(path)
            path = parents[path]
        return found

    def afford(self, items, what="call paths"):
        """Raise SnapshotFormatError if so many frames at once are too much.

        To be asked before frames are put together for many contexts, or
        something for each block: what they take has nothing to do with the
        size of the file.
        """
        # A frame is shared: each time, it takes just an item of a tuple.
        if self.max_size is not None and 8 * items > self.max_size:
            from tracemalloc._errors import LARGER, SnapshotFormatError
            from tracemalloc._text import format_size

            raise SnapshotFormatError(
                f"the snapshot's {what} take "
                f"{format_size(8 * items, False)} of memory, and "
                f"{format_size(self.max_size, False)} are allowed; if you "
                f"trust the file, {LARGER}")

    def afford_contexts(self, contexts, limit):
        """Raise SnapshotFormatError if these contexts have too many frames."""
        if self.max_size is not None:
            depths, paths = self.path_depths(), self.context_path
            self.afford(sum(min(depths[paths[context]] + 1, limit)
                            for context in contexts))

    def afford_cut(self, limit):
        """Raise SnapshotFormatError if what a limit leaves is too much.

        Call paths that are cut have no callers in common.
        """
        depths = self.path_depths()
        cut = sum(map(limit.__le__, map(depths.__getitem__,
                                        {*self.context_path})))
        self.afford(cut * (limit - 1))

    def frames(self, context, limit):
        """Return the raw frames of a context: the newest first, cut to limit.

        At least one is returned, whatever the limit.
        """
        own = (self.names[self.context_file[context]],
               self.context_line[context])
        if limit < 2:
            return own,
        above = self.ancestors(self.context_path[context], limit - 1)
        return own, *map(self.path_frames().__getitem__, above)

    def frame_details(self, context, index):
        """Return what a frame tells besides its line.

        That is (function, end line, column, end column), each None if it is
        not known.  *index* 0 is the context's own frame, 1 its caller.
        """
        names = self.names
        if index == 0:
            numbers = (self.context_end_line[context],
                       self.context_column[context],
                       self.context_end_column[context])
            return (names[self.context_function[context]] or None,
                    *(None if number < 0 else number for number in numbers))
        above = self._walked.get(self.context_path[context], self.ancestors)
        function = self.path_function[above[index - 1]]
        return names[function] or None, None, None, None

    def details_in_common(self, contexts):
        """Return frame_details() of contexts' own frames, as far as equal."""
        names = self.names
        found = {names[number] for number in
                 {*map(self.context_function.__getitem__, contexts)}}
        details = [found.pop() or None if len(found) == 1 else None]
        for name in "end_line", "column", "end_column":
            column = getattr(self, f"context_{name}")
            found = {*map(column.__getitem__, contexts)}
            number = found.pop() if len(found) == 1 else -1
            details.append(None if number < 0 else number)
        return tuple(details)

    def keep(self, selectors):
        """Return the data of those contexts whose selector is true.

        *selectors* has one item for each context.  Names and paths are
        shared.
        """
        from array import array

        selectors = list(map(bool, selectors))
        kept = {name: getattr(self, name) for name in PATHS}
        for table in (CONTEXTS, ACCOUNTS, TOTALS):
            for name, code in table.items():
                column = getattr(self, name)
                if column is not None:
                    kept[name] = array(code, compress(column, selectors))
        if self.row_context is not None:
            kept |= self._rows_of(selectors)
        data = SnapshotData(self.names, **kept)
        data.max_size = self.max_size
        return data

    def with_sites(self, names, columns):
        """Return data in which the same contexts are somewhere else.

        *columns* are those of contexts, and *names* the names in them; paths
        and figures are shared.
        """
        data = SnapshotData(names, **self.columns() | columns)
        data.max_size = self.max_size
        data._live = self._live
        return data

    def _rows_of(self, selectors):
        """Return the columns of rows of the contexts that are kept."""
        from array import array
        from bisect import bisect_left

        rows = {name: as_buffer(code, getattr(self, name))
                for name, code in ROWS.items()}
        kept = {name: array(code) for name, code in ROWS.items()}
        old, context = rows["row_context"], 0
        number = list(accumulate(selectors, initial=0))
        start = 0
        while start < len(old):
            # Contexts that stay come in runs, and rows are sorted by context.
            context = old[start]
            keep = selectors[context]
            while context < len(selectors) and selectors[context] == keep:
                context += 1
            end = bisect_left(old, context, start)
            if keep:
                for name in ("row_size", "row_count"):
                    kept[name].frombytes(
                        memoryview(rows[name])[start:end].cast("B"))
                kept["row_context"].extend(
                    map(number.__getitem__, old[start:end]))
            start = end
        return kept


class Blocks:
    """The live blocks of a snapshot, as a sequence of raw traces.

    Those of one row are equal.  There are none in data of the peak: what
    needs to know one raises ValueError then.
    """

    def __init__(self, data, limit):
        self.data = data
        self.limit = limit
        self._ends = None
        self._recent = Recent()

    def known(self):
        """Whether there are single blocks."""
        return self.data.row_context is not None

    def columns(self):
        """Return the columns of rows: context, size and count."""
        if not self.known():
            raise ValueError("single blocks are not known at the peak: "
                             "use statistics() or compare_to()")
        data = self.data
        return data.row_context, data.row_size, data.row_count

    def __len__(self):
        if self._ends is None:
            self._ends = list(accumulate(self.columns()[2]))
        return self._ends[-1] if self._ends else 0

    def at(self, index):
        """Return the context and the size of a block."""
        from bisect import bisect_right

        contexts, sizes, _ = self.columns()
        if index >= len(self):
            raise IndexError("there are not so many blocks")
        row = bisect_right(self._ends, index)
        return contexts[row], sizes[row]

    def raw(self, context, size):
        """Return the raw trace of a block."""
        data = self.data
        return (data.context_domain[context], size,
                self._recent.get(context, self._frames),
                data.context_depth[context] or None)

    def _frames(self, context):
        return self.data.frames(context, self.limit)

    def frames_of(self, context):
        """Return the raw frames of a context, the oldest first."""
        return self._recent.get(context, self._frames)[::-1]

    def length(self, context):
        """Return the number of frames of a context."""
        data = self.data
        depth = data.path_depths()[data.context_path[context]]
        return max(min(depth + 1, self.limit), 1)

    def rows(self):
        """Yield (context, raw trace, number of such blocks) for each row.

        Equal frames are one tuple.
        """
        columns = self.columns()
        self.data.afford_contexts({*columns[0]}, self.limit)
        known, interned = None, {}
        for context, size, number in zip(*columns):
            if context != known:
                domain, _, frames, total = self.raw(context, 0)
                frames = interned.setdefault(frames, frames)
                known = context
            yield context, (domain, size, frames, total), number

    def __iter__(self):
        for _, raw, number in self.rows():
            yield from repeat(raw, number)

    def as_list(self):
        """Return a list of the raw traces of all blocks.

        Raises SnapshotFormatError if it would take more than the file's
        max_size.
        """
        self.data.afford(len(self), "single blocks")
        return list(self)

    def __contains__(self, raw):
        return any(raw == each for _, each, _ in self.rows())
