"""What a record costs: counts of instructions without its checkpoints, and how
long a loop waits.  Run by test_bench.py.
"""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

import configurations
import measure
import pages
import pause_loop
import pauses
import profiles
from sample_data import MACHINE
import tables


class CheckpointTest(unittest.TestCase):

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(
            tempfile.TemporaryDirectory()))

    def test_checkpoints_of_a_record_are_left_out(self):
        profile = self.folder / "case.out"
        main = ("fn=(1) main\n1 70\ncfi=(2) record.c\n"
                "cfn=(2) tm_copy_checkpoint_lock_held.constprop.0\n"
                "calls=2 +3\n+1 30\n1 5\ncfn=(3) other\ncalls=1 9\n* 11\n"
                "fn=(4) tm_end_record\n1 1\ncfn=(2)\ncalls=1 9\n-2 4\n"
                "cfn=(5) tm_write_checkpoint\ncalls=1 9\n* 2\n"
                "fn=(5)\n1 99\ntotals: 1000\n")
        thread = "fn=(1) helper_run\n1 2\ntotals: 500\n"
        (self.folder / "case.out-01").write_text(main)
        (self.folder / "case.out-02").write_text(thread)
        (self.folder / "case.out-03").write_text("fn=(1) f\ntotals: 7\n")
        self.assertEqual(profiles.read_without_record(profile),
                         1000 - 30 - 4 - 2 + 7)
        (self.folder / "case.out-02").unlink()
        with self.assertRaisesRegex(measure.BenchError, "0 threads"):
            profiles.read_without_record(profile)
        profile.touch()
        profiles.remove(profile)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_where_records_are_is_not_published(self):
        record = configurations.BY_NAME[configurations.RECORD]
        self.assertTrue(record.keeps_record)
        self.assertIn(str(measure.RECORDS), record.options[1])
        self.assertEqual(record.shown_options, "-X tracemalloc=65535,"
                         "record=build/bench/records")
        self.assertEqual(
            [item.name for item in configurations.CONFIGURATIONS
             if item.keeps_record], [configurations.RECORD])
        self.assertEqual(configurations.BY_NAME["stock-1"].loops(3), 1)


class PausesTest(unittest.TestCase):

    def test_percentile_and_longest(self):
        counts = [0] * (pause_loop.COUNTED // pause_loop.STEP + 1)
        counts[3], counts[10_000] = 2997, 1
        longest = [20_000_000, 30_000_000]
        found = pause_loop.summarise(counts, longest, [20_000_000])
        self.assertEqual(found, {
            "turns": 3000, "percentile": 4 * pause_loop.STEP,
            "longest": 30_000_000, "over": 3, "asleep": 1,
            "longest_asleep": 20_000_000})
        counts[3] = 997
        self.assertEqual(pause_loop.summarise(counts, longest, [])[
            "percentile"], 20_000_000)

    def test_a_loop(self):
        with tempfile.NamedTemporaryFile() as file:
            memory = pause_loop.open_memory(file.name)
            counts, longest, asleep = pause_loop.measure(memory, True, 0.01)
            self.assertTrue(any(memory))
        found = pause_loop.summarise(counts, longest, asleep)
        self.assertGreater(found["turns"], 0)
        self.assertGreaterEqual(found["longest"], found["percentile"])

    def test_rows_are_medians_but_for_the_worst(self):
        runs = [{"turns": 5, "longest": number * 1_000_000,
                 "percentile": number, "over": 0, "asleep": number,
                 "longest_asleep": number * 1_000_000}
                for number in (9, 1, 2)]
        row = {"text": "somewhere", **pauses.summarise(runs)}
        data = {"rows": [row], "rounds": 3, "seconds": 1.0, "label": "O3",
                "systems": {"disk": "ext4", "memory": "tmpfs"}}
        self.assertEqual(tables.pauses_table(data)[1], [
            "somewhere", "5", "0.0000", "2.0000", "0", "2", "2.0000",
            "9.0000"])
        self.assertIn("The disk is ext4,",
                      " ".join(tables.pauses_notes(data)))

    def test_where_files_are(self):
        self.assertEqual(pauses.file_system(pathlib.Path("/proc/self")),
                         "proc")

    def test_each_way_is_what_it_says(self):
        with tempfile.TemporaryDirectory() as folder:
            places = {pauses.DISK: folder, pauses.MEMORY: folder}
            asked = []

            class Build:
                def command(self, options, arguments):
                    asked.append((options, arguments))
                    return [sys.executable, "-c", "print('{}')"]

            for way in pauses.WAYS:
                self.assertEqual(
                    pauses.run_loop(Build(), way, places, 1), {})
        for way, (given, (_, _, allocates, *file)) in zip(pauses.WAYS, asked):
            self.assertEqual(bool(given), way.traced)
            self.assertEqual(allocates, str(int(way.traced)))
            self.assertEqual(bool(file), way.file is not None)
            self.assertEqual("record=" in "".join(given),
                             way.record is not None)

    def test_bad_options(self):
        for arguments, message in (
                (["--rounds", "0"], "--rounds and --seconds must be positive"),
                (["--disk", "/proc/nowhere"], "is not a folder that can")):
            with (self.assertRaises(SystemExit),
                  contextlib.redirect_stderr(io.StringIO()) as said):
                pauses.parse(["--fork", sys.executable, "--output", "/tmp",
                              *arguments])
            self.assertIn(message, said.getvalue())

    def test_page(self):
        row = {"text": "somewhere", "turns": 5, "percentile": 1, "longest": 2,
               "over": 0, "asleep": 0, "longest_asleep": 0, "worst_asleep": 0}
        data = {"kind": pages.PAUSES, "label": "O3", "partial": False,
                "machine": MACHINE, "builds": {}, "command": "pauses",
                "rows": [row], "rounds": 9, "seconds": 5.0,
                "systems": {"disk": "a", "memory": "b"}}
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            pages.write(folder / "pauses-O3.json", data)
            pages.write_pages(folder)
            text = (folder / pages.PAGE).read_text()
        self.assertIn("Pauses, O3\n==========", text)
        self.assertIn("\nsomewhere         5", text)
