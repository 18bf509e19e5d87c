"""Reading from a connection until a deadline, whatever the other side does.

A timeout of a socket is one for each part that comes; who sends a byte now and
then is never too late for it.
"""

import io
import time


class TooMuch(OSError):
    """More has come than was to be read."""


class UntilDeadline(io.RawIOBase):
    """What comes by a connection, for so many seconds.

    Then reading raises TimeoutError; and TooMuch when more than *most* bytes
    have come, if that is given.  Buffers in front of it should be small: what
    is in them may be read longer.
    """

    def __init__(self, connection, seconds, most=None):
        self._connection = connection
        self._left = float("inf") if most is None else most
        # Keeps the connection open until this is closed.
        self._raw = connection.makefile("rb", buffering=0)
        self._deadline = time.monotonic() + seconds

    def readable(self):
        return True

    def readinto(self, buffer):
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("it took too long")
        self._connection.settimeout(left)
        number = self._raw.readinto(buffer)
        self._left -= number or 0
        if self._left < 0:
            raise TooMuch("too much was sent")
        return number

    def close(self):
        self._raw.close()
        super().close()

    def makefile(self, mode):
        """Return a file as http.client asks a socket for one."""
        return io.BufferedReader(self)
