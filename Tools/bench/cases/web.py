"""What a small web service does with a request, without the network."""
import datetime
import email.parser
import html
import http.cookies
import io
import json
import logging
import sqlite3
import string
import urllib.parse
import uuid

from . import case

REQUEST = """\
Host: shop.example.org
User-Agent: Reader/5.0 (like nothing else)
Accept: text/html,application/json;q=0.9,*/*;q=0.8
Accept-Language: en,de;q=0.7
Content-Type: application/json; charset=utf-8
Cookie: session={session}; theme=dark; seen="{number}"
X-Request-Id: {number}

"""

PAGE = string.Template("""\
<html><head><title>$title</title></head>
<body><h1>$title</h1><ul>$rows</ul><p>$when</p></body></html>
""")

ROW = string.Template("<li id='$key'>$name: $price</li>")


class Service:
    """Routes, a session store, a database in memory and a log."""

    def __init__(self):
        self.database = sqlite3.connect(":memory:")
        self.database.execute("create table item (key integer primary key, "
                              "name, price)")
        self.database.executemany("insert into item values (?, ?, ?)", (
            (number, f"item <{number}>", number * 1.25)
            for number in range(400)))
        self.sessions = {}
        self.log = logging.Logger("service", logging.INFO)
        self.log.addHandler(logging.StreamHandler(io.StringIO()))
        self.headers = email.parser.Parser()

    def handle(self, number, target, text, body):
        headers = self.headers.parsestr(text, headersonly=True)
        cookies = http.cookies.SimpleCookie(headers["Cookie"])
        session = self.sessions.setdefault(cookies["session"].value,
                                           {"visits": 0})
        session["visits"] += 1
        url = urllib.parse.urlsplit(target)
        query = urllib.parse.parse_qs(url.query)
        order = json.loads(body)
        page = int(query["page"][0])
        rows = self.database.execute(
            "select key, name, price from item where key between ? and ? "
            "order by price desc", (page, page + 8)).fetchall()
        when = (datetime.datetime(2024, 1, 1)
                + datetime.timedelta(seconds=number))
        token = uuid.uuid5(uuid.NAMESPACE_URL, target)
        if url.path.endswith(".json"):
            answer = json.dumps({"rows": rows, "order": order,
                                 "when": when.isoformat(),
                                 "token": str(token)})
        else:
            items = "".join(ROW.substitute(key=key, name=html.escape(name),
                                           price=f"{price:.2f}")
                            for key, name, price in rows)
            answer = PAGE.substitute(title=html.escape(order["title"]),
                                     rows=items,
                                     when=when.strftime("%d %B %Y"))
        self.log.info("%s %s %d", headers["X-Request-Id"], url.path,
                      len(answer))
        return answer.encode()


@case(size=(200, 200), loops=(20, 5))
def web_mix(size):
    """Headers, cookies, URLs, JSON, SQL, templates, dates and a log,
    per request.
    """
    requests = []
    for number in range(size):
        kind = "json" if number % 3 == 0 else "html"
        requests.append((
            number,
            f"/shop/list.{kind}?page={number % 300}&sort=price&q=a%20b",
            REQUEST.format(session=number % 40, number=number),
            json.dumps({"title": f"<order {number}>", "lines": [number] * 8})))

    def step():
        service = Service()
        total = sum(len(service.handle(*request)) for request in requests)
        service.database.close()
        return total, service.sessions
    return step
