"""Requests go to hosts that may be asked, at addresses that were checked, and end in time, whatever the server does."""

from __future__ import annotations

import datetime
import gc
import gzip
import ipaddress
import itertools
import logging
import socket
import ssl
import struct
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django.fixtures import Settings

from tests.loopback import PATIENCE, eventually, free_port
from tests.sources.conftest import PUBLIC, Network
from tests.sources.wire import Wire, head, plain, says, until_closed, wired
from widgets_app.errors import DefinitionError, RequestError, SourceFailed, SourceTimeout
from widgets_app.sources import outbound
from widgets_app.sources.address import parse
from widgets_app.sources.limits import Deadline
from widgets_app.sources.outbound import Fetched, Line, Outbound, Outgoing, check_headers, fetch

HOME = ("127.0.0.1", "localhost")
SECRET = "hush-hush"


def get(url: str, *, seconds: float = PATIENCE, limit: int = 1024**2, **more: Any) -> Fetched:
    return fetch(
        url, headers=more.pop("headers", {}), private_hosts=more.pop("private", HOME), seconds=seconds, limit=limit
    )


def refused(url: str, kind: type[RequestError] = SourceFailed, **more: Any) -> str:
    """Return the one line that tells why a document couldn't be read."""
    with pytest.raises(kind) as raised:
        get(url, **more)
    return str(raised.value)


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Every thread that fetches ends, whatever happened."""
    yield
    eventually(nothing_fetches, every=0.1)


def nothing_fetches() -> bool:
    """Say whether no thread fetches any more."""
    # Errors that a test has looked at, and work that ends just now, keep what they know until then.
    gc.collect()
    return not any(thread.name.startswith("source-fetch") for thread in threading.enumerate())


def test_a_document_is_read_whole_with_status_type_and_address():
    with wired(says(plain(b"[1, 2]", kind="application/json; charset=utf-8"))) as wire:
        found = get(f"http://127.0.0.1:{wire.port}/widgets.json?a=1#top")
    assert found == Fetched(
        200, "application/json; charset=utf-8", b"[1, 2]", f"http://127.0.0.1:{wire.port}/widgets.json?a=1"
    )


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "204 No Content", "304 Not Modified"])
def test_any_status_is_left_to_the_caller_to_judge(status: str):
    with wired(says(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())) as wire:
        assert get(f"http://127.0.0.1:{wire.port}/").status == int(status[:3])


def test_the_given_headers_are_sent_and_no_others_than_ours():
    asked: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        asked.append(head(connection))
        connection.sendall(plain())

    with wired(talk) as wire:
        get(f"http://localhost:{wire.port}/a%20b?c=d+e", headers={"X-Key": f" {SECRET} ", "Accept": "application/json"})
    assert asked[0].split(b"\r\n")[:-2] == [
        b"GET /a%20b?c=d+e HTTP/1.1", f"host: localhost:{wire.port}".encode(), b"accept: application/json",
        b"user-agent: widgets-backend/0.1.0", b"accept-encoding: gzip", b"x-key: hush-hush",
    ]  # fmt: skip


PRIVATE = [
    "127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001",  # noqa: S104
    "0177.0.0.1", "127.1", "0", "[::]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_a_private_address_is_not_asked_however_it_is_written(host: str):
    with wired(says(plain())) as wire:
        message = refused(f"http://{host}:{wire.port}/", private=["10.0.0.1"])
    assert wire.taken == 0
    assert message == (
        f'"{host.strip("[]")}" is in a private network. Name it in the private hosts of the source to allow that.'
    ).replace("::ffff:127.0.0.1", "::ffff:7f00:1").replace("::127.0.0.1", "::7f00:1")


def test_a_private_host_is_asked_under_the_name_that_was_named_and_no_other():
    with wired(says(plain(b"ok"))) as wire:
        assert get(f"http://LOCALHOST:{wire.port}/", private=["localhost"]).content == b"ok"
        assert "private network" in refused(f"http://127.0.0.1:{wire.port}/", private=["localhost"])
    assert wire.taken == 1


def test_a_name_that_changes_its_address_is_asked_only_where_it_was_checked(network: Network):
    network.names["rebind.example"] = [[PUBLIC], ["127.0.0.1"]]
    with wired(says(plain(b"ok"))) as wire:
        network.port = wire.port
        assert get(f"http://rebind.example:{wire.port}/").content == b"ok"
        assert "private network" in refused(f"http://rebind.example:{wire.port}/")
    assert network.connected == [PUBLIC]
    assert network.asked == ["rebind.example"] * 2


def test_only_the_public_ones_of_several_addresses_are_tried(network: Network):
    network.names["mixed.example"] = [["127.0.0.1", PUBLIC, "10.0.0.1"]]
    with wired(says(plain(b"ok"))) as wire:
        network.port = wire.port
        assert get(f"http://mixed.example:{wire.port}/").content == b"ok"
    assert network.connected == [PUBLIC]


def test_the_next_address_is_tried_when_one_fails(network: Network):
    network.names["two.example"] = [["127.0.0.2", "127.0.0.1"]]
    with wired(says(plain(b"ok"))) as wire:
        assert get(f"http://two.example:{wire.port}/", private=["two.example"]).content == b"ok"
    assert network.connected == ["127.0.0.2", "127.0.0.1"]


def test_an_unknown_host_is_named(network: Network):
    network.names["nowhere.example"] = [[]]
    message = refused("http://nowhere.example/")
    assert message == 'The host "nowhere.example" is unknown. Check the address.'
    assert "is unknown" in refused(f"http://{'a' * 64}.example/")


def test_a_port_that_nobody_listens_on_is_named():
    port = free_port()
    assert refused(f"http://127.0.0.1:{port}/") == (
        f'"127.0.0.1" refuses connections on port {port}. Check the port, and that it is running.'
    )


@pytest.mark.parametrize("host", ["other.example", "localhost"])
def test_a_host_outside_the_deployments_list_is_not_even_looked_up(host: str, network: Network, settings: Settings):
    settings.WIDGETS_OUTBOUND_HOSTS = ["*.example.org"]
    network.names = {host: [[PUBLIC]], "api.example.org": [[PUBLIC]]}
    with wired(says(plain(b"ok"))) as wire:
        network.port = wire.port
        assert refused(f"http://{host}/", private=[host]) == (
            f'"{host}" is not among the hosts that may be asked. Add it to WIDGETS_OUTBOUND_HOSTS.'
        )
        assert get("http://api.example.org/").content == b"ok"
    assert network.asked == ["api.example.org"]


@pytest.mark.parametrize("url", ["ftp://a.example/", "http://u:hush-hush@a.example/", "nonsense", "http://a.example:x"])
def test_an_address_that_cannot_be_used_is_told_in_one_line(url: str):
    assert SECRET not in refused(url)


def test_headers_that_cannot_be_sent_are_told_without_their_values():
    assert refused("http://a.example/", headers={"X-Key": f"{SECRET}\r\nHost: b"}) == (
        "The value of the header X-Key has line breaks or other unusual characters."
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"": "a"}, {"X Key": "a"}, {"X-Kéy": "a"}, {"X:": "a"}, {"X\r\nY": "a"}, {"X": "a\nb"}, {"X": "a\x00"},
        {"X": "€"}, {"Host": "a"}, {"content-length": "1"}, {"TRANSFER-ENCODING": "chunked"}, {"Connection": "close"},
        {"Proxy-Authorization": "a"}, {"Expect": "100-continue"}, {"Accept-Encoding": "br"}, {"X-a": "1", "x-A": "2"},
    ],
)  # fmt: skip
def test_headers_that_would_break_a_request_are_refused(headers: dict[str, str]):
    with pytest.raises(DefinitionError):
        check_headers(headers)


def test_usual_headers_are_taken():
    check_headers({"X-API-KEY": "a b\tc", "Authorization": "Bearer a", "Cookie": "a=b", "X-Name": "Bjørn", "Empty": ""})


def moved(target: str, status: int = 302) -> bytes:
    return plain(b"go", f"Location: {target}", status=f"{status} Moved")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_with_the_secret_headers_on_the_same_origin(status: int):
    asked: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        asked.append(head(connection))
        connection.sendall(plain(b"ok") if b"/new" in asked[-1] else moved("/new?a=b", status))

    with wired(talk) as wire:
        found = get(f"http://127.0.0.1:{wire.port}/old", headers={"X-Key": SECRET})
    assert (found.content, found.url) == (b"ok", f"http://127.0.0.1:{wire.port}/new?a=b")
    assert [SECRET.encode() in request for request in asked] == [True, True]


def test_secret_headers_stay_behind_when_a_redirect_leaves_the_origin_even_if_it_comes_back():
    asked: list[tuple[str, bytes]] = []
    ports: dict[str, int] = {}

    def other(connection: socket.socket) -> None:
        asked.append(("other", head(connection)))
        connection.sendall(moved(f"http://127.0.0.1:{ports['first']}/back"))

    def first(connection: socket.socket) -> None:
        asked.append(("first", head(connection)))
        back = b"/back" in asked[-1][1]
        connection.sendall(plain(b"ok") if back else moved(f"http://127.0.0.1:{ports['other']}/"))

    with wired(first) as one, wired(other) as two:
        ports.update(first=one.port, other=two.port)
        assert get(f"http://127.0.0.1:{one.port}/", headers={"X-Key": SECRET}).content == b"ok"
    sent = [(name, SECRET.encode() in request) for name, request in asked]
    assert sent == [("first", True), ("other", False), ("first", False)]


def test_a_redirect_into_the_private_network_is_refused(network: Network):
    network.names["public.example"] = [[PUBLIC]]
    with wired(says(plain(b"secret"))) as inner, wired(says(moved(f"http://127.0.0.1:{inner.port}/"))) as wire:
        network.port = wire.port
        assert '"127.0.0.1" is in a private network' in refused("http://public.example/", private=[])
    assert inner.taken == 0


def test_a_redirect_to_a_host_outside_the_list_is_refused(settings: Settings):
    settings.WIDGETS_OUTBOUND_HOSTS = ["127.0.0.1"]
    with wired(says(moved("http://other.example/"))) as wire:
        assert '"other.example" is not among the hosts' in refused(f"http://127.0.0.1:{wire.port}/")


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/", "file:///etc/passwd", "http://u:hush-hush@127.0.0.1/"])
def test_a_redirect_to_another_kind_of_address_is_refused(target: str):
    with wired(says(moved(target))) as wire:
        message = refused(f"http://127.0.0.1:{wire.port}/")
    assert message.startswith('"127.0.0.1" redirects to an address that can\'t be used.')
    assert SECRET not in message


def test_redirects_in_a_circle_end():
    with wired(says(moved("/again"))) as wire:
        assert refused(f"http://127.0.0.1:{wire.port}/") == (
            '"127.0.0.1" redirects more than 3 times. Use the address that it leads to.'
        )
    assert wire.taken == 4


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_redirect_of_anything_but_a_read_is_refused(method: str):
    with wired(says(moved("/new", 307))) as wire:
        outgoing = Outgoing(method, parse(f"http://127.0.0.1:{wire.port}/"), {})
        with pytest.raises(SourceFailed, match=f"redirects a {method}, which is not followed"):
            Outbound(HOME).send(outgoing, Line(Deadline(PATIENCE, "It", "")))
    assert wire.taken == 1


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ssl.SSLContext]]:
    """Makes what servers need for TLS, under an authority that this machine trusts, or under none."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(b"")
    made = itertools.count()

    def make(*names: str, known: bool = True) -> ssl.SSLContext:
        key, path = ec.generate_private_key(ec.SECP256R1()), tmp_path / f"server-{next(made)}.pem"
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A server")])
        now = datetime.datetime.now(datetime.UTC)
        alternatives = [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
        certificate = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        path.write_bytes(
            pem + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )  # fmt: skip
        if known:
            trusted.write_bytes(trusted.read_bytes() + pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    outbound._tls.cache_clear()
    yield make
    outbound._tls.cache_clear()


def test_a_trusted_server_is_asked_over_tls_under_its_name(authority: Callable[..., ssl.SSLContext], network: Network):
    context, names, asked = authority("public.example"), [], []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    network.names["public.example"] = [[PUBLIC]]

    def talk(connection: socket.socket) -> None:
        asked.append(head(connection))
        connection.sendall(plain(b"ok" * 100_000))

    with wired(talk, tls=context) as wire:
        network.port = wire.port
        assert get("https://public.example/").content == b"ok" * 100_000
    assert names == ["public.example"]
    assert b"host: public.example\r\n" in asked[0]


@pytest.mark.parametrize(
    ("names", "known", "reason"),
    [(["127.0.0.1"], False, "self-signed certificate"), (["other.example"], True, "IP address mismatch")],
)
def test_a_certificate_that_does_not_fit_is_refused(
    names: list[str], known: bool, reason: str, authority: Callable[..., ssl.SSLContext]
):
    with wired(says(plain(b"ok")), tls=authority(*names, known=known)) as wire:
        message = refused(f"https://127.0.0.1:{wire.port}/", headers={"X-Key": SECRET})
    assert message.startswith('The certificate of "127.0.0.1" is not trusted: ')
    assert reason in message


def test_a_server_without_tls_is_told_apart():
    with wired(lambda connection: connection.sendall(plain(b"ok"))) as wire:
        assert refused(f"https://127.0.0.1:{wire.port}/") == (
            '"127.0.0.1" could not agree on TLS. Check that its address starts with the right scheme.'
        )


def silent(connection: socket.socket) -> None:
    until_closed(connection)


def slow_body(connection: socket.socket) -> None:
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    drip(connection, b"x")


def slow_head(connection: socket.socket) -> None:
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    drip(connection, b"X-More: a\r\n")


def endless_early_hints(connection: socket.socket) -> None:
    head(connection)
    drip(connection, b"HTTP/1.1 103 Early Hints\r\n\r\n")


def drip(connection: socket.socket, piece: bytes) -> None:
    gone = threading.Event()
    for _ in range(1000):
        connection.sendall(piece)
        gone.wait(0.02)


@pytest.mark.parametrize("talk", [silent, slow_body, slow_head, endless_early_hints])
def test_a_server_that_dawdles_is_left_at_the_limit(talk: Callable[[socket.socket], None]):
    with wired(talk) as wire:
        message = refused(f"http://127.0.0.1:{wire.port}/", SourceTimeout, seconds=0.4)
        eventually(lambda: wire.open == 0)
    assert message == '"127.0.0.1" took longer than 0.4 s. Try again later.'


def test_a_handshake_that_never_ends_is_left_at_the_limit():
    with wired(silent) as wire:
        assert "took longer than 0.3 s" in refused(f"https://127.0.0.1:{wire.port}/", SourceTimeout, seconds=0.3)
        eventually(lambda: wire.open == 0)


def test_a_name_service_that_hangs_is_left_at_the_limit(monkeypatch: pytest.MonkeyPatch):
    answer = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        answer.wait(PATIENCE)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    assert "took longer than 0.2 s" in refused("http://slow.example/", SourceTimeout, seconds=0.2)
    answer.set()


def test_a_connection_that_is_never_accepted_is_left_at_the_limit():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filling = [socket.socket() for _ in range(4)]
        for one in filling:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert "took longer than 0.3 s" in refused(url, SourceTimeout, seconds=0.3)
        for one in filling:
            one.close()


def answering(answer: bytes, *, reset: bool = False) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(answer)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return talk


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 O",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
def test_an_answer_that_breaks_off_is_told(answer: bytes, reset: bool):
    with wired(answering(answer, reset=reset)) as wire:
        assert refused(f"http://127.0.0.1:{wire.port}/") == (
            '"127.0.0.1" closed the connection before its answer was complete. Look into its log.'
        )


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 4000,
        b"HTTP/1.1 200 " + b"a" * 300_000,
    ],
)
def test_what_is_not_http_is_told(answer: bytes):
    def talk(connection: socket.socket) -> None:
        answering(answer)(connection)
        until_closed(connection)

    with wired(talk) as wire:
        assert refused(f"http://127.0.0.1:{wire.port}/") == (
            '"127.0.0.1" sent something that is not HTTP. Check scheme and port of its address.'
        )


