/* Code objects: what is taken of one when it is first met.

   Called by capture.c, with the store lock; calls the tables of names and of
   code objects. */

#include "Python.h"
#include "pycore_code.h"          // _PyCode_InitAddressRange()
#include "code_objects.h"

#include <stdlib.h>               // malloc()

#define S (&_PyTraceMalloc_State)


/* The line of each unit of a code object.  What its table does not know is
   line 0, as tracebacks of traces have it. */
static struct line_map *
lines_make(PyCodeObject *co)
{
    PyCodeAddressRange range;
    int lowest = Py_MAX(co->co_firstlineno, 0);
    int highest = lowest;
    _PyCode_InitAddressRange(co, &range);
    while (_PyLineTable_NextAddressRange(&range)) {
        if (range.ar_line >= 0) {
            lowest = Py_MIN(lowest, range.ar_line);
            highest = Py_MAX(highest, range.ar_line);
        }
    }

    Py_ssize_t nunits = Py_SIZE(co);
    struct line_map *map = tm_new_lines((uint32_t)nunits, lowest, highest);
    if (map == NULL) {
        return NULL;
    }
    _PyCode_InitAddressRange(co, &range);
    while (_PyLineTable_NextAddressRange(&range)) {
        Py_ssize_t unit = range.ar_start / (int)sizeof(_Py_CODEUNIT);
        Py_ssize_t end = range.ar_end / (int)sizeof(_Py_CODEUNIT);
        for (; range.ar_line >= 0 && unit < Py_MIN(end, nunits); unit++) {
            tm_set_line(map, (size_t)unit, range.ar_line);
        }
    }
    tm_set_line(map, (size_t)nunits, Py_MAX(co->co_firstlineno, 0));
    return map;
}


static name_id
name_number_lock_held(PyObject *name)
{
    return tm_add_name(S->codes.names, PyUnicode_KIND(name),
                       PyUnicode_DATA(name),
                       PyUnicode_GET_LENGTH(name));
}


PART code_id
tm_number_code_object(PyCodeObject *co)
{
    if (co->_co_tracemalloc_id != CODE_NONE) {
        return co->_co_tracemalloc_id;
    }
    struct code_info info = {
        .file = name_number_lock_held(co->co_filename),
        .function = name_number_lock_held(co->co_qualname),
        .locations =
            (const unsigned char *)PyBytes_AS_STRING(co->co_linetable),
        .nlocations = (uint32_t)PyBytes_GET_SIZE(co->co_linetable),
    };
    if (info.file == NAME_NONE || info.function == NAME_NONE
        || (info.lines = lines_make(co)) == NULL)
    {
        return CODE_NONE;
    }
    code_id code = tm_add_code(&S->codes, co, &info);
    if (code == CODE_NONE) {
        free(info.lines);
    }
    _Py_atomic_store_uint32_release(&co->_co_tracemalloc_id, code);
    return code;
}


PART void
tm_forget_code_objects(void)
{
    for (code_id id = 1; id < S->codes.used; id++) {
        PyCodeObject *co = tm_code_at(&S->codes, id)->owner;
        if (co != NULL) {
            co->_co_tracemalloc_id = CODE_NONE;
        }
    }
}
