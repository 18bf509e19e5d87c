/* Snapshots for Python: see columns.c. */

#ifndef TRACEMALLOC_COLUMNS_H
#define TRACEMALLOC_COLUMNS_H

#include "Python.h"

/* The module's types; strong references. */
struct snapshot_types {
    PyTypeObject *snapshot;
    PyTypeObject *column;
};

/* Make the types of a module: 0, or -1 with an exception set. */
extern int _PyTraceMalloc_InitSnapshotTypes(PyObject *module,
                                            struct snapshot_types *);

/* A snapshot of what is traced now, without rows if `peak`.  thread_names is a
   dict {identifier: name} of threads of this interpreter, or NULL.  A new
   reference, or NULL with an exception set. */
extern PyObject *_PyTraceMalloc_NewSnapshot(const struct snapshot_types *,
                                            int peak, PyObject *thread_names);

#endif  /* !TRACEMALLOC_COLUMNS_H */
