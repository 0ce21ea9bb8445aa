"""HTML: a page made from a template with values set into it, or one that comes from a column."""

from __future__ import annotations

import html
from typing import cast

from pydantic import Field

from widgets_app.parameters.types import as_text
from widgets_app.shapes import templates
from widgets_app.shapes.base import NO_VALUE, SANDBOX, Ask, Body, ShapeOptions, json_body
from widgets_app.shapes.registry import register
from widgets_app.shapes.text import Text, TextOptions, filled
from widgets_app.sources.frame import Frame

HTML = "text/html; charset=utf-8"


class PageOptions(TextOptions):
    """What the page is and where it comes from."""

    text: str = Field(
        default="",
        title="Page",
        description=(
            "HTML to show, a whole document or a part. {{ name }} is replaced by the column of that name in the first "
            "row, or by the parameter of that name: <h2>{{ port }}</h2>. {% for row in rows %} repeats for each row. "
            "Leave empty to show the HTML that the query returns."
        ),
    )
    column: str = Field(
        default="",
        title="Column with the HTML",
        description="The column of the query that holds the HTML, such as page. Empty: the first column.",
    )
    empty: str = Field(
        default="<p>No data for these settings.</p>",
        title="Page without data",
        description="Shown when the query returns no rows, such as <p>No ships today.</p>",
    )


@register
class Page(Text):
    """An HTML page, cut off from the server's own pages; with raw=true the rows as JSON."""

    types = ("html",)
    Options = PageOptions

    def render(self, frame: Frame | None, options: ShapeOptions, ask: Ask) -> Body:
        """Return the page, several rows one below the other; SourceFailed for an unknown column."""
        if ask.raw:
            return json_body(frame.json if frame else b"[]", ask.data_key)
        if frame is not None:
            self.fit(frame, options)
        page = _page(frame, cast(PageOptions, options), ask)
        return Body(page.encode("utf-8", "replace"), HTML, (SANDBOX,))


def escaped(value: object) -> str:
    """Write a value so that a page shows it letter for letter; None is a dash."""
    return NO_VALUE if value is None else html.escape(as_text(value))


def _page(frame: Frame | None, options: PageOptions, ask: Ask) -> str:
    if frame is not None and not frame.row_count:
        return options.empty
    if templates.is_template(options.text):
        return filled(options.text, frame, ask, escaped)
    return options.text or _from_rows(frame, options)


def _from_rows(frame: Frame | None, options: PageOptions) -> str:
    if frame is None:
        return options.empty
    pages = [as_text(row.get(options.column or next(iter(row), ""))) for row in frame.rows()]
    return "\n".join(filter(None, pages)) or options.empty
