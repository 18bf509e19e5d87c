"""The tracer's functions, called at any moment, and what must hold of it."""
import os
import sys

from kit import state
from kit.state import spent, wrong

UNTRACED = "TORTURE_UNTRACED" in os.environ
# How many calls a snapshot is worth.
SNAPSHOT = 5

if UNTRACED:
    tracer = None
else:
    import _tracemalloc as tracer

__all__ = ["enter_account", "in_account", "leave_account", "look",
           "of_account", "trace_accounts", "trace_alarm", "trace_check",
           "trace_clear",
           "trace_filters", "trace_limit", "trace_object",
           "trace_off_and_on", "trace_peak", "trace_region",
           "trace_report", "trace_rows", "trace_seed", "trace_snapshot",
           "trace_start", "trace_stop", "trace_task", "trace_track",
           "trace_untrack"]


def _only_traced(function):
    """A function that does nothing where the tracer is left alone."""
    if UNTRACED:
        return lambda *args: args[0] if args else None
    return function


def _stack_of(frame):
    frames = []
    while frame is not None:
        frames.append((frame.f_code.co_filename, frame.f_lineno or 0))
        frame = frame.f_back
    return frames


@_only_traced
def look(block):
    """Compare the traceback of what the calling line has just allocated.

    Every call is on one line with its argument, and nothing runs in between
    but what the tracer may be told in the meantime: then there is no
    traceback, or a part of it.
    """
    traceback = tracer._get_object_traceback(block)
    if traceback is not None:
        seen = _stack_of(sys._getframe(1))
        if list(traceback) != seen[:len(traceback)]:
            wrong(f"traceback of {type(block).__name__}\n  traced "
                  f"{traceback}\n  seen   {seen}\n"
                  f"  {tracer._get_dropped()} traces were dropped")
    return block


@_only_traced
def trace_start(number):
    if number % 4 == 0:
        tracer.start(1 + number, sample_interval=1 << number % 12)
    else:
        tracer.start((1, 2, 25, 65535)[number % 4])


@_only_traced
def trace_stop():
    tracer.stop()


@_only_traced
def trace_clear():
    tracer.clear_traces()


@_only_traced
def trace_off_and_on(number):
    tracer.stop()
    trace_start(number)


@_only_traced
def trace_peak():
    tracer.reset_peak()


@_only_traced
def trace_check():
    """Walk all of the tracer's data: it must be in order at any time."""
    try:
        tracer._check()
    except AssertionError as error:
        wrong(error)
    current, peak = tracer.get_traced_memory()
    if not 0 <= current <= peak:
        wrong(f"{current} bytes are traced, {peak} at the peak")


@_only_traced
def trace_rows(number):
    """Everything that is told as tuples."""
    rows = (tracer._get_traces, tracer._get_contexts, tracer._get_estimates,
            tracer._get_address_traces)[number % 4]()
    return len(rows)


@_only_traced
def trace_snapshot(number):
    """A snapshot, added up in two ways."""
    import tracemalloc
    # Hooks may be called for each step of it.
    spent(SNAPSHOT)
    try:
        snapshot = (tracemalloc.take_peak_snapshot if number % 3 == 0
                    else tracemalloc.take_snapshot)()
    except RuntimeError:
        return                          # not tracing
    sums = {sum(row.size for row in snapshot.statistics(key))
            for key in ("filename", "traceback")}
    if len(sums) != 1 and snapshot.metadata.get("sample_interval") is None:
        wrong(f"a snapshot adds up to {sorted(sums)}")


@_only_traced
def trace_report(number):
    import tracemalloc
    spent(SNAPSHOT)
    try:
        snapshot = tracemalloc.take_snapshot()
    except RuntimeError:
        return
    for row in snapshot.statistics("lineno")[:number % 5]:
        str(row)
        row.traceback.format()


@_only_traced
def trace_object(block):
    tracer._get_object_traceback(block)
    tracer._get_object_details(block)


@_only_traced
def trace_seed(number):
    try:
        tracer._seed_sampling(number)
    except RuntimeError:
        pass                            # not sampling


@_only_traced
def trace_limit(number):
    tracer._set_traceback_limit(1 + number)


@_only_traced
def trace_filters(number):
    """Other filters, none, or too many to judge by the first."""
    import pytracemalloc
    if number % 3 == 0:
        pytracemalloc.clear_filters()
        return
    pattern = (state.program, "*", "fresh*", "<frozen*>",
               "renamed1")[number % 5]
    line = number if number % 7 == 0 else None
    pytracemalloc.add_filter(pytracemalloc.Filter(
        number % 2 == 0, pattern, line, traceback=number % 4 < 2))


@_only_traced
def trace_alarm(f):
    """Call f when memory moves."""
    current = tracer.get_traced_memory()[0]
    tracer._set_alarm(lambda traced: f(), max(current - 100, 0), current + 100,
                      0)


@_only_traced
def trace_task(f):
    import pytracemalloc
    task = pytracemalloc.Task(f)
    task.set_memory_threshold(1000)
    task.schedule(2)


def trace_region(f):
    """Measure a call, which may do with the tracer what it likes."""
    if UNTRACED:
        return f()
    import tracemalloc
    with tracemalloc.trace() as region:
        result = f()
    str(region)
    return result


def _account(number):
    """An account, none, or one with a limit that calls back."""
    import tracemalloc
    if number % 7 == 0:
        return tracemalloc.account(None)
    if number % 5 == 0:
        return tracemalloc.account("limited", soft_limit=number,
                                   callback=lambda figures: state.keep([]))
    return tracemalloc.account(f"account {number % 100}")


def in_account(f, number):
    """A call in an account."""
    if UNTRACED:
        return f()
    with _account(number):
        return f()


def of_account(f, number):
    """A function of any kind that runs in an account whenever it does."""
    return f if UNTRACED else _account(number)(f)


_entered = []


@_only_traced
def enter_account(number):
    """Left by whoever comes, in whatever thread and context."""
    account = _account(number)
    account.__enter__()
    _entered.append(account)


@_only_traced
def leave_account():
    if _entered:
        _entered.pop().__exit__(None, None, None)


@_only_traced
def trace_accounts():
    """Each account was told of every block that it was told the end of."""
    import tracemalloc
    exact = tracer.get_sample_interval() is None
    for figures in tracemalloc.accounts():
        str(figures)
        if exact and not 0 <= figures.count <= figures.allocated_count:
            wrong(f"more is freed than was allocated: {figures}")


# Addresses of nobody's, and a domain of our own: what is reported about
# domain 0 is trusted to be a block.
DOMAIN = 7


@_only_traced
def trace_track(number):
    import _testcapi
    _testcapi.tracemalloc_track(DOMAIN + number % 2, 16 + number % 64 * 8,
                                number, number % 3 == 0)


@_only_traced
def trace_untrack(number):
    import _testcapi
    _testcapi.tracemalloc_untrack(DOMAIN + number % 2, 16 + number % 64 * 8,
                                  number % 3 == 0)
