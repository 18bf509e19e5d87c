"""Print the call path that holds most memory.

Twenty-five frames are kept per block, so the whole way through the import
system can be read.
"""
import importlib
import tracemalloc


def load_plugins():
    """Import modules by name, as an application with plug-ins does."""
    return [importlib.import_module(name) for name in (
        "email.mime.text", "xml.dom.minidom", "unittest.mock", "http.server")]


def main():
    tracemalloc.start(25)
    plugins = load_plugins()
    statistics = tracemalloc.take_snapshot().statistics("traceback")

    biggest = statistics[0]
    print(f"{biggest.count} memory blocks: {biggest.size / 1024:.1f} KiB")
    for line in biggest.traceback.format():
        print(line)
    return plugins


if __name__ == "__main__":
    main()
