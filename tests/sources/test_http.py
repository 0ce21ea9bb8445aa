"""Requests are sent on to an upstream, its answers come back as they are, and its failures become one clear line."""

from __future__ import annotations

import json
import logging
import queue
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.loopback import PATIENCE, eventually, free_port, serving
from tests.sources.wire import head, plain, says, until_closed, wired
from widgets_app.errors import (
    BadRequest,
    Busy,
    RequestError,
    SourceFailed,
    SourceTimeout,
    UpstreamRefused,
)
from widgets_app.sources import http
from widgets_app.sources.base import Answer, Call, Forward, Limits, UpstreamBackend
from widgets_app.sources.http import HttpBackend, HttpOptions
from widgets_app.sources.limits import Slots
from widgets_app.sources.registry import backend_class

SECRET = "hush-hush"
MB = 1024 * 1024

Reply = tuple[int, str, bytes]


class Upstream:
    """An ASGI application that notes what it is asked, and answers what a test wants."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.answer: Callable[[str], Reply] = lambda _path: (200, "application/json", b"[]")
        self.more: list[tuple[bytes, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Take the whole request, then answer."""
        self.asked.append(scope)
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        status, kind, content = self.answer(scope["path"])
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(content)).encode()), *self.more]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the last request."""
        return {name.decode(): value.decode("latin-1") for name, value in self.asked[-1]["headers"]}


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def port(upstream: Upstream) -> Iterator[int]:
    with serving(upstream) as (port, _):
        yield port


@pytest.fixture
def slots() -> Iterator[Slots]:
    """Slots that are all free again after every test."""
    made = Slots("legacy", 2)
    yield made
    eventually(lambda: made.taken == 0)


def backend_at(port: int, path: str = "", **options: Any) -> HttpBackend:
    options = {"headers": {"X-Key": SECRET}, "private_hosts": ["127.0.0.1"], **options}
    return HttpBackend("legacy", HttpOptions(url=f"http://127.0.0.1:{port}{path}", **options))


def send(backend: HttpBackend, slots: Slots, forward: Forward, seconds: float = PATIENCE, call: Any = None) -> Answer:
    return backend.send(forward, limits=Limits(seconds=seconds), slots=slots, call=call or Call(), what="It")


def ask(
    port: int, slots: Slots, path: str = "data", method: str = "GET", *, seconds: float = PATIENCE, **more: Any
) -> tuple[Answer, bytes]:
    """Send a request and read the answer whole."""
    fields = {name: more.pop(name) for name in ("query", "content_type", "body", "length") if name in more}
    answer = send(backend_at(port, **more), slots, Forward(method, path, **fields), seconds)
    return answer, b"".join(answer.chunks)


def refused(port: int, slots: Slots, kind: type[RequestError] = SourceFailed, **more: Any) -> RequestError:
    with pytest.raises(kind) as raised:
        ask(port, slots, **more)
    return raised.value


def test_it_is_a_kind_of_source_for_queries_and_for_what_is_passed_on():
    assert backend_class("http") is HttpBackend
    assert issubclass(HttpBackend, UpstreamBackend)
    assert backend_at(1).prepare("GET /prices/:ticker").placeholders == ("ticker",)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://widgets.example.com/", "https://widgets.example.com"),
        ("HTTP://Widgets.Example.com:80/a/b//", "http://widgets.example.com/a/b"),
        (" http://localhost:7780/api ", "http://localhost:7780/api"),
        ("http://[::1]:7780", "http://[::1]:7780"),
    ],
)
def test_the_address_is_kept_in_one_form(url: str, kept: str):
    assert HttpOptions(url=url).url == kept


@pytest.mark.parametrize(
    ("options", "field", "reason"),
    [
        ({}, "url", "enter the address"),
        ({"url": " "}, "url", "enter the address"),
        ({"url": "widgets.example.com"}, "url", "http://"),
        ({"url": "https://a.example/?api_key=hush-hush"}, "url", "belongs into a header"),
        ({"url": "https://a.example/#top"}, "url", "leave out"),
        ({"url": "https://ana:hush-hush@a.example/"}, "url", "user name or a password"),
        ({"url": "https://a.example/a/../b"}, "url", r"leave \. and \.\. out"),
        ({"headers": {"X Y": SECRET}}, "headers", "name of a header"),
        ({"headers": {"X-Key": f"{SECRET}\n"}}, "headers", "line breaks"),
        ({"headers": {"Host": SECRET}}, "headers", "set for each request"),
        ({"private_hosts": ["http://localhost"]}, "private_hosts", "A host is a name"),
        ({"max_mb": 0}, "max_mb", "greater than or equal to 1"),
        ({"redirects": 11}, "redirects", "less than or equal to 10"),
        ({"verify": False}, "verify", "Extra inputs"),
    ],
)
def test_options_that_cannot_be_used_are_refused_without_showing_secrets(options: Any, field: str, reason: str):
    with pytest.raises(ValidationError, match=reason) as raised:
        HttpOptions.model_validate({"url": "https://a.example", **options} if options else {})
    assert [fault["loc"][0] for fault in raised.value.errors()] == [field]
    assert SECRET not in str(raised.value)


def test_headers_are_secret_options_that_do_not_show():
    options = HttpOptions(url="https://a.example", headers={"X-Key": SECRET})  # type: ignore[dict-item]  # parsed
    assert HttpOptions.secret == {"headers", "parameters"}
    assert SECRET not in f"{options} {options!r} {options.model_dump_json()}"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
def test_every_method_is_sent_with_its_body(method: str, port: int, slots: Slots, upstream: Upstream):
    upstream.answer = lambda _path: (201, "application/json", b'{"a": 1}')
    sends = method in ("POST", "PUT", "PATCH")
    fields: dict[str, Any] = (
        {"body": [b"ab", b"c"], "length": 3, "content_type": "text/x; charset=utf-8"} if sends else {}
    )
    answer, body = ask(port, slots, method=method, **fields)
    assert (upstream.asked[0]["method"], upstream.bodies[0]) == (method, b"abc" if sends else b"")
    assert (answer.status, body) == (201, b"" if method == "HEAD" else b'{"a": 1}')
    assert answer.length == 8
    if sends:
        assert upstream.headers["content-type"] == "text/x; charset=utf-8"
        assert upstream.headers["content-length"] == "3"


def test_a_body_of_unknown_length_is_sent_in_chunks(port: int, slots: Slots, upstream: Upstream):
    ask(port, slots, method="POST", body=iter([b"ab", b"", b"c"]))
    assert upstream.bodies == [b"abc"]
    assert upstream.headers["transfer-encoding"] == "chunked"


def test_a_post_without_a_body_says_so(port: int, slots: Slots, upstream: Upstream):
    ask(port, slots, method="POST")
    assert upstream.headers["content-length"] == "0"


def test_a_header_that_is_in_a_file_is_read_for_each_request(
    port: int, slots: Slots, upstream: Upstream, tmp_path: Path, settings: Any
):
    settings.WIDGETS_SECRETS_FOLDER = str(tmp_path)
    backend = backend_at(port, headers={"X-Desk-Key": "file:desk"})
    for value in (SECRET, "renewed-secret"):
        (tmp_path / "desk").write_text(f"{value}\n")
        send(backend, slots, Forward("GET", "x")).close()
        assert upstream.headers["x-desk-key"] == value
    (tmp_path / "desk").write_text("two\nlines")
    with pytest.raises(SourceFailed, match="The value of the header X-Desk-Key has line breaks"):
        send(backend, slots, Forward("GET", "x"))
    (tmp_path / "desk").unlink()
    with pytest.raises(SourceFailed, match='The file "desk" with a secret of the source can\'t be read'):
        send(backend, slots, Forward("GET", "x"))


def test_the_headers_of_the_source_are_sent_and_no_others_than_ours(port: int, slots: Slots, upstream: Upstream):
    ask(port, slots, headers={"X-Key": SECRET, "Cookie": "a=b", "User-Agent": "desk"})
    assert upstream.headers == {
        "host": f"127.0.0.1:{port}", "accept": "*/*", "accept-encoding": "identity", "user-agent": "desk",
        "x-key": SECRET, "cookie": "a=b",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("", "/api"),
        ("data", "/api/data"),
        ("a b/c+d", "/api/a%20b/c+d"),
        ("ü/€", "/api/%C3%BC/%E2%82%AC"),
        ("a%2Fb", "/api/a%252Fb"),
        ("a?b#c", "/api/a%3Fb%23c"),
        ("a//b/", "/api/a//b/"),
        ("..a/b..", "/api/..a/b.."),
        ("%2e%2e/a", "/api/%252e%252e/a"),
        ("a\r\nX-Key: b\\c", "/api/a%0D%0AX-Key:%20b%5Cc"),
        ("AAPL:US;v=1,2@x", "/api/AAPL:US;v=1,2@x"),
    ],
)
def test_a_path_is_joined_and_encoded(path: str, raw: str, port: int, slots: Slots, upstream: Upstream):
    answer = send(backend_at(port, "/api/"), slots, Forward("GET", path))
    assert list(answer.chunks) == [b"[]"]
    assert upstream.asked[0]["raw_path"].decode() == raw


@pytest.mark.parametrize("path", ["..", ".", "../admin", "a/../../b", "a/.", "a/./b"])
def test_a_path_that_leaves_the_address_is_refused(path: str, port: int, slots: Slots, upstream: Upstream):
    with pytest.raises(BadRequest, match="Ask for the path that is meant"):
        send(backend_at(port, "/api"), slots, Forward("GET", path))
    assert upstream.asked == []


@pytest.mark.parametrize(
    "query", ["a=1&a=2&b=&c", "q=%2F+%20%c3%bc&r=a+b", "x=[1,2]&y={}'\"<>|^`", "&&=&", "a=b?c=d%", "a=%00%0d%0a"]
)
def test_a_query_is_sent_as_it_came(query: str, port: int, slots: Slots, upstream: Upstream):
    ask(port, slots, query=query)
    assert upstream.asked[0]["query_string"].decode() == query


def test_what_cannot_stand_in_a_query_is_encoded(port: int, slots: Slots, upstream: Upstream):
    ask(port, slots, query="q=ü x".encode().decode("latin-1"))
    assert upstream.asked[0]["query_string"] == b"q=%C3%BC%20x"


def test_only_a_closed_set_of_headers_is_passed_on(port: int, slots: Slots, upstream: Upstream):
    passed = {
        "content-disposition": 'attachment; filename="a.csv"', "content-language": "lv", "content-encoding": "br",
        "last-modified": "Mon, 23 Nov 2026 10:00:00 GMT", "retry-after": "7", "cache-control": "max-age=60",
    }  # fmt: skip
    kept = {
        "set-cookie": "a=b", "access-control-allow-origin": "*", "server": "x", "www-authenticate": "Basic",
        "connection": "keep-alive", "x-anything": "1", "location": "/", "etag": '"1"',
    }  # fmt: skip
    upstream.more = [(name.encode(), value.encode()) for name, value in (passed | kept).items()]
    answer, body = ask(port, slots)
    assert dict(answer.headers) == {"content-type": "application/json", **passed}
    assert body == b"[]"


STATUS_CASES: list[tuple[int, str, bytes, type[RequestError], int, str]] = [
    (400, "application/json", b'{"detail": "Send a date."}', UpstreamRefused, 400, "Send a date."),
    (404, "application/json", b'{"error": "No such\\nthing"}', UpstreamRefused, 404, "No such thing"),
    (405, "application/problem+json", b'{"message": "Use POST."}', UpstreamRefused, 405, "Use POST."),
    (409, "text/plain; charset=utf-8", "Schon da: ü\nmore".encode(), UpstreamRefused, 409, "Schon da: ü"),
    (413, "application/json", b'"Too much"', UpstreamRefused, 413, "Too much"),
    (415, "application/json", b'{"error": {"message": "Only CSV."}}', UpstreamRefused, 415, "Only CSV."),
    (
        422, "application/json",
        json.dumps({"detail": [
            {"type": "missing", "loc": ["query", "limit"], "msg": "Field required", "input": None},
            {"type": "int", "loc": ["body", 0, "n"], "msg": "Not a number"},
        ]}).encode(),
        UpstreamRefused, 422, "query.limit: Field required; body.0.n: Not a number",
    ),
    (429, "application/json", b'{"detail": "", "error": "Slower"}', UpstreamRefused, 429, "Slower"),
    (
        404, "text/html", b"<h1>Not Found</h1>", UpstreamRefused, 404,
        'The upstream "legacy" answered 404 (Not Found). Check the values of the request.',
    ),
    (
        422, "application/json", b'{"detail": {"no": "text"}}', UpstreamRefused, 422,
        'The upstream "legacy" answered 422 (Unprocessable Entity). Check the values of the request.',
    ),
    (
        401, "application/json", b'{"detail": "Key hush-hush?"}', SourceFailed, 502,
        'The upstream "legacy" refused the headers of the source with 401 (Unauthorized). Correct them there.',
    ),
    (
        403, "text/plain", b"No", SourceFailed, 502,
        'The upstream "legacy" refused the headers of the source with 403 (Forbidden). Correct them there.',
    ),
    (
        500, "application/json", b'{"detail": "The database is away."}', SourceFailed, 502,
        'The upstream "legacy" answered 500: The database is away.',
    ),
    (
        500, "text/html; charset=utf-8", b"<pre>Traceback</pre>", SourceFailed, 502,
        'The upstream "legacy" answered 500 (Internal Server Error). Look into its log.',
    ),
    (
        503, "text/plain", b"Internal Server Error", SourceFailed, 502,
        'The upstream "legacy" answered 503: Internal Server Error',
    ),
    (504, "application/json", b'{"detail": "Slow."}', SourceTimeout, 504, 'The upstream "legacy" answered 504: Slow.'),
    (418, "application/json", b'{"detail": "Tea."}', SourceFailed, 502, 'The upstream "legacy" answered 418: Tea.'),
    (
        599, "application/json", b"{", SourceFailed, 502,
        'The upstream "legacy" answered 599 (no usual status). Look into its log.',
    ),
    (302, "text/plain", b"", SourceFailed, 502, 'The upstream "legacy" answered 302 (Found). Look into its log.'),
    (
        300, "text/plain", b"Choose", SourceFailed, 502,
        'The upstream "legacy" answered 300: Choose',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("status", "kind", "content", "error", "becomes", "message"), STATUS_CASES)
def test_a_failure_becomes_one_line(
    status: int, kind: str, content: bytes, error: type[RequestError], becomes: int, message: str,
    port: int, slots: Slots, upstream: Upstream,
):  # fmt: skip
    upstream.answer = lambda _path: (status, kind, content)
    raised = refused(port, slots, error)
    assert (str(raised), raised.status) == (message, becomes)
    assert slots.taken == 0


def test_a_reason_that_is_compressed_deeply_nested_or_not_utf8_is_left_out(port: int, slots: Slots, upstream: Upstream):
    for content in (b'{"detail":' * 900 + b"1" + b"}" * 900, b'{"detail": "\xff"}', b"[" * 60_000):
        upstream.answer = lambda _path, content=content: (500, "application/json", content)  # type: ignore[misc]
        assert "Look into its log" in str(refused(port, slots))
    upstream.more = [(b"content-encoding", b"br")]
    upstream.answer = lambda _path: (500, "text/plain", b"compressed")
    assert "Look into its log" in str(refused(port, slots))


def test_a_secret_that_the_upstream_repeats_is_left_out_of_the_reason(port: int, slots: Slots, upstream: Upstream):
    upstream.answer = lambda _path: (400, "text/plain", b"Wrong token abcdef-123 in Bearer abcdef-123")
    message = str(refused(port, slots, UpstreamRefused, headers={"Authorization": "Bearer abcdef-123"}))
    assert message == "Wrong token … in …"


@pytest.mark.parametrize(("value", "seconds"), [("7", 7), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)])
def test_when_to_come_back_is_passed_on_as_a_number(
    value: str, seconds: int | None, port: int, slots: Slots, upstream: Upstream
):
    upstream.more = [(b"retry-after", value.encode())]
    upstream.answer = lambda _path: (429, "text/plain", b"Slower")
    assert refused(port, slots, UpstreamRefused).retry_after == seconds


def test_an_endless_reason_is_read_to_its_limit_only(slots: Slots):
    def talk(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 500 Oops\r\nContent-Type: text/plain\r\n\r\nIt broke.\n")
        while True:
            connection.sendall(b"x" * 65536)

    with wired(talk) as wire:
        assert str(refused(wire.port, slots)) == 'The upstream "legacy" answered 500: It broke.'
        eventually(lambda: wire.open == 0)


def test_a_reason_that_breaks_off_leaves_the_status(slots: Slots):
    with wired(says(b'HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"a')) as wire:
        message = str(refused(wire.port, slots, UpstreamRefused))
    assert message == 'The upstream "legacy" answered 400 (Bad Request). Check the values of the request.'


def test_redirects_are_followed_as_far_as_the_source_says(slots: Slots):
    def talk(connection: socket.socket) -> None:
        step = int(head(connection).split()[1].removeprefix(b"/").split(b"?")[0])
        more = () if step == 2 else (f"Location: /{step + 1}?x",)
        connection.sendall(plain(b"there", *more, status="200 OK" if step == 2 else "307 Moved"))

    with wired(talk) as wire:
        assert ask(wire.port, slots, "0", redirects=2)[1] == b"there"
        assert "redirects more than 1 times" in str(refused(wire.port, slots, path="0", redirects=1))
        assert "redirects more than 0 times" in str(refused(wire.port, slots, path="1", redirects=0))


def test_a_redirect_to_another_origin_gets_no_secret(port: int, slots: Slots, upstream: Upstream):
    with wired(says(plain(b"", f"Location: http://127.0.0.1:{port}/there", status="302 Found"))) as wire:
        ask(wire.port, slots)
    assert "x-key" not in upstream.headers


def test_a_private_address_is_refused_unless_it_is_named(port: int, slots: Slots, upstream: Upstream):
    message = str(refused(port, slots, private_hosts=["localhost"]))
    assert message.startswith('"127.0.0.1" is in a private network.')
    assert upstream.asked == []


@pytest.mark.parametrize("declared", [True, False])
def test_a_large_answer_comes_through_whole(declared: bool, slots: Slots):
    content = bytes(range(256)) * (20 * MB // 256)

    def talk(connection: socket.socket) -> None:
        head(connection)
        more = f"Content-Length: {len(content)}\r\n" if declared else ""
        connection.sendall(f"HTTP/1.1 200 OK\r\nConnection: close\r\n{more}\r\n".encode() + content)

    with wired(talk) as wire:
        answer, body = ask(wire.port, slots)
    assert body == content
    assert answer.length == (len(content) if declared else None)


@pytest.mark.parametrize("length", [20 * MB, None])
def test_a_large_body_goes_up_whole(length: int | None, port: int, slots: Slots, upstream: Upstream):
    pieces = [bytes([number]) * MB for number in range(20)]
    ask(port, slots, method="POST", body=iter(pieces), length=length)
    assert upstream.bodies == [b"".join(pieces)]


def test_pieces_go_up_and_come_down_before_the_end(slots: Slots):
    arrived: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    go_on = threading.Event()

    def talk(connection: socket.socket) -> None:
        head(connection)
        arrived.put(connection.recv(100))
        arrived.put(connection.recv(100))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        go_on.wait(PATIENCE)
        connection.sendall(b"cd")

    def body() -> Generator[bytes]:
        yield b"one"
        assert arrived.get(timeout=PATIENCE) == b"one"
        yield b"two"
        assert arrived.get(timeout=PATIENCE) == b"two"

    with wired(talk) as wire:
        answer = send(backend_at(wire.port), slots, Forward("POST", "", body=body(), length=6))
        assert next(answer.chunks) == b"ab"
        go_on.set()
        assert list(answer.chunks) == [b"cd"]


@pytest.mark.parametrize(("sent", "length"), [([b"abc"], 5), ([b"abc"], 2)])
def test_a_body_of_another_length_than_it_says_is_the_callers_fault(sent: list[bytes], length: int, slots: Slots):
    with wired(until_closed) as wire:
        raised = refused(wire.port, slots, BadRequest, method="POST", body=sent, length=length)
    assert "another length than it says" in str(raised)


def test_a_caller_that_breaks_off_its_body_leaves_nothing_behind(slots: Slots):
    def body() -> Generator[bytes]:
        yield b"abc"
        raise BadRequest("The body is too large. Send less.")

    with wired(until_closed) as wire:
        assert "Send less" in str(refused(wire.port, slots, BadRequest, method="POST", body=body(), length=9))
        eventually(lambda: wire.open == 0)


def test_an_upstream_that_refuses_early_is_heard(slots: Slots):
    def talk(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(plain(b"Too large.", "Connection: close", status="413 Too Large"))
        connection.shutdown(socket.SHUT_WR)
        until_closed(connection)

    with wired(talk) as wire:
        raised = refused(wire.port, slots, UpstreamRefused, method="POST", body=[b"x" * MB] * 5, length=5 * MB)
    assert (raised.status, str(raised)) == (413, "Too large.")


def test_an_event_comes_at_once_and_the_stream_may_outlast_the_limit(slots: Slots):
    go_on = threading.Event()

    def talk(connection: socket.socket) -> None:
        head(connection)
        assert connection.recv(2) == b"{}"
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n")
        for number in range(4):
            connection.sendall(f"data: {number}\n\n".encode())
            go_on.wait(0.3)

    with wired(talk) as wire:
        answer = send(backend_at(wire.port), slots, Forward("POST", "query", body=[b"{}"], length=2), seconds=0.8)
        assert list(answer.chunks) == [f"data: {number}\n\n".encode() for number in range(4)]


def test_a_silent_stream_of_events_ends(slots: Slots):
    def talk(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        until_closed(connection)

    with wired(talk) as wire:
        answer = send(backend_at(wire.port), slots, Forward("GET", ""), seconds=0.3)
        assert next(answer.chunks) == b"data: 1\n\n"
        with pytest.raises(SourceTimeout, match=r'The upstream "legacy" \(127.0.0.1\) was silent for 0.3 s'):
            next(answer.chunks)
        eventually(lambda: wire.open == 0)


def test_a_stream_of_events_has_an_end_too(slots: Slots, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http, "STREAM_SECONDS", 0.6)

    def talk(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while True:
            connection.sendall(b"data\n\n")
            time.sleep(0.02)

    with wired(talk) as wire:
        answer = send(backend_at(wire.port), slots, Forward("GET", ""), seconds=0.3)
        with pytest.raises(SourceTimeout, match=r"took longer than 0\.6 s"):
            list(answer.chunks)
        eventually(lambda: wire.open == 0)


def stuck(connection: socket.socket) -> None:
    head(connection)
    until_closed(connection)


def dripping(connection: socket.socket) -> None:
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.02)


def half(connection: socket.socket) -> None:
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
    until_closed(connection)


@pytest.mark.parametrize("talk", [stuck, dripping, half, until_closed])
def test_an_upstream_that_dawdles_is_left_at_the_limit(talk: Callable[[socket.socket], None], slots: Slots):
    with wired(talk) as wire:
        message = str(refused(wire.port, slots, SourceTimeout, seconds=0.4))
        eventually(lambda: wire.open == 0)
    assert message == (
        'The upstream "legacy" (127.0.0.1) took longer than 0.4 s. '
        "Narrow the request or raise the time limit of the source."
    )


def test_an_upstream_that_does_not_read_is_left_at_the_limit(slots: Slots):
    gone = threading.Event()
    with wired(lambda _connection: gone.wait(PATIENCE)) as wire:
        refused(wire.port, slots, SourceTimeout, method="POST", body=[b"x" * MB] * 64, length=64 * MB, seconds=0.4)
        eventually(lambda: slots.taken == 0)
        gone.set()


def test_a_name_service_that_hangs_is_not_waited_for(slots: Slots, monkeypatch: pytest.MonkeyPatch):
    answer = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        answer.wait(PATIENCE)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    refused(1, slots, SourceTimeout, seconds=0.2)
    assert slots.taken == 1
    answer.set()


def test_a_receiver_that_goes_away_ends_the_exchange_at_once(slots: Slots):
    with wired(half) as wire:
        answer = send(backend_at(wire.port), slots, Forward("GET", ""))
        assert next(answer.chunks) == b"half"
        answer.close()
        eventually(lambda: wire.open == 0 and slots.taken == 0)


def test_a_call_that_is_cancelled_ends_the_exchange_at_once(slots: Slots):
    call = Call()
    with wired(half) as wire:
        answer = send(backend_at(wire.port), slots, Forward("GET", ""), call=call)
        assert next(answer.chunks) == b"half"
        for stop in call.on_cancel:
            stop()
        with pytest.raises(SourceFailed):
            next(answer.chunks)
        eventually(lambda: wire.open == 0)


def test_cancelling_later_does_not_disturb_who_has_the_connection_now(port: int, slots: Slots):
    backend, first = backend_at(port), Call()
    assert list(send(backend, slots, Forward("GET", ""), call=first).chunks) == [b"[]"]
    answer = send(backend, slots, Forward("GET", ""))
    for stop in first.on_cancel:
        stop()
    assert list(answer.chunks) == [b"[]"]


def test_a_receiver_that_does_not_read_slows_the_upstream(slots: Slots):
    sent = 0

    def talk(connection: socket.socket) -> None:
        nonlocal sent
        head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(48):
            connection.sendall(b"x" * MB)
            sent += 1

    with wired(talk) as wire:
        answer = send(backend_at(wire.port), slots, Forward("GET", ""))
        next(answer.chunks)
        seen = -1
        while seen != sent:
            seen = sent
            time.sleep(0.3)
        assert sent < 40
        answer.close()
        eventually(lambda: wire.open == 0)


def test_an_answer_that_says_it_is_too_large_is_refused_at_once(slots: Slots):
    def talk(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {MB + 1}\r\n\r\n".encode())
        until_closed(connection)

    with wired(talk) as wire:
        assert str(refused(wire.port, slots, max_mb=1)) == (
            '"127.0.0.1" sends more than 1 MB. Narrow the request or raise the largest answer of the source "legacy".'
        )
        eventually(lambda: wire.open == 0)


def test_an_answer_of_the_largest_size_is_passed_on(port: int, slots: Slots, upstream: Upstream):
    upstream.answer = lambda _path: (200, "text/plain", b"x" * MB)
    assert len(ask(port, slots, max_mb=1)[1]) == MB
    upstream.answer = lambda _path: (200, "text/plain", b"x" * (MB + 1))
    assert ask(port, slots, method="HEAD", max_mb=1)[0].length == MB + 1


def test_an_answer_that_grows_too_large_is_cut_off_and_logged(slots: Slots, caplog: pytest.LogCaptureFixture):
    def talk(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with wired(talk) as wire:
        answer = send(backend_at(wire.port, max_mb=1), slots, Forward("GET", ""))
        with closing(answer.chunks), pytest.raises(SourceFailed, match="sends more than 1 MB"):
            list(answer.chunks)
        eventually(lambda: wire.open == 0)
    assert "sends more than 1 MB" in caplog.text


def test_an_answer_that_breaks_off_is_told_after_what_came(slots: Slots, caplog: pytest.LogCaptureFixture):
    with wired(says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")) as wire:
        answer = send(backend_at(wire.port), slots, Forward("GET", ""))
        assert next(answer.chunks) == b"half"
        with pytest.raises(SourceFailed, match="closed the connection before its answer was complete"):
            next(answer.chunks)
    assert "closed the connection" in caplog.text


def test_what_is_not_http_and_who_is_not_there_is_told(slots: Slots):
    with wired(says(b"220 mail.example ESMTP\r\n\r\n")) as wire:
        assert "is not HTTP" in str(refused(wire.port, slots))
    assert "refuses connections" in str(refused(free_port(), slots))


def test_an_upgrade_that_nobody_asked_for_is_refused(slots: Slots):
    with wired(says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")) as wire:
        refused(wire.port, slots)
        eventually(lambda: wire.open == 0)


def test_every_slot_taken_means_busy_and_none_is_lost(slots: Slots):
    with wired(half) as wire:
        backend = backend_at(wire.port)
        answers = [send(backend, slots, Forward("GET", "")) for _ in range(2)]
        with pytest.raises(Busy):
            send(backend, slots, Forward("GET", ""))
        for answer in answers:
            answer.close()
        eventually(lambda: slots.taken == 0)


def test_connections_are_kept_for_later_and_close_with_the_backend(slots: Slots):
    with wired(says(plain(b"ok"), times=100)) as wire:
        backend = backend_at(wire.port)
        for _ in range(5):
            assert list(send(backend, slots, Forward("GET", "")).chunks) == [b"ok"]
        assert wire.taken == 1
        del backend
        eventually(lambda: wire.open == 0)


def test_a_kept_connection_that_the_upstream_closes_is_no_failure(slots: Slots):
    with wired(says(plain(b"ok"))) as wire:
        backend = backend_at(wire.port)
        for number in range(1, 4):
            assert list(send(backend, slots, Forward("GET", "")).chunks) == [b"ok"]
            assert wire.taken == number


def test_many_requests_at_once_get_each_its_own_answer(port: int, upstream: Upstream):
    upstream.answer = lambda path: (200, "text/plain", path.encode())
    backend, slots, wrong = backend_at(port), Slots("busy", 8), []

    def run(number: int) -> None:
        for turn in range(10):
            path = f"{number}-{turn}"
            got = b"".join(send(backend, slots, Forward("GET", path)).chunks)
            if got != f"/{path}".encode():
                wrong.append((path, got))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert wrong == []
    assert len(upstream.asked) == 80
    assert slots.taken == 0


def test_secrets_are_in_no_error_and_no_log(slots: Slots, caplog: pytest.LogCaptureFixture):
    def echo(connection: socket.socket) -> None:
        asked = head(connection)
        connection.sendall(asked if b"/nonsense" in asked else plain(asked, status="500 Oops"))

    with caplog.at_level(logging.DEBUG), wired(echo) as wire:
        backend = backend_at(wire.port)
        shown = [repr(backend), repr(backend.options)]
        for path in ("nonsense", "failed"):
            with pytest.raises(SourceFailed) as raised:
                send(backend, slots, Forward("GET", path, "key=hush-query"))
            shown.append(str(raised.value))
    assert shown[-1] == 'The upstream "legacy" answered 500: GET /failed?key=hush-query HTTP/1.1'
    assert "hush-query" not in "".join(shown[:-1])
    for text in (*shown, caplog.text):
        assert SECRET not in text


def test_a_type_that_no_header_may_have_is_the_callers_fault(port: int, slots: Slots, upstream: Upstream):
    raised = refused(port, slots, BadRequest, method="POST", body=[b"a"], length=1, content_type="text/plain\x00")
    assert "Send another type" in str(raised)
    assert upstream.asked == []
