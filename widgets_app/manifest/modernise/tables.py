"""The table in a widget's `data`, its columns and how they are drawn, rewritten to today's form."""

from __future__ import annotations

from typing import Any, Final

from widgets_app.manifest.contract.columns import (
    COLUMN_KEYS,
    COLUMN_WORDS,
    LEGACY_COLUMN_KEYS,
    MISPLACED_COLUMNS,
    TABLE_KEYS,
)
from widgets_app.manifest.contract.drawing import CHART_VIEW_KEYS, SPARKLINE_KEYS
from widgets_app.manifest.contract.findings import as_object, is_text
from widgets_app.manifest.contract.rendering import RENDER_PARAM_KEYS
from widgets_app.manifest.modernise.rewriting import Document, each, inside, renamed, same, spelled, without, word
from widgets_app.vocabulary import (
    ACTION_TYPES,
    CHART_TYPES,
    COLOR_CONDITIONS,
    FORMATTER_FNS,
    PINNED,
    RENDER_FNS,
    SPARKLINE_DIRECTIONS,
    SPARKLINE_TYPES,
    words,
)

_COLUMNS: Final = "columnsDefs"
_COLUMN_WORDS: Final = {"pinned": PINNED, **{key: choices for key, (choices, _) in COLUMN_WORDS.items()}}


def rename_table(table: Document) -> Document:
    """Return the object at `data.table` with its own keys put right."""
    return renamed(table, TABLE_KEYS)


def modernise_table(table: Document) -> Document:
    """Return the object at `data.table` in today's form, its keys put right already."""
    table = spelled(table, {"formatterFn": FORMATTER_FNS})
    return each(inside(table, "chartView", _chart_view), _COLUMNS, _column)


def collected(item: Document) -> Document:
    """Return a widget whose columns stand where Workspace reads them, if there is no doubt which they are."""
    data = {} if item.get("data") is None else item["data"]
    table = {} if as_object(data).get("table") is None else data["table"]
    if not (isinstance(data, dict) and isinstance(table, dict)):
        return item
    astray = [level[key] for level, key in _astray(item, data, table)]
    columns = table.get(_COLUMNS) if table.get(_COLUMNS) is not None else next(filter(None, astray), None)
    if not astray or not all(not found or same(found, columns) for found in astray) or not _are_columns(columns):
        return item
    table = _with_columns(table, columns)
    data = {**_cleared(data), **({"table": table} if table or "table" in data else {})}
    return {**_cleared(item), **({"data": data} if data or "data" in item else {})}


def _astray(item: Document, data: Document, table: Document) -> list[tuple[Document, str]]:
    levels = [(table, key) for key in MISPLACED_COLUMNS if key != _COLUMNS]
    levels += [(level, key) for level in (data, item) for key in MISPLACED_COLUMNS]
    return [(level, key) for level, key in levels if isinstance(level.get(key), list)]


def _are_columns(columns: Any) -> bool:
    return columns is None or (isinstance(columns, list) and all(isinstance(column, dict) for column in columns))


def _cleared(level: Document) -> Document:
    return without(level, *(key for key in MISPLACED_COLUMNS if isinstance(level.get(key), list)))


def _with_columns(table: Document, columns: Any) -> Document:
    """Return a table with these columns, in the place of those that stood in it under another name."""
    astray = [key for key in MISPLACED_COLUMNS if key != _COLUMNS and isinstance(table.get(key), list)]
    if columns is None:
        return without(table, *astray)
    if astray and table.get(_COLUMNS) is None:
        table = {(_COLUMNS if key == astray[0] else key): value for key, value in without(table, _COLUMNS).items()}
    return without({**table, _COLUMNS: columns}, *astray)


def _chart_view(view: Document) -> Document:
    view = spelled(renamed(view, CHART_VIEW_KEYS), {"chartType": CHART_TYPES})
    return inside(view, "cellRangeCols", lambda ranges: renamed(ranges, words(CHART_TYPES)))


def _column(column: Document) -> Document:
    column = spelled(renamed(column, COLUMN_KEYS, LEGACY_COLUMN_KEYS), _COLUMN_WORDS)
    if "renderFn" in column:
        column["renderFn"] = _render_fn(column["renderFn"])
    return inside(inside(column, "renderFnParams", _render_params), "sparkline", _sparkline)


def _render_fn(names: Any) -> Any:
    return [word(name, RENDER_FNS) for name in names] if isinstance(names, list) else word(names, RENDER_FNS)


def _render_params(params: Document) -> Document:
    params = spelled(_grouping(renamed(params, RENDER_PARAM_KEYS)), {"actionType": ACTION_TYPES})
    return each(params, "colorRules", lambda rule: spelled(rule, {"condition": COLOR_CONDITIONS}))


def _grouping(params: Document) -> Document:
    """Return parameters that name the parameter of a click where today's Workspace looks for it."""
    old, group_by = params.get("groupByParamName"), params.get("groupBy")
    if not is_text(old) or not (group_by is None or isinstance(group_by, dict)):
        return params
    if is_text(name := as_object(group_by).get("paramName")):
        return without(params, "groupByParamName") if name == old else params
    grouped = {**as_object(group_by), "paramName": old}
    place, gone = ("groupByParamName", "groupBy") if group_by is None else ("groupBy", "groupByParamName")
    left = without(params, gone)
    return {("groupBy" if key == place else key): grouped if key == place else left[key] for key in left}


def _sparkline(sparkline: Document) -> Document:
    sparkline = spelled(renamed(sparkline, SPARKLINE_KEYS), {"type": SPARKLINE_TYPES})
    return inside(sparkline, "options", lambda options: spelled(options, {"direction": SPARKLINE_DIRECTIONS}))
