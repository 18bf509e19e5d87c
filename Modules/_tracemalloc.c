/* _tracemalloc: life cycle, C API and the Python module.

   This file owns the tracer's state, and is the only one that makes Python
   objects of it.

       hooks ------------+                                 +-- _get_traces()
                         +--> capture --> contexts, -----> frozen
       PyTraceMalloc_    |    (frames)    blocks (store)   +-- the traceback
       Track() ----------+                                     of one block

   The locks are described in pycore_tracemalloc_state.h. */

#include "Python.h"
#include "pycore_initconfig.h"    // _PyStatus_NO_MEMORY()
#include "pycore_fileutils.h"     // _Py_write_noraise()
#include "pycore_modsupport.h"    // _PyArg_CheckPositional()
#include "pycore_object.h"        // _PyType_PreHeaderSize()
#include "pycore_pylifecycle.h"   // _PyTraceMalloc_Fini()
#include "pycore_runtime.h"       // _PyRuntime
#include "pycore_traceback.h"     // _Py_DumpDecimal()
#include "pycore_tstate.h"        // _PyThreadStateImpl
#include "pycore_tracemalloc.h"
#include "pycore_tracemalloc_capture.h"

#ifdef HAVE_PTHREAD_H
#  include <pthread.h>            // pthread_atfork()
#endif

#define MAX_NFRAME 65535

#define S (&_PyTraceMalloc_State)

struct tracer_state _PyTraceMalloc_State = {.attention = 1};

/* The process has, or had once, more than one GIL, or has none; atomic. */
#ifdef Py_GIL_DISABLED
static int several_gils = 1;
#else
static int several_gils = 0;
#endif


/* --- fork ---------------------------------------------------------------- */

#if defined(HAVE_PTHREAD_H) && defined(HAVE_FORK)

/* No other thread may hold a lock, or have half changed the store, at the
   moment the child's copy is made. */
static void
atfork_prepare(void)
{
    PyMutex_LockFlags(&S->control_lock,
                      _Py_LOCK_DONT_DETACH);
    tracer_lock();
}


static void
atfork_parent(void)
{
    tracer_unlock();
    PyMutex_Unlock(&S->control_lock);
}


static void
atfork_child(void)
{
    /* Threads that waited for the locks do not exist here. */
    _PyMutex_at_fork_reinit(&S->store_lock);
    _PyMutex_at_fork_reinit(&S->control_lock);
}


static int
atfork_register(void)
{
    static int atfork_done = 0;
    if (!atfork_done) {
        if (pthread_atfork(atfork_prepare, atfork_parent, atfork_child) != 0) {
            return -1;
        }
        atfork_done = 1;
    }
    return 0;
}

#else

static int
atfork_register(void)
{
    return 0;
}

#endif


/* --- life cycle ---------------------------------------------------------- */

static void
store_fini_lock_held(void)
{
    _PyTraceMalloc_FreeCaches();
    _PyTraceMalloc_ForgetCodeObjects();
    _PyTraceMalloc_FreeCells();
    _PyTraceMalloc_FiniBlocks(&S->raw);
    _PyTraceMalloc_FiniBlocks(&S->large);
    _PyTraceMalloc_FiniContexts(&S->contexts);
    _PyTraceMalloc_FiniSources(&S->sources);
    free(S->detached.counts);
    S->detached = (struct detached_counts){NULL, 0, 0, 0};
}


/* A store with no traces, as it is at first and after clear_traces(). */
static void
store_reset_lock_held(void)
{
    _PyTraceMalloc_ForgetSites();
    S->unknown = (struct path_entry){
        .path = PATH_ROOT,
        .context = context_at(&S->contexts, CONTEXT_UNKNOWN),
        .context_id = CONTEXT_UNKNOWN,
    };
    S->bytes = (struct traced_bytes){.epoch = 1};
    S->fresh = 0;
    S->detached.used = 0;
    S->detached.bytes = 0;
    S->reclaim_wanted = 0;
    S->foreign = 0;
    S->reclaim_contexts = RECLAIM_CONTEXTS;
    S->reclaim_paths = RECLAIM_PATHS;
}


static int
store_init_lock_held(void)
{
    _PyTraceMalloc_InitCells(&S->cells);
    if (_PyTraceMalloc_InitSources(&S->sources) < 0
        || _PyTraceMalloc_InitContexts(&S->contexts) < 0
        || _PyTraceMalloc_InitBlocks(&S->large) < 0
        || _PyTraceMalloc_InitBlocks(&S->raw) < 0)
    {
        store_fini_lock_held();
        return -1;
    }
    S->dropped = 0;
    store_reset_lock_held();
    return 0;
}


