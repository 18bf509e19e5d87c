/* The functions of pytracemalloc: see pytracemalloc.c. */

#ifndef TRACEMALLOC_PYTRACEMALLOC_H
#define TRACEMALLOC_PYTRACEMALLOC_H

#include "Python.h"

/* Add them to the module `_tracemalloc`: 0, or -1 with an exception set. */
extern int _PyTraceMalloc_AddPytracemalloc(PyObject *module);

#endif  /* !TRACEMALLOC_PYTRACEMALLOC_H */
