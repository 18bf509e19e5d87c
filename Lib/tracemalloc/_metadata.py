"""What a snapshot tells of the process and the moment."""

import os
import sys
import time

import _tracemalloc

from tracemalloc._version import VERSION


def describe(limit, raw):
    """Return the metadata of what _take_snapshot() has just returned.

    It is a dict fit for JSON."""
    current, peak = raw.traced_memory
    rss, vms = process_memory() or (None, None)
    return {
        "time": time.time(),
        "pid": os.getpid(),
        "command": list(sys.orig_argv),
        "path": import_folders(),
        "python": sys.version,
        "fork": VERSION,
        "limit": limit,
        "sample_interval": raw.sample_interval,
        "traced_memory": current,
        "traced_memory_peak": peak,
        "tracer_memory": _tracemalloc.get_tracemalloc_memory(),
        "arena_size": _tracemalloc._get_arena_size(),
        "dropped": raw.dropped,
        "rss": rss,
        "vms": vms,
    }


def import_folders():
    """Return sys.path as far as it tells folders and archives."""
    folders = [name for name in sys.path if isinstance(name, str)]
    if "" in folders:
        try:
            folders[folders.index("")] = os.getcwd()
        except OSError:
            # The folder that we are in has been removed.
            folders.remove("")
    return folders


def thread_names():
    """Return {identifier: name} of all threads that the program knows.

    None if the main thread is the only one, and has its usual name.
    """
    threading = sys.modules.get("threading")
    if threading is None:
        return None
    # Not enumerate(), which waits for a lock that this thread may have.
    names = {ident: thread.name
             for ident, thread in threading._active.copy().items()}
    return names if set(names.values()) != {"MainThread"} else None


def process_memory():
    """Return (resident, virtual) bytes of this process; None if unknown."""
    try:
        with open("/proc/self/statm", "rb") as stream:
            pages = stream.read().split()
        # With the name itself, sysconf() makes a string that the cache of
        # attributes keeps: a later region would be who frees it.
        size = os.sysconf(os.sysconf_names["SC_PAGE_SIZE"])
        return int(pages[1]) * size, int(pages[0]) * size
    except (OSError, ValueError, LookupError):
        return None
