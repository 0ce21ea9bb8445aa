"""What callers are told when an upstream fails them, and that nothing else fails with it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from django.test import Client

from tests.backend import content, running
from tests.conftest import SECRET, Define, refresh
from tests.loopback import Response, ask, eventually, free_port, raw
from tests.upstream import MB, Upstream
from widgets_app import catalog
from widgets_app.models import Source
from widgets_app.sources.limits import Slots

pytestmark = pytest.mark.django_db

WORKSPACE = "https://pro.openbb.co"
MINUTE = 60_000


def error(answer: Any) -> str:
    """Return the text of an error in the one shape that errors have."""
    told = json.loads(answer.body if isinstance(answer, Response) else answer.content)
    assert set(told) == {"detail", "error"}
    assert told["detail"] == told["error"] != ""
    assert "\n" not in told["error"]
    assert SECRET not in told["error"]
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == WORKSPACE
    return str(told["error"])


def get(client: Client, path: str) -> Any:
    return client.get(path, headers={"Origin": WORKSPACE})


def change(source: Source, **options: Any) -> None:
    """Serve with other options of the source."""
    source.options = {**source.options, **options}
    source.save()
    refresh()


def slots() -> Slots:
    return next(source.slots for source in catalog.current().sources.values() if source.name == "desk")


@pytest.mark.parametrize("stale", [None, MINUTE])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [(400, 400), (401, 502), (403, 502), (404, 404), (405, 405), (409, 409), (413, 413), (422, 422), (429, 429),
     (418, 502), (500, 502), (502, 502), (503, 502), (504, 504)],
)  # fmt: skip
def test_an_error_of_the_upstream_is_told_in_our_shape(
    caller: Client, define_passed: Define, theirs: int, ours: int, stale: int | None
) -> None:
    define_passed("w", endpoint="status/{code}", staleTime=stale)
    answer = get(caller, f"/status/{theirs}")
    assert answer.status_code == ours
    text = error(answer)
    if theirs in (401, 403):
        assert '"desk"' in text
        assert "headers" in text
    else:
        assert f"because of {theirs}" in text
    assert ours < 500 or '"desk"' in text
    eventually(lambda: slots().taken == 0)


@pytest.mark.parametrize("stale", [None, MINUTE])
def test_an_upstream_that_takes_too_long_is_told(
    caller: Client, define_passed: Define, desk: Source, upstream: Upstream, stale: int | None
) -> None:
    desk.seconds = 1
    desk.save()
    define_passed("w", endpoint="hang", staleTime=stale)
    answer = get(caller, "/hang")
    assert answer.status_code == 504
    assert "1 s" in error(answer)
    assert '"desk"' in error(answer)
    assert upstream.gone.wait(10)
    eventually(lambda: slots().taken == 0)


def test_an_upstream_that_is_not_there_is_told(caller: Client, define_passed: Define, desk: Source) -> None:
    define_passed("w", endpoint="table")
    for url, says in (
        (f"http://127.0.0.1:{free_port()}", "refuses connections"),
        ("http://nowhere.invalid:8000", "is unknown"),
    ):
        change(desk, url=url)
        answer = get(caller, "/table")
        assert answer.status_code == 502
        assert says in error(answer)
    assert slots().taken == 0


def test_a_private_host_that_is_not_named_is_not_asked(
    caller: Client, define_passed: Define, desk: Source, upstream: Upstream
) -> None:
    define_passed("w", endpoint="table")
    change(desk, private_hosts=[])
    answer = get(caller, "/table")
    assert answer.status_code == 502
    assert "private" in error(answer)
    assert upstream.received == []


def test_an_answer_that_says_it_is_too_large_is_refused(caller: Client, define_passed: Define, desk: Source) -> None:
    define_passed("w", endpoint="large")
    change(desk, max_mb=1)
    answer = get(caller, "/large?mb=2&declared=1")
    assert answer.status_code == 502
    assert "1 MB" in error(answer)
    assert len(content(caller.get("/large?mb=1&declared=1"))) == MB
    assert slots().taken == 0


@pytest.mark.parametrize(
    ("path", "sent"),
    [("/large?mb=2", range(1, MB + 1)), (f"/broken?of={MB}&sent=10", range(1, MB))],
    ids=["growing", "broken"],
)
def test_an_answer_that_fails_half_way_is_visibly_cut_off(
    key: str, define_passed: Define, desk: Source, path: str, sent: range
) -> None:
    define_passed("w", endpoint=path.partition("?")[0])
    change(desk, max_mb=1)
    with running() as (port, _), closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        client.request("GET", path, headers={"X-API-KEY": key})
        answer = client.getresponse()
        assert answer.status == 200
        with pytest.raises(http.client.IncompleteRead) as cut:
            answer.read()
        assert len(cut.value.partial) in sent
    eventually(lambda: slots().taken == 0)


@pytest.mark.parametrize("path", ["/large?mb=2", "/broken?sent=10"])
def test_an_answer_that_would_be_kept_and_fails_half_way_is_an_error(
    caller: Client, define_passed: Define, desk: Source, path: str
) -> None:
    define_passed("w", endpoint=path.partition("?")[0], staleTime=MINUTE)
    change(desk, max_mb=1)
    for _ in range(2):
        answer = get(caller, path)
        assert answer.status_code == 502
        assert error(answer)
    assert slots().taken == 0


@pytest.mark.parametrize("query", [f"of={MB}&sent=0", "of=100&sent=0", "of=100&sent=10"])
def test_a_large_answer_that_breaks_before_its_first_piece_or_a_small_one_anywhere_is_an_error(
    key: str, define_passed: Define, query: str
) -> None:
    define_passed("w", endpoint="broken")
    with running() as (port, _):
        answer = ask(port, f"/broken?{query}", X_API_KEY=key, Origin=WORKSPACE)
    assert answer.status == 502
    assert "before its answer was complete" in error(answer)


@pytest.mark.parametrize(
    ("options", "says"),
    [({"url": ""}, "url"), ({"url": "ftp://x"}, "url"), ({"unknown": 1}, "unknown"), ({"max_mb": "x"}, "max_mb")],
)
def test_settings_that_can_not_be_used_are_told(
    caller: Client, define_passed: Define, desk: Source, options: dict[str, Any], says: str
) -> None:
    define_passed("w", endpoint="table")
    define_passed("other", endpoint="other")
    change(desk, **options)
    answer = get(caller, "/table")
    assert answer.status_code == 502
    assert '"desk"' in error(answer)
    assert says in error(answer)
    assert len(caller.get("/widgets.json").json()) == 2


def test_secrets_of_another_secret_key_are_told(
    caller: Client, define_passed: Define, settings: Any, upstream: Upstream
) -> None:
    define_passed("w", endpoint="table")
    settings.SECRET_KEY = "another one"
    refresh()
    answer = get(caller, "/table")
    assert answer.status_code == 502
    assert '"desk"' in error(answer)
    assert "SECRET_KEY" in error(answer)
    assert upstream.received == []


def test_a_source_of_another_kind_can_not_answer(caller: Client, define_widget: Define, files_source: Source) -> None:
    define_widget("w", endpoint="table", upstream=files_source.name)
    answer = get(caller, "/table")
    assert answer.status_code == 502
    assert '"market"' in error(answer)


def test_what_an_upstream_repeats_of_its_headers_is_left_out(caller: Client, define_passed: Define) -> None:
    define_passed("w", endpoint="status/{code}")
    for status in (400, 500):
        text = error(get(caller, f"/status/{status}"))
        assert "…" in text


@pytest.fixture
def hanging(
    key: str, define_passed: Define, desk: Source, upstream: Upstream
) -> Iterator[tuple[int, list[Future[Response]]]]:
    """A server whose threads and whose upstream's slots are all taken by requests that hang."""
    desk.slots = 2
    desk.save()
    define_passed("w", endpoint="hang")
    define_passed("kept", endpoint="hang/kept", staleTime=MINUTE)
    with running() as (port, bridge), ThreadPoolExecutor(30) as pool:
        asked = [pool.submit(ask, port, "/hang/kept", X_API_KEY=key) for _ in range(20)]
        eventually(lambda: bridge._busy == 16 and upstream.asked("hang/kept") == 1)
        yield port, asked
        upstream.go.set()


