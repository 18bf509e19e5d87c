"""push: profiles of running programs, sent to a Pyroscope server."""

import base64
import os

from tracemalloc._cli import UsageError, note
from tracemalloc._cli.options import Parser, checked
from tracemalloc._cli.serve import (
    add_labels, add_least, add_source, read_token, source_of)
from tracemalloc._cli.units import seconds, some

# Where other profilers of that server have them from.
_APPLICATION = "PYROSCOPE_APPLICATION_NAME"
_LABELS = "PYROSCOPE_LABELS"
_TENANT = "PYROSCOPE_TENANT_ID"
_USER, _PASSWORD = "PYROSCOPE_BASIC_AUTH_USER", "PYROSCOPE_BASIC_AUTH_PASSWORD"


def _parser():
    parser = Parser(
        "push", "Send what programs hold and allocate to a Pyroscope server, "
        "now and\nthen.  A server that cannot be reached gets it later.",
        "push --to http://127.0.0.1:4040 --label zone=a", reports=False)
    add_source(parser)
    parser.add_argument("--to", metavar="URL", required=True,
                        help="the server, without /ingest")
    parser.add_argument("--every", metavar="TIME", type=checked(_every),
                        default="15s",
                        help="from one profile to the next (default: 15s)")
    parser.add_argument("--name", type=checked(_name),
                        help=f"of the application (default: ${_APPLICATION}, "
                             "or the name of each program)")
    parser.add_argument("--label", metavar="NAME=VALUE", action="append",
                        type=checked(_label), default=[],
                        help="of all profiles; may be repeated, and adds to "
                             f"${_LABELS}, which is NAME=VALUE,...")
    parser.add_argument("--tenant", metavar="ID",
                        help=f"sent as X-Scope-OrgID (default: ${_TENANT})")
    parser.add_argument("--token-file", metavar="FILE",
                        help="file with a token to send as 'Authorization: "
                             f"Bearer TOKEN'; without, ${_USER} and "
                             f"${_PASSWORD} are sent if there are such")
    parser.add_argument("--keep", metavar="SIZE", type=checked(some),
                        default="16MiB",
                        help="profiles that wait for the server, all "
                             "together; the oldest are dropped if there are "
                             "more (default: 16MiB)")
    add_labels(parser, "none")
    add_least(parser)
    return parser


def _every(text):
    value = seconds(text)
    if value < 1:
        raise ValueError(f"{text!r} is too often: 1s is the least")
    return value


def _name(text):
    from tracemalloc._agent.ingest import check_name

    check_name(text)
    return text


def _label(text):
    from tracemalloc._agent.ingest import check_label

    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is no label such as zone=a")
    check_label(key, value)
    return key, value


def _from_environment(name, convert, default):
    """Return convert(variable), or the default if it is not there."""
    text = os.environ.get(name)
    if not text:
        return default
    try:
        return convert(text)
    except ValueError as error:
        raise UsageError(f"the variable {name}: {error}") from None


def _labels(options):
    """Return the labels of all profiles; options override variables."""
    found = dict(_from_environment(
        _LABELS, lambda text: list(map(_label, text.split(","))), ()))
    return sorted((found | dict(options.label)).items())


def _headers(options):
    headers = {}
    tenant = options.tenant or os.environ.get(_TENANT)
    if tenant:
        if not (tenant.isascii() and tenant.isprintable()):
            raise UsageError(f"{tenant!r} cannot be sent as a tenant: it is "
                             "not ASCII")
        headers["X-Scope-OrgID"] = tenant
    if options.token_file:
        token = read_token(options.token_file).decode()
        headers["Authorization"] = f"Bearer {token}"
    elif os.environ.get(_USER):
        pair = f"{os.environ[_USER]}:{os.environ.get(_PASSWORD, '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(
            pair.encode("utf-8", "surrogateescape")).decode()
    return headers


def main(arguments):
    from tracemalloc._agent.ending import Ending
    from tracemalloc._agent.ingest import Ingest
    from tracemalloc._agent.pusher import Pusher
    from tracemalloc._cli.screen import printable

    parser = _parser()
    options = parser.parse_args(arguments)
    name = options.name or _from_environment(_APPLICATION, _name, None)
    headers = _headers(options)
    try:
        ingest = Ingest(options.to, headers)
    except ValueError as error:
        parser.error(f"--to: {error}")
    source = source_of(options)
    pusher = Pusher(source, ingest.send, name=name, labels=_labels(options),
                    own_labels=options.labels, every=options.every,
                    least=options.least, keep=options.keep, tell=note)
    with Ending(ingest.interrupt) as ending:
        print(printable(f"Sending {source.what} to {options.to} every "
                        f"{options.every:g} s (Ctrl-C ends it)"), flush=True)
        complete = pusher.run(ending)
    number = pusher.delivered
    print(f"{number} profile{'s' * (number != 1)} delivered", flush=True)
    return 0 if complete else 1
