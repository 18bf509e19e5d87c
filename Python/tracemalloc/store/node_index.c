/* The index of the call tree: numbers of nodes and contexts, by their keys.

   Called by capture/ to look up, by call_tree.c to add, and after a reclaim;
   calls nobody, and reads the nodes of the tree.  See the header for the
   picture. */

#include "node_index.h"
#include "call_tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#ifdef Py_TRACEMALLOC_STRESS
#  define FIRST_SLOTS 16
#else
#  define FIRST_SLOTS 512
#endif

static_assert(MAX_NODES <= (size_t)1 << NODE_BITS, "numbers fit a slot");
static_assert(MAX_CONTEXTS <= (size_t)1 << CONTEXT_BITS,
              "numbers fit a slot");


/* --- first ones ---------------------------------------------------------- */

/* The number of the first node or context below one is in the low bits. */
static inline uint32_t
first_load(const uint32_t *first)
{
    return __atomic_load_n(first, __ATOMIC_ACQUIRE);
}


/* Enter the first one, where there is none. */
static inline void
first_store(uint32_t *first, uint32_t id)
{
    __atomic_store_n(first, *first | id, __ATOMIC_RELEASE);
}


/* --- keys ---------------------------------------------------------------- */

/* Multiplicative hashing (Knuth, The Art of Computer Programming, vol. 3,
   6.4): numbers and lines are small and dense, and only the high bits of a
   product depend on all of them. */
static inline uint64_t
mix(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15u;
    return key ^ key >> 32;
}


static inline uint64_t
node_key(code_id code, int32_t line)
{
    return code ^ (uint64_t)(uint32_t)line * 0xff51afd7ed558ccdu;
}


/* What contexts under one node are told apart by, for the hash: the key, but
   for the node, and what a wide one has beside it. */
static inline uint64_t
context_hashed(uint64_t key, uint32_t unit, uint32_t domain)
{
    return key >> NODE_BITS
           ^ ((uint64_t)domain << 32 | unit) * 0xff51afd7ed558ccdu;
}


/* Whether a node has a key, which is told with the line it is of.  Number 0 is
   none: there a node of zeros lies, without a parent. */
static inline int
node_is(const struct call_tree *tree, node_id id, uint64_t key, int32_t line)
{
    const struct packed_node *node = tm_packed_node_at(tree, id);
    if (__atomic_load_n(&node->key, __ATOMIC_ACQUIRE) != key) {
        return 0;
    }
    uint32_t high = tm_high_line(node);
    return high < WIDE_HIGH_LINE ? high == (uint32_t)line >> LOW_LINE_BITS
                                 : tm_node_line(tree, id) == line;
}


static inline int
context_is(const struct call_tree *tree, context_id id, uint64_t key,
           uint32_t unit, uint32_t domain)
{
    const struct context *context = tm_context_at(tree, id);
    return __atomic_load_n(&context->key, __ATOMIC_ACQUIRE) == key
           && (key >> UNIT_SHIFT != WIDE_UNIT
               || (tm_counters_of(context)->unit == unit
                   && tm_counters_of(context)->domain == domain));
}


/* --- probing ------------------------------------------------------------- */

/* The children of a node are looked for in the bucket that the node's number
   gives, and only if that is full, all over the index.  Numbers are given in
   the order of calls, so going down or up a stack reads the index from one end
   to the other, where a hash alone would miss the processor's cache each time.
   Few nodes have more children than a bucket has slots; larger buckets lie
   further apart. */
#define NODES_BUCKET 4
#define CONTEXTS_BUCKET 6

struct probe {
    uint64_t hash;
    uint32_t tag;               /* what the slot has above the number */
    uint32_t in_bucket;         /* slots left there */
    size_t at;
    size_t mask;
};


static inline size_t
bucket_at(const struct node_index *index, uint32_t parent, unsigned bucket)
{
    return (size_t)parent * bucket & index->mask;
}


