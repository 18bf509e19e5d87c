"""What the viewer shows, without a window: files, the choice of them, rows.

A Session holds files in the order of their time.  One or two of them are
checked: one shows what it holds, two what changed from the older to the newer.
"""
import collections
import linecache
import os
import time
import tracemalloc

# What the user reads: key type of tracemalloc.
GROUPS = {"line": "lineno", "traceback": "traceback", "file": "filename"}
CUMULATIVE = "line", "file"             # groups that can be cumulative

# frames: [(file name, line)], the newest last; values: one number or None for
# each column behind the first.
Row = collections.namedtuple("Row", "text frames values")

SIZE, SIGNED_SIZE, COUNT, SIGNED_COUNT, PERCENT = range(5)

ONE = (("Size", SIZE), ("Share", PERCENT), ("Blocks", COUNT),
       ("Average", SIZE))
TWO = (("Size", SIZE), ("Change", SIGNED_SIZE), ("Blocks", COUNT),
       ("Change of blocks", SIGNED_COUNT), ("Average", SIZE))


def size_text(size, signed=False):
    """Bytes for a person: 12 B, 3.4 KiB, 120 MiB; with a sign if *signed*."""
    plus = "+" if signed else ""
    amount = float(size)
    for unit in "B", "KiB", "MiB", "GiB", "TiB":
        if abs(amount) < 1024 or unit == "TiB":
            break
        amount /= 1024
    digits = 1 if unit != "B" and abs(amount) < 100 else 0
    return f"{amount:{plus},.{digits}f} {unit}"


def value_text(value, kind):
    """The text of a value in a column of a kind; empty if there is none."""
    if value is None:
        return ""
    if kind in (SIZE, SIGNED_SIZE):
        return size_text(value, kind == SIGNED_SIZE)
    if kind == PERCENT:
        return f"{value:.1f} %"
    return f"{value:+,}" if kind == SIGNED_COUNT else f"{value:,}"


class File:
    """A snapshot file; it is read when it is first looked at."""

    def __init__(self, path):
        self.path = path
        self.time = os.stat(path).st_mtime
        self._snapshot = None

    @property
    def label(self):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.time))
        return f"{os.path.basename(self.path)}  {when}"

    def snapshot(self):
        """Load it; OSError or ValueError if that cannot be."""
        if self._snapshot is None:
            self._snapshot = tracemalloc.Snapshot.load(self.path)
        return self._snapshot


class Session:
    """The files of a window, which are checked, and how they are grouped."""

    def __init__(self, paths):
        self.files = sorted(map(File, paths),
                            key=lambda file: (file.time, file.path))
        if not self.files:
            raise ValueError("there is no file to show")
        self.group = "line"
        self.cumulative = False
        last = len(self.files) - 1
        # The latest choice is at the end.
        self._checked = [0, last] if last else [0]

    @property
    def checked(self):
        """Numbers of the checked files, in the order of their time."""
        return sorted(self._checked)

    def check(self, number, on=True):
        """Check a file, or not.  Of three the one that was chosen first
        yields; the last one that is left stays."""
        if on:
            if number not in self._checked:
                self._checked = [*self._checked, number][-2:]
        elif number in self._checked and len(self._checked) == 2:
            self._checked.remove(number)

    @property
    def comparing(self):
        return len(self._checked) == 2

    @property
    def columns(self):
        """(title, kind of value) for each column behind the first."""
        return TWO if self.comparing else ONE

    def title(self):
        names = [os.path.basename(self.files[number].path)
                 for number in self.checked]
        return " \N{RIGHTWARDS ARROW} ".join(names)

    def rows(self):
        """The Rows, the most important first."""
        snapshots = [self.files[number].snapshot() for number in self.checked]
        key = GROUPS[self.group]
        cumulative = self.cumulative and self.group in CUMULATIVE
        newest = snapshots[-1]
        if not self.comparing:
            statistics = newest.statistics(key, cumulative)
            total = sum(trace.size for trace in newest.statistics("filename"))
            return [self._row(each, each.size,
                              100 * each.size / total if total else 0.0,
                              each.count)
                    for each in statistics]
        return [self._row(each, each.size, each.size_diff, each.count,
                          each.count_diff)
                for each in newest.compare_to(snapshots[0], key, cumulative)]

    def _row(self, statistic, *values):
        frames = [(frame.filename, frame.lineno)
                  for frame in statistic.traceback]
        filename, line = frames[-1]
        text = filename if self.group == "file" else f"{filename}:{line}"
        if self.group == "traceback" and len(frames) > 1:
            text += f"  (+{len(frames) - 1})"
        average = (statistic.size // statistic.count if statistic.count
                   else None)
        return Row(text, frames, (*values, average))

    def summary(self):
        """One line: what is in the checked files altogether."""
        sums = []
        for number in self.checked:
            groups = self.files[number].snapshot().statistics("filename")
            sums.append((sum(each.size for each in groups),
                         sum(each.count for each in groups)))
        size, count = sums[-1]
        if not self.comparing:
            return f"{size_text(size)} in {count:,} blocks"
        return (f"{size_text(size)} ({size_text(size - sums[0][0], True)})"
                f" in {count:,} ({count - sums[0][1]:+,}) blocks")


def frame_lines(row):
    """The traceback of a row, the newest call first,
    with the source if it is here.
    """
    lines = []
    for filename, line in reversed(row.frames):
        lines.append(f"{filename}:{line}" if line else filename)
        source = linecache.getline(filename, line).strip() if line else ""
        if source:
            lines.append(f"    {source}")
    return lines
