/* Folding: telling rows and call paths apart, and putting them in order.

   Functions of the module _tracemalloc, for Lib/tracemalloc.  Nothing here
   knows the tracer: what goes in and comes out are columns of numbers; see
   column_args.h.

   A table of paths is a tree: row 0 is the root, and the parent of every other
   row has a smaller number.  _fold_paths() makes a trie of it, with one node
   for each chain of frames that differs from all others.

       paths   0 -- a -- b -- c          trie   0 -- a -- b -- c
               |`- a -- b -- d                            `-- d
               `-- a -- e                             `-- e
*/

#include "Python.h"
#include "pycore_pyhash.h"        // _Py_HashSecret
#include "column_args.h"
#include "reports.h"
#include "tree_walk.h"

#include <stdlib.h>               // malloc()

#define MAX_COLUMNS 9

/* How many frames paths that are cut may have in all: where each of many deep
   paths is cut somewhere else, they share nothing. */
#define MAX_STEPS ((uint64_t)1 << 26)


/* --- telling rows apart -------------------------------------------------- */

/* Rows in the order in which they were added, found by what is in them. */
struct rows {
    size_t used, room;
    uint32_t *parent;           /* NULL: rows have none */
    uint32_t *source;           /* place in the columns */
    uint32_t *slots;            /* row + 1, or 0 */
    size_t mask;
    const struct number_column *columns;
    Py_ssize_t ncolumns;
};


static void
rows_free(struct rows *rows)
{
    free(rows->parent);
    free(rows->source);
    free(rows->slots);
}


