/* Functions of the module _tracemalloc for snapshots: see
   Python/tracemalloc_stacks.c and Python/tracemalloc_unpickle.c. */

#ifndef Py_BUILD_CORE
#  error "pycore_tracemalloc_stacks.h is internal"
#endif

#ifndef Py_INTERNAL_TRACEMALLOC_STACKS_H
#define Py_INTERNAL_TRACEMALLOC_STACKS_H

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

#endif  /* !Py_INTERNAL_TRACEMALLOC_STACKS_H */
