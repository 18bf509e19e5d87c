/* What the model says should be reclaimed, and what clearing leaves. */

#include "model_parts.h"

/* What is known of a context before it is reclaimed, or not. */
enum { IS_ROOT = 1, IS_BUSY = 2 };

static int
model_context_is_needed(context_id id, const unsigned char *known,
                        enum reclaim_reach reach)
{
    const struct m_context *context = &m.contexts[id];
    if (id == CONTEXT_UNKNOWN || (known[id] & IS_ROOT)
        || context->live_blocks != 0 || context->peak_blocks != 0)
    {
        return 1;
    }
    switch (reach) {
    case REACH_MOST:
    case REACH_ALL:
        return 0;
    case REACH_SMALL:
        return context->code == CODE_NONE
               || (m.codes[context->code].state == LIVE
                   && (known[id] & IS_BUSY) != 0);
    case REACH_DEAD:
        return context->code == CODE_NONE
               || m.codes[context->code].state == LIVE;
    }
    return 1;
}


/* Which nodes are needed; counts them, and the contexts that are. */
static struct reclaimed_nodes
model_needed(unsigned char *nodes, const unsigned char *known_contexts,
             const unsigned char *root_nodes, enum reclaim_reach reach)
{
    struct reclaimed_nodes needed = {0};
    memset(nodes, 0, m.nnodes);
    nodes[NODE_ROOT] = 1;
    for (node_id id = NODE_ROOT + 1; id < m.nnodes; id++) {
        nodes[id] = m.nodes[id].used && root_nodes[id];
    }
    for (context_id id = CONTEXT_UNKNOWN; id < m.ncontexts; id++) {
        if (m.contexts[id].used
            && model_context_is_needed(id, known_contexts, reach))
        {
            nodes[m.contexts[id].node] = 1;
            needed.contexts++;
        }
    }
    /* Until nothing changes: above a needed node all are needed. */
    for (int changed = 1; changed;) {
        changed = 0;
        for (node_id id = NODE_ROOT + 1; id < m.nnodes; id++) {
            if (nodes[id] && !nodes[m.nodes[id].parent]) {
                nodes[m.nodes[id].parent] = changed = 1;
            }
        }
    }
    for (node_id id = NODE_ROOT; id < m.nnodes; id++) {
        needed.nodes += nodes[id];
    }
    return needed;
}


/* Whether reclaim leaves them, since a third or so is needed. */
static int
model_are_few(size_t live, size_t limit, size_t needed)
{
    return live < limit / 2 && live < needed / 4 * 13;
}


/* What reclaim should do, and do it. */
static struct reclaimed_nodes
model_reclaim(const unsigned char *known_contexts,
              const unsigned char *root_nodes, enum reclaim_reach reach)
{
    unsigned char *nodes = calloc(m.nnodes, 1);
    unsigned char *used_codes = calloc(m.ncodes, 1);
    CHECK(nodes != NULL && used_codes != NULL);
    struct reclaimed_nodes done = model_needed(nodes, known_contexts,
                                               root_nodes, reach);
    if (reach == REACH_MOST
        && model_are_few(m.contexts_live, MAX_CONTEXTS, done.contexts)
        && model_are_few(m.nodes_live, MAX_NODES, done.nodes))
    {
        reach = REACH_DEAD;
        (void)model_needed(nodes, known_contexts, root_nodes, reach);
    }
    long taken = 0;
    for (context_id id = CONTEXT_UNKNOWN; id < m.ncontexts; id++) {
        struct m_context *context = &m.contexts[id];
        if (!context->used) {
            continue;
        }
        if (model_context_is_needed(id, known_contexts, reach)) {
            used_codes[context->code] = 1;
        }
        else {
            m.reclaimed_blocks += context->allocated_blocks;
            m.reclaimed_bytes += context->allocated_bytes;
            memset(context, 0, sizeof(*context));
            m.contexts_live--;
            taken++;
        }
    }
    for (node_id id = NODE_ROOT + 1; id < m.nnodes; id++) {
        if (nodes[id]) {
            used_codes[m.nodes[id].code] = 1;
        }
        else if (m.nodes[id].used) {
            memset(&m.nodes[id], 0, sizeof(m.nodes[id]));
            m.nodes_live--;
            taken++;
        }
    }
    for (code_id id = 1; id < m.ncodes; id++) {
        if (m.codes[id].state == RETIRED && !used_codes[id]) {
            m.codes[id].state = UNUSED;
        }
    }
    free(nodes);
    free(used_codes);
    done.taken = taken;
    return done;
}


