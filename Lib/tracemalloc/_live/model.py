"""What the live view shows, and what keys change.  Knows no terminal."""

from collections import namedtuple

from tracemalloc._cli.names import names_of
from tracemalloc._cli.screen import printable
from tracemalloc._live.moment import Moment

GROUPS = ("lineno", "function", "filename", "module", "thread", "account")
# Those that no frame tells: callers have no part in them.
_FRAMELESS = "thread", "account"
TREE_GROUPS = ("lineno", "function", "filename")
SORTS = ("live", "growth", "rate", "blocks", "peak", "allocated",
         "temporary_blocks")
# Of a tree there are fewer.
TREE_SORTS = ("live", "growth", "peak", "allocated")

# Seconds between two looks at a record.
PACES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

# name    what tells rows apart, from one moment to the next
# label   what stands at the right
# depth   levels above it in the tree
# opens   None if there is nothing below; else whether that is shown
# figures {figure: value or None}
# trend   whether it is more (1) or less (-1) than the moment before, or 0
# frame   (file, line) of its source, or None
Row = namedtuple("Row", "name label depth opens figures trend frame")

# Times and figures as they were, the oldest first; no more than these.
_MOST_HISTORY = 100_000
# A tree is shown no deeper and no wider than somebody can open it.
_MOST_ROWS = 20_000


