"""Traces are those of stock, block for block: what is allocated.

The same scripts run here and in an untouched interpreter, in children that
begin to trace at the same point.  Sizes, tracebacks, depths and numbers of
blocks must be equal, and so must both counters of traced memory.
"""
import sys
import textwrap
import unittest
from test.tracemalloc_scripts import (
    ScriptTests, add_tests, allocators, difference, needs_stock, run_both,
    run_script)


class Scripts:
    """Memory of every kind."""

    list_growth = """
        def run():
            grown = []
            for number in range(1000):
                grown.append(None)                      # held
            grown.extend(range(300, 350))
            shrunk = [0] * 5000
            del shrunk[10:]
            inserted = [1, 2, 3]
            inserted.insert(0, 4)
            copied = grown[:]
            sliced = grown[5:500:3]
            repeated = [grown] * 70
            return grown, shrunk, inserted, copied, sliced, repeated
    """

    dict_growth = """
        def run():
            grown = {}
            for number in range(2000):
                grown[number * 7] = number              # held
            by_name = {}
            for number in range(300):
                by_name[f"name {number}"] = number
            for number in range(0, 300, 2):
                del by_name[f"name {number}"]
            merged = grown | by_name
            updated = dict(a=1, b=2)
            updated.update(by_name)
            keyed = dict.fromkeys(range(100))
            views = grown.keys(), grown.items()
            popped = {n: n for n in range(50)}
            while len(popped) > 3:
                popped.popitem()
            return grown, by_name, merged, updated, keyed, views, popped
    """

    sets = """
        def run():
            small = {1, 2, 3}
            large = set()
            for number in range(1000, 4000, 3):
                large.add(number)                       # held
            frozen = frozenset(large)
            union = small | large
            common = large & set(range(1000, 1500))
            large -= set(range(2000, 3000))
            return small, large, frozen, union, common
    """

    strings = """
        import encodings.utf_16

        def run():
            text = ""
            for number in range(200):
                text += chr(0x61 + number % 26)         # held
            wide = text
            wide += "\\u20ac" * 40
            wider = wide + "\\U0001f40d"
            parts = [f"{number:05d}" for number in range(100)]
            joined = ", ".join(parts)
            replaced = joined.replace(",", " -")
            encoded = replaced.encode("utf-16")
            decoded = encoded.decode("utf-16")
            split = decoded.split()
            upper = decoded.upper()
            formatted = "%s %r %08.3f" % (upper[:10], split[:2], 3.5)
            return text, wide, wider, parts, joined, encoded, split, formatted
    """

    bytes_and_buffers = """
        def run():
            plain = bytes(1000)                         # held
            sizes = [bytes(size) for size in (1, 31, 32, 33, 479, 480, 511,
                                              512, 513, 4096, 1 << 20)]
            grown = bytearray()
            for number in range(3000):
                grown.append(number % 256)
            shrunk = bytearray(100000)
            del shrunk[50:]
            view = memoryview(plain)[10:20]
            return plain, sizes, grown, shrunk, view, plain + plain
    """

    numbers = """
        def run():
            integers = [number * 1000003 for number in range(200)]   # held
            huge = [2 ** (30 * power) for power in range(1, 40)]
            huge.append(huge[-1] // 12345678901234567890)
            floats = [number / 3 for number in range(200)]
            complexes = [complex(number, -number) for number in range(50)]
            return integers, huge, floats, complexes, str(huge[-1])
    """

    classes = """
        import weakref

        class Base:
            def __init__(self, value):
                self.value = value
                self.more = [value]                     # held

        class Slots:
            __slots__ = "one", "two"
            def __init__(self, one):
                self.one = one
                self.two = (one, one)

        class Meta(type):
            def __new__(mcls, name, bases, namespace):
                namespace["extra"] = bytes(300)
                return super().__new__(mcls, name, bases, namespace)

        def make(number):
            class Local(Base, metaclass=Meta):
                attribute = [number]
                def method(self):
                    return bytes(self.value)
            return Local

        def run():
            instances = [Base(number) for number in range(300, 340)]
            slots = [Slots(number) for number in range(300, 340)]
            made = [make(number) for number in range(3)]
            objects = [kind(50) for kind in made]
            for index, each in enumerate(objects):
                each.later = bytes(10 + index)
                setattr(each, f"attribute{index}", None)
            methods = [each.method for each in objects]
            named = type("Named", (Base,), {"x": 1})
            references = [weakref.ref(each) for each in instances]
            crowded = Base(1)
            for number in range(60):
                setattr(crowded, f"a{number}", number)
            return (instances, slots, made, objects, methods, named, references,
                    crowded)
    """

    compiled_code = """
        SOURCE = '''
        def build(size):
            return [bytes(size), {size: str(size)}]
        values = [build(300 + n) for n in range(5)]
        class Inside:
            table = {"a": [1, 2]}
        '''.replace("\\n        ", "\\n")

        def run():
            kept = []
            for number in range(3):
                scope = {}
                code = compile(SOURCE, f"script:made{number}", "exec")   # held
                exec(code, scope)
                kept.append(scope)
            kept.append(eval(compile("[n * 1000 for n in range(99)]", "script:eval", "eval")))
            kept.append(eval("lambda: 17 ** 70"))
            return kept
    """

    free_lists = """
        def churn():
            for _ in range(40):
                (1.5, [2], {3: 4}, (5, 6), slice(7, 8))
                [[], [1], [1, 2]]
                float("2.25") * 3
            return None

        def run():
            churn()
            lists = [[] for _ in range(60)]
            del lists
            lists = [[] for _ in range(50)]
            filled = [[number] for number in range(50)]         # held
            tuples = [(number, None) for number in range(50)]
            del tuples
            pairs = [(number, number) for number in range(40)]
            floats = [number + 0.5 for number in range(90)]
            del floats
            halves = [number / 2 for number in range(80)]
            dicts = [{} for _ in range(30)]
            del dicts
            tables = [{number: number} for number in range(30)]
            slices = [slice(number) for number in range(10)]
            methods = [[].append for _ in range(20)]
            bound = [str.join.__get__("x") for _ in range(5)]
            return lists, filled, pairs, halves, tables, slices, methods, bound
    """

    called_from_c = """
        import functools, re

        def key(item):
            key.seen.append([item])                     # held
            return -item
        key.seen = []

        @functools.lru_cache(maxsize=16)
        def cached(number):
            return bytes(500 + number)

        class Compared:
            def __init__(self, value):
                self.value = value
            def __lt__(self, other):
                log.append(bytes(60))
                return self.value < other.value
            def __hash__(self):
                return self.value
            def __eq__(self, other):
                log.append((self.value, other.value))
                return self.value == other.value
        log = []

        def run():
            ordered = sorted(range(30), key=key)
            mapped = list(map(lambda n: [n], range(20)))
            filtered = list(filter(lambda n: log.append([n]) or n % 2, range(20)))
            folded = functools.reduce(lambda a, b: a + [b], range(20), [])
            replaced = re.sub("a", lambda match: "b" * 30, "banana")
            lowest = min(Compared(number) for number in range(10, 0, -1))
            table = {Compared(number % 5): number for number in range(15)}
            values = [cached(number % 20) for number in range(50)]
            return (ordered, mapped, filtered, folded, replaced, lowest, table,
                    values, key.seen, log)
    """

    finalizers = """
        import gc, weakref

        log = []

        class Final:
            def __init__(self, size):
                self.size = size
            def __del__(self):
                log.append(bytes(self.size))            # held

        def run():
            for size in range(100, 110):
                Final(size)
            cycle = Final(200)
            cycle.itself = cycle
            del cycle
            watched = Final(300)
            reference = weakref.ref(watched, lambda ref: log.append(bytes(400)))
            del watched
            gc.collect()
            return log, reference
    """

    statements = """
        import contextlib

        @contextlib.contextmanager
        def managed(log):
            log.append(bytes(81))
            try:
                yield [82]
            finally:
                log.append(bytes(83))

        def pick(value):
            match value:
                case {"key": [first, *rest]}:
                    return [first, rest]
                case (int() as number, _):
                    return [number]
                case _:
                    return [None]

        def run():
            log = []
            with managed(log) as inside, \\
                    managed(log):
                log.append(inside)
            value = [
                bytes(91),
                bytes(92), bytes(
                    93),
                {
                    "key": bytes(94),                   # held
                },
            ]
            picked = [pick({"key": [1, 2, 3]}), pick((500, 1)), pick(0)]
            text = f"{value!r:>300}" f"{len(picked):,}"
            first, *others = range(600, 640)
            try:
                log.append(bytes(95))
            finally:
                log.append(bytes(96))
            for index in range(3):
                if index == 1: log.append(bytes(97)); continue
                log.append(bytes(98))
            else:
                log.append(bytes(99))
            merged = [*others, *log, *{1: 2}, ]
            keywords = dict(**{"a": 1}, b=[2])
            return log, value, picked, text, others, merged, keywords
    """

    library_types = """
        import array, collections, dataclasses, decimal, enum, fractions, heapq
        import itertools, json, struct, types

        def run():
            queue = collections.deque(maxlen=100)
            for number in range(200):
                queue.append([number])                  # held
            Pair = collections.namedtuple("Pair", "left right")
            @dataclasses.dataclass
            class Data:
                name: str
                items: list = dataclasses.field(default_factory=list)
            class Color(enum.Enum):
                RED = 1
                BLUE = 2
            numbers = array.array("d", range(500))
            numbers.extend(range(500))
            heap = []
            for number in range(100, 0, -1):
                heapq.heappush(heap, number * 1001)
            text = json.dumps({"list": list(range(50)), "deep": {"a": [None, 1.5]}})
            return (queue, [Pair(n, [n]) for n in range(10)],
                    [Data(f"n{n}", [n]) for n in range(10)], list(Color), numbers,
                    heap, text, json.loads(text), struct.pack("20i", *range(20)),
                    [decimal.Decimal(n) / 7 for n in range(1, 20)],
                    [fractions.Fraction(n, 7) for n in range(10)],
                    list(itertools.permutations(range(4))),
                    collections.Counter("mississippi"), collections.OrderedDict(a=1),
                    types.SimpleNamespace(x=[1]), types.ModuleType("made"))
    """

    reallocated_after_start = """
        before = [[None] * 10 for _ in range(10)]
        buffers = [bytearray(100) for _ in range(10)]
        untouched = [bytes(300) for _ in range(10)]
        tables = [{n: n for n in range(4)} for _ in range(10)]

        def run():
            for each in before:
                each.extend(range(200))                 # held
            for each in buffers:
                each.extend(bytes(1000))
            for each in tables:
                for number in range(50):
                    each[number] = None
            return before, buffers
    """

    other_domains = """
        import _testcapi

        def track(domain, pointer, size):
            _testcapi.tracemalloc_track(domain, pointer, size)  # held

        def run():
            for number in range(50):
                track(389047, 4096 + number * 64, 1000 + number)
            for number in range(10):
                track(5, number, number)
            for number in range(10):
                _testcapi.tracemalloc_track(5, number, 70 + number, True)
            for number in range(0, 50, 2):
                _testcapi.tracemalloc_untrack(389047, 4096 + number * 64)
            track(0, 2 ** 64 - 1, 2 ** 62)
            track(2 ** 32 - 1, 0, 0)
            _testcapi.tracemalloc_untrack(77, 1)
            return bytes(99)
    """

    module_level = """
        import types

        SOURCE = (
            "import collections\\n"
            "TABLE = {n: [n] for n in range(40)}\\n"
            "def function(a, b=[1], *, c={2: 3}):\\n"
            "    'documentation'\\n"
            "    return a\\n"
            "class Type(collections.UserDict):\\n"
            "    x: int = 5\\n"
            "NAMES = sorted(globals())\\n")

        def run():
            module = types.ModuleType("script_module")
            code = compile(SOURCE, "script:module", "exec")     # held
            exec(code, module.__dict__)
            return module, code
    """

    clear_traces = """
        import _tracemalloc

        def run():
            limit = _tracemalloc.get_traceback_limit()
            gone = [bytes(600)]
            _tracemalloc.clear_traces()
            kept = [bytes(700 + number) for number in range(5)]     # held
            gone.append([1])
            return kept, gone
    """

    peak_reset = """
        import _tracemalloc

        def run():
            big = list(range(100000))
            del big
            _tracemalloc.reset_peak()
            kept = [number * 1000 for number in range(300)]         # held
            return kept
    """


