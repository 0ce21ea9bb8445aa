"""Parameters as Workspace and Excel send them: C-044 to C-060 and C-104 of the contract, asked over HTTP.

What has tests elsewhere besides:

C-044  tests/manifest/test_contract.py (each fault of a widget)  every fault of a parameter is found at its place
C-048  tests/manifest/test_contract.py (circle of dropdowns)     circles of dependent dropdowns
C-050  tests/parameters/test_dates.py                            the whole grammar of relative dates
C-053  tests/parameters/test_types.py                            every mixture of commas and repeats
C-058  tests/test_forms.py                                       once, at once, full collections, hidden widgets
C-059  tests/test_forms.py                                       every wrong value of a form, its body too
C-104  tests/contract/test_passed_transport.py                   the same for widgets of an upstream
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.test import Client

from tests.conftest import Define, refresh
from widgets_app.functions import data_function
from widgets_app.manifest.reading import read_widget
from widgets_app.models import Source, Widget
from widgets_app.services.publishing import NotPublished, definition_publish

pytestmark = pytest.mark.django_db
# On PostgreSQL, what counts the changes of a collection does so when they are committed.
AT_COMMIT = pytest.mark.django_db(transaction=True)

Params = list[Any]
TODAY = "2024-02-29T12:00:00Z"


def param(name: str, kind: str = "text", **keys: Any) -> dict[str, Any]:
    return {"paramName": name, "type": kind, "label": name.title(), "description": f"The {name}.", **keys}


def refused(*params: Any) -> set[str]:
    """Return why a widget with these parameters, made in the admin, is not published."""
    definition = {"name": "W", "description": "W.", "type": "table", "endpoint": "w", "params": list(params)}
    draft = read_widget({"id": "w", "definition": definition}, Widget.objects.filter(widget_id="w").first())
    try:
        definition_publish(draft)
    except NotPublished as error:
        return {finding.code for finding in error.findings}
    return set()


@data_function("contract_echo")
def echo(
    word: str | None = None,
    number: float | None = None,
    flag: bool | None = None,
    day: str | None = None,
    many: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    """Return what came, with the names of the types."""
    given = {"word": word, "number": number, "flag": flag, "day": str(day) if day else None, "many": list(many or ())}
    return [{**given, "types": [type(value).__name__ for value in (word, number, flag, day)]}]


@pytest.fixture(params=["files", "python"])
def ask(
    request: pytest.FixtureRequest, caller: Client, define_query: Define, define_widget: Define
) -> Callable[..., Any]:
    """Ask for what the parameters of a widget came to; once over files, once from a function."""
    if request.param == "files":
        typed = (
            "select :word as word, :number as number, :flag as flag, strftime(:day, '%Y-%m-%d') as day, :many as many"
        )
        define_query("echo", typed)
    else:
        Source.objects.create(name="code", kind="python")
        define_query("echo", "contract_echo", source="code")
    define_widget(
        "echo",
        query="echo",
        params=[
            param("word", value="usual"),
            param("number", "number", value=5),
            param("flag", "boolean", value=True),
            param("day", "date", value="$currentDate-1d"),
            param("many", multiple=True, value="x,y"),
        ],
    )

    def asked(query: str = "") -> Any:
        with time_machine.travel(TODAY, tick=False):
            answer = caller.get(f"/echo{query}")
        assert answer.status_code == 200, answer.content
        (row,) = answer.json()
        return row

    return asked


DEFAULTS = {"word": "usual", "number": 5, "flag": True, "day": "2024-02-28", "many": ["x", "y"]}


def values(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in DEFAULTS}


def test_every_parameter_says_what_it_is(caller: Client, define_widget: Define) -> None:
    """C-044"""
    define_widget(params=[param("word")])
    (served,) = caller.get("/widgets.json").json()["prices"]["params"]
    assert served == param("word")
    assert "param-name-missing" in refused({**param("word"), "paramName": ""})
    assert "param-type" in refused(param("word", "words"))


def test_a_name_is_there_once_in_all_rows_together() -> None:
    """C-045"""
    assert refused([param("word")], [param("other"), param("word")]) == {"param-name-repeated"}
    assert refused([param("word")], [param("other")]) == set()


def test_a_parameter_named_like_a_key_of_requests_gets_no_credential(
    key: str, define_query: Define, define_widget: Define
) -> None:
    """C-045"""
    define_query("q", "select :api_key as api_key, :theme as theme, :raw as raw")
    define_widget("q", query="q", params=[param("api_key"), param("theme"), param("raw")])
    assert Client().get(f"/q?api_key={key}&theme=light&raw=x").json() == [
        {"api_key": None, "theme": "light", "raw": "x"}
    ]


def test_a_dropdown_names_its_endpoint_and_tabs_their_options() -> None:
    """C-046"""
    assert refused(param("pick", "endpoint")) == {"options-endpoint-missing"}
    assert refused(param("view", "tabs")) == {"tabs-options"}
    two = [{"label": "A", "value": "a"}, {"label": "B", "value": "b"}]
    assert refused(param("view", "tabs", options=two, value="c")) == {"tabs-default"}
    assert refused(param("view", "tabs", options=two)) == {"tabs-default"}
    assert refused(param("view", "tabs", options=two, value="b")) == set()


@pytest.fixture
def dropdowns(define_query: Define, define_widget: Define) -> None:
    """Two dropdowns, the second of which follows the first, and a fixed list."""
    choices = [{"label": "Yes", "value": True}, {"label": "One", "value": 1}, {"label": "Text", "value": "t"}]
    define_query("fixed", "", source=None, choices=choices)
    define_query("tickers", "select distinct ticker as value, ticker || ' Inc' as label from prices order by 1")
    define_query("days", "select day as value, day as label from prices where ticker = :ticker order by 1")
    define_query()
    define_widget(
        query="prices",
        params=[
            param("ticker", "endpoint", optionsEndpoint="options/tickers", value="AAA"),
            param("day", "endpoint", optionsEndpoint="/options/days", optionsParams={"ticker": "$ticker"}),
            param("fixed", "endpoint", optionsEndpoint="options/fixed"),
        ],
    )


@pytest.mark.usefixtures("dropdowns")
def test_options_are_a_bare_list_of_labels_and_values(caller: Client) -> None:
    """C-047"""
    assert caller.get("/options/tickers").json() == [
        {"label": "AAA Inc", "value": "AAA"}, {"label": "BBB Inc", "value": "BBB"}
    ]  # fmt: skip
    assert caller.get("/options/tickers?theme=dark&whatever=1&ticker=").status_code == 200
    assert [option["value"] for option in caller.get("/options/fixed").json()] == [True, 1, "t"]


@pytest.mark.usefixtures("define_query")
def test_options_of_every_column_type_are_text_number_or_boolean(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    """C-047: what a dropdown sends back is text."""
    text = "select * from (values (date '2024-01-02', 'a', 'more', 'right'), (null, 'b', null, null)) t(v, label, description, right_of_description)"
    define_query("typed", text)
    define_widget(params=[param("p", "endpoint", optionsEndpoint="options/typed")])
    info = {"description": "more", "rightOfDescription": "right"}
    assert caller.get("/options/typed").json() == [{"label": "a", "value": "2024-01-02", "extraInfo": info}]


@pytest.mark.usefixtures("dropdowns")
def test_options_follow_the_value_they_depend_on_and_are_none_without_it(caller: Client) -> None:
    """C-048"""
    assert [each["value"] for each in caller.get("/options/days?ticker=AAA").json()] == ["2024-01-02", "2024-01-03"]
    assert [each["value"] for each in caller.get("/options/days?ticker=BBB").json()] == ["2024-01-02"]
    for empty in ("?ticker=", "?ticker=%20", "", "?other=AAA"):
        answer = caller.get(f"/options/days{empty}")
        assert (answer.status_code, answer.json()) == (200, [])


def test_options_may_only_depend_on_parameters_of_the_widget() -> None:
    """C-048"""
    dropdown = param("day", "endpoint", optionsEndpoint="days", optionsParams={"ticker": "$ticker", "fixed": "x"})
    assert refused(dropdown) == {"options-param-unknown"}
    assert refused(dropdown, param("ticker")) == set()


@pytest.mark.parametrize(("width", "right"), [(199, False), (200, True), (1000, True), (1001, False), ("wide", False)])
def test_the_opened_list_is_as_wide_as_workspace_allows(width: Any, right: bool) -> None:
    """C-049"""
    found = refused(param("pick", "endpoint", optionsEndpoint="o", style={"popupWidth": width}))
    assert found == (set() if right else {"popup-width"})


@pytest.mark.parametrize(
    ("value", "right"),
    [
        ("$currentDate", True), ("$currentDate-1h", True), ("$currentDate+2d", True), ("$currentDate-2w", True),
        ("$currentDate-3M", True), ("$currentDate-1y", True), ("2024-02-29", True), (None, True),
        ("$currentDate-1m", False), ("$currentDate-w", False), ("2023-02-29", False), ("soon", False), (20240229, False),
    ],
)  # fmt: skip
def test_default_dates_are_what_workspace_resolves(value: Any, right: bool) -> None:
    """C-050"""
    assert refused(param("day", "date", value=value)) == (set() if right else {"default-date"})


@pytest.mark.parametrize(
    ("sent", "day"),
    [
        ("$currentDate", "2024-02-29"), ("$currentDate-1w", "2024-02-22"), ("$currentDate-1y", "2023-02-28"),
        ("$currentDate%2B1M", "2024-03-29"), ("$currentDate-13h", "2024-02-28"),
        ("$currentDate-1b", "2024-02-28"), ("$currentDate-3b", "2024-02-26"), ("$currentDate%2B2b", "2024-03-04"),
        ("$currentDate-1q", "2023-11-29"), ("$currentDate%2B4q", "2025-02-28"),
        ("2024-01-31", "2024-01-31"), ("2024-01-31T23:59:59Z", "2024-01-31"),
    ],
)  # fmt: skip
def test_a_relative_date_that_comes_as_it_is_written_is_resolved(ask: Any, sent: str, day: str) -> None:
    """C-051, with the units b and q of the Excel add-in."""
    assert ask(f"?day={sent}")["day"] == day


@pytest.mark.parametrize(
    ("sent", "value"),
    [("true", True), ("True", True), ("TRUE", True), ("1", True), ("false", False), ("False", False), ("0", False)],
)
def test_switches_are_read_as_they_are_meant(ask: Any, sent: str, value: bool) -> None:
    """C-052"""
    assert ask(f"?flag={sent}")["flag"] is value


def test_several_values_come_with_commas_or_again_and_again(ask: Any) -> None:
    """C-053"""
    for query in ("?many=a,b,c", "?many=a&many=b&many=c", "?many=a,b&many=c", "?many=a,%20b,,c"):
        assert ask(query)["many"] == ["a", "b", "c"]


def test_free_entries_are_taken_besides_what_is_offered(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    """C-054"""
    define_query("q", "select :free as free, :closed as closed")
    options = [{"label": "A", "value": "a"}, {"label": "B", "value": "b"}]
    define_widget(
        "q",
        query="q",
        params=[param("free", multiple=True, options=options), param("closed", multiSelect=True, options=options)],
    )
    assert caller.get("/q?free=a,z&closed=a,b").json() == [{"free": ["a", "z"], "closed": ["a", "b"]}]
    answer = caller.get("/q?closed=a,z")
    assert answer.status_code == 400
    assert answer.json()["error"] == ('Parameter "Closed" (closed): "z" is not one of its values. Send one of: a, b.')


@pytest.mark.parametrize("query", ["", "?word=&number=&flag=&day=&many=", "?number=%20&many=,&day=&unknown=1"])
def test_empty_and_missing_mean_the_default(ask: Any, query: str) -> None:
    """C-055"""
    assert values(ask(query)) == DEFAULTS


ROWS: Params = [[param("a"), param("b")], [], [param("c")], []]


def test_rows_keep_their_order_and_empty_ones_stay(caller: Client, define_query: Define, define_widget: Define) -> None:
    """C-056"""
    define_query("q", "select :a as a, :b as b, :c as c")
    define_widget("q", query="q", params=ROWS)
    assert caller.get("/widgets.json").json()["q"]["params"] == ROWS
    assert caller.get("/q?a=1&b=2&c=3").json() == [{"a": "1", "b": "2", "c": "3"}]
    assert refused(param("a"), [param("b")]) == {"params-mixed"}


def test_a_setting_serves_rows_as_one_list(caller: Client, define_widget: Define, settings: Any) -> None:
    """C-057"""
    settings.WIDGETS_FLAT_PARAMS = True
    define_widget("q", params=ROWS)
    refresh()
    served = caller.get("/widgets.json").json()["q"]
    assert served["params"] == [param("a"), param("b"), param("c")]
    assert served["name"] == "q"


FIELDS = [
    param("vessel", optional=False),
    param("tons", "number", min=0, max=100),
    param("cargo", multiSelect=True, options=[{"label": "G", "value": "grain"}, {"label": "S", "value": "steel"}]),
    *(param(name, "button", value=True) for name in ("add", "update", "remove")),
]


@pytest.fixture
def form(define_query: Define, define_widget: Define) -> None:
    """A table of a collection, with a form of three buttons."""
    columns = ["vessel: text", "tons: number", "cargo: text"]
    Source.objects.create(name="log", kind="collection", options={"columns": columns, "key": ["vessel"]})
    define_query("log", "select vessel, tons, cargo from rows order by row_id", source="log")
    definition = {
        "name": "Log", "description": "Log.", "type": "table", "endpoint": "log",
        "params": [{**param("form", "form"), "endpoint": "log/form", "inputParams": FIELDS}],
    }  # fmt: skip
    does = {"add": "append", "update": "change", "remove": "delete"}
    actions = [{"button": button, "does": each, "source": "log"} for button, each in does.items()]
    widget = read_widget({"id": "log", "definition": definition, "feeds": {"rows": "log"}, "forms": {"form": actions}})
    definition_publish(widget)
    refresh()


def send(client: Client, **fields: Any) -> Any:
    return client.post("/log/form", fields, content_type="application/json")


@pytest.mark.usefixtures("form")
@AT_COMMIT
def test_a_right_form_is_200_and_the_next_get_shows_it(caller: Client) -> None:
    """C-058"""
    assert caller.get("/log").json() == []
    assert send(caller, vessel="Aurora", tons=5, cargo=["grain", "steel"], add=True).status_code == 200
    assert caller.get("/log").json() == [{"vessel": "Aurora", "tons": 5.0, "cargo": "grain,steel"}]


@pytest.mark.usefixtures("form")
@AT_COMMIT
def test_excel_sends_forms_as_texts(caller: Client) -> None:
    """C-058 with every value a text."""
    assert send(caller, vessel="Aurora", tons="5", cargo="grain,steel", add="true").status_code == 200
    assert caller.get("/log").json() == [{"vessel": "Aurora", "tons": 5.0, "cargo": "grain,steel"}]


@pytest.mark.usefixtures("form")
@AT_COMMIT
@pytest.mark.parametrize(
    "fields",
    [
        {"vessel": "A", "tons": "many", "add": True},
        {"vessel": "A", "tons": 101, "add": True},
        {"vessel": "A", "cargo": ["gold"], "add": True},
        {"tons": 1, "add": True},
        {"vessel": "", "add": True},
        {"vessel": "A"},
        {"vessel": "A", "add": True, "remove": True},
        {"vessel": "nobody", "update": True},
    ],
)
def test_a_wrong_form_is_400_with_the_error_and_changes_nothing(caller: Client, fields: dict[str, Any]) -> None:
    """C-059"""
    answer = send(caller, **fields)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/json")
    assert answer.json()["error"] == answer.json()["detail"] != ""
    assert "\n" not in answer.json()["error"]
    assert caller.get("/log").json() == []


@pytest.mark.usefixtures("form")
@AT_COMMIT
def test_the_pressed_button_tells_the_actions_apart(caller: Client) -> None:
    """C-060"""

    def vessels() -> list[Any]:
        return [(row["vessel"], row["tons"]) for row in caller.get("/log").json()]

    send(caller, vessel="A", tons=1, add=True, update=False, remove=False)
    send(caller, vessel="B", tons=1, add=True)
    assert vessels() == [("A", 1), ("B", 1)]
    send(caller, vessel="A", tons=2, update=True)
    assert vessels() == [("A", 2), ("B", 1)]
    send(caller, vessel="A", remove=True)
    assert vessels() == [("B", 1)]


def test_all_parameters_may_be_texts(ask: Any) -> None:
    """C-104"""
    sent = "?word=10&number=10&flag=true&day=2024-01-31&many=a,b"
    expected = {"word": "10", "number": 10, "flag": True, "day": "2024-01-31", "many": ["a", "b"]}
    assert values(ask(sent)) == expected
    assert ask("?number=1e3")["number"] == 1000
    assert ask("?number=-1.5")["number"] == -1.5


def test_a_function_gets_the_types_that_its_parameters_declare(
    caller: Client, define_query: Define, define_widget: Define
) -> None:
    """C-104: what came as text is no text any more."""
    Source.objects.create(name="code", kind="python")
    define_query("echo", "contract_echo", source="code")
    params = [param("word"), param("number", "number"), param("flag", "boolean"), param("day", "date")]
    define_widget("echo", query="echo", params=params)
    (row,) = caller.get("/echo?word=1&number=10&flag=false&day=$currentDate").json()
    assert row["types"] == ["str", "int", "bool", "date"]
