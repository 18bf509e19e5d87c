"""Test what is for others with these: pytest, Jupyter, Flask, Starlette.

    python3 Tools/test/places --fork build/fork/python --packages DIR

They are installed from the package index that pip is set up to use, into
virtual environments in the folder, in which the tests of Tools/test/places
run.  Ends with "N passed, M failed"; with status 1 also if there is nothing to
test with, which is said.
"""
import argparse
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import packages                         # noqa: E402

# Test file -> (folder, what is imported, what is installed).
PLACES = {
    "test_pytest": ("pytest", "pytest, xdist, pytest_asyncio",
                    "pytest pytest-xdist pytest-asyncio"),
    "test_notebook": ("jupyter", "nbconvert, ipykernel",
                      "nbconvert ipykernel"),
    "test_accounts": ("web", "flask, starlette, uvicorn",
                      "flask starlette uvicorn"),
}
RAN = re.compile(r"^Ran (\d+) tests?", re.M)
FAILED = re.compile(r"(?:failures|errors)=(\d+)")


def run(name, options):
    """Run one file; return (passed, failed)."""
    folder, modules, distributions = PLACES[name]
    # Nothing of the caller's is to be found by those who are tested.
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith(("PYTHON", "PYTEST", "JUPYTER"))}
    try:
        python = packages.find(options.fork, modules,
                               options.packages.absolute() / folder,
                               environment, distributions)
    except packages.Missing as reason:
        print(f"{name} cannot run: {reason}")
        return 0, 1
    status, said = packages.ask(
        [python, "-s", "-B", HERE / f"{name}.py", "-v"], environment)
    print(said.rstrip())
    ran = sum(map(int, RAN.findall(said)))
    failed = sum(map(int, FAILED.findall(said.rpartition("\nRan ")[2])))
    if not ran or (status and not failed):
        print(f"{name} ended with status {status} before it was done")
        return 0, 1
    return ran - failed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fork", type=pathlib.Path, required=True,
                        metavar="PYTHON", help="the interpreter to test")
    parser.add_argument("--packages", type=pathlib.Path, required=True,
                        metavar="DIR", help="where packages are installed")
    parser.add_argument("--only", nargs="+", choices=PLACES, metavar="FILE",
                        default=list(PLACES), help=", ".join(PLACES))
    options = parser.parse_args()
    options.fork = options.fork.absolute()
    passed, failed = map(sum, zip(*(run(name, options)
                                    for name in options.only)))
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
