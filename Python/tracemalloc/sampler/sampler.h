/* Which blocks are samples, and what they stand for: see sampler.c. */

#ifndef TRACEMALLOC_SAMPLER_H
#define TRACEMALLOC_SAMPLER_H

#include "../store/counting.h"

/* Variances of estimates, in blocks and bytes without any shift. */
struct sample_spread {
    double blocks;
    double bytes;
};

/* Addresses are looked up by 2**14 bytes, the size of a pool; those that are
   2**30 bytes apart share an entry. */
#define SAMPLE_PAGE_SHIFT 14
#define SAMPLE_PAGES ((size_t)1 << 16)

#define MAX_SAMPLE_INTERVAL ((uint64_t)1 << 40)

struct sampler {
    uint64_t interval;          /* mean bytes from sample to sample, or 0 if
                                   every block is noted; atomic */
    uint64_t random;            /* atomic */
    uint64_t seed;              /* what `random` was at first; store lock */
    uint32_t session;           /* gaps drawn in another one are void;
                                   atomic */
    uint32_t bytes_shift;
    struct sample_spread *spreads;      /* by context_id: of what was
                                           allocated there; store lock */
    size_t nspreads;            /* store lock */
    /* By address: how many samples or rows lie there, 255 for more than can
       be counted; atomic, written under the store lock. */
    unsigned char pages[SAMPLE_PAGES];
};

/* Begin with no samples.  The sampler must be all zeros or have been used
   before; an interval of 0 frees what it has. */
PART void tm_init_sampler(struct sampler *, uint64_t interval,
                          uint64_t seed);

/* Draw all gaps anew, from other random numbers. */
PART void tm_seed_sampler(struct sampler *, uint64_t seed);

/* Forget all samples. */
PART void tm_clear_sampler(struct sampler *);

/* Random bits that have nothing to do with each other; no lock. */
PART uint64_t tm_mix_bits(uint64_t);
PART uint64_t tm_random_bits(struct sampler *);

/* Bytes up to the next sample; no lock. */
extern int64_t _PyTraceMalloc_DrawGap(struct sampler *);

/* What a sample of a block of a size stands for, and its part in variances. */
PART struct sample_weight tm_weigh_sample(const struct sampler *,
                                          size_t size);
PART struct sample_spread tm_spread_sample(const struct sampler *,
                                           size_t size);

/* Make room for the spread of a context: 0, or -1 when out of memory. */
PART int tm_reserve_spread(struct sampler *, context_id);

/* More or less may be at an address; a block's object may begin up to
   SAMPLE_HEADER bytes behind it. */
#define SAMPLE_HEADER 32
extern void _PyTraceMalloc_AddToPages(struct sampler *, uintptr_t address);
extern void _PyTraceMalloc_TakeFromPages(struct sampler *, uintptr_t address);

/* Whether a sample, or an object in one, may be at an address: if not, there
   is none.  No lock. */
static inline int
tm_sampler_may_have(const struct sampler *sampler, uintptr_t address)
{
    return __atomic_load_n(
        &sampler->pages[(address >> SAMPLE_PAGE_SHIFT) % SAMPLE_PAGES],
        __ATOMIC_RELAXED) != 0;
}

/* Fixed point to whole numbers. */
static inline uint64_t
tm_sampled_blocks(const struct sampler *sampler, uint64_t blocks)
{
    return sampler->interval == 0 ? blocks
           : (blocks + (1 << (SAMPLE_SHIFT - 1))) >> SAMPLE_SHIFT;
}

static inline uint64_t
tm_sampled_bytes(const struct sampler *sampler, uint64_t bytes)
{
    uint32_t shift = sampler->interval == 0 ? 0 : sampler->bytes_shift;
    return shift == 0 ? bytes
           : (bytes + ((uint64_t)1 << (shift - 1))) >> shift;
}

/* Fixed point to whole numbers, for the totals of a context: blocks, or bytes.
   What is live is rounded, and what was allocated is the sum of the others. */
PART void tm_round_totals(const struct sampler *, int bytes,
                          uint64_t *allocated, uint64_t *freed,
                          uint64_t *peak);

/* How many blocks n samples of one size in one context stand for: at least n;
   right in the mean, and the same whenever it is asked for. */
PART uint64_t tm_count_kind(const struct sampler *, context_id,
                            size_t size, uint64_t n);

#endif  /* !TRACEMALLOC_SAMPLER_H */
