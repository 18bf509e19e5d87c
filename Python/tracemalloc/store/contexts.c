/* Nodes and contexts: the tree of everything that ever called an allocation.

   Called by Python/tracemalloc_capture.c to find the context of a stack, by
   Python/tracemalloc_reclaim.c to take away what nobody needs, and by the
   block stores to count; calls nobody.

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
   own.

   States of a number: never given -> node -> unused -> node ...  A number
   becomes unused when nobody needs it (reclaim), or all at once (clear), which
   bumps `generation`: whoever remembers numbers remembers that with them.

   A node names the first node and the first context below it, which is all
   there is below most; an index has the others, if any.

   Looking up takes no lock, so: chunks never move; a node is complete before
   its number is stored in a node or in the index; an index that is outgrown
   waits in `replaced` until nobody can be reading it.

   Invariants
     I1  a node's parent is a node, and its depth the parent's + 1; the root
         has depth 0, and so have the roots of other threads, right below it
     I2  a context's node is a node
     I3  no two nodes, and no two contexts, have the same key; each is the
         first one below its node, or the index finds it, and nothing else is
         in the indexes
     I4  no more blocks were freed than allocated, and no bytes are live
         without a block.  Bytes count modulo 2**64, since extensions may
         report any size
     I5  used = 2 or 1 + live + length of the chain of unused numbers
     I6  a context with LATE_DOMAIN has a place in `late_chunks`
     I7  each of the counters ever given is one context's or in the chain of
         unused ones; there is room for as many as for contexts
   _PyTraceMalloc_CheckContexts tests them. */

#include "cells.h"              // NewZeros()
#include "counting.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#ifdef Py_TRACEMALLOC_STRESS
#  define FIRST_SLOTS 16
#else
#  define FIRST_SLOTS 4096
#endif

static_assert(sizeof(struct frame_node) == 24, "nodes are many: keep them small");
static_assert(sizeof(struct context) == 32, "two in a cache line");
static_assert(MAX_NODES <= (size_t)1 << NODE_BITS, "numbers fit a slot");
static_assert(MAX_CONTEXTS <= (size_t)1 << CONTEXT_BITS, "numbers fit a slot");


/* --- indexes ------------------------------------------------------------- */

/* Multiplicative hashing (Knuth, The Art of Computer Programming, vol. 3,
   6.4): numbers and lines are small and dense, and only the high bits of a
   product depend on all of them. */
static inline uint64_t
mix(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15u;
    return key ^ key >> 32;
}


/* The children of a node are looked for in the bucket that the node's number
   gives, and only if that is full, all over the index.  Numbers are given in
   the order of calls, so going down or up a stack reads the index from one end
   to the other, where a hash alone would miss the processor's cache each time.

   Slots are never emptied, so a free slot ends the search.  Few nodes have
   more children; larger buckets lie further apart. */
#define NODES_BUCKET 4
#define CONTEXTS_BUCKET 6

struct probe {
    uint64_t hash;
    uint32_t tag;               /* what the slot has above the number */
    uint32_t in_bucket;         /* slots left there */
    size_t at;
    size_t mask;
};


static inline struct probe
probe_begin(const struct number_index *index, uint32_t parent, uint64_t key,
            unsigned bits, unsigned bucket)
{
    uint64_t hash = mix((uint64_t)parent << 32 ^ key);
    return (struct probe){
        .hash = hash,
        .tag = (uint32_t)hash >> bits << bits,
        .in_bucket = bucket,
        .at = (size_t)parent * bucket & index->mask,
        .mask = index->mask,
    };
}


static inline void
probe_next(struct probe *probe)
{
    size_t next = probe->at + 1;
    if (probe->in_bucket > 0 && --probe->in_bucket == 0) {
        next = (size_t)mix(probe->hash);
    }
    probe->at = next & probe->mask;
}


static inline uint64_t
node_key(code_id code, int32_t line)
{
    return code ^ (uint64_t)(uint32_t)line * 0xff51afd7ed558ccdu;
}


static inline uint64_t
context_key(code_id code, uint32_t site, uint32_t late)
{
    return code ^ (uint64_t)site * 0xff51afd7ed558ccdu ^ (uint64_t)late << 32;
}


