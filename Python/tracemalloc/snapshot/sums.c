/* Sums: values of rows and call paths, added up.

   Functions of the module _tracemalloc, for Lib/tracemalloc.  What goes in are
   columns of numbers, or lists; see column_args.h.  What comes out are lists
   of sums, exact however large they are.  Paths are a tree, as folding.c
   says. */

#include "Python.h"
#include "column_args.h"
#include "reports.h"
#include "tree_walk.h"

#include <stdlib.h>               // calloc()


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
        if (tm_get_buffer(object, sizeof(uint64_t), &view) < 0) {
            return -1;
        }
        values->length = (size_t)view.len / sizeof(uint64_t);
        values->at = tm_zeroed(values->length, sizeof(values->at[0]));
        if (values->at != NULL) {
            memcpy(values->at, view.buf, (size_t)view.len);
        }
        PyBuffer_Release(&view);
        return values->at == NULL ? -1 : 0;
    }
    values->length = (size_t)PyList_GET_SIZE(object);
    values->at = tm_zeroed(values->length, sizeof(values->at[0]));
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


/* --- sums ---------------------------------------------------------------- */

PyDoc_STRVAR(sum_rows_doc,
"_sum_rows($module, numbers, n, values, times=1, /)\n--\n\n"
"The list of the sums of values by number, of which there are n.\n\n"
"Values are a buffer of 64-bit numbers, or a list of ints or floats.");


static PyObject *
sum_rows(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    struct number_column numbers = {.length = 0};
    struct values values = {.at = NULL}, times = {.at = NULL};
    struct wide *sums = NULL;
    double *reals = NULL;
    PyObject *result = NULL;
    if (tm_check_nargs("_sum_rows", nargs, 3, 4) < 0) {
        return NULL;
    }
    size_t n = PyLong_AsSize_t(args[1]);
    if (PyErr_Occurred() || tm_get_column(args[0], &numbers) < 0) {
        return NULL;
    }
    if (values_get(args[2], &values) < 0
        || (nargs > 3 && values_get(args[3], &times) < 0)
        || !tm_column_is_below(&numbers, n))
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
        reals = tm_zeroed(n, sizeof(reals[0]));
    }
    else {
        sums = tm_zeroed(n, sizeof(sums[0]));
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
    tm_release_columns(&numbers, 1);
    free(values.at);
    free(times.at);
    free(sums);
    free(reals);
    return result;
}


PyDoc_STRVAR(sum_column_doc,
"_sum_column($module, values, /)\n--\n\n"
"The sum of a buffer of 64-bit numbers, or of a list of them.");


static PyObject *
sum_column(PyObject *self, PyObject *object)
{
    struct values values;
    PyObject *result = NULL;
    if (values_get(object, &values) == 0) {
        struct wide sum = {.low = 0};
        double real = 0;
        for (size_t i = 0; i < values.length; i++) {
            if (values.are_real) {
                real += values.at[i].real;
            }
            else {
                wide_add(&sum, values.at[i].number);
            }
        }
        result = values.are_real ? PyFloat_FromDouble(real)
                                 : wide_decode(&sum);
    }
    free(values.at);
    return result;
}


/* What is at and below each node, in one of the two; -1 with an exception. */
static int
subtrees_sum(const struct number_column *parents,
             const struct number_column *nodes, const struct values *values,
             struct wide **sums, double **reals)
{
    size_t n = parents->length;
    *sums = NULL;
    *reals = NULL;
    if (values->length != nodes->length) {
        PyErr_SetString(PyExc_ValueError, "columns differ in length");
        return -1;
    }
    if (values->are_real) {
        *reals = tm_zeroed(n, sizeof(**reals));
    }
    else {
        *sums = tm_zeroed(n, sizeof(**sums));
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


PyDoc_STRVAR(sum_paths_doc,
"_sum_paths($module, parents, nodes, values, /)\n--\n\n"
"The list of the sums of values by node, with all that is below a node.\n\n"
"*nodes* says where each value is.");


static PyObject *
sum_paths(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    struct number_column parents = {.length = 0}, nodes = {.length = 0};
    struct values values = {.at = NULL};
    struct wide *sums = NULL;
    double *reals = NULL;
    PyObject *result = NULL;
    if (tm_check_nargs("_sum_paths", nargs, 3, 3) < 0) {
        return NULL;
    }
    if (tm_get_column(args[0], &parents) == 0
        && tm_get_column(args[1], &nodes) == 0
        && values_get(args[2], &values) == 0
        && tm_parents_are_sound(&parents)
        && tm_column_is_below(&nodes, parents.length)
        && subtrees_sum(&parents, &nodes, &values, &sums, &reals) == 0)
    {
        result = sums_decode(sums, reals, parents.length);
    }
    tm_release_columns(&parents, 1);
    tm_release_columns(&nodes, 1);
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
    struct wide *found = tm_zeroed(n, sizeof(found[0]));
    double *found_real = reals == NULL ? NULL : tm_zeroed(n, sizeof(double));
    walk->met = tm_zeroed(n, sizeof(uint32_t));
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


PyDoc_STRVAR(sum_callers_doc,
"_sum_callers($module, parents, groups, n, nodes, values, weight, /)\n--\n\n"
"The list of the sums of values by group, of which there are n.\n\n"
"*groups* are those of nodes.  A value counts for the groups of all nodes\n"
"from its own to the root; if one of them is met k times, it counts k times\n"
"with weight 0, once with 1, and k * k times with 2.");


static PyObject *
sum_callers(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    struct number_column columns[2] = {{.length = 0}}, nodes = {.length = 0};
    struct values values = {.at = NULL};
    struct wide *sums = NULL;
    double *reals = NULL;
    PyObject *result = NULL;
    if (tm_check_nargs("_sum_callers", nargs, 6, 6) < 0) {
        return NULL;
    }
    /* The parent and the group of each node, and how many groups there are;
       what is added up, and where; the weight. */
    size_t n = PyLong_AsSize_t(args[2]);
    unsigned long weight = PyLong_AsUnsignedLong(args[5]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (tm_get_columns(args, 2, columns) == 0
        && tm_get_column(args[3], &nodes) == 0
        && values_get(args[4], &values) == 0
        && tm_parents_are_sound(&columns[0])
        && tm_column_is_below(&columns[1], n)
        && tm_column_is_below(&nodes, columns[0].length)
        && subtrees_sum(&columns[0], &nodes, &values, &sums, &reals) == 0)
    {
        struct walk walk = {.groups = columns[1].numbers};
        if (tm_list_children(&walk.tree, &columns[0], NULL) == 0) {
            result = callers_sum(&walk, n, (enum weight)weight, sums, reals);
            tm_free_children(&walk.tree);
        }
    }
    tm_release_columns(columns, 2);
    tm_release_columns(&nodes, 1);
    free(values.at);
    free(sums);
    free(reals);
    return result;
}


/* --- the functions ------------------------------------------------------- */

#define FAST(name, function, doc) \
    {name, _PyCFunction_CAST(function), METH_FASTCALL, doc}

static PyMethodDef sums_methods[] = {
    {"_sum_column", sum_column, METH_O, sum_column_doc},
    FAST("_sum_rows", sum_rows, sum_rows_doc),
    FAST("_sum_paths", sum_paths, sum_paths_doc),
    FAST("_sum_callers", sum_callers, sum_callers_doc),
    {NULL, NULL, 0, NULL},
};

#undef FAST


int
_PyTraceMalloc_AddSums(PyObject *module)
{
    return PyModule_AddFunctions(module, sums_methods);
}
