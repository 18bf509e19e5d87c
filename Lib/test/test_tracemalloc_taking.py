"""_tracemalloc._take_snapshot(): columns say what _get_traces() says,
and where.

What is measured runs in a child of its own, in functions of a file called
'script:main', so that its blocks can be told from all others.
"""
import unittest
from textwrap import dedent
from test import support
from test.support.import_helper import import_module
from test.support.script_helper import assert_python_ok
from test.support.threading_helper import requires_working_threading

# What scripts use.  Nothing here counts as part of the script.
PRELUDE = r"""
import collections, gc, sys, threading
import _tracemalloc

def frames_of(snapshot, context):
    names = snapshot.names
    frames = [(names[snapshot.context_file[context]], snapshot.context_line[context])]
    path = snapshot.context_path[context]
    while path:
        assert snapshot.path_parent[path] < path
        frames.append((names[snapshot.path_file[path]], snapshot.path_line[path]))
        path = snapshot.path_parent[path]
    return tuple(frames)

def blocks_of(snapshot):
    '''All live blocks, counted by what _get_traces() says of each.'''
    blocks = collections.Counter()
    for context, size, count in zip(snapshot.row_context, snapshot.row_size, snapshot.row_count):
        assert count > 0
        blocks[snapshot.context_domain[context], size, frames_of(snapshot, context),
               snapshot.context_depth[context]] += count
    return blocks

def totals_of(snapshot):
    '''As _get_contexts(), those with equal frames added up.'''
    totals = {}
    columns = (snapshot.context_allocated_blocks, snapshot.context_allocated_bytes,
               snapshot.context_freed_blocks, snapshot.context_freed_bytes,
               snapshot.context_peak_blocks, snapshot.context_peak_bytes)
    for context, row in enumerate(zip(*columns)):
        key = (snapshot.context_domain[context], frames_of(snapshot, context),
               snapshot.context_depth[context])
        totals[key] = tuple(map(sum, zip(totals.get(key, (0,) * 6), row)))
    return totals

def in_script(frames):
    return frames[0][0].startswith("script:")

def script_contexts(snapshot):
    '''(function, line, end_line, column, end_column, thread): live blocks.'''
    found = collections.Counter()
    names = snapshot.names
    for context, count in zip(snapshot.row_context, snapshot.row_count):
        if names[snapshot.context_file[context]].startswith("script:"):
            found[names[snapshot.context_function[context]],
                  snapshot.context_line[context], snapshot.context_end_line[context],
                  snapshot.context_column[context], snapshot.context_end_column[context],
                  names[snapshot.context_thread[context]]] += count
    return found

def positions_of(code):
    '''All (function, line, end line, column, end column) of a code object, -1 for None.'''
    found = {(code.co_qualname, *(-1 if n is None else n for n in position))
             for position in code.co_positions()}
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            found |= positions_of(constant)
    return found

def load(source, name="script:main"):
    code = compile(source, name, "exec")
    scope = {"__name__": "script"}
    exec(code, scope)
    return code, scope

EMPTY = sys.getsizeof(bytes())
gc.disable()
"""


def run(script, *options):
    code = PRELUDE + dedent(script)
    return assert_python_ok("-X", "utf8", *options, "-c", code).out.decode()


