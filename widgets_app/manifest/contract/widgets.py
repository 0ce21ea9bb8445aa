"""What one entry of widgets.json says, and what several say together."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from widgets_app.manifest.contract.columns import (
    MISPLACED_COLUMNS,
    check_misplaced,
    check_table,
    emitted_params,
)
from widgets_app.manifest.contract.endpoints import (
    RESERVED_PATHS,
    check_free,
    is_absolute,
    is_web_address,
    path_of,
)
from widgets_app.manifest.contract.findings import (
    Finding,
    Findings,
    Kind,
    as_list,
    as_object,
    check_kinds,
    check_spelling,
    error,
    info,
    is_text,
    listing,
    show,
    under,
    warning,
)
from widgets_app.manifest.contract.grid import check_grid
from widgets_app.manifest.contract.parameters import FILE_SELECTOR, check_params, params_of
from widgets_app.manifest.contract.schedules import check_schedule
from widgets_app.vocabulary import (
    DEFAULT_WIDGET_TYPE,
    LEGACY_WIDGET_TYPES,
    WIDGET_TYPES,
    words,
)

WIDGET_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
TYPES_WITHOUT_ENDPOINT: Final = frozenset({"live_feed"})
# Types that know two views of their data.
_RAW_TYPES: Final = frozenset({"chart", "chart-highcharts", "chart-vegalite", "html", "youtube", "iframe"})
# Hosts that browsers reach over plain HTTP from a page that came over HTTPS.
_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1"})

_KINDS: Final[Mapping[str, Kind]] = {
    "wsEndpoint": "text",
    "category": "text",
    "subCategory": "text",
    "searchCategory": "text",
    "imgUrl": "text",
    "gridData": "object",
    "data": "object",
    "raw": "flag",
    "runButton": "flag",
    "exportable": "flag",
    "storage": "object",
    "mcp_tool": "object",
    "ai": "flag",
}
WIDGET_KEYS: Final = frozenset({
    "name", "description", "endpoint", "type", "source", "params", "refetchInterval", "dataUpdateDisplay",
    "staleTime", "widgetId", "id", "widgetType", "form_endpoint", *MISPLACED_COLUMNS, *_KINDS,
})  # fmt: skip
LEGACY_WIDGET_KEYS: Final = {"defaultViz": "type", "refreshInterval": "refetchInterval"}
_DATA_KINDS: Final[Mapping[str, Kind]] = {
    "dataKey": "text",
    "wsRowIdColumn": "text",
    "table": "object",
    "defaultSymbol": "text",
    "updateFrequency": "number",
    "chartConfig": "object",
}
DATA_KEYS: Final = frozenset({*_DATA_KINDS, *MISPLACED_COLUMNS})
_CHART_KINDS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys((f"{part}{way}Color" for part in ("border", "wick", "volume") for way in ("Up", "Down")), "text"),
    "upColor": "text",
    "downColor": "text",
    "showVolume": "flag",
}


def widget_type(definition: object) -> str:
    """Return the type of a widget in its modern spelling; a missing one counts as a table."""
    item = as_object(definition)
    given = next((item[key] for key in ("type", "defaultViz") if is_text(item.get(key))), DEFAULT_WIDGET_TYPE)
    return LEGACY_WIDGET_TYPES.get(str(given), str(given))


def breaks_entry(widget_id: str, definition: object) -> Finding | None:
    """Return what makes Workspace refuse this entry of widgets.json whatever else it says, or None."""
    return next(_check_refusal(widget_id, definition), None)


def _check_refusal(widget_id: str, definition: object) -> Findings:
    if not isinstance(definition, dict):
        message = f"The entry {show(widget_id)} is {show(definition)} instead of an object."
        yield error("widget-not-object", "", message, fix="Write the definition of a widget, or take it out.")
        return
    if not is_text(definition.get("name")):
        message = "The widget has no name, and Workspace refuses widgets without one."
        yield error("name-missing", "name", message, fix='Set "name" to the title that people see.')
    if not is_text(definition.get("endpoint")) and widget_type(definition) not in TYPES_WITHOUT_ENDPOINT:
        message = "The widget has no endpoint, so Workspace has nowhere to get its data from."
        yield error("endpoint-missing", "endpoint", message, fix='Set "endpoint" to the path of its data.')


def check_widget(widget_id: str, definition: object, *, reserved: frozenset[str] = RESERVED_PATHS) -> list[Finding]:
    """Return everything there is to say about one entry of widgets.json.

    `reserved` are the paths that endpoints can't have; one with a trailing slash takes all below it too.
    """
    findings = list(_check_refusal(widget_id, definition))
    if isinstance(definition, dict):
        findings += _check_identity(widget_id, definition)
        findings += _check_keys(definition)
        findings += _check_address(definition, reserved)
        findings += check_schedule(definition)
        findings += under("gridData", check_grid(as_object(definition.get("gridData")), widget_type(definition)))
        findings += under("data", _check_data(as_object(definition.get("data")), widget_type(definition)))
        if "params" in definition:
            findings += under("params", check_params(definition["params"], reserved=reserved))
        findings += _check_needs(definition)
    return findings


def check_widgets(
    widgets: Mapping[str, object], *, reserved: frozenset[str] = RESERVED_PATHS
) -> dict[str, list[Finding]]:
    """Return the findings of every entry of a widgets.json by its id, those between entries included."""
    findings = {key: check_widget(key, widgets[key], reserved=reserved) for key in widgets}
    for name, keys in _shared(widgets, "name").items():
        for key in keys:
            others = listing([other for other in keys if other != key])
            message = f"The name {show(name)} belongs to {others} too, so Excel cannot tell them apart by it."
            findings[key].append(warning("name-shared", "name", message, fix="Give each widget its own name."))
    for path, keys in _shared(widgets, "endpoint").items():
        for key in keys:
            others = listing([other for other in keys if other != key])
            message = f"The path {show(path)} belongs to {others} too, so one set of data answers all of them."
            fix = "If that is not meant, give each widget an endpoint of its own."
            findings[key].append(info("endpoint-shared", "endpoint", message, fix=fix))
    return findings


def _shared(widgets: Mapping[str, object], member: str) -> dict[str, list[str]]:
    """Return the values of a member that several widgets have, each with the ids of these widgets."""
    found: dict[str, list[str]] = defaultdict(list)
    for key, definition in widgets.items():
        value = as_object(definition).get(member)
        if is_text(value):
            found[value if member == "name" or is_absolute(value) else path_of(value)].append(key)
    return {value: keys for value, keys in found.items() if len(keys) > 1}


def _check_identity(widget_id: str, definition: Mapping[str, object]) -> Findings:
    if not WIDGET_ID.fullmatch(widget_id):
        message = f"The id {show(widget_id)} has other characters than letters, digits, _ and -; apps may miss it."
        yield warning("widget-id", "", message, fix="Choose a plain id; apps and Excel sheets that use it follow.")
    repeated = definition.get("widgetId")
    if repeated is not None and repeated != widget_id:
        message = f'"widgetId" is {show(repeated)}, but the entry is {show(widget_id)}, so it goes by two ids.'
        yield error("widget-id-differs", "widgetId", message, fix='Take "widgetId" out, or repeat the id.')
    old = definition.get("id")
    if old is not None and old != widget_id:
        message = f'"id" is {show(old)}, but Workspace knows the widget as {show(widget_id)}.'
        yield warning("id-differs", "id", message, fix='Take "id" out.')
    if not is_text(definition.get("description")):
        message = "The widget has no description; the agent finds and understands widgets by it."
        yield error("description-missing", "description", message, fix="Say what the data is and where from.")
    yield from _check_type(definition)


def _check_type(definition: Mapping[str, object]) -> Findings:
    kind = definition.get("type")
    if kind is None and definition.get("defaultViz") is None:
        message = "The widget has no type; Workspace takes it for a table."
        yield warning("type-missing", "type", message, fix='Set "type", to table if it is one.')
    elif kind is not None and not isinstance(kind, str):
        message = f"The type is {show(kind)} instead of a word."
        yield error("type-unknown", "type", message, fix=f"Use one of: {_TYPE_WORDS}.")
    elif kind == "advanced-chart":
        message = "Workspace's examples spell this type advanced_charting."
        yield warning("type-legacy", "type", message, fix='Set "type" to advanced_charting.')
    elif kind is not None and kind not in words(WIDGET_TYPES) | {"table_ssrm"}:
        message = f"{show(kind)} is not a type that Workspace documents; it may show nothing."
        yield warning("type-unknown", "type", message, fix=f"Use one of: {_TYPE_WORDS}.")


_TYPE_WORDS: Final = ", ".join(word for word, _ in WIDGET_TYPES)


def _check_keys(definition: Mapping[str, object]) -> Findings:
    yield from check_kinds(definition, _KINDS)
    yield from check_spelling(definition, WIDGET_KEYS, LEGACY_WIDGET_KEYS)
    yield from check_misplaced(definition, MISPLACED_COLUMNS)
    source = definition.get("source")
    if isinstance(source, str):
        message = "The source is one text; Workspace reads a list of texts."
        yield warning("source-text", "source", message, fix=f"Write [{show(source)}].")
    elif source is not None and not (isinstance(source, list) and all(isinstance(text, str) for text in source)):
        message = f"The source is {show(source)} instead of a list of texts."
        yield error("source-type", "source", message, fix="Write a list of texts, one per source.")
    if definition.get("raw") is True and not (_RAW_TYPES & {widget_type(definition)}):
        message = f"A widget of type {show(widget_type(definition))} has no second, raw view."
        yield warning("raw-unused", "raw", message, fix='Take "raw" out.')


def _check_address(definition: Mapping[str, object], reserved: frozenset[str]) -> Findings:
    endpoint = definition.get("endpoint")
    yield from check_free(definition.get("wsEndpoint"), key="wsEndpoint", reserved=reserved)
    # A page to show may be one of this backend's own, such as a static file.
    if widget_type(definition) != "iframe":
        yield from check_free(endpoint, key="endpoint", reserved=reserved)
    if isinstance(endpoint, str) and re.search(r"\{[^{}]*\}", endpoint):
        message = "The path holds a placeholder in braces, which Workspace's documentation does not know."
        yield warning("endpoint-template", "endpoint", message, fix="Send the value as a parameter instead.")
    if is_text(endpoint) and widget_type(definition) == "iframe":
        yield from _check_page(endpoint)


def _check_page(address: str) -> Findings:
    if not is_web_address(address) and re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", address):
        message = f"{show(address)} is not a page that a browser shows inside Workspace."
        yield error("iframe-address", "endpoint", message, fix="Write an address that starts with https://.")
    elif not is_web_address(address):
        message = "The page is given as a path below this backend; Workspace documents whole addresses."
        yield info("iframe-path", "endpoint", message, fix="Write the whole address if the page stays empty.")
    elif address.startswith("http:") and urlsplit(address).hostname not in _LOCAL_HOSTS:
        message = "Browsers do not show a page that comes over plain HTTP inside Workspace."
        yield warning("iframe-http", "endpoint", message, fix="Serve the page over HTTPS.")


def _check_data(data: Mapping[str, object], kind: str) -> Findings:
    yield from check_kinds(data, _DATA_KINDS)
    yield from check_spelling(data, DATA_KEYS)
    yield from check_misplaced(data, MISPLACED_COLUMNS)
    yield from under("chartConfig", check_kinds(as_object(data.get("chartConfig")), _CHART_KINDS))
    yield from under("table", check_table(as_object(data.get("table")), widget_type=kind))


def _check_needs(definition: Mapping[str, object]) -> Findings:
    kind = widget_type(definition)
    if kind == "live_grid":
        yield from _check_live(definition)
    elif definition.get("wsEndpoint") is not None and kind != "live_feed":
        message = f"A widget of type {show(kind)} opens no WebSocket."
        yield warning("ws-endpoint-unused", "wsEndpoint", message, fix="Make it a live_grid, or take it out.")
    if kind == "multi_file_viewer":
        yield from _check_file_selector(params_of(definition))
    if kind == "omni" and all(param.get("paramName") != "prompt" for param in params_of(definition)):
        message = 'Workspace sends what people type as "prompt", and the widget has no such parameter.'
        fix = 'Add {"paramName": "prompt", "type": "text", "show": false} with label and description.'
        yield error("prompt-missing", "params", message, fix=fix)
    yield from _check_clicks(definition)
    yield from _check_tools(definition)


def _check_live(definition: Mapping[str, object]) -> Findings:
    if not is_text(definition.get("wsEndpoint")):
        message = "A live table gets its changes over a WebSocket, and none is named."
        yield error("ws-endpoint-missing", "wsEndpoint", message, fix='Set "wsEndpoint" to its path.')
    if not is_text(as_object(definition.get("data")).get("wsRowIdColumn")):
        message = "Nothing says which field identifies a row, so messages cannot be matched to rows."
        yield error("ws-row-id-missing", "data.wsRowIdColumn", message, fix="Name the field, such as symbol.")


def _check_file_selector(params: list[dict[str, object]]) -> Findings:
    selectors = [param for param in params if FILE_SELECTOR in as_list(param.get("roles"))]
    if len(selectors) != 1:
        message = f"Exactly one parameter chooses the files; {len(selectors)} have that role here."
        yield error("file-selector", "params", message, fix=f'Give one the key "roles": ["{FILE_SELECTOR}"].')
    for param in selectors:
        if param.get("type") != "endpoint" or param.get("multiSelect") is not True:
            message = "The parameter that chooses the files is not a dropdown for several options."
            fix = 'Set its "type" to endpoint and "multiSelect" to true.'
            yield warning("file-selector-kind", "params", message, fix=fix)


def _check_clicks(definition: Mapping[str, object]) -> Findings:
    emitted = emitted_params(definition)
    for param in params_of(definition):
        name = param.get("paramName")
        if isinstance(name, str) and name in emitted and param.get("show") is not False:
            message = f"A click in this table sets {show(name)}, but it is shown here too, which stops the click."
            yield warning("click-param-shown", "params", message, fix=f'Set "show" of {show(name)} to false.')


def _check_tools(definition: Mapping[str, object]) -> Findings:
    tool, url = definition.get("mcp_tool"), as_object(definition.get("storage")).get("mcpUrl")
    for key in ("mcp_server", "tool_id"):
        if isinstance(tool, dict) and not is_text(tool.get(key)):
            message = f'The tool that matches this widget needs "{key}" to be found.'
            fix = f'Set "{key}" to the name as it is connected in Workspace, or take "mcp_tool" out.'
            yield error("mcp-tool", f"mcp_tool.{key}", message, fix=fix)
    if url is not None and not is_web_address(url):
        message = f"The address of the MCP server is {show(url)}, which is not a whole address."
        yield error("mcp-url", "storage.mcpUrl", message, fix="Write an address that starts with https://.")
