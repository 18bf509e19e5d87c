"""Frames that are left and resumed, and threads."""
import asyncio
import itertools
import threading

from . import case
from .churn import churn


async def numbers(count):
    for number in range(count):
        yield [number]
        if number % 4 == 0:
            await asyncio.sleep(0)


async def relay(source, target):
    while (item := await source.get()) is not None:
        await target.put((item, str(item)))
    await target.put(None)


async def conversation(count):
    first, second = asyncio.Queue(8), asyncio.Queue(8)
    task = asyncio.create_task(relay(first, second))

    async def feed():
        async for item in numbers(count):
            await first.put(item)
        await first.put(None)

    feeder = asyncio.create_task(feed())
    total = 0
    while (pair := await second.get()) is not None:
        total += len(pair[1])
    await asyncio.gather(task, feeder)
    return total


@case(size=(30, 30), loops=(110, 25))
def asyncio_tasks(size):
    """Tasks that talk through queues; asynchronous generators; await chains.
    """
    async def everything():
        return sum(
            await asyncio.gather(*(conversation(40) for _ in range(size))))

    def step():
        return asyncio.run(everything()), None
    return step


async def lists(count):
    for number in range(count):
        yield [number]


async def passed_on(values):
    async for value in values:
        yield value


async def total_length(values):
    total = 0
    async for value in values:
        total += len(value)
    return total


def chain_case(depth):
    """A case that resumes as many generators at any depth."""
    def prepare(size):
        def step():
            values = lists(size // depth)
            for _ in range(depth - 1):
                values = passed_on(values)
            try:
                total_length(values).send(None)
            except StopIteration as stop:
                return stop.value, None
        return step

    prepare.__name__ = f"async_chain_{depth}"
    prepare.__doc__ = (f"Values that pass through {depth} asynchronous "
                       "generators.")
    return case(size=(32_000, 32_000), loops=(190, 45))(prepare)


async_chain_8 = chain_case(8)
async_chain_32 = chain_case(32)


def leaves(tree):
    """The leaves of nested lists: a chain of generators as deep as the tree.
    """
    for item in tree:
        if isinstance(item, list):
            yield from leaves(item)
        else:
            yield (item, str(item))


def averages():
    total = count = 0
    result = None
    while True:
        try:
            total += yield result
        except ValueError:
            total = count = 0
            result = [0.0]
        else:
            count += 1
            result = [total / count]


@case(size=(8, 8), loops=(190, 45))
def generators(size):
    """Generators resumed by yield from, send() and throw(),
    allocating when they run.
    """
    def nested(depth):
        return [nested(depth - 1) for _ in range(4)] if depth else 1000

    tree = [nested(6) for _ in range(size // 8)]

    def step():
        total = 0
        average = averages()
        next(average)
        for number, (leaf, text) in enumerate(leaves(tree)):
            value = (average.send(leaf) if number % 16
                     else average.throw(ValueError()))
            total += len(text) + len(value)
        total += sum(len(part) for part in (
            [number, text] for number, text in leaves(tree)))
        return total, None
    return step


def at_once(work, arguments):
    """Calls of one function, each in a thread of its own."""
    workers = [threading.Thread(target=work, args=args) for args in arguments]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


@case(size=(10_000, 10_000), loops=(16, 4))
def threads(size):
    """The loop of small_objects in four threads at once."""
    def step():
        totals = []
        at_once(lambda: totals.append(churn(size)), [()] * 4)
        return sum(totals), None
    return step


def mix_objects(count):
    """Nothing is kept."""
    return churn(count), None


def mix_blocks(count):
    """Blocks on both sides of the limit of pymalloc, some of which grow."""
    kept = [bytearray(64 + number % 32 * 40) for number in range(2 * count)]
    for data in itertools.islice(kept, 0, None, 4):
        data += b"and more" * 8
    return sum(map(len, kept)), kept


def mix_words(count):
    """Text taken apart, counted and put together."""
    counts = {}
    for number in range(count):
        for word in f"{number % 97} of {count} is {number % 89}".split():
            counts[word] = counts.get(word, 0) + 1
    return len(" ".join(sorted(counts))), counts


def mix_records(count):
    """Lists of tuples, as rows of a database are."""
    kept = [(number, str(number), [number * 0.5]) for number in range(count)]
    return sum(len(text) for _, text, _ in kept), kept


MIXTURE = (mix_objects, mix_blocks, mix_words, mix_records)


@case(size=(500, 500), loops=(20, 5))
def threads_mixed(size):
    """Four threads at once that do four kinds of work by turns, each beginning
    with another one; what one keeps, the next one frees.
    """
    def work(first, desk, totals):
        for turn in range(first, first + 4 * len(MIXTURE)):
            total, kept = MIXTURE[turn % len(MIXTURE)](size)
            desk[turn % len(desk)] = kept
            totals.append(total)

    def step():
        desk, totals = [None] * len(MIXTURE), []
        at_once(work, [(first, desk, totals) for first in range(len(MIXTURE))])
        return sum(totals), None
    return step
