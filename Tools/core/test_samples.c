/* Samples: gaps, weights and their sums, against what is known of them; and
   the pages that say where samples are.

   Seeds are fresh in each run, so what holds with a probability only is given
   room by a bound that is true for each number of samples.  No comparison here
   fails by chance more often than once in 1e14 times, all of one run with
   every build together no more often than once in 1e11. */

#include "check.h"

#include <math.h>
#include <string.h>

static struct sampler sampler;


static void
begin(uint64_t interval)
{
    tm_init_sampler(&sampler, interval, random_bits());
}


static void
end(void)
{
    tm_init_sampler(&sampler, 0, 0);
    CHECK_EQUAL(test_live_blocks(), 0);
}


/* Whether a value is no further off than `n` standard errors. */
static int
near(double value, double expected, double error, double n)
{
    return fabs(value - expected) <= n * error;
}


/* Bernstein's inequality: a sum of independent terms, none further from its
   mean than `largest`, is off by t or more with a probability of at most

       2 exp(-t**2 / (2 (variance + largest t / 3)))

   Return the t for which that is 1e-15, and a little for rounded weights. */
static double
room(double variance, double largest, double sum)
{
    const double l = 35.24;             /* log(2 / 1e-15) */
    double third = l * largest / 3;
    return third + sqrt(third * third + 2 * l * variance) + 2e-4 * sum;
}


static void
test_gaps_have_the_mean_and_no_memory(void)
{
    const double interval = 1000;
    int n = test_options.quick ? 100000 : 1000000;
    int longer = 0, much_longer = 0;
    double sum = 0;
    begin((uint64_t)interval);
    for (int i = 0; i < n; i++) {
        double gap = (double)_PyTraceMalloc_DrawGap(&sampler);
        CHECK(gap >= 0 && gap < 37 * interval);
        sum += gap;
        longer += gap >= interval;
        much_longer += gap >= 3 * interval;
    }
    /* Rounded down: half a byte less in the mean.  A sum of n exponential gaps
       has a gamma distribution, whose ends beyond 8 standard errors hold less
       than 1e-14 for the smaller n. */
    CHECK(near(sum / n, interval - 0.5, interval / sqrt(n), 8));
    double p = exp(-1);
    CHECK(fabs(longer - n * p) <= room(n * p * (1 - p), 1, 0));
    p = exp(-3);
    CHECK(fabs(much_longer - n * p) <= room(n * p * (1 - p), 1, 0));
    end();
}


static void
test_the_longest_gap_fits(void)
{
    begin(MAX_SAMPLE_INTERVAL);
    for (int i = 0; i < 1000; i++) {
        int64_t gap = _PyTraceMalloc_DrawGap(&sampler);
        CHECK(gap >= 0 && gap < (int64_t)37 << 40);
    }
    end();
}


static double
probability(double size, double interval)
{
    return -expm1(-(size > 0 ? size : 1) / interval);
}


static void
test_weights_are_inverse_probabilities(void)
{
    const uint64_t intervals[] = {1, 2, 100, 4095, 4096, 524288,
                                  MAX_SAMPLE_INTERVAL};
    const size_t sizes[] = {0, 1, 16, 37, 512, 5000, 524288, 100000000};
    for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++) {
        begin(intervals[i]);
        for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
            struct sample_weight weight = tm_weigh_sample(
                &sampler, sizes[s]);
            double p = probability((double)sizes[s], (double)intervals[i]);
            double blocks = (double)weight.blocks / (1 << SAMPLE_SHIFT);
            double bytes = (double)weight.bytes / (1 << sampler.bytes_shift);
            CHECK(fabs(blocks * p - 1) < 2e-4);
            CHECK(fabs(bytes * p - (double)sizes[s])
                  <= 2e-4 * (double)sizes[s]);
            CHECK(tm_sampled_blocks(&sampler, weight.blocks) >= 1);
            struct sample_spread spread = tm_spread_sample(
                &sampler, sizes[s]);
            double variance = (1 - p) / (p * p);
            CHECK(near(spread.blocks, variance, 1e-9 * variance + 1e-12, 1));
        }
        end();
    }
}


static void
test_large_blocks_stand_for_themselves(void)
{
    begin(10);
    struct sample_weight weight = tm_weigh_sample(&sampler, 1000);
    CHECK_EQUAL(weight.blocks, 1 << SAMPLE_SHIFT);
    CHECK_EQUAL(tm_sampled_bytes(&sampler, weight.bytes), 1000);
    CHECK(tm_spread_sample(&sampler, 1000).bytes == 0);
    end();
}


