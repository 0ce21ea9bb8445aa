"""Two server processes on one PostgreSQL: what one publishes the other serves, and both outlive the database."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import partial

import psycopg
import pytest
from django.conf import settings

from tests.commands.conftest import Command
from tests.loopback import ask, eventually, free_port

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.skipif(
        "postgresql" not in settings.DATABASES["default"]["ENGINE"], reason="needs PostgreSQL in DATABASE_URL"
    ),
]

# What is promised, and some patience for a busy machine.
PROMISED_SECONDS, PATIENCE_SECONDS = 2.0, 8.0
DATABASE = f"widgets_two_processes_{os.getpid()}"


def administer(statement: str) -> None:
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    administer(f'CREATE DATABASE "{DATABASE}" TEMPLATE template0')
    url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{DATABASE}"
    yield {
        "DATABASE_URL": url,
        "WIDGETS_HOME": str(tmp_path_factory.mktemp("home")),
        "WIDGETS_CATALOG_CHECK_SECONDS": "1",
        "CACHE_URL": "",
    }
    administer(f'DROP DATABASE "{DATABASE}" WITH (FORCE)')


def manage(environment: dict[str, str], *arguments: str) -> str:
    command = Command(*arguments, **environment)
    try:
        assert command.wait() == 0, command.output
        return command.output
    finally:
        command.clean_up()


def run(environment: dict[str, str], code: str) -> None:
    manage(environment, "shell", "-v", "0", "-c", code)


@pytest.fixture(scope="module")
def key(environment: dict[str, str]) -> str:
    manage(environment, "migrate", "-v", "0")
    run(
        environment,
        "from widgets_app.manifest.reading import read_widget\n"
        "from widgets_app.services.publishing import definition_publish\n"
        "definition_publish(read_widget({'id': 'note', 'shape': {'text': 'one'}, 'definition': {'name': 'Note', "
        "'description': 'd', 'type': 'note', 'endpoint': 'note', 'source': ['s']}}))",
    )
    return manage(environment, "issue_key", "Ana").strip().splitlines()[-1]


@pytest.fixture(scope="module")
def ports(environment: dict[str, str], key: str) -> Iterator[tuple[int, int]]:
    ports = free_port(), free_port()
    servers = [Command("serve", "--port", str(port), **environment) for port in ports]
    try:
        for server, port in zip(servers, ports, strict=True):
            server.wait_until_it_serves(port)
        yield ports
    finally:
        for server in servers:
            server.clean_up()


def seconds_until(condition: Callable[[], bool]) -> float:
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < PROMISED_SECONDS + PATIENCE_SECONDS
        time.sleep(0.05)
    return time.monotonic() - start


def status(port: int, path: str, key: str) -> int:
    return ask(port, path, X_API_KEY=key).status


def health_says(word: bytes, port: int) -> bool:
    return word in ask(port, "/-/health").body


def name(port: int, key: str) -> bytes:
    return ask(port, "/widgets.json", X_API_KEY=key).body


def test_what_is_published_is_served_by_both(environment: dict[str, str], ports: tuple[int, int], key: str) -> None:
    assert all(b'"Note"' in name(port, key) for port in ports)
    run(
        environment,
        "from widgets_app.models import Widget\n"
        "from widgets_app.services.publishing import definition_publish\n"
        "widget = Widget.objects.get()\nwidget.name = 'Renamed'\nwidget.save()\ndefinition_publish(widget)",
    )
    took = seconds_until(lambda: all(b'"Renamed"' in name(port, key) for port in ports))
    assert took < PROMISED_SECONDS + PATIENCE_SECONDS


def test_a_change_written_by_hand_is_served_by_both(
    environment: dict[str, str], ports: tuple[int, int], key: str
) -> None:
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("INSERT INTO auth_group (name) VALUES ('Desk')")
        connection.execute(
            "INSERT INTO widgets_app_widget_groups (widget_id, group_id) "
            "SELECT w.id, g.id FROM widgets_app_widget w, auth_group g"
        )
        seconds_until(lambda: all(status(port, "/note", key) == 404 for port in ports))
        connection.execute("DELETE FROM widgets_app_widget_groups")
        seconds_until(lambda: all(status(port, "/note", key) == 200 for port in ports))


def test_both_serve_on_while_the_database_is_away_and_say_so(
    environment: dict[str, str], ports: tuple[int, int], key: str
) -> None:
    for port in ports:
        # What was never loaded can't be served on.
        eventually(partial(health_says, b'"ok"', port))
    administer(f'ALTER DATABASE "{DATABASE}" ALLOW_CONNECTIONS false')
    try:
        administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}'")
        for port in ports:
            eventually(partial(health_says, b"stale", port))
            assert status(port, "/widgets.json", key) == 200
            assert status(port, "/note", key) == 200
    finally:
        administer(f'ALTER DATABASE "{DATABASE}" ALLOW_CONNECTIONS true')
    for port in ports:
        eventually(partial(health_says, b'"ok"', port))


def test_a_process_that_starts_without_its_database_waits_for_it(environment: dict[str, str], key: str) -> None:
    administer(f'ALTER DATABASE "{DATABASE}" ALLOW_CONNECTIONS false')
    port = free_port()
    code = (
        "import uvicorn, os; os.environ['DJANGO_SETTINGS_MODULE'] = 'project.settings'; "
        f"uvicorn.run('project.asgi:application', port={port}, log_level='error')"
    )
    server = Command("shell", "-v", "0", "--no-imports", "-c", code, **environment)
    try:
        server.wait_until_it_serves(port)
        answer = ask(port, "/widgets.json", X_API_KEY=key, Origin="https://pro.openbb.co")
        assert answer.status == 503
        assert answer.headers["Retry-After"]
        assert answer.headers["Access-Control-Allow-Origin"] == "https://pro.openbb.co"
        administer(f'ALTER DATABASE "{DATABASE}" ALLOW_CONNECTIONS true')
        eventually(lambda: status(port, "/widgets.json", key) == 200)
    finally:
        administer(f'ALTER DATABASE "{DATABASE}" ALLOW_CONNECTIONS true')
        server.clean_up()


def test_a_revoked_key_is_refused_by_both(environment: dict[str, str], ports: tuple[int, int], key: str) -> None:
    assert all(status(port, "/widgets.json", key) == 200 for port in ports)
    manage(environment, "revoke_key", key[:11])
    seconds_until(lambda: all(status(port, "/widgets.json", key) == 403 for port in ports))
