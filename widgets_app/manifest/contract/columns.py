"""What a table's definition says: its switches, its columns and the chart it starts with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from widgets_app.manifest.contract.drawing import check_chart_view, check_sparkline
from widgets_app.manifest.contract.findings import (
    Findings,
    Kind,
    as_list,
    as_object,
    check_kinds,
    check_spelling,
    check_word,
    error,
    is_text,
    join,
    not_an_object,
    show,
    step,
    under,
    warning,
)
from widgets_app.manifest.contract.rendering import check_rendering, emitted_param
from widgets_app.vocabulary import (
    ALIGN,
    CELL_DATA_TYPES,
    CHART_DATA_TYPES,
    FORMATTER_FNS,
    PINNED,
    SORT,
)

# Where columns are written by mistake.
MISPLACED_COLUMNS: Final = ("columnsDefs", "columnDefs", "columns")

_TABLE_KINDS: Final[Mapping[str, Kind]] = {
    "enableCharts": "flag",
    "showAll": "flag",
    "transpose": "flag",
    "enableAdvanced": "flag",
    "enableFormulas": "flag",
    "chartView": "object",
    "columnsDefs": "list",
}
TABLE_KEYS: Final = frozenset({"formatterFn", "index", *_TABLE_KINDS, *MISPLACED_COLUMNS})
_COLUMN_KINDS: Final[Mapping[str, Kind]] = {
    "headerName": "text",
    "headerTooltip": "text",
    "decimalPlaces": "number",
    "width": "number",
    "minWidth": "number",
    "maxWidth": "number",
    "hide": "flag",
    "prefix": "text",
    "suffix": "text",
    "enableCellChangeWs": "flag",
    "renderFnParams": "object",
    "sparkline": "object",
}
COLUMN_WORDS: Final = {
    "cellDataType": (CELL_DATA_TYPES, "cell-data-type"),
    "chartDataType": (CHART_DATA_TYPES, "chart-data-type"),
    "formatterFn": (FORMATTER_FNS, "formatter-fn"),
    "align": (ALIGN, "align"),
    "sort": (SORT, "sort"),
}
COLUMN_KEYS: Final = frozenset({"field", "renderFn", "pinned", *_COLUMN_KINDS, *COLUMN_WORDS})
LEGACY_COLUMN_KEYS: Final = {"formatFn": "formatterFn"}


def check_table(table: Mapping[str, object], *, widget_type: str) -> Findings:
    """Check the object at `data.table`."""
    yield from check_kinds(table, _TABLE_KINDS)
    yield from check_spelling(table, TABLE_KEYS)
    yield from check_word(table, "formatterFn", FORMATTER_FNS, code="formatter-fn")
    yield from check_misplaced(table, MISPLACED_COLUMNS[1:])
    columns = as_list(table.get("columnsDefs"))
    for index, column in enumerate(columns):
        yield from under("columnsDefs", under(index, _check_column(column, widget_type)))
    yield from under("columnsDefs", _check_repeats(columns))
    if isinstance(table.get("chartView"), dict):
        yield from under("chartView", check_chart_view(table["chartView"]))


def check_misplaced(item: Mapping[str, object], keys: tuple[str, ...]) -> Findings:
    """Report lists of columns where Workspace doesn't look for them."""
    for key in keys:
        if isinstance(item.get(key), list):
            yield error(
                "columns-misplaced",
                key,
                f'Workspace reads columns at data.table.columnsDefs only; those at "{key}" are not used.',
                fix="Move the list to data.table.columnsDefs.",
            )


def fields_of(definition: object) -> frozenset[str]:
    """Return the fields of the columns that a widget declares."""
    return frozenset(field for column in columns_of(definition) if isinstance(field := column.get("field"), str))


def emitted_params(definition: object) -> frozenset[str]:
    """Return the parameters that clicks in a widget's cells set in the group."""
    return frozenset(name for column in columns_of(definition) if (name := emitted_param(column)))


def columns_of(definition: object) -> list[dict[str, object]]:
    """Return the columns that a table declares."""
    table = as_object(as_object(as_object(definition).get("data")).get("table"))
    return [as_object(column) for column in as_list(table.get("columnsDefs"))]


def _check_column(column: object, widget_type: str) -> Findings:
    if not isinstance(column, dict):
        yield not_an_object("The column", column)
        return
    if not is_text(column.get("field")):
        yield error(
            "column-field-missing",
            "field",
            "The column does not say which key of the rows it shows, so it stays empty.",
            fix='Set "field" to the key as it is written in the rows.',
        )
    yield from check_kinds(column, _COLUMN_KINDS)
    yield from check_spelling(column, COLUMN_KEYS, LEGACY_COLUMN_KEYS)
    for key, (choices, code) in COLUMN_WORDS.items():
        yield from check_word(column, key, choices, code=code)
    if column.get("pinned") is not False:  # some exports write false for "not pinned"
        yield from check_word(column, "pinned", PINNED, code="pinned")
    yield from check_rendering(column, widget_type=widget_type)
    if isinstance(column.get("sparkline"), dict):
        yield from under("sparkline", check_sparkline(column["sparkline"]))


def _check_repeats(columns: list[object]) -> Findings:
    seen: set[str] = set()
    for index, column in enumerate(columns):
        field = as_object(column).get("field")
        if not isinstance(field, str):
            continue
        if field in seen:
            yield warning(
                "column-repeated",
                join(step(index), "field"),
                f"An earlier column shows {show(field)} too; sorting and stored layouts mix the two up.",
                fix="Keep one of them, or give the rows a second key.",
            )
        seen.add(field)
