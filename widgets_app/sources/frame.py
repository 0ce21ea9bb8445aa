"""The one thing that passes from sources to shapes: rows of data, written as JSON, with what is known about them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

ColumnType = Literal["text", "number", "boolean", "date", "datetime", "object"]
Cut = Literal["rows", "bytes", "page", "answers"]


@dataclass(frozen=True, slots=True)
class FrameColumn:
    """A column of the result: its name as the rows have it, and the kind of its values."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows as finished JSON: `json` is a strict JSON array of objects that share one key set, in order.

    `truncated` says that a limit cut rows off, and `cut_by` then which one: of rows, of bytes, of rows on one page, or
    of what is read of an API.
    `made_at` is when the source answered, in epoch seconds.
    """

    json: bytes
    columns: tuple[FrameColumn, ...]
    row_count: int
    truncated: bool = False
    cut_by: Cut = "rows"
    made_at: float = field(default_factory=time.time)

    @property
    def size(self) -> int:
        """How many bytes the rows take."""
        return len(self.json)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as Python objects, for shapes that rearrange them."""
        rows: list[dict[str, Any]] = orjson.loads(self.json)
        return rows
