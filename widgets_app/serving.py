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
from widgets_app.sources.base import Call
from widgets_app.sources.frame import Frame
from widgets_app.sources.limits import run_limited

NO_SOURCE = 'The widget "{id}" has no data source yet. Choose a query for it in the admin.'
NO_SHAPE = 'Widgets of the type "{type}" get no data from here yet. Choose another type in the admin.'


@dataclass(frozen=True, slots=True)
class Served:
    """An answer: its body, and the data it was made from, if any."""

    body: Body
    frame: Frame | None = None


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


def fetch(query: PublishedQuery, values: Mapping[str, Any], caller: Caller, stale_seconds: float) -> Frame:
    """Return the rows of a query, kept or fresh, within its limits."""
    prepared = query.ready()
    used = {name: values.get(name) for name in prepared.placeholders}
    call = Call(caller={"name": caller.name, "user": caller.user, "groups": sorted(caller.groups)})

    def make() -> Frame:
        if query.source is None:
            return prepared.run(used, query.limits, call)
        return run_limited(
            query.source.slots,
            lambda: prepared.run(used, query.limits, call),
            seconds=query.limits.seconds,
            call=call,
            what=f'Query "{query.name}"',
        )

    # Whatever the result depends on; the caller only where the query looks at who asks.
    who = call.caller if prepared.uses_caller else None
    asked = repr((query.version, query.limits, prepared.fingerprint(), sorted(used.items()), who))
    key = hashlib.blake2b(asked.encode(), digest_size=20).hexdigest()
    seconds = stale_seconds if query.cache_seconds is None else query.cache_seconds
    return cache.frame(key, seconds=seconds, make=make)


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
