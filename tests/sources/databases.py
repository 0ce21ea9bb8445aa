"""Databases to read from: a file of SQLite, and servers of PostgreSQL and MariaDB where there are any."""

from __future__ import annotations

import math
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from sqlalchemy import URL, make_url

# Where the tests may make databases of their own.
POSTGRESQL = os.environ.get("TEST_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432")
MARIADB = os.environ.get("TEST_MARIADB_URL", "mariadb://root@127.0.0.1:3306")
_names = (f"widgets_src_{os.getpid()}_{number}" for number in count(1))

TABLE = (
    "create table trades (id integer primary key, name varchar(40), price double precision, day {date})",
    "insert into trades values (1, 'AAA', 1.5, '2024-01-02'), (2, 'Zoë''s', null, '2024-01-03'), (3, 'BBB', 2, null)",
)


@dataclass
class Place:
    """A database with the table trades: `execute` changes it, `running` counts the queries it works on."""

    kind: str
    url: str
    password: str
    execute: Callable[[str], Any]
    running: Callable[[], int]


def _login(url: URL, port: int) -> dict[str, Any]:
    return {"host": url.host, "port": url.port or port, "user": url.username, "password": url.password or ""}


@contextmanager
def sqlite(folder: Path) -> Iterator[Place]:
    path = folder / "trades.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in TABLE:
            connection.execute(statement.format(date="text"))
        yield Place("sqlite", f"sqlite:///{path}", "", connection.execute, lambda: 0)


@contextmanager
def postgresql(folder: Path) -> Iterator[Place]:
    url = make_url(POSTGRESQL)
    name, login = next(_names), _login(url, 5432)
    try:
        outer = psycopg.connect(**login, dbname="postgres", autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL at TEST_POSTGRESQL_URL")
    with outer:
        # Of the usual template, which others may be looking at, none can be made meanwhile.
        outer.execute(f"create database {name} template template0")
        try:
            with psycopg.connect(**login, dbname=name, autocommit=True) as connection:
                for statement in TABLE:
                    connection.execute(statement.format(date="date"))

                def running() -> int:
                    found = connection.execute(
                        "select count(*) from pg_stat_activity where datname = %s and state = 'active' "
                        "and pid <> pg_backend_pid()",
                        [name],
                    ).fetchone()
                    return found[0] if found else 0

                address = url.set(database=name, password=None).render_as_string()
                yield Place("postgresql", address, url.password or "", connection.execute, running)
        finally:
            outer.execute(f"drop database {name} with (force)")


@contextmanager
def mariadb(folder: Path) -> Iterator[Place]:
    url = make_url(MARIADB)
    name, login = next(_names), _login(url, 3306)
    try:
        connection = pymysql.connect(**login, autocommit=True, connect_timeout=3)
    except pymysql.err.OperationalError:
        pytest.skip("no MariaDB at TEST_MARIADB_URL")

    def execute(statement: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def running() -> int:
        where = f"db = '{name}' and command = 'Query' and id <> connection_id() and info is not null"
        return int(execute(f"select count(*) from information_schema.processlist where {where}")[0][0])

    with connection:
        execute(f"create database {name}")
        try:
            execute(f"use {name}")
            for statement in TABLE:
                execute(statement.format(date="date"))
            address = url.set(database=name, password=None).render_as_string()
            yield Place("mariadb", address, url.password or "", execute, running)
        finally:
            execute(f"drop database {name}")


PLACES = {"sqlite": sqlite, "postgresql": postgresql, "mariadb": mariadb}


class Line:
    """A port that leads to a server, and can be cut and mended."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._answer = Answer()
        self._flowing = threading.Event()
        self._flowing.set()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse connections, and end those there are."""
        self._flowing.set()
        _end(self._listener)
        # Not those that come once it is mended.
        for one in [*self._open]:
            _end(one)

    def mend(self) -> None:
        """Lead to the server again."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def freeze(self) -> None:
        """Keep all connections open, and pass nothing on any more."""
        self._flowing.clear()

    def bound(self, size: int, then: Callable[[], None]) -> None:
        """Do something as soon as the server has answered so many bytes from now."""
        self._answer.left, self._answer.then = size, then

    def drip(self) -> None:
        """Pass each byte of the server's answers on by itself, and slowly."""
        self._answer.drips = True

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._to)
                self._open += [near, far]
                for source, target, answer in ((near, far, Answer()), (far, near, self._answer)):
                    threading.Thread(target=_copy, args=(source, target, self._flowing, answer), daemon=True).start()


@dataclass
class Answer:
    """What befalls the bytes that a server answers."""

    left: float = math.inf
    then: Callable[[], None] = lambda: None
    drips: bool = False

    def passing(self, data: bytes) -> Iterator[bytes]:
        """Give the bytes as they are to be passed on."""
        if len(data) > self.left:
            yield data[: int(self.left)]
            self.left = math.inf
            self.then()
            return
        self.left -= len(data)
        for one in [data] if not self.drips else (bytes([each]) for each in data):
            if self.drips:
                time.sleep(0.1)
            yield one


def _copy(source: socket.socket, target: socket.socket, flowing: threading.Event, answer: Answer) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            for piece in answer.passing(data):
                flowing.wait()
                target.sendall(piece)
    _end(source)
    _end(target)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
