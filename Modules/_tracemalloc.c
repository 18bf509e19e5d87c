/* _tracemalloc: the Python module.

   The face of the tracer: reads arguments, says what functions do, and calls
   the parts in Python/tracemalloc, which take the locks they need.

       hooks ---------+                                 +-- _take_snapshot()
                      +-> capture -> contexts, -> snapshot -- _get_traces(),
       PyTraceMalloc_ |   (frames)   blocks               _get_contexts()
       Track() -------+              (store)
                                        `------> the traceback of one block

   What needs no tracing, the functions that add columns up, comes from these
   parts as it is: see snapshot/reports.h. */

#include "Python.h"
#include "pycore_gc.h"            // _PyGC_ClearAllFreeLists()
#include "pycore_import.h"        // _PyImport_GetModuleAttrString()
#include "pycore_initconfig.h"    // PyStatus, _Py_GetEnv()
#include "pycore_modsupport.h"    // _PyArg_CheckPositional()
#include "pycore_pystate.h"       // _PyThreadState_GET()
#include "pycore_runtime.h"       // _PyRuntime
#include "pycore_tracemalloc.h"
#include "../Python/tracemalloc/accounts.h"
#include "../Python/tracemalloc/capture/verify.h"
#include "../Python/tracemalloc/check_store.h"
#include "../Python/tracemalloc/control.h"
#include "../Python/tracemalloc/figures.h"
#include "../Python/tracemalloc/pytracemalloc.h"
#include "../Python/tracemalloc/record/record.h"
#include "../Python/tracemalloc/sampler/sampler.h"
#include "../Python/tracemalloc/sampler/sampled_blocks.h"
#include "../Python/tracemalloc/snapshot/columns.h"
#include "../Python/tracemalloc/snapshot/decode.h"
#include "../Python/tracemalloc/snapshot/reports.h"
#include "../Python/tracemalloc/snapshot/tracebacks.h"

#ifdef HAVE_SIGNAL_H
#  include <signal.h>             // sigaction()
#endif


/* --- tracing ------------------------------------------------------------- */

PyDoc_STRVAR(start_doc,
"start($module, nframe=1, /, *, sample_interval=None, record=None,\n"
"      record_size=16777216)\n--\n\n"
"Trace allocations from now on.\n\n"
"A traceback shows the nframe newest frames, 1 to 65535.  With an interval,\n"
"1 to 2**40, only some blocks are noted, one every so many bytes in the\n"
"mean, and all figures are estimates.  Does nothing if tracing already.\n\n"
"With record, what is traced is kept in a file for other processes, also\n"
"when this one is gone: in that file, in a file of that folder, or, if it\n"
"is True, in a private folder; record_size bytes are taken for it at once.\n"
"If tracing is on already, only the record begins, unless there is one.");

/* An argument that is a number of bytes: 0, or -1 with an exception, which is
   a ValueError with this text if the number is out of range. */
static int
size_from_object(PyObject *object, uint64_t least, uint64_t most,
                 const char *out_of_range, uint64_t *size)
{
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
    if (overflow || value < 0 || (uint64_t)value < least
        || (uint64_t)value > most)
    {
        PyErr_SetString(PyExc_ValueError, out_of_range);
        return -1;
    }
    *size = (uint64_t)value;
    return 0;
}


/* The argument sample_interval: 0, or -1 with an exception. */
static int
interval_from_object(PyObject *object, uint64_t *interval)
{
    *interval = 0;
    return object == Py_None ? 0 : size_from_object(
        object, 1, MAX_SAMPLE_INTERVAL, "the sampling interval must be in "
        "range [1; 1099511627776], or None to trace every block", interval);
}


/* The arguments of start() that have names. */
struct start_arguments {
    uint64_t interval;
    PyObject *path;             /* of the record, as bytes; or NULL */
    struct record_options record;
};

/* The arguments record and record_size: 0, or -1 with an exception. */
static int
record_from_object(PyObject *object, struct start_arguments *arguments)
{
    if (object == Py_None || object == Py_False) {
        return 0;
    }
    if (object == Py_True) {
        arguments->record.place = "";
        return 0;
    }
    if (!PyUnicode_FSConverter(object, &arguments->path)) {
        return -1;
    }
    arguments->record.place = PyBytes_AS_STRING(arguments->path);
    if (arguments->record.place[0] == '\0') {
        PyErr_SetString(PyExc_ValueError, "record needs a file or a folder; "
                        "True stands for a private folder");
        return -1;
    }
    return 0;
}


