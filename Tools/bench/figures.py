"""From raw numbers to ratios.  Nothing here starts a process or prints.

A ratio is taken inside one round, where both processes ran within seconds of
each other; what is reported is the median of these ratios over the rounds.  A
configuration that went over the time limit has a lower bound instead.
"""
import collections
import functools
import math
import statistics

import budgets
from configurations import BASE, EVERY_FRAME, RECORD

# `value` is a median over `count` rounds, `low` and `high` its quartiles; with
# `bound`, the true value is at least `value`.
Ratio = collections.namedtuple("Ratio", "value low high count bound",
                               defaults=(False,))
Reach = collections.namedtuple("Reach", "what target value bound detail form")

PER_LOOP = ("cpu", "wall")


def pairwise(values, base):
    """The ratios of two {round: number}, for the rounds that both have."""
    return [values[number] / base[number]
            for number in sorted(values.keys() & base.keys())]


def summarise(ratios):
    """A Ratio of some ratios, None of none."""
    if not ratios:
        return None
    if len(ratios) == 1:
        return Ratio(ratios[0], ratios[0], ratios[0], 1)
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Ratio(middle, low, high, len(ratios))


def geometric_mean(ratios):
    """The geometric mean of Ratios as (value, bound); (None, False) of none.
    """
    ratios = [ratio for ratio in ratios if ratio is not None]
    if not ratios:
        return None, False
    mean = math.exp(
        math.fsum(math.log(ratio.value) for ratio in ratios) / len(ratios))
    return mean, any(ratio.bound for ratio in ratios)


class Results:
    """The content of a JSON file of Tools/bench/run, with its figures."""

    def __init__(self, data):
        self.data = data
        self.cases = [row["name"] for row in data["cases"]]
        self.facts = {row["name"]: row for row in data["cases"]}
        self.absent = {row["name"]: row["absent"]
                       for row in data["configurations"] if row["absent"]}
        self.configurations = [row["name"] for row in data["configurations"]]
        self.labels = {row["name"]: row["label"]
                       for row in data["configurations"]}
        self.runs = collections.defaultdict(dict)
        for run in data["runs"]:
            if run["round"] >= data["warmup"]:
                self.runs[
                    run["case"], run["configuration"]][run["round"]] = run

    def rounds(self, configurations=None):
        """How many rounds count that have any of some configurations,
        all of them without.
        """
        return max((len(runs) for (_, name), runs in self.runs.items()
                    if configurations is None or name in configurations),
                   default=0)

    def values(self, case, configuration, metric):
        """{round: number} of a metric, times per loop."""
        found = {}
        for number, run in self.runs[case, configuration].items():
            if run.get(metric) is not None:
                found[number] = run[metric] / (run["loops"]
                                               if metric in PER_LOOP else 1)
        return found

    def median(self, case, configuration, metric):
        values = self.values(case, configuration, metric).values()
        return statistics.median(values) if values else None

    @functools.cache
    def ratio(self, case, configuration, metric="cpu", base=BASE):
        """The Ratio of a configuration to another,
        None if either was not measured.
        """
        below = self.values(case, base, metric)
        over = [run["over"] / run["loops"]
                for run in self.runs[case, configuration].values()
                if "over" in run]
        if over and metric in PER_LOOP and below:
            bound = max(over) / statistics.median(below.values())
            return Ratio(bound, bound, bound, 1, True)
        return summarise(pairwise(self.values(case, configuration, metric),
                                  below))

    def mean(self, configuration, metric="cpu", base=BASE, cases=None):
        return geometric_mean([self.ratio(case, configuration, metric, base)
                               for case in cases or self.cases])

    def worst(self, configuration, metric="cpu", base=BASE, cases=None):
        """(Ratio, case) of the highest ratio, (None, None) if there is none.
        """
        pairs = [(self.ratio(case, configuration, metric, base), case)
                 for case in (self.cases if cases is None else cases)]
        pairs = [(ratio, case) for ratio, case in pairs if ratio]
        return max(pairs, key=lambda pair: pair[0].value, default=(None, None))

    def bytes_per_block(self, case, configuration):
        tracer = self.median(case, configuration, "tracer")
        blocks = self.median(case, configuration, "blocks")
        return tracer / blocks if tracer and blocks else None

    def spread(self):
        """(median, highest) width of the middle half of ratios,
        over all cells.
        """
        widths = []
        for case in self.cases:
            for configuration in self.configurations:
                ratio = self.ratio(case, configuration)
                if configuration != BASE and ratio and ratio.count > 2:
                    widths.append((ratio.high - ratio.low) / ratio.value)
        return (statistics.median(widths), max(widths)) if widths else None


# ----------------------------------------------------------------- the targets

def worst_detail(ratio, case):
    return f"worst: {case} {ratio.value:.2f}" if ratio else ""


def reach_of_mean(results, what, target, configuration, metric="cpu",
                  base=BASE):
    value, bound = results.mean(configuration, metric, base)
    detail = worst_detail(*results.worst(configuration, metric, base))
    return Reach(what, target, value, bound, detail, "ratio")


