"""HTTPS as both servers speak it: with a certificate of their own, and with somebody's."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from project.certificates import own_pair
from tests.commands.conftest import Command
from tests.loopback import Response, ask, connected, eventually, everything, free_port, raw

Manage = Callable[..., Command]
SERVERS = [("serve",), ("serve", "--workers", "2"), ("runserver", "--noreload")]
# Certificates are looked at every minute, which is too long for a test.
OFTEN = "from project.settings import *\nfrom project import certificates\ncertificates.LOOK_SECONDS = 0.1\n"


def trusting(home: Path) -> ssl.SSLContext:
    """Return what trusts the authority of a state folder, and nobody else."""
    return ssl.create_default_context(cafile=home / "tls" / "authority.pem")


def start(
    manage: Manage, server: tuple[str, ...], home: Path, *options: str, authority: Path | None = None, **more: str
) -> tuple[Command, int]:
    """Start a server with HTTPS and wait until it answers."""
    port = free_port()
    address = ["--port", str(port)] if server[0] == "serve" else [str(port)]
    command = manage(*server, *address, *options, home=home, PORT=str(port), **more)
    eventually(lambda: "Serving on" in command.output or "Starting development" in command.output)
    command.wait_until_it_serves(port, tls=trusting(authority or home))
    return command, port


@pytest.mark.parametrize("server", SERVERS, ids=" ".join)
def test_a_client_that_trusts_the_authority_is_answered_over_one_connection(
    manage: Manage, home: Path, server: tuple[str, ...]
) -> None:
    command, port = start(manage, server, home, "--https")
    connection = connected(port, trusting(home))
    sockets = []
    for path in ("/widgets.json", "/-/health", "/admin/login/?next=/admin/"):
        connection.request("GET", path)
        answer = Response(connection.getresponse())
        sockets.append(connection.sock)
    assert len(set(map(id, sockets))) == 1
    assert isinstance(connection.sock, ssl.SSLSocket)
    assert connection.sock.selected_alpn_protocol() in (None, "http/1.1")
    connection.close()
    assert answer.status == 200
    assert "; Secure" in answer.headers["Set-Cookie"]
    with pytest.raises(InvalidStatus) as refused:
        connect(f"wss://127.0.0.1:{port}/nothing", ssl=trusting(home), proxy=None)
    # The server itself would not refuse, but answer as if it were any request.
    assert refused.value.response.status_code == 403
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(port, tls=ssl.create_default_context())
    assert everything(raw(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")) == b""
    command.stop()
    assert f"https://127.0.0.1:{port}/" in command.output
    assert "Traceback" not in command.output


@pytest.mark.parametrize("server", [SERVERS[0], ("runserver",)], ids=" ".join)
def test_how_to_trust_the_authority_is_told_once(manage: Manage, home: Path, server: tuple[str, ...]) -> None:
    command, _ = start(manage, server, home, "--https")
    command.stop()
    authority = home / "tls" / "authority.pem"
    for word in ("macOS (Safari, Chrome, Brave, Excel)", "Windows (Edge, Chrome, Brave, Excel)", "Firefox", "Linux"):
        assert command.output.count(word) == 1
    assert f'{authority} ("Widgets backend on ' in command.output
    before = authority.read_bytes()
    again, _ = start(manage, server, home, "--https")
    again.stop()
    assert "Firefox" not in again.output
    assert again.output.count(f"Browsers have to trust {authority}") == 1
    assert authority.read_bytes() == before


def test_a_port_in_use_does_not_use_up_the_words_about_trust(manage: Manage, home: Path) -> None:
    port = free_port()
    first = manage("serve", "--port", str(port), home=home)
    first.wait_until_it_serves(port)
    second = manage("serve", "--https", "--port", str(port), home=home)
    assert second.wait() == 1
    assert not (home / "tls").exists()


def test_every_worker_serves_a_renewed_certificate_without_a_restart(
    manage: Manage, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "often.py").write_text(OFTEN)
    command, port = start(manage, SERVERS[1], home, "--https", PYTHONPATH=str(tmp_path), DJANGO_SETTINGS_MODULE="often")
    before = ssl.get_server_certificate(("127.0.0.1", port))
    (home / "tls" / "server.pem").unlink()

    def all_new() -> bool:
        # Which worker answers is chance: so many connections reach both.
        return all(ssl.get_server_certificate(("127.0.0.1", port)) != before for _ in range(20))

    eventually(all_new)
    assert ask(port, tls=trusting(home)).status
    command.stop()
    assert command.output.count("was renewed") == 2


# ---- the setting, and the address


def test_the_setting_serves_https_and_the_first_steps_name_its_address(manage: Manage, home: Path) -> None:
    command, port = start(manage, SERVERS[2], home, HTTPS="1")
    assert ask(port, tls=trusting(home)).status
    welcome = manage("welcome", home=home, HTTPS="1", PORT=str(port))
    assert welcome.wait() == 0
    assert f"URL      https://127.0.0.1:{port}\n" in welcome.output
    command.stop()


def test_the_host_of_the_public_url_and_the_allowed_ones_are_in_the_certificate(manage: Manage, home: Path) -> None:
    _, port = start(
        manage, SERVERS[0], home, "--https",
        PUBLIC_URL="https://desk.example.com:8443", ALLOWED_HOSTS="127.0.0.1,.example.org,*",
    )  # fmt: skip
    context = trusting(home)
    for name in ("desk.example.com", "example.org", "a.example.org"):
        with context.wrap_socket(raw(port, b""), server_hostname=name):
            pass


def test_a_public_url_with_plain_http_is_told(manage: Manage, home: Path) -> None:
    command, _ = start(manage, SERVERS[0], home, "--https", PUBLIC_URL="http://desk.example.com")
    assert command.output.count("PUBLIC_URL is http://desk.example.com, though HTTPS is served: ") == 1


@pytest.mark.parametrize("server", ["serve", "runserver"])
@pytest.mark.parametrize("option", ["--http", "--certf=cert.pem"])
def test_an_option_in_short_is_refused_in_one_line(manage: Manage, home: Path, server: str, option: str) -> None:
    command = manage(server, option, home=home)
    assert command.wait() == 1
    assert command.lines == ["CommandError: Write the options --https and --certfile in full, or set HTTPS=1.\n"]


def test_a_folder_that_can_t_be_used_is_told_in_one_line(manage: Manage, home: Path) -> None:
    (home / "tls").write_text("in the way")
    command = manage("serve", "--https", "--port", str(free_port()), home=home)
    assert command.wait() == 1
    (line,) = command.lines
    assert line.startswith(f"CommandError: The certificate can't be kept in {home / 'tls'}: ")


# ---- certificates of others


def at(folder: Path, name: str, day: float = 0) -> tuple[str, str]:
    """Return the files of a certificate and of its key, made on another day."""
    with time_machine.travel(datetime.now(UTC) + timedelta(days=day)):
        whole = own_pair(folder / name, ["127.0.0.1"]).certfile.read_text()
    key, begin, certificate = whole.partition("-----BEGIN CERTIFICATE")
    paths = folder / f"{name}.pem", folder / f"{name}-key.pem"
    for path, text in zip(paths, (begin + certificate, key), strict=True):
        path.write_text(text)
    return str(paths[0]), str(paths[1])


def locked(folder: Path) -> tuple[str, str]:
    certfile, keyfile = at(folder, "locked")
    key = serialization.load_pem_private_key(Path(keyfile).read_bytes(), None)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    Path(keyfile).write_bytes(key.private_bytes(*form, serialization.BestAvailableEncryption(b"secret")))
    return certfile, keyfile


def no_pem(folder: Path) -> tuple[str, str]:
    certfile, keyfile = at(folder, "der")
    first = x509.load_pem_x509_certificates(Path(certfile).read_bytes())[0]
    Path(certfile).write_bytes(first.public_bytes(serialization.Encoding.DER))
    return certfile, keyfile


BAD: dict[str, tuple[Callable[[Path], tuple[str, str]], str]] = {
    "another key": (lambda folder: (at(folder, "one")[0], at(folder, "two")[1]), "does not belong to"),
    "expired": (lambda folder: at(folder, "old", -500), "ran out on"),
    "not yet valid": (lambda folder: at(folder, "new", 5), "is valid from"),
    "not there": (lambda folder: (str(folder / "nothing"), at(folder, "one")[1]), "can't be read: No such file"),
    "unreadable key": (lambda folder: (at(folder, "one")[0], str(folder)), "can't be read: Is a directory"),
    "locked": (locked, "is locked with a password"),
    "not PEM": (no_pem, "holds no certificate in PEM form"),
}


@pytest.mark.parametrize(("server", "case"), [*(("serve", case) for case in BAD), ("runserver", "expired")])
def test_a_bad_certificate_is_refused_in_one_line(
    manage: Manage, home: Path, tmp_path: Path, server: str, case: str
) -> None:
    make, text = BAD[case]
    certfile, keyfile = make(tmp_path)
    command = manage(server, "--certfile", certfile, "--keyfile", keyfile, home=home, PORT=str(free_port()))
    assert command.wait() == 1
    (line,) = command.lines
    assert line.startswith("CommandError: ")
    assert text in line
    assert not (home / "tls").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="Root can read every file.")
def test_a_key_without_rights_is_told(manage: Manage, home: Path, tmp_path: Path) -> None:
    certfile, keyfile = at(tmp_path, "one")
    Path(keyfile).chmod(0)
    command = manage("serve", "--certfile", certfile, "--keyfile", keyfile, home=home, PORT=str(free_port()))
    assert command.wait() == 1
    assert "can't be read: Permission denied" in command.output


def test_a_key_without_a_certificate_is_refused(manage: Manage, home: Path) -> None:
    command = manage("serve", "--keyfile", "key.pem", home=home, PORT=str(free_port()))
    assert command.wait() == 1
    assert command.lines == ["CommandError: --keyfile needs --certfile: the certificate that the key belongs to.\n"]


@pytest.mark.parametrize("server", [SERVERS[1], SERVERS[2]], ids=" ".join)
@pytest.mark.parametrize("day", [0, -380])
def test_a_good_certificate_is_served_and_its_end_told(
    manage: Manage, home: Path, tmp_path: Path, server: tuple[str, ...], day: int
) -> None:
    certfile, keyfile = at(tmp_path, "desk", day)
    command, _ = start(manage, server, home, "--certfile", certfile, "--keyfile", keyfile, authority=tmp_path / "desk")
    assert f"Certificate {certfile} until " in command.output
    assert ("That is soon: renew it." in command.output) is (day < 0)
    assert not (home / "tls").exists()
