/* The tracer's part of Objects/obmalloc.c, its last: allocator functions,
   which must know the pool of a block.

       hooks/pymalloc.c.h        pymalloc that notes every block
         hooks/pool_cells.c.h    which cell a block has
         hooks/pool_walks.c.h    blocks of pools, for the rest of the tracer
       sampler/allocators.c.h    pymalloc and all others, taking samples */

#include "hooks/pymalloc.c.h"
#include "sampler/allocators.c.h"
