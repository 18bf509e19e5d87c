"""Text and data formats, and the compiler."""
import importlib.util
import json
import re

from . import case


@case(size=(1000, 1000), loops=(180, 40))
def json_both_ways(size):
    """json.dumps() and json.loads() of a list of nested records."""
    document = [
        {"id": number, "name": f"customer {number}", "ratio": number / 7,
         "tags": [f"tag {number % 7}", f"tag {number % 11}", None, True],
         "address": {"street": f"{number} Long Street", "zip": str(number)}}
        for number in range(size)]

    def step():
        text = json.dumps(document)
        again = json.loads(text)
        return len(text) + len(again), None
    return step


@case(size=(2000, 2000), loops=(55, 13))
def strings_regex(size):
    """Split, format, join, replace; matches, groups and substitutions of `re`.
    """
    lines = [f"2024-{number % 12 + 1:02}-{number % 28 + 1:02} "
             f"host{number % 50} GET /item/{number}?page={number % 9}&lang=en "
             f"{number * 37 % 5000} bytes" for number in range(size)]
    pattern = re.compile(r"(?P<date>[\d-]+) (?P<host>\w+) GET (?P<path>\S+) "
                         r"(?P<size>\d+)")
    option = re.compile(r"(\w+)=(\w+)")

    def swap(match):
        return f"{match[2]}:{match[1]}"

    def step():
        total = 0
        parts = []
        for line in lines:
            fields = pattern.match(line).groupdict()
            total += int(fields["size"])
            path, _, query = fields["path"].partition("?")
            parts.append("{:>30} {}".format(path.upper(),
                                            option.sub(swap, query)))
            words = line.replace("/", " / ").split()
            total += len("-".join(words)) + len(option.findall(line))
        return total + len("\n".join(parts)), None
    return step


@case(size=(3, 1), loops=(4, 2))
def compile_modules(size):
    """compile() of large modules of the standard library: parser, AST,
    code objects.
    """
    sources = []
    for name in ("_pydecimal", "argparse", "inspect", "typing", "tarfile",
                 "doctest")[:2 * size]:
        with open(importlib.util.find_spec(name).origin,
                  encoding="utf-8") as stream:
            sources.append(stream.read())

    def step():
        codes = [compile(source, "source.py", "exec", dont_inherit=True)
                 for source in sources]
        return (sum(len(code.co_code) + len(code.co_consts) for code in codes),
                None)
    return step
