/* The tracer, one unit of many parts.

   The parts lie in Python/tracemalloc, by stage; a block passes through them
   from top to bottom:

       hooks/       what allocates and frees: allocator hooks, pymalloc with
                    cells, objects from free lists, filters and the alarm
       sampler/     the same, for one block every so many bytes
       capture/     the frames of the calling thread -> its context
       store/       contexts with their counters, blocks, names: plain C
       snapshot/    copies of the store, for Python and for reports
       record/      a copy in a file, for others, also when the process is gone

   Beside them: core.h, with the glossary; state.h, all that lasts; access.h,
   who may touch what; and who begins, ends and asks.

   Three more units use them: Objects/obmalloc.c, which ends with obmalloc.c.h,
   since only there a block's pool is known; Modules/_tracemalloc.c, the face
   that Python sees; and Tools/core, which tests the plain parts. */

#include "Python.h"

#define PART static

#include "tracemalloc/store/name_table.c"
#include "tracemalloc/store/line_map.c"
#include "tracemalloc/store/code_table.c"
#include "tracemalloc/store/locations.c"
#include "tracemalloc/store/zeros.c"
#include "tracemalloc/store/cells.c"
#include "tracemalloc/store/node_index.c"
#include "tracemalloc/store/call_tree.c"
#include "tracemalloc/store/counting.c"
#include "tracemalloc/store/shadow.c"
#include "tracemalloc/store/block_table.c"
#include "tracemalloc/store/detached.c"
#include "tracemalloc/store/taken_paths.c"
#include "tracemalloc/store/reclaim.c"
#include "tracemalloc/store/filters.c"

#include "tracemalloc/access.c"
#include "tracemalloc/own.c"

#include "tracemalloc/capture/threads.c"
#include "tracemalloc/capture/site_cache.c"
#include "tracemalloc/capture/cache.c"
#include "tracemalloc/capture/growth.c"
#include "tracemalloc/capture/accounts.c"
#include "tracemalloc/capture/code_objects.c"
#include "tracemalloc/capture/entries.c"
#include "tracemalloc/capture/capture.c"
#include "tracemalloc/capture/verify.c"

#include "tracemalloc/sampler/sampler.c"
#include "tracemalloc/sampler/count_sample.c"
#include "tracemalloc/sampler/sampled_blocks.c"

#include "tracemalloc/hooks/admission.c"
#include "tracemalloc/hooks/alarm.c"
#include "tracemalloc/hooks/count_block.c"
#include "tracemalloc/hooks/blocks.c"
#include "tracemalloc/hooks/hooks.c"
#include "tracemalloc/hooks/objects.c"

#include "tracemalloc/snapshot/snapshot.c"
#include "tracemalloc/snapshot/instructions.c"
#include "tracemalloc/snapshot/rows.c"
#include "tracemalloc/snapshot/cell_sizes.c"
#include "tracemalloc/snapshot/trace_copy.c"
#include "tracemalloc/snapshot/taking.c"
#include "tracemalloc/snapshot/decode.c"
#include "tracemalloc/snapshot/tracebacks.c"
#include "tracemalloc/snapshot/dump.c"
#include "tracemalloc/snapshot/columns.c"
#include "tracemalloc/snapshot/column_args.c"
#include "tracemalloc/snapshot/picks.c"
#include "tracemalloc/snapshot/folding.c"
#include "tracemalloc/snapshot/sums.c"
#include "tracemalloc/snapshot/unpickle.c"
#include "tracemalloc/snapshot/raw_traces.c"

#include "tracemalloc/record/pages.c"
#include "tracemalloc/record/tables.c"
#include "tracemalloc/record/account_names.c"
#include "tracemalloc/record/about.c"
#include "tracemalloc/record/place.c"
#include "tracemalloc/record/checkpoint.c"
#include "tracemalloc/record/helper.c"
#include "tracemalloc/record/record.c"

#include "tracemalloc/control.c"
#include "tracemalloc/options.c"
#include "tracemalloc/capi.c"
#include "tracemalloc/figures.c"
#include "tracemalloc/accounts.c"
#include "tracemalloc/check_store.c"
#include "tracemalloc/pytracemalloc.c"