class BlocksEqualStock(ScriptTests):
    """What kinds of objects and of memory there are."""

    scripts = Scripts


class AllocatorsEqualStock(unittest.TestCase):
    """Blocks are those of stock on top of every allocator of the interpreter.
    """

    scripts = ("list_growth", "strings", "library_types",
               "reallocated_after_start")

    def compare(self, malloc="", *options):
        if malloc and not allocators(malloc):
            self.skipTest(f"the interpreter is built without {malloc}")
        for name in self.scripts:
            source = textwrap.dedent(getattr(Scripts, name)).lstrip()
            with self.subTest(script=name):
                ours, stock = run_both(source, 25, *options, malloc=malloc)
                self.assertGreater(len(ours.blocks), 3)
                self.assertEqual(difference(ours.blocks, stock.blocks), "")
                self.assertEqual(ours.memory, stock.memory)

    @needs_stock
    def test_S96_malloc(self):
        self.compare("malloc")

    @needs_stock
    def test_S96_malloc_debug(self):
        self.compare("malloc_debug")

    @needs_stock
    def test_S96_debug(self):
        self.compare("debug")

    @needs_stock
    def test_S96_pymalloc(self):
        self.compare("pymalloc")

    @needs_stock
    def test_S96_pymalloc_debug(self):
        self.compare("pymalloc_debug")

    @needs_stock
    def test_S96_mimalloc(self):
        self.compare("mimalloc")

    @needs_stock
    def test_S96_mimalloc_debug(self):
        self.compare("mimalloc_debug")

    @needs_stock
    def test_S96_development_mode(self):
        self.compare("", "-X", "dev")


