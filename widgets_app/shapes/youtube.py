"""YouTube: the address of a video, fixed or from the query, and its transcript."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from widgets_app.errors import SourceFailed
from widgets_app.parameters.types import as_text, shown
from widgets_app.shapes.base import Ask, Body, Shape, ShapeOptions, check_columns
from widgets_app.shapes.registry import register
from widgets_app.sources.frame import Frame

PLAIN = "text/plain; charset=utf-8"
MARKDOWN = "text/markdown; charset=utf-8"
HOSTS = ("youtube.com", "youtu.be", "youtube-nocookie.com")
EXAMPLE = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
NO_TRANSCRIPT = "There is no transcript of this video."


def checked(url: str) -> str:
    """Return the address of a video, or an empty one; ValueError for any other."""
    if url and not _is_video(url):
        raise ValueError(f'"{shown(url)}" is no address of a YouTube video. Write one such as {EXAMPLE}')
    return url


def _is_video(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # such as a bracket that is never closed
        return False
    host = parts.hostname or ""
    known = any(host == each or host.endswith(f".{each}") for each in HOSTS)
    return parts.scheme in ("http", "https") and known and not any(char.isspace() for char in url)


class YouTubeOptions(ShapeOptions):
    """Which video is shown, and where its transcript is."""

    url: str = Field(
        default="",
        title="Address of the video",
        description=f"The whole address, such as {EXAMPLE} Leave empty to take it from the query.",
    )
    column: str = Field(
        default="",
        title="Column with the address",
        description="The column of the first row with the address of the video, such as url. Empty: the first column.",
    )
    transcript: str = Field(
        default="transcript",
        title="Column with the transcript",
        description="The column with what is said, as Markdown, such as script; rows are joined. May be missing.",
    )

    _check = field_validator("url")(checked)


DEFAULTS = YouTubeOptions()


@register
class YouTube(Shape):
    """The address of a video as plain text; with raw=true its transcript as Markdown."""

    types = ("youtube",)
    Options = YouTubeOptions

    def needs_rows(self, options: ShapeOptions) -> bool:
        """Only an address that comes from a column needs a query."""
        return not cast(YouTubeOptions, options).url

    def fit(self, frame: Frame, options: ShapeOptions) -> Iterable[str]:
        """The usual column of the transcript may be absent; a column that somebody chose may not."""
        chosen = cast(YouTubeOptions, options)
        named = chosen.transcript if chosen.transcript != DEFAULTS.transcript else ""
        check_columns(frame, [chosen.column, named])
        return ()

    def render(self, frame: Frame | None, options: ShapeOptions, ask: Ask) -> Body:
        """Return the address, nothing for zero rows; SourceFailed where the columns don't fit."""
        chosen = cast(YouTubeOptions, options)
        if frame is not None:
            self.fit(frame, chosen)
        rows = frame.rows() if frame else []
        if ask.raw:
            return Body(_transcript(rows, chosen).encode("utf-8", "replace"), MARKDOWN)
        return Body(_address(rows, chosen).encode("utf-8", "replace"), PLAIN)


def _address(rows: list[dict[str, Any]], options: YouTubeOptions) -> str:
    if options.url or not rows:
        return options.url
    try:
        return checked(as_text(rows[0].get(options.column or next(iter(rows[0]), ""))).strip())
    except ValueError as error:
        raise SourceFailed(f"The query gave no video: {error}") from None


def _transcript(rows: list[dict[str, Any]], options: YouTubeOptions) -> str:
    texts = [as_text(row.get(options.transcript)) for row in rows]
    return "\n\n".join(filter(None, texts)) or NO_TRANSCRIPT
