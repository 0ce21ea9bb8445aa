"""Tables: the rows as the source wrote them."""

from __future__ import annotations

from typing import ClassVar

from widgets_app.shapes.base import Ask, Body, Shape, ShapeOptions, json_body
from widgets_app.shapes.registry import register
from widgets_app.sources.frame import Frame


@register
class Table(Shape):
    """A list of rows that share one key set. The bytes of the source pass through as they are."""

    types: ClassVar[tuple[str, ...]] = ("table",)
    passes_rows = True
    shows_rows = True

    def render(self, frame: Frame | None, options: ShapeOptions, ask: Ask) -> Body:
        """Return the rows; without a frame none."""
        return json_body(frame.json if frame else b"[]", ask.data_key)
