"""Curves made of characters."""

from bisect import bisect_right

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " .:-=+*#@"


def resampled(times, values, begin, end, width):
    """Return the highest value in each of *width* equal parts of a time.

    A part in which there is none has the value before it, which was still
    true; None if there is nothing before it either.  *times* are sorted.
    """
    span = max(end - begin, 1)
    found, at = [], 0
    known = bisect_right(times, begin) - 1
    last = values[known] if known >= 0 else None
    at = max(known, 0)
    for part in range(1, width + 1):
        edge = begin + span * part // width
        highest = last
        while at < len(times) and times[at] <= edge:
            last = values[at]
            if highest is None or last > highest:
                highest = last
            at += 1
        found.append(highest)
    return found


def drawn(values, top, height, marks):
    """Return *height* lines of text, the highest first.

    *top* is the value that fills all of them; None is drawn as nothing.
    *marks* are characters, the emptiest first.
    """
    steps = len(marks) - 1
    levels = [0 if value is None or top <= 0
              # Whatever there is, can be seen.
              else max(min(round(value * height * steps / top),
                           height * steps), 1 if value > 0 else 0)
              for value in values]
    return ["".join(marks[min(max(level - line * steps, 0), steps)]
                    for level in levels)
            for line in range(height - 1, -1, -1)]
