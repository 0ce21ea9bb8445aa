"""A small backend such as teams write by hand, with widgets of every type. It records what it receives."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.loopback import PATIENCE
from tests.workspace import POST_TYPES, as_text, values_of
from widgets_app.compiled import UDF_CALLS, UDF_TYPES, effective_type
from widgets_app.manifest.contract.endpoints import path_of
from widgets_app.parameters.types import flatten

MB = 1024 * 1024
JSON, HTML, EVENTS = "application/json", "text/html; charset=utf-8", "text/event-stream"
FORM_ERROR = "The vessel needs a name."

PAGE = "<!doctype html><title>Köln</title><script>parent.postMessage({type: 'openbb-connect'}, '*')</script>"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
FILE = {"content": base64.b64encode(b"%PDF-1.7").decode(), "data_format": {"data_type": "pdf", "filename": "a.pdf"}}
UDF = {
    "config": {"supported_resolutions": ["D"], "supports_search": True, "supports_time": True},
    "search": [{"symbol": "AAA", "full_name": "X:AAA", "exchange": "X", "ticker": "AAA", "type": "stock"}],
    "symbols": {"name": "AAA", "ticker": "AAA", "session": "24x7", "minmov": 1, "pricescale": 100},
    "history": {"s": "ok", "t": [1], "o": [1.0], "h": [1.0], "l": [1.0], "c": [1.0], "v": [1]},
    "time": 1_700_000_000,
}
PAGED = {"rowData": [{"day": "2024-01-02", "price": 1.5}], "rowCount": 1}
OPTIONS = [{"label": "Port of Rīga", "value": "RIX"}, {"label": "Vilnius", "value": "VNO"}]
# What widgets of a type answer; all others answer the rows that the form adds to.
BODIES: Mapping[str, tuple[str, Any]] = {
    "ssrm_table": (JSON, PAGED),
    "table_ssrm": (JSON, PAGED),
    "metric": (JSON, [{"label": "At berth", "value": 14, "delta": 2.5}]),
    "chart": (JSON, {"data": [{"type": "scatter", "x": [1], "y": [2]}], "layout": {}}),
    "chart-highcharts": (JSON, {"series": [{"data": [41]}]}),
    "chart-vegalite": (JSON, {"mark": "bar", "data": {"values": [{"a": 1}]}}),
    "markdown": (JSON, "# Rīga\n株価"),
    "note": (JSON, "A note."),
    "newsfeed": (JSON, [{"title": "Ice", "date": "2026-03-01", "author": "a", "excerpt": "b", "body": "c"}]),
    "html": (HTML, PAGE),
    "iframe": (HTML, PAGE),
    "pdf": (JSON, FILE),
    "multi_file_viewer": (JSON, [FILE]),
    "omni": (JSON, {"content": "Late.", "data_format": {"data_type": "object", "parse_as": "text"}}),
    "youtube": ("text/plain; charset=utf-8", "https://www.youtube.com/watch?v=abc"),
}


def widget(kind: str, endpoint: str, *params: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """Return a definition."""
    return {
        "name": f"{kind} of {endpoint}", "description": "As it was.", "type": kind, "endpoint": endpoint,
        "params": list(params), **keys,
    }  # fmt: skip


PORT = {"paramName": "port", "type": "endpoint", "optionsEndpoint": "/ports", "value": "RIX", "description": "Port."}
FORM = {
    "paramName": "form", "type": "form", "endpoint": "log_arrival", "description": "New arrival.",
    "inputParams": [
        {"paramName": "vessel", "type": "text", "value": "Aurora"},
        {"paramName": "cargo", "type": "endpoint", "multiSelect": True, "optionsEndpoint": "cargoes", "value": ["grain"]},
        {"paramName": "add", "type": "button", "value": True},
    ],
}  # fmt: skip
FILES = {
    "paramName": "doc", "type": "endpoint", "multiSelect": True, "roles": ["fileSelector"], "show": False,
    "optionsEndpoint": "documents", "value": ["tides"], "optionsParams": {"port": "$port", "kind": "pdf"},
}  # fmt: skip
NUMBER = {"paramName": "least", "type": "number", "value": 1.5}
SEVERAL = {"paramName": "flags", "type": "text", "multiSelect": True, "value": ["LV", "Ā&B"]}
SWITCH = {"paramName": "late", "type": "boolean", "value": False}
PROMPT = {"paramName": "prompt", "type": "text", "value": "late vessels", "show": False}

WIDGETS: dict[str, dict[str, Any]] = {
    "table": widget("table", "table", PORT, NUMBER, SEVERAL, SWITCH, staleTime=60_000, imgUrl="/pictures/table.png"),
    "untyped": {"name": "Untyped", "description": "As it was.", "endpoint": "/untyped"},
    "arrivals": widget("table", "/arrivals", PORT, FORM, staleTime=60_000),
    "ssrm": widget("ssrm_table", "ssrm", PORT),
    "live": widget("live_grid", "live", PORT, wsEndpoint="live_ws", wsRowIdColumn="vessel"),
    "metric": widget("metric", "key/figures/now", PORT),
    "chart": widget("chart", "chart", raw=True),
    "highcharts": widget("chart-highcharts", "highcharts"),
    "vegalite": widget("chart-vegalite", "vegalite"),
    "udf": widget("advanced_charting", "/udf", PORT, staleTime=60_000),
    "markdown": widget("markdown", "text/Köln börse"),
    "note": widget("note", "note?kind=short"),
    "news": widget("newsfeed", "news/"),
    "html": widget("html", "html"),
    "pdf": widget("pdf", "pdf"),
    "files": widget("multi_file_viewer", "files", PORT, FILES),
    "omni": widget("omni", "omni", PROMPT),
    "youtube": widget("youtube", "youtube"),
    "page": widget("iframe", "page"),
}
APPS = [
    {
        "name": "Harbour", "description": "All of it.", "allowCustomization": True, "groups": [],
        "tabs": {"all": {"id": "all", "name": "All", "layout": [
            {"i": name, "x": 0, "y": 10 * number, "w": 20, "h": 10} for number, name in enumerate(WIDGETS)]}},
    }
]  # fmt: skip
AGENTS = {"pilot": {"name": "Pilot", "description": "Answers.", "endpoints": {"query": "/agent/query"}, "features": {}}}

Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Received:
    """A request as it arrived: the path before decoding, the query, and all header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def decoded(self) -> str:
        """The path without its first slash, decoded."""
        return unquote(self.path).removeprefix("/")

    @property
    def values(self) -> dict[str, str]:
        """The query, decoded."""
        return dict(parse_qsl(self.query, keep_blank_values=True))


