"""What notebooks show of snapshots and cells: text and HTML, bounded and safe.
"""
import json
import tracemalloc
import unittest
from html.parser import HTMLParser
from textwrap import dedent
from test.support.script_helper import assert_python_ok

HOSTILE = ("</td></table><script>alert(1)</script>", "<img src=x onerror=y>",
           "\x1b]0;title\x07\x1b[31m", "\u202etxt.exe", "\udcff\0\r\n",
           "&lt;b&gt;", 'a" onclick="b', "/x" * 32768, "\N{WHALE}" * 5000)


class Tags(HTMLParser):

    def __init__(self, text):
        super().__init__()
        self.names, self.attributes, self.text = [], set(), []
        self.open = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.names.append(tag)
        self.attributes |= {name for name, _ in attributes}
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError(f"{tag} closes something else")

    def handle_data(self, text):
        self.text.append(text)


class SnapshotTests(unittest.TestCase):

    def html(self, traces):
        return tracemalloc.Snapshot(traces, 1)._repr_html_()

    def test_the_biggest_lines_and_the_sum_of_others(self):
        traces = [(0, number, (("a.py", number),), 1)
                  for number in range(1, 101)]
        tags = Tags(self.html(traces))
        self.assertEqual(tags.open, [])
        text = "|".join(tags.text)
        self.assertIn("Snapshot: 5050 B in 100 blocks of 100 lines", text)
        self.assertIn("|100 B|2.0%|1|a.py:100|99 B|", text)
        self.assertIn("|4095 B|81.1%|90|90 more lines", text)
        self.assertEqual(tags.names.count("tr"), 12)

    def test_installed_files_are_called_as_they_are_imported(self):
        text = "|".join(Tags(self.html(
            [(0, 1, ((json.decoder.__file__, 361),), 1)])).text)
        self.assertIn("|json/decoder.py:361|", text)

    def test_a_snapshot_of_nothing(self):
        tags = Tags(self.html([]))
        self.assertEqual(tags.open, [])
        self.assertIn("Snapshot: 0 B in 0 blocks of 0 lines", tags.text)

    def test_hostile_names_are_text(self):
        html = self.html([(0, 1000 + number, ((name, 1),), 1)
                          for number, name in enumerate(HOSTILE)])
        tags = Tags(html)
        self.assertEqual(tags.open, [])
        self.assertLessEqual(set(tags.names),
                             {"p", "table", "thead", "tbody", "tr", "th",
                              "td", "br", "code"})
        self.assertEqual(tags.attributes, {"style"})
        self.assertTrue(all(character.isprintable() for character in html))
        html.encode()
        self.assertLess(len(html), 10_000)

    def test_estimates_say_so(self):
        snapshot = tracemalloc.Snapshot([(0, 10, (("a.py", 1),), 1)], 1)
        snapshot.metadata["sample_interval"] = 1024
        self.assertIn("estimated from samples", snapshot._repr_html_())

    def test_a_snapshot_of_the_peak(self):
        _, out, _ = assert_python_ok("-X", "tracemalloc", "-c", dedent("""
            import tracemalloc
            b"x" * int(1e8)
            print(tracemalloc.take_peak_snapshot()._repr_html_())
        """))
        self.assertIn(b"95.4 MiB", out)

    def test_showing_is_none_of_the_programs_memory(self):
        assert_python_ok("-X", "tracemalloc", "-c", dedent("""
            import tracemalloc
            from tracemalloc import take_snapshot
            first = take_snapshot()
            html = first._repr_html_()
            size = len(html)
            before = take_snapshot()
            first._repr_html_()
            after = take_snapshot()
            changes = [diff for diff in after.compare_to(before, "lineno")
                       if diff.size_diff]
            assert not any("_inline" in str(diff.traceback)
                           for diff in changes), changes
        """))


