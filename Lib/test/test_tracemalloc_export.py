"""Snapshots as text for other programs: tracemalloc._export."""
import csv
import io
import json
import random
import tracemalloc
import unittest
from test.tracemalloc_files import (METADATA, RAW, full_data,
                                    full_snapshot, made_by_hand)
from tracemalloc import _export
from tracemalloc._columns import (
    CONTEXTS, PATHS, ROWS, TOTALS, SnapshotData)


def exported(export, snapshot, *args):
    stream = io.StringIO(newline="")
    export(snapshot, stream, *args)
    return stream.getvalue()


class Counted:
    """A stream of which only the size is known."""

    size = 0

    def write(self, text):
        self.size += len(text)


def with_a_long_name(length, **columns):
    """Return a snapshot of contexts of one file whose name is that long.

    *columns* tells them apart.
    """
    column, = columns.values()
    contexts = {name: [0] * len(column) for name in CONTEXTS}
    contexts |= {f"context_{name}": list(column)
                 for name, column in columns.items()}
    contexts["context_file"] = [1] * len(column)
    return tracemalloc.Snapshot._of(SnapshotData(
        ["", "x" * length], **contexts, **{name: [0] for name in PATHS},
        row_context=list(range(len(column))), row_size=[8] * len(column),
        row_count=[1] * len(column)), 1, {})


class JsonTests(unittest.TestCase):

    def test_everything_that_is_known_is_there(self):
        found = json.loads(exported(_export.export_json, full_snapshot()))
        contexts = found.pop("contexts")
        self.assertEqual(found, {
            "tracemalloc": 1, "metadata": METADATA, "traceback_limit": 2,
            "total_size": 744, "total_count": 10})
        self.assertEqual([context["size"] for context in contexts],
                         [700, 44, 0])
        self.assertEqual(contexts[1], {
            "size": 44, "count": 3, "allocated_size": 170,
            "allocated_count": 10, "freed_size": 126, "freed_count": 7,
            "peak_size": 100, "peak_count": 5, "domain": 0,
            "thread": "MainThread", "account": "GET /cart",
            "total_nframe": 3, "traceback": [
                {"filename": "b.py", "lineno": 8, "function": "C.m\xe9"},
                {"filename": "a.py", "lineno": 3, "function": "f",
                 "end_lineno": 3, "column": 4, "end_column": 9}]})
        self.assertEqual(contexts[2]["thread"], None)
        self.assertEqual([contexts[at]["account"] for at in (0, 2)],
                         [None, None])
        self.assertEqual(contexts[2]["traceback"], [
            {"filename": "<unknown>", "lineno": 0, "function": None,
             "end_lineno": None, "column": None, "end_column": None}])

    def test_what_is_not_known_is_left_out(self):
        found = json.loads(exported(_export.export_json, made_by_hand()))
        self.assertEqual(found["total_count"], len(RAW))
        self.assertEqual(found["total_size"], sum(trace[1] for trace in RAW))
        self.assertEqual([key for key in found["contexts"][0]
                          if key.endswith("size")],
                         ["size"])
        self.assertEqual(
            sum(context["count"] for context in found["contexts"]), len(RAW))

    def test_metadata_that_are_no_numbers_are_left_out(self):
        def constant(name):
            self.fail(f"{name} is no JSON")

        for number in float("nan"), float("inf"), -float("inf"):
            snapshot = full_snapshot()
            snapshot.metadata = {"time": number, "deep": [{"of": number}],
                                 "pid": 7}
            found = json.loads(exported(_export.export_json, snapshot),
                               parse_constant=constant)
            self.assertEqual(found["metadata"], {"pid": 7})

    def test_one_context_per_line(self):
        lines = exported(_export.export_json, full_snapshot()).splitlines()
        self.assertEqual(len(lines), 5)
        for line in lines[1:-1]:
            json.loads(line.rstrip(","))

    def test_no_context_at_all(self):
        found = json.loads(exported(_export.export_json,
                                    tracemalloc.Snapshot([], 1)))
        self.assertEqual(found["contexts"], [])


