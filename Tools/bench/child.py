"""Run one case in this interpreter and print what it took, a dict on a line.

usage: child.py GROUP CASE SIZE LOOPS QUESTIONS

Started by measure.py, with tracing switched on by the command line or not at
all.  QUESTIONS is a list of words with commas between:

    blocks    how many live blocks the tracer knows at the end
    snapshot  how long a snapshot and its statistics take, and how much memory
    reports   how long each command takes that reads a file of the snapshot
    thread    nothing; but beside the work there is a thread that sleeps
    bounded   the same, if this build can take one without a tuple for each
              traceback: for stacks so deep that these would fill the memory

The first line is about the workload, and is printed before any question is
asked: answers may take longer than the work did.  The second line, with
tracing only, has the answers.  Time is in seconds, memory in bytes.  Nothing
that the workload does not need is imported before it has ended.
"""
import gc
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cases                            # noqa: E402

STATUS = "/proc/self/status"
# Functions of the fork's _tracemalloc that give all live blocks by context at
# once: the first one that a build has is timed.  The last one makes a tuple of
# each traceback.
COPIES = ("_get_picture", "_take_snapshot", "_get_contexts")


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


def forget_peak():
    """Let the peak be what is resident now;
    False where the system does not offer it.
    """
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as stream:
            stream.write("5")
    except OSError:
        return False
    return True


def timed(function, *arguments):
    """(result, CPU time, how far the peak rose above what
    was resident before).
    """
    # A peak of the workload may be higher than anything that follows.
    resident = memory("VmRSS") if forget_peak() else None
    start = time.process_time()
    result = function(*arguments)
    took = time.process_time() - start
    rise = None if resident is None else max(0, peak() - resident)
    return result, took, rise


REPORTS = ("top", "top -g traceback", "top --cumulative", "traceback", "tree",
           "tree --inverted", "stats", "check --max-held 1TiB", "show",
           "export --format json", "export --format csv",
           "export --format collapsed", "export --format speedscope")


def time_reports(snapshot):
    """{command: CPU time of its process}, for a file of the snapshot."""
    import subprocess
    import tempfile

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "case.tmz")
        snapshot.dump(name)
        for words in [*map(str.split, REPORTS), ["diff", name]]:
            before = os.times()
            subprocess.run([sys.executable, "-m", "tracemalloc", *words, name],
                           stdout=subprocess.DEVNULL, check=True)
            after = os.times()
            found[" ".join(words).replace(name, "").strip()] = (
                after.children_user + after.children_system
                - before.children_user - before.children_system)
    return found


def ask_tracer(questions):
    """What the tracer says about itself."""
    import _tracemalloc
    import tracemalloc

    found = {"tracer": tracemalloc.get_tracemalloc_memory(),
             "traced": tracemalloc.get_traced_memory()[0]}
    # The fork counts blocks without making tracebacks, which may be very long.
    if "blocks" in questions and hasattr(_tracemalloc, "_get_counts"):
        found["blocks"] = _tracemalloc._get_counts()["blocks"]
    copy = next((name for name in COPIES if hasattr(_tracemalloc, name)), None)
    snapshot_wanted = "snapshot" in questions or (
        "bounded" in questions and copy not in (None, COPIES[-1]))
    if snapshot_wanted and copy:
        _, found["picture_cpu"], found["picture_rss"] = timed(
            getattr(_tracemalloc, copy))
    if snapshot_wanted:
        snapshot, found["snapshot_cpu"], rise = timed(
            tracemalloc.take_snapshot)
        rows, found["statistics_cpu"], later = timed(snapshot.statistics,
                                                     "lineno")
        # The snapshot is resident when its statistics are asked for.
        found["snapshot_rss"] = rise
        found["statistics_rss"] = later
        found["statistics_rows"] = len(rows)
        if "reports" in questions:
            found["reports"] = time_reports(snapshot)
        if "blocks" in questions:
            found.setdefault("blocks", len(snapshot.traces))
    elif "blocks" in questions and "blocks" not in found:
        found["blocks"] = len(_tracemalloc._get_traces())
    return found


def main():
    group, name, size, loops = (sys.argv[1], sys.argv[2], int(sys.argv[3]),
                                int(sys.argv[4]))
    questions = sys.argv[5].split(",")
    step = cases.load_case(group, name).prepare(size)
    if "thread" in questions:
        import _thread

        asleep = _thread.allocate_lock()
        asleep.acquire()
        _thread.start_new_thread(asleep.acquire, ())
    before = time.process_time()
    answer, kept, cpu, wall = workload(step, loops)
    found = {"answer": answer, "cpu": cpu, "wall": wall, "before_cpu": before,
             "peak_rss": peak(), "end_rss": memory("VmRSS")}
    # As a literal, not as JSON: that module's blocks are not the workload's.
    print(repr(found), flush=True)
    if "tracemalloc" in sys._xoptions:
        print(repr(ask_tracer(questions)), flush=True)
    del kept
    # To free millions of blocks one by one would take time and tell nothing.
    os._exit(0)


if __name__ == "__main__":
    main()
