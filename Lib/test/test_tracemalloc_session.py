"""The session with a server that leaks, and its page: Tools/fleet/session.py.
"""

import os
import shutil
import subprocess
import sys
import unittest
from test.support import LONG_TIMEOUT, import_helper, os_helper

SOURCE = os.environ.get("TRACEMALLOC_SOURCE")


@unittest.skipUnless(SOURCE, "TRACEMALLOC_SOURCE names no folder")
class SessionTests(unittest.TestCase):

    @unittest.skipUnless(shutil.which("curl"), "needs curl")
    def test_the_page_shows_what_is_printed(self):
        with os_helper.temp_dir() as folder:
            answer = subprocess.run(
                [sys.executable, "-B", self.script, "--check",
                 "--without-pprof", "--folder", folder], text=True,
                stdin=subprocess.DEVNULL, capture_output=True,
                timeout=LONG_TIMEOUT)
        self.assertEqual((answer.returncode, answer.stderr), (0, ""),
                         answer.stdout + "\nmake demo-leave-on "
                         "SESSIONOPTS=--write")
        self.assertIn("=== post mortem", answer.stdout)
        self.assertEqual(self.session.SERVER, "shop_server.py")

    def setUp(self):
        self.script = os.path.join(SOURCE, "Tools", "fleet", "session.py")
        with import_helper.DirsOnSysPath(os.path.dirname(self.script),
                                         *sys.path):
            self.session = import_helper.import_fresh_module("session")

    def page(self):
        with open(self.session.PAGE, encoding="utf-8") as stream:
            return stream.read()

    def test_steps_that_were_skipped_stay(self):
        page = self.page()
        new = self.session.page_with(page, {"kill": ["$ kill -9 1", "", "x"]})
        self.assertIn("\n    $ kill -9 1\n\n    x\n\n", new)
        self.assertEqual(len(new.splitlines()), len(page.splitlines()) + 2)
        found = {each[1]: each[2] for each in self.session.MARK.finditer(page)}
        again = self.session.page_with(new, {
            "kill": [found["kill"].strip()]})
        self.assertEqual(again, page)

    def test_what_is_different(self):
        def differences(*lines):
            return self.session.differences(self.page(), {"kill": lines})

        self.assertEqual(differences("$ kill -9 123"), [])
        self.assertIn("+$ kill # #  now",
                      " ".join(differences("$ kill -9 123  now")))
        self.assertEqual(
            self.session.differences(self.page(), {"a step": ["x"]})[0],
            "a step: not on the page")
        self.assertEqual(self.session.differences(
            self.page(), {"the terminal": ["something else"]}), [])
        self.assertEqual(self.session.differences(
            "", {"watch": []})[0], "watch: not on the page")


if __name__ == "__main__":
    unittest.main()
