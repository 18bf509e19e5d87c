"""What optimised builds learn of the tracer: TRACED_PROFILE_PROGRAM of the
makefile.

    training.py [ROUNDS]

A program as others are, in parts that each do one kind of work for about as
long.  How often is fixed, and nothing depends on time, hashes or the machine,
so that the profile is the same each time.  It runs traced and with samples;
what the compiler learns of the untraced interpreter is of CPython's own tests.
It prints a number made of all that it worked out.
"""
import ast
import asyncio
import binascii
import collections
import copy
import io
import json
import pickle
import random
import re
import string
import sys
import threading

numbers = random.Random(13)


# --- text ------------------------------------------------------------------

LETTERS = [numbers.choice(string.ascii_lowercase) for _ in range(4000)]
WORDS = ["".join(LETTERS[at:at + 3 + at % 9]) for at in range(0, 3900, 3)]


def lines(count):
    for number in range(count):
        at = number * 7 % 1200
        yield f"{number:06d} {WORDS[at]}={WORDS[at + 9]}; " + " ".join(
            WORDS[at:at + 6])


def index_of_words():
    index = {}
    for number, line in enumerate(lines(3000)):
        for word in line.split()[1:]:
            index.setdefault(word.strip(";"), []).append(number)
    return sorted((len(found), word) for word, found in index.items())


FIELD = re.compile(r"(?P<name>[a-z]+)=(?P<value>[a-z]+)")


def fields_by_pattern():
    found = collections.Counter()
    for line in lines(3000):
        for match in FIELD.finditer(line):
            found[match["name"].upper()] += len(match["value"])
        re.sub("[aeiou]", lambda vowel: vowel[0] + "-", line)
    return found.most_common(9)


def report():
    out = io.StringIO()
    for number, line in enumerate(lines(3000)):
        out.write("{:>8} {!r}\n".format(number / 3, line.title()))
        out.write("%s, %.2f\n" % (line[:12].encode().hex(), number * 0.25))
    return len(out.getvalue().splitlines())


# --- objects ---------------------------------------------------------------


class Vector:
    __slots__ = "x", "y"

    def __init__(self, x, y=0.5):
        self.y, self.x = y, x

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def scaled(self, factor):
        return Vector(self.x * factor, self.y * factor)


class Account:
    kind = "plain"

    def __init__(self, owner, balance=0):
        self.owner = owner
        self.balance = balance
        self.entries = []

    @property
    def label(self):
        return f"{self.kind} {self.owner}"

    def post(self, amount, *texts, **tags):
        self.balance += amount
        self.entries.append((amount, texts, tags))
        if len(self.entries) > 20:
            del self.entries[:10]
        return self


class Savings(Account):
    kind = "savings"

    def post(self, amount, *texts, **tags):
        if amount < 0 and self.balance + amount < 0:
            raise ValueError(f"{self.label}: {amount} is too much")
        return super().post(amount, *texts, **tags)


def moving_vectors():
    bodies = [Vector(number, -number / 2) for number in range(100)]
    for step in range(60):
        shift = Vector(step, 0.5)
        bodies = [(body + shift).scaled(0.999) for body in bodies]
    return sum(body.x * body.x + body.y for body in bodies)


def posting_accounts():
    accounts = [cls(word) for word in WORDS[:50] for cls in (Account, Savings)]
    refused = 0
    for number in range(6000):
        account = accounts[number * 7 % 100]
        try:
            account.post(10_000 - number % 7 * 4_000, "turn", number=number)
        except ValueError:
            refused += 1
    return refused, max(accounts, key=lambda account: account.balance).label


def containers():
    total = 0
    for number in range(1500):
        pairs = {key: (number, key * 0.5) for key in range(number % 12)}
        pairs.update(extra=[number] * 5)
        chosen = {value for value in range(number, number + 9) if value % 3}
        ordered = sorted(pairs, key=str)
        head, *tail = ordered
        total += len(chosen | {1, 2}) + len(tail) + len([*pairs.items()])
        queue = collections.deque(tail, maxlen=4)
        queue.append(head)
        total += len(tuple(queue))
    return total


def grid_of_floats():
    grid = [[0.5] * 40 for _ in range(40)]
    for _ in range(5):
        grid = [[(row[at - 1] + row[at] * 2.0 + below[at]) * 0.25
                 for at in range(40)]
                for row, below in zip(grid, grid[1:] + grid[:1])]
    return sum(map(sum, grid))


