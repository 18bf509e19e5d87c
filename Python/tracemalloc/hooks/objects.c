/* Objects: which come from free lists, and who is told.

   An object from a free list belongs to who takes it, but passes no
   allocator.  Called by whoever makes one; calls what moves its block, by the
   way that is traced.

       CPython allocates       _Py_NewReferenceAllocated()   nobody is told
       CPython's free lists    _Py_NewReferenceTaken()       on_taken
       an extension            _Py_NewReference()            object_taken(),
                                                             unless it is fresh

   The first two know what they do (pycore_newreference.h).  An extension has
   free lists of its own, or has just called PyObject_Malloc(); PyObject_Init()
   cannot tell.  So the thread remembers where the block begins that it noted
   last: *fresh* memory.

   Invariant: the block that is fresh was given to this thread, and no object
   has been made in it yet; for whoever makes one forgets it, and so does a
   thread that gets the GIL back from another, which may have freed the
   block.  It cannot be in a free list then. */

#include "Python.h"
#include "pycore_newreference.h"
#include "pycore_object.h"        // _PyReftracerTrack()
#include "../access.h"
#include "objects.h"
#include "pymalloc.h"

#define S (&_PyTraceMalloc_State)

_Py_thread_local uintptr_t _PyTraceMalloc_Fresh;

/* More than lies before any object in its block. */
#define HEADERS 512


/* Where the block begins in which the object lies; 0 if that is not known. */
static uintptr_t
object_block(PyObject *op)
{
    int sampling = tm_is_sampling();
    enum access access = sampling ? _PyTraceMalloc_BeginLocked() : tm_begin();
    if (access == ACCESS_NONE) {
        return 0;
    }
    uintptr_t block = _PyTraceMalloc_BlockOfObject(op);
    if (sampling) {
        tm_end_locked();
    }
    else {
        tm_end(access);
    }
    return block;
}


/* Whether the object's memory was allocated just now.  Yes only once: next
   time it comes from a free list. */
static int
object_take_fresh(PyObject *op)
{
    uintptr_t fresh = _PyTraceMalloc_Fresh, before = (uintptr_t)op - fresh;
    if (fresh == 0 || before >= HEADERS
        || (before != 0 && object_block(op) != fresh))
    {
        return 0;
    }
    _PyTraceMalloc_ForgetFresh();
    return 1;
}


void
_PyRefTracer_Created(PyObject *op)
{
    _PyReftracerTrack(op, PyRefTracer_CREATE);
}


#ifndef _Py_NewReferenceTakenCall
void
_Py_NewReferenceTakenCall(PyObject *op)
{
    _Py_NewReferenceTaken(op);
}
#endif


static void (*
object_hook(void))(PyObject *)
{
    return !tm_is_tracing() ? NULL
           : tm_is_sampling() ? _PyTraceMalloc_TakeSampledObject
           : S->objects_have_cells ? _PyTraceMalloc_TakeAnyObject
           : _PyTraceMalloc_MoveObject;
}


/* For both, the tracer and the user's. */
static void
object_taken(PyObject *op)
{
    void (*taken)(PyObject *) = object_hook();
    if (taken != NULL) {
        taken(op);
    }
    _PyRefTracer_Created(op);
}


void
_PyTraceMalloc_NewReference(PyObject *op)
{
    /* Who has no GIL has no free list. */
    if (_PyThreadState_GET() == NULL || object_take_fresh(op)) {
        _PyRefTracer_Created(op);
    }
    else {
        object_taken(op);
    }
}


void
_PyTraceMalloc_ChooseObjectHook(void)
{
    /* One pointer to test, whoever wants to know. */
    void (*hook)(PyObject *) = object_hook();
    _PyRuntime.tracemalloc.on_taken =
        _PyRuntime.ref_tracer.tracer_func != NULL ? object_taken
        : hook == _PyTraceMalloc_TakeAnyObject ? _PyTraceMalloc_TakeObject
        : hook;
}
