/* The call tree: nodes, contexts, their indexes, domains, and what happens
   when the numbers run out. */

#include "check.h"

static struct call_tree tree;


static void
tree_begin(void)
{
    CHECK_EQUAL(tm_init_tree(&tree), 0);
}


static void
tree_end(void)
{
    CHECK_SOUND(tm_check_tree(&tree));
    CHECK_EQUAL(size_of_tree(&tree), test_live_bytes());
    tm_fini_tree(&tree);
    CHECK_EQUAL(tm_size_of_tree(&tree), 0);
}


static void
test_begins_with_root_and_unknown(void)
{
    tree_begin();
    CHECK(tm_node_is_root(&tree, NODE_ROOT));
    CHECK_EQUAL(tree.nodes.live, 1);
    CHECK_EQUAL(tree.contexts.live, 1);
    const struct context *unknown = tm_context_at(&tree, CONTEXT_UNKNOWN);
    CHECK_EQUAL(tm_context_node(unknown), NODE_ROOT);
    CHECK_EQUAL(tm_context_depth(&tree, unknown, 9), 0);
    CHECK_EQUAL(tm_add_context(&tree, NODE_ROOT, CODE_NONE, 0, 0),
                CONTEXT_UNKNOWN);
    tree_end();
}


static void
test_find_and_add(void)
{
    tree_begin();
    CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, 10), NODE_NONE);
    node_id outer = tm_add_node(&tree, NODE_ROOT, 1, 10);
    node_id inner = tm_add_node(&tree, outer, 1, 10);
    CHECK(outer > NODE_ROOT && inner > NODE_ROOT && inner != outer);
    CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, 10), outer);
    CHECK_EQUAL(tm_add_node(&tree, NODE_ROOT, 1, 10), outer);
    CHECK_EQUAL(tm_find_node(&tree, outer, 1, 10), inner);
    CHECK_EQUAL(tm_node_parent(&tree, inner), outer);

    /* Each part of the key tells apart. */
    CHECK_EQUAL(tm_find_node(&tree, outer, 2, 10), NODE_NONE);
    CHECK_EQUAL(tm_find_node(&tree, outer, 1, 11), NODE_NONE);
    CHECK_EQUAL(tm_find_node(&tree, inner, 1, 10), NODE_NONE);

    context_id context = tm_add_context(&tree, inner, 7, 3, 20);
    CHECK(context > CONTEXT_UNKNOWN);
    CHECK_EQUAL(tm_add_context(&tree, inner, 7, 3, 20), context);
    CHECK_EQUAL(tm_find_context(&tree, inner, 7, 3, 20), context);
    CHECK_EQUAL(tm_find_context(&tree, outer, 7, 3, 20), 0);
    CHECK_EQUAL(tm_find_context(&tree, inner, 8, 3, 20), 0);
    CHECK_EQUAL(tm_find_context(&tree, inner, 7, 4, 20), 0);
    for (uint32_t most = 0; most < 5; most++) {
        CHECK_EQUAL(tm_context_depth(&tree, tm_context_at(&tree, context),
                                     most), most < 3 ? most : 3);
    }
    const struct context *found = tm_context_at(&tree, context);
    CHECK_EQUAL(tm_context_counters(found).allocated_blocks, 0);
    CHECK_EQUAL(tm_few_epoch(found), 0);
    tree_end();
}


/* What comes next by number is tried first: the next one may be another's, or
   not there, and the last of a chunk has none. */
static void
test_find_in_every_order(void)
{
    enum { N = 2 * CHUNK_SIZE + 1 };
    static node_id nodes[N];
    static context_id contexts[N];
    tree_begin();
    for (int i = 0; i < N; i++) {
        nodes[i] = tm_add_node(&tree, NODE_ROOT, 1, i);
        contexts[i] = tm_add_context(&tree, NODE_ROOT, 1, (uint32_t)i, i);
        for (int j = i; j >= 0; j -= 1 + i / 4) {
            CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, j), nodes[j]);
            CHECK_EQUAL(tm_find_context(&tree, NODE_ROOT, 1, (uint32_t)j, j),
                        contexts[j]);
        }
        CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, i), nodes[i]);
        CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, i + 1), NODE_NONE);
        CHECK_EQUAL(tm_find_context(&tree, NODE_ROOT, 1, (uint32_t)i, i),
                    contexts[i]);
        CHECK_EQUAL(tm_find_context(&tree, NODE_ROOT, 1, (uint32_t)i + 1,
                                    i + 1), CONTEXT_NONE);
    }
    for (int step = 1; step < 4; step++) {
        for (int i = 0; i < N; i += step) {
            CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, i), nodes[i]);
            CHECK_EQUAL(tm_find_context(&tree, NODE_ROOT, 1, (uint32_t)i, i),
                        contexts[i]);
            /* The same below another node: not the next number's. */
            CHECK_EQUAL(tm_find_node(&tree, nodes[i], 1, i + 1), NODE_NONE);
            CHECK_EQUAL(tm_find_context(&tree, nodes[i], 1, (uint32_t)i + 1,
                                        i + 1), CONTEXT_NONE);
        }
    }
    tree_end();
}


