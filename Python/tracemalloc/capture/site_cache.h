/* Call sites met before, by instruction and caller: what is known of them is
   found at once, by all threads.  An entry is right or absent: it names its
   key, and what it names is not reclaimed before the cache is cleared. */

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


/* What is known, or NULL. */
static inline const struct cached_site *
tm_site_cached(const _Py_CODEUNIT *instruction, node_id parent, code_id code)
{
    const struct cached_site *cached = tm_site_cache_at(instruction, parent);
    if (cached->instruction != instruction || cached->parent != parent
        || cached->site.code != code)
    {
        return NULL;
    }
    return cached;
}

/* Forget all of them; needs access. */
PART void tm_clear_site_cache(void);

#endif  /* !TRACEMALLOC_SITE_CACHE_H */
