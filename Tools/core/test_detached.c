/* Detached counts, against a model that makes each event at once, and copies
   all contexts at every new maximum.

   A round is what happens in truth: some events by threads with access, then
   some by detached threads, then somebody with access takes those over. */

#include "check.h"

#include <string.h>

enum { N = 100, MAX_LIVE = 2000 };

static struct call_tree tree;
static struct traced_bytes bytes;
static struct detached_counts list;
static context_id ids[N];

static struct {
    uint64_t allocated_blocks[N], allocated_bytes[N];
    uint64_t live_blocks[N], live_bytes[N];
    uint64_t peak_blocks[N], peak_bytes[N];
    uint64_t current, peak;
    struct {
        size_t size;
        int context;
    } blocks[MAX_LIVE];
    size_t nblocks;
} m;


static void
begin(void)
{
    CHECK_EQUAL(tm_init_tree(&tree), 0);
    for (int i = 0; i < N; i++) {
        ids[i] = tm_add_context(&tree, NODE_ROOT, 1, (uint32_t)i,
                                1);
        CHECK(ids[i] != CONTEXT_NONE);
    }
    bytes = (struct traced_bytes){.epoch = 1};
    tm_clear_detached(&list);
    memset(&m, 0, sizeof(m));
}


static void
end(void)
{
    CHECK_SOUND(tm_check_tree(&tree));
    tm_fini_detached(&list);
    tm_fini_tree(&tree);
}


static void
model_copy(void)
{
    m.peak = m.current;
    memcpy(m.peak_blocks, m.live_blocks, sizeof(m.peak_blocks));
    memcpy(m.peak_bytes, m.live_bytes, sizeof(m.peak_bytes));
}


static void
model_rise(int context, size_t size)
{
    m.live_blocks[context]++;
    m.live_bytes[context] += size;
    m.current += size;
    if (m.current > m.peak) {
        model_copy();
    }
}


static void
model_alloc(int context, size_t size)
{
    m.allocated_blocks[context]++;
    m.allocated_bytes[context] += size;
    model_rise(context, size);
}


static void
model_free(int context, size_t size)
{
    m.live_blocks[context]--;
    m.live_bytes[context] -= size;
    m.current -= size;
}


static void
attached_alloc(int context, size_t size)
{
    count_any(&tree, &bytes, tm_context_at(&tree, ids[context]), size);
    model_alloc(context, size);
}


static void
attached_free(int context, size_t size)
{
    tm_count_free(&bytes, tm_context_at(&tree, ids[context]), size);
    model_free(context, size);
}


static void
detached_alloc(int context, size_t size)
{
    CHECK_EQUAL(tm_count_detached_alloc(&list, ids[context], size),
                0);
    model_alloc(context, size);
}


static void
detached_free(int context, size_t size)
{
    CHECK_EQUAL(tm_count_detached_free(&list, ids[context], size),
                0);
    model_free(context, size);
}


static void
detached_take_back(int context, size_t size)
{
    CHECK_EQUAL(tm_uncount_detached_free(&list, ids[context], size),
                0);
    model_rise(context, size);
}


static void
take_and_compare(void)
{
    tm_take_detached(&list, &tree, &bytes);
    CHECK_EQUAL(list.used, 0);
    CHECK_EQUAL(tm_bytes_current(&bytes), m.current);
    CHECK_EQUAL(bytes.peak, m.peak);
    uint64_t sum = 0;
    for (int i = 0; i < N; i++) {
        const struct context *context = tm_context_at(&tree, ids[i]);
        struct counters counters = tm_context_totals(context, &bytes);
        CHECK_EQUAL(counters.peak_blocks, m.peak_blocks[i]);
        CHECK_EQUAL(counters.peak_bytes, m.peak_bytes[i]);
        CHECK_EQUAL(counters.allocated_blocks, m.allocated_blocks[i]);
        CHECK_EQUAL(counters.allocated_bytes, m.allocated_bytes[i]);
        CHECK_EQUAL(tm_context_live_blocks(context), m.live_blocks[i]);
        CHECK_EQUAL(tm_context_live_bytes(context), m.live_bytes[i]);
        sum += counters.peak_bytes;
    }
    CHECK_EQUAL(sum, bytes.peak);
}


/* The block that makes the maximum belongs to the state at the peak. */
static void
test_maximum_is_counted(void)
{
    begin();
    attached_alloc(0, 100);
    detached_alloc(1, 50);
    take_and_compare();
    CHECK_EQUAL(bytes.peak, 150);
    /* The same when something is freed before it is taken over. */
    detached_alloc(2, 70);
    detached_free(1, 50);
    detached_free(0, 100);
    take_and_compare();
    CHECK_EQUAL(bytes.peak, 220);
    end();
}


/* Who has access goes on before the list is taken over. */
static void
test_maximum_below_that_of_others(void)
{
    begin();
    attached_alloc(0, 100);
    attached_free(0, 100);
    detached_alloc(1, 60);
    detached_free(1, 60);
    detached_alloc(1, 30);
    take_and_compare();
    CHECK_EQUAL(bytes.peak, 100);
    detached_alloc(2, 70);
    take_and_compare();
    CHECK_EQUAL(bytes.peak, 100);
    detached_alloc(2, 1);
    detached_free(2, 70);
    take_and_compare();
    CHECK_EQUAL(bytes.peak, 101);
    end();
}


