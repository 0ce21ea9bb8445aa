"""Requests that go on to an upstream: what it is sent, and what comes back."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.backend import content, running
from tests.conftest import SECRET, Define, refresh
from tests.loopback import PATIENCE, ask, serving
from tests.upstream import (
    BODIES,
    EVENTS,
    FILES,
    FORM,
    FORM_ERROR,
    HTML,
    JSON,
    MB,
    OPTIONS,
    PAGE,
    PICTURE,
    PORT,
    PROMPT,
    UDF,
    Upstream,
)
from widgets_app import catalog
from widgets_app.manifest.reading import read_agent
from widgets_app.models import Source
from widgets_app.sealing import seal
from widgets_app.services.publishing import definition_publish

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("desk")]


def posted(client: Client, path: str, value: Any, **more: Any) -> Any:
    return client.post(path, json.dumps(value), content_type="application/json", **more)


def body(response: Any) -> Any:
    return json.loads(content(response))


# What is sent on


def test_a_query_goes_on_as_it_came(define_passed: Define, key: str, upstream: Upstream) -> None:
    define_passed("w", endpoint="echo")
    with running() as (port, _):
        for query in (
            "a=1&b=x%20y&c=x+y&a=2",
            "a&b=&=c&&d=%26%3D%C3%BC",
            "f=[1,2]&g={%22a%22:%5B%5D}&h='()*;:@/?,~",
            "p=%zz%",
            "x=%2541&y=%ff%00",
        ):
            assert ask(port, f"/echo?{query}", X_API_KEY=key).status == 200
            assert upstream.last.query == query


def test_the_key_in_a_query_never_goes_on(define_passed: Define, key: str, upstream: Upstream) -> None:
    define_passed("w", endpoint="echo")
    with running() as (port, _):
        for query, sent_on in (
            ("api_key=KEY", ""),
            ("api_key=KEY&a=1", "a=1"),
            ("a=1&api_key=KEY", "a=1"),
            ("a=1&api_key=KEY&b=2", "a=1&b=2"),
            ("api_key=wrong&a=1&api_key=KEY", "a=1"),
            ("%61pi_key=KEY&a=1", "a=1"),
            ("api%5fkey=KEY", ""),
            ("%61%70%69%5F%6B%65%79=KEY&&a=", "&a="),
            ("api_key&api_key=KEY", ""),
            ("my_api_key=1&api_key=KEY&api_key_=2", "my_api_key=1&api_key_=2"),
        ):
            assert ask(port, f"/echo?{query.replace('KEY', key)}").status == 200
            assert upstream.last.query == sent_on
    assert key not in repr(upstream.received)


@pytest.mark.parametrize("header", ["X_API_KEY", "Authorization"])
def test_the_upstream_is_sent_the_headers_of_the_source_and_none_of_the_callers(
    define_passed: Define, key: str, upstream: Upstream, header: str
) -> None:
    define_passed("w", endpoint="echo")
    theirs = {"Cookie": "a=1", "X_Desk_Key": "mine", "Origin": "https://pro.openbb.co", "Referer": "http://x/"}
    with running() as (port, _):
        ask(port, "/echo", **{header: f"Bearer {key}" if header == "Authorization" else key}, **theirs)
    sent = {name: value for name, value in upstream.last.headers.items() if name not in ("connection", "user-agent")}
    assert sent.pop("host").startswith("127.0.0.1:")
    assert sent == {"accept": "*/*", "accept-encoding": "identity", "x-desk-key": SECRET}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("sent", [b"", b'{"a": 1}'])
def test_every_method_goes_on_with_its_body(
    caller: Client, define_passed: Define, upstream: Upstream, method: str, sent: bytes
) -> None:
    define_passed("w", endpoint="echo")
    answer = caller.generic(method, "/echo", sent, content_type="application/vnd.x+json; v=2")
    assert body(answer)["method"] == method
    assert upstream.last.body == sent
    assert upstream.last.headers["content-type"] == "application/vnd.x+json; v=2" if sent else True


ENDPOINTS = [
    ("echo/a", "/echo/a", "/echo/a"),
    ("/echo/a", "/echo/a", "/echo/a"),
    ("echo/a/", "/echo/a/", "/echo/a/"),
    ("./echo/a", "/echo/a", "/echo/a"),
    ("echo/a?kind=x", "/echo/a?kind=x&b=1", "/echo/a"),
    ("echo/a#part", "/echo/a", "/echo/a"),
    ("echo/Köln börse", "/echo/K%C3%B6ln%20b%C3%B6rse", "/echo/K%C3%B6ln%20b%C3%B6rse"),
    ("echo/K%C3%B6ln", "/echo/K%C3%B6ln", "/echo/K%C3%B6ln"),
    ("echo/100%25", "/echo/100%25", "/echo/100%25"),
    ("echo/a+b;c=d", "/echo/a+b;c=d", "/echo/a+b;c=d"),
    # A server decodes a path before anybody sees it, so an escaped slash can't be told from a plain one.
    ("echo/a%2Fb", "/echo/a%2Fb", "/echo/a/b"),
]


def test_an_endpoint_is_found_and_sent_on_however_it_is_written(
    key: str, define_passed: Define, upstream: Upstream
) -> None:
    for number, (endpoint, _, _) in enumerate(ENDPOINTS):
        define_passed(f"w{number}", endpoint=endpoint)
    with running() as (port, _):
        for _, path, sent_on in ENDPOINTS:
            assert ask(port, path, X_API_KEY=key).status == 200
            assert upstream.last.path == sent_on


@pytest.mark.parametrize("endpoint", ["echo/{ticker}", "/echo/{ticker}/day", "echo/{ticker}?full=1"])
def test_a_template_takes_the_value_from_the_path_or_from_the_query(
    caller: Client, define_passed: Define, upstream: Upstream, endpoint: str
) -> None:
    define_passed("w", endpoint=endpoint, params=[{"paramName": "ticker", "value": "AAA"}])
    path = endpoint.partition("?")[0].removeprefix("/")
    for asked in (f"/{path}?ticker=B%20%C3%BC&x=1", f"/{path.replace('{ticker}', 'B%20%C3%BC')}?ticker=B%20%C3%BC&x=1"):
        content(caller.get(asked))
        assert upstream.last.decoded == path.replace("{ticker}", "B ü")
        assert upstream.last.query == "ticker=B%20%C3%BC&x=1"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/echo/a/b", 404), ("/echo/", 404), ("/echo", 404), ("/echo/%2e%2e", 400), ("/echo/a%2F..", 404),
        ("/echo/{ticker}?ticker=a/b", 400), ("/echo/{ticker}?ticker=..", 400), ("/echo/{ticker}?ticker=%2e", 400),
    ],
)  # fmt: skip
def test_a_template_takes_one_part_of_a_path_and_none_that_leads_elsewhere(
    key: str, define_passed: Define, upstream: Upstream, path: str, status: int
) -> None:
    define_passed("w", endpoint="echo/{ticker}")
    with running() as (port, _):
        answer = ask(port, path, X_API_KEY=key)
    assert answer.status == status
    assert "\n" not in json.loads(answer.body)["error"]
    assert upstream.received == []


def test_a_template_does_not_lead_to_a_hidden_widget(caller: Client, define_passed: Define, upstream: Upstream) -> None:
    define_passed("w", endpoint="echo/{ticker}")
    define_passed("hidden", endpoint="echo/ours").groups.add(Group.objects.create(name="Desk"))
    refresh()
    for path in ("/echo/ours", "/echo/{ticker}?ticker=ours", "/echo/{other}?other=ours"):
        assert caller.get(path).status_code == 404
    assert upstream.received == []


def test_a_template_without_its_value_goes_on_as_it_is(
    caller: Client, define_passed: Define, upstream: Upstream
) -> None:
    define_passed("w", endpoint="echo/{ticker}")
    content(caller.get("/echo/{ticker}?ticker="))
    assert upstream.last.decoded == "echo/{ticker}"


# What comes back, by type


@pytest.mark.parametrize("kind", sorted(BODIES.keys() - {"ssrm_table", "table_ssrm", "omni", "multi_file_viewer"}))
def test_the_answer_of_a_type_comes_back_unchanged(caller: Client, define_passed: Define, kind: str) -> None:
    names = {"chart-highcharts": "highcharts", "chart-vegalite": "vegalite", "newsfeed": "news/", "iframe": "page",
             "metric": "key/figures/now", "markdown": "text/K%C3%B6ln%20b%C3%B6rse"}  # fmt: skip
    endpoint = names.get(kind, kind)
    define_passed("w", type=kind, endpoint=endpoint, raw=True if kind == "chart" else None)
    answer = caller.get(f"/{endpoint}?port=RIX")
    content_type, wanted = BODIES[kind]
    assert (answer.status_code, answer["Content-Type"]) == (200, content_type)
    got = content(answer)
    assert (json.loads(got) if content_type == JSON else got.decode()) == wanted


@pytest.mark.parametrize("kind", ["ssrm_table", "table_ssrm"])
def test_a_table_paged_by_the_upstream_sends_its_page_on(
    caller: Client, define_passed: Define, upstream: Upstream, kind: str
) -> None:
    define_passed("w", type=kind, endpoint="ssrm", params=[PORT])
    page = {
        "startRow": 0,
        "endRow": 100,
        "filterModel": {"port": {"filterType": "set", "values": [None]}},
        "port": "RIX",
    }
    assert body(posted(caller, "/ssrm", page)) == BODIES[kind][1]
    assert json.loads(upstream.last.body) == page


@pytest.mark.parametrize("encode", [lambda value: value, json.dumps])
def test_a_prompt_goes_on_as_an_object_or_as_a_text(caller: Client, define_passed: Define, encode: Any) -> None:
    define_passed("w", type="omni", endpoint="omni", params=[PROMPT])
    assert body(posted(caller, "/omni", encode({"prompt": "late vessels"}))) == BODIES["omni"][1]
    refused = posted(caller, "/omni", encode({}))
    assert (refused.status_code, refused.json()["error"]) == (422, "send prompt")


def test_files_are_asked_for_by_post(caller: Client, define_passed: Define) -> None:
    define_passed("w", type="multi_file_viewer", endpoint="files", params=[PORT, FILES])
    assert body(posted(caller, "/files", {"doc": ["tides"], "port": "RIX"})) == BODIES["multi_file_viewer"][1]
    assert body(caller.get("/documents?port=RIX&kind=pdf")) == OPTIONS


def test_after_a_form_the_widget_shows_the_change(caller: Client, define_passed: Define, upstream: Upstream) -> None:
    define_passed("w", endpoint="/arrivals", params=[PORT, FORM], staleTime=60_000)
    assert len(body(caller.get("/arrivals?port=RIX"))) == 1
    sent = posted(caller, "/log_arrival", {"vessel": "Aurora", "cargo": ["grain", "steel"], "add": True})
    assert (sent.status_code, body(sent)) == (200, {"success": True})
    assert body(caller.get("/arrivals?port=RIX"))[1]["vessel"] == "Aurora"
    refused = posted(caller, "/log_arrival", {"vessel": "", "add": True})
    assert (refused.status_code, refused.json()) == (400, {"detail": FORM_ERROR, "error": FORM_ERROR})


def test_options_come_from_the_upstream_for_fields_of_forms_too(caller: Client, define_passed: Define) -> None:
    define_passed("w", endpoint="/arrivals", params=[[PORT], [], [FORM]])
    for path in ("/ports", "/cargoes"):
        assert body(caller.get(path)) == OPTIONS
    assert caller.get("/documents").status_code == 404


@pytest.mark.parametrize("kind", ["advanced_charting", "advanced-chart"])
@pytest.mark.parametrize("endpoint", ["udf", "/udf", "/udf/"])
def test_a_chart_asks_below_its_endpoint(caller: Client, define_passed: Define, kind: str, endpoint: str) -> None:
    define_passed("w", type=kind, endpoint=endpoint)
    for call, wanted in UDF.items():
        assert body(caller.get(f"/udf/{call}?symbol=X%3AAAA&from=0&to=1")) == wanted
    assert caller.get("/udf/secrets").status_code == 404


def test_pictures_come_from_the_upstream(caller: Client, define_passed: Define) -> None:
    define_passed("w", endpoint="table", imgUrl="/pictures/table.png")
    answer = caller.get("/pictures/table.png")
    assert (answer["Content-Type"], content(answer)) == ("image/png", PICTURE)


def test_a_page_may_be_framed_but_has_no_part_in_this_backend(caller: Client, define_passed: Define) -> None:
    define_passed("w", type="iframe", endpoint="headers")
    answer = caller.get("/headers?theme=dark")
    assert content(answer).decode() == PAGE
    assert "X-Frame-Options" not in answer
    policy = answer["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in policy
    assert "frame-ancestors" not in policy
    assert answer["Content-Type"] == HTML


def test_headers_that_are_not_the_answers_own_stay_behind(caller: Client, define_passed: Define) -> None:
    define_passed("w", endpoint="headers")
    answer = caller.get("/headers", headers={"Origin": "https://pro.openbb.co"})
    assert answer["Access-Control-Allow-Origin"] == "https://pro.openbb.co"
    assert answer["Content-Disposition"] == "attachment; filename=a.csv"
    assert answer["Cache-Control"] == "no-store"
    assert not {"Set-Cookie", "Server"} & set(answer.headers)
    assert not answer.cookies


def test_an_answer_of_no_type_is_given_none(key: str, define_passed: Define) -> None:
    define_passed("once", endpoint="nothing")
    define_passed("kept", endpoint="nothing/kept", staleTime=60_000)
    with running() as (port, _):
        for path in ("/nothing", "/nothing/kept", "/nothing/kept"):
            answer = ask(port, path, X_API_KEY=key)
            assert (answer.body, answer.headers["Content-Type"]) == (b"what", None)


def test_an_agent_with_a_path_is_asked_by_post(key: str, upstream: Upstream) -> None:
    definition = {"name": "Pilot", "description": "d", "endpoints": {"query": "/agent/query"}, "features": {}}
    definition_publish(read_agent({"id": "pilot", "agent": definition, "upstream": "desk", "groups": []}), strict=False)
    refresh()
    upstream.go.set()
    with running() as (port, _):
        answer = ask(port, "/agent/query", "POST", b'{"messages": []}', X_API_KEY=key, Content_Type=JSON)
    assert (answer.status, answer.headers["Content-Type"]) == (200, EVENTS)
    assert answer.body == b"event: one\ndata: {}\n\nevent: two\ndata: {}\n\n"
    assert (upstream.last.method, upstream.last.body) == ("POST", b'{"messages": []}')


@pytest.mark.parametrize("status", [200, 201, 202])
def test_status_and_type_of_an_answer_are_kept(caller: Client, define_passed: Define, status: int) -> None:
    define_passed("w", endpoint="echo")
    answer = caller.post(f"/echo?status={status}&type=application/json")
    assert (answer.status_code, answer["Content-Type"]) == (status, JSON)


def test_answers_without_a_body_have_none(key: str, define_passed: Define, upstream: Upstream) -> None:
    define_passed("w", endpoint="echo")
    with running() as (port, _):
        empty = ask(port, "/echo?status=204", X_API_KEY=key)
        head = ask(port, "/echo", "HEAD", X_API_KEY=key)
        assert upstream.last.method == "HEAD"
        whole = ask(port, "/echo", X_API_KEY=key)
    assert (empty.status, empty.body) == (204, b"")
    assert "Content-Length" not in empty.headers
    assert "Transfer-Encoding" not in empty.headers
    assert (head.status, head.body, head.headers["Content-Type"]) == (200, b"", JSON)
    assert int(head.headers["Content-Length"]) > 0
    assert int(whole.headers["Content-Length"]) == len(whole.body)


# Streams


def test_the_first_piece_arrives_before_the_second_is_sent(key: str, define_passed: Define, upstream: Upstream) -> None:
    define_passed("w", endpoint="agent")
    with running() as (port, _), closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as client:
        client.request("POST", "/agent", b"{}", {"X-API-KEY": key})
        answer = client.getresponse()
        assert answer.readline() == b"event: one\n"
        assert not upstream.go.is_set()
        upstream.go.set()
        assert answer.read().endswith(b"event: two\ndata: {}\n\n")


@pytest.mark.parametrize("declared", ["&declared=1", ""])
def test_thirty_megabytes_come_back(key: str, define_passed: Define, declared: str) -> None:
    define_passed("w", endpoint="large", staleTime=60_000)
    with running() as (port, _):
        answer = ask(port, f"/large?mb=30{declared}", X_API_KEY=key)
    assert answer.body == b"".join(bytes([number]) * MB for number in range(30))
    assert answer.headers["Content-Length"] == (str(30 * MB) if declared else None)


def test_thirty_megabytes_go_on(key: str, define_passed: Define, upstream: Upstream) -> None:
    define_passed("w", endpoint="echo")
    sent = bytes(range(256)) * (30 * MB // 256)
    with running() as (port, _):
        answer = ask(port, "/echo", "POST", sent, X_API_KEY=key)
    assert json.loads(answer.body)["bytes"] == 30 * MB
    assert upstream.last.body == sent
    assert upstream.last.headers["content-length"] == str(30 * MB)


# Which widget, which upstream


def test_a_steady_request_that_goes_on_makes_no_query(caller: Client, define_passed: Define) -> None:
    define_passed("once", endpoint="echo")
    define_passed("kept", endpoint="echo/kept", staleTime=60_000)
    define_passed("arrivals", endpoint="/arrivals", params=[PORT, FORM])
    paths = ["/echo", "/echo/kept", "/ports", "/arrivals?port=RIX"]
    for path in paths:
        content(caller.get(path))
    with CaptureQueriesContext(connection) as queries:
        answers = [content(caller.get(path)) for path in paths]
        content(posted(caller, "/log_arrival", {"vessel": "A"}))
    assert len(queries) == 0
    assert all(answers)


def test_a_local_widget_wins_over_one_of_an_upstream_on_the_same_path(
    caller: Client, define_query: Define, define_widget: Define, define_passed: Define, upstream: Upstream
) -> None:
    define_query()
    define_query("ports", "select 'here' as value", options_path="ports")
    define_passed("theirs", endpoint="table", params=[PORT])
    define_widget("ours", endpoint="table", query="prices", params=[PORT])
    assert body(caller.get("/table?port=RIX"))[0]["ticker"] == "AAA"
    assert body(caller.get("/ports")) == [{"value": "here", "label": "here"}]
    assert upstream.received == []


def test_widgets_on_one_endpoint_each_send_their_own_parameters(
    caller: Client, define_passed: Define, upstream: Upstream
) -> None:
    define_passed("a", endpoint="echo?kind=a", params=[{"paramName": "a", "type": "number", "min": 5}])
    define_passed("b", endpoint="/echo?kind=b", params=[{"paramName": "b", "optional": False}])
    for query in ("kind=a&a=1", "kind=b&b=x", "kind=c"):
        assert caller.get(f"/echo?{query}").status_code == 200
        assert upstream.last.query == query


@pytest.mark.django_db(transaction=True)
def test_an_edited_source_is_asked_at_once(caller: Client, define_passed: Define, desk: Source) -> None:
    define_passed("w", endpoint="table", staleTime=60_000)
    content(caller.get("/table?port=RIX&least=1"))
    other = Upstream({"w": {"name": "w", "type": "note", "endpoint": "/v2/table"}})
    with serving(other) as (port, _):
        desk.options = {"url": f"http://127.0.0.1:{port}/v2", "private_hosts": ["127.0.0.1"]}
        desk.secrets = seal({"headers": {"X-Other": "other-0815-secret"}})
        desk.save()
        catalog.check()
        assert body(caller.get("/table?port=RIX&least=1")) == "A note."
        assert other.last.headers["x-other"] == "other-0815-secret"
        assert "x-desk-key" not in other.last.headers
