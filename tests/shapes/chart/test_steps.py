from __future__ import annotations

from tests.shapes.chart.figures import figure
from tests.shapes.frames import frame

STEPS = frame(
    {"step": "Revenue", "eur": 100, "share": 1},
    {"step": "Costs", "eur": -60, "share": 2},
    {"step": "Unknown", "eur": None, "share": 3},
    {"step": "Profit", "eur": None, "share": 4},
    step="text",
    eur="number",
    share="number",
)


def test_steps_add_up_and_totals_are_the_sum_so_far() -> None:
    made = figure(STEPS, kind="waterfall", totals=["Profit"])
    (trace,) = made["data"]
    assert (trace["x"], trace["y"]) == (["Revenue", "Costs", "Unknown", "Profit"], [100, -60, None, None])
    assert trace["measure"] == ["relative", "relative", "relative", "total"]
    assert made["layout"]["yaxis"]["title"]["text"] == "Eur"


def test_the_colours_are_rising_falling_and_total() -> None:
    (trace,) = figure(STEPS, kind="waterfall", colours=["green", "red"])["data"]
    colours = [trace[part]["marker"]["color"] for part in ("increasing", "decreasing", "totals")]
    assert colours[:2] == ["green", "red"]
    assert colours[2] == figure(STEPS, kind="waterfall")["data"][0]["totals"]["marker"]["color"]


def test_steps_run_to_the_right_with_the_first_on_top() -> None:
    made = figure(STEPS, kind="waterfall", horizontal=True)
    assert (made["data"][0]["orientation"], made["data"][0]["x"][:2]) == ("h", [100, -60])
    assert made["layout"]["yaxis"]["autorange"] == "reversed"


def test_steps_are_written_in_their_format() -> None:
    templates = [
        figure(STEPS, kind="waterfall", show_values=True, y_format=form)["data"][0]["texttemplate"]
        for form in ("", ",.0f")
    ]
    assert templates == ["%{delta}", "%{delta:,.0f}"]
