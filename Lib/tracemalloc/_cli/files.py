"""Loading snapshot files."""

import os
import shlex
import stat
import sys
import time
from functools import partial

import tracemalloc
from tracemalloc._cli import UsageError, mine, note
from tracemalloc._cli.programs import tell_difference, tell_limits
from tracemalloc._cli.screen import is_terminal, printable
from tracemalloc._filters import FilterSet
from tracemalloc._groups import NO_ACCOUNT
from tracemalloc._growth import Together
from tracemalloc._stacks import data_of
from tracemalloc._text import is_number

# Reading less does not take long enough to tell about.
_MUCH = 1 << 22
# Names that are listed when one is wrong.
_SHOWN = 8


# Seconds until it is told how far something is, and from one time to the next.
_PATIENCE, _PAUSE = 2.0, 0.2


class Progress:
    """A line on a terminal that says what takes so long, and goes away.

    What takes more than two seconds, and calls step(), says how far it is.
    """

    def __init__(self, text, clock=time.monotonic):
        self._text = printable(text)
        self._shown = False
        self._clock = clock
        self._next = clock() + _PATIENCE

    def step(self, done, total):
        """Tell that so many of all parts are done."""
        now = self._clock()
        if self._shown and now >= self._next:
            self._next = now + _PAUSE
            self._write(f"\r\033[K{self._text} ... {done / total:.0%}")

    def __enter__(self):
        if is_terminal(sys.stderr):
            self._write(f"\r\033[K{self._text} ...")
        return self

    def __exit__(self, *exc_info):
        if self._shown:
            self._write("\r\033[K")

    def _write(self, text):
        self._shown = True
        sys.stderr.write(text)
        sys.stderr.flush()


# What begins like this may be a snapshot or a record; names tell nothing.
_HEAD = 128
_RECORD = b"\x89TMR\r\n\x1a\n"
_OF_MODULES = b"tracemalloc"
# In our pickles, this stands behind the metadata.
_BEHIND, _OF_OURS = 1 << 16, b"ctracemalloc\nSnapshot\n"


