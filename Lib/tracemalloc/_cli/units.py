"""Numbers in arguments."""

import re

from tracemalloc._text import is_number

# More digits than these tell nothing; numbers stay small enough to calculate
# with.
NUMBER = r"(\d{1,15}(?:\.\d{1,15})?)"

_SIZE = re.compile(NUMBER + r"\s*(?:([kmgt])(?:i?b)?|b)?", re.I | re.A)
_TIME = re.compile(r"(\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})\s*([a-z]*)",
                   re.I | re.A)
# What start() takes.
_MAX_INTERVAL = 1 << 40
_SECONDS = {"": 1, "ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60,
            "h": 3600, "d": 86400}
# More often than this, a thread would do nothing else; and threads cannot
# wait for centuries.
_SHORTEST, _LONGEST = 0.001, 1e9


def size(text):
    """Return bytes: '512', '64k', '1.5MiB', '2GB'.

    All units are powers of 1024, in capitals or not; -X tracemalloc and
    PYTHONTRACEMALLOC read them in the same way.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no size such as 512KiB or 1.5GiB")
    value, unit = found.groups()
    shift = 10 * (" kmgt".index(unit.lower()) if unit else 0)
    if "." in value:
        return int(float(value) * (1 << shift))
    return int(value) << shift


def some(text):
    """Return bytes, one at least."""
    value = size(text)
    if not value:
        raise ValueError(f"{text!r} must be 1 byte or more")
    return value


def interval(text):
    """Return the bytes per sample."""
    value = size(text)
    if not 1 <= value <= _MAX_INTERVAL:
        raise ValueError(f"{text!r} is no sampling interval from 1 to "
                         "1024GiB, such as 512KiB")
    return value


def seconds(text):
    """Return seconds: '0.5', '250ms', '30s', '5min', '1.5h', '1d'."""
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no time such as 30s, 5min or 250ms")
    unit = found[2].lower()
    if unit not in _SECONDS:
        raise ValueError(f"{text!r} has an unknown unit: there are ms, s, "
                         "min, h and d")
    value = float(found[1]) * _SECONDS[unit]
    if not _SHORTEST <= value <= _LONGEST:
        raise ValueError(f"{text!r} is no time such as 30s or 250ms, "
                         "from 1ms to 11000d")
    return value


def number(text):
    """Return a number from 0 on."""
    if not is_number(text):
        raise ValueError(f"{text!r} is no number from 0 to 999999999")
    return int(text)


def frames(text):
    """Return a number of frames."""
    if not (is_number(text) and 1 <= int(text) <= 65535):
        raise ValueError(f"{text!r} is no number from 1 to 65535")
    return int(text)


def percent(text):
    """Return a percentage: '5', '0.5%'."""
    try:
        share = float(text.removesuffix("%"))
    except ValueError:
        share = -1.0
    if not 0 <= share <= 100:
        raise ValueError(f"{text!r} is no percentage from 0 to 100")
    return share