def test_an_answer_that_ends_with_the_connection_is_whole():
    with wired(answering(b"HTTP/1.0 200 OK\r\n\r\nall of it")) as wire:
        assert get(f"http://127.0.0.1:{wire.port}/").content == b"all of it"


TEXT = b"some text that is repeated, " * 1000


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("X-GZIP", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
        ("identity", TEXT),
    ],
)
def test_a_compressed_document_is_read(encoding: str, body: bytes):
    with wired(says(plain(body, f"Content-Encoding: {encoding}"))) as wire:
        assert get(f"http://127.0.0.1:{wire.port}/", limit=len(TEXT)).content == TEXT


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        ("br", b"x", "an encoding that wasn't asked for"),
        ("gzip, gzip", b"x", "an encoding that wasn't asked for"),
        ("gzip", b"not compressed", "it says gzip but isn't"),
        ("gzip", gzip.compress(TEXT)[:-20], "breaks off"),
        ("gzip", gzip.compress(TEXT) + b"and more", "it says gzip but isn't"),
    ],
)
def test_a_document_that_cannot_be_decompressed_is_told(encoding: str, body: bytes, reason: str):
    with wired(says(plain(body, f"Content-Encoding: {encoding}"))) as wire:
        assert reason in refused(f"http://127.0.0.1:{wire.port}/")