static struct number_index *
index_new(size_t nslots)
{
    struct number_index *index = calloc(1, sizeof(*index)
                                           + nslots * sizeof(index->slots[0]));
    if (index != NULL) {
        index->mask = nslots - 1;
    }
    return index;
}


static inline struct number_index *
index_of(const struct number_space *space)
{
    return __atomic_load_n(&space->index, __ATOMIC_ACQUIRE);
}


static inline uint32_t
slot_load(const struct number_index *index, size_t at)
{
    return __atomic_load_n(&index->slots[at], __ATOMIC_ACQUIRE);
}


static inline void
slot_store(struct number_index *index, size_t at, uint32_t slot)
{
    __atomic_store_n(&index->slots[at], slot, __ATOMIC_RELEASE);
}


/* The domain of a context if it is a late one, otherwise 0. */
static inline uint32_t
context_late(const struct context_tree *tree, context_id id, uint32_t site)
{
    return site >> 24 == LATE_DOMAIN ? tm_context_domain(tree, id) : 0;
}


/* Whether a node has a key, but for the node that it is under.  Number 0 has
   none: there a node of zeros lies. */
static inline int
node_is(const struct context_tree *tree, node_id id, code_id code,
        int32_t line)
{
    const struct frame_node *node = tm_node_at(tree, id);
    return node->code == code && node->line == line;
}


static inline int
context_is(const struct context_tree *tree, context_id id, code_id code,
           uint32_t site, int32_t line, uint32_t late)
{
    const struct context *context = tm_context_at(tree, id);
    return context->instr_domain == site && context->code == code
           && context->line == line && context_late(tree, id, site) == late;
}


static inline uint32_t
first_load(const uint32_t *first)
{
    return __atomic_load_n(first, __ATOMIC_ACQUIRE);
}


static inline void
first_store(uint32_t *first, uint32_t id)
{
    __atomic_store_n(first, id, __ATOMIC_RELEASE);
}


/* Look for a node or context in an index: its slot, or the free one where it
   goes.  *found is the number in it.  Without the lock the slot may not be
   read once more: a free one may be another node's by then. */
static inline struct probe
node_probe(const struct context_tree *tree, const struct number_index *index,
           node_id parent, code_id code, int32_t line, node_id *found)
{
    struct probe probe = probe_begin(index, parent, node_key(code, line),
                                     NODE_BITS, NODES_BUCKET);
    uint32_t slot;
    while ((slot = slot_load(index, probe.at)) != 0) {
        *found = SLOT_NODE(slot);
        if (slot == (*found | probe.tag) && node_is(tree, *found, code, line)
            && tm_node_at(tree, *found)->parent == parent)
        {
            return probe;
        }
        probe_next(&probe);
    }
    *found = NODE_NONE;
    return probe;
}


static inline struct probe
context_probe(const struct context_tree *tree,
              const struct number_index *index, node_id node, code_id code,
              uint32_t site, int32_t line, uint32_t late, context_id *found)
{
    struct probe probe = probe_begin(index, node,
                                     context_key(code, site, late),
                                     CONTEXT_BITS, CONTEXTS_BUCKET);
    uint32_t slot;
    while ((slot = slot_load(index, probe.at)) != 0) {
        *found = SLOT_CONTEXT(slot);
        if (slot == (*found | probe.tag)
            && context_is(tree, *found, code, site, line, late)
            && tm_context_at(tree, *found)->node == node)
        {
            return probe;
        }
        probe_next(&probe);
    }
    *found = CONTEXT_NONE;
    return probe;
}


/* Whether a node is the first one; it is, if there is no other. */
static inline int
is_first(uint32_t *first, uint32_t id)
{
    if (*first == 0) {
        first_store(first, id);
    }
    return *first == id;
}


/* Enter all nodes that belong there, if there is an index, and count them.  In
   place of a first one that went comes the next. */
