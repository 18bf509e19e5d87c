/* pymalloc with cells, a part of obmalloc.c: see pymalloc.c.h. */

#ifndef TRACEMALLOC_PYMALLOC_H
#define TRACEMALLOC_PYMALLOC_H

#include "../state.h"
#include "hooks.h"

/* Put pymalloc with cells into `traced`, if the hook is above pymalloc: 1, or
   0. */
extern int _PyTraceMalloc_UsePymalloc(struct hook *, PyMemAllocatorEx *traced);

/* The block at an address, if a pool with cells holds it: 1, or 0.  Needs
   access, like all that follow. */
extern int _PyTraceMalloc_LookUpCell(uintptr_t address, struct block *block);

/* Forget the block at an address: 1, or 0 if it has no cell. */
extern int _PyTraceMalloc_ForgetCell(uintptr_t address);

/* Let the block at an address belong to the calling line: 1, or 0 if it has
   no cell. */
extern int _PyTraceMalloc_MoveCell(uintptr_t address, enum access access);

/* Where the block begins in which an object lies. */
extern uintptr_t _PyTraceMalloc_BlockOfObject(PyObject *);

/* Bytes of the calling interpreter's arenas that hold a traced block; 0 when
   out of memory. */
extern size_t _PyTraceMalloc_SizeOfArenas(void);

/* Empty all cells, or take them away from the pools as well. */
extern void _PyTraceMalloc_ClearCells(void);
extern void _PyTraceMalloc_FreeCells(void);

/* NULL, or what is wrong; adds to the sums in live[context]. */
extern const char *_PyTraceMalloc_CheckCells(struct live_sums *live);

#endif  /* !TRACEMALLOC_PYMALLOC_H */
