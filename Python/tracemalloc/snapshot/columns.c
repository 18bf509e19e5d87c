/* Columns: a snapshot as a Python object.

   Called by Modules/_tracemalloc.c; calls taking.c and the table of threads.

       Snapshot --+-- struct snapshot (C library)   <-- Column <-- memoryview
                  +-- names, made when asked for

   All data stays where the snapshot has it, outside of Python's heap.  What is
   made here, a few small objects and the names, is the library's own: a
   snapshot does not show itself.  A column keeps its snapshot alive. */

#include "Python.h"
#include "pycore_critical_section.h"
#include "pycore_interp.h"        // PyInterpreterState
#include "pycore_pystate.h"       // _PyInterpreterState_GET()
#include "../access.h"
#include "../accounts.h"
#include "../own.h"
#include "columns.h"
#include "decode.h"
#include "taking.h"

#include <stddef.h>               // offsetof()
#include <stdlib.h>               // calloc()

#define S (&_PyTraceMalloc_State)

typedef struct {
    PyObject_HEAD
    struct snapshot snapshot;   /* fixed after init */
    struct thread_slot *threads;        /* copies; as snapshot.threads */
    size_t nthreads;
    size_t current, peak;       /* traced memory at that moment */
    uint64_t sample_interval;   /* or 0 */
    uint64_t dropped;
    uint64_t reclaimed_blocks, reclaimed_bytes;     /* allocated and freed in
                                   contexts that were reclaimed */
    PyTypeObject *column_type;
    PyObject *names;            /* list of str, or NULL: not made yet;
                                   critical section */
} SnapshotObject;

/* How Python sees a column. */
struct column {
    const char *format;
    Py_ssize_t item_size;
    size_t data;                /* offsets in struct snapshot */
    size_t length;
};

typedef struct {
    PyObject_HEAD
    SnapshotObject *owner;
    const struct column *column;
    Py_ssize_t length;
    Py_ssize_t stride;
} ColumnObject;


/* What the calling thread allocates is our own from here on, up to end(). */
static int
quiet_begin(void)
{
    return _PyTraceMalloc_SetQuiet(_PyThreadState_GET(), 1);
}


static void
quiet_end(int was_quiet)
{
    (void)_PyTraceMalloc_SetQuiet(_PyThreadState_GET(), was_quiet);
}


/* --- columns ------------------------------------------------------------- */

#define FORMAT_uint32_t "I"
#define FORMAT_int32_t "i"
#define FORMAT_uint64_t "Q"
static_assert(sizeof(int) == 4 && sizeof(long long) == 8, "formats");

#define COLUMN(table, name, type) { \
        .format = FORMAT_##type, \
        .item_size = sizeof(type), \
        .data = offsetof(struct snapshot, table##_##name), \
        .length = offsetof(struct snapshot, n##table##s), \
    },
static const struct column columns[] = {SNAPSHOT_COLUMNS(COLUMN)};
#undef COLUMN


static int
column_traverse(ColumnObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->owner);
    return 0;
}


static void
column_dealloc(ColumnObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->owner);
    type->tp_free(self);
    Py_DECREF(type);
}


static int
column_getbuffer(ColumnObject *self, Py_buffer *view, int flags)
{
    const struct column *column = self->column;
    view->obj = NULL;
    if (flags & PyBUF_WRITABLE) {
        PyErr_SetString(PyExc_BufferError,
                        "a column of a snapshot is read-only");
        return -1;
    }
    view->buf = *(void **)((char *)&self->owner->snapshot + column->data);
    view->len = self->length * column->item_size;
    view->itemsize = column->item_size;
    view->readonly = 1;
    view->ndim = 1;
    view->format = flags & PyBUF_FORMAT ? (char *)column->format : NULL;
    view->shape = flags & PyBUF_ND ? &self->length : NULL;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? &self->stride
                                                             : NULL;
    view->suboffsets = NULL;
    view->internal = NULL;
    view->obj = Py_NewRef(self);
    return 0;
}


PyDoc_STRVAR(column_doc, "A column of a snapshot, as its memoryview has it.");

static PyType_Slot column_slots[] = {
    {Py_tp_doc, (void *)column_doc},
    {Py_tp_traverse, column_traverse},
    {Py_tp_dealloc, column_dealloc},
    {Py_bf_getbuffer, column_getbuffer},
    {0, NULL},
};

