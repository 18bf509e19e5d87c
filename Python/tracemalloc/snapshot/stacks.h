/* Columns of snapshots, added up: functions of the module _tracemalloc; see
   stacks.c and unpickle.c. */

#ifndef TRACEMALLOC_STACKS_H
#define TRACEMALLOC_STACKS_H

#include "Python.h"

extern PyObject *_PyTraceMalloc_NumberRows(PyObject *, PyObject *const *,
                                           Py_ssize_t);
extern PyObject *_PyTraceMalloc_FoldPaths(PyObject *, PyObject *const *,
                                          Py_ssize_t);
extern PyObject *_PyTraceMalloc_RankPaths(PyObject *, PyObject *const *,
                                          Py_ssize_t);
extern PyObject *_PyTraceMalloc_SumRows(PyObject *, PyObject *const *,
                                        Py_ssize_t);
extern PyObject *_PyTraceMalloc_SumPaths(PyObject *, PyObject *const *,
                                         Py_ssize_t);
extern PyObject *_PyTraceMalloc_SumCallers(PyObject *, PyObject *const *,
                                           Py_ssize_t);
extern PyObject *_PyTraceMalloc_Highest(PyObject *, PyObject *);
extern PyObject *_PyTraceMalloc_Ascends(PyObject *, PyObject *);
extern PyObject *_PyTraceMalloc_ReadTuples(PyObject *, PyObject *);
extern PyObject *_PyTraceMalloc_SumTraces(PyObject *, PyObject *);

#endif  /* !TRACEMALLOC_STACKS_H */