static uint32_t
index_fill_nodes(const struct context_tree *tree, struct number_index *index)
{
    uint32_t n = 0;
    for (node_id id = NODE_ROOT + 1; id < tree->nodes.used; id++) {
        const struct frame_node *node = tm_node_at(tree, id);
        if (node->parent == NODE_NONE
            || is_first(&tm_node_at(tree, node->parent)->first_child, id))
        {
            continue;
        }
        n++;
        if (index != NULL) {
            node_id found;
            struct probe probe = node_probe(tree, index, node->parent,
                                            node->code, node->line, &found);
            slot_store(index, probe.at, id | probe.tag);
        }
    }
    return n;
}


static uint32_t
index_fill_contexts(const struct context_tree *tree,
                    struct number_index *index)
{
    uint32_t n = 0;
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        const struct context *context = tm_context_at(tree, id);
        if (context->node == NODE_NONE
            || is_first(&tm_node_at(tree, context->node)->first_context, id))
        {
            continue;
        }
        n++;
        if (index != NULL) {
            context_id found;
            struct probe probe = context_probe(
                tree, index, context->node, context->code, context->instr_domain,
                context->line, context_late(tree, id, context->instr_domain), &found);
            slot_store(index, probe.at, id | probe.tag);
        }
    }
    return n;
}


static uint32_t
index_fill(const struct context_tree *tree, const struct number_space *space,
           struct number_index *index)
{
    return space == &tree->nodes ? index_fill_nodes(tree, index)
                                 : index_fill_contexts(tree, index);
}


/* Replace the index of one kind of node by one of another size. */
static int
index_replace(struct context_tree *tree, struct number_space *space,
              size_t nslots)
{
    struct number_index *index = index_new(nslots);
    if (index == NULL) {
        return -1;
    }
    space->indexed = index_fill(tree, space, index);
    struct number_index *old = space->index;
    __atomic_store_n(&space->index, index, __ATOMIC_RELEASE);
    if (old != NULL) {
        old->next = tree->replaced;
        tree->replaced = old;
    }
    return 0;
}


/* A smaller index if that is enough, or else the same one filled again.  Room
   there is: it held all nodes when there were more of them. */
static void
space_reindex(struct context_tree *tree, struct number_space *space)
{
    size_t nslots = FIRST_SLOTS;
    uint32_t n = index_fill(tree, space, NULL);
    while (nslots < 2 * (size_t)n) {
        nslots *= 2;
    }
    struct number_index *index = space->index;
    assert(nslots <= index->mask + 1);
    if (nslots <= index->mask && index_replace(tree, space, nslots) == 0) {
        return;
    }
    memset(index->slots, 0, (index->mask + 1) * sizeof(index->slots[0]));
    space->indexed = index_fill(tree, space, index);
}


PART void
tm_reindex(struct context_tree *tree)
{
    space_reindex(tree, &tree->nodes);
    space_reindex(tree, &tree->contexts);
}


PART void
tm_free_replaced(struct context_tree *tree)
{
    while (tree->replaced != NULL) {
        struct number_index *next = tree->replaced->next;
        free(tree->replaced);
        tree->replaced = next;
    }
}


/* --- numbers ------------------------------------------------------------- */

static node_id
node_take(struct context_tree *tree)
{
    struct number_space *space = &tree->nodes;
    node_id id = space->unused;
    if (id != NODE_NONE) {
        space->unused = tm_node_at(tree, id)->code;
        space->live++;
        return id;
    }
    id = space->used;
    size_t chunk = id >> CHUNK_SHIFT;
    if (chunk == space->chunks) {
        if (id >= MAX_NODES) {
            return NODE_NONE;
        }
        struct frame_node *nodes = calloc(CHUNK_SIZE, sizeof(nodes[0]));
        if (nodes == NULL) {
            return NODE_NONE;
        }
        tree->node_chunks[chunk] = nodes;
        space->chunks++;
    }
    space->used++;
    space->live++;
    return id;
}


/* Room for the counters of all contexts up to one. */
static int
counters_reserve(struct context_tree *tree, context_id id)
{
    struct counters **chunk = &tree->counter_chunks[id >> COUNTERS_SHIFT];
    if (*chunk == NULL) {
        *chunk = calloc((size_t)1 << COUNTERS_SHIFT, sizeof((*chunk)[0]));
    }
    return *chunk != NULL ? 0 : -1;
}


