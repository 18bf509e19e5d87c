/* Call sites met before, and where frames are in a thread's cache: see
   capture.c. */

#ifndef TRACEMALLOC_SITE_CACHE_H
#define TRACEMALLOC_SITE_CACHE_H

#include "pycore_frame.h"         // _PyInterpreterFrame

#include "../store/call_tree.h"

/* What is known of an instruction under a caller. */
struct site {
    struct context *context;    /* of an allocation there; NULL: not known */
    context_id context_id;
    code_id code;
};

/* Where a frame is, in a thread's cache. */
struct frame_entry {
    _PyInterpreterFrame *frame;
    const _Py_CODEUNIT *instruction;    /* where the frame was */
    struct site site;
    node_id parent;             /* node of the entry below */
    node_id node;               /* own, for callees; NODE_NONE: not known */
};

/* A call site under a caller, met before: saves looking its line up, and then
   its node and its context. */
struct cached_site {
    const _Py_CODEUNIT *instruction;
    struct site site;
    node_id parent;
    node_id node;               /* or NODE_NONE */
};

#define SITE_CACHE_SIZE 1024

/* By tm_site_cache_at(); access.  Not part of the tracer's state: its address
   costs nothing then. */
extern struct cached_site _PyTraceMalloc_SiteCache[SITE_CACHE_SIZE];

static inline struct cached_site *
tm_site_cache_at(const _Py_CODEUNIT *instruction, node_id parent)
{
    size_t key = ((uintptr_t)instruction >> 1) ^ (size_t)parent * 0x9e3779b1u;
    return &_PyTraceMalloc_SiteCache[(key ^ key >> 10) % SITE_CACHE_SIZE];
}

#endif  /* !TRACEMALLOC_SITE_CACHE_H */
