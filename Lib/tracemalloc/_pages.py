"""Where the pages about tracing are; for help()."""

import os


def page_of(name):
    """Return the file that describes a module, or None.

    `make install` puts the pages beside what else help() reads, as text; an
    interpreter that is not installed has a source tree with Doc in it.
    """
    library = os.path.dirname(os.__file__)
    for parts in (("pydoc_data", f"{name}.txt"),
                  (os.pardir, "Doc", "library", f"{name}.rst")):
        path = os.path.normpath(os.path.join(library, *parts))
        if os.path.isfile(path):
            return path
    return None
