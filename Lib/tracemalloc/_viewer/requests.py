"""What may be asked of the viewer, and by whom; nothing here knows sockets.

    GET /TOKEN/             the page
    GET /TOKEN/list         what there is to look at
    GET /TOKEN/data         what is shown of files=1.2, or of the processes
                            together=1
    GET /TOKEN/below        what is below the sums at=12.3,45.0 of the page
                            with that key=
    GET /TOKEN/source       the source of file=17, of the page with that key=

Whoever knows the token may ask, by a name of this machine; pages of other
sites may not, even if they know it.
"""

import hmac
import json
from urllib.parse import urlsplit

from tracemalloc._agent.answers import (
    Answer, Refused, admit_by_name, parameters, refusal)
from tracemalloc._report.page import PARTS, asset, bundle, document, policy
from tracemalloc._text import is_number
from tracemalloc._viewer.shown import MOST_CHOSEN

MODULES = (*PARTS, "carry", "snapshots", "viewer")
_CONNECT = "; connect-src 'self'"


class Requests:
    """Answers requests; may be asked by many threads.

    listing -- Listing of what there is
    shown   -- Shown of the same
    token   -- what the address has to begin with, as text
    """

    def __init__(self, listing, shown, token):
        self._listing, self._shown = listing, shown
        self._token = token.encode()
        script, style = bundle(asset, MODULES), asset("style.css")
        self._page = document(
            "Memory", script, style,
            "The viewer is drawn by a script: allow scripts for it. It loads "
            "nothing but from this machine.", more=_CONNECT).encode()
        self._policy = policy(script, style,
                              f"{_CONNECT}; frame-ancestors 'none'")

    def answer(self, method, target, headers):
        """Return the Answer to a request."""
        try:
            admit_by_name(headers)
            parts = _split(target)
            path = self._admit(parts.path)
            _admit_origin(headers, is_page=path == "")
            if method not in ("GET", "HEAD"):
                raise Refused(405, "only GET and HEAD are answered",
                              Allow="GET, HEAD")
            return self._route(path, parts.query)
        except Refused as refused:
            return refusal(refused.status, str(refused), **refused.headers)
        except MemoryError:
            return refusal(503, "there is not enough memory")

    def _admit(self, path):
        """Return what follows the token in a path."""
        token, slash, rest = path.removeprefix("/").partition("/")
        is_known = hmac.compare_digest(
            token.encode("utf-8", "replace"), self._token)
        if not (is_known and slash):
            raise Refused(403, "the address that the viewer printed has a "
                          "token, which is needed here")
        return rest

    def _route(self, path, query):
        if path == "":
            return Answer(200, "text/html; charset=utf-8", self._page,
                          Content_Security_Policy=self._policy,
                          Cross_Origin_Opener_Policy="same-origin",
                          Cross_Origin_Resource_Policy="same-origin")
        if path == "list":
            parameters(query, ())
            return _json(self._listing.look())
        if path == "data":
            asked = parameters(query, ("files", "together"))
            together = asked.get("together", "0")
            if together not in ("0", "1"):
                raise Refused(400, "together= is 0 or 1")
            return _json(self._shown.data(_numbers(asked.get("files", "")),
                                          together == "1"))
        if path == "below":
            asked = parameters(query, ("key", "at"))
            return _json(self._shown.below(
                asked.get("key", ""), asked.get("at", "").split(",")))
        if path == "source":
            asked = parameters(query, ("key", "file"))
            return _json(self._shown.source(asked.get("key", ""),
                                            asked.get("file", "")))
        raise Refused(404, "there are the page, list, data, below and source")


def _split(target):
    try:
        return urlsplit(target)
    except ValueError:
        raise Refused(400, "this is no address") from None


def _admit_origin(headers, is_page):
    """Refuse what a page of another site asks for.

    Following a link to the page is no such thing.
    """
    site = headers.get("Sec-Fetch-Site")
    if site not in (None, "same-origin", "none") and not (
            is_page and headers.get("Sec-Fetch-Mode") == "navigate"
            and headers.get("Sec-Fetch-Dest") == "document"):
        raise Refused(403, "pages of other sites may not ask")
    origin = headers.get("Origin")
    if origin is not None and origin != f"http://{headers.get('Host')}":
        raise Refused(403, "pages of other sites may not ask")


def _numbers(text):
    numbers = text.split(".") if text else []
    if len(numbers) > MOST_CHOSEN or not all(map(is_number, numbers)):
        raise Refused(400, "files= is numbers of the list, such as 1.2, "
                      f"{MOST_CHOSEN} at most")
    return numbers


def _json(data):
    body = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return Answer(200, "application/json", body.encode("ascii"),
                  Cross_Origin_Resource_Policy="same-origin")
