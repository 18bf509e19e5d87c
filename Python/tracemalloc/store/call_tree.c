/* The call tree: frame nodes and contexts, their numbers and their counters.

   Called by capture/, for the context of a stack, by reclaim.c, which takes
   away what nobody needs, and by what counts; calls node_index.c, by which
   nodes and contexts are found.  See the header for the picture and the
   invariants. */

#include "call_tree.h"
#include "code_table.h"
#include "counting.h"
#include "zeros.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof(struct packed_node) == 16,
              "nodes are many: keep them small");
static_assert(MAX_CODES <= (size_t)1 << CODE_BITS, "codes fit a key");
static_assert((uint64_t)MAX_ACCOUNTS * THREAD_SLOTS + THREAD_SLOTS
              <= (uint64_t)INT32_MAX,
              "the lines of roots are lines");
static_assert(sizeof(struct context) == 16,
              "contexts are many: keep them small");
static_assert(sizeof(struct some) == 16, "some contexts have them");
static_assert(sizeof(struct counters) == 64, "a cache line");
static_assert(FEW_LINE < 64 && MAX_FEW <= FEW_MASK
              && MAX_FEW_SIZE <= FEW_SIZE_MASK
              && MAX_FEW_LINE <= (int32_t)FEW_LINE_MASK,
              "the fields of the few have room");
static_assert(2 * MAX_FEW <= MAX_SOME
              && 2 * MAX_FEW * MAX_FEW_SIZE <= MAX_SOME_BYTES
              && MAX_SHORT_LINE <= UINT16_MAX,
              "and so have those of some, for the few as well");


/* --- numbers ------------------------------------------------------------- */

