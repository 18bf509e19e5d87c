/* Instructions of a snapshot: where in their lines contexts allocate.

   A part of snapshot.c, which see.  Taking copies the location tables of the
   code objects that contexts name, which may die; finishing reads them, each
   once, and stores what they say for each context. */

#include "draft.h"

#include <string.h>


/* --- taking -------------------------------------------------------------- */

static uint32_t *
instruction_slot(const struct snapshot_draft *draft, uint32_t code,
                 uint32_t unit)
{
    size_t mask = draft->instruction_mask;
    uint64_t key = (uint64_t)code << 32 | unit;
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 32) & mask;
    for (;; at = (at + 1) & mask) {
        uint32_t *slot = &draft->instruction_slots[at];
        if (*slot == 0 || (draft->instructions[*slot - 1].code == code
                           && draft->instructions[*slot - 1].unit == unit))
        {
            return slot;
        }
    }
}


/* Twice the room for instructions. */
static int
instructions_grow(struct snapshot_draft *draft)
{
    size_t nslots = draft->instruction_slots == NULL
        ? 64 : 2 * (draft->instruction_mask + 1);
    uint32_t *slots = tm_new_numbers(nslots);
    struct snapshot_instruction *all = realloc(
        draft->instructions, nslots / 2 * sizeof(all[0]));
    if (all != NULL) {
        draft->instructions = all;
    }
    if (slots == NULL || all == NULL) {
        free(slots);
        return -1;
    }
    free(draft->instruction_slots);
    draft->instruction_slots = slots;
    draft->instruction_mask = nslots - 1;
    for (size_t i = 0; i < draft->ninstructions; i++) {
        *instruction_slot(draft, all[i].code, all[i].unit) = (uint32_t)i + 1;
    }
    return 0;
}


/* The number of an instruction, which is new perhaps; there is room. */
static uint32_t
instruction_number(struct snapshot_draft *draft, code_id id, uint32_t unit)
{
    if (draft->code_numbers[id] == 0) {
        draft->code_numbers[id] = (uint32_t)++draft->ncodes;
    }
    uint32_t code = draft->code_numbers[id] - 1;
    uint32_t *slot = instruction_slot(draft, code, unit);
    if (*slot == 0) {
        struct snapshot_code *owner = &draft->codes[code];
        size_t number = draft->ninstructions++;
        draft->instructions[number] = (struct snapshot_instruction){
            .code = code,
            .unit = unit,
            .next = owner->first,
            .location = {-1, -1, -1},
        };
        *slot = owner->first = (uint32_t)number + 1;
        if (unit != NO_UNIT && unit >= owner->nunits) {
            owner->nunits = unit + 1;
        }
    }
    return *slot - 1;
}


static int
instructions_number(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct snapshot_source *from = draft->from;
    size_t n = snapshot->ncontexts, ncodes = from->codes->used;
    SNAPSHOT_LOCATION_COLUMNS(COLUMN_ALLOC)
    draft->code_numbers = tm_new_numbers(ncodes);
    draft->context_instructions = tm_new_numbers(n);
    draft->codes = calloc(n < ncodes ? n + 1 : ncodes,
                          sizeof(draft->codes[0]));
    if (draft->code_numbers == NULL || draft->context_instructions == NULL
        || draft->codes == NULL || instructions_grow(draft) < 0)
    {
        return -1;
    }
    for (size_t number = 0; number < n; number++) {
        const struct context *context = tm_context_at(
            from->tree, draft->contexts[number]);
        if (draft->ninstructions == (draft->instruction_mask + 1) / 2
            && instructions_grow(draft) < 0)
        {
            return -1;
        }
        draft->context_instructions[number] = instruction_number(
            draft, tm_context_code(context), tm_context_unit(context));
    }
    return 0;
}


static int
locations_copy(struct snapshot_draft *draft)
{
    const struct code_table *codes = draft->from->codes;
    size_t size = 0;
    for (code_id id = 1; id < codes->used; id++) {
        if (draft->code_numbers[id] != 0) {
            size += tm_code_at(codes, id)->nlocations;
        }
    }
    draft->locations = malloc(size + 1);
    if (draft->locations == NULL) {
        return -1;
    }
    size = 0;
    for (code_id id = 1; id < codes->used; id++) {
        if (draft->code_numbers[id] != 0) {
            struct snapshot_code *code =
                &draft->codes[draft->code_numbers[id] - 1];
            const struct code_entry *entry = tm_code_at(codes, id);
            code->locations = size;
            code->nlocations = entry->nlocations;
            if (entry->nlocations != 0) {
                memcpy(draft->locations + size, entry->locations,
                       entry->nlocations);
            }
            size += entry->nlocations;
        }
    }
    return 0;
}


PART int
tm_take_instructions(struct snapshot *snapshot)
{
    return instructions_number(snapshot) < 0
           || locations_copy(snapshot->draft) < 0 ? -1 : 0;
}


/* --- finishing ----------------------------------------------------------- */

/* Read the location tables that were copied, for all instructions. */
static int
instructions_locate(struct snapshot_draft *draft)
{
    size_t most = 1;
    for (size_t i = 0; i < draft->ncodes; i++) {
        if (draft->codes[i].nunits > most) {
            most = draft->codes[i].nunits;
        }
    }
    struct location *units = malloc(most * sizeof(units[0]));
    if (units == NULL) {
        return -1;
    }
    for (size_t i = 0; i < draft->ncodes; i++) {
        const struct snapshot_code *code = &draft->codes[i];
        tm_read_locations(draft->locations + code->locations,
                          code->nlocations, units, code->nunits);
        struct snapshot_instruction *instruction;
        for (uint32_t at = code->first; at != 0; at = instruction->next) {
            instruction = &draft->instructions[at - 1];
            if (instruction->unit != NO_UNIT) {
                instruction->location = units[instruction->unit];
            }
        }
    }
    free(units);
    return 0;
}


PART int
tm_finish_instructions(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    if (instructions_locate(draft) < 0) {
        return -1;
    }
    for (size_t i = 0; i < snapshot->ncontexts; i++) {
        const struct location *location =
            &draft->instructions[draft->context_instructions[i]].location;
        snapshot->context_end_line[i] = location->lines < 0 ? -1
            : snapshot->context_line[i] + location->lines;
        snapshot->context_column[i] = location->column;
        snapshot->context_end_column[i] = location->end_column;
    }
    return 0;
}
