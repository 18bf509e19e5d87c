"""Files of snapshots that are damaged or hostile: what loading makes of them.

The fuzzing here is short and always the same; Tools/fuzz/snapshot_files.py
goes on with other seeds for as long as one likes.
"""
import io
import json
import pickle
import random
import struct
import sys
import tracemalloc
import unittest
import zlib
from collections import Counter
from test.tracemalloc_files import (
    Files, build, change, full_snapshot, made_by_hand, mutate, parse, repair,
    seeds, try_file)
from tracemalloc import SnapshotFormatError, _format
from tracemalloc._columns import COLUMNS, Blocks, SnapshotData
from tracemalloc._export import FORMATS
from tracemalloc._text import format_size
from unittest import mock

# Hostile pickles.  Whatever they hold is in the place of an attribute too, so
# that it is not refused just for being no snapshot.

ran = []


def canary(*args):
    ran.append(args)
    return "ran"


class Frames(tuple):
    """Frames that count what it takes to go through all of them."""

    seen = 0

    def __hash__(self):
        Frames.seen += 1
        return super().__hash__()

    def __getitem__(self, index):
        Frames.seen += isinstance(index, slice)
        return super().__getitem__(index)


class SharedFramesTests(Files):
    """Many traces with the same long frames: a file of these is small."""

    def test_they_are_gone_through_once(self):
        frames = Frames((("a.py", 1), ("b.py", 2)))
        raw = [(number % 7, number, frames, number % 5 + 2)
               for number in range(500)]
        Frames.seen = 0
        data = SnapshotData.from_raw(raw)
        self.assertEqual(len(data), 35)
        self.assertEqual(list(Blocks(data, 9)).count((3, 3, frames, 5)), 1)
        self.assertLess(Frames.seen, 5)

    def test_contexts_that_repeat_them_are_bounded(self):
        frames = (("a.py", 1),) * 20_000
        for raw, number in (([(0, size, frames, 9) for size in range(300)], 1),
                            ([(domain, 5, frames, 9) for domain in range(300)],
                             300),
                            ([(0, 5, frames, total) for total in range(300)],
                             300)):
            data = pickle.dumps(tracemalloc.Snapshot(raw, 1), 4)
            self.write(data)
            # 48 MB of frames, if each context has its own.
            snapshot = tracemalloc.Snapshot.load(self.filename)
            contexts = len(SnapshotData.from_raw(snapshot.traces._traces))
            self.assertEqual(contexts, number)
            if number > 1:
                self.refused(data, "larger max_size", max_size=20_000_000)
            else:
                tracemalloc.Snapshot.load(self.filename, max_size=20_000_000)


class Runs:
    def __reduce__(self):
        return canary, ("reduce",)


def state(body):
    """Return a pickled snapshot that has *body* as an attribute."""
    return (
        b"\x80\x04ctracemalloc\nSnapshot\n"
        b")\x81}(X\x06\0\0\0tracesctracemalloc\n_Traces\n"
        b")\x81}X\x07\0\0\0_traces]sbX\x0f\0\0\0traceback_limitK\x01X\1\0\0\0x"
        + body + b"ub.")


def short(text):
    return b"\x8c%c" % len(text) + text.encode()


def nested(number, wrap=b"\x85"):
    return b")" + wrap * number