class RowTests(unittest.TestCase):

    def test_rows_and_totals_equal_traces_and_contexts(self):
        run(r"""
            code, scope = load('''if 1:
                def leaf(n):
                    return [bytes(n), bytearray(n), {n: str(n)}, (n, n * 1.5)]
                def deeper(n, depth):
                    return deeper(n, depth - 1) if depth else leaf(n)
                def make():
                    kept = [deeper(n * 40, n % 7) for n in range(60)]
                    del kept[::3]
                    kept.append([object() for i in range(1000)])
                    kept.append(b"x" * 100_000)
                    return kept
                ''')
            _tracemalloc.start(65535)
            kept = scope["make"]()
            gc.collect()        # empties the free lists, from which others would take
            snapshot = _tracemalloc._take_snapshot()
            traces = _tracemalloc._get_traces()
            contexts = _tracemalloc._get_contexts()
            _tracemalloc._check()

            expected = collections.Counter(
                (domain, size, frames, total)
                for domain, size, frames, total in traces if in_script(frames))
            found = {key: count for key, count in blocks_of(snapshot).items()
                     if in_script(key[2])}
            assert found == expected, (found, expected)
            assert sum(expected.values()) > 1200, expected

            expected = {}
            for domain, frames, total, *counts in contexts:
                if in_script(frames):
                    key = domain, frames, total
                    expected[key] = tuple(map(sum, zip(expected.get(key, (0,) * 6), counts)))
            found = {key: counts for key, counts in totals_of(snapshot).items()
                     if in_script(key[1])}
            assert found == expected, (found, expected)
            assert any(freed for _, _, freed, _, _, _ in expected.values())
            """)

    def test_lines_with_many_blocks_and_with_few(self):
        # Of many blocks there is a tally for each size; of few, the sizes.
        # Those that are large have no cells.
        run(r"""
            lines = 200
            code, scope = load('def many(sizes): return [bytes(n) for n in sizes]\n'
                               + ''.join(f'def few{i}(sizes): return [bytes(n) for n in sizes]\n'
                                         for i in range(lines)))
            many = [2 + 7 * n % 900 for n in range(60_000)]
            few = [[2 + i * n % 700 for n in range(i)] for i in range(lines)]
            few[3] *= 1000
            _tracemalloc.start(65535)
            kept = scope["many"](many), [scope[f"few{i}"](sizes) for i, sizes in enumerate(few)]
            snapshot = _tracemalloc._take_snapshot()
            rows = [*zip(snapshot.row_context, snapshot.row_size)]
            assert rows == sorted(set(rows))
            found = collections.defaultdict(collections.Counter)
            for (context, size), count in zip(rows, snapshot.row_count):
                name = snapshot.names[snapshot.context_function[context]]
                # Lists and their items are of the same line.
                instruction = snapshot.context_column[context], name
                found[instruction][size - EMPTY] += count
            for sizes in [many, *few[1:]]:
                # Beside them there is the list.
                assert any((rest := sums - collections.Counter(sizes)).total() < 3
                           and sums.total() == rest.total() + len(sizes)
                           for sums in found.values()), len(sizes)
            _tracemalloc._check()
            """)

    def test_sums_over_all_columns(self):
        run(r"""
            _tracemalloc.start(1)
            kept = [bytes(i % 700) for i in range(5000)]
            more = [bytes(1000) for i in range(1000)]
            del more
            snapshot = _tracemalloc._take_snapshot()
            now, highest = snapshot.traced_memory
            live = sum(map(int.__mul__, snapshot.row_size, snapshot.row_count))
            assert live == now, (live, now)
            assert sum(snapshot.context_peak_bytes) == highest
            assert highest > now + 900_000
            contexts = range(len(snapshot.context_path))
            blocks = [0] * len(contexts)
            bytes_ = [0] * len(contexts)
            for context, size, count in zip(snapshot.row_context, snapshot.row_size,
                                            snapshot.row_count):
                blocks[context] += count
                bytes_[context] += size * count
            for i in contexts:
                assert blocks[i] == (snapshot.context_allocated_blocks[i]
                                     - snapshot.context_freed_blocks[i])
                assert bytes_[i] == (snapshot.context_allocated_bytes[i]
                                     - snapshot.context_freed_bytes[i])
            order = list(zip(snapshot.row_context, snapshot.row_size))
            assert order == sorted(set(order))
            # What holds nothing now is there too.
            assert any(allocated and not n for allocated, n in
                       zip(snapshot.context_allocated_blocks, blocks))
            assert snapshot.dropped == 0
            """)

    def test_domains(self):
        import_module("_testcapi")
        run(r"""
            import _testcapi
            _tracemalloc.start(5)
            for domain in 7, 7, 4_000_000_000:
                _testcapi.tracemalloc_track(domain, 4096 + 16 * domain % 1000, 3)
            _testcapi.tracemalloc_track(7, 16, 2**40)
            snapshot = _tracemalloc._take_snapshot()
            found = collections.Counter()
            for context, size, count in zip(snapshot.row_context, snapshot.row_size,
                                            snapshot.row_count):
                if snapshot.context_domain[context]:
                    found[snapshot.context_domain[context], size] += count
            assert found == {(7, 3): 1, (7, 2**40): 1, (4_000_000_000, 3): 1}, found
            """)

    def test_peak_has_no_rows(self):
        run(r"""
            _tracemalloc.start(1)
            many = [bytes(100) for i in range(5000)]
            del many
            snapshot = _tracemalloc._take_snapshot(peak=True)
            assert snapshot.row_context is snapshot.row_size is snapshot.row_count is None
            assert sum(snapshot.context_peak_bytes) == snapshot.traced_memory[1]
            assert max(snapshot.context_peak_blocks) == 5000
            """)

    def test_deep_stacks(self):
        run(r"""
            sys.setrecursionlimit(100_000)
            code, scope = load('''if 1:
                def down(depth):
                    return down(depth - 1) if depth else [bytes(2000)]
                ''')
            _tracemalloc.start(1)
            kept = scope["down"](70_000)
            snapshot = _tracemalloc._take_snapshot()
            depths = {snapshot.context_depth[context]
                      for context, size in zip(snapshot.row_context, snapshot.row_size)
                      if size == 2000 + EMPTY}
            # A build with tiny tables has no numbers for so many paths.
            assert depths == {65535} or not depths and snapshot.dropped, depths
            assert snapshot.names.count("down") == 1
            """)

    def test_no_frame(self):
        import_module("_testcapi")
        run(r"""
            # The import system's C code notes blocks before any frame runs.
            snapshot = _tracemalloc._take_snapshot()
            names = snapshot.names
            unknown = [i for i in range(len(snapshot.context_path))
                       if names[snapshot.context_file[i]] == "<unknown>"]
            assert len(unknown) == 1, unknown
            i = unknown[0]
            assert frames_of(snapshot, i) == (("<unknown>", 0),)
            assert snapshot.context_depth[i] == 1
            assert snapshot.context_function[i] == snapshot.context_thread[i] == 0
            assert snapshot.context_column[i] == snapshot.context_end_line[i] == -1
            """, "-X", "tracemalloc=3")


