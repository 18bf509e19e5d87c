"""Groups of a snapshot as rows of tables, and as JSON."""

import time
from collections import Counter
from functools import cache
from itertools import compress
from operator import and_

from tracemalloc import _format_size, _groups, _ranking
from tracemalloc._cli import UsageError, mine
from tracemalloc._cli.names import full_names
from tracemalloc._cli.screen import printable, source, wrapped
from tracemalloc._mine import OTHERS
from tracemalloc._paths import MAX_DEPTH
from tracemalloc._stacks import data_of
from tracemalloc._statistics import to_statistic

# Figures of bytes and of blocks that belong together, and their heads.
FAMILIES = {
    "live": ("size", "count", "size", "blocks"),
    "peak": ("peak_size", "peak_count", "at peak", "blocks"),
    "allocated": ("allocated_size", "allocated_count", "allocated", "blocks"),
    "freed": ("freed_size", "freed_count", "freed", "blocks"),
}

GROUP_TEXTS = {
    "lineno": "lines", "filename": "files", "function": "functions",
    "module": "modules", "traceback": "call paths", "thread": "threads",
    "account": "accounts", "domain": "domains",
}
_HEADS = {key: text[:-1] for key, text in GROUP_TEXTS.items()}
# Groups that are named by files.
_OF_FILES = ("lineno", "filename", "function", "traceback")
# Groups whose source is shown.
_OF_LINES = ("lineno", "traceback")


def head_of(group_by):
    return _HEADS[group_by]


def family_of(figure):
    if figure == "temporary":
        return "freed"
    if figure in ("size", "count"):
        return "live"
    return figure.partition("_")[0]


def figure_of(figure):
    """Return the attribute of Statistic for a figure to sort by."""
    return "freed_count" if figure == "temporary" else figure


def figures_of(figure):
    """Return the bytes and the blocks that belong to a figure to sort by."""
    return FAMILIES[family_of(figure)][:2]


def figure_text(figure):
    """Return what a figure to sort by is called."""
    return ("temporary blocks" if figure == "temporary"
            else figure.replace("_", " "))


def bytes_text(size, sign=False):
    if size is None:
        return "?"
    # One writes 0 B for what did not change.
    return _format_size(size, sign and size != 0)


def blocks_text(count, sign=False):
    if count is None:
        return "?"
    return f"{count:+,}" if sign and count else f"{count:,}"


def share_text(part, whole):
    return f"{part / whole:.1%}" if whole else "-"


def average_text(size, count):
    return _format_size(size / count, False) if count else "-"


def is_count(figure):
    """Return whether a figure to sort by is a number of blocks."""
    return figure_of(figure).endswith("count")


def share_of(sums, totals, figure):
    """Return the share that (bytes, blocks) are, by the figure's unit."""
    index = 1 if is_count(figure) else 0
    return share_text(sums[index], totals[index])


def error_text(error):
    """Return a standard error as text, '' if there is none to tell."""
    return "" if error is None else f"+-{bytes_text(round(error))}"


def plural(number, one, many=None):
    return f"{number:,} {one if number == 1 else many or one + 's'}"


# The frames below a program that `run` has started.
_LAUNCHER = ("tracemalloc/__main__.py", "tracemalloc/_cli/__init__.py",
             "tracemalloc/_cli/run.py")
_RUNPY = "<frozen runpy>"


@cache
def is_launcher(filename):
    return filename.replace("\\", "/").endswith(_LAUNCHER)


def launcher_end(filenames):
    """Return the index behind the last frame that is of `run`.

    *filenames* are those of frames, the oldest first.  0 if there is no such
    frame, and if there are no others behind it.
    """
    end = index = 0
    for index, filename in enumerate(filenames, 1):
        if is_launcher(filename):
            end = index
    return end if end < index else 0


def program_frames(traceback):
    """Return frames, the oldest first, without those that are of `run`."""
    frames = traceback[:]
    return frames[launcher_end(frame.filename for frame in frames):]


def without_launcher(stats):
    """Return cumulative statistics without the frames that are of `run`."""
    kept = [stat for stat in stats
            if not is_launcher(stat.traceback[-1].filename)]
    if len(kept) == len(stats):
        return stats
    return [stat for stat in kept
            if stat.traceback[-1].filename != _RUNPY]


def is_of_program(names):
    """Return a list of whether frames are not of `run`.

    *names* are raw frames that name groups of callers.
    """
    files = [frames[-1][0] for frames in names]
    if not any(map(is_launcher, files)):
        return [True] * len(files)
    return [not (is_launcher(file) or file == _RUNPY) for file in files]


def frame_text(frame, names=full_names):
    """Return where a frame is, and in which function.

    names -- what gives a file its name: see names.py
    """
    if frame.filename == OTHERS:
        return OTHERS
    filename, text = frame.filename, str(frame)
    if text.startswith(filename):
        text = names(filename) + text[len(filename):]
    text = printable(text)
    if frame.lineno and frame.function:
        text += " " + function_text(frame.function)
    return text


def function_text(name):
    """Return how a function is called, such as 'main()' or '<module>'."""
    return printable(name) + ("" if name.startswith("<") else "()")


