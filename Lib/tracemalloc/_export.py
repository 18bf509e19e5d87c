"""Snapshots as text that other programs read.

    export_json         one object with everything that the snapshot knows
    export_csv          a table, one line per context
    export_collapsed    "frame;frame;frame number", for flame graphs
    export_speedscope   what the viewer of that name loads

Each takes a Snapshot and a text stream, and writes line by line.  Contexts are
what allocated: one call path, with an instruction, a thread and an address
space.  They come in the order of live bytes, then blocks, descending,
then call path, so that equal snapshots give equal text.

Sizes are bytes.  Time: O(contexts times frames), as long as what is written.
*progress* is called now and then with how many contexts have been written, and
how many there are.  Nothing is written to the
snapshot, so that several threads may export one.

Doc/library/tracemalloc-format.rst describes the formats.
"""

from functools import partial, reduce
from itertools import islice
from operator import neg, or_

from tracemalloc._stacks import Stacks, data_of

# What can be exported where there is one number per context.
FIGURES = ("size", "count", "allocated_size", "allocated_count", "freed_size",
           "freed_count", "peak_size", "peak_count")

_COLUMN_OF = {
    "allocated_size": "context_allocated_bytes",
    "allocated_count": "context_allocated_blocks",
    "freed_size": "context_freed_bytes",
    "freed_count": "context_freed_blocks",
    "peak_size": "context_peak_bytes",
    "peak_count": "context_peak_blocks",
}


# How many contexts are written at once.
_PART = 512


class _Contexts:
    """The contexts of a snapshot, and how to show them."""

    def __init__(self, snapshot, progress=None):
        self.data, limit = data_of(snapshot)
        self._progress = progress
        self._columns = dict(zip(FIGURES, self.data.live()))
        for figure, name in _COLUMN_OF.items():
            column = getattr(self.data, name)
            if column is not None:
                self._columns[figure] = column
        self.data.afford_contexts(range(len(self.data)), limit)
        # Those without any number are left out.
        self.stacks = Stacks(self.data, limit,
                             ("file", "line", "function"),
                             reduce(partial(map, or_),
                                    self._columns.values()))
        # (file, line, function) in their order, and the index of the newest
        # one of each stack.
        self.newest, self.frames = self.stacks.frames()

    def figures(self):
        """Return the names of the figures that are known."""
        return [figure for figure in FIGURES if figure in self._columns]

    def figure(self, name):
        """Return the column of a figure.

        Raises ValueError if there is none of that name, or if the snapshot
        does not know it.
        """
        if name not in FIGURES:
            raise ValueError(f"there is no figure {name!r}; there are "
                             + ", ".join(FIGURES))
        if name not in self._columns:
            raise ValueError(f"the snapshot does not tell {name!r}")
        return self._columns[name]

    def in_order(self):
        """Yield (context, node of its stack).

        One call path that allocated in several contexts comes several times.
        """
        ranks = self.stacks.ranks(self.newest)
        contexts, nodes = self.stacks.contexts, self.stacks.nodes
        size, count = (map(self._columns[name].__getitem__, contexts)
                       for name in ("size", "count"))
        order = sorted(zip(map(neg, size), map(neg, count),
                           map(ranks.__getitem__, nodes), contexts, nodes))
        for number, (_, _, _, context, node) in enumerate(order):
            if self._progress is not None and not number % _PART:
                self._progress(number, len(order))
            yield context, node

    def stack(self, node):
        """Return the indexes of a stack's frames, the oldest first."""
        newest, parents, found = self.newest, self.stacks.parents, []
        while node:
            found.append(newest[node])
            node = parents[node]
        found.reverse()
        return found

    def position(self, context):
        """Return (end line, column, end column), each None if not known."""
        data = self.data
        return tuple(None if number < 0 else number for number in (
            data.context_end_line[context], data.context_column[context],
            data.context_end_column[context]))

    def thread(self, context):
        return self.data.names[self.data.context_thread[context]] or None

    def depth(self, context):
        return self.data.context_depth[context] or None


