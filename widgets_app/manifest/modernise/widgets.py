"""An entry of widgets.json, rewritten to today's form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final

from widgets_app.manifest.contract.grid import COLUMNS, GRID_KEYS, ROWS
from widgets_app.manifest.contract.widgets import DATA_KEYS, LEGACY_WIDGET_KEYS, WIDGET_KEYS
from widgets_app.manifest.modernise.parameters import modernise_params
from widgets_app.manifest.modernise.rewriting import Document, inside, limited, number, numbers, renamed, without, word
from widgets_app.manifest.modernise.tables import collected, modernise_table, rename_table
from widgets_app.vocabulary import DEFAULT_WIDGET_TYPE, LEGACY_WIDGET_TYPES, WIDGET_TYPES

_GRID_MOST: Final = {
    **dict.fromkeys(("w", "minW", "maxW"), COLUMNS),
    **dict.fromkeys(("h", "minH", "maxH"), ROWS),
}


def modernise_widget(widget_id: str, definition: Mapping[str, Any]) -> Document:
    """Return one entry of widgets.json as Workspace documents it today; see the package for what that changes."""
    item = renamed(definition, WIDGET_KEYS, LEGACY_WIDGET_KEYS)
    # Workspace knows a widget by its key. The old "id" often repeats the endpoint.
    item = without(item, "id", *(["widgetId"] if item.get("widgetId") == widget_id else []))
    return reduce(lambda done, step: step(done), _STEPS, item)


def _type(item: Document) -> Document:
    kind = DEFAULT_WIDGET_TYPE if item.get("type") is None else word(item["type"], WIDGET_TYPES)
    return {**item, "type": LEGACY_WIDGET_TYPES.get(kind, kind) if isinstance(kind, str) else kind}


def _source(item: Document) -> Document:
    source = item.get("source")
    # "None" stays a source of that name: whoever wrote it sees that word in Workspace today.
    return {**item, "source": [source] if source.strip() else []} if isinstance(source, str) else item


def _schedule(item: Document) -> Document:
    refetch = item.get("refetchInterval")
    if isinstance(refetch, str) and refetch.strip().lower() == "false":
        return numbers({**item, "refetchInterval": False}, "staleTime")
    return numbers(item, "refetchInterval", "staleTime")


def _grid(item: Document) -> Document:
    return inside(item, "gridData", _size)


def _size(grid: Document) -> Document:
    grid = without(renamed(grid, GRID_KEYS), "x", "y")
    return limited({key: number(value) if key in GRID_KEYS else value for key, value in grid.items()}, _GRID_MOST)


def _data(item: Document) -> Document:
    item = inside(item, "data", lambda data: inside(renamed(data, DATA_KEYS), "table", rename_table))
    return inside(collected(item), "data", lambda data: inside(data, "table", modernise_table))


def _params(item: Document) -> Document:
    params = item.get("params")
    if "params" in item and (params is None or params == {}):
        return without(item, "params")
    return {**item, "params": modernise_params(params)} if isinstance(params, list) else item


_STEPS: Final[tuple[Callable[[Document], Document], ...]] = (_type, _source, _schedule, _grid, _data, _params)
