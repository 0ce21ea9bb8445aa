"""The size a widget has when it is put on a dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from widgets_app.manifest.contract.findings import (
    Findings,
    Kind,
    check_kinds,
    check_spelling,
    error,
    is_number,
    show,
    warning,
)

COLUMNS: Final = 40
ROWS: Final = 100
SMALL_COLUMNS: Final = 10
SMALL_ROWS: Final = 4

_KINDS: Final[Mapping[str, Kind]] = dict.fromkeys(("w", "h", "minW", "minH", "maxW", "maxH"), "number")
GRID_KEYS: Final = frozenset(_KINDS)


def check_grid(grid: Mapping[str, object], widget_type: str) -> Findings:
    """Check a widget's `gridData`, in columns and rows of the dashboard."""
    yield from check_kinds(grid, _KINDS)
    yield from check_spelling(grid, GRID_KEYS)
    yield from _check_widths(grid, widget_type)
    yield from _check_heights(grid)
    for least, size, most in (("minW", "w", "maxW"), ("minH", "h", "maxH")):
        yield from _check_order(grid, least, size)
        yield from _check_order(grid, size, most)
        if size not in grid:
            yield from _check_order(grid, least, most)
    for key in ("x", "y"):
        if key in grid:
            message = "A widget has a size but no place; apps say where it sits."
            yield warning("grid-position", key, message, fix=f'Take "{key}" out.')


def _check_widths(grid: Mapping[str, object], widget_type: str) -> Findings:
    for key in ("w", "maxW"):
        width = grid.get(key)
        if is_number(width) and width < 1:
            message = f'"{key}" is {show(width)}, which is no width.'
            yield error("grid-size", key, message, fix=f"Write a number from 1 to {COLUMNS}.")
        if is_number(width) and width > COLUMNS:
            message = f'"{key}" is {show(width)}, but the dashboard has {COLUMNS} columns.'
            yield warning("grid-wide", key, message, fix=f"Write {COLUMNS} for the full width.")
    width = grid.get("w")
    if is_number(width) and 1 <= width < SMALL_COLUMNS and widget_type != "metric":
        message = f"The widget is {show(width)} columns wide; less than {SMALL_COLUMNS} is for metrics."
        yield warning("grid-narrow", "w", message, fix=f"Write at least {SMALL_COLUMNS}.")


def _check_heights(grid: Mapping[str, object]) -> Findings:
    for key in ("h", "maxH"):
        height = grid.get(key)
        if is_number(height) and not 1 <= height <= ROWS:
            message = f'"{key}" is {show(height)}; Workspace takes 1 to {ROWS} rows.'
            yield error("grid-size", key, message, fix=f"Write a number from 1 to {ROWS}.")
    height = grid.get("h")
    if is_number(height) and 1 <= height < SMALL_ROWS:
        message = f"The widget is {show(height)} rows high; Workspace documents {SMALL_ROWS} as the least."
        yield warning("grid-low", "h", message, fix=f"Write at least {SMALL_ROWS}.")


def _check_order(grid: Mapping[str, object], smaller: str, larger: str) -> Findings:
    low, high = grid.get(smaller), grid.get(larger)
    if is_number(low) and is_number(high) and low > high:
        message = f'"{smaller}" is {show(low)}, more than "{larger}", which is {show(high)}.'
        yield error("grid-order", smaller, message, fix=f'Make "{smaller}" at most "{larger}".')
