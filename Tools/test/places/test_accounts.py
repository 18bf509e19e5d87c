"""Accounts of web applications: Flask and Starlette, served to many at once.

Run by Tools/test/places, with an interpreter that has both and Uvicorn.  The
middleware is that of Doc/examples.  What is compared are facts: how many
requests each route had, and what each of them makes and leaves behind.
"""
import gc
import http.client
import importlib.util
import pathlib
import random
import socket
import sys
import threading
import tracemalloc
import unittest
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "Doc" / "examples"

CLIENTS = 8
# Route -> requests.  The ways to the routes take turns.
REQUESTS = {"/cart": 240, "/stock": 240, "/report": 80, "/visitor": 160}
# Bytes of what a request makes; the sizes of blocks tell whose they are.
MADE = {"/cart": 100_000, "/stock": 200_000, "/report": 30_000,
        "/visitor": 7_000}
PARTS = 3                               # of a report, each of which is kept


def example(name):
    spec = importlib.util.spec_from_file_location(name,
                                                  EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def block(route):
    """Return what one request makes: one block of a known size."""
    return b"x" * (MADE[route] - sys.getsizeof(b""))


def route_of(path):
    """Return what an account is named after: few names, many paths."""
    first = "/" + path.split("/")[1]
    return first if first in REQUESTS else "other routes"


def ask(port, paths):
    """Request all paths, one after the other; return the statuses."""
    statuses = Counter()
    for path in paths:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        statuses[answer.status] += 1
        connection.close()
    return statuses


def load(port):
    """Have so many clients at once make all requests."""
    paths = [f"/visitor/{number}" if route == "/visitor" else route
             for route, count in REQUESTS.items()
             for number in range(count)]
    random.Random(7).shuffle(paths)
    paths += ["/nowhere"] * CLIENTS
    with ThreadPoolExecutor(CLIENTS) as pool:
        found = sum(pool.map(ask, [port] * CLIENTS,
                             (paths[client::CLIENTS]
                              for client in range(CLIENTS))), Counter())
    return found


class AccountTests(unittest.TestCase):

    def setUp(self):
        tracemalloc.start(25)
        self.addCleanup(tracemalloc.stop)
        # What the routes forget to let go of.
        self.kept = []

    def check(self, statuses):
        self.assertEqual(statuses, {200: sum(REQUESTS.values()),
                                    404: CLIENTS})
        gc.collect()
        snapshot = tracemalloc.take_snapshot()
        held = Counter()
        data = snapshot.traces._data
        for context, size, count in zip(data.row_context, data.row_size,
                                        data.row_count):
            account = data.names[data.context_account[context]]
            held[account, size] += count
        left = {"/cart": 1, "/stock": 0, "/report": PARTS, "/visitor": 1}
        for route, each in left.items():
            with self.subTest(route=route):
                # In its own account, and in no other.
                self.assertEqual(
                    {account: count for (account, size), count
                     in held.items() if size == MADE[route]},
                    {route: each * REQUESTS[route]} if each else {})
        stats = {stat.traceback[0].filename: stat
                 for stat in snapshot.statistics("account")}
        self.assertLessEqual({*REQUESTS} - {"/stock"}, {*stats})
        self.assertEqual(sum(stat.size for stat in stats.values()),
                         sum(data.live()[0]))
        made = {"/report": PARTS}
        figures = {each.name: each for each in tracemalloc.accounts()}
        for route, count in REQUESTS.items():
            with self.subTest(route=route):
                self.assertGreaterEqual(
                    figures[route].allocated_size,
                    made.get(route, 1) * count * MADE[route])
        self.assertIn("other routes", figures)

    def test_flask(self):
        from flask import Flask, Response
        from werkzeug.serving import WSGIRequestHandler, make_server

        app, kept = Flask(__name__), self.kept

        @app.route("/cart")
        def cart():
            kept.append(block("/cart"))
            return "added"

        @app.route("/stock")
        def stock():
            return Response(block("/stock"))

        @app.route("/report")
        def report():
            def parts():
                for number in range(PARTS):
                    kept.append(block("/report"))
                    yield f"part {number}\n"

            return Response(parts())

        @app.route("/visitor/<int:number>")
        def visitor(number):
            kept.append(block("/visitor"))
            return {"visitor": number}

        class Quiet(WSGIRequestHandler):
            def log(self, *args):
                pass

        accounts = example("account_wsgi").Accounts(
            app, lambda environ: route_of(environ["PATH_INFO"]))
        server = make_server("127.0.0.1", 0, accounts, threaded=True,
                             request_handler=Quiet)
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            statuses = load(server.port)
        finally:
            server.shutdown()
            thread.join()
            # Waits for the threads of requests.
            server.server_close()
        self.check(statuses)

    def test_starlette(self):
        import uvicorn
        from starlette.applications import Starlette
        from starlette.background import BackgroundTask
        from starlette.responses import (
            JSONResponse, PlainTextResponse, StreamingResponse)
        from starlette.routing import Route

        kept = self.kept

        async def cart(request):
            # After the answer has been sent.
            return PlainTextResponse("added", background=BackgroundTask(
                lambda: kept.append(block("/cart"))))

        async def stock(request):
            return PlainTextResponse(block("/stock"))

        async def report(request):
            async def parts():
                for number in range(PARTS):
                    kept.append(block("/report"))
                    yield f"part {number}\n"

            return StreamingResponse(parts())

        def visitor(request):
            # In a thread of the pool.
            kept.append(block("/visitor"))
            return JSONResponse({"visitor": request.path_params["number"]})

        app = Starlette(routes=[
            Route("/cart", cart), Route("/stock", stock),
            Route("/report", report),
            Route("/visitor/{number:int}", visitor)])
        accounts = example("account_asgi").Accounts(
            app, lambda scope: route_of(scope["path"]))
        server = uvicorn.Server(uvicorn.Config(
            accounts, log_level="critical", lifespan="off", loop="asyncio",
            http="h11", ws="none"))
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
            port = listening.getsockname()[1]
            thread = threading.Thread(target=server.run,
                                      kwargs={"sockets": [listening]})
            thread.start()
            try:
                statuses = load(port)
            finally:
                # It goes on until background tasks are done.
                server.should_exit = True
                thread.join()
        self.check(statuses)


if __name__ == "__main__":
    unittest.main()
