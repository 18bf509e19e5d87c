/* New references to objects whose memory is known: _Py_NewReference() where
   the caller need not be asked whether it allocated.

   A part of pycore_object.h.  Modules, and builds that keep books of their
   own for each reference, call _Py_NewReference(), which serves any caller. */

#ifndef Py_BUILD_CORE
#  error "pycore_newreference.h is internal: define Py_BUILD_CORE to use it"
#endif

#ifndef Py_INTERNAL_NEWREFERENCE_H
#define Py_INTERNAL_NEWREFERENCE_H

#include "pycore_runtime.h"       // _PyRuntime
#include "pycore_tracemalloc.h"   // _PyTraceMalloc_ForgetFresh()

/* Tell the user's tracer of references, if there is one. */
extern void _PyRefTracer_Created(PyObject *op);

#if (defined(Py_BUILD_CORE_MODULE) || defined(Py_GIL_DISABLED) \
     || defined(Py_REF_DEBUG) || defined(Py_TRACE_REFS))
#  define _Py_NewReferenceAllocated(op) _Py_NewReference(op)
#  define _Py_NewReferenceTaken(op) _Py_NewReference(op)
#  define _Py_NewReferenceTakenCall(op) _Py_NewReference(op)
#else

/* The object's memory was allocated just now. */
static inline void
_Py_NewReferenceAllocated(PyObject *op)
{
    op->ob_refcnt = 1;
    _PyTraceMalloc_ForgetFresh();
    if (_PyRuntime.ref_tracer.tracer_func != NULL) {
        _PyRefTracer_Created(op);
    }
}


/* The object was taken from a free list. */
static inline void
_Py_NewReferenceTaken(PyObject *op)
{
    op->ob_refcnt = 1;
    void (*taken)(PyObject *) = _PyRuntime.tracemalloc.on_taken;
    if (taken != NULL) {
        taken(op);
    }
}


/* The same, where the compiler would no longer put its caller into the callers
   of that: as small as the call of _Py_NewReference() was. */
extern void _Py_NewReferenceTakenCall(PyObject *op);

#endif

#endif  /* !Py_INTERNAL_NEWREFERENCE_H */
