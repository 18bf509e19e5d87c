/* The traceback of one block: see tracebacks.c. */

#ifndef TRACEMALLOC_TRACEBACKS_H
#define TRACEMALLOC_TRACEBACKS_H

#include "Python.h"
#include "pycore_object.h"        // _PyType_PreHeaderSize()

#include "trace_copy.h"

/* Where the main block of an object begins: before the object, if that has a
   GC header or a managed dict. */
static inline uintptr_t
tm_main_block(PyObject *obj)
{
    return (uintptr_t)obj - _PyType_PreHeaderSize(Py_TYPE(obj));
}

/* Copy what is known of the block at an address: 1, 0 if it is not traced, or
   -1 with an exception set. */
PART int tm_find_trace(struct trace_copy *, uint32_t domain,
                       uintptr_t address, int locate);

/* Free it, without the lock. */
PART void tm_drop_trace(struct trace_copy *);

/* A tuple of (filename, lineno), newest frame first; a new reference. */
PART PyObject *tm_decode_trace(const struct trace_copy *);

/* What is known of each of the frames of a block besides its line: a tuple of
   (function, end line, column, end column), None for what is not; or None if
   the block is not traced.  A new reference. */
extern PyObject *_PyTraceMalloc_GetDetails(unsigned int domain,
                                           uintptr_t address);

#endif  /* !TRACEMALLOC_TRACEBACKS_H */
