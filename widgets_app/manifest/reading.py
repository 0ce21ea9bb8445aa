"""Documents -> rows. What the writers in this package write, this reads back to the same document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, count, zip_longest
from typing import Any

from django.contrib.auth.models import Group
from django.db import models, transaction

from widgets_app.errors import DefinitionError
from widgets_app.manifest import keys
from widgets_app.manifest.keys import Level, storable
from widgets_app.models import (
    Agent,
    App,
    Choice,
    Column,
    Feed,
    FormAction,
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


def read_widget(document: Document, widget: Widget | None = None) -> Widget:
    """Make the rows of one widget document: `read_widgets` for a single one."""
    return read_widgets([(document, widget)])[0]


@transaction.atomic
def read_widgets(pairs: Sequence[tuple[Document, Widget | None]]) -> list[Widget]:
    """Make the rows of widget documents, each in place of those of the widget beside it, if there is one.

    Groups are taken over for new widgets only: who may see an existing one is not a matter of its versions.
    Raises DefinitionError when a query, source or group that one names does not exist; nothing is changed then.
    """
    names = _Names()
    readings = [_WidgetReading(document, widget, names) for document, widget in pairs]
    widgets = [reading.widget for reading in readings]
    _save_all(widgets)
    _delete_children(widgets, Column, Parameter, Feed)
    Column.objects.bulk_create(column for reading in readings for column in reading.columns())
    _save_parameters(readings)
    Feed.objects.bulk_create(feed for reading in readings for feed in reading.feeds)
    _set_groups((reading.widget, reading.groups) for reading in readings if reading.new)
    return widgets


@transaction.atomic
def read_query(document: Document, query: Query | None = None) -> Query:
    """Make the rows of a query document, in place of those of `query` if one is given."""
    query = query or Query()
    query.source_id = _Names().source(document.get("source"))
    for name in ("name", "description", "text", "cache_seconds", "seconds", "rows", "options_path"):
        setattr(query, name, document[name])
    query.cron = document.get("cron", "")
    query.save()
    query.choices.all().delete()
    Choice.objects.bulk_create(_choices(document["choices"], query=query))
    return query


@transaction.atomic
def read_app(document: Document, app: App | None = None) -> App:
    """Make the rows of an app document, in place of those of `app` if one is given; groups as for a widget."""
    new = app is None
    groups_who_see = _Names().groups(document) if new else []
    app = app or App()
    definition = document["app"]
    app.slug = document["slug"]
    app.imported = document.get("imported", app.imported)
    values, rest = keys.APP.read(definition)
    tabs = _take_tabs(rest)
    groups = _objects(rest, "groups", list)
    _assign(app, values, extra=rest or None)
    app.save()
    app.tabs.all().delete()
    app.parameter_groups.all().delete()
    _read_tabs(app, tabs)
    ParameterGroup.objects.bulk_create(_children(ParameterGroup, keys.GROUP, groups, app=app))
    _set_groups([(app, groups_who_see)])
    return app


@transaction.atomic
def read_agent(document: Document, agent: Agent | None = None) -> Agent:
    """Make the row of an agent document, in place of `agent` if one is given; groups as for a widget."""
    new = agent is None
    names = _Names()
    groups = names.groups(document) if new else []
    agent = agent or Agent()
    values, rest = keys.AGENT.read(document["agent"])
    _assign(
        agent,
        values,
        agent_id=_checked_id(document["id"], "An agent's"),
        extra=rest or None,
        upstream_id=names.source(document.get("upstream")),
        imported=document.get("imported", agent.imported),
    )
    agent.save()
    _set_groups([(agent, groups)])
    return agent


class _Names:
    """The primary keys of what documents refer to by name, each kind read once."""

    @cached_property
    def _queries(self) -> dict[str, int]:
        return dict(Query.objects.values_list("name", "pk"))

    @cached_property
    def _sources(self) -> dict[str, int]:
        return dict(Source.objects.values_list("name", "pk"))

    @cached_property
    def _groups(self) -> dict[str, int]:
        return dict(Group.objects.values_list("name", "pk"))

    @cached_property
    def options_paths(self) -> dict[str, int]:
        """The queries by the paths of their options."""
        return dict(Query.objects.values_list("options_path", "pk"))

    def query(self, name: str) -> int:
        """Return the primary key of a query. Raises DefinitionError, as the others do."""
        return self._find(self._queries, "query", name)

    def source(self, name: str | None) -> int | None:
        """Return the primary key of a source, None for no name."""
        return self._find(self._sources, "source", name) if name else None

    def groups(self, document: Document) -> list[int]:
        """Return the primary keys of the groups of a document."""
        return [self._find(self._groups, "group", name) for name in document.get("groups", [])]

    def _find(self, known: Mapping[str, int], word: str, name: str) -> int:
        if name not in known:
            raise DefinitionError(f'There is no {word} "{name}". Make it first, or take it out.')
        return known[name]


def _checked_id(text: str, whose: str) -> str:
    if not text or not storable(text, ID_LENGTH):
        raise DefinitionError(f"{whose} id has 1 to {ID_LENGTH} characters, none of them NUL or half a character.")
    return text


def _save_all(widgets: Sequence[Widget]) -> None:
    """Save widgets, the new ones at the end of the list."""
    made, kept = ([widget for widget in widgets if (widget.pk is None) is new] for new in (True, False))
    last = Widget.objects.aggregate(last=models.Max("position"))["last"]
    for position, widget in enumerate(made, start=0 if last is None else last + 1):
        widget.position = position
    Widget.objects.bulk_create(made)
    for widget in kept:
        widget.save()


def _delete_children(widgets: Sequence[Widget], *children: Any) -> None:
    for child in children:
        child.objects.filter(widget__in=widgets).delete()


def _set_groups(rows: Iterable[tuple[Any, Sequence[int]]]) -> None:
    for row, groups in rows:
        if groups:
            row.groups.set(groups)


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


class _WidgetReading:
    """What a widget document makes: its row, filled but not saved, and the rows that belong to it."""

    def __init__(self, document: Document, widget: Widget | None, names: _Names) -> None:
        self.new = widget is None
        self.names = names
        self.definition = document["definition"]
        self.widget = _filled(widget or Widget(), document, names)
        queries = {role: names.query(name) for role, name in document.get("feeds", {}).items()}
        self.feeds = [Feed(widget=self.widget, role=role, query_id=query) for role, query in queries.items()]
        self.groups = names.groups(document) if self.new else []
        self.forms: Mapping[str, Sequence[Document]] = document.get("forms") or {}
        self.actions: list[FormAction] = []

    def columns(self) -> list[Column]:
        """Return the rows of the columns, not saved."""
        data = self.definition.get("data")
        table = data.get("table") if isinstance(data, dict) else None
        columns = _objects(dict(table), "columnsDefs", list) if isinstance(table, dict) else []
        return _children(Column, keys.COLUMN, columns, widget=self.widget)

    def parameters(self) -> _ParameterReader:
        """Return the parameters with their fields and choices, not saved."""
        params = _take_params(dict(self.definition))
        nested = bool(params) and isinstance(params[0], list)
        placed = [(row, p) for row, line in enumerate(params) for p in line] if nested else [(None, p) for p in params]
        reader = _ParameterReader(self.widget, self.names.options_paths if placed else {})
        for row, document in placed:
            reader.add(document, row=row, parent=None)
        self.actions = [action for level in reader.levels[:1] for action in self._actions(level)]
        return reader

    def _actions(self, parameters: Iterable[Parameter]) -> Iterator[FormAction]:
        """Yield what the forms among some parameters do, not saved; of two of the same name, the first one does it."""
        waiting = dict(self.forms)
        for parameter in parameters:
            for position, document in enumerate(waiting.pop(parameter.param_name or "", ())):
                source = self.names.source(document["source"])
                values = {**document, "source_id": source, "position": position}
                del values["source"]
                yield FormAction(parameter=parameter, **values)


def _filled(widget: Widget, document: Document, names: _Names) -> Widget:
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
        widget_id=_checked_id(document["id"], "A widget's"),
        shape=document.get("shape"),
        upstream_id=names.source(document.get("upstream")),
        imported=document.get("imported", widget.imported),
        param_rows=len(params) if nested else None,
        extra=rest or None,
        grid_extra=_extra(grid_rest, grid_values, present=has_grid),
        data_extra=_extra(data_rest, data_values, present=has_data and not has_table),
        table_extra=_extra(table_rest, table_values, present=has_table and not columns),
    )
    return widget


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


def _children(model: Any, level: Level, documents: Sequence[Document], **parents: Any) -> list[Any]:
    """Return unsaved rows of a list of objects, in order."""
    rows = []
    for position, document in enumerate(documents):
        values, rest = level.read(document)
        rows.append(model(position=position, extra=rest or None, **values, **parents))
    return rows


def _choices(documents: Sequence[Document], **parents: Any) -> list[Choice]:
    return _children(Choice, keys.CHOICE, documents, **parents)


class _ParameterReader:
    """Collects parameters, the fields of their forms by their depth, and their choices."""

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


def _save_parameters(readings: Sequence[_WidgetReading]) -> None:
    """Save the parameters of all widgets, level by level: the fields of a form need its primary key."""
    readers = [reading.parameters() for reading in readings]
    for level in zip_longest(*(reader.levels for reader in readers), fillvalue=()):
        Parameter.objects.bulk_create(chain.from_iterable(level))
    Choice.objects.bulk_create(choice for reader in readers for choice in reader.choices)
    FormAction.objects.bulk_create(action for reading in readings for action in reading.actions)


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
