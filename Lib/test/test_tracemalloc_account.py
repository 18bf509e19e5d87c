"""Accounts: what a program allocated for each thing that it does."""
import contextvars
import os
import sys
import tempfile
import textwrap
import tracemalloc
import unittest
from unittest import mock

from test import support
from test.support import script_helper
from test.tracemalloc_accounts import SIZE, AccountTests, big, make

import _tracemalloc
from tracemalloc import _account, account


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
                    rf"{name}: holds 976[67] KiB .* limit is "
                    "1024 KiB") as caught:
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
        made = tracemalloc.Filter(True, make.__code__.co_filename)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.tmz")
            snapshot.dump(path)
            loaded = tracemalloc.Snapshot.load(path)
            pickled = os.path.join(folder, "x.pickle")
            snapshot.dump(pickled)
            plain = tracemalloc.Snapshot.load(pickled)
        for each in (snapshot, loaded, tracemalloc.take_peak_snapshot(),
                     snapshot.filter_traces([made])):
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
            # Nor has anything the number that it would have had.
            try:
                _tracemalloc._enter_account(most + 1)
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
