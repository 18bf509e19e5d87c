"""The book of Doc/: what can be told without Sphinx.

Every page is reached from the index, every code block is run or says why it is
not, and what pages quote is what is printed.  TRACEMALLOC_SOURCE names the
folder that has Doc in it.
"""
import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import tracemalloc
import unittest
from test.support import LONG_TIMEOUT
from test.support.import_helper import DirsOnSysPath, import_fresh_module

SOURCE = os.environ.get("TRACEMALLOC_SOURCE")


def clean_environment(**variables):
    env = {name: value for name, value in os.environ.items()
           if not name.startswith("PYTHON") and name != "FORCE_COLOR"}
    return env | variables


def run_program(folder, text, *options, **variables):
    """Run a program in a folder; return (status, stdout, stderr)."""
    path = os.path.join(folder, "program.py")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    process = subprocess.run(
        [sys.executable, *options, path], cwd=folder, text=True,
        env=clean_environment(**variables), stdin=subprocess.DEVNULL,
        capture_output=True, timeout=LONG_TIMEOUT)
    return process.returncode, process.stdout, process.stderr


@unittest.skipUnless(SOURCE,
                     "TRACEMALLOC_SOURCE does not name the source folder")
class BookTests(unittest.TestCase):
    """Base: knows pages and blocks."""

    @classmethod
    def setUpClass(cls):
        with DirsOnSysPath(os.path.join(SOURCE, "Tools", "doc")):
            cls.blocks = import_fresh_module("blocks")
            cls.figures = import_fresh_module("figures")
            cls.drawings = import_fresh_module("drawings")

    def text(self, name):
        with open(os.path.join(SOURCE, name), encoding="utf-8") as stream:
            return stream.read()

    def pages(self):
        return self.blocks.pages_of(SOURCE)

    def blocks_of(self, name):
        return self.blocks.blocks_of(os.path.join(SOURCE, name))

    def make_folder(self):
        return self.enterContext(tempfile.TemporaryDirectory())


class PageTests(BookTests):

    def test_every_page_is_reached_from_the_index(self):
        reached = set()
        waiting = ["Doc/index.rst"]
        while waiting:
            name = waiting.pop()
            if name in reached:
                continue
            reached.add(name)
            for toctree in re.findall(
                    r"(?m)^\.\. toctree::\n((?:   :.*\n)*\n(?:   \S.*\n)+)",
                    self.text(name)):
                for entry in re.findall(r"(?m)^   ([^:\s].*)$", toctree):
                    waiting.append(os.path.normpath(os.path.join(
                        os.path.dirname(name), entry + ".rst")))
        self.assertEqual(reached, {name for name in self.pages()
                                   if name.startswith("Doc/")})

    def test_the_index_alone_is_an_orphan(self):
        # It is one in CPython's own documentation, which has another index.
        self.assertEqual([name for name in self.pages()
                          if ":orphan:" in self.text(name)],
                         ["Doc/index.rst"])

    def test_images_are_there_and_say_in_words_what_they_show(self):
        images = 0
        for name in self.pages():
            for path, options in re.findall(
                    r"(?m)^ *\.\. image:: (\S+)\n((?: +.*\n)*)",
                    self.text(name)):
                images += 1
                with self.subTest(page=name, image=path):
                    self.assertTrue(os.path.isfile(os.path.join(
                        SOURCE, os.path.dirname(name), path)))
                    self.assertRegex(options, r":alt: \w+")
        self.assertGreaterEqual(images, 4)

    def test_drawings_are_those_that_the_script_draws(self):
        folder = self.make_folder()
        self.drawings.main(folder)
        for name in self.drawings.DRAWINGS:
            with open(os.path.join(folder, name), encoding="utf-8") as stream:
                self.assertEqual(self.text(f"Doc/design/{name}"),
                                 stream.read(), name)

    def test_files_that_design_pages_name_are_there(self):
        places = ["", "Python/tracemalloc", "Lib/tracemalloc"]
        found = 0
        for name in self.pages():
            if not name.startswith("Doc/design/"):
                continue
            for path in re.findall(r"``([\w./]+\.(?:c|h|py|rst))``",
                                   self.text(name)):
                found += 1
                self.assertTrue(any(
                    os.path.exists(os.path.join(SOURCE, place, path))
                    for place in places), (name, path))
        self.assertGreater(found, 20)

    def test_packages_are_pinned_with_checksums(self):
        rows = re.findall(r"(?m)^([\w.-]+)(==(?:.*\\\n)*.*)",
                          self.text("Tools/doc/book/requirements.txt"))
        names = [name for name, _ in rows]
        self.assertIn("sphinx", names)
        self.assertIn("furo", names)
        for name, rest in rows:
            self.assertRegex(rest, r"^==[\w.]+ ", name)
            self.assertIn("--hash=sha256:", rest, name)

    def test_commands_of_the_repository_are_there(self):
        targets = set(re.findall(r"(?m)^([a-z][\w -]*):",
                                 self.text("Makefile.pre.in")))
        targets = {word for row in targets for word in row.split()}
        found = 0
        for name in self.pages():
            for block in self.blocks_of(name):
                if "not run" not in block.marks:
                    continue
                for target in re.findall(r"(?m)^make ([a-z][a-z-]*)",
                                         block.text):
                    found += 1
                    self.assertIn(target, targets, (name, block.line))
                for path in re.findall(r"(?:(?<= )|^)(Tools/[\w./-]+)",
                                       block.text):
                    found += 1
                    self.assertTrue(
                        os.path.exists(os.path.join(SOURCE, path)),
                        (name, block.line, path))
        self.assertGreater(found, 15)


