"""Files of the 2013 interface: what is in them, and snapshots made of it."""

from array import array
from operator import add

from tracemalloc._columns import MAX_DEPTH, SnapshotData
from tracemalloc._errors import SnapshotFormatError
from tracemalloc._snapshot import Snapshot


class DraftMetric:
    """A metric in a file of the 2013 interface."""

    __slots__ = ("name", "value", "format")


class DraftSnapshot:
    """A whole snapshot object of the 2013 interface, as a pickle has it."""

    __slots__ = ("timestamp", "pid", "traceback_limit", "stats", "traces",
                 "metrics")


class Draft:
    """What a file of the 2013 interface holds.

    timestamp       -- datetime, or str in files of 0.9.1 and before
    pid             -- int or None
    traceback_limit -- int; 1 in files of 0.9.1 and before
    stats           -- {file name or None: {line or None: (size, count)}}
    traces          -- {address: (size, frames)} or None; a frame is
                       (file name or None, line or None), the newest first
    metrics         -- {name: (value, format)}
    extra           -- what else old files had: process_memory, user_data
    """

    __slots__ = ("timestamp", "pid", "traceback_limit", "stats", "traces",
                 "metrics", "extra")

    def __init__(self, found):
        self.timestamp = found.pop("timestamp", None)
        self.pid = found.pop("pid", None)
        self.traceback_limit = found.pop("traceback_limit", 1)
        self.stats = found.pop("stats", None)
        self.traces = found.pop("traces", None)
        metrics = found.pop("metrics", None) or {}
        self.extra = found
        try:
            self._check(metrics)
        except (TypeError, ValueError, AttributeError):
            raise SnapshotFormatError(
                "is a damaged file of the 2013 interface: its values make no "
                "sense; get the file again") from None

    def _check(self, metrics):
        def require(true):
            if not true:
                raise ValueError

        require(type(self.traceback_limit) is int
                and abs(self.traceback_limit) < 1 << 63)
        require(self.pid is None or _is_number(self.pid, 64))
        import datetime

        require(isinstance(self.timestamp, (str, datetime.date, type(None))))
        require(self.stats is not None or self.traces is not None)
        self.metrics = {}
        for name, metric in metrics.items():
            require(type(metric) is DraftMetric and type(name) is str)
            require(type(metric.value) in (int, float)
                    and abs(metric.value) < 1 << 64)
            require(metric.format in ("int", "percent", "size"))
            self.metrics[name] = metric.value, metric.format
        for name, lines in (self.stats or {}).items():
            require(name is None or type(name) is str)
            for line, sums in lines.items():
                require(line is None or _is_number(line, 31))
                require(type(sums) in (tuple, list))
                size, count = sums
                require(_is_number(size, 64) and _is_number(count, 48))
        checked = {}
        for address, trace in (self.traces or {}).items():
            require(type(trace) in (tuple, list))
            size, frames = trace
            require(type(address) is int and _is_number(size, 64))
            if id(frames) not in checked:
                checked[id(frames)] = frames
                require(type(frames) in (tuple, list, type(None)))
                for frame in frames or ():
                    require(type(frame) in (tuple, list))
                    name, line = frame
                    require(name is None or type(name) is str)
                    require(line is None or _is_number(line, 31))

    def to_snapshot(self):
        """Return the same as a tracemalloc.Snapshot; addresses are lost.

        Without traces, there is one call path per line, and the blocks of a
        line, whose sizes the file does not tell, are given its average.
        """
        limit = max(self.traceback_limit, 1)
        if self.traces is not None:
            known, by_id = {}, {}
            traces = []
            for size, frames in self.traces.values():
                # Each is looked at once, however many blocks share it.
                if id(frames) not in by_id:
                    raw = _raw_frames(frames)
                    by_id[id(frames)] = known.setdefault(raw, raw)
                traces.append((0, size, by_id[id(frames)], None))
            snapshot = Snapshot(traces, limit)
        else:
            snapshot = Snapshot._of(self._average_data(), MAX_DEPTH, {})
            snapshot.traceback_limit = limit
        snapshot.metadata = {
            "time": _seconds(self.timestamp), "pid": self.pid,
            "sizes": "exact" if self.traces is not None else "average",
            "metrics": {name: value for name, (value, _)
                        in self.metrics.items()},
        }
        return snapshot

    def _average_data(self):
        """Return data of stats: two sizes per line, one byte apart."""
        lines = {}
        for name, stats in self.stats.items():
            for line, figures in stats.items():
                frames = _raw_frames([(name, line)])
                known = lines.get(frames, (0, 0))
                lines[frames] = tuple(map(add, known, figures))
        traces, counts = [], array("Q")
        for frames, (size, count) in lines.items():
            if not count:
                continue
            least, more = divmod(size, count)
            for size, number in (least, count - more), (least + 1, more):
                if number:
                    traces.append((0, size, frames, None))
                    counts.append(number)
        data = SnapshotData.from_raw(traces)
        data.row_count = counts
        return data


def _seconds(timestamp):
    """Return a time of day as time.time() has it, or None."""
    import datetime

    try:
        if isinstance(timestamp, str):
            timestamp = datetime.datetime.fromisoformat(timestamp)
        if isinstance(timestamp, datetime.datetime):
            return timestamp.timestamp()
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _is_number(value, bits):
    return type(value) is int and 0 <= value < 1 << bits


def _raw_frames(frames):
    return tuple((name or "<unknown>", line or 0)
                 for name, line in frames or ((None, None),))
