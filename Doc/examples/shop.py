"""A shop over HTTP: one of its routes forgets to forget.

    python -X tracemalloc=25 shop.py [ROUNDS]

Each round has some visitors, and then writes a snapshot, shop-1.tmz and so on.
"""

import gc
import json
import sys
import threading
import tracemalloc
from urllib.request import urlopen
from wsgiref.simple_server import WSGIRequestHandler, make_server

ROUTES = "cart", "search", "help"
VISITORS = 40


class Shop:
    """An application of three routes."""

    def __init__(self):
        self.carts = {}
        self.pages = {}

    def cart(self, visitor):
        """Every visitor has one, and nobody takes it away."""
        wanted = json.dumps([f"article {number}" for number in range(200)])
        self.carts[visitor] = json.loads(wanted)
        return len(self.carts[visitor])

    def search(self, visitor):
        """What it makes is gone when it has been sent."""
        return [f"article {number}" for number in range(200)][-1]

    def help(self, visitor):
        """It is made once."""
        return self.pages.setdefault("help", "Ask us. " * 10_000)[:7]

    def __call__(self, environ, start_response):
        route, _, visitor = environ["PATH_INFO"][1:].partition("/")
        answer = getattr(self, route)(visitor)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(answer).encode()]


class Quiet(WSGIRequestHandler):
    """Writes no line about each request."""

    def log_message(self, *args):
        pass


def visit(address, round):
    """Ask for everything that there is."""
    for visitor in range(VISITORS):
        for route in ROUTES:
            with urlopen(f"{address}/{route}/{round}-{visitor}") as answer:
                answer.read()


def main(rounds):
    server = make_server("127.0.0.1", 0, Shop(), handler_class=Quiet)
    address = f"http://127.0.0.1:{server.server_port}"
    for number in range(1, rounds + 1):
        visitors = threading.Thread(target=visit, args=(address, number))
        visitors.start()
        for _ in range(VISITORS * len(ROUTES)):
            server.handle_request()
        visitors.join()
        gc.collect()
        tracemalloc.take_snapshot().dump(f"shop-{number}.tmz")
    server.server_close()
    print(f"{rounds} rounds of {VISITORS} visitors")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 6)
