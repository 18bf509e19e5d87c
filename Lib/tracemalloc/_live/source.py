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

    New ones are found while others are read.  What nobody has written to is
    the same Picture as before.
    """

    def __init__(self, what, children=False):
        self.what, self.children = what, children
        self._known = {}

    def read(self, step=None):
        """Return the Pictures that there are now, in the order of find().

        Files that cannot be read, as those that just appear or vanish, are
        left out; if there are no others, that is a UsageError.  *step* is
        called with how many were read, and how many there are.
        """
        pictures, reason, known = [], None, {}
        try:
            paths = places.find(self.what, children=self.children)
        except OSError as error:
            raise UsageError(f"{self.what}: {error.strerror}") from None
        for done, path in enumerate(paths, 1):
            try:
                picture = known[path] = self._read(path)
                # That is most of the work, and some are damaged.
                picture.snapshot()
                pictures.append(picture)
            except (OSError, SnapshotFormatError) as error:
                reason = reason or getattr(error, "strerror", None) or error
            if step is not None:
                step(done, len(paths))
        self._known = known
        if not pictures:
            raise UsageError(f"{self.what}: {reason}" if reason
                             else _nothing(self.what))
        return pictures


    def _read(self, path):
        before = self._known.get(path)
        if before is not None and _is_same(reader.read_about(path), before):
            return before
        return reader.read(path)


def _is_same(picture, other):
    return all(getattr(picture, name) == getattr(other, name)
               for name in ("pid", "started", "written", "state"))


def _nothing(what):
    if is_process(what):
        return nothing_of(what)
    return f"{what}: there are no records in it"
