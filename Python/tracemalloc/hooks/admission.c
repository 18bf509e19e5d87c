/* Admission: whether a block that was captured is to be noted.

   Called by whoever notes blocks, for each of them while there are filters,
   and by pytracemalloc.c, which sets them; calls store/filters.c. */

#include "Python.h"
#include "../access.h"
#include "admission.h"

#define S (&_PyTraceMalloc_State)


PART void
tm_set_filters(struct trace_filter *filters, size_t n)
{
    tm_lock();
    tm_replace_filters(&S->filters, filters, n);
    tm_update_slow_flags_lock_held();
    tm_unlock();
}


PART void
tm_set_limit_lock_held(int nframe)
{
    _PyRuntime.tracemalloc.nframe = nframe;
    S->filters.nframe = (uint32_t)nframe;
    tm_forget_filter_results(&S->filters);
}


int
_PyTraceMalloc_IsAdmitted(const struct site *site, enum access access)
{
    if (S->filters.n == 0 || site == NULL) {
        return 1;
    }
    context_id id = tm_site_context(site);
    int admitted = -1;
    if (access != ACCESS_DETACHED) {
        admitted = tm_recall_filter_result(&S->filters, &S->tree, id);
    }
    if (admitted < 0) {
        /* The lock, for the file names. */
        tm_access_lock(access);
        admitted = tm_apply_filters(&S->filters, &S->codes,
                                    &S->tree, id);
        tm_access_unlock(access);
        if (access != ACCESS_DETACHED) {
            tm_keep_filter_result(&S->filters, &S->tree, id,
                                  admitted);
        }
    }
    return admitted;
}
