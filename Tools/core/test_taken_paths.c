/* Paths that reclaim took: those that come again are known, others are not,
   and the pace learns from it. */

#include "check.h"

#include <string.h>

static struct code_table codes;
static struct call_tree tree;
static struct traced_bytes bytes;
static char owners[4];

/* Paths of a round: as many leaves has a tree of two lines. */
#define DEPTH 7
#define PATHS (1 << DEPTH)


static void
begin(void)
{
    bytes = (struct traced_bytes){0};
    CHECK_EQUAL(tm_init_codes(&codes), 0);
    CHECK_EQUAL(tm_init_tree(&tree), 0);
    for (code_id id = 1; id <= 3; id++) {
        CHECK_EQUAL(code_add_named(&codes, &owners[id], 1, line_map_plain()),
                    id);
    }
}


static void
end(void)
{
    CHECK_SOUND(tm_check_tree(&tree));
    tm_fini_tree(&tree);
    CHECK(!tree.taken.any);
    tm_fini_codes(&codes);
}


/* The path whose calls are these bits, from one of two lines each, below a
   node of its own; code 2 allocates. */
static const struct context *
path_add(node_id below, uint32_t bits)
{
    node_id node = below;
    for (int i = 0; i < DEPTH; i++) {
        node = tm_add_node(&tree, node, 1, 10 + (int)(bits >> i & 1));
        CHECK(node != NODE_NONE);
    }
    context_id id = tm_add_context(&tree, node, 2, 3, 1);
    CHECK(id != CONTEXT_NONE);
    return tm_context_at(&tree, id);
}


static void
paths_add(node_id below, uint32_t first, uint32_t flip, int ask)
{
    for (uint32_t i = 0; i < PATHS; i++) {
        const struct context *context = path_add(below, (first + i) ^ flip);
        if (ask) {
            tm_ask_path(&tree, context);
        }
    }
}


static long
reclaim(enum reclaim_reach reach)
{
    tm_begin_asking(&tree.taken);
    struct reclaim_roots roots = {
        .contexts = calloc(tree.contexts.used, 1),
        .nodes = calloc(tree.nodes.used, 1),
    };
    CHECK(roots.contexts != NULL && roots.nodes != NULL);
    struct reclaimed_nodes done = tm_reclaim(&tree, &codes, &bytes, &roots,
                                             reach);
    free(roots.contexts);
    free(roots.nodes);
    tm_reindex(&tree);
    tm_free_replaced(&tree);
    CHECK_SOUND(tm_check_tree(&tree));
    return done.taken;
}


/* How many of them are kept: by their numbers, so always the same. */
static uint32_t
kept_of(uint32_t paths)
{
    CHECK(tree.taken.kept <= paths);
    if (KEEP_EACH == 1) {
        /* Two may have one bit. */
        CHECK(tree.taken.kept > paths - 3);
        return paths;
    }
    CHECK(tree.taken.kept > paths / KEEP_EACH / 2
          && tree.taken.kept < paths / KEEP_EACH * 2);
    return tree.taken.kept;
}


/* As many nodes as it takes that some of the paths below are kept. */
#define NODES (KEEP_EACH == 1 ? 2 : 40)

static void
rounds_add(int line, uint32_t first, uint32_t flip, int ask)
{
    for (int i = 0; i < (int)NODES; i++) {
        paths_add(tm_add_node(&tree, NODE_ROOT, 3, line + i), first, flip,
                  ask);
    }
}


static void
test_same_paths_are_known(void)
{
    begin();
    rounds_add(7, 0, 0, 1);
    /* Nothing was taken yet, and nothing is found. */
    CHECK_EQUAL(tree.taken.found, 0);
    CHECK(reclaim(REACH_MOST) > (long)NODES * PATHS);
    uint32_t kept = kept_of(NODES * PATHS);
    CHECK(!tm_paths_return(&tree.taken));

    /* In another order, so that all numbers are others. */
    rounds_add(7, 0, 0x35, 1);
    CHECK_EQUAL(tree.taken.asked, kept);
    CHECK_EQUAL(tree.taken.found, kept);
    CHECK(tm_paths_return(&tree.taken));

    /* Those of before the last reclaim are known, too. */
    reclaim(REACH_MOST);
    rounds_add(7 + (int)NODES, 0, 0, 0);
    reclaim(REACH_MOST);
    rounds_add(7, 0, 0, 1);
    CHECK_EQUAL(tree.taken.found, kept);
    end();
}


/* Another line further up, or another thread. */
static void
test_others_are_not(void)
{
    begin();
    rounds_add(7, 0, 0, 0);
    reclaim(REACH_MOST);
    rounds_add(7 + (int)NODES, 0, 0, 1);
    CHECK(tree.taken.asked > 0);
    CHECK(tree.taken.found <= tree.taken.asked / 4);
    node_id other = tm_add_root(&tree, tm_root_line(0, 1));
    tm_begin_asking(&tree.taken);
    for (int i = 0; i < (int)NODES; i++) {
        paths_add(tm_add_node(&tree, other, 3, 7 + i), 0, 0, 1);
    }
    CHECK(tree.taken.asked > 0);
    CHECK(tree.taken.found <= tree.taken.asked / 4);
    CHECK(!tm_paths_return(&tree.taken));
    end();
}


