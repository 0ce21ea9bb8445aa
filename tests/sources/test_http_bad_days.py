"""Whatever an API does: one clear line, within the limit, and nothing left behind."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import struct
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest

from tests.loopback import PATIENCE, eventually, free_port
from tests.sources.api import TOKEN, run, source_at
from tests.sources.wire import Talk, Wire, head, plain, says, until_closed, wired
from widgets_app.errors import RequestError, SourceFailed, SourceTimeout
from widgets_app.sources import http_query
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.limits import Slots

JSON = "application/json"
MB = 1024 * 1024
CLOSED = 'The API "market" closed the connection before its answer was complete. Look into its log.'
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
def slots() -> Iterator[Slots]:
    """One slot, which is free again after every test."""
    made = Slots("market", 1)
    yield made
    eventually(lambda: made.taken == 0)


@pytest.fixture(autouse=True)
def _no_secret_in_the_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http_query, "BACKOFF_SECONDS", 0.01)
    yield
    assert TOKEN not in caplog.text


def told(
    port: int,
    slots: Slots,
    kind: type[RequestError] = SourceFailed,
    *,
    seconds: float = PATIENCE,
    text: str = "GET /p",
    **more: object,
) -> str:
    """Return the one line that a run ends with; it ends in time."""
    started = time.monotonic()
    with pytest.raises(kind) as raised:
        run(source_at(port, **more), text, limits=Limits(seconds=seconds), slots=slots)  # type: ignore[arg-type]
    assert time.monotonic() - started < max(seconds, 1) + 5
    message = str(raised.value)
    assert TOKEN not in message
    assert "127.0.0.1" not in message
    assert len(message) < 250
    return message


def ends(wire: Wire) -> None:
    eventually(lambda: wire.open == 0)


def stuck(connection: socket.socket) -> None:
    head(connection)
    until_closed(connection)


def stuck_in_head(connection: socket.socket) -> None:
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-")
    until_closed(connection)


def stuck_in_body(connection: socket.socket) -> None:
    head(connection)
    connection.sendall(OK + b'Content-Length: 100\r\n\r\n[{"a": 1},')
    until_closed(connection)


def dripping(connection: socket.socket) -> None:
    head(connection)
    connection.sendall(OK + b"Content-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


def early_hints(connection: socket.socket) -> None:
    head(connection)
    while True:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        time.sleep(0.05)


@pytest.mark.parametrize("talk", [until_closed, stuck, stuck_in_head, stuck_in_body, dripping, early_hints])
def test_an_api_that_dawdles_is_left_at_the_limit(talk: Talk, slots: Slots):
    with wired(talk) as wire:
        message = told(wire.port, slots, SourceTimeout, seconds=0.5)
        ends(wire)
        assert wire.taken == 1
    assert "took longer than 0.5 s. Narrow the request or raise the time limit of the query." in message


def test_a_handshake_that_never_ends_is_left_at_the_limit(slots: Slots):
    with wired(until_closed) as wire:
        source = source_at(wire.port)
        secure = type(source)("market", source.options.model_copy(update={"url": f"https://127.0.0.1:{wire.port}"}))
        with pytest.raises(SourceTimeout, match=r"took longer than 0\.5 s"):
            run(secure, "GET /p", limits=Limits(seconds=0.5), slots=slots)
        ends(wire)


def answering(answer: bytes, *, reset: bool = False) -> Talk:
    def talk(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(answer)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return talk


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(
    ("answer", "tries"),
    [
        (b"", 3),
        (b"HTTP/1.1 200 O", 1),
        (OK + b'Content-Length: 100\r\n\r\n[{"a": 1}]', 1),
        (OK + b'Transfer-Encoding: chunked\r\n\r\na\r\n[{"a": 1}]\r\n', 1),
        (OK + b'Transfer-Encoding: chunked\r\n\r\nzz\r\n[{"a": 1}]\r\n', 1),
    ],
)
def test_an_answer_that_breaks_off_is_told(answer: bytes, tries: int, reset: bool, slots: Slots):
    with wired(answering(answer, reset=reset)) as wire:
        message = told(wire.port, slots)
        assert wire.taken == tries
    assert message == CLOSED or (b"zz" in answer and "not HTTP" in message)


def test_an_answer_longer_than_it_says_is_not_read_on(slots: Slots):
    with wired(answering(OK + b'Content-Length: 10\r\n\r\n[{"a": 1}], {"b": 2}]')) as wire:
        found = run(source_at(wire.port), "GET /p", slots=slots)
    assert found.rows() == [{"a": 1}]


@pytest.mark.parametrize(
    "head_", [b"Content-Length: 10\r\nContent-Length: 11\r\n\r\n", b"Content-Length: -1\r\n\r\n", b"Content-Length: x\r\n\r\n", b"X: \0\r\n\r\n"]
)  # fmt: skip
def test_a_head_that_contradicts_itself_is_told(head_: bytes, slots: Slots):
    with wired(answering(OK + head_ + b'[{"a": 1}]')) as wire:
        assert "not HTTP" in told(wire.port, slots)


def test_nobody_there_is_told_after_some_tries(slots: Slots, monkeypatch: pytest.MonkeyPatch):
    assert told(free_port(), slots) == (
        'The API "market" refuses connections. Check that it is running, and the port of its address.'
    )


def test_an_api_that_comes_back_meanwhile_answers(slots: Slots):
    taken: list[int] = []

    def talk(connection: socket.socket) -> None:
        taken.append(1)
        if head(connection) and len(taken) == 3:
            connection.sendall(plain(b'[{"a": 1}]', kind=JSON))

    with wired(talk) as wire:
        assert run(source_at(wire.port), "GET /p", slots=slots).rows() == [{"a": 1}]
        assert wire.taken == 3


def test_a_post_that_breaks_off_is_sent_once(slots: Slots):
    with wired(answering(b"")) as wire:
        assert told(wire.port, slots, text="POST /p") == CLOSED
        assert wire.taken == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (plain(b"<!doctype html><title>Login</title>", kind="text/html"), "a web page (text/html, status 200)"),
        (plain(b"", kind=JSON), "answered with nothing (status 200)"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "answered with nothing (status 200)"),
        (plain(b"{", kind=JSON), "not JSON (application/json) at line 1"),
        (plain(b"[1]", "Content-Encoding: gzip", kind=JSON), "compressed data that can't be read"),
        (plain(b"[1]", "Content-Encoding: br", kind=JSON), "compressed data that can't be read"),
        (plain(gzip.compress(b"[1]" * 99)[:-9], "Content-Encoding: gzip", kind=JSON), "compressed data that can't be read"),
        (b"220 mail.example ESMTP\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", ""),
        (plain(b"", "Location: /p", status="302 Found"), "redirects to where it can't be followed"),
        (plain(b"[]", status="206 Partial Content", kind=JSON), None),
        (b"HTTP/1.1 204 No Content\r\n\r\n", None),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_told(answer: bytes, message: str | None, slots: Slots):
    with wired(says(answer)) as wire:
        if message is None:
            assert run(source_at(wire.port), "GET /p", slots=slots).rows() == []
        else:
            assert message in told(wire.port, slots)


def test_a_gigabyte_that_is_announced_is_not_read(slots: Slots):
    with wired(says(OK + f"Content-Length: {1024 * MB}\r\n\r\n[".encode())) as wire:
        message = told(wire.port, slots)
        ends(wire)
    assert message == 'The API "market" sends more than 64 MB. Ask for less, or raise the sizes that the source allows.'


def rows_without_end(connection: socket.socket) -> None:
    head(connection)
    connection.sendall(OK + b"\r\n[")
    some = b",".join([b'{"day":"2026-01-31","ticker":"AAA","close":1.5}'] * 10_000) + b","
    while True:
        connection.sendall(some)


def test_rows_without_end_are_left_at_the_size_limit(slots: Slots):
    with wired(rows_without_end) as wire:
        tracemalloc.start()
        try:
            message = told(wire.port, slots, max_mb=8)
            assert tracemalloc.get_traced_memory()[1] < 40 * MB
        finally:
            tracemalloc.stop()
        ends(wire)
    assert message == 'The API "market" sends more than 8 MB. Ask for less, or raise the sizes that the source allows.'


def test_ten_million_rows_are_cut_off_at_the_row_limit_page_by_page(slots: Slots):
    page = json.dumps([{"n": n} for n in range(10_000)]).encode()

    def talk(connection: socket.socket) -> None:
        while request := head(connection):
            asked.append(int(request.split(b"page=")[1].split(b" ")[0]))
            connection.sendall(plain(page[:-1] + f',{{"n":{asked[-1]}}}]'.encode(), kind=JSON))

    asked: list[int] = []
    with wired(talk) as wire:
        source = source_at(wire.port)
        found = run(source, "GET /p?page=1\nnext: page + 1", limits=Limits(seconds=PATIENCE, rows=35_000), slots=slots)
        assert (found.row_count, found.truncated, asked, wire.taken) == (35_000, True, [1, 2, 3, 4], 1)
        source._outbound.close()


def test_a_small_answer_that_unpacks_to_a_huge_one_takes_no_memory(slots: Slots):
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b" " * MB) for _ in range(300)) + packer.flush()
    with wired(says(plain(bomb, "Content-Encoding: gzip", kind=JSON))) as wire:
        tracemalloc.start()
        try:
            message = told(wire.port, slots, max_mb=8)
            assert tracemalloc.get_traced_memory()[1] < 40 * MB
        finally:
            tracemalloc.stop()
    assert "sends more than 8 MB" in message


def test_an_endless_failure_is_read_to_its_beginning_only(slots: Slots):
    def talk(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 400 Bad\r\nContent-Type: text/plain\r\n\r\nNo such day.\n")
        while True:
            connection.sendall(b"x" * 65536)

    with wired(talk) as wire:
        assert told(wire.port, slots) == 'The API "market" answered 400 (Bad Request): No such day.'
        ends(wire)


def test_who_cancels_ends_the_exchange_at_once(slots: Slots):
    with wired(stuck_in_body) as wire:
        call = Call()

        def cancel() -> None:
            eventually(lambda: wire.open == 1)
            for stop in call.on_cancel:
                stop()

        stopping = threading.Thread(target=cancel)
        stopping.start()
        with pytest.raises(SourceFailed):
            source_at(wire.port).prepare("GET /p").run({}, Limits(seconds=PATIENCE), call)
        stopping.join()
        ends(wire)


def test_connections_are_kept_for_later_pages_and_runs(slots: Slots):
    with wired(says(plain(b"[]", kind=JSON), times=3)) as wire:
        source = source_at(wire.port)
        for _ in range(3):
            run(source, "GET /p", slots=slots)
        assert wire.taken == 1


def slowly(answer: bytes, seconds: float) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        head(connection)
        time.sleep(seconds)
        connection.sendall(answer)

    return talk


def test_a_slow_answer_within_the_limit_is_no_failure(slots: Slots):
    with wired(slowly(plain(b'[{"a": 1}]', kind=JSON), 0.3)) as wire:
        assert run(source_at(wire.port), "GET /p", slots=slots).rows() == [{"a": 1}]
