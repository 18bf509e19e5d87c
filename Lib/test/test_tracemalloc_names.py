"""Names in tables: short ones of files, and folded runs of import machinery.
"""

import os
import random
import unittest
from test.tracemalloc_commands import CommandTests, snapshot_of

from tracemalloc import Frame
from tracemalloc._cli import names
from tracemalloc._installed import is_import

LIBRARY = os.path.dirname(os.__file__)


class NameTests(unittest.TestCase):

    def test_short_names(self):
        for full, short in (
                # The standard library.
                ("/usr/lib/python3.13/json/decoder.py", "json/decoder.py"),
                ("/usr/lib/python3.13t/os.py", "os.py"),
                ("/opt/pypy/lib/pypy3.10/json/decoder.py", "json/decoder.py"),
                ("/usr/lib64/python3.9/lib-dynload/x.so", "x.so"),
                ("/usr/lib/python313.zip/json/decoder.py", "json/decoder.py"),
                (f"{LIBRARY}/json/decoder.py", "json/decoder.py"),
                ("C:\\Python313\\Lib\\json\\decoder.py",
                 "json\\decoder.py"),
                ("C:/Users/x y/miniconda3/Lib/json/decoder.py",
                 "json/decoder.py"),
                # What is installed.
                ("/srv/venv/lib/python3.13/site-packages/django/db/models"
                 "/query.py", "django/db/models/query.py"),
                ("/usr/lib/python3/dist-packages/yaml/reader.py",
                 "yaml/reader.py"),
                ("C:\\p\\venv\\Lib\\site-packages\\django\\db.py",
                 "django\\db.py"),
                ("/v/site-packages/a-1.egg/a/b.py", "a/b.py"),
                ("/h/.pex/installed_wheels/0f/a-1-py3.whl/a/b.py", "a/b.py"),
                ("/v/lib/python3.9/site-packages/python/Lib/x.py",
                 "python/Lib/x.py"),
                ("/v/site-packages/a/site-packages/b.py", "b.py"),
                # The program's own.
                ("/srv/app/views/list.py", "views/list.py"),
                ("/srv/app/app.zip/pkg/mod.py", "app.zip/pkg/mod.py"),
                ("/srv/app/venv/lib/python3.9/site-packages/a.py", "a.py")):
            with self.subTest(full):
                self.assertEqual(names.short_name(full, "/srv/app"), short)

    def test_names_that_stay(self):
        for name in ("", "/", "//", "<frozen importlib._bootstrap>",
                     "<string>", "<stdin>", "app.py", "./app.py", "a/b.py",
                     "/srv/app", "/srv/app/", "/srv/apple/x.py", "/etc/job.py",
                     "/x/site-packages", "/usr/lib/python3.13",
                     "/usr/lib/python3.13/../x.py", "/home/me/python3.13/x.py",
                     "/home/me/lib/x.py", "D:\\work\\Lib\\x.py", "C:", "\\",
                     "\x00", "\udc80/x", "<unknown>"):
            with self.subTest(name):
                self.assertEqual(names.short_name(name, "/srv/app"), name)
                self.assertEqual(names.short_name(name), name)
        self.assertEqual(names.short_name("/etc/job.py", "/"), "/etc/job.py")
        self.assertEqual(
            names.short_name("C:\\app\\x.py", "C:\\app"), "x.py")

    def test_names_that_would_be_the_same_stay_different(self):
        files = ["/usr/lib/python3.12/json/decoder.py",
                 "/usr/lib/python3.13/json/decoder.py",
                 "/usr/lib/python3.13/os.py", "/srv/app/os.py",
                 "/srv/app/app.py", "app.py",
                 "/usr/lib/python3.13/re/_parser.py"]
        shown = names.Names(files, "/srv/app")
        self.assertEqual([*map(shown, files)],
                         [*files[:-1], "re/_parser.py"])
        # What it has not heard of, it does not shorten.
        self.assertEqual(shown("/usr/lib/python3.13/ast.py"),
                         "/usr/lib/python3.13/ast.py")

    def test_any_files_stay_different(self):
        source = random.Random(5)
        parts = ("lib", "python3.13", "site-packages", "Lib", "Python", "..",
                 "", "a", "b.py", "x.egg", "python313.zip", "lib-dynload",
                 "C:", "<a>", "\\", "\u4e2d")
        for _ in range(300):
            files = {source.choice("/\\").join(
                source.choices(parts, k=source.randrange(1, 7)))
                for _ in range(30)}
            shown = names.Names(files, source.choice(("/a", "", "C:\\a")))
            self.assertEqual(len({*map(shown, files)}), len(files))

    def test_long_names_take_their_length(self):
        for part in "/", "python", "lib/python3.13/", "\\", "a.egg/":
            names.short_name(part * 300_000, "/a")

    def test_runs_of_imports(self):
        def fold(*files):
            return [each if isinstance(each, int) else each.filename
                    for each in names.fold_imports(
                        [Frame((name, 1)) for name in files])]

        loads = "<frozen importlib._bootstrap_external>"
        finds = "<frozen importlib._bootstrap>"
        package = "/usr/lib/python3.13/importlib/__init__.py"
        self.assertEqual(
            fold("a.py", finds, finds, loads, "b.py", package, finds, "c.py"),
            ["a.py", 3, "b.py", 2, "c.py"])
        # One takes no more room than what would stand for it.
        self.assertEqual(fold("a.py", finds, "b.py"),
                         ["a.py", finds, "b.py"])
        # What allocates stays.
        self.assertEqual(fold("a.py", finds, finds, loads),
                         ["a.py", 2, loads])
        self.assertEqual(fold(loads), [loads])
        self.assertEqual(fold(), [])
        self.assertTrue(is_import("C:\\P\\Lib\\zipimport.py"))
        self.assertFalse(is_import("/app/myimportlib/x.py"))


