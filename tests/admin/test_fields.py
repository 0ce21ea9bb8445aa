"""Fields that show JSON as people write it: whatever is shown reads back as the same value, or stays untouched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django import forms
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from widgets_app.admin.fields import EditedAsText, JSONLine, JSONText, Scalar, Text, Words
from widgets_app.admin.options import Options

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS: list[EditedAsText] = [Scalar(), JSONText(), JSONLine(), Words(), Words(separator="\n", empty=list)]


@pytest.mark.parametrize("field", FIELDS)
@given(value=VALUES)
def test_what_is_shown_counts_as_untouched(field: EditedAsText, value: Any) -> None:
    shown = field.prepare_value(value)
    shown.encode()
    assert not field.has_changed(value, shown)
    assert not field.has_changed(value, shown.replace("\n", "\r\n"))


@given(value=VALUES)
def test_a_scalar_reads_back_as_it_was(value: Any) -> None:
    field = Scalar()
    back = field.to_python(field.prepare_value(value))
    assert json.dumps(back) == json.dumps(value)


@given(value=st.lists(st.text()) | st.text())
def test_texts_read_back_as_they_were(value: Any) -> None:
    for field in (Words(), Words(separator="\n")):
        assert field.to_python(field.prepare_value(value)) == value


def test_only_another_order_of_members_is_a_change() -> None:
    field = JSONText()
    assert field.has_changed({"a": 1, "b": 2}, '{"b": 2, "a": 1}')
    assert not field.has_changed({"a": 1, "b": 2}, '{"a":1,"b":2}')
    assert field.has_changed({"a": 1}, "{nonsense")


@pytest.mark.parametrize("text", ["{", "NaN", "[Infinity]", "1e999", "[" * 100_000, "9" * 5_000])
def test_what_is_no_json_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        JSONText().clean(text)
    (message,) = refused.value.messages
    assert "\n" not in message


def test_a_disabled_field_never_changes() -> None:
    field = Scalar(disabled=True)
    assert not field.has_changed("a", "b")
    assert field.bound_data("b", "a") == "a"


def test_the_base_of_the_fields_does_nothing_by_itself() -> None:
    with pytest.raises(NotImplementedError):
        EditedAsText().show(1)
    with pytest.raises(NotImplementedError):
        EditedAsText().parse("1")


class Every(BaseModel):
    """One option of each kind."""

    number: int = 3
    share: float = 0.5
    words: list[str] = []
    plain: str = ""


def test_options_of_every_kind_get_a_field() -> None:
    group = Options("x", ("some-kind",), Every)
    fields = group.fields()
    assert list(fields) == [f"x__some_kind__{name}" for name in ("number", "share", "words", "plain")]
    form = type("F", (forms.Form,), fields)(
        {"x__some_kind__number": "7", "x__some_kind__share": "", "x__some_kind__words": "a, b"}
    )
    assert form.is_valid()
    assert group.read(form) == {"number": 7, "words": ["a", "b"]}
    assert group.initial({"number": 9})["x__some_kind__number"] == 9


class Odd(BaseModel):
    """An option that no field can edit."""

    odd: dict[str, int] = {}


def test_an_option_that_cannot_be_edited_stops_the_start() -> None:
    with pytest.raises(TypeError, match="odd"):
        Options("x", ("odd",), Odd).fields()


def test_line_breaks_are_kept_as_files_have_them() -> None:
    assert Text().clean("one\r\ntwo") == "one\ntwo"
    assert not Text(widget=forms.Textarea).has_changed("one\ntwo", "one\r\ntwo")
