"""Snapshots as text that other programs read.

    export_json         one object with everything that the snapshot knows
    export_csv          a table, one line per context
    export_collapsed    "frame;frame;frame number", for flame graphs
    export_speedscope   what the viewer of that name loads
    export_gecko        what the Firefox Profiler loads

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

from functools import cache, partial, reduce
from itertools import repeat
from operator import itemgetter, neg, or_

import _tracemalloc

from tracemalloc._columns import (
    CONTEXTS, as_buffer, numbered, numbers_at, picked)
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


# What contexts at one place have alike, besides the account.
_SITE = ("file", "line", "function", "end_line", "column", "end_column",
         "domain", "thread")

# How many contexts are looked at at once, and characters written.
_PART = 512
_AT_ONCE = 1 << 17


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
        # Of each there will be a text, with a name that many may have.
        self.data.afford(
            sum(len(filename) + len(function)
                for filename, _, function in self.frames) // 8,
            "names of lines")

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
        """Yield (contexts, node of the stack of each), some at a time.

        One call path that allocated in several contexts comes several times.
        """
        stacks = self.stacks
        contexts = as_buffer("I", stacks.contexts)
        ranks = picked("I", stacks.ranks(self.newest), stacks.nodes)
        size, count = (map(neg, numbers_at(self._columns[name], contexts))
                       for name in ("size", "count"))
        order = as_buffer("I", list(map(itemgetter(3), sorted(
            zip(size, count, ranks, range(len(ranks)))))))
        for start in range(0, len(order), _PART):
            if self._progress is not None:
                self._progress(start, len(order))
            part = order[start:start + _PART]
            yield (picked("I", contexts, part),
                   picked("I", stacks.nodes, part))

    def stack(self, node, items):
        """Return what frames of a stack have, the oldest first.

        *items* is a list of something for each frame.
        """
        return _tracemalloc._list_stack(self.stacks.parents, self.newest,
                                        items, node)

    def sites(self, show):
        """Return the number of a site by context, and the list of sites.

        A site is what show() returns for what contexts have alike, which are
        many: file, line, function, end line, column, end column, domain,
        thread and account.  None, or '' of a name, is what is not known.
        """
        data, names = self.data, self.data.names
        columns = [as_buffer(CONTEXTS[f"context_{name}"],
                             getattr(data, f"context_{name}"))
                   for name in _SITE]
        if data.context_account is not None:
            columns.append(as_buffer("I", data.context_account))
        numbers, first = numbered(*columns)
        sites = []
        for (file, line, function, *position, domain, thread, account
             ) in zip(*(map(column.__getitem__, first) for column in columns),
                      *([repeat(0)] * (len(_SITE) + 1 - len(columns)))):
            sites.append(show(
                names[file], line, names[function],
                *(None if number < 0 else number for number in position),
                domain, names[thread], names[account]))
        return numbers, sites

    def rows(self, show, figures):
        """Yield (node, site, depth, figures) of each context, in order.

        *figures* are the columns of these, and *show* that of sites().
        """
        numbers, sites = self.sites(show)
        depths = as_buffer("I", self.data.context_depth)
        for contexts, nodes in self.in_order():
            yield from zip(
                nodes,
                map(sites.__getitem__, picked("I", numbers, contexts)),
                picked("I", depths, contexts),
                zip(*(numbers_at(column, contexts) for column in figures)))


def _printable(text):
    """Return *text* without what no encoding has: lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _label(frame):
    """Return how a frame is named in stacks."""
    filename, line, function = frame
    where = f"{filename}:{line}"
    return f"{function} ({where})" if function else where


def _write_joined(stream, texts, separator):
    """Write texts with separators between: many, or long ones, or both."""
    before, part, size = "", [], 0
    for text in texts:
        part.append(text)
        size += len(text)
        if size >= _AT_ONCE:
            stream.write(before + separator.join(part))
            before, part, size = separator, [], 0
    if part:
        stream.write(before + separator.join(part))


def _json_rows(contexts):
    """Yield the contexts as JSON."""
    from json import dumps

    # Sites share the text of a name, which can be long in a hostile file.
    quoted = cache(lambda name: dumps(name or None))
    filenames = cache(dumps)

    def texts_of_site(filename, line, function, end_line, column, end_column,
                      domain, thread, account):
        position = dumps({"end_lineno": end_line, "column": column,
                          "end_column": end_column})
        return (str(domain), quoted(thread), quoted(account),
                filenames(filename), str(line), quoted(function), position[1:])

    texts = [dumps({"filename": filename, "lineno": line,
                    "function": function or None}) + ", "
             for filename, line, function in contexts.frames]
    parents = contexts.stacks.parents
    figures = contexts.figures()
    pattern = "".join(f'"{figure}": %d, ' for figure in figures)
    for (node, (domain, thread, account, filename, line, function, position),
         depth, numbers) in contexts.rows(
             texts_of_site, list(map(contexts.figure, figures))):
        callers = "".join(contexts.stack(parents[node], texts))
        yield (f'{{{pattern % numbers}"domain": {domain}, '
               f'"thread": {thread}, "account": {account}, '
               f'"total_nframe": {depth or "null"}, "traceback": [{callers}'
               f'{{"filename": {filename}, "lineno": {line}, '
               f'"function": {function}, {position}]}}')


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


