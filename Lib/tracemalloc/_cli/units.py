"""Numbers in arguments."""

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?|b)?", re.I | re.A)
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h)?", re.I | re.A)
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}


def size(text):
    """Return bytes: '512', '64k', '1.5MiB'; all units are powers of 1024."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no size such as 512KiB or 1.5GiB")
    value, unit = found.groups()
    shift = 10 * (" kmgt".index(unit.lower()) if unit else 0)
    if "." in value:
        return int(float(value) * (1 << shift))
    return int(value) << shift


def seconds(text):
    """Return seconds: '0.5', '30s', '5min', '1h'."""
    found = _TIME.fullmatch(text.strip())
    if not found or not float(found[1]):
        raise ValueError(f"{text!r} is no time such as 30s or 5min")
    return float(found[1]) * _SECONDS[(found[2] or "s").lower()]


def number(text):
    """Return a number from 0 on."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{text!r} is no number from 0 to 999999999")
    return int(text)


def frames(text):
    """Return a number of frames."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise ValueError(f"{text!r} is no number from 1 to 65535")
    return int(text)
