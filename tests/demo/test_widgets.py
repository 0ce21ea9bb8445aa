"""Every widget of the demo, asked for over HTTP as Workspace asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from tests.conftest import refresh
from widgets_app.parameters.types import flatten
from widgets_app.services.demo import demo_load
from widgets_app.services.keys import key_issue

Definition = dict[str, Any]
# Where the traces of Plotly have what they draw.
DRAWN = ("x", "y", "values", "close")


@pytest.fixture(autouse=True)
def _fresh_state() -> None:
    """Keep the definitions in memory from test to test."""


@pytest.fixture(scope="module")
def key(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A key of a backend with the demo, which all tests here share: none of them writes."""
    with django_db_blocker.unblock(), transaction.atomic():
        demo_load()
        _, text = key_issue(name="Workspace")
        refresh()
        yield text
        refresh()
        transaction.set_rollback(True)


@pytest.fixture
def workspace(key: str) -> Client:
    """A client that sends the key."""
    return Client(headers={"X-API-KEY": key})


def widgets(client: Client, *types: str) -> dict[str, Definition]:
    manifest: dict[str, Definition] = client.get("/widgets.json").json()
    return {key: found for key, found in manifest.items() if not types or found["type"] in types}


def params(definition: Definition) -> list[Definition]:
    return [dict(param) for param in flatten(definition.get("params"))]


def defaults(definition: Definition) -> dict[str, Any]:
    """Return the values as Workspace sends them: all of them, as texts, empty ones too."""
    return {param["paramName"]: as_text(param.get("value")) for param in params(definition) if param["type"] != "form"}


def as_text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def ask(client: Client, definition: Definition, **changed: Any) -> Any:
    answer = client.get(f"/{definition['endpoint']}", {**defaults(definition), **changed})
    assert answer.status_code == 200, answer.content
    return answer


def data(client: Client, definition: Definition, **changed: Any) -> Any:
    answer = ask(client, definition, **changed)
    assert answer["Content-Type"] == "application/json"
    return answer.json()


def values_of(param: Mapping[str, Any]) -> Iterator[str]:
    yield from (as_text(option["value"]) for option in param.get("options", []))


def test_every_widget_answers_200_with_its_defaults_and_without_any(workspace: Client) -> None:
    for definition in served(workspace).values():
        ask(workspace, definition)
        assert workspace.get(f"/{definition['endpoint']}").status_code == 200


def served(client: Client) -> dict[str, Definition]:
    """Return the widgets that have data, and are no pages of their own."""
    return {key: found for key, found in widgets(client).items() if found["type"] != "iframe"}


def test_the_page_in_a_frame_has_its_whole_address_and_may_be_framed(workspace: Client) -> None:
    (page,) = widgets(workspace, "iframe").values()
    path = page["endpoint"].removeprefix(settings.PUBLIC_URL)
    answer: Any = workspace.get(path)
    assert b"".join(answer.streaming_content).startswith(b"<!doctype html>")
    assert "X-Frame-Options" not in answer


def test_hello_world_answers_what_the_tutorial_answers(workspace: Client) -> None:
    hello = widgets(workspace)["hello_world"]
    assert data(workspace, hello) == "# Hello World "
    assert data(workspace, hello, name="Ana") == "# Hello World Ana"


def test_tables_have_rows_with_every_declared_column(workspace: Client) -> None:
    for key, definition in widgets(workspace, "table").items():
        rows = data(workspace, definition)
        assert rows or params(definition)[0]["type"] == "form", key
        fields = {column["field"] for column in definition["data"]["table"]["columnsDefs"]}
        for row in rows:
            assert fields == set(row), key


def test_sparklines_are_lists_of_numbers(workspace: Client) -> None:
    for definition in widgets(workspace, "table").values():
        columns = definition["data"]["table"]["columnsDefs"]
        for field in [column["field"] for column in columns if "sparkline" in column]:
            for row in data(workspace, definition):
                assert len(row[field]) > 10
                assert all(isinstance(value, int | float) for value in row[field])


