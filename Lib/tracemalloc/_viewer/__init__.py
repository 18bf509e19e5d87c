"""The viewer: the page of the report, served to the one who runs it.

    entries     the files that one can look at: snapshots and records
    listing     what the list tells of them, and who finds that out
    shown       what was chosen, as the page wants it; the last few are kept
    requests    what may be asked for, and by whom

The page is that of _report, with more modules of JavaScript: viewer.js begins,
snapshots.js is the list at its side.  The server is that of _agent.

Loaded by `view` only.
"""
