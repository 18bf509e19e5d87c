/* What pytracemalloc asks of the tracer beyond what tracemalloc does.

   Called through the module `_tracemalloc`, as private functions; calls what
   takes and decodes snapshots, filters, the alarm and figures.h.

   Traces look here as that module has them: a traceback is a tuple of
   (filename, line), newest frame first, empty if there was no frame; a line
   that is not known is None.  Only domain 0 is told of, since addresses are
   keys. */

#include "Python.h"
#include "pycore_interp.h"        // _Py_INTERP_CACHED_OBJECT()
#include "pycore_sysmodule.h"     // _PySys_GetSizeOf()
#include "pycore_tracemalloc.h"
#include "access.h"
#include "figures.h"
#include "hooks/admission.h"
#include "hooks/alarm.h"
#include "hooks/guard.h"
#include "hooks/pymalloc.h"
#include "pytracemalloc.h"
#include "snapshot/decode.h"
#include "snapshot/taking.h"
#include "snapshot/tracebacks.h"

#include <stdlib.h>               // malloc()

#define S (&_PyTraceMalloc_State)


/* --- traces -------------------------------------------------------------- */

/* (filename, None) in place of (filename, 0).  Steals the frame, and may be
   given NULL. */
static PyObject *
plain_frame(PyObject *frame)
{
    if (frame != NULL && PyLong_AsLong(PyTuple_GET_ITEM(frame, 1)) == 0) {
        Py_SETREF(frame, PyTuple_Pack(2, PyTuple_GET_ITEM(frame, 0), Py_None));
    }
    return frame;
}


/* A traceback in the form above, of one that is not empty; a new reference. */
static PyObject *
plain_traceback(PyObject *frames)
{
    PyObject *copy = PyTuple_New(PyTuple_GET_SIZE(frames));
    for (Py_ssize_t i = 0; copy != NULL && i < PyTuple_GET_SIZE(frames); i++) {
        PyObject *frame = plain_frame(
            Py_NewRef(PyTuple_GET_ITEM(frames, i)));
        if (frame == NULL) {
            Py_CLEAR(copy);
            break;
        }
        PyTuple_SET_ITEM(copy, i, frame);
    }
    return copy;
}


/* The traceback of a context, made once, in `all`; a borrowed reference. */
static PyObject *
context_traceback(struct decoder *decoder, PyObject **all, size_t context)
{
    if (all[context] == NULL) {
        if (!tm_context_has_frame(decoder->snapshot, context)) {
            all[context] = PyTuple_New(0);
        }
        else {
            PyObject *frames = tm_decode_traceback(decoder, context);
            all[context] = frames != NULL ? plain_traceback(frames) : NULL;
        }
    }
    return all[context];
}


static int
dict_add_rows(PyObject *dict, struct decoder *decoder, PyObject **tracebacks)
{
    const struct snapshot *snapshot = decoder->snapshot;
    for (size_t row = 0; row < snapshot->nrows; row++) {
        uint32_t context = snapshot->row_context[row];
        if (snapshot->context_domain[context] != DEFAULT_DOMAIN) {
            continue;
        }
        PyObject *traceback = context_traceback(decoder, tracebacks, context);
        if (traceback == NULL) {
            return -1;
        }
        PyObject *address = PyLong_FromVoidPtr(
            (void *)snapshot->row_address[row]);
        PyObject *size = PyLong_FromUnsignedLongLong(snapshot->row_size[row]);
        PyObject *trace = size != NULL ? PyTuple_Pack(2, size, traceback)
                                       : NULL;
        int failed = address == NULL || trace == NULL
                     || PyDict_SetItem(dict, address, trace) < 0;
        Py_XDECREF(address);
        Py_XDECREF(size);
        Py_XDECREF(trace);
        if (failed) {
            return -1;
        }
    }
    return 0;
}


static int
dict_add_traces(PyObject *dict, const struct snapshot *snapshot)
{
    struct decoder decoder;
    if (tm_init_decoder(&decoder, snapshot,
                        (uint32_t)_PyRuntime.tracemalloc.nframe) < 0)
    {
        return -1;
    }
    int failed = -1;
    size_t n = snapshot->ncontexts;
    PyObject **tracebacks = calloc(n + 1, sizeof(tracebacks[0]));
    if (tracebacks == NULL) {
        PyErr_NoMemory();
    }
    else {
        failed = dict_add_rows(dict, &decoder, tracebacks);
        for (size_t i = 0; i < n; i++) {
            Py_XDECREF(tracebacks[i]);
        }
        free(tracebacks);
    }
    tm_fini_decoder(&decoder);
    return failed;
}


PyDoc_STRVAR(get_address_traces_doc,
"_get_address_traces($module, /)\n--\n\n"
"A dict {address: (size, traceback)} of all blocks of Python's own.\n\n"
"The dict is not traced itself.  Empty when not tracing.  O(blocks).");

