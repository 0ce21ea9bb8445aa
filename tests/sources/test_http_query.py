"""Queries ask an API: values stay where they belong, pages follow each other, and what didn't change isn't sent again."""

from __future__ import annotations

import datetime
import email.utils
import functools
import gzip
import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.loopback import eventually
from tests.sources.api import TOKEN, Api, Asked, Given, run, served, source_at
from widgets_app.errors import BadRequest, Busy, DefinitionError, RequestError, SourceFailed, SourceTimeout
from widgets_app.sources import http_query
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.http_query import Kept
from widgets_app.sources.limits import Slots


@pytest.fixture
def api() -> Iterator[Api]:
    with served() as api:
        yield api


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a moment only before another try."""
    monkeypatch.setattr(http_query, "BACKOFF_SECONDS", 0.01)


def refused(api: Api, text: str, kind: type[RequestError] = SourceFailed, **more: Any) -> str:
    with pytest.raises(kind) as raised:
        api.ask(text, **more)
    message = str(raised.value)
    assert TOKEN not in message
    assert "127.0.0.1" not in message
    return message


# Values in requests


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("AAA", "AAA"),
        ("BRK.B", "BRK.B"),
        ("a/b?c#d", "a%2Fb%3Fc%23d"),
        ("a b+c%2F&=;", "a%20b%2Bc%252F%26%3D%3B"),
        ("äöü 株", "%C3%A4%C3%B6%C3%BC%20%E6%A0%AA"),
        ("https://evil.example/", "https:%2F%2Fevil.example%2F"),
        ("@evil.example", "@evil.example"),
        ("...", "..."),
        (("AAA", "BBB"), "AAA,BBB"),
        (12, "12"),
        (2.0, "2"),
        (1e-7, "1e-07"),
        (True, "true"),
        (datetime.date(2026, 1, 31), "2026-01-31"),
        (datetime.datetime(2026, 1, 31, 10, 30, tzinfo=datetime.UTC), "2026-01-31T10:30:00%2B00:00"),
    ],
)
def test_a_value_stays_one_part_of_the_path(value: Any, sent: str, api: Api):
    api.ask("GET /prices/:ticker/last", base="/v1", ticker=value)
    assert api.asked[0].raw_path == f"/v1/prices/{sent}/last"
    assert api.asked[0].query == ""


@pytest.mark.parametrize(
    "value",
    [
        ".", "..", "../admin", "a/../b", "..\\admin", "%2e%2e", "%252e%252e/x", "..%2f..", "%25252e%25252e", ".%2e/",
        "\uff0e\uff0e", "\u2025/admin", "a/\uff0e\uff0e/b", "a\r\nX-Evil: 1", "a\0b", "a\x7f", "\n",
    ],
)  # fmt: skip
def test_a_value_that_leads_to_another_path_is_refused(value: str, api: Api):
    message = refused(api, "GET /prices/:ticker", BadRequest, ticker=value)
    assert '"ticker"' in message
    assert not api.asked


@pytest.mark.parametrize("value", [None, "", ()])
def test_a_path_needs_its_values(value: Any, api: Api):
    message = refused(api, "GET /prices/:ticker", BadRequest, ticker=value)
    assert message == 'The path of the request needs a value for "ticker". Send one.'
    assert not api.asked


def test_parts_of_values_do_not_make_a_step_together(api: Api):
    refused(api, "GET /a/.:x", BadRequest, x=".")
    assert not api.asked


@pytest.mark.parametrize(
    "value", ["a&b=c", "a#b", "a=b", "a b", "a+b", "%26", "a\r\nX-Evil: 1", "株", "?", "..", "a\0", ";x=1"]
)
def test_a_value_stays_in_its_parameter(value: str, api: Api):
    api.ask("GET /prices?ticker=:ticker&limit=5", ticker=value)
    assert api.asked[0].pairs == [("ticker", value), ("limit", "5")]
    assert "x-evil" not in api.asked[0].headers


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_value_arrives_as_it_is_or_is_refused(api: Api, value: str):
    api.asked.clear()
    api.ask("GET /p?a=:a&b=1", a=value)
    assert api.asked[0].pairs == [("a", value), ("b", "1")]


def test_an_empty_parameter_is_left_out(api: Api):
    text = "GET /p?a=:a&b=x-:b&c=&d=:d&e=1"
    api.ask(text, a=None, b="", d=())
    assert api.asked[0].query == "c=&e=1"
    api.ask(text, a=0, b=False, d="x")
    assert api.asked[1].query == "a=0&b=x-false&c=&d=x&e=1"


def test_lists_are_joined_or_repeated(api: Api):
    api.ask("GET /p?a=:a", a=("x,y", "z"))
    api.ask("GET /p?a=:a&b=n:%20:a\nlists: repeated", a=("x", "z"))
    assert [asked.query for asked in api.asked] == ["a=x,y,z", "a=x&a=z&b=n:%20:a"]


def test_what_the_author_wrote_is_sent_as_it_is(api: Api):
    api.ask("GET /a%2Fb/ü?c=%26+d&e=f:g&h=[1]")
    assert (api.asked[0].raw_path, api.asked[0].query) == ("/a%2Fb/%C3%BC", "c=%26+d&e=f:g&h=[1]")


def test_headers_of_the_query_and_of_the_source_are_sent(api: Api):
    text = "GET /p\nheader: Accept-Language: :language\nheader: X-Region: eu-:region\nheader: Accept: application/vnd.x+json"
    api.ask(text, language="de", region=None)
    sent = api.asked[0].headers
    assert (sent["accept-language"], sent["accept"]) == ("de", "application/vnd.x+json")
    assert sent["authorization"] == f"Bearer {TOKEN}"
    assert "x-region" not in sent


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "\0", "Ā"])
def test_a_value_can_not_add_a_header(value: str, api: Api):
    message = refused(api, "GET /p\nheader: X-Region: :region", BadRequest, region=value)
    assert "The header X-Region can't have that value" in message
    assert not api.asked


def test_a_query_can_not_set_the_headers_of_the_source(api: Api):
    with pytest.raises(DefinitionError, match="The source sets the header authorization"):
        source_at(api.port).prepare("GET /p\nheader: authorization: Bearer :own")


def test_secret_parameters_of_the_source_are_added_to_each_page(api: Api):
    def answer(asked: Asked) -> Any:
        link = "/p?page=2&api_key=old" if "page" not in asked.values else None
        return {"items": [{"n": 1}], "next": link}

    api.answer = answer
    source = source_at(api.port, parameters={"api_key": "hush&hush"})
    run(source, "GET /p?a=:a\nrows: items\nnext: next", a="x")
    assert [asked.pairs for asked in api.asked] == [
        [("a", "x"), ("api_key", "hush&hush")],
        [("page", "2"), ("api_key", "hush&hush")],
    ]
    with pytest.raises(DefinitionError, match="The source sets the parameter api_key"):
        source.prepare("GET /p?api_key=:own")
    with pytest.raises(ValidationError, match="name a parameter with letters"):
        source_at(api.port, parameters={"a&b": "x"})


def test_a_secret_parameter_is_in_no_message(api: Api, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    source = source_at(api.port, parameters={"api_key": "hush-hush"})
    answers = (Given({"detail": "Wrong api_key=hush-hush"}, 400), Given(b"hush-hush"), Given(b"<hush-hush>", 500))
    for answer in answers:
        api.answer = functools.partial(lambda given, _: given, answer)
        with pytest.raises(RequestError) as raised:
            run(source, "GET /p/:a", a="x")
        assert "hush-hush" not in str(raised.value)
    # The server of the test keeps a log of its own.
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
    assert ours
    assert "hush-hush" not in "".join(ours)
    assert "hush-hush" not in repr(source.options)


def test_a_body_holds_values_as_json(api: Api):
    text = 'POST /graphql\nbody: {"query": "q :x", "variables": {"t": :t, "n": :n, "d": :d, "l": :l, "e": :e, "b": :b}}'
    values: dict[str, Any] = {
        "t": '","x":"',
        "n": 5,
        "d": datetime.date(2026, 1, 31),
        "l": ("a", "b"),
        "e": None,
        "b": True,
    }
    api.ask(text, **values)
    asked = api.asked[0]
    assert (asked.method, asked.headers["content-type"]) == ("POST", "application/json")
    assert json.loads(asked.body) == {
        "query": "q :x", "variables": {**values, "d": "2026-01-31", "l": ["a", "b"]}
    }  # fmt: skip


def test_a_post_without_a_body_says_so(api: Api):
    api.ask("POST /search?a=:a", a=1)
    assert (api.asked[0].headers["content-length"], api.asked[0].query) == ("0", "a=1")
    assert "content-type" not in api.asked[0].headers


def test_a_compressed_answer_is_read(api: Api):
    api.answer = lambda _: Given(gzip.compress(b'[{"a": 1}]'), headers={"content-encoding": "gzip"})
    assert api.ask("GET /p").rows() == [{"a": 1}]
    assert api.asked[0].headers["accept-encoding"] == "gzip"


def test_no_content_is_no_rows(api: Api):
    api.answer = lambda _: Given(status=204)
    assert api.ask("GET /p\nrows: data").rows() == []


def test_values_that_a_caller_holds_narrow_the_request_and_a_star_does_not(api: Api):
    text = "GET /p?desk=:key_desk&a=1\nheader: X-Desk: :key_desk"
    api.ask(text, key_desk=("x&a=2", "y"))
    api.ask(text, key_desk=None)
    assert [asked.query for asked in api.asked] == ["desk=x%26a%3D2,y&a=1", "a=1"]
    assert [asked.headers.get("x-desk") for asked in api.asked] == ["x&a=2,y", None]
    refused(api, "GET /p/:key_desk", BadRequest, key_desk=None)


@pytest.mark.parametrize("held", [(), ("",), ("x", ""), ("x,y",)])
def test_values_that_a_caller_holds_are_never_taken_for_more(held: Any, api: Api):
    message = refused(api, "GET /p?desk=:key_desk", BadRequest, key_desk=held)
    assert message.startswith('A row value "desk" is empty or has a comma in it')
    assert not api.asked
    if held == ("x,y",):
        api.ask("GET /p?desk=:key_desk\nlists: repeated", key_desk=held)
        api.ask('POST /p\nbody: {"desk": :key_desk}', key_desk=held)
        assert api.asked[0].pairs == [("desk", "x,y")]
        assert json.loads(api.asked[1].body) == {"desk": ["x,y"]}


# Pages

NUMBERS = list(range(25))


def pages_of(asked: Asked, size: int = 10) -> list[dict[str, int]]:
    start = (int(asked.values.get("page", 1)) - 1) * size
    return [{"n": n} for n in NUMBERS[start : start + size]]


def numbers(api: Api, text: str, **more: Any) -> list[int]:
    return [row["n"] for row in api.ask(text, **more).rows()]


def test_pages_are_counted_to_an_empty_one(api: Api):
    api.answer = pages_of
    assert numbers(api, "GET /p?page=1&size=10\nnext: page + 1") == NUMBERS
    assert [asked.values["page"] for asked in api.asked] == ["1", "2", "3", "4"]
    assert all(asked.values["size"] == "10" for asked in api.asked)


def test_rows_are_counted(api: Api):
    api.answer = lambda asked: {"items": [{"n": n} for n in NUMBERS[int(asked.values["from"]) :][:7]]}
    assert numbers(api, "GET /p?from=:start\nrows: items\nnext: from + rows", start=3) == NUMBERS[3:]
    assert [asked.values["from"] for asked in api.asked] == ["3", "10", "17", "24", "25"]


def test_a_count_in_a_body_goes_on_there(api: Api):
    def answer(asked: Asked) -> Any:
        return [{"n": n} for n in NUMBERS[json.loads(asked.body)["range"]["from"] :][:10]]

    api.answer = answer
    assert numbers(api, 'POST /p\nnext: range.from + rows\nbody: {"range": {"from": 0}, "q": "x"}') == NUMBERS
    assert json.loads(api.asked[-1].body) == {"range": {"from": 25}, "q": "x"}


def test_a_page_that_is_not_there_ends_them(api: Api):
    api.answer = lambda asked: pages_of(asked) or Given(b"Invalid page", status=404)
    assert numbers(api, "GET /p?page=1\nnext: page + 1") == NUMBERS
    assert "404" in refused(api, "GET /p?page=9\nnext: page + 1")


def test_an_api_that_ignores_the_page_is_read_once(api: Api):
    api.answer = lambda _: [{"n": 1}]
    assert numbers(api, "GET /p?page=1\nnext: page + 1") == [1]
    assert len(api.asked) == 2


@pytest.mark.parametrize("cursor", ["c/&=?", 7])
def test_a_cursor_goes_into_the_next_request(cursor: Any, api: Api):
    def answer(asked: Asked) -> Any:
        is_second = "after" in asked.values
        return {"data": [{"n": 2 if is_second else 1}], "meta": {"next": None if is_second else cursor}}

    api.answer = answer
    assert numbers(api, "GET /p?limit=1\nrows: data\nnext: after = meta.next") == [1, 2]
    assert api.asked[1].values == {"limit": "1", "after": str(cursor)}


def test_a_cursor_goes_into_a_body(api: Api):
    def answer(asked: Asked) -> Any:
        after = json.loads(asked.body)["variables"].get("after")
        return {"data": {"items": [{"n": after or 0}], "page": {"end": 1 if after is None else ""}}}

    api.answer = answer
    text = 'POST /graphql\nrows: data.items\nnext: variables.after = data.page.end\nbody: {"query": "q", "variables": {"size": :size}}'
    assert numbers(api, text, size=10) == [0, 1]
    assert json.loads(api.asked[1].body) == {"query": "q", "variables": {"size": 10, "after": 1}}


def test_links_lead_to_the_next_page(api: Api):
    def answer(asked: Asked) -> Any:
        page = int(asked.values.get("page", 1))
        return {"items": [{"n": page}], "links": {"next": f"?page={page + 1}" if page < 3 else None}}

    api.answer = answer
    assert numbers(api, "GET /p\nrows: items\nnext: links.next", base="/v1") == [1, 2, 3]
    assert [asked.raw_path for asked in api.asked] == ["/v1/p"] * 3
    assert all(asked.headers["authorization"].endswith(TOKEN) for asked in api.asked)


@pytest.mark.parametrize(
    "link",
    [
        '<{0}/v1/p?page=2>; rel="next"',
        "</v1/p?page=2>; rel=next",
        '</v1/p?page=0>; rel="prev", </v1/p?page=2>; title="a, b"; rel="last next"',
        '</v1/p?page=0>;rel="next-archive",<p?page=2>;REL="Next"',
        "<" * 20_000 + "/v1/p?page=2>;rel=next",
    ],
)
def test_a_link_header_leads_to_the_next_page(link: str, api: Api):
    def answer(asked: Asked) -> Any:
        more = {} if "page" in asked.values else {"link": link.format(f"http://127.0.0.1:{api.port}")}
        return Given([{"n": 2 if "page" in asked.values else 1}], headers=more)

    api.answer = answer
    assert numbers(api, "GET /p\nnext: link header", base="/v1") == [1, 2]


@pytest.mark.parametrize(
    "link",
    [
        "http://evil.example/v1/p", "//evil.example/v1/p", "https://127.0.0.1:{port}/v1/p", "http://127.0.0.1:1/v1/p",
        "http://127.0.0.1@evil.example/v1/p", "http://u:p@127.0.0.1:{port}/v1/p", "/v2/p", "/v1", "/v1p", "/",
        "/v1/../v2", "/v1/%2e%2e/v2", "/v1/%252e%252e/v2", "/v1/..\\v2", "/v1/a%2f..%2f..%2fv2", "../../v2",
        "file:///etc/passwd", "gopher://127.0.0.1:{port}/v1/p", "javascript:1", "http://[::1", "/v1/p\r\nX-Evil: 1",
        "http://localhost:{port}/v1/p", "http://127.1:{port}/v1/p", "http://2130706433:{port}/v1/p",
        "http://[::ffff:127.0.0.1]:{port}/v1/p", "http://127.0.0.1.:{port}/v1/p", "http://127.0.0.1:{port}@evil.example/",
    ],
)  # fmt: skip
def test_a_link_to_elsewhere_is_not_followed(link: str, api: Api):
    api.answer = lambda _: {"items": [{"n": 1}], "next": link.format(port=api.port)}
    message = refused(api, "GET /p\nrows: items\nnext: next", base="/v1")
    assert "names a next page that is not below the address of the source" in message
    assert len(api.asked) == 1


def test_a_link_that_is_no_text_ends_the_pages(api: Api):
    api.answer = lambda _: {"items": [{"n": 1}], "next": False}
    assert numbers(api, "GET /p\nrows: items\nnext: next") == [1]


@pytest.mark.parametrize("text", ["GET /p\nrows: items\nnext: next", "GET /p\nrows: items\nnext: a = cursor"])
def test_pages_in_a_circle_are_noticed(text: str, api: Api):
    def answer(asked: Asked) -> Any:
        other = "b" if asked.values.get("a") == "a" else "a"
        return {"items": [{"n": 1}], "next": f"/p?a={other}", "cursor": other}

    api.answer = answer
    assert "names the same next page twice. Correct next in the query." in refused(api, text)
    assert len(api.asked) == 3


def test_pages_end_at_the_rows_that_are_wanted(api: Api):
    api.answer = lambda asked: [{"n": int(asked.values["page"])}] * 10
    found = api.ask("GET /p?page=1\nnext: page + 1", limits=Limits(seconds=60, rows=25))
    assert (found.row_count, found.truncated, len(api.asked)) == (25, True, 3)


def test_pages_end_at_the_number_of_pages(api: Api):
    api.answer = lambda asked: [{"n": int(asked.values["page"])}]
    found = api.ask("GET /p?page=1\nnext: page + 1\npages: 4")
    assert (found.row_count, found.truncated, len(api.asked)) == (4, True, 4)


def test_pages_that_fit_are_whole(api: Api):
    api.answer = pages_of
    assert not api.ask("GET /p?page=1\nnext: page + 1\npages: 4").truncated


def test_pages_end_at_the_size_that_is_allowed(api: Api):
    api.answer = lambda asked: [{"n": asked.values["page"], "text": "x" * 1000}]
    found = api.ask("GET /p?page=1\nnext: page + 1", limits=Limits(seconds=60, bytes=3500))
    assert (found.row_count, found.truncated) == (3, True)


def test_pages_end_at_the_time_limit(api: Api):
    pause = threading.Event()
    api.answer = lambda asked: pause.wait(0.05) or [{"n": asked.values["page"]}]
    slots = Slots("market", 1)
    with pytest.raises(SourceTimeout, match=r"took longer than 0\.5 s"):
        run(source_at(api.port), "GET /p?page=1\nnext: page + 1", limits=Limits(seconds=0.5), slots=slots)
    eventually(lambda: slots.taken == 0)


def test_a_page_that_is_no_number_is_told(api: Api):
    api.answer = lambda _: [{"n": 1}]
    message = refused(api, "GET /p?page=:page\nnext: page + 1", BadRequest, page="x")
    assert message == '"page" counts pages, and so has to be a whole number. Send one.'


# Another try


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_failure_that_passes_is_tried_again(status: int, api: Api):
    api.answer = lambda _: Given(b"busy", status=status) if len(api.asked) < 3 else [{"a": 1}]
    assert api.ask("GET /p").rows() == [{"a": 1}]
    assert len(api.asked) == 3


@pytest.mark.parametrize(("status", "times"), [(503, 3), (500, 1), (501, 1), (400, 1), (401, 1), (404, 1), (408, 1)])
def test_other_failures_are_not_and_none_forever(status: int, times: int, api: Api):
    api.answer = lambda _: Given(b"no", status=status)
    refused(api, "GET /p")
    assert len(api.asked) == times


def test_a_post_is_never_sent_twice(api: Api):
    api.answer = lambda _: Given(b"busy", status=503)
    refused(api, "POST /p")
    assert len(api.asked) == 1


def test_a_wait_that_is_asked_for_is_kept(api: Api):
    api.answer = lambda _: Given(status=429, headers={"retry-after": "1"}) if len(api.asked) < 2 else []
    started = time.monotonic()
    assert api.ask("GET /p").rows() == []
    assert time.monotonic() - started >= 1


def test_a_wait_beyond_the_time_limit_is_not_begun(api: Api):
    api.answer = lambda _: Given(status=429, headers={"retry-after": "3600"})
    with pytest.raises(Busy) as raised:
        api.ask("GET /p", limits=Limits(seconds=30))
    assert (len(api.asked), raised.value.retry_after) == (1, 3600)
    assert str(raised.value) == (
        'The API "market" takes no more requests for now: 429 (Too Many Requests). Try again in 3600 s.'
    )


@pytest.mark.parametrize(("seconds", "told"), [(100, range(90, 102)), (-100, [60]), (10**8, [60])])
def test_a_wait_may_be_given_as_a_date(seconds: int, told: Any, api: Api):
    date = email.utils.formatdate(time.time() + seconds, usegmt=True)
    api.answer = lambda _: Given(status=429, headers={"retry-after": date})
    with pytest.raises(Busy) as raised:
        api.ask("GET /p", limits=Limits(seconds=30))
    assert raised.value.retry_after in told


def test_who_cancels_does_not_wait_for_another_try(api: Api):
    api.answer = lambda _: Given(status=429, headers={"retry-after": "20"})
    call = Call()

    def cancel() -> None:
        eventually(lambda: len(api.asked) == 1)
        for stop in call.on_cancel:
            stop()

    thread = threading.Thread(target=cancel)
    thread.start()
    started = time.monotonic()
    with pytest.raises(SourceTimeout):
        source_at(api.port).prepare("GET /p").run({}, Limits(seconds=60), call)
    thread.join()
    assert time.monotonic() - started < 15
    assert len(api.asked) == 1


# Statuses


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (401, SourceFailed, "refuses the login of the source with 401 (Unauthorized). Check its headers."),
        (403, SourceFailed, "refuses the login of the source with 403 (Forbidden). Check its headers."),
        (404, BadRequest, "answered 404 (Not Found): Check the path of the query and the values of the request."),
        (422, BadRequest, "answered 422 (Unprocessable Entity): Check the path"),
        (405, SourceFailed, "answered 405 (Method Not Allowed). Check the request of the query."),
        (500, SourceFailed, "failed with 500 (Internal Server Error). Try again later, or look into its log."),
        (503, SourceFailed, "failed with 503 (Service Unavailable)."),
        (504, SourceTimeout, "failed with 504 (Gateway Timeout)."),
        (304, SourceFailed, "answered 304 (Not Modified)."),
        (302, SourceFailed, "answered 302 (Found)."),
    ],
)
def test_a_status_is_told_in_one_line(status: int, kind: type[RequestError], message: str, api: Api):
    body = b"" if status == 304 else b"<html>Traceback of 10.0.0.5</html>"
    api.answer = lambda _: Given(body, status=status, headers={"content-type": "text/html"})
    told = refused(api, "GET /p/:a", kind, a=1)
    assert message in told
    assert "10.0.0.5" not in told


def test_a_reason_is_told_where_the_values_are_at_fault(api: Api):
    reason = {"detail": f"No such ticker; token was {TOKEN}, desk was desk-of-ana"}
    api.answer = lambda _: Given(gzip.compress(json.dumps(reason).encode()), 422, {"content-encoding": "gzip"})
    message = refused(api, "GET /p/:a", BadRequest, a="x")
    assert message == (
        'The API "market" answered 422 (Unprocessable Entity): No such ticker; token was …, desk was desk-of-ana'
    )
    api.answer = lambda _: Given({"detail": "The database at 10.0.0.5 is away."}, 500)
    assert "10.0.0.5" not in refused(api, "GET /p/:a", a="x")


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_a_reason_tells_no_part_of_a_secret_however_it_is_written(api: Api, kind: str):
    secret = "tide+table/4711=="

    def answer(asked: Asked) -> Given:
        told = f"No {asked.raw_path} with {asked.query} or {asked.values['key']}"
        body = json.dumps({"detail": told}).encode() if kind == "application/json" else told.encode()
        return Given(body, 404, {"content-type": kind})

    api.answer = answer
    source = source_at(api.port, parameters={"key": secret})
    for length in range(430, 500):
        with pytest.raises(BadRequest) as caught:
            run(source, "GET /p?a=:a", a="x" * length)
        assert "tide" not in str(caught.value).lower()
        assert "4711" not in str(caught.value)


def test_a_reason_that_nobody_can_read_leaves_the_status(api: Api):
    api.answer = lambda _: Given(b"brotli", 404, {"content-encoding": "br"})
    assert "answered 404 (Not Found): Check the path" in refused(api, "GET /p/:a", BadRequest, a="x")


def test_a_path_without_values_is_the_fault_of_the_query(api: Api):
    api.answer = lambda _: Given(status=404)
    assert "Check the path of the query" in refused(api, "GET /p", SourceFailed)


# What did not change


def test_an_answer_that_did_not_change_is_not_sent_again(api: Api):
    def answer(asked: Asked) -> Any:
        if asked.headers.get("if-none-match") == '"1"':
            return Given(status=304)
        return Given(
            [{"a": asked.values["a"]}], headers={"etag": '"1"', "last-modified": "Mon, 23 Nov 2026 10:00:00 GMT"}
        )

    api.answer = answer
    source = source_at(api.port)
    for value in ("x", "x", "y", "x"):
        assert run(source, "GET /p?a=:a", a=value).rows() == [{"a": value}]
    assert [asked.headers.get("if-none-match") for asked in api.asked] == [None, '"1"', None, '"1"']
    assert api.asked[1].headers["if-modified-since"] == "Mon, 23 Nov 2026 10:00:00 GMT"
    # Other settings of the query read the same answer in another way.
    assert run(source, "GET /p?a=:a\ncolumns: a as b", a="x").rows() == [{"b": "x"}]
    assert len(api.asked) == 5


@pytest.mark.parametrize(
    "more", [{"cache-control": "private, no-store"}, {"vary": "*"}, {"etag": ""}, {"etag": "", "expires": "0"}]
)
def test_what_may_not_be_kept_is_asked_for_anew(more: dict[str, str], api: Api):
    api.answer = lambda _: Given([], headers={"etag": '"1"', **more})
    source = source_at(api.port)
    for _ in range(2):
        run(source, "GET /p")
    assert "if-none-match" not in api.asked[1].headers


def test_a_query_with_other_headers_has_answers_of_its_own(api: Api):
    api.answer = lambda _: Given([], headers={"etag": '"1"'})
    source = source_at(api.port)
    for language in ("de", "en"):
        run(source, "GET /p\nheader: Accept-Language: :language", language=language)
    assert "if-none-match" not in api.asked[1].headers


def test_a_post_is_not_kept(api: Api):
    api.answer = lambda _: Given([], headers={"etag": '"1"'})
    source = source_at(api.port)
    for _ in range(2):
        run(source, "POST /p")
    assert "if-none-match" not in api.asked[1].headers


def test_what_is_kept_has_a_bound():
    content = http_query.Content(200, "", b"x" * 10, (), source_at(1)._base)
    kept = Kept(35)
    for key in (b"a", b"b", b"c"):
        kept.put(key, content)
    assert kept.get(b"a")
    kept.put(b"d", content)
    assert [bool(kept.get(key)) for key in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    kept.put(b"e", http_query.Content(200, "", b"x" * 36, (), content.address))
    assert kept.get(b"e") is None
    kept.put(b"a", http_query.Content(200, "", b"x" * 35, (), content.address))
    assert [bool(kept.get(key)) for key in (b"a", b"c", b"d")] == [True, False, False]
