"""Charts: a Plotly figure made from rows, as plain JSON."""

from __future__ import annotations

from widgets_app.shapes.chart.figure import Chart
from widgets_app.shapes.chart.layout import EMPTY_TEXT, PALETTE, THEMES
from widgets_app.shapes.chart.options import ChartOptions
from widgets_app.shapes.chart.series import SERIES_LIMIT
from widgets_app.shapes.chart.shares import SLICE_LIMIT

__all__ = ["EMPTY_TEXT", "PALETTE", "SERIES_LIMIT", "SLICE_LIMIT", "THEMES", "Chart", "ChartOptions"]
