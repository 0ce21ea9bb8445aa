"""The bodies that the types of widgets expect. Importing the package registers them all."""

from __future__ import annotations

from widgets_app.shapes import chart, metric, table, text

__all__ = ["chart", "metric", "table", "text"]
