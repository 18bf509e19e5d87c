"""check: does a snapshot keep to its limits?"""

import json
import re
import sys

from tracemalloc._cli import UsageError, rows
from tracemalloc._cli.diff import Diff
from tracemalloc._cli.files import load
from tracemalloc._cli.names import names_of
from tracemalloc._cli.options import A_FILE, Parser, checked
from tracemalloc._cli.programs import tell_difference
from tracemalloc._cli.screen import Screen
from tracemalloc._cli.top import Top
from tracemalloc._cli.units import NUMBER, number, size


def _growth(text):
    """Return (percent, None) or (None, bytes)."""
    found = re.fullmatch(NUMBER + r"\s*%", text, re.A)
    if found:
        return float(found[1]), None
    try:
        return None, size(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a percentage such as 5% nor a "
                         "size such as 512KiB") from None


def _parser():
    parser = Parser(
        "check", "Compare a snapshot with limits.  The exit status is 0 if it "
                 "keeps to them,\nand 1 if not.",
        "check --max-growth 5% --baseline old.tmz new.tmz")
    parser.add_argument("file", metavar="FILE", help=A_FILE)
    parser.add_argument("--max-peak", type=checked(size), metavar="SIZE",
                        help="most memory held at any time")
    parser.add_argument("--max-held", type=checked(size), metavar="SIZE",
                        help="most memory held when the snapshot was taken")
    parser.add_argument("--max-blocks", type=checked(number), metavar="N",
                        help="most blocks held when the snapshot was taken")
    parser.add_argument("--max-growth", type=checked(_growth),
                        metavar="GROWTH",
                        help="by how much memory held, and the peak if both "
                             "files tell it, may exceed the baseline: 5%% or "
                             "512KiB")
    parser.add_argument("--baseline", metavar="FILE",
                        help="snapshot file that --max-growth is about")
    parser.add_group_by()
    parser.add_limit(10, "groups to show of what is too much")
    parser.add_full_paths()
    parser.add_filters()
    return parser


def _peak(snapshot):
    """Return bytes held at the peak, or None if that is not known."""
    if not rows.total(snapshot)[1]:
        # Nothing is live, which does not say that nothing was.
        return snapshot.metadata.get("traced_memory_peak")
    if not rows.is_known(snapshot, "peak_size"):
        return None
    return rows.total(snapshot, "peak_size")[0]


class Limit:
    """One limit: what it is about, and how it compares."""

    def __init__(self, what, value, limit, base=None, unit="bytes"):
        self.what, self.value, self.limit = what, value, limit
        self.base, self.unit = base, unit

    @property
    def is_broken(self):
        return self.value > self.limit

    def texts(self):
        show = rows.bytes_text if self.unit == "bytes" else rows.blocks_text
        over = self.value - self.limit
        base = "-" if self.base is None else show(self.base)
        return [show(self.value), show(self.limit), base,
                show(over, True) if over > 0 else "-",
                f"{self.what}: {'too much' if over > 0 else 'ok'}"]

    def to_json(self):
        return {"what": self.what, "value": self.value, "limit": self.limit,
                "baseline": self.base, "unit": self.unit,
                "broken": self.is_broken}


def limits(options, snapshot, baseline):
    """Return the list of Limits; UsageError if the files cannot tell."""
    found = []
    held, blocks = rows.total(snapshot)
    peak = _peak(snapshot)
    if options.max_peak is not None:
        if peak is None:
            raise UsageError(f"{options.file}: the file does not tell the "
                             "peak; write one whose name ends in .tmz")
        found.append(Limit("peak", peak, options.max_peak))
    if options.max_held is not None:
        found.append(Limit("held", held, options.max_held))
    if options.max_blocks is not None:
        found.append(Limit("blocks held", blocks, options.max_blocks,
                           unit="blocks"))
    if options.max_growth is not None:
        pairs = [("growth of held", held, rows.total(baseline)[0])]
        old_peak = _peak(baseline)
        if peak is not None and old_peak is not None:
            pairs.append(("growth of peak", peak, old_peak))
        percent, more = options.max_growth
        for what, value, base in pairs:
            limit = base + (int(base * percent / 100) if more is None
                            else more)
            found.append(Limit(what, value, limit, base))
    return found


def main(arguments):
    parser = _parser()
    options = parser.parse_args(arguments)
    if (options.max_growth is None) != (options.baseline is None):
        parser.error("--max-growth and --baseline need each other")
    if all(limit is None for limit in (
            options.max_peak, options.max_held, options.max_blocks,
            options.max_growth)):
        parser.error("there is no limit: give --max-peak, --max-held, "
                     "--max-blocks or --max-growth")
    snapshot = load(options.file, options)
    baseline = options.baseline and load(options.baseline, options)
    if baseline is not None:
        tell_difference(options.baseline, options.file, baseline, snapshot)
    found = limits(options, snapshot, baseline)
    broken = [limit for limit in found if limit.is_broken]
    cause = _cause(options, snapshot, baseline, broken)
    if options.json:
        json.dump({"file": options.file, "baseline": options.baseline,
                   "ok": not broken,
                   "limits": [limit.to_json() for limit in found],
                   "cause": cause and cause.to_json()},
                  sys.stdout, indent=1)
        print()
    else:
        estimate = rows.estimate_text(*filter(None, (baseline, snapshot)))
        names = names_of(*filter(None, (baseline, snapshot)),
                         full=options.full_paths)
        _write(Screen(options.color), options, found, broken, estimate, cause,
               names)
    return 1 if broken else 0


def _cause(options, snapshot, baseline, broken):
    """Return the Top or Diff that shows what is too much, or None."""
    if not broken or not options.limit:
        return None
    first = broken[0].what
    if first.startswith("growth"):
        return Diff(baseline, snapshot, options.group_by,
                    limit=options.limit)
    sort = {"peak": "peak_size", "blocks held": "count"}.get(first, "size")
    return Top(snapshot, options.group_by, False, options.limit, sort)


def _outcome(found, broken):
    if len(found) == 1:
        return f"the limit is {'broken' if broken else 'kept'}"
    if not broken:
        return f"all {len(found)} limits are kept"
    return (f"{len(broken)} of {len(found)} limits "
            f"{'is' if len(broken) == 1 else 'are'} broken")


def _write(screen, options, found, broken, estimate, cause, names):
    against = f" against {options.baseline}" if options.baseline else ""
    screen.title(f"{options.file}{against}: {_outcome(found, broken)}")
    rows.write_estimate(screen, estimate)
    screen.table(
        ["value", "limit", "baseline", "over", "limit of"],
        [(limit.texts(),
          ["size", None, None, "more" if limit.is_broken else None,
           "more" if limit.is_broken else "less"], [])
         for limit in found])
    if cause is not None:
        screen.write()
        screen.title(cause.title())
        cause.write(screen, names)
