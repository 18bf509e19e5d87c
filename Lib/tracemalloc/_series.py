"""What grew over many snapshots: slopes, shapes and steadiness of groups.

Snapshots are added one by one, and none is kept; for each group there are
some sums and a curve of a fixed number of points, however many snapshots
there are.  A group that a snapshot has not is 0 there.

The slope is that of the straight line with the least squares of deviations
(Legendre, Nouvelles methodes, 1805; Gauss, Theoria motus, 1809):

    slope = (n * sum(t * y) - sum(t) * sum(y))
            / (n * sum(t * t) - sum(t) ** 2)

with a figure y at a time t in each of n snapshots.  Its sums are integers, as
times count in microseconds, so that it is exact but for the last division.

What grows steadily is told by three things that a leak has, and neither a
program that starts, nor a cache that has filled up, nor what goes up and down
has: the figure

    rose at least twice, and at least twice as often as it fell, from one
    snapshot to the next;
    was higher at the end of each quarter of the snapshots than at its begin,
    by a twentieth at least of what it grew from the first to the last of
    these moments (even growth has five times as much; of what a cache has
    when it is full, texts may be longer by and by);
    has a slope above 0.

The quarters end at the snapshots with the indexes n // 4, n // 2, 3 * n // 4
and n - 1, as far as these differ; it takes three snapshots to tell.  The signs
of changes are what Cox and Stuart test for trend (Some quick sign tests for
trend in location and dispersion, Biometrika, 1955); two of three is no level
of significance, but a rule.

Loaded on first use.
"""

# Points of a curve.
CURVE = 24

# Each quarter has that part of all growth at least.
PARTS = 20

STEADY, RISES, FLAT, FALLS = "steady", "rises", "flat", "falls"


class Line:
    """A figure over the snapshots.

    first, last   -- what it was in these snapshots
    rises, falls  -- how often it changed from one snapshot to the next
    """

    __slots__ = ("first", "last", "rises", "falls", "_marks", "_sum",
                 "_sum_of_products", "_points")

    def __init__(self):
        self.first = self.last = self.rises = self.falls = 0
        self._marks = []
        self._sum = self._sum_of_products = 0
        self._points = []

    def add(self, value, time, point):
        """Note a value; those of snapshots that are left out are 0."""
        points = self._points
        if value > self.last:
            self.rises += 1
        elif value < self.last:
            self.falls += 1
        # As it was all the time.
        while len(points) < point:
            points.append(self.last)
        if len(points) > point:
            points[point] = value
        else:
            points.append(value)
        self.last = value
        self._sum += value
        self._sum_of_products += value * time

    def mark(self, number):
        """Note what it is at the end of a quarter."""
        marks = self._marks
        marks += [0] * (number - len(marks)) + [self.last]

    def grew_always(self, number):
        """Whether it grew from each of so many marks to the next, and by no
        less than a part of all that it grew.
        """
        marks = self._marks
        return len(marks) == number and all(
            later > before
            and (later - before) * PARTS >= marks[-1] - marks[0]
            for before, later in zip(marks, marks[1:]))


class Series:
    """Figures of groups in snapshots, which are added in their order.

    times -- seconds of each snapshot, ascending, or None if they are not
             known: then slopes are per snapshot

    lines -- {what names a group: Line}
    total -- the Line of what add() is told to be the total
    """

    def __init__(self, number, times=None):
        self._number = number
        if times is not None and times[-1] > times[0]:
            self._times = [round((time - times[0]) * 1e6) for time in times]
            self._scale = 1e6
        else:
            self._times, self._scale = range(number), 1
        self.per_second = self._scale > 1
        self._sum_of_times = sum(self._times)
        self._spread = (number * sum(time * time for time in self._times)
                        - self._sum_of_times ** 2)
        self._marks = sorted({0, number // 4, number // 2, 3 * number // 4,
                              number - 1})
        self._added = 0
        self._alive = set()
        self.lines = {}
        self.total = Line()

    def add(self, figures, total):
        """Add a snapshot: pairs of what names a group, and a figure.

        O(groups in this snapshot or in the one before).
        """
        at, lines, before = self._added, self.lines, self._alive
        time = self._times[at]
        point = at * min(CURVE, self._number) // self._number
        alive = self._alive = set()
        for name, value in figures:
            if value:
                line = lines.get(name)
                if line is None:
                    line = lines[name] = Line()
                    # What is there at the begin has not risen.
                    line.last = 0 if at else value
                line.add(value, time, point)
                alive.add(name)
        for name in before - alive:
            lines[name].add(0, time, point)
        if not at:
            self.total.last = total
        self.total.add(total, time, point)
        for line in (*map(lines.__getitem__, alive), self.total):
            if at == 0:
                line.first = line.last
            if at in self._marks:
                line.mark(self._marks.index(at))
        self._added += 1

    def slope(self, line):
        """Return the growth per second, or per snapshot."""
        if not self._spread:
            return 0.0
        return ((self._number * line._sum_of_products
                 - self._sum_of_times * line._sum)
                / self._spread * self._scale)

    def curve(self, line):
        """Return the values of a line at some points, evenly spread.

        Each is that of the last of the snapshots that the point stands for.
        """
        points = min(CURVE, self._number)
        return line._points + [line.last] * (points - len(line._points))

    def trend(self, line):
        """Return STEADY, RISES, FLAT or FALLS; see the head of this file."""
        slope = self.slope(line)
        if slope <= 0:
            return FALLS if slope < 0 else FLAT
        steady = (line.rises >= max(2, 2 * line.falls)
                  and len(self._marks) > 2
                  and line.grew_always(len(self._marks)))
        return STEADY if steady else RISES

    def ranking(self):
        """Return (trend, slope, name, Line) of all groups that changed.

        Steady growth comes first, then what has the highest slope.
        """
        found = []
        for name, line in self.lines.items():
            if not (line.rises or line.falls):
                continue
            trend, slope = self.trend(line), self.slope(line)
            found.append((trend == STEADY, slope, line.last, name, trend,
                          line))
        found.sort(key=lambda each: (each[:3], each[3]), reverse=True)
        return [(trend, slope, name, line)
                for _, slope, _, name, trend, line in found]
