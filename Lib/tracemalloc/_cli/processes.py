"""--processes: what each of several processes has, and all together.

The processes of records come one by one, whether they are named by files, a
folder, numbers, or as children; every snapshot file is one process.
"""

from tracemalloc._cli import UsageError, records, rows
from tracemalloc._cli.files import (
    chosen, is_of_records, load_with_records, part_of_accounts)
from tracemalloc._cli.programs import program_of
from tracemalloc._cli.screen import printable
from tracemalloc._record.family import Merged
from tracemalloc._snapshot import Snapshot
from tracemalloc._stacks import data_of

_SUMS = "traced_memory", "traced_memory_peak", "tracer_memory", "dropped"


class Process:
    """One process: name is the file, if it is none of a record."""

    def __init__(self, name, snapshot, picture=None):
        self.name, self.snapshot, self.picture = name, snapshot, picture
        pid = snapshot.metadata.get("pid")
        self.pid = pid if type(pid) is int and pid > 0 else None

    @property
    def text(self):
        program = program_of(self.snapshot.metadata) or ""
        if program.startswith("-c "):
            # Code can be long.
            program = "-c"
        what = self.name
        if self.picture is not None:
            state = self.picture.state
            what = "was running" if state == "running" else state
        return printable(f"{program}, {what}" if program else what)

    def to_json(self):
        return {"pid": self.pid,
                "program": program_of(self.snapshot.metadata),
                "file": str(self.name), "state": self.picture and
                self.picture.state}


def processes_of(options):
    """Return [Process] of all that options name."""
    found = []
    for name in options.files:
        if is_of_records(name, options):
            found += [Process(picture.path, records.snapshot_of(
                name, [picture]), picture) for picture in
                records.pictures(name, options.children)]
            continue
        # What options let through is looked at when all are together.
        snapshot, pictures = load_with_records(name, options, choose=False)
        found.append(Process(name, snapshot, *pictures))
    _check(found)
    return found


def _check(processes):
    intervals = {each.snapshot.metadata.get("sample_interval")
                 for each in processes}
    if len(intervals) > 1:
        raise UsageError("these have samples at different intervals, or none: "
                         "they cannot be added up")
    for each in processes:
        if data_of(each.snapshot)[0].row_context is None:
            raise UsageError(f"{each.name}: is of the peak alone, and tells "
                             "no blocks that could be added up")


def sum_of(processes, options):
    """Return what options let through of one Snapshot of all processes."""
    merged, known = Merged(), [each.snapshot for each in processes]
    for snapshot in known:
        merged.add(data_of(snapshot)[0])
    data = merged.data()
    metadata = {name: value for name, value in known[0].metadata.items()
                if name in ("path", "python", "limit", "sample_interval",
                            "sizes")}
    for name in _SUMS:
        values = [each.metadata.get(name) for each in known]
        if all(type(value) is int for value in values):
            metadata[name] = sum(values)
    metadata["processes"] = [each.pid for each in processes]
    metadata |= _moment(processes)
    limit = max(each.traceback_limit for each in known)
    snapshot = Snapshot._of(data, limit, metadata)
    return chosen(options.file, snapshot, options)


def _moment(processes):
    """Return metadata that tell how fresh the figures of records are."""
    pictures = [each.picture for each in processes]
    if None in pictures:
        return {}
    times = [picture.written / 1e9 for picture in pictures]
    return {"time": max(times), "record": {
        "states": [picture.state for picture in pictures],
        "oldest": min(times)}}


class Table:
    """What each process has, in the order of a figure."""

    def __init__(self, processes, options):
        self._sort = options.sort
        self._names = rows.figures_of(options.sort)
        found = [(each, rows.total(_let_through(each.snapshot, options),
                                   options.sort)) for each in processes]
        at = 1 if rows.is_count(options.sort) else 0
        found.sort(key=lambda each: (-each[1][at], each[0].pid or 0,
                                     each[0].name))
        self._rows = found
        self._total = tuple(map(sum, zip(*(sums for _, sums in found))))

    def to_json(self):
        return [each.to_json() | dict(zip(self._names, sums))
                for each, sums in self._rows]

    def write(self, screen, limit):
        size_head, count_head = rows.FAMILIES[rows.family_of(self._sort)][2:]
        table = [self._row(str(each.pid or ""), sums, each.text, "location")
                 for each, sums in self._rows[:limit]]
        others = [sums for _, sums in self._rows[limit:]]
        if others:
            table.append(self._row("", tuple(map(sum, zip(*others))),
                                   f"{len(others):,} more", "head"))
        table.append(self._row("", self._total, "total", "head"))
        screen.table(["pid", size_head, "share", count_head, "process"],
                     table)
        screen.write()

    def _row(self, pid, sums, text, style):
        return ([pid, rows.bytes_text(sums[0]),
                 rows.share_of(sums, self._total, self._sort),
                 rows.blocks_text(sums[1]), text],
                [None, "size", None, None, style], [])


def _let_through(snapshot, options):
    """Return what filters let through; what matches nothing here may match
    elsewhere.
    """
    if options.accounts:
        snapshot = part_of_accounts(snapshot, options.accounts)
    if options.filters:
        snapshot = snapshot.filter_traces(options.filters)
    return snapshot
