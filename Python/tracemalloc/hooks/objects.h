/* Objects from free lists: see objects.c. */

#ifndef TRACEMALLOC_OBJECTS_H
#define TRACEMALLOC_OBJECTS_H

#include "Python.h"
#include "pycore_tracemalloc.h"

/* Remember the block that the thread has noted, until there is an object. */
static inline void
tm_set_fresh(const void *block)
{
    _PyTraceMalloc_Fresh = (uintptr_t)block;
}

/* What is called for an object from a free list, with a GIL, by who traces
   how: pymalloc with cells (pymalloc.c.h), the first for CPython's free lists
   alone; other allocators (blocks.c), samples (allocators.c.h). */
extern void _PyTraceMalloc_TakeObject(PyObject *);
extern void _PyTraceMalloc_TakeAnyObject(PyObject *);
extern void _PyTraceMalloc_MoveObject(PyObject *);
extern void _PyTraceMalloc_TakeSampledObject(PyObject *);

#endif  /* !TRACEMALLOC_OBJECTS_H */
