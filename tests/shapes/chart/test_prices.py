from __future__ import annotations

from typing import Any

import pytest

from tests.shapes.chart.figures import figure
from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed

DAYS = frame(
    {"day": "2026-03-02", "open": 10, "high": 12.5, "low": 9, "close": 11, "volume": 500, "average": None},
    {"day": "2026-03-03", "open": 11, "high": 11, "low": None, "close": 8, "volume": None, "average": 9.5},
    day="date",
    open="number",
    high="number",
    low="number",
    close="number",
    volume="number",
    average="number",
)


@pytest.mark.parametrize("kind", ["candlestick", "ohlc"])
def test_prices_are_read_from_the_usual_columns_over_the_first_free_one(kind: str) -> None:
    made = figure(DAYS, kind=kind)
    (trace,) = made["data"]
    assert (trace["type"], trace["x"]) == (kind, ["2026-03-02", "2026-03-03"])
    assert [trace[part] for part in ("open", "high", "low", "close")] == [[10, 11], [12.5, 11], [9, None], [11, 8]]
    assert made["layout"]["xaxis"]["type"] == "date"
    assert made["layout"]["xaxis"]["rangeslider"] == {"visible": False}


def test_prices_may_have_other_names() -> None:
    trace = figure(DAYS, kind="ohlc", x="day", open="average", close="volume")["data"][0]
    assert (trace["open"], trace["close"]) == ([None, 9.5], [500, None])


def test_the_first_colours_are_rising_and_falling_and_the_others_those_of_the_lines() -> None:
    def colours(*chosen: str) -> list[Any]:
        prices, line = figure(DAYS, kind="candlestick", y=["average"], colours=list(chosen))["data"]
        return [prices["increasing"]["line"]["color"], prices["decreasing"]["line"]["color"], line["line"]["color"]]

    assert colours("blue", "orange", "black") == ["blue", "orange", "black"]
    assert colours("blue") == ["blue", *colours()[1:]]


def test_columns_to_draw_are_lines_over_the_prices() -> None:
    made = figure(DAYS, kind="candlestick", y=["average"])
    assert [(trace["type"], trace["name"]) for trace in made["data"]] == [
        ("candlestick", "Prices"),
        ("scatter", "Average"),
    ]
    assert made["layout"]["showlegend"]
    assert not figure(DAYS, kind="candlestick")["layout"]["showlegend"]


def test_the_volume_has_room_of_its_own_below_the_prices() -> None:
    made = figure(DAYS, kind="candlestick", volume="volume")
    assert (made["data"][1]["type"], made["data"][1]["y"], made["data"][1]["yaxis"]) == ("bar", [500, None], "y2")
    layout = made["layout"]
    assert layout["yaxis2"]["domain"][1] < layout["yaxis"]["domain"][0]
    assert layout["xaxis"]["anchor"] == "y2"


def test_a_price_that_is_not_there_is_named() -> None:
    rows = frame({"day": "2026-03-02", "last": 1}, day="date", last="number")
    with pytest.raises(SourceFailed, match='"open", but its data has: day, last'):
        figure(rows, kind="candlestick", close="last")
