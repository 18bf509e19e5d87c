"""The interface that tracemalloc had in 2013, on the tracer of today.

Programs written for pytracemalloc 0.9.1 and for the proposal that followed
run with

    import pytracemalloc as tracemalloc

Where the module `tracemalloc` has traces and statistics as objects, this one
has plain dictionaries and tuples, with the address of each block; and it has
filters that act while tracing, metrics, displays of the biggest allocations,
and tasks that run when memory grows or time passes.

Sizes are exact numbers of bytes, as they were asked for.  Functions may be
called from any thread.
"""

from _tracemalloc import get_traceback_limit, get_traced_memory

from ._filter import (
    Filter, add_exclude_filter, add_filter, add_include_filter, clear_filters,
    get_filters)
from ._metric import (
    Metric, get_arena_size, get_process_memory, get_tracemalloc_memory,
    get_unicode_interned)
from ._trace import (
    clear_traces, disable, enable, get_object_address, get_object_trace,
    get_stats, get_trace, get_traces, is_enabled, set_traceback_limit)
from ._snapshot import GroupedStats, Snapshot, StatsDiff
from ._task import Task, cancel_tasks, get_tasks
from ._display import DisplayTop, DisplayTopTask
from ._take import TakeSnapshotTask

__all__ = [
    "DisplayTop", "DisplayTopTask", "Filter", "GroupedStats", "Metric",
    "Snapshot", "StatsDiff", "TakeSnapshotTask", "Task", "add_exclude_filter",
    "add_filter", "add_include_filter", "cancel_tasks", "clear_filters",
    "clear_traces", "disable", "enable", "get_arena_size", "get_filters",
    "get_object_address", "get_object_trace", "get_process_memory",
    "get_stats", "get_tasks", "get_trace", "get_traceback_limit",
    "get_traced_memory", "get_tracemalloc_memory", "get_traces",
    "get_unicode_interned", "is_enabled", "set_traceback_limit",
]

# The last release that had this interface.
__version__ = "0.9.1"

# Pickles of metrics, and what users see, name the package and not its parts.
for _public in (DisplayTop, DisplayTopTask, Filter, GroupedStats, Metric,
                Snapshot, StatsDiff, TakeSnapshotTask, Task):
    _public.__module__ = __name__
del _public
