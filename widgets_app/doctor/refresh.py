"""Why data may seem not to refresh: explained, not blamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from widgets_app.doctor.manifests import WIDGETS
from widgets_app.doctor.visit import Visit
from widgets_app.manifest.contract import Finding
from widgets_app.manifest.contract.findings import as_object, info, is_number

NAMED = 8


def check(visit: Visit) -> Iterator[Finding]:
    """Tell which widgets refresh in a way that people ask about."""
    for code, matches, message, fix in EXPLAINED:
        keys = [key for key, definition in visit.widgets.items() if matches(as_object(definition))]
        if keys:
            yield info(code, WIDGETS, f"{_named(keys)}: {message}", fix=fix)


def _named(keys: list[str]) -> str:
    shown = ", ".join(keys[:NAMED])
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return f"{len(keys)} widget{'s' if len(keys) > 1 else ''} ({shown}{more})"


def _by_schedule(definition: Mapping[str, Any]) -> bool:
    return isinstance(definition.get("refetchInterval"), str)


def _keeps_longer(definition: Mapping[str, Any]) -> bool:
    stale, refetch = definition.get("staleTime"), definition.get("refetchInterval")
    return is_number(stale) and is_number(refetch) and stale > refetch


EXPLAINED: tuple[tuple[str, Callable[[Mapping[str, Any]], bool], str, str], ...] = (
    (
        "refresh-by-button",
        lambda definition: definition.get("runButton") is True,
        "changed parameters wait for the button, and nothing is asked by itself.",
        'Take "runButton" out where that is not meant.',
    ),
    (
        "refresh-never",
        lambda definition: definition.get("refetchInterval") is False,
        "data is asked for when the widget is shown or refreshed by hand, not by time.",
        'Give "refetchInterval" in milliseconds, such as 900000, where data changes by itself.',
    ),
    (
        "refresh-by-schedule",
        _by_schedule,
        "data is asked for at the times of the schedule, while the widget is on the screen.",
        'Give "refetchInterval" in milliseconds where that is not enough.',
    ),
    (
        "refresh-keeps-longer",
        _keeps_longer,
        '"staleTime" is longer than "refetchInterval", so data may be called fresh that is older than the interval.',
        'Make "staleTime" at most as long as "refetchInterval".',
    ),
)
