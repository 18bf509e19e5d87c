"""python -m pytracemalloc: the command line of 2013, tracemalloc._cli.show."""

from tracemalloc._cli import main_of_2013

if __name__ == "__main__":
    main_of_2013("python -m pytracemalloc")
