from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from project.asgi import Dispatcher, application
from tests.conftest import Define, refresh
from tests.loopback import ask, raw, serving
from widgets_app import cache
from widgets_app.authentication import KEYS
from widgets_app.catalog import CATALOG
from widgets_app.sources.folder import watched
from widgets_app.stores import MemoryCache

WORKSPACE = "https://pro.openbb.co"


def in_threads(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} in a thread".encode()]


def broken(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise ValueError


@pytest.fixture
def _by_hand(settings) -> None:
    """No watching thread, so that nothing is in memory until a test puts it there."""
    settings.WIDGETS_CATALOG_CHECK_SECONDS = 0
    settings.WIDGETS_OPEN = True


@pytest.fixture
def _loaded(_by_hand, db) -> Iterator[None]:
    CATALOG.check()
    KEYS.check()
    yield
    CATALOG.reset()
    KEYS.reset()


@pytest.mark.usefixtures("_loaded")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_manifest_is_answered_without_django(method):
    with serving(Dispatcher(broken)) as (port, _):
        answer = ask(port, "/widgets.json", method, Origin=WORKSPACE)
    assert (answer.status, answer.body) == (200, b"{}" if method == "GET" else b"")
    assert answer.headers["Content-Length"] == "2"
    assert answer.headers["Access-Control-Allow-Origin"] == WORKSPACE


@pytest.mark.usefixtures("_loaded")
def test_a_manifest_is_found_under_a_root_path():
    with serving(Dispatcher(broken), root_path="/widgets") as (port, _):
        assert ask(port, "/widgets.json").body == b"{}"


@pytest.mark.usefixtures("_loaded")
@pytest.mark.parametrize(("method", "path"), [("POST", "/widgets.json"), ("GET", "/prices"), ("OPTIONS", "/")])
def test_everything_else_goes_to_django(method, path):
    with serving(Dispatcher(in_threads)) as (port, _):
        assert ask(port, path, method).body == f"{method} {path} in a thread".encode()


@pytest.mark.usefixtures("_by_hand")
def test_a_manifest_goes_to_django_while_nothing_is_in_memory():
    CATALOG.reset()
    with serving(Dispatcher(in_threads)) as (port, _):
        assert ask(port, "/widgets.json").body == b"GET /widgets.json in a thread"


@pytest.mark.usefixtures("_loaded")
def test_a_fault_while_answering_from_memory_looks_like_any_error(settings, caplog):
    del settings.WIDGETS_OPEN
    with serving(Dispatcher(in_threads)) as (port, _):
        answer = ask(port, "/widgets.json", Origin=WORKSPACE)
    assert answer.status == 500
    assert set(json.loads(answer.body)) == {"detail", "error"}
    assert answer.headers["Access-Control-Allow-Origin"] == WORKSPACE
    assert "WIDGETS_OPEN" in caplog.text


@pytest.mark.usefixtures("_by_hand")
def test_an_error_made_outside_django_has_the_shape_and_the_cors_headers():
    with serving(Dispatcher(broken)) as (port, _):
        answer = ask(port, "/prices", Origin=WORKSPACE)
        stranger = ask(port, "/prices", Origin="https://elsewhere.example")
    body = json.loads(answer.body)
    assert (answer.status, answer.headers["Content-Type"]) == (500, "application/json")
    assert body["detail"] == body["error"]
    assert "\n" not in body["error"]
    assert answer.headers["Access-Control-Allow-Origin"] == WORKSPACE
    assert "Access-Control-Allow-Origin" not in stranger.headers


@pytest.mark.usefixtures("_by_hand")
def test_a_chunked_upload_is_told_how_to_come_back():
    request = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(Dispatcher(in_threads)) as (port, _), raw(port, request) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 411 ")


@pytest.mark.usefixtures("_by_hand")
def test_websockets_are_refused_politely(caplog):
    with serving(Dispatcher(in_threads)) as (port, _), pytest.raises(InvalidStatus) as refusal:
        connect(f"ws://127.0.0.1:{port}/live")
    assert refusal.value.response.status_code == 403
    assert "Traceback" not in caplog.text


# Threads of the application may have connections from other tests, and look after them at each request.
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_by_hand")
def test_the_application_starts_and_stops_with_its_server():
    with serving(application, lifespan="on") as (port, _):
        assert ask(port, "/", "TRACE").status == 405


@pytest.mark.usefixtures("_loaded")
def test_a_foreign_host_name_is_left_for_django_to_refuse():
    with serving(Dispatcher(in_threads)) as (port, _):
        assert ask(port, "/widgets.json", Host="evil.example").body == b"GET /widgets.json in a thread"
        assert ask(port, "/widgets.json", Host=f"localhost:{port}").body == b"{}"


@pytest.fixture
def port(
    define_query: Define, define_widget: Define, settings: Any, key: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[int]:
    """The whole application, with a table, a chart and a widget that only some may see; results kept in memory."""
    settings.WIDGETS_CATALOG_CHECK_SECONDS = 0
    monkeypatch.setattr(cache, "results", MemoryCache("test", {}))
    define_query("some", "select * from prices where price >= :least")
    params = [{"paramName": "least", "type": "number", "value": 0}]
    define_widget("table", query="some", params=params)
    define_widget("chart", type="chart", query="some", params=params, shape={"kind": "line"})
    define_widget("hidden", query="some", params=params).groups.add(Group.objects.create(name="Desk"))
    refresh()
    CATALOG.check()
    KEYS.check()
    with serving(application) as (port, _):
        yield port


@pytest.fixture
def django_asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that Django was asked for."""
    asked: list[str] = []
    inner = application._bridge._app

    def recording(environ: dict[str, Any], start_response: Any) -> Any:
        asked.append(environ["PATH_INFO"])
        return inner(environ, start_response)

    monkeypatch.setattr(application._bridge, "_app", recording)
    return asked


@pytest.mark.django_db(transaction=True)
def test_kept_rows_are_answered_without_django_and_look_the_same(port: int, key: str, django_asked: list[str]) -> None:
    first = ask(port, "/table?least=20", Origin=WORKSPACE, X_API_KEY=key)
    again = ask(port, f"/table?least=20&api_key={key}", Origin=WORKSPACE)
    assert django_asked == ["/table"]
    assert (again.status, again.body) == (first.status, first.body) == (200, first.body)
    for name in (
        "X-Content-Type-Options",
        "Content-Type",
        "Cache-Control",
        "Access-Control-Allow-Origin",
        "Content-Length",
    ):
        assert again.headers[name] == first.headers[name]
    head = ask(port, "/table?least=20", "HEAD", X_API_KEY=key)
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", first.headers["Content-Length"])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("path", "status"),
    [("/table?least=x", 400), ("/table?least=1", 200), ("/chart", 200), ("/hidden", 404), ("/nothing", 404)],
)
def test_what_needs_work_or_is_refused_goes_to_django(
    port: int, key: str, django_asked: list[str], path: str, status: int
) -> None:
    answer = ask(port, path, Origin=WORKSPACE, X_API_KEY=key)
    assert answer.status == status
    assert answer.headers["Access-Control-Allow-Origin"] == WORKSPACE
    assert len(django_asked) == 1


@pytest.mark.django_db(transaction=True)
def test_who_asks_first_after_a_change_of_files_waits_for_it_in_django(
    port: int, key: str, django_asked: list[str], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert b"AAA" in ask(port, "/table", X_API_KEY=key).body
    folder = Path(settings.WIDGETS_FILES) / "market"
    (folder / ".new").write_text("ticker,price\nNEW,100\n")
    os.replace(folder / ".new", folder / "prices.csv")
    monkeypatch.setattr(watched(folder), "_looked_at", float("-inf"))
    for asked_before in (1, 2):
        assert len(django_asked) == asked_before
        assert json.loads(ask(port, "/table", X_API_KEY=key).body) == [{"ticker": "NEW", "price": 100}]
    assert len(django_asked) == 2


@pytest.mark.django_db(transaction=True)
def test_kept_rows_are_for_those_with_a_key(port: int, key: str) -> None:
    assert ask(port, "/table", X_API_KEY=key).status == 200
    assert ask(port, "/table").status == 401
    assert ask(port, "/table", X_API_KEY="wk_00000000_x").status == 403
