/* Aligned memory full of zeros.

   Called by cells.c and call_tree.c, for rows and contexts; calls nobody.
   Memory of calloc() is not touched before it is used, and aligned_alloc() has
   nothing like it.

       [ begin . | zeros ...           ]
       ^    |    ^ given out
       +----+      what calloc() gave stands right below */

#include "zeros.h"

#include <assert.h>
#include <stdlib.h>


PART void *
tm_new_zeros_in(void **memory, size_t size, size_t unit)
{
    assert(unit >= 2 * sizeof(void *) && (unit & (unit - 1)) == 0);
    char *begin = *memory = calloc(1, size + unit);
    return begin == NULL ? NULL : begin + unit - (uintptr_t)begin % unit;
}


PART void *
tm_new_zeros(size_t size, size_t unit)
{
    void *begin;
    void *zeros = tm_new_zeros_in(&begin, size, unit);
    if (zeros != NULL) {
        ((void **)zeros)[-1] = begin;
    }
    return zeros;
}


PART void
tm_free_zeros(void *zeros)
{
    free(((void **)zeros)[-1]);
}
