/* The tracer's own data: sources, paths, contexts, blocks and cells.

   Everything declared here is plain C.  No Python object, no interpreter
   state and no lock lives in these structures, so their files compile without
   Python.h and are tested, fuzzed and sanitized on their own.

   Glossary

       block     a live allocation: (domain, address) -> size and context
       domain    the address space of a block: 0 for Python's own memory, any
                 other number for what extensions report
       path      a chain of call sites, from the outermost frame to a caller;
                 a node of the path tree
       context   where a block comes from: the path of the callers, and the
                 instruction that allocates.  Has the counters
       source    what must outlive a code object: its names, and where its
                 instructions stand
       cell      4 bytes beside each block of a pymalloc pool: its context
       trace     a block as users see it: domain, size, decoded context
       sample    a block that is noted for itself and for others that are not
       weight    how many blocks and bytes a sample stands for

   Flow: capture -> context -> cells and block tables -> frozen -> Python.

   Access.  The counters of contexts, the cells and the table of large blocks
   belong to whoever has the right to change them: the holder of the GIL while
   the process has one GIL, the holder of the store lock otherwise (see
   pycore_tracemalloc_state.h).  All else needs the store lock, except that
   paths and contexts may be looked up without it: nodes never move, are
   complete before an index names them, and an index that was replaced is kept
   until its readers are gone.

   No function calls back, and all memory comes from the C library, so the
   store lock is a leaf: nothing else is ever taken under it. */

#ifndef Py_INTERNAL_TRACEMALLOC_CORE_H
#define Py_INTERNAL_TRACEMALLOC_CORE_H

#include <stddef.h>
#include <stdint.h>

typedef uint32_t code_id;
typedef uint32_t file_id;
typedef uint32_t path_id;
typedef uint32_t context_id;

struct traced_bytes;            /* see pycore_tracemalloc_counting.h */

enum {
    CODE_NONE = 0,          /* a code object the tracer has not met */
    FILE_NONE = 0,
    PATH_NONE = 0,          /* not looked up, or out of memory */
    PATH_ROOT = 1,          /* no caller */
    CONTEXT_NONE = 0,       /* an empty cell or slot, or out of memory */
    CONTEXT_UNKNOWN = 1,    /* no frame: shown as "<unknown>", line 0 */
};

/* A cell has 25 bits for the context; the stress build has numbers so small
   that they run out in any test. */
#ifdef Py_TRACEMALLOC_STRESS
#  define MAX_CONTEXTS ((size_t)1 << 14)
#  define MAX_PATHS ((size_t)1 << 15)
#  define CHUNK_SHIFT 4
#else
#  define MAX_CONTEXTS ((size_t)1 << 25)
#  define MAX_PATHS ((size_t)1 << 27)
#  define CHUNK_SHIFT 10
#endif

/* Bits of the numbers, whatever the build. */
#define CONTEXT_BITS 25
#define PATH_BITS 27

#define COUNTERS_SHIFT (CHUNK_SHIFT + 4)
#define CHUNK_SIZE ((size_t)1 << CHUNK_SHIFT)
#define CHUNK_MASK (CHUNK_SIZE - 1)


/* --- Python/tracemalloc_sources.c ---------------------------------------- */

/* The name of a file or a function, as the 1, 2 or 4 bytes per character that
   str uses, so that every name, lone surrogates included, comes back as it
   was. */
struct source_file {
    uint32_t hash;
    uint32_t kind;              /* bytes per character: 1, 2 or 4 */
    size_t length;              /* characters */
    unsigned char text[];       /* length * kind bytes */
};

/* Names never move or change, and none goes while a frozen copy holds a
   reference: that has its own array of pointers, so decoding needs no lock. */
struct source_names {
    size_t refcount;
    size_t used;                /* entries; number 0 is never used */
    size_t allocated;
    struct source_file **files; /* NULL: unused */
    file_id *next_unused;       /* chain of unused numbers */
    file_id unused;             /* its head */
    size_t bytes;               /* memory of this structure and the names */
};

/* The line of each code unit of a code object, made once: its own table is
   compressed, and takes time proportional to its length.  Most take 2 bytes a
   unit: the line minus `first`, or NO_LINE. */
struct line_map {
    uint32_t nunits;
    int32_t first;
    int wide;                   /* `units` are int32_t, and lines */
    uint16_t units[];
};

#define NO_LINE 0xffff

