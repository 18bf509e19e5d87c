"""Sampling: estimates against what is known, and what goes on meanwhile.

No test may fail by chance.  Seeds are fixed, and all that a script allocates
with one thread is the same in each process that finds its modules compiled, so
a run is like every other (see test_another_process_repeats_the_samples).  What
an estimate may be off is told in standard errors, eight of them.  How many of
n blocks are noted has the binomial distribution; whatever the seed, the
figures of a script that notes 600 blocks or more, with the error that they
themselves tell, are further off with a probability below 1e-12, by the sum of
that distribution's ends:

    n = 20000, p = 1 - exp(-100/3000): 3.0e-13
    n = 20000, p = 1 - exp(-133/4096): 3.4e-13
    n = 120000, p = 1 - exp(-133/4096): 9.5e-15

That matters where the seed does not settle it: threads draw gaps in turn, and
a forked child has a seed of its own.
"""
import json
import math
import os
import subprocess
import sys
import textwrap
import unittest
from test.support import import_helper, threading_helper
from test import support
from test.tracemalloc_scripts import allocators

_tracemalloc = import_helper.import_module("_tracemalloc")

# What a script of these tests may use.
PREAMBLE = """
import _tracemalloc, gc, json, math, sys, tracemalloc

def start(interval, seed=1, nframe=1):
    tracemalloc.start(nframe, sample_interval=interval)
    _tracemalloc._seed_sampling(seed)

NAMES = ("blocks", "bytes", "freed_blocks", "freed_bytes", "peak_blocks", "peak_bytes",
         "live_blocks_error", "live_bytes_error", "blocks_error", "bytes_error")

def lines(domain=0):
    "Estimates by line of the script, summed; errors add up in squares."
    sums = {}
    for of, frames, total, *figures in _tracemalloc._get_estimates():
        if of == domain and frames[0][0] == "<string>":
            at = sums.setdefault(frames[0][1], dict.fromkeys(NAMES, 0.0))
            for name, figure in zip(NAMES, figures, strict=True):
                at[name] += figure ** 2 if name.endswith("error") else figure
    for at in sums.values():
        for name in NAMES[6:]:
            at[name] = math.sqrt(at[name])
        at["live_blocks"] = at["blocks"] - at["freed_blocks"]
        at["live_bytes"] = at["bytes"] - at["freed_bytes"]
    return sums

def tell(*values):
    tracemalloc.stop()
    print(json.dumps(values))

"""
# So that the first line of a script is line 1.
FIRST_LINE = PREAMBLE.count("\n") + 1


def run(*arguments, variables=(), python=sys.executable):
    env = {name: value for name, value in os.environ.items()
           if not name.startswith("PYTHON") or name == "PYTHONPATH"}
    env["PYTHON_COLORS"] = "0"
    env.update(variables)
    with support.SuppressCrashReport():
        return subprocess.run([python, *arguments], env=env,
                              capture_output=True,
                              text=True, timeout=support.LONG_TIMEOUT)


class ScriptTests(unittest.TestCase):

    def script(self, code, *arguments):
        """Run a script behind the preamble; return what it told."""
        code = textwrap.dedent(code).strip("\n")
        process = run(*arguments, "-c", PREAMBLE + code)
        self.assertEqual((process.returncode, process.stderr), (0, ""),
                         process.stdout)
        return json.loads(process.stdout.splitlines()[-1])

    def near(self, estimate, truth, error, n=8):
        self.assertLessEqual(abs(estimate - truth), n * error + 1,
                             f"{estimate} for {truth}, standard error {error}")


