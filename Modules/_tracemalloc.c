/* _tracemalloc: the Python module.

   Copies from the store what users ask for, and makes objects of the copies;
   tracing begins and ends in Python/tracemalloc_control.c.

       hooks ---------+                               +-- _get_traces()
                      +-> capture -> contexts, -> frozen -- decode
       PyTraceMalloc_ |   (frames)   blocks           +-- the traceback
       Track() -------+              (store)              of one block

   Who may touch the store, and its locks: pycore_tracemalloc_state.h. */

#include "Python.h"
#include "pycore_initconfig.h"    // _PyStatus_NO_MEMORY()
#include "pycore_modsupport.h"    // _PyArg_CheckPositional()
#include "pycore_object.h"        // _PyType_PreHeaderSize()
#include "pycore_pylifecycle.h"   // _PyTraceMalloc_Fini()
#include "pycore_runtime.h"       // _PyRuntime
#include "pycore_tstate.h"        // _PyThreadStateImpl
#include "pycore_tracemalloc.h"
#include "../Python/tracemalloc/access.h"
#include "../Python/tracemalloc/capture/capture.h"
#include "../Python/tracemalloc/control.h"
#include "../Python/tracemalloc/hooks/blocks.h"
#include "../Python/tracemalloc/hooks/guard.h"
#include "../Python/tracemalloc/hooks/pymalloc.h"
#include "../Python/tracemalloc/own.h"
#include "../Python/tracemalloc/sampler/allocators.h"
#include "../Python/tracemalloc/sampler/sampled_blocks.h"
#include "../Python/tracemalloc/snapshot/columns.h"
#include "../Python/tracemalloc/snapshot/decode.h"
#include "../Python/tracemalloc/snapshot/stacks.h"
#include "../Python/tracemalloc/store/locations.h"

#define S (&_PyTraceMalloc_State)


/* --- tracebacks ---------------------------------------------------------- */

static void
frozen_free(struct frozen_traces *frozen)
{
    tm_lock();
    _PyTraceMalloc_FreeFrozen(frozen);
    tm_unlock();
}


/* Where the instruction of a context stands, as far as it is known. */
static struct location
location_lock_held(context_id id)
{
    struct location where = {-1, -1, -1};
    const struct context *context = tm_context_at(&S->tree, id);
    const struct code_entry *code = tm_code_at(&S->codes, context->code);
    uint32_t unit = context->instr_domain & MAX_UNIT;
    struct location *units = NULL;
    if (unit != MAX_UNIT && code->nlocations != 0) {
        units = malloc((unit + 1) * sizeof(units[0]));
    }
    if (units != NULL) {
        _PyTraceMalloc_ReadLocations(code->locations, code->nlocations, units,
                                     unit + 1);
        where = units[unit];
        free(units);
    }
    return where;
}


/* The traceback of a block, or the details of its frames; None if the block is
   not traced. */
static PyObject *
traceback_of(unsigned int domain, uintptr_t address, int details)
{
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_NONE) {
        Py_RETURN_NONE;
    }
    struct block block;
    struct frozen_traces frozen;
    struct location where = {-1, -1, -1};
    int failed = 0;
    int found = _PyTraceMalloc_LookUp(domain, address, &block)
                && block.context != CONTEXT_OWN;
    if (found) {
        failed = _PyTraceMalloc_FreezeBlock(&frozen, &S->codes, &S->tree,
                                            &block);
        if (details) {
            where = location_lock_held(block.context);
        }
    }
    tm_end_locked();
    if (failed) {
        return PyErr_NoMemory();
    }
    if (!found) {
        Py_RETURN_NONE;
    }
    PyObject *traceback = NULL;
    struct decoder decoder;
    if (_PyTraceMalloc_InitDecoder(&decoder, &frozen,
                                   _PyRuntime.tracemalloc.nframe) == 0)
    {
        context_id id = frozen.blocks[0].context;
        traceback = details
            ? _PyTraceMalloc_DecodeDetails(&decoder, id, &where)
            : Py_XNewRef(_PyTraceMalloc_DecodeTraceback(&decoder, id));
        _PyTraceMalloc_FiniDecoder(&decoder);
    }
    frozen_free(&frozen);
    return traceback;
}


PyObject *
_PyTraceMalloc_GetTraceback(unsigned int domain, uintptr_t address)
{
    return traceback_of(domain, address, 0);
}


/* --- the module ---------------------------------------------------------- */

PyDoc_STRVAR(start_doc,
"start($module, nframe=1, /, *, sample_interval=None)\n--\n\n"
"Trace allocations from now on.\n\n"
"A traceback shows the nframe newest frames, 1 to 65535.  With an interval,\n"
"1 to 2**40, only some blocks are noted, one every so many bytes in the\n"
"mean, and all figures are estimates.  Does nothing if tracing already.");