/* What is known of a code object. */
struct code_source {
    file_id file;
    file_id function;           /* its qualified name */
    struct line_map *lines;
    /* Its location table, which says for each instruction from where to where
       it stands.  The code object's own, which is not copied before the code
       object dies: it takes as much memory as the lines, and is read only when
       somebody looks. */
    const unsigned char *locations;
    uint32_t nlocations;        /* bytes */
};

/* A code object, alive or dead. */
struct source_code {
    void *owner;                /* the code object; NULL: retired or unused */
    struct line_map *lines;     /* NULL without an owner */
    const unsigned char *locations;     /* own memory without an owner */
    uint32_t nlocations;
    file_id file;
    file_id function;
    code_id next_unused;        /* chain of unused entries */
};

#define MAX_CODES ((size_t)1 << 25)

struct source_table {
    struct source_names *names;
    uint32_t *name_slots;       /* open addressing, file_id or 0 */
    size_t name_mask;
    uint32_t used;              /* code objects, number 0 included */
    uint32_t unused;            /* head of the chain of unused numbers */
    uint32_t retired;           /* without an owner, but named by contexts */
    size_t line_bytes;
    size_t retired_bytes;       /* location tables of retired ones */
    struct source_code *chunks[MAX_CODES >> CHUNK_SHIFT];   /* never move */
};

extern int _PyTraceMalloc_InitSources(struct source_table *);
extern void _PyTraceMalloc_FiniSources(struct source_table *);

/* The number of a name, added if new; FILE_NONE when out of memory. */
extern file_id _PyTraceMalloc_AddName(struct source_table *, uint32_t kind,
                                      const void *text, size_t length);

/* Give a code object a number.  Takes over the lines (from malloc) on success,
   and borrows the locations until the code object is retired.  CODE_NONE when
   out of memory or numbers. */
extern code_id _PyTraceMalloc_AddCode(struct source_table *, void *owner,
                                      const struct code_source *);

/* The code object dies: keep only what contexts name.  Without memory for a
   copy of its locations they are unknown from then on. */
extern void _PyTraceMalloc_RetireCode(struct source_table *, code_id);

/* Let retired numbers for which used[number] is 0 be given again; a NULL
   stands for all zeros. */
extern void _PyTraceMalloc_RecycleCodes(struct source_table *,
                                        const unsigned char *used);

/* Free names that no code object, live or retired, has. */
extern void _PyTraceMalloc_ReclaimFiles(struct source_table *);

extern void _PyTraceMalloc_HoldNames(struct source_names *);
extern void _PyTraceMalloc_DropNames(struct source_names *);
extern size_t _PyTraceMalloc_SizeOfSources(const struct source_table *);

/* How many code objects, live or retired, and names there are. */
extern void _PyTraceMalloc_CountSources(const struct source_table *,
                                        size_t *codes, size_t *names);

/* Where an instruction stands in its source: it begins in `column` of its line
   and ends before `end_column`, `lines` lines below.  Columns are counted in
   bytes of UTF-8.  -1: unknown. */
struct location {
    int32_t lines;
    int32_t column;
    int32_t end_column;
};

/* Read a location table: where each of `nunits` code units stands.  Whatever
   the table does not say, or says wrongly, is unknown. */
extern void _PyTraceMalloc_ReadLocations(const unsigned char *table,
                                         size_t length,
                                         struct location *units,
                                         size_t nunits);

static inline struct source_code *
source_at(const struct source_table *table, code_id code)
{
    return &table->chunks[code >> CHUNK_SHIFT][code & CHUNK_MASK];
}

/* The line of a code unit of a live code object; 0 if it has none.  -1 stands
   for "before the first one", which is the line where the code begins. */
static inline int32_t
source_line(const struct source_table *table, code_id code, intptr_t unit)
{
    const struct line_map *map = source_at(table, code)->lines;
    /* The entry behind the last unit is the line where the code begins. */
    size_t at = (size_t)unit < map->nunits ? (size_t)unit : map->nunits;
    if (map->wide) {
        return ((const int32_t *)(const void *)map->units)[at];
    }
    return map->units[at] == NO_LINE ? 0 : map->first + map->units[at];
}


/* --- Python/tracemalloc_contexts.c --------------------------------------- */

/* A call site under its caller. */
struct path {
    path_id parent;             /* PATH_NONE: unused, or the root */
    code_id code;               /* fixed while used; unused: next unused */
    int32_t line;               /* fixed while used; >= 0 */
    uint32_t depth;             /* frames up to the root; fixed while used */
    path_id first_child;        /* atomic; in no index; or PATH_NONE */
    context_id first_context;   /* the same */
};

