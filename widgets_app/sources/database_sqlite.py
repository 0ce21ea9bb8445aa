"""Functions that SQLite lacks for pages: text as JSON shows it, letters of all languages, sums of any size."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson

# SQLite has no integers beyond these.
_LEAST, _LARGEST = -(2**63), 2**63 - 1


class Aggregate(Protocol):
    """What sqlite3 takes for a function over the rows of a group."""

    def step(self, value: Any) -> None: ...
    def finalize(self) -> Any: ...


def shown(value: Any) -> str | None:
    """Return the text of a value as a page shows it, a whole number without the zero that JSON may add."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float):
        return orjson.dumps(value).decode().removesuffix(".0") if math.isfinite(value) else None
    return str(value)


def folded(value: Any) -> Any:
    """Return a text in lower case; SQLite itself does so with the letters a to z alone."""
    return value.lower() if isinstance(value, str) else value


class Total:
    """The sum of numbers, of integers to the last digit."""

    def __init__(self) -> None:
        self.count = 0
        self.whole = 0
        self.broken: float | None = None

    def step(self, value: Any) -> None:
        """Add a number."""
        if value is None:
            return
        self.count += 1
        if isinstance(value, int):
            self.whole += value
        else:
            self.broken = (self.broken or 0.0) + value

    @property
    def total(self) -> int | float | None:
        """The sum, None without numbers."""
        if not self.count:
            return None
        return self.whole if self.broken is None else self.whole + self.broken

    def finalize(self) -> Any:
        """Return the sum, as a floating number where SQLite has no such integer."""
        total = self.total
        return total if isinstance(total, int) and _LEAST <= total <= _LARGEST else _finite(total)


class Mean(Total):
    """The mean of numbers."""

    def finalize(self) -> Any:
        """Return the mean, None without numbers."""
        return None if self.total is None else _finite(self.total / self.count)


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


SQLITE_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {"widgets_shown": shown, "widgets_folded": folded}
SQLITE_AGGREGATES: Mapping[str, type[Aggregate]] = {
    "widgets_sum": Total,
    "widgets_mean": Mean,
}
