"""The one way from a request to an answer. Every door uses it, so that a right or a limit holds everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from widgets_app import cache, catalog
from widgets_app.authentication import Caller
from widgets_app.catalog import DataRoute, OptionsRoute, Route
from widgets_app.compiled import STALE_SECONDS, Entry, PublishedQuery
from widgets_app.errors import NotFound
from widgets_app.parameters.options import options_body
from widgets_app.parameters.types import ParameterSpec
from widgets_app.parameters.validate import validate
from widgets_app.shapes.base import Ask, Body, Shape, ShapeOptions
from widgets_app.sources.base import Call, PreparedQuery
from widgets_app.sources.frame import Frame
from widgets_app.sources.limits import run_limited

NO_SOURCE = 'The widget "{id}" has no data source yet. Choose a query for it in the admin.'
NO_SHAPE = 'Widgets of the type "{type}" get no data from here yet. Choose another type in the admin.'


@dataclass(frozen=True, slots=True)
class Served:
    """An answer: its body, and the data it was made from, if any."""

    body: Body
    frame: Frame | None = None

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers that go with the body; one says when a limit cut rows off."""
        headers = [("Content-Type", self.body.content_type), ("Cache-Control", "no-store")]
        if self.frame is not None and self.frame.truncated:
            headers.append(("X-Truncated", f"{self.frame.row_count} rows"))
        return headers


@dataclass(frozen=True, slots=True)
class Read:
    """A read of one query with its values, on behalf of a caller; `key` names its result."""

    query: PublishedQuery
    prepared: PreparedQuery
    values: Mapping[str, Any]
    call: Call
    key: str
    seconds: float

    def fresh(self) -> Frame:
        """Run the query within its limits, in a slot of its source."""
        query = self.query
        if query.source is None:
            return self.prepared.run(self.values, query.limits, self.call)
        return run_limited(
            query.source.slots,
            lambda: self.prepared.run(self.values, query.limits, self.call),
            seconds=query.limits.seconds,
            call=self.call,
            what=f'Query "{query.name}"',
        )


def serve(path: str, query: Mapping[str, Any], caller: Caller) -> Served:
    """Answer a request for data or options. `path` has no leading slash; `query` holds texts, lists or JSON values.

    Raises a RequestError in one line that says what to do.
    """
    return serve_route(catalog.current().find(path, caller.groups), query, caller)


def serve_route(route: Route, query: Mapping[str, Any], caller: Caller) -> Served:
    """Answer for a path that was looked up already."""
    if isinstance(route, OptionsRoute):
        return _options(route, query, caller)
    shape, shape_options = _shape(route.entry)
    values = validate(route.specs, query, now=timezone.localtime())
    frame = _rows(route, values, caller, needed=shape.needs_rows(shape_options))
    return Served(shape.render(frame, shape_options, _ask(route.entry, values, query)), frame)


def serve_kept(path: str, query: Mapping[str, Any], caller: Caller) -> Served | None:
    """Answer from memory, with little work; None where a source or work on rows is needed. Raises as `serve`."""
    route = catalog.current().find(path, caller.groups)
    if isinstance(route, OptionsRoute) or route.query is None or route.query.prepared is None:
        return None
    shape, shape_options = _shape(route.entry)
    if not shape.passes_rows:
        return None
    values = validate(route.specs, query, now=timezone.localtime())
    read = reading(route.query, values, caller, route.stale_seconds)
    frame = cache.kept_in_memory(read.key, seconds=read.seconds)
    if frame is None:
        return None
    return Served(shape.render(frame, shape_options, _ask(route.entry, values, query)), frame)


def fetch(query: PublishedQuery, values: Mapping[str, Any], caller: Caller, stale_seconds: float) -> Frame:
    """Return the rows of a query, kept or fresh, within its limits."""
    read = reading(query, values, caller, stale_seconds)
    return cache.frame(read.key, seconds=read.seconds, make=read.fresh)


def reading(query: PublishedQuery, values: Mapping[str, Any], caller: Caller, stale_seconds: float) -> Read:
    """Return what is to be read, and the name under which its result is kept."""
    prepared = query.ready()
    used = {name: values.get(name) for name in prepared.placeholders}
    call = Call(caller={"name": caller.name, "user": caller.user, "groups": sorted(caller.groups)})
    # Whatever the result depends on; the caller only where the query looks at who asks.
    who = call.caller if prepared.uses_caller else None
    asked = repr((query.version, query.limits, prepared.fingerprint(), sorted(used.items()), who))
    return Read(
        query=query,
        prepared=prepared,
        values=used,
        call=call,
        key=hashlib.blake2b(asked.encode(), digest_size=20).hexdigest(),
        seconds=stale_seconds if query.cache_seconds is None else query.cache_seconds,
    )


def _options(route: OptionsRoute, query: Mapping[str, Any], caller: Caller) -> Served:
    # A dropdown that follows an empty one has nothing to offer yet.
    specs = [ParameterSpec(name) for name in route.query.ready().placeholders]
    values = validate(specs, query, now=timezone.localtime())
    if None in values.values():
        return Served(Body(b"[]"))
    frame = fetch(route.query, values, caller, STALE_SECONDS)
    return Served(Body(options_body(frame)), frame)


def _shape(entry: Entry) -> tuple[Shape, ShapeOptions]:
    if entry.shape is None or entry.options is None:
        raise NotFound(NO_SHAPE.format(type=entry.definition.get("type")))
    return entry.shape, entry.options


def _rows(route: DataRoute, values: Mapping[str, Any], caller: Caller, *, needed: bool) -> Frame | None:
    if route.query is not None:
        return fetch(route.query, values, caller, route.stale_seconds)
    if needed:
        raise NotFound(NO_SOURCE.format(id=route.entry.id))
    return None


def _ask(entry: Entry, values: Mapping[str, Any], query: Mapping[str, Any]) -> Ask:
    return Ask(
        params=values,
        theme="light" if _last(query.get("theme")) == "light" else "dark",
        raw=str(_last(query.get("raw"))).lower() in ("true", "1"),
        data_key=entry.data_key,
    )


def _last(value: Any) -> Any:
    return value[-1] if isinstance(value, list) and value else value