class BlockTests(BookTests):
    """Code blocks of all pages: who runs them."""

    def programs(self, name):
        """Return the Python of a page: {line: program}.

        A block whose first statement is an import begins a program; another
        one goes on with the program before.
        """
        found = {}
        for block in self.blocks_of(name):
            if (block.language != "python" or block.included or block.marks
                    or self.is_run_by_figures(name, block)):
                continue
            self.assertTrue(
                self.is_python(block.text),
                f"{name}:{block.line}: this code block is neither Python, "
                "which is run, nor says who runs it or why nobody does")
            first = ast.parse(block.text).body[0]
            if isinstance(first, (ast.Import, ast.ImportFrom)) or not found:
                found[block.line] = block.text
            else:
                found[max(found)] += block.text
        return found

    def is_python(self, text):
        try:
            return bool(ast.parse(text).body)
        except SyntaxError:
            return False

    def is_run_by_figures(self, name, block):
        """Whether test_tracemalloc_figures runs it, or prints it."""
        return name in self.figures.PAGES and bool(
            block.commands or self.figures._PRINTS.search(block.announcement))

    def test_every_block_is_run_or_says_why_not(self):
        known = {"python", "c", "sh"}
        for name in self.pages():
            for block in self.blocks_of(name):
                with self.subTest(page=name, line=block.line):
                    self.assertIn(block.language, known)
                    if block.included:
                        self.check_included(name, block)
                    elif block.language == "sh" or block.commands:
                        self.assertTrue(
                            block.marks or self.is_run_by_figures(name, block),
                            "nobody runs this session")
                    if "tested" in block.marks:
                        self.check_tested(block.marks["tested"])
            self.programs(name)         # fails for what is none of these

    def check_included(self, name, block):
        """What is included is an example, which has a test."""
        path = os.path.normpath(os.path.join(os.path.dirname(name),
                                             block.included))
        self.assertTrue(os.path.isfile(os.path.join(SOURCE, path)), path)
        base = os.path.basename(path)
        tests = [self.text(f"Lib/test/test_{each}.py") for each in
                 ("tracemalloc_examples", "pytracemalloc_tasks",
                  "tracemalloc_serve", "tracemalloc_session",
                  "tracemalloc_book")]
        # make test-places runs those that other programs are needed for.
        tests += [self.text(f"Tools/test/places/test_{each}.py")
                  for each in ("pytest", "notebook")]
        self.assertTrue(any(f'"{base}"' in text
                            or f'"{base.removesuffix(".py")}"' in text
                            for text in tests), f"no test names {base}")

    def check_tested(self, name):
        module, group, test = name.split(".")
        self.assertTrue(
            hasattr(getattr(importlib.import_module(f"test.{module}"), group),
                    test), name)

    def test_programs_of_the_pages_run(self):
        number = 0
        for name in self.pages():
            for line, program in self.programs(name).items():
                number += 1
                with self.subTest(page=name, line=line):
                    status, _, said = run_program(self.make_folder(), program,
                                                  "-X", "tracemalloc=25")
                    self.assertEqual((status, said), (0, ""))
        self.assertGreaterEqual(number, 12)

    PAGE = textwrap.dedent("""\
        A program::

           print(1)

        .. not run: for a reason

        Commands, which follow::

           make all

        .. code-block:: c
           :linenos:

           int x;

        .. highlight:: c

        * A list::

              int y;

        .. literalinclude:: ../a.py
        .. not run below: all of it

        ::

           $ ls
           a

        >>> 1
        1
        """)

    def test_blocks_are_found(self):
        path = os.path.join(self.make_folder(), "page.rst")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(self.PAGE)
        found = [(block.line, block.language, block.text, block.included,
                  block.marks) for block in self.blocks.blocks_of(path)]
        below = {"not run": "all of it"}
        self.assertEqual(found, [
            (1, "python", "print(1)\n", None, {}),
            (7, "python", "make all\n", None, {"not run": "for a reason"}),
            (11, "c", "int x;\n", None, {}),
            (18, "c", "int y;\n", None, {}),
            (22, "c", "\n", "../a.py", {}),
            (25, "c", "$ ls\na\n", None, below),
            (30, "pycon", ">>> 1\n1\n", None, below)])
        self.assertEqual(self.blocks.blocks_of(path)[5].commands, ["ls"])


