"""A backend with a widget of every type and look, made of a folder of files and an export's documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command

from tests.upstream import WIDGETS as UPSTREAM_WIDGETS
from widgets_app.services.keys import key_issue

Rows = list[dict[str, Any]]
SOURCE = "harbour"

DAYS: Rows = [
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
]
PORTS: Rows = [
    {
        "region": "Baltic" if at % 3 else "North Sea",
        "port": f"Port {at % 7}",
        "month": f"Month {at % 4}",
        "calls": 5 + at * 7 % 23,
        "change": 8 - at * 5 % 17,
        "draft": 4 + at % 9,
    }
    for at in range(28)
]
RESULT: Rows = [
    {"step": "Revenue", "eur": 120.5},
    {"step": "Costs", "eur": -70},
    {"step": "Gross profit", "eur": None},
    {"step": "Taxes", "eur": -12},
    {"step": "Net profit", "eur": None},
]
SHIPS: Rows = [
    {
        "vessel": {"name": "Aurora", "flag": "LV", "crew": 21},
        "port": "port of riga",
        "code": "RIX",
        "draft": 7.44,
        "change": 2.5,
        "late": 0.125,
        "cost": 1234567.8,
        "built": "2011-05-06",
        "arrived": "2026-03-01T08:30:00",
        "eta": "2026-03-05",
        "cleared": True,
        "remark": "needs ice class",
        "level": 1,
        "trend": [3, 5, 2, 8],
        "flows": [4, -2, 3, -5],
        "imo": "9300001",
    },
    {
        "vessel": {"name": "Birk", "flag": "NO", "crew": 9},
        "port": "vilnius port",
        "code": "VNO",
        "draft": 9.96,
        "change": -1,
        "late": 0,
        "cost": -5,
        "built": "1999-12-31",
        "arrived": "2026-03-02T00:00:00",
        "eta": "2026-03-04",
        "cleared": False,
        "remark": "none",
        "level": -1,
        "trend": [1, 1, 1],
        "flows": [],
        "imo": "9300002",
    },
]
SHIPS.append(dict.fromkeys(SHIPS[0]))
# More rows than a page of a grid has.
CALLS: Rows = [
    {
        "number": at,
        "vessel": f"{('Aurora', 'Birk', 'Cirrus', 'Dagmar')[at % 4]} {at % 50}",
        "port": ("RIX", "VNO", "KLJ")[at % 3],
        "draft": None if at % 11 == 0 else at * 7 % 100 / 10,
        "day": (date(2026, 1, 1) + timedelta(days=at % 90)).isoformat(),
        "moored_at": (datetime(2026, 1, 1, 6, 30) + timedelta(hours=at)).isoformat(),
        "late": at % 2 == 0,
    }
    for at in range(1000)
]
NEWS: Rows = [
    {"title": "Quay closed", "date": "2026-02-01", "author": "Pilot", "body": "For *repair*."},
    {"title": "Ice class lifted", "date": "2026-03-01T08:00:00Z", "author": "Office", "body": "## Ice\nFrom Monday."},
]
NUMBERS: Rows = [
    {"label": "At berth", "value": 14, "delta": 2.5, "subvalue": "of 20"},
    {"label": "Queue", "value": 3.25, "delta": -1, "subvalue": None},
]

CHARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "lines": ("days", {"kind": "line", "y": ["calls", "delays"], "markers": True}),
    "smooth line over bars": (
        "days",
        {"kind": "bar", "y": ["volume"], "second_y": ["close"], "line_shape": "smooth", "second_format": ".1f"},
    ),
    "logarithmic line": ("days", {"kind": "line", "y": ["volume"], "y_log": True, "line_shape": "steps"}),
    "area": ("days", {"kind": "area", "y": ["calls"]}),
    "stacked areas": ("days", {"kind": "area", "y": ["open", "volume"], "stacking": "normalised"}),
    "grouped bars": ("ports", {"kind": "bar", "x": "port", "y": ["calls"], "colour": "region", "show_values": True}),
    "stacked bars": ("ports", {"kind": "bar", "x": "port", "y": ["change"], "colour": "region", "stacking": "stacked"}),
    "shares": ("ports", {"kind": "bar", "x": "port", "y": ["calls"], "colour": "month", "stacking": "normalised"}),
    "bars to the right": (
        "ports",
        {
            "kind": "bar",
            "x": "port",
            "y": ["calls"],
            "horizontal": True,
            "second_y": ["draft"],
            "second_kind": "scatter",
        },
    ),
    "bars of two axes": ("days", {"kind": "bar", "y": ["calls"], "second_y": ["volume"], "second_kind": "bar"}),
    "scatter": ("ports", {"kind": "scatter", "x": "draft", "y": ["calls"], "colour": "region", "label": "port"}),
    "bubble": ("ports", {"kind": "bubble", "x": "draft", "y": ["calls"], "size": "change", "label": "port"}),
    "pie": ("ports", {"kind": "pie", "x": "port", "y": ["calls"]}),
    "donut": ("ports", {"kind": "donut", "x": "region", "y": ["calls"]}),
    "histogram": ("ports", {"kind": "histogram", "y": ["calls"], "colour": "region", "bins": 12}),
    "boxes": ("ports", {"kind": "box", "x": "region", "y": ["calls", "draft"]}),
    "boxes to the right": ("ports", {"kind": "box", "y": ["calls", "draft"], "horizontal": True}),
    "heat map": ("ports", {"kind": "heatmap", "x": "port", "y": ["calls"], "colour": "month", "show_values": True}),
    "heat map around zero": ("ports", {"kind": "heatmap", "x": "port", "y": ["change"], "colour": "month"}),
    "candles": ("days", {"kind": "candlestick", "x": "day", "volume": "volume"}),
    "bars of prices": ("days", {"kind": "ohlc", "x": "day", "y": ["close"]}),
    "waterfall": ("result", {"kind": "waterfall", "totals": ["Gross profit", "Net profit"], "show_values": True}),
    "waterfall to the right": ("result", {"kind": "waterfall", "totals": ["Gross profit"], "horizontal": True}),
    "treemap": ("ports", {"kind": "treemap", "groups": ["region"], "x": "port", "y": ["calls"]}),
    "flat treemap": ("ports", {"kind": "treemap", "x": "port", "y": ["calls"], "y_format": ",.1f"}),
}
VEGA_LITE: dict[str, tuple[str, dict[str, Any]]] = {
    "lines": ("days", {"kind": "line", "y": ["calls", "delays"]}),
    "area": ("days", {"kind": "area", "y": ["calls"]}),
    "bars": ("ports", {"kind": "bar", "x": "port", "y": ["calls"], "colour": "region"}),
    "scatter": ("ports", {"kind": "scatter", "x": "draft", "y": ["calls"], "colour": "region"}),
    "pie": ("ports", {"kind": "pie", "x": "region", "y": ["calls"]}),
    "document": (
        "ports",
        {
            "document": {
                "data": {"values": {"$records": True}},
                "mark": "bar",
                "encoding": {
                    "x": {"field": "region", "type": "nominal"},
                    "y": {"aggregate": "sum", "field": "calls", "type": "quantitative"},
                },
            }
        },
    ),
    "document side by side": (
        "days",
        {
            "document": {
                "hconcat": [
                    {"width": 120, "height": 100, "mark": mark, "encoding": {
                        "x": {"field": "day", "type": "temporal"}, "y": {"field": column, "type": "quantitative"}}}
                    for mark, column in (("line", "close"), ("bar", "volume"))
                ],
            }
        },
    ),
}  # fmt: skip
HIGHCHARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "lines": ("days", {"kind": "line", "y": ["calls", "delays"]}),
    "area": ("days", {"kind": "area", "y": ["calls"]}),
    "columns": ("ports", {"kind": "column", "x": "port", "y": ["calls"], "colour": "region"}),
    "bars": ("ports", {"kind": "bar", "x": "port", "y": ["calls"]}),
    "scatter": ("ports", {"kind": "scatter", "x": "draft", "y": ["calls"]}),
    "pie": ("ports", {"kind": "pie", "x": "region", "y": ["calls"]}),
    "document": (
        "days",
        {
            "document": {
                "chart": {"type": "line"},
                "xAxis": {"type": "datetime"},
                "series": [{"name": "Close", "data": {"$rows": ["day", "close"]}}],
            }
        },
    ),
}

PORT = {
    "paramName": "port", "type": "text", "label": "Port", "description": "Its code.", "value": "RIX",
}  # fmt: skip
COLUMNS: list[dict[str, Any]] = [
    {"field": "vessel", "headerName": "Vessel", "cellDataType": "object", "pinned": "left", "renderFn": "hoverCard",
     "renderFnParams": {"hoverCard": {"cellField": "name", "title": "Ship", "markdown": "{name} of {flag}, {crew} aboard"}}},
    {"field": "port", "headerName": "Port", "headerTooltip": "Where it lies", "cellDataType": "text",
     "renderFn": ["titleCase", "cellOnClick"],
     "renderFnParams": {"actionType": "groupBy", "groupBy": {"paramName": "port", "valueField": "code"}}},
    {"field": "draft", "headerName": "Draft", "cellDataType": "number", "suffix": " m", "decimalPlaces": 1, "align": "center",
     "renderFn": "columnColor", "renderFnParams": {"colorRules": [
         {"condition": "between", "range": {"min": 7, "max": 9}, "color": "#eab308", "fill": False},
         {"condition": "gt", "value": 9, "color": "red", "fill": True}]}},
    {"field": "change", "headerName": "Change", "cellDataType": "number", "formatterFn": "percent", "decimalPlaces": 2,
     "renderFn": "greenRed"},
    {"field": "late", "headerName": "Late", "cellDataType": "number", "formatterFn": "normalizedPercent", "decimalPlaces": 1},
    {"field": "cost", "headerName": "Cost", "cellDataType": "number", "formatterFn": "int", "prefix": "€ "},
    {"field": "built", "headerName": "Built", "cellDataType": "date", "formatterFn": "dateToYear"},
    {"field": "arrived", "headerName": "Arrived", "cellDataType": "date"},
    {"field": "eta", "headerName": "ETA", "cellDataType": "dateString", "sort": "asc"},
    {"field": "cleared", "headerName": "Cleared", "cellDataType": "boolean"},
    {"field": "remark", "headerName": "Remark", "cellDataType": "text", "renderFn": "columnColor", "renderFnParams": {
        "colorValueKey": "level", "colorRules": [{"condition": "lt", "value": 0, "color": "#22c55e", "fill": False}]}},
    {"field": "level", "cellDataType": "number", "hide": True},
    {"field": "trend", "headerName": "Trend", "sparkline": {"type": "area", "options": {
        "stroke": "#0ea5e9", "fillOpacity": 0.2, "pointsOfInterest": {"maximum": {"fill": "#22c55e", "size": 5}}}}},
    {"field": "balance", "headerName": "Balance", "sparkline": {"type": "bar", "dataField": "flows", "options": {
        "pointsOfInterest": {"positiveNegative": {"positive": {"fill": "green"}, "negative": {"fill": "red"}}}}}},
    {"field": "flows", "cellDataType": "object", "hide": True},
    {"field": "code", "cellDataType": "text", "hide": True},
]  # fmt: skip
PAGED_COLUMNS = [
    {"field": "number", "cellDataType": "number", "width": 120},
    {"field": "vessel", "cellDataType": "text"},
    {"field": "port", "cellDataType": "text"},
    {"field": "draft", "cellDataType": "number", "decimalPlaces": 1},
    {"field": "day", "cellDataType": "dateString"},
    {"field": "moored_at", "cellDataType": "date"},
    {"field": "late", "cellDataType": "boolean"},
]
PUSH = """<!doctype html><html><head><title>Pick</title></head><body><button>Vilnius</button><script>
document.querySelector("button").onclick = () => dispatchEvent(new CustomEvent("openbb:widget-params:update",
  {detail: {type: "openbb:widget-params:update", params: {port: "VNO"}}}));