class CsvTests(unittest.TestCase):

    def test_columns(self):
        rows = list(csv.DictReader(
            io.StringIO(exported(_export.export_csv, full_snapshot()))))
        self.assertEqual(rows[1], {
            "size": "44", "count": "3", "allocated_size": "170",
            "allocated_count": "10", "freed_size": "126", "freed_count": "7",
            "peak_size": "100", "peak_count": "5", "domain": "0",
            "thread": "MainThread", "account": "GET /cart",
            "filename": "a.py", "lineno": "3",
            "end_lineno": "3", "column": "4", "end_column": "9",
            "function": "f", "traceback": "C.m\xe9 (b.py:8);f (a.py:3)"})
        self.assertEqual([row["filename"] for row in rows],
                         ["c\\udc80.py", "a.py", "<unknown>"])

    def test_what_is_not_known_is_empty(self):
        snapshot = full_snapshot(full_data(**dict.fromkeys(TOTALS)))
        rows = list(csv.DictReader(
            io.StringIO(exported(_export.export_csv, snapshot))))
        self.assertEqual([(row["size"], row["allocated_size"],
                           row["peak_count"])
                          for row in rows],
                         [("700", "", ""), ("44", "", "")])

    def test_names_with_separators_stay_in_their_field(self):
        snapshot = tracemalloc.Snapshot([(0, 1, (('a,"b"\n;c.py', 1),), 1)], 1)
        row, = csv.DictReader(
            io.StringIO(exported(_export.export_csv, snapshot), newline=""))
        self.assertEqual(row["filename"], 'a,"b"\n;c.py')
        self.assertEqual(row["traceback"], 'a,"b"?,c.py:1')


    def test_no_cell_is_a_formula(self):
        for start in "=+-@\t\r":
            name = f"{start}cmd|'/c calc'!A1"
            columns = {"path_file": [0, 1, 1], "context_file": [1, 1, 1]}
            data = full_data(**columns)
            for number in 1, 4, 7, 8:
                data.names[number] = name
            with self.subTest(start=start):
                row, *_ = csv.DictReader(io.StringIO(exported(
                    _export.export_csv, full_snapshot(data)), newline=""))
                for field in ("filename", "function", "thread", "account",
                              "traceback"):
                    self.assertNotIn(row[field][:1], [*"=+-@\t\r"], field)
                self.assertEqual(row["filename"], "'" + name)