/* The next number is what is asked for: then no index is needed. */
static void
test_find_next(void)
{
    enum { N = 5 };
    tree_begin();
    node_id nodes[N];
    context_id contexts[N];
    for (int i = 0; i < N; i++) {
        nodes[i] = tm_add_node(&tree, NODE_ROOT, 1, i);
        contexts[i] = tm_add_context(&tree, nodes[0], 1, (uint32_t)i, i);
    }
    size_t size = (tree.nodes.index->mask + 1) * sizeof(uint32_t);
    CHECK_EQUAL(tree.contexts.index->mask, tree.nodes.index->mask);
    uint32_t *slots = malloc(2 * size);
    memcpy(slots, tree.nodes.index->slots, size);
    memcpy(slots + size / sizeof(slots[0]), tree.contexts.index->slots, size);
    memset(tree.nodes.index->slots, 0, size);
    memset(tree.contexts.index->slots, 0, size);
    for (int i = 0; i < N; i++) {
        CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, i), nodes[i]);
        CHECK_EQUAL(tm_find_context(&tree, nodes[0], 1, (uint32_t)i, i),
                    contexts[i]);
    }
    CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, 2), NODE_NONE);
    CHECK_EQUAL(tm_find_context(&tree, nodes[0], 1, 2, 2), CONTEXT_NONE);
    memcpy(tree.nodes.index->slots, slots, size);
    memcpy(tree.contexts.index->slots, slots + size / sizeof(slots[0]), size);
    free(slots);
    tree_end();
}


/* The next number may have been given back, be another's by then, or be of
   another tree. */
static void
test_find_next_given_back(void)
{
    tree_begin();
    (void)tm_add_node(&tree, NODE_ROOT, 1, 1);
    node_id here = tm_add_node(&tree, NODE_ROOT, 1, 2);
    node_id next = tm_add_node(&tree, NODE_ROOT, 1, 3);
    (void)tm_add_context(&tree, here, 1, 1, 1);
    context_id context = tm_add_context(&tree, here, 1, 2, 1);
    context_id after = tm_add_context(&tree, here, 1, 3, 1);
    CHECK_EQUAL(next, here + 1);
    CHECK_EQUAL(after, context + 1);
    tm_free_node(&tree, next);
    tm_free_context(&tree, after);
    tm_reindex(&tree);
    for (int again = 0; again < 2; again++) {
        CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, 2), here);
        CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, 3), NODE_NONE);
        CHECK_EQUAL(tm_find_context(&tree, here, 1, 2, 1), context);
        CHECK_EQUAL(tm_find_context(&tree, here, 1, 3, 1), CONTEXT_NONE);
        CHECK_EQUAL(tm_add_node(&tree, NODE_ROOT, 2, 7), next);
        CHECK_EQUAL(tm_add_context(&tree, here, 2, 7, 1), after);
    }
    CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 2, 7), next);
    CHECK_EQUAL(tm_find_context(&tree, here, 2, 7, 1), after);
    tree_end();

    tree_begin();
    CHECK_EQUAL(tree.nodes.found, 0);
    CHECK_EQUAL(tree.contexts.found, 0);
    CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 2, 7), NODE_NONE);
    CHECK_EQUAL(tm_add_node(&tree, NODE_ROOT, 1, 1), NODE_ROOT + 1);
    CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, 2), NODE_NONE);
    tree_end();
}


static void
test_extreme_keys(void)
{
    tree_begin();
    node_id node = tm_add_node(&tree, NODE_ROOT, MAX_CODES - 1,
                               INT32_MAX);
    context_id context = tm_add_context(&tree, node, MAX_CODES - 1,
                                        NO_UNIT, INT32_MAX);
    CHECK_EQUAL(tm_find_context(&tree, node, MAX_CODES - 1,
                                NO_UNIT, INT32_MAX), context);
    context_id other = tm_add_context_of_domain(
        &tree, tm_context_at(&tree, context), UINT32_MAX);
    CHECK(other != context);
    for (int each = 0; each < 2; each++) {
        const struct context *found = tm_context_at(&tree,
                                                    each ? other : context);
        CHECK_EQUAL(tm_context_node(found), node);
        CHECK_EQUAL(tm_context_code(found), MAX_CODES - 1);
        CHECK_EQUAL(tm_context_unit(found), NO_UNIT);
        CHECK_EQUAL(tm_context_line(found), INT32_MAX);
        CHECK_EQUAL(tm_context_domain(found), each ? UINT32_MAX : 0);
    }
    /* Line 0 is a line. */
    CHECK(tm_add_node(&tree, NODE_ROOT, 1, 0) != NODE_NONE);
    tree_end();
}


