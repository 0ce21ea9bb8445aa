"""What most tests need: a fresh snapshot, a source with a small file, published definitions, a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from tests.loopback import serving
from tests.upstream import Upstream
from widgets_app import cache
from widgets_app.authentication import KEYS
from widgets_app.catalog import CATALOG
from widgets_app.manifest.reading import read_app, read_query, read_widget
from widgets_app.models import App, Query, Source, Widget
from widgets_app.sealing import seal
from widgets_app.services.keys import key_issue
from widgets_app.services.publishing import definition_publish
from widgets_app.snapshots import Snapshot

PRICES = """day,ticker,price,volume
2024-01-02,AAA,10.5,100
2024-01-03,AAA,11.0,
2024-01-02,BBB,20.25,300
"""

# What the upstream wants to be sent, and nobody is told.
SECRET = "key-of-the-desk-0815"

Define = Callable[..., Any]

# What a test that reaches the database asks for, itself or through other fixtures.
DATABASE = {"db", "transactional_db"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run on another database leave out what that makes no difference to."""
    parser.addoption("--database-only", action="store_true", help="run the tests that reach the database only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that reach no database, if asked to."""
    if config.getoption("--database-only"):
        dropped = [item for item in items if not _reaches_database(item)]
        items[:] = [item for item in items if _reaches_database(item)]
        config.hook.pytest_deselected(items=dropped)


def _reaches_database(item: pytest.Item) -> bool:
    asked = DATABASE & set(getattr(item, "fixturenames", ()))
    return bool(asked) or item.get_closest_marker("django_db") is not None or "postgresql" in item.keywords


def refresh() -> None:
    """Serve what is in the database now, whatever the revision numbers say."""
    CATALOG.reset()
    KEYS.reset()


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    refresh()
    cache.clear()
    yield
    refresh()


@pytest.fixture(autouse=True)
def _failures_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a source again at once after it has failed; tests of what happens otherwise set the time back."""
    monkeypatch.setattr(cache, "FAILURE_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def _numbers_move(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every check see a change where the triggers of PostgreSQL would wait for a commit that never comes."""
    marker = request.node.get_closest_marker("django_db")
    if connection.vendor == "postgresql" and not (marker and marker.kwargs.get("transaction")):
        numbers = count(1)
        monkeypatch.setattr(Snapshot, "_read_number", lambda _self: next(numbers))


@pytest.fixture
def files_source(db: None) -> Source:
    """A source with one file: prices.csv."""
    folder = Path(settings.WIDGETS_FILES) / "market"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prices.csv").write_text(PRICES, encoding="utf-8")
    return Source.objects.create(name="market", kind="files")


@pytest.fixture
def define_query(files_source: Source) -> Define:
    """Make and publish a query over the files."""

    def define(name: str = "prices", text: str = "select * from prices", **more: Any) -> Query:
        document = {
            "name": name, "description": "", "source": "market", "text": text, "cache_seconds": None,
            "seconds": None, "rows": None, "options_path": f"options/{name}", "choices": [], **more,
        }  # fmt: skip
        query = read_query(document)
        definition_publish(query)
        refresh()
        return query

    return define


@pytest.fixture
def define_widget(db: None) -> Define:
    """Make and publish a widget; keyword arguments are keys of its definition."""

    def define(
        widget_id: str = "prices",
        *,
        query: str | None = None,
        upstream: str | None = None,
        shape: Any = None,
        **keys: Any,
    ) -> Widget:
        definition = {
            "name": widget_id, "description": "Prices.", "type": "table", "endpoint": widget_id, **keys
        }  # fmt: skip
        document = {
            "id": widget_id,
            "definition": {key: value for key, value in definition.items() if value is not None},
            "shape": shape,
            "feeds": {"rows": query} if query else {},
            "upstream": upstream,
        }
        widget = read_widget(document)
        definition_publish(widget, strict=False)
        refresh()
        return Widget.objects.get(pk=widget.pk)

    return define


@pytest.fixture
def define_app(db: None) -> Define:
    """Make and publish an app that places widgets in one tab."""

    def define(slug: str = "desk", widgets: tuple[str, ...] = (), **keys: Any) -> App:
        layout = [{"i": widget, "x": 0, "y": 10 * n, "w": 20, "h": 10} for n, widget in enumerate(widgets)]
        definition = {
            "name": slug, "description": "For the desk.", "img": "", "img_dark": "", "img_light": "",
            "allowCustomization": True,
            "tabs": {"main": {"id": "main", "name": "Main", "layout": layout}},
            "groups": [], "prompts": [], **keys,
        }  # fmt: skip
        app = read_app({"slug": slug, "app": definition})
        definition_publish(app, strict=False)
        refresh()
        return app

    return define


@pytest.fixture
def key(db: None) -> str:
    """The text of a key without groups."""
    _, text = key_issue(name="Ana")
    refresh()
    return text


@pytest.fixture
def caller(key: str) -> Client:
    """A client that sends the key."""
    return Client(headers={"X-API-KEY": key})


@pytest.fixture(scope="session")
def _upstream_server() -> Iterator[tuple[Upstream, int]]:
    upstream = Upstream()
    with serving(upstream) as (port, _):
        yield upstream, port


@pytest.fixture
def upstream(_upstream_server: tuple[Upstream, int]) -> Iterator[Upstream]:
    """A backend of somebody else's, that runs."""
    upstream, _ = _upstream_server
    upstream.reset()
    yield upstream
    upstream.go.set()


@pytest.fixture
def desk(db: None, upstream: Upstream, _upstream_server: tuple[Upstream, int]) -> Source:
    """The upstream as a source, with a header of its own."""
    options = {"url": f"http://127.0.0.1:{_upstream_server[1]}", "private_hosts": ["127.0.0.1"]}
    return Source.objects.create(
        name="desk", kind="http", options=options, secrets=seal({"headers": {"X-Desk-Key": SECRET}})
    )


@pytest.fixture
def define_passed(desk: Source, define_widget: Define) -> Define:
    """Make and publish a widget that the upstream answers."""
    return partial(define_widget, upstream=desk.name)
