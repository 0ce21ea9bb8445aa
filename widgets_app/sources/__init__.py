"""Where data comes from. Importing this package registers the kinds of sources there are."""

from __future__ import annotations

from widgets_app.sources import collection, database, files, http, python

__all__ = ["collection", "database", "files", "http", "python"]
