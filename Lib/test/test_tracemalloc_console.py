"""python -m tracemalloc: arguments, files that are read, and the screen.

What the commands have in common; see test_tracemalloc_cli for what each shows.
"""

import contextlib
import io
import itertools
import os
import pickle
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import unittest
from importlib import import_module
from test.tracemalloc_commands import (
    CommandTests, full_snapshot, snapshot_of)
from unittest import mock

from tracemalloc import _cli
from tracemalloc._cli import files, run, screen, units

SOURCE = os.environ.get("TRACEMALLOC_SOURCE")

COMMANDS = ("run", *(name for name in _cli.COMMANDS if name != "run"))


def parser_of(command):
    module = _cli.COMMANDS[command][0]
    return import_module(f"tracemalloc._cli.{module}")._parser()


class ArgumentTests(CommandTests):
    def test_help_of_each_command(self):
        for command in COMMANDS:
            with self.subTest(command):
                process = self.start(command, "--help")
                self.assertEqual((process.returncode, process.stderr),
                                 (0, ""))
                self.assertRegex(
                    process.stdout,
                    rf"(?s)\Ausage: python -m tracemalloc {command} .*\n"
                    rf"example: python -m tracemalloc {command} .+\n\Z")
                self.assertLessEqual(
                    max(map(len, process.stdout.splitlines())), 79)

    def test_examples_parse(self):
        for command in COMMANDS[1:]:
            parser = parser_of(command)
            with self.subTest(command):
                words = shlex.split(parser.epilog)
                self.assertEqual(words[4], command)
                parser.parse_args(words[5:])

    @unittest.skipUnless(SOURCE, "TRACEMALLOC_SOURCE names no folder")
    def test_sessions_in_the_manual_parse(self):
        for path in ("Doc", "library", "tracemalloc-cli.rst"), ("README.rst",):
            with open(os.path.join(SOURCE, *path),
                      encoding="utf-8") as stream:
                text = stream.read().replace("\\\n    >", "")
            found = re.findall(
                r"^ +\$ python\S* -m tracemalloc (\S+) (.*)", text, re.M)
            self.assertEqual([command for command, _ in found][:6],
                             ["run", "run", "top", "tree", "diff", "check"])
            for command, arguments in found:
                with self.subTest(command):
                    if command == "run":
                        self.write("word_index.py", "")
                        self.write("word_pool.py", "")
                        run.parse(shlex.split(arguments))
                    else:
                        parser_of(command).parse_args(shlex.split(arguments))

    def test_overview(self):
        text = self.output("--help")
        for command in COMMANDS:
            self.assertRegex(text, rf"(?m)^  {command} +\w")
        self.assertEqual(text, self.output("-h"))

    def test_wrong_use(self):
        for arguments, text in (
                ([], "name a command or a snapshot file"),
                (["nothing"], "nothing: there is no such command or file"),
                (["top"], "top: the following arguments are required: FILE"),
                (["top", "--frob", "a.tmz"],
                 "top: unrecognized arguments: --frob"),
                (["top", "a.tmz", "b.tmz"],
                 "top: b.tmz: too many files: diff, tree and traceback take "
                 "two, series and report any number, top and report add up "
                 "those of workers with --processes (--help lists the "
                 "options)"),
                (["tree", "a.tmz", "b.tmz", "full.tmz"],
                 "tree: full.tmz: too many files: series and report take any "
                 "number"),
                (["top", "--grop", "function", "a.tmz"],
                 "unrecognized arguments: --grop; did you mean --group-by? "
                 "(--help lists the options)"),
                (["top", "--grop=function", "a.tmz"],
                 "unrecognized arguments: --grop=function; did you mean "
                 "--group-by?"),
                (["diff", "a.tmz"],
                 "diff: the following arguments are required: NEW"),
                (["top", "-n", "-1", "a.tmz"],
                 "top: argument -n/--limit: '-1' is no number"),
                (["top", "--sort", "age", "a.tmz"], "invalid choice: 'age'"),
                (["top", "-g", "age", "a.tmz"], "invalid choice: 'age'"),
                (["top", "--color", "red", "a.tmz"],
                 "invalid choice: 'red'")):
            with self.subTest(arguments):
                self.assertIn(text, self.fails(*arguments))

    def test_units(self):
        for text, number in (("0", 0), ("512", 512), ("512B", 512),
                             ("64k", 65536), ("64KiB", 65536),
                             ("1.5 MiB", 1572864), ("2gb", 1 << 31),
                             ("1T", 1 << 40)):
            self.assertEqual(units.size(text), number)
        for text, number in (("1", 1.0), ("0.5s", 0.5), ("2min", 120.0),
                             ("3m", 180.0), ("1h", 3600.0), ("250ms", 0.25),
                             (".5", 0.5), ("1.5 min", 90.0), ("1D", 86400.0)):
            self.assertEqual(units.seconds(text), number)
        for function, texts in (
                (units.size, ("", "x", "1 kk", "-1", "1e3", "\u0663")),
                (units.seconds, ("", "0", "-1s", "1w", "1us", "0.5ms", ".",
                                 "1e3", "99999999d", "nan", "\u0663")),
                (units.number, ("-1", "1.0", "\u0663", "1" * 10)),
                (units.frames, ("0", "65536", "x"))):
            for text in texts:
                with self.subTest(text), self.assertRaises(ValueError):
                    function(text)


