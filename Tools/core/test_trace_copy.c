/* Copies of one trace: they say what was there, whatever comes later. */

#include "check.h"

#include <string.h>

static struct code_table codes;
static struct call_tree tree;
static char owners[10];

enum { ALL = MAX_NFRAME };


static code_id
code_add(const char *name)
{
    return code_add_named(
        &codes, owners, tm_add_name(codes.names, 1, name, strlen(name)),
        line_map_plain());
}


/* The newest `n` frames of the chain a.py:1 -> b.py:2 -> c.py:3 -> d.py:4. */
static void
check_chain(const struct trace_copy *trace, size_t n)
{
    static const char *const names[] = {"a.py", "b.py", "c.py", "d.py"};
    CHECK_EQUAL(trace->nframes, n);
    for (size_t i = 0; i < n; i++) {
        const struct frame_copy *frame = &trace->frames[i];
        CHECK_EQUAL(frame->line, 4 - i);
        CHECK_EQUAL(frame->file->length, 4);
        CHECK(memcmp(frame->file->text, names[3 - i], 4) == 0);
        CHECK(frame->function == frame->file);
    }
}


static struct block
begin(void)
{
    CHECK_EQUAL(tm_init_codes(&codes), 0);
    CHECK_EQUAL(tm_init_tree(&tree), 0);
    /* Some that are in the way, so that numbers do not follow each other. */
    tm_add_node(&tree, NODE_ROOT, code_add("x.py"), 7);
    node_id at = tm_add_node(&tree, NODE_ROOT, code_add("a.py"), 1);
    at = tm_add_node(&tree, at, code_add("b.py"), 2);
    tm_add_node(&tree, at, 1, 7);
    at = tm_add_node(&tree, at, code_add("c.py"), 3);
    CHECK(tm_add_context(&tree, NODE_ROOT, 1, 0, 9) != CONTEXT_NONE);
    return (struct block){
        .address = UINTPTR_MAX,
        .size = 9,
        .context = tm_add_context(&tree, at, code_add("d.py"), 0, 4),
        .domain = 8,
    };
}


static void
end(void)
{
    tm_fini_tree(&tree);
    tm_fini_codes(&codes);
    CHECK_EQUAL(test_live_blocks(), 0);
}


static void
test_outlives_the_store(void)
{
    struct trace_copy trace;
    struct block block = begin();
    CHECK_EQUAL(tm_copy_trace(&trace, &codes, &tree, &block, ALL, 1), 0);
    CHECK_EQUAL(trace.size, 9);
    CHECK_EQUAL(trace.where.lines, 0);
    CHECK_EQUAL(trace.where.column, 2);
    CHECK_EQUAL(trace.where.end_column, 7);
    /* Names that come later move the table's own array. */
    for (uint32_t i = 0; i < 500; i++) {
        CHECK(tm_add_name(codes.names, 4, &i, 1) != NAME_NONE);
    }
    check_chain(&trace, 4);
    tm_fini_tree(&tree);
    tm_fini_codes(&codes);
    check_chain(&trace, 4);
    tm_free_trace(&trace);
    CHECK(trace.frames == NULL && trace.names == NULL);
    CHECK_EQUAL(test_live_blocks(), 0);
}


static void
test_limit(void)
{
    struct block block = begin();
    for (uint32_t limit = 1; limit < 6; limit++) {
        struct trace_copy trace;
        CHECK_EQUAL(tm_copy_trace(&trace, &codes, &tree, &block, limit, 0),
                    0);
        check_chain(&trace, limit < 4 ? limit : 4);
        CHECK(trace.where.lines == -1 && trace.where.column == -1);
        tm_free_trace(&trace);
    }
    end();
}


static void
test_without_frames(void)
{
    struct trace_copy trace;
    begin();
    struct block block = {.address = 16, .context = CONTEXT_UNKNOWN};
    CHECK_EQUAL(tm_copy_trace(&trace, &codes, &tree, &block, ALL, 1), 0);
    CHECK_EQUAL(trace.nframes, 0);
    CHECK(trace.where.lines == -1 && trace.where.column == -1);
    tm_free_trace(&trace);
    end();
}


static void
test_retired_code(void)
{
    struct trace_copy trace;
    struct block block = begin();
    for (code_id code = 1; code < codes.used; code++) {
        tm_retire_code(&codes, code);
    }
    CHECK_EQUAL(tm_copy_trace(&trace, &codes, &tree, &block, ALL, 1), 0);
    check_chain(&trace, 4);
    CHECK_EQUAL(trace.where.column, 2);
    tm_free_trace(&trace);
    end();
}


static void
test_without_memory(void)
{
    struct trace_copy trace;
    struct block block = begin();
    size_t before = test_live_blocks();
    for (size_t n = 0; n < 2; n++) {
        test_fail_after(n, 0);
        CHECK(tm_copy_trace(&trace, &codes, &tree, &block, ALL, 1) == -1);
        test_fail_never();
        CHECK_EQUAL(test_live_blocks(), before);
        CHECK_EQUAL(codes.names->refcount, 1);
    }
    end();
}


const struct test trace_copy_tests[] = {
    {"a trace outlives the store", test_outlives_the_store},
    {"no more frames than the limit", test_limit},
    {"a block without frames", test_without_frames},
    {"code that is gone still has its name", test_retired_code},
    {"without memory nothing is left behind", test_without_memory},
    {NULL, NULL},
};
