"""This backend under a real server, and what both kinds of client get from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from project.asgi import Dispatcher
from project.bridge import THREADS, Bridge
from project.wsgi import application
from tests.loopback import serving
from widgets_app.authentication import KEYS
from widgets_app.catalog import CATALOG


@contextmanager
def running(threads: int = THREADS) -> Iterator[tuple[int, Bridge]]:
    """Serve what is published now; no thread of the server asks the database. Gives the port and the bridge."""
    CATALOG.check()
    KEYS.check()
    dispatcher = Dispatcher(application, threads=threads)
    with serving(dispatcher) as (port, _):
        yield port, dispatcher._bridge


def content(response: Any) -> bytes:
    """Return the body of a test client's response, streamed or not."""
    return b"".join(response)