class StackTests(unittest.TestCase):

    def test_collapsed_stacks(self):
        self.assertEqual(
            exported(_export.export_collapsed, full_snapshot()),
            "f (a.py:7);c\\udc80.py:4 700\nC.m\xe9 (b.py:8);f (a.py:3) 44\n")

    def test_every_figure_can_be_the_number(self):
        for value, numbers in {
                "count": [7, 3], "allocated_size": [700, 170, 3],
                "allocated_count": [7, 10, 3], "freed_size": [126, 3],
                "freed_count": [7, 3], "peak_size": [700, 100, 1],
                "peak_count": [7, 5, 1]}.items():
            with self.subTest(value=value):
                lines = exported(_export.export_collapsed, full_snapshot(),
                                 value).splitlines()
                self.assertEqual(
                    [int(line.rpartition(" ")[2]) for line in lines], numbers)

    def test_at_the_peak_sizes_are_those_of_the_peak(self):
        snapshot = full_snapshot(full_data(**dict.fromkeys(ROWS)))
        lines = exported(_export.export_collapsed, snapshot).splitlines()
        self.assertEqual([int(line.rpartition(" ")[2]) for line in lines],
                         [700, 100, 1])

    def test_equal_call_paths_are_one_line(self):
        snapshot = tracemalloc.Snapshot(list(RAW), 3)
        lines = exported(_export.export_collapsed, snapshot).splitlines()
        self.assertEqual(lines[2], "c\\udc80.py:70000;b.py:40;a.py:2 330")
        self.assertEqual(sum(int(line.rpartition(" ")[2]) for line in lines),
                         sum(trace[1] for trace in RAW))

    def test_separators_in_names_are_replaced(self):
        snapshot = tracemalloc.Snapshot(
            [(0, 5, (("a;b.py", 1), ("c\nd.py", 2), ("e f.py", 3)), 3)], 3)
        self.assertEqual(exported(_export.export_collapsed, snapshot),
                         "e f.py:3;c?d.py:2;a,b.py:1 5\n")

    def test_speedscope(self):
        found = json.loads(
            exported(_export.export_speedscope, full_snapshot()))
        profile, = found["profiles"]
        self.assertEqual(profile["type"], "sampled")
        self.assertEqual(profile["unit"], "bytes")
        self.assertEqual(profile["weights"], [700, 44])
        self.assertEqual((profile["startValue"], profile["endValue"]),
                         (0, 744))
        frames = found["shared"]["frames"]
        self.assertEqual(
            [[frames[number]["name"] for number in sample]
             for sample in profile["samples"]],
            [["f", "c\udc80.py:4"], ["C.m\xe9", "f"]])
        self.assertEqual(frames[profile["samples"][1][1]],
                         {"name": "f", "file": "a.py", "line": 3})
        found = json.loads(exported(_export.export_speedscope, full_snapshot(),
                                    "count"))
        self.assertEqual(found["profiles"][0]["unit"], "none")

    def test_figures_that_are_not_known(self):
        for export in (_export.export_collapsed, _export.export_speedscope,
                       _export.export_gecko):
            with self.assertRaisesRegex(ValueError,
                                        "does not tell 'peak_size'"):
                export(made_by_hand(), io.StringIO(), "peak_size")
            with self.assertRaisesRegex(
                    ValueError, "no figure 'weight'; there are size, count"):
                export(made_by_hand(), io.StringIO(), "weight")


def check_shape(value, shape, where="file"):
    """Raise AssertionError unless a value of JSON is of a shape.

    A shape is a type, a tuple of shapes of which one has to fit, a list of
    the shape of all items, a dict of the shapes of members, or a value.
    Members whose names end in '?' may be missing; there are no others.
    """
    if isinstance(shape, tuple):
        for each in shape:
            try:
                return check_shape(value, each, where)
            except AssertionError:
                pass
        raise AssertionError(f"{where}: {value!r:.80} is none of {shape}")
    if isinstance(shape, list):
        check_shape(value, list, where)
        for at, item in enumerate(value):
            check_shape(item, shape[0], f"{where}[{at}]")
    elif isinstance(shape, dict):
        check_shape(value, dict, where)
        names = {name.removesuffix("?") for name in shape}
        if value.keys() - names:
            raise AssertionError(f"{where} has {value.keys() - names}")
        for name, each in shape.items():
            key = name.removesuffix("?")
            if key in value or key == name:
                if key not in value:
                    raise AssertionError(f"{where} has no {key}")
                check_shape(value[key], each, f"{where}.{key}")
    elif isinstance(shape, type):
        if type(value) is not shape:
            raise AssertionError(f"{where}: {value!r:.80} is no {shape}")
    elif value != shape:
        raise AssertionError(f"{where}: {value!r:.80} is not {shape!r}")


# As file-format-schema.json of speedscope 1.25.0 has it, without profiles of
# events.
SPEEDSCOPE = {
    "$schema": "https://www.speedscope.app/file-format-schema.json",
    "activeProfileIndex?": int, "exporter?": str, "name?": str,
    "shared": {"frames": [{"name": str, "file?": str, "line?": int,
                           "col?": int}]},
    "profiles": [{
        "type": "sampled", "name": str,
        "unit": ("bytes", "microseconds", "milliseconds", "nanoseconds",
                 "none", "seconds"),
        "startValue": int, "endValue": int, "samples": [[int]],
        "weights": [int]}],
}


