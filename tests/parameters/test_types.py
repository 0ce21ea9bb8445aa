from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from widgets_app.parameters.types import (
    TEXT_LIMIT,
    VALUES_LIMIT,
    ParameterSpec,
    as_text,
    flatten,
    parse,
    specs_of,
)

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
PORTS = [{"label": "Riga", "value": "RIX"}, {"label": "Vilnius", "value": "VNO"}]


def spec(**entry: Any) -> ParameterSpec:
    return ParameterSpec.from_document({"paramName": "x"} | entry)


def read(given: object, **entry: Any) -> Any:
    return parse(spec(**entry), given, now=NOW)


def refusal(given: object, **entry: Any) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        read(given, **entry)
    return str(caught.value)


def test_an_entry_gives_name_type_label_default_and_bounds() -> None:
    entry = {"type": "number", "label": "Rows", "value": 50, "min": 1, "max": "500", "optional": False}
    assert spec(**entry) == ParameterSpec(
        name="x", type="number", label="Rows", default=50, required=True, minimum=1, maximum=500
    )


def test_an_entry_without_anything_is_an_optional_text() -> None:
    assert spec() == ParameterSpec(name="x")


@pytest.mark.parametrize("kind", [None, "dropdown", "Text", 7, ["text"], {}])
def test_an_unknown_type_counts_as_text(kind: object) -> None:
    assert spec(type=kind).type == "text"


def test_bounds_that_allow_nothing_or_are_no_numbers_are_left_out() -> None:
    assert spec(type="number", min=5, max=1) == ParameterSpec(name="x", type="number")
    assert spec(type="number", min="low", max=True) == ParameterSpec(name="x", type="number")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", "many"),
        ("number", [1, 2]),
        ("boolean", "maybe"),
        ("date", "tomorrow"),
        ("text", {"a": 1}),
        ("text", ""),
        ("text", []),
        ("date", "$currentDate-99999y"),
        ("text", "a\0b"),
    ],
)
def test_a_default_that_does_not_fit_counts_as_none(kind: str, value: object) -> None:
    assert spec(type=kind, value=value).default is None


def test_a_default_outside_the_bounds_counts_as_none() -> None:
    assert spec(type="number", value=1000, max=500).default is None


def test_a_default_list_is_kept_for_several_values() -> None:
    assert spec(value=["a", "b"], multiSelect=True).default == ("a", "b")


def test_the_default_is_always_one_of_the_choices() -> None:
    wide = spec(type="text", options=PORTS, value="TLL")
    assert list(wide.choices or {}) == ["RIX", "VNO", "TLL"]
    assert parse(wide, "TLL", now=NOW) == "TLL"


@pytest.mark.parametrize(
    ("entry", "closed"),
    [
        ({"type": "text"}, True),
        ({"type": "tabs"}, True),
        ({}, True),
        ({"type": "endpoint"}, False),
        ({"type": "ticker"}, False),
        ({"type": "text", "multiple": True}, False),
        ({"type": "text", "editable": True}, False),
        ({"type": "text", "multiSelect": True}, True),
    ],
)
def test_options_close_the_set_of_texts_and_tabs_only(entry: dict[str, Any], closed: bool) -> None:
    assert (spec(options=PORTS, **entry).choices is not None) is closed


def test_options_may_be_bare_texts_or_lack_values() -> None:
    choices = spec(options=["a", {"label": "b"}, {"label": "none", "value": None}, {"value": ""}, 7, []]).choices
    assert choices == {"a": "a", "b": "b", "7": 7}
    assert spec(options=[{"label": "all", "value": ""}]).choices is None
    assert spec(options="abc").choices is None


def test_rows_of_parameters_are_flattened_in_order_and_oddities_passed_over() -> None:
    a, b, c = {"paramName": "a"}, {"paramName": "b"}, {"paramName": "c"}
    assert flatten([[a, b], [], [c]]) == [a, b, c]
    assert flatten([a, None, "x", [b, 3]]) == [a, b]
    assert flatten(None) == flatten({"paramName": "a"}) == []


