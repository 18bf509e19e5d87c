/* What the rest of the core may call of the tracer, and nothing more.

   All else is declared in Python/tracemalloc, where the tracer is. */

#ifndef Py_BUILD_CORE
#  error "pycore_tracemalloc.h is internal: define Py_BUILD_CORE to use it"
#endif

#ifndef Py_INTERNAL_TRACEMALLOC_H
#define Py_INTERNAL_TRACEMALLOC_H


/* The part of the tracer's state that lives in _PyRuntime, where a restarted
   runtime finds it back at its initial value.

   What comes behind it there has to be where it is in CPython: modules that
   were compiled with the internal headers, as CPython's own _datetime is,
   know these offsets.  So there is room for what CPython keeps here, on
   64-bit Unix. */
struct _tracemalloc_runtime_state {
    union {
        struct {
            /* What is called for each object from a free list, or NULL;
               GIL */
            void (*on_taken)(PyObject *);
            int ready;      /* between Init() and Fini(); GIL */
            int tracing;    /* written under the store lock; atomic, may lag */
            int nframe;     /* limit given to start(); GIL */
            int accounts;   /* there was an account; written under the store
                               lock; atomic, may lag */
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

/* The interpreter is about to be finalized, or the process to end without
   that: write the record for the last time.  Needs the GIL. */
PyAPI_FUNC(void) _PyTraceMalloc_EndRecord(void);

/* The process is a child that Python has forked: it needs a record of its own,
   if the parent had one. */
extern void _PyTraceMalloc_AfterFork(void);

/* How many threads of this process are the tracer's own. */
extern int _PyTraceMalloc_CountThreads(void);

/* Read PYTHONTRACEMALLOC and -X tracemalloc=... (either may be NULL) as far as
   they are our own invention, and let them end behind the number of frames.
   NULL, or what is wrong: a text that need not be freed. */
extern const char *_PyTraceMalloc_ReadOptions(const char **variable,
                                              const wchar_t **option);

/* If this process was started by one that `python -m tracemalloc run` traces,
   trace it as well.  Call when all is there that a program needs, and nothing
   of it has run. */
extern void _PyTraceMalloc_JoinFamily(void);

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

/* It is new. */
extern void _PyTraceMalloc_InitThread(PyThreadState *tstate);

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

/* Another context of contextvars is current in the calling thread, or the
   current one got another account: its ctx_account. */
extern void _PyTraceMalloc_SwitchAccount(PyThreadState *tstate);

#define _PyTraceMalloc_ContextSwitched(tstate) \
    do { \
        if (_PyRuntime.tracemalloc.accounts) { \
            _PyTraceMalloc_SwitchAccount(tstate); \
        } \
    } while (0)

/* An interpreter with a GIL of its own is about to begin.  Without a current
   thread state, this waits for the GIL.  0, or -1 when out of memory. */
extern int _PyTraceMalloc_AddGil(void);


/* --- objects ------------------------------------------------------------- */

/* Where the block begins that this thread noted last; 0 once an object was
   made in it, or when another thread of its interpreter has run since.  Core
   only, so that nobody has to call something to find it. */
#if defined(__PIC__) && !defined(__PIE__)
__attribute__((tls_model("initial-exec")))
#else
__attribute__((tls_model("local-exec")))
#endif
extern _Py_thread_local uintptr_t _PyTraceMalloc_Fresh;

static inline void
_PyTraceMalloc_ForgetFresh(void)
{
    _PyTraceMalloc_Fresh = 0;
}

/* Called for a new object whose memory may be anybody's, while there is
   somebody to tell: if it was not allocated just now, it comes from a free
   list. */
extern void _PyTraceMalloc_NewReference(PyObject *op);

/* Decide anew what is called for objects from free lists.  Call it when
   tracing begins or ends, or the user's PyRefTracer changes. */
extern void _PyTraceMalloc_ChooseObjectHook(void);


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