/* What was allocated and freed at a place, ever; live is the difference.  The
   order keeps apart what is changed together: as a pair it would be loaded as
   one vector just after being stored as two words, and wait. */
struct counters {
    union {
        uint64_t allocated_blocks;
        struct counters *next_unused;
    };
    uint64_t freed_blocks;
    uint64_t allocated_bytes;
    uint64_t freed_bytes;
    /* Live when traced memory was highest; see `epoch`. */
    uint64_t peak_blocks;
    uint64_t peak_bytes;
};

/* A place that allocates.  Nearly all allocate little: they count beside their
   key, in as few bits as that takes.  All others have counters. */
struct context {
    path_id path;               /* the callers; PATH_NONE: unused */
    code_id code;               /* fixed while used; unused: next unused */
    uint32_t site;              /* see CONTEXT_SITE(); fixed while used */
    int32_t line;               /* fixed while used; >= 0 */
    union {
        struct {
            uint16_t allocated_bytes;
            uint16_t peak_bytes;
            uint8_t allocated_blocks;
            uint8_t peak_blocks;
        } few;
        struct counters *counters;      /* if `full` */
    };
    /* Of the few, too, but over no pointer: see CountLost(). */
    uint16_t freed_bytes;
    uint8_t freed_blocks;
    uint8_t full;               /* whether there are counters; stays so */
    /* What is said to be live at the peak is, if this is the current epoch;
       otherwise what is live now was live at the peak. */
    uint32_t epoch;
};

#ifdef Py_TRACEMALLOC_STRESS
#  define MAX_FEW 5
#else
#  define MAX_FEW UINT8_MAX
#endif

/* The instruction in code units, and the number of the domain: a context is
   of one domain only.  Domain 0 has number 0.  The last number stands for all
   domains that came when the others were given away; there `late_chunks` says
   which it is. */
#define CONTEXT_SITE(unit, number) \
    ((uint32_t)(unit) | (uint32_t)(number) << 24)
#define MAX_UNIT ((1u << 24) - 1)
#define MAX_DOMAINS 256
#define LATE_DOMAIN (MAX_DOMAINS - 1)

/* Open addressing; a number is stored after its node is complete.  The bits of
   a slot above the number are of the key's hash, so that few nodes that are
   not meant are read. */
struct number_index {
    struct number_index *next;      /* chain of replaced ones; else NULL */
    size_t mask;
    uint32_t slots[];
};

#define SLOT_PATH(slot) ((slot) & (((uint32_t)1 << PATH_BITS) - 1))
#define SLOT_CONTEXT(slot) ((slot) & (((uint32_t)1 << CONTEXT_BITS) - 1))

/* Bookkeeping for the nodes of one kind. */
struct node_space {
    struct number_index *index;     /* atomic */
    uint32_t used;                  /* numbers given so far, 0 included */
    uint32_t unused;                /* head of the chain of unused numbers */
    uint32_t live;                  /* nodes */
    uint32_t indexed;               /* those in the index */
    size_t chunks;                  /* allocated */
};

struct context_tree {
    struct node_space paths;
    struct node_space contexts;
    struct number_index *replaced;  /* readers may still be in there */
    uint32_t generation;            /* bumped when numbers change meaning */
    uint32_t ndomains;
    uint32_t domains[MAX_DOMAINS];  /* by number */
    uint64_t reclaimed_blocks;      /* allocated and freed in contexts that */
    uint64_t reclaimed_bytes;       /*     were reclaimed since */
    uint64_t reclaimed_contexts;    /* how many */
    uint64_t reclaimed_paths;
    struct path *path_chunks[MAX_PATHS >> CHUNK_SHIFT];
    struct context *context_chunks[MAX_CONTEXTS >> CHUNK_SHIFT];
    /* As many counters as there is room for contexts, so that giving them
       never fails.  Those that were never given are not touched. */
    struct counters *counter_chunks[MAX_CONTEXTS >> COUNTERS_SHIFT];
    struct counters *unused_counters;   /* chain; access, like the next */
    uint32_t used_counters;             /* ever given */
    /* Domains of contexts with LATE_DOMAIN; NULL where there is none. */
    uint32_t *late_chunks[MAX_CONTEXTS >> CHUNK_SHIFT];
    size_t nlate_chunks;
};

