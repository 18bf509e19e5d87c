/* A function that evaluates frames in the place of CPython's (PEP 523).

   The kit sets it (calls.py), in any thread and interpreter, at any moment.
   The evaluator of CPython's own tests may not be used while an exception is
   thrown into a generator: it looks up a module then, which looks at types,
   which assert that there is no exception.
*/
#include <Python.h>

enum { CARRIED = 700 };                 /* bytes: a block that is not small */

/* Allocates where the frame that is entered is not the current one yet, and
   gives back where it is that no more. */
static PyObject *
evaluate(PyThreadState *thread, struct _PyInterpreterFrame *frame, int thrown)
{
    PyObject *object = thrown ? NULL : PyBytes_FromStringAndSize(NULL, 1);
    void *block = PyMem_RawMalloc(CARRIED);
    PyObject *result = _PyEval_EvalFrameDefault(thread, frame, thrown);
    PyMem_RawFree(block);
    Py_XDECREF(object);
    return result;
}

static PyObject *
set(PyObject *module, PyObject *ignored)
{
    _PyInterpreterState_SetEvalFrameFunc(PyInterpreterState_Get(), evaluate);
    Py_RETURN_NONE;
}

static PyObject *
reset(PyObject *module, PyObject *ignored)
{
    _PyInterpreterState_SetEvalFrameFunc(PyInterpreterState_Get(),
                                         _PyEval_EvalFrameDefault);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"set", set, METH_NOARGS,
     PyDoc_STR("Frames entered from now on in this interpreter are evaluated "
               "by this module's function.")},
    {"reset", reset, METH_NOARGS,
     PyDoc_STR("Frames entered from now on are evaluated by CPython's.")},
    {0},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {0},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_evaluator",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__evaluator(void)
{
    return PyModuleDef_Init(&definition);
}
