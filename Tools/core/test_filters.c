/* Filters: what matches, what several say together, and what is kept of it. */

#include "check.h"

#include <string.h>

static struct code_table codes;
static struct call_tree tree;
static struct filter_set set;
static char owners[300];


static void
begin(void)
{
    memset(&set, 0, sizeof(set));
    set.nframe = 1;
    CHECK_EQUAL(tm_init_codes(&codes), 0);
    CHECK_EQUAL(tm_init_tree(&tree), 0);
}


static void
end(void)
{
    CHECK_SOUND(tm_check_filters(&set, &codes, &tree));
    tm_replace_filters(&set, NULL, 0);
    tm_fini_tree(&tree);
    tm_fini_codes(&codes);
    CHECK_EQUAL(test_live_blocks(), 0);
}


/* A code object of a file; `kind` bytes per character. */
static code_id
code_add(const char *name, uint32_t kind)
{
    unsigned char text[4 * 200] = {0};
    for (size_t i = 0; i < strlen(name); i++) {
        uint16_t two = (unsigned char)name[i];
        uint32_t four = two;
        memcpy(text + i * kind, kind == 1 ? (const void *)&name[i]
               : kind == 2 ? (const void *)&two : &four, kind);
    }
    name_id file = tm_add_name(codes.names, kind, text, strlen(name));
    return code_add_named(&codes, &owners[codes.used], file, line_map_plain());
}


static context_id
context_add(node_id node, code_id code, int32_t line)
{
    context_id id = tm_add_context(&tree, node, code, 0, line);
    CHECK(id != CONTEXT_NONE);
    return id;
}


static struct trace_filter
filter(int inclusive, const char *pattern, int32_t line, int all_frames)
{
    struct trace_filter made = {
        .inclusive = inclusive, .all_frames = all_frames, .line = line,
        .length = strlen(pattern),
        .pattern = test_malloc((strlen(pattern) + 1) * sizeof(uint32_t)),
    };
    for (size_t i = 0; i < made.length; i++) {
        made.pattern[i] = (unsigned char)pattern[i];
    }
    return made;
}


static void
put_in_force(size_t n, const struct trace_filter *filters)
{
    struct trace_filter *copy = test_malloc(n * sizeof(copy[0]));
    memcpy(copy, filters, n * sizeof(copy[0]));
    tm_replace_filters(&set, copy, n);
}


static int
admitted(context_id id)
{
    return tm_apply_filters(&set, &codes, &tree, id,
                            tm_context_line(tm_context_at(&tree, id)));
}


/* Whether a pattern covers a name, by trying all ways. */
static int
covers(const char *pattern, const char *name, const char *end)
{
    if (*pattern == '\0') {
        return name == end;
    }
    if (*pattern == '*') {
        return covers(pattern + 1, name, end)
               || (name < end && covers(pattern, name + 1, end));
    }
    return name < end && *pattern == *name
           && covers(pattern + 1, name + 1, end);
}


static void
test_patterns_agree_with_trying_all_ways(void)
{
    static const char *const tails[] = {"", ".py", ".pyc", ".pyo", ".p"};
    begin();
    for (int i = 0; i < 250; i++) {
        char name[20] = "", pattern[20] = "";
        for (uint32_t n = random_below(7), at = 0; at < n; at++) {
            name[at] = "ab"[random_below(2)];
        }
        for (uint32_t n = random_below(7), at = 0; at < n; at++) {
            pattern[at] = "ab**"[random_below(4)];
        }
        strcat(name, tails[random_below(5)]);
        strcat(pattern, tails[random_below(2)]);
        uint32_t kind = 1u << random_below(3);
        context_id id = context_add(NODE_ROOT, code_add(name, kind), i + 1);
        put_in_force(1, (struct trace_filter[]){filter(1, pattern, 0, 0)});
        size_t length = strlen(name);
        if (length >= 4 && (strcmp(name + length - 4, ".pyc") == 0
                            || strcmp(name + length - 4, ".pyo") == 0))
        {
            length--;
        }
        CHECK_EQUAL(admitted(id), covers(pattern, name, name + length));
    }
    end();
}


