"""What is served: everything published, compiled into one immutable snapshot that requests read without a query."""

from __future__ import annotations

import atexit
import gzip
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import brotli
from django.conf import settings

from widgets_app import snapshots
from widgets_app.compiled import (
    AgentEntry,
    AppEntry,
    Entry,
    Form,
    OpenSource,
    PublishedQuery,
    agent_of,
    app_of,
    entry_of,
    foreseen,
    open_source,
    query_of,
)
from widgets_app.errors import DefinitionError, NotFound, SourceFailed
from widgets_app.manifest import document
from widgets_app.models import Agent, App, Query, Revision, Source, Version, Widget
from widgets_app.parameters.types import ParameterSpec
from widgets_app.parameters.validate import merge
from widgets_app.stores import MB, BoundedStore

T = TypeVar("T")
Passing = Entry | AgentEntry

GZIP_LEVEL, BROTLI_LEVEL = 6, 5
NOTHING_HERE = "There is no widget at this address, or your key may not see it. Refresh the backend in Workspace."


@dataclass(frozen=True, slots=True)
class DataRoute:
    """A path with a widget's data, as one caller sees it; `entry` is the first of the widgets on it."""

    entry: Entry
    specs: tuple[ParameterSpec, ...]
    query: PublishedQuery | None
    stale_seconds: float


@dataclass(frozen=True, slots=True)
class OptionsRoute:
    """A path with the options of dropdowns."""

    query: PublishedQuery


@dataclass(frozen=True, slots=True)
class PassRoute:
    """A path whose requests go on to an upstream, because a widget or agent there names it."""

    upstream: OpenSource
    stale_seconds: float


@dataclass(frozen=True, slots=True)
class FormRoute:
    """A path that a form is sent to; `sources` are those that its actions may name."""

    form: Form
    sources: Mapping[str, OpenSource]


Route = DataRoute | OptionsRoute | PassRoute


@dataclass(frozen=True, slots=True)
class Rendered:
    """The bytes of a manifest, and their compressed forms."""

    content: bytes
    etag: str
    gzip: bytes
    brotli: bytes


