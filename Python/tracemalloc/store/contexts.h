/* Paths and contexts: see contexts.c. */

#ifndef TRACEMALLOC_CONTEXTS_H
#define TRACEMALLOC_CONTEXTS_H

#include "../core.h"

/* A call site under its caller. */
struct path {
    path_id parent;             /* PATH_NONE: unused, or the root */
    code_id code;               /* fixed while used; unused: next unused */
    int32_t line;               /* fixed while used; >= 0 */
    uint32_t depth;             /* frames up to the root; fixed while used */
    path_id first_child;        /* atomic; in no index; or PATH_NONE */
    context_id first_context;   /* the same */
};

/* What was allocated and freed at a place, ever; live is the difference.  The
   order keeps apart what is changed together: as a pair it would be loaded as
   one vector just after being stored as two words, and wait. */
struct counters {
    union {
        uint64_t allocated_blocks;
        struct counters *next_unused;
    };
    uint64_t freed_blocks;
    uint64_t allocated_bytes;
    uint64_t freed_bytes;
    /* Live when traced memory was highest; see `epoch`. */
    uint64_t peak_blocks;
    uint64_t peak_bytes;
};

/* A place that allocates.  Nearly all allocate little: they count beside their
   key, in as few bits as that takes.  All others have counters. */
struct context {
    path_id path;               /* the callers; PATH_NONE: unused */
    code_id code;               /* fixed while used; unused: next unused */
    uint32_t site;              /* see CONTEXT_SITE(); fixed while used */
    int32_t line;               /* fixed while used; >= 0 */
    union {
        struct {
            uint16_t allocated_bytes;
            uint16_t peak_bytes;
            uint8_t allocated_blocks;
            uint8_t peak_blocks;
        } few;
        struct counters *counters;      /* if `full` */
    };
    /* Of the few, too, but over no pointer: see CountLost(). */
    uint16_t freed_bytes;
    uint8_t freed_blocks;
    uint8_t full;               /* whether there are counters; stays so */
    /* What is said to be live at the peak is, if this is the current epoch;
       otherwise what is live now was live at the peak. */
    uint32_t epoch;
};

#ifdef Py_TRACEMALLOC_STRESS
#  define MAX_FEW 5
#else
#  define MAX_FEW UINT8_MAX
#endif

/* The instruction in code units, and the number of the domain: a context is
   of one domain only.  Domain 0 has number 0.  The last number stands for all
   domains that came when the others were given away; there `late_chunks` says
   which it is. */
#define CONTEXT_SITE(unit, number) \
    ((uint32_t)(unit) | (uint32_t)(number) << 24)
#define MAX_UNIT ((1u << 24) - 1)
#define MAX_DOMAINS 256
#define LATE_DOMAIN (MAX_DOMAINS - 1)

/* Open addressing; a number is stored after its node is complete.  The bits of
   a slot above the number are of the key's hash, so that few nodes that are
   not meant are read. */
struct number_index {
    struct number_index *next;      /* chain of replaced ones; else NULL */
    size_t mask;
    uint32_t slots[];
};

#define SLOT_PATH(slot) ((slot) & (((uint32_t)1 << PATH_BITS) - 1))
#define SLOT_CONTEXT(slot) ((slot) & (((uint32_t)1 << CONTEXT_BITS) - 1))

/* Bookkeeping for the nodes of one kind. */
struct node_space {
    struct number_index *index;     /* atomic */
    uint32_t used;                  /* numbers given so far, 0 included */
    uint32_t unused;                /* head of the chain of unused numbers */
    uint32_t live;                  /* nodes */
    uint32_t indexed;               /* those in the index */
    size_t chunks;                  /* allocated */
};

