/* Columns of numbers: looked at, picked from, and put in groups.

   Functions of the module _tracemalloc, for Lib/tracemalloc: what would take
   a step of the interpreter for each of a million numbers.  What goes in are
   columns, see column_args.h; what comes out as a column are bytes.  All are
   O(numbers). */

#include "Python.h"
#include "column_args.h"
#include "reports.h"

#include <stdlib.h>               // free()


/* --- what is in a column ------------------------------------------------- */

PyDoc_STRVAR(highest_doc,
"_highest($module, column, /)\n--\n\n"
"The highest number of a column, -1 if it is empty.");


static PyObject *
highest(PyObject *self, PyObject *object)
{
    struct number_column column;
    if (tm_get_column(object, &column) < 0) {
        return NULL;
    }
    long long highest = -1;
    for (size_t i = 0; i < column.length; i++) {
        highest = Py_MAX(highest, (long long)column.numbers[i]);
    }
    tm_release_columns(&column, 1);
    return PyLong_FromLongLong(highest);
}


PyDoc_STRVAR(ascends_doc,
"_ascends($module, column, /)\n--\n\n"
"Whether no number of a column is less than the one before.");


static PyObject *
ascends(PyObject *self, PyObject *object)
{
    struct number_column column;
    if (tm_get_column(object, &column) < 0) {
        return NULL;
    }
    int ascends = 1;
    for (size_t i = 1; i < column.length && ascends; i++) {
        ascends = column.numbers[i - 1] <= column.numbers[i];
    }
    tm_release_columns(&column, 1);
    return PyBool_FromLong(ascends);
}


/* --- columns of 64 bits -------------------------------------------------- */

/* Two columns of one length: 0, or -1 with an exception, none to release. */
static int
pair_get(PyObject *const *args, Py_buffer views[2], size_t *length)
{
    for (int i = 0; i < 2; i++) {
        if (tm_get_buffer(args[i], sizeof(uint64_t), &views[i]) < 0) {
            if (i == 1) {
                PyBuffer_Release(&views[0]);
            }
            return -1;
        }
    }
    if (views[0].len != views[1].len) {
        PyBuffer_Release(&views[0]);
        PyBuffer_Release(&views[1]);
        PyErr_SetString(PyExc_ValueError, "columns differ in length");
        return -1;
    }
    *length = (size_t)views[0].len / sizeof(uint64_t);
    return 0;
}


PyDoc_STRVAR(never_above_doc,
"_never_above($module, column, most, /)\n--\n\n"
"Whether no number of a column is higher than that of another one.\n\n"
"Columns are buffers of 64-bit numbers.");


static PyObject *
never_above(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    Py_buffer views[2];
    size_t n;
    if (tm_check_nargs("_never_above", nargs, 2, 2) < 0
        || pair_get(args, views, &n) < 0)
    {
        return NULL;
    }
    const uint64_t *numbers = views[0].buf, *most = views[1].buf;
    int never = 1;
    for (size_t i = 0; i < n && never; i++) {
        never = numbers[i] <= most[i];
    }
    PyBuffer_Release(&views[0]);
    PyBuffer_Release(&views[1]);
    return PyBool_FromLong(never);
}


PyDoc_STRVAR(differences_doc,
"_differences($module, column, less, /)\n--\n\n"
"The column of what is left of each number.\n\n"
"Columns are buffers of 64-bit numbers.  Raises OverflowError if one is less\n"
"than what is taken from it.");


static PyObject *
differences(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    Py_buffer views[2];
    size_t n;
    if (tm_check_nargs("_differences", nargs, 2, 2) < 0
        || pair_get(args, views, &n) < 0)
    {
        return NULL;
    }
    const uint64_t *numbers = views[0].buf, *less = views[1].buf;
    PyObject *result = PyBytes_FromStringAndSize(NULL, views[0].len);
    if (result != NULL) {
        uint64_t *left = (uint64_t *)PyBytes_AS_STRING(result);
        int enough = 1;
        for (size_t i = 0; i < n; i++) {
            enough &= numbers[i] >= less[i];
            left[i] = numbers[i] - less[i];
        }
        if (!enough) {
            Py_CLEAR(result);
            PyErr_SetString(PyExc_OverflowError,
                            "a difference is negative");
        }
    }
    PyBuffer_Release(&views[0]);
    PyBuffer_Release(&views[1]);
    return result;
}


/* --- columns by places --------------------------------------------------- */

PyDoc_STRVAR(pick_rows_doc,
"_pick_rows($module, column, places, /)\n--\n\n"
"The column of the numbers at these places of a column.\n\n"
"That may be one of 64-bit numbers; places are of 32 bits.");


static PyObject *
pick_rows(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    struct number_column places;
    Py_buffer view;
    PyObject *result = NULL;
    if (tm_check_nargs("_pick_rows", nargs, 2, 2) < 0
        || tm_get_column(args[1], &places) < 0)
    {
        return NULL;
    }
    if (PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0) {
        tm_release_columns(&places, 1);
        return NULL;
    }
    int wide = view.itemsize == sizeof(uint64_t);
    PyBuffer_Release(&view);
    size_t size = wide ? sizeof(uint64_t) : sizeof(uint32_t);
    if (tm_get_buffer(args[0], size, &view) < 0) {
        tm_release_columns(&places, 1);
        return NULL;
    }
    if (tm_column_is_below(&places, (size_t)view.len / size)) {
        result = PyBytes_FromStringAndSize(
            NULL, (Py_ssize_t)(places.length * size));
    }
    if (result != NULL && wide) {
        const uint64_t *numbers = view.buf;
        uint64_t *found = (uint64_t *)PyBytes_AS_STRING(result);
        for (size_t i = 0; i < places.length; i++) {
            found[i] = numbers[places.numbers[i]];
        }
    }
    else if (result != NULL) {
        const uint32_t *numbers = view.buf;
        uint32_t *found = (uint32_t *)PyBytes_AS_STRING(result);
        for (size_t i = 0; i < places.length; i++) {
            found[i] = numbers[places.numbers[i]];
        }
    }
    PyBuffer_Release(&view);
    tm_release_columns(&places, 1);
    return result;
}