def test_manifests_and_health_answer_while_all_threads_wait_for_an_upstream(
    hanging: tuple[int, list[Future[Response]]], key: str, upstream: Upstream
) -> None:
    port, asked = hanging
    for path in ("/widgets.json", "/apps.json", "/agents.json"):
        assert ask(port, path, X_API_KEY=key).status == 200
    health = ask(port, "/-/health", Origin=WORKSPACE)
    assert (health.status, json.loads(health.body)) == (200, {"status": "ok"})
    assert health.headers["Access-Control-Allow-Origin"] == WORKSPACE
    assert not any(each.done() for each in asked)
    upstream.go.set()
    assert {each.result().status for each in asked} == {200}


def test_when_all_slots_are_taken_callers_are_told_to_come_back(
    key: str, define_passed: Define, desk: Source, upstream: Upstream
) -> None:
    desk.slots = 2
    desk.save()
    define_passed("w", endpoint="hang")
    with running() as (port, _), ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask, port, f"/hang?n={number}", X_API_KEY=key) for number in range(2)]
        eventually(lambda: slots().taken == 2 and upstream.asked("hang") == 2)
        busy = ask(port, "/hang?n=3", X_API_KEY=key, Origin=WORKSPACE)
        upstream.go.set()
        assert {each.result().status for each in asked} == {200}
        eventually(lambda: slots().taken == 0)
        assert ask(port, "/hang?n=4", X_API_KEY=key).status == 200
    assert (busy.status, busy.headers["Retry-After"]) == (503, "2")
    assert "no more than 2 at once" in error(busy)


