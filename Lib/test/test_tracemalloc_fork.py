"""What the interpreter says of itself, and the security fixes in its base.

TRACEMALLOC_SOURCE names the folder that has CHANGES.rst and Tools in it.
"""
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import tracemalloc
import unittest
from test import support
from test.support.script_helper import assert_python_ok
from tracemalloc._version import SECURITY_FIXES

SOURCE = os.environ.get("TRACEMALLOC_SOURCE")
STOCK_PYTHON = os.environ.get("TRACEMALLOC_STOCK_PYTHON")
needs_source = unittest.skipUnless(
    SOURCE, "TRACEMALLOC_SOURCE does not name the source folder")
needs_stock = unittest.skipUnless(
    STOCK_PYTHON,
    "TRACEMALLOC_STOCK_PYTHON does not name an interpreter to compare with")
needs_fixes = unittest.skipUnless(
    SECURITY_FIXES, "built with --without-security-fixes")


def ask(python, code):
    """Return what an interpreter prints that runs *code*."""
    process = subprocess.run(
        [python, "-I", "-B", "-c", textwrap.dedent(code)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=support.LONG_TIMEOUT)
    if process.returncode:
        raise AssertionError(process.stderr)
    return process.stdout


def run(*arguments):
    """Return what the fork prints."""
    return assert_python_ok(*arguments)[1].decode()


def expected_build():
    fixes = (f"with {len(SECURITY_FIXES)} security fixes" if SECURITY_FIXES
             else "without security fixes")
    return f"tracemalloc-fork {tracemalloc.__version__} {fixes}"


class VersionTests(unittest.TestCase):

    @needs_source
    def test_it_is_the_newest_heading_of_the_changes(self):
        with open(os.path.join(SOURCE, "CHANGES.rst"), encoding="utf-8") as f:
            title, newest, *_ = re.findall(r"^(.+)\n===+$", f.read(), re.M)
        self.assertEqual(title, "Changes")
        self.assertEqual(newest.replace(" (unreleased)", ".dev0"),
                         tracemalloc.__version__)
        self.assertRegex(tracemalloc.__version__, r"\A\d+(\.\d+)+(\.dev0)?\Z")

    def test_it_is_in_the_build_part_of_sys_version(self):
        build = expected_build()
        self.assertRegex(
            sys.version,
            r"\A3\.13\.5\+?( experimental free-threading build)? "
            rf"\({re.escape(build)}, "
            r"[A-Z][a-z][a-z] [ \d]\d \d{4}, \d\d:\d\d:\d\d\) \[.+\]\Z")
        self.assertEqual(sys._git, ("CPython", build, ""))
        self.assertEqual(run("-VV"), f"Python {sys.version}\n")
        self.assertEqual(run("-V"), f"Python {platform.python_version()}\n")

    def test_it_is_known_to_sysconfig(self):
        self.assertEqual(
            sysconfig.get_config_var("TRACEMALLOC_FORK_VERSION"),
            tracemalloc.__version__)
        self.assertEqual(
            sysconfig.get_config_var("TRACEMALLOC_SECURITY_FIXES").split(),
            list(SECURITY_FIXES))

    @needs_stock
    def test_the_version_number_stays_that_of_the_base(self):
        code = """
            import platform, sys, sysconfig
            print(sys.version.split()[0], sys.version_info, sys.hexversion,
                  sys.implementation.version, sys.implementation.cache_tag,
                  platform.python_version(), platform.python_version_tuple(),
                  platform.python_implementation(), sys.api_version,
                  platform.python_compiler(), sysconfig.get_python_version(),
                  sysconfig.get_config_var("py_version"))
        """
        self.assertEqual(ask(sys.executable, code), ask(STOCK_PYTHON, code))

    def test_what_parses_sys_version_still_can(self):
        build, date = platform.python_build()
        self.assertEqual(build, expected_build())
        self.assertRegex(date, r"\A[A-Z][a-z][a-z] [ \d]\d \d{4} "
                               r"\d\d:\d\d:\d\d\Z")
        self.assertTrue(sys.version.endswith(
            f"[{platform.python_compiler()}]"))
        self.assertEqual(platform.python_branch(), build)
        # Without sys._git, platform takes all of it from the text.
        parsed = ask(sys.executable, """
            import sys, platform
            del sys._git
            print(platform.python_version(), *platform.python_build())
        """)
        self.assertEqual(parsed,
                         f"{platform.python_version()} {build} {date}\n")

    def test_packaging_tools_still_can(self):
        folder = os.path.join(os.path.dirname(os.__file__),
                              "ensurepip", "_bundled")
        wheels = [name for name in os.listdir(folder)
                  if name.startswith("pip-")]
        self.assertEqual(len(wheels), 1)
        script = """
            import sys
            sys.path.insert(0, {!r})
            from pip._vendor.packaging import markers, tags
            found = markers.default_environment()
            print(found["python_full_version"], found["python_version"])
            print(markers.Marker("python_full_version == '3.13.5'").evaluate())
            print(next(tags.cpython_tags()).interpreter)
        """.format(os.path.join(folder, wheels[0]))
        self.assertEqual(ask(sys.executable, script),
                         "3.13.5 3.13\nTrue\ncp313\n")

    def test_snapshots_and_stats_tell_it(self):
        code = """
            import sys, tracemalloc
            tracemalloc.start()
            snapshot = tracemalloc.take_snapshot()
            assert snapshot.metadata["fork"] == tracemalloc.__version__
            assert snapshot.metadata["python"] == sys.version
            snapshot.dump(sys.argv[1])
        """
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "one.tmz")
            run("-c", textwrap.dedent(code), path)
            shown = run("-m", "tracemalloc", "stats", path)
        self.assertRegex(shown, rf"(?m)^  version of the fork +"
                                rf"{re.escape(tracemalloc.__version__)}$")

    def test_the_command_line_tells_it_with_the_fixes(self):
        for option in "--version", "-V":
            first, second, *rest = run(
                "-m", "tracemalloc", option).splitlines()
            self.assertEqual(first, f"tracemalloc-fork "
                                    f"{tracemalloc.__version__} on CPython "
                                    f"{platform.python_version()}")
            self.assertEqual(" ".join(rest).split(), list(SECURITY_FIXES))
            if SECURITY_FIXES:
                self.assertEqual(second, f"with {len(SECURITY_FIXES)} "
                                         "security fixes over it:")
            else:
                self.assertIn("without security fixes", second)
            self.assertLess(max(map(len, rest), default=0), 80)
        self.assertIn("--version", run("-m", "tracemalloc", "--help"))

    @needs_stock
    def test_the_base_has_nothing_of_it(self):
        code = """
            import sys, sysconfig, tracemalloc
            print(hasattr(tracemalloc, "__version__"), sys._git[1:],
                  sysconfig.get_config_var("TRACEMALLOC_FORK_VERSION"),
                  "fork" in sys.version)
        """
        self.assertEqual(ask(STOCK_PYTHON, code),
                         "False ('', '') None False\n")


