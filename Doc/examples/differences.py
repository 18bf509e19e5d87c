"""Print the ten lines whose memory changed most between two snapshots.

What looks like a leak here is one: every page that is rendered stays in a
cache that nobody empties.
"""
import html
import textwrap
import tracemalloc

rendered = {}


def render(number):
    """Return page *number*, from the cache if it has been made before."""
    if number not in rendered:
        text = html.escape(f"<Page {number}> " * 40)
        rendered[number] = textwrap.fill(text, 72)
    return rendered[number]


def serve(numbers):
    """Render the pages *numbers* and return how many characters that were."""
    return sum(len(render(number)) for number in numbers)


def main():
    tracemalloc.start()
    serve(range(100))                       # warm up
    before = tracemalloc.take_snapshot()
    serve(range(100, 1000))                 # the suspect
    after = tracemalloc.take_snapshot()

    print("[ Top 10 differences ]")
    for difference in after.compare_to(before, "lineno")[:10]:
        print(difference)


if __name__ == "__main__":
    main()
