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

/* The counters of a context, whether it has them or not. */
static inline struct counters
tm_context_counters(const struct context *context)
{
    if (context->has_counters) {
        return *context->counters;
    }
    return (struct counters){
        .allocated_blocks = context->few.allocated_blocks,
        .freed_blocks = context->freed_blocks,
        .allocated_bytes = context->few.allocated_bytes,
        .freed_bytes = context->freed_bytes,
        .peak_blocks = context->few.peak_blocks,
        .peak_bytes = context->few.peak_bytes,
    };
}

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

/* Whether a context can count one more block of so many bytes. */
static inline int
tm_context_has_room(const struct context *context, size_t size)
{
    return context->has_counters
           || (context->few.allocated_blocks < MAX_FEW
               && size <= (size_t)UINT16_MAX - context->few.allocated_bytes);
}

static inline void
tm_context_make_room(struct call_tree *tree, struct context *context,
                     size_t size)
{
    if (!tm_context_has_room(context, size)) {
        _PyTraceMalloc_GiveCounters(tree, context);
    }
}

static TM_INLINE void
tm_counters_save_peak(struct counters *all)
{
    all->peak_blocks = all->allocated_blocks - all->freed_blocks;
    all->peak_bytes = all->allocated_bytes - all->freed_bytes;
}

static TM_INLINE void
tm_context_save_peak(struct context *context, struct traced_bytes *bytes)
{
    if (context->has_counters) {
        tm_counters_save_peak(context->counters);
    }
    else {
        context->few.peak_blocks = (uint8_t)(context->few.allocated_blocks
                                             - context->freed_blocks);
        context->few.peak_bytes = (uint16_t)(context->few.allocated_bytes
                                             - context->freed_bytes);
    }
    context->epoch = bytes->epoch;
    bytes->saved = bytes->epoch;
}

/* Before a context changes, other than by a new maximum. */
static TM_INLINE void
tm_context_touch(struct context *context, struct traced_bytes *bytes)
{
    if (context->epoch != bytes->epoch) {
        tm_rarely();
        tm_context_save_peak(context, bytes);
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

static TM_INLINE void
tm_context_add_alloc(struct context *context, size_t size)
{
    if (context->has_counters) {
        tm_counters_add_alloc(context->counters, size);
    }
    else {
        context->few.allocated_blocks++;
        context->few.allocated_bytes += (uint16_t)size;
    }
}

static TM_INLINE void
tm_context_add_free(struct context *context, size_t size)
{
    if (context->has_counters) {
        tm_counters_add_free(context->counters, size);
    }
    else {
        context->freed_blocks++;
        context->freed_bytes += (uint16_t)size;
    }
}

static inline void
tm_context_take_free(struct context *context, size_t size)
{
    if (context->has_counters) {
        context->counters->freed_blocks--;
        context->counters->freed_bytes -= size;
    }
    else {
        context->freed_blocks--;
        context->freed_bytes -= (uint16_t)size;
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

/* The same for a context that is known to have counters. */
static TM_INLINE void
tm_count_alloc_more(struct traced_bytes *bytes, struct context *context,
                    size_t size)
{
    struct counters *all = context->counters;
    if (!tm_bytes_rise(bytes, size) && context->epoch != bytes->epoch) {
        tm_rarely();
        tm_counters_save_peak(all);
        context->epoch = bytes->saved = bytes->epoch;
    }
    tm_in_turn();
    all->allocated_blocks++;
    all->allocated_bytes += size;
}

static TM_INLINE void
tm_count_free(struct traced_bytes *bytes, struct context *context, size_t size)
{
    bytes->headroom += size;
    /* Asked once: both know it then, and the common one is a straight line. */
    if (context->has_counters) {
        tm_context_touch(context, bytes);
        tm_context_add_free(context, size);
    }
    else {
        tm_context_touch(context, bytes);
        tm_context_add_free(context, size);
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

/* The same, where both are one context: what is live there stays as it is, so
   that there is nothing to save. */
static TM_INLINE void
tm_count_again(struct context *context, size_t size)
{
    if (context->has_counters) {
        /* They stay where they are, which the compiler cannot know. */
        struct counters *all = context->counters;
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
    struct counters *all = own->counters;
    tm_context_touch(own, bytes);
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
    tm_context_touch(own, bytes);
    bytes->headroom -= (size_t)weight.bytes;
    own->counters->allocated_blocks += weight.blocks;
    own->counters->allocated_bytes += weight.bytes;
    tm_count_own_settled(bytes, own);
}

/* Live blocks and bytes at the peak. */
static inline void
tm_context_peak(const struct context *context,
                const struct traced_bytes *bytes, uint64_t *nblocks,
                uint64_t *nbytes)
{
    struct counters counters = tm_context_counters(context);
    int saved = context->epoch == bytes->epoch;
    *nblocks = saved ? counters.peak_blocks
                     : counters.allocated_blocks - counters.freed_blocks;
    *nbytes = saved ? counters.peak_bytes
                    : counters.allocated_bytes - counters.freed_bytes;
}

/* As tm_count_alloc(), tm_count_free() and tm_uncount_free(), for samples.
   Their contexts must have counters. */
static inline void
tm_count_sample_alloc(struct traced_bytes *bytes, struct context *context,
                      struct sample_weight weight)
{
    tm_count_rise(bytes, context, (size_t)weight.bytes);
    context->counters->allocated_blocks += weight.blocks;
    context->counters->allocated_bytes += weight.bytes;
}

static inline void
tm_count_sample_free(struct traced_bytes *bytes, struct context *context,
                     struct sample_weight weight)
{
    tm_context_touch(context, bytes);
    context->counters->freed_blocks += weight.blocks;
    context->counters->freed_bytes += weight.bytes;
    bytes->headroom += (size_t)weight.bytes;
}

static inline void
tm_uncount_sample_free(struct traced_bytes *bytes, struct context *context,
                       struct sample_weight weight)
{
    tm_count_rise(bytes, context, (size_t)weight.bytes);
    context->counters->freed_blocks -= weight.blocks;
    context->counters->freed_bytes -= weight.bytes;
}

/* A live sample belongs to another context from now on, as if it had been
   allocated there. */
static inline void
tm_count_sample_move(struct traced_bytes *bytes, struct context *from,
                     struct context *to, struct sample_weight weight)
{
    tm_context_touch(from, bytes);
    tm_context_touch(to, bytes);
    from->counters->allocated_blocks -= weight.blocks;
    from->counters->allocated_bytes -= weight.bytes;
    to->counters->allocated_blocks += weight.blocks;
    to->counters->allocated_bytes += weight.bytes;
}

#endif  /* !TRACEMALLOC_COUNTING_H */
