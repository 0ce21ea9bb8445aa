"""The one way from a request to an answer. Every door uses it, so that a right or a limit holds everywhere."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import orjson
from django.utils import timezone

from widgets_app import cache, catalog, forms, passing
from widgets_app.authentication import Caller
from widgets_app.catalog import DataRoute, OptionsRoute, PassRoute, Route
from widgets_app.compiled import STALE_SECONDS, Entry, PublishedQuery
from widgets_app.errors import BadRequest, MethodNotAllowed, NotFound
from widgets_app.parameters.grid import page_ask
from widgets_app.parameters.options import options_body
from widgets_app.parameters.types import ParameterSpec, is_true
from widgets_app.parameters.validate import validate
from widgets_app.shapes.base import Ask, Body, Shape, ShapeOptions
from widgets_app.shapes.ssrm import PagedTable
from widgets_app.sources.base import KEY_PREFIX, Call, Forward, Pieces, PreparedQuery
from widgets_app.sources.frame import Frame
from widgets_app.sources.held import HeldRows, held
from widgets_app.sources.limits import Deadline, run_limited
from widgets_app.sources.paging import NotPaged, PageAsk, PagedQuery
from widgets_app.stores import MB, BoundedStore, Keepable, Plain

T = TypeVar("T")
K = TypeVar("K", bound=Keepable | None)

POST_BYTES = 1024 * 1024  # bytes of a body that is read as JSON
HELD_MB = 256  # results of sources that make no pages themselves, kept to make pages of
BODIES_MB = 64  # bodies of charts and texts, made from kept results
PAGE_TOO_LARGE = "{count:,} rows take more than {size} MB. Ask for fewer rows at a time."
# What an upstream's answer says of its own age and form, once it is kept here.
REPLACED = frozenset({"age", "cache-control", "etag"})
NOT_KEPT = ("Cache-Control", "no-store")
NO_SOURCE = 'The widget "{id}" has no data source yet. Choose a query or an upstream for it in the admin.'
NO_SHAPE = 'Widgets of the type "{type}" get no data from queries yet. Choose another type, or an upstream.'


_holding = threading.Lock()
_bodies: BoundedStore[Body] = BoundedStore(BODIES_MB * MB)
_held_rows: BoundedStore[HeldRows] = BoundedStore(HELD_MB * MB)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for data. `path` has no leading slash; `query` holds texts, lists or JSON values by name.

    `departure` knows when nobody waits any more, `force` asks for a result that is made anew, and `known` is the
    If-None-Match of who has an answer already. The rest is for upstreams: `query_string` is the query as it came,
    without our key, and the body is read once.
    """

    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    method: str = "GET"
    query_string: str = ""
    content_type: str = ""
    body: Iterable[bytes] | None = None
    length: int | None = None
    departure: cache.Leaving | None = None
    force: bool = False
    known: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """An answer: its headers, its body, whole or in pieces, and the data it was made from, if any."""

    content: bytes | Pieces
    headers: list[tuple[str, str]]
    status: int = 200
    frame: Frame | None = None

    @classmethod
    def of(cls, body: Body, frame: Frame | None = None, read: Read | None = None, tag: object = None) -> Served:
        """Return the answer with a finished body. One header says which limit cut rows off, others how old it is.

        `tag` is what the body depends on besides the result.
        """
        headers = [("Content-Type", body.content_type), *body.headers]
        if frame is None or read is None:
            return cls(body.content, [*headers, NOT_KEPT], frame=frame)
        if frame.truncated:
            headers.append(("X-Truncated", read.query.told_limit(frame.row_count, frame.cut_by)))
        return cls(body.content, [*headers, *kept_headers((read.key, tag), frame.made_at, read.seconds)], frame=frame)

    def unless(self, known: str) -> Served:
        """Return the answer for somebody who has one already: the news that it is the same, if it is."""
        etag = next((value for name, value in self.headers if name == "ETag"), None)
        if etag is None or self.status != 200 or not etag_matches(known, etag):
            return self
        if not isinstance(self.content, bytes):
            self.content.close()
        headers = [(name, value) for name, value in self.headers if not name.startswith("Content-")]
        return Served(b"", headers, 304, self.frame)


