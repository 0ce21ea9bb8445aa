from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from widgets_app.errors import BadRequest
from widgets_app.parameters.types import ParameterSpec, specs_of
from widgets_app.parameters.validate import merge, validate

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
SPECS = specs_of(
    [
        {"paramName": "port", "type": "endpoint", "label": "Port", "value": "RIX"},
        {"paramName": "since", "type": "date", "value": "$currentDate-2w"},
        {"paramName": "limit", "type": "number", "label": "Limit", "value": "50", "min": 1, "max": 500},
        {"paramName": "open", "type": "boolean", "value": False},
        {"paramName": "berth", "type": "endpoint", "multiSelect": True},
    ]
)
DEFAULTS = {"port": "RIX", "since": date(2026, 3, 17), "limit": 50, "open": False, "berth": None}


def refusal(specs: tuple[ParameterSpec, ...], query: dict[str, Any]) -> str:
    with pytest.raises(BadRequest) as caught:
        validate(specs, query, now=NOW)
    return str(caught.value)


def test_missing_and_empty_values_are_the_defaults() -> None:
    assert validate(SPECS, {}, now=NOW) == DEFAULTS
    assert validate(SPECS, {spec.name: [""] for spec in SPECS}, now=NOW) == DEFAULTS
    assert validate(SPECS, {spec.name: None for spec in SPECS}, now=NOW) == DEFAULTS


def test_a_query_of_texts_gives_typed_values_and_unknown_names_are_passed_over() -> None:
    query = {
        "port": ["VNO"],
        "since": ["2026-01-01"],
        "limit": ["10"],
        "open": ["TRUE"],
        "berth": ["a,b", "c"],
    }
    values = validate(SPECS, query | {"theme": ["dark"], "raw": ["x"], "other": ["\0"]}, now=NOW)
    assert values == {
        "port": "VNO",
        "since": date(2026, 1, 1),
        "limit": 10,
        "open": True,
        "berth": ("a", "b", "c"),
    }


def test_a_json_body_gives_the_same_values_as_a_query() -> None:
    body = {"port": "VNO", "since": "2026-01-01", "limit": 10, "open": True, "berth": ["a", "b", "c"]}
    query = {"port": ["VNO"], "since": ["2026-01-01"], "limit": ["10"], "open": ["1"], "berth": ["a", "b,c"]}
    assert validate(SPECS, body, now=NOW) == validate(SPECS, query, now=NOW)


def test_a_refusal_names_the_parameter_what_came_and_what_to_send() -> None:
    assert refusal(SPECS, {"limit": ["lots\nof"]}) == (
        'Parameter "Limit" (limit): "lots?of" is not a number that can be used. '
        "Send a number from 1 up to 500, such as 50."
    )
    assert refusal(SPECS, {"since": ["soon"]}).startswith('Parameter "since": "soon" is not a date.')


def test_a_required_parameter_without_value_or_default_is_refused() -> None:
    specs = specs_of([{"paramName": "symbol", "type": "endpoint", "label": "Symbol", "optional": False}])
    assert refusal(specs, {"symbol": [""]}) == (
        'Parameter "Symbol" (symbol) has no value. Send a text of up to 10,000 characters, such as symbol=ABC.'
    )
    assert validate(specs, {"symbol": ["A"]}, now=NOW) == {"symbol": "A"}


def test_a_required_parameter_with_a_default_may_be_missing() -> None:
    specs = specs_of([{"paramName": "symbol", "optional": False, "value": "A"}])
    assert validate(specs, {}, now=NOW) == {"symbol": "A"}


def merged(*entries: dict[str, Any] | None) -> ParameterSpec:
    groups = [specs_of([{"paramName": "x"} | entry] if entry is not None else []) for entry in entries]
    (spec,) = merge(groups)
    return spec


def test_widgets_on_one_path_share_the_union_of_their_parameters_in_order() -> None:
    groups = [
        specs_of([{"paramName": "a"}, {"paramName": "b"}]),
        specs_of([{"paramName": "c"}, {"paramName": "a"}]),
    ]
    assert [spec.name for spec in merge(groups)] == ["a", "b", "c"]
    assert merge([]) == ()


def test_one_widget_alone_is_merged_to_itself() -> None:
    assert merge([SPECS]) == SPECS
    assert merge([SPECS, SPECS]) == SPECS


@pytest.mark.parametrize(
    ("first", "second", "default"),
    [
        ({"value": "a"}, {"value": "a"}, "a"),
        ({"value": "a"}, {"value": "b"}, None),
        ({"value": "a"}, {}, None),
        ({"value": "a"}, None, "a"),
        ({"type": "number", "value": 5}, {"type": "number", "value": "5"}, 5),
        ({"multiSelect": True, "value": "a,b"}, {"multiSelect": True, "value": ["a", "b"]}, "a,b"),
        ({"type": "number", "value": 5}, {"type": "text", "value": "5"}, 5),
    ],
)
def test_a_default_stays_only_where_all_that_have_the_parameter_agree(
    first: dict[str, Any], second: dict[str, Any] | None, default: object
) -> None:
    assert merged(first, second).default == default


def test_different_types_meet_as_text() -> None:
    both = merged({"type": "number", "value": 5}, {"type": "boolean"})
    assert both.type == "text"
    assert validate([both], {"x": ["abc"]}, now=NOW) == {"x": "abc"}


def test_choices_are_united_and_one_free_widget_frees_them() -> None:
    assert list(merged({"options": ["a", "b"]}, {"options": ["b", "c"]}).choices or ()) == ["a", "b", "c"]
    assert merged({"options": ["a"]}, {}).choices is None


def test_a_number_and_a_text_as_the_same_choice_meet_as_text() -> None:
    assert merged({"options": [1, 2]}, {"options": ["1"]}).choices == {"1": "1", "2": 2}


def test_bounds_are_the_outer_ones_and_none_where_one_widget_has_none() -> None:
    one, two = {"type": "number", "min": 1, "max": 10}, {"type": "number", "min": 5, "max": 50}
    assert (merged(one, two).minimum, merged(one, two).maximum) == (1, 50)
    assert merged(one, {"type": "number"}).maximum is None


def test_several_values_are_taken_if_one_widget_takes_them() -> None:
    assert merged({}, {"multiSelect": True}).several


def test_a_parameter_is_required_only_where_every_widget_requires_it() -> None:
    needed = {"optional": False}
    assert merged(needed, needed).required
    assert not merged(needed, {}).required
    assert not merged(needed, None).required


def documents() -> Iterator[Any]:
    for path in sorted(CORPUS.rglob("*widgets*.json")):
        with suppress(ValueError):  # pieces cut out of documentation are no whole documents
            yield json.loads(path.read_text())


def definitions() -> list[dict[str, Any]]:
    found = [entry for one in documents() if isinstance(one, dict) for entry in one.values()]
    return [entry for entry in found if isinstance(entry, dict)]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real definitions is not beside the project")
def test_real_widgets_accept_their_own_defaults_as_values_as_texts_and_missing() -> None:
    checked = 0
    for definition in definitions():
        specs = [spec for spec in specs_of(definition.get("params")) if not (spec.required and spec.default is None)]
        expected = validate(specs, {}, now=NOW)
        assert validate(specs, {spec.name: spec.default for spec in specs}, now=NOW) == expected
        assert validate(specs, {spec.name: [as_query(spec.default)] for spec in specs}, now=NOW) == expected
        checked += len(specs)
    assert checked > 400


def as_query(default: object) -> str:
    """What JavaScript makes of a default in a query."""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return "" if default is None else str(default)