def test_metrics_have_a_label_and_a_number(workspace: Client) -> None:
    for key, definition in widgets(workspace, "metric").items():
        metrics = data(workspace, definition)
        assert len(metrics) > 1, key
        assert isinstance(metrics[0]["value"], int | float), key
        assert all(metric["label"] for metric in metrics), key


def test_charts_draw_something_and_have_rows_behind_them(workspace: Client) -> None:
    for key, definition in widgets(workspace, "chart").items():
        figure = data(workspace, definition)
        assert set(figure) == {"data", "layout", "config"}, key
        assert figure["data"], key
        for trace in figure["data"]:
            assert any(any(value is not None for value in trace.get(name) or []) for name in DRAWN), key
        rows = data(workspace, definition, raw="true")
        assert rows, key
        assert all(set(row) == set(rows[0]) for row in rows), key


def test_charts_follow_the_theme(workspace: Client) -> None:
    for definition in widgets(workspace, "chart").values():
        dark, light = (data(workspace, definition, theme=theme) for theme in ("dark", "light"))
        assert dark["layout"]["font"] != light["layout"]["font"]


def test_texts_are_strings_without_open_placeholders(workspace: Client) -> None:
    for key, definition in widgets(workspace, "markdown", "note").items():
        text = data(workspace, definition)
        assert isinstance(text, str), key
        assert text.strip(), key
        assert "{" not in text, key


def test_every_choice_of_every_parameter_gives_data(workspace: Client) -> None:
    for key, definition in served(workspace).items():
        for param in params(definition):
            for value in values_of(param):
                assert data(workspace, definition, **{param["paramName"]: value}), (key, param["paramName"], value)


def test_every_dropdown_has_options_and_its_default_is_among_them(workspace: Client) -> None:
    for key, definition in widgets(workspace).items():
        for param in params(definition):
            if "optionsEndpoint" not in param:
                continue
            given = {
                name: defaults(definition)[value.removeprefix("$")]
                for name, value in param.get("optionsParams", {}).items()
            }
            answer: Any = workspace.get(f"/{param['optionsEndpoint']}", given)
            offered = [option["value"] for option in answer.json()]
            assert set(filter(None, param["value"].split(","))) <= set(offered), (key, param["paramName"])


def test_every_option_of_a_shared_dropdown_gives_data(workspace: Client) -> None:
    for key, name, path in (("fx_latest", "currency", "fx-currencies"), ("us_latest", "series", "us-series")):
        options: Any = workspace.get(f"/options/{path}")
        for option in options.json():
            assert data(workspace, widgets(workspace)[key], **{name: option["value"]}), option


def test_the_region_decides_which_currencies_are_offered(workspace: Client) -> None:
    answer: Any = workspace.get("/options/fx-currencies-of-region", {"region": "Americas"})
    assert [option["value"] for option in answer.json()] == ["BRL", "CAD", "MXN", "USD"]


def test_a_day_long_after_the_last_rate_shows_the_last_rate(workspace: Client) -> None:
    (*_, last) = sorted(row["date"] for row in data(workspace, widgets(workspace)["fx_rates"]))
    board = widgets(workspace)["fx_board"]
    assert {row["date"] for row in data(workspace, board, as_of="2090-01-01")} == {last}
    assert len(data(workspace, board, as_of="2090-01-01")[0]["trend"]) > 10


def test_a_day_before_the_first_rate_gives_no_rows(workspace: Client) -> None:
    for key in ("fx_board", "fx_latest"):
        assert data(workspace, widgets(workspace)[key], as_of="1999-01-04") == []


def test_a_click_on_a_currency_sets_what_the_other_widgets_ask_for(workspace: Client) -> None:
    found = widgets(workspace)
    column = found["fx_board"]["data"]["table"]["columnsDefs"][0]
    group = column["renderFnParams"]["groupBy"]
    swedish = next(row for row in data(workspace, found["fx_board"]) if row["name"] == "Swedish krona")
    (metric, *_) = data(workspace, found["fx_latest"], **{group["paramName"]: swedish[group["valueField"]]})
    assert metric["value"] == swedish["rate"]