def test_a_document_of_the_largest_size_is_read_and_one_byte_more_is_not():
    with wired(says(plain(b"x" * 1000), times=2)) as wire:
        assert len(get(f"http://127.0.0.1:{wire.port}/", limit=1000).content) == 1000
        assert refused(f"http://127.0.0.1:{wire.port}/", limit=999).startswith('"127.0.0.1" sends more than 0.00')


def test_an_endless_document_is_left_at_the_limit():
    def talk(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with wired(talk) as wire:
        message = refused(f"http://127.0.0.1:{wire.port}/", limit=3 * 1024**2)
        eventually(lambda: wire.open == 0)
    assert message == '"127.0.0.1" sends more than 3 MB. That is too large to be read. Have it send less.'


def test_a_small_file_that_unpacks_to_a_huge_one_takes_no_memory():
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(b"\0" * 1024**2) for _ in range(300)) + packer.flush()
    with wired(says(plain(bomb, "Content-Encoding: gzip"))) as wire:
        tracemalloc.start()
        try:
            message = refused(f"http://127.0.0.1:{wire.port}/", limit=1024**2)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert "sends more than 1 MB" in message
    assert peak < 8 * 1024**2


def test_compressed_nothing_without_end_is_left_at_the_limit():
    with wired(says(plain(gzip.compress(b"") * 10_000, "Content-Encoding: gzip"))) as wire:
        assert "sends more than" in refused(f"http://127.0.0.1:{wire.port}/", limit=100_000)


