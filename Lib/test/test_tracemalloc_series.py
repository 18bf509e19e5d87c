"""python -m tracemalloc series: what grew over many snapshots."""

import fractions
import io
import os
import random
import re
import unittest
import weakref
from contextlib import redirect_stdout
from test.tracemalloc_commands import (
    CommandTests, full_snapshot, snapshot_of)
from unittest import mock

from tracemalloc import _cli, _format
from tracemalloc._cli import files, series
from tracemalloc._errors import SnapshotFormatError
from tracemalloc._series import CURVE, Series


def fitted(times, values):
    """Return the slope of the line of least squares, as a fraction."""
    n = len(times)
    times = [fractions.Fraction(time) for time in times]
    mean_time = sum(times) / n
    mean = fractions.Fraction(sum(values), n)
    spread = sum((time - mean_time) ** 2 for time in times)
    if not spread:
        return 0
    return sum((time - mean_time) * (value - mean)
               for time, value in zip(times, values)) / spread


def added(columns, times=None):
    """Return the Series of {name: values}, where 0 is nothing at all."""
    number = len(next(iter(columns.values())))
    found = Series(number, times)
    for at in range(number):
        found.add([(name, values[at]) for name, values in columns.items()
                   if values[at]],
                  sum(values[at] for values in columns.values()))
    return found


