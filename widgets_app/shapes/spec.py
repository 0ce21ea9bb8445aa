"""Charts from a document: JSON of a charting library, in which placeholders stand for columns and rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson
from pydantic import Field, field_validator

from widgets_app.errors import SourceFailed
from widgets_app.shapes.base import Ask, Body, Shape, ShapeOptions, check_columns, json_body, size_as_json
from widgets_app.shapes.chart import EMPTY_TEXT, THEMES, ChartOptions
from widgets_app.shapes.chart.layout import Json, Theme
from widgets_app.shapes.chart.series import Columns, Series, choose, cut, series_of
from widgets_app.sources.frame import Frame, FrameColumn

DOCUMENT_LIMIT = 100_000  # bytes of a document
DEPTH_LIMIT = 50  # objects and lists inside each other
VALUES_LIMIT = 2_000_000  # values that placeholders put in

COLUMN, ROWS, RECORDS = "$column", "$rows", "$records"
HOW_TO_PLACE = f'Write {{"{COLUMN}": "price"}}, {{"{ROWS}": ["date", "price"]}} or {{"{RECORDS}": true}}.'


class SpecOptions(ShapeOptions):
    """What is drawn from which columns; a document says all of it in the library's own words. Subclasses add `kind`."""

    x: str = Field(
        default="",
        title="Column along the chart",
        description="Dates, names or numbers, such as day; for a pie the slices. Empty: the first column.",
    )
    y: list[str] = Field(
        default_factory=list,
        title="Columns to draw",
        description="One series for each, such as calls, delays; a pie takes the first. Empty: all numbers.",
    )
    colour: str = Field(
        default="",
        title="Column that splits into series",
        description="A series of its own for each of its values, such as port: one line for each port.",
    )
    document: dict[str, Any] = Field(
        default_factory=dict,
        title="Document",
        description=(
            "The whole chart as JSON of the library, instead of the options above. "
            f'{{"{COLUMN}": "price"}} is replaced by the values of a column, {{"{ROWS}": ["date", "price"]}} by a list '
            f'for each row, {{"{RECORDS}": true}} by an object for each row.'
        ),
    )

    @field_validator("document")
    @classmethod
    def _check(cls, document: dict[str, Any]) -> dict[str, Any]:
        for _ in _placeholders(document):
            pass
        size = size_as_json(document, "document")
        if size > DOCUMENT_LIMIT:
            raise ValueError(f"The document has {size:,} bytes. Shorten it to {DOCUMENT_LIMIT:,}.")
        return document


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the options of a widget draw: its columns, its series, and what a limit left out."""

    columns: Columns
    series: list[Series]
    notes: list[str]


class Spec(Shape):
    """A document of a charting library with the rows in it; with raw=true the rows themselves."""

    Options: ClassVar[type[SpecOptions]] = SpecOptions
    shows_rows = True

    def fit(self, frame: Frame, options: ShapeOptions) -> Iterable[str]:
        """A document needs the columns of its placeholders, the other options those that they draw."""
        assert isinstance(options, SpecOptions)  # noqa: S101  the registry pairs them
        if options.document:
            check_columns(frame, (name for _, names in _placeholders(options.document) for name in names or ()))
            return ()
        return _chosen(frame, options).values

    def render(self, frame: Frame | None, options: ShapeOptions, ask: Ask) -> Body:
        """Return the document, for zero rows one that says so; SourceFailed where the columns don't fit."""
        assert isinstance(options, SpecOptions)  # noqa: S101  the registry pairs them
        if ask.raw:
            return json_body(frame.json if frame else b"[]", ask.data_key)
        made = self.made(frame or Frame(b"[]", (), 0), options, THEMES[ask.theme])
        return json_body(orjson.dumps(made), ask.data_key)

    def made(self, frame: Frame, options: Any, theme: Theme) -> Json:
        """Return the whole document."""
        raise NotImplementedError


def drawn(frame: Frame, options: SpecOptions) -> Drawn:
    """Settle what is drawn without a document; raises SourceFailed when the columns don't fit."""
    columns = _chosen(frame, options)
    series, notes = cut(series_of(frame.rows(), columns))
    return Drawn(columns, series, notes)


def _chosen(frame: Frame, options: SpecOptions) -> Columns:
    return choose(frame, ChartOptions(x=options.x, y=options.y, colour=options.colour))


def headline(frame: Frame, notes: list[str]) -> str:
    """Return what to say above a chart: that there is nothing to see, or not all of it."""
    if not frame.row_count:
        return EMPTY_TEXT
    cut_off = [f"Made from the first {frame.row_count:,} rows"] if frame.truncated else []
    return " · ".join([*notes, *cut_off])


def put_in(document: Json, frame: Frame, cell: Callable[[Any, FrameColumn], Any] = lambda value, _: value) -> Json:
    """Replace the placeholders of a document; `cell` writes a value in the lists of `$rows`."""
    rows = frame.rows()
    known = {column.name: column for column in frame.columns}
    wanted = list(_placeholders(document))
    check_columns(frame, (name for _, names in wanted for name in names or ()))
    count = sum(len(rows) * len(names or known) for _, names in wanted)
    if count > VALUES_LIMIT:
        raise SourceFailed(f"The chart takes {count:,} values, at most {VALUES_LIMIT:,} are sent. Show fewer rows.")

    def filled(node: Any) -> Any:
        if isinstance(node, list):
            return [filled(item) for item in node]
        if not isinstance(node, dict):
            return node
        found = _placeholder(node)
        if found is None:
            return {key: filled(value) for key, value in node.items()}
        kind, names = found
        if kind == COLUMN:
            return [row.get(names[0]) for row in rows] if names else []
        if kind == ROWS:
            return [[cell(row[name], known[name]) for name in names or ()] for row in rows]
        return [{name: row[name] for name in names} for row in rows] if names else rows

    made: Json = filled(document)
    return made


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> Json:
    """Lay one object over another, member by member; lists and all else are replaced."""
    both = {
        key: merged(under[key], over[key])
        for key in under.keys() & over.keys()
        if isinstance(under[key], dict) and isinstance(over[key], dict)
    }
    return {**under, **over, **both}


Placeholder = tuple[str, list[str] | None]


def _placeholders(node: Any, depth: int = 1) -> Iterator[Placeholder]:
    """Yield every placeholder; ValueError for one that is wrong and for a document that is nested too deeply."""
    if depth > DEPTH_LIMIT:
        raise ValueError(f"The document is nested deeper than {DEPTH_LIMIT}. Make it flatter.")
    found = _placeholder(node) if isinstance(node, dict) else None
    if found:
        yield found
        return
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _placeholders(item, depth + 1)


def _placeholder(node: Mapping[str, Any]) -> Placeholder | None:
    """Read an object whose only member starts with `$`; no names stand for all columns."""
    key = next(iter(node), "")
    if len(node) != 1 or not key.startswith("$") or key == "$schema":
        return None
    value = node[key]
    if key == COLUMN and isinstance(value, str):
        return key, [value]
    if key in (ROWS, RECORDS) and isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        return key, value
    if key == RECORDS and value is True:
        return key, None
    raise ValueError(f'"{key}" is no placeholder that can be filled. {HOW_TO_PLACE}')
