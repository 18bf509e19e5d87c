"""What answers have in common, whatever is asked for and served."""

from urllib.parse import parse_qsl

from tracemalloc._cli.screen import printable

# Seconds that one waits for a place where something is made.
PATIENCE = 20


class Refused(Exception):
    """What is asked for is not to be had; a status, and a text that says why.
    """

    def __init__(self, status, text, **headers):
        super().__init__(text)
        self.status = status
        self.headers = headers


class Answer:
    """status, headers (a dict) and body (bytes)."""

    def __init__(self, status, kind, body, **headers):
        self.status = status
        self.headers = {
            "Content-Type": kind, "Content-Length": str(len(body)),
            "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        } | {name.replace("_", "-"): text for name, text in headers.items()}
        self.body = body


class Turn:
    """One of the few places where something is made; waits for it a while.

    places -- semaphore that counts those that are free
    what   -- what there are too many of, if none becomes free
    """

    def __init__(self, places, what="profiles", patience=PATIENCE):
        self._places = places
        self._what = what
        self._patience = patience

    def __enter__(self):
        if not self._places.acquire(timeout=self._patience):
            raise Refused(503, f"too many {self._what} are asked for at once",
                          Retry_After="10")

    def __exit__(self, *exc_info):
        self._places.release()


def is_loopback(address):
    """Return whether an IP address is one of this machine only."""
    from ipaddress import ip_address

    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def admit_by_name(headers):
    """Raise Refused for whom calls this machine by a name of others.

    A page of some other site may have its name made to point here, and would
    read what there is.
    """
    if not is_local_name(headers.get("Host", "")):
        raise Refused(421, "ask by the name localhost, or an address of it: "
                      "other names may be those of other sites")


def is_local_name(host):
    """Return whether a header Host names this machine by what is its own."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name.lower() == "localhost" or is_loopback(name.strip("[]"))


def refusal(status, text, **headers):
    text = "".join(map(printable, text.splitlines()))
    return Answer(status, "text/plain; charset=utf-8",
                  f"{text}\n".encode("utf-8", "backslashreplace"), **headers)


def parameters(query, known):
    """Return the parameters of a request; Refused if one is not known."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=20,
                          errors="surrogateescape")
    except ValueError:
        raise Refused(400, "there are too many parameters") from None
    for name, _ in pairs:
        if name not in known:
            raise Refused(400, f"there is no parameter {name!r}; there are "
                          + ", ".join(known))
    return dict(pairs)
