"""The live view: model, drawing and keys, without a terminal."""

import contextlib
import io
import os
import re
import subprocess
import sys
import textwrap
import tracemalloc
import unittest
from shlex import join
from shutil import which
from test import support
from test.support import import_helper, os_helper
from test.tracemalloc_records import Records
from unittest import mock

from tracemalloc._cli import _main
from tracemalloc._live import curve, loop
from tracemalloc._live.display import Cells
from tracemalloc._live.model import KEYS, SORTS, Model, _ACTIONS
from tracemalloc._live.moment import Moment
from tracemalloc._live.source import Records as Source
from tracemalloc._live.view import View, duration_text, program_text
from tracemalloc._record import layout, reader
from tracemalloc._record.family import merge

SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND


class Picture:
    """What reader.read() returns, of this process."""

    def __init__(self, second, snapshot, current, peak, history=(), pid=4711,
                 **more):
        self.path = f"{pid}.tmrec"
        self.pid, self.parent, self.family = pid, 1, "f"
        self.program = ["/usr/bin/python3", "-u", "/srv/shop/server.py", "80"]
        self.state = "running"
        self.started, self.written = BEGIN, BEGIN + second * SECOND
        self.current, self.peak, self.blocks = current, peak, 10
        self.rss = 50 << 20
        self.dropped = self.lost = 0
        self.sample_interval = None
        self.timeline = list(history)
        self._snapshot = snapshot
        vars(self).update(more)

    def snapshot(self):
        return self._snapshot


def allocate_much(number):
    return [bytes(1000 + each) for each in range(number)]


def allocate_little(number):
    return [bytes(100 + each) for each in range(number)]


def temporary():
    for _ in range(50):
        bytes(3000)


LINE_OF_MUCH = allocate_much.__code__.co_firstlineno + 1
LINE_OF_LITTLE = allocate_little.__code__.co_firstlineno + 1
THIS = __file__


class Program:
    """Moments of a program that allocates in known lines."""

    def __init__(self):
        self.kept = []
        self.history = []
        self.second = 0

    def picture(self, **more):
        snapshot = tracemalloc.take_snapshot()
        current, peak = tracemalloc.get_traced_memory()
        self.history.append((BEGIN + self.second * SECOND, current, peak,
                             50 << 20))
        found = Picture(self.second, snapshot, current, peak, self.history,
                        **more)
        self.second += 1
        return found


def setUpModule():
    if tracemalloc.is_tracing():
        raise unittest.SkipTest("tracing must be off at first")


class LiveCase(unittest.TestCase):

    def setUp(self):
        tracemalloc.start(25)
        self.addCleanup(tracemalloc.stop)
        self.program = Program()

    def model(self, **options):
        """Return a model of a program that grew by known amounts."""
        program, model = self.program, Model(**options)
        program.kept += [allocate_much(10), allocate_little(10)]
        model.take([program.picture()])
        program.kept += [allocate_much(20)]
        temporary()
        model.take([program.picture()])
        return model

    @staticmethod
    def row(model, line):
        for row in model.rows():
            name = row.name[-1] if model.is_tree else row.name
            if name[:2] == (THIS, line):
                return row
        raise AssertionError(f"there is no row of line {line}")

    def draw(self, model, lines=24, columns=80):
        display = Cells(lines, columns)
        View(model, display).draw()
        return display


