"""The page for people: which processes there are, and what to ask for.

It needs nothing but itself, runs no code, and all that processes tell of
themselves is text in it.
"""

from base64 import b64encode
from hashlib import sha256
from html import escape
from urllib.parse import quote

from tracemalloc._cli.screen import printable
from tracemalloc._text import format_size

# More rows help nobody.
_MOST = 1000

_STYLE = """\
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto;
  max-width: 72em; padding: 0 1em; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .3em .7em; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid; }
td { border-bottom: 1px solid color-mix(in srgb, currentColor 20%,
  transparent); overflow-wrap: anywhere; }
.n { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.ended td { opacity: .65; }
code { font: 13px ui-monospace, monospace; }
.fault { border-left: 4px solid #c33; padding-left: .7em; }
"""

# Only this style, and nothing from elsewhere.
POLICY = ("default-src 'none'; style-src 'sha256-"
          + b64encode(sha256(_STYLE.encode()).digest()).decode()
          + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


def _size(number):
    return "-" if number is None else format_size(number, False)


def _age(process, now):
    if not process.written:
        return "-"
    seconds = max(now - process.written, 0)
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.0f} h"


def _link(path, text):
    return f'<a href="{escape(path)}">{escape(text)}</a>'


def _row(process, now):
    query = "?record=" + quote(process.name, safe="",
                               errors="surrogateescape")
    links = " ".join((
        _link(f"/debug/pprof/heap{query}", "heap"),
        _link(f"/debug/pprof/allocs{query}", "allocs")))
    if not process.ended and process.state != "snapshot":
        links += " " + _link(f"/debug/pprof/heap{query}&seconds=10",
                             "10 s")
    name = printable(process.program) or "?"
    cells = (
        ("n", str(process.pid) if process.pid else "-"),
        ("", name), ("", process.state),
        ("n", _size(process.current)), ("n", _size(process.peak)),
        ("n", f"{process.blocks:,}"), ("n", _size(process.rss)),
        ("n", _age(process, now)))
    row = "".join(f'<td class="{kind}">{escape(text)}</td>' if kind
                  else f"<td>{escape(text)}</td>" for kind, text in cells)
    kind = ' class="ended"' if process.ended else ""
    return f"<tr{kind}>{row}<td>{links}</td></tr>"


def html(processes, faults, more, *, what, address, now):
    """Return the page.

    what    -- what the agent looks at
    address -- how it is reached, 'http://127.0.0.1:4041'
    now     -- seconds since the epoch
    """
    ended = sum(each.ended for each in processes)
    live = len(processes) - ended
    rows = "\n".join(_row(each, now) for each in sorted(
        processes, key=lambda each: each.ended)[:_MOST])
    left_out = more + max(len(processes) - _MOST, 0)
    notes = [f"<p>{left_out:,} more are not shown.</p>"] if left_out else []
    notes += [f'<p class="fault">{escape(printable(fault))}</p>'
              for fault in faults[:20]]
    if len(faults) > 20:
        notes.append(f"<p>{len(faults) - 20:,} more records cannot be read."
                     "</p>")
    example = escape(address)
    return f"""\
<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Memory of {live} processes</title>
<style>{_STYLE}</style></head><body>
<h1>Memory of Python processes</h1>
<p>{live} of {len(processes)} are there, as their records in
<code>{escape(printable(what))}</code> tell.</p>
<table><thead><tr><th class="n">pid</th><th>program</th><th>state</th>
<th class="n">traced</th><th class="n">peak</th><th class="n">blocks</th>
<th class="n">resident</th><th class="n">written</th><th>profiles</th></tr>
</thead><tbody>
{rows}
</tbody></table>
{"".join(notes)}
<h2>All that run, in one profile</h2>
<ul>
<li>{_link("/debug/pprof/heap", "/debug/pprof/heap")}: what they hold</li>
<li>{_link("/debug/pprof/allocs", "/debug/pprof/allocs")}: what they
allocated</li>
<li>{_link("/metrics", "/metrics")}: figures for Prometheus</li>
</ul>
<p><code>?seconds=30</code> makes a profile the difference of two moments,
<code>?pid=N</code> that of one process; <code>?labels=pid,thread</code> or
<code>?labels=none</code> is what samples are told apart by. With
<code>?least=16KiB</code>, call paths that hold less are one, and with
<code>?ended=1</code> processes count that are no more.</p>
<pre><code>go tool pprof -top {example}/debug/pprof/heap
go tool pprof -http=: {example}/debug/pprof/allocs</code></pre>
</body></html>
"""
