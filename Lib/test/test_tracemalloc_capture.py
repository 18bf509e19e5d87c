"""The traceback of a block is the stack at its allocation, whatever ran it.

Every test allocates blocks in frames of one kind and compares what the tracer
says of each with what sys._getframe() saw on the same line.  Afterwards the
tracer's own check must find all of its data in order.
"""
import _imp
import _tracemalloc
import asyncio
import contextlib
import contextvars
import ctypes
import functools
import gc
import os
import re
import signal
import sys
import textwrap
import threading
import tracemalloc
import types
import unittest
import weakref
from test import support
from test.support import import_helper, script_helper, threading_helper

ALL_FRAMES = 65535
# Enough calls for the adaptive interpreter to specialise them.
WARM = 40


def stack_of(frame):
    """Return [(file name, line), ...] of *frame* and its callers, newest first."""
    frames = []
    while frame is not None:
        # A place without a line is line 0 in tracebacks of traces.
        frames.append((frame.f_code.co_filename, frame.f_lineno or 0))
        frame = frame.f_back
    return frames


class Recorder:
    """Blocks, and the stacks that were seen when they were allocated."""

    def __init__(self):
        self.records = []

    def __call__(self, block):
        """Record *block*, which the calling line has just allocated.

        Another block is allocated by this function itself, so that the caller
        is seen both as the newest frame and as one below it.
        """
        self.records.append((block, stack_of(sys._getframe(1))))
        inner = bytearray(3), stack_of(sys._getframe())
        self.records.append(inner)
        return block

    def wrong(self):
        """Return what is wrong with the tracebacks of the recorded blocks."""
        return [(seen, traced) for block, seen in self.records
                if (traced := traced_stack(block)) != seen]


def traced_stack(block):
    traceback = _tracemalloc._get_object_traceback(block)
    return None if traceback is None else list(traceback)


class CaptureTest(unittest.TestCase):
    # Records that a test checks at least.
    at_least = 2
    checked = 0

    def setUp(self):
        was_tracing = tracemalloc.is_tracing()
        limit = tracemalloc.get_traceback_limit()
        tracemalloc.stop()
        if was_tracing:
            self.addCleanup(tracemalloc.start, limit)
        self.addCleanup(tracemalloc.stop)
        self.seen = Recorder()
        tracemalloc.start(ALL_FRAMES)

    def tearDown(self):
        self.check()
        self.assertGreaterEqual(self.checked, self.at_least)

    def check(self):
        """Compare everything recorded so far, and check the tracer's data."""
        wrong = self.seen.wrong()
        if wrong:
            seen, traced = wrong[0]
            self.fail(f"{len(wrong)} of {len(self.seen.records)} tracebacks are wrong; "
                      f"the first is\n{traced}\nbut should be\n{seen}")
        self.checked += len(self.seen.records)
        self.seen.records.clear()
        _tracemalloc._check()
        self.assertEqual(_tracemalloc._get_dropped(), 0)

    def run_source(self, source, file_name, **names):
        """Run *source* under a file name of its own; return its names."""
        scope = {"seen": self.seen, **names}
        exec(compile(textwrap.dedent(source), file_name, "exec"), scope)
        return scope


class HelperTests(CaptureTest):
    def test_a_wrong_record_is_noticed(self):
        block = bytearray(7)
        for change in (lambda frames: frames[1:],
                       lambda frames: frames[:1] + [(frames[1][0], frames[1][1] + 1)] + frames[2:],
                       lambda frames: frames[:-1] + [("elsewhere", frames[-1][1])],
                       lambda frames: frames + frames[-1:]):
            self.seen(bytearray(7))
            right, seen = self.seen.records[0]
            self.seen.records[0] = right, change(seen)
            with self.assertRaisesRegex(AssertionError, "1 of 2 tracebacks are wrong"):
                self.check()
            self.seen.records.clear()
        self.seen.records.append((block, []))
        self.assertEqual(len(self.seen.wrong()), 1)
        self.seen.records.clear()
        self.seen(bytearray(7))


