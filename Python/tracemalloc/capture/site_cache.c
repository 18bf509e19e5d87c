/* The cache of call sites: see site_cache.h. */

#include "Python.h"
#include "site_cache.h"

struct context _PyTraceMalloc_NoContext = {
    /* No room. */
    .counts = (uint64_t)MAX_FEW << FEW_FIRST | (uint64_t)MAX_FEW << FEW_SECOND
              | FEW_SIZE_MASK << FEW_FIRST_SIZE
              | FEW_SIZE_MASK << FEW_SECOND_SIZE,
};
struct cached_site _PyTraceMalloc_SiteCache[MOST_SITES];
uint32_t _PyTraceMalloc_LastSite = LAST_SITE(FIRST_SITES);


PART void
tm_clear_site_cache(void)
{
    memset(_PyTraceMalloc_SiteCache, 0,
           _PyTraceMalloc_LastSite + sizeof(struct cached_site));
}


PART void
tm_widen_site_cache(void)
{
    tm_clear_site_cache();
    _PyTraceMalloc_LastSite = LAST_SITE(MOST_SITES);
}
