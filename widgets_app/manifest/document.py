"""Definitions as text: strict JSON whose members keep their order."""

from __future__ import annotations

import json
from typing import Any


def dump(document: object) -> bytes:
    """Return a document as compact UTF-8 JSON, as it is served.

    Half surrogates, which JSON text may hold and UTF-8 can't, are written as escapes. Raises ValueError for NaN.
    """
    text = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()


def dump_version(document: object) -> str:
    """Return a document as the text of a Version: ASCII, so that every database holds it."""
    return json.dumps(document, allow_nan=False)


def load(text: str) -> Any:
    """Return the document of a Version's text."""
    return json.loads(text)