class FunctionTests(CaptureTest):
    def test_calls_and_returns_at_every_depth(self):
        def descend(depth):
            self.seen(bytearray(depth))
            if depth:
                descend(depth - 1)
                self.seen(bytearray(depth)); descend(0)
            self.seen(bytearray(depth))

        self.at_least = 200
        descend(40)

    def test_alternating_lines_of_one_loop(self):
        def choose(number):
            if number % 3 == 0:
                return self.seen(bytearray(number))
            if number % 3 == 1:
                return (number,
                        self.seen(bytearray(number)))
            return (self.seen(bytearray(number)), self.seen(bytearray(number)),
                    self.seen(bytearray(number)))

        for number in range(3 * WARM):
            if number % 2:
                choose(number)
            else:
                (choose
                 (number))
            self.seen(bytearray(number))
            self.seen(bytearray(number))

    def test_two_callees_alternate_at_the_same_stack_depth(self):
        def one(argument):
            return self.seen(bytearray(argument))

        def two(argument):
            unused = argument, argument
            return self.seen(bytearray(argument))

        for number in range(WARM):
            for function in one, two, one:
                function(number)
            one(two(one(number)) and number)

    def test_functions_redefined_in_a_loop(self):
        for number in range(WARM):
            def inner(argument):
                return self.seen(bytearray(argument))
            inner(number)
            outer = lambda argument: [inner(argument), self.seen(bytearray(argument))]
            outer(number)
            del inner, outer

    def test_lambdas_on_one_line(self):
        seen = self.seen
        pair = (lambda n: seen(bytearray(n))), (lambda n: pair[0](n) and seen(bytearray(n)))
        for number in range(1, WARM):
            pair[number % 2](number); pair[1](number)

    def test_decorators(self):
        def decorator(function):
            self.seen(bytearray(5))

            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                self.seen(bytearray(6))
                return function(*args, **kwargs)
            return wrapper

        @decorator
        @functools.lru_cache(maxsize=2)
        @decorator
        def decorated(number, *, keyword=None):
            return self.seen(bytearray(number))

        for number in range(WARM):
            decorated(number % 5, keyword=number % 3)

    def test_tail_of_a_returning_function(self):
        class Noisy:
            def __del__(self_):
                self.seen(bytearray(1))

        def leave(number):
            noisy = Noisy()
            try:
                return self.seen(bytearray(number))
            finally:
                self.seen(bytearray(number))

        for number in range(WARM):
            leave(number)
            self.seen(bytearray(number))

    def test_deep_recursion_to_the_limit(self):
        def descend(depth):
            try:
                descend(depth + 1)
            except RecursionError:
                pass
            if depth % 200 == 0:
                self.seen.records.append((bytearray(depth), stack_of(sys._getframe())))

        self.at_least = 10
        with support.infinite_recursion(2500):
            descend(1)

    def test_deep_recursion_with_a_block_on_every_level(self):
        kept = []

        def descend(depth):
            kept.append(bytearray(9))
            if depth:
                descend(depth - 1)
            else:
                self.seen(bytearray(9))

        depth = 3000
        with support.infinite_recursion(2 * depth):
            descend(depth)
        (block, frames), _ = self.seen.records
        for level, block in enumerate(reversed(kept)):
            if level % 500 == 0:
                # One line of descend() calls, another allocates.
                self.assertEqual(traced_stack(block)[1:], frames[level + 1:])
        self.assertEqual(len(kept), depth + 1)

    def test_total_number_of_frames(self):
        size = 90001

        def descend(depth, keep):
            if depth:
                descend(depth - 1, keep)
            else:
                keep += bytes(size), len(stack_of(sys._getframe()))

        for limit in 1, 2, 25, ALL_FRAMES:
            for depth in 0, 1, 30, 200:
                tracemalloc.stop()
                tracemalloc.start(limit)
                keep = []
                descend(depth, keep)
                block, total = keep
                (trace,) = [trace for trace in _tracemalloc._get_traces()
                            if trace[1] == sys.getsizeof(block)]
                self.assertEqual(trace[3], total)
                self.assertEqual(len(trace[2]), min(total, limit))
                traceback = tracemalloc.get_object_traceback(block)
                self.assertEqual([(frame.filename, frame.lineno) for frame in traceback],
                                 list(trace[2])[::-1])
                _tracemalloc._check()
        self.seen.records.clear()
        tracemalloc.stop()
        tracemalloc.start(ALL_FRAMES)
        self.seen(bytearray(1))


