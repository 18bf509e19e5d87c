/* Tracebacks: where one block was allocated.

   Called by Modules/_tracemalloc.c, pytracemalloc.c and _testinternalcapi;
   looks the block up, copies its trace, and makes objects of the copy when
   there is no lock any more. */

#include "Python.h"
#include "pycore_runtime.h"       // _PyRuntime
#include "pycore_tracemalloc.h"
#include "../access.h"
#include "../hooks/blocks.h"
#include "decode.h"
#include "tracebacks.h"

#include <stdlib.h>               // calloc()

#define S (&_PyTraceMalloc_State)


PART int
tm_find_trace(struct trace_copy *trace, uint32_t domain, uintptr_t address,
              int locate)
{
    if (_PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
        return 0;
    }
    struct block block;
    int found = tm_look_up(domain, address, &block)
                && block.context != CONTEXT_OWN;
    if (found && tm_copy_trace(trace, &S->codes, &S->tree, &block,
                               (uint32_t)_PyRuntime.tracemalloc.nframe,
                               locate) < 0)
    {
        found = -1;
    }
    tm_end_locked();
    if (found < 0) {
        PyErr_NoMemory();
    }
    return found;
}


PART void
tm_drop_trace(struct trace_copy *trace)
{
    tm_lock();
    tm_free_trace(trace);
    tm_unlock();
}


/* --- decoding ------------------------------------------------------------ */

/* The names of a trace, each of which is one str: by address. */
struct shared_names {
    struct shared_name {
        const struct name *name;
        PyObject *text;         /* NULL: the slot is free */
    } *slots;                   /* open addressing, half of them free */
    size_t mask;
};


static int
names_init(struct shared_names *names, size_t n)
{
    names->mask = 1;
    while (names->mask < 2 * n) {
        names->mask = 2 * names->mask + 1;
    }
    names->slots = calloc(names->mask + 1, sizeof(names->slots[0]));
    if (names->slots == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}


static void
names_fini(struct shared_names *names)
{
    for (size_t i = 0; i <= names->mask; i++) {
        Py_XDECREF(names->slots[i].text);
    }
    free(names->slots);
}


/* A new reference, like all below. */
static PyObject *
name_share(struct shared_names *names, const struct name *name)
{
    size_t at = (uintptr_t)name >> 4;
    while (names->slots[at & names->mask].text != NULL
           && names->slots[at & names->mask].name != name)
    {
        at++;
    }
    struct shared_name *slot = &names->slots[at & names->mask];
    if (slot->text == NULL) {
        slot->text = tm_decode_name(name);
        slot->name = name;
    }
    return Py_XNewRef(slot->text);
}


static PyObject *
frame_decode(const struct trace_copy *trace, size_t i,
             struct shared_names *names)
{
    PyObject *name = name_share(names, trace->frames[i].file);
    PyObject *line = name != NULL
        ? PyLong_FromLong((long)trace->frames[i].line) : NULL;
    PyObject *frame = line != NULL ? PyTuple_Pack(2, name, line) : NULL;
    Py_XDECREF(name);
    Py_XDECREF(line);
    return frame;
}


static PyObject *
known_or_none(int32_t number)
{
    return number < 0 ? Py_NewRef(Py_None) : PyLong_FromLong(number);
}


/* (function, end line, column, end column), each None if it is not known. */
static PyObject *
detail_decode(const struct trace_copy *trace, size_t i,
              struct shared_names *names)
{
    const struct frame_copy *frame = &trace->frames[i];
    struct location where = {-1, -1, -1};
    if (i == 0) {
        where = trace->where;
    }
    PyObject *function = frame->function == NULL
        ? Py_NewRef(Py_None) : name_share(names, frame->function);
    if (function == NULL) {
        return NULL;
    }
    return Py_BuildValue(
        "(NNNN)", function,
        known_or_none(where.lines < 0 ? -1 : frame->line + where.lines),
        known_or_none(where.column), known_or_none(where.end_column));
}


/* A tuple of what `decode` makes of each frame. */
static PyObject *
trace_decode(const struct trace_copy *trace,
             PyObject *(*decode)(const struct trace_copy *, size_t,
                                 struct shared_names *))
{
    struct shared_names names;
    if (names_init(&names, trace->nframes) < 0) {
        return NULL;
    }
    PyObject *frames = PyTuple_New((Py_ssize_t)trace->nframes);
    for (size_t i = 0; frames != NULL && i < trace->nframes; i++) {
        PyObject *frame = decode(trace, i, &names);
        if (frame == NULL) {
            Py_CLEAR(frames);
            break;
        }
        PyTuple_SET_ITEM(frames, (Py_ssize_t)i, frame);
    }
    names_fini(&names);
    return frames;
}


PART PyObject *
tm_decode_trace(const struct trace_copy *trace)
{
    return trace_decode(trace, frame_decode);
}


/* --- answers ------------------------------------------------------------- */

/* A block without any frame is shown with one, of which nothing is known. */

PyObject *
_PyTraceMalloc_GetTraceback(unsigned int domain, uintptr_t address)
{
    struct trace_copy trace;
    int found = tm_find_trace(&trace, domain, address, 0);
    if (found <= 0) {
        return found < 0 ? NULL : Py_NewRef(Py_None);
    }
    PyObject *traceback = trace.nframes != 0
        ? tm_decode_trace(&trace)
        : Py_BuildValue("((Ni))", tm_decode_name(NULL), 0);
    tm_drop_trace(&trace);
    return traceback;
}


PyObject *
_PyTraceMalloc_GetDetails(unsigned int domain, uintptr_t address)
{
    struct trace_copy trace;
    int found = tm_find_trace(&trace, domain, address, 1);
    if (found <= 0) {
        return found < 0 ? NULL : Py_NewRef(Py_None);
    }
    PyObject *details = trace.nframes != 0
        ? trace_decode(&trace, detail_decode)
        : Py_BuildValue("((OOOO))", Py_None, Py_None, Py_None, Py_None);
    tm_drop_trace(&trace);
    return details;
}