def table(**columns):
    return {"length": int} | {name: [shape]
                              for name, shape in columns.items()}


# The types of the "processed" format of the Firefox Profiler in version 57,
# as its src/types/profile.ts has them: those of our members.
OR_NULL = type(None)
GECKO = {
    "meta": {
        "interval": int, "startTime": int, "processType": int,
        "product": str, "stackwalk": (0, 1), "debug": bool, "version": int,
        "preprocessedProfileVersion": 57, "markerSchema": [dict],
        "categories": [{"name": str, "subcategories": [str], "color": (
            "transparent", "purple", "green", "orange", "yellow",
            "lightblue", "blue", "brown", "magenta", "red", "lightred",
            "darkgrey", "grey")}],
        "symbolicated": bool, "symbolicationNotSupported": bool,
        "usesOnlyOneStackType": bool, "sourceCodeIsNotOnSearchfox": bool,
        "importedFrom": str, "extra": [{"label": str, "entries": [
            {"label": str, "format": str, "value": str}]}]},
    "libs": [dict], "shared": {"stringArray": [str]},
    "threads": [{
        "processType": "default", "processStartupTime": int,
        "processShutdownTime": (int, OR_NULL), "registerTime": int,
        "unregisterTime": (int, OR_NULL), "pausedRanges": [dict],
        "name": str, "isMainThread": bool, "pid": str, "tid": int,
        "samples": table(stack=(int, OR_NULL), time=int) | {
            "weight": ([int], OR_NULL), "weightType": ("samples", "bytes")},
        "nativeAllocations?": table(
            time=int, weight=int, stack=(int, OR_NULL)) | {
                "weightType": "bytes"},
        "markers": table(data=dict, name=int, startTime=int, endTime=int,
                         phase=int, category=int),
        "stackTable": table(frame=int, prefix=(int, OR_NULL)),
        "frameTable": table(
            address=int, inlineDepth=int, category=(int, OR_NULL),
            subcategory=(int, OR_NULL), func=int, nativeSymbol=(int, OR_NULL),
            innerWindowID=(int, OR_NULL), line=(int, OR_NULL),
            column=(int, OR_NULL)),
        "funcTable": table(
            name=int, isJS=bool, relevantForJS=bool, resource=int,
            fileName=(int, OR_NULL), lineNumber=(int, OR_NULL),
            columnNumber=(int, OR_NULL)),
        "resourceTable": table(lib=int, name=int, host=int, type=int),
        "nativeSymbols": table(libIndex=int, address=int, name=int,
                               functionSize=int)}],
}


