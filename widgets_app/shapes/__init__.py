"""The bodies that the types of widgets expect. Importing the package registers them all."""

from __future__ import annotations

from widgets_app.shapes import chart, highcharts, metric, newsfeed, page, ssrm, table, text, vegalite, youtube

__all__ = ["chart", "highcharts", "metric", "newsfeed", "page", "ssrm", "table", "text", "vegalite", "youtube"]
