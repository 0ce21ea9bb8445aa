"""The source kind "http": a JSON API that queries read, or a backend that answers its widgets' requests itself."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from http.client import responses
from typing import ClassVar
from urllib.parse import quote

from pydantic import ConfigDict, Field, SecretStr, field_validator

from widgets_app.errors import (
    BadRequest,
    DefinitionError,
    RequestError,
    SourceFailed,
    SourceTimeout,
    UpstreamRefused,
)
from widgets_app.sources import address as addresses
from widgets_app.sources import http_check, references
from widgets_app.sources.base import (
    Answer,
    Call,
    Forward,
    Limits,
    SourceOptions,
    Step,
    UpstreamBackend,
)
from widgets_app.sources.http_query import Api, HttpQuery
from widgets_app.sources.http_reason import beginning, retry_after, said
from widgets_app.sources.http_text import read
from widgets_app.sources.limits import Deadline, Slots, run_streamed
from widgets_app.sources.outbound import (
    MAX_REDIRECTS,
    Line,
    Outbound,
    Outgoing,
    Reply,
    bounded,
    check_headers,
    too_large,
)
from widgets_app.sources.registry import register

logger = logging.getLogger("widgets_app.sources")

# The headers of an answer that are passed on; all others are between the upstream and this backend.
PASSED_ON = frozenset(
    {
        "cache-control",
        "content-type",
        "content-disposition",
        "content-language",
        "content-encoding",
        "last-modified",
        "retry-after",
    }
)
# Statuses that tell the caller of a fault in the request; every other failure is the upstream's own.
CALLERS_FAULT = frozenset({400, 404, 405, 409, 413, 415, 422, 429})
LOGIN_REFUSED = frozenset({401, 403})
# How long a stream of events may last.
STREAM_SECONDS = 600.0

OTHER_LENGTH = "The body of the request has another length than it says. Send it again."
EVENTS = "text/event-stream"
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_MB = 1024 * 1024
_PARAMETER = re.compile(r"[A-Za-z0-9._-]+")
_SAFE_IN_PATH = "!$&'()*+,;=:@"


class HttpOptions(SourceOptions):
    """Where the backend is, and what it wants to be sent."""

    # A fault in one header must not show the others.
    model_config = ConfigDict(hide_input_in_errors=True, validate_default=True)
    secret: ClassVar[frozenset[str]] = frozenset({"headers", "parameters"})

    url: str = Field(
        default="",
        title="Address",
        description="Address of the API or backend: https://api.example.com/v2 or http://localhost:7780. The paths of "
        "queries, and the endpoints of widgets that are passed on, are below it.",
    )
    headers: dict[str, SecretStr] = Field(
        default_factory=dict,
        title="Headers",
        description="Sent with every request, such as X-API-KEY or Authorization. They are kept encrypted. "
        "Keys of the callers are never sent on. " + references.HELP,
    )
    parameters: dict[str, SecretStr] = Field(
        default_factory=dict,
        title="Secret parameters",
        description="Added to the address of each request of a query, for an API that wants its key there, such as "
        "api_key. They are kept encrypted, and not added to what is passed on. Prefer a header if the API takes one.",
    )
    private_hosts: list[str] = Field(
        default_factory=list,
        title="Private hosts",
        description="Hosts of your own network that may be reached, one name or IP address for each, as the address "
        "has it: localhost, 10.0.0.5. All others have to be public.",
    )
    max_mb: int = Field(
        default=64, ge=1, le=10_000, title="Largest answer (MB)", description="A larger answer is refused or cut off."
    )
    redirects: int = Field(
        default=MAX_REDIRECTS,
        ge=0,
        le=10,
        title="Redirects",
        description="How many redirects are followed. The headers go along only within the same scheme, host and port.",
    )

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("enter the address of the backend, such as https://widgets.example.com")
        if "?" in value or "#" in value:
            raise ValueError("leave out what begins with ? or #; a key belongs into a header")
        address = addresses.parse(value)
        if {".", ".."} & set(address.target.split("/")):
            raise ValueError("leave . and .. out of the path")
        return address.url.rstrip("/")

    @field_validator("headers")
    @classmethod
    def _sendable(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for secret in value.values():
            references.check(secret)
        # What is only named is looked at when it is read.
        named = {name for name, secret in value.items() if references.is_reference(secret)}
        check_headers({name: "" if name in named else secret.get_secret_value() for name, secret in value.items()})
        return value

    @field_validator("parameters")
    @classmethod
    def _named(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in value.items():
            references.check(secret)
            if not _PARAMETER.fullmatch(name):
                raise ValueError("name a parameter with letters, digits, hyphens, dots and underscores")
        return value

    @field_validator("private_hosts")
    @classmethod
    def _hosts(cls, value: list[str]) -> list[str]:
        return [addresses.host_of(name) for name in value]


@register
class HttpBackend(UpstreamBackend):
    """An API, or a backend behind this one."""

    kind = "http"
    label = "HTTP API or backend"
    help = (
        "A JSON API, whose answers become rows: the text of a query is a request, such as GET /v1/prices/:ticker. "
        "Or a backend that serves widgets already, such as one made with FastAPI: requests for the widgets that name "
        "it as their upstream are sent on to it. Both with the headers of the source."
    )
    Options = HttpOptions
    no_tables = (
        "A server that speaks HTTP can't be asked for what it has. Its documentation says which paths there are: write "
        "a query that asks for one, such as GET /v1/prices."
    )

    def __init__(self, name: str, options: SourceOptions) -> None:
        super().__init__(name, options)
        if not isinstance(options, HttpOptions):
            raise DefinitionError(f'The source "{name}" has no address. Enter the address of the backend.')
        self._base = addresses.parse(options.url)
        self._header_names = frozenset(name.lower() for name in options.headers)
        self._secret = partial(_revealed, options.headers)
        self._most = options.max_mb * _MB
        self._redirects = options.redirects
        self._outbound = Outbound(options.private_hosts)
        parameters = partial(_parameters, options.parameters)
        self._parameter_names = frozenset(options.parameters)
        self._api = Api(name, self._base, self._secret, parameters, self._most, self._redirects, self._outbound)

    def prepare(self, text: str) -> HttpQuery:
        """Read the request of a query; its headers may not be those of the source."""
        definition = read(text)
        if name := next((name for name in definition.headers if name.lower() in self._header_names), None):
            raise DefinitionError(f"The source sets the header {name}. Leave it out of the query.")
        if name := next((name for name, _ in definition.pairs if name in self._parameter_names), None):
            raise DefinitionError(f"The source sets the parameter {name}. Leave it out of the query.")
        return HttpQuery(self._api, definition)

    def send(self, forward: Forward, *, limits: Limits, slots: Slots, call: Call, what: str) -> Answer:
        """Send a request on; see UpstreamBackend."""
        outgoing = self._outgoing(forward)
        about = f'The upstream "{self.name}" ({self._base.host})'
        line = Line(Deadline(limits.seconds, about, "Narrow the request or raise the time limit of the source."))
        call.on_cancel.append(line.cut)

        def work() -> tuple[Reply, Generator[bytes]]:
            reply = self._outbound.send(outgoing, line, redirects=self._redirects)
            return reply, self._body(reply, outgoing, line)

        reply, chunks = run_streamed(slots, work, deadline=line.deadline, call=call, what=what)
        passed = [(name, value) for name, value in reply.headers if name.lower() in PASSED_ON]
        return Answer(reply.status, passed, chunks, reply.length)

    def check(self, limits: Limits, call: Call) -> Iterator[Step]:
        """Ask for the widgets.json, with the headers of the source."""
        try:
            outgoing = self._outgoing(Forward("GET", http_check.CHECKED))
        except SourceFailed as error:
            yield Step("Headers", str(error), "bad")
            return

        def send(line: Line) -> Reply:
            return self._outbound.send(outgoing, line, redirects=self._redirects)

        yield from http_check.steps(outgoing.address, send, limits, call)

    def _outgoing(self, forward: Forward) -> Outgoing:
        address = replace(self._base, target=self._target(forward))
        headers = {"Accept-Encoding": "identity"}
        if forward.content_type:
            headers["Content-Type"] = forward.content_type
        if forward.body is None and forward.method in WITH_BODY:
            headers["Content-Length"] = "0"
        elif forward.body is not None and forward.length is not None:
            headers["Content-Length"] = str(forward.length)
        elif forward.body is not None:
            headers["Transfer-Encoding"] = "chunked"
        return Outgoing(forward.method, address, headers, self._secret(), _exactly(forward.body, forward.length))

    def _target(self, forward: Forward) -> str:
        segments = forward.path.split("/")
        if {".", ".."} & set(segments):
            raise BadRequest("The path has . or .. in it. Ask for the path that is meant.")
        path = "/".join(quote(segment, safe=_SAFE_IN_PATH) for segment in segments)
        # As it stood in the address, but for what can't be sent at all.
        query = quote(forward.query, safe=addresses.PRINTABLE, encoding="latin-1", errors="replace")
        below = f"{self._base.target.rstrip('/')}/{path}" if path else self._base.target
        return f"{below}?{query}" if query else below

    def _body(self, reply: Reply, outgoing: Outgoing, line: Line) -> Generator[bytes]:
        """Return the body of an answer that can be passed on; raises what the caller is told instead of any other."""
        advice = f'Narrow the request or raise the largest answer of the source "{self.name}".'
        try:
            if not 200 <= reply.status < 300:
                raise self._refusal(reply)
            if outgoing.method != "HEAD" and (reply.length or 0) > self._most:
                raise too_large(reply.address.host, self._most, advice)
        except BaseException:
            reply.close()
            raise
        if reply.header("content-type").lower().startswith(EVENTS):
            line.deadline.prolong(STREAM_SECONDS)
        return bounded(reply.pieces(), reply.address.host, self._most, advice)

    def _refusal(self, reply: Reply) -> RequestError:
        status, wait = reply.status, retry_after(reply)
        reason = self._reason(reply)
        phrase = f"{status} ({responses.get(status, 'no usual status')})"
        if status in CALLERS_FAULT:
            silent = f'The upstream "{self.name}" answered {phrase}. Check the values of the request.'
            return UpstreamRefused(reason or silent, status=status, retry_after=wait)
        if status in LOGIN_REFUSED:
            message = f'The upstream "{self.name}" refused the headers of the source with {phrase}. Correct them there.'
        elif reason:
            message = f'The upstream "{self.name}" answered {status}: {reason}'
        else:
            message = f'The upstream "{self.name}" answered {phrase}. Look into its log.'
        logger.warning('The upstream "%s" answered %s', self.name, phrase)
        kind = SourceTimeout if status == 504 else SourceFailed
        return kind(message, retry_after=wait)

    def _reason(self, reply: Reply) -> str:
        if reply.status in LOGIN_REFUSED or reply.header("content-encoding") not in ("", "identity"):
            return ""
        return said(beginning(reply.pieces()), reply.header("content-type"), self._secret().values())


def _revealed(headers: Mapping[str, SecretStr]) -> dict[str, str]:
    """Return the headers of a source as they are now."""
    found = {name: references.revealed(secret) for name, secret in headers.items()}
    try:
        check_headers(found)
    except DefinitionError as error:
        raise SourceFailed(str(error)) from None
    return found


def _parameters(given: Mapping[str, SecretStr]) -> dict[str, str]:
    """Return the secret parameters of a source as they are now."""
    return {name: references.revealed(secret) for name, secret in given.items()}


def _exactly(body: Iterable[bytes] | None, length: int | None) -> Iterable[bytes] | None:
    """Return a body that fails where its length isn't what was said."""
    return body if body is None or length is None else _counted(body, length)


def _counted(body: Iterable[bytes], length: int) -> Generator[bytes]:
    size = 0
    for piece in body:
        if (size := size + len(piece)) > length:
            raise BadRequest(OTHER_LENGTH)
        yield piece
    if size < length:
        raise BadRequest(OTHER_LENGTH)
