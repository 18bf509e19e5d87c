/* What pytracemalloc asks of the tracer beyond what tracemalloc does.

   Called through the module `_tracemalloc`, as private functions; calls the
   store, decoding, and Objects/tracemalloc_attention.c.

   Traces look here as that module has them: a traceback is a tuple of
   (filename, line), newest frame first, empty if there was no frame; a line
   that is not known is None.  Only domain 0 is told of, since addresses are
   keys. */

#include "Python.h"
#include "pycore_interp.h"        // _Py_INTERP_CACHED_OBJECT()
#include "pycore_object.h"        // _PyType_PreHeaderSize()
#include "pycore_sysmodule.h"     // _PySys_GetSizeOf()
#include "pycore_tracemalloc.h"
#include "access.h"
#include "hooks/admission.h"
#include "hooks/alarm.h"
#include "hooks/blocks.h"
#include "hooks/guard.h"
#include "hooks/pymalloc.h"
#include "snapshot/decode.h"

#include <stdlib.h>               // malloc()

#define S (&_PyTraceMalloc_State)


/* --- traces -------------------------------------------------------------- */

/* A decoder whose tracebacks are changed to the form above. */
struct plain_decoder {
    struct decoder decoder;
    PyObject **tracebacks;      /* by context_id, or NULL; strong */
};


static void
plain_fini(struct plain_decoder *plain)
{
    for (size_t i = 0; plain->tracebacks != NULL
         && i < plain->decoder.frozen->ncontexts; i++)
    {
        Py_XDECREF(plain->tracebacks[i]);
    }
    free(plain->tracebacks);
    _PyTraceMalloc_FiniDecoder(&plain->decoder);
}


