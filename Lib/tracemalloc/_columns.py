"""A snapshot's data in columns: what tracemalloc computes with.

A picture has three tables.  A column of a table is a sequence of numbers, the
same in length as the other columns of that table; a number in a column may be
the place of a row of another table, or of a name in `names`.

    paths       call paths, as a tree.  A path is a call site, and the path
                of its callers, whose number is smaller.  Path 0 is the root:
                it has no frame.
    contexts    places that allocate: the instruction, the path of its callers,
                domain and thread, and what was counted there.
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
    context_allocated_blocks, context_allocated_bytes,
    context_freed_blocks, context_freed_bytes,
    context_peak_blocks, context_peak_bytes
                        'Q'     totals since tracing began, and what was live
                                when traced memory was highest; each column is
                                None if these are not known
    row_context         'I'     context, ascending
    row_size            'Q'     bytes of each block
    row_count           'Q'     number of blocks; all three columns are None
                                in a picture of the peak

Columns come from memory of the C module, from a file, or from here; nobody
writes to them once the picture is made, so threads may share pictures.
"""

from collections import _count_elements
from itertools import accumulate, compress, count, islice, repeat
from operator import itemgetter, le, lt, sub

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
TOTALS = {
    "context_allocated_blocks": "Q", "context_allocated_bytes": "Q",
    "context_freed_blocks": "Q", "context_freed_bytes": "Q",
    "context_peak_blocks": "Q", "context_peak_bytes": "Q",
}
ROWS = {"row_context": "I", "row_size": "Q", "row_count": "Q"}

# All columns with their type codes, those of module array.
COLUMNS = PATHS | CONTEXTS | TOTALS | ROWS

# Columns that hold places of names.
NAMED = ("path_file", "path_function", "context_file", "context_function",
         "context_thread")

# The highest number of frames, of a limit too.
MAX_DEPTH = 65535


