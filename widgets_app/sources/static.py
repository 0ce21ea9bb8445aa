"""Rows that are known beforehand, such as a fixed list of options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from widgets_app.sources.base import Call, Limits, PreparedQuery
from widgets_app.sources.frame import Frame, FrameColumn
from widgets_app.sources.rows import frame_from_rows


class StaticQuery(PreparedQuery):
    """A query that always gives the same rows. Raises SourceFailed for rows that have no JSON form."""

    placeholders = ()

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = tuple(dict(row) for row in rows)
        self._columns = frame_from_rows(self._rows, Limits()).columns

    def run(self, values: Mapping[str, Any], limits: Limits, call: Call) -> Frame:
        """Return the rows."""
        return frame_from_rows(self._rows, limits)

    def columns(self) -> tuple[FrameColumn, ...]:
        """Return the columns of the rows."""
        return self._columns