@dataclass(frozen=True)
class Catalog:
    """All that is published, at one revision number."""

    number: int
    entries: Mapping[str, Entry]
    apps: tuple[AppEntry, ...]
    agents: tuple[AgentEntry, ...]
    queries: Mapping[str, PublishedQuery]
    sources: Mapping[int, OpenSource]
    left_out: Mapping[str, str]
    data_paths: Mapping[str, tuple[Entry, ...]]
    option_paths: Mapping[str, tuple[Entry, ...]]
    option_queries: Mapping[str, PublishedQuery]
    form_paths: Mapping[str, tuple[Entry, ...]]
    passed_paths: Mapping[str, tuple[Passing, ...]]
    # Paths with a placeholder such as stock/{ticker}, which some older backends have.
    passed_patterns: tuple[tuple[re.Pattern[str], tuple[Passing, ...]], ...]
    named_groups: frozenset[str]
    _routes: dict[tuple[str, frozenset[str]], Route] = field(default_factory=dict, compare=False)
    # Tells the bytes of this snapshot from those of others.
    _token: object = field(default_factory=object, compare=False)

    def audience(self, groups: frozenset[str]) -> frozenset[str]:
        """Reduce groups to those that make a difference."""
        return groups & self.named_groups

    def find(self, path: str, groups: frozenset[str]) -> Route:
        """Return what a path means to callers with these groups; NotFound if nothing, or nothing they may see."""
        key = (path, self.audience(groups))
        route = self._routes.get(key)
        if route is None:
            route = self._find(path, key[1])
            # Paths that match a pattern are without number.
            if path in self.data_paths or path in self.option_paths or path in self.passed_paths:
                self._routes[key] = route
        return route

    def _find(self, path: str, groups: frozenset[str]) -> Route:
        entries = [entry for entry in self.data_paths.get(path, ()) if entry.visible(groups)]
        if entries:
            return DataRoute(
                entry=entries[0],
                specs=merge(entry.specs for entry in entries),
                # Forms that a caller doesn't see change its data too.
                query=self._query([entries[0], *self.data_paths[path]]),
                stale_seconds=min(entry.stale_seconds for entry in entries),
            )
        if any(entry.visible(groups) for entry in self.option_paths.get(path, ())):
            return OptionsRoute(self.option_queries[path])
        passing = [entry for entry in self._passing(path) if entry.visible(groups)]
        if passing:
            seconds = min(entry.stale_seconds for entry in passing)
            return PassRoute(self.upstream(passing[0].upstream), seconds)
        raise NotFound(NOTHING_HERE)

    def find_widget(self, widget_id: str, groups: frozenset[str]) -> DataRoute:
        """Return a widget by its id, alone on its path; NotFound if callers with these groups may not see it."""
        entry = self.entries.get(widget_id)
        if entry is None or not entry.visible(groups):
            raise NotFound(NOTHING_HERE)
        query = self._query([entry, *self.data_paths.get(entry.path or "", ())])
        return DataRoute(entry, entry.specs, query, entry.stale_seconds)

    def _query(self, entries: Sequence[Entry]) -> PublishedQuery | None:
        """Return the query of widgets on one path; its results are not kept where functions may change the data."""
        query = self.queries.get(entries[0].query or "")
        if query is not None and any(entry.calls_functions for entry in entries):
            return replace(query, cache_seconds=0)
        return query

    def find_form(self, path: str, groups: frozenset[str]) -> FormRoute | None:
        """Return the form that callers with these groups send to a path, if there is one and they may see it."""
        entry = next((entry for entry in self.form_paths.get(path, ()) if entry.visible(groups)), None)
        if entry is None:
            return None
        form = next(form for form in entry.forms if form.path == path)
        return FormRoute(form, self._sources_by_name)

    @cached_property
    def _sources_by_name(self) -> Mapping[str, OpenSource]:
        return {source.name: source for source in self.sources.values()}

    def upstream(self, name: str | None) -> OpenSource:
        """Return the source that answers for widgets; SourceFailed where it is gone."""
        found = self._sources_by_name.get(name or "")
        if found is None:
            raise SourceFailed(f'The upstream "{name}" is gone. Choose another one in the admin, and publish again.')
        return found

    def _passing(self, path: str) -> Iterable[Passing]:
        if path in self.passed_paths:
            return self.passed_paths[path]
        return (entry for pattern, entries in self.passed_patterns if pattern.fullmatch(path) for entry in entries)

    def widgets_json(self, groups: frozenset[str]) -> dict[str, Any]:
        """Return widgets.json for callers with these groups."""
        return {entry.id: entry.definition for entry in self.entries.values() if entry.visible(groups)}

    def apps_json(self, groups: frozenset[str]) -> list[Any]:
        """Return apps.json for callers with these groups, without places of widgets they may not see."""
        hidden = {entry.id for entry in self.entries.values() if not entry.visible(groups)}
        apps = (_without(app.definition, hidden) for app in self.apps if app.visible(groups))
        return [app for app in apps if app is not None]

    def agents_json(self, groups: frozenset[str]) -> dict[str, Any]:
        """Return agents.json for callers with these groups."""
        return {agent.id: agent.definition for agent in self.agents if agent.visible(groups)}

    def _document(self, name: str, groups: frozenset[str]) -> Any:
        if name == "widgets":
            return self.widgets_json(groups)
        return self.apps_json(groups) if name == "apps" else self.agents_json(groups)

    def manifest(self, name: str, groups: frozenset[str]) -> Rendered:
        """Return the bytes of a manifest (`widgets`, `apps` or `agents`) for callers with these groups."""
        key = (self._token, name, self.audience(groups))
        kept = _rendered.get(key)
        return kept if kept is not None else self._render(key)

    def _render(self, key: tuple[object, str, frozenset[str]]) -> Rendered:
        _, name, groups = key
        content = document.dump(self._document(name, groups))
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        same = _rendered.get(etag)
        rendered = same or Rendered(
            content,
            etag,
            gzip.compress(content, GZIP_LEVEL, mtime=0),
            brotli.compress(content, quality=BROTLI_LEVEL),
        )
        size = len(rendered.content) + len(rendered.gzip) + len(rendered.brotli)
        # Audiences that see the same share the bytes: only the first one weighs.
        _rendered.put(etag, rendered, size)
        _rendered.put(key, rendered, 0)
        return rendered