static void
model_reclaim_names(void)
{
    for (size_t i = 0; i < NCOPIES; i++) {
        /* A trace holds the names; a snapshot has its own. */
        if (m.copies[i].used && !m.copies[i].whole) {
            return;
        }
    }
    for (name_id id = 1; id < m.nnames; id++) {
        int used = 0;
        for (code_id code = 1; code < m.ncodes; code++) {
            used |= m.codes[code].state != UNUSED
                    && (m.codes[code].file == id
                        || m.codes[code].function == id);
        }
        m.names[id].used &= used;
    }
}


void
step_reclaim(void)
{
    enum reclaim_reach reach = (enum reclaim_reach)random_below(4);
    struct reclaim_roots roots = {
        .contexts = calloc(tree.contexts.used, 1),
        .nodes = calloc(tree.nodes.used, 1),
    };
    unsigned char *contexts = calloc(m.ncontexts, 1);
    unsigned char *nodes = calloc(m.nnodes, 1);
    CHECK(roots.contexts != NULL && roots.nodes != NULL && contexts != NULL
          && nodes != NULL);
    for (uint32_t n = random_below(8); n > 0; n--) {
        uint32_t id = pick(m.ncontexts, context_is_used);
        roots.contexts[id] = contexts[id] = IS_ROOT;
        id = pick(m.nnodes, node_is_used);
        roots.nodes[id] = nodes[id] = 1;
    }
    for (context_id id = CONTEXT_UNKNOWN; id < m.ncontexts; id++) {
        contexts[id] |= tm_context_has_counters(tm_context_at(&tree, id))
                        * IS_BUSY;
    }
    _PyTraceMalloc_RenewEpochs(&tree, &bytes);
    size_t names = tm_count_names(codes.names);
    call_begin();
    struct reclaimed_nodes done = tm_reclaim(&tree, &codes, &bytes, &roots,
                                             reach);
    free(roots.contexts);
    free(roots.nodes);
    CHECK(done.taken >= 0 || call_lacked_memory());
    if (done.taken >= 0) {
        struct reclaimed_nodes expected = model_reclaim(contexts, nodes,
                                                        reach);
        CHECK_EQUAL(done.taken, expected.taken);
        CHECK_EQUAL(done.contexts, expected.contexts);
        CHECK_EQUAL(done.nodes, expected.nodes);
        /* Without memory for names alone, all stay for another time; what
           lacked may also be that for paths that are to be remembered. */
        if (!call_lacked_memory() || tm_count_names(codes.names) < names) {
            model_reclaim_names();
        }
        tm_reindex(&tree);
    }
    free(contexts);
    free(nodes);
    world_compare();
}


void
model_clear(void)
{
    m.nnodes = m.ncontexts = 0;
    EXTEND(m.nodes, m.nnodes, NODE_ROOT + 1);
    EXTEND(m.contexts, m.ncontexts, CONTEXT_UNKNOWN + 1);
    m.nodes[NODE_ROOT].used = 1;
    m.nodes[NODE_ROOT].parent = NODE_NONE;
    m.contexts[CONTEXT_UNKNOWN].used = 1;
    m.contexts[CONTEXT_UNKNOWN].node = NODE_ROOT;
    m.nodes_live = m.contexts_live = 1;
    m.nblocks = 0;
    m.current = m.peak = 0;
    m.reclaimed_blocks = m.reclaimed_bytes = 0;
    for (code_id id = 1; id < m.ncodes; id++) {
        if (m.codes[id].state == RETIRED) {
            m.codes[id].state = UNUSED;
        }
    }
    for (size_t i = 0; i < NROWS; i++) {
        m.rows[i].cells = NULL;
    }
}


int
step_clear(void)
{
    _PyTraceMalloc_FiniCells(&cells);
    _PyTraceMalloc_InitCells(&cells);
    tm_clear_blocks(&table);
    uint32_t generation = tree.generation;
    tm_fini_tree(&tree);
    call_begin();
    int failed = tm_init_tree(&tree);
    CHECK(failed == (call_lacked_memory() ? -1 : 0));
    CHECK(tree.generation != generation);
    tm_recycle_codes(&codes, NULL);
    bytes = (struct traced_bytes){0};
    model_clear();
    return failed;
}
