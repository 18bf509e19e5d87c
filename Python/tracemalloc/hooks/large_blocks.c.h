/* Large blocks: what pymalloc passes on to the raw domain.  A part of
   Objects/obmalloc.c, by pymalloc.c.h, which knows what pymalloc has.

   They lie in the shadow of the table of large blocks, few of them in that
   table (store/block_table.h).  Those of no bytes are passed on, too. */

/* --- memory -------------------------------------------------------------- */

/* Their memory comes from the raw domain, whose hook passes it through.  Where
   that is on top, with the C library below, it is passed over: there is nobody
   who could note the block a second time, or wants to see it. */
#define RAW_IS_PLAIN(function)                                                \
    LIKELY(_PyMem_Raw.function == _PyTraceMalloc_PlainRaw.function)


static Py_NO_INLINE void *
raw_malloc_guarded(size_t size)
{
    enum reentrancy before = tm_guard_enter(REENTRANT_BELOW);
    void *p = PyMem_RawMalloc(size);
    tm_guard_leave(before);
    return p;
}


static Py_NO_INLINE void *
raw_calloc_guarded(size_t count, size_t size)
{
    enum reentrancy before = tm_guard_enter(REENTRANT_BELOW);
    void *p = PyMem_RawCalloc(count, size);
    tm_guard_leave(before);
    return p;
}


static Py_NO_INLINE void *
raw_realloc_guarded(void *p, size_t size)
{
    enum reentrancy before = tm_guard_enter(REENTRANT_BELOW);
    void *moved = PyMem_RawRealloc(p, size);
    tm_guard_leave(before);
    return moved;
}


static Py_NO_INLINE void
raw_free_guarded(void *p)
{
    enum reentrancy before = tm_guard_enter(REENTRANT_BELOW);
    PyMem_RawFree(p);
    tm_guard_leave(before);
}


static inline void *
raw_malloc(size_t size)
{
    return RAW_IS_PLAIN(malloc) ? _PyMem_RawMalloc(NULL, size)
                                : raw_malloc_guarded(size);
}


static inline void *
raw_calloc(size_t count, size_t size)
{
    return RAW_IS_PLAIN(calloc) ? _PyMem_RawCalloc(NULL, count, size)
                                : raw_calloc_guarded(count, size);
}


static inline void *
raw_realloc(void *p, size_t size)
{
    return RAW_IS_PLAIN(realloc) ? _PyMem_RawRealloc(NULL, p, size)
                                 : raw_realloc_guarded(p, size);
}


static inline void
raw_free(void *p)
{
    if (RAW_IS_PLAIN(free)) {
        _PyMem_RawFree(NULL, p);
    }
    else {
        raw_free_guarded(p);
    }
}


/* --- noting and forgetting ----------------------------------------------- */

static Py_NO_INLINE void *
large_note_slow(void *ctx, void *p, size_t size)
{
    if (tm_guard_is_entered()) {
        _PyTraceMalloc_HookReached(ctx);
        return p;
    }
    enum access access = tm_begin();
    if (access != ACCESS_NONE) {
        if (_PyTraceMalloc_NoteBlock(&S->large, DEFAULT_DOMAIN, (uintptr_t)p,
                                     size, access) == 0)
        {
            tm_set_fresh(p);
        }
        tm_end(access);
    }
    return p;
}


/* Note a block at a site that has room for it, if the shadow has its place
   ready: 1, or 0 if nothing was done. */
static Py_ALWAYS_INLINE inline int
large_note_at(const struct site *site, void *p, size_t size)
{
    uintptr_t address = (uintptr_t)p;
    struct shadow_leaf *leaf = tm_shadow_leaf(&S->shadow, address);
    if (UNLIKELY(leaf == NULL)) {
        return 0;
    }
    uint64_t *entry = tm_shadow_entry(leaf, address);
    if (UNLIKELY(*entry != 0)) {
        /* What was freed behind our back, or a crowded granule. */
        return 0;
    }
    *entry = tm_pack_entry(address, tm_site_context(site), size);
    leaf->used++;
    if (tm_bytes_rise(&S->bytes, size)) {
        tm_context_add_alloc(site->context, size);
        tm_set_fresh(p);
        tm_watch_record(ACCESS_GIL);
        return 1;
    }
    tm_context_touch(site->context, &S->bytes);
    tm_context_add_alloc(site->context, size);
    tm_set_fresh(p);
    return 1;
}


/* Frames are new, or the leaf is, or the context has few counts. */
static Py_NO_INLINE void *
large_note_new(void *ctx, void *p, size_t size)
{
    if (LIKELY(small_is_fast()) && LIKELY(tm_shadow_takes_size(size))) {
        const struct site *site = tm_capture(_PyThreadState_GET(), ACCESS_GIL);
        if (LIKELY(site != NULL)) {
            tm_make_room(site->context, size, ACCESS_GIL);
            if (LIKELY(large_note_at(site, p, size))) {
                return p;
            }
        }
    }
    return large_note_slow(ctx, p, size);
}


