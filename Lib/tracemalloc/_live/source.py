"""Where the figures come from: records, read again and again."""

from tracemalloc._cli import UsageError
from tracemalloc._cli.files import is_process
from tracemalloc._cli.records import nothing_of
from tracemalloc._errors import SnapshotFormatError
from tracemalloc._record import places, reader


class Records:
    """The records of a process, of its family, or of a folder.

    what      -- number of a process, a file, or a folder
    children  -- with the processes that it started

    New ones are found while others are read.
    """

    def __init__(self, what, children=False):
        self.what, self.children = what, children

    def read(self):
        """Return the Pictures that there are now, in the order of find().

        Files that cannot be read, as those that just appear or vanish, are
        left out; if there are no others, that is a UsageError.
        """
        pictures, reason = [], None
        try:
            paths = places.find(self.what, children=self.children)
        except OSError as error:
            raise UsageError(f"{self.what}: {error.strerror}") from None
        for path in paths:
            try:
                pictures.append(reader.read(path))
            except (OSError, SnapshotFormatError) as error:
                reason = reason or getattr(error, "strerror", None) or error
        if not pictures:
            raise UsageError(f"{self.what}: {reason}" if reason
                             else _nothing(self.what))
        return pictures


def _nothing(what):
    if is_process(what):
        return nothing_of(what)
    return f"{what}: there are no records in it"
