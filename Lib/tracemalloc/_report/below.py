"""What is below a node that sums up what a page has no room for.

A viewer asks for it when a reader opens the node.  The answer is as exact as
the page: the call paths that hold most, and again a sum of those for which
there is no room.  Nothing is remembered between two questions: which call
paths a sum stands for is said by its *place*, 'NODE.RANK'.  Those are what is
called by a node of the joined contexts, without the first so many of these, by
their shares.
"""

import re
from array import array
from itertools import compress

from tracemalloc._report.shape import OTHER, shown_name

# Nodes of an answer, and places that one can ask for at once.
MOST_NODES, MOST_PLACES = 5_000, 200

_PLACE = re.compile(r"(\d{1,9})\.(\d{1,9})", re.A)


class NoSuchPlace(ValueError):
    """There is no such place; the text says why."""


def places_of(shape):
    """Return {node of a page: its place} for all that are sums."""
    kept = shape.kept
    # Which node of the joined contexts a node of the page is.
    known = {number: node for node, number in enumerate(kept.number_of)
             if number and kept.frames[number] != OTHER}
    known[0] = 0
    shown, sums = {}, []
    for number, (above, frame) in enumerate(zip(kept.parents, kept.frames)):
        if not number:
            continue
        if frame == OTHER:
            sums.append((number, above))
        else:
            shown[above] = shown.get(above, 0) + 1
    return {number: f"{known[above]}.{shown.get(above, 0)}"
            for number, above in sums}


def parse(texts):
    """Return {node: rank} of places; NoSuchPlace if one is none."""
    found = {}
    if not 0 < len(texts) <= MOST_PLACES:
        raise NoSuchPlace(f"there can be 1 to {MOST_PLACES} places")
    for text in texts:
        match = _PLACE.fullmatch(text)
        if match is None:
            raise NoSuchPlace(f"{text!r} is no place such as 12.3")
        node, rank = map(int, match.groups())
        if node in found:
            raise NoSuchPlace(f"{text!r} is below the same node as another")
        found[node] = rank
    return found


def tell_frame(joined, places, frame):
    """Return (name of the file, its module, its kind, line, name of the
    function, number of the file) of an index of joined.frames.
    """
    file, line, function = joined.frames[frame]
    name = joined.names[file]
    return (shown_name(name), shown_name(places.module(name)),
            places.kind(name), line, shown_name(joined.names[function]), file)


class Below:
    """The call paths of some places.

    whole   -- Whole that the page was made of
    places  -- {node: rank}, of parse()
    most    -- nodes of the answer at most

    Time and memory: O(contexts).
    """

    def __init__(self, whole, places, most=MOST_NODES):
        self._joined, self._groups = whole.joined, whole.groups
        self._shares = whole.shares
        if max(places) >= len(self._shares):
            raise NoSuchPlace("there is no such node")
        self._places = places
        self._find_members()
        self._choose(most)
        self._number()

    def _order(self, node):
        # Of one share, callers come before what they call.
        return -self._shares[node], node

    def _find_members(self):
        """Mark the nodes, by the number of their place; 0 for all others."""
        parents, shares = self._joined.parents, self._shares
        called = {node: [] for node in self._places}
        for node, parent in enumerate(parents):
            if parent in called and node and shares[node]:
                called[parent].append(node)
        self._member = member = array("I", bytes(4 * len(parents)))
        for number, (node, rank) in enumerate(self._places.items(), 1):
            for each in sorted(called[node], key=self._order)[rank:]:
                member[each] = number
        for node, parent in enumerate(parents):
            if node and not member[node] and shares[node]:
                member[node] = member[parent]

    def _choose(self, most):
        nodes = list(compress(range(len(self._member)), self._member))
        if len(nodes) > most:
            nodes = sorted(sorted(nodes, key=self._order)[:most])
        self._nodes = nodes

    def _number(self):
        """Number nodes and sums.  A parent below 0 is a place's node."""
        member, parents = self._member, self._joined.parents
        chosen = set(self._nodes)
        self._parents, self._frames, self._sums = [], [], {}
        self._number_of = number_of = {}
        count_below, sum_of = {}, {}
        for node in compress(range(len(member)), member):
            parent = parents[node]
            is_top = parent in self._places and (
                member[node] != member[parent])
            above = -member[node] if is_top else number_of[parent]
            if node in chosen:
                number_of[node] = self._add(above,
                                            self._joined.frame_of[node])
                count_below[above] = count_below.get(above, 0) + 1
            elif not is_top and parent not in chosen:
                # Where its caller is.
                number_of[node] = above
            else:
                if above not in sum_of:
                    sum_of[above] = self._add(above, OTHER), parent
                number_of[node] = sum_of[above][0]
        firsts = list(self._places.items())
        for above, (number, parent) in sum_of.items():
            rank = count_below.get(above, 0)
            if above < 0:
                rank += firsts[-above - 1][1]
            self._sums[number] = f"{parent}.{rank}"

    def _add(self, parent, frame):
        self._parents.append(parent)
        self._frames.append(frame)
        return len(self._parents) - 1

    # The answer

    def _rows(self):
        """Return columns of rows, and their sums by set and figure."""
        joined, number_of = self._joined, self._number_of
        member, group_of = self._member, self._groups.group_of
        contexts = [context for context, node in enumerate(joined.nodes)
                    if member[node]]
        known, sets = joined.sums_of(contexts, (
            (number_of[joined.nodes[context]], group_of[context])
            for context in contexts))
        nodes, groups = zip(*known) if known else ((), ())
        return {"node": nodes, "group": groups, "sets": sets}

    def to_json(self):
        """Return the answer, as a dict for JSON.

        Frames are told as tell_frame() does.
        """
        joined = self._joined
        used = {frame: number for number, frame in enumerate(
            dict.fromkeys(frame for frame in self._frames
                          if frame != OTHER))} | {OTHER: OTHER}
        frames = [tell_frame(joined, self._groups.places, frame)
                  for frame in used if frame != OTHER]
        return {
            "nodes": {"parent": self._parents,
                      "frame": [used[frame] for frame in self._frames]},
            "frames": frames, "rows": self._rows(),
            "sums": list(self._sums.items()),
        }
