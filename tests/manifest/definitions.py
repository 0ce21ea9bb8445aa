"""Definitions that are right in every respect, for tests to break one thing at a time."""

from __future__ import annotations

from typing import Any

TRAMS: dict[str, Any] = {
    "name": "Trams on the line",
    "description": "Every tram that is out now, from the depot's log.",
    "type": "table",
    "endpoint": "trams/now",
    "category": "Transport",
    "subCategory": "Trams",
    "source": ["Depot log"],
    "widgetId": "trams",
    "gridData": {"w": 20, "h": 12, "minW": 10, "minH": 4, "maxW": 40, "maxH": 60},
    "refetchInterval": "*/5 5-23 * * MON-FRI",
    "dataUpdateDisplay": "0,30 6 1 JAN-JUN/2 *",
    "staleTime": 60000,
    "runButton": False,
    "mcp_tool": {"mcp_server": "Depot", "tool_id": "trams"},
    "params": [
        {
            "paramName": "line",
            "type": "endpoint",
            "label": "Line",
            "description": "Number of the line",
            "value": "4",
            "optionsEndpoint": "/lines",
            "style": {"popupWidth": 300},
        },
        {
            "paramName": "stop",
            "type": "endpoint",
            "label": "Stop",
            "description": "Stops of the line",
            "value": None,
            "optionsEndpoint": "stops",
            "optionsParams": {"line": "$line", "since": "$currentDate-1d", "open": True},
            "multiSelect": True,
        },
        {"paramName": "day", "type": "date", "label": "Day", "description": "Day", "value": "$currentDate-1w"},
        {
            "paramName": "limit",
            "type": "number",
            "label": "Limit",
            "description": "Most rows",
            "value": 50,
            "min": 1,
            "max": 500,
        },
        {"paramName": "late", "type": "boolean", "label": "Late", "description": "Late ones", "value": False},
        {
            "paramName": "kind",
            "type": "text",
            "label": "Kind",
            "description": "Kinds of tram",
            "value": "low,old",
            "multiSelect": True,
            "options": [
                {"label": "Low floor", "value": "low", "extraInfo": {"description": "New"}},
                {"label": "Historic", "value": "old"},
            ],
        },
        {
            "paramName": "view",
            "type": "tabs",
            "label": "View",
            "description": "What is listed",
            "value": 1,
            "options": [{"label": "Trams", "value": 1}, {"label": "Stops", "value": 2}],
        },
    ],
    "data": {
        "dataKey": "results",
        "table": {
            "showAll": True,
            "enableCharts": True,
            "chartView": {"enabled": False, "chartType": "bar", "cellRangeCols": {"bar": ["tram", "delay"]}},
            "columnsDefs": [
                {
                    "field": "tram",
                    "headerName": "Tram",
                    "cellDataType": "text",
                    "pinned": "left",
                    "renderFn": "cellOnClick",
                    "renderFnParams": {"actionType": "groupBy", "groupBy": {"paramName": "tram"}},
                },
                {
                    "field": "delay",
                    "cellDataType": "number",
                    "chartDataType": "series",
                    "formatterFn": "int",
                    "align": "right",
                    "pinned": False,
                    "renderFn": ["columnColor", "hoverCard"],
                    "renderFnParams": {
                        "hoverCard": {"cellField": "value", "title": "Delay", "markdown": "{reason}"},
                        "colorRules": [
                            {"condition": "between", "range": {"min": 0, "max": 2}, "color": "green"},
                            {"condition": "contains", "value": "h", "color": "#aa0000", "fill": True},
                            {"condition": "gt", "value": 2, "color": "red"},
                        ],
                    },
                },
                {
                    "field": "load",
                    "sparkline": {
                        "type": "area",
                        "options": {
                            "fillOpacity": 0.3,
                            "min": 0,
                            "max": 100,
                            "markers": {"enabled": True, "size": 2},
                            "padding": {"top": 2},
                            "pointsOfInterest": {
                                "maximum": {"fill": "red"},
                                "positiveNegative": {"positive": {"fill": "green"}},
                            },
                        },
                    },
                },
                {
                    "field": "driver",
                    "sort": "asc",
                    "renderFn": "cellOnClick",
                    "renderFnParams": {"actionType": "sendToAgent", "sendToAgent": {"markdown": "Who is {driver}?"}},
                },
            ],
        },
    },
}