@pytest.mark.parametrize("path", ["hang", "agent"])
def test_a_client_that_hangs_up_ends_the_request_to_the_upstream(
    key: str, define_passed: Define, upstream: Upstream, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    define_passed("w", endpoint=path)
    request = f"POST /{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nX-API-KEY: {key}\r\n\r\n{{}}"
    with running() as (port, bridge):
        client = raw(port, request.encode())
        eventually(lambda: upstream.asked(path) == 1)
        if path == "agent":
            while b"event: one" not in client.recv(65536):
                pass
        client.close()
        assert upstream.gone.wait(10)
        eventually(lambda: slots().taken == 0 and bridge._busy == 0)
    assert "Traceback" not in caplog.text
    assert "cut off" not in caplog.text


def test_a_client_that_hangs_up_leaves_those_who_wait_for_the_same_answer_theirs(
    key: str, define_passed: Define, upstream: Upstream
) -> None:
    define_passed("w", endpoint="hang", staleTime=MINUTE)
    request = f"GET /hang HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {key}\r\n\r\n".encode()
    with running() as (port, bridge), ThreadPoolExecutor(1) as pool:
        client = raw(port, request)
        eventually(lambda: upstream.asked("hang") == 1)
        other = pool.submit(ask, port, "/hang", X_API_KEY=key)
        eventually(lambda: bridge._busy == 2)
        client.close()
        upstream.go.set()
        assert other.result().status == 200
    assert upstream.asked("hang") == 1


def test_a_client_that_stops_in_the_middle_of_its_body_leaves_no_slot_taken(
    key: str, define_passed: Define, caplog: pytest.LogCaptureFixture
) -> None:
    define_passed("w", endpoint="echo")
    request = f"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\nX-API-KEY: {key}\r\n\r\nabc"
    with running() as (port, bridge):
        client = raw(port, request.encode())
        eventually(lambda: slots().taken == 1)
        client.close()
        eventually(lambda: slots().taken == 0 and bridge._busy == 0)
    assert "Traceback" not in caplog.text
