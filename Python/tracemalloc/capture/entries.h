/* Making an entry of a thread's cache right: see entries.c. */

#ifndef TRACEMALLOC_ENTRIES_H
#define TRACEMALLOC_ENTRIES_H

#include "../access.h"
#include "code_objects.h"
#include "frame_entry.h"

/* All that follow need access, or the store lock in ACCESS_DETACHED. */

/* Find or make the node of an entry, or the context of an allocation there,
   and keep it: NODE_NONE or NULL when out of memory.  The site cache learns of
   a node.  What is added takes the store lock, which is kept: ACCESS_GIL
   becomes ACCESS_LOCK, and tm_entries_added() is to be called. */
PART node_id tm_entry_find_node(struct frame_entry *, enum access *);
PART struct context *tm_entry_find_context(struct frame_entry *,
                                           enum access *);
PART void tm_entries_added(void);

/* Let what was looked up for an entry be recalled. */
static inline void
tm_entry_remember(const struct frame_entry *entry, enum access access)
{
    if (access == ACCESS_DETACHED) {
        return;
    }
    *tm_site_cache_at(entry->instruction, entry->salt) = (struct cached_site){
        .instruction = entry->instruction,
        .key = entry->key,
        .site = entry->site,
    };
}


/* Let its frame be there now, of which the site cache has this, or NULL. */
static inline void
tm_entry_go(struct frame_entry *entry, const _Py_CODEUNIT *instruction,
            const struct cached_site *cached)
{
    entry->instruction = instruction;
    entry->site = cached != NULL ? cached->site : NO_SITE;
}


/* Make it one of this frame, where that is now: keep what is still right. */
static inline void
tm_entry_update(struct frame_entry *entry, _PyInterpreterFrame *frame,
                node_id parent, enum access access)
{
    site_key key = tm_site_key(tm_frame_code(frame), parent);
    const _Py_CODEUNIT *instruction = frame->instr_ptr;
    entry->frame = frame;
    if (entry->key != key) {
        entry->key = key;
        entry->salt = tm_site_salt(key);
    }
    else if (entry->instruction == instruction) {
        return;
    }
    tm_entry_go(entry, instruction, access == ACCESS_DETACHED ? NULL
                : tm_site_cached(instruction, key, entry->salt));
}


/* The node of an entry, or NODE_NONE when out of memory. */
static inline node_id
tm_entry_node(struct frame_entry *entry, enum access *access)
{
    return entry->site.node != NODE_NONE ? entry->site.node
                                         : tm_entry_find_node(entry, access);
}

#endif  /* !TRACEMALLOC_ENTRIES_H */
