/* Arenas side by side, so that one subtraction tells whose a block is.

   A part of Objects/obmalloc.c.  Every free() and realloc() asks whether a
   block is pymalloc's; the radix tree answers with three loads that wait for
   each other.  Arenas that obmalloc.c maps itself lie in the *window* of
   their state, 64 GiB of addresses far from all else that is mapped:

       window.base   + 0      + 1 MiB  + 2 MiB  + 3 MiB
                     | arena  |        | arena  | somebody's ...
       window.slots    SLOT_     SLOT_    SLOT_    SLOT_
                       ARENA     FREE     ARENA    FOREIGN

   Nothing is reserved.  An arena is mapped where its slot says, if the kernel
   finds that nobody is there, and unmapped as upstream does it; the address
   space that a process uses is the same as without the window.  Other arenas
   are *strays*, which the radix tree knows: those of a user's arena
   allocator, those beyond the window, and all where the kernel does not map
   memory at an address that we choose.

   Invariant: a slot is SLOT_ARENA if and only if an arena of this state that
   the radix tree does not know lies there.

   Lock: the GIL of the interpreter whose state it is. */

#if WITH_ARENA_WINDOW

/* Where windows can begin: above what address sanitizers and other
   allocators take, between the two areas that Linux gives to mmap(), below
   programs. */
#define WINDOW_FIRST ((uintptr_t)0x3000 << 32)
#define WINDOW_PLACE_BITS 25

/* So many slots that turn out to be taken are passed over for one arena. */
#define WINDOW_MAX_TRIES 16

#ifndef MAP_FIXED_NOREPLACE             /* glibc before 2.27 */
#  define MAP_FIXED_NOREPLACE 0x100000
#endif

enum { SLOT_FREE, SLOT_ARENA, SLOT_FOREIGN };


static Py_ALWAYS_INLINE inline int
window_has(const OMState *state, const void *p)
{
    uintptr_t slot = ((uintptr_t)p - state->window.base) >> ARENA_BITS;
    return slot < ARENA_WINDOW_SLOTS
           && state->window.slots[slot] == SLOT_ARENA;
}


static void *
window_map(void *address, int flags)
{
    void *p = mmap(address, ARENA_SIZE, PROT_READ|PROT_WRITE,
                   MAP_PRIVATE|MAP_ANONYMOUS|flags, -1, 0);
    return p != MAP_FAILED ? p : NULL;
}


/* Choose one of 2**25 places, by where the kernel would have mapped an arena:
   at random, if that is how the kernel does it. */
static int
window_place(OMState *state)
{
    void *there = window_map(NULL, 0);
    if (there == NULL) {
        return -1;
    }
    munmap(there, ARENA_SIZE);
    uint64_t mixed = ((uintptr_t)there ^ (uintptr_t)state) >> 4;
    mixed *= UINT64_C(0x9e3779b97f4a7c15);
    state->window.base = WINDOW_FIRST
        + ((uintptr_t)(mixed >> (64 - WINDOW_PLACE_BITS)) << ARENA_BITS);
    return 0;
}


/* Map an arena into the lowest free slot: its address, or NULL. */
static void *
window_alloc(OMState *state)
{
    struct arena_window *window = &state->window;
    if (_PyObject_Arena.alloc != _PyMem_ArenaAlloc
        || (window->base == 0 && window_place(state) < 0))
    {
        return NULL;
    }
    int before = errno;
    for (int tries = 0; tries < WINDOW_MAX_TRIES; tries++) {
        uint8_t *slot = memchr(window->slots + window->lowest, SLOT_FREE,
                               ARENA_WINDOW_SLOTS - window->lowest);
        if (slot == NULL) {
            window->lowest = ARENA_WINDOW_SLOTS;
            break;
        }
        window->lowest = (uint32_t)(slot - window->slots);
        void *wanted = (void *)(window->base
                                + (uintptr_t)window->lowest * ARENA_SIZE);
        void *p = window_map(wanted, MAP_FIXED_NOREPLACE);
        if (p == wanted) {
            *slot = SLOT_ARENA;
            errno = before;
            return p;
        }
        if (p != NULL) {                /* Linux before 4.17: only a hint */
            munmap(p, ARENA_SIZE);
        }
        else if (errno != EEXIST) {
            break;
        }
        *slot = SLOT_FOREIGN;
    }
    errno = before;
    return NULL;
}


/* An arena will be unmapped: whether it was in the window. */
static int
window_forget(OMState *state, uintptr_t address)
{
    struct arena_window *window = &state->window;
    if (!window_has(state, (void *)address)) {
        return 0;
    }
    uint32_t slot = (uint32_t)((address - window->base) >> ARENA_BITS);
    window->slots[slot] = SLOT_FREE;
    window->lowest = Py_MIN(window->lowest, slot);
    return 1;
}


static size_t
window_count(const OMState *state)
{
    size_t n = 0;
    for (uint32_t i = 0; i < ARENA_WINDOW_SLOTS; i++) {
        n += state->window.slots[i] == SLOT_ARENA;
    }
    return n;
}

#else   /* !WITH_ARENA_WINDOW */

static inline int
window_has(const OMState *state, const void *p)
{
    return 0;
}

static inline void *
window_alloc(OMState *state)
{
    return NULL;
}

static inline int
window_forget(OMState *state, uintptr_t address)
{
    return 0;
}

static inline size_t
window_count(const OMState *state)
{
    return 0;
}

#endif