# Each prints "fixed" or "vulnerable"; nothing waits or goes on for ever.
ENDLESS_ARCHIVE = """
    import io, tarfile

    class Counting(io.BytesIO):
        reads = 0
        def read(self, *size):
            self.reads += 1
            if self.reads > 1000:
                raise KeyboardInterrupt
            return super().read(*size)

    header = tarfile.TarInfo("member").tobuf(tarfile.GNU_FORMAT)
    # A size of -512 leads from behind the header to before it.
    size = bytes([0xFF]) + (-512).to_bytes(11, "big", signed=True)
    header = header[:124] + size + header[136:148] + b" " * 8 + header[156:]
    header = header[:148] + b"%06o\\0 " % sum(header) + header[156:]
    stream = Counting(bytes(512) + header)
    stream.seek(512)
    try:
        tarfile.open(fileobj=stream).getmembers()
        print("fixed")
    except KeyboardInterrupt:
        print("vulnerable")
"""

# A header of the attacker's own.
COOKIE = r"""
    import http.cookies

    cookie = http.cookies.Morsel()
    try:
        cookie.set("name", "value", "value\r\nSet-Cookie: other=1")
        print("vulnerable" if "\n" in cookie.output() else "fixed")
    except http.cookies.CookieError:
        print("fixed")
"""

# A URL that is an option for the browser.
BROWSER = """
    import webbrowser

    class Browser(webbrowser.GenericBrowser):
        args = ["%s"]
        def __init__(self):
            self.name = "true"
            self.basename = "true"

    try:
        Browser().open("--remote-code=yes")
        print("vulnerable")
    except ValueError:
        print("fixed")
"""


class SecurityFixTests(unittest.TestCase):

    @needs_source
    @needs_fixes
    def test_they_are_those_of_the_table(self):
        path = os.path.join(SOURCE, "Tools", "base", "fixes")
        with open(path, encoding="utf-8") as stream:
            names = [line.split()[3] for line in stream
                     if line.startswith("fix ")]
        self.assertEqual(list(dict.fromkeys(names)), list(SECURITY_FIXES))
        self.assertIn("CVE-2025-8194", names)

    def check(self, name, code):
        expected = "fixed" if name in SECURITY_FIXES else "vulnerable"
        self.assertEqual(ask(sys.executable, code), expected + "\n")
        if STOCK_PYTHON:
            self.assertEqual(ask(STOCK_PYTHON, code), "vulnerable\n")

    def test_an_archive_does_not_lead_backwards(self):
        self.check("CVE-2025-8194", ENDLESS_ARCHIVE)

    def test_a_cookie_does_not_become_two(self):
        self.check("CVE-2026-0672", COOKIE)

    def test_a_url_is_no_option(self):
        self.check("CVE-2026-4519", BROWSER)


if __name__ == "__main__":
    unittest.main()