class NameTests(LiveCase):

    def labels(self, **options):
        """Return the labels of what a program holds for a library's code."""
        file = os.path.join(os.path.dirname(os.__file__), "json",
                            "made_up.py")
        scope = {}
        exec(compile("def call():\n    return bytes(100_000)", file, "exec"),
             scope)
        model, program = Model(**options), self.program
        program.kept.append(scope["call"]())
        model.take([program.picture()])
        lists = model.rows()[0].label
        model.press("g")
        functions = model.rows()[0].label
        # From the lines that allocate, not from what runs the tests.
        model.press("i")
        trees = {row.label for row in model.rows()}
        # What is forgotten since the mark has a name, too.
        del program.kept[:]
        model.take([program.picture()])
        return file, lists, functions, trees

    def test_files_of_the_library_have_short_names(self):
        _, line, function, trees = self.labels()
        self.assertIn("json/made_up.py:call", trees)
        self.assertEqual(line, "json/made_up.py:2")
        self.assertEqual(function, "json/made_up.py:call")

    def test_full_paths(self):
        file, line, function, trees = self.labels(full_paths=True)
        self.assertEqual(line, f"{file}:2")
        self.assertEqual(function, f"{file}:call")
        self.assertIn(f"{file}:call", trees)

    def test_what_is_typed_is_looked_for_in_what_is_shown(self):
        model = self.model()
        for key in "/", *os.path.basename(THIS), "ENTER":
            model.press(key)
        self.assertTrue(model.rows())
        for row in model.rows():
            self.assertIn(os.path.basename(THIS), row.label)


class FigureTests(LiveCase):

    def sizes(self, numbers, size):
        # What a block of bytes takes besides its bytes.
        return sum(size + each + bytes().__sizeof__() for each in numbers)

    def test_figures_of_a_line(self):
        row = self.row(self.model(), LINE_OF_MUCH)
        many = self.sizes(range(20), 1000)
        few = self.sizes(range(10), 1000)
        lists = row.figures["live"] - many - few
        self.assertGreater(lists, 0)
        self.assertLess(lists, 1000)
        self.assertGreaterEqual(row.figures["blocks"], 30)
        self.assertLess(row.figures["growth"] - many, 1000)
        self.assertGreaterEqual(row.figures["growth"], many)
        # A second has passed.
        self.assertGreaterEqual(row.figures["rate"], row.figures["growth"])
        self.assertGreaterEqual(row.figures["peak"], many)
        self.assertEqual(row.trend, 1)

    def test_what_is_freed_at_once_is_found_by_what_was_freed(self):
        model = self.model(sort="temporary_blocks")
        line = temporary.__code__.co_firstlineno + 2
        row = self.row(model, line)
        self.assertEqual(row.figures["live"], 0)
        self.assertGreaterEqual(row.figures["temporary_blocks"], 50)
        names = [each.name[:2] for each in model.rows()]
        self.assertLess(names.index((THIS, line)),
                        names.index((THIS, LINE_OF_LITTLE)))

    def test_growth_counts_from_the_mark(self):
        model = self.model()
        model.press("r")
        self.assertEqual(self.row(model, LINE_OF_MUCH).figures["growth"], 0)
        self.program.kept.pop()
        model.take([self.program.picture()])
        growth = self.row(model, LINE_OF_MUCH).figures["growth"]
        self.assertLess(growth, -20_000)
        self.assertEqual(self.row(model, LINE_OF_MUCH).trend, -1)

    def test_what_has_vanished_is_shown_with_what_it_shrank(self):
        program, model = self.program, Model(sort="growth")
        program.kept = [allocate_much(10)]
        model.take([program.picture()])
        program.kept.clear()
        model.take([program.picture()])
        row = self.row(model, LINE_OF_MUCH)
        self.assertEqual(row.figures["live"], 0)
        self.assertLess(row.figures["growth"], -10_000)
        self.assertIs(model.rows()[-1], row)

    def test_groups(self):
        model = self.model(full_paths=True)
        for group in ("function", "filename", "module", "thread",
                      "account"):
            model.press("g")
            self.assertEqual(model.group_by, group)
            labels = [row.label for row in model.rows()]
            wanted = {"function": f"{THIS}:allocate_much", "filename": THIS,
                      "module": "test", "thread": "MainThread",
                      "account": "<no account>"}[group]
            self.assertIn(wanted, labels)
        self.assertAlmostEqual(
            sum(row.figures["share"] or 0 for row in model.rows()), 1)

    def test_callers_count_too(self):
        model = self.model(group_by="function", full_paths=True)
        own = {row.label: row.figures["live"] for row in model.rows()}
        model.press("u")
        rows = {row.label: row.figures["live"] for row in model.rows()}
        caller = f"{THIS}:LiveCase.model"
        self.assertGreater(rows[caller], own.get(caller, 0) + 30_000)

    def test_every_figure_sorts(self):
        model = self.model()
        for _ in SORTS:
            model.press("s")
            figures = [row.figures[model.sort] or 0 for row in model.rows()]
            self.assertEqual(figures, sorted(figures, reverse=True))
        self.assertEqual(model.sort, "live")
        model.press("S")
        self.assertEqual(model.sort, SORTS[-1])

    def test_threads_one_after_the_other(self):
        model = self.model()
        everything = model.now.total()
        model.press("t")
        self.assertEqual(model.part, ("thread", "MainThread"))
        self.assertEqual(model.now.total(model.part), everything)
        model.press("t")
        self.assertIsNone(model.part)

    def test_accounts_one_after_the_other(self):
        model = self.model()
        model.press("a")
        self.assertIsNone(model.part)
        self.assertEqual(model.message, "there are no accounts")
        for name, number in ("GET /cart", 10), ("GET /stock", 30):
            with tracemalloc.account(name):
                self.program.kept += [allocate_much(number)]
        picture = self.program.picture()
        model.take([picture])
        everything = model.now.total()
        sizes = []
        for name, number in ("GET /cart", 10), ("GET /stock", 30):
            model.press("a")
            self.assertEqual(model.part, ("account", name))
            self.assertIn(f"a {name}", self.draw(model).text()[-1])
            size = self.row(model, LINE_OF_MUCH).figures["live"]
            self.assertTrue(number * 1000 < size < number * 1200, size)
            sizes.append(model.now.total(model.part))
            model.press("v")
            tree = model.now.tree("lineno", False, "live", model.part)
            self.assertEqual(tree.size, sizes[-1])
            model.press("v")
        model.press("a")
        self.assertIsNone(model.part)
        self.assertEqual(model.now.total(), everything)
        model = Model(group_by="account")
        model.take([picture])
        rows = {row.label: row.figures["live"] for row in model.rows()}
        self.assertEqual([rows["GET /cart"], rows["GET /stock"]], sizes)
        self.assertEqual({*rows}, {"GET /cart", "GET /stock",
                                   "<no account>"})
        model.press("t")
        model.press("a")
        self.assertEqual(model.part, ("account", "GET /cart"))
        model.press("c")
        self.assertIsNone(model.part)


