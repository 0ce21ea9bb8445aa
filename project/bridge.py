"""Serves a WSGI application from an ASGI server, in threads of its own.

The environ has one key beyond WSGI: `DISCONNECTED` names an event that is set as soon as nobody waits for the
answer any more (the client hung up, the answer is complete, or the server stops), so that long work can stop early.
"""

from __future__ import annotations

import asyncio
import io
import logging
import queue
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote_to_bytes
from wsgiref.util import FileWrapper

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Sequence[tuple[str, str]]
Answer = tuple[int, Headers, bytes]
Refuse = Callable[[Scope, int, str], Answer]
WSGIApp = Callable[[dict[str, Any], Any], Iterable[bytes]]

DISCONNECTED: Final = "widgets.disconnected"
# Set where the body comes in chunks: its input ends where the body does, and CONTENT_LENGTH tells nothing.
CHUNKED: Final = "wsgi.input_terminated"
THREADS: Final = 16
# Large enough that a static file of some megabytes takes few hops between thread and loop.
FILE_BLOCK_BYTES: Final = 64 * 1024

BUSY = "The server has too many requests at once. Try again in a few seconds."
FAILED = "The server failed on this request. Try again, and if it fails again have its log looked at."
LENGTH_MISSING = "The body came in chunks of unknown total length. Send it with a Content-Length header."
STOPPING = "The server is restarting. Try again in a few seconds."

logger = logging.getLogger(__name__)


async def send_answer(send: Send, answer: Answer) -> None:
    """Send a whole answer."""
    status, headers, body = answer
    await send(_start(status, headers))
    await send({"type": "http.response.body", "body": body})


class BodyBrokeOff(OSError):
    """The client stopped sending before the body was complete."""


class Bridge:
    """An ASGI application for `http` scopes that runs a WSGI application in daemon threads.

    `threads` requests run at once, `in_flight` may run or wait: one more is answered 503. A client that for
    `stall_seconds` sends nothing of its body, or takes nothing of its stream, loses its thread. `refuse`
    makes the errors that don't come from the application, from a scope, a status and one line of text.
    Bodies in chunks are taken where `takes_chunks` says of a scope that the application expects them.
    """

    def __init__(
        self,
        app: WSGIApp,
        *,
        refuse: Refuse,
        threads: int = THREADS,
        in_flight: int = 256,
        stall_seconds: float = 60.0,
        takes_chunks: Callable[[Scope], bool] = lambda _scope: False,
    ) -> None:
        self._app = app
        self._refuse = refuse
        self._threads = threads
        self._in_flight = in_flight
        self._stall_seconds = stall_seconds
        self._takes_chunks = takes_chunks
        self._jobs: queue.SimpleQueue[_Exchange] = queue.SimpleQueue()
        # What follows is read and written on the event loop only, so it needs no lock.
        self._waiting: deque[_Exchange] = deque()
        self._busy = 0
        self._started = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if _is_chunked(scope) and not self._takes_chunks(scope):
            await send_answer(send, self._refuse(scope, 411, LENGTH_MISSING))
        elif self._busy + len(self._waiting) >= self._in_flight:
            await send_answer(send, self._refuse(scope, 503, BUSY))
        else:
            answer = await self._answer(_Exchange(scope, receive, send, self._stall_seconds))
            if answer is not None:
                await send_answer(send, answer)

    async def _answer(self, exchange: _Exchange) -> Answer | None:
        """Return the whole answer, or nothing when it was streamed or nobody waits for it."""
        watch = asyncio.create_task(exchange.watch())
        watch.add_done_callback(lambda _: self._drop(exchange))
        self._waiting.append(exchange)
        self._dispatch()
        try:
            return await exchange.done
        except asyncio.CancelledError:
            # Only a server that stops cancels. Passed on, it would become a plain text 500 without CORS.
            return None if exchange.started else self._refuse(exchange.scope, 503, STOPPING)
        finally:
            watch.cancel()

    def _dispatch(self) -> None:
        while self._waiting and self._busy < self._threads:
            self._busy += 1
            self._jobs.put(self._waiting.popleft())
            if self._busy > self._started:
                self._started += 1
                # The threads of an executor are joined at exit, which the slowest request would hold up.
                threading.Thread(target=self._work, name=f"wsgi-{self._started}", daemon=True).start()

    def _drop(self, exchange: _Exchange) -> None:
        if exchange in self._waiting:
            self._waiting.remove(exchange)
            self._settle(exchange, None)

    def _finish(self, exchange: _Exchange, answer: Answer | None) -> None:
        self._busy -= 1
        self._dispatch()
        self._settle(exchange, answer)

    @staticmethod
    def _settle(exchange: _Exchange, answer: Answer | None) -> None:
        if not exchange.done.done():
            exchange.done.set_result(answer)

    def _work(self) -> None:
        while True:
            self._run(self._jobs.get())

    def _run(self, exchange: _Exchange) -> None:
        try:
            answer = exchange.respond(self._app)
        # SystemExit too: it would end the thread, and its slot would stay taken for good.
        except BaseException:
            answer = self._failed(exchange)
        with suppress(RuntimeError):  # the loop is closed: the server has stopped
            exchange.loop.call_soon_threadsafe(self._finish, exchange, answer)

    def _failed(self, exchange: _Exchange) -> Answer | None:
        if exchange.gone.is_set():
            return None
        logger.exception("%s %r failed", exchange.scope["method"], exchange.scope["path"])
        # Half an answer can only be cut off: the server closes the connection, and the client sees the gap.
        return None if exchange.started else self._refuse(exchange.scope, 500, FAILED)