extern int _PyTraceMalloc_InitContexts(struct context_tree *);
extern void _PyTraceMalloc_FiniContexts(struct context_tree *);

/* A path or context that exists, or PATH_NONE or CONTEXT_NONE.  No lock.
   Contexts here and in AddContext() are of domain 0: `site` is the unit. */
extern path_id _PyTraceMalloc_FindPath(const struct context_tree *,
                                       path_id parent, code_id, int32_t line);
extern context_id _PyTraceMalloc_FindContext(const struct context_tree *,
                                             path_id, code_id, uint32_t site,
                                             int32_t line);

/* The same, added if new; PATH_NONE or CONTEXT_NONE when out of memory or
   numbers. */
extern path_id _PyTraceMalloc_AddPath(struct context_tree *, path_id parent,
                                      code_id, int32_t line);
extern context_id _PyTraceMalloc_AddContext(struct context_tree *, path_id,
                                            code_id, uint32_t site,
                                            int32_t line);

/* The context at the same place as another one, of domain 0, for blocks of
   another domain: found or added. */
extern context_id _PyTraceMalloc_AddContextOfDomain(struct context_tree *,
                                                    const struct context *,
                                                    uint32_t domain);

/* The root of the paths of one thread, added if new: a path without a frame,
   whose line is the thread's number and whose parent is the root of all, which
   is thread 0's. */
extern path_id _PyTraceMalloc_AddRoot(struct context_tree *, uint32_t thread);

/* Free indexes that were replaced, when nobody looks up without the lock. */
extern void _PyTraceMalloc_FreeReplaced(struct context_tree *);

/* For reclaim: give a number back, and then build the indexes anew, while
   nobody looks up.  Needs no memory: without it they stay as large as they
   were. */
extern void _PyTraceMalloc_FreePath(struct context_tree *, path_id);
extern void _PyTraceMalloc_FreeContext(struct context_tree *, context_id);
extern void _PyTraceMalloc_Reindex(struct context_tree *);

/* Bytes taken; counters that were never given are none. */
extern size_t _PyTraceMalloc_SizeOfContexts(const struct context_tree *);

/* NULL, or what is wrong. */
extern const char *_PyTraceMalloc_CheckContexts(const struct context_tree *);

static inline struct path *
path_at(const struct context_tree *tree, path_id id)
{
    return &tree->path_chunks[id >> CHUNK_SHIFT][id & CHUNK_MASK];
}

static inline struct context *
context_at(const struct context_tree *tree, context_id id)
{
    return &tree->context_chunks[id >> CHUNK_SHIFT][id & CHUNK_MASK];
}

static inline uint32_t
context_domain(const struct context_tree *tree, context_id id)
{
    uint32_t number = context_at(tree, id)->site >> 24;
    return number == LATE_DOMAIN
        ? tree->late_chunks[id >> CHUNK_SHIFT][id & CHUNK_MASK]
        : tree->domains[number];
}

/* Whether a path is the root of a thread: it has no frame. */
static inline int
path_is_root(const struct context_tree *tree, path_id id)
{
    return path_at(tree, id)->depth == 0;
}

/* Frames of a context: its own, if it has one, and its callers. */
static inline uint32_t
context_depth(const struct context_tree *tree, const struct context *context)
{
    return path_at(tree, context->path)->depth + (context->code != CODE_NONE);
}


/* --- Objects/tracemalloc_detached.c -------------------------------------- */

/* What detached threads counted for a context since somebody with access
   looked; all modulo 2**64. */
struct detached_count {
    context_id context;
    uint32_t epoch;
    uint64_t allocated_blocks;
    uint64_t allocated_bytes;
    uint64_t freed_blocks;
    uint64_t freed_bytes;
    /* What was live at the maximum of the list, if `epoch` is the list's;
       otherwise it is what is live now. */
    uint64_t peak_blocks;
    uint64_t peak_bytes;
};

struct detached_counts {
    struct detached_count *counts;
    size_t used;
    size_t allocated;
    size_t bytes;               /* more is live than without the list, or,
                                   modulo 2**64, less */
    size_t peak;                /* highest value of `bytes`; >= 0 */
    uint32_t epoch;             /* as in struct traced_bytes */
    uint32_t saved;
};

/* Empty a list, which zeros alone are not; and free its memory too. */
extern void _PyTraceMalloc_ClearDetached(struct detached_counts *);
extern void _PyTraceMalloc_FiniDetached(struct detached_counts *);