# Not printable, so that it is in no label.
_QUOTED = "\0"


def _text_cell(text):
    return _cell(_no_formula(_printable(text)))


def _csv_rows(contexts):
    """Yield the contexts as lines of CSV, without their ends."""
    # Not by module csv, which looks at every character of every call path.

    # Sites share the text of a name, which can be long in a hostile file.
    cell = cache(_text_cell)

    def texts_of_site(filename, line, function, end_line, column, end_column,
                      domain, thread, account):
        return (str(domain), cell(thread), cell(account), cell(filename),
                ",".join(map(_cell, (line, end_line, column, end_column))),
                cell(function))

    labels = list(map(_stack_label, contexts.frames))
    # A label that has to be quoted has a character of its own in front, which
    # no label has: it is seen in what they are joined to.
    labels = [label if _cell(label) == label
              else _QUOTED + label.replace('"', '""') for label in labels]
    known = contexts.figures()
    pattern = ",".join("%d" if figure in known else "" for figure in FIGURES)
    for node, site, _, numbers in contexts.rows(
            texts_of_site, list(map(contexts.figure, known))):
        text = ";".join(contexts.stack(node, labels))
        if _QUOTED in text:
            text = f'"{_no_formula(text.replace(_QUOTED, ""))}"'
        else:
            text = _no_formula(text)
        yield ",".join((pattern % numbers, *site, text))


def export_csv(snapshot, stream, *, progress=None):
    """Write a table with a head line; what is not known is empty.

    Open a file for it with newline="".
    """
    head = [*FIGURES, "domain", "thread", "account", "filename", "lineno",
            "end_lineno", "column", "end_column", "function", "traceback"]
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
    sums, first = {}, {}
    for part, nodes in contexts.in_order():
        for node, path, number in zip(nodes, picked("I", merged, nodes),
                                      numbers_at(numbers, part)):
            if number:
                first.setdefault(path, node)
                sums[path] = sums.get(path, 0) + number
    return dict(zip(first.values(), sums.values()))