static void
tracing_set_lock_held(int tracing)
{
    _Py_atomic_store_int_relaxed(&_PyRuntime.tracemalloc.tracing, tracing);
    S->one_gil = !_Py_atomic_load_int_relaxed(&several_gils);
    _Py_atomic_store_int_relaxed(&S->attention, !(tracing && S->one_gil));
    _PyRefTracer_ChooseCreateHook();
}


void
_PyTraceMalloc_AddGil(void)
{
    tracer_lock();
    _Py_atomic_store_int_relaxed(&several_gils, 1);
    S->one_gil = 0;
    _Py_atomic_store_int_relaxed(&S->attention, 1);
    tracer_unlock();
}


PyStatus
_PyTraceMalloc_Init(void)
{
    assert(!tracer_is_tracing());
    if (atfork_register() < 0) {
        return _PyStatus_NO_MEMORY();
    }
    _PyRuntime.tracemalloc.ready = 1;
    return _PyStatus_OK();
}


int
_PyTraceMalloc_Start(int nframe)
{
    if (nframe < 1 || nframe > MAX_NFRAME) {
        PyErr_SetString(PyExc_ValueError, "the number of frames must be in "
                        "range [1; " Py_STRINGIFY(MAX_NFRAME) "]");
        return -1;
    }
    if (!_PyRuntime.tracemalloc.ready) {
        PyErr_SetString(PyExc_RuntimeError,
                        "tracemalloc cannot start: the runtime is finalized");
        return -1;
    }

    int failed = 0;
    PyMutex_Lock(&S->control_lock);
    if (!tracer_is_tracing()) {
        tracer_lock();
        failed = store_init_lock_held() < 0;
        tracer_unlock();
        if (!failed) {
            _PyRuntime.tracemalloc.nframe = nframe;
            _PyTraceMalloc_InstallHooks();
            tracer_lock();
            tracing_set_lock_held(1);
            tracer_unlock();
        }
    }
    PyMutex_Unlock(&S->control_lock);
    if (failed) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}


void
_PyTraceMalloc_Stop(void)
{
    PyMutex_Lock(&S->control_lock);
    if (tracer_is_tracing()) {
        tracer_lock();
        tracing_set_lock_held(0);
        store_fini_lock_held();
        tracer_unlock();
        _PyTraceMalloc_RemoveHooks();
    }
    PyMutex_Unlock(&S->control_lock);
}


void
_PyTraceMalloc_Fini(void)
{
    _PyTraceMalloc_Stop();
    _PyRuntime.tracemalloc.ready = 0;
}


void
_PyTraceMalloc_RetireCodeObject(PyCodeObject *co)
{
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access != ACCESS_NONE) {
        if (co->_co_tracemalloc_id != CODE_NONE) {
            _PyTraceMalloc_RetireCode(&S->sources, co->_co_tracemalloc_id);
        }
        if (Py_REFCNT(co) > 0) {
            /* Renamed: a frame that runs it may be in a cache. */
            _PyTraceMalloc_FreeCaches();
        }
        tracer_end_locked();
    }
    co->_co_tracemalloc_id = CODE_NONE;
}


void
_PyTraceMalloc_ForgetThread(PyThreadState *tstate)
{
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        struct _PyTraceMalloc_ThreadCache *cache =
            ((_PyThreadStateImpl *)tstate)->tracemalloc_cache;
        if (cache != NULL) {
            _PyTraceMalloc_FreeCache(cache);
        }
        tracer_end_locked();
    }
}


/* --- C API --------------------------------------------------------------- */

/* Forget a block that is kept elsewhere than in the table of raw blocks. */
static int
block_of_python_forget(uintptr_t address, enum access access)
{
    struct block removed;
    if (access == ACCESS_DETACHED) {
        return 0;
    }
    return _PyTraceMalloc_ForgetCell(address)
           || _PyTraceMalloc_ForgetBlock(&S->large, DEFAULT_DOMAIN, address,
                                         &removed, access);
}


