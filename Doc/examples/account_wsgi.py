"""What each route of a WSGI application allocates, and what it leaves behind.

Put Accounts around the application, below the server:

    app = Accounts(app, name_of)

name_of(environ) returns the name of a route.  Not the path: clients choose
that, and each name is kept.
"""
import sys
import threading
import tracemalloc
from urllib.request import urlopen
from wsgiref.simple_server import WSGIRequestHandler, make_server


class Accounts:
    def __init__(self, app, name_of, soft_limit=None):
        self.app, self.name_of, self.soft_limit = app, name_of, soft_limit

    def __call__(self, environ, start_response):
        # A generator is in its account while it runs, not between its values.
        @tracemalloc.account(self.name_of(environ),
                             soft_limit=self.soft_limit)
        def answer():
            body = self.app(environ, start_response)
            try:
                yield from body
            finally:
                if hasattr(body, "close"):
                    body.close()

        return answer()


# An application that forgets to forget.

ROUTES = {"/cart", "/stock"}
carts = []


def name_of(environ):
    path = environ["PATH_INFO"]
    return f"route {path}" if path in ROUTES else "other routes"


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/cart":
        carts.append(bytearray(100_000))
    yield b"answer " * 10_000
    yield b"the end"


class Handler(WSGIRequestHandler):
    def log_message(self, *args):
        pass


def main(requests):
    tracemalloc.start()
    with make_server("127.0.0.1", 0, Accounts(app, name_of),
                     handler_class=Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for number in range(requests):
            path = ("/cart", "/stock", f"/visitor/{number}")[number % 3]
            with urlopen(f"http://127.0.0.1:{server.server_port}{path}") as r:
                assert r.read().endswith(b"the end")
        server.shutdown()
        thread.join()
    # By name; accounts() has those first that hold most.
    for account in sorted(tracemalloc.accounts(), key=str):
        print(account)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
