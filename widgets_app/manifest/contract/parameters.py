"""What a widget's parameters say: each of them, forms and their fields, and how they depend on each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from widgets_app.manifest.contract.dependencies import check_dependencies
from widgets_app.manifest.contract.endpoints import check_free
from widgets_app.manifest.contract.findings import (
    Findings,
    Kind,
    as_list,
    as_object,
    at,
    check_kinds,
    check_spelling,
    check_word,
    error,
    info,
    is_number,
    is_text,
    join,
    not_an_object,
    show,
    step,
    under,
    warning,
)
from widgets_app.manifest.contract.values import check_default, check_options
from widgets_app.vocabulary import (
    FORM_FIELD_TYPES,
    LEGACY_FORM_FIELD_TYPES,
    PARAMETER_ROLES,
    PARAMETER_TYPES,
    PROMPT_LANGUAGES,
    words,
)

# Query keys that are taken: Workspace sends the first two of itself, the third may carry the caller's key.
TAKEN_NAMES: Final = frozenset({"theme", "raw", "api_key"})
POPUP_WIDTH: Final = (200, 1000)
FILE_SELECTOR: Final = "fileSelector"

_KINDS: Final[Mapping[str, Kind]] = {
    "label": "text",
    "description": "text",
    "show": "flag",
    "options": "list",
    "optionsEndpoint": "text",
    "optionsParams": "object",
    "multiSelect": "flag",
    "multiple": "flag",
    "min": "number",
    "max": "number",
    "step": "number",
    "style": "object",
    "roles": "list",
    "endpoint": "text",
    "inputParams": "list",
    "ai": "flag",
    "optional": "flag",
}
PARAM_KEYS: Final = frozenset({"paramName", "type", "value", "language", *_KINDS})
LEGACY_PARAM_KEYS: Final = {"editable": "multiple", "default": "value"}


def params_of(definition: object) -> list[dict[str, object]]:
    """Return the parameters of a widget, rows flattened, without the fields of forms."""
    params = as_object(definition).get("params")
    return [param for _, param in _entries(as_list(params)) if isinstance(param, dict)]


def check_params(params: object, *, reserved: frozenset[str]) -> Findings:
    """Check what is at `params`: a list of parameters, or a list of rows of them."""
    if not isinstance(params, list):
        message = f'"params" is {show(params)}, but Workspace reads a list of parameters.'
        yield error("params-type", "", message, fix="Write a list, or leave it out when there are none.")
        return
    if len({isinstance(item, list) for item in params}) > 1:
        message = "Parameters and rows of parameters are mixed, so Workspace cannot place them."
        yield error("params-mixed", "", message, fix="Put every parameter into a row, or none.")
    entries = list(_entries(params))
    for place, param in entries:
        yield from at(place, _check_param(param, in_form=False, reserved=reserved))
    yield from _check_names(entries)
    yield from check_dependencies(entries)


def _entries(params: list[object]) -> Iterator[tuple[str, object]]:
    for row, item in enumerate(params):
        if isinstance(item, list):
            yield from ((step(row) + step(column), param) for column, param in enumerate(item))
        else:
            yield step(row), item


def _check_param(param: object, *, in_form: bool, reserved: frozenset[str]) -> Findings:
    if not isinstance(param, dict):
        yield not_an_object("The parameter", param)
        return
    kind = _kind(param)
    yield from check_kinds(param, _KINDS)
    yield from check_spelling(param, PARAM_KEYS, LEGACY_PARAM_KEYS)
    yield from _check_texts(param, in_form=in_form)
    yield from _check_type(param, in_form=in_form)
    yield from check_default(param, kind)
    yield from check_options(param, kind)
    yield from _check_source(param, kind, reserved=reserved)
    yield from _check_several(param, kind)
    yield from _check_details(param, kind)
    if kind == "form" and not in_form:
        yield from _check_form(param, reserved=reserved)


def _kind(param: Mapping[str, object]) -> str:
    kind = param.get("type")
    return LEGACY_FORM_FIELD_TYPES.get(kind, kind) if isinstance(kind, str) else "text"


def _check_texts(param: Mapping[str, object], *, in_form: bool) -> Findings:
    if not is_text(param.get("paramName")):
        message = 'The parameter has no "paramName", so its value is never sent.'
        yield error("param-name-missing", "paramName", message, fix="Give it the name that the query expects.")
    elif param["paramName"] in TAKEN_NAMES and not in_form:
        message = f"{show(param['paramName'])} is a key that requests carry anyway, so the two get mixed up."
        fix = "Rename the parameter unless it is meant to be that key."
        yield warning("param-name-taken", "paramName", message, fix=fix)
    missing = [key for key in ("label", "description") if not is_text(param.get(key))]
    if missing:
        report = info if param.get("show") is False else warning
        message = f"The parameter has no {' and no '.join(missing)}, so people and the agent have to guess."
        fix = "Say in a few words what the value is and which values make sense."
        yield report("param-texts", missing[0], message, fix=fix)


def _check_type(param: Mapping[str, object], *, in_form: bool) -> Findings:
    kind = param.get("type")
    known = words(FORM_FIELD_TYPES) | LEGACY_FORM_FIELD_TYPES.keys() if in_form else words(PARAMETER_TYPES)
    if kind is None:
        report = info if param.get("show") is False else warning
        message = 'The parameter has no "type"; Workspace takes it for a text.'
        yield report("param-type-missing", "type", message, fix='Set "type", to text if it is one.')
    elif not (isinstance(kind, str) and kind in known):
        place = "a field of a form" if in_form else "a parameter"
        message = f"{show(kind)} is not a type that {place} can have in Workspace."
        yield error("param-type", "type", message, fix=f"Use one of: {', '.join(sorted(known))}.")


def _check_source(param: Mapping[str, object], kind: str, *, reserved: frozenset[str]) -> Findings:
    given = is_text(param.get("optionsEndpoint"))
    fixed = param.get("type") != "endpoint" and bool(param.get("options"))  # as a form's dropdown may be
    yield from check_free(param.get("optionsEndpoint"), key="optionsEndpoint", reserved=reserved)
    if kind == "endpoint" and not given and not fixed:
        message = "The dropdown asks an endpoint for its options, but none is named, so it stays empty."
        yield error("options-endpoint-missing", "optionsEndpoint", message, fix='Set "optionsEndpoint".')
    if kind != "endpoint" and kind in words(PARAMETER_TYPES) and given:
        message = f"A parameter of type {show(kind)} never asks for options, so the endpoint has no effect."
        fix = 'Set "type" to endpoint, or take "optionsEndpoint" out.'
        yield warning("options-endpoint-unused", "optionsEndpoint", message, fix=fix)


def _check_several(param: Mapping[str, object], kind: str) -> Findings:
    chooses = kind == "endpoint" or (kind == "text" and bool(param.get("options")))
    if param.get("multiSelect") is True and not chooses:
        message = "There are no options to select several of, so the switch has no effect."
        fix = 'Add "options"; for free texts use "multiple" on a parameter of type text.'
        yield info("multi-select-unused", "multiSelect", message, fix=fix)
    if param.get("multiple") is True and kind != "text":
        message = "Only a text takes several free entries, so the switch has no effect."
        fix = 'Use "multiSelect" for several options of a dropdown.'
        yield warning("multiple-unused", "multiple", message, fix=fix)


def _check_details(param: Mapping[str, object], kind: str) -> Findings:
    yield from check_word(param, "language", PROMPT_LANGUAGES, code="language")
    for index, role in enumerate(as_list(param.get("roles"))):
        if not (isinstance(role, str) and role in words(PARAMETER_ROLES)):
            message = f'The only role that Workspace knows is "{FILE_SELECTOR}", not {show(role)}.'
            yield from under("roles", [warning("role", step(index), message, fix="Take it out.")])
    yield from under("style", _check_style(as_object(param.get("style"))))
    if kind == "number":
        yield from _check_limits(param)


def _check_style(style: Mapping[str, object]) -> Findings:
    width, (least, most) = style.get("popupWidth"), POPUP_WIDTH
    if width is not None and not (is_number(width) and least <= width <= most):
        message = f"The width of the opened list is {show(width)}; Workspace takes {least} to {most} pixels."
        yield error("popup-width", "popupWidth", message, fix=f"Write a number from {least} to {most}.")
    for key in style:
        if key != "popupWidth":
            message = f'{show(key)} has no effect: "popupWidth" is the only style of a parameter.'
            yield warning("style-key", step(key), message, fix="Take it out.")


def _check_limits(param: Mapping[str, object]) -> Findings:
    value, least, most = param.get("value"), param.get("min"), param.get("max")
    if is_number(least) and is_number(most) and least > most:
        message = f'"min" is {show(least)} and "max" is {show(most)}, so no number can be entered.'
        yield error("number-limits", "min", message, fix="Swap the two.")
    elif is_number(value) and ((is_number(least) and value < least) or (is_number(most) and value > most)):
        message = f"The default {show(value)} is outside of the limits that the parameter itself sets."
        yield error("default-limits", "value", message, fix="Change the default or the limits.")


def _check_form(form: Mapping[str, object], *, reserved: frozenset[str]) -> Findings:
    if not is_text(form.get("endpoint")):
        message = "The form does not say where its fields are sent."
        yield error("form-endpoint-missing", "endpoint", message, fix='Set "endpoint" to a path that takes POST.')
    yield from check_free(form.get("endpoint"), key="endpoint", reserved=reserved)
    fields = as_list(form.get("inputParams"))
    if not fields:
        message = "The form has no fields."
        yield error("form-fields-missing", "inputParams", message, fix='List the fields in "inputParams".')
    yield from under("inputParams", _check_fields(fields, reserved=reserved))
    if fields and not any(as_object(field).get("type") == "button" for field in fields):
        message = "The form has no button, so it cannot be sent."
        fix = 'Add {"paramName": "submit", "type": "button", "label": "Submit", "value": true}.'
        yield warning("form-button-missing", "inputParams", message, fix=fix)


def _check_fields(fields: list[object], *, reserved: frozenset[str]) -> Findings:
    for index, field in enumerate(fields):
        yield from under(index, _check_param(field, in_form=True, reserved=reserved))
        button = as_object(field)
        if button.get("type") == "button" and button.get("value") is not True:
            message = "A pressed button is sent with the value true; this one has another."
            yield from under(index, [error("button-value", "value", message, fix='Set "value" to true.')])
    yield from _check_names([(step(index), field) for index, field in enumerate(fields)])


def _check_names(entries: list[tuple[str, object]]) -> Findings:
    seen: set[str] = set()
    for place, param in entries:
        name = as_object(param).get("paramName")
        if not isinstance(name, str):
            continue
        if name in seen:
            message = f"An earlier parameter is named {show(name)} too, so only one of the two values arrives."
            yield error("param-name-repeated", join(place, "paramName"), message, fix="Rename one of them.")
        seen.add(name)
