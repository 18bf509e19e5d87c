/* Counting: what each context had when traced memory was highest, against a
   model that copies all contexts at every new maximum. */

#include "check.h"

#include <string.h>

enum { N = 40, MAX_LIVE = 3000 };

static struct traced_bytes bytes;
static struct call_tree tree;
static struct context *contexts[N];

static struct {
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
    memset(&bytes, 0, sizeof(bytes));
    CHECK_EQUAL(tm_init_tree(&tree), 0);
    for (int i = 0; i < N; i++) {
        contexts[i] = tm_context_at(&tree, tm_add_context(
            &tree, NODE_ROOT, 1, (uint32_t)i, 1));
    }
    memset(&m, 0, sizeof(m));
}


static void
end(void)
{
    CHECK_SOUND(tm_check_tree(&tree));
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
both_alloc(int context, size_t size)
{
    /* Either way that hooks take for those of few blocks. */
    uint64_t more = tm_context_is_of_few(contexts[context]) && random_below(2)
                    ? tm_few_more(contexts[context]->counts, size) : 0;
    if (more != 0) {
        tm_count_alloc_few(&bytes, contexts[context], size, more);
    }
    else {
        count_any(&tree, &bytes, contexts[context], size);
    }
    m.live_blocks[context]++;
    m.live_bytes[context] += size;
    m.current += size;
    if (m.current > m.peak) {
        model_copy();
    }
}


static void
both_free(int context, size_t size)
{
    tm_count_free(&bytes, contexts[context], size);
    m.live_blocks[context]--;
    m.live_bytes[context] -= size;
    m.current -= size;
}


static void
both_take_back(int context, size_t size)
{
    tm_uncount_free(&bytes, contexts[context], size);
    m.live_blocks[context]++;
    m.live_bytes[context] += size;
    m.current += size;
    if (m.current > m.peak) {
        model_copy();
    }
}


/* A block of a free list: traced memory stays as it is. */
static void
both_move(int from, int to, size_t size)
{
    make_room(&tree, contexts[to], size);
    if (from == to) {
        tm_count_again(contexts[to], size);
    }
    else {
        tm_count_move(&bytes, contexts[from], contexts[to], size);
    }
    m.live_blocks[from]--;
    m.live_bytes[from] -= size;
    m.live_blocks[to]++;
    m.live_bytes[to] += size;
}


static void
both_reset_peak(void)
{
    tm_reset_peak(&tree, &bytes);
    model_copy();
}


static void
compare(void)
{
    uint64_t sum = 0;
    CHECK_EQUAL(tm_bytes_current(&bytes), m.current);
    CHECK_EQUAL(bytes.peak, m.peak);
    for (int i = 0; i < N; i++) {
        struct counters totals = tm_context_totals(contexts[i], &bytes);
        CHECK_EQUAL(totals.peak_blocks, m.peak_blocks[i]);
        CHECK_EQUAL(totals.peak_bytes, m.peak_bytes[i]);
        CHECK_EQUAL(tm_context_live_blocks(contexts[i]), m.live_blocks[i]);
        CHECK_EQUAL(tm_context_live_bytes(contexts[i]), m.live_bytes[i]);
        sum += totals.peak_bytes;
    }
    CHECK_EQUAL(sum, bytes.peak);
}


static void
test_nothing_yet(void)
{
    begin();
    compare();
    both_alloc(0, 0);
    compare();
    both_free(0, 0);
    compare();
    end();
}


static void
test_peak_is_kept(void)
{
    begin();
    both_alloc(0, 100);
    both_alloc(1, 50);
    both_free(0, 100);
    compare();
    both_alloc(2, 99);
    compare();
    both_free(1, 50);
    both_free(2, 99);
    compare();
    /* As high as before is no new maximum. */
    both_alloc(3, 150);
    compare();
    both_alloc(3, 1);
    compare();
    both_free(3, 150);
    both_free(3, 1);
    compare();
    end();
}


static void
test_growth_opens_no_epochs(void)
{
    begin();
    for (int i = 0; i < 1000; i++) {
        both_alloc(i % N, 10);
    }
    compare();
    CHECK_EQUAL(bytes.epoch, 1);
    for (int i = 0; i < 10; i++) {
        both_free(0, 10);
        both_alloc(1, 20);
    }
    compare();
    CHECK_EQUAL(bytes.epoch, 11);
    end();
}


static void
test_reset(void)
{
    begin();
    both_alloc(0, 100);
    both_alloc(1, 30);
    both_free(0, 100);
    both_reset_peak();
    compare();
    both_reset_peak();
    both_free(1, 30);
    compare();
    both_reset_peak();
    compare();
    end();
}


/* A context that was saved long ago, in an epoch whose number is about to
   come again. */
static void
test_many_epochs(void)
{
    begin();
    both_alloc(0, 100);
    both_alloc(1, 10);
    both_free(0, 100);
    compare();
    both_reset_peak();
    bytes.epoch = UINT32_MAX - 5;
    bytes.saved = bytes.epoch - 1;
    compare();
    for (int i = 0; i < 100; i++) {
        both_alloc(2, 10);
        both_free(2, 10);
        compare();
        both_reset_peak();
        compare();
    }
    end();
}


static void
random_run(int rounds, uint32_t bias_period)
{
    begin();
    uint32_t bias = 500;
    for (int i = 0; i < rounds; i++) {
        if ((uint32_t)i % bias_period == 0) {
            bias = 350 + random_below(300);
        }
        int context = (int)random_below(N);
        size_t size = random_below(10) ? random_below(64) : random_below(9000);
        if (m.nblocks < MAX_LIVE && random_below(1000) < bias) {
            both_alloc(context, size);
            m.blocks[m.nblocks].size = size;
            m.blocks[m.nblocks++].context = context;
        }
        else if (m.nblocks > 0) {
            size_t at = random_below((uint32_t)m.nblocks);
            if (random_below(4) == 0) {
                int to = random_below(2) ? context : m.blocks[at].context;
                both_move(m.blocks[at].context, to, m.blocks[at].size);
                m.blocks[at].context = to;
                continue;
            }
            both_free(m.blocks[at].context, m.blocks[at].size);
            if (random_below(8) == 0) {
                both_take_back(m.blocks[at].context, m.blocks[at].size);
            }
            else {
                m.blocks[at] = m.blocks[--m.nblocks];
            }
        }
        if (random_below(2000) == 0) {
            both_reset_peak();
        }
        if (i % 7 == 0) {
            compare();
        }
    }
    compare();
    end();
}


static void
test_random(void)
{
    int rounds = test_options.quick ? 100000 : 500000;
    random_run(rounds, 2000);
    random_run(rounds, 50);
}


/* realloc() lets go of the lock between forgetting a block and putting it
   back, so another thread may make a maximum meanwhile. */
static void
test_taken_back_after_a_maximum(void)
{
    begin();
    both_alloc(0, 100);
    both_alloc(1, 10);
    both_free(0, 100);
    both_alloc(2, 500);
    both_take_back(0, 100);
    CHECK_EQUAL(tm_bytes_current(&bytes), 610);
    CHECK(bytes.peak >= tm_bytes_current(&bytes));
    compare();
    both_free(2, 500);
    compare();
    end();
}


static void
test_taken_back_below_a_maximum(void)
{
    begin();
    both_alloc(0, 100);
    both_free(0, 100);
    both_alloc(2, 500);
    both_free(2, 500);
    both_take_back(0, 100);
    compare();
    both_free(0, 100);
    compare();
    end();
}


/* The same in an epoch in which the context has saved nothing. */
static void
test_taken_back_unsaved(void)
{
    begin();
    both_alloc(0, 100);
    both_free(0, 100);
    both_reset_peak();
    both_alloc(2, 500);
    both_alloc(3, 10);
    both_free(3, 10);
    both_free(2, 500);
    both_take_back(0, 100);
    compare();
    end();
}


/* Little is counted beside the key of a context; what the bits there cannot
   hold is not lost. */
static void
test_counters_come_in_time(void)
{
    begin();
    for (unsigned i = 0; i < MAX_FEW; i++) {
        both_alloc(0, 3);
        both_free(0, 3);
        CHECK(tm_context_is_of_few(contexts[0]));
        compare();
    }
    for (unsigned i = MAX_FEW; i < MAX_SOME; i++) {
        both_alloc(0, 3);
        both_free(0, 3);
        CHECK(tm_context_has_some(contexts[0]));
        compare();
    }
    both_alloc(0, 3);
    CHECK(tm_context_has_counters(contexts[0]));
    compare();

    both_alloc(1, MAX_FEW_SIZE);
    both_alloc(1, 1);
    CHECK(tm_context_is_of_few(contexts[1]));
    compare();
    both_alloc(1, 2);
    CHECK(!tm_context_is_of_few(contexts[1]));
    compare();

    both_alloc(2, SIZE_MAX / 4);
    CHECK(tm_context_has_counters(contexts[2]));
    compare();
    both_free(2, SIZE_MAX / 4);
    compare();
    struct counters counters = tm_context_counters(contexts[0]);
    CHECK_EQUAL(counters.allocated_blocks, MAX_SOME + 1);
    CHECK_EQUAL(counters.freed_blocks, MAX_SOME);
    CHECK_EQUAL(counters.allocated_bytes, 3 * (MAX_SOME + 1));
    CHECK_EQUAL(counters.freed_bytes, 3 * MAX_SOME);

    both_alloc(3, 5);
    both_alloc(3, 1);
    CHECK(tm_context_is_of_few(contexts[3]));
    both_alloc(3, MAX_SOME_BYTES - 6);
    CHECK(tm_context_has_some(contexts[3]));
    both_alloc(3, 0);
    CHECK(tm_context_has_some(contexts[3]));
    compare();
    both_alloc(3, 1);
    CHECK(tm_context_has_counters(contexts[3]));
    compare();
    end();
}


/* Blocks of no bytes are of one size, too. */
static void
test_blocks_of_two_sizes(void)
{
    begin();
    for (int second = 0; second < 2; second++) {
        /* All are gone, and count nevertheless. */
        size_t sizes[] = {0, 7};
        for (unsigned i = 0; i < MAX_FEW; i++) {
            both_alloc(0, sizes[second]);
            CHECK(tm_context_is_of_few(contexts[0]));
            compare();
            both_free(0, sizes[second]);
            compare();
        }
    }
    both_alloc(0, 0);
    CHECK(tm_context_has_some(contexts[0]));
    compare();
    /* Each goes where it came from. */
    both_alloc(2, 30);
    both_alloc(2, 0);
    both_alloc(2, 30);
    both_alloc(3, 1000);
    both_free(2, 0);
    both_free(2, 30);
    compare();
    both_alloc(3, 2000);
    compare();
    both_free(2, 30);
    CHECK(tm_context_is_of_few(contexts[2]));
    compare();
    both_alloc(1, MAX_FEW_SIZE + 1);
    CHECK(!tm_context_is_of_few(contexts[1]));
    compare();
    end();
}


/* Each way from one form to the next, with what was saved or was not. */
static void
test_forms_keep_the_peak(void)
{
    for (int saved = 0; saved < 2; saved++) {
        for (int full = 0; full < 3; full++) {
            begin();
            both_alloc(0, 20);
            both_alloc(0, 30);
            if (full > 0) {
                both_alloc(0, 25);
                CHECK(tm_context_has_some(contexts[0]));
            }
            both_alloc(1, 100);
            if (saved) {
                both_free(0, 20);
            }
            compare();
            if (full == 1) {
                _PyTraceMalloc_GiveCounters(&tree, contexts[0]);
            }
            else {
                both_alloc(0, 1);
                CHECK(!tm_context_is_of_few(contexts[0]));
            }
            compare();
            both_free(1, 100);
            compare();
            both_alloc(2, 500);
            compare();
            both_alloc(0, 9);
            compare();
            CHECK_SOUND(tm_check_tree(&tree));
            end();
        }
    }
}


/* They come below a peak, and the peak stays what it was. */
static void
test_counters_keep_the_peak(void)
{
    begin();
    both_alloc(0, 1000);
    both_alloc(1, 500);
    both_free(0, 1000);
    compare();
    _PyTraceMalloc_GiveCounters(&tree, contexts[0]);
    compare();
    /* Nothing was saved there yet. */
    _PyTraceMalloc_GiveCounters(&tree, contexts[1]);
    compare();
    both_free(1, 500);
    compare();
    both_alloc(0, 1400);
    compare();
    struct counters *given = tm_counters_of(contexts[0]);
    _PyTraceMalloc_GiveCounters(&tree, contexts[0]);
    CHECK(tm_counters_of(contexts[0]) == given);
    both_alloc(1, 200);
    compare();
    end();
}


/* Without memory for the list of a detached thread. */
static void
test_lost_counts(void)
{
    for (int form = 0; form < 3; form++) {
        begin();
        both_alloc(0, 30);
        both_alloc(0, 40);
        if (form == 1) {
            both_alloc(0, 50);
            both_free(0, 50);
        }
        if (form == 2) {
            _PyTraceMalloc_GiveCounters(&tree, contexts[0]);
        }
        tm_count_lost(&bytes, contexts[0], 30);
        CHECK(form != 0 || tm_context_is_of_few(contexts[0]));
        CHECK(form != 1 || tm_context_has_some(contexts[0]));
        CHECK_EQUAL(tm_bytes_current(&bytes), 40);
        CHECK_EQUAL(tm_context_live_blocks(contexts[0]), 1);
        CHECK_EQUAL(tm_context_live_bytes(contexts[0]), 40);
        end();
    }
}


const struct test counting_tests[] = {
    {"before anything is allocated", test_nothing_yet},
    {"the state at the peak is kept", test_peak_is_kept},
    {"growth alone opens no new epochs", test_growth_opens_no_epochs},
    {"a peak that begins anew", test_reset},
    {"a peak that begins anew 2**32 times", test_many_epochs},
    {"random sequences against whole copies", test_random},
    {"counters come when they are needed", test_counters_come_in_time},
    {"few blocks are of two sizes", test_blocks_of_two_sizes},
    {"counters keep the peak", test_counters_keep_the_peak},
    {"all ways to count keep the peak", test_forms_keep_the_peak},
    {"a count without memory to announce it", test_lost_counts},
    {"a free taken back makes a new maximum",
     test_taken_back_after_a_maximum},
    {"a free taken back below another's maximum",
     test_taken_back_below_a_maximum},
    {"a free taken back in an epoch without a save",
     test_taken_back_unsaved},
    {NULL, NULL},
};
