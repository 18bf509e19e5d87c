"""Starting the tracer with the interpreter,
and what it says on stderr (rows S78 to S95).

Where TRACEMALLOC_STOCK_PYTHON names an untouched interpreter, every command
line is run by both: exit status, output and error text have to be equal.
"""
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import unittest
from test.support import import_helper
from test import support
from test.tracemalloc_scripts import allocators

STOCK_PYTHON = os.environ.get("TRACEMALLOC_STOCK_PYTHON")

STATE = ("import sys, tracemalloc as t; print(t.is_tracing(), "
         "t.get_traceback_limit(), sys._xoptions.get('tracemalloc'))")

RANGE_TEXT = "ValueError: the number of frames must be in range [1; 65535]\n"
BAD_VARIABLE = "PYTHONTRACEMALLOC: invalid number of frames\n"
BAD_OPTION = "-X tracemalloc=NFRAME: invalid number of frames\n"
NOT_STARTED = "can't start tracemalloc\n"


def run(python, *arguments, variables=(), **kwargs):
    """Run an interpreter with nothing inherited that would change its result.
    """
    env = {name: value for name, value in os.environ.items()
           if not name.startswith("PYTHON")}
    if python != STOCK_PYTHON and "PYTHONPATH" in os.environ:
        env["PYTHONPATH"] = os.environ["PYTHONPATH"]
    env["PYTHON_COLORS"] = "0"
    env.update(variables)
    with support.SuppressCrashReport():
        return subprocess.run([python, *arguments], env=env,
                              capture_output=True, text=True,
                              timeout=support.LONG_TIMEOUT, **kwargs)


def neutral(text):
    """Take out of *text* what differs from run to run and from place to place.
    """
    text = re.sub(r"0x[0-9a-f]+", "0xADDRESS", text)
    text = re.sub(r"made by call #\d+", "made by call #N", text)
    return re.sub(r'File "[^"]*[/\\](Lib|python3\.13)[/\\]',
                  'File "<library>/', text)


