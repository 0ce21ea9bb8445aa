"""Dropdowns whose options depend on the value of another parameter."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from widgets_app.manifest.contract.findings import (
    Findings,
    as_list,
    as_object,
    at,
    error,
    join,
    show,
    step,
    under,
    warning,
)
from widgets_app.manifest.contract.values import CURRENT_DATE

Entries = list[tuple[str, object]]


def check_dependencies(entries: Entries) -> Findings:
    """Check the `optionsParams` of parameters, each given with its place, and of the fields of forms."""
    names = _names(entries)
    yield from _check_level(entries, known=names)
    for place, form in entries:
        fields = as_list(as_object(form).get("inputParams"))
        inner = [(step(index), field) for index, field in enumerate(fields)]
        yield from at(join(place, "inputParams"), _check_level(inner, known=names | _names(inner)))


def _names(entries: Entries) -> frozenset[str]:
    return frozenset(name for _, param in entries if isinstance(name := as_object(param).get("paramName"), str))


def _check_level(entries: Entries, *, known: frozenset[str]) -> Findings:
    needs: dict[str, set[str]] = {}
    for place, entry in entries:
        param = as_object(entry)
        yield from at(place, under("optionsParams", _check_references(param, known)))
        if isinstance(name := param.get("paramName"), str):
            needs[name] = set(_references(param).values()) - {name}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as cycle:
        chain = " needs ".join(show(name) for name in reversed(cycle.args[1]))
        message = f"The options wait for each other in a circle: {chain}."
        yield error("options-params-cycle", "", message, fix="Take one of these references out.")


def _references(param: Mapping[str, object]) -> dict[str, str]:
    """Return the keys of `optionsParams` whose value is another parameter's, with that parameter's name."""
    return {
        key: value[1:]
        for key, value in as_object(param.get("optionsParams")).items()
        if isinstance(value, str) and value.startswith("$") and not CURRENT_DATE.fullmatch(value)
    }


def _check_references(param: Mapping[str, object], known: frozenset[str]) -> Findings:
    for key, name in _references(param).items():
        if name not in known:
            message = f"{show('$' + name)} stands for the value of a parameter, but the widget has no {show(name)}."
            fix = "Name a parameter of this widget after the $, or write a fixed value without $."
            yield error("options-param-unknown", step(key), message, fix=fix)
        elif name == param.get("paramName"):
            message = "The options depend on the value chosen from them, so each choice asks for them anew."
            yield warning("options-param-self", step(key), message, fix="Take it out unless that is meant.")
