"""A backend in good health, as a careful team would write it by hand, and ways to make it ill."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

KEY = "right"
ORIGIN = "https://pro.openbb.co"
JSON, HTML, TEXT = "application/json", "text/html; charset=utf-8", "text/plain; charset=utf-8"


def widget(kind: str, path: str, *params: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a definition that says everything."""
    return {
        "name": f"Harbour {path}", "description": "What the harbour log says, one row per ship.", "type": kind,
        "endpoint": path, "params": list(params), "gridData": {"w": 20, "h": 12}, **more,
    }  # fmt: skip


def param(name: str, kind: str, value: Any, **more: Any) -> dict[str, Any]:
    """Return a parameter that says everything."""
    return {"paramName": name, "type": kind, "label": name.title(), "description": "Which.", "value": value, **more}


PORT = param("port", "endpoint", "RIX", optionsEndpoint="ports")
BERTH = param("berth", "endpoint", "1", optionsEndpoint="berths", optionsParams={"port": "$port"})
SINCE = param("since", "date", "$currentDate-1w")
FORM = {
    "paramName": "entry", "type": "form", "label": "Entry", "description": "A new ship.", "endpoint": "log/entry",
    "inputParams": [param("vessel", "text", "Aurora"), param("add", "button", True)],
}  # fmt: skip
COLUMNS = [
    {"field": "vessel", "headerName": "Vessel", "cellDataType": "text"},
    {"field": "draft", "headerName": "Draft", "cellDataType": "number"},
    {"field": "tide", "headerName": "Tide", "sparkline": {"type": "line"}},
]
ROWS: list[dict[str, Any]] = [
    {"vessel": "Aurora", "draft": 7.4, "tide": [1, 2, 3]},
    {"vessel": "Birk", "draft": None, "tide": [2, 1]},
]
FILE = {"data_format": {"data_type": "pdf", "filename": "tide.pdf"}, "content": "JVBERi0xLjc="}
SELECTOR = param(
    "doc", "endpoint", ["tide"], optionsEndpoint="docs", multiSelect=True, roles=["fileSelector"], show=False
)

WIDGETS: dict[str, dict[str, Any]] = {
    "berths": widget("table", "table", PORT, BERTH, SINCE, data={"table": {"columnsDefs": COLUMNS}}),
    "results": widget("table", "wrapped", data={"dataKey": "results.rows"}),
    "log": widget("table", "log", FORM),
    "all": widget("ssrm_table", "ssrm", PORT),
    "live": widget("live_grid", "live", wsEndpoint="ws", data={"wsRowIdColumn": "vessel"}),
    "queue": widget("metric", "metric"),
    "plot": widget("chart", "plot", raw=True),
    "columns": widget("chart-highcharts", "highcharts"),
    "bars": widget("chart-vegalite", "vegalite"),
    "plan": widget("markdown", "markdown"),
    "remark": widget("note", "note"),
    "news": widget("newsfeed", "news"),
    "board": widget("html", "html"),
    "tides": widget("pdf", "pdf"),
    "files": widget("multi_file_viewer", "files", SELECTOR),
    "ask": widget("omni", "omni", param("prompt", "text", "late", show=False)),
    "film": widget("youtube", "film"),
    "page": widget("iframe", "page", storage={}),
    "prices": widget("advanced_charting", "udf", data={"defaultSymbol": "X:AAA"}),
}
BODIES: dict[str, tuple[str, Any]] = {
    "table": (JSON, ROWS),
    "wrapped": (JSON, {"results": {"rows": ROWS}}),
    "log": (JSON, ROWS),
    "ssrm": (JSON, {"rowData": ROWS, "rowCount": 311}),
    "live": (JSON, ROWS),
    "metric": (JSON, [{"label": "Queue", "value": "3 h", "delta": 2.5}]),
    "plot": (JSON, {"data": [{"type": "scatter", "x": [1], "y": [2]}], "layout": {}}),
    "highcharts": (JSON, {"series": [{"data": [41]}]}),
    "vegalite": (JSON, {"mark": "bar", "data": {"values": []}}),
    "markdown": (JSON, "# Berth plan"),
    "note": (JSON, "Short."),
    "news": (JSON, [{"title": "Ice", "date": "2026-03-01T08:00:00Z", "author": "a", "excerpt": "b", "body": "c"}]),
    "html": (HTML, "<p>Board</p>"),
    "pdf": (JSON, FILE),
    "files": (JSON, [FILE]),
    "omni": (JSON, {"content": "Late.", "data_format": {"data_type": "object", "parse_as": "text"}}),
    "film": (TEXT, "https://www.youtube.com/watch?v=abc"),
    "page": (HTML, "<p>Page</p>"),
    "udf/config": (JSON, {"supported_resolutions": ["1D"], "supports_time": True}),
    "udf/time": (JSON, 1_700_000_000),
    "udf/search": (JSON, []),
    "udf/symbols": (JSON, {"name": "AAA", "ticker": "X:AAA"}),
    "udf/history": (JSON, {"s": "ok", "t": [1, 2], "o": [1, 1], "h": [1, 1], "l": [1, 1], "c": [1, 1], "v": [1, 1]}),
    "ports": (JSON, [{"label": "Riga", "value": "RIX"}]),
    "berths": (JSON, [{"label": "One", "value": "1"}]),
    "docs": (JSON, [{"label": "Tides", "value": "tide"}]),
}
APPS = [
    {
        "name": "Harbour day", "description": "Who is in.", "img": "x", "img_dark": "", "img_light": "",
        "allowCustomization": True, "prompts": [],
        "tabs": {"now": {"id": "now", "name": "Now", "layout": [
            {"i": "berths", "x": 0, "y": 0, "w": 20, "h": 12, "groups": ["Group 1"]},
            {"i": "all", "x": 20, "y": 0, "w": 20, "h": 12, "groups": ["Group 1"]},
        ]}},
        "groups": [{"name": "Group 1", "type": "endpointParam", "paramName": "port", "widgetIds": ["berths", "all"]}],
    }
]  # fmt: skip
AGENTS = {
    "pilot": {"name": "Pilot", "description": "Answers.", "image": "https://example.com/pilot.png",
              "endpoints": {"query": "https://example.com/query"}, "features": {"streaming": True}},
}  # fmt: skip