_rendered: BoundedStore[Rendered] = BoundedStore(settings.WIDGETS_MANIFEST_CACHE_MB * MB)


def current() -> Catalog:
    """Return the snapshot that this process serves. Makes no query; raises Busy while there is none yet."""
    return CATALOG.current()


def check() -> None:
    """Serve what has changed now, instead of at the next look of the watching thread."""
    CATALOG.check()


def _without(app: Mapping[str, Any], hidden: set[str]) -> Mapping[str, Any] | None:
    """Return an app without some widgets; None if nothing of it is left to see."""
    tabs = app.get("tabs")
    if not hidden or not isinstance(tabs, dict):
        return app
    had = any(_layout(tab) for tab in tabs.values())
    kept_tabs = {key: _keep(tab, "layout", "i", hidden) for key, tab in tabs.items()}
    if had and not any(_layout(tab) for tab in kept_tabs.values()):
        return None
    groups = app.get("groups")
    kept = [_without_members(group, hidden) for group in groups] if isinstance(groups, list) else groups
    return {**app, "tabs": kept_tabs} | ({"groups": kept} if "groups" in app else {})


def _layout(tab: object) -> list[Any]:
    layout = tab.get("layout") if isinstance(tab, dict) else None
    return layout if isinstance(layout, list) else []


def _keep(tab: Any, key: str, name: str, hidden: set[str]) -> Any:
    if not _layout(tab):
        return tab
    shown = [item for item in tab[key] if not (isinstance(item, dict) and _is_among(item.get(name), hidden))]
    return {**tab, key: shown}


def _without_members(group: Any, hidden: set[str]) -> Any:
    members = group.get("widgetIds") if isinstance(group, dict) else None
    if not isinstance(members, list):
        return group
    return {**group, "widgetIds": [member for member in members if not _is_among(member, hidden)]}


def _is_among(name: Any, names: set[str]) -> bool:
    # In imported definitions a list may stand where a name should.
    return isinstance(name, str) and name in names


def _compile(old: Catalog | None, number: int) -> Catalog:
    """Compile the published state; what has not changed since `old` is taken over."""
    left_out: dict[str, str] = {}
    sources = _sources(old)
    queries = _queries(old, sources, left_out)
    entries = _entries(old, left_out)
    apps = _apps(left_out)
    agents = _agents(left_out)
    shown: list[Entry | AppEntry | AgentEntry] = [*entries.values(), *apps, *agents]
    local = [entry for entry in entries.values() if not entry.upstream]
    option_queries = {query.options_path: query for query in queries.values()}
    passed_paths: Mapping[str, tuple[Passing, ...]] = _by_path(
        [*entries.values(), *agents], lambda entry: entry.passed_paths
    )
    return Catalog(
        number=number,
        entries=entries,
        apps=apps,
        agents=agents,
        queries=queries,
        sources=sources,
        left_out=left_out,
        data_paths=_by_path(local, lambda entry: {entry.path} if entry.path else set()),
        option_paths=_by_path(entries.values(), lambda entry: entry.option_paths & option_queries.keys()),
        option_queries=option_queries,
        form_paths=_by_path(local, lambda entry: {form.path for form in entry.forms}),
        passed_paths=passed_paths,
        passed_patterns=tuple((_pattern(path), passing) for path, passing in passed_paths.items() if "{" in path),
        named_groups=frozenset[str]().union(*(item.groups for item in shown)),
    )


def _pattern(path: str) -> re.Pattern[str]:
    # Placeholders side by side match what one does; more of them would only take longer.
    parts = re.split(r"(?:\{[^{}/]*\})+", path)
    return re.compile("[^/]+".join(re.escape(part) for part in parts))


