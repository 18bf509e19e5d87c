/* Making an entry of a thread's cache right: see entries.c. */

#ifndef TRACEMALLOC_ENTRIES_H
#define TRACEMALLOC_ENTRIES_H

#include "../access.h"
#include "code_objects.h"
#include "frame_entry.h"

/* All that follow need access, or the store lock in ACCESS_DETACHED. */

/* Find or make the node of an entry, or the context of an allocation there,
   and keep it: NODE_NONE or NULL when out of memory.  The site cache learns of
   a node. */
PART node_id tm_entry_find_node(struct frame_entry *, enum access);
PART struct context *tm_entry_find_context(struct frame_entry *, enum access);

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


/* Make an entry say where its frame is now: keep what is still right. */
static inline void
tm_entry_update(struct frame_entry *entry, _PyInterpreterFrame *frame,
                node_id parent, enum access access)
{
    struct site_key key = {.code = tm_frame_code(frame), .parent = parent};
    const _Py_CODEUNIT *instruction = frame->instr_ptr;
    entry->frame = frame;
    if (memcmp(&entry->key, &key, sizeof(key)) != 0) {
        entry->key = key;
        entry->salt = tm_site_salt(key);
    }
    else if (entry->instruction == instruction) {
        return;
    }
    entry->instruction = instruction;
    const struct cached_site *cached = access == ACCESS_DETACHED ? NULL
        : tm_site_cached(instruction, &key, entry->salt);
    entry->site = cached != NULL ? cached->site : NO_SITE;
}


/* The node of an entry, or NODE_NONE when out of memory. */
static inline node_id
tm_entry_node(struct frame_entry *entry, enum access access)
{
    return entry->site.node != NODE_NONE ? entry->site.node
                                         : tm_entry_find_node(entry, access);
}

#endif  /* !TRACEMALLOC_ENTRIES_H */
