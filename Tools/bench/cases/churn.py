"""Small blocks that live briefly: the price of one malloc and one free."""
from . import case


class Point:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y


class Record:
    def __init__(self, key, value):
        self.key = key
        self.value = value


def churn(count):
    """Make and drop objects of all common kinds; some come from free lists."""
    total = 0
    for number in range(1000, 1000 + count):
        point = Point(number, number + 1)
        record = Record(number, [point, number])
        text = str(number)
        pair = (text, record)
        table = {text: pair, "size": number}
        some = {number, number + 2}
        total += (point.y + len(table) + len(some) + len(text)
                  + len(record.value))
        total += int(number * 0.5)
    return total


def descend(depth, function, argument):
    """Call `function` with `depth` more frames under it."""
    if depth > 1:
        return descend(depth - 1, function, argument)
    return function(argument)


@case(size=(10_000, 10_000), loops=(60, 15))
def small_objects(size):
    """Objects, lists, tuples, dicts, sets, strings,
    made and dropped in one frame.
    """
    def step():
        return churn(size), None
    return step


def depth_case(depth):
    def prepare(size):
        def step():
            return descend(depth, churn, size), None
        return step
    prepare.__name__ = f"depth_{depth}"
    prepare.__doc__ = f"The loop of small_objects, {depth} calls deep."
    return case(size=(10_000, 10_000), loops=(60, 15))(prepare)


depth_1 = depth_case(1)
depth_10 = depth_case(10)
depth_100 = depth_case(100)
depth_500 = depth_case(500)


def fresh():
    return object()


def fresh_pair(value):
    return fresh(), value


@case(size=(20_000, 20_000), loops=(170, 40))
def fresh_frames(size):
    """One allocation in each new frame: no capture can use the one before."""
    def step():
        count = 0
        for number in range(size):
            fresh()
            count += len(fresh_pair(number))
        return count, None
    return step
