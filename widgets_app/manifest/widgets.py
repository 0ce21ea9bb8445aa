"""Widget and Query rows -> documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from widgets_app.manifest import keys
from widgets_app.models import Choice, Column, FormAction, Parameter, Query, Widget

Document = dict[str, Any]

# What a writer touches, to be prefetched when many are written.
WIDGET_CHILDREN = (
    "columns",
    "parameters__choices",
    "parameters__options_query",
    "parameters__actions__source",
    "feeds__query",
    "upstream",
    "groups",
)


def widget_document(widget: Widget) -> Document:
    """Return all of a widget: its entry of widgets.json and what this backend keeps about it."""
    return {
        "id": widget.widget_id,
        "definition": definition(widget),
        "shape": widget.shape,
        "feeds": {feed.role: feed.query.name for feed in widget.feeds.all()},
        "upstream": widget.upstream.name if widget.upstream else None,
        "groups": sorted(group.name for group in widget.groups.all()),
        "imported": widget.imported,
        **_forms(widget),
    }


def query_document(query: Query) -> Document:
    """Return all of a query."""
    return {
        "name": query.name,
        "description": query.description,
        "source": query.source.name if query.source else None,
        "text": query.text,
        "cache_seconds": query.cache_seconds,
        **({"cron": query.cron} if query.cron else {}),
        "seconds": query.seconds,
        "rows": query.rows,
        "options_path": query.options_path,
        "choices": [_choice(choice) for choice in query.choices.all()],
    }


def definition(widget: Widget) -> Document:
    """Return the widget's entry of widgets.json."""
    document = keys.WIDGET.write(widget, None)
    if params := _params(widget):
        document["params"] = params
    _put(document, "gridData", keys.GRID.write(widget, widget.grid_extra), widget.grid_extra)
    _put(document, "data", _data(widget), widget.data_extra)
    return document | {key: value for key, value in (widget.extra or {}).items() if key not in document}


def _forms(widget: Widget) -> Document:
    """Return what its forms do, by their names; nothing where no form does anything here."""
    done = {
        parameter.param_name: [_action(action) for action in parameter.actions.all()]
        for parameter in widget.parameters.all()
        if parameter.parent_id is None and parameter.param_name
    }
    forms = {name: actions for name, actions in done.items() if actions}
    return {"forms": forms} if forms else {}


def _action(action: FormAction) -> Document:
    document = {
        "button": action.button,
        "does": action.does,
        "source": action.source.name,
        "function": action.function,
        "once_seconds": action.once_seconds,
    }
    return {key: value for key, value in document.items() if value not in ("", None)}


def _put(document: Document, key: str, inner: Document, extra: Mapping[str, Any] | None) -> None:
    """Add an inner object; an empty one only where `extra` says that it is there on purpose."""
    if inner or extra is not None:
        document[key] = inner


def _data(widget: Widget) -> Document:
    document = keys.DATA.write(widget, None)
    table = keys.TABLE.write(widget, None)
    if columns := [_column(column) for column in widget.columns.all()]:
        table["columnsDefs"] = columns
    table |= {key: value for key, value in (widget.table_extra or {}).items() if key not in table}
    _put(document, "table", table, widget.table_extra)
    return document | {key: value for key, value in (widget.data_extra or {}).items() if key not in document}


def _column(column: Column) -> Document:
    return keys.COLUMN.write(column, column.extra)


def _params(widget: Widget) -> list[Any]:
    parameters = list(widget.parameters.all())
    top = [parameter for parameter in parameters if parameter.parent_id is None]
    if widget.param_rows is None:
        return [_parameter(parameter, parameters) for parameter in top]
    rows: list[list[Document]] = [[] for _ in range(widget.param_rows)]
    for parameter in top:
        # A parameter without a place, or beyond the last row, stands in the last one: none gets lost.
        row = min(parameter.row or 0, widget.param_rows - 1)
        rows[row].append(_parameter(parameter, parameters))
    return list(rows)


def _parameter(parameter: Parameter, siblings: Sequence[Parameter]) -> Document:
    document = keys.PARAMETER.write(parameter, None)
    if parameter.options_query:
        document["optionsEndpoint"] = parameter.options_query.options_path
    if choices := [_choice(choice) for choice in parameter.choices.all()]:
        document["options"] = choices
    if fields := [_parameter(child, siblings) for child in siblings if child.parent_id == parameter.pk]:
        document["inputParams"] = fields
    return document | {key: value for key, value in (parameter.extra or {}).items() if key not in document}


def _choice(choice: Choice) -> Document:
    return keys.CHOICE.write(choice, choice.extra)
