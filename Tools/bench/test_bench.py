"""Tests of the benchmark harness.  Here: statistics, tables and files.

usage: build/stock/python Tools/bench/test_bench.py
"""
import io
import json
import math
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import configurations                   # noqa: E402
import figures                          # noqa: E402
import measure                          # noqa: E402
import pages                            # noqa: E402
import profiles                         # noqa: E402
from sample_data import MACHINE, make_data, make_results  # noqa: E402
import suite                            # noqa: E402
import tables                           # noqa: E402
from test_counts import BudgetTest, CurvesTest, PlateauTest  # noqa: E402, F401
from test_record import CheckpointTest, PausesTest  # noqa: E402, F401
from test_running import RunTest        # noqa: E402, F401


class StatisticsTest(unittest.TestCase):

    def test_ratios_pair_the_rounds_that_both_have(self):
        self.assertEqual(figures.pairwise({0: 2.0, 1: 9.0, 3: 8.0},
                                          {0: 1.0, 2: 5.0, 3: 4.0}),
                         [2.0, 2.0])

    def test_median_of_ratios_is_not_ratio_of_medians(self):
        # A machine that is three times slower in one round must not matter.
        runs = [(number, "a", name, {"cpu": factor * speed})
                for number, speed in enumerate((1, 3, 1))
                for name, factor in ((configurations.BASE, 1.0),
                                     ("fork-off", 1.5))]
        runs[0][3]["cpu"] = 0.9
        ratio = make_results(runs).ratio("a", "fork-off")
        self.assertAlmostEqual(ratio.value, 1.5)
        self.assertEqual(ratio.count, 3)

    def test_quartiles(self):
        ratio = figures.summarise([1.0, 2.0, 3.0, 4.0, 5.0])
        self.assertEqual((ratio.low, ratio.value, ratio.high), (2.0, 3.0, 4.0))
        self.assertEqual(figures.summarise([7.0])[:4], (7.0, 7.0, 7.0, 1))
        self.assertIsNone(figures.summarise([]))

    def test_geometric_mean(self):
        ratios = [figures.summarise([value]) for value in (0.5, 4.0, 4.0)]
        value, bound = figures.geometric_mean([*ratios, None])
        self.assertAlmostEqual(value, 2.0)
        self.assertFalse(bound)
        self.assertEqual(figures.geometric_mean([None]), (None, False))

    def test_geometric_mean_of_a_bound_is_a_bound(self):
        ratios = [figures.Ratio(4.0, 4.0, 4.0, 1),
                  figures.Ratio(1.0, 1.0, 1.0, 1, True)]
        self.assertEqual(figures.geometric_mean(ratios), (2.0, True))

    def test_time_is_per_loop_and_memory_is_not(self):
        results = make_results([
            (0, "a", configurations.BASE,
             {"cpu": 8.0, "peak_rss": 100, "loops": 8}),
            (0, "a", "stock-1", {"cpu": 5.0, "peak_rss": 200, "loops": 1})])
        self.assertEqual(results.ratio("a", "stock-1").value, 5.0)
        self.assertEqual(results.ratio("a", "stock-1", "peak_rss").value, 2.0)

    def test_warm_up_rounds_do_not_count(self):
        results = make_results([
            (0, "a", configurations.BASE, {"cpu": 1.0}),
            (0, "a", "fork-off", {"cpu": 9.0}),
            (1, "a", configurations.BASE, {"cpu": 1.0}),
            (1, "a", "fork-off", {"cpu": 2.0})], warmup=1)
        self.assertEqual(results.ratio("a", "fork-off").value, 2.0)
        self.assertEqual(results.rounds(), 1)

    def test_over_the_limit_is_a_lower_bound_even_beside_good_rounds(self):
        results = make_results([
            (0, "a", configurations.BASE, {"cpu": 2.0, "loops": 2}),
            (0, "a", "fork-1", {"cpu": 2.0, "loops": 2}),
            (1, "a", "fork-1", {"over": 60.0, "loops": 2})])
        ratio = results.ratio("a", "fork-1")
        self.assertEqual((ratio.value, ratio.bound), (30.0, True))

    def test_what_was_not_measured_has_no_ratio(self):
        results = make_results([(0, "a", configurations.BASE, {"cpu": 1.0})])
        self.assertIsNone(results.ratio("a", "fork-sampled"))
        self.assertEqual(results.worst("fork-sampled"), (None, None))

    def test_spread_is_of_the_middle_half(self):
        runs = [(number, "a", name, {"cpu": cpu})
                for number, ratio in enumerate((1.0, 2.0, 3.0, 4.0, 50.0))
                for name, cpu in ((configurations.BASE, 1.0),
                                  ("fork-off", ratio))]
        median, widest = make_results(runs).spread()
        self.assertAlmostEqual(median, 2 / 3)
        self.assertEqual(median, widest)


