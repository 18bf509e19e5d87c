"""Loading snapshot files."""

import os
import stat
import sys

import tracemalloc
from tracemalloc._cli import UsageError
from tracemalloc._cli.screen import is_terminal

# Reading less does not take long enough to tell about.
_MUCH = 1 << 22


class Progress:
    """A line on a terminal that says what takes so long, and goes away."""

    def __init__(self, text):
        self._text = text
        self._shown = False

    def __enter__(self):
        if is_terminal(sys.stderr):
            self._write(f"\r\033[K{self._text} ...")
        return self

    def __exit__(self, *exc_info):
        if self._shown:
            self._write("\r\033[K")

    def _write(self, text):
        self._shown = True
        sys.stderr.write(text)
        sys.stderr.flush()


def load(filename, options):
    """Return the Snapshot in a file, filtered; UsageError if there is none."""
    snapshot = reading(filename, lambda: tracemalloc.Snapshot.load(
        filename, max_size=options.max_size))
    filters = getattr(options, "filters", None)
    return snapshot.filter_traces(filters) if filters else snapshot


def reading(filename, read):
    """Return read(); the file that cannot be read is a UsageError."""
    try:
        with Progress(f"reading {filename}") if _is_much(filename) \
                else _Nothing():
            return read()
    except OSError as error:
        raise UsageError(f"{filename}: {error.strerror or error}") from None
    except tracemalloc.SnapshotFormatError as error:
        raise UsageError(error) from None
    except ValueError as error:
        # Such as a null character in the name.
        raise UsageError(f"{filename}: {error}") from None
    except MemoryError:
        raise UsageError(f"{filename}: there is not enough memory to load "
                         "it; --max-size sets a limit") from None


def _is_much(filename):
    try:
        status = os.stat(filename)
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(status.st_mode) or status.st_size >= _MUCH


class _Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass
