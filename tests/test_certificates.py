"""Certificates of our own and those of others: what is made, kept, renewed and refused."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from project import certificates
from project.certificates import (
    CertificateError,
    Pair,
    context_factory,
    given_pair,
    names_of_machine,
    own_pair,
    state_of,
)
from tests.loopback import PATIENCE, eventually, serving

LOCAL = ["localhost", "127.0.0.1"]
FILES = ("authority.pem", "authority-key.pem", "server.pem")


def days(number: float) -> Any:
    """Travel to another day; the clock goes on there."""
    return time_machine.travel(datetime.now(UTC) + timedelta(days=number), tick=True)


def names_in(pair: Pair) -> list[str]:
    found = x509.load_pem_x509_certificates(pair.certfile.read_bytes())[0]
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---- names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Desk.Example.COM.", ["desk.example.com"]),
        (".example.com", ["example.com", "*.example.com"]),
        ("*.example.com", ["*.example.com"]),
        ("müller.example", ["xn--mller-kva.example"]),
        (".müller.example", ["xn--mller-kva.example", "*.xn--mller-kva.example"]),
        ("my_box", ["my_box"]),
        ("[::1]", ["::1"]),
        ("fe80::1%eth0", ["fe80::1"]),
        ("[FE80::1%25eth0]", ["fe80::1"]),
        ("192.168.1.20", ["192.168.1.20"]),
        ("0.0.0.0", []),  # noqa: S104  nothing is bound to it
        *[(name, []) for name in ("", ".", "*", "::", "224.0.0.1", "a b", "a..b", "a*.b", "a,b", "x" * 64)],
    ],
)
def test_a_name_stands_in_the_certificate_as_browsers_look_for_it(
    tmp_path: Path, name: str, expected: list[str]
) -> None:
    pair = own_pair(tmp_path, ["localhost", name])
    assert names_in(pair) == ["localhost", *expected]
    before = contents(pair.certfile.parent)
    own_pair(tmp_path, ["localhost", name])
    assert contents(pair.certfile.parent) == before


def test_every_address_of_the_machine_and_its_names_are_there(tmp_path: Path) -> None:
    names = names_in(own_pair(tmp_path, names_of_machine("desk.example.com")))
    host = socket.gethostname().lower()
    assert {"localhost", "127.0.0.1", "::1", host, "desk.example.com"} <= set(names)
    for entry in socket.getaddrinfo(host, None):
        address = ipaddress.ip_address(str(entry[4][0]).partition("%")[0])
        assert str(address) in names


@pytest.mark.parametrize("host", ["", "größer" * 20, "a" * 200, 'we, "odd"\n=host'])
def test_an_odd_name_of_the_machine_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    names = names_in(own_pair(tmp_path, names_of_machine()))
    assert names[:3] == ["localhost", "127.0.0.1", "::1"]
    assert "local" not in names


# ---- made, kept, renewed


def test_only_the_owner_can_read_what_is_secret(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        pair = own_pair(tmp_path, LOCAL)
    finally:
        os.umask(before)
    folder = pair.certfile.parent
    assert [mode(folder / name) for name in FILES] == [0o644, 0o600, 0o600]
    assert mode(folder) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == [".lock", *sorted(FILES)]


def test_rights_that_are_too_wide_are_taken_back(tmp_path: Path) -> None:
    folder = own_pair(tmp_path, LOCAL).certfile.parent
    before = contents(folder)
    for path in (folder, folder / "authority-key.pem", folder / "server.pem"):
        path.chmod(0o777)
    own_pair(tmp_path, LOCAL)
    assert [mode(folder / name) & 0o077 for name in ("authority-key.pem", "server.pem")] == [0, 0]
    assert mode(folder) == 0o700
    assert contents(folder) == before


def test_servers_that_start_at_once_share_one_authority_and_one_certificate(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        pairs = list(pool.map(lambda _: own_pair(tmp_path, LOCAL), range(8)))
    assert sum(pair.is_new for pair in pairs) == 1
    assert len({pair.certfile.stat().st_ino for pair in pairs}) == 1
    given_pair(pairs[0].certfile)


@pytest.mark.parametrize("day", [0, 300, 366])
def test_it_is_used_until_a_month_before_its_end(tmp_path: Path, day: int) -> None:
    first = contents(own_pair(tmp_path, LOCAL).certfile.parent)
    with days(day):
        pair = own_pair(tmp_path, LOCAL)
        given_pair(pair.certfile)
    assert not pair.is_new
    again = contents(pair.certfile.parent)
    assert again["authority.pem"] == first["authority.pem"]
    assert (again["server.pem"] == first["server.pem"]) is (day < 366)


def test_it_ends_before_apple_refuses_it_and_before_its_authority(tmp_path: Path) -> None:
    own_pair(tmp_path, LOCAL)
    with days(3650 - 399):
        pair = own_pair(tmp_path, LOCAL)
    assert not pair.is_new
    server, authority = x509.load_pem_x509_certificates(pair.certfile.read_bytes())
    assert server.not_valid_after_utc - server.not_valid_before_utc <= timedelta(days=398)
    assert server.not_valid_after_utc <= authority.not_valid_after_utc


def test_a_new_name_makes_a_new_certificate_and_one_that_is_gone_does_not(tmp_path: Path) -> None:
    first = contents(own_pair(tmp_path, LOCAL).certfile.parent)
    more = own_pair(tmp_path, [*LOCAL, "10.0.0.5"])
    assert not more.is_new
    second = contents(more.certfile.parent)
    assert second["server.pem"] != first["server.pem"]
    own_pair(tmp_path, LOCAL)
    assert contents(more.certfile.parent) == second


def test_an_authority_in_its_last_year_is_replaced(tmp_path: Path) -> None:
    own_pair(tmp_path, LOCAL)
    with days(3650 - 390):
        pair = own_pair(tmp_path, LOCAL)
        assert pair.is_new
        given_pair(pair.certfile)


def test_a_clock_that_is_behind_does_not_cost_the_authority(tmp_path: Path) -> None:
    folder = own_pair(tmp_path, LOCAL).certfile.parent
    before = contents(folder)
    with days(-5000), pytest.raises(CertificateError, match=r"is valid from \d{4}-\d\d-\d\d only\. Set .*'s clock"):
        own_pair(tmp_path, LOCAL)
    assert contents(folder) == before
    assert not own_pair(tmp_path, LOCAL).is_new


def test_a_certificate_made_while_the_clock_was_ahead_is_made_anew(tmp_path: Path) -> None:
    own_pair(tmp_path, LOCAL)
    with days(500):
        own_pair(tmp_path, LOCAL)
    given_pair(own_pair(tmp_path, LOCAL).certfile)


def breakages(folder: Path, other: Path) -> Iterator[tuple[str, bytes | None]]:
    for name in FILES:
        whole = (folder / name).read_bytes()
        for content in (None, b"", b"\xff\x00", whole[: len(whole) // 2], (other / name).read_bytes()):
            yield name, content


def test_whatever_is_broken_is_made_anew(tmp_path: Path) -> None:
    other = own_pair(tmp_path / "other", LOCAL).certfile.parent
    folder = own_pair(tmp_path, LOCAL).certfile.parent
    for name, content in list(breakages(folder, other)):
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)
        # What a process left behind that was killed while it wrote.
        (folder / f".{name}.new").write_bytes(b"-----BEGIN")
        pair = own_pair(tmp_path, LOCAL)
        assert pair.is_new is (name != "server.pem"), (name, content)
        given_pair(pair.certfile)
        assert ssl.create_default_context(cafile=pair.authority).cert_store_stats()["x509_ca"] >= 1
        assert own_pair(tmp_path, LOCAL).is_new is False


def test_an_authority_that_can_t_be_read_is_not_replaced(tmp_path: Path) -> None:
    folder = own_pair(tmp_path, LOCAL).certfile.parent
    before = (folder / "authority.pem").read_bytes()
    (folder / "authority-key.pem").unlink()
    (folder / "authority-key.pem").mkdir()
    with pytest.raises(IsADirectoryError):
        own_pair(tmp_path, LOCAL)
    assert (folder / "authority.pem").read_bytes() == before


@pytest.mark.skipif(not shutil.which("openssl"), reason="There is no openssl.")
@pytest.mark.parametrize("check", [("-verify_ip", "127.0.0.1"), ("-verify_hostname", "a.example.com")])
def test_openssl_finds_no_fault_with_the_chain(tmp_path: Path, check: tuple[str, str]) -> None:
    pair = own_pair(tmp_path, [*LOCAL, ".example.com"])
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", str(pair.authority), *check]
    answer = subprocess.run([*command, str(pair.certfile)], capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == f"{pair.certfile}: OK", answer.stderr


@pytest.mark.skipif(not shutil.which("openssl"), reason="There is no openssl.")
def test_the_commands_of_the_page_make_a_certificate_that_serves(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parent.parent / "docs" / "https.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"^```sh\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    done = subprocess.run(["sh", "-ec", commands], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "server.pem: OK" in done.stdout, done.stderr
    given_pair(tmp_path / "server.pem", tmp_path / "server-key.pem")


# ---- of others


def split(pair: Pair, folder: Path) -> tuple[Path, Path]:
    """Return certificate and key of a pair in a file each."""
    key, begin, certificate = pair.certfile.read_text().partition("-----BEGIN CERTIFICATE")
    (folder / "cert.pem").write_text(begin + certificate)
    (folder / "key.pem").write_text(key)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key."""
    return split(own_pair(tmp_path, LOCAL), tmp_path)