/* As count_alloc(), count_free() and uncount_free(): 0, or -1 when out of
   memory, and then nothing is counted. */
extern int _PyTraceMalloc_CountDetachedAlloc(struct detached_counts *,
                                             context_id, size_t size);
extern int _PyTraceMalloc_CountDetachedFree(struct detached_counts *,
                                            context_id, size_t size);
extern int _PyTraceMalloc_UncountDetachedFree(struct detached_counts *,
                                              context_id, size_t size);

/* Take a list over, and empty it.  Needs access. */
extern void _PyTraceMalloc_TakeDetached(struct detached_counts *,
                                        struct context_tree *,
                                        struct traced_bytes *);


/* --- Objects/tracemalloc_blocks.c ---------------------------------------- */

struct block {
    uintptr_t address;
    size_t size;                /* bytes, as the caller asked for */
    context_id context;         /* CONTEXT_NONE: the slot is empty */
    uint32_t domain;
};

struct block_table {
    struct block *slots;        /* open addressing on (domain, address) */
    size_t mask;
    size_t used;
};

extern int _PyTraceMalloc_InitBlocks(struct block_table *);
extern void _PyTraceMalloc_FiniBlocks(struct block_table *);
extern void _PyTraceMalloc_ClearBlocks(struct block_table *);

/* Make room for one more block: 0, or -1 when out of memory. */
extern int _PyTraceMalloc_ReserveBlock(struct block_table *);

/* Add a block that is not there yet.  Room must have been reserved. */
extern void _PyTraceMalloc_AddBlock(struct block_table *,
                                    const struct block *);

/* The same, with or without room, in place of one that may be there: 1 and a
   copy of it, 0, or -1 when out of memory (nothing changed). */
extern int _PyTraceMalloc_PutBlock(struct block_table *, const struct block *,
                                   struct block *stale);

/* Remove a block and copy it to *removed: 1, or 0 if there is none. */
extern int _PyTraceMalloc_RemoveBlock(struct block_table *, uint32_t domain,
                                      uintptr_t address,
                                      struct block *removed);

/* The block at an address, or NULL.  Valid until the table changes. */
extern struct block *_PyTraceMalloc_FindBlock(const struct block_table *,
                                              uint32_t domain,
                                              uintptr_t address);

extern size_t _PyTraceMalloc_SizeOfBlocks(const struct block_table *);

/* NULL, or what is wrong; adds the blocks to the sums in live[context]. */
struct live_sums {
    uint64_t blocks;
    uint64_t bytes;
};
extern const char *_PyTraceMalloc_CheckBlocks(const struct block_table *,
                                              const struct context_tree *,
                                              struct live_sums *live);


/* --- Objects/tracemalloc_cells.c ----------------------------------------- */

/* Zeros at a multiple of `unit`, a power of two, or NULL: for chunks of which
   some may never be used, and are not touched then.  They take `size + unit`
   bytes, and are freed by FreeZeros() only. */
extern void *_PyTraceMalloc_NewZeros(size_t size, size_t unit);
extern void _PyTraceMalloc_FreeZeros(void *);

/* The cells of one pool; `cell[i]` belongs to the block at
   first + i * block_size. */
struct cell_row {
    uintptr_t pool;             /* the pool, or 0: the row is unused */
    union {
        uint32_t next_unused;
        uint32_t used;          /* in use, when sampling: the cells in use,
                                   and ROW_WATCHED */
    };
    uint16_t ncells;
    uint16_t size_class;
    uint32_t cells[];
};

/* Context in the low 25 bits; above them the slack, how many bytes the block
   is larger than what was asked for. */
#define CELL_CONTEXT(cell) ((cell) & (((uint32_t)1 << 25) - 1))
#define CELL_SLACK(cell) ((cell) >> 25)
#define CELL(context, slack) ((context) | (uint32_t)(slack) << 25)
#define MAX_SLACK 127

/* Whoever frees a block of the pool is to look for it in the tables. */
#define ROW_WATCHED ((uint32_t)1 << 31)

#define CELL_CLASSES 64
#define ROW_UNIT 64             /* rows begin at multiples of it, in bytes */
#define ROWS_SHIFT 12           /* log2 of units per chunk */
/* 16 GiB of rows, which serve 64 GiB of blocks of 16 bytes, or 256 GiB of 64:
   what lies beyond is dropped, and counted. */