static inline struct probe
probe_begin(const struct node_index *index, uint32_t parent, uint64_t key,
            unsigned bits, unsigned bucket)
{
    uint64_t hash = mix((uint64_t)parent << 32 ^ key);
    return (struct probe){
        .hash = hash,
        .tag = (uint32_t)hash >> bits << bits,
        .in_bucket = bucket,
        .at = bucket_at(index, parent, bucket),
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


static inline struct node_index *
index_of(const struct number_space *space)
{
    return __atomic_load_n(&space->index, __ATOMIC_ACQUIRE);
}


static inline uint32_t
slot_load(const struct node_index *index, size_t at)
{
    return __atomic_load_n(&index->slots[at], __ATOMIC_ACQUIRE);
}


static inline void
slot_store(struct node_index *index, size_t at, uint32_t slot)
{
    __atomic_store_n(&index->slots[at], slot, __ATOMIC_RELEASE);
}


/* Look for a node or context in an index: its slot, or the free one where it
   goes.  *found is the number in it.  Without the lock the slot may not be
   read once more: a free one may be another node's by then. */
static inline struct probe
node_probe(const struct call_tree *tree, const struct node_index *index,
           node_id parent, code_id code, int32_t line, node_id *found)
{
    struct probe probe = probe_begin(index, parent, node_key(code, line),
                                     NODE_BITS, NODES_BUCKET);
    uint64_t key = tm_node_key(parent, code, line);
    uint32_t slot;
    while ((slot = slot_load(index, probe.at)) != 0) {
        *found = SLOT_NODE(slot);
        if (slot == (*found | probe.tag) && node_is(tree, *found, key, line)) {
            return probe;
        }
        probe_next(&probe);
    }
    *found = NODE_NONE;
    return probe;
}


static inline struct probe
context_probe(const struct call_tree *tree, const struct node_index *index,
              uint64_t key, uint32_t unit, uint32_t domain, context_id *found)
{
    struct probe probe = probe_begin(index, (node_id)key & NODE_MASK,
                                     context_hashed(key, unit, domain),
                                     CONTEXT_BITS, CONTEXTS_BUCKET);
    uint32_t slot;
    while ((slot = slot_load(index, probe.at)) != 0) {
        *found = SLOT_CONTEXT(slot);
        if (slot == (*found | probe.tag)
            && context_is(tree, *found, key, unit, domain))
        {
            return probe;
        }
        probe_next(&probe);
    }
    *found = CONTEXT_NONE;
    return probe;
}


/* --- looking up ---------------------------------------------------------- */

/* Programs pass the same places in the same order again and again, and that is
   the order of the numbers: after a node or context that was found often comes
   the next one, and the index need not be in the processor's cache.  The next
   number may be unused, or just being given, and may not have been entered
   yet: keys are stored last, and the parent of an unused one is none.

   Storing and loading what was found orders the chunks, too: whoever reads it
   sees the one that the number is in. */
static inline uint32_t
next_number(const struct number_space *space)
{
    uint32_t next = __atomic_load_n(&space->found, __ATOMIC_ACQUIRE) + 1;
    return (next & CHUNK_MASK) != 0 ? next : 0;     /* another chunk, if any */
}


static inline void
note_found(struct number_space *space, uint32_t number)
{
    __atomic_store_n(&space->found, number, __ATOMIC_RELEASE);
}


PART void
tm_prefetch_nodes(const struct call_tree *tree, node_id parent)
{
    const struct node_index *index = index_of(&tree->nodes);
    __builtin_prefetch(&index->slots[bucket_at(index, parent, NODES_BUCKET)]);
}


static inline node_id
node_find(const struct call_tree *tree, node_id parent, code_id code,
          int32_t line, node_id guess)
{
    uint64_t key = tm_node_key(parent, code, line);
    if (node_is(tree, guess, key, line)) {
        return guess;
    }
    node_id found = first_load(&tm_packed_node_at(tree, parent)->first_child)
                    & NODE_MASK;
    if (found == NODE_NONE || node_is(tree, found, key, line)) {
        return found;
    }
    (void)node_probe(tree, index_of(&tree->nodes), parent, code, line, &found);
    return found;
}


static inline context_id
context_find(const struct call_tree *tree, uint64_t key, uint32_t unit,
             uint32_t domain, context_id guess)
{
    if (context_is(tree, guess, key, unit, domain)) {
        return guess;
    }
    const struct packed_node *node =
        tm_packed_node_at(tree, (node_id)key & NODE_MASK);
    context_id found = first_load(&node->first_context) & CONTEXT_MASK;
    if (found == CONTEXT_NONE || context_is(tree, found, key, unit, domain)) {
        return found;
    }
    (void)context_probe(tree, index_of(&tree->contexts), key, unit, domain,
                        &found);
    return found;
}


PART node_id
tm_find_node(struct call_tree *tree, node_id parent, code_id code,
             int32_t line)
{
    node_id found = node_find(tree, parent, code, line,
                              next_number(&tree->nodes));
    if (found != NODE_NONE) {
        note_found(&tree->nodes, found);
    }
    return found;
}


PART context_id
tm_find_context(struct call_tree *tree, node_id node, code_id code,
                uint32_t unit, int32_t line)
{
    context_id found = context_find(
        tree, tm_context_key(node, code, unit, 0, line), unit, 0,
        next_number(&tree->contexts));
    if (found != CONTEXT_NONE) {
        note_found(&tree->contexts, found);
    }
    return found;
}


/* --- building ------------------------------------------------------------ */

static struct node_index *
index_new(size_t nslots)
{
    struct node_index *index = calloc(1, sizeof(*index)
                                         + nslots * sizeof(index->slots[0]));
    if (index != NULL) {
        index->mask = nslots - 1;
    }
    return index;
}


/* Whether there is room for so many numbers: an index stays at most three
   quarters full. */
static inline int
slots_suffice(size_t nslots, size_t n)
{
    return 4 * n <= 3 * nslots;
}


/* Whether a node is the first one; it is, if there is no other. */
static inline int
is_first(uint32_t *first, uint32_t mask, uint32_t id)
{
    if ((*first & mask) == 0) {
        first_store(first, id);
    }
    return (*first & mask) == id;
}


/* Enter all nodes that belong there, if there is an index, and count them.  In
   place of a first one that went comes the next. */
static uint32_t
index_fill_nodes(const struct call_tree *tree, struct node_index *index)
{
    uint32_t n = 0;
    for (node_id id = NODE_ROOT + 1; id < tree->nodes.used; id++) {
        node_id parent = tm_node_parent(tree, id);
        if (parent == NODE_NONE
            || is_first(&tm_packed_node_at(tree, parent)->first_child,
                        NODE_MASK, id))
        {
            continue;
        }
        n++;
        if (index != NULL) {
            struct frame_node node = tm_node(tree, id);
            node_id found;
            struct probe probe = node_probe(tree, index, parent, node.code,
                                            node.line, &found);
            slot_store(index, probe.at, id | probe.tag);
        }
    }
    return n;
}


static uint32_t
index_fill_contexts(const struct call_tree *tree, struct node_index *index)
{
    uint32_t n = 0;
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        const struct context *context = tm_context_at(tree, id);
        node_id node = tm_context_node(context);
        if (node == NODE_NONE
            || is_first(&tm_packed_node_at(tree, node)->first_context,
                        CONTEXT_MASK, id))
        {
            continue;
        }
        n++;
        if (index != NULL) {
            context_id found;
            struct probe probe = context_probe(
                tree, index, context->key, tm_context_unit(context),
                tm_context_domain(context), &found);
            slot_store(index, probe.at, id | probe.tag);
        }
    }
    return n;
}


static uint32_t
index_fill(const struct call_tree *tree, const struct number_space *space,
           struct node_index *index)
{
    return space == &tree->nodes ? index_fill_nodes(tree, index)
                                 : index_fill_contexts(tree, index);
}


/* Replace the index of one kind of node by one of another size. */
static int
index_replace(struct call_tree *tree, struct number_space *space,
              size_t nslots)
{
    struct node_index *index = index_new(nslots);
    if (index == NULL) {
        return -1;
    }
    space->indexed = index_fill(tree, space, index);
    struct node_index *old = space->index;
    __atomic_store_n(&space->index, index, __ATOMIC_RELEASE);
    if (old != NULL) {
        old->next = tree->replaced;
        tree->replaced = old;
    }
    return 0;
}


PART int
tm_init_indexes(struct call_tree *tree)
{
    return index_replace(tree, &tree->nodes, FIRST_SLOTS) < 0
           || index_replace(tree, &tree->contexts, FIRST_SLOTS) < 0 ? -1 : 0;
}


PART void
tm_fini_indexes(struct call_tree *tree)
{
    free(tree->nodes.index);
    free(tree->contexts.index);
    tree->nodes.index = tree->contexts.index = NULL;
    tm_free_replaced(tree);
}


/* A smaller index if that is enough, or else the same one filled again.  Room
   there is: it held all nodes when there were more of them. */
static void
space_reindex(struct call_tree *tree, struct number_space *space)
{
    size_t nslots = FIRST_SLOTS;
    uint32_t n = index_fill(tree, space, NULL);
    while (!slots_suffice(nslots, n)) {
        nslots *= 2;
    }
    struct node_index *index = space->index;
    assert(nslots <= index->mask + 1);
    if (nslots <= index->mask && index_replace(tree, space, nslots) == 0) {
        return;
    }
    memset(index->slots, 0, (index->mask + 1) * sizeof(index->slots[0]));
    space->indexed = index_fill(tree, space, index);
}


PART void
tm_reindex(struct call_tree *tree)
{
    space_reindex(tree, &tree->nodes);
    space_reindex(tree, &tree->contexts);
}


PART void
tm_free_replaced(struct call_tree *tree)
{
    while (tree->replaced != NULL) {
        struct node_index *next = tree->replaced->next;
        free(tree->replaced);
        tree->replaced = next;
    }
}


/* --- adding -------------------------------------------------------------- */

/* Whether there is no room for one more. */
static inline int
space_is_full(const struct number_space *space)
{
    return !slots_suffice(space->index->mask + 1, (size_t)space->indexed + 1);
}


static inline size_t
space_more_slots(const struct number_space *space)
{
    return 2 * (space->index->mask + 1);
}


PART int
tm_seek_node(struct call_tree *tree, node_id parent, code_id code,
             int32_t line, struct index_place *place)
{
    struct number_space *space = &tree->nodes;
    uint32_t *first = &tm_packed_node_at(tree, parent)->first_child;
    *place = (struct index_place){.found = *first & NODE_MASK};
    if (place->found == NODE_NONE) {
        place->first = first;
        return 0;
    }
    if (node_is(tree, place->found, tm_node_key(parent, code, line), line)) {
        return 0;
    }
    struct probe probe = node_probe(tree, space->index, parent, code, line,
                                    &place->found);
    if (place->found == NODE_NONE && space_is_full(space)) {
        if (index_replace(tree, space, space_more_slots(space)) < 0) {
            return -1;
        }
        probe = node_probe(tree, space->index, parent, code, line,
                           &place->found);
    }
    place->at = probe.at;
    place->tag = probe.tag;
    return 0;
}


PART int
tm_seek_context(struct call_tree *tree, uint64_t key, uint32_t unit,
                uint32_t domain, struct index_place *place)
{
    struct number_space *space = &tree->contexts;
    uint32_t *first = &tm_packed_node_at(tree, (node_id)key & NODE_MASK)
                           ->first_context;
    *place = (struct index_place){.found = *first & CONTEXT_MASK};
    if (place->found == CONTEXT_NONE) {
        place->first = first;
        return 0;
    }
    if (context_is(tree, place->found, key, unit, domain)) {
        return 0;
    }
    struct probe probe = context_probe(tree, space->index, key, unit, domain,
                                       &place->found);
    if (place->found == CONTEXT_NONE && space_is_full(space)) {
        if (index_replace(tree, space, space_more_slots(space)) < 0) {
            return -1;
        }
        probe = context_probe(tree, space->index, key, unit, domain,
                              &place->found);
    }
    place->at = probe.at;
    place->tag = probe.tag;
    return 0;
}


PART void
tm_enter_number(struct number_space *space, const struct index_place *place,
                uint32_t number)
{
    if (place->first != NULL) {
        first_store(place->first, number);
        return;
    }
    slot_store(space->index, place->at, number | place->tag);
    space->indexed++;
}


/* --- size and check ------------------------------------------------------ */

PART size_t
tm_size_of_indexes(const struct call_tree *tree)
{
    const struct node_index *lists[] = {
        tree->nodes.index, tree->contexts.index, tree->replaced,
    };
    size_t size = 0;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (const struct node_index *index = lists[i]; index != NULL;
             index = index->next)
        {
            size += sizeof(*index);
            size += (index->mask + 1) * sizeof(index->slots[0]);
        }
    }
    return size;
}


