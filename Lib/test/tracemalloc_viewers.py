"""Ask a viewer what its page asks, without sockets."""
import json
import os
import unittest
from email.message import Message
from test.support import os_helper
from test.tracemalloc_commands import snapshot_of
from test.tracemalloc_pages import PageData

from tracemalloc._report import Limits
from tracemalloc._viewer import entries, listing, requests, shown

TOKEN = "token-of-the-tests"
HOST = "127.0.0.1:4042"


class Asking(unittest.TestCase):
    """Base: a folder that is viewed, asked without sockets."""

    limits = Limits()

    def setUp(self):
        self.folder = os.path.realpath(self.enterContext(
            os_helper.temp_dir()))
        self.time = 1_000_000_000

    def path(self, name):
        return os.path.join(self.folder, name)

    def dump(self, name, *traces, snapshot=None):
        """Write a snapshot that is newer than those before; return the path.
        """
        path = self.path(name)
        (snapshot or snapshot_of(*traces or [(100, 1, 5, 6)])).dump(path)
        self.time += 1
        os.utime(path, (self.time, self.time))
        return path

    def view(self, *places, **options):
        self.listing = listing.Listing(entries.Entries(places))
        # Finds out what snapshots hold when it is told to.
        self.requests = requests.Requests(self.listing, shown.Shown(
            self.listing, limits=self.limits, **options), TOKEN)

    def find_out(self):
        """Have the thread do all of its work."""
        self.ask("list")
        while self.listing._wanted:
            self.listing._find_next()

    def answer(self, target, method="GET", **fields):
        headers = Message()
        for name, text in ({"Host": HOST} | {
                name.replace("_", "-"): text
                for name, text in fields.items()}).items():
            if text is not None:
                headers[name] = text
        return self.requests.answer(method, target, headers)

    def ask(self, target):
        found = self.answer(f"/{TOKEN}/{target}")
        self.assertEqual(found.status, 200, found.body)
        return json.loads(found.body)

    def refused(self, status, target, **options):
        found = self.answer(target, **options)
        self.assertEqual(found.status, status, found.body)
        self.assertTrue(found.headers["Content-Type"].startswith("text/pl"))
        text, end = found.body.decode().split("\n")
        self.assertEqual(end, "")
        return text

    def entries(self):
        return {each["name"]: each for each in self.ask("list")["entries"]}

    def data(self, *names, together=0):
        known = self.entries()
        numbers = ".".join(known[name]["number"] for name in names)
        return self.ask(f"data?files={numbers}&together={together}")

    def totals(self, *names, **options):
        data = PageData(self.data(*names, **options))
        return [data.total("size", number)
                for number in range(len(data.rows_of))]