def test_forms_buttons_nameless_and_repeated_entries_are_no_query_values() -> None:
    params = [
        {"paramName": "port", "label": "first"},
        [{"paramName": "entry", "type": "form"}, {"paramName": "go", "type": "button"}],
        {"type": "text"},
        {"paramName": "port", "label": "second"},
    ]
    assert [(one.name, one.label) for one in specs_of(params)] == [("port", "first")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30", 30),
        ("-5", -5),
        ("+7", 7),
        (" 1.50 ", 1.5),
        (".5", 0.5),
        ("2.", 2.0),
        ("1e3", 1000.0),
        ("1E-3", 0.001),
        (30, 30),
        (2.5, 2.5),
        (5.0, 5),
        (str(2**63 - 1), 2**63 - 1),
    ],
)
def test_numbers_are_read(text: object, value: float) -> None:
    result = read(text, type="number")
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "1,000",
        "1_000",
        "0x10",
        "nan",
        "inf",
        "-Infinity",
        "1e400",
        "1e99999",
        "9" * 20,
        "9" * 5000,
        "٣",
        "1 2",
        True,
        False,
        float("nan"),
        float("inf"),
        2**63,
        "--1",
        "1e",
    ],
)
def test_what_is_not_a_usable_number_is_refused(text: object) -> None:
    assert "is not a number that can be used. Send a number, such as 30." in refusal(text, type="number")


def test_bounds_belong_to_the_range_and_the_refusal_names_them() -> None:
    bounds = {"type": "number", "min": 1, "max": 500, "value": 50}
    assert read("1", **bounds) == 1
    assert read("500", **bounds) == 500
    assert refusal("501", **bounds) == '"501" is more than 500. Send a number from 1 up to 500, such as 50.'
    assert refusal("0.5", **bounds) == '"0.5" is less than 1. Send a number from 1 up to 500, such as 50.'


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "1", True, 1, " true "])
def test_true_is_read_in_any_case(text: object) -> None:
    assert read(text, type="boolean") is True


@pytest.mark.parametrize("text", ["false", "False", "FALSE", "0", False, 0])
def test_false_is_false(text: object) -> None:
    assert read(text, type="boolean") is False


def test_other_words_are_no_booleans() -> None:
    assert refusal("yes", type="boolean") == '"yes" is neither true nor false. Send true or false.'


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01",
        "2026-03-01T23:59:59.000Z",
        "2026-03-01T00:00:00+02:00",
        "2026-03-01 08:00",
        " 2026-03-01 ",
    ],
)
def test_dates_and_timestamps_give_the_day_they_write(text: str) -> None:
    assert read(text, type="date") == date(2026, 3, 1)


def test_a_relative_date_is_resolved_from_requests_and_defaults() -> None:
    assert read("$currentDate-1w", type="date") == date(2026, 3, 24)
    assert parse(spec(type="date", value="$currentDate-1M"), "$currentDate-1M", now=NOW) == date(2026, 2, 28)


@pytest.mark.parametrize(
    "text", ["2026-02-30", "01.03.2026", "20260301", "2026-3-1", "2026-03-01x", 20260301, "0000-01-01"]
)
def test_what_is_not_a_date_is_refused(text: object) -> None:
    assert refusal(text, type="date") == f'"{text}" is not a date. Send a date such as 2026-03-01.'


def test_a_wrong_relative_date_is_refused_with_its_grammar() -> None:
    assert refusal("$currentDate-1m", type="date").startswith('"$currentDate-1m" is not a date. A relative date is')


@pytest.mark.parametrize("kind", ["text", "ticker", "endpoint", "tabs"])
def test_texts_come_as_they_are(kind: str) -> None:
    assert read(" a, b ", type=kind) == " a, b "
    assert read(5, type=kind) == "5"
    assert read(True, type=kind) == "true"


def test_a_choice_has_the_type_that_its_option_declares() -> None:
    options = [
        {"label": "one", "value": 1},
        {"label": "half", "value": 0.5},
        {"label": "on", "value": True},
        {"value": "9"},
    ]
    assert [read(text, options=options) for text in ("1", "0.5", "true", "9")] == [1, 0.5, True, "9"]
    assert read(1, options=options) == 1


