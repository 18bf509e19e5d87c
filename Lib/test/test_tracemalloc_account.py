"""Accounts: what a program allocated for each thing that it does."""
import asyncio
import concurrent.futures.thread
import contextlib
import contextvars
import inspect
import os
import sys
import tempfile
import textwrap
import threading
import tracemalloc
import unittest
from types import coroutine
from unittest import mock

from test import support
from test.support import import_helper, script_helper, threading_helper

import _tracemalloc
from tracemalloc import _account, account

SIZE = 1_000_003        # nothing else has this size


def tearDownModule():
    asyncio.set_event_loop_policy(None)


def make(kept, number=1):
    kept.extend(bytearray(SIZE) for _ in range(number))


@coroutine
def sleep():
    yield


def big(name):
    """Return blocks of SIZE that an account allocated, freed and holds.

    They are far larger than all else, so bytes tell how many there were.
    """
    figures = account(name).figures()
    return tuple(round(size / SIZE) for size in (
        figures.allocated_size, figures.freed_size, figures.size))


class AccountTests(unittest.TestCase):
    """Base: traces; names that no other test has; blocks that are kept."""

    sample_interval = None
    _count = 0

    def setUp(self):
        if tracemalloc.is_tracing():
            # As in the build that verifies captures.
            self.addCleanup(tracemalloc.start,
                            tracemalloc.get_traceback_limit())
            tracemalloc.stop()
        # What is loaded on first use is no test's.
        account("first")
        self.assertTrue(concurrent.futures.thread)
        tracemalloc.start(5, sample_interval=self.sample_interval)
        self.addCleanup(tracemalloc.stop)
        self.addCleanup(_account._limits.clear)
        self.kept = []

    def names(self, number):
        for _ in range(number):
            AccountTests._count += 1
            yield f"test {AccountTests._count}"

    def current(self):
        """Return the number of the account that is current."""
        context, number = _tracemalloc._enter_account(0)
        _tracemalloc._leave_account(context, number)
        return number