class Wrong(Exception):
    """A request that the backend has a complaint about, with its status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Upstream:
    """The backend, an ASGI application. What waits goes on with `go`; `gone` is set when a client hung up on it."""

    def __init__(self, widgets: Mapping[str, Any] = WIDGETS) -> None:
        self.widgets = widgets
        self.reset()

    def reset(self) -> None:
        """Forget what was received and added; who waited waits for the old events."""
        self.received: list[Received] = []
        self.rows: list[dict[str, Any]] = [{"vessel": "Birk", "draft_m": 6.1}]
        self.go, self.gone = threading.Event(), threading.Event()

    @property
    def last(self) -> Received:
        """The last request."""
        return self.received[-1]

    def asked(self, path: str) -> int:
        """Return how often a path was asked for."""
        return sum(received.decoded == path for received in self.received)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        request = await _received(scope, receive)
        self.received.append(request)
        special = getattr(self, f"_{request.decoded.partition('/')[0]}_", None)
        if special is not None:
            await special(request, receive, send)
            return
        try:
            await _answer(send, *self._content(request))
        except Wrong as wrong:
            await _answer(send, JSON, {"detail": str(wrong), "error": str(wrong)}, status=wrong.status)

    def _content(self, request: Received) -> tuple[str, Any]:
        """Answer by the definitions: whoever asks for a widget sends all its parameters."""
        faults = []
        for definition in self.widgets.values():
            try:
                if (found := self._of_widget(definition, request)) is not None:
                    return found
            except Wrong as wrong:
                faults.append(wrong)
        raise faults[0] if faults else Wrong(404, f"nothing at {request.decoded}")

    def _of_widget(self, definition: Mapping[str, Any], request: Received) -> tuple[str, Any] | None:
        path, kind = path_of(definition["endpoint"]), effective_type(definition)
        params = flatten(definition.get("params"))
        fields = [field for param in params for field in flatten(param.get("inputParams"))]
        if request.decoded in {path_of(param.get("optionsEndpoint", "")) for param in (*params, *fields)} - {""}:
            return _only(request, "GET", (JSON, OPTIONS))
        if request.decoded in {path_of(param["endpoint"]) for param in params if param.get("type") == "form"}:
            return _only(request, "POST", (JSON, self._submit(request)))
        if request.decoded == path_of(definition.get("imgUrl", "")):
            return "image/png", PICTURE
        if kind in UDF_TYPES:
            call = request.decoded.removeprefix(f"{path.rstrip('/')}/")
            return _only(request, "GET", (JSON, UDF.get(call, {}))) if call in UDF_CALLS else None
        if request.decoded != path:
            return None
        _check(definition, request)
        found: tuple[str, Any] = BODIES.get(kind or "", (JSON, list(self.rows)))
        return found

    def _submit(self, request: Received) -> Any:
        sent = json.loads(request.body or b"{}")
        if not sent.get("vessel", True):
            raise Wrong(400, FORM_ERROR)
        self.rows.append({"vessel": sent.get("vessel"), "draft_m": None})
        return {"success": True}

    async def _agent_(self, request: Received, receive: Any, send: Send) -> None:
        """Send one event, and another one once it may."""
        await _start(send, EVENTS)
        await send({"type": "http.response.body", "body": b"event: one\ndata: {}\n\n", "more_body": True})
        if await self._waited(receive):
            await send({"type": "http.response.body", "body": b"event: two\ndata: {}\n\n"})

    async def _hang_(self, request: Received, receive: Any, send: Send) -> None:
        """Answer once it may."""
        if await self._waited(receive):
            await _answer(send, JSON, [{"path": request.path, "query": request.query}])

    async def _status_(self, request: Received, receive: Any, send: Send) -> None:
        """Answer with the status that the path names."""
        status = int(request.decoded.partition("/")[2])
        sent = request.headers.get("x-desk-key", "")
        await _answer(send, JSON, {"detail": f"because of {status}\n{sent}"}, status=status)

    async def _echo_(self, request: Received, receive: Any, send: Send) -> None:
        """Answer with what came, in a new answer each time; the query says how."""
        body = {"number": len(self.received), "method": request.method, "bytes": len(request.body)}
        headers = [("cache-control", request.values["cache"])] if "cache" in request.values else []
        status = int(request.values.get("status", 200))
        await _answer(send, request.values.get("type", JSON), None if status == 204 else body, status, headers)

    async def _large_(self, request: Received, receive: Any, send: Send) -> None:
        """Send so many MB, with their number ahead or not."""
        count = int(request.values["mb"])
        await _start(send, "application/octet-stream", length=count * MB if "declared" in request.values else None)
        for number in range(count):
            await send({"type": "http.response.body", "body": bytes([number % 256]) * MB, "more_body": True})
        await send({"type": "http.response.body"})

    async def _broken_(self, request: Received, receive: Any, send: Send) -> None:
        """Break off: before the body, or in the middle of it."""
        await _start(send, JSON, length=int(request.values.get("of", 100)))
        await send({"type": "http.response.body", "body": b"x" * int(request.values["sent"]), "more_body": True})

    async def _nothing_(self, request: Received, receive: Any, send: Send) -> None:
        """Answer without saying what it is."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"what"})

    async def _headers_(self, request: Received, receive: Any, send: Send) -> None:
        """Answer with headers that frame, secure, and remember."""
        headers = [("x-frame-options", "DENY"), ("content-security-policy", "frame-ancestors 'none'"),
                   ("set-cookie", "session=1"), ("access-control-allow-origin", "*"), ("server", "theirs"),
                   ("content-disposition", "attachment; filename=a.csv")]  # fmt: skip
        await _answer(send, HTML, PAGE, headers=headers)

    async def _waited(self, receive: Any) -> bool:
        """Wait until it may go on; say whether somebody is still there."""
        go, gone, leaving = self.go, self.gone, asyncio.ensure_future(receive())
        for _ in range(int(PATIENCE * 100)):
            if go.is_set():
                leaving.cancel()
                return True
            if leaving.done():
                gone.set()
                return False
            await asyncio.sleep(0.01)
        return False


