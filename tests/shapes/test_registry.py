from __future__ import annotations

from typing import get_args

import orjson
import pytest

from tests.shapes.frames import frame
from widgets_app.shapes.base import JSON, Ask, Body, Shape, ShapeOptions
from widgets_app.shapes.registry import register, shape_for, shapes
from widgets_app.sources.base import Limits
from widgets_app.sources.rows import frame_from_rows


def test_every_type_has_a_shape_and_no_type_counts_as_a_table() -> None:
    assert {"table", "metric", "markdown", "note", "chart"} <= set(shapes())
    assert shape_for(None) is shape_for("table") is not None


def test_an_unknown_type_has_no_shape() -> None:
    assert shape_for("hologram") is None
    assert shape_for("") is None


def test_a_type_is_not_registered_twice() -> None:
    class Other(Shape):
        types = ("table",)

        def render(self, frame, options, ask):
            raise NotImplementedError

    with pytest.raises(ValueError, match="'table' is registered twice"):
        register(Other)
    assert not isinstance(shape_for("table"), Other)


@pytest.mark.parametrize("widget_type", sorted(shapes()))
def test_every_type_stands_rows_of_nulls_whose_columns_nobody_knows(widget_type: str) -> None:
    names = ["title", "date", "open", "high", "low", "close"]
    rows = frame_from_rows([dict.fromkeys(names)] * 2, Limits())
    shape = shapes()[widget_type]
    kind = shape.Options.model_fields.get("kind")
    for chosen in get_args(kind.annotation) if kind else (None,):
        options = shape.Options.model_validate({"kind": chosen} if chosen else {})
        assert isinstance(shape.render(rows, options, Ask()), Body)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("widget_type", sorted(shapes()))
def test_every_answer_that_is_json_stands_at_the_data_key(widget_type: str, raw: bool) -> None:
    rows = frame({"title": "a", "date": "2026-03-01", "n": 1}, title="text", date="date", n="number")
    shape = shapes()[widget_type]

    def body(data_key: str) -> Body:
        return shape.render(rows, shape.Options(), Ask(raw=raw, data_key=data_key))

    if widget_type == "youtube":
        rows = frame({"url": "https://youtu.be/abc"})
    if body("").content_type == JSON:
        assert orjson.loads(body("a.b").content) == {"a": {"b": orjson.loads(body("").content)}}
    else:
        assert body("a.b") == body("")


@pytest.mark.parametrize("widget_type", sorted(shapes()))
def test_every_option_has_a_default_and_teaches(widget_type: str) -> None:
    options = shapes()[widget_type].Options
    assert isinstance(options(), ShapeOptions)
    for name, field in options.model_fields.items():
        assert field.title, name
        assert field.description, name