class FigureTests(AccountTests):

    def test_figures_are_exactly_what_the_block_allocated(self):
        name, = self.names(1)
        a = account(name)
        size = SIZE
        with a:
            block = b"x" * size
        self.assertEqual((a.allocated_size, a.allocated_count),
                         (sys.getsizeof(block), 1))
        self.assertEqual((a.freed_size, a.freed_count), (0, 0))
        self.assertEqual((a.size, a.count), (sys.getsizeof(block), 1))
        del block
        self.assertEqual((a.freed_size, a.freed_count),
                         (a.allocated_size, 1))
        self.assertEqual((a.size, a.count), (0, 0))

    def test_nothing_of_the_library_is_in_an_account(self):
        name, = self.names(1)
        a = account(name)

        @a
        def nothing(): pass

        @a
        def count(): yield; yield

        # Where somebody has ever traced or monitored, as other tests do, the
        # interpreter makes something for each code that runs for the first
        # time.
        nothing.__wrapped__()
        list(count.__wrapped__())
        for _ in range(3):
            with a:
                pass
            nothing()
            for _ in count():
                pass
            a.figures()
        # The account made the generators, and what they raised at their ends.
        self.assertEqual(a.allocated_count, 6)
        self.assertEqual(a.count, 0)

    def test_what_is_freed_elsewhere_is_freed_of_its_account(self):
        one, two = self.names(2)
        with account(one):
            make(self.kept, 3)
        with account(two):
            self.kept.pop()
        self.kept.pop()
        self.assertEqual(big(one), (3, 2, 1))
        self.assertEqual(big(two), (0, 0, 0))

    def test_inside_of_another_the_inner_one_counts(self):
        one, two = self.names(2)
        outer, inner = account(one), account(two)
        with outer:
            make(self.kept, 1)
            with inner:
                make(self.kept, 2)
                with outer:
                    make(self.kept, 4)
                    with account(None):
                        make(self.kept, 8)
                        self.assertEqual(self.current(), 0)
                make(self.kept, 16)
            make(self.kept, 32)
        make(self.kept, 64)
        self.assertEqual(big(one), (37, 0, 37))
        self.assertEqual(big(two), (18, 0, 18))
        self.assertEqual(self.current(), 0)

    def test_an_exception_leaves_the_account(self):
        name, = self.names(1)
        with self.assertRaises(ZeroDivisionError):
            with account(name):
                make(self.kept)
                1 / 0
        make(self.kept)
        self.assertEqual(big(name), (1, 0, 1))
        self.assertEqual(self.current(), 0)

    def test_sums_of_accounts_are_those_of_all(self):
        names = [*self.names(5)]

        def work(depth):
            if depth:
                return work(depth - 1)
            make(self.kept)
            return [bytearray(n) for n in range(50)]

        for number, name in enumerate(names):
            with account(name):
                work(number)
        del self.kept[::2]
        found = _account._quietly(_account._read)
        snapshot = tracemalloc.take_snapshot()
        data = snapshot.traces._blocks.data
        for figure, column in (
                ("allocated_size", data.context_allocated_bytes),
                ("allocated_count", data.context_allocated_blocks),
                ("freed_size", data.context_freed_bytes),
                ("freed_count", data.context_freed_blocks)):
            with self.subTest(figure):
                by_account = {each.name: getattr(each, figure)
                              for each in found}
                stats = {stat.traceback[0].filename: getattr(stat, figure)
                         for stat in snapshot.statistics(
                             "account", sort_by="allocated_size")}
                for name in names:
                    self.assertEqual(by_account[name], stats[name])

    def test_traced_memory_is_the_sum_of_what_accounts_hold(self):
        for name in self.names(3):
            with account(name):
                make(self.kept, 2)

        def sums():
            rows = _tracemalloc._get_accounts()
            current, peak = tracemalloc.get_traced_memory()
            return sum(row[1] - row[3] for row in rows), current

        # What the list takes is noted before it is asked for or not at all.
        held, current = _account._quietly(sums)
        self.assertEqual(held, current)

    def test_the_peak_is_what_was_held_when_all_was_highest(self):
        one, two = self.names(2)
        with account(one):
            make(self.kept, 3)
        with account(two):
            make(self.kept, 2)
        self.kept.clear()
        with account(one):
            make(self.kept, 1)
        peak = {name: round(account(name).peak_size / SIZE)
                for name in (one, two)}
        self.assertEqual(peak, {one: 3, two: 2})

    def test_figures_of_an_account_that_never_ran_are_0(self):
        name, = self.names(1)
        figures = account(name).figures()
        self.assertEqual(figures.name, name)
        self.assertEqual((figures.size, figures.allocated_count,
                          figures.peak_size), (0, 0, 0))
        self.assertNotIn(name, [each.name for each in tracemalloc.accounts()])

    def test_accounts_are_listed_by_what_they_hold(self):
        one, two, three = self.names(3)
        for name, number in ((one, 20), (two, 40), (three, 30)):
            with account(name):
                make(self.kept, number)
        self.assertEqual([each.name for each in tracemalloc.accounts()][:3],
                         [two, three, one])
        self.assertIn(None, [each.name for each in tracemalloc.accounts()])