int
PyTraceMalloc_Track(unsigned int domain, uintptr_t address, size_t size)
{
    if (domain == DEFAULT_DOMAIN) {
        /* A block of Python's own may be replaced by this, and be freed by
           Python later. */
        if (_PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
            return -2;
        }
        S->foreign = 1;
        _Py_atomic_store_int_relaxed(&S->attention, 1);
        tracer_end_locked();
    }
    enum access access = tracer_begin();
    if (access == ACCESS_NONE) {
        return -2;
    }
    if (domain == DEFAULT_DOMAIN) {
        block_of_python_forget(address, access);
    }
    int result = _PyTraceMalloc_NoteBlock(&S->raw, domain, address, size,
                                          access);
    tracer_end(access);
    return result;
}


int
PyTraceMalloc_Untrack(unsigned int domain, uintptr_t address)
{
    enum access access = tracer_begin();
    if (access == ACCESS_NONE) {
        return -2;
    }
    struct block removed;
    if (!_PyTraceMalloc_ForgetBlock(&S->raw, domain, address, &removed, access)
        && domain == DEFAULT_DOMAIN)
    {
        block_of_python_forget(address, access);
    }
    tracer_end(access);
    return 0;
}


int
_PyTraceMalloc_IsTracing(void)
{
    return tracer_is_tracing();
}


/* --- decoding ------------------------------------------------------------ */

static void
frozen_free(struct frozen_traces *frozen)
{
    tracer_lock();
    _PyTraceMalloc_FreeFrozen(frozen);
    tracer_unlock();
}


/* What decoding has made so far; all references are strong. */
struct decoder {
    const struct frozen_traces *frozen;
    uint32_t nframe;            /* frames per traceback at most */
    PyObject **names;           /* by file_id: str */
    PyObject **frames;          /* by path_id: (filename, lineno) */
    PyObject **tracebacks;      /* by context_id: tuple of frames */
    PyObject *interned;         /* dict: traceback -> itself */
};


static void
decoder_fini(struct decoder *decoder)
{
    for (size_t i = 0; decoder->names && i < decoder->frozen->nfiles; i++) {
        Py_XDECREF(decoder->names[i]);
    }
    for (size_t i = 0; decoder->frames && i < decoder->frozen->npaths; i++) {
        Py_XDECREF(decoder->frames[i]);
    }
    for (size_t i = 0; decoder->tracebacks && i < decoder->frozen->ncontexts;
         i++)
    {
        Py_XDECREF(decoder->tracebacks[i]);
    }
    free(decoder->names);
    free(decoder->frames);
    free(decoder->tracebacks);
    Py_XDECREF(decoder->interned);
}


