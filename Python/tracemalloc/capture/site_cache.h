/* Call sites met before, by instruction and caller: what is known of them is
   found at once, by all threads.  An entry is right or absent: it names its
   key, and what it names is not reclaimed before the cache is cleared. */

#ifndef TRACEMALLOC_SITE_CACHE_H
#define TRACEMALLOC_SITE_CACHE_H

#include "pycore_frame.h"         // _PyInterpreterFrame

#include "../store/call_tree.h"
#include "../store/cells.h"

/* What is known of an instruction under a caller. */
struct site {
    struct context *context;    /* of an allocation there */
    uint32_t cell;              /* of a block there without slack: which
                                   context that is; 0: not known */
    node_id node;               /* for callees; NODE_NONE: not known */
};

/* The context of sites that have none: it has no room for any block, so that
   who asks for that need not ask for more.  Never written to. */
extern struct context _PyTraceMalloc_NoContext;

#define NO_SITE ((struct site){&_PyTraceMalloc_NoContext, 0, NODE_NONE})

static inline context_id
tm_site_context(const struct site *site)
{
    return CELL_CONTEXT(site->cell);
}

/* What runs where, but for the instruction: a code object, and the node of its
   caller.  One number, which is made, compared and hashed in a register. */
typedef uint64_t site_key;

static inline site_key
tm_site_key(code_id code, node_id parent)
{
    return (site_key)parent << 32 | code;
}

static inline code_id
tm_key_code(site_key key)
{
    return (code_id)key;
}

static inline node_id
tm_key_parent(site_key key)
{
    return (node_id)(key >> 32);
}

/* A call site under a caller, met before: saves looking its line up, and then
   its node and its context. */
struct cached_site {
    const _Py_CODEUNIT *instruction;
    site_key key;
    struct site site;
};

/* How many there are of them: few at first, since small programs need no
   more memory than these take, and all as soon as there are many contexts. */
#define FIRST_SITES 1024
#define MOST_SITES 4096

/* By tm_site_cache_at(); access.  Not part of the tracer's state: its address
   costs nothing then. */
extern struct cached_site _PyTraceMalloc_SiteCache[MOST_SITES];

/* The offset in bytes of the last one that is used, which has all bits that
   such an offset may have; access. */
extern uint32_t _PyTraceMalloc_LastSite;
#define LAST_SITE(n) (((n) - 1) * (uint32_t)sizeof(struct cached_site))

/* Where the instructions of a key begin in the cache, as an offset in bytes;
   higher bits are noise. */
static inline uint32_t
tm_site_salt(site_key key)
{
    return (uint32_t)(key * 0x9e3779b97f4a7c15u >> 32);
}

/* The place of an instruction: those of one key, which are multiples of two
   bytes, lie side by side. */
static inline struct cached_site *
tm_site_cache_at(const _Py_CODEUNIT *instruction, uint32_t salt)
{
    size_t offset = (uintptr_t)instruction * (sizeof(struct cached_site) / 2);
    offset = (offset ^ salt) & _PyTraceMalloc_LastSite;
    return (struct cached_site *)((char *)_PyTraceMalloc_SiteCache + offset);
}

static inline int
tm_site_is(const struct cached_site *cached, const _Py_CODEUNIT *instruction,
           site_key key)
{
    return cached->instruction == instruction && cached->key == key;
}


/* What is known, or NULL. */
static inline const struct cached_site *
tm_site_cached(const _Py_CODEUNIT *instruction, site_key key, uint32_t salt)
{
    const struct cached_site *cached = tm_site_cache_at(instruction, salt);
    return tm_site_is(cached, instruction, key) ? cached : NULL;
}

/* Forget all of them; needs access, like the next. */
PART void tm_clear_site_cache(void);

/* The same, and use all from now on. */
PART void tm_widen_site_cache(void);

#endif  /* !TRACEMALLOC_SITE_CACHE_H */