/* The argument sample_interval: 0, or -1 with an exception. */
static int
interval_from_object(PyObject *object, uint64_t *interval)
{
    *interval = 0;
    if (object == Py_None) {
        return 0;
    }
    PyObject *number = PyNumber_Index(object);
    if (number == NULL) {
        return -1;
    }
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    Py_DECREF(number);
    if (value == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (overflow || value < 1 || (uint64_t)value > MAX_SAMPLE_INTERVAL) {
        PyErr_SetString(PyExc_ValueError, "the sampling interval must be in "
                        "range [1; 1099511627776], or None to trace every "
                        "block");
        return -1;
    }
    *interval = (uint64_t)value;
    return 0;
}


static PyObject *
module_start(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
             PyObject *kwnames)
{
    if (!_PyArg_CheckPositional("start", nargs, 0, 1)) {
        return NULL;
    }
    int nframe = 1;
    if (nargs == 1) {
        nframe = PyLong_AsInt(args[0]);
        if (nframe == -1 && PyErr_Occurred()) {
            return NULL;
        }
    }
    uint64_t interval = 0;
    Py_ssize_t nkw = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    for (Py_ssize_t i = 0; i < nkw; i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        if (_PyUnicode_EqualToASCIIString(name, "nframe")) {
            /* Programs may know this text. */
            PyErr_SetString(PyExc_TypeError, "_tracemalloc.start() takes no "
                            "keyword arguments");
            return NULL;
        }
        if (!_PyUnicode_EqualToASCIIString(name, "sample_interval")) {
            PyErr_Format(PyExc_TypeError, "start() got an unexpected keyword "
                         "argument '%U'; the only one is 'sample_interval'",
                         name);
            return NULL;
        }
        if (interval_from_object(args[nargs + i], &interval) < 0) {
            return NULL;
        }
    }
    if (_PyTraceMalloc_StartSampling(nframe, interval) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}


PyDoc_STRVAR(stop_doc,
"stop($module, /)\n--\n\n"
"Trace no longer, and forget all traces.  Harmless when not tracing.");

static PyObject *
module_stop(PyObject *self, PyObject *unused)
{
    _PyTraceMalloc_Stop();
    Py_RETURN_NONE;
}


PyDoc_STRVAR(claim_doc,
"_claim($module, nframe, /)\n--\n\n"
"Start tracing if it is off; return an object as long as whose like are there\n"
"it stays on, unless somebody else stops it.");

static void
claim_end(PyObject *Py_UNUSED(claim))
{
    _PyTraceMalloc_EndClaim();
}


static PyObject *
module_claim(PyObject *self, PyObject *nframe)
{
    int limit = PyLong_AsInt(nframe);
    if (limit == -1 && PyErr_Occurred()) {
        return NULL;
    }
    /* Before tracing starts: it is nothing of the program's. */
    PyObject *claim = PyCapsule_New((void *)&claim_doc, NULL, NULL);
    if (claim == NULL) {
        return NULL;
    }
    if (_PyTraceMalloc_BeginClaim(limit) < 0) {
        Py_DECREF(claim);
        return NULL;
    }
    if (PyCapsule_SetDestructor(claim, claim_end) < 0) {
        Py_UNREACHABLE();
    }
    return claim;
}


PyDoc_STRVAR(is_tracing_doc,
"is_tracing($module, /)\n--\n\n"
"Whether allocations are being traced.");

static PyObject *
module_is_tracing(PyObject *self, PyObject *unused)
{
    return PyBool_FromLong(tm_is_tracing());
}


PyDoc_STRVAR(clear_traces_doc,
"clear_traces($module, /)\n--\n\n"
"Forget all traces and go on tracing; both counters of traced memory\n"
"become 0.");

static PyObject *
module_clear_traces(PyObject *self, PyObject *unused)
{
    if (_PyTraceMalloc_Clear() < 0) {
        PyErr_SetString(PyExc_MemoryError,
                        "no memory to go on tracing: tracemalloc has stopped");
        return NULL;
    }
    Py_RETURN_NONE;
}


PyDoc_STRVAR(get_traceback_limit_doc,
"get_traceback_limit($module, /)\n--\n\n"
"The number of frames given to start() last; 1 at first.");

static PyObject *
module_get_traceback_limit(PyObject *self, PyObject *unused)
{
    return PyLong_FromLong(_PyRuntime.tracemalloc.nframe);
}


PyDoc_STRVAR(quietly_doc,
"_quietly($module, function, /, *args)\n--\n\n"
"Call a function; what the thread allocates meanwhile is not the program's.\n\n"
"It is in no snapshot and no figure.  What it leaves in free lists is the\n"
"program's as soon as that takes it from there, and so is all that handlers of\n"
"signals, finalizers, audit hooks and trace functions allocate.");

static PyObject *
module_quietly(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (!_PyArg_CheckPositional("_quietly", nargs, 1, PY_SSIZE_T_MAX)) {
        return NULL;
    }
    PyThreadState *tstate = _PyThreadState_GET();
    int was_quiet = _PyTraceMalloc_SetQuiet(tstate, 1);
    PyObject *result = PyObject_Vectorcall(args[0], args + 1,
                                           (size_t)nargs - 1, NULL);
    _PyTraceMalloc_SetQuiet(tstate, was_quiet);
    return result;
}


PyDoc_STRVAR(get_traced_memory_doc,
"get_traced_memory($module, /)\n--\n\n"
"Bytes of all traced blocks as a tuple (now, highest).\n\n"
"Exact, or estimates when sampling; (0, 0) when not tracing.  O(1).");

static PyObject *
module_get_traced_memory(PyObject *self, PyObject *unused)
{
    size_t current = 0, peak = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        _PyTraceMalloc_ProgramBytes(&current, &peak);
        tm_end_locked();
    }
    return Py_BuildValue("(nn)", (Py_ssize_t)current, (Py_ssize_t)peak);
}


PyDoc_STRVAR(reset_peak_doc,
"reset_peak($module, /)\n--\n\n"
"Let the highest value of traced memory start again at the present one.");

static PyObject *
module_reset_peak(PyObject *self, PyObject *unused)
{
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        _PyTraceMalloc_ResetPeak(&S->tree, &S->bytes);
        tm_end_locked();
    }
    Py_RETURN_NONE;
}