class FileTests(CommandTests):
    """Files that cannot be used: one line, and status 2."""

    def test_missing(self):
        self.assertEqual(self.fails("top", "no.tmz"),
                         "top: no.tmz: No such file or directory")
        self.assertEqual(self.fails("diff", "a.tmz", "no.tmz"),
                         "diff: no.tmz: No such file or directory")

    def test_folder(self):
        self.assertEqual(self.fails("top", "."),
                         "top: .: is a folder, and has no record in it")

    @unittest.skipIf(os.name == "nt" or not hasattr(os, "geteuid")
                     or os.geteuid() == 0, "everybody may read all files")
    def test_forbidden(self):
        os.chmod("a.tmz", 0)
        self.assertEqual(self.fails("top", "a.tmz"),
                         "top: a.tmz: Permission denied")

    def test_foreign(self):
        self.assertIn("'app.py' is no snapshot file",
                      self.fails("top", "app.py"))

    def test_empty(self):
        self.write("empty.tmz", "")
        self.assertIn("'empty.tmz'", self.fails("stats", "empty.tmz"))

    def test_truncated(self):
        for name in "full.tmz", "p.pickle":
            if name == "p.pickle":
                snapshot_of((1000, 3, 5, 2, 6)).dump(name)
            with open(name, "rb") as stream:
                data = stream.read()
            for length in range(1, len(data), max(len(data) // 20, 1)):
                with self.subTest(name, length=length):
                    with open("cut", "wb") as stream:
                        stream.write(data[:length])
                    self.assertIn("'cut'", self.fails("top", "cut"))

    def test_hostile_pickle(self):
        class Evil:
            def __reduce__(self):
                return os.mkdir, ("made",)
        with open("evil.pickle", "wb") as stream:
            pickle.dump(Evil(), stream)
        for command in ("top", "tree", "stats", "traceback"):
            self.assertIn("'evil.pickle'", self.fails(command, "evil.pickle"))
        self.assertFalse(os.path.exists("made"))

    def test_too_large(self):
        self.assertIn("'a.tmz'",
                      self.fails("top", "--max-size", "100", "a.tmz"))

    def test_null_in_name(self):
        self.assertIn("embedded null", self.fails("top", "a\0b"))

    def test_names_that_control_terminals(self):
        snapshot_of((8, 1, ("a\033[2J\nb.py", 1), ("c\udc80\u202e.py", 2)),
                    ).dump("names.tmz")
        for command in (["top"], ["tree"], ["traceback"],
                        ["top", "-g", "filename"], ["top", "-g", "module"],
                        ["tree", "-g", "function"],
                        ["diff", "a.tmz"]):
            with self.subTest(command):
                text = self.output(*command, "names.tmz")
                self.assertTrue(text.replace("\n", "").isprintable())
                self.assertIn(r"a\x1b[2J\nb", text)

    def test_file_names_that_control_terminals(self):
        name = "a\033[2J\nb.tmz"
        os.rename("full.tmz", name)
        for command in (["top"], ["tree"], ["traceback"], ["stats"],
                        ["check", "--max-held", "1GiB"],
                        ["check", "--max-held", "1"], ["diff", "a.tmz"],
                        ["show", "-n1"]):
            with self.subTest(command):
                status, text, errors = self.call(*command, name)
                self.assertIn(status, (0, 1))
                self.assertTrue(text.replace("\n", "").isprintable(), text)
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        with (mock.patch.object(files, "_MUCH", 0),
              contextlib.redirect_stderr(Terminal()) as errors,
              contextlib.redirect_stdout(io.StringIO())):
            _cli._main(["top", name])
        self.assertIn(r"reading a\x1b[2J\nb.tmz ...", errors.getvalue())

    def test_exports_to_a_terminal_do_not_control_it(self):
        snapshot_of((8, 1, ("a\033[2J\r\x9bb.py", 1))).dump("names.tmz")

        class Terminal(io.StringIO):
            def isatty(self):
                return True

        for kind in "csv", "collapsed", "json", "speedscope":
            with contextlib.redirect_stdout(Terminal()) as stream:
                _cli._main(["export", "--format", kind, "names.tmz"])
            text = stream.getvalue()
            self.assertTrue(text.replace("\n", "").isprintable(), text)
        # Elsewhere, names are as they are.
        self.assertIn("a\033[2J\r\x9bb.py", self.output(
            "export", "--format", "csv", "names.tmz"))

    @unittest.skipUnless(hasattr(os, "mkfifo"), "needs named pipes")
    def test_source_is_read_from_regular_files_only(self):
        # Opening such a pipe waits for ever.
        os.mkfifo("pipe.py")
        snapshot_of((8, 1, ("pipe.py", 1)), (8, 1, ("/dev/zero", 1)),
                    (8, 1, (self.folder, 1))).dump("names.tmz")
        text = self.output("top", "names.tmz")
        self.assertEqual(len(text.splitlines()), 6)

    def test_metadata_of_strange_types(self):
        full_snapshot((5, "read", (1, 8), (1, 8), (1, 8)), metadata={
            "time": 1e300, "command": 3, "rss": "x", "python": [],
            "path": ["x"], "pid": {"a": "\033"}}).dump("odd.tmz")
        text = self.output("stats", "odd.tmz")
        self.assertIn("  taken                   1e+300\n", text)
        self.assertTrue(text.replace("\n", "").isprintable())


class ScreenTests(CommandTests):
    def test_width(self):
        os.environ["COLUMNS"] = "60"
        name = "/" + "folder/" * 12 + "file.py"
        snapshot_of((8, 1, (name, 7)), (4, 1, 6)).dump("wide.tmz")
        text = self.output("top", "wide.tmz")
        self.assertIn(" 8 B   66.7%       1      8 B  "
                      ".../folder/folder/file.py:7\n", text)
        self.assertTrue(all(len(line) <= 60 for line in text.splitlines()))

    def test_wide_when_piped(self):
        name = "/" + "folder/" * 40 + "file.py"
        snapshot_of((8, 1, (name, 7))).dump("wide.tmz")
        self.assertIn(f"  {name}:7\n", self.output("top", "wide.tmz"))

    def test_cut(self):
        self.assertEqual(screen.cut("abcdef", 5), "ab...")
        self.assertEqual(screen.cut("abcde", 5), "abcde")
        self.assertEqual(screen.cut("\u4e2d\u6587\u4e2d", 5), "\u4e2d...")
        self.assertEqual(screen.cut("a" * 10000000, 5), "aa...")
        self.assertEqual(screen.cut_location("/a/bc/d.py:1", 11),
                         ".../d.py:1")
        for text, width, expected in (
                ("/a/bcdefghijklm", 9, "...hijklm"),
                ("/a/bcdefghijklm:12", 9, "...klm:12"),
                ("/a/b.py:1 function()", 14, ".../b.py:1 ..."),
                ("/a/b.py:1 function()", 17, ".../b.py:1 fun..."),
                ("/a/b.py:1 function()", 9, "...b.py:1"),
                ("x y z.py:3", 9, "...z.py:3"),
                ("<frozen codecs>:325 Decoder.decode()", 30,
                 "<frozen codecs>:325 Decoder..."),
                ("<frozen codecs>:325 decode()", 21, "<frozen codecs>:325"),
                ("<frozen codecs>:325 decode()", 19, "<frozen codecs>:325"),
                ("<frozen codecs>:325 decode()", 12, "...decs>:325"),
                ("/a/b.py:1 function()", 10, ".../b.py:1"),
                ("/a/bc/d.py:f", 10, ".../d.py:f"),
                ("/a/bc/__init__.py:12 Client.fetch()", 33,
                 ".../bc/__init__.py:12 Client.f..."),
                ("/a/bc/__init__.py:12 Client.fetch()", 29,
                 ".../bc/__init__.py:12 Clie..."),
                ("/a/bc/__init__.py:12 Client.fetch()", 24,
                 ".../__init__.py:12 Cl..."),
                ("bc/__init__.py:12 Client.fetch()", 31,
                 "bc/__init__.py:12 Client.fet..."),
                ("/__init__.py:12 Client.fetch()", 29,
                 ".../__init__.py:12 Client...."),
                ("... 11 frames of socketserver, flask/app", 25,
                 "... 11 frames of socke..."),
                ("/a/\u4e2d" * 9 + "/d.py:1", 15,
                 ".../a/\u4e2d/d.py:1"),
                ("/a/\u4e2d" * 9 + "/d.py:1", 14, ".../\u4e2d/d.py:1"),
                ("/a" * 1000000 + "/d.py:1", 15, ".../a/a/d.py:1"),
                ("a" * 1000000, 9, "...aaaaaa"),
                ("a" * 1000000 + ":1 function()", 9, "...aaaa:1")):
            with self.subTest(text, width=width):
                found = screen.cut_location(text, width)
                self.assertEqual(found, expected)
                self.assertLessEqual(len(found), width)

    def test_wrapped(self):
        for text, width, expected in (
                ("", 8, [""]), ("a b", 3, ["a b"]), ("a b", None, ["a b"]),
                ("ab cd efg hi", 6, ["ab cd", "efg hi"]),
                ("ab cd  efg", 5, ["ab cd", "efg"]),
                ("ab cdefghijk l", 5, ["ab", "cdefg", "hijk", "l"]),
                ("\u4e2d\u6587 \u4e2d", 5, ["\u4e2d\u6587", "\u4e2d"]),
                ("\u4e2d\u6587\u4e2d", 5, ["\u4e2d\u6587", "\u4e2d"])):
            with self.subTest(text, width=width):
                self.assertEqual(screen.wrapped(text, width), expected)
        lines = screen.wrapped("a" * 10000000, 40)
        self.assertEqual(lines, ["a" * 40] * 7 + ["a" * 37 + "..."])

    def test_titles_are_shown_whole(self):
        os.environ["COLUMNS"] = "40"
        snapshot_of((8, 1, 5)).dump("one-of-a-long-name.tmz")
        snapshot_of((9, 2, 5)).dump("another-of-a-long-name.tmz")
        text = self.output("diff", "one-of-a-long-name.tmz",
                           "another-of-a-long-name.tmz", "-c")
        self.assertEqual(text.partition("change ")[0], textwrap.dedent("""\
            one-of-a-long-name.tmz ->
            another-of-a-long-name.tmz: 1 line
            changed, by size, callers included
            """))

    def test_colors(self):
        plain = self.output("top", "a.tmz")
        for arguments, variables, colored in (
                ([], {}, False), (["--color", "always"], {}, True),
                ([], {"FORCE_COLOR": "1"}, True),
                ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
                (["--color=never"], {"FORCE_COLOR": "1"}, False),
                (["--color=always"], {"NO_COLOR": "1"}, True)):
            with (self.subTest(arguments, **variables),
                  mock.patch.dict(os.environ, variables)):
                text = self.output("top", *arguments, "a.tmz")
                self.assertEqual("\033[33m3000 B\033[0m" in text, colored)
                self.assertEqual(re.sub("\033\\[\\d*m", "", text), plain)

    @unittest.skipUnless(hasattr(os, "openpty"), "needs pseudo-terminals")
    def test_terminal(self):
        import fcntl
        import struct
        import termios
        name = "/" + "folder/" * 12 + "file.py"
        snapshot_of((8, 1, (name, 7))).dump("wide.tmz")
        for variables, colored in (
                ({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False),
                ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
            with self.subTest(**variables):
                ours, theirs = os.openpty()
                with open(ours, "rb", buffering=0) as stream:
                    fcntl.ioctl(theirs, termios.TIOCSWINSZ,
                                struct.pack("4H", 24, 70, 0, 0))
                    process = subprocess.Popen(
                        [sys.executable, "-m", "tracemalloc", "top",
                         "wide.tmz"], stdin=theirs, stdout=theirs,
                        stderr=theirs, env={**os.environ, **variables})
                    os.close(theirs)
                    text = b""
                    with contextlib.suppress(OSError):
                        # EIO when the last of them has closed it.
                        while part := stream.read(4096):
                            text += part
                self.assertEqual(process.wait(), 0)
                text = text.decode()
                self.assertEqual("\033[" in text, colored)
                text = re.sub("\033\\[\\d*m", "", text)
                self.assertIn(" .../folder/folder/folder/file.py:7\r\n", text)
                self.assertTrue(all(len(line) <= 70
                                    for line in text.splitlines()))

    def test_progress(self):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        with mock.patch.object(sys, "stderr", Terminal()) as stream:
            with files.Progress("reading x"):
                self.assertEqual(stream.getvalue(),
                                 "\r\033[Kreading x ...")
            self.assertEqual(stream.getvalue(),
                             "\r\033[Kreading x ...\r\033[K")
        for size, shown in (os.stat("a.tmz").st_size, True), (1 << 30, False):
            with (mock.patch.object(files, "_MUCH", size),
                  contextlib.redirect_stdout(io.StringIO()),
                  mock.patch.object(sys, "stderr", Terminal()) as stream):
                _cli._main(["top", "a.tmz"])
            self.assertEqual("reading a.tmz ..." in stream.getvalue(), shown)
        with (mock.patch.object(files, "_MUCH", 0),
              mock.patch.object(sys, "stderr", io.StringIO()) as stream):
            self.output("top", "a.tmz")
            self.assertEqual(stream.getvalue(), "")

    def test_progress_says_how_far_it_is_after_two_seconds(self):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        # Each look at the clock finds it 0.3 seconds later.
        seconds = map(0.3.__mul__, itertools.count())
        for stream in Terminal(), io.StringIO():
            with mock.patch.object(sys, "stderr", stream):
                with files.Progress("writing x",
                                    lambda: next(seconds)) as line:
                    for done in range(10):
                        line.step(done, 10)
            texts = stream.getvalue().split("\r\033[K")
            self.assertEqual(texts, [
                "", "writing x ...", *(f"writing x ... {percent}%"
                                       for percent in (60, 70, 80, 90)), ""]
                if stream.isatty() else [""])

    def test_exports_tell_how_far_they_are(self):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        for output in [], ["-o", "out.json"]:
            with (mock.patch.object(files, "_PATIENCE", -1),
                  contextlib.redirect_stdout(io.StringIO()),
                  mock.patch.object(sys, "stderr", Terminal()) as stream):
                self.assertEqual(
                    _cli._main(["export", "--json", "a.tmz", *output]), 0)
            self.assertIn("0%", stream.getvalue())
            self.assertTrue(stream.getvalue().endswith("\r\033[K"))

    @unittest.skipUnless(hasattr(os, "mkfifo"), "needs named pipes")
    def test_interrupted(self):
        os.mkfifo("pipe.tmz")
        with subprocess.Popen(
                [sys.executable, "-m", "tracemalloc", "top", "pipe.tmz"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            # Opened when the process opens it, to read what never comes.
            with open("pipe.tmz", "wb"):
                process.send_signal(signal.SIGINT)
            # Where the signal came just before it reads, that has to end.
            self.assertEqual(process.communicate(), (b"", b""))
        self.assertEqual(process.returncode, -signal.SIGINT)

    def test_no_snapshot_is_replaced_by_something_else(self):
        snapshot = full_snapshot((5, "read", (1, 8), (1, 8), (1, 8)),
                                 metadata={"command": ["x" * 5000]})
        for name in "kept.tmz", "kept.pickle":
            snapshot.dump(name)
            with open(name, "rb") as stream:
                before = stream.read()
            os.symlink(name, f"link to {name}")
            for command in (["report"], ["export", "--json"],
                            ["export", "--format", "pprof"]):
                for output in name, f"link to {name}":
                    self.assertIn("would take its place: name another file",
                                  self.fails(*command, "a.tmz", "-o", output))
            with open(name, "rb") as stream:
                self.assertEqual(stream.read(), before)
        # What is none is.
        for text in "", "tracemalloc", "<!DOCTYPE html>":
            self.write("page.html", text)
            self.output("report", "a.tmz", "-o", "page.html")

    def test_names_that_the_encoding_has_not(self):
        done = self.start("report", "a.tmz", "-o", "\u20ac.html",
                          env=os.environ | {"PYTHONIOENCODING": "ascii"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("\\u20ac.html: "))

    def test_output_cannot_be_written(self):
        process = subprocess.run(
            [sys.executable, "-c", "import os, sys; os.close(1); "
             "os.execv(sys.executable, [sys.executable, '-m', 'tracemalloc', "
             "'top', 'a.tmz'])"], stderr=subprocess.PIPE, text=True)
        self.assertEqual((process.returncode, process.stderr), (
            2, "python -m tracemalloc: standard output is closed\n"))
        if not os.path.exists("/dev/full"):
            return
        with open("/dev/full", "wb") as stream:
            process = subprocess.run(
                [sys.executable, "-m", "tracemalloc", "top", "a.tmz"],
                stdout=stream, stderr=subprocess.PIPE, text=True)
        self.assertEqual((process.returncode, process.stderr), (
            1, "python -m tracemalloc top: the output cannot be written: "
               "No space left on device\n"))

    def test_notes_do_not_get_into_the_output(self):
        for arguments, status, output in (
                (["top", "--json", "--include", "no", "a.tmz"], 0, "{"),
                (["top", "no.tmz"], 2, ""),
                (["run", "-q", "-o", "gone/x.tmz", "-c",
                  "import os; os.rmdir('gone')"], 0, "")):
            os.makedirs("gone", exist_ok=True)
            process = subprocess.run(
                [sys.executable, "-c", "import os, sys; os.close(2); "
                 "os.execv(sys.executable, [sys.executable, '-m', "
                 "'tracemalloc', *sys.argv[1:]])", *arguments],
                stdout=subprocess.PIPE, text=True)
            with self.subTest(arguments=arguments):
                self.assertEqual((process.returncode, process.stdout[:1]),
                                 (status, output))

    def test_numbers_of_too_many_digits(self):
        many = "9" * 5000
        self.assertIn("matches nothing", self.call(
            "top", "--include", f"app.py:{many}", "a.tmz")[2])
        self.assertIn("File name too long", self.fails("ps", many))
        self.assertIn("is no address", self.fails(
            "serve", "--listen", f"127.0.0.1:{many}", "a.tmz"))
        with mock.patch.dict(os.environ, COLUMNS=many):
            self.assertIn("app.py:5", self.output("top", "a.tmz"))

    def test_broken_pipe(self):
        snapshot_of(*((8, 1, (f"file{number}.py", 1))
                      for number in range(4000))).dump("many.tmz")
        reading, writing = os.pipe()
        os.close(reading)
        try:
            process = subprocess.run(
                [sys.executable, "-m", "tracemalloc", "top", "-n", "5000",
                 "many.tmz"], stdout=writing, stderr=subprocess.PIPE)
        finally:
            os.close(writing)
        self.assertEqual((process.returncode, process.stderr), (1, b""))

    def test_narrow_encoding(self):
        snapshot_of((8, 1, ("\u4e2d.py", 1))).dump("names.tmz")
        process = self.start("top", "names.tmz",
                             env={**os.environ, "PYTHONIOENCODING": "ascii"})
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        self.assertIn("  \\u4e2d.py:1\n", process.stdout)


if __name__ == "__main__":
    unittest.main()
