"""Snapshots in files, from a thread of their own: tracemalloc.watch()."""

import atexit
import gc
import os
import signal
import string
import tempfile
import threading
import time
from contextlib import suppress

import tracemalloc
from _tracemalloc import _quietly
from tracemalloc._writing import check_place

# How often traced memory is looked at, in seconds, if a threshold is set.
_POLL = 1.0
# There is an end to how long a thread can wait at once, and to numbers.
_LONGEST = 1e6
_FOREVER = 1e12

_VARIABLES = ("pid", "timestamp", "counter")


def check_template(template):
    """Raise ValueError if *template* has a variable that there is not."""
    pattern = string.Template(template)
    if not pattern.is_valid():
        raise ValueError(f"{template!r} has a '$' that begins no name; "
                         "write '$$' for the character itself")
    for name in pattern.get_identifiers():
        if name not in _VARIABLES:
            raise ValueError(f"{template!r} has an unknown variable ${name}; "
                             "there are $pid, $timestamp and $counter")


def expand_template(template, counter):
    """Return the file name that *template* makes now.

    $pid is the number of the process, $timestamp the local time such as
    2013-09-22_18-30-05, $counter the number in at least four digits.
    """
    return string.Template(template).substitute(
        pid=os.getpid(), timestamp=time.strftime("%Y-%m-%d_%H-%M-%S"),
        counter=f"{counter:04d}")


class Watch:
    """A thread that writes snapshots to files until it is stopped.

    filename  -- template of file names; by default, in a folder of its own
                 that nobody else may look into
    interval  -- seconds between two snapshots, or None
    threshold -- bytes that traced memory must have grown or shrunk by, or None
    filenames -- list of the files written so far
    error     -- the exception of the last attempt, or None if it succeeded

    The thread is a daemon, blocks all signals, and raises nothing: what goes
    wrong is in `error`, and it goes on.  While tracing is off it only waits.
    At exit a file that is being written is finished.  After os.fork() the
    thread runs in the parent only, as all threads.

    A watch can be used in a with statement, which stops it at the end.
    """

    def __init__(self, filename, *, interval, threshold, collect):
        self._folder = None
        if filename is not None:
            filename = os.fsdecode(filename)
            check_template(filename)
            if not os.path.isabs(filename):
                # The program may go elsewhere.  What is there already is no
                # template.
                filename = os.path.join(os.getcwd().replace("$", "$$"),
                                        filename)
            self.filename = filename
        if interval is None and threshold is None:
            interval = 60.0
        for name, value in ("interval", interval), ("threshold", threshold):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive, not {value!r}")
        self.interval, self.threshold = interval, threshold
        self.filenames = []
        self.error = None
        if filename is None:
            # Not where others know the name beforehand: what they put there
            # would be followed, and they could read the command line.
            self._folder = tempfile.mkdtemp(
                prefix=f"tracemalloc-{os.getpid()}-")
            self.filename = os.path.join(self._folder.replace("$", "$$"),
                                         "$pid-$counter.tmz")
        else:
            # So that the program hears of what can never succeed.
            check_place(expand_template(self.filename, 1))
        self._collect = collect
        self._counter = 0
        self._pid = os.getpid()
        # By process: one that begins by os.fork() while a thread is writing
        # would wait for it for ever.
        self._writing = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=_quietly, args=(self._run,), name="tracemalloc.watch",
            daemon=True)

    def __repr__(self):
        state = "running" if self.is_running() else "stopped"
        number = len(self.filenames)
        return (f"<Watch {self.filename!r} {state}, "
                f"{number} file{'s' * (number != 1)}>")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.stop()

    def start(self):
        from tracemalloc import _format

        _quietly(_format.prepare, self.filename)
        self._mark()
        self._thread.start()
        atexit.register(self.stop)

    def is_running(self):
        """Whether the thread is there to write snapshots."""
        return self._thread.is_alive() and not self._stopped.is_set()

    def stop(self):
        """Stop the thread, and wait until it has finished a file."""
        self._stopped.set()
        atexit.unregister(self.stop)
        if self._thread is not threading.current_thread():
            self._thread.join()
        # A child of os.fork() leaves the folder to its parent.
        if (self._folder is not None and not self.filenames
                and self._pid == os.getpid()):
            with suppress(OSError):
                os.rmdir(self._folder)

    def write(self):
        """Write a snapshot now; return the name of the file.

        May be called from any thread.  Raises what take_snapshot() and dump()
        raise.
        """
        return _quietly(self._write)

    def _write(self):
        # A handler of a signal may write while the same thread is writing.
        with self._writing.setdefault(os.getpid(), threading.RLock()):
            if self._collect:
                gc.collect()
            self._counter += 1
            number = self._counter
            try:
                filename = expand_template(self.filename, number)
                tracemalloc.take_snapshot().dump(filename)
            except BaseException:
                # Unless a handler of a signal has taken the next meanwhile.
                if self._counter == number:
                    self._counter -= 1
                raise
            self.filenames.append(filename)
        return filename

    # In the thread

    def _run(self):
        try:
            if hasattr(signal, "pthread_sigmask"):
                # Handlers are for the program's own threads.
                signal.pthread_sigmask(signal.SIG_BLOCK,
                                       signal.valid_signals())
            while not self._stopped.wait(self._pause()):
                self._step()
        except BaseException as error:
            self.error = error

    def _mark(self):
        """Begin to wait for the next snapshot."""
        self._since = time.monotonic()
        self._level = tracemalloc.get_traced_memory()[0]

    def _pause(self):
        """Return how many seconds nothing can become due."""
        if self.interval is None:
            return _POLL
        end = self._since + min(self.interval, _FOREVER)
        left = max(0.0, end - time.monotonic())
        return min(left, _LONGEST if self.threshold is None else _POLL)

    def _is_due(self):
        if self.interval is not None:
            if time.monotonic() - self._since >= self.interval:
                return True
        if self.threshold is not None:
            moved = tracemalloc.get_traced_memory()[0] - self._level
            return abs(moved) >= self.threshold
        return False

    def _step(self):
        if not self._is_due():
            return
        if tracemalloc.is_tracing():
            try:
                self.write()
                self.error = None
            except Exception as error:
                self.error = error
        self._mark()


def watch(filename, **options):
    if not tracemalloc.is_tracing():
        raise RuntimeError("nothing is traced that could be watched: "
                           "call tracemalloc.start() first")
    started = Watch(filename, **options)
    started.start()
    return started
