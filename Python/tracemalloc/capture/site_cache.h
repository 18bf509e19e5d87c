/* Call sites met before, and where frames are in a thread's cache: see
   capture.c. */

#ifndef TRACEMALLOC_SITE_CACHE_H
#define TRACEMALLOC_SITE_CACHE_H

#include "pycore_frame.h"         // _PyInterpreterFrame

#include "../store/contexts.h"

/* What is known of an instruction under a caller. */
struct place {
    struct context *context;    /* of an allocation there; NULL: not known */
    context_id context_id;
    code_id code;
};

/* Where a frame is, in a thread's cache. */
struct path_entry {
    _PyInterpreterFrame *frame;
    const _Py_CODEUNIT *instruction;    /* where the frame was */
    struct place place;
    path_id parent;             /* path of the entry below */
    path_id path;               /* own, for callees; PATH_NONE: not known */
};

/* A call site under a caller, met before: saves looking its line up, and then
   its path and its context. */
struct site {
    const _Py_CODEUNIT *instruction;
    struct place place;
    path_id parent;
    path_id path;               /* or PATH_NONE */
};

#define SITES 1024

/* By site_at(); access.  Not part of the tracer's state: its address
   costs nothing then. */
extern struct site _PyTraceMalloc_Sites[SITES];

static inline struct site *
site_at(const _Py_CODEUNIT *instruction, path_id parent)
{
    size_t key = ((uintptr_t)instruction >> 1) ^ (size_t)parent * 0x9e3779b1u;
    return &_PyTraceMalloc_Sites[(key ^ key >> 10) % SITES];
}

#endif  /* !TRACEMALLOC_SITE_CACHE_H */
