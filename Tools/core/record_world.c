/* Contexts with their counts, and a record of them. */

#include "record_world.h"

#include <string.h>

enum { NCODES = 5, UNITS = 8 };

static char owners[NCODES + 1];


void
record_world_begin(struct record_world *world, uint64_t size)
{
    memset(world, 0, sizeof(*world));
    CHECK_EQUAL(tm_init_codes(&world->codes), 0);
    CHECK_EQUAL(tm_init_tree(&world->tree), 0);
    world->bytes.epoch = 1;
    for (code_id id = 1; id <= NCODES; id++) {
        char name[] = "file 0";
        name[5] = (char)('0' + id);
        name_id file = tm_add_name(world->codes.names, 1, name, 6);
        CHECK_EQUAL(code_add_named(&world->codes, &owners[id], file,
                                   line_map_plain()), id);
    }
    /* What is hidden has its number. */
    CHECK_EQUAL(tm_add_context(&world->tree, NODE_ROOT, CODE_NONE, NO_UNIT,
                               0), CONTEXT_OWN);
    world->nodes[world->nnodes++] = NODE_ROOT;
    while (world->nnodes < sizeof(world->nodes) / sizeof(node_id)) {
        node_id parent = world->nodes[random_below(world->nnodes)];
        world->nodes[world->nnodes] = tm_add_node(
            &world->tree, parent, 1 + random_below(NCODES),
            (int32_t)world->nnodes);
        world->nnodes++;
    }
    CHECK_EQUAL(tm_open_pages(&world->file, record_file(size), size), 0);
    tm_renew_tables(&world->tables);
}


void
record_world_end(struct record_world *world)
{
    tm_free_tables(&world->tables);
    tm_close_pages(&world->file);
    tm_fini_tree(&world->tree);
    tm_fini_codes(&world->codes);
}


context_id
record_world_add(struct record_world *world, uint32_t number)
{
    node_id node = world->nodes[number % world->nnodes];
    number /= world->nnodes;
    code_id code = 1 + number % NCODES;
    number /= NCODES;
    context_id id = tm_add_context(&world->tree, node, code, number % UNITS,
                                   (int32_t)(number + 1));
    CHECK(id != CONTEXT_NONE);
    return id;
}


int
record_world_write(struct record_world *world)
{
    struct record_tables *tables = &world->tables;
    struct record_source from = {
        .codes = &world->codes, .tree = &world->tree, .bytes = &world->bytes,
        .hidden = CONTEXT_OWN,
    };
    CHECK_EQUAL(tm_copy_tables(tables, &from), 0);
    struct record_checkpoint about = {
        .current = tables->sums.bytes, .blocks = tables->sums.blocks,
        .peak = world->bytes.peak,
    };
    if (tm_write_tables(tables, &world->file) < 0) {
        tm_renew_tables(tables);
        return -1;
    }
    about.lost = tables->lost.contexts;
    about.lost_bytes = tables->lost.bytes;
    about.lost_blocks = tables->lost.blocks;
    about.lost_peak_bytes = tables->lost.peak_bytes;
    about.lost_peak_blocks = tables->lost.peak_blocks;
    if (tm_commit_pages(&world->file, &about) < 0) {
        tm_renew_tables(tables);
        return -1;
    }
    return 0;
}


void
record_check(const struct record_picture *picture)
{
    struct record_totals totals = record_add_up(picture);
    const struct record_checkpoint *about = &picture->about;
    CHECK_EQUAL(totals.bytes + le64(about->lost_bytes),
                le64(about->current));
    CHECK_EQUAL(totals.blocks + le64(about->lost_blocks),
                le64(about->blocks));
    CHECK_EQUAL(totals.peak_bytes + le64(about->lost_peak_bytes),
                le64(about->peak));
}
