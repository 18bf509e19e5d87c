"""What is counted, and what is made of it: budgets, curves and the plateau.
Run by test_bench.py.
"""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

import budgets
import callgrind_counts
import cases
import configurations
import curves
import measure
import pages
import plateau
from sample_data import BUILD, MACHINE
import scales
import tables


def parse(program, *arguments):
    """The options of one of the programs that count."""
    with (mock.patch("shutil.which", return_value="valgrind"),
          tempfile.TemporaryDirectory() as folder):
        return program.parse(
            ["--fork", sys.executable, "--stock", sys.executable,
             "--output", folder, *arguments])


class PlateauTest(unittest.TestCase):

    def samples(self, tracer, dropped=0):
        return [{"tracer": size, "dropped": dropped, "rss": None}
                for size in tracer]

    def test_thirds_are_compared_by_their_highest(self):
        found = plateau.judge(
            self.samples([1, 2, 3, 100, 90, 80, 50, 105, 70]), 5.0)
        self.assertEqual(found["thirds"], [3, 100, 105])
        self.assertAlmostEqual(found["growth"], 5.0)
        self.assertTrue(
            plateau.judge(self.samples([9, 100, 104]), 5.0)["reached"])
        self.assertFalse(
            plateau.judge(self.samples([9, 100, 106]), 5.0)["reached"])

    def test_what_forgets_blocks_has_no_plateau(self):
        self.assertFalse(
            plateau.judge(self.samples([5, 5, 5], dropped=1), 5.0)["reached"])

    def test_table_and_verdict(self):
        row = {"turns": 3, "seconds": 1.0,
               "made": {"code objects": 360_000, "call chains": 900_000},
               "contexts_made": 5_000_000, "paths_made": 7, "blocks_made": 9,
               "contexts": 4, "paths": 5, "codes": 6, "names": 8,
               "tracer": 2**20, "traced": 2**20, "rss": None, "dropped": 0}
        data = {"rows": [row] * 6, "hourly": plateau.HOURLY, "tracing": "25",
                "label": "O3", "machine": MACHINE, "builds": {"fork": BUILD},
                "command": "Tools/bench/plateau",
                **plateau.judge([row] * 6, 5.0)}
        text = tables.rst_of_plateau(data)
        self.assertIn("makes as many in 2.0 hours", text)
        self.assertIn("5,000,000 contexts", text)
        self.assertIn("it holds", text)
        self.assertEqual(tables.plateau_table(data)[1][-3:],
                         ["1.0", "1.0", tables.NONE])


