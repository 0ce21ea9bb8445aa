"""The doctor's requests: few at a time, each within limits of time and size, all of them within limits of their own."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from widgets_app.errors import BadRequest, Busy, RequestError, SourceTimeout
from widgets_app.sources.address import Address, HostNotListed
from widgets_app.sources.base import Call
from widgets_app.sources.limits import Deadline, Slots, run_limited
from widgets_app.sources.outbound import Line, Outbound, Outgoing, Reply, Unreachable, decoded

MB = 1024 * 1024
HTTP = b"HTTP/"
# The last requests before the end are given so long, so that the limit is passed by this much at most.
MIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """What one examination may take: seconds and requests in all; seconds and bytes of one answer; requests at once."""

    seconds: float = 120
    calls: int = 1_000
    answer_seconds: float = 20
    answer_bytes: int = 16 * MB
    at_once: int = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back from one request. With a `fault`, which is a code, there is no status or no whole body.

    Codes: those of `Unreachable`, `timeout`, `too-large`, `unsendable`, and `spent` for what was not asked any more.
    """

    url: str
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = field(default=b"", repr=False)
    seconds: float = 0
    fault: str = ""
    message: str = ""
    detail: str = ""

    @property
    def is_redirect(self) -> bool:
        """Whether it leads elsewhere."""
        return self.status in (301, 302, 303, 307, 308) and "location" in self.headers

    @property
    def kind(self) -> str:
        """The content type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Prober:
    """Sends requests to one backend, few at once. Thread-safe."""

    def __init__(self, limits: Limits, *, private_hosts: frozenset[str]) -> None:
        self.limits = limits
        self.calls = 0
        # Whether something was not asked because the limits were reached.
        self.is_spent = False
        self._private_hosts = private_hosts
        self._outbound = Outbound(private_hosts)
        self._slots = Slots("doctor", limits.at_once)
        self._end = time.monotonic() + limits.seconds
        self._turn = threading.BoundedSemaphore(limits.at_once)
        self._counting = threading.Lock()

    def trust(self, tls: ssl.SSLContext) -> None:
        """Go on with another idea of which certificates are good."""
        self._outbound.close()
        self._outbound = Outbound(self._private_hosts, tls=tls)

    def ask(
        self, address: Address, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: object = None
    ) -> Seen:
        """Send one request and follow no redirect; raises nothing. A `body` is sent as JSON."""
        with self._turn:
            if not self._may_ask():
                return Seen(address.url, fault="spent")
            return self._ask(address, method, dict(headers or {}), body)

    def close(self) -> None:
        """Close all connections."""
        self._outbound.close()

    def _may_ask(self) -> bool:
        with self._counting:
            may = self.calls < self.limits.calls and time.monotonic() < self._end
            self.calls += may
            self.is_spent |= not may
            return may

    def _ask(self, address: Address, method: str, headers: dict[str, str], body: object) -> Seen:
        seconds = min(self.limits.answer_seconds, max(MIN_SECONDS, self._end - time.monotonic()))
        line = Line(Deadline(seconds, f'"{address.host}"', "Look into its log."))
        # Not orjson, which refuses numbers and halves of characters that definitions of others may have.
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        outgoing = Outgoing(
            method, address, {"Accept-Encoding": "gzip", **headers}, body=None if content is None else [content]
        )
        heads: list[Reply] = []
        begun, fault, answer = time.monotonic(), Fault(), b""
        try:
            work = partial(self._exchanged, outgoing, line, heads)
            answer = run_limited(self._slots, work, deadline=line.deadline, call=Call(on_cancel=[line.cut]))
        except RequestError as error:
            fault = _fault(error, line)
        return _seen(address.url, heads, answer, time.monotonic() - begun, fault)

    def _exchanged(self, outgoing: Outgoing, line: Line, heads: list[Reply]) -> bytes:
        reply = self._outbound.exchange(outgoing, line)
        heads.append(reply)
        with closing(reply.pieces()) as pieces:
            return b"".join(decoded(pieces, reply, self.limits.answer_bytes))


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no whole answer."""

    code: str = ""
    message: str = ""
    detail: str = ""


def _fault(error: RequestError, line: Line) -> Fault:
    if line.first and not HTTP.startswith(line.first):
        # It may say nothing more, or wait for its own kind of question.
        return Fault("not-http", f"{line.deadline.what} answers, but not in HTTP.")
    if isinstance(error, Unreachable):
        return Fault(error.code, str(error), error.detail)
    codes = {SourceTimeout: "timeout", BadRequest: "unsendable", Busy: "timeout", HostNotListed: "not-listed"}
    return Fault(codes.get(type(error), "failed"), str(error))


def _seen(url: str, heads: list[Reply], content: bytes, seconds: float, fault: Fault) -> Seen:
    head = heads[0] if heads else None
    return Seen(
        url=url,
        status=head.status if head else 0,
        headers=_joined(head.headers) if head else {},
        content=content,
        seconds=seconds,
        fault=fault.code,
        message=fault.message,
        detail=fault.detail,
    )


def _joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by their lower-case names; of one that comes several times the values, with commas between."""
    found: dict[str, str] = {}
    for name, value in headers:
        known = found.get(name.lower())
        found[name.lower()] = value if known is None else f"{known}, {value}"
    return found
