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


/* The line of a context that was just captured.  Without access it is that of
   the code object, which runs: who has access may give the context counters
   meanwhile, which takes the place of its line.  Needs the lock. */
static int32_t
captured_line(const struct context *context, enum access access)
{
    code_id code = tm_context_code(context);
    if (access != ACCESS_DETACHED || tm_context_is_wide(context)
        || tm_code_at(&S->codes, code)->lines == NULL)
    {
        return tm_context_line(context);
    }
    uint32_t unit = tm_context_unit(context);
    return tm_code_line(&S->codes, code,
                        unit != NO_UNIT ? (intptr_t)unit : -1);
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
        admitted = tm_apply_filters(
            &S->filters, &S->codes, &S->tree, id,
            captured_line(tm_context_at(&S->tree, id), access));
        tm_access_unlock(access);
        if (access != ACCESS_DETACHED) {
            tm_keep_filter_result(&S->filters, &S->tree, id,
                                  admitted);
        }
    }
    return admitted;
}
