/* Reclaim: what goes, what stays, and that numbers come again. */

#include "check.h"

#include <string.h>

static struct source_table sources;
static struct context_tree tree;
static struct traced_bytes bytes;
static char owners[100];


/* Code objects 1 to n, all of one file. */
static void
begin(code_id n)
{
    bytes = (struct traced_bytes){0};
    CHECK_EQUAL(_PyTraceMalloc_InitSources(&sources), 0);
    CHECK_EQUAL(_PyTraceMalloc_InitContexts(&tree), 0);
    file_id file = _PyTraceMalloc_AddName(&sources, 1, "f", 1);
    for (code_id id = 1; id <= n; id++) {
        struct line_map *map = test_calloc(1, sizeof(*map)
                                              + sizeof(map->units[0]));
        CHECK_EQUAL(code_add_named(&sources, &owners[id], file, map),
                    id);
    }
}


static void
end(void)
{
    CHECK_SOUND(_PyTraceMalloc_CheckContexts(&tree));
    _PyTraceMalloc_FiniContexts(&tree);
    _PyTraceMalloc_FiniSources(&sources);
}


/* With at most one context and one path that caches hold. */
static long
reclaim(context_id context, path_id path, int all)
{
    struct reclaim_roots roots = {
        .contexts = calloc(tree.contexts.used, 1),
        .paths = calloc(tree.paths.used, 1),
    };
    CHECK(roots.contexts != NULL && roots.paths != NULL);
    roots.contexts[context] = 1;
    roots.paths[path] = 1;
    long taken = _PyTraceMalloc_Reclaim(&tree, &sources, &bytes, &roots, all);
    free(roots.contexts);
    free(roots.paths);
    _PyTraceMalloc_Reindex(&tree);
    _PyTraceMalloc_FreeReplaced(&tree);
    CHECK_SOUND(_PyTraceMalloc_CheckContexts(&tree));
    return taken;
}


static context_id
context_add(path_id path, code_id code)
{
    context_id id = _PyTraceMalloc_AddContext(&tree, path, code, 0, 1);
    CHECK(id != CONTEXT_NONE);
    return id;
}


static path_id
path_add(path_id parent, code_id code)
{
    path_id id = _PyTraceMalloc_AddPath(&tree, parent, code, 1);
    CHECK(id != PATH_NONE);
    return id;
}


static int
context_is_there(context_id id)
{
    return context_at(&tree, id)->path != PATH_NONE;
}


static int
path_is_there(path_id id)
{
    return path_at(&tree, id)->parent != PATH_NONE;
}


static void
test_empty(void)
{
    begin(0);
    CHECK_EQUAL(reclaim(0, 0, 1), 0);
    CHECK(context_is_there(CONTEXT_UNKNOWN));
    end();
}


static void
test_live_contexts_stay(void)
{
    begin(5);
    path_id outer = path_add(PATH_ROOT, 1), inner = path_add(outer, 2);
    path_id aside = path_add(outer, 3), lonely = path_add(PATH_ROOT, 4);
    context_id live = context_add(inner, 5), dead = context_add(aside, 5);
    count_any(&tree, &bytes, context_at(&tree, dead), 10);
    count_free(&bytes, context_at(&tree, dead), 10);
    /* A higher peak, at which the dead one had nothing. */
    count_any(&tree, &bytes, context_at(&tree, live), 20);

    CHECK_EQUAL(reclaim(0, 0, 1), 3);
    CHECK(context_is_there(live) && !context_is_there(dead));
    CHECK(path_is_there(outer) && path_is_there(inner));
    CHECK(!path_is_there(aside) && !path_is_there(lonely));
    CHECK_EQUAL(_PyTraceMalloc_FindContext(&tree, inner, 5, 0, 1), live);
    CHECK_EQUAL(_PyTraceMalloc_FindPath(&tree, outer, 3, 1), PATH_NONE);
    CHECK_EQUAL(tree.reclaimed_blocks, 1);
    CHECK_EQUAL(tree.reclaimed_bytes, 10);
    end();
}


static void
test_contexts_of_the_peak_stay(void)
{
    begin(2);
    context_id id = context_add(path_add(PATH_ROOT, 1), 2);
    count_any(&tree, &bytes, context_at(&tree, id), 10);
    count_free(&bytes, context_at(&tree, id), 10);
    CHECK_EQUAL(reclaim(0, 0, 1), 0);
    uint64_t nblocks, nbytes;
    context_peak(context_at(&tree, id), &bytes, &nblocks, &nbytes);
    CHECK_EQUAL(nblocks, 1);
    CHECK_EQUAL(nbytes, 10);

    /* A higher peak without it: now it may go. */
    count_any(&tree, &bytes, context_at(&tree, CONTEXT_UNKNOWN), 11);
    CHECK_EQUAL(reclaim(0, 0, 1), 2);
    CHECK(!context_is_there(id));
    end();
}


