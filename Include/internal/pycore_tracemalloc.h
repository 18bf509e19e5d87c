/* What the rest of the core may call of the tracer, and nothing more.

   All else is declared in Python/tracemalloc, where the tracer is. */

#ifndef Py_BUILD_CORE
#  error "pycore_tracemalloc.h is internal: define Py_BUILD_CORE to use it"
#endif

#ifndef Py_INTERNAL_TRACEMALLOC_H
#define Py_INTERNAL_TRACEMALLOC_H


/* The block noted last, if no object was made in it yet.  Not side by side, or
   the compiler makes a vector of both first. */
struct _PyTraceMalloc_Fresh {
    uintptr_t block;
    uintptr_t between;
    size_t size;
};

/* The part of the tracer's state that lives in _PyRuntime, where a restarted
   runtime finds it back at its initial value.

   What comes behind it there has to be where it is in CPython: modules that
   were compiled with the internal headers, as CPython's own _datetime is,
   know these offsets.  So there is room for what CPython keeps here, on
   64-bit Unix. */
struct _tracemalloc_runtime_state {
    union {
        struct {
            /* While there is one GIL; later empty, and each interpreter has
               its own: see tm_fresh() in Python/tracemalloc/state.h. */
            struct _PyTraceMalloc_Fresh fresh;
            /* What is called for each new object, or NULL; GIL */
            void (*on_create)(PyObject *);
            int ready;      /* between Init() and Fini(); GIL */
            int tracing;    /* written under the store lock; atomic, may lag */
            int nframe;     /* limit given to start(); GIL */
        };
        char room[232];
    };
};

#define _tracemalloc_runtime_state_INIT {.nframe = 1}


/* --- life cycle (Python/pylifecycle.c) ----------------------------------- */

extern PyStatus _PyTraceMalloc_Init(void);

/* Start tracing with at most nframe frames per traceback.  0, or -1 with a
   ValueError or MemoryError set.  Does nothing if already tracing. */
extern int _PyTraceMalloc_Start(int nframe);

/* _PyTraceMalloc_Start() with another interval than the options': bytes, or 0
   to trace every block. */
extern int _PyTraceMalloc_StartSampling(int nframe, uint64_t interval);

/* Read PYTHONTRACEMALLOC and -X tracemalloc=... (either may be NULL) as far as
   they are our own invention, and let them end behind the number of frames.
   NULL, or what is wrong: a text that need not be freed. */
extern const char *_PyTraceMalloc_ReadOptions(const char **variable,
                                              const wchar_t **option);

/* Stop tracing and forget all traces.  Needs the GIL. */
extern void _PyTraceMalloc_Stop(void);

/* Release everything.  PyTraceMalloc_Track() and the hooks may still be
   called afterwards, and do nothing. */
extern void _PyTraceMalloc_Fini(void);


/* --- code objects and threads -------------------------------------------- */

struct _PyTraceMalloc_ThreadCache;

/* The code object is about to die, or to get another file name: contexts that
   name it keep what they have, and it gets a new number when met again.  Call
   only if co->_co_tracemalloc_id is not 0. */
extern void _PyTraceMalloc_RetireCodeObject(PyCodeObject *co);

/* The thread state's memory goes away. */
extern void _PyTraceMalloc_ForgetThread(PyThreadState *tstate);

/* A frame on the calling thread's stack goes on at another instruction than
   the one at which it called. */
extern void _PyTraceMalloc_FrameMoved(struct _PyInterpreterFrame *frame);

/* What the thread allocates from now on is the tracer's own, or, with 0, the
   program's again: what it was before.  The calling thread's state, whose
   GIL is held. */
extern int _PyTraceMalloc_SetQuiet(PyThreadState *tstate, int quiet);

/* Code of the program is called where the tracer's library may be at work, and
   has returned; give back what the first call returned. */
static inline int
_PyTraceMalloc_BeginProgram(PyThreadState *tstate)
{
    return _PyTraceMalloc_SetQuiet(tstate, 0);
}

static inline void
_PyTraceMalloc_EndProgram(PyThreadState *tstate, int was_quiet)
{
    (void)_PyTraceMalloc_SetQuiet(tstate, was_quiet);
}

/* An interpreter with a GIL of its own is about to begin.  Without a current
   thread state, this waits for the GIL.  0, or -1 when out of memory. */
extern int _PyTraceMalloc_AddGil(void);


/* --- objects ------------------------------------------------------------- */

/* Called for each new object while tracing (see PyRefTracer in
   Objects/object.c): one that comes from a free list now belongs to the line
   that takes it. */
extern void _PyTraceMalloc_NewReference(PyObject *op);

/* _PyTraceMalloc_NewReference() when sampling. */
extern void _PyTraceMalloc_SampledReference(PyObject *op);

/* Which of the two is to be called for each new object; NULL for none. */
typedef void (*_PyTraceMalloc_CreateHook)(PyObject *);
extern _PyTraceMalloc_CreateHook _PyTraceMalloc_GetCreateHook(void);

/* Whether the object lies in the block that was noted last, so that nothing
   needs to be done.  Yes only once: next time it comes from a free list. */
static inline int
_PyTraceMalloc_IsFresh(struct _PyTraceMalloc_Fresh *fresh, const void *op)
{
    if ((uintptr_t)op - fresh->block >= fresh->size) {
        return 0;
    }
    fresh->size = 0;
    return 1;
}

/* Objects/object.c: decide anew what is called for each new object.  Call it
   when tracing begins or ends, or the user's PyRefTracer changes. */
extern void _PyRefTracer_ChooseCreateHook(void);


/* --- the alarm ----------------------------------------------------------- */

/* A bit of the eval breaker, beside those of pycore_ceval.h: the thread's last
   allocations set off an alarm (Python/tracemalloc/hooks/alarm.c). */
#define _PY_TRACEMALLOC_ALARM_BIT (1U << 7)

/* Take the bit back and call who set the alarm.  What that raises is reported
   and dropped. */
extern void _PyTraceMalloc_RunAlarm(PyThreadState *tstate);


/* --- questions ----------------------------------------------------------- */

extern int _PyTraceMalloc_IsTracing(void);

/* The traceback of a block: a new tuple of (filename, lineno), newest first,
   or None if the block is not traced.  NULL with an exception on error.
   Exported for _testinternalcapi. */
PyAPI_FUNC(PyObject *) _PyTraceMalloc_GetTraceback(unsigned int domain,
                                                   uintptr_t address);

#endif  /* !Py_INTERNAL_TRACEMALLOC_H */