def label(traceback, group_by, names=full_names):
    """Return the name of a group."""
    newest = traceback[-1]
    if group_by not in _OF_FILES:
        # It only looks like that of a file.
        names = full_names
    if group_by == "filename":
        return printable(names(newest.filename))
    text = frame_text(newest, names)
    if group_by == "traceback" and len(traceback) > 1:
        text += f" and {plural(len(traceback) - 1, 'caller')}"
    return text


def lines_below(traceback, group_by):
    """Return what is shown below a group: its line of source, if any."""
    if group_by not in _OF_LINES:
        return []
    text = source(traceback[-1])
    return [text] if text else []


def line_frames(stats, group_by):
    """Return the frames of groups that are lines, whose source is shown."""
    return [stat.traceback[-1] for stat in stats
            if group_by in _OF_LINES]


def frame_json(frame):
    """Return a frame as JSON; what is not known is left out."""
    found = {"filename": frame.filename, "lineno": frame.lineno}
    for name in "function", "end_lineno", "column", "end_column":
        value = getattr(frame, name)
        if value is not None:
            found[name] = value
    return found


def group_json(traceback, group_by):
    """Return what names a group, as JSON."""
    newest = traceback[-1]
    if group_by in ("lineno", "traceback"):
        found = frame_json(newest)
        if group_by == "traceback":
            found = {"traceback": [*map(frame_json, traceback)]}
        text = source(newest)
        if text:
            found["source"] = text
        return found
    if group_by == "function":
        return {"filename": newest.filename, "function": newest.function}
    return {group_by: newest.filename}


def statistics(snapshot, group_by, cumulative=False, sort="size"):
    """Return snapshot.statistics(); what is not known is a UsageError."""
    try:
        return snapshot.statistics(group_by, cumulative, sort_by=sort)
    except ValueError as error:
        if cumulative and "cumulative" in str(error):
            raise UsageError("--cumulative makes no sense with --group-by "
                             f"{group_by}") from None
        raise UsageError(not_known(error, sort)) from None


def groups_of(snapshot, group_by, cumulative):
    """Return the groups of a snapshot; a UsageError if there are none."""
    try:
        return snapshot._group_by(group_by, cumulative)
    except ValueError as error:
        if cumulative and "cumulative" in str(error):
            raise UsageError("--cumulative makes no sense with --group-by "
                             f"{group_by}") from None
        raise UsageError(error) from None


def not_known(error, sort):
    """Return why there is no such figure, in the words of the commands."""
    if _ranking.LIVE_ONLY in str(error):
        return (f"the file tells what is live only, and no "
                f"{figure_text(sort)}: write one whose name ends in .tmz")
    return error


def columns(data, sort, *figures):
    """Return what a snapshot's data have of figures, by context.

    What is not known is a UsageError that names *sort*.
    """
    try:
        return _ranking.figure_columns(data, figures, sort)
    except ValueError as error:
        raise UsageError(not_known(error, sort)) from None


def both_columns(both, sort):
    """Return what two snapshots have of figures, by context of both.

    Those of the newer one come first; see tracemalloc._growth.
    """
    return both.figures(lambda data: columns(data, sort, *figures_of(sort)))


def state_of(now, before):
    """Return what became of something, told from its bytes and blocks.

    That is 'new' or 'gone' if it is in one of two snapshots only, or ''.
    """
    if not any(before):
        return "new"
    return "" if any(now) else "gone"


class Ranking:
    """The groups of a snapshot: how many, their sums, and the first ones.

    Groups whose *figures* are all 0 are left out, and so are, among callers,
    the frames that are of `run`.
    """

    def __init__(self, snapshot, group_by, cumulative, sort, figures):
        self._sort = sort
        groups = groups_of(snapshot, group_by, cumulative)
        try:
            self._groups, *_ = _ranking.rankable(groups, sort)
        except ValueError as error:
            raise UsageError(not_known(error, sort)) from None
        self._listed = [True] * len(self._groups.names)
        if cumulative:
            self._leave_out_launcher()
        # Of all, and not only of those where the figures tell something.
        self.live = self.sum("size")
        columns = map(self._groups.figure, figures)
        self._listed = list(map(and_, self._listed,
                                map(any, zip(*columns))))

    def _leave_out_launcher(self):
        kept = is_of_program(self._groups.names)
        self._listed = list(map(and_, self._listed, kept))

    def __len__(self):
        return sum(self._listed)

    def sum(self, figure):
        return sum(compress(self._groups.figure(figure), self._listed))

    def first(self, number):
        """Return the first ones as Statistic, the biggest first."""
        groups, found = _ranking.ranking(self._groups, self._sort, number,
                                        self._listed)
        return [to_statistic(groups, *row) for row in found]


def number_of_groups(snapshot, group_by):
    """Return how many groups have live blocks."""
    return len(snapshot._group_by(group_by, False).names)


def is_known(snapshot, figure):
    """Whether a snapshot tells a figure that is not one of live blocks."""
    data, _ = data_of(snapshot)
    return getattr(data, _groups.TOTALS[figure]) is not None