class CommandLineTests(unittest.TestCase):

    def check(self, *arguments, out="", err="", status=0, same=True,
              **variables):
        """Run and compare with what is expected and with stock."""
        ours = run(sys.executable, *arguments, variables=variables)
        text = f"{arguments} {variables}\n{ours.stderr}"
        self.assertEqual(ours.returncode, status, text)
        self.assertEqual(ours.stdout, out, text)
        if err:
            self.assertIn(err, ours.stderr)
        else:
            self.assertEqual(ours.stderr, "")
        if STOCK_PYTHON and same:
            stock = run(STOCK_PYTHON, *arguments, variables=variables)
            self.assertEqual(stock.returncode, status)
            self.assertEqual(stock.stdout, out)
            self.assertEqual(neutral(ours.stderr), neutral(stock.stderr))

    def state(self, *arguments, out, **variables):
        self.check(*arguments, "-c", STATE, out=out + "\n", **variables)

    def fatal(self, *arguments, err, **variables):
        self.check(*arguments, "-c", "print('reached')", err=err, status=1,
                   **variables)

    def test_S78_variable_starts_tracing(self):
        for text, limit in (("1", 1), ("25", 25), ("65535", 65535), ("007", 7),
                            ("+3", 3), (" 4", 4)):
            with self.subTest(text=text):
                self.state(out=f"True {limit} None", PYTHONTRACEMALLOC=text)

    def test_S78_zero_or_empty_variable_leaves_tracing_off(self):
        for text in "0", "", "00":
            with self.subTest(text=text):
                self.state(out="False 1 None", PYTHONTRACEMALLOC=text)

    def test_S79_bad_variable_is_fatal(self):
        for text in ("-1", "-65536", "x", "1x", "1.5", " ", "1 ", "2147483648",
                     "9" * 40):
            with self.subTest(text=text):
                self.fatal(err=BAD_VARIABLE, PYTHONTRACEMALLOC=text)

    def test_S80_option_starts_tracing(self):
        for option, limit in (("tracemalloc", 1), ("tracemalloc=1", 1),
                              ("tracemalloc=25", 25),
                              ("tracemalloc=65535", 65535)):
            with self.subTest(option=option):
                shown = option.partition("=")[2] or True
                self.state("-X", option, out=f"True {limit} {shown}")

    def test_S80_option_with_zero_frames_leaves_tracing_off(self):
        self.state("-X", "tracemalloc=0", out="False 1 0")

    def test_S80_other_options_of_similar_name_are_not_ours(self):
        self.state("-X", "tracemalloc2=5", out="False 1 None")
        self.state("-X", "Tracemalloc", out="False 1 None")

    def test_S81_bad_option_is_fatal(self):
        for text in "-1", "x", "1x", "1.5", "1 ", "2147483648", "9" * 40:
            with self.subTest(text=text):
                self.fatal("-X", f"tracemalloc={text}", err=BAD_OPTION)

    def test_S81_option_with_nothing_after_the_sign(self):
        self.state("-X", "tracemalloc=", out="False 1 ")

    def test_S82_too_many_frames_are_refused_when_tracing_starts(self):
        for text in "65536", "1073741824", "2147483647":
            with self.subTest(text=text):
                for err in NOT_STARTED, RANGE_TEXT:
                    self.fatal("-X", f"tracemalloc={text}", err=err)
                    self.fatal(err=err, PYTHONTRACEMALLOC=text)

    def test_S83_option_wins_over_variable(self):
        self.state("-X", "tracemalloc=4", out="True 4 4",
                   PYTHONTRACEMALLOC="9")
        self.state("-X", "tracemalloc", out="True 1 True",
                   PYTHONTRACEMALLOC="9")
        self.state("-X", "tracemalloc=0", out="False 1 0",
                   PYTHONTRACEMALLOC="9")

    def test_S83_bad_variable_is_fatal_although_the_option_wins(self):
        self.fatal("-X", "tracemalloc=4", err=BAD_VARIABLE,
                   PYTHONTRACEMALLOC="x")

    def test_S83_of_two_options_the_first_sets_the_limit(self):
        self.state("-X", "tracemalloc=3", "-X", "tracemalloc=5",
                   out="True 3 5")
        self.state("-X", "tracemalloc=3", "-X", "tracemalloc",
                   out="True 3 True")

    def test_S84_variable_is_ignored_where_the_environment_is(self):
        for option in "-E", "-I":
            with self.subTest(option=option):
                self.state(option, out="False 1 None", PYTHONTRACEMALLOC="5")
                self.state(option, out="False 1 None", PYTHONTRACEMALLOC="x")
                self.state(option, "-X", "tracemalloc=6", out="True 6 6",
                           PYTHONTRACEMALLOC="x")

    def test_S85_development_mode_does_not_start_tracing(self):
        self.state("-X", "dev", out="False 1 None")
        self.state("-X", "dev", "-X", "tracemalloc=2", out="True 2 2")

    def test_S86_configuration_knows_the_number_of_frames(self):
        import_helper.import_module("_testinternalcapi")
        code = ("import _testinternalcapi as i; "
                "print(i.get_configs()['config']['tracemalloc'])")
        self.check("-c", code, out="0\n")
        self.check("-X", "tracemalloc", "-c", code, out="1\n")
        self.check("-X", "tracemalloc=12", "-c", code, out="12\n",
                   PYTHONTRACEMALLOC="3")
        self.check("-c", code, out="3\n", PYTHONTRACEMALLOC="3")

    def test_S87_help_names_option_and_variable(self):
        for option, name in [("--help-xoptions", "-X tracemalloc"),
                             ("--help-env", "PYTHONTRACEMALLOC"),
                             ("--help-all", "-X tracemalloc"),
                             ("--help-all", "PYTHONTRACEMALLOC")]:
            with self.subTest(option=option):
                ours = run(sys.executable, option)
                self.assertEqual(ours.returncode, 0)
                self.assertRegex(ours.stdout, rf"(?m)^{name}\b")

    def test_S87_children_inherit_the_option(self):
        code = ("import subprocess; "
                "print(subprocess._args_from_interpreter_flags())")
        self.check("-X", "tracemalloc=4", "-c", code,
                   out="['-X', 'tracemalloc=4']\n")


