"""Numbers about the process and the tracer, to be kept with snapshots."""

import os

import _tracemalloc

FORMATS = ("int", "percent", "size")


class Metric:
    """A number at the time of a snapshot.

    name   -- str
    value  -- int or float
    format -- how it is shown: 'int', 'percent' (1.0 is 100%) or 'size' (bytes)
    """

    __slots__ = ("name", "value", "format")

    def __init__(self, name, value, format):
        if format not in FORMATS:
            raise ValueError(f"unknown format of a metric: {format!r}; it is "
                             "one of 'int', 'percent' and 'size'")
        self.name = name
        self.value = value
        self.format = format

    def __eq__(self, other):
        if not isinstance(other, Metric):
            return NotImplemented
        return (self.name, self.value, self.format) == (
            other.name, other.value, other.format)

    __hash__ = None

    def __repr__(self):
        return (f"<Metric name={self.name!r} value={self.value!r} "
                f"format={self.format!r}>")


def get_arena_size():
    """Return the bytes of the arenas of pymalloc that hold traced blocks.

    0 when tracing is off.  O(blocks).
    """
    return _tracemalloc._get_arena_size()


def get_unicode_interned():
    """Return (size in bytes, length) of the dict of interned strings.

    The strings themselves are not in the size.
    """
    return _tracemalloc._get_unicode_interned()


def get_process_memory():
    """Return the memory of this process in bytes, (resident, virtual).

    Read from /proc; elsewhere from the package psutil, if it is installed.
    None if neither is there.
    """
    # As tracemalloc._metadata does it, which is not imported: that package is
    # not small, and a program may have a module of its own of that name.
    try:
        with open("/proc/self/statm", "rb") as file:
            fields = file.read().split()
        # With the name itself, sysconf() makes a string that the cache of
        # attributes keeps, which is freed at some later time.
        page = os.sysconf(os.sysconf_names["SC_PAGE_SIZE"])
        return int(fields[1]) * page, int(fields[0]) * page
    except (OSError, AttributeError):
        pass
    try:
        import psutil
    except ImportError:
        return None
    info = psutil.Process().memory_info()
    return info.rss, info.vms


def get_tracemalloc_memory():
    """Return the memory of the tracer in bytes, (size, free).

    *free* is the part of *size* that waits in the tracer's tables to be used.
    (0, 0) when tracing is off.  O(pools of small blocks).
    """
    return _tracemalloc._get_room()