class ViewerTests(unittest.TestCase):
    """What viewers of others load is of the types that they tell."""

    SNAPSHOTS = (full_snapshot, made_by_hand,
                 lambda: tracemalloc.Snapshot([], 1))

    def test_shapes_are_checked(self):
        found = json.loads(exported(_export.export_gecko, full_snapshot()))
        del found["threads"][0]["pid"]
        with self.assertRaisesRegex(AssertionError, "has no pid"):
            check_shape(found, GECKO)
        found["threads"][0]["pid"] = 4
        with self.assertRaisesRegex(AssertionError, "pid: 4 is no "):
            check_shape(found, GECKO)

    def test_speedscope(self):
        for make in self.SNAPSHOTS:
            for value in "size", "count":
                found = json.loads(exported(_export.export_speedscope, make(),
                                            value))
                check_shape(found, SPEEDSCOPE)
                profile, = found["profiles"]
                self.assertEqual(len(profile["samples"]),
                                 len(profile["weights"]))
                self.assertEqual(sum(profile["weights"]), profile["endValue"])
                used = {frame for sample in profile["samples"]
                        for frame in sample}
                self.assertEqual(used,
                                 {*range(len(found["shared"]["frames"]))})

    def thread(self, snapshot, value="size"):
        """Return a thread, its strings and meta; all is checked."""
        found = json.loads(exported(_export.export_gecko, snapshot, value))
        check_shape(found, GECKO)
        thread, = found["threads"]
        self.assertEqual([each["color"] for each in
                          found["meta"]["categories"]].count("grey"), 1)
        for name, columns in thread.items():
            if isinstance(columns, dict):
                lengths = {len(column) for column in columns.values()
                           if isinstance(column, list)}
                self.assertEqual(lengths, {columns["length"]}, name)
        strings = found["shared"]["stringArray"]
        stacks, frames = thread["stackTable"], thread["frameTable"]
        for numbers, length in (
                (stacks["frame"], frames["length"]),
                (frames["func"], thread["funcTable"]["length"]),
                (frames["category"], len(found["meta"]["categories"])),
                (thread["funcTable"]["name"], len(strings)),
                (thread["funcTable"]["fileName"], len(strings)),
                (thread["samples"]["stack"], stacks["length"]),
                (thread.get("nativeAllocations", {"stack": []})["stack"],
                 stacks["length"])):
            self.assertLessEqual({*numbers}, {*range(length)})
        for stack, prefix in enumerate(stacks["prefix"]):
            self.assertTrue(prefix is None or prefix < stack)
        return thread, strings, found["meta"]

    @staticmethod
    def call_paths(thread, strings, samples):
        """Return {frames, the oldest first: weight}."""
        stacks, frames = thread["stackTable"], thread["frameTable"]
        functions, found = thread["funcTable"], {}
        for stack, weight in zip(samples["stack"], samples["weight"]):
            path = []
            while stack is not None:
                frame = stacks["frame"][stack]
                function = frames["func"][frame]
                path.append((strings[functions["name"][function]],
                             strings[functions["fileName"][function]],
                             frames["line"][frame]))
                stack = stacks["prefix"][stack]
            found[tuple(path[::-1])] = weight
        return found

    def test_gecko(self):
        thread, strings, meta = self.thread(full_snapshot())
        self.assertEqual(thread["samples"]["length"], 0)
        self.assertEqual(
            self.call_paths(thread, strings, thread["nativeAllocations"]), {
                (("f", "a.py", 7), ("c\udc80.py:4", "c\udc80.py", 4)): 700,
                (("C.m\xe9", "b.py", 8), ("f", "a.py", 3)): 44})
        thread, strings, _ = self.thread(full_snapshot(), "count")
        self.assertNotIn("nativeAllocations", thread)
        self.assertEqual(thread["samples"]["weightType"], "samples")
        self.assertEqual(thread["samples"]["weight"], [7, 3])

    def test_gecko_has_what_collapsed_stacks_have(self):
        for make in self.SNAPSHOTS:
            for value in _export.FIGURES:
                try:
                    lines = exported(_export.export_collapsed, make(), value)
                except ValueError:
                    continue
                thread, strings, _ = self.thread(make(), value)
                samples = thread.get("nativeAllocations", thread["samples"])
                self.assertEqual(sum(samples["weight"]), sum(
                    int(line.rpartition(" ")[2])
                    for line in lines.splitlines()))

    def test_gecko_tells_whose_files_are(self):
        package = "/v/lib/python3.13/site-packages/web.py"
        snapshot = tracemalloc.Snapshot(
            [(0, 5, ((package, 1), ("/srv/app.py", 2)), 2)], 2)
        snapshot.metadata = {"command": ["python", "a b.py"], "time": 2.5,
                             "pid": 7}
        thread, _, meta = self.thread(snapshot)
        frames = thread["frameTable"]
        names = [each["name"] for each in meta["categories"]]
        self.assertEqual({line: names[category] for line, category in zip(
            frames["line"], frames["category"])},
            {1: "Installed", 2: "Program"})
        self.assertEqual((meta["product"], meta["startTime"], thread["pid"]),
                         ("python 'a b.py'", 2500, "7"))
        for metadata in ({"command": "x", "time": "now", "pid": None},
                         {"command": [3], "time": float("inf"),
                          "path": [3, "/srv"]}):
            snapshot.metadata = metadata
            _, _, meta = self.thread(snapshot)
            self.assertEqual((meta["product"], meta["startTime"]),
                             ("Python", 0))