static PyType_Spec column_spec = {
    .name = "_tracemalloc.Column",
    .basicsize = sizeof(ColumnObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC
             | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = column_slots,
};


static PyObject *
column_new(SnapshotObject *owner, const struct column *column)
{
    ColumnObject *self = (ColumnObject *)owner->column_type->tp_alloc(
        owner->column_type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->owner = (SnapshotObject *)Py_NewRef(owner);
    self->column = column;
    self->length = *(const Py_ssize_t *)((char *)&owner->snapshot
                                         + column->length);
    self->stride = column->item_size;
    PyObject *view = PyMemoryView_FromObject((PyObject *)self);
    Py_DECREF(self);
    return view;
}


static PyObject *
snapshot_get_column(SnapshotObject *self, void *closure)
{
    const struct column *column = closure;
    if (*(void **)((char *)&self->snapshot + column->data) == NULL) {
        Py_RETURN_NONE;
    }
    int was_quiet = quiet_begin();
    PyObject *view = column_new(self, column);
    quiet_end(was_quiet);
    return view;
}


/* --- names --------------------------------------------------------------- */

/* What to call the threads that had a slot. */
static PyObject *
thread_label(const struct thread_slot *slot, uint32_t number)
{
    if (number == THREAD_SLOTS - 1) {
        return PyUnicode_FromString("other threads");
    }
    PyObject *name;
    if (slot->name != NULL) {
        name = tm_decode_name(slot->name);
    }
    else if (number == 0) {
        name = PyUnicode_FromString("MainThread");
    }
    else {
        name = PyUnicode_FromFormat("thread %lu", slot->native_id);
    }
    if (name != NULL && slot->interpreter != 0) {
        Py_SETREF(name, PyUnicode_FromFormat("%U of interpreter %lld", name,
                                             (long long)slot->interpreter));
    }
    if (name != NULL && slot->threads > 1) {
        Py_SETREF(name, PyUnicode_FromFormat(
            "%U and %llu before", name,
            (unsigned long long)slot->threads - 1));
    }
    return name;
}


static PyObject *
name_decode(const SnapshotObject *self, size_t number)
{
    const struct snapshot *snapshot = &self->snapshot;
    if (number == 0) {
        return PyUnicode_FromString("");
    }
    if (number < snapshot->nnames) {
        return tm_decode_name(snapshot->names[number]);
    }
    number -= snapshot->nnames;
    if (number < snapshot->nthreads) {
        return thread_label(&self->threads[number], snapshot->threads[number]);
    }
    number -= snapshot->nthreads;
    return tm_decode_name(tm_account_name(snapshot->accounts[number]));
}


static PyObject *
names_make(const SnapshotObject *self)
{
    size_t n = self->snapshot.nnames + self->snapshot.nthreads
               + self->snapshot.naccounts;
    PyObject *names = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; names != NULL && i < n; i++) {
        PyObject *name = name_decode(self, i);
        if (name == NULL) {
            Py_CLEAR(names);
            break;
        }
        PyList_SET_ITEM(names, (Py_ssize_t)i, name);
    }
    return names;
}


static PyObject *
snapshot_get_names(SnapshotObject *self, void *Py_UNUSED(closure))
{
    PyObject *names;
    int was_quiet = quiet_begin();
    Py_BEGIN_CRITICAL_SECTION(self);
    if (self->names == NULL) {
        self->names = names_make(self);
    }
    names = Py_XNewRef(self->names);
    Py_END_CRITICAL_SECTION();
    quiet_end(was_quiet);
    return names;
}


/* --- snapshots ----------------------------------------------------------- */

static PyObject *
snapshot_get_traced_memory(SnapshotObject *self, void *Py_UNUSED(closure))
{
    return Py_BuildValue("(nn)", (Py_ssize_t)self->current,
                         (Py_ssize_t)self->peak);
}


static PyObject *
snapshot_get_sample_interval(SnapshotObject *self, void *Py_UNUSED(closure))
{
    if (self->sample_interval == 0) {
        Py_RETURN_NONE;
    }
    return PyLong_FromUnsignedLongLong(self->sample_interval);
}


static PyObject *
snapshot_get_dropped(SnapshotObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->dropped);
}


static PyObject *
snapshot_get_reclaimed(SnapshotObject *self, void *Py_UNUSED(closure))
{
    return Py_BuildValue("(KK)", (unsigned long long)self->reclaimed_blocks,
                         (unsigned long long)self->reclaimed_bytes);
}


PyDoc_STRVAR(snapshot_sizeof_doc,
"__sizeof__($self, /)\n--\n\n"
"Bytes of all columns and names, which lie outside of Python's heap.");

