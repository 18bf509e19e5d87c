"""Tests of what the repository's own files look like: the width of PEP 7, 8.

The lines of a string of Python that goes over several, such as a program that
a test runs or the output that it expects, are what they are, and not counted.
"""
import ast
import io
import os
import pathlib
import tempfile
import tokenize
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COLUMNS = 79
# From Python 3.12 on, an f-string is made of tokens of its own.
OPENS = {getattr(tokenize, "FSTRING_START", None)}
CLOSES = {getattr(tokenize, "FSTRING_END", None)}


def is_python(path):
    """Whether a file is a module, or a script that names its interpreter."""
    if path.suffix == ".py":
        return True
    with path.open("rb") as stream:
        first = stream.readline(100)
    return first.startswith(b"#!") and b"python" in first


def is_c(path):
    """Whether a file is C, a header included."""
    return path.suffix in (".c", ".h")


def own_files(root, wanted):
    """The files of a repository that are wanted; build/ has upstream's."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".")
            and pathlib.Path(folder, name) != root / "build")
        for name in sorted(files):
            path = pathlib.Path(folder, name)
            if not path.is_symlink() and wanted(path):
                yield path


def docstring_lines(text):
    """The numbers of the lines on which docstrings begin."""
    return {node.body[0].lineno for node in ast.walk(ast.parse(text))
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef,
                                 ast.AsyncFunctionDef))
            and ast.get_docstring(node, clean=False) is not None}


def lines_in_strings(text):
    """The numbers of the lines of strings that go over several."""
    docstrings = docstring_lines(text)
    found = set()
    begun = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        first, last = token.start[0], token.end[0]
        if token.type in OPENS:
            begun.append(first)
        elif token.type in CLOSES:
            first = begun.pop()
        elif token.type != tokenize.STRING:
            continue
        if first != last and first not in docstrings:
            found.update(range(first, last + 1))
    return found


def long_lines(path):
    """The numbers of a file's lines that are too long."""
    text = path.read_text(encoding="utf-8")
    found = {number for number, line in enumerate(text.splitlines(), 1)
             if len(line) > COLUMNS}
    if found and is_python(path):
        found -= lines_in_strings(text)
    return sorted(found)


class WidthTests(unittest.TestCase):

    def test_lines_have_79_columns_at_most(self):
        for wanted in (is_python, is_c):
            self.assertEqual([f"{path.relative_to(ROOT)}:{number}"
                              for path in own_files(ROOT, wanted)
                              for number in long_lines(path)], [])

    def test_what_is_looked_at(self):
        with tempfile.TemporaryDirectory() as scratch:
            root = pathlib.Path(scratch)
            for name, text in (
                    ("Lib/module.py", ""), ("Lib/build/module.py", ""),
                    ("build/tree/upstream.py", ""), (".git/hook.py", ""),
                    ("Python/unit.c", ""), ("Python/unit.c.h", ""),
                    ("Tools/script", "#!/usr/bin/env python3\n"),
                    ("Tools/shell", "#!/bin/sh\n"), ("Tools/data", "\0\n")):
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            (root / "link.py").symlink_to(root / "build/tree/upstream.py")
            for wanted, expected in (
                    (is_python, ["Lib/module.py", "Lib/build/module.py",
                                 "Tools/script"]),
                    (is_c, ["Python/unit.c", "Python/unit.c.h"])):
                self.assertEqual([str(path.relative_to(root))
                                  for path in own_files(root, wanted)],
                                 expected)

    def test_what_is_too_long(self):
        wide = "x" * (COLUMNS + 1)
        with tempfile.NamedTemporaryFile("w", suffix=".h") as stream:
            stream.write(f"/* A comment.\n{wide} */\n{wide[1:]}\n")
            stream.flush()
            self.assertEqual(long_lines(pathlib.Path(stream.name)), [2])
        for text, expected in (
                (wide[1:], []), (wide, [1]),
                (f"# {wide}\n\n{wide} = 1", [1, 3]),
                (f'"""A docstring.\n\n{wide}\n"""\n', [3]),
                (f'def f():\n    """{wide}"""\n', [2]),
                (f'text = """\n{wide}\n"""\n', []),
                (f'text = f"""\n{wide} {{wide}}\n"""\n{wide}\n', [4]),
                (f'text = ("one"\n        "{wide}")\n', [2])):
            with self.subTest(text=text), tempfile.NamedTemporaryFile(
                    "w", suffix=".py") as stream:
                stream.write(text)
                stream.flush()
                self.assertEqual(long_lines(pathlib.Path(stream.name)),
                                 expected)


if __name__ == "__main__":
    unittest.main()