size_t
_PyTraceMalloc_SizeOfStore_lock_held(void)
{
    return _PyTraceMalloc_SizeOfCodes(&S->codes)
           + _PyTraceMalloc_SizeOfTree(&S->tree)
           + _PyTraceMalloc_SizeOfCells(&S->cells)
           + _PyTraceMalloc_SizeOfBlocks(&S->large)
           + _PyTraceMalloc_SizeOfBlocks(&S->raw)
           + _PyTraceMalloc_SizeOfFilters(&S->filters)
           + S->detached.allocated * sizeof(S->detached.counts[0])
           + S->sampler.nspreads * sizeof(S->sampler.spreads[0])
           + S->cache_bytes;
}


PyDoc_STRVAR(get_tracemalloc_memory_doc,
"get_tracemalloc_memory($module, /)\n--\n\n"
"Bytes the tracer uses for its own data; 0 when not tracing.");

static PyObject *
module_get_tracemalloc_memory(PyObject *self, PyObject *unused)
{
    size_t size = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        size = _PyTraceMalloc_SizeOfStore_lock_held();
        tm_end_locked();
    }
    return PyLong_FromSize_t(size);
}


/* The totals of a context, copied under the lock. */
struct context_totals {
    uint32_t domain;
    uint64_t allocated_blocks, allocated_bytes;
    uint64_t freed_blocks, freed_bytes;
    uint64_t peak_blocks, peak_bytes;
};


static struct context_totals *
totals_copy_lock_held(const struct call_tree *tree)
{
    struct context_totals *all = calloc(tree->contexts.used, sizeof(all[0]));
    for (context_id id = CONTEXT_UNKNOWN;
         all != NULL && id < tree->contexts.used; id++)
    {
        const struct context *context = tm_context_at(tree, id);
        struct context_totals *totals = &all[id];
        if (context->node == NODE_NONE || id == CONTEXT_OWN) {
            continue;
        }
        totals->domain = tm_context_domain(tree, id);
        struct counters counters = tm_context_counters(context);
        totals->allocated_blocks = counters.allocated_blocks;
        totals->allocated_bytes = counters.allocated_bytes;
        totals->freed_blocks = counters.freed_blocks;
        totals->freed_bytes = counters.freed_bytes;
        tm_context_peak(context, &S->bytes, &totals->peak_blocks,
                        &totals->peak_bytes);
        if (tm_is_sampling()) {
            _PyTraceMalloc_RoundTotals(
                &S->sampler, 0, &totals->allocated_blocks,
                &totals->freed_blocks, &totals->peak_blocks);
            _PyTraceMalloc_RoundTotals(
                &S->sampler, 1, &totals->allocated_bytes,
                &totals->freed_bytes, &totals->peak_bytes);
        }
    }
    return all;
}


static PyObject *
decode_totals(struct decoder *decoder, context_id id,
              const struct context_totals *totals)
{
    PyObject *traceback = _PyTraceMalloc_DecodeTraceback(decoder, id);
    if (traceback == NULL) {
        return NULL;
    }
    return Py_BuildValue("(IOiKKKKKK)",
                         (unsigned int)totals->domain, traceback,
                         _PyTraceMalloc_TotalFrames(decoder, id),
                         (unsigned long long)totals->allocated_blocks,
                         (unsigned long long)totals->allocated_bytes,
                         (unsigned long long)totals->freed_blocks,
                         (unsigned long long)totals->freed_bytes,
                         (unsigned long long)totals->peak_blocks,
                         (unsigned long long)totals->peak_bytes);
}


/* A tuple with the errors behind those of another one, which it takes over. */
static PyObject *
errors_append(PyObject *row, const struct context_errors *errors)
{
    PyObject *tail = Py_BuildValue("(dddd)", errors->live_blocks,
                                   errors->live_bytes,
                                   errors->allocated_blocks,
                                   errors->allocated_bytes);
    PyObject *whole = tail != NULL ? PySequence_Concat(row, tail) : NULL;
    Py_DECREF(row);
    Py_XDECREF(tail);
    return whole;
}


