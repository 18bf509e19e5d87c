"""The files that one can look at: snapshots and records.

They are looked up again and again: files appear, change and vanish.  Nothing
that somebody else wrote there is taken at its word; what cannot be read is an
entry that says why.
"""

import os
import stat
from heapq import nlargest
from itertools import count
from math import inf

from tracemalloc._cli.files import begins_as_snapshot, is_process
from tracemalloc._record import places

# More files than these are not looked at, and it is said that there are more.
MOST = 10_000

# So many that have vanished are remembered, those that were seen first go
# first: a program may write a file each second, and remove it.
MOST_GONE = 1_000

# Of so many files of a folder the beginning is looked at; of others the name.
MOST_TRIED = 20_000

class Entry:
    """One file.

    number  -- what it is asked for by, a text; stays the same
    path    -- its name
    version -- changes with what is in it; None if it is not there
    status  -- what os.stat() tells, or None
    fault   -- why it cannot be read, or None
    """

    def __init__(self, number, path):
        self.number, self.path = number, path
        self.version = self.status = self.fault = None

    @property
    def name(self):
        return os.path.basename(self.path) or self.path

    def look(self):
        """Look at the file, without opening it."""
        try:
            self.status = status = os.stat(self.path)
        except (OSError, ValueError) as error:
            self.version = self.status = None
            self.fault = getattr(error, "strerror", None) or str(error)
            return
        self.fault = None
        if not stat.S_ISREG(status.st_mode):
            # Opening a pipe would wait for ever.
            self.fault = "is no regular file, as snapshots and records are"
        self.version = (f"{status.st_mtime_ns}-{status.st_size}"
                        f"-{status.st_ino}")


def is_candidate(path, may_open=True):
    """Return whether a file of a folder begins as a snapshot or record does,
    or has such a name.
    """
    if path.endswith((".tmz", places.SUFFIX)):
        return True
    return may_open and begins_as_snapshot(path)


class Place:
    """What one names: a file, a folder, or the number of a process."""

    def __init__(self, what, children=False, is_folder=False):
        self.what = what
        self._children = children
        # Whether it is one even while there is none: a program makes it.
        self._is_folder = is_folder
        self._known = {}
        self._last = []
        self.fault = None

    @property
    def is_file(self):
        return not is_process(self.what) and not os.path.isdir(self.what)

    def find(self):
        """Return {path of a file: its time}; infinite of what was named.

        Sets fault if nothing can be looked at.
        """
        self.fault = None
        try:
            if self._is_folder or os.path.isdir(self.what):
                return self._in_folder()
            if not is_process(self.what) and not self._children:
                # One that vanishes stays an entry.
                return {self.what: inf}
            found = places.find(self.what, children=self._children)
        except (OSError, ValueError) as error:
            if not (self._is_folder
                    and isinstance(error, FileNotFoundError)):
                reason = getattr(error, "strerror", None) or error
                self.fault = f"{self.what}: {reason}"
            return {}
        # What a process has left that is no more.
        self._last = found = found or self._last
        if not found:
            self.fault = (f"process {self.what} has no record: it needs to "
                          "run with -X tracemalloc=25,record")
        return dict.fromkeys(found, inf)

    def _in_folder(self):
        known, found = {}, {}
        with os.scandir(self.what) as listed:
            for each in listed:
                # Hidden ones are being written.
                if each.name.startswith("."):
                    continue
                try:
                    if not each.is_file():
                        continue
                    status = each.stat()
                except OSError:
                    continue
                key = (each.name, status.st_mtime_ns, status.st_size,
                       status.st_ino)
                known[key] = is_file = (
                    self._known[key] if key in self._known
                    else is_candidate(each.path, len(known) < MOST_TRIED))
                if is_file:
                    found[each.path] = status.st_mtime_ns
        self._known = known
        return found


class Entries:
    """The files of some places; may be asked by many threads, one at a time.

    whats    -- files, folders and numbers of processes
    children -- with records of processes that those of records started
    Without whats: the folder of this user's records, and the current folder.
    """

    def __init__(self, whats, children=False):
        self._places = [Place(what, children) for what in whats] or [
            Place(places.default_folder(), is_folder=True),
            Place(os.curdir, is_folder=True)]
        self._entries, self._by_number = {}, {}
        self._numbers = count(1)
        self.faults = []
        self.more = 0
        self.look()
        # Those that somebody named, in the order of their time.
        named = {place.what for place in self._places
                 if whats and place.is_file}
        self.named = [entry for entry in reversed(self.entries)
                      if entry.path in named]

    @property
    def what(self):
        return ", ".join(place.what for place in self._places)

    def look(self):
        """Look at all places; sets entries, faults and more.

        entries come in the order of their time, the newest first.
        """
        found = {}
        for place in self._places:
            found |= place.find()
        self.faults = [place.fault for place in self._places if place.fault]
        self.more = max(len(found) - MOST, 0)
        # Files that are newer than others are not to be missed.
        paths = nlargest(MOST, found, key=found.get) if self.more else found
        entries = []
        for path in paths:
            entry = self._entries.get(path)
            if entry is None:
                entry = Entry(str(next(self._numbers)), path)
                self._entries[path] = self._by_number[entry.number] = entry
            entry.look()
            entries.append(entry)
        entries.sort(key=_newest_first)
        self.entries = entries
        self._forget(found)

    def _forget(self, found):
        """Let go of files that have vanished, but for some."""
        gone = [path for path in self._entries if path not in found]
        for path in gone[:-MOST_GONE]:
            del self._by_number[self._entries.pop(path).number]

    def get(self, number):
        """Return an Entry, also of a file that vanished lately; or None."""
        return self._by_number.get(number)


def _newest_first(entry):
    when = entry.status.st_mtime_ns if entry.status else 0
    return -when, entry.path


def check_places(whats, children=False):
    """Return what is wrong with the first place that is not there, or None.
    """
    for what in whats:
        place = Place(what, children)
        place.find()
        if place.fault:
            return place.fault
        if not is_process(what):
            try:
                os.stat(what)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                return f"{what}: {reason}"
    return None
