"""What Workspace would ask for a widget: its data with the defaults, its options, its forms, what its type adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.utils import timezone

from widgets_app.compiled import UDF_TYPES
from widgets_app.manifest.contract.findings import as_object, is_text
from widgets_app.manifest.contract.widgets import widget_type
from widgets_app.parameters import dates
from widgets_app.parameters.types import as_text, flatten

SSRM = "ssrm_table"
# Types whose data is asked for by POST.
POSTED = frozenset({SSRM, "omni", "multi_file_viewer"})
# So many rows of a page are asked for.
PAGE = {"startRow": 0, "endRow": 20}
UDF_SPAN = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Question:
    """One request that a widget leads to. `what` is data, raw, options, form, page, udf or live."""

    widget: str
    what: str
    endpoint: str
    method: str = "GET"
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    # Parameters that Workspace would have nothing to send for.
    empty: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where a finding about it is: the widget, and the path where that is not its data."""
        return f"widget {self.widget}" if self.what == "data" else f"widget {self.widget}: {self.what} {self.endpoint}"


def questions(key: str, definition: Mapping[str, Any]) -> Iterator[Question]:
    """Yield what is asked for one widget."""
    params = flatten(definition.get("params"))
    kind, endpoint = widget_type(definition), definition.get("endpoint")
    if is_text(endpoint):
        yield from _data(key, kind, str(endpoint), params, definition)
    for param in params:
        yield from _options(key, param, params)
        if param.get("type") == "form" and is_text(param.get("endpoint")):
            yield Question(key, "form", str(param["endpoint"]), "POST", body={})
            for one in flatten(param.get("inputParams")):
                yield from _options(key, one, params)
    if kind == "live_grid" and is_text(definition.get("wsEndpoint")):
        yield Question(key, "live", str(definition["wsEndpoint"]), headers=UPGRADE)


# A WebSocket's handshake; the key is any 16 bytes.
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "d2lkZ2V0cy1kb2N0b3ItMQ==",
}


def _data(
    key: str, kind: str, endpoint: str, params: list[dict[str, Any]], definition: Mapping[str, Any]
) -> Iterator[Question]:
    values = {
        name: value for param in params if (name := as_text(param.get("paramName"))) and (value := default(param))
    }
    empty = tuple(as_text(param.get("paramName")) for param in params if not default(param) and _is_sent(param))
    if kind == "iframe":
        yield Question(key, "page", endpoint, query={"theme": "dark"})
    elif kind in UDF_TYPES:
        yield from _udf(key, endpoint, as_object(definition.get("data")))
    elif kind in POSTED:
        yield Question(key, "data", endpoint, "POST", body=_posted(kind, params, values), empty=empty)
    else:
        yield Question(key, "data", endpoint, query=values, empty=empty)
        if definition.get("raw") is True:
            yield Question(key, "raw", endpoint, query={**values, "raw": "true"}, empty=empty)


def _is_sent(param: Mapping[str, Any]) -> bool:
    return param.get("type") not in ("form", "button")


def _posted(kind: str, params: list[dict[str, Any]], values: Mapping[str, str]) -> dict[str, Any]:
    if kind == SSRM:
        return {**PAGE, **values}
    if kind == "omni":
        values = {**{as_text(param.get("paramName")): "" for param in params if _is_sent(param)}, **values}
    lists = {
        as_text(param.get("paramName")): param.get("value") for param in params if param.get("multiSelect") is True
    }
    return {**values, **{name: value for name, value in lists.items() if isinstance(value, list)}}


def _udf(key: str, endpoint: str, data: Mapping[str, Any]) -> Iterator[Question]:
    base = endpoint.rstrip("/")
    now = int(timezone.now().timestamp())
    symbol = data.get("defaultSymbol")
    yield Question(key, "udf", f"{base}/config")
    yield Question(key, "udf", f"{base}/time")
    yield Question(key, "udf", f"{base}/search", query={"query": "", "limit": "30"})
    if is_text(symbol):
        yield Question(key, "udf", f"{base}/symbols", query={"symbol": str(symbol)})
        span = {"resolution": "D", "from": str(now - UDF_SPAN), "to": str(now)}
        yield Question(key, "udf", f"{base}/history", query={"symbol": str(symbol), **span})


def _options(key: str, param: Mapping[str, Any], params: list[dict[str, Any]]) -> Iterator[Question]:
    endpoint = param.get("optionsEndpoint")
    if not is_text(endpoint):
        return
    known = {as_text(one.get("paramName")): default(one) for one in params}
    query = {name: _reference(value, known) for name, value in as_object(param.get("optionsParams")).items()}
    yield Question(key, "options", str(endpoint), query={name: value for name, value in query.items() if value})


def _reference(value: object, known: Mapping[str, str]) -> str:
    if isinstance(value, str) and value.startswith("$"):
        return known.get(value[1:], "")
    return _text(value)


def default(param: Mapping[str, Any]) -> str:
    """Return the default of a parameter as Workspace sends it; nothing where it has none, or is never sent."""
    value = param.get("value")
    if not _is_sent(param) or value is None:
        return ""
    if isinstance(value, str) and value.startswith(dates.PREFIX):
        return _day(value)
    return ",".join(map(_text, value)) if isinstance(value, list) else _text(value)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else as_text(value)


def _day(token: str) -> str:
    now: datetime = timezone.localtime()
    try:
        day: date = dates.resolve(token, now=now)
    except ValueError:
        return token
    return day.isoformat()
