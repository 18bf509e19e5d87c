"""What a Pyroscope server takes: profiles, at URL/ingest."""

import http.client
import re
import socket
from urllib.parse import urlencode, urlsplit

from tracemalloc._agent.deadline import UntilDeadline

# Seconds for sending a profile, and once more for hearing of it.
LIMIT = 20
# More of an answer is not read.
_MOST_ANSWER = 1 << 14
# Statuses that tell to come again; all others below 500 are final.
_LATER = 408, 425, 429

_KEY = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_.]*", re.A)
_NAME = re.compile(r"[A-Za-z0-9_./-]+", re.A)
_NOT_OF_NAMES = re.compile(r"[^A-Za-z0-9_./-]+", re.A)


class NotDelivered(Exception):
    """A profile was not taken.

    for_good -- whether the server does not want it, now or later
    after    -- seconds after which it wants to be asked again, or None
    """

    def __init__(self, text, for_good=False, after=None):
        super().__init__(text)
        self.for_good = for_good
        self.after = after


def check_name(text):
    """Raise ValueError if an application cannot be called so."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name of letters, digits and _./-")


def as_name(program):
    """Return what a program is called as an application."""
    name = program.replace("\\", "/").rpartition("/")[2]
    name = name.removesuffix(".py").removesuffix(".pyz")
    return _NOT_OF_NAMES.sub("_", name) or "python"


def check_label(key, value):
    """Raise ValueError if that is no label of a series."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no name of a label: letters, digits, _ "
                         "and ., and not __ in front")
    if not value or not value.isprintable() or any(
            character in value for character in ',{}="'):
        raise ValueError(f"{value!r} is no value of a label: it is empty or "
                         "has one of ,{}=\" in it")


class Ingest:
    """Sends profiles to a server; for one thread.

    url     -- http://HOST:PORT or https://, with a path if there is one
    headers -- of each request
    Raises ValueError if the URL is none.
    """

    def __init__(self, url, headers=()):
        parts = urlsplit(url)
        if (parts.scheme not in ("http", "https") or not parts.hostname
                or parts.query or parts.fragment):
            raise ValueError(f"{url!r} is no URL such as "
                             "http://127.0.0.1:4040")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a password in a URL is seen by everybody on "
                             "this machine: put it into the environment, as "
                             "PYROSCOPE_BASIC_AUTH_USER and _PASSWORD, or "
                             "use --token-file")
        if not (parts.path.isascii() and parts.path.isprintable()
                and " " not in parts.path):
            raise ValueError(f"{url!r} has characters in its path that are "
                             "written as %XX in URLs")
        try:
            parts.hostname.encode("idna")
        except UnicodeError:
            raise ValueError(f"{parts.hostname!r} is no name of a host"
                             ) from None
        # Raises ValueError for ports that are none.
        self._where = parts.hostname, parts.port
        self._kind = (http.client.HTTPSConnection if parts.scheme == "https"
                      else http.client.HTTPConnection)
        self._path = parts.path.rstrip("/") + "/ingest"
        self._headers = dict(headers)
        self._socket = None

    def send(self, name, start, end, profile, limit=LIMIT):
        """Deliver a profile.

        name       -- of the application, with labels: 'app{host=a}'
        start, end -- seconds since the epoch
        Raises NotDelivered.
        """
        query = urlencode({"name": name, "from": int(start),
                           "until": int(end), "format": "pprof",
                           "spyName": "tracemalloc"})
        connection = self._kind(*self._where, timeout=limit)
        try:
            status, text, after = self._ask(connection, query, profile, limit)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or error
            raise NotDelivered(str(reason) or type(error).__name__) from None
        finally:
            self._socket = None
            connection.close()
        if 200 <= status < 300:
            return
        raise NotDelivered(
            f"status {status}: {text}" if text else f"status {status}",
            for_good=status < 500 and status not in _LATER, after=after)

    def _ask(self, connection, query, profile, limit):
        connection.response_class = lambda connected, **options: (
            http.client.HTTPResponse(UntilDeadline(connected, limit),
                                     **options))
        connection.connect()
        self._socket = connection.sock
        connection.request(
            "POST", f"{self._path}?{query}", profile,
            {"Content-Type": "binary/octet-stream", "Connection": "close",
             **self._headers})
        response = connection.getresponse()
        text = response.read(_MOST_ANSWER).decode(errors="replace")
        after = response.headers.get("Retry-After", "")
        return (response.status, " ".join(text.split())[:200],
                int(after) if after.isascii() and after.isdigit()
                and len(after) < 6 else None)

    def interrupt(self):
        """End what is sent at the moment; for any thread, or a signal."""
        connected = self._socket
        if connected is not None:
            try:
                connected.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
