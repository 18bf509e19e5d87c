"""What may be asked of an agent, and by whom; nothing here knows sockets."""

import hmac
import io
import sys
import time
from threading import BoundedSemaphore
from urllib.parse import urlsplit

from tracemalloc._agent import metrics, page, profiles
from tracemalloc._agent.answers import (
    Answer, Refused, Turn, admit_by_name, parameters, refusal)
from tracemalloc._agent.sources import SourceError
from tracemalloc._text import is_number

# Longest difference, in seconds; who asks for one waits so long.
MOST_SECONDS = 600
# Profiles that are made at the same time.
_AT_ONCE = 2
# The largest profile, compressed: it is made in memory.
MOST_BYTES = 32 << 20

_PROFILE = "/debug/pprof/"
# What Go has and Python's memory has not.
_ELSEWHERE = ("profile", "goroutine", "mutex", "block", "threadcreate",
              "trace", "symbol", "cmdline")
# Go's `gc` runs a collection first, which nobody can do from outside.
_PARAMETERS = ("pid", "record", "seconds", "labels", "least", "ended", "debug",
               "gc")

# Differences that are waited for at the same time.
_WAITING = 8


class _Bounded(io.BytesIO):
    """Bytes that are not too many."""

    def write(self, data):
        if self.tell() + len(data) > MOST_BYTES:
            raise Refused(503, f"the profile is larger than {MOST_BYTES} "
                          "bytes: ask for one process with pid=")
        return super().write(data)


