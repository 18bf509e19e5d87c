"""Accounts on the command line: -g account and --account, in all commands."""

import os
import unittest
from test.tracemalloc_commands import CommandTests, full_snapshot
from test.tracemalloc_pages import Page
from test.tracemalloc_profiles import Profile
from test.tracemalloc_records import Records

from tracemalloc import _cli
from tracemalloc._record import family

CART, STOCK = "GET /cart", "GET /stock"
NOTE = "python -m tracemalloc: note: "


def snapshot(times=1):
    """Return a Snapshot; the cart holds *times* as much as at first."""
    return full_snapshot(
        (3, "load", (5 * times, 500 * times), (9 * times, 900 * times),
         (5 * times, 500 * times), CART),
        (3, "load", (2, 60), (2, 60), (2, 60), STOCK),
        (4, "save", (1, 7), (1, 7), (1, 7), ""),
        metadata={"time": 1000.0 + times, "pid": 7})


class OptionTests(CommandTests):

    def setUp(self):
        super().setUp()
        for number in 1, 2, 3:
            snapshot(number).dump(f"{number}.tmz")
        full_snapshot((3, "load", (5, 500), (5, 500), (5, 500))).dump(
            "none.tmz")
        os.utime("app.py", (0, 0))

    def test_top_and_diff_group_by_account(self):
        rows = self.json("top", "-g", "account", "1.tmz")["groups"]
        self.assertEqual([(row["account"], row["size"]) for row in rows],
                         [(CART, 500), (STOCK, 60), ("<no account>", 7)])
        out = self.output("diff", "-g", "account", "1.tmz", "2.tmz")
        self.assertIn(CART, out)
        self.assertNotIn(STOCK, out)
        out = self.output("series", "-g", "account", "1.tmz", "2.tmz",
                          "3.tmz")
        self.assertIn(CART, out)
        self.assertNotIn(STOCK, out)

    def test_what_is_not_of_the_account_is_left_out_by_all(self):
        for command, arguments in (
                ("top", ["1.tmz"]), ("diff", ["1.tmz", "2.tmz"]),
                ("tree", ["--min", "0", "1.tmz"]),
                ("tree", ["--min", "0", "1.tmz", "2.tmz"]),
                ("traceback", ["1.tmz"]),
                ("traceback", ["1.tmz", "2.tmz"]),
                ("series", ["-n", "9", "1.tmz", "2.tmz", "3.tmz"])):
            with self.subTest(command=command, arguments=arguments):
                whole = self.output(command, *arguments)
                part = self.output(command, "--account", CART, *arguments)
                self.assertIn("load", part)
                self.assertNotIn("save", part)
                self.assertNotEqual(whole, part)

    def test_sums_are_those_of_the_accounts(self):
        def total(*names):
            return sum(row["size"] for row in self.json(
                "top", "1.tmz", *(word for name in names
                                  for word in ("--account", name)))["groups"])

        self.assertEqual(total(CART), 500)
        self.assertEqual(total(STOCK), 60)
        self.assertEqual(total(CART, STOCK), 560)
        self.assertEqual(total("<no account>"), 7)
        self.assertEqual(total(CART, STOCK, "<no account>"), 567)

    def test_both_kinds_of_filters_have_to_let_through(self):
        rows = self.json("top", "--account", STOCK, "--account",
                         "<no account>", "--include", "*app.py:4",
                         "1.tmz")["groups"]
        self.assertEqual([row["size"] for row in rows], [7])

    def test_exports_dumps_and_reports_of_an_account(self):
        self.output("export", "--account", CART, "1.tmz", "-o", "x.collapsed")
        with open("x.collapsed") as stream:
            self.assertEqual([line.split()[-1] for line in stream], ["500"])
        self.output("export", "1.tmz", "-o", "x.pb.gz")
        with open("x.pb.gz", "rb") as stream:
            profile = Profile(stream.read())
        self.assertEqual(
            profile.by(lambda frame, labels: labels.get("account"),
                       "inuse_space"), {CART: 500, STOCK: 60, None: 7})
        self.output("report", "--account", STOCK, "1.tmz", "-o", "x.html")
        with open("x.html", encoding="utf-8") as stream:
            page = Page(stream.read())
        self.assertEqual(page.total("size"), 60)
        self.assertEqual({group[4] for group in page.groups}, {STOCK})

    def test_check_of_an_account(self):
        found = self.call("check", "--max-growth", "10%", "--baseline",
                          "1.tmz", "--account", STOCK, "2.tmz")
        self.assertEqual(found[0], 0, found)
        found = self.call("check", "--max-growth", "10%", "--baseline",
                          "1.tmz", "--account", CART, "2.tmz")
        self.assertEqual(found[0], 1, found)

    def test_names_that_there_are_not_are_told_with_those_that_are(self):
        status, _, err = self.call("top", "--account", "GET /crat", "1.tmz")
        self.assertEqual(status, 0)
        self.assertEqual(
            err, f"{NOTE}1.tmz: there is no account 'GET /crat'; there are "
            "'GET /cart', 'GET /stock'\n")
        _, _, err = self.call("top", "--account", CART, "none.tmz")
        self.assertEqual(
            err, f"{NOTE}none.tmz: there is no account 'GET /cart': it has "
            "none, or was written by a Python that knows none\n")
        one = (1, 1)
        full_snapshot(*((number, "f", one, one, one, f"r{number:02d}")
                        for number in range(20))).dump("many.tmz")
        _, _, err = self.call("top", "--account", "x", "many.tmz")
        self.assertIn("r07 and 12 more, which top -g account lists", err)


class RecordTests(Records):

    def test_post_mortem(self):
        process = self.start_program(f"""
            kept = []
            for name, size in ({CART!r}, 3_000_000), ({STOCK!r}, 1_000_000):
                with tracemalloc.account(name):
                    kept.append(bytes(size))
            _tracemalloc._write_record()
            print("ready", flush=True)
            input()
            """)
        process.kill()
        process.wait()
        picture = self.record()
        with unittest.mock.patch("sys.stdout") as stdout:
            stdout.isatty.return_value = False
            stdout.encoding = "utf-8"
            self.assertEqual(_cli._main(["top", "-g", "account",
                                         picture.path]), 0)
        text = "".join(call.args[0] for call in stdout.write.call_args_list)
        self.assertIn(CART, text)
        self.assertLess(text.index(CART), text.index(STOCK))

    def test_families_have_the_accounts_of_all(self):
        self.run_program("""
            kept = []
            pid = os.fork()
            if not pid:
                with tracemalloc.account("child"):
                    kept.append(bytes(1_000_000))
                _tracemalloc._write_record()
                os._exit(0)
            os.waitpid(pid, 0)
            _tracemalloc._write_record()
            """)
        pictures = self.records()
        self.assertEqual(sum(picture.accounts for picture in pictures), 1)
        merged = family.merge(pictures)
        stats = {stat.traceback[0].filename: stat.size
                 for stat in merged.statistics("account")}
        self.assertEqual({*stats}, {"child", "<no account>"})
        self.assertTrue(1_000_000 < stats["child"] < 1_100_000)
        self.assertEqual(sum(stats.values()),
                         sum(picture.current for picture in pictures))
        none = family.merge([picture for picture in pictures
                             if not picture.accounts] * 2)
        self.assertIsNone(none.traces._data.context_account)


if __name__ == "__main__":
    unittest.main()