class EstimateTests(ScriptTests):
    """Each script allocates what it knows, and tells estimates of it."""

    def test_blocks_of_one_size(self):
        for size, interval in [(40, 4096), (40, 100), (500, 65536),
                               (5000, 65536),
                               (100_000, 65536), (3, 1000), (30, 7)]:
            with self.subTest(size=size, interval=interval):
                n = min(200_000, 40_000_000 // size)
                header = bytes(0).__sizeof__()
                at, = self.script(f"""
                    kept = [None] * {n}
                    start({interval})
                    for i in range({n}):
                        kept[i] = bytes({size})
                    _tracemalloc._check()
                    tell(lines()[{FIRST_LINE} + 3])
                    """)
                total = n * (size + header)
                self.near(at["live_bytes"], total, at["live_bytes_error"])
                self.near(at["live_blocks"], n, at["live_blocks_error"])
                self.near(at["bytes"], total, at["bytes_error"])
                p = -math.expm1(-(size + header) / interval)
                expected = math.sqrt(n * (1 - p) / p)
                self.assertAlmostEqual(at["live_blocks_error"], expected,
                                       delta=0.3 * expected)

    def test_interval_of_one_byte_notes_all_but_the_smallest(self):
        at, = self.script(f"""
            start(1)
            kept = [bytes(100 + i % 700) for i in range(20000)]
            _tracemalloc._check()
            tell(lines()[{FIRST_LINE} + 1])
            """)
        header = bytes(0).__sizeof__()
        blocks = 20000
        size = sum(100 + i % 700 + header for i in range(blocks))
        # The list has grown on this line as well, and holds one block.
        self.assertEqual(at["live_blocks"], blocks + 1)
        self.assertGreaterEqual(at["live_bytes"], size + 8 * blocks)
        self.assertLess(at["live_bytes"], size + 10 * blocks)
        self.assertEqual(at["live_bytes_error"], 0)

    def test_mixed_sizes_freed_by_half(self):
        before, after = self.script(f"""
            sizes = [(7919 * i) % 3000 for i in range(60000)]
            kept = [None] * len(sizes)
            start(16384)
            for i, size in enumerate(sizes):
                kept[i] = bytes(size)
            before = lines()
            kept[::2] = [None] * (len(kept) // 2)
            _tracemalloc._check()
            tell(before[{FIRST_LINE} + 4], lines()[{FIRST_LINE} + 4])
            """)
        header = bytes(0).__sizeof__()
        sizes = [(7919 * i) % 3000 + header for i in range(60000)]
        self.near(before["live_bytes"], sum(sizes), before["live_bytes_error"])
        self.near(before["live_blocks"], len(sizes),
                  before["live_blocks_error"])
        self.near(after["live_bytes"], sum(sizes[1::2]),
                  after["live_bytes_error"])
        self.near(after["live_blocks"], len(sizes) // 2,
                  after["live_blocks_error"])
        self.assertEqual(after["bytes"], before["bytes"])
        self.assertEqual(after["bytes_error"], before["bytes_error"])
        freed_error = math.sqrt(after["bytes_error"] ** 2
                                - after["live_bytes_error"] ** 2)
        self.near(after["freed_bytes"], sum(sizes[::2]), freed_error)

    def test_mean_over_seeds(self):
        """No bias: the mean of many runs comes closer than each of them."""
        runs, = self.script(f"""
            kept = [None] * 300
            start(20000)
            def fill():
                for i in range(300):
                    kept[i] = bytes(400)
            runs = []
            for seed in range(500):
                kept[:] = [None] * 300
                tracemalloc.clear_traces()
                _tracemalloc._seed_sampling(seed)
                fill()
                at = lines().get({FIRST_LINE} + 4)
                if at is None:
                    at = dict.fromkeys(NAMES + ("live_blocks", "live_bytes"), 0)
                runs.append([at["live_blocks"], at["live_bytes"],
                             at["live_blocks_error"], at["live_bytes_error"]])
            tell(runs)
            """)
        size = 400 + bytes(0).__sizeof__()
        for figure, error, truth in (0, 2, 300), (1, 3, 300 * size):
            mean = sum(run[figure] for run in runs) / len(runs)
            variance = (sum((run[figure] - truth) ** 2 for run in runs)
                        / len(runs))
            told = sum(run[error] ** 2 for run in runs) / len(runs)
            self.near(mean, truth, math.sqrt(told / len(runs)))
            # The errors are what they say, within what 500 runs can tell.
            self.assertAlmostEqual(told / variance, 1, delta=0.35)

    def test_the_same_seed_repeats_the_samples(self):
        first, again, other = self.script("""
            kept = [None] * 20000
            def work(seed):
                for i in range(20000):
                    kept[i] = None
                tracemalloc.clear_traces()
                _tracemalloc._seed_sampling(seed)
                for i in range(20000):
                    kept[i] = bytes(i % 600)
                return {line: at["live_bytes"] for line, at in lines().items()}
            start(5000)
            work(1), work(1)
            tell(work(5), work(5), work(6))
            """)
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_another_process_repeats_the_samples(self):
        """Otherwise the tests here could fail by chance."""
        code = PREAMBLE + textwrap.dedent("""
            start(1000, nframe=3)
            kept = {str(i): [i, bytes(i % 3000)] for i in range(5000)}
            kept = {key: value for key, value in kept.items() if value[0] % 3}
            found = sorted((frames, row[:6]) for _, frames, _, *row
                           in _tracemalloc._get_estimates() if frames[0][0] == "<string>")
            assert len(found) > 2
            tell(found)
            """)
        # Compiling what is imported would leave other free lists.
        run("-c", code)
        first, second = [run("-c", code, variables={"PYTHONHASHSEED": seed})
                         for seed in ("1", "2")]
        self.assertEqual((first.returncode, first.stderr), (0, ""))
        self.assertEqual(first.stdout, second.stdout)

    def test_traced_memory_and_its_peak(self):
        current, peak, low, reset = self.script("""
            kept = [None] * 50000
            start(8192)
            for i in range(50000):
                kept[i] = bytes(200)
            current, peak = tracemalloc.get_traced_memory()
            for i in range(50000):
                kept[i] = None
            low = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            _tracemalloc._check()
            reset = tracemalloc.get_traced_memory()
            tell(current, peak, low, reset)
            """)
        truth = 50000 * (200 + bytes(0).__sizeof__())
        error = math.sqrt(8192 * truth)
        self.near(current, truth, error)
        self.assertGreaterEqual(peak, current)
        self.assertLess(low[0], truth / 20)
        self.assertEqual(low[1], peak)
        self.assertLess(reset[1], truth / 20)
        self.assertGreaterEqual(reset[1], reset[0])

    def test_state_at_the_peak(self):
        at, = self.script(f"""
            kept = [None] * 50000
            start(8192)
            for i in range(50000):
                kept[i] = bytes(200)
            kept[:] = [None] * 50000
            tell(lines()[{FIRST_LINE} + 3])
            """)
        self.assertEqual(at["live_blocks"], 0)
        truth = 50000 * (200 + bytes(0).__sizeof__())
        self.near(at["peak_bytes"], truth, at["bytes_error"])
        self.near(at["peak_blocks"], 50000, at["blocks_error"])

    def test_traces_and_contexts_are_scaled(self):
        traces, statistic, contexts, at = self.script(f"""
            kept = [None] * 50000
            start(8192)
            for i in range(50000):
                kept[i] = bytes(200)
            snapshot = tracemalloc.take_snapshot()
            contexts = [row for row in _tracemalloc._get_contexts()
                        if row[1][0] == ("<string>", {FIRST_LINE} + 3)]
            at = lines()[{FIRST_LINE} + 3]
            found = [s for s in snapshot.statistics("lineno")
                     if s.traceback[0].filename == "<string>"
                     and s.traceback[0].lineno == {FIRST_LINE} + 3]
            size = sum(trace.traceback[0].lineno == {FIRST_LINE} + 3
                       and trace.traceback[0].filename == "<string>"
                       for trace in snapshot.traces)
            tell(size, [found[0].size, found[0].count], contexts, at)
            """)
        (domain, frames, total, blocks, size, freed, *rest), = contexts
        self.near(traces, 50000, at["live_blocks_error"])
        self.assertEqual(statistic[1], traces)
        self.near(statistic[0], size, 500)
        self.near(blocks, traces, 2)
        self.assertEqual(freed, 0)
        self.assertEqual(blocks, at["blocks"])

    def test_snapshots_are_scaled(self):
        rows, totals, memory, interval, none, at = self.script(f"""
            kept = [None] * 50000
            start(8192)
            for i in range(50000):
                kept[i] = bytes(200)
            data = _tracemalloc._take_snapshot()
            memory = tracemalloc.get_traced_memory()
            at = lines()[{FIRST_LINE} + 3]
            numbers = {{number for number in range(len(data.context_line))
                       if data.context_line[number] == {FIRST_LINE} + 3
                       and data.names[data.context_file[number]] == "<string>"}}
            rows = [[size, count] for number, size, count in zip(
                        data.row_context, data.row_size, data.row_count)
                    if number in numbers]
            totals = [[data.context_allocated_blocks[n], data.context_allocated_bytes[n],
                       data.context_freed_blocks[n], data.context_freed_bytes[n],
                       data.context_peak_blocks[n], data.context_peak_bytes[n]]
                      for n in numbers]
            peak = _tracemalloc._take_snapshot(peak=True)
            assert peak.row_count is None and peak.sample_interval == 8192
            tracemalloc.stop()
            tracemalloc.start()
            tell(rows, totals, [*data.traced_memory, *memory], data.sample_interval,
                 _tracemalloc._take_snapshot().sample_interval, at)
            """)
        self.assertEqual((interval, none), (8192, None))
        (size, count), = rows
        self.assertEqual(size, 200 + bytes(0).__sizeof__())
        (blocks, total, freed_blocks, freed, peak_blocks, peak), = totals
        self.near(count, at["live_blocks"], 1)
        self.assertEqual((blocks, total),
                         (at["live_blocks"], at["live_bytes"]))
        self.assertEqual((freed_blocks, freed), (0, 0))
        self.near(peak_blocks, blocks, 1)
        self.near(memory[0], memory[2], 8192)

    def test_snapshots_say_that_they_estimate(self):
        interval, text, size, error, count_error, exact, at = self.script(f"""
            kept = [None] * 50000
            start(8192)
            for i in range(50000):
                kept[i] = bytes(200)
            snapshot = tracemalloc.take_snapshot()
            at = lines()[{FIRST_LINE} + 3]
            stat, = [s for s in snapshot.statistics("lineno")
                     if s.traceback[0].filename == "<string>"
                     and s.traceback[0].lineno == {FIRST_LINE} + 3]
            tracemalloc.stop()
            tracemalloc.start()
            more = bytes(1000)
            exact = tracemalloc.take_snapshot()
            tell(snapshot.metadata["sample_interval"], str(stat), stat.size, stat.size_error,
                 stat.count_error, [exact.metadata["sample_interval"],
                                    str(exact.statistics("lineno")[0])], at)
            """)
        self.assertEqual(interval, 8192)
        self.assertIn("size=~", text)
        self.near(size, at["live_bytes"], 1, 300)
        self.assertAlmostEqual(error / at["live_bytes_error"], 1, delta=0.001)
        self.assertAlmostEqual(count_error / at["live_blocks_error"], 1,
                               delta=0.001)
        self.assertIsNone(exact[0])
        self.assertNotIn("~", exact[1])

    def test_contexts_apart(self):
        found, = self.script(f"""
            def one(n):
                return [bytes(300) for _ in range(n)]
            def other(n):
                return [bytes(1000) for _ in range(n)]
            start(8192, nframe=5)
            kept = one(20000), other(6000), one(1000)
            _tracemalloc._check()
            tell(lines())
            """)
        header = bytes(0).__sizeof__()
        one, other = found[str(FIRST_LINE + 1)], found[str(FIRST_LINE + 3)]
        # Each list has one block of about 8 bytes per item on its line, too.
        lists = 8 * 21000 * 1.13
        self.near(one["live_bytes"], 21000 * (300 + header) + lists / 1.06,
                  one["live_bytes_error"] + lists / 20)
        lists = 8 * 6000 * 1.13
        self.near(other["live_bytes"], 6000 * (1000 + header) + lists / 1.06,
                  other["live_bytes_error"] + lists / 20)


class OperationTests(ScriptTests):

    def test_realloc_in_place_and_moving(self):
        at, = self.script(f"""
            start(500)
            def work():
                arrays = [bytearray() for _ in range(300)]
                for step in range(1, 40):
                    for array in arrays:
                        array.extend(bytes(step))
                _tracemalloc._check()
                for step in range(30):
                    for array in arrays:
                        del array[-20:]
                _tracemalloc._check()
                for array in arrays:
                    array.clear()
                del array
                arrays.clear()
            work()
            gc.collect()
            _tracemalloc._check()
            tell({{line: [at["live_blocks"], at["live_bytes"], at["blocks"]]
                  for line, at in lines().items()}})
            """)
        for line in range(FIRST_LINE + 2, FIRST_LINE + 15):
            self.assertEqual(at.get(str(line), [0])[0], 0, at)
        self.assertGreater(at[str(FIRST_LINE + 5)][2], 1000)

    def test_lists_that_grow(self):
        at, size = self.script(f"""
            start(3000)
            def work():
                lists = []
                for i in range(400):
                    items = []
                    for k in range(300):
                        items.append(None)
                    lists.append(items)
                return lists
            kept = work()
            _tracemalloc._check()
            size = sum(sys.getsizeof(items) - sys.getsizeof([]) for items in kept)
            tell(lines()[{FIRST_LINE} + 6], size)
            """)
        self.near(at["live_blocks"], 400, at["live_blocks_error"])
        self.near(at["live_bytes"], size, at["live_bytes_error"])
        self.assertGreater(at["bytes"], 2 * at["live_bytes"])

    def test_zero_bytes(self):
        import_helper.import_module("_testcapi")
        found, = self.script(f"""
            import _testcapi
            start(50)
            for i in range(50000):
                _testcapi.tracemalloc_track(7, i * 64 + 64, 0)
            _tracemalloc._check()
            at = lines(7)[{FIRST_LINE} + 3]
            tell(at)
            """)
        self.near(found["live_blocks"], 50000, found["live_blocks_error"])
        self.assertGreater(found["live_blocks_error"], 0)
        self.assertEqual(found["live_bytes"], 0)
        self.assertEqual(found["live_bytes_error"], 0)

    def test_blocks_of_extensions(self):
        import_helper.import_module("_testcapi")
        full, again, half = self.script(f"""
            import _testcapi
            start(5000)
            def track(size):
                for i in range(20000):
                    _testcapi.tracemalloc_track(9, i << 20, size)
            track(100)
            full = lines(9)[{FIRST_LINE} + 4]
            _tracemalloc._check()
            track(300)
            again = lines(9)[{FIRST_LINE} + 4]
            _tracemalloc._check()
            for i in range(0, 20000, 2):
                _testcapi.tracemalloc_untrack(9, i << 20)
            _tracemalloc._check()
            tell(full, again, lines(9)[{FIRST_LINE} + 4])
            """)
        self.near(full["live_bytes"], 2_000_000, full["live_bytes_error"])
        self.near(again["live_bytes"], 6_000_000, again["live_bytes_error"])
        self.near(again["live_blocks"], 20000, again["live_blocks_error"])
        self.near(half["live_bytes"], 3_000_000, half["live_bytes_error"])

    def test_reported_blocks_of_python(self):
        import_helper.import_module("_testcapi")
        found, = self.script("""
            import _testcapi
            start(1)
            kept = [bytes(100) for _ in range(500)] + [bytes(1000) for _ in range(500)]
            for block in kept:
                _testcapi.tracemalloc_track(0, id(block), 5000)
            _tracemalloc._check()
            many = tracemalloc.get_traced_memory()[0]
            del block
            kept.clear()
            gc.collect()
            _tracemalloc._check()
            tell([many, tracemalloc.get_traced_memory()[0]])
            """)
        many, few = found
        self.assertGreater(many, 5_000_000)
        self.assertLess(few, 200_000)

    @threading_helper.requires_working_threading()
    def test_threads_without_the_gil(self):
        import_helper.import_module("_testcapi")
        import_helper.import_module("lzma")
        at, = self.script(f"""
            import _testcapi, lzma, threading
            data = lzma.compress(bytes(200000))
            start(3000)
            def work(first):
                for i in range(first, first + 5000):
                    _testcapi.tracemalloc_track(4, i << 8, 100, 1)
                    if i % 100 == 0:
                        lzma.decompress(data)
            threads = [threading.Thread(target=work, args=(5000 * i,)) for i in range(4)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            _tracemalloc._check()
            tell(lines(4)[{FIRST_LINE} + 5])
            """)
        self.near(at["live_blocks"], 20000, at["live_blocks_error"])
        self.near(at["live_bytes"], 2_000_000, at["live_bytes_error"])

    def test_free_lists_move_samples(self):
        """A float keeps its sample, which belongs to the line that has it.

        What free lists hold before the script begins was drawn with any seed:
        each of ten floats of 24 bytes may be missing with a probability of
        exp(-24), all of them together 4e-10.
        """
        found, = self.script(f"""
            one = 1.0
            def make(n):
                return [one + i for i in range(n)]
            def take(n):
                return [one * i for i in range(n)]
            kept = make(10)
            def where(value):
                return _tracemalloc._get_object_traceback(value)[0][1]
            before = {{where(value) for value in kept}}
            del kept
            kept = take(10)
            after = {{where(value) for value in kept}}
            _tracemalloc._check()
            at = lines()
            made, taken = at[{FIRST_LINE} + 2], at[{FIRST_LINE} + 4]
            tell([sorted(before), sorted(after), made["live_blocks"], taken["live_blocks"]])
            """, "-X", "tracemalloc=1,sample=1")
        before, after, made, taken = found
        self.assertEqual(before, [FIRST_LINE + 2])
        self.assertEqual(after, [FIRST_LINE + 4])
        self.assertEqual(made, 0)
        self.assertGreaterEqual(taken, 10)

    def test_large_objects_are_found_by_their_address(self):
        found, = self.script("""
            start(1)
            kept = [bytes(i) for i in range(400, 3000, 7)]
            kept += ["x" * 20000, tuple(range(5000)), type("T", (), {"x": 1})]
            tell([_tracemalloc._get_object_traceback(value) is not None for value in kept])
            """)
        self.assertEqual(set(found), {True})

    def test_clear_traces(self):
        found, = self.script("""
            start(100)
            kept = [bytes(i) for i in range(3000)]
            some = tracemalloc.get_traced_memory()[0]
            tracemalloc.clear_traces()
            none = tracemalloc.get_traced_memory()
            _tracemalloc._check()
            del kept
            _tracemalloc._check()
            more = [bytes(i) for i in range(3000)]
            _tracemalloc._check()
            tell([some, *none, tracemalloc.get_traced_memory()[0]])
            """)
        some, current, peak, more = found
        self.assertLess(current, some / 10)
        self.assertLess(peak, some / 10)
        self.assertGreater(more, some / 2)

    def test_stop_and_start_with_other_intervals(self):
        found, = self.script(f"""
            results = []
            for interval in 100000, 500, 1 << 30, 500:
                kept = [None] * 20000
                start(interval)
                for i in range(20000):
                    kept[i] = bytes(100)
                _tracemalloc._check()
                at = lines().get({FIRST_LINE} + 5, {{"live_blocks": 0, "live_blocks_error": 0}})
                results.append([at["live_blocks"], at["live_blocks_error"]])
                tracemalloc.stop()
                del kept
            print(json.dumps([results]))
            """)
        for blocks, error in found[1], found[3]:
            self.near(blocks, 20000, error)
            self.assertLess(error, 500)

    @threading_helper.requires_working_threading()
    def test_threads_have_gaps_of_their_own(self):
        at, = self.script(f"""
            import threading
            kept = [[None] * 20000 for _ in range(6)]
            start(4096)
            def work(mine):
                for i in range(20000):
                    mine[i] = bytes(100)
            threads = [threading.Thread(target=work, args=(mine,)) for mine in kept]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            _tracemalloc._check()
            tell(lines()[{FIRST_LINE} + 5])
            """)
        size = 100 + bytes(0).__sizeof__()
        self.near(at["live_blocks"], 120000, at["live_blocks_error"])
        self.near(at["live_bytes"], 120000 * size, at["live_bytes_error"])

    @support.requires_fork()
    def test_fork(self):
        """The child goes on with gaps of its own.

        Two processes that each note one of 20,000 blocks with the probability
        p = 1 - exp(-133/4096) = 0.032 note the same ones with the probability
        ((1 - p)**2 + p**2)**20000 = 1e-555.
        """
        parent, child, same = self.script(f"""
            import os
            kept = [None] * 40000
            start(4096)
            def fill(first):
                for i in range(first, first + 20000):
                    kept[i] = bytes(100)
            fill(0)
            reader, writer = os.pipe()
            pid = os.fork()
            fill(20000)
            _tracemalloc._check()
            at = lines()[{FIRST_LINE} + 5]
            noted = [i for i in range(20000, 40000)
                     if _tracemalloc._get_object_traceback(kept[i]) is not None]
            if pid == 0:
                with open(writer, "w") as stream:
                    json.dump([at, noted], stream)
                os._exit(0)
            os.close(writer)
            with open(reader) as stream:
                child, noted_by_child = json.load(stream)
            os.waitpid(pid, 0)
            tell(at, child, noted == noted_by_child)
            """)
        for at in parent, child:
            self.near(at["live_blocks"], 40000, at["live_blocks_error"])
        self.assertFalse(same)

    def test_interpreters_with_gils_of_their_own(self):
        interpreters = import_helper.import_module("_interpreters")
        at, = self.script(f"""
            import _interpreters
            start(2048)
            def work():
                return [bytes(100) for _ in range(10000)]
            kept = work()
            code = '''if True:
                import _tracemalloc
                kept = [bytes(i % 900) for i in range(5000)]
                _tracemalloc._check()
                del kept
                _tracemalloc._check()
                '''
            for _ in range(2):
                other = _interpreters.create("isolated")
                error = _interpreters.run_string(other, code)
                assert error is None, error
                more = work()
                _interpreters.destroy(other)
            del more
            tell(lines()[{FIRST_LINE} + 3])
            """)
        size = 100 + bytes(0).__sizeof__()
        self.near(at["live_blocks"], 10001, at["live_blocks_error"])

    def test_other_allocators(self):
        code = PREAMBLE + textwrap.dedent(f"""
            start(1024)
            kept = [None] * 20000
            for i in range(20000):
                kept[i] = bytes(i % 1500)
            at = lines()[{FIRST_LINE} + 4]
            del kept
            _tracemalloc._check()
            tell(at, lines()[{FIRST_LINE} + 4]["live_blocks"])
            """)
        header = bytes(0).__sizeof__()
        truth = sum(i % 1500 + header for i in range(20000) if i % 1500 > 1)
        for malloc in allocators("malloc", "mimalloc", "debug",
                                 "malloc_debug", "pymalloc_debug"):
            with self.subTest(malloc=malloc):
                process = run("-c", code, variables={"PYTHONMALLOC": malloc})
                if "unknown PYTHONMALLOC" in process.stderr:
                    continue
                self.assertEqual((process.returncode, process.stderr), (0, ""))
                at, left = json.loads(process.stdout)
                self.near(at["live_bytes"], truth, at["live_bytes_error"])
                self.assertEqual(left, 0)

    def test_hooks_that_were_installed_above(self):
        import_helper.import_module("_testcapi")
        self.script("""
            import _testcapi
            start(100)
            _testcapi.set_nomemory(1 << 30)
            kept = [bytes(i) for i in range(2000)]
            tracemalloc.stop()
            tracemalloc.start(5)
            kept = [bytes(i) for i in range(2000)]
            _tracemalloc._check()
            tracemalloc.stop()
            start(1)
            kept = [bytes(i) for i in range(2000)]
            current = tracemalloc.get_traced_memory()[0]
            _tracemalloc._check()
            _testcapi.remove_mem_hooks()
            del kept
            _tracemalloc._check()
            tell(current)
            """)

    @unittest.skipIf(support.Py_GIL_DISABLED, "the base looks at memory that "
                     "it has not set yet, when there is none for the bytes of "
                     "a bytearray; with mimalloc it finds something there")
    def test_allocations_that_fail(self):
        import_helper.import_module("_testcapi")
        self.script("""
            import _testcapi
            start(1)
            arrays = [bytearray(b"x" * n) for n in (10, 100, 400, 600, 5000)]
            sizes = [7, 50, 300, 550, 3000, 100000]
            for first in range(0, 40):
                for array in arrays:
                    for size in sizes:
                        _testcapi.set_nomemory(first, first + 1)
                        try:
                            array.extend(array[:1] * size)
                        except MemoryError:
                            pass
                        finally:
                            _testcapi.remove_mem_hooks()
                        del array[10:]
                _tracemalloc._check()
            tell(1)
            """)

    def test_code_that_comes_and_goes(self):
        """Contexts are reclaimed, and their numbers given again."""
        self.script("""
            start(64)
            kept = []
            for i in range(3000):
                names = {}
                exec(f"def f{i}():\\n" + "\\n" * (i % 50) + " return [bytes(40), bytes(900)]",
                     names)
                kept.append(names[f"f{i}"]())
                if i % 7:
                    kept[i] = None
                if i % 500 == 0:
                    _tracemalloc._check()
            _tracemalloc._check()
            for row in _tracemalloc._get_estimates():
                live = row[3] - row[5]
                assert live >= 0 and row[4] >= row[6] and min(row[9:]) >= 0, row
                assert row[9] <= row[11] * 1.000001 and row[10] <= row[12] * 1.000001, row
            tell(1)
            """)

    def test_sampled_at_start_up(self):
        # With any seed: that file's lines allocate more than 400 kB, of which
        # nothing is noted with a probability below exp(-400e3/4096) = 4e-43.
        # All that is traced is more than 1 MB, from which 244 samples are
        # expected; 100 kB stand for 24, and so few come with one below 1e-60.
        process = run("-X", "tracemalloc=25,sample=4KiB", "-c",
                      textwrap.dedent("""
            import _tracemalloc, tracemalloc
            _tracemalloc._check()
            names = {frames[0][0] for _, frames, *_ in _tracemalloc._get_estimates()}
            print("<frozen importlib._bootstrap_external>" in names,
                  tracemalloc.get_traced_memory()[0] > 100000)
            """))
        self.assertEqual(process.stdout, "True True\n", process.stderr)


if __name__ == "__main__":
    unittest.main()