static context_id
context_take(struct context_tree *tree)
{
    struct number_space *space = &tree->contexts;
    context_id id = space->unused;
    if (id != CONTEXT_NONE) {
        space->unused = tm_context_at(tree, id)->code;
        space->live++;
        return id;
    }
    id = space->used;
    size_t chunk = id >> CHUNK_SHIFT;
    if (chunk == space->chunks) {
        if (id >= MAX_CONTEXTS || counters_reserve(tree, id) < 0) {
            return CONTEXT_NONE;
        }
        struct context *nodes = tm_new_zeros(
            CHUNK_SIZE * sizeof(nodes[0]), sizeof(nodes[0]));
        if (nodes == NULL) {
            return CONTEXT_NONE;
        }
        tree->context_chunks[chunk] = nodes;
        space->chunks++;
    }
    space->used++;
    space->live++;
    return id;
}


PART void
tm_free_node(struct context_tree *tree, node_id id)
{
    struct frame_node *parent = tm_node_at(tree, tm_node_at(tree, id)->parent);
    if (parent->first_child == id) {
        parent->first_child = NODE_NONE;
    }
    *tm_node_at(tree, id) = (struct frame_node){.code = tree->nodes.unused};
    tree->nodes.unused = id;
    tree->nodes.live--;
    tree->reclaimed_nodes++;
}


static void
context_give_back(struct context_tree *tree, context_id id)
{
    *tm_context_at(tree, id) = (struct context){.code = tree->contexts.unused};
    tree->contexts.unused = id;
    tree->contexts.live--;
}


PART void
tm_free_context(struct context_tree *tree, context_id id)
{
    const struct context *context = tm_context_at(tree, id);
    struct frame_node *node = tm_node_at(tree, context->node);
    if (node->first_context == id) {
        node->first_context = CONTEXT_NONE;
    }
    struct counters counters = tm_context_counters(context);
    tree->reclaimed_blocks += counters.allocated_blocks;
    tree->reclaimed_bytes += counters.allocated_bytes;
    tree->reclaimed_contexts++;
    if (context->has_counters) {
        context->counters->next_unused = tree->unused_counters;
        tree->unused_counters = context->counters;
    }
    context_give_back(tree, id);
}


/* --- counters ------------------------------------------------------------ */

void
_PyTraceMalloc_GiveCounters(struct context_tree *tree, struct context *context)
{
    if (context->has_counters) {
        return;
    }
    struct counters *counters = tree->unused_counters;
    if (counters != NULL) {
        tree->unused_counters = counters->next_unused;
    }
    else {
        /* Not more than there are contexts, for which there is room. */
        uint32_t at = tree->used_counters++;
        counters = &tree->counter_chunks[at >> COUNTERS_SHIFT]
                        [at & (((uint32_t)1 << COUNTERS_SHIFT) - 1)];
    }
    *counters = tm_context_counters(context);
    context->counters = counters;
    __atomic_store_n(&context->has_counters, 1, __ATOMIC_RELEASE);
}


PART void
tm_count_lost(struct traced_bytes *bytes, struct context *context,
              size_t size)
{
    if (__atomic_load_n(&context->has_counters, __ATOMIC_ACQUIRE)) {
        tm_count_free(bytes, context, size);
        return;
    }
    /* The peak is not saved: it would be written where a pointer may be by
       now. */
    context->freed_blocks++;
    context->freed_bytes += (uint16_t)size;
    bytes->current -= size;
}


/* --- life cycle ---------------------------------------------------------- */

PART int
tm_init_contexts(struct context_tree *tree)
{
    tree->generation++;
    tree->nodes.used = NODE_ROOT;
    tree->contexts.used = CONTEXT_UNKNOWN;
    tree->ndomains = 1;
    tree->domains[0] = 0;
    if (index_replace(tree, &tree->nodes, FIRST_SLOTS) < 0
        || index_replace(tree, &tree->contexts, FIRST_SLOTS) < 0
        || node_take(tree) != NODE_ROOT
        || tm_add_context(tree, NODE_ROOT, CODE_NONE, 0, 0)
            != CONTEXT_UNKNOWN)
    {
        tm_fini_contexts(tree);
        return -1;
    }
    return 0;
}


