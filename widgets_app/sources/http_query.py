"""A query over HTTP at work: values in requests, page after page, another try after a failure that may pass."""

from __future__ import annotations

import hashlib
import json
import logging
import random
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.client import responses
from typing import Any, Final

from widgets_app.errors import BadRequest, Busy, DefinitionError, RequestError, SourceFailed, SourceTimeout
from widgets_app.sources.address import Address, HostNotListed
from widgets_app.sources.base import Call, Limits, PreparedQuery, is_key_name
from widgets_app.sources.frame import Frame
from widgets_app.sources.http_reason import ERROR_BYTES, beginning, retry_after, said
from widgets_app.sources.http_request import (
    Request,
    as_text,
    counted,
    first_request,
    headers_of,
    is_cursor,
    leaves,
    with_parameters,
    with_value,
)
from widgets_app.sources.http_rows import Row, document, frame_of, picked, rows_of
from widgets_app.sources.http_text import Definition, Next
from widgets_app.sources.limits import Deadline
from widgets_app.sources.outbound import (
    UNSENDABLE,
    Line,
    Outbound,
    Outgoing,
    Redirected,
    Reply,
    Unreachable,
    decoded,
    too_large,
)

logger = logging.getLogger("widgets_app.sources")

# A failure that may pass is tried again so often, after a wait that doubles and is between half and all of this.
ATTEMPTS: Final = 3
BACKOFF_SECONDS: Final = 0.5
RETRIED_STATUSES: Final = frozenset({429, 502, 503, 504})
RETRIED_FAULTS: Final = frozenset({"refused", "closed"})
# When to come back to an API that allows no more requests and doesn't say when it will.
RETRY_SECONDS: Final = 60
# Answers kept to ask whether they have changed, for each source.
KEPT_BYTES: Final = 16 * 1024 * 1024

# Statuses by which an API finds fault with the values, and those by which it refuses the headers of the source.
VALUES_FAULT: Final = frozenset({400, 404, 409, 410, 413, 414, 415, 422})
LOGIN_FAULT: Final = frozenset({401, 403, 407})
# A page that is not there ends the pages that are counted.
NO_PAGE: Final = frozenset({404, 416})

_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[\w*]+\s*=\s*(?:\"[^\"]*\"|[^\s;,\"]+))*)")
_REL = re.compile(r";\s*rel\s*=\s*\"?([^\";]*)", re.IGNORECASE)
_FAULTS: Final[Mapping[str, str]] = {
    "refused": "refuses connections. Check that it is running, and the port of its address.",
    "closed": "closed the connection before its answer was complete. Look into its log.",
    "unknown-host": "can't be found: its host is unknown. Check the address of the source.",
    "private": "is in a private network. Name its host in the private hosts of the source to allow that.",
    "not-http": "sent something that is not HTTP. Check scheme and port of its address.",
    "certificate": "has a certificate that is not trusted. Have it replaced, or its issuer known.",
    "tls": "could not agree on TLS. Check that its address starts with the right scheme.",
    "encoding": "sent compressed data that can't be read. Have it send gzip, or no encoding.",
    "Redirected": "redirects to where it can't be followed. Enter the address that it leads to.",
    "HostNotListed": "is not among the hosts that may be asked. Add its host to WIDGETS_OUTBOUND_HOSTS.",
}
_UNREACHABLE = "can't be reached. Check the address of the source and the network."


@dataclass(frozen=True, slots=True)
class Content:
    """An answer that was read whole; `links` are its Link headers, `address` is where it was found."""

    status: int
    kind: str
    body: bytes = field(repr=False)
    links: tuple[str, ...]
    address: Address
    validators: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> bytes:
        """A name of its body that tells it from all others."""
        return hashlib.blake2b(self.body, digest_size=20).digest()


class Kept:
    """The answers of one source that can be asked after: those that were used last, up to a size. Thread-safe."""

    def __init__(self, size: int = KEPT_BYTES) -> None:
        self._most = size
        self._size = 0
        self._lock = threading.Lock()
        self._contents: OrderedDict[bytes, Content] = OrderedDict()

    def get(self, key: bytes) -> Content | None:
        """Return an answer that was kept."""
        with self._lock:
            if key in self._contents:
                self._contents.move_to_end(key)
            return self._contents.get(key)

    def put(self, key: bytes, content: Content) -> None:
        """Keep an answer, if there is room for it."""
        with self._lock:
            if (old := self._contents.pop(key, None)) is not None:
                self._size -= len(old.body)
            if len(content.body) <= self._most:
                self._contents[key] = content
                self._size += len(content.body)
            while self._size > self._most:
                self._size -= len(self._contents.popitem(last=False)[1].body)


