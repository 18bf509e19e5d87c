/* Stacks: telling call paths apart and adding up, for reports.

   Functions of the module _tracemalloc, for Lib/tracemalloc/_stacks.py and
   _columns.py.  Nothing here knows the tracer: what goes in are columns of
   numbers, as buffers or lists, and what comes out are columns as bytes, and
   lists of sums.

   A table of paths is a tree: row 0 is the root, and the parent of every other
   row has a smaller number.  _fold_paths() makes a trie of it, with one node
   for each chain of frames that differs from all others.

       paths   0 -- a -- b -- c          trie   0 -- a -- b -- c
               |`- a -- b -- d                            `-- d
               `-- a -- e                             `-- e

   Columns come from files, too.  Nothing here relies on a number in them that
   was not compared with the length of the column that it is a place of; and
   that is done when all arguments are there, because getting a buffer may run
   Python code, which can change the numbers of another one.  All memory is
   malloc()'s: a report is not to show up in what it reports. */

#include "Python.h"
#include "pycore_pyhash.h"        // _Py_HashSecret
#include "stacks.h"

#include <stdlib.h>               // malloc()

#define MAX_COLUMNS 4
#define NO_PLACE UINT32_MAX

/* How many frames paths that are cut may have in all: where each of many deep
   paths is cut somewhere else, they share nothing. */
#define MAX_STEPS ((uint64_t)1 << 26)

struct number_column {
    Py_buffer view;
    size_t length;
    const uint32_t *numbers;
};


/* --- columns ------------------------------------------------------------- */

static int
buffer_get(PyObject *object, size_t size, Py_buffer *view)
{
    if (PyObject_GetBuffer(object, view, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    /* What is empty may begin anywhere. */
    if ((size_t)view->len % size != 0
        || (view->len != 0 && (uintptr_t)view->buf % size != 0)
        || (size_t)view->len / size >= NO_PLACE
        || (view->itemsize != 1 && (size_t)view->itemsize != size))
    {
        PyBuffer_Release(view);
        PyErr_Format(PyExc_ValueError, "a column needs numbers of %zu bytes",
                     size);
        return -1;
    }
    return 0;
}


static int
column_get(PyObject *object, struct number_column *column)
{
    if (buffer_get(object, sizeof(uint32_t), &column->view) < 0) {
        column->view.obj = NULL;
        return -1;
    }
    column->length = (size_t)column->view.len / sizeof(uint32_t);
    column->numbers = column->view.buf;
    return 0;
}


/* Get `n` columns of one length; those that there are have to be released in
   any case, so that `columns` has to be zeroed before. */
static int
columns_get(PyObject *const *objects, Py_ssize_t n, struct number_column *columns)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        if (column_get(objects[i], &columns[i]) < 0) {
            return -1;
        }
        if (columns[i].length != columns[0].length) {
            PyErr_SetString(PyExc_ValueError, "columns differ in length");
            return -1;
        }
    }
    return 0;
}


static void
columns_release(struct number_column *columns, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        if (columns[i].view.obj != NULL) {
            PyBuffer_Release(&columns[i].view);
        }
    }
}


static PyObject *
column_make(const uint32_t *numbers, size_t n)
{
    return PyBytes_FromStringAndSize((const char *)numbers,
                                     (Py_ssize_t)(n * sizeof(numbers[0])));
}


static int
column_is_below(const struct number_column *column, size_t end)
{
    for (size_t i = 0; i < column->length; i++) {
        if (column->numbers[i] >= end) {
            PyErr_SetString(PyExc_ValueError, "there is no such place");
            return 0;
        }
    }
    return 1;
}


static int
parents_are_sound(const struct number_column *parents)
{
    for (size_t i = 1; i < parents->length; i++) {
        if (parents->numbers[i] >= i) {
            PyErr_SetString(PyExc_ValueError, "a path is its own caller");
            return 0;
        }
    }
    if (parents->length == 0) {
        PyErr_SetString(PyExc_ValueError, "there is no root");
        return 0;
    }
    return 1;
}


static void *
zeroed(size_t n, size_t size)
{
    /* One more, since none at all may be NULL. */
    void *found = n < SIZE_MAX ? calloc(n + 1, size) : NULL;
    if (found == NULL) {
        PyErr_NoMemory();
    }
    return found;
}


