/* Code objects: see code_objects.c.  Need the store lock. */

#ifndef TRACEMALLOC_CODE_OBJECTS_H
#define TRACEMALLOC_CODE_OBJECTS_H

#include "../state.h"

/* The number of a code object, which gets one if it has none: CODE_NONE when
   out of memory or numbers. */
PART code_id tm_number_code_object(PyCodeObject *);

/* Take the numbers back from all live code objects, before the code
   table goes. */
PART void tm_forget_code_objects(void);

#endif  /* !TRACEMALLOC_CODE_OBJECTS_H */
