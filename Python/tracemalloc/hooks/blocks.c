/* Blocks, wherever they are kept: note, forget, move, look up.

   Called by the hooks and the C API; calls capture, the table of blocks, and
   cells.  A block of pymalloc has a cell (pymalloc.c.h), any other an entry in
   one of two tables: raw blocks and those of other domains in `raw`, which
   threads without the GIL share, all others in `large`, which has a shadow.

   A block is forgotten before the allocator below can give its address to
   another thread, and put back if that fails: it is *lifted* meanwhile. */

#include "Python.h"
#include "../access.h"
#include "../capture/capture.h"
#include "../capture/growth.h"
#include "../own.h"
#include "../record/record.h"
#include "admission.h"
#include "alarm.h"
#include "blocks.h"
#include "count_block.h"
#include "objects.h"
#include "pymalloc.h"

#define S (&_PyTraceMalloc_State)


static const struct site *
capture_any(enum access access)
{
    PyThreadState *tstate = _PyThreadState_GET();
    if (tstate != NULL && access != ACCESS_DETACHED) {
        return tm_capture(tstate, access);
    }
    if (tstate == NULL) {
        tstate = tm_detached_thread();
    }
    return tm_capture_verified(tstate,
                               _PyTraceMalloc_CaptureSlow(tstate, access));
}


/* The context of a site in any domain. */
static context_id
context_in_domain(const struct site *site, uint32_t domain,
                  enum access access)
{
    if (domain == DEFAULT_DOMAIN) {
        return tm_site_context(site);
    }
    tm_access_lock(access);
    context_id id = tm_add_context_of_domain(
        &S->tree, site->context, domain);
    tm_watch_growth_lock_held(id, access);
    tm_access_unlock(access);
    return id;
}


/* The table of raw blocks is shared with detached threads. */
static inline void
table_lock(const struct block_table *table, enum access access)
{
    if (table == &S->raw) {
        tm_access_lock(access);
    }
}


/* What the thread has then. */
static inline enum access
table_access(const struct block_table *table, enum access access)
{
    return table == &S->raw && access == ACCESS_GIL ? ACCESS_LOCK : access;
}


static inline void
table_unlock(const struct block_table *table, enum access access)
{
    if (table == &S->raw) {
        tm_access_unlock(access);
    }
}


/* Put a block into a table, and count what is found in its way as freed: that
   was, behind our back, or is reported again by its extension.  0, or -1 when
   out of memory. */
static inline int
block_put(struct block_table *table, const struct block *block,
          enum access access)
{
    struct block stale;
    int put;
    while ((put = _PyTraceMalloc_PutBlock(table, block, &stale)) > 0) {
        tm_count_block_free(stale.context, stale.size, access);
    }
    return put;
}


/* Note a block of the library's own: 0, 1 if it is left out, since no object
   can come from it, or -1 when the trace had to be dropped. */
static Py_NO_INLINE int
own_note(struct block_table *table, uint32_t domain, uintptr_t address,
         size_t size, enum access access)
{
    struct block stale;
    struct block block = {
        .address = address,
        .size = size,
        .context = CONTEXT_OWN,
        .domain = domain,
    };
    if (table == &S->raw) {
        (void)_PyTraceMalloc_ForgetBlock(table, domain, address, &stale,
                                         access);
        return 1;
    }
    if (block_put(table, &block, access) < 0) {
        _PyTraceMalloc_CountDrop(access);
        return -1;
    }
    if (tm_count_block(CONTEXT_OWN, size, access) < 0) {
        (void)_PyTraceMalloc_RemoveBlock(table, domain, address, &stale);
        _PyTraceMalloc_CountDrop(access);
        return -1;
    }
    return 0;
}


static inline int
thread_is_quiet(enum access access)
{
    PyThreadState *tstate = _PyThreadState_GET();
    if (tstate == NULL && access == ACCESS_DETACHED) {
        tstate = tm_detached_thread();
    }
    return tm_is_quiet(tstate);
}


int
_PyTraceMalloc_NoteBlock(struct block_table *table, uint32_t domain,
                         uintptr_t address, size_t size, enum access access)
{
    struct block block = {.address = address, .size = size, .domain = domain};
    struct block stale;
    if (domain != DEFAULT_DOMAIN && access != ACCESS_DETACHED
        && tm_reclaim_is_wanted())
    {
        /* A capture does not, at a site that was met before; but there is one
           more context there for each domain. */
        tm_reclaim_now(access);
    }
    const struct site *site = capture_any(access);
    int watched = tm_is_watched();
    int ignored = 0;
    if (watched) {
        _PyTraceMalloc_WatchAlarm(access);
        ignored = !_PyTraceMalloc_IsAdmitted(site, access);
    }
    if (site == NULL) {
        if (thread_is_quiet(access)) {
            return own_note(table, domain, address, size, access);
        }
    }
    else if (!ignored) {
        block.context = context_in_domain(site, domain, access);
    }
    int put = -1, noted = 0;
    table_lock(table, access);
    if (block.context != CONTEXT_NONE) {
        put = block_put(table, &block, access);
        noted = put == 0
                && tm_count_block(block.context, size,
                                  table_access(table, access)) == 0;
    }
    if (!noted && _PyTraceMalloc_RemoveBlock(table, domain, address, &stale)
        && put < 0)
    {
        tm_count_block_free(stale.context, stale.size, access);
    }
    table_unlock(table, access);
    if (watched) {
        _PyTraceMalloc_WatchAlarm(access);
    }
    if (!noted && !ignored) {
        _PyTraceMalloc_CountDrop(access);
        return -1;
    }
    tm_watch_record_last(access);
    return ignored;
}