/* The order of the callers, and the instruction. */
static void
test_numbers_of_paths_differ(void)
{
    begin();
    rounds_add(7, 0, 0, 0);
    node_id node = tm_add_node(&tree, NODE_ROOT, 3, 7);
    for (uint32_t unit = 4; unit < 6; unit++) {
        for (uint32_t bits = 0; bits < PATHS; bits++) {
            node_id callers = tm_context_node(path_add(node, bits));
            CHECK(tm_add_context(&tree, callers, 2, unit, 1) != CONTEXT_NONE);
        }
    }
    uint32_t n = NODES * PATHS + 2 * PATHS;
    CHECK(reclaim(REACH_MOST) > (long)n);
    kept_of(n);
    end();
}


/* Only what is taken is kept, and of code that can run again. */
static void
test_what_is_kept(void)
{
    begin();
    rounds_add(7, 0, 0, 0);
    CHECK_EQUAL(reclaim(REACH_DEAD), 0);
    CHECK(!tree.taken.any);
    tm_retire_code(&codes, 2);
    CHECK(reclaim(REACH_ALL) > 0);
    CHECK(!tree.taken.any);
    end();
}


/* Of all that reclaims take, these are as many as fill two sets. */
static void
test_the_oldest_are_forgotten(void)
{
    for (int sets = 1; sets <= 3; sets++) {
        begin();
        for (int set = 0; set < sets; set++) {
            tree.taken.kept = set == 0 ? 0 : TAKEN_MOST;
            rounds_add(7 + 1000 * set, 0, 0, 0);
            reclaim(REACH_MOST);
            CHECK(tree.taken.kept < TAKEN_MOST);
        }
        rounds_add(7, 0, 0, 1);
        CHECK(tree.taken.asked > 0);
        CHECK(sets <= 2 ? tree.taken.found == tree.taken.asked
              : tree.taken.found <= tree.taken.asked / 4);
        end();
    }
}


static void
test_long_paths_are_not_asked_for(void)
{
    begin();
    uint32_t asked = 0;
    node_id node = NODE_ROOT;
    for (int depth = 1; depth < ASK_FRAMES + 300; depth++) {
        node = tm_add_node(&tree, node, 1, 1);
        context_id id = tm_add_context(&tree, node, 2, 3, 1);
        tm_ask_path(&tree, tm_context_at(&tree, id));
        /* The root is one of them. */
        if (depth == ASK_FRAMES - 1) {
            asked = tree.taken.asked;
            CHECK(asked > 0);
        }
    }
    CHECK_EQUAL(tree.taken.asked, asked);
    end();
}


static void
test_without_memory_none_are_kept(void)
{
    begin();
    rounds_add(7, 0, 0, 0);
    struct reclaim_roots roots = {
        .contexts = calloc(tree.contexts.used, 1),
        .nodes = calloc(tree.nodes.used, 1),
    };
    CHECK(roots.contexts != NULL && roots.nodes != NULL);
    test_fail_after(1, 1);
    struct reclaimed_nodes done = tm_reclaim(&tree, &codes, &bytes, &roots,
                                             REACH_MOST);
    test_fail_never();
    free(roots.contexts);
    free(roots.nodes);
    CHECK(done.taken > (long)NODES * PATHS);
    CHECK(!tree.taken.any);
    tm_reindex(&tree);
    tm_free_replaced(&tree);
    end();
}


static void
answers(struct reclaim_pace *pace, uint32_t asked, uint32_t found)
{
    tree.taken.asked = asked;
    tree.taken.found = found;
    tm_judge_reclaims(pace, &tree);
    CHECK_EQUAL(tree.taken.asked, 0);
}


static void
test_pace_learns(void)
{
    begin();
    struct reclaim_pace pace;
    tm_begin_pace(&pace);
    answers(&pace, ASKED_LEAST - 1, ASKED_LEAST - 1);
    CHECK_EQUAL(pace.all, RECLAIM_ALL);
    answers(&pace, ASKED_LEAST, ASKED_LEAST / 2);
    CHECK_EQUAL(pace.all, RECLAIM_ALL);
    answers(&pace, ASKED_LEAST, ASKED_LEAST / 2 + 1);
    CHECK_EQUAL(pace.all, 4 * RECLAIM_ALL);
    /* What was not asked says nothing. */
    answers(&pace, 0, 0);
    CHECK_EQUAL(pace.all, 4 * RECLAIM_ALL);
    for (int i = 0; i < 5; i++) {
        answers(&pace, 100, 90);
    }
    CHECK_EQUAL(pace.all, RECLAIM_ALL_MOST);
    pace.first = 0;
    const struct number_space contexts = tree.contexts;
    tree.contexts.live = RECLAIM_ALL;
    CHECK_EQUAL(tm_pace_reach(&pace, &tree, &codes), REACH_DEAD);
    tree.contexts.live = RECLAIM_ALL_MOST;
    CHECK_EQUAL(tm_pace_reach(&pace, &tree, &codes), REACH_MOST);
    answers(&pace, 100, 10);
    CHECK_EQUAL(pace.all, RECLAIM_ALL);
    tree.contexts = contexts;
    end();
}


const struct test taken_paths_tests[] = {
    {"paths that were taken are known again", test_same_paths_are_known},
    {"paths of other callers are not", test_others_are_not},
    {"paths that differ have other numbers", test_numbers_of_paths_differ},
    {"kept is what was taken of live code", test_what_is_kept},
    {"the oldest of many are forgotten", test_the_oldest_are_forgotten},
    {"very long paths are not asked for", test_long_paths_are_not_asked_for},
    {"without memory none are kept", test_without_memory_none_are_kept},
    {"where paths return, more of them may stay", test_pace_learns},
    {NULL, NULL},
};