/* --- values -------------------------------------------------------------- */

/* A sum of many 64-bit numbers. */
struct wide {
    uint64_t low, high;
};

union value {
    uint64_t number;
    double real;
};

struct values {
    size_t length;
    int are_real;
    union value *at;
};


static void
wide_add(struct wide *sum, uint64_t number)
{
    sum->low += number;
    sum->high += sum->low < number;
}


/* Add a product. */
static void
wide_add_times(struct wide *sum, uint64_t number, uint64_t times)
{
    uint64_t low = (number & UINT32_MAX) * (times & UINT32_MAX);
    uint64_t first = (number >> 32) * (times & UINT32_MAX);
    uint64_t second = (number & UINT32_MAX) * (times >> 32);
    wide_add(sum, low);
    wide_add(sum, first << 32);
    wide_add(sum, second << 32);
    sum->high += (first >> 32) + (second >> 32)
                 + (number >> 32) * (times >> 32);
}


static PyObject *
wide_decode(const struct wide *sum)
{
    if (sum->high == 0) {
        return PyLong_FromUnsignedLongLong(sum->low);
    }
    uint64_t both[2] = {sum->low, sum->high};
#if PY_BIG_ENDIAN
    both[0] = sum->high, both[1] = sum->low;
#endif
    return PyLong_FromUnsignedNativeBytes(both, sizeof(both), -1);
}


/* Copy a list of numbers, or a column of 64 bits. */
static int
values_get(PyObject *object, struct values *values)
{
    values->at = NULL;
    values->are_real = 0;
    if (!PyList_Check(object)) {
        Py_buffer view;
        if (buffer_get(object, sizeof(uint64_t), &view) < 0) {
            return -1;
        }
        values->length = (size_t)view.len / sizeof(uint64_t);
        values->at = zeroed(values->length, sizeof(values->at[0]));
        if (values->at != NULL) {
            memcpy(values->at, view.buf, (size_t)view.len);
        }
        PyBuffer_Release(&view);
        return values->at == NULL ? -1 : 0;
    }
    values->length = (size_t)PyList_GET_SIZE(object);
    values->at = zeroed(values->length, sizeof(values->at[0]));
    if (values->at == NULL) {
        return -1;
    }
    for (size_t i = 0; i < values->length; i++) {
        PyObject *item = PyList_GetItemRef(object, (Py_ssize_t)i);
        if (item == NULL) {
            return -1;
        }
        if (i == 0) {
            values->are_real = PyFloat_CheckExact(item);
        }
        if (values->are_real) {
            values->at[i].real = PyFloat_AsDouble(item);
        }
        else {
            values->at[i].number = PyLong_AsUnsignedLongLong(item);
        }
        Py_DECREF(item);
        if (PyErr_Occurred()) {
            return -1;
        }
    }
    return 0;
}


static PyObject *
sums_decode(const struct wide *sums, const double *reals, size_t n)
{
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list != NULL && i < n; i++) {
        PyObject *item = reals != NULL ? PyFloat_FromDouble(reals[i])
                                       : wide_decode(&sums[i]);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}


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


static int
arguments_check(const char *name, Py_ssize_t n, Py_ssize_t least,
                Py_ssize_t most)
{
    if (n < least || n > most) {
        PyErr_Format(PyExc_TypeError, "%s() takes %zd to %zd arguments", name,
                     least, most);
        return -1;
    }
    return 0;
}


PyObject *
_PyTraceMalloc_NumberRows(PyObject *self, PyObject *const *args,
                          Py_ssize_t nargs)
{
    struct number_column columns[MAX_COLUMNS] = {{.length = 0}};
    struct rows rows;
    PyObject *result = NULL;
    uint32_t *numbers = NULL;
    if (arguments_check("_number_rows", nargs, 1, MAX_COLUMNS) < 0) {
        return NULL;
    }
    if (columns_get(args, nargs, columns) < 0
        || rows_init(&rows, columns, nargs, 0) < 0)
    {
        goto done;
    }
    numbers = zeroed(columns[0].length, sizeof(numbers[0]));
    for (size_t i = 0; numbers != NULL && i < columns[0].length; i++) {
        numbers[i] = rows_find(&rows, 0, i);
        if (numbers[i] == NO_PLACE) {
            goto error;
        }
    }
    if (numbers != NULL) {
        result = Py_BuildValue("(NN)",
                               column_make(numbers, columns[0].length),
                               column_make(rows.source, rows.used));
    }
error:
    free(numbers);
    rows_free(&rows);
done:
    columns_release(columns, nargs);
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
    folding->stack = zeroed(deepest, sizeof(folding->stack[0]));
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
        column_make(folding->trie.parent, folding->trie.used),
        column_make(folding->trie.source, folding->trie.used),
        column_make(folding->places + first, n - first));
}


