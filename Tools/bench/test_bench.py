"""Tests of the benchmark harness: its statistics, its tables,
how it runs jobs.

usage: build/stock/python Tools/bench/test_bench.py
"""
import contextlib
import errno
import gc
import io
import json
import math
import pathlib
import sys
import tempfile
import types
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import bench                            # noqa: E402
import budgets                          # noqa: E402
import callgrind_counts                 # noqa: E402
import cases                            # noqa: E402
import child                            # noqa: E402
import configurations                   # noqa: E402
import curves                           # noqa: E402
import figures                          # noqa: E402
import measure                          # noqa: E402
import options                          # noqa: E402
import pages                            # noqa: E402
import plateau                          # noqa: E402
import profiles                         # noqa: E402
import scales                           # noqa: E402
import suite                            # noqa: E402
import tables                           # noqa: E402
from test_record import CheckpointTest, PausesTest      # noqa: E402, F401

MACHINE = {"cpu": "Example 9000", "cores": 4,
           "memory": 8 * 2**30, "system": "Linux 6.1", "libc": "glibc 2.36",
           "address_randomisation": "2", "governor": None, "load": 0.1,
           "date": "2024-02-29", "commit": "0123456789ab"}
BUILD = {"version": "3.13.5", "compiler": "GCC 12", "cc": "gcc",
         "flags": "-Wall -O3", "link_flags": "", "debug": False,
         "free_threaded": False, "arguments": ""}


def make_data(runs, case_facts=None, warmup=0, absent=None):
    """What bench.py writes, for runs (round, case, configuration, numbers)."""
    names = list(dict.fromkeys(case for _, case, _, _ in runs))
    return {
        "kind": pages.CASES, "label": "O3", "partial": False,
        "machine": MACHINE, "builds": {"fork": BUILD, "stock": BUILD},
        "command": "Tools/bench/run", "warmup": warmup, "skipped": 0,
        "configurations": [{"name": item.name, "label": item.label,
                            "options": "",
                            "absent": (absent or {}).get(item.name)}
                           for item in configurations.CONFIGURATIONS],
        "cases": [{"name": name, "group": "group",
                   "text": f"What {name} does.", "size": 1, "live": False,
                   "recursion": False, **(case_facts or {}).get(name, {})}
                  for name in names],
        "runs": [{"round": number, "case": case,
                  "configuration": configuration, "loops": 1, **numbers}
                 for number, case, configuration, numbers in runs],
    }


def make_results(*arguments, **options):
    return figures.Results(make_data(*arguments, **options))


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
        self.assertEqual(results.rounds, 1)

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
                ([*complete, "new_frame 1 2 again"], r":7: new_frame has a "),
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

    def parse(self, *arguments):
        with (mock.patch("shutil.which", return_value="valgrind"),
              tempfile.TemporaryDirectory() as folder):
            return callgrind_counts.parse(
                ["--fork", sys.executable, "--stock", sys.executable,
                 "--output", folder, *arguments])

    def test_what_is_counted(self):
        given = self.parse()
        self.assertEqual(given.operations, budgets.OPERATIONS)
        self.assertTrue(given.chosen)
        self.assertFalse(given.partial)
        given = self.parse("--cases", "parser")
        self.assertEqual(([case.name for case in given.chosen],
                          given.operations), (["parser"], ()))
        self.assertTrue(given.partial)
        given = self.parse("--operations", "new_frame")
        self.assertEqual((given.chosen, [item.name for item
                                         in given.operations]),
                         ([], ["new_frame"]))
        given = self.parse("--operations", "all", "--cases", "parser")
        self.assertEqual((len(given.chosen), given.operations),
                         (1, budgets.OPERATIONS))
        with (self.assertRaises(SystemExit),
              contextlib.redirect_stderr(io.StringIO()) as said):
            self.parse("--operations", "free_lists")
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

    def parse(self, *arguments):
        with (mock.patch("shutil.which", return_value="valgrind"),
              tempfile.TemporaryDirectory() as folder):
            return curves.parse(
                ["--fork", sys.executable, "--stock", sys.executable,
                 "--output", folder, *arguments])

    def test_what_is_too_much_is_left_out(self):
        given = self.parse("--scales", "depth", "--most", "100")
        self.assertTrue(given.partial)
        (scale,) = given.chosen
        self.assertEqual(curves.sizes_of(scale, given.most), [1, 10, 100])
        self.assertFalse(self.parse().partial)
        for arguments, message in (
                (["--scales", "dept"], "no such scale: dept"),
                (["--most", "0"], "nothing is measured")):
            with (self.assertRaises(SystemExit),
                  contextlib.redirect_stderr(io.StringIO()) as said):
                self.parse(*arguments)
            self.assertIn(message, said.getvalue())


