"""Figures as a client gets them; each is checked against Plotly's own schema."""

from __future__ import annotations

import json
from typing import Any

import plotly.graph_objects

from tests.shapes.frames import frame
from widgets_app.shapes.base import Ask
from widgets_app.shapes.chart import Chart
from widgets_app.sources.frame import Frame

WIDE = frame(
    {"day": "2026-03-01", "calls": 41, "delays": 3},
    {"day": "2026-03-02", "calls": None, "delays": 4.5},
    {"day": "2026-03-03", "calls": 38, "delays": 0},
    day="date",
    calls="number",
    delays="number",
)
LONG = frame(
    {"port": "RIX", "kind": "in", "calls": 1},
    {"port": "VNO", "kind": "in", "calls": 2},
    {"port": "TLL", "kind": "out", "calls": 3},
    {"port": "RIX", "kind": "out", "calls": 4},
    {"port": "VNO", "kind": None, "calls": 5},
    port="text",
    kind="text",
    calls="number",
)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def answer(one: Frame | None, ask: Ask | None = None, **options: Any) -> Any:
    """Return the body as a client reads it."""
    body = Chart().render(one, Chart.Options(**options), ask or Ask())
    return json.loads(body.content, parse_constant=refuse)


def figure(one: Frame | None, ask: Ask | None = None, **options: Any) -> Any:
    """Return the figure; Plotly raises ValueError for what is not in its schema."""
    made = answer(one, ask, **options)
    plotly.graph_objects.Figure({"data": made["data"], "layout": made["layout"]})
    return made


def drawn(made: Any) -> list[tuple[str, list[Any], list[Any]]]:
    return [(trace["name"], trace["x"], trace["y"]) for trace in made["data"]]


def notes(made: Any) -> list[str]:
    return [note["text"] for note in made["layout"].get("annotations", [])]
