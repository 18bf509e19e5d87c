/* The sampler: which blocks are noted when it is on, and what they stand for.

   Called by sampled_blocks.c and, inside obmalloc.c, by allocators.c.h; calls
   nobody.

       bytes allocated   ....|..........|...|...............|.......
       sample points         x          x   x               x
       blocks            [  ][s][      ][  s  ][  ][ ][     s   ][ ]

   Points fall on the stream of allocated bytes at random, `interval` bytes
   apart in the mean: a Poisson process.  A block that is hit is a sample, so
   one of s bytes is noted with the probability

       p(s) = 1 - exp(-s / interval)

   whatever else is allocated, and stands for 1/p(s) blocks of its size.  The
   sum of 1/p over samples estimates a number of blocks, that of s/p a number
   of bytes; both are without bias, as is the estimate of each's variance, the
   sum of (1 - p)/p**2, or of s**2 (1 - p)/p**2 (D. G. Horvitz and D. J.
   Thompson, A generalization of sampling without replacement from a finite
   universe, Journal of the American Statistical Association 47, 1952).  A
   block of no bytes counts as one byte for p.

   The gap from a point to the next has no memory, so what is left of one when
   a block ends is as good as a new one.  Gaps are rounded down to whole bytes:
   a block is hit if its size is larger.

   Counters hold weights in fixed point.  A weight is worked out anew when its
   block is freed, and is the same then: what was added is taken away.

   Invariant: where a sample lies, and where its object begins, `pages` is not
   0.  It may be elsewhere too: a count that has become 255 stays. */

#include "sampler.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef Py_TRACEMALLOC_STRESS
#  define FIRST_SPREADS 4
#else
#  define FIRST_SPREADS 1024
#endif

/* Below this, bytes need bits behind the point: a weight of a few bytes would
   lose too much of itself.  Sums have room for 2**52 bytes then. */
#define FINE_INTERVAL 4096


PART void
tm_init_sampler(struct sampler *sampler, uint64_t interval,
                uint64_t seed)
{
    assert(interval <= MAX_SAMPLE_INTERVAL);
    free(sampler->spreads);
    sampler->spreads = NULL;
    sampler->nspreads = 0;
    sampler->bytes_shift = 0;
    if (interval < FINE_INTERVAL && sizeof(size_t) >= sizeof(uint64_t)) {
        sampler->bytes_shift = SAMPLE_SHIFT;
    }
    tm_clear_sampler(sampler);
    __atomic_store_n(&sampler->interval, interval, __ATOMIC_RELAXED);
    tm_seed_sampler(sampler, seed);
}


PART void
tm_seed_sampler(struct sampler *sampler, uint64_t seed)
{
    sampler->seed = seed;
    __atomic_store_n(&sampler->random, seed, __ATOMIC_RELAXED);
    __atomic_store_n(&sampler->session, sampler->session + 1,
                     __ATOMIC_RELAXED);
}


PART void
tm_clear_sampler(struct sampler *sampler)
{
    /* Who reads an entry without the lock reads it before or after. */
    memset(sampler->pages, 0, sizeof(sampler->pages));
    if (sampler->nspreads != 0) {
        memset(sampler->spreads, 0,
               sampler->nspreads * sizeof(sampler->spreads[0]));
    }
}


/* --- random numbers ------------------------------------------------------ */

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
   generators, 2014): the mix of a counter, so that threads can share it
   without a lock. */
PART uint64_t
tm_mix_bits(uint64_t bits)
{
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111ebu;
    return bits ^ bits >> 31;
}


PART uint64_t
tm_random_bits(struct sampler *sampler)
{
    return tm_mix_bits(__atomic_add_fetch(
        &sampler->random, 0x9e3779b97f4a7c15u, __ATOMIC_RELAXED));
}


int64_t
_PyTraceMalloc_DrawGap(struct sampler *sampler)
{
    uint64_t interval = __atomic_load_n(&sampler->interval, __ATOMIC_RELAXED);
    /* Evenly from (0, 1]: the logarithm is at least -36.8. */
    double even = (double)((tm_random_bits(sampler) >> 11) + 1)
                  * 0x1p-53;
    return (int64_t)(-log(even) * (double)interval);
}


