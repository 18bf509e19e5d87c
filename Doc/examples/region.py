"""Measure two ways to do the same, each in a region of its own.

Both keep the same result; they differ in what they allocate on the way.
"""
import tracemalloc

WORDS = [f"word {number}" for number in range(10_000)]


def join_at_once():
    return "\n".join(WORDS)


def join_by_and_by():
    text = ""
    lines = []
    for word in WORDS:
        lines.append(word.upper().lower())
    for line in lines:
        text = f"{text}\n{line}" if text else line
    return text


def main():
    for function in join_at_once, join_by_and_by:
        with tracemalloc.trace() as region:
            result = function()
        print(f"{function.__name__}: {region}")
        for stat in region.statistics("lineno", sort_by="temporary")[:3]:
            print(f"    line {stat.traceback[0].lineno}: "
                  f"{stat.allocated_count} blocks, {stat.freed_count} freed")
    return result


if __name__ == "__main__":
    main()
