"""A widget's parameters, rewritten to today's form."""

from __future__ import annotations

import json
from typing import Any

from widgets_app.manifest.contract.findings import is_text
from widgets_app.manifest.contract.parameters import LEGACY_PARAM_KEYS, PARAM_KEYS, POPUP_WIDTH
from widgets_app.manifest.modernise.rewriting import Document, inside, limited, numbers, renamed, spelled, word
from widgets_app.vocabulary import FORM_FIELD_TYPES, PARAMETER_ROLES, PARAMETER_TYPES, PROMPT_LANGUAGES

_NARROWEST, _WIDEST = ({"popupWidth": pixels} for pixels in POPUP_WIDTH)


def modernise_params(params: list[Any]) -> list[Any]:
    """Return what is at `params`, a list of parameters or of rows of them, in today's form."""
    return [modernise_params(item) if isinstance(item, list) else _param(item) for item in params]


def _param(param: Any, *, in_form: bool = False) -> Any:
    if not isinstance(param, dict):
        return param
    param = _typed(renamed(param, PARAM_KEYS, LEGACY_PARAM_KEYS))
    types = FORM_FIELD_TYPES if in_form else PARAMETER_TYPES
    param = spelled(param, {"type": types, "language": PROMPT_LANGUAGES})
    param = inside(param, "style", lambda style: limited(numbers(style, "popupWidth"), _WIDEST, _NARROWEST))
    for key, rewrite in (("options", _option), ("roles", _role)):
        if isinstance(param.get(key), list):
            param[key] = [rewrite(value) for value in param[key]]
    if in_form:
        return _pressed(param)
    if isinstance(param.get("inputParams"), list):
        param["inputParams"] = [_param(field, in_form=True) for field in param["inputParams"]]
    return param


def _typed(param: Document) -> Document:
    # One with an options endpoint may be meant as a dropdown, though Workspace takes it for a text.
    if param.get("type") is None and not is_text(param.get("optionsEndpoint")):
        return {**param, "type": "text"}
    return param


def _option(option: Any) -> Any:
    if isinstance(option, str):
        return {"label": option, "value": option}
    return {"label": json.dumps(option), "value": option} if isinstance(option, bool | int | float) else option


def _role(role: Any) -> Any:
    return word(role, PARAMETER_ROLES)


def _pressed(field: Document) -> Document:
    # A button is sent with the value true when it is pressed.
    return {**field, "value": True} if field.get("type") == "button" and field.get("value") is None else field