class BudgetTest(unittest.TestCase):

    def row(self, name, above, budget):
        return {"operation": name, "text": f"what {name} is", "budget": budget,
                "programs": ["one", "two"], "without": "three",
                configurations.BASE: 500.0, budgets.OFF: 490.0,
                configurations.EVERY_FRAME: 500.0 + above, "above": above}

    def program(self, name, off, record=150.0):
        return {"program": name, "text": "", configurations.BASE: 100.0,
                budgets.OFF: off, configurations.EVERY_FRAME: 150.0,
                configurations.RECORD: record}

    def data(self, operations, programs=()):
        return {"kind": pages.COUNTS, "label": "O3", "partial": False,
                "machine": MACHINE, "builds": {}, "command": "callgrind",
                "operations": operations, "programs": list(programs),
                "rows": []}

    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "budgets.txt")
            path.write_text(text)
            return budgets.read_budgets(path)

    def lines(self, leave_out=None):
        return [f"{operation.name} 10 20 because of it"
                for operation in budgets.OPERATIONS
                if operation.name != leave_out]

    def test_the_repositorys_list(self):
        found = budgets.read_budgets()
        self.assertEqual(list(found),
                         [operation.name for operation in budgets.OPERATIONS])
        for limits in found.values():
            self.assertEqual(tuple(limits), budgets.KINDS)
            self.assertGreater(min(limits.values()), 0)

    def test_a_list(self):
        found = self.read("\n# a remark\n" + "\n".join(self.lines()))
        self.assertEqual(found["new_frame"], {"plain": 10, "optimised": 20})

    def test_bad_lists_are_refused_with_the_line(self):
        complete = self.lines()
        for lines, message in (
                ([*complete, "new_frame 1 2 again"],
                 rf":{len(complete) + 1}: new_frame has a line above"),
                ([*complete, "other 1 2 reason"], "no such operation: other"),
                (self.lines("new_frame"), "no budget for new_frame"),
                (["new_frame 10 reason", *complete], r":1: expected: "),
                (["new_frame 10 20", *complete], r":1: expected: ")):
            with (self.subTest(message),
                  self.assertRaisesRegex(measure.BenchError, message)):
                self.read("\n".join(lines))

    def test_kinds_of_builds(self):
        for label, kind in (("O3", "plain"), ("O3-PGO-LTO", "optimised"),
                            ("O3-PGO", None), ("O3-debug", None),
                            ("O0", None), ("Og-PGO-LTO", None)):
            self.assertEqual(budgets.kind_of(label), kind, label)

    def test_an_operation_is_a_mean_less_the_rest(self):
        names = budgets.COMPARED
        taken = {"a": dict(zip(names, (10, 20, 30, 40))),
                 "b": dict(zip(names, (20, 20, 50, 60))),
                 "rest": dict(zip(names, (5, 4, 3, 3)))}
        row = budgets.operation_row(
            budgets.Operation("name", "text", ("a", "b"), "rest"), taken, 7)
        self.assertEqual([row[name] for name in names], [10, 16, 37, 47])
        self.assertEqual((row["above"], row["budget"]), (27, 7))
        self.assertEqual(budgets.programs_of(budgets.OPERATIONS).count(
            "small_object"), 1)

    def test_a_program_is_counted_between_two_numbers_of_loops(self):
        (case, *_) = budgets.load_programs(budgets.OPERATIONS[:1])

        def count(build, configuration, case, loops, questions=()):
            more = 7 * (configuration.keeps_record or questions == ["thread"])
            return 1_000_000 + (build + more) * loops * case.size[True]

        with mock.patch.object(callgrind_counts, "count", count):
            row = callgrind_counts.count_program({"stock": 3, "fork": 5}, case)
        self.assertEqual([row[name] for name in budgets.COMPARED],
                         [3, 5, 5, 12])
        self.assertEqual(row[budgets.THREAD], 12)
        # Bytecode that was written in the first process, maybe.
        with (mock.patch.object(callgrind_counts, "count",
                                lambda *arguments, questions: 5),
              self.assertRaisesRegex(measure.BenchError, "took less")):
            callgrind_counts.count_program({"stock": 3, "fork": 5}, case)

    def test_counts_do_not_depend_on_the_callers_environment(self):
        def environment(**variables):
            with mock.patch.dict("os.environ", variables):
                return callgrind_counts.counting_environment()

        self.assertEqual(environment(HOME="/somewhere", EDITOR="ed"),
                         environment(HOME="/", PYTHONDEBUG="1"))
        self.assertEqual(environment(PATH="/bin")["PATH"], "/bin")

    def test_one_per_cent_more_is_within_the_budget(self):
        data = self.data([self.row("just", 101.0, 100),
                          self.row("over", 102.0, 100),
                          self.row("free", 999.0, None)],
                         [self.program("same", 100.4),
                          self.program("more", 101.0),
                          self.program("kept", 100.0, 151.0),
                          {**self.program("locked", 100.0, 151.0),
                           budgets.THREAD: 151.0}])
        self.assertEqual(budgets.exceeded(data), [
            "over: 102 instructions above stock, the budget is 100 (+2.0 %)",
            "more: tracing off takes 101.0 instructions, stock 100.0",
            "kept: with a record it takes 151.0 instructions, without 150.0"])

    def test_the_status_tells_whether_budgets_are_kept(self):
        for above, status, lines in ((100.0, 0, 0), (200.0, 1, 1)):
            data = self.data([self.row("name", above, 100)])
            with (contextlib.redirect_stdout(io.StringIO()) as said,
                  contextlib.redirect_stderr(io.StringIO()) as wrong):
                self.assertEqual(
                    callgrind_counts.report(data, "file.json"), status)
            self.assertEqual(len(wrong.getvalue().splitlines()), lines)
            self.assertIn("what name is", said.getvalue())

    def test_table_and_page(self):
        data = self.data([self.row("name", 12.34, None)],
                         [self.program("one", 90.0)])
        self.assertEqual(tables.operations_table(data)[1],
                         ["what name is", "500.0", "490.0", "512.3",
                          tables.NONE, "12.3", tables.NONE])
        text = tables.rst_of_counts(data)
        self.assertIn("the mean of one, two, less three.", text)
        self.assertIn("no budgets for builds like O3", text)
        # Files that were written before there were operations have none.
        del data["operations"], data["programs"]
        self.assertEqual(tables.all_counts_tables(data), [])
        self.assertEqual(tables.counts_notes(data), [])

    def test_what_is_counted(self):
        given = parse(callgrind_counts)
        self.assertEqual(given.operations, budgets.OPERATIONS)
        self.assertTrue(given.chosen)
        self.assertFalse(given.partial)
        given = parse(callgrind_counts, "--cases", "parser")
        self.assertEqual(([case.name for case in given.chosen],
                          given.operations), (["parser"], ()))
        self.assertTrue(given.partial)
        given = parse(callgrind_counts, "--operations", "new_frame")
        self.assertEqual((given.chosen, [item.name for item
                                         in given.operations]),
                         ([], ["new_frame"]))
        given = parse(callgrind_counts, "--operations", "all",
                      "--cases", "parser")
        self.assertEqual((len(given.chosen), given.operations),
                         (1, budgets.OPERATIONS))
        with (self.assertRaises(SystemExit),
              contextlib.redirect_stderr(io.StringIO()) as said):
            parse(callgrind_counts, "--operations", "free_lists")
        self.assertIn("no such operation: free_lists", said.getvalue())


