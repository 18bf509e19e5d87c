"""python -m tracemalloc: see tracemalloc._cli."""

from tracemalloc._cli import main

# A program that `run` starts takes this module's place, so that nothing may
# come after this.
if __name__ == "__main__":
    main()