def kept_headers(what: object, made_at: float, seconds: float) -> list[tuple[str, str]]:
    """Return the headers that say how old an answer is, and how to ask whether there is a newer one.

    A browser may keep the answer, and must ask each time: with a key of less rights it learns nothing.
    """
    age = ("Age", str(max(0, int(time.time() - made_at))))
    if seconds <= 0:
        return [age, NOT_KEPT]
    tag = hashlib.blake2b(repr((what, made_at)).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return [age, ("Cache-Control", "private, no-cache"), ("ETag", f'W/"{tag}"')]


def is_forced(cache_control: str, pragma: str) -> bool:
    """Say whether a request wants a result that is made anew.

    `max-age=0` is not enough: browsers send it with each reload of a page, to have what they kept compared.
    """
    return any(part.strip().lower() == "no-cache" for part in (*cache_control.split(","), pragma))


def etag_matches(known: str, etag: str) -> bool:
    """Say whether an If-None-Match names an answer's ETag."""
    plain = etag.removeprefix("W/")
    return bool(known) and (known == "*" or plain in (part.strip().removeprefix("W/") for part in known.split(",")))


@dataclass(frozen=True, slots=True)
class Read:
    """A read of one query with its values, on behalf of a caller; `key` names its result."""

    query: PublishedQuery
    prepared: PreparedQuery
    values: Mapping[str, Any]
    call: Call
    key: str
    seconds: float
    deadline: Deadline
    departure: cache.Leaving | None = None
    force: bool = False

    def shared(self, key: str, make: Callable[[], K]) -> K:
        """Return a result under a key of this query's, kept or made on the terms of who asks."""
        return cache.shared(
            key,
            seconds=self.seconds,
            make=make,
            force=self.force,
            patience=self.query.limits.seconds,
            call=self.call,
            departure=self.departure,
        )

    def fresh(self) -> Frame:
        """Run the query within its limits, in a slot of its source."""
        return self.limited(lambda: self.prepared.run(self.values, self.query.limits, self.call))

    def limited(self, work: Callable[[], T]) -> T:
        """Do work of the query before its deadline, which is one for all its work, in a slot of its source."""
        if self.query.source is None:
            return work()
        return run_limited(self.query.source.slots, work, deadline=self.deadline, call=self.call)


@dataclass(frozen=True, slots=True)
class Total:
    """How many rows a level has, as it is kept."""

    rows: int
    made_at: float = field(default_factory=time.time)
    size: int = 8


Plain.register(Total)


def fetch(read: Read) -> Frame:
    """Return the rows of a query, kept or fresh, within its limits."""
    return read.shared(read.key, read.fresh)


def _kept_in_memory(read: Read) -> Frame | None:
    kept: Frame | None = cache.kept_in_memory(read.key, seconds=read.seconds)
    return kept


def serve(asked: Asked, caller: Caller) -> Served:
    """Answer a request for data, for options, or for what an upstream answers.

    Raises a RequestError in one line that says what to do.
    """
    return _served(asked, caller).unless(asked.known)


def _served(asked: Asked, caller: Caller) -> Served:
    if asked.path in catalog.current().form_paths and (form := _form(asked, caller)):
        return form
    route, asked = _found(asked, caller)
    if isinstance(route, PassRoute):
        return _passed(route, asked, caller)
    if asked.method == "POST" and isinstance(route, DataRoute) and isinstance(route.entry.shape, PagedTable):
        return _paged(route, route.entry.shape, asked, caller)
    if asked.method not in ("GET", "HEAD"):
        raise MethodNotAllowed(f"Nothing here takes {asked.method}. Ask with GET.")
    if isinstance(route, OptionsRoute):
        return _options(route, asked, caller)
    return cast(Served, _data(route, asked, caller))


def _form(asked: Asked, caller: Caller) -> Served | None:
    """Take in a form; None where the path has none for this caller, or has data to read besides."""
    snapshot = catalog.current()
    form = snapshot.find_form(asked.path, caller.groups)
    if form is None or (asked.method != "POST" and asked.path in snapshot.data_paths):
        return None
    if asked.method != "POST":
        raise MethodNotAllowed(f"A form is sent here; nothing takes {asked.method}. Send it with POST.")
    forms.submit(form, posted(asked), caller)
    return Served.of(Body(b'{"success": true}'))


def posted(asked: Asked) -> dict[str, Any]:
    """Return the JSON object in the body of a request; BadRequest for anything else and for too much."""
    try:
        found = orjson.loads(_whole_body(asked))
        # Some clients write the object into a text.
        found = orjson.loads(found) if isinstance(found, str) else found
    except orjson.JSONDecodeError as error:
        raise BadRequest(f'The body is not JSON: {error}. Send an object such as {{"name": "value"}}.') from None
    if not isinstance(found, dict):
        raise BadRequest('The body is JSON, but not an object. Send one such as {"name": "value"}.')
    return found


def _whole_body(asked: Asked) -> bytes:
    body = b""
    for piece in asked.body or ():
        body += piece
        if len(body) > POST_BYTES:
            raise BadRequest(f"The body is larger than {POST_BYTES // 1024} KB. Send less.")
    return body


def serve_kept(asked: Asked, caller: Caller) -> Served | None:
    """Answer from memory, with little work; None where a source or work on rows is needed. Raises as `serve`."""
    if asked.force:
        return None
    found = _served_kept(asked, caller)
    return None if found is None else found.unless(asked.known)


def _served_kept(asked: Asked, caller: Caller) -> Served | None:
    route, asked = _found(asked, caller)
    if isinstance(route, PassRoute):
        kept = passing.kept_in_memory(route, _forward(asked))
        return None if kept is None else _passed_whole(route, asked, kept)
    if isinstance(route, OptionsRoute) or route.query is None or route.query.prepared is None:
        return None
    if route.query.prepared.waits:
        return None
    return _data(route, asked, caller, at_hand=True) if route.entry.shape is not None else None


def reading(
    query: PublishedQuery,
    values: Mapping[str, Any],
    caller: Caller,
    stale_seconds: float,
    asked: Asked | None = None,
) -> Read:
    """Return what is to be read, and the name under which its result is kept; `asked` has the wishes of who asks.

    Raises Forbidden where the caller lacks a value that the query needs.
    """
    prepared = query.ready()
    used = {name: values.get(name) for name in prepared.parameter_names}
    used |= {name: caller.held(name.removeprefix(KEY_PREFIX)) for name in prepared.key_names}
    call = Call(caller=caller.told())
    # Whatever the result depends on; the caller only where the query looks at who asks.
    who = call.caller if prepared.uses_caller else None
    # Another address, or another login there, may have other rows.
    where = query.source.settings if query.source else None
    # Numbers of versions come again where a database is put back to what it was.
    asks = (query.version, query.text, query.limits)
    named = repr((asks, where, prepared.fingerprint(), sorted(used.items()), who))
    return Read(
        query=query,
        prepared=prepared,
        values=used,
        call=call,
        key=hashlib.blake2b(named.encode(), digest_size=20).hexdigest(),
        seconds=stale_seconds if query.cache_seconds is None else query.cache_seconds,
        deadline=Deadline(query.limits.seconds, f'Query "{query.name}"'),
        departure=asked.departure if asked else None,
        force=asked.force if asked else False,
    )


def _found(asked: Asked, caller: Caller) -> tuple[Route, Asked]:
    """Return what a path means to a caller; an upstream's placeholders have their values in it."""
    snapshot = catalog.current()
    route = snapshot.find(asked.path, caller.groups)
    if not isinstance(route, PassRoute) or "{" not in asked.path:
        return route, asked
    # With its values, the path may be another widget's, and that one hidden.
    asked = replace(asked, path=passing.filled(asked.path, asked.query))
    return snapshot.find(asked.path, caller.groups), asked


def _options(route: OptionsRoute, asked: Asked, caller: Caller) -> Served:
    # A dropdown that follows an empty one has nothing to offer yet.
    specs = [ParameterSpec(name) for name in route.query.ready().parameter_names]
    values = validate(specs, asked.query, now=timezone.localtime())
    if None in values.values():
        return Served.of(Body(b"[]"))
    read = reading(route.query, values, caller, STALE_SECONDS, asked)
    frame = fetch(read)
    return Served.of(Body(options_body(frame)), frame, read, "options")


def _data(route: DataRoute, asked: Asked, caller: Caller, *, at_hand: bool = False) -> Served | None:
    """Answer with a widget's data; `at_hand`, only if nothing has to be read or rearranged for it, else None."""
    shape, options = _shape(route)
    values = validate(route.specs, asked.query, now=timezone.localtime())
    frame = read = None
    if route.query is not None:
        read = reading(route.query, values, caller, route.stale_seconds, asked)
        frame = _kept_in_memory(read) if at_hand else fetch(read)
        if frame is None:
            return None
    elif shape.needs_rows(options):
        raise NotFound(NO_SOURCE.format(id=route.entry.id))
    ask = _ask(route.entry, values, asked.query)
    body = _body(route.entry, shape, options, frame, ask, read, at_hand=at_hand)
    return None if body is None else Served.of(body, frame, read, (route.entry.version, ask))


def _body(
    entry: Entry,
    shape: Shape,
    options: ShapeOptions,
    frame: Frame | None,
    ask: Ask,
    read: Read | None,
    *,
    at_hand: bool,
) -> Body | None:
    """Return the rows in a widget's form. Where that takes work, it is done once for each result that is kept."""
    if frame is None or read is None or read.seconds <= 0 or shape.passes_rows:
        return shape.render(frame, options, ask)
    name = hashlib.blake2b(repr((read.key, frame.made_at, entry.version, ask)).encode(), digest_size=20).digest()
    body = _bodies.get(name)
    if body is None and not at_hand:
        body = shape.render(frame, options, ask)
        _bodies.put(name, body, len(body.content))
    return body


def _paged(route: DataRoute, shape: PagedTable, asked: Asked, caller: Caller) -> Served:
    """Answer with one page of a widget's rows; the values of its parameters stand beside what the grid asks for."""
    query = {**asked.query, **posted(asked)}
    ask = page_ask(query)
    values = validate(route.specs, query, now=timezone.localtime())
    if route.query is None:
        raise NotFound(NO_SOURCE.format(id=route.entry.id))
    read = reading(route.query, values, caller, route.stale_seconds, asked)
    page, total = _page(read, ask)
    if ask.capped and ask.start + page.row_count < total:
        page = replace(page, truncated=True, cut_by="page")
    # Nothing that is posted can be kept by who asks.
    answer = Served.of(shape.render_page(page, total, _ask(route.entry, values, query)), page, replace(read, seconds=0))
    return answer


def _page(read: Read, ask: PageAsk) -> tuple[Frame, int]:
    """Return one page and how many rows its level has."""
    if isinstance(read.prepared, PagedQuery):
        with suppress(NotPaged):
            return _made(read, read.prepared, read.values, ask)
    rows = _held(read)
    # Pages of one result must not be taken for pages of the next.
    read = replace(read, key=f"{read.key} {rows.frame.made_at}")
    page, total = _made(read, rows.query, {}, ask)
    whole = rows.frame
    return replace(page, made_at=whole.made_at, truncated=whole.truncated, cut_by=whole.cut_by), total


def _held(read: Read) -> HeldRows:
    """Return the whole result, for sources that make no pages themselves, in a form that pages are made of."""
    frame = fetch(read)
    with _holding:
        rows = _held_rows.get(read.key)
        if rows is None or rows.frame.made_at != frame.made_at:
            rows = held(frame, read.query.name)
            if read.seconds > 0:
                _held_rows.put(read.key, rows, rows.size)
        return rows


def _made(read: Read, paged: PagedQuery, values: Mapping[str, Any], ask: PageAsk) -> tuple[Frame, int]:
    # The rows of a page are limited already, and a shorter one would leave a hole between it and the next.
    limits = replace(read.query.limits, rows=ask.end - ask.start)
    page = read.shared(_key(read, ask), lambda: read.limited(lambda: paged.page(values, ask, limits, read.call)))
    if page.truncated:
        raise BadRequest(PAGE_TOO_LARGE.format(count=ask.end - ask.start, size=limits.bytes // 1024**2))
    known = ask.total(page.row_count)
    return page, _count(read, paged, values, ask) if known is None else known


def _count(read: Read, paged: PagedQuery, values: Mapping[str, Any], ask: PageAsk) -> int:
    # It stays the same from page to page, whatever they are sorted by.
    level = ask.level
    count = read.shared(
        _key(read, level),
        lambda: Total(read.limited(lambda: paged.count(values, level, read.query.limits, read.call))),
    )
    return count.rows


def _key(read: Read, ask: PageAsk) -> str:
    return hashlib.blake2b(f"{read.key} {ask!r}".encode(), digest_size=20).hexdigest()


def _shape(route: DataRoute) -> tuple[Shape, ShapeOptions]:
    entry = route.entry
    if entry.shape is None or entry.options is None:
        text = NO_SOURCE if route.query is None else NO_SHAPE
        raise NotFound(text.format(id=entry.id, type=entry.definition.get("type")))
    return entry.shape, entry.options


def _passed(route: PassRoute, asked: Asked, caller: Caller) -> Served:
    found = passing.passed(route, _forward(asked), caller, asked.departure, force=asked.force)
    if isinstance(found, passing.Passed):
        return _passed_whole(route, asked, found)
    length = [("Content-Length", str(found.length))] if found.length is not None else []
    return Served(found.chunks, [*passing.headers_of(found.headers), *length], found.status)


def _passed_whole(route: PassRoute, asked: Asked, found: passing.Passed) -> Served:
    headers = passing.headers_of(found.headers)
    if found.kept:
        told = kept_headers(passing.key_of(route, _forward(asked)), found.made_at, route.stale_seconds)
        headers = [*(header for header in headers if header[0].lower() not in REPLACED), *told]
    return Served(found.content, headers, found.status)


def _forward(asked: Asked) -> Forward:
    return Forward(
        method=asked.method,
        path=asked.path,
        query=asked.query_string,
        content_type=asked.content_type,
        body=asked.body,
        length=asked.length,
    )


def _ask(entry: Entry, values: Mapping[str, Any], query: Mapping[str, Any]) -> Ask:
    return Ask(
        params=values,
        theme="light" if _last(query.get("theme")) == "light" else "dark",
        raw=is_true(_last(query.get("raw"))),
        data_key=entry.data_key,
    )


def _last(value: Any) -> Any:
    return value[-1] if isinstance(value, list) and value else value
