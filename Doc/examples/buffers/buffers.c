/* buffers.c: memory of our own, visible in tracemalloc's domain 742. */
#include <Python.h>
#include <stdlib.h>

#define DOMAIN 742

static void
buffer_free(PyObject *capsule)
{
    void *memory = PyCapsule_GetPointer(capsule, "buffers.buffer");
    /* First, or another thread may get the address and lose its trace. */
    PyTraceMalloc_Untrack(DOMAIN, (uintptr_t)memory);
    free(memory);
}

static PyObject *
buffers_new(PyObject *Py_UNUSED(module), PyObject *arg)
{
    size_t size = PyLong_AsSize_t(arg);
    if (size == (size_t)-1 && PyErr_Occurred()) {
        return NULL;
    }
    void *memory = malloc(size ? size : 1);
    if (memory == NULL) {
        return PyErr_NoMemory();
    }
    PyObject *capsule = PyCapsule_New(memory, "buffers.buffer", buffer_free);
    if (capsule == NULL) {
        free(memory);
        return NULL;
    }
    /* -2, not tracing, is the usual case; -1 loses this one trace. */
    (void)PyTraceMalloc_Track(DOMAIN, (uintptr_t)memory, size);
    return capsule;
}

static PyMethodDef buffers_methods[] = {
    {"new", buffers_new, METH_O, "Return a capsule with so many bytes."},
    {NULL, NULL, 0, NULL},
};

/* The tracer has locks of its own, so nothing here needs the GIL. */
static PyModuleDef_Slot buffers_slots[] = {
    {.slot = Py_mod_gil, .value = Py_MOD_GIL_NOT_USED},
    {.slot = 0},
};

static struct PyModuleDef buffers_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "buffers",
    .m_methods = buffers_methods,
    .m_slots = buffers_slots,
};

PyMODINIT_FUNC
PyInit_buffers(void)
{
    return PyModuleDef_Init(&buffers_module);
}
