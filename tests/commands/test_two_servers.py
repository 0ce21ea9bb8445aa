"""Two server processes on one database: a row that is sent to one is in the next answer of the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import Command
from tests.loopback import ask, free_port

DEFINITIONS = """
from widgets_app.manifest.reading import read_query, read_widget
from widgets_app.models import Source
from widgets_app.services.publishing import definition_publish

Source.objects.create(name="log", kind="collection", options={"columns": ["vessel: text", "tons: number"]})
definition_publish(read_query({
    "name": "log", "description": "", "source": "log", "text": "select vessel, tons from rows order by row_id",
    "cache_seconds": 600, "seconds": None, "rows": None, "options_path": "options/log", "choices": [],
}))
fields = [{"paramName": "vessel", "type": "text"}, {"paramName": "tons", "type": "number"}]
buttons = [{"paramName": name, "type": "button", "value": True} for name in ("add", "once")]
form = {"paramName": "form", "type": "form", "endpoint": "log/form", "inputParams": [*fields, *buttons]}
definition = {"name": "log", "description": "Log.", "type": "table", "endpoint": "log", "params": [form]}
actions = [
    {"button": "add", "does": "append", "source": "log"},
    {"button": "once", "does": "append", "source": "log", "once_seconds": 600},
]
definition_publish(read_widget({
    "id": "log", "definition": definition, "feeds": {"rows": "log"}, "forms": {"form": actions}
}))
"""

Manage = Callable[..., Command]


@pytest.fixture
def ports(manage: Manage, home: Path) -> list[int]:
    """The ports of two servers with one state folder."""
    define = manage("shell", "-v", "0", "-c", DEFINITIONS, home=home)
    assert define.wait() == 0, define.output
    ports = [free_port(), free_port()]
    for command, port in [(manage("serve", "--port", str(port), home=home), port) for port in ports]:
        command.wait_until_it_serves(port)
    return ports


@pytest.fixture
def key(manage: Manage, home: Path) -> str:
    command = manage("issue_key", "Ana", home=home)
    assert command.wait() == 0, command.output
    return command.lines[-1].strip()


def rows(port: int, key: str) -> Any:
    return json.loads(ask(port, "/log", X_API_KEY=key).body)


def send(port: int, key: str, **values: Any) -> int:
    return ask(port, "/log/form", "POST", json.dumps(values), X_API_KEY=key, Content_Type="application/json").status


def test_a_row_sent_to_one_server_is_in_the_next_answer_of_the_other(key: str, ports: list[int]) -> None:
    assert [rows(port, key) for port in ports] == [[], []]
    expected: list[dict[str, Any]] = []
    for number in range(6):
        here, there = ports[number % 2], ports[1 - number % 2]
        assert send(here, key, vessel="Aurora", tons=number, add=True) == 200
        expected.append({"vessel": "Aurora", "tons": float(number)})
        assert rows(there, key) == expected
        assert rows(here, key) == expected


def test_a_form_sent_to_both_servers_at_once_is_done_once(key: str, ports: list[int]) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = [pool.submit(send, port, key, vessel="Aurora", once=True) for port in ports * 8]
    assert [status.result() for status in statuses] == [200] * 16
    assert [rows(port, key) for port in ports] == [[{"vessel": "Aurora", "tons": None}]] * 2
