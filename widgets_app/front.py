"""What the server answers by itself, without a thread and without Django: what is in memory, and its own refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import parse_qs

import orjson
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from widgets_app import cors, documents, exceptions, serving
from widgets_app.authentication import QUERY_NAME, authenticate, without_key
from widgets_app.documents import Document
from widgets_app.errors import RequestError
from widgets_app.serving import Asked

# As Django's own security middleware adds it.
NO_SNIFFING = ("X-Content-Type-Options", "nosniff")

Answer = tuple[int, list[tuple[str, str]], bytes]


def answer(
    method: str, path: str, headers: Iterable[tuple[bytes, bytes]], query_string: bytes, address: str
) -> Answer | None:
    """Answer for manifests, health and kept rows; None for all that Django answers. `headers` as ASGI's."""
    if method not in ("GET", "HEAD") or not query_string.isascii():
        return None
    sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    if not _known_host(sent.get("host", "")):
        return None  # Django refuses it
    query = query_string.decode("ascii")
    manifest = documents.document_path(path, query)
    if path == documents.HEALTH:
        found: Answer | None = _whole(documents.health())
    elif manifest:
        found = _whole(documents.answer(manifest, query, sent, address))
    else:
        found = _kept_rows(path, query, sent, address)
    if found is None:
        return None
    status, head, content = found
    length = ("Content-Length", str(len(content)))
    return status, with_cors([*head, length, NO_SNIFFING], sent.get("origin")), content if method == "GET" else b""


def _whole(document: Document) -> Answer:
    return document.status, list(document.headers), document.content


def _kept_rows(path: str, query_string: str, sent: Mapping[str, str], address: str) -> Answer | None:
    query = parse_qs(query_string, keep_blank_values=True)
    try:
        caller = authenticate(sent, query, address)
        query.pop(QUERY_NAME, None)
        asked = Asked(
            path.removeprefix("/"),
            query,
            query_string=without_key(query_string),
            force=serving.is_forced(sent.get("cache-control", ""), sent.get("pragma", "")),
            known=sent.get("if-none-match", ""),
        )
        served = serving.serve_kept(asked, caller)
    except RequestError:
        return None  # Django finds the same, and tells it
    return (served.status, served.headers, served.content) if served and isinstance(served.content, bytes) else None


@lru_cache(maxsize=256)
def _known_host(host: str) -> bool:
    """Say whether ALLOWED_HOSTS has a Host header's name: otherwise a foreign name may lead here."""
    return validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)


def refuse(headers: Iterable[tuple[bytes, bytes]], status: int, text: str) -> Answer:
    """Return an error in the shape that all errors have."""
    origin = next((value.decode("latin-1") for name, value in headers if name == b"origin"), None)
    content = orjson.dumps(exceptions.body(text))
    head = [("Content-Type", "application/json"), ("Content-Length", str(len(content))), NO_SNIFFING]
    retry = [("Retry-After", "2")] if status == 503 else []
    return status, with_cors([*head, *retry], origin), content


def with_cors(headers: list[tuple[str, str]], origin: str | None) -> list[tuple[str, str]]:
    """Add the CORS headers for a page's Origin; one Vary names everything that the answer depends on."""
    added = cors.headers_for(origin)
    vary = ", ".join(value for name, value in (*headers, *added) if name.lower() == "vary")
    kept = [(name, value) for name, value in (*headers, *added) if name.lower() != "vary"]
    return [*kept, ("Vary", vary)] if vary else kept