class TreeTests(LiveCase):

    def open_all(self, model, most=400):
        """Open all nodes; return their rows."""
        for at in range(most):
            rows = model.rows()
            if at >= len(rows):
                break
            model.move(at)
            model.press("RIGHT")
        return model.rows()

    def test_what_is_below_adds_up(self):
        model = self.model()
        model.press("v")
        rows = {row.name: row for row in self.open_all(model)}
        sums = {}
        for name, row in rows.items():
            if len(name) > 1:
                sums[name[:-1]] = (sums.get(name[:-1], 0)
                                   + row.figures["live"])
        for name, total in sums.items():
            if rows[name].opens:
                self.assertLessEqual(total, rows[name].figures["live"])
        ends = {name[-1][:2] for name in rows}
        self.assertIn((THIS, LINE_OF_MUCH), ends)

    def test_nodes_open_and_close(self):
        model = self.model()
        model.press("v")
        closed = len(model.rows())
        self.assertIs(model.selected().opens, False)
        model.press("ENTER")
        self.assertGreater(len(model.rows()), closed)
        self.assertIs(model.selected().opens, True)
        model.press("j")
        self.assertEqual(model.selected().depth, 1)
        # To the parent, and then the parent closes.
        model.press("LEFT")
        self.assertEqual(model.selected().depth, 0)
        model.press("LEFT")
        self.assertEqual(len(model.rows()), closed)

    def test_what_is_open_stays_open(self):
        model = self.model()
        model.press("v")
        model.press("ENTER")
        names = [row.name for row in model.rows()]
        model.take([self.program.picture()])
        self.assertLessEqual({*names}, {row.name for row in model.rows()})

    def test_inverted_begins_with_what_allocates(self):
        model = self.model()
        model.press("i")
        self.assertTrue(model.is_tree)
        self.row(model, LINE_OF_MUCH)
        # Its callers are below.
        names = [row.name[0][:2] for row in model.rows()]
        model.move(names.index((THIS, LINE_OF_MUCH)))
        model.press("RIGHT")
        functions = {row.name[-1][2] for row in model.rows() if row.depth}
        self.assertEqual(functions, {"LiveCase.model"})

    def test_growth_of_branches(self):
        model = self.model()
        model.press("i")
        model.press("s")
        self.assertEqual(model.sort, "growth")
        first = model.rows()[0]
        self.assertEqual(first.name[-1][:2], (THIS, LINE_OF_MUCH))
        self.assertGreater(first.figures["growth"], 20_000)

    def test_a_text_keeps_branches_that_lead_to_it(self):
        model = self.model()
        model.press("v")
        for key in ("/", *"allocate_much", "ENTER"):
            model.press(key)
        self.assertTrue(model.rows())
        self.assertLess(len(model.rows()), 5)
        self.assertIn("allocate_much",
                      "".join(row.label for row in self.open_all(model)))


