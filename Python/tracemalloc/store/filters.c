/* Filters: which contexts count, by file name and line.

   Called by hooks/admission.c for each block that is noted while there are
   filters, and by what sets them; reads code objects, names and the call tree.
   See the header for the picture. */

#include "filters.h"

#include <stdlib.h>
#include <string.h>

enum filter_result {
    RESULT_NONE,
    RESULT_ADMITTED,
    RESULT_IGNORED,
};


/* --- matching ------------------------------------------------------------ */

static inline uint32_t
name_char(const struct name *name, size_t at)
{
    return tm_character_at(name->kind, name->text, at);
}


/* Characters of a name that are compared: of compiled files, what their
   source is called. */
static size_t
name_length(const struct name *name)
{
    size_t n = name->length;
    if (n < 4 || name_char(name, n - 4) != '.'
        || name_char(name, n - 3) != 'p' || name_char(name, n - 2) != 'y')
    {
        return n;
    }
    uint32_t last = name_char(name, n - 1);
    return last == 'c' || last == 'o' ? n - 1 : n;
}


/* Whether the pattern, in which '*' stands for any text, covers all of the
   name.  Only the last '*' met is ever tried again: time at most proportional
   to the product of the lengths. */
static int
pattern_matches(const struct trace_filter *filter, const struct name *name)
{
    const uint32_t *pattern = filter->pattern;
    size_t length = filter->length;
    size_t name_end = name != NULL ? name_length(name) : 0;
    size_t at = 0, p = 0;
    size_t star = length, resume = 0;   /* no '*' yet */
    while (at < name_end) {
        if (p < length && pattern[p] == '*') {
            star = p++;
            resume = at;
        }
        else if (p < length && pattern[p] == name_char(name, at)) {
            p++;
            at++;
        }
        else if (star < length) {
            p = star + 1;
            at = ++resume;
        }
        else {
            return 0;
        }
    }
    while (p < length && pattern[p] == '*') {
        p++;
    }
    return p == length;
}


/* Whether a filter matches one frame. */
static int
filter_matches_frame(const struct trace_filter *filter,
                     const struct code_table *codes, code_id code,
                     int32_t line)
{
    if (filter->line > 0 && filter->line != line) {
        return 0;
    }
    name_id file = tm_code_at(codes, code)->file;
    return pattern_matches(filter, codes->names->entries[file]);
}


static int
filter_matches(const struct trace_filter *filter, uint32_t nframe,
               const struct code_table *codes, const struct call_tree *tree,
               const struct context *context, int32_t line)
{
    if (filter_matches_frame(filter, codes, tm_context_code(context), line)) {
        return 1;
    }
    node_id at = tm_context_node(context);
    for (uint32_t left = filter->all_frames ? nframe - 1 : 0;
         left > 0 && !tm_node_is_root(tree, at); left--)
    {
        struct frame_node node = tm_node(tree, at);
        if (filter_matches_frame(filter, codes, node.code, node.line)) {
            return 1;
        }
        at = node.parent;
    }
    return 0;
}


/* --- results ------------------------------------------------------------- */

PART int
tm_apply_filters(const struct filter_set *set,
                 const struct code_table *codes,
                 const struct call_tree *tree, context_id id, int32_t line)
{
    const struct context *context = tm_context_at(tree, id);
    int some_inclusive = 0, included = 0;
    for (size_t i = 0; i < set->n; i++) {
        const struct trace_filter *filter = &set->filters[i];
        if (filter->inclusive && included) {
            continue;
        }
        int matches = filter_matches(filter, set->nframe, codes, tree,
                                     context, line);
        if (filter->inclusive) {
            some_inclusive = 1;
            included |= matches;
        }
        else if (matches) {
            return 0;
        }
    }
    return included || !some_inclusive;
}


PART int
tm_recall_filter_result(const struct filter_set *set,
                        const struct call_tree *tree, context_id id)
{
    if (id >= set->nresults || set->generation != tree->generation) {
        return -1;
    }
    return set->results[id] == RESULT_NONE ? -1
           : set->results[id] == RESULT_ADMITTED;
}


PART void
tm_keep_filter_result(struct filter_set *set,
                      const struct call_tree *tree, context_id id,
                      int admitted)
{
    if (set->generation != tree->generation) {
        tm_forget_filter_results(set);
        set->generation = tree->generation;
    }
    if (id >= set->nresults) {
        size_t n = set->nresults ? set->nresults : 64;
        while (n <= id) {
            n *= 2;
        }
        unsigned char *results = realloc(set->results, n);
        if (results == NULL) {
            /* The filters are applied again next time. */
            return;
        }
        memset(results + set->nresults, RESULT_NONE, n - set->nresults);
        set->results = results;
        set->nresults = n;
    }
    set->results[id] = admitted ? RESULT_ADMITTED : RESULT_IGNORED;
}


PART void
tm_forget_filter_results(struct filter_set *set)
{
    free(set->results);
    set->results = NULL;
    set->nresults = 0;
}


/* --- the set ------------------------------------------------------------- */

PART void
tm_free_filters(struct trace_filter *filters, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(filters[i].pattern);
    }
    free(filters);
}


PART void
tm_replace_filters(struct filter_set *set,
                   struct trace_filter *filters, size_t n)
{
    tm_free_filters(set->filters, set->n);
    tm_forget_filter_results(set);
    set->filters = filters;
    set->n = n;
}


PART size_t
tm_size_of_filters(const struct filter_set *set)
{
    size_t size = set->nresults + set->n * sizeof(set->filters[0]);
    for (size_t i = 0; i < set->n; i++) {
        size += set->filters[i].length * sizeof(set->filters[i].pattern[0]);
    }
    return size;
}


PART const char *
tm_check_filters(const struct filter_set *set,
                 const struct code_table *codes,
                 const struct call_tree *tree)
{
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        if (tm_context_node(tm_context_at(tree, id)) == NODE_NONE) {
            continue;
        }
        int result = tm_recall_filter_result(set, tree, id);
        if (result >= 0
            && result != tm_apply_filters(
                set, codes, tree, id,
                tm_context_line(tm_context_at(tree, id))))
        {
            return "filters: a result is not what the filters say";
        }
    }
    return NULL;
}
