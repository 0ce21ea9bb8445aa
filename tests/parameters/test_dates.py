from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets_app.parameters.dates import resolve

RIGA = ZoneInfo("Europe/Riga")
TUESDAY = datetime(2026, 3, 31, 15, 30, tzinfo=RIGA)


@pytest.mark.parametrize(
    ("token", "day"),
    [
        ("$currentDate", "2026-03-31"),
        ("$currentDate-16h", "2026-03-30"),
        ("$currentDate-15h", "2026-03-31"),
        ("$currentDate+9h", "2026-04-01"),
        ("$currentDate+1d", "2026-04-01"),
        ("$currentDate-1w", "2026-03-24"),
        ("$currentDate-1M", "2026-02-28"),
        ("$currentDate-4M", "2025-11-30"),
        ("$currentDate+9M", "2026-12-31"),
        ("$currentDate-1y", "2025-03-31"),
        ("$currentDate-1q", "2025-12-31"),
        ("$currentDate+1q", "2026-06-30"),
        ("$currentDate+1b", "2026-04-01"),
        ("$currentDate+4b", "2026-04-06"),
        ("$currentDate-2b", "2026-03-27"),
        ("$currentDate-10b", "2026-03-17"),
        ("$currentDate+0d", "2026-03-31"),
    ],
)
def test_a_token_means_a_day_counted_from_today(token: str, day: str) -> None:
    assert resolve(token, now=TUESDAY).isoformat() == day


@pytest.mark.parametrize(
    ("start", "token", "day"),
    [
        ("2026-03-28", "$currentDate-1b", "2026-03-27"),
        ("2026-03-29", "$currentDate-1b", "2026-03-27"),
        ("2026-03-28", "$currentDate+1b", "2026-03-30"),
        ("2026-03-29", "$currentDate+6b", "2026-04-06"),
        ("2026-03-28", "$currentDate+0b", "2026-03-28"),
    ],
)
def test_business_days_from_a_weekend_land_on_working_days(start: str, token: str, day: str) -> None:
    now = datetime.fromisoformat(start).replace(tzinfo=RIGA)
    assert resolve(token, now=now).isoformat() == day


@given(st.dates(date(1990, 1, 1), date(2060, 1, 1)), st.integers(-60, 60).filter(bool))
def test_business_days_agree_with_counting_one_by_one(start: date, count: int) -> None:
    day, left = start, abs(count)
    while left:
        day += timedelta(days=1 if count > 0 else -1)
        left -= day.weekday() < 5
    now = datetime(start.year, start.month, start.day, 12, tzinfo=UTC)
    assert resolve(f"$currentDate{count:+d}b", now=now) == day


def test_today_is_the_day_of_the_given_zone() -> None:
    instant = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
    assert resolve("$currentDate", now=instant) == date(2026, 3, 31)
    assert resolve("$currentDate", now=instant.astimezone(RIGA)) == date(2026, 4, 1)


def test_hours_are_counted_through_the_change_of_the_clocks() -> None:
    # Riga's clocks lost an hour on the 29th, so the 24 hours reach back over all of that day.
    now = datetime(2026, 3, 30, 0, 30, tzinfo=RIGA)
    assert resolve("$currentDate-24h", now=now) == date(2026, 3, 28)


def test_the_last_of_february_stands_in_for_a_leap_day() -> None:
    assert resolve("$currentDate+1y", now=datetime(2028, 2, 29, tzinfo=UTC)) == date(2029, 2, 28)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "$currentDate-1m",
        "$currentDate-w",
        "$currentDate1d",
        "$currentDate-1d ",
        "$CURRENTDATE",
        "$currentDate-٣d",
        "$currentDate-123456d",
        "2026-03-01",
    ],
)
def test_what_is_not_a_token_is_refused_with_the_grammar_in_one_line(token: str) -> None:
    with pytest.raises(ValueError, match=r"^A relative date is \$currentDate.*M months.*\$currentDate-2w\.$"):
        resolve(token, now=TUESDAY)


@pytest.mark.parametrize("unit", "dwMybq")
@pytest.mark.parametrize("sign", "+-")
def test_a_day_outside_the_calendar_is_refused(unit: str, sign: str) -> None:
    edge = datetime(9999, 12, 31, tzinfo=UTC) if sign == "+" else datetime(1, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="outside the years 1 to 9999"):
        resolve(f"$currentDate{sign}99999{unit}", now=edge)