/* Append a row: as often as there are blocks for which a sample stands. */
static int
row_append(PyObject *list, PyObject *row, const struct frozen_traces *frozen,
           size_t i)
{
    uintptr_t n = frozen->grouped ? frozen->blocks[i].address : 1;
    while (n-- > 0) {
        if (PyList_Append(list, row) < 0) {
            return -1;
        }
    }
    return 0;
}


/* Append a row for each frozen block, or for each context if there are totals,
   and let go of the copy.  Takes over the list, and returns it, or NULL.  With
   `errors`, rows have those of their contexts too. */
static PyObject *
rows_append(PyObject *list, struct frozen_traces *frozen,
            const struct context_totals *totals,
            const struct context_errors *errors)
{
    /* What is made here is not part of the program's memory. */
    enum reentrancy before = tm_guard_enter(REENTRANT);
    struct decoder decoder;
    int failed = _PyTraceMalloc_InitDecoder(&decoder, frozen,
                                            _PyRuntime.tracemalloc.nframe);
    if (!failed) {
        size_t n = totals != NULL ? frozen->ncontexts : frozen->nblocks;
        for (size_t i = 0; i < n && !failed; i++) {
            if (totals != NULL && totals[i].allocated_blocks == 0) {
                continue;
            }
            PyObject *row = totals == NULL
                ? _PyTraceMalloc_DecodeBlock(&decoder, &frozen->blocks[i])
                : decode_totals(&decoder, (context_id)i, &totals[i]);
            if (row != NULL && errors != NULL) {
                row = errors_append(row, &errors[i]);
            }
            failed = row == NULL || row_append(list, row, frozen, i) < 0;
            Py_XDECREF(row);
        }
        _PyTraceMalloc_FiniDecoder(&decoder);
    }
    tm_guard_leave(before);
    frozen_free(frozen);
    if (failed) {
        Py_CLEAR(list);
    }
    return list;
}


int
_PyTraceMalloc_FreezeAll_lock_held(struct frozen_traces *frozen)
{
    const struct block_table *tables[] = {&S->large, &S->raw};
    size_t ncells = _PyTraceMalloc_CountCells();
    if (_PyTraceMalloc_Freeze(frozen, &S->codes, &S->tree,
                              ncells + S->large.used + S->raw.used) < 0)
    {
        return -1;
    }
    _PyTraceMalloc_CopyCells(frozen->blocks);
    size_t n = ncells;
    for (size_t t = 0; t < Py_ARRAY_LENGTH(tables); t++) {
        for (size_t i = 0; i <= tables[t]->mask; i++) {
            if (tables[t]->slots[i].context != CONTEXT_NONE) {
                frozen->blocks[n++] = tables[t]->slots[i];
            }
        }
    }
    assert(n == frozen->nblocks);
    return 0;
}


void
_PyTraceMalloc_HideOwn(struct frozen_traces *frozen)
{
    size_t n = 0;
    for (size_t i = 0; i < frozen->nblocks; i++) {
        if (frozen->blocks[i].context != CONTEXT_OWN) {
            frozen->blocks[n++] = frozen->blocks[i];
        }
    }
    frozen->nblocks = n;
}


PyDoc_STRVAR(get_traces_doc,
"_get_traces($module, /)\n--\n\n"
"A list of (domain, size, traceback, total_nframe), one for each block.\n\n"
"A traceback is a tuple of (filename, lineno), newest frame first; equal\n"
"ones are the same object.  When sampling, each sample is there as often as\n"
"there are blocks for which it stands.  Empty when not tracing.  O(blocks).");

static PyObject *
module_get_traces(PyObject *self, PyObject *unused)
{
    PyObject *list = PyList_New(0);
    if (list == NULL || _PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
        return list;
    }
    struct frozen_traces frozen;
    int failed = _PyTraceMalloc_FreezeAll_lock_held(&frozen);
    if (!failed) {
        _PyTraceMalloc_HideOwn(&frozen);
    }
    if (!failed && tm_is_sampling()) {
        frozen.nblocks = _PyTraceMalloc_GroupSamples(frozen.blocks,
                                                     frozen.nblocks);
        frozen.grouped = 1;
    }
    tm_end_locked();
    if (failed) {
        Py_DECREF(list);
        return PyErr_NoMemory();
    }

    return rows_append(list, &frozen, NULL, NULL);
}


PyDoc_STRVAR(get_contexts_doc,
"_get_contexts($module, /)\n--\n\n"
"A list with one tuple for each place that ever allocated:\n\n"
"(domain, traceback, total_nframe, allocated blocks, allocated bytes,\n"
" freed blocks, freed bytes, blocks at the peak, bytes at the peak)\n\n"
"Exact, or estimates when sampling (see _get_estimates()); what is live is\n"
"the difference of allocated and freed.  Several\n"
"tuples may have one traceback.  Empty when not tracing.  O(places),\n"
"whatever the number of blocks.");

