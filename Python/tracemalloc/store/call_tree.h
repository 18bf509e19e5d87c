/* The call tree: frame nodes and contexts, with their counters. */

#ifndef TRACEMALLOC_CALL_TREE_H
#define TRACEMALLOC_CALL_TREE_H

#include "../core.h"
#include "node_index.h"
#include "taken_paths.h"

/* What was allocated, and freed again, in contexts that are no more. */
struct reclaimed {
    uint64_t blocks, bytes;
};

/* A call site under its caller, as it is told: see tm_node(). */
struct frame_node {
    node_id parent;             /* NODE_NONE: unused, or the root */
    code_id code;
    int32_t line;               /* >= 0 */
};

/* The same, as it is kept: nodes are many.

       key            line, low bits   code       parent
       first_child    line, more       number, or NODE_NONE
       first_context  line, the rest   number, or CONTEXT_NONE
                     high                           low bits

   A line that is too large for that is in `wide_chunks`. */
struct packed_node {
    uint64_t key;               /* fixed while used; unused: next unused, as a
                                   code would be, and no parent */
    uint32_t first_child;       /* atomic; in no index */
    uint32_t first_context;     /* the same */
};

#define NODE_MASK (((uint32_t)1 << NODE_BITS) - 1)
#define CONTEXT_MASK (((uint32_t)1 << CONTEXT_BITS) - 1)
#define CODE_BITS 25
#define CODE_MASK (((code_id)1 << CODE_BITS) - 1)
#define LOW_LINE_BITS (64 - CODE_BITS - NODE_BITS)
#define HIGH_LINE_BITS ((32 - NODE_BITS) + (32 - CONTEXT_BITS))

/* The high bits of lines that are too large, which begin with WIDE_LINE. */
#ifdef Py_TRACEMALLOC_STRESS
#  define WIDE_HIGH_LINE 1u
#else
#  define WIDE_HIGH_LINE ((1u << HIGH_LINE_BITS) - 1)
#endif
#define WIDE_LINE ((int32_t)(WIDE_HIGH_LINE << LOW_LINE_BITS))

/* What was allocated and freed in a context, ever; live is the difference.
   The order keeps apart what is changed together: as a pair it would be loaded
   as one vector just after being stored as two words, and wait. */
struct counters {
    union {
        uint64_t allocated_blocks;
        struct counters *next_unused;
    };
    uint64_t freed_blocks;
    uint64_t allocated_bytes;
    uint64_t freed_bytes;
    /* What is said to be live at the peak is, if this is the current epoch;
       otherwise what is live now was live at the peak. */
    uint64_t peak_blocks;
    uint64_t peak_bytes;
    uint32_t epoch;
    /* What the context is of; fixed. */
    uint32_t unit;
    uint32_t domain;
    int32_t line;
};

/* The same of some blocks, but for what the context is of.  An unused one is
   in a chain; what others may read or count meanwhile lies beside that: see
   tm_count_lost() and tm_context_line(). */
struct some {
    union {
        struct {
            uint16_t allocated_bytes;
            uint16_t peak_bytes;
            uint32_t epoch;
        };
        struct some *next_unused;
    };
    uint16_t freed_bytes;
    uint16_t line;              /* fixed */
    uint8_t freed_blocks;
    uint8_t allocated_blocks;
    uint8_t peak_blocks;
};

/* An instruction that allocates, under its callers.  Nearly all allocate
   little, and blocks of one size, or of two, as a list and its items: they
   count beside their key, in as few bits as that takes.  Of the others, most
   allocate some blocks.

       key     instruction, or WIDE_UNIT   code   node of the callers
               high                                         low bits

       counts  few   line  sizes  blocks of one size, of the other  0
               some  where they are                         | HAS_SOME
               many  where they are                         | HAS_COUNTERS

   The instruction is in code units; a context is of one domain only.  Another
   domain than 0, and what takes more bits than nearly all take, is told by
   counters: such a context is a wide one, and has them from the beginning. */
struct context {
    uint64_t key;               /* fixed while used; unused: next unused, as a
                                   code would be, and no node */
    uint64_t counts;            /* atomic for tm_count_lost(); from few to
                                   some to many, never back */
};

#define HAS_COUNTERS 1u
#define HAS_SOME 2u