@dataclass
class Asked:
    """A request."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, list[str]]
    body: bytes

    @property
    def key(self) -> str:
        return self.headers.get("x-api-key", "")


@dataclass
class Told:
    """An answer; a body that is no bytes is sent as JSON."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        is_text = isinstance(self.body, str) and self.headers.get("content-type") != JSON
        return str(self.body).encode() if is_text else json.dumps(self.body).encode()


Hook = Callable[[Asked, Told], Told | None]


class Patient:
    """An ASGI application. `hooks` may change an answer or replace it, in their order."""

    def __init__(self) -> None:
        self.widgets: Any = copy.deepcopy(WIDGETS)
        self.apps: Any = copy.deepcopy(APPS)
        self.agents: Any = copy.deepcopy(AGENTS)
        self.bodies = copy.deepcopy(BODIES)
        self.hooks: list[Hook] = []
        self.asked: list[Asked] = []
        self.at_once = self.most_at_once = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self._socket(receive, send)
            return
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            asked = await _asked(scope, receive)
            self.asked.append(asked)
            told = self.tell(asked)
            headers = [(name.encode(), value.encode()) for name, value in told.headers.items()]
            await send({"type": "http.response.start", "status": told.status, "headers": headers})
            await send({"type": "http.response.body", "body": told.content})
        finally:
            self.at_once -= 1

    async def _socket(self, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})

    def tell(self, asked: Asked) -> Told:
        """Answer a request."""
        told = self._preflight(asked) if asked.method == "OPTIONS" else self._answer(asked)
        if asked.headers.get("origin") == ORIGIN:
            told.headers |= {"access-control-allow-origin": ORIGIN, "access-control-allow-credentials": "true"}
        told.headers.setdefault("vary", "Origin")
        for hook in self.hooks:
            told = hook(asked, told) or told
        return told

    def _preflight(self, asked: Asked) -> Told:
        headers = {
            "access-control-allow-methods": "GET, POST, OPTIONS",
            "access-control-allow-headers": asked.headers.get("access-control-request-headers", ""),
            "access-control-allow-private-network": "true",
        }
        return Told(204, b"", headers)

    def _answer(self, asked: Asked) -> Told:
        if not asked.key:
            return refusal(401, "Send your key.")
        if asked.key != KEY:
            return refusal(403, "This key is not known.")
        lists = {"widgets.json": self.widgets, "apps.json": self.apps, "agents.json": self.agents}
        if asked.path in lists:
            return Told(200, lists[asked.path], {"content-type": JSON, "cache-control": "no-cache"})
        if asked.path == "log/entry":
            return refusal(400, "No button was pressed.")
        if asked.path not in self.bodies:
            return refusal(404, "There is nothing here.")
        if asked.path == "plot" and asked.query.get("raw"):
            return Told(200, ROWS, {"content-type": JSON})
        kind, body = self.bodies[asked.path]
        return Told(200, body, {"content-type": kind, "cache-control": "no-store"})


def refusal(status: int, text: str) -> Told:
    """Return an error as clients read it."""
    return Told(status, {"detail": text, "error": text}, {"content-type": JSON})


async def _asked(scope: Any, receive: Any) -> Asked:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
    return Asked(scope["method"], scope["path"].removeprefix("/"), headers, query, body)
