"""Snapshots as profiles: tracemalloc._pprof, export --format pprof."""
import gzip
import io
import os
import stat
import subprocess
import sys
import tracemalloc
import unittest
from array import array
from test.tracemalloc_commands import CommandTests
from test.tracemalloc_files import (full_data, full_snapshot, made_by_hand)
from test.tracemalloc_profiles import Profile
from tracemalloc import _pprof
from tracemalloc._columns import COLUMNS, ROWS, TOTALS, SnapshotData

TYPES = (("alloc_objects", "count"), ("alloc_space", "bytes"),
         ("inuse_objects", "count"), ("inuse_space", "bytes"))


def exported(snapshot, *arguments):
    stream = io.BytesIO()
    _pprof.export_pprof(snapshot, stream, *arguments)
    return stream.getvalue()


def profile(snapshot, *arguments):
    return Profile(exported(snapshot, *arguments))


def written(*parts, **options):
    """Return the profile of (snapshot, arguments of add())."""
    stream = io.BytesIO()
    writer = _pprof.ProfileWriter(stream, **options)
    writer.describe(shown="inuse_space")
    for snapshot, arguments in parts:
        writer.add(snapshot, **arguments)
    writer.close()
    return Profile(stream.getvalue())


class ProfileTests(unittest.TestCase):

    def test_samples_are_what_the_snapshot_has(self):
        found = profile(full_snapshot())
        self.assertEqual(found.types, TYPES)
        self.assertEqual(found.shown, "inuse_space")
        self.assertEqual(found.period, ("space", "bytes", 1))
        self.assertEqual(found.samples, {
            ((("b.C.m\xe9", "b.py", 8), ("a.f", "a.py", 3)),
             (("thread", "MainThread"), ("domain", "0"),
              ("account", "GET /cart"))): [10, 170, 3, 44],
            ((("a.f", "a.py", 7), ("c\\udc80", "c\\udc80.py", 4)),
             (("thread", "MainThread"), ("domain", "389047"))):
                [7, 700, 7, 700],
            ((("<unknown>", "<unknown>", 0),), (("domain", "0"),)):
                [3, 3, 0, 0]})

    def test_figures_choose_what_is_shown(self):
        for figure, shown in {
                "size": "inuse_space", "count": "inuse_objects",
                "allocated_size": "alloc_space",
                "allocated_count": "alloc_objects"}.items():
            found = profile(full_snapshot(), figure)
            self.assertEqual(found.shown, shown)
            self.assertEqual(found.total("inuse_space"), 744)
            self.assertEqual(found.total("alloc_space"), 873)

    def test_the_peak_can_be_what_is_in_use(self):
        found = profile(full_snapshot(), "peak_size")
        self.assertEqual(found.shown, "inuse_space")
        self.assertEqual(found.total("inuse_space"), 801)
        self.assertEqual(found.total("inuse_objects"), 13)
        self.assertIn("what is in use is what was held at the peak",
                      found.comments)
        self.assertEqual(profile(full_snapshot(), "peak_count").shown,
                         "inuse_objects")
        # Data of the peak have nothing else.
        peak = full_snapshot(full_data(**dict.fromkeys(ROWS)))
        self.assertEqual(profile(peak).total("inuse_space"), 801)

    def test_what_is_not_known_is_no_type(self):
        snapshot = full_snapshot(full_data(**dict.fromkeys(TOTALS)))
        found = profile(snapshot)
        self.assertEqual(found.types, TYPES[2:])
        self.assertEqual(found.total("inuse_space"), 744)
        for figure in "allocated_size", "peak_count":
            with self.assertRaisesRegex(ValueError,
                                        f"does not tell '{figure}'"):
                exported(snapshot, figure)
        with self.assertRaisesRegex(ValueError, "no figure 'freed_size'; it "
                                    "has size, count, "):
            exported(full_snapshot(), "freed_size")

    def test_estimates_are_marked_and_not_scaled_again(self):
        snapshot = full_snapshot()
        self.assertIn("exact", profile(snapshot).comments[0])
        snapshot.metadata["sample_interval"] = 524288
        found = profile(snapshot)
        self.assertEqual(found.period, ("space", "bytes", 524288))
        self.assertEqual(found.total("inuse_space"), 744)
        self.assertRegex(found.comments[0],
                         "estimates .* scaled already.* in 524288 bytes")

    def test_time_and_program(self):
        snapshot = full_snapshot()
        self.assertEqual(profile(snapshot).time, 0)
        snapshot.metadata.update(
            time=1_700_000_000.5, command=["python", "-X", "tracemalloc",
                                           "/srv/app.py", "secret"])
        data = exported(snapshot)
        found = Profile(data)
        self.assertEqual(found.time, 1_700_000_000_500_000_000)
        self.assertEqual(found.duration, 0)
        self.assertEqual(found.programs, ["/srv/app.py"])
        # Arguments may be secret.
        self.assertNotIn(b"secret", gzip.decompress(data))
        for time in "now", -1, 1e300, float("nan"), float("inf"), None, True:
            snapshot.metadata["time"] = time
            self.assertEqual(profile(snapshot).time, 0)

    def test_programs(self):
        for command, program in [
                ("python app.py -m x", "app.py"),
                ("python -m pkg.tool x.py", "pkg.tool"),
                ("python -mtool", "tool"), ("python -c code", "-c"),
                ("python -W error -I app", "app"), ("python", ""),
                ("python -m tracemalloc run -o a.tmz app.py -v", "app.py"),
                ("python -m tracemalloc run -m app.py", "app.py"),
                ("python -m tracemalloc run app", "tracemalloc")]:
            self.assertEqual(_pprof.program_of(command.split()), program)
        for nonsense in None, 3, "python app.py", [1, 2], {}:
            self.assertEqual(_pprof.program_of(nonsense), "")

    def test_equal_call_paths_are_one_sample(self):
        # One instruction more, otherwise equal to the first context.
        columns = {name: list(getattr(full_data(), name)) for name in COLUMNS}
        for name in COLUMNS:
            if name.startswith("context_"):
                columns[name].append(columns[name][0])
        columns["context_column"][-1] = 30
        data = full_data(**columns)
        found = profile(full_snapshot(data))
        self.assertEqual((len(found.samples), found.repeated), (3, 0))
        self.assertEqual(max(found.samples.values()), [20, 340, 6, 88])

    def test_numbers_without_room_are_an_error(self):
        self.assertEqual(profile(made_by_hand().filter_traces(
            [tracemalloc.Filter(False, "b.py")])).total("inuse_objects"), 6)
        with self.assertRaisesRegex(ValueError, "more than the 63 bits"):
            exported(made_by_hand())

    def test_integers_of_every_length(self):
        for bits in range(1, 64):
            for number in {(1 << bits) - 1, 1 << bits - 1}:
                snapshot = full_snapshot(full_data(
                    context_allocated_bytes=[number, number, number],
                    context_freed_bytes=[0, 0, 0]))
                found = profile(snapshot)
                self.assertEqual([values[1]
                                  for values in found.samples.values()],
                                 [number] * 3)

    def test_equal_snapshots_give_equal_profiles(self):
        raw = [(0, 10 + line, (("a.py", line), ("b.py", line % 3)), 2)
               for line in range(50)]
        profiles = {exported(tracemalloc.Snapshot(traces, 3))
                    for traces in (raw, raw[::-1], raw[30:] + raw[:30])}
        self.assertEqual(len(profiles), 1)

    def test_addresses_are_those_of_the_line_in_every_profile(self):
        # Who makes differences may look at nothing else.
        first = profile(full_snapshot())
        second = profile(tracemalloc.Snapshot(
            [(0, 5, (("x.py", 1), ("a.py", 1)), 2),
             (0, 5, (("x.py", 1), ("a.py", 2)), 2)], 3))
        third = profile(tracemalloc.Snapshot(
            [(0, 5, (("a.py", 2), ("y.py", 1)), 2)], 3))
        self.assertEqual(len(first.addresses), 5)
        self.assertEqual(len(second.addresses), 3)
        common = second.addresses.items() & third.addresses.items()
        self.assertEqual([frame for _, frame in common], [("a", "a.py", 2)])

    def test_nothing_at_all(self):
        found = profile(tracemalloc.Snapshot([], 1))
        self.assertEqual((found.samples, found.types), ({}, TYPES[2:]))

    def test_a_snapshot_of_this_process(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the test would end it")
        tracemalloc.start(10)
        kept = [bytes(1000) for _ in range(10)]
        snapshot = tracemalloc.take_snapshot()
        tracemalloc.stop()
        del kept
        found = profile(snapshot)
        for kind, figure in (("inuse_space", "size"),
                             ("inuse_objects", "count"),
                             ("alloc_space", "allocated_size")):
            lines = {}
            for each in snapshot.statistics("lineno", sort_by=figure):
                frame = each.traceback[0]
                if getattr(each, figure):
                    lines[frame.filename, frame.lineno] = getattr(each, figure)
            self.assertEqual(found.by_line(kind), lines)
        self.assertIn(self.id().rpartition(".")[2],
                      {name.rpartition(".")[2]
                       for name, _, _ in found.addresses.values()})


class WriterTests(unittest.TestCase):
    """Several snapshots in one profile."""

    def test_labels_of_parts(self):
        found = written((full_snapshot(), {"labels": [("pid", "7")]}),
                        (full_snapshot(), {"labels": [("pid", "8")]}))
        self.assertEqual(found.total("inuse_space"), 2 * 744)
        self.assertEqual(found.by(lambda frame, labels: labels["pid"],
                                  "inuse_space"), {"7": 744, "8": 744})
        self.assertEqual((len(found.samples), found.repeated), (6, 0))
        # What they have in common is there once.
        self.assertEqual(len(found.addresses), 5)

    def test_a_family_has_the_numbers_of_its_processes(self):
        stream = io.BytesIO()
        _pprof.export_pprof(full_snapshot(), stream,
                            parts={7: full_snapshot(), 8: full_snapshot()})
        found = Profile(stream.getvalue())
        self.assertEqual(found.by(lambda frame, labels: labels["pid"],
                                  "inuse_space"), {"7": 744, "8": 744})

    def test_labels_that_are_wanted(self):
        found = written((full_snapshot(), {}), labels=("domain",))
        self.assertEqual({labels for _, labels in found.samples},
                         {(("domain", "0"),), (("domain", "389047"),)})
        found = written((full_snapshot(), {}), labels=())
        self.assertEqual({labels for _, labels in found.samples}, {()})

    def test_merged_are_the_sums(self):
        found = written((full_snapshot(), {}), (full_snapshot(), {}),
                        merged=True)
        self.assertEqual((len(found.samples), found.repeated), (3, 0))
        self.assertEqual(found.total("inuse_space"), 2 * 744)

    def test_differences_leave_out_what_is_equal(self):
        columns = full_data()
        more = full_data(context_allocated_blocks=[11, 7, 3],
                         context_allocated_bytes=[200, 700, 3],
                         context_freed_blocks=[10, 0, 3],
                         context_freed_bytes=[196, 0, 3])
        found = written((full_snapshot(columns), {"signs": (-1,) * 4}),
                        (full_snapshot(more), {}), merged=True)
        self.assertEqual(list(found.samples.values()), [[1, 30, -2, -40]])

    def test_sums_without_room_are_an_error(self):
        data = full_data(context_allocated_bytes=[1 << 62] * 3)
        snapshot = full_snapshot(data)
        with self.assertRaisesRegex(ValueError, "more than the 63 bits"):
            written((snapshot, {}), (snapshot, {}), merged=True)

    def test_allocations_that_are_not_known_are_an_error(self):
        snapshot = full_snapshot(full_data(**dict.fromkeys(TOTALS)))
        with self.assertRaisesRegex(ValueError, "not tell 'allocated_size'"):
            written((snapshot, {}))


class NameTests(unittest.TestCase):

    def test_functions_are_named_as_one_says_them(self):
        folders = ["/srv", "/usr/lib/python3.13"]
        for filename, function, name in [
                ("/srv/app.py", "C.m", "app.C.m"),
                ("/srv/shop/__init__.py", "<module>", "shop.<module>"),
                ("/srv/shop/cart.py", "", "shop.cart"),
                ("/usr/lib/python3.13/json/decoder.py", "loads",
                 "json.decoder.loads"),
                ("/x/site-packages/django/db/models/query.py", "Q.f",
                 "django.db.models.query.Q.f"),
                ("/elsewhere/tool.py", "main", "tool.main"),
                ("/elsewhere/tool/__init__.py", "main", "tool.main"),
                ("__init__.py", "f", "__init__.f"), (".py", "f", ".py.f"),
                ("<frozen importlib._bootstrap>", "_load",
                 "importlib._bootstrap._load"),
                ("<string>", "<module>", "<string>.<module>"),
                ("<a.b>", "f", "<a.b>.f"), ("", "", "")]:
            with self.subTest(filename=filename):
                self.assertEqual(
                    _pprof.function_name(filename, function, folders), name)


class HostileTests(unittest.TestCase):

    def test_deep_call_paths_keep_to_what_is_allowed(self):
        depth, contexts = 60_000, 3_000
        columns = {name: array(code, [0] * contexts)
                   for name, code in COLUMNS.items()
                   if name.startswith("context")}
        columns["context_path"] = array("I", [depth] * contexts)
        columns["context_line"] = array("i", range(contexts))
        columns["context_allocated_blocks"] = array("Q", [1] * contexts)
        paths = range(depth + 1)
        columns["path_parent"] = array("I", [0, *paths[:-1]])
        for name in "path_file", "path_function":
            columns[name] = array("I", bytes(4 * len(paths)))
        columns["path_line"] = array("i", paths)
        data = SnapshotData([""], **columns)
        data.max_size = 1 << 20
        with self.assertRaisesRegex(tracemalloc.SnapshotFormatError,
                                    "are allowed"):
            exported(tracemalloc.Snapshot._of(data, 65535, {}))


class ExportTests(CommandTests):

    def test_the_command(self):
        self.output("export", "--format", "pprof", "-o", "x", "full.tmz")
        with open("x", "rb") as stream:
            found = Profile(stream.read())
        self.assertEqual(found.by_line("inuse_space"),
                         {("app.py", 5): 2000, ("app.py", 2): 64})
        self.assertEqual(found.programs, ["a b.py"])
        self.assertEqual(stat.S_IMODE(os.stat("x").st_mode) & 0o111, 0)

    def test_names_of_files_tell_the_format(self):
        for name in "x.pprof", "x.pb.gz":
            self.output("export", "--at-peak", "-o", name, "full.tmz")
            with open(name, "rb") as stream:
                found = Profile(stream.read())
            self.assertEqual(found.by_line("inuse_space"),
                             {("app.py", 5): 4000, ("app.py", 4): 3000})

    def test_filters(self):
        self.output("export", "--exclude", "app.py:5", "-o", "x.pprof",
                    "full.tmz")
        with open("x.pprof", "rb") as stream:
            self.assertEqual(Profile(stream.read()).total("inuse_space"), 64)

    def test_standard_output(self):
        found = subprocess.run(
            [sys.executable, "-m", "tracemalloc", "export", "--format",
             "pprof", "full.tmz"], check=True, stdout=subprocess.PIPE).stdout
        self.assertEqual(Profile(found).total("inuse_space"), 2064)

    def test_wrong_use(self):
        self.assertIn("a profile is no text: name an --output",
                      self.fails("export", "--format", "pprof", "full.tmz"))
        self.assertIn("a profile has no figure 'freed_size'; it has size, ",
                      self.fails("export", "--sort", "freed_size", "-o",
                                 "x.pprof", "full.tmz"))
        self.assertIn("does not tell 'peak_size'",
                      self.fails("export", "--at-peak", "-o", "x.pprof",
                                 "a.tmz"))
        self.assertFalse(os.path.exists("x.pprof"))


if __name__ == "__main__":
    unittest.main()