static PyObject *
get_address_traces(PyObject *self, PyObject *unused)
{
    struct snapshot snapshot;
    PyObject *dict = PyDict_New();
    int taken = dict == NULL ? -1
        : tm_take_store(&snapshot, SNAPSHOT_BLOCKS, SNAPSHOT_BLOCKS);
    if (taken > 0) {
        enum reentrancy before = tm_guard_enter(REENTRANT);
        taken = dict_add_traces(dict, &snapshot);
        tm_guard_leave(before);
        tm_free_snapshot(&snapshot);
    }
    if (taken < 0) {
        Py_CLEAR(dict);
    }
    return dict;
}


/* The trace (size, traceback) of a block, or None. */
static PyObject *
trace_at(uintptr_t address)
{
    struct trace_copy copy;
    int found = tm_find_trace(&copy, DEFAULT_DOMAIN, address, 0);
    if (found <= 0) {
        return found < 0 ? NULL : Py_NewRef(Py_None);
    }
    PyObject *trace = NULL;
    PyObject *frames = tm_decode_trace(&copy);
    if (frames != NULL) {
        trace = Py_BuildValue("(KN)", (unsigned long long)copy.size,
                              plain_traceback(frames));
        Py_DECREF(frames);
    }
    tm_drop_trace(&copy);
    return trace;
}


PyDoc_STRVAR(get_trace_doc,
"_get_trace($module, address, /)\n--\n\n"
"The trace (size, traceback) of the block at an address, or None.");

static PyObject *
get_trace(PyObject *self, PyObject *address)
{
    size_t value = PyLong_AsSize_t(address);
    if (value == (size_t)-1 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) {
            return NULL;
        }
        /* No block can be there. */
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    return trace_at((uintptr_t)value);
}


PyDoc_STRVAR(get_object_trace_doc,
"_get_object_trace($module, obj, /)\n--\n\n"
"The trace (size, traceback) of the object's main block, or None.");

static PyObject *
get_object_trace(PyObject *self, PyObject *obj)
{
    return trace_at(tm_main_block(obj));
}


PyDoc_STRVAR(get_object_address_doc,
"_get_object_address($module, obj, /)\n--\n\n"
"The address of the object's main block.");

static PyObject *
get_object_address(PyObject *self, PyObject *obj)
{
    return PyLong_FromVoidPtr((void *)tm_main_block(obj));
}


/* --- life cycle ---------------------------------------------------------- */

PyDoc_STRVAR(set_traceback_limit_doc,
"_set_traceback_limit($module, nframe, /)\n--\n\n"
"Show at most nframe frames of a traceback from now on, whether tracing or\n"
"not: 1 to 65535.");

static PyObject *
set_traceback_limit(PyObject *self, PyObject *arg)
{
    int nframe = PyLong_AsInt(arg);
    if (nframe == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (nframe < 1 || nframe > MAX_NFRAME) {
        PyErr_SetString(PyExc_ValueError, "the number of frames must be in "
                        "range [1; " Py_STRINGIFY(MAX_NFRAME) "]");
        return NULL;
    }
    tm_lock();
    tm_set_limit_lock_held(nframe);
    tm_unlock();
    Py_RETURN_NONE;
}


PyDoc_STRVAR(get_session_doc,
"_get_session($module, /)\n--\n\n"
"How many times tracing has begun in this process; 0 when not tracing.");

static PyObject *
get_session(PyObject *self, PyObject *unused)
{
    size_t session = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        session = S->sessions;
        tm_end_locked();
    }
    return PyLong_FromSize_t(session);
}


/* --- filters ------------------------------------------------------------- */

