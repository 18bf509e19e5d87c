"""Data, scripts and style as one page that opens from disk.

The page may do nothing but what is in it: its policy allows the one script
and the one style by their checksums, and no connection.  The data are in an
element that no browser runs; what is much is compressed.
"""

import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from json import dumps
from math import isfinite

from tracemalloc._report.history import belongs, history_of
from tracemalloc._report.joined import Joined, Part
from tracemalloc._report.shape import (
    LIKE, Groups, Limits, Shape, shares, shown_name)
from tracemalloc._report.sources import Sources, wanted_files

# The modules, each after those that it imports; the last one begins.
PARTS = ("dom", "format", "profile", "accounts", "tree", "search", "state",
         "colors", "source", "flame", "details", "table", "treemap",
         "timeline", "main")
MODULES = (*PARTS, "start")

# More is compressed, where Python has zlib.
_MUCH = 200_000


class TooLarge(ValueError):
    """The page cannot be made as small as it should be."""


# Scripts


_IMPORT = re.compile(r'import \{([^}]*)\}\s+from "\./(\w+)\.js";\n')
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))",
                     re.M)


def bundle(read, modules=MODULES):
    """Return one script of *modules*; read(name) returns the text of one.

    A module of ours imports names from others of ours and exports functions,
    constants and classes where they are defined; it becomes a function that
    is called once.
    """
    parts, known = ['"use strict";\n'], set()
    for name in modules:
        text = read(f"{name}.js")
        exported = _EXPORT.findall(text)
        text = _EXPORT.sub("", text)
        for _, other in _IMPORT.findall(text):
            if other not in known:
                raise ValueError(f"{name}.js imports {other}.js, which does "
                                 "not come before it")
        text = _IMPORT.sub(lambda found: (
            f"const {{{found[1].replace(' as ', ': ')}}} = "
            f"of_{found[2]};\n"), text)
        if re.search(r"^(import|export)\b", text, re.M):
            raise ValueError(f"{name}.js has an import or export of a kind "
                             "that the report cannot put together")
        known.add(name)
        parts.append(f"const of_{name} = (() => {{\n{text}"
                     f"return {{{', '.join(exported)}}};\n}})();\n")
    return "".join(parts)


# Data


def _number(metadata, name):
    value = metadata.get(name)
    known = type(value) is int or (type(value) is float and isfinite(value))
    return value if known else None


def _text(value):
    return shown_name(value) if isinstance(value, str) else None


def _describe(name, part):
    """Return what the page tells of a snapshot."""
    metadata = part.metadata
    command = metadata.get("command")
    command = ([shown_name(word) for word in command[:50]
                if isinstance(word, str)]
               if isinstance(command, (list, tuple)) else None)
    python = _text(metadata.get("python"))
    return {
        "name": shown_name(name), "set": part.set_number,
        "process": shown_name(part.process),
        "command": command, "python": python and python.split(" ")[0],
        "contexts": len(part), "limit": part.limit,
        "interval": part.interval,
        "averages": metadata.get("sizes") == "average",
        "peakOnly": part.data.row_context is None,
        **{key: _number(metadata, name) for key, name in (
            ("time", "time"), ("pid", "pid"), ("traced", "traced_memory"),
            ("peak", "traced_memory_peak"), ("tracer", "tracer_memory"),
            ("rss", "rss"), ("vms", "vms"), ("dropped", "dropped"))},
    }


def _encoded(data):
    """Return (how it is encoded, text) of what becomes JSON."""
    text = dumps(data, separators=(",", ":"), allow_nan=False)
    if len(text) > _MUCH:
        try:
            import zlib
        except ImportError:
            pass
        else:
            packed = zlib.compress(text.encode("ascii"), 6)
            return "deflate", b64encode(packed).decode("ascii")
    # Whatever closes a script has a '<'; dumps() escapes all but ASCII.
    return "json", text.replace("<", "\\u003c")


def _history(parts, records):
    """Return what records tell of what is shown: of the newest moment."""
    from time import time

    newest = parts[-1].set_number
    pictures, others = [], []
    for part, found in zip(parts, records or ()):
        if part.set_number == newest:
            pictures += found
        else:
            others.append(part.metadata)
    if others and not belongs(pictures, others):
        return None
    return history_of(pictures, time())