def _printable(text):
    """Return *text* without what no encoding has: lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _label(frame):
    """Return how a frame is named in stacks."""
    filename, line, function = frame
    where = f"{filename}:{line}"
    return f"{function} ({where})" if function else where


def _write_joined(stream, texts, separator):
    """Write texts, of which there may be many, with separators between."""
    texts = iter(texts)
    before = ""
    while part := list(islice(texts, _PART)):
        stream.write(before + separator.join(part))
        before = separator


def _json_rows(contexts):
    """Yield the contexts as JSON."""
    from json import dumps

    figures = [(f'"{name}": ', contexts.figure(name))
               for name in contexts.figures()]
    data = contexts.data
    texts = [dumps({"filename": filename, "lineno": line,
                    "function": function or None})
             for filename, line, function in contexts.frames]
    threads = {}
    for context, node in contexts.in_order():
        row = [f"{head}{column[context]}" for head, column in figures]
        number = data.context_thread[context]
        if number not in threads:
            threads[number] = dumps(contexts.thread(context))
        end_line, column, end_column = (
            "null" if number is None else number
            for number in contexts.position(context))
        stack = contexts.stack(node)
        frames = ", ".join(map(texts.__getitem__, stack))
        yield (f'{{{", ".join(row)}, '
               f'"domain": {data.context_domain[context]}, '
               f'"thread": {threads[number]}, '
               f'"total_nframe": {contexts.depth(context) or "null"}, '
               f'"traceback": [{frames[:-1]}, "end_lineno": {end_line}, '
               f'"column": {column}, "end_column": {end_column}}}]}}')


def export_json(snapshot, stream, *, progress=None):
    """Write all that the snapshot knows, as one JSON object."""
    import json

    from tracemalloc._checked import metadata_json

    contexts = _Contexts(snapshot, progress)
    head = {
        "tracemalloc": 1,
        "metadata": metadata_json(snapshot.metadata),
        "traceback_limit": snapshot.traceback_limit,
        "total_size": sum(contexts.figure("size")),
        "total_count": sum(contexts.figure("count")),
    }
    stream.write(json.dumps(head)[:-1] + ', "contexts": [')
    if len(contexts.stacks.nodes):
        stream.write("\n")
    _write_joined(stream, _json_rows(contexts), ",\n")
    stream.write("\n]}\n")


def _cell(value):
    """Return a value as a cell of CSV."""
    text = "" if value is None else str(value)
    if any(character in text for character in ',"\r\n'):
        text = '"' + text.replace('"', '""') + '"'
    return text


_FORMULAS = "=", "+", "-", "@", "\t", "\r"


def _no_formula(text):
    """Return a text of a table that spreadsheets show as it is.

    They take what begins with some characters for a formula, and do what it
    says, unless there is an apostrophe in front.
    """
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _text_cell(text):
    return _cell(_no_formula(_printable(text)))


def _csv_rows(contexts):
    """Yield the contexts as lines of CSV, without their ends."""
    # Not by module csv, which looks at every character of every call path.
    data = contexts.data
    known = contexts.figures()
    figures = [contexts.figure(figure) if figure in known
               else [""] * len(data) for figure in FIGURES]
    labels = list(map(_stack_label, contexts.frames))
    quoted = {index for index, label in enumerate(labels)
              if _cell(label) != label}
    labels = [label.replace('"', '""') for label in labels]
    newest = [(_text_cell(filename), line, _text_cell(function))
              for filename, line, function in contexts.frames]
    for context, node in contexts.in_order():
        filename, line, function = newest[contexts.newest[node]]
        stack = contexts.stack(node)
        text = _no_formula(";".join(map(labels.__getitem__, stack)))
        if not quoted.isdisjoint(stack):
            text = f'"{text}"'
        numbers = ",".join([str(column[context]) for column in figures])
        position = ",".join(map(_cell, contexts.position(context)))
        thread = _text_cell(contexts.thread(context) or "")
        yield (f"{numbers},{data.context_domain[context]},{thread},"
               f"{filename},{line},{position},{function},{text}")


def export_csv(snapshot, stream, *, progress=None):
    """Write a table with a head line; what is not known is empty.

    Open a file for it with newline="".
    """
    head = [*FIGURES, "domain", "thread", "filename", "lineno", "end_lineno",
            "column", "end_column", "function", "traceback"]
    stream.write(",".join(head) + "\n")
    _write_joined(stream, (f"{row}\n" for row in
                           _csv_rows(_Contexts(snapshot, progress))), "")


def _stack_label(frame):
    # These separate frames and lines.
    label = _printable(_label(frame)).replace(";", ",")
    return "".join(character if character.isprintable() else "?"
                   for character in label)


def _stacks(contexts, value, labels):
    """Return {node: number}: call paths of frames with equal labels are one.

    *labels* are those of contexts.frames.
    """
    numbers = contexts.figure(value)
    merged = contexts.stacks.merged(labels, contexts.newest)
    sums, nodes = {}, {}
    for context, node in contexts.in_order():
        if numbers[context]:
            number = merged[node]
            nodes.setdefault(number, node)
            sums[number] = sums.get(number, 0) + numbers[context]
    return dict(zip(nodes.values(), sums.values()))


def export_collapsed(snapshot, stream, value="size", *, progress=None):
    """Write one line per call path: its frames, the oldest first, a number.

    *value* is one of FIGURES; call paths where it is 0 are left out.  A frame
    is 'function (file:line)', or 'file:line' if functions are not known.

    Raises ValueError if the snapshot does not tell *value*.
    """
    contexts = _Contexts(snapshot, progress)
    labels = list(map(_stack_label, contexts.frames))
    _write_joined(stream, (
        f"{';'.join(map(labels.__getitem__, contexts.stack(node)))} {number}\n"
        for node, number in _stacks(contexts, value, labels).items()), "")


def export_speedscope(snapshot, stream, value="size", *, progress=None):
    """Write a profile for speedscope; call paths are its samples.

    *value* is that of export_collapsed(), as are errors.
    """
    import json

    contexts = _Contexts(snapshot, progress)
    stacks = _stacks(contexts, value, contexts.frames)
    # Frames are numbered as they are met.
    numbers = {}
    samples = []
    for node in stacks:
        stack = [numbers.setdefault(frame, len(numbers))
                 for frame in contexts.stack(node)]
        samples.append(str(stack))
    frames = [{"name": function or f"{filename}:{line}", "file": filename,
               "line": line} for filename, line, function
              in map(contexts.frames.__getitem__, numbers)]
    profile = {
        "type": "sampled",
        "name": value,
        "unit": "bytes" if value.endswith("size") else "none",
        "startValue": 0,
        "endValue": sum(stacks.values()),
    }
    head = {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": "tracemalloc",
        "shared": {"frames": frames},
    }
    stream.write(f'{json.dumps(head)[:-1]}, "profiles": '
                 f'[{json.dumps(profile)[:-1]}, "samples": [')
    _write_joined(stream, samples, ", ")
    stream.write(f'], "weights": {list(stacks.values())}}}]}}\n')


# Name of a format -> function of a snapshot and a text stream.
FORMATS = {
    "json": export_json,
    "csv": export_csv,
    "collapsed": export_collapsed,
    "speedscope": export_speedscope,
}