static PyObject *
module_get_contexts(PyObject *self, PyObject *unused)
{
    PyObject *list = PyList_New(0);
    if (list == NULL || _PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
        return list;
    }
    struct frozen_traces frozen = {.blocks = NULL};
    struct context_totals *all = totals_copy_lock_held(&S->tree);
    int failed = all == NULL
                 || _PyTraceMalloc_Freeze(&frozen, &S->codes, &S->tree,
                                          0) < 0;
    tm_end_locked();
    if (failed) {
        free(all);
        Py_DECREF(list);
        return PyErr_NoMemory();
    }

    list = rows_append(list, &frozen, all, NULL);
    free(all);
    return list;
}


PyDoc_STRVAR(take_snapshot_doc,
"_take_snapshot($module, /, *, peak=False, thread_names=None)\n--\n\n"
"All contexts and blocks as they are now, in columns.\n\n"
"With peak, the columns of blocks are None: what was live when traced memory\n"
"was highest is known by context only.  thread_names is a dict that says\n"
"what threads of this interpreter are called, by identifier; what is told\n"
"once is known after the thread has ended.\n\n"
"Exact, or estimates if it has a sample_interval; rows then have the number\n"
"of blocks for which samples stand.  O(blocks + contexts), in a small\n"
"fraction of a second for millions;\n"
"other threads wait for a part of that.  The result's memory is not traced.\n"
"Raises RuntimeError when not tracing.");

static PyObject *
module_take_snapshot(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                     PyObject *kwnames)
{
    /* Keywords are read here, since what a parser makes of them would be in
       the snapshot. */
    int peak = 0;
    PyObject *names = NULL;
    if (nargs > 0) {
        PyErr_SetString(PyExc_TypeError,
                        "_take_snapshot() takes no positional arguments");
        return NULL;
    }
    Py_ssize_t nkwargs = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    for (Py_ssize_t i = 0; i < nkwargs; i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        if (PyUnicode_EqualToUTF8(name, "peak")) {
            peak = PyObject_IsTrue(args[i]);
            if (peak < 0) {
                return NULL;
            }
        }
        else if (PyUnicode_EqualToUTF8(name, "thread_names")) {
            names = args[i] != Py_None ? args[i] : NULL;
        }
        else {
            PyErr_Format(PyExc_TypeError, "_take_snapshot() got an unexpected "
                         "keyword argument %R", name);
            return NULL;
        }
    }
    if (names != NULL && !PyDict_Check(names)) {
        PyErr_Format(PyExc_TypeError, "thread_names must be a dict or None, "
                     "not %T", names);
        return NULL;
    }
    return _PyTraceMalloc_NewSnapshot(PyModule_GetState(self), peak, names);
}


/* The block begins before the object if that has a GC header or a managed
   dict. */
static uintptr_t
block_of_object(PyObject *obj)
{
    return (uintptr_t)obj - _PyType_PreHeaderSize(Py_TYPE(obj));
}


PyDoc_STRVAR(get_estimates_doc,
"_get_estimates($module, /)\n--\n\n"
"As _get_contexts(), but each tuple goes on with four standard errors:\n\n"
"(..., of live blocks, of live bytes, of allocated blocks,\n"
" of allocated bytes)\n\n"
"That of what was freed is the root of the difference of their squares.\n"
"Empty when not sampling.  O(places + samples).");

static PyObject *
module_get_estimates(PyObject *self, PyObject *unused)
{
    PyObject *list = PyList_New(0);
    if (list == NULL || _PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
        return list;
    }
    struct frozen_traces frozen = {.blocks = NULL};
    struct context_totals *all = NULL;
    struct context_errors *errors = NULL;
    int failed = 0, sampling = tm_is_sampling();
    if (sampling) {
        size_t n = S->tree.contexts.used;
        all = totals_copy_lock_held(&S->tree);
        errors = malloc(n * sizeof(errors[0]));
        failed = all == NULL || errors == NULL
                 || _PyTraceMalloc_FreezeAll_lock_held(&frozen) < 0;
        if (!failed) {
            _PyTraceMalloc_CopyErrors(errors, n, frozen.blocks,
                                      frozen.nblocks);
        }
    }
    tm_end_locked();
    if (failed) {
        Py_CLEAR(list);
        PyErr_NoMemory();
    }
    else if (sampling) {
        list = rows_append(list, &frozen, all, errors);
    }
    free(all);
    free(errors);
    return list;
}


PyDoc_STRVAR(get_sample_interval_doc,
"get_sample_interval($module, /)\n--\n\n"
"The bytes from sample to sample, in the mean, or None when every block is\n"
"traced, or none.");

static PyObject *
module_get_sample_interval(PyObject *self, PyObject *unused)
{
    uint64_t interval = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        interval = S->sampler.interval;
        tm_end_locked();
    }
    if (interval == 0) {
        Py_RETURN_NONE;
    }
    return PyLong_FromUnsignedLongLong(interval);
}