FORM: dict[str, Any] = {
    "name": "Faults",
    "description": "Faults that drivers report.",
    "type": "table",
    "endpoint": "faults",
    "params": [
        {
            "paramName": "report",
            "type": "form",
            "label": "Report",
            "description": "Report a fault",
            "endpoint": "faults/report",
            "inputParams": [
                {"paramName": "tram", "type": "text", "label": "Tram", "description": "Number", "value": ""},
                {
                    "paramName": "part",
                    "type": "dropdown",
                    "label": "Part",
                    "description": "Part that failed",
                    "options": [{"label": "Door", "value": "door"}],
                },
                {
                    "paramName": "place",
                    "type": "endpoint",
                    "label": "Place",
                    "description": "Where",
                    "optionsEndpoint": "places",
                    "optionsParams": {"tram": "$tram"},
                },
                {
                    "paramName": "send",
                    "type": "button",
                    "label": "Send",
                    "description": "Sends the report",
                    "value": True,
                },
            ],
        }
    ],
}

LIVE: dict[str, Any] = {
    "name": "Positions",
    "description": "Where the trams are.",
    "type": "live_grid",
    "endpoint": "positions",
    "wsEndpoint": "positions/ws",
    "data": {
        "wsRowIdColumn": "tram",
        "table": {"columnsDefs": [{"field": "speed", "renderFn": "showCellChange"}]},
    },
}

FILES: dict[str, Any] = {
    "name": "Timetables",
    "description": "Printed timetables.",
    "type": "multi_file_viewer",
    "endpoint": "timetables",
    "params": [
        {
            "paramName": "file",
            "type": "endpoint",
            "label": "File",
            "description": "Files to open",
            "value": ["winter"],
            "optionsEndpoint": "files",
            "multiSelect": True,
            "show": False,
            "roles": ["fileSelector"],
        }
    ],
}

ASK: dict[str, Any] = {
    "name": "Ask the depot",
    "description": "Answers questions about trams.",
    "type": "omni",
    "endpoint": "ask",
    "params": [
        {
            "paramName": "prompt",
            "type": "text",
            "label": "Question",
            "description": "The question",
            "language": "sql",
            "show": False,
        }
    ],
}

PAGE: dict[str, Any] = {
    "name": "Map",
    "description": "The map of the network.",
    "type": "iframe",
    "endpoint": "https://maps.example.org/trams",
    "storage": {"mcpUrl": "https://maps.example.org/mcp"},
}

CARD: dict[str, Any] = {
    "name": "One tram",
    "description": "What is known about one tram.",
    "type": "markdown",
    "endpoint": "trams/one",
    "gridData": {"w": 16, "h": 12, "minW": 10, "maxH": 20},
    "params": [
        {
            "paramName": "tram",
            "type": "text",
            "label": "Tram",
            "description": "Number of the tram",
            "show": False,
        },
        TRAMS["params"][0],
    ],
}

WIDGETS: dict[str, Any] = {
    "trams": TRAMS,
    "faults": FORM,
    "positions": LIVE,
    "timetables": FILES,
    "ask": ASK,
    "map": PAGE,
    "card": CARD,
}

APP: dict[str, Any] = {
    "name": "Control room",
    "description": "The network at a glance.",
    "img": "",
    "allowCustomization": True,
    "tabs": {
        "now": {
            "id": "now",
            "name": "Now",
            "layout": [
                {
                    "i": "trams",
                    "x": 0,
                    "y": 2,
                    "w": 24,
                    "h": 12,
                    "groups": ["Group 1", "Group 2"],
                    "state": {
                        "params": {"line": "4", "limit": "50", "late": "false", "kind": ["old"], "view": "2"},
                        "chartView": {"enabled": True, "chartType": "customCombo"},
                        "chartModel": {"cellRange": {"columns": ["ag-Grid-AutoColumn", "tram", "delay"]}},
                        "columnState": {
                            "default": {
                                "columnOrder": {"orderedColIds": ["tram", "delay", "load"]},
                                "sort": {"sortModel": [{"colId": "delay", "sort": "asc"}]},
                            }
                        },
                        "style": {"borderWidth": 2, "radius": 64, "contentPadding": 0, "shadow": "md"},
                    },
                },
                {"i": "card", "x": 24, "y": 2, "w": 16, "h": 12, "groups": ["Group 1", "Group 2"]},
                {"i": "map", "x": 0, "y": 14, "w": 40, "h": 10, "groups": ["Group 1"]},
                {"i": "rich_note_1", "x": 0, "y": 0, "w": 40, "h": 2},
            ],
        },
        "": {"id": "", "name": "", "layout": []},
    },
    "groups": [
        {
            "name": "Group 1",
            "type": "endpointParam",
            "paramName": "line",
            "widgetIds": ["trams", "card", "map"],
            "defaultValue": "4",
        },
        {"name": "Group 2", "type": "param", "paramName": "tram", "widgetIds": ["trams", "card"]},
    ],
    "prompts": ["Why is @[id:trams] late?"],
    "mcp_servers": [{"name": "Depot", "description": "d", "url": "https://depot.example.org", "authType": "token"}],
}
