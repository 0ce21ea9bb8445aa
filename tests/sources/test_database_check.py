"""The test of databases: every step on real servers, what a login may do, and nothing told of what isn't reached."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.loopback import free_port
from tests.sources.databases import Line, Place
from widgets_app.errors import SourceFailed
from widgets_app.sources import reaching
from widgets_app.sources.base import Call, Limits, Step
from widgets_app.sources.database import DatabaseBackend, DatabaseOptions
from widgets_app.sources.database_check import granted
from widgets_app.sources.database_server import NO_DATABASE, REFUSED, UNREACHABLE

LOGIN = "widgets_reader"
PASSWORD = "reads-only-4711"


@pytest.fixture
def reader(server: Place) -> Iterator[str]:
    """The address of a login that may only read."""
    url, is_postgres = make_url(server.url), server.kind == "postgresql"
    host = "" if is_postgres else "@'%'"
    remove = f"drop owned by {LOGIN}; drop role {LOGIN}" if is_postgres else f"drop user {LOGIN}{host}"
    with suppress(Exception):
        server.execute(remove)
    if is_postgres:
        server.execute(f"create role {LOGIN} login password '{PASSWORD}'")
        server.execute(f"grant select on trades to {LOGIN}")
    else:
        server.execute(f"create user {LOGIN}{host} identified by '{PASSWORD}'")
        server.execute(f"grant select on {url.database}.* to {LOGIN}{host}")
    try:
        yield url.set(username=LOGIN).render_as_string()
    finally:
        server.execute(remove)


def checked(url: str, password: str = "", **limits: float) -> dict[str, Step]:
    backend = DatabaseBackend("desk", DatabaseOptions(url=url, password=password))  # type: ignore[arg-type]
    return {step.name: step for step in backend.check(Limits(**{"seconds": 15, **limits}), Call())}  # type: ignore[arg-type]


def test_a_database_that_works_says_so_step_by_step(place: Place) -> None:
    steps = checked(place.url, place.password)
    wanted = ["Address", "Host", "Login", "Read", "Read-only", "Rights", "Time limit", "Version"]
    if place.kind == "sqlite":
        wanted = ["Address", "Opened", "Read", "Read-only", "Version"]
    elif place.kind == "mariadb":
        wanted.remove("Read-only")
    assert list(steps) == wanted
    assert {step.state for name, step in steps.items() if name != "Rights"} == {"good"}
    assert steps["Version"].text.lower().startswith(place.kind)
    assert any(digit.isdigit() for digit in steps["Version"].text)


def test_a_login_that_may_do_everything_is_warned_of(server: Place) -> None:
    rights = checked(server.url, server.password)["Rights"]
    assert rights.state == "warning"
    assert "superuser" in rights.text if server.kind == "postgresql" else "ALL PRIVILEGES" in rights.text
    assert "may only read" in rights.advice


def test_a_login_that_may_only_read_is_well(reader: str) -> None:
    assert checked(reader, PASSWORD)["Rights"].state == "good"


def test_a_login_that_may_write_somewhere_is_warned_of(server: Place, reader: str) -> None:
    url = make_url(server.url)
    table, host = ("trades", "") if server.kind == "postgresql" else (f"{url.database}.trades", "@'%'")
    server.execute(f"grant insert on {table} to {LOGIN}{host}")
    rights = checked(reader, PASSWORD)["Rights"]
    assert rights.state == "warning"
    assert "write to 1 table." in rights.text if server.kind == "postgresql" else "INSERT" in rights.text


def test_a_role_that_reads_files_of_the_server_is_warned_of(server: Place, reader: str) -> None:
    if server.kind != "postgresql":
        pytest.skip("PostgreSQL only")
    server.execute(f"grant pg_read_server_files to {LOGIN}")
    assert "files of the server" in checked(reader, PASSWORD)["Rights"].text


@pytest.mark.parametrize(("grants", "rights"), [
    (["GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*AB'", "GRANT SELECT, SHOW VIEW ON `x`.* TO `a`"],
     {"USAGE", "SELECT", "SHOW VIEW"}),
    (["GRANT SELECT (`a on b`, `c``) on `), INSERT (`c`) ON `x`.`y` TO `a`"], {"SELECT", "INSERT"}),
    (["GRANT `role` TO `a`@`%`"], set()),
])  # fmt: skip
def test_rights_are_read_from_grants(grants: list[str], rights: set[str]) -> None:
    assert granted(grants) == rights


def test_a_wrong_password_ends_at_the_login(reader: str) -> None:
    if reader.startswith("postgresql"):
        pytest.skip("PostgreSQL lets everybody in from this host")
    steps = checked(reader, "wrong-password")
    assert list(steps) == ["Address", "Host", "Login"]
    assert (steps["Login"].state, steps["Login"].text) == ("bad", REFUSED)


def test_a_login_that_is_unknown_ends_at_the_login(server: Place) -> None:
    url = make_url(server.url).set(username="nobody_4711").render_as_string()
    assert checked(url, "x")["Login"].text == REFUSED


@pytest.mark.parametrize("taken", ["alter role {login} nologin", "revoke connect on database {database} from public"])
def test_a_login_that_may_not_connect_ends_at_the_login(server: Place, reader: str, taken: str) -> None:
    if server.kind != "postgresql":
        pytest.skip("PostgreSQL only")
    server.execute(taken.format(login=LOGIN, database=make_url(server.url).database))
    steps = checked(reader, PASSWORD)
    assert list(steps) == ["Address", "Host", "Login"]
    assert steps["Login"].text == REFUSED


def test_a_database_that_is_missing_is_named_as_the_fault(server: Place) -> None:
    url = make_url(server.url).set(database="missing_4711").render_as_string()
    steps = checked(url, server.password)
    assert steps["Database"].text == NO_DATABASE
    assert steps["Host"].state == "good"


def test_what_is_not_reached_is_the_same_whatever_is_there(server: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens, something else listens, it hangs, the server hangs, no such host: one text after one time."""
    monkeypatch.setattr(reaching, "REACH_SECONDS", 1.5)
    url = make_url(server.url)
    frozen = Line(url.host or "", url.port or {"postgresql": 5432, "mariadb": 3306}[server.kind])
    frozen.freeze()
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0), backlog=1) as other:
        ports = [free_port(), silent.getsockname()[1], frozen.port, other.getsockname()[1]]
        addresses = [url.set(host="127.0.0.1", port=port) for port in ports]
        addresses.append(url.set(host="no-such-host.invalid"))
        seen = []
        for address in addresses:
            began = time.monotonic()
            found = checked(address.render_as_string(), "x")
            seen.append(({name: (step.text, step.timed) for name, step in found.items()}, time.monotonic() - began))
    assert {text for steps, _ in seen for text, _ in [steps["Host"]]} == {UNREACHABLE}
    assert {tuple(steps) for steps, _ in seen} == {("Address", "Host")}
    assert not any(steps["Host"][1] for steps, _ in seen)
    assert all(seconds > 1.4 for _, seconds in seen)
    frozen.cut()


