"""News: articles with title, date, author, excerpt and body, the newest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import orjson
from pydantic import Field

from widgets_app.errors import SourceFailed
from widgets_app.parameters.types import as_text, shown
from widgets_app.shapes.base import Ask, Body, Shape, ShapeOptions, check_columns, json_body
from widgets_app.shapes.registry import register
from widgets_app.sources.frame import Frame

EXCERPT_LENGTH = 200  # characters of the body that stand in for a missing excerpt
# Clients want a date in every article; this one is seen to be none, and comes last.
UNDATED = datetime(1970, 1, 1, tzinfo=UTC)


class NewsOptions(ShapeOptions):
    """Which columns hold the parts of an article."""

    title: str = Field(
        default="title",
        title="Title column",
        description="The column with the headline of each article, such as headline.",
    )
    date: str = Field(
        default="date",
        title="Date column",
        description="The column with the day or time of publication, such as published_at. The newest comes first.",
    )
    author: str = Field(
        default="author",
        title="Author column",
        description="The column with who wrote it, such as desk. It may be missing.",
    )
    excerpt: str = Field(
        default="excerpt",
        title="Excerpt column",
        description="The column with a sentence or two for the list, such as summary. Missing: the start of the body.",
    )
    body: str = Field(
        default="body",
        title="Body column",
        description="The column with the article as Markdown, such as content. It may be missing.",
    )


DEFAULTS = NewsOptions()
NEEDED = ("title", "date")


@register
class Newsfeed(Shape):
    """A list of `{title, date, author, excerpt, body}`, all texts, the date in ISO 8601."""

    types = ("newsfeed",)
    Options = NewsOptions

    def fit(self, frame: Frame, options: ShapeOptions) -> Iterable[str]:
        """Title and date are needed; the other usual names may be absent, a name that somebody chose may not."""
        names = ((part, name) for part, name in options if part in NEEDED or name != getattr(DEFAULTS, part))
        check_columns(frame, (name for _, name in names))
        return ()

    def render(self, frame: Frame | None, options: ShapeOptions, ask: Ask) -> Body:
        """Return the articles, none for zero rows; SourceFailed for a missing column and for dates that are none."""
        if frame is not None:
            self.fit(frame, options)
        articles = _articles(frame, cast(NewsOptions, options)) if frame else []
        return json_body(orjson.dumps(articles), ask.data_key)


def _articles(frame: Frame, options: NewsOptions) -> list[dict[str, str]]:
    dated = [(_moment(row.get(options.date), options.date), row) for row in frame.rows()]
    dated.sort(key=lambda item: item[0], reverse=True)
    return [_article(moment, row, options) for moment, row in dated]


def _article(moment: datetime, row: Mapping[str, Any], options: NewsOptions) -> dict[str, str]:
    parts = {part: as_text(row.get(name)) for part, name in options}
    start = " ".join(parts["body"].split())
    cut = start if len(start) <= EXCERPT_LENGTH else start[: EXCERPT_LENGTH - 1] + "…"
    date = moment.isoformat().replace("+00:00", "Z")
    return parts | {"date": date, "excerpt": parts["excerpt"] or cut}


def _moment(value: object, column: str) -> datetime:
    """Return when an article was published; times without a zone count as UTC."""
    text = as_text(value).strip()
    try:
        moment = datetime.fromisoformat(text) if text else UNDATED
    except ValueError:
        raise SourceFailed(
            f'The column "{column}" has "{shown(text)}", which is not a date. Give dates such as 2026-03-01 or '
            "2026-03-01T08:00:00Z: cast them in the query, or choose another column."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