/* The fields of the few.  Of either size there are three: how many blocks were
   allocated, freed, and live at the peak, if that is saved: see
   tm_few_epoch(). */
enum {
    FEW_BITS = 5,
    FEW_FIRST = 2,
    FEW_SECOND = FEW_FIRST + 3 * FEW_BITS,
    FEW_FIRST_SIZE = FEW_SECOND + 3 * FEW_BITS,     /* in bytes; 0 if there is
                                                       no block of it */
    FEW_SIZE_BITS = 10,
    FEW_SECOND_SIZE = FEW_FIRST_SIZE + FEW_SIZE_BITS,
    FEW_LINE = FEW_SECOND_SIZE + FEW_SIZE_BITS,     /* fixed while used */
};

#define FEW_MASK (((uint64_t)1 << FEW_BITS) - 1)
#define FEW_SIZE_MASK (((uint64_t)1 << FEW_SIZE_BITS) - 1)
#define FEW_LINE_MASK (((uint64_t)1 << (64 - FEW_LINE)) - 1)

/* What is counted where. */
#ifdef Py_TRACEMALLOC_STRESS
#  define MAX_FEW 2u
#  define MAX_FEW_SIZE 40u
#  define MAX_FEW_LINE 60
#  define MAX_SOME 6u
#  define MAX_SOME_BYTES 400u
#else
#  define MAX_FEW ((unsigned)FEW_MASK)
#  define MAX_FEW_SIZE ((unsigned)FEW_SIZE_MASK)
#  define MAX_FEW_LINE ((int32_t)FEW_LINE_MASK)
#  define MAX_SOME ((unsigned)UINT8_MAX)
#  define MAX_SOME_BYTES ((unsigned)UINT16_MAX)
#endif

/* Which of 64 contexts of few blocks have saved what was live, in which epoch:
   a bit for each. */
struct saved {
    uint64_t epoch;
    uint64_t bits;
};

/* Room for contexts, and for as many counters, and counters of some blocks, so
   that giving those never fails.  It lies at a multiple of what its contexts
   take, and is found from each of them.  What was never given is not
   touched. */
struct context_group {
    struct context contexts[GROUP_SIZE];
    struct saved saved[GROUP_SIZE / 64];
    struct some some[GROUP_SIZE];
    struct counters counters[GROUP_SIZE];
};

#define GROUP_UNIT (GROUP_SIZE * sizeof(struct context))

/* No instruction: before the first one, or beyond what is told apart. */
#define NO_UNIT ((1u << 24) - 1)

/* The instruction as a key has it: one of the first, none, or one that
   counters tell. */
#define UNIT_SHIFT (NODE_BITS + CODE_BITS)
#define WIDE_UNIT ((1u << (64 - UNIT_SHIFT)) - 1)
#define SHORT_NO_UNIT (WIDE_UNIT - 1)
#ifdef Py_TRACEMALLOC_STRESS
#  define MAX_SHORT_UNIT 6u
#  define MAX_SHORT_LINE 100
#else
#  define MAX_SHORT_UNIT (SHORT_NO_UNIT - 1)
#  define MAX_SHORT_LINE UINT16_MAX
#endif

/* To look contexts up by, before the line is known. */
#define ANY_SHORT_LINE 0

/* The tree of all that ever called an allocation:

       nodes      root
                   +-- main.py:40
                        +-- main.py:12
                        |    +-- json.py:9
                        +-- main.py:14
                             |
       contexts             [main.py:14] list.py:7, instruction 31  <- blocks
                            [main.py:14] list.py:7, instruction 44

   A node is one call site under one caller, by line: recursion over the same
   lines then has few nodes.  A context is the allocating instruction under the
   node of its callers; only contexts count, the busy ones in counters of their
   own.  Right below the root stand the roots of other threads, which have no
   frame; a thread has one for each account that it worked for.

   States of a number: never given -> used -> unused -> used ...  A number
   becomes unused when nobody needs it (reclaim), or all at once (clear), which
   bumps `generation`: whoever remembers numbers remembers that with them.

   Chunks never move, since nodes are looked up without the lock: see
   node_index.h, also for I3.

   Invariants
     I1  a node's parent is a node, and the root is above all of them; the
         roots of other threads, which have no code, are right below it
     I2  a context's node is a node
     I4  no more blocks were freed than allocated, and no bytes are live
         without a block.  Bytes count modulo 2**64, since extensions may
         report any size
     I5  numbers up to `used`: 0, the live ones and the chain of unused ones
     I6  a wide context has counters, and could be no short one
     I7  each of the counters ever given, and of those of some blocks, is one
         context's or in a chain of unused ones; there is room for as many as
         for contexts
     I8  a node with WIDE_LINE has a place in `wide_chunks`
   tm_check_tree tests them.

   What counts needs access, all else the store lock; to give counters needs
   both. */
