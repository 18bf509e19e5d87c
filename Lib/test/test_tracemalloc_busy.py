"""What threads of one interpreter count while all of them are busy is what
they did, to the block.

Each script runs in a process of its own, in four threads at once.  With a GIL
they take turns; without one they meet in the tracer.
"""
import textwrap
import unittest
from test.support import import_helper, script_helper, threading_helper

import_helper.import_module("_tracemalloc")
threading_helper.requires_working_threading(module=True)

# What each script may use.  A thread gets a namespace of its own, and code
# that is everybody's: counters of one line are changed by all.
BEGIN = """
import _tracemalloc, collections, gc, sys, threading, tracemalloc

THREADS = 4
letter = b"x"
size_of = sys.getsizeof

def in_threads(work, meanwhile=lambda: None):
    '''Call work(number) in each thread; meanwhile() until all have ended.'''
    ready, faults = threading.Barrier(THREADS), []
    def run(number):
        ready.wait()
        try:
            work(number)
        except BaseException as fault:
            faults.append(repr(fault))
            raise
    threads = [threading.Thread(target=run, args=(number,))
               for number in range(THREADS)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        meanwhile()
    for thread in threads:
        thread.join()
    assert not faults, faults

def counted():
    '''Line -> allocated blocks and bytes, freed blocks and bytes.'''
    found = collections.defaultdict(lambda: [0, 0, 0, 0])
    for _, frames, _, *counters in _tracemalloc._get_contexts():
        if frames[0][0] == "busy.py":
            line = found[frames[0][1]]
            for i in range(4):
                line[i] += counters[i]
    return found

ring = None

def check():
    _tracemalloc._check()
    assert _tracemalloc._get_dropped() == 0
"""


class BusyTest(unittest.TestCase):
    def run_script(self, code, *arguments, options=()):
        return script_helper.assert_python_ok(
            *options, "-c", BEGIN + textwrap.dedent(code), *arguments)