PyDoc_STRVAR(group_rows_doc,
"_group_rows($module, groups, n, /)\n--\n\n"
"The rows of each of n groups: what row is in which is said by *groups*.\n\n"
"Returns a column of n + 1 places, and one of rows: those of group i are\n"
"from place i to place i + 1, ascending.");


static PyObject *
group_rows(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    struct number_column groups;
    PyObject *result = NULL;
    if (tm_check_nargs("_group_rows", nargs, 2, 2) < 0) {
        return NULL;
    }
    size_t n = PyLong_AsSize_t(args[1]);
    if (PyErr_Occurred() || tm_get_column(args[0], &groups) < 0) {
        return NULL;
    }
    if (n >= NO_PLACE) {
        PyErr_SetString(PyExc_ValueError, "there are too many groups");
    }
    else if (tm_column_is_below(&groups, n)) {
        /* The next place of group i is counted behind that of group i + 1. */
        uint32_t *places = tm_zeroed(n + 2, sizeof(uint32_t));
        uint32_t *rows = tm_zeroed(groups.length, sizeof(uint32_t));
        if (places != NULL && rows != NULL) {
            for (size_t i = 0; i < groups.length; i++) {
                places[groups.numbers[i] + 2]++;
            }
            for (size_t i = 2; i < n + 2; i++) {
                places[i] += places[i - 1];
            }
            for (size_t i = 0; i < groups.length; i++) {
                rows[places[groups.numbers[i] + 1]++] = (uint32_t)i;
            }
            result = Py_BuildValue("(NN)", tm_make_column(places, n + 1),
                                   tm_make_column(rows, groups.length));
        }
        free(places);
        free(rows);
    }
    tm_release_columns(&groups, 1);
    return result;
}


PyDoc_STRVAR(path_depths_doc,
"_path_depths($module, parents, /)\n--\n\n"
"The column of how many paths there are from each up to the root.");


static PyObject *
path_depths(PyObject *self, PyObject *object)
{
    struct number_column parents;
    PyObject *result = NULL;
    if (tm_get_column(object, &parents) < 0) {
        return NULL;
    }
    if (tm_parents_are_sound(&parents)) {
        result = PyBytes_FromStringAndSize(
            NULL, (Py_ssize_t)(parents.length * sizeof(uint32_t)));
    }
    if (result != NULL) {
        uint32_t *depths = (uint32_t *)PyBytes_AS_STRING(result);
        depths[0] = 0;
        for (size_t i = 1; i < parents.length; i++) {
            depths[i] = depths[parents.numbers[i]] + 1;
        }
    }
    tm_release_columns(&parents, 1);
    return result;
}


PyDoc_STRVAR(list_stack_doc,
"_list_stack($module, parents, numbers, items, node, /)\n--\n\n"
"The list of the items of a node and of its callers, the oldest first.\n\n"
"*numbers* says which item is that of a node; node 0 has none.");


static PyObject *
list_stack(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    struct number_column columns[2] = {{.length = 0}};
    PyObject *result = NULL;
    if (tm_check_nargs("_list_stack", nargs, 4, 4) < 0) {
        return NULL;
    }
    PyObject *items = args[2];
    size_t node = PyLong_AsSize_t(args[3]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (!PyList_Check(items)) {
        PyErr_SetString(PyExc_TypeError, "items have to be a list");
        return NULL;
    }
    if (tm_get_columns(args, 2, columns) < 0) {
        goto done;
    }
    const uint32_t *parents = columns[0].numbers;
    Py_ssize_t depth = 0;
    for (size_t at = node; at != 0; at = parents[at], depth++) {
        if (at >= columns[0].length || parents[at] >= at) {
            PyErr_SetString(PyExc_ValueError, "there is no such place");
            goto done;
        }
    }
    result = PyList_New(depth);
    for (size_t at = node; result != NULL && at != 0; at = parents[at]) {
        PyObject *item = PyList_GetItemRef(items, columns[1].numbers[at]);
        if (item == NULL) {
            Py_CLEAR(result);
            break;
        }
        PyList_SET_ITEM(result, --depth, item);
    }
done:
    tm_release_columns(columns, 2);
    return result;
}


/* --- the functions ------------------------------------------------------- */

#define FAST(name, function, doc) \
    {name, _PyCFunction_CAST(function), METH_FASTCALL, doc}

static PyMethodDef picks_methods[] = {
    {"_highest", highest, METH_O, highest_doc},
    {"_ascends", ascends, METH_O, ascends_doc},
    FAST("_never_above", never_above, never_above_doc),
    FAST("_differences", differences, differences_doc),
    FAST("_pick_rows", pick_rows, pick_rows_doc),
    FAST("_group_rows", group_rows, group_rows_doc),
    FAST("_list_stack", list_stack, list_stack_doc),
    {"_path_depths", path_depths, METH_O, path_depths_doc},
    {NULL, NULL, 0, NULL},
};

#undef FAST


int
_PyTraceMalloc_AddPicks(PyObject *module)
{
    return PyModule_AddFunctions(module, picks_methods);
}
