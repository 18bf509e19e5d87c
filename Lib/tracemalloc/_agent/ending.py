"""Ending when one is asked to, at the next moment where it does no harm."""

import os
import select
import signal
import time

# More than signals can come in one moment.
_MANY = 1 << 16


def _signals():
    yield from (signal.SIGTERM, signal.SIGINT)
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) == signal.SIG_DFL:
        yield hangup


class Ending:
    """Notes SIGTERM, SIGINT and SIGHUP instead of dying of them.

    A context manager for the main thread; later signals of that kind do
    nothing more.  wait() is for the same thread.  *interrupt* is called when
    the first comes, to end what takes long.  That the terminal is gone is
    ignored where it was, as nohup has it.
    """

    def __init__(self, interrupt=None):
        self._interrupt = interrupt

    def __enter__(self):
        self.asked = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._before = signal.set_wakeup_fd(self._write,
                                            warn_on_full_buffer=False)
        self._handlers = [(number, signal.signal(number, self._note))
                          for number in _signals()]
        return self

    def __exit__(self, *exc_info):
        for number, handler in self._handlers:
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._before)
        os.close(self._read)
        os.close(self._write)

    def _note(self, number, frame):
        first, self.asked = not self.asked, True
        if first and self._interrupt is not None:
            self._interrupt()

    def wait(self, seconds=None):
        """Wait as long at most; return whether the end was asked for."""
        end = None if seconds is None else time.monotonic() + seconds
        while not self.asked:
            left = None if end is None else max(end - time.monotonic(), 0)
            if not select.select([self._read], [], [], left)[0]:
                break
            # Also of signals that others handle it is told that they came.
            os.read(self._read, _MANY)
        return self.asked
