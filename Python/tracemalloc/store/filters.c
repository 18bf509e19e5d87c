/* Filters: which contexts count, by file name and line.

   Called by Objects/tracemalloc_attention.c, with access, for each block that
   is noted while there are filters; reads sources and contexts.

       filters    + *app.py      any line    newest frame
                  - *cache.py    line 12     all frames

       verdicts   context 1: ignored   2: admitted   3: not asked yet   ...

   A context is judged once: what it needs for that never changes.  So what
   filters cost is one byte looked up per block, however many filters there
   are.  The verdicts are forgotten when the filters change, when the limit of
   tracebacks does, and when the numbers of contexts are given anew
   (`generation`).

   Invariant: a verdict that is there is what judging would say now; checked by
   _PyTraceMalloc_CheckFilters. */

#include "filters.h"

#include <stdlib.h>
#include <string.h>

enum verdict {
    VERDICT_NONE,
    VERDICT_ADMITTED,
    VERDICT_IGNORED,
};


/* --- matching ------------------------------------------------------------ */

static inline uint32_t
name_char(const struct source_file *file, size_t at)
{
    const void *text = file->text;
    switch (file->kind) {
        case 1:
            return ((const uint8_t *)text)[at];
        case 2:
            return ((const uint16_t *)text)[at];
        default:
            return ((const uint32_t *)text)[at];
    }
}


/* Characters of a name that are compared: of compiled files, what their
   source is called. */
static size_t
name_length(const struct source_file *file)
{
    size_t n = file->length;
    if (n < 4 || name_char(file, n - 4) != '.'
        || name_char(file, n - 3) != 'p' || name_char(file, n - 2) != 'y')
    {
        return n;
    }
    uint32_t last = name_char(file, n - 1);
    return last == 'c' || last == 'o' ? n - 1 : n;
}


/* Whether the pattern, in which '*' stands for any text, covers all of the
   name.  Only the last '*' met is ever tried again: time at most proportional
   to the product of the lengths. */
static int
pattern_matches(const struct trace_filter *filter,
                const struct source_file *file)
{
    const uint32_t *pattern = filter->pattern;
    size_t length = filter->length;
    size_t name_end = file != NULL ? name_length(file) : 0;
    size_t at = 0, p = 0;
    size_t star = length, resume = 0;   /* no '*' yet */
    while (at < name_end) {
        if (p < length && pattern[p] == '*') {
            star = p++;
            resume = at;
        }
        else if (p < length && pattern[p] == name_char(file, at)) {
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


static int
filter_matches_site(const struct trace_filter *filter,
                    const struct source_table *sources, code_id code,
                    int32_t line)
{
    if (filter->line > 0 && filter->line != line) {
        return 0;
    }
    file_id file = source_at(sources, code)->file;
    return pattern_matches(filter, sources->names->files[file]);
}


static int
filter_matches(const struct trace_filter *filter, uint32_t nframe,
               const struct source_table *sources,
               const struct context_tree *tree, const struct context *context)
{
    if (filter_matches_site(filter, sources, context->code, context->line)) {
        return 1;
    }
    path_id at = context->path;
    for (uint32_t left = filter->all_frames ? nframe - 1 : 0;
         left > 0 && !path_is_root(tree, at); left--)
    {
        const struct path *path = path_at(tree, at);
        if (filter_matches_site(filter, sources, path->code, path->line)) {
            return 1;
        }
        at = path->parent;
    }
    return 0;
}


/* --- judging ------------------------------------------------------------- */

int
_PyTraceMalloc_JudgeContext(const struct filter_set *set,
                            const struct source_table *sources,
                            const struct context_tree *tree, context_id id)
{
    const struct context *context = context_at(tree, id);
    int some_inclusive = 0, included = 0;
    for (size_t i = 0; i < set->n; i++) {
        const struct trace_filter *filter = &set->filters[i];
        if (filter->inclusive && included) {
            continue;
        }
        int matches = filter_matches(filter, set->nframe, sources, tree,
                                     context);
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


int
_PyTraceMalloc_RecallVerdict(const struct filter_set *set,
                             const struct context_tree *tree, context_id id)
{
    if (id >= set->nverdicts || set->generation != tree->generation) {
        return -1;
    }
    return set->verdicts[id] == VERDICT_NONE ? -1
           : set->verdicts[id] == VERDICT_ADMITTED;
}


void
_PyTraceMalloc_KeepVerdict(struct filter_set *set,
                           const struct context_tree *tree, context_id id,
                           int admitted)
{
    if (set->generation != tree->generation) {
        _PyTraceMalloc_ForgetVerdicts(set);
        set->generation = tree->generation;
    }
    if (id >= set->nverdicts) {
        size_t n = set->nverdicts ? set->nverdicts : 64;
        while (n <= id) {
            n *= 2;
        }
        unsigned char *verdicts = realloc(set->verdicts, n);
        if (verdicts == NULL) {
            /* It is judged again next time. */
            return;
        }
        memset(verdicts + set->nverdicts, VERDICT_NONE, n - set->nverdicts);
        set->verdicts = verdicts;
        set->nverdicts = n;
    }
    set->verdicts[id] = admitted ? VERDICT_ADMITTED : VERDICT_IGNORED;
}


void
_PyTraceMalloc_ForgetVerdicts(struct filter_set *set)
{
    free(set->verdicts);
    set->verdicts = NULL;
    set->nverdicts = 0;
}


/* --- the set ------------------------------------------------------------- */

void
_PyTraceMalloc_FreeFilters(struct trace_filter *filters, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(filters[i].pattern);
    }
    free(filters);
}


void
_PyTraceMalloc_ReplaceFilters(struct filter_set *set,
                              struct trace_filter *filters, size_t n)
{
    _PyTraceMalloc_FreeFilters(set->filters, set->n);
    _PyTraceMalloc_ForgetVerdicts(set);
    set->filters = filters;
    set->n = n;
}


size_t
_PyTraceMalloc_SizeOfFilters(const struct filter_set *set)
{
    size_t size = set->nverdicts + set->n * sizeof(set->filters[0]);
    for (size_t i = 0; i < set->n; i++) {
        size += set->filters[i].length * sizeof(set->filters[i].pattern[0]);
    }
    return size;
}


const char *
_PyTraceMalloc_CheckFilters(const struct filter_set *set,
                            const struct source_table *sources,
                            const struct context_tree *tree)
{
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        if (context_at(tree, id)->path == PATH_NONE) {
            continue;
        }
        int verdict = _PyTraceMalloc_RecallVerdict(set, tree, id);
        if (verdict >= 0
            && verdict != _PyTraceMalloc_JudgeContext(set, sources, tree, id))
        {
            return "filters: a verdict is not what the filters say";
        }
    }
    return NULL;
}