PyObject *
_PyTraceMalloc_FoldPaths(PyObject *self, PyObject *const *args,
                         Py_ssize_t nargs)
{
    struct number_column columns[1 + MAX_COLUMNS] = {{.length = 0}};
    struct folding folding = {.parents = &columns[0]};
    PyObject *result = NULL;
    if (arguments_check("_fold_paths", nargs, 4, 3 + MAX_COLUMNS) < 0) {
        return NULL;
    }
    size_t first = PyLong_AsSize_t(args[1]);
    unsigned long limit = PyLong_AsUnsignedLong(args[2]);
    if (PyErr_Occurred() || column_get(args[0], &columns[0]) < 0) {
        return NULL;
    }
    if (columns_get(args + 3, nargs - 3, columns + 1) < 0
        || !parents_are_sound(&columns[0]))
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
    folding.depths = zeroed(n, sizeof(uint32_t));
    folding.places = zeroed(n, sizeof(uint32_t));
    folding.shorter = zeroed(n, sizeof(uint32_t));
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
    columns_release(columns, 1 + MAX_COLUMNS);
    return result;
}


/* --- walking the tree ---------------------------------------------------- */

/* A tree as lists of children. */
struct tree {
    const uint32_t *parent;
    uint32_t *first, *next;     /* 0: none */
};


/* The node behind `node` when each comes before its children; 0 at the end.
   Calls leave() for those whose subtrees end there. */
#define TREE_NEXT(tree, node, leave)                                    \
    do {                                                                \
        if ((tree)->first[node] != 0) {                                 \
            node = (tree)->first[node];                                 \
            break;                                                      \
        }                                                               \
        while (node != 0) {                                             \
            leave(node);                                                \
            if ((tree)->next[node] != 0) {                              \
                node = (tree)->next[node];                              \
                break;                                                  \
            }                                                           \
            node = (tree)->parent[node];                                \
        }                                                               \
    } while (0)


/* Children come in the reverse of `order`, which lists all nodes; NULL is the
   order of their numbers. */
static int
tree_init(struct tree *tree, const struct number_column *parents,
          const uint32_t *order)
{
    size_t n = parents->length;
    tree->parent = parents->numbers;
    tree->first = zeroed(n, sizeof(uint32_t));
    tree->next = tree->first == NULL ? NULL : zeroed(n, sizeof(uint32_t));
    if (tree->next == NULL) {
        free(tree->first);
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t node = order == NULL ? (uint32_t)i : order[i];
        if (node != 0) {
            tree->next[node] = tree->first[tree->parent[node]];
            tree->first[tree->parent[node]] = node;
        }
    }
    return 0;
}


static void
tree_free(struct tree *tree)
{
    free(tree->first);
    free(tree->next);
}


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
    uint32_t *starts = zeroed(nkeys + 1, sizeof(uint32_t));
    uint32_t *order = starts == NULL ? NULL : zeroed(n, sizeof(uint32_t));
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

