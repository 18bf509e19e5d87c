"""Reading from a connection until a deadline, whatever the other side does.

A timeout of a socket is one for each part that comes; who sends a byte now and
then is never too late for it.
"""

import io
import time


class UntilDeadline(io.RawIOBase):
    """What comes by a connection, for so many seconds.

    Then reading raises TimeoutError.  Buffers in front of it should be small:
    what is in them may be read longer.
    """

    def __init__(self, connection, seconds):
        self._connection = connection
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
        return self._raw.readinto(buffer)

    def close(self):
        self._raw.close()
        super().close()

    def makefile(self, mode):
        """Return a file as http.client asks a socket for one."""
        return io.BufferedReader(self)