class FlowTests(AccountTests):
    """Contexts, tasks, threads, generators."""

    def test_tasks_that_interleave_have_their_own_accounts(self):
        names = [*self.names(7)]

        async def inner(number):
            make(self.kept, number)
            await asyncio.sleep(0)
            make(self.kept, number)

        async def work(number, name):
            with account(name):
                for _ in range(3):
                    await inner(number)
                    await asyncio.sleep(0)
                await asyncio.create_task(inner(number))
            await asyncio.sleep(0)
            make(self.kept)

        async def main():
            await asyncio.gather(*map(work, range(7), names))

        asyncio.run(main())
        for number, name in enumerate(names):
            self.assertEqual(big(name)[0], 8 * number)

    def test_eager_tasks(self):
        one, two = self.names(2)

        async def work(name, number):
            with account(name):
                make(self.kept, number)
                await asyncio.sleep(0)
                make(self.kept, number)

        async def main():
            loop = asyncio.get_running_loop()
            loop.set_task_factory(asyncio.eager_task_factory)
            with account(two):
                task = loop.create_task(work(one, 5))
                make(self.kept, 2)
                await task
                make(self.kept, 1)

        asyncio.run(main())
        self.assertEqual(big(one)[0], 10)
        self.assertEqual(big(two)[0], 3)

    @threading_helper.requires_working_threading()
    def test_to_thread_is_in_the_account_and_other_threads_are_not(self):
        name, = self.names(1)

        async def main():
            with account(name):
                await asyncio.to_thread(make, self.kept, 3)
                thread = threading.Thread(target=make, args=(self.kept, 5))
                thread.start()
                thread.join()

        asyncio.run(main())
        self.assertEqual(big(name)[0], 3)

    @threading_helper.requires_working_threading()
    def test_threads_share_an_account_of_one_name(self):
        one, two = self.names(2)
        shared = account(one)
        barrier = threading.Barrier(4)

        def work(number):
            barrier.wait()
            for _ in range(20):
                with shared:
                    make(self.kept)
                    with account(two):
                        make(self.kept, 2)
                make(self.kept, 1)

        with threading_helper.start_threads(
                [threading.Thread(target=work, args=(number,))
                 for number in range(4)]):
            pass
        self.assertEqual(big(one)[0], 80)
        self.assertEqual(big(two)[0], 160)
        threads = {stat.traceback[0].filename for stat in
                   tracemalloc.take_snapshot().statistics("thread")}
        self.assertLessEqual(len(threads), 5)

    def test_copies_of_contexts_have_the_account(self):
        one, two = self.names(2)
        with account(one):
            contexts = [contextvars.copy_context(),
                        contextvars.copy_context().copy()]
            empty = contextvars.Context()
        for context in contexts:
            context.run(make, self.kept, 2)
            with account(two):
                context.run(make, self.kept, 1)
                make(self.kept, 4)
                empty.run(make, self.kept, 8)
        self.assertEqual(big(one)[0], 6)
        self.assertEqual(big(two)[0], 8)

    def test_contexts_in_contexts(self):
        names = [*self.names(5)]
        contexts = []
        for name in names:
            with account(name):
                contexts.append(contextvars.copy_context())

        def descend(depth):
            make(self.kept, 1)
            if depth < 5:
                contexts[depth].run(descend, depth + 1)
            make(self.kept, 1)

        for _ in range(3):
            descend(0)
        for name in names:
            self.assertEqual(big(name)[0], 6)

    def test_a_new_context_object_in_the_place_of_an_old_one(self):
        # They are kept in a free list.
        name, = self.names(1)
        with account(name):
            for _ in range(300):
                contextvars.copy_context()
        for _ in range(300):
            contextvars.Context().run(make, self.kept)
            self.kept.clear()
        self.assertEqual(big(name)[0], 0)

    def test_variables_of_contexts_are_the_programs_own(self):
        name, = self.names(1)
        before = dict(contextvars.copy_context().items())
        with account(name):
            self.assertEqual(dict(contextvars.copy_context().items()), before)

    def test_a_with_statement_in_a_generator_is_on_while_it_waits(self):
        # As with any variable of a context.
        name, = self.names(1)

        def values():
            with account(name):
                make(self.kept)
                yield
                make(self.kept)

        iterator = values()
        next(iterator)
        make(self.kept)
        self.assertRaises(StopIteration, next, iterator)
        make(self.kept)
        self.assertEqual(big(name)[0], 3)

    def test_left_in_another_context_than_it_was_entered(self):
        # So an event loop ends generators that nobody has finished.
        one, two = self.names(2)
        a = account(one)
        inner = contextvars.copy_context()
        inner.run(a.__enter__)
        with account(two):
            a.__exit__(None, None, None)
            make(self.kept, 3)
            inner.run(make, self.kept, 5)
        self.assertEqual(big(one)[0], 0)
        self.assertEqual(big(two)[0], 3)
        with self.assertRaisesRegex(RuntimeError, "not been entered"):
            a.__exit__(None, None, None)

    def test_each_statement_leaves_its_own_entry(self):
        # One account in several contexts at once: generators that are ended
        # in another context, which is in it, too, or after others were.
        shared, inside = self.names(2)
        a = account(shared)

        def statement():
            with a:
                yield

        def stack():
            with contextlib.ExitStack() as several:
                several.enter_context(a)
                yield

        @contextlib.contextmanager
        def manager():
            with a:
                yield

        def managed():
            with manager():
                yield

        async def coroutine():
            with a:
                await sleep()

        async def asynchronous():
            async with contextlib.AsyncExitStack() as several:
                several.enter_context(a)
                await sleep()

        for make_one in statement, stack, managed, coroutine, asynchronous:
            with self.subTest(make_one.__name__):
                first, other, third = (contextvars.copy_context()
                                       for _ in range(3))
                begun = make_one()
                first.run(begun.send, None)
                other.run(a.__enter__)
                third.run(a.__enter__)
                third.run(begun.close)
                self.assertEqual(
                    [context.run(self.current) for context in
                     (first, other, third)], [0, a._number, a._number])
                third.run(a.__exit__, None, None, None)
                other.run(a.__exit__, None, None, None)
                self.assertEqual(
                    [context.run(self.current) for context in
                     (first, other, third)], [0, 0, 0])
                self.assertEqual(a._entered, {})
        # From a context that is in none, while another thread is.
        entered, leave = threading.Event(), threading.Event()

        def work():
            with a:
                entered.set()
                leave.wait()
                make(self.kept, 2)

        begun = statement()
        contextvars.copy_context().run(next, begun)
        with threading_helper.start_threads([
                threading.Thread(target=work)], leave.set):
            entered.wait()
            begun.close()
            leave.set()
        self.assertEqual(big(shared)[0], 2)

    def test_what_another_thread_leaves_for_a_context_that_is_current(self):
        name, = self.names(1)

        def statement():
            with account(name):
                yield

        def end():
            for number in range(4):
                go.acquire()
                if number == 2:
                    begun.close()
                done.release()

        go, done = threading.Lock(), threading.Lock()
        go.acquire()
        done.acquire()
        kept, limit = self.kept, support.LONG_TIMEOUT
        begun = statement()
        # This thread is in the account now.
        next(begun)
        with threading_helper.start_threads([threading.Thread(target=end)]):
            # Nothing but what has been captured before, at the same place.
            for _ in range(4):
                go.release()
                done.acquire(True, limit)
                kept.append(bytearray(SIZE))
        self.assertEqual(self.current(), 0)
        self.assertEqual(big(name)[0], 2)

    def test_who_is_never_finished_keeps_nothing(self):
        shared, = self.names(1)
        a = account(shared)

        def statement():
            kept = Dies()
            with a:
                yield

        class Dies:
            def __del__(this):
                died.append(1)

        died = []
        begun = statement()
        contextvars.copy_context().run(next, begun)
        self.assertEqual(died, [])
        del begun
        self.assertEqual(died, [1])
        self.assertEqual(a._entered, {})

    def test_frames_that_are_suspended(self):
        self.assertEqual(
            _account._SUSPENDED, inspect.CO_GENERATOR | inspect.CO_COROUTINE
            | inspect.CO_ASYNC_GENERATOR)

    def test_finalizers_and_handlers_run_where_they_are_called(self):
        one, two = self.names(2)

        class Dies:
            def __del__(this):
                make(self.kept, 2)

        with account(one):
            dies = Dies()
        with account(two):
            del dies
        self.assertEqual(big(one)[0], 0)
        self.assertEqual(big(two)[0], 2)

    def test_greenlets(self):
        greenlet = import_helper.import_module("greenlet")
        names = [*self.names(4)]
        main = greenlet.getcurrent()

        def work(number):
            with account(names[number]):
                for _ in range(5):
                    make(self.kept, number)
                    main.switch()
                    make(self.kept, 1)

        greenlets = [greenlet.greenlet(work) for _ in names]
        for number, each in enumerate(greenlets):
            each.gr_context = contextvars.copy_context()
            each.switch(number)
        for _ in range(5):
            for each in greenlets:
                make(self.kept, 1)
                each.switch()
        for number, name in enumerate(names):
            self.assertEqual(big(name)[0], 5 * number + 5)


