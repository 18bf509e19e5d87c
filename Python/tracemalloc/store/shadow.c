/* The shadow: leaves and branches, as they come and go.

   Called by block_table.c, and by hooks/pymalloc.c.h when a leaf gets empty;
   calls nobody.  See the header for the picture. */

#include "shadow.h"

#include <assert.h>
#include <stdlib.h>

#ifdef Py_TRACEMALLOC_STRESS
#  define FEW_LEAVES 3
#else
#  define FEW_LEAVES 16
#endif

static_assert(GRANULE_SHIFT + CONTEXT_BITS + ENTRY_SIZE_BITS == 64,
              "an entry's bits");


static size_t
leaf_place(uint64_t granule)
{
    return (size_t)(granule >> LEAF_SHIFT) & (BRANCH_LEAVES - 1);
}


static size_t
branch_place(uint64_t granule)
{
    return (size_t)(granule >> LEAF_SHIFT >> BRANCH_SHIFT);
}


PART struct shadow_leaf *
tm_make_leaf(struct shadow *shadow, uintptr_t address)
{
    struct shadow_leaf *leaf = tm_shadow_leaf(shadow, address);
    if (leaf != NULL) {
        return leaf;
    }
    uint64_t granule = (uint64_t)address >> GRANULE_SHIFT;
    granule -= granule % LEAF_ENTRIES;
    size_t place = branch_place(granule);
    struct shadow_branch *branch = shadow->root[place];
    leaf = calloc(1, sizeof(*leaf));
    if (leaf != NULL && branch == NULL) {
        branch = calloc(1, sizeof(*branch));
    }
    if (branch == NULL || leaf == NULL) {
        free(leaf);
        return NULL;
    }
    if (shadow->root[place] == NULL) {
        branch->place = place;
        branch->next = shadow->branches;
        shadow->branches = shadow->root[place] = branch;
        shadow->nbranches++;
    }
    leaf->granule = granule;
    leaf->next = shadow->leaves;
    shadow->leaves = branch->leaves[leaf_place(granule)] = leaf;
    branch->nleaves++;
    shadow->nleaves++;
    return leaf;
}


static void
leaves_free_empty(struct shadow *shadow, const struct shadow_leaf *spared)
{
    struct shadow_leaf *leaf, **link = &shadow->leaves;
    while ((leaf = *link) != NULL) {
        if (leaf->used != 0 || leaf == spared) {
            link = &leaf->next;
            continue;
        }
        struct shadow_branch *branch =
            shadow->root[branch_place(leaf->granule)];
        branch->leaves[leaf_place(leaf->granule)] = NULL;
        branch->nleaves--;
        shadow->nleaves--;
        *link = leaf->next;
        free(leaf);
    }
}


static void
branches_free_empty(struct shadow *shadow)
{
    struct shadow_branch *branch, **link = &shadow->branches;
    while ((branch = *link) != NULL) {
        if (branch->nleaves != 0) {
            link = &branch->next;
            continue;
        }
        shadow->root[branch->place] = NULL;
        shadow->nbranches--;
        *link = branch->next;
        free(branch);
    }
}


void
_PyTraceMalloc_LeafEmptied(struct shadow *shadow, struct shadow_leaf *leaf)
{
    shadow->emptied++;
    if (shadow->emptied >= FEW_LEAVES
        && shadow->emptied >= shadow->nleaves / 2)
    {
        /* Not the last one: a block that comes and goes may be all it has. */
        leaves_free_empty(shadow, leaf);
        branches_free_empty(shadow);
        shadow->emptied = 1;
    }
}


PART void
tm_clear_shadow(struct shadow *shadow)
{
    for (struct shadow_leaf *leaf = shadow->leaves; leaf != NULL;
         leaf = leaf->next)
    {
        leaf->used = 0;
    }
    /* Entries are not looked at any more: time for each leaf. */
    leaves_free_empty(shadow, NULL);
    branches_free_empty(shadow);
    shadow->emptied = 0;
}


PART size_t
tm_count_shadow(const struct shadow *shadow)
{
    size_t n = 0;
    for (const struct shadow_leaf *leaf = shadow->leaves; leaf != NULL;
         leaf = leaf->next)
    {
        n += leaf->used - leaf->crowded;
    }
    return n;
}


PART size_t
tm_size_of_shadow(const struct shadow *shadow)
{
    return shadow->nleaves * sizeof(struct shadow_leaf)
           + shadow->nbranches * sizeof(struct shadow_branch);
}


/* NULL, or what is wrong with one leaf. */
static const char *
leaf_check(const struct shadow *shadow, struct shadow_leaf *leaf)
{
    uint64_t address = leaf->granule << GRANULE_SHIFT;
    if (tm_shadow_leaf(shadow, (uintptr_t)address) != leaf
        || leaf->granule % LEAF_ENTRIES != 0)
    {
        return "shadow: I1, a leaf is not found by its addresses";
    }
    size_t used = 0, crowded = 0;
    for (size_t at = 0; at < LEAF_ENTRIES; at++) {
        uint64_t entry = leaf->entries[at];
        if (entry == 0) {
            continue;
        }
        used++;
        if (tm_entry_crowd(entry) != 0) {
            crowded++;
            continue;
        }
        uintptr_t begin = tm_entry_address(entry, leaf->granule + at);
        struct shadow_block block = tm_unpack_entry(entry, begin);
        if (block.context == CONTEXT_NONE) {
            return "shadow: an entry that no block can have";
        }
    }
    if (crowded != leaf->crowded) {
        return "shadow: I4, the number of crowded granules is wrong";
    }
    return used == leaf->used
           ? NULL : "shadow: I2, the number of a leaf's entries is wrong";
}


PART const char *
tm_check_shadow(const struct shadow *shadow)
{
    size_t nleaves = 0, named = 0, nbranches = 0, places = 0;
    for (struct shadow_leaf *leaf = shadow->leaves; leaf != NULL;
         leaf = leaf->next)
    {
        const char *fault = leaf_check(shadow, leaf);
        if (fault != NULL) {
            return fault;
        }
        nleaves++;
    }
    for (const struct shadow_branch *branch = shadow->branches;
         branch != NULL; branch = branch->next)
    {
        size_t present = 0;
        for (size_t i = 0; i < BRANCH_LEAVES; i++) {
            present += branch->leaves[i] != NULL;
        }
        if (present != branch->nleaves
            || shadow->root[branch->place] != branch)
        {
            return "shadow: I3, a branch is not in order";
        }
        nbranches++;
        named += present;
    }
    for (size_t i = 0; i < (size_t)1 << ROOT_SHIFT; i++) {
        places += shadow->root[i] != NULL;
    }
    if (nleaves != shadow->nleaves || named != nleaves
        || nbranches != shadow->nbranches || places != nbranches)
    {
        return "shadow: I3, chains and tree differ";
    }
    return NULL;
}
