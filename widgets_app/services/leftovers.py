"""Keys without a field, kept in `extra`: which model keeps them where, and what happens when a field takes over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db import models

from widgets_app.manifest import keys
from widgets_app.manifest.keys import Level
from widgets_app.models import Agent, App, Choice, Column, Parameter, ParameterGroup, Placement, Tab, Widget

LEVELS: Mapping[type[models.Model], Mapping[str, Level]] = {
    Widget: {
        "extra": keys.WIDGET,
        "grid_extra": keys.GRID,
        "data_extra": keys.DATA,
        "table_extra": keys.TABLE,
    },
    Column: {"extra": keys.COLUMN},
    Parameter: {"extra": keys.PARAMETER},
    Choice: {"extra": keys.CHOICE},
    App: {"extra": keys.APP},
    Agent: {"extra": keys.AGENT},
    Tab: {"extra": keys.TAB},
    Placement: {"extra": keys.PLACEMENT},
    ParameterGroup: {"extra": keys.GROUP},
}


def drop_overridden(row: models.Model) -> None:
    """Take keys that a field of the row sets by now out of what was kept as it came. The row is not saved."""
    for name, level in LEVELS.get(type(row), {}).items():
        kept = getattr(row, name)
        if not isinstance(kept, dict):
            continue
        written = level.write(row, None)
        if any(key in written for key in kept):
            setattr(row, name, {key: value for key, value in kept.items() if key not in written} or None)


def imported_values(row: models.Model) -> Iterator[tuple[str, Any]]:
    """Yield (field, value) for each empty field whose key was imported with a value that the field can't hold."""
    for name, level in LEVELS.get(type(row), {}).items():
        kept = getattr(row, name)
        if isinstance(kept, dict):
            yield from (
                (field, kept[key]) for key, field in level.keys.items() if key in kept and getattr(row, field) is None
            )