PART void
tm_fini_contexts(struct context_tree *tree)
{
    for (size_t i = 0; i < tree->nodes.chunks; i++) {
        free(tree->node_chunks[i]);
        tree->node_chunks[i] = NULL;
    }
    for (size_t i = 0; i < tree->contexts.chunks; i++) {
        tm_free_zeros(tree->context_chunks[i]);
        free(tree->late_chunks[i]);
        tree->context_chunks[i] = NULL;
        tree->late_chunks[i] = NULL;
    }
    for (size_t i = 0; i < MAX_CONTEXTS >> COUNTERS_SHIFT
         && tree->counter_chunks[i] != NULL; i++)
    {
        free(tree->counter_chunks[i]);
        tree->counter_chunks[i] = NULL;
    }
    tree->unused_counters = NULL;
    tree->used_counters = 0;
    tree->nlate_chunks = 0;
    free(tree->nodes.index);
    free(tree->contexts.index);
    tm_free_replaced(tree);
    memset(&tree->nodes, 0, sizeof(tree->nodes));
    memset(&tree->contexts, 0, sizeof(tree->contexts));
    tree->reclaimed_blocks = tree->reclaimed_bytes = 0;
    tree->reclaimed_contexts = tree->reclaimed_nodes = 0;
    tree->generation++;
}


/* --- looking up ---------------------------------------------------------- */

PART node_id
tm_find_node(const struct context_tree *tree, node_id parent,
             code_id code, int32_t line)
{
    node_id found = first_load(&tm_node_at(tree, parent)->first_child);
    if (node_is(tree, found, code, line)) {
        return found;
    }
    (void)node_probe(tree, index_of(&tree->nodes), parent, code, line, &found);
    return found;
}


PART context_id
tm_find_context(const struct context_tree *tree, node_id node,
                code_id code, uint32_t site, int32_t line)
{
    context_id found = first_load(&tm_node_at(tree, node)->first_context);
    if (found != CONTEXT_NONE && context_is(tree, found, code, site, line, 0))
    {
        return found;
    }
    (void)context_probe(tree, index_of(&tree->contexts), node, code, site,
                        line, 0, &found);
    return found;
}


/* Whether there is no room for one more number: an index stays at most half
   full. */
static inline int
space_is_full(const struct number_space *space)
{
    return 2 * ((size_t)space->indexed + 1) > space->index->mask + 1;
}


static inline size_t
space_more_slots(const struct number_space *space)
{
    return 2 * (space->index->mask + 1);
}


/* Let a node that is complete be found: as the first one, or in the index. */
static inline void
space_enter(struct number_space *space, uint32_t *first,
            const struct probe *probe, uint32_t id)
{
    if (*first == 0) {
        first_store(first, id);
        return;
    }
    slot_store(space->index, probe->at, id | probe->tag);
    space->indexed++;
}


static node_id
node_add(struct context_tree *tree, node_id parent, code_id code, int32_t line)
{
    assert(parent != NODE_NONE && line >= 0);
    struct number_space *space = &tree->nodes;
    node_id *first = &tm_node_at(tree, parent)->first_child;
    node_id id = *first;
    struct probe probe = {0};
    if (id != NODE_NONE) {
        if (node_is(tree, id, code, line)) {
            return id;
        }
        probe = node_probe(tree, space->index, parent, code, line, &id);
        if (id != NODE_NONE) {
            return id;
        }
        if (space_is_full(space)) {
            if (index_replace(tree, space, space_more_slots(space)) < 0) {
                return NODE_NONE;
            }
            probe = node_probe(tree, space->index, parent, code, line, &id);
        }
    }
    id = node_take(tree);
    if (id == NODE_NONE) {
        return NODE_NONE;
    }
    *tm_node_at(tree, id) = (struct frame_node){
        .parent = parent,
        .code = code,
        .line = line,
        .depth = code == CODE_NONE ? 0 : tm_node_at(tree, parent)->depth + 1,
    };
    space_enter(space, first, &probe, id);
    return id;
}


PART node_id
tm_add_node(struct context_tree *tree, node_id parent, code_id code,
            int32_t line)
{
    assert(code != CODE_NONE);
    return node_add(tree, parent, code, line);
}


