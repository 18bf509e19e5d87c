"""Makes a program smaller that still shows what it showed."""


def reduced(numbers, fails, say=lambda text: None):
    """The numbers of what can be left out: with less than that,
    it fails no more.

    *numbers* are those of the statements, outer ones before those inside;
    *fails* is asked whether a program without a set of them still fails.  What
    goes is tried in parts, half of them at a time, then a quarter ...
    """
    without = frozenset()
    size = max(1, len(numbers) // 2)
    while True:
        left = [number for number in numbers if number not in without]
        progress = False
        for at in range(0, len(left), size):
            tried = without.union(left[at:at + size])
            if tried != without and fails(tried):
                without, progress = tried, True
                say(f"{len(without)} of {len(numbers)} statements left out")
        if size > 1:
            size = (size + 1) // 2
        elif not progress:
            return without
