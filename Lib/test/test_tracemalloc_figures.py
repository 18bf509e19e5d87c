"""README.rst and the manuals show what is printed: Tools/doc/figures.py."""

import contextlib
import io
import os
import re
import sys
import textwrap
import unittest
from test.support import Py_GIL_DISABLED, import_helper

SOURCE = os.environ.get("TRACEMALLOC_SOURCE")


class Echo:
    """Stands for the folder in which things run: what runs is the output."""

    def __init__(self):
        self.saved = {}

    def save(self, name, text):
        self.saved[name] = text

    def shell(self, command):
        return f"ran {command}".split("\n")

    def program(self, text):
        return ["program", *text.split("\n")]

    def demo(self):
        return ["demo"]


@unittest.skipUnless(SOURCE, "TRACEMALLOC_SOURCE names no folder")
class FigureTests(unittest.TestCase):

    maxDiff = None

    def setUp(self):
        with import_helper.DirsOnSysPath(os.path.join(SOURCE, "Tools",
                                                      "doc")):
            self.figures = import_helper.import_fresh_module("figures")

    def page(self, name):
        with open(os.path.join(SOURCE, name), encoding="utf-8") as stream:
            return stream.read()

    @unittest.skipIf(Py_GIL_DISABLED, "objects have other sizes without a GIL")
    def test_pages_show_what_is_printed(self):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            status = self.figures.main(["--fork", sys.executable, "--root",
                                        SOURCE, "--check"])
        self.assertEqual(status, 0, output.getvalue() + "make figures")

    def test_pages_agree(self):
        def figures(text):
            """Return {(command, place): figures} of a page's sessions."""
            found = {}
            for part in re.split(r"(?m)^ +\$ ", text)[1:]:
                command = re.match(r"python3.13 -m tracemalloc (\w+)", part)
                if command and command[1] in ("run", "tree", "diff", "check"):
                    for line in part.splitlines()[1:]:
                        row = re.fullmatch(
                            r" +([-+]?\d.*?)  +([^\d\s+-].*)", line)
                        if row and not row[2].endswith(" more"):
                            place = re.sub(r"[|`]-", "", row[2]).strip()
                            found[command[1], place] = row[1]
            return found

        readme = figures(self.page("README.rst"))
        manual = figures(self.page("Doc/library/tracemalloc-cli.rst"))
        both = readme.keys() & manual.keys()
        self.assertGreaterEqual(len(both), 12, both)
        for each in both:
            self.assertEqual(readme[each].split(), manual[each].split(), each)

    SOURCE_TEXT = textwrap.dedent("""\
        Save this as ``it.py``:

        .. code-block:: python

            import this

        And run it::

            $ python3.13 it.py \\
            > -v
            old words

            $ echo $?
            0

        A program::

           first = 1
           second = 2

        This prints::

           old words

        What ``./bootstrap demo`` prints::

            an old demo

        Other text::

            stays as it is
        """)

    def test_what_is_replaced(self):
        runner = Echo()
        page = self.figures.Page(self.SOURCE_TEXT, runner)
        self.assertEqual(
            page.text(),
            self.SOURCE_TEXT.replace(
                "old words\n\n    $ echo $?\n    0\n",
                "ran python3.13 it.py \\\n    -v\n    $ echo $?\n    "
                "ran echo $?\n").replace(
                "   old words\n\nWhat",
                "   program\n   first = 1\n   second = 2\n\nWhat"))
        self.assertEqual(runner.saved, {"it.py": "import this\n"})
        page = self.figures.Page(self.SOURCE_TEXT, Echo(), demo=True)
        self.assertIn("prints::\n\n    demo\n\nOther", page.text())

    def test_numbers_and_their_places_do_not_count(self):
        same = self.figures.without_figures
        self.assertEqual(
            same("   462 KiB   39.1%  4,726  100 B  a.py:26 f()\n x"),
            same("1.4 MiB  9.0%  12  1000 B  a.py:3 f()\nx"))
        for other in ("462 KiB  39.1%  4,726  100 B  b.py:26 f()",
                      "462 KiB  4,726  100 B  a.py:26 f()"):
            self.assertNotEqual(
                same("462 KiB  39.1%  4,726  100 B  a.py:26 f()"),
                same(other))

    def test_pictures_of_a_terminal_have_its_colours_and_columns(self):
        terminal = self.figures.terminal
        picture = terminal.draw("cmd <x>", [" \033[33m7 B\033[0m  a  b&c"])
        texts = re.findall(r'<text x="([\d.]+)" y="(\d+)" '
                           r'textLength="[\d.]+"( [^>]*)?>(.*)</text>',
                           picture)
        columns = [(round((float(x) - terminal.EDGE) / terminal.CELL), look,
                    text) for x, _, look, text in texts]
        dim, yellow = (terminal.LOOKS[code] for code in ("2", "33"))
        self.assertEqual(columns, [
            (0, dim, "$"), (2, "", "cmd &lt;x&gt;"),
            (1, yellow, "7 B"), (6, "", "a"), (9, "", "b&amp;c")])
        self.assertEqual(len({y for _, y, _, _ in texts}), 2)

    def test_a_page_that_shows_something_else_is_told(self):
        options = self.figures.argparse.Namespace(check=True, demo=False)
        path = os.path.join(SOURCE, "Doc", "library", "tracemalloc-cli.rst")
        with contextlib.redirect_stdout(io.StringIO()) as output:
            right = self.figures.update(path, "page", Echo(), options)
        self.assertFalse(right)
        self.assertIn("+ran python3.# -m tracemalloc diff", output.getvalue())


if __name__ == "__main__":
    unittest.main()