PART node_id
tm_add_root(struct context_tree *tree, uint32_t thread)
{
    if (thread == 0) {
        return NODE_ROOT;
    }
    return node_add(tree, NODE_ROOT, CODE_NONE, (int32_t)thread);
}


/* Room for the domain of a context, if it is a late one. */
static int
late_reserve(struct context_tree *tree, context_id id, uint32_t site)
{
    uint32_t **chunk = &tree->late_chunks[id >> CHUNK_SHIFT];
    if (site >> 24 == LATE_DOMAIN && *chunk == NULL) {
        *chunk = calloc(CHUNK_SIZE, sizeof((*chunk)[0]));
        if (*chunk == NULL) {
            return -1;
        }
        tree->nlate_chunks++;
    }
    return 0;
}


/* `late` is the domain if `site` has LATE_DOMAIN, otherwise 0. */
static context_id
context_add(struct context_tree *tree, node_id node, code_id code,
            uint32_t site, int32_t line, uint32_t late)
{
    assert(node != NODE_NONE && line >= 0);
    struct number_space *space = &tree->contexts;
    context_id *first = &tm_node_at(tree, node)->first_context;
    context_id id = *first;
    struct probe probe = {0};
    if (id != CONTEXT_NONE) {
        if (context_is(tree, id, code, site, line, late)) {
            return id;
        }
        probe = context_probe(tree, space->index, node, code, site, line, late,
                              &id);
        if (id != CONTEXT_NONE) {
            return id;
        }
        if (space_is_full(space)) {
            if (index_replace(tree, space, space_more_slots(space)) < 0) {
                return CONTEXT_NONE;
            }
            probe = context_probe(tree, space->index, node, code, site, line,
                                  late, &id);
        }
    }
    id = context_take(tree);
    if (id == CONTEXT_NONE) {
        return CONTEXT_NONE;
    }
    if (late_reserve(tree, id, site) < 0) {
        context_give_back(tree, id);
        return CONTEXT_NONE;
    }
    struct context *context = tm_context_at(tree, id);
    context->node = node;
    context->code = code;
    context->instr_domain = site;
    context->line = line;
    if (site >> 24 == LATE_DOMAIN) {
        tree->late_chunks[id >> CHUNK_SHIFT][id & CHUNK_MASK] = late;
    }
    space_enter(space, first, &probe, id);
    return id;
}


PART context_id
tm_add_context(struct context_tree *tree, node_id node,
               code_id code, uint32_t site, int32_t line)
{
    assert(site <= MAX_UNIT);
    return context_add(tree, node, code, site, line, 0);
}


/* The number of a domain, or LATE_DOMAIN. */
static uint32_t
domain_number(struct context_tree *tree, uint32_t domain)
{
    uint32_t number = 0;
    while (number < tree->ndomains && tree->domains[number] != domain) {
        number++;
    }
    if (number == tree->ndomains && number < LATE_DOMAIN) {
        tree->domains[number] = domain;
        tree->ndomains++;
    }
    return number;
}


PART context_id
tm_add_context_of_domain(struct context_tree *tree,
                         const struct context *context,
                         uint32_t domain)
{
    assert(context->instr_domain <= MAX_UNIT);
    uint32_t number = domain_number(tree, domain);
    return context_add(tree, context->node, context->code,
                       CONTEXT_INSTR_DOMAIN(context->instr_domain, number), context->line,
                       number == LATE_DOMAIN ? domain : 0);
}


size_t
_PyTraceMalloc_SizeOfContexts(const struct context_tree *tree)
{
    size_t size = CHUNK_SIZE * (tree->nodes.chunks * sizeof(struct frame_node)
                  + tree->nlate_chunks * sizeof(uint32_t));
    size += tree->contexts.chunks * (CHUNK_SIZE + 1) * sizeof(struct context);
    size += tree->used_counters * sizeof(struct counters);
    const struct number_index *lists[] = {
        tree->nodes.index, tree->contexts.index, tree->replaced,
    };
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (const struct number_index *index = lists[i]; index != NULL;
             index = index->next)
        {
            size += sizeof(*index);
            size += (index->mask + 1) * sizeof(index->slots[0]);
        }
    }
    return size;
}


