"""The body of an options path: the bare list that fills a dropdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from widgets_app.parameters.types import as_text
from widgets_app.sources.frame import Frame

_EXTRA = {"description": "description", "rightofdescription": "rightOfDescription"}


def options_body(frame: Frame) -> bytes:
    """Return `[{"label", "value", "extraInfo"?}]` as JSON, one entry for each value, the first one kept.

    The columns `value`, `label`, `description` and `rightOfDescription` are found by name in any case, with
    or without underscores; without names the first column is the value and the second the label.
    """
    roles = _roles([column.name for column in frame.columns])
    options: dict[str, dict[str, Any]] = {}
    for row in frame.rows():
        cells = {role: row.get(column) for role, column in roles.items()}
        text = as_text(cells.get("value"))
        if text and text not in options:
            options[text] = _option(cells)
    return orjson.dumps(list(options.values()))


def _roles(columns: list[str]) -> dict[str, str]:
    """Map each part of an option to the column that holds it."""
    known = {"value", "label", *_EXTRA}
    named = {_plain(column): column for column in reversed(columns) if _plain(column) in known}
    others = [column for column in columns if column not in named.values()]
    if "value" not in named and columns:
        named["value"] = (others or columns).pop(0)
    if "label" not in named and columns:
        named["label"] = others[0] if others else named["value"]
    return named


def _plain(column: str) -> str:
    return column.replace("_", "").lower()


def _option(cells: Mapping[str, Any]) -> dict[str, Any]:
    value = cells["value"]
    option = {
        "label": as_text(cells.get("label")) or as_text(value),
        "value": value if isinstance(value, str | int | float) else as_text(value),
    }
    extra = {key: as_text(cells[role]) for role, key in _EXTRA.items() if as_text(cells.get(role))}
    return option | ({"extraInfo": extra} if extra else {})
