"""What is made of what: from sources by queries to widgets and apps, and what would break with one of them.

Drafts count, and so does what is served and not in the draft any more. Each answer takes a few queries of the database,
however many widgets there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Q

from widgets_app import catalog
from widgets_app.compiled import local_path
from widgets_app.models import Agent, Feed, Parameter, Placement, Query, Source, Widget
from widgets_app.services import findings, states
from widgets_app.sources.frame import FrameColumn

# Things of one kind that are named; the rest are counted.
NAMED = 50
NAMED_IN_SENTENCE = 10
# Widgets that an app is said to show.
NAMED_OF_APP = 3
# Widgets that are warned of one by one.
WARNED = 10

SERVED = "as it is served"


@dataclass(frozen=True, slots=True)
class Node:
    """Something that is made of something else; `what` says what for."""

    kind: str
    pk: int
    name: str
    what: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes of one kind, the first of them, and how many there are beyond those."""

    kind: str
    nodes: Sequence[Node]
    more: int


def made_of(row: Source | Query | Widget) -> list[Node]:
    """Return what has its data, directly or not, from a source, a query or a widget; each thing once."""
    if isinstance(row, Widget):
        return apps_of([row.widget_id])
    direct = list(_from_source(row) if isinstance(row, Source) else _fed([row]))
    nodes = _merged(direct)
    return [*nodes, *apps_of([node.name for node in nodes if node.kind == "widget"])]


def comes_from(row: Query | Widget) -> list[Node]:
    """Return the queries and sources that something has its data from."""
    if isinstance(row, Query):
        return [_source(row.source)] if row.source else []
    feeds = row.feeds.select_related("query__source")
    chosen = row.parameters.filter(options_query__isnull=False).select_related("options_query__source")
    asked = [(feed.query, "rows") for feed in feeds]
    asked += [(one.options_query, f"options of {one}") for one in chosen if one.options_query]
    queries = [Node("query", query.pk, query.name, what) for query, what in asked]
    sources = [_source(query.source, f"by {query.name}") for query, _ in asked if query.source]
    upstream = [_source(row.upstream, "answers all of it")] if row.upstream else []
    written = [
        _source(action.source, f"form {form}")
        for form in row.parameters.filter(type="form").prefetch_related("actions__source")
        for action in form.actions.all()
    ]
    return _merged([*queries, *sources, *upstream, *written])


def in_words(nodes: Iterable[Node]) -> str:
    """Count nodes by kind: "2 queries, 3 widgets, 1 app"; nothing without any."""
    counts = defaultdict[str, int](int)
    for node in nodes:
        counts[node.kind] += 1
    return ", ".join(f"{count} {kind if count == 1 else plural(kind)}" for kind, count in counts.items())


def plural(kind: str) -> str:
    """Return the name of a kind for several."""
    return "queries" if kind == "query" else f"{kind}s"


def first(names: Sequence[str], most: int = NAMED) -> list[str]:
    """Return the first names, and how many more there are."""
    more = len(names) - most
    return [*names[:most], *([f"{more:,} more"] if more > 0 else [])]


def listed(names: Sequence[str]) -> str:
    """Return the first names for a sentence, and how many more there are."""
    return ", ".join(first(names, NAMED_IN_SENTENCE))


def grouped(nodes: Iterable[Node]) -> list[Group]:
    """Return nodes by kind, each group cut."""
    kinds = defaultdict[str, list[Node]](list)
    for node in nodes:
        kinds[node.kind].append(node)
    return [Group(kind, found[:NAMED], max(0, len(found) - NAMED)) for kind, found in kinds.items()]


def dropdowns_of(query: Query, path: str) -> list[str]:
    """Return the parameters of drafts that name a path of a query's options themselves, as widget.parameter."""
    return [f"{widget}.{name}" for _, _, widget, name in _by_path({path: query.pk})]


def lost_columns(query: Query, columns: Sequence[FrameColumn]) -> list[str]:
    """Say of published widgets that a query feeds what they show and these columns lack; nothing without columns."""
    if not columns or query.published is None:
        return []
    name = query.published.identifier
    fed = [entry for entry in catalog.current().entries.values() if entry.query == name]
    texts = []
    for entry in sorted(fed, key=lambda entry: entry.id):
        found = findings.column_findings(entry.definition, entry.shape, entry.options, columns)
        if found:
            texts.append(f"Widget “{entry.id}”: {' '.join(finding.message for finding in found)}")
    more = len(texts) - WARNED
    return [*texts[:WARNED], *([f"And {more} more widgets that lack columns."] if more > 0 else [])]


