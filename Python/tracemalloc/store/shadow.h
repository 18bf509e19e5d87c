/* The shadow: size and context of large blocks, where their addresses say. */

#ifndef TRACEMALLOC_SHADOW_H
#define TRACEMALLOC_SHADOW_H

#include "../core.h"

/* A granule is a piece of address space in which at most one live block can
   begin that is not smaller. */
#define GRANULE_SHIFT 9
#define GRANULE ((size_t)1 << GRANULE_SHIFT)

/* Bits of an address, from the top: 48 of them are mapped. */
#ifdef Py_TRACEMALLOC_STRESS
#  define LEAF_SHIFT 6
#  define BRANCH_SHIFT 13
#else
#  define LEAF_SHIFT 15         /* 256 KiB of entries for 16 MiB */
#  define BRANCH_SHIFT 9        /* 4 KiB of pointers for 8 GiB */
#endif
#define SHADOW_BITS 48
#define ROOT_SHIFT (SHADOW_BITS - GRANULE_SHIFT - LEAF_SHIFT - BRANCH_SHIFT)

#define LEAF_ENTRIES ((size_t)1 << LEAF_SHIFT)
#define BRANCH_LEAVES ((size_t)1 << BRANCH_SHIFT)

/* An entry is 0, or has, from the top, where in its granule the block begins,
   its context, and its size.  So an address that is not the block's is told by
   the bits of the context: what is left there after subtracting is none.
   Without a context it is the number of blocks that begin in the granule, and
   lie in the table. */
#define ENTRY_SIZE_BITS 30
#define ENTRY_PLACE_SHIFT (64 - GRANULE_SHIFT)

/* Granules of 512 bytes, and their entries:

       address     | root 15 | branch 9  | leaf 15 | in the granule 9 |
                       |          |           |
                       v          v           v
       root [. . b . .]
                 +--> branch [. l . . .]
                                +--> leaf [ . e . . e . . . . ]

   An entry takes 8 bytes, and a granule has one at most; so entries take a
   64th of the blocks' own size or less, as far as blocks lie side by side.
   Leaves and branches are not touched before they are used, page by page.  An
   entry is found by three loads, and lies beside those of its neighbours.

   Nearly all blocks are as large as that, but some are not: those of no bytes,
   and those of an allocator that is not pymalloc.  They have a place too, but
   where two of them begin, or one that tm_shadow_takes() does not take, the
   granule is *crowded*: its entry is a number, and all its blocks lie in the
   table, until none is left.  So an entry of 0 says that nobody knows a block
   there, and the table need not be asked.

   States of a leaf: absent, in use, empty.  A leaf that gets empty waits, as
   it may soon be used again.  When as many did as half of all, or more than
   a few, the empty ones are freed, but for the last one; so are branches
   without leaves.  So there are never more empty ones than that.

   Invariants
     I1  the entry of a block lies at its address, as root and branch lead
         there
     I2  `used` of a leaf is the number of its entries that are not 0
     I3  the chains have all leaves and all branches, each once
     I4  `crowded` of a leaf is the number of its crowded granules
   tm_check_shadow tests them.

   It needs access, as the table of large blocks that it belongs to. */
struct shadow_leaf {
    uint64_t entries[LEAF_ENTRIES];
    size_t used;
    size_t crowded;             /* of these */
    uint64_t granule;           /* number of the first one */
    struct shadow_leaf *next;
};

struct shadow_branch {
    struct shadow_branch *next;
    size_t place;               /* in the root */
    size_t nleaves;
    struct shadow_leaf *leaves[BRANCH_LEAVES];
};

struct shadow {
    struct shadow_branch *root[(size_t)1 << ROOT_SHIFT];
    struct shadow_leaf *leaves;         /* all of them */
    struct shadow_branch *branches;     /* all of them */
    size_t nleaves;
    size_t nbranches;
    size_t emptied;             /* leaves that got empty since the last time
                                   that some were freed; may count one twice */
};

/* What is known of a block. */
struct shadow_block {
    context_id context;         /* CONTEXT_NONE: nothing */
    size_t size;
};


/* Whether a block of domain 0 has a place, by its size, by its address, and by
   both. */
static inline int
tm_shadow_takes_size(size_t size)
{
    return size < (size_t)1 << ENTRY_SIZE_BITS;
}

static inline int
tm_shadow_has(uintptr_t address)
{
    return (uint64_t)address >> SHADOW_BITS == 0;
}

static inline int
tm_shadow_takes(uintptr_t address, size_t size)
{
    return tm_shadow_takes_size(size) && tm_shadow_has(address);
}


/* The leaf for an address, or NULL. */
static inline struct shadow_leaf *
tm_shadow_leaf(const struct shadow *shadow, uintptr_t address)
{
    uint64_t at = (uint64_t)address >> (GRANULE_SHIFT + LEAF_SHIFT);
    uint64_t place = at >> BRANCH_SHIFT;
    if (place >= (uint64_t)1 << ROOT_SHIFT || shadow->root[place] == NULL) {
        return NULL;
    }
    return shadow->root[place]->leaves[at & (BRANCH_LEAVES - 1)];
}


static inline uint64_t *
tm_shadow_entry(struct shadow_leaf *leaf, uintptr_t address)
{
    return &leaf->entries[address >> GRANULE_SHIFT & (LEAF_ENTRIES - 1)];
}


/* The entry of a block that has a place. */
static inline uint64_t
tm_pack_entry(uintptr_t address, context_id context, size_t size)
{
    return ((uint64_t)address << ENTRY_PLACE_SHIFT)
           + ((uint64_t)context << ENTRY_SIZE_BITS) + size;
}


/* What the entry of an address's granule says of a block there. */
static inline struct shadow_block
tm_unpack_entry(uint64_t entry, uintptr_t address)
{
    entry -= (uint64_t)address << ENTRY_PLACE_SHIFT;
    uint64_t context = entry >> ENTRY_SIZE_BITS;
    /* One comparison for both: none, and not of this address. */
    if (context - 1 >= ((uint64_t)1 << CONTEXT_BITS) - 1) {
        return (struct shadow_block){.context = CONTEXT_NONE};
    }
    return (struct shadow_block){
        .context = (context_id)context,
        .size = (size_t)(entry & (((uint64_t)1 << ENTRY_SIZE_BITS) - 1)),
    };
}


/* How many blocks lie in the table instead. */
static inline uint64_t
tm_entry_crowd(uint64_t entry)
{
    return entry >> ENTRY_SIZE_BITS == 0 ? entry : 0;
}


/* Where the block of an entry begins. */
static inline uintptr_t
tm_entry_address(uint64_t entry, uint64_t granule)
{
    return (uintptr_t)(granule << GRANULE_SHIFT
                       | entry >> ENTRY_PLACE_SHIFT);
}


/* Begin with none, in what is all zeros or was ended by tm_clear_shadow(). */
PART void tm_clear_shadow(struct shadow *);

/* Make the leaf for an address that has a place, if there is none: the leaf,
   or NULL when out of memory. */
PART struct shadow_leaf *tm_make_leaf(struct shadow *, uintptr_t address);

/* The last entry of a leaf was cleared: free others, if it is time. */
extern void _PyTraceMalloc_LeafEmptied(struct shadow *, struct shadow_leaf *);

/* How many blocks the entries have. */
PART size_t tm_count_shadow(const struct shadow *);
PART size_t tm_size_of_shadow(const struct shadow *);

/* NULL, or what is wrong. */
PART const char *tm_check_shadow(const struct shadow *);

#endif  /* !TRACEMALLOC_SHADOW_H */