#define MAX_ROW_CHUNKS (1 << 16)

struct cell_store {
    char *chunks[MAX_ROW_CHUNKS];
    uint32_t nchunks;
    uint32_t next;              /* first unit never used in the last chunk */
    uint32_t unused[CELL_CLASSES];  /* chains of unused rows, by size class */
    size_t rows;                /* in use */
};

extern void _PyTraceMalloc_InitCells(struct cell_store *);
extern void _PyTraceMalloc_FiniCells(struct cell_store *);

/* A row of `ncells` empty cells: its number, or 0 when out of memory. */
extern uint32_t _PyTraceMalloc_AddRow(struct cell_store *, uintptr_t pool,
                                      unsigned size_class, unsigned ncells);
extern void _PyTraceMalloc_FreeRow(struct cell_store *, uint32_t row);

/* Rows in use, one after the other: the number after `row` (0 at first), or 0
   at the end. */
extern uint32_t _PyTraceMalloc_NextRow(const struct cell_store *,
                                       uint32_t row);

extern size_t _PyTraceMalloc_SizeOfCells(const struct cell_store *);

static inline struct cell_row *
row_at(const struct cell_store *store, uint32_t row)
{
    return (struct cell_row *)(store->chunks[row >> ROWS_SHIFT]
        + (size_t)(row & ((1 << ROWS_SHIFT) - 1)) * ROW_UNIT);
}


/* --- Objects/tracemalloc_samples.c --------------------------------------- */

/* What a sample stands for, in fixed point: blocks have SAMPLE_SHIFT bits
   behind the point, bytes have the sampler's bytes_shift. */
struct sample_weight {
    uint64_t blocks;
    uint64_t bytes;
};

#define SAMPLE_SHIFT 12

/* Variances of estimates, in blocks and bytes without any shift. */
struct sample_spread {
    double blocks;
    double bytes;
};

/* Addresses are looked up by 2**14 bytes, the size of a pool; those that are
   2**30 bytes apart share an entry. */
#define SAMPLE_PAGE_SHIFT 14
#define SAMPLE_PAGES ((size_t)1 << 16)

#define MAX_SAMPLE_INTERVAL ((uint64_t)1 << 40)

struct sampler {
    uint64_t interval;          /* mean bytes from sample to sample, or 0 if
                                   every block is noted; atomic */
    uint64_t random;            /* atomic */
    uint64_t seed;              /* what `random` was at first; store lock */
    uint32_t epoch;             /* gaps drawn in another one are void;
                                   atomic */
    uint32_t bytes_shift;
    struct sample_spread *spreads;      /* by context_id: of what was
                                           allocated there; store lock */
    size_t nspreads;            /* store lock */
    /* By address: how many samples or rows lie there, 255 for more than can
       be counted; atomic, written under the store lock. */
    unsigned char pages[SAMPLE_PAGES];
};

/* Begin with no samples.  The sampler must be all zeros or have been used
   before; an interval of 0 frees what it has. */
extern void _PyTraceMalloc_InitSampler(struct sampler *, uint64_t interval,
                                       uint64_t seed);

/* Draw all gaps anew, from other random numbers. */
extern void _PyTraceMalloc_SeedSampler(struct sampler *, uint64_t seed);

/* Forget all samples. */
extern void _PyTraceMalloc_ClearSampler(struct sampler *);

/* Random bits that have nothing to do with each other; no lock. */
extern uint64_t _PyTraceMalloc_MixBits(uint64_t);
extern uint64_t _PyTraceMalloc_RandomBits(struct sampler *);

/* Bytes up to the next sample; no lock. */
extern int64_t _PyTraceMalloc_DrawGap(struct sampler *);

/* What a sample of a block of a size stands for, and its part in variances. */
extern struct sample_weight _PyTraceMalloc_WeighSample(const struct sampler *,
                                                       size_t size);
extern struct sample_spread _PyTraceMalloc_SpreadSample(const struct sampler *,
                                                        size_t size);

/* Make room for the spread of a context: 0, or -1 when out of memory. */
extern int _PyTraceMalloc_ReserveSpread(struct sampler *, context_id);

/* More or less may be at an address; a block's object may begin up to
   SAMPLE_HEADER bytes behind it. */
#define SAMPLE_HEADER 32
extern void _PyTraceMalloc_AddToPages(struct sampler *, uintptr_t address);
extern void _PyTraceMalloc_TakeFromPages(struct sampler *, uintptr_t address);