class PositionTests(unittest.TestCase):

    def test_which_call_of_a_line_allocated(self):
        run(r"""
            source = "\n".join((
                "def f(n):",
                "    return bytes(n)",
                "class C:",
                "    def method(self):",
                "        a, b = [bytearray(10), f(20)], [",
                "            bytes(30),",
                "        ]",
                "        return a, b, lambda: [\"ä\", bytes(40)]",
                "def run():",
                "    a, b, c = C().method()",
                "    return a, b, c, c()"))
            code, scope = load(source)
            _tracemalloc.start(1)
            kept = scope["run"]()
            found = {key[:5] for key in script_contexts(_tracemalloc._take_snapshot())}
            expected = {
                ("f", 2, 2, 11, 19),
                ("C.method", 5, 5, 15, 37),
                ("C.method", 5, 5, 16, 29),
                ("C.method", 5, 7, 39, 9),
                ("C.method", 6, 6, 12, 21),
                ("C.method.<locals>.<lambda>", 8, 8, 29, 46),
                ("C.method.<locals>.<lambda>", 8, 8, 36, 45),
            }
            assert expected <= found, found
            assert found <= positions_of(code), found - positions_of(code)
            """)

    def check_against_co_positions(self, *options):
        return run(r"""
            import os
            filename = os.path.join(os.path.dirname(os.__file__), "inspect.py")
            with open(filename, encoding="utf-8") as file:
                code = compile(file.read(), "script:inspect", "exec")
            known = positions_of(code)
            scope = {"__name__": "script"}
            _tracemalloc.start(1)
            exec(code, scope)
            kept = [scope["signature"](scope["getfullargspec"]) for i in range(3)]
            alive = script_contexts(_tracemalloc._take_snapshot())
            assert len(alive) > 100, len(alive)
            strange = {key[:5] for key in alive} - known
            assert not strange, strange

            # Nothing is lost with the code objects that are not in use any more.
            scope.clear()
            del code
            gc.collect()
            sys._clear_internal_caches()
            snapshot = _tracemalloc._take_snapshot()
            dead = {key[:5] for key in script_contexts(snapshot)}
            assert dead and dead <= known, dead - known
            names = snapshot.names
            churn = {(names[function], line, end_line, column, end_column)
                     for file, function, line, end_line, column, end_column in zip(
                         snapshot.context_file, snapshot.context_function,
                         snapshot.context_line, snapshot.context_end_line,
                         snapshot.context_column, snapshot.context_end_column)
                     if names[file].startswith("script:")}
            assert {key[:5] for key in alive} <= churn <= known
            print(sum(key[3] == -1 for key in churn), len(churn))
            """, *options)

    def test_same_as_co_positions_alive_and_dead(self):
        unknown, total = map(int, self.check_against_co_positions().split())
        self.assertLess(unknown, total / 100)

    def test_same_as_co_positions_without_columns(self):
        unknown, total = map(int, self.check_against_co_positions(
            "-X", "no_debug_ranges").split())
        self.assertEqual(unknown, total)

    def test_far_down_in_long_functions_and_files(self):
        run(r"""
            source = "".join((
                "def near(n):\n",
                "    a = bytes(n), bytes(n)\n",
                "    n = n\n" * 5_000,
                "    b = bytes(n), bytes(n)\n",
                "    c = [bytes(n),\n",
                "         bytes(n)]\n",
                "    return a, b, c\n",
                "\n" * 70_000,
                "def far(n): return bytes(n), (bytes(n),\n",
                "                              n)\n"))
            code, scope = load(source)
            _tracemalloc.start(1)
            kept = [scope["near"](50), scope["far"](50), scope["near"](60)]
            here = {("near", 2, 2), ("near", 5003, 5003), ("near", 5004, 5004),
                    ("near", 5004, 5005), ("near", 5005, 5005),
                    ("far", 75007, 75007)}
            for known in positions_of(code), None:
                found = script_contexts(_tracemalloc._take_snapshot())
                places = {key[:5] for key in found}
                assert here <= {place[:3] for place in places}, places
                if known is not None:
                    assert places <= known, places - known
                    alive = found
                for line in 2, 5003:
                    columns = {key[3:5]: n for key, n in found.items()
                               if key[:3] == ("near", line, line)}
                    # The pair may come from the free list, from before.
                    columns.pop((8, 26), None)
                    assert columns == {(8, 16): 2, (18, 26): 2}, columns
                # The same when the code objects are dead.
                scope.clear()
                del code
                gc.collect()
                code = None
            assert found == alive, found - alive
            """)

    def test_instrumented_code(self):
        run(r"""
            code, scope = load("def f():\n    return [bytes(100), bytes(200)]")
            sys.settrace(lambda *args: lambda *args: None)
            _tracemalloc.start(1)
            kept = scope["f"]()
            sys.settrace(None)
            found = {key[:5] for key in script_contexts(_tracemalloc._take_snapshot())}
            assert found >= {("f", 2, 2, 11, 35), ("f", 2, 2, 12, 22),
                             ("f", 2, 2, 24, 34)}, found
            assert found <= positions_of(code), found
            """)

    def test_location_table_that_is_no_table(self):
        run(r"""
            def f():
                return [bytes(100)]
            strange = f.__code__.replace(co_filename="script:strange", co_linetable=b"")
            f.__code__ = strange
            _tracemalloc.start(1)
            kept = f()
            found = script_contexts(_tracemalloc._take_snapshot())
            assert {(key[0], *key[2:5]) for key in found} == {("f", -1, -1, -1)}, found
            """)

    def test_memory_of_dead_code_is_bounded(self):
        run(r"""
            # Each code object has some 20 KiB of locations.
            body = "".join(f"    name{i} = other{i} + (third{i} if {i} else b)\n"
                           for i in range(1000))
            source = "def f(x):\n  if x:\n" + body + "  return bytes(100)"
            _tracemalloc.start(1)
            sizes = []
            for i in range(300):
                scope = load(source, f"script:{i}")[1]
                scope["f"](0)
                gc.collect()
                sizes.append(_tracemalloc.get_tracemalloc_memory())
            _tracemalloc._check()
            assert max(sizes) - sizes[0] < 8 << 20, (sizes[0], max(sizes))
            """)