async def _received(scope: Mapping[str, Any], receive: Any) -> Received:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    return Received(scope["method"], path, query, headers, body)


async def _start(
    send: Send, kind: str, *, status: int = 200, length: int | None = None, headers: Iterable[tuple[str, str]] = ()
) -> None:
    said = [("content-type", kind), *headers, *([("content-length", str(length))] if length is not None else [])]
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in said]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def _answer(
    send: Send, kind: str, content: Any, status: int = 200, headers: Iterable[tuple[str, str]] = ()
) -> None:
    text = content if kind != JSON and isinstance(content, str | bytes) else json.dumps(content, ensure_ascii=False)
    body = text.encode() if isinstance(text, str) else text
    if content is None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body"})
        return
    await _start(send, kind, status=status, length=len(body), headers=headers)
    await send({"type": "http.response.body", "body": body})


def _only(request: Received, method: str, content: tuple[str, Any]) -> tuple[str, Any]:
    if request.method not in (method, "HEAD"):
        raise Wrong(405, f"this takes {method}")
    return content


def _check(definition: Mapping[str, Any], request: Received) -> None:
    """Complain unless a request for a widget carries its parameters, each with its default."""
    wanted, kind = values_of(definition), effective_type(definition)
    if kind in POST_TYPES:
        _only(request, "POST", (JSON, None))
        with suppress(ValueError):
            sent = json.loads(request.body)
            sent = json.loads(sent) if isinstance(sent, str) else sent
            if request.headers.get("content-type") == JSON and wanted.items() <= sent.items():
                return
    else:
        texts = {name: as_text(value) for name, value in wanted.items()}
        if request.method in ("GET", "HEAD") and texts.items() <= request.values.items():
            return
    raise Wrong(422, f"send {', '.join(wanted)}")
