"""Servers that speak what they like, byte by byte."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.loopback import PATIENCE

Talk = Callable[[socket.socket], object]


class Wire:
    """A listening socket: its port, and how many connections it has taken."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.taken = 0
        self.open = 0


@contextmanager
def wired(talk: Talk, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Wire]:
    """Run `talk` on each connection, in a thread of its own, and close the connection after it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        wire = Wire(listener.getsockname()[1])
        threads: list[threading.Thread] = []
        accepting = threading.Thread(target=_accept, args=(listener, wire, talk, tls, threads))
        accepting.start()
        try:
            yield wire
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for thread in (accepting, *threads):
                thread.join(PATIENCE)
                assert not thread.is_alive()


def _accept(
    listener: socket.socket, wire: Wire, talk: Talk, tls: ssl.SSLContext | None, threads: list[threading.Thread]
) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.settimeout(PATIENCE)
            wire.taken += 1
            wire.open += 1
            thread = threading.Thread(target=_talk, args=(connection, wire, talk, tls))
            threads.append(thread)
            thread.start()


def _talk(connection: socket.socket, wire: Wire, talk: Talk, tls: ssl.SSLContext | None) -> None:
    try:
        with connection, suppress(OSError):
            if tls is None:
                talk(connection)
            else:
                with tls.wrap_socket(connection, server_side=True) as secured:
                    talk(secured)
    finally:
        wire.open -= 1


def head(connection: socket.socket) -> bytes:
    """Read a request up to the end of its head; nothing when the other side has closed."""
    found = b""
    while not found.endswith(b"\r\n\r\n"):
        if not (byte := connection.recv(1)):
            return b""
        found += byte
    return found


def until_closed(connection: socket.socket) -> None:
    """Wait until the other side closes."""
    with suppress(OSError):
        while connection.recv(65536):
            pass


def says(answer: bytes, *, times: int = 1) -> Talk:
    """Return a talk that gives the same answer to each of so many requests and then closes."""

    def talk(connection: socket.socket) -> None:
        for _ in range(times):
            if head(connection):
                connection.sendall(answer)

    return talk


def plain(body: bytes = b"", *more: str, status: str = "200 OK", kind: str = "text/plain") -> bytes:
    """Return a whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