@dataclass(frozen=True, slots=True)
class Api:
    """What all queries of a source have in common: where it is, which secrets go along, how large an answer may be."""

    name: str
    base: Address
    headers: Callable[[], Mapping[str, str]] = field(repr=False)
    parameters: Callable[[], Mapping[str, str]] = field(repr=False)
    most: int
    redirects: int
    outbound: Outbound
    kept: Kept = field(default_factory=Kept)

    @property
    def title(self) -> str:
        """How errors name it: never by its host, which may be one of an own network."""
        return f'The API "{self.name}"'

    def below(self, address: Address) -> Request | None:
        """Return the request for an address, None if it isn't below that of the source."""
        path, _, query = address.target.partition("?")
        base = self.base.target.rstrip("/")
        if address.origin != self.base.origin or not path.startswith(f"{base}/") or leaves(path):
            return None
        return Request(path, query=f"?{query}" if query else "")


class HttpQuery(PreparedQuery):
    """A request to an API, whose JSON becomes rows."""

    def __init__(self, api: Api, definition: Definition) -> None:
        self.api = api
        self.definition = definition
        self.placeholders = definition.placeholders
        self.tables = (definition.request,)

    def run(self, values: Mapping[str, Any], limits: Limits, call: Call) -> Frame:
        """Ask for page after page until there are rows enough or no more."""
        reading = Reading(self.api, self.definition, values, limits)
        call.on_cancel += [reading.line.cut, reading.stopped.set]
        with _told(self.api, limits):
            frame = frame_of(reading.rows(), limits)
        if reading.cut_short and not frame.truncated:
            return replace(frame, truncated=True, cut_by="answers")
        return frame


class Reading:
    """One run of a query. `cut_short` says that there were more pages than it might read."""

    def __init__(self, api: Api, definition: Definition, values: Mapping[str, Any], limits: Limits) -> None:
        self.api = api
        self.definition = definition
        self.values = values
        self.line = Line(Deadline(limits.seconds, api.title))
        self.stopped = threading.Event()
        self.cut_short = False
        self._room = min(api.most, limits.bytes)
        self._headers = headers_of(definition, values)
        self._secret, self._parameters = api.headers(), api.parameters()

    def rows(self) -> Iterator[Row]:
        """Yield the rows, page by page; whoever stops early asks for no more pages."""
        request: Request | None = first_request(self.definition, self.api.base.target, self.values)
        seen: set[bytes] = set()
        before = b""
        for number in range(self.definition.pages):
            if request is None:
                return
            if request.digest in seen:
                raise SourceFailed(f"{self.api.title} names the same next page twice. Correct next in the query.")
            seen.add(request.digest)
            content = self._page(request, number)
            # Some answer with the last page again, or with all there is, whatever page is asked for.
            if content is None or (self._counts_pages and content.digest == before):
                return
            before = content.digest if self._counts_pages else b""
            found, rows = self._read(content)
            yield from rows
            request = self._following(request, content, found, len(rows))
        self.cut_short = request is not None

    def _page(self, request: Request, number: int) -> Content | None:
        """Return one page; None where the pages end, as far as they may be read."""
        try:
            content = self._content(request, number)
        except Unreachable as error:
            if not number or error.code != "too-large":
                raise
            self.cut_short = True
            return None
        self._room -= len(content.body) if content else 0
        return content

    def _read(self, content: Content) -> tuple[Any, list[Row]]:
        if content.status == 204:
            return None, []
        found = document(content.body, content.kind, content.status, self.api.title)
        return found, rows_of(found, self.definition, self.api.title)

    def _following(self, request: Request, content: Content, found: Any, count: int) -> Request | None:
        following = self.definition.next
        match following:
            case None:
                return None
            case Next("page" | "offset"):
                return counted(request, following.name, 1 if following.how == "page" else count) if count else None
            case Next("cursor"):
                cursor = picked(found, following.source)
                return with_value(request, following.name, cursor) if is_cursor(cursor) else None
        link = _next_link(content.links) if following.how == "header" else picked(found, following.source)
        return self._linked(content.address, link) if isinstance(link, str) and link else None

    def _linked(self, here: Address, link: str) -> Request:
        try:
            request = self.api.below(here.joined(link))
        except DefinitionError:
            request = None
        if request is None:
            raise SourceFailed(
                f"{self.api.title} names a next page that is not below the address of the source. "
                "Correct that address, or next in the query."
            )
        return request

    def _content(self, request: Request, number: int) -> Content | None:
        """Return an answer: the one that was kept, where the API says that it is still the same.

        None for a page that isn't there, which ends those that are counted.
        """
        reads = self.definition.method == "GET"
        key = hashlib.blake2b(repr((request.target, self._headers)).encode(), digest_size=20).digest()
        kept = self.api.kept.get(key) if reads else None
        outgoing = self._outgoing(request, kept.validators if kept else {})
        with closing(self._reply(outgoing)) as reply:
            if kept and reply.status == 304:
                return kept
            if number and reply.status in NO_PAGE and self._counts_pages:
                return None
            if not 200 <= reply.status < 300:
                raise self._refusal(reply)
            content = self._whole(reply)
        if reads and content.validators and content.address == outgoing.address:
            self.api.kept.put(key, content)
        return content

    @property
    def _counts_pages(self) -> bool:
        following = self.definition.next
        return following is not None and following.how in ("page", "offset")

    def _outgoing(self, request: Request, validators: Mapping[str, str]) -> Outgoing:
        headers = {"Accept": "application/json, */*;q=0.5", "Accept-Encoding": "gzip", **validators}
        body = None
        if self.definition.method == "POST":
            content = b"" if request.body is None else json.dumps(request.body, default=as_text).encode()
            body = [content]
            headers |= {"Content-Length": str(len(content))}
            headers |= {"Content-Type": "application/json"} if content else {}
        # The query's own headers may hold values that are meant for this API alone, too.
        secret = {**self._headers, **self._secret}
        address = replace(self.api.base, target=with_parameters(request.target, self._parameters))
        return Outgoing(self.definition.method, address, headers, secret, body)

    def _reply(self, outgoing: Outgoing) -> Reply:
        """Send a request, and again after a failure that may pass; never what might have an effect."""
        attempt, last = 1, ATTEMPTS if outgoing.method == "GET" else 1
        while True:
            pause = random.uniform(0.5, 1) * BACKOFF_SECONDS * 2 ** (attempt - 1)  # noqa: S311  no secret
            try:
                reply = self.api.outbound.send(outgoing, self.line, redirects=self.api.redirects)
            except Unreachable as error:
                passes = error.code in RETRIED_FAULTS and not self.line.has_received
                if not passes or attempt == last or pause >= self.line.deadline.remaining():
                    raise
            else:
                if reply.status not in RETRIED_STATUSES or attempt == last:
                    return reply
                pause = max(pause, retry_after(reply) or 0)
                if pause >= self.line.deadline.remaining():
                    return reply
                reply.close()
            if self.stopped.wait(pause):
                raise self.line.deadline.exceeded()
            attempt += 1

    def _whole(self, reply: Reply) -> Content:
        if (reply.length or 0) > self._room:
            raise too_large(self.api.name, self._room, "")
        with closing(decoded(reply.pieces(), reply, self._room)) as pieces:
            body = b"".join(pieces)
        links = tuple(value for name, value in reply.headers if name.lower() == "link")
        return Content(reply.status, reply.header("content-type"), body, links, reply.address, _validators(reply))

    def _refusal(self, reply: Reply) -> RequestError:
        """Return the error of an answer that is none."""
        status, title, wait = reply.status, self.api.title, retry_after(reply)
        phrase = f"{status} ({responses.get(status, 'no usual status')})"
        logger.warning('The API of the source "%s" answered %s', self.api.name, phrase)
        if status in LOGIN_FAULT:
            return SourceFailed(f"{title} refuses the login of the source with {phrase}. Check its headers.")
        if status == 429:
            wait = wait or RETRY_SECONDS
            return Busy(f"{title} takes no more requests for now: {phrase}. Try again in {wait} s.", retry_after=wait)
        if status in VALUES_FAULT:
            reason = self._reason(reply) or "Check the path of the query and the values of the request."
            kind = BadRequest if self.definition.placeholders else SourceFailed
            return kind(f"{title} answered {phrase}: {reason}")
        if status >= 500:
            failed = SourceTimeout if status == 504 else SourceFailed
            return failed(f"{title} failed with {phrase}. Try again later, or look into its log.", retry_after=wait)
        return SourceFailed(f"{title} answered {phrase}. Check the request of the query.")

    def _reason(self, reply: Reply) -> str:
        held = (as_text(value) for name, value in self.values.items() if is_key_name(name))
        secrets = [*self._secret.values(), *self._parameters.values(), *held]
        # In an encoding that nobody can read, it gives none.
        with suppress(Unreachable):
            content = beginning(decoded(reply.pieces(), reply, ERROR_BYTES))
            return said(content, reply.header("content-type"), secrets)
        return ""