/* Lines of every width, which are kept in pieces. */
static void
test_lines(void)
{
    enum { N = 80 };
    tree_begin();
    int32_t lines[N] = {0, WIDE_LINE - 1, WIDE_LINE, WIDE_LINE + 1, INT32_MAX};
    node_id nodes[N];
    context_id contexts[N];
    int n = 5;
    for (int32_t line = 1; line < INT32_MAX / 2; line *= 2) {
        lines[n++] = line;
        lines[n++] = line * 2 + 1;
    }
    CHECK(n <= N);
    for (int i = 0; i < n; i++) {
        nodes[i] = tm_add_node(&tree, NODE_ROOT, 7, lines[i]);
        contexts[i] = tm_add_context(&tree, nodes[i], 7, 0, 1);
        /* What is below a node changes nothing of it. */
        CHECK(tm_add_node(&tree, nodes[i], MAX_CODES - 1, lines[i])
              != NODE_NONE);
    }
    CHECK_SOUND(tm_check_tree(&tree));
    for (int i = 0; i < n; i++) {
        CHECK_EQUAL(tm_node_line(&tree, nodes[i]), lines[i]);
        CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 7, lines[i]), nodes[i]);
        CHECK_EQUAL(tm_add_node(&tree, NODE_ROOT, 7, lines[i]), nodes[i]);
        CHECK_EQUAL(tm_find_context(&tree, nodes[i], 7, 0, 1), contexts[i]);
    }
    /* A number that had a large line, and gets a small one. */
    node_id last = tm_add_node(&tree, NODE_ROOT, 8, INT32_MAX);
    tm_free_node(&tree, last);
    tm_reindex(&tree);
    CHECK_EQUAL(tm_add_node(&tree, NODE_ROOT, 8, 3), last);
    CHECK_EQUAL(tm_node_line(&tree, last), 3);
    CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 8, INT32_MAX), NODE_NONE);
    tree_end();
}


/* A tree with nodes of every shape: node i hangs under a node before it. */
static node_id parents[20000];

static void
test_growth(void)
{
    uint32_t n = 20000;
    if (n > MAX_CONTEXTS / 2) {
        n = MAX_CONTEXTS / 2;
    }
    tree_begin();
    const struct packed_node *root = tm_packed_node_at(&tree, NODE_ROOT);
    const struct context *unknown = tm_context_at(&tree, CONTEXT_UNKNOWN);
    for (uint32_t i = 0; i < n; i++) {
        parents[i] = NODE_ROOT + random_below(i + 1);
        CHECK_EQUAL(tm_add_node(&tree, parents[i], i + 1, 5),
                    NODE_ROOT + 1 + i);
        CHECK_EQUAL(tm_add_context(&tree, NODE_ROOT + 1 + i, 1, i,
                                   6),
                    CONTEXT_UNKNOWN + 1 + i);
    }
    /* Indexes were replaced on the way, and wait for their readers. */
    CHECK(tree.replaced != NULL);
    CHECK_EQUAL(size_of_tree(&tree), test_live_bytes());
    tm_free_replaced(&tree);
    CHECK(tree.replaced == NULL);
    for (uint32_t i = 0; i < n; i++) {
        CHECK_EQUAL(tm_find_node(&tree, parents[i], i + 1, 5),
                    NODE_ROOT + 1 + i);
        CHECK_EQUAL(tm_find_context(&tree, NODE_ROOT + 1 + i, 1, i,
                                    6),
                    CONTEXT_UNKNOWN + 1 + i);
    }
    CHECK(root == tm_packed_node_at(&tree, NODE_ROOT));
    CHECK(unknown == tm_context_at(&tree, CONTEXT_UNKNOWN));
    CHECK_EQUAL(tree.nodes.live, n + 1);
    CHECK_EQUAL(tree.contexts.live, n + 1);
    tree_end();
}


static void
test_replaced_indexes_stay_readable(void)
{
    tree_begin();
    CHECK(tm_add_node(&tree, NODE_ROOT, 1, 0) != NODE_NONE);
    node_id node = tm_add_node(&tree, NODE_ROOT, 1, 1);
    const struct node_index *before = tree.nodes.index;
    size_t mask = before->mask;
    for (int32_t line = 2; tree.nodes.index == before; line++) {
        CHECK(tm_add_node(&tree, NODE_ROOT, 1, line) != NODE_NONE);
    }
    /* A reader that came before still gets its answers from it. */
    CHECK_EQUAL(before->mask, mask);
    size_t named = 0;
    for (size_t i = 0; i <= mask; i++) {
        named += SLOT_NODE(before->slots[i]) == node;
    }
    CHECK_EQUAL(named, 1);
    tree_end();
}


