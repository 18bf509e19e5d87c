/* Counting of samples: weights in the counters of contexts.

   Called by whoever notes, forgets or moves samples, with the store lock;
   calls the sampler, for weights, and the counters. */

#include "Python.h"
#include "../own.h"
#include "../record/record.h"
#include "count_sample.h"

#define S (&_PyTraceMalloc_State)


int
_PyTraceMalloc_CountSample(context_id id, size_t size)
{
    struct sampler *sampler = &S->sampler;
    if (tm_reserve_spread(sampler, id) < 0) {
        return -1;
    }
    struct context *context = tm_context_at(&S->tree, id);
    _PyTraceMalloc_GiveCounters(&S->tree, context);
    if (tm_counters_of(context)->allocated_blocks == 0) {
        /* The number may have been another context's. */
        sampler->spreads[id] = (struct sample_spread){0, 0};
    }
    struct sample_spread spread = tm_spread_sample(sampler, size);
    sampler->spreads[id].blocks += spread.blocks;
    sampler->spreads[id].bytes += spread.bytes;
    struct sample_weight weight = tm_weigh_sample(sampler, size);
    if (id == CONTEXT_OWN) {
        tm_count_own_alloc(&S->bytes, context, weight);
    }
    else {
        tm_count_sample_alloc(&S->bytes, context, weight);
    }
    tm_watch_record(ACCESS_SAMPLING);
    return 0;
}


void
_PyTraceMalloc_CountSampleFree(context_id id, size_t size)
{
    tm_count_sample_free(&S->bytes, tm_context_at(&S->tree, id),
                         tm_weigh_sample(&S->sampler, size));
}


void
_PyTraceMalloc_UncountSampleFree(context_id id, size_t size)
{
    tm_uncount_sample_free(&S->bytes, tm_context_at(&S->tree, id),
                           tm_weigh_sample(&S->sampler, size));
}


/* 0, or -1 when out of memory: then it stays where it was. */
int
_PyTraceMalloc_MoveSample(context_id from, context_id to, size_t size)
{
    struct sampler *sampler = &S->sampler;
    if (from == to) {
        return 0;
    }
    if (tm_reserve_spread(sampler, to) < 0) {
        return -1;
    }
    struct context *receiver = tm_context_at(&S->tree, to);
    struct sample_spread *spreads = sampler->spreads;
    _PyTraceMalloc_GiveCounters(&S->tree, receiver);
    if (tm_counters_of(receiver)->allocated_blocks == 0) {
        spreads[to] = (struct sample_spread){0, 0};
    }
    struct sample_spread spread = tm_spread_sample(sampler, size);
    spreads[from].blocks -= spread.blocks;
    spreads[from].bytes -= spread.bytes;
    spreads[to].blocks += spread.blocks;
    spreads[to].bytes += spread.bytes;
    tm_count_sample_move(&S->bytes, tm_context_at(&S->tree, from),
                         receiver, tm_weigh_sample(sampler, size));
    return 0;
}
