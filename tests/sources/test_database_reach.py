"""Which databases can't be reached by a source, however their address is written."""

from __future__ import annotations

import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import make_url

from tests.sources.databases import POSTGRESQL
from widgets_app.errors import SourceFailed
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.database import DatabaseBackend, DatabaseOptions

OWN = "the database of this backend itself"


def asked(url: str) -> list[dict[str, Any]]:
    password = make_url(POSTGRESQL).password or ""
    backend = DatabaseBackend("desk", DatabaseOptions(url=url, password=SecretStr(password)))
    return backend.prepare("select 1 as one").run({}, Limits(), Call()).rows()


@pytest.fixture
def own_file(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The database of this backend, outside of its state folder."""
    path = tmp_path / "own.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table auth_user (password text)")
    monkeypatch.setitem(settings.DATABASES, "default", {"ENGINE": "django.db.backends.sqlite3", "NAME": path})
    return path


def test_the_own_file_is_refused_by_any_name(own_file: Path, tmp_path: Path) -> None:
    (tmp_path / "symbolic.db").symlink_to(own_file)
    os.link(own_file, tmp_path / "hard.db")
    (tmp_path / "folder").symlink_to(tmp_path)
    for path in (
        own_file,
        tmp_path / "symbolic.db",
        tmp_path / "hard.db",
        tmp_path / "folder" / "own.db",
        f"{tmp_path}/../{tmp_path.name}//own.db",
    ):
        for ending in ("", "?mode=rwc", "?uri=true", "?vfs=unix"):
            with pytest.raises(ValidationError, match=OWN):
                DatabaseOptions(url=f"sqlite:///{path}{ending}")


@pytest.mark.parametrize("form", ["file:{}", "file:{}?mode=ro&uri=true", "file://{}", ":memory:", "%2e%2e{}"])
def test_a_file_that_is_not_named_by_its_path_is_refused(own_file: Path, form: str) -> None:
    with pytest.raises(ValidationError, match="whole path"):
        DatabaseOptions(url=f"sqlite:///{form.format(own_file)}")


def test_a_file_that_became_the_own_one_is_refused_when_it_is_opened(own_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table t (a)")
    backend = DatabaseBackend("desk", DatabaseOptions(url=f"sqlite:///{path}"))
    query = backend.prepare("select * from auth_user")
    path.unlink()
    path.symlink_to(own_file)
    with pytest.raises(SourceFailed, match=OWN):
        query.run({}, Limits(), Call())


def test_files_of_the_state_folder_are_refused_but_those_for_sources(settings: Any, tmp_path: Path) -> None:
    settings.WIDGETS_HOME, settings.WIDGETS_FILES = tmp_path / "home", tmp_path / "home" / "files"
    for name in ("db.sqlite3", "secret_key", "backups/db.sqlite3", "files/../db.sqlite3"):
        with pytest.raises(ValidationError, match=OWN):
            DatabaseOptions(url=f"sqlite:///{tmp_path}/home/{name}")
    assert DatabaseOptions(url=f"sqlite:///{tmp_path}/home/files/market/trades.db")


def test_no_file_can_be_attached_by_a_query(own_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table t (a)")
    backend = DatabaseBackend("desk", DatabaseOptions(url=f"sqlite:///{path}"))
    for text in ("select load_extension('x')", f"select * from '{own_file}'", "select readfile('/etc/passwd')"):
        with pytest.raises(SourceFailed):
            backend.prepare(text).run({}, Limits(), Call())


@pytest.mark.parametrize("host", [
    "169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "100.100.100.200", "2852039166",
])  # fmt: skip
@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_addresses_where_no_database_is_are_not_asked(scheme: str, host: str) -> None:
    with pytest.raises(SourceFailed, match="There can be no database at this address"):
        asked(f"{scheme}://ana@{host}/x")


@pytest.mark.parametrize("option", ["host=169.254.169.254", "hostaddr=169.254.169.254", "host=127.0.0.1,169.254.1.1"])
def test_nor_are_they_when_an_option_names_them(option: str) -> None:
    with pytest.raises(SourceFailed, match="There can be no database at this address"):
        asked(f"postgresql://ana@127.0.0.1/x?{option}")


def test_a_name_that_leads_there_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(SourceFailed, match="There can be no database at this address"):
        asked("postgresql://ana@db.example.com/x")


@pytest.mark.parametrize("option", ["conninfo=host%3D10.0.0.1", "service=x", "passfile=/x", "read_default_group=x"])
def test_options_that_take_hosts_or_logins_from_elsewhere_are_refused(option: str) -> None:
    with pytest.raises(ValidationError, match="can't be used"):
        DatabaseOptions(url=f"postgresql://ana@host/x?{option}")


@pytest.fixture
def own_server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL as the database of this backend, which is called postgres there."""
    url = make_url(POSTGRESQL)
    try:
        psycopg.connect(
            host=url.host, port=url.port or 5432, user=url.username, password=url.password, dbname="postgres"
        ).close()
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL at TEST_POSTGRESQL_URL")
    own = {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "HOST": url.host, "PORT": url.port or ""}
    monkeypatch.setitem(settings.DATABASES, "default", own)


@pytest.mark.parametrize("address", [
    "{user}@127.0.0.1:{port}/postgres", "{user}@localhost:{port}/postgres", "{user}@[::ffff:127.0.0.1]:{port}/postgres",
    "{user}@/postgres?host=127.0.0.1&port={port}", "{user}@10.255.255.1/x?hostaddr=127.0.0.1&port={port}&dbname=postgres",
    "{user}@127.0.0.1:{port}", "{user}@0.0.0.0:{port}/postgres",
])  # fmt: skip
def test_the_own_database_on_a_server_is_refused_by_any_address(own_server: None, address: str) -> None:
    url = make_url(POSTGRESQL)
    with pytest.raises(SourceFailed, match=OWN):
        asked("postgresql://" + address.format(user=url.username, port=url.port or 5432))


def test_another_database_on_the_same_server_is_read(own_server: None) -> None:
    url = make_url(POSTGRESQL)
    assert asked(f"postgresql://{url.username}@{url.host}:{url.port or 5432}/template1") == [{"one": 1}]
