"""One profile of one process, or of many."""

import time

from tracemalloc._agent.sources import said
from tracemalloc._pprof import LABELS as OWN_LABELS
from tracemalloc._pprof import ProfileWriter, has_totals

# What samples can be told apart by.
LABELS = (*OWN_LABELS, "pid")
# Type that viewers show first, by the name that Go has for the profile.
SHOWN = {"heap": "inuse_space", "allocs": "alloc_space"}

# Signs of what was allocated, and of what is held.
_PLUS, _MINUS = (1, 1, 1, 1), (-1, -1, -1, -1)
_ALLOCATED_ONLY = (1, 1, 0, 0)


class ProfileError(Exception):
    """There is no such profile; the text says why, and what can be done."""


class _Parts:
    """Processes that are added to a profile, and those that cannot be."""

    def __init__(self, labels, writer=None):
        self.writer = writer
        self._labels = labels
        self.processes = []
        self.faults = []

    def load(self, processes):
        """Yield (process, snapshot) of those that can be read."""
        for process in processes:
            try:
                yield process.load()
            except FileNotFoundError:
                # Cleaned up meanwhile.
                continue
            except OSError as error:
                self.faults.append(f"{process.name}: {said(error)}")
            except ValueError as error:
                self.faults.append(said(error))

    def add(self, process, snapshot, signs=None):
        labels = ()
        if "pid" in self._labels:
            labels = [("pid", str(process.pid))]
        try:
            self.writer.add(snapshot, signs=signs, labels=labels)
        except ValueError as error:
            self.faults.append(f"{process.name}: {said(error)}")
        else:
            self.processes.append(process)

    def finish(self, shown, seconds=0):
        """Write what is left of the profile."""
        processes = self.processes
        if not processes:
            raise ProfileError("no process can be read"
                               + "".join(f"; {each}" for each in self.faults))
        intervals = {each.sample_interval for each in processes}
        comments = [f"left out: {fault}" for fault in self.faults]
        if len(intervals) > 1 and None in intervals:
            comments.append("not all processes were sampled: the numbers of "
                            "the others are exact")
        programs = {each.program for each in processes}
        self.writer.describe(
            shown=shown, seconds=seconds,
            program=programs.pop() if len(programs) == 1 else "",
            when=max(each.written for each in processes) or time.time(),
            interval=max((each or 0 for each in intervals)) or None,
            comments=comments)
        self.writer.close()


def _own(labels):
    return [name for name in labels if name in OWN_LABELS]


def write_state(processes, stream, *, shown, labels=LABELS, least=0):
    """Write what processes hold, and what they allocated, as one profile.

    least -- bytes that a call path has to hold to be told; what was allocated
             is left out then
    Raises ProfileError if none of them can be read.  Takes the memory of one
    snapshot at a time, and without the label 'pid' that of the samples.
    """
    if len(processes) == 1:
        _write_one(processes[0], stream, shown, labels, least)
        return
    writer = ProfileWriter(stream, merged="pid" not in labels,
                           labels=_own(labels), allocated=not least,
                           least=least)
    parts = _Parts(labels, writer)
    for process, snapshot in parts.load(processes):
        parts.add(process, snapshot)
    parts.finish(shown)


def _write_one(process, stream, shown, labels, least):
    parts = _Parts(labels)
    for process, snapshot in parts.load([process]):
        allocated = has_totals(snapshot) and not least
        if not least and not allocated and shown.startswith("alloc"):
            raise ProfileError(f"{process.name} does not tell what was "
                               "allocated: ask for the profile heap")
        parts.writer = ProfileWriter(stream, allocated=allocated,
                                     labels=_own(labels), least=least)
        parts.add(process, snapshot)
    parts.finish(shown)


class Difference:
    """What changes from begin() to end(), as one profile.

    Only the samples are in memory in between.  Processes that begin meanwhile
    count whole; of those that end, what they held is no longer held.
    """

    def __init__(self, stream, *, shown, labels=LABELS):
        self._shown = shown
        writer = ProfileWriter(stream, merged=True, labels=_own(labels))
        self._parts = _Parts(labels, writer)
        self._allocated = {}
        self._began = None

    def begin(self, processes):
        self._began = time.time()
        for process, snapshot in self._parts.load(processes):
            self._parts.add(process, snapshot, _MINUS)
            self._allocated[process.path] = allocated_bytes(snapshot)
        self._parts.processes.clear()

    def has_seen(self, process):
        """Return whether a process was there, or began later."""
        return (process.path in self._allocated
                or process.started > self._began)

    def end(self, processes, seconds):
        """Write the profile.

        processes -- those of begin() that there are still, and new ones
        seconds   -- how much later it is
        Raises ProfileError if tracing began anew meanwhile.
        """
        for process, snapshot in self._parts.load(processes):
            if (allocated_bytes(snapshot)
                    < self._allocated.get(process.path, 0)):
                raise ProfileError(
                    f"tracing began anew in process {process.pid} meanwhile: "
                    "ask again")
            self._parts.add(process, snapshot,
                            _ALLOCATED_ONLY if process.ended else _PLUS)
        self._parts.finish(self._shown, seconds)


def allocated_bytes(snapshot):
    """Return the sum of what was allocated, 0 if that is not known."""
    from tracemalloc._stacks import data_of

    data, _ = data_of(snapshot)
    return sum(data.context_allocated_bytes or ())
