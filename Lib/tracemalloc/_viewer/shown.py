"""What was chosen, as the page wants it; the last few are kept.

They are kept for the questions about what is below a sum, which need all call
paths.
"""

import itertools
import threading
from collections import OrderedDict
from sys import getsizeof

import tracemalloc
from tracemalloc import _format
from tracemalloc._agent.answers import Refused, Turn
from tracemalloc._cli.files import part_of_accounts
from tracemalloc._cli.programs import different_programs, program_of
from tracemalloc._record import reader
from tracemalloc._report import Limits
from tracemalloc._report.asked import Asked, NoSuchFile
from tracemalloc._report.below import (
    Below, NoSuchPlace, parse, places_of)
from tracemalloc._report.page import Whole
from tracemalloc._report.shape import shown_name
from tracemalloc._viewer.listing import read_safely

# Snapshots that one can choose at once.
MOST_CHOSEN = 200
# How many pages are kept, and how many contexts and call paths they may have
# together; the newest is kept in any case.
_KEPT, _KEPT_NUMBER = 6, 4_000_000
# Bytes of snapshots that are kept, as far as can be told.
_LOADED_BYTES = 512 << 20
# Pages that are made at the same time.
_AT_ONCE = 2


class _Newest(OrderedDict):
    """Keeps the newest items, as long as they do not weigh too much.

    So many of them are kept whatever they weigh.
    """

    def __init__(self, most, kept=0):
        super().__init__()
        self._most, self._kept = most, kept

    def put(self, key, value, weight):
        self.pop(key, None)
        if self._kept or weight <= self._most:
            self[key] = value, weight
        while len(self) > self._kept and sum(
                weight for _, weight in self.values()) > self._most:
            self.popitem(last=False)

    def take(self, key):
        """Return the value of a key, or None."""
        if key not in self:
            return None
        self.move_to_end(key)
        return self[key][0]


def _bytes_of(snapshot):
    """Return about how many bytes a snapshot takes.

    Its file tells nothing of that: it may be compressed.
    """
    data = snapshot.traces._data
    if data is None:
        # A tuple each, and its size.
        return 120 * len(snapshot.traces)
    return (8 * sum(map(len, data.columns().values()))
            + sum(map(getsizeof, data.names)))


