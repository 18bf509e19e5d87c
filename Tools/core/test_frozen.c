/* Frozen copies: they decode to what was there, whatever comes later. */

#include "check.h"

#include <string.h>

static struct code_table codes;
static struct call_tree tree;
static char owners[10];


static code_id
code_add(const char *name)
{
    struct line_map *map = test_calloc(1, sizeof(*map)
                                          + sizeof(map->units[0]));
    return code_add_named(
        &codes, owners,
        tm_add_name(codes.names, 1, name, strlen(name)), map);
}


static void
check_frame(const struct frozen_traces *frozen, name_id file, int32_t line,
            const char *expected_name, int32_t expected_line)
{
    const struct name *name = frozen->files[file];
    CHECK_EQUAL(name->length, strlen(expected_name));
    CHECK(memcmp(name->text, expected_name, name->length) == 0);
    CHECK_EQUAL(line, expected_line);
}


/* The chain a.py:1 -> b.py:2 -> c.py:3 -> d.py:4. */
static void
check_chain(const struct frozen_traces *frozen, context_id id)
{
    static const char *const names[] = {"a.py", "b.py", "c.py", "d.py"};
    const struct frozen_context *context = &frozen->contexts[id];
    CHECK_EQUAL(context->depth, 4);
    check_frame(frozen, context->file, context->line, "d.py", 4);
    node_id at = context->path;
    for (int32_t i = 3; i > 0; i--) {
        CHECK(at != NODE_ROOT);
        CHECK_EQUAL(frozen->paths[at].depth, i);
        check_frame(frozen, frozen->paths[at].file, frozen->paths[at].line,
                    names[i - 1], i);
        at = frozen->paths[at].parent;
    }
    CHECK_EQUAL(at, NODE_ROOT);
}


static context_id
begin(void)
{
    CHECK_EQUAL(tm_init_codes(&codes), 0);
    CHECK_EQUAL(tm_init_tree(&tree), 0);
    node_id at = NODE_ROOT;
    /* Some that are in the way, so that numbers do not follow each other. */
    tm_add_node(&tree, NODE_ROOT, code_add("x.py"), 7);
    at = tm_add_node(&tree, at, code_add("a.py"), 1);
    at = tm_add_node(&tree, at, code_add("b.py"), 2);
    tm_add_node(&tree, at, 1, 7);
    at = tm_add_node(&tree, at, code_add("c.py"), 3);
    CHECK(tm_add_context(&tree, NODE_ROOT, 1, 0, 9)
          != CONTEXT_NONE);
    return tm_add_context(&tree, at, code_add("d.py"), 5, 4);
}


static void
test_whole_copy_outlives_the_store(void)
{
    struct frozen_traces frozen;
    context_id id = begin();
    CHECK_EQUAL(_PyTraceMalloc_Freeze(&frozen, &codes, &tree, 3), 0);
    CHECK_EQUAL(frozen.nblocks, 3);
    memset(frozen.blocks, 0, 3 * sizeof(frozen.blocks[0]));
    CHECK(frozen.files[NAME_NONE] == NULL);
    check_chain(&frozen, id);
    CHECK_EQUAL(frozen.contexts[CONTEXT_UNKNOWN].depth, 0);
    CHECK_EQUAL(frozen.contexts[CONTEXT_UNKNOWN].path, NODE_ROOT);
    CHECK_EQUAL(frozen.contexts[CONTEXT_UNKNOWN].file, NAME_NONE);
    CHECK_EQUAL(frozen.contexts[CONTEXT_NONE].path, NODE_NONE);

    /* Names that come later move the table's own array, not the copy's. */
    for (uint32_t i = 0; i < 500; i++) {
        CHECK(tm_add_name(codes.names, 4, &i, 1) != NAME_NONE);
    }
    check_chain(&frozen, id);
    tm_fini_tree(&tree);
    tm_fini_codes(&codes);
    check_chain(&frozen, id);
    _PyTraceMalloc_FreeFrozen(&frozen);
    CHECK(frozen.blocks == NULL && frozen.names == NULL);
}


static void
test_one_block(void)
{
    struct frozen_traces frozen;
    context_id id = begin();
    struct block block = {
        .address = UINTPTR_MAX, .size = 9, .context = id, .domain = 8,
    };
    CHECK_EQUAL(_PyTraceMalloc_FreezeBlock(&frozen, &codes, &tree, &block),
                0);
    CHECK_EQUAL(frozen.nblocks, 1);
    CHECK_EQUAL(frozen.blocks[0].address, UINTPTR_MAX);
    CHECK_EQUAL(frozen.blocks[0].size, 9);
    CHECK_EQUAL(frozen.blocks[0].domain, 8);
    check_chain(&frozen, frozen.blocks[0].context);
    tm_fini_tree(&tree);
    tm_fini_codes(&codes);
    check_chain(&frozen, frozen.blocks[0].context);
    _PyTraceMalloc_FreeFrozen(&frozen);
}


static void
test_one_block_without_frames(void)
{
    struct frozen_traces frozen;
    begin();
    struct block block = {.address = 16, .context = CONTEXT_UNKNOWN};
    CHECK_EQUAL(_PyTraceMalloc_FreezeBlock(&frozen, &codes, &tree, &block),
                0);
    const struct frozen_context *context =
        &frozen.contexts[frozen.blocks[0].context];
    CHECK_EQUAL(context->depth, 0);
    CHECK_EQUAL(context->path, NODE_ROOT);
    CHECK_EQUAL(context->file, NAME_NONE);
    _PyTraceMalloc_FreeFrozen(&frozen);
    tm_fini_tree(&tree);
    tm_fini_codes(&codes);
}


static void
test_retired_code_still_has_its_name(void)
{
    struct frozen_traces frozen;
    context_id id = begin();
    for (code_id code = 1; code < codes.used; code++) {
        tm_retire_code(&codes, code);
    }
    CHECK_EQUAL(_PyTraceMalloc_Freeze(&frozen, &codes, &tree, 0), 0);
    check_chain(&frozen, id);
    _PyTraceMalloc_FreeFrozen(&frozen);
    tm_fini_tree(&tree);
    tm_fini_codes(&codes);
}


static void
test_without_memory(void)
{
    struct frozen_traces frozen;
    struct block block = {.address = 16, .context = begin()};
    size_t before = test_live_blocks();
    for (size_t n = 0; n < 4; n++) {
        test_fail_after(n, 0);
        CHECK(_PyTraceMalloc_Freeze(&frozen, &codes, &tree, 5) == -1);
        test_fail_after(n, 0);
        CHECK(_PyTraceMalloc_FreezeBlock(&frozen, &codes, &tree, &block)
              == -1);
        test_fail_never();
        CHECK_EQUAL(test_live_blocks(), before);
        CHECK_EQUAL(codes.names->refcount, 1);
    }
    tm_fini_tree(&tree);
    tm_fini_codes(&codes);
}


const struct test frozen_tests[] = {
    {"a whole copy outlives the store", test_whole_copy_outlives_the_store},
    {"one block, with what its context needs", test_one_block},
    {"one block without frames", test_one_block_without_frames},
    {"code that is gone still has its name",
     test_retired_code_still_has_its_name},
    {"without memory nothing is left behind", test_without_memory},
    {NULL, NULL},
};
