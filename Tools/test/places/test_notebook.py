"""tracemalloc.notebook in a real kernel: notebooks that are executed.

Run by Tools/test/places, with an interpreter that has nbconvert and ipykernel.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
from html.parser import HTMLParser

from tracemalloc._cli import units

DOC = pathlib.Path(__file__).resolve().parents[3] / "Doc"

LOAD = "%load_ext tracemalloc.notebook"


class Tags(HTMLParser):
    """Collects what is in a piece of HTML, and whether it is well formed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows = [], []
        self.names, self.attributes = set(), set()
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.names.add(tag)
        self.attributes |= {name for name, _ in attributes}
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if {"td", "th"} & {*self.open}:
            self.rows[-1][-1] += text


def source_of(text):
    return {"cell_type": "code", "metadata": {}, "outputs": [],
            "execution_count": None, "source": text}


class NotebookTests(unittest.TestCase):

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(
            tempfile.TemporaryDirectory()))

    def convert(self, path, *arguments):
        # What kernels and notebooks write goes here, too.
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("PYTHON", "JUPYTER"))}
        environment |= {"HOME": str(self.folder), "PYTHONDONTWRITEBYTECODE":
                        "1", "IPYTHONDIR": str(self.folder / "ipython"),
                        "JUPYTER_PLATFORM_DIRS": "1"}
        return subprocess.run(
            [sys.executable, "-s", "-W", "ignore", "-m", "nbconvert", "--to",
             "notebook", "--execute", "--output-dir", self.folder, "--output",
             "done", *arguments, path], cwd=self.folder, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=300)

    def execute(self, *cells, path=None, arguments=(), status=0):
        """Run a notebook of these cells; return the outputs of each."""
        if path is None:
            path = self.folder / "cells.ipynb"
            path.write_text(json.dumps({
                "cells": [source_of(cell) for cell in cells],
                "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
        process = self.convert(path, *arguments)
        self.assertEqual(process.returncode, status, process.stdout)
        if status:
            return process.stdout
        done = json.loads((self.folder / "done.ipynb").read_text())
        return [cell["outputs"] for cell in done["cells"]
                if cell["cell_type"] == "code"]

    def data(self, output, kind="text/plain"):
        return "".join(output["data"][kind])

    def assert_small(self, text):
        """That a size is no more than what the kernel's threads may need."""
        self.assertLess(units.size(text.removeprefix("-")), 500_000)

    def sums(self, output):
        """Return the texts of the title's sizes.

        The kernel's threads are in them, so they are compared in units that
        these do not reach.
        """
        title = self.data(output).partition("\n")[0]
        return re.fullmatch(r"held (.+), peak (.+), allocated (.+) in "
                            r"([\d,]+) blocks?", title).groups()

    def test_cells_show_what_they_hold_peak_and_allocate(self):
        _, made, freed, used = self.execute(
            LOAD,
            "%%memory\nkept = b'x' * int(5e7)\ntemporary = b'x' * int(1e8)\n"
            "del temporary\n",
            "%%memory\ndel kept",
            "%memory sorted(range(100000))[0]")
        held, peak, allocated, _ = self.sums(made[0])
        self.assertEqual((held, peak, allocated),
                         ("47.7 MiB", "143 MiB", "143 MiB"))
        tags = Tags(self.data(made[0], "text/html"))
        self.assertEqual(tags.rows[0],
                         ["held", "at peak", "allocated", "line"])
        self.assertEqual(sorted(tags.rows[1:3]), [
            ["0 B", "95.4 MiB", "95.4 MiB",
             "Cell In[2]:2 <module>temporary = b'x' * int(1e8)"],
            ["47.7 MiB", "47.7 MiB", "47.7 MiB",
             "Cell In[2]:1 <module>kept = b'x' * int(5e7)"]])
        self.assertEqual(self.sums(freed[0])[0], "-47.7 MiB")
        held, peak, _, _ = self.sums(used[0])
        self.assertRegex(peak, r"3[89]\d\d KiB")
        self.assert_small(held)
        # The value of a line is its own.
        self.assertEqual(self.data(used[1]), "0")

    def test_values_are_shown_and_can_be_used(self):
        outputs = self.execute(
            LOAD, "%%memory\nimport math\nmath.floor(2.5) + 1",
            "found = %memory [1] * 3", "found",
            "%%memory\n!echo shell\n", "%%memory\n5;")
        self.assertEqual(self.data(outputs[1][1]), "3")
        self.assertEqual(self.data(outputs[3][0]), "[1, 1, 1]")
        self.assertTrue(any("shell" in "".join(each.get("text", ""))
                            for each in outputs[4]))
        self.assertEqual(len(outputs[5]), 1)

    def test_what_ipython_keeps_is_not_the_cells(self):
        # A long cell is in its history and compiled, which takes megabytes.
        comment = "# " + "x" * 1_000_000
        _, first, second = self.execute(
            LOAD, "%%memory\npass", f"%%memory\n{comment}\npass")
        for outputs in first, second:
            held, _, allocated, _ = self.sums(outputs[0])
            self.assert_small(held)
            self.assert_small(allocated)

    def test_out_holds_the_value(self):
        _, shown, hidden, _ = self.execute(
            LOAD, "%%memory\nb'x' * int(5e7)",
            "%%memory\nb'x' * int(5e7)\nNone", "1")
        self.assertEqual(self.sums(shown[0])[0], "47.7 MiB")
        self.assert_small(self.sums(hidden[0])[0])

    def test_errors_end_the_notebook_and_are_the_cells(self):
        for cell, name in (("%%memory\n1 / 0", "ZeroDivisionError"),
                           ("%%memory\n1 +", "SyntaxError"),
                           ("%memory nothing_is_called_so", "NameError"),
                           ("%memory", "UsageError"),
                           ("%memory -n x 1", "UsageError"),
                           ("%%memory 1 + 1\n2", "UsageError")):
            with self.subTest(cell=cell):
                said = self.execute(LOAD, cell, status=1)
                self.assertIn(name, said)
        outputs = self.execute(LOAD, "%%memory\n1 / 0", "1",
                               arguments=["--allow-errors"])
        (error,) = outputs[1]
        self.assertEqual(error["ename"], "ZeroDivisionError")
        self.assertNotIn("_measure.py", "".join(error["traceback"]))
        self.assertEqual(self.data(outputs[2][0]), "1")

    def test_tracing_lasts_from_loading_to_unloading(self):
        ask = "import tracemalloc; tracemalloc.is_tracing()"
        outputs = self.execute(ask, LOAD, ask, "%reload_ext "
                               "tracemalloc.notebook", ask,
                               "%unload_ext tracemalloc.notebook", ask,
                               LOAD, "%memory 1")
        self.assertEqual([self.data(outputs[number][0])
                          for number in (0, 2, 4, 6)],
                         ["False", "True", "True", "False"])
        self.assertTrue(self.sums(outputs[8][0]))
        stopped = self.execute(
            LOAD, "%memory __import__('tracemalloc').stop()")[1]
        self.assertEqual(self.data(stopped[0]), "memory: no figures, tracing "
                         "was stopped meanwhile")

    def test_snapshots_are_tables(self):
        outputs = self.execute(
            LOAD, "import tracemalloc\nkept = b'x' * int(5e7)\n"
                  "tracemalloc.take_snapshot()")[1]
        tags = Tags(self.data(outputs[0], "text/html"))
        self.assertEqual(tags.rows[0], ["size", "share", "blocks", "line"])
        self.assertEqual(tags.rows[1][0], "47.7 MiB")
        self.assertIn("kept = b'x' * int(5e7)", tags.rows[1][3])
        self.assertLessEqual(tags.names,
                             {"p", "table", "thead", "tbody", "tr", "th",
                              "td", "br", "code"})
        self.assertEqual(tags.attributes, {"style"})

    def test_the_example_runs(self):
        cells = self.execute(path=DOC / "examples" / "notebook.ipynb")
        self.assertTrue(any(
            "held" in self.data(output)
            for outputs in cells for output in outputs if "data" in output))


if __name__ == "__main__":
    unittest.main()
