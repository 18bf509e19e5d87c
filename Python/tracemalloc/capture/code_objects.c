/* Code objects: what is taken of one when it is first met.

   Called by capture.c, with the store lock; calls the tables of names and of
   code objects, and line maps. */

#include "Python.h"
#include "code_objects.h"

#include <stdlib.h>               // malloc()

#define S (&_PyTraceMalloc_State)


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
        || (info.lines = tm_read_lines(info.locations, info.nlocations,
                                       (uint32_t)Py_SIZE(co),
                                       co->co_firstlineno)) == NULL)
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