PyDoc_STRVAR(seed_sampling_doc,
"_seed_sampling($module, seed, /)\n--\n\n"
"Let samples be the same each time: for tests.  From the next block on;\n"
"RuntimeError when not sampling.");

static PyObject *
module_seed_sampling(PyObject *self, PyObject *seed)
{
    uint64_t bits = PyLong_AsUnsignedLongLongMask(seed);
    if (bits == (uint64_t)-1 && PyErr_Occurred()) {
        return NULL;
    }
    int sampling = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        sampling = tm_is_sampling();
        if (sampling) {
            _PyTraceMalloc_SeedSampler(&S->sampler, bits);
            _PyTraceMalloc_InterruptGap();
        }
        tm_end_locked();
    }
    if (!sampling) {
        PyErr_SetString(PyExc_RuntimeError, "no samples are taken: call "
                        "start() with a sample_interval first");
        return NULL;
    }
    Py_RETURN_NONE;
}


PyDoc_STRVAR(get_object_traceback_doc,
"_get_object_traceback($module, obj, /)\n--\n\n"
"The traceback of the object's block, newest frame first, or None if that\n"
"block is not traced.");

static PyObject *
module_get_object_traceback(PyObject *self, PyObject *obj)
{
    return traceback_of(DEFAULT_DOMAIN, block_of_object(obj), 0);
}


PyDoc_STRVAR(get_object_details_doc,
"_get_object_details($module, obj, /)\n--\n\n"
"What is known of the frames of that traceback besides their lines:\n\n"
"a tuple of (function, end line, column, end column), None for what is not\n"
"known, or None if the object's block is not traced.  O(frames), and the\n"
"length of the code that allocated.");

static PyObject *
module_get_object_details(PyObject *self, PyObject *obj)
{
    return traceback_of(DEFAULT_DOMAIN, block_of_object(obj), 1);
}


PyDoc_STRVAR(get_dropped_doc,
"_get_dropped($module, /)\n--\n\n"
"How many traces were lost since start() because there was no memory for\n"
"them.");

static PyObject *
module_get_dropped(PyObject *self, PyObject *unused)
{
    uint64_t dropped = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        dropped = S->dropped;
        tm_end_locked();
    }
    return PyLong_FromUnsignedLongLong(dropped);
}


PyDoc_STRVAR(get_counts_doc,
"_get_counts($module, /)\n--\n\n"
"A dict that says how many of each kind the tracer has, for judging whether\n"
"its memory stays bounded:\n\n"
"  contexts, paths           places that allocate, and call sites above them\n"
"  codes, names              code objects, names of files and functions\n"
"  contexts_made, paths_made ever, with those that were reclaimed\n"
"  blocks                    live ones\n"
"  blocks_made               allocations noted, ever\n\n"
"Empty when not tracing.  O(contexts).");

static PyObject *
module_get_counts(PyObject *self, PyObject *unused)
{
    if (_PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
        return PyDict_New();
    }
    const struct call_tree *tree = &S->tree;
    size_t codes, names;
    _PyTraceMalloc_CountCodes(&S->codes, &codes, &names);
    /* Our own is none of the program's. */
    unsigned long long contexts = tree->contexts.live - 1;
    unsigned long long paths = tree->nodes.live;
    unsigned long long contexts_made = contexts + tree->reclaimed_contexts;
    unsigned long long paths_made = paths + tree->reclaimed_nodes;
    unsigned long long blocks = 0, blocks_made = tree->reclaimed_blocks;
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        if (id == CONTEXT_OWN) {
            continue;
        }
        blocks += tm_context_live_blocks(tm_context_at(tree, id));
        blocks_made += tm_context_counters(
            tm_context_at(tree, id)).allocated_blocks;
    }
    blocks = tm_sampled_blocks(&S->sampler, blocks);
    blocks_made = tm_sampled_blocks(&S->sampler, blocks_made);
    tm_end_locked();
    return Py_BuildValue("{sKsKsnsnsKsKsKsK}",
                         "contexts", contexts, "paths", paths,
                         "codes", (Py_ssize_t)codes,
                         "names", (Py_ssize_t)names,
                         "contexts_made", contexts_made,
                         "paths_made", paths_made,
                         "blocks", blocks, "blocks_made", blocks_made);
}


PyDoc_STRVAR(check_doc,
"_check($module, /)\n--\n\n"
"Walk all of the tracer's data; AssertionError if an invariant is broken.");

/* NULL, or what is wrong; puts weights in the place of numbers of blocks. */
static const char *
samples_check_lock_held(struct live_sums *live)
{
    struct frozen_traces frozen;
    if (_PyTraceMalloc_FreezeAll_lock_held(&frozen) < 0) {
        return "no memory for the check";
    }
    const char *fault = _PyTraceMalloc_CheckSamples(frozen.blocks,
                                                    frozen.nblocks, live);
    _PyTraceMalloc_FreeFrozen(&frozen);
    return fault;
}


