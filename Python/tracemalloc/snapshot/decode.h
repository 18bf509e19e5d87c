/* Snapshots to tuples: see decode.c. */

#ifndef TRACEMALLOC_DECODE_H
#define TRACEMALLOC_DECODE_H

#include "Python.h"

#include "snapshot.h"

/* What decoding has made so far; all references are strong. */
struct decoder {
    const struct snapshot *snapshot;
    uint32_t nframe;            /* frames per traceback at most */
    PyObject **names;           /* by number: str */
    PyObject **frames;          /* by path: (filename, lineno) */
    PyObject **tracebacks;      /* by context: tuple of frames */
    PyObject *interned;         /* dict: traceback -> itself */
};

/* 0, or -1 with an exception set. */
PART int tm_init_decoder(struct decoder *, const struct snapshot *,
                         uint32_t nframe);
PART void tm_fini_decoder(struct decoder *);

/* The traceback of a context, newest frame first; a borrowed reference. */
PART PyObject *tm_decode_traceback(struct decoder *, size_t context);

/* A name, "<unknown>" for NULL; a new reference. */
PART PyObject *tm_decode_name(const struct name *);

/* A new list of (domain, size, traceback, total_nframe), one for each block,
   or as many as a sample stands for.  Empty when not tracing. */
extern PyObject *_PyTraceMalloc_ListTraces(void);

/* A new list of (domain, traceback, total_nframe, counters), one for each
   context.  With `errors`, four standard errors follow, and the list is empty
   when not sampling. */
extern PyObject *_PyTraceMalloc_ListContexts(int errors);

#endif  /* !TRACEMALLOC_DECODE_H */
