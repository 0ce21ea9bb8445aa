"""How a column's cells are rendered: `renderFn` and the parameters that its functions share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from widgets_app.manifest.contract.findings import (
    Finding,
    Findings,
    Kind,
    as_list,
    as_object,
    check_kinds,
    check_spelling,
    check_word,
    error,
    is_number,
    is_text,
    not_an_object,
    show,
    under,
    warning,
)
from widgets_app.vocabulary import (
    ACTION_TYPES,
    COLOR_CONDITIONS,
    RENDER_FNS,
    UNDOCUMENTED_ACTION_TYPES,
    words,
)

_PARAMS_KINDS: Final[Mapping[str, Kind]] = {
    "groupBy": "object",
    "sendToAgent": "object",
    "colorValueKey": "text",
    "hoverCardData": "list",
    "hoverCard": "object",
    "colorRules": "list",
}
RENDER_PARAM_KEYS: Final = frozenset({"actionType", "groupByParamName", *_PARAMS_KINDS})
_HOVER_KINDS: Final[Mapping[str, Kind]] = {"cellField": "text", "title": "text", "markdown": "text"}
_CONDITIONS: Final = ", ".join(word for word, _ in COLOR_CONDITIONS)


def emitted_param(column: Mapping[str, object]) -> str | None:
    """Return the parameter of the group that a click on a cell of the column sets."""
    params = as_object(column.get("renderFnParams"))
    name = as_object(params.get("groupBy")).get("paramName") or params.get("groupByParamName")
    clicks = "cellOnClick" in _names(column.get("renderFn"))
    return name if clicks and isinstance(name, str) else None


def check_rendering(column: Mapping[str, object], *, widget_type: str) -> Findings:
    """Check a column's `renderFn` and `renderFnParams`."""
    render_fn = column.get("renderFn")
    for name in [] if render_fn is None else render_fn if isinstance(render_fn, list) else [render_fn]:
        if not (isinstance(name, str) and name in words(RENDER_FNS)):
            yield error(
                "render-fn",
                "renderFn",
                f"{show(name)} is not a render function of Workspace, so the cells stay plain.",
                fix=f"Use one or a list of: {', '.join(word for word, _ in RENDER_FNS)}.",
            )
    if "showCellChange" in _names(render_fn) and widget_type != "live_grid":
        yield warning(
            "render-live-only",
            "renderFn",
            '"showCellChange" shows what the last WebSocket message changed; only a live_grid gets messages.',
            fix="Take it out, or make the widget a live_grid.",
        )
    params = column.get("renderFnParams")
    if params is None or isinstance(params, dict):
        yield from under("renderFnParams", check_render_fn_params(params, render_fn))


def check_render_fn_params(value: object, render_fn: object) -> list[Finding]:
    """Check a column's `renderFnParams`, given its `renderFn` (a name, a list of names or None)."""
    if value is not None and not isinstance(value, dict):
        return [not_an_object('"renderFnParams"', value)]
    params = as_object(value)
    findings = [*check_kinds(params, _PARAMS_KINDS), *check_spelling(params, RENDER_PARAM_KEYS)]
    for name, check in _CHECKS.items():
        if name in _names(render_fn):
            findings += check(params)
    for index, rule in enumerate(as_list(params.get("colorRules"))):
        findings += under("colorRules", under(index, _check_rule(rule)))
    return findings


def _names(render_fn: object) -> list[str]:
    names = render_fn if isinstance(render_fn, list) else [render_fn]
    return [name for name in names if isinstance(name, str)]


def _check_click(params: Mapping[str, object]) -> Findings:
    action = params.get("actionType")
    if action is None:
        yield error(
            "action-missing",
            "actionType",
            "The cells can be clicked, but nothing says what a click does.",
            fix='Set "actionType" to groupBy or sendToAgent.',
        )
    elif isinstance(action, str) and action in UNDOCUMENTED_ACTION_TYPES:
        yield warning(
            "action-undocumented",
            "actionType",
            f"{show(action)} is named in Workspace's documentation without saying how to use it.",
            fix="Try it in your Workspace, or use groupBy or sendToAgent.",
        )
    else:
        yield from check_word(params, "actionType", ACTION_TYPES, code="action-type")
    if action == "groupBy":
        yield from _check_group_click(params)
    if action == "sendToAgent":
        yield from _check_agent_click(as_object(params.get("sendToAgent")))


