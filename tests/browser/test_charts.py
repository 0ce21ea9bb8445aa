"""Every kind of chart, drawn by Plotly itself in both themes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import plotly
import pytest

from tests.shapes.chart.figures import figure
from tests.shapes.frames import frame
from widgets_app.shapes.base import Ask

pytestmark = pytest.mark.browser

PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
# What is drawn of the data, whatever the kind: lines, points, bars, slices, boxes, candles, cells, steps.
MARKS = ".js-line, .point, .points path, .bars path, .slice, .box, .ohlclayer path, .hm image, .treemaplayer .slice"
BACKGROUNDS = {"dark": "#151518", "light": "#FFFFFF"}
PAGE = """<!doctype html><meta charset="utf-8"><style>body {{ margin: 0; background: {background}; display: grid;
grid-template-columns: repeat(4, 400px) }} figure {{ margin: 0 }} figcaption {{ color: #888; font: 12px sans-serif }}
.plot {{ width: 400px; height: 280px }}</style>"""
DRAW = """async ([name, figure]) => {
    const place = document.body.appendChild(document.createElement("figure"));
    place.append(Object.assign(document.createElement("figcaption"), { textContent: name }));
    const plot = place.appendChild(Object.assign(document.createElement("div"), { className: "plot" }));
    await Plotly.newPlot(plot, figure.data, figure.layout, figure.config);
}"""

DAYS = frame(
    *(
        {
            "day": f"2026-03-{at + 1:02}",
            "calls": None if at == 7 else 20 + at % 6 * 3,
            "delays": 3 - at % 5,
            "open": 50 + at,
            "high": 53 + at + at % 3,
            "low": 46 + at - at % 2,
            "close": 51 + at - at % 4,
            "volume": 900 + at * 37 % 400,
        }
        for at in range(20)
    ),
    day="date",
    calls="number",
    delays="number",
    open="number",
    high="number",
    low="number",
    close="number",
    volume="number",
)
PORTS = frame(
    *(
        {
            "region": "Baltic" if at % 3 else "North Sea",
            "port": f"Port {at % 7}",
            "month": f"Month {at % 4}",
            "calls": 5 + at * 7 % 23,
            "change": 8 - at * 5 % 17,
            "draft": 4 + at % 9,
        }
        for at in range(28)
    ),
    region="text",
    port="text",
    month="text",
    calls="number",
    change="number",
    draft="number",
)
RESULT = frame(
    {"step": "Revenue", "eur": 120.5},
    {"step": "Costs", "eur": -70},
    {"step": "Gross profit", "eur": None},
    {"step": "Taxes", "eur": -12},
    {"step": "Net profit", "eur": None},
    step="text",
    eur="number",
)
CHARTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "lines": (DAYS, {"kind": "line", "y": ["calls", "delays"], "markers": True}),
    "smooth line over bars": (
        DAYS,
        {"kind": "bar", "y": ["volume"], "second_y": ["close"], "line_shape": "smooth", "second_format": ".1f"},
    ),
    "logarithmic line": (DAYS, {"kind": "line", "y": ["volume"], "y_log": True, "line_shape": "steps"}),
    "area": (DAYS, {"kind": "area", "y": ["calls"]}),
    "stacked areas": (DAYS, {"kind": "area", "y": ["open", "volume"], "stacking": "normalised"}),
    "grouped bars": (PORTS, {"kind": "bar", "x": "port", "y": ["calls"], "colour": "region", "show_values": True}),
    "stacked bars": (PORTS, {"kind": "bar", "x": "port", "y": ["change"], "colour": "region", "stacking": "stacked"}),
    "shares": (PORTS, {"kind": "bar", "x": "port", "y": ["calls"], "colour": "month", "stacking": "normalised"}),
    "bars to the right": (
        PORTS,
        {
            "kind": "bar",
            "x": "port",
            "y": ["calls"],
            "horizontal": True,
            "second_y": ["draft"],
            "second_kind": "scatter",
        },
    ),
    "bars of two axes": (DAYS, {"kind": "bar", "y": ["calls"], "second_y": ["volume"], "second_kind": "bar"}),
    "scatter": (PORTS, {"kind": "scatter", "x": "draft", "y": ["calls"], "colour": "region", "label": "port"}),
    "bubble": (PORTS, {"kind": "bubble", "x": "draft", "y": ["calls"], "size": "change", "label": "port"}),
    "pie": (PORTS, {"kind": "pie", "x": "port", "y": ["calls"]}),
    "donut": (PORTS, {"kind": "donut", "x": "region", "y": ["calls"]}),
    "histogram": (PORTS, {"kind": "histogram", "y": ["calls"], "colour": "region", "bins": 12}),
    "boxes": (PORTS, {"kind": "box", "x": "region", "y": ["calls", "draft"]}),
    "boxes to the right": (PORTS, {"kind": "box", "y": ["calls", "draft"], "horizontal": True}),
    "heat map": (PORTS, {"kind": "heatmap", "x": "port", "y": ["calls"], "colour": "month", "show_values": True}),
    "heat map around zero": (PORTS, {"kind": "heatmap", "x": "port", "y": ["change"], "colour": "month"}),
    "candles": (DAYS, {"kind": "candlestick", "x": "day", "volume": "volume"}),
    "bars of prices": (DAYS, {"kind": "ohlc", "x": "day", "y": ["close"]}),
    "waterfall": (RESULT, {"kind": "waterfall", "totals": ["Gross profit", "Net profit"], "show_values": True}),
    "waterfall to the right": (RESULT, {"kind": "waterfall", "totals": ["Gross profit"], "horizontal": True}),
    "treemap": (PORTS, {"kind": "treemap", "groups": ["region"], "x": "port", "y": ["calls"]}),
    "flat treemap": (PORTS, {"kind": "treemap", "x": "port", "y": ["calls"], "y_format": ",.1f"}),
}


@pytest.fixture(params=["dark", "light"])
def sheet(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page that can draw, on the background that Workspace has in a theme."""
    page = browser.new_page(viewport={"width": 1600, "height": 900})
    page.theme = request.param
    page.set_content(PAGE.format(background=BACKGROUNDS[request.param]))
    page.add_script_tag(path=PLOTLY)
    yield page
    page.close()


def test_every_kind_is_drawn_without_a_complaint(sheet: Any, tmp_path: Path) -> None:
    faults: list[str] = []
    sheet.on("pageerror", lambda error: faults.append(str(error)))
    sheet.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    for name, (rows, options) in CHARTS.items():
        sheet.evaluate(DRAW, [name, figure(rows, Ask(theme=sheet.theme), **options)])
        assert sheet.locator(".plot").last.locator(MARKS).count() > 0, name
    sheet.screenshot(path=tmp_path / f"charts_{sheet.theme}.png", full_page=True)
    assert not faults
