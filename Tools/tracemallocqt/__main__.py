"""Show snapshot files in a window: python3.13 Tools/tracemallocqt FILE..."""
import argparse
import sys

import model


class Parser(argparse.ArgumentParser):

    def error(self, message):
        self.exit(2, f"tracemallocqt: {message} (--help lists the options)\n")


def main():
    parser = Parser(
        prog="tracemallocqt",
        description="Show snapshot files of tracemalloc in a window:"
        " one file, or what changed between two. Needs PySide6 or PyQt6.",
        epilog="example: python3.13 Tools/tracemallocqt before.tmz after.tmz")
    parser.add_argument(
        "files", nargs="+", metavar="FILE",
        help="written by Snapshot.dump(), of any version and format")
    options = parser.parse_args()
    try:
        session = model.Session(options.files)
        for number in session.checked:
            session.files[number].snapshot()
    except (OSError, ValueError) as error:
        sys.exit(f"tracemallocqt: {error}")
    try:
        import window
    except ImportError:
        sys.exit("tracemallocqt: neither PySide6 nor PyQt6 is installed for "
                 "this Python; install one: python3.13 -m pip install "
                 "PySide6-Essentials")
    return window.show(session)


if __name__ == "__main__":
    sys.exit(main())