static PyObject *
snapshot_sizeof(SnapshotObject *self, PyObject *Py_UNUSED(ignored))
{
    const struct snapshot *snapshot = &self->snapshot;
    size_t size = sizeof(*self) + snapshot->text_size
                  + snapshot->nnames * sizeof(snapshot->names[0])
                  + snapshot->nthreads * sizeof(self->threads[0])
                  + snapshot->naccounts * sizeof(snapshot->accounts[0]);
    for (size_t i = 0; i < Py_ARRAY_LENGTH(columns); i++) {
        if (*(void **)((char *)snapshot + columns[i].data) != NULL) {
            size += *(const size_t *)((char *)snapshot + columns[i].length)
                    * (size_t)columns[i].item_size;
        }
    }
    return PyLong_FromSize_t(size);
}


static int
snapshot_traverse(SnapshotObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->column_type);
    Py_VISIT(self->names);
    return 0;
}


static int
snapshot_clear(SnapshotObject *self)
{
    Py_CLEAR(self->names);
    return 0;
}


static void
snapshot_dealloc(SnapshotObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    for (size_t i = 0; i < self->nthreads; i++) {
        free(self->threads[i].name);
    }
    free(self->threads);
    tm_free_snapshot(&self->snapshot);
    Py_XDECREF(self->names);
    Py_XDECREF(self->column_type);
    type->tp_free(self);
    Py_DECREF(type);
    /* A snapshot goes, most of which lay in memory of our own. */
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        tm_settle_own();
        tm_end_locked();
    }
}


PyDoc_STRVAR(snapshot_doc,
"Contexts and blocks at one moment, in columns.\n\n"
"Each column is a read-only memoryview of numbers.  The data lies outside of\n"
"Python's heap, and is freed with the last view.  Threads may share it.");