/* Of one class of blocks: the truth, what samples say, and how far apart the
   two may be. */
struct sums {
    double true_blocks, true_bytes, blocks, bytes;
    struct sample_spread spread;
    struct sample_spread variance;
    double largest_blocks, largest_bytes;
    double spread_variance, largest_spread;     /* of spread.bytes */
};


/* Add what one block, noted with the probability p, brings to the truth. */
static void
sums_expect(struct sums *sums, double size, double interval)
{
    double p = probability(size, interval);
    double spread = size * size * (1 - p) / (p * p);
    sums->true_blocks++;
    sums->true_bytes += size;
    sums->variance.blocks += (1 - p) / p;
    sums->variance.bytes += size * size * (1 - p) / p;
    sums->spread_variance += spread * spread * p * (1 - p);
    sums->largest_blocks = fmax(sums->largest_blocks, 1 / p);
    sums->largest_bytes = fmax(sums->largest_bytes, size / p);
    sums->largest_spread = fmax(sums->largest_spread, spread);
}


/* Blocks of many sizes, sampled as allocators do it: sums of weights, and of
   what is told of their variance, are as close to the truth as they have to
   be.  Whether one block is hit has nothing to do with another. */
static void
estimate(uint64_t interval)
{
    enum { CLASSES = 6 };
    static const size_t sizes[CLASSES] = {1, 24, 500, 3000, 70000, 1};
    struct sums classes[CLASSES];
    memset(classes, 0, sizeof(classes));
    int n = test_options.quick ? 200000 : 2000000;
    begin(interval);
    int64_t gap = _PyTraceMalloc_DrawGap(&sampler);
    for (int i = 0; i < n; i++) {
        uint32_t k = random_below(CLASSES);
        size_t size = k == CLASSES - 1 ? random_below(4000) : sizes[k];
        sums_expect(&classes[k], (double)size, (double)interval);
        gap -= (int64_t)(size + (size == 0));
        if (gap >= 0) {
            continue;
        }
        gap = _PyTraceMalloc_DrawGap(&sampler);
        struct sample_weight weight = tm_weigh_sample(&sampler,
                                                      size);
        struct sample_spread spread = tm_spread_sample(&sampler,
                                                       size);
        classes[k].blocks += (double)weight.blocks / (1 << SAMPLE_SHIFT);
        classes[k].bytes += (double)weight.bytes
                            / (1 << sampler.bytes_shift);
        classes[k].spread.blocks += spread.blocks;
        classes[k].spread.bytes += spread.bytes;
    }
    for (int k = 0; k < CLASSES; k++) {
        struct sums *s = &classes[k];
        CHECK(fabs(s->blocks - s->true_blocks)
              <= room(s->variance.blocks, s->largest_blocks, s->true_blocks));
        CHECK(fabs(s->bytes - s->true_bytes)
              <= room(s->variance.bytes, s->largest_bytes, s->true_bytes));
        CHECK(fabs(s->spread.bytes - s->variance.bytes)
              <= room(s->spread_variance, s->largest_spread,
                      s->variance.bytes));
    }
    end();
}


static void
test_estimates(void)
{
    estimate(1);
    estimate(100);
    estimate(5000);
    estimate(65536);
}


/* Numbers of blocks of a kind are whole, right in the mean over kinds, and the
   same each time. */
static void
test_kinds(void)
{
    begin(1000);
    for (size_t size = 0; size < 5000; size = 2 * size + 1) {
        struct sample_weight weight = tm_weigh_sample(&sampler,
                                                      size);
        double exact = (double)weight.blocks / (1 << SAMPLE_SHIFT);
        double sum = 0;
        int n = 20000;
        for (int id = 1; id <= n; id++) {
            uint64_t count = tm_count_kind(&sampler, (context_id)id,
                                           size, 3);
            CHECK(count >= 3);
            CHECK(fabs((double)count - 3 * exact) < 1);
            CHECK_EQUAL(count, tm_count_kind(
                &sampler, (context_id)id, size, 3));
            sum += (double)count;
        }
        /* Hoeffding's inequality for n values that lie within 1 of each
           other: further off than this with 2 exp(-2 * 4.5**2) = 5e-18. */
        CHECK(near(sum / n, 3 * exact, 1 / sqrt(n), 4.5));
    }
    end();
}


