"""Scripts that run here and in stock, whose blocks must be the same.

A script is the source of a module with a function run(), which returns what
stays alive.  What a script imports, it imports before run(): whether a module
comes from its cached byte code or not would make a difference.  A line marked
'# held' must be the newest frame of some block at the end.
"""
import collections
import os
import pickle
import subprocess
import sys
import sysconfig
import textwrap
import unittest
from test import support

STOCK_PYTHON = os.environ.get("TRACEMALLOC_STOCK_PYTHON")
needs_stock = unittest.skipUnless(
    STOCK_PYTHON,
    "TRACEMALLOC_STOCK_PYTHON does not name an interpreter to compare with")

HAS_PYMALLOC = (sysconfig.get_config_var("WITH_PYMALLOC")
                and not support.Py_GIL_DISABLED)
needs_pymalloc = unittest.skipUnless(
    HAS_PYMALLOC, "the interpreter has no pymalloc: none has without a GIL")


def allocators(*names):
    """Those values of PYTHONMALLOC that the interpreter knows: without a GIL,
    there is mimalloc only.
    """
    unknown = () if HAS_PYMALLOC else ("pymalloc", "pymalloc_debug")
    if support.Py_GIL_DISABLED:
        unknown += "malloc", "malloc_debug"
    return [name for name in names if name not in unknown]


LIMITS = 1, 25, 65535

# Runs in the child.  File names of scripts start with 'script:', which is how
# their blocks are told from those of the interpreter and of this driver.
# gc.collect() empties the free lists: what the start-up of one interpreter
# left there would otherwise change which blocks are new.  The C module is used
# because the two interpreters differ in the Python one, and its strings and
# classes would fill other caches.  So many strings are interned first that
# both have the same room for those of the script, though one may have needed
# more at start-up.  The cache of attributes is emptied at the end: it keeps
# names alive, and which ones depends on their addresses.
DRIVER = r"""
import _tracemalloc, collections, gc, os, pickle, sys
limit = int(sys.argv[1])
scope = {"__name__": "script"}
exec(compile(sys.stdin.read(), "script:main", "exec"), scope)
run = scope["run"]
interned = [sys.intern(f"name {number}") for number in range(15_000)]
gc.disable()
gc.collect()
_tracemalloc.start(limit)
kept = run()
sys._clear_internal_caches()
memory = _tracemalloc.get_traced_memory()
traces = _tracemalloc._get_traces()
_tracemalloc.stop()

library = os.path.dirname(os.__file__)
def neutral(frames):
    return tuple((name.replace(library, "<library>"), line) for name, line in frames)

found = collections.Counter(
    (domain, size, neutral(frames), total)
    for domain, size, frames, total in traces
    if any(name.startswith("script:") for name, line in frames))
sys.stdout.buffer.write(pickle.dumps((memory, dict(found))))
"""

Record = collections.namedtuple("Record", "memory blocks")


def run_script(python, source, limit, *options, malloc=""):
    """Return the Record of *source*, run by the interpreter *python*."""
    env = {"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0",
           "PYTHONMALLOC": malloc}
    for name in "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS":
        if name in os.environ:
            env[name] = os.environ[name]
    # Not -I: it would make the interpreter ignore PYTHONHASHSEED.
    command = [python, "-s", "-P", "-B", *options, "-c", DRIVER, str(limit)]
    process = subprocess.run(command, input=source.encode(), env=env,
                             capture_output=True, timeout=support.LONG_TIMEOUT)
    if process.returncode or process.stderr:
        raise AssertionError(
            f"{python} failed with status {process.returncode}:\n"
            + process.stderr.decode(errors="replace"))
    return Record(*pickle.loads(process.stdout))


def run_both(source, limit, *options, malloc=""):
    """Return the Records of *source* here and in stock.

    Address randomisation decides what stays in the interpreter's type cache,
    in stock as well: now and then a name lives a little longer there.  A
    difference of ours shows every time.
    """
    for attempt in range(5):
        ours, stock = (run_script(python, source, limit, *options,
                                  malloc=malloc)
                       for python in (sys.executable, STOCK_PYTHON))
        if compared(ours, source) == compared(stock, source):
            break
    return ours, stock


def compared(run, source):
    """Return what of the Record *run* has to be equal in both."""
    # A thread state is not of the same size in both: while a thread runs, its
    # block is larger by what the tracer adds.
    return (run.blocks,
            run.memory[:1] if "threading" in source else run.memory)


def line_of(source, mark):
    """Return the number of the line of *source* that ends in '# mark'."""
    found = [number for number, line in enumerate(source.splitlines(), 1)
             if line.endswith("# " + mark)]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} lines are marked {mark!r}")
    return found[0]


def difference(ours, stock):
    """Describe how two dictionaries block -> count differ."""
    lines = []
    for block in sorted(ours.keys() | stock.keys()):
        here, there = ours.get(block, 0), stock.get(block, 0)
        if here != there:
            domain, size, frames, total = block
            path = " < ".join(f"{name}:{line}" for name, line in frames[:6])
            lines.append(f"domain {domain}, {size} bytes, {total} frames, "
                         f"{here} here and {there} in stock: {path}")
    return "\n".join(lines[:40])


class ScriptTests(unittest.TestCase):
    """Base: one test per script, all limits, whole record; see add_tests()."""

    scripts = None                  # the class that has them

    maxDiff = None

    def compare(self, name, limits=LIMITS):
        source = textwrap.dedent(getattr(self.scripts, name)).lstrip()
        held = line_of(source, "held")
        for limit in limits:
            with self.subTest(script=name, nframe=limit):
                ours, stock = run_both(source, limit)
                newest = {block[2][0][1] for block in ours.blocks
                          if block[2][0][0].startswith("script:")}
                self.assertIn(held, newest)
                self.assertEqual(difference(ours.blocks, stock.blocks), "")
                self.assertEqual(compared(ours, source),
                                 compared(stock, source))


def _script_test(name):
    @needs_stock
    def test(self):
        self.compare(name)
    return test


def add_tests(case, covers):
    """Give the ScriptTests *case* its tests; *covers* has their requirements.
    """
    for name in vars(case.scripts):
        if not name.startswith("_"):
            setattr(
                case,
                f"test_{covers.get(name, 'S17')}_blocks_of_{name}_equal_stock",
                _script_test(name))