static int
decoder_init(struct decoder *decoder, const struct frozen_traces *frozen,
             uint32_t nframe)
{
    *decoder = (struct decoder){
        .frozen = frozen,
        .nframe = nframe,
        .names = calloc(frozen->nfiles, sizeof(PyObject *)),
        .frames = calloc(frozen->npaths, sizeof(PyObject *)),
        .tracebacks = calloc(frozen->ncontexts, sizeof(PyObject *)),
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
    decoder_fini(decoder);
    return -1;
}


/* Borrowed references, here and below. */
static PyObject *
decode_name(struct decoder *decoder, file_id id)
{
    PyObject **name = &decoder->names[id];
    if (*name == NULL) {
        const struct source_file *file = decoder->frozen->files[id];
        *name = file == NULL
            ? PyUnicode_FromString("<unknown>")
            : PyUnicode_FromKindAndData(file->kind, file->text, file->length);
    }
    return *name;
}


static PyObject *
decode_path(struct decoder *decoder, path_id id)
{
    PyObject **frame = &decoder->frames[id];
    if (*frame == NULL) {
        const struct frozen_path *path = &decoder->frozen->paths[id];
        PyObject *name = decode_name(decoder, path->file);
        if (name != NULL) {
            *frame = Py_BuildValue("(Oi)", name, (int)path->line);
        }
    }
    return *frame;
}


static PyObject *
decode_frames(struct decoder *decoder, const struct frozen_context *context)
{
    /* A block without any frame is shown with one, "<unknown>" line 0. */
    uint32_t nframe = Py_MIN(Py_MAX(context->depth, 1), decoder->nframe);
    PyObject *name = decode_name(decoder, context->file);
    PyObject *frames = name != NULL ? PyTuple_New(nframe) : NULL;
    if (frames == NULL) {
        return NULL;
    }
    PyObject *newest = Py_BuildValue("(Oi)", name, (int)context->line);
    PyTuple_SET_ITEM(frames, 0, newest);
    path_id at = context->path;
    for (uint32_t i = 1; newest != NULL && i < nframe; i++) {
        newest = Py_XNewRef(decode_path(decoder, at));
        PyTuple_SET_ITEM(frames, i, newest);
        at = decoder->frozen->paths[at].parent;
    }
    if (newest == NULL) {
        Py_CLEAR(frames);
    }
    return frames;
}


static PyObject *
decode_traceback(struct decoder *decoder, context_id id)
{
    PyObject **traceback = &decoder->tracebacks[id];
    if (*traceback == NULL) {
        PyObject *frames = decode_frames(decoder,
                                         &decoder->frozen->contexts[id]);
        if (frames != NULL) {
            /* Different contexts may look alike: cut at the limit, or two
               instructions of one line. */
            (void)PyDict_SetDefaultRef(decoder->interned, frames, frames,
                                       traceback);
            Py_DECREF(frames);
        }
    }
    return *traceback;
}


static PyObject *
decode_block(struct decoder *decoder, const struct block *block)
{
    PyObject *traceback = decode_traceback(decoder, block->context);
    if (traceback == NULL) {
        return NULL;
    }
    uint32_t depth = decoder->frozen->contexts[block->context].depth;
    int total = (int)Py_MIN(Py_MAX(depth, 1), MAX_NFRAME);
    return Py_BuildValue("(IKOi)", (unsigned int)block->domain,
                         (unsigned long long)block->size, traceback, total);
}


PyObject *
_PyTraceMalloc_GetTraceback(unsigned int domain, uintptr_t address)
{
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_NONE) {
        Py_RETURN_NONE;
    }
    struct block block;
    struct frozen_traces frozen;
    int failed = 0;
    int found = _PyTraceMalloc_LookUp(domain, address, &block);
    if (found) {
        failed = _PyTraceMalloc_FreezeBlock(&frozen, &S->sources, &S->contexts,
                                            &block);
    }
    tracer_end_locked();
    if (failed) {
        return PyErr_NoMemory();
    }
    if (!found) {
        Py_RETURN_NONE;
    }
    PyObject *traceback = NULL;
    struct decoder decoder;
    if (decoder_init(&decoder, &frozen, _PyRuntime.tracemalloc.nframe) == 0) {
        traceback = Py_XNewRef(decode_traceback(&decoder,
                                                frozen.blocks[0].context));
        decoder_fini(&decoder);
    }
    frozen_free(&frozen);
    return traceback;
}


/* --- fatal errors -------------------------------------------------------- */

static void
dump_text(int fd, const char *text)
{
    (void)_Py_write_noraise(fd, text, strlen(text));
}


static void
dump_name(int fd, const struct source_file *file)
{
    /* Like _Py_DumpASCII(), for a name that is no str: printable ASCII as it
       is, the rest escaped, long names cut. */
    const size_t longest = 500;
    for (size_t i = 0; i < Py_MIN(file->length, longest); i++) {
        Py_UCS4 ch = PyUnicode_READ((int)file->kind, file->text, i);
        if (' ' <= ch && ch <= '~') {
            char byte = (char)ch;
            (void)_Py_write_noraise(fd, &byte, 1);
        }
        else {
            int width = ch <= 0xff ? 2 : ch <= 0xffff ? 4 : 8;
            dump_text(fd, width == 2 ? "\\x" : width == 4 ? "\\u" : "\\U");
            _Py_DumpHexadecimal(fd, ch, width);
        }
    }
    if (file->length > longest) {
        dump_text(fd, "...");
    }
}


static void
dump_call_site(int fd, code_id code, int32_t line)
{
    file_id file = source_at(&S->sources, code)->file;
    dump_text(fd, "  File \"");
    if (file == FILE_NONE) {
        dump_text(fd, "<unknown>");
    }
    else {
        dump_name(fd, S->sources.names->files[file]);
    }
    dump_text(fd, "\", line ");
    _Py_DumpDecimal(fd, line);
    dump_text(fd, "\n");
}


/* Print where a block was allocated; the debug hooks of obmalloc.c call this
   when they found it damaged, just before they abort.  Allocates nothing. */