def test_secrets_are_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture):
    def echo(connection: socket.socket) -> None:
        connection.sendall(head(connection))

    with caplog.at_level(logging.DEBUG), wired(echo) as wire:
        url = f"http://127.0.0.1:{wire.port}/?key=hush-query"
        message = refused(url, headers={"X-Key": SECRET})
        found = repr(Outgoing("GET", parse(url), {}, {"X-Key": SECRET}, [SECRET.encode()]))
    assert "not HTTP" in message
    for text in (message, found, caplog.text):
        assert SECRET not in text
    assert "hush-query" not in message


def send(pool: Outbound, wire: Wire, method: str = "GET", body: list[bytes] | None = None) -> bytes:
    line = Line(Deadline(PATIENCE, "It", ""))
    headers = {} if body is None else {"Content-Length": str(sum(map(len, body)))}
    reply = pool.send(Outgoing(method, parse(f"http://127.0.0.1:{wire.port}/"), headers, body=body), line)
    return b"".join(reply.pieces())


def test_a_connection_is_kept_for_the_next_request():
    pool = Outbound(HOME)
    with wired(says(plain(b"ok"), times=6)) as wire:
        assert [send(pool, wire) for _ in range(5)] == [b"ok"] * 5
        assert wire.taken == 1
        del pool
        eventually(lambda: wire.open == 0)


