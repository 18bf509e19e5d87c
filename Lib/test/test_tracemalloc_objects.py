"""Objects: each is counted once where it is made, wherever its memory is from.

What an object is made of was allocated just now, or comes from a free list of
CPython's, or from one of an extension's own.  In processes of their own, which
do nothing else.
"""
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import unittest
from test.support import (Py_GIL_DISABLED, import_helper, os_helper,
                          script_helper)
from test.tracemalloc_scripts import allocators

import_helper.import_module("_tracemalloc")

# Runs a program, then compares the number of allocations by each line that
# ends with a number, and the line that the last object belongs to.
PRELUDE = """
import _tracemalloc, collections, gc, sys, tracemalloc

def counts(code, start=tracemalloc.start, run=None, times=1):
    expected = {
        number: times * int(text.rpartition("#")[2])
        for number, text in enumerate(code.splitlines(), 1) if "#" in text}
    assert expected
    compiled = compile(code, "counted.py", "exec")
    gc.collect()            # empties the free lists of what is not traced
    start()
    if run is None:
        exec(compiled, {"belongs": belongs})
    else:
        run()
    _tracemalloc._check()
    found = collections.Counter()
    for _, frames, _, allocated, *_ in _tracemalloc._get_contexts():
        if frames[0][0] == "counted.py":
            found[frames[0][1]] += allocated
    assert _tracemalloc._get_dropped() == 0
    wrong = {line: (found[line], n) for line, n in expected.items()
             if found[line] != n}
    assert not wrong, ("found, expected:", wrong)

def belongs(value):
    [frame] = tracemalloc.get_object_traceback(value)
    line = sys._getframe(1).f_lineno - 1
    assert (frame.filename, frame.lineno) == ("counted.py", line), frame
"""

# A slice is made of a tuple of arguments.
FREE_LISTS = """\
import contextvars, warnings, _asyncio
warnings.simplefilter("ignore")

class Loop:
    def get_debug(self):
        return False

async def values():
    while True:
        yield None                      # 1000

future, stream, one = _asyncio.Future(loop=Loop()), values(), 1.5
unawaited = values()
"What waits since before tracing began, and is not traced, is used up."
waited = [MemoryError() for _ in range(100)], slice(one)
contextvars.copy_context()
kept = None
for _ in range(1000):
    kept = one * one                    # 1000
    belongs(kept)
    kept = None
    kept = (one, kept)                  # 1000
    belongs(kept)
    kept = None
    kept = []                           # 1000
    belongs(kept)
    kept = None
    kept = {}                           # 1000
    belongs(kept)
    kept = None
    kept = slice(one)                   # 2000
    belongs(kept)
    kept = None
    kept = contextvars.copy_context()   # 1000
    belongs(kept)
    kept = None
    kept = iter(future)                 # 1000
    belongs(kept)
    kept = None
    kept = anext(unawaited)             # 1000
    belongs(kept)
    kept = None
    kept = MemoryError()                # 1000
    belongs(kept)
    kept = None
    step = anext(stream)                # 1000
    try:
        step.send(None)
    except StopIteration:
        pass
    step = None
"""

ALLOCATED = """\
class Empty:
    __slots__ = ()

class Counted:
    __slots__ = "value",

values = [None] * 1000
number, text, data = 10 ** 20, "text", b"data"
Empty(), Counted()
for index in range(1000):
    kept = object()                     # 1000
    kept = Empty()                      # 1000
    kept = Counted()                    # 1000
    kept = number + number              # 1000
    kept = text + text                  # 1000
    kept = data + data                  # 1000
    kept = 2j * number                  # 1000
    values[index] = [index]             # 2000
"""

