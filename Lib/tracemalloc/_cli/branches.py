"""What is shown of a tree: its big branches, and chains of calls folded.

A tree is one of nodes as those of tree.py.
"""

import json

from tracemalloc._cli import rows
from tracemalloc._cli.screen import printable

# Chains of fewer calls take hardly more room than the line for them.
_SHORTEST = 3
# Names of modules that a line for a chain has.
_NAMES = 4


class Chain:
    """Calls of which each leads to the next one only, shown as one line.

    Its figures are those of the first of them, which has all the others.
    """

    def __init__(self, nodes):
        self.nodes = nodes

    def __getattr__(self, name):
        return getattr(self.nodes[0], name)

    def text(self, module_of):
        """Return '... 13 frames of flask, werkzeug'."""
        modules = list(dict.fromkeys(
            module_of(node.frame.filename) for node in self.nodes))
        names = ", ".join(map(printable, modules[:_NAMES]))
        if len(modules) > _NAMES:
            names += f" and {len(modules) - _NAMES} more"
        return f"... {len(self.nodes):,} frames of {names}"


class Branches:
    """The branches of a tree that are big enough, to some depth.

    installed -- function of a file name: whether calls of it may be folded;
                 None folds nothing
    left_out  -- how many branches were too small, of those looked at
    """

    def __init__(self, root, depth, percent, by_count=False, installed=None):
        self._root = root
        self._depth = depth
        self._by_count = by_count
        self._least = self._weight(root) * percent / 100
        self._installed = installed
        self.left_out = 0

    def _weight(self, node):
        return node.weight[1 if self._by_count else 0]

    def _kept(self, node):
        """Return (the big nodes below, the biggest first; how many others)."""
        below = node.below()
        kept = [each for each in below if self._weight(each) >= self._least]
        return sorted(kept, reverse=True, key=lambda each: (
            each.figures(self._by_count), each.sort_key())), (
                len(below) - len(kept))

    def below(self, node, level):
        """Return the children of a node that are shown, the biggest first."""
        if self._depth and level >= self._depth:
            return []
        kept, others = self._kept(node)
        self.left_out += others
        return kept

    def _chain(self, node):
        """Return the nodes that one line stands for; [] if there is none.

        None of them has bytes of its own, and none is of a file that is not
        installed.
        """
        chain = []
        while (node.parent is not None
               and self._installed(node.frame.filename)
               and not node.holds_itself()):
            kept, _ = self._kept(node)
            if len(kept) != 1:
                break
            chain.append(node)
            node, = kept
        return chain if len(chain) >= _SHORTEST else []

    def lines(self):
        """Yield (text before the node, node or Chain) from top to bottom.

        An only child stands below its parent without a mark, so that long
        ways without a fork do not leave the screen at the right.
        """
        waiting = [("", "", self._root, 0)]
        while waiting:
            mark, indent, node, level = waiting.pop()
            chain = []
            if self._installed is not None:
                chain = self._chain(node)
            if chain:
                yield mark, Chain(chain)
                self.left_out += sum(self._kept(each)[1]
                                     for each in chain[:-1])
                node = chain[-1]
            else:
                yield mark, node
            below = self.below(node, level)
            if len(below) == 1:
                waiting.append((indent, indent, below[0], level + 1))
                continue
            for each in reversed(below):
                last = each is below[-1]
                waiting.append((indent + ("`- " if last else "|- "),
                                indent + ("   " if last else "|  "),
                                each, level + 1))

    def write_json(self, group_by, write):
        """Write the tree as nested objects, however deep it is.

        The encoder of module json recurses, and call paths can be deeper than
        it may.
        """
        def text(node):
            found = {}
            if node.frame is not None:
                found = rows.frame_json(node.frame)
                if group_by != "lineno":
                    del found["lineno"]
            return json.dumps(found | node.to_json())[:-1] + ', "children": ['

        write(text(self._root))
        open_lists = [iter(self.below(self._root, 0))]
        separator = ""
        while open_lists:
            node = next(open_lists[-1], None)
            if node is None:
                open_lists.pop()
                write("]}")
                separator = ", "
                continue
            write(separator + text(node))
            open_lists.append(iter(self.below(node, len(open_lists))))
            separator = ""
