/* The cache of call sites: see site_cache.h. */

#include "Python.h"
#include "site_cache.h"

struct context _PyTraceMalloc_NoContext = {
    .few = {.allocated_bytes = UINT16_MAX, .allocated_blocks = MAX_FEW},
};
struct cached_site _PyTraceMalloc_SiteCache[SITE_CACHE_SIZE];


PART void
tm_clear_site_cache(void)
{
    memset(_PyTraceMalloc_SiteCache, 0, sizeof(_PyTraceMalloc_SiteCache));
}
