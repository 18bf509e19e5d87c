/* Names of accounts in a record.

   Called by checkpoint.c, by who is busy; calls tables.c and pages.c.  What a
   name has no room for is an account without name: what it holds is told all
   the same, since the contexts say its number. */

#include "account_names.h"

/* So many names are copied at once, and bytes of them, which bounds how long
   others wait; the rest has its turn in the next copy. */
#define MOST_NAMES 4096
#define MOST_BYTES ((size_t)1 << 20)

struct fresh_account {
    uint32_t kind;
    size_t length;
    size_t text;                /* where it begins in `bytes` */
};


PART int
tm_copy_account_names(struct record_account_names *names,
                      const struct record_tables *tables,
                      const struct name_table *accounts)
{
    if (tables->renew) {
        names->ncopied = 0;
        names->full = 0;
    }
    names->fresh.n = names->bytes.n = 0;
    if (accounts == NULL || names->full) {
        return 0;
    }
    while (names->ncopied + 1 < accounts->used) {
        const struct name *name = accounts->entries[names->ncopied + 1];
        if (name == NULL) {
            /* The number after the last there can be, which nobody has. */
            break;
        }
        if (names->fresh.n == MOST_NAMES || names->bytes.n > MOST_BYTES) {
            return 1;
        }
        struct fresh_account fresh = {
            .kind = name->kind,
            .length = name->length,
        };
        struct fresh_account *to;
        if (tm_add_bytes(&names->bytes, name->text,
                         name->length * name->kind, &fresh.text) < 0
            || (to = tm_add_item(&names->fresh, sizeof(*to))) == NULL)
        {
            /* The next copy tries again; who waits for all would never end. */
            break;
        }
        *to = fresh;
        names->ncopied++;
    }
    return 0;
}


PART int
tm_write_account_names(struct record_account_names *names,
                       struct record_tables *tables, struct page_file *file)
{
    if (names->generation != file->generation) {
        if (names->ncopied != names->fresh.n) {
            /* The file was begun anew after the copy. */
            names->ncopied = 0;
            names->fresh.n = 0;
            return 0;
        }
        names->generation = file->generation;
    }
    const struct fresh_account *all = names->fresh.items.data;
    for (size_t i = 0; i < names->fresh.n && !names->full; i++) {
        /* UTF-8, its size, and the account's number of the name. */
        size_t most = 4 * all[i].length + 2 * sizeof(uint32_t);
        if (!tm_has_room(tables, file, most)) {
            names->full = 1;
            break;
        }
        uint32_t number = le32(tm_write_name(
            tables, file, all[i].kind,
            (const char *)names->bytes.items.data + all[i].text,
            all[i].length));
        if (number == 0
            || tm_append_table(file, TABLE_ACCOUNTS, &number,
                               sizeof(number)) < 0)
        {
            return -1;
        }
    }
    tm_shrink_list(&names->fresh, sizeof(struct fresh_account));
    tm_shrink_list(&names->bytes, 1);
    return 0;
}


PART void
tm_free_account_names(struct record_account_names *names)
{
    tm_free_mapped(&names->fresh.items);
    tm_free_mapped(&names->bytes.items);
    memset(names, 0, sizeof(*names));
}
