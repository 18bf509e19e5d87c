"""Tasks: functions called when traced memory has moved, or time has passed.

    schedule() --> tasks --earliest of all--> the tracer's alarm
                     ^                              |  an allocation
                     +--- not due, or again --- _ring() --> call()

There is one alarm, in the tracer.  It rings between two instructions of the
thread whose allocation set it off, and is off while tasks are changed or run;
so nothing here is entered twice.
"""

import sys
from _thread import RLock
from operator import index
from time import monotonic_ns

import _tracemalloc

_lock = RLock()
_tasks = []             # scheduled ones; _lock
_running = False        # tasks are being called; _lock


class Task:
    """Calls func(*args, **kw) when traced memory has moved, or time passed.

    schedule() begins that, after set_delay() or set_memory_threshold() said
    when.  The call is made by the thread that allocates, soon after the
    allocation that was due; so tasks wait while nothing is allocated.  While a
    task runs, no task is called.  An exception cancels the task, and is
    reported by sys.unraisablehook().

    func        -- what is called
    func_args   -- tuple of arguments
    func_kwargs -- dict of keyword arguments, or None
    """

    def __init__(self, func, /, *args, **kw):
        if not callable(func):
            raise TypeError("a task needs something to call, not "
                            f"{type(func).__name__}")
        self.func = func
        self.func_args = args
        self.func_kwargs = kw or None
        self._delay = None
        self._threshold = None
        self._session = 0       # in which it is scheduled
        self._left = None       # calls; None: any number
        self._round = 0         # how often it was scheduled
        self._memory = 0        # traced memory when the wait began
        self._deadline = 0      # time.monotonic_ns(); 0: none

    def call(self):
        """Call the function now and return its result."""
        return self.func(*self.func_args, **(self.func_kwargs or {}))

    def schedule(self, repeat=None):
        """Let the task be called *repeat* times, or until it is cancelled.

        If it was scheduled, it starts again with the new number.  ValueError
        without a delay and a threshold, RuntimeError when tracing is off.
        """
        if repeat is not None:
            repeat = index(repeat)
            if repeat < 1:
                raise ValueError("a task is repeated once or more, or without "
                                 f"end (None), not {repeat} times")
        self._check(self._delay, self._threshold)
        if not _tracemalloc.is_tracing():
            raise RuntimeError("tracing must be on before a task is "
                               "scheduled: call enable() first")
        with _Change():
            self._left = repeat
            self._round += 1
            self._session = _tracemalloc._get_session()
            self._wait()
            if self not in _tasks:
                _tasks.append(self)

    def cancel(self):
        """Do not call the task any more.  Harmless if it is not scheduled."""
        with _Change():
            if self in _tasks:
                _tasks.remove(self)

    def get_delay(self):
        """Return the delay in seconds, or None."""
        return self._delay

    def set_delay(self, seconds):
        """Call the task *seconds* (int, 1 or more) after it began to wait.

        None for no limit of time.  It is called with the first allocation
        after that, so later by some milliseconds or by more.  If the task is
        scheduled, it begins to wait again.
        """
        if seconds is not None:
            seconds = index(seconds)
            if seconds < 1:
                raise ValueError("a delay is 1 second or more, or None, not "
                                 f"{seconds}")
        self._set(seconds, self._threshold)

    def get_memory_threshold(self):
        """Return the threshold in bytes, or None."""
        return self._threshold

    def set_memory_threshold(self, size):
        """Call the task when traced memory moved by more than *size* bytes.

        Up or down, since the task began to wait; exact, and noticed at once.
        None for no threshold.  If the task is scheduled, it begins to wait
        again.
        """
        if size is not None:
            size = index(size)
            if size < 1:
                raise ValueError("a memory threshold is 1 byte or more, or "
                                 f"None, not {size}")
        self._set(self._delay, size)

    @staticmethod
    def _check(delay, threshold):
        if delay is None and threshold is None:
            raise ValueError("the task would never be called: give it a "
                             "delay or a memory threshold, or cancel it")

    def _set(self, delay, threshold):
        with _Change():
            if self in _tasks:
                self._check(delay, threshold)
            self._delay = delay
            self._threshold = threshold
            self._wait()

    def _wait(self):
        self._memory = _tracemalloc.get_traced_memory()[0]
        self._deadline = 0
        if self._delay is not None:
            self._deadline = monotonic_ns() + self._delay * 1_000_000_000

    def _is_due(self, traced, now):
        return (self._deadline and now >= self._deadline
                or self._threshold is not None
                and abs(traced - self._memory) > self._threshold)


class _Change:
    """While tasks change, the alarm is off; afterwards it is set for them."""

    def __enter__(self):
        _lock.acquire()
        _tracemalloc._set_alarm(None)
        session = _tracemalloc._get_session()
        # Without tracing, nothing is scheduled.
        _tasks[:] = [task for task in _tasks if task._session == session]

    def __exit__(self, *exc_info):
        try:
            if _tasks and not _running:
                low, high, deadline = 0, sys.maxsize, 0
                for task in _tasks:
                    if task._threshold is not None:
                        low = max(low, task._memory - task._threshold)
                        high = min(high, task._memory + task._threshold)
                    if task._deadline:
                        deadline = min(deadline or task._deadline,
                                       task._deadline)
                # Last, so that whatever it sets off finds all done.
                _tracemalloc._set_alarm(_ring, low, high, deadline)
        finally:
            _lock.release()


def _ring(traced):
    """Call the tasks that are due, traced memory being *traced* bytes."""
    global _running
    with _Change():
        if _running:
            return
        now = monotonic_ns()
        due = [(task, task._round) for task in _tasks
               if task._is_due(traced, now)]
        _running = True
    errors = []
    try:
        for task, round in due:
            if task in _tasks:
                try:
                    task.call()
                except BaseException as exc:
                    errors.append(exc)
                    task.cancel()
    finally:
        with _Change():
            _running = False
            # Together, so that what one of them allocates does not have the
            # others called again.
            for task, round in due:
                _finish(task, round)
    if len(errors) > 1:
        raise BaseExceptionGroup("tasks failed and were cancelled", errors)
    if errors:
        raise errors[0]


def _finish(task, round):
    # It may have been cancelled, or have scheduled itself anew.
    if task in _tasks and task._round == round:
        if task._left is not None:
            task._left -= 1
        if task._left == 0:
            _tasks.remove(task)
        else:
            task._wait()


def get_tasks():
    """Return the tasks that are scheduled, as a new list."""
    with _Change():
        return list(_tasks)


def cancel_tasks():
    """Cancel all tasks."""
    with _Change():
        _tasks.clear()


def clear_traces():
    """Clear the tracer's traces and let all tasks begin to wait again."""
    with _Change():
        _tracemalloc.clear_traces()
        for task in _tasks:
            task._wait()


def forget_tasks():
    """Cancel all tasks in a child process, where no other thread goes on."""
    global _running
    _lock._at_fork_reinit()
    _running = False
    cancel_tasks()