class MemoryTests(unittest.TestCase):

    def test_columns_are_read_only_views(self):
        run(r"""
            _tracemalloc.start(1)
            kept = [bytes(100) for i in range(10)]
            snapshot = _tracemalloc._take_snapshot()
            formats = {
                "path": dict(parent="I", file="I", function="I", line="i"),
                "context": dict(
                    path="I", file="I", function="I", line="i", end_line="i", column="i",
                    end_column="i", domain="I", thread="I", depth="I",
                    allocated_blocks="Q", allocated_bytes="Q", freed_blocks="Q",
                    freed_bytes="Q", peak_blocks="Q", peak_bytes="Q"),
                "row": dict(context="I", size="Q", count="Q"),
            }
            for table, columns in formats.items():
                lengths = set()
                for name, format in columns.items():
                    view = getattr(snapshot, f"{table}_{name}")
                    assert type(view) is memoryview and view.readonly and view.contiguous
                    assert (view.format, view.ndim) == (format, 1), (name, view.format)
                    assert view.nbytes == view.itemsize * len(view)
                    assert view.tolist() == list(view)
                    lengths.add(len(view))
                    try:
                        view[0] = 1
                    except TypeError:
                        pass
                    else:
                        raise AssertionError(name)
                assert len(lengths) == 1, lengths
            assert snapshot.names is snapshot.names
            assert snapshot.names[0] == ""
            size = sum(getattr(snapshot, f"{table}_{name}").nbytes
                       for table, columns in formats.items() for name in columns)
            assert size < snapshot.__sizeof__() < size + 100_000
            """)

    def test_a_snapshot_outlives_tracing(self):
        run(r"""
            _tracemalloc.start(3)
            kept = [bytes(1000 + i) for i in range(100)]
            snapshot = _tracemalloc._take_snapshot()
            view, before = snapshot.row_size, blocks_of(snapshot)
            sizes = snapshot.row_size.tolist()
            _tracemalloc.clear_traces()
            other = [bytes(50) for i in range(1000)]
            assert blocks_of(snapshot) == before
            _tracemalloc.stop()
            assert blocks_of(snapshot) == before
            del snapshot
            gc.collect()
            assert view.tolist() == sizes
            view.release()
            """)

    def test_is_not_traced(self):
        run(r"""
            traced = _tracemalloc.get_traced_memory
            own = _tracemalloc.get_tracemalloc_memory
            take = _tracemalloc._take_snapshot
            def measure(count):
                # Everything that this function itself keeps is there before.
                snapshots = [None] * count
                before = after = own_before = own_after = None
                for i in range(3):
                    own_before = own()
                    before = traced()
                    for i in range(count):
                        snapshots[i] = take()
                        snapshots[i].names
                        snapshots[i].row_size
                    after = traced()
                    own_after = own()
                assert own_after == own_before
                blocks = _tracemalloc._get_traces()
                return after[0] - before[0], len(blocks)
            _tracemalloc.start(1)
            kept = [bytes(1000 + i) for i in range(1000)]
            first, second = measure(0), measure(20)
            # The list has 20 items; what else there is is the same.
            assert second[0] == first[0], (first, second)
            """)

    def test_wrong_use(self):
        run(r"""
            def check(error, words, *args, **kwargs):
                try:
                    _tracemalloc._take_snapshot(*args, **kwargs)
                except error as exc:
                    assert words in str(exc), exc
                else:
                    raise AssertionError((args, kwargs))
            check(RuntimeError, "start() first")
            check(TypeError, "positional", True)
            check(TypeError, "not list", thread_names=[])
            check(RuntimeError, "start() first", thread_names={})
            _tracemalloc.start()
            check(TypeError, "argument", names={})
            for kind in (type(_tracemalloc._take_snapshot()),
                         type(_tracemalloc._take_snapshot().row_size.obj)):
                for use in kind, lambda: setattr(kind, "x", 1):
                    try:
                        use()
                    except TypeError:
                        pass
                    else:
                        raise AssertionError(kind)
            """)

    def test_in_a_cycle(self):
        run(r"""
            import weakref
            class Holder:
                pass
            _tracemalloc.start()
            holder = Holder()
            holder.snapshot = _tracemalloc._take_snapshot()
            holder.view = holder.snapshot.row_size
            # The list is the snapshot's own: a cycle through C.
            holder.snapshot.names.append(holder)
            gone = weakref.ref(holder)
            del holder
            assert gone() is not None
            gc.collect()
            assert gone() is None
            """)


