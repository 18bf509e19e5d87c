"""serve: profiles and metrics of running programs, by HTTP."""

import os
import socket
import threading

from tracemalloc._cli import UsageError, note
from tracemalloc._cli.options import Parser, checked
from tracemalloc._cli.units import size
from tracemalloc._text import is_number

DEFAULT = "127.0.0.1:4041"
_UNIX = "unix:"
# Shorter ones can be guessed.
_LEAST_TOKEN, _MOST_TOKEN = 16, 4096


def _parser():
    parser = Parser(
        "serve", "Answer what collects profiles and metrics, by HTTP: "
        "/debug/pprof/heap\nand /debug/pprof/allocs as Go's programs have "
        "them, /metrics for Prometheus,\nand a page for people.  The programs "
        "are not disturbed: only their records\nare read.",
        "serve --listen 127.0.0.1:4041", reports=False)
    add_source(parser)
    parser.add_argument("--listen", metavar="ADDRESS", type=checked(address),
                        default=DEFAULT,
                        help="HOST:PORT, or unix:FILE for a socket of that "
                             f"name; port 0 is any (default: {DEFAULT})")
    parser.add_argument("--token-file", metavar="FILE",
                        help="file with a token that clients must send as "
                             "'Authorization: Bearer TOKEN'; needed to listen "
                             "where other machines can connect")
    add_labels(parser, "thread,domain,account,pid")
    add_least(parser)
    return parser


def add_source(parser):
    parser.add_argument("source", metavar="PID|FILE|FOLDER", nargs="?",
                        help="number of a process, record or snapshot, or "
                             "folder of records (default: that of your "
                             "programs' records)")
    parser.add_argument("--children", action="store_true",
                        help="with the processes that it started")
    parser.add_argument("--max-size", type=checked(size), metavar="SIZE",
                        help="memory that loading a file may take (default: "
                             "1GiB for a snapshot)")


def add_labels(parser, default):
    parser.add_argument("--labels", metavar="NAMES", type=checked(labels),
                        default=default,
                        help="what samples are told apart by: none, or some "
                             "of thread,domain,account,pid (default: "
                             f"{default})")


def add_least(parser):
    parser.add_argument("--least", metavar="SIZE", type=checked(size),
                        default="0",
                        help="call paths that hold less are one together, and "
                             "what was allocated is left out: profiles of "
                             "some kilobytes (default: 0, everything)")


def labels(text):
    from tracemalloc._agent.profiles import LABELS

    chosen = [name for name in text.split(",") if name != "none"]
    for name in chosen:
        if name not in LABELS:
            raise ValueError(f"{name!r} is no label; there are none, or some "
                             "of " + ",".join(LABELS))
    return chosen


def address(text):
    """Return (host, port), or the name of a socket."""
    if text.startswith(_UNIX):
        name = text.removeprefix(_UNIX)
        if not name or "\0" in name:
            raise ValueError("unix: needs the name of a file")
        return os.path.abspath(name)
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and is_number(port) and int(port) < 1 << 16):
        raise ValueError(f"{text!r} is no address such as {DEFAULT} or "
                         "unix:/run/memory.sock")
    return host, int(port)


def read_token(filename):
    """Return the token in a file, as bytes."""
    try:
        with open(filename, "rb") as stream:
            token = stream.read(_MOST_TOKEN + 1).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{filename}: {reason}") from None
    if not _LEAST_TOKEN <= len(token) <= _MOST_TOKEN or not (
            token.isascii() and token.decode("ascii").isprintable()
            and b" " not in token):
        raise UsageError(
            f"{filename}: a token is one word of {_LEAST_TOKEN} to "
            f"{_MOST_TOKEN} ASCII characters; make one with: python -c "
            "'import secrets; print(secrets.token_urlsafe(32))'")
    return token


def source_of(options):
    """Return the Source that was asked for.

    A process without a record is refused if there is none of its number; if
    there is, it may begin one.
    """
    from tracemalloc._agent.sources import Source, SourceError
    from tracemalloc._cli.family import is_there
    from tracemalloc._cli.files import is_process
    from tracemalloc._cli.records import nothing_of

    what = options.source
    try:
        source = Source(what, options.children, options.max_size)
    except SourceError as error:
        raise UsageError(error) from None
    if what is not None and is_process(what) and not any(source.look()):
        if not is_there(int(what)):
            raise UsageError(nothing_of(what))
        note(f"{nothing_of(what)}; until then nothing is told of it")
    return source


def numeric_host(host, port):
    """Return the address of a host, and whether it is this machine's only."""
    from tracemalloc._agent.answers import is_loopback

    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{host}: {getattr(error, 'strerror', error)}"
                         ) from None
    numeric = found[0][4][0]
    return numeric, is_loopback(numeric)


def _where(options):
    """Return what to bind to, and whether only this machine can connect."""
    if isinstance(options.listen, str):
        return options.listen, True
    host, port = options.listen
    numeric, is_local = numeric_host(host, port)
    return (numeric, port), is_local


def _url(server):
    if isinstance(server.server_address, str):
        return _UNIX + server.server_address
    host, port = server.server_address[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def main(arguments):
    from tracemalloc._agent.ending import Ending
    from tracemalloc._agent.requests import Requests
    from tracemalloc._agent.server import Server
    from tracemalloc._cli.screen import printable

    parser = _parser()
    options = parser.parse_args(arguments)
    where, is_local = _where(options)
    token = options.token_file and read_token(options.token_file)
    if not is_local and token is None:
        parser.error("other machines can connect there: let them know a "
                     "token, with --token-file, or listen at "
                     "127.0.0.1 or unix:FILE")
    source = source_of(options)
    ended = threading.Event()
    requests = Requests(source, token=token or None, labels=options.labels,
                        least=options.least,
                        is_local=not isinstance(where, str), wait=ended.wait)
    with Ending() as ending:
        try:
            server = Server(where, requests)
        except OSError as error:
            shown = where if isinstance(where, str) else "%s:%d" % where
            raise UsageError(f"{shown}: {error.strerror or error}") from None
        requests.address = _url(server)
        server.start()
        try:
            print(printable(f"Serving {source.what} at {requests.address}/ "
                            "(Ctrl-C ends it)"), flush=True)
            ending.wait()
        finally:
            ended.set()
            server.stop()
    return 0