class Whole:
    """Snapshots as a page needs them, before anything is left out.

    Arguments and errors are those of render().  Time: O(contexts).
    """

    def __init__(self, snapshots, limits, processes=None, records=None):
        self.parts = [Part(snapshot, 0 if processes else number,
                           processes[number] if processes else "")
                      for number, snapshot in enumerate(snapshots)]
        self.joined = Joined(self.parts)
        self.shares = shares(self.joined)
        self.groups = Groups(self.joined, limits)
        self.history = _history(self.parts, records)

    def shape(self, limits):
        """Return the Shape of a page with such limits."""
        return Shape(self.joined, self.shares, self.groups, limits)

    def sources(self, wanted, room):
        """Return the Sources of files, of so many bytes at most."""
        times = [time for part in self.parts
                 if (time := _number(part.metadata, "time")) is not None]
        return Sources(wanted, room, min(times, default=None))

    def data(self, shape, names, limits, title):
        """Return what a page is told, as a dict for JSON."""
        tree = shape.to_json()
        sources = self.sources(wanted_files(shape) if limits.source else (),
                               limits.source)
        _place_columns(tree["spots"], tree["frames"], sources.files)
        return {
            "version": 1, "title": shown_name(title),
            "snapshots": [_describe(name, part)
                          for name, part in zip(names, self.parts)],
            "history": self.history,
            "figures": self.joined.known(), "like": LIKE, "tree": tree,
            "sources": {"files": sources.found,
                        "leftOut": sources.left_out,
                        "wanted": bool(limits.source)},
        }


def _place_columns(spots, frames, files):
    """Have columns of spots count characters, where there is the source."""
    for place, frame in enumerate(spots["frame"]):
        file = files.get(frames["file"][frame]) if frame >= 0 else None
        if file is None:
            continue
        line, end = frames["line"][frame], spots["endLine"][place]
        for name, of_line in ("column", line), ("endColumn", end):
            spots[name][place] = file.column(of_line, spots[name][place])


def policy(script, style, more=""):
    """Return the Content-Security-Policy of a page with one of each."""
    sums = [b64encode(sha256(part.encode()).digest()).decode()
            for part in (script, style)]
    return (f"default-src 'none'; script-src 'sha256-{sums[0]}'; "
            f"style-src 'sha256-{sums[1]}'; base-uri 'none'; "
            f"form-action 'none'{more}")


def asset(name):
    """Return a text of ours that a browser reads."""
    return files(__package__).joinpath(name).read_text("utf-8")


def _html(data, title):
    encoding, text = _encoded(data)
    return document(
        title, bundle(asset), asset("style.css"),
        "This report is drawn by a script: allow scripts for it. It loads "
        "nothing from anywhere.",
        f"""<script type="application/json" id="data" \
data-encoding="{encoding}">\
{text}</script>
""")


def document(title, script, style, no_script, body="", more=""):
    """Return a page of our scripts; *no_script* is told where none may run,
    and *more* is what the policy allows besides.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" \
content="{policy(script, style, more)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{escape(shown_name(title))}</title>
<style>{style}</style>
</head>
<body>
<noscript>{no_script}</noscript>
{body}<script type="module">{script}</script>
</body>
</html>
"""


def render(snapshots, names, title, limits=None, processes=None,
           records=None):
    """Return the page of one snapshot or of several, as text.

    Several are those of different moments, the oldest first; if *processes*
    names the process of each, they are of one moment, and added up.
    *records* has for each a list of the Pictures that it comes from, which
    may be empty: the page shows what these remember of the time before.
    Time: O(contexts), seconds for hundreds of thousands.

    Raises TooLarge if the page would exceed limits.page_size however little
    of the call paths it showed, and SnapshotFormatError if call paths take
    more memory than loading was allowed.
    """
    limits = (limits or Limits()).for_sets(
        1 if processes else len(snapshots))
    whole = Whole(snapshots, limits, processes, records)
    for _ in range(20):
        text = _html(whole.data(whole.shape(limits), names, limits, title),
                     title)
        size = len(text.encode("utf-8"))
        if size <= limits.page_size:
            return text
        limits = limits.scaled(min(0.8, limits.page_size / size))
    raise TooLarge(f"the page takes {size} bytes at least, and "
                   f"{limits.page_size} are allowed")
