"""Accounts follow what is done: tasks, threads, contexts and generators."""
import asyncio
import contextlib
import contextvars
import inspect
import threading
import tracemalloc
import unittest
from types import coroutine

from test import support
from test.support import import_helper, threading_helper
from test.tracemalloc_accounts import SIZE, AccountTests, big, make, sleep

from tracemalloc import _account, account


def tearDownModule():
    asyncio.set_event_loop_policy(None)


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


if __name__ == "__main__":
    unittest.main()
