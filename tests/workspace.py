"""How Workspace asks for what a widgets.json names, with the defaults of the parameters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from widgets_app.compiled import UDF_TYPES, effective_type
from widgets_app.parameters.types import flatten

POST_TYPES = frozenset({"ssrm_table", "table_ssrm", "omni", "multi_file_viewer"})
UDF_QUERIES = (
    "config",
    "search?query=A&limit=30",
    "symbols?symbol=X%3AAAA",
    "history?symbol=X%3AAAA&resolution=1D&from=0&to=1700000000",
    "time",
)
PAGE_OF_ROWS = {"startRow": 0, "endRow": 100, "sortModel": [], "filterModel": {}}


@dataclass(frozen=True)
class Asking:
    """A request; `target` is a path with its query, with a slash at its start."""

    what: str
    target: str
    body: bytes | None = None

    @property
    def method(self) -> str:
        """GET, or POST with a body."""
        return "GET" if self.body is None else "POST"


def values_of(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a request carries before anybody has touched a control."""
    fields = [param for param in flatten(definition.get("params")) if param.get("type") not in ("form", "button")]
    return {param["paramName"]: param.get("value") for param in fields if "paramName" in param}


def as_text(value: Any) -> str:
    """Write a value as it stands in a query."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(as_text, value)) if isinstance(value, list) else str(value)


def askings(definition: Mapping[str, Any]) -> Iterator[Asking]:
    """Yield the requests for one widget, in the order in which Workspace makes them."""
    yield from _options(definition)
    yield from _data(definition)
    for form in flatten(definition.get("params")):
        if form.get("type") == "form":
            yield from _options({**definition, "params": form.get("inputParams")})
            yield Asking("form", _address(form["endpoint"]), _json(_filled_in(form)))
            yield from _data(definition)
    if "imgUrl" in definition and "://" not in definition["imgUrl"]:
        yield Asking("picture", _address(definition["imgUrl"]))


def _data(definition: Mapping[str, Any]) -> Iterator[Asking]:
    kind, values, address = effective_type(definition), values_of(definition), _address(definition["endpoint"])
    if kind in UDF_TYPES:
        yield from (Asking("udf", f"{address.rstrip('/')}/{call}") for call in UDF_QUERIES)
    elif kind == "omni":
        yield Asking("data", address, _json(values))
        yield Asking("data", address, _json(json.dumps(values)))
    elif kind in POST_TYPES:
        yield Asking("data", address, _json({**values, **(PAGE_OF_ROWS if kind != "multi_file_viewer" else {})}))
    else:
        yield Asking("data", _with(address, {**{name: as_text(v) for name, v in values.items()}, "theme": "dark"}))


def _options(definition: Mapping[str, Any]) -> Iterator[Asking]:
    values = values_of(definition)
    for param in flatten(definition.get("params")):
        if "optionsEndpoint" in param:
            wanted = (param.get("optionsParams") or {}).items()
            sent = {name: values.get(v[1:]) if str(v).startswith("$") else v for name, v in wanted}
            address = _address(param["optionsEndpoint"])
            yield Asking("options", _with(address, {name: as_text(v) for name, v in sent.items()}))


def _filled_in(form: Mapping[str, Any]) -> dict[str, Any]:
    fields = flatten(form.get("inputParams"))
    typed = {field["paramName"]: field.get("value") for field in fields if field.get("type") != "button"}
    return typed | {field["paramName"]: True for field in fields if field.get("type") == "button"}


def _address(endpoint: str) -> str:
    path, mark, query = endpoint.partition("?")
    return "/" + quote(path.removeprefix("/"), safe="/%") + mark + query


def _with(address: str, values: Mapping[str, str]) -> str:
    query = urlencode(values)
    return f"{address}{'&' if '?' in address else '?'}{query}" if query else address


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
