"""Markdown and notes: a fixed text with values set into it, or a text that comes from a column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, cast

import orjson
from pydantic import Field, field_validator

from widgets_app.parameters.types import as_text
from widgets_app.shapes import templates
from widgets_app.shapes.base import NO_VALUE, Ask, Body, Shape, ShapeOptions, check_columns, json_body
from widgets_app.shapes.registry import register
from widgets_app.sources.frame import Frame

_PLACEHOLDER = re.compile(r"\{([^{}\n]+)\}")
# What Markdown would read as a mark, anywhere in a value or at its start; HTML in it needs entities.
_MARK = re.compile(r"(?=[\\`*_\[\]|~#])")
_LIST_MARK = re.compile(r"^(\d*)(?=[-+.)=](?:[-=\s]|$))")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_HTML = str.maketrans({"<": "&lt;", ">": "&gt;", '"': "&quot;"})


class TextOptions(ShapeOptions):
    """What the text is and where it comes from."""

    text: str = Field(
        default="",
        title="Text",
        description=(
            "Markdown to show. {{ name }} is replaced by the column of that name in the first row, or by the "
            "parameter of that name: ## Ships in {{ port }}. {% for row in rows %} repeats for each row. Leave "
            "empty to show the text that the query returns."
        ),
    )
    column: str = Field(
        default="",
        title="Column with the text",
        description="The column of the query that holds the Markdown, such as body. Empty: the first column.",
    )
    empty: str = Field(
        default="No data for these settings.",
        title="Text without data",
        description="Shown when the query returns no rows, such as No ships today.",
    )

    _check = field_validator("text")(templates.check)


@register
class Text(Shape):
    """A JSON string of Markdown."""

    types: ClassVar[tuple[str, ...]] = ("markdown", "note")
    Options = TextOptions

    def needs_rows(self, options: ShapeOptions) -> bool:
        """Only a text that comes from a column needs a query."""
        return not cast(TextOptions, options).text

    def fit(self, frame: Frame, options: ShapeOptions) -> Iterable[str]:
        """Only a text that comes from a column needs that column."""
        chosen = cast(TextOptions, options)
        check_columns(frame, [] if chosen.text else [chosen.column])
        return ()

    def render(self, frame: Frame | None, options: ShapeOptions, ask: Ask) -> Body:
        """Return the text, several rows joined by blank lines; SourceFailed for an unknown column."""
        chosen = cast(TextOptions, options)
        if frame is not None:
            self.fit(frame, chosen)
        text = _from_template(frame, chosen, ask) if chosen.text else _from_rows(frame, chosen)
        return json_body(orjson.dumps(text), ask.data_key)


def fill(text: str, values: Mapping[str, Any]) -> str:
    """Set values into the `{name}` placeholders, as plain text that is neither Markdown nor HTML."""
    return _PLACEHOLDER.sub(lambda found: plain(values[found[1]]) if found[1] in values else found[0], text)


def plain(value: object) -> str:
    """Write a value on one line so that Markdown shows it letter for letter; None is a dash."""
    listed = ", ".join(map(as_text, value)) if isinstance(value, list | tuple) else as_text(value)
    line = _MARK.sub(r"\\", _ENTITY.sub("&amp;", " ".join(listed.split())))
    return _LIST_MARK.sub(r"\1\\", line).translate(_HTML) or NO_VALUE


def filled(text: str, frame: Frame | None, ask: Ask, escape: templates.Escape) -> str:
    """Fill a template with the rows, the first row, the parameters and the theme.

    A name that is in several of them is the column's, then the parameter's.
    """
    rows = frame.rows() if frame else []
    first = rows[0] if rows else {}
    names = {"theme": ask.theme, **ask.params, **first}
    if not templates.is_template(text):
        return fill(text, names)
    return templates.render(text, names | {"rows": rows, "first": first, "params": dict(ask.params)}, escape=escape)


def _from_template(frame: Frame | None, options: TextOptions, ask: Ask) -> str:
    has_data = frame is None or frame.row_count > 0
    return filled(options.text, frame, ask, plain) if has_data else options.empty


def _from_rows(frame: Frame | None, options: TextOptions) -> str:
    if frame is None:
        return options.empty
    texts = [as_text(row.get(options.column or next(iter(row), ""))) for row in frame.rows()]
    return "\n\n".join(filter(None, texts)) or options.empty
