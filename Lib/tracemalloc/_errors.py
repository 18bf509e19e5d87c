"""What can be wrong with a file of a snapshot."""

import pickle


class SnapshotFormatError(ValueError, pickle.UnpicklingError):
    """A file is no snapshot, or is damaged, too large, or of a newer format.

    The text is one line that says what the file is and what can be done.
    Files that cannot be read at all raise OSError.  For programs that catch
    what pickle raises, this is a pickle.UnpicklingError as well, and also an
    EOFError if the end of the file is missing.
    """


# What programs know.
SnapshotFormatError.__module__ = "tracemalloc"


class _TruncatedError(SnapshotFormatError, EOFError):
    """The end of the file is missing."""


def truncated(what):
    """Return the error for a file that is cut off."""
    return _TruncatedError(f"is {what}: it was cut off while it was written "
                           "or copied; get it again")


# What the command line says in its own words.
LARGER = "pass a larger max_size to Snapshot.load()"


def too_large(limit):
    """Return the error for a file that needs more than *limit* bytes."""
    from tracemalloc._text import format_size

    return SnapshotFormatError(
        f"needs more than the {format_size(limit, False)} of memory that "
        f"loading may take; if you trust the file, {LARGER}")