class CellTests(unittest.TestCase):

    def run_script(self, script):
        _, out, err = assert_python_ok("-c", dedent("""
            import linecache, tracemalloc
            from tracemalloc._inline import CellReport
            from tracemalloc._measure import Measure
            tracemalloc.start(25)
            def measured(text, name="<cell>"):
                linecache.cache[name] = (len(text), None,
                                         text.splitlines(True), name)
                measure = Measure(snapshots=True)
                measure.call(lambda: exec(compile(text, name, "exec"), {}))
                return measure
            measured("pass")
        """) + dedent(script), COLUMNS="")
        self.assertEqual(err, b"")
        return out.decode().splitlines()

    def test_lines_are_ranked_by_what_they_hold(self):
        title, head, *lines = self.run_script("""
            import sys
            text = ("import sys\\n"
                    "sys.kept = b'x' * int(3e7)\\n"
                    "more = b'x' * int(6e7)\\n"
                    "del more\\n")
            print(CellReport(measured(text), {"<cell>": "my cell"}.get))
        """)
        self.assertEqual(title.partition(", allocated")[0],
                         "held 28.6 MiB, peak 85.8 MiB")
        self.assertEqual(head.split(),
                         ["held", "at", "peak", "allocated", "line"])
        self.assertEqual([line.split() for line in lines[:4]], [
            ["28.6", "MiB", "28.6", "MiB", "28.6", "MiB", "my", "cell:2",
             "<module>"],
            ["sys.kept", "=", "b'x'", "*", "int(3e7)"],
            ["0", "B", "57.2", "MiB", "57.2", "MiB", "my", "cell:3",
             "<module>"],
            ["more", "=", "b'x'", "*", "int(6e7)"]])

    def test_lines_elsewhere_tell_which_line_of_the_cell_calls_them(self):
        out = self.run_script("""
            import builtins
            exec(compile("def make(size):\\n"
                         "    return b'x' * size\\n"
                         "def deeper(depth):\\n"
                         "    if depth:\\n"
                         "        return deeper(depth - 1)\\n"
                         "    return make(int(6e7))\\n", "other.py", "exec"))
            builtins.make, builtins.deeper = make, deeper
            text = ("def own():\\n"
                    "    return make(int(4e7))\\n"
                    "kept = [make(1000), own()]\\n"
                    "kept.append(deeper(100))\\n"
                    "__import__('sys').kept = kept\\n")
            measure = measured(text)
            report = CellReport(measure, lambda name: name.upper(),
                                home="<cell>")
            print(report)
            print(report._repr_html_())
            print(CellReport(measure))
            print(CellReport(measure, home="other"))
        """)
        row, called = out[2:4]
        self.assertTrue(row.endswith("  OTHER.PY:2 make()"), row)
        # Most comes from there, and it is the oldest line, not own().
        self.assertEqual(called.strip(), "called from <CELL>:4 <module>")
        html = next(line for line in out if line.startswith("<p>"))
        self.assertIn("OTHER.PY:2 make()<br>called from &lt;CELL&gt;:4 "
                      "&lt;module&gt;</td>", html)
        self.assertEqual(Tags(html).open, [])
        self.assertEqual("".join(out).count("called from"), 2)

    def test_threads_that_are_not_the_cells_are_one_line(self):
        lines = self.run_script("""
            import threading
            kept, begin, end, leave = [], *(
                threading.Event() for _ in range(3))
            def work():
                begin.wait()
                kept.append(b"x" * int(3e7))
                end.set()
                leave.wait()
            thread = threading.Thread(target=work, name="other")
            thread.start()
            import builtins
            builtins.begin, builtins.end = begin, end
            text = ("begin.set(); end.wait()\\n"
                    "import threading\\n"
                    "def more(): threading.kept = b'x' * int(2e7)\\n"
                    "own = threading.Thread(target=more, name='own')\\n"
                    "own.start(); own.join()\\n")
            print(CellReport(measured(text), threads=["other"]))
            leave.set()
            thread.join()
        """)
        self.assertTrue(lines[0].startswith("held 47.7 MiB, peak 47.7 MiB"))
        self.assertRegex(lines[2], r"^19\.1 MiB +19\.1 MiB +19\.1 MiB  "
                         "<cell>:3")
        self.assertRegex(lines[-1], r"^28\.6 MiB +28\.6 MiB +28\.6 MiB  "
                         "other threads")

    def test_html_of_hostile_source_is_text(self):
        (html,) = self.run_script("""
            text = "kept = b'x' * 9999 # <script>\\u202e" + "y" * 100000
            print(CellReport(measured(text))._repr_html_())
        """)
        self.assertNotIn("<script", html)
        self.assertIn("# &lt;script&gt;\\u202eyyy", html)
        self.assertLess(len(html), 5000)
        self.assertEqual(Tags(html).open, [])

    def test_why_there_are_no_figures(self):
        lines = self.run_script("""
            report = CellReport(measured("import tracemalloc\\n"
                                         "tracemalloc.stop()"))
            print(report)
            print(report._repr_html_())
        """)
        self.assertEqual(lines, [
            "memory: no figures, tracing was stopped meanwhile",
            "<p>memory: no figures, tracing was stopped meanwhile</p>"])


if __name__ == "__main__":
    unittest.main()
