/* Decode: snapshots -> lists of tuples.

   Called by Modules/_tracemalloc.c and pytracemalloc.c, without any lock:
   making objects allocates memory, which is noted like all other, unless the
   thread has entered the guard.

   Each name, frame and traceback is made once and shared, as far as they are
   equal: a snapshot of a million blocks has few different tracebacks. */

#include "Python.h"
#include "pycore_runtime.h"       // _PyRuntime
#include "../hooks/guard.h"
#include "decode.h"
#include "taking.h"

#include <stdlib.h>               // calloc()


/* --- decoding ------------------------------------------------------------ */

static void
objects_free(PyObject **objects, size_t n)
{
    for (size_t i = 0; objects != NULL && i < n; i++) {
        Py_XDECREF(objects[i]);
    }
    free(objects);
}


PART void
tm_fini_decoder(struct decoder *decoder)
{
    const struct snapshot *snapshot = decoder->snapshot;
    objects_free(decoder->names, snapshot->nnames);
    objects_free(decoder->frames, snapshot->npaths);
    objects_free(decoder->tracebacks, snapshot->ncontexts);
    Py_XDECREF(decoder->interned);
}


PART int
tm_init_decoder(struct decoder *decoder, const struct snapshot *snapshot,
                uint32_t nframe)
{
    *decoder = (struct decoder){
        .snapshot = snapshot,
        .nframe = nframe,
        .names = calloc(snapshot->nnames, sizeof(PyObject *)),
        .frames = calloc(snapshot->npaths, sizeof(PyObject *)),
        .tracebacks = calloc(snapshot->ncontexts + 1, sizeof(PyObject *)),
        .interned = PyDict_New(),
    };
    if (decoder->names == NULL || decoder->frames == NULL
        || decoder->tracebacks == NULL)
    {
        PyErr_NoMemory();
    }
    else if (decoder->interned != NULL) {
        return 0;
    }
    tm_fini_decoder(decoder);
    return -1;
}


PART PyObject *
tm_decode_name(const struct name *name)
{
    return name == NULL
        ? PyUnicode_FromString("<unknown>")
        : PyUnicode_FromKindAndData((int)name->kind, name->text,
                                    (Py_ssize_t)name->length);
}


/* Borrowed references, here and below. */
static PyObject *
decode_name(struct decoder *decoder, uint32_t number)
{
    PyObject **name = &decoder->names[number];
    if (*name == NULL) {
        *name = tm_decode_name(decoder->snapshot->names[number]);
    }
    return *name;
}


static PyObject *
decode_path(struct decoder *decoder, uint32_t path)
{
    PyObject **frame = &decoder->frames[path];
    if (*frame == NULL) {
        const struct snapshot *snapshot = decoder->snapshot;
        PyObject *name = decode_name(decoder, snapshot->path_file[path]);
        if (name != NULL) {
            *frame = Py_BuildValue("(Oi)", name,
                                   (int)snapshot->path_line[path]);
        }
    }
    return *frame;
}


/* A new reference. */
static PyObject *
decode_frames(struct decoder *decoder, size_t context)
{
    const struct snapshot *snapshot = decoder->snapshot;
    uint32_t nframe = Py_MIN(snapshot->context_depth[context],
                             decoder->nframe);
    PyObject *name = decode_name(decoder, snapshot->context_file[context]);
    PyObject *frames = name != NULL ? PyTuple_New(nframe) : NULL;
    if (frames == NULL) {
        return NULL;
    }
    PyObject *frame = Py_BuildValue("(Oi)", name,
                                    (int)snapshot->context_line[context]);
    PyTuple_SET_ITEM(frames, 0, frame);
    uint32_t path = snapshot->context_path[context];
    for (uint32_t i = 1; frame != NULL && i < nframe; i++) {
        frame = Py_XNewRef(decode_path(decoder, path));
        PyTuple_SET_ITEM(frames, i, frame);
        path = snapshot->path_parent[path];
    }
    if (frame == NULL) {
        Py_CLEAR(frames);
    }
    return frames;
}


PART PyObject *
tm_decode_traceback(struct decoder *decoder, size_t context)
{
    PyObject **traceback = &decoder->tracebacks[context];
    if (*traceback == NULL) {
        PyObject *frames = decode_frames(decoder, context);
        if (frames == NULL) {
            return NULL;
        }
        /* Different contexts may look alike: cut at the limit, or two
           instructions of one line.  In two steps, since CPython 3.13.5 breaks
           the dict if PyDict_SetDefaultRef() finds no memory. */
        int found = PyDict_GetItemRef(decoder->interned, frames, traceback);
        if (found == 0
            && PyDict_SetItem(decoder->interned, frames, frames) == 0)
        {
            *traceback = Py_NewRef(frames);
        }
        Py_DECREF(frames);
    }
    return *traceback;
}


/* --- lists --------------------------------------------------------------- */

