/* What every test of the core uses: checks, random numbers, and the memory
   functions that the core calls in place of the C library's. */

#ifndef CORE_CHECK_H
#define CORE_CHECK_H

#include "snapshot/snapshot.h"
#include "snapshot/trace_copy.h"
#include "store/cells.h"
#include "store/code_table.h"
#include "store/counting.h"
#include "store/detached.h"
#include "store/filters.h"
#include "store/locations.h"
#include "store/reclaim.h"

#include <stdint.h>
#include <stdlib.h>

/* --- tests --------------------------------------------------------------- */

struct test {
    const char *name;
    void (*run)(void);
};

/* One list per file, each ending with an entry without a name. */
extern const struct test names_tests[];
extern const struct test codes_tests[];
extern const struct test locations_tests[];
extern const struct test tree_tests[];
extern const struct test blocks_tests[];
extern const struct test shadow_tests[];
extern const struct test cells_tests[];
extern const struct test counting_tests[];
extern const struct test detached_tests[];
extern const struct test reclaim_tests[];
extern const struct test taken_paths_tests[];
extern const struct test filters_tests[];
extern const struct test snapshot_tests[];
extern const struct test trace_copy_tests[];
extern const struct test memory_tests[];
extern const struct test random_tests[];
extern const struct test samples_tests[];
extern const struct test record_pages_tests[];
extern const struct test record_tests[];
extern const struct test threads_tests[];
extern const struct test record_threads_tests[];

struct test_options {
    uint64_t seed;
    int quick;
};
extern struct test_options test_options;

/* A test that fails a check ends there: its process does. */
extern _Noreturn void check_failed(const char *file, int line,
                                   const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define CHECK(expression) \
    ((expression) ? (void)0 \
     : check_failed(__FILE__, __LINE__, "not so: %s", #expression))

#define CHECK_EQUAL(left, right) do { \
        unsigned long long left_ = (unsigned long long)(left); \
        unsigned long long right_ = (unsigned long long)(right); \
        if (left_ != right_) { \
            check_failed(__FILE__, __LINE__, "%s is %llu, %s is %llu", \
                         #left, left_, #right, right_); \
        } \
    } while (0)

/* For the checkers of the core, which return NULL or what is wrong. */
#define CHECK_SOUND(call) do { \
        const char *fault_ = (call); \
        if (fault_ != NULL) { \
            check_failed(__FILE__, __LINE__, "%s", fault_); \
        } \
    } while (0)


/* Bytes that a tree holds, with what was never given. */
static inline size_t
size_of_tree(const struct call_tree *tree)
{
    return tm_size_of_tree(tree)
           - tree->contexts.used * sizeof(struct context)
           - tree->used_some * sizeof(struct some)
           - tree->used_counters * sizeof(struct counters)
           + tree->contexts.chunks * (sizeof(struct context_group)
                                      + GROUP_UNIT);
}


/* Let a context have room for a block of any size. */
static inline void
make_room(struct call_tree *tree, struct context *context, size_t size)
{
    if (!tm_context_has_room(context, size)) {
        _PyTraceMalloc_MakeRoom(tree, context, size);
    }
    CHECK(tm_context_has_room(context, size));
}


/* Count a new block of any size. */
static inline void
count_any(struct call_tree *tree, struct traced_bytes *bytes,
          struct context *context, size_t size)
{
    make_room(tree, context, size);
    tm_count_alloc(bytes, context, size);
}


/* --- random numbers ------------------------------------------------------ */

/* Each test begins with its own sequence, given by the seed and its name. */
extern uint64_t random_bits(void);

static inline uint32_t
random_below(uint32_t limit)
{
    return (uint32_t)((random_bits() >> 32) * limit >> 32);
}


/* --- memory -------------------------------------------------------------- */

/* The core is compiled with malloc=test_malloc and so on.  Fresh memory is
   full of junk, freed memory too, and realloc always moves. */
extern void *test_malloc(size_t size);
extern void *test_calloc(size_t n, size_t size);
extern void *test_realloc(void *p, size_t size);
extern void *test_aligned_alloc(size_t alignment, size_t size);
extern void test_free(void *p);

/* Blocks and bytes that were asked for and not freed. */
extern size_t test_live_blocks(void);
extern size_t test_live_bytes(void);

/* Let the n-th allocation from now on fail, counted from 0; with `onward` all
   behind it too. */
extern void test_fail_after(size_t n, int onward);
extern void test_fail_never(void);

/* How many allocations were made to fail since the test began. */
extern size_t test_failures(void);

/* --- code objects -------------------------------------------------------- */

/* One unit, line 0. */
static inline struct line_map *
line_map_plain(void)
{
    struct line_map *map = tm_new_lines(1, 0, 0);
    CHECK(map != NULL);
    tm_set_line(map, 0, 0);
    tm_set_line(map, 1, 0);
    return map;
}


/* A code object whose function is called as its file; its location table has
   one unit, at columns 2 to 7. */
static inline code_id
code_add_named(struct code_table *codes, void *owner, name_id file,
               struct line_map *lines)
{
    static const unsigned char locations[] = {0x80, 0x25};
    return tm_add_code(codes, owner, &(struct code_info){
        .file = file,
        .function = file,
        .lines = lines,
        .locations = locations,
        .nlocations = sizeof(locations),
    });
}

#endif  /* !CORE_CHECK_H */
