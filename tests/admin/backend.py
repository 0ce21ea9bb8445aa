"""A backend behind this one: it asks for a key, has two widgets, and repeats what it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.loopback import serving
from widgets_app.models import Source
from widgets_app.sealing import seal

SECRET = "s3cret-of-the-backend"
HEADERS = {"X-API-KEY": SECRET}
# What it answers that is no echo.
ANSWERS: dict[str, tuple[int, str, bytes]] = {
    "/widgets.json": (200, "application/json", b'{"one": {}, "two": {}}'),
    "/made": (201, "application/json", b'{"made": true}'),
    "/nonsense": (200, "application/json", b"{nonsense"),
    "/large": (200, "text/plain", b"x" * 6_000_000),
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer one request."""
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    asked = {"method": scope["method"], "path": scope["path"], "query": scope["query_string"].decode()}
    echo = json.dumps({**asked, "body": json.loads(body) if body else None}).encode()
    found = ANSWERS.get(scope["path"], (200, "application/json", echo))
    status, kind, content = found if headers.get("x-api-key") == SECRET else (401, "text/plain", SECRET.encode())
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind.encode())]})
    await send({"type": "http.response.body", "body": content})


@contextmanager
def running() -> Iterator[int]:
    """Serve it; gives the port."""
    with serving(app) as (port, _):
        yield port


def source(port: int, *, name: str = "desk", headers: Any = None, **more: Any) -> Source:
    """Make the source for it."""
    options = {"url": f"http://127.0.0.1:{port}", "private_hosts": ["127.0.0.1"]}
    sealed = seal({"headers": HEADERS if headers is None else headers})
    return Source.objects.create(name=name, kind="http", options=options, secrets=sealed, **more)
