"""Tables of figures, as aligned text and as reStructuredText.

The functions `..._table` return rows of strings, the first of them the
heading; `aligned` and `simple_table` render any of them.
"""
import statistics

import budgets
import scales
from configurations import BASE, EVERY_FRAME, REPORTED, SLOW
from figures import reach, reached

NONE = "–"
MARKS = {True: "✓", False: "✗", None: "not measured"}


# ------------------------------------------------------------------- rendering

def pad(rows):
    """Cells padded to the width of their columns, the first one to the left.
    """
    widths = [max(len(row[column]) for row in rows)
              for column in range(len(rows[0]))]
    return widths, [
        [cell.ljust(width) if column == 0 or not numeric(rows, column)
         else cell.rjust(width)
         for column, (cell, width) in enumerate(zip(row, widths))]
        for row in rows]


def numeric(rows, column):
    cells = [row[column] for row in rows[1:]]
    return all(cell[:1].isdigit() or cell[:1] in ">–"
               for cell in cells if cell)


def aligned(rows):
    """A table for a terminal."""
    widths, cells = pad(rows)
    lines = ["  ".join(row).rstrip() for row in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def simple_table(rows):
    """A simple table of reStructuredText;
    no cell of the first column may be empty.
    """
    widths, cells = pad(rows)
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(row).rstrip() for row in cells]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def show_ratio(ratio, digits=2):
    if ratio is None:
        return NONE
    return show_mean(ratio.value, ratio.bound, digits)


def show_mean(value, bound, digits=2):
    """1.234 as 1.23, large ratios with fewer digits, a lower bound with ">".
    """
    if value is None:
        return NONE
    if value >= 10:
        digits = 1 if value < 100 else 0
    return f"{'>' if bound else ''}{value:.{digits}f}"


def show_seconds(seconds):
    if seconds is None:
        return NONE
    return f"{seconds:.3f}" if seconds >= 0.1 else f"{seconds:.5f}"


def show_mebibytes(size):
    return NONE if size is None else f"{size / 2**20:.1f}"


# ---------------------------------------------------------------------- tables

def ratio_table(results, metric, heading, show):
    """Cases by configurations: the base's own number, then ratios to it."""
    others = [name for name in results.configurations if name != BASE]
    rows = [["case", heading, *(results.labels[name] for name in others)]]
    for case in results.cases:
        rows.append([case, show(results.median(case, BASE, metric)),
                     *(show_ratio(results.ratio(case, name, metric))
                       for name in others)])
    rows.append(["geometric mean", "",
                 *(show_mean(*results.mean(name, metric)) for name in others)])
    return rows


def time_table(results, metric="cpu"):
    return ratio_table(results, metric, "stock, s/loop", show_seconds)


def memory_table(results):
    return ratio_table(results, "peak_rss", "stock, MiB", show_mebibytes)


def live_table(results):
    """What snapshots take, for the cases that keep many blocks."""
    rows = [["case", "configuration", "live blocks", "tracer B/block",
             "RSS B/block", "copy s", "snapshot s", "MiB", "statistics s",
             "MiB"]]
    for case in results.cases:
        if not results.facts[case]["live"]:
            continue
        base = results.median(case, BASE, "peak_rss")
        for name in results.configurations:
            def median(metric):
                return results.median(case, name, metric)
            blocks, tracer = (median("blocks"),
                              results.bytes_per_block(case, name))
            late = median("unanswered")
            if (blocks is None and median("snapshot_cpu") is None
                    and late is None):
                continue
            extra = ((median("peak_rss") - base) / blocks if blocks
                     and base else None)
            rows.append([case, results.labels[name],
                         f"{blocks:.0f}" if blocks else NONE,
                         show_mean(tracer, False, 1),
                         NONE if extra is None else f"{extra:.1f}",
                         show_seconds(median("picture_cpu")),
                         show_seconds(median("snapshot_cpu")) if late is None
                         else f">{late:.0f}",
                         show_mebibytes(median("snapshot_rss")),
                         show_seconds(median("statistics_cpu")),
                         show_mebibytes(median("statistics_rss"))])
    return rows