def export_collapsed(snapshot, stream, value="size", *, progress=None):
    """Write one line per call path: its frames, the oldest first, a number.

    *value* is one of FIGURES; call paths where it is 0 are left out.  A frame
    is 'function (file:line)', or 'file:line' if functions are not known.

    Raises ValueError if the snapshot does not tell *value*.
    """
    contexts = _Contexts(snapshot, progress)
    labels = list(map(_stack_label, contexts.frames))
    _write_joined(stream, (
        f"{';'.join(contexts.stack(node, labels))} {number}\n"
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
    every = list(range(len(contexts.frames)))
    samples = []
    for node in stacks:
        stack = [numbers.setdefault(frame, len(numbers))
                 for frame in contexts.stack(node, every)]
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


# The version of the profiler's "processed" format that is written; later
# profilers bring older files up to date.
_GECKO_VERSION = 57
# The default category is the one in grey.  (name, colour)
_CATEGORIES = (("Other", "grey"), ("Program", "blue"), ("Installed", "green"))


def _table(length, **columns):
    """Return a table as the profiler has them, as JSON; of text or values."""
    from json import dumps

    parts = (f'"{name}": '
             + (column if isinstance(column, str) else dumps(column))
             for name, column in columns.items())
    return "{" + "".join(f"{part}, " for part in parts) + (
        f'"length": {length}}}')


def _same(value, length):
    """Return a column of equal values, as JSON."""
    return "[" + ", ".join([value] * length) + "]"


class _Gecko:
    """The tables of a thread of the Firefox Profiler.

    Stacks are those of the snapshot, in the order of their frames, so that
    equal snapshots give equal text; the root is none.
    """

    def __init__(self, contexts, folders):
        self.contexts, self._folders = contexts, folders
        self._strings = {}
        ranks = contexts.stacks.ranks(contexts.newest)
        self.order = sorted(range(1, len(ranks)), key=ranks.__getitem__)
        self.index = {node: index for index, node in enumerate(self.order)}
        # The root has the number of a frame that none else may have.
        self._used = sorted({contexts.newest[node] for node in self.order})

    def string(self, text):
        return self._strings.setdefault(text, len(self._strings))

    def strings(self):
        return list(self._strings)

    def stacks(self):
        contexts, index = self.contexts, self.index
        parents = contexts.stacks.parents
        number = {frame: index for index, frame in enumerate(self._used)}
        return _table(
            len(self.order),
            frame=[number[contexts.newest[node]] for node in self.order],
            prefix=[index.get(parents[node]) for node in self.order])

    def functions_and_frames(self):
        """Return the tables of functions and of frames."""
        from tracemalloc._installed import is_installed

        frames = [self.contexts.frames[frame] for frame in self._used]
        functions, known = {}, {}
        of_frames = []
        for filename, line, function in frames:
            name = function or f"{filename}:{line}"
            of_frames.append(functions.setdefault((name, filename),
                                                  len(functions)))
            if filename not in known:
                known[filename] = 1 + is_installed(filename, self._folders)
        number = len(functions)
        of_functions = _table(
            number, name=[self.string(name) for name, _ in functions],
            isJS=_same("false", number), relevantForJS=_same("false", number),
            resource=_same("-1", number),
            fileName=[self.string(filename) for _, filename in functions],
            lineNumber=_same("null", number),
            columnNumber=_same("null", number))
        number = len(frames)
        return of_functions, _table(
            number, address=_same("-1", number),
            inlineDepth=_same("0", number),
            category=[known[filename] for filename, _, _ in frames],
            subcategory=_same("0", number), func=of_frames,
            nativeSymbol=_same("null", number),
            innerWindowID=_same("null", number),
            line=[line or None for _, line, _ in frames],
            column=_same("null", number))

    def samples(self, value, progress):
        """Return the members of a thread that have samples or allocations.

        Bytes are allocations, and blocks are samples; all of them at the
        moment of the snapshot.
        """
        contexts = self.contexts
        own = contexts.stacks.own(contexts.figure(value))
        found = [(self.index[node], own[node]) for node in self.order
                 if own[node]]
        if progress is not None:
            progress(len(found) // 2, len(found) or 1)
        number = len(found)
        columns = {"time": _same("0", number),
                   "stack": [stack for stack, _ in found],
                   "weight": [number for _, number in found]}
        if value.endswith("size"):
            empty = _table(0, time=[], stack=[], weight=None,
                           weightType='"samples"')
            table = _table(number, **columns, weightType='"bytes"')
            return f'"samples": {empty}, "nativeAllocations": {table}'
        table = _table(number, **columns, weightType='"samples"')
        return f'"samples": {table}'


def _gecko_meta(metadata, value):
    from shlex import join

    command = metadata.get("command")
    if not (isinstance(command, list)
            and all(isinstance(word, str) for word in command)):
        command = []
    seconds = metadata.get("time")
    known = type(seconds) in (int, float) and abs(seconds) < 1e12
    return {
        "interval": 1, "startTime": round(1000 * seconds) if known else 0,
        "processType": 0, "product": join(command) or "Python",
        "stackwalk": 1, "debug": False, "version": 31,
        "preprocessedProfileVersion": _GECKO_VERSION,
        "categories": [{"name": name, "color": color,
                        "subcategories": ["Other"]}
                       for name, color in _CATEGORIES],
        "markerSchema": [], "symbolicated": True,
        "symbolicationNotSupported": True, "usesOnlyOneStackType": True,
        "sourceCodeIsNotOnSearchfox": True, "importedFrom": "tracemalloc",
        "extra": [{"label": "tracemalloc", "entries": [
            {"label": "figure", "format": "string", "value": value}]}],
    }


def export_gecko(snapshot, stream, value="size", *, progress=None):
    """Write a profile for the Firefox Profiler: one thread, all at a moment.

    Bytes become allocations, the "native" ones of its call tree, and blocks
    become samples.  *value* is that of export_collapsed(), as are errors.
    """
    import json

    from tracemalloc._groups import folders_in

    metadata = snapshot.metadata
    gecko = _Gecko(_Contexts(snapshot, progress), folders_in(metadata))
    samples = gecko.samples(value, progress)
    functions, frames = gecko.functions_and_frames()
    pid = metadata.get("pid")
    thread = {
        "processType": "default", "processStartupTime": 0,
        "processShutdownTime": None, "registerTime": 0,
        "unregisterTime": None, "pausedRanges": [],
        "name": value.replace("_", " "), "isMainThread": True,
        "pid": str(pid if type(pid) is int else 0), "tid": 0,
    }
    head = json.dumps({"meta": _gecko_meta(metadata, value), "libs": []})
    strings = json.dumps({"stringArray": gecko.strings()})
    stream.write(f'{head[:-1]}, "shared": {strings}, "threads": [')
    stream.write(f"{json.dumps(thread)[:-1]}, {samples}, ")
    stream.write(f'"stackTable": {gecko.stacks()}, ')
    stream.write(f'"funcTable": {functions}, "frameTable": {frames}, ')
    for name, columns in _EMPTY_TABLES.items():
        empty = _table(0, **dict.fromkeys(columns, "[]"))
        stream.write(f'"{name}": {empty}'
                     + ("}]}\n" if name == "nativeSymbols" else ", "))


# What programs in Python have not: {table: columns}.
_EMPTY_TABLES = {
    "markers": ("data", "name", "startTime", "endTime", "phase", "category"),
    "resourceTable": ("lib", "name", "host", "type"),
    "nativeSymbols": ("libIndex", "address", "name", "functionSize"),
}


# Name of a format -> function of a snapshot and a text stream.
FORMATS = {
    "json": export_json,
    "csv": export_csv,
    "collapsed": export_collapsed,
    "speedscope": export_speedscope,
    "gecko": export_gecko,
}