struct call_tree {
    struct number_space nodes;
    struct number_space contexts;
    struct node_index *replaced;    /* readers may still be in there */
    uint32_t generation;            /* bumped when numbers change meaning */
    uint64_t reclaimed_blocks;      /* allocated and freed in contexts that */
    uint64_t reclaimed_bytes;       /*     were reclaimed since */
    struct reclaimed *accounts;     /* the same, by account; NULL as long as
                                       there are none */
    uint32_t naccounts;             /* room for as many; one more than any
                                       root has */
    uint64_t reclaimed_contexts;    /* how many */
    uint64_t reclaimed_nodes;
    struct taken_paths taken;       /* by the last reclaims */
    struct packed_node *node_chunks[MAX_NODES >> CHUNK_SHIFT];
    /* Lines of nodes with WIDE_LINE; NULL where there is none. */
    int32_t *wide_chunks[MAX_NODES >> CHUNK_SHIFT];
    size_t nwide_chunks;
    struct context_group *groups[MAX_CONTEXTS >> GROUP_SHIFT];
    void *group_memory[MAX_CONTEXTS >> GROUP_SHIFT];    /* they lie in it */
    /* Chains; the store lock, like the next two: who has no access adds
       contexts, too, and some have counters from the beginning. */
    struct counters *unused_counters;
    struct some *unused_some;
    struct some *left_some;             /* unused from the next reclaim on:
                                           see tm_count_lost() */
    uint32_t used_counters;             /* ever given */
    uint32_t used_some;
};

/* A tree of the root and the unknown context.  0, or -1 when out of memory. */
PART int tm_init_tree(struct call_tree *);
PART void tm_fini_tree(struct call_tree *);

/* A node or context, added if new: NODE_NONE or CONTEXT_NONE when out of
   memory or numbers.  The context is of domain 0, `unit` its instruction or
   NO_UNIT, and the line is always the same for that instruction of that code
   object. */
PART node_id tm_add_node(struct call_tree *, node_id parent, code_id,
                         int32_t line);
PART context_id tm_add_context(struct call_tree *, node_id, code_id,
                               uint32_t unit, int32_t line);

/* The context of the same instruction as another one, of domain 0, for blocks
   of another domain: found or added. */
PART context_id tm_add_context_of_domain(struct call_tree *,
                                         const struct context *,
                                         uint32_t domain);

/* The root of the nodes of one thread in one account, added if new: a node
   without a frame, whose line tells the two and whose parent is the root of
   all, which is thread 0's without an account.  NODE_NONE when out of memory,
   of which it takes what reclaim needs to keep the account's sums. */
PART node_id tm_add_root(struct call_tree *, uint32_t line);

static inline uint32_t
tm_root_line(uint32_t account, uint32_t slot)
{
    return account * THREAD_SLOTS + slot;
}

static inline uint32_t
tm_root_slot(uint32_t line)
{
    return line % THREAD_SLOTS;
}

static inline uint32_t
tm_root_account(uint32_t line)
{
    return line / THREAD_SLOTS;
}

/* The account of a node.  `memo` has a number for each node, 0 at first: what
   was found once is found at once. */
PART uint32_t tm_find_account(const struct call_tree *, uint32_t *memo,
                              node_id);

/* For reclaim, while nobody looks up: give a number back.  Call tm_reindex()
   after the last one. */
PART void tm_free_node(struct call_tree *, node_id);
PART void tm_free_context(struct call_tree *, context_id);

/* Let a context have counters, if it has none.  Needs access and the store
   lock, like the next. */
extern void _PyTraceMalloc_GiveCounters(struct call_tree *, struct context *);