/* Read (inclusive, pattern, line, all_frames): 0, or -1 with an exception. */
static int
filter_read(struct trace_filter *filter, PyObject *item)
{
    PyObject *pattern;
    if (!PyTuple_Check(item)) {
        PyErr_SetString(PyExc_TypeError, "a filter must be a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(item, "pUip;a filter has an inclusive flag, a "
                          "pattern, a line and an all_frames flag",
                          &filter->inclusive, &pattern, &filter->line,
                          &filter->all_frames))
    {
        return -1;
    }
    filter->length = PyUnicode_GET_LENGTH(pattern);
    filter->pattern = malloc((filter->length + 1) * sizeof(uint32_t));
    if (filter->pattern == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return PyUnicode_AsUCS4(pattern, filter->pattern, filter->length + 1, 1)
           != NULL ? 0 : -1;
}


PyDoc_STRVAR(set_filters_doc,
"_set_filters($module, filters, /)\n--\n\n"
"Note only blocks that the filters admit, from now on.\n\n"
"A filter is a tuple (inclusive, pattern, line, all_frames); in the pattern\n"
"'*' stands for any text; line 0 is any.  Blocks noted before stay.  An\n"
"empty list admits everything.");

static PyObject *
set_filters(PyObject *self, PyObject *arg)
{
    PyObject *list = PySequence_Tuple(arg);
    if (list == NULL) {
        return NULL;
    }
    Py_ssize_t n = PyTuple_GET_SIZE(list);
    struct trace_filter *filters = NULL;
    int failed = 0;
    if (n > 0) {
        filters = calloc(n, sizeof(filters[0]));
        if (filters == NULL) {
            PyErr_NoMemory();
            failed = 1;
        }
    }
    for (Py_ssize_t i = 0; i < n && !failed; i++) {
        failed = filter_read(&filters[i], PyTuple_GET_ITEM(list, i)) < 0;
    }
    Py_DECREF(list);
    if (failed) {
        if (filters != NULL) {
            tm_free_filters(filters, n);
        }
        return NULL;
    }
    tm_set_filters(filters, n);
    Py_RETURN_NONE;
}


/* --- the alarm ----------------------------------------------------------- */

PyDoc_STRVAR(set_alarm_doc,
"_set_alarm($module, callback, low=0, high=0, deadline=0, /)\n--\n\n"
"Call callback(traced memory) once, when traced memory is below low or above\n"
"high bytes, or at a time of time.monotonic_ns() (0 for none).\n\n"
"An allocation sets it off, and its thread calls.  Replaces the alarm that\n"
"was set; a callback of None sets none.  Nothing happens when not tracing.");

static PyObject *
set_alarm(PyObject *self, PyObject *args)
{
    PyObject *callback;
    Py_ssize_t low = 0, high = 0;
    long long deadline = 0;
    if (!PyArg_ParseTuple(args, "O|nnL:_set_alarm", &callback, &low, &high,
                          &deadline))
    {
        return NULL;
    }
    if (callback != Py_None && !PyCallable_Check(callback)) {
        PyErr_SetString(PyExc_TypeError,
                        "the callback must be callable, or None");
        return NULL;
    }
    if (tm_set_alarm(callback, (size_t)Py_MAX(low, 0),
                     (size_t)Py_MAX(high, 0), deadline) < 0)
    {
        return NULL;
    }
    Py_RETURN_NONE;
}


/* --- memory -------------------------------------------------------------- */

PyDoc_STRVAR(get_room_doc,
"_get_room($module, /)\n--\n\n"
"(bytes the tracer uses, how many of them wait to be used).\n\n"
"The second number is of its tables only.  (0, 0) when not tracing.");

static PyObject *
get_room(PyObject *self, PyObject *unused)
{
    size_t size, room;
    tm_get_room(&size, &room);
    return Py_BuildValue("(nn)", (Py_ssize_t)size, (Py_ssize_t)room);
}


PyDoc_STRVAR(get_arena_size_doc,
"_get_arena_size($module, /)\n--\n\n"
"Bytes of the arenas that hold a traced block.  O(blocks).");

static PyObject *
get_arena_size(PyObject *self, PyObject *unused)
{
    size_t size = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        size = _PyTraceMalloc_SizeOfArenas();
        tm_end_locked();
    }
    return PyLong_FromSize_t(size);
}


PyDoc_STRVAR(get_unicode_interned_doc,
"_get_unicode_interned($module, /)\n--\n\n"
"(bytes, length) of the dict of interned strings, the strings not counted.");

static PyObject *
get_unicode_interned(PyObject *self, PyObject *unused)
{
    PyInterpreterState *interp = PyInterpreterState_Get();
    PyObject *interned = _Py_INTERP_CACHED_OBJECT(interp, interned_strings);
    if (interned == NULL) {
        return Py_BuildValue("(nn)", (Py_ssize_t)0, (Py_ssize_t)0);
    }
    size_t size = _PySys_GetSizeOf(interned);
    if (size == (size_t)-1) {
        return NULL;
    }
    return Py_BuildValue("(nn)", (Py_ssize_t)size, PyDict_Size(interned));
}


static PyMethodDef methods[] = {
    {"_get_address_traces", get_address_traces, METH_NOARGS,
     get_address_traces_doc},
    {"_get_trace", get_trace, METH_O, get_trace_doc},
    {"_get_object_trace", get_object_trace, METH_O, get_object_trace_doc},
    {"_get_object_address", get_object_address, METH_O,
     get_object_address_doc},
    {"_set_traceback_limit", set_traceback_limit, METH_O,
     set_traceback_limit_doc},
    {"_get_session", get_session, METH_NOARGS, get_session_doc},
    {"_set_filters", set_filters, METH_O, set_filters_doc},
    {"_set_alarm", set_alarm, METH_VARARGS, set_alarm_doc},
    {"_get_room", get_room, METH_NOARGS, get_room_doc},
    {"_get_arena_size", get_arena_size, METH_NOARGS, get_arena_size_doc},
    {"_get_unicode_interned", get_unicode_interned, METH_NOARGS,
     get_unicode_interned_doc},
    {NULL, NULL, 0, NULL},
};


int
_PyTraceMalloc_AddPytracemalloc(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