static void
test_deep_path(void)
{
    uint32_t n = MAX_NODES - 2 < 70000 ? MAX_NODES - 2 : 70000;
    tree_begin();
    node_id node = NODE_ROOT;
    for (uint32_t i = 0; i < n; i++) {
        node = tm_add_node(&tree, node, 1, 1);
        CHECK(node != NODE_NONE);
    }
    context_id id = tm_add_context(&tree, node, 1, 0, 1);
    CHECK_EQUAL(tm_context_depth(&tree, tm_context_at(&tree, id), UINT32_MAX),
                n + 1);
    tree_end();
}


/* What fits a short context, and what does not, one beside the other. */
static void
test_short_and_wide_contexts(void)
{
    static const uint32_t units[] = {
        0, MAX_SHORT_UNIT - 1, MAX_SHORT_UNIT, SHORT_NO_UNIT, WIDE_UNIT,
        WIDE_UNIT + 1, NO_UNIT - 1, NO_UNIT};
    static const int32_t lines[] = {0, MAX_SHORT_LINE, MAX_SHORT_LINE + 1};
    enum { UNITS = sizeof(units) / sizeof(units[0]), LINES = 3 };
    context_id ids[LINES][UNITS];
    tree_begin();
    uint32_t n = CONTEXT_UNKNOWN;
    for (code_id line = 0; line < LINES; line++) {
        for (size_t unit = 0; unit < UNITS; unit++) {
            ids[line][unit] = tm_add_context(&tree, NODE_ROOT, 1 + line,
                                             units[unit], lines[line]);
            CHECK_EQUAL(ids[line][unit], ++n);
        }
    }
    for (int round = 0; round < 3; round++) {
        CHECK_SOUND(tm_check_tree(&tree));
        for (code_id line = 0; line < LINES; line++) {
            for (size_t unit = 0; unit < UNITS; unit++) {
                context_id id = ids[line][unit];
                struct context *context = tm_context_at(&tree, id);
                CHECK_EQUAL(tm_find_context(&tree, NODE_ROOT, 1 + line,
                                            units[unit], lines[line]), id);
                /* The line is no part of short keys. */
                CHECK_EQUAL(tm_find_context(&tree, NODE_ROOT, 1 + line,
                                            units[unit], ANY_SHORT_LINE),
                            lines[line] <= MAX_SHORT_LINE
                            || (units[unit] > MAX_SHORT_UNIT
                                && units[unit] != NO_UNIT)
                            ? id : CONTEXT_NONE);
                CHECK_EQUAL(tm_context_node(context), NODE_ROOT);
                CHECK_EQUAL(tm_context_code(context), 1 + line);
                CHECK_EQUAL(tm_context_unit(context), units[unit]);
                CHECK_EQUAL(tm_context_line(context), lines[line]);
                CHECK_EQUAL(tm_context_domain(context), 0);
                int fits = lines[line] <= MAX_SHORT_LINE
                           && (units[unit] <= MAX_SHORT_UNIT
                               || units[unit] == NO_UNIT);
                CHECK_EQUAL(tm_context_is_wide(context), !fits);
                CHECK(round == 2 || tm_context_has_counters(context) == !fits);
                if (round == 1) {
                    _PyTraceMalloc_GiveCounters(&tree, context);
                }
            }
        }
        tm_reindex(&tree);
    }
    /* One that comes again begins anew. */
    tm_free_context(&tree, ids[2][0]);
    tm_reindex(&tree);
    CHECK_EQUAL(tm_add_context(&tree, NODE_ROOT, 7, 3, 8), ids[2][0]);
    CHECK_EQUAL(tm_context_line(tm_context_at(&tree, ids[2][0])), 8);
    CHECK(!tm_context_has_counters(tm_context_at(&tree, ids[2][0])));
    tree_end();
}


