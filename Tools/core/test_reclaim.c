/* Reclaim: what goes, what stays, and that numbers come again. */

#include "check.h"

#include <string.h>

static struct code_table codes;
static struct call_tree tree;
static struct traced_bytes bytes;
static char owners[100];


/* Code objects 1 to n, all of one file. */
static void
begin(code_id n)
{
    bytes = (struct traced_bytes){0};
    CHECK_EQUAL(tm_init_codes(&codes), 0);
    CHECK_EQUAL(tm_init_tree(&tree), 0);
    name_id file = tm_add_name(codes.names, 1, "f", 1);
    for (code_id id = 1; id <= n; id++) {
        struct line_map *map = line_map_plain();
        CHECK_EQUAL(code_add_named(&codes, &owners[id], file, map),
                    id);
    }
}


static void
end(void)
{
    CHECK_SOUND(tm_check_tree(&tree));
    tm_fini_tree(&tree);
    tm_fini_codes(&codes);
}


/* With at most one context and one node that caches hold. */
static struct reclaimed_nodes
reclaim_with(context_id context, node_id node, enum reclaim_reach reach)
{
    struct reclaim_roots roots = {
        .contexts = calloc(tree.contexts.used, 1),
        .nodes = calloc(tree.nodes.used, 1),
    };
    CHECK(roots.contexts != NULL && roots.nodes != NULL);
    roots.contexts[context] = 1;
    roots.nodes[node] = 1;
    struct reclaimed_nodes done = tm_reclaim(&tree, &codes, &bytes, &roots,
                                             reach);
    free(roots.contexts);
    free(roots.nodes);
    tm_reindex(&tree);
    tm_free_replaced(&tree);
    CHECK_SOUND(tm_check_tree(&tree));
    return done;
}


static long
reclaim(context_id context, node_id node, enum reclaim_reach reach)
{
    return reclaim_with(context, node, reach).taken;
}


/* The next pace, after a reclaim that took so many and left the rest, all of
   it needed. */
static void
pace_set(struct reclaim_pace *pace, const struct code_table *table, long taken)
{
    struct reclaimed_nodes done = {
        .taken = taken,
        .contexts = tree.contexts.live,
        .nodes = tree.nodes.live,
    };
    tm_set_pace(pace, &tree, table, &bytes, &done);
}


static context_id
context_add(node_id node, code_id code)
{
    context_id id = tm_add_context(&tree, node, code, 0, 1);
    CHECK(id != CONTEXT_NONE);
    return id;
}


static node_id
node_add(node_id parent, code_id code)
{
    node_id id = tm_add_node(&tree, parent, code, 1);
    CHECK(id != NODE_NONE);
    return id;
}


static int
context_is_there(context_id id)
{
    return tm_context_node(tm_context_at(&tree, id)) != NODE_NONE;
}


static int
node_is_there(node_id id)
{
    return tm_node_parent(&tree, id) != NODE_NONE;
}


static void
test_empty(void)
{
    begin(0);
    CHECK_EQUAL(reclaim(0, 0, REACH_ALL), 0);
    CHECK(context_is_there(CONTEXT_UNKNOWN));
    end();
}


/* Count a block in a context, which is returned. */
static struct context *
count_one(context_id id, size_t size)
{
    struct context *context = tm_context_at(&tree, id);
    count_any(&tree, &bytes, context, size);
    return context;
}


static void
test_live_contexts_stay(void)
{
    begin(5);
    node_id outer = node_add(NODE_ROOT, 1), inner = node_add(outer, 2);
    node_id aside = node_add(outer, 3), lonely = node_add(NODE_ROOT, 4);
    context_id live = context_add(inner, 5), dead = context_add(aside, 5);
    count_any(&tree, &bytes, tm_context_at(&tree, dead), 10);
    tm_count_free(&bytes, tm_context_at(&tree, dead), 10);
    /* A higher peak, at which the dead one had nothing. */
    count_any(&tree, &bytes, tm_context_at(&tree, live), 20);

    CHECK_EQUAL(reclaim(0, 0, REACH_ALL), 3);
    CHECK(context_is_there(live) && !context_is_there(dead));
    CHECK(node_is_there(outer) && node_is_there(inner));
    CHECK(!node_is_there(aside) && !node_is_there(lonely));
    CHECK_EQUAL(tm_find_context(&tree, inner, 5, 0, 1), live);
    CHECK_EQUAL(tm_find_node(&tree, outer, 3, 1), NODE_NONE);
    CHECK_EQUAL(tree.reclaimed_blocks, 1);
    CHECK_EQUAL(tree.reclaimed_bytes, 10);
    end();
}


