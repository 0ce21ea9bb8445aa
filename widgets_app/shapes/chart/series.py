"""From rows to series: which columns are drawn, and their cells in the order of the rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from widgets_app.errors import SourceFailed
from widgets_app.parameters.types import Number, as_text, number, shown
from widgets_app.shapes.base import NO_VALUE, check_columns, readable
from widgets_app.shapes.chart.layout import Json
from widgets_app.shapes.chart.options import ChartOptions
from widgets_app.sources.frame import Frame, FrameColumn

SERIES_LIMIT = 50

_ISO_DATE = re.compile(r"\d{4}-\d{2}(-\d{2}([T ].*)?)?")


@dataclass(frozen=True, slots=True)
class Columns:
    """What is drawn: `along` names the places, `values` were measured there, `colour` may split them.

    `size` and `label` tell more about each place, if they are named.
    """

    along: FrameColumn
    values: tuple[str, ...]
    colour: str = ""
    size: str = ""
    label: str = ""


@dataclass(slots=True)
class Series:
    """One line, set of bars or cloud of points: lists of one length, `y` and `sizes` null where there is a gap."""

    name: str
    column: str
    x: list[Any] = field(default_factory=list)
    y: list[Number | None] = field(default_factory=list)
    sizes: list[Number | None] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)


def choose(frame: Frame, options: ChartOptions) -> Columns:
    """Settle which columns are drawn; raises SourceFailed when one is not there or none has numbers."""
    check_columns(frame, [options.x, options.colour, *options.y])
    along = column_along(frame, options)
    numeric = _numeric(frame, (along.name, options.colour))
    if not (options.y or numeric):
        raise SourceFailed(
            f'The chart needs a column of numbers beside "{along.name}", but its data has: {_there(frame)}. '
            "Name the columns to draw, or change the query."
        )
    return Columns(along, _once(options.y or numeric), options.colour)


def choose_one(frame: Frame, options: ChartOptions) -> Columns:
    """Settle which column is drawn where one is enough."""
    columns = choose(frame, options.model_copy(update={"colour": ""}))
    return replace(columns, values=columns.values[:1])


def choose_bubbles(frame: Frame, options: ChartOptions) -> Columns:
    """Settle which columns bubbles are made from: what is not named is the next column of numbers."""
    check_columns(frame, [options.x, options.colour, options.size, options.label, *options.y])
    along = column_along(frame, options)
    free = _numeric(frame, (along.name, options.colour, options.size, *options.y), least=2)
    values = options.y or free[:1]
    size = options.size or next((name for name in free if name not in values), "")
    if not (values and size):
        raise SourceFailed(
            f"Bubbles need two columns of numbers beside the one along the chart, but the data has: {_there(frame)}. "
            "Name the column to draw and the column with the size, or change the query."
        )
    return Columns(along, _once(values), options.colour, size, options.label)


def choose_values(frame: Frame, options: ChartOptions) -> Columns:
    """Settle which columns are drawn where nothing is along the chart."""
    check_columns(frame, [options.colour, *options.y])
    numeric = _numeric(frame, (options.colour,))
    if not (options.y or numeric):
        raise SourceFailed(
            f"The chart needs a column of numbers, but its data has: {_there(frame)}. "
            "Name the columns to draw, or change the query."
        )
    return Columns(frame.columns[0], _once(options.y or numeric), options.colour)


def column_along(frame: Frame, options: ChartOptions, *taken: str) -> FrameColumn:
    """Return the column along the chart: the one that is named, or the first that is not drawn."""
    if options.x:
        return next(column for column in frame.columns if column.name == options.x)
    used = (options.colour, *options.y, *taken)
    free = [column for column in frame.columns if column.name not in used]
    return (free or frame.columns)[0]


def series_of(rows: list[Json], columns: Columns) -> list[Series]:
    """Sort the rows into series, in order of first appearance; raises SourceFailed for text instead of numbers."""
    for name in (*columns.values, columns.size):
        if name:
            check_numbers(rows, name)
    found: dict[tuple[str, str], Series] = {}
    for row in rows:
        part = as_text(row[columns.colour]) or NO_VALUE if columns.colour else ""
        for name in columns.values:
            if (name, part) not in found:
                found[name, part] = Series(_series_name(name, part, columns), name)
            _add(found[name, part], row, columns)
    return list(found.values())


def _add(series: Series, row: Json, columns: Columns) -> None:
    series.x.append(place(row[columns.along.name]))
    series.y.append(number_or_gap(row[series.column]))
    if columns.size:
        series.sizes.append(number_or_gap(row[columns.size]))
    if columns.label:
        series.labels.append(as_text(row[columns.label]) or NO_VALUE)


def check_numbers(rows: list[Json], name: str) -> None:
    """Raise SourceFailed for a column that has cells and no number among them."""
    cells = [row[name] for row in rows if row[name] is not None]
    if cells and all(number_or_gap(cell) is None for cell in cells):
        raise SourceFailed(
            f'The chart draws the column "{name}", which has no numbers, such as "{shown(cells[0])}". '
            "Choose a column of numbers."
        )


def place(value: Any) -> Any:
    """Keep texts and numbers as they are, for Plotly to read dates; the rest becomes text."""
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else as_text(value) or NO_VALUE


def number_or_gap(value: Any) -> Number | None:
    """Read a cell; integers that JavaScript can't hold come as texts."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    try:
        return number(value)
    except ValueError:
        return None


def axis_along(column: FrameColumn, places: Iterable[Any]) -> Json:
    """Say how Plotly reads the places; left to itself it takes codes such as 007 for numbers."""
    if column.type == "number":
        return {"type": "linear"}
    known = list(dict.fromkeys(places))
    if column.type in ("date", "datetime") or all(_ISO_DATE.fullmatch(str(each)) for each in known):
        return {"type": "date"}
    # Named here, since Plotly would put names that only later series have at the end.
    return {"type": "category", "categoryorder": "array", "categoryarray": known}


def cut(series: list[Series], limit: int = SERIES_LIMIT) -> tuple[list[Series], list[str]]:
    """Return as many series as are drawn, and a note if that is not all of them."""
    notes = [f"Showing {limit:,} of {len(series):,} series"] if len(series) > limit else []
    return series[:limit], notes


def _series_name(name: str, part: str, columns: Columns) -> str:
    if not part:
        return readable(name)
    return part if len(columns.values) == 1 else f"{readable(name)}, {part}"


def _numeric(frame: Frame, taken: Iterable[str], *, least: int = 1) -> list[str]:
    """Return the columns of numbers; where they are too few, those with nothing in any row too: numbers may come."""
    free = [column for column in frame.columns if column.name not in taken]
    numbers = [column.name for column in free if column.type == "number"]
    if len(numbers) >= least or not (rows := frame.rows()):
        return numbers
    return numbers + [
        column.name for column in free if column.name not in numbers and all(row[column.name] is None for row in rows)
    ]


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _there(frame: Frame) -> str:
    return ", ".join(f"{column.name} ({column.type})" for column in frame.columns)