@requires_working_threading()
class ThreadTests(unittest.TestCase):

    def test_blocks_belong_to_their_thread(self):
        run(r"""
            code, scope = load('''if 1:
                import threading
                def work(kept, n, ready, go):
                    ready.wait()
                    kept.extend([bytes(n) for i in range(n)])
                    ready.wait()
                    go.wait()
                ''')
            class Gone:
                wait = int
            _tracemalloc.start(65535)
            kept = []
            ready, go = threading.Barrier(3), threading.Event()
            threads = [threading.Thread(target=scope["work"], args=(kept, n, ready, go),
                                        name=f"worker ☃ {n}", daemon=True)
                       for n in (601, 602)]
            for thread in threads:
                thread.start()
            ready.wait()
            ready.wait()
            scope["work"](kept, 604, Gone, Gone)
            threads.append(threading.main_thread())
            names = {thread.ident: thread.name for thread in threads}

            def by_thread(snapshot):
                return {snapshot.names[snapshot.context_thread[context]]: (size, count)
                        for context, size, count in zip(snapshot.row_context, snapshot.row_size,
                                                        snapshot.row_count) if 601 <= size - EMPTY <= 604
                        and snapshot.names[snapshot.context_function[context]] == "work"}
            expected = {f"worker ☃ {n}": (n + EMPTY, n) for n in (601, 602)}
            expected["MainThread"] = 604 + EMPTY, 604
            found = by_thread(_tracemalloc._take_snapshot(thread_names=names))
            assert found == expected, found
            go.set()
            for thread in threads[:-1]:
                thread.join()
            # What was told once is known when they have ended.
            found = by_thread(_tracemalloc._take_snapshot())
            assert found == expected, found
            # Threads make no difference to what traces say.
            traces = _tracemalloc._get_traces()
            found = collections.Counter(
                (size, total, len(frames)) for domain, size, frames, total in traces
                if in_script(frames) and 601 <= size - EMPTY <= 604)
            assert found == {(601 + EMPTY, 4, 4): 601, (602 + EMPTY, 4, 4): 602,
                             (604 + EMPTY, 2, 2): 604}, found
            _tracemalloc._check()
            """)

    def test_one_thread_after_the_other_shares_a_slot(self):
        run(r"""
            kept = []
            def work():
                kept.append(bytes(5000))
            def once(name):
                thread = threading.Thread(target=work, name=name)
                thread.start()
                thread.join()
            _tracemalloc.start(1)
            once("first")
            contexts = len(_tracemalloc._take_snapshot().context_path)
            for i in range(200):
                once("later")
            snapshot = _tracemalloc._take_snapshot()
            # The main thread's own part is met for the first time, too.
            assert len(snapshot.context_path) < contexts + 60
            labels = {snapshot.names[thread] for thread in snapshot.context_thread}
            label, = labels - {"MainThread", ""}
            assert label.startswith("thread ") and label.endswith(" and 200 before"), label
            # Those that have ended are forgotten with the traces.
            _tracemalloc.clear_traces()
            once("last")
            snapshot = _tracemalloc._take_snapshot()
            labels = {snapshot.names[thread] for thread in snapshot.context_thread}
            label, = labels - {"MainThread", ""}
            assert "before" not in label, label
            _tracemalloc._check()
            """)

    def test_more_threads_than_slots(self):
        run(r"""
            code, scope = load('''if 1:
                def work(kept, ready, go):
                    kept.append(bytes(5000))
                    ready.wait()
                    go.wait()
                ''')
            def threads_of(n, kept):
                ready, go = threading.Barrier(n + 1), threading.Event()
                threads = [threading.Thread(target=scope["work"], args=(kept, ready, go),
                                            daemon=True) for i in range(n)]
                for thread in threads:
                    thread.start()
                ready.wait()
                return threads, go
            threading.stack_size(1 << 18)
            _tracemalloc.start(1)
            kept = []
            threads, go = threads_of(80, kept)
            snapshot = _tracemalloc._take_snapshot(
                thread_names={thread.ident: thread.name for thread in threads})
            go.set()
            for thread in threads:
                thread.join()
            found = collections.Counter()
            for context, size, count in zip(snapshot.row_context, snapshot.row_size,
                                            snapshot.row_count):
                if size == 5000 + sys.getsizeof(bytes()):
                    found[snapshot.names[snapshot.context_thread[context]]] += count
            assert found.total() == 80, found
            assert found["other threads"] == 81 - len(found) > 1, found
            assert set(found) - {"other threads"} <= {thread.name for thread in threads}
            _tracemalloc._check()
            """)

    def test_renamed_main_thread(self):
        run(r"""
            _tracemalloc.start(1)
            main = threading.main_thread()
            main.name = "the first"
            names = {main.ident: main.name, 1: "nobody", main.ident + 1: 5}
            snapshot = _tracemalloc._take_snapshot(thread_names=names)
            assert snapshot.names[snapshot.context_thread[0]] == "the first"
            snapshot = _tracemalloc._take_snapshot(thread_names={main.ident: None})
            assert snapshot.names[snapshot.context_thread[0]] == "the first"
            """)

    @support.requires_fork()
    def test_fork_from_a_thread(self):
        run(r"""
            import os
            kept = []
            def child():
                kept.append(bytes(5000))
                snapshot = _tracemalloc._take_snapshot()
                found = {snapshot.names[snapshot.context_thread[context]]: count
                         for context, size, count in zip(
                             snapshot.row_context, snapshot.row_size, snapshot.row_count)
                         if size == 5000 + EMPTY}
                _tracemalloc._check()
                return found.keys() == {"MainThread", "thread"} and found["MainThread"] == 1
            def work():
                kept.append(bytes(5000))
                me = threading.get_ident()
                _tracemalloc._take_snapshot(thread_names={me: "thread"})
                pid = os.fork()
                if pid == 0:
                    os._exit(0 if child() else 1)
                global status
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            _tracemalloc.start(1)
            import warnings
            warnings.simplefilter("ignore")
            kept.append(bytes(5000))
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            assert status == 0, status
            """)

    def test_each_snapshot_is_of_one_moment(self):
        run(r"""
            def check(snapshot):
                sums = [[0, 0] for path in snapshot.context_path]
                for context, size, count in zip(snapshot.row_context, snapshot.row_size,
                                                snapshot.row_count):
                    sums[context][0] += count
                    sums[context][1] += size * count
                counters = zip(snapshot.context_allocated_blocks, snapshot.context_freed_blocks,
                               snapshot.context_allocated_bytes, snapshot.context_freed_bytes)
                for found, (blocks, freed_blocks, bytes_, freed_bytes) in zip(sums, counters):
                    assert found == [blocks - freed_blocks, bytes_ - freed_bytes]
                now, highest = snapshot.traced_memory
                assert sum(size for count, size in sums) == now
                assert sum(snapshot.context_peak_bytes) == highest >= now

            def work(stop, depth):
                if depth:
                    return work(stop, depth - 1)
                kept = []
                while not stop.is_set():
                    # What zlib needs is allocated without the GIL.
                    kept.append([zlib.compress(bytes(50_000)), {len(kept): object()}])
                    del kept[:-50:2]

            import zlib
            _tracemalloc.start(65535)
            stop = threading.Event()
            threads = [threading.Thread(target=work, args=(stop, depth), daemon=True)
                       for depth in range(4)]
            for thread in threads:
                thread.start()
            try:
                for i in range(40):
                    check(_tracemalloc._take_snapshot())
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
            _tracemalloc._check()
            """)

    def test_dead_threads_leave_nothing(self):
        run(r"""
            def work(n):
                return [f"{n} {i}" for i in range(20)]
            def rounds(n):
                for i in range(n):
                    threads = [threading.Thread(target=work, args=(i,)) for j in range(3)]
                    for thread in threads:
                        thread.start()
                    for thread in threads:
                        thread.join()
            _tracemalloc.start(25)
            rounds(100)
            before = len(_tracemalloc._get_contexts())
            rounds(100)
            after = len(_tracemalloc._get_contexts())
            assert after < before + 200, (before, after)
            """)


