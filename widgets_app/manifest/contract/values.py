"""A parameter's default value and its fixed choices."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from widgets_app.manifest.contract.endpoints import path_of
from widgets_app.manifest.contract.findings import (
    Finding,
    Findings,
    as_list,
    check_kinds,
    error,
    is_number,
    is_text,
    show,
    under,
    warning,
)

CURRENT_DATE: Final = re.compile(r"\$currentDate([+-][0-9]+[hdwMy])?")
_ISO_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_FLAGS: Final = frozenset({"true", "false", "1", "0"})


def as_text(value: object) -> str:
    """Return a scalar as Workspace writes it into a query: 5.0 as 5, true in lower case."""
    if isinstance(value, str):
        return value
    return show(int(value)) if isinstance(value, float) and value.is_integer() else show(value)


def as_texts(value: object) -> list[str]:
    """Return the values that a parameter holds: of a list its members, of `a,b` both; none when empty."""
    if isinstance(value, list):
        return [as_text(member) for member in value]
    return [text.strip() for text in as_text(value).split(",")] if is_given(value) else []


def is_given(value: object) -> bool:
    """Say whether a value is there: null, an empty text and an empty list mean that there is none."""
    return value is not None and value != "" and value != []


def is_multi(param: Mapping[str, object]) -> bool:
    """Say whether a parameter takes several values at once."""
    return any(param.get(key) is True for key in ("multiSelect", "multiple", "editable"))


def option_values(param: Mapping[str, object]) -> frozenset[str]:
    """Return the values of a parameter's fixed choices, as texts."""
    values = [item.get("value") if isinstance(item, dict) else item for item in as_list(param.get("options"))]
    return frozenset(as_text(value) for value in values if not isinstance(value, list | dict))


def options_source(param: Mapping[str, object]) -> str | frozenset[str] | None:
    """Return where a parameter's options come from: a path, the fixed values, or None for free input."""
    endpoint = param.get("optionsEndpoint")
    return path_of(endpoint) if is_text(endpoint) else option_values(param) or None


def check_default(param: Mapping[str, object], kind: str) -> Findings:
    """Check that a parameter's `value` is one that its type can hold."""
    value = param.get("value")
    if kind == "form" or not is_given(value):
        return
    if isinstance(value, dict):
        yield _wrong_default(f"The default is {show(value)}.", "Write a text, a number, true or false, or a list.")
    elif isinstance(value, list):
        yield from _check_list(value, is_multi(param))
    elif check := _DEFAULTS.get(kind):
        yield from check(value)


def _wrong_default(message: str, fix: str) -> Finding:
    return error("default-type", "value", message, fix=fix)


def _check_list(values: list[object], multi: bool) -> Findings:
    if not multi:
        message = "The default is a list, but the parameter takes one value."
        yield _wrong_default(message, 'Write one value, or set "multiSelect" to true.')
    for index, value in enumerate(values):
        if isinstance(value, list | dict):
            message = f"The default is a list of values, but one of them is {show(value)}."
            yield from under("value", [error("default-type", f"[{index}]", message, fix="Take it out.")])


def _check_number(value: object) -> Findings:
    if not is_number(value) and not (isinstance(value, str) and _NUMBER.fullmatch(value.strip())):
        yield _wrong_default(f"The default of the number is {show(value)}.", "Write a number, or null for none.")


def _check_flag(value: object) -> Findings:
    if as_text(value).lower() not in _FLAGS:
        yield _wrong_default(f"The default of the switch is {show(value)}.", "Write true or false.")


def _check_date(value: object) -> Findings:
    if not (isinstance(value, str) and (CURRENT_DATE.fullmatch(value) or _is_date(value))):
        yield error(
            "default-date",
            "value",
            f"The default date is {show(value)}, which Workspace cannot resolve.",
            fix="Write 2026-01-31, $currentDate, or $currentDate-2w with h, d, w, M (month) or y as unit.",
        )


def _is_date(value: str) -> bool:
    try:
        return bool(_ISO_DATE.fullmatch(value) and date.fromisoformat(value))
    except ValueError:
        return False


_DEFAULTS: Final[Mapping[str, Callable[[object], Findings]]] = {
    "number": _check_number,
    "boolean": _check_flag,
    "date": _check_date,
}


def check_options(param: Mapping[str, object], kind: str) -> Findings:
    """Check a parameter's fixed choices, and that its default is one of them."""
    options = as_list(param.get("options"))
    for index, option in enumerate(options):
        yield from under("options", under(index, _check_option(option, is_multi(param))))
    if kind == "tabs":
        yield from _check_tabs(param, options)
    elif kind == "text" and options and param.get("multiple") is not True:
        yield from _check_chosen(param)


def _check_option(option: object, multi: bool) -> Findings:
    value = option.get("value") if isinstance(option, dict) else option
    if isinstance(option, str):
        message = f"The choice is the bare text {show(option)}; Workspace documents choices as objects."
        yield warning("option-text", "", message, fix='Write {"label": ..., "value": ...}.')
    elif not isinstance(option, dict):
        message = f"The choice is {show(option)} instead of an object."
        yield error("wrong-type", "", message, fix='Write {"label": ..., "value": ...}.')
    elif not is_text(option.get("label")):
        message = f"The choice for {show(value)} has no label, so people see an empty line."
        yield warning("option-label", "label", message, fix='Add a "label".')
    if isinstance(option, dict):
        yield from check_kinds(option, {"extraInfo": "object"})
    if isinstance(value, dict | list):
        message = f"The value of the choice is {show(value)}."
        yield error("option-value", "value", message, fix="Write a text, a number, true or false.")
    if multi and isinstance(value, str) and "," in value:
        message = f"Several choices are sent joined by commas, so {show(value)} arrives as two."
        yield error("option-comma", "value", message, fix="Take the comma out of the value; labels may have one.")


def _check_tabs(param: Mapping[str, object], options: list[object]) -> Findings:
    if not options:
        message = "Tabs are drawn from the choices, and there are none."
        yield error("tabs-options", "options", message, fix='Add "options", one per tab.')
    elif not is_given(param.get("value")) or as_text(param["value"]) not in option_values(param):
        message = f"The tab that is open at first is {show(param.get('value'))}, which is none of the choices."
        yield error("tabs-default", "value", message, fix='Set "value" to the value of one of the choices.')


def _check_chosen(param: Mapping[str, object]) -> Findings:
    value = param.get("value")
    chosen = as_texts(value) if is_multi(param) else [as_text(value)] if is_given(value) else []
    known = option_values(param)
    for text in chosen:
        if text not in known:
            yield warning(
                "default-not-a-choice",
                "value",
                f"The default {show(text)} is none of the choices, so the dropdown cannot show it.",
                fix="Add it to the choices, or choose another default.",
            )
