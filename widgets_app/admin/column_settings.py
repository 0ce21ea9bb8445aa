"""The settings of a column's rendering and of its small chart: an input for each, shown where it matters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django import forms

from widgets_app import vocabulary
from widgets_app.admin.color_rules import ColorRules
from widgets_app.admin.members import Members, Path, choice, number, text, words, yes_no
from widgets_app.models import Agent, Parameter, Widget

FIELDS, PARAMETERS, AGENTS, COLOURS = "fields", "parameter-names", "agent-ids", "colours"
COLOUR_NAMES = ("green", "red", "blue", "orange", "yellow", "purple", "teal", "grey")
SUGGESTED = 500  # names of parameters
# What a field of another choice holds stays in sight.
HOLDS_SOMETHING = "!['', 'unknown', null].includes({0})"

Inputs = Mapping[str, tuple[Path, forms.Field]]

_CLICK: Final[Inputs] = {
    "click_action": (("actionType",), choice("A click", vocabulary.ACTION_TYPES)),
}
_GROUP: Final[Inputs] = {
    "click_parameter": (
        ("groupBy", "paramName"),
        text("Parameter to set", "The other widgets of the group have a parameter of this name.", suggest=PARAMETERS),
    ),
    "click_value_field": (
        ("groupBy", "valueField"),
        text("Value from", "Column whose value is sent. Empty: the cell's own.", suggest=FIELDS),
    ),
    "click_refetches": (("groupBy", "forceUpdate"), yes_no("Ask for this table again too")),
}
_AGENT: Final[Inputs] = {
    "click_text": (
        ("sendToAgent", "markdown"),
        text("Text to the agent", "{ticker} stands for the value of the column ticker in the row.", lines=3),
    ),
    "click_agent": (("sendToAgent", "agentId"), text("Agent", "Empty: the one in use.", suggest=AGENTS)),
}
_HOVER: Final[Inputs] = {
    "hover_fields": (("hoverCardData",), words("Columns on the card", "Such as name, sector, market_cap.")),
    "hover_cell_field": (
        ("hoverCard", "cellField"),
        text("Shown in the cell", "Where the value is an object: its key, such as label."),
    ),
    "hover_title": (("hoverCard", "title"), text("Title of the card")),
    "hover_text": (
        ("hoverCard", "markdown"),
        text("Text of the card", "Markdown; {key} stands for what the object has there.", lines=3),
    ),
}
_COLORS: Final[Inputs] = {
    "color_rules": (("colorRules",), ColorRules(label="Colour rules", required=False)),
    "color_value_field": (
        ("colorValueKey",),
        text("Colour decided by", "Another column. Empty: the cell's own value.", suggest=FIELDS),
    ),
}
_CHART: Final[Inputs] = {
    "spark_type": (("type",), choice("Kind", vocabulary.SPARKLINE_TYPES, "The values are lists of numbers.")),
    "spark_field": (("dataField",), text("Numbers from", "Another column. Empty: this one.", suggest=FIELDS)),
}
_STYLE: Final[Inputs] = {
    "spark_stroke": (("options", "stroke"), text("Line colour", "Such as #0ea5e9.", suggest=COLOURS)),
    "spark_width": (("options", "strokeWidth"), number("Line width", "Pixels.")),
    "spark_fill": (("options", "fill"), text("Fill colour", suggest=COLOURS)),
    "spark_opacity": (("options", "fillOpacity"), number("Opacity of the fill", "From 0 to 1.")),
    "spark_least": (("options", "min"), number("Scale from", "Empty: the least value.")),
    "spark_most": (("options", "max"), number("Scale to", "Empty: the greatest value.")),
}
_BARS: Final[Inputs] = {
    "spark_direction": (("options", "direction"), choice("Direction of the bars", vocabulary.SPARKLINE_DIRECTIONS)),
}
_SPACE: Final[Inputs] = {
    f"spark_{side}": (("options", "padding", side), number(f"Space {where}", "Pixels."))
    for side, where in (("top", "above"), ("bottom", "below"), ("left", "on the left"), ("right", "on the right"))
}
_CODE: Final[Inputs] = {
    "spark_formatter": (
        ("options", "customFormatter"),
        text("Look of each point, as code", "JavaScript that runs in the browser of everybody who looks.", lines=3),
    ),
}


def _point(name: str, path: Path, what: str) -> Inputs:
    """Return the inputs for how a point looks."""
    place = ("options", *path)
    return {
        f"{name}_fill": ((*place, "fill"), text(f"Colour {what}", suggest=COLOURS)),
        f"{name}_size": ((*place, "size"), number(f"Size {what}", "Pixels.")),
        f"{name}_stroke": ((*place, "stroke"), text(f"Outline {what}", suggest=COLOURS)),
        f"{name}_outline": ((*place, "strokeWidth"), number(f"Width of the outline {what}", "Pixels.")),
    }


_MARKED: Final[Inputs] = {
    "spark_markers": (("options", "markers", "enabled"), yes_no("Mark the points")),
}
_MARKERS: Final[Inputs] = _point("spark_marker", ("markers",), "of the marks")
# A point of interest -> its inputs.
_POINTS: Final[Mapping[str, Inputs]] = {
    name: _point(name, ("pointsOfInterest", *path), what)
    for name, path, what in (
        ("spark_ends", ("firstLast",), "of first and last"),
        ("spark_pointed", ("highlighted",), "under the mouse"),
        ("spark_minimum", ("minimum",), "of the least"),
        ("spark_maximum", ("maximum",), "of the greatest"),
        ("spark_positive", ("positiveNegative", "positive"), "above zero"),
        ("spark_negative", ("positiveNegative", "negative"), "below zero"),
    )
}
_INTEREST: Final[Inputs] = {name: each for inputs in _POINTS.values() for name, each in inputs.items()}

_CLICKS: Final[Inputs] = {**_CLICK, **_GROUP, **_AGENT}
_LOOK: Final[Inputs] = {**_STYLE, **_BARS, **_MARKED, **_MARKERS, **_INTEREST, **_SPACE, **_CODE}
_RENDERING: Final[Inputs] = {**_CLICKS, **_HOVER, **_COLORS}
_SPARKLINE: Final[Inputs] = {**_CHART, **_LOOK}


def _members(holder: str, inputs: Inputs) -> Members:
    return Members(holder, {name: path for name, (path, _) in inputs.items()})


RENDERING: Final = _members("render_fn_params", _RENDERING)
SPARKLINE: Final = _members("sparkline", _SPARKLINE)
MEMBERS: Final = (RENDERING, SPARKLINE)
COLUMN_FIELDS: Final = {name: field for name, (_, field) in {**_RENDERING, **_SPARKLINE}.items()}


def _pairs(names: Mapping[str, object]) -> list[str | tuple[str, ...]]:
    """Return names two by two, as lines of a form."""
    listed = list(names)
    return [tuple(listed[at : at + 2]) for at in range(0, len(listed), 2)]


SPARKLINE_LAYOUT: Final[list[str | tuple[str, ...]]] = [
    *_CHART,
    *_pairs(_STYLE),
    *_BARS,
    *_MARKED,
    *_pairs(_MARKERS),
    *_pairs(_INTEREST),
    *_pairs(_SPACE),
    *_CODE,
]


def _shown(inputs: Inputs, condition: str) -> dict[str, str]:
    return {name: f"({condition}) || {HOLDS_SOMETHING.format(name)}" for name in inputs}


_CLICKED = "render_fn.includes('cellOnClick')"
_WITH_MARKS = "['line', 'area'].includes(spark_type)"
_COLORED = "render_fn.includes('columnColor')"
CONDITIONS: Final[Mapping[str, str]] = {
    **_shown(_CLICK, _CLICKED),
    **_shown(_GROUP, f"{_CLICKED} && click_action == 'groupBy'"),
    **_shown(_AGENT, f"{_CLICKED} && click_action == 'sendToAgent'"),
    **_shown(_HOVER, "render_fn.includes('hoverCard')"),
    **_shown(_COLORS, _COLORED),
    "color_rules": f"{_COLORED} || document.querySelector('.wb-rule')",
    **_shown(_LOOK, "spark_type"),
    **_shown(_BARS, "spark_type == 'bar'"),
    **_shown(_MARKED, _WITH_MARKS),
    **_shown(_MARKERS, f"{_WITH_MARKS} && spark_markers == 'true'"),
    # What else there is to a point matters once it has a colour.
    **{
        name: shown
        for point, inputs in _POINTS.items()
        for name, shown in _shown(inputs, f"spark_type && {point}_fill").items()
        if name != f"{point}_fill"
    },
}


def suggestions(widget: Widget) -> dict[str, list[str]]:
    """Return what inputs suggest: columns of the widget, parameters of all widgets, agents, colours."""
    parameters = Parameter.objects.filter(parent=None).exclude(param_name=None).order_by("param_name")
    names = parameters.values_list("param_name", flat=True).distinct()
    return {
        FIELDS: fields_of(widget),
        PARAMETERS: [name for name in names[:SUGGESTED] if name],
        AGENTS: list(Agent.objects.values_list("agent_id", flat=True)),
        COLOURS: list(COLOUR_NAMES),
    }


def fields_of(widget: Widget) -> list[str]:
    """Return the names of a widget's columns."""
    return [field for field in widget.columns.values_list("field", flat=True) if field]
