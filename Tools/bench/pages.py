"""The files of a folder of results, and the page that is made of them.

LABEL.json, LABEL.svg             Tools/bench/run
callgrind-LABEL.json              Tools/bench/callgrind
pyperformance-LABEL.json          Tools/bench/pyperformance-run
plateau-LABEL.json                Tools/bench/plateau
pauses-LABEL.json                 Tools/bench/pauses
results.inc                       all of these, for Doc/benchmarks/index.rst
curves-LABEL.json, .svg           Tools/bench/curves
curves.inc                        both, for Doc/benchmarks/curves.rst
"""
import json
import os

import figures
import tables
from measure import BenchError

CASES, COUNTS, SUITE, PLATEAU, CURVES, PAUSES = KINDS = (
    "cases", "callgrind", "pyperformance", "plateau", "curves", "pauses")
PAGE = "results.inc"
EMPTY = "No figures are kept here yet; ``make bench`` writes them.\n"
CURVES_PAGE = "curves.inc"
NO_CURVES = "No curves are kept here yet; ``make curves`` writes them.\n"


def read(path):
    """The content of a JSON file of ours, checked to be one."""
    try:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
        kind = data["kind"]
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise BenchError(f"{path} was not written by Tools/bench") from None
    if kind not in KINDS:
        raise BenchError(f"{path} was written by another version of "
                         "Tools/bench")
    return data


LISTS = ("runs", "rows", "programs", "operations")


def write(path, data):
    """Write JSON whole or not at all, a line for each run."""
    text = json.dumps({key: value for key, value in data.items()
                       if key not in LISTS},
                      indent=1)
    for key in LISTS:
        if key in data:
            lines = ",\n".join("  " + json.dumps(row) for row in data[key])
            text = f'{text[:-2]},\n "{key}": [\n{lines}\n ]\n}}'
    replace(path, text + "\n")


def replace(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)


def read_all(folder):
    """{kind: {name: data}} of a folder, without what is partial."""
    found = {kind: {} for kind in KINDS}
    for path in sorted(folder.glob("*.json")):
        data = read(path)
        if not data["partial"]:
            found[data["kind"]][path.stem] = data
    return found


def companions(folder, label):
    """(callgrind, pyperformance) data that belong beside the cases of `label`.
    """
    found = []
    for kind in (COUNTS, SUITE):
        path = folder / f"{kind}-{label}.json"
        data = read(path) if path.exists() else None
        found.append(data if data and data["kind"] == kind
                     and not data["partial"] else None)
    return found


def plot_of(folder, name):
    """The file name of the plot of a JSON file, None if there is none."""
    return f"{name}.svg" if (folder / f"{name}.svg").exists() else None


def page(folder):
    """The text of results.inc."""
    found = read_all(folder)
    parts = []
    for name, data in found[CASES].items():
        parts.append(tables.rst_of_results(figures.Results(data),
                                           plot_of(folder, name),
                                           *companions(folder, data["label"])))
    for data in found[SUITE].values():
        parts.append(tables.rst_of_suite(data))
    for data in found[COUNTS].values():
        parts.append(tables.rst_of_counts(data))
    for data in found[PLATEAU].values():
        parts.append(tables.rst_of_plateau(data))
    for data in found[PAUSES].values():
        parts.append(tables.rst_of_pauses(data))
    return "\n\n".join(parts) or EMPTY


def curves_page(folder):
    """The text of curves.inc."""
    return "\n\n".join(
        tables.rst_of_curves(data, plot_of(folder, name))
        for name, data in read_all(folder)[CURVES].items()) or NO_CURVES


def write_pages(folder):
    replace(folder / PAGE, page(folder))
    replace(folder / CURVES_PAGE, curves_page(folder))