class Model:
    """What is shown.

    take() gives it what was read, press() a key; rows() is what to draw.
    Keys are characters, or names such as 'UP'; see KEYS.  Files have short
    names in the rows unless full_paths is true.
    """

    def __init__(self, group_by="lineno", sort="live", every=1.0,
                 full_paths=False):
        self.group_by, self.sort = group_by, sort
        self.every = every
        self.full_paths = full_paths
        self.cumulative = self.is_tree = self.inverted = False
        self.filter, self.is_filtering = "", False
        # ('thread', its name) or ('account', its name), if not all is shown
        self.part = self.process = None
        self.paused = self.helping = False
        self.trends = True
        self.page = 10
        self.history = []
        self.message = ""
        self._opened = set()
        self._at = None
        self._pictures = []
        self._now = self._before = self._mark = None
        self._rows = self._names = None

    # What was read

    def take(self, pictures):
        """Go on to what processes hold now."""
        if self.paused:
            return
        if self._now is not None and _same(pictures, self._pictures):
            return
        self._pictures = pictures
        self._before, self._now = self._now, self._moment()
        if self._mark is None:
            self._mark = self._now
        self._remember()
        self._names = None
        self._changed()

    def _moment(self):
        chosen = [picture for picture in self._pictures
                  if self.process in (None, picture.pid)]
        return Moment(chosen or self._pictures, self._now)

    def _remember(self):
        """Take over what the record remembers, or add what is now."""
        processes = self._now.processes
        if len(processes) == 1 and len(processes[0].timeline):
            self.history = processes[0].timeline[-_MOST_HISTORY:]
            return
        now = self._now
        if not self.history or self.history[-1][0] < now.time:
            self.history.append((now.time, now.current, now.peak, now.rss))
            del self.history[:-_MOST_HISTORY]

    def _begin_anew(self):
        """Other processes are looked at: nothing from before compares."""
        self._now = self._moment()
        self._before, self._mark = None, self._now
        self.history = []
        self._remember()
        self._names = None
        self._changed()

    @property
    def now(self):
        return self._now

    @property
    def pictures(self):
        return self._pictures

    def growth(self):
        """Return (nanoseconds, bytes) since the mark."""
        return (self._now.time - self._mark.time,
                self._now.current - self._mark.current)

    def rate(self):
        """Return bytes and blocks allocated each second, or None."""
        if self._before is None or self._now.time <= self._before.time:
            return None
        seconds = (self._now.time - self._before.time) / 1e9
        return tuple(max(now - before, 0) / seconds for now, before in zip(
            self._now.allocated(), self._before.allocated()))

    # Rows

    def _changed(self):
        self._rows = None

    def rows(self):
        """Return the Rows, in their order; the same list until it changes."""
        if self._names is None:
            self._names = names_of(
                *self._now.snapshots, *self._mark.snapshots,
                full=self.full_paths)
        if self._rows is None:
            self._rows = self._tree_rows() if self.is_tree else self._list()
        return self._rows

    def _list(self):
        now, before, mark = (
            each and each.table(self.group_by, self.cumulative, self.part)
            for each in (self._now, self._before, self._mark))
        seconds = (self._now.time - self._before.time) / 1e9 if before else 0
        whole = self._now.total(self.part)
        found = []
        names = now if mark is now else {**now, **mark}
        for name in names:
            label = _label(name, self.group_by, self._names)
            if self.filter and self.filter.lower() not in label.lower():
                continue
            figures = dict(now.get(name, _NOTHING))
            earlier = before.get(name, _NOTHING) if before else None
            figures["growth"] = (figures["live"]
                                 - mark.get(name, _NOTHING)["live"])
            figures["share"] = figures["live"] / whole if whole else None
            figures["rate"] = _rate(figures, earlier, seconds)
            if not any(figures.values()):
                continue
            found.append(Row(name, label, 0, None, figures,
                             _trend(figures["live"], earlier["live"])
                             if before else 0, _frame(name)))
        found.sort(key=lambda row: row.label)
        found.sort(key=lambda row: (row.figures[self.sort] or 0,
                                    row.figures["live"]), reverse=True)
        return found

    def _tree_rows(self):
        roots = [each and each.tree(self.group_by, self.inverted,
                                    self._tree_figure(), self.part)
                 for each in (self._now, self._before, self._mark)]
        found = []
        waiting = [((), 0, *each) for each in reversed(
            self._branches((), roots))]
        whole = roots[0].size
        while waiting and len(found) < _MOST_ROWS:
            _, depth, name, nodes = waiting.pop()
            now, before, mark = nodes
            below = self._branches(name, nodes)
            is_open = name in self._opened
            size = now.size if now else 0
            figures = {self._tree_figure(): size,
                       "growth": size - (mark.size if mark else 0),
                       "blocks": now.count if now else 0,
                       "share": size / whole if whole else None}
            found.append(Row(
                name, self._tree_label(name[-1]), depth,
                is_open if below else None, figures,
                _trend(size, before.size if before else 0)
                if roots[1] else 0, name[-1][:2]))
            if is_open:
                waiting += [((), depth + 1, *each)
                            for each in reversed(below)]
        return found

    def _tree_figure(self):
        return self.sort if self.sort in ("peak", "allocated") else "live"

    def _branches(self, name, nodes):
        """Return [(name, (now, before, mark))] of what is below a node."""
        tables = [{} if node is None
                  else {_node_key(each): each for each in node.below()}
                  for node in nodes]
        now, before, mark = tables
        keys = now if self.sort != "growth" else {**now, **mark}
        found = [((*name, key), (now.get(key), before.get(key),
                                 mark.get(key))) for key in keys]
        if not name and self.filter:
            found = [each for each in found if self._matches(each)]
        found.sort(key=lambda each: each[0][-1])
        found.sort(key=self._weight, reverse=True)
        return found

    def _weight(self, branch):
        now, _, mark = branch[1]
        size = now.size if now else 0
        grown = size - (mark.size if mark else 0)
        return (grown, size) if self.sort == "growth" else (size, grown)

    def _matches(self, branch):
        """Return whether the text is in a node, or in one below it."""
        wanted = self.filter.lower()
        waiting, looked = [branch[1][0]], 0
        while waiting and looked < _MOST_ROWS:
            node = waiting.pop()
            if node is None:
                continue
            looked += 1
            key = _node_key(node)
            if wanted in self._tree_label(key).lower():
                return True
            waiting += node.below()
        return False

    def _tree_label(self, key):
        return _tree_label(key, self.group_by, self._names)

    def function_of(self, row):
        """Return the name of the function that a row's line is in, or ''."""
        if self.is_tree:
            return row.name[-1][2]
        return self._now.function_of(row.name, self.group_by, self.cumulative,
                                     self.part)

    # The cursor

    @property
    def cursor(self):
        """The index of the row that the cursor is at; 0 if there is none."""
        rows = self.rows()
        if self._at is not None:
            index, name = self._at
            if index < len(rows) and rows[index].name == name:
                return index
            for index, row in enumerate(rows):
                if row.name == name:
                    return index
            return max(min(self._at[0], len(rows) - 1), 0)
        return 0

    def move(self, to):
        """Set the cursor to a row, or to the nearest there is."""
        rows = self.rows()
        if rows:
            index = max(min(to, len(rows) - 1), 0)
            self._at = index, rows[index].name

    def selected(self):
        """Return the row at the cursor, or None."""
        rows = self.rows()
        return rows[self.cursor] if rows else None

    # Keys

    def press(self, key):
        """Do what a key stands for; return False if the view is to end."""
        self.message = ""
        if self.is_filtering:
            self._type(key)
        elif key == "q":
            return False
        elif self.helping:
            self.helping = False
        elif key in _ACTIONS:
            _ACTIONS[key](self)
        return True

    def _type(self, key):
        if key in ("ENTER", "ESC"):
            self.is_filtering = False
            if key == "ESC":
                self.filter = ""
        elif key == "BACKSPACE":
            self.filter = self.filter[:-1]
        elif len(key) == 1 and key.isprintable():
            self.filter += key
        self._at = None
        self._changed()

    def _help(self):
        self.helping = True

    def _pause(self):
        self.paused = not self.paused

    def _begin_filter(self):
        self.is_filtering = True

    def _clear_filter(self):
        self.filter, self.part = "", None
        self._changed()

    def _sort_by(self, step):
        sorts = TREE_SORTS if self.is_tree else SORTS
        at = sorts.index(self.sort) if self.sort in sorts else 0
        self.sort = sorts[(at + step) % len(sorts)]
        self._at = None
        self._changed()

    def _group(self):
        groups = TREE_GROUPS if self.is_tree else GROUPS
        at = groups.index(self.group_by) if self.group_by in groups else -1
        self.group_by = groups[(at + 1) % len(groups)]
        if self.group_by in _FRAMELESS:
            self.cumulative = False
        self._at = None
        self._changed()

    def _set_mark(self):
        self._mark = self._now
        self._names = None
        self.message = "growth counts from now on"
        self._changed()

    def _pace(self, step):
        nearest = min(range(len(PACES)),
                      key=lambda at: abs(PACES[at] - self.every))
        self.every = PACES[max(min(nearest + step, len(PACES) - 1), 0)]

    def _next_part(self, kind):
        parts = [None, *((kind, name) for name in self._now.parts(kind))]
        if len(parts) == 1:
            self.message = f"there are no {kind}s"
            return
        at = parts.index(self.part) if self.part in parts else 0
        self.part = parts[(at + 1) % len(parts)]
        self._at = None
        self._changed()

    def _next_process(self):
        known = [None, *(picture.pid for picture in self._pictures)]
        if len(known) == 2:
            self.message = "there is one process only"
            return
        at = known.index(self.process) if self.process in known else -1
        self.process = known[(at + 1) % len(known)]
        self._begin_anew()

    def _toggle_tree(self):
        self.is_tree = not self.is_tree
        if self.is_tree:
            if self.group_by not in TREE_GROUPS:
                self.group_by = "lineno"
            if self.sort not in TREE_SORTS:
                self.sort = "live"
        self._at = None
        self._changed()

    def _invert(self):
        self.inverted = not self.inverted
        self._opened.clear()
        if not self.is_tree:
            self._toggle_tree()
        self._at = None
        self._changed()

    def _callers(self):
        if self.is_tree or self.group_by in _FRAMELESS:
            self.message = "callers count in lists of lines, functions, files"
            return
        self.cumulative = not self.cumulative
        self._changed()

    def _toggle_trends(self):
        self.trends = not self.trends

    def _open(self):
        row = self.selected()
        if row is not None and row.opens is not None:
            self._opened.add(row.name)
            self._changed()

    def _close(self):
        row = self.selected()
        if row is None or not self.is_tree:
            return
        if row.opens:
            self._opened.discard(row.name)
        elif len(row.name) > 1:
            # As in other trees: up to the parent, which the next one closes.
            names = [each.name for each in self.rows()]
            self.move(names.index(row.name[:-1]))
        self._changed()

    def _toggle(self):
        row = self.selected()
        if row is not None and row.opens is not None:
            (self._close if row.opens else self._open)()