/* Whether a sample, or an object in one, may be at an address: if not, there
   is none.  No lock. */
static inline int
sampler_may_have(const struct sampler *sampler, uintptr_t address)
{
    return __atomic_load_n(
        &sampler->pages[(address >> SAMPLE_PAGE_SHIFT) % SAMPLE_PAGES],
        __ATOMIC_RELAXED) != 0;
}

/* Fixed point to whole numbers. */
static inline uint64_t
sampled_blocks(const struct sampler *sampler, uint64_t blocks)
{
    return sampler->interval == 0 ? blocks
           : (blocks + (1 << (SAMPLE_SHIFT - 1))) >> SAMPLE_SHIFT;
}

static inline uint64_t
sampled_bytes(const struct sampler *sampler, uint64_t bytes)
{
    uint32_t shift = sampler->interval == 0 ? 0 : sampler->bytes_shift;
    return shift == 0 ? bytes
           : (bytes + ((uint64_t)1 << (shift - 1))) >> shift;
}

/* Fixed point to whole numbers, for the totals of a context: blocks, or bytes.
   What is live is rounded, and what was allocated is the sum of the others. */
extern void _PyTraceMalloc_RoundTotals(const struct sampler *, int bytes,
                                       uint64_t *allocated, uint64_t *freed,
                                       uint64_t *peak);

/* How many blocks n samples of one size in one context stand for: at least n;
   right in the mean, and the same whenever it is asked for. */
extern uint64_t _PyTraceMalloc_CountKind(const struct sampler *, context_id,
                                         size_t size, uint64_t n);


/* --- Python/tracemalloc_reclaim.c ---------------------------------------- */

/* From this one on, epochs of the peak (see traced_bytes) are to be numbered
   anew before they come to an end. */
#ifdef Py_TRACEMALLOC_STRESS
#  define LATE_EPOCH 50u
#else
#  define LATE_EPOCH (1u << 31)
#endif

/* Do so, if it is time: O(contexts), once in so many epochs.  Needs access and
   the lock. */
extern void _PyTraceMalloc_RenewEpochs(struct context_tree *,
                                       struct traced_bytes *);

/* Let the peak begin anew from what is live now; needs the same. */
extern void _PyTraceMalloc_ResetPeak(struct context_tree *,
                                     struct traced_bytes *);

/* So many nodes call for a reclaim at first, so many for one that takes
   contexts of live code too, and so many bytes kept of dead code. */
#ifdef Py_TRACEMALLOC_STRESS
#  define RECLAIM_CONTEXTS 256
#  define RECLAIM_PATHS 256
#  define RECLAIM_ALL 4096
#  define RECLAIM_RETIRED 1024
#else
#  define RECLAIM_CONTEXTS ((size_t)1 << 15)
#  define RECLAIM_PATHS ((size_t)1 << 16)
#  define RECLAIM_ALL ((size_t)1 << 18)
#  define RECLAIM_RETIRED ((size_t)1 << 22)
#endif

/* What calls for the next reclaim. */
struct reclaim_pace {
    size_t contexts;            /* so many of them */
    size_t paths;
    size_t retired;             /* so many bytes of dead code */
    size_t misses;              /* nodes and codes that were wanted since the
                                   last one, and that there was no number or
                                   no memory for */
    size_t patience;            /* so many misses */
    size_t held;                /* half of what was traced then, and at the
                                   peak: much less calls for one as well, if
                                   there are misses */
};

extern void _PyTraceMalloc_BeginPace(struct reclaim_pace *);

/* After a reclaim that took so many nodes, or none. */
extern void _PyTraceMalloc_SetPace(struct reclaim_pace *,
                                   const struct context_tree *,
                                   const struct source_table *,
                                   const struct traced_bytes *, long taken);

/* Whether it is time for a reclaim: after a node was added, and after none
   could be, without looking at the bytes if those are NULL. */
static inline int
pace_is_due(const struct reclaim_pace *pace, const struct context_tree *tree)
{
    return tree->contexts.live >= pace->contexts
           || tree->paths.live >= pace->paths;
}

extern int _PyTraceMalloc_CountMiss(struct reclaim_pace *,
                                    const struct traced_bytes *);

/* Whether the next reclaim is to take contexts of live code, too. */
extern int _PyTraceMalloc_PaceIsHard(const struct reclaim_pace *,
                                     const struct context_tree *);

