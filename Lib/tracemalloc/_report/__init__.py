"""The report: snapshots as one page, for a browser, that needs no network.

    joined      the call paths of one or more snapshots, told apart together
    shape       what of them a page shows, as columns of numbers; the rest is
                summed up, so that all totals are exact
    places      what a file is: program, package, standard library, import
    history     memory over time, of records
    sources     lines of source, with what highlights them
    below       what a viewer loads later: call paths that were summed up
    asked       the same of files: source that a page does not have
    page        data, scripts and style as one HTML file

    *.js        what draws the data: modules of JavaScript, of which page
                makes one script; main.js is the one that begins
    style.css

Words: a *node* is a call path of the page; its *frame* is a place in the
code; a *row* is what one thread allocated, in one domain and process, at one
node; a *spot* is an expression that allocates.  A *figure* is a column of
numbers: bytes or blocks that are live, were live at the peak, were allocated
or freed.  A *set* is one snapshot, or several processes of one moment.

Doc/design/report.rst tells why it is made so.  Loaded on first use.
"""

from tracemalloc._report.page import render
from tracemalloc._report.shape import Limits

__all__ = ["Limits", "render"]