static int
rows_init(struct rows *rows, const struct number_column *columns, Py_ssize_t n,
          int have_parents)
{
    rows->used = 0;
    rows->room = 64;
    rows->mask = 2 * rows->room - 1;
    rows->columns = columns;
    rows->ncolumns = n;
    rows->parent = have_parents ? malloc(rows->room * sizeof(uint32_t)) : NULL;
    rows->source = malloc(rows->room * sizeof(uint32_t));
    rows->slots = calloc(rows->mask + 1, sizeof(uint32_t));
    if (rows->source == NULL || rows->slots == NULL
        || (have_parents && rows->parent == NULL))
    {
        rows_free(rows);
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}


static inline uint64_t
hash_mix(uint64_t hash, uint32_t number)
{
    hash = (hash ^ number) * UINT64_C(0xd6e8feb86659fd93);
    return hash ^ (hash >> 32);
}


static size_t
rows_hash(const struct rows *rows, uint32_t parent, size_t place)
{
    /* With a secret, as files could be made to have all in one slot; mixed
       after each number, lest one should undo what another does. */
    uint64_t hash = hash_mix((uint64_t)_Py_HashSecret.siphash.k0, parent);
    for (Py_ssize_t i = 0; i < rows->ncolumns; i++) {
        hash = hash_mix(hash, rows->columns[i].numbers[place]);
    }
    return (size_t)hash_mix(hash, 0);
}


static int
rows_equal(const struct rows *rows, size_t place, size_t other)
{
    for (Py_ssize_t i = 0; i < rows->ncolumns; i++) {
        const uint32_t *numbers = rows->columns[i].numbers;
        if (numbers[place] != numbers[other]) {
            return 0;
        }
    }
    return 1;
}


static int
rows_grow(struct rows *rows)
{
    size_t room = 2 * rows->room;
    uint32_t *slots = calloc(2 * room, sizeof(uint32_t));
    uint32_t *source = realloc(rows->source, room * sizeof(uint32_t));
    if (source != NULL) {
        rows->source = source;
    }
    uint32_t *parent = rows->parent;
    if (parent != NULL) {
        parent = realloc(parent, room * sizeof(uint32_t));
        if (parent != NULL) {
            rows->parent = parent;
        }
    }
    if (slots == NULL || source == NULL
        || (parent == NULL && rows->parent != NULL) || room >= NO_PLACE / 2)
    {
        free(slots);
        PyErr_NoMemory();
        return -1;
    }
    free(rows->slots);
    rows->slots = slots;
    rows->room = room;
    rows->mask = 2 * room - 1;
    for (size_t i = 0; i < rows->used; i++) {
        size_t at = rows_hash(rows, parent != NULL ? parent[i] : 0, source[i]);
        while (slots[at & rows->mask] != 0) {
            at++;
        }
        slots[at & rows->mask] = (uint32_t)i + 1;
    }
    return 0;
}


/* The number of the row that is equal to that at `place`, below `parent`, and
   is added if there is none; NO_PLACE without memory. */
static uint32_t
rows_find(struct rows *rows, uint32_t parent, size_t place)
{
    size_t at = rows_hash(rows, parent, place);
    uint32_t found;
    while ((found = rows->slots[at & rows->mask]) != 0) {
        found--;
        if ((rows->parent == NULL || rows->parent[found] == parent)
            && rows_equal(rows, rows->source[found], place))
        {
            return found;
        }
        at++;
    }
    if (rows->used == rows->room) {
        if (rows_grow(rows) < 0) {
            return NO_PLACE;
        }
        at = rows_hash(rows, parent, place);
        while (rows->slots[at & rows->mask] != 0) {
            at++;
        }
    }
    found = (uint32_t)rows->used++;
    rows->slots[at & rows->mask] = found + 1;
    rows->source[found] = (uint32_t)place;
    if (rows->parent != NULL) {
        rows->parent[found] = parent;
    }
    return found;
}


PyDoc_STRVAR(number_rows_doc,
"_number_rows($module, /, *columns)\n--\n\n"
"Number the rows of a table, equal ones alike, as they are met first.\n\n"
"Columns are buffers of 32-bit numbers, as all columns here are.  Returns a\n"
"column of these numbers, and one of the first row of each number.");


static PyObject *
number_rows(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    struct number_column columns[MAX_COLUMNS] = {{.length = 0}};
    struct rows rows;
    PyObject *result = NULL;
    uint32_t *numbers = NULL;
    if (tm_check_nargs("_number_rows", nargs, 1, MAX_COLUMNS) < 0) {
        return NULL;
    }
    if (tm_get_columns(args, nargs, columns) < 0
        || rows_init(&rows, columns, nargs, 0) < 0)
    {
        goto done;
    }
    numbers = tm_zeroed(columns[0].length, sizeof(numbers[0]));
    for (size_t i = 0; numbers != NULL && i < columns[0].length; i++) {
        numbers[i] = rows_find(&rows, 0, i);
        if (numbers[i] == NO_PLACE) {
            goto error;
        }
    }
    if (numbers != NULL) {
        result = Py_BuildValue("(NN)",
                               tm_make_column(numbers, columns[0].length),
                               tm_make_column(rows.source, rows.used));
    }
error:
    free(numbers);
    rows_free(&rows);
done:
    tm_release_columns(columns, nargs);
    return result;
}


/* --- folding paths ------------------------------------------------------- */

struct folding {
    struct rows trie;
    const struct number_column *parents;
    uint32_t *depths;
    uint32_t *places;           /* node of each path; NO_PLACE: not known */
    uint32_t *shorter;          /* the same of a path that is cut one frame
                                   shorter: what cut paths have above them */
    uint32_t *stack;
    uint32_t limit;
    uint64_t steps;
};


/* Add the frames on the stack to the trie, the last on it first. */
static uint32_t
stack_fold(struct folding *folding, uint32_t n, uint32_t node, int note)
{
    while (n > 0 && node != NO_PLACE) {
        uint32_t path = folding->stack[--n];
        node = rows_find(&folding->trie, node, path);
        if (note) {
            folding->places[path] = node;
        }
    }
    return node;
}


/* The node of a path that is not cut; NO_PLACE with an exception. */
static uint32_t
path_fold_whole(struct folding *folding, uint32_t path)
{
    uint32_t n = 0, node = 0;
    for (; path != 0; path = folding->parents->numbers[path]) {
        if (folding->places[path] != NO_PLACE) {
            node = folding->places[path];
            break;
        }
        folding->stack[n++] = path;
    }
    return stack_fold(folding, n, node, 1);
}


/* The node of a path of which the newest frames are left only. */
static uint32_t
path_fold_cut(struct folding *folding, uint32_t path)
{
    uint32_t above = folding->parents->numbers[path], at = above, n = 0;
    if (folding->shorter[above] == NO_PLACE) {
        while (n + 1 < folding->limit) {
            folding->stack[n++] = at;
            at = folding->parents->numbers[at];
        }
        folding->steps += n;
        if (folding->steps > MAX_STEPS) {
            PyErr_SetString(PyExc_ValueError,
                            "there are too many call paths that are too deep; "
                            "filter them");
            return NO_PLACE;
        }
        folding->shorter[above] = stack_fold(folding, n, 0, 0);
    }
    if (folding->shorter[above] == NO_PLACE) {
        return NO_PLACE;
    }
    return rows_find(&folding->trie, folding->shorter[above], path);
}


static uint32_t
path_fold(struct folding *folding, uint32_t path)
{
    if (folding->depths[path] <= folding->limit) {
        return path_fold_whole(folding, path);
    }
    return folding->places[path] = path_fold_cut(folding, path);
}


/* Fold paths from `first` on; those before are but their callers. */
static PyObject *
paths_fold(struct folding *folding, size_t first)
{
    size_t n = folding->parents->length;
    uint32_t deepest = 0;
    for (size_t i = 1; i < n; i++) {
        folding->depths[i] = folding->depths[folding->parents->numbers[i]] + 1;
        deepest = Py_MAX(deepest, folding->depths[i]);
        folding->places[i] = folding->shorter[i] = NO_PLACE;
    }
    folding->stack = tm_zeroed(deepest, sizeof(folding->stack[0]));
    if (folding->stack == NULL
        || rows_find(&folding->trie, NO_PLACE, 0) == NO_PLACE)
    {
        return NULL;
    }
    for (size_t i = first; i < n; i++) {
        if (folding->places[i] == NO_PLACE
            && path_fold(folding, (uint32_t)i) == NO_PLACE)
        {
            return NULL;
        }
    }
    /* No path is the parent of the root. */
    folding->trie.parent[0] = 0;
    return Py_BuildValue("(NNN)",
        tm_make_column(folding->trie.parent, folding->trie.used),
        tm_make_column(folding->trie.source, folding->trie.used),
        tm_make_column(folding->places + first, n - first));
}


PyDoc_STRVAR(fold_paths_doc,
"_fold_paths($module, parents, first, limit, /, *columns)\n--\n\n"
"Make a trie of the paths from *first* on, each cut to its newest frames.\n\n"
"Frames are equal if *columns* are.  Returns the parent of each node; for\n"
"each node, a path that ends in such a frame; and the node of each of the\n"
"paths.  Node 0 is the root.");


static PyObject *
fold_paths(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    struct number_column columns[1 + MAX_COLUMNS] = {{.length = 0}};
    struct folding folding = {.parents = &columns[0]};
    PyObject *result = NULL;
    if (tm_check_nargs("_fold_paths", nargs, 4, 3 + MAX_COLUMNS) < 0) {
        return NULL;
    }
    size_t first = PyLong_AsSize_t(args[1]);
    unsigned long limit = PyLong_AsUnsignedLong(args[2]);
    if (PyErr_Occurred() || tm_get_column(args[0], &columns[0]) < 0) {
        return NULL;
    }
    if (tm_get_columns(args + 3, nargs - 3, columns + 1) < 0
        || !tm_parents_are_sound(&columns[0]))
    {
        goto done;
    }
    size_t n = columns[0].length;
    if (columns[1].length != n || first < 1 || first > n) {
        PyErr_SetString(PyExc_ValueError, "columns differ in length");
        goto done;
    }
    if (rows_init(&folding.trie, columns + 1, nargs - 3, 1) < 0) {
        goto done;
    }
    folding.limit = (uint32_t)Py_MAX(Py_MIN(limit, NO_PLACE), 1);
    folding.depths = tm_zeroed(n, sizeof(uint32_t));
    folding.places = tm_zeroed(n, sizeof(uint32_t));
    folding.shorter = tm_zeroed(n, sizeof(uint32_t));
    if (folding.depths != NULL && folding.places != NULL
        && folding.shorter != NULL)
    {
        result = paths_fold(&folding, first);
    }
    free(folding.depths);
    free(folding.places);
    free(folding.shorter);
    free(folding.stack);
    rows_free(&folding.trie);
done:
    tm_release_columns(columns, 1 + MAX_COLUMNS);
    return result;
}


/* --- order --------------------------------------------------------------- */

/* Return the numbers of rows by what `keys` has for them, ascending. */
static uint32_t *
order_by(const struct number_column *keys)
{
    size_t n = keys->length, nkeys = 1;
    for (size_t i = 0; i < n; i++) {
        nkeys = Py_MAX(nkeys, (size_t)keys->numbers[i] + 1);
    }
    if (nkeys > n + 1) {
        PyErr_SetString(PyExc_ValueError, "there is no such place");
        return NULL;
    }
    uint32_t *starts = tm_zeroed(nkeys + 1, sizeof(uint32_t));
    uint32_t *order = starts == NULL ? NULL : tm_zeroed(n, sizeof(uint32_t));
    if (order == NULL) {
        free(starts);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        starts[keys->numbers[i] + 1]++;
    }
    for (size_t key = 1; key < nkeys; key++) {
        starts[key] += starts[key - 1];
    }
    for (size_t i = 0; i < n; i++) {
        order[starts[keys->numbers[i]]++] = (uint32_t)i;
    }
    free(starts);
    return order;
}


#define NOTHING_TO_LEAVE(node) ((void)0)

PyDoc_STRVAR(rank_paths_doc,
"_rank_paths($module, parents, keys, /)\n--\n\n"
"The place of each node when all are sorted by the keys on their way down.");


static PyObject *
rank_paths(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    struct number_column columns[2] = {{.length = 0}};
    struct tree tree;
    PyObject *result = NULL;
    if (tm_check_nargs("_rank_paths", nargs, 2, 2) < 0) {
        return NULL;
    }
    if (tm_get_columns(args, 2, columns) < 0
        || !tm_parents_are_sound(&columns[0]))
    {
        goto done;
    }
    size_t n = columns[0].length;
    uint32_t *order = order_by(&columns[1]);
    if (order == NULL) {
        goto done;
    }
    /* Descending, since the list of children is built from its end. */
    for (size_t i = 0; i < n / 2; i++) {
        uint32_t last = order[n - 1 - i];
        order[n - 1 - i] = order[i];
        order[i] = last;
    }
    if (tm_list_children(&tree, &columns[0], order) == 0) {
        uint32_t node = 0, rank = 0;
        do {
            order[node] = rank++;
            TREE_NEXT(&tree, node, NOTHING_TO_LEAVE);
        } while (node != 0);
        tm_free_children(&tree);
        result = tm_make_column(order, n);
    }
    free(order);
done:
    tm_release_columns(columns, 2);
    return result;
}


/* --- the functions ------------------------------------------------------- */

#define FAST(name, function, doc) \
    {name, _PyCFunction_CAST(function), METH_FASTCALL, doc}

static PyMethodDef folding_methods[] = {
    FAST("_number_rows", number_rows, number_rows_doc),
    FAST("_fold_paths", fold_paths, fold_paths_doc),
    FAST("_rank_paths", rank_paths, rank_paths_doc),
    {NULL, NULL, 0, NULL},
};

#undef FAST


int
_PyTraceMalloc_AddFolding(PyObject *module)
{
    return PyModule_AddFunctions(module, folding_methods);
}
