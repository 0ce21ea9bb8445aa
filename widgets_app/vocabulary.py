"""The closed sets of words in Workspace's definitions, each word with the label that a select shows."""

from __future__ import annotations

from functools import cache
from typing import Final

Choices = tuple[tuple[str, str], ...]


@cache
def words(choices: Choices) -> frozenset[str]:
    """Return the words of a set without their labels."""
    return frozenset(word for word, _ in choices)


# What a widget is. Older spellings of the same types are in LEGACY_WIDGET_TYPES: understood, not offered.
WIDGET_TYPES: Final[Choices] = (
    ("table", "Table"),
    ("ssrm_table", "Table, rows paged by the server"),
    ("live_grid", "Live table (WebSocket)"),
    ("metric", "Metric"),
    ("chart", "Chart (Plotly)"),
    ("chart-highcharts", "Chart (Highcharts)"),
    ("chart-vegalite", "Chart (Vega-Lite)"),
    ("advanced_charting", "TradingView chart"),
    ("markdown", "Markdown"),
    ("note", "Note"),
    ("newsfeed", "News feed"),
    ("html", "HTML"),
    ("pdf", "PDF"),
    ("multi_file_viewer", "File viewer, several files"),
    ("omni", "Omni (answers a prompt)"),
    ("youtube", "YouTube"),
    ("iframe", "Web page (iframe)"),
)
DEFAULT_WIDGET_TYPE: Final = "table"
# Older spelling -> the type it means. `live_feed` has no modern equal and means itself.
LEGACY_WIDGET_TYPES: Final[dict[str, str]] = {
    "table_ssrm": "ssrm_table",
    "advanced-chart": "advanced_charting",
    "live_feed": "live_feed",
}
# Widgets of Workspace's own that an app may place: ids that start with the first, or are the second.
BUILT_IN_WIDGET_PREFIX: Final = "rich_note"
BUILT_IN_WIDGET: Final = "navigation_bar"

PARAMETER_TYPES: Final[Choices] = (
    ("text", "Text, or a dropdown of fixed choices"),
    ("endpoint", "Dropdown fed by a query"),
    ("number", "Number"),
    ("boolean", "Switch"),
    ("date", "Date"),
    ("tabs", "Tabs"),
    ("ticker", "Ticker search of Workspace"),
    ("form", "Form"),
)
# The fields of a form know fewer types and one of their own; `dropdown` means `endpoint` there.
FORM_FIELD_TYPES: Final[Choices] = (
    ("text", "Text, or a dropdown of fixed choices"),
    ("endpoint", "Dropdown fed by a query"),
    ("number", "Number"),
    ("boolean", "Switch"),
    ("date", "Date"),
    ("button", "Button"),
)
LEGACY_FORM_FIELD_TYPES: Final[dict[str, str]] = {"dropdown": "endpoint"}
PROMPT_LANGUAGES: Final[Choices] = (("sql", "SQL"), ("python", "Python"))
PARAMETER_ROLES: Final[Choices] = (("fileSelector", "Chooses the files"),)