/* Many domains at each of two instructions. */
static void
test_domains(void)
{
    enum { N = 1000 };
    static context_id here[N], there[N];
    tree_begin();
    node_id node = tm_add_node(&tree, NODE_ROOT, 1, 10);
    context_id near = tm_add_context(&tree, node, 1, 5, 20);
    context_id far = tm_add_context(&tree, node, 1, 6, 20);
    for (uint32_t i = 0; i < N; i++) {
        here[i] = tm_add_context_of_domain(
            &tree, tm_context_at(&tree, near), UINT32_MAX - i);
        there[N - 1 - i] = tm_add_context_of_domain(
            &tree, tm_context_at(&tree, far), UINT32_MAX - (N - 1 - i));
    }
    CHECK_EQUAL(tree.contexts.live, 1 + 2 + 2 * N);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < N; i++) {
            uint32_t domain = UINT32_MAX - i;
            const struct context *context = tm_context_at(&tree, here[i]);
            CHECK_EQUAL(tm_context_domain(context), domain);
            CHECK_EQUAL(tm_context_unit(context), 5);
            CHECK_EQUAL(tm_context_line(context), 20);
            context = tm_context_at(&tree, there[i]);
            CHECK_EQUAL(tm_context_domain(context), domain);
            CHECK_EQUAL(tm_context_unit(context), 6);
            CHECK_EQUAL(tm_add_context_of_domain(
                            &tree, tm_context_at(&tree, near), domain),
                        here[i]);
            CHECK_EQUAL(tm_add_context_of_domain(
                            &tree, tm_context_at(&tree, far), domain),
                        there[i]);
        }
        CHECK_SOUND(tm_check_tree(&tree));
        tm_reindex(&tree);
    }
    CHECK_EQUAL(tm_add_context_of_domain(
                    &tree, tm_context_at(&tree, near), 0), near);
    CHECK_EQUAL(tm_find_context(&tree, node, 1, 5, 20), near);

    /* A number that comes again has the domain that it is given then. */
    tm_free_context(&tree, here[N - 1]);
    tm_reindex(&tree);
    CHECK_EQUAL(tm_add_context_of_domain(
                    &tree, tm_context_at(&tree, far), 77), here[N - 1]);
    CHECK_EQUAL(tm_context_domain(tm_context_at(&tree, here[N - 1])), 77);
    tree_end();
}


/* A wide one needs counters, for which there is room as soon as there is room
   for contexts: whatever fails, nothing is left behind. */
static void
test_wide_context_without_memory(void)
{
    tree_begin();
    const struct context *unknown = tm_context_at(&tree, CONTEXT_UNKNOWN);
    uint32_t n = CONTEXT_UNKNOWN;
    while (tree.contexts.used < GROUP_SIZE) {
        CHECK_EQUAL(tm_add_context_of_domain(&tree, unknown, n), n + 1);
        n++;
    }
    size_t failed = 0;
    for (;; failed++) {
        test_fail_after(failed, 0);
        context_id id = tm_add_context_of_domain(&tree, unknown, 1 << 20);
        test_fail_never();
        CHECK_SOUND(tm_check_tree(&tree));
        if (id != CONTEXT_NONE) {
            CHECK_EQUAL(tm_context_domain(tm_context_at(&tree, id)),
                        1 << 20);
            break;
        }
        CHECK_EQUAL(tree.contexts.live, n);
    }
    CHECK(failed >= 1);
    tree_end();
}


static void
test_numbers_change_meaning(void)
{
    tree_begin();
    uint32_t generation = tree.generation;
    tree_end();
    CHECK(tree.generation != generation);
    tree_begin();
    CHECK(tree.generation != generation);
    tree_end();
}


static void
test_unused_numbers_come_again(void)
{
    enum { N = 100 };
    tree_begin();
    for (uint32_t i = 0; i < N; i++) {
        CHECK_EQUAL(tm_add_node(&tree, NODE_ROOT, 1, i), 2 + i);
        CHECK_EQUAL(tm_add_context(&tree, 2 + i, 1, 0, 0), 2 + i);
        struct context *context = tm_context_at(&tree, 2 + i);
        struct traced_bytes bytes = {.epoch = 77};
        if (i % 2) {
            _PyTraceMalloc_GiveCounters(&tree, context);
        }
        count_any(&tree, &bytes, context, 10);
        tm_count_free(&bytes, context, 10);
    }
    for (uint32_t i = 0; i < N; i += 3) {
        tm_free_context(&tree, 2 + i);
        tm_free_node(&tree, 2 + i);
    }
    CHECK_EQUAL(tree.reclaimed_blocks, (N + 2) / 3);
    CHECK_EQUAL(tree.reclaimed_bytes, (N + 2) / 3 * 10);
    tm_reindex(&tree);
    tm_free_replaced(&tree);
    CHECK_SOUND(tm_check_tree(&tree));
    for (uint32_t i = 0; i < N; i++) {
        int gone = i % 3 == 0;
        CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, i),
                    gone ? NODE_NONE : 2 + i);
        CHECK_EQUAL(tm_find_context(&tree, 2 + i, 1, 0, 0),
                    gone ? CONTEXT_NONE : 2 + i);
    }
    for (uint32_t i = 0; i < N; i += 3) {
        node_id node = tm_add_node(&tree, NODE_ROOT, 2, i);
        CHECK(node < 2 + N && (node - 2) % 3 == 0);
        context_id id = tm_add_context(&tree, node, 1, 0, 0);
        CHECK(id < 2 + N && (id - 2) % 3 == 0);
        const struct context *context = tm_context_at(&tree, id);
        CHECK_EQUAL(tm_few_epoch(context), 0);
        CHECK_EQUAL(context->counts, 0);
        struct counters counters = tm_context_counters(context);
        CHECK_EQUAL(counters.allocated_blocks, 0);
        CHECK_EQUAL(counters.freed_blocks, 0);
        CHECK_EQUAL(counters.peak_blocks, 0);
    }
    CHECK_EQUAL(tm_add_node(&tree, NODE_ROOT, 3, 0), 2 + N);
    CHECK_EQUAL(tm_add_context(&tree, NODE_ROOT, 3, 0, 0), 2 + N);
    tree_end();
}


