"""When a widget asks for its data again, and when data counts as old."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from widgets_app.manifest.contract.findings import Findings, error, is_whole, show, warning

REFETCH_LEAST_MS: Final = 1_000
REFETCH_DEFAULT_MS: Final = 900_000

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# Name, least and most value, words that stand for numbers. 7 is Sunday too.
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    ("day of the week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
_PART = re.compile(r"(?:\*|([0-9]{1,2}|[A-Z]{3})(?:-([0-9]{1,2}|[A-Z]{3}))?)(?:/([0-9]{1,2}))?")


def cron_problem(text: str) -> str | None:
    """Say what is wrong with a schedule of cron, or None when it is five valid fields."""
    fields = text.upper().split()
    if len(fields) != len(_FIELDS):
        return f"it has {len(fields)} field{'' if len(fields) == 1 else 's'} instead of 5"
    for value, (name, least, most, names) in zip(fields, _FIELDS, strict=True):
        if not all(_valid(part, least, most, names) for part in value.split(",")):
            return f"the {name} field can't be {value[:20]} ({least} to {most}, ranges upwards)"
    return None


def _valid(part: str, least: int, most: int, names: dict[str, int]) -> bool:
    match = _PART.fullmatch(part)
    if match is None or (match[3] is not None and int(match[3]) == 0):
        return False
    bounds = [names.get(word, int(word) if word.isdigit() else -1) for word in match.group(1, 2) if word]
    return all(least <= bound <= most for bound in bounds) and bounds == sorted(bounds)


def check_schedule(definition: Mapping[str, object]) -> Findings:
    """Check `refetchInterval`, `dataUpdateDisplay` and `staleTime` of a widget."""
    yield from _check_refetch(definition.get("refetchInterval"))
    shown = definition.get("dataUpdateDisplay")
    problem = cron_problem(shown) if isinstance(shown, str) else f"it is {show(shown)}"
    if shown is not None and problem:
        message = f"The schedule that people see cannot be read: {problem}."
        yield error("update-display", "dataUpdateDisplay", message, fix=_CRON_FIX)
    yield from _check_stale(definition)


_CRON_FIX: Final = "Write minute, hour, day of the month, month and day of the week, as in 0 10 * * 1-5."


def _check_refetch(value: object) -> Findings:
    if value is None or value is False or (is_whole(value) and value >= REFETCH_LEAST_MS):
        return
    if isinstance(value, str):
        if problem := cron_problem(value):
            message = f"{show(value)} is not a schedule that Workspace can follow: {problem}."
            yield error("refetch-interval", "refetchInterval", message, fix=_CRON_FIX)
    elif is_whole(value):
        message = f"The data would be asked for every {show(value)} milliseconds; Workspace takes 1000 at least."
        fix = "Write milliseconds, 60000 for a minute, or false for never."
        yield error("refetch-interval", "refetchInterval", message, fix=fix)
    else:
        message = f"Workspace cannot tell from {show(value)} when to ask for the data again."
        fix = "Write whole milliseconds, false for never, or five cron fields as a text."
        yield error("refetch-interval", "refetchInterval", message, fix=fix)


def _check_stale(definition: Mapping[str, object]) -> Findings:
    stale, refetch = definition.get("staleTime"), definition.get("refetchInterval")
    if stale is not None and not (is_whole(stale) and stale >= 0):
        message = f"The age at which data counts as old is {show(stale)}."
        yield error("stale-time", "staleTime", message, fix="Write whole milliseconds, 300000 for five minutes.")
        return
    if refetch is None and definition.get("runButton") is not True:
        refetch = REFETCH_DEFAULT_MS
    if is_whole(stale) and is_whole(refetch) and REFETCH_LEAST_MS <= refetch < stale:
        message = f"Data counts as old after {show(stale)} ms, but is asked for every {show(refetch)} ms anyway."
        fix = 'Make "staleTime" at most "refetchInterval" (900000 when it is not set).'
        yield warning("stale-time-late", "staleTime", message, fix=fix)