class GeneratorTests(CaptureTest):
    def generate(self):
        """Yield without end, from several lines."""
        number = 0
        while True:
            yield self.seen(bytearray(number))
            self.seen(bytearray(number))
            yield (number,
                   self.seen(bytearray(number)))
            number += 1

    def test_resumed_from_other_lines(self):
        generator = self.generate()
        for _ in range(WARM):
            next(generator)
            next(
                generator); self.seen(bytearray(2))
            (next
             (generator))

    def test_resumed_from_other_callers(self):
        def one(generator):
            return next(generator)

        def two(generator):
            self.seen(bytearray(1))
            return one(generator), next(generator)

        generators = self.generate(), self.generate()
        for number in range(WARM):
            generator = generators[number % 2]
            one(generator)
            two(generator)
            next(generator)
            for _, _ in zip(generator, generators[1 - number % 2]):
                self.seen(bytearray(number))
                break

    def test_resumed_by_a_loop(self):
        for number, _ in enumerate(self.generate()):
            self.seen(bytearray(number))
            if number == 2 * WARM:
                break
        generator = self.generate()
        for _ in range(3):
            for number, _ in zip(range(WARM), generator):
                self.seen(bytearray(number))

    def test_resumed_at_several_depths(self):
        def descend(depth, generator):
            if depth:
                descend(depth - 1, generator)
            next(generator)

        generator = self.generate()
        for depth in (0, 20, 3, 20, 20, 1, 0):
            descend(depth, generator)

    def test_delegation(self):
        def delegate(depth, leaf):
            self.seen(bytearray(depth))
            if depth:
                yield from delegate(depth - 1, leaf)
            else:
                yield from leaf
            self.seen(bytearray(depth))

        def finite():
            for number in range(6):
                received = yield self.seen(bytearray(number))
                self.seen(bytearray(number))

        self.at_least = 60
        generator = delegate(12, finite())
        next(generator)
        generator.send(1)
        (generator
         .send(2))
        for _ in generator:
            self.seen(bytearray(3))

    def test_two_deep_stacks_alternate(self):
        def deep(depth):
            if depth:
                yield from deep(depth - 1)
            else:
                yield from self.generate()

        self.at_least = 4 * WARM
        one, two = deep(50), deep(60)
        for _ in range(WARM):
            next(one)
            next(two)

    def test_throw_and_close(self):
        def stubborn():
            while True:
                try:
                    yield self.seen(bytearray(1))
                except ValueError:
                    self.seen(bytearray(2))
                finally:
                    self.seen(bytearray(3))

        def delegate(depth):
            try:
                if depth:
                    yield from delegate(depth - 1)
                else:
                    yield from stubborn()
            finally:
                self.seen(bytearray(4))

        def throw_deeper(generator):
            self.seen(bytearray(5))
            generator.throw(ValueError("thrown"))
            self.seen(bytearray(5))

        for depth in 0, 1, 5:
            generator = delegate(depth)
            for _ in range(4):
                next(generator)
                generator.throw(ValueError)
                throw_deeper(generator)
                (generator.
                 throw(ValueError()))
            generator.close()
            generator = delegate(depth)
            next(generator)
            self.assertRaises(KeyError, generator.throw, KeyError)
            self.seen(bytearray(6))
            never_started = delegate(depth)
            self.assertRaises(KeyError, never_started.throw, KeyError)

    def test_throw_into_an_iterator_with_a_throw_of_its_own(self):
        class Iterator:
            def __iter__(self_):
                return self_

            def __next__(self_):
                return self.seen(bytearray(1))

            def send(self_, value):
                return self.seen(bytearray(2))

            def throw(self_, *exception):
                self.seen(bytearray(3))
                self.assertRaises(ValueError, next, generator)
                return self.seen(bytearray(4))

            def close(self_):
                self.seen(bytearray(5))

        def delegate():
            yield from Iterator()

        generator = delegate()
        for _ in range(4):
            next(generator)
            generator.send(1)
            generator.throw(KeyError)
        generator.close()

    def test_dropped_while_suspended(self):
        def generate():
            try:
                yield self.seen(bytearray(1))
            finally:
                self.seen(bytearray(2))

        for _ in range(WARM):
            generator = generate()
            next(generator)
            del generator
            self.seen(bytearray(3))
            for _ in generate():
                break

    def test_moved_between_threads(self):
        generators = [self.generate() for _ in range(3)]

        def resume(depth):
            if depth:
                return resume(depth - 1)
            for generator in generators:
                next(generator)
                self.seen(bytearray(1))

        for depth in 0, 4, 2:
            resume(depth)
            thread = threading.Thread(target=resume, args=(5,))
            thread.start()
            thread.join()
            (resume)(depth)

    def test_frames_of_comprehensions(self):
        for _ in range(3):
            [self.seen(bytearray(number)) for number in range(WARM)]
            {number: self.seen(bytearray(number)) for number in range(5)}
            {id(self.seen(bytearray(number))) for number in range(5)}
            list(self.seen(bytearray(number)) for number in range(WARM))
            [[self.seen(bytearray(number)) for number in range(2)]
             for _ in (self.seen(bytearray(other)) for other in range(5))]
            any(any(not self.seen(bytearray(number)) for number in range(1, 3))
                for _ in range(3))


class CoroutineTests(CaptureTest):
    class Pause:
        """Awaiting one gives control to whoever sent."""

        def __init__(self, seen):
            self.seen = seen

        def __await__(self):
            self.seen(bytearray(1))
            yield self.seen(bytearray(2))
            self.seen(bytearray(3))

    def finish(self, coroutine):
        """Run *coroutine*, resuming it from three places."""
        def resume():
            coroutine.send(None)

        with self.assertRaises(StopIteration):
            while True:
                coroutine.send(None)
                resume()
                (coroutine
                 .send(None))

    def test_await_chains(self):
        async def leaf():
            self.seen(bytearray(1))
            await self.Pause(self.seen)
            self.seen(bytearray(2))

        async def chain(depth):
            self.seen(bytearray(3))
            if depth:
                await chain(depth - 1)
                await chain(0)
            else:
                await leaf()
            self.seen(bytearray(4))

        @types.coroutine
        def old_style(depth):
            self.seen(bytearray(5))
            yield from chain(depth)
            yield
            self.seen(bytearray(5))

        self.at_least = 100
        for depth in 0, 3, 8:
            self.finish(chain(depth))
            self.finish(old_style(depth))

    def test_throw_and_close(self):
        async def leaf():
            try:
                await self.Pause(self.seen)
            except ValueError:
                await self.Pause(self.seen)
            finally:
                self.seen(bytearray(1))

        async def chain(depth):
            async with contextlib.AsyncExitStack() as exits:
                exits.callback(lambda: self.seen(bytearray(2)))
                await (chain(depth - 1) if depth else leaf())

        for depth in 0, 4:
            coroutine = chain(depth)
            coroutine.send(None)
            coroutine.throw(ValueError)
            with self.assertRaises(StopIteration):
                coroutine.send(None)
            coroutine = chain(depth)
            coroutine.send(None)
            coroutine.throw(ValueError)
            coroutine.close()
            coroutine = chain(depth)
            coroutine.send(None)
            self.assertRaises(KeyError, coroutine.throw, KeyError)

    def test_async_generators(self):
        async def produce(number):
            try:
                while number:
                    await self.Pause(self.seen)
                    yield self.seen(bytearray(number))
                    number -= 1
            except ValueError:
                yield self.seen(bytearray(1))
            finally:
                await self.Pause(self.seen)
                self.seen(bytearray(2))

        async def consume():
            async for _ in produce(4):
                self.seen(bytearray(3))
            [self.seen(bytearray(4)) async for _ in produce(3)]
            {0: [inner async for inner in produce(2)] async for _ in produce(2)}
            generator = produce(9)
            await anext(generator)
            await generator.asend(None)
            await generator.athrow(ValueError)
            await generator.aclose()
            generator = produce(9)
            await anext(generator)
            await generator.aclose()
            async with contextlib.aclosing(produce(9)) as generator:
                async for _ in generator:
                    break
            with self.assertRaises(StopAsyncIteration):
                await anext(produce(0))

        self.at_least = 60
        self.finish(consume())

    def test_asyncio_tasks(self):
        async def work(depth):
            self.seen(bytearray(1))
            await asyncio.sleep(0)
            self.seen(bytearray(2))
            if depth:
                await work(depth - 1)
                await asyncio.gather(work(0), work(0))

        async def cancelled():
            try:
                await asyncio.Event().wait()
            finally:
                self.seen(bytearray(3))

        async def run():
            asyncio.get_running_loop().call_soon(self.seen, bytearray(4))
            self.seen.records.clear()       # that block was not made by a caller of seen()
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work(depth)) for depth in range(4)]
                stopped = group.create_task(cancelled())
                await tasks[1]
                stopped.cancel()
            await asyncio.to_thread(lambda: self.seen(bytearray(5)))
            self.seen.records[:] = [(block, frames) for block, frames in self.seen.records
                                    if len(block) != 4]

        self.at_least = 40
        asyncio.run(run())
        asyncio.set_event_loop_policy(None)

    def test_context_variables(self):
        variable = contextvars.ContextVar("variable")

        def inside(number):
            variable.set(self.seen(bytearray(number)))
            return contextvars.copy_context().run(lambda: self.seen(bytearray(number)))

        for number in range(WARM):
            contextvars.Context().run(inside, number)
            contextvars.copy_context().run(
                inside,
                number)