/* Nearly all are asked for at a site that was met before and has counters, and
   the shadow has their place ready: then nothing is called, and no register
   saved.  Whether that is free to do is asked only when the memory is there:
   what others have counted who freed it must be taken over first. */
static Py_NO_INLINE void *
large_note(void *ctx, void *p, size_t size)
{
    const struct site *site = NULL;
    if (LIKELY(small_is_fast()) && LIKELY(tm_shadow_takes_size(size))) {
        site = tm_capture_met(_PyThreadState_GET());
    }
    if (LIKELY(site != NULL) && LIKELY(tm_context_has_counters(site->context))
        && LIKELY(large_note_at(site, p, size)))
    {
        return p;
    }
    return large_note_new(ctx, p, size);
}


static Py_ALWAYS_INLINE inline void *
large_noted(void *ctx, void *p, size_t size)
{
    if (UNLIKELY(p == NULL)) {
        return NULL;
    }
    OMState *state = get_state();
    raw_allocated_blocks++;
    return large_note(ctx, p, size);
}


static Py_NO_INLINE void *
large_malloc(void *ctx, size_t size)
{
    return large_noted(ctx, raw_malloc(size), size);
}


static Py_NO_INLINE void *
large_calloc(void *ctx, size_t size)
{
    return large_noted(ctx, raw_calloc(1, size), size);
}


/* Forget a block that the shadow has, if that is free to do: what is known of
   it, or CONTEXT_NONE.  *emptied is a leaf that is empty now. */
static Py_ALWAYS_INLINE inline struct shadow_block
large_forget_at_once(void *p, struct shadow_leaf **emptied)
{
    struct shadow_block removed = {.context = CONTEXT_NONE};
    struct shadow_leaf *leaf = tm_shadow_leaf(&S->shadow, (uintptr_t)p);
    if (UNLIKELY(leaf == NULL) || UNLIKELY(!tm_is_free())) {
        return removed;
    }
    uint64_t *entry = tm_shadow_entry(leaf, (uintptr_t)p);
    removed = tm_unpack_entry(*entry, (uintptr_t)p);
    if (LIKELY(removed.context != CONTEXT_NONE)) {
        *entry = 0;
        tm_count_free(&S->bytes, tm_context_at(&S->tree, removed.context),
                      removed.size);
        if (UNLIKELY(--leaf->used == 0)) {
            *emptied = leaf;
        }
    }
    return removed;
}


static Py_NO_INLINE struct shadow_block
large_forget_slow(void *p, uint32_t *generation)
{
    struct block removed = {.context = CONTEXT_NONE};
    enum access access = tm_begin();
    if (access != ACCESS_NONE) {
        _PyTraceMalloc_ForgetBlock(&S->large, DEFAULT_DOMAIN, (uintptr_t)p,
                                   &removed, access);
        *generation = S->tree.generation;
        tm_end(access);
    }
    return (struct shadow_block){removed.context, removed.size};
}


/* The same for any block; if it was known, also of which generation its
   context is. */
static Py_ALWAYS_INLINE inline struct shadow_block
large_forget(void *p, uint32_t *generation)
{
    struct shadow_leaf *emptied = NULL;
    struct shadow_block removed = large_forget_at_once(p, &emptied);
    if (UNLIKELY(removed.context == CONTEXT_NONE)) {
        return large_forget_slow(p, generation);
    }
    if (UNLIKELY(emptied != NULL)) {
        _PyTraceMalloc_LeafEmptied(&S->shadow, emptied);
    }
    *generation = S->tree.generation;
    return removed;
}


static Py_NO_INLINE void
large_free_slow(void *p, struct shadow_leaf *emptied)
{
    if (emptied != NULL) {
        _PyTraceMalloc_LeafEmptied(&S->shadow, emptied);
    }
    else {
        uint32_t generation;
        (void)large_forget_slow(p, &generation);
    }
    raw_free(p);
}


/* A block is still there that was forgotten, when the contexts were those of
   a generation. */
static void
large_put_back(void *p, struct shadow_block removed, uint32_t generation)
{
    enum access access = tm_begin();
    if (access == ACCESS_NONE) {
        return;
    }
    struct block block = {
        .address = (uintptr_t)p,
        .size = removed.size,
        .context = removed.context,
        .domain = DEFAULT_DOMAIN,
    };
    if (generation != S->tree.generation) {
        /* All traces were cleared. */
    }
    else if (_PyTraceMalloc_ReserveBlock(&S->large, &block) < 0) {
        _PyTraceMalloc_CountDrop(access);
    }
    else {
        tm_uncount_free(&S->bytes, tm_context_at(&S->tree, block.context),
                        block.size);
        _PyTraceMalloc_AddBlock(&S->large, &block);
    }
    tm_end(access);
}


static void *
large_realloc(void *ctx, void *p, size_t size)
{
    /* Forgotten first: its address may be given to another thread at once. */
    uint32_t generation = 0;
    struct shadow_block removed = large_forget(p, &generation);
    void *moved = raw_realloc(p, size);
    if (LIKELY(moved != NULL)) {
        large_note(ctx, moved, size);
    }
    else if (removed.context != CONTEXT_NONE) {
        large_put_back(p, removed, generation);
    }
    return moved;
}
