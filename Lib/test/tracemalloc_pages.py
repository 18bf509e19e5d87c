"""Reads the pages that python -m tracemalloc report writes, for its tests."""

import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser


class _Elements(HTMLParser):
    """Finds elements as a browser does."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.elements = []
        self.texts = {}
        self._inside = None

    def handle_starttag(self, tag, attributes):
        self._inside = len(self.elements)
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        self.texts[self._inside] = self.texts.get(self._inside, "") + data


def _added_up(table, like):
    """Return the figures of a table's sets, from differences."""
    found, before = [], {}
    for figures in table["sets"]:
        columns = {
            figure: [value + other for value, other in zip(
                column, before[figure])] if figure in before else column
            for figure, column in figures.items()}
        before = columns
        whole = dict(columns)
        for figure, others in like.items():
            if figure in columns:
                parts = [columns[other] for other in others
                         if other in columns]
                whole[figure] = [sum(values) for values in zip(
                    columns[figure], *parts)]
        found.append(whole)
    return found


class PageData:
    """What a page is told.

    data     the whole of it
    nodes    [(parent, frame)] by node; a frame is (file, line, function), or
             None for what was summed
    rows     [(node, group)], rows_of[set][figure] their numbers
    spots    [(frame, end line, column, end column, group)], and spots_of
    groups   [(thread, domain, process, module, account)]
    """

    def __init__(self, data):
        self.data = data
        tree = self.data["tree"]
        names = tree["names"]
        files = [names[number] for number in tree["files"]["name"]]
        self.modules = dict(zip(files, (
            names[number] for number in tree["files"]["module"])))
        self.kinds = dict(zip(files, tree["files"]["kind"]))
        self.frames = [(files[file], line, names[function])
                       for file, line, function in zip(*(
                           tree["frames"][name]
                           for name in ("file", "line", "function")))]
        self.nodes = [(place - up, self.frame(number)) for place, (up, number)
                      in enumerate(zip(tree["nodes"]["parent"],
                                       tree["nodes"]["frame"]))]
        node, self.rows = 0, []
        for step, group in zip(tree["rows"]["node"], tree["rows"]["group"]):
            node += step
            self.rows.append((node, group))
        self.rows_of = _added_up(tree["rows"], self.data["like"])
        spots = tree["spots"]
        self.spots = [(self.frame(number), *rest) for number, *rest in zip(*(
            spots[name] for name in (
                "frame", "endLine", "column", "endColumn", "group")))]
        self.spots_of = _added_up(spots, self.data["like"])
        groups = tree["groups"]
        self.groups = [(names[thread], domain, names[process], names[module],
                        names[account])
                       for thread, domain, process, module, account in zip(*(
                           groups[name] for name in (
                               "thread", "domain", "process", "module",
                               "account")))]

    def frame(self, number):
        return self.frames[number] if number >= 0 else None

    # Sums

    def total(self, figure, number=-1, table="rows"):
        return sum(getattr(self, f"{table}_of")[number][figure])

    def own(self, figure, number=-1):
        """Return what each node holds itself."""
        found = [0] * len(self.nodes)
        for (node, _), value in zip(self.rows, self.rows_of[number][figure]):
            found[node] += value
        return found

    def with_callees(self, figure, number=-1):
        found = self.own(figure, number)
        for node in range(len(found) - 1, 0, -1):
            found[self.nodes[node][0]] += found[node]
        return found

    def path(self, node):
        """Return the frames of a node, the oldest first."""
        found = []
        while node:
            node, frame = self.nodes[node][0], self.nodes[node][1]
            found.append(frame)
        return tuple(reversed(found))

    def by_path(self, figure, number=-1):
        """Return {frames: what is there and below}; without sums."""
        values = self.with_callees(figure, number)
        return {self.path(node): values[node]
                for node in range(1, len(self.nodes))
                if self.nodes[node][1] is not None}

    def by_line(self, figure, number=-1):
        """Return {(file, line): sum} of spots."""
        found = {}
        for (frame, *_), value in zip(self.spots,
                                      self.spots_of[number][figure]):
            key = frame and frame[:2]
            found[key] = found.get(key, 0) + value
        return found


# What else a page could load something by.
LOADS = re.compile(r"""(?:src|href)\s*=\s*["']?(?!data:|\#)[a-z]+:"""
                   r"|@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket"
                   r"|\beval\(|new Function|innerHTML|document\.write")


class Page(PageData):
    """What is on a page; see PageData."""

    def __init__(self, text):
        self.text = text
        parser = _Elements()
        parser.feed(text)
        self.elements = parser.elements
        self._texts = parser.texts
        super().__init__(self._data())

    def texts(self, tag):
        return [self._texts.get(number, "") for number, (name, _)
                in enumerate(self.elements) if name == tag]

    def _data(self):
        for number, (tag, attributes) in enumerate(self.elements):
            if attributes.get("id") == "data":
                text = self._texts[number]
                if attributes["data-encoding"] == "deflate":
                    text = zlib.decompress(base64.b64decode(text))
                return json.loads(text)
        raise ValueError("the page has no data")

    def policy(self):
        """Return what the page allows: {directive: [sources]}."""
        found = [attributes["content"] for tag, attributes in self.elements
                 if attributes.get("http-equiv") == "Content-Security-Policy"]
        return {name: sources for name, *sources in (
            part.split() for part in found[0].split(";"))}

    @staticmethod
    def source_of(text):
        """Return what a policy calls a text that it allows."""
        digest = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"
