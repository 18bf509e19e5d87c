/* Raw traces, as _get_traces() lists them and pickles have them, added up.

   A function of the module _tracemalloc, for Lib/tracemalloc/_groups.py.
   Equal frames of traces mostly are one object, so the sums are by identity,
   in a table with open addressing, and only frames that differ are looked
   at. */

#include "Python.h"
#include "reports.h"

#include <stdlib.h>               // calloc()


struct frames_sum {
    PyObject *frames;           /* borrowed; NULL: free */
    uint64_t size, count;
};


static struct frames_sum *
frames_find(struct frames_sum *sums, size_t mask, PyObject *frames)
{
    size_t at = ((uintptr_t)frames >> 4) * (size_t)0x9e3779b97f4a7c15;
    at ^= at >> 29;
    while (sums[at & mask].frames != NULL
           && sums[at & mask].frames != frames)
    {
        at++;
    }
    return &sums[at & mask];
}


static struct frames_sum *
frames_grow(struct frames_sum *sums, size_t *mask)
{
    size_t more = 2 * *mask + 1;
    struct frames_sum *grown = calloc(more + 1, sizeof(grown[0]));
    for (size_t i = 0; grown != NULL && i <= *mask; i++) {
        if (sums[i].frames != NULL) {
            *frames_find(grown, more, sums[i].frames) = sums[i];
        }
    }
    free(sums);
    *mask = more;
    return grown;
}


/* Whether frames are what those of raw traces are, one at least. */
static int
frames_are_plain(PyObject *frames)
{
    if (!PyTuple_CheckExact(frames) || PyTuple_GET_SIZE(frames) == 0) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(frames); i++) {
        PyObject *frame = PyTuple_GET_ITEM(frames, i);
        if (!PyTuple_CheckExact(frame) || PyTuple_GET_SIZE(frame) != 2
            || !PyUnicode_CheckExact(PyTuple_GET_ITEM(frame, 0))
            || !PyLong_CheckExact(PyTuple_GET_ITEM(frame, 1)))
        {
            return 0;
        }
        int overflow;
        long line = PyLong_AsLongAndOverflow(PyTuple_GET_ITEM(frame, 1),
                                             &overflow);
        if (overflow || line < INT32_MIN || line > INT32_MAX) {
            return 0;
        }
    }
    return 1;
}


static PyObject *
frames_list(const struct frames_sum *sums, size_t mask, int are_plain)
{
    PyObject *frames = PyList_New(0), *sizes = PyList_New(0);
    PyObject *counts = PyList_New(0);
    int failed = frames == NULL || sizes == NULL || counts == NULL;
    for (size_t i = 0; !failed && i <= mask; i++) {
        if (sums[i].frames == NULL) {
            continue;
        }
        are_plain = are_plain && frames_are_plain(sums[i].frames);
        PyObject *size = PyLong_FromUnsignedLongLong(sums[i].size);
        PyObject *count = PyLong_FromUnsignedLongLong(sums[i].count);
        failed = size == NULL || count == NULL
                 || PyList_Append(frames, sums[i].frames) < 0
                 || PyList_Append(sizes, size) < 0
                 || PyList_Append(counts, count) < 0;
        Py_XDECREF(size);
        Py_XDECREF(count);
    }
    PyObject *result = failed ? NULL
        : PyTuple_Pack(4, frames, sizes, counts,
                       are_plain ? Py_True : Py_False);
    Py_XDECREF(frames);
    Py_XDECREF(sizes);
    Py_XDECREF(counts);
    return result;
}


static int
is_short_number(PyObject *object)
{
    if (!PyLong_CheckExact(object)) {
        return 0;
    }
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(object, &overflow);
    return !overflow && number >= 0 && number <= UINT32_MAX;
}


/* Whether a raw trace is (domain, size, frames), with its total number of
   frames or None behind it. */
static int
trace_is_plain(PyObject *trace, int *without_total)
{
    if (!PyTuple_CheckExact(trace) || PyTuple_GET_SIZE(trace) < 3
        || PyTuple_GET_SIZE(trace) > 4
        || !is_short_number(PyTuple_GET_ITEM(trace, 0))
        || !PyLong_CheckExact(PyTuple_GET_ITEM(trace, 1)))
    {
        return 0;
    }
    if (PyTuple_GET_SIZE(trace) == 3) {
        *without_total = 1;
        return 1;
    }
    PyObject *total = PyTuple_GET_ITEM(trace, 3);
    return total == Py_None || is_short_number(total);
}


PyDoc_STRVAR(sum_traces_doc,
"_sum_traces($module, traces, /)\n--\n\n"
"Add raw traces up by the identity of their frames.\n\n"
"Returns lists of frames, sizes and numbers of blocks, and whether all\n"
"traces are whole and their frames as they should be; None if there are\n"
"traces of another form.");


static PyObject *
traces_sum(PyObject *traces)
{
    size_t mask = 1023, used = 0;
    struct frames_sum *sums = calloc(mask + 1, sizeof(sums[0]));
    int strange = 0, without_total = 0;
    /* Nothing below runs code of others, so that the list stays as it is. */
    for (Py_ssize_t i = 0; sums != NULL && !strange
         && i < PyList_GET_SIZE(traces); i++)
    {
        PyObject *trace = PyList_GET_ITEM(traces, i);
        if (!trace_is_plain(trace, &without_total)) {
            strange = 1;
            break;
        }
        unsigned long long size = PyLong_AsUnsignedLongLong(
            PyTuple_GET_ITEM(trace, 1));
        if (size == (unsigned long long)-1 && PyErr_Occurred()) {
            PyErr_Clear();
            strange = 1;
            break;
        }
        if (2 * used > mask) {
            sums = frames_grow(sums, &mask);
            if (sums == NULL) {
                break;
            }
        }
        struct frames_sum *sum = frames_find(sums, mask,
                                             PyTuple_GET_ITEM(trace, 2));
        used += sum->frames == NULL;
        sum->frames = PyTuple_GET_ITEM(trace, 2);
        sum->size += size;
        sum->count++;
        /* More than 64 bits are left to Python. */
        strange = sum->size < size;
    }
    if (sums == NULL) {
        return PyErr_NoMemory();
    }
    PyObject *result = strange ? Py_NewRef(Py_None)
                               : frames_list(sums, mask, !without_total);
    free(sums);
    return result;
}


static PyObject *
sum_traces(PyObject *self, PyObject *traces)
{
    if (!PyList_CheckExact(traces)) {
        Py_RETURN_NONE;
    }
    PyObject *result;
    /* Without a GIL, other threads could change it. */
    Py_BEGIN_CRITICAL_SECTION(traces);
    result = traces_sum(traces);
    Py_END_CRITICAL_SECTION();
    return result;
}


/* --- the function -------------------------------------------------------- */

static PyMethodDef raw_traces_methods[] = {
    {"_sum_traces", sum_traces, METH_O, sum_traces_doc},
    {NULL, NULL, 0, NULL},
};


int
_PyTraceMalloc_AddRawTraces(PyObject *module)
{
    return PyModule_AddFunctions(module, raw_traces_methods);
}
