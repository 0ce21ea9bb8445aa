"""The shapes there are. A new shape registers its class here and appears in the admin by itself."""

from __future__ import annotations

from widgets_app.shapes.base import Shape

DEFAULT_TYPE = "table"  # what a widget without a type is

_SHAPES: dict[str, Shape] = {}


def register(shape: type[Shape]) -> type[Shape]:
    """Class decorator: make a shape known under each of its types."""
    made = shape()
    for widget_type in shape.types:
        if widget_type in _SHAPES:
            raise ValueError(f"Widget type {widget_type!r} is registered twice.")
        _SHAPES[widget_type] = made
    return shape


def shapes() -> dict[str, Shape]:
    """Return the shape of every registered type, in order of registration."""
    return dict(_SHAPES)


def shape_for(widget_type: str | None) -> Shape | None:
    """Return the shape of a type, or None where there is none; no type counts as a table."""
    return _SHAPES.get(DEFAULT_TYPE if widget_type is None else widget_type)
