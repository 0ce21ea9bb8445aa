"""Exports: what is served, or everything, as files that an import reads back."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from widgets_app.manifest import contract, document
from widgets_app.models import Agent, App, Placement, Query, Source, Widget
from widgets_app.services.bundles.bundle import AGENTS, APPS, BACKEND, FORMAT, WIDGETS, Document
from widgets_app.services.bundles.checking import form_sources
from widgets_app.services.publishing import document_of, with_parts
from widgets_app.services.sources import source_document

# The earliest time that an archive can hold: the same content must give the same bytes.
LONG_AGO = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Selection:
    """Which widgets, apps and agents to export, by primary key; what they refer to comes along."""

    widgets: frozenset[int] = frozenset()
    apps: frozenset[int] = frozenset()
    agents: frozenset[int] = frozenset()


def bundle_export(*, everything: bool = False, only: Selection | None = None) -> dict[str, bytes]:
    """Return the files of a bundle by name, without secrets; the same definitions give the same bytes.

    Only what is served is in them; with `everything`, drafts and entries with errors too, as their drafts are.
    """
    only = _with_placed(only) if only is not None else None
    widgets = _documents(Widget, everything, None if only is None else only.widgets)
    apps = _documents(App, everything, None if only is None else only.apps)
    agents = _documents(Agent, everything, None if only is None else only.agents)
    queries = _documents(Query, everything, None)
    sources = [source_document(source) for source in Source.objects.all()]
    if only is not None:
        queries = _named(queries, _query_names(widgets, queries))
        upstreams = (found.get("upstream") for found in (*widgets, *agents))
        written = {source for found in widgets for source in form_sources(found)}
        sources = _named(sources, {*upstreams, *written, *(query["source"] for query in queries)})
    backend = {
        "format": FORMAT,
        "groups": sorted({name for found in (*widgets, *apps, *agents) for name in found["groups"]}),
        "sources": sources,
        "queries": queries,
        "widgets": {found["id"]: _kept(found, "definition") for found in widgets},
        "apps": [{**_kept(found, "app"), "name": found["app"].get("name")} for found in apps],
        "agents": {found["id"]: _kept(found, "agent") for found in agents},
    }
    return {
        WIDGETS: _dump({found["id"]: found["definition"] for found in widgets}),
        APPS: _dump([found["app"] for found in apps]),
        AGENTS: _dump({found["id"]: found["agent"] for found in agents}),
        BACKEND: _dump(backend),
    }


def write_folder(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files into a folder, each at once: a reader sees the old one or the new one. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.chmod(temporary, 0o644)
            os.replace(temporary, folder / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return the files as an archive; the same files give the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, LONG_AGO), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _with_placed(only: Selection) -> Selection:
    """Return a selection with the widgets that its apps place, and the agents that they select."""
    places = Placement.objects.filter(tab__app__in=only.apps)
    placed = Widget.objects.filter(widget_id__in=places.values("widget_id_text"))
    selected = Agent.objects.filter(agent_id__in=App.objects.filter(pk__in=only.apps).values("selected_agent"))
    return Selection(
        widgets=only.widgets | frozenset(placed.values_list("pk", flat=True)),
        apps=only.apps,
        agents=only.agents | frozenset(selected.values_list("pk", flat=True)),
    )


def _documents(model: Any, everything: bool, pks: frozenset[int] | None) -> list[Document]:
    rows = model.objects.all() if pks is None else model.objects.filter(pk__in=pks)
    if everything:
        return [document_of(row) | {"published": row.published_id is not None} for row in with_parts(rows)]
    served = rows.filter(published__isnull=False).select_related("published").prefetch_related(*GROUPS[model])
    documents = (_served(row) for row in served)
    return [found for found in documents if not _breaks(model, found)]


# Who may see a definition counts at once, whatever its published version says.
GROUPS: Mapping[Any, tuple[str, ...]] = {Widget: ("groups",), App: ("groups",), Agent: ("groups",), Query: ()}


def _served(row: Any) -> Document:
    found: Document = document.load(row.published.document)
    if isinstance(row, Query):
        return found
    return found | {"groups": sorted(group.name for group in row.groups.all()), "imported": row.imported}


def _breaks(model: Any, found: Document) -> bool:
    """Say whether Workspace would refuse the whole file over this entry, so that it is not served."""
    if model is Widget:
        return contract.breaks_entry(found["id"], found["definition"]) is not None
    if model is App:
        return contract.breaks_app(found["app"]) is not None
    return model is Agent and contract.breaks_agent(found["id"], found["agent"]) is not None


def _query_names(widgets: Iterable[Document], queries: Iterable[Document]) -> set[str]:
    """Return the queries that widgets show, and those whose options they offer."""
    text = document.dump_version([found["definition"].get("params") for found in widgets])
    offered = {query["name"] for query in queries if json.dumps(query["options_path"]) in text}
    return offered | {name for found in widgets for name in found.get("feeds", {}).values()}


def _named(documents: Iterable[Document], names: set[Any]) -> list[Document]:
    return [found for found in documents if found["name"] in names]


def _kept(found: Document, definition: str) -> Document:
    return {key: value for key, value in found.items() if key not in ("id", definition)}


def _dump(content: Any) -> bytes:
    """Return JSON to read and to compare: indented, a line for each member."""
    try:
        return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except UnicodeEncodeError:  # half a character, which JSON can only hold as an escape
        return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()