/* Whether an index has so many slots in use, knows it, and has room enough. */
static int
index_is_full_of(const struct number_space *space, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i <= space->index->mask; i++) {
        used += space->index->slots[i] != 0;
    }
    return used == n && space->indexed == n
           && slots_suffice(space->index->mask + 1, n);
}


static const char *
check_node_index(const struct call_tree *tree)
{
    size_t indexed = 0;
    for (node_id id = NODE_ROOT + 1; id < tree->nodes.used; id++) {
        node_id parent = tm_node_parent(tree, id);
        if (parent == NODE_NONE) {
            continue;
        }
        struct frame_node node = tm_node(tree, id);
        if (node_find(tree, parent, node.code, node.line, NODE_NONE) != id) {
            return "node index: I3, a node is not found by its key";
        }
        indexed += (tm_packed_node_at(tree, parent)->first_child & NODE_MASK)
                   != id;
    }
    return index_is_full_of(&tree->nodes, indexed)
           ? NULL : "node index: I3, it names what is no node, or is too full";
}


static const char *
check_context_index(const struct call_tree *tree)
{
    size_t indexed = 0;
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        const struct context *context = tm_context_at(tree, id);
        node_id node = tm_context_node(context);
        if (node == NODE_NONE) {
            continue;
        }
        if (context_find(tree, context->key, tm_context_unit(context),
                         tm_context_domain(context), CONTEXT_NONE) != id)
        {
            return "node index: I3, a context is not found by its key";
        }
        indexed += (tm_packed_node_at(tree, node)->first_context
                    & CONTEXT_MASK) != id;
    }
    return index_is_full_of(&tree->contexts, indexed)
           ? NULL : "node index: I3, it names what is none, or is too full";
}


PART const char *
tm_check_indexes(const struct call_tree *tree)
{
    const char *fault = check_node_index(tree);
    return fault != NULL ? fault : check_context_index(tree);
}
