"""What the book needs beyond Sphinx: a few roles of CPython's, references to
its documentation without a network, and drawings that follow the theme.
"""
import ast
import pathlib
import re
import zlib
from xml.sax.saxutils import quoteattr

from docutils import nodes
from sphinx import addnodes
from sphinx.directives import SphinxDirective
from sphinx.ext import intersphinx
from sphinx.util.nodes import set_role_source_info

HERE = pathlib.Path(__file__).resolve().parent
INVENTORY = HERE / "cpython.txt"
CPYTHON = "https://docs.python.org/3.13/"
HEAD = ("# Sphinx inventory version 2\n# Project: Python\n# Version: 3.13\n"
        "# The remainder of this file is compressed using zlib.\n")


def source_role(name, rawtext, text, lineno, inliner, options=None,
                content=None):
    """:source:`Lib/...`: a file of the repository."""
    node = nodes.literal(rawtext, text, classes=["file"])
    set_role_source_info(inliner, lineno, node)
    return [node], []


class NoNamespace(SphinxDirective):
    """`c:namespace`, without effect.

    It keeps our descriptions of C functions apart from CPython's where both
    are one book.  In this one there are only ours, and references without a
    namespace are to find them.
    """

    has_content = False
    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        return []


def write_inventory(app, config):
    """Give intersphinx the pinned list in the form that it reads."""
    target = pathlib.Path(app.doctreedir, "cpython.inv")
    target.parent.mkdir(parents=True, exist_ok=True)
    rows = [row for row in INVENTORY.read_text("utf-8").splitlines()
            if not row.startswith("#")]
    target.write_bytes(HEAD.encode()
                       + zlib.compress("\n".join([*rows, ""]).encode()))
    config.intersphinx_mapping = {
        "python": (CPYTHON, config.full_inventory or str(target))}


def pin_references(app, env, node, contnode):
    """Look a reference up in CPython's whole inventory; remember it."""
    if not app.config.full_inventory:
        return None
    found = intersphinx.missing_reference(app, env, node, contnode)
    if found is not None:
        app.pinned.add(found["refuri"].removeprefix(CPYTHON))
    return found


def write_pinned(app, exception):
    """Write what was looked up into the list, if all of it was found."""
    if not app.config.full_inventory or exception is not None:
        return
    full = pathlib.Path(app.config.full_inventory).read_bytes()
    rows = zlib.decompress(full.split(b"\n", 4)[4]).decode().splitlines()
    kept = sorted(row for row in rows if address_of(row) in app.pinned
                  and "functionParam" not in row)
    head = [row for row in INVENTORY.read_text("utf-8").splitlines()
            if row.startswith("#")]
    INVENTORY.write_text("\n".join([*head, *kept, ""]), "utf-8")


def address_of(row):
    """The address that a row of an inventory gives its name."""
    name, _, rest = re.fullmatch(
        r"(.+?) +(\S+:\S+) +-?\d+ +(\S*) +.*", row).groups()
    return rest[:-1] + name if rest.endswith("$") else rest


def drawing(path, text):
    """Return a drawing as a part of the page, where it has its colours.

    *text* says in words what it shows, to those who cannot see it.
    """
    source = path.read_text("utf-8").replace(
        "<svg", f"<svg aria-label={quoteattr(text)}", 1)
    return nodes.raw("", f"<div>{source}</div>", format="html")


def put_drawings_in(app, doctree, name):
    if app.builder.format != "html":
        return
    for node in list(doctree.findall(nodes.image)):
        if "drawing" in node["classes"]:
            node.replace_self(drawing(pathlib.Path(app.srcdir, node["uri"]),
                                      node["alt"]))


def language_of(text):
    """What a block that a page says nothing of is written in."""
    if re.search(r"(?m)^\$ ", text):
        return "console"
    try:
        ast.parse(text)
    except SyntaxError:
        return "text"
    return "python"


def name_languages(app, doctree):
    if any(doctree.findall(addnodes.highlightlang)):
        return                          # the page names its own
    for node in doctree.findall(nodes.literal_block):
        if "language" not in node:
            node["language"] = language_of(node.astext())


def setup(app):
    app.add_role("source", source_role)
    app.add_directive_to_domain("c", "namespace", NoNamespace, override=True)
    app.add_config_value("full_inventory", "", "env")
    app.pinned = set()
    app.connect("config-inited", write_inventory)
    # Before intersphinx itself.
    app.connect("missing-reference", pin_references, priority=400)
    app.connect("build-finished", write_pinned)
    app.connect("doctree-read", name_languages)
    app.connect("doctree-resolved", put_drawings_in)
    return {"version": "1", "parallel_read_safe": True,
            "parallel_write_safe": True}
