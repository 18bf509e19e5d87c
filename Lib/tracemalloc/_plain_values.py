"""Plain values that a pickle may ask for, and keys that are cheap to hash.

The pickle module calls whatever a file names.  The reader of snapshots calls
what stands here, which makes values of the standard library out of arguments
that it has looked at, and raises ValueError or TypeError for others.
"""

from tracemalloc._errors import SnapshotFormatError

_MAX_KEY_ITEMS = 16
_SCALARS = (str, int, float, bool, type(None), bytes)


def has_type(value, *types):
    """Whether *value* is of one of these types, and of no derived one."""
    return type(value) in types


def _make_bytes(text, encoding="latin1"):
    # How protocols 0 to 2 write bytes.
    if encoding not in ("latin1", "latin-1"):
        raise ValueError
    return text.encode("latin-1")


def _make_time(kind):
    """Return a maker of what module datetime calls *kind*."""
    def make(*args):
        import datetime

        # State in bytes; Python 2 has it in a str.
        if args and type(args[0]) is str and kind != "timezone":
            args = (args[0].encode("utf-8", "surrogateescape"), *args[1:])
        simple = (bytes, int, datetime.timedelta, datetime.timezone)
        if kind == "timezone":
            simple += (str,)
        if not all(has_type(arg, *simple) for arg in args):
            raise ValueError
        return getattr(datetime, kind)(*args)
    return make


def _make_bytearray(data=b"", encoding="latin1"):
    if type(data) is str:
        data = _make_bytes(data, encoding)
    if type(data) is not bytes:
        raise ValueError
    return bytearray(data)


def _make_set(kind):
    def make(items=()):
        if not has_type(items, list, tuple):
            raise ValueError
        for item in items:
            check_key(item)
        return kind(items)
    return make


def _make_complex(real, imaginary):
    if not (has_type(real, float) and has_type(imaginary, float)):
        raise ValueError
    return complex(real, imaginary)


# Callables that a pickle may use; each is handed plain values only.
MAKERS = {
    ("_codecs", "encode"): _make_bytes,
    ("builtins", "bytes"): lambda: b"",
    ("builtins", "bytearray"): _make_bytearray,
    ("builtins", "complex"): _make_complex,
    ("builtins", "frozenset"): _make_set(frozenset),
    ("builtins", "set"): _make_set(set),
    ("datetime", "date"): _make_time("date"),
    ("datetime", "datetime"): _make_time("datetime"),
    ("datetime", "time"): _make_time("time"),
    ("datetime", "timedelta"): _make_time("timedelta"),
    ("datetime", "timezone"): _make_time("timezone"),
}


def check_key(key):
    """Raise SnapshotFormatError unless hashing *key* is cheap."""
    if type(key) in _SCALARS:
        return
    if (type(key) is tuple and len(key) <= _MAX_KEY_ITEMS
            and all(type(item) in _SCALARS for item in key)):
        return
    raise SnapshotFormatError("holds a dictionary or set with keys that no "
                              "snapshot has")
