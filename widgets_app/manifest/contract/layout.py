"""Where the widgets of an app sit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from widgets_app.manifest.contract.findings import (
    Findings,
    as_list,
    as_object,
    at,
    check_kinds,
    error,
    is_number,
    is_text,
    is_whole,
    join,
    not_an_object,
    show,
    step,
    under,
    warning,
)
from widgets_app.manifest.contract.grid import COLUMNS
from widgets_app.manifest.contract.state import check_state, check_state_fits
from widgets_app.manifest.contract.widgets import WIDGET_ID
from widgets_app.vocabulary import BUILT_IN_WIDGET, BUILT_IN_WIDGET_PREFIX

# Least values of the four numbers that place a widget.
_LEAST: Final[Mapping[str, int]] = {"x": 0, "y": 0, "w": 1, "h": 1}


@dataclass(frozen=True, slots=True)
class Placement:
    """One item of a layout, with its place in the app and the tab it is in."""

    place: str
    tab: str
    item: object

    @property
    def widget_id(self) -> str:
        """The id of the placed widget, empty when there is none."""
        found = as_object(self.item).get("i")
        return found if isinstance(found, str) else ""

    @property
    def groups(self) -> list[object]:
        """The names of the groups it is in, as they stand."""
        return as_list(as_object(self.item).get("groups"))


def placements_of(app: Mapping[str, object]) -> list[Placement]:
    """Return what the tabs of an app place; of an app in the old form, what its only layout does."""
    tabs = as_object(app.get("tabs"))
    layouts = {join(join("tabs", step(key)), "layout"): as_object(tab).get("layout") for key, tab in tabs.items()}
    if app.get("tabs") is None:
        layouts = {"layout": app.get("layout")}
    return [
        Placement(place + step(index), place, item)
        for place, layout in layouts.items()
        for index, item in enumerate(as_list(layout))
    ]


def is_known(widget_id: str, widgets: Mapping[str, object]) -> bool:
    """Say whether an app may place a widget: it is one of ours or of Workspace's own."""
    built_in = widget_id.startswith(BUILT_IN_WIDGET_PREFIX) or widget_id == BUILT_IN_WIDGET
    return built_in or widget_id in widgets


def check_layout(placements: list[Placement], widgets: Mapping[str, object]) -> Findings:
    """Check every item of every layout, and that no two of a tab overlap."""
    warned: set[str] = set()
    for placement in placements:
        yield from at(placement.place, _check_item(placement, widgets))
        widget_id = placement.widget_id
        if widget_id and not WIDGET_ID.fullmatch(widget_id) and widget_id not in warned:
            message = f"The id {show(widget_id)} has other characters than letters, digits, _ and -."
            fix = "If Workspace does not find the widget, give it a plain id."
            yield warning("layout-id-unusual", join(placement.place, "i"), message, fix=fix)
        warned.add(widget_id)
    yield from _check_overlaps(placements)


def _check_item(placement: Placement, widgets: Mapping[str, object]) -> Findings:
    item = placement.item
    if not isinstance(item, dict):
        yield not_an_object("The placed widget", item)
        return
    yield from check_kinds(item, {"groups": "list", "state": "object"})
    if not is_text(item.get("i")):
        message = "Nothing says which widget sits here."
        yield error("layout-id-missing", "i", message, fix='Set "i" to the id of a widget.')
    elif not is_known(item["i"], widgets):
        message = f"There is no widget {show(item['i'])}, so Workspace has nothing to show here."
        yield error("layout-widget-unknown", "i", message, fix="Write the id of a widget, or take this out.")
    yield from _check_place(item)
    definition = as_object(widgets.get(placement.widget_id))
    yield from _check_size(item, as_object(definition.get("gridData")))
    if isinstance(item.get("state"), dict):
        yield from under("state", check_state(item["state"]))
        if definition:
            yield from under("state", check_state_fits(item["state"], definition))


def _check_place(item: Mapping[str, object]) -> Findings:
    for key, least in _LEAST.items():
        value = item.get(key)
        if not (is_whole(value) and value >= least):
            message = f'"{key}" is {show(value)}, so Workspace cannot place the widget.'
            yield error("layout-place", key, message, fix=f"Write a whole number, {least} or more, on the item.")
    left, width = item.get("x"), item.get("w")
    if is_whole(left) and is_whole(width) and left >= 0 and width >= 1 and int(left) + int(width) > COLUMNS:
        message = f"The widget reaches to column {show(int(left) + int(width))}, but a tab has {COLUMNS}."
        yield error("layout-width", "w", message, fix=f'Make "x" plus "w" at most {COLUMNS}.')


def _check_size(item: Mapping[str, object], grid: Mapping[str, object]) -> Findings:
    for key, least_key, most_key in (("w", "minW", "maxW"), ("h", "minH", "maxH")):
        size, least, most = item.get(key), grid.get(least_key), grid.get(most_key)
        too_small = is_number(size) and is_number(least) and size < least
        too_large = is_number(size) and is_number(most) and size > most
        if too_small or too_large:
            bound = f"at least {show(least)}" if too_small else f"at most {show(most)}"
            message = f'"{key}" is {show(size)}, but the widget says {bound}.'
            yield warning("layout-size", key, message, fix="Change the size here or the bounds of the widget.")


def _check_overlaps(placements: Iterable[Placement]) -> Findings:
    """Report each widget that covers part of another of its tab, once."""
    placed: dict[str, list[tuple[Placement, tuple[int, int, int, int]]]] = {}
    boxes = [(placement, box) for placement in placements if (box := _box(placement.item))]
    for placement, box in sorted(boxes, key=lambda pair: pair[1][1]):
        # Those that end above can't meet this one or a later one; the rest lie side by side.
        others = placed[placement.tab] = [
            (other, taken) for other, taken in placed.get(placement.tab, []) if taken[3] > box[1]
        ]
        hit = next((other for other, taken in others if box[0] < taken[2] and taken[0] < box[2]), None)
        if hit is None:
            others.append((placement, box))
        else:
            message = f"{show(placement.widget_id)} overlaps {show(hit.widget_id)} at {hit.place}."
            fix = "Move one of them, or make it smaller."
            yield error("layout-overlap", placement.place, message, fix=fix)


def _box(item: object) -> tuple[int, int, int, int] | None:
    """Return left, top, right and bottom of an item that is placed well, else None."""
    x, y, w, h = (as_object(item).get(key) for key in _LEAST)
    if not (is_whole(x) and is_whole(y) and is_whole(w) and is_whole(h)):
        return None
    left, top, right, bottom = int(x), int(y), int(x) + int(w), int(y) + int(h)
    inside = 0 <= left < right <= COLUMNS and 0 <= top < bottom
    return (left, top, right, bottom) if inside else None
