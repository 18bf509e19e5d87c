/* Nodes and contexts: see contexts.c. */

#ifndef TRACEMALLOC_CONTEXTS_H
#define TRACEMALLOC_CONTEXTS_H

#include "../core.h"

/* A call site under its caller. */
struct frame_node {
    node_id parent;             /* NODE_NONE: unused, or the root */
    code_id code;               /* fixed while used; unused: next unused */
    int32_t line;               /* fixed while used; >= 0 */
    uint32_t depth;             /* frames up to the root; fixed while used */
    node_id first_child;        /* atomic; in no index; or NODE_NONE */
    context_id first_context;   /* the same */
};

/* What was allocated and freed at a site, ever; live is the difference.  The
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
    node_id node;               /* the callers; NODE_NONE: unused */
    code_id code;               /* fixed while used; unused: next unused */
    uint32_t instr_domain;      /* see CONTEXT_INSTR_DOMAIN(); fixed */
    int32_t line;               /* fixed while used; >= 0 */
    union {
        struct {
            uint16_t allocated_bytes;
            uint16_t peak_bytes;
            uint8_t allocated_blocks;
            uint8_t peak_blocks;
        } few;
        struct counters *counters;      /* if `has_counters` */
    };
    /* Of the few, too, but over no pointer: see CountLost(). */
    uint16_t freed_bytes;
    uint8_t freed_blocks;
    uint8_t has_counters;               /* whether there are counters; stays so */
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
#define CONTEXT_INSTR_DOMAIN(unit, number) \
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

#define SLOT_NODE(slot) ((slot) & (((uint32_t)1 << NODE_BITS) - 1))
#define SLOT_CONTEXT(slot) ((slot) & (((uint32_t)1 << CONTEXT_BITS) - 1))

/* Bookkeeping for the nodes of one kind. */
struct number_space {
    struct number_index *index;     /* atomic */
    uint32_t used;                  /* numbers given so far, 0 included */
    uint32_t unused;                /* head of the chain of unused numbers */
    uint32_t live;                  /* nodes */
    uint32_t indexed;               /* those in the index */
    size_t chunks;                  /* allocated */
};

struct context_tree {
    struct number_space nodes;
    struct number_space contexts;
    struct number_index *replaced;  /* readers may still be in there */
    uint32_t generation;            /* bumped when numbers change meaning */
    uint32_t ndomains;
    uint32_t domains[MAX_DOMAINS];  /* by number */
    uint64_t reclaimed_blocks;      /* allocated and freed in contexts that */
    uint64_t reclaimed_bytes;       /*     were reclaimed since */
    uint64_t reclaimed_contexts;    /* how many */
    uint64_t reclaimed_nodes;
    struct frame_node *node_chunks[MAX_NODES >> CHUNK_SHIFT];
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

PART int tm_init_contexts(struct context_tree *);
PART void tm_fini_contexts(struct context_tree *);

/* A node or context that exists, or NODE_NONE or CONTEXT_NONE.  No lock.
   Contexts here and in AddContext() are of domain 0: `site` is the unit. */
PART node_id tm_find_node(const struct context_tree *,
                          node_id parent, code_id, int32_t line);
PART context_id tm_find_context(const struct context_tree *,
                                node_id, code_id, uint32_t site,
                                int32_t line);

/* The same, added if new; NODE_NONE or CONTEXT_NONE when out of memory or
   numbers. */
PART node_id tm_add_node(struct context_tree *, node_id parent,
                         code_id, int32_t line);
PART context_id tm_add_context(struct context_tree *, node_id,
                               code_id, uint32_t site,
                               int32_t line);

/* The context at the same place as another one, of domain 0, for blocks of
   another domain: found or added. */
PART context_id tm_add_context_of_domain(struct context_tree *,
                                         const struct context *,
                                         uint32_t domain);

/* The root of the nodes of one thread, added if new: a node without a frame,
   whose line is the thread's number and whose parent is the root of all, which
   is thread 0's. */
PART node_id tm_add_root(struct context_tree *, uint32_t thread);

/* Free indexes that were replaced, when nobody looks up without the lock. */
PART void tm_free_replaced(struct context_tree *);

/* For reclaim: give a number back, and then build the indexes anew, while
   nobody looks up.  Needs no memory: without it they stay as large as they
   were. */
PART void tm_free_node(struct context_tree *, node_id);
PART void tm_free_context(struct context_tree *, context_id);
PART void tm_reindex(struct context_tree *);

/* Bytes taken; counters that were never given are none. */
extern size_t _PyTraceMalloc_SizeOfContexts(const struct context_tree *);

/* NULL, or what is wrong. */
extern const char *_PyTraceMalloc_CheckContexts(const struct context_tree *);

static inline struct frame_node *
tm_node_at(const struct context_tree *tree, node_id id)
{
    return &tree->node_chunks[id >> CHUNK_SHIFT][id & CHUNK_MASK];
}

static inline struct context *
tm_context_at(const struct context_tree *tree, context_id id)
{
    return &tree->context_chunks[id >> CHUNK_SHIFT][id & CHUNK_MASK];
}

static inline uint32_t
tm_context_domain(const struct context_tree *tree, context_id id)
{
    uint32_t number = tm_context_at(tree, id)->instr_domain >> 24;
    return number == LATE_DOMAIN
        ? tree->late_chunks[id >> CHUNK_SHIFT][id & CHUNK_MASK]
        : tree->domains[number];
}

/* Whether a node is the root of a thread: it has no frame. */
static inline int
tm_node_is_root(const struct context_tree *tree, node_id id)
{
    return tm_node_at(tree, id)->depth == 0;
}

/* Frames of a context: its own, if it has one, and its callers. */
static inline uint32_t
tm_context_depth(const struct context_tree *tree, const struct context *context)
{
    return tm_node_at(tree, context->node)->depth + (context->code != CODE_NONE);
}

#endif  /* !TRACEMALLOC_CONTEXTS_H */
