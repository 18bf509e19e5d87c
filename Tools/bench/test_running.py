"""How jobs are run, and with which builds.  Run by test_bench.py."""
import contextlib
import errno
import gc
import io
import pathlib
import sys
import tempfile
import time
import types
import unittest
from unittest import mock

import bench
import cases
import child
import configurations
import measure
import options
from sample_data import BUILD, make_results
import tables


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

    def test_traced_stock_is_in_the_first_rounds_that_count(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        python = pathlib.Path(sys.executable)
        case = cases.load_all()[0]
        for options_given, expected in (([], [1, 2, 3]),
                                        (["--slow-rounds", "2"], [1, 2]),
                                        (["--slow-rounds", "0"], []),
                                        (["--quick"], [1])):
            given = bench.parse(["--fork", str(python), "--stock", str(python),
                                 "--output", folder.name, "--warmup", "1",
                                 "--repeat", "3", "--cases", case.name,
                                 *options_given])
            taken = []
            session = types.SimpleNamespace(
                given=given, builds={}, over=set(), start=time.monotonic(),
                data={"skipped": 0}, present=configurations.CONFIGURATIONS,
                measure=lambda *job: taken.append((job[0], job[2].name)))
            for number in range(4):
                bench.Session.round(session, number)
            with self.subTest(options=options_given):
                for name in configurations.SLOW:
                    self.assertEqual(
                        [number for number, taken_name in taken
                         if taken_name == name], expected)
                self.assertEqual(
                    [number for number, taken_name in taken
                     if taken_name == configurations.BASE], [0, 1, 2, 3])

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
        found, limit = {"over": 0}, 0.25
        while "over" in found:
            # Who is in a hurry does not even see the answer.
            limit *= 2
            found = self.run_case(build, "small_objects", 1, limit)
        self.assertEqual(found,
                         {"answer": 1, "cpu": 0.5, "unanswered": limit})
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