/* --- weights ------------------------------------------------------------- */

static double
sample_probability(const struct sampler *sampler, size_t size)
{
    return -expm1(-(double)(size != 0 ? size : 1) / (double)sampler->interval);
}


PART struct sample_weight
tm_weigh_sample(const struct sampler *sampler, size_t size)
{
    double blocks = 1 / sample_probability(sampler, size);
    double bytes = blocks * (double)size * (1 << sampler->bytes_shift);
    return (struct sample_weight){
        .blocks = (uint64_t)(blocks * (1 << SAMPLE_SHIFT) + 0.5),
        /* Sizes that an extension made up may have more bits. */
        .bytes = (uint64_t)(fmin(bytes, 0x1p63) + 0.5),
    };
}


PART struct sample_spread
tm_spread_sample(const struct sampler *sampler, size_t size)
{
    double p = sample_probability(sampler, size);
    double blocks = (1 - p) / (p * p);
    return (struct sample_spread){
        .blocks = blocks,
        .bytes = blocks * (double)size * (double)size,
    };
}


PART void
tm_round_totals(const struct sampler *sampler, int bytes,
                uint64_t *allocated, uint64_t *freed,
                uint64_t *peak)
{
    uint64_t (*whole)(const struct sampler *, uint64_t) =
        bytes ? tm_sampled_bytes : tm_sampled_blocks;
    uint64_t live = whole(sampler, *allocated - *freed);
    *freed = whole(sampler, *freed);
    *allocated = *freed + live;
    *peak = whole(sampler, *peak);
}


PART uint64_t
tm_count_kind(const struct sampler *sampler, context_id id,
              size_t size, uint64_t n)
{
    uint64_t blocks = n * tm_weigh_sample(sampler, size).blocks;
    /* Add any fraction of one block as often as any other, and cut. */
    uint64_t bits = tm_mix_bits(
        tm_mix_bits(size) ^ id ^ sampler->seed);
    return (blocks + (bits >> (64 - SAMPLE_SHIFT))) >> SAMPLE_SHIFT;
}


PART int
tm_reserve_spread(struct sampler *sampler, context_id id)
{
    if (id < sampler->nspreads) {
        return 0;
    }
    size_t n = sampler->nspreads ? sampler->nspreads : FIRST_SPREADS;
    while (n <= id) {
        n *= 2;
    }
    struct sample_spread *spreads = realloc(sampler->spreads,
                                            n * sizeof(spreads[0]));
    if (spreads == NULL) {
        return -1;
    }
    memset(spreads + sampler->nspreads, 0,
           (n - sampler->nspreads) * sizeof(spreads[0]));
    sampler->spreads = spreads;
    sampler->nspreads = n;
    return 0;
}


/* --- where samples may be ------------------------------------------------ */

static void
page_change(struct sampler *sampler, uintptr_t address, int change)
{
    unsigned char *page =
        &sampler->pages[(address >> SAMPLE_PAGE_SHIFT) % SAMPLE_PAGES];
    if (*page == 255 || (change < 0 && *page == 0)) {
        return;
    }
    __atomic_store_n(page, (unsigned char)(*page + change), __ATOMIC_RELAXED);
}


static void
pages_change(struct sampler *sampler, uintptr_t address, int change)
{
    page_change(sampler, address, change);
    uintptr_t object = address + SAMPLE_HEADER;
    if (address >> SAMPLE_PAGE_SHIFT != object >> SAMPLE_PAGE_SHIFT) {
        page_change(sampler, object, change);
    }
}


void
_PyTraceMalloc_AddToPages(struct sampler *sampler, uintptr_t address)
{
    pages_change(sampler, address, 1);
}


void
_PyTraceMalloc_TakeFromPages(struct sampler *sampler, uintptr_t address)
{
    pages_change(sampler, address, -1);
}