class CodeTests(CaptureTest):
    def test_exec_eval_and_compile(self):
        for number in range(10):
            self.run_source("""\
                def inner(argument):
                    return seen(bytearray(argument))
                for argument in range(3):
                    inner(argument)
                    seen(bytearray(argument))
                    eval("seen(bytearray(2))")
                    eval(compile("\\n\\n[seen(bytearray(3)), inner(4)]", "inner:eval", "eval"))
                exec("seen(bytearray(1))\\nseen(bytearray(2))\\nclass C: seen(bytearray(3))")
                """, f"outer:{number % 4}")

    def test_class_bodies(self):
        class Meta(type):
            def __new__(meta, name, bases, namespace):
                self.seen(bytearray(1))
                return super().__new__(meta, name, bases, namespace)

            def __prepare__(*args):
                self.seen(bytearray(2))
                return {}

            def __call__(cls, *args):
                self.seen(bytearray(3))
                return super().__call__(*args)

        class Descriptor:
            def __set_name__(self_, owner, name):
                self.seen(bytearray(4))

            def __get__(self_, instance, owner):
                return self.seen(bytearray(5))

            def __set__(self_, instance, value):
                self.seen(bytearray(6))

        for _ in range(5):
            class Outer(metaclass=Meta):
                self.seen(bytearray(7))
                attribute = Descriptor()

                class Inner:
                    this = self
                    this.seen(bytearray(8))
                    [this_seen(bytearray(9)) for this_seen in [this.seen] * 2]

                def __init_subclass__(cls):
                    self.seen(bytearray(9))

            class Derived(Outer):
                self.seen(bytearray(8))

            for _ in range(WARM):
                instance = Derived()
                instance.attribute
                instance.attribute = Outer.attribute

    def test_specialised_calls(self):
        class Base:
            def __init__(self_, number):
                self_.number = number
                self_.made = self.seen(bytearray(number % 9))

            @property
            def computed(self_):
                return self.seen(bytearray(1))

            @computed.setter
            def computed(self_, value):
                self.seen(bytearray(2))

            def method(self_, *args):
                return self.seen(bytearray(3))

            @classmethod
            def of_class(cls):
                return cls(self.seen(bytearray(4))[0])

            @staticmethod
            def static():
                return self.seen(bytearray(5))

            def __getitem__(self_, key):
                return self.seen(bytearray(6))

            def __setitem__(self_, key, value):
                self.seen(bytearray(6))

            def __add__(self_, other):
                return self.seen(bytearray(7))

            def __lt__(self_, other):
                return self.seen(bytearray(8))

            def __bool__(self_):
                return bool(self.seen(bytearray(9)))

            def __contains__(self_, item):
                return self.seen(bytearray(9))

            def __call__(self_, *args, **kwargs):
                return self.seen(bytearray(10))

            def __iter__(self_):
                yield self.seen(bytearray(11))

            def __hash__(self_):
                return len(self.seen(bytearray(12)))

            def __eq__(self_, other):
                return not self.seen(bytearray(13))

            def __format__(self_, specification):
                return str(len(self.seen(bytearray(14))))

        class Derived(Base):
            def __init__(self_, number):
                super().__init__(number)
                self.seen(bytearray(1))

        class Intercepting:
            def __getattribute__(self_, name):
                return self.seen(bytearray(2))

        class Guessing:
            def __getattr__(self_, name):
                return self.seen(bytearray(3))

        for number in range(WARM):
            for cls in Base, Derived:
                instance = cls(number)
                instance.computed
                instance.computed = instance.method()
                instance.method(
                    *instance, instance[0])
                instance[1] = cls.of_class()
                instance.static()
                instance + instance
                instance < instance
                if instance or instance in instance:
                    instance(key=instance())
                {instance: instance}[instance]
                f"{instance} {instance:>3}"
                [first, *rest] = instance
            Intercepting().anything
            Guessing().anything

    def test_lines_far_apart(self):
        self.run_source("def far():\n    seen(bytearray(1))\n" + "\n" * 70_000
                        + "    seen(bytearray(2))\n    return seen(bytearray(3))\n"
                        + "far()\nseen(bytearray(4))\n", "far apart")
        self.check()
        self.run_source("def near():\n    seen(bytearray(1))\n    x = 1\n" + "    x = x, 1\n" * 300
                        + "    seen(bytearray(2))\nnear()\n" + "\n" * 66_000 + "near()\n", "near")

    def test_long_functions(self):
        source = "def long(x):\n" + "    x = x\n" * 40_000 + "    seen(bytearray(2))\nlong(1)\n"
        self.run_source(source, "long")

    def test_changed_copies_of_code(self):
        def original(depth):
            self.seen(bytearray(depth)) if depth == 0 else copy(depth - 1)
            self.seen(bytearray(depth))

        for number in range(6):
            changed = original.__code__.replace(
                co_filename=f"copy {number % 2}", co_firstlineno=1000 * number + 1)
            copy = types.FunctionType(changed, globals(), "copy", None,
                                      original.__closure__)
            original(3)
            copy(3)
            original.__code__, copy.__code__ = copy.__code__, original.__code__
            original(2)
            copy(2)

    def test_code_without_lines(self):
        def plain(number):
            return self.seen(bytearray(number))

        bare = plain.__code__.replace(co_linetable=b"")
        plain.__code__ = bare
        for number in range(WARM):
            plain(number)

    def test_file_name_changed_while_running(self):
        scope = self.run_source("""\
            def rename(depth):
                seen(bytearray(1))
                if depth:
                    rename(depth - 1)
                    seen(bytearray(2))
                    return
                seen(bytearray(3))
                change()
                seen(bytearray(4))
            def suspended():
                seen(bytearray(5))
                yield
                seen(bytearray(6))
                yield
            """, "first name", change=lambda: None)
        names = iter(f"name {number}" for number in range(100))

        def change():
            # What was recorded up to here was right then.
            self.check()
            self.seen(bytearray(1))
            old, new = scope["rename"].__code__, next(names)
            _imp._fix_co_filename(old, new)
            _imp._fix_co_filename(scope["suspended"].__code__, new)
            self.seen(bytearray(2))

        scope["change"] = change
        for depth in 0, 1, 5:
            generator = scope["suspended"]()
            next(generator)
            scope["rename"](depth)
            next(generator)
        self.assertEqual(scope["rename"].__code__.co_filename, "name 2")

    def test_code_born_where_an_equal_one_died(self):
        addresses = set()
        for number in range(300):
            scope = self.run_source("""\
                def inner(argument):
                    return seen(bytearray(argument))
                def generate():
                    yield seen(bytearray(5))
                inner(3)
                list(generate())
                """, f"generation {number}")
            addresses.add(id(scope["inner"].__code__))
            scope.clear()
        # Else the test proves nothing.
        self.assertLess(len(addresses), 300)
        self.assertEqual(len({seen[0][0] for _, seen in self.seen.records[::2]}), 300)


