/* What the rest of the core may call of sampling, beside pycore_tracemalloc.h;
   see Objects/tracemalloc_samples.c. */

#ifndef Py_INTERNAL_TRACEMALLOC_SAMPLING_H
#define Py_INTERNAL_TRACEMALLOC_SAMPLING_H

#ifndef Py_BUILD_CORE
#  error "pycore_tracemalloc_sampling.h is internal: define Py_BUILD_CORE"
#endif

/* Read PYTHONTRACEMALLOC and -X tracemalloc=... (either may be NULL) as far as
   they are our own invention, and let them end behind the number of frames.
   NULL, or what is wrong: a text that need not be freed. */
extern const char *_PyTraceMalloc_ReadOptions(const char **variable,
                                              const wchar_t **option);

/* _PyTraceMalloc_Start() with another interval than the options': bytes, or 0
   to trace every block. */
extern int _PyTraceMalloc_StartSampling(int nframe, uint64_t interval);

/* _PyTraceMalloc_NewReference() when sampling. */
extern void _PyTraceMalloc_SampledReference(PyObject *op);

/* Which of the two is to be called for each new object; NULL for none. */
typedef void (*_PyTraceMalloc_CreateHook)(PyObject *);
extern _PyTraceMalloc_CreateHook _PyTraceMalloc_GetCreateHook(void);

#endif  /* !Py_INTERNAL_TRACEMALLOC_SAMPLING_H */