static void
test_accounts_keep_their_sums(void)
{
    begin(5);
    node_id roots[4];
    context_id ids[4];
    /* What went before there was an account was in none. */
    tm_count_free(&bytes, count_one(context_add(NODE_ROOT, 1), 1000), 1000);
    count_any(&tree, &bytes, tm_context_at(&tree, CONTEXT_UNKNOWN), 5000);
    CHECK_EQUAL(reclaim(0, 0, REACH_ALL), 1);
    CHECK(tree.accounts == NULL);
    for (uint32_t i = 0; i < 4; i++) {
        /* Accounts 0, 0, 3 and 3. */
        roots[i] = tm_add_root(&tree, tm_root_line(i / 2 * 3, i % 2 + 1));
        ids[i] = context_add(node_add(roots[i], 2), 3);
        tm_count_free(&bytes, count_one(ids[i], 10 + i), 10 + i);
    }
    uint32_t *memo = calloc(tree.nodes.used, sizeof(memo[0]));
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 4; i++) {
            CHECK_EQUAL(tm_find_account(&tree, memo, roots[i]), i / 2 * 3);
            node_id node = tm_context_node(tm_context_at(&tree, ids[i]));
            CHECK_EQUAL(tm_find_account(&tree, memo, node), i / 2 * 3);
        }
    }
    free(memo);
    count_any(&tree, &bytes, tm_context_at(&tree, CONTEXT_UNKNOWN), 5000);
    CHECK_EQUAL(reclaim(0, 0, REACH_ALL), 12);
    CHECK(!node_is_there(roots[3]));
    CHECK(tree.naccounts > 3);
    CHECK_EQUAL(tree.accounts[0].blocks, 3);
    CHECK_EQUAL(tree.accounts[0].bytes, 1021);
    CHECK_EQUAL(tree.accounts[1].blocks, 0);
    CHECK_EQUAL(tree.accounts[3].blocks, 2);
    CHECK_EQUAL(tree.accounts[3].bytes, 25);
    end();
}


static void
test_contexts_of_the_peak_stay(void)
{
    begin(2);
    context_id id = context_add(node_add(NODE_ROOT, 1), 2);
    count_any(&tree, &bytes, tm_context_at(&tree, id), 10);
    tm_count_free(&bytes, tm_context_at(&tree, id), 10);
    CHECK_EQUAL(reclaim(0, 0, REACH_ALL), 0);
    struct counters totals = tm_context_totals(tm_context_at(&tree, id),
                                               &bytes);
    CHECK_EQUAL(totals.peak_blocks, 1);
    CHECK_EQUAL(totals.peak_bytes, 10);

    /* A higher peak without it: now it may go. */
    count_any(&tree, &bytes, tm_context_at(&tree, CONTEXT_UNKNOWN), 11);
    CHECK_EQUAL(reclaim(0, 0, REACH_ALL), 2);
    CHECK(!context_is_there(id));
    end();
}


static void
test_roots_stay(void)
{
    begin(5);
    node_id outer = node_add(NODE_ROOT, 1), inner = node_add(outer, 2);
    node_id other = node_add(NODE_ROOT, 3), gone = node_add(inner, 4);
    context_id kept = context_add(other, 5), lost = context_add(inner, 5);
    CHECK_EQUAL(reclaim(kept, inner, REACH_ALL), 2);
    CHECK(context_is_there(kept) && !context_is_there(lost));
    CHECK(node_is_there(outer) && node_is_there(inner)
          && node_is_there(other));
    CHECK(!node_is_there(gone));
    end();
}