</script></body></html>"""
MARKDOWN = """## Port {{ port }}

| Ship | Draft |
| --- | --- |
{% for row in rows %}| {{ row.vessel }} | {{ row.draft }} |
{% endfor %}

<b>HTML</b>"""

Documents = dict[str, Any]
TABLES: dict[str, Rows] = {
    "days": DAYS, "ports": PORTS, "result": RESULT, "ships": SHIPS, "calls": CALLS, "news": NEWS, "numbers": NUMBERS,
}  # fmt: skip
QUERIES = {
    **{name: f"select * from {name}" for name in TABLES},
    "no-days": "select * from days where false",
    "calls-of-port": "select vessel, draft from calls where port = :port order by number limit 3",
}
# Of types that this backend has no data for: another one answers.
PASSED = ("live", "udf", "pdf", "files", "omni")


class Sample:
    """Collects the documents of widgets and the apps that show them."""

    def __init__(self) -> None:
        self.widgets: Documents = {}
        self.own: Documents = {}
        self.apps: list[dict[str, Any]] = []

    def widget(self, name: str, kind: str, query: str = "", shape: Mapping[str, Any] | None = None, **keys: Any) -> str:
        """Add a widget; gives its id."""
        widget_id = name.replace(" ", "_")
        definition = {
            "name": name,
            "description": f"About {name}.",
            "type": kind,
            "endpoint": f"data/{widget_id}",
            **keys,
        }
        self.widgets[widget_id] = definition
        feeds = {"rows": query} if query else {}
        self.own[widget_id] = {"shape": shape, "feeds": feeds, "upstream": None, "groups": [], "imported": False}
        return widget_id

    def app(self, name: str, *placed: str, w: int = 10, h: int = 9, grouped: tuple[str, ...] = ()) -> None:
        """Add an app of one tab with widgets side by side; those that are grouped share the port."""
        across = 40 // w
        layout = [
            {"i": one, "x": at % across * w, "y": at // across * h, "w": w, "h": h,
             "groups": ["Group 1"] if one in grouped else []}
            for at, one in enumerate(placed)
        ]  # fmt: skip
        group = {
            "name": "Group 1",
            "type": "param",
            "paramName": "port",
            "widgetIds": list(grouped),
            "defaultValue": "RIX",
        }
        self.apps.append({
            "name": name, "description": name, "img": "", "img_dark": "", "img_light": "", "allowCustomization": True,
            "tabs": {"main": {"id": "main", "name": "Main", "layout": layout}}, "prompts": [],
            "groups": [group] if grouped else [],
        })  # fmt: skip

    def documents(self) -> Documents:
        """Return the files of the export."""
        apps = [
            {"slug": app["name"].lower(), "groups": [], "imported": False, "name": app["name"]} for app in self.apps
        ]
        own = {
            "format": 1, "groups": [], "agents": {}, "widgets": self.own, "apps": apps,
            "sources": [{
                "name": SOURCE, "kind": "files", "description": "", "options": None, "seconds": 30, "rows": 100_000,
                "slots": 4,
            }],
            "queries": [{
                "name": name, "description": "", "source": SOURCE, "text": text, "cache_seconds": None,
                "seconds": None, "rows": None, "options_path": "", "choices": [],
            } for name, text in QUERIES.items()],
        }  # fmt: skip
        return {"widgets.json": self.widgets, "apps.json": self.apps, "backend.json": own}


def sample(key: str, url: str) -> Documents:
    """Return the documents of the backend at the address; one of its pages is shown in a frame, which takes a key."""
    made = Sample()
    for app, kind, charts in (
        ("Charts", "chart", CHARTS),
        ("Vega-Lite", "chart-vegalite", VEGA_LITE),
        ("Highcharts", "chart-highcharts", HIGHCHARTS),
    ):
        made.app(app, *(made.widget(f"{app} {name}", kind, *chart) for name, chart in charts.items()))
    for kind in ("chart", "chart-vegalite", "chart-highcharts"):
        made.widget(f"empty {kind}", kind, "no-days")
    made.app("Empty", *(f"empty_{kind}" for kind in ("chart", "chart-vegalite", "chart-highcharts")))
    _add_tables(made)
    _add_texts(made, key, url)
    made.app(
        "Broken",
        made.widget("broken", "chart", "days", {"kind": "line", "y": ["tonnage"]}),
        made.widget("whole", "metric", "numbers"),
    )
    return made.documents()


def passed() -> Documents:
    """Return the documents of widgets that another backend answers, and of their app."""
    made = Sample()
    made.app("Passed", *PASSED)
    return {"widgets.json": {name: UPSTREAM_WIDGETS[name] for name in PASSED}, "apps.json": made.apps}


def fill(home: Path, url: str, upstream: str) -> str:
    """Make and publish everything in an empty state folder; return the text of a key."""
    write({f"{name}.json": rows for name, rows in TABLES.items()}, home / "files" / SOURCE)
    call_command("migrate", verbosity=0)
    _, key = key_issue(name="Client")
    write(sample(key, url), home / "own")
    write(passed(), home / "passed")
    call_command("import_bundle", str(home / "own"), stdout=StringIO())
    call_command("import_bundle", str(home / "passed"), upstream=upstream, stdout=StringIO())
    return key


def write(documents: Documents, folder: Path) -> None:
    """Write documents into a folder."""
    folder.mkdir(parents=True)
    for name, content in documents.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def _add_tables(made: Sample) -> None:
    table = {"table": {"showAll": False, "columnsDefs": COLUMNS}}
    paged = {"table": {"showAll": True, "columnsDefs": PAGED_COLUMNS}}
    shared = ("ships", "calls_of_port")
    made.widget("ships", "table", "ships", params=[PORT | {"show": False}], data=table)
    made.widget("calls of port", "table", "calls-of-port", params=[PORT])
    made.widget("plain", "table", "numbers", data={"dataKey": "results.rows"})
    made.widget("turned", "table", "numbers", data={"table": {"transpose": True}})
    made.widget("no rows", "table", "no-days")
    made.widget("calls", "ssrm_table", "calls", data=paged)
    made.app("Tables", *shared, w=40, h=8, grouped=shared)
    made.app("Plain", "plain", "turned", "no_rows")
    made.app("Paged", "calls", w=40, h=20)


def _add_texts(made: Sample, key: str, url: str) -> None:
    shared = ("text", "page")
    made.widget("text", "markdown", "calls-of-port", {"text": MARKDOWN}, params=[PORT])
    made.widget("remark", "note", shape={"text": "**Quay** closed."})
    made.widget("page", "html", shape={"text": PUSH}, params=[PORT])
    made.widget("feed", "newsfeed", "news")
    made.widget("figures", "metric", "numbers")
    made.widget("video", "youtube", shape={"url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ"})
    made.widget("frame", "iframe", endpoint=f"{url}/data/page?api_key={key}")
    made.app("Texts", *shared, "remark", "feed", "figures", "video", "frame", w=20, grouped=shared)
