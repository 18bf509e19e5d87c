"""How deep call paths may be, and tuples that are kept for a while only."""

# The highest number of frames, of a limit too.
MAX_DEPTH = 65535


class Recent:
    """A cache of tuples that holds so many of their items, about."""

    _ROOM = 1 << 20

    def __init__(self):
        self._known = {}
        self._left = self._ROOM

    def get(self, key, make):
        """Return the tuple under *key*; make(key) if it is not there."""
        found = self._known.get(key)
        if found is None:
            found = make(key)
            # Threads may get here together: then there is some more room.
            self._left -= len(found) + 1
            if self._left < 0:
                self._known = {}
                self._left = self._ROOM
            self._known[key] = found
        return found
