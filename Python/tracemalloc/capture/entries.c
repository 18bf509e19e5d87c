/* Entries of thread caches: where a frame is -> its node and its context.

   Called by capture; calls code objects for numbers, the call tree, and growth
   after a number was given. */

#include "Python.h"
#include "pycore_code.h"          // _PyCode_CODE()
#include "entries.h"
#include "growth.h"

#define S (&_PyTraceMalloc_State)


/* Something is to be added: a capture adds all that it has to add under one
   lock, which is kept until tm_entries_added(). */
static inline void
lock_to_add(enum access *access)
{
    tm_access_lock(*access);
    if (*access == ACCESS_GIL) {
        *access = ACCESS_LOCK;
    }
}


PART void
tm_entries_added(void)
{
    /* Indexes that were just outgrown: only the holder of the one GIL looks up
       without the lock, and the caller is that. */
    if (S->tree.replaced != NULL) {
        tm_free_replaced(&S->tree);
    }
    tm_unlock();
}


/* Give an entry's code object a number: 0, or -1 when out of memory. */
static Py_NO_INLINE int
entry_number(struct frame_entry *entry, enum access *access)
{
    PyCodeObject *co = _PyFrame_GetCode(entry->frame);
    lock_to_add(access);
    entry->key.code = tm_number_code_object(co);
    entry->salt = tm_site_salt(entry->key);
    if (entry->key.code == CODE_NONE) {
        tm_watch_growth_lock_held(CODE_NONE, *access);
    }
    return entry->key.code != CODE_NONE ? 0 : -1;
}


/* The instruction of an entry, as a number of code units. */
static inline intptr_t
entry_unit(const struct frame_entry *entry)
{
    const PyCodeObject *co = (PyCodeObject *)entry->frame->f_executable;
    return entry->instruction - _PyCode_CODE(co);
}


/* Whether an entry's code object has a number now: not when out of memory. */
static inline int
entry_has_number(struct frame_entry *entry, enum access *access)
{
    return entry->key.code != CODE_NONE || entry_number(entry, access) == 0;
}


/* The line of an entry that has a number. */
static inline int32_t
entry_line(const struct frame_entry *entry)
{
    return tm_code_line(&S->codes, entry->key.code, entry_unit(entry));
}


PART node_id
tm_entry_find_node(struct frame_entry *entry, enum access *access)
{
    if (!entry_has_number(entry, access)) {
        return NODE_NONE;
    }
    assert(entry->key.parent != NODE_NONE);
    tm_prefetch_nodes(&S->tree, entry->key.parent);
    int32_t line = entry_line(entry);
    node_id node = tm_find_node(&S->tree, entry->key.parent,
                                entry->key.code, line);
    if (node == NODE_NONE) {
        lock_to_add(access);
        node = tm_add_node(&S->tree, entry->key.parent,
                           entry->key.code, line);
        tm_watch_growth_lock_held(node, *access);
    }
    entry->site.node = node;
    if (node != NODE_NONE) {
        tm_entry_remember(entry, *access);
    }
    return node;
}


PART struct context *
tm_entry_find_context(struct frame_entry *entry, enum access *access)
{
    if (!entry_has_number(entry, access)) {
        return NULL;
    }
    assert(entry->key.parent != NODE_NONE);
    intptr_t unit = entry_unit(entry);
    uint32_t site = 0 <= unit && unit < (intptr_t)NO_UNIT
                    ? (uint32_t)unit : NO_UNIT;
    context_id id = tm_find_context(&S->tree, entry->key.parent,
                                    entry->key.code, site, ANY_SHORT_LINE);
    if (id == CONTEXT_NONE) {
        int32_t line = entry_line(entry);
        lock_to_add(access);
        id = tm_add_context(&S->tree, entry->key.parent,
                            entry->key.code, site, line);
        tm_watch_growth_lock_held(id, *access);
        if (id == CONTEXT_NONE) {
            return NULL;
        }
    }
    entry->site.context = tm_context_at(&S->tree, id);
    entry->site.cell = CELL(id, 0);
    return entry->site.context;
}