def reports_table(results):
    """What the commands take for a file of a snapshot,
    start of the process included.
    """
    rows = [["case", "command", "s"]]
    for case in results.cases:
        times = [run["reports"]
                 for run in results.runs[case, REPORTED].values()
                 if "reports" in run]
        for command in times[0] if times else ():
            rows.append([case, command, show_seconds(
                statistics.median(found[command] for found in times))])
    return rows


FORMS = {"ratio": "{:.3f}", "instructions": "{:.4f}", "bytes": "{:.2f}",
         "ms": "{:.2f}", "percent": "{:.2f}"}


def reach_table(rows):
    table = [["target", "at most", "measured", "reached", "note"]]
    for row in rows:
        value = (NONE if row.value is None
                 else FORMS[row.form].format(row.value))
        table.append([row.what, f"{row.target:g}",
                      (">" if row.bound else "") + value,
                      MARKS[reached(row)], row.detail])
    return table


def counts_table(data):
    """Instruction counts, from the file of Tools/bench/callgrind."""
    rows = [["case", "configuration", "start-up Ir", "ratio", "workload Ir",
             "ratio"]]
    for row in data["rows"]:
        rows.append([row["case"], row["label"], f"{row['startup']}",
                     f"{row['startup_ratio']:.4f}",
                     f"{row['workload']}", f"{row['ratio']:.4f}"])
    return rows


def show_instructions(count):
    """Whole ones, but for what takes few."""
    if count is None:
        return NONE
    return f"{count:.0f}" if abs(count) >= 1000 else f"{count:.1f}"


def operations_table(data):
    """What operations take and may take, from the same file."""
    rows = [["what", "untraced stock", "off", "every frame", "record",
             "above stock", "budget"]]
    for row in data.get("operations", ()):
        rows.append([row["text"],
                     *(show_instructions(row.get(name))
                       for name in (*budgets.COMPARED, "above")),
                     NONE if row["budget"] is None else f"{row['budget']}"])
    return rows


def programs_table(data):
    """The programs that operations are counted by."""
    rows = [["program", "untraced stock", "off", "every frame", "record",
             "above stock"]]
    for row in data.get("programs", ()):
        rows.append([row["program"],
                     *(show_instructions(row.get(name))
                       for name in budgets.COMPARED),
                     show_instructions(row[EVERY_FRAME] - row[BASE])])
    return rows


def all_counts_tables(data):
    """Those of a file of Tools/bench/callgrind that have rows."""
    found = (operations_table(data), programs_table(data), counts_table(data))
    return [rows for rows in found if len(rows) > 1]


def counts_notes(data):
    """How the operations were counted, and what is too much."""
    if not data.get("operations"):
        return []
    found = []
    if all(row["budget"] is None for row in data["operations"]):
        found.append(f"There are no budgets for builds like {data['label']}.")
    for row in data["operations"]:
        mean = "the mean of " if len(row["programs"]) > 1 else ""
        less = f", less {row['without']}" if row["without"] else ""
        found.append(f"{row['operation']} ({row['text']}): {mean}"
                     f"{', '.join(row['programs'])}{less}.")
    found.append("record: every frame, with a record, without the "
                 "instructions of its checkpoints, which are made by time.")
    for row in data["programs"]:
        if budgets.THREAD in row:
            found.append(
                f"{row['program']} takes "
                f"{show_instructions(row[budgets.THREAD])} without a record, "
                "too, if there is another thread, which sleeps: the C library "
                "takes locks then.")
    wrong = budgets.exceeded(data)
    return found + [f"Too much: {line}." for line in wrong] + (
        [] if wrong else ["Nothing exceeds its budget."])


def suite_table(data):
    """Benchmarks by configurations, from the
    file of Tools/bench/pyperformance-run.
    """
    others = [name for name in data["configurations"] if name != BASE]
    rows = [["benchmark", "stock, s",
             *(data["labels"][name] for name in others)]]
    for row in data["rows"]:
        rows.append([row["benchmark"], f"{row['seconds']:.5g}",
                     *(show_mean(row["ratios"].get(name), False)
                       for name in others)])
    rows.append(["geometric mean", "",
                 *(show_mean(data["means"].get(name), False, 3)
                   for name in others)])
    return rows