static int
plain_init(struct plain_decoder *plain, const struct frozen_traces *frozen)
{
    if (_PyTraceMalloc_InitDecoder(&plain->decoder, frozen,
                                   _PyRuntime.tracemalloc.nframe) < 0)
    {
        return -1;
    }
    plain->tracebacks = calloc(frozen->ncontexts, sizeof(PyObject *));
    if (plain->tracebacks == NULL) {
        plain_fini(plain);
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}


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


/* A borrowed reference, or NULL. */
static PyObject *
plain_traceback(struct plain_decoder *plain, context_id id)
{
    PyObject **traceback = &plain->tracebacks[id];
    if (*traceback != NULL) {
        return *traceback;
    }
    if (plain->decoder.frozen->contexts[id].depth == 0) {
        return *traceback = PyTuple_New(0);
    }
    PyObject *frames = _PyTraceMalloc_DecodeTraceback(&plain->decoder, id);
    if (frames == NULL) {
        return NULL;
    }
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
    return *traceback = copy;
}


/* (size, traceback); a new reference. */
static PyObject *
plain_trace(struct plain_decoder *plain, const struct block *block)
{
    PyObject *traceback = plain_traceback(plain, block->context);
    if (traceback == NULL) {
        return NULL;
    }
    return Py_BuildValue("(KO)", (unsigned long long)block->size, traceback);
}


static void
frozen_free(struct frozen_traces *frozen)
{
    tm_lock();
    _PyTraceMalloc_FreeFrozen(frozen);
    tm_unlock();
}


static int
dict_add_traces(PyObject *dict, const struct frozen_traces *frozen)
{
    struct plain_decoder plain;
    if (plain_init(&plain, frozen) < 0) {
        return -1;
    }
    int failed = 0;
    for (size_t i = 0; i < frozen->nblocks && !failed; i++) {
        const struct block *block = &frozen->blocks[i];
        if (block->domain != DEFAULT_DOMAIN) {
            continue;
        }
        PyObject *address = PyLong_FromVoidPtr((void *)block->address);
        PyObject *trace = plain_trace(&plain, block);
        failed = address == NULL || trace == NULL
                 || PyDict_SetItem(dict, address, trace) < 0;
        Py_XDECREF(address);
        Py_XDECREF(trace);
    }
    plain_fini(&plain);
    return failed ? -1 : 0;
}


PyDoc_STRVAR(get_address_traces_doc,
"_get_address_traces($module, /)\n--\n\n"
"A dict {address: (size, traceback)} of all blocks of Python's own.\n\n"
"The dict is not traced itself.  Empty when not tracing.  O(blocks).");

static PyObject *
get_address_traces(PyObject *self, PyObject *unused)
{
    PyObject *dict = PyDict_New();
    if (dict == NULL || _PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
        return dict;
    }
    struct frozen_traces frozen;
    int failed = _PyTraceMalloc_FreezeAll_lock_held(&frozen) < 0;
    tm_end_locked();
    if (failed) {
        Py_DECREF(dict);
        return PyErr_NoMemory();
    }
    _PyTraceMalloc_HideOwn(&frozen);
    enum reentrancy before = tm_guard_enter(REENTRANT);
    if (dict_add_traces(dict, &frozen) < 0) {
        Py_CLEAR(dict);
    }
    tm_guard_leave(before);
    frozen_free(&frozen);
    return dict;
}


static PyObject *
trace_at(uintptr_t address)
{
    if (_PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
        Py_RETURN_NONE;
    }
    struct block block;
    struct frozen_traces frozen;
    int failed = 0;
    int found = _PyTraceMalloc_LookUp(DEFAULT_DOMAIN, address, &block)
                && block.context != CONTEXT_OWN;
    if (found) {
        failed = _PyTraceMalloc_FreezeBlock(&frozen, &S->codes, &S->tree,
                                            &block) < 0;
    }
    tm_end_locked();
    if (failed) {
        return PyErr_NoMemory();
    }
    if (!found) {
        Py_RETURN_NONE;
    }
    PyObject *trace = NULL;
    struct plain_decoder plain;
    if (plain_init(&plain, &frozen) == 0) {
        trace = plain_trace(&plain, &frozen.blocks[0]);
        plain_fini(&plain);
    }
    frozen_free(&frozen);
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


static uintptr_t
object_block(PyObject *obj)
{
    return (uintptr_t)obj - _PyType_PreHeaderSize(Py_TYPE(obj));
}


PyDoc_STRVAR(get_object_trace_doc,
"_get_object_trace($module, obj, /)\n--\n\n"
"The trace (size, traceback) of the object's main block, or None.");

static PyObject *
get_object_trace(PyObject *self, PyObject *obj)
{
    return trace_at(object_block(obj));
}


PyDoc_STRVAR(get_object_address_doc,
"_get_object_address($module, obj, /)\n--\n\n"
"The address of the object's main block.");

static PyObject *
get_object_address(PyObject *self, PyObject *obj)
{
    return PyLong_FromVoidPtr((void *)object_block(obj));
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

/* Bytes of the tracer's tables that wait to be used. */
static size_t
room_left_lock_held(void)
{
    const struct call_tree *tree = &S->tree;
    const struct number_space *spaces[] = {&tree->nodes, &tree->contexts};
    size_t node_sizes[] = {sizeof(struct frame_node), sizeof(struct context)};
    size_t room = 0;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(spaces); i++) {
        room += (spaces[i]->chunks * CHUNK_SIZE - spaces[i]->live)
                * node_sizes[i]
                + (spaces[i]->index->mask + 1 - spaces[i]->indexed)
                * sizeof(spaces[i]->index->slots[0]);
    }
    const struct block_table *tables[] = {&S->large, &S->raw};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(tables); i++) {
        room += (tables[i]->mask + 1 - tables[i]->used)
                * sizeof(tables[i]->slots[0]);
    }
    size_t rows = 0;
    for (uint32_t id = 0; (id = _PyTraceMalloc_NextRow(&S->cells, id)) != 0;) {
        const struct cell_row *row = tm_row_at(&S->cells, id);
        rows += sizeof(*row) + row->ncells * sizeof(row->cells[0]);
    }
    return room + _PyTraceMalloc_SizeOfCells(&S->cells) - rows;
}


PyDoc_STRVAR(get_room_doc,
"_get_room($module, /)\n--\n\n"
"(bytes the tracer uses, how many of them wait to be used).\n\n"
"The second number is of its tables only.  (0, 0) when not tracing.");

static PyObject *
get_room(PyObject *self, PyObject *unused)
{
    size_t size = 0, room = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        size = _PyTraceMalloc_SizeOfStore_lock_held();
        room = room_left_lock_held();
        tm_end_locked();
    }
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