static void
test_several_filters(void)
{
    begin();
    context_id a = context_add(NODE_ROOT, code_add("a.py", 1), 5);
    context_id b = context_add(NODE_ROOT, code_add("b.py", 1), 7);
    CHECK(admitted(a) && admitted(b) && admitted(CONTEXT_UNKNOWN));
    put_in_force(1, (struct trace_filter[]){filter(0, "a*", 0, 0)});
    CHECK(!admitted(a) && admitted(b) && admitted(CONTEXT_UNKNOWN));
    put_in_force(2, (struct trace_filter[]){
        filter(1, "a.py", 0, 0), filter(1, "b.py", 7, 0)});
    CHECK(admitted(a) && admitted(b) && !admitted(CONTEXT_UNKNOWN));
    put_in_force(2, (struct trace_filter[]){
        filter(1, "*.py", 0, 0), filter(0, "*", 7, 0)});
    CHECK(admitted(a) && !admitted(b) && !admitted(CONTEXT_UNKNOWN));
    put_in_force(1, (struct trace_filter[]){filter(1, "", 0, 0)});
    CHECK(!admitted(a) && !admitted(b) && admitted(CONTEXT_UNKNOWN));
    end();
}


static void
test_all_frames_within_the_limit(void)
{
    begin();
    node_id root = tm_add_root(&tree, 3);
    node_id outer = tm_add_node(&tree, root,
                                code_add("main.py", 1), 3);
    node_id inner = tm_add_node(&tree, outer,
                                code_add("middle.py", 1), 4);
    context_id id = context_add(inner, code_add("new.py", 1), 5);
    put_in_force(1, (struct trace_filter[]){filter(1, "main.py", 3, 1)});
    for (set.nframe = 1; set.nframe < 5; set.nframe++) {
        CHECK_EQUAL(admitted(id), set.nframe >= 3);
    }
    put_in_force(1, (struct trace_filter[]){filter(1, "main.py", 3, 0)});
    CHECK(!admitted(id));
    /* The root of a thread is no frame. */
    put_in_force(1, (struct trace_filter[]){filter(1, "", 0, 1)});
    CHECK(!admitted(id));
    end();
}


static void
test_verdicts_are_kept_until_something_changes(void)
{
    begin();
    context_id id = context_add(NODE_ROOT, code_add("a.py", 1), 5);
    put_in_force(1, (struct trace_filter[]){filter(0, "a.py", 0, 0)});
    CHECK_EQUAL(tm_recall_filter_result(&set, &tree, id), -1);
    tm_keep_filter_result(&set, &tree, id, admitted(id));
    CHECK_EQUAL(tm_recall_filter_result(&set, &tree, id), 0);
    CHECK_EQUAL(tm_recall_filter_result(&set, &tree, id + 1000), -1);
    tm_keep_filter_result(&set, &tree, 5000, 1);
    CHECK_EQUAL(tm_recall_filter_result(&set, &tree, 5000), 1);
    CHECK_EQUAL(tm_recall_filter_result(&set, &tree, id), 0);
    CHECK(tm_size_of_filters(&set) > 5000);
    /* Numbers mean something else now. */
    tree.generation++;
    CHECK_EQUAL(tm_recall_filter_result(&set, &tree, id), -1);
    tm_keep_filter_result(&set, &tree, id, 0);
    CHECK_EQUAL(tm_recall_filter_result(&set, &tree, 5000), -1);
    put_in_force(1, (struct trace_filter[]){filter(0, "b.py", 0, 0)});
    CHECK_EQUAL(tm_recall_filter_result(&set, &tree, id), -1);
    end();
}


static void
test_a_wrong_verdict_is_found(void)
{
    begin();
    context_id id = context_add(NODE_ROOT, code_add("a.py", 1), 5);
    put_in_force(1, (struct trace_filter[]){filter(0, "a.py", 0, 0)});
    tm_keep_filter_result(&set, &tree, id, 1);
    CHECK(tm_check_filters(&set, &codes, &tree) != NULL);
    tm_keep_filter_result(&set, &tree, id, 0);
    end();
}


static void
test_without_memory_nothing_is_kept(void)
{
    begin();
    context_id id = context_add(NODE_ROOT, code_add("a.py", 1), 5);
    put_in_force(1, (struct trace_filter[]){filter(0, "a.py", 0, 0)});
    test_fail_after(0, 1);
    CHECK_EQUAL(admitted(id), 0);
    tm_keep_filter_result(&set, &tree, id, 0);
    CHECK_EQUAL(tm_recall_filter_result(&set, &tree, id), -1);
    test_fail_never();
    tm_keep_filter_result(&set, &tree, id, 0);
    CHECK_EQUAL(tm_recall_filter_result(&set, &tree, id), 0);
    end();
}


const struct test filters_tests[] = {
    {"patterns agree with trying all ways",
     test_patterns_agree_with_trying_all_ways},
    {"several filters together", test_several_filters},
    {"all frames, within the limit", test_all_frames_within_the_limit},
    {"results are kept until something changes",
     test_verdicts_are_kept_until_something_changes},
    {"a wrong result is found", test_a_wrong_verdict_is_found},
    {"without memory nothing is kept", test_without_memory_nothing_is_kept},
    {NULL, NULL},
};