def _check_group_click(params: Mapping[str, object]) -> Findings:
    group_by = as_object(params.get("groupBy"))
    yield from under("groupBy", check_kinds(group_by, {"valueField": "text", "forceUpdate": "flag"}))
    if is_text(group_by.get("paramName")):
        return
    if old := params.get("groupByParamName"):
        yield error(
            "group-by-legacy",
            "groupByParamName",
            "This is the old spelling: in today's Workspace a click on the cell does nothing.",
            fix=f'Replace it by "groupBy": {{"paramName": {show(old)}}}.',
        )
    else:
        yield error(
            "group-by-missing",
            "groupBy.paramName",
            "A click sets a parameter of the group, but no parameter is named, so it does nothing.",
            fix='Write "groupBy": {"paramName": ...} with the parameter that the other widgets have.',
        )


def _check_agent_click(send: Mapping[str, object]) -> Findings:
    yield from under("sendToAgent", check_kinds(send, {"agentId": "text"}))
    if not is_text(send.get("markdown")):
        yield error(
            "send-to-agent-missing",
            "sendToAgent.markdown",
            "A click sends a text to the agent, but there is no text.",
            fix='Write "sendToAgent": {"markdown": ...}; {field} in it stands for a value of the row.',
        )


def _check_hover(params: Mapping[str, object]) -> Findings:
    yield from under("hoverCard", check_kinds(as_object(params.get("hoverCard")), _HOVER_KINDS))
    if params.get("hoverCard") is None and params.get("hoverCardData") is None:
        yield error(
            "hover-card-missing",
            "hoverCard",
            "The cells show a card on hover, but nothing says what is on it.",
            fix='Write "hoverCard": {"cellField": ..., "title": ..., "markdown": ...}.',
        )


def _check_colors(params: Mapping[str, object]) -> Findings:
    if not params.get("colorRules") and params.get("colorValueKey") is None:
        yield error(
            "color-rules-missing",
            "colorRules",
            "The column is to be coloured by rules, but there are none, so the cells stay plain.",
            fix='Add a rule such as {"condition": "gt", "value": 0, "color": "green", "fill": false}.',
        )


_CHECKS: Final[Mapping[str, Callable[[Mapping[str, object]], Findings]]] = {
    "cellOnClick": _check_click,
    "hoverCard": _check_hover,
    "columnColor": _check_colors,
}


def _check_rule(rule: object) -> Findings:
    if not isinstance(rule, dict):
        yield not_an_object("The colour rule", rule)
        return
    yield from check_kinds(rule, {"fill": "flag"})
    if not is_text(rule.get("color")):
        yield error(
            "color-missing",
            "color",
            "The rule does not say which colour the cells get.",
            fix='Set "color" to a name such as red, or a code such as #22c55e.',
        )
    if rule.get("condition") is None:
        message = "The rule does not say when it applies."
        yield error("color-condition", "condition", message, fix=f'Set "condition" to one of: {_CONDITIONS}.')
    else:
        yield from check_word(rule, "condition", COLOR_CONDITIONS, code="color-condition")
        yield from _check_limits(rule) if rule["condition"] == "between" else _check_operand(rule)


def _check_limits(rule: Mapping[str, object]) -> Findings:
    limits = as_object(rule.get("range"))
    least, most = limits.get("min"), limits.get("max")
    if not (is_number(least) and is_number(most)):
        message = 'A rule with "between" needs two numbers as limits, or it never applies.'
        yield error("color-range", "range", message, fix='Write "range": {"min": 0, "max": 100}.')
    elif least > most:
        message = f"The range goes from {show(least)} down to {show(most)}, so the rule never applies."
        yield error("color-range", "range", message, fix="Swap the two limits.")


def _check_operand(rule: Mapping[str, object]) -> Findings:
    value = rule.get("value")
    if rule["condition"] in ("contains", "notContains"):
        if not isinstance(value, str):
            message = f'The rule looks for a text in the cell, but "value" is {show(value)}.'
            yield error("color-value", "value", message, fix='Set "value" to the text to look for.')
    elif not (isinstance(value, str) or is_number(value)):
        message = f'The rule compares the cell with "value", which is {show(value)}.'
        yield error("color-value", "value", message, fix='Set "value" to a number or a text.')
