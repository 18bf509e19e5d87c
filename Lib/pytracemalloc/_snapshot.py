"""Snapshots, their statistics, and the differences between those."""

import gc
import os
import pickle
from datetime import datetime

import _tracemalloc

from . import _metric, _trace
from ._filter import FilterSet, check_filters

_GROUPS = ("address", "filename", "line")


def _check_group(group_by):
    if group_by not in _GROUPS:
        raise ValueError(f"unknown group_by: {group_by!r}; it is one of "
                         "'filename', 'line' and 'address'")


class StatsDiff:
    """What changed from one GroupedStats to another.

    differences -- list of (size_diff, size, count_diff, count, key)
    old_stats   -- GroupedStats, or None
    new_stats   -- GroupedStats
    """

    __slots__ = ("differences", "old_stats", "new_stats")

    def __init__(self, differences, old_stats, new_stats):
        self.differences = differences
        self.old_stats = old_stats
        self.new_stats = new_stats

    def sort(self):
        """Sort the list of differences, the biggest first.

        By the amounts of size_diff, size, the amount of count_diff, count, and
        key.
        """
        self.differences.sort(
            key=lambda diff: (abs(diff[0]), diff[1], abs(diff[2]), *diff[3:]),
            reverse=True)


class GroupedStats:
    """Sizes and counts of blocks by file, line or address.

    timestamp  -- datetime of the snapshot
    stats      -- {key: (size, count)}
    group_by   -- what the keys are: 'filename' (str), 'line' ((str, int)) or
                  'address' (int)
    cumulative -- whether blocks count for all frames of their tracebacks
    metrics    -- {name: Metric}
    """

    __slots__ = ("timestamp", "stats", "group_by", "cumulative", "metrics")

    def __init__(self, timestamp, stats, group_by, cumulative=False,
                 metrics=None):
        _check_group(group_by)
        self.timestamp = timestamp
        self.stats = stats
        self.group_by = group_by
        self.cumulative = cumulative
        self.metrics = {} if metrics is None else metrics

    def _shown_key(self, key):
        # None cannot be sorted among the others.
        if self.group_by == "line":
            return key[0] or "", key[1] or 0
        return "" if key is None else key

    def _is_like(self, other):
        """Whether *other* has the same kind of groups."""
        return (other.group_by == self.group_by
                and bool(other.cumulative) == bool(self.cumulative))

    def compare_to(self, old_stats=None):
        """Return a StatsDiff, not sorted.

        Without *old_stats*, the differences of sizes and counts are 0.  In
        keys, None becomes '' and 0.
        """
        if old_stats is None:
            differences = [(0, size, 0, count, self._shown_key(key))
                           for key, (size, count) in self.stats.items()]
            return StatsDiff(differences, None, self)
        if not self._is_like(old_stats):
            raise ValueError(
                f"statistics by {self.group_by} cannot be compared to "
                f"{'cumulative ' if old_stats.cumulative else ''}statistics "
                f"by {old_stats.group_by}"
                f"{', not cumulative' if self.cumulative else ''}: group both "
                "in the same way")
        old = dict(old_stats.stats)
        differences = []
        for key, (size, count) in self.stats.items():
            old_size, old_count = old.pop(key, (0, 0))
            differences.append((size - old_size, size, count - old_count,
                                count, self._shown_key(key)))
        differences += [(-size, 0, -count, 0, self._shown_key(key))
                        for key, (size, count) in old.items()]
        return StatsDiff(differences, old_stats, self)


