"""Nobody leads this backend into its own network, neither by rows nor by what is passed on."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from pydantic import ValidationError
from pytest_django.fixtures import Settings

from tests.loopback import PATIENCE, eventually
from tests.sources.api import TOKEN, run, source_at
from tests.sources.conftest import PUBLIC, Network
from tests.sources.wire import head, plain, says, wired
from widgets_app.errors import RequestError, SourceFailed
from widgets_app.sources.base import Call, Forward, Limits
from widgets_app.sources.http import HttpBackend, HttpOptions
from widgets_app.sources.limits import Slots

METADATA = "169.254.169.254"
JSON = "application/json"

# Asks a source for a path, and returns the body or rows as text.
Ask = Callable[[HttpBackend, str], str]


def by_rows(source: HttpBackend, path: str) -> str:
    return run(source, f"GET {path}").json.decode()


def passed_on(source: HttpBackend, path: str) -> str:
    slots, limits = Slots("market", 2), Limits(seconds=PATIENCE)
    answer = source.send(Forward("GET", path[1:]), limits=limits, slots=slots, call=Call(), what="It")
    found = b"".join(answer.chunks).decode()
    eventually(lambda: slots.taken == 0)
    return found


@pytest.fixture(params=[by_rows, passed_on])
def ask(request: pytest.FixtureRequest) -> Ask:
    found: Ask = request.param
    return found


def source_of(url: str, **options: object) -> HttpBackend:
    values = {"url": url, "headers": {"Authorization": f"Bearer {TOKEN}"}, **options}
    return HttpBackend("market", HttpOptions.model_validate(values))


def refused(ask: Ask, source: HttpBackend, path: str = "/p") -> str:
    with pytest.raises(SourceFailed) as raised:
        ask(source, path)
    message = str(raised.value)
    assert TOKEN not in message
    assert "\n" not in message
    if ask is by_rows:
        assert not any(text in message for text in ("127.0.0.1", METADATA, "10.0.0.1", "localhost"))
    return message


def moved(location: str, status: str = "302 Found") -> bytes:
    return plain(b"", f"Location: {location}", status=status)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "LOCALHOST.", "127.0.0.1.", "127.1", "2130706433", "017700000001", "0x7f000001", "0x7f.1",
        "0177.0.0.1", "0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",  # noqa: S104
        "[64:ff9b::7f00:1]", "\u2460\u2461\u2466.0.0.1", "127\u30020\u30020\u30021", "\uff11\uff12\uff17.0.0.1", METADATA, "2852039166", "10.0.0.1",
        "[fd00:ec2::254]", "[fe80::1]",
    ],
)  # fmt: skip
def test_the_own_network_is_not_reached_however_it_is_written(host: str, ask: Ask):
    with wired(says(plain(b"[]", kind=JSON))) as wire:
        try:
            source = source_of(f"http://{host}:{wire.port}")
        except ValidationError:
            return
        assert "private network" in refused(ask, source) or "unknown" in refused(ask, source)
    assert wire.taken == 0


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "gopher://127.0.0.1/", "ftp://api.example/", "dict://127.0.0.1:11211/", "javascript:1", "//api.example",
        "http://api.example@127.0.0.1/", "http://127.0.0.1\\@api.example/", "http://api.example#@127.0.0.1/", "http://u:p@api.example/",
        "http://[fe80::1%25lo]/", "http://api.example/\r\nHost: evil", "http://api.example/?a=b", "http://api.example/a/../b",
        "http://127.0.0.1%2f@api.example/", "http://api.example:80:81/", "http://",
    ],
)  # fmt: skip
def test_an_address_of_another_kind_is_refused(url: str):
    with pytest.raises(ValidationError):
        source_of(url)


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/", "http://0x7f.1:{port}/", "http://127.0.0.1.:{port}/", "//127.0.0.1:{port}/",
        f"http://{METADATA}/latest/meta-data/", "http://10.0.0.1/", "http://[fd00:ec2::254]/", "http://inner.example/",
        "ftp://127.0.0.1:{port}/", "file:///etc/passwd", "http://u:p@127.0.0.1:{port}/", "http://[::1", "gopher://127.0.0.1/",
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect"])
def test_a_redirect_does_not_lead_there(location: str, status: str, ask: Ask, network: Network):
    network.names = {"api.example": [[PUBLIC]], "inner.example": [["10.0.0.1"]]}
    with wired(says(plain(b'[{"secret": 1}]', kind=JSON))) as inner:
        with wired(says(moved(location.format(port=inner.port), status))) as wire:
            network.port = wire.port
            refused(ask, source_of("http://api.example"))
        assert inner.taken == 0
    assert network.connected == [PUBLIC]


def test_redirects_in_a_circle_end(ask: Ask, network: Network):
    network.names["api.example"] = [[PUBLIC]]
    with wired(says(moved("/again"), times=10)) as wire:
        network.port = wire.port
        message = refused(ask, source_of("http://api.example"))
    assert "redirects" in message
    assert "Enter the address that it leads to." in message or "Use the address that it leads to." in message


def test_a_redirect_to_another_host_takes_no_secret_along(network: Network):
    network.names = {"api.example": [[PUBLIC]], "other.example": [[PUBLIC]]}
    asked: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        asked.append(head(connection))
        is_first = b"host: api.example" in asked[-1]
        connection.sendall(moved("http://other.example/x") if is_first else plain(b"[]", kind=JSON))

    with wired(talk) as wire:
        network.port = wire.port
        run(source_of("http://api.example"), "GET /p\nheader: X-Desk: :key", key="desk-of-ana")
    assert [(TOKEN.encode() in one, b"desk-of-ana" in one) for one in asked] == [(True, True), (False, False)]


@pytest.mark.parametrize("first", [[PUBLIC], [PUBLIC, "127.0.0.1"], ["127.0.0.1"]])
def test_a_name_that_changes_its_address_is_asked_only_where_it_was_checked(
    first: list[str], ask: Ask, network: Network
):
    network.names["rebind.example"] = [first, ["127.0.0.1"]]
    with wired(says(plain(b"[]", kind=JSON))) as wire:
        network.port = wire.port
        source = source_of(f"http://rebind.example:{wire.port}")
        if PUBLIC in first:
            assert ask(source, "/p") == "[]"
        assert "private network" in refused(ask, source)
    # What was checked is what is connected to: no second look-up lies between.
    assert network.connected == ([PUBLIC] if PUBLIC in first else [])


def test_a_host_that_is_not_listed_is_not_even_looked_up(ask: Ask, network: Network, settings: Settings):
    settings.WIDGETS_OUTBOUND_HOSTS = ["other.example"]
    network.names["api.example"] = [[PUBLIC]]
    assert "WIDGETS_OUTBOUND_HOSTS" in refused(ask, source_of("http://api.example"))
    assert not network.asked


@pytest.mark.parametrize(
    "path", ["//127.0.0.1/admin", "/http://127.0.0.1/admin", "/@127.0.0.1/", "/:80/", "/a\r\nHost: evil.example\r\n\r\nGET /b", "/ü\0"]
)  # fmt: skip
def test_a_path_of_a_caller_stays_a_path_of_the_upstream(path: str, network: Network):
    network.names["api.example"] = [[PUBLIC]]
    asked: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        asked.append(head(connection))
        connection.sendall(plain(b"[]", kind=JSON))

    with wired(talk) as wire:
        network.port = wire.port
        passed_on(source_of("http://api.example/v1"), path)
    lines = asked[0].split(b"\r\n")
    assert lines[0].startswith(b"GET /v1/")
    assert lines[0].count(b" ") == 2
    assert [line for line in lines if line.lower().startswith(b"host:")] == [b"host: api.example"]
    assert network.connected == [PUBLIC]


@pytest.mark.parametrize("path", ["/../admin", "/a/../../admin", "/."])
def test_a_path_of_a_caller_does_not_leave_the_address(path: str):
    with wired(says(plain())) as wire, pytest.raises(RequestError, match=r"has \. or \.\. in it"):
        passed_on(source_at(wire.port, "/v1"), path)
    assert wire.taken == 0


def test_next_pages_on_another_host_are_not_asked_for(network: Network):
    network.names = {"api.example": [[PUBLIC]], "evil.example": [[PUBLIC]]}
    answer = plain(b'[{"a": 1}]', 'Link: <http://evil.example/p>; rel="next"', kind=JSON)
    with wired(says(answer)) as wire:
        network.port = wire.port
        with pytest.raises(SourceFailed, match="a next page that is not below the address of the source"):
            run(source_of("http://api.example"), "GET /p\nnext: link header")
    assert network.asked == ["api.example"]
