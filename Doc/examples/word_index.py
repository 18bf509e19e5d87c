"""Index the words in the source files of a package: something to trace.

    python -m tracemalloc run word_index.py json

keeps more than it needs, which the snapshot shows.
"""
import importlib.util
import os
import sys


class Index:
    """Which files has a word, and how often?"""

    def __init__(self):
        self.files = {}
        self.texts = []

    def add(self, path):
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        # Nobody looks at it again: this is the mistake.
        self.texts.append(text)
        for word in text.split():
            counts = self.files.setdefault(word, {})
            counts[path] = counts.get(path, 0) + 1


def build(package):
    """Return the Index of a package's own folder."""
    index = Index()
    for folder in importlib.util.find_spec(package).submodule_search_locations:
        for name in sorted(os.listdir(folder)):
            if name.endswith(".py"):
                index.add(os.path.join(folder, name))
    return index


if __name__ == "__main__":
    index = build(sys.argv[1])
    print(len(index.files), "words in", len(index.texts), "files")
