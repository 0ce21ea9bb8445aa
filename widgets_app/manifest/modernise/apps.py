"""An entry of apps.json, rewritten to today's form. What Workspace stored as the state of a widget stays untouched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from widgets_app.manifest.contract.apps import APP_KEYS
from widgets_app.manifest.contract.findings import as_list, as_object, is_text
from widgets_app.manifest.contract.groups import GROUP_KEYS, LEGACY_GROUP_KEYS
from widgets_app.manifest.contract.layout import is_known, placements_of
from widgets_app.manifest.contract.parameters import params_of
from widgets_app.manifest.modernise.rewriting import Document, each, number, numbers, renamed, same, spelled, without
from widgets_app.vocabulary import GROUP_TYPES, MCP_AUTH_TYPES

_NEEDED: Final[Mapping[str, Any]] = {"allowCustomization": True, "groups": [], "prompts": []}
_PLACE: Final = ("x", "y", "w", "h")


def modernise_app(app: Mapping[str, Any], widgets: Mapping[str, Any]) -> Document:
    """Return one entry of apps.json as Workspace documents it today, given the widgets.json it goes with."""
    item = _with_tabs(without(renamed(app, APP_KEYS), "id"))
    item |= {key: _fresh(value) for key, value in _NEEDED.items() if item.get(key) is None}
    item = each(item, "mcp_servers", lambda server: spelled(server, {"authType": MCP_AUTH_TYPES}))
    return _linked(each(item, "groups", _group), widgets)


def _fresh(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


def _with_tabs(item: Document) -> Document:
    if item.get("tabs") is None and isinstance(item.get("layout"), list):
        item = {("tabs" if key == "layout" else key): value for key, value in without(item, "tabs").items()}
        item["tabs"] = {"": {"id": "", "name": "", "layout": item["tabs"]}}
    tabs = item.get("tabs")
    return {**item, "tabs": {key: _tab(key, tab) for key, tab in tabs.items()}} if isinstance(tabs, dict) else item


def _tab(key: str, tab: Any) -> Any:
    if not isinstance(tab, dict):
        return tab
    needed = {"name": key, "layout": []}
    tab = {**tab, "id": key} | {name: value for name, value in needed.items() if tab.get(name) is None}
    return each(tab, "layout", _placement)


def _placement(item: Document) -> Document:
    if item.get("i") is None and is_text(item.get("id")):
        item = {("i" if key == "id" else key): value for key, value in without(item, "i").items()}
    return numbers(_placed(item), *_PLACE)


def _placed(item: Document) -> Document:
    """Return an item with the place that is written in its `gridData` on itself."""
    grid = item.get("gridData")
    if not isinstance(grid, dict):
        return item
    place = {key: number(grid[key]) for key in _PLACE if grid.get(key) is not None}
    here = {key: value for key, value in place.items() if item.get(key) is None or same(number(item[key]), value)}
    left = without(grid, *here)
    moved = without(item, *(key for key in here if item.get(key) is None))
    result: Document = {}
    for key, value in moved.items():
        if key == "gridData":
            result |= {name: here[name] for name in here if name not in moved}
        if key != "gridData" or left:
            result[key] = left if key == "gridData" else value
    return result


def _group(group: Document) -> Document:
    return spelled(renamed(group, GROUP_KEYS, LEGACY_GROUP_KEYS), {"type": GROUP_TYPES})


def _linked(item: Document, widgets: Mapping[str, Any]) -> Document:
    """Return an app whose groups and layouts name each other, and whose groups say what kind of value they share."""
    names = Counter(name for group in as_list(item["groups"]) if is_text(name := as_object(group).get("name")))
    joining: dict[str, list[str]] = {}

    def link(group: Document) -> Document:
        plain = is_text(group.get("name")) and isinstance(group.get("widgetIds"), list | None)
        if not plain or names[group["name"]] > 1:
            return group
        group, members = _with_members(group, item, widgets, joining)
        return _with_kind(group, members, widgets)

    item = each(item, "groups", link)
    return _joined(item, joining)


def _with_members(
    group: Document, item: Document, widgets: Mapping[str, Any], joining: dict[str, list[str]]
) -> tuple[Document, list[Any]]:
    """Return a group that lists what layouts put into it, with its members; collect what is to join in the layouts."""
    placed: dict[str, bool] = {}
    for placement in placements_of(item):
        if widget_id := placement.widget_id:
            placed[widget_id] = placed.get(widget_id, False) or group["name"] in placement.groups
    listed = as_list(group.get("widgetIds"))
    # A widget that does not exist is a fault of the layout alone; listing it would make it one of the group too.
    unlisted = [key for key, joined in placed.items() if joined and key not in listed and is_known(key, widgets)]
    for key in dict.fromkeys(key for key in listed if isinstance(key, str)):
        if placed.get(key) is False:
            joining.setdefault(key, []).append(group["name"])
    return ({**group, "widgetIds": [*listed, *unlisted]} if unlisted else group), [*listed, *unlisted]


def _with_kind(group: Document, members: list[Any], widgets: Mapping[str, Any]) -> Document:
    known = [params_of(widgets.get(key)) for key in members if isinstance(key, str)]
    shared = [param for params in known for param in params if param.get("paramName") == group.get("paramName")]
    kinds = {"endpointParam" if param.get("type") == "endpoint" else "param" for param in shared}
    missing = group.get("type") is None and is_text(group.get("paramName")) and len(kinds) == 1
    return {**group, "type": kinds.pop()} if missing else group


def _joined(item: Document, joining: Mapping[str, list[str]]) -> Document:
    def join(placement: Document) -> Document:
        names, groups = joining.get(str(placement.get("i")), []), placement.get("groups")
        if not names or not (groups is None or isinstance(groups, list)):
            return placement
        return {**placement, "groups": [*(groups or []), *names]}

    tabs = item.get("tabs")
    if not joining or not isinstance(tabs, dict):
        return item
    joined = {key: each(tab, "layout", join) if isinstance(tab, dict) else tab for key, tab in tabs.items()}
    return {**item, "tabs": joined}