def reach_of_worst(results, what, target, configurations, metric, cases):
    found = []
    for configuration in configurations:
        ratio, case = results.worst(configuration, metric, cases=cases)
        if ratio:
            found.append((ratio.value, ratio.bound,
                          f"{case}, {results.labels[configuration]}"))
    value, bound, detail = max(found, default=(None, False, ""))
    return Reach(what, target, value, bound, detail, "ratio")


def reach_of_depth(results):
    deep, flat = (results.ratio(case, EVERY_FRAME) if case in results.facts
                  else None for case in ("depth_500", "depth_1"))
    value = deep.value / flat.value if deep and flat else None
    bound = bool(value and deep.bound)
    return Reach("depth 500 against depth 1, every frame", 1.05, value, bound,
                 "", "ratio")


def reach_of_live_blocks(results):
    case = "live_blocks"
    known = case in results.facts

    def median(metric, configuration=EVERY_FRAME):
        return results.median(case, configuration, metric) if known else None

    blocks = median("blocks")
    detail = f"{blocks:,.0f} blocks" if blocks else ""
    seconds, extra, resident = (
        median(name) for name in ("picture_cpu", "picture_rss", "end_rss"))
    per_block = results.bytes_per_block(case, EVERY_FRAME) if known else None
    yield Reach("tracer bytes per small live block", 6, per_block, False,
                detail, "bytes")
    yield Reach("copy of the live blocks by context, ms", 20,
                seconds * 1000 if seconds is not None else None, False, detail,
                "ms")
    yield Reach("memory for that copy, % of RSS", 2,
                100 * extra / resident if extra is not None
                and resident else None, False, detail, "percent")


def reach_of_instructions(callgrind):
    rows = callgrind["rows"] if callgrind else []
    ratios = {row["case"]: row["ratio"] for row in rows
              if row["configuration"] == "fork-off"}
    value = geometric_mean([Ratio(ratio, ratio, ratio, 1)
                            for ratio in ratios.values()])[0]
    detail = ""
    if ratios:
        case = max(ratios, key=ratios.get)
        detail = f"worst: {case} {ratios[case]:.4f}"
    return Reach("off, instructions in callgrind", 1.0, value, False, detail,
                 "instructions")


def reach_of_pyperformance(pyperformance):
    means = pyperformance["means"] if pyperformance else {}
    detail = ""
    if means:
        detail = f"{pyperformance['count']} benchmarks"
        if pyperformance["subset"]:
            detail += ", a subset"
    return Reach("every frame, geometric mean of pyperformance", 1.10,
                 means.get(EVERY_FRAME), False, detail, "ratio")


def reach(results, callgrind=None, pyperformance=None):
    """The targets with what was measured:
    ratios of CPU time unless they say otherwise.
    """
    recursion = [name for name in results.cases
                 if results.facts[name]["recursion"] and name != "parser"]
    unlimited = [name for name in results.cases if name != "parser"]
    parser = [name for name in results.cases if name == "parser"]
    traced = ("fork-1", "fork-25", EVERY_FRAME)
    kind = budgets.kind_of(results.data["label"])
    mean = 1.20 if kind == "optimised" else 1.16
    return [
        reach_of_mean(results, "off, geometric mean", 0.99, "fork-off"),
        reach_of_instructions(callgrind),
        reach_of_mean(results, "every frame, geometric mean of the cases",
                      mean, EVERY_FRAME),
        reach_of_pyperformance(pyperformance),
        reach_of_worst(results, "every frame, worst case", 1.45,
                       [EVERY_FRAME], "cpu", unlimited),
        reach_of_worst(results, "every frame, recursive-descent parser", 1.7,
                       [EVERY_FRAME], "cpu", parser),
        reach_of_mean(results, "25 frames against every frame", 1.05,
                      "fork-25", base=EVERY_FRAME),
        reach_of_mean(results, "with a record against without", 1.01, RECORD,
                      base=EVERY_FRAME),
        reach_of_depth(results),
        reach_of_mean(results, "sampled at 512 KiB, geometric mean", 1.02,
                      "fork-sampled"),
        reach_of_mean(results, "peak RSS, every frame, geometric mean", 1.10,
                      EVERY_FRAME, "peak_rss"),
        reach_of_worst(results, "peak RSS, every frame, recursive-descent "
                       "parser", 1.7, [EVERY_FRAME], "peak_rss", parser),
        *reach_of_live_blocks(results),
        reach_of_worst(results,
                       "recursion with live blocks, time, worst of 1, 25, all",
                       1.6, traced, "cpu", recursion),
        reach_of_worst(results, "recursion with live blocks, peak RSS, worst "
                       "of 1, 25, all", 1.3, traced, "peak_rss", recursion),
    ]


def reached(row):
    """True or False, None if it was not measured."""
    if row.value is None:
        return None
    return not row.bound and row.value <= row.target
