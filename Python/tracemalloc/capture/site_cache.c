/* The cache of call sites: see site_cache.h. */

#include "Python.h"
#include "site_cache.h"

struct context _PyTraceMalloc_NoContext = {
    /* No room. */
    .counts = (uint64_t)MAX_FEW << FEW_FIRST | (uint64_t)MAX_FEW << FEW_SECOND
              | FEW_SIZE_MASK << FEW_FIRST_SIZE
              | FEW_SIZE_MASK << FEW_SECOND_SIZE,
};
struct cached_site _PyTraceMalloc_SiteCache[SITE_CACHE_SIZE];


PART void
tm_clear_site_cache(void)
{
    memset(_PyTraceMalloc_SiteCache, 0, sizeof(_PyTraceMalloc_SiteCache));
}