static void
test_indexes_shrink(void)
{
    tree_begin();
    size_t smallest = tree.nodes.index->mask;
    for (uint32_t i = 0; i < 10000; i++) {
        CHECK(tm_add_node(&tree, NODE_ROOT, 1, i) != NODE_NONE);
        CHECK(tm_add_context(&tree, NODE_ROOT, 1, i, 1)
              != CONTEXT_NONE);
    }
    CHECK(tree.nodes.index->mask > smallest);
    for (uint32_t i = 0; i < 10000; i++) {
        tm_free_node(&tree, 2 + i);
        tm_free_context(&tree, 2 + i);
    }
    tm_reindex(&tree);
    CHECK_EQUAL(tree.nodes.index->mask, smallest);
    CHECK_EQUAL(tree.contexts.index->mask, smallest);
    tree_end();
}


/* Without memory for smaller indexes the large ones serve on. */
static void
test_reindex_without_memory(void)
{
    enum { N = 10000 };
    tree_begin();
    for (uint32_t i = 0; i < N; i++) {
        CHECK_EQUAL(tm_add_node(&tree, NODE_ROOT, 1, i), 2 + i);
        CHECK_EQUAL(tm_add_context(&tree, NODE_ROOT, 1, i, 1),
                    2 + i);
    }
    struct node_index *nodes = tree.nodes.index;
    struct node_index *contexts = tree.contexts.index;
    tm_free_replaced(&tree);
    for (uint32_t i = 0; i < N; i++) {
        if (i % 100 != 0) {
            tm_free_context(&tree, 2 + i);
            tm_free_node(&tree, 2 + i);
        }
    }
    test_fail_after(0, 1);
    tm_reindex(&tree);
    test_fail_never();
    CHECK_EQUAL(test_failures(), 2);
    CHECK(tree.nodes.index == nodes && tree.contexts.index == contexts);
    CHECK(tree.replaced == NULL);
    CHECK_SOUND(tm_check_tree(&tree));
    for (uint32_t i = 0; i < N; i++) {
        node_id node = i % 100 == 0 ? 2 + i : NODE_NONE;
        CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, i), node);
        CHECK_EQUAL(tm_find_context(&tree, NODE_ROOT, 1, i, 1),
                    node);
    }
    /* Nothing that is there is added again. */
    CHECK_EQUAL(tm_add_node(&tree, NODE_ROOT, 1, 500), 502);
    CHECK_EQUAL(tm_add_context(&tree, NODE_ROOT, 1, 500, 1), 502);
    CHECK_EQUAL(tree.nodes.live, 1 + N / 100);

    tm_reindex(&tree);
    CHECK(tree.nodes.index != nodes && tree.contexts.index != contexts);
    CHECK(tree.nodes.index->mask < nodes->mask);
    CHECK_EQUAL(tm_find_context(&tree, NODE_ROOT, 1, 500, 1), 502);
    tree_end();
}


/* Of one size, the index is filled again where it is. */
static void
test_reindex_needs_no_memory(void)
{
    tree_begin();
    node_id node = tm_add_node(&tree, NODE_ROOT, 1, 1);
    node_id gone = tm_add_node(&tree, NODE_ROOT, 1, 2);
    tm_free_node(&tree, gone);
    size_t blocks = test_live_blocks();
    test_fail_after(0, 1);
    tm_reindex(&tree);
    test_fail_never();
    CHECK_EQUAL(test_failures(), 0);
    CHECK_EQUAL(test_live_blocks(), blocks);
    CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, 1), node);
    CHECK_EQUAL(tm_find_node(&tree, NODE_ROOT, 1, 2), NODE_NONE);
    tree_end();
}


/* Each takes a tree that is sound, and leaves it so. */
static void
check_faults_of_an_index(node_id twin)
{
    struct node_index *index = tree.nodes.index;
    size_t at = 0;
    while (SLOT_NODE(index->slots[at]) != twin) {
        CHECK(at < index->mask);
        at++;
    }
    uint32_t slot = index->slots[at];
    index->slots[at] = 0;
    CHECK(tm_check_tree(&tree) != NULL);
    index->slots[at] = slot;
}


static void
check_faults_of_numbers(void)
{
    tree.nodes.live++;
    CHECK(tm_check_tree(&tree) != NULL);
    tree.nodes.live--;

    tree.contexts.live++;
    CHECK(tm_check_tree(&tree) != NULL);
    tree.contexts.live--;

    tree.contexts.indexed++;
    CHECK(tm_check_tree(&tree) != NULL);
    tree.contexts.indexed--;
}