def test_a_kept_connection_that_the_server_closed_is_not_used():
    with wired(says(plain(b"ok"))) as wire, closing(Outbound(HOME)) as pool:
        for _ in range(3):
            assert send(pool, wire, "POST", [b"a"]) == b"ok"
            eventually(lambda: wire.open == 0)
        assert wire.taken == 3


def leaves_at_the_second(connection: socket.socket) -> None:
    """Answer once, and close when the next request has come."""
    says(plain(b"ok"))(connection)
    head(connection)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_kept_connection_that_closes_just_then_is_no_fault_of_the_request(method: str):
    with wired(leaves_at_the_second) as wire, closing(Outbound(HOME)) as pool:
        assert [send(pool, wire, method) for _ in range(3)] == [b"ok"] * 3
        assert wire.taken == 3


@pytest.mark.parametrize(("method", "body"), [("POST", None), ("POST", [b"a"]), ("PUT", [b"a"])])
def test_a_request_that_may_have_had_an_effect_is_not_repeated(method: str, body: list[bytes] | None):
    with wired(leaves_at_the_second) as wire, closing(Outbound(HOME)) as pool:
        assert send(pool, wire) == b"ok"
        with pytest.raises(SourceFailed, match="closed the connection before its answer was complete"):
            send(pool, wire, method, body)
        assert wire.taken == 1


def test_a_server_that_always_closes_is_asked_once_more_at_most():
    with wired(head) as wire, closing(Outbound(HOME)) as pool:
        with pytest.raises(SourceFailed, match="closed the connection"):
            send(pool, wire)
        assert wire.taken == 1