def large_integers():
    a, b = 0, 1
    for _ in range(3000):
        a, b = b, a + b
    return len(str(a)) + sum(pow(3, at, 10**12) for at in range(1500))


# --- calls -----------------------------------------------------------------


def leaf(value):
    return [value]


def branch(value):
    return leaf(value), leaf(value + 1)


def many_calls():
    return sum(len(branch(number)) for number in range(8000))


def tree(depth):
    return (tree(depth - 1), tree(depth - 1)) if depth else [depth]


def nested(depth):
    """Deep, and something allocated at each level on the way back."""
    return [*nested(depth - 1), depth] if depth else []


def recursion():
    found = tree(12)
    return len(found) + sum(len(nested(depth)) for depth in range(0, 90, 3))


def closures():
    def adder(amount):
        def add(value):
            return value + amount
        return add
    functions = [adder(number * 1000) for number in range(3000)]
    return sum(map(lambda function: function(257), functions))


def numbers_below(limit):
    for number in range(limit):
        yield number, str(number)


def filtered(source):
    for number, text in source:
        if number % 3:
            yield [number, text]


def delegated(source):
    result = yield from source
    return result


def generators():
    total = 0
    for _ in range(20):
        for number, text in delegated(filtered(numbers_below(400))):
            total += number + len(text)
    return total


async def ticks(count):
    for number in range(count):
        yield number * 1.5


async def doubled(source):
    async for value in source:
        yield [value, value * 2]


async def consumer(queue):
    total = 0
    while (item := await queue.get()) is not None:
        total += item[1]
    return total


async def conversation():
    queue = asyncio.Queue(maxsize=8)
    reader = asyncio.ensure_future(consumer(queue))
    async for pair in doubled(doubled_in_turn(ticks(1500))):
        await queue.put(pair)
    await queue.put(None)
    return await reader


async def doubled_in_turn(source):
    async for value in source:
        if value % 2:
            await asyncio.sleep(0)
        yield value


def coroutines():
    return asyncio.run(conversation())


# --- data ------------------------------------------------------------------


def records(count):
    return [{"id": number, "name": WORDS[number % 1200],
             "tags": WORDS[number % 90:number % 90 + 4],
             "place": {"x": number / 7, "y": None, "seen": number % 2 == 0}}
            for number in range(count)]


def documents():
    data = records(250)
    total = 0
    for indent in (None, 1):
        text = json.dumps(data, indent=indent, sort_keys=True)
        total += len(json.loads(text))
    total += len(pickle.loads(pickle.dumps(data)))
    return total + len(copy.deepcopy(data[:120]))


SOURCE = '''
class Shape{0}:
    """One of many."""
    def __init__(self, *sides, name="shape {0}"):
        self.sides = [side for side in sides if side > {0}]
        self.name = name
    def area(self, scale=1.0):
        total = 0
        for at, side in enumerate(self.sides):
            if side % 2 and not at:
                total += (side * scale) ** 2 - self.sides[-at] / 3
            else:
                total -= {{"even": side}}.get(self.name[at:], at)
        return lambda: f"{{self.name}}: {{total:.3f}}"
'''


def compiling():
    size = 0
    for number in range(40):
        text = SOURCE.format(number)
        module = ast.parse(text)
        size += sum(1 for _ in ast.walk(module))
        exec(compile(module, f"shape{number}", "exec"), {})
    return size


def large_blocks():
    kept = []
    for number in range(6000):
        kept.append(bytes(520 + number * 37 % 3000))
        if len(kept) > 400:
            kept[number * 13 % 400] = kept.pop()
    text = "".join(chr(97 + number % 26) for number in range(20_000))
    parts = [text[at:at + 900] for at in range(0, 19_000, 9)]
    grown = bytearray()
    for part in parts:
        grown += part.encode()
        if len(grown) > 100_000:
            del grown[:]
    return len(grown) + sum(map(len, kept))


def threads():
    workers = [threading.Thread(target=work) for work in
               (containers, moving_vectors)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


# What is quick is done more often, so that all take about as long.
PARTS = (
    (1, index_of_words, report, coroutines, fields_by_pattern, compiling),
    (3, containers, posting_accounts, documents, large_blocks),
    (6, moving_vectors, large_integers, closures),
    (10, grid_of_floats, many_calls, recursion, generators),
)
ROUNDS = 20


def main(rounds=ROUNDS):
    told = 0
    for _ in range(rounds):
        for times, *works in PARTS:
            for work in works * times:
                told = binascii.crc32(repr(work()).encode(), told)
    threads()
    print(told)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