class KeyTests(LiveCase):

    def test_every_key_of_the_help_does_something(self):
        model = self.model()
        for keys, _ in KEYS:
            for key in keys.split():
                if key == "q":
                    self.assertFalse(model.press(key))
                    continue
                self.assertIn("ENTER" if key == "Enter" else key, _ACTIONS)

    def test_no_key_ends_it_but_q(self):
        model = self.model()
        for key in [*_ACTIONS, "ESC", "RESIZE", "BACKSPACE", "\x00", "ü", "Q"]:
            self.assertTrue(model.press(key), key)
            self.draw(model)
            model.press("ESC")

    def test_filter_as_one_types(self):
        model = self.model()
        everything = len(model.rows())
        model.press("/")
        for key in "test_tracemalloc_LIVE":
            model.press(key)
            self.draw(model)
        found = model.rows()
        self.assertTrue(0 < len(found) < everything)
        self.assertEqual({row.name[0] for row in found}, {THIS})
        model.press("BACKSPACE")
        self.assertEqual(model.filter, "test_tracemalloc_LIV")
        # While typing, q is a letter.
        model.press("q")
        self.assertEqual(model.rows(), [])
        model.press("ESC")
        self.assertEqual(len(model.rows()), everything)
        model.press("/")
        model.press("q")
        model.press("ENTER")
        model.press("c")
        self.assertEqual(len(model.rows()), everything)

    def test_the_cursor_follows_its_row(self):
        model = self.model(sort="growth")
        index = next(at for at, row in enumerate(model.rows())
                     if row.name[:2] == (THIS, LINE_OF_LITTLE))
        model.move(index)
        self.program.kept.append(allocate_little(900))
        model.take([self.program.picture()])
        self.assertEqual(model.selected().name[:2], (THIS, LINE_OF_LITTLE))
        self.assertNotEqual(model.cursor, index)

    def test_the_cursor_stays_inside(self):
        model = self.model()
        model.press("UP")
        self.assertEqual(model.cursor, 0)
        model.press("END")
        self.assertEqual(model.cursor, len(model.rows()) - 1)
        model.press("PGDN")
        self.assertEqual(model.cursor, len(model.rows()) - 1)
        model.press("HOME")
        self.assertEqual(model.cursor, 0)

    def test_pause_holds_what_is_seen(self):
        model = self.model()
        model.press("p")
        seen = model.rows()
        self.program.kept.append(allocate_much(50))
        model.take([self.program.picture()])
        self.assertEqual(model.rows(), seen)
        self.assertIn("PAUSED", self.draw(model).text()[0])
        model.press("p")
        model.take([self.program.picture()])
        self.assertNotEqual(model.rows(), seen)

    def test_pace(self):
        model = self.model()
        model.press("+")
        self.assertEqual(model.every, 0.5)
        for _ in range(20):
            model.press("-")
        self.assertEqual(model.every, 60.0)

    def test_processes_one_after_the_other(self):
        model, program = Model(), self.program
        first, second = program.picture(), program.picture(pid=4712)
        with mock.patch("tracemalloc._live.moment._merged",
                        lambda pictures: pictures[0].snapshot()):
            model.take([first, second])
            self.assertEqual(model.now.current,
                             first.current + second.current)
            self.assertIn("and 1 more", self.draw(model).text()[0])
            model.press("f")
            self.assertEqual(model.now.current, first.current)
            model.press("f")
            self.assertEqual(model.now.processes, [second])
            self.assertIn("pid 4712", self.draw(model).text()[0])
            model.press("f")
            self.assertEqual(len(model.now.processes), 2)


