"""Forms: what is sent is checked, stored whole or not at all, and seen by the next request."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.conftest import refresh
from widgets_app import functions
from widgets_app.errors import BadRequest
from widgets_app.functions import data_function
from widgets_app.manifest.reading import read_query, read_widget
from widgets_app.models import CollectionRow, Source, Submission, Widget
from widgets_app.services.keys import key_issue
from widgets_app.services.publishing import definition_publish

pytestmark = pytest.mark.django_db(transaction=True)

COLUMNS = ["vessel: text", "tons: number", "cargo: text", "arrived: date", "in_port: boolean"]
FIELDS = [
    {"paramName": "vessel", "type": "text", "label": "Vessel", "optional": False},
    {"paramName": "tons", "type": "number", "min": 0, "max": 1000},
    {"paramName": "cargo", "type": "text", "multiSelect": True, "options": [
        {"label": "Grain", "value": "grain"}, {"label": "Steel", "value": "steel"}]},
    {"paramName": "arrived", "type": "date"},
    {"paramName": "in_port", "type": "boolean"},
    *({"paramName": name, "type": "button", "value": True, "label": name} for name in ("add", "update", "remove")),
]  # fmt: skip
ACTIONS = [
    {"button": "add", "does": "append", "source": "log"},
    {"button": "update", "does": "change", "source": "log"},
    {"button": "remove", "does": "delete", "source": "log"},
]
ALL = "select vessel, tons, cargo, arrived, in_port from rows order by row_id"

Post = Callable[..., Any]


def define(actions: list[dict[str, Any]], *, key: tuple[str, ...] = ("vessel",), **options: Any) -> Widget:
    Source.objects.create(name="log", kind="collection", options={"columns": COLUMNS, "key": list(key), **options})
    query = read_query({
        "name": "log", "description": "", "source": "log", "text": ALL, "cache_seconds": 600, "seconds": None,
        "rows": None, "options_path": "options/log", "choices": [],
    })  # fmt: skip
    definition_publish(query)
    form = {"paramName": "form", "type": "form", "endpoint": "log/form", "inputParams": FIELDS}
    definition = {"name": "log", "description": "Log.", "type": "table", "endpoint": "log", "params": [form]}
    widget = read_widget({
        "id": "log", "definition": definition, "feeds": {"rows": "log"}, "forms": {"form": actions}
    })  # fmt: skip
    definition_publish(widget)
    refresh()
    return widget


@pytest.fixture
def log() -> Widget:
    """A widget whose form adds, changes and removes rows, told apart by their vessel."""
    return define(ACTIONS)


@pytest.fixture
def post(caller: Client) -> Post:
    """Send the form; gives the status and the body."""

    def send(body: Any = None, path: str = "/log/form", **values: Any) -> tuple[int, Any]:
        response = caller.post(path, json.dumps(values) if body is None else body, content_type="application/json")
        return response.status_code, response.json()

    return send


DONE = (200, {"success": True})


def test_a_form_is_stored_and_the_next_request_shows_it(log: Widget, caller: Client, post: Post) -> None:
    assert caller.get("/log").json() == []
    assert post(vessel="Aurora", cargo=["grain", "steel"], tons="12.5", arrived="2024-02-29", add=True) == DONE
    row = {"vessel": "Aurora", "tons": 12.5, "cargo": "grain,steel", "arrived": "2024-02-29", "in_port": None}
    assert caller.get("/log").json() == [row]
    assert CollectionRow.objects.get().created_by == "Ana"


def test_the_pressed_button_decides_what_is_done(log: Widget, caller: Client, post: Post) -> None:
    for vessel in ("Aurora", "Borealis"):
        post(vessel=vessel, tons=1, in_port=True, add=True)
    assert post(vessel="Aurora", tons=2, update=True) == DONE
    assert [(row["vessel"], row["tons"], row["in_port"]) for row in caller.get("/log").json()] == [
        ("Aurora", 2.0, True),
        ("Borealis", 1.0, True),
    ]
    assert post(vessel="Borealis", remove="true") == DONE
    assert [row["vessel"] for row in caller.get("/log").json()] == ["Aurora"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"vessel": "A", "tons": "many", "add": True}, '(?s).*"tons".*not a number'),
        ({"vessel": "A", "tons": 1001, "add": True}, "tons.*more than 1000"),
        ({"vessel": "A", "arrived": "soon", "add": True}, "arrived.*not a date"),
        ({"vessel": "A", "cargo": ["gold"], "add": True}, "cargo.*not one of its values"),
        ({"vessel": "A", "in_port": "perhaps", "add": True}, "in_port.*neither true nor false"),
        ({"vessel": {"a": 1}, "add": True}, "Vessel.*an object"),
        ({"vessel": "x" * 10_001, "add": True}, "Vessel.*characters"),
        ({"vessel": "x\0", "add": True}, "Vessel.*no database"),
        ({"vessel": "", "add": True}, "Vessel.*has no value"),
        ({"add": True}, "Vessel.*has no value"),
        ({"vessel": "A"}, "No button was pressed. Send one of add, update, remove"),
        ({"vessel": "A", "add": False}, "No button was pressed"),
        ({"vessel": "A", "add": True, "remove": True}, "Several buttons"),
        ({"vessel": "A", "tons": "9" * 400, "add": True}, "tons.*not a number"),
        ({"vessel": "A", "tons": 2**64 - 1, "add": True}, "tons.*not a number"),
        ({"vessel": "A", "tons": [1, 2], "add": True}, "tons.*2 values came"),
        ({"vessel": "A", "cargo": ["grain"] * 1001, "add": True}, "cargo.*1,001 values came"),
        ({"vessel": "A", "cargo": [["grain"]], "add": True}, "cargo.*a list came"),
        ({"vessel": "A", "in_port": 2, "add": True}, "in_port.*neither true nor false"),
        ({"vessel": "A", "add": [True]}, "No button was pressed"),
        ({"vessel": "A", "add": {"a": True}}, "No button was pressed"),
        ({"vessel": "A", "update": True}, 'no row with vessel "A"'),
        ({"vessel": "A", "remove": True}, 'no row with vessel "A"'),
    ],
)
def test_what_is_wrong_is_told_in_words_and_changes_nothing(
    log: Widget, post: Post, values: dict[str, Any], says: str
) -> None:
    status, body = post(**values)
    assert status == 400
    assert body["error"] == body["detail"]
    assert "\n" not in body["error"]
    assert re.search(says, body["error"])
    assert not CollectionRow.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[]", "3", '"x"', '{"vessel": "' + "x" * 1024 * 1024 + '"}'])
def test_a_body_that_is_no_object_or_too_large_is_refused(log: Widget, post: Post, body: str) -> None:
    assert post(body)[0] == 400
    assert not CollectionRow.objects.exists()


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("name", ["vessel", "cargo", "add", "unknown"])
def test_what_is_nested_deeply_is_refused_or_passed_over(
    log: Widget, post: Post, opening: str, closing: str, name: str
) -> None:
    for depth in (450, 900, 1010, 5000):
        fields = {"vessel": '"Aurora"', "add": "true"} | {name: opening * depth + "1" + closing * depth}
        status, body = post("{" + ",".join(f'"{field}": {value}' for field, value in fields.items()) + "}")
        assert status == (200 if name == "unknown" and depth < 1024 else 400)
        assert status == 200 or body["error"].isprintable()


def test_an_object_written_into_a_text_is_taken_and_unknown_fields_are_not(log: Widget, post: Post) -> None:
    assert post(json.dumps(json.dumps({"vessel": "Aurora", "add": True, "created_by": "Eve", "x": 1}))) == DONE
    row = CollectionRow.objects.get()
    assert row.data == {"vessel": "Aurora", "tons": None, "cargo": None, "arrived": None, "in_port": None}
    assert row.created_by == "Ana"


def test_a_row_whose_key_is_there_is_stored_once_and_another_one_refused(log: Widget, post: Post) -> None:
    assert post(vessel="Aurora", tons=1, add=True) == DONE
    assert post(vessel="Aurora", tons=1, add=True) == DONE
    status, body = post(vessel="Aurora", tons=2, add=True)
    assert (status, body["error"]) == (400, 'There is a row with vessel "Aurora" already. Change that one.')
    assert [row.data["tons"] for row in CollectionRow.objects.all()] == [1]


def test_equal_values_are_stored_once_within_the_time_where_the_form_says_so(post: Post, caller: Client) -> None:
    define([{"does": "append", "source": "log", "once_seconds": 30}], key=())
    for values in ({"tons": 1}, {"tons": 1}, {"tons": 2}):
        assert post(vessel="Aurora", add=True, **values) == DONE
    assert CollectionRow.objects.count() == 2
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        assert post(vessel="Aurora", tons=1, add=True) == DONE
    assert CollectionRow.objects.count() == 3


def test_what_is_sent_twice_within_the_time_is_done_once_whatever_it_is(post: Post) -> None:
    define([{**action, "once_seconds": 30} for action in ACTIONS])
    assert post(vessel="Aurora", tons=1, add=True) == DONE
    assert post(vessel="Aurora", tons=2, update=True) == DONE
    CollectionRow.objects.update(data={"vessel": "Aurora", "tons": 3})
    assert post(vessel="Aurora", tons=2, update=True) == DONE
    assert CollectionRow.objects.get().data["tons"] == 3
    assert [post(vessel="Aurora", remove=True) for _ in range(2)] == [DONE, DONE]
    assert not CollectionRow.objects.exists()
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        assert post(vessel="Aurora", remove=True)[0] == 400
        assert post(vessel="Aurora", tons=1, add=True) == DONE
    assert CollectionRow.objects.count() == 1


def test_what_another_key_or_another_button_sends_is_not_the_same(post: Post) -> None:
    define([{**action, "once_seconds": 30} for action in ({**ACTIONS[0]}, {**ACTIONS[0], "button": "update"})], key=())
    bea = Client(headers={"X-API-KEY": key_issue(name="Bea")[1]})
    refresh()
    for _ in range(2):
        assert post(vessel="Aurora", add=True) == DONE
        assert post(vessel="Aurora", update=True) == DONE
        assert bea.post("/log/form", {"vessel": "Aurora", "add": True}, content_type="application/json").json()[
            "success"
        ]
    assert [row.created_by for row in CollectionRow.objects.all()] == ["Ana", "Ana", "Bea"]


def test_a_form_that_was_refused_may_be_sent_again(post: Post) -> None:
    define([{**action, "once_seconds": 30} for action in ACTIONS], max_rows=1)
    assert post(vessel="Aurora", add=True) == DONE
    assert post(vessel="Borealis", add=True)[0] == 400
    assert post(vessel="Aurora", remove=True) == DONE
    assert post(vessel="Borealis", add=True) == DONE
    assert CollectionRow.objects.get().data["vessel"] == "Borealis"


def test_no_more_is_remembered_than_what_was_sent_within_the_time(post: Post) -> None:
    define([{"does": "append", "source": "log", "once_seconds": 30}], key=())
    for vessel in ("Aurora", "Borealis"):
        post(vessel=vessel, add=True)
    assert Submission.objects.count() == 2
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        post(vessel="Calypso", add=True)
    assert Submission.objects.count() == 1


def test_every_form_is_stored_where_nothing_says_otherwise(post: Post) -> None:
    define([{"does": "append", "source": "log"}], key=())
    for _ in range(2):
        assert post(vessel="Aurora", add=True) == DONE
    assert CollectionRow.objects.count() == 2


def test_a_full_collection_says_so(post: Post) -> None:
    define(ACTIONS, max_rows=1)
    assert post(vessel="Aurora", add=True) == DONE
    status, body = post(vessel="Borealis", add=True)
    assert status == 400
    assert body["error"].startswith("The collection is full: it has 1 rows.")
    assert CollectionRow.objects.count() == 1


def test_a_button_without_an_action_says_so(post: Post) -> None:
    define(ACTIONS[:1])
    status, body = post(vessel="Aurora", remove=True)
    assert (status, body["error"].partition(".")[0]) == (400, 'The button "remove" does nothing yet')


def test_the_form_of_a_hidden_widget_is_not_there(log: Widget, post: Post) -> None:
    log.groups.set([Group.objects.create(name="Desk")])
    refresh()
    hidden, unknown = post(vessel="Aurora", add=True), post(path="/log/other", vessel="Aurora", add=True)
    assert hidden == unknown
    assert hidden[0] == 404
    assert not CollectionRow.objects.exists()


def test_a_form_is_not_read(log: Widget, caller: Client) -> None:
    assert caller.put("/log/form", "{}", content_type="application/json").status_code == 405
    assert Client().post("/log/form", "{}", content_type="application/json").status_code == 401


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A Python source with functions that note what they are called with."""
    monkeypatch.setattr(functions, "_FUNCTIONS", {})
    notes: list[Any] = []

    @data_function
    def note(vessel: str, caller: dict[str, Any], tons: float = 5) -> None:
        if vessel == "Flying Dutchman":
            raise BadRequest("vessel: ghost ships are not logged.")
        if vessel == "Bad":
            raise RuntimeError("broken")
        notes.append((vessel, tons, caller["name"]))

    @data_function
    async def noted() -> list[dict[str, object]]:
        return [{"n": len(notes)}]

    Source.objects.create(name="code", kind="python")
    return notes


