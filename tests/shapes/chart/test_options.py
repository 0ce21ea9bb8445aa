from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from widgets_app.shapes.chart import ChartOptions
from widgets_app.shapes.chart.options import MAX_LAYOUT_BYTES


def nested(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for _ in range(depth):
        made = {"a": made}
    return made


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ({"title": "x" * MAX_LAYOUT_BYTES}, "at most 20,000 are kept"),
        ({"width": 2**80}, "what can't be sent"),
        (nested(300), "what can't be sent"),
        ([1], "valid dictionary"),
    ],
)
def test_an_extra_layout_that_would_not_work_is_refused(layout: Any, text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        ChartOptions(layout=layout)


def test_every_option_belongs_to_kinds_that_there_are() -> None:
    kinds = set(ChartOptions.model_fields["kind"].annotation.__args__)  # type: ignore[union-attr]
    for name, field in ChartOptions.model_fields.items():
        extra: Any = field.json_schema_extra or {}
        wanted = extra.get("shown_for", {}).get("kind", kinds)
        assert set(wanted) <= kinds, name
