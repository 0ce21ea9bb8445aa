"""A folder of files and a source that reads it; a network of names of our own."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pytest_django.fixtures import Settings

from tests.sources.databases import PLACES, Place
from widgets_app.sources.base import Call, Limits
from widgets_app.sources.files import FilesBackend, FilesOptions
from widgets_app.sources.frame import Frame

PUBLIC = "93.184.215.14"


class Network:
    """Names with the addresses that they have, one list for each time they are looked up; what was connected to."""

    def __init__(self) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        self.connected: list[str] = []
        self.port = 0


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    """A name service of our own; connections to addresses that are not loopback are led to `port` on this machine."""
    known, look_up, connect = Network(), socket.getaddrinfo, socket.socket.connect

    def named(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        if host not in known.names:
            return look_up(host, port, *args, **kwargs)
        known.asked.append(host)
        answers = known.names[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    def led(connection: socket.socket, place: tuple[str, int]) -> None:
        known.connected.append(place[0])
        address = place[0]
        connect(connection, ("127.0.0.1", known.port) if not address.startswith("127.") else place)

    monkeypatch.setattr(socket, "getaddrinfo", named)
    monkeypatch.setattr(socket.socket, "connect", led)
    return known


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    """The folder of the source "market"."""
    settings.WIDGETS_FILES = tmp_path / "files"
    path = tmp_path / "files" / "market"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def backend(folder: Path) -> FilesBackend:
    return FilesBackend("market", FilesOptions())


@pytest.fixture
def ask(backend: FilesBackend) -> Callable[..., Frame]:
    """Prepare and run a query on the files as they are now; keyword arguments are values."""

    def run(text: str, *, limits: Limits | None = None, **values: Any) -> Frame:
        backend.look_again()
        query = backend.prepare(text)
        return query.run({name: values.get(name) for name in query.placeholders}, limits or Limits(), Call())

    return run


@pytest.fixture
def write_parquet(folder: Path) -> Callable[[str, str], None]:
    """Write the result of a SELECT to a Parquet file in the folder."""

    def write(name: str, select: str) -> None:
        with duckdb.connect() as connection:
            connection.execute(f"copy ({select}) to '{folder / name}'")

    return write


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A database of each kind there is."""
    with PLACES[request.param](tmp_path_factory.mktemp("database")) as found:
        yield found


@pytest.fixture
def server(place: Place) -> Place:
    """A database that is reached by a port."""
    if place.kind == "sqlite":
        pytest.skip("SQLite has no server")
    return place