class DrawingTests(LiveCase):

    def test_nothing_is_wider_or_missing_at_any_size(self):
        model = self.model()
        for keys in "", "v", "sh":
            for key in keys:
                model.press(key)
            for lines in (1, 5, 12, 13, 24, 60):
                for columns in (1, 20, 60, 79, 80, 100, 140, 300):
                    display = self.draw(model, lines, columns)
                    text = display.text()
                    self.assertEqual(len(text), lines)
                    if lines >= 12 and columns >= 60 and "h" not in keys:
                        self.assertIn("traced", text[1])
                        self.assertIn("q end", text[-1])
                    elif lines < 12 or columns < 60:
                        self.assertTrue(text[0].startswith(
                            "needs 60x12"[:columns]))

    def test_columns_come_with_the_width(self):
        model = self.model()
        heads = {columns: next(line for line in
                               self.draw(model, 24, columns).text()
                               if "in use" in line and "growth" in line)
                 for columns in (60, 80, 100, 120, 140)}
        self.assertNotIn("alloc/s", heads[60])
        self.assertIn("alloc/s", heads[80])
        self.assertIn("blocks", heads[100])
        self.assertIn("at peak", heads[120])
        self.assertIn("freed blocks", heads[140])

    def test_what_one_sorts_by_is_always_there(self):
        model = self.model(sort="temporary_blocks")
        self.assertTrue(any("freed blocks*" in line
                            for line in self.draw(model, 24, 60).text()))

    def test_line_of_source_at_the_cursor(self):
        model = self.model()
        index = next(at for at, row in enumerate(model.rows())
                     if row.name[:2] == (THIS, LINE_OF_MUCH))
        model.move(index)
        text = self.draw(model).text()
        self.assertIn("allocate_much: return [bytes(1000 + each)", text[-2])

    def test_names_do_not_control_the_terminal(self):
        model = self.model()
        hostile = "\x1b[2J\r\n\u202e\x07"
        code = compile("def f():\n    return bytes(999_999)\n",
                       f"evil{hostile}.py", "exec")
        scope = {}
        exec(code, scope)
        self.program.kept.append(scope["f"]())
        model.take([self.program.picture(
            program=["python", f"x{hostile}.py"])])
        for keys in "", "v":
            for key in keys:
                model.press(key)
            for line in self.draw(model).text():
                self.assertTrue(line.isprintable(), repr(line))

    def test_what_is_dead_says_so(self):
        model = self.model()
        model.take([self.program.picture(state="gone")])
        display = self.draw(model)
        self.assertIn("gone", display.text()[0])
        self.assertIn("alert", display.styles.values())

    def test_traces_that_were_dropped_are_told(self):
        model = self.model()
        model.take([self.program.picture(dropped=7, lost=9,
                                         sample_interval=512)])
        text = self.draw(model, 24, 100).text()[1]
        for part in "7 dropped", "9 lost", "about ":
            self.assertIn(part, text)

    def test_memory_that_is_not_known(self):
        model = Model()
        model.take([self.program.picture(rss=None)])
        self.assertIn("RSS ?", self.draw(model).text()[1])

    def test_durations(self):
        for seconds, text in ((0, "0 s"), (59, "59 s"), (60, "1:00"),
                              (3599, "59:59"), (3600, "1:00:00"),
                              (-5, "0 s")):
            self.assertEqual(duration_text(seconds * SECOND), text)

    def test_programs_without_a_name(self):
        picture = self.program.picture(program=[])
        self.assertIn("4711", program_text([picture]))


