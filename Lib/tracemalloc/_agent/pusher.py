"""What is sent to a server, and when.

Every so many seconds the processes are read, and what they hold now and have
allocated since becomes one profile for each application.  It waits in a queue
until the server has taken it.  The queue is bounded: if it is full, the oldest
profiles are dropped, and it is said how many.

    process            allocated             held
    seen before        since then            now
    new                since it began        now
    seen first, older  0: not known since    now
    ended              since then            0
    a file of one that had ended already, or a snapshot
                       all                   as the file has it, once
"""

import io
import random
import time
from collections import deque
from typing import NamedTuple

from tracemalloc._agent.ingest import LIMIT, NotDelivered, as_name
from tracemalloc._agent.profiles import allocated_bytes
from tracemalloc._agent.sources import SourceError, said
from tracemalloc._pprof import ProfileWriter, has_totals

# Seconds from one attempt to the next, after the first failure and at most.
_FIRST, _LONGEST = 1.0, 300.0
# Seconds for what is left when no more can come, and when asked to end.
PATIENCE, TO_END = 60.0, 5.0


def _profiles(number):
    return f"{number} profile{'s' * (number != 1)}"


class _Waiting(NamedTuple):
    name: str
    start: float
    end: float
    profile: bytes


class Pusher:
    """Takes profiles and delivers them; for one thread.

    source -- Source to look at
    send   -- Ingest.send()
    name   -- of the application, or None for that of each program
    labels -- (key, value) of all series
    tell   -- function of a line for people
    clock, timer -- seconds since the epoch, and since any moment
    """

    def __init__(self, source, send, *, name=None, labels=(), own_labels=(),
                 least=0, every=15.0, keep=16 << 20, tell, clock=time.time,
                 timer=time.monotonic):
        self._source = source
        self._send = send
        self._name = name
        self._labels = labels
        self._own_labels = own_labels
        self._least = least
        self._every = every
        self._keep = keep
        self._tell = tell
        self._clock = clock
        self._timer = timer
        self._began = clock()
        self._last = self._began - every
        self._before = {}       # path -> snapshot, None if it has ended
        self._queue = deque()
        self._size = 0
        self._pause = 0.0       # seconds to the next attempt; 0 if all is well
        self._retry_at = 0.0
        self._lost = 0          # profiles that were dropped in a row,
        self._lost_times = None     # from when to when
        self._fault = None
        self.delivered = self.dropped = 0
        self.is_over = False

    @property
    def waiting(self):
        return len(self._queue)

    # Taking

    def take(self):
        """Read the processes, and put their profiles into the queue."""
        now = self._clock()
        try:
            processes, faults, _ = self._source.look()
        except SourceError as error:
            processes, faults = [], [str(error)]
        groups = {}
        for process in processes:
            if self._before.get(process.path, process) is not None:
                name = self._name or as_name(process.program)
                groups.setdefault(name, []).append(process)
        there = {each.path for each in processes}
        self._before = {path: snapshot for path, snapshot
                        in self._before.items() if path in there}
        for name, group in sorted(groups.items()):
            faults += self._take_group(name, group, now)
        # Once: it may stay so for days.
        fault = faults[0] if faults else None
        if fault != self._fault and fault is not None:
            self._tell(fault)
        self._fault = fault
        self._last = now
        self.is_over = not self._source.is_folder and all(
            each.ended or each.state == "snapshot" for each in processes)

    def _take_group(self, name, processes, now):
        """Put the profile of one application into the queue."""
        loaded, faults = [], []
        for process in processes:
            try:
                loaded.append(process.load())
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                faults.append(said(error))
        stream = io.BytesIO()
        writer = ProfileWriter(
            stream, merged=True,
            allocated=not self._least and all(
                has_totals(snapshot) for _, snapshot in loaded),
            least=self._least,
            labels=[label for label in self._own_labels if label != "pid"])
        written = []
        for process, snapshot in loaded:
            try:
                if self._add(writer, process, snapshot):
                    written.append(process)
            except ValueError as error:
                faults.append(said(error))
        if written:
            writer.describe(
                shown="inuse_space", when=now, seconds=now - self._last,
                program=written[0].program,
                interval=max(each.sample_interval or 0
                             for each in written) or None)
            writer.close()
            self._wait(_Waiting(self._full_name(name), self._last, now,
                                stream.getvalue()))
        return faults

    def _add(self, writer, process, snapshot):
        """Add a process to a profile; return whether there was any."""
        path, before = process.path, self._before.get(process.path)
        since = before is not None or process.started >= self._began
        if (before is not None
                and allocated_bytes(snapshot) < allocated_bytes(before)):
            # Tracing began anew.
            before = None
        over = process.ended or process.state == "snapshot"
        if over and before is None and not since:
            if self._source.is_folder and process.ended:
                # It is as it was when this agent began.
                self._before[path] = None
                return False
            signs = 1, 1, 1, 1
        else:
            signs = (int(since),) * 2 + (int(not process.ended),) * 2
        labels = [("pid", str(process.pid))] * ("pid" in self._own_labels)
        width = writer.width
        writer.add(snapshot, signs=signs[-width:], labels=labels)
        if before is not None and width == 4:
            writer.add(before, signs=(-1, -1, 0, 0), labels=labels)
        self._before[path] = None if over else snapshot
        return True

    def _full_name(self, name):
        if not self._labels:
            return name
        labels = ",".join(f"{key}={value}" for key, value in self._labels)
        return f"{name}{{{labels}}}"

    # Delivering

    def _wait(self, item):
        self._queue.append(item)
        self._size += len(item.profile)
        while self._size > self._keep and len(self._queue) > 1:
            self._drop(self._queue[0])

    def _drop(self, item):
        if not self._lost:
            self._tell("dropping the oldest profiles: those that wait are "
                       f"more than {self._keep} bytes")
            self._lost_times = item.start, item.end
        self._lost += 1
        self._lost_times = self._lost_times[0], item.end
        self._remove(item)
        self.dropped += 1

    def _remove(self, item):
        self._queue.remove(item)
        self._size -= len(item.profile)

    def deliver(self, seconds=LIMIT, at_once=False):
        """Send what waits, as long as the server takes it.

        seconds -- how long that may take, about
        at_once -- also if it is not time yet to try again
        """
        end = self._timer() + seconds
        while self._queue and (left := end - self._timer()) > 0:
            if self._timer() < self._retry_at and not at_once:
                return
            item = self._queue[0]
            try:
                self._send(item.name, item.start, item.end, item.profile,
                           min(left, LIMIT))
            except NotDelivered as error:
                if error.for_good:
                    self._tell(f"dropped a profile of {item.name}: {error}")
                    self._remove(item)
                    self.dropped += 1
                    continue
                self._fail(error)
                return
            self._remove(item)
            self.delivered += 1
            self._succeed()

    def _fail(self, error):
        if not self._pause:
            self._tell(f"cannot deliver: {error}; trying again")
        self._pause = min(max(2 * self._pause, _FIRST), _LONGEST)
        pause = self._pause * random.uniform(0.5, 1.0)
        if error.after is not None:
            pause = max(pause, min(error.after, _LONGEST))
        self._retry_at = self._timer() + pause

    def _succeed(self):
        if self._pause:
            self._tell("delivering again" + self._losses())
        self._pause = self._retry_at = 0.0
        self._lost = 0

    def _losses(self):
        if not self._lost:
            return ""
        first, last = (
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
            for seconds in self._lost_times)
        return f"; dropped {_profiles(self._lost)} from {first} to {last}"

    # All together

    def run(self, ending):
        """Take and deliver until the end; return whether nothing is lost."""
        due, over_at = self._timer(), None
        while not ending.asked:
            if self._timer() >= due:
                self.take()
                due = max(due + self._every, self._timer())
            self.deliver()
            if self.is_over:
                over_at = over_at or self._timer()
                if not self._queue or self._timer() > over_at + PATIENCE:
                    break
                due = float("inf")
            until = min(due, self._retry_at) if self._queue else due
            ending.wait(max(until - self._timer(), 0.05))
        if not self.is_over:
            self.take()
        self.deliver(TO_END, at_once=True)
        if self._queue:
            self._tell(f"not delivered: "
                       f"{_profiles(len(self._queue))}")
        if self._lost:
            self._tell("ended" + self._losses())
        return not self._queue and not self.dropped