class CallbackTests(CaptureTest):
    def test_functions_called_from_c(self):
        def callback(*args):
            self.seen(bytearray(1))
            return self.seen(bytearray(len(args)))

        class Ordered:
            def __lt__(self_, other):
                return not callback(self_, other)

        for _ in range(3):
            sorted(range(20), key=callback)
            sorted([Ordered() for _ in range(9)])
            list(map(callback, range(20), range(20)))
            list(filter(callback, range(5)))
            max(range(5), key=callback)
            functools.reduce(callback, range(5))
            functools.partial(callback, 1)(2)
            functools.partial(functools.partial(map, callback), range(3))().__next__()
            re.sub("a", lambda match: str(callback(match)), "banana")
            next(iter(callback, 0))
            type("Dynamic", (), {"__init__": callback})
            callback(*map(callback, (number for number in (callback(), 2))))

    def test_ctypes_callbacks(self):
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)

        @prototype
        def callback(depth):
            self.seen(bytearray(depth))
            return callback(depth - 1) if depth else len(self.seen(bytearray(1)))

        for _ in range(5):
            callback(6)
            self.seen(bytearray(2))

    def test_destructors_and_finalizers(self):
        class Noisy:
            def __init__(self_, next=None):
                self_.next = next

            def __del__(self_):
                self.seen(bytearray(1))

        def make():
            chain = None
            for _ in range(5):
                chain = Noisy(chain)
            return chain

        for _ in range(WARM):
            make()
            noisy = make(); noisy = Noisy(); del noisy
            [Noisy() for _ in range(3)]
            weak = set()
            weakly = weakref.ref(weak, lambda reference: self.seen(bytearray(2)))
            del weak
            cycle = Noisy()
            cycle.next = cycle
        del cycle
        gc.collect()

    def test_collector_callbacks(self):
        def callback(phase, info):
            self.seen(bytearray(1))

        gc.callbacks.append(callback)
        try:
            gc.collect()
            (gc.
             collect())
        finally:
            gc.callbacks.remove(callback)

    @unittest.skipUnless(hasattr(signal, "raise_signal"), "needs raise_signal()")
    def test_signal_handlers(self):
        if threading.current_thread() is not threading.main_thread():
            self.skipTest("only the main thread handles signals")
        old = signal.signal(signal.SIGINT, lambda *args: self.seen(bytearray(1)))

        def generate():
            signal.raise_signal(signal.SIGINT)
            yield
            for _ in range(3):
                signal.raise_signal(signal.SIGINT)

        try:
            for _ in range(5):
                list(generate())
                signal.raise_signal(signal.SIGINT)
        finally:
            signal.signal(signal.SIGINT, old)

    def test_with_statements_and_exceptions(self):
        @contextlib.contextmanager
        def managed(depth):
            self.seen(bytearray(1))
            try:
                yield self.seen(bytearray(2))
            except ValueError:
                self.seen(bytearray(3))
            finally:
                self.seen(bytearray(4))

        def fail(depth):
            with managed(depth), managed(depth):
                if depth:
                    fail(depth - 1)
                try:
                    raise KeyError(self.seen(bytearray(5)))
                except* KeyError:
                    self.seen(bytearray(6))
                finally:
                    self.seen(bytearray(7))
                raise ValueError(self.seen(bytearray(8)))
            self.seen(bytearray(9))

        for depth in 0, 1, 6:
            fail(depth)

    def test_frames_that_outlive_their_calls(self):
        kept = []

        def leave(depth):
            kept.append(sys._getframe())
            self.seen(bytearray(depth))
            if depth:
                leave(depth - 1)
            self.seen(bytearray(depth))

        def raising(depth):
            self.seen(bytearray(depth))
            if depth == 0:
                1 / 0
            raising(depth - 1)

        for _ in range(5):
            leave(6)
            try:
                raising(6)
            except ZeroDivisionError as error:
                kept.append(error)
            self.seen(bytearray(1))
            for frame in kept:
                if isinstance(frame, types.FrameType):
                    frame.f_locals
                    if frame.f_code is leave.__code__:
                        frame.clear()
            leave(3)
            kept.clear()
            leave(6)


