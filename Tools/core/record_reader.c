/* A reader of records that shares nothing with the writer but the layout.

   Slow and plain: a checksum bit by bit, a table put together page by page. */

#include "record_reader.h"

#include "check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>


static uint32_t
crc_of(const void *data, size_t size)
{
    const unsigned char *at = data;
    uint32_t crc = ~0u;
    for (; size > 0; size--, at++) {
        crc ^= *at;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
        }
    }
    return ~crc;
}


static int
page_read(int fd, uint32_t page, void *to)
{
    return pread(fd, to, RECORD_PAGE, (off_t)(page * RECORD_PAGE))
           == (ssize_t)RECORD_PAGE;
}


/* Read the page of a place: whether it is the one that was meant. */
static int
place_read(int fd, const struct record_place *place, void *to)
{
    return le32(place->page) >= RECORD_FIRST_PAGE
           && page_read(fd, le32(place->page), to)
           && crc_of(to, RECORD_PAGE) == le32(place->check);
}


/* The newest checkpoint that is whole: 1, or 0. */
static int
checkpoint_read(int fd, struct record_checkpoint_page *newest)
{
    int found = 0;
    for (uint32_t page = 1; page <= 2; page++) {
        struct record_checkpoint_page each;
        if (page_read(fd, page, &each)
            && crc_of(&each, RECORD_CHECKED) == le32(each.check)
            && memcmp(each.about.magic, CHECKPOINT_MAGIC, MAGIC_SIZE) == 0
            && (!found || le64(each.about.sequence)
                          > le64(newest->about.sequence)))
        {
            *newest = each;
            found = 1;
        }
    }
    return found;
}


/* All places of all tables, one behind the other, or NULL. */
static struct record_place *
places_read(int fd, const struct record_checkpoint_page *page)
{
    size_t n = le32(page->nlists);
    unsigned char *all = malloc((n + 1) * RECORD_PAGE);
    CHECK(all != NULL);
    for (size_t i = 0; i < n; i++) {
        if (!place_read(fd, &page->lists[i], all + i * RECORD_PAGE)) {
            free(all);
            return NULL;
        }
    }
    return (struct record_place *)all;
}


enum record_reading
record_read(int fd, struct record_picture *picture)
{
    struct record_checkpoint_page page;
    memset(picture, 0, sizeof(*picture));
    if (!checkpoint_read(fd, &page)) {
        return READ_NOTHING;
    }
    picture->about = page.about;
    struct record_place *places = places_read(fd, &page);
    if (places == NULL) {
        return READ_TORN;
    }
    const struct record_place *next = places;
    for (int i = 0; i < RECORD_TABLES; i++) {
        const struct record_extent *extent =
            i < FIRST_TABLES ? &page.tables[i] : &page.about.accounts;
        uint32_t n = le32(extent->pages);
        picture->lengths[i] = le64(extent->length);
        CHECK(picture->lengths[i] <= n * RECORD_PAGE);
        picture->tables[i] = malloc((n + 1) * RECORD_PAGE);
        CHECK(picture->tables[i] != NULL);
        for (uint32_t at = 0; at < n; at++) {
            if (!place_read(fd, next++,
                            picture->tables[i] + at * RECORD_PAGE))
            {
                free(places);
                record_free(picture);
                return READ_TORN;
            }
        }
    }
    free(places);
    return READ_WHOLE;
}


void
record_free(struct record_picture *picture)
{
    for (int i = 0; i < RECORD_TABLES; i++) {
        free(picture->tables[i]);
        picture->tables[i] = NULL;
    }
}


struct record_counters
record_counts_of(const struct record_picture *picture, uint64_t number)
{
    struct record_few few;
    CHECK(number * sizeof(few) <= picture->lengths[TABLE_FEW]);
    memcpy(&few, picture->tables[TABLE_FEW] + (number - 1) * sizeof(few),
           sizeof(few));
    struct record_counters counts = {
        .allocated_blocks = few.allocated_blocks,
        .freed_blocks = few.freed_blocks,
        .allocated_bytes = le16(few.allocated_bytes),
        .freed_bytes = le16(few.freed_bytes),
        .peak_blocks = few.peak_blocks,
        .peak_bytes = le16(few.peak_bytes),
    };
    if (few.has_counters) {
        uint64_t at = le32(few.counters);
        CHECK(at != 0 && at * sizeof(counts)
                         <= picture->lengths[TABLE_COUNTERS]);
        memcpy(&counts, picture->tables[TABLE_COUNTERS]
                        + (at - 1) * sizeof(counts), sizeof(counts));
        counts = (struct record_counters){
            .allocated_blocks = le64(counts.allocated_blocks),
            .freed_blocks = le64(counts.freed_blocks),
            .allocated_bytes = le64(counts.allocated_bytes),
            .freed_bytes = le64(counts.freed_bytes),
            .peak_blocks = le64(counts.peak_blocks),
            .peak_bytes = le64(counts.peak_bytes),
        };
    }
    return counts;
}


struct record_totals
record_add_up(const struct record_picture *picture)
{
    struct record_totals totals = {
        .contexts = picture->lengths[TABLE_CONTEXTS]
                    / sizeof(struct record_context),
    };
    CHECK_EQUAL(totals.contexts, picture->lengths[TABLE_FEW]
                                 / sizeof(struct record_few));
    for (uint64_t number = 1; number <= totals.contexts; number++) {
        struct record_counters counts = record_counts_of(picture, number);
        totals.bytes += counts.allocated_bytes - counts.freed_bytes;
        totals.blocks += counts.allocated_blocks - counts.freed_blocks;
        totals.peak_bytes += counts.peak_bytes;
        totals.peak_blocks += counts.peak_blocks;
    }
    return totals;
}


int
record_file(uint64_t size)
{
    FILE *stream = tmpfile();
    CHECK(stream != NULL);
    int fd = dup(fileno(stream));
    fclose(stream);
    CHECK(fd >= 0);
    CHECK_EQUAL(ftruncate(fd, (off_t)size), 0);
    return fd;
}