/* NULL, or what is wrong. */
static const char *
store_check_lock_held(void)
{
    const struct call_tree *tree = &S->tree;
    struct live_sums *live = calloc(tree->contexts.used, sizeof(live[0]));
    if (live == NULL) {
        return "no memory for the check";
    }
    const char *fault = _PyTraceMalloc_CheckTree(tree);
    if (fault == NULL) {
        fault = _PyTraceMalloc_CheckCells(live);
    }
    if (fault == NULL) {
        fault = _PyTraceMalloc_CheckBlocks(&S->large, tree, live);
    }
    if (fault == NULL) {
        fault = _PyTraceMalloc_CheckBlocks(&S->raw, tree, live);
    }
    if (fault == NULL) {
        fault = _PyTraceMalloc_CheckFilters(&S->filters, &S->codes, tree);
    }
    if (fault == NULL && tm_is_sampling()) {
        fault = samples_check_lock_held(live);
    }
    uint64_t current = 0, peak = 0;
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used
         && fault == NULL; id++)
    {
        const struct context *context = tm_context_at(tree, id);
        uint64_t peak_blocks, peak_bytes;
        tm_context_peak(context, &S->bytes, &peak_blocks, &peak_bytes);
        current += tm_context_live_bytes(context);
        peak += peak_bytes;
        if (live[id].blocks != tm_context_live_blocks(context)
            || live[id].bytes != tm_context_live_bytes(context))
        {
            fault = "the counters of a context differ from its blocks";
        }
    }
    if (fault == NULL && current != S->bytes.current) {
        fault = "traced memory is not the sum over all contexts";
    }
    if (fault == NULL && peak != S->bytes.peak) {
        fault = "the peak is not the sum over all contexts at that time";
    }
    free(live);
    return fault;
}


static PyObject *
module_check(PyObject *self, PyObject *unused)
{
    const char *fault = NULL;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        fault = store_check_lock_held();
        tm_end_locked();
    }
    if (fault != NULL) {
        PyErr_Format(PyExc_AssertionError, "tracemalloc: %s", fault);
        return NULL;
    }
    Py_RETURN_NONE;
}


#ifdef Py_TRACEMALLOC_VERIFY

PyDoc_STRVAR(get_verified_doc,
"_get_verified($module, /)\n--\n\n"
"How many captures this process has compared with the whole stack.  The\n"
"first one that differs ends it.");

static PyObject *
module_get_verified(PyObject *self, PyObject *unused)
{
    return PyLong_FromUnsignedLongLong(_PyTraceMalloc_CountVerified());
}

#endif


PyDoc_STRVAR(number_rows_doc,
"_number_rows($module, /, *columns)\n--\n\n"
"Number the rows of a table, equal ones alike, as they are met first.\n\n"
"Columns are buffers of 32-bit numbers, as all columns here are.  Returns a\n"
"column of these numbers, and one of the first row of each number.");

PyDoc_STRVAR(fold_paths_doc,
"_fold_paths($module, parents, first, limit, /, *columns)\n--\n\n"
"Make a trie of the paths from *first* on, each cut to its newest frames.\n\n"
"Frames are equal if *columns* are.  Returns the parent of each node; for each\n"
"node, a path that ends in such a frame; and the node of each of the paths.\n"
"Node 0 is the root.");

PyDoc_STRVAR(rank_paths_doc,
"_rank_paths($module, parents, keys, /)\n--\n\n"
"The place of each node when all are sorted by the keys on their way down.");

PyDoc_STRVAR(sum_rows_doc,
"_sum_rows($module, numbers, n, values, times=1, /)\n--\n\n"
"The list of the sums of values by number, of which there are n.\n\n"
"Values are a buffer of 64-bit numbers, or a list of ints or floats.");

PyDoc_STRVAR(sum_paths_doc,
"_sum_paths($module, parents, nodes, values, /)\n--\n\n"
"The list of the sums of values by node, with all that is below a node.\n\n"
"*nodes* says where each value is.");

PyDoc_STRVAR(sum_callers_doc,
"_sum_callers($module, parents, groups, n, nodes, values, weight, /)\n--\n\n"
"The list of the sums of values by group, of which there are n.\n\n"
"*groups* are those of nodes.  A value counts for the groups of all nodes\n"
"from its own to the root; if one of them is met k times, it counts k times\n"
"with weight 0, once with 1, and k * k times with 2.");

PyDoc_STRVAR(highest_doc,
"_highest($module, column, /)\n--\n\n"
"The highest number of a column, -1 if it is empty.");

PyDoc_STRVAR(ascends_doc,
"_ascends($module, column, /)\n--\n\n"
"Whether no number of a column is less than the one before.");

PyDoc_STRVAR(read_tuples_doc,
"_read_tuples($module, data, pos, stack, marks, memo, nesting, nothing,\n"
"             cache, left, /)\n--\n\n"
"Carry out instructions of a pickle that make tuples, and note them.\n\n"
"Returns where reading stopped, the stack, and what is left to be spent.");

PyDoc_STRVAR(sum_traces_doc,
"_sum_traces($module, traces, /)\n--\n\n"
"Add raw traces up by the identity of their frames.\n\n"
"Returns lists of frames, sizes and numbers of blocks, and whether all traces\n"
"are whole and their frames as they should be; None if there are traces of\n"
"another form.");

