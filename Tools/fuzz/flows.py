#!/usr/bin/env python3
"""Compare captures of random programs with the stacks that these see.

usage: build/fork/python Tools/fuzz/flows.py [--seconds N] [--seed N]

The programs resume generators and coroutines from wherever they can: see
test/tracemalloc_flows.py.  Prints the number of one whose captures are wrong,
and its text.  Exit status: 0, or 1 if there was such a program.
"""
import argparse
import sys
import time
import tracemalloc
from test.tracemalloc_flows import Program, check_flow
from test.tracemalloc_recorder import ALL_FRAMES


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60,
                        help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="number of the "
                        "first program; one is printed at the end to go on "
                        "with")
    options = parser.parse_args()
    tracemalloc.start(ALL_FRAMES)
    end = time.monotonic() + options.seconds
    number, compared = options.seed, 0
    while time.monotonic() < end:
        try:
            compared += check_flow(number)
        except AssertionError as fault:
            # What follows may be wrong because this was.
            print(f"program {number}: {fault}\n{Program(number).text}")
            return 1
        number += 1
    print(f"{number - options.seed} programs, {compared} blocks compared, "
          f"nothing wrong; go on with --seed {number}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