class HarnessTests(unittest.TestCase):
    """The comparison sees what it is there to see."""

    SOURCE = "def run():\n    return [bytes(size) for size in (100, 200)]\n"

    def blocks(self, source, limit=2):
        return run_script(sys.executable, source, limit).blocks

    def test_the_same_script_gives_the_same_record(self):
        self.assertEqual(
            difference(self.blocks(self.SOURCE), self.blocks(self.SOURCE)), "")

    def test_a_changed_size_line_depth_or_number_is_reported(self):
        record = self.blocks(self.SOURCE)
        for other in [self.SOURCE.replace("200", "201"), "\n" + self.SOURCE,
                      self.SOURCE.replace("100, 200", "100, 100"),
                      self.SOURCE.replace("run()", "inner()")
                      + "def run():\n    return inner()\n"]:
            self.assertNotEqual(difference(record, self.blocks(other)), "")

    def test_a_script_that_fails_is_an_error(self):
        with self.assertRaisesRegex(AssertionError, "ZeroDivisionError"):
            self.blocks("def run():\n    1 / 0\n")


# Requirements that a script bears on, beyond S17 and S27 that all of them do.
COVERS = {
    "list_growth": "S23", "strings": "S23", "bytes_and_buffers": "S26",
    "free_lists": "S24", "reallocated_after_start": "S22",
    "other_domains": "S92", "clear_traces": "S11", "peak_reset": "S19",
}

add_tests(BlocksEqualStock, COVERS)


if __name__ == "__main__":
    unittest.main()
