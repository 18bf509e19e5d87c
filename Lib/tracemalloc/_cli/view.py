"""view: snapshots and running programs in a browser, as long as one likes."""

import secrets
import shutil
import tempfile
from contextlib import ExitStack
from html import escape

from tracemalloc._cli import UsageError, _say
from tracemalloc._cli.options import Parser, checked
from tracemalloc._cli.screen import printable
from tracemalloc._cli.serve import address, numeric_host
from tracemalloc._cli.units import percent, size
from tracemalloc._text import is_number

HOST = "127.0.0.1"
# Seconds that answers may still take when the viewer is ended.
_PATIENCE = 0.2


def _parser():
    parser = Parser(
        "view", "Show snapshots, and what running programs hold, in a "
        "browser: the page of\nreport with a list of files at its side.  New "
        "files appear, records of running\nprograms are read again and again, "
        "and call paths are loaded when they are\nopened.  Only this machine "
        "can connect, by the address that is printed.",
        "view before.tmz after.tmz", reports=False)
    parser.add_argument("places", metavar="FILE|FOLDER|PID", nargs="*",
                        help="snapshot, record, folder of them, or number of "
                             "a process (default: your programs' records, "
                             "and the current folder)")
    parser.add_argument("--children", action="store_true",
                        help="with the records of processes that these "
                             "started")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--port", metavar="N", type=checked(port), default=0,
                       help="port to listen at (default: any that is free)")
    where.add_argument("--listen", metavar="HOST:PORT", type=checked(address),
                       help="address of this machine to listen at, such as "
                            "[::1]:8080")
    parser.add_argument("--browser", action="store_true", default=False,
                        help="open the page in a browser")
    parser.add_argument("--no-browser", action="store_false", dest="browser",
                        help="only print the address, which is the default")
    parser.add_argument("--no-source", action="store_true",
                        help="leave the text of source files out")
    parser.add_argument("--min", type=checked(percent), metavar="PERCENT",
                        default=0.0,
                        help="sum call paths of less than that share of the "
                             "total until they are opened (default: those "
                             "for which there is no room)")
    parser.add_argument("--max-size", type=checked(size), metavar="SIZE",
                        help="memory that loading a file may take (default: "
                             "1GiB)")
    parser.add_filters()
    return parser


def port(text):
    if not (is_number(text) and int(text) < 1 << 16):
        raise ValueError(f"{text!r} is no port: 0 to 65535")
    return int(text)


def _where(parser, options):
    """Return (address, port) to listen at, of this machine."""
    if options.listen is None:
        return HOST, options.port
    if isinstance(options.listen, str):
        parser.error("no browser connects to unix: sockets")
    host, number = options.listen
    numeric, is_local = numeric_host(host, number)
    if not is_local:
        parser.error(f"--listen {host}: other machines could connect there; "
                     "the viewer is for this one: 127.0.0.1 or [::1]")
    return numeric, number


def open_browser(url):
    """Open an address in a browser; return whether there is one.

    The token does not get onto a command line, which others can see: the
    browser is told a private file that leads there.  Returns its folder.
    """
    import webbrowser
    from pathlib import Path

    from tracemalloc._writing import write_file

    folder = tempfile.mkdtemp(prefix="tracemalloc-view-")
    page = Path(folder) / "view.html"
    text = ("<!DOCTYPE html><meta charset=utf-8>"
            "<meta name=referrer content=no-referrer>"
            f'<meta http-equiv=refresh content="0; url={escape(url)}">'
            f'<a href="{escape(url)}">The viewer</a>\n')
    try:
        write_file(str(page), lambda stream: stream.write(text.encode()))
        opened = webbrowser.open(page.as_uri())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder, opened


def _prepare(options):
    """Return (Listing, Requests, token); UsageError if nothing is there."""
    from tracemalloc._format import MAX_SIZE
    from tracemalloc._report import Limits
    from tracemalloc._viewer.entries import Entries, check_places
    from tracemalloc._viewer.listing import Listing
    from tracemalloc._viewer.requests import Requests
    from tracemalloc._viewer.shown import Shown

    fault = check_places(options.places, options.children)
    if fault:
        raise UsageError(fault)
    limits = Limits(share=options.min / 100)
    if options.no_source:
        limits.source = 0
    entries = Entries(options.places, options.children)
    listing = Listing(entries, options.max_size)
    token = secrets.token_urlsafe(24)
    shown = Shown(
        listing, filters=options.filters, accounts=options.accounts,
        max_size=MAX_SIZE if options.max_size is None else options.max_size,
        limits=limits)
    return listing, Requests(listing, shown, token), token


def main(arguments):
    from tracemalloc._agent.ending import Ending
    from tracemalloc._agent.server import Server

    parser = _parser()
    options = parser.parse_args(arguments)
    where = _where(parser, options)
    listing, requests, token = _prepare(options)
    with Ending() as ending, ExitStack() as stack:
        try:
            server = Server(where, requests, "view")
        except OSError as error:
            raise UsageError("%s:%d: %s" % (
                *where, error.strerror or error)) from None
        host, number = server.server_address[:2]
        host = f"[{host}]" if ":" in host else host
        url = f"http://{host}:{number}/{token}/"
        listing.start()
        stack.callback(listing.stop, _PATIENCE)
        server.start()
        stack.callback(server.stop, _PATIENCE)
        print(f"Viewing {printable(listing.what)} at {url} (Ctrl-C ends it)",
              flush=True)
        if options.browser:
            folder, opened = open_browser(url)
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            if not opened:
                _say("view", "no browser was found: open the address in one")
        ending.wait()
    return 0