class ReachTest(unittest.TestCase):

    def rows(self, numbers, **facts):
        """{target: Reach} of {(case, configuration): numbers}."""
        runs = [(0, case, name, {"peak_rss": 1, **values})
                for (case, name), values in numbers.items()]
        return {row.what: row
                for row in figures.reach(make_results(runs, **facts))}

    def test_exactly_at_the_target_is_reached(self):
        rows = self.rows({("a", configurations.BASE): {"cpu": 1.0},
                          ("a", "fork-off"): {"cpu": 0.99},
                          ("a", "fork-sampled"): {"cpu": 1.03}})
        self.assertIs(figures.reached(rows["off, geometric mean"]), True)
        self.assertIs(
            figures.reached(rows["sampled at 512 KiB, geometric mean"]), False)
        self.assertIsNone(figures.reached(rows["every frame, worst case"]))

    def test_optimised_builds_have_a_target_of_their_own(self):
        runs = [(0, "a", name, {"cpu": cpu, "peak_rss": 1})
                for name, cpu in ((configurations.BASE, 1.0),
                                  ("fork-all", 1.18))]
        for label, expected in (("O3", False), ("O3-PGO-LTO", True)):
            results = make_results(runs)
            results.data["label"] = label
            rows = {row.what: row for row in figures.reach(results)}
            row = rows["every frame, geometric mean of the cases"]
            self.assertIs(figures.reached(row), expected, label)

    def test_parser_has_a_target_of_its_own(self):
        rows = self.rows(
            {(case, name): {"cpu": cpu}
             for case, on in (("parser", 1.7), ("a", 1.4))
             for name, cpu in ((configurations.BASE, 1.0), ("fork-all", on))})
        self.assertEqual(rows["every frame, worst case"].value, 1.4)
        self.assertEqual(rows["every frame, recursive-descent parser"].value,
                         1.7)
        self.assertTrue(all(figures.reached(row) for row in rows.values()
                            if row.what.startswith("every frame, ")
                            and "mean" not in row.what))

    def test_a_lower_bound_reaches_nothing(self):
        rows = self.rows({("a", configurations.BASE): {"cpu": 100.0},
                          ("a", "fork-all"): {"over": 1.0}})
        self.assertIs(figures.reached(rows["every frame, worst case"]), False)

    def test_depth_compares_ratios(self):
        rows = self.rows({("depth_1", configurations.BASE): {"cpu": 1.0},
                          ("depth_1", "fork-all"): {"cpu": 1.2},
                          ("depth_500", configurations.BASE): {"cpu": 2.0},
                          ("depth_500", "fork-all"): {"cpu": 3.0}})
        self.assertAlmostEqual(
            rows["depth 500 against depth 1, every frame"].value, 1.25)

    def test_live_blocks(self):
        rows = self.rows({
            ("live_blocks", configurations.BASE): {"cpu": 1.0},
            ("live_blocks", "fork-all"): {"cpu": 1.1, "tracer": 5000,
                                          "blocks": 1000, "picture_cpu": 0.004,
                                          "picture_rss": 30, "end_rss": 1000}})
        self.assertEqual(rows["tracer bytes per small live block"].value, 5)
        self.assertEqual(
            rows["copy of the live blocks by context, ms"].value, 4)
        self.assertIs(
            figures.reached(rows["memory for that copy, % of RSS"]), False)

    def test_recursion_is_the_worst_of_all_limits(self):
        rows = self.rows({("a", configurations.BASE): {"cpu": 1.0},
                          ("a", "fork-1"): {"cpu": 1.1},
                          ("a", "fork-25"): {"cpu": 1.7},
                          ("a", "fork-all"): {"cpu": 1.2}},
                         case_facts={"a": {"recursion": True}})
        row = rows["recursion with live blocks, time, worst of 1, 25, all"]
        self.assertEqual((row.value, row.detail), (1.7, "a, on, 25"))

    def test_companions_fill_their_rows(self):
        results = make_results([(0, "a", configurations.BASE, {"cpu": 1.0})])
        counts = {
            "rows": [{"case": "a", "configuration": "fork-off", "ratio": 0.98},
                     {"case": "b", "configuration": "fork-off", "ratio": 1.0}]}
        rows = {row.what: row for row in figures.reach(
            results, counts,
            {"means": {"fork-all": 1.1}, "count": 97, "subset": True})}
        self.assertAlmostEqual(rows["off, instructions in callgrind"].value,
                               math.sqrt(0.98))
        row = rows["every frame, geometric mean of pyperformance"]
        self.assertEqual((row.value, row.detail),
                         (1.1, "97 benchmarks, a subset"))


