"""Call paths by number, and frames when somebody looks at them.

A file of some kilobytes can hold thousands of contexts that share one path of
65,534 frames: spelled out one by one, its call paths take gigabytes.  So a
call path is a number here.  Equal ones have one number, however they came to
be, so that numbers can be grouped, compared and sorted in place of frames:

    call path  =  (call path of the callers, newest frame)

    number      1         2            3            4
    frames      main      main f       main f g     main h
    callers     0         1            2            1

The frames of a number are put together when they are asked for, and kept for
a while only.  Numbers take memory by the paths of a picture, not by contexts
times frames.

What a limit cuts off has no such tree, as the callers that are left begin
anywhere.  Those callers are spelled out once per path of the picture.  This
and whatever else needs all frames at once asks Picture.afford() first.
"""

from itertools import count

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


class CallPaths:
    """The call paths of one picture or of several, of at most *limit* frames.

    The numbers of pictures that were added to one object can be compared;
    fits() says which ones may be.
    """

    def __init__(self, picture, limit):
        self.limit = limit
        self._cuts = self._is_cut(picture)
        self._callers = [0]
        self._newest = [None]
        self._lengths = [0]
        self._numbers = {}
        self._cut = {}          # number -> frames, the oldest first
        self._recent = Recent()
        self._order = None
        self._strictest = None  # the picture with the least max_size

    def _is_cut(self, picture):
        """Whether any context of a picture has more frames than the limit."""
        depths = picture.path_depths()
        return self.limit <= max(
            map(depths.__getitem__, {*picture.context_path}), default=0)

    def fits(self, picture, limit):
        """Whether equal call paths of a picture get equal numbers here."""
        return self.limit == limit and self._cuts == self._is_cut(picture)

    def _add(self, callers, frame):
        number = self._numbers.setdefault((callers, frame), len(self._newest))
        if number == len(self._newest):
            self._callers.append(callers)
            self._newest.append(frame)
            self._lengths.append(self._lengths[callers] + 1)
        return number

    def _add_cut(self, frames):
        number = self._numbers.setdefault(frames, len(self._newest))
        if number == len(self._newest):
            self._callers.append(0)
            self._newest.append(None)
            self._lengths.append(len(frames))
            self._cut[number] = frames
        return number

    def add(self, picture, paths, files, lines):
        """Return the numbers of contexts, whose columns are given."""
        if picture.max_size is not None and (
                self._strictest is None
                or picture.max_size < self._strictest.max_size):
            self._strictest = picture
        paths = list(paths)
        callers = self._add_callers(picture, dict.fromkeys(paths))
        names = picture.names
        own = zip(map(names.__getitem__, files), lines)
        self._order = None
        return list(map(self._add, map(callers.__getitem__, paths), own))

    def _add_callers(self, picture, used):
        """Return {path of the picture: number} for the paths in *used*."""
        most = self.limit - 1
        if most < 1:
            return dict.fromkeys(used, 0)
        frames, depths = picture.path_frames(), picture.path_depths()
        parents = picture.path_parent
        # If there are any, then all paths that are as long, so that callers
        # are equal whether something was cut off from them or not.
        whole = most if self._cuts else MAX_DEPTH
        cut = [path for path in used if depths[path] >= whole]
        picture.afford(len(cut) * most)
        wanted = set()
        for path in used:
            if depths[path] < whole:
                while path and path not in wanted:
                    wanted.add(path)
                    path = parents[path]
        numbers = {0: 0}
        for path in sorted(wanted):
            numbers[path] = self._add(numbers[parents[path]], frames[path])
        for path in cut:
            above = picture.ancestors(path, most)
            numbers[path] = self._add_cut(
                tuple(map(frames.__getitem__, reversed(above))))
        return numbers

    def length(self, number):
        """Return how many frames a call path has."""
        return self._lengths[number]

    def frames_of(self, number):
        """Return the raw frames of a call path, the oldest first."""
        return self._recent.get(number, self._frames_of)

    def _frames_of(self, number):
        frames = []
        while number and number not in self._cut:
            frames.append(self._newest[number])
            number = self._callers[number]
        frames.reverse()
        return (*self._cut[number], *frames) if number else tuple(frames)

    def spell_out(self, numbers):
        """Return a list of frames_of() call paths."""
        if self._strictest is not None:
            self._strictest.afford(sum(map(self.length, numbers)))
        return list(map(self._frames_of, numbers))

    def sort_keys(self, numbers):
        """Return what sorts call paths as their frames do, oldest first."""
        if self._cut:
            return self.spell_out(numbers)
        if self._order is None:
            self._order = self._find_order()
        return list(map(self._order.__getitem__, numbers))

    def _find_order(self):
        """Return the place of each number in that order.

        That is the order in which one meets them on the way through the tree,
        callers before what they call, and these in the order of frames.
        """
        rank = dict(zip(sorted({*self._newest[1:]}), count()))
        ranks = [-1, *map(rank.__getitem__, self._newest[1:])]
        below = {}
        for number in sorted(range(1, len(ranks)), key=ranks.__getitem__,
                             reverse=True):
            below.setdefault(self._callers[number], []).append(number)
        order = [0] * len(ranks)
        waiting, places = [0], count()
        while waiting:
            number = waiting.pop()
            order[number] = next(places)
            waiting += below.get(number, ())
        return order
