"""The test of an HTTP server: may it be asked, is it reached, is it trusted, what does it answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from http.client import responses

import orjson

from widgets_app.errors import RequestError, SourceFailed, SourceTimeout
from widgets_app.sources import address as addresses
from widgets_app.sources.address import Address, HostNotListed
from widgets_app.sources.base import Call, Limits, Step
from widgets_app.sources.limits import Deadline
from widgets_app.sources.outbound import Line, Reply, Unreachable, bounded
from widgets_app.sources.reaching import REACH_SECONDS, Unreached, reach

# What every backend for Workspace has.
CHECKED = "widgets.json"
# How much of it is read.
CHECKED_BYTES = 8 * 1024 * 1024

UNREACHED = "The host can't be reached."
HOW_TO_REACH = (
    "Check the address and that the server runs. A host of your own network has to be among the private hosts "
    "of the source."
)
# Faults of a server that are told even where it is in a private network: nobody could mend them otherwise.
_TOLD = frozenset({"certificate", "tls"})


def steps(asked: Address, send: Callable[[Line], Reply], limits: Limits, call: Call) -> Iterator[Step]:
    """Test the server at an address; `send` asks it and returns the head of its answer."""
    line = Line(Deadline(REACH_SECONDS, f'"{asked.host}"', "Look why it is so slow."))
    call.on_cancel.append(line.cut)
    try:
        reply = reach(partial(send, line), call=call, told=partial(_is_told, asked.host), otherwise=UNREACHED)
    except RequestError as error:
        yield _not_reached(asked, error)
        return
    line.deadline.prolong(limits.seconds)
    try:
        yield Step("Host", f"{asked.host} may be asked, and answers.")
        if asked.scheme == "https":
            yield Step("Certificate", "It is trusted.")
        if reply.address.origin != asked.origin:
            text = f"It redirects to {reply.address.host}, which is not sent the headers of the source."
            yield Step("Redirect", text, "warning", "Enter the address that it leads to.")
        yield from _answered(reply)
    finally:
        reply.close()


def _is_told(host: str, error: RequestError) -> bool:
    if isinstance(error, HostNotListed) or getattr(error, "code", "") in _TOLD:
        return True
    return addresses.is_public_host(host)


def _not_reached(asked: Address, error: RequestError) -> Step:
    if isinstance(error, Unreached):
        return Step("Host", UNREACHED, "bad", HOW_TO_REACH, timed=False)
    is_tls = isinstance(error, Unreachable) and error.code in _TOLD
    return Step("Certificate" if is_tls else "Host", str(error), "bad")


def _answered(reply: Reply) -> Iterator[Step]:
    phrase = f"{reply.status} ({responses.get(reply.status, 'no usual status')})"
    if reply.status in (401, 403):
        yield Step("Status", f"It refuses the headers of the source with {phrase}.", "bad", "Correct the headers.")
    elif reply.status in (404, 405, 410):
        advice = "Only a backend for Workspace needs one: if it is one, check the address."
        yield Step("Status", f"It has no {CHECKED}: it answers {phrase}.", "warning", advice)
    elif not 200 <= reply.status < 300:
        yield Step("Status", f"It answers {phrase}.", "bad", "Look into its log.")
    else:
        yield Step("Status", f"It answers {phrase}.")
        yield _content(reply)


def _content(reply: Reply) -> Step:
    pieces: Generator[bytes] = bounded(reply.pieces(), reply.address.host, CHECKED_BYTES, "Have it send less.")
    try:
        content = b"".join(pieces)
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        is_page = "html" in reply.header("content-type").lower() or content.lstrip()[:1] == b"<"
        what = "a web page" if is_page else "no JSON"
        advice = "Look whether the address leads to the backend itself, and not to a page to sign in."
        return Step("Answer", f"What it has as {CHECKED} is {what}.", "warning", advice)
    except (SourceFailed, SourceTimeout) as error:
        return Step("Answer", str(error), "bad")
    if not isinstance(found, dict):
        advice = "Its other addresses may still be right."
        return Step("Answer", f"Its {CHECKED} is no object of widgets, as Workspace wants it.", "warning", advice)
    return Step("Answer", f"Its {CHECKED} is JSON and has {len(found)} widget{'' if len(found) == 1 else 's'}.")