class SumTests(unittest.TestCase):
    def test_slopes_are_those_of_the_least_squares(self):
        generator = random.Random(7)
        for number in (2, 3, 4, 5, 17, 60):
            for _ in range(5):
                columns = {name: [generator.choice((0, 1)) * each
                                  for each in generator.choices(
                                      range(1 << 40), k=number)]
                           for name in "abc"}
                columns["a"][0] = 7
                times = sorted(generator.choices(range(1 << 20), k=number))
                times[-1] += 1
                found = added(columns, times)
                for name, values in columns.items():
                    if any(values):
                        self.assertAlmostEqual(
                            found.slope(found.lines[name]) / (1 << 40),
                            float(fitted(times, values)) / (1 << 40))
                total = [*map(sum, zip(*columns.values()))]
                self.assertAlmostEqual(
                    found.slope(found.total) / (1 << 40),
                    float(fitted(times, total)) / (1 << 40))

    def test_per_snapshot(self):
        for times in None, [5.0, 5.0, 5.0]:
            found = added({"a": [10, 20, 30], "b": [9, 3, 0]}, times)
            self.assertFalse(found.per_second)
            self.assertEqual(found.slope(found.lines["a"]), 10.0)
            self.assertEqual(found.slope(found.lines["b"]), -4.5)

    def test_how_often_it_rose(self):
        generator = random.Random(3)
        for _ in range(50):
            values = [generator.randrange(3) for _ in range(9)]
            values[generator.randrange(9)] = 1
            line = added({"a": values}).lines["a"]
            steps = [*zip(values, values[1:])]
            self.assertEqual(
                (line.first, line.last, line.rises, line.falls),
                (values[0], values[-1], sum(b > a for a, b in steps),
                 sum(b < a for a, b in steps)))

    def test_curves_have_the_last_value_of_each_part(self):
        generator = random.Random(4)
        for number in (2, 3, CURVE - 1, CURVE, CURVE + 1, 100, 1000):
            values = [generator.randrange(3) for _ in range(number)]
            values[generator.randrange(number)] = 2
            found = added({"a": values})
            points = min(CURVE, number)
            parts = {}
            for at, value in enumerate(values):
                parts[at * points // number] = value
            self.assertEqual(found.curve(found.lines["a"]),
                             [parts[point] for point in range(points)])
            self.assertEqual(found.curve(found.total),
                             [parts[point] for point in range(points)])

    def test_steady_growth(self):
        leak = [*range(100, 300, 10)]
        for what, values, expected in (
                ("a leak", leak, "steady"),
                ("a leak with noise", [value + 12 * (at % 3 == 1)
                                       for at, value in enumerate(leak)],
                 "steady"),
                ("a leak of what is rare", [10 + at // 4 for at in range(20)],
                 "steady"),
                ("a program that starts", [1, 5, 9] + [10] * 17, "rises"),
                ("a cache that fills up",
                 [min(40, 5 * at + 1) for at in range(20)], "rises"),
                ("a cache of texts that become longer",
                 [min(4000, 1000 * at) + at for at in range(20)], "rises"),
                ("a leak that is faster and faster",
                 [at * at for at in range(20)], "steady"),
                ("a step", [10] * 9 + [20] * 11, "rises"),
                ("two steps", [10] * 3 + [20] * 11 + [30] * 6, "rises"),
                ("up and down", [10 + at % 2 for at in range(20)], "rises"),
                ("down", leak[::-1], "falls"),
                ("what has come and gone", [0] * 9 + [5, 5] + [0] * 9,
                 "flat"),
                ("three snapshots", [1, 2, 3], "steady"),
                ("two snapshots", [1, 2], "rises")):
            with self.subTest(what):
                found = added({"a": values})
                self.assertEqual(found.trend(found.lines["a"]), expected)

    def test_steady_growth_comes_first(self):
        found = added({
            "step": [1] * 10 + [9000] * 10, "leak": [*range(1, 21)],
            "more": [*range(1, 201, 10)], "same": [5] * 20,
            "less": [*range(20, 0, -1)]})
        self.assertEqual([name for _, _, name, _ in found.ranking()],
                         ["more", "leak", "step", "less"])

    def test_memory_does_not_depend_on_the_number_of_snapshots(self):
        found = Series(5000)
        for at in range(5000):
            found.add([("a", at + 1)], at)
        line = found.lines["a"]
        self.assertLessEqual(len(line._points), CURVE)
        self.assertLessEqual(len(line._marks), 5)


class CommandLineTests(CommandTests):
    def dump(self, number, *traces, time=None, command="python app.py"):
        snapshot = snapshot_of(*traces)
        snapshot.metadata = {"command": command.split()}
        if time is not None:
            snapshot.metadata["time"] = time
        snapshot.dump(f"{number}.tmz")

    def make(self, number=4, minute=60):
        """Write files that are not named in the order of their times."""
        for at in range(number):
            self.dump(number - at, (1000 * (at + 1), 1, 5, 2, 6), (64, 1, 2),
                      (100 if at else 9, 1, 4, 2, 6), time=86400 + at * minute)
        return [f"{at + 1}.tmz" for at in range(number)]

    def test_series(self):
        with mock.patch.dict(os.environ, {"TZ": "UTC0"}):
            series.time.tzset()
            text = self.output("series", *self.make())
        series.time.tzset()
        self.assertEqual(text, """\
4 snapshots in 3 min: 1 line grows steadily, of 2 that changed, by size
per min   change    size  rose  shape   trend  line
+1000 B  +3000 B  4000 B   3/3   ▁▃▅█  steady  app.py:5
                                                 return data.split()
  +27 B    +91 B   100 B   1/3   ▁███   rises  app.py:4
                                                 data = open(path).read()
+1027 B  +3091 B  4164 B   3/3   ▁▃▅█  steady  total

              taken   change    size  change  blocks  snapshot
1970-01-02 00:00:00           1073 B               3  4.tmz
1970-01-02 00:01:00  +1091 B  2164 B       0       3  3.tmz
1970-01-02 00:02:00  +1000 B  3164 B       0       3  2.tmz
1970-01-02 00:03:00  +1000 B  4164 B       0       3  1.tmz
""")

    def test_json(self):
        found = self.json("series", "-n", "1", *self.make())
        self.assertEqual([file["file"] for file in found["files"]],
                         ["4.tmz", "3.tmz", "2.tmz", "1.tmz"])
        self.assertEqual(found["slope_per"], "second")
        group, = found["groups"]
        self.assertEqual(group, {
            "filename": "app.py", "lineno": 5, "source": "return data.split()",
            "slope": 1000 / 60, "trend": "steady", "first": 1000,
            "last": 4000, "rises": 3, "falls": 0,
            "curve": [1000, 2000, 3000, 4000]})
        self.assertEqual(found["more"], {"groups": 1})
        self.assertEqual(found["total"]["last"], 4164)

    def test_units_of_slopes(self):
        for minute, unit in ((1, "s"), (60, "min"), (3600, "h"),
                             (86400, "day")):
            text = self.output("series", *self.make(minute=minute))
            self.assertRegex(text, rf"\n *per {unit} ")
            self.assertRegex(text, r"\n *\+1000 B  \+3000 B  4000 B")

    def test_totals_add_up(self):
        generator = random.Random(1)
        for at in range(6):
            self.dump(at, *((generator.randrange(1, 99), 1, line)
                            for line in range(1, 9)), time=at)
        names = [f"{at}.tmz" for at in range(6)]
        for option in "-glineno", "-gfilename", "-gtraceback", "-gdomain":
            found = self.json("series", "-n999", option, *names)
            self.assertEqual([file["size"] for file in found["files"]],
                             [self.json("stats", name)["size"]
                              for name in names])
            if option == "-glineno":
                for at, key in (0, "first"), (-1, "last"):
                    self.assertEqual(
                        sum(group[key] for group in found["groups"]),
                        found["files"][at]["size"])

    def test_curves_of_ascii(self):
        names = self.make()
        self.assertIn("  _-=#  ", self.output("series", "--ascii", *names))
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        with redirect_stdout(stream):
            self.assertEqual(_cli._main(["series", *names]), 0)
            stream.flush()
        self.assertIn(b"  _-=#  ", stream.buffer.getvalue())

    def test_narrow_screens(self):
        names = self.make(30)
        os.environ["COLUMNS"] = "80"
        lines = self.output("series", *names).splitlines()
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertIn("▁▂▃▃▅▆▇█", lines[2])
        self.assertIn("app.py:5", lines[2])

    def test_many_files(self):
        names = self.make(30)
        text = self.output("series", *names)
        self.assertEqual(len(re.findall(r"(?m)\d\.tmz$", text)), 20)
        self.assertIn("(10 more)\n", text)

    def test_order_without_times(self):
        self.dump(1, (10, 1, 5))
        self.dump(2, (30, 1, 5))
        self.dump(3, (20, 1, 5), time=5)
        text = self.output("series", "1.tmz", "2.tmz")
        self.assertIn("\nper snapshot ", text)
        status, out, err = self.call("series", "3.tmz", "1.tmz", "2.tmz")
        self.assertIn("1.tmz does not tell when it was taken: snapshots stay "
                      "in the order in which they are named", err)
        self.assertIn("  ▄▁█  ", out)

    def test_times_that_make_no_sense(self):
        for time in "now", float("nan"), 1e300, True, [1], None:
            snapshot = snapshot_of((8, 1, 5))
            snapshot.metadata = {"time": time}
            snapshot.dump("odd.tmz")
            self.assertIn("per snapshot", self.output(
                "series", "odd.tmz", "odd.tmz", "a.tmz"))

    def test_what_is_gone_and_what_is_new(self):
        self.dump(1, (10, 1, 5), (5, 1, 2), time=1)
        self.dump(2, (20, 1, 4), (5, 1, 2), time=2)
        found = self.json("series", "1.tmz", "2.tmz")["groups"]
        self.assertEqual(
            [(group["lineno"], group["first"], group["last"], group["trend"])
             for group in found], [(4, 0, 20, "rises"), (5, 10, 0, "falls")])

    def test_nothing_changed(self):
        self.assertIn("2 snapshots: nothing changed\n",
                      self.output("series", "a.tmz", "a.tmz"))

    def test_other_options(self):
        names = self.make()
        found = self.json("series", "--sort", "count", *names)
        self.assertEqual(found["groups"], [])
        found = self.json("series", "--include", "app.py:4", *names)
        self.assertEqual(found["total"]["last"], 100)
        found = self.json("series", "-g", "filename", "--cumulative", *names)
        self.assertEqual(found["groups"][0]["last"], 3 * 4100 + 64)
        found = self.json("series", "--mine=app", "-g", "module", *names)
        self.assertEqual(found["groups"][0]["module"], "app")
        found = self.json("series", "--at-peak", "full.tmz", "full.tmz")
        self.assertEqual(found["total"]["last"], 7000)

    def test_functions_are_those_of_the_last_snapshot(self):
        for number, size in (1, 10), (2, 20):
            full_snapshot((5, "read", (1, size), (1, size), (1, size)),
                          metadata={"time": number}).dump(f"{number}.tmz")
        self.assertIn("app.py:5 read()\n",
                      self.output("series", "1.tmz", "2.tmz"))

    def test_wrong_use(self):
        self.assertIn("name two or more snapshot files",
                      self.fails("series", "a.tmz"))
        os.mkdir("hours")
        self.assertIn("such as those in hours/", self.fails("series",
                                                            "hours"))
        self.assertIn("a.tmz: the file tells what is live only", self.fails(
            "series", "--at-peak", "a.tmz", "b.tmz"))
        self.assertIn("--cumulative makes no sense with --group-by domain",
                      self.fails("series", "-c", "-gdomain", "a.tmz", "b.tmz"))
        self.assertIn("none.tmz: No such file",
                      self.fails("series", "a.tmz", "none.tmz"))
        self.assertIn("invalid choice: 'temporary'", self.fails(
            "series", "--sort", "temporary", "a.tmz", "b.tmz"))

    def test_different_programs(self):
        self.dump(1, (10, 1, 5), time=1)
        self.dump(2, (10, 1, 5), time=2, command="python other.py")
        self.assertIn("1.tmz is of the program app.py, 2.tmz of other.py",
                      self.call("series", "1.tmz", "2.tmz")[2])

    def test_names_that_control_terminals(self):
        for number in 1, 2:
            snapshot_of((8 * number, 1, ("\x1b[2J.py", 5))).dump(
                f"{number}\x1b.tmz")
        self.assertNotIn("\x1b", self.output("series", "1\x1b.tmz",
                                             "2\x1b.tmz"))

    def test_one_file_is_in_memory_at_a_time(self):
        names = self.make(6)
        known = []

        def load(name, options):
            # Of what was loaded before, the last one may still be there.
            self.assertLessEqual(
                sum(each() is not None for each in known), 1)
            snapshot = files.load(name, options)
            known.append(weakref.ref(snapshot))
            return snapshot

        with mock.patch.object(series, "load", load):
            self.output("series", *names)
        self.assertEqual(len(known), 6)

    @unittest.skipUnless(os.path.isdir("/dev/fd"), "needs /dev/fd")
    def test_what_can_be_read_once(self):
        names, pipes = self.make(3), []
        expected = self.json("series", *names)
        for name in names:
            reading, writing = os.pipe()
            self.addCleanup(os.close, reading)
            with open(name, "rb") as stream, open(writing, "wb") as pipe:
                # There is room for it.
                pipe.write(stream.read())
            pipes.append(f"/dev/fd/{reading}")
        found = self.json("series", *pipes)
        self.assertEqual(found["total"], expected["total"])
        self.assertEqual(found["groups"], expected["groups"])


class MetadataTests(CommandTests):
    def test_of_each_format(self):
        snapshot = snapshot_of((8, 1, 5))
        snapshot.metadata = {"time": 7, "pid": 3}
        for name in "one.tmz", "one.pickle":
            snapshot.dump(name)
            self.assertEqual(_format.read_metadata(name), snapshot.metadata)
        snapshot_of((8, 1, 5)).dump("bare.pickle")
        self.assertEqual(_format.read_metadata("bare.pickle"), {})

    def test_no_more_is_read_than_needed(self):
        snapshot = snapshot_of((8, 1, 5))
        snapshot.metadata = {"time": 7}
        snapshot.dump("one.tmz")
        with open("one.tmz", "rb") as stream:
            data = stream.read()
        whole = len(data)
        shortest = next(size for size in range(whole) if self.is_read(
            data[:size]))
        self.assertLess(shortest, whole // 2)
        # Damaged before that, it is told to be; whatever byte it is.
        for at in range(shortest):
            damaged = bytearray(data)
            damaged[at] ^= 0x40
            self.assertFalse(self.is_read(damaged), at)

    def is_read(self, data):
        with open("part.tmz", "wb") as stream:
            stream.write(data)
        try:
            return _format.read_metadata("part.tmz") == {"time": 7}
        except SnapshotFormatError:
            return False


if __name__ == "__main__":
    unittest.main()