class Picture:
    """A snapshot in columns; see the head of this file.

    Picture(names, path_parent=..., ...) takes the columns by name.  Those of
    TOTALS may be left out together, and those of ROWS if the totals are there.
    """

    __slots__ = ("_names", "_source", *COLUMNS)

    def __init__(self, names, **columns):
        self._names = names
        self._source = None
        for name in COLUMNS:
            setattr(self, name, columns.pop(name, None))
        if columns:
            raise TypeError(f"a picture has no column {min(columns)!r}")
        for table in (PATHS, CONTEXTS):
            for name in table:
                if getattr(self, name) is None:
                    raise TypeError(f"column {name!r} is missing")
        for table in (TOTALS, ROWS):
            missing = [name for name in table if getattr(self, name) is None]
            if 0 < len(missing) < len(table):
                raise TypeError(f"column {missing[0]!r} is missing")
        if self.row_context is None and self.context_peak_bytes is None:
            raise TypeError("a picture needs rows or totals")

    @classmethod
    def wrap(cls, source):
        """Return a picture with the columns of any object that has them.

        The names are fetched when they are asked for first.
        """
        self = cls(None, **{name: getattr(source, name) for name in COLUMNS})
        self._source = source
        return self

    @classmethod
    def from_raw(cls, traces):
        """Return a picture of raw traces, as _get_traces() lists them.

        Threads, functions, positions and totals are not known then.  A trace
        may lack its last item, the total number of frames.  O(blocks), mostly
        in C.

        Raises ValueError if a trace is not of that form or has no frame.
        """
        return _Builder(traces).picture()

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
        O(size of the picture), in C.
        """
        _check(self)

    # Contexts

    def __len__(self):
        return len(self.context_path)

    def live(self):
        """Return two lists: live bytes and live blocks, by context.

        In a picture of the peak, those that were live at that moment.
        """
        if self.row_context is None:
            return (list(self.context_peak_bytes),
                    list(self.context_peak_blocks))
        if self.context_allocated_bytes is not None:
            return (list(map(sub, self.context_allocated_bytes,
                             self.context_freed_bytes)),
                    list(map(sub, self.context_allocated_blocks,
                             self.context_freed_blocks)))
        size, count = [0] * len(self), [0] * len(self)
        for context, row_size, row_count in zip(
                self.row_context, self.row_size, self.row_count):
            size[context] += row_size * row_count
            count[context] += row_count
        return size, count

    def frames(self, context, limit):
        """Return the raw frames of a context: the newest first, cut to limit.

        At least one is returned, whatever the limit.
        """
        names = self.names
        frames = [(names[self.context_file[context]],
                   self.context_line[context])]
        at = self.context_path[context]
        while at and len(frames) < limit:
            frames.append((names[self.path_file[at]], self.path_line[at]))
            at = self.path_parent[at]
        return tuple(frames)

    def frame_details(self, context, place):
        """Return what a frame tells besides its line.

        That is (function, end line, column, end column), each None if it is
        not known.  *place* 0 is the context's own frame, 1 its caller.
        """
        names = self.names
        if place == 0:
            numbers = (self.context_end_line[context],
                       self.context_column[context],
                       self.context_end_column[context])
            return (names[self.context_function[context]] or None,
                    *(None if number < 0 else number for number in numbers))
        path = self.context_path[context]
        for _ in range(place - 1):
            path = self.path_parent[path]
        return names[self.path_function[path]] or None, None, None, None

    def keep(self, selectors):
        """Return a picture of those contexts whose selector is true.

        *selectors* has one item for each context.  Names and paths are shared
        with this picture.
        """
        from array import array

        selectors = list(map(bool, selectors))
        kept = {name: getattr(self, name) for name in PATHS}
        for table in (CONTEXTS, TOTALS):
            for name, code in table.items():
                column = getattr(self, name)
                if column is not None:
                    kept[name] = array(code, compress(column, selectors))
        if self.row_context is not None:
            rows = list(map(selectors.__getitem__, self.row_context))
            number = list(accumulate(selectors, initial=0))
            kept["row_context"] = array(
                "I", map(number.__getitem__,
                         compress(self.row_context, rows)))
            for name in ("row_size", "row_count"):
                kept[name] = array(
                    ROWS[name], compress(getattr(self, name), rows))
        return Picture(self.names, **kept)


class _Builder:
    """Columns from raw traces."""

    def __init__(self, traces):
        from array import array

        self._tables = {name: array(code) for name, code in
                        (PATHS | CONTEXTS | ROWS).items()}
        self._numbers = {"": 0}
        self._paths = {}
        for name in PATHS:
            self._tables[name].append(0)
        try:
            self._fill(traces)
        except (TypeError, IndexError, OverflowError, ValueError) as exc:
            raise ValueError("a raw trace must be a tuple (domain, size, "
                             f"frames, total number of frames): {exc}"
                             ) from None

    def picture(self):
        return Picture(list(self._numbers), **self._tables)

    def _fill(self, traces):
        # Blocks are few when counted by context and size; O(blocks) is
        # counting only, in C.
        contexts = {}
        for (domain, size, frames, *total), number in _tally(traces):
            depth, = total or (None,)
            if type(size) is not int or size < 0:
                raise ValueError(f"the size is {size!r}")
            sizes = contexts.setdefault((domain, frames, depth), {})
            sizes[size] = sizes.get(size, 0) + number

        rows = self._tables
        for number, (context, sizes) in enumerate(contexts.items()):
            self._add_context(*context)
            rows["row_context"].extend(repeat(number, len(sizes)))
            rows["row_size"].extend(sorted(sizes))
            rows["row_count"].extend(map(sizes.get, sorted(sizes)))

    def _add_context(self, domain, frames, depth):
        path = 0
        for filename, line in reversed(frames[1:]):
            path = self._path(path, self._name(filename), line)
        filename, line = frames[0]
        self._append(
            "context", path=path, file=self._name(filename), function=0,
            line=line, end_line=-1, column=-1, end_column=-1, domain=domain,
            thread=0, depth=0 if depth is None else depth)

    def _name(self, name):
        if type(name) is not str:
            raise ValueError(f"the file name is {name!r}")
        return self._numbers.setdefault(name, len(self._numbers))

    def _path(self, *key):
        if key not in self._paths:
            parent, file, line = key
            self._append("path", parent=parent, file=file, function=0,
                         line=line)
            self._paths[key] = len(self._tables["path_parent"]) - 1
        return self._paths[key]

    def _append(self, table, **numbers):
        for name, number in numbers.items():
            self._tables[f"{table}_{name}"].append(number)


def _tally(traces):
    """Return pairs (raw trace, number of traces equal to it).

    Traces that are equal but do not share their frames may come apart.
    """
    counts, by_key = {}, {}
    for length in set(map(len, traces)):
        if length not in (3, 4):
            raise ValueError(f"there are {length} items")
        alike = [trace for trace in traces if len(trace) == length]
        by_key.update(zip(_keys(alike, length), alike))
        _count_elements(counts, _keys(alike, length))
    return [(by_key[key], number) for key, number in counts.items()]


def _keys(traces, length):
    """Iterate over what tells traces apart: blocks share their frames."""
    items = [map(itemgetter(item), traces) for item in range(length)]
    items[2] = map(id, items[2])
    return zip(*items)


def _check(picture):
    def require(true, what):
        if not true:
            raise ValueError(f"damaged snapshot: {what}")

    def check_places(name, length, of):
        require(max(getattr(picture, name), default=-1) < length,
                f"{name} has no such {of}")

    names = picture.names
    require(names and names[0] == "" and set(map(type, names)) == {str},
            "the first name must be empty, and all must be text")
    for table in (PATHS, CONTEXTS | TOTALS, ROWS):
        lengths = {len(getattr(picture, name)) for name in table
                   if getattr(picture, name) is not None}
        require(len(lengths) <= 1, f"{min(table)} differs in length")
    for name in NAMED:
        check_places(name, len(names), "name")

    parents = picture.path_parent
    require(len(parents) and parents[0] == 0, "there is no root")
    require(all(map(lt, islice(parents, 1, None), count(1))),
            "a path is its own caller")
    check_places("context_path", len(parents), "path")
    require(max(picture.context_depth, default=0) <= MAX_DEPTH,
            "context_depth is too large")
    if picture.row_context is not None:
        check_places("row_context", len(picture), "context")
        require(all(map(le, picture.row_context,
                        islice(picture.row_context, 1, None))),
                "row_context is not in order")
    if picture.context_allocated_blocks is not None:
        for unit in ("blocks", "bytes"):
            require(all(map(le, getattr(picture, f"context_freed_{unit}"),
                            getattr(picture, f"context_allocated_{unit}"))),
                    f"context_freed_{unit} is too large")