class Departure(threading.Event):
    """Set once nobody waits for an answer any more; then it calls whoever wants to know, possibly twice."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[Callable[[], object]] = []

    def tell(self, call: Callable[[], object]) -> None:
        """Have `call` called, which must not wait nor raise: it may run on the event loop."""
        self._calls.append(call)
        if self.is_set():
            call()

    def set(self) -> None:
        """Tell everybody."""
        super().set()
        for call in self._calls:
            call()


class _Exchange:
    """One request and its answer: the loop watches the connection, a thread speaks WSGI."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, stall_seconds: float) -> None:
        self.scope = scope
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[Answer | None] = self.loop.create_future()
        self.gone = Departure()
        self.started = False
        self._receive = receive
        self._send = send
        self._stall_seconds = stall_seconds
        self._wanted = asyncio.Event()
        self._parts: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._head: tuple[int, list[tuple[str, str]]]

    async def watch(self) -> None:
        """Read the body, one part ahead of the thread, then wait until the client has gone."""
        try:
            while (message := await self._receive())["type"] == "http.request":
                self._parts.put(message)
                if message.get("more_body"):
                    await self._wanted.wait()
                    self._wanted.clear()
        finally:
            self.gone.set()
            self._parts.put(None)

    def next_part(self) -> Message:
        """Return the next part of the body; raises OSError when it doesn't come. Called in a thread."""
        with suppress(queue.Empty):
            if (part := self._parts.get(timeout=self._stall_seconds)) is not None:
                if part.get("more_body"):
                    self.loop.call_soon_threadsafe(self._wanted.set)
                return part
        self.gone.set()
        raise BodyBrokeOff("The client stopped sending before the body was complete.")

    def respond(self, app: WSGIApp) -> Answer | None:
        """Run the application; return the answer, or nothing when it was streamed. Called in a thread."""
        environ = environ_of(self.scope) | {DISCONNECTED: self.gone}
        if environ.get("CONTENT_LENGTH", "0") != "0" or environ[CHUNKED]:
            environ["wsgi.input"] = io.BufferedReader(_Body(self))
        result = app(environ, self._start_response)
        try:
            if getattr(result, "streaming", not isinstance(result, (list, tuple))):
                return self._stream(result)
            return self._whole(b"".join(result))
        finally:
            if hasattr(result, "close"):
                result.close()

    def _start_response(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        self._head = int(status[:3]), headers

    def _whole(self, body: bytes) -> Answer:
        status, headers = self._head
        if status in (204, 304):
            return status, headers, b""
        if not any(name.lower() == "content-length" for name, _ in headers):
            headers = [*headers, ("Content-Length", str(len(body)))]
        return status, headers, b"" if self.scope["method"] == "HEAD" else body

    def _stream(self, chunks: Iterable[bytes]) -> Answer | None:
        if self.scope["method"] != "HEAD":
            for chunk in filter(None, chunks):
                if self.gone.is_set():
                    return None
                self._pass_on(chunk, more=True)
        if not self.started:
            return *self._head, b""
        # After a chunk that was given up, an orderly end would hide the gap.
        if not self.gone.is_set():
            self._pass_on(b"", more=False)
        return None

    def _pass_on(self, chunk: bytes, *, more: bool) -> None:
        # Waiting for the loop is the back-pressure: a slow reader pauses the application.
        sending = asyncio.run_coroutine_threadsafe(self._send_chunk(chunk, more), self.loop)
        try:
            sending.result(self._stall_seconds)
        except TimeoutError:
            sending.cancel()
            self.gone.set()

    async def _send_chunk(self, chunk: bytes, more: bool) -> None:
        if not self.started:
            self.started = True
            await self._send(_start(*self._head))
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})


class _Body(io.RawIOBase):
    """The request body as a file; reading waits for the client."""

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange
        self._rest = memoryview(b"")
        self._more = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._more and not self._rest:
            part = self._exchange.next_part()
            self._rest, self._more = memoryview(part.get("body", b"")), part.get("more_body", False)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _is_chunked(scope: Scope) -> bool:
    return any(name == b"transfer-encoding" for name, _ in scope["headers"])


def environ_of(scope: Scope) -> dict[str, Any]:
    """Return the WSGI environ of a request, with an empty body."""
    host, port = scope.get("server") or ("", None)
    root = scope.get("root_path", "").encode()
    raw_path = scope.get("raw_path")
    path: bytes = unquote_to_bytes(raw_path) if raw_path else scope["path"].encode()
    return {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": root.decode("latin-1"),
        "PATH_INFO": path.removeprefix(root).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or ""),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": _file_blocks,
        CHUNKED: _is_chunked(scope),
        **_header_variables(scope["headers"]),
    }


def _header_variables(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    variables: dict[str, str] = {}
    for name, value in headers:
        # In an environ `x_api_key` can't be told from `x-api-key`, so it could pass for a proxy's header.
        if b"_" in name:
            continue
        variable, text = _variable(name), value.decode("latin-1")
        if variable in variables:
            separator = "; " if variable == "HTTP_COOKIE" else ","
            text = f"{variables[variable]}{separator}{text}"
        variables[variable] = text
    return variables


@lru_cache(maxsize=256)
def _variable(header: bytes) -> str:
    name = header.decode("latin-1").upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


def _file_blocks(file: Any, block_size: int = 0) -> FileWrapper:
    return FileWrapper(file, max(block_size, FILE_BLOCK_BYTES))


def _start(status: int, headers: Headers) -> Message:
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": status, "headers": encoded}
