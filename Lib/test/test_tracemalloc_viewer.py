"""Tools/tracemallocqt, the viewer: rows G01 to G09 of the requirements.

What it shows is tested without a window.  The window itself is tested off
screen where Qt is installed, for this interpreter or for the one that is named
by TRACEMALLOC_QT_PYTHON.  TRACEMALLOC_SOURCE names the folder that has Tools
in it.
"""
import importlib.util
import json
import os
import pickle
import subprocess
import sys
import tempfile
import textwrap
import tracemalloc
import unittest
from test import support

SOURCE = os.environ.get("TRACEMALLOC_SOURCE")
QT_PYTHON = os.environ.get("TRACEMALLOC_QT_PYTHON")
if not QT_PYTHON and any(map(importlib.util.find_spec, ("PySide6", "PyQt6"))):
    QT_PYTHON = sys.executable

SIZES = 100, 150, 250


def snapshot(number):
    """One with a line that grows, one that stays, and a third below two calls.
    """
    grown = ("pkg/grow.py", 10)
    return tracemalloc.Snapshot([
        (0, SIZES[number], (grown, ("main.py", 3)), 2),
        (0, 64, (("pkg/stay.py", 20), ("main.py", 4)), 2),
        (0, 36, (grown, ("main.py", 5)), 2),
    ], 2)


@unittest.skipUnless(SOURCE,
                     "TRACEMALLOC_SOURCE does not name the source folder")
class ViewerTests(unittest.TestCase):
    """Base: three files, whose times are not in the order of their names."""

    NAMES = "b.pickle", "c.pickle", "a.tmz"

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.paths = []
        for number, name in enumerate(self.NAMES):
            path = os.path.join(self.folder, name)
            snapshot(number).dump(path)
            os.utime(path, (1000.0 + number, 1000.0 + number))
            self.paths.append(path)
        self.program = os.path.join(SOURCE, "Tools", "tracemallocqt")
        spec = importlib.util.spec_from_file_location(
            "tracemallocqt_model", os.path.join(self.program, "model.py"))
        self.model = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.model)

    def run_with(self, python, *arguments):
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(("PYTHON", "QT_"))}
        env["QT_QPA_PLATFORM"] = "offscreen"
        return subprocess.run([python, "-B", *arguments], env=env,
                              capture_output=True,
                              text=True, timeout=support.LONG_TIMEOUT)