/* Let it be one of some blocks, or have counters, because it is to count one
   more block, of so many bytes, and has no room for it. */
extern void _PyTraceMalloc_MakeRoom(struct call_tree *, struct context *,
                                    size_t);

/* For reclaim, at its end, while nobody else counts. */
PART void tm_recycle_some(struct call_tree *);

/* Bytes taken; counters that were never given are none. */
PART size_t tm_size_of_tree(const struct call_tree *);

/* NULL, or what is wrong. */
PART const char *tm_check_tree(const struct call_tree *);

static inline struct packed_node *
tm_packed_node_at(const struct call_tree *tree, node_id id)
{
    return &tree->node_chunks[id >> CHUNK_SHIFT][id & CHUNK_MASK];
}

static inline node_id
tm_node_parent(const struct call_tree *tree, node_id id)
{
    return (node_id)tm_packed_node_at(tree, id)->key & NODE_MASK;
}

static inline code_id
tm_node_code(const struct call_tree *tree, node_id id)
{
    uint64_t key = tm_packed_node_at(tree, id)->key;
    return (code_id)(key >> NODE_BITS) & CODE_MASK;
}

/* The high bits of a node's line, or WIDE_HIGH_LINE. */
static inline uint32_t
tm_high_line(const struct packed_node *node)
{
    uint32_t more = __atomic_load_n(&node->first_child, __ATOMIC_RELAXED);
    uint32_t rest = __atomic_load_n(&node->first_context, __ATOMIC_RELAXED);
    return rest >> CONTEXT_BITS << (32 - NODE_BITS) | more >> NODE_BITS;
}

static inline int32_t
tm_node_line(const struct call_tree *tree, node_id id)
{
    const struct packed_node *node = tm_packed_node_at(tree, id);
    uint32_t high = tm_high_line(node);
    return high < WIDE_HIGH_LINE
        ? (int32_t)(high << LOW_LINE_BITS
                    | (uint32_t)(node->key >> (NODE_BITS + CODE_BITS)))
        : tree->wide_chunks[id >> CHUNK_SHIFT][id & CHUNK_MASK];
}

/* With as many bits of the line as there is room for. */
static inline uint64_t
tm_node_key(node_id parent, code_id code, int32_t line)
{
    return (uint64_t)(uint32_t)line << (NODE_BITS + CODE_BITS)
           | (uint64_t)code << NODE_BITS | parent;
}

/* A node with nothing below it. */
static inline struct packed_node
tm_pack_node(node_id parent, code_id code, int32_t line)
{
    uint32_t high = (uint32_t)(line < WIDE_LINE ? line : WIDE_LINE)
                    >> LOW_LINE_BITS;
    return (struct packed_node){
        .key = tm_node_key(parent, code, line),
        .first_child = high << NODE_BITS,
        .first_context = high >> (32 - NODE_BITS) << CONTEXT_BITS,
    };
}

/* A node that is used. */
static inline struct frame_node
tm_node(const struct call_tree *tree, node_id id)
{
    return (struct frame_node){
        .parent = tm_node_parent(tree, id),
        .code = tm_node_code(tree, id),
        .line = tm_node_line(tree, id),
    };
}

static inline struct context *
tm_context_at(const struct call_tree *tree, context_id id)
{
    return &tree->groups[id >> GROUP_SHIFT]->contexts[id & GROUP_MASK];
}

/* The callers of a context; NODE_NONE: it is unused. */
static inline node_id
tm_context_node(const struct context *context)
{
    return (node_id)context->key & NODE_MASK;
}

static inline code_id
tm_context_code(const struct context *context)
{
    return (code_id)(context->key >> NODE_BITS) & CODE_MASK;
}

static inline int
tm_context_is_wide(const struct context *context)
{
    return context->key >> UNIT_SHIFT == WIDE_UNIT;
}

static TM_INLINE int
tm_context_has_counters(const struct context *context)
{
    return (context->counts & HAS_COUNTERS) != 0;
}

static TM_INLINE int
tm_context_has_some(const struct context *context)
{
    return (context->counts & HAS_SOME) != 0;
}

/* Neither. */
static TM_INLINE int
tm_context_is_of_few(const struct context *context)
{
    return (context->counts & (HAS_COUNTERS | HAS_SOME)) == 0;
}

