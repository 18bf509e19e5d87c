"""The biggest allocations as text."""

import os
import sys

from _tracemalloc import get_traceback_limit

from ._snapshot import Snapshot
from ._task import Task

_BOLD, _CYAN, _YELLOW = "1", "36", "1;33"

_GROUP_TEXTS = {
    "address": "address",
    "filename": "filename",
    "line": "filename and line number",
}


def _printable(text):
    """Return *text* without characters that control terminals.

    File names and times come from files of others, too.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable()
                   else character.encode("unicode_escape").decode()
                   for character in text)


def _colored(text, color, code):
    return f"\x1b[{code}m{text}\x1b[0m" if color else text


def format_size(size, sign=False):
    """Return bytes as text: whole numbers, '512 B', '1536 KiB', '151 MiB'.

    The unit is the smallest that needs less than 5120 of it; what is left is
    cut off.
    """
    amount = abs(size)
    units = iter(("B", "KiB", "MiB", "GiB", "TiB"))
    unit = next(units)
    while amount >= 5 * 1024 and unit != "TiB":
        amount /= 1024
        unit = next(units)
    number = int(amount) if size >= 0 else -int(amount)
    return f"{number:+} {unit}" if sign else f"{number} {unit}"


def _format_metric(value, format, sign=False):
    if format == "size":
        return format_size(value, sign)
    if format == "percent":
        return f"{value * 100:{'+' if sign else ''}.1f}%"
    return f"{int(value):{'+' if sign else ''}}"


class DisplayTop:
    """Shows the biggest allocations, and what changed since the last time.

    size, count, average -- whether the size, the number and the average size
                            of blocks are shown (all True)
    metrics              -- whether metrics are shown (True)
    filename_parts       -- how many last parts of a file name are shown (3)
    color                -- True or False; None (the default) for colours on
                            terminals only
    compare_to_previous  -- True (the default) to compare to what was shown
                            last, False to what was shown first
    previous_top_stats   -- the GroupedStats that is compared to, or None
    """

    def __init__(self):
        self.size = True
        self.count = True
        self.average = True
        self.metrics = True
        self.filename_parts = 3
        self.color = None
        self.compare_to_previous = True
        self.previous_top_stats = None

    def display(self, count=10, group_by="line", cumulative=False, file=None,
                callback=None):
        """Take a snapshot, show its *count* biggest groups, and return it.

        *callback* is called with the snapshot first, to add metrics.  *file*
        is sys.stdout if None.
        """
        traces = group_by == "address" or (
            cumulative and get_traceback_limit() >= 2)
        snapshot = Snapshot.create(traces, self.metrics)
        if callback is not None:
            callback(snapshot)
        self.display_snapshot(snapshot, count, group_by, cumulative, file)
        return snapshot

    def display_snapshot(self, snapshot, count=10, group_by="line",
                         cumulative=False, file=None):
        """Show the *count* biggest groups of a Snapshot."""
        self.display_top_stats(snapshot.top_by(group_by, cumulative), count,
                               file)

    def display_top_stats(self, top_stats, count=10, file=None):
        """Show GroupedStats, compared to those shown before, if any.

        What was grouped otherwise cannot be compared.
        """
        previous = self.previous_top_stats
        if previous is not None and not top_stats._is_like(previous):
            # Nor later ones with the first, whatever is wanted.
            previous = self.previous_top_stats = None
        self.display_top_diff(top_stats.compare_to(previous), count, file)

    def display_top_diff(self, top_diff, count=10, file=None):
        """Show a StatsDiff, which gets sorted, and keep it for comparison."""
        if file is None:
            file = sys.stdout
        color = self.color
        if color is None:
            color = getattr(file, "isatty", bool)()
        text = "".join(f"{line}\n" for line in
                       self._lines(top_diff, count, color))
        file.write(text + "\n")
        if hasattr(file, "flush"):
            file.flush()
        if self.compare_to_previous or self.previous_top_stats is None:
            self.previous_top_stats = top_diff.new_stats

    def _lines(self, top_diff, count, color):
        stats, old = top_diff.new_stats, top_diff.old_stats
        top_diff.sort()
        rows = top_diff.differences
        shown, others = rows[:max(count, 0)], rows[max(count, 0):]
        yield self._header(stats, old, len(shown), color)
        has_old = old is not None
        with_count = self.count and stats.group_by != "address"
        for number, row in enumerate(shown, 1):
            key = self._format_key(stats.group_by, row[4], color)
            yield self._line(f"#{number}: {key}", row, has_old, with_count,
                             color)
        if others:
            yield self._line(_colored(f"{len(others)} more", color, _CYAN),
                             _sums(others), has_old, with_count, color)
        if not stats.cumulative:
            yield self._line("Traced Python memory", _sums(rows), has_old,
                             with_count, color)
        if self.metrics:
            yield from self._metric_lines(stats, old, color)

    @staticmethod
    def _header(stats, old, count, color):
        top = "Cumulative top" if stats.cumulative else "Top"
        title = _colored(f"{top} {count} allocations per "
                         f"{_GROUP_TEXTS[stats.group_by]}", color, _CYAN)
        time = _colored(_format_time(stats.timestamp), color, _BOLD)
        if old is not None:
            title += f" (compared to {_format_time(old.timestamp)})"
        return f"{time}: {title}"

    def _line(self, title, row, has_old, with_count, color):
        text = self._format_row(row, has_old, with_count, color)
        return f"{title}: {text}" if text else title

    def _format_row(self, row, has_old, with_count, color):
        size_diff, size, count_diff, count = row[:4]
        size_text = _colored(format_size(size), color,
                             _BOLD if has_old else _YELLOW)
        if has_old:
            change = _colored(format_size(size_diff, True), color, _YELLOW)
            size_text += f" ({change})"
        if not with_count and not self.average:
            return size_text
        parts = []
        if self.size:
            parts.append(f"size={size_text}")
        if with_count and (count or count_diff):
            change = f" ({count_diff:+})" if has_old else ""
            parts.append(f"count={count}{change}")
        if self.average and count > 1:
            parts.append(f"average={format_size(size // count)}")
        return ", ".join(parts)

    def _format_key(self, group_by, key, color):
        if group_by == "address":
            return f"memory block {_colored(f'{key:#x}', color, _BOLD)}"
        filename, lineno = (key, None) if group_by == "filename" else key
        text = self.format_filename(filename, color)
        return text if group_by == "filename" else f"{text}:{lineno or '?'}"

    def format_filename(self, filename, color=False):
        """Return the last parts of a file name, '???' if it is not known."""
        if not filename:
            return "???"
        parts = _printable(filename).split(os.sep)
        if len(parts) > self.filename_parts:
            parts = ["...", *parts[len(parts) - max(self.filename_parts, 1):]]
        folder = os.sep.join(parts[:-1])
        if folder or len(parts) > 1:
            folder += os.sep
        return (_colored(folder, color, _CYAN) if folder else "") + parts[-1]

    def format_traceback(self, traceback, color=False):
        """Return lines of text that show a traceback, newest frame first.

        Two lines per frame, as in tracebacks of exceptions: where it is, and
        the line of source if that can be read now.
        """
        # For this alone: tracebacks are seldom shown.
        from linecache import getline

        if not traceback:
            return ["(no traceback)"]
        lines = ["Traceback (most recent call first):"]
        for filename, lineno in traceback:
            lines.append(f'  File "{self.format_filename(filename, color)}", '
                         f"line {lineno or '?'}")
            source = getline(filename, lineno).strip() if lineno else ""
            if source:
                lines.append(f"    {source}")
        return lines

    @staticmethod
    def _metric_lines(stats, old, color):
        metrics = stats.metrics
        old_metrics = old.metrics if old is not None else {}
        names = sorted({*metrics, *old_metrics})
        if names:
            yield ""
        for name in names:
            before = old_metrics.get(name)
            now = metrics.get(name)
            format = (now or before).format
            value = now.value if now is not None else 0
            text = _colored(_format_metric(value, format), color, _BOLD)
            if before is not None:
                change = _colored(
                    _format_metric(value - before.value, format, True), color,
                    _YELLOW)
                text += f" ({change})"
            yield f"{_printable(name)}: {text}"


def _format_time(timestamp):
    return _printable(str(timestamp)).partition(".")[0]


def _sums(rows):
    return [sum(row[i] for row in rows) for i in range(4)]


class DisplayTopTask(Task):
    """Shows the biggest allocations of snapshots that it takes.

    count, group_by, cumulative, file, callback -- as for DisplayTop.display()
    display_top -- the DisplayTop, to be changed as wanted
    """

    def __init__(self, count=10, group_by="line", cumulative=False, file=None,
                 callback=None):
        super().__init__(self.display)
        self.display_top = DisplayTop()
        self.count = count
        self.group_by = group_by
        self.cumulative = cumulative
        self.file = sys.stdout if file is None else file
        self.callback = callback

    def display(self):
        """Take a snapshot, show it, and return it."""
        return self.display_top.display(self.count, self.group_by,
                                        self.cumulative, self.file,
                                        self.callback)
