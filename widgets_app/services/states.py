"""How far a definition has come, for lists: cheap enough for every row of a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from widgets_app import catalog
from widgets_app.manifest import contract
from widgets_app.manifest.contract import Finding
from widgets_app.models import Agent, App, Query, Source, Widget
from widgets_app.services.publishing import Definition, document_of, is_changed

Stage = Literal["published", "changed", "draft"]


@dataclass(frozen=True, slots=True)
class State:
    """`stage` compares the draft with what is served; `errors` are those that the definition shows by itself."""

    stage: Stage
    errors: int


def state_of(row: Definition) -> State:
    """Return the state of a definition. Only what is in the definition is looked at, not its data."""
    return State(stage_of(row), errors_of(row))


def stage_of(row: Definition) -> Stage:
    """Compare a draft with what is served of it."""
    if row.published is None:
        return "draft"
    return "changed" if is_changed(row) else "published"


def errors_of(row: Definition) -> int:
    """Count the errors of a draft."""
    if isinstance(row, Query):
        query = catalog.current().queries.get(row.name)
        return int(bool(query and query.fault))
    found = _own_findings(row)
    return sum(finding.severity == "error" for finding in (contract.as_imported(found) if row.imported else found))


def _own_findings(row: Widget | App | Agent) -> list[Finding]:
    document = document_of(row)
    if isinstance(row, Widget):
        return contract.check_widget(row.widget_id, document["definition"])
    if isinstance(row, Agent):
        return contract.check_agent(row.agent_id, document["agent"])
    return contract.check_app(document["app"], served_definitions())


def served_definitions() -> Mapping[str, Mapping[str, Any]]:
    """Return the definitions of the widgets that this process serves."""
    return {entry.id: entry.definition for entry in catalog.current().entries.values()}


def placed_by(widget_id: str) -> list[App]:
    """Return the apps that place a widget, or list it in a group of theirs, in their draft."""
    return list(App.objects.filter(tabs__placements__widget_id_text=widget_id).distinct())


def selected_by(agent_id: str) -> list[App]:
    """Return the apps that select an agent in their draft."""
    return list(App.objects.filter(selected_agent=agent_id))


def left_out(row: Definition) -> str:
    """Return why a published definition is not served, or nothing if it is."""
    if row.published is None or isinstance(row, Query):
        return ""
    kind = row._meta.model_name
    return catalog.current().left_out.get(f"{kind} {row.published.identifier}", "")


def served_users(query: Query) -> list[str]:
    """Return what is served with a query under the name it was published with: widgets, and dropdowns of widgets."""
    if query.published is None:
        return []
    published = catalog.current()
    known = published.queries.get(query.published.identifier)
    return sorted(
        entry.id
        for entry in published.entries.values()
        if known and (entry.query == known.name or known.options_path in entry.option_paths)
    )


def served_from(source: Source) -> list[str]:
    """Return what is served with a source under its name: queries, widgets and agents."""
    return [f"{kind} {name}" for kind, names in served_by_kind(source).items() for name in names]


def served_by_kind(source: Source) -> dict[str, list[str]]:
    """Return the names of the queries, widgets and agents that are served with a source under its name."""
    published = catalog.current()
    queries = [q.name for q in published.queries.values() if q.source and q.source.name == source.name]
    widgets = [entry.id for entry in published.entries.values() if entry.upstream == source.name]
    agents = [agent.id for agent in published.agents if agent.upstream == source.name]
    return {"query": sorted(queries), "widget": sorted(widgets), "agent": sorted(agents)}
