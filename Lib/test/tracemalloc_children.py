"""Children that call the tracer from C, by ctypes and by _testcapi.

What is tried in them changes allocators, runs out of memory on purpose, or
could hang.
"""
import os
import subprocess
import sys
import textwrap
import unittest
from test.support import import_helper
from test import support

import_helper.import_module("ctypes")
import_helper.import_module("_testcapi")
import_helper.import_module("_testinternalcapi")

# What the children begin with.
PRELUDE = r"""
import ctypes, gc, os, sys, threading
import _testcapi, _testinternalcapi, _tracemalloc, tracemalloc
from _testinternalcapi import _PyTraceMalloc_GetTraceback

held = ctypes.pythonapi                     # functions called with the GIL held
free = ctypes.CDLL(None)                    # and with the GIL released
RAW, MEM, OBJ = DOMAINS = range(3)
NAMES = "PyMem_Raw", "PyMem_", "PyObject_"
size_t, pointer = ctypes.c_size_t, ctypes.c_void_p
NUMBER = sys.getsizeof(1 << 40)             # what an address takes

for library in held, free:
    for name in NAMES:
        for function, result, arguments in [
                ("Malloc", pointer, [size_t]), ("Calloc", pointer, [size_t] * 2),
                ("Realloc", pointer, [pointer, size_t]), ("Free", None, [pointer])]:
            function = getattr(library, name + function)
            function.restype, function.argtypes = result, arguments
    library.PyTraceMalloc_Track.argtypes = [ctypes.c_uint, size_t, size_t]
    library.PyTraceMalloc_Untrack.argtypes = [ctypes.c_uint, size_t]

def api(domain, function, library=held):
    return getattr(library, NAMES[domain] + function)

def blocks(at_least=0, domain=0):
    return [trace for trace in _tracemalloc._get_traces()
            if trace[0] == domain and trace[1] >= at_least]

def traced(address, domain=0):
    return _PyTraceMalloc_GetTraceback(domain, address)

def grown(call):
    # Bytes by which `call` moves the counter, and its result.
    def measure(call):
        # Names that nothing else holds go when others take their place there:
        # api() puts some together.
        sys._clear_internal_caches()
        before = _tracemalloc.get_traced_memory()[0]
        result = call()
        return _tracemalloc.get_traced_memory()[0] - before, result
    # Fills the free lists that measuring itself takes objects from.
    for _ in range(5):
        nothing, _ = measure(lambda: None)
    assert nothing in (0, NUMBER), nothing      # the number `before`
    moved, result = measure(call)
    return moved - nothing, result

def line():
    return sys._getframe(1).f_lineno

class Allocator(ctypes.Structure):
    _fields_ = [(name, pointer) for name in ("ctx", "malloc", "calloc", "realloc", "free")]
    def __eq__(self, other):
        return bytes(self) == bytes(other)

def installed(domain):
    found = Allocator()
    held.PyMem_GetAllocator(domain, ctypes.byref(found))
    return found

class Hook:
    # A hook that hands every call on to the allocator that was installed
    # before: set_nomemory() has such functions, and they take the address of
    # that allocator as their context.
    functions = None

    def __init__(self, domain):
        if Hook.functions is None:
            _testcapi.set_nomemory(2 ** 31 - 1)
            Hook.functions = installed(RAW)
            _testcapi.remove_mem_hooks()
        self.domain = domain
        self.below = installed(domain)
        self.own = Allocator.from_buffer_copy(Hook.functions)
        self.own.ctx = ctypes.addressof(self.below)
        held.PyMem_SetAllocator(domain, ctypes.byref(self.own))
        # Its owner lets go of a hook at exit, the interpreter does not.
        held.Py_IncRef(ctypes.py_object(self.below))

    def remove(self):
        held.PyMem_SetAllocator(self.domain, ctypes.byref(self.below))

def check_exact(note=""):
    # One block per domain of the API, counted once, with its size and line.
    for domain in DOMAINS:
        for size in 1, 100, 512, 513, 5000, 200000:
            malloc, release = api(domain, "Malloc"), api(domain, "Free")
            release(malloc(size))       # fills free lists of ctypes
            moved, address = grown(lambda: malloc(size))
            # The address is an int, made after the block.
            assert moved - size in (0, NUMBER), (note, domain, size, moved)
            frames = traced(address)
            assert frames is not None, (note, domain, size)
            same = [trace for trace in blocks(size) if trace[2] == frames and trace[1] == size]
            assert len(same) == 1, (note, domain, size, same)
            release(address)
            assert traced(address) is None, (note, domain, size)

def check_sum():
    # The counter is the sum of the traces, but for what this makes itself.
    sys._clear_internal_caches()
    current = _tracemalloc.get_traced_memory()[0]
    total = sum(trace[1] for trace in _tracemalloc._get_traces())
    assert 0 <= total - current < 300, (current, total)
"""

# pthread_create() with an allocator function as the start of a thread:
# a thread that Python has never heard of.
FOREIGN = """
def in_foreign_thread(function, argument):
    thread, result = ctypes.c_ulong(), pointer()
    start = ctypes.cast(function, pointer)
    assert free.pthread_create(ctypes.byref(thread), None, start, pointer(argument)) == 0
    assert free.pthread_join(thread, ctypes.byref(result)) == 0
    return result.value
"""


class ChildTests(unittest.TestCase):
    """Base: runs code in a child, which has to print 'done' and nothing else.
    """

    def child(self, code, *options, timeout=support.LONG_TIMEOUT, **variables):
        env = {name: value for name, value in os.environ.items()
               if name not in ("PYTHONTRACEMALLOC", "PYTHONMALLOC")}
        env.update(variables)
        with support.SuppressCrashReport():
            process = subprocess.run(
                [sys.executable, *options, "-c",
                 PRELUDE + textwrap.dedent(code) + "\nprint('done')\n"],
                env=env, capture_output=True, text=True, timeout=timeout)
        self.assertEqual((process.returncode, process.stdout), (0, "done\n"),
                         process.stderr[-4000:])
        self.assertEqual(process.stderr, "")