class StartUpTests(unittest.TestCase):

    def test_S88_imports_of_the_boot_phase_are_traced(self):
        code = """if True:
            import _tracemalloc
            names = {frames[0][0] for domain, size, frames, total in _tracemalloc._get_traces()}
            print("<frozen importlib._bootstrap>" in names,
                  "<frozen importlib._bootstrap_external>" in names, "<unknown>" in names)
            """
        process = run(sys.executable, "-X", "tracemalloc", "-c", code)
        self.assertEqual(process.stdout, "True True True\n", process.stderr)

    def test_S88_tracing_costs_no_trace_when_it_starts_later(self):
        code = """if True:
            import tracemalloc
            tracemalloc.start()
            names = {trace.traceback[0].filename for trace in tracemalloc.take_snapshot().traces}
            print("<frozen importlib._bootstrap>" in names)
            """
        process = run(sys.executable, "-c", code)
        self.assertEqual(process.stdout, "False\n", process.stderr)

    # Functions are bound as defaults, since modules may be empty when
    # finalizers run; os.write because sys.stdout may be gone, too.
    FINALIZERS = """if True:
        import _tracemalloc, atexit, os, sys

        class Late:
            def __init__(self, name):
                self.name = name
            def __del__(self, tracing=_tracemalloc.is_tracing, traces=_tracemalloc._get_traces,
                        memory=_tracemalloc.get_traced_memory, write=os.write,
                        origin=_tracemalloc._get_object_traceback, size=2000):
                kept = self.name * size
                write(1, b"%s %d %d %d %d\\n" % (
                    self.name, tracing(), memory()[0] > size,
                    origin(kept) is not None, traces().__len__() > 9))

        late = Late(b"module")
        cycle = Late(b"cycle")
        cycle.itself = cycle
        del cycle
        sys.late = Late(b"sys")
        atexit.register(Late, b"atexit")
        """

    def test_S89_finalizers_may_use_the_tracer_at_exit(self):
        process = run(sys.executable, "-X", "tracemalloc=5", "-c",
                      self.FINALIZERS)
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        self.assertEqual(sorted(process.stdout.splitlines()), [
            f"{name} 1 1 1 1"
            for name in ("atexit", "cycle", "module", "sys")])
        if STOCK_PYTHON:
            stock = run(STOCK_PYTHON, "-X", "tracemalloc=5", "-c",
                        self.FINALIZERS)
            self.assertEqual(process.stdout, stock.stdout)

    def test_S89_tracing_may_stop_in_the_very_last_finalizers(self):
        code = """if True:
            import os, tracemalloc
            from test.support import late_deletion
            class Last:
                def __del__(self, stop=tracemalloc.stop, write=os.write, size=1000):
                    kept = [b"%d" % size, [size], {size: size}]
                    stop()
                    write(1, b"stopped\\n")
            tracemalloc.start(5)
            late_deletion(Last())
            """
        process = run(sys.executable, "-c", code)
        self.assertEqual((process.returncode, process.stdout),
                         (0, "stopped\n"), process.stderr)

    def test_S89_exit_while_daemon_threads_allocate(self):
        code = """if True:
            import threading
            ready = threading.Barrier(4)
            def work():
                ready.wait()
                while True:
                    [bytes(600), {}, [1]]
            for _ in range(3):
                threading.Thread(target=work, daemon=True).start()
            ready.wait()
            print("end")
            """
        process = run(sys.executable, "-X", "tracemalloc=10", "-c", code)
        self.assertEqual((process.returncode, process.stdout), (0, "end\n"),
                         process.stderr)


