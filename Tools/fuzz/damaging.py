"""What the programs that damage files have in common."""
import argparse
import os
import resource
import shutil
import sys
import traceback


def begin(doc, keep):
    """Return the options, with the folder made and memory bounded.

    doc  -- docstring of the program: its first line says what it does
    keep -- the folder for files that show a bug, unless told otherwise
    """
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60,
                        help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="number of the "
                        "first file; one is printed at the end to go on with")
    parser.add_argument(
        "--keep", metavar="FOLDER", default=keep,
        help="where files are kept that show a bug (default: %(default)s)")
    options = parser.parse_args()
    os.makedirs(options.keep, exist_ok=True)
    # So that what takes too much fails here and not the machine.
    resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
    return options


def keep_file(options, number, current, what=""):
    """Keep the file of that number; print what it showed just now."""
    kept = os.path.join(options.keep, str(number))
    shutil.copyfile(current, kept)
    print(f"file {number}{what}, kept as {kept}:", flush=True)
    traceback.print_exc(file=sys.stdout)