class TracingToolTests(CaptureTest):
    def program(self, depth):
        """Do a bit of everything that is traced."""
        def generate():
            received = yield self.seen(bytearray(1))
            try:
                yield self.seen(bytearray(2))
            except ValueError:
                yield self.seen(bytearray(3))

        async def coroutine():
            await CoroutineTests.Pause(self.seen)

        self.seen(bytearray(1))
        generator = generate()
        next(generator)
        generator.send(1)
        generator.throw(ValueError)
        generator.close()
        for _ in generate():
            self.seen(bytearray(4))
        sorted(range(3), key=lambda number: self.seen(bytearray(number)))
        awaited = coroutine()
        awaited.send(None)
        awaited.close()
        if depth:
            self.program(depth - 1)
        try:
            raise KeyError
        except KeyError:
            self.seen(bytearray(5))
        return self.seen(bytearray(6))

    def callback(self, *args):
        # Its own frames are not traced by the tools.
        self.seen(bytearray(len(args)))

    def test_settrace(self):
        def tracer(frame, event, argument):
            if frame.f_code is not Recorder.__call__.__code__:
                frame.f_trace_opcodes = opcodes
                self.callback(event)
            return tracer

        self.at_least = 1000
        old = sys.gettrace()
        try:
            for opcodes in False, True:
                sys.settrace(tracer)
                self.program(1 - opcodes)
                sys.settrace(old)
        finally:
            sys.settrace(old)
        self.program(1)

    def test_setprofile(self):
        old = sys.getprofile()
        sys.setprofile(lambda frame, event, argument: self.callback(event))
        try:
            self.program(2)
        finally:
            sys.setprofile(old)
        self.program(2)

    def test_monitoring(self):
        monitoring = sys.monitoring
        tool = next((tool for tool in range(5, -1, -1)
                     if monitoring.get_tool(tool) is None), None)
        if tool is None:
            self.skipTest("every monitoring tool is in use")
        names = ["PY_START", "PY_RESUME", "PY_RETURN", "PY_YIELD", "PY_THROW", "PY_UNWIND",
                 "CALL", "C_RETURN", "LINE", "INSTRUCTION", "JUMP", "BRANCH", "RAISE",
                 "RERAISE", "EXCEPTION_HANDLED", "STOP_ITERATION"]
        events = [getattr(monitoring.events, name) for name in names]
        self.at_least = 1000
        monitoring.use_tool_id(tool, "test_tracemalloc_capture")
        busy = False

        def callback(*args):
            nonlocal busy
            if not busy:
                busy = True
                self.callback(*args)
                busy = False

        try:
            for event in events:
                monitoring.register_callback(tool, event, callback)
            wanted = 0
            for event in events:
                if event != monitoring.events.C_RETURN:
                    monitoring.set_events(tool, event)
                    self.program(0)
                    wanted |= event
            monitoring.set_events(tool, wanted & ~monitoring.events.INSTRUCTION)
            self.program(1)

            # Code that gets instrumented, and rid of it, while it runs.
            for number in range(4):
                monitoring.set_events(tool, wanted if number % 2 else 0)
                self.seen(bytearray(number))
                self.program(0)
        finally:
            monitoring.set_events(tool, 0)
            for event in events:
                monitoring.register_callback(tool, event, None)
            monitoring.free_tool_id(tool)
        self.program(1)

    def test_jumps(self):
        def jumping():
            self.seen(bytearray(1))
            number = 0 
            self.seen(bytearray(2))
            self.seen(bytearray(3))
            number += 1
            self.seen(bytearray(4))
            return number

        start = jumping.__code__.co_firstlineno + 2
        target = start + 3

        def jump(frame, depth):
            self.seen(bytearray(5))
            if depth:
                return jump(frame, depth - 1)
            self.seen(bytearray(6))
            frame.f_lineno = target
            self.seen(bytearray(7))

        def tracer(frame, event, argument):
            if frame.f_code is not jumping.__code__:
                return None
            self.seen(bytearray(8))
            if event == "line" and frame.f_lineno == start:
                jump(frame, 4)
                self.seen(bytearray(9))
            return tracer

        old = sys.gettrace()
        for _ in range(3):
            sys.settrace(tracer)
            try:
                # The assignment was jumped over, and left None there.
                with self.assertWarns(RuntimeWarning):
                    self.assertRaises(TypeError, jumping)
            finally:
                sys.settrace(old)
            self.assertEqual(jumping(), 1)