static void
test_totals_are_rounded_alike(void)
{
    begin(1000);
    for (int i = 0; i < 100000; i++) {
        for (int bytes = 0; bytes < 2; bytes++) {
            uint64_t allocated = random_bits() >> 20;
            uint64_t freed = allocated - (random_bits() % (allocated + 1));
            uint64_t live = allocated - freed, peak = live;
            tm_round_totals(&sampler, bytes, &allocated, &freed,
                            &peak);
            CHECK(allocated >= freed);
            CHECK_EQUAL(allocated - freed, peak);
            CHECK_EQUAL(peak, bytes ? tm_sampled_bytes(&sampler, live)
                                    : tm_sampled_blocks(&sampler, live));
        }
    }
    end();
}


static void
test_seeds(void)
{
    int64_t gaps[100];
    begin(1 << 20);
    tm_seed_sampler(&sampler, 42);
    uint32_t session = sampler.session;
    for (int i = 0; i < 100; i++) {
        gaps[i] = _PyTraceMalloc_DrawGap(&sampler);
    }
    tm_seed_sampler(&sampler, 42);
    CHECK(sampler.session != session);
    for (int i = 0; i < 100; i++) {
        CHECK_EQUAL(_PyTraceMalloc_DrawGap(&sampler), gaps[i]);
    }
    tm_seed_sampler(&sampler, 43);
    int same = 0;
    for (int i = 0; i < 100; i++) {
        same += _PyTraceMalloc_DrawGap(&sampler) == gaps[i];
    }
    CHECK(same < 5);
    end();
}


static void
test_spreads_grow(void)
{
    begin(1000);
    CHECK_EQUAL(tm_reserve_spread(&sampler, 1), 0);
    sampler.spreads[1].bytes = 5;
    CHECK_EQUAL(tm_reserve_spread(&sampler, 100000), 0);
    CHECK(sampler.nspreads > 100000);
    CHECK(sampler.spreads[1].bytes == 5);
    for (size_t i = 2; i < sampler.nspreads; i++) {
        CHECK(sampler.spreads[i].bytes == 0 && sampler.spreads[i].blocks == 0);
    }
    test_fail_after(0, 0);
    CHECK_EQUAL(tm_reserve_spread(&sampler, 1000000), -1);
    test_fail_never();
    CHECK(sampler.spreads[1].bytes == 5);
    tm_clear_sampler(&sampler);
    CHECK(sampler.spreads[1].bytes == 0);
    end();
}


static void
test_pages(void)
{
    const uintptr_t page = (uintptr_t)1 << SAMPLE_PAGE_SHIFT;
    const uintptr_t at = 1000 * page;
    begin(1000);
    CHECK(!tm_sampler_may_have(&sampler, at));
    _PyTraceMalloc_AddToPages(&sampler, at);
    CHECK(tm_sampler_may_have(&sampler, at));
    CHECK(tm_sampler_may_have(&sampler, at + page - 1));
    CHECK(!tm_sampler_may_have(&sampler, at - 1));
    CHECK(!tm_sampler_may_have(&sampler, at + page));
    /* An object behind its headers, in the next page. */
    _PyTraceMalloc_AddToPages(&sampler, at + page - 16);
    CHECK(tm_sampler_may_have(&sampler, at + page + 16));
    _PyTraceMalloc_TakeFromPages(&sampler, at + page - 16);
    CHECK(!tm_sampler_may_have(&sampler, at + page + 16));
    CHECK(tm_sampler_may_have(&sampler, at));
    _PyTraceMalloc_TakeFromPages(&sampler, at);
    CHECK(!tm_sampler_may_have(&sampler, at));
    /* More than can be counted stay for good. */
    for (int i = 0; i < 300; i++) {
        _PyTraceMalloc_AddToPages(&sampler, at);
    }
    for (int i = 0; i < 300; i++) {
        _PyTraceMalloc_TakeFromPages(&sampler, at);
    }
    CHECK(tm_sampler_may_have(&sampler, at));
    tm_clear_sampler(&sampler);
    CHECK(!tm_sampler_may_have(&sampler, at));
    end();
}


/* Weighted counts of contexts, and beside them whole copies, also of what was
   live at the peak. */
enum { NWEIGHTED = 8, NSAMPLES = 500 };
static struct weighted {
    struct context *contexts[NWEIGHTED];
    struct traced_bytes bytes;
    uint64_t live[NWEIGHTED], live_blocks[NWEIGHTED];
    uint64_t peak[NWEIGHTED], peak_blocks[NWEIGHTED];
    uint64_t current, highest;
    struct { uint32_t context; size_t size; } samples[NSAMPLES];
    size_t n;
} world;


/* The model's side: a sample comes to a context, or leaves it. */
static void
weighted_model_add(uint32_t to, struct sample_weight weight)
{
    world.live[to] += weight.bytes;
    world.live_blocks[to] += weight.blocks;
    world.current += weight.bytes;
}