class CurveTests(unittest.TestCase):

    def test_each_part_has_the_highest_value(self):
        times = [0, 10, 20, 30, 40]
        values = [1, 5, 2, 9, 3]
        self.assertEqual(curve.resampled(times, values, 0, 40, 2), [5, 9])

    def test_a_part_without_a_value_has_the_one_before(self):
        self.assertEqual(curve.resampled([0, 100], [4, 8], 0, 100, 4),
                         [4, 4, 4, 8])

    def test_before_the_first_nothing_is_known(self):
        self.assertEqual(curve.resampled([50, 100], [4, 8], 0, 100, 4),
                         [None, 4, 4, 8])

    def test_one_moment_only(self):
        self.assertEqual(curve.resampled([7], [3], 7, 7, 3), [3, 3, 3])

    def test_lines_fill_from_below(self):
        lines = curve.drawn([0, 8, 16, None], 16, 2, curve.BLOCKS)
        self.assertEqual(lines, ["  █ ", " ██ "])

    def test_little_is_more_than_nothing(self):
        self.assertEqual(curve.drawn([1, 0], 10 ** 9, 1, curve.BLOCKS),
                         ["▁ "])


class LoopTests(LiveCase):

    def test_reads_draws_and_ends(self):
        program, keys = self.program, ["j", "p", "p", "q"]

        class Source:
            read = staticmethod(lambda: [program.picture()])

        display = Cells(24, 80, keys)
        clock = iter(range(1000)).__next__
        loop.run(Source, Model(), display, clock)
        self.assertEqual(len(display.pictures), len(keys))
        self.assertGreater(program.second, 1)

    def test_what_takes_long_is_read_less_often(self):
        program, times, now = self.program, [], [0.0]

        class Source:
            @staticmethod
            def read():
                times.append(now[0])
                now[0] += 10
                return [program.picture()]

        class Waiting(Cells):
            def key(self, seconds):
                now[0] += seconds
                return "q" if len(times) > 3 else None

        loop.run(Source, Model(), Waiting(), lambda: now[0])
        self.assertEqual(times, [0.0, 20.0, 40.0, 60.0])


PROGRAM = """
import sys
kept = []
def grow(number):
    kept.extend([bytes(1000) for _ in range(number)])
print("ready", flush=True)
for line in sys.stdin:
    grow(int(line))
    print("done", flush=True)
"""