HERE = __name__.encode()
CALLS = {
    "GLOBAL and REDUCE": b"cos\nsystem\nX\4\0\0\0true\x85R",
    "STACK_GLOBAL": short("os") + short("system") + b"\x93" + short("true")
                    + b"\x85R",
    "posix": b"cposix\nsystem\n" + short("true") + b"\x85R",
    "eval": b"cbuiltins\neval\nX\4\0\0\0true\x85R",
    "Python 2": b"c__builtin__\neval\nX\4\0\0\0true\x85R",
    "getattr": b"cbuiltins\ngetattr\n)R",
    "canary": b"c" + HERE + b"\ncanary\n)R",
    "dotted name": short("tracemalloc") + short("os.system") + b"\x93)R",
    "module in ours": b"ctracemalloc\nlinecache\n)R",
    "function of ours": b"ctracemalloc\nstart\n)R",
    "submodule": b"ctracemalloc._format\ndump\n)R",
    "class as function": b"ctracemalloc\nSnapshot\n)R",
    "class with arguments": b"ctracemalloc\nFrame\nK\1\x85\x81",
    "INST": b"(X\4\0\0\0trueios\nsystem\n",
    "OBJ": b"(cos\nsystem\nX\4\0\0\0trueo",
    "OBJ of ours": b"(ctracemalloc\nSnapshot\no",
    "NEWOBJ": b"c" + HERE + b"\nRuns\n)\x81",
    "NEWOBJ_EX": b"ctracemalloc\nSnapshot\n)}\x92",
    "BUILD": b"c" + HERE + b"\nRuns\n)\x81}b",
    "EXT1": b"\x82\1", "EXT2": b"\x83\1\0", "EXT4": b"\x84\1\0\0\0",
    "PERSID": b"P1\n", "BINPERSID": b"K\1Q", "NEXT_BUFFER": b"\x97",
    "READONLY_BUFFER": b"C\1a\x98", "import": b"cantigravity\nfly\n",
    "codecs": b"c_codecs\ndecode\nC\1aX\4\0\0\0zlib\x86R",
    "encode with another codec": b"c_codecs\nencode\n"
                                 b"X\1\0\0\0aX\4\0\0\0zlib\x86R",
    "copyreg": b"ccopyreg\n_reconstructor\nc" + HERE
               + b"\nRuns\ncbuiltins\nobject\nN\x87R",
    "copyreg with a base": b"ccopyreg\n_reconstructor\nctracemalloc\n"
                           b"Snapshot\ncbuiltins\nint\nK\1\x87R",
    "__newobj__": b"ccopyreg\n__newobj__\ncos\nsystem\n\x85R",
    "a value is called": b"K\1)R", "a value is a class": b"K\1)\x81",
    "a value is built": b"K\1}b",
}
BOMBS = {
    "FRAME": b"\x95" + b"\xff" * 8, "LONG1": b"\x8a\xff",
    "LONG4": b"\x8b\xff\xff\xff\x7f", "LONG4 < 0": b"\x8b\0\0\0\x80",
    "BINUNICODE": b"X\xff\xff\xff\xff", "BINUNICODE8": b"\x8d" + b"\xff" * 8,
    "BINBYTES": b"B\xff\xff\xff\x7f",
    "BINBYTES8": b"\x8e" + b"\0" * 6 + b"\xff\0",
    "BYTEARRAY8": b"\x96" + b"\0" * 4 + b"\xff\0\0\0",
    "BINSTRING": b"T\xff\xff\xff\x7f", "LONG_BINPUT": b"Kar\xff\xff\xff\x7f",
    "PUT": b"Kap99999999999\n", "PUT < 0": b"Kap-1\n", "BINGET": b"h\xff",
    "LONG_BINGET": b"j\xff\xff\xff\xff", "GET < 0": b"g-1\n",
    "INT": b"I" + b"9" * 100_000 + b"\n", "LONG": b"L" + b"9" * 5000 + b"L\n",
}
DAMAGE = {
    "tuples as key": b"}" + nested(100_000) + b"Ns",
    "tuples in a set": b"\x8f(" + nested(100_000) + b"\x90",
    "tuples in a frozen set": b"(" + nested(100_000) + b"\x91",
    "tuples": nested(100_000), "tuples by MARK": b"(" * 100 + b"t" * 100,
    "tuples by memo": b")\x94" + b"".join(b"(K\1K\1h%cK\1t\x94" % n
                                          for n in range(60)),
    "a list as key": b"}]Ns", "a dictionary as key": b"}}Ns",
    "odd dictionary": b"}(NNNu", "odd DICT": b"(NNNd",
    "append to a tuple": b")Na", "set items of a list": b"]NNs",
    "add to a list": b"](N\x90", "no mark": b"t", "unfinished mark": b"(",
    "nothing to pop": b"000000000000",
    "no object": b"ctracemalloc\nFrame\n)\x81",
    "half an object": b"ctracemalloc\nFrame\n)\x81}b",
    "an object twice": b"ctracemalloc\nFrame\n"
                       b")\x81}X\6\0\0\0_frameX\1\0\0\0aK\1\x86s\x94bh\0b",
    "wrong state": b"ctracemalloc\nFrame\n)\x81]b",
    "wrong key": b"ctracemalloc\nFrame\n)\x81}K\1K\1sb",
    "wrong function": b"ctracemalloc\nFrame\n)\x81}X\6\0\0\0_frame"
                      b"X\0\0\0\0K\1N\x87sb",
    "wrong frame": b"ctracemalloc\nFrame\n)\x81}X\6\0\0\0_frameNsb",
    "line too large": b"ctracemalloc\nFrame\n)\x81}X\6\0\0\0_frame"
                      b"X\0\0\0\0\x8a\5\0\0\0\0\1\x86sb",
    "another attribute":
        b"ctracemalloc\nFrame\n"
        b")\x81}(X\6\0\0\0_frameX\1\0\0\0aK\1\x86X\1\0\0\0bNub",
    "statistic of nothing":
        b"ctracemalloc\nStatistic\n"
        b")\x81}(X\x09\0\0\0tracebackNX\4\0\0\0sizeK\1X\5\0\0\0countK\1ub",
    "class as value of a name": b"(ctracemalloc\nFrame\nN\x93",
    "date": b"cdatetime\ndatetime\nC\1a\x85R",
    "date of lists": b"cdatetime\ndate\n]\x85R",
    "text that is none": b"\x8c\1\xff", "quotes": b"S'a\n",
    "number": b"Iten\n",
    "float": b"Fx\n", "bytes of a number": b"cbuiltins\nbytearray\nK\7\x85R",
}


