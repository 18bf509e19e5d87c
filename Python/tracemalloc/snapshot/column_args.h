/* Columns of numbers as arguments of functions.

   Columns come from files, too.  Nothing relies on a number in them that was
   not compared with the length of the column that it is a place of; and that
   is done when all arguments are there, because getting a buffer may run
   Python code, which can change the numbers of another one.  All memory is
   malloc()'s: a report is not to show up in what it reports. */

#ifndef TRACEMALLOC_COLUMN_ARGS_H
#define TRACEMALLOC_COLUMN_ARGS_H

#include "Python.h"

#include "../core.h"

#define NO_PLACE UINT32_MAX

struct number_column {
    Py_buffer view;
    size_t length;
    const uint32_t *numbers;
};

/* All of these set an exception where they fail: return -1, NULL, or 0 where
   they say whether something is so. */

/* A buffer of numbers of `size` bytes. */
PART int tm_get_buffer(PyObject *, size_t size, Py_buffer *view);

PART int tm_get_column(PyObject *, struct number_column *);

/* `n` columns of one length.  Those that there are have to be released in any
   case, so that `columns` has to be zeroed before. */
PART int tm_get_columns(PyObject *const *objects, Py_ssize_t n,
                        struct number_column *columns);
PART void tm_release_columns(struct number_column *, Py_ssize_t n);

/* A new column, as bytes. */
PART PyObject *tm_make_column(const uint32_t *numbers, size_t n);

/* Whether all numbers are less than `end`; whether they are the parents of a
   tree. */
PART int tm_column_is_below(const struct number_column *, size_t end);
PART int tm_parents_are_sound(const struct number_column *parents);

/* Zeros, never NULL for none at all. */
PART void *tm_zeroed(size_t n, size_t size);

/* Check the number of arguments of a function. */
PART int tm_check_nargs(const char *name, Py_ssize_t n, Py_ssize_t least,
                        Py_ssize_t most);

#endif  /* !TRACEMALLOC_COLUMN_ARGS_H */