def test_a_good_pair_is_taken_in_two_files_and_in_one_in_any_order(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    assert given_pair(*pair) == Pair(*pair)
    both = tmp_path / "both.pem"
    both.write_bytes(pair[0].read_bytes() + pair[1].read_bytes())
    assert given_pair(both) == Pair(both, both)


@pytest.mark.parametrize("kind", ["same", "rsa", "ed25519"])
def test_a_key_of_another_certificate_is_told(tmp_path: Path, pair: tuple[Path, Path], kind: str) -> None:
    (tmp_path / "other").mkdir()
    _, other = split(own_pair(tmp_path / "other", LOCAL), tmp_path / "other")
    if kind != "same":
        key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ed25519.Ed25519PrivateKey.generate()
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        other.write_bytes(key.private_bytes(*form))
    with pytest.raises(CertificateError, match=r"does not belong to .*cert\.pem\. Give the key"):
        given_pair(pair[0], other)


def test_a_chain_before_the_certificate_is_told(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    one, two = pair[0].read_text().split("-----BEGIN CERTIFICATE")[1:]
    pair[0].write_text(f"-----BEGIN CERTIFICATE{two}-----BEGIN CERTIFICATE{one}")
    with pytest.raises(CertificateError, match="a chain stands behind it"):
        given_pair(*pair)


@pytest.mark.parametrize(("day", "text"), [(400, r"ran out on \d{4}-\d\d-\d\d\. Renew it"), (-20, "Check the clock")])
def test_a_certificate_out_of_its_time_is_told(pair: tuple[Path, Path], day: int, text: str) -> None:
    with days(day), pytest.raises(CertificateError, match=text):
        given_pair(*pair)


@pytest.mark.parametrize(("day", "soon"), [(370, False), (380, True)])
def test_the_end_is_told_and_when_it_comes_soon(pair: tuple[Path, Path], day: int, soon: bool) -> None:
    with days(day):
        state = state_of(given_pair(*pair).certfile)
        assert state.ends_soon is soon
    assert f"{state.ends_at:%Y-%m-%d}" == f"{datetime.now(UTC) + timedelta(days=396):%Y-%m-%d}"


def test_a_key_with_a_password_is_told(pair: tuple[Path, Path]) -> None:
    key = serialization.load_pem_private_key(pair[1].read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    pair[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    with pytest.raises(CertificateError, match=r"is locked with a password\. Unlock a copy: openssl pkey -in "):
        given_pair(*pair)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_pem_is_told(pair: tuple[Path, Path], content: bytes) -> None:
    good = pair[0].read_bytes()
    pair[0].write_bytes(content)
    with pytest.raises(CertificateError, match=r"cert\.pem holds no certificate in PEM form.*Convert it"):
        given_pair(*pair)
    pair[0].write_bytes(good)
    pair[1].write_bytes(content)
    with pytest.raises(CertificateError, match=r"key\.pem holds no key in PEM form.*Convert it"):
        given_pair(*pair)


def test_a_key_that_is_missing_in_the_file_of_the_certificate_is_told(pair: tuple[Path, Path]) -> None:
    with pytest.raises(CertificateError, match="Name its file with --keyfile"):
        given_pair(pair[0])


@pytest.mark.parametrize(("name", "reason"), [("nothing.pem", "No such file"), ("", "Is a directory")])
def test_a_file_that_can_t_be_read_is_told(tmp_path: Path, pair: tuple[Path, Path], name: str, reason: str) -> None:
    for files in ((tmp_path / name, pair[1]), (pair[0], tmp_path / name)):
        with pytest.raises(CertificateError, match=f"can't be read: {reason}.*Check path and rights"):
            given_pair(*files)


# ---- served on and on


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def served(port: int) -> str:
    """Return the certificate that a new connection gets."""
    return ssl.get_server_certificate(("127.0.0.1", port)).strip()


def first_in(path: Path) -> str:
    text = path.read_text()
    return text[text.index("-----BEGIN CERTIFICATE") :].partition("-----END CERTIFICATE-----")[0] + (
        "-----END CERTIFICATE-----"
    )


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let servers look often, and no longer than a test takes."""
    ended = threading.Event()
    monkeypatch.setattr(certificates, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(certificates, "_ended", ended)
    yield
    ended.set()
    for thread in threading.enumerate():
        if thread.name == "certificate":
            thread.join(PATIENCE)


def test_a_running_server_renews_its_certificate_in_time(tmp_path: Path) -> None:
    pair = own_pair(tmp_path, LOCAL)
    before = first_in(pair.certfile)
    factory = context_factory(pair, lambda: own_pair(tmp_path, LOCAL))
    with serving(hello, ssl_context_factory=factory) as (port, _):
        assert served(port) == before
        with days(370):
            eventually(lambda: served(port) != before)
            assert served(port) == first_in(pair.certfile)


def test_a_running_server_tells_of_a_new_authority(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pair = own_pair(tmp_path, LOCAL)
    factory = context_factory(pair, lambda: own_pair(tmp_path, LOCAL))
    with serving(hello, ssl_context_factory=factory) as (port, _):
        assert served(port)
        (tmp_path / "tls" / "authority.pem").unlink()
        eventually(lambda: f"browsers have to trust: {pair.authority}" in caplog.text)


@pytest.mark.parametrize("content", [b"", b"not a certificate"])
def test_a_running_server_that_can_t_renew_says_so_once_and_serves_on(
    tmp_path: Path, pair: tuple[Path, Path], caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    before = first_in(pair[0])
    with serving(hello, ssl_context_factory=context_factory(given_pair(*pair))) as (port, _):
        assert served(port) == before
        pair[0].write_bytes(content)
        eventually(lambda: "holds no certificate" in caplog.text)
        assert served(port) == before
        time.sleep(0.2)  # several looks
        assert served(port) == before
    assert caplog.text.count("holds no certificate") == 1
    assert "Traceback" not in caplog.text


def test_a_certificate_that_certbot_renews_is_served_without_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Certbot keeps links to the latest files, and replaces them one after the other."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        split(own_pair(tmp_path / name, LOCAL), tmp_path / name)
    certfile, keyfile = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    certfile.symlink_to("one/cert.pem")
    keyfile.symlink_to("one/key.pem")
    with serving(hello, ssl_context_factory=context_factory(given_pair(certfile, keyfile))) as (port, _):
        assert served(port) == first_in(certfile)
        certfile.unlink()
        certfile.symlink_to("two/cert.pem")
        eventually(lambda: "does not belong" in caplog.text)
        assert served(port) == first_in(tmp_path / "one" / "cert.pem")
        keyfile.unlink()
        keyfile.symlink_to("two/key.pem")
        eventually(lambda: served(port) == first_in(certfile))


def test_two_servers_of_one_folder_with_other_names_share_a_certificate(tmp_path: Path) -> None:
    first = own_pair(tmp_path, ["a.example"])
    own_pair(tmp_path, ["b.example"])
    made = first.certfile.read_bytes()
    for names in (["a.example"], ["b.example"]):
        assert own_pair(tmp_path, names).certfile.read_bytes() == made
    assert set(state_of(first.certfile).names) == {"a.example", "b.example"}
