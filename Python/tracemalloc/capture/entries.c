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
    code_id code = tm_number_code_object(co);
    entry->key = tm_site_key(code, tm_key_parent(entry->key));
    entry->salt = tm_site_salt(entry->key);
    if (code == CODE_NONE) {
        tm_watch_growth_lock_held(CODE_NONE, *access);
    }
    return code != CODE_NONE ? 0 : -1;
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
    return tm_key_code(entry->key) != CODE_NONE
           || entry_number(entry, access) == 0;
}


/* The line of an entry that has a number. */
static inline int32_t
entry_line(const struct frame_entry *entry)
{
    return tm_code_line(&S->codes, tm_key_code(entry->key), entry_unit(entry));
}


PART node_id
tm_entry_find_node(struct frame_entry *entry, enum access *access)
{
    if (!entry_has_number(entry, access)) {
        return NODE_NONE;
    }
    node_id parent = tm_key_parent(entry->key);
    code_id code = tm_key_code(entry->key);
    assert(parent != NODE_NONE);
    tm_prefetch_nodes(&S->tree, parent);
    int32_t line = entry_line(entry);
    node_id node = tm_find_node(&S->tree, parent, code, line);
    if (node == NODE_NONE) {
        lock_to_add(access);
        node = tm_add_node(&S->tree, parent, code, line);
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
    node_id parent = tm_key_parent(entry->key);
    code_id code = tm_key_code(entry->key);
    assert(parent != NODE_NONE);
    intptr_t unit = entry_unit(entry);
    uint32_t site = 0 <= unit && unit < (intptr_t)NO_UNIT
                    ? (uint32_t)unit : NO_UNIT;
    context_id id = tm_find_context(&S->tree, parent, code, site,
                                    ANY_SHORT_LINE);
    if (id == CONTEXT_NONE) {
        int32_t line = entry_line(entry);
        lock_to_add(access);
        id = tm_add_context(&S->tree, parent, code, site, line);
        tm_watch_growth_lock_held(id, *access);
        if (id == CONTEXT_NONE) {
            return NULL;
        }
        if (id % ASK_EACH == 0 && S->tree.taken.any) {
            tm_ask_path(&S->tree, tm_context_at(&S->tree, id));
        }
    }
    entry->site.context = tm_context_at(&S->tree, id);
    entry->site.cell = CELL(id, 0);
    return entry->site.context;
}
