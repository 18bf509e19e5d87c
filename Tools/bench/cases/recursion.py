"""Recursion that leaves live blocks on its paths: many contexts,
each little used.
"""
import ast
import copy
import importlib.util
import sys

from . import case


def tree_on_one_line(depth):
    if depth == 0:
        return [None]
    return [tree_on_one_line(depth - 1), tree_on_one_line(depth - 1)]


@case(size=(16, 14), loops=(18, 18), live=True, recursion=True)
def tree_same_line(size):
    """A live binary tree; both halves are built on one line,
    so paths share their lines.
    """
    def step():
        tree = tree_on_one_line(size)
        return len(tree), tree
    return step


def tree_on_two_lines(depth):
    if depth == 0:
        return [None]
    left = tree_on_two_lines(depth - 1)
    right = tree_on_two_lines(depth - 1)
    return [left, right]


@case(size=(16, 14), loops=(18, 18), live=True, recursion=True)
def tree_own_paths(size):
    """The same tree, a line for each half: every block has a path of its own.
    """
    def step():
        tree = tree_on_two_lines(size)
        return len(tree), tree
    return step


class Reader:
    """Reads + - * / ** and parentheses into tuples (operator, left, right)."""

    def __init__(self, tokens):
        self.tokens = tokens
        self.place = 0

    def peek(self):
        return self.tokens[self.place]

    def take(self):
        self.place += 1
        return self.tokens[self.place - 1]

    def sum(self):
        tree = self.product()
        while self.peek() in ("+", "-"):
            tree = (self.take(), tree, self.product())
        return tree

    def product(self):
        tree = self.sign()
        while self.peek() in ("*", "/"):
            tree = (self.take(), tree, self.sign())
        return tree

    def sign(self):
        if self.peek() == "-":
            return (self.take(), self.sign())
        return self.power()

    def power(self):
        base = self.atom()
        if self.peek() == "**":
            return (self.take(), base, self.sign())
        return base

    def atom(self):
        token = self.take()
        if token != "(":
            return ["number", float(token)]
        tree = self.sum()
        if self.take() != ")":
            raise SyntaxError("a parenthesis is not closed")
        return tree


def expression(random, depth):
    """Tokens of a random expression with up to `depth` nested parentheses."""
    tokens = []
    for number in range(1 + next(random) % 3):
        if number:
            tokens.append(("+", "-", "*", "/", "**")[next(random) % 5])
        if next(random) % 5 == 0:
            tokens.append("-")
        if depth and next(random) % 4:
            tokens += ["(", *expression(random, depth - 1), ")"]
        else:
            tokens.append(str(next(random) % 1000))
    return tokens


def pseudo_random(seed):
    """Numbers that are the same everywhere, whatever `random` does."""
    while True:
        seed = ((seed * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407)
                % 2**64)
        yield seed >> 33


@case(size=(500, 120), loops=(4, 5), live=True, recursion=True)
def parser(size):
    """A recursive-descent parser of arithmetic; all syntax trees are kept."""
    random = pseudo_random(1)
    texts = [[*expression(random, 9), "end"] for _ in range(size)]

    def step():
        trees = []
        for tokens in texts:
            reader = Reader(tokens)
            trees.append(reader.sum())
            if reader.peek() != "end":
                raise SyntaxError(f"unexpected {reader.peek()}")
        return sum(len(tree) for tree in trees), trees
    return step


class Branch:
    def __init__(self, name, children):
        self.name = name
        self.children = children
        self.notes = {"size": len(children), name: [len(name)]}


@case(size=(5, 4), loops=(5, 8), live=True, recursion=True)
def deepcopy(size):
    """copy.deepcopy() of nested objects, lists, dicts and tuples;
    the copy is kept.
    """
    def branch(depth, name):
        children = ([branch(depth - 1, f"{name}.{number}")
                     for number in range(6)] if depth else [])
        return Branch(name, children)

    original = branch(size, "root")

    def step():
        again = copy.deepcopy(original)
        return len(again.children) + len(again.notes), again
    return step


class Collector(ast.NodeVisitor):
    """Keeps a note on every node that it visits."""

    def __init__(self):
        self.notes = []
        self.scopes = []

    def generic_visit(self, node):
        self.notes.append((type(node).__name__,
                           getattr(node, "lineno", 0) * 1000))
        super().generic_visit(node)

    def visit_FunctionDef(self, node):
        self.scopes.append([node.name])
        self.generic_visit(node)

    def visit_ClassDef(self, node):
        self.scopes.append({node.name: len(self.notes)})
        self.generic_visit(node)


@case(size=(3, 1), loops=(8, 5), live=True, recursion=True)
def node_visitor(size):
    """ast.NodeVisitor over the trees of large modules,
    with a live note for each node.
    """
    trees = []
    for name in ("_pydecimal", "typing", "argparse")[:size]:
        with open(importlib.util.find_spec(name).origin,
                  encoding="utf-8") as stream:
            trees.append(ast.parse(stream.read()))

    def step():
        collector = Collector()
        for tree in trees:
            collector.visit(tree)
        return len(collector.notes) + len(collector.scopes), collector
    return step


def down(level, kept):
    kept.append([level])
    if level:
        down(level - 1, kept)
    kept.append((level, str(level)))


@case(size=(70_000, 15_000), loops=(14, 8), live=True, recursion=True,
      deep=True)
def deep_recursion(size):
    """70,000 calls deep (quick: 15,000),
    with live blocks made going down and going up.
    """
    sys.setrecursionlimit(size + 1000)

    def step():
        kept = []
        down(size, kept)
        return len(kept), kept
    return step