def plateau_table(data):
    """What the tracer held over time, from the file of Tools/bench/plateau."""
    rows = [["turns", "seconds", "code objects made", "contexts made",
             "contexts", "paths", "codes", "names", "tracer MiB", "traced MiB",
             "RSS MiB"]]
    for row in data["rows"]:
        rows.append([f"{row['turns']}", f"{row['seconds']:.0f}",
                     f"{row['made']['code objects']}",
                     f"{row['contexts_made']}", f"{row['contexts']}",
                     f"{row['paths']}", f"{row['codes']}", f"{row['names']}",
                     *(show_mebibytes(row[name])
                       for name in ("tracer", "traced", "rss"))])
    return rows


def curve_table(scale, rows):
    """What grows with a number of things and what does not, and what theory
    says; from the file of Tools/bench/curves.
    """
    table = [[f"{scale.thing}s", "stock, Ir", "every frame", "above stock",
              "predicted", "above stock, ns", "tracer MiB", "predicted",
              f"B/{scale.thing} more"]]
    fewer = None
    said = scales.predict(rows, scale.paper)
    for row, (size, above, tracer) in zip(rows, said):
        table.append([
            f"{size}", *(show_instructions(number) for number in (
                row[BASE], row[EVERY_FRAME], row["above"], above)),
            NONE if row["ns"] is None else f"{row['ns']:.1f}",
            show_mebibytes(row["tracer"]), show_mebibytes(tracer),
            f"{scales.each_more(fewer, row):.1f}" if fewer else NONE])
        fewer = row
    if scale.paper:
        size, above, tracer = said[-1]
        table.append([f"{size}", NONE, NONE, NONE, show_instructions(above),
                      NONE, NONE, show_mebibytes(tracer), NONE])
    if all(row["ns"] is None for row in rows):      # not asked for
        place = table[0].index("above stock, ns")
        table = [[*row[:place], *row[place + 1:]] for row in table]
    return table


# ---------------------------------------------------------------------- pieces

def facts(data):
    """(name, reStructuredText) of machine and builds,
    for any of the JSON files.
    """
    machine = data["machine"]
    found = [("Processor", f"{machine['cpu']}, {machine['cores']} cores")]
    if machine["memory"]:
        found.append(("Memory", f"{machine['memory'] / 2**30:.0f} GiB"))
    found.append(("System", f"{machine['system']}, {machine['libc']}"))
    for name, build in data["builds"].items():
        found.append((f"Compiler, {name}",
                      f"{build['cc']} ({build['compiler']})"))
        found.append((f"Flags, {name}", f"``{build['flags']}``"))
        if build["arguments"]:
            found.append((f"Configured, {name}", f"``{build['arguments']}``"))
    randomised = {"0": "off", "1": "on", "2": "on"}.get(
        machine["address_randomisation"], "unknown")
    found += [("Addresses", f"randomisation {randomised}"),
              ("Load before", f"{machine['load']}"), ("Date", machine["date"]),
              ("Commit", machine["commit"] or "none"),
              ("Command", f"``{data['command']}``")]
    return found


def count_rounds(results):
    total, slow = results.rounds(), results.rounds(SLOW)
    text = f"{total} round{'s' if total != 1 else ''}"
    return f"{text}, {slow} with traced stock" if 0 < slow < total else text


def notes(results):
    """Sentences that belong under the tables."""
    found = [f"Medians of {count_rounds(results)}; ratios to the untraced "
             "stock build in the same round; CPU time unless said otherwise."]
    if results.rounds() < 5:
        found.append("Fewer than five rounds: for a first look only.")
    spread = results.spread()
    if spread:
        found.append("The middle half of a cell's ratios spans "
                     f"{100 * spread[0]:.1f} % of it (median cell; widest "
                     f"{100 * spread[1]:.1f} %).")
    if results.data["skipped"]:
        found.append(f"For want of time, {results.data['skipped']} cells of "
                     "stock with tracing on were left out.")
    for name, reason in results.absent.items():
        found.append(f"Absent: {results.labels[name]} ({reason}).")
    return found