def _source(source: Source, what: str = "") -> Node:
    return Node("source", source.pk, source.name, what)


def _from_source(source: Source) -> Iterator[Node]:
    served = states.served_by_kind(source)
    rows = Query.objects.filter(Q(source=source) | Q(published__identifier__in=served["query"]))
    rows = rows.order_by("name").select_related("published")
    queries = list(rows.only("name", "options_path", "published__identifier"))
    yield from (Node("query", query.pk, query.name) for query in queries)
    yield from _fed(queries)
    widgets = Widget.objects.filter(Q(upstream=source) | Q(published__identifier__in=served["widget"]))
    for pk, name in widgets.values_list("pk", "widget_id"):
        yield Node("widget", pk, name, "answers all of it")
    for action in source.form_actions.select_related("parameter__widget"):
        widget = action.parameter.widget
        yield Node("widget", widget.pk, widget.widget_id, f"form {action.parameter}")
    agents = Agent.objects.filter(Q(upstream=source) | Q(published__identifier__in=served["agent"]))
    yield from (Node("agent", pk, name) for pk, name in agents.values_list("pk", "agent_id"))


def _fed(queries: Sequence[Query]) -> Iterator[Node]:
    """Yield the widgets that get rows or options from queries, with the names of these where there are several."""
    of = {query.pk: f" of {query.name}" if len(queries) > 1 else "" for query in queries}
    feeds = Feed.objects.filter(query__in=of).order_by("widget__widget_id")
    for query, pk, widget in feeds.values_list("query_id", "widget_id", "widget__widget_id"):
        yield Node("widget", pk, widget, f"rows{of[query]}")
    chosen = Parameter.objects.filter(options_query__in=of).order_by("widget__widget_id", "position")
    told = chosen.values_list("options_query_id", "widget_id", "widget__widget_id", "param_name")
    for _, pk, widget, name in (*told, *_by_path({query.options_path: query.pk for query in queries})):
        yield Node("widget", pk, widget, f"options of {name or 'a parameter'}")
    yield from _served(queries)


def _by_path(paths: dict[str, int]) -> list[tuple[int, int, str, str]]:
    """Return query, widget, its id and the parameter wherever a draft names the path of a query's options itself."""
    # With an upstream, such a path is the upstream's.
    there = Parameter.objects.filter(options_endpoint__isnull=False, widget__upstream__isnull=True)
    rows = there.values_list("options_endpoint", "widget_id", "widget__widget_id", "param_name")
    found = ((local_path(endpoint), widget, name, parameter or "") for endpoint, widget, name, parameter in rows)
    return [(paths[path], *rest) for path, *rest in found if path in paths]  # type: ignore[misc]  # three of them


def _served(queries: Sequence[Query]) -> Iterator[Node]:
    """Yield the widgets that are served with queries; which of them the draft has too, merging finds out."""
    ids = {widget for query in queries for widget in states.served_users(query)}
    if ids:
        widgets = Widget.objects.filter(published__identifier__in=ids).order_by("widget_id")
        for pk, name in widgets.values_list("pk", "widget_id"):
            yield Node("widget", pk, name, SERVED)


def _merged(nodes: Iterable[Node]) -> list[Node]:
    """Return each thing once, with all that it is used for. That it is served is left out where the draft says more."""
    whats = defaultdict[tuple[str, int, str], dict[str, None]](dict)
    for node in nodes:
        whats[node.kind, node.pk, node.name][node.what] = None
    merged = []
    for (kind, pk, name), found in whats.items():
        told = [what for what in found if what and (what != SERVED or len(found) == 1)]
        merged.append(Node(kind, pk, name, ", ".join(told)))
    return merged


def apps_of(widget_ids: Sequence[str]) -> list[Node]:
    """Return the apps whose drafts place one of these widgets."""
    if not widget_ids:
        return []
    places = Placement.objects.filter(widget_id_text__in=widget_ids).order_by("tab__app__slug", "widget_id_text")
    shown = defaultdict[tuple[int, str], dict[str, None]](dict)
    for pk, name, slug, widget in places.values_list(
        "tab__app_id", "tab__app__name", "tab__app__slug", "widget_id_text"
    ):
        shown[pk, name or slug][widget or ""] = None
    return [Node("app", pk, name, _shows(list(widgets))) for (pk, name), widgets in shown.items()]


def _shows(widgets: Sequence[str]) -> str:
    more = len(widgets) - NAMED_OF_APP
    return f"shows {', '.join(widgets[:NAMED_OF_APP])}{f' and {more} more' if more > 0 else ''}"