class Recorded:
    """A program with a record, which allocates when it is told to."""

    def __init__(self, folder):
        self.script = os.path.join(folder, "grower.py")
        with open(self.script, "w") as file:
            file.write(PROGRAM)
        self._process = subprocess.Popen(
            [sys.executable, "-X", f"tracemalloc=25,record={folder}",
             self.script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        self._process.stdout.readline()

    @property
    def pid(self):
        return self._process.pid

    def grow(self, number):
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        self._process.stdout.readline()

    def end(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


@support.requires_subprocess()
class RecordTests(unittest.TestCase):

    def setUp(self):
        self.folder = self.enterContext(os_helper.temp_dir())
        self.program = Recorded(self.folder)
        self.addCleanup(self.program.end)

    def live(self, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "tracemalloc", "live", *arguments],
            capture_output=True, text=True, timeout=support.LONG_TIMEOUT)

    def test_tables_without_a_terminal(self):
        self.program.grow(5000)
        self.program.end()
        done = self.live("-n", "1", self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("grower.py, pid", done.stdout)
        self.assertIn("exited", done.stdout)
        self.assertIn("grower.py:5", done.stdout)
        self.assertEqual(done.stdout.count("in use"), 1)

    def test_as_many_tables_as_are_asked_for(self):
        done = self.live("--plain", "--count", "2", "--every", "0.01",
                         self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count("running"), 2)

    @unittest.skipUnless(hasattr(os, "openpty"), "needs pseudo-terminals")
    def test_tables_on_a_terminal_that_cannot_be_drawn_on(self):
        import_helper.import_module("curses")
        self.program.grow(5000)
        self.program.end()
        for name, told in (("dumb", "dumb cannot be drawn on"),
                           ("no-such-terminal", "called no-such-terminal"),
                           ("", "called unknown")):
            with self.subTest(name):
                ours, theirs = os.openpty()
                with open(ours, "rb", buffering=0) as stream:
                    process = subprocess.Popen(
                        [sys.executable, "-m", "tracemalloc", "live",
                         self.folder], stdin=theirs, stdout=theirs,
                        stderr=subprocess.PIPE, text=True,
                        env={**os.environ, "TERM": name})
                    os.close(theirs)
                    text = b""
                    with contextlib.suppress(OSError):
                        # EIO when the last of them has closed it.
                        while part := stream.read(4096):
                            text += part
                _, notes = process.communicate()
                self.assertEqual(process.returncode, 0, notes)
                self.assertIn(told, notes)
                self.assertEqual(notes.count("\n"), 1)
                self.assertIn(b"grower.py:5", text)

    def draw_in(self, program, **variables):
        """Run code of a program that has a Terminal; return its output."""
        import_helper.import_module("curses")
        ours, theirs = os.openpty()
        with open(ours, "rb+", buffering=0) as stream:
            process = subprocess.Popen(
                [sys.executable, "-c", "if 1:"
                 """
                import os, signal, sys
                from tracemalloc._live.display import Terminal

                signal.signal(signal.SIGHUP, signal.SIG_IGN)
                with Terminal() as display:
                    display.put(0, 0, "drawn")
                    display.show()
                """ + textwrap.indent(textwrap.dedent(program), 20 * " ")],
                stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, text=True,
                env={**os.environ, "TERM": "xterm", **variables})
            os.close(theirs)
            text = b""
            while b"drawn" not in text:
                part = stream.read(4096)
                self.assertTrue(part)
                text += part
        # That was the terminal.
        return process.communicate()[1]

    @unittest.skipUnless(hasattr(os, "openpty"), "needs pseudo-terminals")
    def test_a_terminal_that_is_gone_ends_it(self):
        self.assertIn("OSError: [Errno 5] the terminal is gone", self.draw_in(
            """
            for _ in range(1000):
                display.key(600)
            """))

    @unittest.skipUnless(hasattr(os, "openpty"), "needs pseudo-terminals")
    def test_a_locale_that_is_not_installed_ends_nothing(self):
        self.assertIn("has drawn", self.draw_in(
            """
            sys.exit("has drawn")
            """, LC_ALL="xx_YY.ISO-8859-1"))

    @unittest.skipUnless(which("tmux"), "needs tmux")
    def test_on_a_real_terminal(self):
        # A server of its own, which no tmux of the user knows.
        tmux = ["tmux", "-L", f"live-{os.getpid()}", "-f", os.devnull]

        def call(*arguments):
            return subprocess.run([*tmux, *arguments], check=True, text=True,
                                  capture_output=True).stdout

        def wait_for(pattern):
            for _ in support.sleeping_retry(support.LONG_TIMEOUT):
                screen = call("capture-pane", "-p")
                if re.search(pattern, screen):
                    return screen

        self.program.grow(5000)
        command = join(
            [sys.executable, "-m", "tracemalloc", "live", "--every", "0.1",
             self.folder])
        call("new-session", "-d", "-x", "80", "-y", "24",
             f"{command}; echo ended with $?; cat")
        self.addCleanup(subprocess.run, [*tmux, "kill-server"])
        screen = wait_for("grower.py:5")
        self.assertIn(f"grower.py, pid {self.program.pid}", screen)
        self.assertTrue(all(len(line) <= 80 for line in screen.splitlines()))
        call("send-keys", "r", "s")
        wait_for(r"growth\*")
        self.program.grow(20_000)
        # What it grew by, and what the record may not have told before.
        wait_for(r"\+(19|2\d)\.\d MiB +\d")
        call("send-keys", "v")
        wait_for("calls, by line")
        call("send-keys", "Enter")
        wait_for(r"- \S*grower\.py")
        call("resize-window", "-x", "50", "-y", "10")
        wait_for("needs 60x12")
        call("resize-window", "-x", "120", "-y", "30")
        wait_for("calls, by line")
        call("send-keys", "q")
        wait_for("ended with 0")


class FamilyTests(Records):
    """What is read again and again, of several processes."""

    def make(self, number):
        # Each has lines of its own, and all have some in common.
        self.run_program(f"""
            kept = [str(i) for i in range({number} * 1000)]
            exec({"\n" * number!r} "own = [bytes(9) for _ in range(9999)]")
            """)

    def source(self):
        calls = []
        source = Source(self.folder)
        return source, lambda: source.read(lambda *step: calls.append(step)), \
            calls

    def test_only_what_was_written_is_read_again(self):
        for number in range(3):
            self.make(number)
        source, read, calls = self.source()
        first = read()
        self.assertEqual(calls, [(1, 3), (2, 3), (3, 3)])
        with mock.patch.object(reader, "read", side_effect=AssertionError):
            again = read()
        self.assertEqual([*map(id, first)], [*map(id, again)])
        process = self.start_program("print(1, flush=True); input()")
        fourth, = {*read()} - {*first}
        self.assertEqual((fourth.pid, fourth.state), (process.pid, "running"))
        process.kill()
        process.wait()
        changed, = {*read()} - {*first}
        self.assertEqual((changed.pid, changed.state), (process.pid, "gone"))
        # What is damaged is left out, and what has vanished forgotten.
        os.unlink(first[0].path)
        with open(first[1].path, "r+b") as stream:
            stream.seek(3 * layout.PAGE)
            stream.write(b"x" * (os.path.getsize(first[1].path)
                                 - 3 * layout.PAGE))
        self.assertEqual({each.pid for each in read()},
                         {each.pid for each in first if each is not first[0]
                          } | {process.pid})
        self.assertEqual({each.pid for each in Source(self.folder).read()},
                         {first[2].pid, process.pid})

    def test_figures_are_those_of_one_snapshot_of_all(self):
        for number in range(3):
            self.make(number)
        pictures = Source(self.folder).read()
        moment = Moment(pictures)
        whole = merge(pictures)
        names = {"live": "size", "blocks": "count", "peak": "peak_size",
                 "allocated": "allocated_size",
                 "temporary_blocks": "freed_count"}
        for group_by, cumulative in (
                ("lineno", False), ("function", False), ("module", False),
                ("thread", False), ("account", False), ("filename", True)):
            groups = whole._group_by(group_by, cumulative).whole()
            columns = [groups.figure(name) for name in names.values()]
            self.assertEqual(
                moment.table(group_by, cumulative),
                {frames[-1]: dict(zip(names, figures)) for frames, *figures
                 in zip(groups.names, *columns)})
        self.assertEqual(moment.total(), moment.current)
        self.assertEqual(moment.parts("thread"), ["MainThread"])
        self.assertEqual(moment.table("lineno", part=("thread", "MainThread")),
                         {name: figures for name, figures
                          in moment.table("lineno").items()
                          if name[0] != "<unknown>"})
        self.assertEqual(moment.tree("lineno", False, "live").size,
                         moment.current)
        # Those that are read again are the only ones that are added up.
        later = Moment([*pictures[:2], reader.read(pictures[2].path)], moment)
        self.assertEqual([one is other for one, other in zip(
            later._ones.values(), moment._ones.values())],
            [True, True, False])
        self.assertEqual(later.table("lineno"), moment.table("lineno"))


class CommandTests(unittest.TestCase):

    def fail(self, *arguments):
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr), \
                self.assertRaises(SystemExit) as ended:
            _main(["live", *arguments])
        self.assertEqual(ended.exception.code, 2)
        self.assertEqual(stderr.getvalue().count("\n"), 1)
        return stderr.getvalue()

    def test_what_is_no_record(self):
        self.assertIn("no record", self.fail(str(os.getpid())))
        self.assertIn("No such file", self.fail("/nowhere/at/all"))
        self.assertIn("9: File name too long", self.fail("9" * 5000))
        self.assertIn("record", self.fail(__file__))

    def test_wrong_options(self):
        self.assertIn("0", self.fail("--every", "0", "1"))
        self.assertIn("sort", self.fail("--sort", "beauty", "1"))
        self.assertIn("JSON", self.fail("--json", "1"))


if __name__ == "__main__":
    unittest.main()
