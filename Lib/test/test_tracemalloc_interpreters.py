"""Interpreters beside each other and after each other, in one process.

In processes of their own: a second GIL changes the tracer for good, and a
runtime that begins anew needs a program that embeds Python.
"""
import os
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import unittest
from test.support import import_helper, os_helper, script_helper
from test import support

import_helper.import_module("_interpreters")
import_helper.import_module("ctypes")
import_helper.import_module("_tracemalloc")


def headers():
    """Where Python.h and pyconfig.h are, of a build or of an installation."""
    folders = {sysconfig.get_path("include"),
               sysconfig.get_path("platinclude"),
               os.path.dirname(sysconfig.get_config_h_filename())}
    return [f"-I{folder}" for folder in folders]


def compiled(test, source):
    """A library made of C, for one test; skip that where there is no cc."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()
    if sys.platform != "linux" or not shutil.which(compiler[0]):
        test.skipTest("no C compiler is here")
    library = os.path.join(test.enterContext(os_helper.temp_dir()),
                           "library.so")
    built = subprocess.run(
        [*compiler, "-shared", "-fPIC", *headers(), "-x", "c", "-o", library,
         "-"], input=source, text=True, capture_output=True)
    test.assertEqual(built.returncode, 0, built.stderr)
    return library


# Makes objects as an extension does: whether their memory is new, or comes
# from a free list, cannot be seen but by the block that was noted last.
MAKER = """
#include <Python.h>

void
make(int n)
{
    for (; n > 0; n--) {
        PyObject *op = PyObject_Malloc(sizeof(PyObject));
        Py_DECREF(PyObject_Init(op, &PyBaseObject_Type));
    }
}
"""


class TotalsTests(unittest.TestCase):
    """What busy interpreters count is what they did, to the block."""

    def compare(self, code):
        """Run code in three isolated interpreters at once; compare each line's
        number of allocations with what its comment says."""
        code = textwrap.dedent(code)
        expected = {
            number: int(text.rpartition("#")[2])
            for number, text in enumerate(code.splitlines(), 1) if "#" in text}
        script_helper.assert_python_ok("-c", textwrap.dedent("""\
            import _interpreters, _tracemalloc, collections, sys, threading, tracemalloc
            code, expected = sys.argv[1], eval(sys.argv[2])
            tracemalloc.start()
            faults = []
            ready, done = threading.Barrier(3), threading.Barrier(4)
            def run():
                interpreter = _interpreters.create("isolated")
                ready.wait()
                fault = _interpreters.exec(
                    interpreter, f"exec(compile({code!r}, 'busy.py', 'exec'))")
                done.wait()
                _interpreters.destroy(interpreter)
                if fault:
                    faults.append(fault.formatted)
            threads = [threading.Thread(target=run) for _ in range(3)]
            for thread in threads:
                thread.start()
            done.wait()
            _tracemalloc._check()
            found = collections.Counter()
            for _, frames, _, allocated, *_ in _tracemalloc._get_contexts():
                if frames[0][0] == "busy.py":
                    found[frames[0][1]] += allocated
            for thread in threads:
                thread.join()
            _tracemalloc._check()
            assert not faults, faults
            assert _tracemalloc._get_dropped() == 0
            assert all(found[line] == 3 * n for line, n in expected.items()), found
            """), code, repr(expected))

    def test_blocks_that_become_objects_at_once(self):
        # Two where there is a tuple of arguments.
        self.compare("""\
            for _ in range(100_000):
                kept = bytes(1000) # 200000
                kept = bytes(20)   # 200000
                kept = object()    # 100000
                kept = [kept]      # 200000
            """)

    def test_blocks_that_extensions_make_objects_of(self):
        # One for the tuple of arguments.
        self.compare(f"""\
            import ctypes
            make = ctypes.PyDLL({compiled(self, MAKER)!r}).make
            make.restype = None
            make(1_000_000) # 1000001
            """)

    def test_objects_from_free_lists(self):
        # Each is another allocation, by the line that takes it.
        self.compare("""\
            one = 1.5
            for _ in range(100_000):
                kept = one * one   # 100000
                kept = None
                kept = one + one   # 100000
                kept = None
            """)


class OwnArenasTests(unittest.TestCase):
    """An interpreter that shares the GIL, but not pymalloc's arenas."""

    def test_objects_from_free_lists_of_each(self):
        script_helper.assert_python_ok("-c", textwrap.dedent("""\
            import _interpreters, _tracemalloc, collections, gc, tracemalloc
            code = '''
            one = 1.5
            for _ in range(1000):
                kept = one * one
                kept = None
                kept = one + one
                kept = None
            '''
            code = f"exec(compile({code!r}, NAME, 'exec'))"
            here, there = (code.replace("NAME", repr(name))
                           for name in ("here.py", "there.py"))
            tracemalloc.start()
            gc.collect()        # empties the free lists of what is not traced
            interpreter = _interpreters.create(_interpreters.new_config(
                "isolated", gil="shared"))
            fault = _interpreters.exec(interpreter, there)
            assert fault is None, fault.formatted
            exec(here)
            _tracemalloc._check()
            found = collections.Counter()
            for _, frames, _, allocated, *_ in _tracemalloc._get_contexts():
                if frames[0][0] in ("here.py", "there.py"):
                    found[frames[0]] += allocated
            for name in "here.py", "there.py":
                for line in 4, 6:
                    assert found[name, line] == 1000, (name, line, found)
            _interpreters.destroy(interpreter)
            _tracemalloc._check()
            assert _tracemalloc._get_dropped() == 0
            """))

    @unittest.skipIf(support.Py_GIL_DISABLED, "there are no arenas")
    def test_arenas_that_go_while_others_allocate(self):
        # Most of their blocks are freed then; rows of cells come and go.
        script_helper.assert_python_ok("-c", textwrap.dedent("""\
            import _interpreters, _tracemalloc, threading, tracemalloc
            tracemalloc.start()
            ends = threading.Event()
            turns = 0
            def allocate():
                global turns
                while not ends.is_set():
                    kept = [bytearray(n) for n in range(500)]
                    del kept
                    turns += 1
            thread = threading.Thread(target=allocate)
            thread.start()
            shared = _interpreters.new_config("isolated", gil="shared")
            left = []
            for _ in range(6):
                interpreter = _interpreters.create(shared)
                fault = _interpreters.exec(
                    interpreter, "kept = [str(i) * 2 for i in range(30_000)]")
                assert fault is None, fault.formatted
                _tracemalloc._check()
                before = turns
                _interpreters.destroy(interpreter)
                _tracemalloc._check()
                left.append(tracemalloc.get_traced_memory()[0])
                while turns == before:
                    ends.wait(.001)
            ends.set()
            thread.join()
            _tracemalloc._check()
            assert _tracemalloc._get_dropped() == 0
            # Two MiB were kept in each.
            assert left[-1] - left[0] < 5 * 500_000, left
            """))