class TotalsTests(BusyTest):

    def compare(self, code, setup=""):
        """Run code in all threads.  A comment says what a line makes in one of
        them, and how large each is: the line's counters must say the same, and
        all of it is freed at the end."""
        code = textwrap.dedent(code)
        expected = {}
        for number, text in enumerate(code.splitlines(), 1):
            if "# " in text:
                blocks, _, size = text.rpartition("# ")[2].partition(" of ")
                expected[number] = int(blocks), size
        self.run_script(textwrap.dedent(setup) + """
code = compile(sys.argv[1], "busy.py", "exec")
expected = eval(sys.argv[2])
namespaces = [{**globals(), "number": n} for n in range(THREADS)]
for nframe in 1, 5:
    tracemalloc.start(nframe)
    gc.collect()    # empties the free lists of what is not traced
    in_threads(lambda n: exec(code, namespaces[n]))
    check()
    found = counted()
    for line, (blocks, size) in expected.items():
        want, counters = THREADS * blocks, found[line]
        more = counters[0] - want
        # What is let go of by another thread than it belongs to waits for
        # that one in a queue, which takes such chunks.
        assert more == 0 or ring and more > 0, (line, want, counters)
        if size:
            size = want * eval(size) + more * 2048
            assert counters[1] == size, (line, size, counters)
    for namespace in namespaces:
        namespace.pop("kept", None)
    # What waits until no thread can look at it any more.
    gc.collect()
    _tracemalloc._clear_free_lists()
    found = counted()
    for line in expected:
        blocks, size, freed_blocks, freed_size = found[line]
        assert (blocks, size) == (freed_blocks, freed_size), (
            line, found[line])
    check()
    tracemalloc.stop()
""", code, repr(expected))

    def test_small_blocks(self):
        self.compare("""\
            kept = [None] * 20_000
            for i in range(20_000):
                one = object()      # 20000 of size_of(object())
                kept[i] = letter * 20   # 20000 of size_of(letter * 20)
                kept[i] = one
            one = None
            """)

    def test_large_blocks(self):
        # Of all kinds that allocators have, up to what has pages of its own.
        self.compare("""\
            kept = [None] * 3000
            for i in range(3000):
                kept[i] = letter * 500  # 3000 of size_of(letter * 500)
                one = letter * 1000     # 3000 of size_of(letter * 1000)
                one = letter * 100_000  # 3000 of size_of(letter * 100_000)
                if i % 100 == 0:
                    one = letter * 3_000_000    # 30 of size_of(letter) + 2_999_999
            one = None
            """)

    def test_objects_from_free_lists(self):
        # Each is another allocation, by the line that takes it.
        self.compare("""\
            half = .5
            for i in range(20_000):
                one = half + half   # 20000 of size_of(.5)
                one = half * half   # 20000 of size_of(.5)
                one = None
                one = (half, letter)    # 20000 of size_of((0, 1))
                one = None
                one = []    # 20000 of size_of([])
                one = None
                one = {}    # 20000 of size_of({})
                one = None
            """)

    def test_blocks_that_other_threads_free(self):
        # What a thread finds at its place in the ring, another one has made.
        self.compare("""\
            for i in range(20_000):
                place = (number + i) % 4
                ring[place] = letter * 24       # 20000 of size_of(letter * 24)
                ring[3 - place] = letter * 700  # 20000 of size_of(letter * 700)
            ring[:] = [None] * 4
            """, setup="ring = [None] * 4")

    def test_generators(self):
        # One that is made here, and what it makes while it is resumed.
        self.compare("""\
            def values():
                while True:
                    yield object()      # 2000 of size_of(object())
                    yield letter * 600  # 2000 of size_of(letter * 600)
            for i in range(1000):
                one = values()  # 1000
                for _ in range(4):
                    kept = next(one)
            one = None
            """)

    def test_generators_that_others_resume(self):
        # Handed on to the next thread, each time by one that is done with it.
        self.run_script("""
            code = compile('''if 1:
                def values():
                    while True:
                        yield letter * 40
                        yield letter * 900
                ''', "busy.py", "exec")
            namespace = {"letter": letter}
            exec(code, namespace)
            tracemalloc.start(5)
            meet = threading.Barrier(THREADS)
            generators = [namespace["values"]() for _ in range(THREADS)]
            def work(number):
                for turn in range(300):
                    one = generators[(number + turn) % THREADS]
                    for _ in range(20):
                        next(one)
                    meet.wait()
            in_threads(work)
            check()
            found = counted()
            for line, length in (4, 40), (5, 900):
                want = THREADS * 300 * 10
                size = want * size_of(letter * length)
                assert found[line] == [want, size, want, size], found[line]
            """)

    def test_reallocations(self):
        # Each forgets a block and notes another one: as often as in one thread
        # that is alone.
        self.run_script("""
            code = compile('''if 1:
                def work():
                    one = bytearray()
                    for size in range(0, 30_000, 7):
                        one.extend(b"1234567")
                    many = []
                    for item in range(30_000):
                        many.append(None)
                    while many:
                        many.pop()
                    text = ""
                    for _ in range(3000):
                        text += "abcdefg"
                ''', "busy.py", "exec")
            namespace = {}
            exec(code, namespace)
            work = namespace["work"]
            work()
            def run(do):
                tracemalloc.start(3)
                do()
                gc.collect()
                check()
                found = counted()
                tracemalloc.stop()
                return {line: found[line] for line in (5, 8, 13)}
            alone, busy = run(work), run(lambda: in_threads(lambda n: work()))
            for line, counters in alone.items():
                assert counters[0] > 10, (line, counters)
                if line != 13:
                    # Text may grow in place, or not: that is up to malloc().
                    assert busy[line] == [THREADS * n for n in counters], (
                        line, counters, busy[line])
                assert busy[line][:2] == busy[line][2:], (line, busy[line])
            """)

    def test_accounts(self):
        self.run_script("""
            from tracemalloc import account
            code = compile('''if 1:
                def work(number):
                    first, second, third = kept[number]
                    for turn in range(2000):
                        with account(f"job {(number + turn) % 5}"):
                            first[turn] = letter * 700
                            with account(f"job {5 + turn % 2}"):
                                second[turn] = letter * 700
                            third[turn] = letter * 700
                ''', "busy.py", "exec")
            kept = [[[None] * 2000 for _ in range(3)] for _ in range(THREADS)]
            namespace = {"account": account, "kept": kept, "letter": letter}
            exec(code, namespace)
            tracemalloc.start(3)
            in_threads(namespace["work"])
            check()
            snapshot = tracemalloc.take_snapshot()
            size = size_of(letter * 700)
            for lines, names, want in (((6, 9), range(5), 2 * 1600),
                                       ((8,), (5, 6), 4000)):
                found = snapshot.filter_traces([
                    tracemalloc.Filter(True, "busy.py", line)
                    for line in lines]).statistics("account")
                assert len(found) == len(names), found
                for row in found:
                    assert (row.count, row.size) == (want, want * size), row
            """)


