"""Addresses that lead nowhere, or somewhere else: a finding each, never an exception, never past the limits."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from pytest_django.fixtures import Settings

from project.certificates import own_pair
from tests.doctor.patient import JSON, KEY, WIDGETS, Asked, Patient, Told
from tests.doctor.test_healthy import codes, examined
from tests.loopback import free_port, serving
from tests.sources.wire import head, plain, says, until_closed, wired
from widgets_app.doctor import Limits, Report, Target, addresses, examine, reach
from widgets_app.doctor.visit import is_near

KEYS = {"X-API-KEY": KEY}
QUICK = Limits(seconds=5, answer_seconds=1, answer_bytes=1024 * 1024)


def visited(url: str, *, limits: Limits = QUICK, headers: dict[str, str] | None = None, **more: Any) -> Report:
    """Examine an address, and see that it does not take longer than it says."""
    begun = time.monotonic()
    report = examine(Target(url, headers=KEYS if headers is None else headers, **more), limits=limits)
    # Another second for what a busy machine does besides.
    assert time.monotonic() - begun < limits.seconds + limits.answer_seconds + 1
    assert all("\n" not in finding.message + finding.fix for finding in report.findings)
    return report


def local(port: int, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{port}"


# ---- the address


@pytest.mark.parametrize(
    "url",
    ["", "  ", "not an address", "http://", "ftp://127.0.0.1/", "http://user:secret@127.0.0.1/", "javascript:alert(1)",
     "http://[broken", "http://127.0.0.1:99999", "http://a b", "http://127.0.0.1\n.example", "/widgets.json"],
)  # fmt: skip
def test_what_is_no_address_is_told(url: str) -> None:
    report = visited(url)
    assert "url-invalid" in codes(report), report.findings
    assert report.checked == {"requests": 0}
    assert "secret" not in str(report.findings)


@pytest.mark.parametrize("key", ["a\nb", "a\r\nX-Other: b", "\N{SNOWMAN}", "a\x00"])
def test_a_key_that_can_t_be_sent_is_told(key: str) -> None:
    report = visited(local(free_port()), headers={"X-API-KEY": key})
    assert codes(report) == {"key-unsendable"}
    assert key not in str(report.findings)


@pytest.mark.parametrize(
    ("ending", "code"),
    [("/widgets.json", "url-file"), ("/apps.json", "url-file"), ("?api_key=1", "url-query"), ("#x", "url-query"),
     ("/", "url-slash")],
)  # fmt: skip
def test_what_does_not_belong_at_the_end_is_told_and_passed_over(ending: str, code: str) -> None:
    with serving(Patient()) as (port, _):
        report = visited(local(port) + ending, limits=Limits())
    assert code in codes(report)
    assert report.checked["widgets"] == len(WIDGETS)


def test_an_address_without_a_scheme_is_told_and_tried() -> None:
    with serving(Patient()) as (port, _):
        report = visited(f"127.0.0.1:{port}", limits=Limits())
    assert "url-scheme" in codes(report)
    assert report.checked["widgets"] == len(WIDGETS)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://widgets.example.com", {"mixed-content"}),
        ("http://192.168.1.7:7779", {"mixed-content"}),
        ("http://localhost:7779", {"http-on-loopback", "local-network"}),
        ("http://[::1]:7779", {"http-on-loopback", "local-network"}),
        ("https://127.0.0.1:7779", {"local-network"}),
        ("https://backend.local", {"local-network"}),
        ("https://widgets.example.com", set()),
        ("http://0.0.0.0:7779", {"url-any-host"}),
    ],
)
def test_which_browsers_go_there_is_told(url: str, expected: set[str]) -> None:
    found: list[Any] = []
    assert addresses.read(Target(url), found) is not None
    assert {finding.code for finding in found} == expected


# ---- nobody there


def test_a_host_that_does_not_exist_is_told() -> None:
    assert "host-unknown" in codes(visited("https://no-such-host.invalid"))


def test_a_port_where_nobody_listens_is_told_and_the_right_one_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Patient()) as (port, _):
        monkeypatch.setattr(reach, "PORTS", (free_port(), port))
        report = visited(local(free_port()))
    assert {"port-closed", "other-port"} <= codes(report)
    assert str(port) in str(report.findings)


def drip(connection: socket.socket) -> None:
    head(connection)
    with suppress(OSError):
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)


def flood(connection: socket.socket) -> None:
    """Say ten gigabytes, and send as much as anybody takes."""
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10737418240\r\n\r\n[")
    with suppress(OSError):
        while True:
            connection.sendall(b"0," * 32_768)


def stream(connection: socket.socket) -> None:
    """Send pieces without end, slowly."""
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    with suppress(OSError):
        while True:
            connection.sendall(b"1\r\n[\r\n")
            time.sleep(0.02)


def banner(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
    until_closed(connection)


def hang_up(connection: socket.socket) -> None:
    head(connection)
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"a":')


@pytest.mark.parametrize(
    ("talk", "code"),
    [
        (until_closed, "no-answer"), (drip, "no-answer"), (stream, "no-answer"), (flood, "answer-too-large"),
        (banner, "not-http"), (hang_up, "connection-closed"), (head, "connection-closed"),
        (says(b"+PONG\r\n"), "not-http"),
        (says(plain(b"zip", "Content-Encoding: gzip", kind=JSON)), "answer-broken"),
    ],
    ids=["hangs", "drips", "streams", "floods", "ssh", "hangs up", "says nothing", "redis", "no gzip"],
)  # fmt: skip
def test_what_is_no_answer_is_told(talk: Any, code: str) -> None:
    with wired(talk) as wire:
        assert code in codes(visited(local(wire.port)))


# ---- elsewhere


def moved(location: str) -> Patient:
    patient = Patient()

    def hook(asked: Asked, told: Told) -> Told | None:
        return Told(302, b"", {"location": location}) if asked.path == "widgets.json" else None

    patient.hooks.append(hook)
    return patient


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("/widgets.json", "redirect-loop"), ("/accounts/login/?next=/widgets.json", "sign-in-page"),
        ("https://elsewhere.example/widgets.json", "redirect-elsewhere"),
        ("http://127.0.0.1:9/widgets.json", "redirect-elsewhere"), ("gopher://x", "redirect-broken"),
    ],
)  # fmt: skip
def test_redirects_that_lead_nowhere_are_told(location: str, code: str) -> None:
    report = examined(moved(location))
    assert code in codes(report)
    assert not report.ok


def test_a_redirect_to_the_right_address_is_told_and_followed() -> None:
    below = prefixed("api")
    tell = below.tell
    below.tell = lambda asked: tell(asked) if asked.path.startswith("api/") else _to_api(asked)  # type: ignore[method-assign]
    report = examined(below)
    assert "redirect" in codes(report)
    assert report.url.endswith("/api")
    assert report.checked["widgets"] == len(WIDGETS)


def _to_api(asked: Asked) -> Told:
    return Told(308, b"", {"location": f"/api/{asked.path}"})


def prefixed(prefix: str) -> Patient:
    """Return a patient whose everything is below a prefix."""

    class Below(Patient):
        def tell(self, asked: Asked) -> Told:
            path = asked.path.removeprefix(f"{prefix}/")
            if path == asked.path and asked.method != "OPTIONS":
                return Told(404, b"no")
            return super().tell(Asked(asked.method, path, asked.headers, asked.query, asked.body))

    return Below()


def test_a_prefix_that_is_too_long_is_told_and_passed_over() -> None:
    with serving(prefixed("api"), ws="websockets-sansio") as (port, _):
        report = visited(f"{local(port)}/api/v1/widgets", limits=Limits())
    assert "url-prefix" in codes(report)
    assert report.url == f"{local(port)}/api"
    assert report.checked["widgets"] == len(WIDGETS)


def test_no_backend_at_all_is_told() -> None:
    with serving(prefixed("somewhere")) as (port, _):
        assert "widgets-missing" in codes(visited(local(port)))


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ({"headers": {}}, "key-needed"),
        ({"headers": {"X-API-KEY": "zebra"}}, "key-refused"),
        ({"headers": {}, "query": {"api_key": KEY}}, "key-place"),
        ({"headers": {"Authorization": f"Bearer {KEY}"}}, "key-place"),
    ],
)
def test_a_key_that_does_not_open_the_door_is_told(target: dict[str, Any], code: str) -> None:
    report = examined(Patient(), **target)
    assert code in codes(report)
    assert "zebra" not in str(report.findings)


def test_a_list_that_fails_is_told() -> None:
    patient = Patient()
    patient.hooks.append(lambda asked, told: Told(500, b"") if asked.path == "widgets.json" else None)
    assert "widgets-failed" in codes(examined(patient))


def test_ten_thousand_widgets_end_in_time_and_are_not_told_one_by_one() -> None:
    patient = Patient()
    patient.widgets = {f"w{number}": {**WIDGETS["queue"], "name": "Same"} for number in range(10_000)}
    patient.apps = []
    report = examined(patient, limits=Limits(seconds=20, calls=150))
    assert report.checked["widgets"] == 10_000
    assert report.checked["requests"] <= 150
    assert len(report.findings) < 200
    assert "more-of-the-same" in codes(report)


# ---- certificates


@pytest.fixture
def home(tmp_path: Path, settings: Settings) -> Path:
    """The state folder of a backend that has no authority of its own."""
    settings.WIDGETS_HOME = tmp_path / "home"
    return tmp_path / "theirs"


def secured(home: Path, *names: str) -> dict[str, Any]:
    """Return what a server needs for HTTPS under an authority that nobody trusts."""
    pair = own_pair(home, names)
    return {"ssl_certfile": str(pair.certfile), "ssl_keyfile": str(pair.keyfile)}


@pytest.fixture
def expired(home: Path) -> dict[str, Any]:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=800), tick=True):
        return secured(home, "127.0.0.1")


def test_a_certificate_of_nobody_known_is_told_and_passed_over(home: Path) -> None:
    with serving(Patient(), ws="websockets-sansio", **secured(home, "127.0.0.1")) as (port, _):
        report = visited(local(port, "https"), limits=Limits())
    assert "certificate-issuer" in codes(report)
    assert report.checked["widgets"] == len(WIDGETS)
    assert {finding.code for finding in report.findings if finding.severity != "info"} == {"certificate-issuer"}


def test_a_certificate_for_another_name_is_told(home: Path, settings: Settings) -> None:
    settings.WIDGETS_HOME = home  # its own authority: only the name is wrong
    with serving(Patient(), **secured(home, "other.example")) as (port, _):
        assert "certificate-name" in codes(visited(local(port, "https")))


def test_a_certificate_that_ran_out_is_told(home: Path, expired: dict[str, Any], settings: Settings) -> None:
    settings.WIDGETS_HOME = home
    with serving(Patient(), **expired) as (port, _):
        assert "certificate-expired" in codes(visited(local(port, "https")))


def test_this_backend_s_own_authority_is_only_noted(home: Path, settings: Settings) -> None:
    settings.WIDGETS_HOME = home
    with serving(Patient(), ws="websockets-sansio", **secured(home, "127.0.0.1")) as (port, _):
        report = visited(local(port, "https"), limits=Limits())
    assert "certificate-own-authority" in codes(report)
    assert report.ok


def test_a_key_is_not_sent_past_a_bad_certificate_to_the_internet(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "is_near", lambda host: False)
    patient = Patient()
    with serving(patient, **secured(home, "127.0.0.1")) as (port, _):
        report = visited(local(port, "https"))
    assert not report.ok
    assert not patient.asked


def test_a_key_for_https_is_not_sent_in_clear_to_the_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "is_near", lambda host: False)
    patient = Patient()
    with serving(patient) as (port, _):
        report = visited(local(port, "https"))
    assert "url-wrong-scheme" in codes(report)
    assert [one.key for one in patient.asked] == [""]


@pytest.mark.parametrize(
    ("host", "near"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("10.1.2.3", True), ("192.168.0.9", True), ("8.8.8.8", False),
     ("134744072", False), ("intranet", False), ("backend.local", False), ("widgets.example.com", False)],
)  # fmt: skip
def test_only_an_address_says_that_a_host_is_near(host: str, near: bool) -> None:
    assert is_near(host) is near


def test_an_authority_that_is_damaged_counts_as_none(home: Path, settings: Settings) -> None:
    settings.WIDGETS_HOME = home
    files = secured(home, "127.0.0.1")
    (home / "tls" / "authority.pem").write_text("damaged")
    with serving(Patient(), **files) as (port, _):
        assert "certificate-issuer" in codes(visited(local(port, "https")))


def test_the_limits_are_told_as_limits_and_not_as_faults() -> None:
    report = examined(Patient(), limits=Limits(calls=1))
    assert codes(report) - {"http-on-loopback", "local-network", "iframe-path"} == {"not-all-asked"}


def test_http_on_a_port_of_https_is_told_and_passed_over(home: Path) -> None:
    with serving(Patient(), ws="websockets-sansio", **secured(home, "127.0.0.1")) as (port, _):
        report = visited(local(port), limits=Limits())
    assert {"url-wrong-scheme", "certificate-issuer"} <= codes(report)
    assert report.checked["widgets"] == len(WIDGETS)


def test_https_on_a_port_of_http_is_told_and_passed_over() -> None:
    with serving(Patient(), ws="websockets-sansio") as (port, _):
        report = visited(local(port, "https"), limits=Limits())
    assert "url-wrong-scheme" in codes(report)
    assert report.checked["widgets"] == len(WIDGETS)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_certificate_of_the_client_is_told(
    home: Path, settings: Settings, version: ssl.TLSVersion
) -> None:
    settings.WIDGETS_HOME = home
    pair = own_pair(home, ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = version
    context.load_cert_chain(pair.certfile)
    context.load_verify_locations(pair.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    with wired(says(plain(b"{}", kind=JSON), times=9), tls=context) as wire:
        assert "client-certificate" in codes(visited(local(wire.port, "https")))
