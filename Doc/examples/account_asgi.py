"""What each route of an ASGI application allocates, and what it leaves behind.

Put Accounts around the application, below the server:

    app = Accounts(app, name_of)

name_of(scope) returns the name of a route.  Not the path: clients choose that,
and each name is kept.
"""
import asyncio
import sys
import tracemalloc


class Accounts:
    def __init__(self, app, name_of, soft_limit=None):
        self.app, self.name_of, self.soft_limit = app, name_of, soft_limit

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        with tracemalloc.account(self.name_of(scope),
                                 soft_limit=self.soft_limit):
            await self.app(scope, receive, send)


# An application that forgets to forget.

ROUTES = {"/cart", "/stock"}
carts = []


def name_of(scope):
    return f"route {scope['path']}" if scope["path"] in ROUTES \
        else "other routes"


async def app(scope, receive, send):
    await receive()
    if scope["path"] == "/cart":
        carts.append(bytearray(100_000))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    body = b"answer " * 10_000
    await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": body})


# In place of a server: all requests at once.

async def request(app, path):
    sent = []

    async def receive():
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        await asyncio.sleep(0)
        sent.append(message["type"])

    await app({"type": "http", "method": "GET", "path": path}, receive, send)
    assert sent == ["http.response.start", "http.response.body"]


async def main(requests):
    tracemalloc.start()
    wrapped = Accounts(app, name_of)
    async with asyncio.TaskGroup() as group:
        for number in range(requests):
            path = ("/cart", "/stock", f"/visitor/{number}")[number % 3]
            group.create_task(request(wrapped, path))
    for account in tracemalloc.accounts():
        print(account)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 30))
