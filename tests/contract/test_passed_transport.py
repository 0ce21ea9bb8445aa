"""The transport, as browsers and Workspace meet it, where an upstream answers: C-006 to C-020."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from tests.backend import content, running
from tests.conftest import SECRET, Define, refresh
from tests.loopback import ask
from tests.upstream import WIDGETS, Upstream
from widgets_app.manifest.reading import read_agent
from widgets_app.services.publishing import definition_publish

pytestmark = pytest.mark.django_db

WORKSPACE = "https://pro.openbb.co"
# Each kind of route: data, options, a form, fields of a form, a chart's calls, a picture, a template, an agent.
GETS = ["/table?port=RIX&least=1.5&late=false&flags=LV,%C4%80%26B", "/ports", "/cargoes", "/udf/config", "/udf/search",
        "/udf/history?symbol=A", "/pictures/table.png", "/echo/x", "/key/figures/now?port=RIX", "/news/", "/page",
        "/text/K%C3%B6ln%20b%C3%B6rse"]  # fmt: skip
POSTS = ["/ssrm", "/files", "/omni", "/log_arrival", "/agent/query"]
BODIES = {"/ssrm": {"port": "RIX"}, "/files": {"port": "RIX", "doc": ["tides"]}, "/omni": {"prompt": "late vessels"},
          "/log_arrival": {"vessel": "A"}}  # fmt: skip


@pytest.fixture(autouse=True)
def _routes(define_passed: Define, upstream: Upstream) -> None:
    for name, definition in WIDGETS.items():
        define_passed(name, **definition)
    define_passed("template", endpoint="echo/{name}")
    define_passed("status", endpoint="status/{code}")
    agent = {"name": "Pilot", "description": "d", "endpoints": {"query": "/agent/query"}, "features": {}}
    definition_publish(read_agent({"id": "pilot", "agent": agent, "upstream": "desk", "groups": []}), strict=False)
    refresh()
    upstream.go.set()


def request(client: Client, path: str, **headers: str) -> Any:
    """Ask as a client of widgets does: by POST with JSON where the route wants that."""
    if path in GETS:
        return client.get(path, headers=headers)
    return client.post(path, json.dumps(BODIES.get(path, {})), content_type="application/json", headers=headers)


def test_nothing_redirects(caller: Client) -> None:
    for path in (*GETS, *POSTS):
        for client in (caller, Client(), Client(headers={"X-API-KEY": "wk_x_y"})):
            for method in (client.get, client.post, client.options):
                assert not 300 <= method(path).status_code < 400, path


def test_a_preflight_needs_no_key_and_never_goes_on(upstream: Upstream) -> None:
    names = "x-api-key, authorization, ngrok-skip-browser-warning"
    for path in (*GETS, *POSTS):
        asked = {
            "Origin": WORKSPACE,
            "Access-Control-Request-Method": "POST" if path in POSTS else "GET",
            "Access-Control-Request-Headers": names,
            "Access-Control-Request-Private-Network": "true",
        }
        answer = Client().options(path, headers=asked)
        assert answer.status_code in (200, 204), path
        assert answer["Access-Control-Allow-Origin"] == WORKSPACE
        assert answer["Access-Control-Allow-Headers"] == names
        assert answer["Access-Control-Allow-Private-Network"] == "true"
        assert {"GET", "POST", "OPTIONS"} <= set(answer["Access-Control-Allow-Methods"].split(", "))
        assert Client().options(path).status_code == 204
    assert upstream.received == []


def test_an_answer_is_for_pages_of_workspace_and_for_no_others(caller: Client) -> None:
    for path in (*GETS, *POSTS):
        for origin, allowed in ((WORKSPACE, WORKSPACE), ("https://evil.example", None)):
            answer = request(caller, path, Origin=origin)
            assert answer.status_code == 200, path
            assert answer.get("Access-Control-Allow-Origin") == allowed
            assert "origin" in answer["Vary"].lower()
            content(answer)


def test_without_a_key_that_is_known_nothing_goes_on(upstream: Upstream) -> None:
    for path in (*GETS, *POSTS):
        for client, status in ((Client(), 401), (Client(headers={"X-API-KEY": "wk_00000000_x"}), 403)):
            answer = request(client, path, Origin=WORKSPACE)
            assert answer.status_code == status, path
            assert answer["Access-Control-Allow-Origin"] == WORKSPACE
            assert answer.json()["detail"] == answer.json()["error"] != ""
    assert upstream.received == []


def test_a_key_in_the_query_or_as_bearer_opens_and_does_not_go_on(key: str, upstream: Upstream) -> None:
    for path in (*GETS, *POSTS):
        with_key = f"{path}{'&' if '?' in path else '?'}api_key={key}"
        bodies = json.dumps(BODIES.get(path, {}))
        method = "GET" if path in GETS else "POST"
        for asked, headers in ((with_key, {}), (path, {"Authorization": f"Bearer {key}"})):
            answer = Client().generic(method, asked, bodies, content_type="application/json", headers=headers)
            assert answer.status_code == 200, path
            content(answer)
    assert len(upstream.received) == 2 * len(GETS) + 2 * len(POSTS)
    assert key not in repr(upstream.received)


def test_an_error_of_the_upstream_reaches_the_page(key: str) -> None:
    with running() as (port, _):
        for status in (400, 401, 403, 404, 405, 422, 500, 503):
            answer = ask(port, f"/status/{status}", X_API_KEY=key, Origin=WORKSPACE)
            told = json.loads(answer.body)
            assert answer.headers["Access-Control-Allow-Origin"] == WORKSPACE
            assert answer.headers["Content-Type"] == "application/json"
            assert told["detail"] == told["error"] != ""
            assert "\n" not in told["detail"]
            assert SECRET not in told["detail"]


def test_a_post_needs_no_token(key: str) -> None:
    strict = Client(enforce_csrf_checks=True, headers={"X-API-KEY": key})
    for path in POSTS:
        answer = request(strict, path, Origin=WORKSPACE, Referer=f"{WORKSPACE}/app")
        assert answer.status_code == 200, path
        content(answer)


def test_unknown_names_in_a_query_go_on_and_do_no_harm(caller: Client, upstream: Upstream) -> None:
    query = "port=RIX&theme=light&raw=false&whatever=1&%00=%ff"
    assert caller.get(f"/live?{query}").status_code == 200
    assert upstream.last.query == query


def test_text_survives_in_both_directions(caller: Client, upstream: Upstream) -> None:
    assert json.loads(content(caller.get("/text/K%C3%B6ln%20b%C3%B6rse?q=R%C4%ABga"))) == "# Rīga\n株価"
    assert upstream.last.values == {"q": "Rīga"}


def test_the_texts_that_excel_sends_are_left_as_they_are(caller: Client, upstream: Upstream) -> None:
    """Every value is text there, dates and numbers too, and what it accepts is no reason to refuse."""
    query = "port=RIX&least=1.5&flags=LV%2C%C4%80%26B&late=false&day=%24currentDate-1b&n=10"
    answer = caller.get(f"/table?{query}", headers={"Accept": "text/csv", "Origin": "https://excel.openbb.co"})
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == "https://excel.openbb.co"
    assert isinstance(json.loads(content(answer)), list)
    assert upstream.last.query == query