static void
weighted_model_take(uint32_t from, struct sample_weight weight)
{
    world.live[from] -= weight.bytes;
    world.live_blocks[from] -= weight.blocks;
    world.current -= weight.bytes;
}


static void
weighted_add(uint32_t to)
{
    size_t size = random_below(9000);
    struct sample_weight weight = tm_weigh_sample(&sampler, size);
    tm_count_sample_alloc(&world.bytes, world.contexts[to], weight);
    world.samples[world.n].context = to;
    world.samples[world.n++].size = size;
    weighted_model_add(to, weight);
}


/* Free a sample, and sometimes take that back. */
static void
weighted_free(uint32_t at)
{
    uint32_t from = world.samples[at].context;
    struct context *context = world.contexts[from];
    struct sample_weight weight = tm_weigh_sample(&sampler,
                                                  world.samples[at].size);
    tm_count_sample_free(&world.bytes, context, weight);
    if (random_below(5) == 0) {
        tm_uncount_sample_free(&world.bytes, context, weight);
        return;
    }
    weighted_model_take(from, weight);
    world.samples[at] = world.samples[--world.n];
}


static void
weighted_move(uint32_t at, uint32_t to)
{
    uint32_t from = world.samples[at].context;
    struct sample_weight weight = tm_weigh_sample(&sampler,
                                                  world.samples[at].size);
    tm_count_sample_move(&world.bytes, world.contexts[from],
                         world.contexts[to], weight);
    weighted_model_take(from, weight);
    weighted_model_add(to, weight);
    world.samples[at].context = to;
}


static void
weighted_compare(void)
{
    if (world.current > world.highest) {
        world.highest = world.current;
        memcpy(world.peak, world.live, sizeof(world.peak));
        memcpy(world.peak_blocks, world.live_blocks,
               sizeof(world.peak_blocks));
    }
    CHECK_EQUAL(tm_bytes_current(&world.bytes), world.current);
    CHECK_EQUAL(world.bytes.peak, world.highest);
    for (int i = 0; i < NWEIGHTED; i++) {
        const struct context *context = world.contexts[i];
        struct counters totals = tm_context_totals(context, &world.bytes);
        CHECK_EQUAL(totals.peak_bytes, world.peak[i]);
        CHECK_EQUAL(totals.peak_blocks, world.peak_blocks[i]);
        CHECK_EQUAL(tm_context_live_bytes(context), world.live[i]);
        CHECK_EQUAL(tm_context_live_blocks(context), world.live_blocks[i]);
    }
}


static void
test_counting(void)
{
    static struct call_tree tree;
    CHECK_EQUAL(tm_init_tree(&tree), 0);
    world.bytes.epoch = 1;
    for (uint32_t i = 0; i < NWEIGHTED; i++) {
        world.contexts[i] = tm_context_at(&tree, tm_add_context(
            &tree, NODE_ROOT, 1, i, 1));
        _PyTraceMalloc_GiveCounters(&tree, world.contexts[i]);
    }
    begin(5000);
    int rounds = test_options.quick ? 100000 : 400000;
    for (int i = 0; i < rounds; i++) {
        uint32_t at = world.n > 0 ? random_below((uint32_t)world.n) : 0;
        uint32_t what = random_below(10);
        uint32_t to = random_below(NWEIGHTED);
        if (world.n < NSAMPLES && what < 5) {
            weighted_add(to);
        }
        else if (world.n > 0 && what < 9) {
            weighted_free(at);
        }
        else if (world.n > 0 && world.samples[at].context != to) {
            weighted_move(at, to);
        }
        weighted_compare();
    }
    CHECK_SOUND(tm_check_tree(&tree));
    tm_fini_tree(&tree);
    end();
}


const struct test samples_tests[] = {
    {"gaps have their mean and no memory",
     test_gaps_have_the_mean_and_no_memory},
    {"the longest gap fits", test_the_longest_gap_fits},
    {"weights are inverse probabilities",
     test_weights_are_inverse_probabilities},
    {"large blocks stand for themselves",
     test_large_blocks_stand_for_themselves},
    {"estimates are within their errors", test_estimates},
    {"numbers of blocks of a kind", test_kinds},
    {"totals are rounded alike", test_totals_are_rounded_alike},
    {"seeds repeat gaps", test_seeds},
    {"spreads grow and can be out of memory", test_spreads_grow},
    {"pages say where samples may be", test_pages},
    {"weighted counts against whole copies", test_counting},
    {NULL, NULL},
};
