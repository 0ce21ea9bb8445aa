"""When schedules come, and what is said about those that can't be followed."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from widgets_app.schedules import last_due, schedule_problem, shortest_pause

RIGA = ZoneInfo("Europe/Riga")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=RIGA)


@pytest.mark.parametrize(
    "text", ["* * * * *", "*/15 6-20 * * 1-5", "0 0 29 2 *", "30 7 * * mon", "0 0 * * 7", "5,10 1-3 1 JAN *"]
)
def test_a_schedule_that_can_be_followed(text: str) -> None:
    assert schedule_problem(text) is None
    assert shortest_pause(text) is not None


@pytest.mark.parametrize(("text", "problem"), [
    ("", "it has 0 fields instead of 5"),
    ("* * * *", "it has 4 fields instead of 5"),
    ("0 * * * * *", "it has 6 fields"),
    ("60 * * * *", "the minute field can't be 60"),
    ("@daily", "1 field "),
    ("*/0 * * * *", "the minute field"),
    ("0 0 31 2 *", "such a day never comes"),
    ("0 0 30 2 *", "such a day never comes"),
])  # fmt: skip
def test_a_schedule_that_cannot_is_told_in_words(text: str, problem: str) -> None:
    told = schedule_problem(text) or ""
    assert problem in told
    assert "\n" not in told
    assert "*/15 6-20" in told


def test_the_last_time_in_between_counts() -> None:
    assert last_due("*/5 * * * *", NOON, NOON + timedelta(minutes=17)) == NOON + timedelta(minutes=15)
    assert last_due("0 12 * * *", NOON, NOON + timedelta(hours=1)) is None
    assert last_due("0 12 * * *", NOON - timedelta(seconds=1), NOON) == NOON


def test_hours_are_those_of_the_zone() -> None:
    summer = datetime(2026, 7, 1, 11, 59, tzinfo=RIGA)
    due = last_due("0 12 * * *", summer, summer + timedelta(minutes=2))
    assert due is not None
    assert due.astimezone(ZoneInfo("UTC")).hour == 9


@pytest.mark.parametrize(("text", "pause"), [
    ("*/15 6-20 * * 1-5", timedelta(minutes=15)),
    ("0 8 * * *", timedelta(days=1)),
    ("0,10 8 * * *", timedelta(minutes=10)),
])  # fmt: skip
def test_the_shortest_pause_tells_how_long_a_result_has_to_last(text: str, pause: timedelta) -> None:
    found = shortest_pause(text)
    assert found is not None
    # A night when clocks change is an hour longer or shorter.
    assert abs(found - pause) in (timedelta(0), timedelta(hours=1))
