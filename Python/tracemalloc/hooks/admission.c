/* Admission: whether a block that was captured is to be noted.

   Called by whoever notes blocks, for each of them while there are filters, and
   by who sets filters; calls the filters, which are plain C. */

#include "Python.h"
#include "../access.h"
#include "admission.h"

#define S (&_PyTraceMalloc_State)


void
_PyTraceMalloc_SetFilters(struct trace_filter *filters, size_t n)
{
    tracer_lock();
    _PyTraceMalloc_ReplaceFilters(&S->filters, filters, n);
    attention_update_lock_held();
    tracer_unlock();
}


void
_PyTraceMalloc_SetLimit_lock_held(int nframe)
{
    _PyRuntime.tracemalloc.nframe = nframe;
    S->filters.nframe = (uint32_t)nframe;
    _PyTraceMalloc_ForgetVerdicts(&S->filters);
}


int
_PyTraceMalloc_IsAdmitted(const struct place *place, enum access access)
{
    if (S->filters.n == 0 || place == NULL) {
        return 1;
    }
    context_id id = place->context_id;
    int admitted = -1;
    if (access != ACCESS_DETACHED) {
        admitted = _PyTraceMalloc_RecallVerdict(&S->filters, &S->contexts, id);
    }
    if (admitted < 0) {
        /* The lock, for the file names. */
        access_lock(access);
        admitted = _PyTraceMalloc_JudgeContext(&S->filters, &S->sources,
                                               &S->contexts, id);
        access_unlock(access);
        if (access != ACCESS_DETACHED) {
            _PyTraceMalloc_KeepVerdict(&S->filters, &S->contexts, id,
                                       admitted);
        }
    }
    return admitted;
}
