"""Figures of processes in the text format of Prometheus (version 0.0.4)."""

from tracemalloc._agent.sources import ENDED

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Name, kind, what it is, and how it is told of a process; None leaves a
# process out.
_OF_PROCESS = (
    ("traced_bytes", "gauge", "Memory that is traced now.",
     lambda process: process.current),
    ("traced_blocks", "gauge", "Blocks that are traced now.",
     lambda process: process.blocks),
    ("traced_peak_bytes", "gauge", "Most memory that was traced at once.",
     lambda process: process.peak),
    ("resident_bytes", "gauge", "Resident memory of the process.",
     lambda process: process.rss),
    ("dropped_traces_total", "counter",
     "Blocks that there was no memory to trace.",
     lambda process: process.dropped),
    ("record_lost_contexts_total", "counter",
     "Contexts that had no room in the record.",
     lambda process: process.lost),
    ("record_written_timestamp_seconds", "gauge",
     "When these figures were written.",
     lambda process: process.written or None),
    ("start_timestamp_seconds", "gauge", "When the record began.",
     lambda process: process.started or None),
    ("sample_interval_bytes", "gauge",
     "Bytes per sample if figures are estimates, 0 if they are exact.",
     lambda process: process.sample_interval or 0),
)
# Accounts of a process that have series of their own, those that hold most;
# the others are one.  And processes of which accounts are told, those that
# hold most: their records are read as a whole for it.
MOST_ACCOUNTS, MOST_PROCESSES = 50, 20
OTHER_ACCOUNTS = "<other accounts>"

_STATES = "running", "stopped", "snapshot", *ENDED


def _escaped(text):
    text = text.encode("utf-8", "backslashreplace").decode()
    return (text.replace("\\", r"\\").replace('"', r"\"")
            .replace("\n", r"\n"))


def _number(value):
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def told_by_account(processes, ended=False):
    """Return the processes whose accounts are told: text_of() does so."""
    found = [each for each in processes
             if each.accounts and (ended or not each.ended)]
    found.sort(key=lambda each: (-each.current, each.path))
    return found[:MOST_PROCESSES]


def accounts_of(process):
    """Return [(account, bytes, blocks)] of a process, the most bytes first.

    Raises OSError and SnapshotFormatError.
    """
    _, snapshot = process.load()
    found = [(stat.traceback[0].filename, stat.size, stat.count)
             for stat in snapshot.statistics("account")]
    rest = found[MOST_ACCOUNTS:]
    if rest:
        found[MOST_ACCOUNTS:] = [(OTHER_ACCOUNTS, *map(sum, zip(*(
            figures for _, *figures in rest))))]
    return found


def text_of(processes, faults, ended=False, accounts={}):
    """Return the metrics of processes.

    Those that have ended are counted, and have figures only if *ended*, so
    that series end with their process.  *accounts* are what accounts_of()
    returns, by the path of the process.
    """
    lines = []

    def head(name, kind, what):
        lines.append(f"# HELP {name} {what}\n# TYPE {name} {kind}\n")

    shown = [(f'{{record="{_escaped(each.name)}",pid="{each.pid}",'
              f'program="{_escaped(each.program)}"}}', each)
             for each in sorted(processes, key=lambda each: each.path)
             if ended or not each.ended]
    for name, kind, what, value_of in _OF_PROCESS:
        name = f"tracemalloc_{name}"
        head(name, kind, what)
        for labels, process in shown:
            value = value_of(process)
            if value is not None:
                lines.append(f"{name}{labels} {_number(value)}\n")
    for name, what, place in (
            ("tracemalloc_account_bytes",
             "Memory that was allocated in an account and is traced now.", 1),
            ("tracemalloc_account_blocks",
             "Blocks that were allocated in an account and are traced now.",
             2)):
        head(name, "gauge", what)
        for labels, process in shown:
            for row in accounts.get(process.path, ()):
                lines.append(f'{name}{labels[:-1]},account="'
                             f'{_escaped(row[0])}"}} {row[place]}\n')
    name = "tracemalloc_processes"
    head(name, "gauge", "Processes with a record, by state.")
    for state in _STATES:
        count = sum(each.state == state for each in processes)
        lines.append(f'{name}{{state="{state}"}} {count}\n')
    name = "tracemalloc_unreadable_records"
    head(name, "gauge", "Records that cannot be read.")
    lines.append(f"{name} {len(faults)}\n")
    return "".join(lines)