def test_a_function_is_called_with_the_values_and_who_asks(called: list[Any], post: Post) -> None:
    define([{"does": "function", "source": "code", "function": "note"}])
    assert post(vessel="Aurora", tons=3, cargo=["grain"], add=True) == DONE
    assert post(vessel="Borealis", add=True) == DONE
    assert called == [("Aurora", 3, "Ana"), ("Borealis", 5, "Ana")]
    assert post(vessel="Flying Dutchman", add=True)[1]["error"] == "vessel: ghost ships are not logged."
    assert post(vessel="Flying Dutchman", add=True)[0] == 400
    assert post(vessel="Bad", add=True)[0] == 502


def test_a_function_that_is_gone_since_the_form_was_published_is_told(called: list[Any], post: Post) -> None:
    define([{"does": "function", "source": "code", "function": "note"}])
    functions._FUNCTIONS.pop("note")
    status, body = post(vessel="Aurora", add=True)
    assert status == 502
    assert body["error"].startswith("The form can't be taken: ")
    assert "note" in body["error"]


def test_a_function_is_called_once_for_what_is_sent_twice_unless_the_call_failed(called: list[Any], post: Post) -> None:
    define([{"does": "function", "source": "code", "function": "note", "once_seconds": 30}])
    for _ in range(2):
        assert post(vessel="Aurora", tons=3, add=True) == DONE
        assert post(vessel="Flying Dutchman", add=True)[0] == 400
        assert post(vessel="Bad", add=True)[0] == 502
    assert called == [("Aurora", 3, "Ana")]
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        assert post(vessel="Aurora", tons=3, add=True) == DONE
    assert len(called) == 2