static void
test_roots_stay(void)
{
    begin(5);
    path_id outer = path_add(PATH_ROOT, 1), inner = path_add(outer, 2);
    path_id other = path_add(PATH_ROOT, 3), gone = path_add(inner, 4);
    context_id kept = context_add(other, 5), lost = context_add(inner, 5);
    CHECK_EQUAL(reclaim(kept, inner, 1), 2);
    CHECK(context_is_there(kept) && !context_is_there(lost));
    CHECK(path_is_there(outer) && path_is_there(inner)
          && path_is_there(other));
    CHECK(!path_is_there(gone));
    end();
}


static void
test_mild_takes_dead_code_only(void)
{
    begin(4);
    path_id path = path_add(PATH_ROOT, 1), aside = path_add(PATH_ROOT, 2);
    context_id living = context_add(path, 3), dead = context_add(path, 4);
    context_id none = _PyTraceMalloc_AddContextOfDomain(
        &tree, context_at(&tree, CONTEXT_UNKNOWN), 1);
    _PyTraceMalloc_RetireCode(&sources, 4);
    /* The path that nobody needs goes as well. */
    CHECK_EQUAL(reclaim(0, 0, 0), 2);
    CHECK(context_is_there(living) && context_is_there(none));
    CHECK(!context_is_there(dead) && !path_is_there(aside));
    CHECK_EQUAL(sources.retired, 0);
    CHECK_EQUAL(reclaim(0, 0, 1), 3);
    CHECK(!context_is_there(living) && !context_is_there(none));
    end();
}


static void
test_codes_stay_while_named(void)
{
    begin(4);
    path_id path = path_add(PATH_ROOT, 1);
    context_id id = context_add(path, 2);
    context_id other = context_add(PATH_ROOT, 3);
    count_any(&tree, &bytes, context_at(&tree, id), 5);
    for (code_id code = 1; code <= 4; code++) {
        _PyTraceMalloc_RetireCode(&sources, code);
    }
    CHECK_EQUAL(reclaim(other, 0, 1), 0);
    /* 1 by a path, 2 by a context with blocks, 3 by a root; 4 by nobody. */
    CHECK_EQUAL(sources.retired, 3);
    CHECK(source_at(&sources, 1)->file != FILE_NONE);
    CHECK(source_at(&sources, 4)->file == FILE_NONE);
    count_free(&bytes, context_at(&tree, id), 5);
    bytes.peak = 0;
    bytes.epoch = bytes.saved + 1;
    CHECK_EQUAL(reclaim(0, 0, 1), 3);
    CHECK_EQUAL(sources.retired, 0);
    end();
}


static void
test_without_memory_nothing_changes(void)
{
    begin(2);
    path_id path = path_add(PATH_ROOT, 1);
    context_id id = context_add(path, 2);
    _PyTraceMalloc_RetireCode(&sources, 2);
    unsigned char contexts[8] = {0}, paths[8] = {0};
    struct reclaim_roots roots = {.contexts = contexts, .paths = paths};
    test_fail_after(0, 1);
    CHECK(_PyTraceMalloc_Reclaim(&tree, &sources, &bytes, &roots, 1) == -1);
    test_fail_never();
    CHECK_SOUND(_PyTraceMalloc_CheckContexts(&tree));
    CHECK(context_is_there(id) && path_is_there(path));
    CHECK_EQUAL(sources.retired, 1);
    CHECK_EQUAL(reclaim(0, 0, 1), 2);
    end();
}


/* Months of fresh code objects, in small: nothing may grow. */
static void
test_plateau(void)
{
    begin(1);
    path_id path = path_add(PATH_ROOT, 1);
    size_t size = 0;
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < 20; i++) {
            struct line_map *map = test_calloc(1, sizeof(*map)
                                                  + sizeof(map->units[0]));
            code_id code = code_add_named(&sources, owners, 1, map);
            CHECK(code != CODE_NONE);
            path_id at = path;
            for (int depth = 0; depth < 5; depth++) {
                at = path_add(at, code);
                struct context *context = context_at(&tree,
                                                     context_add(at, code));
                count_any(&tree, &bytes, context, 10);
                count_free(&bytes, context, 10);
            }
            _PyTraceMalloc_RetireCode(&sources, code);
        }
        reclaim(0, path, 0);
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
    static const struct source_table none;
    struct reclaim_pace pace;
    begin(0);
    const struct node_space contexts = tree.contexts, paths = tree.paths;
    for (int part = 0; part < 504; part++) {
        for (int all = 0; all < 2; all++) {
            tree.contexts.live = (uint32_t)(MAX_CONTEXTS / 512 * part + 1);
            tree.paths.live = (uint32_t)(MAX_PATHS / 512 * part + 1);
            tree.contexts.used = all ? (uint32_t)MAX_CONTEXTS
                                 : tree.contexts.live + 1;
            tree.paths.used = all ? (uint32_t)MAX_PATHS
                              : tree.paths.live + 1;
            _PyTraceMalloc_BeginPace(&pace);
            _PyTraceMalloc_SetPace(&pace, &tree, &none, &bytes, 0);
            CHECK(pace.contexts >= tree.contexts.live + MAX_CONTEXTS / 64
                  || pace.contexts >= 4 * (size_t)tree.contexts.live);
            CHECK(pace.contexts < MAX_CONTEXTS);
            CHECK(pace.paths >= tree.paths.live + MAX_PATHS / 64
                  || pace.paths >= 4 * (size_t)tree.paths.live);
            CHECK(pace.paths < MAX_PATHS);
            CHECK(!pace_is_due(&pace, &tree));
            tree.contexts.live = (uint32_t)pace.contexts;
            CHECK(pace_is_due(&pace, &tree));
        }
    }
    tree.contexts = contexts;
    tree.paths = paths;
    end();
}