class ManyContextsTests(unittest.TestCase):
    """More than are written at once."""

    def setUp(self):
        names = ["", "<unknown>", "main.py", "a;b.py", 'say "x".py', "=f",
                 "g", "worker", "GET /"]
        choose = random.Random(7).choice
        paths = 60
        parents = [0] + [choose(range(path)) for path in range(1, paths)]
        contexts = range(1700)
        held = [choose(range(40)) for _ in contexts]
        self.data = SnapshotData(
            names, path_parent=parents,
            path_file=[choose((2, 3, 4)) for _ in parents],
            path_function=[choose((0, 5, 6)) for _ in parents],
            path_line=[choose((0, 1, 2)) for _ in parents],
            context_path=[choose(range(paths)) for _ in contexts],
            context_file=[choose((1, 2, 3, 4)) for _ in contexts],
            context_function=[choose((0, 5, 6)) for _ in contexts],
            context_line=[choose((0, 1, 2)) for _ in contexts],
            context_end_line=[choose((-1, 2)) for _ in contexts],
            context_column=[choose((-1, 0, 4)) for _ in contexts],
            context_end_column=[choose((-1, 9)) for _ in contexts],
            context_domain=[choose((0, 5)) for _ in contexts],
            context_thread=[choose((0, 7)) for _ in contexts],
            context_depth=[choose((0, 3)) for _ in contexts],
            context_account=[choose((0, 8)) for _ in contexts],
            row_context=list(contexts), row_size=[8 for _ in contexts],
            row_count=held)
        self.snapshot = tracemalloc.Snapshot._of(self.data, 100, {})

    def expected(self):
        """Return the rows, in their order, told one by one."""
        data, rows = self.data, []
        for context, count in enumerate(data.row_count):
            if not count:
                continue
            names = data.names
            path, stack = data.context_path[context], []
            while path:
                stack.append((names[data.path_file[path]],
                              data.path_line[path],
                              names[data.path_function[path]]))
                path = data.path_parent[path]
            stack.reverse()
            stack.append((names[data.context_file[context]],
                          data.context_line[context],
                          names[data.context_function[context]]))
            rows.append((-count, stack, context))
        return [(-count, stack, context)
                for count, stack, context in sorted(rows)]

    def known(self, column, context):
        number = getattr(self.data, f"context_{column}")[context]
        return None if number < 0 else number

    def name(self, column, context):
        return self.data.names[
            getattr(self.data, f"context_{column}")[context]]

    def test_json(self):
        found = json.loads(exported(_export.export_json, self.snapshot))
        expected = []
        for count, stack, context in self.expected():
            frames = [{"filename": filename, "lineno": line,
                       "function": function or None}
                      for filename, line, function in stack]
            frames[-1] |= {"end_lineno": self.known("end_line", context),
                           "column": self.known("column", context),
                           "end_column": self.known("end_column", context)}
            expected.append({
                "size": 8 * count, "count": count,
                "domain": self.data.context_domain[context],
                "thread": self.name("thread", context) or None,
                "account": self.name("account", context) or None,
                "total_nframe": self.data.context_depth[context] or None,
                "traceback": frames})
        self.assertEqual(found["contexts"], expected)

    def test_csv(self):
        found = list(csv.DictReader(io.StringIO(
            exported(_export.export_csv, self.snapshot), newline="")))
        expected = []
        for count, stack, context in self.expected():
            filename, line, function = stack[-1]
            row = dict.fromkeys(found[0], "") | {
                "size": str(8 * count), "count": str(count),
                "domain": str(self.data.context_domain[context]),
                "thread": self.name("thread", context),
                "account": self.name("account", context),
                "filename": filename, "lineno": str(line),
                "function": function.replace("=", "'="),
                "traceback": ";".join(
                    (f"{function} ({filename}:{line})" if function
                     else f"{filename}:{line}").replace(";", ",")
                    for filename, line, function in stack)}
            for name, column in (("end_lineno", "end_line"),
                                 ("column", "column"),
                                 ("end_column", "end_column")):
                number = self.known(column, context)
                row[name] = "" if number is None else str(number)
            if row["traceback"].startswith("="):
                row["traceback"] = "'" + row["traceback"]
            expected.append(row)
        self.assertEqual(found, expected)

    def test_long_names_take_no_memory_for_each_context(self):
        # As a file of some kilobytes can have.
        number, length = 2000, 1 << 14
        for export in _export.export_json, _export.export_csv:
            with self.subTest(export=export.__name__):
                snapshot = with_a_long_name(length, column=range(number))
                written = Counted()
                if not tracemalloc.is_tracing():
                    tracemalloc.start()
                    self.addCleanup(tracemalloc.stop)
                before = tracemalloc.get_traced_memory()[0]
                tracemalloc.reset_peak()
                export(snapshot, written)
                taken = tracemalloc.get_traced_memory()[1] - before
                self.assertGreater(written.size, number * length)
                self.assertLess(taken, number * length // 4)

    def test_more_text_than_loading_may_take_is_refused(self):
        length = 1 << 10
        for export in (_export.export_json, _export.export_csv,
                       _export.export_collapsed, _export.export_speedscope):
            with self.subTest(export=export.__name__):
                snapshot = with_a_long_name(length, line=range(40))
                snapshot.traces._data.max_size = 39 * length
                with self.assertRaisesRegex(tracemalloc.SnapshotFormatError,
                                            "names of lines"):
                    export(snapshot, io.StringIO())
                snapshot.traces._data.max_size = 41 * length
                export(snapshot, io.StringIO())

    def test_progress_is_told(self):
        for name, export in _export.FORMATS.items():
            with self.subTest(name=name):
                told = []
                export(self.snapshot, io.StringIO(),
                       progress=lambda *pair: told.append(pair))
                self.assertEqual(told, sorted(told))
                self.assertLessEqual({all for _, all in told},
                                     {len(self.expected()), told[0][1]})


class AllFormatsTests(unittest.TestCase):

    def test_equal_snapshots_give_equal_text(self):
        for name, export in _export.FORMATS.items():
            with self.subTest(name=name):
                texts = {exported(export, tracemalloc.Snapshot(traces, 3))
                         for traces in (RAW, RAW[::-1], RAW[3:] + RAW[:3])}
                self.assertEqual(len(texts), 1)

    def test_text_can_be_encoded(self):
        for name, export in _export.FORMATS.items():
            with self.subTest(name=name):
                exported(export, full_snapshot()).encode()

    def test_a_snapshot_of_this_process(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the test would end it")
        tracemalloc.start(10)
        kept = [bytes(1000) for _ in range(10)]
        snapshot = tracemalloc.take_snapshot()
        tracemalloc.stop()
        del kept
        size = sum(stat.size for stat in snapshot.statistics("filename"))
        lines = exported(_export.export_collapsed, snapshot).splitlines()
        self.assertEqual(sum(int(line.rpartition(" ")[2]) for line in lines),
                         size)
        found = json.loads(exported(_export.export_json, snapshot))
        self.assertEqual(found["total_size"], size)
        self.assertEqual(sum(context["size"] for context in found["contexts"]),
                         size)


if __name__ == "__main__":
    unittest.main()