struct context_tree {
    struct node_space paths;
    struct node_space contexts;
    struct number_index *replaced;  /* readers may still be in there */
    uint32_t generation;            /* bumped when numbers change meaning */
    uint32_t ndomains;
    uint32_t domains[MAX_DOMAINS];  /* by number */
    uint64_t reclaimed_blocks;      /* allocated and freed in contexts that */
    uint64_t reclaimed_bytes;       /*     were reclaimed since */
    uint64_t reclaimed_contexts;    /* how many */
    uint64_t reclaimed_paths;
    struct path *path_chunks[MAX_PATHS >> CHUNK_SHIFT];
    struct context *context_chunks[MAX_CONTEXTS >> CHUNK_SHIFT];
    /* As many counters as there is room for contexts, so that giving them
       never fails.  Those that were never given are not touched. */
    struct counters *counter_chunks[MAX_CONTEXTS >> COUNTERS_SHIFT];
    struct counters *unused_counters;   /* chain; access, like the next */
    uint32_t used_counters;             /* ever given */
    /* Domains of contexts with LATE_DOMAIN; NULL where there is none. */
    uint32_t *late_chunks[MAX_CONTEXTS >> CHUNK_SHIFT];
    size_t nlate_chunks;
};

extern int _PyTraceMalloc_InitContexts(struct context_tree *);
extern void _PyTraceMalloc_FiniContexts(struct context_tree *);

/* A path or context that exists, or PATH_NONE or CONTEXT_NONE.  No lock.
   Contexts here and in AddContext() are of domain 0: `site` is the unit. */
extern path_id _PyTraceMalloc_FindPath(const struct context_tree *,
                                       path_id parent, code_id, int32_t line);
extern context_id _PyTraceMalloc_FindContext(const struct context_tree *,
                                             path_id, code_id, uint32_t site,
                                             int32_t line);

/* The same, added if new; PATH_NONE or CONTEXT_NONE when out of memory or
   numbers. */
extern path_id _PyTraceMalloc_AddPath(struct context_tree *, path_id parent,
                                      code_id, int32_t line);
extern context_id _PyTraceMalloc_AddContext(struct context_tree *, path_id,
                                            code_id, uint32_t site,
                                            int32_t line);

/* The context at the same place as another one, of domain 0, for blocks of
   another domain: found or added. */
extern context_id _PyTraceMalloc_AddContextOfDomain(struct context_tree *,
                                                    const struct context *,
                                                    uint32_t domain);

/* The root of the paths of one thread, added if new: a path without a frame,
   whose line is the thread's number and whose parent is the root of all, which
   is thread 0's. */
extern path_id _PyTraceMalloc_AddRoot(struct context_tree *, uint32_t thread);

/* Free indexes that were replaced, when nobody looks up without the lock. */
extern void _PyTraceMalloc_FreeReplaced(struct context_tree *);

/* For reclaim: give a number back, and then build the indexes anew, while
   nobody looks up.  Needs no memory: without it they stay as large as they
   were. */
extern void _PyTraceMalloc_FreePath(struct context_tree *, path_id);
extern void _PyTraceMalloc_FreeContext(struct context_tree *, context_id);
extern void _PyTraceMalloc_Reindex(struct context_tree *);

/* Bytes taken; counters that were never given are none. */
extern size_t _PyTraceMalloc_SizeOfContexts(const struct context_tree *);

/* NULL, or what is wrong. */
extern const char *_PyTraceMalloc_CheckContexts(const struct context_tree *);

static inline struct path *
path_at(const struct context_tree *tree, path_id id)
{
    return &tree->path_chunks[id >> CHUNK_SHIFT][id & CHUNK_MASK];
}

static inline struct context *
context_at(const struct context_tree *tree, context_id id)
{
    return &tree->context_chunks[id >> CHUNK_SHIFT][id & CHUNK_MASK];
}

static inline uint32_t
context_domain(const struct context_tree *tree, context_id id)
{
    uint32_t number = context_at(tree, id)->site >> 24;
    return number == LATE_DOMAIN
        ? tree->late_chunks[id >> CHUNK_SHIFT][id & CHUNK_MASK]
        : tree->domains[number];
}

/* Whether a path is the root of a thread: it has no frame. */
static inline int
path_is_root(const struct context_tree *tree, path_id id)
{
    return path_at(tree, id)->depth == 0;
}

/* Frames of a context: its own, if it has one, and its callers. */
static inline uint32_t
context_depth(const struct context_tree *tree, const struct context *context)
{
    return path_at(tree, context->path)->depth + (context->code != CODE_NONE);
}

#endif  /* !TRACEMALLOC_CONTEXTS_H */
