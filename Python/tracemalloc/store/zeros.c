/* Aligned memory full of zeros.

   Called by cells.c and call_tree.c, for rows and counters; calls nobody.  Memory
   of calloc() is not touched before it is used, and aligned_alloc() has
   nothing like it.

       [ begin . | zeros ...           ]
       ^    |    ^ given out
       +----+      what calloc() gave stands right below */

#include "zeros.h"

#include <assert.h>
#include <stdlib.h>


PART void *
tm_new_zeros(size_t size, size_t unit)
{
    assert(unit >= 2 * sizeof(void *) && (unit & (unit - 1)) == 0);
    char *begin = calloc(1, size + unit);
    if (begin == NULL) {
        return NULL;
    }
    char *zeros = begin + unit - (uintptr_t)begin % unit;
    ((char **)(void *)zeros)[-1] = begin;
    return zeros;
}


PART void
tm_free_zeros(void *zeros)
{
    free(((char **)zeros)[-1]);
}