class Snapshot:
    """The traces, or only the statistics, of one moment.

    timestamp       -- datetime
    pid             -- number of the process
    traces          -- {address: (size, traceback)}, or None
    stats           -- {file name: {line number: (size, count)}}
    metrics         -- {name: Metric}
    traceback_limit -- how many frames a traceback has at most

    Statistics that are not given are made of the traces, and the limit is
    taken from them, or 1.
    """

    __slots__ = ("timestamp", "pid", "traces", "stats", "metrics",
                 "traceback_limit")

    def __init__(self, timestamp, pid, traces=None, stats=None, metrics=None,
                 *, traceback_limit=None):
        if traces is None and stats is None:
            raise ValueError("a snapshot needs traces or statistics")
        if stats is None:
            stats = _trace.stats_of_traces(traces)
        if traceback_limit is None:
            traceback_limit = max((len(traceback or ()) for _, traceback
                                   in (traces or {}).values()), default=1)
        self.timestamp = timestamp
        self.pid = pid
        self.traces = traces
        self.stats = stats
        self.metrics = {} if metrics is None else metrics
        self.traceback_limit = max(traceback_limit, 1)

    @classmethod
    def create(cls, traces=False, metrics=True):
        """Take a snapshot; RuntimeError when tracing is off.

        With *traces*, the trace of each block is kept: O(blocks), in time and
        memory.  Otherwise statistics only: O(places that allocate).  With
        *metrics*, the three kinds below are added.
        """
        if not _trace.is_enabled():
            raise RuntimeError("tracing must be on to take a snapshot: call "
                               "enable() first")
        if cls is Snapshot:
            # What it takes is not the program's.
            return _tracemalloc._quietly(cls._create, traces, metrics)
        return cls._create(traces, metrics)

    @classmethod
    def _create(cls, traces, metrics):
        limit = _tracemalloc.get_traceback_limit()
        if traces:
            traces = _trace.get_traces()
            if _tracemalloc.get_sample_interval() is None:
                stats = _trace.stats_of_traces(traces)
            else:
                # Traces are those of the samples only.
                stats = _trace.get_stats()
        else:
            traces = None
            stats = _trace.get_stats()
        snapshot = cls(datetime.now(), os.getpid(), traces, stats,
                       traceback_limit=limit)
        if metrics:
            snapshot.add_tracemalloc_metrics()
            snapshot.add_gc_metrics()
            snapshot.add_process_memory_metrics()
        return snapshot

    # Metrics

    def add_metric(self, name, value, format):
        """Add a Metric and return it; ValueError if there is one already."""
        if name in self.metrics:
            raise ValueError(f"the snapshot has a metric {name!r} already")
        metric = _metric.Metric(name, value, format)
        self.metrics[name] = metric
        return metric

    def get_metric(self, name, default=None):
        """Return the value of a metric, or *default*."""
        metric = self.metrics.get(name)
        return default if metric is None else metric.value

    def add_gc_metrics(self):
        """Add gc.objects, how many objects the garbage collector knows."""
        self.add_metric("gc.objects", len(gc.get_objects()), "int")

    def add_process_memory_metrics(self):
        """Add process_memory.rss and process_memory.vms, if they are known."""
        memory = _metric.get_process_memory()
        if memory is not None:
            self.add_metric("process_memory.rss", memory[0], "size")
            self.add_metric("process_memory.vms", memory[1], "size")

    def add_tracemalloc_metrics(self):
        """Add what is traced and what the tracer uses, as tracemalloc.*."""
        size, max_size = _tracemalloc.get_traced_memory()
        self.add_metric("tracemalloc.traced.size", size, "size")
        self.add_metric("tracemalloc.traced.max_size", max_size, "size")
        if self.traces is not None:
            self.add_metric("tracemalloc.traces", len(self.traces), "int")
        size, free = _metric.get_tracemalloc_memory()
        self.add_metric("tracemalloc.module.size", size, "size")
        self.add_metric("tracemalloc.module.free", free, "size")
        self.add_metric("tracemalloc.module.fragmentation",
                        free / size if size else 0.0, "percent")
        self.add_metric("tracemalloc.arena_size", _metric.get_arena_size(),
                        "size")

    # Filters and statistics

    def apply_filters(self, filters):
        """Keep in traces and stats only what the filters admit.

        *filters* is a list of Filter, with the same meaning as for
        add_filter().  Without traces, only the newest frames are known.
        """
        filters = check_filters(filters)
        if not filters:
            return
        filter_set = FilterSet(filters)
        if self.traces is None:
            self.stats = self._filtered_stats(filter_set)
            return
        known = {}
        admitted = {}
        for traceback, _, _ in _trace.by_traceback(self.traces):
            frames = tuple(map(tuple, traceback or ()))
            if frames not in known:
                known[frames] = filter_set.admits(frames)
            admitted[id(traceback)] = known[frames]
        self.traces = {address: trace for address, trace
                       in self.traces.items() if admitted[id(trace[1])]}
        self.stats = _trace.stats_of_traces(self.traces)

    def _filtered_stats(self, filter_set):
        stats = {}
        for filename, lines in self.stats.items():
            kept = {lineno: sums for lineno, sums in lines.items()
                    if filter_set.admits_frame(filename, lineno)}
            if kept:
                stats[filename] = kept
        return stats

    def top_by(self, group_by, cumulative=False):
        """Return GroupedStats by 'filename', 'line' or 'address'.

        With *cumulative*, a block counts for each frame of its traceback; that
        has no meaning by address, nor with a limit of one frame.  Addresses
        and cumulative statistics need a snapshot with traces: ValueError.
        """
        _check_group(group_by)
        cumulative = (bool(cumulative) and group_by != "address"
                      and self.traceback_limit >= 2)
        if self.traces is None and (cumulative or group_by == "address"):
            wanted = "cumulative statistics" if cumulative else "addresses"
            raise ValueError(f"the snapshot has no traces, which {wanted} "
                             "need: take it with create(traces=True)")
        if group_by == "address":
            stats = {address: (size, 1)
                     for address, (size, _) in self.traces.items()}
        elif cumulative:
            stats = self._cumulative(group_by)
        elif group_by == "filename":
            stats = {filename: tuple(map(sum, zip(*lines.values())))
                     for filename, lines in self.stats.items() if lines}
        else:
            stats = {(filename, lineno): tuple(sums)
                     for filename, lines in self.stats.items()
                     for lineno, sums in lines.items()}
        return GroupedStats(self.timestamp, stats, group_by, cumulative,
                            self.metrics)

    def _cumulative(self, group_by):
        stats = {}
        for traceback, size, number in _trace.by_traceback(self.traces):
            for frame in traceback or ((None, None),):
                key = frame[0] if group_by == "filename" else tuple(frame)
                total, count = stats.get(key, (0, 0))
                stats[key] = total + size, count + number
        return stats

    # Files

    def write(self, filename):
        """Write the snapshot into a file; load() reads it.

        The file is there, or takes the place of an older one, only when it is
        complete: if writing fails, all is as it was.
        """
        # For this alone, as in load().
        from tracemalloc._writing import write_file

        head = {
            "format_version": (3, 4),
            "timestamp": self.timestamp,
            "pid": self.pid,
            "traceback_limit": self.traceback_limit,
            "stats": self.stats,
            "metrics": self.metrics,
        }

        def write(file):
            pickle.dump(head, file, 4)
            # By itself, so that it need not be read.
            pickle.dump(self.traces, file, 4)

        if any(type(metric.value) not in (int, float, str)
               for metric in self.metrics.values()):
            # The program's own code may be asked what is in them.
            write_file(filename, write)
        else:
            _tracemalloc._quietly(write_file, filename, write)

    @classmethod
    def load(cls, filename, traces=True, *, max_size=None):
        """Return the snapshot that a file holds.

        Without *traces*, those are not kept.  Reads what write() and
        tracemalloc.Snapshot.dump() wrote, and files of 2013.  Takes about
        *max_size* bytes of memory at most, 1 GiB if None.  Nothing that a
        file names is run; what is no snapshot raises
        tracemalloc.SnapshotFormatError, a ValueError.
        """
        # For this alone: it is not cheap to import.
        from tracemalloc import _format

        found = _format.read(filename, max_size, traces)
        if not isinstance(found, _format.Draft):
            return cls.from_stdlib(found)
        metrics = {name: _metric.Metric(name, *metric)
                   for name, metric in found.metrics.items()}
        return cls(found.timestamp, found.pid,
                   found.traces if traces else None, found.stats, metrics,
                   traceback_limit=found.traceback_limit)

    # The other interface

    @classmethod
    def from_stdlib(cls, snapshot):
        """Return the statistics of a tracemalloc.Snapshot.

        There are no traces, because that has no addresses.  The time and the
        process are those of its metadata, if it has any, or None.
        """
        stats = {}
        # Not block by block, of which a small file can have any number.
        for stat in snapshot.statistics("lineno"):
            frame = stat.traceback[-1]
            filename = frame.filename
            if filename == "<unknown>" and frame.lineno == 0:
                filename = None
            lines = stats.setdefault(filename, {})
            size, count = lines.get(frame.lineno or None, (0, 0))
            lines[frame.lineno or None] = size + stat.size, count + stat.count
        metadata = getattr(snapshot, "metadata", None) or {}
        return cls(metadata.get("time"), metadata.get("pid"), stats=stats,
                   traceback_limit=snapshot.traceback_limit)

    def to_stdlib(self):
        """Return a tracemalloc.Snapshot; addresses and metrics are lost.

        ValueError without traces.
        """
        if self.traces is None:
            raise ValueError("the snapshot has no traces to make a "
                             "tracemalloc.Snapshot of: take it with "
                             "create(traces=True)")
        from tracemalloc import Snapshot as StdlibSnapshot

        known = {}
        frames = {}
        for traceback, _, _ in _trace.by_traceback(self.traces):
            found = tuple((filename or "<unknown>", lineno or 0)
                          for filename, lineno in
                          traceback or ((None, None),))
            frames[id(traceback)] = known.setdefault(found, found)
        raw = [(0, size, frames[id(traceback)], None)
               for size, traceback in self.traces.values()]
        return StdlibSnapshot(raw, self.traceback_limit)