void
_PyMem_DumpTraceback(int fd, const void *ptr)
{
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_NONE) {
        dump_text(fd, "Enable tracemalloc to get the memory ");
        dump_text(fd, "block allocation traceback\n\n");
        return;
    }
    struct block block;
    if (_PyTraceMalloc_LookUp(DEFAULT_DOMAIN, (uintptr_t)ptr, &block)) {
        dump_text(fd, "Memory block allocated at (most recent call first):\n");
        const struct context *context = context_at(&S->contexts,
                                                   block.context);
        dump_call_site(fd, context->code, context->line);
        path_id at = context->path;
        for (int left = _PyRuntime.tracemalloc.nframe - 1;
             left > 0 && at != PATH_ROOT; left--)
        {
            const struct path *path = path_at(&S->contexts, at);
            dump_call_site(fd, path->code, path->line);
            at = path->parent;
        }
        dump_text(fd, "\n");
    }
    tracer_end_locked();
}


/* --- the module ---------------------------------------------------------- */

PyDoc_STRVAR(start_doc,
"start($module, nframe=1, /)\n--\n\n"
"Trace every allocation from now on.\n\n"
"A traceback shows the nframe newest frames, 1 to 65535.  Does nothing if\n"
"tracing already.");

static PyObject *
module_start(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
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
    if (_PyTraceMalloc_Start(nframe) < 0) {
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


PyDoc_STRVAR(is_tracing_doc,
"is_tracing($module, /)\n--\n\n"
"Whether allocations are being traced.");

static PyObject *
module_is_tracing(PyObject *self, PyObject *unused)
{
    return PyBool_FromLong(tracer_is_tracing());
}


PyDoc_STRVAR(clear_traces_doc,
"clear_traces($module, /)\n--\n\n"
"Forget all traces and go on tracing; both counters of traced memory\n"
"become 0.");

static PyObject *
module_clear_traces(PyObject *self, PyObject *unused)
{
    int failed = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        _PyTraceMalloc_FreeCaches();
        _PyTraceMalloc_ClearCells();
        _PyTraceMalloc_ClearBlocks(&S->large);
        _PyTraceMalloc_ClearBlocks(&S->raw);
        _PyTraceMalloc_FiniContexts(&S->contexts);
        failed = _PyTraceMalloc_InitContexts(&S->contexts);
        if (!failed) {
            _PyTraceMalloc_RecycleCodes(&S->sources, NULL);
            store_reset_lock_held();
        }
        else {
            tracing_set_lock_held(0);
            store_fini_lock_held();
        }
        tracer_end_locked();
    }
    if (failed) {
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


PyDoc_STRVAR(get_traced_memory_doc,
"get_traced_memory($module, /)\n--\n\n"
"Bytes of all traced blocks as a tuple (now, highest).\n\n"
"Exact; (0, 0) when not tracing.  O(1).");

static PyObject *
module_get_traced_memory(PyObject *self, PyObject *unused)
{
    size_t current = 0, peak = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        current = S->bytes.current;
        peak = S->bytes.peak;
        tracer_end_locked();
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
        S->bytes.peak = S->bytes.current;
        S->bytes.epoch = S->bytes.saved + 1;
        tracer_end_locked();
    }
    Py_RETURN_NONE;
}


PyDoc_STRVAR(get_tracemalloc_memory_doc,
"get_tracemalloc_memory($module, /)\n--\n\n"
"Bytes the tracer uses for its own data; 0 when not tracing.");

static PyObject *
module_get_tracemalloc_memory(PyObject *self, PyObject *unused)
{
    size_t size = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        size = _PyTraceMalloc_SizeOfSources(&S->sources)
               + _PyTraceMalloc_SizeOfContexts(&S->contexts)
               + _PyTraceMalloc_SizeOfCells(&S->cells)
               + _PyTraceMalloc_SizeOfBlocks(&S->large)
               + _PyTraceMalloc_SizeOfBlocks(&S->raw)
               + S->detached.allocated * sizeof(S->detached.counts[0])
               + S->cache_bytes;
        tracer_end_locked();
    }
    return PyLong_FromSize_t(size);
}


static int
freeze_all_lock_held(struct frozen_traces *frozen)
{
    const struct block_table *tables[] = {&S->large, &S->raw};
    size_t ncells = _PyTraceMalloc_CountCells();
    if (_PyTraceMalloc_Freeze(frozen, &S->sources, &S->contexts,
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


PyDoc_STRVAR(get_traces_doc,
"_get_traces($module, /)\n--\n\n"
"A list of (domain, size, traceback, total_nframe), one for each block.\n\n"
"A traceback is a tuple of (filename, lineno), newest frame first; equal\n"
"ones are the same object.  Empty when not tracing.  O(blocks).");

static PyObject *
module_get_traces(PyObject *self, PyObject *unused)
{
    PyObject *list = PyList_New(0);
    if (list == NULL || _PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
        return list;
    }
    struct frozen_traces frozen;
    int failed = freeze_all_lock_held(&frozen);
    tracer_end_locked();
    if (failed) {
        Py_DECREF(list);
        return PyErr_NoMemory();
    }

    /* What is made here is not part of the program's memory. */
    _PyTraceMalloc_Busy = BUSY;
    struct decoder decoder;
    failed = decoder_init(&decoder, &frozen, _PyRuntime.tracemalloc.nframe);
    if (!failed) {
        for (size_t i = 0; i < frozen.nblocks && !failed; i++) {
            PyObject *trace = decode_block(&decoder, &frozen.blocks[i]);
            failed = trace == NULL || PyList_Append(list, trace) < 0;
            Py_XDECREF(trace);
        }
        decoder_fini(&decoder);
    }
    _PyTraceMalloc_Busy = NOT_BUSY;
    frozen_free(&frozen);
    if (failed) {
        Py_CLEAR(list);
    }
    return list;
}


PyDoc_STRVAR(get_object_traceback_doc,
"_get_object_traceback($module, obj, /)\n--\n\n"
"The traceback of the object's block, newest frame first, or None if that\n"
"block is not traced.");

static PyObject *
module_get_object_traceback(PyObject *self, PyObject *obj)
{
    /* The block begins before the object if that has a GC header or a
       managed dict. */
    uintptr_t address = (uintptr_t)obj - _PyType_PreHeaderSize(Py_TYPE(obj));
    return _PyTraceMalloc_GetTraceback(DEFAULT_DOMAIN, address);
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
        tracer_end_locked();
    }
    return PyLong_FromUnsignedLongLong(dropped);
}


PyDoc_STRVAR(check_doc,
"_check($module, /)\n--\n\n"
"Walk all of the tracer's data; AssertionError if an invariant is broken.");

/* NULL, or what is wrong. */
static const char *
store_check_lock_held(void)
{
    const struct context_tree *tree = &S->contexts;
    struct live_sums *live = calloc(tree->contexts.used, sizeof(live[0]));
    if (live == NULL) {
        return "no memory for the check";
    }
    const char *fault = _PyTraceMalloc_CheckContexts(tree);
    if (fault == NULL) {
        fault = _PyTraceMalloc_CheckCells(live);
    }
    if (fault == NULL) {
        fault = _PyTraceMalloc_CheckBlocks(&S->large, tree, live);
    }
    if (fault == NULL) {
        fault = _PyTraceMalloc_CheckBlocks(&S->raw, tree, live);
    }
    uint64_t current = 0, peak = 0;
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used
         && fault == NULL; id++)
    {
        const struct context *context = context_at(tree, id);
        uint64_t peak_blocks, peak_bytes;
        context_peak(context, &S->bytes, &peak_blocks, &peak_bytes);
        current += context_live_bytes(context);
        peak += peak_bytes;
        if (live[id].blocks != context_live_blocks(context)
            || live[id].bytes != context_live_bytes(context))
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
        tracer_end_locked();
    }
    if (fault != NULL) {
        PyErr_Format(PyExc_AssertionError, "tracemalloc: %s", fault);
        return NULL;
    }
    Py_RETURN_NONE;
}


static PyMethodDef module_methods[] = {
    {"start", _PyCFunction_CAST(module_start), METH_FASTCALL, start_doc},
    {"stop", module_stop, METH_NOARGS, stop_doc},
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
    {"_get_object_traceback", module_get_object_traceback, METH_O,
     get_object_traceback_doc},
    {"_get_dropped", module_get_dropped, METH_NOARGS, get_dropped_doc},
    {"_check", module_check, METH_NOARGS, check_doc},
    {NULL, NULL, 0, NULL},
};

/* All state is the runtime's, and has locks of its own. */
static PyModuleDef_Slot module_slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_tracemalloc",
    .m_doc = PyDoc_STR("The C core of tracemalloc: see that module."),
    .m_methods = module_methods,
    .m_slots = module_slots,
};


PyMODINIT_FUNC
PyInit__tracemalloc(void)
{
    return PyModuleDef_Init(&module_definition);
}