static void
test_mild_takes_dead_code_only(void)
{
    begin(4);
    node_id node = node_add(NODE_ROOT, 1), aside = node_add(NODE_ROOT, 2);
    context_id living = context_add(node, 3), dead = context_add(node, 4);
    context_id none = tm_add_context_of_domain(
        &tree, tm_context_at(&tree, CONTEXT_UNKNOWN), 1);
    tm_retire_code(&codes, 4);
    /* The node that nobody needs goes as well. */
    CHECK_EQUAL(reclaim(0, 0, REACH_DEAD), 2);
    CHECK(context_is_there(living) && context_is_there(none));
    CHECK(!context_is_there(dead) && !node_is_there(aside));
    CHECK_EQUAL(codes.retired, 0);
    CHECK_EQUAL(reclaim(0, 0, REACH_ALL), 3);
    CHECK(!context_is_there(living) && !context_is_there(none));
    end();
}


static void
test_first_takes_small_ones(void)
{
    begin(5);
    node_id node = node_add(NODE_ROOT, 1);
    context_id small = context_add(node, 2), busy = context_add(node, 3);
    context_id dead = context_add(node, 4), held = context_add(node, 5);
    count_any(&tree, &bytes, tm_context_at(&tree, small), 10);
    tm_count_free(&bytes, tm_context_at(&tree, small), 10);
    _PyTraceMalloc_GiveCounters(&tree, tm_context_at(&tree, busy));
    _PyTraceMalloc_GiveCounters(&tree, tm_context_at(&tree, dead));
    tm_retire_code(&codes, 4);
    count_any(&tree, &bytes, tm_context_at(&tree, held), 20);

    struct reclaim_pace pace;
    tm_begin_pace(&pace);
    CHECK_EQUAL(tm_pace_reach(&pace, &tree, &codes), REACH_SMALL);
    CHECK_EQUAL(reclaim(0, 0, REACH_SMALL), 2);
    CHECK(context_is_there(busy) && context_is_there(held));
    CHECK(!context_is_there(small) && !context_is_there(dead));
    CHECK_EQUAL(tree.reclaimed_bytes, 10);
    pace_set(&pace, &codes, 2);
    CHECK_EQUAL(tm_pace_reach(&pace, &tree, &codes), REACH_DEAD);
    tm_count_miss(&pace, &bytes);
    CHECK_EQUAL(tm_pace_reach(&pace, &tree, &codes), REACH_ALL);
    end();
}


/* `held` contexts with a block and `idle` ones without, each below a node of
   its own; reclaims, and returns what it says. */
static struct reclaimed_nodes
reclaim_most(int held, int idle, enum reclaim_reach reach)
{
    begin(3);
    for (int i = 0; i < held + idle; i++) {
        node_id node = tm_add_node(&tree, NODE_ROOT, 1, i + 1);
        context_id id = context_add(node, i % 10 == 9 ? 3 : 2);
        count_any(&tree, &bytes, tm_context_at(&tree, id), 10);
        if (i < idle) {
            tm_count_free(&bytes, tm_context_at(&tree, id), 10);
        }
    }
    tm_bytes_maximum(&bytes, tm_bytes_current(&bytes));
    tm_retire_code(&codes, 3);
    return reclaim_with(0, 0, reach);
}


static void
test_most_leaves_what_is_little(void)
{
    /* A third is needed: the rest stays, but for that of dead code. */
    struct reclaimed_nodes done = reclaim_most(100, 200, REACH_MOST);
    CHECK_EQUAL(done.taken, 2 * 20);
    CHECK_EQUAL(done.contexts, 100 + 1);
    CHECK_EQUAL(done.nodes, 100 + 1);
    CHECK_EQUAL(tree.contexts.live, 300 - 20 + 1);
    /* And is looked at again when it is four times what is needed. */
    struct reclaim_pace pace;
    tm_begin_pace(&pace);
    uint32_t used = tree.contexts.used;
    tree.contexts.live = tree.contexts.used = 1 << 13;
    done.contexts = 3000;
    tm_set_pace(&pace, &tree, &codes, &bytes, &done);
    CHECK_EQUAL(pace.contexts, RECLAIM_CONTEXTS > 12000 ? RECLAIM_CONTEXTS
                : 12000);
    tree.contexts.live = 300 - 20 + 1;
    tree.contexts.used = used;
    /* If memory is short, it goes. */
    CHECK_EQUAL(reclaim(0, 0, REACH_ALL), 2 * 180);
    end();

    done = reclaim_most(100, 400, REACH_MOST);
    CHECK_EQUAL(done.taken, 2 * 400);
    CHECK_EQUAL(done.contexts, tree.contexts.live);
    CHECK_EQUAL(done.nodes, tree.nodes.live);
    end();
}


