"""What an API or an upstream gives as the reason of a failure, and when it wants to be asked again."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote, quote_plus

import orjson

from widgets_app.errors import SourceFailed, SourceTimeout, one_line
from widgets_app.sources.base import Pieces
from widgets_app.sources.outbound import Reply

# How much of a failed answer is read for its text, and how far into it is looked.
ERROR_BYTES = 64 * 1024
ERROR_DEPTH = 4
# Parts of a header's value that are shorter would be found in any text.
SECRET_LENGTH = 6
# The longest wait that anybody is told.
LONGEST_WAIT = 999_999

_REASONS = ("detail", "error", "message")


def beginning(pieces: Pieces) -> bytes:
    """Return the start of a body, or what there is of it."""
    content = b""
    with suppress(SourceFailed, SourceTimeout), closing(pieces):
        for piece in pieces:
            content += piece
            if len(content) >= ERROR_BYTES:
                break
    return content[:ERROR_BYTES]


def said(content: bytes, content_type: str, secrets: Iterable[str]) -> str:
    """Return what an upstream gives as the reason, in one line; empty without any that people can read.

    Secret values, which some repeat, are taken out before the line is cut: half of one would be told otherwise.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        with suppress(orjson.JSONDecodeError):
            return one_line(_without(_reason(orjson.loads(content), ERROR_DEPTH), secrets))
    if kind == "text/plain":
        return one_line(_without(content.decode("utf-8", "replace").strip().partition("\n")[0], secrets))
    return ""


def _without(text: str, secrets: Iterable[str]) -> str:
    parts = {part for value in secrets for part in (value, *value.split()) if len(part) >= SECRET_LENGTH}
    # In an address, as which many repeat a request, they are written in other ways.
    words = {word for part in parts for word in (part, quote(part, safe=""), quote(part, safe=",:/"), quote_plus(part))}
    for word in sorted(words, key=len, reverse=True):
        text = re.sub(re.escape(word), "…", text, flags=re.IGNORECASE)
    return text


def retry_after(reply: Reply) -> int | None:
    """Return how many seconds an answer asks to wait, None where it doesn't say."""
    text = reply.header("retry-after").strip()
    if re.fullmatch("[0-9]{1,6}", text):
        return int(text)
    with suppress(ValueError):
        seconds = math.ceil((_time(text) - datetime.now(UTC)).total_seconds())
        return seconds if 0 < seconds <= LONGEST_WAIT else None
    return None


def _time(text: str) -> datetime:
    found = parsedate_to_datetime(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _reason(value: object, depth: int) -> str:
    if isinstance(value, str) or not depth:
        return value if isinstance(value, str) else ""
    if isinstance(value, list):
        return "; ".join(filter(None, (_reason(one, depth - 1) for one in value)))
    if not isinstance(value, dict):
        return ""
    if isinstance(place := value.get("loc"), list) and isinstance(fault := value.get("msg"), str):
        return f"{'.'.join(map(str, place))}: {fault}"
    return next(filter(None, (_reason(value.get(name), depth - 1) for name in _REASONS)), "")
