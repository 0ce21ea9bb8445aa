"""A JSON API on the loopback address, which answers what a test wants, and a source for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from tests.loopback import PATIENCE, serving
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.frame import Frame
from widgets_app.sources.http import HttpBackend, HttpOptions
from widgets_app.sources.limits import Deadline, Slots, run_limited

TOKEN = "token-of-the-desk-4711"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    raw_path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters of the address, decoded."""
        return parse_qsl(self.query, keep_blank_values=True)

    @property
    def values(self) -> dict[str, str]:
        """The parameters of the address by name."""
        return dict(self.pairs)


@dataclass(frozen=True)
class Given:
    """An answer; JSON unless it is bytes already."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Api:
    """An ASGI application that notes what it is asked; `answer` is called with each request."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Any] = lambda _asked: []
        self.port = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Take the whole request, then answer."""
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        asked = Asked(scope["method"], scope["raw_path"].decode("latin-1"), query, headers, body)
        self.asked.append(asked)
        given = self.answer(asked)
        given = given if isinstance(given, Given) else Given(given)
        content = given.body if isinstance(given.body, bytes) else json.dumps(given.body).encode()
        sent = {"content-type": "application/json", "content-length": str(len(content)), **given.headers}
        head = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": given.status, "headers": head})
        await send({"type": "http.response.body", "body": content})

    def ask(self, text: str, *, limits: Limits | None = None, base: str = "", **values: Any) -> Frame:
        """Run a query once, in a source of its own."""
        return run(source_at(self.port, base), text, limits=limits, **values)


@contextmanager
def served() -> Iterator[Api]:
    """Run an API."""
    api = Api()
    with serving(api, timeout_keep_alive=1) as (api.port, _):
        yield api


def source_at(port: int, base: str = "", **options: Any) -> HttpBackend:
    """Return a source for a port of this machine."""
    options = {"headers": {"Authorization": f"Bearer {TOKEN}"}, "private_hosts": ["127.0.0.1"], **options}
    return HttpBackend("market", HttpOptions(url=f"http://127.0.0.1:{port}{base}", **options))


def run(
    source: HttpBackend, text: str, *, limits: Limits | None = None, slots: Slots | None = None, **values: Any
) -> Frame:
    """Run a query as a request does: in a slot, within its limits."""
    query, limits, call = source.prepare(text), limits or Limits(seconds=PATIENCE), Call()
    work = partial(query.run, {name: values.get(name) for name in query.placeholders}, limits, call)
    return run_limited(
        slots or Slots("market", 2), work, deadline=Deadline(limits.seconds, 'Query "prices"'), call=call
    )
