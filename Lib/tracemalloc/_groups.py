"""Statistics in columns: contexts put into groups, and figures added up.

A group is named by raw frames, the newest first.  Those of lines and files are
what programs have always got, and so are those of tracebacks, as many as the
traceback limit allows; but in columns these are named by a number of a
CallPaths, and their frames are made when somebody looks:

    'lineno'      ((file name, line),)
    'filename'    ((file name, 0),)
    'traceback'   number, or ((file name, line), ...) of raw traces

The others are one frame of three items, the last of them not a line but a
name or '':

    'function'    ((file name, 0, qualified name),)
    'module'      ((top-level package or module, 0, ''),)
    'thread'      ((thread name, 0, ''),)
    'account'     ((account name, 0, ''),)
    'domain'      (('domain N', 0, ''),)

All work is per context or per path, and most of it is done by functions that
loop in C.
"""

from itertools import compress, count

import _tracemalloc

from tracemalloc._columns import (
    COLUMNS, Members, as_buffer, numbered, picked, summed, values_of)

KEY_TYPES = ("traceback", "lineno", "filename",
             "function", "module", "thread", "account", "domain")

# Those that can be told from raw traces without making columns of them.
RAW_KEY_TYPES = ("traceback", "lineno", "filename")

# Key types whose groups also make sense for callers.
CUMULATIVE = ("lineno", "filename", "function", "module")

# What tells frames of a group apart.
_COLUMNS = {
    "lineno": ("file", "line"), "filename": ("file",),
    "function": ("file", "function"), "module": ("file",),
}

# How often a block counts for a group that is k times on its call path, for
# _sum_callers(): k times, once, k * k times.
_EACH_TIME, _ONCE, _SQUARED = range(3)

# Where the figures of a group come from, besides live size and count.
TOTALS = {
    "allocated_size": "context_allocated_bytes",
    "allocated_count": "context_allocated_blocks",
    "freed_size": "context_freed_bytes",
    "freed_count": "context_freed_blocks",
    "peak_size": "context_peak_bytes",
    "peak_count": "context_peak_blocks",
}

# What stands between an import statement and the module's code.
MACHINERY = ("<frozen importlib._bootstrap>",
             "<frozen importlib._bootstrap_external>", "<frozen zipimport>")
# Folders that packages are installed in.
PACKAGES = ("site-packages", "dist-packages")

# More folders than these are not those of an interpreter's sys.path.
_MOST_FOLDERS = 2000

UNKNOWN = "<unknown>"
NO_ACCOUNT = "<no account>"


def module_parts(filename, folders):
    """Return the parts of the name of the module that a file is, in a list.

    *folders* are those that modules were imported from, sys.path.  What is in
    none of them is told from the usual names of such folders; failing that,
    a file is a module of its own.
    """
    if filename.startswith("<"):
        inside = filename.removeprefix("<frozen ").removesuffix(">")
        return [filename] if "<" in inside else inside.split(".")
    filename = filename.replace("\\", "/")
    inside = ""
    for folder in folders:
        folder = folder.replace("\\", "/").rstrip("/") + "/"
        if filename.startswith(folder):
            rest = filename[len(folder):]
            if not inside or len(rest) < len(inside):
                inside = rest
    parts = inside.split("/") if inside else _parts_of_import(filename)
    parts[-1] = parts[-1].partition(".")[0]
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return parts


def module_of(filename, folders):
    """Return the top-level package or module that a file belongs to.

    *folders* are those that modules were imported from, as module_parts() has
    them.
    """
    first = module_parts(filename, folders)[0]
    return first if first.startswith("<") else first.partition(".")[0]


def _parts_of_import(filename):
    parts = filename.split("/")
    for index in range(len(parts) - 2, -1, -1):
        if (parts[index] in PACKAGES
                or parts[index].startswith("python3.")):
            return parts[index + 1:]
    if parts[-1].startswith("__init__.") and len(parts) > 1:
        return parts[-2:]
    return parts[-1:]


# Metadata may come from a file or a program: what makes no sense is not there.


def interval_in(metadata):
    interval = metadata.get("sample_interval")
    return interval if type(interval) is int and interval > 0 else None


def folders_in(metadata):
    """Return the folders that modules were imported from, as metadata tell.

    Each file is compared with all of them, and metadata come from files: what
    is too many to search for modules in is none of an interpreter.
    """
    folders = metadata.get("path")
    if not isinstance(folders, (list, tuple)):
        return ()
    return [folder for folder in folders[:_MOST_FOLDERS]
            if isinstance(folder, str)]