class TableTests(CommandTests):
    """Every table has short names, and all else full ones."""

    def setUp(self):
        super().setUp()
        self.own = os.path.join(self.folder, "pkg", "mod.py")
        finds = "<frozen importlib._bootstrap>"
        frames = [("/usr/lib/python3.13/json/decoder.py", 3), (finds, 2),
                  (finds, 1), (self.own, 9)]
        snapshot_of((100, 2, *frames)).dump("old.tmz")
        snapshot_of((100, 5, *frames), (70, 1, (self.own, 4))).dump("new.tmz")

    def test_short_names(self):
        for command in (["top", "new.tmz"], ["top", "-g", "file", "new.tmz"],
                        ["top", "-g", "traceback", "new.tmz"],
                        ["traceback", "new.tmz"], ["tree", "new.tmz"],
                        ["tree", "-g", "filename", "new.tmz"],
                        ["tree", "-g", "function", "new.tmz"],
                        ["tree", "--inverted", "new.tmz"],
                        ["diff", "old.tmz", "new.tmz"],
                        ["tree", "old.tmz", "new.tmz"],
                        ["traceback", "old.tmz", "new.tmz"],
                        ["series", "-g", "filename", "old.tmz", "new.tmz"],
                        ["check", "--max-held", "1", "new.tmz"]):
            status = command[0] == "check"
            with self.subTest(command):
                text = self.output(*command, status=status)
                self.assertIn(" json/decoder.py", text)
                self.assertIn(" pkg/mod.py", text)
                self.assertNotIn("/lib/", text)
                full = self.output(*command, "--full-paths", status=status)
                self.assertIn(" /usr/lib/python3.13/json/decoder.py", full)
                self.assertIn(" " + self.own, full)
                self.assertNotIn(" json/", full)
                self.assertEqual(
                    self.output(*command, "--json", status=status),
                    self.output(*command, "--json", "--full-paths",
                                status=status))
                found = self.output(*command, "--json", status=status)
                self.assertIn('"/usr/lib/python3.13/json/decoder.py"', found)

    def test_other_groups_keep_their_names(self):
        snapshot_of((7, 1, ("/usr/lib/python3.13/a/b.py", 1))).dump("one.tmz")
        for key in "thread", "domain":
            self.assertEqual(
                self.output("top", "-g", key, "one.tmz"),
                self.output("top", "-g", key, "--full-paths", "one.tmz"))

    def test_files_of_two_interpreters(self):
        for version in "3.12", "3.13":
            snapshot_of((100, int(version[-1]), (
                f"/usr/lib/python{version}/os.py", 3))).dump(f"{version}.tmz")
        text = self.output("diff", "3.12.tmz", "3.13.tmz")
        for version in "3.12", "3.13":
            self.assertIn(f" /usr/lib/python{version}/os.py:3\n", text)
            self.assertIn(" os.py:3\n", self.output("top", f"{version}.tmz"))

    def test_imports_are_folded(self):
        self.check_output(["traceback", "-n", "1", "new.tmz"], """\
            new.tmz: 1 of 2 call paths by size

            #1: 500 B in 5 blocks, 87.7% of 570 B
              pkg/mod.py:9
              (2 frames of import)
              json/decoder.py:3
            """)
        text = self.output("traceback", "--import-frames", "-n", "1",
                           "new.tmz")
        self.assertIn("  pkg/mod.py:9\n  <frozen importlib._bootstrap>:1\n",
                      text)

    def test_imports_are_folded_in_trees(self):
        for options in (), ("--inverted",):
            text = self.output("tree", *options, "new.tmz")
            self.assertNotIn("importlib", text)
            self.assertRegex(text, r"\n\(2 frames of import folded; "
                                   r"--import-frames shows them\)\n\Z")
            text = self.output("tree", "--import-frames", *options, "new.tmz")
            self.assertIn("<frozen importlib._bootstrap>:2\n", text)
            self.assertNotIn("folded", text)

    def test_names_do_not_control_a_terminal(self):
        snapshot_of((7, 1, (os.path.join(self.folder, "a\x1b[2J.py"), 1),
                     )).dump("bad.tmz")
        self.assertIn(" a\\x1b[2J.py:1\n", self.output("top", "bad.tmz"))

    def test_the_current_folder_is_gone(self):
        path = os.path.join(self.folder, "new.tmz")
        os.mkdir("gone")
        os.chdir("gone")
        os.rmdir(os.getcwd())
        self.addCleanup(os.chdir, self.folder)
        text = self.output("top", path)
        self.assertIn(" " + self.own, text)
        self.assertIn(" json/decoder.py", text)


if __name__ == "__main__":
    unittest.main()
