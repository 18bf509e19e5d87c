"""A task that writes snapshots into files."""

from ._snapshot import Snapshot
from ._task import Task


class TakeSnapshotTask(Task):
    """Takes snapshots and writes them into files.

    filename_template -- name of the files; in it, $pid stands for the number
                         of the process, $timestamp for date and time
                         (2013-05-21-09:34:39), and $counter for 0001, 0002...
    traces, metrics   -- as for Snapshot.create()
    callback          -- called with each snapshot before it is written, to
                         add metrics; or None
    """

    def __init__(self, filename_template="tracemalloc-$counter.pickle",
                 traces=False, metrics=True, callback=None):
        super().__init__(self.take_snapshot)
        self.filename_template = filename_template
        self.traces = traces
        self.metrics = metrics
        self.callback = callback
        self._counter = 0

    def take_snapshot(self):
        """Take a snapshot, write it, and return (snapshot, file name)."""
        snapshot = Snapshot.create(self.traces, self.metrics)
        if self.callback is not None:
            self.callback(snapshot)
        self._counter += 1
        filename = self.filename_template
        for variable, text in (
                ("$pid", str(snapshot.pid)),
                ("$timestamp", f"{snapshot.timestamp:%Y-%m-%d-%H:%M:%S}"),
                ("$counter", f"{self._counter:04}")):
            filename = filename.replace(variable, text)
        snapshot.write(filename)
        return snapshot, filename
