"""Paths: where an endpoint leads below the backend's address, and which places are taken."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

from widgets_app.manifest.contract.findings import Findings, error, show, step

# The backend's own paths. One with a trailing slash takes everything below it too.
RESERVED_PATHS: Final = frozenset(
    {"", "widgets.json", "apps.json", "agents.json", "templates.json", "admin/", "static/", "-/"}
)


def is_absolute(endpoint: str) -> bool:
    """Say whether an endpoint leads to an address of its own instead of a path below the backend's."""
    return "://" in endpoint


def path_of(endpoint: str) -> str:
    """Return the path that a relative endpoint asks for, without leading slash and query."""
    path = unquote(re.split(r"[?#]", endpoint, maxsplit=1)[0]).removeprefix("/")
    return path.removeprefix("./")


def is_reserved(endpoint: str, reserved: frozenset[str] = RESERVED_PATHS) -> bool:
    """Say whether an endpoint leads to one of the backend's own paths."""
    if is_absolute(endpoint):
        return False
    path = path_of(endpoint)
    return path in reserved or f"{path.partition('/')[0]}/" in reserved


def is_web_address(value: object) -> bool:
    """Say whether a value is an absolute http or https address."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        return False
    return parts is not None and parts.scheme in {"http", "https"} and bool(parts.netloc)


def check_free(endpoint: object, *, key: str, reserved: frozenset[str]) -> Findings:
    """Check that an endpoint under `key` isn't one of the backend's own paths."""
    if isinstance(endpoint, str) and endpoint and is_reserved(endpoint, reserved):
        yield error(
            "endpoint-reserved",
            step(key),
            f'"{key}" is {show(endpoint)}, which this backend uses itself, so no data is served there.',
            fix="Choose another path.",
        )
