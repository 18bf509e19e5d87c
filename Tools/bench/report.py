"""Print the tables of results, draw their plots again and
write results.inc anew.
"""
import pathlib
import sys

import environments
import figures
import options
import pages
import scales
import tables


def parse(arguments):
    parser = options.Parser(prog="Tools/bench/report", description=__doc__)
    parser.add_argument(
        "files", nargs="+", type=pathlib.Path, metavar="FILE.json",
        help="written by one of the programs of Tools/bench")
    parser.add_argument("--no-plot", action="store_true", help="do not draw")
    return parser.parse_args(arguments)


def report(path, data, no_plot):
    if data["kind"] == pages.CASES:
        tables.print_report(figures.Results(data),
                            *pages.companions(path.parent, data["label"]),
                            file=sys.stdout)
        if not no_plot:
            environments.draw(path, path.with_suffix(".svg"))
    elif data["kind"] == pages.PLATEAU:
        print(tables.aligned(tables.plateau_table(data)))
        print("\n" + "\n".join(tables.plateau_notes(data)))
    elif data["kind"] == pages.PAUSES:
        print(tables.aligned(tables.pauses_table(data)))
        print("\n" + "\n".join(tables.pauses_notes(data)))
    elif data["kind"] == pages.CURVES:
        for scale, rows in scales.grouped(data):
            print(f"\n{scale.title}\n")
            print(tables.aligned(tables.curve_table(scale, rows)))
        if not no_plot:
            environments.draw(path, path.with_suffix(".svg"))
    elif data["kind"] == pages.SUITE:
        print(tables.aligned(tables.suite_table(data)))
        print("\n" + "\n".join(tables.suite_notes(data)))
    else:
        for rows in tables.all_counts_tables(data):
            print(tables.aligned(rows) + "\n")
        print("\n".join(tables.counts_notes(data)))


def main():
    given = parse(sys.argv[1:])
    for path in given.files:
        report(path, pages.read(path), given.no_plot)
    for folder in sorted({path.parent for path in given.files}):
        pages.write_pages(folder)
    return 0


if __name__ == "__main__":
    sys.exit(options.guarded(main))