class ThreadTests(CaptureTest):
    @threading_helper.requires_working_threading()
    def test_threads_have_stacks_of_their_own(self):
        barrier = threading.Barrier(4)
        recorders = [Recorder() for _ in range(4)]

        def descend(seen, depth):
            seen(bytearray(depth))
            if depth:
                descend(seen, depth - 1)
            seen(bytearray(depth))

        def work(number):
            barrier.wait()
            for depth in range(20):
                descend(recorders[number], depth)
                (descend)(recorders[number],
                          number)

        with threading_helper.start_threads(
                [threading.Thread(target=work, args=(number,)) for number in range(4)]):
            pass
        for recorder in recorders:
            self.assertGreater(len(recorder.records), 100)
            self.seen.records += recorder.records

    @threading_helper.requires_working_threading()
    def test_a_new_thread_in_the_place_of_an_old_one(self):
        def descend(depth):
            self.seen(bytearray(depth))
            if depth:
                descend(depth - 1)

        for depth in range(10):
            thread = threading.Thread(target=descend, args=(depth,))
            thread.start()
            thread.join()

    @threading_helper.requires_working_threading()
    def test_allocations_without_the_gil(self):
        testcapi = import_helper.import_module("_testcapi")
        internal = import_helper.import_module("_testinternalcapi")
        note, domain = testcapi.tracemalloc_track, 77
        released = []

        def track(address, depth):
            if depth:
                return track(address, depth - 1)
            note(domain, address, 10, True); stack = stack_of(sys._getframe())
            released.append((address, stack))

        def work(first):
            for number in range(40):
                track(first + number, number % 7)
                self.seen(bytearray(number))

        threads = [threading.Thread(target=work, args=(1000 * (number + 1),))
                   for number in range(3)]
        with threading_helper.start_threads(threads):
            work(0x10)
        self.assertEqual(len(released), 160)
        for address, stack in released:
            traceback = internal._PyTraceMalloc_GetTraceback(domain, address)
            self.assertEqual(list(traceback), stack)
            testcapi.tracemalloc_untrack(domain, address)

    @support.requires_fork()
    @unittest.skipUnless(hasattr(os, "waitpid"), "needs waitpid()")
    def test_fork_deep_in_a_stack(self):
        def descend(depth):
            self.seen(bytearray(depth))
            if depth:
                result = descend(depth - 1)
            else:
                result = os.fork()
            self.seen(bytearray(depth))
            return result

        child = descend(12)
        if child == 0:
            status = 1
            try:
                descend_again = [self.seen(bytearray(number)) for number in range(9)]
                self.check()
                status = 0
            finally:
                os._exit(status)
        support.wait_process(child, exitcode=0)


class LifeCycleTests(CaptureTest):
    def descend(self, depth, change):
        self.seen(bytearray(depth))
        if depth:
            self.descend(depth - 1, change)
        else:
            self.seen.records.clear()
            change()
        self.seen(bytearray(depth))
        self.seen.records.append((bytearray(depth), stack_of(sys._getframe())))

    def test_cleared_deep_in_a_stack(self):
        for depth in 0, 1, 30:
            self.descend(depth, tracemalloc.clear_traces)
            self.check()

    def test_stopped_and_started_deep_in_a_stack(self):
        def again():
            tracemalloc.stop()
            tracemalloc.start(ALL_FRAMES)

        for depth in 0, 1, 30:
            self.descend(depth, again)
            self.check()

    def test_started_deep_in_a_stack(self):
        def start():
            # Without marks in any frame, and without numbers in any code.
            tracemalloc.start(ALL_FRAMES)

        def descend(depth):
            if depth:
                descend(depth - 1)
            else:
                start()
            self.seen(bytearray(depth))

        for depth in 0, 1, 30:
            tracemalloc.stop()
            descend(depth)
            self.check()

    def test_cleared_while_a_generator_is_suspended(self):
        def generate(depth):
            self.seen(bytearray(1))
            if depth:
                yield from generate(depth - 1)
            yield
            self.seen(bytearray(2))
            self.seen.records.append((bytearray(3), stack_of(sys._getframe())))

        for change in tracemalloc.clear_traces, tracemalloc.stop:
            generator = generate(5)
            next(generator)
            self.check()
            change()
            tracemalloc.start(ALL_FRAMES)
            list(generator)
            self.check()

    def test_reset_peak_deep_in_a_stack(self):
        def descend(depth):
            big = bytearray(10_000 * depth)
            tracemalloc.reset_peak()
            self.seen(bytearray(depth))
            if depth:
                descend(depth - 1)
            _tracemalloc._check()
            del big
            _tracemalloc._check()
            self.seen(bytearray(depth))

        descend(20)