def _by_path(entries: Iterable[T], paths_of: Callable[[T], Iterable[str]]) -> dict[str, tuple[T, ...]]:
    found: dict[str, tuple[T, ...]] = {}
    for entry in entries:
        for path in paths_of(entry):
            found[path] = (*found.get(path, ()), entry)
    return found


def _sources(old: Catalog | None) -> dict[int, OpenSource]:
    known = old.sources if old else {}
    return {source.pk: open_source(source, known.get(source.pk)) for source in Source.objects.all()}


def _queries(
    old: Catalog | None, sources: Mapping[int, OpenSource], left_out: dict[str, str]
) -> dict[str, PublishedQuery]:
    known = {query.version: query for query in old.queries.values()} if old else {}
    by_name = {source.name: source for source in sources.values()}
    queries: dict[str, PublishedQuery] = {}
    for version in _published(Query).values():
        with _leaving_out(f"query {version.identifier}", left_out):
            published = document.load(version.document)
            source, kept = by_name.get(published["source"]), known.get(version.pk)
            unchanged = kept is not None and kept.source == source and not kept.fault
            queries[version.identifier] = kept if unchanged and kept else query_of(version.pk, published, source)
    return queries


@contextmanager
def _leaving_out(what: str, left_out: dict[str, str]) -> Iterator[None]:
    """Go on without a definition that can't be served, whatever is wrong with it, and keep the reason."""
    try:
        with foreseen(what):
            yield
    except DefinitionError as error:
        left_out[what] = str(error)


def _entries(old: Catalog | None, left_out: dict[str, str]) -> dict[str, Entry]:
    known = {entry.version: entry for entry in old.entries.values()} if old else {}
    versions = _published(Widget, known)
    entries: dict[str, Entry] = {}
    for pk, version, groups in _rows(Widget):
        name = known[version].id if version in known else versions[pk].identifier
        with _leaving_out(f"widget {name}", left_out):
            entry = known.get(version) or entry_of(version, versions[pk].document)
            if entry.id in entries:
                raise DefinitionError("Another published widget has the same id.")
            entries[entry.id] = entry if entry.groups == groups else replace(entry, groups=groups)
    return entries


def _apps(left_out: dict[str, str]) -> tuple[AppEntry, ...]:
    versions = _published(App)
    apps = []
    for pk, _, groups in _rows(App):
        with _leaving_out(f"app {versions[pk].identifier}", left_out):
            apps.append(app_of(versions[pk].identifier, versions[pk].document, groups))
    return tuple(apps)


def _agents(left_out: dict[str, str]) -> tuple[AgentEntry, ...]:
    versions = _published(Agent)
    agents = []
    for pk, _, groups in _rows(Agent):
        with _leaving_out(f"agent {versions[pk].identifier}", left_out):
            agents.append(agent_of(versions[pk].document, groups))
    return tuple(agents)


def _rows(model: type[Widget] | type[App] | type[Agent]) -> Iterable[tuple[int, int, frozenset[str]]]:
    """Return (pk, published version, groups) of every published row, in order."""
    groups: dict[int, set[str]] = {}
    for pk, name in model.objects.filter(groups__isnull=False).values_list("pk", "groups__name"):
        groups.setdefault(pk, set()).add(name)
    rows = model.objects.filter(published__isnull=False).values_list("pk", "published_id")
    return [(pk, version, frozenset(groups.get(pk, ()))) for pk, version in rows]


def _published(model: Any, known: Iterable[int] = ()) -> dict[int, Version]:
    """Return the published versions, but for those known already, by the primary key of their row."""
    wanted = dict(model.objects.filter(published__isnull=False).values_list("published_id", "pk"))
    fresh = Version.objects.in_bulk(wanted.keys() - set(known))
    return {wanted[pk]: version for pk, version in fresh.items()}


CATALOG: snapshots.Snapshot[Catalog] = snapshots.Snapshot(Revision.CATALOG, _compile)
snapshots.each_round(CATALOG.check)
# DuckDB's binding fills the screen with complaints about what is still open when the process ends.
atexit.register(CATALOG.reset)
