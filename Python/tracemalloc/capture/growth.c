/* Growth: contexts are reclaimed when there are many of them.

   Called by capture, after a number was given, and by whoever notes blocks;
   calls reclaim, which is plain C and told here what must stay. */

#include "Python.h"
#include "../access.h"
#include "cache.h"
#include "growth.h"
#include "site_cache.h"

#include <stdlib.h>               // calloc()

#define S (&_PyTraceMalloc_State)


PART void
tm_reclaim_now(enum access access)
{
    tm_access_lock(access);
    if (access == ACCESS_GIL) {
        tm_drain_detached_lock_held();
    }
    struct call_tree *tree = &S->tree;
    tm_reclaim_want(0);
    tm_judge_reclaims(&S->pace, tree);
    _PyTraceMalloc_RenewEpochs(tree, &S->bytes);
    struct reclaim_roots roots = {
        .contexts = calloc(tree->contexts.used, 1),
        .nodes = calloc(tree->nodes.used, 1),
    };
    struct reclaimed_nodes done = tm_nothing_reclaimed(tree);
    if (roots.contexts != NULL && roots.nodes != NULL) {
        tm_mark_caches(&roots);
        roots.contexts[CONTEXT_OWN] = 1;
        tm_widen_site_cache();
        done = tm_reclaim(
            tree, &S->codes, &S->bytes, &roots,
            tm_pace_reach(&S->pace, tree, &S->codes));
        if (done.taken > 0) {
            tm_reindex(tree);
        }
    }
    free(roots.contexts);
    free(roots.nodes);
    tree->generation++;
    tm_set_pace(&S->pace, tree, &S->codes, &S->bytes, &done);
    tm_access_unlock(access);
}


PART void
tm_watch_growth_lock_held(uint32_t id, enum access access)
{
    /* Without access, traced bytes may not be read. */
    if (id != 0 ? tm_pace_is_due(&S->pace, &S->tree)
        : tm_count_miss(&S->pace, access == ACCESS_DETACHED
                                             ? NULL : &S->bytes))
    {
        tm_reclaim_want(1);
    }
}