def total(snapshot, sort="size"):
    """Return (bytes, blocks) of all that is in a snapshot."""
    figures = FAMILIES[family_of(sort)][:2]
    data, _ = data_of(snapshot)
    return tuple(map(sum, columns(data, sort, *figures)))


def write_cut(screen, snapshot):
    """Write how much was allocated below more calls than are kept.

    Nothing if it is little, or nobody set a limit.
    """
    data, limit = data_of(snapshot)
    if limit >= MAX_DEPTH:
        return
    sizes, depths = data.live()[0], data.path_depths()
    cut = sum(compress(sizes, map(limit.__le__, map(depths.__getitem__,
                                                    data.context_path))))
    if 20 * cut >= sum(sizes) > 0:
        text = (f"({share_text(cut, sum(sizes))} has more calls than the "
                f"{plural(limit, 'frame')} that are kept: the oldest are not "
                f"shown; -X tracemalloc={min(4 * limit, MAX_DEPTH)} keeps "
                "more)")
        for line in wrapped(text, screen.width):
            screen.write(line, "head")


def change_text(size_diff, count_diff):
    """Return by how much something changed, in bytes and in blocks."""
    return (f"{bytes_text(size_diff, True)} in "
            f"{blocks_text(count_diff, True)} "
            f"{'block' if abs(count_diff) == 1 else 'blocks'}")


def write_notes(screen, options, *snapshots, estimates=()):
    """Write below a title what one has to know of the figures.

    *estimates* are texts of estimate_text().
    """
    for text in filter(None, dict.fromkeys(map(record_text, snapshots))):
        for line in wrapped(text, screen.width):
            screen.write(line, "head")
    write_estimate(screen, _together((*estimates, *map(_estimate, snapshots))))
    text = mine.text_of(getattr(options, "mine", None))
    for line in wrapped(text, screen.width) if text else ():
        screen.write(line, "head")


def time_text(value):
    """Return a Unix time as a date and a time of day, here."""
    if isinstance(value, (int, float)):
        try:
            return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
        except (OverflowError, ValueError, OSError):
            pass
    return str(value)


def age_text(seconds):
    """Return a number of seconds since something was, as text."""
    seconds = max(seconds, 0)
    for unit, size in ("d", 86400), ("h", 3600), ("min", 60):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


# Older figures, in seconds, are of no record that anybody keeps.
_OLDEST = 100 * 365 * 86400


def _ages_text(moments):
    """Return how long ago Unix times were, '' if they make no sense."""
    now = time.time()
    ages = [now - moment for moment in moments
            if isinstance(moment, (int, float))]
    # A clock may be behind another one's, by some seconds.
    if len(ages) < len(moments) or not all(-60 < age < _OLDEST
                                           for age in ages):
        return ""
    return f", {' to '.join(dict.fromkeys(map(age_text, ages)))} ago"


# What is known of the end of a process by the state of its record.
# What runs when a record is read need not when a copy of it is.
_ENDS = {"running": "was running", "exited": "has exited",
         "stopped": "is no longer traced",
         "gone": "is gone (killed, crashed, exec)"}


def record_text(snapshot):
    """Return how a process went on, and how old the figures of its record
    are; '' if they are of no record.

    Metadata may be what somebody else wrote.
    """
    record = snapshot.metadata.get("record")
    moment = snapshot.metadata.get("time")
    if not isinstance(record, dict) or not isinstance(moment, (int, float)):
        return ""
    states = record.get("states", [record.get("state")])
    if not isinstance(states, list) or not all(
            isinstance(state, str) and state in _ENDS for state in states):
        return ""
    if len(states) == 1:
        state, = states
        pid = snapshot.metadata.get("pid")
        who = f"process {pid} " if isinstance(pid, int) else "the process "
        return (f"{who}{_ENDS[state]}; figures of {time_text(moment)}"
                + _ages_text([moment]))
    counts = Counter(states)
    ends = ", ".join(f"{counts[state]} {state}"
                     for state in _ENDS if state in counts)
    moments = record.get("oldest", moment), moment
    times = dict.fromkeys(map(time_text, moments))
    return printable(f"{plural(len(states), 'process', 'processes')}: {ends}; "
                     f"figures of {' to '.join(times)}"
                     + _ages_text(moments))


_AVERAGES = "sums are exact; sizes of single blocks are averages"


def estimate_text(*snapshots):
    """Return how exact figures of snapshots are, '' if they are exact."""
    return _together(map(_estimate, snapshots))


def _together(estimates):
    """Return what holds for all of which texts of estimate_text() are."""
    found = dict.fromkeys(filter(None, estimates))
    if len(found) > 1:
        # Beside what is estimated nothing is exact.
        found.pop(_AVERAGES, None)
    return "; ".join(found)


def write_estimate(screen, text):
    """Write how exact figures are, in a colour if they are not."""
    if text:
        screen.write(text, "head" if text == _AVERAGES else "more")


def _estimate(snapshot):
    interval = snapshot.metadata.get("sample_interval")
    if interval:
        return f"estimated from samples, one per {bytes_text(interval)}"
    if snapshot.metadata.get("sizes") == "average":
        return _AVERAGES
    return ""