def test_a_host_that_may_not_be_asked_is_not_looked_for(server: Place, settings: object) -> None:
    settings.WIDGETS_OUTBOUND_HOSTS = ["db.example.com"]  # type: ignore[attr-defined]
    began = time.monotonic()
    texts = [
        checked(make_url(server.url).set(port=port).render_as_string(), "x")["Host"]
        for port in (free_port(), make_url(server.url).port or 5432)
    ]
    assert texts[0] == texts[1]
    assert "WIDGETS_OUTBOUND_HOSTS" in texts[0].text
    assert time.monotonic() - began < reaching.REACH_SECONDS


def test_a_password_that_is_not_to_be_had_is_told_before_anything_is_asked(server: Place) -> None:
    steps = checked(server.url, "env:WIDGETS_SECRET_THAT_IS_NOT_SET")
    assert list(steps) == ["Address", "Password"]
    assert "WIDGETS_SECRET_THAT_IS_NOT_SET with a secret of the source is not set" in steps["Password"].text


def test_tables_of_what_is_not_reached_say_no_more_than_the_test(
    server: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaching, "REACH_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (free_port(), silent.getsockname()[1]):
            url = make_url(server.url).set(host="127.0.0.1", port=port).render_as_string()
            backend, began = DatabaseBackend("desk", DatabaseOptions(url=url)), time.monotonic()
            with pytest.raises(SourceFailed, match=f"^{UNREACHABLE}$"):
                backend.tables("", Limits(), Call())
            assert time.monotonic() - began > 0.95


def test_a_file_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    steps = checked(f"sqlite:///{tmp_path}/missing.db")
    assert steps["File"].state == "bad"
    assert "can't be opened" in steps["File"].text
    assert time.monotonic() - began < reaching.REACH_SECONDS


def test_a_file_that_is_no_database_fails_at_the_read(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database\n" * 100)
    steps = checked(f"sqlite:///{tmp_path}/text.db")
    assert next(reversed(steps.values())).state == "bad"