/* A list may free more than it allocates. */
static void
test_less_than_nothing(void)
{
    begin();
    attached_alloc(0, 1000);
    detached_free(0, 1000);
    detached_alloc(1, 400);
    detached_alloc(2, 500);
    detached_free(1, 400);
    take_and_compare();
    CHECK_EQUAL(bytes.peak, 1000);
    detached_free(2, 500);
    detached_alloc(2, 1200);
    detached_free(2, 1200);
    detached_alloc(3, 600);
    take_and_compare();
    CHECK_EQUAL(bytes.peak, 1200);
    end();
}


static void
test_taken_back(void)
{
    begin();
    attached_alloc(0, 100);
    detached_free(0, 100);
    take_and_compare();
    /* What was counted as freed has been taken over by now. */
    detached_take_back(0, 100);
    detached_alloc(1, 5);
    take_and_compare();
    detached_free(0, 100);
    detached_alloc(2, 300);
    detached_take_back(0, 100);
    detached_free(2, 300);
    take_and_compare();
    CHECK_EQUAL(bytes.peak, 405);
    end();
}


/* More contexts than are looked through for one that is there. */
static void
test_list_is_as_short_as_contexts_are_few(void)
{
    begin();
    for (int i = 0; i < 100 * N; i++) {
        detached_alloc(i % N, 3);
        if (i % 3 == 0) {
            detached_free(i % N, 3);
        }
    }
    CHECK(list.allocated <= 4 * N);
    take_and_compare();
    end();
}


static void
random_run(int rounds, uint32_t length, uint32_t contexts)
{
    begin();
    uint32_t bias = 500;
    for (int i = 0; i < rounds; i++) {
        if (i % 40 == 0) {
            bias = 350 + random_below(300);
        }
        uint32_t direct = random_below(length);
        for (uint32_t n = direct + random_below(length); n > 0; n--) {
            int attached = n <= direct && list.used == 0;
            int context = (int)random_below(contexts);
            size_t size = random_below(10) ? random_below(64)
                                           : random_below(9000);
            if (m.nblocks < MAX_LIVE && random_below(1000) < bias) {
                (attached ? attached_alloc : detached_alloc)(context, size);
                m.blocks[m.nblocks].size = size;
                m.blocks[m.nblocks++].context = context;
            }
            else if (m.nblocks > 0) {
                size_t at = random_below((uint32_t)m.nblocks);
                context = m.blocks[at].context;
                size = m.blocks[at].size;
                (attached ? attached_free : detached_free)(context, size);
                if (!attached && random_below(8) == 0) {
                    detached_take_back(context, size);
                }
                else {
                    m.blocks[at] = m.blocks[--m.nblocks];
                }
            }
        }
        take_and_compare();
        if (random_below(30) == 0) {
            tm_bytes_maximum(&bytes, tm_bytes_current(&bytes));
            model_copy();
        }
    }
    end();
}


static void
test_random(void)
{
    int rounds = test_options.quick ? 5000 : 30000;
    random_run(rounds, 8, 3);
    random_run(rounds, 12, N);
    random_run(rounds / 20, 400, N);
}


/* Sizes may be anything: the peak is never below what is traced. */
static void
test_sizes_beyond_all_memory(void)
{
    static const size_t sizes[] = {
        SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX / 4, 1,
    };
    begin();
    for (int i = 0; i < 2000; i++) {
        int context = (int)random_below(3);
        size_t size = sizes[random_below(5)];
        CHECK_EQUAL(tm_count_detached_alloc(&list, ids[context],
                                            size), 0);
        if (random_below(3)) {
            CHECK_EQUAL(tm_count_detached_free(&list, ids[context],
                                               size), 0);
        }
        if (random_below(4) == 0) {
            tm_take_detached(&list, &tree, &bytes);
            uint64_t live = 0, peak = 0;
            for (int j = 0; j < 3; j++) {
                const struct context *at = tm_context_at(&tree, ids[j]);
                live += tm_context_live_bytes(at);
                peak += tm_context_totals(at, &bytes).peak_bytes;
            }
            CHECK_EQUAL(tm_bytes_current(&bytes), live);
            CHECK_EQUAL(bytes.peak, peak);
            CHECK(tm_bytes_current(&bytes) <= bytes.peak);
        }
    }
    tm_clear_detached(&list);
    end();
}


/* Without memory nothing is counted, but for contexts that have an entry. */
static void
test_without_memory(void)
{
    begin();
    test_fail_after(0, 1);
    CHECK_EQUAL(tm_count_detached_alloc(&list, ids[0], 10), -1);
    test_fail_never();
    take_and_compare();
    for (int i = 0; i < N; i++) {
        attached_alloc(i, 10);
    }
    detached_alloc(0, 1);
    test_fail_after(0, 1);
    int last = 1;
    while (tm_count_detached_alloc(&list, ids[last], 10) == 0) {
        model_alloc(last, 10);
        last++;
    }
    for (int i = 0; i < N; i++) {
        int failed = tm_count_detached_free(&list, ids[i], 5);
        CHECK_EQUAL(failed, i < last ? 0 : -1);
        if (!failed) {
            model_free(i, 5);
            detached_take_back(i, 5);
        }
    }
    test_fail_never();
    CHECK(last < N);
    take_and_compare();
    end();
}


const struct test detached_tests[] = {
    {"the block that makes the maximum is counted", test_maximum_is_counted},
    {"a maximum of the list that is none of all",
     test_maximum_below_that_of_others},
    {"a list that frees more than it allocates", test_less_than_nothing},
    {"a free that is taken back", test_taken_back},
    {"a list that nobody takes over stays short",
     test_list_is_as_short_as_contexts_are_few},
    {"random rounds against whole copies", test_random},
    {"sizes beyond all memory", test_sizes_beyond_all_memory},
    {"without memory", test_without_memory},
    {NULL, NULL},
};