PyObject *
_PyTraceMalloc_RankPaths(PyObject *self, PyObject *const *args,
                         Py_ssize_t nargs)
{
    struct number_column columns[2] = {{.length = 0}};
    struct tree tree;
    PyObject *result = NULL;
    if (arguments_check("_rank_paths", nargs, 2, 2) < 0) {
        return NULL;
    }
    if (columns_get(args, 2, columns) < 0 || !parents_are_sound(&columns[0])) {
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
    if (tree_init(&tree, &columns[0], order) == 0) {
        uint32_t node = 0, rank = 0;
        do {
            order[node] = rank++;
            TREE_NEXT(&tree, node, NOTHING_TO_LEAVE);
        } while (node != 0);
        tree_free(&tree);
        result = column_make(order, n);
    }
    free(order);
done:
    columns_release(columns, 2);
    return result;
}


/* --- sums ---------------------------------------------------------------- */

PyObject *
_PyTraceMalloc_SumRows(PyObject *self, PyObject *const *args,
                       Py_ssize_t nargs)
{
    struct number_column numbers = {.length = 0};
    struct values values = {.at = NULL}, times = {.at = NULL};
    struct wide *sums = NULL;
    double *reals = NULL;
    PyObject *result = NULL;
    if (arguments_check("_sum_rows", nargs, 3, 4) < 0) {
        return NULL;
    }
    size_t n = PyLong_AsSize_t(args[1]);
    if (PyErr_Occurred() || column_get(args[0], &numbers) < 0) {
        return NULL;
    }
    if (values_get(args[2], &values) < 0
        || (nargs > 3 && values_get(args[3], &times) < 0)
        || !column_is_below(&numbers, n))
    {
        goto done;
    }
    if (values.length != numbers.length || times.are_real
        || (nargs > 3 && times.length != numbers.length))
    {
        PyErr_SetString(PyExc_ValueError, "columns differ in length");
        goto done;
    }
    if (values.are_real) {
        reals = zeroed(n, sizeof(reals[0]));
    }
    else {
        sums = zeroed(n, sizeof(sums[0]));
    }
    if (reals == NULL && sums == NULL) {
        goto done;
    }
    for (size_t i = 0; i < numbers.length; i++) {
        if (reals != NULL) {
            reals[numbers.numbers[i]] += values.at[i].real;
        }
        else if (times.at != NULL) {
            wide_add_times(&sums[numbers.numbers[i]], values.at[i].number,
                           times.at[i].number);
        }
        else {
            wide_add(&sums[numbers.numbers[i]], values.at[i].number);
        }
    }
    result = sums_decode(sums, reals, n);
done:
    columns_release(&numbers, 1);
    free(values.at);
    free(times.at);
    free(sums);
    free(reals);
    return result;
}


/* What is at and below each node, in one of the two; -1 with an exception. */
static int
subtrees_sum(const struct number_column *parents, const struct number_column *nodes,
             const struct values *values, struct wide **sums, double **reals)
{
    size_t n = parents->length;
    *sums = NULL;
    *reals = NULL;
    if (values->length != nodes->length) {
        PyErr_SetString(PyExc_ValueError, "columns differ in length");
        return -1;
    }
    if (values->are_real) {
        *reals = zeroed(n, sizeof(**reals));
    }
    else {
        *sums = zeroed(n, sizeof(**sums));
    }
    if (*reals == NULL && *sums == NULL) {
        return -1;
    }
    for (size_t i = 0; i < nodes->length; i++) {
        if (*reals != NULL) {
            (*reals)[nodes->numbers[i]] += values->at[i].real;
        }
        else {
            wide_add(&(*sums)[nodes->numbers[i]], values->at[i].number);
        }
    }
    for (size_t i = n - 1; i > 0; i--) {
        uint32_t parent = parents->numbers[i];
        if (*reals != NULL) {
            (*reals)[parent] += (*reals)[i];
        }
        else {
            wide_add(&(*sums)[parent], (*sums)[i].low);
            (*sums)[parent].high += (*sums)[i].high;
        }
    }
    return 0;
}


PyObject *
_PyTraceMalloc_SumPaths(PyObject *self, PyObject *const *args,
                        Py_ssize_t nargs)
{
    struct number_column parents = {.length = 0}, nodes = {.length = 0};
    struct values values = {.at = NULL};
    struct wide *sums = NULL;
    double *reals = NULL;
    PyObject *result = NULL;
    if (arguments_check("_sum_paths", nargs, 3, 3) < 0) {
        return NULL;
    }
    if (column_get(args[0], &parents) == 0
        && column_get(args[1], &nodes) == 0
        && values_get(args[2], &values) == 0
        && parents_are_sound(&parents)
        && column_is_below(&nodes, parents.length)
        && subtrees_sum(&parents, &nodes, &values, &sums, &reals) == 0)
    {
        result = sums_decode(sums, reals, parents.length);
    }
    columns_release(&parents, 1);
    columns_release(&nodes, 1);
    free(values.at);
    free(sums);
    free(reals);
    return result;
}


/* How often what is below a node counts for its group, that is met for the
   n-th time on the way from the root. */
enum weight { EACH_TIME, ONCE, SQUARED };

static uint64_t
weight_of(enum weight weight, uint64_t n)
{
    /* n times the n-th power: the squares are sums of odd numbers. */
    return weight == EACH_TIME ? 1 : weight == ONCE ? n == 1 : 2 * n - 1;
}


struct walk {
    struct tree tree;
    const uint32_t *groups;
    uint32_t *met;              /* how often each group was, on this way */
};


static PyObject *
callers_sum(struct walk *walk, size_t n, enum weight weight,
            const struct wide *sums, const double *reals)
{
    struct wide *found = zeroed(n, sizeof(found[0]));
    double *found_real = reals == NULL ? NULL : zeroed(n, sizeof(double));
    walk->met = zeroed(n, sizeof(uint32_t));
    PyObject *result = NULL;
    if (found != NULL && walk->met != NULL
        && (reals == NULL || found_real != NULL))
    {
        uint32_t node = 0;
#define LEAVE(node) (walk->met[walk->groups[node]]--)
        for (;;) {
            TREE_NEXT(&walk->tree, node, LEAVE);
            if (node == 0) {
                break;
            }
            uint32_t group = walk->groups[node];
            uint64_t times = weight_of(weight, ++walk->met[group]);
            if (reals != NULL) {
                found_real[group] += reals[node] * (double)times;
            }
            else {
                wide_add_times(&found[group], sums[node].low, times);
                found[group].high += sums[node].high * times;
            }
        }
#undef LEAVE
        result = sums_decode(found, found_real, n);
    }
    free(found);
    free(found_real);
    free(walk->met);
    return result;
}


PyObject *
_PyTraceMalloc_SumCallers(PyObject *self, PyObject *const *args,
                          Py_ssize_t nargs)
{
    struct number_column columns[2] = {{.length = 0}}, nodes = {.length = 0};
    struct values values = {.at = NULL};
    struct wide *sums = NULL;
    double *reals = NULL;
    PyObject *result = NULL;
    if (arguments_check("_sum_callers", nargs, 6, 6) < 0) {
        return NULL;
    }
    /* The parent and the group of each node, and how many groups there are;
       what is added up, and where; the weight. */
    size_t n = PyLong_AsSize_t(args[2]);
    unsigned long weight = PyLong_AsUnsignedLong(args[5]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (columns_get(args, 2, columns) == 0
        && column_get(args[3], &nodes) == 0
        && values_get(args[4], &values) == 0
        && parents_are_sound(&columns[0])
        && column_is_below(&columns[1], n)
        && column_is_below(&nodes, columns[0].length)
        && subtrees_sum(&columns[0], &nodes, &values, &sums, &reals) == 0)
    {
        struct walk walk = {.groups = columns[1].numbers};
        if (tree_init(&walk.tree, &columns[0], NULL) == 0) {
            result = callers_sum(&walk, n, (enum weight)weight, sums, reals);
            tree_free(&walk.tree);
        }
    }
    columns_release(columns, 2);
    columns_release(&nodes, 1);
    free(values.at);
    free(sums);
    free(reals);
    return result;
}


/* --- checks -------------------------------------------------------------- */

PyObject *
_PyTraceMalloc_Highest(PyObject *self, PyObject *object)
{
    struct number_column column;
    if (column_get(object, &column) < 0) {
        return NULL;
    }
    long long highest = -1;
    for (size_t i = 0; i < column.length; i++) {
        highest = Py_MAX(highest, (long long)column.numbers[i]);
    }
    columns_release(&column, 1);
    return PyLong_FromLongLong(highest);
}


PyObject *
_PyTraceMalloc_Ascends(PyObject *self, PyObject *object)
{
    struct number_column column;
    if (column_get(object, &column) < 0) {
        return NULL;
    }
    int ascends = 1;
    for (size_t i = 1; i < column.length && ascends; i++) {
        ascends = column.numbers[i - 1] <= column.numbers[i];
    }
    columns_release(&column, 1);
    return PyBool_FromLong(ascends);
}
