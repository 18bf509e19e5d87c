/* Entries of thread caches: where a frame is -> its node and its context.

   Called by capture; calls code objects for numbers, the call tree, and growth
   after a number was given. */

#include "Python.h"
#include "pycore_code.h"          // _PyCode_CODE()
#include "entries.h"
#include "growth.h"

#define S (&_PyTraceMalloc_State)


/* Free indexes that were just outgrown.  Only the holder of the one GIL looks
   up without the lock, and the caller is that.  Needs the lock. */
static inline void
free_replaced(enum access access)
{
    if (access == ACCESS_GIL && S->tree.replaced != NULL) {
        tm_free_replaced(&S->tree);
    }
}


/* Give an entry's code object a number: 0, or -1 when out of memory. */
static Py_NO_INLINE int
entry_number(struct frame_entry *entry, enum access access)
{
    PyCodeObject *co = _PyFrame_GetCode(entry->frame);
    tm_access_lock(access);
    entry->key.code = tm_number_code_object(co);
    entry->salt = tm_site_salt(entry->key);
    if (entry->key.code == CODE_NONE) {
        tm_watch_growth_lock_held(CODE_NONE, access);
    }
    tm_access_unlock(access);
    return entry->key.code != CODE_NONE ? 0 : -1;
}


/* The instruction of an entry, as a number of code units. */
static inline intptr_t
entry_unit(const struct frame_entry *entry)
{
    const PyCodeObject *co = (PyCodeObject *)entry->frame->f_executable;
    return entry->instruction - _PyCode_CODE(co);
}


/* The line of an entry, after making sure its code object has a number: -1
   when out of memory. */
static inline int32_t
entry_line(struct frame_entry *entry, enum access access)
{
    if (entry->key.code == CODE_NONE && entry_number(entry, access) < 0) {
        return -1;
    }
    return tm_code_line(&S->codes, entry->key.code, entry_unit(entry));
}


PART node_id
tm_entry_find_node(struct frame_entry *entry, enum access access)
{
    int32_t line = entry_line(entry, access);
    if (line < 0) {
        return NODE_NONE;
    }
    node_id node = tm_find_node(&S->tree, entry->key.parent,
                                entry->key.code, line);
    if (node == NODE_NONE) {
        tm_access_lock(access);
        node = tm_add_node(&S->tree, entry->key.parent,
                           entry->key.code, line);
        tm_watch_growth_lock_held(node, access);
        free_replaced(access);
        tm_access_unlock(access);
    }
    entry->site.node = node;
    if (node != NODE_NONE) {
        tm_entry_remember(entry, access);
    }
    return node;
}


PART struct context *
tm_entry_find_context(struct frame_entry *entry, enum access access)
{
    tm_prefetch_contexts(&S->tree, entry->key.parent);
    int32_t line = entry_line(entry, access);
    if (line < 0) {
        return NULL;
    }
    intptr_t unit = entry_unit(entry);
    uint32_t site = 0 <= unit && unit < (intptr_t)NO_UNIT
                    ? (uint32_t)unit : NO_UNIT;
    context_id id = tm_find_context(&S->tree, entry->key.parent,
                                    entry->key.code, site, line);
    if (id == CONTEXT_NONE) {
        tm_access_lock(access);
        id = tm_add_context(&S->tree, entry->key.parent,
                            entry->key.code, site, line);
        tm_watch_growth_lock_held(id, access);
        free_replaced(access);
        tm_access_unlock(access);
        if (id == CONTEXT_NONE) {
            return NULL;
        }
    }
    entry->site.context = tm_context_at(&S->tree, id);
    entry->site.cell = CELL(id, 0);
    return entry->site.context;
}
