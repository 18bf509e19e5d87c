"""Compare the peak memory of two computations in one process.

Without reset_peak() between the two, the second peak would be the first one.
"""
import tracemalloc


def main():
    tracemalloc.start()

    # Builds a list of a hundred thousand numbers to add them up.
    large = sum(list(range(100_000)))
    first_size, first_peak = tracemalloc.get_traced_memory()
    print(f"{first_size=}, {first_peak=}")

    tracemalloc.reset_peak()

    small = sum(list(range(1_000)))
    second_size, second_peak = tracemalloc.get_traced_memory()
    print(f"{second_size=}, {second_peak=}")
    return large, small


if __name__ == "__main__":
    main()
