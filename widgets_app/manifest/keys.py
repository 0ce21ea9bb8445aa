"""Which JSON key is which model field, on every level, and the rule for what has no field.

A key whose value its field can hold exactly is stored in the field; every other key and value stays in the level's
`extra`. A field that is set wins over the same key in `extra`. The null of a key that has a field means absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import models

from widgets_app.models import Agent, App, Choice, Column, Parameter, ParameterGroup, Placement, Tab, Widget
from widgets_app.models.fields import JSONTextField

Keys = Mapping[str, str]


@dataclass(frozen=True)
class Level:
    """The keys of one JSON object: `keys` are its own, `nested` those of small objects inside it."""

    model: type[models.Model]
    keys: Keys
    nested: Mapping[str, Keys] = field(default_factory=dict)

    def read(self, document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Split an object into values for every field of the level, None where absent, and the rest."""
        values = dict.fromkeys([*self.keys.values(), *(f for n in self.nested.values() for f in n.values())])
        rest = {}
        for key, value in document.items():
            if not self._take(key, value, values):
                rest[key] = value
        return values, rest

    def write(self, row: models.Model, extra: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the object of a row: its fields that are set, then the keys of `extra` that they don't set."""
        document = _written(row, self.keys)
        for key, keys in self.nested.items():
            if inner := _written(row, keys):
                document[key] = inner
        return document | {key: value for key, value in (extra or {}).items() if key not in document}

    def _take(self, key: str, value: Any, values: dict[str, Any]) -> bool:
        if key in self.keys:
            if value is None:
                return True
            return self._take_all({self.keys[key]: value}, values)
        keys = self.nested.get(key)
        if keys is None or not isinstance(value, dict) or not value or not value.keys() <= keys.keys():
            return False
        return self._take_all({keys[inner]: value[inner] for inner in value}, values)

    def _take_all(self, found: dict[str, Any], values: dict[str, Any]) -> bool:
        fits = all(holds(self.model._meta.get_field(name), value) for name, value in found.items())
        if fits:
            values.update(found)
        return fits


def _written(row: models.Model, keys: Keys) -> dict[str, Any]:
    return {key: value for key, name in keys.items() if (value := getattr(row, name)) is not None}


def holds(target: Any, value: Any) -> bool:
    """Say whether a model field can hold a JSON value and give it back the same, type included."""
    if isinstance(target, JSONTextField):
        return bool(value is not None)
    if isinstance(target, models.BooleanField):
        return isinstance(value, bool)
    if isinstance(target, models.IntegerField):
        return isinstance(value, int) and not isinstance(value, bool) and _in_range(target, value)
    return isinstance(value, str) and _holds_text(target, value)


def _in_range(target: models.Field[Any, Any], value: int) -> bool:
    bits = 63 if isinstance(target, models.BigIntegerField) else 31
    return -(1 << bits) <= value < 1 << bits


def _holds_text(target: Any, value: str) -> bool:
    if not value or (target.choices and value not in dict(target.flatchoices)):
        return False
    return storable(value, target.max_length)


def storable(value: str, max_length: int | None) -> bool:
    """Say whether every database can hold a text as it is."""
    if "\x00" in value or (max_length is not None and len(value) > max_length):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: JSON can say it, databases can't
        return False
    return True


WIDGET = Level(
    Widget,
    {
        "name": "name",
        "description": "description",
        "category": "category",
        "subCategory": "sub_category",
        "searchCategory": "search_category",
        "source": "source",
        "type": "type",
        "endpoint": "endpoint",
        "wsEndpoint": "ws_endpoint",
        "imgUrl": "img_url",
        "raw": "raw",
        "runButton": "run_button",
        "exportable": "exportable",
        "refetchInterval": "refetch_interval",
        "dataUpdateDisplay": "data_update_display",
        "staleTime": "stale_time",
        "ai": "ai",
    },
    {
        "storage": {"mcpUrl": "storage_mcp_url"},
        "mcp_tool": {"mcp_server": "mcp_server", "tool_id": "mcp_tool_id"},
    },
)
GRID = Level(
    Widget,
    {
        "w": "grid_w",
        "h": "grid_h",
        "minW": "grid_min_w",
        "minH": "grid_min_h",
        "maxW": "grid_max_w",
        "maxH": "grid_max_h",
    },
)
DATA = Level(
    Widget,
    {
        "dataKey": "data_key",
        "wsRowIdColumn": "ws_row_id_column",
        "defaultSymbol": "default_symbol",
        "updateFrequency": "update_frequency",
        "chartConfig": "chart_config",
    },
)
TABLE = Level(
    Widget,
    {
        "enableCharts": "enable_charts",
        "showAll": "show_all",
        "transpose": "transpose",
        "enableAdvanced": "enable_advanced",
        "enableFormulas": "enable_formulas",
        "formatterFn": "table_formatter_fn",
        "chartView": "chart_view",
    },
)
COLUMN = Level(
    Column,
    {
        "field": "field",
        "headerName": "header_name",
        "headerTooltip": "header_tooltip",
        "cellDataType": "cell_data_type",
        "chartDataType": "chart_data_type",
        "formatterFn": "formatter_fn",
        "decimalPlaces": "decimal_places",
        "renderFn": "render_fn",
        "renderFnParams": "render_fn_params",
        "width": "width",
        "minWidth": "min_width",
        "maxWidth": "max_width",
        "align": "align",
        "hide": "hide",
        "pinned": "pinned",
        "prefix": "prefix",
        "suffix": "suffix",
        "enableCellChangeWs": "enable_cell_change_ws",
        "sparkline": "sparkline",
        "sort": "sort",
    },
)
PARAMETER = Level(
    Parameter,
    {
        "paramName": "param_name",
        "type": "type",
        "label": "label",
        "description": "description",
        "value": "value",
        "show": "show",
        "optional": "optional",
        "optionsEndpoint": "options_endpoint",
        "optionsParams": "options_params",
        "multiSelect": "multi_select",
        "multiple": "multiple",
        "min": "minimum",
        "max": "maximum",
        "step": "step",
        "roles": "roles",
        "language": "language",
        "endpoint": "endpoint",
        "ai": "ai",
    },
    {"style": {"popupWidth": "popup_width"}},
)
CHOICE = Level(
    Choice,
    {"label": "label", "value": "value"},
    {"extraInfo": {"description": "description", "rightOfDescription": "right_of_description"}},
)
APP = Level(
    App,
    {
        "name": "name",
        "description": "description",
        "img": "img",
        "img_dark": "img_dark",
        "img_light": "img_light",
        "allowCustomization": "allow_customization",
        "id": "app_id",
        "selected_agent": "selected_agent",
        "authentication": "authentication",
        "prompts": "prompts",
        "mcp_servers": "mcp_servers",
    },
)
TAB = Level(Tab, {"id": "tab_id", "name": "name"})
PLACEMENT = Level(
    Placement,
    {"i": "widget_id_text", "x": "x", "y": "y", "w": "w", "h": "h", "groups": "groups", "state": "state"},
)
GROUP = Level(
    ParameterGroup,
    {
        "name": "name",
        "type": "type",
        "paramName": "param_name",
        "widgetIds": "widget_ids",
        "defaultValue": "default_value",
    },
)
AGENT = Level(
    Agent,
    {"name": "name", "description": "description", "image": "image", "features": "features"},
    {"endpoints": {"query": "query_url"}},
)