/* The first ones are in no index. */
static void
check_faults_of_first_ones(node_id outer, node_id inner, node_id twin,
                           context_id id, context_id second)
{
    uint32_t *child = &tm_packed_node_at(&tree, outer)->first_child;
    CHECK_EQUAL(*child, inner);
    *child = NODE_NONE;
    CHECK(tm_check_tree(&tree) != NULL);
    *child = twin;
    CHECK(tm_check_tree(&tree) != NULL);
    *child = inner;
    uint32_t *context = &tm_packed_node_at(&tree, inner)->first_context;
    CHECK_EQUAL(*context, id);
    *context = second;
    CHECK(tm_check_tree(&tree) != NULL);
    *context = id;
    CHECK_SOUND(tm_check_tree(&tree));
}


static void
test_checker_sees_faults(void)
{
    tree_begin();
    node_id outer = tm_add_node(&tree, NODE_ROOT, 1, 1);
    node_id inner = tm_add_node(&tree, outer, 1, 2);
    node_id twin = tm_add_node(&tree, outer, 1, 9);
    context_id id = tm_add_context(&tree, inner, 1, 0, 3);
    CHECK(twin != NODE_NONE);
    context_id second = tm_add_context(&tree, inner, 1, 4, 3);
    CHECK(second != CONTEXT_NONE);
    CHECK_SOUND(tm_check_tree(&tree));
    struct context *context = tm_context_at(&tree, id);

    struct packed_node *node = tm_packed_node_at(&tree, inner);
    struct packed_node sound = *node;
    node->key += tree.nodes.used + 10 * CHUNK_SIZE;
    CHECK(tm_check_tree(&tree) != NULL);
    *node = sound;

    /* Below itself. */
    node->key += inner - outer;
    CHECK(tm_check_tree(&tree) != NULL);
    *node = sound;

    /* Without code, but not below the root of all. */
    node->key = tm_pack_node(outer, CODE_NONE, 2).key;
    CHECK(tm_check_tree(&tree) != NULL);
    *node = sound;

    /* A line that is nowhere. */
    *node = tm_pack_node(outer, 1, WIDE_LINE);
    CHECK(tm_check_tree(&tree) != NULL);
    *node = sound;

    /* Two with one key: one of them cannot be found. */
    node->key = tm_pack_node(outer, 1, 9).key;
    CHECK(tm_check_tree(&tree) != NULL);
    *node = sound;

    uint64_t key = context->key;
    context->key = tm_context_key(inner, 1, 4, 0, 3);
    CHECK(tm_check_tree(&tree) != NULL);
    /* Wide without counters, and with counters that need not be wide. */
    context->key = tm_context_key(inner, 1, 0, 7, 3);
    CHECK(tm_check_tree(&tree) != NULL);
    context->key = key;
    struct context *short_one = tm_context_at(&tree, second);
    uint64_t short_key = short_one->key;
    _PyTraceMalloc_GiveCounters(&tree, short_one);
    CHECK_SOUND(tm_check_tree(&tree));
    short_one->key = tm_context_key(inner, 1, 4, 7, 3);
    CHECK(tm_check_tree(&tree) != NULL);
    short_one->key = short_key;
    CHECK_SOUND(tm_check_tree(&tree));

    context->counts += tm_few_free(context->counts, 0);
    CHECK(tm_check_tree(&tree) != NULL);
    context->counts -= tm_few_free(context->counts, 0);

    _PyTraceMalloc_GiveCounters(&tree, context);
    CHECK_SOUND(tm_check_tree(&tree));
    tm_counters_of(context)->allocated_bytes = 1;
    CHECK(tm_check_tree(&tree) != NULL);
    tm_counters_of(context)->allocated_bytes = 0;

    tree.used_counters++;
    CHECK(tm_check_tree(&tree) != NULL);
    tree.used_counters--;
    tree.used_some++;
    CHECK(tm_check_tree(&tree) != NULL);
    tree.used_some--;

    check_faults_of_an_index(twin);
    check_faults_of_numbers();
    check_faults_of_first_ones(outer, inner, twin, id, second);

    /* A number that was freed, but stayed in the index. */
    tm_free_context(&tree, second);
    CHECK(tm_check_tree(&tree) != NULL);
    tm_reindex(&tree);
    tree_end();
}


/* An extension may report what it likes: only differences mean something. */
static void
test_bytes_may_overflow(void)
{
    tree_begin();
    struct traced_bytes bytes = {.epoch = 1};
    struct context *context = tm_context_at(&tree, CONTEXT_UNKNOWN);
    const size_t large = SIZE_MAX / 2;
    for (int i = 0; i < 3; i++) {
        count_any(&tree, &bytes, context, large);
    }
    tm_count_free(&bytes, context, large);
    CHECK(tm_counters_of(context)->freed_bytes
          > tm_counters_of(context)->allocated_bytes);
    CHECK_EQUAL(tm_context_live_bytes(context), (uint64_t)2 * large);
    CHECK_SOUND(tm_check_tree(&tree));
    tm_count_free(&bytes, context, large);
    tm_count_free(&bytes, context, large - 1);
    CHECK(tm_check_tree(&tree) != NULL);
    tm_counters_of(context)->freed_bytes++;
    tree_end();
}


