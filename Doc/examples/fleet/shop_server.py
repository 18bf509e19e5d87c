"""A server with three workers that never forgets what it was asked.

usage: shop_server.py [PORT]

It listens on this machine only.  The process that is started forks the
workers, and starts none anew that has ended; SIGTERM ends them all.
"""
import http.server
import os
import signal
import socket
import sys

WORKERS = 3


class Basket:
    seen = {}                           # request: page, for ever

    def page(self, path):
        text = f"<p>{path}</p>" * 2000
        self.seen[path] = text          # the leak
        return text.encode()


class Handler(http.server.BaseHTTPRequestHandler):
    basket = Basket()

    def do_GET(self):
        body = self.basket.page(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Worker", str(os.getpid()))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def end(number, frame):
    raise SystemExit


def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    signal.signal(signal.SIGTERM, end)
    listening = socket.create_server(("127.0.0.1", port))
    server = http.server.HTTPServer(listening.getsockname(), Handler,
                                    bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    workers = []
    for _ in range(WORKERS):
        worker = os.fork()
        if not worker:
            server.serve_forever()
        workers.append(worker)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}, workers "
          f"{', '.join(map(str, workers))}", flush=True)
    try:
        signal.pause()
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGTERM)
            os.waitpid(worker, 0)


if __name__ == "__main__":
    main()