def test_a_second_click_while_the_function_runs_does_not_call_it_again(called: list[Any], post: Post) -> None:
    define([{"does": "function", "source": "code", "function": "slow", "once_seconds": 30}])
    second: list[Any] = []

    @data_function
    def slow(vessel: str) -> None:
        called.append(vessel)
        if not second:
            second.append(post(vessel=vessel, add=True))
        connection.close()

    refresh()
    assert post(vessel="Aurora", add=True) == DONE
    assert (second, called) == ([DONE], ["Aurora"])


def define_noted() -> Widget:
    """Publish a widget whose form calls a function, and whose rows another one gives."""
    widget = define([{"does": "function", "source": "code", "function": "note"}])
    query = read_query({
        "name": "noted", "description": "", "source": "code", "text": "noted", "cache_seconds": 600, "seconds": None,
        "rows": None, "options_path": "options/noted", "choices": [],
    })  # fmt: skip
    definition_publish(query)
    widget.feeds.update(query=query)
    definition_publish(widget)
    return widget


def test_what_a_function_changed_shows_at_the_next_request(called: list[Any], caller: Client, post: Post) -> None:
    define_noted()
    refresh()
    assert caller.get("/log").json() == [{"n": 0}]
    post(vessel="Aurora", add=True)
    assert caller.get("/log").json() == [{"n": 1}]