def test_the_figures_are_those_of_the_rates(workspace: Client) -> None:
    found = widgets(workspace)
    rows = data(workspace, found["fx_rates"], currency="JPY", since="2025-01-01", limit="3500")
    latest, before = rows[0], rows[1]
    (board,) = [row for row in data(workspace, found["fx_board"]) if row["currency"] == "JPY"]
    year = [row["rate"] for row in rows if row["date"] > latest["date"].replace("2026", "2025")]
    assert board["rate"] == latest["rate"]
    assert board["day_change"] == pytest.approx(100 * (latest["rate"] / before["rate"] - 1), abs=0.006)
    assert (board["year_low"], board["year_high"]) == (min(year), max(year))
    history = data(workspace, found["fx_history"], currency="JPY", inverse="true", raw="true")
    assert history[-1]["rate"] == pytest.approx(1 / latest["rate"])


def test_the_limit_holds(workspace: Client) -> None:
    assert len(data(workspace, widgets(workspace)["fx_rates"], limit="7")) == 7


def test_indicators_are_found_by_part_of_their_name(workspace: Client) -> None:
    rows = data(workspace, widgets(workspace)["us_indicators"], search="REAL")
    assert [row["series"] for row in rows if row["topic"] == "Money"] == ["REALRATE"]
    assert all("real" in row["name"].lower() for row in rows)


def test_rates_change_in_points_and_amounts_in_percent(workspace: Client) -> None:
    rows = {row["series"]: row for row in data(workspace, widgets(workspace)["us_indicators"])}
    assert (rows["UNEMPLOYMENT"]["change_unit"], rows["UNEMPLOYMENT"]["year_change"]) == ("points", 3.6)
    assert (rows["GDP"]["change_unit"], rows["GDP"]["year_change"]) == ("%", -2.51)


def test_an_unknown_series_gives_no_error(workspace: Client) -> None:
    found = widgets(workspace)
    assert data(workspace, found["us_latest"], series="NONE") == []
    assert data(workspace, found["us_about"], series="NONE") == "No data for these settings."


def test_the_showcase_s_pages_of_rows_are_sorted_filtered_and_grouped(workspace: Client) -> None:
    path = f"/{widgets(workspace)['show_rates']['endpoint']}"
    page = {"startRow": 0, "endRow": 3, "sortModel": [{"colId": "change", "sort": "desc"}]}
    lira = {"filterModel": {"currency": {"filterType": "text", "type": "equals", "filter": "TRY"}}}
    whole, some = (
        workspace.post(path, {**page, **more}, content_type="application/json").json() for more in ({}, lira)
    )
    assert [row["change"] for row in whole["rowData"]] == sorted(
        (row["change"] for row in whole["rowData"]), reverse=True
    )
    assert {row["currency"] for row in some["rowData"]} == {"TRY"}
    assert whole["rowCount"] > some["rowCount"] > len(some["rowData"]) == 3
    groups = {"rowGroupCols": [{"id": "region", "field": "region"}], "valueCols": []}
    grouped = workspace.post(path, {"startRow": 0, "endRow": 9, **groups}, content_type="application/json").json()
    assert grouped["rowCount"] == len(grouped["rowData"]) == 4


def test_what_is_sent_with_each_type_of_parameter_is_told_back(workspace: Client) -> None:
    text = data(
        workspace, widgets(workspace)["show_parameters"], entries="a,b c", switch="false", day="$currentDate-1M"
    )
    assert "| entries | text, free entries | a, b c |" in text
    assert "| switch | boolean | off |" in text


@pytest.mark.parametrize("years", ["1", "50"])
def test_a_savings_plan_has_what_was_paid_in_and_its_interest(workspace: Client, years: str) -> None:
    plan = widgets(workspace)["show_savings"]
    rows = data(workspace, plan, raw="true", start="100", monthly="10", rate="12", years=years)
    assert rows[-1]["month"] == int(years) * 12
    assert rows[-1]["paid_in"] == 100 + 10 * 12 * int(years)
    assert rows[12]["interest"] == pytest.approx(18.46, abs=0.01)
