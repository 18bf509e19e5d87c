"""Random programs of functions, generators and coroutines.

Each number gives one program.  It allocates wherever it can, in frames that
are called, resumed by whoever comes by, left by exceptions, and closed; and
what the tracer says of each block is compared with what sys._getframe() saw.
"""
import _tracemalloc
import contextlib
import itertools
import random
import re
import sys
import warnings
from test.tracemalloc_recorder import Pause, Recorder

# The first few of each are enough: programs that recurse make thousands.
MOST_RECORDS = 3000
FUNCTIONS = 4
KEPT = 12
ROUNDS = 40                 # the interpreter specialises loops meanwhile
DEEPEST = 170               # the depth in the cache has seven bits in a mark

FUNCTION, GENERATOR, COROUTINE, STREAM = KINDS = (
    "function", "generator", "coroutine", "stream")
PLAIN = (FUNCTION, GENERATOR, GENERATOR)
MIXED = (FUNCTION, GENERATOR, GENERATOR, COROUTINE, STREAM, STREAM)

# <word> is replaced by what Program.word() gives for it.
EXPRESSIONS = (
    "seen(bytearray(<size>))", "seen(bytearray(<size>))", "seen(bytearray(7))",
    "<function>(left - 1)",
    "keep(<generator>(left - 1))",
    "next(<kept>, None)",
    "attempt(<kept>.__next__)",
    "list(islice(<kept>, <few>))",
    "(<expression>, <expression>)",
    "[<expression> for _ in range(<few>)]",
    "next(keep(<expression> for _ in range(<few>)), None)",
    "list(map(<function>, [left - 1]))",
    "(lambda: <expression>)()",
    "sorted((2, 1), key=lambda _: (<expression>, 0)[1])",
    "deep(<steps>, lambda: <expression>)",
    "deep(<steps>, Thing)",
    "Thing(left - 1)",
)
STATEMENTS = (
    "<expression>", "<expression>", "<expression>; <expression>",
    "for _ in range(<few>):\n <block>",
    "for _ in <source>: break",
    "for _ in <source>:\n <block>",
    "for _ in islice(<source>, 3):\n <block>",
    "try:\n <block>\n fail()\nexcept Exception:\n <block>",
    "try:\n <block>\nexcept (TypeError, ValueError):\n <block>",
    "<name> = <generator>(left - 1)",
    "<name> = <generator>(left - 1)\nfor _ in <name> or (): break",
    "attempt(lambda: next(<name>))",
    "attempt(lambda: <name>.__next__())",
    "attempt(lambda: <name>.send(3))",
    "attempt(lambda: <name>.throw(KeyError))",
    "attempt(lambda: <name>.close())",
    "drive(<coroutine>(left - 1))",
    "<awaited> = <coroutine>(left - 1)",
    "attempt(lambda: <awaited>.send(None))",
    "<flow> = <stream>(left - 1)",
    "drive(attempt(lambda: <flow>.asend(None)))",
    "drive(attempt(lambda: <flow>.athrow(KeyError)))",
    "drive(attempt(lambda: <flow>.aclose()))",
)
YIELDS = ("yield <expression>", "_ = yield <expression>")
AWAITS = (
    "await <coroutine>(left - 1)",
    "await Pause(seen)",
    "async for _ in <stream>(left - 1):\n <block>",
    "async for _ in <stream>(left - 1): break",
)
OF_KIND = {
    FUNCTION: (),
    GENERATOR: YIELDS + ("yield from <source>",
                         "yield from <generator>(left - 1)"),
    COROUTINE: AWAITS,
    STREAM: AWAITS + YIELDS,
}
# Calls and returns of many frames without a block; and objects, whose
# __init__() the specialised interpreter calls from a frame of its own.
BEGINNING = """
def deep(depth, call):
    return deep(depth - 1, call) if depth else call()
class Thing:
    def __init__(self, left=1):
        self.made = seen(bytearray(6)) if left > 1 else made(left)
def made(left):
    return seen(bytearray(6)) if left > 0 else None
"""


class Stop(BaseException):
    """The program has done enough."""