def plateau_notes(data):
    """What was done, and whether the tracer's memory stopped growing."""
    last = data["rows"][-1]
    made = ", ".join(
        f"{number:,} {kind}" for kind, number in last["made"].items())
    hours = min(
        last["made"][kind] / number for kind, number in data["hourly"].items())
    assumed = " and ".join(
        f"{number:,} new {kind}" for kind, number in data["hourly"].items())
    parts = ", ".join(f"{size / 2**20:.1f}" for size in data["thirds"])
    resident = ", ".join(f"{size / 2**20:.1f}" for size in data["thirds_rss"])
    return [
        f"Made: {made}; for these the tracer made {last['contexts_made']:,} "
        f"contexts and {last['paths_made']:,} paths and noted "
        f"{last['blocks_made']:,} allocations, at {data['tracing']} frames.",
        f"A service that meets {assumed} in an hour makes as many in "
        f"{hours:.1f} hours.",
        f"Highest tracer memory of each third, in MiB: {parts}.  The last "
        f"third is {data['growth']:+.1f} % against the second; at most "
        f"{data['tolerance']:+.1f} % is a plateau; {last['dropped']} traces "
        "were dropped: "
        f"{'it holds' if data['reached'] else 'IT DOES NOT HOLD'}.",
        "Highest resident memory of each third, in MiB, not judged: "
        f"{resident}."]


def print_report(results, callgrind=None, pyperformance=None, *, file):
    """Everything, for a terminal."""
    def section(title, text):
        print(f"\n{title}\n\n{text}", file=file)

    section("CPU time", aligned(time_table(results)))
    section("Wall time, geometric means",
            aligned([time_table(results, "wall")[index] for index in (0, -1)]))
    section("Peak resident memory", aligned(memory_table(results)))
    live = live_table(results)
    if len(live) > 1:
        section("Live blocks and snapshots", aligned(live))
    reports = reports_table(results)
    if len(reports) > 1:
        section("Reports of snapshot files, CPU time", aligned(reports))
    if callgrind:
        section("Instructions", aligned(counts_table(callgrind)))
    if pyperformance:
        section("pyperformance", aligned(suite_table(pyperformance)))
    section("Reach",
            aligned(reach_table(reach(results, callgrind, pyperformance))))
    print("\n" + "\n".join(notes(results)), file=file)


def heading(title, mark):
    return f"{title}\n{mark * len(title)}\n"


def facts_list(data):
    return "\n".join(f":{name}: {text}" for name, text in facts(data)) + "\n"


def rst_of_results(results, plot, callgrind=None, pyperformance=None):
    """A section of the documentation;
    `plot` is the file name of the plot or None.
    """
    parts = [heading(f"The cases, {results.data['label']}", "="),
             facts_list(results.data)]
    if plot:
        parts.append(
            f".. image:: {plot}\n   :width: 100%\n"
            "   :alt: CPU time and peak memory of every case, as ratios\n")
    parts += [
        "\n".join(notes(results)) + "\n", heading("Reach", "-"),
        simple_table(reach_table(reach(results, callgrind, pyperformance)))
        + "\n",
        heading("CPU time", "-"), simple_table(time_table(results)) + "\n",
        heading("Wall time", "-"),
        simple_table(time_table(results, "wall")) + "\n",
        heading("Peak resident memory", "-"),
        simple_table(memory_table(results)) + "\n"]
    live = live_table(results)
    if len(live) > 1:
        parts += [heading("Live blocks and snapshots", "-"),
                  simple_table(live) + "\n"]
    reports = reports_table(results)
    if len(reports) > 1:
        parts += [heading("Reports of snapshot files, CPU time", "-"),
                  simple_table(reports) + "\n"]
    parts += [heading("What the cases do", "-"),
              "\n".join(f"``{row['name']}``\n    {row['text']}\n"
                        for row in results.data["cases"])]
    return "\n".join(parts)


