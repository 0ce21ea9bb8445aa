"""Frames made from rows, as a source would hand them over."""

from __future__ import annotations

from typing import Any

import orjson

from widgets_app.sources.frame import ColumnType, Frame, FrameColumn


def frame(*rows: dict[str, Any], truncated: bool = False, **columns: ColumnType) -> Frame:
    """Make a frame; the columns are text unless their type is given."""
    names = columns or dict.fromkeys(rows[0] if rows else (), "text")
    known = tuple(FrameColumn(name, columns.get(name, "text")) for name in names)
    return Frame(orjson.dumps(rows), known, len(rows), truncated)