# Creates an interpreter with a GIL of its own in a thread without any thread
# state, while the calling thread keeps the GIL.  Whether it waits for that is
# seen by what it makes first: a thread state of this interpreter, to wait
# with, or one of the new interpreter.
CREATOR = """
#include <Python.h>
#include <pthread.h>
#include <sched.h>

static void *
create(void *unused)
{
    PyThreadState *made = NULL;
    PyInterpreterConfig isolated = {.gil = PyInterpreterConfig_OWN_GIL};
    isolated.allow_threads = isolated.check_multi_interp_extensions = 1;
    PyStatus status = Py_NewInterpreterFromConfig(&made, &isolated);
    if (made == NULL || PyStatus_Exception(status)) {
        return "no interpreter was made";
    }
    Py_EndInterpreter(made);
    return NULL;
}

const char *
run(int *waited)
{
    PyInterpreterState *mine = PyInterpreterState_Get(), *newest;
    PyThreadState *before = PyInterpreterState_ThreadHead(mine);
    pthread_t thread;
    void *fault = NULL;
    if (pthread_create(&thread, NULL, create, NULL) != 0) {
        return "no thread was made";
    }
    do {
        sched_yield();
        newest = PyInterpreterState_Head();
    } while (PyInterpreterState_ThreadHead(mine) == before
             && (newest == mine
                 || PyInterpreterState_ThreadHead(newest) == NULL));
    newest = PyInterpreterState_Head();
    *waited = PyInterpreterState_ThreadHead(newest) == NULL;
    Py_BEGIN_ALLOW_THREADS
    pthread_join(thread, &fault);
    Py_END_ALLOW_THREADS
    return fault;
}
"""


class NewGilTests(unittest.TestCase):

    @unittest.skipIf(support.Py_GIL_DISABLED, "there is no GIL to wait for")
    def test_created_without_a_thread_state_while_another_thread_allocates(
            self):
        library = compiled(self, CREATOR)
        script_helper.assert_python_ok("-c", textwrap.dedent("""\
            import _tracemalloc, ctypes, sys, tracemalloc
            library = ctypes.PyDLL(sys.argv[1])
            library.run.restype = ctypes.c_char_p
            tracemalloc.start(5)
            waited = ctypes.c_int(-1)
            fault = library.run(ctypes.byref(waited))
            assert (fault, waited.value) == (None, 1), (fault, waited.value)
            _tracemalloc._check()
            """), library)


