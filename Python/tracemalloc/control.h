/* What the face of the tracer may ask of control.c. */

#ifndef TRACEMALLOC_CONTROL_H
#define TRACEMALLOC_CONTROL_H

#include "state.h"

struct record_options;

/* _PyTraceMalloc_StartSampling() with a record (record/record.h).  If tracing
   is on already, the record begins, if there is none.  What is wrong with it
   is an OSError. */
extern int _PyTraceMalloc_StartRecording(int nframe, uint64_t interval,
                                         const struct record_options *);

/* Start tracing, if it is off, until as many claims have ended as began
   (control.c).  0, or -1 with an exception set.  Tracing
   that another has started is left on, after stopping this one too. */
extern int _PyTraceMalloc_BeginClaim(int nframe);
extern void _PyTraceMalloc_EndClaim(void);

/* Forget all traces and go on tracing: 0, or -1 when out of memory; then
   tracing has stopped. */
extern int _PyTraceMalloc_Clear(void);

#endif  /* !TRACEMALLOC_CONTROL_H */