/* (domain, size, traceback, total_nframe); a new reference, like all below. */
static PyObject *
decode_row(struct decoder *decoder, size_t row)
{
    const struct snapshot *snapshot = decoder->snapshot;
    uint32_t context = snapshot->row_context[row];
    PyObject *traceback = tm_decode_traceback(decoder, context);
    if (traceback == NULL) {
        return NULL;
    }
    /* There may be millions, for which a format would be read. */
    PyObject *items[] = {
        PyLong_FromUnsignedLong(snapshot->context_domain[context]),
        PyLong_FromUnsignedLongLong(snapshot->row_size[row]),
        Py_NewRef(traceback),
        PyLong_FromLong((long)snapshot->context_depth[context]),
    };
    PyObject *trace = PyTuple_New(Py_ARRAY_LENGTH(items));
    for (size_t i = 0; i < Py_ARRAY_LENGTH(items); i++) {
        if (trace == NULL || items[i] == NULL) {
            Py_XDECREF(items[i]);
            Py_CLEAR(trace);
        }
        else {
            PyTuple_SET_ITEM(trace, (Py_ssize_t)i, items[i]);
        }
    }
    return trace;
}


static int
traces_append(PyObject *list, struct decoder *decoder)
{
    const struct snapshot *snapshot = decoder->snapshot;
    for (size_t row = 0; row < snapshot->nrows; row++) {
        PyObject *trace = decode_row(decoder, row);
        if (trace == NULL) {
            return -1;
        }
        uint64_t n = snapshot->row_count != NULL ? snapshot->row_count[row]
                                                 : 1;
        int failed = 0;
        while (n-- > 0 && !failed) {
            failed = PyList_Append(list, trace) < 0;
        }
        Py_DECREF(trace);
        if (failed) {
            return -1;
        }
    }
    return 0;
}


static PyObject *
decode_context(struct decoder *decoder, size_t i)
{
    const struct snapshot *snapshot = decoder->snapshot;
    PyObject *traceback = tm_decode_traceback(decoder, i);
    if (traceback == NULL) {
        return NULL;
    }
    return Py_BuildValue(
        "(IOiKKKKKK)", (unsigned int)snapshot->context_domain[i], traceback,
        (int)snapshot->context_depth[i],
        (unsigned long long)snapshot->context_allocated_blocks[i],
        (unsigned long long)snapshot->context_allocated_bytes[i],
        (unsigned long long)snapshot->context_freed_blocks[i],
        (unsigned long long)snapshot->context_freed_bytes[i],
        (unsigned long long)snapshot->context_peak_blocks[i],
        (unsigned long long)snapshot->context_peak_bytes[i]);
}


/* A tuple with the errors behind those of another one, which it steals. */
static PyObject *
errors_append(PyObject *tuple, const struct snapshot *snapshot, size_t i)
{
    PyObject *tail = Py_BuildValue(
        "(dddd)", snapshot->context_live_blocks_error[i],
        snapshot->context_live_bytes_error[i],
        snapshot->context_allocated_blocks_error[i],
        snapshot->context_allocated_bytes_error[i]);
    PyObject *whole = tail != NULL ? PySequence_Concat(tuple, tail) : NULL;
    Py_DECREF(tuple);
    Py_XDECREF(tail);
    return whole;
}


static int
contexts_append(PyObject *list, struct decoder *decoder)
{
    const struct snapshot *snapshot = decoder->snapshot;
    for (size_t i = 0; i < snapshot->ncontexts; i++) {
        PyObject *tuple = decode_context(decoder, i);
        if (tuple != NULL && snapshot->context_live_blocks_error != NULL) {
            tuple = errors_append(tuple, snapshot, i);
        }
        if (tuple == NULL) {
            return -1;
        }
        int failed = PyList_Append(list, tuple) < 0;
        Py_DECREF(tuple);
        if (failed) {
            return -1;
        }
    }
    return 0;
}


/* A list of what a snapshot has, which `append` puts there; see
   tm_take_store(). */
static PyObject *
list_make(int parts, int sampled, int (*append)(PyObject *, struct decoder *))
{
    struct snapshot snapshot;
    PyObject *list = PyList_New(0);
    int taken = list != NULL ? tm_take_store(&snapshot, parts, sampled) : -1;
    if (taken > 0) {
        /* What is made here is not part of the program's memory. */
        enum reentrancy before = tm_guard_enter(REENTRANT);
        struct decoder decoder;
        taken = tm_init_decoder(&decoder, &snapshot,
                                (uint32_t)_PyRuntime.tracemalloc.nframe);
        if (taken == 0) {
            taken = append(list, &decoder);
            tm_fini_decoder(&decoder);
        }
        tm_guard_leave(before);
        tm_free_snapshot(&snapshot);
    }
    if (taken < 0) {
        Py_CLEAR(list);
    }
    return list;
}


PyObject *
_PyTraceMalloc_ListTraces(void)
{
    return list_make(SNAPSHOT_BLOCKS, SNAPSHOT_ROWS, traces_append);
}


PyObject *
_PyTraceMalloc_ListContexts(int errors)
{
    return list_make(errors ? 0 : SNAPSHOT_COUNTERS,
                     SNAPSHOT_COUNTERS | (errors ? SNAPSHOT_ERRORS : 0),
                     contexts_append);
}
