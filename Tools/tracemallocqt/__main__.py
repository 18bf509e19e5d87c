"""What was tracemallocqt is python -m tracemalloc view; this starts it."""

import sys

from tracemalloc import _cli

if __name__ == "__main__":
    print("tracemallocqt: note: this is now python -m tracemalloc view",
          file=sys.stderr)
    _cli.main(["view", *sys.argv[1:]])