class Requests:
    """Answers requests; may be asked by many threads.

    source   -- Source to look at
    token    -- what a client has to know, or None
    is_local -- whether only this machine can connect, by TCP
    wait     -- function that waits for seconds, and returns whether the agent
                ends meanwhile
    """

    def __init__(self, source, *, token=None, is_local=True,
                 labels=profiles.LABELS, least=0, wait, address=""):
        self._source = source
        self._token = token
        self._is_local = is_local
        self._labels = labels
        self._least = least
        self._wait = wait
        self.address = address
        self._making = BoundedSemaphore(_AT_ONCE)
        self._waiting = BoundedSemaphore(_WAITING)

    def answer(self, method, target, headers):
        """Return the Answer to a request."""
        try:
            self._admit(headers)
            if method not in ("GET", "HEAD"):
                raise Refused(405, "only GET and HEAD are answered",
                              Allow="GET, HEAD")
            return self._route(target)
        except Refused as refused:
            return refusal(refused.status, str(refused), **refused.headers)
        except SourceError as error:
            return refusal(503, str(error))
        except profiles.ProfileError as error:
            return refusal(422, str(error))
        except MemoryError:
            return refusal(503, "there is not enough memory")

    def _admit(self, headers):
        """Raise Refused for whom must not ask."""
        if self._token is not None:
            kind, _, token = headers.get("Authorization", "").partition(" ")
            if kind.lower() != "bearer" or not hmac.compare_digest(
                    token.strip().encode("utf-8", "replace"), self._token):
                raise Refused(401, "a token is needed: send the header "
                              "Authorization: Bearer TOKEN",
                              WWW_Authenticate="Bearer")
        elif self._is_local:
            admit_by_name(headers)

    def _route(self, target):
        try:
            parts = urlsplit(target)
        except ValueError:
            raise Refused(400, "that is no address of a page") from None
        path = parts.path
        if path == "/" or path == _PROFILE:
            return self._page()
        if path == "/metrics":
            return self._metrics(parameters(parts.query, ("ended",)))
        name = path.removeprefix(_PROFILE)
        if path.startswith(_PROFILE) and name in profiles.SHOWN:
            return self._profile(name, parameters(parts.query, _PARAMETERS))
        if path.startswith(_PROFILE) and name in _ELSEWHERE:
            raise Refused(404, f"there is no profile {name!r} of memory: "
                          "switch it off in what scrapes here, and ask for "
                          "allocs or heap")
        raise Refused(404, "there are /, /metrics, /debug/pprof/heap and "
                      "/debug/pprof/allocs")

    def _metrics(self, asked):
        ended = _flag(asked, "ended")
        processes, faults, _ = self._source.look()
        accounts = {}
        told = metrics.told_by_account(processes, ended)
        if told:
            # As for profiles, whole records are read.
            with Turn(self._making):
                for process in told:
                    try:
                        accounts[process.path] = metrics.accounts_of(process)
                    except (OSError, ValueError):
                        # Who cannot read it now is told so by a profile.
                        continue
        body = metrics.text_of(processes, faults, ended, accounts)
        return Answer(200, metrics.CONTENT_TYPE, body.encode())

    def _page(self):
        processes, faults, more = self._source.look()
        body = page.html(processes, faults, more, what=self._source.what,
                         address=self.address, now=time.time())
        return Answer(200, "text/html; charset=utf-8",
                      body.encode("utf-8", "backslashreplace"),
                      Content_Security_Policy=page.POLICY)

    # Profiles

    def _profile(self, name, asked):
        if asked.get("debug", "0") != "0":
            raise Refused(400, "profiles are there as protobuf only: leave "
                          "out debug=")
        shown = profiles.SHOWN[name]
        labels = _labels(asked.get("labels"), self._labels)
        seconds = _seconds(asked.get("seconds"))
        least = _size(asked.get("least"), self._least)
        if least and not seconds:
            # What was allocated is not told then: see ProfileWriter.
            shown = profiles.SHOWN["heap"]
        stream = _Bounded()
        if seconds:
            self._difference(stream, asked, shown, labels, seconds)
        else:
            with Turn(self._making):
                profiles.write_state(self._chosen(asked), stream,
                                     shown=shown, labels=labels,
                                     least=least)
        return Answer(
            200, "application/octet-stream", stream.getvalue(),
            Content_Disposition=f'attachment; filename="{name}.pb.gz"')

    def _difference(self, stream, asked, shown, labels, seconds):
        difference = profiles.Difference(stream, shown=shown, labels=labels)
        with Turn(self._waiting, patience=0):
            with Turn(self._making):
                difference.begin(self._chosen(asked))
            if self._wait(seconds):
                raise Refused(503, "the agent ends")
            with Turn(self._making):
                difference.end(self._chosen(asked, difference), seconds)

    def _chosen(self, asked, since=None):
        """Return the processes that a request is about.

        since -- a Difference: with those that have ended since it began
        """
        processes, faults, _ = self._source.look()
        if "record" in asked:
            chosen = [each for each in processes
                      if _sent(each.name) == asked["record"]]
        elif "pid" in asked:
            chosen = [each for each in processes
                      if str(each.pid) == asked["pid"]]
            chosen = [each for each in chosen if not each.ended] or chosen
            if len(chosen) > 1:
                raise Refused(409, f"{len(chosen)} records are of processes "
                              "with that number: name one by record=")
        elif _flag(asked, "ended") or not self._source.is_folder:
            chosen = processes
        else:
            chosen = [each for each in processes if not each.ended
                      or since is not None and since.has_seen(each)]
        if not chosen:
            raise self._nothing(asked, processes, faults)
        return chosen

    def _nothing(self, asked, processes, faults):
        if faults and not processes:
            return Refused(503, f"no record can be read: {faults[0]}")
        if "pid" in asked or "record" in asked:
            return Refused(404, "there is no such process")
        text = ("no process that is traced leaves a record in "
                f"{self._source.what}")
        if processes:
            text += f"; {len(processes)} have ended: ask with ended=1"
        return Refused(404, text)


def _sent(name):
    """Return a file's name as a request has it that comes from our page."""
    return name if sys.getfilesystemencoding() == "utf-8" else (
        name.encode(sys.getfilesystemencoding(), "surrogateescape")
        .decode("utf-8", "surrogateescape"))


def _flag(asked, name):
    text = asked.get(name, "0")
    if text not in ("0", "1"):
        raise Refused(400, f"{name}= is 0 or 1")
    return text == "1"


def _seconds(text):
    if text is None:
        return 0
    if not (is_number(text) and int(text) <= MOST_SECONDS):
        raise Refused(400, f"seconds= is a number from 1 to {MOST_SECONDS}")
    return int(text)


def _size(text, default):
    from tracemalloc._cli.units import size

    if text is None:
        return default
    try:
        return size(text)
    except ValueError as error:
        raise Refused(400, f"least=: {error}") from None


def _labels(text, default):
    if text is None:
        return default
    chosen = [name for name in text.split(",") if name not in ("", "none")]
    for name in chosen:
        if name not in profiles.LABELS:
            raise Refused(400, f"there is no label {name!r}; labels= is none, "
                          "or some of " + ", ".join(profiles.LABELS))
    return chosen