/* A context that straddled two lines of a processor's cache would cost
   twice. */
static void
test_nodes_are_aligned(void)
{
    tree_begin();
    const uint32_t count = MAX_CONTEXTS > 5000 ? 5000 : MAX_CONTEXTS / 2;
    for (uint32_t i = 1; i < count; i++) {
        node_id node = tm_add_node(&tree, NODE_ROOT, 1, (int)i);
        context_id id = tm_add_context(&tree, node, 1, i, 1);
        CHECK(node != NODE_NONE && id != CONTEXT_NONE);
        const struct context *context = tm_context_at(&tree, id);
        CHECK_EQUAL((uintptr_t)context % sizeof(struct context), 0);
        _PyTraceMalloc_GiveCounters(&tree, tm_context_at(&tree, id));
        CHECK_EQUAL((uintptr_t)tm_counters_of(context)
                    % sizeof(struct counters), 0);
        CHECK_EQUAL((uintptr_t)tm_packed_node_at(&tree, node)
                    % _Alignof(struct packed_node), 0);
    }
    CHECK_EQUAL(sizeof(struct context), 16);
    tree_end();
}


#ifdef Py_TRACEMALLOC_STRESS
static void
test_numbers_run_out(void)
{
    tree_begin();
    for (uint32_t i = 1; tree.nodes.live < MAX_NODES - 1; i++) {
        CHECK_EQUAL(tm_add_node(&tree, NODE_ROOT, 1, i), i + 1);
    }
    for (uint32_t i = 1; tree.contexts.live < MAX_CONTEXTS - 1; i++) {
        CHECK_EQUAL(tm_add_context(&tree, NODE_ROOT, 1, i, 1),
                    i + 1);
    }
    for (uint32_t i = 0; i < 100; i++) {
        CHECK_EQUAL(tm_add_node(&tree, NODE_ROOT, 2, i), 0);
        CHECK_EQUAL(tm_add_context(&tree, NODE_ROOT, 2, i, 1), 0);
    }
    CHECK_SOUND(tm_check_tree(&tree));
    CHECK_EQUAL(tm_add_node(&tree, NODE_ROOT, 1, 5), 6);
    CHECK_EQUAL(tm_add_context(&tree, NODE_ROOT, 1, 5, 1), 6);

    /* One number is given back, and given again. */
    tm_free_node(&tree, 77);
    tm_free_context(&tree, 78);
    tm_reindex(&tree);
    CHECK_EQUAL(tm_add_node(&tree, NODE_ROOT, 2, 1), 77);
    CHECK_EQUAL(tm_add_node(&tree, NODE_ROOT, 2, 2), 0);
    CHECK_EQUAL(tm_add_context(&tree, 77, 2, 1, 1), 78);
    CHECK_EQUAL(tm_add_context(&tree, 77, 2, 2, 1), 0);
    tree_end();
}
#endif


const struct test tree_tests[] = {
    {"a tree begins with the root and the unknown context",
     test_begins_with_root_and_unknown},
    {"what was added is found, and nothing else", test_find_and_add},
    {"P12 nodes and contexts are aligned", test_nodes_are_aligned},
    {"in every order, and next to what is not there",
     test_find_in_every_order},
    {"the next number is found without the index", test_find_next},
    {"the next number has been given back", test_find_next_given_back},
    {"the largest codes, lines and instructions", test_extreme_keys},
    {"lines of nodes are kept whatever their width", test_lines},
    {"nodes grow, and never move", test_growth},
    {"an index that was replaced can still be read",
     test_replaced_indexes_stay_readable},
    {"a node of 70,000 frames, or as many as there are numbers",
     test_deep_path},
    {"any number of domains, each its own", test_domains},
    {"contexts with large numbers tell them as well",
     test_short_and_wide_contexts},
    {"a wide context without memory", test_wide_context_without_memory},
    {"the generation tells one tree from the next",
     test_numbers_change_meaning},
    {"numbers given back come again, empty", test_unused_numbers_come_again},
    {"indexes shrink with what they name", test_indexes_shrink},
    {"without memory an index is filled again where it is",
     test_reindex_without_memory},
    {"an index of the right size needs no memory",
     test_reindex_needs_no_memory},
    {"the checker sees what is broken", test_checker_sees_faults},
    {"sums of bytes may pass 2**64", test_bytes_may_overflow},
#ifdef Py_TRACEMALLOC_STRESS
    {"numbers run out, and nothing breaks", test_numbers_run_out},
#endif
    {NULL, NULL},
};
