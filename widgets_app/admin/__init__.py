"""The admin: every page on which people define what is served. Importing the package registers them all."""

from __future__ import annotations

from widgets_app.admin import (
    accounts,
    agent,
    api_key,
    app,
    collection_row,
    column,
    parameter,
    query,
    source,
    version,
    widget,
)

__all__ = [
    "accounts",
    "agent",
    "api_key",
    "app",
    "collection_row",
    "column",
    "parameter",
    "query",
    "source",
    "version",
    "widget",
]