static int
record_size_from_object(PyObject *object, struct start_arguments *arguments)
{
    return size_from_object(
        object, MIN_RECORD_SIZE, MAX_RECORD_SIZE, "record_size must be in "
        "range [524288; 536870912]", &arguments->record.size);
}


static int
start_read_keyword(PyObject *name, PyObject *value,
                   struct start_arguments *arguments)
{
    if (_PyUnicode_EqualToASCIIString(name, "sample_interval")) {
        return interval_from_object(value, &arguments->interval);
    }
    if (_PyUnicode_EqualToASCIIString(name, "record")) {
        return record_from_object(value, arguments);
    }
    if (_PyUnicode_EqualToASCIIString(name, "record_size")) {
        return record_size_from_object(value, arguments);
    }
    if (_PyUnicode_EqualToASCIIString(name, "nframe")) {
        /* Programs may know this text. */
        PyErr_SetString(PyExc_TypeError, "_tracemalloc.start() takes no "
                        "keyword arguments");
    }
    else {
        PyErr_Format(PyExc_TypeError, "start() got an unexpected keyword "
                     "argument '%U'; there are 'sample_interval', 'record' "
                     "and 'record_size'", name);
    }
    return -1;
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
    struct start_arguments arguments = {.record.size = DEFAULT_RECORD_SIZE};
    Py_ssize_t nkw = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    int result = 0;
    for (Py_ssize_t i = 0; i < nkw && result == 0; i++) {
        result = start_read_keyword(PyTuple_GET_ITEM(kwnames, i),
                                    args[nargs + i], &arguments);
    }
    if (result == 0) {
        result = _PyTraceMalloc_StartRecording(
            nframe, arguments.interval, &arguments.record);
    }
    Py_XDECREF(arguments.path);
    return result == 0 ? Py_NewRef(Py_None) : NULL;
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
"Start tracing if it is off, and return an object.  As long as there are\n"
"such objects it stays on, unless somebody else stops it.");

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
    return PyBool_FromLong(_PyTraceMalloc_IsTracing());
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
"Call a function whose memory is not the program's.\n\n"
"What the thread allocates meanwhile is in no snapshot and no figure.  What\n"
"it leaves in free lists is the program's as soon as that takes it from\n"
"there, and so is all that handlers of signals, finalizers, audit hooks and\n"
"trace functions allocate.");

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


PyDoc_STRVAR(deliver_once_doc,
"_deliver_once($module, signalnum, /)\n--\n\n"
"Have the next signal of a kind handled, and further ones do what they do by\n"
"default, from the moment of its delivery on.\n\n"
"Until signal.signal() is called for it again.  Does nothing where there is\n"
"no sigaction().");

