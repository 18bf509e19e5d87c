/* What the module `_tracemalloc` has for reports and readers of files: none of
   it needs tracing. */

#ifndef TRACEMALLOC_REPORTS_H
#define TRACEMALLOC_REPORTS_H

#include "Python.h"

/* Add the functions of picks.c, folding.c, sums.c, unpickle.c and raw_traces.c
   to the module: 0, or -1 with an exception set. */
extern int _PyTraceMalloc_AddPicks(PyObject *module);
extern int _PyTraceMalloc_AddFolding(PyObject *module);
extern int _PyTraceMalloc_AddSums(PyObject *module);
extern int _PyTraceMalloc_AddUnpickling(PyObject *module);
extern int _PyTraceMalloc_AddRawTraces(PyObject *module);

#endif  /* !TRACEMALLOC_REPORTS_H */