class ModelTests(ViewerTests):

    def texts(self, session):
        return [row.text for row in session.rows()]

    def test_G02_one_file_shows_what_it_holds(self):
        session = self.model.Session(self.paths[:1])
        self.assertFalse(session.comparing)
        self.assertEqual([title for title, _ in session.columns],
                         ["Size", "Share", "Blocks", "Average"])
        self.assertEqual([(row.text, row.values) for row in session.rows()],
                         [("pkg/grow.py:10", (136, 68.0, 2, 68)),
                          ("pkg/stay.py:20", (64, 32.0, 1, 64))])
        self.assertEqual(session.summary(), "200 B in 3 blocks")
        self.assertEqual(session.title(), "b.pickle")

    def test_G03_two_files_show_what_changed(self):
        # Whatever order they are named in,
        # the older one is what is compared with.
        session = self.model.Session([self.paths[1], self.paths[0]])
        self.assertTrue(session.comparing)
        self.assertEqual([title for title, _ in session.columns],
                         ["Size", "Change", "Blocks", "Change of blocks",
                          "Average"])
        self.assertEqual([(row.text, row.values) for row in session.rows()],
                         [("pkg/grow.py:10", (186, 50, 2, 0, 93)),
                          ("pkg/stay.py:20", (64, 0, 1, 0, 64))])
        self.assertEqual(session.summary(), "250 B (+50 B) in 3 (+0) blocks")

    def test_G04_checks_choose_the_files_to_compare(self):
        session = self.model.Session(self.paths)
        self.assertEqual(session.checked, [0, 2])
        self.assertEqual(session.rows()[0].values[1], SIZES[2] - SIZES[0])
        session.check(0, False)
        self.assertEqual(session.checked, [2])
        self.assertEqual(session.rows()[0].values[0], SIZES[2] + 36)
        session.check(1)
        self.assertEqual(session.checked, [1, 2])
        self.assertEqual(session.rows()[0].values[1], SIZES[2] - SIZES[1])
        # Of three, the one that was chosen first yields.
        session.check(0)
        self.assertEqual(session.checked, [0, 1])
        # One stays.
        session.check(0, False)
        session.check(1, False)
        self.assertEqual(session.checked, [1])

    def test_G05_files_are_in_the_order_of_their_time(self):
        session = self.model.Session(sorted(self.paths))
        self.assertEqual([file.path for file in session.files], self.paths)
        for file, name in zip(session.files, self.NAMES):
            self.assertRegex(file.label,
                             rf"{name}  19\d\d-\d\d-\d\d \d\d:\d\d:\d\d")

    def test_G06_rows_by_line(self):
        session = self.model.Session(self.paths[:1])
        self.assertEqual(session.group, "line")
        self.assertEqual(self.texts(session),
                         ["pkg/grow.py:10", "pkg/stay.py:20"])
        session.cumulative = True
        self.assertEqual(self.texts(session), [
            "pkg/grow.py:10", "main.py:3", "pkg/stay.py:20", "main.py:4",
            "main.py:5"])
        session.group = "file"
        self.assertEqual(self.texts(session),
                         ["main.py", "pkg/grow.py", "pkg/stay.py"])

    def test_G07_rows_by_traceback(self):
        session = self.model.Session(self.paths[:1])
        session.group = "traceback"
        session.cumulative = True           # has no meaning there
        self.assertEqual([(row.text, row.frames, row.values[0])
                          for row in session.rows()], [
            ("pkg/grow.py:10  (+1)",
             [("main.py", 3), ("pkg/grow.py", 10)], 100),
            ("pkg/stay.py:20  (+1)",
             [("main.py", 4), ("pkg/stay.py", 20)], 64),
            ("pkg/grow.py:10  (+1)",
             [("main.py", 5), ("pkg/grow.py", 10)], 36)])

    def test_G07_the_traceback_of_a_row_has_its_source(self):
        path = os.path.join(self.folder, "made.py")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("first\n    second = 2\n")
        row = self.model.Row("", [("gone.py", 7), (path, 2)], ())
        self.assertEqual(self.model.frame_lines(row),
                         [f"{path}:2", "    second = 2", "gone.py:7"])

    def test_G09_files_of_dump_and_of_protocol_2(self):
        path = os.path.join(self.folder, "old.pickle")
        with open(path, "wb") as stream:
            pickle.dump(snapshot(0), stream, 2)
        for each in path, *self.paths[::2]:
            session = self.model.Session([each])
            self.assertEqual(self.texts(session)[0], "pkg/grow.py:10")

    def test_G02_values_as_text(self):
        model = self.model
        for value, kind, text in (
                (0, model.SIZE, "0 B"), (1023, model.SIZE, "1,023 B"),
                (1536, model.SIZE, "1.5 KiB"),
                (200 * 1024, model.SIZE, "200 KiB"),
                (-3 << 40, model.SIGNED_SIZE, "-3.0 TiB"),
                (5, model.SIGNED_SIZE, "+5 B"),
                (1234, model.COUNT, "1,234"), (0, model.SIGNED_COUNT, "+0"),
                (12.34, model.PERCENT, "12.3 %"), (None, model.SIZE, "")):
            with self.subTest(value=value, kind=kind):
                self.assertEqual(model.value_text(value, kind), text)

    def test_G08_wrong_use_is_one_line(self):
        process = self.run_with(sys.executable, self.program)
        self.assertEqual((process.returncode, process.stdout), (2, ""))
        self.assertRegex(process.stderr, r"\Atracemallocqt: .+\n\Z")
        broken = os.path.join(self.folder, "broken.pickle")
        with open(broken, "w", encoding="utf-8") as stream:
            stream.write("no snapshot")
        for path in broken, os.path.join(self.folder, "missing"):
            process = self.run_with(sys.executable, self.program, path)
            self.assertEqual((process.returncode, process.stdout), (1, ""))
            self.assertRegex(process.stderr, r"\Atracemallocqt: .+\n\Z")

    def test_G08_without_qt_it_says_what_to_install(self):
        # A module in front of the real ones, where they are installed.
        for name in "PySide6", "PyQt6":
            with open(os.path.join(self.folder, name + ".py"), "w",
                      encoding="utf-8") as stream:
                stream.write("raise ImportError\n")
        process = self.run_with(sys.executable, "-c", textwrap.dedent(f"""
            import runpy, sys
            sys.path[:0] = [{self.folder!r}]
            sys.argv = ["tracemallocqt", {self.paths[0]!r}]
            runpy.run_path({self.program!r}, run_name="__main__")
        """))
        self.assertEqual(process.returncode, 1)
        self.assertRegex(process.stderr,
                         r"\Atracemallocqt: neither .* pip install .+\n\Z")