class Shown:
    """Makes pages' data; may be asked by many threads.

    listing  -- Listing of what can be chosen
    filters  -- what of snapshots is shown, for filter_traces()
    accounts -- names of accounts that alone are shown; all if there are none
    max_size -- memory that loading one may take
    limits   -- Limits of a page
    """

    def __init__(self, listing, *, filters=(), accounts=(),
                 max_size=_format.MAX_SIZE, limits=None):
        self._listing = listing
        self._filters, self._accounts = filters, accounts
        self._max_size = max_size
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._making = threading.BoundedSemaphore(_AT_ONCE)
        self._loaded = _Newest(_LOADED_BYTES)
        self._wholes = _Newest(_KEPT_NUMBER, kept=1)
        self._keys = itertools.count(1)

    # Files

    def _load(self, entry):
        """Return the Snapshot of an entry, and the Pictures of records that
        it is of; Refused if there is none.
        """
        known = None
        is_record = self._listing.is_record(entry)
        if entry.version is not None and not is_record:
            key = entry.number, entry.version
            with self._lock:
                known = self._loaded.take(key)
        if known is not None:
            return known, []
        if entry.fault is not None:
            raise Refused(410 if entry.status is None else 422,
                          f"{entry.name}: {entry.fault}")
        read = self._read_record if is_record else self._read_snapshot
        found, fault = read_safely(lambda: read(entry.path))
        if fault is not None:
            raise Refused(422, f"{entry.name}: {fault}")
        snapshot, pictures = found
        if self._accounts:
            snapshot = part_of_accounts(snapshot, self._accounts)
        if self._filters:
            snapshot = snapshot.filter_traces(self._filters)
        if not is_record:
            with self._lock:
                self._loaded.put(key, snapshot, _bytes_of(snapshot))
        return snapshot, pictures

    def _read_snapshot(self, path):
        return _format.load_at_once(path, self._max_size), []

    def _read_record(self, path):
        picture = reader.read_bounded(path, self._max_size)
        return picture.snapshot(), [picture]

    def _chosen(self, numbers):
        if not 0 < len(numbers) <= MOST_CHOSEN:
            raise Refused(400, f"1 to {MOST_CHOSEN} snapshots can be shown "
                          "together")
        if len({*numbers}) < len(numbers):
            raise Refused(400, "a snapshot is chosen twice")
        found = self._listing.chosen(numbers)
        if None in found:
            raise Refused(404, "there is no such snapshot: choose again")
        return found

    # Pages

    def data(self, numbers, together=False):
        """Return what the page is told of some entries, as a dict for JSON.

        together -- whether they are of processes that are added up, and not
                    of moments that are compared
        """
        entries = self._chosen(numbers)
        with Turn(self._making, "pages"):
            loaded = [(entry, *self._load(entry)) for entry in entries]
            if not together:
                loaded.sort(key=_moment)
            entries, snapshots, records = zip(*loaded)
            names = names_of(entries)
            processes = names if together and len(names) > 1 else None
            limits = self._limits.for_sets(1 if processes
                                           else len(snapshots))
            try:
                whole = Whole(snapshots, limits, processes, records)
            except tracemalloc.SnapshotFormatError as error:
                raise Refused(422, str(error)) from None
            shape = whole.shape(limits)
            data = whole.data(shape, names, limits, _title(names, together))
            data["sums"] = list(places_of(shape).items())
            # What the page asks for them by.
            data["fileNumbers"] = list(shape.file_places())
        data["key"] = key = str(next(self._keys))
        data["notes"] = [] if together else _notes(names, snapshots)
        with self._lock:
            self._wholes.put(key, whole, max(
                len(whole.joined.nodes) + len(whole.joined.parents),
                _KEPT_NUMBER // _KEPT))
        return data

    def below(self, key, places):
        """Return what is below some places of a page, as a dict for JSON."""
        whole = self._whole_of(key)
        with Turn(self._making, "pages"):
            try:
                return Below(whole, parse(places)).to_json()
            except NoSuchPlace as error:
                raise Refused(400, str(error)) from None

    def source(self, key, number):
        """Return what is in a file that a page names, as a dict for JSON."""
        room = self._limits.source
        if not room:
            raise Refused(403, "the viewer was started with --no-source")
        whole = self._whole_of(key)
        with Turn(self._making, "pages"):
            try:
                return Asked(whole, number, room).to_json()
            except NoSuchFile as error:
                raise Refused(400, str(error)) from None

    def _whole_of(self, key):
        """Return what a page was made of; Refused if it is kept no longer."""
        with self._lock:
            whole = self._wholes.take(key)
        if whole is None:
            raise Refused(410, "this page is too old: load it again")
        return whole


def _moment(loaded):
    """Return when a snapshot was taken, as far as that is known."""
    entry, snapshot, _ = loaded
    when = snapshot.metadata.get("time")
    if type(when) not in (int, float):
        when = entry.status.st_mtime if entry.status else 0
    return when, entry.path


def names_of(entries):
    """Return what entries are called, so that names differ."""
    names = [entry.name for entry in entries]
    return [entry.path if names.count(entry.name) > 1 else entry.name
            for entry in entries]


def _title(names, together):
    from tracemalloc._cli.report import title_of

    if together and len(names) > 1:
        return " + ".join(names) if len(names) < 4 else (
            f"{names[0]} and {len(names) - 1} more")
    return title_of(names)


def _notes(names, snapshots):
    text = different_programs([
        (name, program_of(snapshot.metadata))
        for name, snapshot in zip(names, snapshots)])
    return [shown_name(text)] if text else []
