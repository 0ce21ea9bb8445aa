"""Widgets of an app that share a parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from widgets_app.manifest.contract.columns import emitted_params
from widgets_app.manifest.contract.findings import (
    Findings,
    as_list,
    as_object,
    check_kinds,
    check_spelling,
    check_word,
    error,
    is_text,
    join,
    listing,
    not_an_object,
    show,
    step,
    under,
    warning,
)
from widgets_app.manifest.contract.layout import Placement, is_known
from widgets_app.manifest.contract.parameters import params_of
from widgets_app.manifest.contract.values import options_source
from widgets_app.manifest.contract.widgets import widget_type
from widgets_app.vocabulary import GROUP_TYPES

GROUP_KEYS: Final = frozenset({"name", "type", "paramName", "widgetIds", "defaultValue"})
LEGACY_GROUP_KEYS: Final = {"groupById": "paramName"}
_PLAIN_NAME: Final = re.compile(r"Group [0-9]+")


def check_groups(app: Mapping[str, object], placements: list[Placement], widgets: Mapping[str, object]) -> Findings:
    """Check the groups of an app: each of them, its members, and the names that layouts use."""
    groups = as_list(app.get("groups"))
    for index, group in enumerate(groups):
        yield from under("groups", under(index, _check_group(group, placements, widgets)))
    names: set[str] = set()
    for index, name in enumerate(as_object(group).get("name") for group in groups):
        if isinstance(name, str) and name in names:
            message = f"An earlier group is named {show(name)} too, so widgets cannot say which they are in."
            yield error("group-name-repeated", f"groups[{index}].name", message, fix="Rename one of them.")
        names |= {name} if isinstance(name, str) else set()
    for placement in placements:
        for index, name in enumerate(placement.groups):
            if not (isinstance(name, str) and name in names):
                place = join(placement.place, f"groups[{index}]")
                message = f"The app declares no group {show(name)}, so the widget is in none."
                fix = 'Declare it in "groups" of the app, or take it out.'
                yield error("layout-group-unknown", place, message, fix=fix)


def _check_group(group: object, placements: list[Placement], widgets: Mapping[str, object]) -> Findings:
    if not isinstance(group, dict):
        yield not_an_object("The group", group)
        return
    yield from check_kinds(group, {"widgetIds": "list"})
    yield from check_spelling(group, GROUP_KEYS, LEGACY_GROUP_KEYS)
    yield from _check_name(group.get("name"))
    yield from _check_type(group)
    if isinstance(group.get("defaultValue"), dict):
        message = "The default of the group is an object."
        yield error("wrong-type", "defaultValue", message, fix="Write a text, a number, true or false, or a list.")
    yield from under("widgetIds", _check_listed(as_list(group.get("widgetIds")), placements, widgets))
    yield from _check_membership(group, placements)
    yield from _check_sharing(group, placements, widgets)


def _check_name(name: object) -> Findings:
    if not is_text(name):
        message = "The group has no name, so no widget can be in it."
        yield error("group-name-missing", "name", message, fix='Set "name" to Group 1, Group 2, and so on.')
    elif not _PLAIN_NAME.fullmatch(name):
        message = f"Some builds of Workspace only link groups named Group 1, Group 2, ..., not {show(name)}."
        yield warning("group-name", "name", message, fix="Rename it here and in the layouts if it does not link.")


def _check_type(group: Mapping[str, object]) -> Findings:
    if group.get("type") is None:
        message = "Without a type the group links nothing."
        fix = 'Set "type" to endpointParam for a dropdown fed by an endpoint, else to param.'
        yield error("group-type", "type", message, fix=fix)
    yield from check_word(group, "type", GROUP_TYPES, code="group-type")
    if group.get("type") != "ticker" and not is_text(group.get("paramName")):
        message = "The group does not say which parameter its widgets share."
        yield error("group-param-missing", "paramName", message, fix='Set "paramName".')


def _check_listed(listed: list[object], placements: list[Placement], widgets: Mapping[str, object]) -> Findings:
    placed = {placement.widget_id for placement in placements}
    for index, widget_id in enumerate(listed):
        if not isinstance(widget_id, str) or not is_known(widget_id, widgets):
            message = f"There is no widget {show(widget_id)}."
            yield error("group-widget-unknown", step(index), message, fix="Write the id of a widget.")
        elif widget_id not in placed:
            message = f"{show(widget_id)} is in the group, but in no tab of the app."
            yield error("group-widget-absent", step(index), message, fix="Place it in a tab, or take it out here.")


def _in_layout(group: Mapping[str, object], placements: list[Placement]) -> list[str]:
    name = group.get("name")
    members = [item.widget_id for item in placements if is_text(name) and name in item.groups]
    return [key for key in dict.fromkeys(members) if key]


def _listed(group: Mapping[str, object]) -> list[str]:
    return [key for key in as_list(group.get("widgetIds")) if isinstance(key, str)]


def _check_membership(group: Mapping[str, object], placements: list[Placement]) -> Findings:
    listed, in_layout = _listed(group), _in_layout(group, placements)
    placed = {placement.widget_id for placement in placements}
    if not listed and not in_layout:
        message = "No widget is in the group, so it does nothing."
        yield warning("group-empty", "widgetIds", message, fix="List its widgets, or take the group out.")
    elif unlisted := [key for key in in_layout if key not in listed]:
        message = f"Layouts put {listing(unlisted)} into the group, but the group does not list them."
        yield warning("group-members", "widgetIds", message, fix='Add them to "widgetIds".')
    if unplaced := [key for key in listed if key in placed and key not in in_layout]:
        message = f"The group lists {listing(unplaced)}, but the layout does not put them into the group."
        fix = f'Add {show(group.get("name"))} to "groups" of these widgets in the layout.'
        yield warning("group-layout", "widgetIds", message, fix=fix)


def _check_sharing(group: Mapping[str, object], placements: list[Placement], widgets: Mapping[str, object]) -> Findings:
    """Check that the members have the parameter, of the right kind and with the same options."""
    name, kind = group.get("paramName"), group.get("type")
    if kind == "ticker" or not isinstance(name, str):
        return
    members = dict.fromkeys([*_listed(group), *_in_layout(group, placements)])
    known = {key: widgets[key] for key in members if isinstance(widgets.get(key), dict)}
    params = {key: param for key, definition in known.items() if (param := _param(definition, name))}
    for key, definition in known.items():
        # The page in an iframe declares parameters while it runs.
        if key not in params and name not in emitted_params(definition) and widget_type(definition) != "iframe":
            message = f"{show(key)} is in the group, but has no parameter {show(name)} and no column that sets it."
            yield error("group-param-unknown", "paramName", message, fix="Add the parameter, or take the widget out.")
    odd = [key for key, param in params.items() if (param.get("type") == "endpoint") != (kind == "endpointParam")]
    if odd and kind in ("param", "endpointParam"):
        message = f"The group's type is {show(kind)}, but the parameter of {listing(odd)} is of another kind."
        fix = "Use endpointParam for dropdowns fed by an endpoint and param for all others."
        yield warning("group-type-mismatch", "type", message, fix=fix)
    if len({options_source(param) for param in params.values()}) > 1:
        message = f"The members get the options of {show(name)} from different places: {listing(list(params))}."
        fix = "Give the parameter the same options or the same options endpoint everywhere."
        yield warning("group-options", "paramName", message, fix=fix)


def _param(definition: object, name: str) -> dict[str, object] | None:
    return next((param for param in params_of(definition) if param.get("paramName") == name), None)