/* What is left because it is little can be had when memory is short, and goes
   when it keeps much of dead code. */
static void
test_most_does_not_wait(void)
{
    struct reclaimed_nodes done = reclaim_most(100, 200, REACH_MOST);
    struct reclaim_pace pace;
    tm_begin_pace(&pace);
    for (int i = 0; i < 3; i++) {
        tm_set_pace(&pace, &tree, &codes, &bytes, &done);
        CHECK_EQUAL(pace.patience, 1);
        done.taken = 0;
    }
    CHECK_EQUAL(pace.retired, RECLAIM_RETIRED);
    const struct number_space contexts = tree.contexts;
    tree.contexts.live = RECLAIM_ALL;
    CHECK_EQUAL(tm_pace_reach(&pace, &tree, &codes), REACH_MOST);
    size_t retired_bytes = codes.retired_bytes;
    codes.retired_bytes = RECLAIM_RETIRED;
    CHECK_EQUAL(tm_pace_reach(&pace, &tree, &codes), REACH_ALL);
    codes.retired_bytes = retired_bytes;
    tree.contexts = contexts;
    end();
}


/* Few contexts may hang on many nodes. */
static void
test_most_looks_at_nodes_too(void)
{
    begin(2);
    for (int i = 0; i < 8; i++) {
        node_id node = NODE_ROOT;
        for (int depth = 0; depth < (i == 0 ? 100 : 1); depth++) {
            node = tm_add_node(&tree, node, 1, i + 1);
        }
        context_id id = context_add(node, 2);
        if (i != 0) {
            count_any(&tree, &bytes, tm_context_at(&tree, id), 10);
        }
    }
    CHECK_EQUAL(reclaim(0, 0, REACH_MOST), 101);
    end();
}


static void
test_codes_stay_while_named(void)
{
    begin(4);
    node_id node = node_add(NODE_ROOT, 1);
    context_id id = context_add(node, 2);
    context_id other = context_add(NODE_ROOT, 3);
    count_any(&tree, &bytes, tm_context_at(&tree, id), 5);
    for (code_id code = 1; code <= 4; code++) {
        tm_retire_code(&codes, code);
    }
    CHECK_EQUAL(reclaim(other, 0, REACH_ALL), 0);
    /* 1 by a node, 2 by a context with blocks, 3 by a root; 4 by nobody. */
    CHECK_EQUAL(codes.retired, 3);
    CHECK(tm_code_at(&codes, 1)->file != NAME_NONE);
    CHECK(tm_code_at(&codes, 4)->file == NAME_NONE);
    tm_count_free(&bytes, tm_context_at(&tree, id), 5);
    tm_bytes_maximum(&bytes, 0);
    CHECK_EQUAL(reclaim(0, 0, REACH_ALL), 3);
    CHECK_EQUAL(codes.retired, 0);
    end();
}


static void
test_without_memory_nothing_changes(void)
{
    begin(2);
    node_id node = node_add(NODE_ROOT, 1);
    context_id id = context_add(node, 2);
    tm_retire_code(&codes, 2);
    unsigned char contexts[8] = {0}, nodes[8] = {0};
    struct reclaim_roots roots = {.contexts = contexts, .nodes = nodes};
    test_fail_after(0, 1);
    CHECK(tm_reclaim(&tree, &codes, &bytes, &roots, REACH_ALL).taken == -1);
    test_fail_never();
    CHECK_SOUND(tm_check_tree(&tree));
    CHECK(context_is_there(id) && node_is_there(node));
    CHECK_EQUAL(codes.retired, 1);
    CHECK_EQUAL(reclaim(0, 0, REACH_ALL), 2);
    end();
}


/* Months of fresh code objects, in small: nothing may grow. */
static void
test_plateau(void)
{
    begin(1);
    node_id node = node_add(NODE_ROOT, 1);
    size_t size = 0;
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < 20; i++) {
            struct line_map *map = line_map_plain();
            code_id code = code_add_named(&codes, owners, 1, map);
            CHECK(code != CODE_NONE);
            node_id at = node;
            for (int depth = 0; depth < 5; depth++) {
                at = node_add(at, code);
                struct context *context = tm_context_at(&tree,
                                                        context_add(at, code));
                count_any(&tree, &bytes, context, 10);
                tm_count_free(&bytes, context, 10);
            }
            tm_retire_code(&codes, code);
        }
        reclaim(0, node, REACH_DEAD);
        if (round == 10) {
            size = test_live_bytes();
        }
        CHECK(round < 10 || test_live_bytes() == size);
    }
    /* The very first is still part of the state at the peak. */
    CHECK_EQUAL(tree.contexts.live, 2);
    end();
}