class InterpreterTests(unittest.TestCase):

    def check_interpreter(self, kind):
        import_module("_interpreters")
        run(r"""
            import _interpreters, textwrap
            _tracemalloc.start(1)
            kept = [bytes(5000)]
            interpreter = _interpreters.create(KIND)
            failed = _interpreters.exec(interpreter, textwrap.dedent('''
                import _tracemalloc, sys, threading
                kept = [bytes(5000), bytes(5000)]
                names = {threading.get_ident(): "inside"}
                snapshot = _tracemalloc._take_snapshot(thread_names=names)
                found = {}
                for context, size, count in zip(
                        snapshot.row_context, snapshot.row_size, snapshot.row_count):
                    if size == 5000 + sys.getsizeof(bytes()):
                        thread = snapshot.names[snapshot.context_thread[context]]
                        found[thread] = found.get(thread, 0) + count
                assert found == {"MainThread": 1,
                                 f"inside of interpreter {INTERPRETER}": 2}, found
                view = snapshot.row_size
            '''.replace("INTERPRETER", str(int(interpreter)))))
            assert failed is None, failed
            _tracemalloc._check()
            snapshot = _tracemalloc._take_snapshot()
            _interpreters.destroy(interpreter)
            assert sum(count for size, count in zip(snapshot.row_size, snapshot.row_count)
                       if size == 5000 + sys.getsizeof(bytes())) == 3
            assert len(snapshot.names) > 10
            snapshot = _tracemalloc._take_snapshot()
            assert sum(count for size, count in zip(snapshot.row_size, snapshot.row_count)
                       if size == 5000 + sys.getsizeof(bytes())) == 1
            """.replace("KIND", repr(kind)))

    def test_interpreter_with_the_same_gil(self):
        self.check_interpreter("legacy")

    def test_interpreter_with_a_gil_of_its_own(self):
        self.check_interpreter("isolated")


if __name__ == "__main__":
    unittest.main()
