"""Values as rows of collections keep them, whoever enters them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from widgets_app.collecting import kept, typed
from widgets_app.errors import BadRequest
from widgets_app.sources.collection import CollectionOptions


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("text", ("grain", "steel"), "grain,steel"),
        ("text", 12.0, "12"),
        ("text", "x" * 10_000, "x" * 10_000),
        ("number", " 12.5 ", 12.5),
        ("number", "12", 12),
        ("number", "9" * 30, 1e30),
        ("boolean", "TRUE", True),
        ("boolean", 0, False),
        ("date", date(2024, 2, 29), "2024-02-29"),
        ("date", "2024-02-29T23:00:00", "2024-02-29"),
        ("datetime", "2024-02-29", "2024-02-29T00:00:00"),
        ("datetime", "2024-02-29T10:00+02:00", "2024-02-29T08:00:00"),
        ("datetime", "2024-03-01T00:30:00.5+01:00:30", "2024-02-29T23:29:30.500000"),
        ("datetime", "2024-02-29T10:00Z", "2024-02-29T10:00:00"),
        ("number", None, None),
    ],
)
def test_a_value_is_kept_in_the_type_of_its_column(kind: str, value: Any, stored: Any) -> None:
    found = kept("c", kind, value)
    assert (found, type(found)) == (stored, type(stored))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "x" * 10_001),
        ("text", "a\0"),
        ("text", "\ud800"),
        ("number", "many"),
        ("number", True),
        ("number", "1e400"),
        ("number", "9" * 90),
        ("boolean", "perhaps"),
        ("date", "2024-02-29 or so"),
        ("date", "2023-02-29"),
        ("datetime", "10:00"),
        ("datetime", "0001-01-01T00:00+02:00"),
    ],
)
def test_a_value_that_does_not_suit_its_column_is_refused_in_a_line(kind: str, value: Any) -> None:
    with pytest.raises(BadRequest, match=r'^"c" can\'t be ".{1,60}"\. Send .+\.$'):
        kept("c", kind, value)


def test_only_columns_are_taken_and_those_that_were_not_sent_are_left_out() -> None:
    options = CollectionOptions(columns=["vessel: text", "tons: number", "port: text"])
    assert typed(options, {"vessel": "Aurora", "tons": None, "other": 1}) == {"vessel": "Aurora", "tons": None}