@contextmanager
def _told(api: Api, limits: Limits) -> Iterator[None]:
    """Tell in the words of a query what keeps an API from being read; the log tells of which host."""
    try:
        yield
    except (Unreachable, Redirected, HostNotListed) as error:
        logger.warning('The API of the source "%s" failed: %s', api.name, error)
        if getattr(error, "code", "") == "too-large":
            size = min(api.most, limits.bytes) / 1024**2
            text = f"sends more than {size:.3g} MB. Ask for less, or raise the sizes that the source allows."
        else:
            text = _FAULTS.get(getattr(error, "code", type(error).__name__), _UNREACHABLE)
        raise SourceFailed(f"{api.title} {text}") from None


def _next_link(headers: tuple[str, ...]) -> str | None:
    links = (found for text in headers for found in _LINK.finditer(text))
    return next((found[1] for found in links if _is_next(found[2])), None)


def _is_next(parameters: str) -> bool:
    relation = _REL.search(parameters)
    return relation is not None and "next" in relation[1].lower().split()


def _validators(reply: Reply) -> Mapping[str, str]:
    """Return the headers that ask whether an answer has changed; none for one that may not be kept."""
    if "no-store" in reply.header("cache-control").lower() or "*" in reply.header("vary") or reply.status != 200:
        return {}
    asked = {"If-None-Match": reply.header("etag"), "If-Modified-Since": reply.header("last-modified")}
    return {name: value for name, value in asked.items() if value and not UNSENDABLE.search(value)}