class TableTest(unittest.TestCase):

    def results(self):
        return make_results([
            (0, "first", configurations.BASE,
             {"cpu": 0.5, "wall": 0.5, "peak_rss": 2**20}),
            (0, "first", "fork-off",
             {"cpu": 0.5, "wall": 0.6, "peak_rss": 2**20}),
            (0, "first", "stock-25", {"over": 60.0}),
            (0, "second", configurations.BASE,
             {"cpu": 0.25, "wall": 0.25, "peak_rss": 2**21}),
            (0, "second",
             "fork-off", {"cpu": 1.0, "wall": 1.0, "peak_rss": 2**22}),
        ], absent={"fork-sampled": "no such option"})

    def test_time(self):
        table = tables.time_table(self.results())
        column = table[0].index("off")
        self.assertEqual([row[column] for row in table[1:]],
                         ["1.00", "4.00", "2.00"])
        self.assertEqual([row[1] for row in table[1:]], ["0.500", "0.250", ""])
        bound = table[0].index("stock 25")
        self.assertEqual([row[bound] for row in table[1:]],
                         [">120", tables.NONE, ">120"])

    def test_memory(self):
        table = tables.memory_table(self.results())
        self.assertEqual(table[2][:3], ["second", "2.0", "2.00"])

    def test_columns_are_aligned(self):
        lines = tables.aligned([["case", "ratio"], ["a", "1.00"],
                                ["long name", ">330"]])
        self.assertEqual(lines.splitlines(),
                         ["case       ratio", "---------  -----",
                          "a           1.00", "long name   >330"])

    def test_simple_table_has_one_rule_for_all_columns(self):
        for rows in (tables.time_table(self.results()),
                     tables.reach_table(figures.reach(self.results()))):
            lines = tables.simple_table(rows).splitlines()
            self.assertEqual(lines[0], lines[2])
            self.assertEqual(lines[0], lines[-1])
            gaps = [
                place for place, mark in enumerate(lines[0]) if mark == " "]
            for line in lines[1:]:
                if line == lines[0]:
                    continue
                for place in gaps:
                    self.assertIn(line[place:place + 1], ("", " "), line)
                self.assertNotEqual(line[0], " ")

    def test_report_says_what_is_absent_and_how_sure_it_is(self):
        stream = io.StringIO()
        tables.print_report(self.results(), file=stream)
        text = stream.getvalue()
        self.assertIn("Absent: sampled (no such option).", text)
        self.assertIn("Medians of 1 round;", text)
        self.assertIn("Fewer than five rounds", text)
        self.assertIn("✗", text)

    def test_fewer_rounds_of_traced_stock_are_told(self):
        runs = [(number, "a", name, {"cpu": 1.0, "peak_rss": 1})
                for number in range(6)
                for name in (configurations.BASE, "fork-all")]
        self.assertTrue(tables.notes(make_results(runs))[0].startswith(
            "Medians of 6 rounds;"))
        runs.append((0, "a", "stock-1", {"cpu": 9.0, "peak_rss": 1}))
        runs.append((1, "a", "stock-25", {"cpu": 9.0, "peak_rss": 1}))
        self.assertTrue(tables.notes(make_results(runs))[0].startswith(
            "Medians of 6 rounds, 1 with traced stock;"))

    def test_section_of_the_documentation(self):
        text = tables.rst_of_results(self.results(), "O3.svg")
        self.assertIn(".. image:: O3.svg", text)
        self.assertIn(":Processor: Example 9000, 4 cores", text)
        self.assertIn("``second``\n    What second does.", text)
        self.assertNotIn(".. image::",
                         tables.rst_of_results(self.results(), None))

    def test_numbers(self):
        shown = [tables.show_mean(value, False)
                 for value in (0.994, 1.235, 9.999, 12.34, 123.4)]
        self.assertEqual(shown, ["0.99", "1.24", "10.00", "12.3", "123"])


class FilesTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_what_is_written_can_be_read(self):
        data = make_data([(0, "a", configurations.BASE, {"cpu": 1.0})] * 2)
        pages.write(self.folder / "O3.json", data)
        self.assertEqual(pages.read(self.folder / "O3.json"), data)

    def test_foreign_files_are_refused(self):
        path = self.folder / "other.json"
        for text in ("{", "[]", '{"kind": "soup"}'):
            path.write_text(text)
            with self.assertRaisesRegex(measure.BenchError, "other.json"):
                pages.read(path)

    def test_page_has_all_results_but_partial_ones(self):
        self.assertEqual(pages.page(self.folder), pages.EMPTY)
        data = make_data([(0, "a", configurations.BASE, {"cpu": 1.0})])
        pages.write(self.folder / "O3-quick.json", {**data, "partial": True})
        self.assertEqual(pages.page(self.folder), pages.EMPTY)
        pages.write(self.folder / "O3.json", data)
        pages.write(self.folder / "O3-PGO.json", {**data, "label": "O3-PGO"})
        text = pages.page(self.folder)
        self.assertIn("The cases, O3\n", text)
        self.assertIn("The cases, O3-PGO\n", text)
        self.assertNotIn(".. image::", text)

    def test_companions_have_the_same_label(self):
        facts = {"machine": MACHINE, "builds": {}, "partial": False,
                 "label": "O3", "rows": []}
        for name, kind in (("callgrind-O3", pages.COUNTS),
                           ("callgrind-O3-PGO", pages.COUNTS),
                           ("pyperformance-O3", pages.CASES)):
            pages.write(self.folder / f"{name}.json",
                        {**facts, "kind": kind, "name": name})
        counts, suite_data = pages.companions(self.folder, "O3")
        self.assertEqual(counts["name"], "callgrind-O3")
        self.assertIsNone(suite_data)

    def test_counts_are_read_from_a_profile(self):
        path = self.folder / "case.out"
        path.write_text("version: 1\nevents: Ir\n\nfn=(1) f\n1 2\n\ntotals: "
                        "123456\n")
        self.assertEqual(profiles.read_total(path), 123456)
        path.write_text("version: 1\n")
        with self.assertRaises(measure.BenchError):
            profiles.read_total(path)

    def test_values_of_pyperformance(self):
        path = self.folder / "suite.json"
        path.write_text(
            json.dumps({"metadata": {"name": "one"}, "benchmarks": [
                {"runs": [
                    {"warmups": [[1, 9.0]]},
                    {"values": [1.0, 2.0], "metadata": {"mem_max_rss": 10}},
                    {"values": [6.0], "metadata": {"mem_max_rss": 30}}]},
                {"metadata": {"name": "two"}, "runs": [{"values": [4.0]}]}]}))
        self.assertEqual(suite.read_values(path),
                         {"one": (2.0, 20), "two": (4.0, None)})

    def test_suite_compares_what_the_base_has(self):
        measured = {
            configurations.BASE: {"one": (2.0, 10), "two": (1.0, None)},
            "fork-all": {"one": (4.0, 20), "two": (0.5, 7), "three": (1.0, 1)}}
        found = suite.summarise(measured, list(measured))
        self.assertEqual([row["benchmark"] for row in found["rows"]],
                         ["one", "two"])
        self.assertAlmostEqual(found["means"]["fork-all"], 1.0)
        self.assertAlmostEqual(found["memory_means"]["fork-all"], 2.0)
        self.assertEqual(
            tables.suite_table(
                {**found, "configurations": list(measured),
                 "labels": {"fork-all": "on"}})[1:],
            [["one", "2", "2.00"], ["two", "1", "0.50"],
             ["geometric mean", "", "1.000"]])


if __name__ == "__main__":
    # Ends like the other tests of this repository: see Tools/base/test.sh.
    outcome = unittest.main(exit=False).result
    wrong = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - wrong} passed, {wrong} failed", flush=True)
    sys.exit(wrong > 0)
