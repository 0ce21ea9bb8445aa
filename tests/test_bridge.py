from __future__ import annotations

import http.client
import io
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from project.bridge import DISCONNECTED, Answer, Bridge, Scope, WSGIApp
from tests.loopback import PATIENCE, Response, ask, eventually, everything, raw, serving


def text(body: bytes = b"hello", status: str = "200 OK", headers: tuple = ()) -> WSGIApp:
    def app(environ, start_response):
        start_response(status, [("Content-Type", "text/plain"), *headers])
        return [body]

    return app


def echo(read: Callable[[Any], Any]) -> WSGIApp:
    """An application that answers with what `read` gets out of the environ, as JSON."""

    def app(environ, start_response):
        body = json.dumps(read(environ)).encode()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [body]

    return app


class Gate:
    """An application whose requests wait inside until they are let go."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.paths: list[str] = []
        self.open = threading.Event()

    def __call__(self, environ, start_response):
        self.paths.append(environ["PATH_INFO"])
        self.entered.release()
        assert self.open.wait(PATIENCE)
        start_response("200 OK", [])
        return [b"let go"]

    def wait_until_inside(self, requests: int) -> None:
        for _ in range(requests):
            assert self.entered.acquire(timeout=PATIENCE)


class Stream:
    """An application that streams what it is told to, and knows when it was closed."""

    streaming = True

    def __init__(self, chunks: Iterator[bytes], headers: tuple = ()) -> None:
        self.chunks, self.headers = chunks, headers
        self.closed = threading.Event()
        self.environ: dict[str, Any] = {}

    def __call__(self, environ, start_response):
        self.environ = environ
        start_response("200 OK", list(self.headers))
        return self

    def __iter__(self):
        return self.chunks

    def close(self) -> None:
        if isinstance(self.chunks, Generator):
            self.chunks.close()
        self.closed.set()


def refuse(scope: Scope, status: int, message: str) -> Answer:
    body = message.encode()
    return status, [("X-Path", scope["path"]), ("Content-Length", str(len(body)))], body


@pytest.fixture
def serve():
    with ExitStack() as stack:

        def start(app: WSGIApp, **limits: Any) -> int:
            bridge = Bridge(app, refuse=refuse, **limits)
            return stack.enter_context(serving(bridge, timeout_graceful_shutdown=1))[0]

        yield start


def in_background(stack: ExitStack, port: int, *paths: str) -> list[Response]:
    answers: list[Response] = []
    for path in paths:
        thread = threading.Thread(target=lambda path=path: answers.append(ask(port, path)))
        thread.start()
        stack.callback(thread.join, PATIENCE)
    return answers


def test_an_answer_arrives_whole_with_its_length(serve):
    answer = ask(serve(text(b"hello", headers=(("X-A", "1"), ("X-A", "2")))))
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["Content-Length"] == "5"
    assert answer.headers.get_all("X-A") == ["1", "2"]
    assert "Transfer-Encoding" not in answer.headers


def test_a_length_set_by_the_application_is_not_doubled(serve):
    answer = ask(serve(text(b"hello", headers=(("content-length", "5"),))))
    assert answer.headers.get_all("Content-Length") == ["5"]


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_body_sends_none_and_keeps_the_connection(serve, status):
    port = serve(text(b"", status))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    for _ in range(2):
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (int(status[:3]), b"")
        assert answer.getheader("Content-Length") is None
    connection.close()


def test_head_has_the_length_but_no_body(serve):
    request = b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = everything(raw(serve(text(b"hello")), request))
    assert b"content-length: 5\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_head_of_a_stream_does_not_run_it(serve):
    app = Stream(iter([b"never"]), (("Content-Length", "5"),))
    answer = ask(serve(app), method="HEAD")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "5")
    assert app.closed.is_set()
    assert list(app.chunks) == [b"never"]


def test_the_environ_says_who_asks_and_what(serve):
    keys = ("REQUEST_METHOD", "QUERY_STRING", "SERVER_PROTOCOL", "REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT")
    port = serve(echo(lambda environ: [*(environ[key] for key in keys), environ["wsgi.url_scheme"]]))
    answer = json.loads(ask(port, "/x?a=1&b=%20", "PATCH").body)
    assert answer == ["PATCH", "a=1&b=%20", "HTTP/1.1", "127.0.0.1", "127.0.0.1", str(port), "http"]


def test_scheme_and_address_come_from_the_scope_so_a_trusted_proxy_counts():
    app = echo(lambda environ: [environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]])
    bridge = Bridge(app, refuse=refuse)
    forwarded = {"X_Forwarded_For": "198.51.100.7", "X_Forwarded_Proto": "https"}
    with serving(bridge, forwarded_allow_ips=["127.0.0.1"]) as (port, _):
        assert json.loads(ask(port, **forwarded).body) == ["198.51.100.7", "https"]
    with serving(bridge, forwarded_allow_ips=[]) as (port, _):
        assert json.loads(ask(port, **forwarded).body) == ["127.0.0.1", "http"]


def test_the_path_is_decoded_to_the_bytes_the_client_meant(serve):
    port = serve(echo(lambda environ: environ["PATH_INFO"].encode("latin-1").hex()))
    sent = raw(port, b"GET /na%C3%AFve%2Fx%25/%FF HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert bytes.fromhex(json.loads(everything(sent).split(b"\r\n\r\n")[1])) == "/naïve/x%/".encode() + b"\xff"


def test_a_root_path_becomes_the_script_name():
    bridge = Bridge(echo(lambda environ: [environ["SCRIPT_NAME"], environ["PATH_INFO"]]), refuse=refuse)
    with serving(bridge, root_path="/widgets") as (port, _):
        assert json.loads(ask(port, "/a/b").body) == ["/widgets", "/a/b"]


def test_repeated_headers_are_joined_and_cookies_with_semicolons(serve):
    port = serve(echo(lambda environ: [environ["HTTP_X_A"], environ["HTTP_COOKIE"]]))
    request = b"GET / HTTP/1.0\r\nX-A: 1\r\nCookie: a=1\r\nX-A: 2\r\nCookie: b=2\r\n\r\n"
    assert json.loads(everything(raw(port, request)).split(b"\r\n\r\n")[1]) == ["1,2", "a=1; b=2"]


def test_header_names_with_underscores_are_dropped(serve):
    port = serve(echo(lambda environ: environ.get("HTTP_X_API_KEY")))
    request = b"GET / HTTP/1.0\r\nX_Api_Key: forged\r\n\r\n"
    assert everything(raw(port, request)).endswith(b"null")
    assert json.loads(ask(port, X_API_KEY="real").body) == "real"


def test_content_type_and_length_have_no_prefix(serve):
    port = serve(echo(lambda environ: [environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]]))
    assert json.loads(ask(port, "/", "POST", b"abc", Content_Type="text/csv").body) == ["text/csv", "3"]


def test_a_request_without_body_reads_as_empty(serve):
    assert json.loads(ask(serve(echo(lambda environ: environ["wsgi.input"].read().decode()))).body) == ""


def test_a_body_is_read_by_lines_and_as_a_whole(serve):
    port = serve(echo(lambda environ: [environ["wsgi.input"].readline().decode(), len(environ["wsgi.input"].read())]))
    assert json.loads(ask(port, "/", "POST", b"one\n" + b"x" * 1_000_000).body) == ["one\n", 1_000_000]


def test_an_upload_waits_for_its_reader(serve):
    begin, sent = threading.Event(), []

    def app(environ, start_response):
        assert begin.wait(PATIENCE)
        size = sum(map(len, iter(lambda: environ["wsgi.input"].read(65536), b"")))
        start_response("200 OK", [])
        return [str(size).encode()]

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            sent.append(data := super().read(size))
            return data

    total = 40_000_000
    with ExitStack() as stack:
        port, answers = serve(app), []
        body = Counted(bytes(total))
        upload = threading.Thread(
            target=lambda: answers.append(ask(port, "/", "POST", body, Content_Length=str(total)))
        )
        upload.start()
        stack.callback(upload.join, PATIENCE)
        stack.callback(begin.set)
        settled = -1
        while settled != (settled := sum(map(len, sent))):
            time.sleep(0.3)
        assert settled < total / 2
    assert answers[0].body == str(total).encode()


def test_an_upload_that_the_application_ignores_does_not_spoil_the_connection(serve):
    connection = http.client.HTTPConnection("127.0.0.1", serve(text()), timeout=PATIENCE)
    for _ in range(2):
        connection.request("POST", "/", bytes(3_000_000))
        assert connection.getresponse().read() == b"hello"
    connection.close()


def test_an_upload_of_unknown_length_is_refused(serve):
    connection = http.client.HTTPConnection("127.0.0.1", serve(text()), timeout=PATIENCE)
    connection.request("POST", "/up", iter([b"a", b"b"]), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    answer = Response(connection.getresponse())
    connection.close()
    assert (answer.status, answer.headers["X-Path"]) == (411, "/up")
    assert b"Content-Length" in answer.body


def test_a_client_that_hangs_up_during_its_upload_ends_the_reading(serve, caplog):
    begun, caught = threading.Event(), []

    def app(environ, start_response):
        environ["wsgi.input"].read(3)
        begun.set()
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            caught.append((str(error), environ[DISCONNECTED].is_set()))
            raise

    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + bytes(20_000)
    connection = raw(serve(app), request)
    assert begun.wait(PATIENCE)
    connection.close()
    eventually(lambda: bool(caught))
    assert caught == [("The client stopped sending before the body was complete.", True)]
    assert caplog.text == ""


def test_a_client_that_stops_sending_loses_its_thread(serve):
    port = serve(echo(lambda environ: len(environ["wsgi.input"].read())), threads=1, stall_seconds=0.2)
    stuck = raw(port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
    assert json.loads(ask(port, "/", "POST", b"12345").body) == 5
    stuck.close()


def test_a_stream_arrives_chunk_by_chunk(serve):
    go_on = threading.Event()

    def chunks():
        yield b"first,"
        yield b""
        assert go_on.wait(PATIENCE)
        yield b"second"

    app = Stream(chunks())
    connection = http.client.HTTPConnection("127.0.0.1", serve(app), timeout=PATIENCE)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.read(6) == b"first,"
    go_on.set()
    assert answer.read() == b"second"
    connection.close()
    assert app.closed.wait(PATIENCE)


def test_a_plain_generator_and_a_file_are_streamed_too(serve, tmp_path):
    (tmp_path / "big").write_bytes(b"0123456789" * 100_000)

    def app(environ, start_response):
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/file":
            return environ["wsgi.file_wrapper"]((tmp_path / "big").open("rb"), 4096)
        return (part for part in (b"a", b"b"))

    port = serve(app)
    assert ask(port, "/file").body == b"0123456789" * 100_000
    assert ask(port, "/generator").body == b"ab"


def test_an_empty_stream_is_an_empty_answer(serve):
    assert ask(serve(Stream(iter([])))).body == b""


def test_a_slow_reader_pauses_the_stream(serve):
    made = []

    def chunks():
        for number in range(2_000):
            made.append(number)
            yield bytes(100_000)

    app = Stream(chunks())
    connection = raw(serve(app), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    settled = -1
    while settled != (settled := len(made)) or not made:
        time.sleep(0.3)
    assert settled < 1_000
    connection.close()
    assert app.closed.wait(PATIENCE)


def test_a_reader_that_takes_nothing_loses_its_thread(serve):
    def endless():
        while True:
            yield bytes(100_000)

    app = Stream(endless())
    with raw(serve(app, stall_seconds=0.3), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"):
        assert app.closed.wait(PATIENCE)


def test_a_stream_with_a_chunk_given_up_has_no_orderly_end(serve):
    given_up, drained = threading.Event(), threading.Event()

    def chunks():
        yield bytes(20_000_000)
        yield b"lost"
        given_up.set()
        assert drained.wait(PATIENCE)

    app = Stream(chunks())
    request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with raw(serve(app, stall_seconds=0.3), request) as connection:
        assert given_up.wait(PATIENCE)
        received = 0
        while received < 20_000_000:
            received += len(connection.recv(1_000_000))
        drained.set()
        assert not everything(connection).endswith(b"0\r\n\r\n")


def test_a_stream_whose_client_hangs_up_is_closed(serve):
    ended = threading.Event()

    def endless():
        try:
            while True:
                time.sleep(0.01)
                yield b"x" * 1000
        finally:
            ended.set()

    app = Stream(endless())
    connection = raw(serve(app), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert connection.recv(100)
    connection.close()
    assert ended.wait(PATIENCE)
    assert app.environ[DISCONNECTED].is_set()


def test_whoever_wants_to_know_is_told_when_the_client_has_gone_or_was_gone_already(serve):
    inside, ended, told = threading.Event(), threading.Event(), []

    def app(environ, start_response):
        environ[DISCONNECTED].tell(lambda: told.append("later"))
        inside.set()
        environ[DISCONNECTED].wait(PATIENCE)
        environ[DISCONNECTED].tell(lambda: told.append("at once"))
        ended.set()
        start_response("200 OK", [])
        return [b""]

    connection = raw(serve(app), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert inside.wait(PATIENCE)
    assert told == []
    connection.close()
    assert ended.wait(PATIENCE)
    eventually(lambda: set(told) == {"later", "at once"})


def test_a_working_request_learns_that_its_client_has_gone(serve):
    inside, noticed = threading.Event(), threading.Event()

    def app(environ, start_response):
        inside.set()
        if environ[DISCONNECTED].wait(PATIENCE):
            noticed.set()
        start_response("200 OK", [])
        return [b""]

    port = serve(app)
    for request in (
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
    ):
        inside.clear()
        noticed.clear()
        connection = raw(port, request)
        assert inside.wait(PATIENCE)
        assert not noticed.is_set()
        connection.close()
        assert noticed.wait(PATIENCE)


def test_requests_above_the_limit_are_refused_at_once(serve):
    gate = Gate()
    port = serve(gate, threads=1, in_flight=2)
    with ExitStack() as stack:
        answers = in_background(stack, port, "/1")
        stack.callback(gate.open.set)
        gate.wait_until_inside(1)
        stack.enter_context(waiting(port, "/2") or pytest.fail("there was room for two"))
        refused = ask(port, "/3")
        assert (refused.status, refused.headers["X-Path"]) == (503, "/3")
        assert b"Try again in a few seconds" in refused.body
    assert answers[0].status == 200
    assert ask(port, "/4").status == 200


def test_no_more_requests_run_at_once_than_there_are_threads(serve):
    gate = Gate()
    port = serve(gate, threads=2)
    with ExitStack() as stack:
        answers = in_background(stack, port, *(f"/{number}" for number in range(5)))
        gate.wait_until_inside(2)
        assert not gate.entered.acquire(timeout=0.3)
        gate.open.set()
    assert [answer.status for answer in answers] == [200] * 5


def test_a_waiting_request_of_a_gone_client_is_never_run_and_frees_its_place(serve):
    gate = Gate()
    port = serve(gate, threads=1, in_flight=2)
    with ExitStack() as stack:
        in_background(stack, port, "/running")
        stack.callback(gate.open.set)
        gate.wait_until_inside(1)
        gone = waiting(port, "/gone") or pytest.fail("there was room for two")
        gone.close()
        eventually(lambda: (last := waiting(port, "/last")) is not None and bool(stack.enter_context(last)))
        gate.open.set()
        gate.wait_until_inside(1)
    assert gate.paths == ["/running", "/last"]


def waiting(port: int, path: str) -> socket.socket | None:
    """Return the connection of a request that waits for its answer, or nothing when it was refused."""
    connection = raw(port, f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    connection.settimeout(0.5)
    with suppress(TimeoutError):
        assert b" 503 " in connection.recv(100)
        connection.close()
        return None
    return connection


@pytest.mark.parametrize("error", [ValueError("the driver's words"), SystemExit(3)])
def test_a_failing_application_gives_an_error_and_a_traceback_in_the_log_only(serve, caplog, error):
    def app(environ, start_response):
        raise error

    port = serve(app, threads=1)
    for path in ("/bad", "/again"):
        answer = ask(port, f"{path}?api_key=secret")
        assert (answer.status, answer.headers["X-Path"]) == (500, path)
        assert b"driver" not in answer.body
    assert "Traceback" in caplog.text
    assert "'/again' failed" in caplog.text
    assert "secret" not in caplog.text


def test_a_stream_that_fails_before_its_first_chunk_is_a_clean_error(serve, caplog):
    assert ask(serve(Stream(bytes(1 // 0) for _ in "x"))).status == 500
    assert "Traceback" in caplog.text


def test_a_stream_that_fails_half_way_is_seen_to_be_cut_off(serve, caplog):
    def chunks():
        yield b"half"
        raise ValueError("later")

    app = Stream(chunks())
    with pytest.raises(http.client.IncompleteRead):
        ask(serve(app))
    assert "later" in caplog.text
    assert "Exception in ASGI application" not in caplog.text
    assert app.closed.is_set()


def test_the_answer_is_closed_when_reading_it_fails(serve):
    class Broken(list):
        closed = False

        def __iter__(self):
            raise ValueError

        def close(self) -> None:
            self.closed = True

    body = Broken()

    def app(environ, start_response):
        start_response("200 OK", [])
        return body

    assert ask(serve(app)).status == 500
    assert body.closed


def test_a_stopping_server_tells_its_waiting_clients_to_come_back(caplog):
    gate = Gate()
    with ExitStack() as stack:
        stack.callback(gate.open.set)
        answers: list[Response] = []
        with serving(Bridge(gate, refuse=refuse, threads=1), timeout_graceful_shutdown=1) as (port, server):
            answers = in_background(stack, port, "/running", "/waiting")
            gate.wait_until_inside(1)
            server.should_exit = True
        eventually(lambda: len(answers) == 2)
        assert {(answer.status, answer.headers["X-Path"]) for answer in answers} == {
            (503, "/running"),
            (503, "/waiting"),
        }
        assert "Traceback" not in caplog.text


def test_work_that_ends_after_the_server_has_stopped_does_no_harm(caplog):
    gate = Gate()
    others = set(threading.enumerate())
    with ExitStack() as stack:
        with serving(Bridge(gate, refuse=refuse), timeout_graceful_shutdown=1) as (port, _):
            in_background(stack, port, "/late")
            gate.wait_until_inside(1)
        gate.open.set()
    worker = next(thread for thread in threading.enumerate() if thread.name == "wsgi-1" and thread not in others)
    worker.join(0.3)
    assert worker.is_alive()
    assert "Traceback" not in caplog.text


def test_requests_are_not_logged_by_the_bridge(serve, caplog):
    caplog.set_level(logging.DEBUG, "project.bridge")
    ask(serve(text()))
    assert caplog.text == ""