class MeanwhileTests(BusyTest):
    """While threads allocate, somebody asks, or begins and ends tracing."""

    def test_snapshots_are_whole(self):
        self.run_script("""
            from operator import mul
            code = compile('''if 1:
                def work(number):
                    kept = [None] * 64
                    for turn in range(20_000):
                        length = turn % 1500
                        kept[turn % 64] = letter * length
                        float(turn)
                        if turn == 10_000:
                            looked.wait()
                ''', "busy.py", "exec")
            # Set when somebody looks for the first time: no thread ends before
            # that.
            looked = threading.Event()
            namespace = {"letter": letter, "looked": looked}
            exec(code, namespace)
            turns = 0
            def look():
                global turns
                looked.set()
                columns = _tracemalloc._take_snapshot()
                held = sum(map(mul, columns.row_size, columns.row_count))
                assert held == columns.traced_memory[0], (
                    held, columns.traced_memory)
                held = tracemalloc.take_snapshot().statistics("lineno")
                _tracemalloc._check()
                tracemalloc.get_traced_memory()
                tracemalloc.get_object_traceback(held)
                _tracemalloc._get_counts()
                tracemalloc.reset_peak()
                turns += 1
            tracemalloc.start(3)
            in_threads(namespace["work"], look)
            look()
            check()
            assert turns > 1
            blocks = counted()[6][0]
            # Once the letter is the letter itself.
            none = sum(turn % 1500 == 1 for turn in range(20_000))
            assert blocks == THREADS * (20_000 - none), (blocks, none)
            """)

    def test_tracing_begins_and_ends(self):
        self.run_script("""
            ends = False
            def work(number):
                turn = 0
                ring = [None] * 128
                while not ends:
                    turn += 1
                    ring[turn % 128] = bytes(turn % 900)
                    one = [turn * .5, (turn,), {}]
                    one.extend(range(turn % 50))
            turns = 0
            def control():
                global ends, turns
                for options in {}, {"sample_interval": 512}:
                    tracemalloc.start(1 + turns % 7, **options)
                    _tracemalloc._check()
                    tracemalloc.take_snapshot()
                    tracemalloc.clear_traces()
                    _tracemalloc._check()
                    tracemalloc.stop()
                    tracemalloc.stop()
                turns += 1
                ends = turns >= 150
            in_threads(work, control)
            # What was traced has left nothing behind.
            tracemalloc.start()
            _tracemalloc._check()
            kept = [bytes(700) for _ in range(1000)]
            _tracemalloc._check()
            assert all(map(tracemalloc.get_object_traceback, kept))
            """)

    def test_all_threads_begin_and_end_it(self):
        self.run_script("""
            def work(number):
                for turn in range(150):
                    tracemalloc.start()
                    kept = [bytes(n) for n in range(0, 1000, 10)]
                    try:
                        tracemalloc.take_snapshot()
                    except RuntimeError:
                        assert number or THREADS > 1
                    tracemalloc.stop()
            in_threads(work, lambda: _tracemalloc._check())
            assert not tracemalloc.is_tracing()
            """)

    def test_samples(self):
        self.run_script("""
            def work(number):
                ring = [None] * 64
                for turn in range(30_000):
                    ring[turn % 64] = bytes(turn % 1000)
                    one = [turn * .5]
                    one.append(turn)
            def look():
                _tracemalloc._check()
                tracemalloc.take_snapshot().statistics("lineno")
            tracemalloc.start(3, sample_interval=1024)
            in_threads(work, look)
            _tracemalloc._check()
            assert _tracemalloc._get_dropped() == 0
            """)


if __name__ == "__main__":
    unittest.main()
