/* Reclaim: take away contexts and nodes that nobody needs any more.

   Called by capture/growth.c when many numbers are in use, with access to
   everything; calls the call tree and the code table.  See the header for what
   is needed, and when. */

#include "reclaim.h"

#include <assert.h>
#include <stdlib.h>


/* Whether the code object of a context may run again. */
static inline int
code_lives(const struct code_table *codes, const struct context *context)
{
    return tm_code_at(codes, tm_context_code(context))->owner != NULL;
}


static int
context_is_needed(const struct context *context,
                  const struct code_table *codes,
                  const struct traced_bytes *bytes, enum reclaim_reach reach)
{
    if (tm_context_holds(context, bytes)) {
        return 1;
    }
    if (reach >= REACH_MOST) {
        return 0;
    }
    return tm_context_code(context) == CODE_NONE
           || (code_lives(codes, context)
               && (reach == REACH_DEAD || tm_context_has_counters(context)));
}


/* Mark a node and those above it. */
static void
node_mark(const struct call_tree *tree, unsigned char *marks, node_id id)
{
    while (id != NODE_ROOT && marks[id] != 2) {
        marks[id] = 2;
        id = tm_node_parent(tree, id);
    }
}


/* Keep what a context counted that goes, for its account. */
static void
account_keep(struct call_tree *tree, uint32_t *memo,
             const struct context *context)
{
    struct reclaimed *kept =
        &tree->accounts[tm_find_account(tree, memo,
                                        tm_context_node(context))];
    struct counters counters = tm_context_counters(context);
    kept->blocks += counters.allocated_blocks;
    kept->bytes += counters.allocated_bytes;
}


/* Mark contexts that are needed, and the nodes above them and above the
   roots. */
static void
mark_needed(const struct call_tree *tree, const struct code_table *codes,
            const struct traced_bytes *bytes, struct reclaim_roots *roots,
            enum reclaim_reach reach)
{
    for (node_id id = NODE_ROOT + 1; id < tree->nodes.used; id++) {
        if (roots->nodes[id] == 1) {
            node_mark(tree, roots->nodes, id);
        }
    }
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        const struct context *context = tm_context_at(tree, id);
        node_id node = tm_context_node(context);
        if (node != NODE_NONE
            && (id == CONTEXT_UNKNOWN || roots->contexts[id]
                || context_is_needed(context, codes, bytes, reach)))
        {
            roots->contexts[id] = 1;
            node_mark(tree, roots->nodes, node);
        }
    }
}


/* How many numbers are marked, from one on. */
static size_t
count_marks(const unsigned char *marks, uint32_t first, uint32_t used)
{
    size_t marked = 0;
    for (uint32_t i = first; i < used; i++) {
        marked += marks[i] != 0;
    }
    return marked;
}


/* Whether those that are not needed may stay: pace_of_space() calls again at
   four times what is needed, so that there must be less, by some time. */
static inline int
are_few(const struct number_space *space, size_t limit, size_t needed)
{
    return space->live < limit / 2 && space->live < needed / 4 * 13;
}


/* What a reclaim needs for a while. */
struct scratch {
    unsigned char *used_codes;  /* by code_id: not 0 if one is named */
    uint32_t *accounts;         /* see account_keep(); NULL: there are none */
    uint32_t *paths;            /* see tm_keep_path(); NULL: no memory */
};


/* Take away all contexts, and nodes, that are not marked. */
static long
sweep(struct call_tree *tree, struct code_table *codes,
      const struct reclaim_roots *roots, const struct scratch *scratch)
{
    unsigned char *used_codes = scratch->used_codes;
    long taken = 0;
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        const struct context *context = tm_context_at(tree, id);
        if (tm_context_node(context) == NODE_NONE) {
            continue;
        }
        if (roots->contexts[id]) {
            used_codes[tm_context_code(context)] = 1;
        }
        else {
            if (scratch->accounts != NULL) {
                account_keep(tree, scratch->accounts, context);
            }
            if (scratch->paths != NULL && code_lives(codes, context)) {
                tm_keep_path(tree, scratch->paths, context);
            }
            tm_free_context(tree, id);
            taken++;
        }
    }
    for (node_id id = NODE_ROOT + 1; id < tree->nodes.used; id++) {
        if (tm_node_parent(tree, id) == NODE_NONE) {
            continue;
        }
        if (roots->nodes[id]) {
            used_codes[tm_node_code(tree, id)] = 1;
        }
        else {
            tm_free_node(tree, id);
            taken++;
        }
    }
    tm_recycle_some(tree);
    tm_recycle_codes(codes, used_codes);
    tm_reclaim_names(codes);
    return taken;
}


