from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shapes.chart.figures import LONG, WIDE, answer, figure, notes
from tests.shapes.frames import frame
from widgets_app.errors import SourceFailed
from widgets_app.shapes.base import Ask
from widgets_app.shapes.chart import Chart
from widgets_app.sources.frame import Frame

KINDS = get_args(Chart.Options.model_fields["kind"].annotation)


@pytest.mark.parametrize("one", [None, frame(), frame(day="date", calls="number")])
def test_no_rows_give_an_empty_figure_that_says_so(one: Frame | None) -> None:
    made = figure(one, y=["calls"] if one and one.columns else [])
    assert made["data"] == []
    (note,) = made["layout"]["annotations"]
    assert (note["text"], note["xref"], note["x"], note["y"]) == (
        "No data for these settings",
        "paper",
        0.5,
        0.5,
    )
    assert made["layout"]["xaxis"] == made["layout"]["yaxis"] == {"visible": False}


def test_rows_that_a_limit_cut_off_are_mentioned() -> None:
    rows = frame({"d": "a", "n": 1}, truncated=True, d="text", n="number")
    assert figure(rows)["layout"]["annotations"][0]["text"] == "Made from the first 1 rows"
    assert "annotations" not in figure(WIDE)["layout"]


def test_raw_gives_the_rows_as_a_bare_list() -> None:
    assert answer(WIDE, Ask(raw=True)) == WIDE.rows()
    assert answer(None, Ask(raw=True)) == []
    assert answer(LONG, Ask(raw=True), x="gone") == LONG.rows()


def test_the_figure_is_put_at_the_data_key() -> None:
    assert answer(WIDE, Ask(data_key="chart.content"))["chart"]["content"] == figure(WIDE)


def test_themes_differ_dark_is_the_default_and_the_background_is_transparent() -> None:
    dark, light = (figure(WIDE, Ask(theme=theme))["layout"] for theme in ("dark", "light"))
    assert dark == figure(WIDE)["layout"]
    assert dark["font"] != light["font"]
    assert dark["yaxis"]["gridcolor"] != light["yaxis"]["gridcolor"]
    assert dark["paper_bgcolor"] == dark["plot_bgcolor"] == light["paper_bgcolor"] == "rgba(0,0,0,0)"


EVERYTHING: dict[str, Any] = {
    "colour": "c",
    "second_y": ["d"],
    "y_log": True,
    "y_format": ",.1f",
    "show_values": True,
    "groups": ["c"],
    "size": "d",
    "label": "c",
    "volume": "d",
    "bins": 5,
    "totals": ["a"],
    "markers": True,
}
PRICES: dict[str, Any] = {"open": "b", "high": "d", "low": "b", "close": "d"}
MANY = frame(
    *(
        {"a": f"2026-03-{day:02}", "b": None if day % 5 == 0 else day * 1.5 - 9, "c": f"p{part}", "d": part - day % 4}
        for day in range(1, 28)
        for part in range(9)
    ),
    a="date",
    b="number",
    c="text",
    d="number",
)
ONE = frame({"a": "2026-03-01", "b": 1, "c": "p", "d": 2}, a="date", b="number", c="text", d="number")
GAPS = frame({"a": None, "b": None, "c": None, "d": None}, a="date", b="number", c="text", d="number")


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("everything", [{}, EVERYTHING], ids=["usual", "everything"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_draws_many_rows_and_one(kind: str, everything: dict[str, Any], theme: Any) -> None:
    for rows in (MANY, ONE):
        made = figure(rows, Ask(theme=theme), kind=kind, **PRICES, **everything)
        assert made["data"]
        assert "title" not in made["layout"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_when_there_are_no_rows(kind: str) -> None:
    nothing = frame(a="date", b="number", c="text", d="number")
    for rows in (None, nothing):
        assert notes(figure(rows, kind=kind, **PRICES, **EVERYTHING)) == ["No data for these settings"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_stands_a_row_of_nulls(kind: str) -> None:
    assert set(figure(GAPS, kind=kind, **PRICES, **EVERYTHING)) == {"data", "layout", "config"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_refuses_text_where_numbers_belong(kind: str) -> None:
    rows = frame({"a": "x", "b": "dear", "d": "cheap"}, {"a": "y", "b": None, "d": None})
    with pytest.raises(SourceFailed, match=r'no numbers, such as "(dear|cheap)"\. Choose'):
        figure(rows, kind=kind, x="a", y=["b"], size="d", **PRICES)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_names_a_column_that_is_not_there(kind: str) -> None:
    with pytest.raises(SourceFailed, match='"gone", but its data has: a, b, c, d'):
        figure(ONE, kind=kind, y=["gone"], **PRICES)


@pytest.mark.parametrize("kind", KINDS)
def test_figures_hold_no_encoded_arrays_and_no_background(kind: str) -> None:
    made = figure(MANY, kind=kind, **PRICES, **EVERYTHING)
    assert "bdata" not in str(made)
    assert made["layout"]["paper_bgcolor"] == made["layout"]["plot_bgcolor"] == "rgba(0,0,0,0)"


CELLS = (
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=3)
)
OPTIONS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "x": st.sampled_from(["", "a"]),
        "stacking": st.sampled_from(["none", "stacked", "normalised"]),
        "horizontal": st.booleans(),
    },
    optional={name: st.just(value) for name, value in EVERYTHING.items()},
)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=6), OPTIONS)
def test_any_cells_give_strict_json_or_a_clear_refusal(cells: list[Any], options: dict[str, Any]) -> None:
    rows = frame(*(dict(zip("abcd", row, strict=True)) for row in cells), a="text", b="number", c="text", d="number")
    try:
        made = figure(rows, **PRICES, **options)
    except SourceFailed:
        for column in (1, 3):
            if not any(isinstance(row[column], int | float) for row in cells):
                break
        else:
            raise
    else:
        assert set(made) == {"data", "layout", "config"}