class DecoratorTests(AccountTests):

    def test_functions(self):
        name, = self.names(1)

        @account(name)
        def work(number, *, more=0):
            "Works."
            make(self.kept, number + more)
            if number > 5:
                raise KeyError(number)
            return number

        self.assertEqual(work.__doc__, "Works.")
        self.assertEqual(work(2), 2)
        self.assertEqual(work(1, more=1), 1)
        with self.assertRaises(KeyError):
            work(6)
        make(self.kept)
        self.assertEqual(big(name)[0], 10)

        class Class:
            @account(name)
            def method(this):
                make(self.kept, 1)

            @staticmethod
            @account(name)
            def static():
                make(self.kept, 1)

        Class().method()
        Class.static()
        self.assertEqual(big(name)[0], 12)

    def test_coroutines(self):
        name, = self.names(1)

        @account(name)
        async def work(number):
            make(self.kept, number)
            await asyncio.sleep(0)
            make(self.kept, number)
            return number

        async def other():
            make(self.kept, 1)
            await asyncio.sleep(0)
            make(self.kept, 1)

        async def main():
            return await asyncio.gather(work(3), other(), work(4), other())

        self.assertEqual(asyncio.run(main())[::2], [3, 4])
        self.assertEqual(big(name)[0], 14)

    def test_generators_are_in_the_account_while_they_run(self):
        name, = self.names(1)
        events = []

        @account(name)
        def values(number):
            try:
                for value in range(number):
                    make(self.kept)
                    try:
                        events.append((yield value))
                    except KeyError as error:
                        events.append(error.args[0])
                return "end"
            finally:
                make(self.kept)
                events.append("finally")

        iterator = values(3)
        self.assertEqual(next(iterator), 0)
        make(self.kept, 10)
        self.assertEqual(iterator.send("sent"), 1)
        self.assertEqual(iterator.throw(KeyError("thrown")), 2)
        with self.assertRaises(StopIteration) as caught:
            next(iterator)
        self.assertEqual(caught.exception.value, "end")
        self.assertEqual(events, ["sent", "thrown", None, "finally"])
        self.assertEqual(big(name)[0], 4)
        iterator = values(3)
        next(iterator)
        iterator.close()
        self.assertEqual(events[-1], "finally")
        self.assertEqual(big(name)[0], 6)
        iterator = values(3)
        next(iterator)
        with self.assertRaises(ZeroDivisionError):
            iterator.throw(ZeroDivisionError)
        self.assertEqual(big(name)[0], 8)

    def test_asynchronous_generators(self):
        name, = self.names(1)
        events = []

        @account(name)
        async def values(number):
            try:
                for value in range(number):
                    make(self.kept)
                    await asyncio.sleep(0)
                    make(self.kept)
                    events.append((yield value))
            finally:
                events.append("finally")

        async def main():
            found = []
            async for value in values(3):
                make(self.kept, 10)
                found.append(value)
            iterator = values(2)
            await iterator.asend(None)
            await iterator.asend("sent")
            await iterator.aclose()
            return found

        self.assertEqual(asyncio.run(main()), [0, 1, 2])
        self.assertEqual(events, [None, None, None, "finally", "sent",
                                  "finally"])
        self.assertEqual(big(name)[0], 10)

    def test_coroutines_of_generators(self):
        name, = self.names(1)

        @account(name)
        @coroutine
        def work():
            make(self.kept)
            yield
            make(self.kept)
            return 5

        async def main():
            return await work()

        self.assertEqual(asyncio.run(main()), 5)
        self.assertEqual(big(name)[0], 2)

    def test_what_is_no_function_is_refused(self):
        name, = self.names(1)
        for wrong in (int, 5, classmethod(len), None):
            with self.subTest(wrong), self.assertRaisesRegex(
                    TypeError, "decorates functions"):
                account(name)(wrong)