#define STACKS(name, function, doc) \
    {name, _PyCFunction_CAST(function), METH_FASTCALL, doc}

static PyMethodDef module_methods[] = {
    {"start", _PyCFunction_CAST(module_start), METH_FASTCALL | METH_KEYWORDS,
     start_doc},
    {"stop", module_stop, METH_NOARGS, stop_doc},
    {"_claim", module_claim, METH_O, claim_doc},
    {"_quietly", _PyCFunction_CAST(module_quietly), METH_FASTCALL,
     quietly_doc},
    {"is_tracing", module_is_tracing, METH_NOARGS, is_tracing_doc},
    {"clear_traces", module_clear_traces, METH_NOARGS, clear_traces_doc},
    {"reset_peak", module_reset_peak, METH_NOARGS, reset_peak_doc},
    {"get_traceback_limit", module_get_traceback_limit, METH_NOARGS,
     get_traceback_limit_doc},
    {"get_traced_memory", module_get_traced_memory, METH_NOARGS,
     get_traced_memory_doc},
    {"get_tracemalloc_memory", module_get_tracemalloc_memory, METH_NOARGS,
     get_tracemalloc_memory_doc},
    {"_get_traces", module_get_traces, METH_NOARGS, get_traces_doc},
    {"_get_contexts", module_get_contexts, METH_NOARGS, get_contexts_doc},
    {"_take_snapshot", _PyCFunction_CAST(module_take_snapshot),
     METH_FASTCALL | METH_KEYWORDS, take_snapshot_doc},
    {"_get_estimates", module_get_estimates, METH_NOARGS, get_estimates_doc},
    {"get_sample_interval", module_get_sample_interval, METH_NOARGS,
     get_sample_interval_doc},
    {"_seed_sampling", module_seed_sampling, METH_O, seed_sampling_doc},
    {"_get_object_traceback", module_get_object_traceback, METH_O,
     get_object_traceback_doc},
    {"_get_object_details", module_get_object_details, METH_O,
     get_object_details_doc},
    {"_get_dropped", module_get_dropped, METH_NOARGS, get_dropped_doc},
    {"_get_counts", module_get_counts, METH_NOARGS, get_counts_doc},
    {"_check", module_check, METH_NOARGS, check_doc},
    STACKS("_number_rows", _PyTraceMalloc_NumberRows, number_rows_doc),
    STACKS("_fold_paths", _PyTraceMalloc_FoldPaths, fold_paths_doc),
    STACKS("_rank_paths", _PyTraceMalloc_RankPaths, rank_paths_doc),
    STACKS("_sum_rows", _PyTraceMalloc_SumRows, sum_rows_doc),
    STACKS("_sum_paths", _PyTraceMalloc_SumPaths, sum_paths_doc),
    STACKS("_sum_callers", _PyTraceMalloc_SumCallers, sum_callers_doc),
    {"_read_tuples", _PyTraceMalloc_ReadTuples, METH_VARARGS, read_tuples_doc},
    {"_sum_traces", _PyTraceMalloc_SumTraces, METH_O, sum_traces_doc},
    {"_highest", _PyTraceMalloc_Highest, METH_O, highest_doc},
    {"_ascends", _PyTraceMalloc_Ascends, METH_O, ascends_doc},
#ifdef Py_TRACEMALLOC_VERIFY
    {"_get_verified", module_get_verified, METH_NOARGS, get_verified_doc},
#endif
    {NULL, NULL, 0, NULL},
};

/* A module has types of its own.  All other state is the runtime's, and has
   locks. */
static int
types_begin(PyObject *self)
{
    return _PyTraceMalloc_InitSnapshotTypes(self, PyModule_GetState(self));
}


static int
types_visit(PyObject *self, visitproc visit, void *arg)
{
    const struct snapshot_types *types = PyModule_GetState(self);
    Py_VISIT(types->column);
    Py_VISIT(types->snapshot);
    return 0;
}


static int
types_drop(PyObject *self)
{
    struct snapshot_types *types = PyModule_GetState(self);
    Py_CLEAR(types->column);
    Py_CLEAR(types->snapshot);
    return 0;
}


static PyModuleDef_Slot module_slots[] = {
    {.slot = Py_mod_exec, .value = types_begin},
    {.slot = Py_mod_exec, .value = _PyTraceMalloc_AddPytracemalloc},
    {.slot = Py_mod_gil, .value = Py_MOD_GIL_NOT_USED},
    {.slot = Py_mod_multiple_interpreters,
     .value = Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {.slot = 0},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_tracemalloc",
    .m_doc = PyDoc_STR("The C core of tracemalloc: see that module."),
    .m_size = sizeof(struct snapshot_types),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = types_visit,
    .m_clear = types_drop,
};


PyMODINIT_FUNC
PyInit__tracemalloc(void)
{
    return PyModuleDef_Init(&module_definition);
}
