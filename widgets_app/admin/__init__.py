"""The admin: every page on which people define what is served. Importing the package registers them all."""

from __future__ import annotations

from widgets_app.admin import accounts, api_key, app, column, parameter, query, source, version, widget

__all__ = [
    "accounts",
    "api_key",
    "app",
    "column",
    "parameter",
    "query",
    "source",
    "version",
    "widget",
]
