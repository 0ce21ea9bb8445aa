"""What is wrong with a definition: what Workspace would say, and what this backend knows about its data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from widgets_app import catalog
from widgets_app.compiled import (
    STALE_SECONDS,
    app_as_served,
    as_served,
    effective_type,
    is_own_page,
    local_path,
    open_source,
    options_of,
)
from widgets_app.compiled import prepare as prepared
from widgets_app.errors import DefinitionError, SourceFailed
from widgets_app.manifest import contract, document
from widgets_app.manifest.agents import definition as agent_definition
from widgets_app.manifest.apps import definition as app_definition
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.contract.columns import columns_of
from widgets_app.manifest.widgets import definition as widget_definition
from widgets_app.models import Agent, App, Query, Source, Version, Widget
from widgets_app.parameters.types import specs_of
from widgets_app.schedules import schedule_problem, shortest_pause
from widgets_app.shapes.base import Shape, ShapeOptions
from widgets_app.shapes.registry import shape_for
from widgets_app.sources.base import KEY_PREFIX, PreparedQuery, SourceBackend, is_key_name
from widgets_app.sources.frame import Frame, FrameColumn

Definitions = Mapping[str, Mapping[str, Any]]
Columns = Sequence[FrameColumn]

# What can be drawn: a switch counts as 0 or 1.
_NUMBERS = ("number", "boolean")


def widget_findings(widget: Widget) -> list[Finding]:
    """Return everything that is to be said about a widget's draft, errors first."""
    definition = widget_definition(widget)
    findings = [
        *contract.check_widget(
            widget.widget_id, as_served(definition, upstream=widget.upstream_id, imported=widget.imported)
        ),
        *_same_name(widget),
        *_shared_path(widget),
        *key_parameter_findings(definition, widget.upstream_id),
        *_feed(widget, definition),
    ]
    return in_order(findings)


def app_findings(app: App) -> list[Finding]:
    """Return everything that is to be said about an app's draft, errors first."""
    agents = set(Agent.objects.values_list("agent_id", flat=True))
    served = app_as_served(app_definition(app), imported=app.imported)
    return in_order(contract.check_app(served, published_definitions(), agents))


def agent_findings(agent: Agent) -> list[Finding]:
    """Return everything that is to be said about an agent's draft, errors first."""
    found = [*contract.check_agent(agent.agent_id, agent_definition(agent)), *_unanswered(agent)]
    return in_order(found)


def query_findings(query: Query) -> list[Finding]:
    """Return everything that is to be said about a query's draft."""
    try:
        prepare(query.source, query.text)
    except DefinitionError as error:
        return [Finding("error", "query-text", "text", str(error), "Mend the text of the query.")]
    return list(_schedule(query)) if query.cron else []


def _schedule(query: Query) -> Iterator[Finding]:
    if problem := schedule_problem(query.cron):
        yield Finding("error", "schedule", "cron", problem, "Or leave it empty.")
        return
    pause = shortest_pause(query.cron)
    seconds = math.ceil(pause.total_seconds()) if pause else 0
    kept = STALE_SECONDS if query.cache_seconds is None else query.cache_seconds
    if kept < seconds:
        kept_for = f"{kept:g} s{', where no widget says otherwise' if query.cache_seconds is None else ''}"
        yield Finding(
            "warning",
            "schedule-gap",
            "cron",
            f"Results are kept for {kept_for}, but made anew every {seconds} s at most. In between, people wait.",
            f"Set the cache seconds of the query to {seconds} or more.",
        )


def in_order(findings: list[Finding]) -> list[Finding]:
    """Sort findings: errors, warnings, then the rest, each in the order of the definition."""
    rank = {"error": 0, "warning": 1, "info": 2}
    return sorted(findings, key=lambda finding: rank[finding.severity])


def prepare(source: Source | None, text: str) -> PreparedQuery | None:
    """Check the text of a query against its source; None for a fixed list. Raises DefinitionError."""
    return prepared(backend_of(source), text) if source else None


