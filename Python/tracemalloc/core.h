/* The tracer's own data: what its words mean, and the numbers by which its
   parts name each other's things.

   Everything declared here and in store/ is plain C.  No Python object, no
   interpreter state and no lock lives in these structures, so their files
   compile without Python.h and are tested, fuzzed and sanitized on their own.

   Glossary

       block        a live allocation: (domain, address) -> size and context
       domain       the address space of a block: 0 for Python's own memory,
                    any other number for what extensions report
       frame node   a call site under its caller; a node of the call tree
       call path    a node and all above it, up to the root: each node ends
                    one path, so what columns (`path_*`) and _get_counts()
                    number and count as paths are the nodes
       account      a name that the program gives to what it does, "GET /cart";
                    contexts hang below the root of a thread and an account
       context      where blocks come from: the instruction that allocates,
                    under the node of its callers.  Has the counters
       code         what must outlive a code object: its names, and where its
                    instructions stand
       site         an instruction under a caller, as captures find it again
       cell         4 bytes beside each block of a pymalloc pool: its context,
                    and its slack, how much larger it is than was asked for
       row          the cells of one pool
       shadow       8 bytes for every 512 of address space: the context and the
                    size of the large block that begins there, its *entry*
       fresh        the block that a thread noted last: an object in there was
                    allocated just now, and comes from no free list
       quiet        a thread, while what it allocates is the library's own
       trace        a block as users see it: domain, size, traceback
       sample       a block that is noted for itself and for others that are
                    not
       weight       how many blocks and bytes a sample stands for
       snapshot     a copy of contexts and blocks at one moment, in columns
       epoch        the time since traced memory was highest
       session      the time from start() to stop()

   Flow: capture -> context -> cells, shadow, tables -> snapshot -> Python.

   Access.  The counters of contexts, the cells and the table of large blocks,
   with its shadow, belong to whoever has the right to change them: the holder
   of the GIL while the process has one GIL, the holder of the store lock
   otherwise (access.h).  All else needs the store lock, except that nodes and
   contexts may be looked up without it: they never move, are complete before
   an index names them, and an index that was replaced is kept until its
   readers are gone.

   No function of the store calls back, and all memory comes from the C
   library, so the store lock is a leaf: nothing else is ever taken under
   it. */

#ifndef TRACEMALLOC_CORE_H
#define TRACEMALLOC_CORE_H

#include <stddef.h>
#include <stdint.h>

/* What one part offers to the others: a static function, since they all are
   one unit.  The tests compile the plain parts alone. */
#ifndef PART
#  define PART extern
#endif

/* Part of whoever calls it, however seldom that is: a profile does not tell
   the compiler that one call, also on a path that nearly nobody takes, makes a
   hot function save registers each time. */
#if defined(__GNUC__)
#  define TM_INLINE inline __attribute__((always_inline))
#else
#  define TM_INLINE inline
#endif

typedef uint32_t code_id;
typedef uint32_t name_id;
typedef uint32_t node_id;
typedef uint32_t context_id;

/* How a thread may touch the store: see access.h. */
enum access {
    ACCESS_NONE,                /* not tracing */
    ACCESS_GIL,
    ACCESS_LOCK,
    ACCESS_DETACHED,
    ACCESS_SAMPLING,
};

enum {
    CODE_NONE = 0,          /* a code object the tracer has not met */
    NAME_NONE = 0,
    NODE_NONE = 0,          /* not looked up, or out of memory */
    NODE_ROOT = 1,          /* no caller */
    CONTEXT_NONE = 0,       /* an empty cell or slot, or out of memory */
    CONTEXT_UNKNOWN = 1,    /* no frame: shown as "<unknown>", line 0 */
};

#define DEFAULT_DOMAIN 0        /* Python's own memory */

/* The highest limit of frames, and the highest number of them that is told. */
#define MAX_NFRAME 65535

/* What the library allocates for itself, to take, compare and write snapshots.
   Noted, so that what later comes to the program from a free list is the
   program's; without a frame, and shown to nobody. */
enum {CONTEXT_OWN = CONTEXT_UNKNOWN + 1};

/* A cell has 25 bits for the context; the stress build has numbers so small
   that they run out in any test. */
#ifdef Py_TRACEMALLOC_STRESS
#  define MAX_CONTEXTS ((size_t)1 << 14)
#  define MAX_NODES ((size_t)1 << 15)
#  define CHUNK_SHIFT 4
#else
#  define MAX_CONTEXTS ((size_t)1 << 25)
#  define MAX_NODES ((size_t)1 << 27)
#  define CHUNK_SHIFT 10
#endif

/* Bits of the numbers, whatever the build. */
#define CONTEXT_BITS 25
#define NODE_BITS 27

/* Threads have slots, and the last slot is shared; an account is a number from
   1 on.  The line of a root tells both: see tm_root_line(). */
#ifdef Py_TRACEMALLOC_STRESS
#  define THREAD_SLOTS 4
#  define MAX_ACCOUNTS 255
#else
#  define THREAD_SLOTS 64
#  define MAX_ACCOUNTS 65535
#endif

#define NO_ACCOUNT 0

#define GROUP_SHIFT (CHUNK_SHIFT + 4)
#define GROUP_SIZE ((size_t)1 << GROUP_SHIFT)
#define GROUP_MASK (GROUP_SIZE - 1)
#define CHUNK_SIZE ((size_t)1 << CHUNK_SHIFT)
#define CHUNK_MASK (CHUNK_SIZE - 1)

#endif  /* !TRACEMALLOC_CORE_H */
