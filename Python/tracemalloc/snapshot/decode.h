/* Decoding frozen traces: see Python/tracemalloc_decode.c. */

#ifndef TRACEMALLOC_DECODE_H
#define TRACEMALLOC_DECODE_H

#include "frozen.h"
#include "../store/locations.h"

/* The highest limit of frames, and the highest total that is told. */
#define MAX_NFRAME 65535

/* What decoding has made so far; all references are strong. */
struct decoder {
    const struct frozen_traces *frozen;
    uint32_t nframe;            /* frames per traceback at most */
    PyObject **names;           /* by name_id: str */
    PyObject **frames;          /* by node_id: (filename, lineno) */
    PyObject **tracebacks;      /* by context_id: tuple of frames */
    PyObject *interned;         /* dict: traceback -> itself */
};

/* 0, or -1 with an exception set. */
extern int _PyTraceMalloc_InitDecoder(struct decoder *,
                                      const struct frozen_traces *,
                                      uint32_t nframe);
extern void _PyTraceMalloc_FiniDecoder(struct decoder *);

/* The traceback of a context, newest frame first; a borrowed reference. */
extern PyObject *_PyTraceMalloc_DecodeTraceback(struct decoder *, context_id);

/* What is known of each of these frames besides its line: a tuple of
   (function, end line, column, end column), None for what is not; a new
   reference.  The allocating instruction stands at `where`. */
extern PyObject *_PyTraceMalloc_DecodeDetails(struct decoder *, context_id,
                                              const struct location *where);

/* How many frames it had before it was cut. */
extern int _PyTraceMalloc_TotalFrames(const struct decoder *, context_id);

/* (domain, size, traceback, total_nframe); a new reference. */
extern PyObject *_PyTraceMalloc_DecodeBlock(struct decoder *,
                                            const struct block *);


/* --- Modules/_tracemalloc.c ---------------------------------------------- */

/* Freeze all blocks and contexts; needs access and the lock.  0, or -1 when
   out of memory. */
extern int _PyTraceMalloc_FreezeAll_lock_held(struct frozen_traces *);

/* Leave out the library's own blocks. */
extern void _PyTraceMalloc_HideOwn(struct frozen_traces *);

/* Bytes of all the tracer's data. */
extern size_t _PyTraceMalloc_SizeOfStore_lock_held(void);


/* --- Python/tracemalloc_pytracemalloc.c ---------------------------------- */

/* Add the functions of pytracemalloc to the module `_tracemalloc`. */
extern int _PyTraceMalloc_AddPytracemalloc(PyObject *module);

#endif  /* !TRACEMALLOC_DECODE_H */