class LimitTests(AccountTests):

    def test_callback_is_called_once_per_crossing(self):
        name, = self.names(1)
        called = []
        a = account(name, soft_limit=2 * SIZE + 100_000,
                    callback=called.append)
        with a:
            make(self.kept, 2)
        a.figures()
        self.assertEqual(called, [])
        with a:
            make(self.kept, 1)
        a.figures()
        a.figures()
        with a:
            make(self.kept, 1)
        a.figures()
        self.assertEqual([each.name for each in called], [name])
        self.assertIn(round(called[0].size / SIZE), (3, 4))
        self.kept.clear()
        a.figures()
        with a:
            make(self.kept, 5)
        tracemalloc.accounts()
        self.assertEqual(round(called[1].size / SIZE), 5)
        self.assertEqual(len(called), 2)

    def test_leaving_looks_at_limits_but_not_all_the_time(self):
        name, = self.names(1)
        called, now = [], 1000.0
        reads = []
        read = _account._read

        def slow_read():
            nonlocal now
            now += 0.5      # seconds
            reads.append(now)
            return read()

        with (mock.patch.object(_account, "_clock", lambda: now),
              mock.patch.object(_account, "_look_again_at", 0.0),
              mock.patch.object(_account, "_read", slow_read)):
            a = account(name, soft_limit=str(3 * SIZE),
                        callback=called.append)
            with a:
                make(self.kept, 1)
            self.assertEqual(len(reads), 1)
            for now in (1001.0, 1040.0, 1049.9):
                with a:
                    make(self.kept, 1)
            self.assertEqual((len(reads), called), (1, []))
            now = 1050.1
            with a:
                pass
            self.assertEqual((len(reads), len(called)), (2, 1))
            self.assertEqual(round(called[0].size / SIZE), 4)

    def test_without_callback_there_is_a_warning(self):
        name, = self.names(1)
        with mock.patch.object(_account, "_look_again_at", 0.0):
            with self.assertWarnsRegex(
                    tracemalloc.AccountLimitWarning,
                    rf"{name}: holds 9766 KiB .* limit is 1024 KiB") as caught:
                with account(name, soft_limit="1 MB"):
                    make(self.kept, 10)
        self.assertEqual(caught.filename, __file__)

    def test_what_is_told_is_not_in_the_account(self):
        name, = self.names(1)
        numbers = []
        with account(name, soft_limit=0,
                     callback=lambda figures: numbers.append(self.current())):
            make(self.kept, 1)
        account(name).figures()
        self.assertEqual(numbers, [0])

    def test_wrong_arguments(self):
        name, = self.names(1)
        for error, text, args, kwargs in (
                (TypeError, "must be str, not int", (5,), {}),
                (TypeError, "must be str, not bytes", (b"a",), {}),
                (ValueError, "from 1 to 1000 characters, not 0", ("",), {}),
                (ValueError, "from 1 to 1000", ("x" * 1001,), {}),
                (TypeError, "callable", (name,), {"soft_limit": 5,
                                                  "callback": 5}),
                (TypeError, "needs a soft_limit", (name,),
                 {"callback": print}),
                (TypeError, "no account", (None,), {"soft_limit": 5}),
                (TypeError, "number of bytes", (name,), {"soft_limit": 1.5}),
                (ValueError, "negative", (name,), {"soft_limit": -1}),
                (ValueError, "no size", (name,), {"soft_limit": "much"})):
            with self.subTest(args=args, **kwargs), \
                    self.assertRaisesRegex(error, text):
                account(*args, **kwargs)
        for call, args in ((_tracemalloc._enter_account, (1 << 20,)),
                           (_tracemalloc._enter_account, (-1,)),
                           (_tracemalloc._leave_account, (5, 0)),
                           (_tracemalloc._in_account, (0, len, [], {}))):
            with self.assertRaises((TypeError, ValueError, OverflowError)):
                call(*args)


