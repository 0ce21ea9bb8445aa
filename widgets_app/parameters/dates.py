"""Relative dates as Workspace and the Excel add-in write them: `$currentDate`, alone or with an offset."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

PREFIX = "$currentDate"
OFFSET_DIGITS = 5

_TOKEN = re.compile(rf"\$currentDate(?:([+-][0-9]{{1,{OFFSET_DIGITS}}})([hdwMybq]))?")
_SATURDAY = 5


def resolve(token: str, *, now: datetime) -> date:
    """Return the day that the token means at `now`, a time with the zone whose day counts as today.

    Units: h hours, d days, w weeks, M months, y years, b business days (Monday to Friday), q quarters. Months
    keep the day of the month, or take the last one of a shorter month. Raises ValueError in one line.
    """
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise ValueError(
            f"A relative date is {PREFIX}, alone or with a sign, a number of up to {OFFSET_DIGITS} digits"
            " and a unit (h hours, d days, w weeks, M months, y years, b business days, q quarters),"
            f" such as {PREFIX}-2w."
        )
    if match[1] is None:
        return now.date()
    try:
        return _MOVES[match[2]](now, int(match[1]))
    except (OverflowError, ValueError):
        raise ValueError("It falls outside the years 1 to 9999. Use a smaller number.") from None


def _by_hours(now: datetime, count: int) -> date:
    # Through UTC, since a day on which the clocks change has 23 or 25 hours.
    return (now.astimezone(UTC) + timedelta(hours=count)).astimezone(now.tzinfo).date()


def _by_months(start: date, count: int) -> date:
    year, month = divmod(start.year * 12 + start.month - 1 + count, 12)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def _by_business_days(start: date, count: int) -> date:
    step = -1 if count < 0 else 1
    day = start
    # A weekend counts from the working day behind it, so the first step lands on the next working day.
    while count and day.weekday() >= _SATURDAY:
        day -= timedelta(days=step)
    weeks, rest = divmod(abs(count), 5)
    day += timedelta(weeks=step * weeks)
    for _ in range(rest):
        day += timedelta(days=step)
        while day.weekday() >= _SATURDAY:
            day += timedelta(days=step)
    return day


_MOVES: dict[str, Callable[[datetime, int], date]] = {
    "h": _by_hours,
    "d": lambda now, count: now.date() + timedelta(days=count),
    "w": lambda now, count: now.date() + timedelta(weeks=count),
    "M": lambda now, count: _by_months(now.date(), count),
    "y": lambda now, count: _by_months(now.date(), count * 12),
    "b": lambda now, count: _by_business_days(now.date(), count),
    "q": lambda now, count: _by_months(now.date(), count * 3),
}