class Program:
    """A program, and what its text calls."""

    def __init__(self, number):
        self.random = random.Random(number)
        kinds = self.random.choice((PLAIN, MIXED))
        self.kinds = [self.random.choice(kinds) for _ in range(FUNCTIONS)]
        self.seen = Recorder(MOST_RECORDS)
        self.pool = []
        self.fuel = 0
        self.text = "\n".join(
            [BEGINNING, *map(self.definition, range(FUNCTIONS))])
        self.scope = {
            "seen": self.seen, "keep": self.keep, "kept": self.one_kept,
            "burn": self.burn, "fail": self.fail, "attempt": self.attempt,
            "drive": self.drive, "islice": itertools.islice, "Pause": Pause,
        }
        exec(compile(self.text, f"<flow {number}>", "exec"), self.scope)

    # -- the text

    def fill(self, template, depth):
        return re.sub(r"<(\w+)>",
                      lambda found: self.word(found[1], depth), template)

    def word(self, word, depth):
        if word in KINDS:
            numbers = [number for number, kind in enumerate(self.kinds)
                       if kind == word]
            return (f"f{self.random.choice(numbers)}" if numbers
                    else "attempt")
        if word == "expression":
            choice = EXPRESSIONS if depth > 0 else EXPRESSIONS[:3]
            return self.fill(self.random.choice(choice), depth - 1)
        return {
            "size": lambda: str(self.random.randrange(1, 600)),
            "few": lambda: str(self.random.randrange(4)),
            "steps": lambda: str(self.random.randrange(14)),
            "name": lambda: self.random.choice(("g0", "g1", "g2")),
            "awaited": lambda: "c0",
            "flow": lambda: self.random.choice(("s0", "s1")),
            "kept": lambda: f"kept({self.random.randrange(KEPT)})",
            "source": lambda: self.fill(
                self.random.choice(("(<name> or ())", "<kept>")), depth),
        }[word]()

    def block(self, kind, depth):
        """Return lines."""
        lines = []
        for _ in range(self.random.randrange(2, 5)):
            own = OF_KIND[kind] if self.random.random() < 0.3 else ()
            choice = [text for text in own or STATEMENTS
                      if depth > 0 or "<block>" not in text]
            for line in self.random.choice(choice).split("\n"):
                if line == " <block>":
                    lines += [" " + inner
                              for inner in self.block(kind, depth - 1)]
                else:
                    lines.append(self.fill(line, 2))
        return lines

    def definition(self, number):
        kind = self.kinds[number]
        keyword = "async def" if kind in (COROUTINE, STREAM) else "def"
        leave = ("yield seen(bytearray(8)); return"
                 if kind in (GENERATOR, STREAM) else "return")
        lines = [" g0 = g1 = g2 = c0 = s0 = s1 = None",
                 f" if left <= 0: {leave}"]
        if self.random.random() < 0.8:
            lines.insert(0, " burn()")
        body = self.block(kind, 2)
        if self.random.random() < 0.7:
            body = ["try:", *(" " + line for line in body),
                    "except Exception: pass"]
        lines += [" " + line for line in body]
        return "\n".join([f"{keyword} f{number}(left=0):", *lines])

    # -- what it calls

    def burn(self):
        self.fuel -= 1
        if self.fuel < 0:
            raise Stop

    def fail(self):
        if self.fuel % 5 == 0:
            raise KeyError

    def keep(self, generator):
        if not hasattr(generator, "__next__"):
            return iter(())
        if len(self.pool) < KEPT:
            self.pool.append(generator)
        else:
            self.pool[self.fuel % KEPT] = generator
        return generator

    def one_kept(self, number):
        return self.pool[number % len(self.pool)] if self.pool else iter(())

    def attempt(self, call=None, *arguments):
        try:
            return call(*arguments)
        except Exception:
            return ()

    def drive(self, awaited):
        with contextlib.suppress(Exception):
            for _ in range(6):
                awaited.send(None)

    def run(self):
        """Call all functions again and again, from all depths."""
        for _ in range(ROUNDS):
            number = self.random.randrange(FUNCTIONS)
            self.fuel = self.random.randrange(20, 300)
            depth = (self.random.randrange(DEEPEST)
                     if self.random.random() < 0.3 else 0)
            with contextlib.suppress(Stop, Exception):
                self.scope["deep"](depth, lambda: self.begin(number))

    def begin(self, number):
        made = self.scope[f"f{number}"](4)
        match self.kinds[number]:
            case "generator":
                next(self.keep(made), None)
            case "coroutine":
                self.drive(made)
            case "stream":
                self.drive(made.asend(None))
                self.drive(made.asend(None))


def check_flow(number):
    """Run the program with a number while every frame is traced.

    Return how many blocks were compared; AssertionError if the tracer is
    wrong.
    """
    with warnings.catch_warnings(action="ignore"):
        hook, sys.unraisablehook = sys.unraisablehook, lambda *_: None
        try:
            program = Program(number)
            program.run()
            wrong = program.seen.wrong()
            program.pool.clear()
            program.scope.clear()
        finally:
            sys.unraisablehook = hook
    if _tracemalloc._get_dropped():
        # A build with tiny tables has no numbers left.
        wrong = [(seen, traced) for seen, traced in wrong
                 if traced is not None]
    if wrong:
        seen, traced = wrong[0]
        raise AssertionError(
            f"{len(wrong)} of {len(program.seen.records)} tracebacks are "
            f"wrong; the first is\n{traced}\nbut should be\n{seen}")
    _tracemalloc._check()
    return len(program.seen.records)
