"""What the server answers by itself, without a thread and without Django: the manifests, and its own refusals."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import orjson
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from widgets_app import cors, documents, exceptions

Answer = tuple[int, list[tuple[str, str]], bytes]


def answer(
    method: str, path: str, headers: Iterable[tuple[bytes, bytes]], query_string: bytes, address: str
) -> Answer | None:
    """Answer a request for a manifest; None for every other request. `headers` as ASGI gives them."""
    if method not in ("GET", "HEAD"):
        return None
    query = query_string.decode("latin-1")
    found = documents.document_path(path, query)
    if found is None:
        return None
    sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    if not _known_host(sent.get("host", "")):
        return None  # Django refuses it
    document = documents.answer(found, query, sent, address)
    length = ("Content-Length", str(len(document.content)))
    answered = with_cors([*document.headers, length], sent.get("origin"))
    return document.status, answered, document.content if method == "GET" else b""


@lru_cache(maxsize=256)
def _known_host(host: str) -> bool:
    """Say whether ALLOWED_HOSTS has a Host header's name: otherwise a foreign name may lead here."""
    return validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)


def refuse(headers: Iterable[tuple[bytes, bytes]], status: int, text: str) -> Answer:
    """Return an error in the shape that all errors have."""
    origin = next((value.decode("latin-1") for name, value in headers if name == b"origin"), None)
    content = orjson.dumps(exceptions.body(text))
    head = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    retry = [("Retry-After", "2")] if status == 503 else []
    return status, with_cors([*head, *retry], origin), content


def with_cors(headers: list[tuple[str, str]], origin: str | None) -> list[tuple[str, str]]:
    """Add the CORS headers for a page's Origin; one Vary names everything that the answer depends on."""
    added = cors.headers_for(origin)
    vary = ", ".join(value for name, value in (*headers, *added) if name.lower() == "vary")
    kept = [(name, value) for name, value in (*headers, *added) if name.lower() != "vary"]
    return [*kept, ("Vary", vary)] if vary else kept