PART struct reclaimed_nodes
tm_reclaim(struct call_tree *tree, struct code_table *codes,
           const struct traced_bytes *bytes,
           struct reclaim_roots *roots, enum reclaim_reach reach)
{
    struct scratch scratch = {
        .used_codes = calloc(codes->used, 1),
        .accounts = tree->naccounts == 0 ? NULL
                    : calloc(tree->nodes.used, sizeof(uint32_t)),
    };
    struct reclaimed_nodes done = tm_nothing_reclaimed(tree);
    if (scratch.used_codes != NULL
        && (scratch.accounts != NULL || tree->naccounts == 0))
    {
        mark_needed(tree, codes, bytes, roots, reach);
        done.contexts = count_marks(roots->contexts, CONTEXT_UNKNOWN,
                                    tree->contexts.used);
        done.nodes = 1 + count_marks(roots->nodes, NODE_ROOT + 1,
                                     tree->nodes.used);
        if (reach == REACH_MOST
            && are_few(&tree->contexts, MAX_CONTEXTS, done.contexts)
            && are_few(&tree->nodes, MAX_NODES, done.nodes))
        {
            mark_needed(tree, codes, bytes, roots, REACH_DEAD);
        }
        else if (reach >= REACH_MOST) {
            scratch.paths = calloc(tree->nodes.used, sizeof(uint32_t));
        }
        done.taken = sweep(tree, codes, roots, &scratch);
    }
    free(scratch.used_codes);
    free(scratch.accounts);
    free(scratch.paths);
    return done;
}


/* --- when ---------------------------------------------------------------- */

static inline size_t
larger(size_t a, size_t b)
{
    return a > b ? a : b;
}


PART void
tm_begin_pace(struct reclaim_pace *pace)
{
    *pace = (struct reclaim_pace){
        .contexts = RECLAIM_CONTEXTS,
        .nodes = RECLAIM_NODES,
        .retired = RECLAIM_RETIRED,
        .all = RECLAIM_ALL,
        .patience = 1,
        .first = 1,
    };
}


/* How many nodes of one kind call for the next reclaim.  Four times those that
   are needed: the time for it is paid by what was added.  And not before the
   memory that is there is full: it would not become less, and a program that
   does the same again finds its contexts.  But before the numbers have run
   out, as long as enough can be added to pay for it. */
static size_t
pace_of_space(const struct number_space *space, size_t needed, size_t limit,
              size_t least)
{
    size_t live = space->live;
    size_t next = larger(larger(4 * needed, space->used), least);
    size_t left = live < limit ? limit - live : 0;
    size_t last = larger(limit - limit / 8,
                         live + larger(left / 2, limit / 64));
    return next < last ? next : last;
}


/* Half of the bytes now and of those at the peak, which may be any numbers:
   what is live now or was then is what keeps contexts. */
static size_t
bytes_held(const struct traced_bytes *bytes)
{
    return tm_bytes_current(bytes) / 2 + bytes->peak / 2;
}


PART void
tm_set_pace(struct reclaim_pace *pace,
            const struct call_tree *tree,
            const struct code_table *codes,
            const struct traced_bytes *bytes,
            const struct reclaimed_nodes *done)
{
    pace->contexts = pace_of_space(&tree->contexts, done->contexts,
                                   MAX_CONTEXTS, RECLAIM_CONTEXTS);
    pace->nodes = pace_of_space(&tree->nodes, done->nodes, MAX_NODES,
                                RECLAIM_NODES);
    pace->retired = larger(2 * codes->retired_bytes, RECLAIM_RETIRED);
    size_t nodes = (size_t)tree->contexts.used + tree->nodes.used;
    /* What was left is there to be taken when there is no memory. */
    size_t worth = (size_t)(done->taken > 0 ? done->taken : 0)
                   + (tree->contexts.live - done->contexts)
                   + (tree->nodes.live - done->nodes);
    if (worth > 0 && worth >= nodes / 64) {
        pace->patience = 1;
    }
    else {
        pace->patience = larger(2 * pace->patience, nodes / 64);
        pace->patience = pace->patience < nodes ? pace->patience : nodes;
    }
    pace->first = 0;
    pace->misses = 0;
    pace->held = bytes_held(bytes);
}


PART int
tm_count_miss(struct reclaim_pace *pace,
              const struct traced_bytes *bytes)
{
    pace->misses++;
    return pace->misses >= pace->patience
           || (bytes != NULL && bytes_held(bytes) < pace->held / 4 * 3);
}


PART void
tm_judge_reclaims(struct reclaim_pace *pace, struct call_tree *tree)
{
    if (tm_paths_return(&tree->taken)) {
        pace->all = 4 * pace->all < RECLAIM_ALL_MOST ? 4 * pace->all
                                                     : RECLAIM_ALL_MOST;
    }
    else if (tm_enough_asked(&tree->taken)) {
        pace->all = RECLAIM_ALL;
    }
    tm_begin_asking(&tree->taken);
}


PART enum reclaim_reach
tm_pace_reach(const struct reclaim_pace *pace, const struct call_tree *tree,
              const struct code_table *codes)
{
    if (pace->misses > 0) {
        return REACH_ALL;
    }
    if ((size_t)tree->contexts.live + tree->nodes.live > pace->all) {
        /* Contexts of live code may keep dead code that calls it. */
        return codes->retired_bytes < pace->retired ? REACH_MOST : REACH_ALL;
    }
    return pace->first ? REACH_SMALL : REACH_DEAD;
}