/* --- checking ------------------------------------------------------------ */

/* Whether an index has so many slots in use, and knows it. */
static int
index_is_full_of(const struct number_space *space, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i <= space->index->mask; i++) {
        used += space->index->slots[i] != 0;
    }
    return used == n && space->indexed == n;
}


static const char *
check_nodes(const struct context_tree *tree)
{
    size_t live = 1, first = 0;
    for (node_id id = NODE_ROOT + 1; id < tree->nodes.used; id++) {
        const struct frame_node *node = tm_node_at(tree, id);
        if (node->parent == NODE_NONE) {
            continue;
        }
        live++;
        const struct frame_node *parent = node->parent < tree->nodes.used
                                    ? tm_node_at(tree, node->parent) : NULL;
        if (parent == NULL
            || (node->parent != NODE_ROOT && parent->parent == NODE_NONE)
            || (node->code == CODE_NONE
                ? node->parent != NODE_ROOT || node->depth != 0
                : node->depth != parent->depth + 1))
        {
            return "contexts: I1, a node hangs in the air";
        }
        if (tm_find_node(tree, node->parent, node->code,
                         node->line) != id)
        {
            return "contexts: I3, a node is not found by its key";
        }
        first += parent->first_child == id;
    }
    size_t unused = 0;
    for (node_id id = tree->nodes.unused; id != NODE_NONE;
         id = tm_node_at(tree, id)->code)
    {
        unused++;
    }
    if (!index_is_full_of(&tree->nodes, live - 1 - first)) {
        return "contexts: I3, the index names what is no node";
    }
    if (live != tree->nodes.live || 1 + live + unused != tree->nodes.used) {
        return "contexts: I5, the number of nodes is wrong";
    }
    return NULL;
}


const char *
_PyTraceMalloc_CheckContexts(const struct context_tree *tree)
{
    const char *fault = check_nodes(tree);
    if (fault != NULL) {
        return fault;
    }
    size_t live = 0, first = 0, counted = 0;
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        const struct context *context = tm_context_at(tree, id);
        if (context->node == NODE_NONE) {
            continue;
        }
        live++;
        if (context->node >= tree->nodes.used
            || (context->node != NODE_ROOT
                && tm_node_at(tree, context->node)->parent == NODE_NONE))
        {
            return "contexts: I2, a context has no node";
        }
        if (context->instr_domain >> 24 == LATE_DOMAIN
            && tree->late_chunks[id >> CHUNK_SHIFT] == NULL)
        {
            return "contexts: I6, a context has no domain";
        }
        uint32_t late = context_late(tree, id, context->instr_domain);
        context_id found = tm_node_at(tree, context->node)->first_context;
        first += found == id;
        if (found == CONTEXT_NONE
            || !context_is(tree, found, context->code, context->instr_domain,
                           context->line, late))
        {
            (void)context_probe(tree, tree->contexts.index, context->node,
                                context->code, context->instr_domain, context->line,
                                late, &found);
        }
        if (found != id) {
            return "contexts: I3, a context is not found by its key";
        }
        counted += context->has_counters;
        struct counters counters = tm_context_counters(context);
        if (counters.freed_blocks > counters.allocated_blocks
            || (counters.freed_blocks == counters.allocated_blocks
                && counters.freed_bytes != counters.allocated_bytes))
        {
            return "contexts: I4, more was freed than allocated";
        }
    }
    size_t unused = 0;
    for (context_id id = tree->contexts.unused; id != CONTEXT_NONE;
         id = tm_context_at(tree, id)->code)
    {
        unused++;
    }
    if (!index_is_full_of(&tree->contexts, live - first)) {
        return "contexts: I3, the index names what is no context";
    }
    if (live != tree->contexts.live
        || 1 + live + unused != tree->contexts.used)
    {
        return "contexts: I5, the number of contexts is wrong";
    }
    for (const struct counters *at = tree->unused_counters; at != NULL;
         at = at->next_unused)
    {
        counted++;
    }
    if (counted != tree->used_counters) {
        return "contexts: I7, the number of counters is wrong";
    }
    return NULL;
}
