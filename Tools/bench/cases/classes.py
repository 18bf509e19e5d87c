"""Code that makes classes, and that lives by them."""
import dataclasses
import enum
import typing

from . import case


class Checked:
    """A descriptor that converts to float."""

    def __set_name__(self, kind, label):
        self.slot = "_" + label

    def __get__(self, shape, cls):
        return getattr(shape, self.slot)

    def __set__(self, shape, number):
        setattr(shape, self.slot, float(number))


class Shape:
    __slots__ = ("_width", "_height")
    width = Checked()
    height = Checked()

    def __init__(self, width, height):
        self.width = width
        self.height = height

    @property
    def area(self):
        return self.width * self.height

    @classmethod
    def square(cls, side):
        return cls(side, side)

    def __add__(self, other):
        return type(self)(self.width + other.width, self.height + other.height)

    def __lt__(self, other):
        return self.area < other.area


@dataclasses.dataclass(order=True, frozen=True)
class Price:
    amount: float
    currency: str = "EUR"


class Entry(typing.NamedTuple):
    shape: Shape
    price: Price


def make_family(number):
    """Small classes of every kind, made at run time as frameworks do."""
    class Base:
        registry = {}

        def __init_subclass__(cls, **options):
            super().__init_subclass__(**options)
            Base.registry[cls.__name__] = cls

        @property
        def title(self):
            return f"{type(self).__name__} {number}"

    class Child(Base):
        __slots__ = ("value",)
        checked = Checked()

    made = type(f"Made{number % 10}", (Child,),
                {"size": number, "twice": lambda self: 2 * number})
    colour = enum.Enum("Colour", ["red", "green"])
    point = dataclasses.make_dataclass("Point", ["x", ("y", int, 0)])
    return len(made().title) + len(colour) + point(1).y + made().twice()


@case(size=(25, 25), loops=(55, 13))
def class_making(size):
    """Classes, enums and dataclasses made and collected at run time."""
    def step():
        return sum(make_family(number) for number in range(size)), None
    return step


@case(size=(4000, 4000), loops=(28, 6))
def class_using(size):
    """Properties, descriptors, slots, dataclasses, named tuples, operators."""
    def step():
        entries = []
        total = Shape(0, 0)
        for number in range(size):
            shape = Shape.square(number % 100) + Shape(number, 1)
            entries.append(Entry(shape, Price(shape.area)))
            total = total + shape
        entries.sort(key=lambda entry: entry.price)
        return int(total.area) + int(entries[size // 2].shape.area), entries
    return step


class Refused(Exception):
    def __init__(self, number):
        super().__init__(f"number {number} is refused")
        self.number = number


def check(number, depth):
    if depth:
        return check(number, depth - 1)
    if number % 2:
        raise Refused(number)
    return [number]


@case(size=(5000, 5000), loops=(110, 26))
def exceptions(size):
    """Exceptions raised, chained, caught and looked at, with their tracebacks.
    """
    def step():
        total = 0
        for number in range(size):
            try:
                try:
                    total += len(check(number, 4))
                except Refused as error:
                    raise LookupError(error.number) from error
            except LookupError as error:
                total += len(str(error.__cause__))
        return total, None
    return step
