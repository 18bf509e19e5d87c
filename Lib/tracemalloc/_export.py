"""Snapshots as text that other programs read.

    export_json         one object with everything that the snapshot knows
    export_csv          a table, one line per context
    export_collapsed    "frame;frame;frame number", for flame graphs
    export_speedscope   what the viewer of that name loads

Each takes a Snapshot and a text stream, and writes line by line.  Contexts are
the places that allocated: one call path, with an instruction, a thread and an
address space.  They come in the order of live bytes, then blocks, descending,
then call path, so that equal snapshots give equal text.

Sizes are bytes.  Time: O(contexts times frames).  Nothing is written to the
snapshot, so that several threads may export one.

Doc/library/tracemalloc-format.rst describes the formats.
"""

from tracemalloc._columns import MAX_DEPTH, Picture

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


class _Contexts:
    """The contexts of a snapshot, and how to show them."""

    def __init__(self, snapshot):
        traces = snapshot.traces
        self.picture = traces._picture
        if self.picture is not None:
            self._limit = traces._limit
        else:
            self.picture = Picture.from_raw(traces._traces)
            self._limit = MAX_DEPTH
        self._columns = dict(zip(FIGURES, self.picture.live()))
        for figure, name in _COLUMN_OF.items():
            column = getattr(self.picture, name)
            if column is not None:
                self._columns[figure] = column

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

    def frames(self, context):
        """Return (file, line, function) of each frame, the oldest first."""
        picture, names = self.picture, self.picture.names
        found = [(names[picture.context_file[context]],
                  picture.context_line[context],
                  names[picture.context_function[context]])]
        at = picture.context_path[context]
        while at and len(found) < self._limit:
            found.append((names[picture.path_file[at]], picture.path_line[at],
                          names[picture.path_function[at]]))
            at = picture.path_parent[at]
        return found[::-1]

    def in_order(self):
        """Yield (context, frames); contexts without any number are left out.

        One call path that allocated in several contexts comes several times.
        """
        self.picture.afford_contexts(range(len(self.picture)), self._limit)
        columns = list(self._columns.values())
        size, count = columns[:2]
        rows = [(-size[context], -count[context], self.frames(context),
                 context)
                for context in range(len(self.picture))
                if any(column[context] for column in columns)]
        rows.sort()
        for _, _, frames, context in rows:
            yield context, frames

    def place(self, context):
        """Return (end line, column, end column), each None if not known."""
        picture = self.picture
        return tuple(None if number < 0 else number for number in (
            picture.context_end_line[context], picture.context_column[context],
            picture.context_end_column[context]))

    def thread(self, context):
        return self.picture.names[self.picture.context_thread[context]] or None

    def depth(self, context):
        return self.picture.context_depth[context] or None


def _printable(text):
    """Return *text* without what no encoding has: lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _label(frame):
    """Return how a frame is named in stacks."""
    filename, line, function = frame
    where = f"{filename}:{line}"
    return f"{function} ({where})" if function else where


def export_json(snapshot, stream):
    """Write all that the snapshot knows, as one JSON object."""
    import json

    contexts = _Contexts(snapshot)
    figures = contexts.figures()
    head = {
        "tracemalloc": 1,
        "metadata": snapshot.metadata,
        "traceback_limit": snapshot.traceback_limit,
        "total_size": sum(contexts.figure("size")),
        "total_count": sum(contexts.figure("count")),
    }
    stream.write(json.dumps(head)[:-1] + ', "contexts": [')
    separator = "\n"
    for context, frames in contexts.in_order():
        row = {figure: contexts.figure(figure)[context] for figure in figures}
        row["domain"] = contexts.picture.context_domain[context]
        row["thread"] = contexts.thread(context)
        row["total_nframe"] = contexts.depth(context)
        row["traceback"] = [
            {"filename": filename, "lineno": line,
             "function": function or None}
            for filename, line, function in frames]
        row["traceback"][-1].update(zip(
            ("end_lineno", "column", "end_column"), contexts.place(context)))
        stream.write(separator + json.dumps(row))
        separator = ",\n"
    stream.write("\n]}\n")


def export_csv(snapshot, stream):
    """Write a table with a head line; what is not known is empty.

    Open a file for it with newline="".
    """
    import csv

    contexts = _Contexts(snapshot)
    known = contexts.figures()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow([*FIGURES, "domain", "thread", "filename", "lineno",
                    "end_lineno", "column", "end_column", "function",
                    "traceback"])
    for context, frames in contexts.in_order():
        numbers = [contexts.figure(figure)[context] if figure in known
                   else None for figure in FIGURES]
        filename, line, function = frames[-1]
        stack = ";".join(map(_stack_label, frames))
        table.writerow([
            *numbers, contexts.picture.context_domain[context],
            _printable(contexts.thread(context) or ""), _printable(filename),
            line, *contexts.place(context), _printable(function), stack])


def _stack_label(frame):
    # These separate frames and lines.
    label = _printable(_label(frame)).replace(";", ",")
    return "".join(character if character.isprintable() else "?"
                   for character in label)


def _stacks(snapshot, value):
    """Return {labels: number}: call paths with the same labels are one."""
    contexts = _Contexts(snapshot)
    numbers = contexts.figure(value)
    stacks = {}
    for context, frames in contexts.in_order():
        if numbers[context]:
            key = tuple(frames)
            stacks[key] = stacks.get(key, 0) + numbers[context]
    return stacks


def export_collapsed(snapshot, stream, value="size"):
    """Write one line per call path: its frames, the oldest first, a number.

    *value* is one of FIGURES; call paths where it is 0 are left out.  A frame
    is 'function (file:line)', or 'file:line' if functions are not known.

    Raises ValueError if the snapshot does not tell *value*.
    """
    lines = {}
    for frames, number in _stacks(snapshot, value).items():
        stack = ";".join(map(_stack_label, frames))
        lines[stack] = lines.get(stack, 0) + number
    for stack, number in lines.items():
        stream.write(f"{stack} {number}\n")


def export_speedscope(snapshot, stream, value="size"):
    """Write a profile for speedscope; call paths are its samples.

    *value* is that of export_collapsed(), as are errors.
    """
    import json

    stacks = _stacks(snapshot, value)
    numbers = {}
    samples = [[numbers.setdefault(frame, len(numbers)) for frame in frames]
               for frames in stacks]
    frames = [{"name": function or f"{filename}:{line}", "file": filename,
               "line": line} for filename, line, function in numbers]
    stream.write(json.dumps({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": "tracemalloc",
        "shared": {"frames": frames},
        "profiles": [{
            "type": "sampled",
            "name": value,
            "unit": "bytes" if value.endswith("size") else "none",
            "startValue": 0,
            "endValue": sum(stacks.values()),
            "samples": samples,
            "weights": list(stacks.values()),
        }],
    }) + "\n")


# Name of a format -> function of a snapshot and a text stream.
FORMATS = {
    "json": export_json,
    "csv": export_csv,
    "collapsed": export_collapsed,
    "speedscope": export_speedscope,
}