def rst_of_counts(data):
    parts = [heading(f"Instructions, {data['label']}", "="), facts_list(data)]
    parts += [simple_table(rows) + "\n" for rows in all_counts_tables(data)]
    parts += [f"* {note}" for note in counts_notes(data)]
    return "\n".join(parts)


def suite_notes(data):
    """What was measured of pyperformance, and what not."""
    found = ["Seconds are medians of pyperf's "
             f"values{' with --fast' if data['fast'] else ''}; the others are "
             "ratios to them."]
    if data["subset"]:
        found.append(f"These {data['count']} benchmarks are a subset of the "
                     "suite, chosen to have some of every kind; its "
                     "geometric mean is not that of the suite.")
    for benchmark, name, reason in data["failed"]:
        found.append(f"Failed: {benchmark}, {name} ({reason}).")
    return found


def rst_of_suite(data):
    return "\n".join([heading(f"pyperformance, {data['label']}", "="),
                      facts_list(data), simple_table(suite_table(data)) + "\n",
                      "\n".join(suite_notes(data)) + "\n"])


def curves_notes(data):
    found = ["Instructions (Ir) are for one operation, those above stock with "
             "every frame kept.  Predicted are the instructions of the "
             "smallest number, and the tracer's memory in proportion to what "
             "there is."]
    if any(scale.paper for scale, _ in scales.grouped(data)):
        found.append("The largest numbers without measurements are on paper.")
    found.append(f"Times are medians of {data['rounds']} rounds, above stock."
                 if data["rounds"] else "Time was not measured.")
    return found


def rst_of_curves(data, plot):
    """A section; `plot` is the file name of the plot or None."""
    parts = [heading(data["label"], "="), facts_list(data)]
    if plot:
        parts.append(
            f".. image:: {plot}\n   :width: 100%\n"
            "   :alt: Instructions above stock and the tracer's memory, over "
            "the number of things\n")
    parts.append("\n".join(curves_notes(data)) + "\n")
    for scale, rows in scales.grouped(data):
        parts += [heading(scale.title, "-"), scale.text + "\n",
                  simple_table(curve_table(scale, rows)) + "\n"]
    return "\n".join(parts)


def rst_of_plateau(data):
    rows = plateau_table(data)
    shown = [rows[0], *rows[3::3]]
    return "\n".join([heading(f"Plateau, {data['label']}", "="),
                      facts_list(data), simple_table(shown) + "\n",
                      "\n".join(plateau_notes(data)) + "\n"])


def show_milliseconds(nanoseconds):
    return f"{nanoseconds / 1e6:.4f}"


def pauses_table(data):
    """How long stores took, from the file of Tools/bench/pauses."""
    rows = [["stores go to", "turns", "99.9 %", "longest", "over 1 ms",
             "asleep", "longest asleep", "of all rounds"]]
    for row in data["rows"]:
        rows.append([row["text"], f"{row['turns']:.0f}",
                     *map(show_milliseconds,
                          (row["percentile"], row["longest"])),
                     f"{row['over']:.0f}", f"{row['asleep']:.0f}",
                     *map(show_milliseconds,
                          (row["longest_asleep"], row["worst_asleep"]))])
    return rows


def pauses_notes(data):
    return [
        f"Times in milliseconds; medians of {data['rounds']} rounds of "
        f"{data['seconds']:g} s each, but for the last column.  A turn of the "
        "loop is a store and, traced, a list that is made.  Asleep are turns "
        "that waited for something else than a processor, which is what a "
        "file can do; the others that are long lost the processor.",
        f"The disk is {data['systems']['disk']}, the memory "
        f"{data['systems']['memory']}; all files are written back without "
        "pause meanwhile."]


def rst_of_pauses(data):
    return "\n".join([heading(f"Pauses, {data['label']}", "="),
                      facts_list(data), simple_table(pauses_table(data))
                      + "\n", "\n".join(pauses_notes(data)) + "\n"])