class Groups:
    """The groups of a snapshot's data, and what is in them.

    names      -- raw frames of each group, or number of its call path
    limit      -- how many frames of a call path count
    metadata   -- that of the snapshot
    call_paths -- CallPaths to get numbers from, if they are to be compared
                  with those of another snapshot

    Groups of contexts without live blocks are left out if *live_only*.
    """

    tells_more = True

    def __init__(self, data, key_type, cumulative, limit, metadata,
                 call_paths=None, live_only=True):
        if key_type == "traceback" and call_paths is None:
            from tracemalloc._stacks import CallPaths

            call_paths = CallPaths(limit)
        self.call_paths = call_paths
        self._whole_args = (data, key_type, cumulative, limit, metadata,
                            call_paths)
        self._data = data
        self._cumulative = cumulative
        self.interval = interval_in(metadata)
        self._key_type = key_type
        self._limit = limit

        self._figures = {}
        self._members = self._functions = self._number_of = None
        self._contexts = range(len(data))
        self._members_by_path = {}
        size, number = data.live()
        self._selectors = number if live_only and 0 in number else None
        if self._selectors is not None:
            self._contexts = as_buffer("I", compress(self._contexts, number))
        self._whole = None
        self._group(folders_in(metadata))
        for name, column in ("size", size), ("count", number):
            self._figures[name] = self._sum(column)

    def _of_contexts(self, name):
        """Return a column of contexts, dead ones left out."""
        column = as_buffer(COLUMNS[name], getattr(self._data, name))
        if self._selectors is None:
            return column
        return picked(COLUMNS[name], column, self._contexts)

    # Names

    def _group(self, folders):
        if self._key_type == "traceback":
            data = self._data
            numbers = self.call_paths.add(data, self._selectors)
            self._groups_of, first = numbered(numbers)
            self.names = picked("I", numbers, first).tolist()
            return
        keys = (self._keys_of_stacks() if self._cumulative
                else self._keys_of_contexts())
        self._name(keys, folders)

    def _keys_of_contexts(self):
        """Return what tells groups apart, where contexts have groups only."""
        columns = _COLUMNS.get(self._key_type, (self._key_type,))
        if columns == ("account",) and self._data.context_account is None:
            # There was none.
            self._groups_of = as_buffer("I", [0] * len(self._contexts))
            return [(0,)][:len(self._contexts)]
        found = [self._of_contexts(f"context_{name}") for name in columns]
        self._groups_of, first = numbered(*found)
        return list(zip(*(map(column.__getitem__, first)
                          for column in found)))

    def _keys_of_stacks(self):
        """Return what tells groups apart, where callers have groups too."""
        from array import array

        from tracemalloc._stacks import Stacks

        columns = _COLUMNS[self._key_type]
        self._stacks = stacks = Stacks(self._data, self._limit, columns,
                                       self._selectors)
        by_node = [stacks.column(name)[1:] for name in columns]
        numbers, first = numbered(*by_node)
        # The root is in no group: whatever stands there is not looked at.
        self._group_of_node = array("I", (0,)) + numbers
        self._groups_of = picked("I", self._group_of_node, stacks.nodes)
        return [tuple(number - (number >> 31 << 32) if name == "line"
                      else number for name, number in zip(columns, key))
                for key in zip(*(map(column.__getitem__, first)
                                 for column in by_node))]

    def _name(self, keys, folders):
        """Make names of keys; groups whose names turn out equal are one."""
        names = self._data.names
        key_type = self._key_type
        if key_type == "lineno":
            labels = [((names[file], line),) for file, line in keys]
        elif key_type == "filename":
            labels = [((names[file], 0),) for file, in keys]
        elif key_type == "function":
            labels = [((names[file], 0, names[function]),)
                      for file, function in keys]
        elif key_type == "module":
            labels = [((module_of(names[file], folders), 0, ""),)
                      for file, in keys]
        elif key_type == "thread":
            labels = [((names[thread] or UNKNOWN, 0, ""),)
                      for thread, in keys]
        elif key_type == "account":
            labels = [((names[account] or NO_ACCOUNT, 0, ""),)
                      for account, in keys]
        else:
            labels = [((f"domain {domain}", 0, ""),) for domain, in keys]

        self.names = labels
        if len(set(labels)) < len(labels):
            merged = dict(zip(dict.fromkeys(labels), count()))
            self.names = list(merged)
            into = list(map(merged.__getitem__, labels))
            self._groups_of = picked("I", into, self._groups_of)
            if self._cumulative:
                # The root has a number that means nothing; see above.
                self._group_of_node = picked("I", into, self._group_of_node)

    # Figures

    def figure(self, name):
        """Return the list of a figure of all groups; None if not known."""
        if name not in self._figures:
            self._figures[name] = self._total(name)
        return self._figures[name]

    def _total(self, name):
        if name in ("size_error", "count_error"):
            return self._error(name)
        column = getattr(self._data, TOTALS[name])
        if column is None:
            return None
        whole = self.whole()
        if whole is self:
            return self._sum(column)
        figure = whole.figure(name)
        number_of = whole.number_of()
        return [figure[number_of[frames]] for frames in self.names]

    def _error(self, name):
        """Return the standard errors of a figure; None if it is exact."""
        if self.interval is None:
            return None
        variances = self._data.variances(self.interval)
        if variances is None:
            return None
        sums = self._sum(variances[name == "count_error"], power=2)
        return [variance ** 0.5 for variance in sums]

    def whole(self):
        """Return the groups of all contexts, those with nothing live too."""
        if self._selectors is None:
            return self
        if self._whole is None:
            self._whole = Groups(*self._whole_args, live_only=False)
            if self.call_paths is None:
                self._whole.spell_out()
        return self._whole

    def number_of(self):
        """Return {raw frames: number of the group}."""
        if self._number_of is None:
            self._number_of = dict(zip(self.names, count()))
        return self._number_of

    def _sum(self, column, power=1):
        """Return a list of the sums of a column by group.

        What counts n times in a group counts n ** power times.
        """
        values = values_of(column, self._contexts, len(self._data))
        number = len(self.names)
        if number == 0:
            return []
        if not self._cumulative:
            return summed(lambda values: _tracemalloc._sum_rows(
                self._groups_of, number, values), values)
        if not number:
            # The root has a number of a group even where there is none.
            return []
        # Lines and files count once per frame, as they always did; of a
        # function or module one wants to know its share.
        weight = _ONCE
        if self._key_type in ("lineno", "filename"):
            weight = _EACH_TIME if power == 1 else _SQUARED
        return summed(lambda values: _tracemalloc._sum_callers(
            self._stacks.parents, self._group_of_node, number,
            self._stacks.nodes, values, weight), values)

    # Frames

    def spell_out(self):
        """Name all groups by raw frames, also where numbers would do."""
        if self.call_paths is not None:
            self.names = [frames[::-1] for frames
                          in self.call_paths.spell_out(self.names)]
            self.call_paths = None

    def frame_details(self, group, index):
        """Return what a frame of a group's traceback tells besides its line.

        That is (function, end line, column, end column), each None if it is
        not known or not the same in the whole group.  The newest frame has
        index 0.
        """
        if self._key_type == "traceback":
            return _in_common([
                self._data.frame_details(context, index)
                for context in self._contexts_of(group, of_callers=index > 0)])
        if self._key_type != "lineno":
            return NO_DETAILS
        if self._cumulative:
            return self._function_at(self.names[group][0]), None, None, None
        return self._data.details_in_common(self._contexts_of(group))

    def _contexts_of(self, group, of_callers=False):
        """Return the contexts of a group; one per path if *of_callers*."""
        if self._members is None:
            self._members = Members(self._groups_of, len(self.names))
        if not of_callers:
            return self._contexts_at(self._members[group])
        if group not in self._members_by_path:
            path = self._data.context_path
            self._members_by_path[group] = list(
                {path[number]: number for number
                 in self._contexts_at(self._members[group])}.values())
        return self._members_by_path[group]

    def _contexts_at(self, places):
        """Return the numbers of contexts, dead ones left out before."""
        if self._selectors is None:
            return places
        return picked("I", self._contexts, places)

    def _function_at(self, frame):
        if self._functions is None:
            data, names = self._data, self._data.names
            functions = {}
            for table in "path", "context":
                file, line, function = (
                    getattr(data, f"{table}_{name}")
                    for name in ("file", "line", "function"))
                for key in dict.fromkeys(zip(file, line, function)):
                    functions.setdefault(
                        (names[key[0]], key[1]), set()).add(names[key[2]])
            self._functions = functions
        found = self._functions[frame]
        return min(found) or None if len(found) == 1 else None


