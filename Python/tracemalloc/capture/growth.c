/* Growth: contexts are reclaimed when there are many of them.

   Called by capture, after a number was given, and by whoever notes blocks;
   calls reclaim, which is plain C and told here what must stay. */

#include "Python.h"
#include "../access.h"
#include "capture.h"
#include "growth.h"

#include <stdlib.h>               // calloc()

#define S (&_PyTraceMalloc_State)


void
_PyTraceMalloc_ReclaimNow(enum access access)
{
    access_lock(access);
    if (access == ACCESS_GIL) {
        _PyTraceMalloc_DrainDetached_lock_held();
    }
    struct context_tree *tree = &S->contexts;
    reclaim_want(0);
    _PyTraceMalloc_RenewEpochs(tree, &S->bytes);
    struct reclaim_roots roots = {
        .contexts = calloc(tree->contexts.used, 1),
        .paths = calloc(tree->paths.used, 1),
    };
    long taken = -1;
    if (roots.contexts != NULL && roots.paths != NULL) {
        _PyTraceMalloc_MarkCaches(&roots);
        roots.contexts[CONTEXT_OWN] = 1;
        _PyTraceMalloc_ForgetSites();
        taken = _PyTraceMalloc_Reclaim(
            tree, &S->sources, &S->bytes, &roots,
            _PyTraceMalloc_PaceIsHard(&S->pace, tree));
        if (taken > 0) {
            _PyTraceMalloc_Reindex(tree);
        }
    }
    free(roots.contexts);
    free(roots.paths);
    tree->generation++;
    _PyTraceMalloc_SetPace(&S->pace, tree, &S->sources, &S->bytes, taken);
    access_unlock(access);
}


void
_PyTraceMalloc_WatchGrowth_lock_held(uint32_t id, enum access access)
{
    /* Without access, traced bytes may not be read. */
    if (id != 0 ? pace_is_due(&S->pace, &S->contexts)
        : _PyTraceMalloc_CountMiss(&S->pace, access == ACCESS_DETACHED
                                             ? NULL : &S->bytes))
    {
        reclaim_want(1);
    }
}