class ControlTests(unittest.TestCase):

    @support.requires_fork()
    def test_forks_while_interpreters_start_and_stop(self):
        # One interpreter keeps the lock for milliseconds; a thread of another
        # one waits, and is given it, while a third one holds the GIL and
        # forks.
        script_helper.assert_python_ok("-c", textwrap.dedent("""\
            import _interpreters, _tracemalloc, subprocess, sys, threading
            subprocess._USE_VFORK = subprocess._USE_POSIX_SPAWN = False
            isolated = _interpreters.create("isolated")
            faults = []
            def control():
                faults.append(_interpreters.exec(isolated, '''if 1:
                    import _tracemalloc
                    for _ in range(150):
                        _tracemalloc.start(1)
                        kept = [(number,) for number in range(20_000)]
                        _tracemalloc.stop()
                    '''))
            def control_too():
                while not faults:
                    _tracemalloc.start(1)
                    _tracemalloc.stop()
            def fork():
                while not faults:
                    subprocess.run([sys.executable, "--no-such-option"],
                                   stderr=subprocess.DEVNULL)
            threads = [threading.Thread(target=target)
                       for target in (control, control_too, fork)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert faults == [None], faults
            _interpreters.destroy(isolated)
            """))


class RestartTests(unittest.TestCase):

    def embedded(self, *scripts):
        """Run each script in a runtime of its own, all in one process."""
        program = os.path.join(os.path.dirname(sys.executable), "Programs",
                               "_testembed")
        if not os.access(program, os.X_OK):
            self.skipTest("only a build has a program that embeds Python")
        # It lies in another folder than the interpreter, and knows no library.
        env = {name: value for name, value in os.environ.items()
               if name not in ("PYTHONTRACEMALLOC", "PYTHONMALLOC")}
        env["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        with support.SuppressCrashReport():
            process = subprocess.run(
                [program, "test_repeated_init_exec",
                 *map(textwrap.dedent, scripts)],
                env=env, capture_output=True, text=True,
                timeout=support.LONG_TIMEOUT)
        self.assertEqual((process.returncode, process.stdout),
                         (0, "done\n" * len(scripts)), process.stderr)

    def test_filters_end_with_their_runtime(self):
        first = """
            import _tracemalloc
            _tracemalloc._set_filters([(True, "nowhere.py", 0, False)])
            _tracemalloc.start(1)
            kept = [bytes(n) for n in range(1000)]
            assert _tracemalloc.get_traced_memory() == (0, 0)
            print("done", flush=True)
            """
        second = """
            import _tracemalloc
            _tracemalloc.start(1)
            kept = [bytes(n) for n in range(1000)]
            assert _tracemalloc.get_traced_memory()[0] > 500000
            assert all(map(_tracemalloc._get_object_traceback, kept[2:]))
            _tracemalloc._check()
            print("done", flush=True)
            """
        self.embedded(first, second, first, second)

    def test_regions_end_with_their_runtime(self):
        first = """
            import ctypes, tracemalloc
            region = tracemalloc.trace()
            region.__enter__()
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(region))
            assert tracemalloc.is_tracing()
            print("done", flush=True)
            """
        second = """
            import tracemalloc
            with tracemalloc.trace():
                assert tracemalloc.is_tracing()
            assert not tracemalloc.is_tracing()
            print("done", flush=True)
            """
        self.embedded(first, second, first, second)

    def test_settings_end_with_their_runtime(self):
        self.embedded(*["""
            import _tracemalloc
            assert not _tracemalloc.is_tracing()
            assert _tracemalloc.get_traceback_limit() == 1
            assert _tracemalloc.get_sample_interval() is None
            _tracemalloc.start(7, sample_interval=%s)
            called = []
            _tracemalloc._set_alarm(called.append, 0, 1 << 40)
            kept = [bytes(n) for n in range(1000)]
            _tracemalloc._check()
            assert not called
            print("done", flush=True)
            """ % interval for interval in (1, None, 512, None)])

    def test_interpreters_with_their_own_gil_in_every_runtime(self):
        self.embedded(*["""
            import _interpreters, _tracemalloc
            _tracemalloc.start(3)
            for _ in range(3):
                other = _interpreters.create("isolated")
                fault = _interpreters.exec(other, "kept = [bytes(n) for n in range(2000)]")
                assert fault is None, fault
                _tracemalloc._check()
                _interpreters.destroy(other)
            _tracemalloc._check()
            print("done", flush=True)
            """] * 3)


if __name__ == "__main__":
    unittest.main()