/* Numbers must not run out before a reclaim was called for, as long as there
   are enough left to pay for one. */
static void
test_calls_for_a_reclaim_in_time(void)
{
    static const struct code_table none;
    struct reclaim_pace pace;
    begin(0);
    const struct number_space contexts = tree.contexts, nodes = tree.nodes;
    for (int part = 0; part < 504; part++) {
        for (int all = 0; all < 2; all++) {
            tree.contexts.live = (uint32_t)(MAX_CONTEXTS / 512 * part + 1);
            tree.nodes.live = (uint32_t)(MAX_NODES / 512 * part + 1);
            tree.contexts.used = all ? (uint32_t)MAX_CONTEXTS
                                 : tree.contexts.live + 1;
            tree.nodes.used = all ? (uint32_t)MAX_NODES
                              : tree.nodes.live + 1;
            tm_begin_pace(&pace);
            pace_set(&pace, &none, 0);
            CHECK(pace.contexts >= tree.contexts.live + MAX_CONTEXTS / 64
                  || pace.contexts >= 4 * (size_t)tree.contexts.live);
            CHECK(pace.contexts < MAX_CONTEXTS);
            CHECK(pace.nodes >= tree.nodes.live + MAX_NODES / 64
                  || pace.nodes >= 4 * (size_t)tree.nodes.live);
            CHECK(pace.nodes < MAX_NODES);
            CHECK(!tm_pace_is_due(&pace, &tree));
            tree.contexts.live = (uint32_t)pace.contexts;
            CHECK(tm_pace_is_due(&pace, &tree));
        }
    }
    tree.contexts = contexts;
    tree.nodes = nodes;
    end();
}


/* As often as nodes cannot be had: the nth time at most, where n doubles as
   long as reclaiming is of no use, up to the number of nodes. */
static void
test_calls_for_a_reclaim_when_nothing_is_left(void)
{
    static const struct code_table none;
    struct reclaim_pace pace;
    begin(0);
    const struct number_space contexts = tree.contexts, were = tree.nodes;
    const size_t nodes = 64000;
    tree.contexts.used = tree.nodes.used = (uint32_t)nodes / 2;
    tree.contexts.live = tree.nodes.live = (uint32_t)nodes / 2 - 1;
    tm_bytes_maximum(&bytes, 4000);
    tm_begin_pace(&pace);
    CHECK(tm_count_miss(&pace, &bytes));
    CHECK_EQUAL(tm_pace_reach(&pace, &tree, &codes), REACH_ALL);
    size_t expected = nodes / 64;
    for (int i = 0; i < 10; i++) {
        pace_set(&pace, &none, i % 2 ? 0 : -1);
        size_t misses = 1;
        while (!tm_count_miss(&pace, i % 3 ? &bytes : NULL)) {
            misses++;
        }
        CHECK_EQUAL(misses, expected);
        expected = 2 * expected < nodes ? 2 * expected : nodes;
    }
    CHECK_EQUAL(expected, nodes);

    /* At once, if what kept the nodes is gone; but once only. */
    pace_set(&pace, &none, 0);
    tm_bytes_maximum(&bytes, 2750);
    CHECK(!tm_count_miss(&pace, NULL));
    CHECK(tm_count_miss(&pace, &bytes));
    pace_set(&pace, &none, 0);
    CHECK(!tm_count_miss(&pace, &bytes));
    /* And after one that was worth it. */
    pace_set(&pace, &none, (long)nodes / 64);
    CHECK(tm_count_miss(&pace, &bytes));
    /* Bytes may be any numbers: extensions report them. */
    tm_bytes_maximum(&bytes, SIZE_MAX);
    pace_set(&pace, &none, 0);
    CHECK(!tm_count_miss(&pace, &bytes));
    tree.contexts = contexts;
    tree.nodes = were;
    bytes = (struct traced_bytes){0};
    end();
}