# What to press, and what that does, for the page of help.
KEYS = (
    ("q", "end"),
    ("h ?", "this page"),
    ("s S", "sort by the next figure, or the one before"),
    ("g", "group by line, function, file, module, thread or account"),
    ("v", "list, or tree of calls"),
    ("i", "tree from the lines that allocate to their callers"),
    ("u", "count memory for all callers, too"),
    ("j k", "down, up; also arrows, PgDn, PgUp, Home, End"),
    ("Enter", "open or close; also Right, Left"),
    ("/", "show what has a text in it; Enter keeps, Esc drops it"),
    ("c", "all again: no text, no thread, no account"),
    ("t", "one thread after the other"),
    ("a", "one account after the other"),
    ("f", "one process of the family after the other"),
    ("r", "growth counts from now on"),
    ("p", "pause, go on"),
    ("+ -", "look more often, less often"),
    ("x", "arrows at what changed, or none"),
)

_ACTIONS = {
    "h": Model._help, "?": Model._help,
    "p": Model._pause, "/": Model._begin_filter, "c": Model._clear_filter,
    "s": lambda model: model._sort_by(1),
    "S": lambda model: model._sort_by(-1),
    "g": Model._group, "r": Model._set_mark, "m": Model._set_mark,
    "+": lambda model: model._pace(-1), "=": lambda model: model._pace(-1),
    "-": lambda model: model._pace(1),
    "t": lambda model: model._next_part("thread"),
    "a": lambda model: model._next_part("account"),
    "f": Model._next_process,
    "v": Model._toggle_tree, "i": Model._invert, "u": Model._callers,
    "x": Model._toggle_trends,
    "j": lambda model: model.move(model.cursor + 1),
    "k": lambda model: model.move(model.cursor - 1),
    "DOWN": lambda model: model.move(model.cursor + 1),
    "UP": lambda model: model.move(model.cursor - 1),
    "PGDN": lambda model: model.move(model.cursor + model.page),
    "PGUP": lambda model: model.move(model.cursor - model.page),
    "HOME": lambda model: model.move(0),
    "END": lambda model: model.move(len(model.rows())),
    "RIGHT": Model._open, "LEFT": Model._close,
    "ENTER": Model._toggle, " ": Model._toggle,
}

