"""Who listens, and for how long.

Each connection has a thread, answers one request, and ends at a deadline,
whether the client is slow to ask or slow to read.  There are so many
connections at most; whoever comes then is told to come again.  What is asked
is small and bounded; what is answered is made before the first byte is sent,
so that a slow client keeps nothing but these bytes.
"""

import errno
import io
import os
import socket
import stat
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn

from tracemalloc._agent.deadline import TooMuch, UntilDeadline
from tracemalloc._cli.screen import printable

# Connections at once.
MOST_CLIENTS = 32
# Seconds to send a request, and to take the answer.
TO_ASK, TO_READ = 10, 60

# Seconds that answers have to be taken when the agent ends.
TO_END = 5

_BUSY = (b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"
         b"Content-Type: text/plain\r\nConnection: close\r\n\r\n"
         b"too many clients at once\n")
_MOST_LINE = 1 << 14
# Of a request, with its headers; before it is known who asks.
_MOST_ASKED = 1 << 16


class _Handler(BaseHTTPRequestHandler):
    """Reads one request, and sends what Requests answers."""

    protocol_version = "HTTP/1.1"
    server_version = "tracemalloc"
    sys_version = ""
    # Of whoever does not say: with a status, too.
    default_request_version = "HTTP/1.0"
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(message)s\n"

    def setup(self):
        self.connection = self.request
        self.rfile = io.BufferedReader(UntilDeadline(self.request, TO_ASK,
                                                     _MOST_ASKED))
        self.wfile = io.BytesIO()

    def finish(self):
        self.rfile.close()

    def handle(self):
        self.close_connection = True
        try:
            self._read_and_respond()
        except TooMuch:
            self.wfile = io.BytesIO()
            self.send_error(431)
        if self.wfile.tell():
            # For all of it, not for each part.
            self.request.settimeout(TO_READ)
            self.request.sendall(self.wfile.getbuffer())

    def _read_and_respond(self):
        self.raw_requestline = self.rfile.readline(_MOST_LINE + 1)
        if len(self.raw_requestline) > _MOST_LINE:
            self.requestline = self.request_version = self.command = ""
            self.send_error(414)
        elif self.raw_requestline and self.parse_request():
            self._respond()

    def handle_expect_100(self):
        return True

    def _respond(self):
        try:
            answer = self.server.requests.answer(self.command, self.path,
                                                 self.headers)
        except Exception as error:
            self.server.tell(f"{self.path}: {type(error).__name__}: {error}")
            self.send_error(500, "this is a fault of the agent")
            return
        self.send_response(answer.status)
        for name, text in answer.headers.items():
            self.send_header(name, text)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def version_string(self):
        return self.server_version

    def address_string(self):
        return "client"

    def log_message(self, format, *arguments):
        # What clients do wrong is their affair.
        pass


class Server(ThreadingMixIn, TCPServer):
    """Listens; start() returns at once, stop() when its clients are served.

    where    -- (host, port), or the name of a socket in the file system
    requests -- has the method answer() of Requests
    name     -- command that errors are told of
    Raises OSError if nobody can listen there.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, where, requests, name="serve"):
        self.requests = requests
        self._name = name
        self._free = threading.BoundedSemaphore(MOST_CLIENTS)
        self._path = None
        if isinstance(where, str):
            self.address_family = socket.AF_UNIX
            self._make_way(where)
        elif ":" in where[0]:
            self.address_family = socket.AF_INET6
        super().__init__(where, _Handler, bind_and_activate=False)
        try:
            self.server_bind()
            self.server_activate()
        except BaseException:
            self.server_close()
            raise

    def server_bind(self):
        if self.address_family != socket.AF_UNIX:
            super().server_bind()
            return
        # Nobody else may connect, also not in between.
        mask = os.umask(0o177)
        try:
            self.socket.bind(self.server_address)
        finally:
            os.umask(mask)
        self._path = self.server_address
        self._file = os.lstat(self._path)

    @staticmethod
    def _make_way(path):
        """Remove the socket of a server that is no more."""
        try:
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise FileExistsError(errno.EEXIST,
                                      "there is a file of that name", path)
        except FileNotFoundError:
            return
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                os.unlink(path)
                return
            except OSError:
                pass
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), path)

    def start(self):
        self._thread = threading.Thread(target=self.serve_forever,
                                        kwargs={"poll_interval": 0.2})
        self._thread.start()

    def stop(self, patience=TO_END):
        """End; answers that are on their way have so many seconds."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        deadline = time.monotonic() + patience
        for _ in range(MOST_CLIENTS):
            # Each has ended whose place is free.
            left = max(deadline - time.monotonic(), 0)
            if not self._free.acquire(timeout=left):
                break
        if self._path is not None:
            try:
                # Another server may have its socket there by now.
                if os.path.samestat(os.lstat(self._path), self._file):
                    os.unlink(self._path)
            except FileNotFoundError:
                pass

    def process_request(self, request, client_address):
        if not self._free.acquire(blocking=False):
            self._turn_away(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            # Such as that no thread can be started.
            self._free.release()
            raise

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def _turn_away(self, request):
        try:
            # Without waiting: there is room for so little.
            request.setblocking(False)
            request.send(_BUSY)
        except OSError:
            pass
        self.shutdown_request(request)

    def handle_error(self, request, client_address):
        error = sys.exception()
        if not isinstance(error, OSError):
            self.tell(f"{type(error).__name__}: {error}")

    def tell(self, text):
        """Write a line to standard error."""
        try:
            sys.stderr.write(f"python -m tracemalloc {self._name}: "
                             f"{printable(text)}\n")
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            pass
