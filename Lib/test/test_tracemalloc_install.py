"""Installing the fork, and what it has in common with CPython when installed.

Rows I01, I03, I04, I06, I07, I11, I13 to I15 of the requirements; the driver's
own tests have the others.  TRACEMALLOC_SOURCE names the folder that has Doc in
it.
"""
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import unittest
from test.support import LONG_TIMEOUT, Py_GIL_DISABLED
from test.support.import_helper import DirsOnSysPath, import_fresh_module

SOURCE = os.environ.get("TRACEMALLOC_SOURCE")
STOCK_PYTHON = os.environ.get("TRACEMALLOC_STOCK_PYTHON")
needs_source = unittest.skipUnless(
    SOURCE, "TRACEMALLOC_SOURCE does not name the source folder")
needs_stock = unittest.skipUnless(
    STOCK_PYTHON,
    "TRACEMALLOC_STOCK_PYTHON does not name an interpreter to compare with")


def output(command, **variables):
    """Return what *command* prints; nothing of the caller's Python reaches it.
    """
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("PYTHON", "MAKE", "MFLAGS", "DESTDIR"))}
    env.update(variables)
    process = subprocess.run(command, env=env, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, timeout=LONG_TIMEOUT)
    if process.returncode:
        raise AssertionError(
            f"{command}: status {process.returncode}\n"
            f"{process.stdout[-2000:]}\n{process.stderr[-2000:]}")
    return process.stdout


def ask(python, code, *arguments, **variables):
    """Return what an interpreter prints that runs *code*,
    isolated from the user.
    """
    return output([python, "-s", "-B", "-c", textwrap.dedent(code),
                   *arguments],
                  **variables)


def page(*parts):
    with open(os.path.join(SOURCE, "Doc", *parts), encoding="utf-8") as stream:
        return stream.read()


# Once: it takes a while.
@unittest.skipUnless(sysconfig.is_python_build(),
                     "needs a build folder to install from")
@unittest.skipUnless(shutil.which("make"), "needs make")
@unittest.skipIf(
    sysconfig.get_config_var("Py_ENABLE_SHARED"),
    "the staged interpreter would load the installed shared library")