EXTENSION = r"""
#include <Python.h>
#include <pthread.h>

/* A type with a free list for one object, without PyObject_New(), as some
   generators of extensions make them. */

struct state {
    PyObject *pooled, *plain, *variable, *spare;
};

static struct state *
state_of_type(PyTypeObject *type)
{
    return PyModule_GetState(PyType_GetModule(type));
}

static PyObject *
pooled_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    struct state *state = state_of_type(type);
    PyObject *object = state->spare;
    if (object == NULL) {
        return type->tp_alloc(type, 0);
    }
    state->spare = NULL;
    memset(object, 0, type->tp_basicsize);
    return PyObject_Init(object, type);
}

static void
pooled_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    struct state *state = state_of_type(type);
    if (state->spare == NULL) {
        state->spare = object;
    }
    else {
        type->tp_free(object);
    }
    Py_DECREF(type);
}

static PyType_Slot pooled_slots[] = {
    {Py_tp_new, pooled_new}, {Py_tp_dealloc, pooled_dealloc}, {0, NULL}
};
static PyType_Spec pooled_spec = {
    "pooled.Pooled", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, pooled_slots
};

static void
plain_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyType_Slot plain_slots[] = {
    {Py_tp_dealloc, plain_dealloc}, {0, NULL}
};
static PyType_Spec plain_spec = {
    "pooled.Plain", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, plain_slots
};
static PyType_Spec variable_spec = {
    "pooled.Variable", sizeof(PyVarObject), 1, Py_TPFLAGS_DEFAULT, plain_slots
};

/* Memory that was allocated just now. */
static PyObject *
plain(PyObject *module, PyObject *unused)
{
    struct state *state = PyModule_GetState(module);
    return PyObject_Init(PyObject_Malloc(sizeof(PyObject)),
                         (PyTypeObject *)state->plain);
}

static PyObject *
variable(PyObject *module, PyObject *unused)
{
    struct state *state = PyModule_GetState(module);
    PyVarObject *object = PyObject_Malloc(sizeof(PyVarObject) + 1000);
    return (PyObject *)PyObject_InitVar(
        object, (PyTypeObject *)state->variable, 1000);
}

/* Another object is made of new memory in between. */
static PyObject *
between(PyObject *module, PyObject *unused)
{
    struct state *state = PyModule_GetState(module);
    PyObject *spare = PyObject_Malloc(sizeof(PyObject));
    PyObject *made = PyObject_Init(PyObject_Malloc(sizeof(PyObject)),
                                   (PyTypeObject *)state->plain);
    PyObject_Free(spare);
    return made;
}

/* While this thread waits, another one frees the block that it allocated last,
   is given it again, and makes an object there, which waits in a free list. */
struct exchange {
    PyObject *block, *type;
    int same;
};

static void *
exchange(void *data)
{
    struct exchange *it = data;
    PyGILState_STATE before = PyGILState_Ensure();
    PyObject *first = it->block;
    PyObject_Free(first);
    it->block = PyObject_Init(PyObject_Malloc(sizeof(PyObject)),
                              (PyTypeObject *)it->type);
    it->same = it->block == first;
    Py_DECREF(it->type);
    PyGILState_Release(before);
    return NULL;
}

static PyObject *
exchanged(PyObject *module, PyObject *unused)
{
    struct state *state = PyModule_GetState(module);
    struct exchange it = {.type = state->plain};
    pthread_t thread;
    it.block = PyObject_Malloc(sizeof(PyObject));
    Py_BEGIN_ALLOW_THREADS
    if (pthread_create(&thread, NULL, exchange, &it) != 0) {
        abort();
    }
    pthread_join(thread, NULL);
    Py_END_ALLOW_THREADS
    if (!it.same) {
        abort();
    }
    return PyObject_Init(it.block, (PyTypeObject *)state->plain);
}

static PyMethodDef methods[] = {
    {"plain", plain, METH_NOARGS},
    {"variable", variable, METH_NOARGS},
    {"between", between, METH_NOARGS},
    {"exchanged", exchanged, METH_NOARGS},
    {NULL}
};

static int
execute(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    state->pooled = PyType_FromModuleAndSpec(module, &pooled_spec, NULL);
    state->plain = PyType_FromModuleAndSpec(module, &plain_spec, NULL);
    state->variable = PyType_FromModuleAndSpec(module, &variable_spec, NULL);
    if (!state->pooled || !state->plain || !state->variable) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "Pooled", state->pooled);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {Py_mod_exec, execute},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {0, NULL}
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "pooled", NULL, sizeof(struct state), methods, slots
};

PyMODINIT_FUNC
PyInit_pooled(void)
{
    return PyModuleDef_Init(&definition);
}
"""

# The first of a kind is allocated, all others come from the free list.
EXTENSION_COUNTS = """\
from pooled import Pooled, plain, variable, between
for _ in range(1000):
    kept = Pooled()                     # 1000
    kept = None
for _ in range(1000):
    kept = Pooled()                     # 1000
    belongs(kept)
    kept = None
    kept = plain()                      # 1000
    belongs(kept)
    kept = variable()                   # 1000
    belongs(kept)
    kept = between()                    # 2000
    belongs(kept)
"""