class ReclaimTests(CaptureTest):
    def test_memory_reaches_a_plateau(self):
        def outer(inner):
            return [inner()]

        def inner():
            return bytearray(2)

        def keep(seen):
            return [seen(bytearray(5)), (lambda: seen(bytearray(6)))()]

        def churn(first, number):
            # A file name, code objects, contexts and paths that never come back.
            for index in range(first, first + number, 2):
                name = f"fresh {index}"
                types.FunctionType(outer.__code__.replace(co_filename=name), {})(
                    types.FunctionType(inner.__code__.replace(co_filename=name),
                                       {"bytearray": bytearray}))
                if index % 5000 == 0:
                    kept = keep.__code__.replace(co_filename=f"kept {index}")
                    types.FunctionType(kept, {"bytearray": bytearray})(self.seen)

        batch, batches, warming = 10_000, 20, 8
        used = []
        for number in range(batches):
            churn(number * batch, batch)
            used.append(tracemalloc.get_tracemalloc_memory())
            _tracemalloc._check()
        # By the end of the first part numbers have been taken back.
        self.assertLess(max(used[warming:]), 1.25 * max(used[:warming]), used)
        self.at_least = 2 * batch * batches // 5000

    def test_paths_that_never_come_back(self):
        def descend(bits, depth):
            # Two lines that call: as many paths as there are numbers.
            if depth == 0:
                return [bits]
            if bits & 1:
                return descend(bits >> 1, depth - 1)
            return descend(bits >> 1, depth - 1)

        for number in range(1 << 12):
            descend(number, 12)
            if number % 256 == 0:
                self.seen(bytearray(1))
                self.assertEqual(self.seen.wrong(), [])
        _tracemalloc._check()


class GreenletTests(CaptureTest):
    def setUp(self):
        self.greenlet = import_helper.import_module("greenlet")
        super().setUp()

    def test_deep_stacks_switched_between(self):
        greenlet = self.greenlet

        def descend(depth, other):
            self.seen(bytearray(1))
            if depth:
                descend(depth - 1, other)
            else:
                for _ in range(10):
                    self.seen(bytearray(2))
                    greenlet.getcurrent().parent.switch()
                    self.seen(bytearray(3))
            self.seen(bytearray(4))

        one, two = greenlet.greenlet(descend), greenlet.greenlet(descend)
        one.switch(50, two)
        two.switch(40, one)
        while not (one.dead and two.dead):
            one.switch()
            self.seen(bytearray(5))
            two.switch()


class SeveralInterpretersTests(unittest.TestCase):
    """In processes of their own: a second GIL changes the tracer for good."""

    def setUp(self):
        import_helper.import_module("_interpreters")

    def test_own_gils_at_the_same_time(self):
        work = textwrap.dedent("""\
            import _tracemalloc, sys
            def stack():
                frame, frames = sys._getframe(1), []
                while frame is not None:
                    frames.append((frame.f_code.co_filename, frame.f_lineno))
                    frame = frame.f_back
                return frames
            def descend(depth, records):
                if depth:
                    descend(depth - 1, records)
                records.append((bytearray(depth), stack()))
            def generate(records):
                while True:
                    yield records.append((bytearray(3), stack()))
            for number in range(60):
                records = []
                generator = generate(records)
                descend(number, records)
                next(generator)
                (next
                 (generator))
                for block, seen in records:
                    assert list(_tracemalloc._get_object_traceback(block)) == seen, (
                        seen, _tracemalloc._get_object_traceback(block))
            """)
        script_helper.assert_python_ok("-X", f"tracemalloc={ALL_FRAMES}", "-c", textwrap.dedent("""\
            import _interpreters, _tracemalloc, sys, threading
            work = sys.argv[1]
            faults = []
            def run():
                interpreter = _interpreters.create("isolated")
                fault = _interpreters.exec(interpreter, work)
                _interpreters.destroy(interpreter)
                if fault:
                    faults.append(fault.formatted)
            threads = [threading.Thread(target=run) for _ in range(3)]
            for thread in threads:
                thread.start()
            exec(compile(work, "main", "exec"), {})
            for thread in threads:
                thread.join()
            assert not faults, faults
            _tracemalloc._check()
            assert _tracemalloc._get_dropped() == 0
            """), work)

    def test_everything_again_with_two_gils(self):
        result = script_helper.assert_python_ok("-c", textwrap.dedent("""\
            import _interpreters, sys, unittest
            # With a second interpreter alive, fork() aborts, traced or not.
            _interpreters.destroy(_interpreters.create("isolated"))
            from test import test_tracemalloc_capture as tests
            del tests.SeveralInterpretersTests, tests.ReclaimTests
            suite = unittest.defaultTestLoader.loadTestsFromModule(tests)
            result = unittest.TextTestRunner(stream=sys.stdout).run(suite)
            sys.exit(not result.wasSuccessful() or result.testsRun < 40)
            """))
        self.assertIn(b"OK", result.out)


if __name__ == "__main__":
    unittest.main()
