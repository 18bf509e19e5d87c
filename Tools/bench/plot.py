"""Draw a JSON file of Tools/bench/run or Tools/bench/curves as SVG.

usage: plot.py RESULTS.json PLOT.svg

Needs matplotlib: drawing.py runs it in an environment that has it.
"""
import json
import sys

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot, ticker   # noqa: E402

import figures                          # noqa: E402
import pages                            # noqa: E402
import scales                           # noqa: E402
import tables                           # noqa: E402
from configurations import BASE, EVERY_FRAME     # noqa: E402

# Colours that differ for colour-blind readers too; every series has a shape.
STYLES = {
    "fork-off": ("o", "none", "#777777"),
    "fork-1": ("^", "#56b4e9", "#56b4e9"),
    "fork-25": ("s", "#0072b2", "#0072b2"),
    "fork-all": ("o", "#003a5d", "#003a5d"),
    "fork-record": ("x", "#003a5d", "#003a5d"),
    "fork-sampled": ("D", "#009e73", "#009e73"),
    "stock-1": ("<", "#e69f00", "#e69f00"),
    "stock-25": (">", "#d55e00", "#d55e00"),
}
SETTINGS = {
    "svg.fonttype": "none",             # text stays text
    "svg.hashsalt": "bench",            # the same figures make the same file
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}


def draw_panel(axes, results, metric, title):
    rows = [*results.cases, "geometric mean"]
    for name, (marker, face, edge) in STYLES.items():
        if name not in results.configurations or name in results.absent:
            continue
        points = [(ratio.value, number) for number, case in enumerate(
            results.cases) if (ratio := results.ratio(case, name, metric))]
        mean, _ = results.mean(name, metric)
        if mean is not None:
            points.append((mean, len(results.cases)))
        for number, case in enumerate(results.cases):
            ratio = results.ratio(case, name, metric)
            if ratio and ratio.bound:
                axes.annotate("→", (ratio.value, number), xytext=(3, -3),
                              textcoords="offset points", color=edge)
        if points:
            axes.plot(*zip(*points), linestyle="none", marker=marker,
                      markersize=5, markerfacecolor=face, markeredgecolor=edge,
                      label=label(results, name))
    axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.axhspan(len(rows) - 1.5, len(rows) - 0.5, color="#f2f2f2", zorder=0)
    axes.axvline(1, color="#444444", linewidth=0.8, zorder=1)
    axes.grid(axis="both", which="major", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0.9), max(high, 2))
    axes.xaxis.set_major_locator(
        ticker.LogLocator(subs=(1, 1.5, 2, 3, 5) if high < 20 else (1, 3)))
    axes.xaxis.set_major_formatter(
        ticker.FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.set_title(title, loc="left", fontweight="bold")


def label(results, name):
    build = "" if name.startswith("stock") else "fork, "
    return build + results.labels[name]


def title(figure, data, what):
    machine = data["machine"]
    figure.suptitle(f"{data['label']}: {machine['cpu']}, {machine['date']}, "
                    f"{what}", fontsize=9, color="#555555")


def draw(results, path):
    with matplotlib.rc_context(SETTINGS):
        height = 1.6 + 0.24 * (len(results.cases) + 1)
        figure, (left, right) = pyplot.subplots(
            1, 2, figsize=(11, height), sharey=True, width_ratios=(3, 2),
            layout="constrained")
        draw_panel(left, results, "cpu", "CPU time, untraced stock = 1")
        draw_panel(right, results, "peak_rss",
                   "Peak resident memory, untraced stock = 1")
        left.get_yticklabels()[-1].set_fontweight("bold")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center",
                      ncols=len(labels), frameon=False, handletextpad=0.2)
        title(figure, results.data,
              f"medians of {tables.count_rounds(results)}")
        figure.savefig(path, metadata={"Date": None})


def draw_curve(axes, rows, metric, said):
    """What was measured as points, what theory says as a dashed line."""
    marker, face, edge = STYLES[EVERY_FRAME]
    axes.plot(*zip(*said), linestyle="--", linewidth=1, color="#d55e00",
              label="predicted")
    axes.plot([row["size"] for row in rows], [metric(row) for row in rows],
              linestyle="none", marker=marker, markersize=5,
              markerfacecolor=face, markeredgecolor=edge, label="every frame")
    axes.set_xscale("log")
    axes.grid(axis="both", which="major", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)


def mebibytes(row):
    return row["tracer"] / 2**20


def draw_curves(data, path):
    curves = list(scales.grouped(data))
    with matplotlib.rc_context(SETTINGS):
        figure, panels = pyplot.subplots(
            2, len(curves), figsize=(2.6 * len(curves) + 0.4, 5),
            layout="constrained", squeeze=False)
        for (upper, lower), (scale, rows) in zip(panels.T, curves):
            said = scales.predict(rows, scale.paper)
            draw_curve(upper, rows, lambda row: row["above"],
                       [(size, above) for size, above, _ in said])
            upper.set_ylim(0, 1.25 * max(row["above"] for row in rows))
            upper.set_title(scale.title, loc="left", fontweight="bold")
            draw_curve(lower, rows, mebibytes,
                       [(size, tracer / 2**20) for size, _, tracer in said])
            lower.set_yscale("log")
            lower.set_ylim(0.5, max(20, 2 * said[-1][2] / 2**20))
            lower.yaxis.set_major_formatter(
                ticker.FuncFormatter(lambda value, _: f"{value:g}"))
            lower.set_xlabel(f"{scale.thing}s")
        panels[0][0].set_ylabel("instructions above stock")
        panels[1][0].set_ylabel("tracer, MiB")
        handles, labels = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center",
                      ncols=len(labels), frameon=False)
        title(figure, data, "one operation; dashed: what theory predicts")
        figure.savefig(path, metadata={"Date": None})


def main():
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as stream:
        data = json.load(stream)
    if data["kind"] == pages.CURVES:
        draw_curves(data, target)
        return
    if not any(row["name"] == BASE for row in data["configurations"]):
        sys.exit(f"{source}: {BASE} was not measured")
    draw(figures.Results(data), target)


if __name__ == "__main__":
    main()
