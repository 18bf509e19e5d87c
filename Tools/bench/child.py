"""Run one case in this interpreter and print what it took, as one line of JSON.

usage: child.py GROUP CASE SIZE LOOPS QUESTIONS

Started by measure.py, with tracing switched on by the command line or not at
all.  QUESTIONS is a list of words with commas between:

    blocks    how many live blocks the tracer knows at the end
    snapshot  how long a snapshot and its statistics take, and how much memory

Time is in seconds, memory in bytes.  Nothing that the workload does not need
is imported before it has ended.
"""
import gc
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cases                            # noqa: E402

STATUS = "/proc/self/status"
# Functions of the fork's _tracemalloc that give all live blocks by context at
# once: the first one that a build has is timed.
PICTURES = ("_get_contexts", "_get_statistics")


def memory(field):
    """VmHWM (the peak) or VmRSS of this process, None where there is no /proc.

    A peak from getrusage() would start at what the parent had when it forked.
    """
    if not os.path.exists(STATUS):
        return None
    with open(STATUS, encoding="ascii") as stream:
        for line in stream:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise LookupError(f"{STATUS} has no {field}")


def peak():
    high = memory("VmHWM")
    if high is None:
        import resource
        unit = 1 if sys.platform == "darwin" else 1024
        high = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return high


def workload(step, loops):
    """(answer, kept, CPU time, wall time) of `loops` calls of `step`."""
    answer = kept = None
    gc.collect()
    wall = time.perf_counter()
    cpu = time.process_time()
    for _ in range(loops):
        kept = None
        answer, kept = step()
    cpu = time.process_time() - cpu
    wall = time.perf_counter() - wall
    return answer, kept, cpu, wall


def timed(function, *arguments):
    """(result, CPU time, how far the peak rose above what was resident before)."""
    resident = memory("VmRSS")
    start = time.process_time()
    result = function(*arguments)
    took = time.process_time() - start
    rise = None if resident is None else max(0, peak() - resident)
    return result, took, rise


def ask_tracer(questions):
    """What the tracer says about itself."""
    import _tracemalloc
    import tracemalloc

    found = {"tracer": tracemalloc.get_tracemalloc_memory(),
             "traced": tracemalloc.get_traced_memory()[0]}
    for name in PICTURES:
        if "snapshot" in questions and hasattr(_tracemalloc, name):
            _, found["picture_cpu"], found["picture_rss"] = timed(getattr(_tracemalloc, name))
            break
    if "snapshot" in questions:
        snapshot, found["snapshot_cpu"], rise = timed(tracemalloc.take_snapshot)
        rows, found["statistics_cpu"], later = timed(snapshot.statistics, "lineno")
        # The snapshot is resident when its statistics are asked for.
        found["snapshot_rss"] = rise
        found["statistics_rss"] = later
        found["statistics_rows"] = len(rows)
        if "blocks" in questions:
            found["blocks"] = len(snapshot.traces)
    elif "blocks" in questions:
        found["blocks"] = len(_tracemalloc._get_traces())
    return found


def main():
    group, name, size, loops = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    questions = sys.argv[5].split(",")
    step = cases.load_case(group, name).prepare(size)
    before = time.process_time()
    answer, kept, cpu, wall = workload(step, loops)
    found = {"answer": answer, "cpu": cpu, "wall": wall, "before_cpu": before,
             "peak_rss": peak(), "end_rss": memory("VmRSS")}
    if "tracemalloc" in sys._xoptions:
        found.update(ask_tracer(questions))

    import json
    print(json.dumps(found), flush=True)
    del kept
    # To free millions of blocks one by one would take time and tell nothing.
    os._exit(0)


if __name__ == "__main__":
    main()