static node_id
node_take(struct call_tree *tree)
{
    struct number_space *space = &tree->nodes;
    node_id id = space->unused;
    if (id != NODE_NONE) {
        space->unused = tm_packed_node_at(tree, id)->key >> NODE_BITS;
        space->live++;
        return id;
    }
    id = space->used;
    size_t chunk = id >> CHUNK_SHIFT;
    if (chunk == space->chunks) {
        if (id >= MAX_NODES) {
            return NODE_NONE;
        }
        struct packed_node *nodes = calloc(CHUNK_SIZE, sizeof(nodes[0]));
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


static context_id
context_take(struct call_tree *tree)
{
    struct number_space *space = &tree->contexts;
    context_id id = space->unused;
    if (id != CONTEXT_NONE) {
        space->unused = tm_context_code(tm_context_at(tree, id));
        space->live++;
        return id;
    }
    id = space->used;
    size_t group = id >> GROUP_SHIFT;
    if (group == space->chunks) {
        if (id >= MAX_CONTEXTS) {
            return CONTEXT_NONE;
        }
        tree->groups[group] = tm_new_zeros_in(
            &tree->group_memory[group], sizeof(struct context_group),
            GROUP_UNIT);
        if (tree->groups[group] == NULL) {
            return CONTEXT_NONE;
        }
        space->chunks++;
    }
    space->used++;
    space->live++;
    return id;
}


/* Who looks up may read it at any time; all that goes with it is there. */
static inline void
key_store(uint64_t *key, uint64_t value)
{
    __atomic_store_n(key, value, __ATOMIC_RELEASE);
}


static void
node_give_back(struct call_tree *tree, node_id id)
{
    struct packed_node *node = tm_packed_node_at(tree, id);
    node->first_child = node->first_context = 0;
    key_store(&node->key, (uint64_t)tree->nodes.unused << NODE_BITS);
    tree->nodes.unused = id;
    tree->nodes.live--;
}


PART void
tm_free_node(struct call_tree *tree, node_id id)
{
    struct packed_node *parent = tm_packed_node_at(tree,
                                                   tm_node_parent(tree, id));
    if ((parent->first_child & NODE_MASK) == id) {
        parent->first_child &= ~NODE_MASK;
    }
    node_give_back(tree, id);
    tree->reclaimed_nodes++;
}


static void
context_give_back(struct call_tree *tree, context_id id)
{
    struct context *context = tm_context_at(tree, id);
    struct saved *saved;
    uint64_t bit = tm_saved_bit(context, &saved);
    saved->bits &= ~bit;
    *context = (struct context){
        .key = (uint64_t)tree->contexts.unused << NODE_BITS,
    };
    tree->contexts.unused = id;
    tree->contexts.live--;
}


/* Nobody needs it any more, but somebody may still count there: see
   tm_count_lost(). */
static void
some_leave(struct call_tree *tree, struct some *some)
{
    some->next_unused = tree->left_some;
    tree->left_some = some;
}


PART void
tm_free_context(struct call_tree *tree, context_id id)
{
    const struct context *context = tm_context_at(tree, id);
    struct packed_node *node = tm_packed_node_at(tree,
                                                 tm_context_node(context));
    if ((node->first_context & CONTEXT_MASK) == id) {
        node->first_context &= ~CONTEXT_MASK;
    }
    struct counters counters = tm_context_counters(context);
    tree->reclaimed_blocks += counters.allocated_blocks;
    tree->reclaimed_bytes += counters.allocated_bytes;
    tree->reclaimed_contexts++;
    if (tm_context_has_counters(context)) {
        tm_counters_of(context)->next_unused = tree->unused_counters;
        tree->unused_counters = tm_counters_of(context);
    }
    else if (tm_context_has_some(context)) {
        some_leave(tree, tm_some_of(context));
    }
    context_give_back(tree, id);
}


/* --- counters ------------------------------------------------------------ */

static struct counters *
counters_take(struct call_tree *tree)
{
    struct counters *counters = tree->unused_counters;
    if (counters != NULL) {
        tree->unused_counters = counters->next_unused;
    }
    else {
        /* Not more than there are contexts, for which there is room. */
        uint32_t at = tree->used_counters++;
        counters = &tree->groups[at >> GROUP_SHIFT]->counters[at & GROUP_MASK];
    }
    return counters;
}


static struct some *
some_take(struct call_tree *tree)
{
    struct some *some = tree->unused_some;
    if (some != NULL) {
        tree->unused_some = some->next_unused;
        return some;
    }
    /* As with counters: until a reclaim, a context takes one only. */
    uint32_t at = tree->used_some++;
    return &tree->groups[at >> GROUP_SHIFT]->some[at & GROUP_MASK];
}


/* From now on its counts are there, which are complete. */
static void
counts_move(struct context *context, const void *counts, unsigned form)
{
    __atomic_store_n(&context->counts, (uint64_t)(uintptr_t)counts | form,
                     __ATOMIC_RELEASE);
}


void
_PyTraceMalloc_GiveCounters(struct call_tree *tree, struct context *context)
{
    if (tm_context_has_counters(context)) {
        return;
    }
    struct counters *counters = counters_take(tree);
    *counters = tm_context_counters(context);
    counters->unit = tm_context_unit(context);
    counters->domain = 0;
    counters->line = tm_context_line(context);
    struct some *left = tm_context_has_some(context) ? tm_some_of(context)
                        : NULL;
    counts_move(context, counters, HAS_COUNTERS);
    if (left != NULL) {
        some_leave(tree, left);
    }
}


/* Make a context of few blocks one of some. */
static void
context_give_some(struct call_tree *tree, struct context *context,
                  const struct counters *counters)
{
    struct some *some = some_take(tree);
    *some = (struct some){
        .allocated_bytes = (uint16_t)counters->allocated_bytes,
        .freed_bytes = (uint16_t)counters->freed_bytes,
        .peak_bytes = (uint16_t)counters->peak_bytes,
        .line = (uint16_t)tm_context_line(context),
        .allocated_blocks = (uint8_t)counters->allocated_blocks,
        .freed_blocks = (uint8_t)counters->freed_blocks,
        .peak_blocks = (uint8_t)counters->peak_blocks,
        .epoch = counters->epoch,
    };
    counts_move(context, some, HAS_SOME);
}


void
_PyTraceMalloc_MakeRoom(struct call_tree *tree, struct context *context,
                        size_t size)
{
    struct counters counters = tm_context_counters(context);
    if (!tm_context_has_some(context) && counters.allocated_blocks < MAX_SOME
        && size <= MAX_SOME_BYTES - counters.allocated_bytes)
    {
        context_give_some(tree, context, &counters);
    }
    else {
        _PyTraceMalloc_GiveCounters(tree, context);
    }
}


PART void
tm_recycle_some(struct call_tree *tree)
{
    while (tree->left_some != NULL) {
        struct some *some = tree->left_some;
        tree->left_some = some->next_unused;
        some->next_unused = tree->unused_some;
        tree->unused_some = some;
    }
}


/* --- life cycle ---------------------------------------------------------- */

PART int
tm_init_tree(struct call_tree *tree)
{
    tree->generation++;
    tree->nodes.used = NODE_ROOT;
    tree->contexts.used = CONTEXT_UNKNOWN;
    if (tm_init_indexes(tree) < 0
        || node_take(tree) != NODE_ROOT
        || tm_add_context(tree, NODE_ROOT, CODE_NONE, 0, 0)
            != CONTEXT_UNKNOWN)
    {
        tm_fini_tree(tree);
        return -1;
    }
    return 0;
}


PART void
tm_fini_tree(struct call_tree *tree)
{
    for (size_t i = 0; i < tree->nodes.chunks; i++) {
        free(tree->node_chunks[i]);
        free(tree->wide_chunks[i]);
        tree->node_chunks[i] = NULL;
        tree->wide_chunks[i] = NULL;
    }
    for (size_t i = 0; i < tree->contexts.chunks; i++) {
        free(tree->group_memory[i]);
        tree->groups[i] = NULL;
    }
    tree->unused_counters = NULL;
    tree->unused_some = tree->left_some = NULL;
    tree->used_counters = tree->used_some = 0;
    tree->nwide_chunks = 0;
    tm_fini_indexes(tree);
    memset(&tree->nodes, 0, sizeof(tree->nodes));
    memset(&tree->contexts, 0, sizeof(tree->contexts));
    tree->reclaimed_blocks = tree->reclaimed_bytes = 0;
    free(tree->accounts);
    tree->accounts = NULL;
    tree->naccounts = 0;
    tree->reclaimed_contexts = tree->reclaimed_nodes = 0;
    tm_forget_paths(&tree->taken);
    tree->generation++;
}


/* --- adding -------------------------------------------------------------- */

/* Room for the line of a node, if it is a wide one. */
static int
wide_reserve(struct call_tree *tree, node_id id, int32_t line)
{
    int32_t **chunk = &tree->wide_chunks[id >> CHUNK_SHIFT];
    if (line >= WIDE_LINE && *chunk == NULL) {
        *chunk = calloc(CHUNK_SIZE, sizeof((*chunk)[0]));
        if (*chunk == NULL) {
            return -1;
        }
        tree->nwide_chunks++;
    }
    return 0;
}


static node_id
node_add(struct call_tree *tree, node_id parent, code_id code, int32_t line)
{
    assert(parent != NODE_NONE && line >= 0);
    struct index_place place;
    if (tm_seek_node(tree, parent, code, line, &place) < 0) {
        return NODE_NONE;
    }
    if (place.found != NODE_NONE) {
        return place.found;
    }
    node_id id = node_take(tree);
    if (id == NODE_NONE) {
        return NODE_NONE;
    }
    if (wide_reserve(tree, id, line) < 0) {
        node_give_back(tree, id);
        return NODE_NONE;
    }
    if (line >= WIDE_LINE) {
        tree->wide_chunks[id >> CHUNK_SHIFT][id & CHUNK_MASK] = line;
    }
    struct packed_node *node = tm_packed_node_at(tree, id);
    struct packed_node packed = tm_pack_node(parent, code, line);
    node->first_child = packed.first_child;
    node->first_context = packed.first_context;
    key_store(&node->key, packed.key);
    tm_enter_number(&tree->nodes, &place, id);
    return id;
}


PART node_id
tm_add_node(struct call_tree *tree, node_id parent, code_id code,
            int32_t line)
{
    assert(code != CODE_NONE);
    return node_add(tree, parent, code, line);
}


/* Room for the sums of an account: 0, or -1 when out of memory. */
static int
account_reserve(struct call_tree *tree, uint32_t account)
{
    if (account < tree->naccounts || account == NO_ACCOUNT) {
        return 0;
    }
    uint32_t n = 2 * account + 1;
    struct reclaimed *accounts = realloc(tree->accounts,
                                         n * sizeof(accounts[0]));
    if (accounts == NULL) {
        return -1;
    }
    memset(accounts + tree->naccounts, 0,
           (n - tree->naccounts) * sizeof(accounts[0]));
    if (tree->naccounts == 0) {
        /* So far, all was without one. */
        accounts[NO_ACCOUNT] = (struct reclaimed){
            tree->reclaimed_blocks, tree->reclaimed_bytes};
    }
    tree->accounts = accounts;
    tree->naccounts = n;
    return 0;
}


PART node_id
tm_add_root(struct call_tree *tree, uint32_t line)
{
    if (line == 0) {
        return NODE_ROOT;
    }
    if (account_reserve(tree, tm_root_account(line)) < 0) {
        return NODE_NONE;
    }
    return node_add(tree, NODE_ROOT, CODE_NONE, (int32_t)line);
}


PART uint32_t
tm_find_account(const struct call_tree *tree, uint32_t *memo, node_id id)
{
    node_id at = id;
    while (memo[at] == 0 && !tm_node_is_root(tree, at)) {
        at = tm_node_parent(tree, at);
    }
    uint32_t account = memo[at] != 0
        ? memo[at] - 1
        : tm_root_account((uint32_t)tm_node_line(tree, at));
    for (; id != at; id = tm_node_parent(tree, id)) {
        memo[id] = account + 1;
    }
    memo[at] = account + 1;
    return account;
}


/* What a new context is. */
static void
context_begin(struct call_tree *tree, struct context *context, uint64_t key,
              uint32_t unit, uint32_t domain, int32_t line)
{
    if (key >> UNIT_SHIFT == WIDE_UNIT) {
        struct counters *counters = counters_take(tree);
        *counters = (struct counters){
            .unit = unit,
            .domain = domain,
            .line = line,
        };
        counts_move(context, counters, HAS_COUNTERS);
    }
    else if (line > MAX_FEW_LINE) {
        struct some *some = some_take(tree);
        *some = (struct some){.line = (uint16_t)line};
        counts_move(context, some, HAS_SOME);
    }
    else {
        context->counts = (uint64_t)line << FEW_LINE;
    }
    key_store(&context->key, key);
}


static context_id
context_add(struct call_tree *tree, node_id node, code_id code, uint32_t unit,
            uint32_t domain, int32_t line)
{
    assert(node != NODE_NONE && line >= 0);
    uint64_t key = tm_context_key(node, code, unit, domain, line);
    struct index_place place;
    if (tm_seek_context(tree, key, unit, domain, &place) < 0) {
        return CONTEXT_NONE;
    }
    if (place.found != CONTEXT_NONE) {
        return place.found;
    }
    context_id id = context_take(tree);
    if (id == CONTEXT_NONE) {
        return CONTEXT_NONE;
    }
    context_begin(tree, tm_context_at(tree, id), key, unit, domain, line);
    tm_enter_number(&tree->contexts, &place, id);
    return id;
}


PART context_id
tm_add_context(struct call_tree *tree, node_id node, code_id code,
               uint32_t unit, int32_t line)
{
    assert(unit <= NO_UNIT);
    return context_add(tree, node, code, unit, 0, line);
}


PART context_id
tm_add_context_of_domain(struct call_tree *tree,
                         const struct context *context, uint32_t domain)
{
    assert(tm_context_domain(context) == 0);
    return context_add(tree, tm_context_node(context),
                       tm_context_code(context), tm_context_unit(context),
                       domain, tm_context_line(context));
}


/* --- size ---------------------------------------------------------------- */

PART size_t
tm_size_of_tree(const struct call_tree *tree)
{
    size_t size = CHUNK_SIZE * (tree->nodes.chunks * sizeof(struct packed_node)
                                + tree->nwide_chunks * sizeof(int32_t));
    size += tree->contexts.used * sizeof(struct context)
            + tree->used_counters * sizeof(struct counters)
            + tree->used_some * sizeof(struct some);
    return size + tm_size_of_indexes(tree);
}


/* --- check --------------------------------------------------------------- */

/* Whether a node exists, the root of all included. */
static int
node_exists(const struct call_tree *tree, node_id id)
{
    return id < tree->nodes.used
           && (id == NODE_ROOT || tm_node_parent(tree, id) != NODE_NONE);
}


/* Whether the root is above a node.  What was seen to be so has mark 1, and
   what is above it has, too; 2 is the way that is walked now. */
static int
node_has_root(const struct call_tree *tree, unsigned char *marks, node_id id)
{
    node_id at = id;
    while (at != NODE_ROOT && marks[at] == 0) {
        marks[at] = 2;
        at = tm_node_parent(tree, at);
        if (!node_exists(tree, at)) {
            return 0;
        }
    }
    if (marks[at] == 2) {
        return 0;
    }
    for (; marks[id] == 2; id = tm_node_parent(tree, id)) {
        marks[id] = 1;
    }
    return 1;
}


/* Without memory for marks, circles are not looked for. */
static int
node_is_sound(const struct call_tree *tree, unsigned char *marks, node_id id)
{
    node_id parent = tm_node_parent(tree, id);
    return node_exists(tree, parent)
           && (marks == NULL || node_has_root(tree, marks, id))
           && (tm_node_code(tree, id) != CODE_NONE || parent == NODE_ROOT)
           && (tm_high_line(tm_packed_node_at(tree, id)) < WIDE_HIGH_LINE
               || tree->wide_chunks[id >> CHUNK_SHIFT] != NULL);
}


static const char *
check_nodes(const struct call_tree *tree)
{
    unsigned char *marks = calloc(tree->nodes.used, 1);
    size_t live = 1;
    int sound = 1;
    for (node_id id = NODE_ROOT + 1; id < tree->nodes.used && sound; id++) {
        if (tm_node_parent(tree, id) != NODE_NONE) {
            live++;
            sound = node_is_sound(tree, marks, id);
        }
    }
    free(marks);
    if (!sound) {
        return "call tree: I1 or I8, a node hangs in the air";
    }
    size_t unused = 0;
    for (node_id id = tree->nodes.unused; id != NODE_NONE;
         id = tm_packed_node_at(tree, id)->key >> NODE_BITS)
    {
        unused++;
    }
    if (live != tree->nodes.live || 1 + live + unused != tree->nodes.used) {
        return "call tree: I5, the number of nodes is wrong";
    }
    return NULL;
}


static const char *
check_context(const struct call_tree *tree, context_id id)
{
    const struct context *context = tm_context_at(tree, id);
    if (!node_exists(tree, tm_context_node(context))) {
        return "call tree: I2, a context has no node";
    }
    if ((tm_context_is_wide(context) && !tm_context_has_counters(context))
        || context->key != tm_context_key(
            tm_context_node(context), tm_context_code(context),
            tm_context_unit(context), tm_context_domain(context),
            tm_context_line(context)))
    {
        return "call tree: I6, a context is not what its key says";
    }
    struct counters counters = tm_context_counters(context);
    if (counters.freed_blocks > counters.allocated_blocks
        || (counters.freed_blocks == counters.allocated_blocks
            && counters.freed_bytes != counters.allocated_bytes))
    {
        return "call tree: I4, more was freed than allocated";
    }
    return NULL;
}


static size_t
some_in_chain(const struct some *at)
{
    size_t n = 0;
    for (; at != NULL; at = at->next_unused) {
        n++;
    }
    return n;
}


static const char *
check_contexts(const struct call_tree *tree)
{
    size_t live = 0, unused = 0, counted = 0, some = 0;
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        if (tm_context_node(tm_context_at(tree, id)) == NODE_NONE) {
            continue;
        }
        live++;
        counted += tm_context_has_counters(tm_context_at(tree, id));
        some += tm_context_has_some(tm_context_at(tree, id));
        const char *fault = check_context(tree, id);
        if (fault != NULL) {
            return fault;
        }
    }
    for (context_id id = tree->contexts.unused; id != CONTEXT_NONE;
         id = tm_context_code(tm_context_at(tree, id)))
    {
        unused++;
    }
    if (live != tree->contexts.live
        || 1 + live + unused != tree->contexts.used)
    {
        return "call tree: I5, the number of contexts is wrong";
    }
    for (const struct counters *at = tree->unused_counters; at != NULL;
         at = at->next_unused)
    {
        counted++;
    }
    if (counted != tree->used_counters
        || some + some_in_chain(tree->unused_some)
           + some_in_chain(tree->left_some) != tree->used_some)
    {
        return "call tree: I7, the number of counters is wrong";
    }
    return NULL;
}


PART const char *
tm_check_tree(const struct call_tree *tree)
{
    const char *fault = check_nodes(tree);
    if (fault == NULL) {
        fault = check_contexts(tree);
    }
    return fault != NULL ? fault : tm_check_indexes(tree);
}
