"""Which answers of an upstream are kept, for whom, and how they are given again."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client

from tests.backend import content, running
from tests.conftest import Define, refresh
from tests.loopback import ask, eventually
from tests.upstream import FORM, MB, PORT, Upstream
from widgets_app import cache, catalog, passing
from widgets_app.models import Source
from widgets_app.sealing import seal
from widgets_app.services.keys import key_issue
from widgets_app.stores import MemoryCache

pytestmark = pytest.mark.django_db

MINUTE = 60_000
WORKSPACE = "https://pro.openbb.co"
# What the server adds, and Django and its framework for pages of their own; no client of widgets looks at these.
NOT_OURS = {"date", "server", "referrer-policy", "cross-origin-opener-policy", "allow", "age"}


@pytest.fixture
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep results in this process, whatever the suite runs with."""
    monkeypatch.setattr(cache, "results", MemoryCache("test", {}))


def twice(client: Client, path: str, **more: Any) -> tuple[bytes, bytes]:
    return content(client.get(path, **more)), content(client.get(path, **more))


def test_an_answer_is_kept_for_as_long_as_the_widget_says(
    caller: Client, define_passed: Define, upstream: Upstream
) -> None:
    define_passed("w", endpoint="echo", staleTime=MINUTE)
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        first = content(caller.get("/echo?a=1"))
        clock.shift(59)
        assert content(caller.get("/echo?a=1")) == first
        clock.shift(2)
        assert content(caller.get("/echo?a=1")) != first
    assert upstream.asked("echo") == 2


@pytest.mark.parametrize("keys", [{}, {"staleTime": 0}, {"staleTime": "60000"}, {"staleTime": -1}, {"staleTime": True}])
def test_without_a_time_that_the_widget_gives_nothing_is_kept(
    caller: Client, define_passed: Define, keys: dict[str, Any]
) -> None:
    define_passed("w", endpoint="echo", **keys)
    first, second = twice(caller, "/echo")
    assert first != second


@pytest.mark.parametrize(
    "query", ["status=201", "cache=no-store", "cache=max-age=60,%20PRIVATE", "cache=no-cache", "cache=public,max-age=0"]
)
def test_what_the_upstream_gives_for_once_is_not_kept(caller: Client, define_passed: Define, query: str) -> None:
    define_passed("w", endpoint="echo", staleTime=MINUTE)
    first, second = twice(caller, f"/echo?{query}")
    assert json.loads(first)["number"] + 1 == json.loads(second)["number"]


def test_what_may_be_kept_for_a_while_is_kept(caller: Client, define_passed: Define) -> None:
    define_passed("w", endpoint="echo", staleTime=MINUTE)
    first, second = twice(caller, "/echo?cache=public,max-age=60")
    assert first == second


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_what_may_change_something_is_sent_each_time(caller: Client, define_passed: Define, method: str) -> None:
    define_passed("w", endpoint="echo", staleTime=MINUTE)
    assert content(caller.generic(method, "/echo")) != content(caller.generic(method, "/echo"))


def test_a_get_with_a_body_is_not_taken_for_one_without(caller: Client, define_passed: Define) -> None:
    define_passed("w", endpoint="echo", staleTime=MINUTE)
    content(caller.get("/echo"))
    assert json.loads(content(caller.generic("GET", "/echo", b"abc")))["bytes"] == 3


def test_a_failure_is_not_kept(caller: Client, define_passed: Define, upstream: Upstream) -> None:
    define_passed("w", endpoint="status/{code}", staleTime=MINUTE)
    for code in (404, 500):
        for _ in range(2):
            assert caller.get(f"/status/{code}").status_code in (404, 502)
        assert upstream.asked(f"status/{code}") == 2


def test_a_widget_with_a_form_or_a_chart_that_asks_for_itself_is_not_kept(
    caller: Client, define_passed: Define, upstream: Upstream
) -> None:
    define_passed("form", endpoint="/arrivals", params=[[PORT], [FORM]], staleTime=MINUTE)
    define_passed("udf", type="advanced_charting", endpoint="udf", staleTime=MINUTE)
    for path, asked in (("/arrivals?port=RIX", "arrivals"), ("/ports", "ports"), ("/udf/history", "udf/history")):
        twice(caller, path)
        assert upstream.asked(asked) == 2


def test_a_form_on_the_same_path_keeps_the_others_from_being_kept(
    caller: Client, define_passed: Define, upstream: Upstream
) -> None:
    define_passed("plain", endpoint="/arrivals?view=a", params=[PORT], staleTime=MINUTE)
    define_passed("form", endpoint="/arrivals", params=[PORT, FORM])
    twice(caller, "/arrivals?port=RIX")
    assert upstream.asked("arrivals") == 2


def test_what_is_too_large_to_keep_comes_whole_each_time(
    caller: Client, define_passed: Define, upstream: Upstream
) -> None:
    define_passed("w", endpoint="large", staleTime=MINUTE)
    limit = passing.KEPT_BYTES // MB
    for mb, asked in ((limit, 1), (limit + 1, 3)):
        first, second = twice(caller, f"/large?mb={mb}")
        assert first == second
        assert len(first) == mb * MB
        assert upstream.asked("large") == asked