/* As often as nodes cannot be had: the nth time at most, where n doubles as
   long as reclaiming is of no use, up to the number of nodes. */
static void
test_calls_for_a_reclaim_when_nothing_is_left(void)
{
    static const struct source_table none;
    struct reclaim_pace pace;
    begin(0);
    const struct node_space contexts = tree.contexts, paths = tree.paths;
    const size_t nodes = 64000;
    tree.contexts.used = tree.paths.used = (uint32_t)nodes / 2;
    tree.contexts.live = tree.paths.live = (uint32_t)nodes / 2 - 1;
    bytes.current = bytes.peak = 4000;
    _PyTraceMalloc_BeginPace(&pace);
    CHECK(_PyTraceMalloc_CountMiss(&pace, &bytes));
    CHECK(_PyTraceMalloc_PaceIsHard(&pace, &tree));
    size_t expected = nodes / 64;
    for (int i = 0; i < 10; i++) {
        _PyTraceMalloc_SetPace(&pace, &tree, &none, &bytes, i % 2 ? 0 : -1);
        size_t misses = 1;
        while (!_PyTraceMalloc_CountMiss(&pace, i % 3 ? &bytes : NULL)) {
            misses++;
        }
        CHECK_EQUAL(misses, expected);
        expected = 2 * expected < nodes ? 2 * expected : nodes;
    }
    CHECK_EQUAL(expected, nodes);

    /* At once, if what kept the nodes is gone; but once only. */
    _PyTraceMalloc_SetPace(&pace, &tree, &none, &bytes, 0);
    bytes.peak = 1500;
    CHECK(!_PyTraceMalloc_CountMiss(&pace, NULL));
    CHECK(_PyTraceMalloc_CountMiss(&pace, &bytes));
    _PyTraceMalloc_SetPace(&pace, &tree, &none, &bytes, 0);
    CHECK(!_PyTraceMalloc_CountMiss(&pace, &bytes));
    /* And after one that was worth it. */
    _PyTraceMalloc_SetPace(&pace, &tree, &none, &bytes, (long)nodes / 64);
    CHECK(_PyTraceMalloc_CountMiss(&pace, &bytes));
    /* Bytes may be any numbers: extensions report them. */
    bytes.current = bytes.peak = SIZE_MAX;
    _PyTraceMalloc_SetPace(&pace, &tree, &none, &bytes, 0);
    CHECK(!_PyTraceMalloc_CountMiss(&pace, &bytes));
    tree.contexts = contexts;
    tree.paths = paths;
    bytes = (struct traced_bytes){0};
    end();
}


#ifdef Py_TRACEMALLOC_STRESS
/* What captures do, for a block of a size at the n-th instruction: 0, or -1 if
   it had to be dropped.  Counts the reclaims. */
static int
block_note(struct reclaim_pace *pace, uint32_t n, size_t size, int *reclaims)
{
    context_id id = _PyTraceMalloc_AddContext(&tree, PATH_ROOT, 1, n, 1);
    if (id != CONTEXT_NONE ? pace_is_due(pace, &tree)
        : _PyTraceMalloc_CountMiss(pace, &bytes))
    {
        long taken = reclaim(id, 0, _PyTraceMalloc_PaceIsHard(pace, &tree));
        _PyTraceMalloc_SetPace(pace, &tree, &sources, &bytes, taken);
        ++*reclaims;
    }
    if (id == CONTEXT_NONE) {
        return -1;
    }
    count_any(&tree, &bytes, context_at(&tree, id), size);
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
    _PyTraceMalloc_BeginPace(&pace);
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
            count_free(&bytes, context_at(&tree, id), size);
        }
        bytes.peak = bytes.current;
        bytes.epoch = bytes.saved + 1;
        size_t dropped = 0;
        while (block_note(&pace, n++, size, &reclaims) < 0) {
            dropped++;
        }
        CHECK(dropped <= (size == 0 ? 2 * MAX_CONTEXTS : 1));
        CHECK(tree.contexts.live < 10);
        count_free(&bytes, context_at(&tree, _PyTraceMalloc_FindContext(
                       &tree, PATH_ROOT, 1, n - 1, 1)), size);
        bytes.peak = 0;
        bytes.epoch = bytes.saved + 1;
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
    {"contexts with blocks at the peak stay",
     test_contexts_of_the_peak_stay},
    {"what the caches hold stays", test_roots_stay},
    {"the mild form takes contexts of dead code only",
     test_mild_takes_dead_code_only},
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
