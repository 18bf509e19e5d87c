"""The traceback of a block is the stack at its allocation:
calls and generators.

How it is compared: see test/tracemalloc_recorder.py.
"""
import _thread
import _tracemalloc
import asyncio
import contextlib
import contextvars
import functools
import operator
import sys
import threading
import tracemalloc
import types
import unittest
from test import support
from test.tracemalloc_recorder import (
    ALL_FRAMES, WARM, CaptureTest, Pause, stack_of, traced_stack)


def run_from_c(calls):
    """Make *calls* in a thread that has no Python frame of its own."""
    calls = functools.partial(list, map(operator.call, calls))
    _thread.start_joinable_thread(calls).join()


class HelperTests(CaptureTest):
    def test_a_wrong_record_is_noticed(self):
        block = bytearray(7)
        for change in (
                lambda frames: frames[1:],
                lambda frames: (frames[:1] + [(frames[1][0], frames[1][1] + 1)]
                                + frames[2:]),
                lambda frames: frames[:-1] + [("elsewhere", frames[-1][1])],
                lambda frames: frames + frames[-1:]):
            self.seen(bytearray(7))
            right, seen = self.seen.records[0]
            self.seen.records[0] = right, change(seen)
            with self.assertRaisesRegex(AssertionError,
                                        "1 of 2 tracebacks are wrong"):
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

    def test_so_many_return_and_so_many_are_called(self):
        # With no block between those two, and none of the test's.
        keep = []

        def descend(depth, then):
            if depth:
                descend(depth - 1, then)
            else:
                then()

        def both():
            descend(returned, hold)
            descend(called, hold)

        def hold():
            keep.append(bytearray(7))

        def frames(function, *lines):
            code = function.__code__
            return [(code.co_filename, code.co_firstlineno + line)
                    for line in lines]

        def down(depth):
            return frames(descend, 4) + depth * frames(descend, 2)

        for stay in 0, 1, 5:
            for returned in range(12):
                for called in range(8):
                    keep.clear()
                    for _ in range(3):
                        outer = stack_of(sys._getframe()); descend(stay, both)
                    for number, block in enumerate(keep):
                        depth = called if number % 2 else returned
                        self.seen.records.append((
                            block, frames(hold, 1) + down(depth)
                            + frames(both, 1 + number % 2) + down(stay)
                            + outer))
                    self.assertEqual(len(keep), 6)
                    self.check()

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
            outer = lambda argument: [inner(argument),
                                      self.seen(bytearray(argument))]
            outer(number)
            del inner, outer

    def test_lambdas_on_one_line(self):
        seen = self.seen
        pair = ((lambda n: seen(bytearray(n))),
                (lambda n: pair[0](n) and seen(bytearray(n))))
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
                self.seen.records.append(
                    (bytearray(depth), stack_of(sys._getframe())))

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
                self.assertEqual([(frame.filename, frame.lineno)
                                  for frame in traceback],
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

    def test_another_one_is_made_meanwhile(self):
        def finite():
            for number in range(4):
                yield self.seen(bytearray(number))

        def work():
            first = None
            for _ in range(2):
                another = finite()
                if first is None:
                    first = another
                    for _ in first:
                        break
            for _ in first:
                pass

        for _ in range(60):         # until loops resume generators themselves
            work()
        work()                      # from elsewhere: all call sites are new

    def test_made_and_resumed_at_each_depth(self):
        def descend(depth):
            if depth:
                return descend(depth - 1)
            made = (self.seen(bytearray(number)) for number in range(5))
            next(made)
            return tuple(made)      # resumed by C

        for depth in range(100, 160):
            descend(depth)

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

    def chain(self, depth):
        """A generator that allocates `depth` calls of `yield from` deep."""
        if depth:
            yield from self.chain(depth - 1)
        else:
            yield from self.generate()

    def test_chains_resumed_in_turns(self):
        # Another generator lies where a chain has its outermost one.
        self.at_least = 12 * WARM
        for depth in (0, 1, 2, 7, 14, 15, 16, 17, 40):
            chain, other = self.chain(depth), self.generate()
            for number in range(WARM):
                next(chain); next(other)
                next(chain)
                if number % 3 == 0:
                    (next
                     (chain))
                    self.seen(bytearray(1))

    def test_chains_that_part_in_the_middle(self):
        def crossing(chains):
            while True:
                for chain in chains:
                    yield next(chain)
                yield (next(chains[0]),
                       next(chains[1]))

        self.at_least = 12 * WARM
        crossed = crossing([self.chain(3), self.chain(5), self.generate()])
        outer = (value for value in crossed)
        for _ in range(WARM):
            next(outer)
            next(crossed)
            next(outer); self.seen(bytearray(1))

    def test_chains_resumed_at_far_depths(self):
        # What a frame is marked with has only the low bits of its depth.
        def descend(depth, chain):
            if depth:
                descend(depth - 1, chain)
            next(chain)

        self.at_least = 40
        for size in (0, 1, 5):
            chain = self.chain(size)
            for depth in (0, 256, 1, 255, 127, 128, 129, 257, 256, 256, 0):
                descend(depth, chain)
                next(chain)

    def test_functions_called_from_a_chain(self):
        def inner(number):
            return self.seen(bytearray(number))

        def outer(number):
            return inner(number), self.seen(bytearray(number)), inner(number)

        def calling():
            number = 0
            while True:
                outer(number % 5)
                yield inner(number % 5)
                outer(1)
                number += 1

        def delegating():
            yield from calling()

        self.at_least = 12 * WARM
        one, two = delegating(), delegating()
        for _ in range(WARM):
            next(one)
            next(two)
            inner(2)

    def test_generators_at_one_address(self):
        # A frame that is gone leaves its entry to one of another function.
        self.at_least = 2 * WARM
        functions = [self.generate,
                     lambda: iter(self.seen(bytearray(n)) for n in range(9))]
        for number in range(WARM):
            generator = functions[number % 2]()
            next(generator)
            next(generator)
            del generator

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

    def test_resumed_by_c_with_no_frame_below(self):
        # throw() links the outer ones without entering them.
        def stubborn():
            while True:
                try:
                    yield self.seen(bytearray(1))
                except ValueError:
                    self.seen(bytearray(2))

        def delegate(depth):
            yield from (delegate(depth - 1) if depth else stubborn())

        self.at_least = 400
        for depth in 0, 1, 2, 20:
            generator = delegate(depth)
            send = functools.partial(generator.send, None)
            throw = functools.partial(generator.throw, ValueError)
            run_from_c([send] * 3 + [throw] * 3)
            for number in range(WARM):
                run_from_c([send, throw][number % 2:]
                           + [throw, generator.__next__])
                send()
            run_from_c([send, throw, generator.close])

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
            await Pause(self.seen)
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
                await Pause(self.seen)
            except ValueError:
                await Pause(self.seen)
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
                    await Pause(self.seen)
                    yield self.seen(bytearray(number))
                    number -= 1
            except ValueError:
                yield self.seen(bytearray(1))
            finally:
                await Pause(self.seen)
                self.seen(bytearray(2))

        async def consume():
            async for _ in produce(4):
                self.seen(bytearray(3))
            [self.seen(bytearray(4)) async for _ in produce(3)]
            {0: [inner async for inner in produce(2)]
             async for _ in produce(2)}
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

    def test_resumed_by_c_with_no_frame_below(self):
        async def produce():
            while True:
                try:
                    await Pause(self.seen)
                    yield self.seen(bytearray(1))
                except ValueError:
                    self.seen(bytearray(2))

        async def consume(depth, values):
            if depth:
                return await consume(depth - 1, values)
            async for _ in values:
                self.seen(bytearray(3))

        self.at_least = 400
        for depth in 0, 1, 2, 20:
            coroutine = consume(depth, produce())
            send = functools.partial(coroutine.send, None)
            throw = functools.partial(coroutine.throw, ValueError)
            run_from_c([send] * 3 + [throw] * 3)
            for number in range(WARM):
                run_from_c([send, throw][number % 2:] + [throw, send])
                send()
            run_from_c([send, throw, coroutine.close])

    def test_chains_of_async_generators(self):
        # Each value suspends and resumes them all, from the innermost one on.
        async def source():
            number = 0
            while True:
                try:
                    yield self.seen(bytearray(number % 50))
                except ValueError:
                    await Pause(self.seen)
                    (yield
                     self.seen(bytearray(1)))
                number += 1

        async def relay(depth):
            inner = relay(depth - 1) if depth else source()
            async with contextlib.aclosing(inner):
                while True:
                    try:
                        async for value in inner:
                            self.seen(bytearray(2))
                            yield value
                    except ValueError:
                        yield await inner.athrow(ValueError)
                    finally:
                        self.seen(bytearray(3))

        async def consume(depth, other):
            async with contextlib.aclosing(relay(depth)) as values:
                for number in range(WARM):
                    await anext(values)
                    (await
                     anext(values))
                    if number % 3 == 0:
                        await anext(other)
                    if number % 4 == 0:
                        await values.athrow(ValueError)
                    self.seen(bytearray(4))

        async def consume_all():
            async with contextlib.aclosing(relay(5)) as other:
                for depth in (0, 1, 7, 8, 16, 40):
                    await consume(depth, other)
                    await consume_below(depth)

        async def consume_below(depth):
            await consume(1, relay(depth))

        self.at_least = 100 * WARM
        self.finish(consume_all())

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
            # That block was not made by a caller of seen().
            self.seen.records.clear()
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work(depth)) for depth in range(4)]
                stopped = group.create_task(cancelled())
                await tasks[1]
                stopped.cancel()
            await asyncio.to_thread(lambda: self.seen(bytearray(5)))
            self.seen.records[:] = [
                (block, frames) for block, frames in self.seen.records
                if len(block) != 4]

        self.at_least = 40
        self.addCleanup(asyncio.set_event_loop_policy,
                        support.maybe_get_event_loop_policy())
        asyncio.run(run())

    def test_context_variables(self):
        variable = contextvars.ContextVar("variable")

        def inside(number):
            variable.set(self.seen(bytearray(number)))
            return contextvars.copy_context().run(
                lambda: self.seen(bytearray(number)))

        for number in range(WARM):
            contextvars.Context().run(inside, number)
            contextvars.copy_context().run(
                inside,
                number)


class Monitored:
    """The same, with instructions that report to sys.monitoring.

    Nothing is called: a call would let the tracer find out on its way what
    these instructions are to tell it.
    """

    def setUp(self):
        super().setUp()
        events, tool = sys.monitoring.events, sys.monitoring.PROFILER_ID
        sys.monitoring.use_tool_id(tool, "test_tracemalloc_capture")
        self.addCleanup(sys.monitoring.free_tool_id, tool)
        sys.monitoring.set_events(tool, events.PY_START | events.PY_YIELD)
        self.addCleanup(sys.monitoring.set_events, tool, 0)


class MonitoredGeneratorTests(Monitored, GeneratorTests):
    pass


class MonitoredCoroutineTests(Monitored, CoroutineTests):
    pass


if __name__ == "__main__":
    unittest.main()
