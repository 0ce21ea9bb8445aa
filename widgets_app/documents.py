"""The manifests and the state as answers: functions from a request's parts to status, headers and bytes.

They need neither a database nor Django's request, so that the server can call them without a thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

import orjson

from widgets_app import catalog, exceptions
from widgets_app.authentication import KEYS, authenticate
from widgets_app.catalog import CATALOG, Rendered
from widgets_app.errors import RequestError
from widgets_app.serving import etag_matches
from widgets_app.shapes.base import JSON

# Path -> manifest. `templates.json` is the older name of `apps.json`.
DOCUMENTS = {
    "/widgets.json": "widgets",
    "/apps.json": "apps",
    "/templates.json": "apps",
    "/agents.json": "agents",
}
HEALTH = "/-/health"
# Data files are put below it.
FILES = "/-/files/"


@dataclass(frozen=True, slots=True)
class Document:
    """An answer whole: status, headers, body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    content: bytes


def document_path(path: str, query_string: str) -> str | None:
    """Return the path of the manifest that a request is for, if it is for one.

    The Excel add-in glues the file name to a key in the query: `/?api_key=.../widgets.json`.
    """
    if path in DOCUMENTS:
        return path
    if path == "/":
        return next((name for name in DOCUMENTS if query_string.endswith(name)), None)
    return None


def answer(path: str, query_string: str, headers: Mapping[str, str], address: str) -> Document:
    """Answer a request for the manifest at `path`. `headers` has lower-case names; `address` is the client's."""
    query = parse_qs(query_string.removesuffix(path), keep_blank_values=True)
    try:
        caller = authenticate(headers, query, address)
        rendered = catalog.current().manifest(DOCUMENTS[path], caller.groups)
    except RequestError as error:
        return _refusal(error)
    return _found(rendered, headers)


def health() -> Document:
    """Say whether this process can answer: 200 with its state, 503 while it has no definitions."""
    ready = CATALOG.is_loaded and KEYS.is_loaded
    state = "starting" if not ready else "stale" if CATALOG.stale or KEYS.stale else "ok"
    return Document(200 if ready else 503, (("Content-Type", JSON),), orjson.dumps({"status": state}))


def _refusal(error: RequestError) -> Document:
    retry = (("Retry-After", str(error.retry_after)),) if error.retry_after is not None else ()
    content = orjson.dumps(exceptions.body(str(error)))
    return Document(error.status, (("Content-Type", JSON), *retry), content)


def _found(rendered: Rendered, headers: Mapping[str, str]) -> Document:
    # Workspace must ask each time, and learns for a few bytes that nothing has changed.
    common = (("ETag", rendered.etag), ("Cache-Control", "no-cache"), ("Vary", "Accept-Encoding"))
    if etag_matches(headers.get("if-none-match", ""), rendered.etag):
        return Document(304, common, b"")
    encoding, content = _encoded(rendered, headers.get("accept-encoding", ""))
    coded = (("Content-Encoding", encoding),) if encoding else ()
    return Document(200, (("Content-Type", JSON), *common, *coded), content)


def _encoded(rendered: Rendered, accepted: str) -> tuple[str, bytes]:
    codings = _codings(accepted)
    if "br" in codings:
        return "br", rendered.brotli
    if "gzip" in codings:
        return "gzip", rendered.gzip
    return "", rendered.content


def _codings(accepted: str) -> Sequence[str]:
    """Return the content codings that a client takes; `;q=0` means not."""
    parts = (part.strip().lower().replace(" ", "").partition(";q=") for part in accepted.split(","))
    return [name for name, _, weight in parts if weight.strip("0.") or not weight]