class SnapshotTests(AccountTests):

    def test_statistics_by_account_and_files_that_keep_them(self):
        one, = self.names(1)
        hostile = "\u202e\x1b[31m</script>\ud800\0" + one
        for name, number in ((one, 3), (hostile, 2)):
            with account(name):
                make(self.kept, number)
        snapshot = tracemalloc.take_snapshot()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.tmz")
            snapshot.dump(path)
            loaded = tracemalloc.Snapshot.load(path)
            pickled = os.path.join(folder, "x.pickle")
            snapshot.dump(pickled)
            plain = tracemalloc.Snapshot.load(pickled)
        for each in (snapshot, loaded, tracemalloc.take_peak_snapshot(),
                     snapshot.filter_traces(
                         [tracemalloc.Filter(True, __file__)])):
            found = {stat.traceback[0].filename: round(stat.size / SIZE)
                     for stat in each.statistics("account")}
            self.assertEqual(found[one], 3)
            self.assertEqual(found[hostile], 2)
        self.assertEqual([stat.traceback[0].filename
                          for stat in plain.statistics("account")],
                         ["<no account>"])
        with account(one):
            make(self.kept, 4)
        diff = tracemalloc.take_snapshot().compare_to(snapshot, "account")
        self.assertEqual((diff[0].traceback[0].filename,
                          round(diff[0].size_diff / SIZE)), (one, 4))

    def test_without_accounts_there_is_no_column(self):
        self.assertIsNone(_tracemalloc._take_snapshot().context_account)
        self.assertEqual([stat.traceback[0].filename for stat in
                          tracemalloc.take_snapshot().statistics("account")],
                         ["<no account>"])

    def test_commands_group_by_account(self):
        name, = self.names(1)
        with account(name):
            make(self.kept, 3)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.tmz")
            tracemalloc.take_snapshot().dump(path)
            result = script_helper.assert_python_ok(
                "-m", "tracemalloc", "top", path, "-g", "account")
            self.assertIn(name.encode(), result.out)
            self.assertIn(b"<no account>", result.out)
            result = script_helper.assert_python_ok(
                "-m", "tracemalloc", "diff", path, path, "-g", "account")
            result = script_helper.assert_python_failure(
                "-m", "tracemalloc", "top", path, "-g", "account", "--mine")
            self.assertEqual(result.rc, 2)


