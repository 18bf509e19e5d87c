"""Print where an object was made.

Two frames are kept: the line that made the object, and the one that called.
"""
import tracemalloc


class Object:
    pass


def f():
    return Object()


def main():
    tracemalloc.start(2)
    traceback = tracemalloc.get_object_traceback(f())
    print("Traceback (most recent call first):")
    for line in traceback.format(most_recent_first=True):
        print(line)


if __name__ == "__main__":
    main()
