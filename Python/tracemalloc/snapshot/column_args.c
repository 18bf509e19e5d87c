/* Columns of numbers as arguments: see column_args.h. */

#include "Python.h"
#include "column_args.h"

#include <stdlib.h>               // calloc()


PART int
tm_get_buffer(PyObject *object, size_t size, Py_buffer *view)
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


PART int
tm_get_column(PyObject *object, struct number_column *column)
{
    if (tm_get_buffer(object, sizeof(uint32_t), &column->view) < 0) {
        column->view.obj = NULL;
        return -1;
    }
    column->length = (size_t)column->view.len / sizeof(uint32_t);
    column->numbers = column->view.buf;
    return 0;
}


PART int
tm_get_columns(PyObject *const *objects, Py_ssize_t n,
               struct number_column *columns)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        if (tm_get_column(objects[i], &columns[i]) < 0) {
            return -1;
        }
        if (columns[i].length != columns[0].length) {
            PyErr_SetString(PyExc_ValueError, "columns differ in length");
            return -1;
        }
    }
    return 0;
}


PART void
tm_release_columns(struct number_column *columns, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        if (columns[i].view.obj != NULL) {
            PyBuffer_Release(&columns[i].view);
        }
    }
}


PART PyObject *
tm_make_column(const uint32_t *numbers, size_t n)
{
    return PyBytes_FromStringAndSize((const char *)numbers,
                                     (Py_ssize_t)(n * sizeof(numbers[0])));
}


PART int
tm_column_is_below(const struct number_column *column, size_t end)
{
    for (size_t i = 0; i < column->length; i++) {
        if (column->numbers[i] >= end) {
            PyErr_SetString(PyExc_ValueError, "there is no such place");
            return 0;
        }
    }
    return 1;
}


PART int
tm_parents_are_sound(const struct number_column *parents)
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


PART void *
tm_zeroed(size_t n, size_t size)
{
    /* One more, since none at all may be NULL. */
    void *found = n < SIZE_MAX ? calloc(n + 1, size) : NULL;
    if (found == NULL) {
        PyErr_NoMemory();
    }
    return found;
}


PART int
tm_check_nargs(const char *name, Py_ssize_t n, Py_ssize_t least,
               Py_ssize_t most)
{
    if (n < least || n > most) {
        PyErr_Format(PyExc_TypeError, "%s() takes %zd to %zd arguments", name,
                     least, most);
        return -1;
    }
    return 0;
}