class LifeTests(AccountTests):

    def test_an_account_goes_on_when_traces_are_cleared(self):
        name, = self.names(1)
        with account(name):
            make(self.kept, 3)
            tracemalloc.clear_traces()
            self.assertEqual(big(name), (0, 0, 0))
            make(self.kept, 2)
        self.assertEqual(big(name), (2, 0, 2))

    def test_an_account_around_start_and_stop(self):
        name, = self.names(1)
        tracemalloc.stop()
        with account(name) as a:
            make(self.kept, 3)
            self.assertEqual(tracemalloc.accounts(), [])
            self.assertEqual(a.allocated_size, 0)
            tracemalloc.start()
            make(self.kept, 2)
            self.assertEqual(big(name), (2, 0, 2))
            tracemalloc.stop()
            make(self.kept, 2)
        tracemalloc.start()
        make(self.kept, 2)
        self.assertEqual(big(name), (0, 0, 0))

    def test_what_was_reclaimed_is_still_told(self):
        name, = self.names(1)
        code = compile("for _ in range(100): bytearray(1000)", "<made>",
                       "exec")

        def rounds(number):
            for line in range(number):
                exec(code.replace(co_firstlineno=line + 1))

        made = _tracemalloc._get_counts()
        with account(name):
            number = 0
            while True:
                rounds(1000)
                number += 1000
                counts = _tracemalloc._get_counts()
                if (counts["contexts_made"] > made["contexts_made"]
                        + counts["contexts"]):
                    break
        figures = account(name).figures()
        # The buffers alone, and the counters of contexts that are no more.
        self.assertGreaterEqual(figures.allocated_size, number * 100 * 1001)
        self.assertLess(figures.size, 1_000_000)
        self.assertEqual(_tracemalloc._check(), None)

    def test_contexts_of_contextvars_outlive_tracing(self):
        name, = self.names(1)
        with account(name):
            context = contextvars.copy_context()
        tracemalloc.stop()
        context.run(make, self.kept)
        tracemalloc.start()
        context.run(make, self.kept, 2)
        self.assertEqual(big(name), (2, 0, 2))

    def test_many_names_and_one_too_many(self):
        script = textwrap.dedent("""
            import _tracemalloc, sys, tracemalloc
            tracemalloc.start()
            kept = []
            most = 100
            try:
                while True:
                    with tracemalloc.account(f"request {most}"):
                        block = b"x" * (most % 100 + 100)
                    kept.append(block)
                    most += 1
            except ValueError as error:
                print(error)
            most -= 100
            print(most)
            found = tracemalloc.accounts()
            assert len(found) == most + 1, len(found)
            for each in found:
                if each.name is not None:
                    number = int(each.name.split()[1])
                    assert each.count == 1, each
                    assert each.size == sys.getsizeof(kept[number - 100]), each
            snapshot = tracemalloc.take_snapshot()
            stats = snapshot.statistics("account")
            assert len(stats) == most + 1, len(stats)
            _tracemalloc._check()
            # Those that there are go on, and nothing else is lost.
            with tracemalloc.account("request 100"):
                kept.append(bytearray(100))
            try:
                tracemalloc.account("another one")
            except ValueError:
                pass
            else:
                assert False
            """)
        result = script_helper.assert_python_ok("-c", script)
        text, most = result.out.decode().splitlines()
        self.assertIn("name them after routes", text)
        self.assertIn(int(most), (65535, 255))

    def test_numbers_are_names_for_good(self):
        name, = self.names(1)
        number = _tracemalloc._account_number(name)
        tracemalloc.clear_traces()
        self.assertEqual(_tracemalloc._account_number(name), number)
        self.assertNotEqual(_tracemalloc._account_number(name + "\0"), number)

    def test_what_is_not_used_is_not_loaded(self):
        script_helper.assert_python_ok(
            "-X", "tracemalloc", "-c", textwrap.dedent("""
                import sys, tracemalloc
                assert "tracemalloc._account" not in sys.modules
                assert "AccountLimitWarning" in dir(tracemalloc)
                assert "tracemalloc._account" not in sys.modules
                """))

    @support.requires_fork()
    def test_a_forked_child_goes_on(self):
        name, = self.names(1)
        with account(name):
            make(self.kept, 1)
            pid = os.fork()
            if pid == 0:
                try:
                    make(self.kept, 2)
                    os._exit(0 if big(name) == (3, 0, 3) else 1)
                finally:
                    os._exit(2)
        support.wait_process(pid, exitcode=0)
        self.assertEqual(big(name), (1, 0, 1))


class SampleTests(AccountTests):
    sample_interval = 10_000

    def test_figures_are_estimates_when_samples_are_taken(self):
        one, two = self.names(2)
        # Each is a sample, but with a probability of exp(-100), and stands for
        # itself.
        with account(one):
            make(self.kept, 5)
        with account(two):
            make(self.kept, 3)
            self.kept.pop()
        self.assertEqual(big(one), (5, 0, 5))
        self.assertEqual(big(two), (3, 1, 2))


if __name__ == "__main__":
    unittest.main()