class ObjectTests(unittest.TestCase):

    def counts(self, code, **variables):
        with self.subTest(**variables):
            script_helper.assert_python_ok(
                "-c", f"{PRELUDE}\ncounts({code!r})\n", **variables)

    def test_objects_from_free_lists(self):
        import_helper.import_module("_asyncio")
        for allocator in allocators("default", "malloc", "debug"):
            self.counts(FREE_LISTS, PYTHONMALLOC=allocator)

    def test_objects_that_are_allocated(self):
        for allocator in allocators("default", "malloc", "debug"):
            self.counts(ALLOCATED, PYTHONMALLOC=allocator)

    def test_objects_from_free_lists_when_there_is_an_alarm(self):
        script_helper.assert_python_ok("-c", PRELUDE + textwrap.dedent(f"""
            def start():
                tracemalloc.start()
                _tracemalloc._set_alarm(print, 0, 1 << 40)
            counts({FREE_LISTS!r}, start)
            """))


class ExtensionTests(unittest.TestCase):
    """An extension with a free list of its own."""

    @classmethod
    def setUpClass(cls):
        compiler = (sysconfig.get_config_var("CC") or "cc").split()
        if sys.platform != "linux" or not shutil.which(compiler[0]):
            raise unittest.SkipTest("no C compiler is here")
        cls.folder = cls.enterClassContext(os_helper.temp_dir())
        folders = {sysconfig.get_path("include"),
                   sysconfig.get_path("platinclude"),
                   os.path.dirname(sysconfig.get_config_h_filename())}
        built = subprocess.run(
            [*compiler, "-shared", "-fPIC",
             *(f"-I{folder}" for folder in folders), "-x", "c", "-o",
             os.path.join(cls.folder, "pooled.so"), "-"],
            input=EXTENSION, text=True, capture_output=True)
        if built.returncode != 0:
            raise AssertionError(built.stderr)

    def run_script(self, code, **variables):
        script_helper.assert_python_ok(
            "-c", f"{PRELUDE}\nsys.path.append({self.folder!r})\n"
                  f"{textwrap.dedent(code)}", **variables)

    def test_objects_are_counted_once(self):
        for allocator in allocators("default", "malloc", "debug"):
            with self.subTest(allocator=allocator):
                self.run_script(f"counts({EXTENSION_COUNTS!r})",
                                PYTHONMALLOC=allocator)

    def test_objects_are_counted_once_with_another_tracer_of_references(self):
        self.run_script(f"""
            import ctypes
            tracer = ctypes.PYFUNCTYPE(
                ctypes.c_int, ctypes.c_void_p, ctypes.c_int,
                ctypes.c_void_p)(("labs", ctypes.CDLL(None)))
            ctypes.pythonapi.PyRefTracer_SetTracer(tracer, None)
            counts({EXTENSION_COUNTS!r})
            """)

    def test_objects_are_counted_once_with_several_gils(self):
        import_helper.import_module("_interpreters")
        code = re.sub(r"belongs\(.*\)", "pass", EXTENSION_COUNTS)
        self.run_script(f"""
            import _interpreters, threading
            code = {code!r}
            inside = (f"import sys; sys.path.append({self.folder!r})\\n"
                      f"exec(compile({{code!r}}, 'counted.py', 'exec'))")
            faults = []
            done = threading.Barrier(4)
            def run():
                interpreter = _interpreters.create("isolated")
                faults.append(_interpreters.exec(interpreter, inside))
                done.wait()
                done.wait()
                _interpreters.destroy(interpreter)
            def run_three():
                for thread in threads:
                    thread.start()
                done.wait()
                assert faults == [None] * 3, faults
            threads = [threading.Thread(target=run) for _ in range(3)]
            counts(code, run=run_three, times=3)
            done.wait()
            """)

    @unittest.skipIf(Py_GIL_DISABLED, "each thread has a heap of its own, and "
                     "gets no block of another's")
    def test_a_block_that_another_thread_freed_is_not_fresh(self):
        self.run_script("""
            counts('''\\
            from pooled import exchanged
            for _ in range(100):
                kept = exchanged()      # 200
                belongs(kept)
            '''.replace(" " * 12, ""))
            """)


if __name__ == "__main__":
    unittest.main()