#ifdef Py_TRACEMALLOC_STRESS
/* What captures do, for a block of a size at the n-th instruction: 0, or -1 if
   it had to be dropped.  Counts the reclaims. */
static int
block_note(struct reclaim_pace *pace, uint32_t n, size_t size, int *reclaims)
{
    context_id id = tm_add_context(&tree, NODE_ROOT, 1, n, 1);
    if (id != CONTEXT_NONE ? tm_pace_is_due(pace, &tree)
        : tm_count_miss(pace, &bytes))
    {
        struct reclaimed_nodes done = reclaim_with(
            id, 0, tm_pace_reach(pace, &tree, &codes));
        tm_set_pace(pace, &tree, &codes, &bytes, &done);
        ++*reclaims;
    }
    if (id == CONTEXT_NONE) {
        return -1;
    }
    count_any(&tree, &bytes, tm_context_at(&tree, id), size);
    return 0;
}


/* Blocks of all contexts there can be, and then of none: nobody clears the
   traces, and the program is traced again.  Blocks of no bytes are the harder
   case: from what is traced nobody sees that they went. */
static void
numbers_run_out(size_t size)
{
    struct reclaim_pace pace;
    begin(1);
    tm_begin_pace(&pace);
    for (int round = 0; round < 3; round++) {
        uint32_t n = 0;
        int reclaims = 0;
        while (block_note(&pace, n++, size, &reclaims) == 0) {
        }
        CHECK_EQUAL(tree.contexts.live, MAX_CONTEXTS - 1);
        /* Reclaims that were of no use were few. */
        CHECK(reclaims < 20);
        reclaims = 0;
        for (size_t i = 0; i < 40 * MAX_CONTEXTS; i++) {
            CHECK(block_note(&pace, n++, size, &reclaims) < 0);
        }
        CHECK(reclaims > 10 && reclaims < 50);

        for (context_id id = 2; id < tree.contexts.used; id++) {
            tm_count_free(&bytes, tm_context_at(&tree, id), size);
        }
        tm_bytes_maximum(&bytes, tm_bytes_current(&bytes));
        size_t dropped = 0;
        while (block_note(&pace, n++, size, &reclaims) < 0) {
            dropped++;
        }
        CHECK(dropped <= (size == 0 ? 2 * MAX_CONTEXTS : 1));
        CHECK(tree.contexts.live < 10);
        tm_count_free(&bytes, tm_context_at(&tree, tm_find_context(
                       &tree, NODE_ROOT, 1, n - 1, 1)), size);
        tm_bytes_maximum(&bytes, 0);
    }
    end();
}


static void
test_numbers_run_out_and_come_back(void)
{
    numbers_run_out(10);
    numbers_run_out(0);
}
#endif


const struct test reclaim_tests[] = {
    {"nothing to take", test_empty},
    {"contexts with blocks stay, with all that is above them",
     test_live_contexts_stay},
    {"accounts keep what is reclaimed of them",
     test_accounts_keep_their_sums},
    {"contexts with blocks at the peak stay",
     test_contexts_of_the_peak_stay},
    {"what the caches hold stays", test_roots_stay},
    {"the mild form takes contexts of dead code only",
     test_mild_takes_dead_code_only},
    {"the first reclaim takes small contexts of code that lives",
     test_first_takes_small_ones},
    {"what holds nothing stays while it is not most",
     test_most_leaves_what_is_little},
    {"and goes without memory, or with much dead code",
     test_most_does_not_wait},
    {"and goes if most of the nodes are its own",
     test_most_looks_at_nodes_too},
    {"numbers of dead code stay while they are named",
     test_codes_stay_while_named},
    {"without memory nothing changes", test_without_memory_nothing_changes},
    {"fresh code for a long time: memory does not grow", test_plateau},
    {"a reclaim is called for before numbers run out",
     test_calls_for_a_reclaim_in_time},
    {"a reclaim is called for when nothing is left, with patience",
     test_calls_for_a_reclaim_when_nothing_is_left},
#ifdef Py_TRACEMALLOC_STRESS
    {"numbers run out, and come back when nobody needs them",
     test_numbers_run_out_and_come_back},
#endif
    {NULL, NULL},
};
