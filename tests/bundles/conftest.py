"""Bundles as tests write them, and all that is here, to be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group

from tests.conftest import Define
from widgets_app.manifest.reading import read_agent, read_app, read_widget
from widgets_app.models import App, Query, Revision, Source, Version, Widget
from widgets_app.services.bundles import Bundle, Options, Plan, bundle_export, bundle_import, from_files
from widgets_app.services.bundles.importing import LOCK
from widgets_app.services.publishing import definition_publish
from widgets_app.services.sources import source_save

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="the collection of real definitions is not on this machine"
)

Files = Mapping[str, Any]
WIDGETS, APPS, AGENTS, BACKEND = "widgets.json", "apps.json", "agents.json", "backend.json"

AGENT: dict[str, Any] = {
    "name": "Controller",
    "description": "Knows the depot.",
    "image": "https://depot.example.org/agent.png",
    "endpoints": {"query": "https://depot.example.org/query"},
    "features": {"streaming": True, "own": {"description": "Its own.", "default": False}},
}


def widget(name: str, **keys: Any) -> dict[str, Any]:
    """Return a small definition that nothing is wrong with, but for its data."""
    return {"name": name, "description": f"About {name}.", "type": "table", "endpoint": f"data/{name}", **keys}


def app(name: str, *placed: str, **keys: Any) -> dict[str, Any]:
    """Return a small app with these widgets."""
    layout = [{"i": widget_id, "x": 0, "y": 10 * n, "w": 20, "h": 10} for n, widget_id in enumerate(placed)]
    tabs = {"main": {"id": "main", "name": "Main", "layout": layout}}
    return {"name": name, "description": "d", "img": "", "tabs": tabs, "groups": [], "prompts": [], **keys}


def as_bytes(content: Any) -> bytes:
    """Return what stands in a file: bytes as they are, anything else as JSON."""
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def bundle_of(files: Files) -> Bundle:
    """Return the bundle of files by their names."""
    return from_files((name, as_bytes(content)) for name, content in files.items())


def bring(files: Files, **options: Any) -> Plan:
    """Import files."""
    return bundle_import(bundle_of(files), Options(**options))


def write(files: Files, folder: Path) -> Path:
    """Write files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(as_bytes(content))
    return folder


def taken_out(*, everything: bool = True) -> dict[str, Any]:
    """Export, and return what the files say."""
    return {name: json.loads(content) for name, content in bundle_export(everything=everything).items()}


def here() -> dict[str, list[Any]]:
    """Return every row of every table, to see that nothing has changed."""
    found = {
        model._meta.label: list(model._default_manager.order_by("pk").values_list())
        for model in apps.get_models(include_auto_created=True)
    }
    # What imports wait for each other on says nothing.
    found["widgets_app.Revision"] = list(Revision.objects.exclude(name=LOCK).order_by("pk").values_list())
    return found


def actions(plan: Plan) -> dict[str, str]:
    """Return what happens to each definition."""
    return {f"{step.kind} {step.name}": step.action for step in plan.steps}


@pytest.fixture
def whole(files_source: Source, define_query: Define) -> None:
    """A backend that has something of everything."""
    for name in ("Desk", "Audit"):
        Group.objects.create(name=name)
    define_query("prices", "select * from prices where ticker = :ticker", cache_seconds=60, rows=10)
    _list_of_tickers()
    _upstream()
    _widgets()
    _app()
    agent = {"id": "controller", "agent": AGENT, "upstream": "legacy", "groups": ["Audit"], "imported": True}
    definition_publish(read_agent(agent), strict=False)


def _list_of_tickers() -> None:
    query = Query.objects.create(name="tickers", options_path="lists/tickers")
    query.choices.create(label="Alpha", value="AAA", position=0)
    query.choices.create(label=None, value="BBB", position=1, extra={"odd": [1.0, None]})
    definition_publish(query)


def _upstream() -> None:
    options = {"url": "http://127.0.0.1:7780", "private_hosts": ["127.0.0.1"]}
    document = {"name": "legacy", "kind": "http", "description": "The old one", "options": options, "seconds": 5}
    source_save(document, secrets={"headers": {"X-Key": "upstream-secret"}})


def _widgets() -> None:
    ticker = {"paramName": "ticker", "type": "endpoint", "label": "Ticker", "description": "Share", "value": "AAA",
              "optionsEndpoint": "lists/tickers"}  # fmt: skip
    ours = {"id": "prices", "definition": widget("prices", params=[ticker]), "feeds": {"rows": "prices"},
            "groups": ["Audit", "Desk"], "shape": None}  # fmt: skip
    definition_publish(read_widget(ours))
    note = {"id": "note", "definition": widget("note", type="note"), "shape": {"text": "Read me"}}
    definition_publish(read_widget(note), strict=False)
    passed = {"id": "old/one", "definition": widget("old", odd={"a": [None, 1.0]}), "upstream": "legacy"}
    definition_publish(read_widget({**passed, "imported": True}), strict=False)
    read_widget({"id": "draft", "definition": widget("draft")})


def _app() -> None:
    definition = app("Desk", "prices", "old/one")
    definition_publish(read_app({"slug": "the-desk", "app": definition, "groups": ["Desk"]}), strict=False)
    read_app({"slug": "desk-2", "app": app("Desk", "prices", "not here"), "imported": True})


def wipe() -> None:
    """Take everything away that an import could bring, versions too."""
    for model in (App, Widget, apps.get_model("widgets_app", "Agent"), Query, Source, Version, Group):
        model._default_manager.all().delete()
