"""What the list tells of files, and who finds that out.

Records are looked at each time, which is little work.  What a snapshot holds
is found by a thread, file after file, because a pickle has to be loaded for
it; until then nothing is told of it but its name, time and size.
"""

import os
import threading
import time
from collections import deque

import tracemalloc
from tracemalloc import _format
from tracemalloc._pprof import program_of
from tracemalloc._record import layout, reader
from tracemalloc._report.shape import shown_name

# How many the list has at most, the newest ones.
MOST = 1_000
# States of records.
STATES = *layout.STATES, "gone"


def read_safely(read):
    """Return (read(), None); or (None, why it cannot be read)."""
    try:
        return read(), None
    except OSError as error:
        return None, error.strerror or str(error)
    except tracemalloc.SnapshotFormatError as error:
        return None, str(error)
    except ValueError as error:
        # Such as a null character in the name.
        return None, str(error)
    except MemoryError:
        return None, "there is not enough memory to load it"


def _number(value):
    # Metadata may come from a file.
    return value if type(value) is int and value >= 0 else None


def _program(command):
    """Return the name of a program, without its folder."""
    return os.path.basename(program_of(command))


def _of_metadata(metadata):
    when = metadata.get("time")
    return {
        "state": "snapshot", "pid": _number(metadata.get("pid")),
        "program": _program(metadata.get("command")),
        "traced": _number(metadata.get("traced_memory")),
        "peak": _number(metadata.get("traced_memory_peak")),
        "taken": when if type(when) in (int, float) and 0 < when < 9e9
        else None,
    }


def about_snapshot(path, max_size):
    """Return what a snapshot file tells.  Raises what loading raises."""
    from tracemalloc._stacks import data_of

    found = _of_metadata(_format.read_metadata(path, max_size, True))
    if found["traced"] is None:
        data, _ = data_of(_format.load_at_once(path, max_size))
        found["traced"] = round(sum(data.live()[0]))
    return found


def about_record(path):
    """Return what a record tells.  Raises what read_about() raises."""
    picture = reader.read_about(path)
    return {"state": picture.state, "pid": picture.pid,
            "program": _program(picture.program),
            "traced": picture.current, "peak": picture.peak,
            "taken": picture.written / 1e9}


class Listing:
    """What is known of Entries; may be asked by many threads.

    start() has a thread find out what snapshots hold, stop() ends it.
    """

    def __init__(self, entries, max_size=None):
        self._entries = entries
        self._max_size = max_size
        self._lock = threading.Lock()
        # number -> (version of the file, whether it is a record)
        self._kinds = {}
        # number -> (version of the file, what it tells, what is wrong)
        self._snapshots = {}
        self._wanted = deque()
        self._work = threading.Condition()
        self._ends = False
        self._thread = None

    @property
    def what(self):
        return self._entries.what

    def start(self):
        self._thread = threading.Thread(target=self._find_out, daemon=True)
        self._thread.start()

    def stop(self, patience=None):
        with self._work:
            self._ends = True
            self._work.notify()
        self._thread.join(patience)

    # The thread

    def _find_out(self):
        while True:
            with self._work:
                while not self._wanted and not self._ends:
                    self._work.wait()
                if self._ends:
                    return
            self._find_next()

    def _find_next(self):
        try:
            entry, version = self._wanted.popleft()
        except IndexError:
            # What was wanted is no longer.
            return
        if self._snapshots.get(entry.number, (None,))[0] == version:
            # It was being found out when it was wanted again.
            return
        found = read_safely(
            lambda: about_snapshot(entry.path, self._max_size))
        self._snapshots[entry.number] = version, *found

    def _want(self, entries):
        with self._work:
            # What was wanted before and is not listed now can wait.
            self._wanted = deque(entries)
            self._work.notify()

    # The list

    def is_record(self, entry):
        known = self._kinds.get(entry.number)
        if known is None or known[0] != entry.version:
            is_record, _ = read_safely(lambda: reader.is_record(entry.path))
            known = self._kinds[entry.number] = (
                entry.version, bool(is_record))
        return known[1]

    def _about(self, entry, wanted):
        """Return (what is told, what is wrong, what changes with it)."""
        if entry.fault is not None:
            return None, entry.fault, ""
        if self.is_record(entry):
            about, fault = read_safely(lambda: about_record(entry.path))
            return about, fault, (f"{about['taken']}-{about['state']}"
                                  if about else entry.version)
        version, about, fault = self._snapshots.get(entry.number,
                                                    (None, None, None))
        if version != entry.version:
            wanted.append((entry, entry.version))
        return about, fault, entry.version

    def _told(self, entry, wanted):
        about, fault, version = self._about(entry, wanted)
        status = entry.status
        found = {"number": entry.number, "name": shown_name(entry.name),
                 "path": shown_name(entry.path), "version": version,
                 "changed": status and status.st_mtime,
                 "size": status and status.st_size,
                 "fault": fault and shown_name(fault)}
        if about is not None:
            found |= about | {"program": shown_name(about["program"])}
        return found

    def look(self):
        """Return what the list tells, as a dict for JSON."""
        with self._lock:
            self._entries.look()
            wanted = []
            listed = self._entries.entries[:MOST]
            found = [self._told(entry, wanted) for entry in listed]
            left_out = (len(self._entries.entries) - len(listed)
                        + self._entries.more)
            faults = list(map(shown_name, self._entries.faults))
            self._forget()
        self._want(wanted)
        # A record's time is when it was written, whatever its file says.
        found.sort(key=lambda each: -(
            each["taken"] if each.get("state") in STATES
            else each["changed"] or 0))
        return {"now": time.time(), "entries": found, "more": left_out,
                "faults": faults, "what": shown_name(self._entries.what),
                "chosen": self._first(found)}

    def _forget(self):
        """Let go of what was known of files that are forgotten."""
        for known in self._kinds, self._snapshots:
            # The thread that finds out goes on meanwhile.
            for number in list(known):
                if self._entries.get(number) is None:
                    del known[number]

    def _first(self, found):
        """Return the numbers of what is shown when nobody has chosen.

        Of files that were named: one, or the first and the last.  Else the
        newest that can be shown.
        """
        named = self._entries.named
        if named:
            return [entry.number for entry in
                    ([named[0], named[-1]] if len(named) > 1 else named)]
        return [each["number"] for each in found if not each["fault"]][:1]

    def chosen(self, numbers):
        """Return the Entry of each number; None for those there are not."""
        with self._lock:
            found = [self._entries.get(number) for number in numbers]
            for entry in found:
                if entry is not None:
                    entry.look()
        return found