/* What must stay though no live block names it. */
struct reclaim_roots {
    unsigned char *contexts;    /* by context_id: not 0 to keep */
    unsigned char *paths;       /* by path_id */
};

/* Take away contexts without live blocks, now and at the peak, then paths
   without contexts.  With `all` 0 only those of code objects that are dead.
   Number of nodes taken, or -1 when out of memory (nothing changed).  The
   caller has marked the roots, in arrays of `used` bytes each, which serve for
   more marks. */
extern long _PyTraceMalloc_Reclaim(struct context_tree *,
                                   struct source_table *,
                                   const struct traced_bytes *,
                                   struct reclaim_roots *, int all);


/* --- Python/tracemalloc_filters.c ---------------------------------------- */

struct trace_filter {
    int inclusive;              /* 0: ignore what matches */
    int all_frames;             /* 0: look at the newest frame only */
    int32_t line;               /* 0: any */
    size_t length;
    uint32_t *pattern;          /* characters; '*' stands for any text */
};

/* The filters that are in force, and what they said of contexts so far. */
struct filter_set {
    size_t n;                   /* 0: everything is admitted */
    struct trace_filter *filters;       /* from malloc, like the patterns */
    uint32_t nframe;            /* frames that a traceback shows, >= 1 */
    uint32_t generation;        /* of the contexts that verdicts are of */
    size_t nverdicts;
    unsigned char *verdicts;    /* by context_id */
};

/* Put other filters in force; takes them over.  Call with (NULL, 0) to have
   none. */
extern void _PyTraceMalloc_ReplaceFilters(struct filter_set *,
                                          struct trace_filter *, size_t n);
extern void _PyTraceMalloc_FreeFilters(struct trace_filter *, size_t n);

/* Whether blocks of a context are to be noted: 1, or 0 to ignore them.  A
   block without a frame has the file name "" and line 0. */
extern int _PyTraceMalloc_JudgeContext(const struct filter_set *,
                                       const struct source_table *,
                                       const struct context_tree *,
                                       context_id);

/* The same, as it was kept, or -1 if it was not. */
extern int _PyTraceMalloc_RecallVerdict(const struct filter_set *,
                                        const struct context_tree *,
                                        context_id);
extern void _PyTraceMalloc_KeepVerdict(struct filter_set *,
                                       const struct context_tree *,
                                       context_id, int admitted);
extern void _PyTraceMalloc_ForgetVerdicts(struct filter_set *);

extern size_t _PyTraceMalloc_SizeOfFilters(const struct filter_set *);

/* NULL, or what is wrong. */
extern const char *_PyTraceMalloc_CheckFilters(const struct filter_set *,
                                               const struct source_table *,
                                               const struct context_tree *);


/* --- Python/tracemalloc_frozen.c ----------------------------------------- */

/* A call site of a frozen copy: the code object is already a file. */
struct frozen_path {
    path_id parent;
    file_id file;
    file_id function;
    int32_t line;
    uint32_t depth;
};

struct frozen_context {
    path_id path;
    file_id file;
    file_id function;
    int32_t line;
    uint32_t depth;
};

/* A copy of blocks and contexts at one moment, to be decoded at leisure: the
   store may change or be cleared meanwhile. */
struct frozen_traces {
    struct block *blocks;
    size_t nblocks;
    int grouped;                /* an address is a number of blocks alike */
    struct frozen_path *paths;          /* by path_id */
    size_t npaths;
    struct frozen_context *contexts;    /* by context_id */
    size_t ncontexts;
    struct source_file **files; /* by file_id; NULL at FILE_NONE */
    size_t nfiles;
    struct source_names *names; /* holds a reference: keeps the files alive */
};

/* Copy all paths, contexts and names, and make room for `nblocks` blocks,
   which the caller then stores: 0, or -1 when out of memory. */
extern int _PyTraceMalloc_Freeze(struct frozen_traces *,
                                 const struct source_table *,
                                 const struct context_tree *, size_t nblocks);

/* Copy one block and what its context needs, under numbers of its own. */
extern int _PyTraceMalloc_FreezeBlock(struct frozen_traces *,
                                      const struct source_table *,
                                      const struct context_tree *,
                                      const struct block *);

/* Needs the store lock. */
extern void _PyTraceMalloc_FreeFrozen(struct frozen_traces *);

#endif  /* !Py_INTERNAL_TRACEMALLOC_CORE_H */