int
_PyTraceMalloc_ForgetBlock(struct block_table *table, uint32_t domain,
                           uintptr_t address, struct block *removed,
                           enum access access)
{
    table_lock(table, access);
    int found = _PyTraceMalloc_RemoveBlock(table, domain, address, removed);
    if (found) {
        tm_count_block_free(removed->context, removed->size, access);
    }
    table_unlock(table, access);
    if (!found && table == &S->large && S->foreign) {
        return _PyTraceMalloc_ForgetBlock(&S->raw, domain, address, removed,
                                          access);
    }
    return found;
}


/* What this thread has lifted, for the debug hooks: they may find it damaged,
   and then ask where it was allocated. */
static _Py_thread_local const struct lifted *lifted_now;


PART void
tm_lift_block(struct block_table *table, void *ptr, struct lifted *lifted)
{
    lifted->present = 0;
    lifted_now = lifted;
    if (ptr == NULL) {
        return;
    }
    enum access access = tm_begin();
    if (access != ACCESS_NONE) {
        lifted->present = _PyTraceMalloc_ForgetBlock(
            table, DEFAULT_DOMAIN, (uintptr_t)ptr, &lifted->block, access);
        lifted->generation = S->tree.generation;
        tm_end(access);
    }
}


PART void
tm_put_back_block(struct block_table *table, const struct lifted *lifted)
{
    lifted_now = NULL;
    if (!lifted->present) {
        return;
    }
    enum access access = tm_begin();
    if (access == ACCESS_NONE) {
        return;
    }
    if (lifted->generation == S->tree.generation) {
        const struct block *block = &lifted->block;
        table_lock(table, access);
        int failed = _PyTraceMalloc_ReserveBlock(table, block) < 0
            || tm_count_block_kept(block->context, block->size, access) < 0;
        if (!failed) {
            _PyTraceMalloc_AddBlock(table, block);
        }
        table_unlock(table, access);
        if (failed) {
            _PyTraceMalloc_CountDrop(access);
        }
    }
    tm_end(access);
}


/* Forget a block of Python's own, wherever it is kept. */
static void
object_forget(uintptr_t address, enum access access)
{
    struct block removed;
    if (!_PyTraceMalloc_ForgetCell(address)) {
        _PyTraceMalloc_ForgetBlock(&S->large, DEFAULT_DOMAIN, address,
                                   &removed, access);
    }
}


/* Let a block belong to the calling line: 1, or 0 if the table does not know
   it. */
static int
block_move(struct block_table *table, uintptr_t address, enum access access)
{
    struct block block;
    table_lock(table, access);
    int found = tm_find_block(table, DEFAULT_DOMAIN, address, &block);
    table_unlock(table, access);
    if (!found) {
        return 0;
    }
    const struct site *site = capture_any(access);
    if (site == NULL) {
        if (!thread_is_quiet(access)) {
            /* Who had it before has let go of it. */
            object_forget(address, access);
            _PyTraceMalloc_CountDrop(access);
        }
        return 1;
    }
    table_lock(table, access);
    if (table == &S->raw) {
        /* Detached threads may have changed the table meanwhile. */
        found = tm_find_block(table, DEFAULT_DOMAIN, address, &block);
    }
    if (found) {
        tm_make_room(site->context, block.size, table_access(table, access));
        tm_count_move(&S->bytes, tm_context_at(&S->tree, block.context),
                      site->context, block.size);
        tm_set_block_context(table, DEFAULT_DOMAIN, address,
                             tm_site_context(site));
    }
    table_unlock(table, access);
    return 1;
}


/* An object from a free list now belongs to who takes it.  Unknown blocks stay
   unknown. */
void
_PyTraceMalloc_MoveObject(PyObject *op)
{
    enum access access = tm_begin();
    if (access == ACCESS_NONE) {
        return;
    }
    uintptr_t address = _PyTraceMalloc_BlockOfObject(op);
    if (tm_is_watched()
        && !_PyTraceMalloc_IsAdmitted(capture_any(access), access))
    {
        object_forget(address, access);
    }
    else if (!_PyTraceMalloc_MoveCell(address, access)
             && !block_move(&S->large, address, access) && S->foreign)
    {
        (void)block_move(&S->raw, address, access);
    }
    tm_end(access);
}


void
_PyTraceMalloc_ShowLifted(const struct lifted *lifted)
{
    lifted_now = lifted;
}


PART int
tm_look_up(uint32_t domain, uintptr_t address, struct block *block)
{
    if (domain == DEFAULT_DOMAIN
        && _PyTraceMalloc_LookUpCell(address, block))
    {
        return 1;
    }
    if ((domain == DEFAULT_DOMAIN
         && tm_find_block(&S->large, domain, address, block))
        || tm_find_block(&S->raw, domain, address, block))
    {
        return 1;
    }
    if (lifted_now != NULL && lifted_now->present
        && lifted_now->generation == S->tree.generation
        && domain == DEFAULT_DOMAIN && lifted_now->block.address == address)
    {
        *block = lifted_now->block;
        return 1;
    }
    return 0;
}