def test_a_text_outside_the_choices_is_refused_with_the_choices() -> None:
    assert refusal("tll", options=PORTS) == '"tll" is not one of its values. Send one of: RIX, VNO.'


def test_a_refusal_names_only_the_first_of_many_choices() -> None:
    options = [f"choice {number}" for number in range(500)]
    assert refusal("x", options=options).endswith("choice 8, choice 9 and 490 more.")


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_characters_that_no_database_takes_are_refused_and_not_repeated(text: str) -> None:
    assert refusal(text).startswith('"a?b" holds a character that no database stores.')


def test_a_long_text_is_refused_and_shown_short() -> None:
    assert read("x" * TEXT_LIMIT) == "x" * TEXT_LIMIT
    message = refusal("x" * (TEXT_LIMIT + 1))
    assert "has 10,001 characters. Send a text of up to 10,000 characters, such as x=ABC." in message
    assert len(message) < 200


@pytest.mark.parametrize("flag", ["multiSelect", "multiple", "editable"])
@pytest.mark.parametrize(
    "given",
    ["a,b,c", ["a", "b", "c"], ["a,b", "c"], " a , b,,c,", ("a", "", None, "b,c"), ["a", " ", "b", "c"]],
)
def test_several_values_come_joined_repeated_or_mixed(flag: str, given: object) -> None:
    assert read(given, **{flag: True}) == ("a", "b", "c")


def test_several_values_are_each_of_the_type() -> None:
    assert read("1,2.5", type="number", multiSelect=True) == (1, 2.5)
    assert read([1, "2"], type="number", multiSelect=True) == (1, 2)
    assert read("2026-03-01,$currentDate", type="date", multiSelect=True) == (
        date(2026, 3, 1),
        date(2026, 3, 31),
    )


def test_a_choice_with_a_comma_is_not_taken_apart() -> None:
    options = ["Riga, LV", "Vilnius, LT"]
    assert read(["Riga, LV", "Vilnius, LT"], options=options, multiSelect=True) == ("Riga, LV", "Vilnius, LT")


@pytest.mark.parametrize("given", [None, "", " ", [], [""], [None, ""], ",, ,"])
def test_empty_is_nothing(given: object) -> None:
    assert read(given, multiSelect=True) is None


def test_one_value_may_be_repeated_but_not_contradicted() -> None:
    assert read(["a", "a", ""]) == "a"
    assert refusal(["a", "b"]) == (
        "2 values came, but it takes one. Send a text of up to 10,000 characters, such as x=ABC."
    )


def test_too_many_values_are_refused() -> None:
    assert len(read(["a"] * VALUES_LIMIT, multiSelect=True)) == VALUES_LIMIT
    assert refusal(["a"] * (VALUES_LIMIT + 1), multiSelect=True).startswith("1,001 values came. Send at most 1,000")


def test_objects_are_no_values() -> None:
    assert refusal({"a": 1}).startswith("an object or a list came as a value.")
    assert refusal([["a"]], multiSelect=True).startswith("an object or a list came as a value.")


def test_values_are_written_as_requests_carry_them() -> None:
    values = [None, True, 30, 1.0, 1e300, 0.1, date(2026, 3, 1), ["a", 1], {"a": "ā"}]
    written = ["", "true", "30", "1", "1e+300", "0.1", "2026-03-01", "a,1", '{"a": "ā"}']
    assert [as_text(value) for value in values] == written


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2))
KEYS = ("paramName", "type", "label", "value", "options", "optional", "multiSelect", "multiple", "min", "max")
TYPES = st.sampled_from(["text", "number", "boolean", "date", "endpoint", "tabs", "ticker", "form"])


@example({"type": "text", "paramName": ["\ud800"]}, {})
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON) | {"type": JSON | TYPES}), JSON)
def test_no_definition_and_no_value_raises_anything_but_a_one_line_refusal(entry: dict[str, Any], value: Any) -> None:
    one = ParameterSpec.from_document(entry)
    parse(one, one.default, now=NOW)
    try:
        parse(one, value, now=NOW)
    except ValueError as error:
        str(error).encode()
