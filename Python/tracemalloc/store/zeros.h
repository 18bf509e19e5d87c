/* Aligned memory full of zeros, for chunks that may never be used. */

#ifndef TRACEMALLOC_ZEROS_H
#define TRACEMALLOC_ZEROS_H

#include "../core.h"

/* `size` zeros at a multiple of `unit`, a power of two, or NULL when out of
   memory.  They take `size + unit` bytes, are not touched before they are
   used, and are freed by tm_free_zeros() only. */
PART void *tm_new_zeros(size_t size, size_t unit);
PART void tm_free_zeros(void *);

/* The same, for who keeps what is to be given to free() itself: where it is
   kept above takes a page of its own, if the unit is as large as one. */
PART void *tm_new_zeros_in(void **memory, size_t size, size_t unit);

#endif  /* !TRACEMALLOC_ZEROS_H */