_NOTHING = {"live": 0, "blocks": 0, "peak": 0, "allocated": 0,
            "temporary_blocks": 0}


def _same(pictures, others):
    """Return whether nothing was written since."""
    return ([(each.path, each.written, each.state) for each in pictures]
            == [(each.path, each.written, each.state) for each in others])


def _rate(figures, earlier, seconds):
    if earlier is None or seconds <= 0 or figures["allocated"] is None:
        return None
    return max(figures["allocated"] - (earlier["allocated"] or 0), 0) / seconds


def _trend(size, earlier):
    return (size > earlier) - (size < earlier)


def _frame(name):
    return name[:2] if name[1] > 0 else None


def _label(name, group_by, names):
    """Return the text of a group that a raw frame names.

    names -- what gives a file its name: see _cli/names.py
    """
    file, line, *function = name
    if group_by in ("module", "thread"):
        return printable(file)
    text = printable(names(file))
    if group_by == "lineno":
        return f"{text}:{line}"
    if group_by == "function" and function[0]:
        return f"{text}:{printable(function[0])}"
    return text


def _node_key(node):
    frame = node.frame
    return frame.filename, frame.lineno, frame.function or ""


def _tree_label(key, group_by, names):
    file, line, function = key
    text = printable(names(file))
    if group_by == "filename":
        return text
    function = printable(function)
    if group_by == "function":
        return f"{text}:{function}" if function else text
    return f"{text}:{line} {function}" if function else f"{text}:{line}"