class MessageTests(unittest.TestCase):
    """Texts that name the place of an allocation."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.script = os.path.join(folder.name, "script.py")

    def write(self, text):
        with open(self.script, "w", encoding="utf-8") as stream:
            stream.write(textwrap.dedent(text).lstrip())

    def both(self, *arguments, **variables):
        """Run the script; return its error text, which stock has to share."""
        ours = run(sys.executable, *arguments, self.script,
                   variables=variables)
        if STOCK_PYTHON:
            stock = run(STOCK_PYTHON, *arguments, self.script,
                        variables=variables)
            self.assertEqual(neutral(self.essence(ours.stderr)),
                             neutral(self.essence(stock.stderr)))
            self.assertEqual(ours.returncode, stock.returncode)
        return ours.stderr

    @staticmethod
    def essence(text):
        # The list of extension modules at the end of a crash report depends
        # on what is built in.
        return text.partition("\nExtension modules:")[0]

    OVERFLOW = """
        import _testcapi

        def inner():
            _testcapi.pymem_buffer_overflow()

        def outer():
            inner()

        outer()
        """

    def test_S94_debug_hooks_name_the_place_of_the_allocation(self):
        import_helper.import_module("_testcapi")
        self.write(self.OVERFLOW)
        for malloc in allocators("debug", "malloc_debug", "pymalloc_debug",
                                 "mimalloc_debug"):
            with self.subTest(malloc=malloc):
                text = self.both("-X", "tracemalloc=2", PYTHONMALLOC=malloc)
                self.assertIn(
                    "Memory block allocated at (most recent call first):\n"
                    f'  File "{self.script}", line 4\n'
                    f'  File "{self.script}", line 7\n'
                    "\n"
                    "Fatal Python error: ", text)
                self.assertNotIn("Enable tracemalloc", text)

    def test_S94_debug_hooks_give_the_hint_when_tracing_is_off(self):
        import_helper.import_module("_testcapi")
        self.write(self.OVERFLOW)
        text = self.both(PYTHONMALLOC="debug")
        self.assertIn("Enable tracemalloc to get the memory block allocation "
                      "traceback\n\n"
                      "Fatal Python error: ", text)

    def test_S94_debug_hooks_work_when_tracing_starts_later(self):
        import_helper.import_module("_testcapi")
        self.write("import tracemalloc\ntracemalloc.start(9)\n"
                   + textwrap.dedent(self.OVERFLOW))
        text = self.both("-X", "dev")
        self.assertIn("Memory block allocated at (most recent call first):\n"
                      f'  File "{self.script}", line 7\n', text)

    def test_S94_misuse_of_another_api_is_still_found(self):
        import_helper.import_module("_testcapi")
        self.write("import _testcapi\n_testcapi.pymem_api_misuse()\n")
        text = self.both("-X", "tracemalloc", PYTHONMALLOC="debug")
        self.assertIn(
            "bad ID: Allocated using API 'm', verified using API 'r'", text)
        self.assertIn(f'  File "{self.script}", line 2\n', text)

    UNCLOSED = """
        def function():
            stream = open(__file__, "rb")
            stream = None

        function()
        """

    def test_S95_resource_warning_shows_where_the_object_was_made(self):
        self.write(self.UNCLOSED)
        text = self.both("-W", "default", "-X", "tracemalloc=2")
        self.assertIn("Object allocated at (most recent call last):\n"
                      f'  File "{self.script}", lineno 5\n'
                      "    function()\n"
                      f'  File "{self.script}", lineno 2\n'
                      '    stream = open(__file__, "rb")\n', text)

    def test_S95_resource_warning_gives_the_hint_when_tracing_is_off(self):
        self.write(self.UNCLOSED)
        text = self.both("-W", "default")
        self.assertIn("ResourceWarning: Enable tracemalloc to get the object "
                      "allocation traceback\n", text)
        self.assertNotIn("Object allocated at", text)


if __name__ == "__main__":
    unittest.main()