@unittest.skipUnless(QT_PYTHON, "neither PySide6 nor PyQt6 is installed")
class WindowTests(ViewerTests):

    # Drives the window as a user would, and prints what it shows.
    DRIVER = """
        import json, sys
        sys.path.insert(0, sys.argv[1])
        import model, window
        from window import QApplication, Qt
        application = QApplication(["test"])
        shown = window.Window(model.Session(sys.argv[2:]))
        shown.show()

        def table():
            rows = shown.sorted
            return [[rows.data(rows.index(row, column))
                     for column in range(rows.columnCount())] for row in range(rows.rowCount())]

        def titles():
            return [shown.rows.headerData(column, Qt.Orientation.Horizontal)
                    for column in range(shown.rows.columnCount())]

        def files():
            return [(item.text().split()[0], item.checkState() == Qt.CheckState.Checked)
                    for item in map(shown.files.item, range(shown.files.count()))]

        said = {}
        def note(name):
            application.processEvents()
            said[name] = {"table": table(), "titles": titles(), "files": files(),
                          "title": shown.windowTitle(), "source": shown.source.toPlainText(),
                          "status": shown.statusBar().currentMessage()}

        note("at first")
        shown.files.item(0).setCheckState(Qt.CheckState.Unchecked)
        note("one file")
        shown.group.setCurrentText("traceback")
        shown.table.selectRow(0)
        note("by traceback")
        shown.group.setCurrentText("line")
        shown.cumulative.setChecked(True)
        note("cumulative")
        shown.cumulative.setChecked(False)
        shown.table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
        note("sorted")
        shown.search.setText("grow")
        note("searched")
        print(json.dumps(said))
    """

    def test_G01_G04_G05_a_window_shows_files_and_follows_the_user(self):
        process = self.run_with(QT_PYTHON, "-c", textwrap.dedent(self.DRIVER),
                                self.program, *sorted(self.paths))
        self.assertEqual(process.returncode, 0, process.stderr)
        said = json.loads(process.stdout)
        first = said["at first"]
        self.assertEqual(first["files"],
                         [["b.pickle", True], ["c.pickle", False],
                          ["a.tmz", True]])
        self.assertEqual(first["titles"], ["Line", "Size", "Change", "Blocks",
                                           "Change of blocks", "Average"])
        self.assertEqual(first["table"], [
            ["pkg/grow.py:10", "286 B", "+150 B", "2", "+0", "143 B"],
            ["pkg/stay.py:20", "64 B", "+0 B", "1", "+0", "64 B"]])
        self.assertEqual(first["status"], "350 B (+150 B) in 3 (+0) blocks")
        self.assertIn("b.pickle \N{RIGHTWARDS ARROW} a.tmz", first["title"])

        one = said["one file"]
        self.assertEqual([on for _, on in one["files"]], [False, False, True])
        self.assertEqual(one["table"][0],
                         ["pkg/grow.py:10", "286 B", "81.7 %", "2", "143 B"])

        self.assertEqual(said["by traceback"]["titles"][0], "Traceback")
        self.assertEqual(len(said["by traceback"]["table"]), 3)
        self.assertEqual(said["by traceback"]["source"],
                         "pkg/grow.py:10\nmain.py:3")

        self.assertEqual(len(said["cumulative"]["table"]), 5)
        self.assertEqual([row[1] for row in said["sorted"]["table"]],
                         ["64 B", "286 B"])
        self.assertEqual([row[0] for row in said["searched"]["table"]],
                         ["pkg/grow.py:10"])

    def test_G01_a_file_that_is_lost_later_is_said(self):
        process = self.run_with(QT_PYTHON, "-c", textwrap.dedent("""
            import os, sys
            sys.path.insert(0, sys.argv[1])
            import model, window
            application = window.QApplication(["test"])
            shown = window.Window(model.Session(sys.argv[2:]))
            os.remove(sys.argv[3])
            shown.files.item(1).setCheckState(window.Qt.CheckState.Checked)
            print(shown.statusBar().currentMessage())
        """), self.program, *self.paths)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertRegex(process.stdout, r"\Anot loaded: .*c\.pickle")


if __name__ == "__main__":
    unittest.main()