def _head_of(path, size):
    """Return the first bytes of a regular file; b'' if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
                             | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError):
        return b""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        return os.read(descriptor, size)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def begins_as_snapshot(path):
    """Return whether a regular file begins as a snapshot or record does."""
    from tracemalloc._compact import MAGIC

    head = _head_of(path, _HEAD)
    if head.startswith((MAGIC, _RECORD)):
        return True
    # A pickle whose first object is one of ours.
    return (head.startswith((b"\x80", b"ctracemalloc", b"ccopy_reg"))
            and _OF_MODULES in head
            or head.startswith(b"\x80")
            and _OF_OURS in _head_of(path, _BEHIND))


def check_output(filename):
    """Raise UsageError if something else would take a snapshot's place.

    Also for "-", which nobody means to be a file.

    `report -o new.tmz old.tmz` is easily written, and what was in the file
    would be lost.
    """
    if filename == "-":
        raise UsageError("-: what is written needs a file: name it behind -o, "
                         "or ./- if that is its name")
    if begins_as_snapshot(filename):
        raise UsageError(f"{filename}: is a snapshot or record, and what is "
                         "written would take its place: name another file "
                         "behind -o, or remove it first")


def load(filename, options):
    """Return the Snapshot in a file, filtered; UsageError if there is none.

    The file may be a record; of a process by its number, or with those of the
    processes that it started.
    """
    if is_of_records(filename, options):
        return load_with_records(filename, options)[0]
    return chosen(filename, _load_file(filename, options), options)


def _load_file(filename, options):
    snapshot = reading(filename, lambda: tracemalloc.Snapshot.load(
        filename, max_size=options.max_size))
    _tell_children(filename, snapshot, options)
    return snapshot


def load_with_records(filename, options, choose=True):
    """Return what load() does, and the Pictures of the records it is of.

    Unless *choose*, all of it.
    """
    from tracemalloc._cli import records
    from tracemalloc._format import MAX_SIZE
    from tracemalloc._record import reader

    if is_of_records(filename, options):
        found = records.pictures(filename, options.children)
    # What is no file, such as a pipe, can be read once.
    elif os.path.isfile(filename) and reading(
            filename, lambda: reader.is_record(filename)):
        limit = MAX_SIZE if options.max_size is None else options.max_size
        found = [reading(filename, lambda: reader.read_bounded(filename,
                                                               limit))]
    else:
        found = []
        snapshot = _load_file(filename, options)
    if found:
        snapshot = records.snapshot_of(filename, found)
    if choose:
        snapshot = chosen(filename, snapshot, options)
    return snapshot, found


def is_of_records(filename, options):
    """Whether an argument stands for records that have to be found."""
    if is_process(filename) or os.path.isdir(filename):
        return True
    if not getattr(options, "children", False):
        return False
    from tracemalloc._record.reader import is_record

    return not os.path.isfile(filename) or reading(
        filename, lambda: is_record(filename))


def _tell_children(filename, snapshot, options):
    """Tell that --children finds none of what is a snapshot of one process.
    """
    if (getattr(options, "children", False)
            and "processes" not in snapshot.metadata):
        note(f"{filename} is a snapshot, to which --children adds nothing: "
             "to have all of a family in one, write it with dump --children "
             "PID")


def chosen(filename, snapshot, options):
    """Return what options let through of a snapshot."""
    snapshot = filtered(filename, snapshot, options)
    patterns = getattr(options, "mine", None)
    if patterns is not None:
        snapshot = mine.applied(filename, snapshot, patterns)
    return snapshot


def load_two(old, new, options):
    """Return the Snapshots in two files that are to be compared.

    Tells on standard error if they cannot well be.
    """
    snapshots = load(old, options), load(new, options)
    tell_difference(old, new, *snapshots)
    return snapshots


def load_one_or_two(options):
    """Return the Snapshots of options.file and of options.new, if any."""
    if options.new is None:
        return load(options.file, options),
    return load_two(options.file, options.new, options)


def both_of(options, old, new):
    """Return two snapshots Together; tell what of them is left out."""
    try:
        both = Together((old, new))
    except tracemalloc.SnapshotFormatError as error:
        raise UsageError(
            f"{options.file} and {options.new}: {error}") from None
    tell_limits(options.file, options.new, both)
    return both


def is_process(text):
    """Whether an argument is the number of a process, and no file."""
    return is_number(text) and not os.path.lexists(text)


def filtered(filename, snapshot, options):
    """Return what filters let through; tell which of them match nothing."""
    accounts = getattr(options, "accounts", None)
    if accounts:
        snapshot = _of_accounts(filename, snapshot, accounts)
    filters = getattr(options, "filters", None)
    return by_filters(filename, snapshot, filters) if filters else snapshot


def _of_accounts(filename, snapshot, accounts):
    """Return the part of some accounts; tell which of them there are not."""
    data, _ = data_of(snapshot)
    numbers = {*data.context_account} if data.context_account else {0}
    known = {data.names[number] or NO_ACCOUNT for number in numbers}
    for name in accounts:
        if name not in known:
            text = f"{filename}: there is no account {shlex.quote(name)}"
            found = sorted(known - {NO_ACCOUNT})
            if found:
                shown = ", ".join(map(shlex.quote, found[:_SHOWN]))
                text += f"; there are {shown}"
                if len(found) > _SHOWN:
                    text += (f" and {len(found) - _SHOWN} more, which "
                             "top -g account lists")
            else:
                text += ": it has none, or was written by a Python that "
                text += "knows none"
            note(text)
    return part_of_accounts(snapshot, accounts)


def part_of_accounts(snapshot, accounts):
    """Return what was allocated in accounts of such names."""
    return named_part(snapshot, "account", {
        "" if name == NO_ACCOUNT else name for name in accounts})


def named_part(snapshot, kind, wanted):
    """Return the part of a snapshot in threads or accounts of some names.

    *kind* is 'thread' or 'account'; '' is the name of what is in none.
    """
    data, limit = data_of(snapshot)
    column = getattr(data, f"context_{kind}")
    if column is None:
        column = [0] * len(data)
    numbers = {number for number, name in enumerate(data.names)
               if name in wanted}
    part = type(snapshot)._of(
        data.keep([number in numbers for number in column]), limit,
        dict(snapshot.metadata))
    part.traceback_limit = snapshot.traceback_limit
    return part


def by_filters(filename, snapshot, filters):
    """Return what Filters let through; tell which match nothing."""
    for each in filters:
        tell_unmatched(filename, each.inclusive, each.filename_pattern,
                       each.lineno, each.all_frames,
                       partial(_matches, snapshot))
    return snapshot.filter_traces(filters)


def _matches(snapshot, pattern, lineno, all_frames):
    one = tracemalloc.Filter(True, pattern, lineno, all_frames)
    traces = snapshot.traces
    if traces._data is None:
        # Asks once for the frames that blocks share.
        return any(map(FilterSet((one,)).keeps, traces._raw()))
    return any(one._match_contexts(traces._data, traces._limit))


def tell_unmatched(filename, inclusive, pattern, lineno, all_frames, matches):
    """Tell on standard error if a filter's pattern matches nothing.

    matches -- function of a pattern, a line, and whether to look at all
               frames: whether that matches anything
    """
    if matches(pattern, lineno, all_frames):
        return
    option = (("--include" if inclusive else "--exclude")
              + ("-traceback" if all_frames else ""))
    location = pattern if lineno is None else f"{pattern}:{lineno}"
    text = f"{filename}: {option} {shlex.quote(location)} matches nothing"
    if not all_frames and matches(pattern, lineno, True):
        text += f" that allocates; {option}-traceback looks at callers, too"
    elif lineno is not None and matches(pattern, None, all_frames):
        text += ", but the file is there, with other lines"
    elif not matches("*", None, True):
        text += ": the snapshot is empty"
    else:
        text += ": a pattern has to match the whole file name"
        for other in f"*{pattern}", f"*{pattern}*":
            if matches(other, lineno, all_frames):
                location = other if lineno is None else f"{other}:{lineno}"
                text += f"; try {shlex.quote(location)}"
                break
        else:
            text += ", and none has that in it"
    note(text)


def reading(filename, read):
    """Return read(); the file that cannot be read is a UsageError."""
    try:
        with Progress(f"reading {filename}") if _is_much(filename) \
                else _Nothing():
            return read()
    except OSError as error:
        raise UsageError(f"{filename}: {error.strerror or error}") from None
    except tracemalloc.SnapshotFormatError as error:
        raise UsageError(error) from None
    except ValueError as error:
        # Such as a null character in the name.
        raise UsageError(f"{filename}: {error}") from None
    except MemoryError:
        raise UsageError(f"{filename}: there is not enough memory to load "
                         "it; --max-size sets a limit") from None


def _is_much(filename):
    try:
        status = os.stat(filename)
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(status.st_mode) or status.st_size >= _MUCH


class _Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass
