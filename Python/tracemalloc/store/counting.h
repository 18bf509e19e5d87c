/* Counting: what contexts allocated and freed, and what they held at the peak.

   Called by all that notes, forgets and moves blocks or samples; calls nobody.
   What changes something needs access (see core.h), takes O(1), and cannot
   fail; but for _PyTraceMalloc_RenewEpochs() and tm_reset_peak(). */

#ifndef TRACEMALLOC_COUNTING_H
#define TRACEMALLOC_COUNTING_H

#include "call_tree.h"

/* What a sample stands for, in fixed point: blocks have SAMPLE_SHIFT bits
   behind the point, bytes have the sampler's bytes_shift. */
struct sample_weight {
    uint64_t blocks;
    uint64_t bytes;
};

#define SAMPLE_SHIFT 12

/* Traced bytes, and the state at their peak.

   Every new maximum opens an epoch, unless nothing was saved in
   the present one.  Before a context changes in an epoch for the first time,
   other than by a new maximum, it saves what is live: so whatever was not
   saved is still as it was at the peak, and no event needs recording.

   There are 2**32 epochs, and then the same again.  What ends one is either
   tm_reset_peak(), which numbers them anew long before, or a new maximum, a
   byte higher at least.  So many of these take blocks that need rows of cells,
   and with a row epochs are numbered anew, if it is time; or more than 100 GiB
   for blocks without cells; or a few that are resized again and again, to byte
   by byte more, through gigabytes.  Only then might a context that has not
   changed for exactly 2**32 epochs show an old state at the peak, for one
   epoch. */
struct traced_bytes {
    size_t headroom;            /* how much less than at the peak is traced:
                                   one subtraction counts and compares */
    size_t peak;
    uint32_t epoch;             /* contexts with this one have saved */
    uint32_t saved;             /* the last epoch in which one was saved */
};

/* At the beginning of what is rare, inside of what is not: keeps the compiler
   from loading ahead for it. */
static inline void
tm_rarely(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Between counters that lie side by side: as vectors, which have to be put
   together first, they take twice as many instructions. */
static TM_INLINE void
tm_in_turn(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* What is traced now. */
static TM_INLINE size_t
tm_bytes_current(const struct traced_bytes *bytes)
{
    return bytes->peak - bytes->headroom;
}

/* So much is traced now: more than ever. */
static TM_INLINE void
tm_bytes_maximum(struct traced_bytes *bytes, size_t current)
{
    bytes->headroom = 0;
    bytes->peak = current;
    bytes->epoch = bytes->saved + 1;
}

/* The counters of a context, whether it has them or not; without what it is
   of. */
PART struct counters tm_context_counters(const struct context *);

/* The same, with what was live at the peak, whether that was saved or not. */
PART struct counters tm_context_totals(const struct context *,
                                       const struct traced_bytes *);

static inline uint64_t
tm_context_live_blocks(const struct context *context)
{
    struct counters counters = tm_context_counters(context);
    return counters.allocated_blocks - counters.freed_blocks;
}

static inline uint64_t
tm_context_live_bytes(const struct context *context)
{
    struct counters counters = tm_context_counters(context);
    return counters.allocated_bytes - counters.freed_bytes;
}

/* What one more block of so many bytes adds to few, with its size if it is the
   first one of that; or 0: there is no room. */
static TM_INLINE uint64_t
tm_few_more(uint64_t few, size_t size)
{
    unsigned of = FEW_FIRST, size_of = FEW_FIRST_SIZE;
    if (size != tm_few_size(few, of) && tm_few(few, of, 0) != 0) {
        of = FEW_SECOND;
        size_of = FEW_SECOND_SIZE;
    }
    unsigned allocated = tm_few(few, of, 0);
    if (allocated == 0) {
        return size <= MAX_FEW_SIZE
               ? (uint64_t)1 << of | (uint64_t)size << size_of : 0;
    }
    return allocated < MAX_FEW && size == tm_few_size(few, of)
           ? (uint64_t)1 << of : 0;
}

/* What one more that is freed adds. */
static TM_INLINE uint64_t
tm_few_free(uint64_t few, size_t size)
{
    unsigned of = size == tm_few_size(few, FEW_FIRST) ? FEW_FIRST : FEW_SECOND;
    return (uint64_t)1 << (of + FEW_BITS);
}

static inline int
tm_some_have_room(const struct some *some, size_t size)
{
    return some->allocated_blocks < MAX_SOME
           && size <= (size_t)MAX_SOME_BYTES - some->allocated_bytes;
}

/* Whether a context can count one more block of so many bytes. */
static inline int
tm_context_has_room(const struct context *context, size_t size)
{
    if (tm_context_has_counters(context)) {
        return 1;
    }
    return tm_context_has_some(context)
           ? tm_some_have_room(tm_some_of(context), size)
           : tm_few_more(context->counts, size) != 0;
}

/* Before counts change, other than by a new maximum: save what is live, if it
   is the first time in this epoch. */

static TM_INLINE void
tm_counters_touch(struct counters *all, struct traced_bytes *bytes)
{
    if (all->epoch != bytes->epoch) {
        tm_rarely();
        all->peak_blocks = all->allocated_blocks - all->freed_blocks;
        all->peak_bytes = all->allocated_bytes - all->freed_bytes;
        all->epoch = bytes->saved = bytes->epoch;
    }
}

static inline void
tm_some_touch(struct some *some, struct traced_bytes *bytes)
{
    if (some->epoch != bytes->epoch) {
        some->peak_blocks = (uint8_t)(some->allocated_blocks
                                      - some->freed_blocks);
        some->peak_bytes = (uint16_t)(some->allocated_bytes
                                      - some->freed_bytes);
        some->epoch = bytes->saved = bytes->epoch;
    }
}

/* How many of the few are live, of both sizes at once, in the bits where those
   that were allocated are. */
static TM_INLINE uint64_t
tm_few_live(uint64_t few)
{
    const uint64_t both = FEW_MASK << FEW_FIRST | FEW_MASK << FEW_SECOND;
    return ((few & both) - (few >> FEW_BITS & both)) & both;
}

static TM_INLINE uint64_t
tm_few_saved(uint64_t few)
{
    const uint64_t peaks = FEW_MASK << (FEW_FIRST + 2 * FEW_BITS)
                           | FEW_MASK << (FEW_SECOND + 2 * FEW_BITS);
    return (few & ~peaks) | tm_few_live(few) << 2 * FEW_BITS;
}

static TM_INLINE void
tm_few_touch(struct context *context, struct traced_bytes *bytes)
{
    struct saved *saved;
    uint64_t bit = tm_saved_bit(context, &saved);
    if (saved->epoch != bytes->epoch) {
        *saved = (struct saved){.epoch = bytes->epoch};
    }
    if ((saved->bits & bit) == 0) {
        tm_rarely();
        saved->bits |= bit;
        bytes->saved = bytes->epoch;
        context->counts = tm_few_saved(context->counts);
    }
}

static TM_INLINE void
tm_context_touch(struct context *context, struct traced_bytes *bytes)
{
    if (tm_context_has_counters(context)) {
        tm_counters_touch(tm_counters_of(context), bytes);
    }
    else if (tm_context_has_some(context)) {
        tm_some_touch(tm_some_of(context), bytes);
    }
    else {
        tm_few_touch(context, bytes);
    }
}

/* One block more, or one less, was ever allocated or freed in a context. */
static TM_INLINE void
tm_counters_add_alloc(struct counters *all, size_t size)
{
    all->allocated_blocks++;
    all->allocated_bytes += size;
}

static TM_INLINE void
tm_counters_add_free(struct counters *all, size_t size)
{
    all->freed_blocks++;
    all->freed_bytes += size;
}

static inline void
tm_some_add_alloc(struct some *some, size_t size)
{
    some->allocated_blocks++;
    some->allocated_bytes += (uint16_t)size;
}

static inline void
tm_some_add_free(struct some *some, size_t size)
{
    some->freed_blocks++;
    some->freed_bytes += (uint16_t)size;
}

static TM_INLINE void
tm_context_add_alloc(struct context *context, size_t size)
{
    if (tm_context_has_counters(context)) {
        tm_counters_add_alloc(tm_counters_of(context), size);
    }
    else if (tm_context_has_some(context)) {
        tm_some_add_alloc(tm_some_of(context), size);
    }
    else {
        context->counts += tm_few_more(context->counts, size);
    }
}

static TM_INLINE void
tm_context_add_free(struct context *context, size_t size)
{
    if (tm_context_has_counters(context)) {
        tm_counters_add_free(tm_counters_of(context), size);
    }
    else if (tm_context_has_some(context)) {
        tm_some_add_free(tm_some_of(context), size);
    }
    else {
        context->counts += tm_few_free(context->counts, size);
    }
}

static inline void
tm_context_take_free(struct context *context, size_t size)
{
    if (tm_context_has_counters(context)) {
        tm_counters_of(context)->freed_blocks--;
        tm_counters_of(context)->freed_bytes -= size;
    }
    else if (tm_context_has_some(context)) {
        tm_some_of(context)->freed_blocks--;
        tm_some_of(context)->freed_bytes -= (uint16_t)size;
    }
    else {
        context->counts -= tm_few_free(context->counts, size);
    }
}

/* Whether more is a new maximum; else it is a change within the epoch. */
static TM_INLINE int
tm_bytes_rise(struct traced_bytes *bytes, size_t size)
{
    bytes->headroom -= size;
    if ((ptrdiff_t)bytes->headroom >= 0) {
        return 0;
    }
    tm_rarely();
    tm_bytes_maximum(bytes, tm_bytes_current(bytes));
    return 1;
}

/* More is live from now on. */
static TM_INLINE void
tm_count_rise(struct traced_bytes *bytes, struct context *context, size_t size)
{
    if (!tm_bytes_rise(bytes, size)) {
        tm_context_touch(context, bytes);
    }
}

/* A new block.  The context must have room. */
static TM_INLINE void
tm_count_alloc(struct traced_bytes *bytes, struct context *context,
               size_t size)
{
    tm_count_rise(bytes, context, size);
    tm_context_add_alloc(context, size);
}

/* The same for a context of few blocks, with what this one adds. */
static TM_INLINE void
tm_count_alloc_few(struct traced_bytes *bytes, struct context *context,
                   size_t size, uint64_t more)
{
    if (!tm_bytes_rise(bytes, size)) {
        tm_few_touch(context, bytes);
    }
    context->counts += more;
}

/* The same for a context that is known to have counters. */
static TM_INLINE void
tm_count_alloc_more(struct traced_bytes *bytes, struct context *context,
                    size_t size)
{
    struct counters *all = tm_counters_of(context);
    if (!tm_bytes_rise(bytes, size)) {
        tm_counters_touch(all, bytes);
    }
    tm_in_turn();
    tm_counters_add_alloc(all, size);
}

/* A block is gone. */
static TM_INLINE void
tm_count_free(struct traced_bytes *bytes, struct context *context, size_t size)
{
    bytes->headroom += size;
    if (tm_context_has_counters(context)) {
        /* They stay where they are, which the compiler cannot know. */
        struct counters *all = tm_counters_of(context);
        tm_counters_touch(all, bytes);
        tm_in_turn();
        tm_counters_add_free(all, size);
    }
    else if (tm_context_has_some(context)) {
        tm_some_touch(tm_some_of(context), bytes);
        tm_some_add_free(tm_some_of(context), size);
    }
    else {
        tm_few_touch(context, bytes);
        context->counts += tm_few_free(context->counts, size);
    }
}

/* A block is another context's from now on: freed and allocated again, except
   that both are live for no moment.  That context must have room. */
static TM_INLINE void
tm_count_move(struct traced_bytes *bytes, struct context *from,
              struct context *to, size_t size)
{
    tm_context_touch(from, bytes);
    tm_context_touch(to, bytes);
    tm_context_add_free(from, size);
    tm_context_add_alloc(to, size);
}

/* The same for contexts that are known to have counters. */
static TM_INLINE void
tm_count_move_more(struct traced_bytes *bytes, struct context *from,
                   struct context *to, size_t size)
{
    struct counters *had = tm_counters_of(from);
    struct counters *has = tm_counters_of(to);
    tm_counters_touch(had, bytes);
    tm_counters_touch(has, bytes);
    tm_in_turn();
    tm_counters_add_free(had, size);
    tm_counters_add_alloc(has, size);
}

/* As tm_count_move(), where both are one context: what is live there stays as
   it is, so that there is nothing to save. */
static TM_INLINE void
tm_count_again(struct context *context, size_t size)
{
    if (tm_context_has_counters(context)) {
        struct counters *all = tm_counters_of(context);
        tm_counters_add_free(all, size);
        tm_in_turn();
        tm_counters_add_alloc(all, size);
    }
    else {
        tm_context_add_free(context, size);
        tm_in_turn();
        tm_context_add_alloc(context, size);
    }
}

/* Take back a tm_count_free(): the block is still there.  Others may have
   counted in between. */
static inline void
tm_uncount_free(struct traced_bytes *bytes, struct context *context,
                size_t size)
{
    tm_count_rise(bytes, context, size);
    tm_context_take_free(context, size);
}

/* From this one on, epochs are to be numbered anew before they come to an
   end. */
#ifdef Py_TRACEMALLOC_STRESS
#  define LATE_EPOCH 50u
#else
#  define LATE_EPOCH (1u << 31)
#endif

/* Do so, if it is time: O(contexts), once in so many epochs.  Needs access and
   the store lock. */
extern void _PyTraceMalloc_RenewEpochs(struct call_tree *,
                                        struct traced_bytes *);

/* Let the peak begin anew from what is live now; needs the same. */
PART void tm_reset_peak(struct call_tree *, struct traced_bytes *);

/* A block is freed without access and without memory to say so later.  Whoever
   has access may count, or give counters, at the same moment: then one of the
   two counts may be lost, and nothing else. */
PART void tm_count_lost(struct traced_bytes *, struct context *, size_t size);

/* The tracer's own blocks are no part of what a program holds, and make no
   maximum: the peak is told without those in it, so both rise and fall alike.
   Their context has counters.

   They fall late, when this is called: whoever frees a block does not know
   whose it is.  Until then, what the program gains is compared with a peak
   that is too high by what was freed. */
static inline void
tm_count_own_settled(struct traced_bytes *bytes, struct context *own)
{
    struct counters *all = tm_counters_of(own);
    tm_counters_touch(all, bytes);
    uint64_t live = all->allocated_bytes - all->freed_bytes;
    size_t current = tm_bytes_current(bytes);
    bytes->peak += (size_t)(live - all->peak_bytes);
    bytes->headroom = bytes->peak - current;
    all->peak_bytes = live;
    all->peak_blocks = all->allocated_blocks - all->freed_blocks;
    if (current > bytes->peak) {
        tm_bytes_maximum(bytes, current);
    }
}

/* Some new ones: one, or what a sample stands for. */
static inline void
tm_count_own_alloc(struct traced_bytes *bytes, struct context *own,
                   struct sample_weight weight)
{
    struct counters *all = tm_counters_of(own);
    tm_counters_touch(all, bytes);
    bytes->headroom -= (size_t)weight.bytes;
    all->allocated_blocks += weight.blocks;
    all->allocated_bytes += weight.bytes;
    tm_count_own_settled(bytes, own);
}

/* Whether a context has live blocks, now or at the peak. */
static inline int
tm_context_holds(const struct context *context,
                 const struct traced_bytes *bytes)
{
    if (tm_context_is_of_few(context)) {
        /* Nearly all are like that. */
        uint64_t few = context->counts;
        return tm_few_live(few) != 0
               || ((tm_few(few, FEW_FIRST, 2) | tm_few(few, FEW_SECOND, 2))
                   != 0 && tm_few_epoch(context) == bytes->epoch);
    }
    struct counters totals = tm_context_totals(context, bytes);
    return totals.peak_blocks != 0
           || totals.allocated_blocks != totals.freed_blocks;
}

/* As tm_count_alloc(), tm_count_free() and tm_uncount_free(), for samples.
   Their contexts must have counters. */
static inline void
tm_count_sample_alloc(struct traced_bytes *bytes, struct context *context,
                      struct sample_weight weight)
{
    tm_count_rise(bytes, context, (size_t)weight.bytes);
    tm_counters_of(context)->allocated_blocks += weight.blocks;
    tm_counters_of(context)->allocated_bytes += weight.bytes;
}

static inline void
tm_count_sample_free(struct traced_bytes *bytes, struct context *context,
                     struct sample_weight weight)
{
    tm_context_touch(context, bytes);
    tm_counters_of(context)->freed_blocks += weight.blocks;
    tm_counters_of(context)->freed_bytes += weight.bytes;
    bytes->headroom += (size_t)weight.bytes;
}

static inline void
tm_uncount_sample_free(struct traced_bytes *bytes, struct context *context,
                       struct sample_weight weight)
{
    tm_count_rise(bytes, context, (size_t)weight.bytes);
    tm_counters_of(context)->freed_blocks -= weight.blocks;
    tm_counters_of(context)->freed_bytes -= weight.bytes;
}

/* A live sample belongs to another context from now on, as if it had been
   allocated there. */
static inline void
tm_count_sample_move(struct traced_bytes *bytes, struct context *from,
                     struct context *to, struct sample_weight weight)
{
    tm_context_touch(from, bytes);
    tm_context_touch(to, bytes);
    tm_counters_of(from)->allocated_blocks -= weight.blocks;
    tm_counters_of(from)->allocated_bytes -= weight.bytes;
    tm_counters_of(to)->allocated_blocks += weight.blocks;
    tm_counters_of(to)->allocated_bytes += weight.bytes;
}

#endif  /* !TRACEMALLOC_COUNTING_H */