class RunTest(unittest.TestCase):

    def test_a_round_has_every_configuration_of_every_case_once(self):
        chosen = cases.load_group("churn")
        plans = [list(bench.plan_round(number, chosen,
                                       configurations.CONFIGURATIONS))
                 for number in range(3)]
        for plan in plans:
            self.assertEqual(
                len(set((case.name, item.name) for case, item in plan)),
                len(plan))
            self.assertEqual(len(plan),
                             len(chosen) * len(configurations.CONFIGURATIONS))
        first = {plan[0][1].name for plan in plans}
        self.assertEqual(len(first), 3)

    def test_traced_stock_runs_a_part_of_the_loops(self):
        loops = {item.name: item.loops(40)
                 for item in configurations.CONFIGURATIONS}
        self.assertEqual(
            {name for name, number in loops.items() if number != 40},
            {"stock-1", "stock-25"})

    def test_cases_are_documented_and_have_names_of_their_own(self):
        every = cases.load_all(cases.GROUPS + cases.COUNTED
                               + cases.OPERATIONS + cases.SCALES)
        names = [case.name for case in every]
        self.assertEqual(len(names), len(set(names)))
        for case in every:
            self.assertTrue(case.text.endswith("."), case.name)
            self.assertIs(cases.load_case(case.group, case.name), case)
            self.assertTrue(case.size[False] > case.size[True]
                            or case.loops[False] > case.loops[True], case.name)

    def run_here(self, case, size):
        """(answer, kept) of two loops, in this process."""
        self.addCleanup(sys.setrecursionlimit, sys.getrecursionlimit())
        if gc.isenabled():
            self.addCleanup(gc.enable)
        step = case.prepare(size)
        return [step() for _ in range(2)]

    def test_what_is_counted_answers_alike_in_every_loop(self):
        for case in cases.load_all(cases.OPERATIONS + cases.SCALES):
            with self.subTest(case.name):
                first, second = self.run_here(case, 64)
                self.assertEqual(first[0], second[0])
                self.assertGreater(first[0], 0)

    def test_half_of_the_large_blocks_are_replaced(self):
        size = 1004
        case = cases.load_case("large", "large_replaced")
        step = case.prepare(size)
        (answer, kept), before = step(), None
        for _ in range(3):
            before = list(kept)
            again, kept = step()
            self.assertEqual(again, answer)
            self.assertEqual(sum(old is not new
                                 for old, new in zip(before, kept)), size // 2)
            self.assertTrue(all(600 <= len(data) <= 850 for data in kept))
            self.assertNotEqual([len(data) for data in before],
                                [len(data) for data in kept])

    def test_threads_that_do_different_work_answer_alike(self):
        first, second = self.run_here(
            cases.load_case("concurrency", "threads_mixed"), 20)
        self.assertEqual(first, second)

    def run_case(self, build, name, loops, limit,
                 configuration=configurations.BASE):
        case = next(case for case in cases.load_all() if case.name == name)
        return measure.run_job(
            measure.Job(build, configurations.BY_NAME[configuration], case, 10,
                        loops, ["blocks"]),
            limit)

    def test_a_measurement(self):
        build = measure.Build("stock", sys.executable)
        off = self.run_case(build, "small_objects", 1, None)
        on = self.run_case(build, "small_objects", 2, None, "stock-1")
        self.assertEqual(off["answer"], on["answer"])
        self.assertGreater(off["peak_rss"], 2**20)
        self.assertNotIn("tracer", off)
        self.assertGreater(on["blocks"], 1000)
        self.assertGreater(on["tracer"], 1000)

    def fake(self, script):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name, "python")
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return measure.Build("fork", path)

    def test_a_process_that_never_ends_is_ended(self):
        found = self.run_case(self.fake("exec tail -f /dev/null"),
                              "small_objects", 1, 0.2)
        self.assertEqual(list(found), ["over"])

    def test_questions_that_take_too_long_do_not_cost_the_workload(self):
        build = self.fake(
            """echo "{'answer': 1, 'cpu': 0.5}"; exec tail -f /dev/null""")
        self.assertEqual(self.run_case(build, "small_objects", 1, 0.5),
                         {"answer": 1, "cpu": 0.5, "unanswered": 0.5})
        results = make_results(
            [(0, "a", configurations.BASE, {"cpu": 0.25, "peak_rss": 1}),
             (0, "a", "fork-all",
              {"cpu": 0.5, "peak_rss": 1, "unanswered": 60.0})],
            case_facts={"a": {"live": True}})
        self.assertEqual(results.ratio("a", "fork-all").value, 2.0)
        self.assertIn(">60", tables.live_table(results)[1])

    def test_no_snapshot_of_deep_stacks_with_every_frame(self):
        session = types.SimpleNamespace(
            given=types.SimpleNamespace(quick=False),
            builds={"fork": None, "stock": None})
        asked = {
            (case.name, name): bench.Session.job(
                session, case, configurations.BY_NAME[name], 1).questions
            for case in cases.load_all() for name in ("fork-25", "fork-all")}
        without = [key for key, questions in asked.items()
                   if "snapshot" not in questions
                   and (key[0], "fork-25") in asked
                   and "snapshot" in asked[key[0], "fork-25"]]
        self.assertEqual(without, [("deep_recursion", "fork-all")])
        self.assertEqual(asked["deep_recursion", "fork-all"],
                         ["bounded", "blocks"])

    def test_a_peak_before_does_not_count(self):
        def allocate():
            return len(bytearray(30 << 20))

        if not child.forget_peak():
            self.skipTest("the system does not let a process forget its peak")
        allocate()
        result, _, rise = child.timed(bytearray, 10 << 20)
        self.assertEqual(len(result), 10 << 20)
        self.assertLess(rise, 25 << 20)
        # The system counts pages in batches.
        self.assertGreater(rise, 8 << 20)

    def test_a_process_that_fails_is_reported(self):
        build = self.fake("echo 'ModuleNotFoundError: "
                          "no _sqlite3' >&2; exit 1")
        with self.assertRaisesRegex(measure.BenchError,
                                    "small_objects.*status 1.*no _sqlite3"):
            self.run_case(build, "small_objects", 1, None)

    def test_a_build_is_moved(self):
        build = self.fake("exit 0")
        python = pathlib.Path(build.python)
        before, text = python.stat(), python.read_bytes()
        build.move()
        after = python.stat()
        self.assertNotEqual(after.st_ino, before.st_ino)
        self.assertEqual((after.st_mode, after.st_mtime_ns),
                         (before.st_mode, before.st_mtime_ns))
        self.assertEqual(python.read_bytes(), text)
        self.assertEqual(list(python.parent.iterdir()), [python])

    def test_a_build_that_cannot_be_moved_stays(self):
        build = self.fake("exit 0")
        refusal = PermissionError(errno.EACCES, "Permission denied")
        with (mock.patch("shutil.copy2", side_effect=refusal),
              contextlib.redirect_stderr(io.StringIO()) as said):
            build.move()
        self.assertRegex(said.getvalue(),
                         "^warning: .*python .*copy.* .Permission denied")
        self.assertEqual(build.run([], []).returncode, 0)

    def test_an_option_that_a_build_refuses_is_absent(self):
        build = self.fake("echo 'Fatal: bad number of frames' >&2; exit 1")
        self.assertEqual(build.refuses(configurations.BY_NAME["fork-sampled"]),
                         "Fatal: bad number of frames")

    def test_builds_with_other_flags_are_refused(self):
        measure.require_same_flags(BUILD, dict(BUILD, arguments="--with-x"))
        with self.assertRaisesRegex(measure.BenchError, "differ in flags"):
            measure.require_same_flags(BUILD, dict(BUILD, flags="-Og"))

    def test_labels(self):
        self.assertEqual(options.build_label(BUILD), "O3")
        self.assertEqual(
            options.build_label(
                dict(BUILD, arguments="--enable-optimizations --with-lto")),
            "O3-PGO-LTO")

    def test_environment_and_paths_are_not_the_callers(self):
        callers = {"PYTHONTRACEMALLOC": "3", "HOME": "/h",
                   "MALLOC_ARENA_MAX": "1"}
        with mock.patch.dict("os.environ", callers):
            environment = measure.clean_environment()
        self.assertEqual({name for name in environment
                          if name.startswith(("PYTHON", "MALLOC"))},
                         {"PYTHONHASHSEED", "PYTHONPYCACHEPREFIX"})
        self.assertEqual(environment["HOME"], "/h")
        self.assertEqual(
            measure.shown_path(measure.ROOT / "build/fork/python"),
            "build/fork/python")
        self.assertEqual(measure.shown_path("/somewhere/else/python"),
                         "python")


if __name__ == "__main__":
    # Ends like the other tests of this repository: see Tools/base/test.sh.
    outcome = unittest.main(exit=False).result
    wrong = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - wrong} passed, {wrong} failed", flush=True)
    sys.exit(wrong > 0)
