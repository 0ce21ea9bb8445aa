"""Real servers and clients on the loopback address."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

# How long anything may take before a test gives up; nothing is expected to come near it.
PATIENCE = 60.0


def eventually(condition: Callable[[], bool], *, every: float = 0.01) -> None:
    """Wait until it is so, asking every so many seconds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(every)


@contextmanager
def serving(app: Any, *, port: int = 0, lifespan: Any = "off", **config: Any) -> Iterator[tuple[int, uvicorn.Server]]:
    """Serve an ASGI application in a thread, on a free port unless one is named; gives the port and the server."""
    listener = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, lifespan=lifespan, log_config=None, **config))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1], server
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


class Response:
    """An answer, read whole."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()


def connected(port: int, tls: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
    """Return a connection for requests, with TLS if there is a context for it."""
    if tls:
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=tls)
    return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)


def ask(port: int, path: str = "/", method: str = "GET", body: Any = None, tls: Any = None, **headers: str) -> Response:
    """Send one request on a connection of its own; `_` in the names of headers stands for `-`."""
    connection = connected(port, tls)
    try:
        connection.request(method, path, body, {n.replace("_", "-"): v for n, v in headers.items()})
        return Response(connection.getresponse())
    finally:
        connection.close()


def raw(port: int, request: bytes) -> socket.socket:
    """Send the bytes of a request and return the connection."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.sendall(request)
    return connection


def everything(connection: socket.socket) -> bytes:
    """Read until the server closes."""
    with connection, connection.makefile("rb") as file:
        return file.read()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