class CurvesTest(unittest.TestCase):

    def rows(self, numbers, ns=None):
        """Rows of live_small, of (size, instructions above, tracer)."""
        return [{"scale": "live_small", "size": size, "operations": 10,
                 configurations.BASE: 600.0,
                 configurations.EVERY_FRAME: 600.0 + above, "above": above,
                 "tracer": tracer, "ns": ns}
                for size, above, tracer in numbers]

    def data(self, rows):
        return {"kind": pages.CURVES, "label": "O3", "partial": False,
                "machine": MACHINE, "builds": {}, "command": "curves",
                "rounds": 0, "rows": rows}

    def test_every_scale_is_a_case_and_grows(self):
        names = [case.name for case in cases.load_all(cases.SCALES)]
        self.assertEqual([scale.name for scale in scales.SCALES], names)
        for scale in scales.SCALES:
            self.assertEqual(sorted(set(scale.sizes)), list(scale.sizes))
            self.assertGreater(len(scale.sizes), 1)

    def test_theory(self):
        rows = self.rows([(10, 100.0, 1040), (100, 130.0, 1400),
                          (1000, 120.0, 5000)])
        self.assertEqual(scales.predict(rows, 10_000),
                         [(10, 100.0, 1040), (100, 100.0, 1400),
                          (1000, 100.0, 5000), (10_000, 100.0, 41_000)])
        self.assertEqual(scales.predict(rows[:1]), [(10, 100.0, 1040)])

    def test_table_says_what_was_measured_and_what_not(self):
        scale = scales.SCALES[0]
        numbers = [(10, 100.0, 2**20), (100, 130.0, 2**20 + 360)]
        table = tables.curve_table(scale, self.rows(numbers))
        self.assertEqual([row[0] for row in table],
                         ["blocks", "10", "100", f"{scale.paper}"])
        self.assertEqual(table[2][1:5], ["600.0", "730.0", "130.0", "100.0"])
        self.assertEqual((table[1][-1], table[2][-1]), (tables.NONE, "4.0"))
        self.assertEqual(set(map(len, table)), {8})
        timed = tables.curve_table(scale, self.rows(numbers, 12.34))
        self.assertEqual(timed[1][timed[0].index("above stock, ns")], "12.3")

    def test_curves_have_a_page_of_their_own(self):
        data = self.data(self.rows([(10, 1.0, 40), (100, 1.0, 400)]))
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            self.assertEqual(pages.curves_page(folder), pages.NO_CURVES)
            pages.write(folder / "curves-O3-part.json",
                        {**data, "partial": True})
            self.assertEqual(pages.curves_page(folder), pages.NO_CURVES)
            pages.write(folder / "curves-O3.json", data)
            (folder / "curves-O3.svg").touch()
            pages.write_pages(folder)
            text = (folder / pages.CURVES_PAGE).read_text()
            self.assertIn(".. image:: curves-O3.svg", text)
            self.assertIn("Live small blocks\n------", text)
            self.assertEqual((folder / pages.PAGE).read_text(), pages.EMPTY)

    def test_a_point_is_what_one_operation_takes_more(self):
        counted = []

        def count(build, configuration, case, loops, size):
            counted.append((configuration.name, size, loops))
            traced = configuration.name == configurations.EVERY_FRAME
            return 10**6 + loops * 5 * (700 if traced else 600)

        def run_job(job, limit):
            return {"answer": 5, "tracer": 77,
                    "cpu": 3e-6 if job.configuration.tracing else 1e-6}

        case = cases.load_case("scales", "depth")
        with (mock.patch.object(curves, "count", count),
              mock.patch.object(curves, "run_job", run_job)):
            row = curves.measure({"stock": None, "fork": None},
                                 scales.SCALES[4], case, 8, 3)
        self.assertEqual({size for _, size, _ in counted}, {8})
        self.assertEqual((row["above"], row["tracer"]), (100, 77))
        self.assertAlmostEqual(row["ns"], 2000 / (5 * curves.TIMED))

    def test_what_is_too_much_is_left_out(self):
        given = parse(curves, "--scales", "depth", "--most", "100")
        self.assertTrue(given.partial)
        (scale,) = given.chosen
        self.assertEqual(curves.sizes_of(scale, given.most), [1, 10, 100])
        self.assertFalse(parse(curves).partial)
        for arguments, message in (
                (["--scales", "dept"], "no such scale: dept"),
                (["--most", "0"], "nothing is measured")):
            with (self.assertRaises(SystemExit),
                  contextlib.redirect_stderr(io.StringIO()) as said):
                parse(curves, *arguments)
            self.assertIn(message, said.getvalue())
