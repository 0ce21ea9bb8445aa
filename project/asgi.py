"""The ASGI application, which every server of the project runs."""

from __future__ import annotations

import logging

from project.bridge import FAILED, THREADS, Answer, Bridge, Receive, Scope, Send, WSGIApp, send_answer
from project.wsgi import application as wsgi_application
from widgets_app import documents, front, snapshots, warming
from widgets_app.authentication import KEYS
from widgets_app.catalog import CATALOG

POLICY_VIOLATION = 1008

logger = logging.getLogger(__name__)


class Dispatcher:
    """Sends manifests to the front, which answers from memory, and all other HTTP to Django in threads."""

    def __init__(self, wsgi: WSGIApp, *, threads: int = THREADS) -> None:
        self._bridge = Bridge(wsgi, refuse=refuse, threads=threads, takes_chunks=_is_file)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of any kind."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await _refuse_websocket(receive, send)
        elif (answer := _from_memory(scope)) is not None:
            await send_answer(send, answer)
        else:
            await self._bridge(scope, receive, send)


def _is_file(scope: Scope) -> bool:
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path.startswith(documents.FILES)


def refuse(scope: Scope, status: int, message: str) -> Answer:
    """Return an error made outside Django; it looks as if made inside."""
    return front.refuse(scope["headers"], status, message)


def _from_memory(scope: Scope) -> Answer | None:
    # While nothing is in memory yet, asking waits for the database: a thread may do that, the loop may not.
    if scope["method"] not in ("GET", "HEAD") or not (CATALOG.is_loaded and KEYS.is_loaded):
        return None
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    address = (scope.get("client") or ("",))[0]
    try:
        return front.answer(scope["method"], path, scope["headers"], scope["query_string"], address)
    except Exception:
        # Uvicorn would answer in plain text without CORS, and the browser would hide what went wrong.
        logger.exception("%s %r failed", scope["method"], path)
        return refuse(scope, 500, FAILED)


async def _refuse_websocket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "There is no live feed here."})


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    snapshots.watch()
    schedule = warming.Schedule()
    schedule.start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    schedule.stop()
    await send({"type": "lifespan.shutdown.complete"})


application = Dispatcher(wsgi_application)