class InstalledTests(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.staging = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.prefix = sysconfig.get_config_var("prefix")
        # Neither pip nor the tests nor compiled files are looked at here.
        output(["make", "-s", "-C", sysconfig.get_config_var("abs_builddir"),
                "altinstall", f"DESTDIR={cls.staging}", "ENSUREPIP=no",
                "TEST_MODULES=no", "COMPILEALL_OPTS=-r0"])
        name = "python" + sysconfig.get_config_var("LDVERSION")
        cls.python = os.path.join(cls.staging + cls.prefix, "bin", name)

    def test_I01_the_installed_module_needs_nothing_else(self):
        lines = ask(self.python, """
            import sys
            import tracemalloc, _tracemalloc, linecache
            tracemalloc.start(25)
            kept = [bytes(1000) for number in range(10)]
            snapshot = tracemalloc.take_snapshot()
            print(tracemalloc.__file__)
            print(linecache.__file__)
            print("_tracemalloc" in sys.builtin_module_names)
            own = snapshot.filter_traces([tracemalloc.Filter(True, "<string>")])
            print(own.statistics("lineno")[0].size > 10_000)
        """).split()
        library = os.path.dirname(lines[1])
        self.assertTrue(library.startswith(self.staging))
        self.assertEqual(os.path.dirname(os.path.dirname(lines[0])), library)
        self.assertEqual(lines[2:], ["True", "True"])

    def test_I01_every_file_of_the_module_is_installed(self):
        import tracemalloc
        ours = os.path.dirname(tracemalloc.__file__)
        installed = os.path.join(self.staging + self.prefix, "lib",
                                 f"python{sysconfig.get_python_version()}"
                                 f"{sys.abiflags.replace('d', '')}",
                                 "tracemalloc")

        def files(top):
            return sorted(os.path.relpath(os.path.join(folder, name), top)
                          for folder, _, names in os.walk(top)
                          for name in names if name.endswith(".py"))

        self.assertIn("__init__.py", files(ours))
        self.assertEqual(files(installed), files(ours))

    def test_I03_everything_is_below_the_prefix(self):
        below = os.path.join(self.staging + self.prefix, "")
        count = 0
        for folder, _, names in os.walk(self.staging):
            for name in names:
                path = os.path.join(folder, name)
                self.assertTrue(path.startswith(below), path)
                count += 1
        self.assertGreater(count, 1000)

    def test_I03_python3_of_the_prefix_is_left_alone(self):
        names = os.listdir(os.path.dirname(self.python))
        self.assertIn(os.path.basename(self.python), names)
        for name in "python", "python3", "pip", "pip3":
            self.assertNotIn(name, names)

    def test_I07_the_interface_of_2013_is_installed_with_it(self):
        # -I -S: nothing that pip or setup.py could have added is seen.
        code = "import pytracemalloc; print(pytracemalloc.__file__)"
        path = output([self.python, "-I", "-S", "-B", "-c", code]).strip()
        self.assertTrue(path.startswith(self.staging), path)

    def reference(self, name, **variables):
        """Return where help() of a module says that its page is."""
        text = ask(self.python, f"import {name}; help({name})", PYTHONPATH="",
                   **variables)
        return re.search(r"(?m)^MODULE REFERENCE\n +(\S+)$", text)[1]

    def test_help_names_pages_that_are_installed(self):
        import tracemalloc
        import pytracemalloc
        for module in tracemalloc, pytracemalloc:
            with self.subTest(module.__name__):
                path = self.reference(module.__name__)
                self.assertTrue(path.startswith(self.staging), path)
                with open(path, encoding="utf-8") as stream:
                    text = stream.read()
                for name in module.__all__:
                    self.assertRegex(text,
                                     rf"(?m)^(class |exception )?{name}\b")
                # Pages that one names to another are there, too.
                others = re.findall(r"\b[\w-]+\.txt\b", text)
                self.assertIn("tracemalloc-cli.txt" if module is tracemalloc
                              else "tracemalloc.txt", others)
                for other in others:
                    self.assertTrue(os.path.isfile(
                        os.path.join(os.path.dirname(path), other)), other)

    def test_help_names_the_web_where_it_is_told_to(self):
        docs = "https://docs.python.org/4.0/library"
        self.assertEqual(self.reference("tracemalloc", PYTHONDOCS=docs),
                         f"{docs}/tracemalloc.html")
        # And for all other modules.
        self.assertRegex(self.reference("json"),
                         r"\Ahttps://docs.python.org/3.\d+/library/json")

    def test_the_manual_page_tells_of_samples(self):
        folder = os.path.join(self.staging + self.prefix, "share", "man",
                              "man1")
        name, = os.listdir(folder)
        with open(os.path.join(folder, name), encoding="utf-8") as stream:
            text = stream.read()
        self.assertIn("\\-X tracemalloc=NFRAME,sample=512KiB", text)
        self.assertIn("PYTHONTRACEMALLOC=25,sample=512KiB", text)


class ForeignModulesTests(unittest.TestCase):

    @needs_source
    @needs_stock
    def test_I04_modules_of_another_python_are_handed_on(self):
        found = re.findall(r"^    python3\.13 -c '(.+)'$",
                           page("using", "installing-the-fork.rst"), re.M)
        self.assertEqual(len(found), 1)
        with tempfile.TemporaryDirectory() as folder:
            added = os.path.join(folder, "site-packages")
            os.mkdir(added)
            with open(os.path.join(added, "only_there.py"), "w",
                      encoding="utf-8") as stream:
                stream.write("answer = 42\n")
            line = ask(STOCK_PYTHON, found[0], PYTHONPATH=added).strip()
            name, _, value = line.partition("=")
            self.assertEqual(name, "PYTHONPATH")
            self.assertIn(added, value.split(":"))
            said = ask(sys.executable, """
                import only_there, tracemalloc
                print(only_there.answer, tracemalloc.__file__)
            """, PYTHONPATH=value).split()
        import tracemalloc
        # The tracer is this interpreter's, not that of the other.
        self.assertEqual(said, ["42", tracemalloc.__file__])

    # Made by stock's build, loaded here.  _datetime, _pickle and _queue were
    # even compiled with internal headers.
    MODULES = ("_testcapi", "_testlimitedcapi", "_testbuffer", "xxlimited",
               "_datetime", "_pickle", "_queue", "_json", "_struct", "_csv",
               "_elementtree", "pyexpat", "_socket", "array", "math")

    EXERCISE = textwrap.dedent("""
        import sys, types
        sys.path.insert(0, sys.argv[1])
        for name in sys.argv[2:]:
            module = __import__(name)
            assert module.__file__.startswith(sys.argv[1]), module.__file__
        import _testcapi, _testlimitedcapi, array, csv, datetime, io, json, pickle
        import queue, socket, struct
        import xml.etree.ElementTree as tree
        number = 0
        for module in _testcapi, _testlimitedcapi:
            for name, function in vars(module).items():
                if name.startswith("test_") and function.__doc__ is None:
                    try:
                        function()
                    except TypeError:
                        continue            # it wants arguments
                    number += 1
        assert number > 20, number
        value = {"a": [1, 2.5, None], "b": "text"}
        assert json.loads(json.dumps(value)) == value
        assert pickle.loads(pickle.dumps(value)) == value
        assert struct.unpack("<id", struct.pack("<id", 7, 0.5)) == (7, 0.5)
        assert sum(array.array("d", [0.5] * 1000)) == 500
        assert datetime.date(2024, 2, 29).isoformat() == "2024-02-29"
        assert datetime.datetime.now(datetime.timezone.utc).tzname() == "UTC"
        assert tree.fromstring("<a><b>c</b></a>")[0].text == "c"
        assert list(csv.reader(io.StringIO("a,b"))) == [["a", "b"]]
        waiting = queue.SimpleQueue()
        waiting.put(value)
        assert waiting.get() is value
        left, right = socket.socketpair()
        left.sendall(b"x")
        assert right.recv(1) == b"x"
        left.close()
        right.close()
        print("all work")
    """)

    @needs_stock
    def test_I06_extension_modules_of_stock_are_loaded_and_work(self):
        folder = ask(STOCK_PYTHON, """
            import _json, os
            print(os.path.dirname(_json.__file__))
        """).strip()
        for option in (), ("-X", "tracemalloc=25"):
            with self.subTest(option=option):
                said = output([sys.executable, *option, "-s", "-B", "-c",
                               self.EXERCISE, folder, *self.MODULES])
                self.assertEqual(said.splitlines()[-1], "all work")

    @needs_stock
    def test_I06_names_of_extension_modules_are_stocks(self):
        code = """
            import sysconfig
            print(sysconfig.get_config_var("SOABI"), sysconfig.get_config_var("EXT_SUFFIX"))
        """
        self.assertEqual(ask(sys.executable, code), ask(STOCK_PYTHON, code))

    @needs_stock
    @unittest.skipUnless(shutil.which("nm"), "needs nm")
    def test_I06_every_symbol_of_stock_is_exported(self):
        def symbols(python):
            rows = output(["nm", "-D", "--defined-only",
                           os.path.realpath(python)])
            return {row.split()[-1] for row in rows.splitlines()}

        stock = symbols(STOCK_PYTHON)
        if "PyObject_Repr" not in stock:
            self.skipTest("the interpreters export from a shared library")
        self.assertEqual(sorted(stock - symbols(sys.executable)), [])

    # What extension modules read without calling a function.
    LAYOUT = {
        "PyObject": ("ob_refcnt", "ob_type"), "PyVarObject": ("ob_size",),
        "PyTypeObject": ("tp_name", "tp_basicsize", "tp_dealloc", "tp_flags",
                         "tp_alloc", "tp_free", "tp_version_tag",
                         "tp_vectorcall", "tp_watched"),
        "PyHeapTypeObject": ("ht_name", "ht_module", "_spec_cache"),
        "PyListObject": ("ob_item", "allocated"),
        "PyTupleObject": ("ob_item",),
        "PyDictObject": ("ma_used", "ma_keys", "ma_values"),
        "PyASCIIObject": ("length", "hash", "state"),
        "PyUnicodeObject": ("data",), "PyFloatObject": ("ob_fval",),
        "PyBytesObject": ("ob_sval",),
        "PyFunctionObject": ("func_code", "vectorcall", "func_version"),
        "PyMethodDef": ("ml_meth", "ml_flags"),
        "PyModuleDef": ("m_methods", "m_slots", "m_free"),
        "PyThreadState": ("interp", "thread_id", "current_frame",
                          "c_profilefunc", "current_exception", "dict",
                          "datastack_top", "delete_later"),
        "PyConfig": ("tracemalloc", "argv", "warnoptions"),
        "PyMemAllocatorEx": ("ctx", "malloc", "calloc", "realloc", "free"),
    }

    @unittest.skipIf(Py_GIL_DISABLED, "what is promised is the ABI of "
                     "interpreters with a GIL")
    @needs_stock
    def test_I06_structures_are_laid_out_as_in_stock(self):
        compiler = (sysconfig.get_config_var("CC") or "").split()
        if not compiler or not shutil.which(compiler[0]):
            self.skipTest("needs a C compiler")
        lines = ["#include <Python.h>", "#include <stddef.h>",
                 "#include <stdio.h>", "int main(void) {"]
        for structure, members in self.LAYOUT.items():
            lines.append(f'printf("{structure} %zu\\n", sizeof({structure}));')
            lines += [f'printf("{structure}.{member} %zu\\n", '
                      f'offsetof({structure}, {member}));'
                      for member in members]
        lines += ["return 0;", "}"]

        def layout(python, folder):
            folders = ask(python, """
                import os, sysconfig
                build = sysconfig.get_config_var("abs_builddir")
                source = sysconfig.get_config_var("srcdir")
                print(build, os.path.join(source, "Include"), sep="\\n")
            """).splitlines()
            source, program = (os.path.join(folder, "layout.c"),
                               os.path.join(folder, "layout"))
            with open(source, "w", encoding="utf-8") as stream:
                stream.write("\n".join(lines) + "\n")
            output([*compiler, *("-I" + each for each in folders), source,
                    "-o", program])
            return output([program]).splitlines()

        with tempfile.TemporaryDirectory() as folder:
            ours = layout(sys.executable, folder)
            self.assertGreater(len(ours), len(self.LAYOUT))
            self.assertEqual(ours, layout(STOCK_PYTHON, folder))


class ProcessMemoryTests(unittest.TestCase):

    @unittest.skipUnless(sys.platform == "linux", "reads /proc")
    def test_I15_memory_of_the_process_is_known_without_psutil(self):
        rss, vms, loaded = ask(sys.executable, """
            import sys
            sys.modules["psutil"] = None        # as if it were not installed
            import pytracemalloc
            print(*pytracemalloc.get_process_memory(), sys.modules["psutil"])
        """).split()
        self.assertEqual(loaded, "None")
        self.assertGreater(int(rss), 1_000_000)
        self.assertGreater(int(vms), int(rss))


@needs_source
class TextTests(unittest.TestCase):

    def setUp(self):
        with DirsOnSysPath(os.path.join(SOURCE, "Doc", "tools")):
            self.text_pages = import_fresh_module("text_pages")

    def test_no_markup_is_left_in_any_page(self):
        for name in self.text_pages.PAGES:
            text = self.text_pages.text_of(name)
            with self.subTest(name):
                for markup in (r"``", r":\w+:`", r"(?m)^ *\.\. ", r"`_(?!\w)",
                               r"(?m)^:\w+:"):
                    self.assertEqual(re.findall(markup, text), [])

    def test_what_is_said_stays(self):
        # Every word of the pages, but for those of markup, is in the texts.
        for name in self.text_pages.PAGES:
            source = re.sub(r"(?m)^ *(\.\. (module|contents|_|highlight|"
                            r"c:namespace|list-table|code-block|"
                            r"literalinclude|tested|not run)|:).*|"
                            r":[\w:]+:`|<[^>\n]*>`|"
                            r"\.\. [\w:-]+::", " ", page(f"{name}.rst"))
            text = self.text_pages.text_of(name)
            words = (set(re.findall(r"\w{3,}", source))
                     - set(re.findall(r"\w{3,}", text)))
            self.assertLessEqual(len(words), 3, words)

    def test_signatures_tables_and_literals(self):
        text = self.text_pages._Page("", textwrap.dedent("""\
            :mod:`!m` --- A page
            ====================

            See :func:`~m.call`, ``a  b``, :doc:`m-cli` and `Other <https://x.y/>`_::

               ``kept``

            .. function:: call(x)
                          call(x, y)

               Does ``it``.

               .. versionadded:: 3.4

            =========  =======
            ``x``      y ``z``
            =========  =======
            """)).text()
        self.assertEqual(text, textwrap.dedent("""\
            m --- A page
            ============

            See call(), `a  b`, m-cli.txt and Other (https://x.y/):

               ``kept``

            call(x)
            call(x, y)

               Does it.

               New in version 3.4.

            =========  =======
            x          y z
            =========  =======
            """))

    @unittest.skipUnless(sysconfig.is_python_build(),
                         "needs an interpreter in its build folder")
    def test_help_names_the_source_of_the_page_before_it_is_installed(self):
        text = ask(sys.executable, "import tracemalloc; help(tracemalloc)")
        path = re.search(r"(?m)^MODULE REFERENCE\n +(\S+)$", text)[1]
        self.assertTrue(os.path.samefile(
            path, os.path.join(SOURCE, "Doc", "library", "tracemalloc.rst")))

    def test_unknown_markup_is_an_error(self):
        for source in ".. figure:: x\n", "a `b\n":
            with self.assertRaises(ValueError):
                self.text_pages._Page("", source).text()


@needs_source
class PageTests(unittest.TestCase):

    def test_I11_pythons_that_had_patches_are_named(self):
        text = " ".join(page("using", "installing-the-fork.rst").split())
        self.assertIn("Python 2.5, 2.7 and 3.4 up to version 0.9.1", text)
        self.assertIn("Python 2.7 and 3.3 from version 1.0 on", text)

    def test_I13_related_pages_are_linked(self):
        text = page("library", "tracemalloc.rst")
        for link in (":pep:`445`", ":pep:`454`",
                     "<https://pytracemalloc.readthedocs.io/>"):
            self.assertIn(link, text)
        similar = text.partition("Similar projects")[2]
        self.assertGreaterEqual(len(re.findall(r"`_", similar)), 5)
        for name in ("memray", "heaptrack", "Pympler", "guppy3", "Meliae",
                     "Devel::Size"):
            self.assertIn(name, similar)

    def test_I14_systems_are_named(self):
        text = " ".join(page("using", "installing-the-fork.rst").split())
        self.assertIn("developed and tested on Linux", text)
        self.assertIn("Windows is not supported", text)


if __name__ == "__main__":
    unittest.main()
