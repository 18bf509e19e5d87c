"""Sphinx's settings for the book that `make docs` makes of Doc/.

Doc/conf.py is CPython's, for its own documentation; this one stands apart from
it.  Nothing is fetched: style and scripts are the theme's own, and references
to CPython's documentation are looked up in cpython.txt.
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

project = "tracemalloc-fork"
author = "the authors of the fork"
copyright = f"{author}; MIT licence"
# `version` and `release` come from CHANGES.rst, by Tools/base/docs.sh.

extensions = ["sphinx.ext.intersphinx", "house"]
root_doc = "index"

nitpicky = True
# What C itself has, and so no page describes.
nitpick_ignore = [("c:identifier", name)
                  for name in ("size_t", "uintptr_t")]

pygments_style = "tango"
pygments_dark_style = "github-dark"

# Pages are ours; one of CPython's is named by its address.
intersphinx_disabled_reftypes = ["std:doc"]

html_theme = "furo"
html_title = "Where the memory is"
html_static_path = ["static"]
html_css_files = ["house.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    # No address that has to be asked for an icon.
    "footer_icons": [],
    "navigation_with_keys": True,
}
python_maximum_signature_line_length = 88
# Dashes only: quotation marks are as they were typed.
smartquotes_action = "D"
toc_object_entries_show_parents = "hide"
