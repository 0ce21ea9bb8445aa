"""The test of an HTTP server: what it answers, and nothing told of a private network that a user may not know."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.loopback import free_port
from tests.sources.test_outbound import authority  # noqa: F401  a fixture
from tests.sources.wire import plain, says, until_closed, wired
from widgets_app.sources import address, http_check, reaching
from widgets_app.sources.base import Call, Limits, Step
from widgets_app.sources.http import HttpBackend, HttpOptions
from widgets_app.sources.http_check import UNREACHED

SECRET = "hush-hush-0815"
HOME = ["127.0.0.1"]


def checked(url: str, *, private: list[str] | None = None) -> dict[str, Step]:
    options = HttpOptions(url=url, headers={"X-Key": SECRET}, private_hosts=HOME if private is None else private)  # type: ignore[dict-item]
    return {step.name: step for step in HttpBackend("desk", options).check(Limits(seconds=10), Call())}


def answering(answer: bytes) -> dict[str, Step]:
    with wired(says(answer)) as wire:
        return checked(f"http://127.0.0.1:{wire.port}")


JSON = "application/json"


@pytest.mark.parametrize(("answer", "last", "state", "text"), [
    (plain(b'{"a": {}, "b": {}}', kind=JSON), "Answer", "good", "is JSON and has 2 widgets"),
    (plain(b"[]", kind=JSON), "Answer", "warning", "no object of widgets"),
    (plain(b"<!doctype html><title>Sign in</title>", kind="text/html"), "Answer", "warning", "is a web page"),
    (plain(b"\n <html>", kind=JSON), "Answer", "warning", "is a web page"),
    (plain(b"{nonsense", kind=JSON), "Answer", "warning", "is no JSON"),
    (plain(b"", status="404 Not Found"), "Status", "warning", "404 (Not Found)"),
    (plain(SECRET.encode(), status="401 Unauthorized"), "Status", "bad", "refuses the headers of the source with 401"),
    (plain(SECRET.encode(), status="500 Internal Server Error"), "Status", "bad", "500 (Internal Server Error)"),
])  # fmt: skip
def test_what_it_answers_is_told_in_words(answer: bytes, last: str, state: str, text: str) -> None:
    steps = answering(answer)
    assert next(reversed(steps)) == last
    assert steps["Host"].state == "good"
    assert steps[last].state == state
    assert text in steps[last].text
    assert SECRET not in str(steps)


def test_too_much_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_check, "CHECKED_BYTES", 1000)
    step = answering(plain(b"x" * 5000, kind=JSON))["Answer"]
    assert (step.state, "sends more than" in step.text) == ("bad", True)


def test_a_redirect_elsewhere_is_told() -> None:
    with wired(says(plain(b"{}", kind=JSON))) as other:
        moved = plain(b"", f"Location: http://127.0.0.1:{other.port}/widgets.json", status="302 Found")
        steps = answering(moved)
    assert steps["Redirect"].state == "warning"
    assert steps["Answer"].state == "good"


def test_what_is_not_reached_is_the_same_whatever_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a private network: nothing listens, it hangs, speaks something else, no such host, not listed, listed."""
    monkeypatch.setattr(reaching, "REACH_SECONDS", 1.0)
    monkeypatch.setattr(http_check, "REACH_SECONDS", 1.0)
    seen = []
    with (
        wired(until_closed) as silent,
        wired(lambda c: c.sendall(b"220 mail ready\r\n")) as mail,
        wired(says(plain(b"{}", kind=JSON))) as well,
        wired(lambda _: None) as closing,
    ):
        asked: list[tuple[str, list[str]]] = [
            *((f"http://127.0.0.1:{port}", HOME) for port in (free_port(), silent.port, mail.port, closing.port)),
            *((f"http://127.0.0.1:{port}", []) for port in (free_port(), well.port)),
            ("http://no-such-host.invalid", ["no-such-host.invalid"]),
        ]
        for url, private in asked:
            began = time.monotonic()
            (step,) = checked(url, private=private).values()
            seen.append((step, time.monotonic() - began))
        assert well.taken == 0
    assert {(step.name, step.text, step.timed) for step, _ in seen} == {("Host", UNREACHED, False)}
    assert all(seconds > 0.95 for _, seconds in seen)


def test_a_host_that_may_not_be_asked_is_not_looked_for(settings: Any) -> None:
    settings.WIDGETS_OUTBOUND_HOSTS = ["api.example.com"]
    with wired(says(plain(b"{}", kind=JSON))) as there:
        first, second = (checked(f"http://127.0.0.1:{port}")["Host"] for port in (free_port(), there.port))
    assert first == second
    assert "WIDGETS_OUTBOUND_HOSTS" in first.text
    assert there.taken == 0


def test_headers_that_are_not_to_be_had_are_told_before_anything_is_asked() -> None:
    secret = "env:WIDGETS_SECRET_THAT_IS_NOT_SET"
    with wired(says(plain(b"{}", kind=JSON))) as there:
        options = HttpOptions(url=f"http://127.0.0.1:{there.port}", headers={"X-Key": secret}, private_hosts=HOME)  # type: ignore[dict-item]
        (step,) = HttpBackend("desk", options).check(Limits(), Call())
    assert (step.name, step.state, there.taken) == ("Headers", "bad", 0)


def test_of_a_public_host_the_fault_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "is_public_host", lambda _: True)
    began = time.monotonic()
    assert "refuses connections on port" in checked(f"http://127.0.0.1:{free_port()}")["Host"].text
    assert time.monotonic() - began < reaching.REACH_SECONDS


@pytest.mark.parametrize(("host", "is_public"), [
    ("93.184.216.34", True), ("127.0.0.1", False), ("localhost", False), ("10.1.2.3", False), ("::1", False),
    ("no-such-host.invalid", False), ("a" * 300, False),
])  # fmt: skip
def test_only_hosts_that_are_known_and_public_are_public(host: str, is_public: bool) -> None:
    assert address.is_public_host(host) is is_public


def test_a_certificate_is_looked_at_even_at_home(authority: Callable[..., ssl.SSLContext]) -> None:  # noqa: F811
    answer, known = says(plain(b"{}", kind=JSON)), authority("127.0.0.1")
    with wired(answer, tls=authority("127.0.0.1", known=False)) as wire:
        step = checked(f"https://127.0.0.1:{wire.port}")["Certificate"]
    assert (step.state, "is not trusted" in step.text) == ("bad", True)
    with wired(answer, tls=known) as wire:
        assert checked(f"https://127.0.0.1:{wire.port}")["Certificate"].state == "good"
