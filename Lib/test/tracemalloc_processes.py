"""What the tests of the agent share: processes that are made up."""
import tracemalloc
from test.tracemalloc_commands import full_snapshot
from tracemalloc._agent import sources


class FakeProcess:
    """As sources.Process.

    A context is (line, function, (blocks, bytes) held, allocated), and may
    have the name of an account as a fifth item.
    """

    def __init__(self, pid, *contexts, state="running", program="app.py",
                 name=None, started=1000.0, written=2000.0, interval=None):
        self.path = name or f"/records/{program}.{pid}.tmrec"
        self.name = self.path.rpartition("/")[2]
        self.pid, self.state, self.program = pid, state, program
        self.started, self.written = started, written
        self.parent, self.family, self.rss = 1, "f", 5_000_000
        self.dropped, self.lost, self.sample_interval = 2, 3, interval
        self.contexts = contexts
        self.accounts = any(context[4:] for context in contexts)
        self.fault = None

    current = property(lambda self: sum(each[2][1] for each in self.contexts))
    blocks = property(lambda self: sum(each[2][0] for each in self.contexts))
    peak = property(lambda self: self.current + 7)
    ended = sources.Process.ended

    def load(self):
        if self.fault is not None:
            raise self.fault
        return self, full_snapshot(
            *((line, function, held, allocated, held, *account)
              for line, function, held, allocated, *account
              in self.contexts),
            metadata={"pid": self.pid})


class FakeSource:
    """As sources.Source."""

    what = "/records"

    def __init__(self, *processes, is_folder=True):
        self.processes = list(processes)
        self.faults = []
        self.more = 0
        self.is_folder = is_folder

    def look(self):
        return list(self.processes), list(self.faults), self.more


def damaged():
    return tracemalloc.SnapshotFormatError("'x.tmrec' is a damaged record")
