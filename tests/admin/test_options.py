from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from tests.admin.conftest import Open
from widgets_app.admin.options import Options
from widgets_app.models import Widget

CHART = {
    "widget_id": "prices",
    "name": "Prices",
    "description": "Daily prices of a share.",
    "source": "Us",
    "type": "chart",
}


class Drawn(BaseModel):
    kind: Literal["line", "bar"] = "line"
    stacked: bool = Field(default=False, json_schema_extra={"shown_for": {"kind": ["bar"]}})


def test_options_show_for_their_types_and_those_that_depend_on_another_only_with_it() -> None:
    for_types = "((type || 'table') == 'chart' || (type || 'table') == 'plot')"
    assert Options("shape", ("chart", "plot"), Drawn).conditions("type", "table") == {
        "shape__chart__kind": for_types,
        "shape__chart__stacked": f"{for_types} && ((shape__chart__kind || 'line') == 'bar')",
    }


@pytest.mark.django_db
def test_an_object_is_edited_as_json_and_empty_where_there_is_none(add: Open, change: Open) -> None:
    form = add("widget")
    assert form["shape__chart__layout"] == ""
    form.send("_draft", **CHART, shape__chart__layout='{"title": {"text": "Prices"}}')
    widget = Widget.objects.get()
    assert widget.shape == {"layout": {"title": {"text": "Prices"}}}
    change(widget).send("_draft", shape__chart__layout="")
    assert Widget.objects.get().shape is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("layout", "[1]", "an object such as"),
        ("layout", "{nonsense", "no JSON"),
        ("layout", '{"title": "' + "x" * 20_000 + '"}', "at most 20,000 are kept"),
        ("layout", f'{{"width": {2**70}}}', "an integer beyond 64 bits"),
        ("bins", "501", "less than or equal to 500"),
        ("second_kind", "cake", "valid choice"),
    ],
)
def test_an_option_of_a_chart_that_would_not_work_is_refused(add: Open, option: str, value: str, text: str) -> None:
    given: dict[str, Any] = {f"shape__chart__{option}": value}
    assert text in add("widget").errors(**CHART, **given)


@pytest.mark.django_db
@pytest.mark.parametrize("value", [str(2**70), '"\\ud800"'])
def test_a_document_that_could_not_be_sent_is_refused(add: Open, value: str) -> None:
    given: dict[str, Any] = {
        "type": "chart-highcharts",
        "shape__chart_highcharts__document": f'{{"series": [{value}]}}',
    }
    assert "what can't be sent" in add("widget").errors(**{**CHART, **given})