def test_what_a_function_changed_shows_to_those_who_see_no_form(called: list[Any], caller: Client) -> None:
    widget = define_noted()
    plain = {"name": "board", "description": "Board.", "type": "table", "endpoint": "log"}
    definition_publish(read_widget({"id": "board", "definition": plain, "feeds": {"rows": "noted"}}))
    crew = Group.objects.create(name="crew")
    widget.groups.set([crew])
    _, text = key_issue(name="Bo", groups=[crew])
    refresh()
    assert caller.get("/log").json() == [{"n": 0}]
    sent = {"vessel": "Aurora", "add": True}
    theirs = Client(headers={"X-API-KEY": text})
    assert theirs.post("/log/form", json.dumps(sent), content_type="application/json").status_code == 200
    assert caller.get("/log").json() == [{"n": 1}]


def test_a_form_whose_source_is_of_another_kind_by_now_says_so(post: Post) -> None:
    define(ACTIONS)
    Source.objects.filter(name="log").update(kind="python", options=None)
    refresh()
    status, body = post(vessel="Aurora", add=True)
    assert (status, body["error"]) == (502, 'The source "log" of the form keeps no rows. Choose a collection.')


@pytest.mark.skipif("connection.vendor == 'sqlite' and connection.is_in_memory_db()", reason="one connection only")
def test_forms_that_come_at_once_are_all_stored_once(log: Widget, key: str) -> None:
    statuses: list[int] = []

    def send(vessel: int) -> None:
        client = Client(headers={"X-API-KEY": key})
        body = json.dumps({"vessel": f"v{vessel}", "add": True})
        statuses.append(client.post("/log/form", body, content_type="application/json").status_code)
        connection.close()

    threads = [threading.Thread(target=send, args=[n % 8]) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 24
    assert sorted(row.data["vessel"] for row in CollectionRow.objects.all()) == [f"v{n}" for n in range(8)]