FORMATTER_FNS: Final[Choices] = (
    ("none", "As it is"),
    ("int", "Whole number"),
    ("percent", "Percent (adds %)"),
    ("normalized", "Times 100"),
    ("normalizedPercent", "Times 100, adds %"),
    ("dateToYear", "Year of a date"),
)
CELL_DATA_TYPES: Final[Choices] = (
    ("text", "Text"),
    ("number", "Number"),
    ("boolean", "Yes or no"),
    ("date", "Date and time"),
    ("dateString", "Date as text (YYYY-MM-DD)"),
    ("object", "Object"),
)
CHART_DATA_TYPES: Final[Choices] = (
    ("category", "Category"),
    ("series", "Series"),
    ("time", "Time"),
    ("excluded", "Left out of charts"),
)
RENDER_FNS: Final[Choices] = (
    ("greenRed", "Green above zero, red below"),
    ("titleCase", "Title case"),
    ("hoverCard", "Card on hover"),
    ("cellOnClick", "Action on click"),
    ("columnColor", "Colour rules"),
    ("showCellChange", "Colour of the last change (live table)"),
)
ACTION_TYPES: Final[Choices] = (
    ("groupBy", "Set a parameter of the group"),
    ("sendToAgent", "Send to the agent"),
)
# Named once in Workspace's documentation, without parameters: kept, not offered.
UNDOCUMENTED_ACTION_TYPES: Final = frozenset({"openUrl"})
COLOR_CONDITIONS: Final[Choices] = (
    ("eq", "equal to"),
    ("ne", "not equal to"),
    ("gt", "greater than"),
    ("lt", "less than"),
    ("gte", "greater than or equal to"),
    ("lte", "less than or equal to"),
    ("between", "between"),
    ("contains", "contains"),
    ("notContains", "does not contain"),
)
PINNED: Final[Choices] = (("left", "Left"), ("right", "Right"))
ALIGN: Final[Choices] = (("left", "Left"), ("center", "Centre"), ("right", "Right"))
SORT: Final[Choices] = (("asc", "Ascending"), ("desc", "Descending"))

SPARKLINE_TYPES: Final[Choices] = (("line", "Line"), ("area", "Area"), ("bar", "Bars"))
SPARKLINE_DIRECTIONS: Final[Choices] = (("vertical", "Vertical"), ("horizontal", "Horizontal"))

CHART_TYPES: Final[Choices] = (
    ("column", "Columns"),
    ("groupedColumn", "Grouped columns"),
    ("stackedColumn", "Stacked columns"),
    ("normalizedColumn", "100% stacked columns"),
    ("bar", "Bars"),
    ("groupedBar", "Grouped bars"),
    ("stackedBar", "Stacked bars"),
    ("normalizedBar", "100% stacked bars"),
    ("line", "Line"),
    ("scatter", "Scatter"),
    ("bubble", "Bubbles"),
    ("pie", "Pie"),
    ("donut", "Donut"),
    ("doughnut", "Doughnut"),
    ("area", "Area"),
    ("stackedArea", "Stacked areas"),
    ("normalizedArea", "100% stacked areas"),
    ("histogram", "Histogram"),
    ("radarLine", "Radar, lines"),
    ("radarArea", "Radar, areas"),
    ("nightingale", "Nightingale"),
    ("radialColumn", "Radial columns"),
    ("radialBar", "Radial bars"),
    ("sunburst", "Sunburst"),
    ("rangeBar", "Range bars"),
    ("rangeArea", "Range area"),
    ("boxPlot", "Box plot"),
    ("treemap", "Treemap"),
    ("heatmap", "Heat map"),
    ("waterfall", "Waterfall"),
)
# A mix of series types: only in the stored state of a placed widget.
STATE_CHART_TYPES: Final[Choices] = (*CHART_TYPES, ("customCombo", "Combination"))

GROUP_TYPES: Final[Choices] = (
    ("param", "Text, number, date or fixed choices"),
    ("endpointParam", "Dropdown fed by a query"),
    ("ticker", "Ticker search of Workspace"),
)
SHADOWS: Final[Choices] = (("none", "None"), ("sm", "Small"), ("md", "Medium"), ("lg", "Large"))
MCP_AUTH_TYPES: Final[Choices] = (("oauth", "OAuth"), ("token", "Token"))

# What Workspace itself offers an agent. An agent may have features of its own besides.
AGENT_FEATURES: Final[Choices] = (
    ("streaming", "Answers piece by piece"),
    ("widget-dashboard-select", "Reads the widgets that people select"),
    ("widget-dashboard-search", "Searches the widgets of the dashboard"),
    ("mcp-tools", "Uses MCP tools"),
)
# A feature of an agent's own without a type is a switch.
AGENT_FEATURE_TYPES: Final[Choices] = (("text", "Text"), ("select", "Choice"))
