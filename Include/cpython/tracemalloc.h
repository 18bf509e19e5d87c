/* Report memory of an extension's own allocator to tracemalloc. */

#ifndef Py_LIMITED_API
#ifndef Py_CPYTHON_TRACEMALLOC_H
#define Py_CPYTHON_TRACEMALLOC_H
#ifdef __cplusplus
extern "C" {
#endif

/* Report a block of `size` bytes at `address`, allocated by the Python code
   the calling thread is in.  A block already known at this address of the
   domain is replaced.  `domain` is any number but 0 (Python's own memory)
   that the extension chooses for itself.

   0: stored.  -1: no memory for the trace, which is dropped.  -2: tracemalloc
   is not tracing.  No exception is ever set.

   Safe from any thread, with or without the GIL or a thread state, also after
   the interpreter is finalized.  Time: that of tracing one allocation. */
PyAPI_FUNC(int) PyTraceMalloc_Track(unsigned int domain, uintptr_t address,
                                    size_t size);

/* Report that the block is gone; unknown blocks are ignored.  Call it before
   the memory can be handed out again.

   0: done.  -2: tracemalloc is not tracing.  Thread safety as above. */
PyAPI_FUNC(int) PyTraceMalloc_Untrack(unsigned int domain, uintptr_t address);

#ifdef __cplusplus
}
#endif
#endif  /* !Py_CPYTHON_TRACEMALLOC_H */
#endif  /* !Py_LIMITED_API */