/* Those that it has. */
static TM_INLINE struct counters *
tm_counters_of(const struct context *context)
{
    return (struct counters *)(uintptr_t)(context->counts - HAS_COUNTERS);
}

static TM_INLINE struct some *
tm_some_of(const struct context *context)
{
    return (struct some *)(uintptr_t)(context->counts - HAS_SOME);
}

/* Of the few: what is allocated, freed or saved (0, 1, 2) of a size, and the
   size. */
static TM_INLINE unsigned
tm_few(uint64_t counts, unsigned of, unsigned what)
{
    return (unsigned)(counts >> (of + what * FEW_BITS) & FEW_MASK);
}

static TM_INLINE unsigned
tm_few_size(uint64_t counts, unsigned of)
{
    return (unsigned)(counts >> (of == FEW_FIRST ? FEW_FIRST_SIZE
                                 : FEW_SECOND_SIZE) & FEW_SIZE_MASK);
}

/* The bit of a context, if it is of few blocks, and where it is. */
static TM_INLINE uint64_t
tm_saved_bit(const struct context *context, struct saved **saved)
{
    uintptr_t at = (uintptr_t)context;
    struct context_group *group =
        (struct context_group *)(at & ~(uintptr_t)(GROUP_UNIT - 1));
    *saved = &group->saved[at % GROUP_UNIT / (64 * sizeof(*context))];
    return (uint64_t)1 << at / sizeof(*context) % 64;
}

/* The epoch for which a context of few blocks has saved what was live; or 0,
   and then it has not. */
static inline uint32_t
tm_few_epoch(const struct context *context)
{
    struct saved *saved;
    uint64_t bit = tm_saved_bit(context, &saved);
    return (saved->bits & bit) != 0 ? (uint32_t)saved->epoch : 0;
}

static inline uint32_t
tm_context_domain(const struct context *context)
{
    return tm_context_is_wide(context) ? tm_counters_of(context)->domain : 0;
}

/* The instruction in code units, or NO_UNIT. */
static inline uint32_t
tm_context_unit(const struct context *context)
{
    uint32_t unit = (uint32_t)(context->key >> UNIT_SHIFT);
    if (unit == WIDE_UNIT) {
        return tm_counters_of(context)->unit;
    }
    return unit == SHORT_NO_UNIT ? NO_UNIT : unit;
}

/* Needs access, or the store lock, since it may get counters meanwhile. */
static inline int32_t
tm_context_line(const struct context *context)
{
    struct context now = {
        .counts = __atomic_load_n(&context->counts, __ATOMIC_ACQUIRE),
    };
    if (tm_context_has_counters(&now)) {
        return tm_counters_of(&now)->line;
    }
    return tm_context_has_some(&now) ? tm_some_of(&now)->line
                                     : (int32_t)(now.counts >> FEW_LINE);
}

/* The key of a context; `line` and `domain` only tell whether it is wide. */
static inline uint64_t
tm_context_key(node_id node, code_id code, uint32_t unit, uint32_t domain,
               int32_t line)
{
    uint32_t short_unit = unit == NO_UNIT ? SHORT_NO_UNIT : unit;
    if (domain != 0 || line > MAX_SHORT_LINE
        || (unit > MAX_SHORT_UNIT && unit != NO_UNIT))
    {
        short_unit = WIDE_UNIT;
    }
    return (uint64_t)short_unit << UNIT_SHIFT
           | (uint64_t)code << NODE_BITS | node;
}

/* Whether a node is the root of a thread: it has no frame. */
static inline int
tm_node_is_root(const struct call_tree *tree, node_id id)
{
    return tm_node_code(tree, id) == CODE_NONE;
}

/* Frames of a context: its own, if it has one, and its callers; as many as
   are asked for, at most.  O(frames). */
static inline uint32_t
tm_context_depth(const struct call_tree *tree, const struct context *context,
                 uint32_t most)
{
    uint32_t depth = tm_context_code(context) != CODE_NONE;
    for (node_id id = tm_context_node(context);
         depth < most && !tm_node_is_root(tree, id);
         id = tm_node_parent(tree, id))
    {
        depth++;
    }
    return depth < most ? depth : most;
}

#endif  /* !TRACEMALLOC_CALL_TREE_H */