def backend_of(source: Source) -> SourceBackend:
    """Return a source ready for queries: the one that serves if it has the same settings. Raises DefinitionError."""
    opened = open_source(source, catalog.current().sources.get(source.pk))
    if opened.backend is None:
        raise DefinitionError(opened.fault)
    return opened.backend


def published_definitions() -> Definitions:
    """Return what widgets.json holds for somebody who may see everything."""
    versions = Version.objects.filter(pk__in=Widget.objects.filter(published__isnull=False).values("published_id"))
    return {version.identifier: document.load(version.document)["definition"] for version in versions}


def _same_name(widget: Widget) -> Iterator[Finding]:
    others = Widget.objects.filter(name=widget.name).exclude(pk=widget.pk)
    if widget.name and (other := others.first()):
        yield Finding(
            "warning",
            "name-twice",
            "name",
            f"The widget {other.widget_id} has the same name, and Excel finds widgets by name.",
            "Give each widget a name of its own.",
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What decides the answer at an endpoint, besides the parameters."""

    type: str | None
    feeds: tuple[tuple[str, int], ...]
    shape: Mapping[str, Any] | None
    data_key: str | None
    upstream: int | None = None

    @property
    def look(self) -> tuple[Any, ...]:
        """What two widgets have in common that may share an endpoint."""
        if self.upstream:
            return (self.upstream,)
        return type(shape_for(self.type)), self.feeds, self.shape or {}, self.data_key


def endpoint_collision(endpoint: object, answer: Answer, *, widget: int | None) -> Finding | None:
    """Return the error about an endpoint at which something else is answered already; `widget` is left out."""
    path = local_path(endpoint)
    if path is None or is_own_page(answer.type, answer.upstream):
        return None
    if Query.objects.filter(options_path=path).exists():
        return _collision(path, "the options of a query")
    others = Widget.objects.exclude(pk=widget or 0).filter(endpoint__in=[path, f"/{path}"]).prefetch_related("feeds")
    other = next((other for other in others if _answers_otherwise(answer_of(other), answer)), None)
    return _collision(path, f"the widget {other.widget_id}, which shows other data") if other else None


def _answers_otherwise(other: Answer, answer: Answer) -> bool:
    return other.look != answer.look and not is_own_page(other.type, other.upstream)


def answer_of(widget: Widget) -> Answer:
    """Return what decides the answer of a widget's draft."""
    imported = widget.extra if isinstance(widget.extra, dict) else {}
    return Answer(
        type=widget.type or effective_type(imported),
        feeds=tuple(sorted((feed.role, feed.query_id) for feed in widget.feeds.all())),
        shape=widget.shape,
        data_key=widget.data_key,
        upstream=widget.upstream_id,
    )


def _shared_path(widget: Widget) -> Iterator[Finding]:
    if error := endpoint_collision(widget.endpoint, answer_of(widget), widget=widget.pk):
        yield error


def _collision(path: str, other: str) -> Finding:
    return Finding(
        "error",
        "endpoint-shared",
        "endpoint",
        f'"{path}" is already the address of {other}: a request could not tell them apart.',
        "Choose another endpoint, or give both widgets the same query, type and look.",
    )


def _feed(widget: Widget, definition: Mapping[str, Any]) -> Iterator[Finding]:
    shape = shape_for(effective_type(definition))
    feeds = list(widget.feeds.select_related("query__source"))
    look = look_finding(definition, widget.shape)
    if look is not None:
        yield look
    if widget.upstream_id is not None or look is not None:
        return
    if shape is None:
        if local_path(definition.get("endpoint")) and not is_own_page(effective_type(definition), None):
            yield _NO_SOURCE
        return
    options = shape.Options.model_validate(widget.shape or {})
    if not feeds and shape.needs_rows(options):
        yield _NO_SOURCE
    for feed in feeds:
        yield from _shown_query(feed.query, definition, shape, options)


def look_finding(definition: Mapping[str, Any], look: object) -> Finding | None:
    """Return what is wrong with the options of a widget's shape, for which it would be left out."""
    try:
        options_of(shape_for(effective_type(definition)), look)
    except DefinitionError as error:
        return Finding("error", "look", "shape", str(error), "Mend it on the Look tab.")
    return None


def key_parameter_findings(definition: Mapping[str, Any], upstream: object) -> Iterator[Finding]:
    """Yield which parameters of a widget have names that are kept for what callers hold; an upstream has its own."""
    for spec in () if upstream else specs_of(definition.get("params")):
        if is_key_name(spec.name):
            yield Finding(
                "error",
                "parameter-key-name",
                "params",
                f'The parameter "{spec.name}" can reach no query: names that start with "{KEY_PREFIX}" stand for row '
                "values, which come from the caller's key and not from the request.",
                "Give the parameter another name.",
            )


def _unanswered(agent: Agent) -> Iterator[Finding]:
    if agent.upstream_id is None and local_path(agent.query_url):
        yield Finding(
            "warning",
            "agent-no-upstream",
            "endpoints.query",
            f'Questions are sent to "{agent.query_url}" on this backend, where no upstream answers them.',
            "Choose an upstream, or write the whole address of the agent.",
        )


_NO_SOURCE = Finding(
    "warning",
    "no-source",
    "feeds",
    "No query and no upstream gives this widget its data, so Workspace shows an error in it.",
    "Choose a query or an upstream on the Data tab.",
)


def _shown_query(query: Query, definition: Mapping[str, Any], shape: Shape, options: ShapeOptions) -> Iterator[Finding]:
    try:
        prepared = prepare(query.source, query.text)
    except DefinitionError as error:
        yield Finding("warning", "query-fault", "feeds", f'Query "{query.name}": {error}', "Mend the query.")
        return
    if prepared and (columns := prepared.columns()):
        yield from column_findings(definition, shape, options, columns)
    if prepared:
        yield from _placeholders(query, prepared, {spec.name for spec in specs_of(definition.get("params"))})


def column_findings(
    definition: Mapping[str, Any], shape: Shape | None, options: ShapeOptions | None, columns: Columns
) -> list[Finding]:
    """Return what of a widget doesn't suit the columns of its query."""
    misfits = _misfits(shape, options, columns) if shape is not None and options is not None else ()
    return [*misfits, *_empty_columns(definition, columns)]


def _placeholders(query: Query, prepared: PreparedQuery, parameters: set[str]) -> Iterator[Finding]:
    for name in prepared.parameter_names:
        if name not in parameters:
            yield Finding(
                "error",
                "placeholder-without-parameter",
                "params",
                f'Query "{query.name}" needs a value for :{name}, but the widget has no parameter "{name}".',
                f'Add a parameter "{name}", or take :{name} out of the query.',
            )


def _misfits(shape: Shape, options: ShapeOptions, columns: Columns) -> Iterator[Finding]:
    """Say what of a look doesn't suit the columns of the query."""
    types = {column.name: column.type for column in columns}
    try:
        drawn = list(shape.fit(Frame(b"[]", tuple(columns), 0), options))
    except SourceFailed as error:
        yield Finding("error", "look-columns", "shape", str(error), "The columns are named on the Look tab.")
        return
    for name in drawn:
        if types[name] not in _NUMBERS:
            yield Finding(
                "warning",
                "look-numbers",
                "shape",
                f'The widget draws the column "{name}", which holds {types[name]}: without numbers it shows an error.',
                "Choose a column of numbers on the Look tab, or cast it to a number in the query.",
            )


def _empty_columns(definition: Mapping[str, Any], columns: Columns) -> Iterator[Finding]:
    """Say which columns of a table have no data."""
    known = {column.name for column in columns}
    for index, shown in enumerate(columns_of(definition)):
        small_chart = shown.get("sparkline")
        field = (small_chart.get("dataField") if isinstance(small_chart, dict) else None) or shown.get("field")
        # A dot leads into an object.
        if isinstance(field, str) and not {field, field.partition(".")[0]} & known:
            yield Finding(
                "warning",
                "column-without-data",
                f"data.table.columnsDefs[{index}]",
                f'The table shows the column "{field}", but its data has: {", ".join(sorted(known))}.',
                "Correct the name of the column, or add it to the query.",
            )
