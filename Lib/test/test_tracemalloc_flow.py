"""Traces are those of stock, block for block: where it is allocated.

As in test_tracemalloc_blocks, with scripts that leave and enter frames in
every way there is.
"""
import unittest
from test.tracemalloc_scripts import ScriptTests, add_tests


class Scripts:
    """Calls, jumps and code of every kind."""

    generators = """
        def count(start):
            while True:
                start += 1000
                received = yield [start] * 3            # held
                if received:
                    start += received

        def chain(depth):
            if depth:
                yield from chain(depth - 1)
            else:
                for number in range(5):
                    yield bytes(100 + number)

        def guarded(log):
            try:
                while True:
                    yield bytearray(33)
            except ValueError:
                log.append(bytes(120))
                yield bytes(121)
            finally:
                log.append(bytes(122))

        def run():
            first = count(0)
            kept = [next(first)]
            kept += [next(first), first.send(5)]
            deep = chain(6)
            kept.append(next(deep))
            kept.extend(next(deep) for _ in range(2))
            kept.append(list(deep))
            log = []
            thrown = guarded(log)
            kept.append(next(thrown))
            kept.append(thrown.throw(ValueError("stop")))
            thrown.close()
            abandoned = guarded(log)
            next(abandoned)
            del abandoned
            return first, kept, log, (bytes(number) for number in range(9))
    """

    coroutines = """
        import types

        @types.coroutine
        def pause(value):
            return (yield bytes(value))

        async def inner(value):
            got = await pause(value)
            return [got, bytes(value + 1)]              # held

        async def outer(value):
            collected = []
            for number in range(3):
                collected.append(await inner(value + number * 10))
            return collected

        class Manager:
            async def __aenter__(self):
                self.payload = await inner(70)
                return self
            async def __aexit__(self, *details):
                self.rest = await inner(90)

        async def produce():
            for number in range(4):
                await pause(40 + number)
                yield bytes(200 + number)

        async def consume():
            async with Manager() as manager:
                items = [item async for item in produce()]
            return manager, items

        def drive(coroutine, kept):
            sent = None
            while True:
                try:
                    kept.append(coroutine.send(sent))
                    sent = bytes(17)
                except StopIteration as stop:
                    return stop.value

        def run():
            kept = []
            results = [drive(outer(50), kept), drive(consume(), kept)]
            suspended = outer(500)
            suspended.send(None)
            return kept, results, suspended
    """

    asyncio_tasks = """
        import asyncio

        async def worker(number):
            payload = [bytes(100 + number)]
            await asyncio.sleep(0)
            payload.append(bytes(200 + number))         # held
            await asyncio.sleep(0)
            return payload

        async def main():
            tasks = [asyncio.create_task(worker(number)) for number in range(20)]
            return await asyncio.gather(*tasks)

        asyncio.run(main())

        def run():
            return asyncio.run(main())
    """

    dying_code = """
        def run():
            kept = []
            for number in range(30):
                # Names are kept alive because stock does it, too.
                name = "script:dies" + str(number)      # held
                kept.append(name)
                scope = {}
                exec(compile("def make():\\n    return bytearray(77)\\n", name, "exec"), scope)
                kept.append(scope.pop("make")())
                del scope
            again = [bytes(90 + number) for number in range(30)]
            return kept, again
    """

    renamed_code = """
        def make():
            return [bytes(150)]                         # held

        def run():
            kept = [make()]
            code = make.__code__
            make.__code__ = code.replace(co_filename="script:renamed", co_firstlineno=900)
            kept.append(make())
            make.__code__ = code
            kept.append(make())
            return kept
    """

    recursion = """
        def down(depth):
            if depth == 0:
                return [bytes(64)]                      # held
            kept = down(depth - 1)
            if depth % 50 == 0:
                kept.append(bytes(depth))
            return kept

        def even(number, kept):
            kept.append([number])
            return odd(number - 1, kept) if number else kept

        def odd(number, kept):
            kept.append((number, number))
            return even(number - 1, kept)

        def endless(kept):
            kept.append([])
            endless(kept)

        def run():
            kept = [down(400), even(60, [])]
            overflow = []
            try:
                endless(overflow)
            except RecursionError:
                pass
            kept.append(overflow[::100])
            return kept
    """

    deep_stack = """
        import sys

        def down(depth, kept):
            if depth % 500 == 0:
                kept.append(bytes(300))                 # held
            if depth:
                down(depth - 1, kept)
            kept.append(None)

        def run():
            limit = sys.getrecursionlimit()
            sys.setrecursionlimit(10000)
            kept = []
            down(3000, kept)
            sys.setrecursionlimit(limit)
            return kept
    """

    # Nothing is allocated on the way down, where each trace is a long walk.
    deeper_than_counted = """
        import sys

        marks = bytearray(70000)
        for depth in 65000, 65533, 65534, 65535, 65536, 69999:
            marks[depth] = 1
        steps = iter(marks)
        kept = []

        def down():
            for mark in steps:
                if mark:
                    kept.append(bytes(300))             # held
                down()

        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(80000)

        def run():
            down()
            return kept
    """

    closures = """
        import functools

        def counter(start):
            total = [start]
            def add(number):
                nonlocal start
                start += number
                total.append((start, number))           # held
                return total
            return add

        def decorate(function):
            @functools.wraps(function)
            def inner(*args, **kwargs):
                return [function(*args, **kwargs)]
            return inner

        @decorate
        def decorated(*args, first=None, **rest):
            return args, first, rest

        def run():
            adders = [counter(1000 + number) for number in range(10)]
            for adder in adders:
                for number in range(5):
                    adder(number)
            partials = [functools.partial(decorated, number, first=[number])
                        for number in range(5)]
            results = [each(1, 2, key="value") for each in partials]
            lambdas = [lambda x=number: x for number in range(20)]
            return adders, partials, results, lambdas
    """

    comprehensions = """
        def run():
            squares = [number * number
                       for number in range(500)
                       if number % 3]                   # list
            table = {number: str(number)
                     for number in range(100)}
            letters = {letter + letter
                       for letter in "abcdefghij"}
            nested = [[row * column for column in range(20)]    # held
                      for row in range(20)]
            flat = [item for row in nested for item in row]
            lazy = tuple(bytes(number) for number in range(30))
            named = [last := [number] for number in range(10)]
            return squares, table, letters, nested, flat, lazy, named, last
    """

    threads = """
        import threading

        def build(number):
            return [bytes(100 + number), [number] * number]     # held

        def work(number, results):
            results[number] = build(number)

        def run():
            results = [None] * 8
            for number in range(8):
                thread = threading.Thread(target=work, args=(number, results))
                thread.start()
                thread.join()
            return results
    """

    freed_by_another_thread = """
        import threading

        def run():
            given = [bytes(2000 + number) for number in range(20)]      # held
            def release():
                del given[5:]
                given.append(bytes(3000))
            thread = threading.Thread(target=release)
            thread.start()
            thread.join()
            return given
    """

    exceptions = """
        class Own(Exception):
            def __init__(self, value):
                super().__init__(value)
                self.payload = bytes(value)             # held

        def fail(depth):
            local = [depth] * 5
            if depth:
                try:
                    fail(depth - 1)
                except Own as error:
                    raise KeyError(f"level {depth}") from error
            raise Own(300)

        def run():
            kept = []
            for depth in range(4):
                try:
                    fail(depth)
                except (Own, KeyError) as error:
                    kept.append(error)
            try:
                raise ExceptionGroup("group", [Own(10), ValueError("x" * 50)])
            except* Own as group:
                kept.append(group)
            except* ValueError as group:
                kept.append(group)
            try:
                [].missing
            except AttributeError as error:
                kept.append(error.with_traceback(None))
            try:
                int("no number")
            except ValueError as error:
                error.add_note("a note")
                kept.append(error)
            return kept
    """

    tracing_function = """
        import sys

        def build(number):
            kept = []
            for index in range(number):
                kept.append([index])                    # held
            return kept

        def run():
            events = []
            def trace(frame, event, argument):
                events.append((event, frame.f_lineno))
                return trace
            sys.settrace(trace)
            traced = build(5)
            sys.settrace(None)
            calls = []
            sys.setprofile(lambda frame, event, argument: calls.append(event))
            profiled = build(5)
            sys.setprofile(None)
            return events, traced, calls, profiled
    """

    monitoring = """
        import sys

        def build(number):
            kept = []
            for index in range(number):
                kept.append([index])                    # held
            return kept

        def produce():
            yield bytes(50)
            yield bytes(51)

        def run():
            monitoring = sys.monitoring
            events = monitoring.events
            seen = []
            tool = monitoring.DEBUGGER_ID
            monitoring.use_tool_id(tool, "test")
            chosen = events.PY_START, events.PY_YIELD, events.PY_RETURN, events.LINE
            for event in chosen:
                monitoring.register_callback(tool, event,
                                             lambda *args: seen.append(args[1:]))
            monitoring.set_events(tool, sum(chosen))
            watched = build(4)
            watched.extend(produce())
            monitoring.set_events(tool, 0)
            for event in chosen:
                monitoring.register_callback(tool, event, None)
            monitoring.free_tool_id(tool)
            return seen, watched, build(4)
    """

    line_jump = """
        import sys

        def jumps():
            kept = []
            kept.append(bytes(10))
            kept.append(bytes(20))                      # from
            kept.append(bytes(30))                      # skipped
            kept.append(bytes(40))                      # held
            return kept

        def run():
            first = jumps.__code__.co_firstlineno
            def trace(frame, event, argument):
                if frame.f_code is jumps.__code__:
                    if event == "line" and frame.f_lineno == first + 3:
                        frame.f_lineno = first + 5
                    return trace
            sys.settrace(trace)
            kept = jumps()
            sys.settrace(None)
            return kept, jumps()
    """

    specialised_calls = """
        class Point:
            def __init__(self, x):
                self.x = [x]                            # held
            @property
            def half(self):
                return [self.x[0] / 2]
            def __getitem__(self, index):
                return [index]
            def __add__(self, other):
                return Point(self.x[0] + other)
            def __getattr__(self, name):
                return [name]
            def __iter__(self):
                yield [1]
                yield [2]

        class Odd:
            def __getattribute__(self, name):
                return [name, bytes(20)]

        def add(one, two=3):
            return [one + two]

        def many():
            for number in range(100):
                yield [number]

        def run():
            kept = []
            odd = Odd()
            for number in range(100):
                point = Point(number)
                kept.append((point, point.half, point[number], point + 1,
                             point.missing, odd.thing, add(number), add(1, number)))
            for item in many():
                kept.append(item)
            kept += [list(Point(number)) for number in range(30)]
            return kept
    """

    frames_kept = """
        import sys, inspect

        def keep(depth, frames):
            local = bytes(70 + depth)                   # held
            frames.append(sys._getframe())
            if depth:
                return keep(depth - 1, frames)
            return [frame.f_locals["local"] for frame in frames]

        def run():
            frames = []
            values = keep(10, frames)
            views = [frame.f_locals for frame in frames]
            return frames, values, views, sys._getframe()
    """

    context_variables = """
        import contextvars

        variable = contextvars.ContextVar("variable")

        def inside(number):
            variable.set([number] * 10)                 # held
            return contextvars.copy_context()

        def run():
            contexts = [contextvars.copy_context().run(inside, number)
                        for number in range(20)]
            token = variable.set(bytes(222))
            return contexts, token
    """

    suspended_over_start = """
        def generator():
            kept = [bytes(44)]
            while True:
                kept.append((yield kept))
                kept.append(bytes(66))                  # held

        resumed = generator()
        next(resumed)

        def run():
            for number in range(5):
                resumed.send([number])
            return resumed
    """


class BlocksEqualStock(ScriptTests):
    """By what ways a line is reached."""

    scripts = Scripts


# Requirements that a script bears on, beyond S17 and S27 that all of them do.
COVERS = {
    "generators": "S105", "coroutines": "S105", "asyncio_tasks": "S105",
    "dying_code": "S31", "renamed_code": "S31", "deeper_than_counted": "S29",
    "threads": "S101", "freed_by_another_thread": "S25",
    "tracing_function": "S104", "monitoring": "S104", "line_jump": "S104",
    "specialised_calls": "S30", "suspended_over_start": "S105",
}

add_tests(BlocksEqualStock, COVERS)


if __name__ == "__main__":
    unittest.main()
