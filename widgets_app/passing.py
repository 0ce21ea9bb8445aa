"""Requests that go on to an upstream: sent with its own headers, streamed back unchanged, kept where that is right."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from widgets_app import cache
from widgets_app.authentication import Caller
from widgets_app.catalog import PassRoute
from widgets_app.compiled import OpenSource
from widgets_app.errors import Abandoned, BadRequest, SourceFailed
from widgets_app.shapes.base import SANDBOX
from widgets_app.sources.base import Answer, Call, Forward, Pieces, UpstreamBackend
from widgets_app.stores import Plain

# The largest answer that is kept; a larger one is streamed each time.
KEPT_BYTES = 8 * 1024 * 1024
# An answer of this size is sent on in one step, which for small ones is several times faster than piece by piece.
WHOLE_BYTES = 256 * 1024
# What an upstream says about answers that are for one reader or for once.
NOT_KEPT = re.compile(r"\b(no-store|no-cache|private|max-age=0+)\b", re.IGNORECASE)
# Streams of events would be kept back until their end.
EVENTS = "text/event-stream"

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Passed:
    """A whole answer of an upstream."""

    headers: Headers
    content: bytes
    status: int = 200
    made_at: float = field(default_factory=time.time)
    kept: bool = False

    @property
    def size(self) -> int:
        """How many bytes of memory it takes."""
        return len(self.content)


class Joined(Iterator[bytes]):
    """Pieces that were read already, and the rest as it comes."""

    def __init__(self, first: list[bytes], rest: Pieces) -> None:
        self._pieces = chain(first, rest)
        self._rest = rest

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """Stop the rest."""
        self._rest.close()


Plain.register(Passed, body="content")


def passed(
    route: PassRoute, forward: Forward, caller: Caller, departure: cache.Leaving | None = None, *, force: bool = False
) -> Passed | Answer:
    """Send a request on; return the answer whole where it is kept, else as it comes.

    It ends with the departure of who asked, unless others wait for it too. Raises as `UpstreamBackend.send`, and for
    what goes wrong before the first piece of the body.
    """
    call = Call(caller={"name": caller.name})
    opened: list[Passed | Answer] = []
    if _may_keep(route, forward):
        kept = cache.shared(
            key_of(route, forward),
            seconds=route.stale_seconds,
            make=lambda: _whole(_send(route, forward, call), call, opened),
            force=force,
            patience=route.upstream.limits.seconds,
            call=call,
            departure=departure,
            renew=lambda: _renewed(route, forward, call),
        )
        if kept is not None:
            return kept
    if departure is not None:
        departure.tell(call.abandon)
    # Where it could not be kept, whoever asked first has it open, and others ask for themselves.
    return opened.pop() if opened else _begun(_send(route, forward, call))


def kept_in_memory(route: PassRoute, forward: Forward) -> Passed | None:
    """Return the kept answer if this process has it, without waiting for anything."""
    if not _may_keep(route, forward):
        return None
    kept: Passed | None = cache.kept_in_memory(key_of(route, forward), seconds=route.stale_seconds)
    return kept


def headers_of(headers: Headers) -> Headers:
    """Return the headers of the answer to a client."""
    mine = {"cache-control", "content-security-policy"}
    passed_on = ((name, value) for name, value in headers if name.lower() not in mine)
    return [*passed_on, ("Cache-Control", "no-store"), SANDBOX]


def filled(path: str, query: Mapping[str, Any]) -> str:
    """Put values of the query in the place of a path's placeholders, for clients that ask for `stock/{ticker}`."""
    return re.sub(r"\{([^{}/]*)\}", lambda found: _value(found, query), path)


def _value(found: re.Match[str], query: Mapping[str, Any]) -> str:
    values = query.get(found[1])
    value = str((values[-1] if isinstance(values, list) and values else values) or found[0])
    if "/" in value:
        raise BadRequest(f'"{found[1]}" is part of the address, so it can hold no slash.')
    return value


def _may_keep(route: PassRoute, forward: Forward) -> bool:
    return route.stale_seconds > 0 and forward.method == "GET" and forward.body is None


def key_of(route: PassRoute, forward: Forward) -> str:
    """Return the name under which an answer is kept."""
    # The settings, with their sealed secrets: another upstream, or other rights there, may answer something else.
    asked = repr((route.upstream.settings, forward.method, forward.path, forward.query))
    return hashlib.blake2b(asked.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def _send(route: PassRoute, forward: Forward, call: Call) -> Answer:
    stops: list[Callable[[], None]] = [lambda: all_of(call.on_cancel)]
    call.abandoned.add_done_callback(lambda _: all_of(stops))
    answer = _exchange(route.upstream, forward, call)
    if call.abandoned.done():
        answer.close()
    # Closed first, an answer has nothing to say about the connection that is cut then.
    stops.insert(0, answer.close)
    return answer


def all_of(stops: list[Callable[[], None]]) -> None:
    """Call all of what stops something."""
    for stop in list(stops):
        stop()


def _exchange(upstream: OpenSource, forward: Forward, call: Call) -> Answer:
    if upstream.backend is None:
        raise SourceFailed(f'The upstream "{upstream.name}" can\'t be asked: {upstream.fault}')
    if not isinstance(upstream.backend, UpstreamBackend):
        raise SourceFailed(f'The source "{upstream.name}" can\'t answer for widgets. Choose an HTTP backend.')
    return upstream.backend.send(
        forward,
        limits=upstream.limits,
        slots=upstream.slots,
        call=call,
        what=f'The upstream "{upstream.name}"',
    )


def _begun(answer: Answer) -> Passed | Answer:
    """Read a small answer whole, else wait for its first piece: what goes wrong before can still be told."""
    if 0 < (answer.length or 0) <= WHOLE_BYTES:
        content = b"".join(answer.chunks)
        # The answer to HEAD has a length and no body.
        if content:
            return Passed(answer.headers, content, answer.status)
    first = next(answer.chunks, None)
    return answer if first is None else replace(answer, chunks=Joined([first], answer.chunks))


def _renewed(route: PassRoute, forward: Forward, call: Call) -> Passed | None:
    """Ask again for a kept answer, when nobody waits for it: one that may not be kept any more is closed."""
    opened: list[Passed | Answer] = []
    kept = _whole(_send(route, forward, call), call, opened)
    for answer in opened:
        if isinstance(answer, Answer):
            answer.close()
    return kept


def _whole(answer: Answer, call: Call, opened: list[Passed | Answer]) -> Passed | None:
    """Read an answer that may be kept; one that may not be, or is too large, goes to `opened` instead."""
    if not _is_keepable(answer):
        opened.append(_begun(answer))
        return None
    pieces, size = [], 0
    for piece in answer.chunks:
        pieces.append(piece)
        size += len(piece)
        if size > KEPT_BYTES:
            opened.append(replace(answer, chunks=Joined(pieces, answer.chunks)))
            return None
    if call.abandoned.done():
        # A body that is closed early looks like one that ends.
        raise Abandoned("Nobody waits for this answer any more.")
    return Passed(answer.headers, b"".join(pieces), kept=True)


def _is_keepable(answer: Answer) -> bool:
    headers = {name.lower(): value for name, value in answer.headers}
    if answer.status != 200 or headers.get("content-type", "").lower().startswith(EVENTS):
        return False
    return not NOT_KEPT.search(headers.get("cache-control", ""))
