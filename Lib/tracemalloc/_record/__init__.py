"""Records: what a traced process leaves for others to read.

    places      where records are, and which file is whose
    layout      how a record's bytes lie, as Python reads them
    reader      read() makes a Picture of a record
    picture     what was read, and the Snapshot that is in it

The records are written by the C core (Python/tracemalloc/record).  Everything
here is loaded when somebody reads one, also in a process that never traced.
Doc/library/tracemalloc-record.rst describes the format byte by byte.
"""