def test_a_stream_of_events_is_not_held_back_to_be_kept(
    caller: Client, define_passed: Define, upstream: Upstream
) -> None:
    define_passed("w", endpoint="agent", staleTime=MINUTE)
    answer = caller.get("/agent")
    assert next(iter(answer)) == b"event: one\ndata: {}\n\n"
    upstream.go.set()
    answer.close()


def test_another_query_or_path_is_another_answer(caller: Client, define_passed: Define, upstream: Upstream) -> None:
    define_passed("w", endpoint="echo", staleTime=MINUTE)
    define_passed("t", endpoint="echo/{name}", staleTime=MINUTE)
    paths = ["/echo", "/echo?a=1", "/echo?a=1&b=", "/echo?a=%31", "/echo/x", "/echo/y", "/echo/{name}?name=z"]
    answers = [content(caller.get(path)) for path in paths]
    assert len(set(answers)) == len(paths)
    assert [content(caller.get(path)) for path in paths] == answers


def test_the_key_of_the_caller_makes_no_difference(key: str, define_passed: Define, upstream: Upstream) -> None:
    define_passed("w", endpoint="echo", staleTime=MINUTE)
    _, other = key_issue(name="Bo")
    refresh()
    answers = {content(Client().get(f"/echo?a=1&api_key={text}")) for text in (key, other)}
    assert len(answers) == 1
    assert upstream.asked("echo") == 1


@pytest.mark.django_db(transaction=True)
def test_other_settings_of_the_source_leave_what_was_kept(
    caller: Client, define_passed: Define, desk: Source, upstream: Upstream
) -> None:
    define_passed("w", endpoint="echo", staleTime=MINUTE)
    first = content(caller.get("/echo"))
    desk.secrets = seal({"headers": {"X-Desk-Key": "another-key-4711"}})
    desk.save()
    catalog.check()
    second = content(caller.get("/echo"))
    assert second != first
    assert upstream.last.headers["x-desk-key"] == "another-key-4711"
    desk.seconds = 7
    desk.save()
    catalog.check()
    assert content(caller.get("/echo")) == second


def test_a_kept_answer_is_not_given_to_those_who_may_not_see_the_widget(caller: Client, define_passed: Define) -> None:
    widget = define_passed("w", endpoint="echo", staleTime=MINUTE)
    content(caller.get("/echo"))
    widget.groups.add(Group.objects.create(name="Desk"))
    refresh()
    assert caller.get("/echo").status_code == 404


@pytest.mark.usefixtures("_in_memory")
@pytest.mark.parametrize("kind", ["application/json", "text/html; charset=utf-8"])
def test_a_kept_answer_is_given_without_a_thread_and_looks_the_same(
    key: str, define_passed: Define, upstream: Upstream, kind: str
) -> None:
    define_passed("w", endpoint="echo", staleTime=MINUTE)
    path = f"/echo?type={kind.replace(' ', '%20')}"
    # Without threads the second answer can only come from memory.
    with running(threads=1) as (port, bridge):
        first = ask(port, path, X_API_KEY=key, Origin=WORKSPACE)
        bridge._threads = 0
        again = ask(port, path, X_API_KEY=key, Origin=WORKSPACE)
        in_query = ask(port, f"{path}&api_key={key}", Origin=WORKSPACE)
        head = ask(port, path, "HEAD", X_API_KEY=key)
        denied = ask(port, "/widgets.json", X_API_KEY="wk_00000000_x")
    assert upstream.asked("echo") == 1
    assert (first.status, first.body) == (again.status, again.body) == (in_query.status, in_query.body)
    names = {name.lower() for name in first.headers} - NOT_OURS
    assert names == {name.lower() for name in again.headers} - NOT_OURS
    assert all(first.headers[name] == again.headers[name] for name in names)
    assert again.headers["Content-Security-Policy"].startswith("sandbox")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(first.body)))
    assert denied.status == 403


def test_two_hundred_callers_of_a_cold_path_make_one_request(
    key: str, define_passed: Define, upstream: Upstream
) -> None:
    define_passed("w", endpoint="hang", staleTime=MINUTE)
    with running() as (port, bridge), ThreadPoolExecutor(200) as pool:
        asked = [pool.submit(ask, port, "/hang?a=1", X_API_KEY=key) for _ in range(200)]
        eventually(lambda: bridge._busy + len(bridge._waiting) == 200)
        upstream.go.set()
        answers = [each.result() for each in asked]
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert upstream.asked("hang") == 1


def test_callers_of_what_can_not_be_kept_each_get_an_answer(
    key: str, define_passed: Define, upstream: Upstream
) -> None:
    define_passed("w", endpoint="echo", staleTime=MINUTE)
    with running() as (port, _), ThreadPoolExecutor(4) as pool:
        paths = ["/echo?cache=no-store"] * 20
        answers = list(pool.map(lambda path: ask(port, path, X_API_KEY=key), paths))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == upstream.asked("echo") == 20