@unittest.skipUnless(shutil.which((sysconfig.get_config_var("CC") or "cc")
                                  .split()[0]), "needs a C compiler")
class CTests(BookTests):

    # What a piece of C code on the page takes for granted.
    AROUND = textwrap.dedent("""\
        #include <Python.h>
        extern void *my_malloc(void *, size_t);
        extern void *my_ctx;
        extern PyMemAllocatorEx my_below;
        void piece(void);
        void
        piece(void)
        {
        %s}
        """)

    def compile(self, source, *options):
        folders = {sysconfig.get_path("include"),
                   os.path.dirname(sysconfig.get_config_h_filename())}
        if sysconfig.is_python_build():
            folders.add(os.path.join(sysconfig.get_config_var("srcdir"),
                                     "Include"))
        process = subprocess.run(
            [*(sysconfig.get_config_var("CC") or "cc").split(), "-fPIC",
             "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter",
             "-Wno-missing-field-initializers",
             *(f"-I{folder}" for folder in sorted(folders)), source, *options],
            text=True, capture_output=True, timeout=LONG_TIMEOUT)
        self.assertEqual(process.returncode, 0, process.stderr)

    def test_pieces_of_c_compile(self):
        folder = self.make_folder()
        pieces = [block for name in self.pages()
                  for block in self.blocks_of(name)
                  if block.language == "c" and not block.included
                  and not block.marks]
        self.assertGreaterEqual(len(pieces), 1)
        for number, block in enumerate(pieces):
            source = os.path.join(folder, f"piece{number}.c")
            with open(source, "w", encoding="utf-8") as stream:
                stream.write(self.AROUND % textwrap.indent(block.text, "    "))
            self.compile(source, "-c", "-o", os.devnull)

    def test_the_extension_reports_its_blocks(self):
        examples = os.path.join(SOURCE, "Doc", "examples", "buffers")
        folder = self.make_folder()
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        self.compile(os.path.join(examples, "buffers.c"), "-shared", "-o",
                     os.path.join(folder, f"buffers{suffix}"))
        with open(os.path.join(examples, "use_buffers.py"),
                  encoding="utf-8") as stream:
            status, printed, said = run_program(folder, stream.read())
        self.assertEqual((status, said), (0, ""))
        self.assertRegex(printed, r"\A.*program\.py:\d+: size=3072 KiB, "
                         r"count=3, average=1024 KiB\n0\n\Z")


class TextTests(BookTests):
    """What pages quote."""

    PAGE = "Doc/library/tracemalloc.rst"

    def quoted(self, test):
        """Return the lines that a page says are tested by a test here."""
        return [line for block in self.blocks_of(self.PAGE)
                if block.marks.get("tested", "").endswith(f".{test}")
                for line in block.text.splitlines()]

    def test_rows_of_statistics(self):
        def snapshot(count):
            # All bytes are in one block, but for one in each of the others.
            size = 1794 * 1024 * (count // 20510)
            frames = (("/app/cache.py", 47),)
            return tracemalloc.Snapshot(
                [(0, size - count + 1, frames, 1)]
                + [(0, 1, frames, 1)] * (count - 1), 1)

        before, after = snapshot(20510), snapshot(41020)
        self.assertEqual(
            self.quoted("test_rows_of_statistics"),
            [str(row) for row in (*after.statistics("lineno"),
                                  *after.compare_to(before, "lineno"))])

    def test_errors_of_the_options(self):
        said = []
        for option, value in ((None, "many"), ("many", ""), ("65536", ""),
                              ("25,smaple=512KiB", "")):
            options = ["-X", f"tracemalloc={option}"] if option else []
            status, printed, text = run_program(
                self.make_folder(), "print('runs')", *options,
                PYTHONTRACEMALLOC=value)
            self.assertEqual((status, printed), (1, ""), text)
            said += text.splitlines()
        for line in self.quoted("test_errors_of_the_options"):
            self.assertIn(line, said)


if __name__ == "__main__":
    unittest.main()