# What is told of a frame of which nothing is known but its line.
NO_DETAILS = None, None, None, None


def _in_common(details):
    return tuple(values[0] if len(set(values)) == 1 else None
                 for values in zip(*details))


# Raw traces


# How a key type names the group of a block: raw frames -> raw frames.
_GROUP_NAMES = {
    "traceback": lambda frames: frames,
    "lineno": lambda frames: frames[:1],
    "filename": lambda frames: ((frames[0][0], 0),),
}


class RawGroups:
    """The groups of raw traces; see Groups, which it stands in for."""

    tells_more = False
    interval = call_paths = None

    def __init__(self, raw_traces, key_type, cumulative):
        groups = _add_up(raw_traces, _GROUP_NAMES[key_type], cumulative)
        self.names = list(groups)
        self._figures = {"size": [size for size, _ in groups.values()],
                         "count": [number for _, number in groups.values()]}

    def figure(self, name):
        return self._figures.get(name)

    def whole(self):
        return self

    def spell_out(self):
        """Names are raw frames already."""


def _sum_any(raw_traces):
    """Return [frames, size, blocks] for each, whatever the numbers are."""
    sums = {}
    for trace in raw_traces:
        entry = sums.setdefault(id(trace[2]), [trace[2], 0, 0])
        entry[1] += trace[1]
        entry[2] += 1
    return sums.values()


def _add_up(raw_traces, name_group, cumulative):
    """Return {group name: [size, count]} for *raw_traces*.

    Snapshots share one frames tuple among the blocks of a call path, so blocks
    are first added up by the identity of that tuple, in C; what is left to do
    is O(call paths).
    """
    found = _tracemalloc._sum_traces(raw_traces)
    found = zip(*found[:3]) if found else _sum_any(raw_traces)
    groups = {}
    for path, size, number in found:
        # Each frame of a call path counts as a call path of its own.
        parts = zip(path) if cumulative else (path,)
        for name in map(name_group, parts):
            total = groups.setdefault(name, [0, 0])
            total[0] += size
            total[1] += number
    return groups