#define COLUMN(table, name, type) \
    {#table "_" #name, (getter)snapshot_get_column, NULL, NULL, \
     (void *)&columns[COLUMN_##table##_##name]},
#define PLACE(table, name, type) COLUMN_##table##_##name,
enum { SNAPSHOT_COLUMNS(PLACE) };
static PyGetSetDef snapshot_getset[] = {
    SNAPSHOT_COLUMNS(COLUMN)
    {"names", (getter)snapshot_get_names, NULL,
     PyDoc_STR("The names that columns have numbers of; '' is the first."),
     NULL},
    {"traced_memory", (getter)snapshot_get_traced_memory, NULL,
     PyDoc_STR("Bytes of all traced blocks as a tuple (then, highest)."),
     NULL},
    {"sample_interval", (getter)snapshot_get_sample_interval, NULL,
     PyDoc_STR("Bytes from sample to sample, in the mean, when all figures\n"
               "are estimates, or None."),
     NULL},
    {"dropped", (getter)snapshot_get_dropped, NULL,
     PyDoc_STR("Traces lost so far because there was no memory for them."),
     NULL},
    {"reclaimed", (getter)snapshot_get_reclaimed, NULL,
     PyDoc_STR("Blocks and bytes, as a tuple, that were allocated and freed "
               "in contexts\nwhich the tracer has let go of: they are not in "
               "the snapshot."),
     NULL},
    {NULL},
};
#undef COLUMN
#undef PLACE

static PyMethodDef snapshot_methods[] = {
    {"__sizeof__", (PyCFunction)snapshot_sizeof, METH_NOARGS,
     snapshot_sizeof_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot snapshot_slots[] = {
    {Py_tp_doc, (void *)snapshot_doc},
    {Py_tp_traverse, snapshot_traverse},
    {Py_tp_clear, snapshot_clear},
    {Py_tp_dealloc, snapshot_dealloc},
    {Py_tp_getset, snapshot_getset},
    {Py_tp_methods, snapshot_methods},
    {0, NULL},
};

static PyType_Spec snapshot_spec = {
    .name = "_tracemalloc.Snapshot",
    .basicsize = sizeof(SnapshotObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC
             | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = snapshot_slots,
};


int
_PyTraceMalloc_InitSnapshotTypes(PyObject *module,
                                 struct snapshot_types *types)
{
    types->snapshot = (PyTypeObject *)PyType_FromModuleAndSpec(
        module, &snapshot_spec, NULL);
    types->column = (PyTypeObject *)PyType_FromModuleAndSpec(
        module, &column_spec, NULL);
    return types->snapshot != NULL && types->column != NULL ? 0 : -1;
}


/* --- taking one ---------------------------------------------------------- */

/* Tell the names of threads that have slots. */
static int
threads_name(PyObject *names)
{
    struct thread_slot known[THREAD_SLOTS];
    tm_lock();
    memcpy(known, S->threads, sizeof(known));
    tm_unlock();
    known[0].ident = _PyRuntime.main_thread;
    int64_t interpreter = PyInterpreterState_GetID(_PyInterpreterState_GET());
    for (uint32_t i = 0; i < THREAD_SLOTS; i++) {
        if (known[i].interpreter != interpreter
            || (i > 0 && known[i].owner == NULL))
        {
            continue;
        }
        PyObject *ident = PyLong_FromUnsignedLong(known[i].ident);
        PyObject *name;
        if (ident == NULL || PyDict_GetItemRef(names, ident, &name) < 0) {
            Py_XDECREF(ident);
            return -1;
        }
        Py_DECREF(ident);
        int failed = 0;
        if (name != NULL && PyUnicode_Check(name)) {
            tm_lock();
            failed = tm_name_thread(
                i, &known[i], PyUnicode_KIND(name), PyUnicode_DATA(name),
                (size_t)PyUnicode_GET_LENGTH(name)) < 0;
            tm_unlock();
        }
        Py_XDECREF(name);
        if (failed) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}


/* Copy what is known of the threads in the snapshot: 0, or -1 when out of
   memory. */
static int
threads_copy_lock_held(SnapshotObject *self)
{
    const struct snapshot *snapshot = &self->snapshot;
    self->threads = calloc(snapshot->nthreads + 1, sizeof(self->threads[0]));
    if (self->threads == NULL) {
        return -1;
    }
    self->nthreads = snapshot->nthreads;
    for (size_t i = 0; i < snapshot->nthreads; i++) {
        const struct thread_slot *slot = &S->threads[snapshot->threads[i]];
        self->threads[i] = *slot;
        self->threads[i].name = NULL;
        if (slot->name != NULL) {
            size_t size = sizeof(*slot->name)
                          + slot->name->length * slot->name->kind;
            self->threads[i].name = malloc(size);
            if (self->threads[i].name == NULL) {
                return -1;
            }
            memcpy(self->threads[i].name, slot->name, size);
        }
    }
    return 0;
}


/* 1, 0 if there is no tracing, or -1 when out of memory. */
static int
snapshot_take(SnapshotObject *self, int peak)
{
    int parts = SNAPSHOT_COUNTERS | SNAPSHOT_LOCATIONS;
    if (!peak) {
        parts |= SNAPSHOT_ROWS;
    }
    if (_PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
        return 0;
    }
    tm_settle_own();
    int failed = tm_take_store_lock_held(&self->snapshot, parts) < 0
                 || threads_copy_lock_held(self) < 0;
    tm_program_bytes(&self->current, &self->peak);
    self->sample_interval = S->sampler.interval;
    self->dropped = S->dropped;
    self->reclaimed_blocks = tm_sampled_blocks(&S->sampler,
                                               S->tree.reclaimed_blocks);
    self->reclaimed_bytes = tm_sampled_bytes(&S->sampler,
                                             S->tree.reclaimed_bytes);
    tm_end_locked();
    return failed ? -1 : 1;
}


static PyObject *
snapshot_new(const struct snapshot_types *types, int peak, PyObject *names)
{
    SnapshotObject *self = (SnapshotObject *)types->snapshot->tp_alloc(
        types->snapshot, 0);
    if (self == NULL) {
        return NULL;
    }
    self->column_type = (PyTypeObject *)Py_NewRef(types->column);
    if (names != NULL && threads_name(names) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    int taken = snapshot_take(self, peak);
    if (taken > 0) {
        int failed;
        Py_BEGIN_ALLOW_THREADS
        failed = tm_finish_snapshot(&self->snapshot) < 0;
        Py_END_ALLOW_THREADS
        taken = failed ? -1 : 1;
    }
    if (taken <= 0) {
        Py_DECREF(self);
        if (taken < 0) {
            return PyErr_NoMemory();
        }
        PyErr_SetString(PyExc_RuntimeError, "there are no traces to take a "
                        "snapshot of: call tracemalloc.start() first");
        return NULL;
    }
    return (PyObject *)self;
}


PyObject *
_PyTraceMalloc_NewSnapshot(const struct snapshot_types *types, int peak,
                           PyObject *thread_names)
{
    int was_quiet = quiet_begin();
    PyObject *snapshot = snapshot_new(types, peak, thread_names);
    quiet_end(was_quiet);
    return snapshot;
}