static PyObject *
module_deliver_once(PyObject *self, PyObject *arg)
{
    int signalnum = PyLong_AsInt(arg);
    if (signalnum == -1 && PyErr_Occurred()) {
        return NULL;
    }
#if defined(HAVE_SIGACTION) && defined(SA_RESETHAND)
    struct sigaction action;
    if (sigaction(signalnum, NULL, &action) < 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    action.sa_flags |= (int)SA_RESETHAND;
    if (sigaction(signalnum, &action, NULL) < 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
#endif
    Py_RETURN_NONE;
}


PyDoc_STRVAR(clear_free_lists_doc,
"_clear_free_lists($module, /)\n--\n\n"
"Free the objects that the interpreter keeps to use them again.\n\n"
"A full collection of garbage does so, too, and takes the longer, the more\n"
"objects there are.");

static PyObject *
module_clear_free_lists(PyObject *self, PyObject *unused)
{
    _PyGC_ClearAllFreeLists(_PyInterpreterState_GET());
    Py_RETURN_NONE;
}


PyDoc_STRVAR(get_traced_memory_doc,
"get_traced_memory($module, /)\n--\n\n"
"Bytes of all traced blocks as a tuple (now, highest).\n\n"
"Exact, or estimates when sampling; (0, 0) when not tracing.  O(1).");

static PyObject *
module_get_traced_memory(PyObject *self, PyObject *unused)
{
    size_t current, peak;
    _PyTraceMalloc_GetTracedMemory(&current, &peak);
    return Py_BuildValue("(nn)", (Py_ssize_t)current, (Py_ssize_t)peak);
}


PyDoc_STRVAR(reset_peak_doc,
"reset_peak($module, /)\n--\n\n"
"Let the highest value of traced memory start again at the present one.");

static PyObject *
module_reset_peak(PyObject *self, PyObject *unused)
{
    _PyTraceMalloc_StartPeakAgain();
    Py_RETURN_NONE;
}


PyDoc_STRVAR(get_tracemalloc_memory_doc,
"get_tracemalloc_memory($module, /)\n--\n\n"
"Bytes the tracer uses for its own data; 0 when not tracing.");

static PyObject *
module_get_tracemalloc_memory(PyObject *self, PyObject *unused)
{
    return PyLong_FromSize_t(_PyTraceMalloc_GetOwnMemory());
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
    return _PyTraceMalloc_ListTraces();
}


PyDoc_STRVAR(get_contexts_doc,
"_get_contexts($module, /)\n--\n\n"
"A list with one tuple for each context that ever allocated:\n\n"
"(domain, traceback, total_nframe, allocated blocks, allocated bytes,\n"
" freed blocks, freed bytes, blocks at the peak, bytes at the peak)\n\n"
"Exact, or estimates when sampling (see _get_estimates()); what is live is\n"
"the difference of allocated and freed.  Several tuples may have one\n"
"traceback.  Empty when not tracing.  O(contexts), whatever the number of\n"
"blocks.");

static PyObject *
module_get_contexts(PyObject *self, PyObject *unused)
{
    return _PyTraceMalloc_ListContexts(0);
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
"fraction of a second for millions; other threads wait for a part of that.\n"
"The result's memory is not traced.\n"
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


PyDoc_STRVAR(get_estimates_doc,
"_get_estimates($module, /)\n--\n\n"
"As _get_contexts(), but each tuple goes on with four standard errors:\n\n"
"(..., of live blocks, of live bytes, of allocated blocks,\n"
" of allocated bytes)\n\n"
"That of what was freed is the root of the difference of their squares.\n"
"Empty when not sampling.  O(contexts + samples).");

static PyObject *
module_get_estimates(PyObject *self, PyObject *unused)
{
    return _PyTraceMalloc_ListContexts(1);
}


PyDoc_STRVAR(get_sample_interval_doc,
"get_sample_interval($module, /)\n--\n\n"
"The bytes from sample to sample, in the mean, or None when every block is\n"
"traced, or none.");

static PyObject *
module_get_sample_interval(PyObject *self, PyObject *unused)
{
    uint64_t interval = _PyTraceMalloc_GetSampleInterval();
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
    if (!_PyTraceMalloc_SeedSampling(bits)) {
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
    return _PyTraceMalloc_GetTraceback(DEFAULT_DOMAIN, tm_main_block(obj));
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
    return _PyTraceMalloc_GetDetails(DEFAULT_DOMAIN, tm_main_block(obj));
}


PyDoc_STRVAR(get_dropped_doc,
"_get_dropped($module, /)\n--\n\n"
"How many traces were lost since start() because there was no memory for\n"
"them.");

static PyObject *
module_get_dropped(PyObject *self, PyObject *unused)
{
    return PyLong_FromUnsignedLongLong(_PyTraceMalloc_GetDropped());
}


PyDoc_STRVAR(get_record_doc,
"_get_record($module, /)\n--\n\n"
"The path of this process's record, or None if there is none; in a child\n"
"that was just forked, it has none yet.");

static PyObject *
module_get_record(PyObject *self, PyObject *unused)
{
    char path[PATH_MAX + 256];
    if (_PyTraceMalloc_RecordPath(path, sizeof(path)) == NULL) {
        Py_RETURN_NONE;
    }
    return PyUnicode_DecodeFSDefault(path);
}


PyDoc_STRVAR(write_record_doc,
"_write_record($module, /)\n--\n\n"
"Bring the record up to date, for tests; it is otherwise every second or\n"
"so.  Raises OSError if there is none, or it cannot be written.");

static PyObject *
module_write_record(PyObject *self, PyObject *unused)
{
    int result;
    do {
        result = _PyTraceMalloc_WriteRecord();
    } while (result > 0);
    if (result < 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}


PyDoc_STRVAR(end_record_doc,
"_end_record($module, /)\n--\n\n"
"End the record, if there is one, as the end of the process does.");

static PyObject *
module_end_record(PyObject *self, PyObject *unused)
{
    _PyTraceMalloc_EndRecord();
    Py_RETURN_NONE;
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
    struct store_counts counts;
    if (!_PyTraceMalloc_GetCounts(&counts)) {
        return PyDict_New();
    }
    return Py_BuildValue(
        "{sKsKsnsnsKsKsKsK}",
        "contexts", (unsigned long long)counts.contexts,
        "paths", (unsigned long long)counts.nodes,
        "codes", (Py_ssize_t)counts.codes,
        "names", (Py_ssize_t)counts.names,
        "contexts_made", (unsigned long long)counts.contexts_made,
        "paths_made", (unsigned long long)counts.nodes_made,
        "blocks", (unsigned long long)counts.blocks,
        "blocks_made", (unsigned long long)counts.blocks_made);
}


PyDoc_STRVAR(check_doc,
"_check($module, /)\n--\n\n"
"Walk all of the tracer's data; AssertionError if an invariant is broken.");

static PyObject *
module_check(PyObject *self, PyObject *unused)
{
    const char *fault = _PyTraceMalloc_CheckStore();
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


/* --- children of `run` --------------------------------------------------- */

/* Lib/tracemalloc/_cli/family.py sets it, and knows what is in it. */
#define FAMILY_VARIABLE "_PYTHON_TRACEMALLOC_RUN"

/* Whether multiprocessing has started this process. */
static int
family_is_worker(const PyConfig *config)
{
    for (Py_ssize_t i = 1; i < config->orig_argv.length; i++) {
        if (wcsstr(config->orig_argv.items[i], L"from multiprocessing.")) {
            return 1;
        }
    }
    return 0;
}


void
_PyTraceMalloc_JoinFamily(void)
{
    const PyConfig *config = _Py_GetConfig();
    const char *value = _Py_GetEnv(config->use_environment, FAMILY_VARIABLE);
    if (value == NULL) {
        return;
    }
    PyObject *result = NULL;
    if (strncmp(value, "own\n", 4) == 0 && !family_is_worker(config)) {
        // Another program, which is not to notice: nothing is imported that
        // it does not have, and what it starts does not come here.
        PyObject *variables = _PyImport_GetModuleAttrString("os", "environ");
        if (variables != NULL) {
            result = PyObject_CallMethod(variables, "pop", "sO",
                                         FAMILY_VARIABLE, Py_None);
            Py_DECREF(variables);
        }
    }
    else {
        PyObject *join = _PyImport_GetModuleAttrString(
            "tracemalloc._cli.family", "join");
        if (join != NULL) {
            result = PyObject_CallNoArgs(join);
            Py_DECREF(join);
        }
    }
    if (result == NULL) {
        PyErr_FormatUnraisable("A child of python -m tracemalloc run cannot "
                               "be traced");
    }
    Py_XDECREF(result);
}


static PyMethodDef module_methods[] = {
    {"start", _PyCFunction_CAST(module_start), METH_FASTCALL | METH_KEYWORDS,
     start_doc},
    {"stop", module_stop, METH_NOARGS, stop_doc},
    {"_claim", module_claim, METH_O, claim_doc},
    {"_quietly", _PyCFunction_CAST(module_quietly), METH_FASTCALL,
     quietly_doc},
    {"_deliver_once", module_deliver_once, METH_O, deliver_once_doc},
    {"_clear_free_lists", module_clear_free_lists, METH_NOARGS,
     clear_free_lists_doc},
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
    {"_get_record", module_get_record, METH_NOARGS, get_record_doc},
    {"_write_record", module_write_record, METH_NOARGS, write_record_doc},
    {"_end_record", module_end_record, METH_NOARGS, end_record_doc},
    {"_get_counts", module_get_counts, METH_NOARGS, get_counts_doc},
    {"_check", module_check, METH_NOARGS, check_doc},
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
    {.slot = Py_mod_exec, .value = _PyTraceMalloc_AddPicks},
    {.slot = Py_mod_exec, .value = _PyTraceMalloc_AddFolding},
    {.slot = Py_mod_exec, .value = _PyTraceMalloc_AddSums},
    {.slot = Py_mod_exec, .value = _PyTraceMalloc_AddUnpickling},
    {.slot = Py_mod_exec, .value = _PyTraceMalloc_AddRawTraces},
    {.slot = Py_mod_exec, .value = _PyTraceMalloc_AddAccounts},
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