def traces_pickle(items, after=b""):
    """Return a pickled snapshot whose list of traces is given by instructions.
    """
    return (b"\x80\x04ctracemalloc\nSnapshot\n"
            b")\x81}(X\x06\0\0\0tracesctracemalloc\n_Traces\n"
            b")\x81}X\x07\0\0\0_traces" + items
            + b"sbX\x0f\0\0\0traceback_limitK\x01" + after + b"ub.")


FRAMES = b"X\1\0\0\0aK\1\x86\x85"


class HostilePickleTests(Files):

    def setUp(self):
        super().setUp()
        ran.clear()
        self.addCleanup(lambda: self.assertEqual(ran, []))

    def test_nothing_is_run_whatever_a_pickle_asks_for(self):
        for name, body in CALLS.items():
            for data in (state(body), b"\x80\x04" + body + b".",
                         b"\x80\x02" + body + b"0N."):
                with (self.subTest(name=name), mock.patch("os.system", canary),
                      mock.patch("builtins.eval", canary)):
                    self.refused(data)
                self.assertNotIn("antigravity", sys.modules)
        with mock.patch("os.system", canary):
            pickle.loads(b"\x80\x04" + CALLS["GLOBAL and REDUCE"] + b".")
        self.assertEqual(ran.pop(), ("true",))      # The canary sings.

    def test_reduce_of_an_attribute_is_not_run(self):
        snapshot = made_by_hand()
        snapshot.note = Runs()
        for protocol in range(6):
            with self.subTest(protocol=protocol):
                self.refused(pickle.dumps(snapshot, protocol),
                             f"asks for {__name__}.canary, which is not part "
                             "of a snapshot and was not run")

    def test_names_are_shown_on_one_line(self):
        self.refused(state(short("a\nb") + short("\x1b[31mc" * 30) + b"\x93"),
                     r"'a\nb.\x1b[31mc")

    def test_sizes_beyond_the_file_take_no_memory(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the test would end it")
        for name, body in BOMBS.items():
            with self.subTest(name=name):
                self.refused(state(body))
                self.write(state(body))
                tracemalloc.start()
                try:
                    with self.assertRaises(SnapshotFormatError):
                        tracemalloc.Snapshot.load(self.filename)
                    peak = tracemalloc.get_traced_memory()[1]
                finally:
                    tracemalloc.stop()
                self.assertLess(peak, 1_000_000)

    def test_instructions_that_make_no_sense(self):
        for name, body in DAMAGE.items():
            with self.subTest(name=name):
                self.refused(state(body))

    def test_small_files_that_grow_in_memory(self):
        members = b"](" + b"J\1\2\3\4" * 20_000 + b"e\x94"
        for name, body in {
                "dictionaries": b"(" + b"}" * 100_000 + b"l",
                "sets": b"(" + b"\x8f" * 100_000 + b"l",
                "marks": b"(" * 200_000,
                "sets of one list": members
                                    + b"cbuiltins\nset\nh\0\x85R" * 500,
                "texts of one text":
                    b"X\x40\x9c\0\0" + b"a" * 40_000
                    + b"\x94c_codecs\nencode\nh\0X\6\0\0\0latin1\x86R" * 500,
                "snapshots of one list":
                    members
                    + b"ctracemalloc\nSnapshot\n)\x81}h\0sb" * 500,
        }.items():
            with self.subTest(name=name):
                self.refused(state(body), max_size=1_000_000)
        self.refused(state(b"(" + b"}" * 100_000 + b"l"),
                     "pass a larger max_size", max_size=5_000_000)
        self.assertEqual(len(self.load(state(b"(" + b"}" * 100_000 + b"l")).x),
                         100_000)

    def test_lists_in_lists_of_any_depth(self):
        loaded = self.load(state(b"]" * 50_000 + b"a" * 49_999))
        depth, value = 1, loaded.x
        while value:
            value, = value
            depth += 1
        self.assertEqual(depth, 50_000)

    def test_traces_that_are_none(self):
        good = b"(K\0K\1" + FRAMES + b"K\1t"
        self.assertEqual(
            self.load(traces_pickle(b"](" + good + b"e")).traces._traces,
            [(0, 1, (("a", 1),), 1)])
        for name, bad in {
                "number": b"K\1", "nothing": b")", "one item": b"K\1\x85",
                "five items": b"(K\0K\1" + FRAMES + b"K\1K\1t",
                "size": b"(K\0J\xff\xff\xff\xff" + FRAMES + b"K\1t",
                "size of 65 bits": b"(K\0\x8a\x09" + bytes(8)
                                   + b"\1" + FRAMES + b"K\1t",
                "domain": b"(\x8a\5\0\0\0\0\1K\1" + FRAMES + b"K\1t",
                "truth": b"(K\0\x88" + FRAMES + b"K\1t",
                "depth": b"(K\0K\1" + FRAMES + b"X\0\0\0\0t",
                "frames": b"(K\0K\1]K\1t", "frame": b"(K\0K\1)\x85K\1t",
                "file name": b"(K\0K\1K\1K\1\x86\x85K\1t",
                "line": b"(K\0K\1X\0\0\0\0N\x86\x85K\1t",
                "memo": b"K\1\x94(K\0K\1h\0K\1t",
        }.items():
            with self.subTest(name=name):
                self.refused(traces_pickle(b"](" + good + bad + b"e"))
        for name, items in {"no list": b"}", "text": b"X\0\0\0\0"}.items():
            with self.subTest(name=name):
                self.refused(traces_pickle(items))

    def test_traces_do_not_change_once_they_are_a_snapshot(self):
        self.refused(traces_pickle(b"]\x94",
                                   b"X\1\0\0\0xh\0K\1aNu(X\1\0\0\0yN"))

    def test_a_snapshot_needs_both_of_its_parts(self):
        data = pickle.dumps(made_by_hand(), 4)
        for name in b"traces", b"traceback_limit", b"_traces":
            with self.subTest(name=name):
                self.refused(data.replace(short(name.decode()),
                                          short("x" * len(name))))

    def test_many_blocks_by_one_instruction_are_counted(self):
        one = b"(K\0K\1" + FRAMES + b"K\1t\x94"
        data = traces_pickle(b"](" + one + b"h\0" * 500_000 + b"e")
        self.assertEqual(len(self.load(data).traces), 500_001)
        self.refused(data, max_size=4_000_000)


class DamagedCompactFileTests(Files):

    def setUp(self):
        super().setUp()
        self.data = self.dumped(full_snapshot(), "compact")
        self.sections = parse(self.data)[1][:-1]

    def test_numbers_set_to_extremes_take_no_memory(self):
        if tracemalloc.is_tracing():
            self.skipTest("tracing is on already: the test would end it")
        extremes = [0, 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
        for name, kind, _, count, content in self.sections:
            for field, real in (("count", count), ("size", len(content)),
                                ("stored", None)):
                # The number of items means nothing for these.
                if field == "count" and kind in (b"J", b"P"):
                    continue
                for number in extremes:
                    if number == real:
                        continue
                    data = build(self.sections, **{name: {field: number}})
                    with self.subTest(name=name, field=field, number=number):
                        self.refused(data)
                        tracemalloc.start()
                        try:
                            with self.assertRaises(SnapshotFormatError):
                                tracemalloc.Snapshot.load(self.filename)
                            peak = tracemalloc.get_traced_memory()[1]
                        finally:
                            tracemalloc.stop()
                        self.assertLess(peak, 1_000_000)

    def test_a_section_that_decompresses_to_more_than_it_says(self):
        bomb = zlib.compress(bytes(50_000_000), 9)
        sections = [(*section[:2], b"\1", *section[3:])
                    for section in self.sections]
        for size in 12, 1000, 40_000_000, 50_000_000:
            with self.subTest(size=size):
                data = build(sections,
                             row_count={"size": size, "count": size // 8,
                                        "stored": len(bomb), "content": bomb})
                self.refused(data, max_size=30_000_000)
        data = build(sections,
                     row_count={"size": 2**40, "count": 2**37,
                                "stored": len(bomb), "content": bomb})
        self.refused(data, "cannot be that large")

    def test_streams_that_are_none_or_end_elsewhere(self):
        content = dict((section[0], section[4])
                       for section in self.sections)["row_size"]
        stream = zlib.compress(content)
        sections = [(*section[:2], b"\1", *section[3:])
                    for section in self.sections]
        for bad in (b"", b"x", stream[:-1], stream[:-5], stream + b"x",
                    stream + stream, bytes(30)):
            with self.subTest(bad=bad):
                self.refused(build(sections, row_size={
                    "stored": len(bad), "content": bad}), "")

    def test_missing_repeated_and_wrong_sections(self):
        for number, (name, *_) in enumerate(self.sections):
            with self.subTest(name=name):
                rest = self.sections[:number] + self.sections[number + 1:]
                if name not in ("attributes", "context_account"):
                    self.refused(build(rest), "damaged")
                self.refused(build([*self.sections, self.sections[number]]),
                             "twice")
                wrong = (name, b"?", *self.sections[number][2:])
                self.refused(build([*rest, wrong]), "another type")
        self.refused(build(self.sections, end=False), "ends too early")
        self.refused(self.data + b"x", "more after its end")
        self.refused(self.data + self.data, "more after its end")
        strange = [(name, kind, b"\2", *rest)
                   for name, kind, _, *rest in self.sections]
        self.refused(build(strange), "packed in a way")

    def replaced(self, **contents):
        return build(
            [(name, kind, encoding, *contents.get(name, (count, content)))
             for name, kind, encoding, count, content in self.sections])

    def column(self, name, *numbers):
        code = COLUMNS[name]
        return self.replaced(**{name: (len(numbers), struct.pack(
            f"<{len(numbers)}{code}", *numbers))})

    def test_numbers_that_point_nowhere(self):
        for name, numbers in [
                ("path_parent", (0, 1, 1)), ("path_parent", (1, 0, 1)),
                ("path_file", (0, 1, 9)), ("path_function", (0, 2**32 - 1, 0)),
                ("context_path", (3, 0, 0)),
                ("context_file", (9, 0, 0)), ("context_thread", (0, 0, 9)),
                ("context_account", (0, 9, 0)), ("context_account", (0, 0)),
                ("context_depth", (65536, 1, 1)), ("row_context", (0, 3, 3)),
                ("row_context", (1, 0, 2)), ("row_size", (1, 2)),
                ("context_line", (1, 2)), ("row_count", (2**48, 1, 1)),
                ("context_freed_blocks", (11, 0, 3)),
                ("context_path", ()), ("path_parent", ())]:
            with self.subTest(name=name, numbers=numbers):
                self.refused(self.column(name, *numbers),
                             "damaged snapshot file")

    def test_descriptions_and_names_that_make_no_sense(self):
        for about in (
                b"", b"[]", b"{}", b"{", b"\xff", b"[" * 100_000, b"1" * 5000,
                b'{"traceback_limit": "1", "frame_limit": 1, "metadata": {}}',
                b'{"traceback_limit": 1, "frame_limit": 0, "metadata": {}}',
                b'{"traceback_limit": 1, '
                b'"frame_limit": 65536, "metadata": {}}',
                b'{"traceback_limit": 1, "frame_limit": 1, "metadata": []}'):
            with self.subTest(about=about[:70]):
                self.refused(self.replaced(snapshot=(1, about)), "damaged")
        for names in (
                (0, b""), (1, b"\0\0\0\0"), (1, b"\5\0\0\0abc"),
                (2, b"\0\0\0\0"),
                (8, struct.pack("<8I", 0, 2, 0, 0, 0, 0, 0, 0) + b"\xff\xff"),
                (8, struct.pack("<8I", 1, 0, 0, 0, 0, 0, 0, 0) + b"x")):
            with self.subTest(names=names):
                self.refused(self.replaced(names=names), "damaged")
        for attributes in b"", pickle.dumps([]), pickle.dumps({"a": Runs()}):
            with self.subTest(attributes=attributes):
                self.refused(self.replaced(attributes=(1, attributes)))
        self.assertEqual(ran, [])


    def described(self, metadata, **changes):
        about = {"traceback_limit": 1, "frame_limit": 1,
                 "metadata": metadata} | changes
        return self.replaced(snapshot=(1, json.dumps(about).encode()))

    def test_metadata_that_make_no_sense(self):
        deep = []
        for _ in range(60):
            deep = [deep]
        for metadata in (
                {"sample_interval": "x"}, {"sample_interval": 0},
                {"sample_interval": True}, {"sample_interval": 1.5},
                {"sample_interval": [1]}, {"sample_interval": 2 ** 41},
                {"traced_memory_peak": "x"}, {"traced_memory": -1},
                {"rss": 10 ** 400}, {"a": deep}, {"a": [{"b": 2 ** 64}]}):
            with self.subTest(metadata=metadata):
                self.refused(self.described(metadata), "metadata make no")
        for metadata in {}, {"rss": "x", "pid": None, "a": [{"b": [1.5]}]}:
            loaded = self.load(self.described(metadata))
            self.assertEqual(loaded.metadata, metadata)
        for limit in 2 ** 63, -2 ** 63:
            self.refused(self.described({}, traceback_limit=limit), "limit")

    def test_attributes_that_hide_those_of_snapshots(self):
        for name in ("traces", "traceback_limit", "metadata", "statistics",
                     "dump", "_group_by", "filter_traces", "__class__", 1,
                     None, ("a", 1)):
            with self.subTest(name=name):
                self.refused(self.replaced(
                    attributes=(1, pickle.dumps({name: 1}, 4))))
        loaded = self.load(self.replaced(
            attributes=(1, pickle.dumps({"mine": 1}, 4))))
        self.assertEqual(loaded.mine, 1)
        snapshot = made_by_hand()
        vars(snapshot)["statistics"] = 3
        self.refused(pickle.dumps(snapshot), "attribute 'statistics' would")

    def test_metadata_of_pickles_that_are_none_of_ours(self):
        for metadata in ({"sample_interval": "x"}, {"rss": 10 ** 400},
                         {"a": {1}}, {1: 2}, {"b": b"x"}):
            snapshot = made_by_hand()
            snapshot.metadata = metadata
            loaded = self.load(pickle.dumps(snapshot))
            self.assertEqual(loaded.metadata, {"metadata": metadata})
            loaded.statistics("lineno")
            for export in FORMATS.values():
                export(loaded, io.StringIO())

    def test_sections_that_nobody_knows_are_not_free(self):
        wanted = len(self.data) * 40 + 10_000
        self.load(self.data, max_size=wanted)
        sections = [(f"later{number}", b"?", b"\0", 0, b"")
                    for number in range(10_000)]
        self.load(build([*sections, *self.sections]))
        self.refused(build([*sections, *self.sections]),
                     f"more than the {format_size(wanted, False)} of",
                     max_size=wanted)
        self.refused(build([("later", b"?", b"\0", 0, bytes(wanted)),
                            *self.sections]), max_size=wanted)


class FuzzTests(Files):

    def test_a_file_cut_off_anywhere_is_refused(self):
        for name, data in seeds().items():
            for length in range(len(data)):
                with self.subTest(name=name, length=length):
                    self.assertFalse(try_file(data[:length]))
            self.assertTrue(try_file(data))

    def test_a_compact_file_cut_off_is_said_to_be(self):
        data = seeds()["full compact"]
        for length in range(len(data)):
            with self.subTest(length=length):
                with self.assertRaises(EOFError):
                    _format.read_stream(io.BytesIO(data[:length]), length)

    def test_every_changed_bit_of_a_compact_file_is_noticed(self):
        data = seeds()["hand compact"]
        rng = random.Random(1)
        for at in range(len(data)):
            changed = bytearray(data)
            changed[at] ^= 1 << rng.randrange(8)
            with self.subTest(at=at):
                self.assertFalse(try_file(changed))

    def test_damage_of_all_kinds(self):
        taken = Counter()
        for name, data in seeds().items():
            rng = random.Random(name)
            for number in range(150):
                damaged = mutate(data, rng)
                if "compact" in name:
                    damaged = repair(damaged)
                with self.subTest(name=name, number=number):
                    taken[try_file(damaged)] += 1
                if "compact" in name:
                    with self.subTest(name=name, changed=number):
                        try_file(change(data, rng))
        # Both happen: the damage goes deeper than the first bytes.
        self.assertGreater(taken[True], 50)
        self.assertGreater(taken[False], 500)


if __name__ == "__main__":
    unittest.main()
