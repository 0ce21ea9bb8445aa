"""Documents -> rows. What the writers in this package write, this reads back to the same document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from django.contrib.auth.models import Group
from django.db import models, transaction

from widgets_app.errors import DefinitionError
from widgets_app.manifest import keys
from widgets_app.manifest.keys import Level, storable
from widgets_app.models import (
    App,
    Choice,
    Column,
    Feed,
    Parameter,
    ParameterGroup,
    Placement,
    Query,
    Source,
    Tab,
    Widget,
)

Document = Mapping[str, Any]


ID_LENGTH = 255


@transaction.atomic
def read_widget(document: Document, widget: Widget | None = None) -> Widget:
    """Make the rows of a widget document, in place of those of `widget` if one is given.

    Groups are taken over for a new widget only: who may see an existing one is not a matter of its versions.
    Raises DefinitionError when a query or group it names does not exist; nothing is changed then.
    """
    new = widget is None
    widget = widget or Widget()
    if not document["id"] or not storable(document["id"], ID_LENGTH):
        raise DefinitionError(f"A widget's id has 1 to {ID_LENGTH} characters, none of them NUL.")
    queries = [(role, _named(Query, "query", name)) for role, name in document.get("feeds", {}).items()]
    _fill_widget(widget, document)
    widget.save()
    widget.columns.all().delete()
    widget.parameters.all().delete()
    widget.feeds.all().delete()
    definition = document["definition"]
    Column.objects.bulk_create(_columns(widget, definition))
    _read_parameters(widget, definition)
    Feed.objects.bulk_create(Feed(widget=widget, role=role, query=query) for role, query in queries)
    if new:
        widget.groups.set(_named(Group, "group", name) for name in document.get("groups", []))
    return widget


@transaction.atomic
def read_query(document: Document, query: Query | None = None) -> Query:
    """Make the rows of a query document, in place of those of `query` if one is given."""
    query = query or Query()
    source = document.get("source")
    query.source = _named(Source, "source", source) if source else None
    for name in ("name", "description", "text", "cache_seconds", "seconds", "rows", "options_path"):
        setattr(query, name, document[name])
    query.save()
    query.choices.all().delete()
    Choice.objects.bulk_create(_choices(document["choices"], query=query))
    return query


@transaction.atomic
def read_app(document: Document, app: App | None = None) -> App:
    """Make the rows of an app document, in place of those of `app` if one is given; groups as for a widget."""
    new = app is None
    app = app or App()
    definition = document["app"]
    app.slug = document["slug"]
    values, rest = keys.APP.read(definition)
    tabs = _take_tabs(rest)
    groups = _objects(rest, "groups", list)
    _assign(app, values, extra=rest or None)
    app.save()
    app.tabs.all().delete()
    app.parameter_groups.all().delete()
    _read_tabs(app, tabs)
    ParameterGroup.objects.bulk_create(_children(ParameterGroup, keys.GROUP, groups, app=app))
    if new:
        app.groups.set(_named(Group, "group", name) for name in document.get("groups", []))
    return app


def _named(model: Any, word: str, name: str) -> Any:
    try:
        return model.objects.get(name=name)
    except model.DoesNotExist:
        raise DefinitionError(f'There is no {word} "{name}". Make it first, or take it out.') from None


def _assign(row: models.Model, values: Mapping[str, Any], **more: Any) -> None:
    for name, value in {**values, **more}.items():
        setattr(row, name, value)


def _objects(rest: dict[str, Any], key: str, kind: type) -> Any:
    """Take a non-empty list or object of objects out of `rest`; anything else stays there as it is."""
    value = rest.get(key)
    inner = value.values() if isinstance(value, dict) else value
    if isinstance(value, kind) and value and all(isinstance(item, dict) for item in inner or ()):
        return rest.pop(key)
    return kind()


def _inner(rest: dict[str, Any], key: str) -> tuple[dict[str, Any], bool]:
    """Take an object out of `rest`; say whether it was there."""
    if isinstance(rest.get(key), dict):
        return dict(rest.pop(key)), True
    return {}, False


def _fill_widget(widget: Widget, document: Document) -> None:
    values, rest = keys.WIDGET.read(document["definition"])
    if rest.get("widgetId") == document["id"]:
        rest.pop("widgetId")
    params = _take_params(rest)
    grid, has_grid = _inner(rest, "gridData")
    data, has_data = _inner(rest, "data")
    table, has_table = _inner(data, "table")
    columns = _objects(table, "columnsDefs", list)
    grid_values, grid_rest = keys.GRID.read(grid)
    data_values, data_rest = keys.DATA.read(data)
    table_values, table_rest = keys.TABLE.read(table)
    nested = bool(params) and isinstance(params[0], list)
    _assign(
        widget,
        {**values, **grid_values, **data_values, **table_values},
        widget_id=document["id"],
        shape=document.get("shape"),
        param_rows=len(params) if nested else None,
        extra=rest or None,
        grid_extra=_extra(grid_rest, grid_values, present=has_grid),
        data_extra=_extra(data_rest, data_values, present=has_data and not has_table),
        table_extra=_extra(table_rest, table_values, present=has_table and not columns),
    )


def _extra(rest: dict[str, Any], values: Mapping[str, Any], *, present: bool) -> dict[str, Any] | None:
    """Return what to keep of an inner object: `{}` where it is there, but nothing else would make it appear."""
    empty = all(value is None for value in values.values())
    return rest if rest or (present and empty) else None


def _take_params(rest: dict[str, Any]) -> list[Any]:
    """Take the parameters out of `rest`: a list of objects, or a list of rows of objects."""
    params = rest.get("params")
    if not isinstance(params, list) or not params:
        return []
    flat = all(isinstance(item, dict) for item in params)
    rows = all(isinstance(row, list) and all(isinstance(item, dict) for item in row) for row in params)
    if flat or rows:
        rest.pop("params")
        return params
    return []


def _columns(widget: Widget, definition: Document) -> list[Column]:
    data = definition.get("data")
    table = data.get("table") if isinstance(data, dict) else None
    columns = _objects(dict(table), "columnsDefs", list) if isinstance(table, dict) else []
    return _children(Column, keys.COLUMN, columns, widget=widget)


def _children(model: Any, level: Level, documents: Sequence[Document], **parents: Any) -> list[Any]:
    """Return unsaved rows of a list of objects, in order."""
    rows = []
    for position, document in enumerate(documents):
        values, rest = level.read(document)
        rows.append(model(position=position, extra=rest or None, **values, **parents))
    return rows


def _choices(documents: Sequence[Document], **parents: Any) -> list[Choice]:
    return _children(Choice, keys.CHOICE, documents, **parents)


def _read_parameters(widget: Widget, definition: Document) -> None:
    params = _take_params(dict(definition))
    nested = bool(params) and isinstance(params[0], list)
    placed = [(row, p) for row, line in enumerate(params) for p in line] if nested else [(None, p) for p in params]
    paths = dict(Query.objects.exclude(options_path="").values_list("options_path", "pk")) if placed else {}
    reader = _ParameterReader(widget, paths)
    for row, document in placed:
        reader.add(document, row=row, parent=None)
    reader.save()


class _ParameterReader:
    """Collects parameters, the fields of their forms and their choices, and saves them level by level."""

    def __init__(self, widget: Widget, paths: Mapping[str, int]) -> None:
        self.widget, self.paths, self.places = widget, paths, count()
        self.levels: list[list[Parameter]] = []
        self.choices: list[Choice] = []

    def add(self, document: Document, *, row: int | None, parent: Parameter | None, depth: int = 0) -> None:
        values, rest = keys.PARAMETER.read(document)
        options, fields = _objects(rest, "options", list), _objects(rest, "inputParams", list)
        query = self.paths.get(values["options_endpoint"])
        if query:
            values["options_endpoint"] = None
        parameter = Parameter(
            widget=self.widget, parent=parent, row=row, position=next(self.places), extra=rest or None,
            options_query_id=query, **values,
        )  # fmt: skip
        while len(self.levels) <= depth:
            self.levels.append([])
        self.levels[depth].append(parameter)
        self.choices += _choices(options, parameter=parameter)
        for field in fields:
            self.add(field, row=None, parent=parameter, depth=depth + 1)

    def save(self) -> None:
        for level in self.levels:
            Parameter.objects.bulk_create(level)
        Choice.objects.bulk_create(self.choices)


def _take_tabs(rest: dict[str, Any]) -> dict[str, Any]:
    """Take the tabs out of `rest`, if rows can hold their keys."""
    tabs = rest.get("tabs")
    if not isinstance(tabs, dict) or not all(storable(key, ID_LENGTH) for key in tabs):
        return {}
    taken: dict[str, Any] = _objects(rest, "tabs", dict)
    return taken


def _read_tabs(app: App, tabs: Mapping[str, Document]) -> None:
    widgets: dict[str, int] = dict(Widget.objects.values_list("widget_id", "pk"))
    for position, (key, document) in enumerate(tabs.items()):
        values, rest = keys.TAB.read(document)
        layout = _objects(rest, "layout", list)
        tab = Tab.objects.create(app=app, position=position, key=key, extra=rest or None, **values)
        placements = _children(Placement, keys.PLACEMENT, layout, tab=tab)
        for placement in placements:
            placement.widget_id = widgets.get(placement.widget_id_text or "")
        Placement.objects.bulk_create(placements)
